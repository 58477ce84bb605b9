"""scripts/run: builds, measures, draws, and prints the findings."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from suite import claims
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
    time_left,
    try_default,
    whole,
)
from suite.base.errors import BadInput, UnitFailed
from suite.base.files import own_place, try_folder
from suite.pages import summary
from suite.results.model import Run
from suite.runner import build as building
from suite.runner import doctor, scheduler
from suite.runner.program import Part, Program, ask
from suite.runner.signals import signals_as_interrupts
from suite.stats.looks import looks_after

PROGRAM = "scripts/run"
GO_ON = "scripts/run --resume"

SOME_FAILED = 1
MOST_SECONDS = 100_000

# Without --refine, the rounds and the refinement together measure for at most so long, in seconds; a longer run is not
# refined. One process has no intervals, so there is nothing to decide in a smoke run.
SMOKE = "smoke"
MEASURED_IN_ALL = {SMOKE: 0.0, "quick": 240.0, "full": 3600.0}


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Builds, measures, draws, and prints the findings. Then measures the benchmarks further that the "
        "undecided claims need, until all claims are decided or the time is spent. Results go to "
        "results/<time>-<profile>/.",
        epilog="Exit codes: 0 on success, 1 some processes failed (the other results are kept), 2 bad input or no "
        f"result, 130 interrupted: go on with {GO_ON}.",
    )
    add = parser.add_argument
    add(
        "--profile",
        choices=list(scheduler.PROCESSES),
        help="choose the extent: smoke takes seconds, quick (default) minutes, full the longest",
    )
    add("--only", metavar="REGEX", help="measure only benchmarks whose name matches, for example '^scoped/'")
    add(
        "--allocator",
        metavar="NAME=FILE[,PREFIX]",
        action="append",
        default=[],
        help="measure this malloc library too; PREFIX precedes its malloc and free; repeatable",
    )
    add("--label", metavar="NAME", type=label, help="name the run: the label is shown wherever several runs are")
    add("--out", metavar="DIR", type=output_folder, help="write to this folder; results/latest then stays as it is")
    add("--resume", action="store_true", help="go on with results/latest, or --out DIR, where it was interrupted")
    add("--processes", metavar="N", type=whole(1, scheduler.MOST_PROCESSES),
        help="start N processes for each family; default: the profile's number")  # fmt: skip
    add(
        "--refine",
        metavar="SECONDS",
        type=_seconds,
        help="measure so many seconds further to decide the claims that are undecided after all processes; 0: not at "
        "all; default: until the run has measured for "
        + ", ".join(f"{seconds:.0f} s ({profile})" for profile, seconds in MEASURED_IN_ALL.items() if seconds),
    )
    add("--no-figures", action="store_true", help="do not draw figures, and do not write the report")
    add("--build", metavar="PRESET", default="release", help="build and measure this CMake preset; default: release")
    add_yes(parser)
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    return make_parser().parse_args(arguments)


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:9]) > MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds from 0 to {MOST_SECONDS}")
    return int(text)


Builder = Callable[[Path, str, Console], Path]


def main(arguments: Sequence[str] | None = None, root: Path = ROOT, build: Builder | None = None) -> int:
    options = parse(arguments)
    return answer(PROGRAM, lambda: _interruptible(options, root, build or building.build))


def _interruptible(options: argparse.Namespace, root: Path, build: Builder) -> int:
    with signals_as_interrupts():  # before and after measuring as well
        return _run(options, root, build, console_for_progress())


def _run(options: argparse.Namespace, root: Path, build: Builder, status: Console) -> int:
    if options.resume:
        scheduler.read_plan(_folder_to_resume(options, root))  # before the build: is there anything to resume?
    elif not options.out:
        try_default(root / "results", try_folder, "--out")
    executable = build(root, options.build, status)
    plan, folder = _resumed(options, root, executable) if options.resume else _begun(options, root, executable)
    for line in plan.catalogue.unavailable:
        status.print(f"not available: {line}")
    _announce(plan, folder, status)
    link = None if options.out else root / "results" / "latest"
    try:
        with _reporting(plan, status, lambda: _point(link, folder)) as reporter:
            run = scheduler.measure(plan, folder, reporter, refinement=_refinement(options, plan))
    except KeyboardInterrupt:
        print(_how_to_go_on(folder, options), file=sys.stderr)
        return INTERRUPTED
    if not run.series():
        raise UnitFailed(f"no benchmark gave a result: {run.failed[0].reason}; see {run.path}")
    smoke = plan.program.profile == SMOKE
    if not smoke:
        _print_findings(run)
        _print_claim_counts(run, options.out)
    if not options.no_figures and (page := draw(run)) is not None:
        print(f"report: {page}")
    if smoke:
        _print_whether_all_works(run, plan)
    return SOME_FAILED if run.failed else SUCCESS


# ---- the plan and its folder


def _begun(options: argparse.Namespace, root: Path, executable: Path) -> tuple[scheduler.Plan, Path]:
    profile = options.profile or "quick"
    program = Program(executable, profile, options.only, tuple(options.allocator))
    processes = options.processes or scheduler.PROCESSES[profile]
    catalogue = ask(program)
    refined = MEASURED_IN_ALL[profile] if options.refine is None else options.refine
    looks = looks_after(processes) if refined else ()
    order_seed, fitness = secrets.randbits(32), doctor.fitness(catalogue)
    plan = scheduler.Plan(program, catalogue, processes, order_seed, fitness, looks, options.label)
    folder = options.out or root / "results" / time.strftime(f"%Y%m%d-%H%M%S-{profile}")
    plan.write(folder)
    return plan, folder


def _resumed(options: argparse.Namespace, root: Path, executable: Path) -> tuple[scheduler.Plan, Path]:
    folder = _folder_to_resume(options, root)
    earlier = scheduler.read_plan(folder)
    only = earlier.only if options.only is None else options.only
    program = Program(
        executable, options.profile or earlier.profile, only, tuple(options.allocator) or earlier.allocators
    )
    catalogue = ask(program)
    processes = options.processes or earlier.processes
    plan = scheduler.Plan(
        program, catalogue, processes, earlier.order_seed, doctor.fitness(catalogue), earlier.looks,
        options.label or earlier.label,
    )  # fmt: skip
    changed = earlier.differences(plan.record())
    if changed:
        raise BadInput(f"{folder} cannot be resumed: changed since its start: {', '.join(changed)}")
    if options.refine and not plan.looks:
        raise BadInput(
            f"--refine {options.refine}: {folder} was begun without refinement, and its verdicts need all it measured; "
            "accepted: --refine 0, or a new run"
        )
    return plan, folder


def _refinement(options: argparse.Namespace, plan: scheduler.Plan) -> scheduler.Refinement:
    def seconds(measured: float) -> float:
        in_all = MEASURED_IN_ALL[plan.program.profile]
        return max(0.0, in_all - measured) if options.refine is None else float(options.refine)

    return scheduler.Refinement(_open_claims, seconds)


def _open_claims(run: Run) -> Mapping[str, Sequence[str]]:
    """The claims that more processes of some benchmarks would decide, in a few words, and these benchmarks: first the
    undecided claims, and of these the claims that need the fewest benchmarks."""
    needy = [claim for claim in claims.verdicts(run) if claim.needs]
    needy.sort(key=lambda claim: (claim.verdict != claims.UNDECIDED, len(claim.needs)))
    return {claim.short: claim.needs for claim in needy}


def _folder_to_resume(options: argparse.Namespace, root: Path) -> Path:
    folder: Path = options.out or root / "results" / "latest"
    if not folder.is_dir():
        raise BadInput(f"--resume needs an interrupted run: {folder} does not exist")
    return folder.resolve()


def _point(link: Path | None, folder: Path) -> None:
    """results/latest in one step, so that it never points nowhere."""
    if link is None or link.is_symlink() and link.resolve() == folder.resolve():
        return
    fresh = link.with_name(f".latest.{os.getpid()}.tmp")  # another run may point there at the same time
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder.name)
    fresh.replace(link)


def _how_to_go_on(folder: Path, options: argparse.Namespace) -> str:
    if not (folder / scheduler.RUN_FILE).exists():
        return "scripts/run: interrupted before a process had finished"
    folder_option = f" --out {options.out}" if options.out else ""
    build_option = f" --build {options.build}" if options.build != "release" else ""
    return (
        f"scripts/run: interrupted; the results so far are in {folder}: go on with {GO_ON}{folder_option}{build_option}"
    )


# ---- progress


def _announce(plan: scheduler.Plan, folder: Path, status: Console) -> None:
    catalogue = plan.catalogue
    status.print(
        f"measuring, {plan.program.profile}: benchmarks {len(catalogue.benchmarks)}, "
        f"families {len(catalogue.families)}, parts {len(catalogue.parts)}, processes for each {plan.processes}, "
        f"order seed {plan.order_seed}, into {folder}",
        soft_wrap=True,
    )
    revision = str(catalogue.context.get("revision", ""))
    if revision.startswith("unknown: "):
        status.print(f"revision {revision}; {PROGRAM} --version says more", soft_wrap=True)


class _Reporter:
    """Shows a bar on a terminal, else a line a round; and a line for every failure and every look at the claims."""

    def __init__(self, plan: scheduler.Plan, status: Console, bar: Progress, on_success: Callable[[], None]) -> None:
        self.status, self.bar, self.on_success = status, bar, on_success
        self.planned, self.processes, self.total = plan.processes, plan.processes, plan.processes * len(plan.catalogue.parts)
        self.task = bar.add_task("", total=self.total, left="")

    def begins(self, part: Part, process: int, done: int, seconds_left: float | None) -> None:
        description = f"{self._round(process)}: {part.chapter}, {part.family}"
        self.bar.update(
            self.task, description=description, completed=done, total=max(done + 1, self.total), left=time_left(seconds_left)
        )

    def ends(self, part: Part, process: int, problem: str) -> None:
        if problem:
            self.status.print(f"failed: {part.family}, process {process}: {problem}", soft_wrap=True)
        else:
            self.on_success()

    def round_ends(self, process: int, disturbed: int, seconds_left: float | None) -> None:
        if not self.status.is_terminal:
            left = time_left(seconds_left)
            marked = f", {disturbed} disturbed" if disturbed else ""
            done = f"{self._round(process)} done{marked}{', ' + left if left else ''}"
            self.status.print(done)

    def looked(self, questions: Sequence[str], benchmarks: int, processes: int) -> None:
        self.processes = processes
        self.status.print(
            f"undecided: {'; '.join(questions)}: measuring {benchmarks} benchmarks in up to {processes} processes",
            soft_wrap=True,
        )

    def _round(self, process: int) -> str:
        return f"{'refinement, process' if process >= self.planned else 'round'} {process + 1} of {self.processes}"


@contextlib.contextmanager
def _reporting(plan: scheduler.Plan, status: Console, on_success: Callable[[], None]) -> Iterator[_Reporter]:
    with bar(status) as progress_bar:
        yield _Reporter(plan, status, progress_bar, on_success)


# ---- results


def _print_findings(run: Run) -> None:
    console = console_for_results()
    for table in (*summary.as_tables(summary.findings(run)), summary.poster_table(run)):
        if table is not None:
            console.print(table)
            console.print()
    for line in summary.caveats(run):
        console.print(line, soft_wrap=True)
    console.print(f"results: {run.path}", soft_wrap=True)


def _print_claim_counts(run: Run, out: Path | None) -> None:
    judged = claims.verdicts(run)
    if any(claim.verdict not in claims.OPEN for claim in judged):
        print(f"{claims.counted(judged)}: scripts/claims{f' {out}' if out else ''} says why")


def _print_whether_all_works(run: Run, plan: scheduler.Plan) -> None:
    """The end of a smoke run: its times are those of single, very short measurements, so they are not shown."""
    for line in summary.missing(run):
        print(line)
    print(f"results: {run.path}")
    planned = plan.catalogue.benchmarks
    failed = len(set(planned) - {benchmark.name.text for benchmark in run.series()})
    verdict, then = ("not everything works", "") if run.failed else ("everything works", f"; run {PROGRAM} for numbers")
    print(f"{verdict}: {len(planned):,} benchmarks, {failed:,} failed{then}")


def draw(run: Run) -> Path | None:
    """Writes charts and page beside the result, and returns the page. Without the drawing libraries, the result is kept all
    the same."""
    folder = run.path.parent
    try:
        charts, report = (importlib.import_module(f"suite.{name}") for name in ("charts", "pages.report"))
    except ImportError as missing:
        print(f"figures and report: not made ({missing})")
        return None
    files = charts.draw_all(run, own_place(folder / "figures"))
    print(f"figures: {len(files)} in {folder / 'figures'}")
    page: Path = report.write(report.make([run]), own_place(folder / "report.html"))
    return page


if __name__ == "__main__":
    sys.exit(main())
