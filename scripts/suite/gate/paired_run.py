"""How are two sides compared? By pairs of fresh processes of one benchmark, until every benchmark is decided.

In each pass, every undecided benchmark and every control gets one pair, in a random order. gate/pair.py measures a pair,
and gate/sequential_test.py decides; this module never looks at a benchmark's time.
"""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from suite.base.cli import pattern_of
from suite.base.errors import BadInput
from suite.base.near_misses import in_expression
from suite.base.text import with_its_file
from suite.gate import sequential_test
from suite.gate.comparison import IN_PAIRS, Comparison, Judgement
from suite.gate.controls import controls_that_moved
from suite.gate.pair import AT_ONCE, IN_SUCCESSION, PairMeter, rounds_for, seconds_of_pair, way_of
from suite.gate.pairs_file import NS, Pair, RecordedPairs, Side, shortened
from suite.gate.sequential_test import Rule
from suite.results.metrics import DeclaredMetrics, declared_metrics
from suite.results.model import BenchmarkName
from suite.runner.program import Catalogue, Program
from suite.runner.signals import signals_as_interrupts
from suite.runner.turns import SideFailed
from suite.stats.estimates import median

SAME_SIDES = "both sides are the same program with the same malloc and the same settings"
INTERRUPTED = "interrupted: judged by the pairs measured until then"

DISTURBED_SHARE = 0.1
FEW = 3  # names in a sentence
CONFIRMING_SHARE = 1 / 3  # of a budget: kept for the fresh pairs of the benchmarks that seem worse


@dataclass(frozen=True)
class SideBuilds:
    """One side, and its programs: a single program, or a program for each layout."""

    side: Side
    builds: tuple[Program, ...]
    catalogue: Catalogue  # of the first; all builds offer the same


@dataclass(frozen=True)
class PairedRun:
    """The plan of a run: which sides, benchmarks and controls to measure, and until when."""

    old: SideBuilds
    new: SideBuilds
    names: tuple[str, ...]
    controls: Mapping[str, str]  # by name of the control: its benchmark
    seed: int
    rule: Rule = Rule()
    budget: float = math.inf  # seconds
    metrics: DeclaredMetrics = field(default_factory=dict)
    seconds: float | None = None  # of measuring in a turn; None: as the programs declare
    to_the_end: bool = False  # measure all pairs of a stage, even of a decided benchmark


@dataclass(frozen=True)
class Progress:
    """How far a run is, after each pair."""

    pairs: int
    pairs_left: int  # until the next interim analysis
    verdicts: Mapping[str, int]  # the number of benchmarks decided so far, by verdict
    open: int
    seconds: float
    seconds_left: float | None  # until the next interim analysis


PairObserver = Callable[[Progress], None]


# ---- which benchmarks are compared


def select(old: Catalogue, new: Catalogue, only: str | None, strategy: str | None) -> tuple[tuple[str, ...], list[str]]:
    """The benchmarks that both sides have, and a sentence for each that one side lacks. Raises BadInput if both have
    no benchmark in common."""
    expressions = tuple(dict.fromkeys(new.core + old.core)) if only is None else (only,)
    if not expressions:
        raise BadInput("the programs declare no core set: choose benchmarks with --only")
    patterns = [pattern_of(expression) for expression in expressions]

    def matching(names: Iterable[str]) -> list[str]:
        parsed = [BenchmarkName.parse(name) for name in names]
        return [
            benchmark.text
            for benchmark in parsed
            if strategy in (None, benchmark.strategy) and any(pattern.search(benchmark.text) for pattern in patterns)
        ]

    old_names, new_names = matching(old.benchmarks), matching(new.benchmarks)
    shared = tuple(name for name in old_names if name in set(new_names))
    if not shared:
        searched = "the core set" if only is None else repr(only)
        guess = in_expression(only or "", (*old.benchmarks, *new.benchmarks))
        raise BadInput(f"no benchmark that both sides have matches {searched}{guess}")
    missing = [f"{name}: only the old side has it" for name in old_names if name not in set(new_names)]
    missing += [f"{name}: only the new side has it" for name in new_names if name not in set(old_names)]
    return shared, missing


def metrics_for(names: Iterable[str], old: Catalogue, new: Catalogue) -> DeclaredMetrics:
    """The metrics of these benchmarks' families; the new program's where both sides declare them."""
    declared = {**declared_metrics(old.about), **declared_metrics(new.about)}
    families = dict.fromkeys(BenchmarkName.parse(name).family for name in names)
    return {family: declared[family] for family in families if family in declared}


# ---- measuring


def seconds_to_first_look(plan: PairedRun) -> float:
    """About how long a run measures until the first analysis of every benchmark, or all pairs of a run to the end."""
    pairs = plan.rule.pairs if plan.to_the_end else plan.rule.interim_analyses[0]
    names = (*plan.names, *plan.controls.values())
    catalogues = plan.old.catalogue, plan.new.catalogue
    return pairs * sum(seconds_of_pair(name, *catalogues, plan.seconds) for name in names)


def play(plan: PairedRun, observer: PairObserver) -> RecordedPairs:
    """Measures until every benchmark is decided, the budget is spent, or an interrupt: each keeps the pairs so far."""
    with tempfile.TemporaryDirectory() as folder, signals_as_interrupts():
        measurement = _PairedMeasurement(plan, observer, Path(folder))
        warnings = list(_other_ways(plan))
        try:
            measurement.measure()
        except KeyboardInterrupt:
            warnings.append(INTERRUPTED)
        except _BudgetSpent:
            warnings.append(f"the budget of {plan.budget:.0f} s was spent before every benchmark was decided")
        except OSError as error:
            measurement.problems.append(f"measuring ended: {with_its_file(error)}")
    reported = " ".join(measurement.problems)
    unmeasured = [name for name, pairs in measurement.pairs.items() if not pairs and name not in reported]
    meter = measurement.meter
    if meter.disturbed > DISTURBED_SHARE * meter.pairs:
        warnings.append(f"{meter.disturbed} of {meter.pairs} pairs were disturbed: other programs used the machine, or a side was stopped")
    return RecordedPairs(
        old=plan.old.side,
        new=plan.new.side,
        seed=plan.seed,
        pairs={name: tuple(pairs) for name, pairs in measurement.pairs.items() if pairs},
        controls={control: tuple(pairs) for control, pairs in measurement.controls.items()},
        problems=(*measurement.problems, *(f"{name}: no pair was measured" for name in unmeasured)),
        warnings=tuple(warnings),
        metrics=plan.metrics,
        planned=plan.rule.pairs,
        seconds={name: shortened(seconds) for name in measurement.pairs if (seconds := measurement.seconds[name]) > 0.0},
    )


def _other_ways(plan: PairedRun) -> Iterator[str]:
    """A sentence for each way in which benchmarks are measured that take no turns."""
    ways = {name: way_of(name, plan.old.catalogue, plan.new.catalogue) for name in plan.names}
    for way, reason in (
        (AT_ONCE, "measured at once, and alternated by the kernel's scheduler, because a side is a build that knows no turns"),
        (IN_SUCCESSION, "measured one process after the other, because a process measures once"),
    ):
        if names := [name for name, its_way in ways.items() if its_way == way]:
            more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
            yield f"{', '.join(names[:FEW])}{more}: {reason}"


class _BudgetSpent(Exception):
    pass


@dataclass
class _PairedMeasurement:
    """A run in progress."""

    plan: PairedRun
    observer: PairObserver
    folder: Path
    pairs: dict[str, list[Pair]] = field(init=False)
    controls: dict[str, list[Pair]] = field(init=False)
    problems: list[str] = field(default_factory=list)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))  # by benchmark, or by control

    def __post_init__(self) -> None:
        self.random = random.Random(self.plan.seed)
        self.start = time.monotonic()
        self.pairs = {name: [] for name in self.plan.names}
        self.controls = {control: [] for control in self.plan.controls}
        catalogues = self.plan.old.catalogue, self.plan.new.catalogue
        self.meter = PairMeter(*catalogues, self.folder, self.random, self.plan.seconds)

    def pairs_needed(self) -> dict[str, int]:
        if self.plan.to_the_end:
            most = self.plan.rule.pairs
            return {name: most for name, pairs in self.pairs.items() if len(pairs) < most}
        started = {name: pairs for name, pairs in self.pairs.items() if pairs}
        first_look = dict.fromkeys(self.pairs.keys() - started.keys(), self.plan.rule.interim_analyses[0])
        confirming = time.monotonic() - self.start > (1 - CONFIRMING_SHARE) * self.plan.budget
        return first_look | sequential_test.pairs_needed(started, self.plan.rule, self.plan.metrics, confirming)

    def measure(self) -> None:
        while needed := self.pairs_needed():
            self.measure_pass(needed)

    def measure_pass(self, needed: Mapping[str, int]) -> None:
        """Measures one more pair of every benchmark that is undecided, and of each control."""
        due = [name for name in self.pairs if len(self.pairs[name]) < needed.get(name, 0)]
        order = [(name, name, self.pairs[name]) for name in due]
        order += [(control, self.plan.controls[control], pairs) for control, pairs in self.controls.items()]
        self.random.shuffle(order)
        verdicts = self.verdict_counts(needed)
        for key, name, pairs in order:
            begun = time.monotonic()
            if begun - self.start > self.plan.budget:
                raise _BudgetSpent
            try:
                pairs.append(self.pair_of(name, rounds_for(pairs)))
            except SideFailed as failed:
                self.problems.append(str(failed))
                self.pairs.pop(key, None)
                self.controls.pop(key, None)
            now = time.monotonic()
            self.seconds[key] += now - begun
            self.report(needed, verdicts, now - self.start)

    def pair_of(self, name: str, rounds: int) -> Pair:
        old, new = self.plan.old.builds, self.plan.new.builds
        layouts = self.random.randrange(len(old)), self.random.randrange(len(new))
        return self.meter.pair(name, old[layouts[0]], new[layouts[1]], rounds, layouts)

    def verdict_counts(self, needed: Mapping[str, int]) -> Counter[str]:
        """The number of decided benchmarks by verdict."""
        started = {name: pairs for name, pairs in self.pairs.items() if pairs}
        if self.plan.to_the_end or not started:
            return Counter()
        judgements = sequential_test.judge_pairs(started, self.plan.rule, False, self.plan.metrics)
        return Counter(judgement.verdict for judgement in judgements.values() if judgement.name not in needed)

    def report(self, needed: Mapping[str, int], verdicts: Mapping[str, int], seconds: float) -> None:
        done = sum(map(len, self.pairs.values()))
        pairs_left = sum(max(0, most - len(self.pairs[name])) for name, most in needed.items() if name in self.pairs)
        seconds_left = seconds / done * pairs_left if done else None
        self.observer(Progress(done, pairs_left, verdicts, len(needed), seconds, seconds_left))


# ---- the verdict


def verdict(recorded: RecordedPairs, rule: Rule = Rule()) -> Comparison:
    """The comparison that recorded pairs make."""
    by_name = sequential_test.judge_pairs(recorded.pairs, rule, declared=recorded.metrics)
    judgements = tuple(
        replace(
            judgement,
            notes=judgement.notes + _layout_notes(recorded.pairs, judgement),
            seconds=recorded.seconds.get(judgement.name),
        )
        for judgement in by_name.values()
    )
    problems = recorded.problems + tuple(sequential_test.without_ratio(recorded.pairs, recorded.metrics))
    problems += tuple(sequential_test.cut_short(recorded.pairs, rule, recorded.metrics))
    moved, controls = controls_that_moved(recorded)
    same_program = bool(recorded.old.facts) and recorded.old.facts == recorded.new.facts
    warnings = recorded.warnings + moved + (SAME_SIDES,) * same_program
    return Comparison(IN_PAIRS, recorded.old, recorded.new, judgements, problems, warnings, controls, trusted=not moved)


def _layout_notes(recorded: Mapping[str, Sequence[Pair]], judgement: Judgement) -> tuple[str, ...]:
    """How far layout alone moves each side's time: from the least to the greatest median of the pairs of a build."""
    pairs = recorded.get(judgement.name, ())
    ratios = [pair.log_ratio(NS) for pair in pairs]
    spreads = []
    for layouts in ([pair.old_layout for pair in pairs], [pair.new_layout for pair in pairs]):
        groups = [
            [ratio for ratio, its_layout in zip(ratios, layouts) if its_layout == layout and ratio is not None]
            for layout in set(layouts)
        ]
        middles = [median(group) for group in groups if len(group) > 1]
        spreads.append(math.expm1(max(middles) - min(middles)) if len(middles) > 1 else 0.0)
    if not any(spreads):
        return ()
    return (f"layout alone moves the old side by up to {spreads[0]:.1%}, the new by {spreads[1]:.1%}",)
