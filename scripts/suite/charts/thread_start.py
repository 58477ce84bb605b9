"""What does starting a thread cost, by the size of its stack, and by how much of it the thread touches?"""

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


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = {
        (touch, stack): query.over(run, "bytes", FAMILY, stack, touch=touch) for touch in TOUCHES for stack in STACKS
    }
    benchmarks = {kind: sizes for kind, sizes in benchmarks.items() if sizes}
    if not benchmarks:
        return None
    page = Page(run, look, FAMILY)
    colours = {"all": page.mark("stack_array"), "none": STRONG}

    def line(kind: tuple[str, str], counter: str = "") -> forms.Line:
        touch, stack = kind
        figures = query.counted(benchmarks[kind], counter) if counter else query.medians(benchmarks[kind])
        style = Mark(colours[touch].light, colours[touch].dark, *MARKERS[stack])
        return forms.Line(f"{TOUCHES[touch]}, {STACKS[stack]}", figures, style)

    panels = [forms.LinesPanel("Time to start and join, log scale", [line(kind) for kind in benchmarks])]
    resident = [drawn for kind in benchmarks if (drawn := line(kind, "stack_resident")).values]
    if resident:
        reserved = max(
            (line(kind, "stack_reserved") for kind in benchmarks), key=lambda candidate: len(candidate.values)
        )
        memory = [forms.Line("reserved", reserved.values, QUIET), *resident]
        panels.append(forms.LinesPanel("Stack reserved and resident, log scale", memory, forms.SIZE))
    forms.lines(page, *panels)
    subtitle = "Start a thread and join it, over the size of its stack, kept by the C library or fresh"
    return page.finish(_title(benchmarks), subtitle)


def _title(benchmarks: Mapping[tuple[str, str], ByBytes]) -> str:
    stack = "cached_stack" if any(stack == "cached_stack" for _, stack in benchmarks) else "fresh_stack"
    untouched, touched = (benchmarks.get((touch, stack), {}) for touch in ("none", "all"))
    parts = []
    if untouched:
        ends = query.ends(list(untouched))
        costs = [f"{_cost(untouched, size)} with {_size(size)}" for size in ends]
        ratio = query.ratio_of(untouched[ends[-1]], untouched[ends[0]]) if len(ends) > 1 else None
        compared = f", {phrases.as_much([ratio])}".rstrip(",") if ratio else ""
        parts = [f"{phrases.joined(costs)} of stack{compared}"]
    if touched:
        parts.append(f"{_cost(touched, max(touched))} if it touches {_size(max(touched))}")
    return f"A thread starts in {'; in '.join(parts)}"


def _size(count: int) -> str:
    return bytes_text(count).replace(" ", phrases.NO_BREAK)


def _cost(by_size: ByBytes, size: int) -> str:
    return phrases.short_time(query.medians(by_size)[size].median)


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
