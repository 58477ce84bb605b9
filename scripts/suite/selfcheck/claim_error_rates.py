"""How often is the verdict on a claim wrong? Simulated runs of known truth, looked at as scripts/run looks at them.

A simulated run has a few comparisons whose true ratios are known, and noise of a known shape. It is measured in the
planned processes and then further, look after look, as long as a verdict needs it. A verdict is wrong if anything that
it states is not true: that all cost more, that none does, or what it says of each comparison that it judges. *Undecided*
states nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from suite.claims.inputs import ComparedPair, by_turns, ratios
from suite.claims.verdict import (
    DOES_NOT_HOLD,
    HOLDS,
    MATTERS,
    SLIGHT,
    UNDECIDED,
    Comparison,
    Numbers,
    Shown,
    Undecided,
    Verdict,
    of_all,
    of_all_in_order,
    shown_by,
)
from suite.results.model import Benchmark, BenchmarkName, Sample
from suite.stats.looks import looks_after

RUNS = 1000
PROCESSES = 5  # as a quick run has

Draw = Callable[[random.Random], float]  # the factor of one process


def _lognormal(deviation: float) -> Draw:
    return lambda chance: math.exp(chance.gauss(0.0, deviation))


def _two_layouts(chance: random.Random) -> float:
    """Half of the processes get a layout that costs 1.3 times as much."""
    return (1.3 if chance.random() < 0.5 else 1.0) * math.exp(chance.gauss(0.0, 0.01))


def _outliers(chance: random.Random) -> float:
    """One process in ten is disturbed, and takes up to five times as long."""
    return math.exp(chance.gauss(0.0, 0.03)) * (1 + 4 * chance.random() if chance.random() < 0.1 else 1.0)


def _skewed(chance: random.Random) -> float:
    """Never faster than the code allows, and sometimes much slower."""
    return 1 + 0.1 * chance.expovariate(1.0)


NOISE: Mapping[str, Draw] = {
    "3 %": _lognormal(0.03), "10 %": _lognormal(0.1), "two layouts": _two_layouts, "outliers": _outliers, "skewed": _skewed,
}  # fmt: skip

# On each side of every bound, and far from all: where a verdict errs most, and where it should not err at all.
HAIR = 1.0001
TRUTHS: Mapping[str, Sequence[float]] = {
    "just more": (MATTERS * HAIR,), "just no more": (MATTERS / HAIR,), "just slightly more": (HAIR,), "the same": (1 / HAIR,),
    "slightly more": (1.05,), "1.15 times": (1.15,), "just slightly": (SLIGHT / HAIR,),
    "just not slightly": (SLIGHT * HAIR,), "twice": (2.0,),
    "five just more": (MATTERS * HAIR,) * 5, "five just no more": (MATTERS / HAIR,) * 5,
    "five just not slightly": (SLIGHT * HAIR,) * 5, "four 1.15 times, one the same": (1.15,) * 4 + (1 / HAIR,),
    "four 1.15 times, one just not slightly": (1.15,) * 4 + (SLIGHT * HAIR,),
    "four twice, one just no more": (2.0,) * 4 + (MATTERS / HAIR,),
    "four the same, one just more": (1.0,) * 4 + (MATTERS * HAIR,),
    "five of all kinds": (0.9, 1.0, MATTERS / HAIR, MATTERS * HAIR, 2.0),
}  # fmt: skip


@dataclass(frozen=True)
class ErrorRate:
    truth: str
    noise: str
    design: str
    runs: int
    wrong: int
    undecided: int
    processes: float  # the mean number of processes of a benchmark that ended a comparison


@dataclass(frozen=True)
class Design:
    """How the benchmarks of a claim are measured and compared."""

    name: str
    benchmarks: Callable[[Sequence[float], Draw, random.Random], Mapping[str, Callable[[int], Sample]]]
    compare: Callable[[Mapping[str, Benchmark], int], dict[str, Comparison]]
    in_order: bool = False  # the verdict takes the comparisons in their order, else all together

    def judge(self, compared: Mapping[str, Comparison]) -> Verdict:
        if self.in_order:
            return of_all_in_order(compared, Numbers(""), lambda name: f"only before {name}")
        return of_all(compared, Numbers(""), lambda rest: f"not for {len(rest)}")

    def is_wrong(self, verdict: Verdict, compared: Mapping[str, Comparison], truths: Sequence[float]) -> bool:
        if verdict.verdict == UNDECIDED:
            return False
        if verdict.verdict == HOLDS:
            return min(truths) <= MATTERS
        if verdict.verdict == DOES_NOT_HOLD:
            return (truths[0] if self.in_order else max(truths)) > MATTERS
        if not self.in_order:
            ratios = compared.values()
            if {shown_by(ratio) for ratio in ratios} == {Shown.SLIGHTLY_MORE}:  # told with a single interval for all
                low, high = min(ratio.low for ratio in ratios), max(ratio.high for ratio in ratios)
                return not low <= min(truths) <= max(truths) <= high
            return any(_is_wrong_of(ratio.apart or ratio, truth) for ratio, truth in zip(ratios, truths))
        last = next(place for place, ratio in enumerate(compared.values()) if shown_by(ratio) is not Shown.MORE)
        return any(_is_wrong_of(ratio, truth) for ratio, truth in list(zip(compared.values(), truths))[: last + 1])


def _apart(truths: Sequence[float], noise: Draw, chance: random.Random) -> Mapping[str, Callable[[int], Sample]]:
    """All are compared with one benchmark, as mallocs are with the stack."""

    def measuring(ratio: float) -> Callable[[int], Sample]:
        return lambda process: Sample(process, 10.0 * ratio * noise(chance), {})

    return {"below": measuring(1.0)} | {f"above_{number}": measuring(ratio) for number, ratio in enumerate(truths)}


def _compare_apart(benchmarks: Mapping[str, Benchmark], comparisons: int) -> dict[str, Comparison]:
    pairs: dict[str, ComparedPair] = {
        str(number): (benchmarks[f"above_{number}"], benchmarks["below"]) for number in range(comparisons)
    }
    return ratios(pairs)


def _by_turns(truths: Sequence[float], noise: Draw, chance: random.Random) -> Mapping[str, Callable[[int], Sample]]:
    """Both sides in one process, which differ less than processes do."""

    def measuring(ratio: float) -> Callable[[int], Sample]:
        def sample(process: int) -> Sample:
            low, high = (10.0 * noise(chance) ** 0.3 for _ in range(2))
            return Sample(process, low, {"below": low, "above": high * ratio})

        return sample

    return {f"turns_{number}": measuring(ratio) for number, ratio in enumerate(truths)}


def _compare_turns(benchmarks: Mapping[str, Benchmark], comparisons: int) -> dict[str, Comparison]:
    return by_turns({str(number): benchmarks[f"turns_{number}"] for number in range(comparisons)}, "above", "below")


DESIGNS = (
    Design("processes apart", _apart, _compare_apart), Design("by turns", _by_turns, _compare_turns),
    Design("in order", _apart, _compare_apart, in_order=True),
)  # fmt: skip


def error_rate(truth: str, noise: str, design: Design, runs: int, seed: int) -> ErrorRate:
    """How often the verdict of simulated runs is wrong, for one truth and one shape of noise."""
    chance = random.Random(f"{seed}/{truth}/{noise}/{design.name}")
    truths = TRUTHS[truth]
    ended = [_simulated(truths, NOISE[noise], design, chance) for _ in range(runs)]
    wrong = sum(design.is_wrong(verdict, compared, truths) for verdict, compared, _ in ended)
    undecided = sum(verdict.verdict == UNDECIDED for verdict, _, _ in ended)
    return ErrorRate(truth, noise, design.name, runs, wrong, undecided, sum(most for _, _, most in ended) / runs)


def _simulated(
    truths: Sequence[float], noise: Draw, design: Design, chance: random.Random
) -> tuple[Verdict, dict[str, Comparison], int]:
    looks = looks_after(PROCESSES)
    measuring = design.benchmarks(truths, noise, chance)
    benchmarks = {name: Benchmark(BenchmarkName.parse(name), (), looks=looks) for name in measuring}
    needed: Sequence[str] = tuple(measuring)
    for processes in looks:
        for name in needed:
            begun = benchmarks[name].samples
            more = tuple(measuring[name](process) for process in range(len(begun), processes))
            benchmarks[name] = replace(benchmarks[name], samples=begun + more)
        compared = design.compare(benchmarks, len(truths))
        try:
            verdict = design.judge(compared)
        except Undecided as reason:
            verdict = Verdict(UNDECIDED, Numbers(str(reason)), needs=reason.needs)
        needed = verdict.needs
        if not needed:
            break
    return verdict, compared, max(len(benchmark.samples) for benchmark in benchmarks.values())


def _is_wrong_of(ratio: Comparison, truth: float) -> bool:
    """A slight difference is told with its interval, which must hold the truth."""
    shown = shown_by(ratio)
    if shown is Shown.MORE:
        return truth <= MATTERS
    if shown is Shown.NO_MORE:
        return truth > MATTERS
    return shown is Shown.SLIGHTLY_MORE and not ratio.low <= truth <= ratio.high


def error_rates(
    runs: int, seed: int, observe: Callable[[int, int], None] = lambda done, total: None
) -> list[ErrorRate]:
    """Every truth with every shape of noise in every design."""
    cases = [(truth, noise, design) for design in DESIGNS for truth in TRUTHS for noise in NOISE]
    rates = []
    for done, (truth, noise, design) in enumerate(cases):
        observe(done, len(cases))
        rates.append(error_rate(truth, noise, design, runs, seed))
    return rates


def table(rates: Sequence[ErrorRate]) -> str:
    """In Markdown: for each truth, the worst shape of noise."""
    lines = [
        "| design | truth | worst noise | wrong | undecided | processes |",
        "|---|---|---|--:|--:|--:|",
    ]
    for design in DESIGNS:
        for truth in TRUTHS:
            mine = [rate for rate in rates if (rate.design, rate.truth) == (design.name, truth)]
            worst = max(mine, key=lambda rate: rate.wrong)
            lines.append(
                f"| {design.name} | {truth} | {worst.noise} | {worst.wrong / worst.runs:.1%} | "
                f"{max(rate.undecided / rate.runs for rate in mine):.1%} | {max(rate.processes for rate in mine):.0f} |"
            )
    worst = max(rates, key=lambda rate: rate.wrong / rate.runs)
    total = sum(rate.wrong for rate in rates) / sum(rate.runs for rate in rates)
    lines += ["", f"Of {worst.runs:,} runs of each kind, at most {worst.wrong / worst.runs:.1%} end with a wrong verdict; "
              f"of all, {total:.2%}."]  # fmt: skip
    return "\n".join(lines)
