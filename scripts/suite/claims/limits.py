"""Claims about the limits of stack and heap."""

from __future__ import annotations

from suite.base import phrases
from suite.base.text import bytes_text
from suite.claims.inputs import counter, default_of, libraries, ratios, versus
from suite.claims.verdict import CannotJudge, Verdict, claim, does_not_hold, holds, holds_but, listed, of_all, relative
from suite.results import query
from suite.results.model import Run

FAR_MORE = 100.0  # "practically unlimited": a single request of so many stacks is granted


@claim(
    "stack-is-small", "the stack is small",
    "The stack is limited; the heap is practically unlimited.", "stack_limit", "heap_limit",
)  # fmt: skip
def stack_is_small(run: Run) -> Verdict:
    stacks = run.series("stack_limit", stack="main")
    if not stacks:
        raise CannotJudge("the run has no stack_limit")
    usable = counter(stacks[0], "usable_bytes")
    unlimited = any(counter(stack, "at_least").median > 0.5 for stack in stacks)
    granted = libraries(run, "heap_limit", limit="granted")
    default = default_of(run, granted)
    most = counter(granted[default], "granted_bytes")
    text = (
        f"the main thread's stack has {'at least ' if unlimited else ''}{bytes_text(round(usable.median))} to use; "
        f"{phrases.plain(default)} grants {bytes_text(round(most.median))} at once"
    )
    if unlimited or most.low <= usable.high:
        return does_not_hold(text)
    if most.low < FAR_MORE * usable.high:
        return holds_but(text, f"no more than {phrases.two_figures(most.median / usable.median)} times as much")
    touched = run.series("heap_limit", limit="touched")
    if not touched:
        return holds_but(text, "the granted memory was not tested by touching it")
    kept = counter(touched[0], "touched_bytes")
    text = f"{text}, of which {bytes_text(round(kept.median))} were touched as a test"
    return holds(text) if kept.low > usable.high else holds_but(text, "less of the granted memory could be touched")


@claim(
    "recursion-or-heap", "recursion is better on the heap",
    "Deep recursion is better done with a stack on the heap.", "recursion",
)  # fmt: skip
def recursion_or_heap(run: Run) -> Verdict:
    depths = query.numbers(run, "depth", "recursion", shape="chain")
    if not depths:
        raise CannotJudge("recursion was not measured on a chain")
    kept, calls = (
        {f"frames of {size} B": benchmark for size, benchmark in query.by_number(
            run.series("recursion", shape="chain", depth=depths[-1], by=by), "frame").items()}
        for by in ("heap_kept", "calls")
    )  # fmt: skip
    compared = ratios({name: (calls[name], kept[name]) for name in calls if name in kept})
    stated = {name: versus(run, calls[name], kept[name], called="loop") for name in compared}
    text = f"at depth {depths[-1]:,}, a visit by calls costs, relative to a stack on the heap: {listed(stated, relative)}"
    return of_all(compared, text, lambda rest: f"not with {phrases.joined(rest)}")
