"""The poster: which numbers of this machine's memory should every programmer know?

A table with a row for each number, and one axis from the fastest to the slowest. On a wide page the axis is beside the
words; on a high page it is below them, with larger letters. Lengths are points of a talk page.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib

from suite.base import phrases
from suite.base.text import time_text
from suite.charts.kit.frame import MARGIN, Cell, Drawing, Look, Page
from suite.charts.kit.marks import OF_KIND, Mark
from suite.results import numbers
from suite.results.model import Run
from suite.results.numbers import Row

FAMILY = ""  # of all families
QUESTION = "Which numbers of this machine's memory should every programmer know?"
HAS_PORTRAIT = True

FEWEST = 5  # rows of a poster

_LETTERS, _LARGE_LETTERS = 18.0, 21.0
_GAP = 18.0  # between columns
_LINE = 26.0  # the height of a line above the rows
_DOT, _BAR = 11.0, 5.0
_HIGHEST_ROW = {False: 34.0, True: 64.0}  # by whether the axis is below the words


def draw(run: Run, look: Look) -> Drawing | None:
    rows = numbers.rows(run)
    return _Poster(run, look, rows).finished() if len(rows) >= FEWEST else None


class _Poster(Page):
    """A page that has a table in place of panels."""

    def __init__(self, run: Run, look: Look, rows: Sequence[Row]) -> None:
        super().__init__(run, look, FAMILY)
        self.rows = rows
        self.has_human = any(row.human for row in rows)
        for row in rows:
            self.keep(row.time)
            self.cells.extend(_cells(row))

    def finished(self) -> Drawing:
        human = "; human time: if a load from the L1 cache took a second" if self.has_human else ""
        with matplotlib.rc_context({"figure.titlesize": self._size_of_title() * self.look.scale}):
            return self.finish(numbers.TITLE, f"Time of one operation beyond an empty call, log scale{human}")

    def _size_of_title(self) -> float:
        """On a wide page a size at which the title fits in a line, on a high page in two."""
        lines = 1 if self.look.sheet.width > self.look.sheet.height else 2
        width = self.text_width(numbers.TITLE, size=_LETTERS * self.look.scale, weight="bold")
        return 0.94 * lines * _LETTERS * (self.look.sheet.width - 2 * MARGIN) / width

    def _machine(self) -> str:
        cores, malloc = self.run.fact("cores"), str(self.run.context.get("process_malloc", ""))
        facts = (
            str(self.run.context.get("cpu_model", "")), phrases.count(cores, "core") if cores else "",
            self.name(malloc) if malloc in self.run.mallocs() else "", str(self.run.context.get("date", ""))[:10],
        )  # fmt: skip
        return " · ".join(filter(None, facts))

    def _place_panels(self, bottom: float, top: float) -> None:
        _Table(self, self.rows).draw(bottom, top)


def _cells(row: Row) -> list[Cell]:
    texts = {"time": row.text, "interval": row.interval, "human time": row.human}
    return [Cell(row.words, column, text) for column, text in texts.items() if text]


@dataclass(frozen=True)
class _Columns:
    """Where the columns are. On a high page, a row has two lines: axis below words, interval below time."""

    is_high: bool
    letters: float
    axis: tuple[float, float]
    time: float  # its right end
    interval: float  # its left end; on a high page, its right end
    nothing: float  # the right end of the text where nothing is measurable
    human: float  # its right end

    @property
    def lines(self) -> tuple[float, float]:
        """The middles of the first and of the second line, as shares of the row's height from its top."""
        return (0.29, 0.75) if self.is_high else (0.5, 0.5)


class _Table:
    """The legend, the headings and the rows, between the left and the right margin."""

    def __init__(self, page: _Poster, rows: Sequence[Row]) -> None:
        self.page, self.look, self.rows = page, page.look, rows
        self.left, self.right = MARGIN, page.look.sheet.width - MARGIN
        limits = {"xlim": (0, page.look.sheet.width), "ylim": (0, page.look.sheet.height)}
        self.axes = page.figure.add_axes((0.0, 0.0, 1.0, 1.0), **limits)
        self.axes.set_axis_off()
        times = [math.log10(row.time.median) for row in rows if row.is_measurable] or [0.0]
        self.low, self.high = min(times), max(times)
        is_high = page.look.sheet.height > page.look.sheet.width
        self.columns = self._columns_above_axis() if is_high else self._columns_beside_axis()

    def draw(self, bottom: float, top: float) -> None:
        top = self._legend(top)
        heading, top = top - _LINE / 2, top - _LINE
        height = min(_HIGHEST_ROW[self.columns.is_high], (top - bottom) / len(self.rows))
        self._headings(heading)
        self._grid(heading, [top - place * height for place in range(len(self.rows))], height)
        for place, row in enumerate(self.rows):
            self._row(row, top - place * height, height, is_striped=place % 2 == 0)

    # ---- where the columns are

    def _columns_beside_axis(self) -> _Columns:
        words, time, interval, nothing, human = self._widths(_LETTERS)
        end = self.right - (human + _GAP if human else 0.0)
        start_of_interval = end - interval
        end_of_time = start_of_interval - (_GAP / 2 if interval else 0.0)
        axis = self.left + words + _GAP, min(end_of_time - time, end - nothing) - _GAP
        return _Columns(False, _LETTERS, axis, end_of_time, start_of_interval, end, self.right)

    def _columns_above_axis(self) -> _Columns:
        words, time, interval, nothing, human = self._widths(_LARGE_LETTERS)
        room = self.right - self.left - 3 * _GAP
        letters = max(_LETTERS, _LARGE_LETTERS * min(1.0, room / (words + max(time, interval, nothing) + human)))
        words, time, interval, nothing, human = self._widths(letters)
        end = self.right - (human + 2 * _GAP if human else 0.0)
        axis = self.left, end - max(time, interval, nothing) - _GAP
        return _Columns(True, letters, axis, end, end, end, self.right)

    def _widths(self, letters: float) -> tuple[float, float, float, float, float]:
        """Of words, time, interval, what stands for both of these where nothing is measurable, and human time."""
        return (
            self._widest((row.words for row in self.rows), letters),
            self._widest((row.text for row in self.rows if row.is_measurable), letters, weight="bold"),
            self._widest((row.interval for row in self.rows), _LETTERS),
            self._widest((row.text for row in self.rows if not row.is_measurable), _LETTERS),
            self._widest((row.human for row in self.rows), letters),
        )

    def _widest(self, texts: Iterable[str], letters: float, **font: Any) -> float:
        size = letters * self.look.scale
        return max((self.page.text_width(text, size=size, **font) for text in texts if text), default=0.0)

    def _x(self, ns: float) -> float:
        share = (math.log10(ns) - self.low) / (self.high - self.low or 1.0)
        start, end = self.columns.axis
        return start + _DOT + share * (end - start - 1.5 * _DOT)

    # ---- what is drawn

    def _legend(self, top: float) -> float:
        """The kinds in their colours, in as many lines as they need. Returns where it ends."""
        kinds = [kind for kind in numbers.KINDS if any(row.kind == kind for row in self.rows)]
        widths = [1.6 * _DOT + self._widest([kind], _LETTERS) for kind in kinds]
        spare = (self.right - self.left - sum(widths)) / max(1, len(kinds) - 1)
        gap = min(1.5 * _GAP, spare) if spare >= _GAP / 2 else _GAP
        x, y = self.left, top - _LINE / 2
        for kind, width in zip(kinds, widths):
            if x + width > self.right + 1:
                x, y = self.left, y - _LINE
            self._dot(x + _DOT / 2, y, OF_KIND[kind])
            self._text(x + 1.6 * _DOT, y, kind, self.look.text)
            x += width + gap
        return y - _LINE / 2

    def _headings(self, y: float) -> None:
        columns, has_intervals = self.columns, any(row.interval for row in self.rows)
        below = ", interval" if has_intervals and columns.is_high else ""
        self._text(columns.time, y, f"time{below}", self.look.quiet, ha="right")
        if has_intervals and not columns.is_high:
            self._text(columns.interval, y, "interval", self.look.quiet)
        if self.page.has_human:
            self._text(columns.human, y, "human time", self.look.quiet, ha="right")

    def _grid(self, heading: float, tops: Sequence[float], height: float) -> None:
        """A line for each power of ten; every third has a label."""
        for power in range(math.ceil(self.low), math.floor(self.high) + 1):
            x, is_labelled = self._x(10.0**power), power % 3 == 0
            width = (2.0 if is_labelled else 1.0) * self.look.scale
            above, below = (0.5, 1.0) if self.columns.is_high else (0.0, 1.0)
            for top in tops:
                ends = top - above * height, top - below * height
                self.axes.plot((x, x), ends, color=self.look.grid, linewidth=width, zorder=0, solid_capstyle="butt")
            if is_labelled:
                self._text(x, heading, time_text(10.0**power), self.look.quiet, ha="center")

    def _row(self, row: Row, top: float, height: float, is_striped: bool) -> None:
        columns, size = self.columns, self.columns.letters * self.look.scale
        first, second = (top - share * height for share in columns.lines)
        strong, quiet = self.look.text, self.look.quiet
        if is_striped:
            self._stripe(top, top - height)
        self._text(self.left, first, row.words, strong, size=size)
        if row.is_measurable:
            self._text(columns.time, first, row.text, strong, size=size, ha="right", weight="bold")
            self._text(columns.interval, second, row.interval, quiet, ha="right" if columns.is_high else "left")
            self._text(columns.human, first, row.human, strong, size=size, ha="right")
            self._point(row, second)
        else:
            self._text(columns.nothing, first, row.text, quiet, ha="right")

    def _stripe(self, top: float, bottom: float) -> None:
        ends = (self.left - MARGIN / 4, self.right + MARGIN / 4)
        self.axes.fill_between(ends, bottom, top, color=self.look.grid, alpha=0.4, linewidth=0, zorder=-1)

    def _point(self, row: Row, y: float) -> None:
        x, start, mark = self._x(row.time.median), self.columns.axis[0] + _BAR / 2, OF_KIND[row.kind]
        colour, width = mark.colour(self.look.theme), _BAR * self.look.scale
        self.axes.plot((start, x), (y, y), "-", color=colour, alpha=0.35, linewidth=width, zorder=2)
        self._dot(x, y, mark)
        interval = f" ({row.interval})" if row.interval else ""
        self.page.point_out(self.axes, x, y, f"{row.words}: {row.text}{interval}, by {row.benchmark}")

    def _dot(self, x: float, y: float, mark: Mark) -> None:
        colour, size = mark.colour(self.look.theme), _DOT * self.look.scale
        self.axes.plot((x,), (y,), "o", color=colour, markersize=size, markeredgewidth=0, zorder=3)

    def _text(self, x: float, y: float, text: str, colour: str, **font: Any) -> None:
        if text:
            self.axes.text(x, y, text, color=colour, va="center_baseline", **font)
