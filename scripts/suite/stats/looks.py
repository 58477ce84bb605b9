"""How sure must an interval be in a run that is looked at several times, and measured further where it leaves a
question open?

Each look is another chance to err, and a run that stops as soon as it sees what it wants errs most. So the looks are
planned before the run, and share what an interval may err (alpha spending; Jennison and Turnbull, Group Sequential
Methods, 2000, chapters 7 and 9): the shares add up to 1, so by Bonferroni's inequality all intervals of a comparison
hold its true value together with CONFIDENCE, whatever stops the run. `scripts/evaluate --claims` shows it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from suite.stats.estimates import CONFIDENCE

MULTIPLES = (1, 2, 4, 8, 16)  # of the planned processes: the numbers of processes after which a run is looked at
# Five against five processes cannot err less than 0.16 of what an interval of 95 % may: each share is just above.
SPENT = (0.2, 0.2, 0.2, 0.2, 0.2)


def looks_after(processes: int) -> tuple[int, ...]:
    """The numbers of processes after which a run with so many planned processes is looked at."""
    return tuple(multiple * processes for multiple in MULTIPLES)


def confidence_at(processes: int, looks: Sequence[int], comparisons: int = 1) -> float:
    """The confidence of an interval from so many processes, and of several intervals that are told apart.

    `looks` are the run's; a run with fewer than two is looked at once. Between two looks the later look counts.
    """
    share = SPENT[min(bisect_left(looks, processes), len(SPENT) - 1)] if len(looks) > 1 else 1.0
    return 1 - (1 - CONFIDENCE) * share / comparisons
