"""Is the figure of a pair that of its rounds, and are both sides given the same work?"""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from suite.base.errors import UnitFailed
from suite.gate import pair as pairs
from suite.gate.pair import AT_ONCE, BY_TURNS, IN_SUCCESSION, RESTLESS, RESTLESS_ROUNDS, ROUNDS, PairMeter, way_of
from suite.gate.pairs_file import Pair, decode_pair, encode_pair
from suite.gate.sequential_test import judge_pairs, paired_metrics
from suite.results.metrics import Metric
from suite.results.model import MANY_THREADS, WALL_NS, Document, Sample
from suite.runner import interference
from suite.runner.program import Catalogue, Part, Program, ask
from suite.runner.turns import Measured, SideFailed, Turns
from support import fake_side

NAME = "scoped/glibc/bytes:64/touch:first"
OLD, NEW = (Program(Path(name), "quick") for name in ("old", "new"))
CALM = interference.Interference(0.1, 0.0, 0.0, 0, 0, ())


def offering(**declared: object) -> Catalogue:
    return Catalogue((), {"families": {"scoped": declared}}, (), {}, "")


BY_TURN = offering(turn_ms=5)


def document(times: Sequence[float], counters: dict[str, object]) -> Document:
    rows = [
        fake_side.row(NAME, ns) | counters | {"repetition_index": number, "cpu_time": ns, "real_time": 2 * ns}
        for number, ns in enumerate(times)
    ]
    return {"context": {"suite_version": "1"}, "benchmarks": rows}


@dataclass
class Stage:
    """Replaces the processes: each side's turns take these times, the first of which prepares."""

    times: Mapping[str, Sequence[float]] = field(default_factory=lambda: {"old": [9.0, *[20.0] * 16], "new": [1.0, *[20.0] * 16]})
    counters: dict[str, object] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    turns: list[Turns] = field(default_factory=list)
    sides: list[tuple[str, ...]] = field(default_factory=list)
    whole: list[tuple[str, AbstractSet[int]]] = field(default_factory=list)
    options: list[tuple[str, ...]] = field(default_factory=list)

    def measure_part(self, program: Program, part: Part, folder: Path, limit: float) -> tuple[Document, interference.Interference]:
        self.asked.append((program.executable.name, *program.options))
        return document([20.0], self.counters), CALM

    def in_turns(self, sides: Mapping[str, Program], part: Part, folder: Path, turns: Turns, layout: int) -> Measured:
        self.turns.append(turns)
        self.sides.append(tuple(sides))
        most = len(turns.beginners) * turns.repetitions
        return Measured({side: document(self.times[side][:most], self.counters) for side in sides}, False)

    def at_once(
        self, sides: Mapping[str, Program], part: Part, folder: Path, limit: float, layout: int,
        processors: AbstractSet[int] = frozenset(),
    ) -> Measured:  # fmt: skip
        self.whole.append((AT_ONCE, processors))
        self.options += [program.options for program in sides.values()]
        return Measured({side: document(self.times[side][1:4], self.counters) for side in sides}, False)

    def in_succession(self, sides: Mapping[str, Program], part: Part, folder: Path, limit: float, layout: int) -> Measured:
        measured = self.at_once(sides, part, folder, limit, layout)
        self.whole[-1] = (IN_SUCCESSION, frozenset())
        return replace(measured, disturbed=True)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    staged = Stage()
    for name, stand_in in (
        ("measure_part", staged.measure_part), ("measure_in_turns", staged.in_turns),
        ("measure_at_once", staged.at_once), ("measure_in_succession", staged.in_succession),
    ):  # fmt: skip
        monkeypatch.setattr(pairs, name, stand_in)
    return staged


def meter(tmp_path: Path, old: Catalogue = BY_TURN, new: Catalogue = BY_TURN, seconds: float | None = None) -> PairMeter:
    return PairMeter(old, new, tmp_path, random.Random(1), seconds)


def measured(tmp_path: Path, rounds: int = 8, old: Catalogue = BY_TURN, new: Catalogue = BY_TURN) -> Pair:
    return meter(tmp_path, old, new).pair(NAME, OLD, NEW, rounds)


# ---- the figure


def test_a_pair_is_the_median_of_its_rounds(stage: Stage, tmp_path: Path) -> None:
    """The clock halves in the middle, for both sides alike: the ratio of the medians would be another."""
    stage.times = {"old": [9.0, 10.0, 10.0, 10.0, 20.0, 20.0], "new": [1.0, 11.0, 11.0, 22.0, 22.0, 23.0]}
    pair = measured(tmp_path, rounds=5)
    logs = sorted(math.log(new / old) for old, new in zip(stage.times["old"][1:], stage.times["new"][1:]))
    assert pair.log_ratio("ns") == pytest.approx(logs[2]) == pytest.approx(math.log(1.1))
    assert (pair.old.ns, pair.new.ns) == (10.0, 22.0), "the medians of each side are for the reader"
    assert pair.log_ratio(WALL_NS) == pytest.approx(math.log(1.1))
    assert pair.spread is not None and pair.spread < 0.06


def test_the_first_turn_prepares(stage: Stage, tmp_path: Path) -> None:
    assert measured(tmp_path).log_ratio("ns") == 0.0
    assert len(stage.turns[0].beginners) == 9


def test_in_a_warmed_turn_the_first_repetition_is_discarded(stage: Stage, tmp_path: Path) -> None:
    stage.times = {"old": [9.0, 9.0, *[5.0, 20.0] * 8], "new": [9.0, 1.0, *[7.0, 22.0] * 8]}
    pair = measured(tmp_path, old=offering(turn_ms=5, warmed="^scoped/none"), new=offering(turn_ms=5, warmed="^scoped/glibc"))
    assert (pair.old.ns, pair.new.ns) == (20.0, 22.0) and pair.log_ratio("ns") == pytest.approx(math.log(1.1))
    assert (stage.turns[0].repetitions, len(stage.turns[0].beginners)) == (2, 9)


def test_counters_have_ratios_of_their_own(stage: Stage, tmp_path: Path) -> None:
    stage.counters = {"instructions": 100.0, "p99": 31.0, "page_faults": 0.0, "ns_per_addition": 0.25}
    stage.times = {"old": [9.0, *[20.0] * 8], "new": [9.0, *[22.0] * 8]}
    pair = measured(tmp_path)
    assert pair.log_ratio("instructions") == pair.log_ratio("p99") == 0.0 and pair.log_ratio("page_faults") is None
    assert pair.log_ratio("cycles") == pair.log_ratio("ns"), "without a counter of cycles, additions count them"


def test_the_ratios_of_rounds_are_judged() -> None:
    """The medians of the sides say nothing, their rounds' ratios do."""
    judged = [Pair(Sample(0, 20.0, {}), Sample(0, 20.0, {}), True, log_ratios={"ns": 0.05, "cycles": 0.04}, spread=0.01)] * 20
    judgement = judge_pairs({NAME: judged})[NAME]
    assert judgement.ratio.median == pytest.approx(math.exp(0.05))
    assert judgement.others["cycles"].median == pytest.approx(math.exp(0.04))


def test_a_figure_too_small_to_count_has_no_ratio_of_rounds() -> None:
    metrics = {"scoped": (Metric("share", "of all", more_is_worse=False, least=0.01), Metric("p99"))}
    sides = (Sample(0, 20.0, {"share": 0.001, "p99": 7.0}), Sample(0, 20.0, {"share": 0.002, "p99": 7.0}))
    judged = [Pair(*sides, True, log_ratios={"ns": 0.0, "share": 0.7, "p99": 0.3}, spread=0.0)]
    by_name = paired_metrics({NAME: judged}, metrics)
    assert (by_name[f"{NAME} share"].logs, by_name[f"{NAME} p99"].logs) == ([0.0], [0.3])


# ---- the work


def test_both_sides_do_the_same_work_in_all_pairs(stage: Stage, tmp_path: Path) -> None:
    """A process of the old side finds the number of iterations, once."""
    measuring = meter(tmp_path)
    for _ in range(3):
        measuring.pair(NAME, OLD, NEW, 8)
    assert stage.asked == [("old", "--benchmark_min_time=0.005")]
    assert {turns.iterations for turns in stage.turns} == {round(5e6 / 20.0)}


@pytest.mark.parametrize(
    ("old", "new", "seconds", "iterations"),
    [(10, 5, None, 500_000), (5, 10, None, 500_000), (5, 5, 0.02, 1_000_000), (5, 5, 1e-12, 1)],
)
def test_a_turn_is_as_long_as_declared_or_as_told(
    stage: Stage, tmp_path: Path, old: float, new: float, seconds: float | None, iterations: int
) -> None:
    meter(tmp_path, offering(turn_ms=old), offering(turn_ms=new), seconds).pair(NAME, OLD, NEW, 8)
    assert stage.turns[0].iterations == iterations


def test_who_begins_is_drawn_in_each_round(stage: Stage, tmp_path: Path) -> None:
    measuring = meter(tmp_path)
    drawn = [measuring.pair(NAME, OLD, NEW, 16) for _ in range(40)]
    assert {pair.old_first for pair in drawn} == {True, False}
    for pair, turns, sides in zip(drawn, stage.turns, stage.sides):
        assert (sides[0] == "old") == (turns.beginners[0] == "old") == pair.old_first
    later = [beginner for turns in stage.turns for beginner in turns.beginners[1:]]
    assert 0.4 < later.count("old") / len(later) < 0.6
    assert len({turns.beginners for turns in stage.turns}) > 35


# ---- other ways


@pytest.mark.parametrize(
    ("old", "new", "way"),
    [
        ({"turn_ms": 5}, {"turn_ms": 5}, BY_TURNS),
        ({}, {"turn_ms": 5}, AT_ONCE),
        ({"turn_ms": 5}, {}, AT_ONCE),
        ({"turn_ms": 0}, {"turn_ms": 5}, IN_SUCCESSION),
        ({}, {"turn_ms": 0}, IN_SUCCESSION),
    ],
)
def test_who_takes_no_turns_is_measured_whole(
    stage: Stage, tmp_path: Path, old: dict[str, object], new: dict[str, object], way: str
) -> None:
    measuring = meter(tmp_path, offering(**old), offering(**new))
    pair = measuring.pair(NAME, OLD, NEW, 8)
    assert way_of(NAME, measuring.old, measuring.new) == way
    assert [done for done, _ in stage.whole] == [way] * (way != BY_TURNS)
    assert (pair.spread is None) == (way != BY_TURNS) and pair.log_ratio("ns") == 0.0
    assert set(stage.options) == ({("--benchmark_repetitions=5", "--benchmark_min_time=0.01")} if way != BY_TURNS else set())
    assert (measuring.pairs, measuring.disturbed) == (1, way == IN_SUCCESSION)


def test_at_once_one_thread_has_one_core_and_several_have_all(stage: Stage, tmp_path: Path) -> None:
    measured(tmp_path, old=offering())
    stage.counters = {MANY_THREADS: 1e6}
    measured(tmp_path, old=offering())
    assert stage.whole == [(AT_ONCE, {min(os.sched_getaffinity(0))}), (AT_ONCE, frozenset())]


# ---- rounds


def spreading(*spreads: float | None) -> list[Pair]:
    return [Pair(Sample(0, 1.0, {}), Sample(0, 1.0, {}), True, spread=spread) for spread in spreads]


def test_a_restless_benchmark_gets_more_rounds() -> None:
    assert pairs.rounds_for([]) == pairs.rounds_for(spreading(None)) == ROUNDS
    assert pairs.rounds_for(spreading(RESTLESS / 2)) == pairs.rounds_for(spreading(RESTLESS / 2, RESTLESS / 2, 1.0)) == ROUNDS
    assert pairs.rounds_for(spreading(RESTLESS / 2, 2 * RESTLESS, 2 * RESTLESS)) == RESTLESS_ROUNDS


def test_the_spread_has_no_sign(stage: Stage, tmp_path: Path) -> None:
    """It must not say which side is ahead, else the number of rounds could favour it."""
    times = [9.0, 20.0, 20.0, 21.0, 22.0, 25.0, 20.0, 20.0, 20.0]
    spreads = []
    for old, new in (("old", "new"), ("new", "old")):
        stage.times = {old: times, new: [20.0, 20.0, 20.1, 20.3, 20.6, 20.1, 20.2, 20.0, 20.4]}
        spreads.append(measured(tmp_path).spread)
    assert spreads[0] == pytest.approx(spreads[1]) and spreads[0]


# ---- failures


def test_a_side_without_a_figure_is_named(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.counters = {"error_occurred": True, "error_message": "its process died of Aborted"}
    with pytest.raises(SideFailed) as failed:
        measured(tmp_path)
    assert str(failed.value) == f"{NAME}: failed on the old side: its process died of Aborted"

    def dying(*_: object) -> None:
        raise UnitFailed("crashed (SIGILL)")

    monkeypatch.setattr(pairs, "measure_part", dying)
    with pytest.raises(SideFailed) as failed:
        measured(tmp_path)
    assert str(failed.value) == f"{NAME}: failed on the old side: crashed (SIGILL)"


# ---- the file


def test_a_pair_reads_back_also_an_earlier_pair() -> None:
    sides = (Sample(0, 20.0, {"cycles": 40.0, "ns_per_addition": 0.25}), Sample(0, 21.0, {"cycles": 42.0}))
    earlier, turned = Pair(*sides, True, 1, 2), Pair(*sides, False, 1, 2, {"ns": 0.05, "cycles": 0.04}, 0.001)
    assert all(decode_pair(json.loads(json.dumps(encode_pair(pair)))) == pair for pair in (earlier, turned))
    assert len(encode_pair(earlier)) == 5, "as an earlier version reads it"
    columns = ("cycles", "ns_per_addition")
    for pair in (earlier, turned):
        short = json.loads(json.dumps(encode_pair(pair, columns)))
        assert decode_pair(short, columns) == replace(pair, old_layout=0, new_layout=0)


@pytest.mark.hostile("recorded pairs")
@pytest.mark.parametrize("damage", [[{"ns": 0.1}], [{"ns": math.nan}, 0.1], [{"ns": 0.1}, math.inf], [[0.1], 0.1], [0.1, 0.1], [{}, None]])
def test_damaged_turns_are_refused(damage: list[object]) -> None:
    whole = [{"ns": 1.0}, {"ns": 1.0}, True, 0, 0]
    with pytest.raises((ValueError, TypeError, AttributeError)):
        decode_pair([*whole, *damage])
    with pytest.raises((ValueError, TypeError, AttributeError)):
        decode_pair([[1.0, 2.0], [1.0, 2.0], 1, *damage], ("cycles",))


# ---- with processes


def test_real_processes_take_turns(tmp_path: Path) -> None:
    sides = [Program(fake_side.write_side(tmp_path / side, noise=0.0) / "stackheap", "quick") for side in ("old", "new")]
    (tmp_path / "new" / "stackheap.json").write_text(
        json.dumps({**json.loads((tmp_path / "new" / "stackheap.json").read_text()), "ns": {NAME: 22.0}})
    )
    old, new = sides
    measuring = PairMeter(ask(old), ask(new), tmp_path, random.Random(1))
    ratios = [measuring.pair(NAME, old, new, 8).log_ratio("ns") for _ in range(3)]
    assert ratios == [pytest.approx(math.log(1.1))] * 3
    assert not list(tmp_path.glob(".*"))
