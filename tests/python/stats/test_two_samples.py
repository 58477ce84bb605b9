"""Are the p-values of two samples exact, alone (rank sum, permutation) and among many (false discoveries)?"""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.stats.multiple import significant
from suite.stats.permutation import permutation_p_values
from suite.stats.rank_sum import rank_sum_p


def test_the_rank_sum_test_is_exact() -> None:
    """By hand: in one of the 252 orders of five and five all values are above; a tie counts as a lost pair."""
    low, high = [1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0]
    assert rank_sum_p(high, low) == pytest.approx(1 / 252)
    assert rank_sum_p(low, high) == 1.0
    assert rank_sum_p([5.0, *high[1:]], low) == pytest.approx(2 / 252)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.001, 0.5))
def test_significant_p_values_are_benjamini_and_hochbergs(p_values: list[float], rate: float) -> None:
    """Against the definition: the largest k whose k-th smallest p-value is at most k times rate over their number."""
    ordered = sorted(p_values)
    k = max((rank for rank in range(1, len(ordered) + 1) if ordered[rank - 1] <= rank * rate / len(ordered)), default=0)
    expected = [p <= ordered[k - 1] if k else False for p in p_values]
    assert significant(p_values, rate) == expected


def test_the_p_values_of_one_benchmark_alone_are_the_permutation_tests() -> None:
    low, high = [1.0, 1.1, 1.2, 1.3, 1.4], [2.0, 2.1, 2.2, 2.3, 2.4]
    (p_values,) = permutation_p_values([(low, high)])
    assert p_values.rise == pytest.approx(1 / 252) and p_values.fall == 1.0
    (p_values,) = permutation_p_values([(high, low)])
    assert p_values.rise == 1.0 and p_values.fall == pytest.approx(1 / 252)


def test_drawn_relabellings_never_give_a_p_value_of_zero() -> None:
    (p_values,) = permutation_p_values([([1.0 + i / 100 for i in range(9)], [2.0 + i / 100 for i in range(9)])])
    assert p_values.rise == pytest.approx(1 / 1001)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 12), st.sampled_from([(5, 5), (6, 5), (9, 9)]))
def test_permutation_p_values_are_probabilities_and_turn_with_the_sides(
    seed: int, number: int, sizes: tuple[int, int]
) -> None:
    draw = random.Random(seed)

    def series(size: int) -> list[float]:
        return [draw.lognormvariate(0, 1) for _ in range(size)]

    pairs = [(series(sizes[0]), series(sizes[1])) for _ in range(number)]
    p_values = permutation_p_values(pairs)
    assert all(0.0 < pair.rise <= 1.0 and 0.0 < pair.fall <= 1.0 for pair in p_values)
    if math.comb(sum(sizes), sizes[0]) <= 1000:
        turned = permutation_p_values([(new, old) for old, new in pairs])
        assert [pair.rise for pair in turned] == pytest.approx([pair.fall for pair in p_values])
