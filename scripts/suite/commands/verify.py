"""scripts/verify: the suite's proof of itself."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from suite import verify
from suite.commands.run import ROOT, build_with_cmake, one_line_parser
from suite.program import ask, bad_input, program

STYLES = {verify.SHOWN: "green", verify.FAILED: "bold red", verify.UNKNOWN: "yellow"}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = one_line_parser(
        prog="scripts/verify",
        description="Puts the suite's claims about itself to the test on this machine, in under two minutes.",
        epilog="Exit codes: 0 no row failed, 1 a row failed, 2 bad input or the program cannot be built.",
    )
    parser.add_argument("--build", metavar="PRESET", default="release", help="the CMake preset to test; default: release")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    options = parse(arguments)
    status = Console(stderr=True, highlight=False)
    try:
        executable = build_with_cmake(root, options.build, status)
        chosen = program(executable, "quick")
        offered = ask(chosen)
        rows = []
        with status.status("verifying") as shown:
            for row in verify.verify(chosen, offered):
                rows.append(row)
                shown.update(f"verifying: {row.claim}")
    except (bad_input, OSError) as problem:
        print(f"scripts/verify: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    table = Table("claim", "verdict", "evidence", box=None, header_style="bold")
    for row in rows:
        table.add_row(row.claim, Text(row.verdict, STYLES[row.verdict]), Text(row.evidence))
    Console(width=None if sys.stdout.isatty() else 140, highlight=False).print(table)
    return verify.exit_code(rows)


if __name__ == "__main__":
    sys.exit(main())
