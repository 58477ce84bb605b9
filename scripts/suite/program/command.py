"""What does the user's command cost, run once? Its end, its output as a digest, and what its whole tree of processes
used.

The program `observe` (benchmarks/recording/observe.cpp) starts it in a session of its own, without a terminal, waits
for every process that it left, and kills those that live on. The output goes through pipes: it is read as it is
written, and only its beginning is kept.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import resource
import selectors
import shlex
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from suite.base.errors import BadInput, UnitFailed
from suite.base.failure import cause_in
from suite.base.text import first_line, one_line
from suite.runner import interference
from suite.runner.interference import Interference
from suite.runner.preload import PRELOAD, name_in_preload

OBSERVE, PROBE = "observe", "libmalloc_probe.so"  # in the build folder of the benchmark program
TARGETS = ("observe", "malloc_probe", "recorder")  # what builds them, and the recorder
KEPT_BYTES = 64 * 1024  # of an output, for messages
AT_ONCE = 1024 * 1024  # bytes; also of a pipe, where the system allows it
CLEARING_SECONDS = 10.0  # for killing all processes


@dataclass(frozen=True)
class Command:
    """The user's command, and what belongs to each of its runs."""

    words: tuple[str, ...]
    stdin: Path | None = None  # opened anew for each run; None: /dev/null
    setup: str | None = None  # a command for /bin/sh before each run, untimed
    timeout: float = 600.0  # seconds, of a run and of a setup

    @property
    def text(self) -> str:
        """As it would be typed, in one printable line."""
        return one_line(shlex.join(self.words))

    @property
    def name(self) -> str:
        return one_line(Path(self.words[0]).name)


@dataclass(frozen=True)
class Tools:
    """What a program is started with: parts of the suite's build."""

    observe: Path
    probe: Path

    @staticmethod
    def beside(executable: Path) -> Tools:
        """Those of the build that the benchmark program belongs to. Raises BadInput if the build lacks them."""
        tools = Tools(executable.resolve().with_name(OBSERVE), executable.resolve().with_name(PROBE))
        for file in (tools.observe, tools.probe):
            if not file.is_file():
                raise BadInput(f"{file} does not exist: build the suite again (cmake --build {file.parent})")
        return tools


@dataclass(frozen=True)
class Output:
    """What a run wrote to one stream."""

    digest: str
    size: int  # bytes
    start: bytes = field(repr=False)  # at most KEPT_BYTES

    @property
    def cause(self) -> str:
        """The line of the kept beginning that tells why the program failed; empty where there is none."""
        return cause_in(self.start)


@dataclass(frozen=True)
class Observation:
    """One run. CPU time and page faults are those of all its processes, except children whose parent ignored SIGCHLD;
    `peak_resident` is that of its largest process."""

    exit_code: int  # negative: the signal that ended the process
    cpu: float  # seconds
    wall: float  # seconds, until the first process ended
    peak_resident: int  # bytes
    page_faults: int  # minor and major
    major_faults: int
    stdout: Output
    stderr: Output
    process: int  # the number of its first process
    left_behind: int = 0  # processes that lived on after the program's end, and were killed
    timed_out: float | None = None  # the limit in seconds
    unkillable: bool = False  # processes that could not be killed, for example those of another user
    disturbance: Interference | None = None

    @property
    def end(self) -> str:
        """How it ended: `exit code 0`, `killed by SIGSEGV`, `did not end within 60 s`."""
        if self.timed_out is not None:
            return f"did not end within {self.timed_out:g} s"
        if self.exit_code >= 0:
            return f"exit code {self.exit_code}"
        try:
            return f"killed by {signal.Signals(-self.exit_code).name}"
        except ValueError:
            return f"killed by signal {-self.exit_code}"

    @property
    def past(self) -> str:
        """How it ended, where it did not end itself, as part of a sentence: `was killed by SIGSEGV`."""
        return self.end if self.timed_out is not None else f"was {self.end}"

    @property
    def ended_itself(self) -> bool:
        return self.timed_out is None and self.exit_code >= 0


class SetupFailed(UnitFailed):
    """The user's setup command failed. The text is the reason."""


def observe(
    command: Command,
    tools: Tools,
    preload: Sequence[Path] = (),
    environment: Mapping[str, str] = {},
    file: Path | None = None,
) -> Observation:
    """Runs the setup, then the command once, with these libraries before those of the user's LD_PRELOAD.

    `file`: where the command's first word was found, if not in PATH. Raises SetupFailed; UnitFailed where the
    command cannot be started; KeyboardInterrupt after all its processes were killed.
    """
    if command.setup is not None:
        _set_up(command, tools)
    libraries = [*map(name_in_preload, preload), *filter(None, [os.environ.get(PRELOAD, "")])]
    variables = {**environment, **({PRELOAD: ":".join(libraries)} if preload else {})}
    word = command.words[0]
    program = str(file) if file is not None else shutil.which(word) or word
    return _observed(tools.observe, program, command.words, command.stdin, command.timeout, variables)


def _set_up(command: Command, tools: Tools) -> None:
    shell = ("sh", "-c", command.setup or "")
    run = _observed(tools.observe, "/bin/sh", shell, None, command.timeout, {})
    if run.exit_code != 0 or run.timed_out is not None:
        last = run.stderr.cause or run.stdout.cause
        raise SetupFailed(f"the setup failed: {run.end}{f' ({last})' if last else ''}")


def _observed(
    observer: Path, file: str, words: Sequence[str], stdin: Path | None, timeout: float, variables: Mapping[str, str]
) -> Observation:
    if stdin is not None and (unreadable := _why_unreadable(stdin)):
        raise UnitFailed(f"--stdin {stdin} {unreadable}; accepted: a file that can be read again for each run")
    with contextlib.ExitStack() as stack:
        (report, report_end), (out, out_end), (err, err_end) = (_pipe(stack) for _ in range(3))
        options = [f"--report={report_end}", *(f"--set={name}={value}" for name, value in variables.items())]
        options += [f"--stdin={stdin}"] if stdin is not None else []
        before = interference.take_snapshot()
        observer_process = subprocess.Popen(
            [str(observer), *options, file, *words], stdin=subprocess.DEVNULL, stdout=out_end, stderr=err_end,
            pass_fds=(report_end,), start_new_session=True,
        )  # fmt: skip
        stack.callback(_stop, observer_process)
        for end in (report_end, out_end, err_end):
            os.close(end)
        streams = {descriptor: _Stream() for descriptor in (report, out, err)}
        late = _read_all(streams, report, observer_process, timeout)
        observer_process.wait()
        after = interference.take_snapshot()
    text = streams[report].start.decode(errors="replace")
    return _read_report(text, streams[out].output, streams[err].output, before, after, timeout if late else None)


def _why_unreadable(file: Path) -> str:
    try:
        mode = file.stat().st_mode
    except (OSError, ValueError) as problem:
        return "does not exist" if isinstance(problem, FileNotFoundError) else f"cannot be read ({first_line(problem)})"
    if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
        return "is a folder" if stat.S_ISDIR(mode) else "is not a file"  # a pipe is empty after the first run
    return "" if os.access(file, os.R_OK) else "cannot be read (Permission denied)"


def _pipe(stack: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe whose end for writing the caller closes."""
    reader, writer = os.pipe()
    stack.callback(os.close, reader)
    with contextlib.suppress(OSError):  # the user's pipes are full already
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, AT_ONCE)
    return reader, writer


class _Stream:
    """A stream that is read through bounded memory."""

    def __init__(self) -> None:
        self.hash, self.size, self.start = hashlib.sha256(), 0, b""

    def add(self, data: bytes) -> None:
        self.hash.update(data)
        self.size += len(data)
        if len(self.start) < KEPT_BYTES:
            self.start += data[: KEPT_BYTES - len(self.start)]

    @property
    def output(self) -> Output:
        return Output(self.hash.hexdigest(), self.size, self.start)


def _read_all(streams: Mapping[int, _Stream], report: int, observer: subprocess.Popen[bytes], timeout: float) -> bool:
    """Reads until the observer has reported and ended. Returns whether the time limit had passed."""
    late = False
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for descriptor in streams:
            os.set_blocking(descriptor, False)
            selector.register(descriptor, selectors.EVENT_READ)
        while report in selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            for key, _ in ready:
                if not _read_some(streams[key.fd], key.fd):
                    selector.unregister(key.fd)
            if time.monotonic() < deadline:
                continue
            if late:  # it is stuck: what it waits for cannot be killed
                observer.kill()
            _ask_to_end(observer)
            late, deadline = True, time.monotonic() + CLEARING_SECONDS
        for descriptor in streams.keys() - {report}:  # what the pipes still hold
            while _read_some(streams[descriptor], descriptor):
                pass
    return late


def _ask_to_end(observer: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGCONT):  # the command may have stopped it
        observer.send_signal(number)


def _read_some(stream: _Stream, descriptor: int) -> bool:
    """Whether there was anything to read; false at the end, and where nothing is there now."""
    try:
        data = os.read(descriptor, AT_ONCE)
    except BlockingIOError:
        return False
    stream.add(data)
    return bool(data)


def _stop(observer: subprocess.Popen[bytes]) -> None:
    """Lets it kill all processes of the command, if it still runs."""
    if observer.poll() is None:
        _ask_to_end(observer)
        try:
            observer.wait(CLEARING_SECONDS)
        except subprocess.TimeoutExpired:
            observer.kill()
            observer.wait()


def _read_report(
    text: str,
    stdout: Output,
    stderr: Output,
    before: interference.Snapshot,
    after: interference.Snapshot,
    limit: float | None,
) -> Observation:
    if text.startswith("refused="):
        raise UnitFailed(f"it cannot be started: {one_line(text.partition('=')[2])}")
    try:
        figures = {key: int(value) for key, _, value in (pair.partition("=") for pair in text.split())}
        cpu_us = figures["user_us"] + figures["system_us"]
        used = _usage(figures)
        return Observation(
            exit_code=os.waitstatus_to_exitcode(figures["status"]),
            cpu=cpu_us / 1e6,
            wall=figures["wall_ns"] / 1e9,
            peak_resident=figures["peak_kib"] * 1024,
            page_faults=figures["minor_faults"] + figures["major_faults"],
            major_faults=figures["major_faults"],
            stdout=stdout,
            stderr=stderr,
            process=figures["process"],
            left_behind=figures["left_behind"],
            timed_out=limit if figures["killed"] else None,
            unkillable=not figures["cleared"],
            disturbance=interference.interference_between(before, after, used, figures["stopped_ns"] / 1e9),
        )
    except (KeyError, ValueError):
        raise UnitFailed(f"what observes it ended without a report{f' within {limit:g} s' if limit else ''}: does it kill its parent?") from None


def _usage(figures: Mapping[str, int]) -> resource.struct_rusage:
    """As os.wait4 gives it: user and system time, peak, ..., minor and major faults, ..., switches."""
    values = [figures["user_us"] / 1e6, figures["system_us"] / 1e6, figures["peak_kib"], 0, 0, 0]
    values += [figures["minor_faults"], figures["major_faults"], 0, 0, 0, 0, 0, 0, 0, figures["switches"]]
    return resource.struct_rusage(values)


def without_output(observation: Observation) -> Observation:
    """The same, for keeping many: without the kept beginnings."""
    return replace(
        observation, stdout=replace(observation.stdout, start=b""), stderr=replace(observation.stderr, start=b"")
    )


def parse_probe(lines: str) -> Iterator[tuple[int, str, str, str]]:
    """The process, the file of its malloc, its program's file and name, for each process that the probe was loaded into."""
    for line in lines.split("\n"):  # names of programs may hold what splitlines takes for an end
        process, *texts = line.split("\t")
        if len(texts) == 3 and process.isdigit():
            yield int(process), texts[0], texts[1], one_line(texts[2])
