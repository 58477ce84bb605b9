"""Whether it matters in which order a matrix is walked, and whether its rows are one block or many."""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.results import query
from suite.results.model import Benchmark, Run

FAMILY = "matrix"
QUESTION = "Does it matter whether a matrix is walked by row or by column, in one block or in a block a row?"

BLOCKS = {"one_block": "All rows in one block", "block_a_row": "A block a row"}
WITH = {"one_block": "in one block", "block_a_row": "with a block a row"}
WALKS = {"row": "by row", "column": "by column"}  # filled: by column
BySide = Mapping[int, Benchmark]


def draw(run: Run, how: Look) -> Drawing | None:
    sides = query.numbers(run, "n", FAMILY)
    found = {
        (block, walk): query.over(run, "n", FAMILY, block, by=walk) for block in BLOCKS for walk in WALKS
    }
    panels = [forms.RowsPanel(title, _columns(found, block)) for block, title in BLOCKS.items()]
    panels = [one for one in panels if any(each.values for each in one.columns)]
    if not panels:
        return None
    on = Page(run, how, FAMILY)
    forms.dots(on, [_shape(side) for side in sides], *panels, valued=True, colour_of=lambda shape: STRONG)
    subtitle = "Add up all elements of a matrix of 8 B numbers: time per element, log scale"
    return on.finish(_title(found), subtitle)


def _shape(side: int) -> str:
    return f"{side:,} × {side:,}"


def _columns(found: Mapping[tuple[str, str], BySide], block: str) -> list[forms.Column]:
    return [
        forms.Column(
            label,
            {_shape(side): one for side, one in query.medians(found[block, walk]).items()},
            "o",
            walk == "column",
            lane,
        )
        for lane, (walk, label) in enumerate(WALKS.items())
    ]


def _title(found: Mapping[tuple[str, str], BySide]) -> str:
    """Of the shape in which columns cost most."""
    by_shape = {
        (block, side): ratio
        for block in BLOCKS
        for side, ratio in query.ratios(found[block, "column"], found[block, "row"]).items()
    }
    if not by_shape:
        block, walk = next(key for key, sides in found.items() if sides)
        side = max(found[block, walk])
        cost = phrases.short_time(query.medians(found[block, walk])[side].median)
        return f"{WALKS[walk].capitalize()}, an element of a matrix of {_shape(side)} costs {cost}"
    if phrases.none_apart(list(by_shape.values())):
        return "Walking a matrix by column shows no measurable difference from walking it by row"
    dearest, side = max(by_shape, key=lambda one: by_shape[one].median)
    subject = f"By column, {_shape(side)} elements cost {phrases.as_much([by_shape[dearest, side]])} as by row"
    others = [block for block in BLOCKS if block != dearest and (block, side) in by_shape]
    said = [f" and {phrases.as_much([by_shape[block, side]])} {WITH[block]}" for block in others]
    return f"{subject} {WITH[dearest]}{''.join(said)}"
