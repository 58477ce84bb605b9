"""scripts/history: where did the cost change in the record of many runs?"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from rich.table import Table

from suite.base import foreign, moments, phrases
from suite.base.chart_options import PAPER, TALK, THEMES
from suite.base.cli import (
    ROOT,
    RUN_HELP,
    SUCCESS,
    OneLineParser,
    answer,
    console_for_results,
    expression,
    latest_run,
    output_chart,
    output_folder,
    threshold,
    try_default,
    whole,
)
from suite.base.errors import NO_EXPRESSION, BadInput
from suite.base.files import try_file, try_folder, write_whole
from suite.base.near_misses import in_expression
from suite.base.text import one_line
from suite.history import check as history_check
from suite.history import database, store
from suite.history.check import JudgedSeries, Judgement
from suite.history.store import Annotation, Entry, History, Numbers, opened
from suite.stats import change_points
from suite.stats.arrays import Floats, np

PROGRAM = "scripts/history"
WORSE, CANNOT_JUDGE = 1, 2
MOST_ON_A_TERMINAL = 1000  # rows that export prints where a person reads them
# Figures that export prints. It grows as the file does: equal numbers take a byte for thousands. An honest run takes a byte
# for a figure, or more.
PRINTED_AT_LEAST, PRINTED_PER_BYTE = 2_000_000, 1

EPILOG = f"""
A series is one figure of one benchmark on one machine, in one profile: the ratio to the reference run where it was
given, else core cycles, else nanoseconds. trend, check and export take the series of the newest run; --like RUN takes
the series of another run. RUN is a number from list, or the beginning of a commit.

check and trend judge the last {history_check.LAST_RUNS} runs, and all series together, whichever are shown. check fails if
a series got worse, is still worse in the newest run, and no annotation accepts the change. An annotation covers its run,
and up to {history_check.RUNS_BESIDE} runs beside it. The first verdict needs some runs, which add and check tell. Where a
change is too new for a verdict, an early warning names the series whose newest interval lies beyond those of all earlier
runs, by more than the threshold: that is not a verdict, and check passes unless --strict is given.

trend prints the {history_check.MOST_SHOWN} series that changed the most. export prints all rows to a file or a pipe, and the first
{MOST_ON_A_TERMINAL:,} on a terminal.

A record keeps at most {database.MOST_RUNS:,} runs of at most {store.MOST_PROCESSES:,} processes each, and
{database.MOST_ANNOTATIONS:,} annotations. A file that holds anything that this command does not write is refused.

Exit codes: 0 on success, and check found no series worse; 1 check found a series worse; 2 bad input, or check cannot
judge: the history is too short, the newest run lacks a series of an earlier run (a benchmark that failed or is gone), or
with --strict, an early warning.
"""


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Keeps the record of many runs in one file, and shows where the cost changed.",
        epilog=EPILOG,
    )
    _add_file(parser, ROOT / "results" / "history.sqlite")
    commands: Commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _parse_add(commands)
    _subparser(commands, "list", "show the runs and the annotations")
    _parse_trend(commands)
    _parse_check(commands)
    _parse_export(commands)
    _parse_annotate(commands)
    _parse_page(commands)
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    return make_parser().parse_args(arguments)


Commands: TypeAlias = "argparse._SubParsersAction[OneLineParser]"


def _subparser(commands: Commands, name: str, help: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    _add_file(parser, argparse.SUPPRESS)  # the option stands before or after the command
    return parser


def _add_file(parser: argparse.ArgumentParser, default: object) -> None:
    parser.add_argument(
        "--file", metavar="FILE", type=Path, default=default, help="use this record; default: results/history.sqlite"
    )


def _parse_add(commands: Commands) -> None:
    add = _subparser(commands, "add", "add runs to the record, each run once").add_argument
    add("runs", metavar="RUN", type=Path, nargs="*", action="extend", help=RUN_HELP)
    add("--commit", metavar="SHA", default="", help="name the commit that was measured")
    add("--reference", metavar="REF", type=Path, help="add the run of a pinned build that was measured beside it")


def _parse_trend(commands: Commands) -> None:
    add = _subparser(commands, "trend", "show series and their change points").add_argument
    add("name", metavar="NAME|REGEX", help="a series, or an expression for several")
    add("--chart", metavar="FILE", type=output_chart, help="draw the series into this file: .svg, .png or .pdf")
    add("--theme", choices=THEMES, default="light", help="choose the chart's colours; default: light")
    add("--size", choices=(TALK, PAPER), default=TALK, help="choose the chart's size; default: talk")
    _add_threshold(add)
    _add_runs(add, history_check.LAST_RUNS)


def _parse_check(commands: Commands) -> None:
    add = _subparser(commands, "check", "fail when a series got worse").add_argument
    add("--format", choices=list(history_check.FORMS), default="text", help="choose the format; default: text")
    add("--allow-short", action="store_true", help="pass, with a message, if the history is too short")
    add("--allow-missing", action="store_true", help="ignore series that the newest run lacks")
    add("--strict", action="store_true", help="exit with 2 on an early warning")
    add("--all", action="store_true", help="also show series that got better, and accepted changes")
    add("--only", metavar="REGEX", type=expression, help="show, and fail for, only series whose name matches")
    _add_threshold(add)
    _add_runs(add, history_check.LAST_RUNS)


def _parse_export(commands: Commands) -> None:
    add = _subparser(commands, "export", "print the values of the series").add_argument
    add("--format", choices=("csv", "json"), default="csv", help="choose the format; default: csv")
    add("--samples", action="store_true", help="print the raw figures of every process instead")
    add("--only", metavar="REGEX", type=expression, help="take only series whose name matches")
    _add_runs(add, None)


def _parse_annotate(commands: Commands) -> None:
    add = _subparser(commands, "annotate", "record the reason of a change; check then accepts the change").add_argument
    add("when", metavar="WHEN|RUN", help="a date (UTC), a run's number, or a commit")
    add("text", metavar="TEXT", help="for example 'new runner', 'compiler 13'")
    add("--only", metavar="REGEX", type=expression, help="cover only series whose name matches")
    add("--note", action="store_true", help="record the reason only: check still fails")


def _parse_page(commands: Commands) -> None:
    add = _subparser(commands, "page", "write a site of all series, and a badge, into a folder").add_argument
    default = ROOT / "results" / "history-page"
    add("--out", metavar="DIR", type=output_folder, default=default, help="write here; default: results/history-page")
    add("--title", metavar="TEXT", default="What memory costs, run by run", help="set the page's title")
    _add_threshold(add)
    last = history_check.LAST_RUNS
    add("--last", metavar="N", type=whole(1, 999999), default=last, help=f"judge the last N runs; default: {last}")


def _add_threshold(add: Callable[..., argparse.Action]) -> None:
    least = change_points.LEAST_CHANGE
    smallest = f"set the smallest change that matters, as 2%% or 0.02; default: {100 * least:g}%%"
    add("--threshold", metavar="SHARE", type=threshold, default=least, help=smallest)


def _add_runs(add: Callable[..., argparse.Action], last: int | None) -> None:
    add("--like", metavar="RUN", help="take the series of this run's machine, profile and unit")
    add("--last", metavar="N", type=whole(1, 999999), default=last, help=f"take the last N runs; default: {last or 'all'}")


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    work = {
        "add": _add, "list": _list, "trend": _trend, "check": _check, "export": _export, "annotate": _annotate, "page": _page,
    }  # fmt: skip
    return answer(PROGRAM, lambda: work[options.command](options))


def _add(options: argparse.Namespace) -> int:
    if options.reference is not None and len(options.runs) > 1:
        raise BadInput(f"--reference goes with one RUN, got {len(options.runs)}: add the others without it")
    try_default(options.file, try_file, "--file")
    prepared = [store.prepare(file, options.reference) for file in options.runs or [latest_run()]]
    with opened(options.file, to_write=True) as record:
        before = max((run.measured for run in record.runs()), default="")
        added = [record.add(run, one_line(options.commit)) for run in prepared]
        number = len(record.runs())
        alike, needed = _progress(record)
    for run, is_new in zip(prepared, added):
        kept = f"added{_about_clock(run.measured, before)}" if is_new else "is in the record already"
        print(f"{run.path}: {kept}")
    print(f"{options.file}: {phrases.count(number, 'run')}")
    if alike < needed:
        print(f"no verdict yet: {alike} of the {needed} runs that the first verdict needs")
    return SUCCESS


def _about_clock(measured: str, newest: str) -> str:
    """Words for a date that makes a run neither the newest nor one of the past: mostly the machine's clock was wrong."""
    if measured < newest:
        return f"; it was measured {measured[:10]}, before the newest run ({newest[:10]}), which check judges"
    if measured > moments.now().isoformat(timespec="seconds"):
        return f"; it was measured {measured[:10]}, which is in the future: until then check judges no newer run"
    return ""


def _progress(record: History) -> tuple[int, int]:
    """The runs like the newest that check judges, and the runs that the first verdict needs."""
    runs = record.like(None)[-history_check.LAST_RUNS :]
    return len(runs), history_check.runs_needed(len(record.table(runs).names))


def _list(options: argparse.Namespace) -> int:
    with opened(options.file) as record:
        runs, annotations = record.runs(), record.annotations()
        machines = {run.machine: record.machine(run.machine) for run in runs}
    console = console_for_results()
    table = Table("run", "measured", "commit", "machine", "profile", "unit", "", box=None, pad_edge=False)
    for run in runs:
        state = "" if run.complete else "incomplete"
        cells = (run.id, run.measured, run.revision[:12], run.machine, run.profile, run.unit, state)
        table.add_row(*(str(cell) for cell in cells))
    console.print(table)
    for id, facts in machines.items():
        description = ", ".join(str(facts[key]) for key in ("cpu_model", "topology") if key in facts)
        console.print(f"machine {id}: {description}", soft_wrap=True)
    for annotation in annotations:
        place = annotation.moment or annotation.revision or f"run {annotation.run}"
        about = f" (only {annotation.only_names})" if annotation.only_names else ""
        console.print(f"{place}{about}: {annotation.text}{'' if annotation.accepts else ' (a note)'}", soft_wrap=True)
    return SUCCESS


def _annotate(options: argparse.Namespace) -> int:
    with opened(options.file, to_write=True) as record:
        run = record.find_run(options.when)
        by_number = run is not None and not run.revision.startswith(options.when)
        moment = None if run else store.moment_of(
            options.when, f"{options.file}: {options.when!r} is neither a date nor a run or commit in it"
        )  # fmt: skip
        annotation = Annotation(
            run=run.id if run and by_number else None,
            revision=options.when if run and not by_number else None,
            moment=moment,
            only_names=options.only.pattern if options.only else "",
            accepts=not options.note,
            text=one_line(options.text),
        )
        if not annotation.text:
            raise BadInput("TEXT must not be empty")
        record.annotate(annotation)
        print(_annotated(record, annotation))
    return SUCCESS


def _annotated(record: History, annotation: Annotation) -> str:
    """`run 21 (c0020), 2024-01-21: 'compiler 13' accepts the changes of all 20 series there`."""
    runs = record.runs()
    names = record.table(record.like(None)[-history_check.LAST_RUNS :]).names
    number = sum(annotation.speaks_of(name) for name in names)
    place = annotation.place_in(runs)
    where = f"{runs[place].label}, {runs[place].measured}" if place is not None else f"from {annotation.moment} on"
    series = f"all {number} series" if number == len(names) else f"{number} of {len(names)} series"
    effect = "accepts the changes of" if annotation.accepts else "is a note, and accepts nothing, on"
    return f"{where}: {annotation.text!r} {effect} {series}"


def _judged(options: argparse.Namespace, record: History) -> Judgement:
    """All series of these runs, judged together."""
    table = record.table(record.like(options.like)[-(options.last or 0) :])
    return history_check.judge(table, record.annotations(), options.threshold, record.intervals)


def _only(options: argparse.Namespace, judgement: Judgement, pattern: re.Pattern[str] | None) -> Judgement:
    """The series whose name matches. Raises BadInput where none does."""
    chosen = judgement if pattern is None else judgement.only(pattern)
    if not chosen.series:
        raise _no_series(options, pattern, [series.name for series in judgement.series])
    return chosen


def _no_series(options: argparse.Namespace, pattern: re.Pattern[str] | None, names: Sequence[str]) -> BadInput:
    expression = pattern.pattern if pattern else "."
    return BadInput(f"{options.file}: no series matches {expression!r}{in_expression(expression, names)}")


def _check(options: argparse.Namespace) -> int:
    with opened(options.file) as record:
        verdict = _only(options, _judged(options, record), options.only)
    if verdict.judged or verdict.early_warnings or options.allow_short:
        print(history_check.FORMS[options.format](verdict, options.all))
    if not verdict.judged and not options.allow_short:
        raise BadInput(f"{options.file}: the history is too short: {history_check.waiting_text(verdict)} "
                       "(--allow-short passes)")  # fmt: skip
    if verdict.gone and not options.allow_missing:
        return CANNOT_JUDGE
    if verdict.new_and_worse:
        return WORSE
    return CANNOT_JUDGE if options.strict and verdict.early_warnings else SUCCESS


def _trend(options: argparse.Namespace) -> int:
    with opened(options.file) as record:
        judgement = _judged(options, record)
        try:
            chosen = _only(options, judgement, re.compile(f"^{re.escape(options.name)}$"))
        except BadInput:
            chosen = _only(options, judgement, _named(options.name))
        machine = record.machine(judgement.newest.machine)
    if options.chart is not None:
        _draw(options, chosen.series, machine)
        return SUCCESS
    shown = _first_shown(chosen.series)
    for series in shown:
        print(f"{series.name}, {series.unit}, {phrases.count(len(series.runs), 'run')}, the newest {series.values[-1]:.4g}")
        for change in series.changes:
            parts = (f"{change.kind}: {history_check.change_text(change)}", *change.notes, *change.facts)
            print(f"    {'; '.join(parts)}")
        if series.early:
            print(f"    {history_check.EARLY_WARNING}: {history_check.warning_text(series.early)}")
    if left_out := len(chosen.series) - len(shown):
        print(f"and {left_out:,} other series: a longer NAME or expression shows fewer")
    if not chosen.judged:
        print(f"{history_check.NO_VERDICT}: {history_check.waiting_text(chosen)}")
    return SUCCESS


def _first_shown(all_series: Sequence[JudgedSeries]) -> list[JudgedSeries]:
    """At most so many series, those that changed the most, in their order."""
    places = sorted(range(len(all_series)), key=lambda place: -all_series[place].weight)
    return [all_series[place] for place in sorted(places[: history_check.MOST_SHOWN])]


def _named(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except NO_EXPRESSION as problem:
        raise BadInput(f"NAME takes a series or a regular expression, got {text!r} ({problem})") from None


def _draw(
    options: argparse.Namespace,
    series: Sequence[JudgedSeries],
    machine: dict[str, object],
) -> None:
    from suite import charts  # takes a second, and only this command needs it
    from suite.charts.across import trend

    file: Path = options.chart
    if len(series) > 1:
        raise BadInput(f"--chart draws one series, but {options.name!r} names {len(series)}: {series[0].name}, ...")
    sheet = trend.draw(series[0], machine, charts.Look(options.theme, options.size))
    write_whole(file, charts.render(sheet, file.suffix[1:]))
    print(file)


def _page(options: argparse.Namespace) -> int:
    try_default(options.out, try_folder, "--out")
    from suite.pages import history as page  # only this command needs its modules

    with opened(options.file) as record:
        groups = page.groups_of(record, options.last, options.threshold)
    if not groups:
        raise BadInput(f"{options.file}: holds no run")
    print(f"{page.write(groups, one_line(options.title), options.out)}: {groups[0].state}")
    return SUCCESS


# ---- export


def _export(options: argparse.Namespace) -> int:
    with opened(options.file) as record:
        rows = _samples(options, record) if options.samples else _values(options, record)
        print_rows = _print_csv if options.format == "csv" else _print_json
        print_rows(_for_a_reader(rows) if sys.stdout.isatty() else rows)
    return SUCCESS


def _for_a_reader(rows: Iterator[Row]) -> Iterator[Row]:
    """The first rows, and a line on stderr about the rest."""
    yield from itertools.islice(rows, MOST_ON_A_TERMINAL)
    if next(rows, None) is not None:
        print(f"{PROGRAM}: these are the first {MOST_ON_A_TERMINAL:,} rows: > FILE writes all to a file", file=sys.stderr)


Row = dict[str, Any]


def _values(options: argparse.Namespace, record: History) -> Iterator[Row]:
    runs = record.like(options.like)[-(options.last or 0) :]
    series = record.table(runs, options.only)
    if not series.names:
        raise _no_series(options, options.only, record.table(runs[-1:]).names)
    for entry, values in zip(series.runs, series.values.tolist()):
        for name, metric, value in zip(series.names, series.metrics, values):
            if value == value:
                yield {**_about(entry), "series": name, "unit": store.unit_of(metric, entry.unit), "value": value}


def _samples(options: argparse.Namespace, record: History) -> Iterator[Row]:
    most = max(PRINTED_AT_LEAST, PRINTED_PER_BYTE * options.file.stat().st_size)
    printed = 0
    for entry in record.like(options.like)[-(options.last or 0) :]:
        for role, samples in zip(("run", "reference"), record.samples(entry)):
            if samples is None:
                continue
            for name, counter, values in _chosen(options, samples):
                printed += int(np.isfinite(values).sum())
                if printed > most:
                    raise BadInput(f"{options.file}: has over {most:,} figures in these runs, too many for a file of its "
                                   "size: --last or --only takes fewer")  # fmt: skip
                columns = {**_about(entry), "of": role, "benchmark": name, "counter": counter}
                for process, value in zip(samples.layout.processes, values.tolist()):
                    if value == value:
                        yield {**columns, "process": process, "value": value}


def _chosen(options: argparse.Namespace, samples: Numbers) -> Iterator[tuple[str, str, Floats]]:
    """The benchmark, the counter and the figures of all processes."""
    for counter, indices in samples.layout.columns.items():
        for index, values in zip(indices, samples.arrays[counter]):
            name = samples.layout.names[index]
            if options.only is None or options.only.search(name):
                yield name, counter, values


def _about(entry: Entry) -> Row:
    return {
        "run": entry.id, "measured": entry.measured, "commit": entry.revision, "machine": entry.machine, "profile": entry.profile
    }  # fmt: skip


def _print_csv(rows: Iterator[Row]) -> None:
    table = foreign.Table(sys.stdout)
    for number, row in enumerate(rows):
        if number == 0:
            table.write_row(row)
        table.write_row(row.values())


def _print_json(rows: Iterator[Row]) -> None:
    print("[", end="")
    for index, row in enumerate(rows):
        print(",\n" if index else "\n", json.dumps(row), sep="", end="")
    print("\n]")


if __name__ == "__main__":
    sys.exit(main())
