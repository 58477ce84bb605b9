"""scripts/compare: is the new side worse? Measures two builds, revisions, mallocs or settings in turn, or judges two
results as they are."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import math
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from suite.base import foreign
from suite.base.chart_options import THEMES
from suite.base.cli import (
    INTERRUPTED,
    REFUSED,
    ROOT,
    SUCCESS,
    OneLineParser,
    answer,
    bar,
    check_not_read,
    console_for_progress,
    console_for_results,
    expression,
    label,
    output_chart,
    output_file,
    pattern_of,
    threshold,
    try_default,
    whole,
)
from suite.base.errors import BadInput
from suite.base.files import try_file, try_folder, write_whole
from suite.base.near_misses import in_expression
from suite.base.text import first_line
from suite.gate import formats, paired_run, sides, two_files
from suite.gate.calibration import calibrate, thresholds_over
from suite.gate.comparison import Comparison, last_match
from suite.gate.controls import controls_among
from suite.gate.explain import MOST_EXPLAINED, explain
from suite.gate.pairs_file import RecordedPairs, read_calibration, read_pairs, write_calibration, write_pairs
from suite.gate.sequential_test import PAIRS, THRESHOLD, Rule
from suite.gate.sides import SideOptions
from suite.history.store import MACHINE_FACTS
from suite.results.read import read_run
from suite.results.run_names import check_labels, with_labels
from suite.runner import build as building
from suite.runner import scheduler
from suite.runner.program import Catalogue

PROGRAM = "scripts/compare"
FEWEST_PAIRS, MOST_PAIRS, MOST_LAYOUTS = 10, 200, 50

# What can be compared. The first four are measured.
BUILDS, REVISIONS, MALLOCS, SETTINGS = "builds", "--rev", "--allocator", "--env"
RESULTS, RECORDED = "results", "--judge"
_MEASURED = (BUILDS, REVISIONS, MALLOCS, SETTINGS)

# The options that do not go with everything. `--calibrate` measures, but judges nothing.
_GOES_WITH: Mapping[str, tuple[str, ...]] = {
    "env": _MEASURED,
    "build": (REVISIONS, MALLOCS, SETTINGS),
    "profile": _MEASURED,
    "pairs": (*_MEASURED, RECORDED),
    "budget": _MEASURED,
    "seconds": _MEASURED,
    "layouts": (BUILDS, REVISIONS, SETTINGS),
    "seed": _MEASURED,
    "record": _MEASURED,
    "explain": _MEASURED,
    "calibrate": _MEASURED,
    "floors": (*_MEASURED, RECORDED),
    "allow_missing": (*_MEASURED, RESULTS),
    "across": (RESULTS,),
}
_JUDGING = ("threshold", "format", "out", "chart", "theme", "strict", "allow_missing", "bisect", "explain", "label")
_DEFAULTS: Mapping[str, object] = {
    "build": "release", "profile": "quick", "pairs": PAIRS, "budget": math.inf, "layouts": 1,
    "format": "text", "theme": "light",
}  # fmt: skip

EPILOG = f"""\
OLD and NEW are two builds or two results. Two builds are measured in turn: pairs of fresh processes of a benchmark, an
old and a new process, which take turns of some milliseconds. {PAIRS // 2}, {PAIRS * 3 // 4} or {PAIRS} pairs decide a
benchmark, up to {2 * PAIRS} on a noisy machine; a benchmark that seems worse must be worse again in as many fresh
pairs. Two results were measured at different times, so they also differ by what the machine did in between: their
evidence is weaker, and the smallest change that matters is larger.

By default a core set of all chapters is measured: every family declares its part of the set (`core` in the answer of
stackheap --list=json). With --allocator, only the benchmarks of the core set that take memory from a malloc count.

Benchmarks with one thread are judged by CPU time, which other programs hardly affect, and benchmarks with several
threads by wall time.

Verdicts: worse (evidence, and a change over the threshold), better (likewise), same (the change is shown to be under
the threshold), undecided (neither a change nor its absence is shown). An undecided benchmark is shown, and does not
fail the comparison, unless --strict is given. A benchmark with fewer pairs than the first analysis needs is not judged:
that is not a verdict, and the exit code is 2.

Exit codes: 0 no benchmark is worse, 1 a benchmark is worse, 2 cannot judge, or bad input (with --bisect: 125). After an
interrupt (Ctrl-C), it judges the pairs measured until then.
"""


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [OPTIONS] OLD NEW\n"
        f"       {PROGRAM} [OPTIONS] --rev OLD --rev NEW\n"
        f"       {PROGRAM} [OPTIONS] --allocator old=FILE --allocator new=FILE\n"
        f"       {PROGRAM} [OPTIONS] --env old:NAME=VALUE --env new:NAME=VALUE [BUILD]\n"
        f"       {PROGRAM} [OPTIONS] --judge PAIRS.json",
        description="Compares two builds, two git revisions, two mallocs, two settings of the environment, or two "
        "results, and prints whether the new side is worse.",
        epilog=EPILOG,
        allow_abbrev=False,  # --bisect changes the exit code even where this parser is not reached
    )
    _add_sides(parser.add_argument_group("sides"))
    _add_measuring(parser.add_argument_group("measuring"))
    _add_judging(parser.add_argument_group("judging and output"))
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    options = make_parser().parse_args(arguments)
    options.given = tuple(key for key, value in vars(options).items() if value not in (None, []))
    for key, value in _DEFAULTS.items():
        if key not in options.given:
            setattr(options, key, value)
    return options


def _add_sides(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("paths", metavar="OLD NEW", nargs="*", action="extend",
        help="compare two builds (folders, or the programs themselves) or two results (run.json, run.json.gz, or the "
        "folder of a run)")  # fmt: skip
    add("--rev", metavar="REV", action="append", default=[],
        help="measure this git revision; give it twice: the old, then the new")  # fmt: skip
    add("--allocator", metavar="LABEL=FILE[,PREFIX]", type=_library, action="append", default=[],
        help="measure this malloc library; give it twice: the old, then the new; PREFIX precedes its malloc and free",
    )  # fmt: skip
    add("--env", metavar="SIDE:NAME=VALUE", type=_setting, action="append", default=[],
        help="set this environment variable for the processes of a side, old or new; new: alone sets nothing; a single "
        "build, revision or malloc is then enough for both sides")  # fmt: skip
    add("--label", metavar="NAME", type=label, action="append", default=[],
        help="name a side; give it twice: the old, then the new; default: as it is given above, for a result its label or "
        "its processor")  # fmt: skip
    add("--judge", metavar="PAIRS.json", type=Path, help="judge recorded pairs again, without measuring")


def _add_measuring(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--build", metavar="PRESET",
        help=f"build this CMake preset, for --rev, --allocator and --env; default: {_DEFAULTS['build']}")  # fmt: skip
    add("--profile", choices=list(scheduler.PROCESSES), help="choose which profile's arguments to use; default: quick")
    add("--pairs", metavar="N", type=whole(FEWEST_PAIRS, MOST_PAIRS),
        help="measure this many pairs of a benchmark, twice as many on a noisy machine, and as many again to confirm; "
        f"default: {PAIRS}")  # fmt: skip
    add("--budget", metavar="SECONDS", type=_positive,
        help="stop measuring after this time; a third of it is kept for confirming")  # fmt: skip
    add("--seconds", metavar="S", type=_positive,
        help="measure this long in each turn of a process; default: as its family declares, mostly 0.005")  # fmt: skip
    add("--layouts", metavar="N", type=whole(2, MOST_LAYOUTS),
        help="link each side N times with its code at other addresses, and draw a layout for each process")  # fmt: skip
    add("--seed", metavar="N", type=whole(0, 2**32 - 1),
        help="seed the orders and layouts; default: a random seed, which is printed")  # fmt: skip
    add("--record", metavar="FILE", type=output_file,
        help="write the pairs to this file; default: results/<time>-compare/pairs.json")  # fmt: skip
    add("--calibrate", action="store_const", const=True,
        help="compare the old side with itself to measure this machine's noise")  # fmt: skip


def _add_judging(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--only", metavar="REGEX", help="compare the benchmarks whose name matches, for example '^scoped/'")
    add("--threshold", metavar="[REGEX=]SHARE", type=_threshold, action="append", default=[],
        help="set the smallest change that matters, as 2%% or 0.02, for all benchmarks or for those that match; the "
        f"last that matches counts; default: {100 * THRESHOLD:g}%%, plus the floor of a calibrated benchmark; for two "
        f"results {100 * two_files.THRESHOLD:g}%%")  # fmt: skip
    add("--floors", metavar="FILE", type=Path,
        help="use the floors of this calibration; default: this machine's, in results/calibration")  # fmt: skip
    add("--across", action="store_const", const=True,
        help="compare results of different machines, compilers, libraries or profiles anyway")  # fmt: skip
    add("--allow-missing", action="store_const", const=True,
        help="ignore benchmarks that one side lacks, or that failed in one result, with a warning")  # fmt: skip
    add("--strict", action="store_const", const=True, help="exit with 2 if a benchmark is undecided")
    add("--bisect", action="store_const", const=True,
        help="exit with 125 instead of 2, so that git bisect run skips what cannot be judged (docs/bisect.md)",
    )  # fmt: skip
    add("--explain", action="store_const", const=True,
        help=f"show why: the instructions per operation of both sides by function, and where they differ, for the "
        f"{MOST_EXPLAINED} worst benchmarks, or for all of at most {MOST_EXPLAINED}; needs valgrind")  # fmt: skip
    add("--format", choices=list(formats.REPORTERS), help="choose the output format; default: text")
    add("--out", metavar="FILE", type=output_file, help="write the comparison to this file instead of printing it")
    add("--chart", metavar="FILE", type=output_chart, help="also draw the changes, as .svg, .png or .pdf")
    add("--theme", choices=THEMES, help="choose the chart's colours; default: light")


def _library(text: str) -> tuple[str, str]:
    label, equals, file = text.partition("=")
    if not label or not equals or not file:
        raise argparse.ArgumentTypeError(f"{text!r} is not LABEL=FILE[,PREFIX]")
    return label, file


def _setting(text: str) -> tuple[str, tuple[str, str] | None]:
    side, colon, setting = text.partition(":")
    name, equals, value = setting.partition("=")
    if side not in ("old", "new") or not colon or (setting and not (name and equals)):
        raise argparse.ArgumentTypeError(f"{text!r} is not SIDE:NAME=VALUE, with the SIDE old or new")
    return side, (name, value) if setting else None


def _threshold(text: str) -> tuple[str, float]:
    names, _, smallest = text.rpartition("=")
    return expression(names).pattern, threshold(smallest)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def main(arguments: Sequence[str] | None = None, root: Path = ROOT, build: sides.Builder | None = None) -> int:
    """The exit code, without --bisect's 125 in place of 2: suite/launch puts it there, whatever the cause."""
    options = parse(arguments)
    return answer(PROGRAM, lambda: _compare(options, root, build or building.build))


def _compare(options: argparse.Namespace, root: Path, build: sides.Builder) -> int:
    kind = _kind(options)
    _check(options, kind)
    for key in ("out", "chart", "record"):
        check_not_read(getattr(options, key), f"--{key}", map(Path, filter(None, (*options.paths, options.judge))))
    if kind == RESULTS:
        return _tell(_of_results(options), options)
    if kind == RECORDED:
        return _tell(_of_recorded_pairs(options), options)
    return _measure(options, kind, root, build)


# ---- which sides, and which options go with them


def _kind(options: argparse.Namespace) -> str:
    """What is compared. Raises BadInput."""
    inputs = (options.paths, options.rev, options.allocator, options.judge)
    if sum(map(bool, inputs)) > 1 or not any((*inputs, options.env)):
        raise BadInput(
            "give either two builds or two results, or --rev twice, or --allocator twice, or --env, or --judge once "
            "(see --help)"
        )
    if options.judge:
        return RECORDED
    given = options.paths or options.rev or options.allocator
    if options.calibrate and len(given) != 1:
        raise BadInput(f"--calibrate takes one side, which is compared with itself; {len(given)} given")
    if len(given) != 2 and not options.calibrate and not (options.env and len(given) < 2):
        raise BadInput(f"give two sides, the old and the new (or a single side, and --env); {len(given)} given")
    if options.rev:
        return REVISIONS
    if options.allocator:
        return MALLOCS
    results = [sides.is_result(path) for path in options.paths]
    if len(set(results)) > 1:
        build, result = sorted(options.paths, key=sides.is_result)
        raise BadInput(f"{build} is a build and {result} is a result: give two builds or two results")
    if any(results) and len(results) == 1 and not options.env:
        raise BadInput("--calibrate takes one side to measure, not a result")
    return RESULTS if any(results) else BUILDS if options.paths else SETTINGS


def _check(options: argparse.Namespace, kind: str) -> None:
    """Refuses the options that do not go with what is compared. Raises BadInput."""
    for key in options.given:
        kinds = _GOES_WITH.get(key, (kind,))
        if kind not in kinds:
            others = ", ".join(other for other in kinds if other != _written(key))
            raise BadInput(f"{_written(key)} goes with {others}, not with {kind}")
        if options.calibrate and key in _JUDGING:
            raise BadInput(f"{_written(key)} does not go with --calibrate, which measures the noise and judges nothing")
    if options.calibrate and any(side == "new" for side, _ in options.env):
        raise BadInput("--env new: does not go with --calibrate, which measures the old side alone")
    if options.label:
        check_labels(options.label, 2, "side")
    if "theme" in options.given and not options.chart:
        raise BadInput("--theme goes with --chart")


def _written(key: str) -> str:
    return f"--{key.replace('_', '-')}"


# ---- what is not measured here


def _of_results(options: argparse.Namespace) -> Comparison:
    rules = two_files.Rules(
        thresholds=tuple(options.threshold),
        only=options.only,
        across=bool(options.across),
        allow_missing=bool(options.allow_missing),
    )
    old, new = with_labels([read_run(Path(path)) for path in options.paths], options.label)
    return two_files.compare(old, new, rules)


def _of_recorded_pairs(options: argparse.Namespace) -> Comparison:
    recorded = read_pairs(options.judge)
    if options.label:
        old, new = (replace(side, label=name) for side, name in zip((recorded.old, recorded.new), options.label))
        recorded = replace(recorded, old=old, new=new)
    if options.only is not None:
        pattern = pattern_of(options.only)
        names = [name for name in recorded.pairs if pattern.search(name)]
        if not names:
            guess = in_expression(options.only, recorded.pairs)
            raise BadInput(f"{options.judge} has no benchmark that matches --only {options.only!r}{guess}")
        recorded = replace(recorded, pairs={name: recorded.pairs[name] for name in names})
    floors = read_calibration(options.floors).floors if options.floors else {}
    if "pairs" not in options.given and recorded.planned:
        options.pairs = min(max(recorded.planned, FEWEST_PAIRS), MOST_PAIRS)
    return paired_run.verdict(recorded, _rule(options, recorded.pairs, floors))


# ---- measuring


def _measure(options: argparse.Namespace, kind: str, root: Path, build: sides.Builder) -> int:
    status = console_for_progress()
    results = root / "results"
    if not options.record:
        try_default(results, try_folder, "--record")
    if options.calibrate and options.floors:
        try_default(options.floors, try_file, "--floors")
    seed = secrets.randbits(32) if options.seed is None else options.seed
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        old, new = stack.enter_context(_measured_sides(options, kind, root, build, seed, folder, status))
        catalogues = old.catalogue, new.catalogue
        names, missing = paired_run.select(*catalogues, options.only, sides.MALLOC if kind == MALLOCS else None)
        if missing and not options.allow_missing:
            raise BadInput(f"not on both sides: {_few(missing)} (--allow-missing compares the other benchmarks)")
        calibration_file = results / "calibration" / f"{machine_key(catalogues[0])}.json"
        rule = _rule(options, names, {} if options.calibrate else _floors(options, calibration_file, status))
        plan = paired_run.PairedRun(
            old, new, names, controls_among(*catalogues), seed, rule, options.budget,
            metrics=paired_run.metrics_for(names, *catalogues), seconds=options.seconds,
            to_the_end=bool(options.calibrate),
        )  # fmt: skip
        file = options.record or results / time.strftime("%Y%m%d-%H%M%S-compare") / "pairs.json"
        too_short = _announce(plan, options, status)
        recorded = _play(plan, too_short, status)
        recorded = replace(recorded, warnings=(*recorded.warnings, *(f"left out: {name}" for name in missing)))
        recorded = _kept(recorded, file, status)
        comparison = None if options.calibrate else paired_run.verdict(recorded, rule)
        if comparison and options.explain:
            comparison = explain(comparison, recorded, old, new, folder, _observer(status))
    if comparison is None:
        return _calibrate(recorded, rule, options.floors or calibration_file)
    code = _tell(comparison, options)
    return INTERRUPTED if options.bisect and paired_run.INTERRUPTED in recorded.warnings else code


def _kept(recorded: RecordedPairs, file: Path, status: Console) -> RecordedPairs:
    """Writes the pairs. On a full disk, the verdict is not lost too: the error is a problem of the comparison."""
    if not recorded.pairs:
        return recorded
    try:
        write_pairs(file, recorded)
    except OSError as error:
        return replace(recorded, problems=(*recorded.problems, f"--record {file}: {first_line(error)}"))
    status.print(f"pairs: {file}", soft_wrap=True)
    return recorded


@contextlib.contextmanager
def _measured_sides(
    options: argparse.Namespace, kind: str, root: Path, build: sides.Builder, seed: int, folder: Path, status: Console
) -> Iterator[tuple[paired_run.SideBuilds, paired_run.SideBuilds]]:
    """Both sides; where a single source was given, they differ in their settings."""
    with contextlib.ExitStack() as stack:
        if kind == REVISIONS:
            commits = [sides.commit_of(label, root) for label in options.rev]
            if len(commits) > len(set(commits)):
                raise BadInput(f"{' and '.join(options.rev)} are the same commit, {commits[0]}")
            revisions = [sides.of_revision(label, root, options.build, build, status) for label in options.rev]
            sources = [stack.enter_context(revision) for revision in revisions]
        elif kind == BUILDS:
            sources = [sides.of_build(label) for label in options.paths]
        else:
            executable = build(root, options.build, status)
            sources = [sides.of_malloc(label, file, executable) for label, file in options.allocator]
            sources = sources or [sides.Source(f"build/{options.build}", executable)]
        side_options = SideOptions(options.profile, options.layouts, seed)
        old, new = (replace(side_options, settings=_settings(options, side)) for side in ("old", "new"))
        built = [sides.side_of(source, its, folder, status) for source, its in ((sources[0], old), (sources[-1], new))]
        for place, name in enumerate(options.label):
            built[place] = replace(built[place], side=replace(built[place].side, label=name))
        yield built[0], built[1]


def _settings(options: argparse.Namespace, side: str) -> sides.Settings:
    measured = "old" if options.calibrate else side
    return tuple(setting for its_side, setting in options.env if its_side == measured and setting)


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
    status.print(f"floors: {file}", soft_wrap=True)
    return floors


def _rule(options: argparse.Namespace, names: Collection[str], floors: Mapping[str, float]) -> Rule:
    """Raises BadInput for a threshold below a benchmark's floor: noise alone would fail the comparison."""
    default = Rule(pairs=options.pairs)
    thresholds = thresholds_over(floors, default)
    for key in {*names, *floors}:
        floor = floors.get(key, 0.0)
        share = last_match(options.threshold, key, math.nan)
        if not math.isnan(share):
            thresholds[key] = share
        if share < floor and key.partition(" ")[0] in names:
            raise BadInput(f"--threshold {share:.2%} for {key} is below its floor on this machine, {floor:.2%}")
    return replace(default, thresholds=thresholds, floors=floors)


def _announce(plan: paired_run.PairedRun, options: argparse.Namespace, status: Console) -> bool:
    """Says what is measured. Returns whether the budget does not suffice, which it says too."""
    rule = plan.rule
    first, last = (rule.pairs, rule.pairs) if plan.to_the_end else (rule.interim_analyses[0], rule.most_pairs)
    seconds = paired_run.seconds_to_first_look(plan)
    bound = f", at most {options.budget:.0f} s" if options.budget < math.inf else ""
    status.print(
        f"{plan.old.side.label} (old) and {plan.new.side.label} (new), {options.profile}: benchmarks "
        f"{len(plan.names)}, controls {len(plan.controls)}, pairs of each {first} to {last}, "
        f"seed {plan.seed}; about {_minutes(seconds)} {_until(plan)}{bound}",
        soft_wrap=True,
    )
    return _say_if_too_short(plan, seconds, status)


def _until(plan: paired_run.PairedRun) -> str:
    return "for all pairs" if plan.to_the_end else "to the first analysis"


def _say_if_too_short(plan: paired_run.PairedRun, seconds: float, status: Console) -> bool:
    too_short = (1 - paired_run.CONFIRMING_SHARE) * plan.budget < seconds
    if too_short:
        status.print(
            f"--budget {plan.budget:g} does not suffice: about {_minutes(seconds)} are needed {_until(plan)}, and a "
            "third of it is kept for confirming; a benchmark with too few pairs is not judged, and the exit code is 2",
            soft_wrap=True,
        )
    return too_short


def _minutes(seconds: float) -> str:
    return f"{math.ceil(seconds)} s" if seconds < 90 else f"{round(seconds / 60)} min"


def _play(plan: paired_run.PairedRun, too_short: bool, status: Console) -> RecordedPairs:
    """Measures, with a progress bar. After two pairs of each benchmark it is known better whether the budget suffices:
    the first also finds the number of iterations."""
    passed: list[float] = []  # the seconds after each of them
    with bar(status) as progress_bar:
        task = progress_bar.add_task("", total=None, left="")

        def show(progress: paired_run.Progress) -> None:
            if len(passed) < 2 and progress.pairs == (len(passed) + 1) * len(plan.names):
                passed.append(progress.seconds)
                if len(passed) == 2 and not too_short:
                    seconds_left = (passed[1] - passed[0]) * progress.pairs_left / len(plan.names)
                    _say_if_too_short(plan, passed[1] + seconds_left, status)
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


def _observer(status: Console) -> Callable[[str], None]:
    return lambda name: status.print(f"explaining {name}", soft_wrap=True)


# ---- results


def _tell(comparison: Comparison, options: argparse.Namespace) -> int:
    """Draws and writes the comparison. Returns its exit code. Raises OSError."""
    write_comparison(comparison, options.format, options.out, bool(options.strict))
    if options.chart is not None:
        try:
            write_chart(comparison, options.chart, options.theme)
        except ImportError as problem:  # the comparison is there without it
            print(f"{PROGRAM}: {options.chart}: not made ({problem})", file=sys.stderr)
    return comparison.exit_code(bool(options.strict))


def write_comparison(comparison: Comparison, form: str, out: Path | None, strict: bool) -> None:
    """Prints the comparison in one of the formats, or writes it to a file. Raises OSError."""
    if out is not None:
        write_whole(out, formats.REPORTERS[form](comparison, strict).encode("utf-8", "replace"))
    elif form == "text" and sys.stdout.isatty():
        foreign.styled(sys.stdout).write(formats.as_text(comparison, strict, console_for_results().width, colour=True))
    else:
        sys.stdout.write(formats.REPORTERS[form](comparison, strict))


def write_chart(comparison: Comparison, file: Path, theme: str) -> None:
    """Writes the chart of the changes. Raises OSError."""
    from suite import charts
    from suite.charts.across import change

    write_whole(file, charts.render(change.draw(comparison, charts.Look(theme)), file.suffix[1:]))


def _calibrate(recorded: RecordedPairs, rule: Rule, file: Path) -> int:
    console = console_for_results()
    needed = rule.interim_analyses[0]
    few = [f"{name}: {len(pairs)} pairs: a floor needs {needed}" for name, pairs in recorded.pairs.items()
           if len(pairs) < needed]  # fmt: skip
    recorded = replace(recorded, problems=(*recorded.problems, *few))
    if few or not recorded.pairs:
        for problem in recorded.problems:
            console.print(problem, soft_wrap=True)
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
    write_calibration(file, calibration)
    for line in (*lines, f"floors: {file}"):
        console.print(line, soft_wrap=True)
    return REFUSED if recorded.problems else SUCCESS


def _few(sentences: Sequence[str], most: int = 3) -> str:
    return "; ".join(sentences[:most]) + (f"; and {len(sentences) - most} more" if len(sentences) > most else "")


if __name__ == "__main__":
    sys.exit(main())
