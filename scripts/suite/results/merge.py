"""How do the files of many processes become one run?"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from suite.base.files import write_json
from suite.results.model import NS_PER_UNIT, Account, BenchmarkName, Document, Unit
from suite.results.read import ROW_FIELDS, counters_of, failure_of, rows_of_processes, run_name_of
from suite.stats.estimates import median


def merge(
    units: Sequence[tuple[Unit, Document]], how_it_went: Account, order: Sequence[str], facts: Mapping[str, str] = {}
) -> Document:
    """The document of a run: rows by benchmark in the given order, then by process, then aggregates over processes.

    `facts` are of the whole run, such as a malloc that could not be measured: its processes do not know of it.
    """
    context: Document = {**facts, **units[0][1]["context"]}
    context["executable"] = Path(str(context.get("executable", ""))).name  # where it lies is nobody else's business
    context["suite"] = {
        **dataclasses.asdict(how_it_went), "clock": how_it_went.clock, "shared_cache": how_it_went.shared_cache,
        "line_trip": how_it_went.line_trip,
    }  # fmt: skip
    rows_by_name: dict[str, dict[int, Document]] = {name: {} for name in order}
    for unit, document in units:
        for row in rows_of_processes(document):
            rows_by_name.setdefault(run_name_of(row), {})[unit.process] = row
    rows: list[Document] = []
    for place, (name, by_process) in zip(_places(rows_by_name), rows_by_name.items()):
        begun = max(how_it_went.processes_planned, 1 + max(by_process, default=0))
        own = [_row_in_run(by_process[process], process, begun, place) for process in sorted(by_process)]
        rows += own + _aggregates(own)
    return {"context": context, "benchmarks": rows}


def extended(run: Document, later: Document, families: Collection[str]) -> Document:
    """The run with these families of a later run. Each benchmark has a process of its own, so its figure does not depend on
    what else was measured. The account says which families came later, from which revision and when."""
    account, more = run["context"]["suite"], later["context"]["suite"]
    about = dict(account["about"])
    about["families"] = {**about["families"], **{name: more["about"]["families"][name] for name in families}}
    about["chapters"] = {**more["about"]["chapters"], **about["chapters"]}
    about["strategies"] = {**more["about"]["strategies"], **about["strategies"]}
    facts = {key: str(later["context"].get(key, "")) for key in ("date", "revision")}
    about["added"] = [*about.get("added", ()), {"families": sorted(families), **facts}]
    lists: Document = {
        key: [*account[key], *(record for record in more[key] if record["family"] in families)] for key in ("units", "failed")
    }
    rows = [row for row in later["benchmarks"] if BenchmarkName.parse(run_name_of(row)).family in families]
    context: Document = {**run["context"], "suite": {**account, **lists, "about": about}}
    return with_aggregates({"context": context, "benchmarks": [*run["benchmarks"], *rows]})


def with_aggregates(document: Document) -> Document:
    """The document with aggregates after the rows of each benchmark, as Google Benchmark writes them."""
    rows_by_name: dict[str, list[Document]] = {}
    for row in rows_of_processes(document):
        rows_by_name.setdefault(run_name_of(row), []).append(row)
    rows: list[Document] = []
    for place, (name, own) in zip(_places(rows_by_name), rows_by_name.items()):
        own = [_row_in_run(row, row.get("repetition_index", 0), row.get("repetitions", len(own)), place) for row in own]
        rows += own + _aggregates(own)
    return {**document, "benchmarks": rows}


def _places(names: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Google Benchmark's family_index and per_family_instance_index, which its compare.py sorts by."""
    families: dict[str, int] = {}
    members: dict[str, int] = {}
    for name in names:
        family = BenchmarkName.parse(name).family
        members[family] = members.get(family, -1) + 1
        yield families.setdefault(family, len(families)), members[family]


def _row_in_run(row: Document, process: int, processes: int, place: tuple[int, int]) -> Document:
    """A process's row as one repetition of the run, in nanoseconds, without counters that counted nothing.

    A time of 0 becomes an error: other tools would take it for a time.
    """
    counted = dict(counters_of(row))
    merged = {key: value for key, value in row.items() if key in ROW_FIELDS or key in counted}
    if (reason := failure_of(row)) and not row.get("skipped"):
        merged.update(error_occurred=True, error_message=reason)
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
    """mean, median, stddev and cv over the processes; as in Google Benchmark, not of fewer than two good rows."""
    good = [row for row in rows if not failure_of(row)]
    if len(good) < 2:
        return []
    counters = [key for key in dict(counters_of(good[0])) if all(key in row for row in good)]
    columns = {key: [float(row[key]) for row in good] for key in ("real_time", "cpu_time", *counters)}
    return [
        _aggregate_row(good, name, unit_name, {key: summary(values) for key, values in columns.items()})
        for name, unit_name, summary in (
            ("mean", "time", _mean),
            ("median", "time", median),
            ("stddev", "time", _stddev),
            ("cv", "percentage", _cv),
        )
    ]


def _aggregate_row(rows: Sequence[Document], name: str, unit_name: str, figures: Mapping[str, float]) -> Document:
    first = rows[0]
    row = {
        "name": f"{run_name_of(first)}_{name}",
        "family_index": first["family_index"],
        "per_family_instance_index": first["per_family_instance_index"],
        "run_name": run_name_of(first),
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


def write_unit(path: Path, unit: Unit, document: Document) -> None:
    finite_rows = [
        {key: value for key, value in row.items() if not isinstance(value, float) or math.isfinite(value)}
        for row in document["benchmarks"]
    ]
    write_json(path, {**document, "benchmarks": finite_rows, "unit": dataclasses.asdict(unit)})
