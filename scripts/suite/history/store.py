"""Which runs were measured before? The record of many runs in one SQLite file: raw samples, series, annotations.

A series is one metric of one benchmark on one machine, in one profile and one unit, over the runs in the order in which
they were measured. The unit is the ratio to a reference build if a reference was measured together with the run, else
core cycles (a cycle is the time of one dependent addition, which each process also measures), else nanoseconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import sqlite3
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from suite.base import foreign
from suite.base.errors import BadInput
from suite.base.text import one_line
from suite.results.end_to_end import command_of
from suite.results.metrics import (
    UNDECLARED,
    DeclaredMetrics,
    Metric,
    declared_metrics,
    encode_metrics,
    metric_of,
    metrics_in,
    metrics_of,
)
from suite.results.model import DISTURBANCES, Run, selects
from suite.results.read import read_run
from suite.stats.arrays import Floats, np
from suite.stats.estimates import Estimate, estimate_median, estimate_ratio

APPLICATION = 0x73746B68  # "stkh" in the file's header: the program that owns the database
VERSION = 1
MOST_BYTES = 1 << 27  # of a run's samples, unpacked: ten times the samples of 100,000 rows
WAIT_SECONDS = 20.0  # for another writer, which needs a fraction of that

RATIO, CYCLES, NS = "ratio", "cycles", "ns"

# The facts that identify a machine. Clock, load and name do not: a cloud's runners of one kind are one machine.
MACHINE_FACTS = (
    "cpu_model", "architecture", "virtualisation", "topology", "cores", "processing_units", "num_cpus", "numa_nodes",
    "l1d_bytes", "l2_bytes", "l3_bytes", "caches", "page_bytes",
)  # fmt: skip
# Settings from outside that shape every figure, and what they mostly are: any other value begins series of its own.
COMMON_SETTINGS = {
    "preloaded": "", "malloc_settings": "", "stack_limit": str(8 << 20), "address_space_limit": "unlimited",
}  # fmt: skip
# Facts that differ in every run and explain nothing.
PASSING_FACTS = ("date", "load_avg", "mhz_per_cpu", "suite")

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
# The samples of a run are float32 (7 digits, ten thousand times finer than the noise): one array of benchmarks times
# processes for each counter, NaN where a process has no value. Bytes of equal weight lie together, which zlib compresses
# better. A layout lists the benchmarks and counters. The medians are float32 too, in the order of the series. All of
# this is compressed also for zlib's checksums: SQLite has no checksums, and a damaged number would look like any other.


@dataclass(frozen=True)
class Entry:
    """A run in the record."""

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
        """Equal for all runs that can stand in one series."""
        return self.machine, self.profile, self.unit


@dataclass(frozen=True)
class Annotation:
    """A user's text about a run, a revision or a moment."""

    run: int | None
    revision: str | None
    moment: str | None
    only_names: str  # a regular expression; empty: all series
    accepts: bool  # the changes there are known and do not fail the check
    text: str

    def place_in(self, runs: Sequence[Entry]) -> int | None:
        """The index of the first run that the annotation is about; None where it is not among the runs."""
        for index, run in enumerate(runs):
            if self.run is not None and run.id == self.run:
                return index
            if self.revision is not None and run.revision and run.revision.startswith(self.revision):
                return index
            if self.moment is not None and run.measured >= self.moment:
                return index
        return None

    def speaks_of(self, name: str) -> bool:
        return selects(self.only_names, name)


@dataclass(frozen=True)
class SeriesTable:
    """Series over the same runs, oldest first. Values are runs times series, NaN where a run lacks the series."""

    runs: tuple[Entry, ...]
    names: tuple[str, ...]
    metrics: tuple[Metric, ...]  # of the series
    values: Floats

    def series(self, which: int) -> tuple[tuple[Entry, ...], Floats]:
        """The runs that have this series, and their values."""
        column = self.values[:, which]
        has = np.flatnonzero(np.isfinite(column))
        return tuple(self.runs[index] for index in has), column[has]


# ---- a run's numbers, packed


@dataclass(frozen=True)
class Layout:
    """Which numbers a run has: the benchmarks, for each counter the indices of its benchmarks, and the series."""

    names: tuple[str, ...]
    processes: tuple[int, ...]
    columns: Mapping[str, tuple[int, ...]]
    series: tuple[tuple[int, str], ...]  # benchmark and counter; an empty counter means the time
    declared: DeclaredMetrics = field(default_factory=dict)  # where Metric(counter) does not say it all

    def written(self) -> bytes:
        """Without declarations it is as in the histories of earlier versions."""
        content = [self.names, self.processes, self.columns, self.series]
        content += [encode_metrics(self.declared)] if self.declared else []
        return json.dumps(content, separators=(",", ":")).encode()

    @staticmethod
    def read(written: bytes) -> Layout:
        names, processes, columns, series, *declared = foreign.read_json(written)
        by_counter = {key: tuple(indices) for key, indices in columns.items()}
        by_benchmark = tuple((index, counter) for index, counter in series)
        metrics = declared_metrics(declared[0]) if declared else UNDECLARED
        return Layout(tuple(names), tuple(processes), by_counter, by_benchmark, metrics)

    def series_names(self) -> tuple[str, ...]:
        return tuple(Metric(counter).named(self.names[index]) for index, counter in self.series)

    def metrics(self) -> tuple[Metric, ...]:
        """The metric of each series."""
        return tuple(metric_of(name, self.declared) for name in self.series_names())


@dataclass(frozen=True)
class Numbers:
    """The numbers of every process of a run: an array of benchmarks times processes for each column of the layout."""

    layout: Layout
    arrays: Mapping[str, Floats]

    def packed(self) -> bytes:
        together = np.concatenate([array.ravel() for array in self.arrays.values()]).astype("<f4")
        return zlib.compress(together.view(np.uint8).reshape(-1, 4).T.tobytes(), 6)

    @staticmethod
    def unpacked(layout: Layout, packed: bytes) -> Numbers:
        raw = np.frombuffer(_unpacked(packed), dtype=np.uint8).reshape(4, -1).T
        together = np.ascontiguousarray(raw).view("<f4").ravel().astype(np.float64)
        arrays, start = {}, 0
        for key, indices in layout.columns.items():
            end = start + len(indices) * len(layout.processes)
            arrays[key] = together[start:end].reshape(len(indices), len(layout.processes))
            start = end
        return Numbers(layout, arrays)

    def have_cycles(self) -> bool:
        return self.layout.columns.get("ns_per_addition") == self.layout.columns["ns"] and bool(
            np.all((self.arrays["ns_per_addition"] > 0) == np.isfinite(self.arrays["ns"]))
        )

    def series(self, in_cycles: bool) -> dict[str, Floats]:
        """The values of all processes, by the name of the series."""
        rows = {key: dict(zip(indices, self.arrays[key])) for key, indices in self.layout.columns.items()}
        measured = {}
        for metric, (index, counter) in zip(self.layout.metrics(), self.layout.series):
            name, values = metric.named(self.layout.names[index]), rows[counter or "ns"][index]
            is_cycles = in_cycles and metric.is_time
            measured[name] = values / rows["ns_per_addition"][index] if is_cycles else np.maximum(values, metric.least)
        return measured


def numbers_of(run: Run, declared: DeclaredMetrics) -> Numbers:
    """The numbers of a run. Raises BadInput where a number is too large to be kept."""
    benchmarks = run.series()
    processes = tuple(sorted({sample.process for benchmark in benchmarks for sample in benchmark.samples}))
    place = {process: index for index, process in enumerate(processes)}
    rows: dict[str, dict[int, Floats]] = {"ns": {}}
    for index, benchmark in enumerate(benchmarks):
        for sample in benchmark.samples:
            for key, value in (("ns", sample.ns), *sample.counters.items()):
                if key in DISTURBANCES:  # a thousand runs need not keep them
                    continue
                if abs(value) > float(np.finfo(np.float32).max):
                    raise BadInput(f"{run.path}: {benchmark.name} has a value of {key} that is too large to keep: {value:g}")
                row = rows.setdefault(key, {}).setdefault(index, np.full(len(processes), np.nan))
                row[place[sample.process]] = value
    layout = Layout(
        names=tuple(benchmark.name.text for benchmark in benchmarks),
        processes=processes,
        columns={key: tuple(rows[key]) for key in sorted(rows)},
        series=tuple(
            (index, metric.counter)
            for index, benchmark in enumerate(benchmarks)
            for metric in metrics_of(benchmark, declared)
        ),
        declared={
            family: declared[family]
            for family in run.families()
            if any(metric != Metric(metric.counter) for metric in declared.get(family, ()))
        },
    )
    return Numbers(layout, {key: np.stack(list(rows[key].values())) for key in layout.columns})


def medians_of(unit: str, numbers: Numbers, reference: Numbers | None) -> Floats:
    """The value of each series: the median over the processes, or for a ratio over all pairs of processes."""
    own, base = _alike(unit, numbers, reference)
    if base is None:
        return np.array([_median(values) for values in own.values()])
    nothing = np.array([np.nan])
    ratios = (np.divide.outer(values, base.get(name, nothing)).ravel() for name, values in own.items())
    return np.array([_median(values) for values in ratios])


def intervals_of(
    unit: str, numbers: Numbers, reference: Numbers | None, names: Collection[str]
) -> dict[str, Estimate]:
    """The interval of each of these series that has a value, over the processes of the run."""
    own, base = _alike(unit, numbers, reference)
    measured = {name: _positive(own[name]).tolist() for name in names if name in own}
    if base is None:
        return {name: estimate_median(values) for name, values in measured.items() if values}
    beside = {name: _positive(base[name]).tolist() for name in measured if name in base}
    return {
        name: estimate_ratio(measured[name], below) for name, below in beside.items() if measured[name] and below
    }


def _alike(
    unit: str, numbers: Numbers, reference: Numbers | None
) -> tuple[dict[str, Floats], dict[str, Floats] | None]:
    """The values of all processes of a run and of its reference, by series, in the unit in which they are compared."""
    if reference is None:
        return numbers.series(in_cycles=unit == CYCLES), None
    in_cycles = numbers.have_cycles() and reference.have_cycles()
    return numbers.series(in_cycles), reference.series(in_cycles)


def _positive(values: Floats) -> Floats:
    return values[np.isfinite(values) & (values > 0)]


def _median(values: Floats) -> float:
    """The median of the positive values; NaN where no process has a positive value."""
    good = _positive(values)
    return float(np.median(good)) if len(good) else np.nan


# ---- a run, ready to be kept


@dataclass(frozen=True)
class PreparedRun:
    """A run with all values that the record keeps."""

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
    """Reads a run, and the run of the reference build that was measured with it. Raises BadInput, BadResult."""
    run = _read(path)
    metrics = metrics_in(run)
    own, context = numbers_of(run, metrics), dict(run.context)
    beside, facts = None, _facts(run)
    if reference is not None:
        reference_run = _read(reference)
        if _machine(reference_run) != _machine(run) or _profile(reference_run) != _profile(run):
            raise BadInput(f"{reference}: a reference needs the machine and the profile of {path}")
        beside = numbers_of(reference_run, metrics)  # an early reference build declares nothing
        facts |= {f"reference: {key}": value for key, value in _facts(reference_run).items()}
    unit = RATIO if beside is not None else CYCLES if own.have_cycles() else NS
    medians = medians_of(unit, own, beside)
    if not np.isfinite(medians).any():
        raise BadInput(f"{path}: no series has a value" + (f" in this run and in {reference}" if reference else ""))
    return PreparedRun(
        path=path,
        digest=_digest(own, context),
        reference_digest=_digest(beside, dict(reference_run.context)) if beside is not None else None,
        measured=moment_of(str(context.get("date", "")), f"{path}: the context's date is missing or invalid"),
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
        raise BadInput(f"{path}: no benchmark of the run gave a result")
    return run


def moment_of(text: str, otherwise: str) -> str:
    """A date, or a date and time, as UTC; text without a time zone is UTC. Raises BadInput with the text `otherwise`."""
    try:
        parsed = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        moment = parsed.astimezone(timezone.utc) if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        raise BadInput(otherwise) from None
    return moment.isoformat(timespec="seconds")


def _machine(run: Run) -> str:
    facts = {key: run.context[key] for key in MACHINE_FACTS if key in run.context}
    set_otherwise = {key: run.context.get(key, common) for key, common in COMMON_SETTINGS.items()}
    facts |= {key: value for key, value in set_otherwise.items() if value != COMMON_SETTINGS[key]}
    return json.dumps(facts, sort_keys=True)


def _profile(run: Run) -> str:
    """The series of a user's program are those of its command."""
    return " ".join(filter(None, (one_line(str(run.context.get("profile", ""))), command_of(run))))


def _facts(run: Run) -> dict[str, str]:
    left_out = {*MACHINE_FACTS, *PASSING_FACTS}
    return {key: one_line(str(value)) for key, value in run.context.items() if key not in left_out}


def _digest(numbers: Numbers, context: Mapping[str, Any]) -> str:
    """A digest of the run's content, whatever the file's format."""
    kept = {key: value for key, value in context.items() if key != "suite"}
    content = hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode())
    content.update(numbers.layout.written())
    for array in numbers.arrays.values():
        content.update(array.astype("<f8").tobytes())
    return content.hexdigest()


# ---- the file


@contextlib.contextmanager
def opened(file: Path, to_write: bool = False) -> Iterator[History]:
    """Opens the record in a file. To write, a missing file is created, and either all changes are kept or no change is.

    Raises BadInput if the file is missing, damaged, locked, not writable, of a newer suite or of another program.
    """
    try:
        with contextlib.closing(_connect(file, to_write)) as connection:
            # First of all: another writer may create the record between two looks at an empty file, and after the work
            # it would be too late to find another writer.
            connection.execute("BEGIN IMMEDIATE" if to_write else "BEGIN")
            _check_whose(file, connection, to_write)
            if to_write and not connection.execute("PRAGMA user_version").fetchone()[0]:
                _make(connection)
            yield History(file, connection)
            if to_write:
                connection.execute("COMMIT")
    # A damaged file may also hold text that is not valid, or values of another type.
    except (sqlite3.Error, zlib.error, ValueError, TypeError, LookupError) as problem:
        raise BadInput(f"{file}: {_reason(problem)}") from None


def _connect(file: Path, to_write: bool) -> sqlite3.Connection:
    if to_write:
        file.parent.mkdir(parents=True, exist_ok=True)
    elif not file.exists():
        raise BadInput(f"{file}: does not exist; scripts/history add RUN creates it")
    if file.exists() and not file.is_file():
        raise BadInput(f"{file}: is not a file")
    mode = "rwc" if to_write else "ro"
    # No write-ahead log: the record is this single file, so that it can be copied, cached and kept as an artifact.
    address = f"{file.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(address, uri=True, timeout=WAIT_SECONDS, isolation_level=None)
    connection.text_factory = foreign.read_cell
    return connection


def _check_whose(file: Path, connection: sqlite3.Connection, to_write: bool) -> None:
    whose, version = (connection.execute(f"PRAGMA {key}").fetchone()[0] for key in ("application_id", "user_version"))
    if whose == APPLICATION and version > VERSION:
        raise BadInput(f"{file}: was written by a newer suite (format version {version}, this suite reads {VERSION})")
    empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not (whose == APPLICATION and version == VERSION or to_write and empty and not whose):
        raise BadInput(f"{file}: is not a history of this suite")


def _make(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";")[:-1]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _unpacked(content: bytes) -> bytes:
    """The content, decompressed up to a limit: a few bytes can grow beyond the memory. Raises zlib.error."""
    unpacking = zlib.decompressobj()
    unpacked = unpacking.decompress(content, MOST_BYTES)
    if not unpacking.eof:
        raise zlib.error("cut off, or too large")
    return unpacked


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
    """The record in one file."""

    file: Path
    connection: sqlite3.Connection

    # -- writing

    def add(self, prepared: PreparedRun, revision: str) -> bool:
        """Keeps a run; False where the record has it already. Raises BadInput where the kept run differs."""
        known = self.connection.execute(
            "SELECT id, revision, reference_digest FROM run WHERE digest = ?", (prepared.digest,)
        ).fetchone()
        if known is None:
            self._insert(prepared, revision)
            return True
        run, kept_revision, kept_reference = known
        if prepared.reference_digest is not None and prepared.reference_digest != kept_reference:
            raise BadInput(f"{prepared.path}: is run {run} already, with a different reference")
        if revision and kept_revision and revision != kept_revision:
            raise BadInput(f"{prepared.path}: is run {run} already, of commit {kept_revision}")
        if revision:
            self.connection.execute("UPDATE run SET revision = ? WHERE id = ?", (revision, run))
        return False

    def _insert(self, prepared: PreparedRun, revision: str) -> None:
        beside = prepared.beside
        values = {
            "digest": prepared.digest,
            "reference_digest": prepared.reference_digest,
            "measured": prepared.measured,
            "revision": revision,
            "machine": self._id("machine", {"facts": prepared.machine}),
            "profile": prepared.profile,
            "unit": prepared.unit,
            "complete": prepared.complete,
            "facts": prepared.facts,
            "layout": self._layout_id(prepared.own.layout),
            "samples": prepared.own.packed(),
            "reference_layout": self._layout_id(beside.layout) if beside else None,
            "reference_samples": beside.packed() if beside else None,
            "medians": prepared.medians,
        }
        places = ", ".join(f":{key}" for key in values)
        self.connection.execute(f"INSERT INTO run ({', '.join(values)}) VALUES ({places})", values)

    def _layout_id(self, layout: Layout) -> int:
        written = layout.written()
        return self._id("layout", {"digest": hashlib.sha256(written).hexdigest(), "content": zlib.compress(written)})

    def _id(self, kind: str, values: dict[str, object]) -> int:
        """The id of the row with the first value; a missing row is created."""
        key, places = next(iter(values)), ", ".join("?" * len(values))
        self.connection.execute(
            f"INSERT OR IGNORE INTO {kind} ({', '.join(values)}) VALUES ({places})", tuple(values.values())
        )
        return int(self.connection.execute(f"SELECT id FROM {kind} WHERE {key} = ?", (values[key],)).fetchone()[0])

    def annotate(self, annotation: Annotation) -> None:
        self.connection.execute(
            "INSERT INTO annotation (run, revision, moment, only_names, accepts, text) VALUES (?, ?, ?, ?, ?, ?)",
            (
                annotation.run,
                annotation.revision,
                annotation.moment,
                annotation.only_names,
                annotation.accepts,
                annotation.text,
            ),
        )

    # -- reading

    def runs(self) -> list[Entry]:
        """All runs, in the order in which they were measured."""
        rows = self.connection.execute(
            "SELECT id, measured, revision, machine, profile, unit, complete, facts FROM run ORDER BY measured, id"
        )
        return [
            Entry(id, measured, revision, machine, profile, unit, bool(complete), foreign.read_json(facts))
            for id, measured, revision, machine, profile, unit, complete, facts in rows
        ]

    def machine(self, id: int) -> dict[str, Any]:
        """The facts that identify the machine."""
        facts = self.connection.execute("SELECT facts FROM machine WHERE id = ?", (id,)).fetchone()[0]
        return dict(foreign.read_json(facts))

    def annotations(self) -> list[Annotation]:
        rows = self.connection.execute(
            "SELECT run, revision, moment, only_names, accepts, text FROM annotation ORDER BY id"
        )
        return [
            Annotation(run, revision, moment, only_names, bool(accepts), text)
            for run, revision, moment, only_names, accepts, text in rows
        ]

    def find_run(self, text: str) -> Entry | None:
        """The run with this number, or the first measured run whose commit begins with this text."""
        runs = self.runs()
        if text.isascii() and text.isdigit() and len(text) < 7:
            return next((run for run in runs if run.id == int(text)), None)
        return next((run for run in runs if len(text) >= 4 and run.revision.startswith(text)), None)

    def like(self, text: str | None) -> list[Entry]:
        """The runs that share their series with the named run, or with the run that was added last."""
        runs = self.runs()
        if not runs:
            raise BadInput(f"{self.file}: holds no run")
        chosen = max(runs, key=lambda run: run.id) if text is None else self.find_run(text)
        if chosen is None:
            raise BadInput(f"{self.file}: has no run {text!r}; scripts/history list shows them")
        return [run for run in runs if run.line == chosen.line]

    def table(self, runs: Sequence[Entry], only: re.Pattern[str] | None = None) -> SeriesTable:
        """The series of these runs; the series of the newest run come first."""
        layouts: dict[int, list[str]] = {}
        places: dict[str, int] = {}
        metrics: dict[str, Metric] = {}
        rows = []
        for run in reversed(runs):
            kept, medians = self.connection.execute(
                "SELECT layout, medians FROM run WHERE id = ?", (run.id,)
            ).fetchone()
            if kept not in layouts:
                layout = self._layout(kept)
                layouts[kept] = list(layout.series_names())
                for name, metric in zip(layouts[kept], layout.metrics()):
                    if only is None or only.search(name):
                        places.setdefault(name, len(places))
                        metrics.setdefault(name, metric)
            rows.append((layouts[kept], np.frombuffer(_unpacked(medians), dtype="<f4")))
        values = np.full((len(runs), len(places)), np.nan)
        columns: dict[int, tuple[list[int], list[int]]] = {}
        for index, (names, medians) in enumerate(reversed(rows)):
            if id(names) not in columns:
                here = [(place, places[name]) for place, name in enumerate(names) if name in places]
                columns[id(names)] = [place for place, _ in here], [place for _, place in here]
            own, there = columns[id(names)]
            values[index, there] = medians[own]
        return SeriesTable(tuple(runs), tuple(places), tuple(metrics.values()), values)

    def samples(self, run: Entry) -> tuple[Numbers, Numbers | None]:
        """The raw numbers of a run, and the raw numbers of its reference."""
        layout, samples, reference_layout, reference_samples = self.connection.execute(
            "SELECT layout, samples, reference_layout, reference_samples FROM run WHERE id = ?", (run.id,)
        ).fetchone()
        own = Numbers.unpacked(self._layout(layout), samples)
        return own, Numbers.unpacked(self._layout(reference_layout), reference_samples) if reference_layout else None

    def intervals(self, run: Entry, names: Collection[str]) -> dict[str, Estimate]:
        """The intervals of these series of a run."""
        return intervals_of(run.unit, *self.samples(run), names)

    def _layout(self, id: int) -> Layout:
        content = self.connection.execute("SELECT content FROM layout WHERE id = ?", (id,)).fetchone()[0]
        return Layout.read(_unpacked(content))


def unit_of(metric: Metric, of_runs: str) -> str:
    """The unit of a series: an amount keeps its own unit where times are in cycles."""
    return of_runs if metric.is_time or of_runs == RATIO else metric.unit


def changed_facts(before: Entry, after: Entry) -> list[str]:
    """The facts of the second run that differ from the first: `compiler: GNU 12.2.0, now GNU 13.1.0`."""
    keys: Iterable[str] = dict.fromkeys((*before.facts, *after.facts))
    pairs = ((key, before.facts.get(key, "none"), after.facts.get(key, "none")) for key in keys)
    return [f"{key}: {old}, now {new}" for key, old, new in pairs if old != new]
