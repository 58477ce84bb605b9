"""scripts/duet: is the new side worse? Two builds, revisions or mallocs, measured in turn on this machine."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import math
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from suite.base.cli import REFUSED, ROOT, SUCCESS, OneLineParser, answer, bar, console_for_progress, console_for_results
from suite.base.errors import BadInput
from suite.commands.compare import share, write_comparison
from suite.gate import formats, paired_run, sides as contestants
from suite.gate.calibration import calibrate, thresholds_over
from suite.gate.comparison import Comparison
from suite.gate.controls import controls_among
from suite.gate.pairs_file import RecordedPairs, read_calibration, read_pairs, write_calibration, write_pairs
from suite.gate.sequential_test import PAIRS, THRESHOLD, Rule
from suite.gate.sides import SideOptions
from suite.history.store import MACHINE_FACTS
from suite.runner import build as building, scheduler
from suite.runner.program import Catalogue, ask

PROGRAM = "scripts/duet"
FEWEST_PAIRS, MOST_PAIRS, MOST_LAYOUTS = 10, 200, 50
SECONDS = 0.05  # of measuring in each process; its start takes about a hundredth of one

_CORE_LINES = "\n  ".join(paired_run.CORE).replace("%", "%%")
EPILOG = f"""\
Each pair is two fresh processes of one benchmark, old next to new, in random order. A benchmark is decided by
{PAIRS // 2}, {PAIRS * 3 // 4} or {PAIRS} pairs, where the machine is noisy by {2 * PAIRS}; what seems worse must show
again in as many fresh ones.
The time is that of the processor where one thread does the work, so that others at work here hardly move it, and that
on the wall where several do; of each process the median of {paired_run.REPETITIONS} repetitions counts.
worse: evidence, and a change over the threshold; better: likewise; same: the change is shown to be under the threshold;
undecided: neither, and no pass.

By default a core set is compared, across the chapters; these are its expressions:
  {_CORE_LINES}

With --allocator it is those of the core set that take memory from a malloc.

Exit codes: 0 nothing worse, 1 something worse, 2 bad input, or cannot judge. Interrupted (Ctrl-C), it judges the pairs
made until then.
"""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Tells whether the new side is worse: two builds (folders or programs), two git revisions, or two\n"
        "mallocs, measured in turn on this machine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("builds", metavar="BUILD", nargs="*", help="the old and the new: build folders, or the programs themselves")
    add("--rev", metavar="REV", action="append", default=[], help="a git revision; twice: the old, then the new")
    add(
        "--allocator",
        metavar="LABEL=FILE[,PREFIX]",
        type=_library,
        action="append",
        default=[],
        help="a malloc library; twice: the old, then the new. PREFIX stands before malloc and free in it",
    )
    add("--only", metavar="REGEX", help="compare the benchmarks whose name matches, instead of the core set")
    add("--profile", choices=list(scheduler.PROCESSES), default="quick", help="whose arguments; default: quick")
    add("--threshold", metavar="[REGEX=]SHARE", type=_threshold, action="append", default=[],
        help=f"the smallest change that matters, for all or for what matches; default: {THRESHOLD:.0%}%, over the "
        "floor of a calibrated benchmark; the last that matches counts")  # fmt: skip
    add("--pairs", metavar="N", type=_whole(FEWEST_PAIRS, MOST_PAIRS), default=PAIRS,
        help=f"pairs of a benchmark, and twice as many where the noise wants them; to confirm, as many again; "
        f"default: {PAIRS}")  # fmt: skip
    add("--budget", metavar="SECONDS", type=_positive, default=math.inf, help="measure no longer than this")
    add("--seconds", metavar="S", type=_positive, default=SECONDS, help=f"measured in each process; default: {SECONDS}")
    add("--layouts", metavar="N", type=_whole(2, MOST_LAYOUTS), default=1,
        help="link each side N times, its code at other addresses, and draw one for each process")  # fmt: skip
    add("--calibrate", action="store_true", help="measure the old side against itself: how far does nothing move here?")
    add("--floors", metavar="FILE", type=Path, help="of a calibration; default: this machine's, in results/calibration")
    add("--judge", metavar="PAIRS.json", type=Path, help="judge recorded pairs again; measures nothing")
    add("--out", metavar="FILE", type=Path, help="record the pairs here; default: results/<time>-duet/pairs.json")
    add("--format", choices=list(formats.FORMS), default="text", help="of what is printed; default: text")
    add("--strict", action="store_true", help="exit 2 also where something is undecided")
    add("--allow-missing", action="store_true", help="a benchmark that one side lacks is a warning")
    add(
        "--seed",
        metavar="N",
        type=_whole(0, 2**32 - 1),
        help="of the orders and layouts; default: drawn, and printed",
    )
    add("--build", metavar="PRESET", default="release", help="for --rev and --allocator, the preset; default: release")
    return parser.parse_args(arguments)


def _library(text: str) -> tuple[str, str]:
    label, equals, file = text.partition("=")
    if not label or not equals or not file:
        raise argparse.ArgumentTypeError(f"{text!r} is not LABEL=FILE[,PREFIX]")
    return label, file


def _threshold(text: str) -> tuple[str, float]:
    expression, _, smallest = text.rpartition("=")
    try:
        re.compile(expression)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{expression!r} is no regular expression ({error})") from None
    return expression, share(smallest)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def whole_number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text[:12]) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return int(text)

    return whole_number


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds")
    return value


def main(arguments: Sequence[str] | None = None, root: Path = ROOT, build: contestants.Builder | None = None) -> int:
    options = parse(arguments)
    return answer(PROGRAM, lambda: _duet(options, root, build or building.build))


def _duet(options: argparse.Namespace, root: Path, build: contestants.Builder) -> int:
    _check(options)
    status = console_for_progress()
    if options.judge:
        recorded = read_pairs(options.judge)
        floors = read_calibration(options.floors).floors if options.floors else {}
        rule = _rule(options, recorded.pairs, floors)
        return _tell(paired_run.verdict(recorded, rule), options)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        of_sides = SideOptions(options.profile, options.seconds, options.layouts, seed)
        sides = stack.enter_context(_sides(options, root, build, of_sides, folder, status))
        catalogues = [ask(side.builds[0]) for side in (sides.old, sides.new)]
        strategy = contestants.MALLOC if options.allocator else None
        names, missing = paired_run.select(catalogues[0], catalogues[1], options.only, strategy)
        if missing and not options.allow_missing:
            raise BadInput(f"not on both sides: {_few(missing)} (--allow-missing compares the others)")
        calibration_file = root / "results" / "calibration" / f"{machine_key(catalogues[0])}.json"
        rule = _rule(options, names, {} if options.calibrate else _floors(options, calibration_file, status))
        controls = controls_among(*catalogues)
        plan = paired_run.PairedRun(
            sides.old, sides.new, names, controls, seed, rule, options.budget, to_the_end=options.calibrate
        )
        file = options.out or root / "results" / time.strftime("%Y%m%d-%H%M%S-duet") / "pairs.json"
        file.parent.mkdir(parents=True, exist_ok=True)  # before hours of measuring, not after
        _announce(plan, options, status)
        recorded = _play(plan, status)
    recorded = replace(recorded, warnings=(*recorded.warnings, *(f"left out: {name}" for name in missing)))
    if recorded.pairs:
        write_pairs(file, recorded)
        status.print(f"pairs: {file}", markup=False, soft_wrap=True)
    if options.calibrate:
        return _calibrate(recorded, rule, options.floors or calibration_file)
    return _tell(paired_run.verdict(recorded, rule, names), options)


def _check(options: argparse.Namespace) -> None:
    inputs = [values for values in (options.builds, options.rev, options.allocator, options.judge) if values]
    if len(inputs) != 1:
        raise BadInput("give either two builds, or --rev twice, or --allocator twice, or --judge (see --help)")
    wanted = 1 if options.calibrate else 2
    if not options.judge and len(inputs[0]) != wanted:
        sides = "one side: it is compared with itself" if options.calibrate else "two sides, the old and the new"
        raise BadInput(f"give {sides}; {len(inputs[0])} given")
    if options.layouts > 1 and options.allocator:
        raise BadInput("--layouts is for builds and revisions: two mallocs share one program")
    if options.judge and options.calibrate:
        raise BadInput("--calibrate measures, --judge does not")


# ---- the two sides


@dataclass(frozen=True)
class _BothSides:
    old: paired_run.SideBuilds
    new: paired_run.SideBuilds


@contextlib.contextmanager
def _sides(
    options: argparse.Namespace,
    root: Path,
    build: contestants.Builder,
    side_options: SideOptions,
    folder: Path,
    status: Console,
) -> Iterator[_BothSides]:
    with contextlib.ExitStack() as stack:
        if options.rev:
            commits = [contestants.commit_of(label, root) for label in options.rev]
            if len(commits) > len(set(commits)):
                raise BadInput(f"{' and '.join(options.rev)} are the same commit, {commits[0]}")
            sides = [
                stack.enter_context(
                    contestants.of_revision(label, root, options.build, build, side_options, folder, status)
                )
                for label in options.rev
            ]
        elif options.allocator:
            executable = build(root, options.build, status)
            sides = [contestants.of_malloc(label, file, executable, side_options) for label, file in options.allocator]
        else:
            sides = [contestants.of_build(label, side_options, folder, status) for label in options.builds]
        yield _BothSides(sides[0], sides[-1])


def machine_key(catalogue: Catalogue) -> str:
    """The same for the same kind of machine, whatever its clock does or its host is called."""
    facts = {key: catalogue.context[key] for key in MACHINE_FACTS if key in catalogue.context}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


# ---- thresholds and floors


def _floors(options: argparse.Namespace, default_file: Path, status: Console) -> Mapping[str, float]:
    file = options.floors or default_file
    if not options.floors and not default_file.exists():
        return {}
    floors = read_calibration(file).floors
    status.print(f"floors: {file}", markup=False, soft_wrap=True)
    return floors


def _rule(options: argparse.Namespace, names: Collection[str], floors: Mapping[str, float]) -> Rule:
    """Raises BadInput for a threshold below a benchmark's floor: what nothing does cannot fail something."""
    default = Rule(pairs=options.pairs)
    thresholds = dict(thresholds_over(floors, default))
    for key in {*names, *floors}:
        shares = [share for expression, share in options.threshold if re.search(expression, key)]
        if shares:
            thresholds[key] = shares[-1]
        floor = floors.get(key, 0.0)
        if shares and shares[-1] < floor and key.partition(" ")[0] in names:
            raise BadInput(f"the threshold of {key}, {shares[-1]:.2%}, is below its floor on this machine, {floor:.2%}")
    return replace(default, thresholds=thresholds, floors=floors)


# ---- measuring


def _announce(plan: paired_run.PairedRun, options: argparse.Namespace, status: Console) -> None:
    turns = len(plan.names) + len(plan.controls)
    rule = plan.rule
    first, last = (rule.pairs, rule.pairs) if plan.to_the_end else (rule.interim_analyses[0], rule.most_pairs)
    seconds = turns * first * 2 * 2 * options.seconds  # as long again to set up and find the number of iterations
    bound = f", at most {options.budget:.0f} s" if options.budget < math.inf else ""
    to_first = "for all pairs" if plan.to_the_end else "to the first look"
    status.print(
        f"duet: {plan.old.side.label} and {plan.new.side.label}, {options.profile}: benchmarks "
        f"{len(plan.names)}, controls {len(plan.controls)}, pairs of each {first} to {last}, "
        f"seed {plan.seed}; about {_minutes(seconds)} {to_first}{bound}",
        markup=False,
        soft_wrap=True,
    )


def _minutes(seconds: float) -> str:
    return f"{math.ceil(seconds)} s" if seconds < 90 else f"{round(seconds / 60)} min"


def _play(plan: paired_run.PairedRun, status: Console) -> RecordedPairs:
    with bar(status) as progress_bar:
        task = progress_bar.add_task("", total=None, left="")

        def show(progress: paired_run.Progress) -> None:
            decided = ", ".join(f"{number} {verdict}" for verdict, number in sorted(progress.verdicts.items()))
            progress_bar.update(
                task,
                description=f"{decided + '; ' if decided else ''}{progress.open} open",
                completed=progress.pairs,
                total=progress.pairs + progress.pairs_left,
                left=""
                if progress.seconds_left is None
                else f"about {_minutes(progress.seconds_left)} to the next look",
            )

        return paired_run.play(plan, show)


# ---- telling


def _tell(comparison: Comparison, options: argparse.Namespace) -> int:
    write_comparison(comparison, options.format, None, options.strict)
    return comparison.exit_code(options.strict)


def _calibrate(recorded: RecordedPairs, rule: Rule, file: Path) -> int:
    console = console_for_results()
    if not recorded.pairs:
        for problem in recorded.problems:
            console.print(problem, markup=False, soft_wrap=True)
        return REFUSED
    calibration = calibrate(recorded, rule)
    table = Table("benchmark", "floor", "threshold by default", title=f"{recorded.old.label} against itself")
    for name, floor in sorted(calibration.floors.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{floor:.2%}", f"{floor + THRESHOLD:.2%}")
    console.print(table)
    least = "none that was tried" if calibration.least_found is None else f"{calibration.least_found:.1%}"
    lines = [
        f"comparisons of this side with itself that fail: {calibration.false_alarms} of {calibration.simulated}, resampled",
        f"the smallest slowdown of one benchmark that is found nine times in ten, resampled: {least}",
        *recorded.problems,
        *recorded.warnings,
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_calibration(file, calibration)
    for line in (*lines, f"floors: {file}"):
        console.print(line, markup=False, soft_wrap=True)
    return REFUSED if recorded.problems else SUCCESS


def _few(sentences: Sequence[str], most: int = 3) -> str:
    return "; ".join(sentences[:most]) + (f"; and {len(sentences) - most} more" if len(sentences) > most else "")


if __name__ == "__main__":
    sys.exit(main())
