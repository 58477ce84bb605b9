"""Which levels does a chart of a series show, on which stretch of its axis?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from suite.history.check import JudgedSeries
from suite.stats.arrays import np

LEAST_REACH = 0.1  # of the axis, above and below the levels: a change of 2 % must not look like a change of 50 %
BULK = (2, 98)  # percentiles of the runs that fit the axis: one bad run must not make all others look equal


@dataclass(frozen=True)
class Level:
    """The median of the runs between two changes."""

    start: int
    end: int  # exclusive
    value: float


def levels_of(series: JudgedSeries) -> list[Level]:
    edges = [0, *(change.index for change in series.changes), len(series.values)]
    return [Level(start, end, float(np.median(series.values[start:end]))) for start, end in zip(edges, edges[1:])]


def reach_of(series: JudgedSeries, levels: Sequence[Level]) -> tuple[float, float]:
    """The lowest and the highest value on the axis."""
    low, high = (float(end) for end in np.percentile(series.values, BULK))
    room = 0.25 * (high - low)
    ends = [level.value for level in levels]
    ends += [float(series.values[-1])] if series.early else []  # of which a warning speaks
    return min(low - room, min(ends) * (1 - LEAST_REACH)), max(high + room, max(ends) * (1 + LEAST_REACH))
