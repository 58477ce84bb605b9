"""Is a malloc that the user names found wherever its file stands and whatever it needs, and measured where it can be?"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from suite.runner.program import Program, ask
from support.measuring_program import hostile, program

FAMILIES = "--only=^(scoped/(none|mine)/bytes:64/touch:first|overhead/mine/)"

# A malloc on top of glibc's that has a large block for each thread, which stands at a fixed distance, and that goes to
# another folder when it is loaded.
SOURCE = """
#include <stddef.h>
#include <unistd.h>
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t), __libc_free(void *);
static __thread __attribute__((tls_model("initial-exec"))) char block[BYTES];
__attribute__((constructor)) static void go_away(void) { if (chdir("/") != 0) _exit(1); }
void *malloc(size_t bytes) { return block[0]++, __libc_malloc(bytes); }
void free(void *at) { __libc_free(at); }
void *calloc(size_t count, size_t bytes) { return __libc_calloc(count, bytes); }
void *realloc(void *at, size_t bytes) { return __libc_realloc(at, bytes); }
int posix_memalign(void **at, size_t alignment, size_t bytes) { return (*at = __libc_memalign(alignment, bytes)) == 0; }
"""


@pytest.fixture
def sound() -> str:
    """A library whose functions are hostile_malloc, hostile_free, ..."""
    return hostile("none").partition("=")[2].rpartition(",")[0]


def measured(folder: Path, *words: str) -> dict[str, dict[str, Any]]:
    """The rows of a run in this folder, by name."""
    command = [str(program()), "--profile=smoke", "--benchmark_format=json", "--tested=mine,other", FAMILIES, *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return {row["name"]: row for row in json.loads(done.stdout)["benchmarks"]}


@pytest.mark.hostile("malloc library")
@pytest.mark.parametrize(("file", "written"), [
    ("x,hostile_", "x,hostile_,hostile_"), ("a,b c/x.so", "./a,b c/x.so,hostile_"), ("x=y.so", "x=y.so,hostile_"),
])  # fmt: skip
def test_a_path_is_read_as_it_stands(tmp_path: Path, sound: str, file: str, written: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    shutil.copy(sound, tmp_path / file)
    assert "scoped/mine/bytes:64/touch:first" in measured(tmp_path, f"--allocator=mine={written}")


@pytest.mark.hostile("malloc library")
def test_a_sound_library_with_a_prefix_fails_no_run(tmp_path: Path, sound: str) -> None:
    """It cannot be the only malloc of a process: it has no benchmark there, and a line says why."""
    assert list(measured(tmp_path, f"--allocator=mine={sound},hostile_")) == [f"scoped/{by}/bytes:64/touch:first" for by in ("none", "mine")]
    catalogue = ask(Program(program(), "smoke", "^overhead/none/", (f"mine={sound},hostile_",), tested=("mine",)))
    (line,) = (line for line in catalogue.unavailable if line.startswith("mine "))
    assert line.startswith("mine as the only malloc of a process: /") and "has no symbol malloc, and no proxy library" in line


@pytest.mark.hostile("malloc library")
def test_libraries_with_large_static_tls_in_a_relative_path_are_measured(tmp_path: Path) -> None:
    """Each is more than what the program sets aside for all; and their folder changes when they are loaded."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    (tmp_path / "large.c").write_text(SOURCE)
    for name, size in (("mine", 40 << 10), ("other", 20 << 10)):
        words = [compiler, "-shared", "-fPIC", f"-DBYTES={size}", "-o", str(tmp_path / f"{name}.so"), str(tmp_path / "large.c")]
        subprocess.run(words, check=True, timeout=60)
    rows = measured(tmp_path, "--allocator=mine=mine.so", "--allocator", "other=./other.so")
    assert {name.partition("/bytes")[0] for name in rows} == {"scoped/none", "scoped/mine", "overhead/mine"}
    assert not [row["error_message"] for row in rows.values() if row.get("error_occurred")]


@pytest.mark.hostile("disk fault")
@pytest.mark.parametrize("file", ["/proc/x", "/", "/dev/full", "n" * 300], ids=("nothing there", "a folder", "a full device", "a long name"))
def test_a_result_that_cannot_be_written_is_named(file: str) -> None:
    command = [str(program()), "--profile=smoke", "--tested=", "--only=^scoped/none/bytes:64/touch:first", f"--benchmark_out={file}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"stackheap: --benchmark_out={file}: ")
