"""When would other tools call a benchmark slower? Their published rules with default options, on one process a side.

Each rule is written anew from the source or documentation of its tool, which it names. A rule gets the repetitions of
one benchmark in an old and in a new process; a tool that looks back also gets the repetitions of earlier processes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from suite.stats.arrays import Floats, np
from suite.stats.distributions import student_point
from suite.stats.estimates import median
from suite.stats.rank_sum import rank_sum_counts, two_sided_rank_sum_p

Times = Sequence[float]

CRITERION_RESAMPLES = 1000  # criterion.rs takes 100,000: p comes out the same to within 1.4 points where it is 5 %


@dataclass(frozen=True)
class OtherRule:
    """A tool's rule. `slower(old, new, history)`: `history` is of the old side's earlier processes, oldest first."""

    name: str
    source: str  # where the rule is published
    slower: Callable[[Times, Times, Sequence[Times]], bool]


def _google_benchmark(old: Times, new: Times, _: Sequence[Times]) -> bool:
    """A two-sided U test at 0.05; the medians show which side is slower."""
    return _u_test(old, new) < 0.05 and median(new) > median(old)


def _u_test(old: Times, new: Times) -> float:
    """The p-value of SciPy's mannwhitneyu, which the tool calls: exact where a side has at most 8 values and no values
    are tied, else from the normal distribution with corrections for continuity and for ties."""
    m, n = len(old), len(new)
    _, tied = np.unique([*old, *new], return_counts=True)
    if min(m, n) <= 8 and len(tied) == m + n:
        return two_sided_rank_sum_p(old, new)
    variance = m * n / 12 * (m + n + 1 - float((tied**3 - tied).sum()) / ((m + n) * (m + n - 1)))
    above_half = abs(_wins(new, old) - m * n / 2) - 0.5
    return min(1.0, math.erfc(above_half / math.sqrt(2 * variance))) if variance else 1.0


def _wins(new: Times, old: Times) -> float:
    """The statistic U: how many of the pairs of a new and an old time the new time exceeds. A tie counts as a half."""
    return sum((a > b) + (a == b) / 2 for a in new for b in old)


def _criterion(old: Times, new: Times, _: Sequence[Times]) -> bool:
    """Welch's t at 0.05, with a distribution from resampling both samples from their union; and the whole bootstrapped
    95 % interval of the mean's relative change is over 1 %."""
    a, b = np.asarray(new, dtype=float), np.asarray(old, dtype=float)
    random = np.random.default_rng(len(a) * 1000 + len(b))
    union = random.choice(np.concatenate([a, b]), (CRITERION_RESAMPLES, len(a) + len(b)))
    resampled = _welch_t(union[:, : len(a)], union[:, len(a) :])
    below = float(np.mean(resampled < _welch_t(a[None], b[None])[0]))
    if 2 * min(below, 1 - below) >= 0.05:
        return False
    means = (random.choice(side, (CRITERION_RESAMPLES, len(side))).mean(axis=1) for side in (a, b))
    change = next(means) / next(means) - 1
    return bool(np.quantile(change, 0.025) > 0.01)


def _welch_t(a: Floats, b: Floats) -> Floats:
    spread = np.sqrt(a.var(axis=1, ddof=1) / a.shape[1] + b.var(axis=1, ddof=1) / b.shape[1])
    values: Floats = (a.mean(axis=1) - b.mean(axis=1)) / np.where(spread > 0, spread, np.inf)
    return values


def _lnt(old: Times, new: Times, _: Sequence[Times]) -> bool:
    """The new minimum against the old time nearest to it: over 1 %, a U test, and over 2.576 standard deviations.

    The U test compares the *difference* of both U with the critical value of the smaller one, as LNT does, and so is
    far more lenient than its 5 %. LNT's least change of 0.01 s, which is for whole programs, is left out.
    """
    best = min(new)
    nearest = min(reversed(old), key=lambda ns: abs(best - ns))
    delta = best - nearest
    if delta < 0.01 * nearest:
        return False
    if len(old) >= 4 and len(new) >= 4:
        if abs(2 * _wins(new, old) - len(old) * len(new)) <= _critical_u(len(old), len(new)):
            return False
    return delta > 2.576 * float(np.std(new))


def _critical_u(m: int, n: int) -> int:
    """The largest value of the smaller U that is significant at 5 %, two-sided, as in printed tables."""
    tail, total = 0, math.comb(m + n, m)
    for value, count in enumerate(rank_sum_counts(m, n)):
        tail += count
        if 2 * tail > 0.05 * total:
            return max(0, value - 1)
    return 0


def _asv(old: Times, new: Times, _: Sequence[Times]) -> bool:
    """An exact U test at 0.002, and the median over the factor 1.1."""
    return two_sided_rank_sum_p(old, new) < 0.002 and median(new) > 1.1 * median(old)


def _bencher(_: Times, new: Times, history: Sequence[Times]) -> bool:
    """Over the 99 % point of Student's t, with the mean and standard deviation of at most 64 earlier runs."""
    earlier = np.array([median(times) for times in history[-64:]])
    if len(earlier) < 2 or not earlier.std():
        return False
    return median(new) > float(earlier.mean() + earlier.std() * student_point(0.01, len(earlier) - 1))


def _github_action_benchmark(old: Times, new: Times, _: Sequence[Times]) -> bool:
    """Over 200 % of the time before."""
    return median(new) > 2.0 * median(old)


OTHER_RULES = (
    OtherRule("Google Benchmark's compare.py", "tools/gbench/report.py of google/benchmark", _google_benchmark),
    OtherRule("criterion.rs", "src/analysis/compare.rs and src/report.rs of bheisler/criterion.rs", _criterion),
    OtherRule("LNT", "lnt/server/reporting/analysis.py and lnt/util/stats.py of llvm/llvm-lnt", _lnt),
    OtherRule("asv", "asv/commands/compare.py and asv/statistics.py of airspeed-velocity/asv", _asv),
    OtherRule("Bencher, t test at 0.99", "lib/bencher_boundary of bencherdev/bencher", _bencher),
    OtherRule(
        "github-action-benchmark at 200 %",
        "src/write.ts and action.yml of benchmark-action/github-action-benchmark",
        _github_action_benchmark,
    ),
)
