"""Are the p-values of two samples exact, alone (rank sum) and among many (false discoveries)?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.stats import two_samples
from suite.stats.moderated_t import PValues
from suite.stats.multiple import significant
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


def test_a_benchmarks_own_ranks_must_agree() -> None:
    """Even if the moderated t test is significant."""
    low, mixed, high = [1.0, 2.0, 3.0, 4.0, 5.0], [1.5, 2.5, 3.5, 4.5, 5.5], [6.0, 7.0, 8.0, 9.0, 10.0]
    unlikely, unsure = PValues(0.001, 0.002), PValues(0.5, 0.5)
    assert two_samples._with_ranks(low, mixed, unlikely) == PValues(1.0, 1.0)
    assert two_samples._with_ranks(low, high, unlikely) == PValues(0.002, 1.0)
    assert two_samples._with_ranks(high, low, unlikely).fall == 0.004
    assert two_samples._with_ranks(low, high, unsure).rise == pytest.approx(2 / 252)
