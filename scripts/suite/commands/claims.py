"""scripts/claims: which common claims about stack and heap hold in a run?"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from suite import claims
from suite.base.cli import RUN_HELP, SUCCESS, OneLineParser, answer, console_for_results, latest_run
from suite.base.errors import BadInput
from suite.results.read import read_run

PROGRAM = "scripts/claims"
WIDTH = 100  # of the table at most: longer lines are hard to read
STYLES = {
    claims.HOLDS: "bold green", claims.HOLDS_BUT: "bold cyan", claims.DOES_NOT_HOLD: "bold red",
    claims.UNDECIDED: "yellow", claims.NOT_MEASURED: "dim",
}  # fmt: skip


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Tests common claims about stack and heap on a run: prints for each claim the verdict (holds; "
        "holds, but; does not hold; undecided; not measured) and a sentence with the numbers that matter most.",
        epilog="Exit codes: 0 on success, whatever the verdicts; 2 on bad input, or if no claim can be judged.",
    )
    add = parser.add_argument
    add("run", metavar="RUN", type=Path, nargs="?", help=RUN_HELP)
    ids = [claim.id for claim in claims.CLAIMS]
    add(
        "--claim",
        metavar="ID",
        action="append",
        choices=ids,
        help=f"test only this claim; repeatable: {', '.join(ids)}",
    )
    add("--details", action="store_true", help="add all numbers with their intervals")
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    return make_parser().parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    return answer(PROGRAM, lambda: _print_claims(options))


def _print_claims(options: argparse.Namespace) -> int:
    run = read_run(options.run or latest_run())
    verdicts = [claim for claim in claims.verdicts(run) if claim.id in (options.claim or [claim.id])]
    if all(claim.verdict == claims.NOT_MEASURED for claim in verdicts):
        first = verdicts[0]
        raise BadInput(f"{run.path}: no claim can be judged; {first.id}, for example: {first.gist}")
    console = console_for_results()
    table = Table("", "", box=None, show_header=False, padding=(0, 2, 1, 0), width=min(console.width, WIDTH))
    for claim in verdicts:
        table.add_row(Text(claim.verdict, STYLES[claim.verdict]), _cell(claim, options.details))
    console.print(table)
    number = Counter(claim.verdict for claim in verdicts)
    console.print("; ".join(f"{verdict}: {number[verdict]}" for verdict in STYLES if number[verdict]))
    return SUCCESS


def _cell(claim: claims.ClaimVerdict, with_details: bool) -> Text:
    cell = Text(claim.statement, "bold")
    for line in filter(None, (f"But: {claim.condition}." if claim.condition else "", claim.gist)):
        cell.append(f"\n{line}", "not bold")
    if with_details and claim.details:
        cell.append(f"\n{claim.details}", "not bold dim")
    return cell


if __name__ == "__main__":
    sys.exit(main())
