"""Does the order of a walk through a matrix matter, and whether its rows are one block or many?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "matrix"
QUESTION = "Does it matter whether a matrix is walked by row or by column, in one block or in a block a row?"

BLOCKS = {"one_block": "All rows in one block", "block_a_row": "A block a row"}
WITH = {"one_block": "in one block", "block_a_row": "with a block a row"}
WALKS = {"row": "by row", "column": "by column"}  # filled: by column
BySide = Mapping[int, Benchmark]


def draw(run: Run, look: Look) -> Drawing | None:
    sides = query.numbers(run, "n", FAMILY)
    benchmarks = {(block, walk): query.over(run, "n", FAMILY, block, by=walk) for block in BLOCKS for walk in WALKS}
    panels = [forms.RowsPanel(title, _columns(benchmarks, block)) for block, title in BLOCKS.items()]
    panels = [panel for panel in panels if any(column.values for column in panel.columns)]
    if not panels:
        return None
    page = Page(run, look, FAMILY)
    forms.dots(page, [_shape(side) for side in sides], *panels, valued=True, colour_of=lambda shape: STRONG)
    subtitle = "Add up all elements of a matrix of 8 B numbers: time per element, log scale"
    by_shape = _by_shape(benchmarks)
    return page.finish(_title(benchmarks, by_shape), f"{subtitle}{_others(by_shape)}")


def _shape(side: int) -> str:
    return f"{side:,} × {side:,}"


def _columns(benchmarks: Mapping[tuple[str, str], BySide], block: str) -> list[forms.Column]:
    return [
        forms.Column(
            label,
            {_shape(side): estimate for side, estimate in query.medians(benchmarks[block, walk]).items()},
            "o",
            walk == "column",
            lane,
        )
        for lane, (walk, label) in enumerate(WALKS.items())
    ]


def _by_shape(benchmarks: Mapping[tuple[str, str], BySide]) -> dict[tuple[str, int], Estimate]:
    """What a walk by column costs, against the walk by row, by block and side."""
    return {
        (block, side): ratio
        for block in BLOCKS
        for side, ratio in query.ratios(benchmarks[block, "column"], benchmarks[block, "row"]).items()
    }


def _title(benchmarks: Mapping[tuple[str, str], BySide], by_shape: Mapping[tuple[str, int], Estimate]) -> str:
    """Describes the largest ordinary shape whose walk by column differs: in one block, as the claim has it, if that does."""
    if not by_shape:
        block, walk = next(key for key, sides in benchmarks.items() if sides)
        side = max(benchmarks[block, walk])
        cost = phrases.short_time(query.medians(benchmarks[block, walk])[side].median)
        return f"{WALKS[walk].capitalize()}, an element of a matrix of {_shape(side)} costs {cost}"
    if phrases.none_differs(list(by_shape.values())):
        return "Walking a matrix by column shows no measurable difference from walking it by row"
    ordinary = [shape for shape in by_shape if not query.is_power_of_two(shape[1])] or list(by_shape)
    seen = [
        shape for shape in ordinary if phrases.differs(by_shape[shape]) or not by_shape[shape].has_interval
    ] or ordinary
    block, side = max(seen, key=lambda shape: shape[1])  # the first: in one block
    cost = phrases.as_much_as([by_shape[block, side]], f"by row, {WITH[block]}")
    return f"By column, {_shape(side)} elements cost {cost}"


def _others(by_shape: Mapping[tuple[str, int], Estimate]) -> str:
    """The end of the subtitle: the costliest walk by column through a power of two, whose rows compete for few sets."""
    powers = {shape: ratio for shape, ratio in by_shape.items() if query.is_power_of_two(shape[1])}
    ordinary = [ratio.high for shape, ratio in by_shape.items() if shape not in powers]
    costliest = max(powers, key=lambda shape: powers[shape].median, default=None)
    if costliest is None or not ordinary or powers[costliest].low <= max(ordinary):
        return ""
    block, side = costliest
    factor = phrases.two_figures(powers[costliest].median)
    return f"; with a power of two, {side:,}, {factor} times by row {WITH[block]}"
