"""How likely does such a difference between two groups of processes arise by chance? The permutation test."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_MOST_RELABELLINGS = 1000  # up to 5 against 5 and 6 against 4 processes that is all; above, so many are drawn
_SEED = 20010424
_SMALLEST_SPREAD = 0.001  # of logarithms: a counter may have the same value in every process


@dataclass(frozen=True)
class PValues:
    """How often chance alone would give a rise, or a fall, at least as large as the measured difference."""

    rise: float
    fall: float


def permutation_p_values(
    pairs: Sequence[tuple[Sequence[float], Sequence[float]]], kinds: Sequence[str] = ()
) -> list[PValues]:
    """The p-values of new against old for each (old, new) pair of positive series, all with the same two lengths.

    `kinds` names the unit of each pair, where the usual scatter differs by unit (times and bytes).

    Five processes a side have 252 orders, too few to find one benchmark among hundreds by its own ranks. So each
    benchmark's difference, in units of its scatter, is compared with the differences of all benchmarks with their
    processes relabelled: the permutation test of Tusher, Tibshirani and Chu, PNAS 98 (2001). The test assumes that the
    scatter of all benchmarks has the same shape, not the same size. All benchmarks share each relabelling, so that a
    disturbance of a whole process stays together.
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
    itself = 0 if everything else 1  # the complete set of relabellings contains the measured labels
    number = len(pairs) * len(labels) + itself
    reached = at_least[::-1].cumsum()[::-1][1:]  # relabelled statistics that are not below each observed statistic
    undercut = at_most.cumsum()[:-1]
    place = np.searchsorted(ordered, observed, side="left")
    last = np.searchsorted(ordered, observed, side="right") - 1
    return [
        PValues(float((reached[low] + itself) / number), float((undercut[high] + itself) / number))
        for low, high in zip(place, last)
    ]


def _relabellings(olds: int, news: int) -> tuple[Any, bool]:
    """Which processes count as old, as weights of the difference of means, and whether the set is complete."""
    everything = math.comb(olds + news, olds) <= _MOST_RELABELLINGS
    if everything:
        chosen = [list(subset) for subset in itertools.combinations(range(olds + news), olds)]
    else:
        draw = np.random.default_rng(_SEED)
        chosen = [list(draw.permutation(olds + news)[:olds]) for _ in range(_MOST_RELABELLINGS)]
    weights = np.full((len(chosen), olds + news), 1.0 / news)
    for row, subset in zip(weights, chosen):
        row[subset] = -1.0 / olds
    return weights, everything


def _low_spreads(spreads: Any, kinds: Sequence[str]) -> Any:
    """For each pair, the 5 % quantile of the spreads of its kind, as a column."""
    of_kind = np.array(kinds)
    lows = {kind: float(np.quantile(spreads[of_kind == kind], 0.05)) for kind in set(kinds)}
    return np.array([[max(lows[kind], _SMALLEST_SPREAD)] for kind in kinds])


def _spread(squares: Any, differences: Any, olds: int, news: int) -> Any:
    """The standard error of the differences of means, from the squares that remain within the groups."""
    left = np.maximum(squares - differences**2 * (olds * news / (olds + news)), 0.0)
    return np.sqrt(left / (olds + news - 2) * (1 / olds + 1 / news))


def _statistic(squares: Any, differences: Any, olds: int, news: int, low_spreads: Any) -> Any:
    """Student's t with a low spread added to the denominator: values that agree by chance do not make a small change
    look large."""
    statistic = differences / (_spread(squares, differences, olds, news) + low_spreads)
    return np.round(statistic, 9)  # equal statistics stay equal whatever the order of the sums


