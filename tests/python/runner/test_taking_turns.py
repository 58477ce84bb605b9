"""Do two processes take turns, and is a side that dies, hangs or is stopped named, and leaves no process behind?"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from suite.results.read import repetitions_of
from suite.runner import interference, turns
from suite.runner.program import Part, Program
from suite.runner.turns import Measured, SideFailed, Turns, measure_at_once, measure_in_succession, measure_in_turns
from support import ROOT, fake_side

NAME = next(iter(fake_side.NAMES))
PART = Part("scoped", "", 0, f"^{NAME}$", (NAME,))
BEGINNERS = ("new", "old", "new", "new")
LIMIT = 2.0  # of a turn, in the tests that wait for it


def a_side(folder: Path, **behaviour: object) -> Program:
    (folder / "log").parent.mkdir(exist_ok=True)
    (folder / "log").touch()
    return Program(fake_side.write_side(folder, **behaviour) / "stackheap", "quick")  # type: ignore[arg-type]


def measure(tmp_path: Path, repetitions: int = 1, **behaviour: object) -> Measured:
    """By turns, with a new side that behaves like this."""
    sides = {"new": a_side(tmp_path / "new", **behaviour), "old": a_side(tmp_path / "old")}
    return measure_in_turns(sides, PART, tmp_path, Turns(BEGINNERS, repetitions, 77))


def log(tmp_path: Path, side: str) -> list[str]:
    return (tmp_path / side / "log").read_text().splitlines()


def gone(process: int) -> bool:
    """Whether it ends soon: it may have been told to, but not have done so yet."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """After each test, no process of either side is left, and no file."""
    yield
    for side in ("old", "new"):
        if (tmp_path / side / "log").exists():
            assert all(gone(int(word)) for line in log(tmp_path, side) for word in line.split()[:2] if word.isdigit() and int(word) > 99)
    assert not list(tmp_path.glob(".*.tmp"))


def test_each_side_has_each_turn_alone(tmp_path: Path) -> None:
    """The sides write into one log: what begins has waited, and the other side does not work meanwhile."""
    shared = tmp_path / "shared"
    shared.touch()
    sides = {side: a_side(tmp_path / side) for side in ("new", "old")}
    for side in sides:
        (tmp_path / side / "log").unlink()
        (tmp_path / side / "log").symlink_to(shared)
    measured = measure_in_turns(sides, PART, tmp_path, Turns(BEGINNERS, 1, 77))
    lines = [line.split() for line in shared.read_text().splitlines()]
    numbers = {lines[0][0]: "new", lines[1][0]: "old"}
    begun = [(numbers[process], int(turn)) for process, deed, turn in lines if deed == "begins"]
    assert begun == [("new", 0), ("old", 0), ("old", 1), ("new", 1), ("new", 2), ("old", 2), ("new", 3), ("old", 3)]
    for (process, deed, _), following in zip(lines[2:], lines[3:]):
        if deed == "begins":  # its turn ends when it waits again; its last turn when it has ended
            assert following[0] == process or following[1] == "begins"
    assert {len(repetitions_of(document, NAME)) for document in measured.documents.values()} == {4}
    assert set(measured.documents) == {"old", "new"}


def test_a_turn_may_have_two_repetitions(tmp_path: Path) -> None:
    measured = measure(tmp_path, repetitions=2)
    assert [len(repetitions_of(document, NAME)) for document in measured.documents.values()] == [8, 8]
    assert sum("begins" in line for line in log(tmp_path, "new")) == 4
    assert {row["iterations"] for document in measured.documents.values() for row in document["benchmarks"]} == {77}


@pytest.mark.parametrize(
    ("deed", "turn", "reason"),
    [
        ("crash", 0, "crashed (SIGSEGV) in its preparation"),
        ("crash", 2, "crashed (SIGSEGV) in its turn 2 of 3"),
        ("crash", 3, "crashed (SIGSEGV) in its turn 3 of 3"),
        ("exit", 1, "ended with exit code 1 (stackheap: wrong in the middle) in its turn 1 of 3"),
        ("leave", 1, "crashed (SIGKILL) in its turn 1 of 3"),
    ],
)
def test_a_side_that_dies_in_its_turn_is_named(tmp_path: Path, deed: str, turn: int, reason: str) -> None:
    with pytest.raises(SideFailed) as failed:
        measure(tmp_path, in_turn=(turn, deed))
    assert str(failed.value) == f"{NAME}: failed on the new side: {reason}"


@pytest.mark.hostile("measured program")
@pytest.mark.parametrize(
    ("deed", "turn", "reason"),
    [
        ("hang", 0, "did not end its preparation within 2 s"),
        ("hang", 2, "did not end its turn 2 of 3 within 2 s"),
        ("hang", 3, "did not end its turn 3 of 3 within 2 s"),
        ("stop", 1, "was stopped in its turn 1 of 3, and did not go on within 2 s"),
        ("stop", 3, "was stopped in its turn 3 of 3, and did not go on within 2 s"),
    ],
)
def test_a_side_that_hangs_in_its_turn_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str, turn: int, reason: str
) -> None:
    monkeypatch.setattr(turns, "TURN_LIMIT", LIMIT)
    with pytest.raises(SideFailed) as failed:
        measure(tmp_path, in_turn=(turn, deed))
    assert str(failed.value) == f"{NAME}: failed on the new side: {reason}"


def test_a_side_that_does_not_start_is_named(tmp_path: Path) -> None:
    sides = {"old": a_side(tmp_path / "old"), "new": a_side(tmp_path / "new", turn_ms=None)}
    with pytest.raises(SideFailed) as failed:
        measure_in_turns(sides, PART, tmp_path, Turns(BEGINNERS, 1, 77))
    line = str(failed.value)
    assert line.startswith(f"{NAME}: failed on the new side: ended with exit code 2 (stackheap: unknown option") and "its start" in line


def test_a_program_that_cannot_be_started_is_an_oserror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suite.runner.program._ends_with_this_process", lambda: ())
    with pytest.raises(OSError):
        measure_in_turns({"new": Program(tmp_path, "quick")}, PART, tmp_path, Turns(BEGINNERS, 1, 77))


def test_a_side_that_pauses_goes_on(tmp_path: Path) -> None:
    assert len(measure(tmp_path, in_turn=(2, "pause")).documents) == 2


@pytest.mark.hostile("state of the machine")
@pytest.mark.parametrize(
    ("behaviour", "disturbed"),
    [({}, False), ({"in_turn": (2, "rest")}, True), ({"counters": {"stopped_seconds": 2.0}}, True)],
    ids=["not-stopped", "the-side", "the-process-of-its-benchmark"],
)
def test_a_side_that_was_stopped_and_went_on_is_disturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: dict[str, Any], disturbed: bool
) -> None:
    quiet = interference.Snapshot(0.0, 0.0, 0.0, 0.0, 2)
    monkeypatch.setattr(interference, "take_snapshot", lambda: quiet)  # nothing else runs on this machine
    assert measure(tmp_path, **behaviour).disturbed == disturbed


@pytest.mark.hostile("disk fault")
def test_a_disk_that_is_full_in_the_middle_is_the_disks_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = type("Usage", (), {"free": 0})
    monkeypatch.setattr("suite.runner.program.shutil.disk_usage", lambda folder: free)
    with pytest.raises(OSError, match="No space left on device"):
        measure(tmp_path, in_turn=(2, "exit"))


@pytest.mark.hostile("signal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("deed", ["hang", "stop"])
def test_an_interrupt_in_the_middle_of_a_turn_ends_both_sides(tmp_path: Path, number: int, deed: str) -> None:
    """Also where this process is killed, and can end nothing itself."""
    for side, behaviour in (("old", None), ("new", (2, deed))):
        a_side(tmp_path / side, in_turn=behaviour)
    script = (
        "from pathlib import Path\nfrom suite.runner.program import Part, Program\n"
        "from suite.runner.signals import signals_as_interrupts\n"
        "from suite.runner.turns import Turns, measure_in_turns\n"
        f"sides = {{side: Program(Path({str(tmp_path)!r}, side, 'stackheap'), 'quick') for side in ('old', 'new')}}\n"
        f"with signals_as_interrupts():\n    measure_in_turns(sides, {PART!r}, Path({str(tmp_path / 'results')!r}), "
        f"Turns({BEGINNERS!r}, 1, 77))\n"
    )
    (tmp_path / "results").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    with subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.DEVNULL) as measuring:
        while "begins 2" not in "".join(log(tmp_path, "new")):
            assert measuring.poll() is None
            time.sleep(0.01)
        measuring.send_signal(number)
        assert measuring.wait(30) != 0
    if number != signal.SIGKILL:
        assert not list((tmp_path / "results").iterdir())


# ---- without turns


@pytest.mark.parametrize("measure_whole", [measure_at_once, measure_in_succession])
def test_programs_that_know_no_turns_are_measured_whole(tmp_path: Path, measure_whole: Callable[..., Measured]) -> None:
    sides = {side: a_side(tmp_path / side, turn_ms=None) for side in ("new", "old")}
    measured = measure_whole(sides, PART, tmp_path, 60.0)
    assert [len(repetitions_of(measured.documents[side], NAME)) for side in ("old", "new")] == [1, 1]


@pytest.mark.parametrize("measure_whole", [measure_at_once, measure_in_succession])
def test_a_whole_process_that_dies_is_named(tmp_path: Path, measure_whole: Callable[..., Measured]) -> None:
    sides = {"new": a_side(tmp_path / "new", crash=(NAME,)), "old": a_side(tmp_path / "old")}
    with pytest.raises(SideFailed) as failed:
        measure_whole(sides, PART, tmp_path, 60.0)
    assert str(failed.value) == f"{NAME}: failed on the new side: crashed (SIGSEGV)"


def test_sides_at_once_share_the_processors_that_they_are_given(tmp_path: Path) -> None:
    processor = max(os.sched_getaffinity(0))
    script = tmp_path / "side"
    script.write_text(f"#!{sys.executable}\nimport os, sys\nsys.exit(str(os.sched_getaffinity(0)))\n")
    script.chmod(0o755)
    sides = dict.fromkeys(("old", "new"), Program(script, "quick"))
    with pytest.raises(SideFailed, match=re.escape(f"({ {processor} })")):
        measure_at_once(sides, PART, tmp_path, 60.0, processors={processor})
