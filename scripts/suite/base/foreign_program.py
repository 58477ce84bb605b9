"""How does a command run a program that is not ours, such as git or objdump, which may be missing, hang, or leave processes?

Programs whose time is the measurement, or which the user watches, are started elsewhere; a test names those places.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from suite.base.errors import BadInput
from suite.base.text import first_line

ENDING_SECONDS = 5.0  # in which the kernel ends a killed program


class NoAnswer(BadInput):
    """The program is not installed, cannot be run, or did not end in time."""


@dataclass(frozen=True)
class Answer:
    """What a program said until it ended. Letters that are not UTF-8 are replaced."""

    exit_code: int  # negative: the signal that ended the program
    output: str
    errors: str


def run_foreign(
    words: Sequence[str | Path], seconds: float, *, stdin: str = "", folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Answer:  # fmt: skip
    """Runs a program, which reads the text `stdin`. Raises NoAnswer. After `seconds`, or an interrupt, the program is killed
    with all that it has started. It has no terminal, so nothing waits for somebody who types."""
    try:
        child = subprocess.Popen(
            [str(word) for word in words], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
    except OSError as problem:
        missing = isinstance(problem, FileNotFoundError) and "/" not in str(words[0])
        reason = "is not installed" if missing else f"cannot be run ({first_line(problem)})"
        raise NoAnswer(f"{words[0]} {reason}") from None
    try:
        output, errors = child.communicate(stdin.encode(errors="surrogateescape"), timeout=seconds)
    except subprocess.TimeoutExpired:
        raise NoAnswer(f"{' '.join(map(str, words[:2]))} did not end within {seconds:g} s") from None
    finally:
        if child.returncode is None:
            _kill(child)
    return Answer(child.wait(), output.decode(errors="replace"), errors.decode(errors="replace"))


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Kills it with all that it has started in its session. It is not reaped before, so its number is still its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    with contextlib.suppress(subprocess.TimeoutExpired):  # it waits for a disk that does not answer
        child.wait(ENDING_SECONDS)
