"""scripts/program: what does memory cost in the user's own program?"""

from __future__ import annotations

import argparse
import contextlib
import secrets
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from suite.base.cli import (
    INTERRUPTED,
    ROOT,
    SUCCESS,
    OneLineParser,
    add_yes,
    answer,
    bar,
    console_for_progress,
    console_for_results,
    label,
    output_folder,
    threshold,
    time_left,
    try_default,
    whole,
)
from suite.base.errors import BadInput, UnitFailed
from suite.base.files import own_place, try_folder
from suite.base.text import first_line, with_its_file
from suite.commands.run import draw
from suite.pages import own_program, summary
from suite.program import executable, mallocs, pairs, recording, result
from suite.program.command import TARGETS, Command, Tools
from suite.program.recording import Recorded
from suite.results.model import Document
from suite.results.read import RUN_FILES, read_program_output, read_run
from suite.runner import build as building
from suite.runner import doctor, scheduler
from suite.runner.program import Catalogue, Part, Program, ask, describe_recording
from suite.runner.signals import signals_as_interrupts

PROGRAM = "scripts/program"
REPLAYS = "^replay(_memory)?/"
PROFILE = "quick"
SECONDS_BETWEEN_LINES = 10.0  # of progress, where the output is not a terminal
NOT_WHOLE = 1  # the exit code where a part of the answer is missing

BUDGET = 160  # seconds: the whole command then takes under three minutes, once the suite is built
MOST_SECONDS = 100_000
LEAST_SHARE = 0.4  # of the budget: for the runs of the program, however long the replay takes
# What the replay takes for each call of the recording and for each benchmark, in all of its processes together, in seconds.
REPLAY_PER_CALL, REPLAY_PER_BENCHMARK = 8.5e-6, 0.3
REPLAY_SHARE = 0.35  # of the budget, where the program runs too
LEAST_REPLAYED = 200_000  # calls, however small the budget


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        usage="%(prog)s [options] -- COMMAND [ARGUMENT...]\n       %(prog)s [options] --recording FILE",
        description="Measures what memory costs in your own program: whether another malloc makes it faster or smaller, "
        "what its calls of malloc and free cost with each malloc, and what a stack or an arena would save. Results go to "
        "results/<time>-program/.",
        epilog="Exit codes: 0 on success, 1 a part of the answer is missing (the reason is printed, the rest is kept), 2 bad "
        "input or nothing was measured, 130 interrupted.",
    )
    add = parser.add_argument
    add("command", metavar="COMMAND", nargs="*", help="measure this program with these arguments; write -- before it")
    add("--stdin", metavar="FILE", type=Path, help="give this file to the program as its input, anew in each run; default: no input")
    add("--setup", metavar="COMMAND", help="run this shell command before each run, untimed")
    add("--timeout", metavar="SECONDS", type=whole(1, MOST_SECONDS), help="end a run that takes longer; default: the budget")
    add("--any-output", action="store_true", help="compare mallocs even where the program prints something else in each run")
    add("--pairs", metavar="N", type=whole(1, pairs.MOST_PAIRS),
        help="measure exactly so many pairs of runs for each malloc; default: until each malloc is decided or the budget spent")  # fmt: skip
    add("--budget", metavar="SECONDS", type=whole(1, MOST_SECONDS), default=BUDGET,
        help=f"measure for about this time in all; default: {BUDGET}")  # fmt: skip
    add("--threshold", metavar="SHARE", type=threshold, default=pairs.THRESHOLD,
        help=f"set the smallest change of CPU time that matters, as 2%% or 0.02; default: {pairs.THRESHOLD:.0%}%")  # fmt: skip
    add("--most", metavar="EVENTS", type=whole(1, 10**9), default=recording.MOST_EVENTS,
        help=f"record at most so many calls of each process; default: {recording.MOST_EVENTS:,}")  # fmt: skip
    add("--recording", metavar="FILE", type=Path, help="replay this recording; the program is not run")
    add("--allocator", metavar="NAME=FILE[,PREFIX]", action="append", default=[],
        help="measure this malloc library too; PREFIX precedes its malloc and free; repeatable")  # fmt: skip
    add("--label", metavar="NAME", type=label, help="name the run: the label is shown wherever several runs are")
    add("--out", metavar="DIR", type=output_folder, help="write to this folder; default: results/<time>-program")
    add("--no-figures", action="store_true", help="do not draw figures, and do not write the report")
    add("--build", metavar="PRESET", default="release", help="build and measure this CMake preset; default: release")
    add_yes(parser)
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser()
    options = parser.parse_args(arguments)
    if bool(options.command) == (options.recording is not None):
        parser.error("COMMAND or --recording FILE is needed, not both: for example scripts/program -- ls -l")
    return options


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    options = parse(arguments)
    return answer(PROGRAM, lambda: _interruptible(options, root))


def _interruptible(options: argparse.Namespace, root: Path) -> int:
    with signals_as_interrupts():
        return _run(options, root, console_for_progress())


def _run(options: argparse.Namespace, root: Path, status: Console) -> int:
    found = executable.find(options.command[0]) if options.command else None  # before the build, which may take minutes
    for option, file in (("--stdin", options.stdin), ("--recording", options.recording)):
        if file is not None:
            _check_readable(option, file)
    results = options.out or try_default(root / "results", try_folder, "--out")
    built = building.build(root, options.build, status, beside=TARGETS)
    program = Program(built, PROFILE, REPLAYS, tuple(options.allocator))
    catalogue = ask(program)  # before the command runs: is there a wrong malloc among the options?
    recorded = None
    if options.recording is not None:
        recorded = Recorded((options.recording,), describe_recording(built, options.recording))
    folder = options.out or results / time.strftime("%Y%m%d-%H%M%S-program")
    _begin(folder)
    measuring = _Measuring(options, program, catalogue, Tools.beside(built), folder, status, recorded)
    if found is not None:
        measuring.run_and_record(found)
    else:
        measuring.ask_for_replays()
    measuring.replay()
    return measuring.tell()


def _check_readable(option: str, file: Path) -> None:
    try:
        with open(file, "rb"):
            pass
    except OSError as problem:
        raise BadInput(f"{option} {file} cannot be read ({first_line(problem)}); accepted: a file") from None


def _begin(folder: Path) -> None:
    """Raises BadInput where the folder has a run, OSError where it cannot be made."""
    if any((folder / name).exists() for name in RUN_FILES):
        raise BadInput(f"--out {folder} already contains a run; accepted: another folder")
    folder.mkdir(parents=True, exist_ok=True)


@dataclass
class _Measuring:
    """The parts of the answer, as far as they are measured."""

    options: argparse.Namespace
    program: Program
    catalogue: Catalogue
    tools: Tools
    folder: Path
    status: Console
    recorded: Recorded | None = None
    measured: pairs.Measured | None = None
    replayed: Document | None = None
    interrupted: bool = False

    def __post_init__(self) -> None:
        self.begun = time.monotonic()

    # ---- the parts

    def run_and_record(self, found: executable.Executable) -> None:
        options = self.options
        command = Command(tuple(options.command), options.stdin, options.setup, float(options.timeout or options.budget))
        self.status.print(f"recording {command.text}", soft_wrap=True)
        try:
            self.recorded = recording.record(command, found, self.tools, self.folder, options.most)
        except KeyboardInterrupt:
            self.interrupted = True
            return
        except UnitFailed:
            self.clear()
            raise
        self.ask_for_replays()
        if self.recorded.hung:  # it would again
            return
        left = options.budget - (time.monotonic() - self.begun)
        plan = pairs.Plan(
            command, found, mallocs.deployments(self.catalogue), secrets.randbits(32),
            max(LEAST_SHARE * options.budget, left - self.seconds_of_replay()), options.pairs, options.any_output, options.threshold,
        )  # fmt: skip
        with bar(self.status) as shown:
            self.measured = pairs.measure(plan, self.tools, _Runs(self.status, shown, command.name))
        self.interrupted = self.measured.interrupted

    def ask_for_replays(self) -> None:
        """Takes the program's list with the replays of the recording, where there is one that can be replayed."""
        if self.recorded is None or self.recorded.file is None:
            return
        name = recording.name_of(self.recorded.profile, "program")
        calls, most = int(self.recorded.profile.get("events", 0)), self.most_replayed()
        first = (f"--events={most}",) if calls > most else ()
        replaying = replace(self.program, options=(f"--recording={name}={self.recorded.file}", *first))
        try:
            self.catalogue, self.program = ask(replaying), replaying
        except BadInput as problem:
            self.recorded = replace(self.recorded, problem=f"it cannot be replayed: {problem}")
            return
        if first:
            note = f"the replay makes the first {most:,} of {calls:,} calls; what all of them cost is taken from these"
            self.recorded = replace(self.recorded, notes=(*self.recorded.notes, note))

    def most_replayed(self) -> int:
        """How many calls of the recording are replayed, so that the budget suffices."""
        seconds: float = (REPLAY_SHARE if self.options.command else 1.0) * self.options.budget
        recordings = {name.rpartition("/recording:")[2] for name in self.catalogue.benchmarks}  # each has the same benchmarks
        for_benchmarks = REPLAY_PER_BENCHMARK * len(self.catalogue.benchmarks) / len(recordings)
        return max(LEAST_REPLAYED, round((seconds - for_benchmarks) / REPLAY_PER_CALL))

    def seconds_of_replay(self) -> float:
        if self.recorded is None or not self.recorded.is_replayable:
            return 0.0
        calls = min(int(self.recorded.profile.get("events", 0)), self.most_replayed())
        return REPLAY_PER_BENCHMARK * len(self.catalogue.benchmarks) + REPLAY_PER_CALL * calls

    def replay(self) -> None:
        if self.interrupted or self.recorded is None or not self.recorded.is_replayable:
            return
        processes = scheduler.PROCESSES[PROFILE]
        plan = scheduler.Plan(
            self.program, self.catalogue, processes, secrets.randbits(32), doctor.fitness(self.catalogue)
        )
        parts = self.folder / "replay"
        try:
            plan.write(own_place(parts))
            with bar(self.status) as shown:
                scheduler.measure(plan, parts, _Replays(plan, self.status, shown))
        except KeyboardInterrupt:
            self.interrupted = True
        except (UnitFailed, OSError) as problem:  # such as a full disk: what the runs showed is kept
            reason = with_its_file(problem) if isinstance(problem, OSError) else first_line(problem)
            self.recorded = replace(self.recorded, problem=f"it could not be replayed: {reason}")
        with contextlib.suppress(BadInput):  # no process had ended
            self.replayed = read_program_output(parts / RUN_FILES[0])
        shutil.rmtree(parts, ignore_errors=True)

    # ---- the answer

    def tell(self) -> int:
        file = result.write(self.folder, self.catalogue, self.replayed, self.measured, self.recorded, self.options.label)
        if file is None:
            self.clear()
            if self.interrupted:
                print(f"{PROGRAM}: interrupted before anything was measured", file=sys.stderr)
                return INTERRUPTED
            raise UnitFailed(self.why_nothing())
        run = read_run(file)
        answered = own_program.answer(run)
        assert answered is not None
        console = console_for_results()
        for sentence in answered.sentences:
            console.print(sentence, soft_wrap=True)
        if answered.profile is not None:
            console.print()
            console.print(own_program.profile_table(answered.profile))
        if answered.mallocs:
            console.print()
            console.print(own_program.as_table(answered))
            console.print(own_program.ABOUT_TABLE, soft_wrap=True)
            console.print()
        for line in (*answered.notes, *summary.caveats(run)):
            console.print(line, soft_wrap=True)
        console.print(f"results: {file}", soft_wrap=True)
        if self.interrupted:
            print(f"{PROGRAM}: interrupted; the results so far are in {self.folder}", file=sys.stderr)
            return INTERRUPTED
        if not self.options.no_figures and (page := draw(run)) is not None:
            print(f"report: {page}")
        return SUCCESS if answered.whole else NOT_WHOLE

    def clear(self) -> None:
        """Deletes recordings without a call, and the folder where it is empty."""
        if self.options.recording is None and self.recorded is not None and not self.recorded.is_replayable:
            for file in self.recorded.files:
                file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def why_nothing(self) -> str:
        if self.measured is not None and self.measured.problem:
            return self.measured.problem
        reasons = () if self.recorded is None else (self.recorded.hung, self.recorded.problem)
        return next(filter(None, reasons), "nothing was measured")


# ---- progress


class _Runs:
    """Shows a bar on a terminal, else a line now and then."""

    def __init__(self, status: Console, shown: Progress, name: str) -> None:
        self.status, self.shown, self.name, self.printed = status, shown, name, 0.0
        self.task = shown.add_task("", total=None, left="")

    def __call__(self, progress: pairs.Progress) -> None:
        text = f"running {self.name}, round {progress.round}"
        left = f"at most {round(progress.seconds_left)} s left"
        self.shown.update(self.task, description=f"{text}: {progress.malloc}", completed=progress.runs, left=left)
        now = time.monotonic()
        if not self.status.is_terminal and now - self.printed > SECONDS_BETWEEN_LINES:
            self.status.print(f"{text}, {left}")
            self.printed = now


class _Replays:
    """Shows a bar on a terminal, else a line for each round; and a line for every failure."""

    def __init__(self, plan: scheduler.Plan, status: Console, shown: Progress) -> None:
        self.plan, self.status, self.shown = plan, status, shown
        self.task = shown.add_task("replaying", total=plan.processes * len(plan.catalogue.parts), left="")

    def begins(self, part: Part, process: int, done: int, seconds_left: float | None) -> None:
        description = f"replaying, round {process + 1}: {part.family}"
        self.shown.update(self.task, description=description, completed=done, left=time_left(seconds_left))

    def ends(self, part: Part, process: int, problem: str) -> None:
        if problem:
            self.status.print(f"failed: {part.family}, process {process}: {problem}", soft_wrap=True)

    def round_ends(self, process: int, disturbed: int, seconds_left: float | None) -> None:
        if not self.status.is_terminal:
            self.status.print(f"replaying: round {process + 1} of {self.plan.processes} done")

    def looked(self, questions: Sequence[str], benchmarks: int, processes: int) -> None:
        """A replay is not refined."""


if __name__ == "__main__":
    sys.exit(main())
