"""Claims about the cost of managing memory."""

from __future__ import annotations

from suite.base import phrases
from suite.claims.inputs import counted_ratios, growth, growths, libraries, need, ratio, ratios
from suite.claims.verdict import (
    DOES_NOT_HOLD,
    HOLDS,
    OPEN,
    CannotJudge,
    Verdict,
    claim,
    does_not_hold,
    holds,
    holds_but,
    is_more,
    listed,
    names,
    of_all,
    of_none,
    times,
)
from suite.results import query
from suite.results.model import Run


@claim(
    "drop-at-once", "dropping all at once is cheaper",
    "Dropping all objects at once is cheaper than one by one.", "cleanup",
)  # fmt: skip
def drop_at_once(run: Run) -> Verdict:
    counts = query.numbers(run, "count", "cleanup")
    if not counts:
        raise CannotJudge("the run has no cleanup")
    at_once = need(run, f"cleanup/arena/count:{counts[-1]}/drop:at_once")
    one_by_one = libraries(run, "cleanup", count=counts[-1], drop="each")
    compared = counted_ratios({name: (benchmark, at_once) for name, benchmark in one_by_one.items()}, "drop_ns")
    text = (
        f"dropping {counts[-1]:,} objects one by one costs, relative to resetting the arena: "
        f"{listed(compared, times)}"
    )
    return of_all(compared, text, lambda rest: f"not for {names(rest)}")


@claim(
    "simple-copies-cheap", "simple copies are cheap",
    "Simple values can be copied; objects that own heap memory are better moved.", "pass",
)  # fmt: skip
def simple_copies_cheap(run: Run) -> Verdict:
    simple = growth(need(run, "pass/type:int/how:copy"), need(run, "pass/type:int/how:move"))
    on_heap = {"a long string": "long_string", "a vector of 1,000": "vector_1000"}
    better = ratios({
        name: (need(run, f"pass/type:{kind}/how:copy"), need(run, f"pass/type:{kind}/how:move"))
        for name, kind in on_heap.items()
    })  # fmt: skip
    text = f"a copy costs, relative to a move: an int {times(simple)}, {listed(better, times)}"
    copied = of_none({"an int": simple}, text, lambda rest: "")
    if copied.verdict == DOES_NOT_HOLD:
        return copied
    moved = of_all(better, text, lambda rest: f"not for {phrases.joined(rest)}")
    if moved.verdict in OPEN or moved.verdict == DOES_NOT_HOLD or not copied.condition:
        return moved
    return holds_but(text, "; ".join(filter(None, (f"a copy of an int costs more {copied.condition}", moved.condition))))


@claim("borrow-is-free", "lending is free", "Lending costs nothing.", "pass", "argument")
def borrow_is_free(run: Run) -> Verdict:
    """Lending is free if it costs at most a few cycles more than the call itself."""
    lent = {}
    for benchmark in run.series("pass", how="borrow"):
        kind = benchmark.name.parameters["type"]
        lent[kind.replace("_", " ")] = (benchmark, need(run, f"pass/type:{kind}/how:none"))
    for size in query.ends(query.numbers(run, "bytes", "argument")):
        names_of = [need(run, f"argument/bytes:{size}/how:{passing}") for passing in ("reference", "none")]
        lent[f"struct of {size:,} B"] = (names_of[0], names_of[1])
    if not lent:
        raise CannotJudge("the run has no pass")
    compared = growths(lent)
    text = f"lending a value costs, relative to the call alone: {phrases.with_extremes(compared)} times"
    lending = of_none(compared, text, lambda paid: f"not for {phrases.joined(paid)}")
    return holds(f"{text}, a few cycles at most") if lending.verdict == HOLDS else lending


@claim(
    "automatic-is-free", "automatic cleanup is free",
    "Cleanup by scope costs no more than manual cleanup.", "smart_pointer",
)  # fmt: skip
def automatic_is_free(run: Run) -> Verdict:
    pairs = {
        activity: (need(run, f"smart_pointer/op:{op}/kind:unique_ptr"), need(run, f"smart_pointer/op:{op}/kind:raw"))
        for activity, op in (("making and dropping", "make"), ("use", "use"))
    }
    compared = growths(pairs)
    shared = ratio(need(run, "smart_pointer/op:make/kind:shared_ptr"), need(run, "smart_pointer/op:make/kind:raw"))
    text = (
        f"relative to a plain pointer, a unique_ptr costs: {listed(compared, times)}; making a shared_ptr: {times(shared)}"
    )
    unique = of_none(compared, text, lambda paid: f"not for {phrases.joined(paid)}")
    return holds_but(text, "a shared_ptr costs more") if unique.verdict == HOLDS and is_more(shared) else unique


@claim("strings-on-heap", "strings live on the heap", "Strings live on the heap.", "string_cliff")
def strings_on_heap(run: Run) -> Verdict:
    built = query.over(run, "length", "string_cliff", "string")
    where = query.counted(built, "on_heap")
    if len(where) < 2:
        raise CannotJudge("the run has no string_cliff over length")
    heap = [length for length, share in where.items() if share.median >= 0.5]
    if not heap:
        return does_not_hold(f"strings of up to {max(where)} characters are stored inside the object")
    inside = [length for length in where if length < heap[0]]
    if not inside:
        return holds(f"strings of {heap[0]} characters and more are on the heap")
    step = ratio(built[heap[0]], built[inside[-1]])
    text = (
        f"a string of {inside[-1]} characters is stored inside the object; a string of {heap[0]} is on the heap and "
        f"costs {times(step)} as much"
    )
    return holds_but(text, f"only from {heap[0]} characters on")
