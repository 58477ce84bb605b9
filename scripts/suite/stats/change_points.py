"""Where in a series of runs did the cost change, and by how much?

E-divisive (Matteson and James, Journal of the American Statistical Association 109, 2014): the series is divided where
the energy distance between the runs before and the runs after is largest, and both pieces are divided in the same way.
Two choices differ from the paper. First, the distance is taken between logarithms, and outliers are limited (the Hampel
identifier of Davies and Gather, same journal 88, 1993), so that a single bad run does not decide where to divide.
Second, the rank-sum test on the unchanged values decides whether a division is a change point; its p is multiplied by
the number of places that were searched. The paper draws random permutations instead: these cost time, and the same
series can get two answers. Hunter (Fleming and others, ICPE 2023) uses a t test, which ignores that the place was chosen
from many and assumes normal noise: its false alarms come from there. This module uses no random numbers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from suite.stats.arrays import Floats, np
from suite.stats.estimates import Estimate, estimate_ratio
from suite.stats.multiple import false_discovery_limit
from suite.stats.rank_sum import two_sided_rank_sum_p

ERROR_RATE = 0.05  # for one series without a change, or for all series together where there are several
LEAST_RUNS = 3  # on either side: one or two bad runs are not a change point
LEAST_CHANGE = 0.02  # as a share: placing the same code elsewhere in memory changes a benchmark by about as much

_RUNS_FOR_SIZE = 20  # on either side: older runs add little, and the interval's cost grows with the product
_NUMBERS_AT_ONCE = 1 << 20  # of pairwise sums, so that they stay in a cache


@dataclass(frozen=True)
class ChangePoint:
    """The first run of a new level. `p` is the chance of a change point as clear anywhere in the piece if the cost had
    not changed."""

    index: int
    p: float
    size: Estimate  # the new level over the old


def find_change_points(values: Sequence[float], least_change: float = LEAST_CHANGE) -> list[ChangePoint]:
    """The change points of one series of positive values, oldest first."""
    return find_in_all([np.asarray(values, dtype=np.float64)], least_change)[0]


def find_in_all(all_series: Sequence[Floats], least_change: float = LEAST_CHANGE) -> list[list[ChangePoint]]:
    """The same for many series. Of all change points found, a share of at most ERROR_RATE is expected to be false:
    false-discovery control over the smallest p of each series."""
    divisions = _divide_all(all_series)
    limit = false_discovery_limit([min(points.values(), default=1.0) for points in divisions], ERROR_RATE)
    return [
        _sized(values, {index: p for index, p in points.items() if p <= limit}, least_change)
        for values, points in zip(all_series, divisions)
    ]


def fewest_runs(series: int) -> int:
    """How many runs so many series need before the clearest possible change in one of them counts as a change point."""
    runs = 2 * LEAST_RUNS
    while 2 / math.comb(runs, runs // 2) * 2 * _places(runs) > ERROR_RATE / series:
        runs += 1
    return runs


# ---- dividing


def _divide_all(all_series: Sequence[Floats]) -> list[dict[int, float]]:
    """Index and p of every division with p within ERROR_RATE. Pieces of the same length are processed together.

    The p of a division within a piece is at least the p of the division that made the piece.
    """
    divisions: list[dict[int, float]] = [{} for _ in all_series]
    calm = [_drawn_in(values) for values in all_series]
    pieces = [_Piece(which, 0, len(values), 0.0) for which, values in enumerate(all_series)]
    while pieces:
        by_length = defaultdict(list)
        for piece in pieces:
            if piece.end - piece.start >= 2 * LEAST_RUNS:
                by_length[piece.end - piece.start].append(piece)
        pieces = []
        for alike in by_length.values():
            block = np.stack([all_series[piece.which][piece.start : piece.end] for piece in alike])
            drawn_in = np.stack([calm[piece.which][piece.start : piece.end] for piece in alike])
            for piece, (place, own) in zip(alike, _best_divisions(block, drawn_in)):
                middle, p = piece.start + place, max(own, piece.p)
                if p <= ERROR_RATE:
                    divisions[piece.which][middle] = p
                    pieces += [_Piece(piece.which, piece.start, middle, p), _Piece(piece.which, middle, piece.end, p)]
    return divisions


@dataclass(frozen=True)
class _Piece:
    which: int  # series
    start: int
    end: int
    p: float  # of the divisions that made it


def _best_divisions(block: Floats, drawn_in: Floats) -> list[tuple[int, float]]:
    """For each row, the best place to divide it, and the p of that division.

    As in the paper, the piece after the division may end before the row does. Half of the error rate is spent on changes
    that last to the end of the row, which are fewer and matter most; the other half on all others.
    """
    rows, runs = block.shape
    at_once = max(1, _NUMBERS_AT_ONCE // (runs * runs))
    best = []
    for first in range(0, rows, at_once):
        some = block[first : first + at_once]
        energy = _energies(drawn_in[first : first + at_once])
        lasting = energy[:, :, -1].argmax(axis=1)
        passing = energy[:, :, :-1].reshape(len(some), -1).argmax(axis=1)
        for row, last, inner in zip(some, lasting, passing):
            place, end = divmod(int(inner), runs - 1)
            spans = [(int(last) + 1, runs, _places(runs)), (place + 1, end + 1, _places_and_ends(runs))]
            tested = ((2 * number * two_sided_rank_sum_p(row[:at], row[at:to]), at) for at, to, number in spans if number)
            p, at = min(tested)
            best.append((at, min(p, 1.0)))
    return best


def _places(runs: int) -> int:
    return runs - 2 * LEAST_RUNS + 1


def _places_and_ends(runs: int) -> int:
    """Places with ends before the last run."""
    return sum(_places(end) for end in range(2 * LEAST_RUNS, runs))


def _energies(block: Floats) -> Floats:
    """[row, t - 1, k - 1]: the scaled energy distance Q between the values before t and the values from t to k.

    Equations (5) and (6) of the paper with alpha 1, all from the sums of |x_i - x_j| over i < t and j < k.
    """
    runs = block.shape[1]
    sums = np.abs(block[:, :, None] - block[:, None, :]).cumsum(axis=1).cumsum(axis=2)
    within_all = np.einsum("rii->ri", sums)
    within_first = within_all[:, :, None]
    between = sums - within_first
    within_second = within_all[:, None, :] - within_first - 2 * between
    first = np.arange(1.0, runs + 1)[:, None]
    second = np.arange(1.0, runs + 1)[None, :] - first
    allowed = (first >= LEAST_RUNS) & (second >= LEAST_RUNS)
    m, n = np.where(allowed, first, 2.0), np.where(allowed, second, 2.0)  # 2: anything that divides
    distance = between * (2 / (m * n)) - within_first / (m * (m - 1)) - within_second / (n * (n - 1))
    energy: Floats = np.where(allowed, distance * (m * n / (m + n)), -np.inf)
    return energy


def _drawn_in(values: Floats) -> Floats:
    """Logarithms, limited to three times the usual step from run to run around the running median of five.

    Levels of three and more runs, and the places where they begin, do not change.
    """
    logs: Floats = np.log(values)
    if len(logs) < 2 * LEAST_RUNS:
        return logs
    running = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(logs, 2, mode="reflect"), 5), axis=1)
    reach = 3 * np.median(np.abs(np.diff(logs)))
    return np.clip(logs, running - reach, running + reach)


# ---- the size


def _sized(values: Floats, points: dict[int, float], least_change: float) -> list[ChangePoint]:
    """The change points with their sizes. The smallest is removed, which joins its two levels, until all are large."""
    places = sorted(points)
    while places:
        edges = [0, *places, len(values)]
        sizes = [_size(values[a:b], values[b:c]) for a, b, c in zip(edges, edges[1:], edges[2:])]
        smallest = min(range(len(places)), key=lambda which: abs(math.log(sizes[which].median)))
        if abs(sizes[smallest].median - 1) >= least_change:
            return [ChangePoint(place, points[place], size) for place, size in zip(places, sizes)]
        del places[smallest]
    return []


def _size(before: Floats, after: Floats) -> Estimate:
    return estimate_ratio(after[:_RUNS_FOR_SIZE].tolist(), before[-_RUNS_FOR_SIZE:].tolist())
