"""Is the k-th sum of many that of all sums sorted? Are the intervals of many processes those of few, carried on?"""

from __future__ import annotations

import math

import numpy as np
import pytest

from suite.stats import estimates, paired_tests, pairwise
from suite.stats.arrays import Floats
from suite.stats.distributions import MOST_COUNTED, binomial_tail


def series(seed: int, number: int) -> Floats:
    """With ties."""
    return np.random.default_rng(seed).normal(0, 4, number).round()


@pytest.mark.parametrize("sizes", [(1, 1), (7, 3), (15, 11)], ids=str)
def test_every_sum_is_found_at_its_place(sizes: tuple[int, int]) -> None:
    first, second = series(1, sizes[0]), series(2, sizes[1])
    sums = np.sort(np.add.outer(first, second).ravel())
    assert [pairwise.kth_sum(first, second, k) for k in range(len(sums))] == sums.tolist()


@pytest.mark.parametrize("number", [1, 2, 16])
def test_every_sum_of_two_values_of_a_series_is_found_at_its_place(number: int) -> None:
    values = series(3, number)
    rows, columns = np.triu_indices(number)
    sums = np.sort(values[rows] + values[columns])
    assert [pairwise.kth_own_sum(values, k) for k in range(len(sums))] == sums.tolist()


@pytest.mark.parametrize("values", [(0.0, 5e-324), (-1.7e308, 1.7e308), (-1.0, 1.0)], ids=str)
def test_sums_of_extreme_values_are_found(values: tuple[float, float]) -> None:
    assert pairwise.kth_sum(np.array(values), np.array([0.0, 0.0]), 1) == values[0]
    assert pairwise.kth_sum(np.array(values), np.array([0.0, 0.0]), 2) == values[1]


def test_intervals_are_the_same_whether_all_sums_are_formed_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    above, below = random.lognormal(0.1, 0.02, 60).tolist(), random.lognormal(0.0, 0.02, 50).tolist()

    def intervals() -> list[float]:
        found = estimates.estimate_ratio(above, below), estimates.estimate_difference(above, below)
        all_found = (*found, estimates.estimate_shift(above))
        return [end for estimate in all_found for end in (estimate.low, estimate.median, estimate.high)]

    formed = intervals()
    monkeypatch.setattr(estimates, "_MOST_SUMS", 0)
    assert intervals() == pytest.approx(formed, rel=1e-12)


@pytest.mark.parametrize("n", [MOST_COUNTED - 1, MOST_COUNTED])
def test_intervals_of_medians_go_on_where_outcomes_are_no_longer_counted(n: int) -> None:
    low, _, coverage = estimates.median_interval(n)
    approximate = estimates._binomial_cut(n, estimates.CONFIDENCE)
    assert approximate.depth == low and approximate.coverage == pytest.approx(coverage, rel=1e-9)


def test_chances_of_many_tosses_go_on_where_outcomes_are_no_longer_counted() -> None:
    n, k = MOST_COUNTED + 1, 560
    counted = sum(math.comb(n, heads) for heads in range(k, n + 1)) / 2**n
    assert binomial_tail(n, k) == pytest.approx(counted, rel=1e-9)
    assert (binomial_tail(n, 0), binomial_tail(n, n + 1)) == (1.0, 0.0)


@pytest.mark.parametrize("share", [0.5, 0.6, 0.7])
def test_ranks_of_many_differences_have_nearly_the_exact_chance(share: float) -> None:
    n = estimates.MOST_RANKED
    rank_sum = round(share * n * (n + 1) / 2)
    exact = paired_tests._signed_rank_tails(n)[rank_sum]
    assert exact * 0.99 < paired_tests._normal_tail(rank_sum, n) < exact * 2.0


def test_more_differences_than_can_be_counted_are_ranked_all_the_same() -> None:
    up, down = paired_tests.signed_rank(np.random.default_rng(5).normal(0.2, 1.0, estimates.MOST_RANKED + 1))
    assert up < 0.2 < 0.8 < down and up + down == pytest.approx(1.0, abs=0.01)
