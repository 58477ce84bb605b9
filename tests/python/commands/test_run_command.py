"""Does scripts/run do what its help says, refuse bad input in one line, and keep all results?"""

from __future__ import annotations

import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from suite import claims
from suite.commands import run as command
from suite.results import numbers
from suite.results.merge import write_unit
from suite.results.model import Document, Run, Unit
from suite.results.read import read_run
from suite.runner import build, scheduler
from suite.stats.looks import looks_after
from support import fake_program

Call = Callable[..., int]


@pytest.fixture
def executable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "log").mkdir()
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.delenv("FAKE_DOES", raising=False)
    return fake_program.write_program(tmp_path)


@pytest.fixture
def call(executable: Path, tmp_path: Path) -> Call:
    """scripts/run in a project of its own, with the fake program in place of a build."""

    def run(*arguments: str) -> int:
        try:
            return command.main(arguments, tmp_path, lambda *_: executable)
        except SystemExit as end:
            return int(end.code or 0)

    return run


@pytest.fixture(autouse=True)
def no_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing has its own tests, and takes seconds."""
    monkeypatch.setitem(sys.modules, "suite.charts", charts_that(lambda run, folder: []))
    report = types.ModuleType("suite.pages.report")
    report.__dict__.update(make=lambda runs: f"a page of {len(runs)}", write=write_page)
    monkeypatch.setitem(sys.modules, "suite.pages.report", report)


def write_page(page: str, file: Path) -> Path:
    file.write_text(page)
    return file


def charts_that(draw: Callable[[Run, Path], list[Path]]) -> types.ModuleType:
    charts = types.ModuleType("suite.charts")
    charts.__dict__["draw_all"] = draw
    return charts


def latest(tmp_path: Path) -> Run:
    return read_run(tmp_path / "results" / "latest" / "run.json")


def refused(capsys: pytest.CaptureFixture[str], message: str) -> None:
    """One line, no traceback; the program's own lines as they are."""
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith(message if message.startswith("stackheap: ") else "scripts/run: ")
    assert len(error.splitlines()) == 1, error


# ---- a complete run


def test_a_run_ends_with_results_findings_and_a_link(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--profile", "smoke") == 0
    output = capsys.readouterr()
    run = latest(tmp_path)
    assert (run.context["profile"], run.complete, run.processes) == ("smoke", True, 1)
    folder = (tmp_path / "results" / "latest").resolve()
    assert os.readlink(tmp_path / "results" / "latest") == folder.name
    assert folder.name.endswith("-smoke")
    assert f"results: {folder}/run.json" in output.out
    assert f"seed {run.account.order_seed}" in output.err
    assert "not available: mimalloc: not found (install: libmimalloc2.0)" in output.err
    assert "\x1b" not in output.out + output.err


def test_a_smoke_run_ends_with_whether_all_works_and_shows_no_times(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--profile", "smoke") == 0
    output = capsys.readouterr().out
    number = len(latest(tmp_path).series())
    assert output.splitlines()[-1] == f"everything works: {number} benchmarks, 0 failed; run scripts/run for numbers"
    assert " ns" not in output and "stack_array" not in output


def test_quick_is_the_default_with_five_processes(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--only", "^traverse/") == 0
    run = latest(tmp_path)
    assert (run.context["profile"], run.processes, run.families()) == ("quick", 5, ("traverse",))
    output = capsys.readouterr().out
    assert "vector" in output and "everything works" not in output


def test_the_number_of_processes_can_be_given(call: Call, tmp_path: Path) -> None:
    assert call("--only", "^traverse/", "--processes", "3") == 0
    assert latest(tmp_path).processes == 3


def test_the_poster_is_the_last_table(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--only", "^(handoff|scoped)/", "--no-figures") == 0
    out = capsys.readouterr().out
    last = out[out.index(numbers.TITLE) :]
    assert out.index("Taking 64 bytes") < out.index(numbers.TITLE) and "malloc, free in another thread" in last
    assert "results: " in last and "compared" not in last


def test_the_latest_run_is_the_linked_run(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("--profile", "smoke", "--only", "^traverse/") == 0
    monkeypatch.setattr(time, "strftime", lambda form: form.replace("%Y%m%d-%H%M%S", "later"))
    assert call("--profile", "smoke", "--only", "^handoff/") == 0
    assert latest(tmp_path).families() == ("handoff",)
    assert len([folder for folder in (tmp_path / "results").iterdir() if not folder.is_symlink()]) == 2


def test_another_folder_leaves_the_link_alone(call: Call, tmp_path: Path) -> None:
    assert call("--profile", "smoke", "--out", str(tmp_path / "mine")) == 0
    assert read_run(tmp_path / "mine" / "run.json").complete
    assert not (tmp_path / "results").exists()


def test_figures_are_drawn_from_the_run_unless_not_wanted(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = []

    def draw(run: Run, folder: Path) -> list[Path]:
        runs.append((run.families(), folder))
        return [folder / "one.svg"]

    monkeypatch.setitem(sys.modules, "suite.charts", charts_that(draw))
    assert call("--profile", "smoke", "--only", "^traverse/", "--out", str(tmp_path / "a")) == 0
    assert runs == [(("traverse",), tmp_path / "a" / "figures")]
    assert "figures: 1 in " in capsys.readouterr().out
    assert (tmp_path / "a" / "report.html").read_text() == "a page of 1"
    assert call("--profile", "smoke", "--no-figures", "--out", str(tmp_path / "b")) == 0
    assert len(runs) == 1 and not (tmp_path / "b" / "report.html").exists()


def test_without_the_drawing_libraries_the_run_still_succeeds(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing: Any = None  # what Python takes for a module that cannot be imported
    monkeypatch.setitem(sys.modules, "suite.charts", missing)
    assert call("--profile", "smoke", "--only", "^traverse/") == 0
    assert "figures and report: not made (" in capsys.readouterr().out


# ---- failed processes


def test_some_failed_processes_are_named_and_the_rest_is_kept(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_DOES", '{"chase": ["crash"]}')
    assert call("--profile", "smoke") == 1
    output = capsys.readouterr()
    assert "failed: chase, process 0: crashed (SIGSEGV)" in output.err
    assert "1 failed; the first: chase, process 0: crashed (SIGSEGV)" in output.out
    run = latest(tmp_path)
    assert "scoped" in run.families()
    crashed = len(fake_program.FAMILIES["chase"][2])
    ending = f"not everything works: {len(run.series()) + crashed} benchmarks, {crashed} failed"
    assert output.out.splitlines()[-1] == ending


def test_a_run_without_any_result_is_refused(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_DOES", '{"traverse": ["crash"]}')
    assert call("--only", "^traverse/") == 2
    assert "scripts/run: crashed (SIGSEGV)" in capsys.readouterr().err


def test_a_run_of_only_wrong_work_is_refused(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_DOES", '{"traverse": ["error"]}')
    assert call("--only", "^traverse/vector", "--profile", "smoke") == 2
    assert "no benchmark gave a result: traverse/vector" in capsys.readouterr().err


# ---- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "fast"], "invalid choice: 'fast' (choose from 'smoke', 'quick', 'full')"),
        (["--only", "["], "stackheap: --only: '[' is not a regular expression"),
        (["--only", "^nothing/"], "stackheap: no benchmark's name matches --only=^nothing/"),
        (["--allocator", "mine"], "stackheap: --allocator needs NAME=FILE[,PREFIX], not 'mine'"),
        (["--processes", "0"], "'0' is not a number from 1 to 1000"),
        (["--processes", "9" * 30], "is not a number from 1 to 1000"),
        (["--processes", "five"], "'five' is not a number from 1 to 1000"),
        (["--resume"], "--resume needs an interrupted run: "),
        (["--resume", "--out", "/nowhere"], "--resume needs an interrupted run: /nowhere does not exist"),
        (["--refine", "-1"], "'-1' is not a whole number of seconds from 0 to 100000"),
        (["--refine", "soon"], "'soon' is not a whole number of seconds from 0 to 100000"),
        (["--refine", "1" * 30], "is not a whole number of seconds from 0 to 100000"),
        (["--faster"], "unrecognized arguments: --faster"),
    ],
)
def test_bad_input_is_one_line(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert call(*arguments) == 2
    refused(capsys, message)
    assert not (tmp_path / "results").exists()


def test_a_folder_that_is_a_file_is_one_line(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        assert call("--out", str(out)) == 2
        refused(capsys, f"scripts/run: argument --out: '{out}' cannot be written to (Not a directory): name a folder")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_run_is_never_overwritten(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--profile", "smoke", "--out", str(tmp_path / "mine")) == 0
    before = (tmp_path / "mine" / "run.json").read_bytes()
    capsys.readouterr()
    assert call("--profile", "smoke", "--out", str(tmp_path / "mine")) == 2
    refused(capsys, "already contains a run: add --resume to go on with it, or choose another folder")
    assert (tmp_path / "mine" / "run.json").read_bytes() == before


@pytest.mark.hostile("disk fault")
def test_a_full_disk_gives_one_line_and_results_stay(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full_in_the_second_round(path: Path, written_unit: Unit, document: Document) -> None:
        if written_unit.process == 1:
            raise OSError(28, "No space left on device", str(path))
        write_unit(path, written_unit, document)

    monkeypatch.setattr(scheduler, "write_unit", full_in_the_second_round)
    assert call("--only", "^traverse/") == 2
    error = capsys.readouterr().err.splitlines()
    assert error[-1].startswith("scripts/run: ") and error[-1].endswith("No space left on device")
    run = latest(tmp_path)
    assert (run.processes, run.complete) == (1, False)


# ---- resuming


def test_going_on_with_a_complete_run_does_not_measure(call: Call, tmp_path: Path) -> None:
    assert call("--profile", "smoke", "--only", "^traverse/") == 0
    calls = len(list((tmp_path / "log").iterdir()))
    assert call("--resume") == 0
    assert len(list((tmp_path / "log").iterdir())) == calls


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        (["--profile", "full"], "profile"),
        (["--only", "^chase/"], "only, benchmarks_and_mallocs"),
        (["--allocator", "mine=/lib/x.so"], "allocators"),
        (["--processes", "9"], "processes"),
    ],
)
def test_a_run_with_other_options_cannot_be_resumed(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], changed: str
) -> None:
    assert call("--profile", "smoke", "--only", "^traverse/") == 0
    capsys.readouterr()
    assert call("--resume", *arguments) == 2
    refused(capsys, f"cannot be resumed: changed since its start: {changed}")


def test_a_run_of_another_build_cannot_be_resumed(
    call: Call, executable: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--profile", "smoke", "--only", "^traverse/") == 0
    capsys.readouterr()
    executable.write_text(executable.read_text() + "# another build\n")
    assert call("--resume") == 2
    refused(capsys, "changed since its start: executable")


def test_a_run_begun_with_choices_goes_on_with_them(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_DOES", '{"traverse": ["crash", 1]}')
    assert call("--only", "^traverse/", "--allocator", "mine=/lib/x.so", "--processes", "2") == 1
    assert call("--resume") == 0
    run = latest(tmp_path)
    assert (run.processes, run.failed, run.families()) == (2, (), ("traverse",))


RUNNER = """
import sys
from pathlib import Path
from suite.commands import run
root = Path({root!r})
sys.exit(run.main(sys.argv[1:], root, lambda *_: root / "stackheap"))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_go_on(call: Call, tmp_path: Path, number: int) -> None:
    """The whole program, as a process of its own."""
    environment = {**os.environ, "FAKE_DOES": '{"scoped": ["hang", 1]}', "PYTHONPATH": os.pathsep.join(sys.path)}
    program = [sys.executable, "-c", textwrap.dedent(RUNNER.format(root=str(tmp_path))), "--only", "^scoped/"]
    child = subprocess.Popen(program, env=environment, stderr=subprocess.PIPE, text=True)
    hanging = list[Path]()
    deadline = time.monotonic() + 60
    while not hanging and time.monotonic() < deadline:
        hanging = list((tmp_path / "log").glob("scoped.1.*"))
        time.sleep(0.05)
    child.send_signal(number)
    _, error = child.communicate(timeout=60)
    assert child.returncode == 130
    last = error.splitlines()[-1]
    assert last.startswith("scripts/run: interrupted; the results so far are in ")
    assert last.endswith(": go on with scripts/run --resume")
    assert not Path("/proc", hanging[0].suffix.lstrip(".")).exists()
    assert (latest(tmp_path).complete, latest(tmp_path).processes) == (False, 1)
    assert call("--resume") == 0
    assert (latest(tmp_path).complete, latest(tmp_path).processes) == (True, 5)


# ---- refinement

POINTERS = ("--only", "^indirection/", "--no-figures")  # the claim tells two pointers apart, which five processes cannot


def processes(run: Run) -> set[int]:
    return {len(benchmark.samples) for benchmark in run.series("indirection")}


def test_an_undecided_claim_is_measured_further(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*POINTERS) == 0
    output = capsys.readouterr()
    assert "undecided: following pointers is slow: measuring 3 benchmarks in up to 10 processes\n" in output.err
    assert "refinement, process 10 of 10 done" in output.err
    assert "3 of the 3 benchmarks were measured further, in up to 10 processes" in output.out
    counts = f"1 holds with a condition and {len(claims.CLAIMS) - 1} have no verdict"
    assert f"claims about stack and heap, {counts}: scripts/claims says why\n" in output.out
    run = latest(tmp_path)
    assert (run.complete, run.processes, processes(run), run.account.looks) == (True, 5, {10}, looks_after(5))
    judged = next(judged for judged in claims.verdicts(run) if judged.id == "pointer-costs")
    assert judged.verdict == claims.HOLDS_BUT and not judged.needs


def test_without_refinement_the_only_look_is_as_sure_as_it_can_be(call: Call, tmp_path: Path) -> None:
    assert call(*POINTERS, "--refine", "0") == 0
    run = latest(tmp_path)
    assert (processes(run), run.account.looks) == ({5}, ())


def test_the_time_for_the_refinement_can_be_given(call: Call, tmp_path: Path) -> None:
    assert call(*POINTERS, "--processes", "4", "--refine", "60") == 0
    assert max(processes(latest(tmp_path))) > 4


def test_a_run_begun_with_refinement_can_end_it_and_go_on_with_it(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(command.MEASURED_IN_ALL, "quick", 1e-9)
    assert call(*POINTERS) == 0
    assert (processes(latest(tmp_path)), latest(tmp_path).account.looks) == ({5}, looks_after(5))
    assert call("--resume", "--no-figures", "--refine", "0") == 0
    assert processes(latest(tmp_path)) == {5}
    assert call("--resume", "--no-figures", "--refine", "60") == 0
    assert processes(latest(tmp_path)) == {10}
    calls = len(list((tmp_path / "log").iterdir()))
    assert call("--resume", "--no-figures", "--refine", "60") == 0
    assert len(list((tmp_path / "log").iterdir())) == calls


def test_a_run_begun_without_refinement_cannot_be_refined(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*POINTERS, "--refine", "0") == 0
    capsys.readouterr()
    assert call("--resume", "--refine", "60") == 2
    refused(capsys, "scripts/run: --refine 60: ")
    assert call("--resume", "--refine", "0", "--no-figures") == 0
    assert processes(latest(tmp_path)) == {5}


# ---- building


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with presets and a cmake that notes how it is called."""
    presets = [{"name": "base", "hidden": True}, {"name": "release"}, {"name": "clang"}]
    (tmp_path / "CMakePresets.json").write_text(json.dumps({"configurePresets": presets}))
    cmake = tmp_path / "bin" / "cmake"
    cmake.parent.mkdir()
    cmake.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n'
        'if [ "$1" = --preset ]; then mkdir -p build/$2 && touch build/$2/build.ninja; fi\n'
        f"echo '[1/2] compiling'; echo '[2/2] linking'; [ ! -e {tmp_path}/broken ] || {{ echo 'error: here'; exit 1; }}\n"
    )
    cmake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{cmake.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_a_build_is_configured_once_and_quiet(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        built = build.build(project, "clang", Console(stderr=True))
        assert built == project / "build" / "clang" / "stackheap"
    built_alone = f"--build {project}/build/clang --target stackheap"
    assert (project / "calls").read_text().splitlines() == ["--preset clang", built_alone, built_alone]
    assert "compiling" not in capsys.readouterr().err


def test_a_build_shows_one_bar_on_a_terminal_and_a_line_for_each_step_elsewhere(project: Path) -> None:
    on_terminal, elsewhere = io.StringIO(), io.StringIO()
    build.build(project, "clang", Console(file=on_terminal, force_terminal=True, width=100))
    drawn = Text.from_ansi(on_terminal.getvalue()).plain
    assert "building build/clang ━" in drawn and "2/2" in drawn
    assert not any(line.strip() and "━" not in line for line in drawn.splitlines())
    build.build(project, "release", Console(file=elsewhere))
    assert elsewhere.getvalue() == "configuring build/release\nbuilding build/release\n"


def test_the_time_left_is_estimated_from_the_steps_done(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 30))
    monkeypatch.setattr(build, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    shown = io.StringIO()
    build.run_quietly(["echo", "[1/3] compiling"], project, Console(file=shown, force_terminal=True, width=100), "building")
    assert "1/3 about 60 s left" in Text.from_ansi(shown.getvalue()).plain


def test_a_build_waits_for_another_in_its_folder(project: Path) -> None:
    said, asked = io.StringIO(), project / "calls"
    (project / "build").mkdir()
    with ThreadPoolExecutor() as pool, open(project / "build" / ".release.lock", "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        built = pool.submit(build.build, project, "release", Console(file=said))
        while not built.done() and "waiting for another command that builds build/release" not in said.getvalue():
            time.sleep(0.001)
        assert not asked.exists()
        fcntl.flock(other, fcntl.LOCK_UN)
        assert built.result() == project / "build" / "release" / "stackheap" and asked.exists()


def test_a_project_that_cannot_be_written_to_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "build").write_text("a file: root may write to every folder")
    assert command.main([], project) == 2
    refused(capsys, f"scripts/run: {project / 'build'} cannot be written to (File exists): copy the project to a folder of yours")


def test_a_failed_build_shows_the_compilers_words(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "broken").touch()
    assert command.main([], project) == 2
    output = capsys.readouterr().err
    assert "error: here" in output and "failed: see above" in output.splitlines()[-1]


def test_an_unknown_preset_is_one_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--build", "base"], project) == 2
    refused(capsys, "scripts/run: preset 'base' does not exist; CMakePresets.json has: release, clang")


def test_a_missing_cmake_is_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert command.main([], project) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "scripts/run: cmake is not installed: scripts/setup installs it"
