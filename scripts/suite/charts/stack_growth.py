"""What it costs to go where the stack has never been."""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.results import query
from suite.results.model import Benchmark, Run

FAMILY = "stack_growth"
QUESTION = "What does it cost when the stack grows to new pages?"

TOUCHES = {"first": "first time", "second": "again"}


def draw(run: Run, how: Look) -> Drawing | None:
    found = {touch: query.by_number(run.series(FAMILY, touch=touch), "bytes") for touch in TOUCHES}
    on = Page(run, how, FAMILY, TOUCHES)
    styles = {"first": STRONG, "second": on.mark("stack_array")}
    series = [forms.Line(touch, query.medians(each), styles[touch]) for touch, each in found.items() if each]
    if not series:
        return None
    forms.lines(on, forms.LinesPanel("", series))
    subtitle = "Go down the stack page by page, 4 KiB each: time per page over the distance, log scales"
    return on.finish(_title(found), subtitle)


def _title(found: Mapping[str, Mapping[int, Benchmark]]) -> str:
    ratios = list(query.ratios(found["first"], found["second"]).values())
    touch = "first" if found["first"] else "second"
    costs = query.middles(query.medians(found[touch]))
    if not ratios:
        where = "for the first time" if touch == "first" else "again"
        largest = max(costs)
        return f"Going down {bytes_text(largest)} of stack {where} costs {phrases.short_time(costs[largest])} a page"
    if phrases.none_apart(ratios):
        return "Growing the stack to new pages shows no measurable difference from going there again"
    said = f"Growing the stack to new pages costs {phrases.span(costs.values())} a page"
    return f"{said}, {phrases.as_much(ratios)} as going there again"
