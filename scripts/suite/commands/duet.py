"""scripts/duet: is the new side worse? Interleaved A/B comparison of two builds, revisions or mallocs."""

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
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from suite.base.cli import (
    REFUSED,
    ROOT,
    SUCCESS,
    OneLineParser,
    answer,
    bar,
    console_for_progress,
    console_for_results,
    threshold,
    whole,
)
from suite.base.errors import BadInput
from suite.commands.compare import write_comparison
from suite.gate import formats, paired_run, sides
from suite.gate.calibration import calibrate, thresholds_over
from suite.gate.comparison import Comparison
from suite.gate.controls import controls_among
from suite.gate.pairs_file import RecordedPairs, read_calibration, read_pairs, write_calibration, write_pairs
from suite.gate.sequential_test import PAIRS, THRESHOLD, Rule
from suite.gate.sides import SideOptions
from suite.history.store import MACHINE_FACTS
from suite.runner import build as building
from suite.runner import scheduler
from suite.runner.program import Catalogue, ask

PROGRAM = "scripts/duet"
FEWEST_PAIRS, MOST_PAIRS, MOST_LAYOUTS = 10, 200, 50
SECONDS = 0.05  # of measuring in each process; its start takes about a hundredth of one

EPILOG = f"""\
Each pair is two fresh processes of one benchmark, one for each side, in random order. {PAIRS // 2}, {PAIRS * 3 // 4} or
{PAIRS} pairs decide a benchmark, up to {2 * PAIRS} on a noisy machine; a benchmark that seems worse must be worse again
in as many fresh pairs.
Benchmarks with one thread are judged by CPU time, which other programs hardly affect, and benchmarks with several
threads by wall time. The figure of a process is the median of {paired_run.REPETITIONS} repetitions.
Verdicts: worse (evidence, and a change over the threshold), better (likewise), same (the change is shown to be under
the threshold), undecided (neither a change nor its absence is shown). A benchmark with fewer pairs than the first
analysis needs is not judged: that is not a verdict, and the exit code is 2.

By default a core set of all chapters is compared: every family declares its part of the set (`core` in the answer of
stackheap --list=json).

With --allocator, only the benchmarks of the core set that take memory from a malloc are compared.

Exit codes: 0 no benchmark is worse, 1 a benchmark is worse, 2 cannot judge, or bad input. After an interrupt (Ctrl-C),
it judges the pairs measured until then.
"""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Measures two builds (folders or programs), two git revisions, or two mallocs in turn on this\n"
        "machine, and prints whether the new side is worse.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_sides(parser)
    _add_measuring(parser)
    _add_judging(parser)
    return parser.parse_args(arguments)


def _add_sides(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "builds",
        metavar="BUILD",
        nargs="*",
        help="measure the old and the new build: folders or the programs themselves",
    )
    add("--rev", metavar="REV", action="append", default=[],
        help="measure this git revision; give it twice: the old, then the new")  # fmt: skip
    add("--allocator", metavar="LABEL=FILE[,PREFIX]", type=_library, action="append", default=[],
        help="measure this malloc library; give it twice: the old, then the new; PREFIX precedes its malloc and free",
    )  # fmt: skip
    add("--build", metavar="PRESET", default="release",
        help="build this CMake preset, for --rev and --allocator; default: release")  # fmt: skip
    add("--only", metavar="REGEX", help="compare the benchmarks whose name matches, instead of the core set")
    add("--profile", choices=list(scheduler.PROCESSES), default="quick",
        help="choose which profile's arguments to use; default: quick")  # fmt: skip


def _add_measuring(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--pairs", metavar="N", type=whole(FEWEST_PAIRS, MOST_PAIRS), default=PAIRS,
        help="measure this many pairs of a benchmark, twice as many on a noisy machine, and as many again to confirm; "
        f"default: {PAIRS}")  # fmt: skip
    add("--budget", metavar="SECONDS", type=_positive, default=math.inf, help="stop measuring after this time; a third of it is kept for confirming")
    add("--seconds", metavar="S", type=_positive, default=SECONDS,
        help=f"measure this long in each process; default: {SECONDS}")  # fmt: skip
    add("--layouts", metavar="N", type=whole(2, MOST_LAYOUTS), default=1,
        help="link each side N times with its code at other addresses, and draw a layout for each process")  # fmt: skip
    add("--seed", metavar="N", type=whole(0, 2**32 - 1),
        help="seed the orders and layouts; default: a random seed, which is printed")  # fmt: skip
    add(
        "--out", metavar="FILE", type=Path, help="write the pairs to this file; default: results/<time>-duet/pairs.json"
    )
    add("--calibrate", action="store_true", help="compare the old side with itself to measure this machine's noise")


def _add_judging(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--judge", metavar="PAIRS.json", type=Path, help="judge recorded pairs again, without measuring")
    add("--threshold", metavar="[REGEX=]SHARE", type=_threshold, action="append", default=[],
        help="set the smallest change that matters, as 2%% or 0.02, for all benchmarks or for those that match; the last "
        f"that matches counts; default: {THRESHOLD:.0%}%, plus the floor of a calibrated benchmark")  # fmt: skip
    add("--floors", metavar="FILE", type=Path,
        help="use the floors of this calibration; default: this machine's, in results/calibration")  # fmt: skip
    add("--format", choices=list(formats.REPORTERS), default="text", help="choose the output format; default: text")
    add("--strict", action="store_true", help="exit with 2 if a benchmark is undecided")
    add("--allow-missing", action="store_true", help="ignore benchmarks that one side lacks, with a warning")


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
        raise argparse.ArgumentTypeError(f"{expression!r} is not a regular expression ({error})") from None
    return expression, threshold(smallest)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def main(arguments: Sequence[str] | None = None, root: Path = ROOT, build: sides.Builder | None = None) -> int:
    options = parse(arguments)
    return answer(PROGRAM, lambda: _duet(options, root, build or building.build))


def _duet(options: argparse.Namespace, root: Path, build: sides.Builder) -> int:
    _check(options)
    if options.judge:
        return _judge_recorded(options)
    status = console_for_progress()
    seed = secrets.randbits(32) if options.seed is None else options.seed
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        side_options = SideOptions(options.profile, options.seconds, options.layouts, seed)
        both_sides = stack.enter_context(_built_sides(options, root, build, side_options, folder, status))
        catalogues = ask(both_sides.old.builds[0]), ask(both_sides.new.builds[0])
        strategy = sides.MALLOC if options.allocator else None
        names, missing = paired_run.select(*catalogues, options.only, strategy)
        if missing and not options.allow_missing:
            raise BadInput(f"not on both sides: {_few(missing)} (--allow-missing compares the other benchmarks)")
        calibration_file = root / "results" / "calibration" / f"{machine_key(catalogues[0])}.json"
        rule = _rule(options, names, {} if options.calibrate else _floors(options, calibration_file, status))
        plan = paired_run.PairedRun(
            both_sides.old, both_sides.new, names, controls_among(*catalogues), seed, rule, options.budget,
            metrics=paired_run.metrics_for(names, *catalogues), to_the_end=options.calibrate,
        )  # fmt: skip
        file = options.out or root / "results" / time.strftime("%Y%m%d-%H%M%S-duet") / "pairs.json"
        file.parent.mkdir(parents=True, exist_ok=options.out is not None)  # before hours of measuring
        _announce(plan, options, status)
        recorded = _play(plan, status)
    recorded = replace(recorded, warnings=(*recorded.warnings, *(f"left out: {name}" for name in missing)))
    if recorded.pairs:
        write_pairs(file, recorded)
        status.print(f"pairs: {file}", markup=False, soft_wrap=True)
    if options.calibrate:
        return _calibrate(recorded, rule, options.floors or calibration_file)
    return _print_comparison(paired_run.verdict(recorded, rule), options)


def _judge_recorded(options: argparse.Namespace) -> int:
    recorded = read_pairs(options.judge)
    floors = read_calibration(options.floors).floors if options.floors else {}
    return _print_comparison(paired_run.verdict(recorded, _rule(options, recorded.pairs, floors)), options)


def _check(options: argparse.Namespace) -> None:
    inputs = [values for values in (options.builds, options.rev, options.allocator, options.judge) if values]
    if len(inputs) != 1:
        raise BadInput("give either two builds, or --rev twice, or --allocator twice, or --judge once (see --help)")
    wanted = 1 if options.calibrate else 2
    if not options.judge and len(inputs[0]) != wanted:
        needed = "one side, which is compared with itself" if options.calibrate else "two sides, the old and the new"
        raise BadInput(f"give {needed}; {len(inputs[0])} given")
    if options.layouts > 1 and options.allocator:
        raise BadInput("--layouts goes with builds and --rev, not with --allocator: two mallocs share one program")
    if options.judge and options.calibrate:
        raise BadInput("--calibrate measures, so it does not go with --judge")


# ---- the two sides


@dataclass(frozen=True)
class _BothSides:
    old: paired_run.SideBuilds
    new: paired_run.SideBuilds


@contextlib.contextmanager
def _built_sides(
    options: argparse.Namespace,
    root: Path,
    build: sides.Builder,
    side_options: SideOptions,
    folder: Path,
    status: Console,
) -> Iterator[_BothSides]:
    with contextlib.ExitStack() as stack:
        if options.rev:
            commits = [sides.commit_of(label, root) for label in options.rev]
            if len(commits) > len(set(commits)):
                raise BadInput(f"{' and '.join(options.rev)} are the same commit, {commits[0]}")
            built = [
                stack.enter_context(sides.of_revision(label, root, options.build, build, side_options, folder, status))
                for label in options.rev
            ]
        elif options.allocator:
            executable = build(root, options.build, status)
            built = [sides.of_malloc(label, file, executable, side_options) for label, file in options.allocator]
        else:
            built = [sides.of_build(label, side_options, folder, status) for label in options.builds]
        yield _BothSides(built[0], built[-1])


def machine_key(catalogue: Catalogue) -> str:
    """A key that is the same for all machines of a kind, whatever their clocks do and their hosts are called."""
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
    """Raises BadInput for a threshold below a benchmark's floor: noise alone would fail the comparison."""
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
    to_first = "for all pairs" if plan.to_the_end else "to the first analysis"
    status.print(
        f"duet: {plan.old.side.label} and {plan.new.side.label}, {options.profile}: benchmarks "
        f"{len(plan.names)}, controls {len(plan.controls)}, pairs of each {first} to {last}, "
        f"seed {plan.seed}; about {_minutes(seconds)} {to_first}{bound}",
        markup=False,
        soft_wrap=True,
    )


    if (1 - paired_run.CONFIRMING_SHARE) * options.budget < seconds:
        status.print(
            f"--budget {options.budget:g} does not suffice: {to_first} about {_minutes(seconds)} are needed, and a third "
            "of the budget is kept for confirming; a benchmark with too few pairs is not judged, and the exit code is 2",
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
                else f"about {_minutes(progress.seconds_left)} to the next analysis",
            )

        return paired_run.play(plan, show)


# ---- results


def _print_comparison(comparison: Comparison, options: argparse.Namespace) -> int:
    write_comparison(comparison, options.format, None, options.strict)
    return comparison.exit_code(options.strict)


def _calibrate(recorded: RecordedPairs, rule: Rule, file: Path) -> int:
    console = console_for_results()
    needed = rule.interim_analyses[0]
    few = [f"{name}: {len(pairs)} pairs: a floor needs {needed}" for name, pairs in recorded.pairs.items()
           if len(pairs) < needed]  # fmt: skip
    recorded = replace(recorded, problems=(*recorded.problems, *few))
    if few or not recorded.pairs:
        for problem in recorded.problems:
            console.print(problem, markup=False, soft_wrap=True)
        return REFUSED
    calibration = calibrate(recorded, rule)
    table = Table("benchmark", "floor", "threshold by default", title=f"{recorded.old.label} compared with itself")
    for name, floor in sorted(calibration.floors.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{floor:.2%}", f"{floor + THRESHOLD:.2%}")
    console.print(table)
    least = "larger than all that were tried" if calibration.least_found is None else f"{calibration.least_found:.1%}"
    lines = [
        f"comparisons of this side with itself that fail, resampled: {calibration.false_alarms} of "
        f"{calibration.simulated}",
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
