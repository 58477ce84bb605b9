"""Is the poster whole on every page, and has it only what was measured?"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from suite import charts
from suite.base.files import write_json
from suite.charts.kit import marks
from suite.commands import plot
from suite.results import numbers
from suite.results.model import BenchmarkName, Run
from support import synthetic
from support.chart_checks import contrast, drawn, faults_of_layout, smallest_difference, texts

FEW = ("spill/reload:register", "frame/none/", "scoped/", "first_touch/")
WITH_ROWS = (*FEW, "refcount/", "latency/", "large/", "stream/", "handoff/", "thread_start/", "chase/")


def shown(drawing: charts.Drawing) -> set[str]:
    return {text.get_text() for text in texts(drawing)}


@cache
def run_of_rows() -> Run:
    return synthetic.synthetic(keep=lambda name: name.startswith(WITH_ROWS))


def kept(keep: Callable[[str], bool]) -> Run:
    run = run_of_rows()
    return replace(run, by_name={name: benchmark for name, benchmark in run.by_name.items() if keep(name)})


def few() -> Run:
    return kept(lambda name: name.startswith(FEW))


def hostile() -> Run:
    """The longest words, and a processor with a long name."""
    run = run_of_rows()
    names = {name: BenchmarkName.parse(name.replace("/glibc/", "/new_delete/")) for name in run.by_name}
    renamed = {names[name].text: replace(benchmark, name=names[name]) for name, benchmark in run.by_name.items()}
    context = {**run.context, "process_malloc": "own", "cpu_model": "A processor of many words " * 9}
    return replace(run, by_name=renamed, context=context)


@pytest.mark.parametrize(
    ("make", "theme", "size"),
    [(hostile, "light", charts.PORTRAIT), (hostile, "dark", "talk"), (few, "dark", charts.PORTRAIT)],
)
def test_every_row_is_on_the_page_with_time_interval_and_human_time(
    make: Callable[[], Run], theme: str, size: str
) -> None:
    run = make()
    drawing = drawn(run, "numbers", theme, size)
    assert list(faults_of_layout(drawing)) == []
    for row in numbers.rows(run):
        assert {row.words, row.text, *filter(None, (row.interval, row.human)), row.kind} <= shown(drawing)


def test_a_run_with_fewer_than_five_numbers_has_no_poster() -> None:
    assert len(numbers.rows(few())) > 4
    fewer = kept(lambda name: name.startswith(FEW) and not name.startswith("scoped/"))
    assert numbers.rows(fewer) and charts.draw(fewer, "numbers") is None


def test_columns_without_data_are_absent() -> None:
    run = synthetic.synthetic(processes=1, keep=lambda name: name.startswith(FEW))
    drawing = drawn(run, "numbers")
    assert "time" in shown(drawing) and not {"interval", "human time"} & shown(drawing)
    assert "human" not in drawing.caption and "One process: no intervals." in drawing.caption


def test_the_foot_names_processor_malloc_date_and_processes() -> None:
    run = few()
    caption = drawn(replace(run, context={**run.context, "cpu_model": "AMD EPYC 9R14"}), "numbers").caption
    assert caption.endswith("EPYC 9R14 · 2 cores · glibc 0.10.2 · 2026-01-02 · stackheap quick run")
    assert "Medians of 5 processes" in caption


@pytest.mark.parametrize("theme", charts.THEMES)
def test_every_eye_distinguishes_the_kinds(theme: str) -> None:
    assert set(marks.OF_KIND) == set(numbers.KINDS)
    used = list(marks.OF_KIND.values())
    assert min(contrast(mark, theme) for mark in used) >= 3.0
    assert smallest_difference(used, theme) > 0.08


def test_a_portrait_page_is_a3_and_only_of_the_poster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    families = ("spill/", "frame/none/", "scoped/", "first_touch/", "churn/")
    write_json(tmp_path / "run.json", synthetic.document(mallocs=1, keep=lambda name: name.startswith(families)))
    file = str(tmp_path / "run.json")
    assert plot.main([file, "--size", "portrait", "--format", "pdf", "--theme", "dark"]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/figures/numbers-dark-portrait.pdf\n"
    content = (tmp_path / "figures" / "numbers-dark-portrait.pdf").read_bytes()
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", content)
    assert box is not None and [float(side) / 72 * 25.4 for side in box.groups()] == pytest.approx([297, 420], abs=0.1)
    for refused, subject in (([file, "--chart", "churn"], "churn"), ([file, file], "a chart of several runs")):
        assert plot.main([*refused, "--size", "portrait"]) == 2
        line = f"--size portrait: {subject} has no portrait page; accepted: one run, --chart numbers\n"
        assert capsys.readouterr().err == f"scripts/plot: {line}"
