"""What does starting a thread cost, by the size of its stack, and by how much of it the thread touches?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET, STRONG, Mark
from suite.charts.kit.several_runs import Overlay, Panels, process_times, size_text
from suite.results import query
from suite.results.model import Benchmark, Run

FAMILY = "thread_start"
QUESTION = "Does the cost of a thread's stack depend on its size or on its use?"

STARTER, OTHER, ANY = "starter", "other", "any"  # the core: that of the thread's starter, another, the system's choice
ELSEWHERE = {OTHER: ("on another core", "^"), ANY: ("unpinned", "v")}  # with a kept stack, untouched

TOUCHES = {"all": "touched", "none": "untouched"}
STACKS = {"cached_stack": "kept", "fresh_stack": "fresh"}
MARKERS = {"cached_stack": ("o", "-"), "fresh_stack": ("D", ":")}

UNTOUCHED_KEPT = ("none", "cached_stack")

ByBytes = Mapping[int, Benchmark]


def draw(run: Run, look: Look) -> Drawing | None:
    core = STARTER if run.series(FAMILY, None, core=STARTER) else ANY  # where nothing is pinned
    benchmarks = _of_core(run, core)
    if not benchmarks:
        return None
    page = Page(run, look, FAMILY)
    colours = {"all": page.mark("stack_array"), "none": STRONG}

    def line(kind: tuple[str, str], counter: str = "") -> forms.Line:
        touch, stack = kind
        figures = query.counted(benchmarks[kind], counter) if counter else query.medians(benchmarks[kind])
        style = Mark(colours[touch].light, colours[touch].dark, *MARKERS[stack])
        return forms.Line(f"{TOUCHES[touch]}, {STACKS[stack]}", figures, style)

    elsewhere = {place: _of_core(run, place).get(UNTOUCHED_KEPT, {}) for place in ELSEWHERE if place != core}
    times = [line(kind) for kind in benchmarks]
    for place, by_size in elsewhere.items():
        name, marker = ELSEWHERE[place]
        if by_size:
            times.append(forms.Line(name, query.medians(by_size), Mark(STRONG.light, STRONG.dark, marker, "")))
    panels = [forms.LinesPanel("Time to start and join, log scale", times)]
    resident = [drawn for kind in benchmarks if (drawn := line(kind, "stack_resident")).values]
    if resident:
        reserved = max(
            (line(kind, "stack_reserved") for kind in benchmarks), key=lambda candidate: len(candidate.values)
        )
        memory = [forms.Line("reserved", reserved.values, QUIET), *resident]
        panels.append(forms.LinesPanel("Stack reserved and resident, log scale", memory, forms.SIZE))
    forms.lines(page, *panels)
    place = "on its starter's core" if core == STARTER else "unpinned"
    subtitle = f"Start a thread {place} and join it, over the size of its stack"
    if any(elsewhere.values()):
        subtitle += "; triangles: on another core (up), unpinned (down)"
    return page.finish(_title(benchmarks), f"{subtitle}{_ways(benchmarks, elsewhere.get(ANY, {}))}")


def _of_core(run: Run, core: str) -> dict[tuple[str, str], ByBytes]:
    benchmarks = {
        (touch, stack): query.over(run, "bytes", FAMILY, stack, touch=touch, core=core)
        for touch in TOUCHES
        for stack in STACKS
    }
    return {kind: sizes for kind, sizes in benchmarks.items() if sizes}


def _title(benchmarks: Mapping[tuple[str, str], ByBytes]) -> str:
    """What the size of a fresh stack costs; where only one size was measured, what a start costs."""
    fresh = benchmarks.get(("none", "fresh_stack"), {})
    ratio = query.ratio_of(fresh[max(fresh)], fresh[min(fresh)]) if len(fresh) > 1 else None
    if ratio is None:
        (touch, stack), by_size = next(iter(benchmarks.items()))
        return f"A thread starts in {_cost(by_size, min(by_size))} with a {STACKS[stack]} stack, {TOUCHES[touch]}"
    least, most = phrases.size(min(fresh)), phrases.size(max(fresh))
    if phrases.none_differs([ratio]):
        return f"Starting a thread with a fresh stack of {most} costs the same, within the intervals, as with {least}"
    return f"Starting a thread with a fresh stack of {most} costs {phrases.as_much_as([ratio], f'with {least}')}"


def _ways(benchmarks: Mapping[tuple[str, str], ByBytes], unpinned: ByBytes) -> str:
    """The end of the subtitle: a start with the smallest stack by its origin, and the use of the largest."""
    parts = [
        f"{_cost(by_size, min(by_size))} with a {name} stack"
        for stack, name in STACKS.items()
        if (by_size := benchmarks.get(("none", stack)))
    ]
    parts += [f"{_cost(unpinned, min(unpinned))} unpinned"] if unpinned else []
    touched = benchmarks.get(("all", "fresh_stack")) or benchmarks.get(("all", "cached_stack"))
    parts += [f"{_cost(touched, max(touched))} if it touches {phrases.size(max(touched))}"] if touched else []
    return f"; a start takes {phrases.joined(parts)}"


def _cost(by_size: ByBytes, size: int) -> str:
    return phrases.short_time(query.medians(by_size)[size].median)


def overlay_panels(run: Run) -> Panels:
    return {
        f"Stack {TOUCHES[touch]}, {STACKS[stack]}": process_times(run, by_size)
        for (touch, stack), by_size in reversed(_of_core(run, STARTER).items())
        if stack == "fresh_stack" or touch == "none"
    }


OVERLAY = Overlay(
    "starts a thread in", "the time to start a thread",
    "Start a thread on its starter's core and join it, over the size of its stack: time, log scales",
    overlay_panels, "sizes", over=size_text,
)  # fmt: skip
