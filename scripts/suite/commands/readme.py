"""scripts/readme: writes the README's numbers and figures from the reference run, or checks them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from suite import readme, results
from suite.commands.run import REFUSED, ROOT, SUCCESS, one_line_parser

STALE = 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = one_line_parser(
        prog="scripts/readme",
        description="Rewrites the generated blocks of README.md and results/reference/figures from "
        "results/reference/run.json.",
        epilog="Exit codes: 0 all is fresh, 1 --check found something stale, 2 bad input.",
    )
    parser.add_argument("--check", action="store_true", help="change nothing; name what is stale")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    options = parse(arguments)
    try:
        made = readme.make(root)
        stale = readme.stale(root, made)
        if not options.check:
            readme.write(root, made)
    except (results.bad_result, readme.bad_readme) as problem:
        return _refuse(str(problem))
    except OSError as problem:
        return _refuse(f"{problem.filename}: {problem.strerror}" if problem.filename else str(problem))
    for line in stale:
        print(f"{'stale' if options.check else 'refreshed'}: {line}")
    return STALE if stale and options.check else SUCCESS


def _refuse(problem: str) -> int:
    print(f"scripts/readme: {problem}", file=sys.stderr)
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
