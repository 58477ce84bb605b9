"""Do the distributions and the exact tests agree with SciPy, where it is installed? Nothing else needs it."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
import pytest

from suite.selfcheck import other_tools
from suite.stats import distributions
from suite.stats.paired_tests import sign_test, signed_rank
from suite.stats.rank_sum import fit_64_bits, two_sided_rank_sum_p

pytestmark = pytest.mark.nightly

DRAWS = 2000


@pytest.fixture
def scipy() -> Any:
    pytest.importorskip("scipy.stats", reason="SciPy is not installed: only these tests use it")
    return importlib.import_module("scipy")


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(3)


def test_students_distribution(scipy: Any, draw: np.random.Generator) -> None:
    for t, freedom in zip((4 * draw.standard_t(2, DRAWS)).tolist(), np.exp(draw.uniform(0, 12, DRAWS)).tolist()):
        assert distributions.student_tail(t, freedom) == pytest.approx(scipy.stats.t.sf(t, freedom), rel=1e-10)
    for tail, freedom in zip(draw.uniform(1e-6, 0.499, DRAWS).tolist(), np.exp(draw.uniform(0, 8, DRAWS)).tolist()):
        point = distributions.student_point(tail, freedom)
        assert scipy.stats.t.sf(point, freedom) == pytest.approx(tail, rel=1e-10)  # SciPy's own points are less exact


def test_the_beta_and_the_binomial_distribution(scipy: Any, draw: np.random.Generator) -> None:
    for share, a, b in zip(draw.uniform(1e-4, 0.999, DRAWS).tolist(), *np.exp(draw.uniform(0, 9, (2, DRAWS))).tolist()):
        assert scipy.special.betainc(a, b, distributions.beta_point(share, a, b)) == pytest.approx(share, rel=1e-10)
    for n in range(0, 300, 7):
        for k in range(0, n + 1, 5):
            assert distributions.binomial_tail(n, k) == pytest.approx(scipy.stats.binom.sf(k - 1, n, 0.5), rel=1e-10)


def test_the_derivatives_of_the_logarithm_of_gamma(scipy: Any, draw: np.random.Generator) -> None:
    for x in np.exp(draw.uniform(-5, 14, DRAWS)).tolist():
        assert distributions.digamma(x) == pytest.approx(scipy.special.psi(x), rel=1e-10)
        assert distributions.trigamma(x) == pytest.approx(scipy.special.polygamma(1, x), rel=1e-10)
        assert distributions.tetragamma(x) == pytest.approx(scipy.special.polygamma(2, x), rel=1e-10)


def test_the_tests_of_pairs(scipy: Any, draw: np.random.Generator) -> None:
    for n in range(1, 26):
        values = draw.permutation(np.arange(1.0, n + 1)) * draw.choice((-1, 1), n, p=(0.3, 0.7))
        above = int((values > 0).sum())
        for ranks, signs, direction in zip(signed_rank(values), sign_test(values), ("greater", "less")):
            assert ranks == pytest.approx(scipy.stats.wilcoxon(values, alternative=direction, mode="exact").pvalue)
            assert signs == pytest.approx(scipy.stats.binomtest(above, n, alternative=direction).pvalue)


@pytest.mark.parametrize(("m", "n"), [(3, 9), (10, 30), (8, 8), (40, 60), (30, 300)])
def test_the_rank_sum_test(scipy: Any, draw: np.random.Generator, m: int, n: int) -> None:
    method = "exact" if fit_64_bits(m, n) else "asymptotic"
    for _ in range(20):
        x, y = draw.normal(0.4, 1, m), draw.normal(0, 1, n)
        expected = scipy.stats.mannwhitneyu(x, y, method=method).pvalue
        assert two_sided_rank_sum_p(x, y) == pytest.approx(expected, rel=1e-9)


def test_the_u_test_of_google_benchmark(scipy: Any, draw: np.random.Generator) -> None:
    for kinds in (2, 10, 10**9):
        for _ in range(300):
            old, new = (draw.integers(0, kinds, size).astype(float).tolist() for size in draw.integers(1, 15, 2))
            if len(set(old + new)) > 1:
                expected = scipy.stats.mannwhitneyu(old, new).pvalue
                assert other_tools._u_test(old, new) == pytest.approx(expected, rel=1e-9)
    assert math.isclose(other_tools._u_test([1.0] * 9, [1.0] * 9), 1.0)
