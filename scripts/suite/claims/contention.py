"""Claims about threads: their own memory, and the memory they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from suite.base import phrases
from suite.base.text import bytes_text
from suite.claims.inputs import (
    ComparedPair,
    cores,
    ends,
    few_cycles_apart,
    growth,
    growth_text,
    growths_beyond_control,
    libraries,
    need,
    ratio,
)
from suite.claims.verdict import (
    HOLDS,
    Comparison,
    Numbers,
    Shown,
    Verdict,
    claim,
    does_not_hold,
    from_most_to_least,
    holds,
    holds_but,
    is_more,
    is_no_more,
    listed,
    more,
    names,
    needs_of,
    of_all,
    shown_by,
    slight,
    times,
    too_wide,
)
from suite.results import control, query
from suite.results.model import Run

BESIDES = ", apart from what slows any loop there"  # the control's growth

COUNTS_MOST = (Shown.NO_MORE, Shown.NOTHING, Shown.SLIGHTLY_MORE, Shown.MORE)  # of a malloc in two families


@claim(
    "own-stack", "stacks scale with the cores",
    "Each thread has its own stack, so work on the stack scales with the cores.", "private",
)  # fmt: skip
def own_stack(run: Run) -> Verdict:
    number = cores(run, "private")
    many, single = (need(run, f"private/stack_array/threads:{threads}") for threads in (number, 1))
    growth_at_all = ratio(many, single)
    risen = growths_beyond_control(run, {"": (many, single)})[""]
    risen = replace(risen, few_cycles=few_cycles_apart(many, single))
    controls = _of_controls(run, [(many, single)])
    numbers = Numbers(
        f"on {number} cores at once, a block of stack costs {more(risen, 'on one core')}{BESIDES if controls else ''}",
        f"on {number} cores at once, a block of stack costs, relative to one core: {times(growth_at_all)}{controls}"
        f"{f'; relative to that: {growth_text(risen)}' if controls else ''}",
    )
    if shown_by(risen) is Shown.SLIGHTLY_MORE:
        return holds_but(numbers, f"a block costs more {slight(risen)}")
    if shown_by(risen) is Shown.NO_MORE:
        return holds(numbers)
    if is_more(risen, number):
        return does_not_hold(numbers)
    if not is_more(risen) or not is_no_more(risen, number):
        too_wide(numbers, [risen])
    work = phrases.two_figures(number / growth_at_all.median)
    return holds_but(numbers, f"{number} cores do {work} times the work of one core")


def _of_controls(run: Run, pairs: Iterable[ComparedPair]) -> str:
    """What the cores do to the controls, by family, as the end of a sentence."""
    parts = {}
    for above, below in pairs:
        alone = control.control_of(run, above), control.control_of(run, below)
        if alone[0] is not None and alone[1] is not None:
            parts[above.name.family] = f"{times(ratio(alone[0], alone[1]))} in {above.name.family}"
    return f"; the control: {phrases.joined(list(parts.values()))}" if parts else ""


@claim(
    "shared-heap-contends", "threads contend for the heap",
    "The heap is shared, so threads slow each other down.", "private", "larson",
)  # fmt: skip
def shared_heap_contends(run: Run) -> Verdict:
    """A malloc contends where its cost grows from one thread to one on each core, more than the control's does, in any
    of the families."""
    pairs: dict[str, ComparedPair] = {}
    for family in ("private", "larson"):
        number = cores(run, family)
        workload = query.longest(run, family, "life")
        many, single = (libraries(run, family, threads=threads, **workload) for threads in (number, 1))
        pairs |= {f"{family}/{name}": (many[name], single[name]) for name in many if name in single}
    beyond = growths_beyond_control(run, pairs)
    shown: dict[str, Comparison] = {}  # by malloc and family
    by_malloc: dict[str, Comparison] = {}
    most: dict[str, Comparison] = {}
    for name in dict.fromkeys(key.partition("/")[2] for key in pairs):
        of_malloc = {key: pair for key, pair in pairs.items() if key.endswith(f"/{name}")}
        rises = growths_beyond_control(run, of_malloc)
        alone = {key: rise.apart or rise for key, rise in rises.items()}  # either family may err
        apart = {key: beyond[key].apart or beyond[key] for key in alone}
        key_apart = _most(apart)
        is_slight = shown_by(apart[key_apart]) is Shown.SLIGHTLY_MORE
        key = key_apart if is_slight else _most(alone)
        where = f"{name} in {key.partition('/')[0]}"
        still_open = needs_of(rise for rise in apart.values() if shown_by(rise) is Shown.NOTHING)
        shown[where] = by_malloc[name] = alone[key]
        most[name] = replace(alone[key], apart=apart[key_apart], reads=still_open)
    controls = _of_controls(run, pairs.values())
    gist = from_most_to_least(by_malloc, "with one thread", lambda name: f"from {name}", "whatever the malloc")
    numbers = Numbers(
        f"with a thread on each core, a block costs {gist}{BESIDES if controls else ''}",
        f"with a thread on each core, a block costs, relative to a single thread{' and to the control' if controls else ''}: "
        f"{listed(shown, times)}{controls}",
    )
    return of_all(most, numbers, lambda rest: f"not for {names(rest)}")


def _most(rises: Mapping[str, Comparison]) -> str:
    """Where a malloc contends most, as far as that is shown."""
    return max(rises, key=lambda key: (COUNTS_MOST.index(shown_by(rises[key])), rises[key].low))


@claim(
    "stack-costs-at-start", "stacks cost at thread start",
    "The cost of a thread's stack is paid when the thread starts.", "thread_start",
)  # fmt: skip
def stack_costs_at_start(run: Run) -> Verdict:
    """The size matters where nothing is kept, so fresh stacks are compared, all on the core of the thread's starter."""
    small, large = ends(run, "bytes", "thread_start", touch="none")
    untouched = [need(run, f"thread_start/fresh_stack/bytes:{size}/touch:none/core:starter") for size in (large, small)]
    its_size = ratio(untouched[0], untouched[1])
    touched_least, touched_most = ends(run, "bytes", "thread_start", touch="all")
    touched = ratio(*(need(run, f"thread_start/fresh_stack/bytes:{size}/touch:all/core:starter")
                      for size in (touched_most, touched_least)))  # fmt: skip
    kept = run.get(f"thread_start/cached_stack/bytes:{small}/touch:none/core:starter")
    from_cache = f"; a kept stack of {bytes_text(small)} costs {times(ratio(kept, untouched[1]))} as much" if kept else ""
    grown = growth(run, untouched[0], untouched[1])
    numbers = Numbers(
        f"starting a thread costs {more(grown, 'with a small stack', f'with a stack of {bytes_text(large)}')}",
        f"starting a thread with a fresh stack of {bytes_text(large)} costs {times(its_size)} what a fresh stack of "
        f"{bytes_text(small)} costs{from_cache}; touched in full, a fresh stack of {bytes_text(touched_most)} costs "
        f"{times(touched)} what {bytes_text(touched_least)} cost",
    )
    by_size = of_all({"its size": grown}, numbers, lambda rest: "")
    if by_size.verdict == HOLDS and is_more(touched, 2 * its_size.high):
        return holds_but(numbers, "touching the stack costs far more")
    return by_size
