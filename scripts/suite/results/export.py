"""How do other tools read a run? One row a benchmark, finite numbers only, in each tool's own form.

github-action-benchmark takes `name`, `real_time` and `time_unit` of every row, aggregates and failed ones too, and
compares rows by name: so each name stands once. Bencher's cpp_google adapter also wants `context.caches`; its json
adapter reads the Bencher Metric Format. Apache Otava reads CSV with a row a run, and takes a rise for the better unless
its configuration says otherwise.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from suite.base.errors import BadInput
from suite.base.text import one_line
from suite.results.metrics import TIME, Metric, metrics_of
from suite.results.model import NS_PER_UNIT, Benchmark, Run
from suite.results.read import read_program_output, read_run
from suite.stats.estimates import Estimate, estimate_median, median

MOST_NAME = 1024  # letters; Bencher refuses longer names, and with them the whole file
_AS_MEASURED = replace(TIME, least=-math.inf)
_OTAVA_COLUMNS = ("time", "host")
LATENCY = "latency"  # Bencher's own measure for times in nanoseconds


@dataclass(frozen=True)
class ExportedMetric:
    """One figure of one benchmark."""

    name: str  # of the benchmark
    of: Metric
    value: Estimate

    @property
    def full_name(self) -> str:
        return self.of.named(self.name)


@dataclass(frozen=True)
class Export:
    """What is written, and what is to be said of what is not."""

    text: str
    left_out: tuple[str, ...] = ()


def figures(of: Run) -> tuple[list[ExportedMetric], list[str]]:
    """The figures of every benchmark that was measured without a failure, and what was left out, with the reason."""
    found, left_out = [], []
    for name, one in of.by_name.items():
        reason = _unfit(one)
        if reason:
            left_out.append(f"{name}: {reason}")
        else:
            found += [ExportedMetric(name, each, estimate_median(each.values(one))) for each in _plain_figures(one)]
    if not found:
        raise BadInput(f"{of.path} has nothing to export: {left_out[0]}")
    return found, left_out


def _unfit(one: Benchmark) -> str:
    if one.errors:
        return f"failed: {one.errors[0]}"
    if not one.samples:
        return "was not measured"
    if not metrics_of(one):
        return "has no figure of its own"
    return f"its name is longer than {MOST_NAME} letters" if len(one.name.text) > MOST_NAME - 64 else ""


def _plain_figures(one: Benchmark) -> Iterator[Metric]:
    """As measured: only ratios need a least value."""
    return (replace(each, least=-math.inf) for each in metrics_of(one))


# ---- the forms


def as_google_benchmark(of: Run) -> Export:
    """A slim Google Benchmark file: the median over processes as the one row of each benchmark, in nanoseconds.

    Figures that are no times have no place in that form, and are left out.
    """
    found, left_out = figures(of)
    times = [one for one in found if one.of.is_time]
    cpu = _cpu_times(of)
    left_out += [f"{one.full_name}: is no time, but {one.of.unit}" for one in found if not one.of.is_time]
    if not times:
        raise BadInput(f"{of.path} has nothing to export: {left_out[0]}")
    rows = [
        _row(index, one, cpu[one.name] if one.of == _AS_MEASURED else one.value.median)
        for index, one in enumerate(times)
    ]
    return Export(_json({"context": _context(of), "benchmarks": rows}), tuple(left_out))


def _row(index: int, one: ExportedMetric, cpu_ns: float) -> dict[str, Any]:
    """Every field that Google Benchmark 1.7.1 writes into a row; `iterations` are the processes."""
    return {
        "name": one.full_name,
        "family_index": index,
        "per_family_instance_index": 0,
        "run_name": one.full_name,
        "run_type": "iteration",
        "repetitions": 1,
        "repetition_index": 0,
        "threads": 1,
        "iterations": one.value.n,
        "real_time": one.value.median,
        "cpu_time": cpu_ns,
        "time_unit": "ns",
    }


def _cpu_times(of: Run) -> dict[str, float]:
    """The median over processes, in nanoseconds."""
    found: dict[str, list[float]] = {}
    for row in read_program_output(of.path)["benchmarks"]:
        if row.get("run_type") != "aggregate" and not row.get("error_occurred"):
            values = found.setdefault(row.get("run_name", row.get("name")), [])
            values.append(row["cpu_time"] * NS_PER_UNIT[row["time_unit"]])
    return {name: median(values) for name, values in found.items()}


def _context(of: Run) -> dict[str, Any]:
    """Without our account of the run; `caches` is a list, if only an empty one."""
    caches = of.context.get("caches")
    kept = {key: value for key, value in of.context.items() if key != "suite"}
    return {**kept, "caches": caches if isinstance(caches, list) else []}


def as_bencher(of: Run) -> Export:
    """Bencher Metric Format: benchmark to measure to value with its interval."""
    found, left_out = figures(of)
    document: dict[str, dict[str, dict[str, float]]] = {}
    for one in found:
        name, measure = (one.full_name, LATENCY) if one.of.is_time else (one.name, one.of.counter.replace("_", "-"))
        metric = {"value": one.value.median}
        if one.value.has_interval:
            metric |= {"lower_value": one.value.low, "upper_value": one.value.high}
        document.setdefault(name, {})[measure] = metric
    return Export(_json(document), tuple(left_out))


def as_otava(*runs: Run) -> Export:
    """CSV with a row a run, the oldest first, and a column for each figure that all of them have."""
    columns, left_out = _columns(runs)
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow([*_OTAVA_COLUMNS, *columns[0]])
    for of, values in sorted(zip(runs, columns), key=lambda pair: _date(pair[0])):
        host = one_line(str(of.context.get("host_name", "")))
        table.writerow([_date(of).isoformat(), host, *(repr(values[name]) for name in columns[0])])
    return Export(written.getvalue(), tuple(left_out))


def as_otava_configuration(*runs: Run, csv_file: str = "stackheap.csv") -> Export:
    """Otava's configuration for that CSV, as YAML (every JSON is): less is better, except where it is not."""
    columns, left_out = _columns(runs)
    rising = {one.full_name for of in runs for one in figures(of)[0] if not one.of.more_is_worse}
    metrics = {name: {"column": name, "direction": 1 if name in rising else -1, "scale": 1} for name in columns[0]}
    test = {"type": "csv", "file": csv_file, "time_column": "time", "attributes": ["host"], "metrics": metrics}
    return Export(_json({"tests": {"stackheap": test}}), tuple(left_out))


def _columns(runs: Sequence[Run]) -> tuple[list[dict[str, float]], list[str]]:
    """For each run its figures by name, those that all have, in one order; and what was left out."""
    left_out: list[str] = []
    found = []
    for of in runs:
        values, without = figures(of)
        found.append({one.full_name: one.value.median for one in values})
        left_out += without
    common = [name for name in found[0] if all(name in values for values in found) and name not in _OTAVA_COLUMNS]
    everything = {name for each in found for name in each}
    left_out += [f"{name}: is not in every run" for name in sorted(everything - set(common))]
    if not common:
        raise BadInput("the runs have no figure in common")
    return [{name: values[name] for name in common} for values in found], left_out


def _date(of: Run) -> datetime:
    try:
        date = datetime.fromisoformat(str(of.context.get("date")))
    except ValueError:
        raise BadInput(f"{of.path} does not say when it was measured") from None
    return date if date.tzinfo else date.astimezone()


def _json(document: object) -> str:
    return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


FORMS: Mapping[str, Callable[..., Export]] = {
    "github-action-benchmark": as_google_benchmark,
    "bencher": as_bencher,
    "otava": as_otava,
    "otava-config": as_otava_configuration,
}
SERIES = ("otava", "otava-config")  # may hold several runs


def write(form: str, files: Sequence[Path]) -> Export:
    """Reads the runs and writes them in the form. Raises BadResult and BadInput."""
    runs = [read_run(file) for file in files]
    if len(runs) > 1 and form not in SERIES:
        raise BadInput(f"{form} takes one run, not {len(runs)}: only {' and '.join(SERIES)} hold several")
    return FORMS[form](*runs)
