"""scripts/report: one HTML page of a run, or of several runs side by side."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from suite.base.cli import (
    RUN_HELP,
    SUCCESS,
    OneLineParser,
    answer,
    check_not_read,
    label,
    latest_run,
    output_file,
    try_default,
)
from suite.base.files import try_file
from suite.results.read import read_run
from suite.results.run_names import MOST_RUNS, with_labels

PROGRAM = "scripts/report"


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Makes one HTML page that needs no network: findings, the machine, every chart, and all figures to "
        "search and sort. Several runs stand side by side. Prints the file's path.",
        epilog="Exit codes: 0 on success, 2 bad input.",
    )
    add = parser.add_argument
    add("runs", metavar="RUN", type=Path, nargs="*", action="extend", help=f"{RUN_HELP}; at most {MOST_RUNS}")
    add(
        "--label",
        metavar="NAME",
        type=label,
        action="append",
        default=[],
        help="name a run in the page; once for each run, in their order; default: the label it was measured with, else "
        "its processor",
    )
    add("-o", "--out", metavar="FILE", type=output_file, help="write to this file; default: report.html beside the first run")
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    return make_parser().parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    return answer(PROGRAM, lambda: _report(options.runs or [latest_run()], options.label, options.out))


def _report(files: Sequence[Path], labels: Sequence[str], out: Path | None) -> int:
    runs = with_labels([read_run(path) for path in files], labels)
    check_not_read(out, "--out", [run.path for run in runs])
    file = out or try_default(runs[0].path.parent / "report.html", try_file, "--out")
    from suite.pages import report  # takes a second, which --help and errors do not need

    print(report.write(report.make(runs), file))
    return SUCCESS


if __name__ == "__main__":
    sys.exit(main())
