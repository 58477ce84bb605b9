"""Which common claims about stack and heap hold on the machine of a run?

Every claim has its own function, in the file of its chapter; `judge` calls all of them.
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

# In the order of the output.
CLAIMS: tuple[Claim, ...] = (
    *allocation.CLAIMS, *access.CLAIMS, *contention.CLAIMS, *ownership.CLAIMS, *limits.CLAIMS, *footprint.CLAIMS,
)  # fmt: skip


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with its verdict for a run. `text` is a sentence with the numbers and their intervals."""

    id: str
    short: str  # in a few words
    said: str
    families: tuple[str, ...]
    verdict: str
    text: str
    condition: str = ""


def judge(run: Run) -> list[JudgedClaim]:
    """The verdict on every claim, for the machine of this run."""
    return [_judged(run, claim) for claim in CLAIMS]


def _judged(run: Run, claim: Claim) -> JudgedClaim:
    try:
        verdict = claim.judge(run)
    except CannotJudge as reason:
        verdict = Verdict(UNDECIDED if isinstance(reason, Undecided) else NOT_MEASURED, str(reason))
    return JudgedClaim(
        claim.id, claim.short, claim.said, claim.families, verdict.verdict, sentence(verdict.text), verdict.condition
    )  # fmt: skip
