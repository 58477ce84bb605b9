"""How does a series of a history stand in a page? An SVG that stretches to the width it gets; its words are HTML.

It is written directly, because a page has hundreds of them. The style sheet chooses its colours by class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from suite.history import view
from suite.history.check import JudgedSeries
from suite.stats.arrays import Floats, np

WIDTH, HEIGHT = 1000, 100  # of the drawing; the page stretches both
EDGE = 25  # beside the first and the newest run, so that no dot is cut off
_LABEL_WIDTH = 9.0  # percent of the chart's width: labels that are closer overlap on a phone


@dataclass(frozen=True)
class Mark:
    """Words above the chart, at a place from 0 to 100 percent."""

    place: float
    text: str


@dataclass(frozen=True)
class SeriesChart:
    svg: Markup
    low: str
    high: str
    marks: tuple[Mark, ...]
    dates: tuple[str, ...]  # of the first, the middle and the newest run


def chart(series: JudgedSeries) -> SeriesChart:
    levels = view.levels_of(series)
    low, high = view.reach_of(series, levels)
    places, heights = _scaled(series.values, low, high)
    inside = (series.values >= low) & (series.values <= high)
    parts = [
        _vertical("noted", places, index)
        for annotation in series.annotations
        if (index := annotation.place_in(series.runs)) is not None
    ]
    parts += [_vertical("changed", places, change.index - 0.5) for change in series.changes]
    parts += [_dots("run", places[inside], heights[inside]), _dots("beyond", places[~inside], heights[~inside])]
    parts += [_levels(levels, places, low, high)]
    if series.early:
        parts.append(_dots("early", places[-1:], heights[-1:]))
    dates = [series.runs[index].measured[:10] for index in sorted({0, len(series.runs) // 2, len(series.runs) - 1})]
    return SeriesChart(_svg(parts), f"{low:.4g}", f"{high:.4g}", _marks(series, places), tuple(dates))


def sparkline(series: JudgedSeries) -> Markup:
    levels = view.levels_of(series)
    low, high = view.reach_of(series, levels)
    places, heights = _scaled(series.values, low, high)
    line = f'<path class="line" d="M{" ".join(f"{x},{y}" for x, y in zip(places, heights))}"/>'
    state = "early" if series.early else "newest"
    return _svg([line, _levels(levels, places, low, high), _dots(state, places[-1:], heights[-1:])])


def _svg(parts: Sequence[str]) -> Markup:
    """Hidden from screen readers: the words beside it tell the same."""
    content = "".join(parts)
    return Markup(f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">{content}</svg>')


def _scaled(values: Floats, low: float, high: float) -> tuple[Floats, Floats]:
    """Whole numbers from left to right and from top to bottom. Values beyond the axis lie on its edge."""
    places = np.array([WIDTH / 2]) if len(values) == 1 else np.linspace(EDGE, WIDTH - EDGE, len(values))
    heights = HEIGHT * (high - np.clip(values, low, high)) / (high - low)
    return places.round().astype(int), heights.round().astype(int)


def _dots(kind: str, places: Floats, heights: Floats) -> str:
    """Lines without length and with round ends, which stay round where the drawing is stretched."""
    dots = "".join(f"M{x} {y}h0" for x, y in zip(places, heights))
    return f'<path class="{kind}" d="{dots}"/>' if dots else ""


def _vertical(kind: str, places: Floats, index: float) -> str:
    x = round(float(np.interp(index, range(len(places)), places)))
    return f'<path class="{kind}" d="M{x} 0v{HEIGHT}"/>'


def _levels(levels: Sequence[view.Level], places: Floats, low: float, high: float) -> str:
    lines = []
    for level in levels:
        start, end = (int(places[index]) for index in (level.start, level.end - 1))
        y = round(HEIGHT * (high - level.value) / (high - low))
        lines.append(f"M{start} {y}H{end}")
    return f'<path class="level" d="{"".join(lines)}"/>'


def _marks(series: JudgedSeries, places: Floats) -> tuple[Mark, ...]:
    """The sizes of the changes, without those that would overlap; the newest first, because it matters most."""
    marks: list[Mark] = []
    for change in reversed(series.changes):
        place = float(np.interp(change.index - 0.5, range(len(places)), places)) / WIDTH * 100
        if all(abs(place - mark.place) > _LABEL_WIDTH for mark in marks):
            size = f"{100 * (change.size.median - 1):+.1f} %".replace("-", "\N{MINUS SIGN}")
            marks.append(Mark(min(max(place, 4.0), 96.0), size))
    return tuple(marks)
