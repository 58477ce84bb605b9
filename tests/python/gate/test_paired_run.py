"""Does scripts/compare measure in turn, survive crashes and interrupts, use floors, and find the worse benchmarks?"""

from __future__ import annotations

import gzip
import json
import math
import os
import random
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from suite.base.errors import BadInput, UnitFailed
from suite.commands import compare as command
from suite.gate import paired_run, sides
from suite.gate.calibration import calibrate
from suite.gate.comparison import CANNOT_JUDGE, NOT_JUDGED, NOTHING_WORSE, SAME, SOMETHING_WORSE, UNDECIDED, WORSE
from suite.gate.pairs_file import Pair, RecordedPairs, Side, read_calibration, read_pairs, write_pairs
from suite.gate.sequential_test import THRESHOLD, Rule
from suite.results.model import CORE_SHARE, LINE_TRIP, SHARED_CACHE, Document, Sample
from suite.runner import build as building
from suite.runner import interference
from suite.runner.program import Catalogue, Part, Program
from support import declarations, fake_side

SCOPED, GLIBC, L1, MEMORY = fake_side.NAMES
WHOLE = Catalogue((), {"families": {family: {"turn_ms": 0} for family in ("scoped", "chase")}}, (), {}, "")
OLD, NEW = (paired_run.SideBuilds(Side(name), (Program(Path(name), "quick"),), WHOLE) for name in ("old", "new"))
CALM = interference.Interference(0.1, 0.0, 0.0, 0, 0, ())

Ns = Callable[[str, str], float]  # side and benchmark


class Stage:
    """Replaces the processes of whole families: answers at once, and records which program measured which benchmark."""

    def __init__(self, ns: Ns) -> None:
        self.ns = ns
        self.asked: list[tuple[str, str]] = []
        self.standings: list[paired_run.Progress] = []

    def measure_part(
        self, program: Program, part: Part, folder: Path, limit: float, layout: int | None = None
    ) -> tuple[Document, interference.Interference]:
        name = part.benchmarks[0]
        self.asked.append((program.executable.name, name))
        ns = self.ns(program.executable.name, name)
        return {"context": {"suite_version": "1"}, "benchmarks": [fake_side.row(name, ns)]}, CALM


def steady(slower: float = 1.0, slower_side: str = SCOPED) -> Ns:
    draw = random.Random(1)

    def ns(side_name: str, name: str) -> float:
        factor = slower if side_name.startswith("new") and name == slower_side else 1.0
        return 10 * factor * draw.lognormvariate(0, 0.002)

    return ns


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[RecordedPairs, Stage]]:
    def run(ns: Ns, **more: object) -> tuple[RecordedPairs, Stage]:
        stage = Stage(ns)
        monkeypatch.setattr("suite.runner.turns.measure_part", stage.measure_part)
        plan = replace(paired_run.PairedRun(OLD, NEW, (SCOPED, GLIBC), {"L1": L1}, seed=5), **more)
        return paired_run.play(plan, stage.standings.append), stage

    return run


Play = Callable[..., tuple[RecordedPairs, Stage]]


# ---- measuring in turn


def test_old_stands_next_to_new_and_the_order_is_drawn(play: Play) -> None:
    recorded, stage = play(steady())
    turns = list(zip(stage.asked[::2], stage.asked[1::2]))
    assert all(first[1] == second[1] and {first[0], second[0]} == {"old", "new"} for first, second in turns)
    first = [pair.old_first for pair in recorded.pairs[SCOPED] + recorded.pairs[GLIBC] + recorded.controls["L1"]]
    assert 0 < sum(first) < len(first)
    assert sum(first) == sum(turn[0][0] == "old" for turn in turns)


def test_the_seed_fixes_the_order(play: Play) -> None:
    assert play(steady())[1].asked == play(steady())[1].asked
    assert play(steady())[1].asked != play(steady(), seed=6)[1].asked


def test_benchmarks_take_turns(play: Play) -> None:
    """Pair i of every benchmark comes before pair i + 1 of any benchmark, so that drift affects all of them."""
    _, stage = play(steady())
    rounds = [tuple(name for _, name in stage.asked[start : start + 6]) for start in range(0, len(stage.asked), 6)]
    assert all(set(measured) == {SCOPED, GLIBC, L1} for measured in rounds)
    assert len(set(rounds)) > 1  # each round has an order of its own


def test_a_decided_benchmark_is_not_measured_again(play: Play) -> None:
    noisy, quiet = random.Random(2), steady()

    def ns(side_name: str, name: str) -> float:
        return quiet(side_name, name) * (noisy.lognormvariate(0, 0.2) if name == GLIBC else 1)

    recorded, _ = play(ns)
    assert (len(recorded.pairs[SCOPED]), len(recorded.pairs[GLIBC])) == (10, 40)
    assert len(recorded.controls["L1"]) == 40


def test_a_slower_side_is_confirmed_and_reported(play: Play) -> None:
    recorded, stage = play(steady(1.05))
    comparison = paired_run.verdict(recorded)
    assert {judgement.name: judgement.verdict for judgement in comparison.judgements} == {SCOPED: WORSE, GLIBC: SAME}
    assert comparison.exit_code() == SOMETHING_WORSE
    assert len(recorded.pairs[SCOPED]) == 20 and len(recorded.pairs[GLIBC]) == 10
    assert stage.standings[-1].pairs_left == 0


def test_the_same_side_twice_is_the_same(play: Play) -> None:
    comparison = paired_run.verdict(play(steady())[0])
    assert [judgement.verdict for judgement in comparison.judgements] == [SAME, SAME]
    assert (comparison.exit_code(strict=True), comparison.trusted) == (NOTHING_WORSE, True)


def test_the_number_of_pairs_can_be_chosen(play: Play) -> None:
    noisy = random.Random(3)
    recorded, _ = play(lambda side_name, name: 10 * noisy.lognormvariate(0, 0.2), rule=Rule(pairs=32))
    assert len(recorded.pairs[SCOPED]) == 2 * 32


# ---- the share of the core


def test_a_side_that_always_has_less_of_the_core_is_not_trusted(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, quiet, side = fake_side.row, steady(), [""]

    def ns(side_name: str, name: str) -> float:
        side[0] = side_name
        return quiet(side_name, name)

    def row(name: str, additions: float) -> dict[str, object]:
        return {**rows(name, additions), CORE_SHARE: 0.9 if side[0] == "new" else 0.5}

    monkeypatch.setattr(fake_side, "row", row)
    comparison = paired_run.verdict(play(ns)[0])
    assert not comparison.trusted and any(
        "share of the core control moved by +80" in warning for warning in comparison.warnings
    )


# ---- failures


@pytest.mark.hostile("measured program")
def test_a_side_that_crashes_is_a_problem_and_the_rest_goes_on(play: Play) -> None:
    quiet = steady()

    def ns(side_name: str, name: str) -> float:
        if (side_name, name) == ("new", SCOPED):
            raise UnitFailed("crashed (SIGSEGV)")
        return quiet(side_name, name)

    recorded, stage = play(ns)
    assert recorded.problems == (f"{SCOPED}: failed on the new side: crashed (SIGSEGV)",)
    assert stage.asked.count(("new", SCOPED)) == 1
    comparison = paired_run.verdict(recorded)
    assert [judgement.name for judgement in comparison.judgements] == [GLIBC]
    assert (comparison.exit_code(), comparison.problems) == (CANNOT_JUDGE, recorded.problems)


@pytest.mark.parametrize("time_ns", (0.0, math.nan))
def test_an_invalid_time_is_a_problem(play: Play, time_ns: float) -> None:
    quiet = steady()
    recorded, _ = play(lambda side_name, name: time_ns if name == SCOPED else quiet(side_name, name))
    assert len(recorded.problems) == 1 and SCOPED in recorded.problems[0]


def test_a_failing_control_cannot_be_trusted(play: Play) -> None:
    quiet = steady()

    def ns(side_name: str, name: str) -> float:
        if name == L1:
            raise UnitFailed("crashed (SIGILL)")
        return quiet(side_name, name)

    assert paired_run.verdict(play(ns)[0]).exit_code() == CANNOT_JUDGE


@pytest.mark.hostile("signal")
def test_an_interrupt_keeps_the_pairs_and_judges_them(play: Play) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("ignored here, as under nohup")
    quiet, left = steady(1.5), [70]

    def ns(side_name: str, name: str) -> float:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGINT)
        return quiet(side_name, name)

    recorded, _ = play(ns)
    assert 10 <= len(recorded.pairs[SCOPED]) <= 13
    assert any("interrupted" in warning for warning in recorded.warnings)
    comparison = paired_run.verdict(recorded)
    assert {judgement.name: judgement.verdict for judgement in comparison.judgements} == {
        SCOPED: UNDECIDED,
        GLIBC: SAME,
    }
    assert comparison.exit_code() == CANNOT_JUDGE  # it seems worse, so it does not pass
    assert len(comparison.problems) == 1 and comparison.problems[0].startswith(f"{SCOPED}: seemed worse by +")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.hostile("signal")
def test_an_interrupt_without_a_suspicion_is_not_a_failure(play: Play) -> None:
    quiet, noisy, left = steady(), random.Random(2), [70]

    def ns(side_name: str, name: str) -> float:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return quiet(side_name, name) * (noisy.lognormvariate(0, 0.2) if name == GLIBC else 1)

    comparison = paired_run.verdict(play(ns)[0])
    assert [judgement.verdict for judgement in comparison.judgements] == [SAME, UNDECIDED]
    assert comparison.exit_code() == NOTHING_WORSE


@pytest.mark.parametrize("calls", [13, 40])
def test_fewer_pairs_than_the_first_analysis_needs_are_not_judged_again_and_again(
    play: Play, tmp_path: Path, calls: int
) -> None:
    """Also from the file: two pairs of a side that costs twice as much are not a pass."""
    quiet, left = steady(2.0), [calls]

    def ns(side_name: str, name: str) -> float:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return quiet(side_name, name)

    recorded, _ = play(ns)
    write_pairs(tmp_path / "pairs.json", recorded)
    for comparison in (paired_run.verdict(recorded), paired_run.verdict(read_pairs(tmp_path / "pairs.json"))):
        assert [judgement.verdict for judgement in comparison.judgements] == [NOT_JUDGED, NOT_JUDGED]
        assert comparison.exit_code() == CANNOT_JUDGE
        assert all("the first analysis needs 10" in judgement.notes[0] for judgement in comparison.judgements)


def test_benchmarks_without_a_pair_stay_a_problem_in_the_file(play: Play, tmp_path: Path) -> None:
    quiet, left = steady(), [3]

    def ns(side_name: str, name: str) -> float:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return quiet(side_name, name)

    write_pairs(tmp_path / "pairs.json", play(ns, controls={})[0])
    comparison = paired_run.verdict(read_pairs(tmp_path / "pairs.json"))
    assert [line.partition(": ")[2] for line in comparison.problems] == ["no pair was measured"]


def test_a_file_without_pairs_cannot_be_judged() -> None:
    assert paired_run.verdict(RecordedPairs(OLD.side, NEW.side, 1, {})).exit_code() == CANNOT_JUDGE


def test_a_budget_keeps_a_third_for_confirming(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suspect at the first analysis is confirmed although another benchmark is still undecided."""
    quiet, noisy, calls = steady(1.5), random.Random(2), [0]

    def ns(side_name: str, name: str) -> float:
        calls[0] += 1
        return quiet(side_name, name) * (noisy.lognormvariate(0, 0.2) if name == GLIBC else 1)

    monkeypatch.setattr("suite.gate.paired_run.time.monotonic", lambda: float(calls[0]))
    recorded, _ = play(ns, controls={}, budget=75.0)  # a call a second: 40 calls to the first analysis, 50 are two thirds
    assert len(recorded.pairs[SCOPED]) == 20 and len(recorded.pairs[GLIBC]) < 40
    comparison = paired_run.verdict(recorded)
    assert {judgement.name: judgement.verdict for judgement in comparison.judgements} == {
        SCOPED: WORSE,
        GLIBC: UNDECIDED,
    }
    assert comparison.exit_code() == SOMETHING_WORSE


@pytest.mark.hostile("signal")
def test_an_interrupt_before_the_first_pair_cannot_be_judged(play: Play) -> None:
    def ns(side_name: str, name: str) -> float:
        raise KeyboardInterrupt

    comparison = paired_run.verdict(play(ns)[0])
    assert comparison.exit_code() == CANNOT_JUDGE and len(comparison.problems) == 2


def test_the_budget_ends_the_run_and_is_reported(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100_000))
    monkeypatch.setattr("suite.gate.paired_run.time.monotonic", lambda: float(next(clock)))
    recorded, stage = play(steady(1.5), budget=30.0)
    assert any("budget" in warning for warning in recorded.warnings)
    assert 10 < len(stage.asked) < 60


# ---- controls


def moved_control(ratio: float) -> RecordedPairs:
    draw = random.Random(4)

    def pairs(factor: float) -> tuple[Pair, ...]:
        def one_side(i: int, counter_value: float) -> Sample:
            return Sample(i, 10 * counter_value * draw.lognormvariate(0, 0.003), {"ns_per_addition": 0.25})

        return tuple(Pair(one_side(i, 1.0), one_side(i, factor), i % 2 == 0) for i in range(20))

    return RecordedPairs(OLD.side, NEW.side, 1, {SCOPED: pairs(1.0)}, {"L1": pairs(ratio), "memory": pairs(1.0)})


def test_a_control_that_moves_makes_the_result_unreliable() -> None:
    comparison = paired_run.verdict(moved_control(1.03))
    assert (comparison.trusted, comparison.exit_code()) == (False, CANNOT_JUDGE)
    assert any("L1 control moved by +3" in warning for warning in comparison.warnings)
    assert paired_run.verdict(moved_control(0.97)).trusted is False
    still = paired_run.verdict(moved_control(1.005))
    assert still.trusted and not any("control" in warning for warning in still.warnings)
    assert re.fullmatch(r"controls, new against old: L1 \+0\.[3-7] %, memory [+-]0\.[0-3] %, arithmetic \+0\.0 %", still.controls)


def test_the_clock_is_a_control() -> None:
    recorded = moved_control(1.0)
    clocked = {"ns_per_addition": 0.2}
    faster = tuple(replace(pair, new=replace(pair.new, counters=clocked)) for pair in recorded.pairs[SCOPED])
    comparison = paired_run.verdict(replace(recorded, pairs={SCOPED: faster}))
    assert not comparison.trusted and any(
        "arithmetic control moved by -20" in warning for warning in comparison.warnings
    )


@pytest.mark.parametrize(("ns", "moved"), [(15.5, False), (20.0, True)])
@pytest.mark.parametrize(("counter", "control"), [(SHARED_CACHE, "shared cache"), (LINE_TRIP, "way between cores")])
def test_what_others_share_is_a_control(counter: str, control: str, ns: float, moved: bool) -> None:
    def counted(pair: Pair) -> Pair:
        old, new = (replace(side, counters={counter: value}) for side, value in ((pair.old, 15.0), (pair.new, ns)))
        return replace(pair, old=old, new=new)

    recorded = moved_control(1.0)
    comparison = paired_run.verdict(replace(recorded, pairs={SCOPED: tuple(map(counted, recorded.pairs[SCOPED]))}))
    assert comparison.trusted != moved
    assert any(f"{control} control moved by +33" in warning for warning in comparison.warnings) == moved


# ---- layouts


def test_layouts_are_drawn_and_their_share_is_reported(play: Play) -> None:
    draw = random.Random(6)
    old, new = [
        replace(side, builds=tuple(Program(Path(f"{side.side.label}{i}"), "quick") for i in range(3)))
        for side in (OLD, NEW)
    ]

    def ns(side_name: str, name: str) -> float:
        return 10 * draw.lognormvariate(0, 0.001) * (1.04 if side_name == "new2" and name == SCOPED else 1.0)

    recorded, stage = play(ns, old=old, new=new, to_the_end=True)
    assert {pair.new_layout for pair in recorded.pairs[SCOPED]} == {0, 1, 2}
    assert {name for name, _ in stage.asked} == {f"{side}{i}" for side in ("old", "new") for i in range(3)}
    notes = {judgement.name: judgement.notes[-1] for judgement in paired_run.verdict(recorded).judgements}
    share = float(notes[SCOPED].rpartition("the new by ")[2].rstrip("%"))
    assert 3.0 < share < 5.0
    assert float(notes[GLIBC].rpartition("the new by ")[2].rstrip("%")) < 1.0


def test_a_single_layout_gives_no_note_on_layout(play: Play) -> None:
    assert all(not judgement.notes for judgement in paired_run.verdict(play(steady())[0]).judgements)


# ---- recorded pairs


def test_recorded_pairs_make_the_same_verdict_again(play: Play, tmp_path: Path) -> None:
    recorded, _ = play(steady(1.05), metrics=declarations.COUNTED)
    write_pairs(tmp_path / "pairs.json", recorded)
    again = read_pairs(tmp_path / "pairs.json")
    (tmp_path / "pairs.json.gz").write_bytes(gzip.compress((tmp_path / "pairs.json").read_bytes()))
    assert read_pairs(tmp_path / "pairs.json.gz") == again
    assert paired_run.verdict(again) == paired_run.verdict(recorded)
    assert again.pairs[SCOPED][3].old_first == recorded.pairs[SCOPED][3].old_first
    assert again.metrics == declarations.COUNTED


def test_pairs_of_an_earlier_version_declare_no_metrics(play: Play, tmp_path: Path) -> None:
    recorded, _ = play(steady())
    write_pairs(tmp_path / "pairs.json", recorded)
    earlier = json.loads((tmp_path / "pairs.json").read_text())
    del earlier["compare"]["families"]
    (tmp_path / "pairs.json").write_text(json.dumps(earlier))
    assert read_pairs(tmp_path / "pairs.json") == recorded


def test_the_pairs_keep_the_declarations_of_the_measured_families() -> None:
    def offering(*families: str) -> Catalogue:
        about = {family: declarations.of_family(family) for family in families}
        return Catalogue((), {"families": about}, (), {}, "")

    old, new = offering("latency", "overhead"), offering("stack_limit", "overhead")
    names = ("stack_limit/stack:main/frame:64", "latency/glibc/bytes:64/op:malloc", "unknown/glibc")
    kept = {family: declarations.COUNTED[family] for family in ("stack_limit", "latency")}
    assert paired_run.metrics_for(names, old, new) == kept


@pytest.mark.hostile("recorded pairs")
@pytest.mark.parametrize(
    "damage",
    (
        lambda text: "",
        lambda text: text[:-30],
        lambda text: "[]",
        lambda text: "{}",
        lambda text: text.replace('"ns": ', '"ns": -', 1),
        lambda text: text.replace('"ns": ', '"ns": NaN, "was": ', 1),
        lambda text: text.replace('"ns"', '"none"', 1),
        lambda text: text.replace('"seed"', '"sown"', 1),
        lambda text: text.replace('"controls"', '"control"', 1),
    ),
)
def test_damaged_pairs_are_refused_in_one_line(
    play: Play, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[str], str]
) -> None:
    file = tmp_path / "pairs.json"
    write_pairs(file, play(steady())[0])
    file.write_text(damage(file.read_text()))
    assert command.main(["--judge", str(file)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# ---- calibration


def test_calibration_finds_the_floors_and_the_smallest_slowdown(play: Play) -> None:
    draw = random.Random(7)
    noise = {SCOPED: 0.003, GLIBC: 0.03, L1: 0.003}
    recorded, stage = play(lambda side_name, name: 10 * draw.lognormvariate(0, noise[name]), to_the_end=True)
    assert {len(pairs) for pairs in recorded.pairs.values()} == {20}
    calibration = calibrate(recorded, Rule())
    assert calibration.floors[SCOPED] < 0.006 < 0.012 < calibration.floors[GLIBC] < 0.06
    assert calibration.false_alarms <= 2 and calibration.simulated >= 100
    assert calibration.least_found is not None and 0.015 <= calibration.least_found <= 0.15


def test_a_floor_is_beyond_what_a_side_moved_against_itself(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suite.gate.calibration.SIMULATED_SUITES", 4)
    draw = random.Random(9)
    moved = {"old": 1.0, "new": 1.05}
    recorded, _ = play(lambda side_name, name: moved[side_name] * draw.lognormvariate(2, 0.01), to_the_end=True)
    assert all(0.05 < floor < 0.08 for floor in calibrate(recorded, Rule()).floors.values())


def test_calibration_admits_that_no_slowdown_would_be_found(play: Play) -> None:
    draw = random.Random(8)
    recorded, _ = play(lambda side_name, name: 10 * draw.lognormvariate(0, 5.0), to_the_end=True)
    assert calibrate(recorded, Rule()).least_found is None


# ---- the command


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project; the machine counts as undisturbed."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def no_build(root: Path, preset: str, status: Console) -> Path:
    return root / "build" / preset / "stackheap"


def run(root: Path, *arguments: str, build: sides.Builder = no_build) -> int:
    measured = "--judge" not in arguments
    return command.main([*arguments, *("--seed", "1") * measured], root, build)


@pytest.mark.slow
def test_two_builds(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_side.write_side(root / "old")
    fake_side.write_side(root / "new", {**fake_side.NAMES, SCOPED: 2.2})
    assert run(root, "old", "new", "--only", "^scoped/", "--format", "json", "--record", "pairs.json") == SOMETHING_WORSE
    output = capsys.readouterr()
    assert json.loads(output.out)["exit_code"] == SOMETHING_WORSE
    assert "seed 1" in output.err and "about" in output.err
    assert set(read_pairs(root / "pairs.json").controls) == {"L1", "memory"}
    assert run(root, "--judge", "pairs.json") == SOMETHING_WORSE
    assert run(root, "--judge", "pairs.json", "--threshold", "scoped/none=20%") == NOTHING_WORSE
    assert run(root, "--judge", "pairs.json", "--threshold", "scoped/glibc=20%") == SOMETHING_WORSE


@pytest.mark.slow
def test_two_mallocs_have_the_same_name(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_side.write_side(root / "build" / "release")
    for name, factor in (("a.so", 1.0), ("b.so", 1.3)):
        (root / name).write_text(str(factor))
    named = ("--allocator", "old=a.so", "--allocator", "new=b.so")
    assert run(root, *named, "--only", "scoped", "--record", "pairs.json") == SOMETHING_WORSE
    assert list(read_pairs(root / "pairs.json").pairs) == ["scoped/malloc/bytes:64/touch:first"]


@pytest.mark.parametrize("library", ["libknown.so.1,je_", "a,b.so", "a,b/c=d.so,je_", "~/x y.so"])
def test_the_program_alone_reads_which_malloc_is_meant(library: str) -> None:
    """A comma in a path was once read in two ways."""
    assert sides.of_malloc("new", library, Path("any")).allocators == (f"malloc={library}",)


@pytest.mark.slow
def test_floors_are_stored_and_lower_thresholds_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_side.write_side(root / "old", noise=0.02)
    common = ("--only", "^scoped/none", "--record", "pairs.json")
    assert run(root, "old", "--calibrate", *common) == 0
    stored = list((root / "results" / "calibration").iterdir())
    assert len(stored) == 1 and "resampled" in capsys.readouterr().out
    floor = read_calibration(stored[0]).floors[SCOPED]
    assert 0.005 < floor < 0.05
    assert run(root, "old", "old", *common, "--threshold", f"{floor / 2:.6f}") == 2
    assert "is below its floor" in capsys.readouterr().err
    assert run(root, "--judge", "pairs.json", "--floors", str(stored[0]), "--threshold", f"{floor / 2:.6f}") == 2
    capsys.readouterr()
    assert run(root, "--judge", "pairs.json", "--floors", str(stored[0]), "--format", "json") == NOTHING_WORSE
    assert f'"threshold": {floor + THRESHOLD:.6f}'[:-2] in capsys.readouterr().out


@pytest.mark.slow
def test_a_missing_benchmark_is_refused_unless_allowed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_side.write_side(root / "old")
    fake_side.write_side(root / "new", {name: ns for name, ns in fake_side.NAMES.items() if name != GLIBC})
    assert run(root, "old", "new", "--only", "^scoped/") == 2
    assert f"{GLIBC}: only the old side has it" in capsys.readouterr().err
    assert run(root, "old", "new", "--only", "^scoped/", "--allow-missing") == NOTHING_WORSE
    assert "only the old side has it" in capsys.readouterr().out


@pytest.mark.slow
def test_a_side_compared_with_itself_gives_a_warning(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_side.write_side(root / "old")
    assert run(root, "old", "old", "--only", "^scoped/none") == NOTHING_WORSE
    assert paired_run.SAME_SIDES in capsys.readouterr().out
    (root / "file").write_text("")
    with pytest.raises(SystemExit, match="2"):
        run(root, "old", "old", "--only", "^scoped/none", "--record", str(root / "file" / "pairs.json"))
    assert capsys.readouterr().err.count("\n") == 1


def test_a_crashing_side_is_reported_and_cannot_be_judged(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_side.write_side(root / "old")
    fake_side.write_side(root / "new", crash=(SCOPED,))
    assert run(root, "old", "new", "--only", "^scoped/none") == CANNOT_JUDGE
    assert "crashed (SIGSEGV)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    (
        ((), "give either two builds"),
        (("old",), "1 given"),
        (("old", "old", "old"), "3 given"),
        (("old", "old", "--rev", "a"), "give either"),
        (("--rev", "a"), "1 given"),
        (("old", "old", "--calibrate"), "2 given"),
        (("old", "nowhere"), "nowhere is neither a build folder"),
        (("old", "old", "--only", "("), "takes a regular expression"),
        (("old", "old", "--only", "nothing"), "no benchmark that both sides have"),
        (("old", "old", "--layouts", "3"), "takes build folders of CMake"),
        (("--judge", "nowhere.json"), "does not exist"),
        (("old", "old", "--floors", "nowhere.json"), "does not exist"),
    ),
)
def test_bad_input_is_one_line(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    fake_side.write_side(root / "old")
    assert run(root, *arguments) == 2
    errors = capsys.readouterr().err
    assert message in errors and errors.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    (
        ("--threshold", "x"), ("--threshold", "(=1%"), ("--threshold", "0%"), ("--pairs", "5"), ("--budget", "-1"),
        ("--budget", "nan"), ("--seconds", "0"), ("--layouts", "1"), ("--allocator", "a.so"), ("--format", "pdf"),
    ),
)  # fmt: skip
def test_bad_options_are_one_line(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["old", "new", *arguments])
    assert ended.value.code == 2 and capsys.readouterr().err.count("\n") == 1


# ---- revisions


@pytest.fixture
def repository(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits of a project, and a cmake that builds by copying the program in the commit."""
    where = root / "project"
    where.mkdir()
    (where / "CMakePresets.json").write_text('{"configurePresets": [{"name": "release"}]}')
    git(where, "init", "--quiet", "--initial-branch=main")
    for number, ns in enumerate((2.0, 2.4)):
        side_folder = fake_side.write_side(root / f"side{number}", {**fake_side.NAMES, SCOPED: ns})
        (where / "program").write_bytes((side_folder / "stackheap").read_bytes())
        (where / "program").chmod(0o755)
        git(where, "add", ".")
        git(where, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "change")
        git(where, "tag", f"v{number}")
    tools = root / "tools"
    tools.mkdir()
    (tools / "cmake").write_text(
        "#!/bin/sh\ncase $1 in\n--preset) mkdir -p build/$2 && : > build/$2/build.ninja ;;\n"
        "--build) cp program $2/stackheap ;;\nesac\n"
    )
    (tools / "cmake").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return where


def git(where: Path, *arguments: str) -> str:
    ended = subprocess.run(["git", "-C", str(where), *arguments], capture_output=True, text=True, check=True)
    return ended.stdout


@pytest.mark.slow
def test_two_revisions_are_built_in_folders_of_their_own_and_cleaned_up(repository: Path, root: Path) -> None:
    revisions = ("--rev", "v0", "--rev", "HEAD", "--only", "^scoped/none", "--record", str(root / "pairs.json"))
    assert run(repository, *revisions, build=building.build) == SOMETHING_WORSE
    recorded = read_pairs(root / "pairs.json")
    assert recorded.old.facts["commit"] == git(repository, "rev-parse", "v0").strip()
    assert list((repository / "build" / "revisions").iterdir()) == []
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    assert git(repository, "status", "--porcelain", "--", "program") == ""


def test_a_revision_that_does_not_build_or_exist_leaves_nothing(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(root: Path, preset: str, status: Console) -> Path:
        raise BadInput("building failed: see above")

    assert run(repository, "--rev", "v0", "--rev", "v1", build=broken) == 2
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    assert run(repository, "--rev", "v0", "--rev", "v9", build=building.build) == 2
    assert "--rev takes a git revision, got 'v9'" in capsys.readouterr().err
    assert run(repository, "--rev", "v1", "--rev", "main", build=building.build) == 2
    assert "the same commit" in capsys.readouterr().err
    assert not list((repository / "build" / "revisions").iterdir())


def test_padding_moves_code_and_layouts_that_do_not_differ_are_refused(root: Path) -> None:
    """A build folder whose cmake writes the padding into the program, and one whose cmake does not know it."""
    tools = root / "tools"
    tools.mkdir()
    tree = fake_side.write_side(root / "tree")
    (tree / "CMakeCache.txt").write_text("")
    script = 'case $1 in -DSTACKHEAP_PADDING=*) echo "# $1" > padding;; esac\n'
    append = "[ $1 != --build ] || { sed -i '/^# -D/d' stackheap; cat padding >> stackheap; }\n"
    status = Console(quiet=True)
    options = sides.SideOptions("quick", layouts=3, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        (tools / "cmake").write_text(f"#!/bin/sh\n{script}{append}")
        (tools / "cmake").chmod(0o755)
        source = sides.of_build(str(tree))
        side = sides.side_of(source, options, root, status)
        assert len({sides.digest(program.executable) for program in side.builds}) == 3
        assert (tree / "stackheap").read_text().endswith("# -DSTACKHEAP_PADDING=0\n")
        (tools / "cmake").write_text("#!/bin/sh\n")
        with pytest.raises(BadInput, match="needs a build that knows STACKHEAP_PADDING"):
            sides.side_of(source, options, root, status)
