"""What surrounds every drawing? The finding as its title, the description, the method, and the machine.

All lengths are points of a talk page. A paper page is a smaller page at a smaller scale.
"""

from __future__ import annotations

import contextlib
import math
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from suite.base import phrases
from suite.base.chart_options import PAPER, PORTRAIT, TALK
from suite.charts.kit.marks import QUIET, STRONG, Mark, mark_of
from suite.results.caches import reported_text
from suite.results.model import Run, own_label
from suite.stats.estimates import Estimate

Item = TypeVar("Item")
STYLE = Path(__file__).with_name("suite.mplstyle")
_GAP, _LINE, _KEY_LINE = 14.0, 1.22, 1.4  # points, heights of a letter
_MOST_LINES = 4  # of a text
_MOST_LETTERS = 1_000  # of a text's own line: more never fit, and to cut them word by word would take minutes
_PAGE = {"light": "#ffffff", "dark": "#14161a"}
_GRID = {"light": "#e3e6ea", "dark": "#2b3038"}
_LONGEST_VERSION = 8
_BOLD_IN_VERDANA = 1.04  # times as wide as in DejaVu Sans, at most: a browser without that sets an SVG's text in Verdana


@dataclass(frozen=True)
class Sheet:
    """The page of a chart. Its lengths are points of a talk page; `scale` converts them to points of the file."""

    width: float
    height: float
    pixels: int  # across, of a PNG file
    scale: float = 1.0
    margin: float = 40.0  # at the left and the right
    has_versions: bool = True  # beside the names of mallocs, where they are short
    is_narrow: bool = False  # panels are below each other, each as high as it needs to be, and the words are elsewhere

    @property
    def inches(self) -> tuple[float, float]:
        return self.width * self.scale / 72, self.height * self.scale / 72


# The smallest letters have 18 points of a slide of 16 by 9 inches. A column of a paper is 8 cm wide, where they have 6 points.
SIZES: Mapping[str, Sheet] = {
    TALK: Sheet(16 * 72, 9 * 72, 1920),
    PAPER: Sheet(680, 700, 1890, scale=8 / 2.54 * 72 / 680, margin=8.0, has_versions=False),
}
_PORTRAIT_SHEET = Sheet(297 / 25.4 * 72, 420 / 25.4 * 72, 2480)
NARROW = "narrow"  # for a phone, inside a page that has the words
_NARROW_SHEET = Sheet(600, 3000, 900, is_narrow=True)
_ABOUT_A_PANEL = 74.0  # points of its title and of the labels below it


@dataclass(frozen=True)
class Look:
    theme: str = "light"
    size: str = TALK

    @property
    def sheet(self) -> Sheet:
        return {**SIZES, PORTRAIT: _PORTRAIT_SHEET, NARROW: _NARROW_SHEET}[self.size]

    @property
    def scale(self) -> float:
        return self.sheet.scale

    @property
    def suffix(self) -> str:
        """The end of a file's name, so that looks do not overwrite each other."""
        return "".join(f"-{word}" for word in (self.theme, self.size) if word not in ("light", TALK))

    @property
    def text(self) -> str:
        return STRONG.colour(self.theme)

    @property
    def quiet(self) -> str:
        return QUIET.colour(self.theme)

    @property
    def page(self) -> str:
        return _PAGE[self.theme]

    @property
    def grid(self) -> str:
        return _GRID[self.theme]


@dataclass(frozen=True)
class Spot:
    """A figure's position, in shares of the page's width and height from the top left, and its text."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Cell:
    """A figure that is drawn, as text, with its interval where it has one."""

    row: str
    column: str
    text: str


@dataclass(frozen=True)
class Drawing:
    """A chart, and its text for readers who cannot see it."""

    figure: Figure
    look: Look
    title: str  # the finding
    caption: str  # the description, the method, and the machine
    alt: str  # the finding and the description
    spots: tuple[Spot, ...] = ()
    cells: tuple[Cell, ...] = ()

    @property
    def table(self) -> list[tuple[str, ...]]:
        """The figures by row and column, after a heading; empty where a row has no figure in the column."""
        columns = list(dict.fromkeys(cell.column for cell in self.cells))
        texts = {(cell.row, cell.column): cell.text for cell in self.cells}
        rows = dict.fromkeys(cell.row for cell in self.cells)
        return [("", *columns), *((row, *(texts.get((row, column), "") for column in columns)) for row in rows)]


@contextlib.contextmanager
def styled(look: Look) -> Iterator[None]:
    """Applies matplotlib's settings to everything that is created or written inside."""
    style = dict(matplotlib.rc_params_from_file(STYLE, use_default_template=False))
    lengths = {
        key: value * look.scale
        for key, value in style.items()
        if isinstance(value, (int, float)) and key.endswith(("size", "width", "pad")) and "legend" not in key
    }
    colours = {
        "figure.facecolor": look.page,
        "savefig.facecolor": look.page,
        "axes.facecolor": look.page,
        "axes.edgecolor": look.grid,
        "grid.color": look.grid,
        "text.color": look.text,
        "axes.titlecolor": look.text,
        "xtick.color": look.quiet,
        "ytick.color": look.text,
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # ignore the user's matplotlibrc
        matplotlib.rcParams.update({**style, **lengths, **colours})
        yield


@dataclass(frozen=True)
class LegendEntry:
    """What a shape means."""

    label: str
    marker: str
    filled: bool = True
    style: Mark | None = None  # where it has a colour of its own
    is_line: bool = False  # a line with the shape on it


class Page:
    """A figure under construction: take panels, draw on them, finish."""

    def __init__(self, run: Run, look: Look, family: str, names: Mapping[str, str] = MappingProxyType({})) -> None:
        """`names`: the names of rows and lines that are not strategies."""
        self.run, self.look, self.family, self.names = run, look, family, names
        self.figure = Figure(figsize=look.sheet.inches, dpi=look.sheet.pixels / look.sheet.inches[0])
        self.canvas = FigureCanvasAgg(self.figure)
        self.mark: Callable[[str], Mark] = cache(partial(mark_of, run))
        self.keys: list[LegendEntry] = []
        self.bimodal_entry: LegendEntry | None = None
        self.drawn: list[Estimate] = []
        self.cells: list[Cell] = []  # what is drawn, as text
        self.named: set[str] = set()  # the strategies that are shown
        self.when_placed: list[Callable[[], None]] = []  # called once the panels are placed
        self.pointed_out: list[tuple[Any, float, float, str]] = []
        self.heights: Sequence[float] = ()  # in points, of the panels on a narrow page
        self.shares_shown: dict[str, None] = {}  # where not everything is shown, how much is

    # ---- for the forms

    @property
    def unit(self) -> float:
        """Pixels of the figure for one point of a talk page."""
        return float(self.figure.dpi * self.look.scale / 72)

    def name(self, name: str) -> str:
        """A strategy's name, and for a malloc its version where there is room. The strategy then counts as shown."""
        self.named.add(name)
        if name in self.names:
            return self.names[name]
        version = self.run.mallocs().get(name, "").partition(" ")[0]
        known = version[:1].isdigit() and len(version) <= _LONGEST_VERSION and self.look.sheet.has_versions
        return f"{phrases.plain(name)} {version}" if known else phrases.plain(name)

    @property
    def room(self) -> float:
        """The width of the page between its margins, in points of a talk page."""
        return self.look.sheet.width - 2 * self.look.sheet.margin

    def text_width(self, text: str, **font: Any) -> float:
        """Width in points of a talk page."""
        measured = Text(0, 0, text, figure=self.figure, **font)
        return float(measured.get_window_extent(self.canvas.get_renderer()).width) / self.unit

    def keep(self, estimate: Estimate, mode_marker: str = "") -> None:
        """Records that this figure is shown, for the footer and the key."""
        self.drawn.append(estimate)
        if estimate.modes and mode_marker:
            self.bimodal_entry = LegendEntry("bimodal", mode_marker)

    def point_out(self, axes: Any, x: float, y: float, text: str) -> None:
        """Records the text of the figure at these data coordinates, which the report shows under the pointer."""
        self.pointed_out.append((axes, x, y, text))

    def _spots(self) -> Iterator[Spot]:
        width, height = float(self.figure.bbox.width), float(self.figure.bbox.height)
        for axes, x, y, text in self.pointed_out:
            right, up = axes.transData.transform((x, y))
            yield Spot(float(right) / width, 1 - float(up) / height, text)

    def add_key(self, entry: LegendEntry) -> None:
        if entry not in self.keys:
            self.keys.append(entry)

    # ---- from first to last

    def panels(self, *titles: str, height: float = 300.0) -> list[Any]:
        """Side by side; on a narrow page below each other, each as high as `height` says."""
        self.heights = [height + _ABOUT_A_PANEL] * len(titles)
        across = (len(titles), 1) if self.look.sheet.is_narrow else (1, len(titles))
        axes = list(self.figure.subplots(*across, squeeze=False).flat)
        for panel, title in zip(axes, titles):
            panel.set_title(title)
        return axes

    def first(self, items: Sequence[Item], most: int, noun: str) -> Sequence[Item]:
        """At most so many; the subtitle says how many there are."""
        if len(items) > most:
            self.leave_out(most, len(items), noun)
        return items[:most]

    def leave_out(self, shown: int, number: int, noun: str) -> None:
        self.shares_shown[f"; {shown:,} of {number:,} {noun} shown"] = None

    def _left_out(self) -> str:
        """The subtitle's note where some of the family's mallocs are left out."""
        mallocs = set(self.run.mallocs()) & set(self.run.strategies(self.family))
        shown = mallocs & self.named
        return f"; {len(shown)} of {len(mallocs)} mallocs shown" if shown and shown < mallocs else ""

    def finish(self, title: str, subtitle: str, method: str = "") -> Drawing:
        """Writes title, subtitle, key and footer, and places the panels in the room that is left.

        `method` describes the certainty where no estimates are drawn.
        """
        subtitle += "".join(self.shares_shown) or self._left_out()
        top = self.look.sheet.height - self.look.sheet.margin * 0.8
        top = self._write(title, top, "figure.titlesize", self.look.text, weight="bold") - _GAP * 0.7
        top = self._write(subtitle, top, "font.size", self.look.quiet) - _GAP
        keys = [*self.keys, *([self.bimodal_entry] if self.bimodal_entry else [])]
        if keys:
            top = self._write_keys(keys, top) - _GAP
        method, machine = method or self._method(), self._machine()
        bottom = self._write(f"{method}\n{machine}", self.look.sheet.margin * 0.6, "font.size", self.look.quiet, upwards=True) + _GAP
        self._place_panels(bottom, top)
        caption = f"{subtitle}. {method} {machine}"
        alt = f"{title}. {subtitle}."
        return Drawing(self.figure, self.look, title, caption, alt, tuple(self._spots()), tuple(self.cells))

    def _write(self, text: str, start: float, size_key: str, colour: str, upwards: bool = False, **font: Any) -> float:
        """Writes a block across the page, and returns where it ends. A narrow page has no words of its own."""
        if self.look.sheet.is_narrow:
            return start
        text = "\n".join(line if len(line) <= _MOST_LETTERS else f"{line[:_MOST_LETTERS]}…" for line in text.split("\n"))
        smallest, size = matplotlib.rcParams["font.size"], matplotlib.rcParams[size_key]
        lines = self._fitted(text, size=size, **font)
        while lines is None and size > smallest:
            size = max(smallest, size * 0.95)
            lines = self._fitted(text, size=size, **font)
        lines = lines or self._fitted(text, _MOST_LINES, size=size, **font) or self._cut(text, size=size, **font)
        height = len(lines) * _LINE * size / self.look.scale
        for index, line in enumerate(lines):
            top = start + height if upwards else start
            y = (top - index * _LINE * size / self.look.scale) / self.look.sheet.height
            self.figure.text(self.look.sheet.margin / self.look.sheet.width, y, line, size=size, color=colour, va="top", **font)
        return float(start + height if upwards else start - height)

    def _fitted(self, text: str, most: int = 2, **font: Any) -> list[str] | None:
        """The text in its own lines. A line that does not fit is split in up to `most` lines of about the same length; None:
        too long."""
        room = self.room / (_BOLD_IN_VERDANA if font.get("weight") == "bold" else 1.0)
        lines: list[str] = []
        for line in text.split("\n"):
            splits = (_in_lines(line, number) for number in range(1, most + 1))
            fits = (split for split in splits if all(self.text_width(part, **font) <= room for part in split))
            split = next(fits, None)
            if split is None:
                return None
            lines += split
        return lines

    def _cut(self, text: str, **font: Any) -> list[str]:
        """Cuts a text that no font size makes fit (a hostile name, a machine of many parts) with an ellipsis: the last words,
        or else each line."""
        whole_words = text
        while " " in whole_words:
            whole_words = whole_words.rpartition(" ")[0].rstrip(" ;,:")
            if fitted := self._fitted(f"{whole_words}…", _MOST_LINES, **font):
                return fitted
        lines = []
        for line in text.split("\n"):
            short = line
            while self.text_width(short, **font) > self.room:
                short = f"{short[:-4].rstrip()}…"
            lines.append(short)
        return lines

    def _write_keys(self, keys: Sequence[LegendEntry], top: float) -> float:
        """Writes the key in as few rows as fit, and returns where it ends."""
        handles, labels = [_handle(entry, self.look) for entry in keys], [entry.label for entry in keys]
        place = self.look.sheet.margin / self.look.sheet.width, top / self.look.sheet.height
        for columns in range(len(keys), 0, -1):
            key = self.figure.legend(
                handles, labels, ncol=columns, loc="upper left", bbox_to_anchor=place, labelcolor=self.look.text
            )
            key.set_in_layout(False)
            if columns == 1 or key.get_window_extent(self.canvas.get_renderer()).width <= self.room * self.unit:
                break
            key.remove()
        rows = math.ceil(len(keys) / columns)
        return float(top - (_LINE + (rows - 1) * _KEY_LINE) * matplotlib.rcParams["font.size"] / self.look.scale)

    def _place_panels(self, bottom: float, top: float) -> None:
        width, height = self.look.sheet.width, self.look.sheet.height
        if self.look.sheet.is_narrow:
            bottom = max(bottom, top - sum(self.heights))
        room = (self.look.sheet.margin / width, bottom / height, self.room / width, (top - bottom) / height)
        self.figure.set_layout_engine("constrained", rect=room, w_pad=0, h_pad=0, wspace=0.06, hspace=0.01)
        for element in self.figure.texts:
            element.set_in_layout(False)
        self.figure.get_layout_engine().execute(self.figure)
        if not self.look.sheet.is_narrow and self._split_titles():
            self.figure.get_layout_engine().execute(self.figure)
        self.figure.set_layout_engine("none")
        for element in self.figure.axes:  # the solver's last digits vary, and the file would vary with them
            element.set_position([round(share, 9) for share in element.get_position().bounds])
        for complete in self.when_placed:
            complete()

    def _split_titles(self) -> bool:
        """Splits the titles of panels that reach into the next panel or beyond the page. Returns whether there are any."""
        edges = [axes.get_position().x0 * self.look.sheet.width for axes in self.figure.axes]
        ends = [*(edge - _GAP for edge in edges[1:]), self.look.sheet.width - self.look.sheet.margin]
        was_split = False
        for axes, start, end in zip(self.figure.axes, edges, ends):
            title = axes.get_title("left")
            if self.text_width(title) > end - start:
                axes._left_title.set_text("\n".join(self._narrow(title, end - start)))
                was_split = True
        return was_split

    def _narrow(self, text: str, room: float) -> list[str]:
        splits = [_in_lines(text, number) for number in range(2, _MOST_LINES + 1)]
        fits = (split for split in splits if all(self.text_width(line) <= room for line in split))
        return next(fits, splits[-1])

    # ---- the footer

    def _method(self) -> str:
        processes = sorted({estimate.n for estimate in self.drawn if estimate.n})
        if not processes or processes[-1] == 1:
            return "One process: no intervals."
        number = f"{processes[0]} to {processes[-1]}" if len(processes) > 1 else str(processes[0])
        coverage = phrases.span(
            (estimate.coverage for estimate in self.drawn if estimate.has_interval), phrases.share
        )
        disturbed = [unit.disturbed for unit in self.run.units if unit.family == self.family]
        note = f" {sum(disturbed)} of {len(disturbed)} measurements were disturbed." if any(disturbed) else ""
        return f"Medians of {number} processes with intervals ({coverage}).{note}"

    def _machine(self) -> str:
        cores = self.run.fact("cores")
        facts = [label] if (label := own_label(self.run)) else []
        facts += [phrases.count(cores, "core")] if cores else []
        facts += [caches] if (caches := reported_text(self.run)) else []
        return " · ".join([*facts, self._source()])

    def _source(self) -> str:
        """The program and the run that the figures are from: a picture is passed on without its page."""
        profile = str(self.run.context.get("profile", ""))
        return f"stackheap {profile} run{'' if self.run.complete else ', incomplete'}".replace("  ", " ")


def _in_lines(text: str, number: int) -> list[str]:
    """The text in at most so many lines, the longest as short as possible."""
    narrowest = max(map(len, text.split(" ")))
    for width in range(max(1, narrowest, len(text) // number), len(text) + 1):
        lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
        if len(lines) <= number:
            return lines
    return [text]


def _handle(entry: LegendEntry, look: Look) -> Line2D:
    colour = entry.style.colour(look.theme) if entry.style else look.quiet
    face = colour if entry.filled else look.page
    size = matplotlib.rcParams["lines.markersize"] * (1.6 if entry.marker in "|_" else 1.0)
    dashes = entry.style.dashes if entry.style and entry.is_line else ""
    return Line2D([], [], linestyle=dashes, marker=entry.marker, color=colour, markerfacecolor=face, markersize=size)
