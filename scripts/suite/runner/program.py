"""What does the benchmark program offer, and what does one process of it measure?

The only place that knows the program's command line and its list.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import queue
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Any

from suite.base.errors import BadInput, UnitFailed, UnitHung
from suite.base.text import one_line
from suite.results.model import Document, selects
from suite.results.read import BadResult, read_program_output
from suite.runner import interference

LIST_SECONDS = 60.0  # listing takes a fraction of a second: more is a hang

# A result that comes out damaged while less than this is free was damaged by the full disk.
LEAST_FREE_BYTES = 1 << 20


@dataclass(frozen=True)
class Program:
    """The benchmark program with what the user chose."""

    executable: Path
    profile: str
    only: str | None = None
    allocators: tuple[str, ...] = ()
    preload: str = ""  # a library to start it with
    options: tuple[str, ...] = ()  # more of its own, or of Google Benchmark's

    def command(self, *more: str) -> list[str]:
        chosen = [f"--profile={self.profile}"]
        chosen += [f"--only={self.only}"] if self.only is not None else []
        chosen += [f"--allocator={one}" for one in self.allocators]
        return [str(self.executable), *chosen, *self.options, *more]


@dataclass(frozen=True)
class Part:
    """What one process measures: a family, or where a family needs several processes, one of its parts."""

    family: str
    chapter: str
    index: int
    expression: str
    benchmarks: tuple[str, ...] = field(compare=False)

    def file_name(self, process: int) -> str:
        return f"{self.family}-{self.index}-{process}.json"


@dataclass(frozen=True)
class Malloc:
    """A malloc library, as the program found it. `reason` says why it is not available; empty when it is."""

    name: str
    file: str
    version: str
    reason: str
    package: str
    process: bool  # the program itself uses it

    @property
    def available(self) -> bool:
        return not self.reason


@dataclass(frozen=True)
class Catalogue:
    """What the program offers for the user's choice."""

    parts: tuple[Part, ...]
    about: Mapping[str, Mapping[str, Any]]  # by family: its texts, and what it DECLARED
    strategies: Mapping[str, str]  # the idea of each (control, stack, arena, heap), in the order of the list
    mallocs: tuple[Malloc, ...]
    context: Mapping[str, str]  # what the program knows of itself and the machine
    digest: str  # changes with the benchmarks, the mallocs and their versions

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(self.about)

    @property
    def core(self) -> tuple[str, ...]:
        """The expressions of the gate's core set, as the families declare them."""
        return tuple(str(expression) for family in self.about.values() for expression in family.get("core", ()))

    @property
    def control(self) -> str:
        """The expression of the benchmarks with which the gate checks the machine; empty where no family has them."""
        return next((str(family["control"]) for family in self.about.values() if family.get("control")), "")

    @property
    def unavailable(self) -> tuple[str, ...]:
        """A line for each malloc that is missing."""
        missing = (one for one in self.mallocs if not one.available)
        return tuple(f"{one.name}: {one.reason}" + (f" (install: {one.package})" if one.package else "") for one in missing)

    @property
    def benchmarks(self) -> tuple[str, ...]:
        return tuple(name for one in self.parts for name in one.benchmarks)


# ---- what it offers


def ask(chosen: Program) -> Catalogue:
    """Asks the program what it would measure. Raises BadInput with the program's own line when it refuses."""
    answer = _list_json(chosen)
    try:
        about = {_named(one): _about(one) for one in answer["families"]}
        parts = tuple(one for family in answer["families"] for one in _parts(family))
        strategies = {str(strategy["name"]): str(strategy.get("idea", "")) for strategy in answer["strategies"]}  # "": an old build
        mallocs = tuple(_malloc(one) for one in answer["strategies"] if one["file"] or not one["available"])
        context = {str(key): one_line(str(value)) for key, value in answer["context"].items()}
    except (KeyError, TypeError, AttributeError):
        raise BadInput(f"{chosen.executable} --list=json gave a list that cannot be read") from None
    if not parts:
        raise BadInput(f"{chosen.executable} --list=json offers no benchmarks")
    return Catalogue(parts, about, strategies, mallocs, context, _digest(answer))


def _list_json(chosen: Program) -> Any:
    try:
        command = chosen.command("--list=json")
        ended = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=LIST_SECONDS)
    except OSError as error:
        raise BadInput(f"{chosen.executable} cannot be run ({error.strerror})") from None
    except subprocess.TimeoutExpired:
        raise BadInput(f"{chosen.executable} --list=json did not end") from None
    if ended.returncode != 0:
        raise BadInput(_last_line(ended.stderr) or f"{chosen.executable} --list=json {_end_of(ended.returncode)}{_memory_limit()}")
    try:
        return json.loads(ended.stdout)
    except (ValueError, RecursionError):
        raise BadInput(f"{chosen.executable} --list=json did not print JSON") from None


def _digest(answer: Any) -> str:
    """Changes with the list itself, and with each malloc's file: two builds of one malloc may have one version."""
    files = [_file_state(str(one.get("file", ""))) for one in answer["strategies"]]
    return hashlib.sha256(json.dumps([answer, files], sort_keys=True).encode()).hexdigest()


def _file_state(file: str) -> tuple[int, int] | None:
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


def _named(family: Any) -> str:
    name = str(family["name"])
    if not name.replace("_", "").isalnum():  # it becomes part of a file's name
        raise KeyError(name)
    return name


def _parts(family: Any) -> Iterator[Part]:
    """The family's parts that have a benchmark left after the user's choice."""
    for index, expression in enumerate(family["parts"]):
        names = tuple(str(name) for name in family["benchmarks"] if selects(expression, name))
        if names:
            yield Part(_named(family), str(family["chapter"]), index, str(expression), names)


# What a family declares for the gate, the history and scripts/verify. A program of an earlier version declares nothing.
DECLARED: Mapping[str, type] = {"metrics": list, "core": list, "control": str, "spread": float}


def _about(family: Any) -> dict[str, Any]:
    keys = ("chapter", "question", "operation", "untimed", "heap", "unfairness")
    texts = {key: one_line(str(family[key]), longest=4000) for key in keys}
    return texts | {key: family[key] for key, kind in DECLARED.items() if isinstance(family.get(key), kind)}


def _malloc(strategy: Any) -> Malloc:
    words = {key: one_line(str(strategy[key])) for key in ("name", "file", "version", "reason", "package")}
    return Malloc(**words, process=bool(strategy["process"]))


# ---- one process


def measure_part(
    chosen: Program, one: Part, folder: Path, limit: float
) -> tuple[Document, interference.Interference]:
    """Runs one part in a process of its own: what it wrote, and what happened beside it.

    Raises UnitFailed when it crashes, hangs for `limit` seconds or writes no sound result; OSError on a full disk.
    """
    output = folder / f".{one.file_name(0)}.{os.getpid()}.tmp"
    command = chosen.command(
        f"--benchmark_filter={one.expression}", f"--benchmark_out={output}", "--benchmark_out_format=json"
    )
    try:
        with tempfile.TemporaryFile() as errors:
            before = interference.take_snapshot()
            exit_code, used = _run(command, errors, limit, chosen.preload)
            beside = interference.disturbance_between(before, interference.take_snapshot(), used)
            if exit_code != 0:
                raise UnitFailed(" ".join(filter(None, (_end_of(exit_code), _quoted_end(errors)))) + _memory_limit())
        return read_program_output(output), beside
    except (UnitFailed, BadResult) as problem:
        if shutil.disk_usage(folder).free < LEAST_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from None
        if isinstance(problem, BadResult):
            raise UnitFailed(f"its result: {problem.reason}") from None
        raise
    finally:
        output.unlink(missing_ok=True)


def _run(command: list[str], errors: IO[bytes], limit: float, preload: str) -> tuple[int, resource.struct_rusage]:
    """Exit code (negative: the signal that ended it) and what the process and its children used."""
    running = _process([*_ends_with_this_process(), *command], errors, preload)
    try:
        running.start()
        ended = running.ended.get(timeout=limit)
    except queue.Empty:
        raise UnitHung(f"did not end within {limit:.0f} s") from None
    finally:
        running.stop()
    if isinstance(ended, OSError):
        raise ended
    return ended


class _process(threading.Thread):
    """Starts a process and waits for its end, in a thread: wait4 knows no time limit, asking again and again would
    disturb the process, and an interrupt, which comes to the main thread alone, never comes between start and end."""

    def __init__(self, command: list[str], errors: IO[bytes], preload: str) -> None:
        super().__init__(daemon=True)
        self.command, self.errors = command, errors
        self.environment = {**os.environ, "LD_PRELOAD": preload} if preload else None
        self.ended: queue.SimpleQueue[tuple[int, resource.struct_rusage] | OSError] = queue.SimpleQueue()
        self.changing = threading.Lock()  # held while the process comes into being, and while its number is given back
        self.number: int | None = None
        self.unwanted = False

    def run(self) -> None:
        silent = subprocess.DEVNULL
        try:
            with self.changing:
                if self.unwanted:
                    return
                # A session of its own: Ctrl-C in the terminal is this program's to handle, and its children can be ended with it.
                child = subprocess.Popen(self.command, stdin=silent, stdout=silent, stderr=self.errors, env=self.environment, start_new_session=True)
                self.number = child.pid
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            with self.changing:
                _, status, used = os.wait4(child.pid, 0)
                self.number = None
            child.returncode = os.waitstatus_to_exitcode(status)
            self.ended.put((child.returncode, used))
        except OSError as problem:
            self.ended.put(problem)

    def stop(self) -> None:
        """Kills it with all it started, if it still runs. Afterwards nothing of it is there."""
        with self.changing:
            self.unwanted = True
            if self.number is not None:
                os.killpg(self.number, signal.SIGKILL)
        if self.is_alive():
            self.join()


def _memory_limit() -> str:
    """What else there is to say of a program that crashed where memory is short, or was not even started."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return "" if limit == resource.RLIM_INFINITY else f"; it is granted {limit >> 20} MiB of memory (ulimit -v)"


@cache
def _ends_with_this_process() -> tuple[str, ...]:
    """Before a command: when this process is killed, the kernel kills that one, which would disturb the next run."""
    return ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()


def _end_of(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"crashed ({signal.Signals(-exit_code).name})"
    except ValueError:
        return f"crashed (signal {-exit_code})"


def _quoted_end(errors: IO[bytes]) -> str:
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - 4096))
    line = _last_line(errors.read())
    return f"({line})" if line else ""


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return one_line(lines[-1]) if lines else ""
