"""Do the looks at a run share what an interval may err, and nothing more?"""

from __future__ import annotations

import pytest

from suite.stats.estimates import CONFIDENCE
from suite.stats.looks import MULTIPLES, SPENT, confidence_at, looks_after
from suite.stats.rank_sum import rank_sum_counts


def test_the_looks_share_what_an_interval_may_err() -> None:
    assert sum(SPENT) == pytest.approx(1.0) and len(SPENT) == len(MULTIPLES)
    looks = looks_after(5)
    assert looks == (5, 10, 20, 40, 80)
    assert sum(1 - confidence_at(look, looks) for look in looks) == pytest.approx(1 - CONFIDENCE)


def test_between_two_looks_the_later_look_counts() -> None:
    looks = looks_after(5)
    assert confidence_at(7, looks) == confidence_at(10, looks)
    assert confidence_at(4, looks) == confidence_at(5, looks)
    assert confidence_at(99, looks) == confidence_at(80, looks)


def test_a_run_that_is_looked_at_once_spends_all_at_once() -> None:
    assert confidence_at(5, ()) == confidence_at(5, (5,)) == CONFIDENCE
    assert confidence_at(5, (), comparisons=4) == pytest.approx(1 - (1 - CONFIDENCE) / 4)


def test_five_processes_can_decide_at_the_first_look() -> None:
    counts = rank_sum_counts(5, 5)
    assert 1 - 2 * counts[0] / sum(counts) >= confidence_at(5, looks_after(5))
