"""Do other tools read the exported files? The tests read each form by the rules of its consumer, from its documents or
its source: github-action-benchmark (src/extract.ts), Bencher (cpp/google.rs; Bencher Metric Format's
schema, https://bencher.dev/bmf.json), Apache Otava (importer.py, test_config.py).
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.commands import export as command
from suite.results import export
from suite.results.compact import write_compact
from suite.results.merge import with_aggregates
from suite.results.model import LEAST_FIGURE, MOST_FIGURE
from support import declarations, synthetic

COMPARE = Path("/usr/share/benchmark/compare.py")  # of the package libbenchmark-tools

TIMES = {"scoped/glibc/bytes:8": [3.0, 1.0, 2.0, 5.0, 4.0], "scoped/none/bytes:8": [1.0] * 5}
CHILD = "overhead/glibc/bytes:8"
FEWER = "stack_limit/stack:main/frame:64"
PERCENTILES = "latency/glibc/bytes:64/op:malloc"


def row(name: str, process: int, ns: float, **more: object) -> dict[str, object]:
    return {
        "name": name, "family_index": 0, "per_family_instance_index": 0, "run_name": name, "run_type": "iteration",
        "repetitions": 5, "repetition_index": process, "threads": 1, "iterations": 10, "real_time": ns,
        "cpu_time": ns / 2, "time_unit": "ns", **more,
    }  # fmt: skip


def rows() -> list[dict[str, object]]:
    entries = [row(name, process, ns) for name, values in TIMES.items() for process, ns in enumerate(values)]
    entries += [row(CHILD, process, 0.01, resident_bytes_per_byte=1.25) for process in range(5)]
    entries += [row(FEWER, process, 0.01, frames=1000.0 + process) for process in range(5)]
    entries += [row(PERCENTILES, process, 60.0, typical=20.0, p99=30.0 + process, p99_9=40.0) for process in range(5)]
    return entries


def write(folder: Path, entries: Sequence[Mapping[str, object]], name: str = "run.json", **context: object) -> Path:
    facts: dict[str, object] = {
        "suite_version": "1", "date": "2026-01-02T03:04:05+00:00", "host_name": "here", "caches": [{"level": 1}],
        "suite": {"complete": True, "processes_planned": 5, "about": {"families": declarations.counted_families()}},
        **context,
    }  # fmt: skip
    path = folder / name
    path.write_text(json.dumps({"context": facts, "benchmarks": entries}))
    return path


def call(*arguments: object) -> int:
    try:
        return command.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)


def exported(form: str, *files: Path) -> str:
    return export.write(form, files).text


def no_such_number(text: str) -> float:
    raise AssertionError(f"{text} is not a number of JSON")


def strict_json(text: str) -> Any:
    """Reads JSON as JavaScript and Rust do: NaN, Infinity and a name twice in an object are errors."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    return json.loads(text, parse_constant=no_such_number, object_pairs_hook=unique)


# ---- github-action-benchmark: every row of `benchmarks` is a result, whatever its run_type; the unit is part of it


def read_as_github_action_benchmark(text: str) -> dict[str, tuple[float, str]]:
    results: dict[str, tuple[float, str]] = {}
    for entry in strict_json(text)["benchmarks"]:
        for key in ("iterations", "cpu_time", "threads"):  # shown beside the result
            assert isinstance(entry[key], (int, float))
        assert entry["name"] not in results  # it compares by name, and would take the first row
        results[entry["name"]] = (entry["real_time"], f"{entry['time_unit']}/iter")
    return results


def test_github_action_benchmark_reads_a_median_for_each_benchmark(tmp_path: Path) -> None:
    results = read_as_github_action_benchmark(exported("github-action-benchmark", write(tmp_path, rows())))
    assert results["scoped/glibc/bytes:8"] == (3.0, "ns/iter")
    assert results[f"{PERCENTILES} p99"] == (32.0, "ns/iter")
    assert PERCENTILES not in results  # its real_time is that of two calls and two readings of the clock
    assert CHILD not in results and not any(name.startswith(CHILD) for name in results)


def test_the_processors_time_is_its_own_median(tmp_path: Path) -> None:
    document = json.loads(exported("github-action-benchmark", write(tmp_path, rows())))
    assert document["benchmarks"][0]["cpu_time"] == 1.5


@pytest.mark.parametrize("form", ["github-action-benchmark", "bencher", "otava"])
def test_aggregates_failures_and_complexities_are_left_out(tmp_path: Path, form: str) -> None:
    name = "scoped/glibc/bytes:8"
    aggregates: list[dict[str, object]] = [
        row(name, 0, 9.0) | {"name": f"{name}_{kind}", "run_type": "aggregate", "aggregate_name": kind}
        for kind in ("mean", "stddev", "cv")
    ]
    complexity: dict[str, object] = {
        "name": "scoped_BigO", "run_name": "scoped", "run_type": "aggregate", "aggregate_name": "BigO",
        "cpu_coefficient": 1.0, "real_coefficient": 1.0, "big_o": "N", "time_unit": "ns",
    }  # fmt: skip
    failed: dict[str, object] = row("scoped/bad/bytes:8", 0, 0.0, error_occurred=True, error_message="wrong work")
    text = exported(form, write(tmp_path, [*rows(), *aggregates, complexity, failed]))
    for absent in ("_mean", "_stddev", "_cv", "BigO", "aggregate", "scoped/bad", "error"):
        assert absent not in text
    assert text == exported(form, write(tmp_path, rows()))


def test_a_figure_that_is_not_finite_is_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = rows() + [row("overhead/x/bytes:8", 0, 1.0, resident_bytes_per_byte=math.nan)]
    assert call(write(tmp_path, entries), "--to", "bencher") == 0
    output = capsys.readouterr()
    assert "overhead/x" not in output.out
    assert "left out: overhead/x/bytes:8: has no figure of its own" in output.err
    strict_json(output.out)


def test_all_times_are_exported_in_nanoseconds(tmp_path: Path) -> None:
    slow = [row("scoped/none/bytes:8", process, 2.0, time_unit="us") for process in range(5)]
    results = read_as_github_action_benchmark(exported("github-action-benchmark", write(tmp_path, slow)))
    assert results == {"scoped/none/bytes:8": (2000.0, "ns/iter")}


# ---- Bencher's cpp_google: `context.caches` is a list; a row's name has 1 to 1024 letters, its unit is one of four


@pytest.mark.parametrize("caches", [[{"level": 1}], None, "unknown"])
def test_bencher_reads_the_slim_file(tmp_path: Path, caches: object) -> None:
    document = strict_json(exported("github-action-benchmark", write(tmp_path, rows(), caches=caches)))
    assert isinstance(document["context"]["caches"], list)
    if isinstance(caches, list):
        assert document["context"]["caches"] == caches
    for entry in document["benchmarks"]:
        assert 1 <= len(entry["name"]) <= 1024
        assert entry["time_unit"] in ("ns", "us", "ms", "s") and isinstance(entry["real_time"], float)


def test_the_account_of_the_run_is_not_in_the_slim_file(tmp_path: Path) -> None:
    account = {"complete": True, "processes_planned": 5, "units": [], "failed": []}
    document = json.loads(exported("github-action-benchmark", write(tmp_path, rows(), suite=account)))
    assert "suite" not in document["context"]


# ---- Bencher Metric Format: {benchmark: {measure: {value, lower_value?, upper_value?}}}, all numbers


def test_bencher_metric_format(tmp_path: Path) -> None:
    document = strict_json(exported("bencher", write(tmp_path, rows())))
    for name, measures in document.items():
        assert 1 <= len(name) <= 1024
        for measure, metric in measures.items():
            assert 1 <= len(measure) <= 64
            assert {"value"} <= set(metric) <= {"value", "lower_value", "upper_value"}
            assert all(isinstance(number, float) and math.isfinite(number) for number in metric.values())
            assert metric["lower_value"] <= metric["value"] <= metric["upper_value"]
    assert document["scoped/glibc/bytes:8"] == {"latency": {"value": 3.0, "lower_value": 1.0, "upper_value": 5.0}}
    assert document[CHILD]["resident-bytes-per-byte"]["value"] == 1.25
    assert document[f"{PERCENTILES} typical"]["latency"]["value"] == 20.0


def test_one_process_has_no_bounds(tmp_path: Path) -> None:
    document = strict_json(exported("bencher", write(tmp_path, [row("scoped/none/bytes:8", 0, 2.0)])))
    assert document == {"scoped/none/bytes:8": {"latency": {"value": 2.0}}}


# ---- Otava: the columns that the configuration names are in the header; each value is a number, each time a date


def read_as_otava(table: str, configuration: str) -> tuple[list[datetime], dict[str, tuple[int, list[float]]]]:
    test = strict_json(configuration)["tests"]["stackheap"]  # JSON is YAML
    assert test["type"] == "csv"
    header, *lines = list(csv.reader(io.StringIO(table), delimiter=",", quotechar='"'))
    assert all(len(line) == len(header) for line in lines) and len(set(header)) == len(header)
    assert set(test["attributes"]) <= set(header) and "branch" not in header
    times = [datetime.fromisoformat(line[header.index(test["time_column"])]) for line in lines]
    assert all(time.tzinfo for time in times)
    metrics = {
        name: (int(metric.get("direction", "1")), [float(line[header.index(metric["column"])]) for line in lines])
        for name, metric in test["metrics"].items()
    }
    return times, metrics


def test_otava_reads_one_row_for_each_run_oldest_first_and_the_better_direction(tmp_path: Path) -> None:
    later = write(tmp_path, rows(), "later.json", date="2026-03-02T03:04:05+01:00")
    earlier = write(tmp_path, [{**entry, "real_time": 7.0} for entry in rows()], "earlier.json")
    times, metrics = read_as_otava(exported("otava", later, earlier), exported("otava-config", later, earlier))
    assert times == sorted(times) and len(times) == 2
    assert metrics["scoped/glibc/bytes:8"] == (-1, [7.0, 3.0])
    assert metrics[f"{FEWER} frames"][0] == 1  # fewer calls are worse
    assert metrics[f"{CHILD} resident_bytes_per_byte"] == (-1, [1.25, 1.25])


@pytest.mark.hostile("state of the machine")
@pytest.mark.parametrize("date", ["0001-01-01T00:00:00", "1970-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"])
def test_otava_gets_the_date_of_a_clock_that_was_wrong(tmp_path: Path, date: str) -> None:
    path = write(tmp_path, rows(), date=date)
    times, _ = read_as_otava(exported("otava", path), exported("otava-config", path))
    assert [time.isoformat()[:19] for time in times] == [date[:19]]


def test_otava_gets_only_the_metrics_of_every_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty cell would end the import by Otava."""
    whole, part = write(tmp_path, rows()), write(tmp_path, rows()[:5], "part.json")
    assert call(whole, part, "--to", "otava") == 0
    output = capsys.readouterr()
    assert output.out.splitlines()[0] == "time,host,scoped/glibc/bytes:8"
    assert output.err.count("left out: ") == 4  # three names, and the number of further names
    assert "scoped/none/bytes:8: is not in every run" in export.write("otava", [whole, part]).left_out


def test_a_comma_in_a_name_stays_in_its_cell(tmp_path: Path) -> None:
    path = write(tmp_path, [row('scoped/a,b"c/bytes:8', 0, 1.0)])
    _, metrics = read_as_otava(exported("otava", path), exported("otava-config", path))
    assert list(metrics) == ['scoped/a,b"c/bytes:8']


# ---- Google Benchmark's own


def test_google_benchmarks_compare_reads_the_slim_file(tmp_path: Path) -> None:
    slim = tmp_path / "slim.json"
    assert call(write(tmp_path, rows()), "--to", "github-action-benchmark", "-o", slim) == 0
    for module in ("numpy", "scipy"):
        pytest.importorskip(module)
    if not COMPARE.exists():
        pytest.skip(f"{COMPARE} is not installed (libbenchmark-tools)")
    ended = subprocess.run([sys.executable, COMPARE, "benchmarks", slim, slim], capture_output=True, text=True,
                           env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "scoped/glibc/bytes:8" in ended.stdout


def test_a_whole_google_benchmark_file_equals_the_run_before_it_was_made_compact(tmp_path: Path) -> None:
    document = synthetic.document(keep=lambda name: name.startswith(("scoped/", "overhead/")), processes=3)
    failed = row("scoped/bad/bytes:8", 0, 0.0, error_occurred=True, error_message="wrong work")
    document["benchmarks"].append(failed)
    run = with_aggregates(document)
    write_compact(tmp_path / "run.json.gz", run)
    again = strict_json(exported("google-benchmark", tmp_path / "run.json.gz"))
    assert [(entry["name"], entry["run_type"]) for entry in again["benchmarks"]] == [
        (entry["name"], entry["run_type"]) for entry in run["benchmarks"]
    ]
    assert {entry.get("aggregate_name") for entry in again["benchmarks"]} == {None, "mean", "median", "stddev", "cv"}
    for before, after in zip(run["benchmarks"], again["benchmarks"]):
        assert before.keys() == after.keys()
        tolerance = 1e-2 if before.get("aggregate_name") in ("stddev", "cv") else 1e-4  # differences of rounded numbers
        assert after["real_time"] == pytest.approx(before["real_time"], rel=tolerance, abs=1e-9)
    (tmp_path / "run.json").write_text(json.dumps(again))
    assert exported("google-benchmark", tmp_path / "run.json") == json.dumps(again, indent=1, ensure_ascii=False) + "\n"


def test_google_benchmarks_compare_reads_the_whole_file(tmp_path: Path) -> None:
    write_compact(tmp_path / "run.json.gz", {"context": {"suite_version": "1"}, "benchmarks": rows()})
    whole = tmp_path / "whole.json"
    assert call(tmp_path / "run.json.gz", "--to", "google-benchmark", "-o", whole) == 0
    for module in ("numpy", "scipy"):
        pytest.importorskip(module)
    if not COMPARE.exists():
        pytest.skip(f"{COMPARE} is not installed (libbenchmark-tools)")
    ended = subprocess.run([sys.executable, COMPARE, "--no-color", "benchmarks", whole, whole], capture_output=True,
                           text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    for shown in ("scoped/glibc/bytes:8_pvalue", "scoped/glibc/bytes:8_median", "scoped/glibc/bytes:8_cv", "OVERALL_GEOMEAN"):
        assert shown in ended.stdout


@pytest.mark.hostile("result file")
@pytest.mark.parametrize("ns", [2 * LEAST_FIGURE, MOST_FIGURE])
def test_the_least_and_the_largest_times_have_a_mean_and_a_deviation(tmp_path: Path, ns: float) -> None:
    rows_of_ends = [row("scoped/x/bytes:8", 0, ns), row("scoped/x/bytes:8", 1, ns), row("scoped/x/bytes:8", 2, 1.0)]
    mean, _, deviation, _ = strict_json(exported("google-benchmark", write(tmp_path, rows_of_ends)))["benchmarks"][3:]
    assert mean["real_time"] == pytest.approx((2 * ns + 1) / 3)
    assert deviation["real_time"] == pytest.approx(abs(ns - 1) / math.sqrt(3))


def test_numbers_that_json_lacks_are_left_out(tmp_path: Path) -> None:
    name = "scoped/x/bytes:8"
    odd = [row(name, 0, 1.0, iterations=math.inf, cycles=math.nan, label=["x"]), row(name, 1, 1.0, cycles=1.0)]
    entries = strict_json(exported("google-benchmark", write(tmp_path, odd)))["benchmarks"]
    assert not {"iterations", "cycles"} & entries[0].keys() and "cycles" in entries[1] and "cycles" not in entries[2]


# ---- bad input

BAD: Mapping[str, object] = {
    "empty": "", "cut off": '{"context": {', "foreign": {"context": {}, "benchmarks": [row("a", 0, 1.0)]},
    "NaN": {"context": {"suite_version": "1"}, "benchmarks": [row("a", 0, math.nan)]},
    "negative": {"context": {"suite_version": "1"}, "benchmarks": [row("a", 0, -1.0)]},
    "twice": {"context": {"suite_version": "1"}, "benchmarks": [row("a", 0, 1.0)] * 2},
    "only failures": {"context": {"suite_version": "1"}, "benchmarks": [row("a", 0, 0.0, error_occurred=True)]},
    "only aggregates": {"context": {"suite_version": "1"}, "benchmarks": [row("a", 0, 1.0, run_type="aggregate")]},
    "a name too long": {"context": {"suite_version": "1"}, "benchmarks": [row("a" * 2000, 0, 1.0)]},
}  # fmt: skip


@pytest.mark.parametrize("form", export.FORMS)
@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, kind: str) -> None:
    path = tmp_path / "run.json"
    content = BAD[kind]
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    assert call(path, "--to", form) == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.startswith("scripts/export: ") and output.err.count("\n") == 1


def test_an_export_that_is_impossible_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, undated = write(tmp_path, rows()), write(tmp_path, rows(), "undated.json", date="yesterday")
    unrelated = write(tmp_path, [row("other/none/bytes:1", 0, 1.0)], "other.json")
    only_counters = write(tmp_path, rows()[10:15], "counters.json")
    for arguments in (
        (path, path, "--to", "bencher"),
        (undated, "--to", "otava"),
        (path, unrelated, "--to", "otava"),
        (path, "--to", "csv"),
        (only_counters, "--to", "github-action-benchmark"),
        (path, "--to", "bencher", "-o", path),
        (tmp_path, "--to", "bencher", "-o", path),
    ):
        assert call(*arguments) == 2
        assert capsys.readouterr().err.count("\n") == 1


@settings(deadline=None, max_examples=50)
@given(name=st.text(st.characters(blacklist_categories=("C", "Z")), min_size=1, max_size=40), ns=st.floats(2 * LEAST_FIGURE, 1e12))
def test_names_and_times_are_exported_unchanged(tmp_path_factory: pytest.TempPathFactory, name: str, ns: float) -> None:
    path = write(tmp_path_factory.mktemp("any"), [row(f"x/{name}", 0, ns)])
    assert read_as_github_action_benchmark(exported("github-action-benchmark", path)) == {f"x/{name}": (ns, "ns/iter")}
    assert strict_json(exported("bencher", path)) == {f"x/{name}": {"latency": {"value": ns}}}
    _, metrics = read_as_otava(exported("otava", path), exported("otava-config", path))
    assert metrics == {f"x/{name}": (-1, [ns])}


def test_a_benchmark_that_failed_in_one_process_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "scoped/bad/bytes:8"
    failed = row(name, 5, 0.0, error_occurred=True, error_message="wrong work")
    entries = rows() + [row(name, process, 1.0) for process in range(5)] + [failed]
    assert call(write(tmp_path, entries), "--to", "bencher") == 0
    output = capsys.readouterr()
    assert name not in output.out
    assert f"left out: {name}: failed: wrong work" in output.err
