"""Do the findings agree with the data, whatever the data shows, and are they absent where data is missing?"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from suite.base.files import write_json
from suite.base.text import interval_text, time_text
from suite.pages import summary
from suite.results import numbers
from suite.results.merge import merge
from suite.results.model import Account, Failure, Run, Unit
from suite.results.read import read_run
from support import fake_program, synthetic

KIB, MIB = 1 << 10, 1 << 20
ALL = {name: ns for _, _, benchmarks in fake_program.FAMILIES.values() for name, ns in benchmarks.items()}
# The next larger set of each cache level costs about as much: the curve shows the level.
ALL |= {
    f"chase/bytes:{size}/order:random/home:heap": ns for size, ns in ((32 * KIB, 1.6), (MIB, 5.5), (16 * MIB, 22.0))
}
CONTEXT = fake_program.context("quick")

Change = Callable[[str, float, int], float]  # name, time, process: another time


def make_run(
    folder: Path,
    times: dict[str, float] | None = None,
    processes: int = 5,
    change: Change = lambda _, ns, process: ns * (1 + 0.01 * process),
    context: dict[str, Any] | None = None,
    **account: Any,
) -> Run:
    """A run of the fake program's benchmarks, or of the given ones."""
    measured = ALL if times is None else times
    pieces = []
    for process in range(processes):
        disturbed = process in account.get("disturbed", ())
        rows = [
            {**fake_program.row(name, 1.0, 0, 0, ""), **at(change(name, ns, process))} for name, ns in measured.items()
        ]
        reasons = ("others used 1.00 cores",) if disturbed else ()
        unit = Unit(
            "scoped", "allocation", "^scoped/", process, disturbed, reasons, 0.5 * disturbed, 0.0, 0, 0, 1.0,
            account.get("additions", [0.5] * processes)[process], 1,
        )  # fmt: skip
        pieces.append((unit, {"context": CONTEXT if context is None else context, "benchmarks": rows}))
    units = tuple(unit for unit, _ in pieces)
    planned = account.get("planned", processes)
    how_it_went = Account(account.get("complete", True), planned, 1, units, account.get("failed", ()))
    write_json(folder / "run.json", merge(pieces, how_it_went, list(measured)))
    return read_run(folder / "run.json")


def at(ns: float) -> dict[str, float]:
    return {"real_time": ns, "cpu_time": ns}


def by_subject(run: Run, topic: str) -> dict[str, summary.Finding]:
    return {finding.subject: finding for finding in summary.findings(run) if finding.topic.startswith(topic)}


def test_64_bytes_are_shown_for_the_stack_the_arena_and_each_malloc(tmp_path: Path) -> None:
    shown = by_subject(make_run(tmp_path), "Taking 64 bytes")
    assert list(shown) == ["none", "stack_array", "alloca", "arena", "glibc", "jemalloc"]
    glibc = shown["glibc"]
    assert glibc.value is not None and glibc.value.median == pytest.approx(20.4)
    assert (glibc.value.low, glibc.value.high) == pytest.approx((20.0, 20.8))
    assert glibc.cycles == pytest.approx(20.4 / 0.5)
    assert glibc.words == "19.4 ns more than the control (19 to 19.8 ns)"
    assert shown["stack_array"].words == "1.02 ns more than the control (0.96 to 1.08 ns)"


def test_a_difference_that_is_not_measurable_is_not_shown_as_a_multiple(tmp_path: Path) -> None:
    without_control = {name: ns for name, ns in ALL.items() if "/none/" not in name}
    alloca = by_subject(make_run(tmp_path, without_control), "Taking")["alloca"]
    assert alloca.words == "no measurable difference from stack_array (0.971 to 1.03 times)"
    stack = by_subject(make_run(tmp_path, {**ALL, "scoped/stack_array/bytes:64/touch:first": 1.0}), "Taking")["stack_array"]
    assert stack.words == "no measurable difference from the control (-0.04 to 0.04 ns)"


def test_a_stack_that_costs_more_is_shown_as_well(tmp_path: Path) -> None:
    times = {"scoped/stack_array/bytes:64/touch:first": 50.0, "scoped/glibc/bytes:64/touch:first": 5.0}
    assert by_subject(make_run(tmp_path, times), "Taking")["glibc"].words == "0.1 times stack_array (0.0971 to 0.103)"


def test_latency_is_shown_for_each_cache_that_the_curve_shows(tmp_path: Path) -> None:
    shown = by_subject(make_run(tmp_path), "A load")
    assert list(shown) == [
        "L1 cache (16 KiB of data)",
        "L2 cache (512 KiB of data)",
        "L3 cache (8 MiB of data)",
        "memory (64 MiB of data)",
    ]
    memory = shown["memory (64 MiB of data)"].words
    assert memory.startswith("66.7 times the L1 cache") and memory.endswith("; includes page walks")


def test_the_part_of_the_last_cache_that_is_ours_is_shown(tmp_path: Path) -> None:
    times = ALL | {f"chase/bytes:{32 * MIB}/order:random/home:heap": 90.0}
    run = make_run(tmp_path, times, context={**CONTEXT, "l3_bytes": str(40 * MIB)})
    assert by_subject(run, "A load")["L3 cache (8 MiB of data)"].words.endswith(
        "; of the 40 MiB L3 that the system reports, about 16 MiB are yours"
    )


def test_a_cache_that_the_curve_does_not_show_is_called_by_the_size_of_its_data(tmp_path: Path) -> None:
    like_memory = {**ALL, f"chase/bytes:{8 * MIB}/order:random/home:heap": 90.0}
    shown = by_subject(make_run(tmp_path, like_memory), "A load")
    assert "L3 cache (8 MiB of data)" not in shown
    assert shown["8 MiB of data"].words.endswith("; the L3 of 16 MiB that the system reports does not show")


def test_memory_is_shown_without_page_walks_too(tmp_path: Path) -> None:
    in_windows = {f"chase/bytes:{64 * MIB}/order:random/home:heap/window:64p": 70.0}
    shown = by_subject(make_run(tmp_path, ALL | in_windows), "A load")
    assert list(shown)[-2:] == ["memory (64 MiB of data)", "memory, few page walks (64 MiB of data)"]
    walked = shown["memory, few page walks (64 MiB of data)"].value
    assert walked is not None and walked.median == pytest.approx(70.0 * 1.02)


def test_a_size_that_fills_a_cache_does_not_stand_for_it(tmp_path: Path) -> None:
    run = make_run(tmp_path, {f"chase/bytes:{size * KIB}/order:random/home:heap": 1.0 for size in (8, 32, 1024, 9216)})
    assert list(by_subject(run, "A load")) == ["8 KiB of data", "memory"]


def test_memory_that_was_not_reached_is_shown_as_not_reached(tmp_path: Path) -> None:
    run = make_run(tmp_path, context={**CONTEXT, "l3_bytes": str(48 * MIB)})
    memory = by_subject(run, "A load")["memory"]
    assert memory.value is None
    assert memory.words == "not reached: the last cache has 48 MiB, the largest data here 64 MiB"


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ({}, ["64 MiB of data"]),  # a machine that does not say
        ({"l1d_bytes": "32768"}, ["L1 cache (16 KiB of data)", "memory (64 MiB of data)"]),
        ({"l2_bytes": str(MIB)}, ["memory (64 MiB of data)"]),  # a set beyond an unknown L1 is not known to be in L2
        ({"l1d_bytes": "1024", "l2_bytes": "2048"}, ["memory (64 MiB of data)"]),  # no size fits
        ({"l1d_bytes": "unknown"}, ["64 MiB of data"]),
    ],
)
def test_unknown_cache_levels_are_not_shown(tmp_path: Path, sizes: dict[str, str], shown: list[str]) -> None:
    context = {key: value for key, value in CONTEXT.items() if not key.endswith("_bytes")}
    assert list(by_subject(make_run(tmp_path, context={**context, **sizes}), "A load")) == shown


def test_pointers_are_shown_at_the_largest_common_size(tmp_path: Path) -> None:
    times = {name: ns for name, ns in ALL.items() if name != f"chase/bytes:{64 * MIB}/order:sequential/home:heap"}
    shown = by_subject(make_run(tmp_path, times), "Following pointers")
    assert shown["8 MiB of nodes, at random"].words.startswith("13.3 times the walk in order")
    assert shown["element of a shuffled list"].words.startswith("10 times the vector")


def test_scaling_is_shown_for_the_most_threads_that_have_a_core(tmp_path: Path) -> None:
    shown = by_subject(make_run(tmp_path), "Threads")
    assert list(shown) == ["stack_array, 2 threads", "glibc, 2 threads", "jemalloc, 2 threads"]
    assert shown["glibc, 2 threads"].words == "2 times one thread (1.94 to 2.06); 1 is ideal"
    assert shown["jemalloc, 2 threads"].words.startswith("no measurable difference from one thread")


@pytest.mark.parametrize("cores", ["1", "", "many"])
def test_one_core_has_no_finding_about_scaling(tmp_path: Path, cores: str) -> None:
    assert by_subject(make_run(tmp_path, context={**CONTEXT, "cores": cores}), "Threads") == {}


def test_a_hand_off_is_shown_beside_the_queue_alone(tmp_path: Path) -> None:
    shown = by_subject(make_run(tmp_path), "Allocating in one thread")
    assert shown["none"].words == "the control: the queue alone"
    assert shown["glibc"].words.startswith("no measurable difference from the queue alone")


def test_without_data_there_are_no_findings(tmp_path: Path) -> None:
    assert summary.findings(make_run(tmp_path, {"matrix/n:8": 1.0})) == []


def test_a_run_of_one_process_has_a_caveat_about_its_intervals(tmp_path: Path) -> None:
    run = make_run(tmp_path, processes=1)
    glibc = by_subject(run, "Taking")["glibc"]
    assert glibc.value is not None and interval_text(glibc.value) == ""
    assert glibc.words == "19 ns more than the control"
    assert summary.caveats(run)[0].startswith("One process measured each figure: the run has no intervals")


def test_bimodal_figures_are_marked(tmp_path: Path) -> None:
    run = make_run(tmp_path, change=lambda name, ns, process: ns * (3 if process % 2 and "glibc" in name else 1))
    shown = by_subject(run, "Taking")
    assert shown["glibc"].notes == ("bimodal, 20 ns and 60 ns: the median lies in one of the two modes",)
    assert shown["jemalloc"].notes == ()
    assert any("are bimodal" in line for line in summary.caveats(run))
    single = make_run(tmp_path, change=lambda name, ns, process: ns * (3 if process % 2 and name == "scoped/glibc/bytes:64/touch:first" else 1))
    assert any(line.endswith("; 1 is bimodal.") for line in summary.caveats(single))


def test_disturbed_processes_are_marked_and_counted(tmp_path: Path) -> None:
    run = make_run(tmp_path, disturbed=(1, 3))
    assert by_subject(run, "Taking")["glibc"].notes == ("2 of 5 disturbed",)
    assert by_subject(run, "Following")["element of a shuffled list"].notes == ()
    line = "Disturbed, kept and marked: 2 of 5 processes; the worst: scoped, others used 1.00 cores."
    assert line in summary.caveats(run)


def test_an_incomplete_run_has_a_caveat(tmp_path: Path) -> None:
    failed = (Failure("chase", 1, "crashed (SIGSEGV)"), Failure("chase", 2, "crashed (SIGSEGV)"))
    run = make_run(tmp_path, processes=3, planned=5, complete=False, failed=failed)
    assert by_subject(run, "Taking")["glibc"].notes == ("3 of 5 processes",)
    lines = summary.caveats(run)
    assert "The run is incomplete: it was interrupted, or is still going on." in lines
    assert "2 failed; the first: chase, process 1: crashed (SIGSEGV)" in lines
    some = Failure("larson", 2, "larson/glibc/threads:2: two objects overlap")
    lines = summary.caveats(make_run(tmp_path, failed=(*failed, some, Failure("stream", 0, "hung"))))
    expected = "4 failed; the first: chase, process 1: crashed (SIGSEGV); also failed: larson/glibc/threads:2, stream"
    assert expected in lines


CACHE = "Others used the last cache during 1 of the 5 processes that timed it: a load from it took up to 4.0 times"
CORES = "The cores were farther apart during 1 of the 5 processes with threads: a cache line took up to 4.0 times"


@pytest.mark.parametrize(
    ("taken", "sentence", "words"), [("cache_taken", CACHE, "last cache"), ("trip_taken", CORES, "farther apart")]
)
def test_what_others_took_of_the_machine_is_a_caveat(tmp_path: Path, taken: str, sentence: str, words: str) -> None:
    run = make_run(tmp_path)
    assert not any(words in line for line in summary.caveats(run))

    def used(share: float) -> list[str]:
        shares: list[dict[str, Any]] = [{taken: share if unit.process == 1 else 0.0} for unit in run.units]
        units = tuple(replace(unit, **changed) for unit, changed in zip(run.units, shares))
        return summary.caveats(replace(run, account=replace(run.account, units=units)))

    assert any(line.startswith(sentence) for line in used(0.75))
    assert not any(words in line for line in used(0.2))


@pytest.mark.parametrize(("slowest", "expected"), [(0.505, False), (0.6, True)])
def test_a_clock_that_moved_is_a_caveat(tmp_path: Path, slowest: float, expected: bool) -> None:
    lines = summary.caveats(make_run(tmp_path, additions=[0.5, 0.5, slowest, 0.5, 0.5]))
    assert any(line.startswith("The cores' clock moved by 20.0%") for line in lines) == expected


def test_the_interval_and_its_certainty_are_explained(tmp_path: Path) -> None:
    five = summary.caveats(make_run(tmp_path))[0]
    assert "from smallest to largest, and holds the true median with 93.8% chance" in five
    assert "that of a comparison holds the true ratio with 96.8%" in five
    ten = summary.caveats(make_run(tmp_path, processes=10))[0]
    assert "without the smallest and the largest, and holds the true median with 97.9% chance" in ten


@pytest.mark.hostile("malloc library")
def test_what_a_malloc_changes_in_its_process_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    changed = replace(run, context={**run.context, "malloc_changes.glibc": "niceness 0 to 7", "malloc_changes.gone": "x"})
    told = [line for line in summary.caveats(changed) if "changes its process" in line]
    assert told == ["Loading glibc changes its process: niceness 0 to 7. No other malloc is measured with that."]
    assert not [line for line in summary.caveats(run) if "changes its process" in line]


def test_missing_mallocs_are_named_with_the_reason(tmp_path: Path) -> None:
    assert "Not available: mimalloc: not found (install: libmimalloc2.0)" in summary.caveats(make_run(tmp_path))


def test_times_of_zero_cause_no_division_by_zero(tmp_path: Path) -> None:
    run = make_run(tmp_path, {name: 0.0 for name in ALL})
    assert all(finding.words.count(" times ") == 0 for finding in summary.findings(run))
    assert summary.caveats(run)


def test_the_tables_show_every_figure(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    console = Console(width=200, record=True, file=(tmp_path / "out").open("w"))
    for table in summary.as_tables(summary.findings(run)):
        console.print(table)
    console.file.close()
    shown = console.export_text()
    for finding in summary.findings(run):
        assert finding.topic in shown and finding.subject in shown and finding.words in shown
        assert finding.value is None or time_text(finding.value.median) in shown


def printed(table: Table, width: int) -> list[str]:
    console = Console(width=width, file=StringIO())
    console.print(table)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_the_table_of_the_poster_shows_every_row_in_80_columns() -> None:
    run = synthetic.synthetic()
    table = summary.poster_table(run)
    assert table is not None
    lines = printed(table, 80)
    assert lines[0].rstrip() == numbers.TITLE and "took a second" in lines[2]
    for row, line in zip(numbers.rows(run), lines[3:], strict=True):
        assert line.split("  ")[0] == row.words and row.text in line and row.interval in line
        assert line.rstrip().endswith(row.human or row.text)


def test_the_table_of_the_poster_has_no_column_without_data() -> None:
    table = summary.poster_table(synthetic.synthetic(keep=lambda name: name.startswith("spill/")))
    assert table is not None and [str(column.header) for column in table.columns] == ["", "time", "interval"]
    assert summary.poster_table(synthetic.synthetic(keep=lambda name: name.startswith("churn/"))) is None


def test_text_that_looks_like_markup_stays_text(tmp_path: Path) -> None:
    context = json.loads(json.dumps(CONTEXT).replace("jemalloc", "[red]"))
    run = make_run(tmp_path, {"scoped/[red]/bytes:64/touch:first": 1.0}, context=context)
    console = Console(width=200, record=True, file=(tmp_path / "out").open("w"))
    for table in summary.as_tables(summary.findings(run)):
        console.print(table)
    console.file.close()
    assert "[red]" in console.export_text()


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0.25, "0.25 ns"),
        (1.234, "1.23 ns"),
        (99.96, "100 ns"),
        (999.6, "1 µs"),
        (1234.0, "1.23 µs"),
        (2e9, "2 s"),
        (5e12, "5,000 s"),
    ],
)
def test_times_have_a_suitable_unit_and_few_digits(ns: float, text: str) -> None:
    assert time_text(ns) == text
