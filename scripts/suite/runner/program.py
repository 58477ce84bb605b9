"""What does the benchmark program offer, and what does one process of it measure?

Only this module knows the program's command line and its list.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import queue
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import UnionType
from typing import IO, Any

from suite.base import foreign
from suite.base.errors import BadInput, UnitFailed, UnitHung
from suite.base.failure import cause_in, limits_behind
from suite.base.text import first_line, one_line
from suite.results.model import BenchmarkName, Document, selects
from suite.results.read import BadResult, as_figure, read_program_output, stopped_seconds
from suite.runner import interference

LIST_SECONDS = 60.0  # listing takes a fraction of a second: a minute means that the program hangs
ENDING_SECONDS = 5.0  # in which the program ends, with all its processes, when it is asked to
DESCRIBE_SECONDS = 600.0  # a recording of 100 million events takes a minute

# If the disk has less free space than this, a damaged result was damaged by the full disk.
LEAST_FREE_BYTES = 1 << 20


@dataclass(frozen=True)
class Program:
    """The benchmark program with the user's choices."""

    executable: Path
    profile: str
    only: str | None = None
    allocators: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()  # environment variables that its processes get
    options: tuple[str, ...] = ()  # more options of the program or of Google Benchmark
    draws_layout: bool = False  # each of its processes draws its memory layout
    tested: tuple[str, ...] | None = None  # the malloc libraries that its list found to be available
    under: tuple[str, ...] = ()  # the command of a tool that its processes run under

    def command(self, *more: str) -> list[str]:
        chosen = [f"--profile={self.profile}"]
        chosen += [f"--only={self.only}"] if self.only is not None else []
        chosen += [f"--allocator={allocator}" for allocator in self.allocators]
        chosen += [f"--tested={','.join(self.tested)}"] if self.tested is not None else []
        return [*self.under, str(self.executable), *chosen, *self.options, *more]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **dict(self.settings)}


@dataclass(frozen=True)
class Part:
    """The benchmarks of one process: a family, or one part of a family that needs several processes."""

    family: str
    chapter: str
    index: int
    expression: str
    benchmarks: tuple[str, ...] = field(compare=False)
    look: int = 0  # the look at the run that asked for these processes; 0: they were planned

    def file_name(self, process: int) -> str:
        look = f"-look{self.look}" if self.look else ""
        return f"{self.family}-{self.index}{look}-{process}.json"

    def only(self, benchmarks: Set[str], look: int) -> Part:
        """The part with these of its benchmarks, for the processes that a look at the run asked for."""
        names = tuple(name for name in self.benchmarks if name in benchmarks)
        choice = "|".join(re.sub(r"[.+]", r"\\\g<0>", name) for name in names)
        return Part(self.family, self.chapter, self.index, f"^({choice})$", names, look)


@dataclass(frozen=True)
class Malloc:
    """A malloc library, as the program found it. `reason` is empty if the library is available, else the cause."""

    name: str
    file: str
    version: str
    reason: str
    package: str
    process: bool  # the program itself uses it
    changes: str = ""  # in the process that loads it, beside its memory: `niceness 0 to 10`
    lacks: str = ""  # why it has no benchmarks that give it a whole process; empty if it has them

    @property
    def available(self) -> bool:
        return not self.reason


@dataclass(frozen=True)
class Timer:
    """The clock of single calls, in nanoseconds, as the program measured it when it started."""

    step_ns: float  # the clock grows in such steps
    reading_ns: float  # what a reading takes


@dataclass(frozen=True)
class Catalogue:
    """All that the program offers under the user's choices."""

    parts: tuple[Part, ...]
    declared: Mapping[str, Mapping[str, Any]]  # what a run keeps of the list: see `_declared`
    mallocs: tuple[Malloc, ...]
    context: Mapping[str, str]  # the program's facts about itself and the machine
    digest: str  # changes with the benchmarks, the mallocs and their versions
    timer: Timer | None = None  # a program of an earlier version does not say

    @property
    def about(self) -> Mapping[str, Mapping[str, Any]]:
        """By family: its texts, and what it DECLARED."""
        return self.declared["families"] if "families" in self.declared else {}

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(self.about)

    @property
    def core(self) -> tuple[str, ...]:
        """The expressions of the gate's core set, as the families declare them."""
        return tuple(str(expression) for family in self.about.values() for expression in family.get("core", ()))

    @property
    def gate_controls(self) -> str:
        """The expression of the benchmarks with which the gate checks the machine; empty where no family has them."""
        declared = (str(family.get("gate_controls", "")) for family in self.about.values())
        return next(filter(None, declared), "")

    def prepared(self, program: Program, without: Set[str] = frozenset()) -> Program:
        """The program that was asked, for many starts: without the user's mallocs that it cannot use or that are not wanted,
        and told which libraries were tested. A program of an earlier version tests them at every start, and draws no
        layout."""
        names = tuple(malloc.name for malloc in self.mallocs if malloc.available and malloc.name not in without)
        unfit = {malloc.name for malloc in self.mallocs if malloc.name not in names}
        fit = tuple(allocator for allocator in program.allocators if allocator.partition("=")[0] not in unfit)
        draws = "layout" in self.context
        return replace(program, allocators=fit, draws_layout=draws, tested=names if draws else None)

    @property
    def unavailable(self) -> tuple[str, ...]:
        """A line for each malloc that is missing, or lacks some benchmarks."""
        lines = []
        for malloc in self.mallocs:
            if malloc.reason:
                hint = limits_behind(malloc.reason) or (f" (install: {malloc.package})" if malloc.package else "")
                lines.append(f"{malloc.name}: {malloc.reason}{hint}")
            elif malloc.lacks:
                lines.append(f"{malloc.name} as the only malloc of a process: {malloc.lacks}")
        return tuple(lines)

    @property
    def benchmarks(self) -> tuple[str, ...]:
        return tuple(name for part in self.parts for name in part.benchmarks)

    def turn_seconds(self, name: str) -> float | None:
        """How long a turn of the benchmark measures. 0: a process of it measures once, and takes no turns. None: a
        program of an earlier version knows no turns."""
        milliseconds = self.about.get(BenchmarkName.parse(name).family, {}).get("turn_ms")
        return None if milliseconds is None else 1e-3 * float(milliseconds)

    def is_warmed(self, name: str) -> bool:
        """Whether a turn of the benchmark has two repetitions, the first of which warms the caches and is discarded."""
        expression = str(self.about.get(BenchmarkName.parse(name).family, {}).get("warmed", ""))
        return bool(expression) and selects(expression, name)


# ---- the program's list


def ask(program: Program) -> Catalogue:
    """Asks the program for its list. Raises BadInput, with the program's own error line where it has one."""
    question = "--list=json"
    answer = _answer_of(program.command(question), question, LIST_SECONDS, program.environment)
    try:
        measured = answer.pop("timer", None)  # differs a little at each start, so the digest must not depend on it
        timer = Timer(*map(_positive, (measured["step_ns"], measured["reading_ns"]))) if measured else None
        declared = _declared(answer)
        parts = tuple(part for family in answer["families"] for part in _parts(family))
        mallocs = tuple(_malloc(strategy) for strategy in answer["strategies"] if strategy["file"] or not strategy["available"])
        context = {str(key): one_line(str(value)) for key, value in answer["context"].items()}
    except foreign.OTHER_SHAPE:
        raise BadInput(f"{program.executable} --list=json: the list lacks a field, or a field has the wrong type") from None
    if not parts:
        raise BadInput(f"{program.executable} --list=json: the list has no benchmarks")
    return Catalogue(parts, declared, mallocs, context, _digest(answer), timer)


def _positive(written: object) -> float:
    """Raises ValueError."""
    if (figure := as_figure(written)) is None or figure <= 0:
        raise ValueError(f"{written!r} is not a positive number")
    return figure


def describe_recording(executable: Path, file: Path) -> Mapping[str, Any]:
    """What the program says of a recording of a program's calls of malloc. Raises BadInput, with its own error line."""
    question = f"--describe-recording={file}"
    described = _answer_of([str(executable), question], question, DESCRIBE_SECONDS)
    if not isinstance(described, dict):
        raise BadInput(f"{executable} {question}: the output is not a JSON object")
    return described


def _answer_of(command: list[str], question: str, seconds: float, environment: Mapping[str, str] | None = None) -> Any:
    """The JSON that the program prints when it is asked. Raises BadInput, with its own error line where it has one."""
    asked = f"{command[0]} {question}"
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = MeasuringProcess(command, errors, {**os.environ, **(environment or {})}, output)
        try:
            process.start()
            code = process.end(seconds).exit_code
        except UnitHung as hung:
            raise BadInput(f"{asked} {hung}") from None
        except OSError as error:
            raise BadInput(f"{command[0]} cannot be run ({_why_not_run(Path(command[0]), error)})") from None
        finally:
            process.stop()
        if code != 0:
            raise BadInput(_why_failed(asked, code, _cause_at_the_end(errors)))
        output.seek(0)
        try:
            return foreign.read_json(output.read())
        except (ValueError, RecursionError):
            raise BadInput(f"{asked}: the output is not JSON") from None


def _why_not_run(program: Path, error: OSError) -> str:
    with contextlib.suppress(OSError):
        if isinstance(error, PermissionError) and os.statvfs(program).f_flag & os.ST_NOEXEC:
            return "its file system is mounted with noexec: move the project to another file system"
    return first_line(error)


def _digest(answer: Any) -> str:
    """A digest of the list and of each malloc's file: two builds of a malloc may have the same version."""
    files = [_file_state(str(strategy.get("file", ""))) for strategy in answer["strategies"]]
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
    """The family's parts that still have a benchmark under the user's choices."""
    for index, expression in enumerate(family["parts"]):
        names = tuple(str(name) for name in family["benchmarks"] if selects(expression, name))
        if names:
            yield Part(_named(family), str(family["chapter"]), index, str(expression), names)


# What a family declares for the gate, the history and scripts/verify. A program of an earlier version declares nothing.
DECLARED: Mapping[str, type | UnionType] = {
    "metrics": list, "core": list, "gate_controls": str, "spread": float, "turn_ms": int | float, "warmed": str,
}  # fmt: skip


def _declared(answer: Any) -> dict[str, dict[str, Any]]:
    """The questions of the chapters in reading order, the families, and the idea of each strategy, by name.

    A build from before the program told chapters and ideas has none; the gate still compares it with a new one.
    """
    return {
        "chapters": {str(chapter["name"]): one_line(str(chapter["question"])) for chapter in answer.get("chapters", ())},
        "families": {_named(family): _about(family) for family in answer["families"]},
        "strategies": {str(strategy["name"]): str(strategy.get("idea", "")) for strategy in answer["strategies"]},
    }


def _about(family: Any) -> dict[str, Any]:
    keys = ("chapter", "question", "operation", "untimed", "heap", "unfairness")
    texts = {key: one_line(str(family[key]), longest=4000) for key in keys}
    # A program of an earlier version does not say it.
    texts["held_against"] = one_line(str(family.get("held_against", "")), longest=4000)
    return texts | {key: family[key] for key, kind in DECLARED.items() if isinstance(family.get(key), kind)}


def _malloc(strategy: Any) -> Malloc:
    words = {key: one_line(str(strategy[key])) for key in ("name", "file", "version", "reason", "package")}
    changes = one_line(str(strategy.get("changes", "")))  # a program of an earlier version does not say
    return Malloc(**words, process=bool(strategy["process"]), changes=changes, lacks=one_line(str(strategy.get("lacks", ""))))


# ---- one process


def measure_part(
    program: Program, part: Part, folder: Path, limit: float, layout: int | None = None
) -> tuple[Document, interference.Interference]:
    """Runs one part in its own process, and returns its result and the interference with it.

    Processes with the same number `layout` draw the same memory layout; without it they draw any.

    Raises UnitFailed if the process crashes, hangs for `limit` seconds or writes a damaged result; OSError on a full
    disk.
    """
    with measuring(program, part, folder, layout) as process:
        before = interference.take_snapshot()
        process.start()
        ended = process.end(limit, renewed=True)
        after = interference.take_snapshot()
        document = process.result()
        stopped = ended.stopped_with(document)
        return document, interference.interference_between(before, after, ended.used, stopped, len(part.benchmarks))


@contextlib.contextmanager
def measuring(
    program: Program,
    part: Part,
    folder: Path,
    layout: int | None = None,
    *,
    number: int = 0,
    options: Sequence[str] = (),
    channel: socket.socket | None = None,
    processors: Set[int] = frozenset(),
) -> Iterator[MeasuringProcess]:
    """A process that is to measure one part: not started yet; killed with its children when the context ends.

    Processes that live at once have a `number` each. The process inherits the `channel`, and runs on these `processors`
    where there are any. Raises OSError for a process that failed on a full disk.
    """
    output = folder.absolute() / f".{part.file_name(number)}.{os.getpid()}.tmp"  # a preloaded malloc may change the folder
    drawn = [f"--layout={layout}"] if program.draws_layout and layout is not None else []
    command = program.command(
        f"--benchmark_filter={part.expression}", f"--benchmark_out={output}", "--benchmark_out_format=json", *drawn, *options
    )
    try:
        with tempfile.TemporaryFile() as errors:
            words = [*_ends_with_this_process(), *command]
            process = MeasuringProcess(words, errors, program.environment, channel=channel, processors=processors, result=output)
            try:
                yield process
            finally:
                process.stop()
    except UnitFailed:
        if shutil.disk_usage(folder).free < LEAST_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from None
        raise
    finally:
        output.unlink(missing_ok=True)


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    exit_code: int  # negative: the signal that ended the process
    used: resource.struct_rusage  # by the process and its children
    stopped: float  # the seconds for which it was stopped

    def stopped_with(self, document: Document) -> float:
        """The seconds for which it, or a process of its benchmarks, was stopped. Mostly all are stopped together: then only
        its own time is exact."""
        return self.stopped or stopped_seconds(document)


class MeasuringProcess(threading.Thread):
    """Starts a process and waits for its end, in a thread: wait4 has no time limit, and polling would disturb the
    process. An interrupt reaches only the main thread, so it never comes between the start and the wait."""

    def __init__(
        self,
        command: list[str],
        errors: IO[bytes],
        environment: Mapping[str, str],
        output: IO[bytes] | int = subprocess.DEVNULL,
        *,
        channel: socket.socket | None = None,
        processors: Set[int] = frozenset(),
        result: Path = Path(os.devnull),
    ) -> None:
        super().__init__(daemon=True)
        self.command, self.errors, self.environment, self.output = command, errors, environment, output
        self.channel, self.processors, self.file = channel, processors, result
        self.changing = threading.Lock()  # held while the process is created, and while its number becomes free
        self.number: int | None = None
        self.unwanted = False
        self._ends: queue.SimpleQueue[Ended | OSError] = queue.SimpleQueue()
        self._ended: Ended | None = None

    def run(self) -> None:
        try:
            with self.changing:
                if self.unwanted:
                    return
                if self.processors:
                    os.sched_setaffinity(0, self.processors)  # of this thread; its process inherits it
                inherited = () if self.channel is None else (self.channel.fileno(),)
                # Its own session: Ctrl-C in the terminal reaches only this program, and killpg also ends the process's children.
                child = subprocess.Popen(
                    self.command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.errors, env=self.environment,
                    pass_fds=inherited, start_new_session=True,
                )  # fmt: skip
                self.number = child.pid
            self._leave_channel()
            stopped = _stopped_until_the_end(child.pid)
            with self.changing:
                os.killpg(child.pid, signal.SIGKILL)  # children that it left behind would disturb the next process
                _, status, used = os.wait4(child.pid, 0)
                self.number = None
            child.returncode = os.waitstatus_to_exitcode(status)
            self._ends.put(Ended(child.returncode, used, stopped))
        except OSError as problem:
            self._ends.put(problem)
        finally:
            self._leave_channel()

    def _leave_channel(self) -> None:
        """Only the process holds its end from then on, so that the other end tells when the process has ended."""
        if self.channel is not None:
            self.channel.close()

    def stop(self) -> None:
        """Ends the process if it still runs, and waits until it has ended with all that it started.

        The program is asked first: it alone knows what a library has started, and left in a session of its own. Then
        it is killed.
        """
        self.unwanted = True
        for signals, seconds in (((signal.SIGTERM, signal.SIGCONT), ENDING_SECONDS), ((signal.SIGKILL,), None)):
            with self.changing:
                if self.number is not None:
                    for number in signals:
                        os.killpg(self.number, number)
            if self.is_alive():
                self.join(seconds)

    def end(self, limit: float, renewed: bool = False) -> Ended:
        """Waits for its end. Raises UnitHung after `limit` seconds; the limit can be `renewed`."""
        if self._ended is None:
            ended = self._wait(limit, renewed)
            if isinstance(ended, OSError):
                raise ended
            self._ended = ended
        return self._ended

    def _wait(self, limit: float, renewed: bool) -> Ended | OSError:
        """A renewed limit begins anew while results come: the program ends a benchmark that hangs, and several may. It also
        does, once, where the program itself was stopped, which a process may do that a library has left behind."""
        size, may_go_on = self._size_of_result(), renewed
        while True:
            for seconds in interference.waiting_steps(limit):
                with contextlib.suppress(queue.Empty):
                    return self._ends.get(timeout=seconds)
            if renewed and size != (size := self._size_of_result()):
                continue
            if not (may_go_on and self._go_on()):
                raise UnitHung(f"did not end within {limit:.0f} s")
            may_go_on = False

    def _go_on(self) -> bool:
        """Continues the process if it is stopped; whether it was."""
        with self.changing:
            if self.number is None or not _is_stopped_of(self.number, Path(f"/proc/{self.number}/stat")):
                return False
            os.killpg(self.number, signal.SIGCONT)
            return True

    def _size_of_result(self) -> int:
        try:
            return self.file.stat().st_size
        except OSError:
            return 0

    def result(self) -> Document:
        """What it measured, when it has ended. Raises UnitFailed."""
        assert self._ended is not None
        if self._ended.exit_code != 0:
            raise UnitFailed(_why_failed("", self._ended.exit_code, _cause_at_the_end(self.errors)))
        try:
            return read_program_output(self.file)
        except BadResult as problem:
            raise UnitFailed(f"damaged result: {problem.reason}") from None

    def is_stopped(self) -> bool:
        """Whether the process or a process of its session is stopped, as by SIGSTOP."""
        with self.changing:
            return self.number is not None and any(_is_stopped_of(self.number, stat) for stat in Path("/proc").glob("[0-9]*/stat"))


def _is_stopped_of(session: int, stat: Path) -> bool:
    try:
        state, _, _, its_session, *_ = stat.read_text().rpartition(")")[2].split()  # see proc(5)
    except (OSError, ValueError):
        return False
    return state == "T" and int(its_session) == session


def _stopped_until_the_end(process: int) -> float:
    """Waits for the end of a process, which it leaves to be reaped. Returns the seconds for which it was stopped."""
    stopped = 0.0
    since: float | None = None
    changes = os.WSTOPPED | os.WCONTINUED
    while True:
        change = os.waitid(os.P_PID, process, os.WEXITED | changes | os.WNOWAIT)
        if change is None or change.si_code not in (os.CLD_STOPPED, os.CLD_CONTINUED):
            return stopped + (0.0 if since is None else time.monotonic() - since)
        try:
            change = os.waitid(os.P_PID, process, changes | os.WNOHANG)  # the latest change: it may be another by now
        except ChildProcessError:  # it has ended since
            continue
        if change is None:
            continue
        if change.si_code == os.CLD_STOPPED:
            since = time.monotonic() if since is None else since
        elif since is not None:
            stopped += time.monotonic() - since
            since = None


def _why_failed(asked: str, exit_code: int, cause: str) -> str:
    """The program's own error line where it answers a question with one; else how it ended, with the cause and the limits
    that may be behind it."""
    end = f"{asked} {_end_of(exit_code)}".strip() + (f" ({cause})" if cause else "")
    failure = cause if asked and exit_code > 0 and cause else end
    return failure + limits_behind(failure)


@cache
def _ends_with_this_process() -> tuple[str, ...]:
    """The words before a command that let the kernel kill the command when this process is killed: a process that goes
    on would disturb the next run."""
    return ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()


def _end_of(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"crashed ({signal.Signals(-exit_code).name})"
    except ValueError:
        return f"crashed (signal {-exit_code})"


def _cause_at_the_end(errors: IO[bytes]) -> str:
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - 4096))
    return cause_in(errors.read())
