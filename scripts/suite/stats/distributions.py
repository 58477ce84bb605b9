"""How much of a distribution (Student's t, beta, binomial) lies beyond a value, and beyond which value lies a given share?

A library with these few functions takes hundreds of megabytes. Their relative error is at most 1e-10
(tests/python/stats/test_distributions.py). DLMF is NIST's Digital Library of Mathematical Functions.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730)  # B2, B4, and so on
_LARGE = 10.0  # from here on, the series with these numbers leave out less than 1e-12 of their sums
_CONVERGED = 1e-15
MOST_COUNTED = 1000  # tosses whose outcomes are counted; the chances of more come from the beta distribution


@lru_cache(maxsize=1 << 12)
def binomial_tail(n: int, k: int) -> float:
    """The chance of k or more heads in n tosses of a fair coin: exact for up to MOST_COUNTED tosses, else DLMF 8.17.5."""
    if n > MOST_COUNTED and 0 < k <= n:
        return _beta_share(0.5, 0.5, k, n - k + 1)
    outcomes: int = 2**n
    return sum(math.comb(n, heads) for heads in range(k, n + 1)) / outcomes


def student_tail(t: float, freedom: float) -> float:
    """The chance of t or a larger value under Student's t distribution. Johnson, Kotz and Balakrishnan, Continuous
    Univariate Distributions 2, 2nd edition, section 28.2: freedom / (freedom + t²) has a beta distribution."""
    below, above = freedom / (freedom + t * t), t * t / (freedom + t * t)
    tail = _beta_share(below, above, freedom / 2, 0.5) / 2
    return tail if t > 0.0 else 1.0 - tail


@lru_cache(maxsize=1 << 12)
def student_point(tail: float, freedom: float) -> float:
    """The t with this tail, which is between 0 and 0.5, by Newton's method.

    For positive t the tail is convex, and the normal distribution's point lies below the t that is sought: each step
    leads up to it and not beyond it.
    """
    t = -NormalDist().inv_cdf(tail)
    while True:
        density = _beta_weight(freedom / (freedom + t * t), t * t / (freedom + t * t), freedom / 2, 0.5) / t
        step = (student_tail(t, freedom) - tail) / density
        t += step
        if step < 1e-12 * t:
            return t


def beta_point(share: float, a: float, b: float) -> float:
    """The x below which this share, which is between 0 and 1, of the beta distribution lies: Newton's method, and
    bisection where that leaves the interval in which x must lie."""
    low, high, x = 0.0, 1.0, a / (a + b)
    while True:
        excess = _beta_share(x, 1 - x, a, b) - share
        low, high = (low, x) if excess > 0.0 else (x, high)
        density = _beta_weight(x, 1 - x, a, b) / (x * (1 - x))
        following = x - excess / density if density else math.nan
        if not low <= following <= high:
            following = (low + high) / 2
        if abs(following - x) < 1e-14 * x:
            return following
        x = following


def _beta_share(x: float, y: float, a: float, b: float) -> float:
    """The share of the beta distribution below x; y = 1 - x, which the caller knows more exactly."""
    if x < (a + 1) / (a + b + 2):
        return _beta_weight(x, y, a, b) * _beta_fraction(x, a, b) / a
    return 1 - _beta_weight(x, y, a, b) * _beta_fraction(y, b, a) / b


def _beta_weight(x: float, y: float, a: float, b: float) -> float:
    """x^a y^b / B(a, b), without the loss of digits that large a or b bring: Loader, Fast and Accurate Computation of
    Binomial Probabilities (2000)."""
    if not x or not y:
        return 0.0
    excess = x * b - y * a  # of x over the mean a / (a + b), times a + b
    exponent = a * _log1p(excess / a, x * (a + b) / a) + b * _log1p(-excess / b, y * (a + b) / b)
    remainders = _stirling_remainder(a + b) - _stirling_remainder(a) - _stirling_remainder(b)
    return math.sqrt(a * b / (a + b) / (2 * math.pi)) * math.exp(exponent + remainders)


def _log1p(excess: float, ratio: float) -> float:
    """The logarithm of `ratio`, which is 1 + `excess`, from whichever of the two is more exact."""
    return math.log1p(excess) if ratio > 0.5 else math.log(ratio)


def _beta_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction DLMF 8.17.22 by the modified method of Lentz (DLMF 3.10). It converges fast for
    x < (a + 1) / (a + b + 2)."""
    upper, lower = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = lower
    m = 0
    while True:
        m += 1
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        upper, lower = 1 + even / upper, 1 / (1 + even * lower)
        fraction *= upper * lower
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        upper, lower = 1 + odd / upper, 1 / (1 + odd * lower)
        change = upper * lower
        fraction *= change
        if abs(change - 1) < _CONVERGED:
            return fraction


def _stirling_remainder(x: float) -> float:
    """How much the logarithm of gamma(x) exceeds Stirling's formula: DLMF 5.11.1."""
    if x < _LARGE:
        return math.lgamma(x) - (x - 0.5) * math.log(x) + x - math.log(2 * math.pi) / 2
    return sum(number / (k * (k - 1) * x ** (k - 1)) for k, number in zip(range(2, 99, 2), _BERNOULLI))


@lru_cache(maxsize=1 << 12)
def digamma(x: float) -> float:
    """The derivative of the logarithm of gamma(x) for positive x: DLMF 5.5.2 and 5.11.2."""
    if x < _LARGE:
        return digamma(x + 1) - 1 / x
    return math.log(x) - 1 / (2 * x) - sum(number / (k * x**k) for k, number in zip(range(2, 99, 2), _BERNOULLI))


@lru_cache(maxsize=1 << 12)
def trigamma(x: float) -> float:
    """The derivative of digamma: DLMF 5.15.5 and 5.15.8."""
    if x < _LARGE:
        return trigamma(x + 1) + 1 / x**2
    return 1 / x + 1 / (2 * x**2) + sum(number / x ** (k + 1) for k, number in zip(range(2, 99, 2), _BERNOULLI))


def tetragamma(x: float) -> float:
    """The derivative of trigamma: DLMF 5.15.5 and 5.15.9."""
    if x < _LARGE:
        return tetragamma(x + 1) - 2 / x**3
    sums = sum((k + 1) * number / x ** (k + 2) for k, number in zip(range(2, 99, 2), _BERNOULLI))
    return -1 / x**2 - 1 / x**3 - sums
