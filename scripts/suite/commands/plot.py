"""scripts/plot: draws the charts of a run, or of several runs in one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from suite.base.chart_options import FORMATS, PAPER, PORTRAIT, TALK, THEMES, charts_with
from suite.base.cli import RUN_HELP, SUCCESS, OneLineParser, answer, label, latest_run, output_folder, try_default
from suite.base.errors import BadInput
from suite.base.files import try_folder
from suite.results.read import read_run
from suite.results.run_names import MOST_RUNS, with_labels

PROGRAM = "scripts/plot"


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Draws every chart that the run has data for, and prints the files. From several runs (machines, "
        "versions), it draws the charts that compare them: overlay-NAME, a line or a column a run.",
        epilog="Exit codes: 0 on success, 2 bad input, or nothing to draw. "
        f"Charts of several runs: {', '.join(charts_with('OVERLAY'))}.",
    )
    add = parser.add_argument
    add("runs", metavar="RUN", type=Path, nargs="*", action="extend", help=f"{RUN_HELP}; at most {MOST_RUNS}")
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
        choices=charts_with(),
        help="draw only this chart; repeatable",
    )
    add(
        "--format",
        metavar="LIST",
        type=_formats,
        default=("svg", "png"),
        help="write these of svg, png, pdf; default: svg,png",
    )
    add("--theme", choices=THEMES, default="light", help="choose the charts' colours; default: light")
    add(
        "--size",
        choices=(TALK, PAPER, PORTRAIT),
        default=TALK,
        help="choose the size: talk (default), a slide of 16:9; paper, a column of 8 cm, with letters of 6 points or more; "
        f"portrait, a page of A3 to print, only of {', '.join(charts_with('HAS_PORTRAIT'))}",
    )
    add(
        "--out", metavar="DIR", type=output_folder, help="write to this folder; default: the folder figures beside the first run"
    )
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    return make_parser().parse_args(arguments)


def _formats(text: str) -> tuple[str, ...]:
    formats = tuple(dict.fromkeys(text.split(",")))
    if not set(formats) <= set(FORMATS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of {', '.join(FORMATS)}, separated by commas")
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
    folder = options.out or try_default(runs[0].path.parent / "figures", try_folder, "--out")
    from suite import charts  # takes a second, which --help and errors do not need
    from suite.charts.across import overlay

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
    if options.size != PORTRAIT:
        return
    with_portrait = charts_with("HAS_PORTRAIT")
    lacking = [name for name in options.chart or () if name not in with_portrait]
    if lacking or len(options.runs) > 1:
        subject = ", ".join(lacking) or "a chart of several runs"
        accepted = f"one run, --chart {', '.join(with_portrait)}"
        raise BadInput(f"--size {options.size}: {subject} has no portrait page; accepted: {accepted}")


def _check_overlays(options: argparse.Namespace) -> None:
    if len(options.runs) > MOST_RUNS:
        raise BadInput(f"one chart shows at most {MOST_RUNS} runs, got {len(options.runs)}")
    several = charts_with("OVERLAY")
    single = [name for name in options.chart or () if name not in several]
    if single:
        raise BadInput(f"{', '.join(single)} shows only one run; the charts of several runs are {', '.join(several)}")


if __name__ == "__main__":
    sys.exit(main())
