"""What is said of the stack and the heap, put to the test on the machine of a run.

Each claim is ruled on by its own function, in the file of its chapter; `judge` asks them all.
"""

from __future__ import annotations

from dataclasses import dataclass

from suite.claims import access, allocation, contention, footprint, limits, ownership
from suite.claims.verdict import DOES_NOT_HOLD, HOLDS, HOLDS_BUT, NOT_MEASURED, cannot_judge, ruling, saying, sentence
from suite.results import model as results

__all__ = ["DOES_NOT_HOLD", "HOLDS", "HOLDS_BUT", "NOT_MEASURED", "SAYINGS", "claim", "judge"]

# In the order in which they are told.
SAYINGS: tuple[saying, ...] = (
    *allocation.SAYINGS, *access.SAYINGS, *contention.SAYINGS, *ownership.SAYINGS, *limits.SAYINGS, *footprint.SAYINGS,
)  # fmt: skip


@dataclass(frozen=True)
class claim:
    """What is said, and what the run says to it. `text` is a sentence with the numbers and their intervals."""

    id: str
    short: str  # in a few words
    said: str
    families: tuple[str, ...]
    verdict: str
    text: str
    condition: str = ""


def judge(run: results.run) -> list[claim]:
    """Every claim's verdict on the machine of this run."""
    return [_judged(run, one) for one in SAYINGS]


def _judged(run: results.run, one: saying) -> claim:
    try:
        found = one.judge(run)
    except cannot_judge as reason:
        found = ruling(NOT_MEASURED, str(reason))
    return claim(
        one.id, one.short, one.said, one.families, found.verdict, sentence(found.text), found.condition
    )  # fmt: skip
