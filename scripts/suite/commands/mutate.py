"""scripts/mutate: do the tests notice when the code is wrong?"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from suite.base.cli import (
    REFUSED,
    ROOT,
    SUCCESS,
    OneLineParser,
    answer,
    bar,
    console_for_progress,
    console_for_results,
    output_folder,
    pattern_of,
)
from suite.base.errors import BadInput
from suite.selfcheck import mutate
from suite.selfcheck.mutate import CAUGHT, SURVIVED, UNBUILT, Mutant, Outcome

PROGRAM = "scripts/mutate"
ONE_SURVIVED = 1
STYLES = {CAUGHT: "green", SURVIVED: "bold red", UNBUILT: "yellow"}


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Breaks a copy of the project in each of the ways (mutants) in tests/mutants/, builds it, and "
        "checks whether the tests that must notice fail.",
        epilog="Exit codes: 0 all mutants are caught, 1 a mutant survives, 2 bad input: also if a mutant no longer "
        "applies to the code or does not build, or its tests fail on the unchanged code.",
    )
    parser.add_argument("--only", metavar="REGEX", default="", help="try only mutants whose name or file matches")
    parser.add_argument(
        "--list", action="store_true", help="list the mutants and check that they apply, without trying them"
    )
    parser.add_argument(
        "--all", action="store_true", help="run all tests on each mutant, not only the tests that must notice"
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="try N mutants at a time; default: one a processor")
    parser.add_argument(
        "--folder", metavar="DIR", type=output_folder,
        help="write the copies to this folder, and keep them for the next time; default: a temporary folder",
    )  # fmt: skip
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    return make_parser().parse_args(arguments)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    options = parse(arguments)
    # A shell ignores interrupts in a command that it starts in the background, and tests of interrupts would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return answer(PROGRAM, lambda: _mutate(options, root))


def _mutate(options: argparse.Namespace, root: Path) -> int:
    mutants = _selected(mutate.read_mutants(root), options.only)
    if options.list:
        mutate.expect_to_apply(root, mutants)
        console_for_results().print(_listed(mutants))
        return SUCCESS
    if options.jobs is not None and options.jobs < 1:
        raise BadInput(f"--jobs takes a number from 1, got {options.jobs}")
    jobs = options.jobs or len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary, _progress(len(mutants)) as report:
        folder = options.folder or Path(temporary)
        outcomes = mutate.try_all(root, mutants, folder, sys.executable, jobs, options.all, report)
    console_for_results().print(_outcome_table(outcomes))
    return _exit_code(outcomes)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[Outcome], None]]:
    status = console_for_progress()
    if not status.is_terminal:

        def print_uncaught(
            outcome: Outcome,
        ) -> None:  # at once: an interrupted run prints no table
            if outcome.verdict != CAUGHT:
                status.print(f"{outcome.verdict}: {outcome.mutant.breaks}")

        yield print_uncaught
        return
    with bar(status) as progress_bar:
        task = progress_bar.add_task("mutants", total=total, left="")
        yield lambda outcome: progress_bar.update(task, advance=1, left=f"{outcome.verdict}: {outcome.mutant.breaks}")


def _selected(mutants: Sequence[Mutant], only: str) -> list[Mutant]:
    pattern = pattern_of(only)
    matching = [mutant for mutant in mutants if pattern.search(mutant.breaks) or pattern.search(mutant.file)]
    if not matching:
        raise BadInput(f"--only {only}: no mutant's name or file matches (--list shows all)")
    return matching


def _listed(mutants: Sequence[Mutant]) -> Table:
    table = Table("file", "what it breaks", "noticed by", box=None, header_style="bold")
    for mutant in mutants:
        table.add_row(*map(Text, (mutant.file, mutant.breaks, mutant.noticed_by)))
    return table


def _outcome_table(outcomes: Sequence[Outcome]) -> Table:
    """The mutants that were caught in brief, the others with all evidence."""
    counts = {verdict: sum(outcome.verdict == verdict for outcome in outcomes) for verdict in STYLES}
    caption = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    table = Table(
        box=None, header_style="bold", caption=f"{len(outcomes)} mutants: {caption}", caption_justify="left",
        pad_edge=False, expand=True,
    )  # fmt: skip
    table.add_column("verdict", no_wrap=True)
    table.add_column("what it breaks", min_width=40)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("evidence", ratio=1)  # the rest of the width
    for outcome in outcomes:
        text = outcome.evidence or f"{outcome.mutant.file}: {outcome.mutant.noticed_by} did not notice"
        verdict = Text(outcome.verdict, STYLES[outcome.verdict])
        in_brief = outcome.verdict == CAUGHT
        evidence = Text(text.removeprefix("FAILED "), no_wrap=in_brief, overflow="ellipsis" if in_brief else "fold")
        table.add_row(verdict, Text(outcome.mutant.breaks), f"{outcome.seconds:.1f}", evidence)
    return table


def _exit_code(outcomes: Sequence[Outcome]) -> int:
    if any(outcome.verdict == UNBUILT for outcome in outcomes):
        return REFUSED
    return ONE_SURVIVED if any(outcome.verdict == SURVIVED for outcome in outcomes) else SUCCESS


if __name__ == "__main__":
    sys.exit(main())
