"""Do options, runs and wrong words mean the same in every command?"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from suite import claims as all_claims
from suite.base import cli, near_misses
from suite.base.foreign_program import Answer
from suite.commands import claims, compare, export, history, plot, program, report, run
from suite.results.compact import write_compact
from support import ROOT, synthetic

Main = Callable[[Sequence[str]], int]

COMMANDS = sorted(file.stem for file in (ROOT / "scripts/suite/commands").glob("[a-z]*.py"))


# ---- thresholds


@pytest.mark.parametrize(
    ("text", "share"), [("2%", 0.02), ("0.02", 0.02), ("0.5%", 0.005), ("100%", 1.0), ("2.50%", 0.025)]
)
def test_a_threshold_is_written_as_percent_or_as_share(text: str, share: float) -> None:
    assert cli.threshold(text) == pytest.approx(share, rel=1e-12)


@pytest.mark.parametrize("command", [(compare.main, "a", "b"), (history.main, "check")])
@pytest.mark.parametrize("text", ["2", "1", "1.0", "0", "0%", "101%", "-1%", "nan", "inf%", "1e-2", "1_0%", "%", ""])
def test_anything_else_is_refused_by_every_command_with_what_is_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[Main, str], text: str
) -> None:
    main, *words = command
    with pytest.raises(SystemExit) as end:
        main([*words, f"--threshold={text}"])
    line = capsys.readouterr().err
    assert end.value.code == 2 and line.count("\n") == 1
    assert f"--threshold: {text!r} is not a share: write 2% or 0.02" in line


@pytest.mark.parametrize(
    ("parse", "words"), [(history.parse, ["check"]), (history.parse, ["trend", "x"])]
)
def test_every_command_reads_the_same_share(parse: Callable[[Sequence[str]], object], words: list[str]) -> None:
    for text in ("2%", "0.02"):
        assert vars(parse([*words, "--threshold", text]))["threshold"] == 0.02
        assert compare.parse(["a", "b", "--threshold", text, "--threshold", f"^x/={text}"]).threshold == [("", 0.02), ("^x/", 0.02)]


# ---- which run is read

READ_A_RUN: dict[str, tuple[Main, tuple[str, ...]]] = {
    "claims": (claims.main, ()),
    "export": (export.main, ("--to", "bencher")),
    "history": (history.main, ("--file", "/nowhere/history.sqlite", "add")),
    "plot": (plot.main, ()),
    "report": (report.main, ()),
}


@pytest.mark.parametrize("name", READ_A_RUN)
def test_without_a_run_a_command_reads_the_latest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setattr(cli, "LATEST", tmp_path / "latest")
    main, words = READ_A_RUN[name]
    assert main(words) == 2
    missing = f"scripts/{name}: results/latest does not exist: measure with scripts/run, or name a run\n"
    assert capsys.readouterr().err == missing
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest/run.json").write_text("[]")
    assert main(words) == 2
    assert f"scripts/{name}: {tmp_path}/latest/run.json: is JSON, but not a result" in capsys.readouterr().err


def test_a_run_is_its_folder_its_file_or_the_latest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a run"
    folder.mkdir()
    write_compact(folder / "run.json.gz", synthetic.document(keep=lambda name: name.startswith("churn/")))
    monkeypatch.setattr(cli, "LATEST", folder)
    printed = []
    for words in ((), (str(folder),), (str(folder / "run.json.gz"),)):
        assert export.main(["--to", "bencher", *words]) == 0
        printed.append(capsys.readouterr().out)
    assert len(set(printed)) == 1 and "churn/" in printed[0]


# ---- what is written to

OUTPUTS = (cli.output_file, cli.output_folder, cli.output_chart)


def options_of(name: str) -> Iterator[tuple[list[str], argparse.Action]]:
    """Every option of a command, with the words before it."""
    parser = importlib.import_module(f"suite.commands.{name}").make_parser()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, chosen in action.choices.items():
                yield from (([word], each) for each in chosen._actions)
        elif action.option_strings:
            yield [], action


DESTINATIONS = [
    pytest.param(name, before, action, id=" ".join((name, *before, action.option_strings[-1])))
    for name in COMMANDS
    for before, action in options_of(name)
    if action.type in OUTPUTS
]


def test_every_option_that_names_an_output_tries_it() -> None:
    writing = re.compile(r"(also )?(draw|write|put)\b.*\b(to|into|here)\b")
    untried = [
        (name, action.option_strings[-1])
        for name in COMMANDS
        for _, action in options_of(name)
        if action.metavar in ("FILE", "DIR", "PAGE") and writing.match(str(action.help)) and action.type not in OUTPUTS
    ]
    assert untried == [("ci", "--out")]  # it also comes from the environment, and is tried when all is read
    assert len(DESTINATIONS) == 13


@pytest.mark.hostile("disk fault")
@pytest.mark.parametrize("place", ["", "a file/x", "/proc/x", "n" * 300, "n" * 300 + "/x", "loop", "pipe"], ids=lambda text: text[:12] or "empty")
@pytest.mark.parametrize(("name", "before", "action"), DESTINATIONS)
def test_an_impossible_output_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: str, before: list[str], action: argparse.Action, place: str,
) -> None:  # fmt: skip
    """An empty name would be the current folder, and a pipe without a reader be waited for. The message names the option and
    what the user wrote."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    os.mkfifo("pipe.svg")
    (tmp_path / "a file").touch()
    written = f"{place}.svg" if place and action.type is cli.output_chart else place
    (tmp_path / "loop.svg").symlink_to("loop.svg")
    (tmp_path / "loop").symlink_to("loop")
    before_it = sorted(tmp_path.iterdir())
    main = importlib.import_module(f"suite.commands.{name}").main
    with pytest.raises(SystemExit) as end:
        main([*before, action.option_strings[-1], written])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    chart = action.type is cli.output_chart
    reason = f"{written!r} cannot be written to (" if written else "'' does not end in" if chart else "'' is empty: name a "
    assert f": argument {'/'.join(action.option_strings)}: {reason}" in line
    assert sorted(tmp_path.iterdir()) == before_it


@pytest.mark.hostile("disk fault")
@pytest.mark.parametrize(
    ("command", "option", "place"),
    [
        ((report.main,), "--out", "report.html"),
        ((plot.main, "--chart", "churn"), "--out", "figures"),
        ((history.main, "--file", "run.json.gz/h.sqlite", "add"), "--file", "run.json.gz/h.sqlite"),
    ],
    ids=("report", "plot", "history"),
)
def test_a_default_place_that_is_impossible_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    command: tuple[Main, str], option: str, place: str,
) -> None:  # fmt: skip
    main, *words = command
    monkeypatch.chdir(tmp_path)
    write_compact(tmp_path / "run.json.gz", synthetic.document(keep=lambda name: name.startswith("churn/")))

    def read_only(path: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    for module in (report, plot, history):
        for tried in ("try_file", "try_folder"):
            monkeypatch.setattr(module, tried, read_only, raising=False)
    assert main([*words, "run.json.gz"]) == 2
    line = capsys.readouterr().err
    assert line.endswith(f"{place} cannot be written to (Read-only file system): name another place with {option}\n")


# ---- help


def test_help_fits_the_terminal_and_names_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "62")
    listed = claims.make_parser().format_help()
    assert [claim.id for claim in all_claims.CLAIMS if claim.id not in listed] == []
    explained = compare.make_parser().format_help().partition("OLD and NEW are two builds")[2].splitlines()
    assert max(map(len, explained)) in range(50, 61) and explained.count("") == 4
    assert re.search(r"^  otava +CSV with one row a run", export.make_parser().format_help(), re.MULTILINE)


# ---- near misses


@pytest.mark.parametrize(
    ("main", "words", "message"),
    [
        (plot.main, ["--chart", "cost_64"], "invalid choice: 'cost_64'; did you mean cost_64b? (--help"),
        (claims.main, ["--claim", "Stack-Faster"], "; did you mean stack-is-faster? (--help"),
        (plot.main, ["--theme", "drak"], "invalid choice: 'drak'; did you mean dark? (choose from 'light', 'dark')"),
        (plot.main, ["--theme", "blue"], "invalid choice: 'blue' (choose from 'light', 'dark')"),
        (compare.main, ["a", "b", "--tresholds=2%"], "--tresholds=2%; did you mean --threshold?"),
        (history.main, ["chek"], "invalid choice: 'chek'; did you mean check? (choose from 'add', "),
        (history.main, ["check", "--alow-short"], "--alow-short; did you mean --allow-short?"),
        (history.main, ["list", "--alow-short"], "unrecognized arguments: --alow-short (--help"),
        (history.main, ["add", "--format=json"], "unrecognized arguments: --format=json; --format goes with check, export (--help"),
        (plot.main, ["a", "--them", "dark", "-x"], "unrecognized arguments: -x (--help"),
        (program.main, ["ls", "--pairs", "3", "a"], "unrecognized arguments: a (--help"),  # is it an argument of ls?
        (run.main, ["smoke"], "unrecognized arguments: smoke; did you mean --profile smoke? (--help"),
        (run.main, ["smokes"], "unrecognized arguments: smokes (--help"),
    ],
)
def test_a_wrong_word_is_answered_with_the_word_that_was_probably_meant(
    capsys: pytest.CaptureFixture[str], main: Main, words: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    error = capsys.readouterr().err
    assert end.value.code == 2 and error.count("\n") == 1
    assert message in error


EXPRESSIONS = {"open": "(", "nested": "(" * 5000 + "x" + ")" * 5000, "repeated": "a{99999999999999999999}", "bytes": "(?L)a",
               "no name": "\\N{x}", "endless look": "(?<=a+)b"}  # fmt: skip


@pytest.mark.hostile("text that is not ours")
@pytest.mark.parametrize("text", EXPRESSIONS.values(), ids=EXPRESSIONS)
@pytest.mark.parametrize("words", ["compare a b --threshold TEXT=2%", "history check --only TEXT",
                                   "history annotate 1 x --only TEXT", "mutate --list --only TEXT"])  # fmt: skip
def test_what_is_no_expression_is_refused_in_one_line(capsys: pytest.CaptureFixture[str], words: str, text: str) -> None:
    command, *rest = words.split()
    try:
        code = importlib.import_module(f"suite.commands.{command}").main([word.replace("TEXT", text) for word in rest])
    except SystemExit as end:
        code = end.code
    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2 and "regular expression" in line


# ---- the order of the words


@pytest.mark.parametrize("name", COMMANDS)
def test_what_takes_many_words_takes_them_on_both_sides_of_an_option(name: str) -> None:
    """OLD --only REGEX NEW. The words of a program's command stay together: an option between them may be the program's."""
    parser = importlib.import_module(f"suite.commands.{name}").make_parser()
    parsers = {(): parser} | {(word,): chosen for word, chosen in parser._sub_commands().items()}
    for before, inner in parsers.items():
        for action in inner._get_positional_actions():
            if action.nargs != "*" or action.metavar == "COMMAND":
                continue
            needed = [word for other in inner._actions if other.required and other.option_strings
                      for word in (other.option_strings[0], str(next(iter(other.choices or ("x",)))))]  # fmt: skip
            option = next(other for other in inner._actions if other.metavar in ("FILE", "DIR") and other.type is not None)
            words = ["a", *needed, option.option_strings[0], "x.svg", "b", "-"]
            taken = [getattr(parser.parse_args([*before, *all_words]), action.dest)
                     for all_words in (words, [*words, "--", "-c"])]  # fmt: skip
            assert [[str(word) for word in values] for values in taken] == [["a", "b", "-"], ["a", "b", "-", "-c"]]


def test_a_sub_command_takes_the_options_of_its_command() -> None:
    parser = history.make_parser()
    shared = [action for action in parser._actions if action.option_strings and action.nargs != 0]
    assert [action.dest for action in shared] == ["file"]
    mores: dict[str, list[str]] = {"add": ["x"], "trend": ["x"], "annotate": ["1", "x"], "list": []}
    for command, more in mores.items():
        for words in (["--file", "x", command, *more], [command, "--file=x", *more], [command, *more, "--file", "x"],
                      ["--file", "y", command, *more, "--file", "x"]):  # fmt: skip
            assert parser.parse_args(words).file == Path("x")
    assert set(parser._sub_commands()) == {
        command for command, inner in parser._sub_commands().items() if "--file" in inner._option_string_actions
    }
    assert parser.parse_args(["list"]).file == ROOT / "results/history.sqlite"


@pytest.mark.parametrize(
    ("expression", "guess"),
    [
        ("^scopd/", "; did you mean scoped?"),
        (r"\bscoped/jemaloc/", "; did you mean jemalloc?"),
        ("^scoped/jemalloc/bytes:128", ""),  # every word is known, and no benchmark has all of them
        ("^wholly_unlike/", ""),
    ],
)
def test_an_expression_without_a_match_is_answered_with_a_name_like_it(expression: str, guess: str) -> None:
    names = ("scoped/jemalloc/bytes:64", "scoped/glibc/bytes:64", "churn/glibc/live:100")
    assert near_misses.in_expression(expression, names) == guess


# ---- the version


def version_of(name: str) -> None:
    with pytest.raises(SystemExit) as end:
        importlib.import_module(f"suite.commands.{name}").main(["--version"])
    assert end.value.code == 0


def test_a_command_says_the_version_and_the_revision(capfd: pytest.CaptureFixture[str]) -> None:
    version_of("claims")
    number = re.search(r"^project\(stackheap VERSION (\S+) ", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)
    assert number
    line = capfd.readouterr().out
    assert re.fullmatch(rf"scripts/claims \(stackheap\) {re.escape(number[1])}, revision [\w./-]+\n", line)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_asks_for_its_version(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    asked: list[str] = []

    def ask(words: Sequence[str], seconds: float) -> Answer:
        asked.append(words[-1])
        return Answer(0, "", "")

    monkeypatch.setattr(cli, "run_foreign", ask)
    version_of(name)
    assert asked == [f"scripts/{name}"]


def test_every_shell_script_says_its_version(tmp_path: Path) -> None:
    """These need no Python, so they ask the same script themselves."""
    files = [file for file in (ROOT / "scripts").iterdir() if file.is_file()]
    scripts = [file for file in files if not re.search("^exec .*suite/launch", file.read_text(), re.MULTILINE)]
    assert sorted(file.name for file in scripts) == ["cross", "lint", "sanitize", "setup", "test"]
    for file in scripts:
        done = subprocess.run([file, "--version"], capture_output=True, text=True, timeout=60, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"scripts/{file.name} (stackheap) ")


# ---- what is loaded

LOADED = """
import importlib, sys
measured, record, *names = sys.argv[1:]
def loaded():  # numpy alone is a module that is not loaded yet
    return sorted({"jinja2", "matplotlib", "numpy"} & {name.partition(".")[0] for name in sys.modules if "." in name})
commands = {name: importlib.import_module(f"suite.commands.{name}") for name in names}
for command in commands.values():
    try:
        command.main(["--help"])
    except SystemExit:
        pass
print("loaded by help:", *loaded())
claims, compare, export, history = (commands[name] for name in ("claims", "compare", "export", "history"))
export.main(["--to", "bencher", measured])
claims.main([measured])
compare.main([measured, measured])
for words in (["add", measured], ["list"], ["check", "--allow-short"]):
    history.main(["--file", record, *words])
print("loaded by text:", *loaded())
"""


def test_commands_that_print_text_load_nothing_that_draws(tmp_path: Path) -> None:
    measured = tmp_path / "run.json.gz"
    write_compact(measured, synthetic.document(keep=lambda name: name.startswith(("churn/", "scoped/"))))
    command = [sys.executable, "-c", LOADED, str(measured), str(tmp_path / "history.sqlite"), *COMMANDS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    for printed in ("churn/glibc", "not measured: ", "worse", "added", *(f"usage: scripts/{name} " for name in COMMANDS)):
        assert printed in done.stdout
    assert "\nloaded by help:\n" in done.stdout and done.stdout.endswith("\nloaded by text: numpy\n")


@pytest.mark.nightly
def test_the_library_that_draws_says_nothing_without_a_home(tmp_path: Path) -> None:
    """It would say that it makes its list of fonts, and that it has no folder to keep the list in."""
    write_compact(tmp_path / "run.json.gz", synthetic.document(keep=lambda name: name.startswith("churn/")))
    command = [sys.executable, "-m", "suite.commands.plot", str(tmp_path), "--chart", "churn", "--format", "svg"]
    without = {name: value for name, value in os.environ.items() if name not in ("MPLCONFIGDIR", "XDG_CACHE_HOME")}
    environment = {**without, "PYTHONPATH": str(ROOT / "scripts"), "HOME": "/proc/nowhere", "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path}/figures/churn.svg\n", "")
    assert list(tmp_path.glob("stackheap-*/matplotlib/fontlist-*.json"))
