"""At which length does a string leave the stack, and what does the step cost?"""

from __future__ import annotations

import math
from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET, STRONG
from suite.charts.kit.several_runs import Overlay, Panels, process_times
from suite.results import control, query
from suite.results.model import Benchmark, Run

FAMILY = "string_cliff"
QUESTION = "At which length does a string leave the stack, and what does the step cost?"

LINES = {"none": ("array on the stack", QUIET), "string": ("string", STRONG)}


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = {name: query.over(run, "length", FAMILY, name) for name in LINES}
    series = [
        forms.Line(name, query.medians(by_length), LINES[name][1])
        for name, by_length in benchmarks.items()
        if by_length
    ]
    if not series:
        return None
    page = Page(run, look, FAMILY, {name: label for name, (label, _) in LINES.items()})
    (axes,) = forms.lines(page, forms.LinesPanel("", series), over=lambda length: str(int(length)))
    step = _step(benchmarks["string"])
    if step is not None:
        label = f"stack up to {step[0]}, heap from {step[1]}"
        forms.guide(page, axes, [(math.sqrt(step[0] * step[1]), label)])
    subtitle = "Build a string from existing characters, drop it: time per string over its characters, log scales"
    return page.finish(_title(run, benchmarks, step), subtitle)


def _on_heap(strings: Mapping[int, Benchmark]) -> dict[int, bool]:
    counted = query.counted(strings, "on_heap")
    return {length: estimate.median > 0.5 for length, estimate in counted.items()}


def _step(strings: Mapping[int, Benchmark]) -> tuple[int, int] | None:
    """The last length whose characters are stored within the string, and the first length whose characters are not."""
    on_heap = _on_heap(strings)
    inside, outside = ([length for length, heap in on_heap.items() if heap == wanted] for wanted in (False, True))
    return (max(inside), min(outside)) if inside and outside and max(inside) < min(outside) else None


def _title(run: Run, benchmarks: Mapping[str, Mapping[int, Benchmark]], step: tuple[int, int] | None) -> str:
    strings = benchmarks["string"]
    if step is not None:
        last, first = step
        compared = control.compare_two(run, strings[first], strings[last])
        step_text = f"From {first} characters on" if first == last + 1 else f"Between {last} and {first} characters"
        text = f"{step_text}, a string leaves the stack for the heap"
        if compared is None:
            return text
        if phrases.none_differs([compared]):
            return f"{text}, with no measurable difference"
        return f"{text} and costs {phrases.as_much_as([compared], 'before')}"
    name = "string" if strings else "none"
    longest = max(benchmarks[name])
    cost = phrases.short_time(query.medians(benchmarks[name])[longest].median)
    subject = f"{LINES[name][0]} of {phrases.count(longest, 'character')}"
    return f"{'An' if name == 'none' else 'A'} {subject} costs {cost}"


def overlay_panels(run: Run) -> Panels:
    return {"": process_times(run, query.over(run, "length", FAMILY, "string"))}


OVERLAY = Overlay(
    "builds a string in", "the time to build a string",
    "Build a string from existing characters, drop it: time over its characters, log scales",
    overlay_panels, "lengths", over=lambda length: phrases.count(int(length), "character"),
)  # fmt: skip
