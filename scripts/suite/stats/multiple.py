"""Which of many tests show a difference, if few of the chosen tests may be false? False-discovery control.

Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995).
"""

from __future__ import annotations

from collections.abc import Sequence


def significant(p_values: Sequence[float], rate: float) -> list[bool]:
    """Whether each test is significant, if on average at most the share `rate` of the significant tests may be false."""
    limit = false_discovery_limit(p_values, rate)
    return [p <= limit for p in p_values]


def false_discovery_limit(p_values: Sequence[float], rate: float) -> float:
    """The largest p-value that is significant under false-discovery control at `rate`; below zero without any."""
    number = len(p_values)
    limits = (rate * rank / number for rank in range(1, number + 1))
    return max((limit for p, limit in zip(sorted(p_values), limits) if p <= limit), default=-1.0)
