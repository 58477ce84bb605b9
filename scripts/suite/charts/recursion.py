"""Whether deep recursion is better done with a stack on the heap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "recursion"
QUESTION = "Is deep recursion better done with a stack on the heap?"

SHAPE = "chain"
WAYS = {"loop": "loop, no stack", "calls": "recursion", "heap_kept": "heap, kept", "heap_fresh": "heap, fresh"}

ByWay = Mapping[str, Mapping[int, Benchmark]]


def draw(run: Run, how: Look) -> Drawing | None:
    frames = query.ends(query.numbers(run, "frame", FAMILY, shape=SHAPE))
    found = {frame: _found(run, frame) for frame in frames}
    if not any(each for ways in found.values() for each in ways.values()):
        return None
    on = Page(run, how, FAMILY, WAYS)
    heap = on.mark(str(run.context.get("process_malloc")))
    styles = {"loop": QUIET, "calls": on.mark("stack_array"), "heap_kept": heap}
    styles["heap_fresh"] = replace(heap, marker="X", dashes="--")
    panels = [
        forms.LinesPanel(
            f"{bytes_text(frame)} of locals a visit",
            [forms.Line(way, query.medians(each), styles[way]) for way, each in ways.items() if each],
        )
        for frame, ways in found.items()
    ]
    forms.lines(on, *panels, over=lambda depth: f"{int(depth):,}")
    subtitle = "Visit a chain of nodes, by calls or with a stack on the heap: time per node over the depth, log scales"
    return on.finish(_title(found), subtitle)


def _found(run: Run, frame: int) -> ByWay:
    return {way: query.by_number(run.series(FAMILY, shape=SHAPE, frame=frame, by=way), "depth") for way in WAYS}


def _title(found: Mapping[int, ByWay]) -> str:
    depth = max(depth for ways in found.values() for each in ways.values() for depth in each)
    subject = f"At depth {depth:,}"
    ratios = {way: _to_calls(found, way, depth) for way in ("heap_kept", "heap_fresh")}
    names = {"heap_kept": "a stack kept on the heap", "heap_fresh": "a fresh stack"}
    if all(ratios.values()):
        if phrases.none_apart([one for each in ratios.values() for one in each]):
            return f"{subject}, a stack on the heap, kept or fresh, shows no measurable difference from recursion"
        said = [f"{names[way]} {phrases.against(each, 'recursion')}" for way, each in ratios.items()]
        return f"{subject}, {'; '.join(said)}"
    there = {
        (frame, way): each[depth] for frame, ways in found.items() for way, each in ways.items() if depth in each
    }
    return f"{subject}, a node costs {phrases.span(query.middles(query.medians(there)).values())}"


def _to_calls(found: Mapping[int, ByWay], way: str, depth: int) -> list[Estimate]:
    """How many times recursion it costs, with each size of frame."""
    one, base = (
        {frame: ways[which][depth] for frame, ways in found.items() if depth in ways[which]}
        for which in (way, "calls")
    )
    return list(query.ratios(one, base).values())
