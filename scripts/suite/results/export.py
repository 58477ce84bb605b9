"""How do other tools read a run? Finite numbers only, in each tool's own form.

Google Benchmark's tools take a row for each process, then aggregates: what scripts/run writes, and a compact run lacks.
github-action-benchmark takes `name`, `real_time` and `time_unit` of every row, also of aggregates and failed rows, and
compares rows by name: so each name stands once. Bencher's cpp_google adapter also wants `context.caches`; its json
adapter reads the Bencher Metric Format. Apache Otava reads CSV with a row a run, and takes a rise for the better unless
its configuration says otherwise.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from suite.base import foreign
from suite.base.errors import BadInput
from suite.base.moments import moment
from suite.base.text import one_line
from suite.results.merge import with_aggregates
from suite.results.metrics import TIME, DeclaredMetrics, Metric, metrics_in, metrics_of
from suite.results.model import NS_PER_UNIT, Benchmark, Document, Run
from suite.results.read import failure_of, read_program_output, read_run
from suite.stats.estimates import Estimate, estimate_median, median

MOST_NAME = 1024  # letters; Bencher refuses longer names, and with them the whole file
_AS_MEASURED = replace(TIME, least=-math.inf)
_OTAVA_COLUMNS = ("time", "host")
LATENCY = "latency"  # Bencher's own measure for times in nanoseconds


@dataclass(frozen=True)
class ExportedMetric:
    """One figure of one benchmark."""

    name: str  # of the benchmark
    metric: Metric
    value: Estimate

    @property
    def full_name(self) -> str:
        return self.metric.named(self.name)


@dataclass(frozen=True)
class Export:
    """The written text, and a line for each figure that it leaves out."""

    text: str
    left_out: tuple[str, ...] = ()


def figures(run: Run) -> tuple[list[ExportedMetric], list[str]]:
    """The figures of every benchmark that was measured without a failure, and what was left out, with the reason."""
    exported, left_out = [], []
    declared = metrics_in(run)
    for name, benchmark in run.by_name.items():
        reason = _unfit(benchmark, declared)
        if reason:
            left_out.append(f"{name}: {reason}")
        else:
            exported += [
                ExportedMetric(name, metric, estimate_median(metric.values(benchmark)))
                for metric in _plain_metrics(benchmark, declared)
            ]
    if not exported:
        raise BadInput(f"{run.path} has nothing to export: {left_out[0]}")
    return exported, left_out


def _unfit(benchmark: Benchmark, declared: DeclaredMetrics) -> str:
    if benchmark.errors:
        return f"failed: {benchmark.errors[0]}"
    if not benchmark.samples:
        return "was not measured"
    if not metrics_of(benchmark, declared):
        return "has no figure of its own"
    return f"its name is longer than {MOST_NAME} letters" if len(benchmark.name.text) > MOST_NAME - 64 else ""


def _plain_metrics(benchmark: Benchmark, declared: DeclaredMetrics) -> Iterator[Metric]:
    """As measured: only ratios need a least value."""
    return (replace(metric, least=-math.inf) for metric in metrics_of(benchmark, declared))


# ---- the forms


def as_google_benchmark(run: Run) -> Export:
    """A whole Google Benchmark file: a row for each process, failed or not, and the aggregates of each benchmark."""
    if not run.series():
        raise BadInput(f"{run.path} has nothing to export: no benchmark in it gave a result")
    document = with_aggregates(read_program_output(run.path))
    rows = document["benchmarks"]
    for index, row in enumerate(rows):  # in its place: a second list of 100,000 rows takes 200 MB
        rows[index] = _plain_row(row)
    return Export(_json(document))


def _plain_row(row: Document) -> Document:
    """Only texts and finite numbers: JSON has no others, and Google Benchmark writes no others."""
    return {
        key: value
        for key, value in row.items()
        if isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))
    }


def as_github_action_benchmark(run: Run) -> Export:
    """A slim Google Benchmark file: the median over processes as the only row of each benchmark, in nanoseconds.

    Figures that are not times have no place in that form, and are left out.
    """
    exported, left_out = figures(run)
    times = [figure for figure in exported if figure.metric.is_time]
    cpu = _cpu_times(run)
    left_out += [
        f"{figure.full_name}: is not a time but {figure.metric.unit}"
        for figure in exported
        if not figure.metric.is_time
    ]
    if not times:
        raise BadInput(f"{run.path} has nothing to export: {left_out[0]}")
    rows = [
        _row(index, figure, cpu[figure.name] if figure.metric == _AS_MEASURED else figure.value.median)
        for index, figure in enumerate(times)
    ]
    return Export(_json({"context": _context(run), "benchmarks": rows}), tuple(left_out))


def _row(index: int, figure: ExportedMetric, cpu_ns: float) -> dict[str, Any]:
    """Every field that Google Benchmark 1.7.1 writes into a row; `iterations` are the processes."""
    return {
        "name": figure.full_name,
        "family_index": index,
        "per_family_instance_index": 0,
        "run_name": figure.full_name,
        "run_type": "iteration",
        "repetitions": 1,
        "repetition_index": 0,
        "threads": 1,
        "iterations": figure.value.n,
        "real_time": figure.value.median,
        "cpu_time": cpu_ns,
        "time_unit": "ns",
    }


def _cpu_times(run: Run) -> dict[str, float]:
    """The median over processes, in nanoseconds."""
    times: dict[str, list[float]] = {}
    for row in read_program_output(run.path)["benchmarks"]:
        if row.get("run_type") != "aggregate" and not failure_of(row):
            values = times.setdefault(row.get("run_name", row.get("name")), [])
            values.append(row["cpu_time"] * NS_PER_UNIT[row["time_unit"]])
    return {name: median(values) for name, values in times.items()}


def _context(run: Run) -> dict[str, Any]:
    """Without our account of the run; `caches` is a list, if only an empty one."""
    caches = run.context.get("caches")
    kept = {key: value for key, value in run.context.items() if key != "suite"}
    return {**kept, "caches": caches if isinstance(caches, list) else []}


def as_bencher(run: Run) -> Export:
    """Bencher Metric Format: benchmark to measure to value with its interval."""
    exported, left_out = figures(run)
    document: dict[str, dict[str, dict[str, float]]] = {}
    for figure in exported:
        metric, value = figure.metric, figure.value
        name, measure = (
            (figure.full_name, LATENCY) if metric.is_time else (figure.name, metric.counter.replace("_", "-"))
        )
        written = {"value": value.median}
        if value.has_interval:
            written |= {"lower_value": value.low, "upper_value": value.high}
        document.setdefault(name, {})[measure] = written
    return Export(_json(document), tuple(left_out))


def as_otava(*runs: Run) -> Export:
    """CSV with a row a run, the oldest first, and a column for each figure that all of them have."""
    columns, left_out = _columns(runs)
    written = io.StringIO()
    table = foreign.Table(written)
    table.write_row([*_OTAVA_COLUMNS, *columns[0]])
    for run, values in sorted(zip(runs, columns), key=lambda pair: _date(pair[0])):
        host = one_line(str(run.context.get("host_name", "")))
        table.write_row([_date(run).isoformat(), host, *(values[name] for name in columns[0])])
    return Export(written.getvalue(), tuple(left_out))


def as_otava_configuration(*runs: Run, csv_file: str = "stackheap.csv") -> Export:
    """Otava's configuration for that CSV, as YAML (every JSON is): less is better, except where it is not."""
    columns, left_out = _columns(runs)
    rising = {figure.full_name for run in runs for figure in figures(run)[0] if not figure.metric.more_is_worse}
    metrics = {name: {"column": name, "direction": 1 if name in rising else -1, "scale": 1} for name in columns[0]}
    test = {"type": "csv", "file": csv_file, "time_column": "time", "attributes": ["host"], "metrics": metrics}
    return Export(_json({"tests": {"stackheap": test}}), tuple(left_out))


def _columns(runs: Sequence[Run]) -> tuple[list[dict[str, float]], list[str]]:
    """For each run its figures by name, those that all have, in one order; and what was left out."""
    left_out: list[str] = []
    columns = []
    for run in runs:
        exported, without = figures(run)
        columns.append({figure.full_name: figure.value.median for figure in exported})
        left_out += without
    common = [name for name in columns[0] if all(name in values for values in columns) and name not in _OTAVA_COLUMNS]
    everything = {name for values in columns for name in values}
    left_out += [f"{name}: is not in every run" for name in sorted(everything - set(common))]
    if not common:
        raise BadInput("the runs have no figure in common")
    return [{name: values[name] for name in common} for values in columns], left_out


def _date(run: Run) -> datetime:
    if date := moment(str(run.context.get("date"))):
        return date
    raise BadInput(f"{run.path} does not say when it was measured")


def _json(document: object) -> str:
    """As json.dumps, which keeps all its pieces until it has the last: they take several times the text's memory."""
    text = io.StringIO()
    for piece in json.JSONEncoder(indent=1, allow_nan=False, ensure_ascii=False).iterencode(document):
        text.write(piece)
    return text.getvalue() + "\n"


FORMS: Mapping[str, Callable[..., Export]] = {
    "google-benchmark": as_google_benchmark,
    "github-action-benchmark": as_github_action_benchmark,
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
