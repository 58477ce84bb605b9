"""From which size on does it no longer matter whether a block comes from the stack, because all of it is written?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts import scoped
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.several_runs import MULTIPLES, Overlay, Panels, size_text
from suite.results import query
from suite.results.model import Run
from suite.stats.estimates import Estimate

FAMILY = "scoped"
QUESTION = "From which size on does the cost of writing a block hide the cost of malloc?"

USUAL_BYTES = 64
HIDDEN = 1.1  # times the stack
BySize = Mapping[int, Estimate]


def draw(run: Run, how: Look) -> Drawing | None:
    ratios = _ratios(run)
    if not ratios:
        return None
    sizes = sorted({size for each in ratios.values() for size in each})
    stack = forms.Line("stack_array", dict.fromkeys(sizes, forms.exact(1.0)))
    on = Page(run, how, FAMILY)
    series = [stack, *(forms.Line(name, each) for name, each in ratios.items())]
    (axes,) = forms.lines(on, forms.LinesPanel("", series, forms.Scale(phrases.times)))
    hidden = _hidden_from(ratios, sizes)
    forms.guide(on, axes, [(float(hidden), f"under {phrases.times(HIDDEN)}")] if hidden else [])
    subtitle = "Take a block, write every byte, give it back: time as a multiple of the stack's, log scales"
    return on.finish(_title(ratios, sizes, hidden), subtitle)


def _ratios(run: Run) -> dict[str, dict[int, Estimate]]:
    """Of every malloc by size. All are compared at once, so all intervals are as wide as their number asks."""
    stack = query.over(run, "bytes", FAMILY, "stack_array", touch="all")
    names = query.mallocs(run, FAMILY)
    found = {name: query.over(run, "bytes", FAMILY, name, touch="all") for name in names}
    pairs = query.ratios(
        {(name, size): one for name, sizes in found.items() for size, one in sizes.items()},
        {(name, size): one for name in names for size, one in stack.items()},
    )
    both = {name: {size: pairs[name, size] for size in found[name] if (name, size) in pairs} for name in names}
    return {name: each for name, each in both.items() if each}


def _hidden_from(ratios: Mapping[str, BySize], sizes: list[int]) -> int | None:
    """The size from which on no malloc's figure reaches HIDDEN; None where the largest does."""
    hidden = None
    for size in reversed(sizes):
        if any(each[size].median >= HIDDEN for each in ratios.values() if size in each):
            break
        hidden = size
    return hidden


def _title(ratios: Mapping[str, BySize], sizes: list[int], hidden: int | None) -> str:
    what = "Written in full, a block from malloc"
    if hidden == sizes[0]:
        return f"{what} {_while_hidden(ratios, hidden)}, whatever its size"
    small = USUAL_BYTES if USUAL_BYTES in sizes and not (hidden and hidden <= USUAL_BYTES) else sizes[0]
    at = {size: [each[size] for each in ratios.values() if size in each] for size in (small, sizes[-1])}
    said = [f"{phrases.against(each, 'the stack')} at {bytes_text(size)}" for size, each in at.items()]
    if hidden:
        where = f"from {bytes_text(hidden)} on" if hidden < sizes[-1] else f"at {bytes_text(hidden)}"
        return f"{what} {said[0]}; {where}, it {_while_hidden(ratios, hidden)}"
    return f"{what} {phrases.joined(said)}"


def _while_hidden(ratios: Mapping[str, BySize], hidden: int) -> str:
    """What the intervals allow to be said of the sizes whose medians are all under HIDDEN."""
    there = [one for each in ratios.values() for size, one in each.items() if size >= hidden]
    if phrases.none_apart(there):
        return "shows no measurable difference from the stack"
    seen = all(one.has_interval and one.high < HIDDEN for one in there)
    return f"costs under {phrases.two_figures(HIDDEN)} times the stack{'' if seen else ' by its medians'}"


def overlay_panels(run: Run) -> Panels:
    """What malloc costs as a multiple of the stack, process by process."""
    malloc, stack = scoped.overlay_panels(run).values()
    return {
        "": {
            size: {process: ns / stack[size][process] for process, ns in times.items() if stack[size].get(process)}
            for size, times in malloc.items()
            if size in stack
        }
    }


OVERLAY = Overlay(
    "A block from the default malloc, against the stack, costs",
    "Take a block, write every byte, give it back: malloc's time as a multiple of the stack's, log scales",
    overlay_panels, "size", over=size_text, axes={"": MULTIPLES},
)  # fmt: skip
