"""Claims about the cost of using memory, and about the effect of locality."""

from __future__ import annotations

from suite.base import phrases
from suite.base.text import bytes_text
from suite.claims.inputs import ComparedPair, by_turns, comparison, comparisons, libraries, need
from suite.claims.verdict import (
    HOLDS,
    Numbers,
    Verdict,
    amount_of,
    claim,
    from_most_to_least,
    holds_but,
    is_more,
    listed,
    more,
    names,
    of_all,
    of_all_in_order,
    relative,
    times,
)
from suite.results import caches, query
from suite.results.model import Benchmark, Run


@claim("heap-access-slower", "heap data is slower to use", "Data on the heap is slower to use.", "stream", "chase")
def heap_access_slower(run: Run) -> Verdict:
    """Four comparisons, chosen beforehand, each timed by turns in one process. In the smallest set every access hits the
    first cache, where only the place of the array in it could differ; in the largest most accesses miss every cache and
    the TLB, where the pages of the array could differ. Sizes between can differ by no other cause."""
    benchmarks: dict[str, Benchmark] = {}
    in_words: dict[str, str] = {}
    for family, activity, order in (("stream", "reading", "in order"), ("chase", "chasing", "at random")):
        by_size = query.by_number(run.series(family, homes="stack_and_heap"), "bytes")
        for size, amount in zip(query.ends(list(by_size)), ("little", "much")):
            name = f"{activity} {bytes_text(size)}"
            benchmarks[name], in_words[name] = by_size[size], f"with {amount} data read {order}"
    compared = by_turns(benchmarks, "heap_ns", "stack_ns")
    gist = from_most_to_least(
        {in_words[name]: ratio for name, ratio in compared.items()}, "from the stack", str, "with little data or much, read in order or at random"
    )
    numbers = Numbers(
        f"a load from the heap costs {gist}",
        f"the same data costs on the heap, relative to the stack, by turns in one process, in the smallest set (first "
        f"cache) and in the largest (memory): {listed(compared, times)}",
    )
    return of_all(compared, numbers, lambda rest: f"not for {phrases.joined(rest)}")


@claim("pointer-costs", "following pointers is slow", "Following a pointer is what costs time.", "indirection")
def pointer_costs(run: Run) -> Verdict:
    direct = need(run, "indirection/depth:0/layout:packed")
    near, far = (need(run, f"indirection/depth:1/layout:{layout}") for layout in ("packed", "scattered"))
    compared = comparisons(run, {"a pointer to a neighbour": (near, direct), "a pointer to anywhere": (far, direct)})
    led = comparison(run, far, near)
    close, anywhere = compared.values()
    numbers = Numbers(
        f"a value behind a pointer costs {more(close, 'a value in place')} if it is close by, "
        f"{amount_of(anywhere)} if it is anywhere",
        f"relative to a value in place: {listed(compared, relative)}; a target anywhere costs, relative to a neighbour: "
        f"{relative(led)}",
    )
    ruled = of_all(compared, numbers, lambda rest: f"not for {phrases.joined(rest)}")
    if ruled.verdict == HOLDS and is_more(led, 2.0):
        return holds_but(numbers, "the distance of the target costs more than following the pointer")
    return ruled


@claim("jumping-costs", "jumping in memory is slow", "Processors are faster with fewer jumps in memory.", "chase")
def jumping_costs(run: Run) -> Verdict:
    """From the largest set to the smallest: the farther away the data, the more a jump can cost."""
    random, in_order = (caches.chased(run, order) for order in ("random", "sequential"))
    named = caches.caches_of(run).named(random.keys() & in_order.keys())
    farthest_first = sorted(named, key=lambda name: named[name], reverse=True)
    compared = comparisons(run, {name: (random[named[name]], in_order[named[name]]) for name in farthest_first})
    by_size = {name: compared[name] for name in reversed(farthest_first)}
    amounts = list(compared.values())
    gist = f"in much memory, a load at random costs {more(amounts[0], 'a load in order')}" if amounts else ""
    numbers = Numbers(
        gist + (f"; in little memory, {amount_of(amounts[-1])}" if len(amounts) > 1 else ""),
        f"a load at random costs, relative to a load in order: {listed(by_size, relative)}",
    )
    return of_all_in_order(compared, numbers, lambda closest: f"only beyond {closest}")


@claim(
    "neighbours-help", "close data is faster",
    "Data that lies close together is processed faster.", "traverse", "matrix",
)  # fmt: skip
def neighbours_help(run: Run) -> Verdict:
    pairs: dict[str, ComparedPair] = {}
    in_words: list[tuple[str, str]] = []  # what is close, and what is not
    traverse = query.numbers(run, "count", "traverse")
    payloads = query.numbers(run, "payload", "traverse")
    if traverse and payloads:
        at = f"count:{traverse[-1]}/payload:{payloads[0]}"
        pairs["a shuffled list against a vector"] = _both(run, f"traverse/{{}}/{at}", "list_shuffled", "vector")
        in_words.append(("in a shuffled list", "in a vector"))
    sides = query.numbers(run, "n", "matrix")
    if sides:
        side = query.ordinary(sides)
        name = f"matrix/one_block/n:{side}/by:{{}}"
        pairs[f"a matrix of {side:,} by column"] = _both(run, name, "column", "row")
        in_words.append(("by column", "by row of a matrix"))
    compared = comparisons(run, pairs)
    costs = [more(ratio, close, far) for ratio, (far, close) in zip(compared.values(), in_words)]
    numbers = Numbers(
        f"visiting an element costs {', and '.join(costs)}", f"cost of visiting an element: {listed(compared, relative)}"
    )
    return of_all(compared, numbers, lambda rest: f"not for {phrases.joined(rest)}")


def _both(run: Run, name: str, *fillings: str) -> ComparedPair:
    above, below = (need(run, name.format(each_one)) for each_one in fillings)
    return above, below


@claim("heap-ages", "an aged heap scatters", "An aged heap scatters later allocations.", "list_walk")
def heap_ages(run: Run) -> Verdict:
    aged, fresh = (libraries(run, "list_walk", heap=heap) for heap in ("aged", "empty"))
    compared = comparisons(run, {name: (aged[name], fresh[name]) for name in aged if name in fresh})
    details = f"walking a list that was built on an aged heap costs, relative to a fresh heap: {listed(compared, relative)}"
    walks = {heap: query.by_strategy(run.series("list_walk", None, heap=heap)) for heap in ("aged", "empty")}
    others = query.ratios({name: walk for name, walk in walks["aged"].items() if name not in compared}, walks["empty"])
    if others:
        most = max(others, key=lambda name: others[name].median)
        details = f"{details}; from a {phrases.plain(most)} {times(others[most])}"
    gist = from_most_to_least(compared, "on a fresh heap", lambda name: f"with {name}", "whatever the malloc")
    numbers = Numbers(f"walking a list that was built on an aged heap costs {gist}", details)
    return of_all(compared, numbers, lambda rest: f"not for {names(rest)}")
