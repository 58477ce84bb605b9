"""scripts/plot: draws the charts of a run, or of several runs in one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from suite import charts
from suite.base.cli import RUN_HELP, SUCCESS, OneLineParser, answer, label, latest_run
from suite.base.errors import BadInput
from suite.charts.across import overlay
from suite.results.read import read_run
from suite.results.run_names import MOST_RUNS, with_labels

PROGRAM = "scripts/plot"
_PORTRAITS = ", ".join(charts.names_for(charts.PORTRAIT))


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Draws every chart that the run has data for, and prints the files. From several runs (machines, "
        "versions), it draws the charts that compare them: overlay-NAME, a line or a column a run.",
        epilog="Exit codes: 0 on success, 2 bad input, or nothing to draw. "
        f"Charts of several runs: {', '.join(overlay.names())}.",
    )
    add = parser.add_argument
    add("runs", metavar="RUN", type=Path, nargs="*", help=f"{RUN_HELP}; at most {MOST_RUNS}")
    add(
        "--label",
        metavar="NAME",
        type=label,
        action="append",
        default=[],
        help="name a run in the charts; once for each run, in their order; default: the label it was measured with, "
        "else its processor",
    )
    add(
        "--chart",
        metavar="CHART",
        action="append",
        choices=list(charts.charts()),
        help="draw only this chart; repeatable",
    )
    add(
        "--format",
        metavar="LIST",
        type=_formats,
        default=("svg", "png"),
        help="write these of svg, png, pdf; default: svg,png",
    )
    add("--theme", choices=charts.THEMES, default="light", help="choose the charts' colours; default: light")
    add(
        "--size",
        choices=[*charts.SIZES, charts.PORTRAIT],
        default="talk",
        help="choose the size: talk (default), a slide of 16:9; paper, a column of 8 cm, with letters of 6 points or more; "
        f"portrait, a page of A3 to print, only of {_PORTRAITS}",
    )
    add(
        "--out", metavar="DIR", type=Path, help="write to this folder; default: the folder figures beside the first run"
    )
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    return make_parser().parse_args(arguments)


def _formats(text: str) -> tuple[str, ...]:
    formats = tuple(dict.fromkeys(text.split(",")))
    if not set(formats) <= set(charts.FORMATS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of {', '.join(charts.FORMATS)}, separated by commas")
    return formats


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    return answer(PROGRAM, lambda: _plot(options))


def _plot(options: argparse.Namespace) -> int:
    several = len(options.runs) > 1
    _check_size(options)
    if several:
        _check_overlays(options)
    runs = with_labels([read_run(file) for file in options.runs or [latest_run()]], options.label)
    folder = options.out or runs[0].path.parent / "figures"
    if several:
        names, look = options.chart or overlay.names(), charts.Look(options.theme, options.size)
        files = charts.write_all(partial(overlay.draw, runs), names, folder, options.format, look, "overlay-")
    else:
        files = charts.draw_all(runs[0], folder, options.format, options.theme, options.size, options.chart)
    if not files:
        reason = "no two of the runs have data" if several else f"{runs[0].path} has no data"
        raise BadInput(f"{reason} for {', '.join(options.chart or ['any chart'])}")
    for file in files:
        print(file)
    return SUCCESS


def _check_size(options: argparse.Namespace) -> None:
    lacking = [name for name in options.chart or () if name not in charts.names_for(options.size)]
    if lacking or options.size == charts.PORTRAIT and len(options.runs) > 1:
        subject = ", ".join(lacking) or "a chart of several runs"
        raise BadInput(f"--size {options.size}: {subject} has no portrait page; accepted: one run, --chart {_PORTRAITS}")


def _check_overlays(options: argparse.Namespace) -> None:
    if len(options.runs) > MOST_RUNS:
        raise BadInput(f"one chart shows at most {MOST_RUNS} runs, got {len(options.runs)}")
    single = [name for name in options.chart or () if name not in overlay.names()]
    if single:
        names = ", ".join(overlay.names())
        raise BadInput(f"{', '.join(single)} shows only one run; the charts of several runs are {names}")


if __name__ == "__main__":
    sys.exit(main())
