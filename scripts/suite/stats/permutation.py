"""How likely is such a difference between two groups of processes by chance, alone and among many?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_MOST_RELABELLINGS = 1000  # all there are for up to 5 against 5 processes and 6 against 4; else drawn with this seed
_SEED = 20010424
_SMALLEST_SPREAD = 0.001  # of logarithms; counters may be the same in every process


@dataclass(frozen=True)
class PValues:
    """How often chance alone would give a rise, or a fall, as large as this one."""

    rise: float
    fall: float


def permutation_p_values(
    pairs: Sequence[tuple[Sequence[float], Sequence[float]]], kinds: Sequence[str] = ()
) -> list[PValues]:
    """For each (old, new) pair of positive series, all of the same two lengths: new against old.

    `kinds`: what each measures, where the usual scatter differs (times and bytes).

    Five processes a side have 252 orders, too few to single out one benchmark among hundreds by its own ranks. So each
    benchmark's difference, in units of its scatter, stands against those of all benchmarks with their processes
    relabelled: the permutation test of Tusher, Tibshirani and Chu, PNAS 98 (2001). It takes scatter to be alike in
    shape, not in size. The same relabelling is used for all: what disturbed a whole process stays together.
    """
    if not pairs:
        return []
    olds, news = len(pairs[0][0]), len(pairs[0][1])
    logs = np.log(np.array([(*old, *new) for old, new in pairs], dtype=np.float64))
    logs -= logs.mean(axis=1, keepdims=True)
    squares = (logs**2).sum(axis=1, keepdims=True)
    given = np.array([[-1.0 / olds] * olds + [1.0 / news] * news])
    low_spreads = _low_spreads(_spread(squares, logs @ given.T, olds, news)[:, 0], kinds or [""] * len(pairs))
    observed = _statistic(squares, logs @ given.T, olds, news, low_spreads)[:, 0]
    ordered = np.sort(observed)
    at_least, at_most = np.zeros(len(pairs) + 1), np.zeros(len(pairs) + 1)
    labels, everything = _relabellings(olds, news)
    for part in np.array_split(labels, max(1, len(pairs) * len(labels) // 2_000_000)):
        drawn = _statistic(squares, logs @ part.T, olds, news, low_spreads).ravel()
        at_least += np.bincount(np.searchsorted(ordered, drawn, side="right"), minlength=len(pairs) + 1)
        at_most += np.bincount(np.searchsorted(ordered, drawn, side="left"), minlength=len(pairs) + 1)
    itself = 0 if everything else 1  # among all relabellings is the one that was measured
    number = len(pairs) * len(labels) + itself
    reached = at_least[::-1].cumsum()[::-1][1:]  # how many relabelled statistics are not below each observed one
    undercut = at_most.cumsum()[:-1]
    place = np.searchsorted(ordered, observed, side="left")
    last = np.searchsorted(ordered, observed, side="right") - 1
    return [
        PValues(float((reached[low] + itself) / number), float((undercut[high] + itself) / number))
        for low, high in zip(place, last)
    ]


def _relabellings(olds: int, news: int) -> tuple[Any, bool]:
    """Which process counts as old, as weights of the difference of means; and whether these are all there are."""
    everything = math.comb(olds + news, olds) <= _MOST_RELABELLINGS
    if everything:
        chosen = [list(each) for each in itertools.combinations(range(olds + news), olds)]
    else:
        draw = np.random.default_rng(_SEED)
        chosen = [list(draw.permutation(olds + news)[:olds]) for _ in range(_MOST_RELABELLINGS)]
    weights = np.full((len(chosen), olds + news), 1.0 / news)
    for row, each in zip(weights, chosen):
        row[each] = -1.0 / olds
    return weights, everything


def _low_spreads(spreads: Any, kinds: Sequence[str]) -> Any:
    """For each, a spread that only one in twenty of its kind stays under, as a column."""
    of_kind = np.array(kinds)
    lows = {kind: float(np.quantile(spreads[of_kind == kind], 0.05)) for kind in set(kinds)}
    return np.array([[max(lows[kind], _SMALLEST_SPREAD)] for kind in kinds])


def _spread(squares: Any, differences: Any, olds: int, news: int) -> Any:
    """The standard error of the differences of means, from what is left of the squares."""
    left = np.maximum(squares - differences**2 * (olds * news / (olds + news)), 0.0)
    return np.sqrt(left / (olds + news - 2) * (1 / olds + 1 / news))


def _statistic(squares: Any, differences: Any, olds: int, news: int, low_spreads: Any) -> Any:
    """Student's t with a low spread added below, so that no chance agreement makes a small change large."""
    statistic = differences / (_spread(squares, differences, olds, news) + low_spreads)
    return np.round(statistic, 9)  # equal ones are equal whatever the order of the sums


