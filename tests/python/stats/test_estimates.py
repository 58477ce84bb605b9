"""Do the intervals hold the true value as often as they claim, and is a result called bimodal only where it is?"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.base import phrases
from suite.stats import estimates
from suite.stats.rank_sum import rank_sum_counts

POSITIVE = st.floats(1e-3, 1e9)
DRAWS = 4000
# four standard errors of a share seen in so many draws
SLACK = 4 * 0.5 / math.sqrt(DRAWS)


@pytest.mark.parametrize(("values", "middle"), [([3.0], 3.0), ([2.0, 1.0], 1.5), ([5.0, 1.0, 2.0], 2.0)])
def test_median(values: list[float], middle: float) -> None:
    assert estimates.median(values) == middle


def test_the_median_of_an_empty_series_is_refused() -> None:
    with pytest.raises(ValueError):
        estimates.median([])


@pytest.mark.parametrize(
    ("n", "low", "high", "coverage"),
    [
        (1, 0, 0, 0.0),
        (2, 0, 1, 0.5),
        (5, 0, 4, 0.9375),
        (6, 0, 5, 0.96875),
        (9, 1, 7, 0.9609375),
        (10, 1, 8, 0.978515625),
    ],
)
def test_the_interval_of_a_median_is_the_tabled_one(n: int, low: int, high: int, coverage: float) -> None:
    assert estimates.median_interval(n)[:2] == (low, high)
    assert estimates.median_interval(n)[2] == pytest.approx(coverage)


@pytest.mark.parametrize("n", [2, 5, 10, 20])
def test_the_interval_of_a_median_covers_as_often_as_it_says(n: int) -> None:
    draws = np.random.default_rng(n).lognormal(size=(DRAWS, n))  # skewed; the true median is 1
    known = [estimates.estimate_median(list(draw)) for draw in draws]
    covered = sum(estimate.low <= 1.0 <= estimate.high for estimate in known) / DRAWS
    assert covered == pytest.approx(known[0].coverage, abs=SLACK)


@pytest.mark.parametrize(("m", "n"), [(2, 2), (5, 5), (5, 10), (3, 7)])
def test_the_interval_of_a_ratio_covers_as_often_as_it_says(m: int, n: int) -> None:
    random = np.random.default_rng(m * n)
    covered = 0
    for above, below in zip(random.lognormal(size=(DRAWS, m)), random.lognormal(size=(DRAWS, n))):
        ratio = estimates.estimate_ratio([3.0 * value for value in above], list(below))
        covered += ratio.low <= 3.0 <= ratio.high
    assert covered / DRAWS == pytest.approx(ratio.coverage, abs=SLACK)


def test_five_against_five_reach_the_published_level() -> None:
    ratio = estimates.estimate_ratio([1.0, 2.0, 3.0, 4.0, 5.0], [1.1, 2.1, 3.1, 4.1, 5.1])
    assert ratio.coverage == pytest.approx(1 - 2 * 4 / 252)


@pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 3), (5, 5), (10, 4)])
def test_the_rank_sum_distribution_counts_all_arrangements(m: int, n: int) -> None:
    lowest = sum(range(m))
    counts = [0] * (m * n + 1)
    for places in itertools.combinations(range(m + n), m):
        counts[sum(places) - lowest] += 1
    assert rank_sum_counts(m, n) == counts


@given(st.lists(POSITIVE, min_size=1, max_size=12))
def test_the_interval_holds_the_median(values: list[float]) -> None:
    estimate = estimates.estimate_median(values)
    assert min(values) <= estimate.low <= estimate.median <= estimate.high <= max(values)


@given(st.lists(POSITIVE, min_size=1, max_size=8), st.lists(POSITIVE, min_size=1, max_size=8))
def test_a_ratio_and_its_reverse_agree(above: list[float], below: list[float]) -> None:
    ratio, reverse = estimates.estimate_ratio(above, below), estimates.estimate_ratio(below, above)
    assert ratio.low <= ratio.median * (1 + 1e-9) and ratio.median <= ratio.high * (1 + 1e-9)
    assert ratio.median * reverse.median == pytest.approx(1.0)
    assert ratio.low * reverse.high == pytest.approx(1.0)


@given(st.lists(POSITIVE, min_size=1, max_size=8), st.lists(POSITIVE, min_size=1, max_size=8))
def test_a_ratio_and_a_difference_are_those_of_the_medians(above: list[float], below: list[float]) -> None:
    ratio, difference = estimates.estimate_ratio(above, below), estimates.estimate_difference(above, below)
    assert ratio.median == estimates.median(above) / estimates.median(below)
    assert difference.median == estimates.median(above) - estimates.median(below)
    assert difference.low <= difference.median <= difference.high


def test_the_interval_is_widened_to_a_ratio_that_lies_outside_of_it() -> None:
    above, below = [1.0, 1.0, 1.0, 10.0, 10.0, 10.0, 10.0], [1.0, 1.0, 1.0, 1.0, 10.0, 10.0, 10.0]
    ratio = estimates.estimate_ratio(above, below, confidence=0.1)
    assert ratio.median == ratio.high == pytest.approx(10.0) and ratio.low == pytest.approx(1.0)
    difference = estimates.estimate_difference(above, below, confidence=0.1)
    assert (difference.low, difference.median, difference.high) == (0.0, 9.0, 9.0)


@pytest.mark.parametrize(("above", "below"), [([0.0], [1.0]), ([1.0], []), ([1.0], [-1.0])])
def test_a_ratio_of_values_that_are_not_positive_is_refused(above: list[float], below: list[float]) -> None:
    with pytest.raises(ValueError):
        estimates.estimate_ratio(above, below)


@pytest.mark.parametrize(
    ("more", "base", "slight"),
    [
        (0.004, 1.2, True),
        (0.13, 1.2, False),
        (0.004, 0.14, False),  # of an operation that is done many times in a cycle
        (50.0, 11_000.0, False),  # a hundredth, but many cycles
        (0.0, 1.2, True),
    ],
)
def test_a_difference_is_slight_below_a_hundredth_and_a_tenth_of_a_cycle(more: float, base: float, slight: bool) -> None:
    below = [base * (1 + 1e-9 * i) for i in range(10)]
    above = [value + more for value in below]
    for difference in (estimates.estimate_difference(above, below), estimates.estimate_difference(below, above)):
        assert difference.is_slight == slight
        assert phrases.differs(difference) != slight
    assert phrases.is_left(estimates.estimate_difference(above, below)) != slight


def test_without_an_interval_there_is_no_measurable_difference() -> None:
    assert estimates.estimate_ratio([5.0], [1.0]).holds(1.0)
    assert not estimates.estimate_ratio([5.0, 5.1, 5.2], [1.0, 1.1, 1.2]).holds(1.0)


# ---- bimodal results


@pytest.mark.parametrize(
    ("values", "modes"),
    [
        ([10.0, 10.1, 10.2, 10.1, 30.0], None),  # one odd process is an outlier
        ([10.0, 10.1, 10.2, 30.0, 30.5], (10.1, 30.25)),
        ([30.0, 10.1, 10.2, 10.0, 30.5], (10.1, 30.25)),
        ([10.0, 10.001, 10.5, 10.501, 10.502], None),  # two modes whose difference is too small to matter
        ([10.0, 13.0, 17.0, 22.0, 28.0], None),  # spread, not split
        ([10.0, 10.0, 20.0, 20.0], None),  # too few processes
        ([0.0, 0.0, 1.0, 1.0, 1.0], None),
        ([10.0] * 5, None),
        ([10.0, 10.0, 10.0, 20.0, 20.0], (10.0, 20.0)),
    ],
)
def test_the_modes_of_a_bimodal_result(values: list[float], modes: tuple[float, float] | None) -> None:
    assert estimates.find_modes(values) == (None if modes is None else pytest.approx(modes))


@pytest.mark.parametrize(("n", "most"), [(5, 0.02), (10, 0.001)])
def test_a_normal_distribution_is_seldom_called_bimodal(n: int, most: float) -> None:
    draws = np.exp(0.5 * np.random.default_rng(n).normal(size=(5 * DRAWS, n)))
    share = sum(estimates.find_modes(list(draw)) is not None for draw in draws) / len(draws)
    assert share <= most


# ---- noise


def test_noise_is_half_the_interval_against_the_median() -> None:
    quiet, loud = [100.0, 99.0, 101.0, 100.0, 100.0], [100.0, 50.0, 150.0, 100.0, 100.0]
    noise = estimates.noise_of([quiet] * 9 + [loud, []])
    assert noise is not None
    assert (noise.typical, noise.worst_tenth) == pytest.approx((0.01, 0.5))
    assert noise.benchmarks == 10


def test_one_process_does_not_show_the_noise() -> None:
    assert estimates.noise_of([[1.0], [2.0]]) is None
