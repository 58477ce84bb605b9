"""Is a process that stood still in mid-measurement marked, whoever stopped it, and never taken for one that hangs?"""

from __future__ import annotations

import os
import queue
import resource
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from suite.base.errors import UnitHung
from suite.runner import interference
from suite.runner.interference import Interference, Snapshot, frozen_seconds, interference_between, take_snapshot
from suite.runner.program import Ended, MeasuringProcess, _stopped_until_the_end

pytestmark = pytest.mark.hostile("state of the machine")

NOTHING_USED = resource.struct_rusage([0.0] * 16)
BEFORE = Snapshot(100.0, 0.0, 0.0, 0.0, 2, 5000.0, 7.0)


def after(**standing: float) -> Interference:
    return interference_between(BEFORE, replace(BEFORE, wall=110.0, **standing), NOTHING_USED)


def test_a_suspended_system_disturbs_the_process_that_measured() -> None:
    beside = after(suspended=5002.0)
    assert beside.reasons == ("the system was suspended for 2 s",) and beside.stopped == 2.0


def test_a_frozen_control_group_disturbs_the_process_that_measured() -> None:
    beside = after(frozen=7.5)
    assert beside.reasons == ("its control group was frozen for 500 ms",) and beside.stopped == 0.5


@pytest.mark.parametrize("read", [5000.05, 4999.95], ids=["later", "earlier"])
def test_two_clocks_that_were_not_read_at_once_are_not_a_suspended_system(read: float) -> None:
    assert after(suspended=read) == replace(after(), stopped=0.0) and not after().disturbed


def test_the_systems_own_clocks_do_not_tell_of_a_suspended_system_here() -> None:
    first, second = take_snapshot(), take_snapshot()
    assert first.suspended > -interference.SUSPENDED_SECONDS
    assert abs(second.suspended - first.suspended) < interference.SUSPENDED_SECONDS and second.frozen == first.frozen


@pytest.mark.parametrize(
    ("own", "stat", "seconds"),
    [
        ("0::/", {"": "frozen_usec 1500000\n"}, 1.5),
        ("9:memory:/x\n0::/user.slice/a b\n", {"user.slice/a b": "other 1\nfrozen_usec 250000\n"}, 0.25),
        ("0::/a\n", {"": "frozen_usec 1500000\n"}, 0.0),  # another group's
        ("0::/\n", {"": "frozen_usec many\n"}, 0.0),
        ("0::/\n", {"": "frozen 5\n"}, 0.0),  # Linux before 6.18 has no such line
        ("9:memory:/x\n", {"": "frozen_usec 1500000\n"}, 0.0),  # only version 1
        ("", {}, 0.0),
        (None, {}, 0.0),
    ],
    ids=["container", "named", "not-there", "no-number", "no-line", "version-1", "empty", "no-file"],
)
@pytest.mark.parametrize("beside_version_1", [False, True], ids=["alone", "unified"])
def test_what_the_system_says_of_a_frozen_control_group(
    tmp_path: Path, own: str | None, stat: dict[str, str], seconds: float, beside_version_1: bool
) -> None:
    groups = (tmp_path / "cgroup", tmp_path / "cgroup/unified")
    for name, text in stat.items():
        folder = groups[beside_version_1] / name
        folder.mkdir(parents=True)
        (folder / "cgroup.stat.local").write_text(text)
    if own is not None:
        (tmp_path / "self").write_text(own)
    assert frozen_seconds(tmp_path / "self", groups) == seconds


# ---- time limits


class LateAnswers:
    """Ends of waiting that bring nothing, as after each time that this process itself stood still; then an answer."""

    def __init__(self, nothing: int, answer: object) -> None:
        self.nothing, self.answer, self.waited = nothing, answer, 0.0

    def get(self, timeout: float) -> object:
        self.nothing, self.waited = self.nothing - 1, self.waited + timeout
        if self.nothing >= 0:
            raise queue.Empty
        return self.answer


@pytest.mark.parametrize("times", [0, 1, interference.WAITING_STEPS - 1])
def test_a_process_is_not_taken_to_hang_because_this_one_stood_still(times: int, tmp_path: Path) -> None:
    with open(tmp_path / "errors", "w+b") as errors:
        process: Any = MeasuringProcess(["true"], errors, {}, result=tmp_path / "out")
        process._ends = LateAnswers(times, Ended(0, NOTHING_USED, 0.0))
        assert process.end(60.0).exit_code == 0


def test_a_program_that_was_stopped_for_its_whole_limit_goes_on(tmp_path: Path) -> None:
    """A process that a malloc library has left behind may stop its parent, which the program has become."""
    with open(tmp_path / "errors", "w+b") as errors:
        process = MeasuringProcess(["sh", "-c", "kill -STOP $$; exit 7"], errors, dict(os.environ))
        process.start()
        try:
            assert process.end(0.2, renewed=True).exit_code == 7
        finally:
            process.stop()


def test_a_process_that_ends_while_its_stop_is_asked_for_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = os.waitid

    def ask_late(kind: int, process: int, options: int) -> os.waitid_result | None:
        if options & os.WNOHANG:
            os.kill(process, signal.SIGCONT)
            ask(kind, process, os.WEXITED | os.WNOWAIT)
        return ask(kind, process, options)

    monkeypatch.setattr(os, "waitid", ask_late)
    with subprocess.Popen(["sh", "-c", "kill -STOP $$; exit 7"]) as child:
        assert _stopped_until_the_end(child.pid) >= 0.0 and child.wait() == 7


def test_the_limit_begins_anew_with_each_result(tmp_path: Path) -> None:
    """The program ends a benchmark that hangs, and goes on: two of them together may take longer than the limit."""
    results = tmp_path / "out"

    class Results(LateAnswers):
        def get(self, timeout: float) -> object:
            if self.waited < 150.0:
                results.write_text("row " * int(self.waited))
            return super().get(timeout)

    with open(tmp_path / "errors", "w+b") as errors:
        process: Any = MeasuringProcess(["true"], errors, {}, result=results)
        process._ends = Results(10**6, None)
        with pytest.raises(UnitHung):
            process.end(60.0, renewed=True)
        assert process._ends.waited == pytest.approx(240.0)


def test_a_process_that_hangs_is_waited_for_no_longer_than_its_limit(tmp_path: Path) -> None:
    with open(tmp_path / "errors", "w+b") as errors:
        process: Any = MeasuringProcess(["true"], errors, {}, result=tmp_path / "out")
        process._ends = LateAnswers(10**6, None)
        with pytest.raises(UnitHung, match="^did not end within 60 s$"):
            process.end(60.0)
        assert process._ends.waited == pytest.approx(60.0)
