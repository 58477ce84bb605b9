"""Does a history file that somebody else made run, change or cost anything, or is it refused in one line?"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import sqlite3
import struct
import tempfile
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.base.errors import BadInput
from suite.base.files import write_json
from suite.commands import history
from suite.history import check, database, store
from suite.results.metrics import Metric
from suite.results.model import Account, Benchmark, BenchmarkName, Run, Sample
from support import history_scale, synthetic

pytestmark = pytest.mark.hostile("history")

NAME = "scoped/glibc/bytes:64/touch:none"


@cache
def document() -> str:
    return json.dumps(synthetic.document(3, processes=5, keep=lambda name: name.startswith("scoped/") and "bytes:64/" in name))


def write_run(file: Path, day: int = 9) -> Path:
    made = json.loads(document())
    made["context"]["date"] = history_scale.day(day)
    write_json(file, made)
    return file


def answered(*words: object) -> tuple[int, str, str]:
    """The exit code of scripts/history, and what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(io.StringIO()) as errors:
        code = history.main([str(word) for word in words])
    return code, output.getvalue(), errors.getvalue()


@cache
def sound() -> bytes:
    """Three runs and an annotation."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "history.sqlite")
        runs = [write_run(Path(name, f"{day}.json"), day) for day in range(3)]
        assert answered("--file", file, "add", *runs)[0] == 0
        assert answered("--file", file, "annotate", "2", "a new compiler")[0] == 0
        return file.read_bytes()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    file = tmp_path / "history.sqlite"
    file.write_bytes(sound())
    return file


@contextlib.contextmanager
def changed(file: Path) -> Iterator[sqlite3.Connection]:
    """As any program may open it."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        yield connection


READ = (["list"], ["export"], ["trend", NAME], ["check", "--allow-short"])


def refused(file: Path, message: str, *commands: list[str]) -> None:
    """By these commands, or by one that reads and one that writes: in one line, and nothing is changed, added or left behind."""
    before, beside = file.read_bytes(), sorted(os.listdir(file.parent))
    for words in commands or (["list"], ["annotate", "1", "text"]):
        code, output, errors = answered("--file", file, *words)
        assert (code, output, errors.count("\n")) == (2, "", 1), (words, output, errors)
        assert errors.startswith(f"scripts/history: {file}: ") and message in errors, (words, errors)
    assert file.read_bytes() == before and sorted(os.listdir(file.parent)) == beside


# ---- the schema

FOREVER = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c)"
VIEW_OF_RUNS = f"""ALTER TABLE run RENAME TO kept; DROP INDEX run_of_a_series; CREATE VIEW run AS {FOREVER}
    SELECT x AS id, '' AS digest, '' AS measured, '' AS revision, x AS machine, '' AS profile, '' AS unit, 1 AS complete,
    '{{}}' AS facts, 1 AS layout, x'' AS samples, x'' AS medians FROM c"""
FILLING = """ALTER TABLE annotation RENAME TO kept; CREATE VIEW annotation AS SELECT 1 AS id, 1 AS run, '' AS revision,
    '' AS moment, '' AS only_names, 1 AS accepts, hex(zeroblob(400000000)) AS text"""


def remade(table: str, old: str, new: str) -> str:
    """SQL that gives a table another statement, as only a program does that writes into the schema itself."""
    return (f"PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, '{old}', '{new}') WHERE "
            f"name = '{table}'; PRAGMA writable_schema = RESET")  # fmt: skip


SCHEMAS = {
    "trigger that deletes": ("CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM run; END", "the trigger t on run"),
    "trigger that changes": ("CREATE TRIGGER t AFTER INSERT ON run BEGIN UPDATE run SET revision = 'x'; END", "trigger t"),
    "trigger without end": (f"CREATE TRIGGER t BEFORE INSERT ON run BEGIN {FOREVER} SELECT count(*) FROM c; END", "trigger t"),
    "trigger of a control name": ("CREATE TRIGGER '\x1b[2J\n' AFTER INSERT ON run BEGIN SELECT 1; END", "trigger  [2J"),
    "view without end": (VIEW_OF_RUNS, "holds the table kept"),
    "view that fills the memory": (FILLING, "holds the table kept"),
    "view beside": ("CREATE VIEW v AS SELECT 1", "the view v"),
    "table beside": ("CREATE TABLE more (x)", "the table more"),
    "table of an extension": ("CREATE VIRTUAL TABLE words USING fts5(x)", "the table words"),
    "index beside": ("CREATE INDEX i ON run (length(facts))", "the index i on run"),
    "index of an expression without end": ("CREATE INDEX i ON run (hex(zeroblob(0)))", "the index i on run"),
    "statistics of ANALYZE": ("ANALYZE", "the table sqlite_stat1"),
    "sequence": ("CREATE TABLE s (id INTEGER PRIMARY KEY AUTOINCREMENT)", "holds the table"),
    "generated column": ("ALTER TABLE run ADD COLUMN more AS (hex(zeroblob(1000000)))", "the table run"),
    "another column": ("ALTER TABLE machine ADD COLUMN more TEXT", "the table machine"),
    "default that is an expression": (remade("annotation", "text TEXT NOT NULL", "text TEXT DEFAULT (random())"), "annotation"),
    "check that is an expression": (remade("run", "unit TEXT NOT NULL", "unit TEXT CHECK (length(unit) > 0)"), "the table run"),
    "collation": (remade("layout", "digest TEXT", "digest TEXT COLLATE nocase"), "the table layout"),
    "another letter case": (remade("layout", "digest TEXT", "digest text"), "the table layout"),
    "no index": ("DROP INDEX run_of_a_series", "without run_of_a_series"),
    "no table": ("DROP TABLE annotation", "without annotation"),
}  # fmt: skip


@pytest.mark.parametrize(("statements", "message"), SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_that_is_not_ours_is_refused(kept: Path, statements: str, message: str) -> None:
    with changed(kept) as connection:
        connection.executescript(statements)
    refused(kept, message)


def test_a_statement_of_the_schema_that_cannot_be_read_is_refused(kept: Path) -> None:
    with changed(kept) as connection:
        connection.executescript(remade("run", "INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY CHECK (("))
    refused(kept, "is damaged")


def test_a_copy_that_sqlite_wrote_anew_is_a_history(kept: Path) -> None:
    """VACUUM and a dump change the order of the schema, the pages and nothing that is kept."""
    with changed(kept) as connection:
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("VACUUM")
    assert answered("--file", kept, "list")[0] == 0
    copy = kept.with_name("copy.sqlite")
    with changed(kept) as connection, changed(copy) as copied:
        copied.executescript("\n".join(connection.iterdump()))
        copied.executescript(f"PRAGMA application_id = {database.APPLICATION}; PRAGMA user_version = {database.VERSION}")
    assert answered("--file", copy, "annotate", "1", "kept")[0] == 0


def test_every_command_refuses(kept: Path) -> None:
    with changed(kept) as connection:
        connection.execute(SCHEMAS["trigger that deletes"][0])
    run = write_run(kept.with_name("run.json"))
    words = [["add", str(run)], ["annotate", "1", "text"], ["page", "--out", str(kept.with_name("site"))]]
    refused(kept, "holds the trigger t on run, which this suite does not make", *READ, *words)


# ---- the pages


def inner_page(size: int, start: int, first: int, others: int) -> bytes:
    """A page of a table whose rows are on the page `first`, and then 200 times on the same other page."""
    cells, places = b"", b""
    for number in range(200):
        cells = struct.pack(">IB", others if number else first, 1 + number % 100) + cells
        places += struct.pack(">H", size - len(cells))
    head = struct.pack(">BHHHBI", 5, 0, 200, size - len(cells), 0, others) + places
    return head + bytes(size - start - len(head) - len(cells)) + cells


def leaf_of(content: bytes, root: int, size: int) -> bytes:
    """The rows of a table of one page; on the first page they lie behind the header of the file."""
    page, start = content[(root - 1) * size : root * size], 100 if root == 1 else 0
    (cells,) = struct.unpack(">H", page[start + 3 : start + 5])
    head = page[start : start + 8 + 2 * cells]
    return head + bytes(start) + page[start + len(head) :]


def with_endless_rows(file: Path, root: int, size: int, repeated: bytes) -> None:
    """Inner pages on top of each other: the rows of the table, and then 200 to the power of seven times the repeated leaf."""
    content = file.read_bytes()
    pages, start = len(content) // size, 100 if root == 1 else 0
    leaf, inner = pages + 2, [inner_page(size, 0, pages + 2 + level, pages + 2 + level) for level in range(7)]
    top = inner_page(size, start, pages + 1, leaf + len(inner))
    content += leaf_of(content, root, size) + repeated + b"".join(inner)
    content = content[: (root - 1) * size + start] + top + content[root * size :]
    file.write_bytes(content[:28] + struct.pack(">I", len(content) // size) + content[32:])


def root_and_size(file: Path, table: str) -> tuple[int, int]:
    with changed(file) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        return int(root), int(connection.execute("PRAGMA page_size").fetchone()[0])


@pytest.mark.parametrize("table", ("run", "annotation", "machine", "layout"))
def test_pages_that_are_read_without_end_are_refused(kept: Path, table: str) -> None:
    root, size = root_and_size(kept, table)
    with_endless_rows(kept, root, size, leaf_of(kept.read_bytes(), root, size))
    refused(kept, "is damaged")


def test_a_schema_that_is_read_without_end_is_refused(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite reads it before any statement, and only a limit of time ends that: the rows of indices that SQLite makes itself
    may repeat without an error."""
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(database, "LOOKING_SECONDS", 0.01)
    other = kept.with_name("other.sqlite")
    other.write_bytes(sound())
    with changed(other) as connection:
        connection.executescript("PRAGMA writable_schema = ON; DELETE FROM sqlite_master WHERE sql IS NOT NULL")
    _, size = root_and_size(kept, "run")
    with_endless_rows(kept, 1, size, leaf_of(other.read_bytes(), 1, size))
    refused(kept, "is damaged, or too large: needs over 512 MiB or 0 s to be looked through")


# ---- the rows


@cache
def sound_layout() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "history.sqlite")
        file.write_bytes(sound())
        with changed(file) as connection:
            (content,) = connection.execute("SELECT content FROM layout").fetchone()
    return dict(zip(("names", "processes", "columns", "series", "declared"), json.loads(zlib.decompress(content))))


def layout(**parts: Any) -> str:
    """SQL that gives every run a layout with other parts, which matches its digest."""
    return packed_layout(json.dumps([*{**sound_layout(), **parts}.values()], separators=(",", ":")).encode())


def packed_layout(content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return f"UPDATE layout SET content = x'{zlib.compress(content).hex()}', digest = '{digest}'"


def numbers(column: str, *values: float) -> str:
    return f"UPDATE run SET {column} = x'{zlib.compress(np.array(values, '<f4').tobytes()).hex()}'"


DEEP = "'" + "[" * 50_000 + "]" * 50_000 + "'"
ROWS = {  # SQL, the message, and a command that reads what is damaged
    "facts nested 50,000 deep": (f"UPDATE run SET facts = {DEEP}", "nested too deeply", "list"),
    "machine nested 50,000 deep": (f"UPDATE machine SET facts = {DEEP}", "nested too deeply", "list"),
    "facts that are a list": ("UPDATE run SET facts = '[]'", "run 1 has facts that are not texts", "list"),
    "facts that are numbers": ("""UPDATE run SET facts = '{"compiler": 1e999}'""", "run 1 has facts that are not texts", "list"),
    "facts that are not JSON": ("UPDATE run SET facts = 'x'", "is damaged", "list"),
    "machine that is a number": ("UPDATE machine SET facts = '1'", "machine 1 has no facts", "list"),
    "another unit": ("UPDATE run SET unit = 'hours'", "run 1 has the unit 'hours'", "list"),
    "no date": ("UPDATE run SET measured = 'yesterday'", "is damaged (", "list"),
    "a date of a million letters": (f"UPDATE run SET measured = '{'9' * 1_000_000}'", "is damaged (", "list"),
    "a date in another time zone": ("UPDATE run SET measured = '2024-01-01T00:00:00+05:00'", "run 1 was not measured at a time in UTC", "list"),
    "text in place of a number": ("UPDATE run SET complete = 'yes'", "run 1 has a value of complete", "list"),
    "blob in place of text": ("UPDATE run SET profile = x'00ff'", "run 1 has a value of profile", "list"),
    "text in place of a blob": ("UPDATE run SET samples = 'x'", "run 1 has a value of samples", "list"),
    "infinity in place of a number": ("UPDATE annotation SET accepts = 9e999", "annotation 1 has a value of acc", "list"),
    "text of two million letters": (f"UPDATE run SET revision = '{'x' * 2_000_000}'", "not a text, or too", "list"),
    "run of a negative number": ("UPDATE run SET id = -5 WHERE id = 3", "its runs are numbered from -5 to 2", "list"),
    "run of the largest number": (f"UPDATE run SET id = {2**63 - 1} WHERE id = 3", "its runs are numbered", "list"),
    "annotation of the largest number": (f"UPDATE annotation SET id = {2**63 - 1}", "its annotations are numbered", "list"),
    "run of no machine": ("UPDATE run SET machine = 77", "run 1 has no machine", "list"),
    "run of a machine that is a text": ("UPDATE run SET machine = 'x'", "run 1 has no machine", "list"),
    "run of no layout": ("DELETE FROM layout", "run 1 has no layout", "list"),
    "annotation of no run": ("UPDATE annotation SET run = 99", "annotation 1 has no run", "list"),
    "annotation of everything at once": ("UPDATE annotation SET revision = 'c'", "is not of one run, ", "list"),
    "annotation of an expression that is none": ("UPDATE annotation SET only_names = '('", "cannot be used: missing )", "list"),
    "annotation of a deep expression": (f"UPDATE annotation SET only_names = '{'(' * 9_000}'", "is damaged", "list"),
    "layout of another digest": ("UPDATE layout SET digest = 'x'", "layout 1 does not match its digest", "export"),
    "layout that is nested": (packed_layout(b"[" * 50_000 + b"]" * 50_000), "nested too deeply", "export"),
    "layout that is an object": (packed_layout(b"{}"), "is damaged", "export"),
    "benchmark without a name": (layout(names=[""] * 9), "a benchmark has no readable name", "export"),
    "benchmark whose name is a list": (layout(names=[["x"]] * 9), "a benchmark has no readable name", "export"),
    "index out of range": (layout(columns={"ns": [0, 99]}), "a counter is of a benchmark that is not listed", "export"),
    "negative index": (layout(columns={"ns": [-1]}), "a counter is of a benchmark that is not listed", "export"),
    "index that is a truth": (layout(columns={"ns": [True]}), "a counter is of a benchmark that is not listed", "export"),
    "no column of times": (layout(columns={}), "a counter is of a benchmark that is not listed", "export"),
    "series out of range": (layout(series=[[99, ""]]), "a series is of a counter that is not listed", "export"),
    "series of an unknown counter": (layout(series=[[0, "x"]]), "a series is of a counter that is not listed", "export"),
    "series that is there twice": (layout(series=[[0, ""], [0, ""]]), "two series have the same name", "export"),
    "3,000 processes": (layout(processes=list(range(3000))), "its processes are not up to 2,000", "export"),
    "process that is there twice": (layout(processes=[1, 1]), "its processes are not up to 2,000", "export"),
    "process of an infinite number": (layout(processes=[1e999]), "its processes are not up to 2,000", "export"),
    "too few medians": (numbers("medians", 1.0), "a run has 4 bytes of numbers, and its layout says", "export"),
    "too many medians": (numbers("medians", *[1.0] * 99), "cut off, or too large", "export"),
    "medians that are not packed": ("UPDATE run SET medians = x'00'", "is damaged", "export"),
    "a ratio without a reference": ("UPDATE run SET unit = 'ratio'", "lacks the numbers of its", "export --samples"),
    "a reference without a ratio": ("UPDATE run SET reference_layout = 1", "lacks the numbers of", "export --samples"),
    "too few samples": (numbers("samples", 1.0), "a run has 4 bytes of numbers, and its layout says", "export --samples"),
}  # fmt: skip


@pytest.mark.parametrize(("statement", "message", "command"), ROWS.values(), ids=ROWS)
def test_rows_that_no_suite_writes_are_refused(kept: Path, statement: str, message: str, command: str) -> None:
    with changed(kept) as connection:
        connection.execute(statement)
    refused(kept, message, command.split())


def test_a_layout_that_a_few_bytes_unpack_to_is_refused(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_LAYOUT_BYTES", 999)
    with changed(kept) as connection:
        connection.execute(packed_layout(bytes(1000)))
    refused(kept, "cut off, or too large", ["export"])


def test_an_index_that_does_not_match_its_table_is_refused(kept: Path) -> None:
    """Else add says that a run is in the record already, which it is not."""
    root, size = root_and_size(kept, "sqlite_autoindex_run_1")
    with changed(kept) as connection:
        (digest,) = connection.execute("SELECT digest FROM run WHERE id = 1").fetchone()
    content = kept.read_bytes()
    page = content[(root - 1) * size : root * size].replace(digest.encode(), b"f" * 64)
    kept.write_bytes(content[: (root - 1) * size] + page + content[root * size :])
    refused(kept, "is damaged")


@pytest.mark.parametrize("value", (np.inf, -np.inf, -1.0, 0.0, np.nan), ids=str)
def test_a_median_that_is_not_positive_is_absent(kept: Path, value: float) -> None:
    with changed(kept) as connection:
        (content,) = connection.execute("SELECT medians FROM run WHERE id = 3").fetchone()
        medians = np.frombuffer(zlib.decompress(content), "<f4").copy()
        medians[0] = value
        connection.execute("UPDATE run SET medians = ? WHERE id = 3", (zlib.compress(medians.tobytes()),))
    code, output, _ = answered("--file", kept, "export")
    names = {number: [line for line in output.splitlines() if line.startswith(f"{number},")] for number in (2, 3)}
    assert code == 0 and len(names[3]) == len(names[2]) - 1


def test_bits_of_any_kind_are_numbers_or_absent(kept: Path) -> None:
    bits = np.random.default_rng(1).integers(0, 2**32, 9999, dtype=np.uint32)
    bits[:3] = 0x7F800001, 0xFF800000, 1  # a signalling NaN, minus infinity, the smallest number
    with changed(kept) as connection:
        for column in ("samples", "medians"):
            (content,) = connection.execute(f"SELECT {column} FROM run WHERE id = 3").fetchone()
            size = len(zlib.decompress(content))
            other = bits[: size // 4].astype("<u4")
            planes = other.view(np.uint8).reshape(-1, 4).T if column == "samples" else other
            connection.execute(f"UPDATE run SET {column} = ? WHERE id = 3", (zlib.compress(planes.tobytes()),))
    assert answered("--file", kept, "export")[::2] == (0, "")
    refused(kept, "run 3 lacks the numbers of its unit, cycles", ["export", "--samples", "--last", "1"])


def test_a_full_history_says_that_it_did_not_add(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_NUMBERED", {"run": 3, "annotation": 1})
    run = write_run(kept.with_name("run.json"))
    refused(kept, "holds 3 runs, the most that a history keeps: nothing was changed", ["add", str(run)])
    refused(kept, "holds 1 annotations, the most that a history keeps: nothing was changed", ["annotate", "1", "x"])


@pytest.mark.parametrize("command", (["check"], ["trend", NAME], ["page", "--out", "site"]), ids=("check", "trend", "page"))
def test_an_expression_that_is_searched_without_end_is_refused(
    kept: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setattr(store, "EXPRESSIONS_SECONDS", 0.02)
    with changed(kept) as connection:
        connection.execute("UPDATE annotation SET only_names = '(.*)*(.*)*!'")
    code, output, errors = answered("--file", kept, *command)
    assert (code, output) == (2, "")
    assert errors == "scripts/history: the expressions of the annotations take over 0 s to search the series' names\n"


# ---- runs that would make a history large


def run_of(samples: Mapping[str, Sequence[int]]) -> Run:
    """A run with these processes of each benchmark."""
    measured = {
        name: Benchmark(BenchmarkName.parse(name), tuple(Sample(process, 1.0, {"y": 1.0}) for process in processes))
        for name, processes in samples.items()
    }
    return Run(Path("run.json"), {}, measured, Account(True, 1))


@pytest.mark.parametrize(
    ("run", "message"),
    (
        (run_of({f"a/x/n:{number}": [number] for number in range(999)}), "has a number in 1,998 of 1,996,002 places, its"),
        (run_of({"a/x": range(2001)}), "run.json: has 2,001 processes; a history keeps at most 2,000 of a run"),
        (run_of({"a/x": [0], "b/x y": [0], "b/x": [0]}), "run.json: cannot be kept: two series have the same name"),
    ),
    ids=("numbers far apart", "many processes", "two series of one name"),
)
def test_a_run_that_costs_more_than_its_numbers_is_not_kept(run: Run, message: str) -> None:
    declared = {"b": (Metric(), Metric("y"))}
    tracemalloc.start()
    with pytest.raises(BadInput, match=re.escape(message)):
        store.numbers_of(run, declared)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000


@pytest.mark.hostile("size")
def test_a_run_of_more_series_than_a_page_can_show_is_not_kept(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of({"a/x": range(3), "a/y": range(3)})
    monkeypatch.setattr(store, "MOST_SERIES", 2)
    assert len(store.numbers_of(run, {}).layout.series) == 2
    monkeypatch.setattr(store, "MOST_SERIES", 1)
    with pytest.raises(BadInput, match="cannot be kept: it has 2 series, more than 1"):
        store.numbers_of(run, {})
    refused(kept, "is damaged (it has", ["export"])


def test_a_context_that_no_reader_would_take_is_not_kept(tmp_path: Path) -> None:
    made = json.loads(document())
    made["context"] |= {f"{number} {'x' * 2000}": "" for number in range(600)}
    write_json(tmp_path / "run.json", made)
    code, _, errors = answered("--file", tmp_path / "history.sqlite", "add", tmp_path / "run.json")
    assert code == 2 and "its context has over 1 MiB of facts, too many to keep\n" in errors
    assert not (tmp_path / "history.sqlite").exists()


def test_a_run_of_many_processes_comes_back(tmp_path: Path) -> None:
    run = run_of({"a/x": range(2000), "a/y": [7, 1999]})
    numbers = store.numbers_of(run, {})
    again = store.Numbers.unpacked(store.Layout.read(numbers.layout.written()), numbers.packed())
    assert np.isfinite(again.arrays["ns"]).sum(axis=1).tolist() == [2000, 2]
    assert np.flatnonzero(np.isfinite(again.arrays["ns"][1])).tolist() == [7, 1999]


@pytest.mark.hostile("size")
def test_runs_that_unpack_to_too_much_for_their_file_are_refused(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of each run are few enough; those of all runs are not."""
    with store.opened(kept) as record:
        of_a_run = sum(4 * numbers.layout.cells for numbers in record.samples(record.runs()[0]) if numbers)
    monkeypatch.setattr(store, "UNPACKED_PER_BYTE", 0)
    monkeypatch.setattr(store, "UNPACKED_AT_LEAST", 3 * of_a_run)
    assert answered("--file", kept, "export", "--samples")[0] == 0
    monkeypatch.setattr(store, "UNPACKED_AT_LEAST", 3 * of_a_run - 1)
    code, _, errors = answered("--file", kept, "export", "--samples")
    assert code == 2 and errors.endswith("too many numbers for a file of its size: --last takes fewer runs\n")
    assert answered("--file", kept, "export", "--samples", "--last", "2")[0] == 0


@pytest.mark.hostile("size")
def test_a_run_is_annotated_where_all_runs_are_too_many_for_a_table(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.opened(kept) as record:
        series = len(record.table(record.runs()).names)
    monkeypatch.setattr(check, "LAST_RUNS", 2)
    monkeypatch.setattr(store, "MOST_VALUES", 2 * series)
    assert answered("--file", kept, "export")[0] == 2
    assert answered("--file", kept, "annotate", "1", "text")[0] == 0


@pytest.mark.hostile("size")
def test_equal_numbers_of_a_small_file_are_not_printed_without_end(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = answered("--file", kept, "export", "--samples")[1].count("\n") - 1
    monkeypatch.setattr(history, "PRINTED_PER_BYTE", 0)
    for most, code in ((figures, 0), (figures - 1, 2)):
        monkeypatch.setattr(history, "PRINTED_AT_LEAST", most)
        answer = answered("--file", kept, "export", "--samples")
        assert answer[0] == code and (code == 0) is (answer[2] == "")
    assert answer[2].endswith(f"has over {most:,} figures in these runs, too many for a file of its size: --last or --only takes "
                              "fewer\n")  # fmt: skip
    assert answered("--file", kept, "export", "--samples", "--last", "2")[0] == 0


# ---- what is not a file, or lies beside it


def name_of(kind: Callable[[Path], None]) -> str:
    return kind.__name__


def fifo(place: Path) -> None:
    os.mkfifo(place)


def folder(place: Path) -> None:
    place.mkdir()


def link_to_itself(place: Path) -> None:
    place.symlink_to(place)


def link_to_a_device(place: Path) -> None:
    place.symlink_to("/dev/zero")


@pytest.mark.parametrize("kind", (fifo, folder, link_to_itself, link_to_a_device), ids=name_of)
def test_what_is_not_a_file_is_refused(tmp_path: Path, kind: Callable[[Path], None]) -> None:
    file = tmp_path / "history.sqlite"
    kind(file)
    for words in (["list"], ["add", str(write_run(tmp_path / "run.json"))]):
        code, output, errors = answered("--file", file, *words)
        assert (code, output, errors.count("\n")) == (2, "", 1)
        assert errors.startswith(f"scripts/history: {file}")


def test_sizes_that_a_file_does_not_have_are_refused(kept: Path) -> None:
    content = kept.read_bytes()
    kept.write_bytes(content[:28] + struct.pack(">I", 2**32 - 1) + content[32:])
    refused(kept, "is damaged")


def test_a_write_ahead_log_of_another_program_is_not_read(kept: Path) -> None:
    with changed(kept) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("DELETE FROM run")
        log = Path(f"{kept}-wal").read_bytes()
    kept.write_bytes(sound())
    Path(f"{kept}-wal").write_bytes(log)
    refused(kept, f"another program's {kept}-wal lies beside it")


def test_a_history_that_was_switched_to_a_write_ahead_log_is_refused(kept: Path) -> None:
    with changed(kept) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    refused(kept, "was switched to a write-ahead log", ["annotate", "1", "x"])


def journal_of(file: Path) -> bytes:
    """What a writer leaves that is killed after it has deleted all runs."""
    copy = file.with_name("copy.sqlite")
    copy.write_bytes(file.read_bytes())
    with changed(copy) as connection:
        connection.executescript("PRAGMA cache_size = 1; BEGIN IMMEDIATE; DELETE FROM annotation; UPDATE run SET samples = x'00'")
        journal = Path(f"{copy}-journal").read_bytes()
        file.write_bytes(copy.read_bytes())
        connection.execute("ROLLBACK")
    copy.unlink()
    return journal


def test_the_journal_of_an_interrupted_writer_is_undone(kept: Path) -> None:
    Path(f"{kept}-journal").write_bytes(journal_of(kept))
    refused(kept, "its last add or annotate was interrupted: the next add or annotate undoes that", ["list"])
    assert answered("--file", kept, "annotate", "1", "x")[0] == 0
    assert answered("--file", kept, "export", "--samples")[0] == 0
    assert "a new compiler" in answered("--file", kept, "list")[1]


def test_a_journal_that_deletes_another_file_is_refused(kept: Path) -> None:
    """SQLite deletes the file that the end of a journal names, when it has undone what the journal holds."""
    journal, other = journal_of(kept), kept.with_name("thesis.txt")
    other.write_text("years of work")
    name = str(other).encode()
    end = struct.pack(">I", 262145) + name + struct.pack(">II", len(name), sum(name)) + bytes.fromhex("d9d505f920a163d7")
    Path(f"{kept}-journal").write_bytes(journal + end)
    refused(kept, f"{kept}-journal, which lies beside it, is not a journal of this suite")
    assert other.read_text() == "years of work"


def hard_link(place: Path) -> None:
    place.with_name("thesis.txt").write_bytes(bytes(99))
    os.link(place.with_name("thesis.txt"), place)


def link(place: Path) -> None:
    place.with_name("thesis.txt").write_bytes(bytes(99))
    place.symlink_to(place.with_name("thesis.txt"))


@pytest.mark.parametrize("kind", (fifo, folder, link_to_itself, link_to_a_device, hard_link, link), ids=name_of)
@pytest.mark.parametrize("suffix", ("-journal", "-wal", "-shm"))
def test_nothing_is_written_through_a_name_beside_the_file(kept: Path, suffix: str, kind: Callable[[Path], None]) -> None:
    kind(Path(f"{kept}{suffix}"))
    refused(kept, f"{kept}{suffix}")
    other = kept.with_name("thesis.txt")
    assert not other.exists() or other.read_bytes() == bytes(99)


def test_the_names_beside_the_file_that_a_link_leads_to_are_looked_at(kept: Path) -> None:
    (kept.parent / "real").mkdir()
    real = kept.rename(kept.parent / "real" / "kept.sqlite")
    kept.symlink_to(real)
    assert answered("--file", kept, "list")[0] == 0
    link(Path(f"{real}-journal"))
    refused(kept, f"{real}-journal")
