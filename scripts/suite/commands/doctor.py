"""scripts/doctor: how fit is this machine to measure?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from suite import doctor
from suite.commands.run import ROOT, build_with_cmake, one_line_parser
from suite.program import ask, bad_input, program

STYLES = {"good": "green", "mind": "yellow", "unknown": "dim"}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = one_line_parser(
        prog="scripts/doctor",
        description="Tells how fit this machine is to measure, what that does to results, and what would change it. "
        "Changes nothing itself.",
        epilog="Exit codes: 0 told, 2 bad input or the program cannot be built.",
    )
    parser.add_argument("--build", metavar="PRESET", default="release", help="the CMake preset to ask; default: release")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    options = parse(arguments)
    try:
        executable = build_with_cmake(root, options.build, Console(stderr=True, highlight=False))
        offered = ask(program(executable, "quick"))
    except (bad_input, OSError) as problem:
        print(f"scripts/doctor: {problem}", file=sys.stderr)
        return 2
    found = doctor.examine(doctor.machine(facts=offered.context), offered.mallocs)
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    table = Table("what", "", "found", "what it does to results", "what would change it", box=None, header_style="bold")
    for each in found:
        table.add_row(each.name, f"[{STYLES[each.state]}]{each.state}[/]", each.value, each.effect, each.remedy)
    console.print(table)
    console.print(doctor.verdict(found), markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
