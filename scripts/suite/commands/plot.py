"""scripts/plot: draws the charts of a run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from suite import charts, results
from suite.commandline import SUCCESS, answer, one_line_parser
from suite.program import bad_input

PROGRAM = "scripts/plot"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = one_line_parser(
        prog=PROGRAM,
        description="Draws every chart the run has data for, and prints the files.",
        epilog="Exit codes: 0 drawn, 2 bad input, or nothing to draw.",
    )
    add = parser.add_argument
    add("run", metavar="RUN.json", type=Path, help="the result file of a run")
    add("--chart", metavar="NAME", action="append", choices=list(charts.charts()), help="only this one; several times")
    add("--format", metavar="LIST", type=_formats, default=("svg", "png"), help="of svg, png, pdf; default: svg,png")
    add("--theme", choices=charts.THEMES, default="light", help="of the page; default: light")
    add("--size", choices=list(charts.SIZES), default="talk", help="talk (default): a slide, 16:9; paper: the same in small; square: as tall as wide")
    add("--out", metavar="DIR", type=Path, help="write here; default: the folder figures beside RUN.json")
    return parser.parse_args(arguments)


def _formats(text: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(text.split(",")))
    if not set(wanted) <= set(charts.FORMATS):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of {', '.join(charts.FORMATS)}")
    return wanted


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    return answer(PROGRAM, lambda: _plot(options))


def _plot(options: argparse.Namespace) -> int:
    run = results.read_run(options.run)
    folder = options.out or options.run.parent / "figures"
    files = charts.draw_all(run, folder, options.format, options.theme, options.size, options.chart)
    if not files:
        raise bad_input(f"{options.run} has no data for {', '.join(options.chart or ['any chart'])}")
    for file in files:
        print(file)
    return SUCCESS


if __name__ == "__main__":
    sys.exit(main())
