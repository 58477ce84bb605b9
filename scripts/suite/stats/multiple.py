"""Which of many tests are discoveries?"""

from __future__ import annotations

from collections.abc import Sequence


def discoveries(chances_of: Sequence[float], rate: float) -> list[bool]:
    """Which of many small chances are findings, if on average at most `rate` of the findings may be false.

    Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995).
    """
    ordered = sorted(chances_of)
    number = len(ordered)
    limit = max((p for rank, p in enumerate(ordered, 1) if p <= rate * rank / number), default=-1.0)
    return [p <= limit for p in chances_of]
