"""Claims about the cost of allocating memory."""

from __future__ import annotations

from suite.base import phrases
from suite.base.text import bytes_text
from suite.claims.inputs import counter, default_of, depends, ends, fastest_of, libraries, need, ratio, ratios
from suite.claims.verdict import (
    MATTERS,
    CannotJudge,
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
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate, estimate_median


def _ns(benchmark: Benchmark) -> str:
    return phrases.short_time(estimate_median(benchmark.times).median)


@claim("stack-is-faster", "the stack is faster", "Taking memory from the stack is faster than from the heap.", "scoped")
def stack_is_faster(run: Run) -> Verdict:
    stack = need(run, "scoped/stack_array/bytes:64/touch:first")
    mallocs = libraries(run, "scoped", bytes=64, touch="first")
    compared = ratios({name: (mallocs[name], stack) for name in (default_of(run, mallocs), fastest_of(mallocs))})
    text = f"64 bytes take {_ns(stack)} on the stack; as a multiple of that: {listed(compared, times)}"
    return of_all(compared, text, lambda rest: f"not shown for {names(rest)}")


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

    text = (
        f"{bytes_text(large)} cost {times(ratio(*pair('stack_array', 'none')))} what {bytes_text(small)} cost on the "
        f"stack, and {times(ratio(*pair(default, 'none')))} with {phrases.plain(default)}, without touching the memory"
    )
    stack_grows, heap_grows = depends(*pair("stack_array", "none")), depends(*pair(default, "none"))
    if stack_grows is None or heap_grows is None:
        raise Undecided(f"the intervals are too wide to tell: {text}")
    if stack_grows:
        return does_not_hold(text)
    if not heap_grows:
        return holds_but(text, "the cost of heap memory does not depend on it either")
    touched = ratio(*pair("stack_array", "all"))
    if is_more(touched):
        return holds_but(text, f"only while untouched; written in full, the large block costs {times(touched)} as much")
    return holds(text)


@claim(
    "no-search", "the stack never searches",
    "The stack never searches: its cost does not depend on other live blocks.", "heap_state",
)  # fmt: skip
def no_search(run: Run) -> Verdict:
    states = ("aged", "empty")
    stack = [need(run, f"heap_state/stack_array/bytes:64/state:{state}/threads:ever") for state in states]
    aged, empty = (libraries(run, "heap_state", bytes=64, state=state, threads="ever") for state in states)
    heaps = ratios({name: (aged[name], empty[name]) for name in aged if name in empty})
    searches = depends(stack[0], stack[1])
    beside = f"; by malloc: {listed(heaps, times)}" if heaps else ""
    text = f"on an aged heap, 64 bytes of stack cost {times(ratio(stack[0], stack[1]))} what they cost on an empty heap"
    if searches is None:
        raise Undecided(f"the interval is too wide to tell: {text}")
    if searches:
        return does_not_hold(text + beside)
    slower = [name for name, aging in heaps.items() if is_more(aging)]
    if heaps and not slower:
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
    heap = ratio(apart[default], need(run, f"many/{default}/count:{few}/taken:apart"))
    more = ratio(stack[0], stack[1])
    text = (
        f"a frame of {phrases.count(many, 'local')} costs {_ns(stack[0])}, a frame of {few} costs {_ns(stack[1])}: "
        f"{times(more)}; as many blocks from {phrases.plain(default)} cost {times(heap)} a single block"
    )
    grows = depends(stack[0], stack[1])
    if grows is None:
        raise Undecided(f"the intervals are too wide to tell: {text}")
    if not grows:
        return holds_but(text, "with a cycle or two more") if is_more(more) else holds(text)
    return holds_but(text, "the cost grows, but less than the number") if more.high < many / 4 else does_not_hold(text)


@claim("large-takes-time", "large blocks take time", "Allocating a large block takes time.", "large")
def large_takes_time(run: Run) -> Verdict:
    sizes = query.numbers(run, "bytes", "large")
    mallocs = libraries(run, "large", bytes=sizes[-1], touch="first") if sizes else {}
    if len(sizes) < 2 or not mallocs:
        raise CannotJudge("the run has no large over bytes")
    default = default_of(run, mallocs)
    costs = {
        touch: ratio(*(need(run, f"large/{default}/bytes:{size}/touch:{touch}") for size in (sizes[-1], sizes[0])))
        for touch in ("first", "all")
    }
    text = (
        f"with {phrases.plain(default)}, {bytes_text(sizes[-1])} cost {times(costs['first'])} what {bytes_text(sizes[0])} "
        f"cost when only the first byte is written, and {times(costs['all'])} when every byte is written"
    )
    if is_more(costs["first"]):
        return holds(text)
    if is_more(costs["all"]):
        return holds_but(text, "the time goes into touching the block, not into allocating it")
    if all(is_no_more(cost) for cost in costs.values()):
        return does_not_hold(text)
    raise Undecided(f"the intervals are too wide to tell: {text}")


@claim(
    "touch-dominates", "touching hides the source",
    "From some size on, the cost of touching memory hides where it came from.", "scoped",
)  # fmt: skip
def touch_dominates(run: Run) -> Verdict:
    sizes = query.numbers(run, "bytes", "scoped", touch="all")
    stack = query.over(run, "bytes", "scoped", "stack_array", touch="all")
    default = default_of(run, libraries(run, "scoped", bytes=sizes[-1], touch="all")) if sizes else ""
    heap = query.over(run, "bytes", "scoped", default, touch="all")
    pairs = {str(size): (heap[size], stack[size]) for size in sizes if size in heap and size in stack}
    compared = {int(size): price for size, price in ratios(pairs).items()}
    if len(compared) < 2:
        raise CannotJudge("the run has no scoped over bytes, written in full")
    hidden: list[int] = []
    for size in sorted(compared, reverse=True):
        if not is_no_more(compared[size]):
            break
        hidden.insert(0, size)
    least, most = min(compared), max(compared)
    text = (
        f"written in full, a block from {phrases.plain(default)} costs {times(compared[least])} a block of stack at "
        f"{bytes_text(least)} and {times(compared[most])} at {bytes_text(most)}"
    )
    if hidden:
        text = f"{text}; less than {MATTERS:g} times from {bytes_text(hidden[0])} on"
        at_most = libraries(run, "scoped", bytes=most, touch="all")
        others = ratios({name: (block, stack[most]) for name, block in at_most.items()})
        seen = [name for name, price in others.items() if is_more(price)]
        return holds_but(text, f"not with {names(seen)}") if seen else holds(text)
    if is_more(compared[most]):
        return does_not_hold(text)
    raise Undecided(f"the intervals are too wide to tell: {text}")


@claim(
    "unknown-size-needs-heap", "unknown size needs the heap",
    "Data whose size is unknown at compile time must live on the heap.", "scoped",
)  # fmt: skip
def unknown_size_needs_heap(run: Run) -> Verdict:
    sizes = query.numbers(run, "bytes", "scoped", touch="first")
    compared: dict[str, Estimate] = {}
    for size in query.ends(sizes):
        alloca = need(run, f"scoped/alloca/bytes:{size}/touch:first")
        mallocs = libraries(run, "scoped", bytes=size, touch="first")
        fastest = fastest_of(mallocs)
        compared[f"{phrases.plain(fastest)} at {bytes_text(size)}"] = ratio(mallocs[fastest], alloca)
    text = f"alloca takes stack memory of a size known only at run time; as a multiple of its cost: {listed(compared, times)}"
    if not compared:
        raise CannotJudge("the run has no scoped")
    cheaper = [name for name, price in compared.items() if is_more(price)]
    if len(cheaper) == len(compared):
        return does_not_hold(text)
    if cheaper:
        return holds_but(text, "not for all sizes")
    if all(is_no_more(price) for price in compared.values()):
        return holds(text)
    raise Undecided(f"the intervals are too wide to tell: {text}")


@claim(
    "os-finds-room", "the system finds the memory",
    "The operating system finds the memory for each allocation.", "scoped",
)  # fmt: skip
def os_finds_room(run: Run) -> Verdict:
    mallocs = libraries(run, "scoped", bytes=64, touch="first")
    system = need(run, "scoped/mmap/bytes:64/touch:first")
    faults = {name: counter(benchmark, "page_faults") for name, benchmark in mallocs.items()}
    cheaper = ratios({name: (system, benchmark) for name, benchmark in mallocs.items()})
    asked = [name for name, count in faults.items() if count.low >= 0.5 or not is_more(cheaper[name])]
    most = max(faults.values(), key=lambda count: count.median)
    text = (
        f"an mmap call takes {_ns(system)} for 64 bytes, {phrases.with_extremes(cheaper)} times what a malloc "
        f"takes; page faults per block: {counter(system, 'page_faults').median:.2g} with mmap, at most "
        f"{most.median:.2g} with malloc"
    )
    if not asked:
        return does_not_hold(text)
    return holds(text) if len(asked) == len(mallocs) else holds_but(text, f"only with {names(asked)}")
