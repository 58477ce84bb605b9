"""Does scripts/program answer for a user's program, refuse bad input in one line, and keep what was measured?

The programs are tiny and the budgets short: what is asserted does not depend on their times.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from suite.commands import program as command
from suite.results.end_to_end import read_end_to_end
from suite.results.model import Run
from suite.results.read import read_run
from suite.results.recording import profile_in
from suite.results.run_names import names_of
from suite.runner import build, scheduler
from support import ROOT
from support.measuring_program import program

Call = Callable[..., int]
STRANGE = ROOT / "tests" / "hostile" / "strange_program.c"
MANY = "my @words = map { qq(word $_) } 1 .. 300000;"  # more calls than a buffer of the recorder holds
ALLOCATES = "my @words = map { qq(word $_) } 1 .. 20000; print scalar(@words), qq(\\n);"


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """scripts/program in a folder of its own, with the program that the tests have built, one process of each replay."""
    monkeypatch.setattr(build, "build", lambda *_, **__: program())
    monkeypatch.setitem(scheduler.PROCESSES, "quick", 1)

    def run(*arguments: str, figures: bool = False) -> int:
        quiet = () if figures else ("--no-figures",)
        try:
            return command.main((*quiet, "--out", str(tmp_path / "out"), *arguments), tmp_path)
        except SystemExit as end:
            return int(end.code or 0)

    return run


def perl(text: str) -> Sequence[str]:
    return "--", "perl", "-e", text


def result(tmp_path: Path) -> Run:
    return read_run(tmp_path / "out")


def test_a_program_gets_its_whole_answer(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--pairs", "2", *perl(ALLOCATES), figures=True) == 0
    printed = capsys.readouterr().out.replace("\u00a0", " ")
    assert " calls of malloc, free and their kin in " in printed and "Replayed, these calls cost " in printed
    assert "die last in, first out" in printed and "a stack would save" in printed
    run = result(tmp_path)
    measured, profile = read_end_to_end(run), profile_in(run)
    assert measured is not None and profile is not None
    assert measured.exit_code == 0 and measured.output_same and measured.own_malloc == "glibc"
    assert profile.allocations > 1000 and profile.ended == "exit"
    assert {compared.malloc for compared in measured.compared} == set(run.mallocs()) - {"glibc", "tbbmalloc_proxy"}
    assert all(compared.pairs == 2 and compared.verdict == "not judged" for compared in measured.compared)
    assert {"none", "glibc", "glibc+stack"} <= set(run.strategies("replay")) and "glibc" in run.strategies("replay_memory")
    left = {file.name.partition("-")[0] for file in (tmp_path / "out").iterdir()}
    assert left == {"recording", "run.json.gz", "figures", "report.html"}
    drawn = {file.name for file in (tmp_path / "out" / "figures").glob("*.svg")}
    assert drawn == {"end_to_end.svg", "lifetimes.svg", "replay.svg", "replay_memory.svg"}
    assert "What memory costs in " in (tmp_path / "out" / "report.html").read_text()


def test_a_recording_is_replayed_without_its_program_as_far_as_the_budget_suffices(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("--pairs", "1", *perl(ALLOCATES)) == 0
    assert "The replay makes" not in capsys.readouterr().out
    recording = next((tmp_path / "out").glob("*.shr")).rename(tmp_path / "kept.shr")
    (tmp_path / "out").rename(tmp_path / "first")
    monkeypatch.setattr(command, "REPLAY_PER_CALL", 1.0)  # of a machine that replays nothing in the budget
    monkeypatch.setattr(command, "LEAST_REPLAYED", 1000)
    assert call("--label", "old server", "--recording", str(recording)) == 0
    printed = capsys.readouterr().out
    assert "Replayed, these calls cost " in printed and "The replay makes the first 1,000 of " in printed
    control = next(row for row in result(tmp_path).series("replay") if row.name.strategy == "none")
    assert 900 < control.counter("calls")[0] <= 1000  # the others are marks, of threads and of main
    assert result(tmp_path).families() == ("replay", "replay_memory") and recording.exists()
    assert names_of([result(tmp_path)]) == ["old server"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "COMMAND or --recording FILE is needed, not both: for example scripts/program -- ls -l"),
        (("--recording", "x", "--", "ls"), "COMMAND or --recording FILE is needed, not both: for example scripts/program -- ls -l"),
        (("--", "no-such-program"), "COMMAND 'no-such-program' is not in PATH; accepted: the path of a program, or its name in PATH"),
        (("--stdin", "/nowhere", "--", "cat"), "--stdin /nowhere cannot be read (No such file or directory); accepted: a file"),
        (("--recording", "/nowhere"), "--recording /nowhere cannot be read (No such file or directory); accepted: a file"),
        (("--recording", "/"), "--recording / cannot be read (Is a directory); accepted: a file"),
        (("--pairs", "0", "--", "ls"), "argument --pairs: '0' is not a number from 1 to 1000"),
        (("--budget", "soon", "--", "ls"), "argument --budget: 'soon' is not a number from 1 to 100000"),
        (("--label", "", "--", "ls"),
         "argument --label: '' is not a label: 1 to 24 printable Latin, Greek or Cyrillic letters, digits and signs, without "
         "spaces at its ends and without _ at its start"),
        (("--threshold", "2", "--", "ls"), "argument --threshold: '2' is not a share: write 2% or 0.02 (above 0, up to 100%)"),
    ],
)  # fmt: skip
def test_bad_usage_is_one_line(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: Sequence[str], line: str
) -> None:
    assert call(*arguments) == 2
    errors = capsys.readouterr().err
    assert errors.removesuffix(" (--help lists the options)\n").removesuffix("\n") == f"scripts/program: {line}"
    assert not (tmp_path / "out").exists()


def test_a_folder_with_a_run_is_refused(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text("{}")
    assert call("--", "ls") == 2
    assert capsys.readouterr().err == f"scripts/program: --out {tmp_path / 'out'} already contains a run; accepted: another folder\n"


@pytest.mark.hostile("recording of a program")
@pytest.mark.parametrize("content", [b"", b"not a recording", b"stackshr" + bytes(1000)], ids=("empty", "text", "zeros"))
def test_a_file_that_is_not_a_recording_is_one_line(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tmp_path / "file").write_bytes(content)
    assert call("--recording", str(tmp_path / "file")) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1 and "file: " in errors
    assert not (tmp_path / "out").exists()


@pytest.mark.hostile("measured program")
@pytest.mark.parametrize(
    ("text", "reason", "note"),
    [
        ("print $$", "prints something else in each run", ""),
        ("kill 9, $$", "was killed by SIGKILL with its own malloc", "While it was recorded, perl was killed by SIGKILL: the recording ends there."),
    ],
)
def test_a_program_that_cannot_be_compared_is_recorded_and_replayed_all_the_same(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, reason: str, note: str
) -> None:
    assert call(*perl(f"{MANY} {text}")) == 1
    printed = capsys.readouterr().out.replace("\u00a0", " ")
    assert f"No malloc was compared: perl {reason}" in printed and note in printed
    assert "replay" in result(tmp_path).families()


@pytest.mark.hostile("measured program")
def test_a_program_that_does_not_end_is_ended_and_said(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is run once: a second run would not end either. What its buffers held is lost with it."""
    assert call("--timeout", "2", *perl(f"{MANY} sleep 1000")) == 1
    printed = capsys.readouterr().out.replace("\u00a0", " ")
    assert "No malloc was compared: perl did not end within 2 s." in printed
    assert "While it was recorded, perl did not end within 2 s: the recording ends there." in printed
    assert "replay" in result(tmp_path).families()


@pytest.mark.hostile("measured program")
def test_a_program_of_which_nothing_is_known_is_one_line(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*perl("kill 9, $$")) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "scripts/program: perl was killed by SIGKILL with its own malloc"
    assert not (tmp_path / "out").exists()


@pytest.mark.hostile("malloc library")
def test_a_wrong_malloc_is_refused_before_the_program_runs(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--allocator", "mine=/nowhere/libmine.so", *perl(f"open(F, '>', '{tmp_path}/ran')")) == 2
    assert "/nowhere/libmine.so" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists() and not (tmp_path / "out").exists()


@pytest.mark.hostile("disk fault")
def test_a_full_disk_in_the_replay_keeps_the_runs(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(scheduler, "measure", full)
    assert call("--pairs", "1", *perl(ALLOCATES)) == 1
    assert "Nothing was replayed: it could not be replayed: No space left on device." in capsys.readouterr().out
    assert "program" in result(tmp_path).families()


def test_output_that_differs_is_compared_where_that_is_asked_for(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--pairs", "1", "--any-output", *perl("print $$")) == 0
    measured = read_end_to_end(result(tmp_path))
    assert measured is not None and measured.compared and not measured.output_same


def test_an_exit_code_other_than_zero_is_an_answer_too(call: Call, tmp_path: Path) -> None:
    assert call("--pairs", "1", *perl("exit 3")) == 0
    measured = read_end_to_end(result(tmp_path))
    assert measured is not None and measured.exit_code == 3 and measured.compared


@pytest.mark.hostile("signal")
def test_an_interrupt_keeps_what_was_measured(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(command._Replays, "begins", interrupt)
    assert call("--pairs", "1", *perl(ALLOCATES)) == 130
    printed = capsys.readouterr()
    assert printed.err.endswith(f"scripts/program: interrupted; the results so far are in {tmp_path / 'out'}\n")
    assert "program" in result(tmp_path).families()


def test_a_setup_that_fails_is_one_line(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--setup", "echo no >&2; false", "--", "ls") == 2
    errors = capsys.readouterr().err
    assert errors.endswith("the setup failed: exit code 1 (no)\n") and "Traceback" not in errors


@pytest.mark.hostile("measured program")
def test_a_program_that_kills_what_observes_it_leaves_nothing(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*perl(f"{MANY} kill 9, getppid")) == 2
    line = "scripts/program: what observes it ended without a report: does it kill its parent?"
    assert capsys.readouterr().err.splitlines()[-1] == line
    assert not (tmp_path / "out").exists()


# ---- strange programs


@pytest.fixture(scope="session")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("strange") / "strange"
    subprocess.run(["cc", "-O1", "-w", "-pthread", str(STRANGE), "-o", str(built)], check=True)
    return built


@pytest.mark.nightly
@pytest.mark.hostile("measured program")
@pytest.mark.parametrize("what", re.findall(r'WHEN\("(.*?)"\)', STRANGE.read_text()))
def test_a_strange_program_is_answered_or_refused_and_nothing_of_it_is_left(
    call: Call, strange: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    (tmp_path / "precious").write_text("not of the program")
    code = call("--budget", "2", "--timeout", "2", "--pairs", "1", "--", str(strange), what)
    printed = capsys.readouterr()
    assert not re.search("Traceback|[\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", printed.out + printed.err)
    left = {file.name.partition("-")[0] for file in (tmp_path / "out").glob("*")}
    if code == 2:
        assert printed.err.splitlines()[-1].startswith("scripts/program: ") and left == set()
    else:
        assert code in (0, 1) and result(tmp_path).units and left <= {"recording", "run.json.gz", "replay"}
    assert (tmp_path / "precious").read_text() == "not of the program"
    assert {file.name for file in tmp_path.iterdir()} <= {"out", "precious"}
    assert running(strange) == []


def running(executable: Path) -> list[str]:
    """The processes of the program that still run."""
    found = []
    for link in Path("/proc").glob("[0-9]*/exe"):
        with contextlib.suppress(OSError):  # it has ended, or is not ours
            found += [link.parent.name] if os.readlink(link) == str(executable) else []
    return found
