"""How likely would two samples of one distribution differ in their ranks as much as these two?

The rank-sum test: Mann and Whitney, Annals of Mathematical Statistics 18 (1947).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeAlias

from suite.stats.arrays import Floats, np

Sample: TypeAlias = "Sequence[float] | Floats"


def rank_sum_p(above: Sample, below: Sample) -> float:
    """How often `above` would rank this high by chance alone: one-sided; ties count against it."""
    wins = np.searchsorted(np.sort(below), above, "left").sum()
    return _chance_at_most(len(above) * len(below) - float(wins), len(above), len(below))


def two_sided_rank_sum_p(before: Sample, after: Sample) -> float:
    """How often the two would differ as much, in either direction. With ties the result is too large, never too small:
    then fewer arrangements are as extreme."""
    ordered = np.sort(after)
    below = np.searchsorted(ordered, before, "left") + np.searchsorted(ordered, before, "right")
    statistic = float(below.sum()) / 2
    extreme = min(statistic, len(before) * len(after) - statistic)
    return min(1.0, 2 * _chance_at_most(extreme, len(before), len(after)))


def _chance_at_most(statistic: float, m: int, n: int) -> float:
    """The chance of this value of the statistic or a lower one. A half, which ties give, is rounded up."""
    m, n = sorted((m, n))
    tail = _tail(m, n)
    if tail is not None:
        return float(tail[math.ceil(statistic)])
    spread = math.sqrt(m * n * (m + n + 1) / 12)
    return math.erfc((m * n / 2 - statistic - 0.5) / spread / math.sqrt(2)) / 2


@cache
def _tail(m: int, n: int) -> Floats | None:
    """The chance of each value of the statistic or a lower one. None where the arrangements are too many to count: the
    normal distribution is then near the truth, and gives a larger p far out, where it is not."""
    if not fit_64_bits(m, n):
        return None
    tail: Floats = np.array(rank_sum_counts(m, n), dtype=np.float64).cumsum() / math.comb(m + n, m)
    return tail


def rank_sum_counts(m: int, n: int) -> list[int]:
    """How many of the arrangements of m and n values give each value of the statistic: exact, without ties.

    The coefficients of the Gaussian binomial of (m + n, m). They are right although sums of 64 bits may overflow on the
    way: those wrap round.
    """
    size = m * n + 1
    number: Any = np.uint64 if fit_64_bits(m, n) else object
    counts = np.zeros(size, dtype=number)
    counts[0] = 1
    for i in range(1, m + 1):
        if n + i < size:
            counts[n + i :] -= counts[: size - n - i].copy()
        padded = np.zeros(-(-size // i) * i, dtype=number)
        padded[:size] = counts
        counts = padded.reshape(-1, i).cumsum(axis=0, dtype=number).reshape(-1)[:size]
    exact: list[int] = counts.tolist()
    return exact


def fit_64_bits(m: int, n: int) -> bool:
    """Whether the number of arrangements of m and n values fits 64 bits; above it, the normal distribution is near."""
    return math.comb(m + n, m) < 1 << 63
