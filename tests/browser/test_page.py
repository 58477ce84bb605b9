"""Does the report work in a browser: for the mouse, the keyboard, a phone, a printer and a screen reader?"""

from __future__ import annotations

import base64
import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from suite import charts
from suite.base.files import write_json
from suite.base.text import three_figures, time_text
from suite.pages import report
from suite.results.model import Document
from suite.results.read import read_run
from suite.results.run_names import names_of
from suite.stats.estimates import estimate_median
from support import synthetic

pytest.importorskip("selenium.webdriver", reason="selenium is not installed: scripts/setup --for test")
from selenium.webdriver.common.keys import Keys  # noqa: E402 # known to be there only now

from support import ROOT
from support.chromium import Browser, running_browser  # noqa: E402

REFERENCE = ROOT / "results" / "reference"
AXE = Path(__file__).with_name("node_modules") / "axe-core" / "axe.min.js"
NARROW = (390, 844)
CHART = "[id='chart=handoff']"
MOST_BYTES = 900_000  # of a full run's page, some 4,500 benchmarks: it is kept beside the reference run
MOST_TO_FIRST_PAINT = 1000.0  # milliseconds, on a machine that does nothing else: a tenth of it is usual
SLACK = 3  # for one that tests in parallel


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    yield from running_browser(tmp_path_factory)


@pytest.fixture(scope="module")
def full_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the reference run, a run of all families, with a few of its charts: all of them take long to draw."""
    drawn = {name: chart for name, chart in charts.charts().items() if name in ("claims", "handoff", "scoped", "tlb")}
    with mock.patch.object(charts, "charts", lambda: drawn):
        made = report.make([read_run(REFERENCE / "run.json.gz")])
    return report.write(made, tmp_path_factory.mktemp("full") / "report.html")


def page_of(folder: Path, *documents: Document) -> Path:
    files = []
    for number, document in enumerate(documents):
        files.append(folder / f"{number}.json")
        write_json(files[-1], document)
    return report.write(report.make([read_run(file) for file in files]), folder / "report.html")


def few(name: str) -> bool:
    return name.startswith(("handoff/", "private/", "chase/"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page_of(tmp_path_factory.mktemp("few"), synthetic.document(keep=few))


# ---- the whole page


@pytest.mark.nightly
def test_the_page_beside_the_reference_run_is_todays_and_under_900_kb() -> None:
    kept = (REFERENCE / "report.html").read_text(encoding="utf-8")
    assert report.make([read_run(REFERENCE / "run.json.gz")]) == kept, "write it: scripts/report results/reference"
    assert len(kept.encode()) < MOST_BYTES


def test_a_full_run_asks_nothing_of_the_network(chromium: Browser, full_page: Path) -> None:
    chromium.requests()
    chromium.open(full_page)
    chromium.click("[data-save=png]")
    assert {url.partition(":")[0] for url in chromium.requests()} <= {"file", "about", "data", "blob"}
    assert chromium.complaints() == []


@pytest.mark.timing
def test_a_full_run_is_painted_within_a_second(chromium: Browser, full_page: Path) -> None:
    paints = []
    for _ in range(3):  # the best of three: other work on this machine is not the page's
        chromium.open(full_page)
        script = "return performance.getEntriesByName('first-contentful-paint').map(entry => entry.startTime)"
        chromium.wait(lambda: chromium.run(script))
        paints += chromium.run(script)
    assert min(paints) < SLACK * MOST_TO_FIRST_PAINT


def test_the_page_never_scrolls_sideways(chromium: Browser, full_page: Path) -> None:
    chromium.open(full_page)
    few_tables = "details:not(.of-family), #family-scoped details"  # all the tables together take long to lay out
    chromium.run("for (const details of document.querySelectorAll(arguments[0])) details.open = true", few_tables)
    for width in (1440, 820, 390, 320):
        chromium.resize((width, 844))
        assert chromium.run("return document.documentElement.scrollWidth") <= width


def test_an_address_leads_to_its_place(chromium: Browser, full_page: Path) -> None:
    chromium.open(full_page, fragment="#figures")
    top = "return document.getElementById('figures').getBoundingClientRect().top"
    chromium.wait(lambda: 0 <= chromium.run(top) < 200)


def chapters(chromium: Browser) -> list[str]:
    """Those that are shown."""
    return chromium.texts(".chapter:not([hidden]) > h2")


def address(chromium: Browser) -> str:
    return str(chromium.run("return location.hash"))


def is_in_view(chromium: Browser, selector: str) -> bool:
    top = "return document.querySelector(arguments[0]).getBoundingClientRect().top"
    return 0 <= float(chromium.run(top, selector)) < 300


def test_an_address_that_names_nothing_shows_the_whole_page(chromium: Browser, page: Path) -> None:
    for fragment in ("#%", "#nowhere", "#chart=none", "#chapter=none&q="):
        chromium.open(page, fragment=fragment)
        assert len(chapters(chromium)) == 2 and chromium.texts(".chips a[aria-current]") == ["All"], fragment
    assert chromium.complaints() == []


def test_an_address_has_chapter_figure_and_search(chromium: Browser, full_page: Path) -> None:
    chromium.open(full_page, fragment="#chapter=allocation&q=64+B+glibc")
    assert chapters(chromium) == ["Allocation"]
    assert chromium.texts(".chips a[aria-current]") == ["Allocation"]
    assert chromium.find("#search").get_property("value") == "64 B glibc"
    assert {name.split("/")[1] for name in names(chromium)} == {"glibc"}
    assert all("bytes:64/" in f"{name}/" for name in names(chromium))
    assert is_in_view(chromium, "#figures")
    assert chromium.find("#link-to-search").get_property("hash") == "#chapter=allocation&q=64+B+glibc"
    chromium.run("location.hash = '#chart=tlb&chapter=allocation'")  # the figure's chapter is another
    chromium.wait(lambda: is_in_view(chromium, "[id='chart=tlb'].linked"))
    assert len(chapters(chromium)) > 3 and chromium.texts(".chips a[aria-current]") == ["All"]
    chromium.driver.back()
    chromium.wait(lambda: chapters(chromium) == ["Allocation"])
    assert chromium.find("#search").get_property("value") == "64 B glibc"


def test_chapters_are_filtered_and_the_way_back_is_the_browsers(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    chromium.click(".chips a[data-chapter=contention]")
    assert (chapters(chromium), address(chromium)) == (["Contention"], "#chapter=contention")
    assert {name.split("/")[0] for name in names(chromium)} == {"handoff", "private"}
    search(chromium, "threads:2")
    assert address(chromium) == "#chapter=contention&q=threads:2"
    chromium.click(".chips a")
    assert address(chromium) == "#q=threads:2" and len(chapters(chromium)) == 2
    for expected in ("#chapter=contention&q=threads:2", "#chapter=contention", ""):  # a search is a single step
        chromium.driver.back()
        chromium.wait(lambda: address(chromium) == expected)
    chromium.wait(lambda: len(chapters(chromium)) == 2)
    assert chromium.find("#search").get_property("value") == ""
    chromium.click(f"{CHART} .tools a")
    assert address(chromium) == "#chart=handoff"
    assert is_in_view(chromium, f"{CHART}.linked")


# ---- the table


def names(chromium: Browser) -> list[str]:
    return chromium.texts("#table tbody th")


def search(chromium: Browser, text: str) -> None:
    field = chromium.find("#search")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(Keys.BACKSPACE, text)


def test_search_finds_what_has_every_word(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    everything = len(names(chromium))
    search(chromium, "PRIVATE glibc threads:1")
    assert names(chromium) == ["private/glibc/threads:1"]
    assert chromium.texts("#found")[0].startswith("1 of ")
    search(chromium, "no such benchmark")
    assert names(chromium) == []
    search(chromium, "")
    assert len(names(chromium)) >= everything


def test_search_understands_sizes(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    search(chromium, "bytes:4096/")
    expected = names(chromium)
    assert expected
    for text in ("4 KiB", "4kb", "4 K", "4096 B", "4,096 bytes"):
        search(chromium, text)
        assert names(chromium) == expected, text
    search(chromium, "4k")
    assert {"home:mmap_4k" in name or "bytes:4096/" in name for name in names(chromium)} == {True}
    assert len(names(chromium)) > len(expected)  # it is also a word of names
    search(chromium, "chase 1 MiB")
    assert all("bytes:1048576/" in name for name in names(chromium)) and names(chromium)
    assert "“1 MiB” means 1,048,576 bytes" in chromium.texts("#found")[0]


def test_figures_of_different_units_are_sorted_apart(chromium: Browser, full_page: Path) -> None:
    chromium.open(full_page, fragment="#chapter=limits&q=stack_limit")
    header = "#table thead th:nth-child(2)"
    for direction in ("ascending", "descending"):
        chromium.click(f"{header} button")
        assert chromium.find(header).get_attribute("aria-sort") == direction
        headings = chromium.texts("#table tr.kind")
        assert {"In bytes", "In calls"} <= set(headings) and len(headings) == len(set(headings))
        rows = chromium.run("return [...document.querySelectorAll('#table tbody tr')].map(row => row.innerText)")
        of_bytes = rows[rows.index("In bytes") + 1 :][:4]
        assert all("_bytes" in row and ("KiB" in row or "MiB" in row or " B" in row) for row in of_bytes)


def test_sorting_orders_by_value_and_says_so(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    search(chromium, "private threads:1")
    run = read_run(page.with_name("0.json"))
    by_cost = sorted(run.series("private", threads=1), key=lambda benchmark: estimate_median(benchmark.times).median)
    expected = [benchmark.name.text for benchmark in by_cost]
    header = "#table thead th:nth-child(2)"
    chromium.click(f"{header} button")
    assert names(chromium) == expected
    assert chromium.find(header).get_attribute("aria-sort") == "ascending"
    chromium.click(f"{header} button")
    assert names(chromium) == expected[::-1]
    assert chromium.find(header).get_attribute("aria-sort") == "descending"
    assert chromium.find("#table thead th").get_attribute("aria-sort") is None


def test_the_unit_can_be_chosen(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    search(chromium, "chase bytes:4096 random heap")
    median = "#table tbody td"

    def shown(unit: str) -> str:
        chromium.run(
            "const unit = document.getElementById('unit'); unit.value = arguments[0];"
            "unit.dispatchEvent(new Event('change', {bubbles: true}))", unit,
        )  # fmt: skip
        return chromium.texts(median)[0]

    run = read_run(page.with_name("0.json"))
    (benchmark,) = run.series("chase", bytes=4096, order="random", home="heap")
    ns = estimate_median(benchmark.times).median
    assert shown("time") == time_text(ns)
    assert shown("ns") == three_figures(ns)
    assert shown("cycles") == three_figures(ns / 0.25)
    assert float(shown("rate").removesuffix(" M/s")) == pytest.approx(1000 / ns, abs=1)


def test_more_rows_come_when_asked_for(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    assert len(names(chromium)) == 100
    chromium.click("#more")
    assert len(names(chromium)) > 100


def test_a_family_opens_its_own_figures(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    chromium.click("#family-handoff .of-family summary")
    chromium.wait(lambda: chromium.texts("#family-handoff tbody th"))
    assert all(name.startswith("handoff/") for name in chromium.texts("#family-handoff tbody th"))


# ---- charts


def place_of(chromium: Browser, spot: int) -> tuple[float, float]:
    """On the screen, in CSS pixels."""
    script = """
        const figure = document.querySelector(arguments[0]), svg = figure.querySelector('svg');
        const [x, y] = figure.querySelectorAll('.spots li')[arguments[1]].dataset.at.split(' ');
        svg.scrollIntoView({behavior: 'instant', block: 'center'});
        const place = new DOMPoint(Number(x), Number(y)).matrixTransform(svg.getScreenCTM());
        return [place.x, place.y];"""
    x, y = chromium.run(script, CHART, spot)
    return float(x), float(y)


def test_pointing_at_a_point_tells_its_value(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    x, y = place_of(chromium, 1)
    chromium.point(x + 3, y - 3)
    value = f"{CHART} .value"
    chromium.wait(lambda: chromium.find(value).is_displayed())
    assert chromium.texts(value)[0] == chromium.texts(f"{CHART} .spots li")[1]
    assert " ns (" in chromium.texts(value)[0]
    chromium.point(5, 5)
    chromium.wait(lambda: not chromium.find(value).is_displayed())


def test_a_ring_lies_on_the_mark_that_it_tells_of(chromium: Browser, page: Path) -> None:
    """The spot's place is where the chart drew the point: some mark of the SVG is there."""
    chromium.open(page)
    for spot in (0, 2):
        x, y = place_of(chromium, spot)
        tag = chromium.run("return document.elementFromPoint(arguments[0], arguments[1]).tagName", x, y)
        assert tag == "use"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_saved_svg_stands_alone(chromium: Browser, page: Path, theme: str) -> None:
    chromium.open(page, color_scheme=theme)
    (chromium.downloads / "chart-handoff.svg").unlink(missing_ok=True)
    chromium.click(f"{CHART} [data-save=svg]")
    saved = chromium.downloaded("chart-handoff.svg")
    tree = ElementTree.fromstring(saved)
    assert (tree.get("viewBox"), tree.get("width")) == ("0 0 1152 648", "1152pt")
    assert b"var(" not in saved and b"class=\"s" not in saved  # its colours and styles are its own
    assert (b"#14161a" in saved) == (theme == "dark")
    (title,) = tree.iter("{http://www.w3.org/2000/svg}title")
    assert title.text == chromium.texts(f"{CHART} figcaption h4")[0]
    texts = list(tree.iter("{http://www.w3.org/2000/svg}text"))
    assert title.text in " ".join(text.text or "" for text in texts)  # the words of the whole chart are there
    assert all("'DejaVu Sans',Verdana,sans-serif" in text.get("style", "") for text in texts)


def test_a_saved_png_is_sharp_on_a_projector(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    chromium.click(f"{CHART} [data-save=png]")
    saved = chromium.downloaded("chart-handoff.png")
    assert saved.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", saved[16:24]) == (3840, 2160)
    assert len(saved) > 50_000  # not an empty page


# ---- light and dark


def background(chromium: Browser) -> Any:
    return chromium.style("body", "backgroundColor")


def test_the_theme_is_the_systems_until_the_reader_chooses(chromium: Browser, page: Path) -> None:
    chromium.open(page, color_scheme="dark")
    dark, dark_line = background(chromium), chromium.style(f"{CHART} svg text", "fill")
    chromium.media(color_scheme="light")
    light, light_line = background(chromium), chromium.style(f"{CHART} svg text", "fill")
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(20, 22, 26)")
    assert light_line != dark_line
    chromium.click("[name=theme][value=dark]")
    assert background(chromium) == dark
    chromium.open(page, color_scheme="light")
    assert background(chromium) == dark  # remembered
    chromium.click("[name=theme][value=auto]")
    assert background(chromium) == light


def test_a_dark_page_is_printed_light_and_whole(chromium: Browser, page: Path) -> None:
    chromium.open(page, color_scheme="dark")
    chromium.click("[name=theme][value=dark]")
    chromium.media("print", color_scheme="dark")
    assert background(chromium) == "rgb(255, 255, 255)"
    assert chromium.style(".bar", "display") == "none"
    assert chromium.style(f"{CHART} .plot", "display") == "block"
    table, folded = "#figures .scroll", f"{CHART} .tools details"
    assert {chromium.style(selector, "display") for selector in (table, folded, f"{CHART} .tools a")} == {"none"}
    note = "return getComputedStyle(document.querySelector('.found'), '::after').content"
    assert "printed where all of it is shown" in chromium.run(note)  # 100 rows of many
    chromium.run("location.hash = '#q=handoff/glibc'; document.querySelector(arguments[0]).open = true", folded)
    chromium.wait(lambda: chromium.style(table, "display") == "block")
    assert chromium.style(folded, "display") == "block"
    printed = base64.b64decode(chromium.command("Page.printToPDF", preferCSSPageSize=True)["data"])
    chromium.media()
    chromium.click("[name=theme][value=auto]")
    assert printed.startswith(b"%PDF") and printed.count(b"/Type /Page\n") >= 3


# ---- the keyboard


def test_the_keyboard_reaches_everything(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    chromium.press(Keys.TAB)
    assert chromium.driver.switch_to.active_element.get_attribute("class") == "skip"
    chromium.press(Keys.ENTER)
    assert chromium.run("return document.activeElement.id") == "findings"
    reached = set()
    for _ in range(400):
        chromium.press(Keys.TAB)
        script = "const at = document.activeElement; return [at.tagName, at.id || at.className || at.type]"
        described = chromium.run(script)
        reached.add(tuple(described))
        if tuple(described) == ("BUTTON", "more"):
            break
    assert {("INPUT", "search"), ("SELECT", "unit"), ("BUTTON", "more")} <= reached
    assert {("DIV", "plot"), ("BUTTON", "button")} <= reached  # charts, and what saves and sorts


def test_arrow_keys_walk_through_a_charts_values(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    spots, value = chromium.texts(f"{CHART} .spots li"), f"{CHART} .value"
    chromium.run("document.querySelector(arguments[0]).focus()", f"{CHART} .plot")
    for keys, expected in (((Keys.ARROW_RIGHT,), 0), ((Keys.ARROW_DOWN,), 1), ((Keys.END,), -1), ((Keys.HOME,), 0)):
        chromium.press(*keys)
        assert chromium.texts(value)[0] == spots[expected]
    assert chromium.style(f"{CHART} .plot", "outlineStyle") == "solid"  # the focus is seen
    chromium.press(Keys.ESCAPE)
    assert not chromium.find(value).is_displayed()


def test_a_header_sorts_by_the_keyboard(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    chromium.run("document.querySelector('#table thead button').focus()")
    chromium.press(Keys.ENTER)
    assert chromium.find("#table thead th").get_attribute("aria-sort") == "ascending"


def test_who_wants_no_motion_gets_none(chromium: Browser, page: Path) -> None:
    chromium.open(page, reduced_motion="reduce")
    assert chromium.style("html", "scrollBehavior") == "auto"


# ---- a screen reader


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_problem(chromium: Browser, page: Path, theme: str) -> None:
    if not AXE.exists():
        pytest.skip(f"axe-core is not installed: npm ci --prefix {AXE.parents[2].relative_to(ROOT)}")
    chromium.open(page, color_scheme=theme)
    chromium.run("for (const details of document.querySelectorAll('details')) details.open = true")
    chromium.driver.set_script_timeout(120)
    chromium.run(f"{AXE.read_text(encoding='utf-8')}; window.axe = axe")
    for width in (1400, 390):
        chromium.resize((width, 844))
        violations = chromium.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations'], elementRef: false})"
            ".then(result => done(result.violations.map(rule => [rule.id, rule.nodes[0].html.slice(0, 200)])))"
        )
        assert violations == [], width


def test_headings_are_in_order_and_ids_are_unique(chromium: Browser, full_page: Path) -> None:
    chromium.open(full_page)
    levels = chromium.run("return [...document.querySelectorAll('h1,h2,h3,h4')].map(heading => Number(heading.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:]))
    ids = chromium.run("return [...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids))


# ---- a phone, several runs, hostile text


LETTERS = """
return [...document.querySelectorAll(arguments[0] + ' .narrow-view text')].map(text => {
  const svg = text.closest('svg'), scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  const box = text.getBoundingClientRect();
  return [parseFloat(getComputedStyle(text).fontSize) * scale, box.left, box.right];
});"""


def test_on_a_phone_a_chart_is_drawn_anew(chromium: Browser, page: Path) -> None:
    chromium.open(page, NARROW)
    letters = chromium.run(LETTERS, CHART)
    assert len(letters) > 5
    assert all(size > 11 and left >= 0 and right <= NARROW[0] for size, left, right in letters)
    assert chromium.style(f"{CHART} .both-view", "display") == "none"
    assert chromium.run("return document.querySelector('.contents details').open") is False
    chromium.run("document.querySelector(arguments[0]).focus()", f"{CHART} .plot")
    chromium.press(Keys.END)
    assert chromium.texts(f"{CHART} .value") == chromium.texts(f"{CHART} .spots li:last-child")
    ring, mark = chromium.run(
        "const ends = ['.ring', 'use:last-of-type'].map(kind => document.querySelector(`${arguments[0]} ${kind}`));"
        "return ends.map(part => part.getBoundingClientRect()).map(box => [box.x + box.width / 2, box.y + box.height / 2])",
        f"{CHART} .narrow-view",
    )  # fmt: skip
    assert ring == pytest.approx(mark, abs=8)
    chromium.resize((1440, 900))
    assert chromium.style(f"{CHART} .both-view", "display") == "block"
    assert chromium.style(f"{CHART} .narrow-view", "display") == "none"


def test_two_runs_stand_side_by_side(chromium: Browser, tmp_path: Path) -> None:
    def twice(name: str) -> float:
        return 2 * synthetic.price(name)

    first, second = synthetic.document(keep=few), synthetic.document(keep=few, ns=twice)
    chromium.open(page_of(tmp_path, first, second))
    search(chromium, "private/glibc/threads:1")
    first_name, second_name = names_of([read_run(tmp_path / f"{side}.json") for side in (0, 1)])
    assert chromium.texts("#table thead [scope=colgroup]") == [f"A {first_name}", f"B {second_name}"]
    assert chromium.texts("#table thead tr:last-child th")[1:] == ["Median", "Interval", "Median", "Interval", "B / A"]
    labels = "return [...document.querySelectorAll('#table thead button')].map(button => button.ariaLabel)"
    assert chromium.run(labels)[3:] == [f"{second_name}: median", f"{second_name}: interval", f"B / A: {second_name} / {first_name}"]
    assert chromium.texts("#table tbody tr:first-child td")[4].startswith("2× ")
    chromium.click("[id='chart=handoff-B'] [data-save=svg]")
    saved = chromium.downloaded(f"chart-handoff-B-{second_name.replace(' ', '-')}.svg")
    assert f"<title>{second_name}: ".encode() in saved and f"{second_name} · 2 cores".encode() in saved
    for side in ("A", "B"):
        assert chromium.find(f"[id='chart=handoff-{side}']").is_displayed()
    assert chromium.complaints() == []


HOSTILE = (
    "<script>window.hacked = 1</script><img src=x onerror='hacked = 1'>\"'`</script><!--{{ 7 * 7 }}\u202e"
    " javascript:hacked=1"
)


def test_hostile_text_stays_text(chromium: Browser, tmp_path: Path) -> None:
    document = synthetic.document(keep=lambda name: name.startswith("handoff/"))
    context = document["context"]
    for key in ("host_name", "date", "compiler", "topology", "process_malloc", "malloc.glibc"):
        context[key] = HOSTILE
    check = dict.fromkeys(("name", "state", "value", "effect", "remedy"), HOSTILE)
    context["suite"]["about"]["machine"] = {"verdict": HOSTILE, "findings": [check]}
    words = ("question", "operation", "untimed", "heap", "held_against", "unfairness")
    context["suite"]["about"]["families"]["handoff"] = dict.fromkeys(words, HOSTILE)
    name = "x<img src=x onerror=hacked=1>/\"'</script><script>hacked=1</script>"
    for row in document["benchmarks"]:
        if row["run_name"] == "handoff/none/pairs:1":
            row.update(run_name=name, name=name)
    chromium.open(page_of(tmp_path, document))
    assert chromium.run("return window.hacked") is None
    assert chromium.run("return document.querySelectorAll('img').length") == 0
    assert name in names(chromium)
    assert "{{ 7 * 7 }}" in chromium.texts("#machine")[0]
    assert all("\u202e" not in text for text in chromium.texts("main"))
    assert chromium.run("return [...document.links].every(link => link.protocol === 'file:')")
    assert chromium.complaints() == []
