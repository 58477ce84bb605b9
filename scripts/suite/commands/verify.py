"""scripts/verify: does the suite measure what it says?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from suite.base.cli import ROOT, OneLineParser, add_yes, answer, console_for_progress, console_for_results
from suite.program.command import TARGETS
from suite.runner import build
from suite.runner.program import Program, ask
from suite.selfcheck import verify

PROGRAM = "scripts/verify"
STYLES = {verify.PASS: "green", verify.FAIL: "bold red", verify.SKIPPED: "yellow"}


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Tests the suite's claims about itself on this machine, in a few minutes. A claim passes, "
        "fails, or is skipped if this machine cannot test it.",
        epilog="Exit codes: 0 no claim failed, 1 a claim failed, 2 bad input or the program cannot be built.",
    )
    parser.add_argument(
        "--build", metavar="PRESET", default="release", help="build and test this CMake preset; default: release"
    )
    add_yes(parser)
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    return make_parser().parse_args(arguments)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    options = parse(arguments)
    return answer(PROGRAM, lambda: _verify(root, options.build))


def _verify(root: Path, preset: str) -> int:
    status = console_for_progress()
    program = Program(build.build(root, preset, status, beside=(verify.INDEPENDENT, *TARGETS)), "quick")
    rows = []
    with status.status("verifying") as progress_status:
        for row in verify.verify(program, ask(program)):
            rows.append(row)
            progress_status.update(Text(f"verifying: {row.claim}"))
    table = Table("claim", "verdict", "evidence", box=None, header_style="bold")
    for row in rows:
        table.add_row(Text(row.claim), Text(row.verdict, STYLES[row.verdict]), Text(row.evidence))
    console_for_results().print(table)
    return verify.exit_code(rows)


if __name__ == "__main__":
    sys.exit(main())
