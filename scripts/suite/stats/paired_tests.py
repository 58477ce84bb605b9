"""How likely are the differences of such pairs if nothing changed?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from suite.stats.arrays import Floats, np
from suite.stats.distributions import binomial_tail, student_point, student_tail
from suite.stats.estimates import MOST_RANKED, signed_rank_counts


def paired_p_values(differences: Floats) -> tuple[float, float]:
    """One-sided p-values that the differences lie above zero and that they lie below, from ranks and from signs.

    The result is twice the smaller p, by Bonferroni's inequality. It holds for any distribution symmetric about zero.
    """
    ranks, signs = signed_rank(differences), sign_test(differences)
    up, down = (min(1.0, 2 * min(pair)) for pair in zip(ranks, signs))
    return up, down


def sign_test(differences: Floats) -> tuple[float, float]:
    """The same two p-values by the sign test: how likely so many differences, or more, have that sign. Zeros are left
    out."""
    above, below = int(np.sum(differences > 0.0)), int(np.sum(differences < 0.0))
    return binomial_tail(above + below, above), binomial_tail(above + below, below)


def signed_rank(differences: Floats) -> tuple[float, float]:
    """One-sided p-values of Wilcoxon's signed-rank test that the differences lie above zero and that they lie below.

    Zeros are left out. Ties get their mean rank, and a sum that is not a whole number is rounded to the less extreme
    whole number. Without ties the p-values of up to MOST_RANKED values are exact.
    """
    values = differences[differences != 0.0]
    n = len(values)
    up, down = (float(np.sum(_ranks(np.abs(values))[side])) for side in (values > 0.0, values < 0.0))
    if n > MOST_RANKED:
        return _normal_tail(up, n), _normal_tail(down, n)
    tails = _signed_rank_tails(n)
    return tails[math.floor(up)], tails[math.floor(down)]


def _normal_tail(rank_sum: float, n: int) -> float:
    """The chance of this sum of ranks or a greater sum of many values, whose assignments are too many to count: the normal
    distribution is then near the truth, and gives a larger p far out, where it is not."""
    spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return math.erfc((rank_sum - 0.5 - n * (n + 1) / 4) / spread / math.sqrt(2)) / 2


def _ranks(values: Floats) -> Floats:
    """The ranks from 1; ties get their mean rank."""
    order = np.argsort(values)
    if (values[order[1:]] == values[order[:-1]]).any():  # without ties, what follows takes a fraction of the time
        _, place, number = np.unique(values, return_inverse=True, return_counts=True)
        mean_ranks: Floats = number.cumsum() - (number - 1) / 2
        return mean_ranks[place]
    ranks = np.empty(len(values))
    ranks[order] = np.arange(1, len(values) + 1)
    return ranks


@lru_cache(maxsize=128)
def _signed_rank_tails(n: int) -> tuple[float, ...]:
    """For each sum of ranks, the chance of that sum or a greater sum."""
    counts = signed_rank_counts(n)
    sums, total = [], 0
    for count in reversed(counts):
        total += count
        sums.append(total / 2**n)
    return tuple(reversed(sums))


# ---- few pairs of several comparisons

_SMALLEST_DEVIATION = 0.001  # of logarithms: a time is never known better than that


@dataclass(frozen=True)
class PairedT:
    """Student's paired t test of one series of differences among several."""

    up: float  # p-values, two-sided: that the differences lie above zero, and that they lie below
    down: float
    low: float  # the ends between which the mean lies by two one-sided tests at 5 %
    high: float


def paired_t(series: Sequence[Floats]) -> list[PairedT]:
    """For fewer pairs than a test of ranks needs: five pairs cannot have a smaller p than 0.06 there, whatever they
    say.

    With few pairs, luck makes some variances far too small, so each is at least the mean of all; each series needs
    two differences. Differences that are not normal, with far outliers or a long tail, make the test find less, not
    err more (tests/python/stats/test_paired_tests.py draws them).
    """
    own = [float(np.var(differences, ddof=1)) for differences in series]
    least = max(_SMALLEST_DEVIATION**2, sum(own) / max(1, len(own)))
    tests = []
    for differences, variance in zip(series, own):
        mean, freedom = float(np.mean(differences)), len(differences) - 1
        error = math.sqrt(max(variance, least) / len(differences))
        ends = student_point(0.05, freedom) * error
        up, down = (min(1.0, 2 * student_tail(t, freedom)) for t in (mean / error, -mean / error))
        tests.append(PairedT(up, down, mean - ends, mean + ends))
    return tests
