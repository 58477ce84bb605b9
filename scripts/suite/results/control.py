"""What is a figure worth without its control? Whether it may be told as a ratio, or only as a difference.

The control of a family does everything but what the family asks about: the call alone, the queue alone, the clock alone,
the mutex alone. It is the strategy `none`, or the value `none` of a parameter in families without strategies; a chart
whose family calls it differently says so. Titles, claims and the terminal all compare by these functions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from suite.base import phrases
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import CONFIDENCE, Difference, Estimate, estimate_difference, estimate_ratio, median

Key = TypeVar("Key")

CONTROL = "none"
MOST = 0.5  # a figure is mostly its control if the control's is more than this share of it


def control_of(run: Run, benchmark: Benchmark, called: str = CONTROL) -> Benchmark | None:
    """The family's control with the same numbers, and with most of the same words; None for the control itself."""
    name = benchmark.name
    if _is_control(benchmark, called):
        return None
    numbers = {(key, value) for key, value in name.parameters.items() if name.number(key) is not None}
    by_parameter = _controls(run, name.family, called)
    likely = min((by_parameter.get(number, []) for number in numbers), key=len, default=by_parameter.get(None, []))
    controls = [other for other in likely if numbers <= other.name.parameters.items()]
    if not controls:
        return None
    return max(controls, key=lambda other: len(other.name.parameters.items() & name.parameters.items()))


def _controls(run: Run, family: str, called: str) -> Mapping[tuple[str, str] | None, Sequence[Benchmark]]:
    """The controls of the family with each parameter, and with None, all: a search for the control of each benchmark among
    all benchmarks would cost their number squared."""
    key = (_controls, family, called)
    if key not in run.remembered:
        by_parameter: defaultdict[tuple[str, str] | None, list[Benchmark]] = defaultdict(list)
        for benchmark in run.series(family):
            if _is_control(benchmark, called):
                for parameter in (None, *benchmark.name.parameters.items()):
                    by_parameter[parameter].append(benchmark)
        run.remembered[key] = by_parameter
    found: Mapping[tuple[str, str] | None, Sequence[Benchmark]] = run.remembered[key]
    return found


def _is_control(benchmark: Benchmark, called: str) -> bool:
    """The value `none` of a parameter may also mean something else where the strategy names the control."""
    strategy = benchmark.name.strategy
    return called in benchmark.name.parameters.values() if strategy is None else strategy == called


def is_mostly_control(run: Run, benchmark: Benchmark, called: str = CONTROL) -> bool:
    alone = control_of(run, benchmark, called)
    return alone is not None and median(alone.times) > MOST * median(benchmark.times)


def tells_difference(run: Run, *compared: Benchmark, called: str = CONTROL) -> bool:
    """Whether a comparison of these is stated as a difference: a ratio would mostly be that of two controls."""
    return any(is_mostly_control(run, benchmark, called) for benchmark in compared)


def beyond_control(
    run: Run, benchmarks: Mapping[Key, Benchmark], called: str = CONTROL, counter: str = ""
) -> dict[Key, Difference]:
    """How much more than its control each costs, in ns (or by a counter), where both were measured."""
    pairs = {}
    for key, benchmark in benchmarks.items():
        alone = control_of(run, benchmark, called)
        if alone is not None:
            values = [side.counter(counter) if counter else side.times for side in (benchmark, alone)]
            pairs.update({key: values} if all(values) else {})
    confidence = query.shared_confidence(len(pairs))
    return {key: estimate_difference(above, below, confidence) for key, (above, below) in pairs.items()}


@dataclass(frozen=True)
class Beyond:
    """What a benchmark costs beyond its control, in ns and in core cycles."""

    ns: Difference
    cycles: Difference | None  # where the cycles of both are known

    @property
    def text(self) -> str:
        """`1.2 ns or 4.5 cycles`, or `nothing measurable`."""
        amount = phrases.beyond_control([self.ns])
        counted = self.cycles is not None and phrases.is_left(self.ns) and self.cycles.median > 0.0
        return f"{amount} or {phrases.two_figures(self.cycles.median)} cycles" if counted and self.cycles else amount


def beyond(benchmark: Benchmark, control: Benchmark, confidence: float = CONFIDENCE) -> Beyond:
    """A single benchmark against a control that it names itself."""
    cycles = benchmark.cycles and control.cycles
    return Beyond(
        estimate_difference(benchmark.times, control.times, confidence),
        estimate_difference(benchmark.cycles, control.cycles, confidence) if cycles else None,
    )


def compare(
    run: Run, above: Mapping[Key, Benchmark], below: Mapping[Key, Benchmark], called: str = CONTROL
) -> dict[Key, Estimate]:
    """`above` against `below` where both were measured: ratios, or differences where a ratio would be the control's.

    All of one kind: differences if the control is most of any of the figures.
    """
    both = {key: (benchmark, below[key]) for key, benchmark in above.items() if key in below}
    if tells_difference(run, *(benchmark for pair in both.values() for benchmark in pair), called=called):
        confidence = query.shared_confidence(len(both))
        return {key: estimate_difference(high.times, low.times, confidence) for key, (high, low) in both.items()}
    return dict(query.ratios(above, below))


def compare_two(run: Run, above: Benchmark, below: Benchmark, called: str = CONTROL) -> Estimate | None:
    """The same for a single pair; None where a time was too short to be measured."""
    return compare(run, {"": above}, {"": below}, called).get("")


def to_stack(run: Run, benchmarks: Mapping[str, Benchmark]) -> list[Estimate]:
    """Each malloc library against the stack; nothing where either is missing."""
    libraries = {name: benchmarks[name] for name in run.mallocs() if name in benchmarks}
    stack = benchmarks.get("stack_array")
    return [] if stack is None else list(compare(run, libraries, dict.fromkeys(libraries, stack)).values())


# ---- growth with the number of threads


@dataclass(frozen=True)
class Growth:
    """What an operation costs with several threads, as a multiple of what it costs with a single thread."""

    ratio: Estimate
    beyond: Estimate | None = None  # over the control's ratio in the same process; None without a control

    @property
    def is_measurable(self) -> bool:
        """Whether the cost grows, beyond what the cores do to the control."""
        of_memory = self.beyond or self.ratio
        return of_memory.has_interval and of_memory.low > 1.0


@dataclass(frozen=True)
class Growths:
    by_strategy: Mapping[str, Growth]
    control: Estimate | None


def growths(run: Run, family: str, strategies: Iterable[str], threads: int, **parameters: object) -> Growths:
    """The growth of each strategy from one thread to `threads`, and the control's: what the cores do to any loop."""
    several, single = (query.by_strategy(run.series(family, None, threads=number, **parameters)) for number in (threads, 1))
    names = [name for name in strategies if name in several and name in single and name != CONTROL]
    ratios = query.ratios({name: several[name] for name in names}, single)
    confidence = query.shared_confidence(len(ratios))
    base = growth_in_each_process(several[CONTROL], single[CONTROL]) if CONTROL in several and CONTROL in single else {}
    beyond = {
        name: estimate_ratio(list(grown.values()), list(base.values()), confidence)
        for name in ratios
        if base and (grown := growth_in_each_process(several[name], single[name]))
    }
    alone = query.ratios({name: several[name] for name in (CONTROL,) if name in several}, single).get(CONTROL)
    return Growths({name: Growth(ratio, beyond.get(name)) for name, ratio in ratios.items()}, alone)


def growth_in_each_process(several: Benchmark, single: Benchmark) -> dict[int, float]:
    """The ratio within each process that measured both, where the times are measurable."""
    base = {sample.process: sample.ns for sample in single.samples if sample.ns > 0.0}
    return {
        sample.process: sample.ns / base[sample.process]
        for sample in several.samples
        if sample.ns > 0.0 and sample.process in base
    }
