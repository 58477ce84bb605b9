"""What does a pointer on the way to a value cost: following it, or the place that it leads to?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.results import query
from suite.results.model import Benchmark, Run

FAMILY = "indirection"
QUESTION = "What costs time on the way to a value: following a pointer, or the distance to its target?"

LAYOUTS = {"packed": "packed, in order", "scattered": "scattered over 64 MiB"}  # filled: scattered


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = {layout: query.by_number(run.series(FAMILY, layout=layout), "depth") for layout in LAYOUTS}
    depths = sorted({depth for by_depth in benchmarks.values() for depth in by_depth})
    if not depths:
        return None
    columns = [
        forms.Column(
            LAYOUTS[layout],
            {_way(depth): estimate for depth, estimate in query.medians(by_depth).items()},
            "o",
            layout == "scattered",
            lane,
        )
        for lane, (layout, by_depth) in enumerate(benchmarks.items())
    ]
    page = Page(run, look, FAMILY)
    rows = [_way(depth) for depth in depths]
    forms.dots(page, rows, forms.RowsPanel("", columns), valued=True, colour_of=lambda way: STRONG)
    subtitle = "Reach values through pointers, independent of each other: time per value, log scale"
    return page.finish(_title(benchmarks), subtitle)


def _way(depth: int) -> str:
    return phrases.count(depth, "pointer") if depth else "value itself"


def _title(benchmarks: Mapping[str, Mapping[int, Benchmark]]) -> str:
    ratios = query.ratios(benchmarks["scattered"], benchmarks["packed"])
    ratios.pop(0, None)  # the values themselves
    if not ratios:
        layout, by_depth = next((layout, by_depth) for layout, by_depth in benchmarks.items() if by_depth)
        depth = max(by_depth)
        subject = f"Through {_way(depth)}, {layout}, a value" if depth else "A value itself"
        return f"{subject} costs {phrases.short_time(query.medians(by_depth)[depth].median)}"
    depth = max(ratios)
    cost = phrases.short_time(query.medians(benchmarks["scattered"])[depth].median)
    if phrases.none_differs([ratios[depth]]):
        subject = f"Through {phrases.count(depth, 'pointer')}, scattered values"
        return f"{subject} show no measurable difference from packed values"
    packed = "through packed pointers" if depth > 1 else "through a packed pointer"
    against = phrases.as_much_as([ratios[depth]], packed)
    return f"Through {phrases.count(depth, 'scattered pointer')}, a value costs {cost}, {against}"
