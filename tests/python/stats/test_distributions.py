"""Do the distributions agree with values that were calculated with 40 digits?

The values are mpmath's: its betainc for Student's distribution, its sums of binomial probabilities for beta, its psi.
"""

from __future__ import annotations

import math

import pytest

from suite.stats import distributions

EXACT = 1e-12

# fmt: off
STUDENT_TAILS = [
    (0.0, 3, 0.5), (0.5, 1, 0.352416382349567), (-0.5, 1, 0.647583617650433), (12.0, 1, 0.0264646760595899),
    (1000000.0, 1, 3.18309886183685e-7), (1.7, 2, 0.115616713100786), (0.001, 4, 0.499625000078125),
    (4.0, 8, 0.00197488640172266), (-4.0, 8, 0.998025113598277), (25.0, 8, 3.50574685665994e-9),
    (2.0, 8.3, 0.0396131042907482), (3.0, 9.5, 0.00704922958190054), (1.0, 30, 0.162654307713015),
    (40.0, 30, 6.8630225972032e-28), (1.96, 1000.25, 0.0251365577990251), (-30.0, 1000.25, 1.0),
]
STUDENT_POINTS = [
    (0.05, 1, 6.31375151467504), (0.05, 4, 2.13184678632665), (0.05, 30, 1.69726088659396), (0.01, 1, 31.820515953774),
    (0.01, 2, 6.96455673428327), (0.01, 63, 2.3870078634698), (0.3, 2.5, 0.597307738252317),
    (1e-09, 7, 38.7059806432316), (0.499, 12, 0.00255933928509687),
]
BETA_POINTS = [
    (0.025, 1, 1, 0.025), (0.025, 1, 144576, 1.75117625107159e-7), (0.975, 1, 20, 0.168433470983085),
    (0.025, 3, 18, 0.0320709371854637), (0.975, 4, 17, 0.378926826545314), (0.025, 50, 1951, 0.0186111056763371),
    (0.975, 400, 401, 0.533972482829084), (0.025, 800, 1, 0.995399515479255),
]
GAMMA_DERIVATIVES = [  # of the logarithm: first, second, third
    (0.001, -1000.57557193181, 1000001.6425332, -2000000002.39763),
    (0.5, -1.96351002602142, 4.93480220054468, -16.8287966442343),
    (1.0, -0.577215664901533, 1.64493406684823, -2.40411380631919),
    (3.5, 1.10315664064524, 0.330357756100235, -0.108204051641727),
    (9.99, 2.2507003728312, 0.105276950148242, -0.0110730705314611),
    (10.01, 2.25280370031814, 0.105055953205515, -0.0110266724033934),
    (60.0, 4.08598808138354, 0.0168063271176354, -0.000282445984083068),
    (1000000.0, 13.8155100579642, 1.00000050000017e-6, -1.0000010000005e-12),
]
# fmt: on


@pytest.mark.parametrize(("t", "freedom", "tail"), STUDENT_TAILS)
def test_students_tail(t: float, freedom: float, tail: float) -> None:
    assert distributions.student_tail(t, freedom) == pytest.approx(tail, rel=EXACT)


def test_with_very_many_degrees_of_freedom_the_tail_still_has_ten_digits() -> None:
    assert distributions.student_tail(5.0, 123456.7) == pytest.approx(2.87043166402707e-7, rel=1e-10)
    assert distributions.student_tail(0.1, 123456.7) == pytest.approx(0.460172243909667, rel=1e-10)


@pytest.mark.parametrize(("tail", "freedom", "point"), STUDENT_POINTS)
def test_the_point_with_a_tail_of_students_distribution(tail: float, freedom: float, point: float) -> None:
    assert distributions.student_point(tail, freedom) == pytest.approx(point, rel=EXACT)


@pytest.mark.parametrize(("share", "a", "b", "point"), BETA_POINTS)
def test_the_point_under_a_share_of_the_beta_distribution(share: float, a: float, b: float, point: float) -> None:
    assert distributions.beta_point(share, a, b) == pytest.approx(point, rel=EXACT)
    assert 1 - distributions.beta_point(1 - share, b, a) == pytest.approx(point, rel=EXACT, abs=EXACT)


@pytest.mark.parametrize(("x", "first", "second", "third"), GAMMA_DERIVATIVES)
def test_the_derivatives_of_the_logarithm_of_gamma(x: float, first: float, second: float, third: float) -> None:
    assert distributions.digamma(x) == pytest.approx(first, rel=EXACT)
    assert distributions.trigamma(x) == pytest.approx(second, rel=EXACT)
    assert distributions.tetragamma(x) == pytest.approx(third, rel=EXACT)


def test_the_binomial_tail_counts_tosses() -> None:
    assert [distributions.binomial_tail(3, k) for k in range(5)] == [1.0, 7 / 8, 4 / 8, 1 / 8, 0.0]
    assert distributions.binomial_tail(1000, 1000) == math.ldexp(1, -1000)
    assert distributions.binomial_tail(2000, 2000) == 0.0
