"""What do the claims read from a run? The stack's benchmark beside the heap's, or a reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from suite.claims.verdict import FEW_CYCLES, CannotJudge, Undecided, is_more, is_no_more
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate, estimate_median

LEAST_PROCESSES = 4  # fewer give no interval in which to believe


def need(run: Run, name: str) -> Benchmark:
    """The benchmark of this name. Raises CannotJudge."""
    found = run.get(name)
    if found is None:
        raise CannotJudge(f"the run has no {name}")
    return found


def libraries(run: Run, family: str, **parameters: object) -> dict[str, Benchmark]:
    """The malloc libraries' benchmarks, by name. Raises CannotJudge."""
    found = query.by_strategy(run.series(family, None, **parameters))
    mallocs = {name: found[name] for name in run.mallocs() if name in found}
    if not mallocs:
        given = "/".join(f"{key}:{value}" for key, value in parameters.items())
        raise CannotJudge(f"the run has no malloc in {family}/{given}")
    return mallocs


def default_of(run: Run, mallocs: Mapping[str, Benchmark]) -> str:
    """The malloc a program gets that asks for none: the process's own, where it was measured."""
    own = str(run.context.get("process_malloc", ""))
    return own if own in mallocs else next(iter(mallocs))


def fastest_of(mallocs: Mapping[str, Benchmark]) -> str:
    costs = query.middles(query.medians(mallocs))
    return min(costs, key=lambda name: costs[name])


def ends(run: Run, key: str, family: str, **parameters: object) -> tuple[int, int]:
    """The least and the greatest value of a parameter. Raises CannotJudge where they are the same."""
    values = query.numbers(run, key, family, **parameters)
    if len(values) < 2:
        raise CannotJudge(f"the run does not have {family} over {key}")
    return values[0], values[-1]


ComparedPair = tuple[Benchmark, Benchmark]  # what is compared, and with what


def ratio(above: Benchmark, below: Benchmark) -> Estimate:
    """Raises CannotJudge."""
    found = query.ratio_of(above, below)
    if found is None:
        raise CannotJudge(f"{below.name} has no measurable time")
    if min(len(above.times), len(below.times)) < LEAST_PROCESSES:
        raise Undecided(f"{min(len(above.times), len(below.times))} of the {LEAST_PROCESSES} processes a verdict needs")
    return found


def ratios(pairs: Mapping[str, ComparedPair]) -> dict[str, Estimate]:
    """The first of each pair over the second; the more there are, the wider each interval. Raises CannotJudge."""
    for above, below in pairs.values():
        ratio(above, below)
    firsts = {name: above for name, (above, _) in pairs.items()}
    return query.ratios(firsts, {name: below for name, (_, below) in pairs.items()})


def few_cycles_apart(above: Benchmark, below: Benchmark) -> bool:
    """Whether the one costs but a few cycles more than the other, at the least favourable ends of their intervals."""
    if not above.cycles or not below.cycles:
        return False
    dearer, cheaper = estimate_median(above.cycles), estimate_median(below.cycles)
    return dearer.has_interval and cheaper.has_interval and dearer.high - cheaper.low <= FEW_CYCLES


def depends(above: Benchmark, below: Benchmark) -> bool | None:
    """Whether the one costs more than the other by what matters; None where that is open."""
    compared = ratio(above, below)
    if is_no_more(compared) or few_cycles_apart(above, below):
        return False
    return True if is_more(compared) else None


def counter(one: Benchmark, key: str) -> Estimate:
    """A counter's median with its interval. Raises CannotJudge."""
    values: Sequence[float] = one.counter(key)
    if not values:
        raise CannotJudge(f"the run has no {key} of {one.name}")
    return estimate_median(values)


def cores(run: Run, family: str) -> int:
    """As many threads as have a core of their own. Raises CannotJudge where that is one."""
    measured = query.numbers(run, "threads", family)
    fitting = [number for number in measured if number <= (run.fact("cores") or number)]
    if not fitting or fitting[-1] < 2 or fitting[0] != 1:
        raise CannotJudge("the comparison needs two cores, and a measurement with one thread")
    return fitting[-1]
