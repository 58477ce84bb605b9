"""The two forms of drawing: points in rows (who costs how much), and lines over a quantity (how the cost grows)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib import transforms
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from suite.base import phrases
from suite.base.text import bytes_text, time_text
from suite.charts.kit.frame import LegendEntry, Look, Page
from suite.charts.kit.marks import QUIET, Mark
from suite.results.model import cache_levels
from suite.stats.estimates import Estimate

Number = Callable[[float], str]

_LABEL_HEIGHT = 21.0  # points
_LANE, _LANES = 5.0, 20.0  # points from a line to one that would lie on it; of all that would
_LEADER = 26.0  # points from a line's end to its label
_LEAST_DECADES = 1.0  # a shorter axis would make small differences look large
_BESIDE_PANELS, _ABOVE_AND_BELOW = 252.0, 308.0  # points of the page that panels do not have, about
_TICKS_WIDTH = 80.0  # of the labels beside an axis for costs
_ROUND: Mapping[int, Sequence[tuple[int, ...]]] = {  # steps within a power of the base, as many as have room
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
    """An axis for multiples, not logarithmic, from one (or nought, where less is shown) to a round value over all."""
    reached = [bound for one in shown for bound in (one.low, one.median, one.high)]
    low = 1.0 if min(reached) > 0.95 else 0.0
    spans = (4 * step * 10.0**power for power in range(-2, 300) for step in (2.5, 5, 10))
    return Scale(phrases.times, (low, next(low + span for span in spans if low + span >= max(reached))))


# ---- points in rows


@dataclass(frozen=True)
class Column:
    """One figure for each row, all of one shape. Columns of one lane stand on one height within the row."""

    label: str
    values: Mapping[str, Estimate]
    marker: str | None = None  # the strategy's own
    filled: bool = True
    lane: float = 0.0
    style: Mark | None = None  # else the rows'


@dataclass(frozen=True)
class RowsPanel:
    title: str
    columns: Sequence[Column]
    axis: Scale = Scale()
    joined: bool = False  # a line from the first column's point to the last's


def cheapest_first(values: Mapping[str, Estimate]) -> list[str]:
    return sorted(values, key=lambda name: values[name].median)


def dots(
    on: Page,
    rows: Sequence[str],
    *panels: RowsPanel,
    valued: bool = False,
    colour_of: Callable[[str], Mark] | None = None,
) -> list[Any]:
    """A row for each name, from top to bottom, side by side in panels; those with one axis have the same ends.

    `valued`: each figure is written beside its point.
    """
    all_axes = on.panels(*(one.title for one in panels))
    for axes, panel in zip(all_axes, panels):
        alike = [each for other in panels if other.axis == panel.axis for each in other.columns]
        limits = _limits(panel.axis, [one.values[row] for one in alike for row in rows if row in one.values])
        _value_axis(on, axes.xaxis, panel.axis, limits, _panels_width(on) / len(panels))
        axes.set_xlim(limits)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        names = [on.name(row) for row in rows] if axes is all_axes[0] else [""] * len(rows)
        axes.yaxis.set_major_locator(FixedLocator(range(len(rows))))
        axes.yaxis.set_major_formatter(FixedFormatter(names))
        _stripe(on, axes, len(rows))
        if panel.joined:
            _join(axes, rows, panel, colour_of or on.mark, on.look)
        for one in panel.columns:
            _column(on, axes, rows, one, panel, valued, colour_of or on.mark)
    return all_axes


def _column(
    on: Page,
    axes: Any,
    rows: Sequence[str],
    one: Column,
    panel: RowsPanel,
    valued: bool,
    colour_of: Callable[[str], Mark],
) -> None:
    lanes = 1 + max(other.lane for other in panel.columns)
    shown = [(index, row, one.values[row]) for index, row in enumerate(rows) if row in one.values]
    if one.label and shown and len(panel.columns) > 1:
        on.add_key(LegendEntry(one.label, one.marker or "o", one.filled, one.style))
    for index, row, figure in shown:
        y = index + (one.lane - (lanes - 1) / 2) * 0.8 / lanes
        _dot(on, axes, figure, y, one, one.style or colour_of(row))
        about = ", ".join(filter(None, (on.name(row), panel.title, one.label)))
        on.point_out(axes, figure.median, y, f"{about}: {_told(figure, panel.axis)}")
        if valued:
            _value(on, axes, figure, y, panel.axis)
    said = [f"{on.name(row)} {panel.axis.text(figure.median)}" for _, row, figure in shown]
    about = ", ".join(filter(None, (panel.title, one.label)))
    on.facts.append(f"{about}: {', '.join(said)}" if about else ", ".join(said))


def _join(axes: Any, rows: Sequence[str], panel: RowsPanel, colour_of: Callable[[str], Mark], how: Look) -> None:
    for y, row in enumerate(rows):
        ends = [one.values[row].median for one in panel.columns if row in one.values]
        colour = colour_of(row).colour(how.theme)
        axes.plot(ends, [y] * len(ends), "-", color=colour, linewidth=6 * how.scale, alpha=0.35)


def _told(one: Estimate, axis: Scale) -> str:
    """A figure with its interval and its humps."""
    interval = f" ({axis.text(one.low)} to {axis.text(one.high)})" if one.has_interval else ""
    humps = f", bimodal: {' and '.join(map(axis.text, one.modes))}" if one.modes else ""
    return f"{axis.text(one.median)}{interval}{humps}"


def _stripe(on: Page, axes: Any, rows: int) -> None:
    for index in range(0, rows, 2):
        axes.axhspan(index - 0.5, index + 0.5, color=on.look.grid, alpha=0.45, linewidth=0, zorder=0)


def _dot(on: Page, axes: Any, one: Estimate, y: float, of: Column, style: Mark) -> None:
    on.keep(one, "|")
    colour = style.colour(on.look.theme)
    if one.has_interval:
        axes.plot((max(one.low, axes.get_xlim()[0]), one.high), (y, y), "-", color=colour, alpha=0.5, zorder=2)
    face = colour if of.filled else on.look.page
    axes.plot((one.median,), (y,), of.marker or style.marker, color=colour, markerfacecolor=face, zorder=3)
    if one.modes:
        axes.plot(one.modes, (y, y), "|", color=colour, markersize=_marker_size(on) * 1.7, zorder=3)


def _value(on: Page, axes: Any, one: Estimate, y: float, axis: Scale) -> None:
    far = one.high if one.has_interval else one.median
    text = phrases.short_time(one.median) if axis.text is time_text else axis.text(one.median)
    axes.annotate(
        text, (far, y), (12 * on.look.scale, 0), textcoords="offset points", va="center_baseline", color=on.look.text
    )


def control_line(on: Page, axes: Any, one: Estimate, label: str) -> None:
    """The control of a chart in rows: what everyone pays, as a line from top to bottom."""
    on.keep(one)
    colour = QUIET.colour(on.look.theme)
    if one.has_interval:
        axes.axvspan(one.low, one.high, color=colour, alpha=0.15, linewidth=0, zorder=1)
    axes.axvline(one.median, color=colour, linestyle="--", zorder=1)
    _on_top(on, axes, [(one.median, f"{label} {phrases.short_time(one.median)}")])
    on.facts.append(f"{label} {phrases.short_time(one.median)}")


# ---- lines over a quantity


def exact(value: float) -> Estimate:
    """A figure that was not measured: an ideal."""
    return Estimate(value, value, value, 0.0, 0)


@dataclass(frozen=True)
class Line:
    """One line: who or what, and its figures over the quantity."""

    name: str
    values: Mapping[int, Estimate]
    style: Mark | None = None  # else the strategy's own

    @property
    def measured(self) -> bool:
        return any(one.n for one in self.values.values())


@dataclass(frozen=True)
class LinesPanel:
    title: str
    series: Sequence[Line]
    axis: Scale = Scale()


def lines(
    on: Page,
    *panels: LinesPanel,
    over: Number = lambda value: bytes_text(int(value)),
    abreast: bool = False,
) -> list[Any]:
    """Lines over a quantity that doubles, side by side in panels; their names stand at the ends in the last one.

    `abreast`: lines that would lie on one another all along run beside each other, a little off their height.
    """
    all_axes = on.panels(*(one.title for one in panels))
    for axes, panel in zip(all_axes, panels):
        alike = [each for other in panels if other.axis == panel.axis for each in other.series]
        limits = _limits(panel.axis, [value for one in alike for value in one.values.values()])
        _value_axis(on, axes.yaxis, panel.axis, limits, on.look.sheet.height - _ABOVE_AND_BELOW)
        axes.set_ylim(limits)
        _quantity_axis(on, axes, panel, over, _panels_width(on) / len(panels) - _TICKS_WIDTH)
        if panel.title:
            on.facts.append(panel.title)
        above = lanes(panel) if abreast else [0.0] * len(panel.series)
        for one, shift, off in zip(panel.series, _shifts(panel), above):
            _line(on, axes, one, shift, over, panel.axis, off)
    _label_ends(on, all_axes[-1], panels[-1])
    return all_axes


def lanes(panel: LinesPanel) -> list[float]:
    """How far (in points) each line runs above its height: those that read the same everywhere run abreast."""
    text = panel.axis.text
    read = [tuple((place, text(value.median)) for place, value in one.values.items()) for one in panel.series]
    ranks = [(read[:index].count(one), read.count(one)) for index, one in enumerate(read)]
    return [min(_LANE, _LANES / number) * ((number - 1) / 2 - rank) for rank, number in ranks]


def _shifts(panel: LinesPanel) -> list[float]:
    """How far (in doublings) each line's points stand beside their place, so that the intervals can be told apart."""
    places = sorted({place for one in panel.series for place in one.values})
    nearest = min((math.log2(b / a) for a, b in zip(places, places[1:])), default=1.0)
    span = math.log2(places[-1] / places[0]) or 1.0
    step = min(0.15 * nearest, 0.04 * span) / max(4, len(panel.series))
    return [step * (index - (len(panel.series) - 1) / 2) * one.measured for index, one in enumerate(panel.series)]


def _quantity_axis(on: Page, axes: Any, panel: LinesPanel, over: Number, length: float) -> None:
    places = sorted({place for one in panel.series for place in one.values})
    ticks = _thinned(on, places, over, length)
    axes.set_xscale("log", base=2)
    room = max(places[-1] / places[0], 2) ** 0.03
    axes.set_xlim(places[0] / room, places[-1] * room)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([over(tick) for tick in ticks]))
    below = matplotlib.rcParams["xtick.major.pad"] + _LABEL_HEIGHT / 2 * on.look.scale
    axes.tick_params(axis="x", pad=below)  # clear of a label at the lower end of the other axis


def _line(on: Page, axes: Any, one: Line, shift: float, over: Number, axis: Scale, off: float) -> None:
    style = one.style or on.mark(one.name)
    colour = style.colour(on.look.theme)
    places = sorted(one.values)
    shown = [one.values[place] for place in places]
    beside = [place * 2**shift for place in places]
    middle = [value.median for value in shown]
    if one.measured:
        shape = {"linestyle": style.dashes, "marker": style.marker, "zorder": 3}
    else:  # an ideal is a broad way, seen where measured lines run along it
        shape = {"linewidth": 9 * on.look.scale, "alpha": 0.3, "zorder": 1}
    moved = axes.transData + transforms.ScaledTranslation(0, off * on.look.scale / 72, on.figure.dpi_scale_trans)
    axes.plot(beside, middle, color=colour, clip_on=False, transform=moved, **shape)
    for at, place, value in zip(places, beside, shown):
        on.keep(value, "_")
        on.point_out(axes, place, value.median, f"{on.name(one.name)}, {over(at)}: {_told(value, axis)}")
        if value.has_interval:
            low = max(value.low, axes.get_ylim()[0])
            axes.plot((place, place), (low, value.high), "-", color=colour, alpha=0.5, clip_on=False, zorder=2)
        if value.modes:
            axes.plot((place, place), value.modes, "_", color=colour, markersize=_marker_size(on) * 1.6, zorder=3)
    ends = " to ".join(f"{axis.text(value.median)} at {over(place)}" for place, value in _ends(one))
    on.facts.append(f"{on.name(one.name)} {ends}")


def _ends(one: Line) -> list[tuple[int, Estimate]]:
    return [(place, one.values[place]) for place in dict.fromkeys((min(one.values), max(one.values)))]


def _label_ends(on: Page, axes: Any, panel: LinesPanel) -> None:
    """Names beside the lines' ends, each tied to its end; the heights are settled when the panel stands."""
    beside = transforms.blended_transform_factory(axes.transAxes, axes.transData)
    gap = _LEADER * on.look.scale
    labels = []
    for one, shift in zip(panel.series, _shifts(panel)):
        colour = (one.style or on.mark(one.name)).colour(on.look.theme)
        end = (max(one.values) * 2**shift, one.values[max(one.values)].median)
        text = axes.annotate(
            on.name(one.name), (1, end[1]), (gap, 0), beside, textcoords="offset points", va="center", color=colour
        )
        labels.append((text, end, colour))

    def settle() -> None:
        pixels = [float(axes.transData.transform(end)[1]) for _, end, _ in labels]
        box = axes.get_window_extent()
        height = _LABEL_HEIGHT * on.unit
        heights = spread(pixels, height, box.y0 + height / 2, box.y1 - height / 2)
        for (text, end, colour), natural, settled in zip(labels, pixels, heights):
            text.set_position((gap, (settled - natural) / on.unit * on.look.scale))
            start = axes.transAxes.inverted().transform(axes.transData.transform(end))
            edge = (1 + 0.3 * _LEADER * on.unit / box.width, 1 + 0.8 * _LEADER * on.unit / box.width)
            there = (settled - box.y0) / box.height
            axes.plot(
                (start[0], edge[0], edge[1]), (start[1], start[1], there), "-", color=colour, alpha=0.6,
                linewidth=1.2 * on.look.scale, transform=axes.transAxes, clip_on=False, zorder=1,
            )  # fmt: skip

    on.when_placed.append(settle)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The places nearest to the wanted ones (in least squares) that are `gap` apart and lie within low and high.

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


def shade_under(on: Page, axes: Any, one: Line) -> None:
    """The control of a chart in lines: what everyone pays, as the ground under its line."""
    places = sorted(one.values)
    colour = (one.style or on.mark(one.name)).colour(on.look.theme)
    heights = [one.values[place].median for place in places]
    axes.fill_between(places, axes.get_ylim()[0], heights, color=colour, alpha=0.15, linewidth=0, zorder=1)


def guide_caches(on: Page, axes: Any) -> None:
    """The machine's cache levels, across a panel whose quantity is bytes."""
    guide(on, axes, [(float(size), f"{name} {bytes_text(size)}") for name, size in cache_levels(on.run)])


def guide(on: Page, axes: Any, places: Sequence[tuple[float, str]]) -> None:
    """Quiet lines at places of the quantity, with labels on top; places outside the panel are left out."""
    low, high = axes.get_xlim()
    within = [(place, label) for place, label in places if low < place < high]
    for place, _ in within:
        axes.axvline(place, color=on.look.quiet, linewidth=1.5 * on.look.scale, linestyle=":", zorder=1)
    _on_top(on, axes, within)


def _on_top(on: Page, axes: Any, labels: Sequence[tuple[float, str]]) -> None:
    """Quiet labels over the panel, above their places, and its title over them."""
    title = axes.get_title("left")
    if title and labels:
        axes.set_title(title, pad=matplotlib.rcParams["axes.titlepad"] + _LABEL_HEIGHT * on.look.scale)
    above = transforms.blended_transform_factory(axes.transData, axes.transAxes)
    for place, label in labels:
        axes.annotate(
            label, (place, 1), (0, 6 * on.look.scale), above, textcoords="offset points", ha="center",
            color=on.look.quiet,
        )  # fmt: skip


def name_peaks(on: Page, axes: Any, panel: LinesPanel) -> None:
    """Names beside the lines' own highest points where no other line is higher, as far as there is room."""
    peaks = []
    for one in panel.series:
        height, place = max((value.median, place) for place, value in one.values.items())
        if all(other.values[place].median <= height for other in panel.series if place in other.values):
            peaks.append((height, place, one))

    def settle() -> None:
        taken: list[Any] = []
        for height, place, one in sorted(peaks, key=lambda peak: -peak[0]):
            room = axes.bbox.y1 - axes.transData.transform((place, height))[1]
            offset, va = ((8, 8), "bottom") if room > 1.5 * _LABEL_HEIGHT * on.unit else ((14, 0), "center_baseline")
            text = axes.annotate(
                on.name(one.name), (place, height), [each * on.look.scale for each in offset],
                textcoords="offset points", va=va, color=(one.style or on.mark(one.name)).colour(on.look.theme),
            )  # fmt: skip
            box = text.get_window_extent(on.canvas.get_renderer())
            if box.x1 > axes.bbox.x1 or any(box.overlaps(other) for other in taken):
                text.remove()
            else:
                taken.append(box)

    on.when_placed.append(settle)


# ---- axes


def _panels_width(on: Page) -> float:
    return on.look.sheet.width - _BESIDE_PANELS


def _marker_size(on: Page) -> float:
    return 10 * on.look.scale


def _limits(axis: Scale, shown: Sequence[Estimate]) -> tuple[float, float]:
    if axis.ends is not None:
        room = 0.04 * (axis.ends[1] - axis.ends[0])
        return axis.ends[0] - room, axis.ends[1] + room
    reached = [*axis.also, *(bound for one in shown for bound in (one.low, one.median, one.high))]
    positive = [math.log10(value) for value in reached if value > 0.0] or [0.0]
    low, high = min(positive), max(positive)
    missing = max(0.0, _LEAST_DECADES - (high - low)) / 2
    room = 0.04 * max(high - low, _LEAST_DECADES)
    return 10 ** (low - missing - room), 10 ** (high + missing + room)


def _value_axis(on: Page, axis_of: Any, axis: Scale, limits: tuple[float, float], length: float) -> None:
    """Ticks at round values, as many as have room, with a quiet line each."""
    if axis.logarithmic:
        axis_of._set_axes_scale("log")
        ticks = _log_ticks(on, axis, limits, length, across=axis_of.axis_name == "x")
    else:
        low, high = axis.ends or limits
        ticks = [low + (high - low) * part / 4 for part in range(5)]
    axis_of.set_minor_locator(NullLocator())
    axis_of.set_major_locator(FixedLocator(ticks))
    axis_of.set_major_formatter(FixedFormatter([axis.text(tick) for tick in ticks]))
    axis_of.grid(True)


def _log_ticks(on: Page, axis: Scale, limits: tuple[float, float], length: float, across: bool) -> list[float]:
    powers = range(math.floor(math.log(limits[0], axis.base)), math.ceil(math.log(limits[1], axis.base)) + 1)
    ticks: list[float] = []
    for steps in _ROUND[axis.base]:
        ticks = [step * float(axis.base) ** power for power in powers for step in steps]
        ticks = [tick for tick in ticks if limits[0] <= tick <= limits[1]]
        if _has_room(on, ticks, axis.text, length, across):
            return ticks
    every = 2
    while not _has_room(on, ticks[::every], axis.text, length, across):
        every += 1
    return ticks[::every]


def _has_room(on: Page, ticks: Sequence[float], text: Number, length: float, across: bool) -> bool:
    each = 1.5 * max((on.text_width(text(tick)) for tick in ticks), default=0.0) if across else 1.8 * _LABEL_HEIGHT
    return len(ticks) < 2 or len(ticks) * each <= length


def _thinned(on: Page, places: Sequence[int], text: Number, length: float) -> list[int]:
    """Every second, third, ... place, counted from the last, so that their labels have room on a logarithmic axis."""
    widest = 1.35 * max(on.text_width(text(place)) for place in places)
    span = math.log2(places[-1] / places[0]) or 1.0
    kept = [places[-1]]
    for place in reversed(places[:-1]):
        if math.log2(kept[-1] / place) / span * length >= widest:
            kept.append(place)
    return kept[::-1]
