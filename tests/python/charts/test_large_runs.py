"""Is what a chart shows bounded, and does it say so, however many benchmarks a run has?"""

from __future__ import annotations

from typing import Any

import pytest

from suite.charts.across import change
from suite.charts.kit import forms, frame
from suite.gate.comparison import Comparison
from suite.gate.pairs_file import Side
from suite.results import control
from suite.results.model import Benchmark
from support import synthetic
from support.chart_checks import drawn


@pytest.mark.hostile("size")
def test_a_chart_of_many_rows_draws_the_first_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "MOST_ROWS", 4)
    run = synthetic.synthetic(mallocs=6, processes=1, keep=lambda name: name.startswith("scoped/") and "/bytes:64/" in name)
    drawing = drawn(run, "cost_64b")
    assert len({cell.row for cell in drawing.cells}) == 4 + 1  # and the control
    assert "; 4 of 9 rows shown" in drawing.caption


@pytest.mark.hostile("size")
def test_a_chart_of_many_points_draws_some_with_both_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    run = synthetic.synthetic(mallocs=1, processes=1, keep=lambda name: name.startswith("scoped/"))
    whole = drawn(run, "scoped")
    monkeypatch.setattr(forms, "MOST_POINTS", 3)
    drawing = drawn(run, "scoped")
    assert "; 3 of 5 points of the axis shown" in drawing.caption and "points" not in whole.caption
    assert len(drawing.spots) < len(whole.spots) and drawing.cells == whole.cells  # the cells are of the ends


@pytest.mark.hostile("size")
def test_the_control_of_each_of_many_benchmarks_is_found_without_a_look_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    run = synthetic.synthetic(mallocs=40, processes=1, keep=lambda name: name.startswith("scoped/"))
    asked: list[str] = []
    is_control = control._is_control

    def counted(benchmark: Benchmark, called: str) -> bool:
        asked.append(benchmark.name.text)
        return is_control(benchmark, called)

    monkeypatch.setattr(control, "_is_control", counted)
    benchmarks = run.series("scoped")
    found = [control.control_of(run, benchmark) for benchmark in benchmarks]
    assert sum(alone is None for alone in found) == len(benchmarks) // 44 == len(run.series("scoped", "none"))
    assert len(asked) <= 2 * len(benchmarks)


@pytest.mark.hostile("size")
def test_words_that_no_page_has_room_for_are_not_measured_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    text_width = frame.Page.text_width

    def counted(page: frame.Page, text: str, **font: Any) -> float:
        asked.append(len(text))
        return text_width(page, text, **font)

    monkeypatch.setattr(frame.Page, "text_width", counted)
    monkeypatch.setattr(frame, "_MOST_LETTERS", 300)
    side = Side("a side")
    drawing = change.draw(Comparison("pairs", side, side, (), ("broken " * 8000,), (), ""))
    assert max(asked) <= 301 and len(asked) < 1000
    assert any(text.get_text().endswith("…") for text in drawing.figure.texts)
