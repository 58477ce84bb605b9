"""Are the instructions of one operation counted, and those of its process left out?"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from suite.base.errors import UnitFailed, UnitHung
from suite.results.model import Document
from suite.runner import path_length
from suite.runner.interference import Interference
from suite.runner.path_length import NoPath, PathFunction, path_of
from suite.runner.program import Part, Program
from support.measuring_program import program

NAME = "scoped/glibc/bytes:64/touch:first"
PROGRAM = Program(Path("stackheap"), "quick")


def counts_of(times: int) -> str:
    """What callgrind writes of a loop that calls malloc so many times. The costs of a called function do not count again
    in the caller, and the line with them does not move the place."""
    return f"""\
# callgrind format
desc: Trigger: --dump-before=_ZN9benchmark5State17FinishKeepRunningEv
positions: instr
events: Ir

ob=(1) /bin/program
fl=(9) ???
fn=(7) loop
cob=(2) /lib/library.so
cfn=(3) _ZN9benchmark5State16StartKeepRunningEv
calls=0 0x20
0xff0 5
0x1000 1
+8 {times}
cob=(2)
cfn=(4) malloc
calls={times} 0x40
+4 {41 * times}
+5 {times}
-2 {times}

ob=(2)
fn=(4)
0x40 {times}
* {times}
fn=(5) malloc'2
+0x0 3
fn=(3)
0x20 9
"""


class Stage:
    """Replaces the processes: writes callgrind's file, and says how many iterations were made."""

    def __init__(
        self, at_least: int = 1, files: int = 1, text: str = "", error: str = "", at_most: int | None = None
    ) -> None:
        self.at_least, self.files, self.text, self.error, self.at_most = at_least, files, text, error, at_most
        self.programs: list[Program] = []

    def measure_part(
        self, measured: Program, part: Part, folder: Path, limit: float, layout: int | None = None
    ) -> tuple[Document, Interference]:
        self.programs.append(measured)
        if self.error:
            raise UnitFailed(self.error)
        iterations = self.at_most or max(self.at_least, int(measured.options[0].partition("=")[2]))
        for number in range(self.files):
            (folder / f"counts.{number}").write_text(self.text or counts_of(iterations))
        row = {"name": NAME, "run_type": "iteration", "iterations": iterations, "real_time": 20.0, "cpu_time": 20.0}
        return {"benchmarks": [{**row, "time_unit": "ns"}]}, Interference(0.1, 0.0, 0.0, 0, 0, ())


@pytest.fixture(autouse=True)
def valgrind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


def path_on(stage: Stage, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Sequence[PathFunction]:
    monkeypatch.setattr(path_length, "measure_part", stage.measure_part)
    return path_of(PROGRAM, NAME, 20.0, folder)


@pytest.mark.parametrize("at_least", [1, 1_000_000])
def test_the_beginning_of_the_loop_and_called_functions_do_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at_least: int
) -> None:
    stage = Stage(at_least)
    loop, malloc = path_on(stage, monkeypatch, tmp_path)
    assert loop == PathFunction("loop", Path("/bin/program"), {0x1008: 1.0, 0x100D: 1.0, 0x100B: 1.0}, has_loop=True)
    assert malloc == PathFunction("malloc", Path("/lib/library.so"), {0x40: 2.0})
    assert [options for measured in stage.programs for options in measured.options][1] == (
        f"--iterations={2 * max(at_least, path_length.MOST_ITERATIONS)}"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_program_runs_under_callgrind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Stage()
    path_on(stage, monkeypatch, tmp_path)
    assert stage.programs[0].command()[:2] == ["/usr/bin/valgrind", "--tool=callgrind"]


@pytest.mark.nightly
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="needs valgrind")
@pytest.mark.hostile("malloc library")
def test_the_program_sets_aside_what_a_library_needs_also_under_valgrind(tmp_path: Path) -> None:
    library = tmp_path / "large.so"
    source = """
#include <stdlib.h>
static __thread char large[60000] __attribute__((tls_model("initial-exec")));
void *__libc_malloc(size_t), __libc_free(void*), *__libc_calloc(size_t, size_t), *__libc_realloc(void*, size_t), *__libc_memalign(size_t, size_t);
void* malloc(size_t bytes) { large[bytes % sizeof large] = 1; return __libc_malloc(bytes); }
void free(void* block) { __libc_free(block); }
void* calloc(size_t count, size_t bytes) { return __libc_calloc(count, bytes); }
void* realloc(void* block, size_t bytes) { return __libc_realloc(block, bytes); }
int posix_memalign(void** block, size_t alignment, size_t bytes) { *block = __libc_memalign(alignment, bytes); return 0; }
"""
    (tmp_path / "large.c").write_text(source)
    subprocess.run([shutil.which("cc") or "c++", "-shared", "-fPIC", "-o", library, tmp_path / "large.c"], check=True, timeout=60)
    name = "scoped/mine/bytes:64/touch:first"
    functions = path_of(Program(program(), "quick", allocators=(f"mine={library}",)), name, 20.0, tmp_path)
    assert (library, "malloc") in {(function.file, function.name) for function in functions}


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        (Stage(error="crashed (SIGILL)"), "valgrind lacks an instruction of this build"),
        (Stage(error=f"{NAME}: its process died of Illegal instruction"), "valgrind lacks an instruction"),
        (Stage(error="ended with exit code 2 (unknown option '--iterations=9')"), "a build of an earlier version"),
        (Stage(error="ended with exit code 1 (valgrind: cannot execute)"), "a build of an earlier version executes itself"),
        (Stage(error="crashed (SIGSEGV)"), r"under callgrind: crashed \(SIGSEGV\)"),
        (Stage(at_most=1), "the program made 1 of 20000 iterations"),
        (Stage(files=0), "callgrind saw 0 timed loops"),
        (Stage(files=2), "callgrind saw 2 timed loops"),
        (Stage(text="desc: Trigger: Program termination\n"), "callgrind saw 0 timed loops"),
    ],
)
def test_what_hinders_callgrind_is_said_in_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stage: Stage, reason: str
) -> None:
    with pytest.raises(NoPath, match=reason):
        path_on(stage, monkeypatch, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_does_not_end_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def hang(*arguments: object) -> tuple[Document, Interference]:
        raise UnitHung("did not end")

    monkeypatch.setattr(path_length, "measure_part", hang)
    with pytest.raises(NoPath, match="callgrind did not end within 60 s"):
        path_of(PROGRAM, NAME, 20.0, tmp_path)


def test_without_valgrind_the_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(NoPath, match="install valgrind"):
        path_of(PROGRAM, NAME, 20.0, tmp_path)
