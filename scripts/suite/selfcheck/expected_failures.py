"""Did only the expected families fail? scripts/sanitize and scripts/cross ask it, where some families cannot run."""

from __future__ import annotations

import sys
from collections.abc import Set
from pathlib import Path

from suite.results.model import Run
from suite.results.read import read_run


def failure_lines(run: Run, expected: Set[str]) -> tuple[str, ...]:
    """A line for each reason of a failure; the line begins with FAILED if the family is not expected to fail."""
    failed = sorted({(failure.family, failure.reason) for failure in run.failed})
    return tuple(f"{'not run' if family in expected else 'FAILED'}: {family} {reason}" for family, reason in failed)


def only_expected(run: Run, expected: Set[str]) -> bool:
    return {failure.family for failure in run.failed} <= expected


def main(file: str, families: str) -> int:
    """Takes a result file and the expected families, separated by commas. Returns 1 if another family failed, else 0."""
    run, expected = read_run(Path(file)), frozenset(families.split(","))
    for line in failure_lines(run, expected):
        print(line)
    return 0 if only_expected(run, expected) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
