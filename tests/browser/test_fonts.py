"""Do a chart's letters have room in a browser that sets them in DejaVu Sans, and in one that has only Verdana?

Verdana is not free, so a stand-in is built: DejaVu Sans, each glyph as wide as Verdana's. No other font is installed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from matplotlib import font_manager

from suite import charts
from suite.results.read import read_run
from support import ROOT
from support.chromium import Browser, running_browser

REFERENCE = ROOT / "results" / "reference" / "run.json.gz"

# Widths of the glyphs from ! to ~ and of the space, in 2048ths of an em: the advance widths in Verdana's hmtx table.
PRINTABLE = [chr(code) for code in range(0x20, 0x7F)]
DIGITS, DIGITS_BOLD = [1302] * 10, [1456] * 10
NORMAL = [
    720, 806, 940, 1676, 1302, 2204, 1488, 550, 930, 930, 1302, 1676, 745, 930, 745, 930, *DIGITS, 930, 930, 1676,
    1676, 1676, 1117, 2048, 1400, 1404, 1430, 1578, 1295, 1177, 1588, 1539, 862, 931, 1419, 1140, 1726, 1532, 1612,
    1235, 1612, 1424, 1400, 1262, 1499, 1400, 2025, 1403, 1260, 1403, 930, 930, 930, 1676, 1302, 1302, 1230, 1276,
    1067, 1276, 1220, 720, 1276, 1296, 562, 705, 1212, 562, 1992, 1296, 1243, 1276, 1276, 874, 1067, 807, 1296, 1212,
    1676, 1212, 1212, 1076, 1300, 930, 1300, 1676,
]  # fmt: skip
BOLD = [
    700, 824, 1203, 1776, 1456, 2605, 1766, 680, 1113, 1113, 1456, 1776, 741, 983, 741, 1411, *DIGITS_BOLD, 824, 824,
    1776, 1776, 1776, 1263, 1974, 1590, 1560, 1482, 1700, 1399, 1332, 1661, 1715, 1117, 1137, 1579, 1305, 1940, 1732,
    1740, 1501, 1740, 1602, 1455, 1396, 1663, 1564, 2311, 1564, 1509, 1417, 1113, 1411, 1113, 1776, 1456, 1456, 1368,
    1432, 1205, 1432, 1360, 865, 1432, 1459, 700, 825, 1374, 700, 2167, 1459, 1406, 1432, 1432, 1018, 1215, 933, 1459,
    1332, 2006, 1370, 1332, 1222, 1456, 1113, 1456, 1776,
]  # fmt: skip
VERDANA = {
    weight: {**dict(zip(PRINTABLE, widths)), "\u00a0": widths[0], "×": widths[11], "−": widths[11], "µ": widths[85]}
    for weight, widths in (("normal", NORMAL), ("bold", BOLD))
}

# What a chart's texts are, where they lie in shares of its page, and how large their letters are.
TEXTS = """
return [...document.querySelectorAll('svg')].map(svg => {
  const page = svg.getBoundingClientRect(), scale = page.width / svg.viewBox.baseVal.width;
  return [...svg.querySelectorAll('text')].map(text => {
    const box = text.getBoundingClientRect(), size = parseFloat(getComputedStyle(text).fontSize);
    return [text.textContent, (box.left - page.left) / scale, (box.top - page.top) / scale,
      (box.right - page.left) / scale, (box.bottom - page.top) / scale, size, svg.viewBox.baseVal.width,
      svg.viewBox.baseVal.height];
  });
});"""
BLANK = 0.2  # of a letter's height: above a capital, and below the line, in a text's box
NEAR = 0.5  # points that rounding and hinting may take


@dataclass(frozen=True)
class SetText:
    text: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, neighbour: SetText) -> bool:
        across = min(self.right, neighbour.right) - max(self.left, neighbour.left)
        return across > NEAR and min(self.bottom, neighbour.bottom) - max(self.top, neighbour.top) > NEAR


def stand_in(folder: Path, weight: str, family: str, widths: Mapping[str, int]) -> None:
    """Writes DejaVu Sans under another name, with other advance widths."""
    file = font_manager.findfont(font_manager.FontProperties(family="DejaVu Sans", weight=weight))
    with TTFont(file) as font:
        names = font.getBestCmap()
        for letter, width in widths.items():
            _, bearing = font["hmtx"][names[ord(letter)]]
            font["hmtx"][names[ord(letter)]] = (width, bearing)
        for table in {"kern", "GPOS", "GSUB"} & set(font.keys()):
            del font[table]
        for record in font["name"].names:
            if record.nameID in (1, 4, 6, 16):
                record.string = family
        font.save(folder / f"{family}-{weight}.ttf")


@pytest.fixture(scope="module", params=["DejaVu Sans", "Verdana"])
def browser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser with no font but this."""
    folder = tmp_path_factory.mktemp("fonts")
    for weight in ("normal", "bold"):
        stand_in(folder, weight, request.param, VERDANA[weight] if request.param == "Verdana" else {})
    settings = folder / "fonts.conf"
    settings.write_text(
        f"<fontconfig><dir>{folder}</dir><cachedir>{folder}/cache</cachedir></fontconfig>", encoding="utf-8"
    )
    yield from running_browser(tmp_path_factory, {"FONTCONFIG_FILE": str(settings)})


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """All charts of the reference run."""
    return charts.draw_all(read_run(REFERENCE), tmp_path_factory.mktemp("figures"), ("svg",))


def set_texts(browser: Browser, figures: list[Path], folder: Path) -> dict[str, tuple[list[SetText], float, float]]:
    """The texts of each chart as the browser sets them, and the width and height of its page."""
    page = folder / "charts.html"
    markup = (file.read_text(encoding="utf-8").partition("?>\n")[2] for file in figures)
    page.write_text(f"<!DOCTYPE html><meta charset='utf-8'>{''.join(markup)}", encoding="utf-8")
    browser.driver.get(page.as_uri())
    by_chart = {}
    for file, texts in zip(figures, browser.run(TEXTS)):
        boxes = [
            SetText(text, left, top + BLANK * size, right, bottom - BLANK * size)
            for text, left, top, right, bottom, size, _, _ in texts
        ]
        by_chart[file.stem] = (boxes, float(texts[0][6]), float(texts[0][7]))
    return by_chart


def test_no_letters_of_a_chart_overlap_or_leave_the_page(browser: Browser, figures: list[Path], tmp_path: Path) -> None:
    faults = []
    for name, (texts, width, height) in set_texts(browser, figures, tmp_path).items():
        assert len(texts) > 5, name
        faults += [
            f"{name}: {text.text!r} leaves the page by {max(-text.left, text.right - width):.1f} points"
            for text in texts
            if text.left < 0 or text.right > width or text.top < 0 or text.bottom > height
        ]
        faults += [
            f"{name}: {text.text!r} overlaps {neighbour.text!r}"
            for text, neighbour in itertools.combinations(texts, 2)
            if text.overlaps(neighbour)
        ]
    assert faults == []


def test_the_browser_sets_the_widths_of_its_font(browser: Browser, request: pytest.FixtureRequest) -> None:
    """The stand-in is in use, and its widths are those of Verdana."""
    browser.driver.get("data:text/html,<svg><text style=\"font:700 2048px 'DejaVu Sans',Verdana\">W</text></svg>")
    width = browser.run("return document.querySelector('text').getComputedTextLength()")
    verdana = "Verdana" in request.node.name
    assert width == pytest.approx(VERDANA["bold"]["W"] if verdana else 2259, abs=1)
