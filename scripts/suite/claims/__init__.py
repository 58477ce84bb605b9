"""Which common claims about stack and heap hold on the machine of a run?

Each claim is ruled on by its own function, in the file of its chapter; `judge` asks them all.
"""

from __future__ import annotations

from dataclasses import dataclass

from suite.claims import access, allocation, contention, footprint, limits, ownership
from suite.claims.verdict import (
    DOES_NOT_HOLD,
    HOLDS,
    HOLDS_BUT,
    NOT_MEASURED,
    OPEN,
    UNDECIDED,
    CannotJudge,
    Claim,
    Undecided,
    Verdict,
    sentence,
)
from suite.results.model import Run

__all__ = [
    "CLAIMS", "DOES_NOT_HOLD", "HOLDS", "HOLDS_BUT", "NOT_MEASURED", "OPEN", "UNDECIDED", "JudgedClaim", "judge",
]  # fmt: skip

# In the order in which they are told.
CLAIMS: tuple[Claim, ...] = (
    *allocation.CLAIMS, *access.CLAIMS, *contention.CLAIMS, *ownership.CLAIMS, *limits.CLAIMS, *footprint.CLAIMS,
)  # fmt: skip


@dataclass(frozen=True)
class JudgedClaim:
    """What is said, and what the run says to it. `text` is a sentence with the numbers and their intervals."""

    id: str
    short: str  # in a few words
    said: str
    families: tuple[str, ...]
    verdict: str
    text: str
    condition: str = ""


def judge(run: Run) -> list[JudgedClaim]:
    """Every claim's verdict on the machine of this run."""
    return [_judged(run, one) for one in CLAIMS]


def _judged(run: Run, one: Claim) -> JudgedClaim:
    try:
        found = one.judge(run)
    except CannotJudge as reason:
        found = Verdict(UNDECIDED if isinstance(reason, Undecided) else NOT_MEASURED, str(reason))
    return JudgedClaim(
        one.id, one.short, one.said, one.families, found.verdict, sentence(found.text), found.condition
    )  # fmt: skip
