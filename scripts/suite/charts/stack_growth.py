"""What does it cost to grow the stack to new pages?"""

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


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = {touch: query.by_number(run.series(FAMILY, touch=touch), "bytes") for touch in TOUCHES}
    page = Page(run, look, FAMILY, TOUCHES)
    styles = {"first": STRONG, "second": page.mark("stack_array")}
    series = [
        forms.Line(touch, query.medians(by_size), styles[touch]) for touch, by_size in benchmarks.items() if by_size
    ]
    if not series:
        return None
    forms.lines(page, forms.LinesPanel("", series))
    subtitle = "Go down 64 MiB of stack, 4 KiB a call: time per page over the length of a descent, log scales"
    return page.finish(_title(benchmarks), subtitle)


def _title(benchmarks: Mapping[str, Mapping[int, Benchmark]]) -> str:
    """About the longest descent."""
    ratios = query.ratios(benchmarks["first"], benchmarks["second"])
    touch = "first" if benchmarks["first"] else "second"
    costs = query.middles(query.medians(benchmarks[touch]))
    largest = max(ratios or costs)
    if not ratios:
        occasion = "for the first time" if touch == "first" else "again"
        return f"Going down {bytes_text(largest)} of stack {occasion} costs {phrases.short_time(costs[largest])} a page"
    if phrases.none_differs([ratios[largest]]):
        return "Growing the stack to a new page shows no measurable difference from going there again"
    text = f"Growing the stack to a new page costs {phrases.short_time(costs[largest])}"
    return f"{text}, {phrases.as_much_as([ratios[largest]], 'going there again')}"
