"""Does each row of the poster agree with its benchmark, and is it absent where that was not measured?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import pytest

from suite.base.text import lasting
from suite.results import numbers
from suite.results.model import Benchmark, BenchmarkName, Run, Sample
from suite.stats.estimates import estimate_difference, estimate_median
from support import synthetic
from support.chart_checks import exact

FAMILIES = (
    "spill/", "frame/", "refcount/", "scoped/", "latency/", "large/", "stream/", "first_touch/", "handoff/", "thread_start/",
    "chase/",
)  # fmt: skip
MALLOC = "scoped/glibc/bytes:64/touch:first"


@cache
def textbook_run() -> Run:
    return synthetic.synthetic(noise=exact, keep=lambda name: name.startswith(FAMILIES))


def words(run: Run) -> list[str]:
    return [row.words for row in numbers.rows(run)]


def row_of(run: Run, benchmark: str) -> numbers.Row:
    return next(row for row in numbers.rows(run) if row.benchmark == benchmark)


def kept(run: Run, keep: Callable[[str], bool]) -> Run:
    return replace(run, by_name={name: benchmark for name, benchmark in run.by_name.items() if keep(name)})


def changed(run: Run, name: str, ns: float, counters: Mapping[str, float] = {}) -> Run:  # noqa: B006 (only read)
    samples = tuple(Sample(process, ns, counters) for process in range(5))
    return replace(run, by_name={**run.by_name, name: Benchmark(run.by_name[name].name, samples)})


def with_context(run: Run, **context: str) -> Run:
    return replace(run, context={**run.context, **context})


def with_new_and_delete(run: Run) -> Run:
    """Of a process whose malloc is none of the libraries: new and delete cost what glibc's malloc costs."""
    names = {name: BenchmarkName.parse(name.replace("/glibc/", "/new_delete/")) for name in run.by_name}
    renamed = {names[name].text: replace(benchmark, name=names[name]) for name, benchmark in run.by_name.items()}
    return replace(run, by_name=renamed, context={**run.context, "process_malloc": "own"})


def test_the_rows_are_the_costs_of_the_textbooks_machine() -> None:
    """Each can be computed by hand from its prices."""
    assert [(row.kind, row.words, row.text, row.human) for row in numbers.rows(textbook_run())] == [
        ("stack", "64 bytes on the stack", "nothing measurable", ""),
        ("core", "add two numbers", "0.25 ns", "0.25 s"),
        ("core", "call a function and return", "1 ns", "1 s"),
        ("arena", "64 bytes from an arena", "1 ns", "1 s"),
        ("caches", "load from the L1 cache", "1 ns", "1 s"),
        ("core", "copy and drop a shared_ptr", "3.75 ns", "3.8 s"),
        ("caches", "load from the L2 cache", "4 ns", "4 s"),
        ("threads", "copy a shared_ptr, two threads", "15.8 ns", "16 s"),
        ("caches", "load from the L3 cache", "16 ns", "16 s"),
        ("malloc", "malloc and free, 64 bytes", "19 ns", "19 s"),
        ("threads", "malloc, free in another thread", "19 ns", "19 s"),
        ("memory", "load from memory", "80 ns", "1.3 min"),
        ("memory", "load from memory, page walk", "100 ns", "1.7 min"),
        ("malloc", "slowest malloc of 10,000", "370 ns", "6.2 min"),
        ("system", "first write to a page", "1 µs", "17 min"),
        ("system", "mmap and munmap", "4 µs", "1.1 hours"),
        ("threads", "start and join a thread", "20 µs", "5.6 hours"),
        ("memory", "read 64 MiB in order", "2.1 ms", "24 days"),
        ("malloc", "malloc, fill, free 64 MiB", "4.19 ms", "1.6 months"),
    ]


def test_a_row_has_at_most_five_words_and_a_kind() -> None:
    for row in (*numbers.rows(textbook_run()), *numbers.rows(with_new_and_delete(textbook_run()))):
        assert len(row.words.split()) <= 5 and row.kind in numbers.KINDS


def test_a_figure_has_the_interval_of_its_processes_and_is_told_beyond_its_control() -> None:
    run = synthetic.synthetic(keep=lambda name: name.startswith(("spill/", "scoped/")))
    add, malloc = (run.by_name[name] for name in ("spill/reload:register", MALLOC))
    assert row_of(run, add.name.text).time == estimate_median(add.times)
    alone = run.by_name["scoped/none/bytes:64/touch:first"]
    told = row_of(run, MALLOC).time
    assert told.median == estimate_difference(malloc.times, alone.times).median
    assert told.low < told.median < told.high and row_of(run, MALLOC).interval != ""
    single = synthetic.synthetic(processes=1, keep=lambda name: name.startswith("scoped/"))
    assert row_of(single, MALLOC).text and row_of(single, MALLOC).interval == ""


def test_what_was_not_measured_has_no_row_and_all_others_stay() -> None:
    run = textbook_run()
    for row in numbers.rows(run):
        if row.kind not in ("caches", "memory"):  # a load moves to another set of the same level
            rest = words(kept(run, lambda name: name != row.benchmark))  # noqa: B023
            missing = [text for text in words(run) if text not in rest]
            assert missing == [row.words]
    assert words(kept(run, lambda name: False)) == []


def test_a_time_of_zero_is_absent() -> None:
    assert "add two numbers" not in words(changed(textbook_run(), "spill/reload:register", 0.0))


def test_a_cache_has_a_row_where_the_curve_shows_it_and_only_the_l1_cache_gives_human_time() -> None:
    run = textbook_run()
    unknown = with_context(run, l1d_bytes="", l2_bytes="", l3_bytes="")
    assert not any(row.kind == "caches" or row.human for row in numbers.rows(unknown))
    flat = replace(run, by_name={**run.by_name, **{
        name: changed(run, name, 1.0).by_name[name] for name in run.by_name if name.startswith("chase/bytes:")
    }})  # fmt: skip
    assert not any(row.kind == "caches" or row.human for row in numbers.rows(flat))
    small = with_context(run, l3_bytes=str(1 << 30))  # the largest set is within the last cache that is reported
    assert not any(text.startswith("load from memory") for text in words(small))


def test_huge_pages_have_no_page_walk_to_tell() -> None:
    run = textbook_run()
    walk = row_of(run, "chase/bytes:268435456/order:random/home:heap")
    assert walk.words == "load from memory, page walk"
    assert walk.words not in words(changed(run, walk.benchmark, 100.0, {"huge_share": 1.0}))


def test_malloc_is_the_processs_own_or_new_and_delete() -> None:
    run = textbook_run()
    assert row_of(with_context(run, process_malloc="jemalloc"), "scoped/jemalloc/bytes:64/touch:first").text == "9 ns"
    other = words(with_new_and_delete(run))
    assert {"new and delete, 64 bytes", "new, delete in another thread", "slowest new of 10,000"} <= set(other)
    assert not any("malloc" in text for text in other)
    assert len(other) == len(numbers.rows(run))


def test_two_threads_need_two_cores() -> None:
    assert "copy a shared_ptr, two threads" not in words(with_context(textbook_run(), cores="1"))


def test_a_percentile_within_the_timers_tick_is_nothing_measurable() -> None:
    name = "latency/glibc/mix:power_law/op:malloc"
    timer = textbook_run().by_name["latency/none/mix:power_law/op:malloc"].counter("p99_99")[0]

    def slowest(ns: float) -> numbers.Row:
        return row_of(changed(textbook_run(), name, 50.0, {"p99_99": timer + ns, "resolution": 10.0}), name)

    assert (slowest(14.0).text, slowest(14.0).human) == ("nothing measurable", "")
    assert slowest(16.0).text == "16 ns"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0071, "0.0071 s"), (0.25, "0.25 s"), (1.0, "1 s"), (9.96, "10 s"), (59.6, "1 min"), (90, "1.5 min"),
        (3599, "1 hour"), (6 * 3600, "6 hours"), (23.9 * 3600, "1 day"), (27.4 * 86400, "27 days"),
        (31 * 86400, "1 month"), (363 * 86400, "1 year"), (400 * 86400, "1.1 years"), (4e11, "12,675 years"),
    ],
)  # fmt: skip
def test_human_time_has_two_figures_in_the_largest_unit(seconds: float, text: str) -> None:
    assert lasting(seconds) == text
