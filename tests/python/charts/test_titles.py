"""Is a chart's title true for data that the textbook's machine does not have: other limits, steps and orders?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from suite import charts
from suite.base import phrases
from suite.results import query
from suite.results.model import Benchmark, BenchmarkName, Sample
from support import chart_checks, synthetic

MIB = 1 << 20


def title(
    name: str,
    ns: Callable[[BenchmarkName], float] = lambda name: synthetic.price(name.text),
    counted: Callable[[BenchmarkName], Mapping[str, float]] = lambda name: synthetic.counters(name.text),
    keep: Callable[[BenchmarkName], bool] = lambda name: True,
    processes: int = 5,
) -> str:
    """The chart's title on a machine without noise, which has these prices or counters instead of the textbook's."""
    run = synthetic.synthetic(
        processes=processes,
        ns=lambda text: ns(BenchmarkName.parse(text)),
        counted=lambda text: counted(BenchmarkName.parse(text)),
        keep=lambda text: text.startswith(OF[name]) and keep(BenchmarkName.parse(text)),
        noise=lambda text, process: 1.0,
    )
    return chart_checks.title(run, name)


OF = {name: (f"{chart.family}/",) for name, chart in charts.charts().items()} | {
    "limits": ("stack_limit/", "heap_limit/")
}


# ---- ownership


def test_a_struct_costs_more_by_value_only_from_the_size_on_where_it_always_does() -> None:
    def costing_more(*sizes: int) -> str:
        def ns(name: BenchmarkName) -> float:
            return 9.0 if name.parameters["how"] == "value" and name.number("bytes") in sizes else 2.0

        return title("argument", ns)

    assert costing_more(1024, 4096) == "From 1 KiB on, a struct costs more by value than by reference: 7.0 ns more at 4 KiB"
    assert costing_more(8, 4096) == "A struct of 4 KiB by value costs 7.0 ns more than a struct by reference"
    assert costing_more(8, 16) == "A struct of 4 KiB by value shows no measurable difference from a struct by reference"


def test_a_struct_that_is_cheaper_by_value_is_not_said_to_cost_more() -> None:
    finding = title("argument", lambda name: 1.0 if name.parameters["how"] == "value" else 2.0)
    assert finding == "A struct of 4 KiB by value costs 1.0 ns less than a struct by reference"


def test_a_single_process_does_not_state_the_size_from_which_a_struct_costs_more() -> None:
    assert title("argument", processes=1) == "A struct of 4 KiB by value costs 250 ns more than a struct by reference"


def test_the_title_states_a_copy_that_is_cheaper_than_a_move() -> None:
    finding = title("pass", lambda name: 1.0 if name.parameters["how"] == "copy" else 2.0)
    assert finding in {f"Copying {kind} costs 1.0 ns less than moving it" for kind in ("an int", "a vector of 1,000 ints")}


def test_types_without_a_move_are_not_compared() -> None:
    only = title("pass", keep=lambda name: name.parameters["how"] == "borrow")
    assert only == "A vector of 1,000 ints costs 2.0 ns lent"


def test_the_title_states_a_unique_ptr_that_costs_more() -> None:
    finding = title("smart_pointer", lambda name: 3.0 if name.parameters["kind"] == "unique_ptr" else 2.0)
    assert finding.endswith("a unique_ptr costs 1.0 ns more than a plain pointer")


def test_a_single_malloc_has_a_single_time() -> None:
    finding = title("cleanup", keep=lambda name: name.strategy in ("glibc", "arena"))
    assert finding == "Dropping 10,000 objects takes glibc 100 µs, and an arena 50 ns"
    assert title("cleanup", keep=lambda name: name.strategy == "arena") == "Dropping 10,000 objects takes 50 ns"


def strings(longest_inside: int, keep: Callable[[int], bool] = lambda length: True) -> str:
    def on_heap(name: BenchmarkName) -> dict[str, float]:
        return {"on_heap": float((name.number("length") or 0) > longest_inside)} if name.strategy == "string" else {}

    return title("string_cliff", counted=on_heap, keep=lambda name: keep(name.number("length") or 0))


def test_the_step_of_a_string_follows_its_address() -> None:
    assert strings(22) == "From 23 characters on, a string leaves the stack for the heap, with no measurable difference"
    assert strings(15, lambda length: length % 8 == 0).startswith("Between 8 and 16 characters, a string leaves")


@pytest.mark.parametrize("longest_inside", [0, 64])
def test_a_step_that_was_not_measured_is_not_claimed(longest_inside: int) -> None:
    assert strings(longest_inside) == "A string of 64 characters costs 12 ns"


# ---- limits


def ends(stack: int, ends_there: Mapping[str, bool], heap_at_least: float = 1.0) -> str:
    def counted(name: BenchmarkName) -> dict[str, float]:
        if name.family == "stack_limit":
            return {"usable_bytes": float(stack), "at_least": float(not ends_there[name.parameters["stack"]])}
        if name.parameters["limit"] == "touched":
            return {"touched_bytes": 100.0 * MIB, "at_least": heap_at_least}
        return {"granted_bytes": 300.0 * MIB, "at_least": 0.0}

    return title("limits", counted=counted, keep=lambda name: name.parameters.get("stack", "main") in ends_there)


def test_a_stack_ends_only_where_its_end_was_measured() -> None:
    heap = "; glibc grants 300 MiB in one block"
    assert ends(8 * MIB, {"main": True, "thread": True}) == f"A stack ends after 8 MiB{heap}"
    assert ends(64 * MIB, {"main": False, "thread": False}) == f"A stack goes on beyond 64 MiB{heap}"
    assert ends(64 * MIB, {"main": False, "thread": True}) == f"A thread's stack ends after 64 MiB{heap}"
    assert ends(2 * MIB, {"main": True}) == f"Main's stack ends after 2 MiB{heap}"


def test_a_grant_that_was_not_refused_is_a_bound() -> None:
    def counted(name: BenchmarkName) -> dict[str, float]:
        granted = {"glibc": 900.0, "jemalloc": 300.0}.get(str(name.strategy), 600.0) * MIB
        return {"usable_bytes": 8.0 * MIB, "granted_bytes": granted, "at_least": float(name.strategy == "glibc")}

    finding = title("limits", counted=counted, keep=lambda name: name.parameters.get("limit") != "touched")
    assert finding == "A stack ends after 8 MiB; glibc grants at least 900 MiB in one block"


def test_a_grant_without_metadata_or_end_claims_neither() -> None:
    def counted(name: BenchmarkName) -> dict[str, float]:
        return {"granted_bytes": (2.0 if name.strategy == "glibc" else 3.0) * MIB, "at_least": 1.0}

    assert title("heap_limit", counted=counted) == "glibc grants at least 2 MiB in one block"
    free = title("heap_limit", counted=lambda name: {"granted_bytes": 3.0 * MIB, "books_bytes": 0.0})
    assert free == "glibc grants 3 MiB in one block, for which it uses 0 B itself"


def test_recursion_is_compared_both_ways() -> None:
    prices = {"loop": 0.5, "calls": 4.0, "heap_kept": 2.0}
    finding = title("recursion", lambda name: prices.get(name.parameters["by"], 8.0))
    assert finding == "With 64 B of locals, a stack kept on the heap costs 0.50 times recursion; a fresh one, 2.0 times"
    mostly_loop = title("recursion", lambda name: {"calls": 4.0, "heap_kept": 2.0}.get(name.parameters["by"], 8.0))
    assert mostly_loop == (
        "With 64 B of locals, a stack kept on the heap costs 2.0 ns less than recursion; a fresh one, 4.0 ns more"
    )
    alike = title("recursion", lambda name: 3.0)
    assert alike == (
        "With 64 B of locals, a stack on the heap, kept or fresh, shows no measurable difference from recursion"
    )


# ---- what titles are made of


def test_a_span_goes_from_the_lowest_to_the_highest() -> None:
    assert phrases.span([12.0, 3.6], phrases.two_figures).replace(phrases.NO_BREAK, " ") == "3.6 to 12"


def test_each_of_many_ratios_has_a_wider_interval_than_a_single_ratio() -> None:
    def measured(ns: float) -> Benchmark:
        samples = tuple(Sample(process, ns + 0.1 * process, {}) for process in range(10))
        return Benchmark(BenchmarkName.parse("pass/type:int/how:copy"), samples)

    def width(count: int) -> float:
        ratios = query.ratios({i: measured(9.0) for i in range(count)}, {i: measured(3.0) for i in range(count)})
        return ratios[0].high - ratios[0].low

    assert width(50) > 1.05 * width(1)
