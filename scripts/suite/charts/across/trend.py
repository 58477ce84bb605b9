"""How did a cost change from run to run? Its levels, the change points, and the remarks on them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator

from suite.base import phrases
from suite.charts.kit.frame import Drawing, LegendEntry, Look, Page, styled
from suite.charts.kit.marks import QUIET
from suite.history import check, store, view
from suite.history.check import Change, JudgedSeries
from suite.history.store import Entry
from suite.results.model import Account, BenchmarkName, Run
from suite.stats.arrays import Floats, np

UNITS = {
    store.RATIO: "times the reference build's",
    store.CYCLES: "in core cycles",
    store.NS: "in nanoseconds",
}
METHOD = "Change points by E-divisive, tested by rank sums. The axis does not begin at zero."
_DATES = 6  # at most
_TICKS_APART = 0.04  # of the axis, from its ends
_LONGEST_NAME = 40  # letters of a title: a longer word does not fit the column of a paper
_MANY_RUNS = 300  # runs; more are drawn with smaller points


def draw(series: JudgedSeries, machine: Mapping[str, Any], look: Look) -> Drawing:
    name, runs, values, changes = series.name, series.runs, series.values, series.changes
    newest = runs[-1]
    context = {**newest.facts, **machine, "profile": newest.profile}
    with styled(look):
        page = Page(Run(Path(), context, {}, Account(newest.complete, 1)), look, name)
        axes = page.panels("")[0]
        _values(page, axes, series)
        _dates(page, axes, runs)
        _changes(page, axes, values, changes)
        _remarks(page, axes, [(place, annotation.text) for annotation in series.annotations
                            if (place := annotation.place_in(runs)) is not None])  # fmt: skip
        subtitle = f"{_quantity(series)}: a point for the median of each run, a line for each level"
        subtitle += f"; the last change is {_signed(check.size_text(changes[-1].size))}" if changes else ""
        subtitle += f"; early warning: {_signed(check.warning_text(series.early))}" if series.early else ""
        return page.finish(title(series), subtitle, METHOD)


def _quantity(series: JudgedSeries) -> str:
    quantity = _words(series.metric.counter).capitalize() or "Time per operation"
    return f"{quantity}, {UNITS.get(series.unit, series.unit)}"


def _signed(text: str) -> str:
    return text.replace("-", "\u2212")


def title(series: JudgedSeries) -> str:
    """The state of the series, which `check` and the terminal's `trend` tell too. A long name is cut."""
    finding, name = _finding(series), series.name.partition(" ")[0]
    room = min(_LONGEST_NAME, phrases.LONGEST_TITLE - len(f": {finding}"))
    return f"{name if len(name) <= room else f'{name[: room - 1]}…'}: {finding}"


def _finding(series: JudgedSeries) -> str:
    runs = phrases.count(len(series.runs), "run")
    if series.state == check.NO_VERDICT:
        return f"no verdict before {phrases.count(series.needed, 'run')}, {len(series.runs)} so far"
    if series.state == check.NO_CHANGE:
        return f"no {'lasting ' if series.changes else ''}change found in {runs}"
    cost = _words(series.metric.counter) or "time"
    if series.early and series.state == check.EARLY_WARNING:
        size = phrases.more_or_less(series.early.least_ratio)
        return f"early warning, at least {size} {cost} in {_moment(series.early.newest)}"
    first = next(place for place, change in enumerate(series.changes) if change.kind == series.state)
    since = series.changes[first:]
    size = phrases.more_or_less(math.prod(change.size.median for change in since))
    steps = f", in {len(since)} steps" if len(since) > 1 else ""
    accepted = ", accepted" if series.state == check.ACCEPTED else ""
    return f"{size} {cost} since {_moment(since[0].first)}{steps}{accepted}"


def _words(counter: str) -> str:
    return counter.replace("_", " ")


def _moment(run: Entry) -> str:
    return run.revision[:12] or run.measured[:10]


def _values(page: Page, axes: Any, series: JudgedSeries) -> None:
    values = series.values
    colour = page.mark(BenchmarkName.parse(series.name.partition(" ")[0]).strategy or "none").colour(page.look.theme)
    levels = view.levels_of(series)
    low, high = view.reach_of(series, levels)
    axes.set_ylim(low, high)
    axes.set_xlim(-0.02 * len(values) - 0.5, len(values) - 0.5 + 0.02 * len(values))
    size = matplotlib.rcParams["lines.markersize"] * (0.45 if len(values) > _MANY_RUNS else 0.7)
    positions = np.arange(len(values))
    inside = (values >= low) & (values <= high)
    axes.plot(
        positions[inside], values[inside], "o", color=colour, alpha=0.8, markersize=size, markeredgewidth=0, zorder=2
    )
    for beyond, marker, edge in ((values > high, "^", high), (values < low, "v", low)):
        if beyond.any():
            axes.plot(
                positions[beyond], np.full(beyond.sum(), edge), marker, color=page.look.quiet, clip_on=False, zorder=3
            )
            page.add_key(LegendEntry("beyond the axis", marker))
    for level in levels:
        axes.plot((level.start - 0.5, level.end - 0.5), (level.value, level.value), "-", color=page.look.text, zorder=3)
    axes.yaxis.set_major_locator(FixedLocator(_inner_ticks(low, high)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    axes.grid(True, axis="y")


def _inner_ticks(low: float, high: float) -> list[float]:
    """No tick is so near the ends that its label would lie on the dates or on the subtitle."""
    ends = low + _TICKS_APART * (high - low), high - _TICKS_APART * (high - low)
    return [tick for tick in MaxNLocator(6).tick_values(low, high).tolist() if ends[0] < tick < ends[1]]


def _dates(page: Page, axes: Any, runs: Sequence[Entry]) -> None:
    fitting = max(2, int((page.room - _BESIDE_PANEL) / (1.3 * page.text_width(runs[0].measured[:10]))))
    places = sorted({round(place) for place in np.linspace(0, len(runs) - 1, min(_DATES, fitting, len(runs)))})
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_major_formatter(FixedFormatter([runs[place].measured[:10] for place in places]))


def _changes(page: Page, axes: Any, values: Floats, changes: Sequence[Change]) -> None:
    """Draws each change point as a line, with its size above the panel where it fits."""
    taken = -1.0
    for change in changes:
        place = change.index - 0.5
        axes.axvline(place, color=page.look.quiet, linewidth=1.5 * page.look.scale, linestyle=":", zorder=1)
        text = _signed(f"{100 * (change.size.median - 1):+.1f} %")
        width = len(values) * (page.text_width(text) + 12) / (page.room - _BESIDE_PANEL)
        if place - width / 2 > taken:
            axes.annotate(
                text, (place, 1), (0, 6 * page.look.scale), axes.get_xaxis_transform(), textcoords="offset points",
                ha="center", color=page.look.text,
            )  # fmt: skip
            taken = place + width / 2


_BESIDE_PANEL = 72.0  # points, for the labels of the axis
_REMARK_HEIGHT = 26.0
_REMARK_SHARE = 0.08  # of the panel's height, for each row of remarks
_REMARK_ROWS = 3


def _remarks(page: Page, axes: Any, remarks: Sequence[tuple[int, str]]) -> None:
    """Writes the remarks at the foot of the panel, beside their runs; remarks that would overlap are stacked."""
    first, last = axes.get_xlim()
    ends = [first] * _REMARK_ROWS
    low, high = axes.get_ylim()
    for place, text in sorted(remarks):
        axes.axvline(place, color=QUIET.colour(page.look.theme), linewidth=1.2 * page.look.scale, alpha=0.5, zorder=1)
        short = text if len(text) <= 32 else f"{text[:31]}…"
        width = (last - first) * (page.text_width(short) + 16) / (page.room - _BESIDE_PANEL)
        to_left = place + width > last
        start = place - width if to_left else place
        row = next((row for row, end in enumerate(ends) if start >= end), None)
        if row is None:
            continue
        ends[row] = start + width
        axes.set_ylim(min(axes.get_ylim()[0], low - (high - low) * _REMARK_SHARE * (row + 1)), high)
        axes.annotate(
            short, (place, 0), ((-8 if to_left else 8) * page.look.scale, (8 + _REMARK_HEIGHT * row) * page.look.scale),
            axes.get_xaxis_transform(), textcoords="offset points", ha="right" if to_left else "left",
            color=page.look.quiet, zorder=4,
            bbox={"facecolor": page.look.page, "edgecolor": "none", "alpha": 0.7, "pad": 2 * page.look.scale},
        )  # fmt: skip
