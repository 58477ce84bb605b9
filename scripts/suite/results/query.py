"""Which figures does a chart read from the run? Those of one family by strategy, as medians or as ratios."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from suite.results.model import Benchmark, Run
from suite.stats.estimates import CONFIDENCE, Estimate, estimate_median, estimate_ratio

Key = TypeVar("Key")

NEW_DELETE = "new_delete"  # the strategy that is operator new and delete of the process
MOST_MALLOCS = 10  # more lines than these and the stack's and the arena's cannot be labelled


def by_strategy(benchmarks: Iterable[Benchmark]) -> dict[str, Benchmark]:
    return {benchmark.name.strategy: benchmark for benchmark in benchmarks if benchmark.name.strategy is not None}


def by_number(benchmarks: Iterable[Benchmark], key: str) -> dict[int, Benchmark]:
    """By the whole number that `key` has in the name, ascending."""
    numbered = {number: benchmark for benchmark in benchmarks if (number := benchmark.name.number(key)) is not None}
    return {number: numbered[number] for number in sorted(numbered)}


def over(run: Run, key: str, family: str, strategy: str, **parameters: object) -> dict[int, Benchmark]:
    """One strategy over a quantity."""
    return by_number(run.series(family, strategy, **parameters), key)


def numbers(run: Run, key: str, family: str, **parameters: object) -> list[int]:
    """The values the quantity takes, ascending."""
    return list(by_number(run.series(family, None, **parameters), key))


def longest(run: Run, family: str, key: str) -> dict[str, int]:
    """The parameter with its largest value: the published workload of a family that has a shorter workload beside it.
    Empty where the family has no such parameter."""
    return {key: number for number in numbers(run, key, family)[-1:]}


def is_power_of_two(value: int) -> bool:
    return value & (value - 1) == 0


def ordinary(sides: Iterable[int]) -> int:
    """The largest side that is not a power of two (whose rows compete for few sets of the caches); else the largest."""
    known = sorted(sides)
    return next((side for side in reversed(known) if not is_power_of_two(side)), known[-1])


def ends(values: Sequence[int]) -> list[int]:
    """The first and the last value: a single value if both are the same, an empty list without values."""
    return list(dict.fromkeys((*values[:1], *values[-1:])))


def contending(run: Run, threads: Iterable[int]) -> int:
    """The largest of these numbers with a core for each thread; the smallest above 1 where no number fits."""
    cores = run.fact("cores")
    several = sorted(number for number in threads if number > 1)
    fitting = [number for number in several if number <= (cores or number)]
    return max(fitting) if fitting else several[0] if several else 1


def mallocs(run: Run, family: str) -> list[str]:
    """The malloc libraries the family was measured with."""
    available = run.mallocs()
    return [name for name in run.strategies(family) if name in available][:MOST_MALLOCS]


def default_malloc(run: Run, family: str) -> str:
    """The strategy that is the malloc of a program that does not choose another: under its own name, or, where the family
    was not measured with that, as new and delete of the process.

    For a text that calls it the default malloc, without its name."""
    malloc = str(run.context.get("process_malloc"))
    return malloc if malloc in run.strategies(family) else NEW_DELETE


def malloc_to_name(run: Run, measured: Collection[str]) -> str | None:
    """The malloc library whose figure stands for all in a text that names it: the default malloc if it was measured under
    its own name, else the first library that was."""
    known = dict.fromkeys((str(run.context.get("process_malloc")), *run.mallocs()))
    return next((name for name in known if name in measured), None)


def leading(run: Run, family: str) -> list[str]:
    """What a chart with a line for each strategy shows: the stack, the arena and every malloc library."""
    first = [name for name in ("stack_array", "arena") if name in run.strategies(family)]
    return first + mallocs(run, family)


def medians(benchmarks: Mapping[Key, Benchmark], per: Callable[[Key], float] | None = None) -> dict[Key, Estimate]:
    """The cost of each, or a `per`-th of it."""
    return {
        key: estimate_median([ns / (per(key) if per else 1.0) for ns in benchmark.times])
        for key, benchmark in benchmarks.items()
    }


def counted(
    benchmarks: Mapping[Key, Benchmark], counter: str, per: Callable[[Key], float] | None = None
) -> dict[Key, Estimate]:
    """A counter of each that has it, or a `per`-th of it."""
    return {
        key: estimate_median([value / (per(key) if per else 1.0) for value in benchmark.counter(counter)])
        for key, benchmark in benchmarks.items()
        if benchmark.counter(counter)
    }


def on_huge_pages(benchmarks: Mapping[str, Benchmark]) -> list[str]:
    """Those whose memory was granted huge pages for the most part, which is faster for that alone."""
    return [name for name, share in counted(benchmarks, "huge_share").items() if share.median > 0.5]


def gain_of_huge_pages(benchmarks: Mapping[str, Benchmark], small: str) -> str:
    """For a subtitle: that huge pages alone are not measurably faster than the small pages of `small`; or empty."""
    whole = {
        name: benchmark
        for name, benchmark in benchmarks.items()
        if small in benchmarks and min(benchmark.counter("huge_share"), default=0.0) >= 1.0
    }
    gains = ratios(dict.fromkeys(whole, benchmarks[small]), whole) if whole else {}
    if not any(gain.has_interval and gain.low <= 1.0 for gain in gains.values()):
        return ""
    return ", not measurably faster: a guest's huge pages may lie on small pages of its host"


def ratios(above: Mapping[Key, Benchmark], below: Mapping[Key, Benchmark]) -> dict[Key, Estimate]:
    """How many times `below` each of `above` costs, where both were measured.

    The more ratios, the wider each interval (Bonferroni): a single ratio of many may differ by chance.
    """
    both = {key: (benchmark, below[key]) for key, benchmark in above.items() if key in below}
    confidence = shared_confidence(len(both))
    compared = {key: ratio_of(benchmark, base, confidence) for key, (benchmark, base) in both.items()}
    return {key: ratio for key, ratio in compared.items() if ratio is not None}


def shared_confidence(number: int) -> float:
    """Of each of so many intervals that are read together (Bonferroni)."""
    return 1 - (1 - CONFIDENCE) / max(1, number)


def ratio_of(above: Benchmark, below: Benchmark, confidence: float = CONFIDENCE) -> Estimate | None:
    """None where a time was too short to be measured: nothing can be divided by it."""
    positive = min((*above.times, *below.times)) > 0.0
    return estimate_ratio(above.times, below.times, confidence) if positive else None


def against_one(benchmarks: Mapping[Key, Benchmark], base: Benchmark | None) -> dict[Key, Estimate]:
    return {} if base is None else ratios(benchmarks, dict.fromkeys(benchmarks, base))


def middles(estimates: Mapping[Key, Estimate]) -> dict[Key, float]:
    return {key: estimate.median for key, estimate in estimates.items()}
