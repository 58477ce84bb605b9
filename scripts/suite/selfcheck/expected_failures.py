"""Did only those families fail that cannot run where they ran? Asked by scripts/sanitize and scripts/cross."""

from __future__ import annotations

import sys
from collections.abc import Set
from pathlib import Path

from suite.results.model import Run
from suite.results.read import read_run


def failure_lines(run: Run, expected: Set[str]) -> tuple[str, ...]:
    """A line for each reason that a family gave; those of a family that is not expected to fail begin with FAILED."""
    failed = sorted({(failure.family, failure.reason) for failure in run.failed})
    return tuple(f"{'not run' if family in expected else 'FAILED'}: {family} {reason}" for family, reason in failed)


def only_expected(run: Run, expected: Set[str]) -> bool:
    return {failure.family for failure in run.failed} <= expected


def main(file: str, families: str) -> int:
    """Of a result file and families with commas between; 0 when no other failed, else 1."""
    run, expected = read_run(Path(file)), frozenset(families.split(","))
    for line in failure_lines(run, expected):
        print(line)
    return 0 if only_expected(run, expected) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
