"""What may a malloc library do to the program that loads it? Whatever it is, only its own figures are lost, with its name
and its words, and no process is left."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from suite.commands import program as program_command
from suite.commands import run as command
from suite.program import pairs
from suite.program.command import OBSERVE, PROBE
from suite.program.recording import RECORDER
from suite.results.end_to_end import read_end_to_end
from suite.results.model import LEFT_OUT
from suite.results.read import read_run
from suite.runner import build, scheduler
from support import ROOT
from support.measuring_program import Answer, available_mallocs, errors, names, parsed, program, run

pytestmark = pytest.mark.hostile("malloc library")

ROWS = [f"{row}/{{}}/bytes:64{rest}" for row, rest in (("scoped", "/touch:first"), ("overhead", ""))]
ONLY = "^(scoped|overhead)/(none|glibc|evil)/bytes:64(/touch:first|$)"
OTHERS = [row.format(name) for row in ROWS for name in ("none", "glibc")]
OWN = [row.format("evil") for row in ROWS]

ANYTHING = "*"  # it depends on the system and on the rights of the user

# What the library does when it is loaded, and what is said of it; empty: nothing, because its malloc is sound.
AT_LOAD = {
    "none": "",
    "banner": "",
    "long_banner": "",
    "long_warning": "",
    "reads_stdin": "",
    "close_stdout": "",
    "close_streams": "",
    "close_all": "it closed files that the program had opened",
    "dup_over_all": "it closed files that the program had opened",
    "chdir": "",
    "umask": "",
    "block_and_go_on": "",
    "ignore_and_go_on": "",
    "reap": "",
    "end_group": "it died of Terminated",
    "kill_group": "it died of Killed",
    "daemon": "",
    "closed_daemon": "",
    "stubborn_daemon": "",
    "many_daemons": "",
    "child": "",
    "late_writer": "",
    "exit_0": "it ended the process",
    "exit_1": "it ended the process",
    "_exit_0": "it ended the process",
    "quick_exit": "it ended the process",
    "abort": 'it died of Aborted ("reckless: cannot work here")',
    "debug_and_abort": 'it died of Aborted ("reckless: no memory map")',
    "recursion": "it died of Segmentation fault",
    "longjmp": "",
    "longjmp_malloc": "it died of Segmentation fault",
    "rounding": "",
    "traps": "",
    "limit_memory": 'it ended the process ("std::bad_alloc")',
    "limit_size": "",
    "limit_time": "",
    "chatty": "",
    "no_memory": "malloc(1) gave no memory",
    "wild_pointer": "it died of Segmentation fault",
    "read_only_memory": "it died of Segmentation fault",
    "recursive_malloc": "it died of Segmentation fault",
    "exit_in_malloc": "it ended the process",
    "same": "two live blocks of malloc overlapped, or it wrote into one",
    "abort_in_free": "it died of Aborted",
    "limit_data": 'it ended the process ("std::bad_alloc")',
    "limit_locked": "",
    "limit_processes": "",
    "environment": "",
    "no_environment": "",
    "polluted_environment": "",
    "alarm": "it died of Alarm clock",
    "interrupting_alarm": "",
    "profiling_timer": "",
    "swallowed_faults": "",
    "swallowed_abort": "",
    "exit_on_fault": "",
    "one_core": "",
    "niceness": "",
    "idle_policy": "",
    "seccomp": "it died of Killed",
    "no_new_privileges": "",
    "not_dumpable": "",
    "no_death_signal": "",
    "subreaper": "",
    "unshare_files": "",
    "unshare_processes": ANYTHING,
    "other_user": ANYTHING,
    "other_group": "",
    "session": "",
    "no_randomness": "",
    "locked_memory": ANYTHING,
    "traced_abort": ANYTHING,
    "exec": "it ended the process",
    "nonblocking_streams": "",
    "spinning_thread": "",
    "first_thread_only": "",
    "aborting_thread": "it died of Aborted",
    "only_a_thread_left": ANYTHING,
    "hanging_fork": "",
    "aborting_fork": "",
    "exit_handler_abort": "it died of Aborted",
    "exit_handler_fork": "",
    "abort_at_unload": 'it died of Aborted ("reckless: unloaded too early")',
    "abort_in_threads": "it died of Aborted",
    "errno_lost": "",
}
WAITED_FOR = {
    "ignore_alarm": "it hung for 10 s",
    "block_signals": "it hung for 10 s",
    "ignore_signals": "it hung for 10 s",
    "stop": "it stopped its process for 10 s",
    "stop_group": "it stopped its process for 10 s",
    "stop_later": "it stopped its process for 10 s",
    "stop_in_malloc": "it stopped its process for 10 s",
    "daemon_and_hang": "it hung for 10 s",
    "unkillable_parent": "it hung for 10 s",
    "exit_handler_hang": "it hung for 10 s",
    "hang_in_malloc": "it hung for 10 s",
    "hang_in_free": "it hung for 10 s",
    "exec_and_hang": "it hung for 10 s",
    "hang_at_unload": "it hung for 10 s",
    "hang_in_threads": "it hung for 10 s",
}
# Some of what is found only in a benchmark, and how the first of its rows that fail tells it.
ENDED = "its process was ended because it took longer than 2 s"
LATER = {
    "abort": 'its process died of Aborted ("reckless: cannot work here")',
    "debug_and_abort": 'its process died of Aborted ("reckless: no memory map")',
    "exit_0": "its process ended before it had reported",
    "_exit_0": "its process ended before it had reported",
    "close_all": "its process ended with exit code 3",
    "kill_group": "its process died of Killed",
    "inexact_traps": "its process died of Floating point exception",
    "recursion": "its process died of Segmentation fault",
    "daemon": "",
    "banner": "",
    "late_writer": "",
    "ignore_signals": ENDED,
    "stop": ENDED,
    "exec": "its process ended before it had reported",
    "exec_and_hang": ENDED,
    "hang_at_unload": ENDED,
    "hang_later": ENDED,
    "stop_later_on": ENDED,
    "traced": ENDED,
    "traced_abort": ENDED,
    "seccomp": "its process died of Killed",
    "abort_later": 'its process died of Aborted ("reckless: the 1001st block")',
    "no_memory_later": "its process died of Segmentation fault",
    "abort_at_unload": 'its process died of Aborted ("reckless: unloaded too early")',
    "limit_data": ANYTHING,
    "limit_stack": ANYTHING,
    "limit_files": "no pipe can be made: Too many open files",
    "take_all_files": "no pipe can be made: Too many open files",
    "environment": "",
    "interrupting_alarm": "",
    "profiling_timer": "",
    "chroot": ANYTHING,
    "other_user": ANYTHING,
    "only_a_thread_left": ANYTHING,
}
SOURCE = ROOT / "tests" / "hostile" / "reckless_malloc.c"
FAULTS = sorted(set(re.findall(r'is\("(\w+)"\)', SOURCE.read_text())))
FUNCTIONS = ("malloc", "free", "calloc", "realloc", "posix_memalign", "aligned_alloc", "malloc_usable_size")
QUICK = ("banner", "stubborn_daemon", "abort")
nightly = pytest.mark.nightly


def compiled(folder: Path, *options: str) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    built = folder / "libreckless.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-pthread", *options, str(SOURCE), "-o", str(built), "-lm"], check=True)
    return built


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("reckless"))


@dataclass(frozen=True)
class Library:
    """The library with one fault, and a mark by which its processes are known."""

    file: Path
    environment: dict[str, str]

    @property
    def processes(self) -> list[Path]:
        """Those that have the environment of the test, and have not ended."""
        mark = f"RECKLESS_MARK={self.environment['RECKLESS_MARK']}".encode()
        return [process for process in Path("/proc").glob("[0-9]*") if mark in read(process / "environ").split(b"\0")]

    def measure(self, *words: str) -> Answer:
        allocator = f"--allocator=evil={self.file}"
        return run("--profile=smoke", "--benchmark_format=json", f"--only={ONLY}", allocator, *words, environment=self.environment)

    def leaves_nobody(self) -> bool:
        deadline = time.monotonic() + 2  # the kernel takes a moment for those that were killed with their parent
        while self.processes and time.monotonic() < deadline:
            time.sleep(0.01)
        return not self.processes


def read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


@pytest.fixture
def reckless(library: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Library]:
    fault = request.node.callspec.params["fault"]
    variables = {"RECKLESS": fault, "RECKLESS_MARK": str(tmp_path), "RECKLESS_LOADS": str(tmp_path / "loads")}
    yield Library(library, variables)


def sound_for(loads: int, tried: Library) -> Library:
    return Library(tried.file, {**tried.environment, "RECKLESS_SOUND": str(loads)})


@pytest.mark.parametrize(
    "fault", [*QUICK, *(pytest.param(fault, marks=nightly) for fault in {**AT_LOAD, **WAITED_FOR} if fault not in QUICK)]
)
def test_a_library_costs_nobody_but_itself(reckless: Library, fault: str) -> None:
    told = {**AT_LOAD, **WAITED_FOR}[fault]
    answer = reckless.measure()
    assert answer.status == 0, answer.err
    assert reckless.leaves_nobody()
    if told == ANYTHING:
        assert set(OTHERS) <= set(names(answer.rows)) - errors(answer.rows).keys()
        return
    assert sorted(names(answer.rows)) == sorted([*OTHERS, *(OWN if not told else ())])
    assert not errors(answer.rows)
    reason = f"in the load test {told}"
    assert (answer.context["malloc.evil"] == f"not available: {reason}") == bool(told), answer.context["malloc.evil"]
    assert (f"not available: evil: {reason}" in answer.err.splitlines()) == bool(told)


@pytest.mark.parametrize("fault", [pytest.param(fault, marks=() if fault == "abort" else nightly) for fault in LATER])
def test_a_library_that_is_sound_in_its_trial_costs_nobody_else_later(reckless: Library, fault: str) -> None:
    answer = sound_for(1, reckless).measure("--limit=2")
    assert answer.status == 0, answer.err
    assert sorted(names(answer.rows)) == sorted([*OTHERS, *OWN])
    wrong = errors(answer.rows)
    assert not wrong.keys() & set(OTHERS)
    if LATER[fault] != ANYTHING:
        assert next((wrong[name] for name in OWN if name in wrong), "") == LATER[fault]
    assert reckless.leaves_nobody()


@pytest.mark.parametrize("fault", ["abort", *(pytest.param(fault, marks=nightly) for fault in ("stop", "banner", "kill_group"))])
def test_a_run_names_the_library_that_was_sound_when_the_list_was_made(
    reckless: Library, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in sound_for(1, reckless).environment.items():
        monkeypatch.setenv(name, value)
    told = {**AT_LOAD, **WAITED_FOR}[fault]
    words = ["--profile", "smoke", "--only", "^scoped/(none|glibc|evil)/bytes:64/touch:first", "--no-figures"]
    words += ["--allocator", f"evil={reckless.file}", "--out", str(tmp_path / "run")]
    assert command.main(words, tmp_path, lambda *_: program()) == (1 if told else 0)
    measured = read_run(tmp_path / "run" / "run.json")
    assert [one.name.strategy for one in measured.series()] == ["none", "glibc", *([] if told else ["evil"])]
    reasons = [failure.reason.removesuffix(f"; evil{LEFT_OUT}") for failure in measured.failed]
    assert reasons == ([f"scoped/evil/bytes:64/touch:first: in the load test {told}"] if told else [])
    assert (f"in the load test {told}" in capsys.readouterr().out.replace("\n", " ")) == bool(told)
    assert reckless.leaves_nobody()


def impatient(folder: Path) -> Path:
    """The program, with what belongs to it, which waits for a benchmark no longer than two seconds."""
    for tool in (OBSERVE, PROBE, RECORDER):
        (folder / tool).symlink_to(program().with_name(tool))
    script = folder / program().name
    script.write_text(f'#!/bin/sh\nexec {program()} "$@" --limit=2\n')
    script.chmod(0o755)
    return script


def measured_with_a_program(
    tried: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """scripts/program of a small program with this library: the exit code, and what is said."""
    for name, value in tried.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(build, "build", lambda *_, **__: impatient(tmp_path))
    monkeypatch.setitem(scheduler.PROCESSES, "quick", 1)
    monkeypatch.setattr(pairs, "HUNG_SECONDS", 1.0)
    monkeypatch.setattr(scheduler.Limits, "after", lambda *_: 20.0)  # a trial takes ten
    words = ["--no-figures", "--pairs=1", f"--allocator=evil={tried.file}", f"--out={tmp_path / 'out'}"]
    words += ["--", "sh", "-c", "seq 3000 | sort -r | head -n 1"]
    code = program_command.main(words, tmp_path)
    told = capsys.readouterr()
    return code, told.out + told.err


@nightly
@pytest.mark.parametrize("fault", FAULTS)
def test_a_program_is_answered_beside_a_library_that_fails_in_it(
    reckless: Library, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The library is sound while the lists of benchmarks are made, and then in no process of the program or of its replay."""
    code, told = measured_with_a_program(sound_for(2, reckless), tmp_path, monkeypatch, capsys)
    answered = read_end_to_end(read_run(tmp_path / "out"))
    assert code in (0, 1) and answered is not None and not answered.problem, told
    assert {compared.malloc for compared in answered.compared} - {"evil"} or not set(available_mallocs()) - {"glibc"}
    assert {"none", "glibc"} <= set(read_run(tmp_path / "out").strategies("replay"))
    assert all("evil" in line for line in told.splitlines() if line.startswith("Failed: "))
    assert "evil" in told and "Traceback" not in told
    assert reckless.leaves_nobody()


@nightly
@pytest.mark.parametrize(
    ("fault", "told"),
    [("banner", " has no symbol malloc, and no proxy library beside it can be preloaded"),
     ("abort", " failed when it was loaded again: it died of Aborted"),
     ("ignore_signals", " failed when it was loaded again: it hung for 10 s"),
     ("stop", " failed when it was loaded again: it stopped its process for 10 s")],
)  # fmt: skip
def test_a_library_with_a_prefix_is_watched_when_it_is_loaded_again(reckless: Library, fault: str, told: str, tmp_path: Path) -> None:
    file = compiled(tmp_path, *(f"-D{name}=evil_{name}" for name in FUNCTIONS))
    answer = run("--list=json", f"--allocator=evil={file},evil_", environment=sound_for(1, reckless).environment)
    assert answer.status == 0, answer.err
    (evil,) = (row for row in parsed(answer.out)["strategies"] if row["name"] == "evil")
    assert (evil["available"], evil["lacks"]) == (True, f"{file}{told}")
    assert reckless.leaves_nobody()


@nightly
@pytest.mark.parametrize("fault", ["banner", "abort", "exit_0", "stubborn_daemon", "no_memory"])
def test_a_library_of_the_table_is_tried_as_any_other(reckless: Library, fault: str, tmp_path: Path) -> None:
    shutil.copy(reckless.file, tmp_path / "libjemalloc.so.2")
    environment = {**reckless.environment, "LD_LIBRARY_PATH": str(tmp_path)}
    only = "--only=^(scoped|overhead)/(none|glibc|jemalloc)/bytes:64(/touch:first|$)"
    answer = run("--profile=smoke", "--benchmark_format=json", only, environment=environment)
    told = AT_LOAD[fault]
    assert answer.status == 0, answer.err
    own = [row.format("jemalloc") for row in ROWS]
    assert sorted(names(answer.rows)) == sorted([*OTHERS, *(own if not told else ())])
    assert answer.context["malloc.jemalloc"].startswith(f"not available: in the load test {told}") == bool(told)
    assert reckless.leaves_nobody()


@pytest.mark.parametrize("fault", ["none"])
def test_a_program_that_is_ended_takes_its_processes_with_it(reckless: Library, fault: str) -> None:
    """A daemon of the library, in a session of its own, is alive while a benchmark is measured."""
    words = [str(program()), "--profile=smoke", "--only=^scoped/evil/bytes:64/touch:first", f"--allocator=evil={reckless.file}",
             "--benchmark_min_time=60"]  # fmt: skip
    environment = {**os.environ, **sound_for(1, reckless).environment, "RECKLESS": "stubborn_daemon"}
    started = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not any(read(process / "comm") == b"reckless_daemon\n" for process in reckless.processes):
        assert time.monotonic() < deadline and started.poll() is None
        time.sleep(0.005)
    started.terminate()
    assert started.wait(10) == -15
    assert reckless.leaves_nobody()


@pytest.mark.parametrize("fault", ["first_thread_only"])
def test_a_library_is_loaded_by_the_first_thread_also_where_threads_measure_it(reckless: Library, fault: str) -> None:
    """Only there can glibc be told to leave the heap's end to it: both take memory there, and sbrk has no lock."""
    answer = run("--profile=smoke", "--benchmark_format=json", "--only=^private/evil/", f"--allocator=evil={reckless.file}",
                 environment=reckless.environment)  # fmt: skip
    assert answer.rows and not errors(answer.rows)


@nightly
@pytest.mark.parametrize("fault", ["ignore_signals"])
def test_many_libraries_that_hang_take_the_time_of_one(reckless: Library, fault: str, tmp_path: Path) -> None:
    copies = [shutil.copy(reckless.file, tmp_path / f"lib{number}.so") for number in range(9)]
    begun = time.monotonic()
    answer = run("--list=json", *(f"--allocator=w{number}={file}" for number, file in enumerate(copies)),
                 environment=reckless.environment)  # fmt: skip
    assert time.monotonic() - begun < 30 and answer.status == 0, answer.err
    listed = {row["name"]: row["reason"] for row in parsed(answer.out)["strategies"]}
    assert {listed[f"w{number}"] for number in range(9)} == {"in the load test it hung for 10 s"}
    assert listed["glibc"] == "" and reckless.leaves_nobody()
