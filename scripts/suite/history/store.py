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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.base import foreign, moments
from suite.base.errors import BadInput
from suite.base.text import one_line
from suite.base.time_limit import time_limit
from suite.history import database
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
from suite.results.read import LONGEST_NAME, read_run
from suite.stats.arrays import Floats, np
from suite.stats.estimates import Estimate, estimate_median, estimate_ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A history holds runs of this size, whatever a file says: its cost grows with the numbers in it.
MOST_PROCESSES = 2000  # of a run: twice the pairs of scripts/program. A ratio compares each with each of the reference
MOST_CELLS, CELLS_PER_NUMBER = 1 << 20, 16  # of a run's arrays: this many, or this many for each number in them
MOST_SERIES = 200_000  # of a run: two for each of 100,000 rows. The page draws each
MOST_LAYOUT_BYTES = 1 << 25  # unpacked: the names of 100,000 series take half of it
EXPRESSIONS_SECONDS = 30.0  # for those of all annotations: a short one can take for ever
MOST_VALUES = 20_000_000  # of a table: 1,000 runs of 20,000 series
# What a command unpacks of all runs grows as the file does: equal numbers would unpack to ten thousand times as much. The
# numbers of an honest run unpack to up to forty times as much.
UNPACKED_AT_LEAST, UNPACKED_PER_BYTE = 1 << 28, 64

RATIO, CYCLES, NS = UNITS = "ratio", "cycles", "ns"

# The facts that identify a machine. Clock, load and name do not: a cloud's runners of one kind are one machine.
MACHINE_FACTS = (
    "cpu_model", "architecture", "virtualisation", "topology", "cores", "processing_units", "num_cpus", "numa_nodes",
    "l1d_bytes", "l2_bytes", "l3_bytes", "caches", "page_bytes",
)  # fmt: skip
# Settings from outside that shape every figure, and what they mostly are: any other value begins series of its own.
COMMON_SETTINGS = {
    "preloaded": "", "malloc_settings": "", "stack_limit": str(8 << 20), "address_space_limit": "unlimited",
    "data_limit": "unlimited", "scheduling": "normal", "overcommit_memory": "0",
}  # fmt: skip
# Facts that differ in every run and explain nothing.
PASSING_FACTS = ("date", "load_avg", "mhz_per_cpu", "suite")

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
        """Raises ValueError, TypeError or RecursionError for a layout that `numbers_of` does not make."""
        names, processes, columns, series, *declared = foreign.read_json(written)
        by_counter = {key: tuple(indices) for key, indices in columns.items()}
        by_benchmark = tuple((index, counter) for index, counter in series)
        metrics = declared_metrics(declared[0]) if declared else UNDECLARED
        layout = Layout(tuple(names), tuple(processes), by_counter, by_benchmark, metrics)
        if not all(isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable() for name in names):
            raise ValueError("a benchmark has no readable name")
        if not _ascending(layout.processes, 1_000_000) or len(processes) > MOST_PROCESSES:
            raise ValueError(f"its processes are not up to {MOST_PROCESSES:,} different numbers")
        if not all(_ascending(indices, len(names)) for indices in by_counter.values()) or not by_counter.get("ns"):
            raise ValueError("a counter is of a benchmark that is not listed")
        if len(series) > MOST_SERIES:
            raise ValueError(f"it has {len(series):,} series, more than {MOST_SERIES:,}")
        listed = {key: frozenset(indices) for key, indices in by_counter.items()}
        if not all(type(index) is int and index in listed.get(counter or "ns", ()) for index, counter in by_benchmark):
            raise ValueError("a series is of a counter that is not listed")
        if len(set(layout.series_names())) != len(series):
            raise ValueError("two series have the same name")
        if 4 * layout.cells > database.MOST_BYTES:
            raise ValueError(f"its numbers take over {database.MOST_BYTES >> 20} MiB")
        return layout

    @property
    def cells(self) -> int:
        """How many numbers the arrays hold, with those that are absent."""
        return len(self.processes) * sum(map(len, self.columns.values()))

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
        raw = np.frombuffer(_exactly(4 * layout.cells, packed), dtype=np.uint8).reshape(4, -1).T
        together = _as_float64(np.ascontiguousarray(raw).view("<f4").ravel())
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
            with np.errstate(all="ignore"):  # of figures that nothing can have measured: they are absent
                measured[name] = values / rows["ns_per_addition"][index] if is_cycles else np.maximum(values, metric.least)
        return measured


def _ascending(numbers: Sequence[object], end: int) -> bool:
    """Whether these are whole numbers below `end`, each larger than the number before it."""
    before = -1
    for number in numbers:
        if type(number) is not int or not before < number < end:
            return False
        before = number
    return True


def _as_float64(numbers: NDArray[np.float32]) -> Floats:
    with np.errstate(invalid="ignore"):  # any bits may stand in a file, also those of a signalling NaN
        return numbers.astype(np.float64)


def numbers_of(run: Run, declared: DeclaredMetrics) -> Numbers:
    """The numbers of a run. Raises BadInput where they are of too many processes, or spread too far."""
    benchmarks = run.series()
    processes = tuple(sorted({sample.process for benchmark in benchmarks for sample in benchmark.samples}))
    place = {process: index for index, process in enumerate(processes)}
    rows: dict[str, dict[int, dict[int, float]]] = {"ns": {}}
    for index, benchmark in enumerate(benchmarks):
        for sample in benchmark.samples:
            for key, value in (("ns", sample.ns), *sample.counters.items()):
                if key in DISTURBANCES:  # a thousand runs need not keep them
                    continue
                rows.setdefault(key, {}).setdefault(index, {})[place[sample.process]] = value
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
    numbers = sum(len(row) for by_benchmark in rows.values() for row in by_benchmark.values())
    if len(processes) > MOST_PROCESSES:
        raise BadInput(f"{run.path}: has {len(processes):,} processes; a history keeps at most {MOST_PROCESSES:,} of a run")
    if layout.cells > max(MOST_CELLS, CELLS_PER_NUMBER * numbers):
        raise BadInput(f"{run.path}: has a number in {numbers:,} of {layout.cells:,} places, its benchmarks times its "
                       f"processes; a history keeps runs that have one in {CELLS_PER_NUMBER}")  # fmt: skip
    try:
        Layout.read(layout.written())
    except ValueError as problem:  # no reader would take it
        raise BadInput(f"{run.path}: cannot be kept: {problem}") from None
    return Numbers(layout, {key: _array(list(rows[key].values()), len(processes)) for key in layout.columns})


def _array(rows: Sequence[Mapping[int, float]], processes: int) -> Floats:
    array = np.full((len(rows), processes), np.nan)
    for row, values in zip(array, rows):
        row[list(values)] = list(values.values())
    return array


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
    found = {}
    for name in names:
        values, below = (_positive(side.get(name, np.array([]))).tolist() for side in (own, base or {}))
        if values and base is None:
            found[name] = estimate_median(values)
        elif values and below:
            found[name] = estimate_ratio(values, below)
    return found


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
    if max(map(len, (_machine(run), json.dumps(facts)))) > database.MOST_LETTERS:
        raise BadInput(f"{path}: its context has over {database.MOST_LETTERS >> 20} MiB of facts, too many to keep")
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
    found = moments.utc_text(text)
    if found is None:
        raise BadInput(otherwise)
    return found


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
    """Opens the record in a file: see database.opened. Raises BadInput."""
    with database.opened(file, to_write) as connection:
        yield History(file, connection)


def _unpacked(content: bytes, most: int) -> bytes:
    """The content, decompressed up to a limit: a few bytes can grow beyond the memory. Raises zlib.error."""
    unpacking = zlib.decompressobj()
    unpacked = unpacking.decompress(content, most + 1)
    if not unpacking.eof or len(unpacked) > most:
        raise zlib.error("cut off, or too large")
    return unpacked


def _exactly(size: int, content: bytes) -> bytes:
    """The same for a content whose size is known. Raises zlib.error, ValueError."""
    unpacked = _unpacked(content, size)
    if len(unpacked) != size:
        raise ValueError(f"a run has {len(unpacked)} bytes of numbers, and its layout says {size}")
    return unpacked


@dataclass
class History:
    """The record in one file."""

    file: Path
    connection: sqlite3.Connection
    unpacked_bytes: int = 0  # of samples, so far

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
        inserted = self.connection.execute(f"INSERT INTO run ({', '.join(values)}) VALUES ({places})", values)
        database.check_room(self.file, "run", inserted.lastrowid or 0)

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
        inserted = self.connection.execute(
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
        database.check_room(self.file, "annotation", inserted.lastrowid or 0)

    # -- reading

    def runs(self) -> list[Entry]:
        """All runs, in the order in which they were measured."""
        rows = self.connection.execute(
            "SELECT id, measured, revision, machine, profile, unit, complete, facts FROM run ORDER BY measured, id"
        )
        return [_entry(*row) for row in rows]

    def machine(self, id: int) -> dict[str, Any]:
        """The facts that identify the machine."""
        facts = foreign.read_json(self.connection.execute("SELECT facts FROM machine WHERE id = ?", (id,)).fetchone()[0])
        if not isinstance(facts, dict):
            raise ValueError(f"machine {id} has no facts")
        return facts

    def annotations(self) -> list[Annotation]:
        rows = self.connection.execute(
            "SELECT run, revision, moment, only_names, accepts, text FROM annotation ORDER BY id"
        )
        seconds = EXPRESSIONS_SECONDS
        with time_limit(seconds, f"{self.file}: the expressions of its annotations take over {seconds:.0f} s to be read"):
            return [_annotation(*row) for row in rows]

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
        places: dict[str, int] = {}
        metrics: list[Metric] = []
        columns: dict[int, _Columns] = {}
        rows = []
        for run in reversed(runs):
            kept, medians = self.connection.execute(
                "SELECT layout, medians FROM run WHERE id = ?", (run.id,)
            ).fetchone()
            if kept not in columns:
                layout, own = self._layout(kept), []
                for place, (name, metric) in enumerate(zip(layout.series_names(), layout.metrics())):
                    if only is None or only.search(name):
                        own.append(place)
                        metrics += [metric] if name not in places else []
                        places.setdefault(name, len(places))
                names = layout.series_names()
                columns[kept] = _Columns(len(names), np.array(own, int), np.array([places[names[at]] for at in own], int))
                if len(places) * len(runs) > MOST_VALUES:
                    raise BadInput(f"{self.file}: {len(runs)} runs have over {len(places) - 1} series, too many for one table: "
                                   "--last takes fewer runs")  # fmt: skip
            rows.append((columns[kept], _medians(columns[kept], medians)))
        values = np.full((len(runs), len(places)), np.nan)
        for row, (layout_columns, own_values) in zip(values, reversed(rows)):
            row[layout_columns.there] = own_values
        return SeriesTable(tuple(runs), tuple(places), tuple(metrics), values)

    def samples(self, run: Entry) -> tuple[Numbers, Numbers | None]:
        """The raw numbers of a run, and the raw numbers of its reference. Raises BadInput where those of all runs that were
        read are too many for the file."""
        layout, samples, reference_layout, reference_samples = self.connection.execute(
            "SELECT layout, samples, reference_layout, reference_samples FROM run WHERE id = ?", (run.id,)
        ).fetchone()
        own = self._numbers(layout, samples)
        if (reference_layout is None) is (run.unit == RATIO) or run.unit == CYCLES and not own.have_cycles():
            raise ValueError(f"{run.label} lacks the numbers of its unit, {run.unit}")
        return own, self._numbers(reference_layout, reference_samples) if reference_layout else None

    def _numbers(self, layout_id: int, packed: bytes) -> Numbers:
        layout = self._layout(layout_id)
        self.unpacked_bytes += 4 * layout.cells
        most = max(UNPACKED_AT_LEAST, UNPACKED_PER_BYTE * self.file.stat().st_size)
        if self.unpacked_bytes > most:
            raise BadInput(f"{self.file}: its runs unpack to over {most >> 20} MiB, too many numbers for a file of its size: "
                           "--last takes fewer runs")  # fmt: skip
        return Numbers.unpacked(layout, packed)

    def intervals(self, run: Entry, names: Collection[str]) -> dict[str, Estimate]:
        """The intervals of these series of a run."""
        return intervals_of(run.unit, *self.samples(run), names)

    def _layout(self, id: int) -> Layout:
        digest, content = self.connection.execute("SELECT digest, content FROM layout WHERE id = ?", (id,)).fetchone()
        written = _unpacked(content, MOST_LAYOUT_BYTES)
        if hashlib.sha256(written).hexdigest() != digest:
            raise ValueError(f"layout {id} does not match its digest")
        return Layout.read(written)


@dataclass(frozen=True)
class _Columns:
    """Which series of a layout are in a table."""

    series: int  # of the layout
    own: NDArray[np.intp]  # the places of these series in the layout
    there: NDArray[np.intp]  # and in the table


def _medians(columns: _Columns, packed: bytes) -> Floats:
    """Those of a run that are in the table. A median is positive and finite, or absent."""
    medians = _as_float64(np.frombuffer(_exactly(4 * columns.series, packed), dtype="<f4")[columns.own])
    return np.where(np.isfinite(medians) & (medians > 0), medians, np.nan)


def _entry(
    id: int, measured: str, revision: str, machine: int, profile: str, unit: str, complete: int, facts: str
) -> Entry:
    """Raises ValueError for a run that `add` does not make."""
    read = foreign.read_json(facts)
    if not isinstance(read, dict) or not all(isinstance(value, str) for value in read.values()):
        raise ValueError(f"run {id} has facts that are not texts")
    if unit not in UNITS:
        raise ValueError(f"run {id} has the unit {unit[:20]!r}")
    if moments.utc_text(measured) != measured:
        raise ValueError(f"run {id} was not measured at a time in UTC")
    return Entry(id, measured, revision, machine, profile, unit, bool(complete), read)


def _annotation(
    run: int | None, revision: str | None, moment: str | None, only_names: str, accepts: int, text: str
) -> Annotation:
    """Raises ValueError for an annotation that `annotate` does not make."""
    if [run, revision, moment].count(None) != 2:
        raise ValueError(f"the annotation {text!r} is not of one run, revision or moment")
    try:
        re.compile(only_names)
    except (re.error, OverflowError) as problem:
        raise ValueError(f"the annotation {text!r} has an expression that cannot be used: {problem}") from None
    return Annotation(run, revision, moment, only_names, bool(accepts), text)


def unit_of(metric: Metric, of_runs: str) -> str:
    """The unit of a series: an amount keeps its own unit where times are in cycles."""
    return of_runs if metric.is_time or of_runs == RATIO else metric.unit


def changed_facts(before: Entry, after: Entry) -> list[str]:
    """The facts of the second run that differ from the first: `compiler: GNU 12.2.0, now GNU 13.1.0`."""
    keys: Iterable[str] = dict.fromkeys((*before.facts, *after.facts))
    pairs = ((key, before.facts.get(key, "none"), after.facts.get(key, "none")) for key in keys)
    return [f"{key}: {old}, now {new}" for key, old, new in pairs if old != new]
