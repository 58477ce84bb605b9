"""Can any input make a command fail in an undocumented way? Damaged results, records and arguments.

STACKHEAP_FUZZ=1000 tries more inputs. Each fault that was found has a test of its own here.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import gzip
import importlib
import io
import json
import math
import os
import random
import re
import resource
import shlex
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suite.base.errors import BadInput
from suite.commands import claims, compare, evaluate, export, history, plot, report, run
from suite.gate import formats
from suite.history import database
from suite.results import export as exporting
from suite.results.model import LEAST_FIGURE, MOST_FIGURE
from suite.results.read import MOST_VALUES, read_run
from suite.runner import build, scheduler
from suite.runner.program import Program, ask
from support import ROOT, fake_program, hostile_text, made_up_profile, synthetic

pytestmark = pytest.mark.slow  # tries many examples on every command

EXAMPLES = int(os.environ.get("STACKHEAP_FUZZ", "60"))
FUZZED = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MOST_OUTPUT = 10_000_000

# Text in a file or from a user that may be misread: by readers, terminals, pages, databases and paths.
HOSTILE: tuple[Any, ...] = (
    None, [], {}, True, -1, 0, 1e308, 5e-324, math.inf, math.nan, 10**30, 2**63, "", "..", "../../escaped", "/etc/escaped",
    "<script>alert(1)</script>", "\x1b[2J", "|a|`b`|", "'; DROP TABLE run;--", "a" * 10_000, "\u202eabc", "\ud800", "\x00",
    "a\nb", "[bold]x[/bold][/x]", "$\\frac{", "%s{0}", "9" * 400, "2026-13-45T99:99", [[1] * 5], {"a": {"b": 1}},
)  # fmt: skip
DEGENERATE = ("bytes:0", "bytes:-1", "bytes:1e9", "bytes:", f"bytes:{2**64}", "bytes:999999999999999999", "threads:0",
              "threads:999999999999999999", "bytes:8/bytes:16")  # fmt: skip
EXTREME = (0, -1.0, 5e-324, LEAST_FIGURE, 1.0, MOST_FIGURE, 1.7e308, 10**400, math.nan, math.inf)
Main = Callable[[list[str]], int]


@cache
def sound() -> str:
    """A small run, as JSON, from which the tests below start."""
    few = re.compile(r"(scoped/.*/bytes:64/|private/|latency/|overhead/)")
    return json.dumps(synthetic.document(mallocs=2, processes=5, keep=lambda name: few.match(name) is not None))


def places(inside: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a document; of long lists, the first few."""
    keys = inside if isinstance(inside, dict) else range(min(3, len(inside))) if isinstance(inside, list) else ()
    for key in keys:
        yield (*at, key)
        yield from places(inside[key], (*at, key))


@cache
def all_places() -> tuple[tuple[Any, ...], ...]:
    return tuple(places(json.loads(sound())))


def damage(document: Any, at: tuple[Any, ...], kind: str, value: Any) -> None:
    *way, last = at
    inside = document
    for key in way:
        inside = inside[key]
    if kind == "drop":
        del inside[last]
    elif kind == "rename" and isinstance(inside, dict):
        inside[str(value)] = inside.pop(last)
    else:
        inside[last] = copy.deepcopy(value)


@st.composite
def damaged_runs(draw: st.DrawFn) -> Any:
    document = json.loads(sound())
    if draw(st.booleans()):  # a whole benchmark, or family, under a hostile name
        old = draw(st.sampled_from(["scoped", "private", "glibc", "64", "threads:1", "bytes:64"]))
        new = str(draw(st.sampled_from((*HOSTILE, *DEGENERATE))))
        for row in document["benchmarks"]:
            row["run_name"] = row["name"] = row["run_name"].replace(old, new)
    if draw(st.booleans()):  # a figure of a whole series, malloc or family
        rows_of = draw(st.sampled_from([".*", "scoped/", "scoped/glibc/", "[a-z_]+/glibc/", "[a-z_]+/none/", "overhead/"]))
        key = draw(st.sampled_from(["real_time", "cpu_time", "ns_per_addition", "ns_per_eight_additions", "page_faults"]))
        figures = draw(st.lists(st.sampled_from(EXTREME), min_size=1, max_size=3))
        for row in document["benchmarks"]:
            if re.match(rows_of, row["run_name"]):
                row[key] = figures[row.get("repetition_index", 0) % len(figures)]
    for at, way, value in draw(st.lists(st.tuples(st.sampled_from(all_places()), st.sampled_from(["set", "set", "drop", "rename"]),
                                                  st.sampled_from(HOSTILE)), max_size=4)):  # fmt: skip
        with contextlib.suppress(KeyError, IndexError, TypeError):  # an earlier damage took the place away
            damage(document, at, way, value)
    return document


def answered(main: Main, words: list[str], codes: frozenset[int] = frozenset({0, 2})) -> str:
    """Checks that the command ends with a documented code, and prints one line if it refuses; returns its output."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # as numpy's of a number that left its range
        try:
            code = main(words)
        except SystemExit as end:
            code = int(end.code or 0)
    assert code in codes, (code, words, err.getvalue())
    errors = err.getvalue()
    if code == 2 and not out.getvalue() and "--out" not in words:  # compare tells there why it cannot judge
        assert len(errors.splitlines()) == 1 and errors.isprintable() is False and errors[:-1].isprintable(), (words, errors)
    assert "Traceback" not in errors and len(out.getvalue()) + len(errors) < MOST_OUTPUT
    return out.getvalue()


# ---- results


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the commands work; no file may appear outside `inner`."""
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    (inner / "sound.json").write_text(sound())
    return inner


def assert_nothing_escaped(folder: Path) -> None:
    assert [file.name for file in folder.parent.iterdir()] == ["inner"]
    assert [file.name for file in folder.parent.parent.iterdir()] == ["outer"]
    assert not Path("/etc/escaped").exists()


@pytest.mark.hostile("result file")
@settings(FUZZED, max_examples=max(6, EXAMPLES // 2))
@given(document=damaged_runs(), form=st.sampled_from(["text", "markdown", "json", "junit"]),
       to=st.sampled_from(["google-benchmark", "github-action-benchmark", "bencher", "otava", "otava-config"]))  # fmt: skip
def test_a_damaged_run_is_read_or_refused_by_every_command(folder: Path, document: Any, form: str, to: str) -> None:
    Path("run.json").write_text(json.dumps(document))
    answered(claims.main, ["run.json"])
    any_verdict = frozenset({0, 1, 2})
    answered(compare.main, ["sound.json", "run.json", "--across", "--allow-missing", "--format", form], any_verdict)
    answered(compare.main, ["run.json", "sound.json", "--format", form, "--out", "compared"], any_verdict)
    answered(export.main, ["run.json", "--to", to])
    answered(history.main, ["--file", "kept.sqlite", "add", "run.json"])
    answered(history.main, ["--file", "kept.sqlite", "list"])
    answered(history.main, ["--file", "kept.sqlite", "export"])
    answered(history.main, ["--file", "kept.sqlite", "check", "--allow-short"], any_verdict)
    answered(history.main, ["--file", "kept.sqlite", "trend", "."])
    answered(history.main, ["--file", "kept.sqlite", "page", "--out", "site"])
    assert_nothing_escaped(folder)


@pytest.mark.hostile("result file")
@settings(FUZZED, max_examples=max(6, EXAMPLES // 10))
@given(document=damaged_runs(), name=st.sampled_from(["scoped", "private", "latency", "cost_64b", "overhead"]))
def test_a_damaged_run_is_drawn_or_refused(folder: Path, document: Any, name: str) -> None:
    Path("run.json").write_text(json.dumps(document))
    answered(plot.main, ["run.json", "--format", "svg", "--chart", name])
    if name == "scoped":
        answered(plot.main, ["sound.json", "run.json", "--format", "svg", "--chart", name])
        answered(report.main, ["run.json", "--out", "page.html"])
    assert_nothing_escaped(folder)
    for chart_file in folder.glob("figures/*.svg"):
        assert "<script" not in chart_file.read_text()


@pytest.mark.hostile("text that is not ours")
def test_a_hostile_run_makes_a_page_of_text(folder: Path) -> None:
    document = json.loads(sound())
    for at in all_places():
        if at[0] == "context" and isinstance(at[-1], str):
            with contextlib.suppress(KeyError, IndexError, TypeError):
                if isinstance(document["context"].get(at[1]), str):
                    document["context"][at[1]] = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    document["context"]["suite_version"] = "1"
    for row in document["benchmarks"]:
        row["run_name"] = row["name"] = row["run_name"].replace("glibc", "<img src=x onerror=alert(1)>")
    Path("run.json").write_text(json.dumps(document))
    answered(report.main, ["run.json", "-o", "page.html"])
    page = Path("page.html").read_text()
    assert "onerror" in page and not re.search(r"<(img|script)[^>]*(onerror|alert)|<script>alert", page)


@pytest.mark.hostile("result file")
def test_an_invalid_number_in_the_context_is_refused(folder: Path) -> None:
    """JSON has no such number, so a command that copies the context could not write it."""
    for number in ("NaN", "Infinity", "1e999"):
        Path("run.json").write_text(sound().replace('"num_cpus": 2', f'"num_cpus": {number}'))
        for main, words in ((export.main, ["run.json", "--to", "github-action-benchmark"]), (claims.main, ["run.json"])):
            with contextlib.redirect_stderr(io.StringIO()) as errors:
                assert main(words) == 2
            assert errors.getvalue().endswith(": run.json: has a value in its context that is not a finite number\n")


@pytest.mark.hostile("result file")
def test_an_expression_in_a_file_cannot_take_for_ever(folder: Path) -> None:
    document = json.loads(sound())
    for unit in document["context"]["suite"]["units"]:
        unit.update(part="(.*)*(.*)*!", disturbed=True, reasons=["x"])
    Path("run.json").write_text(json.dumps(document))
    before = time.process_time()
    run = read_run(Path("run.json"))
    assert all(run.disturbed_processes(benchmark) for benchmark in run.series())
    assert time.process_time() - before < 5


@pytest.mark.hostile("size")
def test_the_largest_file_that_is_read_fits_a_gigabyte_or_two(tmp_path: Path) -> None:
    """The worst content of so many values: only empty lists."""
    file = tmp_path / "run.json"
    file.write_text("[" + "[]," * (MOST_VALUES // 3 - 2) + "[]]")
    code = f"import sys; sys.path[:0] = {sys.path!r}; from suite.commands import claims; sys.exit(claims.main([{str(file)!r}]))"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    errors = child.stderr.read()
    child.stderr.close()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert (child.returncode, errors) == (2, f"scripts/claims: {file}: is JSON, but not a result: not an object\n")
    assert used.ru_maxrss < 1 << 20


# ---- records


@cache
def sound_record(folder: Path) -> bytes:  # a folder is one test's
    for number in range(3):
        document = json.loads(sound())
        document["context"]["date"] = f"2026-01-0{number + 2}T03:04:05+00:00"
        (folder / "run.json").write_text(json.dumps(document))
        answered(history.main, ["--file", str(folder / "sound.sqlite"), "add", str(folder / "run.json")])
    answered(history.main, ["--file", str(folder / "sound.sqlite"), "annotate", "1", "said"])
    return (folder / "sound.sqlite").read_bytes()


@FUZZED
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["bytes", "cut", "page"]))
def test_a_damaged_record_is_read_or_refused(folder: Path, seed: int, kind: str) -> None:
    draw, content = random.Random(seed), bytearray(sound_record(folder))
    if kind == "cut":
        del content[draw.randrange(len(content)) :]
    elif kind == "page":
        at = draw.randrange(0, len(content), 4096)
        content[at : at + 4096] = draw.randbytes(4096)
    else:
        for _ in range(draw.choice([1, 10, 1000])):
            content[draw.randrange(len(content))] = draw.randrange(256)
    for left in folder.glob("kept.sqlite*"):  # a journal that the example before left would be of this one
        left.unlink()
    Path("kept.sqlite").write_bytes(bytes(content))
    for words in (["list"], ["trend", "."], ["export"], ["export", "--samples"], ["check", "--allow-short"],
                  ["annotate", "2", "x"], ["add", "sound.json"]):  # fmt: skip
        answered(history.main, ["--file", "kept.sqlite", *words], frozenset({0, 1, 2}))


@pytest.mark.hostile("result file")
def test_a_few_bytes_that_would_fill_the_memory_are_refused(folder: Path) -> None:
    Path("kept.sqlite").write_bytes(sound_record(folder))
    bomb = zlib.compress(bytes(database.MOST_BYTES + 1))
    with contextlib.closing(sqlite3.connect("kept.sqlite")) as record:
        record.execute("UPDATE run SET samples = ?, medians = ?", (bomb, bomb))
        record.commit()
    for words in (["export"], ["export", "--samples"], ["check"], ["trend", "."]):
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            assert history.main(["--file", "kept.sqlite", *words]) == 2
        assert errors.getvalue() == "scripts/history: kept.sqlite: is damaged (cut off, or too large)\n"


@pytest.mark.hostile("history")
@pytest.mark.parametrize("text", [value for value in HOSTILE if isinstance(value, str)])
def test_the_record_contains_only_text(folder: Path, text: str) -> None:
    record = ["--file", "kept.sqlite"]
    answered(history.main, [*record, "add", "sound.json", "--commit", text])
    answered(history.main, [*record, "annotate", "1", text])
    answered(history.main, [*record, "annotate", text, "x"])
    answered(history.main, [*record, "trend", text])
    answered(history.main, [*record, "export", "--like", text])
    errors = answered(history.main, [*record, "list"])
    assert "\x1b" not in errors and "\u202e" not in errors
    assert "sound" not in errors and history.main([*record, "export"]) == 0  # the tables are still there


# ---- every file that a command reads

# By the kind of the file. FILE stands for it, or for a folder with it; the other files are sound.
READS: Mapping[str, tuple[str, ...]] = {
    "run": (
        "claims FILE --details",
        "compare FILE sound.json --across",
        *(f"compare sound.json FILE --across --allow-missing --format {form}" for form in formats.REPORTERS),
        *(f"export FILE --to {form}" for form in exporting.FORMS),
        "history add FILE --file kept.sqlite",
        "history add sound.json --reference FILE --file kept.sqlite",
        *(f"history {words} --file kept.sqlite" for words in ("list", "check --allow-short", "trend .", "export", "page --out site")),
        "plot FILE --chart scoped --chart end_to_end --chart lifetimes --format svg --out charts",
        "plot sound.json FILE --chart scoped --format svg --out charts",
        "report FILE -o page.html",
        "readme --refresh FILE",
        "readme --extend FILE",
    ),
    "history": tuple(
        f"history {words} --file FILE"
        for words in ("list", "add sound.json", "annotate 1 x", "check", "trend .", "export --samples", "page --out site")
    ),
    "pairs": (
        *(f"compare --judge FILE --strict --format {form}" for form in formats.REPORTERS),
        "compare --judge FILE --chart chart.svg",
    ),
    "floors": ("compare --judge pairs.json --floors FILE",),
    "evaluation": ("evaluate --from FILE --suites 1",),
    "page": ("evaluate --from evaluation.json --suites 1 --check FILE", "evaluate --from evaluation.json --suites 1 --write FILE"),
    "plan": ("run --resume --no-figures --refine 0 --out FILE",),
    "recording": ("program --recording FILE --no-figures --out answer",),
}
# Options that name a file which the command only hands on.
HANDED_ON = {"program --stdin": "is the input of the user's program"}


LINES = [line for lines in READS.values() for line in lines if "FILE" in line]


def test_every_file_that_a_command_reads_is_damaged_here() -> None:
    """An option or an argument that takes a path, and is not an output, names a file to read."""
    read = set()
    for line in LINES:
        command, *words = line.split()
        given = importlib.import_module(f"suite.commands.{command}").make_parser().parse_args(words)
        read |= {(command, name) for name, value in vars(given).items() if "FILE" in re.findall(r"\w+", str(value))}
    for file in (ROOT / "scripts/suite/commands").glob("[a-z]*.py"):
        parser = importlib.import_module(f"suite.commands.{file.stem}").make_parser()
        for action in (action for inner in (parser, *parser._sub_commands().values()) for action in inner._actions):
            names_a_file = action.type is Path or action.type is None and action.metavar in ("FILE", "OLD NEW")
            name = f"{file.stem} {(action.option_strings or [action.dest])[-1]}"
            if names_a_file and file.stem != "ci":  # which hands on all that it is given to the commands here
                assert ((file.stem, action.dest) in read) != (name in HANDED_ON), name


@pytest.fixture
def readable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a sound file of each kind, in which no command builds."""
    for kind in ("pairs", "floors", "evaluation"):
        (folder / f"{kind}.json").write_text(sound_documents()[kind])
    monkeypatch.setattr(build, "build", lambda *_, **__: write_answering(folder))
    return folder


def write_answering(folder: Path) -> Path:
    """A program that describes a recording in the words of its file, and cannot replay it."""
    program = folder / "stackheap"
    if not program.exists():
        (folder / "list").write_text(json.dumps(fake_program.catalogue(re.compile("^traverse/"))))
        program.write_text(f"""#!/bin/sh
            case $1 in --list=json) cat {folder}/list ;; --describe-recording=*) cat "${{1#*=}}" ;; *) exit 2 ;; esac""")
        program.chmod(0o755)
    return program


@cache
def sound_documents() -> Mapping[str, str]:
    """A small sound document, as JSON, of each kind that is one."""
    packed = {name: gzip.decompress((ROOT / file).read_bytes()) for name, file in
              {"evaluation": "results/evaluation/recording.json.gz", "program": "results/programs/xz.json.gz"}.items()}  # fmt: skip
    evaluation = json.loads(packed["evaluation"])
    evaluation["turns"] = {condition: turns[:1] for condition, turns in evaluation["turns"].items()}
    with tempfile.TemporaryDirectory() as name:
        pairs = hostile_text.write_hostile_pairs(Path(name, "pairs"), "x").read_text()
        floors = hostile_text.write_hostile_floors(Path(name, "floors"), "x").read_text()
    plan = scheduler.PlanRecord("0", "smoke", None, (), 1, "0", 1, (), None)
    return {
        "run": sound(), "program": packed["program"].decode(), "pairs": pairs, "floors": floors, "evaluation": json.dumps(evaluation),
        "plan": json.dumps(dataclasses.asdict(plan)), "recording": json.dumps(made_up_profile.document()),
    }  # fmt: skip


def read_with(line: str, file: Path, content: bytes, codes: frozenset[int] = frozenset({0, 1, 2})) -> None:
    """Checks that a command which reads this content in a file ends as it documents."""
    command, *words = line.split()
    if command == "run":  # which reads more files of the folder once the plan is sound
        file.mkdir(exist_ok=True)
    (file / scheduler.PLAN_FILE if command == "run" else file).write_bytes(content)
    main = importlib.import_module(f"suite.commands.{command}").main
    if command in ("run", "program", "readme"):
        main = partial(main, root=file.parent)
    answered(main, [str(file) if word == "FILE" else word for word in words], codes)


# Each is damaged, whatever it should be.
DAMAGED: Mapping[str, bytes] = {
    "empty": b"", "spaces": b" \n ", "bytes": bytes(range(256)), "cut off": b'{"context": {"date": "2026', "null": b"null",
    "a list": b"[]", "an object": b"{}", "a text": b'"x"', "no number": b"NaN", "endless number": b"1e999",
    "long number": b"9" * 5000, "nested lists": b"[" * 100_000, "nested objects": b'{"a":' * 100_000,
    "half a pair": b'{"context": "\\ud800"}', "UTF-16": '{"context": []}'.encode("utf-16"), "packed nothing": gzip.compress(b""),
    "packed and cut off": gzip.compress(bytes(5000))[:20], "a database": b"SQLite format 3\0" + bytes(4080),
}  # fmt: skip


@pytest.mark.nightly
@pytest.mark.hostile("result file")
@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("line", LINES)
def test_what_is_no_file_of_its_kind_is_refused(readable: Path, line: str, content: bytes) -> None:
    begins = not content and line == "history add sound.json --file FILE"  # an empty file is the beginning of a history
    read_with(line, readable / "damaged", content, frozenset({0 if begins else 2}))


@pytest.mark.hostile("result file")
@pytest.mark.parametrize("content", ["bytes", "nested objects", "endless number", "an object"])
@pytest.mark.parametrize("line", ["claims FILE --details", "compare --judge FILE --strict --format text", "history list --file FILE",
                                  "run --resume --no-figures --refine 0 --out FILE", "evaluate --from FILE --suites 1"])  # fmt: skip
def test_what_is_no_file_of_its_kind_is_refused_by_its_reader(folder: Path, line: str, content: str) -> None:
    read_with(line, folder / "damaged", DAMAGED[content], frozenset({2}))


@st.composite
def damaged_documents(draw: st.DrawFn) -> tuple[str, Any]:
    kind = draw(st.sampled_from(sorted(sound_documents())))
    document = json.loads(sound_documents()[kind])
    at = st.sampled_from(list(places(document)))
    for place, way, value in draw(st.lists(st.tuples(at, st.sampled_from(["set", "set", "drop", "rename"]), st.sampled_from(HOSTILE)),
                                           min_size=1, max_size=3)):  # fmt: skip
        with contextlib.suppress(KeyError, IndexError, TypeError):  # an earlier damage took the place away
            damage(document, place, way, value)
    return kind, document


@pytest.mark.nightly
@settings(FUZZED)
@given(damaged=damaged_documents())
def test_a_damaged_document_is_read_or_refused_by_every_command(readable: Path, damaged: tuple[str, Any]) -> None:
    kind, document = damaged
    Path("kept.sqlite").unlink(missing_ok=True)
    for line in READS["run" if kind == "program" else kind]:
        read_with(line, readable / "damaged.json" if kind != "plan" else readable / "plan", json.dumps(document).encode())
    assert_nothing_escaped(readable)


OUT_OF_RANGE = ("Infinity", "1e999", "NaN", "-1e999", "9" * 400, "[" * 50_000)


@pytest.mark.hostile("recorded pairs")
@pytest.mark.parametrize("number", OUT_OF_RANGE, ids=lambda text: str(text)[:9])
@pytest.mark.parametrize("name", ["seed", "planned"])
def test_a_number_out_of_range_damages_pairs(folder: Path, name: str, number: str) -> None:
    content = re.sub(rf'"{name}": \w+', f'"{name}": {number}', sound_documents()["pairs"], count=1)
    assert number in content
    read_with("compare --judge FILE", folder / "pairs.json", content.encode(), frozenset({0, 1, 2}) if number[0] == "9" else frozenset({2}))


# ---- the arguments of a command

OPTIONS: dict[str, tuple[Main, list[str]]] = {
    "claims": (claims.main, ["--claim"]),
    "compare": (compare.main, ["--threshold", "--only", "--format", "--out", "--chart", "--theme", "--across", "--strict",
                               "--judge", "--floors", "--seed", "--pairs", "--env", "--bisect", "--allow-missing"]),
    "export": (export.main, ["--to", "-o"]),
    "history": (history.main, ["--file", "add", "list", "trend", "check", "export", "annotate", "--like", "--last", "--only",
                               "--commit", "--reference", "--threshold", "--format", "--samples", "--chart"]),
    "plot": (plot.main, ["--chart", "--theme", "--size"]),
    "report": (report.main, []),
    "evaluate": (evaluate.main, ["--from", "--check", "--suites", "--seed"]),
}  # fmt: skip
WORDS = st.one_of(
    st.sampled_from(["missing.json", ".", "sound.json", "", "-", "--", "-1", "0", "1e999", "nan", "5%", "5", "[", "(", "^scoped/",
                     "(a*)*b", "text", "json", "otava", "1", "9" * 30, "a=b", "x" * 5000, "../up", "/dev/full", "\u202e", "١"]),
    st.text(max_size=8).filter(lambda text: "\0" not in text and not any(0xD800 <= ord(letter) < 0xE000 for letter in text)),
)  # fmt: skip


@settings(FUZZED, max_examples=4 * EXAMPLES)
@given(command=st.sampled_from(sorted(OPTIONS)), data=st.data())
def test_any_words_are_answered_or_refused_in_one_line(folder: Path, command: str, data: st.DataObject) -> None:
    main, options = OPTIONS[command]
    words = data.draw(st.lists(st.one_of(WORDS, st.sampled_from([*options, "--nonsense"])), max_size=5))
    if command == "evaluate" and "--from" not in words:
        words = ["--from", "missing.json", *words]  # without, it would measure
    if command == "history":
        words = ["--file", "kept.sqlite", *words]
    answered(main, words, frozenset({0, 1, 2}))
    for file in folder.parent.glob("up*"):  # asked for, by that name
        file.unlink()
    assert_nothing_escaped(folder)


@settings(FUZZED)
@given(words=st.lists(st.one_of(WORDS, st.sampled_from(["--profile", "--only", "--allocator", "--resume", "--processes",
                                                        "--build", "--no-figures", "smoke"])), max_size=5))  # fmt: skip
def test_any_words_to_run_are_answered_or_refused(folder: Path, words: list[str]) -> None:
    """With a program that refuses every request, so that nothing is measured."""
    refusing = folder / "refusing"
    refusing.write_text("#!/bin/sh\necho 'stackheap: no' >&2\nexit 2\n")
    refusing.chmod(0o755)
    answered(lambda errors: run.main(errors, folder, lambda *_: refusing), words, frozenset({0, 2}))


# ---- the program's list


@pytest.mark.hostile("measured program")
@pytest.mark.parametrize("name", ["..", "../x", "a/b", "", "a\nb", ".hidden", "a b", "-x"])
def test_a_familys_name_is_not_a_path(tmp_path: Path, name: str) -> None:
    """It becomes part of a file's name."""
    listed = fake_program.catalogue(re.compile("^traverse/"))
    listed["families"][0]["name"] = name  # type: ignore[index]
    telling = tmp_path / "telling"
    (tmp_path / "list").write_text(json.dumps(listed))
    telling.write_text(f"#!/bin/sh\ncat {shlex.quote(str(tmp_path))}/list\n")
    telling.chmod(0o755)
    with pytest.raises(BadInput, match="the list lacks a field, or a field has the wrong type"):
        ask(Program(telling, "smoke"))


@pytest.mark.hostile("measured program")
@FUZZED
@given(seed=st.integers(0, 10_000))
def test_a_damaged_list_is_read_or_refused(folder: Path, seed: int) -> None:
    draw, listed = random.Random(seed), json.loads(json.dumps(fake_program.catalogue(re.compile("^(traverse|handoff)/"))))
    every = list(places(listed))
    for _ in range(draw.choice([1, 1, 3])):
        with contextlib.suppress(KeyError, IndexError, TypeError):
            damage(listed, draw.choice(every), draw.choice(["set", "drop", "rename"]), draw.choice(HOSTILE))
    (folder / "list").write_text(json.dumps(listed))
    telling = folder / "telling"
    if not telling.exists():
        telling.write_text(f"#!/bin/sh\ncat {folder}/list\n")
        telling.chmod(0o755)
    try:
        offered = ask(Program(telling, "smoke"))
    except BadInput as refused:
        assert len(str(refused).splitlines()) == 1
        return
    assert all(re.fullmatch(r"\w+-\d+-0\.json", part.file_name(0)) for part in offered.parts)
    assert all(line.isprintable() for line in offered.unavailable)


@FUZZED
@given(at=st.sampled_from(["executable", "profile", "only", "allocators", "processes", "benchmarks_and_mallocs", "order_seed"]),
       value=st.sampled_from(HOSTILE))  # fmt: skip
def test_a_damaged_plan_is_refused_in_one_line_or_differs(folder: Path, at: str, value: Any) -> None:
    document: dict[str, Any] = {"executable": "0", "profile": "smoke", "only": None, "allocators": [], "processes": 1,
               "benchmarks_and_mallocs": "0", "order_seed": 1}  # fmt: skip
    (folder / scheduler.PLAN_FILE).write_text(json.dumps({**document, at: value}))
    try:
        read = scheduler.read_plan(folder)
    except BadInput as refused:
        assert len(str(refused).splitlines()) == 1
        return
    assert read.profile in scheduler.PROCESSES and read.processes >= 1


def test_no_test_here_leaves_a_limit_behind() -> None:
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
