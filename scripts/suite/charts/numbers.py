"""The poster: which numbers of this machine's memory should every programmer know?

A table with a row for each number, and one axis from the fastest to the slowest. On a wide page the axis is beside the
words; on a high page it is below them, with larger letters; on a small page there are no intervals as text. Lengths are
points of a talk page.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib

from suite.base import phrases
from suite.base.text import time_text
from suite.charts.kit.frame import Cell, Drawing, Look, Page
from suite.charts.kit.marks import OF_KIND, Mark
from suite.results import numbers
from suite.results.model import Run, cpu_model, own_label
from suite.results.numbers import Row

FAMILY = ""  # of all families
QUESTION = "Which numbers of this machine's memory should every programmer know?"
HAS_PORTRAIT = True

FEWEST = 5  # rows of a poster

_HUMAN = "human time"
_LETTERS, _LARGE_LETTERS = 18.0, 21.0
_SMALLEST_TITLE = 24.0
_GAP = 18.0  # between columns
_LINE = 26.0  # the height of a line above the rows
_DOT, _BAR = 11.0, 5.0
_NARROWEST_AXIS = 200.0  # beside words, time, interval and human time
_TWO_LINES = 43.0  # the height of a row that has room for two
_NARROW_ROW = 50.0
_HIGHEST_ROW = {False: 34.0, True: 72.0}  # by whether a row has two lines


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
        """The size at which the title fits in a line, or in two where the letters of one line were too small."""
        width = self.text_width(numbers.TITLE, size=_LETTERS * self.look.scale, weight="bold")
        size = 0.94 * _LETTERS * self.room / width
        return size if size >= _SMALLEST_TITLE else 2 * size

    def _machine(self) -> str:
        cores, malloc = self.run.fact("cores"), str(self.run.context.get("process_malloc", ""))
        facts = (
            own_label(self.run), cpu_model(self.run), phrases.count(cores, "core") if cores else "",
            self.name(malloc) if malloc in self.run.mallocs() else "", str(self.run.context.get("date", ""))[:10],
            self._source(),
        )  # fmt: skip
        return " · ".join(filter(None, facts))

    def _place_panels(self, bottom: float, top: float) -> None:
        _Table(self, self.rows).draw(bottom, top)


def _cells(row: Row) -> list[Cell]:
    texts = {"time": row.text, "interval": row.interval, _HUMAN: row.human}
    return [Cell(row.words, column, text) for column, text in texts.items() if text]


@dataclass(frozen=True)
class _Columns:
    """Where the columns are. A row of two lines has the axis below the words, and the interval below the time."""

    axis: tuple[float, float]
    time: float  # its right end
    interval: float | None  # its left end, in rows of two lines its right end; None: there is no room
    nothing: float  # the right end of the text where nothing is measurable
    human: float  # its right end
    letters: float = _LETTERS
    has_two_lines: bool = False

    @property
    def lines(self) -> tuple[float, float]:
        """The middles of the first and of the second line, as shares of the row's height from its top."""
        return (0.29, 0.75) if self.has_two_lines else (0.5, 0.5)


class _Table:
    """The legend, the headings and the rows, between the left and the right margin."""

    def __init__(self, page: _Poster, rows: Sequence[Row]) -> None:
        self.page, self.look, self.rows = page, page.look, rows
        margin = page.look.sheet.margin
        self.left, self.right = margin, page.look.sheet.width - margin
        limits = {"xlim": (0, page.look.sheet.width), "ylim": (0, page.look.sheet.height)}
        self.axes = page.figure.add_axes((0.0, 0.0, 1.0, 1.0), **limits)
        self.axes.set_axis_off()
        times = [math.log10(row.time.median) for row in rows if row.is_measurable] or [0.0]
        self.low, self.high = min(times), max(times)

    def draw(self, bottom: float, top: float) -> None:
        top = self._legend(top)
        heading, top = top - _LINE / 2, top - _LINE
        height = (top - bottom) / len(self.rows)
        columns = self._columns(height)
        height = min(height, _NARROW_ROW if self.look.sheet.is_narrow else _HIGHEST_ROW[columns.has_two_lines])
        self._headings(columns, heading)
        self._grid(columns, heading, [top - place * height for place in range(len(self.rows))], height)
        for place, row in enumerate(self.rows):
            self._row(row, columns, top - place * height, height, is_striped=place % 2 == 0)

    # ---- where the columns are

    def _columns(self, height: float) -> _Columns:
        """For rows of this height."""
        if self.look.sheet.height > self.look.sheet.width and height >= _TWO_LINES:
            return self._columns_above_axis()
        whole = self._columns_beside_axis(with_intervals=True)
        has_room = whole.axis[1] - whole.axis[0] >= _NARROWEST_AXIS
        return whole if has_room else self._columns_beside_axis(with_intervals=False)

    def _columns_beside_axis(self, with_intervals: bool) -> _Columns:
        words, time, interval, nothing, human = self._widths(_LETTERS)
        interval = interval if with_intervals else 0.0
        end = self.right - (human + _GAP if human else 0.0)
        end_of_time = end - interval - (_GAP if interval else 0.0)
        axis = self.left + words + _GAP, min(end_of_time - time, end - nothing) - _GAP
        return _Columns(axis, end_of_time, end - interval if interval else None, end, self.right)

    def _columns_above_axis(self) -> _Columns:
        words, time, interval, nothing, human = self._widths(_LARGE_LETTERS)
        room = self.right - self.left - 3 * _GAP
        letters = max(_LETTERS, _LARGE_LETTERS * min(1.0, room / (words + max(time, interval, nothing) + human)))
        words, time, interval, nothing, human = self._widths(letters)
        end = self.right - (human + 2 * _GAP if human else 0.0)
        axis = self.left, end - max(time, interval, nothing) - _GAP
        return _Columns(axis, end, end if interval else None, end, self.right, letters, has_two_lines=True)

    def _widths(self, letters: float) -> tuple[float, float, float, float, float]:
        """Of words, time, interval, what stands for both of these where nothing is measurable, and human time."""
        human = _HUMAN if self.page.has_human else ""
        return (
            self._widest((row.words for row in self.rows), letters),
            self._widest((row.text for row in self.rows if row.is_measurable), letters, weight="bold"),
            self._widest((row.interval for row in self.rows), _LETTERS),
            self._widest((row.text for row in self.rows if not row.is_measurable), _LETTERS),
            max(self._widest((row.human for row in self.rows), letters), self._widest([human], _LETTERS)),
        )

    def _widest(self, texts: Iterable[str], letters: float, **font: Any) -> float:
        size = letters * self.look.scale
        return max((self.page.text_width(text, size=size, **font) for text in texts if text), default=0.0)

    def _x(self, ns: float, columns: _Columns) -> float:
        share = (math.log10(ns) - self.low) / (self.high - self.low or 1.0)
        start, end = columns.axis
        return start + _DOT + share * (end - start - 1.5 * _DOT)

    # ---- what is drawn

    def _legend(self, top: float) -> float:
        """The kinds in their colours, in one line or in two. Returns where it ends."""
        kinds = [kind for kind in numbers.KINDS if any(row.kind == kind for row in self.rows)]
        widths = {kind: 1.6 * _DOT + self._widest([kind], _LETTERS) for kind in kinds}
        gap = min(1.5 * _GAP, (self.right - self.left - sum(widths.values())) / max(1, len(kinds) - 1))
        half = math.ceil(len(kinds) / 2)
        lines, gap = ([kinds], gap) if gap >= _GAP / 2 else ([kinds[:half], kinds[half:]], 1.5 * _GAP)
        for line in lines:
            x, y, top = self.left, top - _LINE / 2, top - _LINE
            for kind in line:
                self._dot(x + _DOT / 2, y, OF_KIND[kind])
                self._text(x + 1.6 * _DOT, y, kind, self.look.text)
                x += widths[kind] + gap
        return top

    def _headings(self, columns: _Columns, y: float) -> None:
        below = ", interval" if columns.interval is not None and columns.has_two_lines else ""
        self._text(columns.time, y, f"time{below}", self.look.quiet, ha="right")
        if columns.interval is not None and not columns.has_two_lines:
            self._text(columns.interval, y, "interval", self.look.quiet)
        if self.page.has_human:
            self._text(columns.human, y, _HUMAN, self.look.quiet, ha="right")

    def _grid(self, columns: _Columns, heading: float, tops: Sequence[float], height: float) -> None:
        """A line for each power of ten, every third with a label where it fits; in rows of two lines only every third."""
        end_of_label = 0.0
        for power in range(math.ceil(self.low), math.floor(self.high) + 1):
            x, is_labelled = self._x(10.0**power, columns), power % 3 == 0
            width = (2.0 if is_labelled else 1.0) * self.look.scale
            above = 0.5 if columns.has_two_lines else 0.0  # not through the words
            for top in tops if is_labelled or not columns.has_two_lines else ():
                ends = top - above * height, top - height
                self.axes.plot((x, x), ends, color=self.look.grid, linewidth=width, zorder=0, solid_capstyle="butt")
            half = self._widest([time_text(10.0**power)], _LETTERS) / 2
            if is_labelled and end_of_label + half < x:
                self._text(x, heading, time_text(10.0**power), self.look.quiet, ha="center")
                end_of_label = x + half + _GAP / 4

    def _row(self, row: Row, columns: _Columns, top: float, height: float, is_striped: bool) -> None:
        first, second = (top - share * height for share in columns.lines)
        strong, quiet, size = self.look.text, self.look.quiet, columns.letters * self.look.scale
        if is_striped:
            self._stripe(top, top - height)
        self._text(self.left, first, row.words, strong, size=size)
        if not row.is_measurable:
            self._text(columns.nothing, second, row.text, quiet, ha="right")  # where other rows have the interval
            return
        self._text(columns.time, first, row.text, strong, size=size, ha="right", weight="bold")
        if columns.interval is not None:
            self._text(columns.interval, second, row.interval, quiet, ha="right" if columns.has_two_lines else "left")
        self._text(columns.human, first, row.human, strong, size=size, ha="right")
        self._point(row, columns, second)

    def _stripe(self, top: float, bottom: float) -> None:
        ends = (0.75 * self.left, self.right + self.left / 4)
        self.axes.fill_between(ends, bottom, top, color=self.look.grid, alpha=0.4, linewidth=0, zorder=-1)

    def _point(self, row: Row, columns: _Columns, y: float) -> None:
        x, start, mark = self._x(row.time.median, columns), columns.axis[0] + _BAR / 2, OF_KIND[row.kind]
        style = {"color": mark.colour(self.look.theme), "alpha": 0.35, "linewidth": _BAR * self.look.scale}
        self.axes.plot((start, x), (y, y), "-", zorder=2, **style)
        if row.time.has_interval:
            low = max(start, self._x(row.time.low, columns)) if row.time.low > 0.0 else start
            self.axes.plot((low, self._x(row.time.high, columns)), (y, y), "-", zorder=2, **style)
        self._dot(x, y, mark)
        interval = f" ({row.interval})" if row.interval else ""
        self.page.point_out(self.axes, x, y, f"{row.words}: {row.text}{interval}, by {row.benchmark}")

    def _dot(self, x: float, y: float, mark: Mark) -> None:
        colour, size = mark.colour(self.look.theme), _DOT * self.look.scale
        self.axes.plot((x,), (y,), "o", color=colour, markersize=size, markeredgewidth=0, zorder=3)

    def _text(self, x: float, y: float, text: str, colour: str, **font: Any) -> None:
        if text:
            self.axes.text(x, y, text, color=colour, va="center_baseline", **font)
