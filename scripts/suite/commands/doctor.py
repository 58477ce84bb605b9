"""scripts/doctor: how fit is this machine to measure?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from suite.base.cli import ROOT, SUCCESS, OneLineParser, add_yes, answer, console_for_progress, console_for_results
from suite.runner import build, doctor
from suite.runner.program import Program, ask

PROGRAM = "scripts/doctor"
STYLES = {"good": "green", "mind": "yellow", "unknown": "dim"}


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Shows how fit this machine is to measure, how that affects results, and how to change it. Changes "
        "no setting itself.",
        epilog="Exit codes: 0 on success, 2 bad input or the program cannot be built.",
    )
    parser.add_argument(
        "--build", metavar="PRESET", default="release", help="use the program of this CMake preset; default: release"
    )
    add_yes(parser)
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    return make_parser().parse_args(arguments)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    options = parse(arguments)
    return answer(PROGRAM, lambda: _print_diagnoses(root, options.build))


def _print_diagnoses(root: Path, preset: str) -> int:
    catalogue = ask(Program(build.build(root, preset, console_for_progress()), "quick"))
    diagnoses = doctor.examine(doctor.SystemView(facts=catalogue.context, timer=catalogue.timer), catalogue.mallocs)
    console = console_for_results()
    table = Table("condition", "", "value", "effect on results", "remedy", box=None, header_style="bold")
    for diagnosis in diagnoses:
        cells = (diagnosis.name, diagnosis.value, diagnosis.effect, diagnosis.remedy)
        name, value, effect, remedy = (Text(cell) for cell in cells)
        table.add_row(name, Text(diagnosis.state, STYLES[diagnosis.state]), value, effect, remedy)
    console.print(table)
    console.print(doctor.verdict(diagnoses))
    return SUCCESS


if __name__ == "__main__":
    sys.exit(main())
