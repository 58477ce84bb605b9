"""Is the compact form of a run small, the same every time, and complete?"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from suite.base.files import write_json
from suite.results.compact import DIGITS_KEPT, SIGNIFICANT_DIGITS, compact, write_compact
from suite.results.merge import with_aggregates
from suite.results.read import read_run
from support import synthetic


def few(name: str) -> bool:
    return name.startswith(("scoped/", "overhead/"))


def test_a_compact_run_has_no_aggregates_and_names_its_digits() -> None:
    document = with_aggregates(synthetic.document(keep=few, processes=3))
    made = compact(document)
    assert {row["run_type"] for row in document["benchmarks"]} == {"iteration", "aggregate"}
    assert {row["run_type"] for row in made["benchmarks"]} == {"iteration"}
    assert made["context"].pop(DIGITS_KEPT) == SIGNIFICANT_DIGITS
    assert made["context"].keys() == document["context"].keys()


@pytest.mark.parametrize(
    ("number", "kept"),
    [(0.5247287217, 0.52473), (1234567.5, 1234600.0), (-1.2345678e-9, -1.2346e-9), (8388608.0, 8388608.0), (107215, 107215)],
)
def test_numbers_keep_five_digits_and_whole_numbers_all(number: float, kept: float) -> None:
    document = {"context": {"suite_version": "1", "a": [number]}, "benchmarks": [{"run_type": "iteration", "x": number}]}
    made = compact(document)
    assert made["benchmarks"][0]["x"] == kept and made["context"]["a"] == [kept]
    assert type(made["benchmarks"][0]["x"]) is type(number)


def test_iterations_keep_three_digits() -> None:
    rows = [{"run_type": "iteration", "iterations": count} for count in (1, 999, 10721561)]
    made = compact({"context": {}, "benchmarks": rows})
    assert [row["iterations"] for row in made["benchmarks"]] == [1, 999, 10700000]


def test_a_compact_run_has_the_values_of_the_run(tmp_path: Path) -> None:
    document = synthetic.document(keep=few, processes=3)
    write_json(tmp_path / "run.json", document)
    write_compact(tmp_path / "run.json.gz", document)
    whole, small = read_run(tmp_path / "run.json"), read_run(tmp_path / "run.json.gz")
    assert small.by_name.keys() == whole.by_name.keys()
    assert small.account.processes_planned == whole.account.processes_planned
    for name, benchmark in whole.by_name.items():
        assert small.by_name[name].times == pytest.approx(benchmark.times, rel=1e-4)


def test_the_same_run_gives_the_same_bytes_whatever_its_name_and_the_time(tmp_path: Path) -> None:
    document = synthetic.document(keep=few)
    for name in ("a.json.gz", "b.json.gz"):
        write_compact(tmp_path / name, document)
    content = (tmp_path / "a.json.gz").read_bytes()
    assert content == (tmp_path / "b.json.gz").read_bytes()
    assert content[:9] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02"  # neither a name nor a time
    assert json.loads(gzip.decompress(content)) == json.loads(json.dumps(compact(document)))
