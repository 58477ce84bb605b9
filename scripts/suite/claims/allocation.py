"""Claims about the cost of allocating memory."""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.claims.inputs import (
    ComparedPair,
    comparison,
    comparisons,
    counter,
    default_of,
    ends,
    fastest_of,
    growth,
    growth_text,
    growths,
    libraries,
    need,
)
from suite.claims.verdict import (
    DOES_NOT_HOLD,
    HOLDS,
    MATTERS,
    NO_MORE,
    CannotJudge,
    Comparison,
    Numbers,
    Shown,
    Verdict,
    amount_of,
    claim,
    does_not_hold,
    holds,
    holds_but,
    is_more,
    is_no_more,
    listed,
    more,
    names,
    of_all,
    of_none,
    relative,
    shown_by,
    slight,
    too_wide,
)
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import estimate_median


def _ns(benchmark: Benchmark) -> str:
    return phrases.short_time(estimate_median(benchmark.times).median)


def _beyond(run: Run, benchmark: Benchmark) -> str:
    """What is left of it without the family's control, as an addition to its cost."""
    left = control.beyond_control(run, {"": benchmark})
    return f" ({phrases.beyond_control(list(left.values()))} beyond the control)" if left else ""


@claim("stack-is-faster", "the stack is faster", "Taking memory from the stack is faster than from the heap.", "scoped")
def stack_is_faster(run: Run) -> Verdict:
    stack = need(run, "scoped/stack_array/bytes:64/touch:first")
    mallocs = libraries(run, "scoped", bytes=64, touch="first")
    chosen = (default_of(run, mallocs), fastest_of(mallocs))
    compared = comparisons(run, {name: (mallocs[name], stack) for name in chosen})
    fastest = chosen[-1]
    called_fastest = f"from {names([fastest])}{', the fastest malloc,' if len(mallocs) > 1 else ''}"
    numbers = Numbers(
        f"64 bytes cost {more(compared[fastest], 'on the stack', called_fastest)}",
        f"64 bytes take {_ns(stack)} on the stack{_beyond(run, stack)}; relative to that: {listed(compared, relative)}",
    )
    return of_all(compared, numbers, lambda rest: f"not for {names(rest)}")


@claim(
    "stack-is-flat", "the stack's cost is flat",
    "The cost of stack memory does not depend on its size; the cost of heap memory does.", "scoped",
)  # fmt: skip
def stack_is_flat(run: Run) -> Verdict:
    small, large = ends(run, "bytes", "scoped", touch="none")
    mallocs = libraries(run, "scoped", bytes=large, touch="none")
    default = default_of(run, mallocs)

    def pair(who: str, touch: str) -> tuple[Benchmark, Benchmark]:
        ends_of = [need(run, f"scoped/{who}/bytes:{size}/touch:{touch}") for size in (large, small)]
        return ends_of[0], ends_of[1]

    grown, heap = (growth(run, *pair(who, "none")) for who in ("stack_array", default))
    touched = comparison(run, *pair("stack_array", "all"))
    from_heap = f", and {amount_of(heap)} from {names([default])}" if amount_of(grown) == NO_MORE else ""
    numbers = Numbers(
        f"as long as nothing is written, {bytes_text(large)} cost {more(grown, 'a small block', 'on the stack')}{from_heap}",
        f"without touching the memory, {bytes_text(large)} cost, relative to {bytes_text(small)}: on the stack "
        f"{growth_text(grown)}, with {phrases.plain(default)} {growth_text(heap)}; written in full, on the stack "
        f"{relative(touched)}",
    )
    stack = of_none({"the stack": grown}, numbers, lambda rest: "")
    if stack.verdict == DOES_NOT_HOLD:
        return stack
    shown = shown_by(heap)
    if shown is Shown.NOTHING:
        too_wide(numbers, [heap])
    if shown is Shown.NO_MORE:
        return holds_but(numbers, "the cost of heap memory does not depend on it either")
    conditions = [f"the stack's cost grows {slight(grown)}"] if stack.condition else []
    conditions += [f"the heap's cost grows {slight(heap)}"] if shown is Shown.SLIGHTLY_MORE else []
    if is_more(touched):
        conditions.append("only as long as nothing is written")
    return holds_but(numbers, "; ".join(conditions)) if conditions else holds(numbers)


@claim(
    "no-search", "the stack never searches",
    "The stack never searches: its cost does not depend on other live blocks.", "heap_state",
)  # fmt: skip
def no_search(run: Run) -> Verdict:
    states = ("aged", "empty")
    stack = [need(run, f"heap_state/stack_array/bytes:64/state:{state}/threads:ever") for state in states]
    aged, empty = (libraries(run, "heap_state", bytes=64, state=state, threads="ever") for state in states)
    heaps = comparisons(run, {name: (aged[name], empty[name]) for name in aged if name in empty})
    searches = growth(run, stack[0], stack[1])
    beside = f"; by malloc: {listed(heaps, relative)}" if heaps else ""
    numbers = Numbers(
        f"64 bytes of stack cost {more(searches, 'with an empty heap', 'with a heap full of live blocks')}",
        f"on an aged heap, 64 bytes of stack cost, relative to an empty heap: {growth_text(searches)}{beside}",
    )
    stack_alone = of_none({"the stack": searches}, numbers, lambda rest: "")
    if stack_alone.verdict != HOLDS:
        return stack_alone
    if heaps and all(shown_by(aging) is Shown.NO_MORE for aging in heaps.values()):
        return holds_but(numbers, "no malloc cost more on the aged heap either")
    return holds(numbers)


@claim(
    "all-at-once", "all locals cost as much as one",
    "All locals of a frame together cost as much as a single local.", "many",
)  # fmt: skip
def all_at_once(run: Run) -> Verdict:
    few, many = ends(run, "count", "many", taken="together")
    stack = [need(run, f"many/stack_array/count:{count}/taken:together") for count in (many, few)]
    apart = libraries(run, "many", count=many, taken="apart")
    default = default_of(run, apart)
    heap = comparison(run, apart[default], need(run, f"many/{default}/count:{few}/taken:apart"))
    grown = growth(run, stack[0], stack[1])
    blocks = f"; as many blocks from {names([default])} cost {more(heap, 'a single block')}"
    numbers = Numbers(
        f"{phrases.count(many, 'local')} cost {more(grown, 'a single local')}{blocks if amount_of(grown) == NO_MORE else ''}",
        f"a frame of {phrases.count(many, 'local')} costs {_ns(stack[0])}, a frame of {few} costs {_ns(stack[1])}: "
        f"{growth_text(grown)}; as many blocks from {phrases.plain(default)} cost, relative to a "
        f"single block: {relative(heap)}",
    )
    if shown_by(grown) is Shown.NO_MORE:
        return holds_but(numbers, "with a cycle or two more") if is_more(grown) else holds(numbers)
    if shown_by(grown) is Shown.SLIGHTLY_MORE:
        return holds_but(numbers, f"the cost grows {slight(grown)}")
    if is_more(grown) and is_no_more(grown, many / 4):
        return holds_but(numbers, "the cost grows, but less than the number")
    if not is_more(grown, many / 4):
        too_wide(numbers, [grown])
    return does_not_hold(numbers)


@claim("large-takes-time", "large blocks take time", "Allocating a large block takes time.", "large")
def large_takes_time(run: Run) -> Verdict:
    sizes = query.numbers(run, "bytes", "large")
    mallocs = libraries(run, "large", bytes=sizes[-1], touch="first") if sizes else {}
    if len(sizes) < 2 or not mallocs:
        raise CannotJudge("the run has no large over bytes")
    default = default_of(run, mallocs)
    large, small = (
        {touch: need(run, f"large/{default}/bytes:{size}/touch:{touch}") for touch in ("first", "all")}
        for size in (sizes[-1], sizes[0])
    )
    pairs = {touch: (large[touch], small[touch]) for touch in large}
    costs = {touch: comparison(run, *pair) for touch, pair in pairs.items()}
    numbers = Numbers(
        f"with only the first byte written, {bytes_text(sizes[-1])} from {names([default])} cost "
        f"{more(costs['first'], 'a small block')}",
        f"with {phrases.plain(default)}, {bytes_text(sizes[-1])} cost, relative to {bytes_text(sizes[0])}: "
        f"{relative(costs['first'])} when only the first byte is written, "
        f"{relative(costs['all'])} when every byte is written",
    )
    shown = {touch: shown_by(cost) for touch, cost in costs.items()}
    if shown["first"] is Shown.MORE:
        return holds(numbers)
    if shown["first"] is Shown.SLIGHTLY_MORE:
        return holds_but(numbers, slight(costs["first"]))
    if shown["first"] is Shown.NO_MORE and shown["all"] in (Shown.MORE, Shown.SLIGHTLY_MORE):
        return holds_but(numbers, "the time goes into touching the block, not into allocating it")
    if set(shown.values()) == {Shown.NO_MORE}:
        return does_not_hold(numbers)
    too_wide(numbers, [cost for touch, cost in costs.items() if shown[touch] is Shown.NOTHING])


@claim(
    "touch-dominates", "touching hides the source",
    "From some size on, the cost of touching memory hides where it came from.", "scoped",
)  # fmt: skip
def touch_dominates(run: Run) -> Verdict:
    sizes = query.numbers(run, "bytes", "scoped", touch="all")
    stack = query.over(run, "bytes", "scoped", "stack_array", touch="all")
    default = default_of(run, libraries(run, "scoped", bytes=sizes[-1], touch="all")) if sizes else ""
    heap = query.over(run, "bytes", "scoped", default, touch="all")
    compared = {size: comparison(run, heap[size], stack[size]) for size in sizes if size in heap and size in stack}
    if len(compared) < 2:
        raise CannotJudge("the run has no scoped over bytes, written in full")
    # From the largest size down to the first that is not shown: in a fixed order, no interval needs to be wider.
    hidden: list[int] = []
    for size in sorted(compared, reverse=True):
        if not is_no_more(compared[size]):
            break
        hidden.insert(0, size)
    least, most = min(compared), max(compared)
    against_stack = {f"at {bytes_text(size)}": compared[size] for size in (least, most)}
    numbers = Numbers(
        f"written in full, {bytes_text(most)} from {names([default])} cost {more(compared[most], 'on the stack')}",
        f"written in full, a block from {phrases.plain(default)} costs, relative to a block of stack: "
        f"{listed(against_stack, relative)}",
    )
    if hidden:
        slightly, hiding = phrases.percent(MATTERS - 1), bytes_text(hidden[0])
        numbers = Numbers(
            f"written in full, a block of {hiding} or more from {names([default])} costs less than {slightly} more than on "
            "the stack",
            f"{numbers.details}; less than {slightly} more from {hiding} on",
        )
        at_most = libraries(run, "scoped", bytes=most, touch="all")
        others = comparisons(run, {name: (block, stack[most]) for name, block in at_most.items()})
        seen = [name for name, price in others.items() if is_more(price)]
        return holds_but(numbers, f"not with {names(seen)}") if seen else holds(numbers)
    if shown_by(compared[most]) is Shown.SLIGHTLY_MORE:
        return holds_but(numbers, f"a difference stays, {slight(compared[most])}")
    if not is_more(compared[most]):
        too_wide(numbers, [compared[most]])
    return does_not_hold(numbers)


@claim(
    "unknown-size-needs-heap", "unknown size needs the heap",
    "Data whose size is unknown at compile time must live on the heap.", "scoped",
)  # fmt: skip
def unknown_size_needs_heap(run: Run) -> Verdict:
    sizes = query.numbers(run, "bytes", "scoped", touch="first")
    pairs: dict[str, ComparedPair] = {}
    for size in query.ends(sizes):
        alloca = need(run, f"scoped/alloca/bytes:{size}/touch:first")
        mallocs = libraries(run, "scoped", bytes=size, touch="first")
        fastest = fastest_of(mallocs)
        pairs[f"{phrases.plain(fastest)} at {bytes_text(size)}"] = (mallocs[fastest], alloca)
    compared = comparisons(run, pairs)
    amounts = [f"{amount_of(price)} for a {kind} block" for price, kind in zip(compared.values(), ("small", "large"))]
    numbers = Numbers(
        f"such data can live on the stack, by alloca; the fastest malloc costs {phrases.joined(amounts)}",
        f"alloca takes stack memory of a size known only at run time; relative to its cost: {listed(compared, relative)}",
    )
    return of_none(compared, numbers, lambda rest: "not for all sizes")


@claim(
    "os-finds-room", "the system finds the memory",
    "The operating system finds the memory for each allocation.", "scoped",
)  # fmt: skip
def os_finds_room(run: Run) -> Verdict:
    mallocs = libraries(run, "scoped", bytes=64, touch="first")
    system = need(run, "scoped/mmap/bytes:64/touch:first")
    faults = {name: counter(benchmark, "page_faults") for name, benchmark in mallocs.items()}
    cheaper = comparisons(run, {name: (system, benchmark) for name, benchmark in mallocs.items()})
    against_malloc = control.compare(run, dict.fromkeys(mallocs, system), mallocs)
    asked = [name for name, count in faults.items() if count.low >= 0.5 or shown_by(cheaper[name]) is not Shown.MORE]
    unclear = [cheaper[name] for name in asked if faults[name].low < 0.5 and shown_by(cheaper[name]) is Shown.NOTHING]
    most = max(faults.values(), key=lambda count: count.median)
    who = names(asked) if len(asked) <= 2 else f"{len(asked)} of {len(mallocs)} mallocs"
    numbers = Numbers(
        f"each block from {who} costs a page fault, or as much as a block straight from the system"
        if asked
        else f"a block straight from the system costs {phrases.multiple(list(against_malloc.values()))} what it costs from malloc",
        f"an mmap call takes {_ns(system)} for 64 bytes, {phrases.multiple_named(against_malloc)} what a malloc "
        f"takes; page faults per block: {phrases.at_most_two_figures(counter(system, 'page_faults').median)} with mmap, at most "
        f"{phrases.at_most_two_figures(most.median)} with malloc",
    )
    if unclear:
        too_wide(numbers, unclear)
    if not asked:
        return does_not_hold(numbers)
    return holds(numbers) if len(asked) == len(mallocs) else holds_but(numbers, f"only with {names(asked)}")


@claim("frames-are-free", "locals are free to make", "A function's locals cost nothing to make.", "frame", "spill")
def frames_are_free(run: Run) -> Verdict:
    """Frames of functions that call others, and a value that goes through the stack, against the same without it."""
    sizes = query.numbers(run, "bytes", "frame", leaf="no", protection="plain")
    if not sizes:
        raise CannotJudge("the run has no frame over bytes")
    small, large = (64 if 64 in sizes else sizes[0]), sizes[-1]
    framed = {
        f"a frame of {bytes_text(small)}": (small, "plain"), f"a frame of {bytes_text(large)}": (large, "plain"),
        f"{bytes_text(small)} with the stack protector": (small, "stack_protector"),
        f"{bytes_text(large)} with stack-clash protection": (large, "stack_clash"),
    }  # fmt: skip
    call = need(run, "frame/none/leaf:no")
    frames = {name: run.get(f"frame/bytes:{size}/leaf:no/protection:{how}") for name, (size, how) in framed.items()}
    pairs = {name: (measured, call) for name, measured in frames.items() if measured is not None}
    pairs["a value's way through the stack"] = need(run, "spill/reload:same"), need(run, "spill/reload:register")
    grown = growths(run, pairs)
    costs = phrases.joined([f"{name} {control.beyond(*pair).text}" for name, pair in pairs.items()])
    numbers = Numbers(_gist_of_frames(pairs, grown), f"beyond the same without it, these cost: {costs}")
    return of_none(grown, numbers, lambda paid: f"not {phrases.joined(paid)}")


def _gist_of_frames(pairs: Mapping[str, ComparedPair], grown: Mapping[str, Comparison]) -> str:
    """What the first of the frames costs, and the most."""
    nothing = phrases.beyond_control([])

    def cost(name: str) -> str:
        amount = phrases.beyond_control([control.beyond(*pairs[name]).ns])
        return "a cycle or two" if grown[name].few_cycles and amount != nothing else amount

    first, most = next(iter(pairs)), max(grown, key=lambda name: grown[name].more_ns or 0.0)
    if cost(most) == nothing:
        return "no frame costs anything measurable, small or large"
    if cost(first) == nothing:
        return f"a small frame costs {nothing}; the most is {cost(most)}, for {most}"
    return f"a small frame costs {cost(first)}, the costliest kind {cost(most)}"
