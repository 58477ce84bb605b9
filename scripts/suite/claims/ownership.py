"""Claims about the cost of managing memory."""

from __future__ import annotations

from dataclasses import replace

from suite.base import phrases
from suite.base.text import bytes_text
from suite.claims.inputs import (
    ComparedPair,
    comparison,
    comparisons,
    counted_ratios,
    counter_values,
    growth,
    growths,
    libraries,
    need,
)
from suite.claims.verdict import (
    DOES_NOT_HOLD,
    HOLDS,
    OPEN,
    CannotJudge,
    Numbers,
    Shown,
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
    of_none,
    relative,
    shown_by,
    slight,
    times,
)
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Difference, estimate_difference, median


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
    details = (
        f"dropping {counts[-1]:,} objects one by one costs, relative to resetting the arena: "
        f"{listed(compared, times)}"
    )
    nothing = control.control_of(run, at_once)
    longer: dict[str, Difference] = {}
    if nothing is not None:  # much of what the arena takes is the clock's time, so a ratio would be that of the clock
        of_arena, of_nothing = (_drops(benchmark, counts[-1]) for benchmark in (at_once, nothing))
        arena = phrases.beyond_control([estimate_difference(of_arena, of_nothing)])
        longer = {
            name: estimate_difference(_drops(benchmark, counts[-1]), of_arena, compared[name].confidence)
            for name, benchmark in one_by_one.items()
        }
        details = (
            f"resetting the arena takes {arena} beyond the control; dropping {counts[-1]:,} objects one by one "
            f"takes, relative to that: {listed(longer, relative)}"
        )
    fastest = min(compared, key=lambda name: compared[name].median)
    which = f"with {names([fastest])}{', the fastest malloc,' if len(compared) > 1 else ''}"
    cost = replace(compared[fastest], difference=longer.get(fastest))
    numbers = Numbers(
        f"freeing {counts[-1]:,} objects one by one costs {more(cost, 'resetting an arena', which)}", details
    )
    return of_all(compared, numbers, lambda rest: f"not for {names(rest)}")


def _drops(benchmark: Benchmark, count: int) -> list[float]:
    """The time of dropping all objects, in ns."""
    return [ns * count for ns in counter_values(benchmark, "drop_ns")]


@claim(
    "simple-copies-cheap", "simple copies are cheap",
    "Simple values can be copied; objects that own heap memory are better moved.", "pass",
)  # fmt: skip
def simple_copies_cheap(run: Run) -> Verdict:
    simple = growth(run, need(run, "pass/type:int/how:copy"), need(run, "pass/type:int/how:move"))
    on_heap = {"a long string": "long_string", "a vector of 1,000": "vector_1000"}
    pairs: dict[str, ComparedPair] = {
        name: (need(run, f"pass/type:{kind}/how:copy"), need(run, f"pass/type:{kind}/how:move"))
        for name, kind in on_heap.items()
    }
    better = comparisons(run, pairs)
    least = min(better, key=lambda name: better[name].median)
    numbers = Numbers(
        f"copying an int costs {more(simple, 'moving it')}; copying {least} costs {amount_of(better[least])}",
        f"a copy costs, relative to a move: {listed({'an int': simple, **better}, relative)}",
    )
    copied = of_none({"an int": simple}, numbers, lambda rest: "")
    if copied.verdict == DOES_NOT_HOLD:
        return copied
    moved = of_all(better, numbers, lambda rest: f"not for {phrases.joined(rest)}")
    if moved.verdict in OPEN or moved.verdict == DOES_NOT_HOLD or not copied.condition:
        return moved
    return holds_but(numbers, "; ".join(filter(None, (f"a copy of an int costs more {slight(simple)}", moved.condition))))


@claim("borrow-is-free", "lending is free", "Lending costs nothing.", "pass", "argument")
def borrow_is_free(run: Run) -> Verdict:
    """Lending is free if it costs at most a few cycles more than the call itself."""
    lent: dict[str, ComparedPair] = {}
    for benchmark in run.series("pass", how="borrow"):
        kind = benchmark.name.parameters["type"]
        lent[kind.replace("_", " ")] = (benchmark, _call_alone(run, "pass"))
    for size in query.ends(query.numbers(run, "bytes", "argument")):
        lent[f"struct of {size:,} B"] = (
            need(run, f"argument/bytes:{size}/how:reference"), _call_alone(run, "argument")
        )  # fmt: skip
    if not lent:
        raise CannotJudge("the run has no pass")
    compared = growths(run, lent)
    most = max(compared, key=lambda name: compared[name].more_ns or 0.0)
    details = f"lending a value costs, relative to the call alone, at most: {listed({most: compared[most]}, relative)}"
    free = all(shown_by(price) is Shown.NO_MORE for price in compared.values())
    numbers = Numbers(
        f"lending a value {'' if free else f'({most}) '}to a function costs {more(compared[most], 'the call itself')}",
        f"{details}, a few cycles at most" if free else details,
    )
    return of_none(compared, numbers, lambda paid: f"not for {phrases.joined(paid)}")


def _call_alone(run: Run, family: str) -> Benchmark:
    """The typical control. The call alone is the same call for all values, so that an odd one decides nothing."""
    controls = sorted(run.series(family, None, how=control.CONTROL), key=lambda alone: median(alone.times))
    if not controls:
        raise CannotJudge(f"the run has no {family} with how:{control.CONTROL}")
    return controls[len(controls) // 2]


@claim(
    "arguments-on-stack", "arguments are pushed",
    "The values passed into a function are pushed onto the stack.", "argument",
)  # fmt: skip
def arguments_on_stack(run: Run) -> Verdict:
    """The function itself reports where its argument is; the cost beyond the call shows what that is worth."""
    passed = query.by_number(run.series("argument", how="value"), "bytes")
    where = query.counted(passed, "on_stack")
    if not where:
        raise CannotJudge("the run has no on_stack of argument")
    if changing := [size for size, share in where.items() if share.low != share.high]:
        raise Undecided(f"a struct of {bytes_text(changing[0])} is not passed the same way in every process")

    def beyond(size: int) -> str:
        left = control.beyond(passed[size], need(run, f"argument/bytes:{size}/how:none")).text
        return f"a struct of {bytes_text(size)} costs {left} beyond the call"

    pushed = [size for size, share in where.items() if share.median >= 0.5]
    in_registers = [size for size in where if size not in pushed]
    in_register = f"a struct of {bytes_text(in_registers[-1])} is passed in registers" if in_registers else ""
    if not pushed:
        return does_not_hold(Numbers(f"even {in_register}", f"passed in registers, {beyond(in_registers[-1])}"))
    price = control.beyond(passed[pushed[0]], need(run, f"argument/bytes:{pushed[0]}/how:none")).ns
    costs = f"costs {phrases.beyond_control([price])} beyond the call"
    if not in_registers:
        gist = f"even a struct of {bytes_text(pushed[0])} is pushed onto the stack, and {costs}"
        return holds(Numbers(gist, f"pushed onto the stack, {beyond(pushed[0])}"))
    numbers = Numbers(
        f"{in_register}; the next larger struct is pushed onto the stack, and {costs}",
        f"passed in registers, {beyond(in_registers[-1])}; pushed onto the stack, {beyond(pushed[0])}",
    )
    return holds_but(numbers, f"only from {bytes_text(pushed[0])} on, of the measured sizes")


@claim(
    "automatic-is-free", "automatic cleanup is free",
    "Cleanup by scope costs no more than manual cleanup.", "smart_pointer",
)  # fmt: skip
def automatic_is_free(run: Run) -> Verdict:
    pairs = {
        activity: (need(run, f"smart_pointer/op:{op}/kind:unique_ptr"), need(run, f"smart_pointer/op:{op}/kind:raw"))
        for activity, op in (("making and dropping", "make"), ("use", "use"))
    }
    compared = growths(run, pairs, called="value")
    raw = pairs["making and dropping"][1]
    made = need(run, "smart_pointer/op:make/kind:make_shared")  # as most programs make a shared_ptr
    shared = comparison(run, made, raw, called="value")
    holders = {
        name: holder
        for name, kind in (("by make_shared", "make_shared"), ("by shared_ptr(new …)", "shared_ptr"))
        if (holder := run.get(f"smart_pointer/op:make/kind:{kind}"))
    }
    stated_made = {name: comparison(run, holder, raw, called="value") for name, holder in holders.items()}
    dearer = max(compared, key=lambda activity: compared[activity].median)
    numbers = Numbers(
        f"a unique_ptr costs {more(compared[dearer], 'a plain pointer')}; making a shared_ptr costs {amount_of(shared)}",
        f"relative to a plain pointer, a unique_ptr costs: {listed(compared, relative)}; making a shared_ptr costs: "
        f"{listed(stated_made, relative)}",
    )
    unique = of_none(compared, numbers, lambda paid: f"not for {phrases.joined(paid)}")
    return holds_but(numbers, "a shared_ptr costs more") if unique.verdict == HOLDS and is_more(shared) else unique


@claim("strings-on-heap", "strings live on the heap", "Strings live on the heap.", "string_cliff")
def strings_on_heap(run: Run) -> Verdict:
    built = query.over(run, "length", "string_cliff", "string")
    where = query.counted(built, "on_heap")
    if len(where) < 2:
        raise CannotJudge("the run has no string_cliff over length")
    heap = [length for length, share in where.items() if share.median >= 0.5]
    if not heap:
        gist = f"strings of up to {max(where)} characters are stored inside the object"
        return does_not_hold(Numbers(gist, gist))
    inside = [length for length in where if length < heap[0]]
    if not inside:
        gist = f"strings of {phrases.count(heap[0], 'character')} and more are on the heap"
        return holds(Numbers(gist, gist))
    grown = comparison(run, built[heap[0]], built[inside[-1]])
    numbers = Numbers(
        f"strings of up to {inside[-1]} characters are stored inside the object; the next longer string is on the heap, and "
        f"costs {amount_of(grown)}",
        f"a string of {inside[-1]} characters is stored inside the object; a string of {heap[0]} is on the heap and "
        f"costs, relative to that: {relative(grown)}",
    )
    return holds_but(numbers, f"only from {heap[0]} characters on")
