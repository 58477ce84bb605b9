"""Which forms do charts have? Points in rows (what each strategy costs), and lines over a quantity (how costs grow)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import matplotlib
from matplotlib import transforms
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from suite.base import phrases
from suite.base.text import bytes_text, time_text
from suite.charts.kit.frame import Cell, LegendEntry, Look, Page
from suite.charts.kit.marks import QUIET, Mark
from suite.stats.estimates import Estimate

Number = Callable[[float], str]

_LOG = ", log scale"  # at the end of a panel's title
_LABEL_HEIGHT = 21.0  # points
_LANE, _LANES = 5.0, 20.0  # points between lines of the same values; at most, for all of them
_NARROW_ROW, _NARROW_LANE, _NARROW_NAMES = 32.0, 12.0, 200.0  # points; the names of the rows take about so much
_MOST_LINES_ON_TOP = 2  # of labels above a panel of a narrow page
_NARROW_LINES = 320.0  # points, the height of a panel with lines
_LEADER = 26.0  # points from a line's end to its label
_LEAST_DECADES = 1.0  # a shorter axis would make small differences look large
_BESIDE_PANELS, _ABOVE_AND_BELOW = 252.0, 308.0  # points of the page outside of the panels, about
_TICKS_WIDTH = 80.0  # of the labels beside an axis for costs
# What can be told apart at all, and more: a chart of 20,000 rows takes minutes, and is black.
MOST_ROWS, MOST_LINES, MOST_POINTS = 100, 50, 200
_ROUND: Mapping[int, Sequence[tuple[int, ...]]] = {  # steps within a power of the base, as many as fit
    10: ((1, 2, 5), (1, 3), (1,)),
    1024: ((1, 4, 16, 64, 256), (1, 32), (1,)),
}


@dataclass(frozen=True)
class Scale:
    """An axis for costs: logarithmic, unless its ends are given."""

    text: Number = time_text
    ends: tuple[float, float] | None = None
    also: tuple[float, ...] = ()  # values it must reach
    base: int = 10  # of round values on a logarithmic axis

    @property
    def logarithmic(self) -> bool:
        return self.ends is None


SHARE = Scale(phrases.percent, (0.0, 1.0))
SIZE = Scale(lambda value: bytes_text(int(value)), base=1024)


def from_one(shown: Iterable[Estimate]) -> Scale:
    """A linear axis for multiples, from 1 (or 0, where values below 1 are shown) to a round value above all values."""
    reached = [bound for estimate in shown for bound in (estimate.low, estimate.median, estimate.high)]
    low = 1.0 if min(reached) > 0.95 else 0.0
    spans = (4 * step * 10.0**power for power in range(-2, 300) for step in (2.5, 5, 10))
    return Scale(phrases.times, (low, next(low + span for span in spans if low + span >= max(reached))))


# ---- points in rows


@dataclass(frozen=True)
class Column:
    """A figure for each row, all with the same shape. Columns of the same lane have the same height within the row."""

    label: str
    values: Mapping[str, Estimate]
    marker: str | None = None  # the strategy's own
    filled: bool = True
    lane: float = 0.0
    style: Mark | None = None  # else the rows'
    keyed: bool = True  # its label is in the key


@dataclass(frozen=True)
class RowsPanel:
    title: str
    columns: Sequence[Column]
    axis: Scale = Scale()
    joined: bool = False  # a line from the first column's point to the last's, in each lane and style
    rows: Sequence[str] = ()  # its own, where the panels have not the same rows


def figures_of_rows(columns: Iterable[Column]) -> dict[str, Estimate]:
    """Every row of the columns, with its figure in the last column that has the row."""
    return {name: estimate for column in columns for name, estimate in column.values.items()}


def cheapest_first(values: Mapping[str, Estimate]) -> list[str]:
    return sorted(values, key=lambda name: values[name].median)


def dots(
    page: Page,
    rows: Sequence[str],
    *panels: RowsPanel,
    valued: bool = False,
    colour_of: Callable[[str], Mark] | None = None,
) -> list[Any]:
    """Draws a row for each name, from top to bottom, in panels side by side. Panels with equal axes and rows have equal
    limits.

    `valued`: each figure is written beside its point.
    """
    if not rows:
        raise phrases.NoFigures
    panels = tuple(replace(panel, rows=page.first(panel.rows, MOST_ROWS, "rows")) for panel in panels)
    rows = page.first(rows, MOST_ROWS, "rows")
    all_axes = page.panels(*(panel.title for panel in panels), height=len(rows) * _row_height(panels, valued))
    for axes, panel in zip(all_axes, panels):
        own = panel.rows or rows
        alike = [sibling for sibling in panels if (sibling.axis, sibling.rows) == (panel.axis, panel.rows)]
        figures = [column.values for sibling in alike for column in sibling.columns]
        limits = _limits(panel.axis, [values[row] for values in figures for row in own if row in values])
        _value_axis(page, axes.xaxis, panel.axis, limits, _panel_width(page, len(panels)))
        axes.set_xlim(limits)
        axes.set_ylim(len(own) - 0.5, -0.5)
        is_named = axes is all_axes[0] or panel.rows or page.look.sheet.is_narrow
        axes.yaxis.set_major_locator(FixedLocator(range(len(own))))
        axes.yaxis.set_major_formatter(FixedFormatter([page.name(row) if is_named else "" for row in own]))
        _stripe(page, axes, len(own))
        if panel.joined:
            _join(axes, own, panel, colour_of or page.mark, page.look)
        for column in panel.columns:
            _column(page, axes, own, column, panel, valued, colour_of or page.mark)
            page.cells.extend(_cells_of_column(page, own, column, panel))
    return all_axes


def _row_height(panels: Sequence[RowsPanel], valued: bool) -> float:
    """Of a narrow page, in points: a row has room for its name, and a lane for its points and values."""
    lanes = 1 + max((column.lane for panel in panels for column in panel.columns), default=0.0)
    return max(_NARROW_ROW, lanes * (_LABEL_HEIGHT if valued else _NARROW_LANE) / 0.8)


def _column(
    page: Page,
    axes: Any,
    rows: Sequence[str],
    column: Column,
    panel: RowsPanel,
    valued: bool,
    colour_of: Callable[[str], Mark],
) -> None:
    shown = [(index, row, column.values[row]) for index, row in enumerate(rows) if row in column.values]
    if column.label and column.keyed and shown and len(panel.columns) > 1:
        page.add_key(LegendEntry(column.label, column.marker or "o", column.filled, column.style))
    for index, row, figure in shown:
        y = index + _off(panel, column.lane)
        _dot(page, axes, figure, y, column, column.style or colour_of(row))
        about = _heading(page.name(row), panel.title, column.label)
        page.point_out(axes, figure.median, y, f"{about}: {_figure_text(figure, panel.axis)}")
        if valued:
            _value(page, axes, figure, y, panel.axis)


def _cells_of_column(page: Page, rows: Sequence[str], column: Column, panel: RowsPanel) -> list[Cell]:
    """A cell for each row, so that the cells of all columns are in the order of the rows; none for an empty column."""
    heading = _heading(panel.title, column.label) or "value"
    texts = {row: _figure_text(column.values[row], panel.axis) for row in rows if row in column.values}
    return [Cell(page.name(row), heading, texts.get(row, "")) for row in rows] if texts else []


def _heading(*parts: str) -> str:
    return ", ".join(filter(None, (part.removesuffix(_LOG) for part in parts)))


def _off(panel: RowsPanel, lane: float) -> float:
    """How far a lane is from the middle of its row, in rows."""
    lanes = 1 + max(drawn.lane for drawn in panel.columns)
    return (lane - (lanes - 1) / 2) * 0.8 / lanes


def _join(axes: Any, rows: Sequence[str], panel: RowsPanel, colour_of: Callable[[str], Mark], look: Look) -> None:
    for lane, style in dict.fromkeys((column.lane, column.style) for column in panel.columns):
        columns = [column for column in panel.columns if (column.lane, column.style) == (lane, style)]
        for y, row in enumerate(rows):
            ends = [column.values[row].median for column in columns if row in column.values]
            colour = (style or colour_of(row)).colour(look.theme)
            height = y + _off(panel, lane)
            axes.plot(ends, [height] * len(ends), "-", color=colour, linewidth=6 * look.scale, alpha=0.35)


def _figure_text(estimate: Estimate, axis: Scale) -> str:
    """A figure with its interval and its two modes where it is bimodal."""
    middle, low, high = (axis.text(value) for value in (estimate.median, estimate.low, estimate.high))
    number, _, unit = low.partition(" ")
    start = number if unit and high.endswith(f" {unit}") else low
    interval = f" ({start} to {high})" if estimate.has_interval and not low == middle == high else ""
    modes = f", bimodal: {' and '.join(map(axis.text, estimate.modes))}" if estimate.modes else ""
    return f"{middle}{interval}{modes}"


def _stripe(page: Page, axes: Any, rows: int) -> None:
    for index in range(0, rows, 2):
        axes.axhspan(index - 0.5, index + 0.5, color=page.look.grid, alpha=0.45, linewidth=0, zorder=0)


def _dot(page: Page, axes: Any, estimate: Estimate, y: float, column: Column, style: Mark) -> None:
    page.keep(estimate, "|")
    colour = style.colour(page.look.theme)
    if estimate.has_interval:
        axes.plot(
            (max(estimate.low, axes.get_xlim()[0]), estimate.high), (y, y), "-", color=colour, alpha=0.5, zorder=2
        )
    face = colour if column.filled else page.look.page
    axes.plot((estimate.median,), (y,), column.marker or style.marker, color=colour, markerfacecolor=face, zorder=3)
    if estimate.modes:
        axes.plot(estimate.modes, (y, y), "|", color=colour, markersize=_marker_size(page) * 1.7, zorder=3)


def _value(page: Page, axes: Any, estimate: Estimate, y: float, axis: Scale) -> None:
    far = estimate.high if estimate.has_interval else estimate.median
    text = phrases.short_time(estimate.median) if axis.text is time_text else axis.text(estimate.median)
    axes.annotate(
        text,
        (far, y),
        (12 * page.look.scale, 0),
        textcoords="offset points",
        va="center_baseline",
        color=page.look.text,
    )


def control_line(page: Page, axes: Any, estimate: Estimate, label: str) -> None:
    """Draws the control of a chart in rows as a line from top to bottom."""
    page.keep(estimate)
    colour = QUIET.colour(page.look.theme)
    if estimate.has_interval:
        axes.axvspan(estimate.low, estimate.high, color=colour, alpha=0.15, linewidth=0, zorder=1)
    axes.axvline(estimate.median, color=colour, linestyle="--", zorder=1)
    _on_top(page, axes, [(estimate.median, f"{label} {phrases.short_time(estimate.median)}")])
    page.cells.append(Cell(label, "value", _figure_text(estimate, Scale())))


# ---- lines over a quantity


def exact(value: float) -> Estimate:
    """A figure that was not measured: an ideal."""
    return Estimate(value, value, value, 0.0, 0)


@dataclass(frozen=True)
class Line:
    """A line: the name of its strategy or kind, and its figures over the quantity."""

    name: str
    values: Mapping[int, Estimate]
    style: Mark | None = None  # else the strategy's own
    mark_every: int = 1  # place

    @property
    def measured(self) -> bool:
        return any(estimate.n for estimate in self.values.values())


@dataclass(frozen=True)
class LinesPanel:
    title: str
    series: Sequence[Line]
    axis: Scale = Scale()


def lines(
    page: Page,
    *panels: LinesPanel,
    over: Number = lambda value: bytes_text(int(value)),
    abreast: bool = False,
    evenly: bool = False,
) -> list[Any]:
    """Draws lines over a quantity that doubles, in panels side by side. The last panel names the lines at their ends.

    `evenly`: the quantity grows by equal steps, on a linear axis.
    `abreast`: lines with the same values are drawn beside each other, a little off their height, within the axis's ends.
    """
    panels = tuple(_thinned_panel(page, panel) for panel in panels)
    all_axes = page.panels(*(panel.title for panel in panels), height=_NARROW_LINES)
    shared = not page.look.sheet.is_narrow and all(panel.axis == panels[0].axis for panel in panels)  # labels of the axis
    ticks_width = _TICKS_WIDTH / (len(panels) if shared else 1)
    for axes, panel in zip(all_axes, panels):
        same_axis = [line for sibling in panels if sibling.axis == panel.axis for line in sibling.series]
        limits = _limits(panel.axis, [value for line in same_axis for value in line.values.values()])
        _value_axis(page, axes.yaxis, panel.axis, limits, _lines_height(page))
        axes.set_ylim(limits)
        if shared and axes is not all_axes[0]:
            axes.tick_params(axis="y", labelleft=False)
        _quantity_axis(page, axes, panel, over, _panel_width(page, len(panels), lines=True) - ticks_width, evenly)
        page.cells.extend(_cells_of_ends(page, panel, over))
        above = lanes(panel) if abreast else [0.0] * len(panel.series)
        for line, shift, off in zip(panel.series, _shifts(panel, evenly), above):
            _line(page, axes, line, shift, over, panel.axis, off)
    if page.look.sheet.is_narrow:
        _key_lines(page, panels)
    else:
        _label_ends(page, all_axes[-1], panels[-1], evenly)
    return all_axes


def _thinned_panel(page: Page, panel: LinesPanel) -> LinesPanel:
    """The panel's first lines, where they are too many; of too many points, some, and the first and the last."""
    series = page.first(panel.series, MOST_LINES, "lines")
    places = sorted({place for line in series for place in line.values})
    if len(places) > MOST_POINTS:
        last = len(places) - 1
        places = [places[last * step // (MOST_POINTS - 1)] for step in range(MOST_POINTS)]
        page.leave_out(MOST_POINTS, last + 1, "points of the axis")
        thinned = [replace(line, values={at: line.values[at] for at in places if at in line.values}) for line in series]
        series = [line for line in thinned if line.values]
    return replace(panel, series=series)


def lanes(panel: LinesPanel) -> list[float]:
    """How far (in points) each line is drawn above its height, so that lines with the same values do not overlap.

    No line leaves the ends of its axis: a share of 100 % is not drawn above 100 %.
    """
    text = panel.axis.text
    readings = [tuple((place, text(value.median)) for place, value in line.values.items()) for line in panel.series]
    least, most = map(text, panel.axis.ends) if panel.axis.ends else ("", "")

    def off(rank: int, reading: tuple[tuple[int, str], ...]) -> float:
        shown, number = {value for _, value in reading}, readings.count(reading)
        middle = 0.0 if most in shown else number - 1.0 if least in shown else (number - 1) / 2
        return min(_LANE, _LANES / number) * (middle - rank)

    return [off(readings[:index].count(reading), reading) for index, reading in enumerate(readings)]


def _shifts(panel: LinesPanel, evenly: bool) -> list[float]:
    """How far (in doublings) each line's points are moved sideways, so that the intervals do not overlap."""
    if evenly:
        return [0.0] * len(panel.series)
    places = sorted({place for line in panel.series for place in line.values})
    nearest = min((math.log2(b / a) for a, b in zip(places, places[1:])), default=1.0)
    span = math.log2(places[-1] / places[0]) or 1.0
    step = min(0.15 * nearest, 0.04 * span) / max(4, len(panel.series))
    return [step * (index - (len(panel.series) - 1) / 2) * line.measured for index, line in enumerate(panel.series)]


def _quantity_axis(page: Page, axes: Any, panel: LinesPanel, over: Number, length: float, evenly: bool) -> None:
    places = sorted({place for line in panel.series for place in line.values})
    if evenly:
        last = places[-1]
        has_room = _has_room(page, [(tick / last * length, over(tick)) for tick in (0, last // 2, last)], across=True)
        ticks = [0, last // 2, last] if has_room else [0, last]
        axes.set_xlim(0, last)
    else:
        ticks = _thinned(page, places, over, length)
        axes.set_xscale("log", base=2)
        room = max(places[-1] / places[0], 2) ** 0.03
        axes.set_xlim(places[0] / room, places[-1] * room)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([over(tick) for tick in ticks]))
    below = matplotlib.rcParams["xtick.major.pad"] + _LABEL_HEIGHT / 2 * page.look.scale
    axes.tick_params(axis="x", pad=below)  # leaves room for the lowest label of the other axis


def _line(page: Page, axes: Any, line: Line, shift: float, over: Number, axis: Scale, off: float) -> None:
    style = line.style or page.mark(line.name)
    colour = style.colour(page.look.theme)
    places = sorted(line.values)
    shown = [line.values[place] for place in places]
    beside = [place * 2**shift for place in places]
    middle = [value.median for value in shown]
    if line.measured:
        shape = {"linestyle": style.dashes, "marker": style.marker, "markevery": line.mark_every, "zorder": 3}
    else:  # an ideal line is broad, so that it is visible below measured lines
        shape = {"linewidth": 9 * page.look.scale, "alpha": 0.3, "zorder": 1}
    moved = axes.transData + transforms.ScaledTranslation(0, off * page.look.scale / 72, page.figure.dpi_scale_trans)
    axes.plot(beside, middle, color=colour, clip_on=False, transform=moved, **shape)
    for quantity, place, value in zip(places, beside, shown):
        page.keep(value, "_")
        page.point_out(
            axes, place, value.median, f"{page.name(line.name)}, {over(quantity)}: {_figure_text(value, axis)}"
        )
        if value.has_interval:
            low = max(value.low, axes.get_ylim()[0])
            axes.plot((place, place), (low, value.high), "-", color=colour, alpha=0.5, clip_on=False, zorder=2)
        if value.modes:
            axes.plot((place, place), value.modes, "_", color=colour, markersize=_marker_size(page) * 1.6, zorder=3)


def _cells_of_ends(page: Page, panel: LinesPanel, over: Number) -> Iterator[Cell]:
    """The first and the last figure of each line, at every place where a line begins or ends."""
    places = sorted({end for line in panel.series for end in (min(line.values), max(line.values))})
    for line in panel.series:
        for place in places:
            text = _figure_text(line.values[place], panel.axis) if place in line.values else ""
            yield Cell(page.name(line.name), _heading(panel.title, over(place)), text)


def _key_lines(page: Page, panels: Iterable[LinesPanel]) -> None:
    """Names the lines in the key: beside their ends, a narrow page has no room."""
    for line in {line.name: line for panel in panels for line in panel.series}.values():
        style = line.style or page.mark(line.name)
        marker = style.marker if line.measured else ""
        page.add_key(LegendEntry(page.name(line.name), marker, style=style, is_line=True))


def _label_ends(page: Page, axes: Any, panel: LinesPanel, evenly: bool) -> None:
    """Writes names beside the lines' ends. Their heights are computed once the panel is placed."""
    beside = transforms.blended_transform_factory(axes.transAxes, axes.transData)
    gap = _LEADER * page.look.scale
    labels = []
    for line, shift in zip(panel.series, _shifts(panel, evenly)):
        colour = (line.style or page.mark(line.name)).colour(page.look.theme)
        end = (max(line.values) * 2**shift, line.values[max(line.values)].median)
        text = axes.annotate(
            page.name(line.name), (1, end[1]), (gap, 0), beside, textcoords="offset points", va="center", color=colour
        )
        labels.append((text, end, colour))

    def settle() -> None:
        pixels = [float(axes.transData.transform(end)[1]) for _, end, _ in labels]
        box = axes.get_window_extent()
        height = _LABEL_HEIGHT * page.unit
        heights = spread(pixels, height, box.y0 + height / 2, box.y1 - height / 2)
        for (text, end, colour), natural, settled in zip(labels, pixels, heights):
            text.set_position((gap, (settled - natural) / page.unit * page.look.scale))
            start = axes.transAxes.inverted().transform(axes.transData.transform(end))
            edge = (1 + 0.3 * _LEADER * page.unit / box.width, 1 + 0.8 * _LEADER * page.unit / box.width)
            share = (settled - box.y0) / box.height
            axes.plot(
                (start[0], edge[0], edge[1]), (start[1], start[1], share), "-", color=colour, alpha=0.6,
                linewidth=1.2 * page.look.scale, transform=axes.transAxes, clip_on=False, zorder=1,
            )  # fmt: skip

    page.when_placed.append(settle)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The positions nearest to the wanted positions (in least squares) that are `gap` apart and between low and high.

    Isotonic regression by pooling adjacent violators, then clipped: Ayer et al., Annals of Math. Statistics 26 (1955).
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    pools: list[tuple[float, int]] = []  # sum and number
    for rank, index in enumerate(order):
        pool = (wanted[index] - rank * gap, 1)
        while pools and pools[-1][0] * pool[1] >= pool[0] * pools[-1][1]:
            before = pools.pop()
            pool = (before[0] + pool[0], before[1] + pool[1])
        pools.append(pool)
    highest = max(low, high - (len(wanted) - 1) * gap)
    levels = [min(max(total / number, low), highest) for total, number in pools for _ in range(number)]
    places = [0.0] * len(wanted)
    for rank, (index, level) in enumerate(zip(order, levels)):
        places[index] = level + rank * gap
    return places


def shade_under(page: Page, axes: Any, line: Line) -> None:
    """Draws the control of a chart in lines as a shaded area under its line."""
    places = sorted(line.values)
    colour = (line.style or page.mark(line.name)).colour(page.look.theme)
    heights = [line.values[place].median for place in places]
    axes.fill_between(places, max(axes.get_ylim()[0], 0.0), heights, color=colour, alpha=0.15, linewidth=0, zorder=1)


def guide(page: Page, axes: Any, places: Sequence[tuple[float, str]]) -> None:
    """Draws muted lines at places of the quantity, with labels on top. Places outside of the panel are left out."""
    low, high = axes.get_xlim()
    within = [(place, label) for place, label in places if low < place < high]
    for place, _ in within:
        axes.axvline(place, color=page.look.quiet, linewidth=1.5 * page.look.scale, linestyle=":", zorder=1)
    _on_top(page, axes, within)


def _on_top(page: Page, axes: Any, labels: Sequence[tuple[float, str]]) -> None:
    """Writes muted labels above the panel at their places, and moves its title above them."""
    title, lines = axes.get_title("left"), min(len(labels), _MOST_LINES_ON_TOP if page.look.sheet.is_narrow else 1)
    if (title or lines > 1) and labels:
        pad = matplotlib.rcParams["axes.titlepad"] + lines * _LABEL_HEIGHT * page.look.scale
        axes.set_title(title or " ", pad=pad)
    above = transforms.blended_transform_factory(axes.transData, axes.transAxes)
    shown = [
        axes.annotate(
            label, (place, 1), (0, 6 * page.look.scale), above, textcoords="offset points", ha="center",
            color=page.look.quiet,
        )
        for place, label in labels
    ]  # fmt: skip
    if page.look.sheet.is_narrow:
        page.when_placed.append(lambda: _make_room_on_top(page, shown))
    else:
        page.when_placed.append(lambda: _shorten_on_top(page, shown))


def _shorten_on_top(page: Page, labels: Sequence[Any]) -> None:
    """Where two labels overlap, each keeps its first word: the cache without its size."""
    boxes = sorted((text.get_window_extent(page.canvas.get_renderer()) for text in labels), key=lambda box: float(box.x0))
    if any(left.x1 >= right.x0 for left, right in zip(boxes, boxes[1:])):
        for text in labels:
            text.set_text(text.get_text().partition(" ")[0])


def _make_room_on_top(page: Page, labels: Sequence[Any]) -> None:
    """Moves labels into the page, and above labels that they would lie on."""
    renderer = page.canvas.get_renderer()
    left, right = page.look.sheet.margin * page.unit, (page.look.sheet.width - page.look.sheet.margin) * page.unit
    taken: list[Any] = []
    for label in labels:
        box = label.get_window_extent(renderer)
        aside = max(0.0, left - box.x0) - max(0.0, box.x1 - right)
        box = box.translated(aside, 0)
        up = 0.0
        while any(box.overlaps(placed) for placed in taken):
            up += _LABEL_HEIGHT
            box = box.translated(0, _LABEL_HEIGHT * page.unit)
        taken.append(box)
        label.set_position((aside / page.unit * page.look.scale, (6 + up) * page.look.scale))


def name_peaks(page: Page, axes: Any, panel: LinesPanel) -> None:
    """Writes names beside the lines' highest points where no other line is higher, as far as they fit."""
    peaks = []
    for line in panel.series:
        height, place = max((value.median, place) for place, value in line.values.items())
        if all(rival.values[place].median <= height for rival in panel.series if place in rival.values):
            peaks.append((height, place, line))

    def settle() -> None:
        taken: list[Any] = []
        for height, place, line in sorted(peaks, key=lambda peak: -peak[0]):
            room = axes.bbox.y1 - axes.transData.transform((place, height))[1]
            offset, va = ((8, 8), "bottom") if room > 1.5 * _LABEL_HEIGHT * page.unit else ((14, 0), "center_baseline")
            text = axes.annotate(
                page.name(line.name), (place, height), [length * page.look.scale for length in offset],
                textcoords="offset points", va=va, color=(line.style or page.mark(line.name)).colour(page.look.theme),
            )  # fmt: skip
            box = text.get_window_extent(page.canvas.get_renderer())
            if box.x1 > axes.bbox.x1 or any(box.overlaps(placed) for placed in taken):
                text.remove()
            else:
                taken.append(box)

    page.when_placed.append(settle)


# ---- axes


def _lines_height(page: Page) -> float:
    return _NARROW_LINES if page.look.sheet.is_narrow else page.look.sheet.height - _ABOVE_AND_BELOW


def _panel_width(page: Page, panels: int, lines: bool = False) -> float:
    """Of each panel, with the labels of an upright axis."""
    if page.look.sheet.is_narrow:
        return page.room - (0.0 if lines else _NARROW_NAMES)
    return (page.look.sheet.width - _BESIDE_PANELS) / panels


def _marker_size(page: Page) -> float:
    return 10 * page.look.scale


def _limits(axis: Scale, shown: Sequence[Estimate]) -> tuple[float, float]:
    if axis.ends is not None:
        room = 0.04 * (axis.ends[1] - axis.ends[0])
        return axis.ends[0] - room, axis.ends[1] + room
    reached = [*axis.also, *(bound for estimate in shown for bound in (estimate.low, estimate.median, estimate.high))]
    positive = [math.log10(value) for value in reached if value > 0.0] or [0.0]
    low, high = min(positive), max(positive)
    missing = max(0.0, _LEAST_DECADES - (high - low)) / 2
    room = 0.04 * max(high - low, _LEAST_DECADES)
    return 10 ** (low - missing - room), 10 ** (high + missing + room)


def _value_axis(page: Page, axis_of: Any, axis: Scale, limits: tuple[float, float], length: float) -> None:
    """Places ticks at round values, as many as fit, each with a muted line."""
    low, high = limits
    if axis.logarithmic:
        axis_of._set_axes_scale("log")
        finest_first = _log_ticks(axis, limits)
    else:
        start, end = axis.ends or limits
        finest_first = [[start + (end - start) * part / parts for part in range(parts + 1)] for parts in (4, 2, 1)]

    def share(value: float) -> float:
        return math.log(value / low) / math.log(high / low) if axis.logarithmic else (value - low) / (high - low)

    def has_room(ticks: Sequence[float]) -> bool:
        labels = [(share(tick) * length, axis.text(tick)) for tick in ticks]
        return _has_room(page, labels, across=axis_of.axis_name == "x")

    ticks = next(filter(has_room, finest_first), finest_first[-1])
    axis_of.set_minor_locator(NullLocator())
    axis_of.set_major_locator(FixedLocator(ticks))
    axis_of.set_major_formatter(FixedFormatter([axis.text(tick) for tick in ticks]))
    axis_of.grid(True)


def _log_ticks(axis: Scale, limits: tuple[float, float]) -> list[list[float]]:
    """From the finest to the coarsest; at least two where there are two, because a single tick does not show the scale."""
    powers = range(math.floor(math.log(limits[0], axis.base)), math.ceil(math.log(limits[1], axis.base)) + 1)
    finest_first = []
    for steps in _ROUND[axis.base]:
        ticks = [step * float(axis.base) ** power for power in powers for step in steps]
        finest_first.append([tick for tick in ticks if limits[0] <= tick <= limits[1]])
    several = [ticks for ticks in finest_first if len(ticks) > 1] or finest_first[-1:]
    coarsest = several[-1]
    return [*several, *(coarsest[::every] for every in range(2, max(2, len(coarsest))))]


def _has_room(page: Page, labels: Sequence[tuple[float, str]], across: bool) -> bool:
    """Whether these labels are far enough apart. Each is a place on the axis, in points, and a text."""
    sizes = [1.5 * page.text_width(text) if across else 1.8 * _LABEL_HEIGHT for _, text in labels]
    places = [place for place, _ in labels]
    return all(b - a >= (of_a + of_b) / 2 for a, b, of_a, of_b in zip(places, places[1:], sizes, sizes[1:]))


def _thinned(page: Page, places: Sequence[int], text: Number, length: float) -> list[int]:
    """Every second, third, ... place, counted from the last, so that the labels fit on a logarithmic axis; at least the
    first and the last where both fit."""
    widths = {place: 1.35 * page.text_width(text(place)) for place in places}
    span = math.log2(places[-1] / places[0]) or 1.0
    kept = [places[-1]]
    for place in reversed(places[:-1]):
        if math.log2(kept[-1] / place) / span * length >= max(widths.values()):
            kept.append(place)
    if len(kept) == 1 and length >= (widths[places[0]] + widths[places[-1]]) / 2:
        kept = [places[-1], *places[:1]]
    return list(dict.fromkeys(kept[::-1]))
