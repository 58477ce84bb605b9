"""scripts/plot: draws the charts of a run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from suite import charts, results
from suite.commands.run import REFUSED, SUCCESS, one_line_parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = one_line_parser(
        prog="scripts/plot",
        description="Draws every chart the run has data for, and prints the files.",
        epilog="Exit codes: 0 drawn, 2 bad input, or nothing to draw.",
    )
    add = parser.add_argument
    add("run", metavar="RUN.json", type=Path, help="the result file of a run")
    add("--chart", metavar="NAME", action="append", choices=list(charts.charts()), help="only this one; several times")
    add("--format", metavar="LIST", type=_formats, default=("svg", "png"), help="of svg, png, pdf; default: svg,png")
    add("--theme", choices=charts.THEMES, default="light", help="of the page; default: light")
    add("--size", choices=list(charts.SIZES), default="talk", help="talk: 16 x 9 inches; paper: 7.1 x 4; default: talk")
    add("--out", metavar="DIR", type=Path, help="write here; default: the folder figures beside RUN.json")
    return parser.parse_args(arguments)


def _formats(text: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(text.split(",")))
    if not set(wanted) <= set(charts.FORMATS):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of {', '.join(charts.FORMATS)}")
    return wanted


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        run = results.read_run(options.run)
        folder = options.out or options.run.parent / "figures"
        files = charts.draw_all(run, folder, options.format, options.theme, options.size, options.chart)
    except results.bad_result as problem:
        return _refuse(str(problem))
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        return _refuse(f"{where}{problem.strerror or problem}")
    if not files:
        return _refuse(f"{options.run} has no data for {', '.join(options.chart or ['any chart'])}")
    for file in files:
        print(file)
    return SUCCESS


def _refuse(problem: str) -> int:
    print(f"scripts/plot: {problem}", file=sys.stderr)
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
