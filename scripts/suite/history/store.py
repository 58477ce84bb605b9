"""What was measured before? The record of many runs in one SQLite file: raw samples, series, annotations.

A series is one figure of one benchmark on one machine, in one profile and one unit, over the runs in the order in which
they were measured. The unit is the ratio to a reference build where one was measured beside the run, else core cycles
(the time of one dependent addition, which each process measures beside its benchmarks, is one), else nanoseconds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.base.errors import BadInput
from suite.base.text import one_line
from suite.results.metrics import Metric, metric_of, metrics_of
from suite.results.model import CORE_SHARE, Run, selects
from suite.results.read import read_run

APPLICATION = 0x73746B68  # "stkh" in the file's header: whose database it is
VERSION = 1
MOST_BYTES = 1 << 27  # of a run's samples, unpacked: ten times those of 100,000 rows
WAIT_SECONDS = 20.0  # for another writer, which is done in a fraction of that

RATIO, CYCLES, NS = "ratio", "cycles", "ns"

# What makes a machine itself. Not its clock, its load or its name: a cloud's runners of one kind are one machine.
MACHINE_FACTS = (
    "cpu_model", "architecture", "virtualisation", "topology", "cores", "processing_units", "num_cpus", "numa_nodes",
    "l1d_bytes", "l2_bytes", "l3_bytes", "caches", "page_bytes",
)  # fmt: skip
# What is different in every run and explains nothing.
PASSING_FACTS = ("date", "load_avg", "mhz_per_cpu", "suite")

Array = NDArray[np.float64]

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
# The samples of a run are float32 (7 digits, ten thousand times finer than what is measured), one array of benchmarks
# times processes for each counter, NaN where a process has none; bytes of equal weight lie together, which zlib likes.
# A layout says which benchmarks and counters these are. The medians are float32 too, in the order of the series. All
# of it is compressed not least for zlib's checksums: SQLite has none, and a damaged figure would look like any other.


@dataclass(frozen=True)
class Entry:
    """A run as the record knows it."""

    id: int
    measured: str  # UTC, ISO 8601
    revision: str  # the commit, as the user gave it; may be empty
    machine: int
    profile: str
    unit: str
    complete: bool
    facts: Mapping[str, str]

    @property
    def label(self) -> str:
        return f"run {self.id}" + (f" ({self.revision[:12]})" if self.revision else "")

    @property
    def line(self) -> tuple[int, str, str]:
        """Runs whose figures can be put in one series have the same."""
        return self.machine, self.profile, self.unit


@dataclass(frozen=True)
class Annotation:
    """What someone said of a run, a revision or a moment."""

    run: int | None
    revision: str | None
    moment: str | None
    only_names: str  # an expression; empty: all series
    accepts: bool  # the changes there are known, and no reason to fail
    text: str

    def place_in(self, runs: Sequence[Entry]) -> int | None:
        """The index of the first run it speaks of."""
        for index, one in enumerate(runs):
            if self.run is not None and one.id == self.run:
                return index
            if self.revision is not None and one.revision and one.revision.startswith(self.revision):
                return index
            if self.moment is not None and one.measured >= self.moment:
                return index
        return None

    def speaks_of(self, name: str) -> bool:
        return selects(self.only_names, name)


@dataclass(frozen=True)
class SeriesTable:
    """Series over the same runs, oldest first. Values are runs times series, NaN where a run has no such figure."""

    runs: tuple[Entry, ...]
    names: tuple[str, ...]
    values: Array

    def series(self, which: int) -> tuple[tuple[Entry, ...], Array]:
        """The runs that have the figure, and it."""
        column = self.values[:, which]
        has = np.flatnonzero(np.isfinite(column))
        return tuple(self.runs[index] for index in has), column[has]


# ---- a run's figures, packed


@dataclass(frozen=True)
class Layout:
    """Which numbers a run has: the benchmarks, by counter the indices of those that have it, and the series."""

    names: tuple[str, ...]
    processes: tuple[int, ...]
    columns: Mapping[str, tuple[int, ...]]
    series: tuple[tuple[int, str], ...]  # benchmark, and counter: none is the time

    def written(self) -> bytes:
        return json.dumps(dataclasses.astuple(self), separators=(",", ":")).encode()

    @staticmethod
    def read(written: bytes) -> Layout:
        names, processes, columns, series = json.loads(written)
        by_counter = {key: tuple(indices) for key, indices in columns.items()}
        return Layout(tuple(names), tuple(processes), by_counter, tuple((index, counter) for index, counter in series))

    def series_names(self) -> tuple[str, ...]:
        return tuple(Metric(counter).named(self.names[index]) for index, counter in self.series)


@dataclass(frozen=True)
class Numbers:
    """Every process's numbers of a run; an array of benchmarks times processes for each column of the layout."""

    of: Layout
    arrays: Mapping[str, Array]

    def packed(self) -> bytes:
        together = np.concatenate([array.ravel() for array in self.arrays.values()]).astype("<f4")
        return zlib.compress(together.view(np.uint8).reshape(-1, 4).T.tobytes(), 6)

    @staticmethod
    def unpacked(of: Layout, packed: bytes) -> Numbers:
        raw = np.frombuffer(_unpacked(packed), dtype=np.uint8).reshape(4, -1).T
        together = np.ascontiguousarray(raw).view("<f4").ravel().astype(np.float64)
        arrays, start = {}, 0
        for key, indices in of.columns.items():
            end = start + len(indices) * len(of.processes)
            arrays[key] = together[start:end].reshape(len(indices), len(of.processes))
            start = end
        return Numbers(of, arrays)

    def have_cycles(self) -> bool:
        return self.of.columns.get("ns_per_addition") == self.of.columns["ns"] and bool(
            np.all((self.arrays["ns_per_addition"] > 0) == np.isfinite(self.arrays["ns"]))
        )

    def series(self, in_cycles: bool) -> dict[str, Array]:
        """By the name of the series, what each process measured."""
        rows = {key: dict(zip(indices, self.arrays[key])) for key, indices in self.of.columns.items()}
        found = {}
        for name, (index, counter) in zip(self.of.series_names(), self.of.series):
            of, values = metric_of(name), rows[counter or "ns"][index]
            is_cycles = in_cycles and of.is_time
            found[name] = values / rows["ns_per_addition"][index] if is_cycles else np.maximum(values, of.least)
        return found


def numbers_of(run: Run) -> Numbers:
    """Raises BadInput where a figure is too large to be kept."""
    measured = run.series()
    processes = tuple(sorted({taken.process for one in measured for taken in one.samples}))
    place = {process: index for index, process in enumerate(processes)}
    rows: dict[str, dict[int, Array]] = {"ns": {}}
    for index, one in enumerate(measured):
        for taken in one.samples:
            for key, value in (("ns", taken.ns), *taken.counters.items()):
                if key == CORE_SHARE:  # says how it was taken: nothing that a thousand runs need to keep
                    continue
                if abs(value) > float(np.finfo(np.float32).max):
                    raise BadInput(f"{run.path}: {one.name} has a figure that is too large to keep ({key})")
                row = rows.setdefault(key, {}).setdefault(index, np.full(len(processes), np.nan))
                row[place[taken.process]] = value
    of = Layout(
        names=tuple(one.name.text for one in measured),
        processes=processes,
        columns={key: tuple(rows[key]) for key in sorted(rows)},
        series=tuple((index, each.counter) for index, one in enumerate(measured) for each in metrics_of(one)),
    )
    return Numbers(of, {key: np.stack(list(rows[key].values())) for key in of.columns})


def medians_of(unit: str, of: Numbers, reference: Numbers | None) -> Array:
    """The value of each series: the median over the processes, of a ratio that of every process to every other."""
    own = of.series(in_cycles=unit == CYCLES or (reference is not None and _both_in_cycles(of, reference)))
    if reference is None:
        return np.array([_median(values) for values in own.values()])
    base = reference.series(in_cycles=_both_in_cycles(of, reference))
    nothing = np.array([np.nan])
    ratios = (np.divide.outer(values, base.get(name, nothing)).ravel() for name, values in own.items())
    return np.array([_median(values) for values in ratios])


def _both_in_cycles(one: Numbers, other: Numbers) -> bool:
    return one.have_cycles() and other.have_cycles()


def _median(values: Array) -> float:
    """NaN, which is no figure, where no process has a positive one."""
    good = values[np.isfinite(values) & (values > 0)]
    return float(np.median(good)) if len(good) else np.nan


# ---- a run, ready to be kept


@dataclass(frozen=True)
class PreparedRun:
    """A run with all that the record keeps of it."""

    path: Path
    digest: str
    reference_digest: str | None
    measured: str
    machine: str
    profile: str
    unit: str
    complete: bool
    facts: str
    own: Numbers
    beside: Numbers | None
    medians: bytes


def prepare(path: Path, reference: Path | None = None) -> PreparedRun:
    """Reads a run, and the one of the reference build that was measured beside it. Raises BadInput, BadResult."""
    run = _read(path)
    own, context = numbers_of(run), dict(run.context)
    beside, facts = None, _facts(run)
    if reference is not None:
        other = _read(reference)
        if _machine(other) != _machine(run) or _profile(other) != _profile(run):
            raise BadInput(f"{reference}: was not measured on the machine and in the profile of {path}")
        beside = numbers_of(other)
        facts |= {f"reference: {key}": value for key, value in _facts(other).items()}
    unit = RATIO if beside is not None else CYCLES if own.have_cycles() else NS
    medians = medians_of(unit, own, beside)
    if not np.isfinite(medians).any():
        raise BadInput(f"{path}: has no figure for a series" + (f" that {reference} has too" if reference else ""))
    return PreparedRun(
        path=path,
        digest=_digest(own, context),
        reference_digest=_digest(beside, dict(other.context)) if beside is not None else None,
        measured=moment_of(str(context.get("date", "")), f"{path}: does not say when it was measured"),
        machine=_machine(run),
        profile=_profile(run),
        unit=unit,
        complete=run.complete and not run.failed,
        facts=json.dumps(facts, sort_keys=True),
        own=own,
        beside=beside,
        medians=zlib.compress(medians.astype("<f4").tobytes()),
    )


def _read(path: Path) -> Run:
    run = read_run(path)
    if not run.series():
        raise BadInput(f"{path}: no benchmark in it gave a result")
    return run


def moment_of(text: str, otherwise: str) -> str:
    """A date or a date and time as UTC; without a zone it is UTC. Raises BadInput, which says `otherwise`."""
    try:
        parsed = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        moment = parsed.astimezone(timezone.utc) if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        raise BadInput(otherwise) from None
    return moment.isoformat(timespec="seconds")


def _machine(run: Run) -> str:
    return json.dumps({key: run.context[key] for key in MACHINE_FACTS if key in run.context}, sort_keys=True)


def _profile(run: Run) -> str:
    return one_line(str(run.context.get("profile", "")))


def _facts(run: Run) -> dict[str, str]:
    left_out = {*MACHINE_FACTS, *PASSING_FACTS}
    return {key: one_line(str(value)) for key, value in run.context.items() if key not in left_out}


def _digest(of: Numbers, context: Mapping[str, Any]) -> str:
    """Of what the file says, however it is written."""
    told = {key: value for key, value in context.items() if key != "suite"}
    content = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode())
    content.update(of.of.written())
    for array in of.arrays.values():
        content.update(array.astype("<f8").tobytes())
    return content.hexdigest()


# ---- the file


@contextlib.contextmanager
def opened(file: Path, to_write: bool = False) -> Iterator[History]:
    """The record in a file; to write, it is made where it is missing, and all that is written is kept or nothing.

    Raises BadInput: missing, another program's, damaged, of a newer suite, locked, not writable.
    """
    try:
        with contextlib.closing(_connect(file, to_write)) as connection:
            _check_whose(file, connection, to_write)
            if to_write:
                connection.execute("BEGIN IMMEDIATE")  # now: to find out after the work that another writes is late
                if not connection.execute("PRAGMA user_version").fetchone()[0]:
                    _make(connection)
            yield History(file, connection)
            if to_write:
                connection.execute("COMMIT")
    # What a damaged file holds may also be text that is none, or of another type than was written.
    except (sqlite3.Error, zlib.error, ValueError, TypeError, LookupError) as problem:
        raise BadInput(f"{file}: {_reason(problem)}") from None


def _connect(file: Path, to_write: bool) -> sqlite3.Connection:
    if to_write:
        file.parent.mkdir(parents=True, exist_ok=True)
    elif not file.exists():
        raise BadInput(f"{file}: does not exist; scripts/history add RUN.json makes it")
    if file.exists() and not file.is_file():
        raise BadInput(f"{file}: is not a file")
    mode = "rwc" if to_write else "ro"
    # No write-ahead log: this file alone is the record, so that it can be copied, cached and kept as an artifact.
    address = f"{file.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=WAIT_SECONDS, isolation_level=None)


def _check_whose(file: Path, connection: sqlite3.Connection, to_write: bool) -> None:
    whose, version = (connection.execute(f"PRAGMA {key}").fetchone()[0] for key in ("application_id", "user_version"))
    if whose == APPLICATION and version > VERSION:
        raise BadInput(f"{file}: was written by a newer suite (its version is {version}, this one's {VERSION})")
    empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not (whose == APPLICATION and version == VERSION or to_write and empty and not whose):
        raise BadInput(f"{file}: is not a history of this suite")


def _make(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";")[:-1]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _unpacked(content: bytes) -> bytes:
    """What was compressed; a few bytes can become more than the memory holds. Raises zlib.error."""
    unpacking = zlib.decompressobj()
    found = unpacking.decompress(content, MOST_BYTES)
    if not unpacking.eof:
        raise zlib.error("cut off, or too large")
    return found


def _reason(problem: Exception) -> str:
    text = one_line(str(problem))
    if not isinstance(problem, sqlite3.OperationalError):
        return "is not a history of this suite" if "not a database" in text else f"is damaged ({text})"
    if "locked" in text:
        return "is in use by another program: nothing was changed, try again"
    if "full" in text:
        return "the disk is full: nothing was changed"
    return f"cannot be used ({text}): nothing was changed"


@dataclass(frozen=True)
class History:
    """The runs of one file."""

    file: Path
    connection: sqlite3.Connection

    # -- writing

    def add(self, one: PreparedRun, revision: str) -> bool:
        """Keeps a run; False where it is kept already. Raises BadInput where what is kept of it differs."""
        known = self.connection.execute(
            "SELECT id, revision, reference_digest FROM run WHERE digest = ?", (one.digest,)
        ).fetchone()
        if known is None:
            self._insert(one, revision)
            return True
        run, kept_revision, kept_reference = known
        if one.reference_digest is not None and one.reference_digest != kept_reference:
            raise BadInput(f"{one.path}: is run {run} already, with another reference")
        if revision and kept_revision and revision != kept_revision:
            raise BadInput(f"{one.path}: is run {run} already, of commit {kept_revision}")
        if revision:
            self.connection.execute("UPDATE run SET revision = ? WHERE id = ?", (revision, run))
        return False

    def _insert(self, one: PreparedRun, revision: str) -> None:
        beside = one.beside
        values = {
            "digest": one.digest,
            "reference_digest": one.reference_digest,
            "measured": one.measured,
            "revision": revision,
            "machine": self._id("machine", {"facts": one.machine}),
            "profile": one.profile,
            "unit": one.unit,
            "complete": one.complete,
            "facts": one.facts,
            "layout": self._layout_id(one.own.of),
            "samples": one.own.packed(),
            "reference_layout": self._layout_id(beside.of) if beside else None,
            "reference_samples": beside.packed() if beside else None,
            "medians": one.medians,
        }
        places = ", ".join(f":{key}" for key in values)
        self.connection.execute(f"INSERT INTO run ({', '.join(values)}) VALUES ({places})", values)

    def _layout_id(self, one: Layout) -> int:
        written = one.written()
        return self._id("layout", {"digest": hashlib.sha256(written).hexdigest(), "content": zlib.compress(written)})

    def _id(self, kind: str, values: dict[str, object]) -> int:
        """The row with the first value, made where there is none."""
        key, places = next(iter(values)), ", ".join("?" * len(values))
        self.connection.execute(
            f"INSERT OR IGNORE INTO {kind} ({', '.join(values)}) VALUES ({places})", tuple(values.values())
        )
        return int(self.connection.execute(f"SELECT id FROM {kind} WHERE {key} = ?", (values[key],)).fetchone()[0])

    def annotate(self, one: Annotation) -> None:
        self.connection.execute(
            "INSERT INTO annotation (run, revision, moment, only_names, accepts, text) VALUES (?, ?, ?, ?, ?, ?)",
            (one.run, one.revision, one.moment, one.only_names, one.accepts, one.text),
        )

    # -- reading

    def runs(self) -> list[Entry]:
        """All of them, in the order in which they were measured."""
        rows = self.connection.execute(
            "SELECT id, measured, revision, machine, profile, unit, complete, facts FROM run ORDER BY measured, id"
        )
        return [
            Entry(id, measured, revision, machine, profile, unit, bool(complete), json.loads(facts))
            for id, measured, revision, machine, profile, unit, complete, facts in rows
        ]

    def machine(self, id: int) -> dict[str, Any]:
        """The facts by which the machine is known."""
        facts = self.connection.execute("SELECT facts FROM machine WHERE id = ?", (id,)).fetchone()[0]
        return dict(json.loads(facts))

    def annotations(self) -> list[Annotation]:
        rows = self.connection.execute(
            "SELECT run, revision, moment, only_names, accepts, text FROM annotation ORDER BY id"
        )
        return [
            Annotation(run, revision, moment, only_names, bool(accepts), text)
            for run, revision, moment, only_names, accepts, text in rows
        ]

    def find_run(self, text: str) -> Entry | None:
        """By its number, or the beginning of its commit (the first measured)."""
        runs = self.runs()
        if text.isascii() and text.isdigit() and len(text) < 7:
            return next((one for one in runs if one.id == int(text)), None)
        return next((one for one in runs if len(text) >= 4 and one.revision.startswith(text)), None)

    def like(self, text: str | None) -> list[Entry]:
        """The runs that share their series with this one; with none named, with the one that was added last."""
        runs = self.runs()
        if not runs:
            raise BadInput(f"{self.file}: holds no run")
        chosen = max(runs, key=lambda one: one.id) if text is None else self.find_run(text)
        if chosen is None:
            raise BadInput(f"{self.file}: has no run {text!r}; scripts/history list shows them")
        return [one for one in runs if one.line == chosen.line]

    def table(self, runs: Sequence[Entry], only: re.Pattern[str] | None = None) -> SeriesTable:
        """The series of these runs, those of the newest run first."""
        layouts: dict[int, list[str]] = {}
        places: dict[str, int] = {}
        rows = []
        for one in reversed(runs):
            kept, medians = self.connection.execute(
                "SELECT layout, medians FROM run WHERE id = ?", (one.id,)
            ).fetchone()
            if kept not in layouts:
                layouts[kept] = list(self._layout(kept).series_names())
                wanted = (name for name in layouts[kept] if only is None or only.search(name))
                for name in wanted:
                    places.setdefault(name, len(places))
            rows.append((layouts[kept], np.frombuffer(_unpacked(medians), dtype="<f4")))
        values = np.full((len(runs), len(places)), np.nan)
        columns: dict[int, tuple[list[int], list[int]]] = {}
        for index, (names, medians) in enumerate(reversed(rows)):
            if id(names) not in columns:
                here = [(place, places[name]) for place, name in enumerate(names) if name in places]
                columns[id(names)] = [place for place, _ in here], [place for _, place in here]
            own, there = columns[id(names)]
            values[index, there] = medians[own]
        return SeriesTable(tuple(runs), tuple(places), values)

    def samples(self, one: Entry) -> tuple[Numbers, Numbers | None]:
        """The raw figures of a run, and those of its reference."""
        of, samples, reference_of, reference_samples = self.connection.execute(
            "SELECT layout, samples, reference_layout, reference_samples FROM run WHERE id = ?", (one.id,)
        ).fetchone()
        own = Numbers.unpacked(self._layout(of), samples)
        return own, Numbers.unpacked(self._layout(reference_of), reference_samples) if reference_of else None

    def _layout(self, id: int) -> Layout:
        content = self.connection.execute("SELECT content FROM layout WHERE id = ?", (id,)).fetchone()[0]
        return Layout.read(_unpacked(content))


def unit_of(name: str, of_runs: str) -> str:
    """The unit of a series: an amount is none in cycles."""
    own = metric_of(name)
    return of_runs if own.is_time or of_runs == RATIO else own.unit


def changed_facts(before: Entry, after: Entry) -> list[str]:
    """What is said of the second run that is not said of the first: `compiler: GNU 12.2.0, now GNU 13.1.0`."""
    keys: Iterable[str] = dict.fromkeys((*before.facts, *after.facts))
    pairs = ((key, before.facts.get(key, "none"), after.facts.get(key, "none")) for key in keys)
    return [f"{key}: {old}, now {new}" for key, old, new in pairs if old != new]
