"""What starting a thread costs by the size of its stack, and by how much of the stack it touches."""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET, STRONG, Mark
from suite.charts.kit.several_runs import Overlay, Panels, process_times, size_text
from suite.results import query
from suite.results.model import Benchmark, Run

FAMILY = "thread_start"
QUESTION = "Does the cost of a thread's stack depend on its size or on its use?"

TOUCHES = {"all": "touched", "none": "untouched"}
STACKS = {"cached_stack": "kept", "fresh_stack": "fresh"}
MARKERS = {"cached_stack": ("o", "-"), "fresh_stack": ("D", ":")}

ByBytes = Mapping[int, Benchmark]


def draw(run: Run, how: Look) -> Drawing | None:
    found = {
        (touch, stack): query.over(run, "bytes", FAMILY, stack, touch=touch)
        for touch in TOUCHES
        for stack in STACKS
    }
    found = {which: sizes for which, sizes in found.items() if sizes}
    if not found:
        return None
    on = Page(run, how, FAMILY)
    colours = {"all": on.mark("stack_array"), "none": STRONG}

    def line(which: tuple[str, str], counter: str = "") -> forms.Line:
        touch, stack = which
        figures = query.counted(found[which], counter) if counter else query.medians(found[which])
        style = Mark(colours[touch].light, colours[touch].dark, *MARKERS[stack])
        return forms.Line(f"{TOUCHES[touch]}, {STACKS[stack]}", figures, style)

    panels = [forms.LinesPanel("Time to start and join, log scale", [line(which) for which in found])]
    resident = [one for which in found if (one := line(which, "stack_resident")).values]
    if resident:
        reserved = max((line(which, "stack_reserved") for which in found), key=lambda one: len(one.values))
        memory = [forms.Line("reserved", reserved.values, QUIET), *resident]
        panels.append(forms.LinesPanel("Stack reserved and resident, log scale", memory, forms.SIZE))
    forms.lines(on, *panels)
    subtitle = "Start a thread and join it, over the size of its stack, kept by the C library or fresh"
    return on.finish(_title(found), subtitle)


def _title(found: Mapping[tuple[str, str], ByBytes]) -> str:
    stack = "cached_stack" if any(stack == "cached_stack" for _, stack in found) else "fresh_stack"
    untouched, touched = (found.get((touch, stack), {}) for touch in ("none", "all"))
    said = []
    if untouched:
        ends = query.ends(list(untouched))
        costs = [f"{_cost(untouched, size)} with {_size(size)}" for size in ends]
        ratio = query.ratio_of(untouched[ends[-1]], untouched[ends[0]]) if len(ends) > 1 else None
        compared = f", {phrases.as_much([ratio])}".rstrip(",") if ratio else ""
        said = [f"{phrases.joined(costs)} of stack{compared}"]
    if touched:
        said.append(f"{_cost(touched, max(touched))} if it touches {_size(max(touched))}")
    return f"A thread starts in {'; in '.join(said)}"


def _size(count: int) -> str:
    return bytes_text(count).replace(" ", phrases.NO_BREAK)


def _cost(found: ByBytes, size: int) -> str:
    return phrases.short_time(query.medians(found)[size].median)


def overlay_panels(run: Run) -> Panels:
    return {
        f"Stack {name}": process_times(query.over(run, "bytes", FAMILY, "cached_stack", touch=touch))
        for touch, name in reversed(TOUCHES.items())
    }


OVERLAY = Overlay(
    "Starting a thread that leaves its stack untouched costs",
    "Start a thread and join it, over the size of its stack: time, log scales",
    overlay_panels, "size", over=size_text,
)  # fmt: skip
