"""Which is the k-th smallest sum of a value of one series and a value of another?

Not all sums are formed: two series of 100,000 values have 10,000,000,000. In sorted series, the sums up to a bound are
counted by one search for each value, and bisection finds the bound with k sums below it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from suite.stats.arrays import Floats, np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LAST_DIGIT = 2.0**-53  # of a float


def kth_sum(first: Floats, second: Floats, k: int) -> float:
    """The k-th smallest, from 0, of first[i] + second[j] for all i and j."""
    first, second = np.sort(first), np.sort(second)
    return _kth(first, second, k, lambda bound: _sums_up_to(first, second, bound))


def kth_own_sum(values: Floats, k: int) -> float:
    """The k-th smallest, from 0, of values[i] + values[j] for all i <= j."""
    values = np.sort(values)

    def count(bound: float) -> int:
        return (_sums_up_to(values, values, bound) + int(np.searchsorted(values, bound / 2, "right"))) // 2

    return _kth(values, values, k, count)


def _sums_up_to(first: Floats, second: Floats, bound: float) -> int:
    return int(_up_to(first, second, bound).sum())


def _up_to(first: Floats, second: Floats, bound: float) -> NDArray[np.intp]:
    """For each value of the first series, how many of the second give a sum that is at most the bound."""
    with np.errstate(over="ignore"):  # an infinite rest is as good as the largest number
        rest = bound - first
    return np.searchsorted(second, rest, "right")


def _kth(first: Floats, second: Floats, k: int, count: Callable[[float], int]) -> float:
    """`count` tells how many of the sums are at most a bound."""
    low, high = float(first[0] + second[0]), float(first[-1] + second[-1])
    if count(low) > k:
        return low
    narrow = max(_LAST_DIGIT * max(abs(low), abs(high)), sys.float_info.min)
    while high / 2 - low / 2 > narrow:
        middle = low / 2 + high / 2
        low, high = (low, middle) if count(middle) > k else (middle, high)
    above = _up_to(first, second, low)
    has = above < len(second)
    return float((first[has] + second[above[has]]).min()) if has.any() else high

