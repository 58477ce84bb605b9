"""Does the reader accept valid results and refuse all other files, and are aggregates those of Google Benchmark?"""

from __future__ import annotations

import gzip
import json
import math
import os
import resource
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.base.cli import REFUSED, answer
from suite.base.errors import BadInput
from suite.base.files import write_json
from suite.results import read as read_module
from suite.results.merge import merge, write_unit
from suite.results.metrics import Metric, metrics_of
from suite.results.model import LEAST_FIGURE, MOST_FIGURE, WALL_NS, Account, BenchmarkName, Failure, Run, Unit
from suite.results.read import (
    LONGEST_ABOUT,
    LONGEST_FACT,
    LONGEST_NAME,
    LONGEST_TEXT,
    MOST_BYTES,
    MOST_FACTS,
    MOST_FIELDS,
    MOST_TEXTS,
    NEVER_ZERO,
    ROW_FIELDS,
    BadResult,
    failures_in,
    read_run,
    read_unit,
    sample_of,
    times_of,
)

COMPARE = Path("/usr/share/benchmark/compare.py")  # of the package libbenchmark-tools


def row(name: str = "scoped/none/bytes:8", ns: float = 1.5, **more: object) -> dict[str, Any]:
    return {
        "name": name, "family_index": 0, "per_family_instance_index": 0, "run_name": name, "run_type": "iteration",
        "repetitions": 1, "repetition_index": 0, "threads": 1, "iterations": 10, "real_time": ns, "cpu_time": ns,
        "time_unit": "ns", **more,
    }  # fmt: skip


def document(*rows: object, **context: object) -> dict[str, Any]:
    return {"context": {"suite_version": "1", **context}, "benchmarks": list(rows)}


def unit(process: int, family: str = "scoped", **more: Any) -> Unit:
    values: dict[str, Any] = {
        "family": family, "chapter": "allocation", "part": f"^{family}/", "process": process, "disturbed": False,
        "reasons": (), "others_cpu": 0.0, "steal": None, "involuntary_switches": 0, "major_faults": 0, "seconds": 1.0,
        "ns_per_addition": 0.5, "attempt": 1,
    }  # fmt: skip
    return Unit(**{**values, **more})


def merged(*documents: dict[str, Any], **more: Any) -> dict[str, Any]:
    pieces = [(unit(process), written) for process, written in enumerate(documents)]
    account = Account(True, len(documents), 7, tuple(measured for measured, _ in pieces), **more)
    return merge(pieces, account, [])


def read(tmp_path: Path, written: object) -> Run:
    path = tmp_path / "run.json"
    path.write_text(written if isinstance(written, str) else json.dumps(written))
    return read_run(path)


# ---- names


def test_a_name_has_family_strategy_and_parameters_in_order() -> None:
    name = BenchmarkName.parse("batch/jemalloc/order:lifo/count:100")
    assert (name.family, name.strategy, list(name.parameters)) == ("batch", "jemalloc", ["order", "count"])
    assert (name.number("count"), name.number("order"), name.number("bytes")) == (100, None, None)


def test_a_family_without_strategies_has_a_name_without_a_strategy() -> None:
    name = BenchmarkName.parse("chase/bytes:4096/order:random/home:heap")
    assert (name.family, name.strategy, name.parameters["home"]) == ("chase", None, "heap")


# ---- reading


@pytest.mark.parametrize(("unit_name", "factor"), [("ns", 1), ("us", 1e3), ("ms", 1e6), ("s", 1e9)])
def test_every_unit_of_time_becomes_nanoseconds(tmp_path: Path, unit_name: str, factor: float) -> None:
    run = read(tmp_path, document(row(ns=2.0, time_unit=unit_name)))
    assert run.series()[0].times == (2.0 * factor,)


def test_processes_are_kept_apart_and_aggregates_are_not_samples(tmp_path: Path) -> None:
    mean = row(name="x_mean", run_type="aggregate", aggregate_name="mean")
    rows = [row(ns=3.0, repetition_index=1), row(ns=1.0), mean]
    (benchmark,) = read(tmp_path, document(*rows)).series()
    assert benchmark.times == (1.0, 3.0)
    assert [sample.process for sample in benchmark.samples] == [0, 1]


def test_a_failed_benchmark_has_an_error_and_no_series(tmp_path: Path) -> None:
    wrong = row("scoped/a/bytes:8", 0.0, error_occurred=True, error_message="wrong\nwork")
    run = read(tmp_path, document(row(), wrong))
    assert run.by_name["scoped/a/bytes:8"].errors == ("wrong work",)
    assert [benchmark.name.text for benchmark in run.series()] == ["scoped/none/bytes:8"]
    assert run.get("scoped/a/bytes:8") is None


# As Google Benchmark 1.8 and later write it.
SKIPPED: dict[str, Any] = {"skipped": True, "skip_message": "not on\nthis kernel"}


@pytest.mark.parametrize(
    ("absent", "reason"),
    [
        (SKIPPED, "skipped: not on this kernel"),
        ({"skipped": True}, "skipped: without a message"),
        ({}, "its time is not positive"),
    ],
)
def test_a_row_without_a_time_is_absent_with_its_reason(tmp_path: Path, absent: dict[str, Any], reason: str) -> None:
    name = "scoped/glibc/bytes:8"
    timeless = row(name, 0.0, **absent)
    run = read(tmp_path, merged(document(row(), timeless), document(row(), row(name, 2.0))))
    assert run.by_name[name].errors == (reason,) and run.by_name[name].times == (2.0,)
    never = read(tmp_path, document(row(), timeless))
    assert never.get(name) is None and never.strategies() == ("none",)
    assert failures_in(document(row(), timeless, row(name, 2.0)), [name]) == [f"{name}: {reason}"]
    with pytest.raises(ValueError, match=reason):
        sample_of(document(row(name, 2.0), timeless, row(name, 2.0)), name)
    with pytest.raises(ValueError, match=reason):
        times_of(document(row(name, 2.0), {**timeless, "repetition_index": 1}), name)


@pytest.mark.parametrize("absent", [SKIPPED, {}])
def test_a_run_keeps_a_row_without_a_time_as_a_failed_row(absent: dict[str, Any]) -> None:
    rows = merged(document(row(ns=0.0, **absent)), document(row()), document(row()))["benchmarks"]
    assert rows[0].get("skipped") or rows[0]["error_message"] == "its time is not positive"
    mean = next(entry for entry in rows if entry.get("aggregate_name") == "mean")
    assert (mean["real_time"], mean["iterations"]) == (1.5, 2)


@pytest.mark.parametrize("counter", sorted(NEVER_ZERO))
def test_a_counter_of_zero_is_absent_where_zero_is_impossible(tmp_path: Path, counter: str) -> None:
    (benchmark,) = read(tmp_path, document({**row(page_faults=0, branch_misses=0.0), counter: 0.0})).series()
    assert dict(benchmark.samples[0].counters) == {"page_faults": 0.0, "branch_misses": 0.0}


def test_a_metric_that_is_a_time_of_zero_is_absent(tmp_path: Path) -> None:
    rows = [row(repetition_index=process, p50=float(process), share=float(process)) for process in (0, 1)]
    (benchmark,) = read(tmp_path, document(*rows)).series()
    assert Metric("p50").values(benchmark) == (1.0,)
    assert Metric("share", "of the peak").values(benchmark) == (0.0, 1.0)
    (unmeasured,) = read(tmp_path, document(rows[0])).series()
    declared = {"scoped": (Metric("p50"), Metric("share", "of the peak"))}
    assert metrics_of(unmeasured, declared) == (Metric("share", "of the peak"),)


def test_cycles_are_the_counter_or_else_follow_from_the_addition(tmp_path: Path) -> None:
    rows = [row("a/b", 10.0, cycles=33.0, ns_per_addition=0.5), row("a/c", 10.0, ns_per_addition=0.5), row("a/d", 10.0)]
    run = read(tmp_path, document(*rows))
    assert [benchmark.cycles for benchmark in run.series()] == [(33.0,), (20.0,), ()]


@pytest.mark.hostile("result file")
@pytest.mark.parametrize("value", [math.nan, math.inf, 5e-324, -5e-324, 1.7e308, 10**400],
                         ids=["nan", "infinite", "tiny", "tiny and negative", "huge", "400 digits"])  # fmt: skip
def test_a_counter_that_nothing_can_have_measured_is_absent_not_zero(tmp_path: Path, value: float) -> None:
    text = json.dumps(document(row(page_faults=value, instructions=4.0)))
    (benchmark,) = read(tmp_path, text).series()
    assert dict(benchmark.samples[0].counters) == {"instructions": 4.0}


@pytest.mark.hostile("result file")
def test_a_counter_with_an_endless_name_is_left_out(tmp_path: Path) -> None:
    (benchmark,) = read(tmp_path, document(row() | {"x" * (LONGEST_NAME + 1): 1, "page_faults": 0})).series()
    assert dict(benchmark.samples[0].counters) == {"page_faults": 0.0}


@pytest.mark.parametrize(
    ("name", "number"),
    [("bytes:64", 64), ("bytes:0", None), ("threads:00", None), ("bytes:-1", None), ("bytes:1e9", None),
     ("bytes:", None), ("bytes:1.5", None), ("bytes:١", None), (f"bytes:{2**64}", None), ("bytes:8/bytes:16", 16), ("bytes", None)],
)  # fmt: skip
def test_a_number_in_a_name_is_whole_and_can_be(name: str, number: int | None) -> None:
    assert BenchmarkName.parse(f"scoped/none/{name}").number(name.partition(":")[0]) == number


def test_a_depth_of_0_is_a_number_only_where_nothing_lies_between() -> None:
    assert [BenchmarkName.parse(f"{family}/depth:0").number("depth") for family in ("indirection", "recursion")] == [0, None]


def test_selection_is_by_family_strategy_and_parameters(tmp_path: Path) -> None:
    names = ["scoped/a/bytes:8", "scoped/a/bytes:64", "scoped/b/bytes:8", "batch/a/bytes:8", "chase/bytes:8"]
    run = read(tmp_path, document(*(row(name) for name in names)))
    by_size, by_strategy = run.series("scoped", bytes=8), run.series(strategy="a", bytes="8")
    assert [str(benchmark.name) for benchmark in by_size] == ["scoped/a/bytes:8", "scoped/b/bytes:8"]
    assert [str(benchmark.name) for benchmark in by_strategy] == ["scoped/a/bytes:8", "batch/a/bytes:8"]
    assert run.families() == ("scoped", "batch", "chase")
    assert run.strategies("scoped") == ("a", "b")
    assert run.strategies("chase") == ()


def test_mallocs_and_facts_come_from_the_context(tmp_path: Path) -> None:
    mallocs = {"malloc.glibc": "2.36 /lib/libc.so.6", "malloc.x": "not available: no file (install: libx)"}
    run = read(tmp_path, document(row(), **mallocs, cores="2"))
    assert run.mallocs() == {"glibc": "2.36 /lib/libc.so.6"}
    assert run.unavailable_mallocs() == {"x": "no file (install: libx)"}
    assert (run.fact("cores"), run.fact("l3_bytes")) == (2, None)


def test_a_disturbed_process_is_found_by_its_part(tmp_path: Path) -> None:
    units = (unit(0, disturbed=True, part="^scoped/a/"), unit(1, disturbed=True, part="^scoped/b/"))
    pieces = [(measured, document(row("scoped/a/x:1"), row("scoped/b/x:1"))) for measured in units]
    run = read(tmp_path, merge(pieces, Account(True, 2, 1, units), []))
    assert [run.disturbed_processes(benchmark) for benchmark in run.series()] == [(0,), (1,)]


def account(**suite: object) -> str:
    written: dict[str, object] = {"complete": True, "processes_planned": 1, **suite}
    return json.dumps(document(row(), suite=written))


BAD = {
    "empty": "",
    "blank": "  \n",
    "cut off": json.dumps(document(row()))[:-20],
    "not JSON": "stack and heap",
    "not UTF-8": None,
    "a number": "7",
    "a list": "[]",
    "foreign JSON": '{"name": "a package", "version": 1}',
    "another program's results": json.dumps({"context": {"date": "x"}, "benchmarks": [row()]}),
    "no benchmarks": json.dumps(document()),
    "rows that are not objects": json.dumps(document(3)),
    "only aggregates": json.dumps(document(row(run_type="aggregate"))),
    "a time that is too short": json.dumps(document(row(ns=5e-324))),
    "a time that is too long": json.dumps(document(row(ns=1.7e308))),
    "a processor's time that is too long": json.dumps(document(row(cpu_time=1.7e308))),
    "a time that is too long in its unit": json.dumps(document(row(ns=1e14, time_unit="ms"))),
    "a NaN time": json.dumps(document(row(ns=math.nan))),
    "an infinite time": json.dumps(document(row(ns=math.inf))),
    "a negative time": json.dumps(document(row(ns=-1.0))),
    "a time of 400 digits": json.dumps(document(row())).replace("1.5", "1" + "0" * 400),
    "a time that is text": json.dumps(document(row(real_time="1.5"))),
    "a time that is true": json.dumps(document(row(real_time=True))),
    "a strange unit": json.dumps(document(row(time_unit="h"))),
    "a unit that is a list": json.dumps(document(row(time_unit=[]))),
    "no name": json.dumps(document(row(name=""))),
    "a name that moves the cursor": json.dumps(document(row(name="\x1b[2J"))),
    "a name that begins like a formula": json.dumps(document(row(name="=1+1"))),
    "a name twice": json.dumps(document(row(), row())),
    "a negative process number": json.dumps(document(row(repetition_index=-1))),
    "a number of too many digits": "9" * 5000,
    "nesting without end": "[" * 100_000,
    "nesting as deep as is read": f'{{"context": {{"x": {"[" * 980}{"]" * 980}}}, "benchmarks": []}}',
    "a fact of many letters": json.dumps(document(row(), cpu_model="x" * LONGEST_FACT)),
    "a fact that is a long list": json.dumps(document(row(), profile=[0] * LONGEST_FACT)),
    "a fact under a long name": json.dumps(document(row(), **{"x" * LONGEST_FACT: 0})),
    "too many facts": json.dumps(document(row(), **{f"malloc.{number}": "1" for number in range(MOST_FACTS)})),
    "a row with too many fields": json.dumps(document(row() | dict.fromkeys(map(str, range(MOST_FIELDS)), 1))),
    "an account of many letters": account(about={"families": "x" * LONGEST_ABOUT}),
    "a unit of many letters": account(units=[{**asdict(unit(0)), "part": "x" * (LONGEST_TEXT + 1)}]),
    "a unit with many reasons": account(units=[{**asdict(unit(0)), "reasons": ["x"] * (MOST_TEXTS + 1)}]),
    "a unit of endless seconds": account(units=[{**asdict(unit(0)), "seconds": 1.7e308}]),
    "a unit of a number of 400 digits": account(units=[{**asdict(unit(0)), "major_faults": 10**400}]),
    "a damaged account": json.dumps(document(row(), suite=3)),
    "a damaged unit": json.dumps(document(row(), suite={"complete": True, "processes_planned": 1, "units": [{}]})),
}


@pytest.mark.hostile("result file")
@pytest.mark.parametrize("defect", BAD)
def test_a_bad_file_is_refused_in_one_line_that_names_it(tmp_path: Path, defect: str) -> None:
    path = tmp_path / "run.json"
    path.write_bytes((BAD[defect] or "").encode() if defect != "not UTF-8" else b'{"a": "\xff\xfe"}')
    with pytest.raises(BadResult) as refused:
        read_run(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.hostile("size")
@pytest.mark.parametrize("value", ["0", "[]", "{}", '{"a":0}'])
def test_a_file_of_too_many_values_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setattr(read_module, "MOST_VALUES", 1_000)
    path = tmp_path / "run.json"
    for number, reason in ((200, "not an object"), (1_001, "is too large to be a result (over 1,000 commas and brackets)")):
        path.write_text(f"[{','.join([value] * number)}]")
        with pytest.raises(BadResult) as refused:
            read_run(path)
        assert reason in str(refused.value)


def test_text_and_facts_as_long_as_is_accepted_are_read(tmp_path: Path) -> None:
    facts = {"cpu_model": "x" * (LONGEST_FACT - 20), "program": {"command": ["x" * LONGEST_FACT]}}
    assert read(tmp_path, document(row("scoped/none/bytes:8", LEAST_FIGURE), row("b", MOST_FIGURE), **facts)).by_name


@pytest.mark.hostile("result file")
@pytest.mark.parametrize("path", ["missing.json", ".", "nul\0byte", "x" * 5000, "missing/run.json"])
def test_a_path_that_is_not_a_file_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadResult):
        read_run(tmp_path / path)


@pytest.mark.hostile("result file")
def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadResult, match="is not a file"):
        read_run(tmp_path / "pipe")


@pytest.mark.hostile("size")
def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)  # takes no room on the disk
    with pytest.raises(BadResult, match="too large"):
        read_run(path)


# ---- files that gzip packed, and folders

SOUND = json.dumps(document(row())).encode()
PACKED = gzip.compress(SOUND)


@pytest.mark.parametrize("name", ["run.json.gz", "run.json", "a run.gz", "x"])
def test_gzip_is_recognised_by_the_content_not_by_the_name(tmp_path: Path, name: str) -> None:
    for content in (PACKED, SOUND, gzip.compress(SOUND[:40]) + gzip.compress(SOUND[40:])):
        (tmp_path / name).write_bytes(content)
        assert read_run(tmp_path / name).by_name.keys() == {"scoped/none/bytes:8"}


def test_a_folder_stands_for_the_run_in_it(tmp_path: Path) -> None:
    with pytest.raises(BadResult, match="is a folder without a run: it has neither run.json nor run.json.gz$"):
        read_run(tmp_path)
    for name, content in (("run.json.gz", PACKED), ("run.json", SOUND)):  # what scripts/run writes comes first
        (tmp_path / name).write_bytes(content)
        assert read_run(tmp_path).path == tmp_path / name


@pytest.mark.hostile("result file")
def test_a_folder_in_the_place_of_the_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    with pytest.raises(BadResult, match="run.json: is not a file"):
        read_run(tmp_path)


BAD_GZIP = {
    "cut off": (PACKED[:-1], "damaged or cut off"),
    "cut off in the middle": (PACKED[: len(PACKED) // 2], "damaged or cut off"),
    "only its head": (PACKED[:2], "damaged or cut off"),
    "of a method unknown": (b"\x1f\x8b\x09" + PACKED[3:], "damaged or cut off"),
    "with a wrong check sum": (PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], "damaged or cut off"),
    "with a changed byte": (PACKED[:30] + bytes([PACKED[30] ^ 0xFF]) + PACKED[31:], "damaged or cut off"),
    "with something behind it": (PACKED + b"more", "damaged or cut off"),
    "packed twice": (gzip.compress(PACKED), "is packed by gzip twice; unpack it once"),
    "of nothing": (gzip.compress(b""), "is empty"),
    "of spaces": (gzip.compress(b" \n"), "is empty"),
    "of something else": (gzip.compress(b"a run"), "is not JSON"),
    "of half a run": (gzip.compress(SOUND[:-9]), "is not JSON, or was cut off"),
}


@pytest.mark.hostile("result file")
@pytest.mark.parametrize("defect", BAD_GZIP)
def test_a_damaged_gzip_file_is_refused_in_one_line(tmp_path: Path, defect: str) -> None:
    path = tmp_path / "run.json.gz"
    content, reason = BAD_GZIP[defect]
    path.write_bytes(content)
    with pytest.raises(BadResult) as refused:
        read_run(path)
    assert str(refused.value).startswith(f"{path}: ") and reason in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.hostile("size")
def test_a_few_bytes_that_hold_gigabytes_are_refused_without_filling_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "run.json.gz"
    piece = gzip.compress(b" " * (64 << 20), compresslevel=9)
    path.write_bytes(piece * 64)  # 4 GiB
    body = (
        "from pathlib import Path\nfrom suite.results.read import BadResult, read_run\n"
        f"try: read_run(Path({str(path)!r}))\nexcept BadResult as refused: print(refused)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", body], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)),
    )  # fmt: skip
    assert ended.stdout == f"{path}: is too large to be a result (over {MOST_BYTES} bytes when unpacked)\n", ended.stderr


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ROW_KEYS = sorted(ROW_FIELDS | {"cycles"})
ANY_ROW = st.dictionaries(st.sampled_from(ROW_KEYS), ANY_JSON, max_size=2).map(lambda changed: row() | changed)
SUITE_KEYS = ["complete", "processes_planned", "units", "failed", "order_seed"]
ANY_SUITE = st.dictionaries(st.sampled_from(SUITE_KEYS), ANY_JSON | st.lists(ANY_JSON), max_size=2).map(
    lambda changed: dict({"complete": True, "processes_planned": 1}, **changed)
)
ANY_DOCUMENT = st.builds(
    lambda rows, suite: document(*rows, suite=suite), st.lists(ANY_ROW | ANY_JSON, max_size=4), ANY_SUITE
)


def read_or_refuse(path: Path) -> None:
    """Reads a run and uses all its parts; passes if the reader refuses the file."""
    try:
        run = read_run(path)
    except BadResult:
        return
    for benchmark in run.series():
        assert benchmark.times and all(math.isfinite(ns) and ns >= 0 for ns in benchmark.times)
        run.disturbed_processes(benchmark)
    assert run.mallocs() is not None and run.strategies() is not None and run.account.clock is not None


@settings(deadline=None)
@given(
    content=st.binary(max_size=200)
    | st.binary(max_size=200).map(lambda more: PACKED[:10] + more)
    | st.binary(max_size=200).map(gzip.compress)
)
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-bytes.json"
    path.write_bytes(content)
    read_or_refuse(path)


@settings(deadline=None)
@given(written=ANY_JSON | ANY_DOCUMENT)
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, written: object) -> None:
    path = tmp_path_factory.getbasetemp() / "any-json.json"
    path.write_text(json.dumps(written))
    read_or_refuse(path)


# ---- merging: what Google Benchmark 1.7.1 itself wrote for three repetitions of one benchmark

REPETITIONS = (
    (1.8359533465662268, 1.8361406583368507, 5.4462058528009796e08),
    (1.8061759012236409, 1.8063952869270474, 5.5358868971649706e08),
    (1.8124546955661833, 1.8127972452334924, 5.5163367145959985e08),
)
AGGREGATES = {
    "mean": (1.8181946477853499, 1.8184443968324635, 5.4994764881873155e08),
    "median": (1.8124546955661831, 1.8127972452334922, 5.5163367145959985e08),
    "stddev": (1.5696635034046429e-02, 1.5656133653048295e-02, 4.7157956438675327e06),
    "cv": (8.6330883512200970e-03, 8.6096301213936556e-03, 8.5749900995065586e-03),
}
AGGREGATE_KEYS = [
    "name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions", "threads",
    "aggregate_name", "aggregate_unit", "iterations", "real_time", "cpu_time", "time_unit", "items_per_second", "label",
]  # fmt: skip


def repetitions() -> list[dict[str, Any]]:
    return [
        document(row("fam/x/bytes:1", real, cpu_time=cpu, items_per_second=items, label="lab"))
        for real, cpu, items in REPETITIONS
    ]


def test_aggregates_equal_those_of_google_benchmark() -> None:
    rows = merged(*repetitions())["benchmarks"]
    assert [entry["run_type"] for entry in rows] == ["iteration"] * 3 + ["aggregate"] * 4
    for entry, (name, figures) in zip(rows[3:], AGGREGATES.items()):
        assert list(entry) == AGGREGATE_KEYS
        names = (entry["name"], entry["run_name"], entry["aggregate_name"])
        assert names == (f"fam/x/bytes:1_{name}", "fam/x/bytes:1", name)
        assert entry["aggregate_unit"] == ("percentage" if name == "cv" else "time")
        assert (entry["iterations"], entry["repetitions"], entry["threads"], entry["label"]) == (3, 3, 1, "lab")
        # Google Benchmark subtracts squares: its deviation has fewer correct digits.
        assert [entry[key] for key in ("real_time", "cpu_time", "items_per_second")] == pytest.approx(figures, rel=1e-6)


def test_each_process_is_a_repetition_and_keeps_its_values() -> None:
    rows = merged(*repetitions())["benchmarks"][:3]
    assert [(entry["repetition_index"], entry["repetitions"], entry["items_per_second"]) for entry in rows] == [
        (process, 3, items) for process, (_, _, items) in enumerate(REPETITIONS)
    ]


def test_rows_come_in_the_given_order_and_are_numbered_by_family() -> None:
    names = ["b/x/n:1", "a/x/n:1", "b/y/n:1"]
    pieces = [(unit(0), document(*(row(name) for name in sorted(names))))]
    rows = merge(pieces, Account(True, 1, 7), names)["benchmarks"]
    assert [entry["name"] for entry in rows] == names
    assert [(entry["family_index"], entry["per_family_instance_index"]) for entry in rows] == [(0, 0), (1, 0), (0, 1)]


def test_one_process_and_errors_have_no_aggregates() -> None:
    wrong = document(row(error_occurred=True, error_message="wrong"))
    assert len(merged(document(row()))["benchmarks"]) == 1
    assert [entry["run_type"] for entry in merged(document(row()), wrong)["benchmarks"]] == ["iteration"] * 2
    good = merged(document(row(ns=1.0)), wrong, document(row(ns=3.0)))["benchmarks"]
    assert good[3]["aggregate_name"] == "mean" and good[3]["real_time"] == 2.0


def test_a_run_is_in_nanoseconds_and_without_nan_whatever_the_program_wrote() -> None:
    (entry,) = merged(document(row(ns=2.0, time_unit="us", cycles=math.nan)))["benchmarks"]
    times = (entry["real_time"], entry["cpu_time"], entry["time_unit"])
    assert times == (2000.0, 2000.0, "ns") and "cycles" not in entry


def test_a_merged_run_reads_back_whole(tmp_path: Path) -> None:
    failed = (Failure("chase", 1, "crashed (SIGSEGV)"),)
    path = tmp_path / "run.json"
    write_json(path, merged(*repetitions(), failed=failed))
    run = read_run(path)
    assert run.series()[0].times == tuple(real for real, _, _ in REPETITIONS)
    assert (run.units[1], run.failed, run.complete, run.account.order_seed) == (unit(1), failed, True, 7)


def test_the_account_states_how_much_the_clock_changed() -> None:
    units = (unit(0, ns_per_addition=0.5), unit(1, ns_per_addition=0.6), unit(2, ns_per_addition=None))
    clock = Account(True, 3, units=units).clock
    assert clock == {"ns_per_addition_min": 0.5, "ns_per_addition_max": 0.6, "moved": pytest.approx(0.2)}
    assert Account(True, 1).clock == {}


def test_a_run_has_all_fields_that_compare_py_reads() -> None:
    """It needs a name, times and a unit in each row, one unit for each name, and families and instances to sort by."""
    rows = merged(*repetitions())["benchmarks"]
    for entry in rows:
        assert {"name", "run_type", "real_time", "cpu_time", "time_unit"} <= entry.keys()
        assert {"family_index", "per_family_instance_index"} <= entry.keys()
        assert entry["run_type"] == "aggregate" or "repetition_index" in entry
    assert len({(entry["name"], entry["time_unit"]) for entry in rows}) == len({entry["name"] for entry in rows})


@pytest.mark.skipif(not COMPARE.exists(), reason="the package libbenchmark-tools is not installed")
def test_compare_py_reads_a_run(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, merged(*repetitions()))
    command = [sys.executable, str(COMPARE), "--no-color", "benchmarks", str(path), str(path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "fam/x/bytes:1_pvalue" in output and "OVERALL_GEOMEAN" in output


# ---- units


def test_a_unit_reads_back_with_its_document(tmp_path: Path) -> None:
    path = tmp_path / "scoped-0-1.json"
    write_unit(path, unit(1, reasons=("others used 1 core",), disturbed=True), document(row(cycles=math.nan)))
    measured, written = read_unit(path)
    assert measured == unit(1, reasons=("others used 1 core",), disturbed=True)
    assert "NaN" not in path.read_text() and written["benchmarks"][0]["real_time"] == 1.5


def test_a_share_that_is_only_rounding_is_none(tmp_path: Path) -> None:
    path = tmp_path / "scoped-0-1.json"
    write_unit(path, unit(1, core_taken=2.2e-16), document(row()))
    assert read_unit(path)[0] == unit(1, core_taken=0.0)


def test_a_run_is_refused_as_a_unit(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, document(row()))
    with pytest.raises(BadResult, match="damaged record of a unit"):
        read_unit(path)


def test_errors_and_missing_benchmarks_are_failures() -> None:
    wrong = document(row("a/b"), row("a/c", error_occurred=True, error_message="wrong"))
    assert failures_in(wrong, ["a/b", "a/c", "a/d"]) == ["a/c: wrong", "a/d: has no result"]


def test_a_missing_benchmark_has_the_reason_of_its_malloc() -> None:
    context = {"malloc.evil": "not available: in the load test it died of Aborted", "malloc.glibc": "2.36 libc.so.6"}
    lacking = {**document(row("a/b")), "context": context}
    assert failures_in(lacking, ["a/b", "a/evil/n:1", "a/evil+stack/n:1", "a/glibc"]) == [
        "a/evil/n:1: in the load test it died of Aborted",
        "a/evil+stack/n:1: in the load test it died of Aborted",
        "a/glibc: has no result",
    ]


# ---- writing


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"old": True})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_json(path, {"new": True})
    assert json.loads(path.read_text()) == {"old": True}
    assert list(tmp_path.iterdir()) == [path]


def test_a_value_that_json_lacks_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "run.json", {"x": math.nan})
    assert list(tmp_path.iterdir()) == []


# ---- the figure of one process of a pair


def repeated(*real_and_cpu: tuple[float, float], **counters: float) -> dict[str, Any]:
    rows: list[dict[str, object]] = []
    for number, (real, cpu) in enumerate(real_and_cpu):
        rows.append(row(ns=real) | {"cpu_time": cpu, "repetition_index": number})
        rows[-1].update(counters)
    return document(*rows)


NAME = "scoped/none/bytes:8"


def test_the_sample_of_a_process_is_the_median_of_its_processor_times() -> None:
    sample = sample_of(repeated((9.0, 2.0), (5.0, 1.0), (90.0, 30.0), ns_per_addition=0.5), NAME)
    assert (sample.ns, sample.counters) == (2.0, {"ns_per_addition": 0.5, WALL_NS: 9.0})


def test_the_wall_time_is_used_where_several_threads_or_another_thread_did_the_work() -> None:
    several_threads = sample_of(repeated((9.0, 4.0), (7.0, 4.0), (8.0, 4.0), items_per_second=5.0), NAME)
    another_thread = sample_of(repeated((9.0, 0.01), (7.0, 0.01), (8.0, 0.01)), NAME)
    for sample in (several_threads, another_thread):
        assert sample.ns == 8.0 and WALL_NS not in sample.counters


@pytest.mark.parametrize("wrong", [{"error_occurred": True, "error_message": "wrong sum"}, {"real_time": 0.0}])
def test_a_process_without_a_figure_is_refused_with_the_reason(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="wrong sum|not positive"):
        sample_of(document({**row(), **wrong}), NAME)
    with pytest.raises(ValueError, match="has no result"):
        sample_of(document(row()), "another")


def test_processes_are_sorted_by_number_in_whatever_order_they_ended() -> None:
    pieces = [(unit(process), document(row(ns=process + 1.0))) for process in (2, 0, 1)]
    rows = merge(pieces, Account(True, 3, 7), [])["benchmarks"]
    assert [entry["real_time"] for entry in rows if entry["run_type"] == "iteration"] == [1.0, 2.0, 3.0]


def test_the_folder_of_the_program_is_not_kept() -> None:
    assert merged(document(row(), executable="/home/someone/stackheap"))["context"]["executable"] == "stackheap"


WRONG = [BadResult(Path("run.json"), "no run"), BadInput("no run"), OSError("no run")]


@pytest.mark.parametrize("problem", WRONG)
def test_a_problem_is_one_line_without_a_traceback(capsys: pytest.CaptureFixture[str], problem: Exception) -> None:
    def work() -> int:
        raise problem

    assert answer("scripts/some", work) == REFUSED
    assert capsys.readouterr().err.count("\n") == 1
