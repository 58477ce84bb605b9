"""Which common claims about stack and heap hold on the machine of a run?

Every claim has its own function, in the file of its chapter; `verdicts` calls all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from suite.claims import access, allocation, contention, footprint, limits, ownership, program
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
    "CLAIMS", "DOES_NOT_HOLD", "HOLDS", "HOLDS_BUT", "NOT_MEASURED", "OPEN", "UNDECIDED", "ClaimVerdict", "verdicts",
]  # fmt: skip

# In the order of the output. A chapter's claims are all that its file defines.
CLAIMS: tuple[Claim, ...] = tuple(
    claim
    for chapter in (allocation, access, contention, ownership, limits, footprint, program)
    for claim in vars(chapter).values()
    if isinstance(claim, Claim)
)


@dataclass(frozen=True)
class ClaimVerdict:
    """A claim with its verdict for a run. `text` is a sentence with the numbers and their intervals."""

    id: str
    short: str  # in a few words
    statement: str
    families: tuple[str, ...]
    verdict: str
    text: str
    condition: str = ""
    needs: tuple[str, ...] = ()  # the benchmarks that would decide what is still open, in more processes


def verdicts(run: Run) -> list[ClaimVerdict]:
    """The verdict on every claim, for the machine of this run."""
    return [_verdict(run, claim) for claim in CLAIMS]


def _verdict(run: Run, claim: Claim) -> ClaimVerdict:
    try:
        verdict = claim.test(run)
    except Undecided as reason:
        verdict = Verdict(UNDECIDED, str(reason), needs=reason.needs)
    except CannotJudge as reason:
        verdict = Verdict(NOT_MEASURED, str(reason))
    return ClaimVerdict(
        claim.id, claim.short, claim.statement, claim.families, verdict.verdict, sentence(verdict.text),
        verdict.condition, verdict.needs,
    )  # fmt: skip
