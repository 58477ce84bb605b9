"""How does the cost of a block grow with its size, untouched and touched?"""

from __future__ import annotations

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.several_runs import Overlay, Panels, process_times, size_text
from suite.results import control, query
from suite.results.model import Run

FAMILY = "scoped"
QUESTION = "How does the cost of a block grow with its size?"

TOUCHES = {"none": "Not touched", "all": "Every byte written"}


def draw(run: Run, look: Look) -> Drawing | None:
    series = {touch: _lines(run, touch) for touch in TOUCHES}
    panels = [forms.LinesPanel(TOUCHES[touch], lines) for touch, lines in series.items() if lines]
    if not panels:
        return None
    page = Page(run, look, FAMILY)
    forms.lines(page, *panels)
    subtitle = "Take a block, use it, give it back: time per block over its size, log scales"
    return page.finish(_title(run), f"{subtitle}{_over_all(run, 'all' if series['all'] else 'none')}")


def _lines(run: Run, touch: str) -> list[forms.Line]:
    names = ["none", *query.leading(run, FAMILY)]
    benchmarks = {name: query.over(run, "bytes", FAMILY, name, touch=touch) for name in names}
    return [forms.Line(name, query.medians(sizes)) for name, sizes in benchmarks.items() if sizes]


def _title(run: Run) -> str:
    """The largest block of the usual malloc, untouched and written: what grows is the writing."""
    size = query.ends(query.numbers(run, "bytes", FAMILY))[-1]
    benchmarks = {touch: query.by_strategy(run.series(FAMILY, bytes=size, touch=touch)) for touch in TOUCHES}
    malloc = query.malloc_to_name(run, [name for by_name in benchmarks.values() for name in by_name])
    of_malloc = {touch: by_name[malloc] for touch, by_name in benchmarks.items() if malloc in by_name}
    costs = query.middles(query.medians(of_malloc))
    if malloc is None or set(TOUCHES) - costs.keys():
        by_strategy = benchmarks["all"] or benchmarks["none"] or query.by_strategy(run.series(FAMILY, bytes=size))
        return f"{bytes_text(size)} cost {phrases.cheapest_and_costliest(query.middles(query.medians(by_strategy)))}"
    subject = f"{bytes_text(size)} from {phrases.plain(malloc)} cost"
    ratio = query.ratio_of(of_malloc["all"], of_malloc["none"])
    if ratio is not None and phrases.none_differs([ratio]):
        return f"{subject} the same, untouched or written in full, within the intervals"
    untouched, written = (phrases.short_time(costs[touch]) for touch in TOUCHES)
    return f"{subject} {untouched} untouched, {written} written in full"


def _over_all(run: Run, touch: str) -> str:
    """The end of the subtitle: the mallocs against the stack, at the largest size."""
    size = query.ends(query.numbers(run, "bytes", FAMILY, touch=touch))[-1]
    compared = control.to_stack(run, query.by_strategy(run.series(FAMILY, bytes=size, touch=touch)))
    return f"; at {bytes_text(size)}, malloc {phrases.against(compared, 'the stack')}" if compared else ""


def overlay_panels(run: Run) -> Panels:
    strategies = {"From the default malloc": query.default_malloc(run, FAMILY), "On the stack": "stack_array"}
    return {
        title: process_times(run, query.over(run, "bytes", FAMILY, name, touch="all"))
        for title, name in strategies.items()
    }


OVERLAY = Overlay(
    "fills a block in", "the time to fill a block",
    "Take a block, write every byte, give it back: time per block over its size, log scales",
    overlay_panels, "sizes", over=size_text,
)  # fmt: skip
