"""How are two sides measured in turn? Pairs of fresh processes of one benchmark, old next to new, until all is decided.

A pair's two processes run one right after the other, in random order, so that what drifts moves both, and once more
where others took unlike shares of the core. All benchmarks
that are still open get one pair in each round, in an order of the round's own, and the controls with them. What the
pairs say is for suite.deciding to tell; nothing here looks at a time.
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
from suite.gate.comparison import Comparison, Judgement
from suite.gate.controls import controls_that_moved
from suite.gate.pairs_file import Pair, RecordedPairs, Side
from suite.gate.sequential_test import Rule
from suite.results import read
from suite.results.model import BenchmarkName, Sample
from suite.runner.program import Catalogue, Part, Program, measure_part
from suite.runner.signals import signals_as_interrupts
from suite.stats.estimates import median

# What is compared when nothing else is said: of each chapter what its claims rest on, small enough that a turn of all
# takes seconds. `malloc` is what the two sides of --allocator are called.
CORE = (
    r"^scoped/(none|stack_array|alloca|arena|glibc|malloc)/bytes:64/touch:first$",
    r"^scoped/(glibc|malloc)/bytes:4096/touch:all$",
    r"^batch/(arena|pool|glibc|malloc)/count:1000/bytes:64/order:(random|reset)$",
    r"^churn/(pool|glibc|malloc)/live:1000/sizes:power_law$",
    r"^heap_state/(glibc|malloc)/bytes:64/state:(resident|aged)/threads:ever$",
    r"^grow/(vector|glibc|malloc)/bytes:65536/way:(push_back|realloc)$",
    r"^zeroed/(glibc|malloc)/bytes:262144/way:calloc/touch:first$",
    r"^chase/bytes:(16384|1048576)/order:random/home:(stack|heap)$",
    r"^stream/bytes:1048576/home:(stack|heap)$",
    r"^indirection/depth:3/layout:scattered$",
    r"^traverse/(vector|list_shuffled|set)/count:1000/payload:8$",
    r"^matrix/(one_block|block_a_row)/n:100/by:column$",
    r"^strings/(inline|heap)/count:1000$",
    r"^list_walk/malloc/heap:aged$",
    r"^pass/type:long_string/how:(copy|move)$",
    r"^smart_pointer/op:make/kind:(unique_ptr|make_shared)$",
    r"^string_cliff/string/length:(15|16)$",
    r"^private/(stack_array|glibc|malloc)/threads:2$",
    r"^handoff/(glibc|malloc)/pairs:1$",
)


SAME_SIDES = "both sides are the same program with the same malloc"

# In each process a benchmark is measured so often, and the median counts: what disturbs is often shorter than a process.
REPETITIONS = 5
PROCESS_LIMIT = 120.0  # seconds; a process takes a tenth of one
DISTURBED_SHARE = 0.1

# A neighbour on the same physical core makes some programs twice as slow for seconds, and a virtual machine does not show
# it. What shows it is the time of additions that keep the core busy, which every process takes beside its benchmark: a
# pair whose processes differ in it by more than ALIKE is measured again. As the benchmark's own time has no say in
# that, a pair of equal sides is as likely as before to err to either side.
ALIKE = 0.05
ATTEMPTS = 5


@dataclass(frozen=True)
class SideBuilds:
    """One side, and the programs that stand for it: one, or one of each layout."""

    side: Side
    builds: tuple[Program, ...]


@dataclass(frozen=True)
class PairedRun:
    """What is to be measured."""

    old: SideBuilds
    new: SideBuilds
    names: tuple[str, ...]
    controls: Mapping[str, str]  # by what they control: the benchmark that does
    seed: int
    chosen: Rule = Rule()
    budget: float = math.inf  # seconds
    to_the_end: bool = False  # as many pairs of each benchmark as a stage may have, decided or not


@dataclass(frozen=True)
class Progress:
    """How a duet goes, after each pair."""

    pairs: int
    pairs_left: int  # to the next look at what is open
    verdicts: Mapping[str, int]  # how many benchmarks are decided so far, and which way
    open: int
    seconds_left: float | None


PairObserver = Callable[[Progress], None]


def repeated(seconds: float) -> tuple[str, ...]:
    """Google Benchmark's options that share so many seconds of measuring among the repetitions."""
    return f"--benchmark_repetitions={REPETITIONS}", f"--benchmark_min_time={seconds / REPETITIONS:g}"


# ---- what is compared


def select(old: Catalogue, new: Catalogue, only: str | None, strategy: str | None) -> tuple[tuple[str, ...], list[str]]:
    """The benchmarks that both sides have, and a sentence for each that one side lacks. Raises BadInput for none."""
    expressions = CORE if only is None else (only,)
    try:
        patterns = [re.compile(one) for one in expressions]
    except re.error as error:
        raise BadInput(f"--only: {only!r} is no regular expression ({error})") from None

    def chosen(names: Iterable[str]) -> list[str]:
        parsed = [BenchmarkName.parse(name) for name in names]
        return [
            one.text
            for one in parsed
            if strategy in (None, one.strategy)
            and any(pattern.search(one.text) for pattern in patterns)
        ]

    olds, news = chosen(old.benchmarks), chosen(new.benchmarks)
    both = tuple(name for name in olds if name in set(news))
    if not both:
        wanted = "the core set" if only is None else repr(only)
        raise BadInput(f"the sides have no benchmark in common that matches {wanted}")
    missing = [f"{name}: only in the old side" for name in olds if name not in set(news)]
    missing += [f"{name}: only in the new side" for name in news if name not in set(olds)]
    return both, missing


# ---- measuring


def measured_alike(measure: Callable[[], Sequence[Pair]]) -> Sequence[Pair]:
    """Measures pairs, and again where any of them is too unlike; of several attempts, the least unlike."""

    def unlike(pairs: Sequence[Pair]) -> float:
        return max(one.unlike for one in pairs)

    best = measure()
    for _ in range(ATTEMPTS - 1):
        if unlike(best) <= ALIKE:
            break
        best = min(best, measure(), key=unlike)
    return best


def play(planned: PairedRun, watching: PairObserver) -> RecordedPairs:
    """Measures until everything is decided, the budget is spent, or it is interrupted: that keeps the pairs made."""
    work = _campaign(planned, watching)
    warnings = []
    with tempfile.TemporaryDirectory() as folder, signals_as_interrupts():
        try:
            work.measure(Path(folder))
        except KeyboardInterrupt:
            warnings.append("interrupted: judged by the pairs made until then")
        except _budget_spent:
            warnings.append(f"the budget of {planned.budget:.0f} s was spent before everything was decided")
    if work.processes and work.disturbed > DISTURBED_SHARE * work.processes:
        warnings.append(f"others used the machine during {work.disturbed} of {work.processes} processes")
    return RecordedPairs(
        old=planned.old.side,
        new=planned.new.side,
        seed=planned.seed,
        pairs={name: tuple(own) for name, own in work.pairs.items() if own},
        controls={what: tuple(own) for what, own in work.controls.items()},
        problems=tuple(work.problems),
        warnings=tuple(warnings),
    )


class _budget_spent(Exception):
    pass


@dataclass
class _campaign:
    """A duet under way."""

    match: PairedRun
    watching: PairObserver
    pairs: dict[str, list[Pair]] = field(init=False)
    controls: dict[str, list[Pair]] = field(init=False)
    problems: list[str] = field(default_factory=list)
    processes: int = 0
    disturbed: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.match.seed)
        self.start = time.monotonic()
        self.pairs = {name: [] for name in self.match.names}
        self.controls = {what: [] for what in self.match.controls}

    def wanted(self) -> dict[str, int]:
        if self.match.to_the_end:
            most = self.match.chosen.pairs
            return {name: most for name, own in self.pairs.items() if len(own) < most}
        begun = {name: own for name, own in self.pairs.items() if own}
        first_look = dict.fromkeys(self.pairs.keys() - begun.keys(), self.match.chosen.looks[0])
        return first_look | sequential_test.wanted(begun, self.match.chosen)

    def measure(self, folder: Path) -> None:
        while wanted := self.wanted():
            self.round(wanted, folder)

    def round(self, wanted: Mapping[str, int], folder: Path) -> None:
        """One pair more of every benchmark that waits for its next look, and of each control."""
        due = [name for name in self.pairs if len(self.pairs[name]) < wanted.get(name, 0)]
        turns = [(name, name, self.pairs[name]) for name in due]
        turns += [(what, self.match.controls[what], own) for what, own in self.controls.items()]
        self.random.shuffle(turns)
        decided = self.decided(wanted)
        for key, name, into in turns:
            if time.monotonic() - self.start > self.match.budget:
                raise _budget_spent
            try:
                into += measured_alike(lambda: [self.pair_of(name, folder)])
            except _side_failed as failed:
                self.problems.append(str(failed))
                self.pairs.pop(key, None)
                self.controls.pop(key, None)
            self.tell(wanted, decided)

    def pair_of(self, name: str, folder: Path) -> Pair:
        draw = self.random
        old_first = draw.random() < 0.5
        layouts = {"old": draw.randrange(len(self.match.old.builds)), "new": draw.randrange(len(self.match.new.builds))}
        taken = {}
        for which in ("old", "new") if old_first else ("new", "old"):
            builds = (self.match.old if which == "old" else self.match.new).builds
            taken[which] = self.sample_of(which, builds[layouts[which]], name, folder)
        return Pair(taken["old"], taken["new"], old_first, layouts["old"], layouts["new"])

    def sample_of(self, which: str, build: Program, name: str, folder: Path) -> Sample:
        """One benchmark in a process of its own, that registers no other."""
        expression = f"^{re.escape(name)}$"
        family = BenchmarkName.parse(name).family
        alone = Part(family, "", 0, expression, (name,))
        self.processes += 1
        try:
            document, beside = measure_part(replace(build, only=expression), alone, folder, PROCESS_LIMIT)
            self.disturbed += beside.disturbed
            return read.sample_of(document, name)
        except UnitFailed as problem:
            raise _side_failed(f"{name}: failed in the {which} side: {problem}") from None
        except ValueError as problem:
            raise _side_failed(f"failed in the {which} side: {problem}") from None

    def decided(self, wanted: Mapping[str, int]) -> Counter[str]:
        """How many benchmarks are decided, and which way."""
        begun = {name: own for name, own in self.pairs.items() if own}
        if self.match.to_the_end or not begun:
            return Counter()
        judged = sequential_test.judge(begun, self.match.chosen, over=False)
        return Counter(one.verdict for one in judged.values() if one.name not in wanted)

    def tell(self, wanted: Mapping[str, int], decided: Mapping[str, int]) -> None:
        done = sum(map(len, self.pairs.values()))
        left = sum(max(0, most - len(self.pairs[name])) for name, most in wanted.items() if name in self.pairs)
        seconds = (time.monotonic() - self.start) / done * left if done else None
        self.watching(Progress(done, left, decided, len(wanted), seconds))


class _side_failed(Exception):
    """A process of one side gave no figure. Its text names benchmark, side and reason."""


# ---- what it comes to


def verdict(recorded: RecordedPairs, chosen: Rule = Rule(), expected: Sequence[str] = ()) -> Comparison:
    """Everything that recorded pairs have to say. `expected` are the benchmarks that must be among them."""
    judged = sequential_test.judge(recorded.pairs, chosen)
    judgements = tuple(replace(one, notes=one.notes + _layout_notes(recorded.pairs, one)) for one in judged.values())
    unmeasured = [name for name in expected if name not in recorded.pairs]
    known = " ".join(recorded.problems)
    problems = recorded.problems + tuple(f"{name}: no pair was made" for name in unmeasured if name not in known)
    problems += (*sequential_test.without_ratio(recorded.pairs), *sequential_test.cut_short(recorded.pairs, chosen))
    moved, told = controls_that_moved(recorded)
    itself = bool(recorded.old.facts) and recorded.old.facts == recorded.new.facts
    warnings = recorded.warnings + (told,) * bool(told) + moved + (SAME_SIDES,) * itself
    return Comparison("duet", recorded.old, recorded.new, judgements, problems, warnings, trusted=not moved)


def _layout_notes(recorded: Mapping[str, Sequence[Pair]], judged: Judgement) -> tuple[str, ...]:
    """How far layout alone moves each side's time: the medians of the pairs that share a build, least to most."""
    pairs = recorded.get(judged.name, ())
    ratios = [math.log(one.new.ns / one.old.ns) for one in pairs]
    spreads = []
    for layouts in ([one.old_layout for one in pairs], [one.new_layout for one in pairs]):
        groups = [[r for r, own in zip(ratios, layouts) if own == layout] for layout in set(layouts)]
        middles = [median(group) for group in groups if len(group) > 1]
        spreads.append(math.expm1(max(middles) - min(middles)) if len(middles) > 1 else 0.0)
    if not any(spreads):
        return ()
    return (f"layout alone moves the old side by up to {spreads[0]:.1%}, the new by {spreads[1]:.1%}",)
