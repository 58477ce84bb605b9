"""How a cost went from run to run: its levels, where they changed, and what was said of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator

from suite.base import phrases
from suite.base.text import three_figures
from suite.charts.kit.frame import Drawing, LegendEntry, Look, Page, styled
from suite.charts.kit.marks import QUIET
from suite.history import check, store
from suite.history.store import Annotation, Entry, SeriesTable
from suite.results.metrics import metric_of
from suite.results.model import Account, BenchmarkName, Run
from suite.stats import change_points
from suite.stats.change_points import ChangePoint

UNITS = {
    store.RATIO: "times the reference build's",
    store.CYCLES: "in core cycles",
    store.NS: "in nanoseconds",
}
METHOD = "Change points by E-divisive, tested by rank sums. The axis does not begin at zero."
LEAST_REACH = 0.1  # of the axis, to either side of the levels: a change of 2 % must not look like one of 50 %
BULK = (2, 98)  # percentiles of the runs the axis is made for: one bad run must not make all others look alike
_DATES = 6
_MANY_RUNS = 300  # are drawn with smaller points


def draw(
    series: SeriesTable, annotations: Sequence[Annotation], machine: Mapping[str, Any], least_change: float, how: Look
) -> Drawing:
    """The one series of the table."""
    name = series.names[0]
    runs, values = series.series(0)
    points = change_points.find_change_points(values.tolist(), least_change)
    newest = runs[-1]
    context = {**newest.facts, **machine, "profile": newest.profile}
    with styled(how):
        on = Page(Run(Path(), context, {}, Account(newest.complete, 1)), how, name)
        axes = on.panels("")[0]
        _values(on, axes, name, values, points)
        _dates(axes, runs)
        _changes(on, axes, values, points)
        _remarks(on, axes, [(place, one.text) for one in annotations if one.speaks_of(name)
                            and (place := one.place_in(runs)) is not None])  # fmt: skip
        subtitle = f"{_what(name, newest.unit)}: a point for the median of each run, a line for each level"
        subtitle += f"; the last change is {_signed(check.size_text(points[-1].size))}" if points else ""
        on.facts.append(f"{len(runs)} runs, the newest {three_figures(float(values[-1]))}")
        return on.finish(_title(name, runs, points), subtitle, METHOD)


def _what(name: str, unit: str) -> str:
    own, counter = store.unit_of(name, unit), metric_of(name).counter
    return f"{counter.replace('_', ' ').capitalize() if counter else 'Time per operation'}, {UNITS.get(own, own)}"


def _signed(text: str) -> str:
    return text.replace("-", "\u2212")


def _title(name: str, runs: Sequence[Entry], points: Sequence[ChangePoint]) -> str:
    if not points:
        return f"{name}: no change in {phrases.count(len(runs), 'run')}"
    last = points[-1]
    share = abs(last.size.median - 1)
    which = runs[last.index]
    since = which.revision[:12] or which.measured[:10]
    return f"{name}: {100 * share:.1f} % {'more' if last.size.median > 1 else 'less'} since {since}"


def _values(on: Page, axes: Any, name: str, values: store.Array, points: Sequence[ChangePoint]) -> None:
    colour = on.mark(BenchmarkName.parse(name.partition(" ")[0]).strategy or "none").colour(on.look.theme)
    edges = [0, *(one.index for one in points), len(values)]
    levels = [float(np.median(values[a:b])) for a, b in zip(edges, edges[1:])]
    low, high = _reach(values, levels)
    axes.set_ylim(low, high)
    axes.set_xlim(-0.02 * len(values) - 0.5, len(values) - 0.5 + 0.02 * len(values))
    size = matplotlib.rcParams["lines.markersize"] * (0.45 if len(values) > _MANY_RUNS else 0.7)
    at = np.arange(len(values))
    inside = (values >= low) & (values <= high)
    axes.plot(at[inside], values[inside], "o", color=colour, alpha=0.8, markersize=size, markeredgewidth=0, zorder=2)
    for beyond, marker, edge in ((values > high, "^", high), (values < low, "v", low)):
        if beyond.any():
            axes.plot(at[beyond], np.full(beyond.sum(), edge), marker, color=on.look.quiet, clip_on=False, zorder=3)
            on.add_key(LegendEntry("beyond the axis", marker))
    for start, end, level in zip(edges, edges[1:], levels):
        axes.plot((start - 0.5, end - 0.5), (level, level), "-", color=on.look.text, zorder=3)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    axes.grid(True, axis="y")


def _reach(values: store.Array, levels: Sequence[float]) -> tuple[float, float]:
    low, high = (float(end) for end in np.percentile(values, BULK))
    room = 0.25 * (high - low)
    return min(low - room, min(levels) * (1 - LEAST_REACH)), max(high + room, max(levels) * (1 + LEAST_REACH))


def _dates(axes: Any, runs: Sequence[Entry]) -> None:
    places = sorted({round(place) for place in np.linspace(0, len(runs) - 1, min(_DATES, len(runs)))})
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_major_formatter(FixedFormatter([runs[place].measured[:10] for place in places]))


def _changes(on: Page, axes: Any, values: store.Array, points: Sequence[ChangePoint]) -> None:
    """Each change point as a line, its size above the panel where there is room."""
    taken = -1.0
    for one in points:
        place = one.index - 0.5
        axes.axvline(place, color=on.look.quiet, linewidth=1.5 * on.look.scale, linestyle=":", zorder=1)
        text = _signed(f"{100 * (one.size.median - 1):+.1f} %")
        width = len(values) * (on.text_width(text) + 12) / _PANEL_WIDTH
        if place - width / 2 > taken:
            axes.annotate(
                text, (place, 1), (0, 6 * on.look.scale), axes.get_xaxis_transform(), textcoords="offset points",
                ha="center", color=on.look.text,
            )  # fmt: skip
            taken = place + width / 2
        on.facts.append(f"{check.size_text(one.size)} at run {one.index + 1}")


_PANEL_WIDTH = 1000.0  # points, about
_REMARK_HEIGHT = 26.0
_REMARK_SHARE = 0.08  # of the panel's height, for each row of them
_REMARK_ROWS = 3


def _remarks(on: Page, axes: Any, remarks: Sequence[tuple[int, str]]) -> None:
    """What was said, at the foot of the panel beside the run it speaks of; one above another where they overlap."""
    first, last = axes.get_xlim()
    ends = [first] * _REMARK_ROWS
    low, high = axes.get_ylim()
    for place, text in sorted(remarks):
        axes.axvline(place, color=QUIET.colour(on.look.theme), linewidth=1.2 * on.look.scale, alpha=0.5, zorder=1)
        on.facts.append(f"{text} at run {place + 1}")
        short = text if len(text) <= 32 else f"{text[:31]}…"
        width = (last - first) * (on.text_width(short) + 16) / _PANEL_WIDTH
        to_left = place + width > last
        start = place - width if to_left else place
        row = next((row for row, end in enumerate(ends) if start >= end), None)
        if row is None:
            continue
        ends[row] = start + width
        axes.set_ylim(min(axes.get_ylim()[0], low - (high - low) * _REMARK_SHARE * (row + 1)), high)
        axes.annotate(
            short, (place, 0), ((-8 if to_left else 8) * on.look.scale, (8 + _REMARK_HEIGHT * row) * on.look.scale),
            axes.get_xaxis_transform(), textcoords="offset points", ha="right" if to_left else "left",
            color=on.look.quiet, zorder=4,
            bbox={"facecolor": on.look.page, "edgecolor": "none", "alpha": 0.7, "pad": 2 * on.look.scale},
        )  # fmt: skip
