"""Is the new side worse? A group-sequential test: from the pairs of every benchmark to its verdict.

The test judges the logarithm of new over old in each pair. A benchmark goes through at most two stages. Each stage has
interim analyses after 1/2, 3/4 and all of `rule.pairs` pairs (10, 15, 20), and a last analysis after twice as many (40)
for benchmarks that are still undecided because the machine is noisy:

1. *Evidence.* Wilcoxon's signed-rank test and the sign test, one-sided and exact; twice the smaller p-value of the two.
   Where one pair in twenty errs far, ranks alone miss one slow benchmark in forty in a suite of 36, because of two
   outliers that the signs outvote; without outliers, the ranks find more. The interim analyses share the level (alpha
   spending: ALPHA_SPENT): a benchmark's p-value is the smallest of p / share over the analyses so far, and the shares
   add up to 1. By Bonferroni's inequality that is a p-value after any number of analyses (a repeated p-value: Jennison
   and Turnbull, Group Sequential Methods, 2000, chapter 9). A stage that ends early, on a budget or an interrupt, spends
   the rest at its last analysis. Benjamini and Hochberg (J. Royal Statistical Society B 57, 1995) at `rule.suspicion`
   over all benchmarks of the comparison, decided benchmarks included.
   *Effect.* The Hodges-Lehmann estimate is over the threshold.
   With both, the benchmark is a suspect. If the interval of the estimate lies within the threshold on both sides, it is
   the *same* (two one-sided tests: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987; each at
   `rule.equivalence` x the analysis's share, so that the intervals are of 98.5, 98, 96.5 and 97 %). With evidence, at
   `rule.improvement`, and effect in the other direction, it is *better*, which fails nothing and is not confirmed.
   Otherwise more pairs are measured; when they are used up, the benchmark is *undecided*.
2. *Confirmation* of the suspects alone, in fresh pairs, with the same test, effect and interim analyses, and with
   Benjamini-Hochberg at `rule.confirmation` over the suspects. A benchmark is *worse* only if both stages say so; its
   ratio comes from the fresh pairs alone, because the pairs that raised a suspicion exaggerate it.

So a comparison of a program with itself fails with a chance of at most suspicion x confirmation = 0.5 %, for any kind
of noise and any number of benchmarks, as long as a pair errs as often to one side as to the other (the random order
within pairs ensures this). Of the benchmarks called worse, at most 2.5 % are not, in expectation: stricter than the
usual 5 %. Other levels for the two stages, 0.05 first and 0.1 then, would need fewer fresh pairs for false suspects,
and find less in large comparisons: one slow benchmark among a hundred becomes a suspect with p < 0.2 / 100 x 0.35 =
0.0007, which twenty pairs with one far outlier reach (0.00035); they do not reach 0.00018.

The test judges time, not cycles: a pair already removes drift, the time of memory does not follow the core's clock, and
the addition that is timed beside has noise of its own. Cycles and instructions stand beside the verdict.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from suite.base.text import three_figures
from suite.gate.comparison import BETTER, NOT_JUDGED, SAME, UNDECIDED, WORSE, Judgement
from suite.gate.pairs_file import CYCLES, NS, Pair
from suite.results.metrics import TIME, UNDECLARED, DeclaredMetrics, Metric, metrics_of
from suite.results.model import WALL_NS, Benchmark, BenchmarkName
from suite.stats.arrays import Floats, np
from suite.stats.estimates import Estimate, estimate_shift, find_modes, median
from suite.stats.multiple import significant
from suite.stats.paired_tests import paired_p_values

PAIRS = 20
THRESHOLD = 0.005  # the smallest change that matters, by default

# Chosen with simulated suites (tests/python/gate/test_sequential_test.py). An analysis of fewer than ten pairs finds
# nothing: a p of 1/512 does not survive Benjamini-Hochberg in a large comparison. The analysis of all pairs gets the
# most, because a change of twice the threshold needs it. The first analysis finds large changes, and ends *same* early;
# the last is for noisy benchmarks, and spends the rest.
INTERIM_ANALYSES = (1 / 2, 3 / 4, 1, 2)
ALPHA_SPENT = (0.15, 0.2, 0.35)
SUSPICION, CONFIRMATION = 0.2, 0.025  # their product bounds how often a comparison with itself fails
IMPROVEMENT = EQUIVALENCE = 0.05

INSTRUCTIONS_STAY = 0.001  # instruction counts repeat to 0.0002: a difference beyond five times that means other code

Series = Mapping[str, Floats]


@dataclass(frozen=True)
class Rule:
    """The parameters of the test."""

    pairs: int = PAIRS  # of each stage, for most benchmarks
    extended: bool = True  # twice as many for the benchmarks that are undecided then
    threshold: float = THRESHOLD
    thresholds: Mapping[str, float] = field(default_factory=dict)  # of single benchmarks, by judgement's name
    floors: Mapping[str, float] = field(default_factory=dict)  # of the calibrated benchmarks, for the reader
    suspicion: float = SUSPICION  # the levels of the first stage, of the second, of *better* and of *same*
    confirmation: float = CONFIRMATION
    improvement: float = IMPROVEMENT
    equivalence: float = EQUIVALENCE
    confirmed: bool = True  # *worse* is confirmed in fresh pairs; else the first stage decides, as it does on *better*

    def threshold_of(self, name: str) -> float:
        """The threshold of a judgement: its own, else its benchmark's own, else the common threshold."""
        return self.thresholds.get(name, self.thresholds.get(name.partition(" ")[0], self.threshold))

    @property
    def interim_analyses(self) -> tuple[int, ...]:
        """The numbers of pairs after which a stage is analysed."""
        return tuple(math.ceil(share * self.pairs) for share in INTERIM_ANALYSES if self.extended or share <= 1)

    @property
    def most_pairs(self) -> int:
        """The largest number of pairs in a stage."""
        return self.interim_analyses[-1]


@dataclass(frozen=True)
class Decision:
    """The verdict on one benchmark, or the number of pairs to measure first."""

    verdict: str
    ratio: Estimate  # of new over old
    pairs: range  # the indices of the pairs that the verdict and the ratio rest on
    pairs_needed: int  # the number of pairs to measure before the next analysis; 0: decided
    suspicion: Estimate | None = None  # the ratio that the first stage found worse

    @property
    def fresh(self) -> int:
        """The number of pairs after the suspicion."""
        return self.pairs.stop - self.suspicion.n if self.suspicion is not None else 0


def group_sequential_test(
    log_ratios: Mapping[str, Sequence[float]], rule: Rule = Rule(), over: bool = True, confirming: bool = False
) -> dict[str, Decision]:
    """The test itself, on log(new / old) of each pair in the order of measuring; at least one pair of each benchmark.

    `over`: no more pairs come, so a benchmark that they do not decide is undecided; otherwise `pairs_needed` says how
    many come next. `confirming`: the suspects are confirmed while other benchmarks are still undecided.

    A benchmark with fewer pairs than the first analysis needs is not judged.
    """
    series = {name: np.asarray(values, dtype=float) for name, values in log_ratios.items()}
    first = _stage(series, rule.suspicion, rule, over)
    if not confirming and any(decision.pairs_needed for decision in first.values()):
        return first
    first |= {
        name: replace(decision, verdict=NOT_JUDGED)
        for name, decision in first.items()
        if len(series[name]) < rule.interim_analyses[0]
    }
    if not rule.confirmed:
        return first
    suspects = {name: decision for name, decision in first.items() if decision.verdict == WORSE}
    fresh = {name: series[name][decision.pairs.stop :] for name, decision in suspects.items()}
    second = _stage(fresh, rule.confirmation, rule, over)
    return first | {name: _confirmed(suspects[name], second[name]) for name in suspects}


def _confirmed(suspect: Decision, fresh: Decision) -> Decision:
    """The fresh pairs decide; without fresh pairs, or where they say *better*, the benchmark is undecided."""
    start = suspect.pairs.stop
    decision = replace(
        fresh, suspicion=suspect.ratio, pairs_needed=start + fresh.pairs_needed if fresh.pairs_needed else 0
    )
    if not fresh.ratio.n:
        return replace(decision, verdict=UNDECIDED, ratio=suspect.ratio, pairs=suspect.pairs)
    verdict = UNDECIDED if fresh.verdict == BETTER else fresh.verdict
    return replace(decision, verdict=verdict, pairs=range(start, start + fresh.pairs.stop))


def _stage(series: Series, level: float, rule: Rule, over: bool) -> dict[str, Decision]:
    """One stage: judges each benchmark from its first pair, until it is decided or the pairs are used up."""
    decisions: dict[str, Decision] = {}
    p_worse, p_better = dict.fromkeys(series, 1.0), dict.fromkeys(series, 1.0)
    level_left = dict.fromkeys(series, 1.0)  # the share of the level that is not spent yet

    def analyse(names: Iterable[str], most: int, share: float | None) -> None:
        shifts, sure = {}, {}
        for name in names:
            values = series[name][:most]
            spent = level_left[name] if share is None else share
            up, down = paired_p_values(values)
            p_worse[name] = min(p_worse[name], up / spent)
            p_better[name] = min(p_better[name], down / spent)
            level_left[name] -= spent
            sure[name] = 1 - 2 * rule.equivalence * spent
            shifts[name] = estimate_shift(values.tolist(), sure[name])
        all_worse, all_better = _discovered(p_worse, level), _discovered(p_better, rule.improvement)
        for name, shift in shifts.items():
            limit = math.log1p(rule.threshold_of(name))
            verdict = _verdict(shift, limit, sure[name], name in all_worse, name in all_better)
            decisions[name] = Decision(verdict, _as_ratio(shift), range(shift.n), 0)

    def undecided() -> list[str]:
        return [name for name in series if name not in decisions or decisions[name].verdict == UNDECIDED]

    for most, share in zip(rule.interim_analyses, (*ALPHA_SPENT[: len(rule.interim_analyses) - 1], None)):
        enough = [name for name in undecided() if len(series[name]) >= most]
        if not over and len(enough) < len(undecided()):
            for name in undecided():
                decisions[name] = replace(decisions.get(name) or _nothing(series[name]), pairs_needed=most)
            return decisions
        analyse(enough, most, share)
    unspent = [name for name in undecided() if len(series[name]) and level_left[name] > 1e-9]
    analyse(unspent, rule.most_pairs, None)
    return decisions | {name: _nothing(series[name]) for name in series if name not in decisions}


def _nothing(values: Floats) -> Decision:
    ratio = _as_ratio(estimate_shift(values.tolist())) if len(values) else Estimate(1.0, 0.0, math.inf, 0.0, 0)
    return Decision(UNDECIDED, ratio, range(len(values)), 0)


def _verdict(shift: Estimate, limit: float, sure: float, evidently_worse: bool, evidently_better: bool) -> str:
    if evidently_worse and shift.median > limit:
        return WORSE
    if evidently_better and shift.median < -limit:
        return BETTER
    # With too few pairs, no interval has the coverage that is required.
    return SAME if shift.coverage >= sure and -limit < shift.low and shift.high < limit else UNDECIDED


def _discovered(p_values: Mapping[str, float], level: float) -> set[str]:
    return {name for name, is_discovery in zip(p_values, significant(list(p_values.values()), level)) if is_discovery}


def _as_ratio(shift: Estimate) -> Estimate:
    return replace(shift, median=math.exp(shift.median), low=math.exp(shift.low), high=math.exp(shift.high))


# ---- from pairs to judgements


def judge_pairs(
    pairs: Mapping[str, Sequence[Pair]], rule: Rule = Rule(), over: bool = True, declared: DeclaredMetrics = UNDECLARED
) -> dict[str, Judgement]:
    """The judgement on each figure of each benchmark, by `name`, or by `name counter` where the figure is a counter.

    Benchmarks without a ratio are left out: see `without_ratio`.
    """
    metrics = paired_metrics(pairs, declared)
    decided = group_sequential_test({key: metric.logs for key, metric in metrics.items()}, rule, over)
    return {key: _judgement(key, metric, decided[key], rule) for key, metric in metrics.items()}


def pairs_needed(
    pairs: Mapping[str, Sequence[Pair]],
    rule: Rule = Rule(),
    declared: DeclaredMetrics = UNDECLARED,
    confirming: bool = False,
) -> dict[str, int]:
    """The number of pairs that each undecided benchmark needs; with `confirming`, of the suspects where there are any."""
    metrics = paired_metrics(pairs, declared)
    logs = {key: metric.logs for key, metric in metrics.items()}
    decisions = group_sequential_test(logs, rule, over=False)
    if confirming:
        confirmed = group_sequential_test(logs, rule, over=False, confirming=True)
        suspects = {key: decision for key, decision in confirmed.items() if decision.suspicion is not None}
        decisions = {key: decision for key, decision in suspects.items() if decision.pairs_needed} or decisions
    needs: dict[str, int] = {}
    for key, decision in decisions.items():
        if decision.pairs_needed:
            name = metrics[key].name
            needs[name] = max(needs.get(name, 0), decision.pairs_needed)
    return needs


def cut_short(
    pairs: Mapping[str, Sequence[Pair]], rule: Rule = Rule(), declared: DeclaredMetrics = UNDECLARED
) -> list[str]:
    """A sentence for each benchmark that seemed worse when the measuring ended, before fresh pairs could settle it."""
    decided = group_sequential_test({key: metric.logs for key, metric in paired_metrics(pairs, declared).items()}, rule)
    unsettled = {
        key: decision
        for key, decision in decided.items()
        if decision.suspicion is not None and decision.verdict == UNDECIDED
    }
    return [
        f"{key}: {_suspicion(decision)}; measuring ended after {decision.fresh} fresh pairs, before they settled it"
        for key, decision in unsettled.items()
        if decision.fresh < rule.most_pairs
    ]


def _suspicion(decision: Decision) -> str:
    assert decision.suspicion is not None
    return f"seemed worse by {decision.suspicion.median - 1:+.1%} in the first {decision.suspicion.n} pairs"


def without_ratio(pairs: Mapping[str, Sequence[Pair]], declared: DeclaredMetrics = UNDECLARED) -> list[str]:
    """A sentence for each figure of the old side that cannot be judged, and each benchmark without a figure."""
    judged = paired_metrics(pairs, declared)
    reason = "its figure is missing or not above zero, so it has no ratio"
    expected: list[str] = []
    for name, benchmark_pairs in pairs.items():
        old = Benchmark(BenchmarkName.parse(name), tuple(pair.old for pair in benchmark_pairs))
        expected += [metric.named(name) for metric in metrics_of(old, declared)] or [name]
    return [f"{key}: {reason}" for key in expected if key not in judged]


@dataclass(frozen=True)
class PairedMetric:
    """One figure of one benchmark in all its pairs."""

    name: str
    metric: Metric
    pairs: Sequence[Pair]
    old: tuple[float, ...]
    new: tuple[float, ...]

    @property
    def logs(self) -> list[float]:
        """The logarithms of the ratios of costs: inverted where a smaller figure is worse."""
        sign = 1.0 if self.metric.more_is_worse else -1.0
        return [sign * self._log_ratio(*values) for values in zip(self.pairs, self.old, self.new)]

    def _log_ratio(self, pair: Pair, old: float, new: float) -> float:
        """Of the pair's rounds, where it had any and no figure is too small to count."""
        of_rounds = pair.log_ratio(self.metric.counter or NS)
        return math.log(new / old) if of_rounds is None or min(old, new) <= self.metric.least else of_rounds


def paired_metrics(
    pairs: Mapping[str, Sequence[Pair]], declared: DeclaredMetrics = UNDECLARED
) -> dict[str, PairedMetric]:
    """Every figure that can be judged, by the name of its judgement."""
    metrics = {}
    for name, benchmark_pairs in pairs.items():
        sides = [
            Benchmark(BenchmarkName.parse(name), tuple(samples))
            for samples in zip(*((pair.old, pair.new) for pair in benchmark_pairs))
        ]
        for metric in metrics_of(sides[0], declared) if sides else ():
            old, new = (metric.values(benchmark) for benchmark in sides)
            if len(old) == len(new) == len(benchmark_pairs) and min((*old, *new)) > 0.0:
                metrics[metric.named(name)] = PairedMetric(name, metric, benchmark_pairs, old, new)
    return metrics


def _judgement(key: str, metric: PairedMetric, decision: Decision, rule: Rule) -> Judgement:
    used = slice(decision.pairs.start, decision.pairs.stop)
    threshold = rule.threshold_of(key)
    other_ratios = _other_ratios(metric.pairs[used]) if metric.metric == TIME else {}
    not_judged = decision.verdict == NOT_JUDGED
    bimodal = [] if not_judged else _bimodal_notes(metric)
    notes = list(bimodal)
    if not_judged:
        notes.append(f"{len(metric.pairs)} pairs: the first analysis needs {rule.interim_analyses[0]}")
    if not metric.metric.more_is_worse:
        notes.append("a smaller figure is worse here, so the ratio is old over new")
    if decision.suspicion is not None and decision.verdict != WORSE:
        notes.append(f"{_suspicion(decision)}, which {decision.fresh} fresh pairs did not confirm")
    instructions = other_ratios.get("instructions")
    up = decision.ratio.median - 1 > threshold and decision.verdict in (WORSE, UNDECIDED)
    if up and instructions is not None and abs(instructions.median - 1) < INSTRUCTIONS_STAY:
        notes.append("layout suspect: the same instructions take longer (code layout, the caches, or another load)")
    return Judgement(
        name=key,
        verdict=UNDECIDED if bimodal else decision.verdict,
        ratio=decision.ratio,
        threshold=threshold,
        old_ns=median(metric.old[used]),
        new_ns=median(metric.new[used]),
        others=other_ratios,
        floor=rule.floors.get(key),
        notes=tuple(notes),
        quarantined=bool(bimodal),
        unit=metric.metric.unit,
    )


def _other_ratios(pairs: Sequence[Pair]) -> dict[str, Estimate]:
    """The ratios of other figures that every process has: cycles, instructions, and wall time where CPU time decides."""
    ratios = {}
    for title, figure in (("cycles", CYCLES), ("instructions", "instructions"), ("wall clock", WALL_NS)):
        logs = [ratio for pair in pairs if (ratio := pair.log_ratio(figure)) is not None]
        if len(logs) == len(pairs):
            ratios[title] = _as_ratio(estimate_shift(logs))
    return ratios


def _bimodal_notes(metric: PairedMetric) -> list[str]:
    """A sentence for each bimodal side: its processes fall into two groups while their partners do not.

    The outermost tenth at each end is left out, so that a few outliers neither make a mode nor hide one. A jump of the
    clock moves both sides of a pair, so it does not make one side bimodal.
    """
    notes = []
    for side, values, partners in (("old", metric.old, metric.new), ("new", metric.new, metric.old)):
        tenth = math.ceil(len(values) / 10)
        modes = find_modes(sorted(values)[tenth : len(values) - tenth])
        if modes is None:
            continue
        middle = math.sqrt(modes[0] * modes[1])
        low = [partner for value, partner in zip(values, partners) if value < middle]
        high = [partner for value, partner in zip(values, partners) if value >= middle]
        if median(high) / median(low) < math.sqrt(modes[1] / modes[0]):
            unit = metric.metric.unit
            notes.append(f"bimodal on the {side} side, at {three_figures(modes[0])} and {three_figures(modes[1])} {unit}: not averaged")
    return notes
