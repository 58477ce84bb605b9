"""Is the cause of a failure the line that tells it, and are the limits named that may be behind it?"""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from suite.base import cli, failure
from suite.base.errors import UnitFailed
from suite.base.failure import cause_in, limits_behind

DEBUG = "***WARNING*** Library was built as DEBUG. Timings may be affected."
CONTEXT = """\
2026-01-02T03:04:05+00:00
Running /build/stackheap
Run on (2 X 2000 MHz CPU s)
CPU Caches:
  L1 Data 32 KiB (x1)
Load Average: 1.19, 1.21, 0.66
***WARNING*** CPU scaling is enabled, the benchmark real time measurements may be noisy and will incur extra overhead.
---------------------------
Benchmark            Time
---------------------------"""

# What a program wrote to stderr before it failed, and the line that tells why.
OUTPUTS = {
    "nothing": ("", ""),
    "only a warning": (DEBUG, ""),
    "the machine": (CONTEXT, ""),
    "a crash after the machine": (f"free(): invalid pointer\n{CONTEXT}\n", "free(): invalid pointer"),
    "ours before statistics": (f"{DEBUG}\nstackheap: no memory\nheap stats:\n  peak 3 MiB\n", "stackheap: no memory"),
    "ours after a banner": ("libodd 1.2, built with checks\nstackheap: --pin: x\n", "stackheap: --pin: x"),
    "mallocs that are missing": ("not available: odd: it died of Aborted\nstarted with LD_PRELOAD=/x.so\n", ""),
    "a language": ("perl: warning: Setting locale failed.\n\tare supported and installed\nodd: bad block\n", "odd: bad block"),
    "a shell's language": ("odd: bad block\nbash: warning: setlocale: LC_ALL: cannot change locale (xx)\n", "odd: bad block"),
    "a preload": ("ERROR: ld.so: object 'x.so' from LD_PRELOAD cannot be preloaded (no file): ignored.\n", ""),
    "tcmalloc": ("libtcmalloc: warning: allocation is large\nabort at x.cc:12\n", "abort at x.cc:12"),
    "jemalloc": ("odd: out of pages\n<jemalloc>: Warning: number of CPUs is not deterministic\n", "odd: out of pages"),
    "a sanitizer": (
        "=====\n==9==ERROR: AddressSanitizer: heap-use-after-free on address 0x1\n    #0 0x1 in main\n==9==ABORTING\n",
        "==9==ERROR: AddressSanitizer: heap-use-after-free on address 0x1",
    ),
    "an assertion": ("odd: odd.c:3: main: Assertion `block' failed.\ncount 3\n", "odd: odd.c:3: main: Assertion `block' failed."),
    "git": ("fatal: 'x' is not a commit\nhint: fetch first\n", "fatal: 'x' is not a commit"),
    "Rust": ("thread 'main' panicked at src/lib.rs:1:2:\nnote: run with RUST_BACKTRACE=1\n", "thread 'main' panicked at src/lib.rs:1:2:"),
    "a word like it": ("errors so far 0\nlast words\n", "last words"),
    "no text": ("\0\x1b[31m\xff\n \n", "[31m\xff"),
}  # fmt: skip


@pytest.mark.hostile("text that is not ours")
@pytest.mark.parametrize("output", OUTPUTS)
def test_the_cause_is_the_line_that_tells_it(output: str) -> None:
    written, cause = OUTPUTS[output]
    assert cause_in(written) == cause_in(written.encode()) == cause


# ---- limits

LIMITS = {  # a limit, and what is said of a failure that it causes
    "AS": (6 << 30, ("crashed (SIGSEGV)", "crashed (SIGABRT)", os.strerror(errno.ENOMEM), "not enough memory"),
           "the limit of memory is 6 GiB (ulimit -v)"),
    "DATA": (1 << 30, ("crashed (SIGABRT)", "terminate called: std::bad_alloc", "in the load test it hung for 10 s",
                       "in the load test malloc(1) gave no memory"), "the limit of data is 1 GiB (ulimit -d)"),
    "STACK": (64 << 10, ("crashed (SIGSEGV)",), "the limit of the stack is 64 KiB (ulimit -s)"),
    "NPROC": (7, (os.strerror(errno.EAGAIN), cli.NO_THREAD), "the limit of processes is 7 (ulimit -u)"),
    "NOFILE": (9, (os.strerror(errno.EMFILE),), "the limit of open files is 9 (ulimit -n)"),
    "FSIZE": (4096, ("crashed (SIGXFSZ)", os.strerror(errno.EFBIG), "a: cannot be used (disk I/O error)"), "the limit of a file's size is 4 KiB (ulimit -f)"),
    "CPU": (3, ("crashed (SIGXCPU)", "crashed (SIGKILL)"), "the limit of CPU time is 3 s (ulimit -t)"),
    "MEMLOCK": (0, (f"mlock: {os.strerror(errno.ENOMEM)}",), "the limit of locked memory is 0 B (ulimit -l)"),
}  # fmt: skip


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[int, int]:
    """The limits of this process, none to begin with."""
    limits: dict[int, int] = {}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits.get(kind, resource.RLIM_INFINITY),) * 2)
    monkeypatch.setattr(failure, "OWN_GROUP", tmp_path / "own")
    monkeypatch.setattr(failure, "GROUPS", tmp_path / "groups")
    return limits


@pytest.mark.hostile("limit of the system")
@pytest.mark.parametrize("kind", LIMITS)
def test_a_limit_is_named_where_it_may_be_the_cause(unlimited: dict[int, int], kind: str) -> None:
    most, said, named = LIMITS[kind]
    for text in said:
        assert limits_behind(text) == ""
    unlimited[getattr(resource, f"RLIMIT_{kind}")] = most
    for text in said:
        assert limits_behind(text) == f"; {named}"
        assert limits_behind(text + limits_behind(text)) == "", "it is named once"
    for text in ("ended with exit code 3", "did not end within 9 s", "Permission denied"):
        assert limits_behind(text) == ""


def test_a_usual_stack_is_the_cause_of_nothing(unlimited: dict[int, int]) -> None:
    unlimited[resource.RLIMIT_STACK] = 8 << 20
    assert limits_behind("crashed (SIGSEGV)") == ""


@pytest.mark.hostile("limit of the system")
@pytest.mark.parametrize(
    ("file", "said", "named"),
    [
        ("memory.max", "crashed (SIGKILL)", "; the limit of memory is 2 MiB (memory.max of the control group)"),
        ("memory.max", os.strerror(errno.ENOMEM), "; the limit of memory is 2 MiB (memory.max of the control group)"),
        ("pids.max", os.strerror(errno.EAGAIN), "; the limit of processes is 2097152 (pids.max of the control group)"),
    ],
)  # fmt: skip
def test_the_smallest_limit_of_the_control_groups_is_named(
    unlimited: dict[int, int], tmp_path: Path, file: str, said: str, named: str
) -> None:
    (tmp_path / "own").write_text("1:cpu:/old\n0::/outer/inner\n")
    inner = tmp_path / "groups" / "outer" / "inner"
    inner.mkdir(parents=True)
    (inner / file).write_text("max\n")
    assert limits_behind(said) == ""
    (inner.parent / file).write_text(f"{2 << 20}\n")
    (tmp_path / file).write_text("1\n")  # beside the groups, not one of them
    assert limits_behind(said) == named


@pytest.mark.hostile("limit of the system")
@pytest.mark.parametrize(
    ("file", "said", "named"),
    [
        ("memory/memory.limit_in_bytes", "crashed (SIGKILL)",
         "; the limit of memory is 2 MiB (memory.limit_in_bytes of the control group)"),
        ("pids/pids.max", os.strerror(errno.EAGAIN), "; the limit of processes is 2097152 (pids.max of the control group)"),
        ("cpu,memory/memory.limit_in_bytes", "crashed (SIGABRT)",
         "; the limit of memory is 2 MiB (memory.limit_in_bytes of the control group)"),
    ],
    ids=["memory", "processes", "two controllers in a tree"],
)  # fmt: skip
def test_the_limits_of_control_groups_of_version_1_are_named(
    unlimited: dict[int, int], tmp_path: Path, file: str, said: str, named: str
) -> None:
    tree, name = file.split("/")
    (tmp_path / "own").write_text(f"3:freezer:/\n2:{tree}:/outer/inner\n0::/outer\n")
    outer = tmp_path / "groups" / tree / "outer"
    (outer / "inner").mkdir(parents=True)
    (outer / "inner" / name).write_text("9223372036854771712\n")  # no limit
    assert limits_behind(said) == ""
    (outer.parent / name).write_text(f"{2 << 20}\n")  # of a container, which sees its own group at the top
    assert limits_behind(said) == named


@pytest.mark.hostile("limit of the system")
@pytest.mark.parametrize("written", ["", "no colons", "0::", "::::", "\0\xff:memory:/x", "1:memory:/../../etc"])
def test_a_group_that_cannot_be_read_has_no_limit(unlimited: dict[int, int], tmp_path: Path, written: str) -> None:
    (tmp_path / "own").write_text(written, encoding="latin-1")
    (tmp_path / "groups").mkdir()
    assert limits_behind("crashed (SIGKILL)") == ""


@pytest.mark.hostile("limit of the system")
@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "Too many open files; the limit of open files is 9 (ulimit -n)"),
        (OSError(errno.EFBIG, os.strerror(errno.EFBIG), "a.json"),
         "a.json: File too large; the limit of a file's size is 4 KiB (ulimit -f)"),
        (MemoryError(), "not enough memory; the limit of memory is 1 GiB (ulimit -v)"),
        (RuntimeError(cli.NO_THREAD), "can't start new thread; the limit of processes is 7 (ulimit -u)"),
        (UnitFailed("crashed (SIGXCPU)"), "crashed (SIGXCPU); the limit of CPU time is 3 s (ulimit -t)"),
    ],
    ids=("files", "size", "memory", "threads", "time"),
)  # fmt: skip
def test_a_command_that_fails_at_a_limit_names_it(
    unlimited: dict[int, int], capsys: pytest.CaptureFixture[str], problem: Exception, line: str
) -> None:
    unlimited.update({resource.RLIMIT_NOFILE: 9, resource.RLIMIT_FSIZE: 4096, resource.RLIMIT_AS: 1 << 30,
                      resource.RLIMIT_NPROC: 7, resource.RLIMIT_CPU: 3})  # fmt: skip

    def fail() -> int:
        raise problem

    assert cli.answer("scripts/x", fail) == 2
    assert capsys.readouterr().err == f"scripts/x: {line}\n"
