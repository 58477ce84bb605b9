"""Does the page of a history show the state first, every series once, and the text of others as text?"""

from __future__ import annotations

import json
import re
import sqlite3
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.history import check, store
from suite.history.store import Annotation, Entry, History, SeriesTable
from suite.pages import history, history_svg
from suite.results.metrics import Metric
from suite.stats.estimates import Estimate, estimate_median

RUNS = 30
HOSTILE = "<script>alert(1)</script> & \"x\" \u202e"


def run(number: int, machine: int = 1, facts: Mapping[str, str] | None = None) -> Entry:
    day = f"2024-{1 + number // 28:02}-{1 + number % 28:02}T00:00:00+00:00"
    return Entry(number + 1, day, f"c{number:04}", machine, "quick", store.CYCLES, True, facts or {})


def values(step: float = 1.0, last: float = 1.0, runs: int = RUNS) -> list[float]:
    """Around 100; `step` from the middle on, and `last` times as much in the newest run."""
    drawn = np.random.default_rng(7).normal(100, 0.2, runs)
    drawn[runs // 2 :] *= step
    drawn[-1] *= last
    return list(drawn)


@dataclass
class Kept(History):
    """A record without a file."""

    file: Path = Path("history.sqlite")
    connection: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:"))
    entries: tuple[Entry, ...] = ()
    columns: Mapping[str, Sequence[float]] = field(default_factory=dict)
    remarks: tuple[Annotation, ...] = ()

    def runs(self) -> list[Entry]:
        return list(self.entries)

    def annotations(self) -> list[Annotation]:
        return list(self.remarks)

    def machine(self, id: int) -> dict[str, Any]:
        return {"cpu_model": f"CPU {id} <b>"}

    def table(self, runs: Sequence[Entry], only: re.Pattern[str] | None = None) -> SeriesTable:
        rows = np.array([[column[entry.id - 1] for column in self.columns.values()] for entry in runs])
        return SeriesTable(tuple(runs), tuple(self.columns), (Metric(),) * len(self.columns), rows)

    def intervals(self, run: Entry, names: Collection[str]) -> dict[str, Estimate]:
        return {name: estimate_median([self.columns[name][run.id - 1]]) for name in names}


def record(columns: Mapping[str, Sequence[float]], *remarks: Annotation, entries: Sequence[Entry] = ()) -> Kept:
    runs = len(next(iter(columns.values())))
    return Kept(entries=tuple(entries or map(run, range(runs))), columns=columns, remarks=remarks)


def pages(kept: Kept, folder: Path, last: int = 100) -> dict[str, str]:
    history.write(history.groups_of(kept, last, 0.02), "Title", folder)
    return {file.name: file.read_text() for file in folder.iterdir()}


class Outline(HTMLParser):
    """The tags, ids and headings of a page, and whether every tag is closed."""

    VOID = ("meta", "link", "br", "wbr")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.headings: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID and not self.get_starttag_text().endswith("/>"):  # type: ignore[union-attr]
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h2", "h3"):
            self.headings.append(data)


def test_what_got_worse_stands_first_and_every_series_in_the_tables(tmp_path: Path) -> None:
    columns = {
        "a/same": values(), "b/better": values(0.9), "b/worse": values(1.05), "c/worst": values(1.3),
        "d/late": values(last=1.2), "e/known": values(1.1),
    }  # fmt: skip
    known = Annotation(16, None, None, "known", True, "compiler 13")
    page = pages(record(columns, known), tmp_path)["index.html"]
    page = page.replace("/<wbr>", "/")
    headings = Outline(page).headings
    assert headings == [
        "Worse", "c/worst", "b/worse", "Early warnings", "d/late", "Worse, with an accepted reason", "e/known", "Better",
        "b/better", "All series", "Annotations",
    ]  # fmt: skip
    assert ">2 worse</p>" in page and "compiler 13" in page
    assert re.findall(r'<th scope="row">(.*?)</th>', page) == list(columns)
    assert "+30" in page and "early warning</b> +1" in page


def test_a_page_needs_no_network_and_no_script_and_text_stays_text(tmp_path: Path) -> None:
    remark = Annotation(20, None, None, HOSTILE, False, HOSTILE)
    facts = [run(number, facts={"compiler": HOSTILE * (number >= RUNS // 2)}) for number in range(RUNS)]
    page = pages(record({f"a/{HOSTILE}": values(1.2)}, remark, entries=facts), tmp_path)["index.html"]
    outline = Outline(page)
    assert "script" not in outline.tags and "&lt;script&gt;" in page and "\u202e" not in page and "b" not in outline.tags[-3:]
    assert "CPU 1 &lt;b&gt;" in page and "also changed" in page
    assert re.findall(r"(?:https?:|url\(|@import|src=)", page) == []
    assert "default-src 'none'" in page


@pytest.mark.parametrize(("columns", "message", "colour"), (
    ({"a/x": values()}, "no regressions", "brightgreen"),
    ({"a/x": values(1.1), "a/y": values(1.2)}, "2 worse", "red"),
    ({"a/x": values(last=1.2)}, "1 early warning", "yellow"),
    ({"a/x": values(), "a/y": [*values()[:-1], float("nan")]}, "1 missing", "orange"),
    ({"a/x": values(runs=3)}, "3 of 12 runs", "lightgrey"),
))  # fmt: skip
def test_the_badge_has_the_state(
    tmp_path: Path, columns: Mapping[str, Sequence[float]], message: str, colour: str
) -> None:
    made = pages(record(columns), tmp_path)
    endpoint = json.loads(made["badge.json"])
    assert endpoint == {"schemaVersion": 1, "label": "memory", "message": message, "color": colour}
    svg = ElementTree.fromstring(made["badge.svg"])
    assert svg.get("aria-label") == f"memory: {message}"
    assert [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")] == ["memory", message]
    assert message.replace("of", "of the") in made["index.html"].lower()


def test_each_machine_has_its_page_until_it_retires(tmp_path: Path) -> None:
    entries = [run(number, machine=2 if number < 10 else 1) for number in range(RUNS)]
    made = pages(record({"a/x": values()}, entries=entries), tmp_path / "all")
    assert {"index.html", "series-2.html"} <= set(made)
    assert "20 runs from" in made["index.html"] and 'href="series-2.html"' in made["index.html"]
    assert "10 runs from" in made["series-2.html"] and 'href="index.html"' in made["series-2.html"]
    assert "series-2.html" not in pages(record({"a/x": values()}, entries=entries), tmp_path / "last", last=20)


def test_a_chart_has_a_dot_for_each_run_a_line_for_each_level_and_all_inside() -> None:
    noted = Annotation(5, None, None, "", False, "x")
    table = record({"a/x": [*values(1.3)[:-1], 500.0]}).table(list(map(run, range(RUNS))))
    (series,) = check.judge(table, [noted], 0.02, lambda run, names: {}).series
    drawn = history_svg.chart(series)
    svg = ElementTree.fromstring(str(drawn.svg))
    paths = {str(path.get("class")): str(path.get("d")) for path in svg}
    assert (paths["run"] + paths["beyond"]).count("h0") == RUNS and paths["beyond"].count("h0") == 1
    assert paths["level"].count("H") == 2 and {"noted", "changed"} <= set(paths)
    numbers = [int(number) for path in paths.values() for number in re.findall(r"-?\d+", path)]
    assert min(numbers) >= 0 and max(numbers) <= history_svg.WIDTH
    assert [mark.text for mark in drawn.marks] == ["+29.9 %"] and abs(drawn.marks[0].place - 50) < 2
    assert drawn.dates[0] == "2024-01-01" and len(drawn.dates) == 3


@pytest.mark.nightly
def test_a_page_of_many_runs_and_series_is_made_soon(tmp_path: Path) -> None:
    """200 runs of 600 series: seconds where a minute is allowed; the page is no larger than its numbers demand."""
    drawn = np.random.default_rng(1).normal(100, 1, (600, 200))
    kept = record({f"f{number % 60}/{number}": list(row) for number, row in enumerate(drawn)})
    page = pages(kept, tmp_path, last=200)["index.html"]
    assert len(page) < 30 * drawn.size
