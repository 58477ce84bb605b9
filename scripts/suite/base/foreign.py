"""How does text that is not ours come in, so that no reader of it is harmed?

A result file, a history, the answer of another program may come from anywhere, and any text in it may hold letters that
move a terminal's cursor, turn the direction of a line or are not seen. All of it passes suite.base.text.printable where it
comes in. There are only two ways in, JSON (read_json) and the cells of a database (read_cell), and a test finds every other
one; the ways out are many, and each new chart, format and command adds one. Nor would it help to look at what is written:
JSON hides such letters behind \\u, and gives them back to the program that reads it.

Names of files and words of a command line must stay as they are until they are used. They pass the same function on their
way to the terminal: suite.base.cli.answer puts Plain around both streams of every command. The formats of scripts/compare
name them in files too, and use it themselves. What a format itself would read (Markdown, HTML, XML, formulas of
spreadsheets) is escaped where that format is written.
"""

from __future__ import annotations

import contextlib
import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, cast

from suite.base.text import printable

# What JSON in ASCII may hold that a person does not see: an escape, unless it is \" or \\ or \/, a deletion, and any letter
# where it is UTF-16, which has zeros.
_ESCAPE = re.compile(rb"\\[bfnrtu]|[\x7f\0]")
# A job of a forge carries lines of its log out: GitHub's `::error::` where a line begins, `##[error]` (Azure: `##vso[`)
# anywhere.
_COMMAND_OF_LOGS = re.compile(r"^([^\S\n]*):(?=:)|##(?=\w*\[)", re.MULTILINE)
_FORMULA = re.compile(r"\s*[=+@-]")  # how a cell begins that a spreadsheet computes
_KEPT = "\n\t\u00a0"  # in our own output: lines, and spaces at which a line does not break


# ---- the ways in

# What it raises to read a document that has another shape: fields are missing or of another type, numbers have no end or no
# value, lists stand in lists without end.
OTHER_SHAPE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def read_json(content: bytes | str, kept: str = "") -> Any:
    """The document, with all of its texts printable, except the letters in `kept`. Raises ValueError, RecursionError."""
    document = json.loads(content)
    written = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    return document if written.isascii() and not _ESCAPE.search(written) else printable_throughout(document, kept)


def printable_throughout(document: Any, kept: str = "") -> Any:
    """The document, changed in place, and however deep it is: that of another program has any shape."""
    top = [document]
    left: list[Any] = [top]
    while left:
        inside = left.pop()
        if isinstance(inside, dict):
            if not all(key.isascii() and key.isprintable() for key in inside):
                pairs = [(printable(key, kept=kept), value) for key, value in inside.items()]
                inside.clear()
                inside.update(pairs)
            places: Iterable[Any] = inside.items()
        else:
            places = enumerate(inside)
        for place, value in places:
            if isinstance(value, str):
                inside[place] = printable(value, kept=kept)
            elif isinstance(value, (dict, list)):
                left.append(value)
    return top[0]


def read_cell(content: bytes) -> str:
    """A text of a database."""
    return printable(content.decode(errors="replace"))


# ---- the ways out that carry names of files and words of a command line


class Plain:
    """A stream that takes only text that a person sees, and gives a forge no commands. In a `styled` stream, the text has
    passed printable already, and has the colours of rich."""

    def __init__(self, stream: TextIO, styled: bool = False) -> None:
        self.stream = stream
        self._styled = styled
        self._begins = True  # a line: only space is in it so far

    def write(self, text: str) -> int:
        plain = text if self._styled else "\n".join(printable(line, kept=_KEPT) for line in text.split("\n"))
        if plain:
            if "::" in plain or "##" in plain:
                before = "" if self._begins else "."
                plain = _COMMAND_OF_LOGS.sub(_apart, before + plain)[len(before) :]
            self.stream.write(plain)
            line = plain.rpartition("\n")
            self._begins = (self._begins or bool(line[1])) and not line[2].strip()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _apart(command: re.Match[str]) -> str:
    return "# #" if command[1] is None else f"{command[1]}: "


@contextlib.contextmanager
def plain_streams() -> Iterator[None]:
    """Everything that is printed passes Plain."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_plain(stream) for stream in (out, err))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


def _plain(stream: TextIO) -> TextIO:
    return stream if stream is None or isinstance(stream, Plain) else cast(TextIO, Plain(stream))


def styled(stream: TextIO) -> TextIO:
    """The stream for text that has passed printable, and then got colours."""
    if stream is None:  # it was closed when the command started
        return stream
    return cast(TextIO, Plain(stream.stream if isinstance(stream, Plain) else stream, styled=True))


class Table:
    """Writes CSV. Spreadsheets compute a cell that begins like a formula: an apostrophe before it makes it a text."""

    def __init__(self, stream: Any) -> None:
        self._writer = csv.writer(stream, lineterminator="\n")

    def write_row(self, cells: Iterable[object]) -> None:
        self._writer.writerow([f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell for cell in cells])
