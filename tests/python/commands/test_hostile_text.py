"""Does any way out of the suite give its reader text that harms? Every command, in every format, reads files in which every
text is hostile, and whose names are.

The ways are held complete against the commands' own parsers; the fields are those of the files (support/hostile_text.py).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from suite.base.cli import answer, console_for_progress
from suite.commands import ci, compare, program, run
from suite.forge import comment
from suite.gate import formats
from suite.history import check as history_check
from suite.program import result
from suite.results import export
from suite.results.read import read_run
from support import ROOT, hostile_text
from support.hostile_text import SHORT, TEXT, TEXTS

pytestmark = pytest.mark.hostile("text that is not ours")


@dataclass(frozen=True)
class Way:
    """A command with its words, in which {run} and others stand for files, and what it prints."""

    words: str
    prints: str = "text"  # a key of hostile_text.CHECKS
    costly: bool = False  # draws

    @property
    def command(self) -> str:
        return self.words.split()[0]


_KINDS = {"text": "text", "markdown": "md", "json": "json", "junit": "xml", "csv": "csv"}
_EXPORTS = {name: "csv" if name == "otava" else "json" for name in export.FORMS}
WAYS = (
    Way("claims {run}"),
    Way("claims {run} --details"),
    *(Way(f"compare {{run}} {{other}} --across --allow-missing --format {form}", _KINDS[form]) for form in formats.REPORTERS),
    *(Way(f"compare --judge {{pairs}} --floors {{floors}} --format {form}", _KINDS[form]) for form in formats.REPORTERS),
    Way("compare {run} {other} --across --allow-missing --out {out}/x.md --format markdown"),
    Way("compare --judge {pairs} --chart {out}/x.svg", costly=True),
    *(Way(f"export {{run}} --to {form}", kind) for form, kind in _EXPORTS.items()),
    *(Way(f"export {{run}} --to {form} -o {{out}}/x.{kind}") for form, kind in _EXPORTS.items()),
    Way("history --file {history} add {run} --commit {text}"),
    Way("history --file {history} list"),
    Way("history --file {history} trend ."),
    Way("history --file {history} trend scoped/none --chart {out}/x.svg", costly=True),
    *(Way(f"history --file {{history}} check --allow-short --all --format {form}", _KINDS[form]) for form in history_check.FORMS),
    *(Way(f"history --file {{history}} export --format {form}{more}", form) for form in ("csv", "json") for more in ("", " --samples")),
    Way("history --file {history} annotate 1 {text}"),
    Way("history --file {history} annotate {text} why"),
    Way("history --file {history} page --out {out} --title {text}"),
    Way("plot {run} --format svg,png,pdf --out {out} --chart end_to_end --chart lifetimes --chart scoped", costly=True),
    Way("plot {run} {other} --format svg --out {out}", costly=True),
    Way("report {run} {other} -o {out}/x.html", costly=True),
    Way("run"),
    Way("program"),
    Way("ci", "md"),
)  # fmt: skip
# What these print is of this machine, of this checkout, or of files that they have measured themselves.
OWN_WORDS = ("doctor", "evaluate", "mutate", "readme", "verify")


def text_of(way: Way) -> str:
    return way.words


# ---- the list holds every way


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The words that lead to each command and sub-command, and its parser."""
    for file in sorted((ROOT / "scripts" / "suite" / "commands").glob("[a-z]*.py")):
        parser = importlib.import_module(f"suite.commands.{file.stem}").make_parser()
        inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        yield from ([(f"{file.stem} {name}", sub) for action in inner for name, sub in action.choices.items()] or [(file.stem, parser)])


def test_every_command_and_format_is_a_way() -> None:
    known = [" ".join(re.sub(r"--file \{history\} ", "", way.words).split()) for way in WAYS]
    for words, parser in parsers():
        mine = [way for way in known if way.startswith(words)]
        assert bool(mine) != (words in OWN_WORDS), words
        for action in parser._actions:
            if set(action.option_strings) & {"--format", "--to"} and action.choices and mine:
                missing = [choice for choice in action.choices if not any(f"{action.option_strings[0]} {choice}" in way for way in mine)]
                assert not missing, (words, missing)


# ---- the files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@cache
def files(folder: Path, text: str, runs: int = 3) -> dict[str, str]:
    """The files that the ways name, all of them hostile."""
    place = folder / f"{abs(hash(text))}-{runs}" / SHORT
    place.mkdir(parents=True)
    run = hostile_text.hostile_run(folder, text)
    other = {**run, "context": {**run["context"], "label": f"other {text}", "compiler": f"other {text}"}}
    return {
        "run": str(hostile_text.write_run(place / f"run {SHORT}.json", run)),
        "other": str(hostile_text.write_run(place / f"other {SHORT}.json", other)),
        "history": str(hostile_text.write_hostile_history(place / f"{SHORT}.sqlite", run, text, runs)),
        "pairs": str(hostile_text.write_hostile_pairs(place / f"pairs {SHORT}.json", text)),
        "floors": str(hostile_text.write_hostile_floors(place / f"floors {SHORT}.json", text)),
        "text": text,
    }


# ---- the ways that measure first: what they do with what was measured


class Told(dict[str, str]):
    """Facts that a program told, whatever is asked for."""

    def get(self, key: str, default: object = None) -> str:
        return TEXT

    def __missing__(self, key: str) -> str:
        return TEXT


def tell_of_run(named: Mapping[str, str], out: Path) -> int:
    read = read_run(Path(named["run"]))
    catalogue = SimpleNamespace(benchmarks=[TEXT], families=[TEXT], parts=[TEXT], context=Told())
    plan: Any = SimpleNamespace(catalogue=catalogue, program=SimpleNamespace(profile=TEXT), processes=1, order_seed=1)
    status = console_for_progress()
    run._announce(plan, out / TEXT.replace("/", ""), status)
    with run._reporting(plan, status, lambda: None) as reporter:
        part: Any = SimpleNamespace(chapter=TEXT, family=TEXT)
        reporter.begins(part, 0, 0, 10.0)
        reporter.ends(part, 0, TEXT)
        reporter.looked([TEXT], 1, 2)
    run._print_findings(read)
    run._print_claim_counts(read, Path(TEXT))
    run._print_whether_all_works(read, plan)
    return 0


def tell_of_program(named: Mapping[str, str], out: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(result, "write", lambda *_: Path(named["run"]))
    measuring = object.__new__(program._Measuring)
    state = {"folder": out, "catalogue": None, "replayed": None, "measured": None, "recorded": None, "interrupted": False,
             "options": argparse.Namespace(label=None, no_figures=True)}  # fmt: skip
    for name, value in state.items():
        object.__setattr__(measuring, name, value)
    return measuring.tell()


def tell_a_forge(named: Mapping[str, str], out: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The gate of scripts/ci, on recorded pairs, and again where it cannot judge."""
    compared, sent = compare.main, list[str]()

    def judge(words: Sequence[str]) -> int:
        given = [word for word in words if word.startswith(("--format", "--out"))]
        return compared([*given, f"--judge={named['pairs']}"])

    monkeypatch.setattr(compare, "main", judge)

    def send(*words: str, content: str = "") -> str:
        sent.append(content)
        return ""

    monkeypatch.setattr(comment, "_gh", send)
    environment = {
        "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(out / "event"), "GH_TOKEN": "x",
        "GITHUB_REPOSITORY": "o/r", "GITHUB_SHA": "0", "GITHUB_STEP_SUMMARY": str(out / "summary.md"),
        "GITHUB_OUTPUT": str(out / "outputs.text"), "STACKHEAP_OLD": "a.so", "STACKHEAP_NEW": "b.so",
        "STACKHEAP_OUT": str(out / "results"), "STACKHEAP_LABEL": TEXT.replace("\ud800", ""),
    }  # fmt: skip
    event = {"pull_request": {"number": 7, "head": {"repo": {"full_name": "o/r"}}}}
    (out / "event").write_text(json.dumps(event))
    code = ci.main([], environment)
    (body,) = [json.loads(content)["body"] for content in sent if content]
    hostile_text.check_markdown(body.partition("\n")[2])
    assert body.partition("\n")[0].count("<!--") == body.partition("\n")[0].count("-->") == 1
    assert len((out / "outputs.text").read_text().splitlines()) == 2
    (out / "event").unlink()
    (out / "outputs.text").rename(out / "outputs.md")
    return code


def walk(way: Way, named: Mapping[str, str], out: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Goes the way, and checks all that comes out of it. Returns what was printed."""
    out.mkdir()
    if "history" in named:
        copied = out.with_name(f"{SHORT}.sqlite")  # the way may write into it
        copied.write_bytes(Path(named["history"]).read_bytes()) if Path(named["history"]).exists() else None
        named = {**named, "history": str(copied)}
    calls: Mapping[str, Callable[[], int]] = {
        "run": lambda: answer("scripts/run", lambda: tell_of_run(named, out)),
        "program": lambda: answer("scripts/program", lambda: tell_of_program(named, out, monkeypatch)),
        "ci": lambda: tell_a_forge(named, out, monkeypatch),
    }
    words = [word.format(out=out, **named) for word in way.words.split()]
    call = calls.get(way.command) or (lambda: int(importlib.import_module(f"suite.commands.{way.command}").main(words[1:])))
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(io.StringIO()) as errors:
        try:
            code = call()
        except SystemExit as end:
            code = int(end.code or 0)
    assert code in (0, 1, 2)
    hostile_text.check_terminal(errors.getvalue())
    if printed.getvalue():
        hostile_text.CHECKS[way.prints](printed.getvalue())
    for file in sorted(file for file in out.rglob("*") if file.is_file()):
        hostile_text.check_file(file)
    return printed.getvalue() + errors.getvalue()


CHEAP = [way for way in WAYS if not way.costly]


@pytest.mark.parametrize("way", CHEAP, ids=text_of)
def test_no_way_out_gives_text_that_harms(way: Way, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walk(way, files(folder, TEXT), tmp_path / "out", monkeypatch)


# ---- the whole product, at night


@pytest.mark.nightly
@pytest.mark.parametrize("way", [way for way in WAYS if way.costly], ids=text_of)
def test_no_picture_and_no_page_gives_text_that_harms(
    way: Way, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk(way, files(folder, TEXT, 20), tmp_path / "out", monkeypatch)
    assert list((tmp_path / "out").iterdir())


@pytest.mark.nightly
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("way", WAYS, ids=text_of)
def test_no_kind_of_text_alone_gets_out(
    way: Way, text: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Together, one may hide another: a name that a label cuts off shows only its beginning."""
    walk(way, files(folder, text, 20), tmp_path / "out", monkeypatch)


@pytest.mark.nightly
@pytest.mark.parametrize("way", [way for way in CHEAP if "{run}" in way.words or way.command in ("run", "program")], ids=text_of)
def test_no_field_alone_gets_out(way: Way, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Together, some make the others unread: a processor count that is no number, a verdict that does not exist."""
    sound = hostile_text.write_run(tmp_path / "sound.json", hostile_text.sound_run())
    for number, place in enumerate(hostile_text.places_of_run()):
        document = hostile_text.with_text(hostile_text.sound_run(), TEXT, place.__eq__)
        run = hostile_text.write_run(tmp_path / "hostile.json", document)
        named = {"run": str(run), "other": str(sound), "history": str(tmp_path / f"{number}.sqlite"), "text": "text"}
        walk(way, named, tmp_path / f"out{number}", monkeypatch)
