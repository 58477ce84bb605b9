"""How are two sides measured in turn? As pairs of fresh processes of one benchmark, until every benchmark is decided.

The two processes of a pair run one right after the other, in random order, so that drift moves both of them. A pair is
measured again where other threads took different shares of the core. In each round, every undecided benchmark and every
control gets one pair, in a random order. gate/sequential_test.py decides; this module never looks at a benchmark's time.
"""

from __future__ import annotations

import math
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from suite.base.errors import BadInput, UnitFailed
from suite.gate import sequential_test
from suite.gate.comparison import IN_PAIRS, Comparison, Judgement
from suite.gate.controls import controls_that_moved
from suite.gate.pairs_file import Pair, RecordedPairs, Side
from suite.gate.sequential_test import Rule
from suite.results import read
from suite.results.metrics import DeclaredMetrics, declared_metrics
from suite.results.model import BenchmarkName, Sample
from suite.runner.program import Catalogue, Part, Program, measure_part
from suite.runner.signals import signals_as_interrupts
from suite.stats.estimates import median

SAME_SIDES = "both sides are the same program with the same malloc and the same settings"
INTERRUPTED = "interrupted: judged by the pairs measured until then"

# Each process measures its benchmark this often, and the median counts: a disturbance is often shorter than a process.
REPETITIONS = 5
PROCESS_LIMIT = 120.0  # seconds; a process takes a tenth of one
DISTURBED_SHARE = 0.1
CONFIRMING_SHARE = 1 / 3  # of a budget: kept for the fresh pairs of the benchmarks that seem worse

# A thread on the same physical core makes some programs twice as slow for seconds, and a virtual machine does not show
# it. It shows in the time of eight independent additions, which every process measures beside its benchmark: a pair
# whose processes differ in that time by more than ALIKE is discarded and measured again. This does not depend on the
# benchmark's own time, so a pair of equal sides is as likely as before to err to either side.
ALIKE = 0.05
ATTEMPTS = 5


@dataclass(frozen=True)
class SideBuilds:
    """One side, and its programs: a single program, or a program for each layout."""

    side: Side
    builds: tuple[Program, ...]


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
    to_the_end: bool = False  # measure all pairs of a stage, even of a decided benchmark


@dataclass(frozen=True)
class Progress:
    """How far a run is, after each pair."""

    pairs: int
    pairs_left: int  # until the next interim analysis
    verdicts: Mapping[str, int]  # the number of benchmarks decided so far, by verdict
    open: int
    seconds_left: float | None


PairObserver = Callable[[Progress], None]


def repeated(seconds: float) -> tuple[str, ...]:
    """Google Benchmark's options that divide this many seconds among the repetitions."""
    return f"--benchmark_repetitions={REPETITIONS}", f"--benchmark_min_time={seconds / REPETITIONS:g}"


# ---- which benchmarks are compared


def select(old: Catalogue, new: Catalogue, only: str | None, strategy: str | None) -> tuple[tuple[str, ...], list[str]]:
    """The benchmarks that both sides have, and a sentence for each that one side lacks. Raises BadInput if both have
    no benchmark in common."""
    expressions = tuple(dict.fromkeys(new.core + old.core)) if only is None else (only,)
    if not expressions:
        raise BadInput("the programs declare no core set: choose benchmarks with --only")
    try:
        patterns = [re.compile(expression) for expression in expressions]
    except re.error as error:
        raise BadInput(f"--only takes a regular expression, got {only!r} ({error})") from None

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
        raise BadInput(f"no benchmark that both sides have matches {searched}")
    missing = [f"{name}: only the old side has it" for name in old_names if name not in set(new_names)]
    missing += [f"{name}: only the new side has it" for name in new_names if name not in set(old_names)]
    return shared, missing


def metrics_for(names: Iterable[str], old: Catalogue, new: Catalogue) -> DeclaredMetrics:
    """The metrics of these benchmarks' families; the new program's where both sides declare them."""
    declared = {**declared_metrics(old.about), **declared_metrics(new.about)}
    families = dict.fromkeys(BenchmarkName.parse(name).family for name in names)
    return {family: declared[family] for family in families if family in declared}


# ---- measuring


def measured_alike(measure: Callable[[], Sequence[Pair]]) -> Sequence[Pair]:
    """Measures pairs, again while any of them is too unlike; of several attempts it returns the least unlike."""

    def unlike(pairs: Sequence[Pair]) -> float:
        return max(pair.unlike for pair in pairs)

    best = measure()
    for _ in range(ATTEMPTS - 1):
        if unlike(best) <= ALIKE:
            break
        best = min(best, measure(), key=unlike)
    return best


def play(plan: PairedRun, observer: PairObserver) -> RecordedPairs:
    """Measures until every benchmark is decided, the budget is spent, or an interrupt: each keeps the pairs so far."""
    measurement = _PairedMeasurement(plan, observer)
    warnings = []
    with tempfile.TemporaryDirectory() as folder, signals_as_interrupts():
        try:
            measurement.measure(Path(folder))
        except KeyboardInterrupt:
            warnings.append(INTERRUPTED)
        except _BudgetSpent:
            warnings.append(f"the budget of {plan.budget:.0f} s was spent before every benchmark was decided")
    reported = " ".join(measurement.problems)
    unmeasured = [name for name, pairs in measurement.pairs.items() if not pairs and name not in reported]
    if measurement.processes and measurement.disturbed > DISTURBED_SHARE * measurement.processes:
        warnings.append(
            f"other programs used the machine during {measurement.disturbed} of {measurement.processes} processes"
        )
    return RecordedPairs(
        old=plan.old.side,
        new=plan.new.side,
        seed=plan.seed,
        pairs={name: tuple(pairs) for name, pairs in measurement.pairs.items() if pairs},
        controls={control: tuple(pairs) for control, pairs in measurement.controls.items()},
        problems=(*measurement.problems, *(f"{name}: no pair was measured" for name in unmeasured)),
        warnings=tuple(warnings),
        metrics=plan.metrics,
    )


class _BudgetSpent(Exception):
    pass


@dataclass
class _PairedMeasurement:
    """A run in progress."""

    plan: PairedRun
    observer: PairObserver
    pairs: dict[str, list[Pair]] = field(init=False)
    controls: dict[str, list[Pair]] = field(init=False)
    problems: list[str] = field(default_factory=list)
    processes: int = 0
    disturbed: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.plan.seed)
        self.start = time.monotonic()
        self.pairs = {name: [] for name in self.plan.names}
        self.controls = {control: [] for control in self.plan.controls}

    def pairs_needed(self) -> dict[str, int]:
        if self.plan.to_the_end:
            most = self.plan.rule.pairs
            return {name: most for name, pairs in self.pairs.items() if len(pairs) < most}
        started = {name: pairs for name, pairs in self.pairs.items() if pairs}
        first_look = dict.fromkeys(self.pairs.keys() - started.keys(), self.plan.rule.interim_analyses[0])
        confirming = time.monotonic() - self.start > (1 - CONFIRMING_SHARE) * self.plan.budget
        return first_look | sequential_test.pairs_needed(started, self.plan.rule, self.plan.metrics, confirming)

    def measure(self, folder: Path) -> None:
        while needed := self.pairs_needed():
            self.measure_round(needed, folder)

    def measure_round(self, needed: Mapping[str, int], folder: Path) -> None:
        """Measures one more pair of every benchmark that is undecided, and of each control."""
        due = [name for name in self.pairs if len(self.pairs[name]) < needed.get(name, 0)]
        turns = [(name, name, self.pairs[name]) for name in due]
        turns += [(control, self.plan.controls[control], pairs) for control, pairs in self.controls.items()]
        self.random.shuffle(turns)
        verdicts = self.verdict_counts(needed)
        for key, name, pairs in turns:
            if time.monotonic() - self.start > self.plan.budget:
                raise _BudgetSpent
            try:
                pairs += measured_alike(lambda: [self.pair_of(name, folder)])
            except _SideFailed as failed:
                self.problems.append(str(failed))
                self.pairs.pop(key, None)
                self.controls.pop(key, None)
            self.report(needed, verdicts)

    def pair_of(self, name: str, folder: Path) -> Pair:
        draw = self.random
        old_first = draw.random() < 0.5
        layouts = {"old": draw.randrange(len(self.plan.old.builds)), "new": draw.randrange(len(self.plan.new.builds))}
        memory_layout = draw.getrandbits(32)  # of both sides: their difference does not depend on placement
        samples = {}
        for side in ("old", "new") if old_first else ("new", "old"):
            builds = (self.plan.old if side == "old" else self.plan.new).builds
            samples[side] = self.sample_of(side, builds[layouts[side]], name, folder, memory_layout)
        return Pair(samples["old"], samples["new"], old_first, layouts["old"], layouts["new"])

    def sample_of(self, side: str, build: Program, name: str, folder: Path, memory_layout: int) -> Sample:
        """Measures one benchmark in a process of its own, which registers no other benchmark."""
        expression = f"^{re.escape(name)}$"
        family = BenchmarkName.parse(name).family
        part = Part(family, "", 0, expression, (name,))
        self.processes += 1
        try:
            program = replace(build, only=expression)
            document, interference = measure_part(program, part, folder, PROCESS_LIMIT, memory_layout)
            self.disturbed += interference.disturbed
            return read.sample_of(document, name)
        except UnitFailed as problem:
            raise _SideFailed(f"{name}: failed on the {side} side: {problem}") from None
        except ValueError as problem:
            raise _SideFailed(f"failed on the {side} side: {problem}") from None

    def verdict_counts(self, needed: Mapping[str, int]) -> Counter[str]:
        """The number of decided benchmarks by verdict."""
        started = {name: pairs for name, pairs in self.pairs.items() if pairs}
        if self.plan.to_the_end or not started:
            return Counter()
        judgements = sequential_test.judge_pairs(started, self.plan.rule, False, self.plan.metrics)
        return Counter(judgement.verdict for judgement in judgements.values() if judgement.name not in needed)

    def report(self, needed: Mapping[str, int], verdicts: Mapping[str, int]) -> None:
        done = sum(map(len, self.pairs.values()))
        pairs_left = sum(max(0, most - len(self.pairs[name])) for name, most in needed.items() if name in self.pairs)
        seconds = (time.monotonic() - self.start) / done * pairs_left if done else None
        self.observer(Progress(done, pairs_left, verdicts, len(needed), seconds))


class _SideFailed(Exception):
    """A process of one side gave no figure. The text names benchmark, side and reason."""


# ---- the verdict


def verdict(recorded: RecordedPairs, rule: Rule = Rule()) -> Comparison:
    """The comparison that recorded pairs make."""
    by_name = sequential_test.judge_pairs(recorded.pairs, rule, declared=recorded.metrics)
    judgements = tuple(
        replace(judgement, notes=judgement.notes + _layout_notes(recorded.pairs, judgement))
        for judgement in by_name.values()
    )
    problems = recorded.problems + tuple(sequential_test.without_ratio(recorded.pairs, recorded.metrics))
    problems += tuple(sequential_test.cut_short(recorded.pairs, rule, recorded.metrics))
    moved, controls_text = controls_that_moved(recorded)
    same_program = bool(recorded.old.facts) and recorded.old.facts == recorded.new.facts
    warnings = recorded.warnings + (controls_text,) * bool(controls_text) + moved + (SAME_SIDES,) * same_program
    return Comparison(IN_PAIRS, recorded.old, recorded.new, judgements, problems, warnings, trusted=not moved)


def _layout_notes(recorded: Mapping[str, Sequence[Pair]], judgement: Judgement) -> tuple[str, ...]:
    """How far layout alone moves each side's time: from the least to the greatest median of the pairs of a build."""
    pairs = recorded.get(judgement.name, ())
    ratios = [math.log(pair.new.ns / pair.old.ns) for pair in pairs]
    spreads = []
    for layouts in ([pair.old_layout for pair in pairs], [pair.new_layout for pair in pairs]):
        groups = [[r for r, pair_layout in zip(ratios, layouts) if pair_layout == layout] for layout in set(layouts)]
        middles = [median(group) for group in groups if len(group) > 1]
        spreads.append(math.expm1(max(middles) - min(middles)) if len(middles) > 1 else 0.0)
    if not any(spreads):
        return ()
    return (f"layout alone moves the old side by up to {spreads[0]:.1%}, the new by {spreads[1]:.1%}",)
