"""Claims about the limits of stack and heap."""

from __future__ import annotations

from dataclasses import replace

from suite.base import phrases
from suite.base.text import bytes_text
from suite.claims.inputs import comparisons, counter, default_of, libraries
from suite.claims.verdict import (
    DOES_NOT_HOLD,
    HOLDS_BUT,
    CannotJudge,
    Numbers,
    Undecided,
    Verdict,
    amount_of,
    claim,
    does_not_hold,
    holds,
    holds_but,
    is_more,
    listed,
    more,
    names,
    of_all,
    relative,
)
from suite.results import query
from suite.results.model import Run

GRANTED_EXACTLY = 1.01  # the largest block that is granted is found to 1/256 of it
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
    room = f"the main thread's stack has {'at least ' if unlimited else ''}{bytes_text(round(usable.median))} to use"
    grants = f"{phrases.plain(default)} grants {bytes_text(round(most.median))}"
    numbers = Numbers(f"{room}; {grants} in a single block", f"{room}; {grants} at once")
    if unlimited or most.low <= usable.high:
        return does_not_hold(numbers)
    if most.low < FAR_MORE * usable.high:
        return holds_but(numbers, f"no more than {phrases.two_figures(most.median / usable.median)} times as much")
    touched = run.series("heap_limit", limit="touched")
    if not touched:
        return holds_but(numbers, "the granted memory was not tested by touching it")
    kept = counter(touched[0], "touched_bytes")
    tested = f"of which {bytes_text(round(kept.median))} were touched as a test"
    numbers = replace(numbers, details=f"{numbers.details}, {tested}")
    return holds(numbers) if kept.low > usable.high else holds_but(numbers, "less of the granted memory could be touched")


@claim(
    "heap-ends-with-memory", "the heap ends with the memory",
    "The heap is limited by the available system memory.", "heap_limit",
)  # fmt: skip
def heap_ends_with_memory(run: Run) -> Verdict:
    granted = libraries(run, "heap_limit", limit="granted")
    most = {name: counter(benchmark, "granted_bytes") for name, benchmark in granted.items()}
    present = {name: counter(benchmark, "present_bytes") for name, benchmark in granted.items()}
    more = [name for name in granted if most[name].low > GRANTED_EXACTLY * present[name].high]
    stopped = [name for name in granted if name not in more and any(granted[name].counter("at_least"))]
    less = [name for name in granted if name not in stopped and most[name].high < present[name].low / 2]
    available = bytes_text(round(max(amount.median for amount in present.values())))
    details = f"of {available} of memory and swap, malloc grants in one block: {phrases.with_extremes(most, phrases.size)}"
    touched = run.series("heap_limit", limit="touched")
    ended = bool(touched) and not any(touched[0].counter("at_least"))
    if touched:
        amount = bytes_text(round(counter(touched[0], "touched_bytes").median))
        details = f"{details}; {'' if ended else 'at least '}{amount} could be written to"
    # Whoever grants more tells more than whoever refuses early.
    told = min(less, key=lambda name: most[name].median) if less and not more else max(most, key=lambda name: most[name].median)
    numbers = Numbers(
        f"with {available} of memory and swap, {names([told])} grants a single block of {phrases.size(most[told].median)}", details
    )
    if len(more) == len(granted):
        return holds_but(numbers, "only when it is written to: every malloc grants more") if ended else does_not_hold(numbers)
    if stopped:
        raise Undecided(f"the run stopped before {names(stopped)} refused a block", details=details)
    conditions = [f"{names(more)} {'grants' if len(more) == 1 else 'grant'} more, until it is written to"] if more else []
    conditions += [f"{names(less)} {'refuses' if len(less) == 1 else 'refuse'} even half of it"] if less else []
    return holds_but(numbers, "; ".join(conditions)) if conditions else holds(numbers)


@claim(
    "recursion-or-heap", "recursion is better on the heap",
    "Deep recursion is better done with a stack on the heap.", "recursion",
)  # fmt: skip
def recursion_or_heap(run: Run) -> Verdict:
    depths = query.numbers(run, "depth", "recursion", shape="chain")
    if not depths:
        raise CannotJudge("recursion was not measured on a chain")
    kept, fresh, calls = (
        {f"frames of {size} B": benchmark for size, benchmark in query.by_number(
            run.series("recursion", shape="chain", depth=depths[-1], by=by), "frame").items()}
        for by in ("heap_kept", "heap_fresh", "calls")
    )  # fmt: skip
    compared = comparisons(run, {name: (calls[name], kept[name]) for name in calls if name in kept}, called="loop")
    anew = comparisons(run, {name: (fresh[name], calls[name]) for name in calls if name in fresh}, called="loop")
    details = f"at depth {depths[-1]:,}, a visit by calls costs, relative to a stack on the heap: {listed(compared, relative)}"
    if anew:
        details = f"{details}; relative to calls, a fresh stack on the heap costs: {listed(anew, relative)}"
    costs = list(compared.values())
    gist = f"with small frames, deep recursion costs {more(costs[0], 'a stack kept on the heap')}" if costs else ""
    gist += f"; with large frames, {amount_of(costs[-1])}" if len(costs) > 1 else ""
    numbers = Numbers(gist, details)
    judged = of_all(compared, numbers, lambda rest: f"not with {phrases.joined(rest)}")
    dearer = [name for name, price in anew.items() if is_more(price.apart or price)]
    if judged.verdict == DOES_NOT_HOLD or not dearer:
        return judged
    with_kept = "only with a stack that is kept" + ("" if len(dearer) == len(anew) else f", in {phrases.joined(dearer)}")
    return replace(judged, verdict=HOLDS_BUT, condition="; ".join(filter(None, (judged.condition, with_kept))))
