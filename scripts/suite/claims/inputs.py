"""Which benchmarks of a run does a claim need? This module returns them, or raises the reason why they are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from suite.claims.verdict import FEW_CYCLES, CannotJudge, Undecided, is_more, is_no_more
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate, estimate_median

LEAST_PROCESSES = 4  # the interval of fewer processes is not reliable


def need(run: Run, name: str) -> Benchmark:
    """The benchmark of this name. Raises CannotJudge."""
    benchmark = run.get(name)
    if benchmark is None:
        raise CannotJudge(f"the run has no {name}")
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
    """The malloc that a program uses by default: the process's own malloc, if it was measured."""
    own = str(run.context.get("process_malloc", ""))
    return own if own in mallocs else next(iter(mallocs))


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


def ratio(above: Benchmark, below: Benchmark) -> Estimate:
    """The ratio of two benchmarks. Raises CannotJudge."""
    estimate = query.ratio_of(above, below)
    if estimate is None:
        raise CannotJudge(f"{below.name} has no measurable time")
    if min(len(above.times), len(below.times)) < LEAST_PROCESSES:
        raise Undecided(f"{min(len(above.times), len(below.times))} of the {LEAST_PROCESSES} processes a verdict needs")
    return estimate


def ratios(pairs: Mapping[str, ComparedPair]) -> dict[str, Estimate]:
    """The ratio of each pair. With more pairs, every interval becomes wider. Raises CannotJudge."""
    for above, below in pairs.values():
        ratio(above, below)
    firsts = {name: above for name, (above, _) in pairs.items()}
    return query.ratios(firsts, {name: below for name, (_, below) in pairs.items()})


def few_cycles_apart(above: Benchmark, below: Benchmark) -> bool:
    """Whether `above` costs at most a few cycles more than `below`, at the least favourable ends of the intervals."""
    if not above.cycles or not below.cycles:
        return False
    more, less = estimate_median(above.cycles), estimate_median(below.cycles)
    return more.has_interval and less.has_interval and more.high - less.low <= FEW_CYCLES


def depends(above: Benchmark, below: Benchmark) -> bool | None:
    """Whether `above` costs more than `below` by a difference that matters; None if the intervals leave it open."""
    compared = ratio(above, below)
    if is_no_more(compared) or few_cycles_apart(above, below):
        return False
    return True if is_more(compared) else None


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
