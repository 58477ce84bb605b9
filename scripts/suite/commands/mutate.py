"""scripts/mutate: do the tests notice when the code is wrong?"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from suite.base.cli import REFUSED, ROOT, SUCCESS, OneLineParser, answer, bar, console_for_progress, console_for_results
from suite.base.errors import BadInput
from suite.selfcheck import mutate
from suite.selfcheck.mutate import CAUGHT, SURVIVED, UNBUILT, Mutant, Outcome

PROGRAM = "scripts/mutate"
ONE_SURVIVED = 1
STYLES = {CAUGHT: "green", SURVIVED: "bold red", UNBUILT: "yellow"}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Breaks a copy of the project in each of the ways that stand in tests/mutants/, builds it, and "
        "looks whether the tests that must notice do.",
        epilog="Exit codes: 0 all are caught, 1 a mutant survives, 2 bad input: also when one no longer applies to "
        "the code, does not build, or its tests fail on the code as it is.",
    )
    parser.add_argument("--only", metavar="REGEX", default="", help="the mutants whose name or file has a match")
    parser.add_argument("--list", action="store_true", help="list the mutants, see that they apply, and try none")
    parser.add_argument("--all", action="store_true", help="run all tests on each, not only those that must notice")
    parser.add_argument("--jobs", type=int, metavar="N", help="how many at a time; default: one a processor")
    parser.add_argument("--folder", type=Path, help="keep the copies here for the next time; default: a temporary one")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    options = parse(arguments)
    # A shell starts what it puts into the background with interrupts ignored, and the tests of interrupts would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return answer(PROGRAM, lambda: _mutate(options, root))


def _mutate(options: argparse.Namespace, root: Path) -> int:
    chosen = _chosen(mutate.read_mutants(root), options.only)
    if options.list:
        mutate.expect_to_apply(root, chosen)
        console_for_results().print(_listed(chosen))
        return SUCCESS
    if options.jobs is not None and options.jobs < 1:
        raise BadInput(f"--jobs {options.jobs}: at least one is needed")
    jobs = options.jobs or len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary, _progress(len(chosen)) as tell:
        folder = options.folder or Path(temporary)
        found = mutate.try_all(root, chosen, folder, sys.executable, jobs, options.all, tell)
    console_for_results().print(_told(found))
    return _exit_code(found)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[Outcome], None]]:
    status = console_for_progress()
    if not status.is_terminal:

        def tell(each: Outcome) -> None:  # at once: what is told at the end is lost when it does not come to that
            if each.verdict != CAUGHT:
                status.print(f"{each.verdict}: {each.mutant.breaks}", markup=False)

        yield tell
        return
    with bar(status) as shown:
        task = shown.add_task("mutants", total=total, left="")
        yield lambda each: shown.update(task, advance=1, left=f"{each.verdict}: {each.mutant.breaks}")


def _chosen(mutants: Sequence[Mutant], only: str) -> list[Mutant]:
    try:
        wanted = re.compile(only)
    except re.error as problem:
        raise BadInput(f"--only {only}: {problem}") from None
    found = [one for one in mutants if wanted.search(one.breaks) or wanted.search(one.file)]
    if not found:
        raise BadInput(f"--only {only}: no mutant has such a name or file (--list shows all)")
    return found


def _listed(mutants: Sequence[Mutant]) -> Table:
    table = Table("file", "what it breaks", "noticed by", box=None, header_style="bold")
    for one in mutants:
        table.add_row(*map(Text, (one.file, one.breaks, one.noticed_by)))
    return table


def _told(found: Sequence[Outcome]) -> Table:
    """The caught in brief, the others with what is known of them."""
    counts = {verdict: sum(each.verdict == verdict for each in found) for verdict in STYLES}
    caption = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    table = Table(
        box=None, header_style="bold", caption=f"{len(found)} mutants: {caption}", caption_justify="left", pad_edge=False,
        expand=True,
    )  # fmt: skip
    table.add_column("verdict", no_wrap=True)
    table.add_column("what it breaks", min_width=40)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("evidence", ratio=1)  # what the others leave
    for each in found:
        said = each.evidence or f"{each.mutant.file}: {each.mutant.noticed_by} did not notice"
        verdict = Text(each.verdict, STYLES[each.verdict])
        in_brief = each.verdict == CAUGHT
        evidence = Text(said.removeprefix("FAILED "), no_wrap=in_brief, overflow="ellipsis" if in_brief else "fold")
        table.add_row(verdict, Text(each.mutant.breaks), f"{each.seconds:.1f}", evidence)
    return table


def _exit_code(found: Sequence[Outcome]) -> int:
    if any(each.verdict == UNBUILT for each in found):
        return REFUSED
    return ONE_SURVIVED if any(each.verdict == SURVIVED for each in found) else SUCCESS


if __name__ == "__main__":
    sys.exit(main())
