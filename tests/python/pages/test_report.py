"""Does the page agree with its runs, whatever their state, and does text from a file stay text?"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ElementTree
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from suite import charts, claims
from suite.base.errors import BadInput
from suite.base.files import write_json
from suite.base.text import time_text
from suite.charts.kit.svg import WORDS
from suite.commands import report as command
from suite.pages import inline_svg, report
from suite.results.model import Document, Run
from suite.results.read import read_run
from suite.results.run_names import names_of
from suite.stats.estimates import estimate_median
from support import synthetic

pytestmark = pytest.mark.slow  # draws the charts of whole pages

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}</script>"
VOID = frozenset("meta link input br img hr wbr".split())


class ParsedPage(HTMLParser):
    """A page's elements and its text outside of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.pieces: list[str] = []
        self.data: dict[str, str] = {}
        self.reading = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [str(given["id"])] if "id" in given else []
        self.links += [str(given[key]) for key in ("href", "src") if key in given]
        self.reading = str(given.get("id", tag)) if tag in ("script", "style") else ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, f"</{tag}> closes something else"
        self.reading = ""

    def handle_data(self, data: str) -> None:
        if self.reading:
            self.data[self.reading] = data
        else:
            self.pieces.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.pieces).split())


def few(name: str) -> bool:
    return name.startswith("handoff/")


def page_of(*runs: Run) -> ParsedPage:
    made = ParsedPage(report.make(runs))
    assert made.open == []
    return made


def changed(tmp_path: Path, change: Callable[[Document], object], **options: Any) -> Run:
    """A synthetic run whose file was changed."""
    document = synthetic.document(keep=few, **options)
    change(document)
    write_json(tmp_path / "run.json", document)
    return read_run(tmp_path / "run.json")


def data(page: ParsedPage) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(page.data["data"])))


def rows(page: ParsedPage) -> list[report.Row]:
    """As the page's script makes them."""
    figures = data(page)["figures"]

    def cells(sides: Any, index: int) -> list[Any]:
        cells_of_row = [[column[index] for column in side] for side in sides]
        for cell in cells_of_row:
            for median in range(0, len(cell) - 2, 3)[:2]:
                for end in (median + 1, median + 2):
                    if cell[median] and cell[end] is not None:
                        cell[end] = cell[median] * (1 + cell[end] / 1e4)
        return [None if cell[0] is None else cell for cell in cells_of_row]

    return [
        [name, counter, cells(figures["cells"], index), cells(figures["ratios"], index)]
        for index, (name, counter) in enumerate(zip(figures["names"], figures["counters"]))
    ]


# ---- the content of the page


def test_the_page_shows_claims_charts_and_descriptions_of_families() -> None:
    run = synthetic.synthetic(keep=few)
    page = page_of(run)
    drawn = charts.draw(run, "handoff")
    assert drawn is not None
    for text in ("What does handoff ask?", drawn.title, drawn.caption):
        assert " ".join(text.split()) in page.text
    assert data(page)["charts"]["handoff"]["texts"] == [spot.text for spot in drawn.spots]
    for claim in claims.verdicts(run):
        assert claim.verdict in page.text
        assert all(" ".join(text.split()) in page.text for text in (claim.gist, claim.details))


def test_the_page_shows_the_machine_and_its_checks(tmp_path: Path) -> None:
    check = {"name": "turbo", "state": "mind", "value": "on", "effect": "heat decides", "remedy": "turn it off"}
    machine = {"verdict": "Keep in mind: turbo.", "findings": [check]}
    run = changed(tmp_path, lambda document: document["context"]["suite"]["about"].update(machine=machine))
    text = page_of(run).text
    assert "Keep in mind: turbo." in text and "Heat decides. turn it off" in text
    assert "GNU 12.2.0 -O3" in text and "reported 48 KiB L1, 2 MiB L2, 32 MiB L3" in text


def test_every_figure_is_in_the_table_with_interval_and_cycles() -> None:
    run = synthetic.synthetic(keep=few)
    table = {(name, counter): cells for name, counter, cells, _ in rows(page_of(run))}
    for benchmark in run.series():
        figure, (cell,) = estimate_median(benchmark.times), table[benchmark.name.text, ""]
        assert cell[:3] == [pytest.approx(value, rel=1e-3) for value in (figure.median, figure.low, figure.high)]
        assert cell[3] == pytest.approx(figure.median / 0.25, rel=1e-3)
        assert cell[6:] == [0, 0, 5, 5]


def test_the_duration_of_a_child_process_is_not_a_figure(tmp_path: Path) -> None:
    def in_a_child(document: Document) -> None:
        for row in document["benchmarks"]:
            row.update(child_seconds=1.0, peak=3.0)

    figures = rows(page_of(changed(tmp_path, in_a_child)))
    assert {counter for _, counter, _, _ in figures} == {"peak"}


def test_chapters_are_in_order_and_an_unknown_one_comes_last(tmp_path: Path) -> None:
    def rename(document: Document) -> None:
        document["context"]["suite"]["about"]["families"]["handoff"]["chapter"] = "astrology"

    sides = [report.ReportedRun(changed(tmp_path, rename), "", "otto")]
    sides.append(report.ReportedRun(synthetic.synthetic(keep=lambda name: name.startswith(("many/", "private/"))), "", "emma"))
    chapters = report._chapters(sides, report.DrawnCharts())
    assert [chapter.name for chapter in chapters] == ["allocation", "contention", "astrology"]


def test_a_chapter_may_have_the_name_of_a_family(tmp_path: Path) -> None:
    def rename(document: Document) -> None:
        document["context"]["suite"]["about"]["families"]["handoff"]["chapter"] = "handoff"

    made = report.make([changed(tmp_path, rename)])
    ids = re.findall(r'<section[^>]*aria-labelledby="([^"]*)"', made)
    titles = [found[1] for name in ids if (found := re.search(rf'id="{name}">([^<]*)<', made))]
    assert len(titles) == len(ids) > 4
    assert len({title.casefold() for title in titles}) == len(titles)  # a screen reader lists them


# ---- runs in every state


def test_the_page_of_an_incomplete_run_is_marked(tmp_path: Path) -> None:
    def interrupt(document: Document) -> None:
        failed = [{"family": "scoped", "process": process, "reason": "crashed with signal 11"} for process in (3, 4)]
        document["context"]["suite"].update(complete=False, failed=failed)

    text = page_of(changed(tmp_path, interrupt)).text
    assert "it was interrupted, or is still going on; 2 processes failed" in text
    assert "scoped , process 3: crashed with signal 11" in text
    assert "not whole" not in page_of(synthetic.synthetic(keep=few)).text


def test_disturbed_processes_are_listed_and_marked(tmp_path: Path) -> None:
    def disturb(document: Document) -> None:
        document["context"]["suite"]["units"][0].update(disturbed=True, reasons=["others used 0.5 cores"])

    page = page_of(changed(tmp_path, disturb))
    assert "handoff , process 0: others used 0.5 cores" in page.text
    assert {cell[7] for _, _, (cell,), _ in rows(page)} == {1}


def test_a_run_of_one_process_has_no_intervals() -> None:
    page = page_of(synthetic.synthetic(keep=few, processes=1))
    assert "the run has no intervals" in page.text
    assert {tuple(cell[1:3]) for _, _, (cell,), _ in rows(page)} == {(None, None)}


@pytest.mark.parametrize(
    "about", [{}, {"machine": "fast", "families": ["handoff"]}, {"machine": {"findings": [1, {}]}}]
)
def test_a_run_without_facts_of_machine_or_families_has_a_page(tmp_path: Path, about: dict[str, Any]) -> None:
    page = page_of(changed(tmp_path, lambda document: document["context"]["suite"].update(about=about)))
    assert "This result does not record whether the machine was fit for measuring." in page.text
    assert "handoff" in page.text and "How it was measured" not in page.text


def test_the_results_of_a_single_process_have_a_page(tmp_path: Path) -> None:
    run = changed(tmp_path, lambda document: document["context"].pop("suite"), processes=1)
    assert "Allocate" in page_of(run).text


def test_several_runs_stand_side_by_side() -> None:
    first = synthetic.synthetic(keep=few)
    second = synthetic.synthetic(keep=few, ns=lambda name: 2 * synthetic.price(name), processes=6)
    page = page_of(first, second, first)
    assert {"chart=handoff-A", "chart=handoff-B", "chart=handoff-C"} <= set(page.ids)
    text, names = " ".join(page.text.split()), names_of([first, second, first])
    assert data(page)["sides"] == [{"letter": letter, "name": name} for letter, name in zip("ABC", names)]
    for letter, name, run in zip("ABC", names, (first, second, first)):
        drawn = charts.draw(run, "handoff")
        assert drawn is not None
        assert f"{letter} {name} : {' '.join(drawn.title.split())}" in text
        assert f"{letter} {name} {claims.verdicts(run)[0].verdict}" in text
        assert f" {name} · {run.fact('cores')} cores" in text  # the chart's caption, and so the words of its file
    for _, counter, cells, ratios in rows(page):
        assert len(cells) == 3 and (counter or [round(ratio[0], 1) for ratio in ratios] == [2.0, 1.0])
    controls = [benchmark for run in (first, second) for benchmark in run.series("handoff", "none", pairs=1)]
    assert len(controls) == 2
    assert all(time_text(estimate_median(control.times).median) in page.text for control in controls)


def test_a_family_that_only_one_run_has_is_shown() -> None:
    only_many = synthetic.synthetic(keep=lambda name: name.startswith("many/"))
    page = page_of(synthetic.synthetic(keep=few), only_many)
    assert {"family-handoff", "family-many"} <= set(page.ids)
    assert {tuple(cell is None for cell in cells) for _, _, cells, _ in rows(page)} == {(False, True), (True, False)}


@pytest.mark.hostile("size")
def test_more_runs_than_can_be_read_are_refused() -> None:
    with pytest.raises(BadInput, match="at most 6 runs"):
        report.make([synthetic.synthetic(keep=few)] * 7)


# ---- text from a file stays text


@pytest.mark.hostile("text that is not ours")
def test_hostile_text_adds_no_elements(tmp_path: Path) -> None:
    def poison(document: Document) -> None:
        context = document["context"]
        for key in ("host_name", "date", "compiler", "topology", "profile", "process_malloc", "malloc.glibc"):
            context[key] = HOSTILE
        check = dict.fromkeys(("name", "state", "value", "effect", "remedy"), HOSTILE)
        context["suite"]["about"]["machine"] = {"verdict": HOSTILE, "findings": [check]}
        context["suite"]["about"]["families"]["handoff"] = dict.fromkeys(report.HEADER, HOSTILE)
        context["suite"]["failed"] = [{"family": HOSTILE, "process": 0, "reason": HOSTILE}]
        for row in document["benchmarks"]:
            if row["run_name"] == "handoff/glibc/pairs:1":
                row.update(name=f"x{HOSTILE}", run_name=f"x{HOSTILE}")  # a name begins with a letter

    honest, page = page_of(synthetic.synthetic(keep=few)), page_of(changed(tmp_path, poison))
    assert page.tags.count("script") == honest.tags.count("script") and "img" not in page.tags
    assert "{{ 7 * 7 }}" in page.text
    assert f"x{HOSTILE}" in {row[0] for row in rows(page)}
    assert all(link.startswith(("#", "data:")) for link in page.links)


def test_marks_of_writing_direction_and_very_long_text_are_cut(tmp_path: Path) -> None:
    def poison(document: Document) -> None:
        document["context"].update(host_name="a\u202eb\x07c", compiler="x" * 10_000)

    made = report.make([changed(tmp_path, poison)])
    assert "\u202e" not in made and "\x07" not in made and "a b c" in made
    assert "x" * 4000 in made and "x" * 4100 not in made


def test_only_the_pages_own_script_may_run() -> None:
    made = report.make([synthetic.synthetic(keep=few)])
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', made)
    (allowed,) = re.findall(r"script-src 'sha256-([^']*)'", policy)
    (script,) = re.findall(r"<script>(.*?)</script>", made, re.DOTALL)
    assert base64.b64decode(allowed) == hashlib.sha256(script.encode()).digest()
    assert policy.startswith("default-src 'none'") and "http" not in policy


# ---- charts in a page

Both = tuple[charts.Drawing, charts.Drawing]


@pytest.fixture(scope="module")
def both() -> Both:
    light, dark = (charts.draw(synthetic.synthetic(keep=few), "handoff", charts.Look(theme)) for theme in charts.THEMES)
    assert light is not None and dark is not None
    return light, dark


def test_both_themes_share_one_picture(both: Both) -> None:
    styles = inline_svg.ChartStyles()
    made = inline_svg.inline(*both, styles)
    markup = made.markup + made.words + styles.defined()
    assert not re.search(r"#[0-9a-f]{6}\b|style=", markup)
    rules = dict(re.findall(r"\.(s\d+)\{([^}]*)\}", styles.rules()))
    used = "".join(rules[name] for name in re.findall(r'class="(s\d+)"', markup))
    for drawn, theme in zip(both, charts.THEMES):
        declared = dict(re.findall(r"(--c\d+):(#[0-9a-f]{6});", styles.declared(theme)))
        shown = {declared[name] for name in re.findall(r"var\((--c\d+)\)", used)}
        assert shown == set(re.findall(r"#[0-9a-f]{6}\b", charts.render(drawn, "svg").decode()))


def test_charts_share_definitions_and_every_reference_has_its_target(both: Both) -> None:
    styles = inline_svg.ChartStyles()
    first, second = (inline_svg.inline(*both, styles) for _ in range(2))
    assert first == second
    ids = re.findall(r'\bid="([^"]*)"', styles.defined())
    assert len(ids) == len(set(ids)) > 3
    assert set(re.findall(r'(?:url\(|href=")#([^)"]*)', first.markup)) <= set(ids)
    assert "id=" not in first.markup


def test_a_chart_in_known_colours_is_drawn_once(both: Both) -> None:
    styles = inline_svg.ChartStyles()
    with pytest.raises(inline_svg.UnlikeThemes):
        inline_svg.inline_in_known_colours(both[0], styles)
    assert inline_svg.inline(*both, styles) == inline_svg.inline_in_known_colours(both[0], styles)
    styles.variable("#ffffff", "#000000")  # the page's colour is then two colours in the dark
    with pytest.raises(inline_svg.UnlikeThemes):
        inline_svg.inline_in_known_colours(both[0], styles)


def test_the_drawing_for_a_phone_has_the_figures_and_labels_of_the_chart(both: Both) -> None:
    narrow = charts.draw(synthetic.synthetic(keep=few), "handoff", charts.Look(size=charts.NARROW))
    assert narrow is not None
    assert [spot.text for spot in narrow.spots] == [spot.text for spot in both[0].spots]
    styles = inline_svg.ChartStyles()
    wide = inline_svg.inline(*both, styles)
    exact = inline_svg.inline_in_known_colours(narrow, styles)
    made = inline_svg.in_whole_points(exact)
    assert made.panels[2] < 0.55 * wide.panels[2] and len(made.markup) < len(exact.markup)
    labels = [set(re.findall(r">([a-z]{3}[^<>]*)</text>", part.markup)) for part in (wide, made)]
    assert labels[0] == labels[1] and len(labels[0]) > 5


def test_pictures_that_differ_in_more_than_colour_are_both_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, part = synthetic.synthetic(keep=few), synthetic.synthetic(keep=few, mallocs=2)
    draw = charts.draw

    def by_theme(run: Run, name: str, look: charts.Look = charts.Look()) -> charts.Drawing | None:
        return draw(whole if look.theme == "light" else part, name, look)

    monkeypatch.setattr(charts, "draw", by_theme)
    made = report.make([whole])
    assert made.count('class="view light-view"') == made.count('class="view dark-view"') == 1
    page = ParsedPage(made)
    assert len(page.ids) == len(set(page.ids))


def test_the_panels_are_shown_and_the_words_kept_for_the_file(both: Both) -> None:
    made = inline_svg.inline(*both, inline_svg.ChartStyles())
    tree = ElementTree.fromstring(f"<svg>{made.markup}{made.words}</svg>")
    left, top, width, height = made.panels
    words = {text for group in tree.iter("g") if group.get("class") == WORDS for text in group.iter("text")}
    inside = {True: 0, False: 0}
    for text in tree.iter("text"):
        inside[text in words] += top <= float(text.get("y", "0")) <= top + height
    assert words
    assert inside[True] == 0 and inside[False] > 5
    assert made.whole == (1152.0, 648.0) and left + width <= 1152 and top + height <= 648


# ---- the command


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_json(tmp_path / "run.json", synthetic.document(keep=few))
    return tmp_path / "run.json"


def test_the_page_is_written_beside_the_run(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(file)]) == 0
    page = file.with_name("report.html")
    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert sorted(path.name for path in file.parent.iterdir()) == ["report.html", "run.json"]


def test_the_same_runs_make_the_same_page(file: Path) -> None:
    run = read_run(file)
    assert report.make([run]) == report.make([run])


def test_bad_input_is_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = file.with_name("empty.json")
    empty.write_text("")
    nowhere = ([str(empty)], [str(file.with_name("none.json"))])
    for arguments in (*nowhere, [str(file), "-o", str(file)], [str(file), "-o", str(file.parent / "run.json")]):
        assert command.main(arguments) == 2
        output = capsys.readouterr()
        assert output.out == "" and output.err.count("\n") == 1 and output.err.startswith("scripts/report: ")
    assert read_run(file).series()  # still the run
