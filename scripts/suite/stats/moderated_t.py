"""How likely does such a difference between two groups of processes arise by chance? The moderated t test.

With few processes a side, a benchmark's own scatter is known badly, and luck makes some scatters far too small. Each
variance is therefore shrunk towards those of all benchmarks: Smyth, Statistical Applications in Genetics and Molecular
Biology 3 (2004), article 3. The null distribution comes from the model, not from the other benchmarks' differences, so
no number of true changes among them hides another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.stats.arrays import Floats, np
from suite.stats.distributions import digamma, student_tail, tetragamma, trigamma

if TYPE_CHECKING:
    from numpy.typing import NDArray

OUTWARDS = 3.0
_SMALLEST_DEVIATION = 0.001  # of logarithms: a counter may have the same value in every process


@dataclass(frozen=True)
class PValues:
    """How often chance alone would give a rise, or a fall, at least as large as the measured difference."""

    rise: float
    fall: float


@dataclass(frozen=True)
class Prior:
    """What the variances of all benchmarks say about each: the typical variance, and how many degrees of freedom that
    is worth. 0: nothing; infinite: all benchmarks have this variance."""

    variance: float
    freedom: float


def moderated_p_values(
    pairs: Sequence[tuple[Sequence[float], Sequence[float]]], kinds: Sequence[str] = ()
) -> list[PValues]:
    """The one-sided p-values of new against old for each (old, new) pair of positive series, on logarithms.

    `kinds` names the unit of each pair: times and bytes have scatters of their own.
    """
    if not pairs:
        return []
    logs = [(np.log(np.asarray(old)), np.log(np.asarray(new))) for old, new in pairs]
    of_kind = np.array(kinds or [""] * len(pairs))
    rises = _upper_tails([(_limited(old, -1), _limited(new, 1)) for old, new in logs], of_kind)
    falls = _upper_tails([(_limited(-old, -1), _limited(-new, 1)) for old, new in logs], of_kind)
    return [PValues(float(rise), float(fall)) for rise, fall in zip(rises, falls)]


@dataclass(frozen=True)
class _Limited:
    values: Floats
    number: int  # of the values that were limited


def _limited(logs: Floats, outwards: float) -> _Limited:
    """A side with its outliers limited in the direction away from the other side: a process that lies even further
    away does not speak against a difference. The limit is OUTWARDS times the reach towards the other side."""
    outward: Floats = outwards * logs
    middle = np.median(outward)
    limit = middle + OUTWARDS * (middle - outward.min())
    return _Limited(outwards * np.minimum(outward, limit), int((outward > limit).sum()))


def _upper_tails(pairs: Sequence[tuple[_Limited, _Limited]], of_kind: NDArray[np.str_]) -> Floats:
    """How often chance alone would put the new side so far above the old side."""
    differences = np.array([new.values.mean() - old.values.mean() for old, new in pairs])
    sizes = np.array([(len(old.values), len(new.values)) for old, new in pairs], dtype=np.float64)
    freedom = np.array([len(old.values) + len(new.values) - 2.0 - old.number - new.number for old, new in pairs])
    squares = np.array([sum(((side.values - side.values.mean()) ** 2).sum() for side in pair) for pair in pairs])
    variances = np.maximum(squares / freedom, _SMALLEST_DEVIATION**2)
    for kind in set(of_kind):
        here = of_kind == kind
        variances[here], freedom[here] = _raised(variances[here], freedom[here])
    statistics = differences / np.sqrt(variances * (1 / sizes).sum(axis=1))
    return np.array([student_tail(*parts) for parts in zip(statistics.tolist(), freedom.tolist())])


def _raised(variances: Floats, freedom: Floats) -> tuple[Floats, Floats]:
    """The variances and their degrees of freedom with the prior, where it raises them.

    A benchmark that scatters more than the others keeps its own: taken for bad luck, its scatter would make its
    differences look like changes (Phipson and others, Annals of Applied Statistics 10, 2016: hypervariable genes).
    """
    prior = fit_prior(variances, freedom)
    total = np.minimum(freedom + prior.freedom, freedom.sum())  # no more than all benchmarks together have
    if math.isinf(prior.freedom):
        shrunk = np.full_like(variances, prior.variance)
    else:
        shrunk = (prior.freedom * prior.variance + freedom * variances) / (prior.freedom + freedom)
    raised = shrunk > variances
    return np.where(raised, shrunk, variances), np.where(raised, total, freedom)


def fit_prior(variances: Floats, freedom: Floats) -> Prior:
    """The prior by the method of moments on the logarithms of the variances: section 6.2 of Smyth's article."""
    if len(variances) < 2:
        return Prior(float(variances[0]), 0.0)
    halves = (freedom / 2).tolist()
    logs = np.log(variances) - np.array([digamma(half) - math.log(half) for half in halves])
    spread = float(logs.var(ddof=1) - np.mean([trigamma(half) for half in halves]))
    if spread <= 0.0:
        return Prior(math.exp(logs.mean()), math.inf)
    half = _inverse_trigamma(spread)
    return Prior(math.exp(logs.mean() + digamma(half) - math.log(half)), 2 * half)


def _inverse_trigamma(value: float) -> float:
    """The y with trigamma(y) = value, by Newton's method on 1/trigamma, which is nearly linear: Smyth's appendix."""
    if value > 1e7:
        return 1 / math.sqrt(value)
    if value < 1e-6:
        return 1 / value
    y = 0.5 + 1 / value
    for _ in range(50):
        step = trigamma(y) * (1 - trigamma(y) / value) / tetragamma(y)
        y += step
        if -step / y < 1e-8:
            break
    return y
