"""What have all commands in common? How they read their arguments, say what is wrong in one line, and end."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from suite.base.errors import BadInput, UnitFailed
from suite.base.text import one_line

ROOT = Path(__file__).resolve().parents[3]
SUCCESS, REFUSED, INTERRUPTED = 0, 2, 130
LONGEST = 4000  # letters in a line that refuses: room for a path
PLAIN_WIDTH = 140  # of the tables where there is no terminal to fit


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(REFUSED, f"{self.prog}: {one_line(message, LONGEST)} (--help lists the options)\n")


def answer(command: str, work: Callable[[], int]) -> int:
    """Does the work of a command and returns its exit code; what was wrong is one line on stderr, and the code 2."""
    try:
        return work()
    except (BadInput, UnitFailed) as problem:
        return _refuse(command, str(problem))
    except BrokenPipeError:  # who read the output has gone: nothing more to say, and nobody to say it to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        return _refuse(command, f"{where}{problem.strerror or problem}")
    except KeyboardInterrupt:
        print(f"{command}: interrupted", file=sys.stderr)
        return INTERRUPTED


def _refuse(command: str, problem: str) -> int:
    """The program's own lines pass through as they are. What a user or a file named may hold anything."""
    said = one_line(problem, LONGEST)
    print(said if said.startswith("stackheap:") else f"{command}: {said}", file=sys.stderr)
    return REFUSED


def console_for_progress() -> Console:
    return Console(stderr=True, highlight=False)


def console_for_results() -> Console:
    return Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)


def bar(status: Console) -> Progress:
    """Redrawn twice a second: each drawing takes time from what is measured."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    return Progress(*columns, console=status, disable=not status.is_terminal, transient=True, refresh_per_second=2)
