"""From which size on does it no longer matter whether a block comes from the stack, because all of it is written?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts import scoped
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.several_runs import MULTIPLES, Overlay, Panels, size_text
from suite.results import control, query
from suite.results.model import Run
from suite.stats.estimates import Estimate

FAMILY = "scoped"
QUESTION = "From which size on does the cost of writing a block hide the cost of malloc?"

USUAL_BYTES = 64
HIDDEN = 1.1  # times the stack
BySize = Mapping[int, Estimate]


def draw(run: Run, look: Look) -> Drawing | None:
    ratios = _ratios(run)
    if not ratios:
        return None
    sizes = sorted({size for by_size in ratios.values() for size in by_size})
    stack = forms.Line("stack_array", dict.fromkeys(sizes, forms.exact(1.0)))
    page = Page(run, look, FAMILY)
    series = [stack, *(forms.Line(name, by_size) for name, by_size in ratios.items())]
    (axes,) = forms.lines(page, forms.LinesPanel("", series, forms.Scale(phrases.times)))
    hidden = _hidden_from(ratios, sizes)
    forms.guide(page, axes, [(float(hidden), f"under {phrases.times(HIDDEN)}")] if hidden else [])
    subtitle = "Take a block, write every byte, give it back: time as a multiple of the stack's, log scales"
    return page.finish(_title(run, ratios, sizes, hidden), subtitle)


def _ratios(run: Run) -> dict[str, dict[int, Estimate]]:
    """The ratios of every malloc by size. Their number widens all intervals, because they are compared at once."""
    stack = query.over(run, "bytes", FAMILY, "stack_array", touch="all")
    names = query.mallocs(run, FAMILY)
    benchmarks = {name: query.over(run, "bytes", FAMILY, name, touch="all") for name in names}
    pairs = query.ratios(
        {(name, size): benchmark for name, sizes in benchmarks.items() for size, benchmark in sizes.items()},
        {(name, size): benchmark for name in names for size, benchmark in stack.items()},
    )
    ratios = {name: {size: pairs[name, size] for size in benchmarks[name] if (name, size) in pairs} for name in names}
    return {name: by_size for name, by_size in ratios.items() if by_size}


def _hidden_from(ratios: Mapping[str, BySize], sizes: list[int]) -> int | None:
    """The size from which on every malloc's figure is below HIDDEN; None if the figure of the largest size is not."""
    hidden = None
    for size in reversed(sizes):
        if any(by_size[size].median >= HIDDEN for by_size in ratios.values() if size in by_size):
            break
        hidden = size
    return hidden


def _title(run: Run, ratios: Mapping[str, BySize], sizes: list[int], hidden: int | None) -> str:
    subject = "Written in full, a block from malloc"
    if hidden == sizes[0]:
        return f"{subject} {_while_hidden(ratios, hidden)}, whatever its size"
    small = USUAL_BYTES if USUAL_BYTES in sizes and not (hidden and hidden <= USUAL_BYTES) else sizes[0]
    compared = {
        size: control.to_stack(run, query.by_strategy(run.series(FAMILY, None, bytes=size, touch="all")))
        for size in (small, sizes[-1])
    }
    parts = [f"{phrases.against(at_size, 'the stack')} at {bytes_text(size)}" for size, at_size in compared.items()]
    if hidden:
        sizes_text = f"from {bytes_text(hidden)} on" if hidden < sizes[-1] else f"at {bytes_text(hidden)}"
        return f"{subject} {parts[0]}; {sizes_text}, it {_while_hidden(ratios, hidden)}"
    return f"{subject} {phrases.joined(parts)}"


def _while_hidden(ratios: Mapping[str, BySize], hidden: int) -> str:
    """The statement that the intervals support about the sizes whose medians are all below HIDDEN."""
    large = [ratio for by_size in ratios.values() for size, ratio in by_size.items() if size >= hidden]
    if phrases.none_differs(large):
        return "shows no measurable difference from the stack"
    seen = all(ratio.has_interval and ratio.high < HIDDEN for ratio in large)
    return f"costs less than {phrases.percent(HIDDEN - 1)} more than the stack{'' if seen else ' by its medians'}"


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
