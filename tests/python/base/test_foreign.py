"""Can text that is not ours harm the person, the terminal or the program that reads what we write?"""

from __future__ import annotations

import io
import json
import re
import sqlite3
import sys
import unicodedata
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from rich.table import Table as ShownTable

from suite.base import foreign
from suite.base.cli import answer, console_for_results
from suite.base.text import printable

pytestmark = pytest.mark.hostile("text that is not ours")
SUITE = Path(foreign.__file__).parents[1]

UNSEEN = {
    "terminal escape": "\x1b[2J", "link of a terminal": "\x1b]8;;http://x\x1b\\y", "clipboard": "\x1b]52;c;eA==\x07",
    "escape of one letter": "\x9b31m", "bell": "\x07", "zero": "\x00", "line": "a\nb", "return": "a\rb", "deletion": "\x7f",
    "direction": "\u202e", "end of direction": "\u202c", "isolated direction": "\u2066", "mark of direction": "\u200f",
    "Arabic mark": "\u061c", "no width": "\u200b", "joiner": "\u200d", "byte order": "\ufeff", "soft hyphen": "\u00ad",
    "separator of lines": "\u2028", "separator of paragraphs": "\u2029", "half a pair": "\ud800", "no letter": "\uffff",
    "reversed byte order": "\ufffe", "private": "\ue000", "tag": "\U000e0041", "variation": "\ufe0f", "filler": "\u3164",
    "grapheme joiner": "\u034f", "blank of Braille": "\u2800",
}  # fmt: skip
UNHARMED = ("AMD EPYC 9R14", "größer, µs", "Ядро", "核心", "e\u0301", "[bold]", "=1", "::error::", "a" * 5000)


@pytest.mark.parametrize("text", UNSEEN.values(), ids=UNSEEN)
def test_letters_that_nobody_sees_come_in_as_spaces(text: str) -> None:
    """From JSON in each form in which it can be written, and from a database."""
    document = {"key": text, f"key {text}": [{"inner": [text]}, 1, None]}
    shown = printable(text)
    assert shown.isprintable() and shown != text
    right = {"key": shown, f"key {shown}": [{"inner": [shown]}, 1, None]}
    written = json.dumps(document)
    assert foreign.read_json(written) == right
    for encoding in ("utf-8", "utf-16"):
        assert foreign.read_json(written.encode(encoding)) == right
    if not any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        assert foreign.read_json(json.dumps(document, ensure_ascii=False).encode()) == right
        with closing(sqlite3.connect(":memory:")) as base:
            base.text_factory = foreign.read_cell
            assert base.execute("SELECT ?", (text,)).fetchone() == (shown,)


@pytest.mark.parametrize("text", UNHARMED)
def test_what_a_person_sees_comes_in_as_it_is(text: str) -> None:
    assert foreign.read_json(json.dumps([text])) == [text] and printable(text) == text


def test_a_heap_of_marks_does_not_cover_the_lines_around() -> None:
    assert printable("z" + "\u0301" * 1000 + "y" + "\u0301") == "z" + "\u0301" * 4 + "y\u0301"


def test_a_deep_document_is_read_as_far_as_json_reads_it() -> None:
    document = foreign.read_json("[" * 300 + '"\\u001b"' + "]" * 300)
    for _ in range(299):
        document = document[0]
    assert document == [" "]
    assert foreign.read_json('"\\u001b"') == " "
    with pytest.raises(RecursionError):
        foreign.read_json("[" * 100_000)


@pytest.mark.parametrize("text", UNSEEN.values(), ids=UNSEEN)
def test_a_command_prints_only_what_a_person_sees(text: str) -> None:
    """Also names of files, which must stay exact until then. On a terminal, only our own colours are escapes."""

    def work() -> int:
        print(f"{text}|", end="")
        print(f"{text}|", file=sys.stderr)
        console = console_for_results()
        table = ShownTable("[bold]", text)
        table.add_row("[/x]:smile:", text)
        console.print(table)
        console.print(f"{text}[link=http://x]|")
        return 0

    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as errors:
        assert answer("scripts/x", work) == 0
    shown = printable(text, kept="\n")
    assert errors.getvalue() == f"{shown}|\n" and out.getvalue().startswith(f"{shown}|")
    assert printable(out.getvalue(), kept="\n") == out.getvalue()
    assert "[bold]" in out.getvalue() and "[/x]:smile:" in out.getvalue() and "[link=http://x]|" in out.getvalue()


LOGS = {
    "first": ("::error::x\n", ": :error::x\n"), "later": ("a\n  ::set-env name=x::y\n", "a\n  : :set-env name=x::y\n"),
    "inside": ("std::vector ::x\n", "std::vector ::x\n"), "old form": ("a ##[error]x\n", "a # #[error]x\n"),
    "Azure": ("##vso[task.x]\n", "# #vso[task.x]\n"), "heading": ("### Memory [x]\n", "### Memory [x]\n"),
}  # fmt: skip


@pytest.mark.parametrize("text, right", LOGS.values(), ids=LOGS)
@pytest.mark.parametrize("styled", [False, True])
def test_a_line_of_a_log_gives_a_forge_no_command(text: str, right: str, styled: bool) -> None:
    whole, in_letters = io.StringIO(), io.StringIO()
    foreign.Plain(whole, styled).write(text)
    stream = foreign.Plain(in_letters, styled)
    for word in text.partition("::"):
        stream.write(word)
    assert whole.getvalue() == right
    assert in_letters.getvalue() == right


FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\n=1")


@pytest.mark.parametrize("text", FORMULAS, ids=map(repr, FORMULAS))
def test_a_spreadsheet_computes_no_cell(text: str) -> None:
    written = io.StringIO()
    foreign.Table(written).write_row(["name", text, -1.5, "a=1"])
    row = written.getvalue().replace('"', "")
    assert row == f"name,'{text},-1.5,a=1\n"


def test_the_program_takes_the_same_letters_for_unseen() -> None:
    """Of those that this Python's Unicode knows."""
    written = (SUITE.parents[1] / "benchmarks" / "harness" / "printable.cpp").read_text(encoding="utf-8")
    pairs = re.findall(r"\{0x([0-9a-f]+), 0x([0-9a-f]+)\}", written)
    unseen = {code for first, last in pairs for code in range(int(first, 16), min(int(last, 16), 0xE1000) + 1)}
    assert len(pairs) > 30
    for code in (*range(0x3300), *range(0xE000, 0x11100), *range(0x13400, 0x13500), *range(0x1BC00, 0x1D200), *range(0xE0000, 0xE1000)):
        if unicodedata.category(chr(code)) not in ("Cn", "Cs"):
            assert (chr(code) != " " and not printable(chr(code)).strip()) == (code in unseen), hex(code)


# ---- there is no other way in or out


def files_with(expression: str) -> list[str]:
    """The files of the suite in which the expression is found, as often as it is found there."""
    texts = {file.relative_to(SUITE).as_posix(): file.read_text(encoding="utf-8") for file in sorted(SUITE.rglob("*.py"))}
    return [name for name, text in texts.items() for _ in re.findall(expression, text)]


def test_json_is_read_in_one_place() -> None:
    assert files_with(r"json\.loads?\(|JSONDecoder|from json") == ["base/foreign.py"]


def test_every_database_has_its_texts_read_in_one_place() -> None:
    assert set(files_with(r"\bconnect\(")) == {"history/database.py"} == set(files_with(r"\.text_factory = foreign\.read_cell\b"))


def test_csv_is_written_in_one_place() -> None:
    assert files_with(r"import csv|from csv") == ["base/foreign.py"]


def test_every_console_prints_plain_text() -> None:
    """These two write into a text, which passes the streams (formats) or is drawn (terminal: our own words)."""
    assert files_with(r"\bConsole\((?!quiet=True)") == ["gate/formats.py", "pages/terminal.py"]


def test_every_command_prints_through_answer() -> None:
    commands = [f"commands/{file.name}" for file in sorted((SUITE / "commands").glob("[a-z]*.py"))]
    assert sorted(set(files_with(r"(?m)^    return answer\(PROGRAM, |^        return answer\(PROGRAM, "))) == commands
