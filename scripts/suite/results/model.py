"""What does a result file say? The only reader and writer of result files, and of Google Benchmark's JSON.

A unit is one process that measured one part of a family; its file is what the program wrote, and the unit's own facts.
A run is many units merged: one row a benchmark and process, then aggregates as Google Benchmark 1.7.1 writes them.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.stats.estimates import median

MOST_BYTES = 128 * 1024 * 1024  # 100,000 rows are a third of this: more is no result file, and would fill the memory
NS_PER_UNIT = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
LONGEST_NAME = 500
# The expression of a part, as a file may say it: with nested repetitions a short one would be searched for years.
PLAIN_PART = re.compile(r"[\w^$/:.-]*(\.\*[\w^$/:.-]*){0,2}")
MADE_BY_THIS_SUITE = "suite_version"  # the key in the context that tells this suite's files from other programs'

# What Google Benchmark itself writes into a row; every other number there is a counter.
ROW_FIELDS = frozenset(
    "name family_index per_family_instance_index run_name run_type repetitions repetition_index threads iterations "
    "real_time cpu_time time_unit label error_occurred error_message aggregate_name aggregate_unit".split()
)

Document = dict[str, Any]  # a JSON object as read


class BadResult(Exception):
    """A file that holds no readable result. Its text is one line: the file and the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True)
class BenchmarkName:
    """`family/strategy/key:value/...`, or `family/key:value/...` in families without strategies."""

    text: str
    family: str
    strategy: str | None
    parameters: Mapping[str, str] = field(compare=False)  # in the order of the name

    @staticmethod
    def parse(text: str) -> BenchmarkName:
        family, *rest = text.split("/")
        strategy = rest.pop(0) if rest and ":" not in rest[0] else None
        pairs = (piece.partition(":") for piece in rest)
        return BenchmarkName(text, family, strategy, {key: value for key, _, value in pairs})

    def number(self, key: str) -> int | None:
        """The parameter as a whole number; None where there is none, or it is a word."""
        value = self.parameters.get(key, "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Sample:
    """One process's figure for one benchmark."""

    process: int
    ns: float  # wall-clock time of one operation
    counters: Mapping[str, float]  # per operation; what the machine does not count is absent

    @property
    def cycles(self) -> float | None:
        """Core cycles of one operation: counted by the kernel, else by the addition timed beside, which takes one."""
        if "cycles" in self.counters:
            return self.counters["cycles"]
        addition = self.counters.get("ns_per_addition", 0.0)
        return self.ns / addition if addition > 0.0 else None


@dataclass(frozen=True)
class Pair:
    """One turn of a duet: two fresh processes, one of each side, one right after the other."""

    old: Sample
    new: Sample
    old_first: bool
    old_layout: int = 0  # which of the side's builds, that differ in layout alone
    new_layout: int = 0

    def log_ratio(self, counter: str) -> float | None:
        """The logarithm of new over old, of a counter; None where one of them has none."""
        old, new = (each.counters.get(counter, 0.0) for each in (self.old, self.new))
        return math.log(new / old) if min(old, new) > 0.0 else None

    @property
    def unlike(self) -> float:
        """How far apart the work of others on the same physical core was for its two processes: by as much, of the
        logarithm, the time of additions differs that keep that core busy. 0 where none was timed."""
        return abs(self.log_ratio(CORE_SHARE) or 0.0)


@dataclass(frozen=True)
class Side:
    """What was measured: a build, a revision, a malloc or a file."""

    label: str  # as the user names it
    facts: Mapping[str, str] = field(default_factory=dict)  # compiler, malloc, file, commit: what tells it apart


@dataclass(frozen=True)
class RecordedPairs:
    """All that a duet measured, so that its verdict can be made again."""

    old: Side
    new: Side
    seed: int  # of the order within pairs
    pairs: Mapping[str, tuple[Pair, ...]]  # by benchmark
    controls: Mapping[str, tuple[Pair, ...]] = field(default_factory=dict)  # by what they control
    problems: tuple[str, ...] = ()  # what could not be measured, and why
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """What a machine's gate does when a side is compared with itself."""

    floors: Mapping[str, float]  # by benchmark: it moves no further against itself, as a share
    false_alarms: int  # simulated comparisons with itself that failed
    simulated: int
    least_found: float | None  # the smallest slowdown that is found nine times in ten, as a share; None: none tried was
    seed: int


@dataclass(frozen=True)
class Benchmark:
    """All processes' figures for one benchmark."""

    name: BenchmarkName
    samples: tuple[Sample, ...]  # by process; empty where every process reported an error
    errors: tuple[str, ...] = ()

    @property
    def times(self) -> tuple[float, ...]:
        return tuple(one.ns for one in self.samples)

    @property
    def cycles(self) -> tuple[float, ...]:
        return tuple(one.cycles for one in self.samples if one.cycles is not None)

    def counter(self, key: str) -> tuple[float, ...]:
        """The counter in each process that has it."""
        return tuple(one.counters[key] for one in self.samples if key in one.counters)


@dataclass(frozen=True)
class Unit:
    """How one process of a run went. Shares are of all cores' time; None where the system does not say."""

    family: str
    chapter: str
    part: str  # the expression that selects its benchmarks
    process: int
    disturbed: bool
    reasons: tuple[str, ...]
    others_cpu: float | None
    steal: float | None
    involuntary_switches: int
    major_faults: int
    seconds: float
    ns_per_addition: float | None
    attempt: int
    core_taken: float | None = None  # what its core did less at once than in the quietest tenth of the run so far

    @property
    def taken_by_others(self) -> float:
        """The shares of the machine and of its own core that others had, added up: how much it was disturbed."""
        return (self.others_cpu or 0.0) + (self.steal or 0.0) + (self.core_taken or 0.0)


@dataclass(frozen=True)
class Failure:
    """What a run could not measure, and why."""

    family: str
    process: int
    reason: str


@dataclass(frozen=True)
class Account:
    """The suite's own account of how a run went."""

    complete: bool
    processes_planned: int
    order_seed: int | None = None
    units: tuple[Unit, ...] = ()
    failed: tuple[Failure, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)  # the families in words, and how fit the machine was

    @property
    def clock(self) -> Document:
        """How much the cores' clock moved between the processes: the time of one addition is one cycle."""
        additions = [one.ns_per_addition for one in self.units if one.ns_per_addition]
        if not additions:
            return {}
        low, high = min(additions), max(additions)
        return {"ns_per_addition_min": low, "ns_per_addition_max": high, "moved": high / low - 1}


@dataclass(frozen=True)
class Run:
    """Everything one result file says."""

    path: Path
    context: Mapping[str, Any]
    by_name: Mapping[str, Benchmark]  # in the order of the file
    account: Account

    @property
    def complete(self) -> bool:
        return self.account.complete

    @property
    def units(self) -> tuple[Unit, ...]:
        return self.account.units

    @property
    def failed(self) -> tuple[Failure, ...]:
        return self.account.failed

    @property
    def processes(self) -> int:
        """The most processes any benchmark was measured in."""
        return max((len(one.samples) for one in self.by_name.values()), default=0)

    def series(
        self, family: str | None = None, strategy: str | None = None, **parameters: object
    ) -> tuple[Benchmark, ...]:
        """The measured benchmarks that fit: `series("scoped", bytes=64)`. What is not given may be anything."""
        wanted = {key: str(value) for key, value in parameters.items()}
        return tuple(
            one
            for one in self.by_name.values()
            if one.samples
            and family in (None, one.name.family)
            and strategy in (None, one.name.strategy)
            and wanted.items() <= dict(one.name.parameters).items()
        )

    def get(self, name: str) -> Benchmark | None:
        """The benchmark of this exact name, if it was measured."""
        found = self.by_name.get(name)
        return found if found is not None and found.samples else None

    def families(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.name.family for one in self.series()))

    def strategies(self, family: str | None = None) -> tuple[str, ...]:
        found = (one.name.strategy for one in self.series(family))
        return tuple(dict.fromkeys(strategy for strategy in found if strategy is not None))

    def mallocs(self) -> dict[str, str]:
        """Each malloc library of the run that could be measured, and its version and file."""
        return {name: text for name, text in self._malloc_lines() if not text.startswith("not available")}

    def unavailable_mallocs(self) -> dict[str, str]:
        """Each malloc library that could not be measured, and why."""
        lines = ((name, text) for name, text in self._malloc_lines() if text.startswith("not available"))
        return {name: text.removeprefix("not available").lstrip(": ") for name, text in lines}

    def _malloc_lines(self) -> Iterator[tuple[str, str]]:
        for key, value in self.context.items():
            if key.startswith("malloc.") and isinstance(value, str):
                yield key.removeprefix("malloc."), value

    def fact(self, key: str) -> int | None:
        """A whole number of the context (`cores`, `l1d_bytes`); None where the machine did not say."""
        value = str(self.context.get(key, ""))
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None

    def disturbed_processes(self, one: Benchmark) -> tuple[int, ...]:
        """The processes that were disturbed while they measured this benchmark."""
        measured = {taken.process for taken in one.samples}
        return tuple(
            sorted(
                each.process
                for each in self.units
                if each.disturbed
                and each.family == one.name.family
                and each.process in measured
                and (not PLAIN_PART.fullmatch(each.part) or selects(each.part, one.name.text))
            )
        )


def selects(part: str, name: str) -> bool:
    """Whether the expression of a part selects a benchmark; one that Python cannot read is taken to select it.

    Not for an expression that came with a file, unless it is a PLAIN_PART.
    """
    try:
        return re.search(part, name) is not None
    except re.error:
        return True


# ---- reading


def read_run(path: Path) -> Run:
    """Reads a run, or what one process of the program wrote. Raises BadResult."""
    document = _read_document(path)
    by_name = _read_benchmarks(path, document["benchmarks"])
    context = document["context"]
    return Run(path, context, by_name, _read_account(path, context.get("suite"), by_name.values()))


def read_unit(path: Path) -> tuple[Unit, Document]:
    """Reads a unit's file back. Raises BadResult."""
    document = _read_document(path)
    _read_benchmarks(path, document["benchmarks"])
    return read_record(path, Unit, document.get("unit"), "unit"), document


def read_program_output(path: Path) -> Document:
    """Reads what the program wrote, and checks every figure. Raises BadResult."""
    document = _read_document(path)
    _read_benchmarks(path, document["benchmarks"])
    return document


def _read_json(path: Path) -> Any:
    try:
        return json.loads(_read_bytes(path))
    except RecursionError:
        raise BadResult(path, "is nested too deeply to be a result") from None
    except ValueError as error:  # not JSON, not UTF-8, or a number too long to read
        raise BadResult(path, f"is not JSON, or was cut off ({_first_line(error)})") from None


def _read_document(path: Path) -> Document:
    document = _read_json(path)
    if not isinstance(document, dict):
        raise BadResult(path, "is JSON, but not a result: not an object")
    context, rows = document.get("context"), document.get("benchmarks")
    if not isinstance(context, dict) or not isinstance(rows, list):
        raise BadResult(path, "is JSON, but not a result of Google Benchmark: context or benchmarks are missing")
    if MADE_BY_THIS_SUITE not in context:
        raise BadResult(path, f"was not made by this suite: no {MADE_BY_THIS_SUITE} in its context")
    if not rows:
        raise BadResult(path, "holds no benchmarks")
    try:
        json.dumps(context, allow_nan=False)
    except (ValueError, RecursionError):
        raise BadResult(path, "has a number in its context that is none") from None
    return document


def _read_bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BadResult(path, "is not a file")
        if status.st_size > MOST_BYTES:
            raise BadResult(path, f"is too large to be a result ({status.st_size} bytes)")
        content = path.read_bytes()
    except FileNotFoundError:
        raise BadResult(path, "does not exist") from None
    except (OSError, ValueError) as error:  # a ValueError: the path itself is none
        raise BadResult(path, f"cannot be read ({_first_line(error)})") from None
    if not content.strip():
        raise BadResult(path, "is empty")
    return content


def _first_line(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.partition("\n")[0][:200]


def _read_benchmarks(path: Path, rows: Sequence[object]) -> dict[str, Benchmark]:
    samples: dict[str, dict[int, Sample]] = {}
    errors: dict[str, list[str]] = {}
    for row in rows:
        if not isinstance(row, dict):
            raise BadResult(path, "has a row that is not an object")
        if row.get("run_type") == "aggregate":
            continue
        name, process = _row_name(path, row), _row_process(path, row)
        ns, _ = (_row_ns(path, row, name, key) for key in ("real_time", "cpu_time"))
        taken, failed = samples.setdefault(name, {}), errors.setdefault(name, [])
        if row.get("error_occurred"):
            failed.append(_error_of(row))
        elif process in taken:
            raise BadResult(path, f"has {name} twice for process {process}")
        else:
            taken[process] = Sample(process, ns, dict(_counters(row)))
    if not samples:
        raise BadResult(path, "holds only aggregates: no figures of single processes")
    return {
        name: Benchmark(BenchmarkName.parse(name), tuple(taken[key] for key in sorted(taken)), tuple(errors[name]))
        for name, taken in samples.items()
    }


def _row_name(path: Path, row: Document) -> str:
    name = row.get("run_name", row.get("name"))
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise BadResult(path, f"has a row without a readable name: {str(name)[:80]!a}")
    return name


def _row_process(path: Path, row: Document) -> int:
    process = row.get("repetition_index", 0)
    if not _is_count(process):
        raise BadResult(path, f"has a repetition_index that is no count: {str(process)[:80]!a}")
    return int(process)


def _row_ns(path: Path, row: Document, name: str, key: str) -> float:
    unit_name = row.get("time_unit")
    if not isinstance(unit_name, str) or unit_name not in NS_PER_UNIT:
        raise BadResult(path, f"gives {name} in an unknown unit of time: {str(unit_name)[:80]!a}")
    value = _finite(row.get(key))
    ns = math.inf if value is None else value * NS_PER_UNIT[unit_name]
    if not 0.0 <= ns < math.inf:
        raise BadResult(path, f"gives {name} a {key} that is no time: {str(row.get(key))[:80]!a}")
    return ns


def _error_of(row: Document) -> str:
    return one_line(str(row.get("error_message", ""))) or "an error without a message"


def one_line(text: str, longest: int = 300) -> str:
    """Text of another program as one printable line of bearable length."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:longest].strip()


def _counters(row: Document) -> Iterator[tuple[str, float]]:
    """A counter that is not finite was not counted: it is left out, never read as a number."""
    for key, value in row.items():
        number = None if key in ROW_FIELDS else _finite(value)
        if number is not None:
            yield key, number


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1_000_000


def _read_account(path: Path, written: object, measured: Iterable[Benchmark]) -> Account:
    if written is None:  # what a single process wrote
        return Account(True, max((len(one.samples) + len(one.errors) for one in measured), default=1))
    if not isinstance(written, dict) or not isinstance(written.get("complete"), bool):
        raise BadResult(path, "has a damaged account of the run (context.suite)")
    planned, seed = written.get("processes_planned"), written.get("order_seed")
    units, failed = written.get("units", []), written.get("failed", [])
    if not _is_count(planned) or not isinstance(units, list) or not isinstance(failed, list):
        raise BadResult(path, "has a damaged account of the run (context.suite)")
    return Account(
        complete=written["complete"],
        processes_planned=int(str(planned)),
        order_seed=seed if isinstance(seed, int) else None,
        units=tuple(read_record(path, Unit, one, "unit") for one in units),
        failed=tuple(read_record(path, Failure, one, "failure") for one in failed),
        about=about if isinstance(about := written.get("about"), dict) else {},
    )


def read_record(path: Path, kind: type[Any], written: object, what: str) -> Any:
    """A flat dataclass back from its JSON object; every field is there and of its type."""
    values = {}
    for one in dataclasses.fields(kind):
        value = written.get(one.name) if isinstance(written, dict) else None
        if not _fits(value, str(one.type)):
            raise BadResult(path, f"has a damaged record of a {what}: {one.name}")
        values[one.name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def _fits(value: object, type_name: str) -> bool:
    if type_name == "str":
        return isinstance(value, str) and value.isprintable()
    if type_name == "str | None":
        return value is None or isinstance(value, str)
    if type_name == "bool":
        return isinstance(value, bool)
    if type_name == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if type_name == "tuple[str, ...]":
        return isinstance(value, list) and all(isinstance(text, str) for text in value)
    return _finite(value) is not None or (value is None and type_name == "float | None")


# ---- what one process wrote


def _own_rows(document: Document) -> list[Document]:
    return [row for row in document["benchmarks"] if row.get("run_type") != "aggregate"]


def _name_of(row: Document) -> str:
    return str(row.get("run_name", row.get("name")))


def failures_in(document: Document, expected: Iterable[str]) -> list[str]:
    """What went wrong inside a process that ended well: benchmarks that report an error, and ones that are missing."""
    rows = {_name_of(row): row for row in _own_rows(document)}
    wrong = [f"{name}: {_error_of(row)}" for name, row in rows.items() if row.get("error_occurred")]
    return wrong + [f"{name}: has no result" for name in expected if name not in rows]


def ns_per_addition(document: Document) -> float | None:
    """The time of one dependent addition, one cycle of the core's clock: the median over the process's benchmarks."""
    values = [value for row in _own_rows(document) for key, value in _counters(row) if key == "ns_per_addition"]
    return median(values) if values else None


def cycles_of_eight_additions(document: Document) -> float | None:
    """The cycles in which the core makes eight additions that need not wait for each other: the mean over the process's
    benchmarks. More where others use the same physical core, or on a lesser core."""
    counted = [dict(_counters(row)) for row in _own_rows(document)]
    timed = [(row.get(CORE_SHARE, 0.0), row.get("ns_per_addition", 0.0)) for row in counted]
    cycles = [eight / one for eight, one in timed if min(eight, one) > 0.0]
    return sum(cycles) / len(cycles) if cycles else None


WALL_NS = "wall_ns"
CORE_SHARE = "ns_per_eight_additions"  # goes up where a thread on the same physical core takes its share of it
MANY_THREADS = "items_per_second"  # in the rows of benchmarks whose work is done by several threads
LEAST_PROCESSOR_SHARE = 0.02  # of the wall clock; less is not a busy machine, but work on another thread


def sample_of(document: Document, name: str, process: int = 0) -> Sample:
    """The one figure of a benchmark in one process: the median over its repetitions, of the time and of each counter.

    The time is that of the processor where one thread did the work: what others take of the machine meanwhile, ten
    times as much on a busy one, is not in it. The time on the wall is then the counter WALL_NS. Where several threads
    did it, the wall clock tells. Raises ValueError, with the reason, where there is none or it is no time.
    """
    failures = failures_in(document, (name,))
    if failures:
        raise ValueError(failures[0])
    rows = [row for row in _own_rows(document) if _name_of(row) == name]
    wall, processor = (
        median(float(row[key]) * NS_PER_UNIT[row["time_unit"]] for row in rows) for key in ("real_time", "cpu_time")
    )
    if not 0.0 < wall < math.inf:
        raise ValueError(f"{name}: its time is not positive")
    all_counters = [dict(_counters(row)) for row in rows]
    counted = {key: median(each[key] for each in all_counters if key in each) for key in all_counters[0]}
    if MANY_THREADS in counted or not LEAST_PROCESSOR_SHARE * wall <= processor < math.inf:
        return Sample(process, wall, counted)
    return Sample(process, processor, {**counted, WALL_NS: wall})


def times_of(document: Document, name: str) -> tuple[float, ...]:
    """ns of each repetition of a benchmark in one process. Raises ValueError, with the reason, where there is none."""
    one = _read_benchmarks(Path("the program's output"), document["benchmarks"]).get(name)
    if one is None or not one.times or min(one.times) <= 0.0:
        raise ValueError(f"{name}: {one.errors[0] if one and one.errors else 'has no time in every repetition'}")
    return one.times


# ---- the pairs of a duet


def write_pairs(path: Path, recorded: RecordedPairs) -> None:
    """Writes a duet's pairs, each as [old, new, old was first, old's layout, new's layout]. Raises OSError."""
    told = {"old": dataclasses.asdict(recorded.old), "new": dataclasses.asdict(recorded.new), "seed": recorded.seed}
    told |= {"problems": recorded.problems, "warnings": recorded.warnings}
    pairs = {key: _pairs_written(getattr(recorded, key)) for key in ("pairs", "controls")}
    write_whole(path, {"duet": told, **pairs}, indent=None)


def _pairs_written(all_pairs: Mapping[str, Sequence[Pair]]) -> Document:
    def side_of(one: Sample) -> Document:
        return {"ns": one.ns, **one.counters}

    return {
        name: [[side_of(one.old), side_of(one.new), one.old_first, one.old_layout, one.new_layout] for one in own]
        for name, own in all_pairs.items()
    }


def read_pairs(path: Path) -> RecordedPairs:
    """Reads a duet's pairs back. Raises BadResult."""
    document = _read_json(path)
    told = document.get("duet") if isinstance(document, dict) else None
    if not isinstance(told, dict):
        raise BadResult(path, "is JSON, but holds no pairs of a duet")
    try:
        return RecordedPairs(
            old=_side_read(told["old"]),
            new=_side_read(told["new"]),
            seed=int(told["seed"]),
            pairs={one_line(str(name)): tuple(map(_pair_read, own)) for name, own in document["pairs"].items()},
            controls={one_line(str(name)): tuple(map(_pair_read, own)) for name, own in document["controls"].items()},
            problems=tuple(one_line(str(text)) for text in told["problems"]),
            warnings=tuple(one_line(str(text)) for text in told["warnings"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadResult(path, "holds pairs of a duet that are damaged") from None


def write_calibration(path: Path, found: Calibration) -> None:
    write_whole(path, {"calibration": dataclasses.asdict(found)})


def read_calibration(path: Path) -> Calibration:
    """Reads a calibration back. Raises BadResult."""
    document = _read_json(path)
    told = document.get("calibration") if isinstance(document, dict) else None
    if not isinstance(told, dict):
        raise BadResult(path, "is JSON, but no calibration of a duet")
    try:
        floors = {one_line(str(name)): float(floor) for name, floor in told["floors"].items()}
        least = None if told["least_found"] is None else float(told["least_found"])
        found = Calibration(floors, int(told["false_alarms"]), int(told["simulated"]), least, int(told["seed"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadResult(path, "holds a calibration that is damaged") from None
    if not all(0.0 <= floor < math.inf for floor in floors.values()):
        raise BadResult(path, "holds a floor that is no share")
    return found


def _side_read(written: Document) -> Side:
    facts = {one_line(str(key)): one_line(str(value)) for key, value in written["facts"].items()}
    return Side(one_line(str(written["label"])), facts)


def _pair_read(written: Sequence[Any]) -> Pair:
    old, new, old_first, *layouts = written
    old_layout, new_layout = map(int, layouts)
    return Pair(_sample_read(old), _sample_read(new), bool(old_first), old_layout, new_layout)


def _sample_read(written: Document) -> Sample:
    counters = {str(key): float(value) for key, value in written.items()}
    ns = counters.pop("ns")
    if not 0.0 < ns < math.inf or not all(map(math.isfinite, counters.values())):
        raise ValueError("not a positive time, or no number")
    return Sample(0, ns, counters)


# ---- merging


def merge(
    units: Sequence[tuple[Unit, Document]], how_it_went: Account, order: Sequence[str], facts: Mapping[str, str] = {}
) -> Document:
    """The document of a run: rows by benchmark in the given order, then by process, then aggregates over processes.

    `facts` are of the whole run, such as a malloc that could not be measured: its processes do not know of it.
    """
    context: Document = {**facts, **units[0][1]["context"]}
    context["executable"] = Path(str(context.get("executable", ""))).name  # where it lies is nobody else's business
    context["suite"] = {**dataclasses.asdict(how_it_went), "clock": how_it_went.clock}
    rows_by_name: dict[str, dict[int, Document]] = {name: {} for name in order}
    for one, document in units:
        for row in _own_rows(document):
            rows_by_name.setdefault(_name_of(row), {})[one.process] = row
    rows: list[Document] = []
    for place, (name, by_process) in zip(_places(rows_by_name), rows_by_name.items()):
        own = [
            _row_in_run(by_process[process], process, how_it_went.processes_planned, place)
            for process in sorted(by_process)
        ]
        rows += own + _aggregates(own)
    return {"context": context, "benchmarks": rows}


def _places(names: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Google Benchmark's family_index and per_family_instance_index, which its compare.py sorts by."""
    families: dict[str, int] = {}
    members: dict[str, int] = {}
    for name in names:
        family = BenchmarkName.parse(name).family
        members[family] = members.get(family, -1) + 1
        yield families.setdefault(family, len(families)), members[family]


def _row_in_run(row: Document, process: int, processes: int, place: tuple[int, int]) -> Document:
    """A process's row as one repetition of the run, in nanoseconds, without counters that are no numbers."""
    finite = dict(_counters(row))
    merged = {key: value for key, value in row.items() if key in ROW_FIELDS or key in finite}
    scale = NS_PER_UNIT[row["time_unit"]]
    merged.update(
        family_index=place[0],
        per_family_instance_index=place[1],
        repetitions=processes,
        repetition_index=process,
        real_time=row["real_time"] * scale,
        cpu_time=row["cpu_time"] * scale,
        time_unit="ns",
    )
    return merged


def _aggregates(rows: Sequence[Document]) -> list[Document]:
    """mean, median, stddev and cv over the processes; as in Google Benchmark, none for fewer than two good ones."""
    good = [row for row in rows if not row.get("error_occurred")]
    if len(good) < 2:
        return []
    counters = [key for key in dict(_counters(good[0])) if all(key in row for row in good)]
    columns = {key: [float(row[key]) for row in good] for key in ("real_time", "cpu_time", *counters)}
    return [
        _aggregate_row(good, name, unit_name, {key: of(values) for key, values in columns.items()})
        for name, unit_name, of in (
            ("mean", "time", _mean),
            ("median", "time", median),
            ("stddev", "time", _stddev),
            ("cv", "percentage", _cv),
        )
    ]


def _aggregate_row(rows: Sequence[Document], name: str, unit_name: str, figures: Mapping[str, float]) -> Document:
    first = rows[0]
    row = {
        "name": f"{_name_of(first)}_{name}",
        "family_index": first["family_index"],
        "per_family_instance_index": first["per_family_instance_index"],
        "run_name": _name_of(first),
        "run_type": "aggregate",
        "repetitions": first["repetitions"],
        "threads": first.get("threads", 1),
        "aggregate_name": name,
        "aggregate_unit": unit_name,
        "iterations": len(rows),
        "real_time": figures["real_time"],
        "cpu_time": figures["cpu_time"],
        "time_unit": "ns",
        **figures,
    }
    if "label" in first:
        row["label"] = first["label"]
    return row


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _stddev(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _cv(values: Sequence[float]) -> float:
    mean = _mean(values)
    return _stddev(values) / mean if mean else 0.0


# ---- writing


def write_unit(path: Path, one: Unit, document: Document) -> None:
    finite_rows = [
        {key: value for key, value in row.items() if not isinstance(value, float) or math.isfinite(value)}
        for row in document["benchmarks"]
    ]
    write_whole(path, {**document, "benchmarks": finite_rows, "unit": dataclasses.asdict(one)})


def write_whole(path: Path, document: object, indent: int | None = 1) -> None:
    """Writes JSON whole or not at all: into a new file beside it, to the disk, then in its place. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    text = json.dumps(document, indent=indent, allow_nan=False) + "\n"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
