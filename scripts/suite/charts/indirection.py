"""What a pointer costs on the way to a value: the following, or where it leads."""

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


def draw(run: Run, how: Look) -> Drawing | None:
    found = {layout: query.by_number(run.series(FAMILY, layout=layout), "depth") for layout in LAYOUTS}
    depths = sorted({depth for each in found.values() for depth in each})
    if not depths:
        return None
    columns = [
        forms.Column(
            LAYOUTS[layout],
            {_way(depth): one for depth, one in query.medians(each).items()},
            "o",
            layout == "scattered",
            lane,
        )
        for lane, (layout, each) in enumerate(found.items())
    ]
    on = Page(run, how, FAMILY)
    rows = [_way(depth) for depth in depths]
    forms.dots(on, rows, forms.RowsPanel("", columns), valued=True, colour_of=lambda way: STRONG)
    subtitle = "Reach values through pointers, independent of each other: time per value, log scale"
    return on.finish(_title(found), subtitle)


def _way(depth: int) -> str:
    return phrases.count(depth, "pointer") if depth else "value itself"


def _title(found: Mapping[str, Mapping[int, Benchmark]]) -> str:
    ratios = query.ratios(found["scattered"], found["packed"])
    if not ratios:
        layout, by_depth = next((layout, each) for layout, each in found.items() if each)
        depth = max(by_depth)
        subject = f"Through {_way(depth)}, {layout}, a value" if depth else "A value itself"
        return f"{subject} costs {phrases.short_time(query.medians(by_depth)[depth].median)}"
    depth = max(ratios)
    costs = query.middles(query.medians({layout: each[depth] for layout, each in found.items()}))
    subject = f"Through {_way(depth)}, a value costs {phrases.short_time(costs['scattered'])} where they are scattered"
    return f"{subject}, {phrases.as_much([ratios[depth]])} as where they are packed"
