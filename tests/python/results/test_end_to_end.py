"""Is a result file's account of the user's program read as it is, and is a damaged account no more than absent?"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from suite.base.files import write_json
from suite.charts import draw
from suite.gate import comparison
from suite.results import end_to_end
from suite.results.end_to_end import EndToEnd, command_of, read_end_to_end
from suite.results.model import LEAST_FIGURE, MOST_FIGURE, Document, Run
from suite.results.read import read_run
from support import synthetic
from support.chart_checks import title, unplaced


def of_program(name: str) -> bool:
    return name.startswith("program/")


def steady(name: str, process: int) -> float:
    return 1.0


def document() -> Document:
    return synthetic.document(keep=of_program, noise=steady)


def read(folder: Path, written: Document) -> Run:
    write_json(folder / "run.json", written)
    return read_run(folder / "run.json")


def measured(folder: Path, written: Document) -> EndToEnd:
    back = read_end_to_end(read(folder, written))
    assert back is not None
    return back


def set_counter(written: Document, malloc: str, process: int | None, **figures: float | None) -> None:
    for row in written["benchmarks"]:
        if row["run_name"] == f"program/{malloc}" and process in (None, row.get("repetition_index")):
            row.update(figures)
            for key in [key for key, value in figures.items() if value is None]:
                del row[key]


def test_the_words_of_the_verdict_are_the_gates() -> None:
    words = (comparison.WORSE, comparison.BETTER, comparison.SAME, comparison.UNDECIDED, comparison.NOT_JUDGED)
    assert end_to_end.VERDICTS == words


def test_a_program_keeps_its_name_as_it_is_typed(tmp_path: Path) -> None:
    named = replace(measured(tmp_path, document()), words=("x/my_program",))
    assert " my_program " in f" {end_to_end.finding(named)} "
    long = replace(named, words=("a_program_with_a_long_name",))
    assert " a_program_with_a_lo… " in f" {end_to_end.finding(long)} "


def test_a_run_of_the_suite_alone_has_none(tmp_path: Path) -> None:
    written = document()
    del written["context"]["program"]
    assert read_end_to_end(read(tmp_path, written)) is None and command_of(read(tmp_path, written)) == ""


def test_a_pair_is_two_rows_of_one_round(tmp_path: Path) -> None:
    """The time doubles from round to round: only a ratio within each round does not see it."""
    written = document()
    for process in range(5):
        set_counter(written, "own", process, cpu_ns=1e9 * 2**process)
        set_counter(written, "mimalloc", process, cpu_ns=0.8e9 * 2**process)
    [mimalloc] = [pair for pair in measured(tmp_path, written).compared if pair.malloc == "mimalloc"]
    assert (mimalloc.cpu.low, mimalloc.cpu.median, mimalloc.cpu.high) == pytest.approx((0.8, 0.8, 0.8))
    assert mimalloc.pairs == 5


def test_rounds_without_the_other_run_are_no_pairs(tmp_path: Path) -> None:
    written = document()
    written["benchmarks"] = [
        row
        for row in written["benchmarks"]
        if (row["run_name"], row.get("repetition_index")) != ("program/mimalloc", 2)
    ]
    by_name = {pair.malloc: pair for pair in measured(tmp_path, written).compared}
    assert by_name["mimalloc"].pairs == 4 and by_name["jemalloc"].pairs == 5


@pytest.mark.parametrize("lost", ["peak_resident_bytes", "page_faults"])
def test_a_counter_that_a_row_lacks_is_absent(tmp_path: Path, lost: str) -> None:
    written = document()
    set_counter(written, "mimalloc", 0, **{lost: None})
    by_name = {pair.malloc: pair for pair in measured(tmp_path, written).compared}
    absent = {"peak_resident_bytes": by_name["mimalloc"].peak_resident, "page_faults": by_name["mimalloc"].page_faults}
    assert absent[lost] is None and by_name["jemalloc"].peak_resident is not None
    assert draw(read(tmp_path, written), "end_to_end") is not None


def test_without_cpu_time_nothing_is_compared(tmp_path: Path) -> None:
    written = document()
    set_counter(written, "own", None, cpu_ns=None)
    back = measured(tmp_path, written)
    assert back.compared == () and back.own is None and draw(read(tmp_path, written), "end_to_end") is None


@pytest.mark.hostile("result file")
def test_the_largest_ratio_is_finite(tmp_path: Path) -> None:
    written = document()
    set_counter(written, "own", None, cpu_ns=LEAST_FIGURE)
    set_counter(written, "mimalloc", None, cpu_ns=MOST_FIGURE)
    assert all(math.isfinite(pair.cpu.high) for pair in measured(tmp_path, written).compared)
    assert draw(read(tmp_path, written), "end_to_end") is not None


DAMAGED: list[Any] = [None, 7, "text", [], [1], {"a": 1}, True, -1e300, "x" * 10_000, [["deep"]], "\x1b[31m\nline"]


@pytest.mark.hostile("result file")
@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_damaged_context_is_absent(tmp_path: Path, damaged: Any) -> None:
    written = document()
    written["context"]["program"] = damaged
    back = read_end_to_end(read(tmp_path, written))
    assert back is None or {pair.verdict for pair in back.compared} <= {"not judged"}


@pytest.mark.hostile("result file")
@pytest.mark.parametrize("damaged", DAMAGED)
@pytest.mark.parametrize(
    "key", ["command", "exit_code", "output_same", "own", "mallocs", "control", "problem", "notes", "threshold", "seed"]
)
def test_a_damaged_fact_is_absent(tmp_path: Path, key: str, damaged: Any) -> None:
    written = document()
    written["context"]["program"][key] = damaged
    run = read(tmp_path, written)
    back = read_end_to_end(run)
    assert back is not None and back.own is not None
    shown = [
        back.name,
        back.own_malloc,
        back.problem,
        *back.words,
        *back.notes,
        *back.not_compared.values(),
        command_of(run),
    ]
    assert all(text.isprintable() and len(text) <= end_to_end.MOST_LETTERS for text in shown)
    assert 0.0 < back.threshold < 1.0 and {pair.verdict for pair in back.compared} <= set(end_to_end.VERDICTS)
    assert unplaced(run, "end_to_end").title


@pytest.mark.hostile("result file")
@pytest.mark.parametrize("damaged", DAMAGED)
@pytest.mark.parametrize("key", ["file", "verdict", "not_compared"])
def test_a_damaged_fact_of_a_malloc_is_absent(tmp_path: Path, key: str, damaged: Any) -> None:
    written = document()
    written["context"]["program"]["mallocs"]["mimalloc"][key] = damaged
    back = measured(tmp_path, written)
    by_name = {pair.malloc: pair.verdict for pair in back.compared}
    assert by_name.get("mimalloc", "not judged") in end_to_end.VERDICTS and by_name["jemalloc"] == "same"


# ---- the chart's finding


def with_verdicts(folder: Path, ratios: dict[str, float], **verdicts: str) -> Run:
    written = document()
    for malloc in ("glibc", "mimalloc", "jemalloc", "tcmalloc", "tbbmalloc"):
        set_counter(written, malloc, None, cpu_ns=3e9 * ratios.get(malloc, 1.0))
        written["context"]["program"]["mallocs"][malloc]["verdict"] = verdicts.get(malloc, "same")
    return read(folder, written)


@pytest.mark.parametrize(
    ("ratios", "verdicts", "finding"),
    [
        ({}, {}, "No malloc changes the CPU time of parse by more than 1 %"),
        ({"mimalloc": 0.925}, {"mimalloc": "better"}, "parse takes 0.925 times the CPU time with mimalloc"),
        (
            {"mimalloc": 0.9, "tcmalloc": 0.8, "jemalloc": 1.3}, {"mimalloc": "better", "tcmalloc": "better", "jemalloc": "worse"},
            "parse takes 0.8 times the CPU time with tcmalloc, and 1.3 times with jemalloc",
        ),
        (
            {"tcmalloc": 1.2}, {"tcmalloc": "worse"},
            "No malloc makes parse faster than its own: with tcmalloc, 1.2 times the CPU time",
        ),
        (
            {"tcmalloc": 1.2}, {"tcmalloc": "worse", "mimalloc": "undecided"},
            "parse takes 1.2 times the CPU time with tcmalloc",
        ),
        (
            {"mimalloc": 0.98}, {"mimalloc": "undecided"},
            "With another malloc, parse takes 0.98 to 1 times the CPU time; no difference is shown",
        ),
        (
            {"mimalloc": 0.5}, dict.fromkeys(("glibc", "mimalloc", "jemalloc", "tcmalloc", "tbbmalloc"), "not judged"),
            "With another malloc, parse takes 0.5 to 1 times the CPU time; not judged",
        ),
    ],
)  # fmt: skip
def test_the_title_says_what_the_verdicts_say(
    tmp_path: Path, ratios: dict[str, float], verdicts: dict[str, str], finding: str
) -> None:
    assert title(with_verdicts(tmp_path, ratios, **verdicts), "end_to_end") == finding
