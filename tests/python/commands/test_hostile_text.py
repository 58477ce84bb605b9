"""Does any way out of the suite give its reader text that harms? Every command, in every format, reads files in which every
text is hostile, and whose names are.

The ways are held complete against the commands' own parsers; the fields are those of the files (support/hostile_text.py).
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import inspect
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

from suite.base import foreign
from suite.base.cli import answer, bar, console_for_progress
from suite.commands import ci, compare
from suite.commands import doctor as doctor_command
from suite.commands import mutate as mutate_command
from suite.commands import program, readme, run
from suite.commands import verify as verify_command
from suite.forge import comment
from suite.gate import formats
from suite.history import check as history_check
from suite.pages import docs
from suite.program import pairs, recording, result
from suite.program.command import Command
from suite.results import export
from suite.results.read import read_run
from suite.runner import build, doctor
from suite.runner.program import Malloc
from suite.selfcheck import gate_error_rates, mutate, verify
from support import ROOT, hostile_text, made_up_profile
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
    Way("program --recording"),
    Way("ci", "md"),
    Way("doctor"),
    Way("verify"),
    Way("evaluate --from {evaluation} --suites 1", "md", costly=True),
    Way("evaluate --from {evaluation} --suites 1 --write {out}/page.md", costly=True),
    Way("mutate --list"),
    Way("mutate --jobs 1"),
    Way("readme --refresh {run}", costly=True),
)  # fmt: skip


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
        assert mine, words
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
        "evaluation": str(hostile_text.write_hostile_evaluation(place / f"evaluation {SHORT}.json", text)),
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


def tell_of_recording(named: Mapping[str, str], out: Path) -> int:
    """A recording whose process, command line and file have hostile names, and a run that ends in a hostile way."""
    text = named["text"]
    described = hostile_text.with_text(made_up_profile.document(), text, lambda place: place[0] == "command")
    profile = foreign.read_json(json.dumps(described))  # as the program's answer is read
    command = Command((f"./{text}", text))
    seen: Any = SimpleNamespace(ended_itself=False, past=f"ended with {text}")
    files = [Path(f"{text}.shr"), Path("another.shr")]
    notes = [note for ended in ("most", "disk") for note in recording._notes(command, seen, files, 2000, {**profile, "ended": ended})]
    recorded = recording.Recorded((files[0],), profile, f"it cannot be replayed: {text}", tuple(notes), f"{command.name} {text}")
    status = console_for_progress()
    status.print(f"recording {command.text}")
    with bar(status) as shown:
        program._Runs(status, shown, command.name)(pairs.Progress(text, 1, 1, 1.0))
        plan: Any = SimpleNamespace(processes=1, catalogue=SimpleNamespace(parts=[text]))
        program._Replays(plan, status, shown).ends(SimpleNamespace(chapter=text, family=text), 0, text)  # type: ignore[arg-type]
    measuring = object.__new__(program._Measuring)
    folder, replayed = out.with_name("kept"), json.loads(Path(named["run"]).read_text())
    folder.mkdir()
    state = {"folder": folder, "catalogue": None, "replayed": replayed, "measured": None, "recorded": recorded, "interrupted": False,
             "options": argparse.Namespace(label=None, no_figures=True)}  # fmt: skip
    for name, value in state.items():
        object.__setattr__(measuring, name, value)
    return measuring.tell()


def tell_of_machine(named: Mapping[str, str], out: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A system, a program and mallocs that say whatever they want."""
    text = named["text"]
    lists = [Malloc(text, text, text, reason, text, True, changes) for reason in ("", text) for changes in ("", text)]
    listed = foreign.printable_throughout([dataclasses.asdict(malloc) for malloc in lists])  # as the program's answer is read
    mallocs = [Malloc(**fields) for fields in listed]
    monkeypatch.setattr(build, "build", lambda *_, **__: Path(text))
    monkeypatch.setattr(doctor_command, "ask", lambda _: SimpleNamespace(context=Told(), timer=None, mallocs=mallocs))
    monkeypatch.setattr(doctor.SystemView, "text", lambda view, path: text)
    monkeypatch.setattr(doctor.SystemView, "texts", lambda view, pattern: [text])
    return doctor_command.main([])


def tell_of_suite(named: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Programs that say whatever they want while they are tested."""
    text = named["text"]
    monkeypatch.setattr(build, "build", lambda *_, **__: Path(text))
    monkeypatch.setattr(verify_command, "ask", lambda _: None)
    monkeypatch.setattr(verify, "verify", lambda *_: [verify.Row(text, verdict, text) for verdict in verify_command.STYLES])
    return verify_command.main([])


def tell_of_mutants(words: Sequence[str], named: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Mutants, and tests of them, with hostile names and evidence."""
    text = named["text"]
    mutants = [mutate.Mutant(text, text, text, f"{text}x", text)]
    monkeypatch.setattr(mutate, "read_mutants", lambda root: mutants)
    monkeypatch.setattr(mutate, "expect_to_apply", lambda root, mutants: None)
    monkeypatch.setattr(mutate, "try_all", lambda root, mutants, folder, python, jobs, run_all, report: [
        outcome for verdict in mutate_command.STYLES for evidence in ("", text)
        for outcome in [mutate.Outcome(mutants[0], verdict, 1.0, evidence)] if report(outcome) is None])  # fmt: skip
    return mutate_command.main(words)


def tell_in_documents(named: Mapping[str, str], out: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A project whose reference becomes a hostile run, and whose page has every block."""
    monkeypatch.setattr(docs, "HERO", "end_to_end")  # the run has too little for the poster
    monkeypatch.setattr(docs, "HERO_LOOKS", {})
    root = out.with_name("root")
    (root / "benchmarks").mkdir(parents=True)
    (root / docs.PROGRAM).write_text("set(STACKHEAP_FORMAT 7)\n")
    blocks = re.findall(r'^        "([\w ]+)": ', inspect.getsource(docs._blocks), re.MULTILINE)
    assert "machine" in blocks and "families" in blocks
    own = ("from bare", "gate", "programs", "hostile inputs")  # are of other files of the project
    page = "".join(f"<!-- generated: {block} -->\n<!-- end -->\n\n" for block in blocks if block not in own)
    (root / docs.README).write_text(page)
    code = readme.main(["--refresh", named["run"]], root)
    assert code == 0
    written = (root / docs.README).read_text()
    hostile_text.check_markdown(re.sub(r' alt="[^"]*"', "", written))  # Markdown does not read an attribute of HTML
    for file in (root / docs.FIGURES).iterdir():
        hostile_text.check_file(file)
    return code


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
        "program --recording": lambda: answer("scripts/program", lambda: tell_of_recording(named, out)),
        "ci": lambda: tell_a_forge(named, out, monkeypatch),
        "doctor": lambda: tell_of_machine(named, out, monkeypatch),
        "verify": lambda: tell_of_suite(named, monkeypatch),
        "mutate --list": lambda: tell_of_mutants(words[1:], named, monkeypatch),
        "mutate --jobs 1": lambda: tell_of_mutants(words[1:], named, monkeypatch),
        "readme --refresh {run}": lambda: tell_in_documents(named, out, monkeypatch),
    }
    words = [word.format(out=out, **named) for word in way.words.split()]
    if "/page.md" in way.words:
        (out / "page.md").write_text(f"<!-- generated: {gate_error_rates.BLOCK_NAME} -->\n<!-- end -->\n")
    call = calls.get(way.words) or (lambda: int(importlib.import_module(f"suite.commands.{way.command}").main(words[1:])))
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


ON_TERMINAL = [way for way in CHEAP if way.command in ("run", "program", "doctor", "verify", "mutate", "claims")]


@pytest.mark.parametrize("way", ON_TERMINAL, ids=text_of)
def test_no_bar_and_no_colour_of_a_terminal_reads_text(
    way: Way, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal there are bars, which are drawn anew, and colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    style = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[1A|\x1b\[2K|\r")
    monkeypatch.setattr(hostile_text, "CHECKS", {"text": lambda text: hostile_text.check_terminal(style.sub("", text))})
    checked = hostile_text.check_terminal
    monkeypatch.setattr(hostile_text, "check_terminal", lambda text: checked(style.sub("", text)))
    walk(way, files(folder, TEXT), tmp_path / "out", monkeypatch)


# ---- the whole product, at night


@pytest.mark.nightly
@pytest.mark.parametrize("way", [way for way in WAYS if way.costly], ids=text_of)
def test_no_picture_and_no_page_gives_text_that_harms(
    way: Way, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk(way, files(folder, TEXT, 20), tmp_path / "out", monkeypatch)
    assert list((tmp_path / "out").iterdir()) or "{out}" not in way.words


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
