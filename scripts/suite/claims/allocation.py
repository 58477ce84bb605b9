"""Claims about the cost of allocating memory."""

from __future__ import annotations

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
    CannotJudge,
    Shown,
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
    text = f"64 bytes take {_ns(stack)} on the stack{_beyond(run, stack)}; relative to that: {listed(compared, relative)}"
    return of_all(compared, text, lambda rest: f"not for {names(rest)}")


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
    text = (
        f"without touching the memory, {bytes_text(large)} cost, relative to {bytes_text(small)}: on the stack "
        f"{growth_text(grown)}, with {phrases.plain(default)} {growth_text(heap)}"
    )
    stack = of_none({"the stack": grown}, text, lambda rest: "")
    if stack.verdict == DOES_NOT_HOLD:
        return stack
    shown = shown_by(heap)
    if shown is Shown.NOTHING:
        too_wide(text, [heap])
    if shown is Shown.NO_MORE:
        return holds_but(text, "the cost of heap memory does not depend on it either")
    conditions = [f"the stack's cost grows {stack.condition}"] if stack.condition else []
    conditions += [f"the heap's cost grows {slight(heap)}"] if shown is Shown.SLIGHTLY_MORE else []
    touched = comparison(run, *pair("stack_array", "all"))
    if is_more(touched):
        conditions.append(f"only while untouched; written in full, the large block costs {relative(touched)}")
    return holds_but(text, "; ".join(conditions)) if conditions else holds(text)


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
    text = f"on an aged heap, 64 bytes of stack cost, relative to an empty heap: {growth_text(searches)}"
    stack_alone = of_none({"the stack": searches}, text + beside, lambda rest: "")
    if stack_alone.verdict != HOLDS:
        return stack_alone
    if heaps and all(shown_by(aging) is Shown.NO_MORE for aging in heaps.values()):
        return holds_but(text + beside, "no malloc cost more on the aged heap either")
    return holds(text + beside)


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
    text = (
        f"a frame of {phrases.count(many, 'local')} costs {_ns(stack[0])}, a frame of {few} costs {_ns(stack[1])}: "
        f"{growth_text(grown)}; as many blocks from {phrases.plain(default)} cost, relative to a "
        f"single block: {relative(heap)}"
    )
    if shown_by(grown) is Shown.NO_MORE:
        return holds_but(text, "with a cycle or two more") if is_more(grown) else holds(text)
    if shown_by(grown) is Shown.SLIGHTLY_MORE:
        return holds_but(text, f"the cost grows {slight(grown)}")
    if is_more(grown) and is_no_more(grown, many / 4):
        return holds_but(text, "the cost grows, but less than the number")
    if not is_more(grown, many / 4):
        too_wide(text, [grown])
    return does_not_hold(text)


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
    text = (
        f"with {phrases.plain(default)}, {bytes_text(sizes[-1])} cost, relative to {bytes_text(sizes[0])}: "
        f"{relative(costs['first'])} when only the first byte is written, "
        f"{relative(costs['all'])} when every byte is written"
    )
    shown = {touch: shown_by(cost) for touch, cost in costs.items()}
    if shown["first"] is Shown.MORE:
        return holds(text)
    if shown["first"] is Shown.SLIGHTLY_MORE:
        return holds_but(text, slight(costs["first"]))
    if shown["first"] is Shown.NO_MORE and shown["all"] in (Shown.MORE, Shown.SLIGHTLY_MORE):
        return holds_but(text, "the time goes into touching the block, not into allocating it")
    if set(shown.values()) == {Shown.NO_MORE}:
        return does_not_hold(text)
    too_wide(text, [cost for touch, cost in costs.items() if shown[touch] is Shown.NOTHING])


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
    text = (
        f"written in full, a block from {phrases.plain(default)} costs, relative to a block of stack: "
        f"{listed(against_stack, relative)}"
    )
    if hidden:
        text = f"{text}; less than {phrases.percent(MATTERS - 1)} more from {bytes_text(hidden[0])} on"
        at_most = libraries(run, "scoped", bytes=most, touch="all")
        others = comparisons(run, {name: (block, stack[most]) for name, block in at_most.items()})
        seen = [name for name, price in others.items() if is_more(price)]
        return holds_but(text, f"not with {names(seen)}") if seen else holds(text)
    if shown_by(compared[most]) is Shown.SLIGHTLY_MORE:
        return holds_but(text, f"a difference stays, {slight(compared[most])}")
    if not is_more(compared[most]):
        too_wide(text, [compared[most]])
    return does_not_hold(text)


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
    text = f"alloca takes stack memory of a size known only at run time; relative to its cost: {listed(compared, relative)}"
    return of_none(compared, text, lambda rest: "not for all sizes")


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
    text = (
        f"an mmap call takes {_ns(system)} for 64 bytes, {phrases.multiple_named(against_malloc)} what a malloc "
        f"takes; page faults per block: {counter(system, 'page_faults').median:.2g} with mmap, at most "
        f"{most.median:.2g} with malloc"
    )
    if unclear:
        too_wide(text, unclear)
    if not asked:
        return does_not_hold(text)
    return holds(text) if len(asked) == len(mallocs) else holds_but(text, f"only with {names(asked)}")


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
    costs = phrases.joined([f"{name} {control.beyond(*pair).text}" for name, pair in pairs.items()])
    text = f"beyond the same without it, these cost: {costs}"
    return of_none(growths(run, pairs), text, lambda paid: f"not {phrases.joined(paid)}")
