"""Is a file the database that this suite makes, whole, and safe to use? Opens it, or refuses it in one line.

A database is more than data. Triggers, views and expressions of its schema run when it is used, its pages can point back at
each other, and the files beside it change it. So the schema is compared with ours, row by row, before anything of it runs;
every page is visited once; and SQLite gets a limit of memory and of time.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import sys
import time
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from suite.base import foreign
from suite.base.errors import BadInput
from suite.base.text import one_line

APPLICATION = 0x73746B68  # "stkh" in the file's header: the program that owns the database
VERSION = 1
WAIT_SECONDS = 20.0  # for another writer, which needs a fraction of that
LOOKING_SECONDS = 60.0  # through a file, before its data are used: a gigabyte takes one
MOST_MEMORY = 512 << 20  # of SQLite: the largest samples take less
MOST_RUNS, MOST_ANNOTATIONS = 50_000, 1000
MOST_BYTES = 1 << 27  # of a run's samples, unpacked, and of any value: ten times the samples of 100,000 rows
MOST_LETTERS = 1 << 20  # of a text

_TABLES = """
CREATE TABLE machine (id INTEGER PRIMARY KEY, facts TEXT NOT NULL UNIQUE);
CREATE TABLE layout (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, content BLOB NOT NULL);
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    reference_digest TEXT,
    measured TEXT NOT NULL,
    revision TEXT NOT NULL,
    machine INTEGER NOT NULL REFERENCES machine,
    profile TEXT NOT NULL,
    unit TEXT NOT NULL,
    complete INTEGER NOT NULL,
    facts TEXT NOT NULL,
    layout INTEGER NOT NULL REFERENCES layout,
    samples BLOB NOT NULL,
    reference_layout INTEGER REFERENCES layout,
    reference_samples BLOB,
    medians BLOB NOT NULL
);
CREATE INDEX run_of_a_series ON run (machine, profile, unit, measured);
CREATE TABLE annotation (
    id INTEGER PRIMARY KEY,
    run INTEGER REFERENCES run,
    revision TEXT,
    moment TEXT,
    only_names TEXT NOT NULL,
    accepts INTEGER NOT NULL,
    text TEXT NOT NULL
);
"""
_NUMBERED = {"run": MOST_RUNS, "annotation": MOST_ANNOTATIONS}  # the ids that add and annotate give
_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master"
_END_OF_A_SUPER_JOURNAL = bytes.fromhex("d9d505f920a163d7")


@contextlib.contextmanager
def opened(file: Path, to_write: bool) -> Iterator[sqlite3.Connection]:
    """A connection to the database in a file, in a transaction. To write, a missing file is created, and either all changes
    are kept or no change is.

    Raises BadInput if the file is missing, damaged, locked, not writable, of a newer suite or of another program.
    """
    try:
        with contextlib.closing(_connect(file, to_write)) as connection:
            _limit(connection)
            # First of all: another writer may create the record between two looks at an empty file, and after the work
            # it would be too late to find another writer.
            connection.execute("BEGIN IMMEDIATE" if to_write else "BEGIN")
            _check_whose(file, connection, to_write)
            if to_write and not connection.execute("PRAGMA user_version").fetchone()[0]:
                _make(connection)
            _check_schema(file, connection)
            connection.text_factory = foreign.read_cell  # not before: a schema is compared as it is
            _check_content(file, connection)
            connection.set_progress_handler(None, 0)  # what is left to do ends: the file is whole and has its bounds
            yield connection
            if to_write:
                connection.execute("COMMIT")
    # A damaged file may also hold text that is not valid, values of another type, or nesting without end.
    except (sqlite3.Error, zlib.error, ValueError, TypeError, LookupError, RecursionError, MemoryError) as problem:
        raise BadInput(f"{file}: {_reason(problem, to_write)}") from None


def _connect(file: Path, to_write: bool) -> sqlite3.Connection:
    if to_write:
        file.parent.mkdir(parents=True, exist_ok=True)
    elif not file.exists():
        raise BadInput(f"{file}: does not exist; scripts/history add RUN creates it")
    if file.exists() and not file.is_file():
        raise BadInput(f"{file}: is not a file")
    _check_beside(file)
    mode = "rwc" if to_write else "ro"
    # No write-ahead log: the record is this single file, so that it can be copied, cached and kept as an artifact.
    address = f"{file.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=WAIT_SECONDS, isolation_level=None)


def _check_beside(file: Path) -> None:
    """SQLite takes the files of these names for its own: it writes what they hold into the database, writes through links
    and hard links into any file, and deletes the file that the end of a journal names. Raises BadInput."""
    place = os.path.realpath(file)
    for suffix in ("-wal", "-shm"):
        if os.path.lexists(place + suffix):
            raise BadInput(f"{file}: another program's {place + suffix} lies beside it, which would change it")
    journal = f"{place}-journal"
    with contextlib.suppress(FileNotFoundError):  # the writer whose journal it was has just ended
        status = os.lstat(journal)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1 or _names_a_file(journal):
            raise BadInput(f"{file}: {journal}, which lies beside it, is not a journal of this suite")


def _names_a_file(journal: str) -> bool:
    """Whether the journal is one of several that a further file lists. Ours never is."""
    with open(journal, "rb") as content:
        content.seek(0, os.SEEK_END)
        content.seek(max(0, content.tell() - len(_END_OF_A_SUPER_JOURNAL)))
        return content.read() == _END_OF_A_SUPER_JOURNAL


def _limit(connection: sqlite3.Connection) -> None:
    """Nothing that a file says makes SQLite take more memory or time than this."""
    if sys.version_info >= (3, 11):  # earlier, the memory alone bounds a value
        for limit, most in ((sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES), (sqlite3.SQLITE_LIMIT_SQL_LENGTH, MOST_LETTERS),
                            (sqlite3.SQLITE_LIMIT_ATTACHED, 0), (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1)):  # fmt: skip
            connection.setlimit(limit, most)
    for setting, value in (("hard_heap_limit", str(MOST_MEMORY)), ("trusted_schema", "OFF"), ("cell_size_check", "ON"),
                           ("mmap_size", "0"), ("temp_store", "MEMORY")):  # fmt: skip
        connection.execute(f"PRAGMA {setting} = {value}")
    end = time.monotonic() + WAIT_SECONDS + LOOKING_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > end, 1000)


def _check_whose(file: Path, connection: sqlite3.Connection, to_write: bool) -> None:
    whose, version = (connection.execute(f"PRAGMA {key}").fetchone()[0] for key in ("application_id", "user_version"))
    if whose == APPLICATION and version > VERSION:
        raise BadInput(f"{file}: was written by a newer suite (format version {version}, this suite reads {VERSION})")
    empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not (whose == APPLICATION and version == VERSION or to_write and empty and not whose):
        raise BadInput(f"{file}: is not a history of this suite")
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "delete":
        raise BadInput(f"{file}: was switched to a write-ahead log by another program: is not a history of this suite")


def _make(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";")[:-1]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


# ---- whether it is whole


_Part = tuple[str, str, str, str | None]  # of a schema: type, name, table, statement


@cache
def _our_schema() -> frozenset[_Part]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        _make(connection)
        return frozenset(connection.execute(_SCHEMA))


def _check_schema(file: Path, connection: sqlite3.Connection) -> None:
    """Nothing of a schema runs until it is equal to ours."""
    ours = _our_schema()
    parts: list[_Part] = connection.execute(_SCHEMA).fetchmany(len(ours) + 1)
    others = [part for part in parts if part not in ours]
    if others:
        kind, name, table, _ = others[0]
        place = "" if name == table else f" on {table}"
        raise BadInput(f"{file}: holds {one_line(f'the {kind} {name}{place}')}, which this suite does not make")
    if len(parts) != len(ours):
        missing = ours.difference(parts)
        raise ValueError(f"without {min(missing)[1]}" if missing else "a part of its schema twice")


def _check_content(file: Path, connection: sqlite3.Connection) -> None:
    """Visits every page once, and every value: pages that point back at each other would be read without end."""
    whole = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if whole != "ok":
        raise ValueError(whole.splitlines()[-1])
    for table, most in _NUMBERED.items():
        least, last = connection.execute(f"SELECT min(id), max(id) FROM {table}").fetchone()
        if least is not None and (least < 1 or last > most):
            raise ValueError(f"its {table}s are numbered from {least} to {last}, not from 1 to at most {most}")
    lost = connection.execute("PRAGMA foreign_key_check").fetchone()
    if lost is not None:
        raise ValueError(f"{lost[0]} {lost[1]} has no {lost[2]}")
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for _, column, kind, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall():
            most = MOST_BYTES if kind == "BLOB" else MOST_LETTERS
            wrong = f"typeof({column}) NOT IN ('{kind.lower()}', 'null') OR length({column}) > {most}"
            row = connection.execute(f"SELECT id FROM {table} WHERE {wrong}").fetchone()
            if row is not None:
                raise ValueError(f"{table} {row[0]} has a value of {column} that is not a {kind.lower()}, or too long")


def check_room(file: Path, table: str, number: int) -> None:
    """Raises BadInput for the number of a new row that the next reader would refuse."""
    if number > _NUMBERED[table]:
        raise BadInput(f"{file}: holds {_NUMBERED[table]:,} {table}s, the most that a history keeps: nothing was changed")


def _reason(problem: Exception, to_write: bool) -> str:
    text = one_line(str(problem))
    if isinstance(problem, MemoryError) or "interrupted" in text:
        return f"is damaged, or too large: needs over {MOST_MEMORY >> 20} MiB or {LOOKING_SECONDS:.0f} s to be looked through"
    if isinstance(problem, RecursionError):
        return "is damaged (nested too deeply)"
    if not isinstance(problem, sqlite3.OperationalError) or "decode" in text:
        return "is not a history of this suite" if "not a database" in text else f"is damaged ({text})"
    if "locked" in text:
        return "is in use by another program: nothing was changed, try again"
    if "full" in text:
        return "the disk is full: nothing was changed"
    if "readonly" in text:
        return "cannot be written to: nothing was changed" if to_write else (
            "its last add or annotate was interrupted: the next add or annotate undoes that")  # fmt: skip
    return f"cannot be used ({text}): nothing was changed"
