"""Does the record keep every run, report where costs changed, and refuse bad input in one line?"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite import charts
from suite.base import moments
from suite.base.errors import BadInput
from suite.base.files import write_json
from suite.commands import history as command
from suite.history import check, database, store
from suite.results.metrics import Metric
from suite.results.model import CORE_SHARE
from suite.results.read import read_run
from suite.stats import change_points
from suite.stats.estimates import estimate_median
from support import ROOT, declarations, history_scale, synthetic

NAME = "scoped/glibc/bytes:64/touch:none"
OTHER = "scoped/jemalloc/bytes:64/touch:none"

Call = Callable[..., int]


@cache
def document() -> str:
    """A run of a few benchmarks, with one benchmark of each kind that has a counter instead of a time."""
    made = synthetic.document(3, processes=5, keep=lambda name: name.startswith("scoped/") and "bytes:64/" in name)
    return json.dumps(made)


def run_file(
    folder: Path,
    day: int,
    factors: Mapping[str, float] | None = None,
    context: Mapping[str, Any] | None = None,
    clock: float = 1.0,
    noise: float = 0.005,
    declaring: bool = True,
) -> Path:
    """A run of that day. `factors` multiplies the benchmarks by name, the clock all times and the addition."""
    made = json.loads(document())
    drawn = random.Random(f"{day}")
    of_run: dict[str, float] = {}
    made["context"]["suite"]["about"]["families"] |= declarations.counted_families() if declaring else {}
    made["context"] |= {"date": history_scale.day(day), **(context or {})}
    rows = [row for row in made["benchmarks"] if row["run_type"] == "iteration"]
    for row in rows:
        level = of_run.setdefault(row["name"], drawn.gauss(1, noise))
        row["real_time"] *= level * drawn.gauss(1, noise) * (factors or {}).get(row["name"], 1.0) * clock
        row["ns_per_addition"] *= clock
    for process in range(5):
        more = {"name": "overhead/glibc/bytes:8", "resident_bytes_per_byte": drawn.gauss(4, 0.01), "child_seconds": 1.0}
        rows.append({**rows[process], **more, "run_name": more["name"], "real_time": 1e9})
    file = folder / f"{day}.json"
    write_json(file, {**made, "benchmarks": rows})
    return file


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """scripts/history with its own record."""

    def run(*arguments: object) -> int:
        try:
            return command.main(["--file", str(tmp_path / "history.sqlite"), *(str(argument) for argument in arguments)])
        except SystemExit as end:
            return int(end.code or 0)

    return run


@pytest.fixture
def kept(tmp_path: Path, call: Call) -> Callable[..., list[Path]]:
    """Keeps one run a day for each given factors; commits are c0000, c0001, ..."""

    def keep(*of_days: Mapping[str, float], first: int = 0, **more: Any) -> list[Path]:
        files = [run_file(tmp_path, first + day, factors, **more) for day, factors in enumerate(of_days)]
        with store.opened(tmp_path / "history.sqlite", to_write=True) as record:
            for day, file in enumerate(files):
                record.add(store.prepare(file), f"c{first + day:04}")
        return files

    return keep


def refused(capsys: pytest.CaptureFixture[str], message: str) -> None:
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("scripts/history")
    assert len(error.splitlines()) == 1, error


def judged(record: store.History) -> check.Judgement:
    return check.judge(record.table(record.runs()), record.annotations(), change_points.LEAST_CHANGE, record.intervals)


SAME: Mapping[str, float] = {}
WORSE = {NAME: 1.06}


# ---- the kept data


@pytest.mark.hostile("state of the machine")
@pytest.mark.parametrize(
    ("date", "words"),
    [
        ("1970-01-01T00:00:00+00:00", f"measured 1970-01-01, before the newest run ({history_scale.day(1)[:10]}), which check judges"),
        ("9999-12-31T23:59:59+00:00", "measured 9999-12-31, which is in the future: until then check judges no newer run"),
        (history_scale.day(2), "added\n"),
    ],
    ids=["1970", "9999", "newest"],
)
def test_a_run_measured_while_the_clock_was_wrong_is_kept_and_named(
    call: Call, tmp_path: Path, kept: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], date: str, words: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(moments, "now", lambda: datetime.fromisoformat(history_scale.day(30)))
    kept({}, {})
    file = run_file(tmp_path, 7)
    document = json.loads(file.read_text())
    document["context"]["date"] = date
    file.write_text(json.dumps(document))
    assert call("add", file) == 0 and words in capsys.readouterr().out
    assert call("list") == 0 and date in capsys.readouterr().out


def test_a_run_is_kept_once(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = run_file(tmp_path, 0)
    assert call("add", file) == 0
    again = tmp_path / "again.json"
    again.write_text(json.dumps(json.loads(file.read_text()), indent=3))  # the same, written otherwise
    assert call("add", file, again) == 0
    output = capsys.readouterr().out
    assert output.count(": added") == 1 and output.count("in the record already") == 2
    with store.opened(tmp_path / "history.sqlite") as record:
        assert len(record.runs()) == 1


def test_a_commit_can_be_added_later_but_not_changed(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = run_file(tmp_path, 0)
    assert [call("add", file), call("add", file, "--commit", "abc123"), call("add", file)] == [0, 0, 0]
    with store.opened(tmp_path / "history.sqlite") as record:
        assert [run.revision for run in record.runs()] == ["abc123"]
    capsys.readouterr()
    assert call("add", file, "--commit", "def456") == 2
    refused(capsys, "is run 1 already, of commit abc123")


def test_every_sample_comes_back_except_its_core_share(kept: Callable[..., list[Path]], tmp_path: Path) -> None:
    (file,) = kept(SAME)
    run = read_run(file)
    with store.opened(tmp_path / "history.sqlite") as record:
        own, beside = record.samples(record.runs()[0])
    assert beside is None
    back = {
        (own.layout.names[index], counter, process): value
        for counter, indices in own.layout.columns.items()
        for index, row in zip(indices, own.arrays[counter])
        for process, value in zip(own.layout.processes, row)
        if np.isfinite(value)
    }
    written = {
        (name, counter, taken.process): value
        for name, benchmark in run.by_name.items()
        for taken in benchmark.samples
        for counter, value in (("ns", taken.ns), *taken.counters.items())
        if counter != CORE_SHARE
    }
    assert back.keys() == written.keys()
    assert list(back.values()) == pytest.approx([written[key] for key in back], rel=1e-7)


def test_a_run_of_processes_that_failed_in_part_comes_back(call: Call, tmp_path: Path) -> None:
    file = run_file(tmp_path, 0)
    made = json.loads(file.read_text())
    made["benchmarks"] = [row for row in made["benchmarks"] if row["name"] != NAME or row["repetition_index"] % 2]
    write_json(file, made)
    assert call("add", file) == 0
    with store.opened(tmp_path / "history.sqlite") as record:
        own, _ = record.samples(record.runs()[0])
        series = record.table(record.runs())
    row = own.arrays["ns"][own.layout.names.index(NAME)]
    assert np.isfinite(row).tolist() == [False, True, False, True, False]
    assert np.isfinite(series.values[0, series.names.index(NAME)])


def test_series_are_in_cycles_and_do_not_depend_on_the_clock(kept: Callable[..., list[Path]], tmp_path: Path) -> None:
    kept(SAME)
    kept(SAME, first=1, clock=1.3)
    with store.opened(tmp_path / "history.sqlite") as record:
        series = record.table(record.runs())
        assert {run.unit for run in record.runs()} == {"cycles"}
    slow, fast = series.values[:, series.names.index(NAME)]
    assert slow == pytest.approx(fast, rel=0.05)


def test_a_counter_of_a_child_is_a_series_and_its_time_is_not(kept: Callable[..., list[Path]], tmp_path: Path) -> None:
    kept(SAME)
    with store.opened(tmp_path / "history.sqlite") as record:
        series = record.table(record.runs())
    about = [name for name in series.names if name.startswith("overhead/")]
    assert about == ["overhead/glibc/bytes:8 resident_bytes_per_byte"]
    assert series.values[0, series.names.index(about[0])] == pytest.approx(4, rel=0.05)


def test_without_the_addition_a_series_is_in_ns(call: Call, tmp_path: Path) -> None:
    file = run_file(tmp_path, 0)
    made = json.loads(file.read_text())
    for row in made["benchmarks"]:
        del row["ns_per_addition"]
    write_json(file, made)
    assert call("add", file) == 0
    with store.opened(tmp_path / "history.sqlite") as record:
        assert [run.unit for run in record.runs()] == ["ns"]


def test_with_a_reference_the_series_is_the_ratio(call: Call, tmp_path: Path) -> None:
    (tmp_path / "reference").mkdir()
    for day in range(4):  # a machine that gets slower although its clock stays the same
        slower = {NAME: 1.0 + day / 10}
        file = run_file(tmp_path, day, slower, clock=1 + day)
        reference = run_file(tmp_path / "reference", day + 100, {NAME: slower[NAME] / 2}, clock=1.5)
        assert call("add", file, "--reference", reference) == 0
    with store.opened(tmp_path / "history.sqlite") as record:
        series = record.table(record.runs())
        assert {run.unit for run in record.runs()} == {"ratio"}
        own, beside = record.samples(record.runs()[0])
    assert series.values[:, series.names.index(NAME)] == pytest.approx([2.0] * 4, rel=0.03)
    assert beside is not None and beside.layout.names == own.layout.names


def test_runs_of_another_machine_or_profile_are_other_series(
    call: Call, kept: Callable[..., list[Path]], tmp_path: Path
) -> None:
    kept(SAME, SAME)
    for day, context in ((2, {"l2_bytes": "12345"}), (3, {"profile": "full"}), (4, {"cpu_model": "other"})):
        assert call("add", run_file(tmp_path, day, context=context)) == 0
    another_clock = {"mhz_per_cpu": 1, "host_name": "runner-77", "load_avg": [9.0]}
    assert call("add", run_file(tmp_path, 5, context=another_clock)) == 0
    with store.opened(tmp_path / "history.sqlite") as record:
        assert [len(record.like(str(run))) for run in range(1, 7)] == [3, 3, 1, 1, 1, 3]


def test_runs_stand_in_the_order_in_which_they_were_measured(
    kept: Callable[..., list[Path]], tmp_path: Path
) -> None:
    kept(SAME, first=5)
    kept(SAME, first=2)
    with store.opened(tmp_path / "history.sqlite") as record:
        assert [run.revision for run in record.runs()] == ["c0002", "c0005"]


# ---- check


def test_a_regression_fails_and_is_named(
    call: Call, kept: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    kept(*[SAME] * 20, *[WORSE] * 8)
    assert call("check") == 1
    output = capsys.readouterr().out
    assert f"worse: {NAME}: +" in output and "since run 21 (c0020), 2024-01-21" in output
    assert call("check", "--format", "json") == 1
    answer = json.loads(capsys.readouterr().out)
    (change,) = answer["changes"]
    assert (change["name"], change["first"]["commit"], change["last_before"]["commit"]) == (NAME, "c0020", "c0019")
    assert change["low"] < 1.06 < change["high"] and change["p"] < 1e-4
    assert call("check", "--format", "markdown") == 1
    assert f"| worse | `{NAME}` | +" in capsys.readouterr().out


def test_no_change_and_an_improvement_pass(
    call: Call, kept: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    kept(*[SAME] * 20, *[{NAME: 0.9}] * 8)
    assert call("check") == 0
    assert "0 worse, 1 better" in capsys.readouterr().out
    assert call("check", "--all") == 0
    assert f"better: {NAME}: -" in capsys.readouterr().out


def test_more_of_a_metric_where_more_is_better_is_better(tmp_path: Path, call: Call) -> None:
    name = "heap_limit/glibc/limit:granted"
    for day in range(24):
        file = run_file(tmp_path, day)
        made = json.loads(file.read_text())
        granted = (2e9 if day >= 12 else 1e9) * random.Random(day).gauss(1, 0.001)
        more = {"name": name, "run_name": name, "granted_bytes": granted, "repetition_index": 0}
        made["benchmarks"].append({**made["benchmarks"][0], **more})
        write_json(file, made)
        assert call("add", file) == 0
    assert call("check", "--only", "^heap_limit/") == 0
    with store.opened(tmp_path / "history.sqlite") as record:
        (change,) = judged(record).changes
    assert (change.name, change.worse) == (f"{name} granted_bytes", False)
    assert change.metric == declarations.COUNTED["heap_limit"][0]


def test_a_run_that_declares_nothing_keeps_times(tmp_path: Path) -> None:
    """A run of an earlier program, or a record of an earlier version, has a layout without declarations."""
    own = store.prepare(run_file(tmp_path, 0, declaring=False)).own.layout
    assert "overhead/glibc/bytes:8" in own.series_names() and set(own.metrics()) == {Metric()}
    assert len(json.loads(own.written())) == 4
    assert store.Layout.read(own.written()) == own


def test_a_record_of_an_earlier_version_still_opens(
    call: Call, kept: Callable[..., list[Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its layouts name the counters of the series without a declaration: more is worse, in nanoseconds."""
    kept(*[SAME] * 24)
    with sqlite3.connect(tmp_path / "history.sqlite") as connection:
        ((content,),) = connection.execute("SELECT content FROM layout").fetchall()
        earlier = json.dumps(json.loads(zlib.decompress(content))[:4]).encode()
        digest = hashlib.sha256(earlier).hexdigest()
        connection.execute("UPDATE layout SET content = ?, digest = ?", (zlib.compress(earlier), digest))
    assert [call(*words) for words in (("list",), ("check",), ("export",), ("trend", "overhead"))] == [0] * 4
    assert "overhead/glibc/bytes:8 resident_bytes_per_byte, cycles, 24 runs" in capsys.readouterr().out
    kept(*[SAME] * 2, first=24)
    assert call("trend", "overhead") == 0
    assert "overhead/glibc/bytes:8 resident_bytes_per_byte, bytes per byte, 26 runs" in capsys.readouterr().out


def test_a_reference_build_that_declares_nothing_has_the_run_s_metrics(tmp_path: Path) -> None:
    run, reference = run_file(tmp_path, 0), run_file(tmp_path, 1, declaring=False)
    kept_run = store.prepare(run, reference)
    assert kept_run.beside is not None and kept_run.beside.layout.series == kept_run.own.layout.series


@pytest.mark.parametrize("bad", ({NAME: 3.0}, {NAME: 1.06}))
def test_one_bad_run_passes(call: Call, kept: Callable[..., list[Path]], bad: Mapping[str, float]) -> None:
    kept(*[SAME] * 27, bad)
    assert call("check") == 0


def test_an_undone_change_passes(call: Call, kept: Callable[..., list[Path]]) -> None:
    kept(*[SAME] * 14, *[WORSE] * 14, *[SAME] * 14)
    assert call("check") == 0
    kept(*[WORSE] * 10, first=42)
    assert call("check") == 1


def test_a_change_before_the_last_runs_passes(call: Call, kept: Callable[..., list[Path]]) -> None:
    kept(*[SAME] * 16, *[WORSE] * 24)
    assert call("check") == 1
    assert call("check", "--last", "23") == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("annotate", "code"),
    (
        (("21", "compiler 13"), 0),
        (("c0020", "compiler 13"), 0),
        (("2024-01-21", "compiler 13"), 0),
        (("2024-01-20T18:00:00+00:00", "compiler 13"), 0),
        (("23", "compiler 13"), 0),
        (("25", "four runs later"), 1),
        (("21", "only a note", "--note"), 1),
        (("21", "of another", "--only", "jemalloc"), 1),
        (("21", "of this one", "--only", "^scoped/glibc/"), 0),
        (("2030-01-01", "of times to come"), 1),
    ),
)
def test_an_annotation_accepts_the_changes_it_covers(
    call: Call, kept: Callable[..., list[Path]], annotate: tuple[str, ...], code: int
) -> None:
    kept(*[SAME] * 20, *[WORSE] * 8)
    assert call("annotate", *annotate) == 0
    assert call("check") == code


def test_an_accepted_change_is_reported_and_the_next_change_fails(
    call: Call, kept: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    kept(*[SAME] * 20, *[WORSE] * 12)
    assert call("annotate", "21", "compiler 13") == 0
    assert call("check", "--all") == 0
    output = capsys.readouterr().out
    assert f"accepted: {NAME}: +" in output and "note: compiler 13" in output
    kept(*[{NAME: 1.06 * 1.06}] * 10, first=32)
    assert call("check") == 1


def test_facts_that_also_changed_are_reported(
    call: Call, kept: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    kept(*[SAME] * 20)
    kept(*[WORSE] * 8, first=20, context={"compiler": "GNU 13.1.0"})
    assert call("check") == 1
    assert "also changed: compiler: GNU 12.2.0, now GNU 13.1.0" in capsys.readouterr().out


def test_a_history_that_is_too_short_does_not_pass(
    call: Call, kept: Callable[..., list[Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(*[SAME] * 8)
    with store.opened(tmp_path / "history.sqlite") as record:
        needed = judged(record).needed
    assert call("check") == 2
    refused(capsys, f"the history is too short: 8 of the {needed} runs that the first verdict needs")
    assert call("add", run_file(tmp_path, 8)) == 0
    assert f"no verdict yet: 9 of the {needed} runs that the first verdict needs\n" in capsys.readouterr().out
    assert call("check", "--allow-short", "--format", "json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["runs"], answer["runs_needed"], answer["series_judged"]) == (9, needed, 0)
    kept(*[SAME] * (needed - 9), first=9)
    assert call("check") == 0
    assert call("add", run_file(tmp_path, needed)) == 0
    assert "no verdict yet" not in capsys.readouterr().out


# ---- early warnings


LOUD = {NAME: 1.3}


def test_a_bad_newest_run_is_an_early_warning_that_passes_unless_asked(
    call: Call, kept: Callable[..., list[Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(SAME, LOUD)
    with store.opened(tmp_path / "history.sqlite") as record:
        assert judged(record).early_warnings == []  # a single earlier run says nothing about the noise between runs
    kept(SAME, SAME, LOUD, first=2)
    capsys.readouterr()
    assert call("check", "--allow-short", "--last", "3") == 0
    (line, *others) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"early warning: {NAME}: \+2\d\.\d % or more in run 5 \(c0004\): .* cycles \(.*\), after at most "
                        r"\d\S* in 2 runs", line)  # fmt: skip
    assert "1 early warning: not a verdict, and --strict alone makes check fail" in others
    assert call("check", "--allow-short", "--last", "3", "--strict") == 2
    assert call("check", "--allow-short", "--last", "3", "--strict", "--only", "jemalloc") == 0
    capsys.readouterr()
    assert call("check", "--last", "3") == 2  # too short, which it says after the warning
    assert "early warning: " in capsys.readouterr().out
    assert call("annotate", "5", "new runner") == 0
    assert call("check", "--allow-short", "--last", "3", "--strict") == 0


def test_a_warning_of_a_long_history_is_of_the_newest_level(
    call: Call, kept: Callable[..., list[Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The level before a change does not matter, even if it was worse; in `trend` it stands below the changes."""
    kept(*[LOUD] * 12, *[SAME] * 12)
    with store.opened(tmp_path / "history.sqlite") as record:
        assert [series.state for series in judged(record).series if series.changes] == [check.BETTER]
    kept({NAME: 1.15}, first=24)
    with store.opened(tmp_path / "history.sqlite") as record:
        (warning,) = judged(record).early_warnings
    assert (warning.name, warning.earlier, warning.newest.id) == (NAME, 12, 25)
    assert call("annotate", "2024-01-02", "long before this level") == 0
    capsys.readouterr()
    with store.opened(tmp_path / "history.sqlite") as record:
        assert judged(record).early_warnings == [warning]
    assert 1.1 < warning.least_ratio < 1.15
    assert call("trend", NAME) == 0
    first, better, warned = capsys.readouterr().out.splitlines()
    assert "    better: -" in "    " + better.strip() and warned.startswith("    early warning: +1")
    assert call("check") == 0


def test_a_run_whose_interval_reaches_the_earlier_runs_gives_no_warning(
    kept: Callable[..., list[Path]], tmp_path: Path
) -> None:
    kept(SAME, SAME, LOUD)
    with store.opened(tmp_path / "history.sqlite") as record:
        table = record.table(record.runs())
        intervals = {run.id: record.intervals(run, table.names) for run in table.runs}
    assert len(check.judge(table, [], 0.02, lambda run, names: intervals[run.id]).early_warnings) == 1
    (newest, *_) = [run.id for run in reversed(table.runs)]
    intervals[newest] = {name: replace(value, low=value.low * 0.75) for name, value in intervals[newest].items()}
    assert check.judge(table, [], 0.02, lambda run, names: intervals[run.id]).early_warnings == []


def test_less_is_a_warning_where_more_is_better(tmp_path: Path, kept: Callable[..., list[Path]]) -> None:
    kept(*[SAME] * 3)
    with store.opened(tmp_path / "history.sqlite") as record:
        table = record.table(record.runs())
        more_is_better = Metric(more_is_worse=False)
        falling = table.values.copy()
        falling[-1] *= 0.5
        turned = store.SeriesTable(table.runs, table.names, (more_is_better,) * len(table.names), falling)
        intervals = {run.id: dict(zip(table.names, map(estimate_median, values[:, None].tolist())))
                     for run, values in zip(table.runs, falling)}  # fmt: skip
    result = check.judge(turned, [], 0.02, lambda run, names: intervals[run.id])
    assert len(result.early_warnings) == len(table.names)
    assert all("or less in" in check.warning_text(warning) for warning in result.early_warnings)


def test_trend_and_check_give_one_answer(
    call: Call, kept: Callable[..., list[Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alone, so clear a change would count after fewer runs than among all series."""
    fewest = change_points.fewest_runs(1)
    kept(*[SAME] * (fewest // 2), *[LOUD] * (fewest - fewest // 2))
    capsys.readouterr()
    assert call("check", "--only", f"^{NAME}$", "--allow-short") == 0
    assert "no verdict yet" in capsys.readouterr().out
    assert call("trend", NAME) == 0
    header, *rest = capsys.readouterr().out.splitlines()
    assert rest == [f"no verdict yet: {fewest} of the {judged_needed(tmp_path)} runs that the first verdict needs"]


def judged_needed(folder: Path) -> int:
    with store.opened(folder / "history.sqlite") as record:
        return judged(record).needed


def test_text_of_others_stays_text_in_markdown(
    call: Call, kept: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    kept(*[SAME] * 20)
    kept(*[LOUD] * 8, first=20, context={"compiler": "<img src=x> @everyone | [a](b)"})
    assert call("annotate", "21", "![x](//y) | #1 <b>", "--note") == 0
    capsys.readouterr()
    assert call("check", "--format", "markdown") == 1
    output = capsys.readouterr().out
    assert "| worse | `" in output and "&lt;b&gt;" in output
    assert [mark for mark in ("<b>", "<img", "@everyone", "](", " #1 ") if mark in output] == []


def test_check_judges_the_machine_of_the_run_added_last(
    call: Call, kept: Callable[..., list[Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(*[SAME] * 20, *[WORSE] * 8)
    assert call("add", run_file(tmp_path, 100, context={"cores": "64"})) == 0
    assert call("check") == 2
    refused_line = capsys.readouterr().err
    assert "too short: 1 of the " in refused_line
    assert call("check", "--like", "3") == 1


def test_a_vanished_benchmark_is_reported(
    call: Call, kept: Callable[..., list[Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(*[SAME] * 24)
    file = run_file(tmp_path, 24)
    made = json.loads(file.read_text())
    made["benchmarks"] = [row for row in made["benchmarks"] if row["name"] != NAME]
    write_json(file, made)
    assert call("add", file) == 0
    assert call("check") == 2
    assert f"not in the newest run: {NAME}; --allow-missing, or an annotation, accepts that" in capsys.readouterr().out
    assert call("check", "--allow-missing") == 0
    assert call("check", "--format", "json") == 2
    assert json.loads(capsys.readouterr().out.split("accepts that\n")[-1])["series_gone"] == [NAME]


def test_a_vanished_benchmark_is_reported_in_later_runs_too_until_an_annotation_accepts_it(
    call: Call, kept: Callable[..., list[Path]], tmp_path: Path
) -> None:
    kept(*[SAME] * 24)
    for number in range(24, 29):
        file = run_file(tmp_path, number)
        made = json.loads(file.read_text())
        made["benchmarks"] = [row for row in made["benchmarks"] if row["name"] != NAME]
        write_json(file, made)
        assert call("add", file) == 0
        assert call("check") == 2
    assert call("annotate", "10", "noted before it ended", "--only", f"^{NAME}$") == 0
    assert call("annotate", "29", "a note accepts nothing", "--note") == 0
    assert call("annotate", "29", "another benchmark", "--only", "^other/") == 0
    assert call("check") == 2
    assert call("annotate", "29", "removed", "--only", f"^{NAME}$") == 0
    assert call("check") == 0


# ---- list, trend, export


def test_annotate_reports_what_it_did(
    call: Call, kept: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    kept(SAME, SAME)
    for words, line in (
        (("2", "compiler 13"), r"run 2 \(c0001\), 2024-01-02\S*: 'compiler 13' accepts the changes of all \d+ series"),
        (("c0000", "x", "--note", "--only", "^overhead"), r"run 1 .*: 'x' is a note, and accepts nothing, on 1 of \d+ series"),
        (("2030-01-01", "x"), r"from 2030-01-01T\S* on: 'x' accepts the changes of all \d+ series"),
    ):
        capsys.readouterr()
        assert call("annotate", *words) == 0
        assert re.fullmatch(line, capsys.readouterr().out.rstrip("\n"))


def test_list_shows_runs_and_annotations(
    call: Call, kept: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    kept(SAME, SAME)
    assert call("annotate", "c0001", "new [runner]", "--note") == 0
    assert call("list") == 0
    output = capsys.readouterr().out
    assert "c0000" in output and "c0001: new [runner] (a note)" in output and "machine 1: 1 package, 2 cores" in output


def test_trend_prints_the_change_points(
    call: Call, kept: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    kept(*[SAME] * 20, *[WORSE] * 8)
    assert call("annotate", "21", "compiler 13") == 0
    capsys.readouterr()
    assert call("trend", "^scoped/(glibc|jemalloc)/.*none") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{NAME}, cycles, 28 runs, the newest ")
    assert lines[1].startswith("    accepted: +") and lines[1].endswith(" since run 21 (c0020), 2024-01-21; compiler 13")
    assert lines[2].startswith(OTHER) and len(lines) == 3


def test_trend_shows_the_series_that_changed_the_most(
    call: Call, kept: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(*[SAME] * 20, *[WORSE] * 8)
    monkeypatch.setattr(check, "MOST_SHOWN", 2)
    capsys.readouterr()
    assert call("trend", ".") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith(f"{NAME}, ")] and "    worse: " in lines[1] + lines[2]
    assert len(lines) == 4 and re.match(r"and \d+ other series: ", lines[3])


@pytest.mark.parametrize("form", ("text", "markdown"))
def test_check_prints_the_largest_changes(
    call: Call, kept: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    kept(*[SAME] * 20, *[{NAME: 1.2, OTHER: 1.1}] * 8)
    for most, shown in ((2, [NAME, OTHER]), (1, [NAME])):
        monkeypatch.setattr(check, "MOST_SHOWN", most)
        capsys.readouterr()
        assert call("check", "--format", form) == 1
        output = capsys.readouterr().out.replace("\\", "")
        assert [name for name in (NAME, OTHER) if name in output] == shown
        assert ("and 1 smaller change: --format json has all" in output) is (most == 1)


def test_export_prints_the_first_rows_where_a_person_reads_them(
    call: Call, kept: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(SAME)
    monkeypatch.setattr(command, "MOST_ON_A_TERMINAL", 3)
    for person, form, lines in ((True, "csv", 4), (True, "json", 5), (False, "csv", 5)):
        monkeypatch.setattr(type(sys.stdout), "isatty", lambda stream, person=person: person)
        capsys.readouterr()
        assert call("export", "--format", form) == 0
        output, errors = capsys.readouterr()
        assert (output.count("\n") == lines) if person else (output.count("\n") >= lines)
        assert ("these are the first 3 rows: > FILE writes all to a file" in errors) is person


@pytest.mark.slow
@pytest.mark.parametrize("form", charts.FORMATS)
@pytest.mark.parametrize("theme", charts.THEMES)
def test_a_chart_is_drawn(
    call: Call, kept: Callable[..., list[Path]], tmp_path: Path, form: str, theme: str
) -> None:
    kept(*[SAME] * 14, *[WORSE] * 8)
    assert call("annotate", "15", "compiler 13") == 0
    file = tmp_path / "figures" / f"trend.{form}"
    assert call("trend", NAME, "--chart", file, "--theme", theme) == 0
    content = file.read_bytes()
    assert len(content) > 5000
    if form == "svg":
        text = content.decode()
        assert f"{NAME}: " in text and "more time since c0014" in text and ">compiler 13<" in text


def test_a_chart_shows_a_series_with_one_run_and_an_outlier(
    call: Call, kept: Callable[..., list[Path]], tmp_path: Path
) -> None:
    kept(SAME)
    assert call("trend", NAME, "--chart", tmp_path / "one.svg") == 0
    assert f"no verdict before {judged_needed(tmp_path)} runs, 1 so far" in (tmp_path / "one.svg").read_text()
    kept(*[SAME] * 60, {NAME: 40.0}, first=1)
    assert call("trend", NAME, "--chart", tmp_path / "outlier.svg") == 0


def test_page_writes_a_site_and_refuses_an_empty_record(
    call: Call, kept: Callable[..., list[Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("page", "--out", tmp_path / "none") == 2
    refused(capsys, "does not exist")
    kept(*[SAME] * 20, *[WORSE] * 8)
    assert call("page", "--out", tmp_path / "site", "--title", "Ours <b>") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'site' / 'index.html'}: 1 worse\n"
    page = (tmp_path / "site" / "index.html").read_text()
    assert f"<h3>{NAME}</h3>" in page.replace("/<wbr>", "/") and "Ours &lt;b&gt;" in page
    assert {file.name for file in (tmp_path / "site").iterdir()} == {"index.html", "badge.svg", "badge.json"}


def test_export_writes_the_kept_values(
    call: Call, kept: Callable[..., list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    kept(SAME, SAME)
    assert call("export", "--only", "^overhead") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["commit"] for row in rows] == ["c0000", "c0001"]
    assert {row["unit"] for row in rows} == {"bytes per byte"}
    assert call("export", "--samples", "--only", f"^{NAME}$", "--format", "json", "--last", "1") == 0
    samples = json.loads(capsys.readouterr().out)
    assert {row["counter"] for row in samples} == {"ns", "ns_per_addition"}
    assert [row["process"] for row in samples if row["counter"] == "ns"] == [0, 1, 2, 3, 4]


# ---- bad input


@pytest.mark.parametrize(
    "arguments",
    (
        ("check",), ("list",), ("trend", "x"), ("export",),
    ),
)  # fmt: skip
def test_a_record_that_does_not_exist(call: Call, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert call(*arguments) == 2
    refused(capsys, "does not exist")


@pytest.mark.parametrize(
    ("arguments", "message"),
    (
        ((), "required: COMMAND"),
        (("check", "--only", "("), "is not a regular expression"),
        (("check", "--threshold", "much"), "is not a share"),
        (("check", "--last", "0"), "is not a number"),
        (("check", "--like", "99"), "has no run '99'"),
        (("check", "--like", "zzzz"), "has no run 'zzzz'"),
        (("trend", "("), "takes a series or a regular expression"),
        (("trend", "^nothing$"), "no series matches"),
        (("trend", "scoped", "--chart", "x.svg"), "--chart draws one series"),
        (("trend", NAME, "--chart", "x.bmp"), "argument --chart: 'x.bmp' does not end in .svg, .png, .pdf"),
        (("annotate", "some day", "text"), "is neither a date nor a run or commit"),
        (("annotate", "99", "text"), "is neither a date nor a run or commit"),
        (("annotate", "1", " \n "), "TEXT must not be empty"),
        (("add", "nothing.json"), "does not exist"),
        (("add", "a.json", "b.json", "--reference", "c.json"), "--reference goes with one RUN"),
    ),
)
def test_bad_arguments_are_refused(
    call: Call,
    kept: Callable[..., list[Path]],
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    kept(SAME)
    capsys.readouterr()
    assert call(*arguments) == 2
    refused(capsys, message)


@pytest.mark.parametrize("date", ("", "yesterday", "9999-99-99"))
def test_a_run_without_a_date_is_refused(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], date: str
) -> None:
    assert call("add", run_file(tmp_path, 0, context={"date": date})) == 2
    refused(capsys, "the context's date is missing or invalid")


def test_one_bad_file_among_several_adds_no_run(call: Call, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    assert call("add", run_file(tmp_path, 0), bad) == 2
    assert not (tmp_path / "history.sqlite").exists()


def test_another_machine_s_reference_is_refused(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, reference = run_file(tmp_path, 0), run_file(tmp_path, 1, context={"cores": "8"})
    assert call("add", file, "--reference", reference) == 2
    refused(capsys, "a reference needs the machine and the profile of")


def test_another_reference_of_a_kept_run_is_refused(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, reference = run_file(tmp_path, 0), run_file(tmp_path, 1)
    assert [call("add", file), call("add", file, "--reference", reference)] == [0, 2]
    refused(capsys, "is run 1 already, with a different reference")


def foreign(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE somebody_else (x)")


def newer(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute(f"PRAGMA user_version = {database.VERSION + 1}")


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def flipped(file: Path) -> None:
    """One bit of the samples or of the medians: SQLite itself does not notice it."""
    with sqlite3.connect(file) as connection:
        for column in ("samples", "medians"):
            (kept,) = connection.execute(f"SELECT {column} FROM run").fetchone()
            changed = bytearray(kept)
            changed[len(changed) // 2] ^= 16
            connection.execute(f"UPDATE run SET {column} = ?", (bytes(changed),))


@pytest.mark.hostile("history")
@pytest.mark.parametrize("arguments", (("trend", NAME), ("export", "--samples"), ("check",), ("add",)))
@pytest.mark.parametrize(
    ("damage", "message"),
    (
        (lambda file: file.write_text("some text, long enough to be one" * 100), "is not a history of this suite"),
        (foreign, "is not a history of this suite"),
        (newer, "was written by a newer suite"),
        (cut, "is damaged"),
        (flipped, "is damaged"),
        (lambda file: (file.unlink(), file.mkdir()), "is not a file"),
    ),
    ids=("text", "foreign", "newer", "cut", "flipped", "folder"),
)
def test_a_file_that_is_not_a_record_is_refused_and_stays_unchanged(
    call: Call,
    kept: Callable[..., list[Path]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    damage: Callable[[Path], None],
    message: str,
) -> None:
    kept(SAME)
    file = tmp_path / "history.sqlite"
    if damage is foreign:
        file.unlink()
    damage(file)
    before = file.read_bytes() if file.is_file() else b""
    if arguments == ("add",):
        if damage is flipped:
            return  # adds beside the damaged data, which is not read
        arguments = ("add", str(run_file(tmp_path, 1)))
        message = "(Is a directory)" if file.is_dir() else message  # seen before the run is read
    capsys.readouterr()
    assert call(*arguments) == 2
    refused(capsys, message)
    assert before == (file.read_bytes() if file.is_file() else b"")


def test_a_locked_record_is_reported_and_loses_no_data(
    call: Call,
    kept: Callable[..., list[Path]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept(SAME)
    file = run_file(tmp_path, 1)
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.1)
    writer = sqlite3.connect(tmp_path / "history.sqlite", isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    for arguments in (("add", file), ("annotate", "1", "text"), ("check",)):
        capsys.readouterr()
        assert call(*arguments) == 2
        refused(capsys, "is in use by another program: nothing was changed")
    writer.execute("ROLLBACK")
    assert call("add", file) == 0


def test_a_second_writer_waits(
    kept: Callable[..., list[Path]], call: Call, tmp_path: Path
) -> None:
    kept(SAME)
    file = run_file(tmp_path, 1)
    writer = sqlite3.connect(tmp_path / "history.sqlite", isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN EXCLUSIVE")
    later = threading.Timer(0.5, lambda: writer.execute("ROLLBACK"))
    begun = time.monotonic()
    later.start()
    assert call("add", file) == 0
    assert time.monotonic() - begun >= 0.5


def test_writers_at_once_lose_no_data(tmp_path: Path) -> None:
    runs = [store.prepare(run_file(tmp_path, day)) for day in range(6)]

    def write(own: Sequence[store.PreparedRun]) -> None:
        with store.opened(tmp_path / "history.sqlite", to_write=True) as record:
            for run in own:
                record.add(run, "")

    with ThreadPoolExecutor(3) as writers:
        list(writers.map(write, (runs[0:3], runs[2:5], runs[3:6])))
    with store.opened(tmp_path / "history.sqlite") as record:
        assert len(record.runs()) == 6


def test_no_other_writer_creates_the_record_while_one_looks_at_the_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the first would find the other's tables behind the header of the empty file, and refuse them."""
    file, connect = tmp_path / "history.sqlite", database._connect
    others: list[str] = []
    first, second = (store.prepare(run_file(tmp_path, day)) for day in range(2))

    def between(statement: str) -> None:
        if "user_version" in statement and not others:  # the first has read the application's id
            others.append("refused")
            monkeypatch.setattr(database, "_connect", connect)
            with pytest.raises(BadInput, match="is in use by another program"):
                with store.opened(file, to_write=True) as record:
                    record.add(second, "")

    def traced(file: Path, to_write: bool) -> sqlite3.Connection:
        connection = connect(file, to_write)
        connection.set_trace_callback(between)
        return connection

    monkeypatch.setattr(database, "_connect", traced)
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.01)
    with store.opened(file, to_write=True) as record:
        record.add(first, "")
    assert others == ["refused"]


@pytest.mark.hostile("disk fault")
def test_a_full_disk_is_reported_and_loses_no_data(
    call: Call,
    kept: Callable[..., list[Path]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept(SAME)
    connect = database._connect

    def small(file: Path, to_write: bool) -> sqlite3.Connection:
        connection = connect(file, to_write)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    files = [run_file(tmp_path, day) for day in range(1, 10)]
    monkeypatch.setattr(database, "_connect", small)
    assert call("add", *files) == 2
    refused(capsys, "the disk is full: nothing was changed")
    with store.opened(tmp_path / "history.sqlite") as record:
        assert len(record.runs()) == 1


def test_a_full_file_system_is_reported_and_loses_no_data(
    kept: Callable[..., list[Path]], tmp_path: Path
) -> None:
    """A real failure: writing fails with EFBIG, as it would with ENOSPC."""
    kept(SAME)
    size = (tmp_path / "history.sqlite").stat().st_size
    files = [str(run_file(tmp_path, day)) for day in range(1, 10)]
    limited = (
        "import resource, signal, sys; from suite.commands import history; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size})); "
        f"sys.exit(history.main(['--file', {str(tmp_path / 'history.sqlite')!r}, 'add', *{files}]))"
    )
    environment = {"PYTHONPATH": str(ROOT / "scripts"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", limited], env=environment, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "nothing was changed" in done.stderr and len(done.stderr.splitlines()) == 1
    with store.opened(tmp_path / "history.sqlite") as record:
        assert len(record.runs()) == 1


@pytest.mark.hostile("signal")
def test_a_crash_in_the_middle_of_adding_loses_no_data(kept: Callable[..., list[Path]], tmp_path: Path) -> None:
    kept(SAME)
    with pytest.raises(KeyboardInterrupt):
        with store.opened(tmp_path / "history.sqlite", to_write=True) as record:
            record.add(store.prepare(run_file(tmp_path, 1)), "")
            raise KeyboardInterrupt
    with store.opened(tmp_path / "history.sqlite") as record:
        assert len(record.runs()) == 1


# ---- a long history


@pytest.mark.nightly
def test_a_long_history_stays_small_and_is_judged_soon(tmp_path: Path, call: Call) -> None:
    """A tenth of the size that history_scale.py measures, with a tolerance for a busy machine."""
    run = tmp_path / "run.json"
    shutil.copy(ROOT / "results" / "reference" / "run.json.gz", run)
    file = tmp_path / "history.sqlite"
    slow = history_scale.fill(file, run, 40, step_at=30, step=1.1)
    samples = sum(len(benchmark.samples) for benchmark in read_run(run).series())
    assert file.stat().st_size < 40 * 20 * samples  # bytes of a sample
    begun = time.monotonic()
    with store.opened(file) as record:
        result = judged(record)
    assert slow in [change.name for change in result.new_and_worse]
    assert time.monotonic() - begun < 0.002 * result.judged  # 2 ms a series


def test_a_malloc_setting_begins_series_of_its_own(tmp_path: Path, kept: Callable[..., list[Path]]) -> None:
    usual = {"malloc_settings": "", "stack_limit": str(8 << 20), "address_space_limit": "unlimited", "preloaded": ""}
    usual |= {"data_limit": "unlimited", "scheduling": "normal", "overcommit_memory": "0"}
    kept({}, context={})
    kept({}, first=1, context=usual)
    kept({}, first=2, context={**usual, "malloc_settings": "MALLOC_CONF=junk:true"})
    with store.opened(tmp_path / "history.sqlite") as record:
        earlier, same, other = record.runs()
        assert earlier.line == same.line != other.line
        assert record.machine(other.machine)["malloc_settings"] == "MALLOC_CONF=junk:true"
