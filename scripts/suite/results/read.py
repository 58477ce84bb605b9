"""What does a result file say? Finds it, unpacks it, reads it, and refuses a file that is not a result."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import math
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from suite.base import foreign
from suite.base.errors import BadInput
from suite.base.text import first_line, one_line
from suite.results.model import (
    CORE_SHARE,
    COUNTED_BESIDE,
    LEAST_FIGURE,
    LEAST_PROCESSOR_SHARE,
    MADE_BY_THIS_SUITE,
    MALLOC_THREADS,
    MANY_THREADS,
    MOST_FIGURE,
    NS_PER_UNIT,
    STOPPED,
    WALL_NS,
    Account,
    Benchmark,
    BenchmarkName,
    Document,
    Failure,
    Run,
    Sample,
    Unit,
    unavailable_mallocs,
)
from suite.stats.estimates import median

RUN_FILES = ("run.json", "run.json.gz")  # in the folder of a run; the first of them that is there is read
GZIP = b"\x1f\x8b"  # how every gzip file begins
# Packed and unpacked: 100,000 rows are a third of this. A larger file is not a result, and would fill the memory.
MOST_BYTES = 128 * 1024 * 1024
# A value takes up to 250 bytes of memory, and two bytes of the file. 100,000 rows have less than half as many values.
MOST_VALUES = 10_000_000
UNPACKED_AT_ONCE = 1024 * 1024
LONGEST_NAME = 500
MOST_FIELDS = 1_000  # of a row; the replay of a recording has 80 counters
LONGEST_TEXT, MOST_TEXTS = 1 << 16, 100  # in the account of a process; the part of a refinement lists its benchmarks
# Letters of JSON. Pages and charts show all facts. The suite's own have 300 letters, the words of all its families 60,000.
MOST_FACTS, LONGEST_FACT, LONGEST_ABOUT = 1_000, 1 << 14, 1 << 20
LONGEST_FACTS = {"suite": MOST_BYTES, "program": LONGEST_ABOUT}  # of what is no single fact
# What Google Benchmark itself writes into a row; every other number there is a counter.
ROW_FIELDS = frozenset(
    "name family_index per_family_instance_index run_name run_type repetitions repetition_index threads iterations "
    "real_time cpu_time time_unit label error_occurred error_message skipped skip_message aggregate_name "
    "aggregate_unit".split()
)
# Every loop has instructions, and every addition takes time: a counter of 0 did not count.
NEVER_ZERO = frozenset(("instructions", "cycles", *COUNTED_BESIDE))


class BadResult(BadInput):
    """A file that holds no readable result. Its text is one line: the file and the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def read_run(path: Path) -> Run:
    """Reads a run, or what one process of the program wrote: a file, packed by gzip or not, or the run's folder.

    Raises BadResult.
    """
    path = run_file(path)
    document = _read_document(path)
    by_name = _read_benchmarks(path, document["benchmarks"])
    context = document["context"]
    account = _read_account(path, context.get("suite"), by_name.values())
    looked_at = {name: dataclasses.replace(bench, looks=account.looks) for name, bench in by_name.items()}
    return Run(path, context, looked_at, account)


def run_file(path: Path) -> Path:
    """The file that holds the run: the path itself, or the first of RUN_FILES in the folder. Raises BadResult."""
    if not os.path.isdir(path):  # Path.is_dir raises on a name that is too long
        return path
    for name in RUN_FILES:
        if (path / name).exists():
            return path / name
    raise BadResult(path, f"is a folder without a run: it has neither {' nor '.join(RUN_FILES)}")


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


def read_json(path: Path) -> Any:
    content = read_file(path)
    if sum(map(content.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise BadResult(path, f"is too large to be a result (over {MOST_VALUES:,} commas and brackets)")
    try:
        return foreign.read_json(content)
    except RecursionError:
        raise BadResult(path, "is nested too deeply to be a result") from None
    except ValueError as error:  # not JSON, not UTF-8, or a number too long to read
        raise BadResult(path, f"is not JSON, or was cut off ({first_line(error)})") from None


def _read_document(path: Path) -> Document:
    document = read_json(path)
    if not isinstance(document, dict):
        raise BadResult(path, "is JSON, but not a result: not an object")
    context, rows = document.get("context"), document.get("benchmarks")
    if not isinstance(context, dict) or not isinstance(rows, list):
        raise BadResult(path, "is JSON, but not a result of Google Benchmark: context or benchmarks are missing")
    if MADE_BY_THIS_SUITE not in context:
        raise BadResult(path, f"was not made by this suite: no {MADE_BY_THIS_SUITE} in its context")
    if not rows:
        raise BadResult(path, "holds no benchmarks")
    _check_context(path, context)
    return document


def _check_context(path: Path, context: Document) -> None:
    if len(context) > MOST_FACTS:
        raise BadResult(path, f"has over {MOST_FACTS:,} facts in its context")
    for key, fact in context.items():
        try:
            length = len(json.dumps([key, fact], allow_nan=False))
        except RecursionError:
            raise BadResult(path, "is nested too deeply to be a result") from None
        except ValueError:
            raise BadResult(path, "has a value in its context that is not a finite number") from None
        longest = LONGEST_FACTS.get(key, LONGEST_FACT)
        if length > longest:
            raise BadResult(path, f"has a fact of over {longest:,} letters in its context: {key[:80]!a}")


def read_file(path: Path) -> bytes:
    """The content of a regular file of bounded size, unpacked where gzip packed it. Raises BadResult."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BadResult(path, "is not a file")
        if status.st_size > MOST_BYTES:
            raise BadResult(path, f"is too large to be a result ({status.st_size} bytes)")
        content = path.read_bytes()
        if content.startswith(GZIP):
            content = _unpacked(path, content)
    except FileNotFoundError:
        raise BadResult(path, "does not exist") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise BadResult(path, "is packed by gzip, but damaged or cut off") from None
    except (OSError, ValueError) as error:  # a ValueError: the path itself is not valid
        raise BadResult(path, f"cannot be read ({first_line(error)})") from None
    if not content.strip():
        raise BadResult(path, "is empty")
    return content


def _unpacked(path: Path, packed: bytes) -> bytes:
    """A few bytes of gzip can hold gigabytes: unpacks piece by piece, and stops past MOST_BYTES."""
    pieces, size = [], 0
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        while piece := file.read(UNPACKED_AT_ONCE):
            size += len(piece)
            if size > MOST_BYTES:
                raise BadResult(path, f"is too large to be a result (over {MOST_BYTES} bytes when unpacked)")
            pieces.append(piece)
    if pieces and pieces[0].startswith(GZIP):
        raise BadResult(path, "is packed by gzip twice; unpack it once")
    return b"".join(pieces)


def _read_benchmarks(path: Path, rows: Sequence[object]) -> dict[str, Benchmark]:
    samples: dict[str, dict[int, Sample]] = {}
    errors: dict[str, list[str]] = {}
    for row in rows:
        if not isinstance(row, dict):
            raise BadResult(path, "has a row that is not an object")
        if len(row) > MOST_FIELDS:
            raise BadResult(path, f"has a row with over {MOST_FIELDS:,} fields")
        if row.get("run_type") == "aggregate":
            continue
        name, process = _row_name(path, row), _row_process(path, row)
        ns, _ = (_row_ns(path, row, name, key) for key in ("real_time", "cpu_time"))
        taken, failed = samples.setdefault(name, {}), errors.setdefault(name, [])
        if reason := failure_of(row):
            failed.append(reason)
        elif process in taken:
            raise BadResult(path, f"has {name} twice for process {process}")
        else:
            taken[process] = Sample(process, ns, dict(counters_of(row)))
    if not samples:
        raise BadResult(path, "holds only aggregates: no figures of single processes")
    return {
        name: Benchmark(BenchmarkName.parse(name), tuple(taken[key] for key in sorted(taken)), tuple(errors[name]))
        for name, taken in samples.items()
    }


def _row_name(path: Path, row: Document) -> str:
    name = row.get("run_name", row.get("name"))
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not re.match(r"\w", name):
        raise BadResult(path, f"has a row without a readable name: {str(name)[:80]!a}")
    return name


def _row_process(path: Path, row: Document) -> int:
    process = row.get("repetition_index", 0)
    if not _is_count(process):
        raise BadResult(path, f"has an invalid repetition_index: {str(process)[:80]!a}, not a whole number from 0")
    return int(process)


def _row_ns(path: Path, row: Document, name: str, key: str) -> float:
    unit_name = row.get("time_unit")
    if not isinstance(unit_name, str) or unit_name not in NS_PER_UNIT:
        raise BadResult(path, f"time_unit of {name} is not one of {', '.join(NS_PER_UNIT)}: {str(unit_name)[:80]!a}")
    value = as_figure(row.get(key))
    ns = None if value is None else as_figure(value * NS_PER_UNIT[unit_name])
    if ns is None or ns < 0.0:
        accepted = f"0, or {LEAST_FIGURE:g} to {MOST_FIGURE:g} ns"
        raise BadResult(path, f"{key} of {name} is not a valid time: {str(row.get(key))[:80]!a}; accepted: {accepted}")
    return ns


def failure_of(row: Document) -> str:
    """Why the row has no time; empty where it has a time. An absent time is written as 0, which is never a time."""
    if row.get("error_occurred"):
        return one_line(str(row.get("error_message", ""))) or "an error without a message"
    if row.get("skipped"):  # by Google Benchmark 1.8 and later, where a benchmark skips itself without an error
        return f"skipped: {one_line(str(row.get('skip_message', ''))) or 'without a message'}"
    return "" if row.get("real_time") else "its time is not positive"


def counters_of(row: Document) -> Iterator[tuple[str, float]]:
    """A counter that is not a figure, or 0 where that is impossible, was not counted: it is left out."""
    for key, value in row.items():
        number = None if key in ROW_FIELDS or len(key) > LONGEST_NAME else as_figure(value)
        if number or number is not None and key not in NEVER_ZERO:
            yield key, number


def as_figure(value: object) -> float | None:
    """The number, if something can have measured it: 0, or in the bounds of a figure."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if value == 0 or LEAST_FIGURE <= abs(value) <= MOST_FIGURE else None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1_000_000


def _read_account(path: Path, written: object, benchmarks: Iterable[Benchmark]) -> Account:
    if written is None:  # what a single process wrote
        return Account(True, max((len(bench.samples) + len(bench.errors) for bench in benchmarks), default=1))
    if not isinstance(written, dict) or not isinstance(written.get("complete"), bool):
        raise BadResult(path, "has a damaged account of the run (context.suite)")
    planned, seed = written.get("processes_planned"), written.get("order_seed")
    about = about if isinstance(about := written.get("about"), dict) else {}
    if len(json.dumps(about)) > LONGEST_ABOUT:
        raise BadResult(path, f"has an account of over {LONGEST_ABOUT:,} letters (context.suite.about)")
    units, failed, looks = (written.get(key, []) for key in ("units", "failed", "looks"))
    if not _is_count(planned) or not all(isinstance(records, list) for records in (units, failed, looks)):
        raise BadResult(path, "has a damaged account of the run (context.suite)")
    if not all(_is_count(look) for look in looks) or looks != sorted(set(looks)):
        raise BadResult(path, "has a damaged account of the run (context.suite)")
    return Account(
        complete=written["complete"],
        processes_planned=int(str(planned)),
        order_seed=seed if isinstance(seed, int) else None,
        looks=tuple(looks),
        units=tuple(read_record(path, Unit, record, "unit") for record in units),
        failed=tuple(read_record(path, Failure, record, "failure") for record in failed),
        about=about,
    )


def read_record(path: Path, kind: type[Any], written: object, title: str) -> Any:
    """A flat dataclass back from its JSON object; every field is there and of its type."""
    values = {}
    for field in dataclasses.fields(kind):
        value = written.get(field.name) if isinstance(written, dict) else None
        if isinstance(value, float) and abs(value) < LEAST_FIGURE:  # the rounding of a difference
            value = 0.0
        if not _fits(value, str(field.type)):
            raise BadResult(path, f"has a damaged record of a {title}: {field.name}")
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def _fits(value: object, type_name: str) -> bool:
    if type_name == "str":
        return _is_text(value) and value.isprintable()
    if type_name == "str | None":
        return value is None or _is_text(value)
    if type_name == "bool":
        return isinstance(value, bool)
    if type_name == "int":
        return isinstance(value, int) and as_figure(value) is not None
    if type_name == "tuple[str, ...]":
        return isinstance(value, list) and len(value) <= MOST_TEXTS and all(map(_is_text, value))
    if type_name == "tuple[int, ...]":
        return isinstance(value, list) and all(_is_count(number) for number in value)
    return as_figure(value) is not None or (value is None and type_name == "float | None")


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT


def rows_of_processes(document: Document) -> list[Document]:
    return [row for row in document["benchmarks"] if row.get("run_type") != "aggregate"]


def run_name_of(row: Document) -> str:
    return str(row.get("run_name", row.get("name")))


def failures_in(document: Document, expected: Iterable[str]) -> list[str]:
    """What went wrong inside a process that ended well: benchmarks without a time, and missing benchmarks."""
    rows = rows_of_processes(document)
    wrong = {run_name_of(row): reason for row in reversed(rows) if (reason := failure_of(row))}
    names = {run_name_of(row) for row in rows}
    unfit = unavailable_mallocs(document.get("context", {}))  # here; their benchmarks were asked for, so they were fit before
    return [
        *(f"{name}: {reason}" for name, reason in reversed(wrong.items())),
        *(
            f"{name}: {unfit.get(BenchmarkName.parse(name).malloc, 'has no result')}"
            for name in expected
            if name not in names
        ),
    ]


# How the program says that a benchmark, a library's trial, or a benchmark before did not end.
_HUNG = re.compile(r"(child \w+: )?its process was ended because it took longer|in the load test it (hung|stopped)|not measured: \S+ hung ")


def names_a_hang(failure: str) -> bool:
    """Whether a failure of failures_in is that of a benchmark that did not end."""
    return bool(_HUNG.match(failure.partition(": ")[2]))


def ns_per_addition(document: Document) -> float | None:
    """The time of one dependent addition, one cycle of the core's clock: the median over the process's benchmarks."""
    values = [value for row in rows_of_processes(document) for key, value in counters_of(row) if key == "ns_per_addition"]
    return median(values) if values else None


def cycles_of_eight_additions(document: Document) -> float | None:
    """The cycles in which the core makes eight additions that need not wait for each other: the mean over the process's
    benchmarks. More where others use the same physical core, or on a lesser core."""
    counted = [dict(counters_of(row)) for row in rows_of_processes(document)]
    timed = [(row.get(CORE_SHARE, 0.0), row.get("ns_per_addition", 0.0)) for row in counted]
    cycles = [eight / addition for eight, addition in timed if min(eight, addition) > 0.0]
    return sum(cycles) / len(cycles) if cycles else None


def stopped_seconds(document: Document) -> float:
    """The seconds for which the processes of its benchmarks were stopped."""
    return sum(_counted_in_rows(document, STOPPED))


def cores_of_malloc_threads(document: Document) -> float | None:
    """The cores that threads of a malloc used in the benchmark where they used the most; None without such threads."""
    return max(_counted_in_rows(document, MALLOC_THREADS), default=None)


def _counted_in_rows(document: Document, counter: str) -> list[float]:
    counted = (dict(counters_of(row)) for row in rows_of_processes(document))
    return [counters[counter] for counters in counted if counter in counters]


def mean_counter(document: Document, counter: str) -> float | None:
    """The mean of a counter over the process's benchmarks that have it."""
    counted = [value for value in _counted_in_rows(document, counter) if value > 0.0]
    return sum(counted) / len(counted) if counted else None


def sample_of(document: Document, name: str, process: int = 0) -> Sample:
    """The one figure of a benchmark in one process: the median over its repetitions, of the time and of each counter.
    Raises ValueError, with the reason, if a repetition has no time."""
    return dataclasses.replace(typical(repetitions_of(document, name)), process=process)


def repetitions_of(document: Document, name: str) -> tuple[Sample, ...]:
    """The figure of each repetition of a benchmark in one process, in their order.

    The time is that of the processor where one thread did the work: what others take of the machine meanwhile, ten
    times as much on a busy one, is not in it. The time on the wall is then the counter WALL_NS. Where several threads
    did it, the time is that of the wall clock. Raises ValueError, with the reason, if a repetition has no time.
    """
    failures = failures_in(document, (name,))
    if failures:
        raise ValueError(failures[0])
    rows = [row for row in rows_of_processes(document) if run_name_of(row) == name]
    walls, processor_times = (
        [float(row[key]) * NS_PER_UNIT[row["time_unit"]] for row in rows] for key in ("real_time", "cpu_time")
    )
    if not all(0.0 < wall < math.inf for wall in walls):
        raise ValueError(f"{name}: its time is not positive")
    counted = [dict(counters_of(row)) for row in rows]
    processor = median(processor_times)
    if MANY_THREADS in counted[0] or not LEAST_PROCESSOR_SHARE * median(walls) <= processor < math.inf:
        return tuple(Sample(0, wall, counters) for wall, counters in zip(walls, counted))
    return tuple(
        Sample(0, ns, {**counters, WALL_NS: wall}) for ns, wall, counters in zip(processor_times, walls, counted)
    )


def typical(samples: Sequence[Sample]) -> Sample:
    """The median of several figures of a benchmark, and of each counter."""
    counters = {
        key: median(sample.counters[key] for sample in samples if key in sample.counters) for key in samples[0].counters
    }
    return Sample(0, median(sample.ns for sample in samples), counters)


def times_of(document: Document, name: str) -> tuple[float, ...]:
    """ns of each repetition of a benchmark in one process. Raises ValueError, with the reason, without a time."""
    bench = _read_benchmarks(Path("the program's output"), document["benchmarks"]).get(name)
    if bench is None or bench.errors:
        raise ValueError(f"{name}: {bench.errors[0] if bench else 'has no result'}")
    return bench.times
