"""scripts/readme: writes the documents' numbers and figures from the reference run, or checks them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from suite.base.cli import ROOT, SUCCESS, OneLineParser, answer
from suite.pages import docs

PROGRAM = "scripts/readme"
STALE = 1


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Rewrites the generated blocks of README.md and of the chapters in docs/, and "
        "results/reference/figures, from results/reference/run.json.gz. --check also names what the present program "
        "measures otherwise than the program that made that run.",
        epilog="Exit codes: 0 on success, 1 --check found a stale block, figure or reference, 2 bad input.",
    )
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--check", action="store_true", help="change nothing; name the stale blocks and figures")
    either.add_argument(
        "--refresh", metavar="RUN", type=Path, help="first make this run the reference, with its report"
    )
    either.add_argument(
        "--extend", metavar="RUN", type=Path, help="first add the families of this run that the reference lacks"
    )
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    return make_parser().parse_args(arguments)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    options = parse(arguments)
    return answer(PROGRAM, lambda: _write(root, options))


def _write(root: Path, options: argparse.Namespace) -> int:
    if options.refresh is not None:
        docs.take_as_reference(root, options.refresh)
    if options.extend is not None:
        docs.extend_reference(root, options.extend)
    only_check = options.check
    documents = docs.make(root)
    outdated = docs.outdated(root)
    stale = docs.stale(root, documents)
    if not only_check:
        docs.write(root, documents)
    for line in stale:
        print(f"{'stale' if only_check else 'refreshed'}: {line}")
    for line in outdated:
        print(f"{'stale' if only_check else 'still stale'}: {line}")
    if outdated:
        print(f"{PROGRAM}: measure a new reference with scripts/run, then scripts/readme --refresh RUN", file=sys.stderr)
    return STALE if only_check and (stale or outdated) else SUCCESS


if __name__ == "__main__":
    sys.exit(main())
