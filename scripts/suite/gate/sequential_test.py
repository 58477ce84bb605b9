"""Is the new side worse? The rule of a duet: from the pairs of every benchmark to a verdict on each.

What is judged is the logarithm of new over old in each pair, ns of wall clock. A benchmark goes through at most two
stages, each looked at when 1/2, 3/4 and all of `rule.pairs` pairs are there (10, 15, 20), and what is open then, as the
machine is too noisy for it, once more when there are twice as many (40):

1. *Evidence.* Wilcoxon's signed-rank test and the sign test, one-sided and exact; twice the smaller p-value of the two.
   Where one pair in twenty errs far, ranks alone lose one slow benchmark in forty of a suite of 36, to two outliers
   that the signs outvote; where none does, the ranks see more. A benchmark's p-value is the smallest of p / share over
   the looks so far, where the looks' shares (SPENT) add up to one: by Bonferroni's inequality that is a p-value however
   often one looked (a repeated p-value: Jennison and Turnbull, Group Sequential Methods, 2000, chapter 9). A stage that
   ends early, on a budget or an interrupt, spends all that is left at its last look. Benjamini and Hochberg (J. Royal
   Statistical Society B 57, 1995) at `rule.suspicion` over all benchmarks of the comparison, the decided ones included.
   *Effect.* The Hodges-Lehmann estimate is over the threshold.
   Both: a suspect. The interval of the estimate lies within the threshold to either side: *same* (two one-sided tests:
   Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987; each at `rule.equivalence` x the look's share, so that
   the intervals of the looks are of 98.5, 98, 96.5 and 97 %). Evidence, at `rule.improvement`, and effect the other
   way: *better*, which fails nothing and is not confirmed.
   Otherwise it goes on, and is *undecided* when the pairs are used up.
2. *Confirmation*, of the suspects alone, in fresh pairs, with the same test, effect, looks, and Benjamini-Hochberg at
   `rule.confirmation` over the suspects. *Worse* is only what is worse in both; its ratio comes from the fresh pairs
   alone, because the pairs that raised a suspicion exaggerate it.

So a comparison of a thing with itself fails with a chance of at most suspicion x confirmation = 0.5 %, whatever the
noise is like and however many benchmarks there are, as long as a pair is as likely to err to one side as to the other
(which the random order within pairs sees to); and of what is called worse, at most 2.5 % is not, in expectation:
stricter than the usual 0.05. Splitting the proof between two independent stages so, rather than 0.05 first and 0.1
then, costs some fresh pairs for false suspects, and finds more in large comparisons: one slow benchmark among a hundred
becomes a suspect with p < 0.2 / 100 x 0.35 = 0.0007, which twenty pairs reach with one far outlier among them
(0.00035); it would not with 0.00018.

Time is judged, not cycles: what drifts, a pair has taken out already, the time that memory takes does not follow the
core's clock, and the addition timed beside has noise of its own. Cycles and instructions stand beside the verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from suite.gate.comparison import BETTER, SAME, UNDECIDED, WORSE, Judgement
from suite.gate.pairs_file import Pair
from suite.results.metrics import TIME, Metric, metrics_of
from suite.results.model import WALL_NS, Benchmark, BenchmarkName, Sample
from suite.stats.estimates import Estimate, estimate_shift, find_modes, median
from suite.stats.multiple import significant
from suite.stats.paired_tests import paired_p_values

PAIRS = 20
THRESHOLD = 0.01  # the smallest change that matters, where nothing else is said

# Simulated suites (tests/python/gate/test_sequential_test.py) settle these. A look after fewer than ten pairs finds nothing: a p of
# 1/512 does not survive Benjamini-Hochberg in any comparison of size. The look at all pairs gets the most, because a
# change of twice the threshold needs it; the first is there for changes that need no test, and to end what is *same*
# early; the last for what noise hides, which it may spend what is left on.
INTERIM_ANALYSES = (1 / 2, 3 / 4, 1, 2)
ALPHA_SPENT = (0.15, 0.2, 0.35)
SUSPICION, CONFIRMATION = 0.2, 0.025  # their product bounds how often a comparison with itself fails
IMPROVEMENT = EQUIVALENCE = 0.05

INSTRUCTIONS_STAY = 0.001  # instruction counts repeat to 0.0002: beyond five times that, other code ran

Series = Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Rule:
    """How to decide."""

    pairs: int = PAIRS  # of each stage, for most benchmarks
    extended: bool = True  # twice as many of those that are open then
    threshold: float = THRESHOLD
    thresholds: Mapping[str, float] = field(default_factory=dict)  # of those that have their own, by judgement's name
    floors: Mapping[str, float] = field(default_factory=dict)  # of those that were calibrated, to be told
    suspicion: float = SUSPICION  # the levels of the first stage, of the second, of *better* and of *same*
    confirmation: float = CONFIRMATION
    improvement: float = IMPROVEMENT
    equivalence: float = EQUIVALENCE

    def threshold_of(self, name: str) -> float:
        """A benchmark's own threshold is that of each of its figures."""
        return self.thresholds.get(name, self.thresholds.get(name.partition(" ")[0], self.threshold))

    @property
    def interim_analyses(self) -> tuple[int, ...]:
        return tuple(math.ceil(share * self.pairs) for share in INTERIM_ANALYSES if self.extended or share <= 1)

    @property
    def most_pairs(self) -> int:
        """Pairs of a stage."""
        return self.interim_analyses[-1]


@dataclass(frozen=True)
class Decision:
    """What the rule says of one benchmark."""

    verdict: str
    ratio: Estimate  # of new over old
    pairs: range  # those that the verdict and the ratio rest on
    pairs_needed: int  # so many pairs are needed before more can be said; 0: decided
    suspicion: Estimate | None = None  # the ratio that the first stage found worse

    @property
    def fresh(self) -> int:
        """How many pairs came after the suspicion."""
        return self.pairs.stop - self.suspicion.n if self.suspicion is not None else 0


def group_sequential_test(
    log_ratios: Mapping[str, Sequence[float]], rule: Rule = Rule(), over: bool = True
) -> dict[str, Decision]:
    """The rule itself, on log(new / old) of each pair in the order of measuring; needs at least one of each benchmark.

    `over`: no more pairs come, so that what they do not decide is undecided; otherwise `wanted` says what comes next.
    """
    series = {name: np.asarray(values, dtype=float) for name, values in log_ratios.items()}
    first = _stage(series, rule.suspicion, rule, over)
    if any(decision.pairs_needed for decision in first.values()):
        return first
    suspects = {name: decision for name, decision in first.items() if decision.verdict == WORSE}
    fresh = {name: series[name][decision.pairs.stop :] for name, decision in suspects.items()}
    second = _stage(fresh, rule.confirmation, rule, over)
    return first | {name: _confirmed(suspects[name], second[name]) for name in suspects}


def _confirmed(suspect: Decision, fresh: Decision) -> Decision:
    """The fresh pairs have the word; without any, or where they find it better, nothing is decided."""
    start = suspect.pairs.stop
    decision = replace(
        fresh, suspicion=suspect.ratio, pairs_needed=start + fresh.pairs_needed if fresh.pairs_needed else 0
    )
    if not fresh.ratio.n:
        return replace(decision, verdict=UNDECIDED, ratio=suspect.ratio, pairs=suspect.pairs)
    verdict = UNDECIDED if fresh.verdict == BETTER else fresh.verdict
    return replace(decision, verdict=verdict, pairs=range(start, start + fresh.pairs.stop))


def _stage(series: Series, level: float, rule: Rule, over: bool) -> dict[str, Decision]:
    """One stage: each benchmark from its first pair, until it is decided or the pairs are used up."""
    decisions: dict[str, Decision] = {}
    p_worse, p_better = dict.fromkeys(series, 1.0), dict.fromkeys(series, 1.0)
    level_left = dict.fromkeys(series, 1.0)  # of the level, to spend

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

    def open_ones() -> list[str]:
        return [name for name in series if name not in decisions or decisions[name].verdict == UNDECIDED]

    for most, share in zip(rule.interim_analyses, (*ALPHA_SPENT[: len(rule.interim_analyses) - 1], None)):
        enough = [name for name in open_ones() if len(series[name]) >= most]
        if not over and len(enough) < len(open_ones()):
            for name in open_ones():
                decisions[name] = replace(decisions.get(name) or _nothing(series[name]), pairs_needed=most)
            return decisions
        analyse(enough, most, share)
    unspent = [name for name in open_ones() if len(series[name]) and level_left[name] > 1e-9]
    analyse(unspent, rule.most_pairs, None)
    return decisions | {name: _nothing(series[name]) for name in series if name not in decisions}


def _nothing(values: npt.NDArray[np.float64]) -> Decision:
    ratio = _as_ratio(estimate_shift(values.tolist())) if len(values) else Estimate(1.0, 0.0, math.inf, 0.0, 0)
    return Decision(UNDECIDED, ratio, range(len(values)), 0)


def _verdict(shift: Estimate, limit: float, sure: float, evidently_worse: bool, evidently_better: bool) -> str:
    if evidently_worse and shift.median > limit:
        return WORSE
    if evidently_better and shift.median < -limit:
        return BETTER
    # Too few pairs have no interval that is as sure as it must be.
    return SAME if shift.coverage >= sure and -limit < shift.low and shift.high < limit else UNDECIDED


def _discovered(p_values: Mapping[str, float], level: float) -> set[str]:
    return {name for name, is_discovery in zip(p_values, significant(list(p_values.values()), level)) if is_discovery}


def _as_ratio(shift: Estimate) -> Estimate:
    return replace(shift, median=math.exp(shift.median), low=math.exp(shift.low), high=math.exp(shift.high))


# ---- from pairs to judgements


def judge_pairs(pairs: Mapping[str, Sequence[Pair]], rule: Rule = Rule(), over: bool = True) -> dict[str, Judgement]:
    """What is to be said of each benchmark, by each of its figures: by `name`, or where it is a counter `name counter`.

    What has no ratio is left out: see `without_ratio`.
    """
    metrics = paired_metrics(pairs)
    decided = group_sequential_test({key: metric.logs for key, metric in metrics.items()}, rule, over)
    return {key: _judgement(key, metric, decided[key], rule) for key, metric in metrics.items()}


def pairs_needed(pairs: Mapping[str, Sequence[Pair]], rule: Rule = Rule()) -> dict[str, int]:
    """How many pairs each benchmark needs that is not decided yet."""
    metrics = paired_metrics(pairs)
    needs: dict[str, int] = {}
    for key, decision in group_sequential_test(
        {key: metric.logs for key, metric in metrics.items()}, rule, over=False
    ).items():
        if decision.pairs_needed:
            name = metrics[key].name
            needs[name] = max(needs.get(name, 0), decision.pairs_needed)
    return needs


def cut_short(pairs: Mapping[str, Sequence[Pair]], rule: Rule = Rule()) -> list[str]:
    """A sentence for each benchmark that seemed worse when the measuring ended, before fresh pairs could settle it."""
    decided = group_sequential_test({key: metric.logs for key, metric in paired_metrics(pairs).items()}, rule)
    unsettled = {
        key: decision
        for key, decision in decided.items()
        if decision.suspicion is not None and decision.verdict == UNDECIDED
    }
    return [
        f"{key}: {_suspicion(decision)}, and measuring ended after {decision.fresh} fresh ones, before that was settled"
        for key, decision in unsettled.items()
        if decision.fresh < rule.most_pairs
    ]


def _suspicion(decision: Decision) -> str:
    assert decision.suspicion is not None
    return f"seemed worse by {decision.suspicion.median - 1:+.1%} in the first {decision.suspicion.n} pairs"


def without_ratio(pairs: Mapping[str, Sequence[Pair]]) -> list[str]:
    """A sentence for each benchmark that cannot be judged by what its processes reported."""
    judged_names = {metric.name for metric in paired_metrics(pairs).values()}
    reason = "what it reports is missing or not above zero, so it has no ratio"
    return [f"{name}: {reason}" for name in pairs if name not in judged_names]


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
        """Of the ratio of costs: where less is worse, turned round."""
        sign = 1.0 if self.metric.more_is_worse else -1.0
        return [sign * math.log(new / old) for old, new in zip(self.old, self.new)]


def paired_metrics(pairs: Mapping[str, Sequence[Pair]]) -> dict[str, PairedMetric]:
    """Everything that can be judged, by the name of its judgement."""
    metrics = {}
    for name, benchmark_pairs in pairs.items():
        sides = [
            Benchmark(BenchmarkName.parse(name), tuple(samples))
            for samples in zip(*((pair.old, pair.new) for pair in benchmark_pairs))
        ]
        for metric in metrics_of(sides[0]) if sides else ():
            old, new = (metric.values(benchmark) for benchmark in sides)
            if len(old) == len(new) == len(benchmark_pairs) and min((*old, *new)) > 0.0:
                metrics[metric.named(name)] = PairedMetric(name, metric, benchmark_pairs, old, new)
    return metrics


def _judgement(key: str, metric: PairedMetric, decision: Decision, rule: Rule) -> Judgement:
    used = slice(decision.pairs.start, decision.pairs.stop)
    threshold = rule.threshold_of(key)
    other_ratios = _other_ratios(metric.pairs[used]) if metric.metric == TIME else {}
    bimodal = _bimodal_notes(metric)
    notes = list(bimodal)
    if not metric.metric.more_is_worse:
        notes.append("less is worse here: the ratio is old over new")
    if decision.suspicion is not None and decision.verdict != WORSE:
        notes.append(f"{_suspicion(decision)}, which {decision.fresh} fresh ones did not confirm")
    instructions = other_ratios.get("instructions")
    up = decision.ratio.median - 1 > threshold and decision.verdict in (WORSE, UNDECIDED)
    if up and instructions is not None and abs(instructions.median - 1) < INSTRUCTIONS_STAY:
        notes.append("layout suspect: it takes longer for the same instructions (or caches, or a neighbour)")
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
    """Of what was counted beside the time in every process, and of the wall clock's time where the other is judged."""
    readers: dict[str, Callable[[Sample], float]] = {
        "cycles": lambda sample: sample.cycles or 0.0,
        "instructions": lambda sample: sample.counters.get("instructions", 0.0),
        "wall clock": lambda sample: sample.counters.get(WALL_NS, 0.0),
    }
    ratios = {}
    for key, value in readers.items():
        sides = [(value(pair.old), value(pair.new)) for pair in pairs]
        if min(min(pair_values) for pair_values in sides) > 0.0:
            ratios[key] = _as_ratio(estimate_shift([math.log(new / old) for old, new in sides]))
    return ratios


def _bimodal_notes(metric: PairedMetric) -> list[str]:
    """A sentence for each side whose processes fall into two groups while their partners do not.

    Without the outermost tenth at each end, so that a few outliers neither make a hump nor hide one. A jump of the
    clock moves both sides of a pair: that is no hump of one side.
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
            notes.append(f"two humps in the {side} side, at {modes[0]:.3g} and {modes[1]:.3g} {unit}: not averaged")
    return notes
