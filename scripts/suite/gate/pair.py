"""How is one pair measured? Two fresh processes of one benchmark, one of each side, which take turns.

In each round, both sides have a turn of some milliseconds; which side begins is drawn anew. A pair's figure is the
median of its rounds' log ratios. Most of what makes two processes differ is time passing between them: the clock, the
neighbours, the heat. Between two turns, little passes.

The rounds of a pair share their processes' luck, so they are not independent: the pair is the unit of every test.
"""

from __future__ import annotations

import math
import os
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from suite.base.errors import UnitFailed
from suite.gate.pairs_file import CYCLES, NS, Pair, figure_of
from suite.results.model import MANY_THREADS, BenchmarkName, Document, Sample
from suite.results.read import repetitions_of, typical
from suite.runner.program import Catalogue, Part, Program, measure_part
from suite.runner.turns import Measured, SideFailed, Turns, measure_at_once, measure_in_succession, measure_in_turns
from suite.stats.estimates import median, robust_deviation

OLD, NEW = "old", "new"
ROUNDS, RESTLESS_ROUNDS = 8, 16

# A spread of a pair's rounds, from which the benchmark's next pairs have more of them. With 3 %, eight rounds alone move
# a pair by 1.25 x 3 % / sqrt(8) = 1.3 %, and forty such pairs bound a change by half a percent either way, which is the
# default threshold. Measured on a virtual machine of two shared cores: of 38 benchmarks of the core set, 10 were above it
# on the quiet machine, 8 beside the evaluation's neighbour and 10 beside a build (threads, and sets near a cache's size);
# the median spread was 1.4, 1.5 and 1.0 %.
RESTLESS = 0.03
PROCESS_LIMIT = 120.0  # seconds; a process takes a tenth of one

# A process that takes no turns measures its benchmark this often, each time as long as two turns; the median counts,
# because a disturbance is often shorter than a process.
REPETITIONS = 5
TURNS_IN_A_REPETITION = 2
TURN_SECONDS = 0.005  # where a program declares no turns
STARTING = 0.015  # seconds, to start a process and to end it

BY_TURNS, AT_ONCE, IN_SUCCESSION = "by turns", "at once", "in succession"


def way_of(name: str, old: Catalogue, new: Catalogue) -> str:
    """How the two processes of a pair of this benchmark are measured."""
    turns = [catalogue.turn_seconds(name) for catalogue in (old, new)]
    if 0.0 in turns:
        return IN_SUCCESSION
    return AT_ONCE if None in turns else BY_TURNS


def turn_seconds(name: str, old: Catalogue, new: Catalogue) -> float:
    """How long a turn of this benchmark measures: as the programs declare, or as long as most."""
    return max(catalogue.turn_seconds(name) or 0.0 for catalogue in (old, new)) or TURN_SECONDS


def seconds_of_pair(name: str, old: Catalogue, new: Catalogue, turn: float | None = None) -> float:
    """About how long a pair of this benchmark takes; `turn` as PairMeter.seconds."""
    measuring = turn or turn_seconds(name, old, new)
    if way_of(name, old, new) == BY_TURNS:
        return 2 * (STARTING + (1 + ROUNDS) * _repetitions_of_a_turn(name, old, new) * measuring)
    return 2 * (STARTING + 2 * REPETITIONS * TURNS_IN_A_REPETITION * measuring)  # half of it to find the iterations


def _repetitions_of_a_turn(name: str, old: Catalogue, new: Catalogue) -> int:
    return 2 if any(catalogue.is_warmed(name) for catalogue in (old, new)) else 1


def rounds_for(pairs: Sequence[Pair]) -> int:
    """The number of rounds of a benchmark's next pair: more where its rounds differ much within the pairs so far.

    A spread has no sign, so the choice favours neither side.
    """
    spreads = [pair.spread for pair in pairs if pair.spread is not None]
    return RESTLESS_ROUNDS if spreads and median(spreads) > RESTLESS else ROUNDS


@dataclass(frozen=True)
class _Work:
    """What a turn of a benchmark does, by a first process of it."""

    iterations: int
    several_threads: bool


@dataclass
class PairMeter:
    """Measures pairs of two sides."""

    old: Catalogue
    new: Catalogue
    folder: Path  # for the results of the processes
    draw: random.Random
    seconds: float | None = None  # of measuring in a turn; None: as the programs declare
    pairs: int = 0
    disturbed: int = 0  # pairs during which other programs used the machine, or a side was stopped
    _work: dict[str, _Work] = field(default_factory=dict)  # by benchmark: the same in all its pairs and on both sides

    def pair(self, name: str, old: Program, new: Program, rounds: int, layouts: tuple[int, int] = (0, 0)) -> Pair:
        """Measures one pair. Raises SideFailed, and OSError on a full disk."""
        part = Part(BenchmarkName.parse(name).family, "", 0, f"^{re.escape(name)}$", (name,))
        old_first = self.draw.random() < 0.5
        programs = {OLD: replace(old, only=part.expression), NEW: replace(new, only=part.expression)}
        sides = {side: programs[side] for side in ((OLD, NEW) if old_first else (NEW, OLD))}
        memory_layout = self.draw.getrandbits(32)  # of both sides: their difference does not depend on placement
        self.pairs += 1
        if way_of(name, self.old, self.new) == BY_TURNS:
            measured = self._measure_in_turns(part, sides, rounds, memory_layout)
            turns = {side: self._turns(part, side, document) for side, document in measured.documents.items()}
            log_ratios, spread = _ratios_of_rounds(turns[OLD], turns[NEW])
        else:
            measured = self._measure_whole(part, sides, memory_layout)
            turns = {side: _repetitions(part, side, document) for side, document in measured.documents.items()}
            log_ratios, spread = {}, None
        self.disturbed += measured.disturbed
        return Pair(typical(turns[OLD]), typical(turns[NEW]), old_first, *layouts, log_ratios, spread)

    def _measure_in_turns(self, part: Part, sides: Mapping[str, Program], rounds: int, layout: int) -> Measured:
        beginners = (next(iter(sides)), *(self.draw.choice((OLD, NEW)) for _ in range(rounds)))
        repetitions = _repetitions_of_a_turn(part.benchmarks[0], self.old, self.new)
        turns = Turns(beginners, repetitions, self._work_of(part, sides[OLD]).iterations)
        return measure_in_turns(sides, part, self.folder, turns, layout)

    def _measure_whole(self, part: Part, sides: Mapping[str, Program], layout: int) -> Measured:
        [name] = part.benchmarks
        repeated = (
            f"--benchmark_repetitions={REPETITIONS}",
            f"--benchmark_min_time={TURNS_IN_A_REPETITION * self._turn_seconds(name):g}",
        )
        programs = {side: replace(program, options=(*program.options, *repeated)) for side, program in sides.items()}
        if way_of(name, self.old, self.new) == IN_SUCCESSION:
            return measure_in_succession(programs, part, self.folder, PROCESS_LIMIT, layout)
        alone = not self._work_of(part, sides[OLD]).several_threads
        core = frozenset({min(os.sched_getaffinity(0))}) if alone else frozenset()
        return measure_at_once(programs, part, self.folder, PROCESS_LIMIT, layout, core)

    def _turn_seconds(self, name: str) -> float:
        return self.seconds or turn_seconds(name, self.old, self.new)

    def _work_of(self, part: Part, old: Program) -> _Work:
        """Lets a process of the old side find out how many iterations take as long as a turn."""
        [name] = part.benchmarks
        if name not in self._work:
            seconds = self._turn_seconds(name)
            try:
                program = replace(old, options=(*old.options, f"--benchmark_min_time={seconds:g}"))
                document, _ = measure_part(program, part, self.folder, PROCESS_LIMIT)
            except UnitFailed as problem:
                raise SideFailed(name, OLD, problem) from None
            [sample] = _repetitions(part, OLD, document)
            iterations = max(1, round(1e9 * seconds / sample.ns))
            self._work[name] = _Work(iterations, MANY_THREADS in sample.counters)
        return self._work[name]

    def _turns(self, part: Part, side: str, document: Document) -> tuple[Sample, ...]:
        """The figure of each turn that counts: the last repetition in it. The first turn prepares."""
        in_a_turn = _repetitions_of_a_turn(part.benchmarks[0], self.old, self.new)
        return _repetitions(part, side, document)[2 * in_a_turn - 1 :: in_a_turn]


def _repetitions(part: Part, side: str, document: Document) -> tuple[Sample, ...]:
    try:
        return repetitions_of(document, part.benchmarks[0])
    except ValueError as problem:
        raise SideFailed(part.benchmarks[0], side, problem) from None


def _ratios_of_rounds(old: Sequence[Sample], new: Sequence[Sample]) -> tuple[dict[str, float], float | None]:
    """The median over the rounds of the log ratio of each figure that every turn has, and how much the time's differ."""
    rounds = list(zip(old, new))
    log_ratios: dict[str, list[float]] = {}
    for figure in (NS, CYCLES, *old[0].counters):
        values = [(figure_of(old_turn, figure), figure_of(new_turn, figure)) for old_turn, new_turn in rounds]
        if min(min(both) for both in values) > 0.0:
            log_ratios[figure] = [math.log(new_value / old_value) for old_value, new_value in values]
    spread = robust_deviation(log_ratios[NS]) if NS in log_ratios else None
    return {figure: median(logs) for figure, logs in log_ratios.items()}, spread
