"""Does the evaluation count correctly? Other tools' rules on cases made by hand, suites, recordings, and the page."""

from __future__ import annotations

import gzip
import json
import math
import random
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from suite.commands import compare, evaluate
from suite.gate import pairs_file, sequential_test
from suite.gate.pairs_file import Pair
from suite.results.model import Sample
from suite.runner.program import Catalogue
from suite.selfcheck import gate_error_rates, gate_recording, other_tools
from suite.selfcheck.gate_recording import CONDITIONS, NOISY, QUIET, SLOWDOWNS, Turn
from support import ROOT
from support.measuring_program import program

NAMES = ("steady", "noisy", "third")
TEN = tuple(100.0 + 0.01 * i for i in range(10))  # ns, close together


@pytest.fixture(autouse=True)
def few_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_error_rates, "RUN_SUITES", 4)


def slower(by: float, times: Sequence[float] = TEN) -> tuple[float, ...]:
    return tuple(time * (1 + by) for time in times)


# ---- recordings of any machine


def a_sample(ns: float, cycles: bool = True) -> Sample:
    return Sample(0, float(f"{ns:.6g}"), {"ns_per_addition": 0.25} if cycles else {})


def a_turn(draw: random.Random, spread: float, with_runs: bool, cycles: bool = True) -> Turn:
    def ns(percent: int) -> float:
        return 20 * (1 + percent / 100) * math.exp(draw.gauss(0, spread / math.sqrt(2)))

    def a_run(percent: int) -> dict[str, tuple[float, ...]]:
        return {name: tuple(float(f"{ns(percent):.6g}") for _ in range(gate_recording.REPETITIONS)) for name in NAMES}

    def a_pair(percent: int) -> Pair:
        return Pair(a_sample(ns(0), cycles), a_sample(ns(percent), cycles), draw.random() < 0.5)

    pairs = {percent: {name: a_pair(percent) for name in NAMES} for percent in SLOWDOWNS}
    times = {percent: gate_recording.PLAIN_RUNS if percent == 0 else 1 for percent in SLOWDOWNS} if with_runs else {}
    return Turn(pairs, {percent: tuple(a_run(percent) for _ in range(times.get(percent, 0))) for percent in SLOWDOWNS})


@cache
def a_recording(
    turns: int = 48, quiet: float = 0.005, noisy: float = 0.06, cycles: bool = True
) -> gate_recording.Recording:
    draw = random.Random(1)
    spreads = {QUIET: quiet, NOISY: noisy}
    turns_by_condition = {
        name: tuple(a_turn(draw, spreads[name], i % 4 == 0, cycles) for i in range(turns)) for name in CONDITIONS
    }
    facts = {"date": "2026-01-02", "topology": "2 cores", "counters": "none: not here"}
    return gate_recording.Recording(7, facts, NAMES, turns_by_condition)


def recording_file(folder: Path, recording: gate_recording.Recording | None = None) -> Path:
    path = folder / "recording.json.gz"
    gate_recording.write_recording(path, recording or a_recording())
    return path


# ---- the other rules


def says(rule: str, old: Sequence[float], new: Sequence[float], history: Sequence[Sequence[float]] = ()) -> bool:
    [other_rule] = [candidate for candidate in other_tools.OTHER_RULES if candidate.name.startswith(rule)]
    return other_rule.slower(old, new, history)


@pytest.mark.parametrize("rule", ["Google", "criterion", "LNT", "asv", "github"])
def test_no_rule_calls_the_same_times_or_faster_ones_slower(rule: str) -> None:
    assert not says(rule, TEN, TEN)
    assert not says(rule, TEN, slower(-0.6))


def test_google_benchmark_needs_no_effect() -> None:
    assert says("Google", TEN, slower(0.002))
    assert not says("Google", TEN, (*TEN[:5], *slower(0.002)[5:]))


def test_criterion_needs_the_whole_interval_over_one_percent() -> None:
    assert says("criterion", TEN, slower(0.05))
    assert not says("criterion", TEN, slower(0.008))
    wide = tuple(100.0 + 3 * i for i in range(10))
    assert not says("criterion", wide, slower(0.02, wide))


def test_lnt_compares_the_least_time_with_the_nearest_and_the_scatter() -> None:
    assert says("LNT", TEN, slower(0.05))
    assert not says("LNT", TEN, slower(0.009))
    scattered = tuple(102.0 + 2 * i for i in range(10))  # a standard deviation of 5.7: 2 to 3 % over is within it
    assert not says("LNT", TEN, scattered)


@pytest.mark.parametrize(("m", "n", "critical"), [(4, 4, 0), (5, 5, 2), (8, 8, 13), (10, 10, 23), (5, 10, 8)])
def test_critical_values_are_those_of_the_published_tables(m: int, n: int, critical: int) -> None:
    assert other_tools._critical_u(m, n) == critical


def test_asv_needs_a_factor() -> None:
    assert says("asv", TEN, slower(0.11))
    assert not says("asv", TEN, slower(0.09))
    overlapping = (*slower(1e-5, TEN[:2]), *slower(0.3, TEN[2:]))
    assert not says("asv", TEN, overlapping)  # far over the factor, but p = 0.0115


def test_bencher_looks_at_the_history() -> None:
    history = [(9.0,), (10.0,), (11.0,)]  # mean 10, standard deviation sqrt(2/3), two degrees of freedom: 6.9646
    limit = 10 + math.sqrt(2 / 3) * 6.9646
    assert says("Bencher", TEN, (limit + 0.01,), history)
    assert not says("Bencher", TEN, (limit - 0.01,), history)
    assert not says("Bencher", TEN, (1e9,), [(10.0,), (10.0,)])  # no scatter: it does not judge


def test_github_action_benchmark_needs_the_double() -> None:
    assert says("github", TEN, slower(1.01))
    assert not says("github", TEN, slower(0.99))


# ---- suites


@pytest.mark.parametrize(("turns", "wanted"), [(100, 40), (41, 40), (40, 40), (7, 40)])
def test_a_suite_has_blocks_of_consecutive_turns_and_no_turn_twice(turns: int, wanted: int) -> None:
    draw = random.Random(3)
    first_turns = set()
    for _ in range(50):
        turn_numbers = gate_error_rates.draw_turns(turns, wanted, draw)
        assert len(turn_numbers) == min(turns, wanted)
        assert len(set(turn_numbers)) == len(turn_numbers)
        assert set(turn_numbers) <= set(range(turns))
        breaks = sum(b != a + 1 for a, b in zip(turn_numbers, turn_numbers[1:]))
        assert breaks <= math.ceil(len(turn_numbers) / gate_error_rates.BLOCK_TURNS) + 1
        first_turns.add(turn_numbers[0])
    assert len(first_turns) > 3


def test_a_suite_takes_turns_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each benchmark's ratio shows its turn: the rule must get the same turns of every benchmark, in the same order."""

    def turn_of(number: int) -> Turn:
        a_pair = Pair(a_sample(1.0), a_sample(1.0 + number), True)
        return Turn({percent: dict.fromkeys(NAMES, a_pair) for percent in SLOWDOWNS}, dict.fromkeys(SLOWDOWNS, ()))

    asked_about: list[Mapping[str, Sequence[float]]] = []

    def watch(logs: Mapping[str, Sequence[float]], rule: sequential_test.Rule) -> dict[str, sequential_test.Decision]:
        asked_about.append(logs)
        return {}

    monkeypatch.setattr(sequential_test, "group_sequential_test", watch)
    recording = replace(a_recording(), turns={name: tuple(turn_of(i) for i in range(90)) for name in CONDITIONS})
    gate_error_rates.score_paired(recording, QUIET, gate_error_rates.PAIRED_RULES[0], 1, suites=5)
    assert len(asked_about) == 10
    for logs in asked_about:
        assert list(logs) == list(NAMES)
        assert len({tuple(values) for values in logs.values()}) == 1
        assert len(set(logs[NAMES[0]])) == 80


def test_planted_slowdowns_are_found_and_no_other_is() -> None:
    score = gate_error_rates.score_paired(a_recording(), QUIET, gate_error_rates.PAIRED_RULES[0], 1, suites=30)
    assert score is not None
    assert score.suites.trials == 30 and score.comparisons.trials == 90
    assert score.suites.hits == 0
    assert score.detected(5) == gate_error_rates.Tally(30, 30)
    assert score.detected(1).share < score.detected(2).share
    assert {name for _, name in score.detections} == set(NAMES)


def test_noise_hides_small_slowdowns() -> None:
    rule = gate_error_rates.PAIRED_RULES[0]
    quiet, noisy = (gate_error_rates.score_paired(a_recording(), name, rule, 1, suites=30) for name in CONDITIONS)
    assert quiet is not None and noisy is not None
    assert noisy.detected(2).share < quiet.detected(2).share - 0.3


def test_a_rule_on_cycles_is_not_scored_without_cycles() -> None:
    assert (
        gate_error_rates.score_paired(a_recording(cycles=False), QUIET, gate_error_rates.PAIRED_RULES[1], 1, suites=2)
        is None
    )


def test_a_bimodal_slowdown_is_not_found() -> None:
    """The new side is bimodal: the gate gives no verdict, however much slower the side is."""

    def humped(number: int) -> Turn:
        old, new = a_sample(20 + number % 7 / 100), a_sample((24, 40)[number % 2] + number % 5 / 100)
        both = dict.fromkeys(NAMES, Pair(old, new, True))
        return Turn(dict.fromkeys(SLOWDOWNS, both), dict.fromkeys(SLOWDOWNS, ()))

    recording = replace(a_recording(), turns={name: tuple(humped(i) for i in range(60)) for name in CONDITIONS})
    score = gate_error_rates.score_paired(recording, QUIET, gate_error_rates.PAIRED_RULES[0], 1, suites=3)
    assert score is not None
    assert score.detected(5).hits == 0


def test_other_rules_are_given_runs_that_lie_close_together() -> None:
    turns = [turn for turn in a_recording().turns[QUIET] if turn.runs[0]]
    place = {id(run): number for number, turn in enumerate(turns) for runs in turn.runs.values() for run in runs}
    plain = list(gate_error_rates._plain_runs(turns))
    planted = list(gate_error_rates._planted_runs(turns, 2))
    assert plain and planted
    for old, new, before in plain + planted:
        assert 0 <= place[id(new)] - place[id(old)] <= 1
        assert old is not new
        assert len(before) >= gate_error_rates.LEAST_HISTORY
        assert all(place[id(run)] <= place[id(new)] for run in before)
        assert all(run is not new for run in before)
    assert all(any(new is run for turn in turns for run in turn.runs[2]) for _, new, _ in planted)


def test_intervals_are_exact() -> None:
    low, high = gate_error_rates.Tally(0, 300).interval
    assert low == 0.0
    assert high == pytest.approx(1 - 0.025 ** (1 / 300))
    assert gate_error_rates.Tally(8, 10).interval == pytest.approx((0.4439, 0.9748), abs=1e-4)


def test_a_suite_with_two_false_alarms_is_one_suite() -> None:
    counted = gate_error_rates.Score("rule", QUIET)
    counted.count_itself(2, 14)
    counted.count_itself(0, 14)
    assert (counted.comparisons, counted.suites) == (gate_error_rates.Tally(2, 28), gate_error_rates.Tally(1, 2))


@pytest.mark.parametrize(
    ("false_alarms", "reached"),
    [(0, "yes |"), (2, "yes, but the interval reaches beyond the goal |"), (20, "no, missed by 3.0 points |")],
)
def test_the_goal_of_few_false_alarms(false_alarms: int, reached: str) -> None:
    counted = gate_error_rates.Score(
        gate_error_rates.PAIRED_RULES[0].name, QUIET, suites=gate_error_rates.Tally(false_alarms, 500)
    )
    evaluation = gate_error_rates.Evaluation(a_recording(), 1, 500, (counted,))
    [line] = [
        line for line in gate_error_rates._goals(evaluation).splitlines() if line.startswith("| A/A suites flagged |")
    ]
    assert line.endswith(reached)


# ---- the table and the page


@pytest.mark.slow
def test_the_same_seed_gives_the_same_table_and_another_seed_another() -> None:
    first, again, other_seed = (
        gate_error_rates.table(gate_error_rates.evaluate(a_recording(), seed, suites=9)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.replace("of the resampling 1", "of the resampling 2") != other_seed


@pytest.mark.slow
def test_the_table_names_the_missed_goals_and_the_gap() -> None:
    table = gate_error_rates.table(gate_error_rates.evaluate(a_recording(noisy=0.2), 1, suites=9))
    assert re.search(r"\| 5 % slowdown found within 20 pairs \| at least 99.0 % \| 100 % .* \| yes", table)
    assert re.search(r"\| 5 % slowdown found beside the neighbour \|.*\| no, missed by \d+\.\d points \|", table)
    assert "1 % slowdown found, by cycles | at least 90 % | | not measurable: this machine has no counters |" in table
    assert re.search(r"Noisy: \d+ slowdowns of 5 % were missed, .*spread \d+\.\d %", table)
    for name in [rule.name for rule in gate_error_rates.PAIRED_RULES] + [rule.name for rule in other_tools.OTHER_RULES]:
        assert table.count(f"| {name} |") == len(CONDITIONS)
    assert all(rule.source in table for rule in other_tools.OTHER_RULES)
    assert "Seed of the recording 7, of the resampling 1" in table


PAGE = "# Page\n\nbefore\n\n<!-- generated: evaluation -->\nold\n<!-- end -->\n\nafter\n"


def command(*arguments: str | Path) -> int:
    return evaluate.main([str(argument) for argument in arguments])


@pytest.mark.slow
def test_a_stale_page_is_found_and_refreshed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    given = ("--from", recording_file(tmp_path), "--suites", "6")
    assert command(*given, "--check", page) == 1
    assert "stale" in capsys.readouterr().out
    assert page.read_text() == PAGE
    assert command(*given, "--write", page) == 0
    assert command(*given, "--check", page) == 0
    page_text = page.read_text()
    assert page_text.startswith(PAGE.partition("old")[0]) and page_text.endswith("<!-- end -->\n\nafter\n")
    page.write_text(page_text.replace("100 %", "99 %", 1))
    assert command(*given, "--check", page) == 1


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "Traceback" not in err, err
    return err


@pytest.mark.parametrize("text", ["# no block\n", PAGE.replace("<!-- end -->", ""), PAGE + PAGE])
def test_a_page_without_the_block_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    assert command("--from", recording_file(tmp_path), "--suites", "3", "--write", page) == 2
    assert "block" in one_line(capsys)
    assert page.read_text() == text


@pytest.mark.slow
def test_the_committed_page_is_fresh(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.undo()  # all the runs
    committed = ROOT / evaluate.COMMITTED
    if not committed.exists():
        pytest.skip(f"no {evaluate.COMMITTED} yet: scripts/evaluate --record")
    assert committed.stat().st_size < 1 << 20
    assert command("--from", committed, "--check", ROOT / "docs" / "statistics.md") == 0, capsys.readouterr().out


def test_too_few_turns_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--from", recording_file(tmp_path, a_recording(turns=19))) == 2
    assert "19 turns" in one_line(capsys)


# ---- recordings


def test_a_recording_comes_back_as_it_was(tmp_path: Path) -> None:
    assert gate_recording.read_recording(recording_file(tmp_path)) == a_recording()
    assert gate_recording.read_recording(recording_file(tmp_path, a_recording(cycles=False))) == a_recording(
        cycles=False
    )


def damaged(change: str) -> bytes:
    turns = {
        name: [gate_recording._turn_written(NAMES, turn) for turn in condition_turns]
        for name, condition_turns in a_recording(turns=20).turns.items()
    }
    header: dict[str, Any] = {"seed": 7, "facts": {}, "benchmarks": list(NAMES)}
    document = {"evaluation": header, "turns": turns}
    first = turns[QUIET][0]
    match change:
        case "negative":
            first["pairs"]["0"][1][0][0] = -1.0
        case "zero":
            first["runs"]["0"][0][0][0] = 0
        case "nan":
            first["pairs"]["5"][0][1][0] = math.nan
        case "infinite":
            first["pairs"]["5"][0][1][0] = math.inf
        case "word":
            first["pairs"]["5"][0][1][0] = "20"
        case "boolean":
            first["pairs"]["5"][0][1][0] = True
        case "no turns":
            turns[QUIET] = []
        case "no condition":
            del turns[NOISY]
        case "a pair too few":
            del first["pairs"]["1"][0]
        case "a slowdown too few":
            del first["pairs"]["1"]
        case "a repetition too few":
            del first["runs"]["0"][0][0][0]
        case "twice":
            header["benchmarks"] = ["a", "a", "b"]
        case "foreign":
            return gzip.compress(b'{"context": {}, "benchmarks": []}')
        case "a list":
            return gzip.compress(b"[]")
        case "deep":
            return gzip.compress(b"[" * 100_000)
        case "no JSON":
            return gzip.compress(b"recording")
        case "not packed":
            return json.dumps(document).encode()
        case "empty":
            return b""
        case "cut off":
            return gzip.compress(json.dumps(document).encode())[:-500]
        case "huge":
            return gzip.compress(b" " * (gate_recording.MOST_BYTES + 1), compresslevel=1)
    return gzip.compress(json.dumps(document).encode())


DAMAGES = (
    "negative", "zero", "nan", "infinite", "word", "boolean", "no turns", "no condition", "a pair too few",
    "a slowdown too few", "a repetition too few", "twice", "foreign", "a list", "deep", "no JSON", "not packed",
    "empty", "cut off", "huge",
)  # fmt: skip


@pytest.mark.parametrize("change", DAMAGES)
def test_damaged_recordings_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    path = tmp_path / "damaged.json.gz"
    path.write_bytes(damaged(change))
    assert command("--from", path) == 2
    message = one_line(capsys)
    assert str(path) in message
    assert ("too large" in message) == (change == "huge")


def test_the_undamaged_recording_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sound.json.gz"
    path.write_bytes(damaged("nothing"))
    assert gate_recording.read_recording(path).benchmarks == NAMES


def test_no_file_and_a_folder_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path / "none.gz", tmp_path):
        assert command("--from", path) == 2
        assert str(path) in one_line(capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--from", "x", "--record"), ("--from", "x", "--quick"), ("--from", "x", "--out", "y"), ("--check", "page.md"),
        ("--minutes", "0"), ("--minutes", "nan"), ("--minutes", "many"), ("--seed", "-1"), ("--suites", "0"),
        ("--surprise",),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_in_one_line(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command(*arguments)
    assert ended.value.code == 2
    one_line(capsys)


# ---- recording


def test_pairs_are_measured_as_the_gate_measures_them() -> None:
    options = compare.parse(["old", "new"])
    assert gate_recording.PROFILE == options.profile


def test_chains_hold_each_pair_once_and_one_side_of_each_is_plain() -> None:
    pairs = [two for chain in gate_recording.CHAINS for two in zip(chain, chain[1:])]
    assert sorted(max(two) for two in pairs) == list(SLOWDOWNS)
    assert all(min(two) == gate_recording.SAME_ON_BOTH_SIDES for two in pairs)


def test_a_pair_is_of_neighbours_and_knows_which_came_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process measures its own number, and its slowdown."""
    numbers = iter(range(1, 1000))

    def numbered(self: gate_recording.Recorder, percent: int, name: str) -> Sample:
        return Sample(0, float(next(numbers)), {"percent": float(percent)})

    monkeypatch.setattr(gate_recording.Recorder, "_sample", numbered)
    sides = gate_recording.PlantedPrograms(Path("unused"), Path("unused"))
    nothing = Catalogue((), {}, (), {}, "")
    measuring = gate_recording.Recorder(sides, Path("unused"), nothing, NAMES, random.Random(1))
    seen = set()
    for _ in range(20):
        for chain in gate_recording.CHAINS:
            for two, pair in zip(zip(chain, chain[1:]), measuring._pairs(chain, "any"), strict=True):
                percent = max(two)
                assert (pair.old.counters["percent"], pair.new.counters["percent"]) == (0.0, percent)
                assert abs(pair.old.ns - pair.new.ns) == 1
                assert pair.old_first == (pair.old.ns < pair.new.ns)
                seen.add((percent, pair.old_first))
    assert len(seen) == 2 * len(SLOWDOWNS)


FAKE = """#!{python} -SE
import json, os, sys
names = ["arithmetic/operation:add", "chase/bytes:16384"]
given = dict(one[2:].partition("=")[::2] for one in sys.argv[1:])
orders = dict(line.split() for line in open(os.environ["PLANTED"]))
if "list" in given:
    family = {{"chapter": "planted", "question": "", "operation": "", "untimed": "", "heap": "", "unfairness": ""}}
    families = [dict(family, name=name.partition("/")[0], parts=["^" + name.partition("/")[0] + "/"], benchmarks=[name])
                for name in names]
    print(json.dumps({{"families": families, "strategies": [], "context": {{"topology": "1 core"}}}}))
    sys.exit()
{trouble}
rows = []
for name in names:
    if name in given["benchmark_filter"]:
        ns = 1.0 + int(orders.get(name, 0)) / 1000  # 1,000 operations of 4 cycles between delays: 4,000 cycles
        rows += [{{"name": name, "run_name": name, "run_type": "iteration", "repetition_index": i, "iterations": 1,
                  "real_time": ns, "cpu_time": ns, "time_unit": "ns", "ns_per_addition": 0.25,
                  "operations_per_delay": 1000.0}} for i in range(int(given.get("benchmark_repetitions", 1)))]
json.dump({{"context": {{"suite_version": "0"}}, "benchmarks": rows}}, open(given["benchmark_out"], "w"))
"""


def a_builder(folder: Path, trouble: str = "", neighbour: str = "exec sleep 60") -> evaluate.PlantedBuilder:
    def build(root: Path, preset: str, status: Console, target: str) -> Path:
        path = folder / target
        fake = FAKE.format(python=sys.executable, trouble=trouble)
        path.write_text(fake if target == "planted" else f"#!/bin/sh\n{neighbour}\n")
        path.chmod(0o755)
        return path

    return build


def recorded(folder: Path, *arguments: str, trouble: str = "", neighbour: str = "exec sleep 60") -> int:
    given = ["--record", "--out", str(folder / "made.json.gz"), "--minutes", "0.001", "--seed", "3", *arguments]
    return evaluate.main(given, folder, a_builder(folder, trouble, neighbour))


@pytest.mark.slow
def test_the_recorded_slowdowns_are_the_planted_ones(tmp_path: Path) -> None:
    assert recorded(tmp_path) == 0
    recording = gate_recording.read_recording(tmp_path / "made.json.gz")
    assert recording.seed == 3
    assert recording.facts["topology"] == "1 core"
    assert recording.benchmarks == ("arithmetic/operation:add", "chase/bytes:16384")
    assert {name: len(condition_turns) for name, condition_turns in recording.turns.items()} == {QUIET: 1, NOISY: 1}
    for turn in (recording.turns[QUIET][0], recording.turns[NOISY][0]):
        for percent in SLOWDOWNS:
            for name in recording.benchmarks:
                measured = turn.pairs[percent][name]
                assert measured.old.ns == 1.0
                # 4,000 cycles between delays: 40 additions are 1 %, and the fake takes 1/1000 ns for each.
                assert measured.new.ns == pytest.approx(1.0 + 40 * percent / 1000)
            assert len(turn.runs[percent]) == (2 if percent == 0 else 1)
            assert all(len(times) == 10 for run in turn.runs[percent] for times in run.values())
    every_pair = [
        pair
        for condition_turns in recording.turns.values()
        for by_name in condition_turns[0].pairs.values()
        for pair in by_name.values()
    ]
    orders = {measured.old_first for measured in every_pair}
    assert orders == {True, False}


def test_a_delay_follows_the_measured_length_of_its_stretch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_recording.Recorder, "stretches", lambda self, name: [8000.0])  # it takes 4,000 cycles
    assert recorded(tmp_path) == 0
    recording = gate_recording.read_recording(tmp_path / "made.json.gz")
    first, second = (recording.turns[name][0].pairs[5]["chase/bytes:16384"].new.ns for name in CONDITIONS)
    assert first == pytest.approx(1.4) and second == pytest.approx(1.2)


@pytest.mark.slow
def test_a_process_that_fails_once_costs_its_turn_only(tmp_path: Path) -> None:
    once = f"fails = {str(tmp_path / 'failed')!r}\nif not os.path.exists(fails): open(fails, 'w').close(); sys.exit(3)"
    # The first process is a calibration; there a failure ends the recording, as nothing is lost yet.
    (tmp_path / "failed").touch()
    assert recorded(tmp_path, trouble=once + "\nif 'repetitions=10' in str(sys.argv) and not os.path.exists(fails + '2'):"
                    " open(fails + '2', 'w').close(); sys.exit(3)") == 0  # fmt: skip
    assert (tmp_path / "failed2").exists()
    assert len(gate_recording.read_recording(tmp_path / "made.json.gz").turns[QUIET]) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "neighbour", "reason"),
    [
        ("sys.exit(3)", "exec sleep 60", "exit code 3"),
        ("names = []", "exec sleep 60", "holds no benchmarks"),
        ("", "exit 4", "neighbour ended"),
    ],
)
def test_repeated_failures_end_the_recording_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], trouble: str, neighbour: str, reason: str
) -> None:
    assert recorded(tmp_path, trouble=trouble, neighbour=neighbour) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert reason in last and last.startswith("scripts/evaluate: ")
    assert not (tmp_path / "made.json.gz").exists()


@pytest.mark.slow
def test_an_interrupt_keeps_the_turns_that_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_turns = 0
    original = gate_recording.Recorder.turn

    def third_is_interrupted(self: gate_recording.Recorder, condition: str, with_runs: bool) -> Turn:
        nonlocal made_turns
        made_turns += 1
        if made_turns == 3:
            raise KeyboardInterrupt
        return original(self, condition, with_runs)

    monkeypatch.setattr(gate_recording.Recorder, "turn", third_is_interrupted)
    assert recorded(tmp_path, "--minutes", "60") == 0
    assert {
        len(condition_turns)
        for condition_turns in gate_recording.read_recording(tmp_path / "made.json.gz").turns.values()
    } == {1}


def test_a_folder_that_is_not_there_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main(["--out", str(tmp_path / "none" / "x.gz")], tmp_path, a_builder(tmp_path)) == 2
    assert "is not a folder" in one_line(capsys)


# ---- the planted programs


def built(target: str) -> Path:
    """A program or library that the build makes beside the measuring program."""
    return program().parent / target


def planted(*arguments: str, orders: str | None = None, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "orders"
    if orders is not None:
        file.write_text(orders)
    environment = {"PATH": "/usr/bin:/bin", **({"PLANTED": str(file)} if orders is not None else {})}
    command_line = [str(built("planted")), "--profile=full", "--benchmark_format=json", *arguments]
    return subprocess.run(command_line, env=environment, capture_output=True, text=True, timeout=60)


def ns_of(done: subprocess.CompletedProcess[str]) -> float:
    assert done.returncode == 0, done.stderr
    [row] = json.loads(done.stdout)["benchmarks"]
    return float(row["cpu_time"])  # which goes on counting right where others use the core


@pytest.mark.timing
@pytest.mark.parametrize("name", ["arithmetic/operation:add", "chase/bytes:16384", "pairs/glibc/bytes:64"])
def test_a_planted_delay_takes_the_time_of_its_additions(name: str, tmp_path: Path) -> None:
    """A delay of 200,000 additions, one cycle each, dwarfs the stretch of some thousand cycles before it."""
    done = planted(f"--only=^{name}$", orders=f"another 5\n{name} 200000\n", folder=tmp_path)
    slow = ns_of(done)
    [row] = json.loads(done.stdout)["benchmarks"]
    additions = slow * row["operations_per_delay"] / row["ns_per_addition"]
    assert 150_000 < additions < 500_000
    assert ns_of(planted(f"--only=^{name}$", orders="another 200000\n", folder=tmp_path)) < slow / 5


@pytest.mark.parametrize("orders", ["arithmetic/operation:add\n", "arithmetic/operation:add many\n", "x -3\n"])
def test_orders_that_cannot_be_read_are_refused(orders: str, tmp_path: Path) -> None:
    done = planted("--list", orders=orders, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "no name and additions" in done.stderr


def test_every_recorded_benchmark_exists(tmp_path: Path) -> None:
    listed = json.loads(planted("--list=json", folder=tmp_path).stdout)
    offered = {name for family in listed["families"] for name in family["benchmarks"]}
    missing = [strategy["name"] for strategy in listed["strategies"] if not strategy["available"]]
    assert {
        name for name in gate_recording.BENCHMARKS if not any(f"/{name_part}/" in name for name_part in missing)
    } <= offered
    assert {family["chapter"] for family in listed["families"]} == {"planted"}


@pytest.mark.timing
def test_the_delayed_malloc_takes_the_time_of_its_multiplications(tmp_path: Path) -> None:
    """Of 20,000 multiplications a call, three cycles each, where a malloc takes tens: the same library, with an order beside it and without."""
    for name in ("plain", "slow"):
        (tmp_path / f"{name}.so").write_bytes(built("libdelayed_malloc.so").read_bytes())
    (tmp_path / "slow.so.delay").write_text("20000 libc.so.6\n")
    ns = {
        name: ns_of(planted(f"--allocator={name}={tmp_path}/{name}.so", f"--only=^pairs/{name}/", folder=tmp_path))
        for name in ("plain", "slow")
    }
    assert ns["plain"] < 1000
    assert 15_000 < ns["slow"] < 300_000


def test_a_bad_neighbour_explains_its_arguments() -> None:
    for arguments in ("", "x", "1 100000", "1 2 3"):
        done = subprocess.run([str(built("neighbour")), *arguments.split()], capture_output=True, text=True, timeout=10)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1


def test_numbers_are_kept_to_six_figures() -> None:
    assert pairs_file.shortened(123.4567891) == 123.457
    assert np.isclose(pairs_file.shortened(1e-9 / 3), 1e-9 / 3, rtol=1e-5)
