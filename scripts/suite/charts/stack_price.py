"""From which size on does it no longer matter whether a block comes from the stack, because all of it is written?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts import scoped
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET
from suite.charts.kit.several_runs import Overlay, Panels, size_text
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Difference, Estimate, estimate_difference, median

FAMILY = "scoped"
QUESTION = "From which size on does the cost of writing a block hide the cost of malloc?"

USUAL_BYTES = 64
HIDDEN = 1.1  # times the stack
TENTH = "tenth"  # the line below which a difference is less than that
BySize = Mapping[int, Difference]


def draw(run: Run, look: Look) -> Drawing | None:
    """Draws differences: the stack's blocks cost nothing but their writing, and a ratio to that is one to the writing."""
    stack, more = _differences(run)
    if not more:
        return None
    tenth = {size: _scaled(cost, HIDDEN - 1) for size, cost in query.medians(stack).items()}
    page = Page(run, look, FAMILY, {TENTH: f"{phrases.percent(HIDDEN - 1)} of the stack's"})
    seen = {
        name: {size: difference for size, difference in by_size.items() if phrases.is_left(difference)}
        for name, by_size in more.items()
    }
    series = [forms.Line(name, by_size) for name, by_size in seen.items() if by_size]
    (axes,) = forms.lines(page, forms.LinesPanel("", [*series, forms.Line(TENTH, tenth, QUIET)]))
    hidden = _hidden_from(stack, more)
    forms.guide(page, axes, [(float(hidden), f"under {phrases.percent(HIDDEN - 1)} more")] if hidden else [])
    subtitle = (
        "Take a block, write every byte, give it back: time beyond the stack's, log scales; no point where no "
        "difference is measurable"
    )
    return page.finish(_title(run, stack, more, hidden), f"{subtitle}{_small(stack, more)}")


def _differences(run: Run) -> tuple[dict[int, Benchmark], dict[str, BySize]]:
    """The stack's blocks, and what each malloc's cost beyond them, by size. The mallocs of a size are compared at once,
    which widens their intervals, as in the chart of `scoped`: two charts of one figure give one answer."""
    stack = query.over(run, "bytes", FAMILY, "stack_array", touch="all")
    names = query.mallocs(run, FAMILY)
    mallocs = {name: query.over(run, "bytes", FAMILY, name, touch="all") for name in names}
    both = {name: sorted(by_size.keys() & stack.keys()) for name, by_size in mallocs.items()}
    at_once = Counter(size for sizes in both.values() for size in sizes)
    differences: dict[str, BySize] = {
        name: {
            size: estimate_difference(
                mallocs[name][size].times, stack[size].times, query.shared_confidence(at_once[size])
            )
            for size in sizes
        }
        for name, sizes in both.items()
        if sizes
    }
    sizes = {size for by_size in differences.values() for size in by_size}
    return {size: benchmark for size, benchmark in stack.items() if size in sizes}, differences


def _scaled(cost: Estimate, share: float) -> Estimate:
    return replace(cost, median=cost.median * share, low=cost.low * share, high=cost.high * share, modes=None)


def _share(difference: Difference, stack: Benchmark) -> Estimate:
    """The difference as a share of the stack's time."""
    return _scaled(difference, 1 / median(stack.times)) if median(stack.times) > 0.0 else difference


def _hidden_from(stack: Mapping[int, Benchmark], more: Mapping[str, BySize]) -> int | None:
    """The size from which on every malloc costs less than HIDDEN times the stack; None if that of the largest is more."""
    hidden = None
    for size in sorted(stack, reverse=True):
        at_size = [_share(by_size[size], stack[size]) for by_size in more.values() if size in by_size]
        if any(share.median >= HIDDEN - 1 for share in at_size):
            break
        hidden = size
    return hidden


def _title(run: Run, stack: Mapping[int, Benchmark], more: Mapping[str, BySize], hidden: int | None) -> str:
    sizes = sorted(stack)
    if hidden:
        where = f"From {bytes_text(hidden)} on" if hidden < sizes[-1] else f"At {bytes_text(hidden)}"
        where = "At any size" if hidden == sizes[0] else where
        return f"{where}, a written block {_while_hidden(stack, more, hidden)}"
    malloc = query.malloc_to_name(run, more) or next(iter(more))
    size = max(more[malloc])
    cost = phrases.against([more[malloc][size]], f"{bytes_text(size)} on the stack", plural=True)
    return f"Written in full, {bytes_text(size)} from {phrases.plain(malloc)} {cost}"


def _small(stack: Mapping[int, Benchmark], more: Mapping[str, BySize]) -> str:
    """The end of the subtitle: what a usual small block costs, by malloc."""
    size = USUAL_BYTES if USUAL_BYTES in stack else min(stack)
    differences = [by_size[size] for by_size in more.values() if size in by_size]
    return f"; at {bytes_text(size)}, malloc {phrases.against(differences, 'the stack')}"


def _while_hidden(stack: Mapping[int, Benchmark], more: Mapping[str, BySize], hidden: int) -> str:
    """The statement that the intervals support about the sizes whose medians are all below HIDDEN."""
    large = {
        (name, size): difference
        for name, by_size in more.items()
        for size, difference in by_size.items()
        if size >= hidden
    }
    if phrases.none_differs(large.values()):
        return "shows no measurable difference from the stack, with any malloc"
    shares = [_share(difference, stack[size]) for (_, size), difference in large.items()]
    seen = all(share.has_interval and share.high < HIDDEN - 1 for share in shares)
    text = f"costs under {phrases.percent(HIDDEN - 1)} more from any malloc than on the stack"
    return text if seen else f"{text}, by medians"


def overlay_panels(run: Run) -> Panels:
    """What malloc costs beyond the stack, process by process, where that is measurable."""
    malloc, stack = scoped.overlay_panels(run).values()
    more = {
        size: {process: ns - stack[size][process] for process, ns in times.items() if process in stack[size]}
        for size, times in malloc.items()
        if size in stack
    }
    return {"": {size: times for size, times in more.items() if times and min(times.values()) > 0.0}}


OVERLAY = Overlay(
    "spends on malloc, beyond the stack,", "malloc's time beyond the stack",
    "Take a block, write every byte, give it back: malloc's time beyond the stack's where it is measurable, log scales",
    overlay_panels, "sizes", over=size_text,
)  # fmt: skip
