"""Are the p-values of the moderated t test honest for any noise, and untouched by true changes elsewhere?"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.stats import moderated_t
from suite.stats.arrays import Floats
from suite.stats.distributions import student_tail, trigamma
from suite.stats.moderated_t import fit_prior, moderated_p_values

Noise = Callable[[np.random.Generator, tuple[int, int]], Floats]


def normal(draw: np.random.Generator, size: tuple[int, int]) -> Floats:
    return draw.standard_normal(size)


def heavy(draw: np.random.Generator, size: tuple[int, int]) -> Floats:
    return draw.standard_t(4, size)


def with_outliers(draw: np.random.Generator, size: tuple[int, int]) -> Floats:
    values: Floats = draw.standard_normal(size) * np.where(draw.random(size) < 0.05, 10.0, 1.0)
    return values


def skewed(draw: np.random.Generator, size: tuple[int, int]) -> Floats:
    return draw.exponential(1.0, size)


def series(noise: Noise, seed: int, rows: int, processes: int, freedom: float) -> list[tuple[list[float], list[float]]]:
    """Pairs of sides without a change. The benchmarks' scatters differ: the more, the smaller `freedom` is."""
    draw = np.random.default_rng(seed)
    scatter = 0.03 * np.sqrt(freedom / draw.chisquare(freedom, rows))[:, None]
    values = np.exp(np.clip(scatter * noise(draw, (rows, 2 * processes)), -50, 50)).tolist()
    return [(row[:processes], row[processes:]) for row in values]


def pooled_t(new: list[float], old: list[float]) -> float:
    """Student's statistic of the logarithms."""
    a, b = np.log(new), np.log(old)
    variance = (a.var() * len(a) + b.var() * len(b)) / (len(a) + len(b) - 2)
    return float((a.mean() - b.mean()) / np.sqrt(variance * (1 / len(a) + 1 / len(b))))


def test_a_benchmark_alone_gets_students_t_test_of_the_logarithms() -> None:
    old, new = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5], [1.25, 1.3, 1.35, 1.4, 1.45]
    (p,) = moderated_p_values([(old, new)])
    assert [p.rise, p.fall] == pytest.approx([0.135051712684, 1 - 0.135051712684]), "the values are SciPy's"


@pytest.mark.parametrize("freedom", [1.0, 4.0, 30.0])
def test_the_prior_is_found_again(freedom: float) -> None:
    draw = np.random.default_rng(5)
    true = 0.04 * freedom / draw.chisquare(freedom, 40_000)
    own = np.full(len(true), 8.0)
    prior = fit_prior(true * draw.chisquare(8, len(true)) / 8, own)
    assert prior.freedom == pytest.approx(freedom, rel=0.1) and prior.variance == pytest.approx(0.04, rel=0.05)


def test_equal_variances_give_a_prior_of_infinite_weight() -> None:
    draw = np.random.default_rng(6)
    prior = fit_prior(0.04 * draw.uniform(0.9, 1.1, 100), np.full(100, 8.0))
    assert math.isinf(prior.freedom) and 0.03 < prior.variance < 0.06


@given(st.floats(1e-8, 1e8))
def test_trigamma_is_inverted(value: float) -> None:
    assert trigamma(moderated_t._inverse_trigamma(value)) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("noise", [normal, heavy, with_outliers, skewed])
@pytest.mark.parametrize(("processes", "freedom"), [(5, 1.0), (5, 1e6), (10, 4.0)])
def test_small_p_values_are_not_more_frequent_than_they_say(noise: Noise, processes: int, freedom: float) -> None:
    """18,000 of each noise. Under 1.3 times as many: what is allowed for the luck of the seed and for skewed noise."""
    p_values = [p for seed in range(6) for p in moderated_p_values(series(noise, seed, 1500, processes, freedom))]
    tails = np.array([(p.rise, p.fall) for p in p_values]).ravel()
    for level, allowed in ((0.01, 1.1), (0.001, 1.3)):
        assert (tails < level).mean() < allowed * level, level


def test_true_changes_elsewhere_do_not_hide_a_change() -> None:
    """The same p-values whether the other benchmarks changed or not."""
    calm = series(normal, 7, 200, 5, 4.0)
    changed = [([100 * value for value in old] if row else old, new) for row, (old, new) in enumerate(calm)]
    assert moderated_p_values(changed)[0] == moderated_p_values(calm)[0]


def test_an_outlier_away_from_the_other_side_does_not_hide_a_change() -> None:
    others = series(normal, 8, 200, 5, 4.0)
    old, new = [1.0, 1.01, 1.02, 1.03, 1.04], [2.4, 2.45, 2.5, 2.55, 90.0]
    risen, fallen = moderated_p_values([(old, new), (new, old), *others])[:2]
    assert risen.rise < 1e-5 and fallen.fall < 1e-5
    towards = moderated_p_values([(old, [0.02, *new[:4]]), *others])[0]
    assert towards.rise > 0.05


def test_a_limited_value_has_no_degree_of_freedom() -> None:
    """By hand: 90 lies beyond three times the way from the median, 2.5, to the lowest value."""
    old, new = [1.0, 1.01, 1.02, 1.03, 1.04], [2.4, 2.45, 2.5, 2.55, 90.0]
    statistic = pooled_t([*new[:4], 2.5 * (2.5 / 2.4) ** 3], old)
    assert moderated_p_values([(old, new)])[0].rise == pytest.approx(student_tail(statistic * math.sqrt(7 / 8), 7))


def test_a_scatter_that_is_too_small_by_luck_is_raised_and_a_large_scatter_stays() -> None:
    others = series(normal, 9, 200, 5, 1e6)
    lucky, own = ([1.0] * 5, [1.01] * 5), ([1.0, 3.0, 5.0, 7.0, 9.0], [8.0, 9.0, 10.0, 11.0, 12.0])
    among, alone = moderated_p_values([lucky, own, *others]), [moderated_p_values([pair])[0] for pair in (lucky, own)]
    assert alone[0].rise < 1e-6 < 0.01 < among[0].rise
    assert among[1] == alone[1]


def test_units_have_priors_of_their_own() -> None:
    times = series(heavy, 10, 100, 5, 4.0)
    exact = [([1.0] * 5, [1.0 + row / 1000] * 5) for row in range(100)]
    both = moderated_p_values(times + exact, ["ns"] * 100 + ["bytes"] * 100)
    assert both == moderated_p_values(times) + moderated_p_values(exact)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 12), st.sampled_from([(5, 5), (6, 5), (9, 9)]))
def test_p_values_are_probabilities_and_turn_with_the_sides(seed: int, number: int, sizes: tuple[int, int]) -> None:
    draw = np.random.default_rng(seed)
    pairs = [(draw.lognormal(size=sizes[0]).tolist(), draw.lognormal(size=sizes[1]).tolist()) for _ in range(number)]
    p_values = moderated_p_values(pairs)
    assert all(0.0 < pair.rise <= 1.0 and 0.0 < pair.fall <= 1.0 for pair in p_values)
    turned = moderated_p_values([(new, old) for old, new in pairs])
    assert [pair.rise for pair in turned] == pytest.approx([pair.fall for pair in p_values], rel=1e-9)


def test_nothing_has_no_p_values() -> None:
    assert moderated_p_values([]) == []
