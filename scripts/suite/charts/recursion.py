"""Is deep recursion faster with a stack on the heap?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "recursion"
QUESTION = "Is deep recursion better done with a stack on the heap?"

SHAPE = "chain"
WAYS = {"loop": "loop, no stack", "calls": "recursion", "heap_kept": "heap, kept", "heap_fresh": "heap, fresh"}

ByWay = Mapping[str, Mapping[int, Benchmark]]


def draw(run: Run, look: Look) -> Drawing | None:
    frames = query.ends(query.numbers(run, "frame", FAMILY, shape=SHAPE))
    benchmarks = {frame: _by_way(run, frame) for frame in frames}
    if not any(by_depth for ways in benchmarks.values() for by_depth in ways.values()):
        return None
    page = Page(run, look, FAMILY, WAYS)
    heap = page.mark(str(run.context.get("process_malloc")))
    styles = {"loop": QUIET, "calls": page.mark("stack_array"), "heap_kept": heap}
    styles["heap_fresh"] = replace(heap, marker="X", dashes="--")
    panels = [
        forms.LinesPanel(
            f"{bytes_text(frame)} of locals a visit",
            [forms.Line(way, query.medians(by_depth), styles[way]) for way, by_depth in ways.items() if by_depth],
        )
        for frame, ways in benchmarks.items()
    ]
    forms.lines(page, *panels, over=lambda depth: f"{int(depth):,}")
    subtitle = "Visit a chain of nodes, by calls or with a stack on the heap: time per node over the depth, log scales"
    return page.finish(_title(run, benchmarks), f"{subtitle}{_over_all(run, benchmarks)}")


def _by_way(run: Run, frame: int) -> ByWay:
    return {way: query.by_number(run.series(FAMILY, shape=SHAPE, frame=frame, by=way), "depth") for way in WAYS}


def _title(run: Run, benchmarks: Mapping[int, ByWay]) -> str:
    depth = _deepest(benchmarks)
    ratios = {way: _to_calls(run, benchmarks, way, depth) for way in ("heap_kept", "heap_fresh")}
    frame = next((frame for frame in benchmarks if all(frame in of_way for of_way in ratios.values())), None)
    if frame is not None:
        kept, fresh = (ratios[way][frame] for way in ("heap_kept", "heap_fresh"))
        subject = f"With {bytes_text(frame)} of locals"
        if phrases.none_differs([kept, fresh]):
            return f"{subject}, a stack on the heap, kept or fresh, shows no measurable difference from recursion"
        if phrases.none_differs([kept]):
            of_fresh = phrases.against([fresh], "recursion")
            return f"{subject}, a fresh heap stack {of_fresh}; a kept stack, no measurable difference"
        other = phrases.as_much([fresh]).removesuffix(" as much").rstrip(",")
        return f"{subject}, a stack kept on the heap {phrases.against([kept], 'recursion')}; a fresh one, {other}"
    deepest = {
        (frame, way): by_depth[depth]
        for frame, ways in benchmarks.items()
        for way, by_depth in ways.items()
        if depth in by_depth
    }
    return f"At depth {depth:,}, a node costs {phrases.span(query.middles(query.medians(deepest)).values())}"


def _to_calls(run: Run, benchmarks: Mapping[int, ByWay], way: str, depth: int) -> dict[int, Estimate]:
    """Its cost against recursion, for each size of frame."""
    measured, base = (
        {frame: ways[name][depth] for frame, ways in benchmarks.items() if depth in ways[name]}
        for name in (way, "calls")
    )
    return control.compare(run, measured, base, called="loop")


def _over_all(run: Run, benchmarks: Mapping[int, ByWay]) -> str:
    """The end of the subtitle: the depth that the title is about, and what each way costs there with every frame."""
    depth = _deepest(benchmarks)
    names = {"heap_kept": "kept", "heap_fresh": "fresh"}
    ratios = {names[way]: list(_to_calls(run, benchmarks, way, depth).values()) for way in names}
    parts = [
        f"{name} {phrases.as_much(of_way).removesuffix(' as much').rstrip(',')}"
        for name, of_way in ratios.items()
        if of_way
    ]
    return f"; at depth {depth:,}, with all frames, {phrases.joined(parts)}" if parts else ""


def _deepest(benchmarks: Mapping[int, ByWay]) -> int:
    return max(depth for ways in benchmarks.values() for by_depth in ways.values() for depth in by_depth)
