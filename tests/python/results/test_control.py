"""Is a figure that is mostly its control told as a difference, and a growth only where the control does not grow alike?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from suite.base import phrases
from suite.results import control
from suite.results.model import Account, Benchmark, BenchmarkName, Run, Sample
from suite.stats.estimates import Difference, Estimate


def make_run(prices: dict[str, float], processes: int = 5, noise: Callable[[str, int], float] | None = None) -> Run:
    def sample(name: str, process: int) -> Sample:
        return Sample(process, prices[name] * (noise(name, process) if noise else 1 + 0.01 * process), {})

    by_name = {
        name: Benchmark(BenchmarkName.parse(name), tuple(sample(name, process) for process in range(processes)))
        for name in prices
    }
    return Run(__file__, {}, by_name, Account(True, processes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("scoped/glibc/bytes:64/touch:none", "scoped/none/bytes:64/touch:none"),
        ("scoped/glibc/bytes:64/touch:all", "scoped/none/bytes:64/touch:all"),
        ("scoped/glibc/bytes:8/touch:all", None),
        ("scoped/none/bytes:64/touch:all", None),
        ("grow/glibc/bytes:64/way:realloc", "grow/none/bytes:64/way:reserved"),
        ("pass/type:int/how:copy", "pass/type:int/how:none"),
        ("pass/type:int/how:none", None),
    ],
)
def test_the_control_has_the_same_numbers_and_most_of_the_words(name: str, expected: str | None) -> None:
    names = (
        "scoped/none/bytes:64/touch:none", "scoped/none/bytes:64/touch:all", "scoped/none/bytes:4096/touch:all",
        "grow/none/bytes:64/way:reserved", "pass/type:string/how:none", "pass/type:int/how:none",
    )  # fmt: skip
    run = make_run({**dict.fromkeys(names, 1.0), name: 2.0})
    found_control = control.control_of(run, run.by_name[name])
    assert (str(found_control.name) if found_control else None) == expected


def block(control_ns: float, **prices: float) -> Run:
    return make_run({f"scoped/{name}/bytes:64/touch:first": ns for name, ns in {"none": control_ns, **prices}.items()})


def compared(run: Run) -> Estimate:
    names = (f"scoped/{name}/bytes:64/touch:first" for name in ("glibc", "stack_array"))
    above, below = (run.by_name[name] for name in names)
    comparison = control.compare_two(run, above, below)
    assert comparison is not None
    return comparison


def test_a_ratio_is_told_only_where_the_control_is_less_than_half_of_both() -> None:
    ratio = compared(block(1.0, stack_array=4.0, glibc=20.0))
    assert ratio.median == pytest.approx(5.0) and not isinstance(ratio, Difference)
    difference = compared(block(1.0, stack_array=1.0, glibc=20.0))
    assert isinstance(difference, Difference) and difference.median == pytest.approx(1.02 * 19)
    assert isinstance(compared(block(1.0, stack_array=20.0, glibc=1.0)), Difference)


def test_all_figures_that_are_compared_at_once_are_compared_alike() -> None:
    run = block(1.0, stack_array=1.0, glibc=20.0, arena=20.0, mimalloc=40.0)
    measured = {str(benchmark.name.strategy): benchmark for benchmark in run.by_name.values()}
    against_arena = control.compare(run, measured, dict.fromkeys(("glibc", "mimalloc"), measured["arena"]))
    assert not any(isinstance(comparison, Difference) for comparison in against_arena.values())
    with_stack = control.compare(run, measured, dict.fromkeys(("glibc", "stack_array"), measured["arena"]))
    assert all(isinstance(comparison, Difference) for comparison in with_stack.values())


def beyond(run: Run, *names: str) -> str:
    measured = {str(benchmark.name.strategy): benchmark for benchmark in run.by_name.values()}
    left = control.beyond_control(run, {name: measured[name] for name in names})
    return phrases.beyond_control(list(left.values())).replace(phrases.NO_BREAK, " ")


def test_what_is_left_of_a_figure_is_nothing_where_its_interval_does_not_exclude_that() -> None:
    run = block(10.0, stack_array=10.2, alloca=8.0, glibc=30.0, mimalloc=20.0)
    assert beyond(run, "stack_array", "alloca") == "nothing measurable"
    assert beyond(run, "stack_array", "glibc", "mimalloc") == "up to 20 ns"
    assert beyond(run, "glibc", "mimalloc") == "10 to 20 ns"


def growth(
    of_control: float, of_malloc: float, noise: Callable[[str, int], float] | None = None, processes: int = 5
) -> control.Growth:
    prices = {("none", 1): 2.0, ("none", 2): 2.0 * of_control, ("glibc", 1): 10.0, ("glibc", 2): 10.0 * of_malloc}
    run = make_run({f"private/{name}/threads:{number}": ns for (name, number), ns in prices.items()}, processes, noise)
    grown = control.growths(run, "private", ["glibc"], 2)
    assert grown.control is not None and grown.control.median == pytest.approx(of_control)
    return grown.by_strategy["glibc"]


def test_a_growth_is_the_memorys_only_where_the_control_grows_less() -> None:
    assert growth(1.0, 1.6).is_measurable
    assert not growth(1.6, 1.6).is_measurable
    assert growth(1.6, 1.6).ratio.median == pytest.approx(1.6)


def test_a_process_in_which_everything_is_slow_does_not_hide_a_growth() -> None:
    def slow(name: str, process: int) -> float:
        return 3.0 if process == 4 and name.endswith("2") else 1.0

    assert growth(1.1, 1.6, slow, processes=8).is_measurable
