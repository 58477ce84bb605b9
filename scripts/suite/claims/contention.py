"""Claims about threads: their own memory, and the memory they share."""

from __future__ import annotations

from suite.base import phrases
from suite.base.text import bytes_text
from suite.claims.inputs import ComparedPair, cores, depends, ends, libraries, need, ratio, ratios
from suite.claims.verdict import (
    Undecided,
    Verdict,
    claim,
    does_not_hold,
    holds,
    holds_but,
    is_more,
    is_no_more,
    listed,
    names,
    of_all,
    times,
)
from suite.results.model import Run
from suite.stats.estimates import Estimate


@claim(
    "own-stack", "stacks scale with the cores",
    "Each thread has its own stack, so work on the stack scales with the cores.", "private",
)  # fmt: skip
def own_stack(run: Run) -> Verdict:
    number = cores(run, "private")
    many, single = (need(run, f"private/stack_array/threads:{threads}") for threads in (number, 1))
    risen = ratio(many, single)
    text = f"on {number} cores at once, a block of stack costs {times(risen)} what it costs on one core"
    if is_no_more(risen):
        return holds(text)
    if not is_more(risen):
        raise Undecided(f"the interval is too wide to tell: {text}")
    if risen.high >= number:
        return does_not_hold(text)
    return holds_but(text, f"{number} cores do {phrases.two_figures(number / risen.median)} times the work of one core")


@claim(
    "shared-heap-contends", "threads contend for the heap",
    "The heap is shared, so threads slow each other down.", "private", "larson",
)  # fmt: skip
def shared_heap_contends(run: Run) -> Verdict:
    """A malloc contends where its price rises from one thread to one on each core, in any of the families."""
    pairs: dict[str, ComparedPair] = {}
    for family in ("private", "larson"):
        number = cores(run, family)
        many, single = (libraries(run, family, threads=threads) for threads in (number, 1))
        pairs |= {f"{family}/{name}": (many[name], single[name]) for name in many if name in single}
    worst: dict[str, Estimate] = {}
    for family_and_name, rise in ratios(pairs).items():
        name = family_and_name.partition("/")[2]
        if name not in worst or rise.low > worst[name].low:
            worst[name] = rise
    text = f"with a thread on each core, a block costs, relative to a single thread: {listed(worst, times)}"
    return of_all(worst, text, lambda rest: f"not shown for {names(rest)}")


@claim(
    "stack-costs-at-start", "stacks cost at thread start",
    "The cost of a thread's stack is paid when the thread starts.", "thread_start",
)  # fmt: skip
def stack_costs_at_start(run: Run) -> Verdict:
    small, large = ends(run, "bytes", "thread_start", touch="none")
    untouched = [need(run, f"thread_start/fresh_stack/bytes:{size}/touch:none") for size in (large, small)]
    its_size = ratio(untouched[0], untouched[1])
    touched_least, touched_most = ends(run, "bytes", "thread_start", touch="all")
    touched = ratio(*(need(run, f"thread_start/fresh_stack/bytes:{size}/touch:all")
                      for size in (touched_most, touched_least)))  # fmt: skip
    text = (
        f"starting a thread with {bytes_text(large)} of stack costs {times(its_size)} what a thread with "
        f"{bytes_text(small)} costs; touched in full, {bytes_text(touched_most)} cost {times(touched)} what "
        f"{bytes_text(touched_least)} cost"
    )
    by_size = depends(untouched[0], untouched[1])
    if by_size is None:
        raise Undecided(f"the interval is too wide to tell: {text}")
    if not by_size:
        return does_not_hold(text)
    return holds_but(text, "touching the stack costs far more") if is_more(touched, 2 * its_size.high) else holds(text)
