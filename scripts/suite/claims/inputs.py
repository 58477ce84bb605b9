"""Which benchmarks of a run does a claim need? This module returns them, or raises the reason why they are missing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from suite.claims.verdict import FEW_CYCLES, CannotJudge, Comparison, Undecided, is_no_more, relative
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import (
    Difference,
    Estimate,
    estimate_difference,
    estimate_median,
    estimate_ratio,
    estimate_shift,
    median,
)
from suite.stats.looks import confidence_at

LEAST_PROCESSES = 4  # the interval of fewer processes is not reliable


def need(run: Run, name: str) -> Benchmark:
    """The benchmark of this name. Raises CannotJudge."""
    benchmark = run.get(name)
    if benchmark is None:
        failed = run.by_name.get(name)
        raise CannotJudge(f"the run has no time of {name} ({failed.errors[0]})" if failed else f"the run has no {name}")
    return benchmark


def libraries(run: Run, family: str, **parameters: object) -> dict[str, Benchmark]:
    """The malloc libraries' benchmarks, by name. Raises CannotJudge."""
    benchmarks = query.by_strategy(run.series(family, None, **parameters))
    mallocs = {name: benchmarks[name] for name in run.mallocs() if name in benchmarks}
    if not mallocs:
        given = "/".join(f"{key}:{value}" for key, value in parameters.items())
        raise CannotJudge(f"the run has no malloc in {family}/{given}")
    return mallocs


def default_of(run: Run, mallocs: Mapping[str, Benchmark]) -> str:
    """The malloc that a program uses by default: the process's own malloc, if it was measured.

    Raises CannotJudge if its measurement failed: the claim is about that malloc.
    """
    own = str(run.context.get("process_malloc", ""))
    other = next(iter(mallocs))
    if own not in mallocs and (name := mallocs[other].name.text.replace(f"/{other}/", f"/{own}/")) in run.by_name:
        need(run, name)
    return own if own in mallocs else other


def fastest_of(mallocs: Mapping[str, Benchmark]) -> str:
    costs = query.middles(query.medians(mallocs))
    return min(costs, key=lambda name: costs[name])


def ends(run: Run, key: str, family: str, **parameters: object) -> tuple[int, int]:
    """The smallest and the largest value of a parameter. Raises CannotJudge if the run has fewer than two values."""
    values = query.numbers(run, key, family, **parameters)
    if len(values) < 2:
        raise CannotJudge(f"the run does not have {family} over {key}")
    return values[0], values[-1]


ComparedPair = tuple[Benchmark, Benchmark]  # the compared benchmark, and the benchmark it is compared with


def ratio(above: Benchmark, below: Benchmark) -> Comparison:
    """The ratio of two benchmarks. Raises CannotJudge."""
    return ratios({"": (above, below)})[""]


def ratios(pairs: Mapping[str, ComparedPair]) -> dict[str, Comparison]:
    """The ratio of each pair, whatever their control costs. Raises CannotJudge."""
    _need_processes(pairs.values())
    return {name: _comparison(pair, (pair[0].times, pair[1].times), len(pairs)) for name, pair in pairs.items()}


def comparisons(run: Run, pairs: Mapping[str, ComparedPair], called: str = control.CONTROL) -> dict[str, Comparison]:
    """The comparison of each pair, as it is judged and stated. Raises CannotJudge.

    Where the control is most of either figure, the difference is judged: as a share of the second figure, so that the same
    bounds apply.
    """
    _need_processes(pairs.values())
    by_difference = {name for name, pair in pairs.items() if control.tells_difference(run, *pair, called=called)}
    return {
        name: _comparison(pair, (pair[0].times, pair[1].times), len(pairs), name in by_difference)
        for name, pair in pairs.items()
    }


def comparison(run: Run, above: Benchmark, below: Benchmark, called: str = control.CONTROL) -> Comparison:
    return comparisons(run, {"": (above, below)}, called)[""]


def growths(run: Run, pairs: Mapping[str, ComparedPair], called: str = control.CONTROL) -> dict[str, Comparison]:
    """The same for claims that do not count a difference of a few cycles, such as a single instruction makes."""
    return {
        name: replace(
            grown,
            few_cycles=few_cycles_apart(*pairs[name]),
            apart=grown.apart and replace(grown.apart, few_cycles=few_cycles_apart(*pairs[name], len(pairs))),
        )
        for name, grown in comparisons(run, pairs, called).items()
    }


def growth(run: Run, above: Benchmark, below: Benchmark) -> Comparison:
    return growths(run, {"": (above, below)})[""]


def growth_text(grown: Comparison) -> str:
    """The comparison of a cost that should be flat, and that it is a few cycles where that alone decides."""
    few = grown.few_cycles and not is_no_more(grown)
    return f"{relative(grown)}{f', at most {FEW_CYCLES:g} cycles' if few else ''}"


def growths_beyond_control(run: Run, pairs: Mapping[str, ComparedPair]) -> dict[str, Comparison]:
    """How much more each grows from one thread to several than its control does; without a control, how much it grows.
    Raises CannotJudge."""
    rises = ratios(pairs)
    for name, (above, below) in pairs.items():
        controls = [control.control_of(run, benchmark) for benchmark in (above, below)]
        if controls[0] is not None and controls[1] is not None:
            alone = controls[0], controls[1]
            columns = (
                list(control.growth_in_each_process(above, below).values()),
                list(control.growth_in_each_process(*alone).values()),
            )
            if all(columns):
                estimate = partial(estimate_ratio, *columns)
                rises[name] = _at_both_levels((above, below, *alone), columns, len(pairs), estimate, are_ns=False)
    return rises


def counted_ratios(pairs: Mapping[str, ComparedPair], key: str) -> dict[str, Comparison]:
    """The comparison of a counter, in ns, in each pair. Raises CannotJudge."""
    _need_processes(pairs.values())
    columns = {name: (counter_values(above, key), counter_values(below, key)) for name, (above, below) in pairs.items()}
    return {name: _comparison(pair, columns[name], len(pairs)) for name, pair in pairs.items()}


def by_turns(benchmarks: Mapping[str, Benchmark], above: str, below: str) -> dict[str, Comparison]:
    """The comparison of two counters that each process of a benchmark measured by turns. Raises CannotJudge.

    The unit is the ratio within a process, so what differs between processes does not count.
    """
    _need_processes((benchmark, benchmark) for benchmark in benchmarks.values())
    ratios = {}
    for name, benchmark in benchmarks.items():
        columns = counter_values(benchmark, above), counter_values(benchmark, below)
        logs = [math.log(high / low) for high, low in zip(*columns)]
        ratios[name] = _at_both_levels((benchmark,), columns, len(benchmarks), lambda confidence: _exp(
            estimate_shift(logs, confidence)))  # fmt: skip
    return ratios


def counter_values(benchmark: Benchmark, key: str) -> tuple[float, ...]:
    """A counter that every process has, and that is above zero. Raises CannotJudge."""
    values = benchmark.counter(key)
    if len(values) < len(benchmark.samples) or min(values) <= 0.0:
        raise CannotJudge(f"{key} of {benchmark.name} was not measurable in every process")
    return values


Columns = tuple[Sequence[float], Sequence[float]]


def _comparison(pair: ComparedPair, columns: Columns, number: int, by_difference: bool = False) -> Comparison:
    for benchmark, values in zip(pair, columns):
        if min(values) <= 0.0:
            raise CannotJudge(f"{benchmark.name} has no measurable time")
    estimate = estimate_difference if by_difference else estimate_ratio
    return _at_both_levels(pair, columns, number, partial(estimate, *columns))


def _at_both_levels(
    benchmarks: Sequence[Benchmark],
    columns: Columns,
    number: int,
    estimate: Callable[[float], Estimate],
    are_ns: bool = True,
) -> Comparison:
    below = median(columns[1])
    more_ns = median(columns[0]) - below if are_ns else None
    reads = tuple(benchmark.name.text for benchmark in benchmarks)

    def among(several: int, apart: Comparison | None = None) -> Comparison:
        confidence = _confidence(benchmarks, several)
        shown = estimate(confidence)
        difference = shown if isinstance(shown, Difference) else None
        ends = shown.median, shown.low, shown.high
        middle, low, high = (1 + end / below for end in ends) if difference else ends
        return Comparison(
            middle, low, high, shown.coverage, shown.n, shown.modes, confidence, apart, more_ns=more_ns, reads=reads,
            difference=difference,
        )  # fmt: skip

    return among(1, among(number))


def _confidence(benchmarks: Iterable[Benchmark], several: int = 1) -> float:
    """Of an interval from these benchmarks, at the last look at them."""
    processes, looks = max((benchmark.processes_begun, benchmark.looks) for benchmark in benchmarks)
    return confidence_at(processes, looks, several)


def _exp(shift: Estimate) -> Estimate:
    return replace(shift, median=math.exp(shift.median), low=math.exp(shift.low), high=math.exp(shift.high))


def _need_processes(pairs: Iterable[ComparedPair]) -> None:
    few = {bench.name.text: len(bench.samples) for pair in pairs for bench in pair if len(bench.samples) < LEAST_PROCESSES}
    if few:
        raise Undecided(f"{min(few.values())} of the {LEAST_PROCESSES} processes a verdict needs", few)


def few_cycles_apart(above: Benchmark, below: Benchmark, several: int = 1) -> bool:
    """Whether `above` costs at most a few cycles more than `below`, at the least favourable ends of the intervals."""
    if not above.cycles or not below.cycles:
        return False
    confidence = _confidence((above, below), several)
    more, less = estimate_median(above.cycles, confidence), estimate_median(below.cycles, confidence)
    return more.has_interval and less.has_interval and more.high - less.low <= FEW_CYCLES


def counter(benchmark: Benchmark, key: str) -> Estimate:
    """A counter's median with its interval. Raises CannotJudge."""
    values: Sequence[float] = benchmark.counter(key)
    if not values:
        raise CannotJudge(f"the run has no {key} of {benchmark.name}")
    return estimate_median(values)


def cores(run: Run, family: str) -> int:
    """The largest measured number of threads with a core for each. Raises CannotJudge if it is below two."""
    measured = query.numbers(run, "threads", family)
    fitting = [number for number in measured if number <= (run.fact("cores") or number)]
    if not fitting or fitting[-1] < 2 or fitting[0] != 1:
        raise CannotJudge("the comparison needs two cores, and a measurement with one thread")
    return fitting[-1]
