"""Why did a program fail? Which line of its errors tells the cause, and which limit of the system is behind it?"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from suite.base.text import bytes_text, one_line

# ---- the line that tells the cause

# What stands among the errors of a program and causes nothing: Google Benchmark's description of the machine, and its
# "***WARNING*** Library was built as DEBUG"; warnings of Perl, glibc, tcmalloc or jemalloc about languages and settings; what the
# dynamic linker ignores; advice (git's hints, Rust's notes); the end of a sanitizer's report.
_NOISE = re.compile(
    r"(\S+: )?\W*(warning|note|hint|info|debug)\b"
    r"|Running \S|Run on \(\d|CPU Caches:|L\d (Data|Instruction|Unified) |Load Average:|\d{4}-\d\d-\d\d[T ][\d:]+\S*$"
    r"|-+$|Benchmark +Time\b|not available: |started with LD_PRELOAD=|ERROR: ld\.so: .*: ignored\.$"
    r"|.*\b(cannot change locale|setting locale failed)|[=\s]*==\d+==\s*(ABORTING)?$|=+$",
    re.IGNORECASE,
)
_CAUSE = re.compile(r"stackheap: |(.*\b)?(fatal|error|exception|panicked at)\b.*:|.*\bassertion\b.*\bfailed\b", re.IGNORECASE)


def cause_in(output: bytes | str) -> str:
    """The line of a program's errors that tells why it failed: the last that names an error, else the last that is not known
    to mean nothing. Empty where there is none."""
    text = output.decode(errors="replace") if isinstance(output, bytes) else output
    lines = [line for line in map(str.strip, text.splitlines()) if line and not _NOISE.match(line)]
    causes = [line for line in lines if _CAUSE.match(line)]
    return one_line((causes or lines or [""])[-1])


# ---- the limit that is behind it

OWN_GROUP, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60  # of a control group: version 1 gives a number to what has no limit
_USUAL_STACK = 8 << 20  # bytes: a stack of this size is the cause of nothing


@dataclass(frozen=True)
class _Limit:
    name: str
    value: Callable[[], int | None]  # None: there is no limit
    text: Callable[[int], str]
    origin: str  # how it is set


def _limit_of(kind: int) -> int | None:
    most, _ = resource.getrlimit(kind)
    return None if most == resource.RLIM_INFINITY else most


def _stack_limit() -> int | None:
    most = _limit_of(resource.RLIMIT_STACK)
    return most if most is not None and most < _USUAL_STACK else None


def _group_limit(controller: str, file: str) -> int | None:
    """The smallest limit of this process's control group and of those around it. A controller of version 1 has a tree of its
    own; that of version 2 has no name."""
    try:
        lines = [line.split(":", 2) for line in OWN_GROUP.read_text(errors="replace").splitlines()]
        [(names, own), *_] = [(names, own) for _, names, own in lines if controller in names.split(",")]
    except (OSError, ValueError):
        return None
    tree = GROUPS / names
    inner = tree / own.lstrip("/")
    found = []
    for group in (inner, *inner.parents):
        with contextlib.suppress(OSError, ValueError):  # "max"
            found.append(int((group / file).read_text()))
        if group == tree:
            break
    most = min(found, default=_UNLIMITED)
    return most if most < _UNLIMITED else None


def _limit(name: str, kind: int, text: Callable[[int], str], option: str) -> _Limit:
    return _Limit(name, partial(_limit_of, kind), text, f"ulimit -{option}")


_ADDRESSES = _limit("memory", resource.RLIMIT_AS, bytes_text, "v")
_DATA = _limit("data", resource.RLIMIT_DATA, bytes_text, "d")
_STACK = _Limit("the stack", _stack_limit, bytes_text, "ulimit -s")
_LOCKED = _limit("locked memory", resource.RLIMIT_MEMLOCK, bytes_text, "l")
_PROCESSES = _limit("processes", resource.RLIMIT_NPROC, str, "u")
_FILES = _limit("open files", resource.RLIMIT_NOFILE, str, "n")
_FILE_SIZE = _limit("a file's size", resource.RLIMIT_FSIZE, bytes_text, "f")
_TIME = _limit("CPU time", resource.RLIMIT_CPU, lambda seconds: f"{seconds} s", "t")
_GROUP_MEMORY = (
    _Limit("memory", partial(_group_limit, "", "memory.max"), bytes_text, "memory.max of the control group"),
    _Limit("memory", partial(_group_limit, "memory", "memory.limit_in_bytes"), bytes_text, "memory.limit_in_bytes of the control group"),
)  # fmt: skip
_GROUP_PROCESSES = tuple(
    _Limit("processes", partial(_group_limit, controller, "pids.max"), str, "pids.max of the control group")
    for controller in ("", "pids")
)


def _says(number: int) -> str:
    return re.escape(os.strerror(number))


# What is said of a failure, and the limits that such a failure comes from.
_BEHIND: Sequence[tuple[str, tuple[_Limit, ...]]] = (
    (rf"{_says(errno.ENOMEM)}|not enough memory|no memory|out of memory|bad_alloc|SIGABRT|SIGSEGV|SIGBUS"
     "|in the load test it hung",  # a malloc that asks for memory again and again
     (_ADDRESSES, _DATA, *_GROUP_MEMORY)),
    (r"SIGSEGV", (_STACK,)),
    (r"SIGKILL", (*_GROUP_MEMORY, _TIME)),
    (r"SIGXCPU", (_TIME,)),
    (rf"{_says(errno.EFBIG)}|SIGXFSZ|disk I/O error", (_FILE_SIZE,)),  # the last are the words of SQLite
    (rf"{_says(errno.EMFILE)}", (_FILES,)),
    (rf"{_says(errno.EAGAIN)}|can't start new thread", (_PROCESSES, *_GROUP_PROCESSES)),
    (r"\bm?lock(all)?\b.*" + _says(errno.ENOMEM), (_LOCKED,)),
)  # fmt: skip


def limits_behind(text: str) -> str:
    """`; the limit of memory is 6 GiB (ulimit -v)`: the limits in force that a failure may come from of which this is said.
    Empty where there is none."""
    found = dict.fromkeys(limit for said, limits in _BEHIND if re.search(said, text) for limit in limits)
    named = [_named(limit, value) for limit in found if (value := limit.value()) is not None]
    return f"; {' and '.join(named)}" if named and named[0] not in text else ""


def _named(limit: _Limit, value: int) -> str:
    return f"the limit of {limit.name} is {limit.text(value)} ({limit.origin})"
