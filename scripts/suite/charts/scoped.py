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
    return page.finish(_title(run, "all" if series["all"] else "none"), subtitle)


def _lines(run: Run, touch: str) -> list[forms.Line]:
    names = ["none", *query.leading(run, FAMILY)]
    benchmarks = {name: query.over(run, "bytes", FAMILY, name, touch=touch) for name in names}
    return [forms.Line(name, query.medians(sizes)) for name, sizes in benchmarks.items() if sizes]


def _title(run: Run, touch: str) -> str:
    sizes = query.ends(query.numbers(run, "bytes", FAMILY, touch=touch))
    benchmarks = {size: query.by_strategy(run.series(FAMILY, bytes=size, touch=touch)) for size in sizes}
    compared = {size: control.to_stack(run, by_strategy) for size, by_strategy in benchmarks.items()}
    if all(compared.values()):
        deed = "Written in full" if touch == "all" else "Untouched"
        if phrases.none_differs(estimate for of_size in compared.values() for estimate in of_size):
            sizes_text = " or ".join(bytes_text(size) for size in compared)
            return f"{deed}, a malloc of {sizes_text} shows no measurable difference from the stack"
        parts = [
            f"{phrases.against(of_size, 'the stack')} at {bytes_text(size)}" for size, of_size in compared.items()
        ]
        return f"{deed}, a malloc {phrases.joined(parts)}"
    size, by_strategy = benchmarks.popitem()
    return f"{bytes_text(size)} cost {phrases.cheapest_and_costliest(query.middles(query.medians(by_strategy)))}"


def overlay_panels(run: Run) -> Panels:
    strategies = {"From the default malloc": query.default_malloc(run, FAMILY), "On the stack": "stack_array"}
    return {
        title: process_times(run, query.over(run, "bytes", FAMILY, name, touch="all")) for title, name in strategies.items()
    }


OVERLAY = Overlay(
    "allocates and fills a block in", "the time to allocate and fill a block",
    "Take a block, write every byte, give it back: time per block over its size, log scales",
    overlay_panels, "size", over=size_text,
)  # fmt: skip
