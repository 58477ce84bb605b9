"""How sure is a figure? Medians and ratios with intervals that assume no distribution, and bimodal results.

The unit is the process: repetitions inside one process share its memory layout and its luck.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

from suite.stats.arrays import Floats, np
from suite.stats.distributions import MOST_COUNTED, binomial_tail
from suite.stats.pairwise import kth_own_sum, kth_sum
from suite.stats.rank_sum import fit_64_bits, rank_sum_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_SHARE = 0.01  # of a figure
TENTH_OF_A_CYCLE = 0.02  # nanoseconds, of the fastest processors
CONFIDENCE = 0.95
MOST_RANKED = 200  # pairs whose signs' assignments are counted; with more, the normal distribution is near
_MOST_SUMS = 1 << 18  # that are formed; of more, only the wanted sum is found

# Bimodal results, on as few as five processes: with these numbers, a series from one normal distribution is called
# bimodal in under 2 % of all series of five processes and under 0.1 % of ten (tests/python/stats/test_estimates.py draws
# them). Modes whose difference is too small to matter are ignored.
MODE_PROCESSES = 2  # processes in each mode at least: a single odd process is an outlier, not a mode
MODE_FEWEST_PROCESSES = 5
MODE_GAP_TO_SPREAD = 4.0  # the gap between the modes against the range of the wider mode, both of logarithms
MODE_LEAST_RATIO = 1.1


@dataclass(frozen=True)
class Estimate:
    """A median with its interval. `coverage` is the exact chance that such an interval holds the true median."""

    median: float
    low: float
    high: float
    coverage: float
    n: int
    modes: tuple[float, float] | None = None  # the medians of the two modes of a bimodal result

    @property
    def bimodal(self) -> bool:
        return self.modes is not None

    @property
    def has_interval(self) -> bool:
        return self.coverage > 0.0

    @property
    def half_width(self) -> float:
        """Half of the interval, relative to the median."""
        return (self.high - self.low) / (2 * self.median) if self.median else 0.0

    def holds(self, value: float) -> bool:
        """Whether `value` lies in the interval; without an interval no value is known to differ from the estimate."""
        return not self.has_interval or self.low <= value <= self.high


@dataclass(frozen=True)
class Difference(Estimate):
    """How much more a figure is than another figure, in the unit of both, with its interval."""

    base: float = 0.0  # the median of the figure that is less

    @property
    def is_slight(self) -> bool:
        """Whether it is less than a tenth of a cycle and less than a hundredth of either figure: where a loop lies in memory
        changes its time by as much."""
        return abs(self.median) < min(LEAST_SHARE * self.base, TENTH_OF_A_CYCLE)


def median(values: Iterable[float]) -> float:
    ordered = sorted(values)
    if not ordered:
        raise ValueError("an empty series has no median")
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def robust_deviation(values: Sequence[float]) -> float:
    """The median absolute deviation, scaled so that it is the standard deviation of a normal distribution."""
    middle = median(values)
    return 1.4826 * median(abs(value - middle) for value in values)


@cache
def median_interval(n: int, confidence: float = CONFIDENCE) -> tuple[int, int, float]:
    """The order statistics (from 0) that bound the median of `n` values, and the exact chance that they do.

    The narrowest symmetric pair that reaches `confidence`, else smallest and largest (five values: 93.75 %; one: 0).
    David and Nagaraja, Order Statistics, 3rd edition, section 7.1: values under the median are binomial(n, 1/2).
    """
    if n > MOST_COUNTED:
        cut = _binomial_cut(n, confidence)
    else:
        cut = _deepest_cut([math.comb(n, k) for k in range(n + 1)], confidence, limit=(n - 1) // 2)
    return cut.depth, n - 1 - cut.depth, cut.coverage


def estimate_median(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    ordered = sorted(values)
    middle = median(ordered)
    low, high, coverage = median_interval(len(ordered), confidence)
    return Estimate(middle, ordered[low], ordered[high], coverage, len(ordered), find_modes(ordered))


def estimate_ratio(above: Sequence[float], below: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """The ratio of the two medians, and the interval of the rank-sum test on logarithms.

    The interval is exact for any distribution if the two samples differ by a factor only. Five against five processes reach 96.8 %.
    Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd edition, section 4.3.
    The test's own estimate (Hodges and Lehmann) is not reported: nobody can compute it again from the two medians. Where
    the ratio of the medians lies outside of the interval, as in bimodal samples, the interval is widened to it.
    """
    if not len(above) or not len(below) or min((*above, *below)) <= 0.0:
        raise ValueError("a ratio needs values on both sides, and all of them positive")
    cut = _rank_sum_cut(len(above), len(below), confidence)
    middle = median(above) / median(below)
    low, high = (math.exp(end) for end in _ends(np.log(above), np.log(below), cut))
    return Estimate(middle, min(low, middle), max(middle, high), cut.coverage, min(len(above), len(below)))


def estimate_difference(above: Sequence[float], below: Sequence[float], confidence: float = CONFIDENCE) -> Difference:
    """The difference of the two medians, and the interval of the rank-sum test, widened to it: as for a ratio."""
    cut = _rank_sum_cut(len(above), len(below), confidence)
    middle = median(above) - median(below)
    low, high = _ends(np.asarray(above, dtype=float), np.asarray(below, dtype=float), cut)
    ends = min(low, middle), max(middle, high)
    return Difference(middle, *ends, cut.coverage, min(len(above), len(below)), base=min(median(above), median(below)))


def estimate_shift(differences: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """The centre of paired differences: the Hodges-Lehmann estimate, and the signed-rank test's interval.

    The interval is exact for any distribution symmetric about its centre. Ten pairs reach 95.2 %, six 96.9 %, five 93.8 %.
    Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd edition, sections 3.2 and 3.3.
    """
    values = np.asarray(differences, dtype=float)
    number = len(values) * (len(values) + 1) // 2
    cut = _signed_rank_cut(len(values), confidence)
    places = cut.depth, number - 1 - cut.depth, (number - 1) // 2, number // 2
    low, high, *middle = _walsh_averages(values, places)
    return Estimate((middle[0] + middle[1]) / 2, low, high, cut.coverage, len(values))


def _walsh_averages(values: Floats, places: Sequence[int]) -> list[float]:
    """The averages of two of the values, or of a value with itself, at these places of their order."""
    if len(values) ** 2 > 2 * _MOST_SUMS:
        return [kth_own_sum(values / 2, place) for place in places]
    first, second = _triangle(len(values))
    averages = np.sort((values[first] + values[second]) / 2)
    return [float(averages[place]) for place in places]


@lru_cache(maxsize=8)  # large
def signed_rank_counts(n: int) -> tuple[int, ...]:
    """How many of the 2^n assignments of signs to n values give each sum of the positive values' ranks: exact, no ties.

    The coefficients of the product of (1 + x^rank); Wilcoxon, Biometrics Bulletin 1 (1945).
    """
    counts = [1]
    for rank in range(1, n + 1):
        counts = [a + b for a, b in zip(counts + [0] * rank, [0] * rank + counts)]
    return tuple(counts)


@lru_cache(maxsize=8)
def _triangle(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The indices of all pairs of n values, including the pairs of a value with itself."""
    first, second = np.triu_indices(n)
    return first, second


@dataclass(frozen=True)
class _Cut:
    depth: int  # how many values are cut off at each end
    coverage: float


def _deepest_cut(counts: Sequence[int], confidence: float, limit: int) -> _Cut:
    """The most that can be cut off both ends of a symmetric null distribution while the rest keeps `confidence`."""
    total = sum(counts)
    deepest = _Cut(0, max(0.0, 1 - 2 * counts[0] / total))
    tail = counts[0]
    for depth in range(1, limit + 1):
        tail += counts[depth]
        coverage = 1 - 2 * tail / total
        if coverage < confidence:
            break
        deepest = _Cut(depth, coverage)
    return deepest


@cache
def _rank_sum_cut(m: int, n: int, confidence: float) -> _Cut:
    if fit_64_bits(m, n):
        return _deepest_cut(rank_sum_counts(m, n), confidence, limit=(m * n - 1) // 2)
    spread = math.sqrt(m * n * (m + n + 1) / 12)  # the large-sample approximation of the same sections
    return _Cut(math.floor(m * n / 2 - NormalDist().inv_cdf((1 + confidence) / 2) * spread), confidence)


def _ends(above: Floats, below: Floats, cut: _Cut) -> tuple[float, float]:
    """The lowest and the highest difference that the cut leaves."""
    number = len(above) * len(below)
    if number > _MOST_SUMS:
        return kth_sum(above, -below, cut.depth), kth_sum(above, -below, number - 1 - cut.depth)
    ordered = np.partition(np.subtract.outer(above, below).ravel(), (cut.depth, number - 1 - cut.depth))
    return float(ordered[cut.depth]), float(ordered[-1 - cut.depth])


def _binomial_cut(n: int, confidence: float) -> _Cut:
    """`_deepest_cut` of the outcomes of many tosses, from the chances of their sums."""
    depths = range((n - 1) // 2)
    depth = bisect.bisect_left(depths, True, key=lambda k: 1 - 2 * binomial_tail(n, n - k - 1) < confidence)
    return _Cut(depth, 1 - 2 * binomial_tail(n, n - depth))


@cache
def _signed_rank_cut(n: int, confidence: float) -> _Cut:
    if n > MOST_RANKED:
        spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)  # the large-sample approximation of the same sections
        return _Cut(math.floor(n * (n + 1) / 4 - NormalDist().inv_cdf((1 + confidence) / 2) * spread), confidence)
    return _deepest_cut(signed_rank_counts(n), confidence, limit=(n * (n + 1) // 2 - 1) // 2)


def find_modes(values: Sequence[float]) -> tuple[float, float] | None:
    """The medians of the two modes, if the largest gap between sorted logarithms separates two narrow groups."""
    if len(values) < MODE_FEWEST_PROCESSES or min(values) <= 0.0:
        return None
    ordered = sorted(values)
    logs = [math.log(value) for value in ordered]
    gap, split = max((logs[i] - logs[i - 1], i) for i in range(1, len(logs)))
    spread = max(logs[split - 1] - logs[0], logs[-1] - logs[split])
    large_enough = MODE_PROCESSES <= split <= len(logs) - MODE_PROCESSES
    if not large_enough or gap < math.log(MODE_LEAST_RATIO) or gap < MODE_GAP_TO_SPREAD * spread:
        return None
    return median(ordered[:split]), median(ordered[split:])


@dataclass(frozen=True)
class Noise:
    """How far a run's figures scatter from process to process: half of each interval, relative to its median."""

    typical: float  # half of the benchmarks scatter less
    worst_tenth: float  # one in ten scatters more
    bimodal: int
    benchmarks: int


def noise_of(all_series: Iterable[Sequence[float]]) -> Noise | None:
    """None where no benchmark has an interval: a single process does not show the scatter."""
    known = [estimate for estimate in (estimate_median(times) for times in all_series if times) if estimate.has_interval]
    if not known:
        return None
    widths = sorted(estimate.half_width for estimate in known)
    worst_tenth = widths[min(len(widths) - 1, math.floor(0.9 * len(widths)))]
    return Noise(median(widths), worst_tenth, sum(estimate.bimodal for estimate in known), len(known))
