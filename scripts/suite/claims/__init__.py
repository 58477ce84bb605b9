"""Which common claims about stack and heap hold on the machine of a run?

Every claim has its own function, in the file of its chapter; `verdicts` calls all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from suite.base import phrases
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
    Numbers,
    Undecided,
    Verdict,
    sentence,
)
from suite.results.model import Run

__all__ = [
    "CLAIMS", "DOES_NOT_HOLD", "HOLDS", "HOLDS_BUT", "NOT_MEASURED", "OPEN", "UNDECIDED", "ClaimVerdict", "counted", "verdicts",
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
    """A claim with its verdict for a run. The gist and the details are sentences."""

    id: str
    short: str  # in a few words
    statement: str
    chapter: str
    families: tuple[str, ...]
    verdict: str
    gist: str  # with two numbers at most; without a verdict, the reason
    details: str  # all numbers with their intervals; empty if nothing was measured
    condition: str = ""
    needs: tuple[str, ...] = ()  # the benchmarks that would decide what is still open, in more processes


def counted(judged: Sequence[ClaimVerdict]) -> str:
    """How many have each verdict, as a sentence without its full stop."""
    number = Counter("" if claim.verdict in OPEN else claim.verdict for claim in judged)
    verbs = {  # for one, for several
        HOLDS: ("holds here", "hold here"),
        HOLDS_BUT: ("with a condition",) * 2 if number[HOLDS] else ("holds with a condition", "hold with a condition"),
        DOES_NOT_HOLD: ("does not", "do not") if number[HOLDS] or number[HOLDS_BUT] else ("does not hold", "do not hold"),
        "": ("has no verdict", "have no verdict"),
    }
    parts = [phrases.count(number[verdict], *verb) for verdict, verb in verbs.items() if number[verdict]]
    return f"Of {len(judged)} claims about stack and heap, {phrases.joined(parts)}"


def verdicts(run: Run) -> list[ClaimVerdict]:
    """The verdict on every claim, for the machine of this run."""
    return [_verdict(run, claim) for claim in CLAIMS]


def _verdict(run: Run, claim: Claim) -> ClaimVerdict:
    try:
        verdict = claim.test(run)
    except Undecided as reason:
        verdict = Verdict(UNDECIDED, Numbers(str(reason), reason.details), needs=reason.needs)
    except CannotJudge as reason:
        verdict = Verdict(NOT_MEASURED, Numbers(str(reason)))
    return ClaimVerdict(
        claim.id, claim.short, claim.statement, claim.chapter, claim.families, verdict.verdict,
        sentence(verdict.numbers.gist), sentence(verdict.numbers.details), verdict.condition, verdict.needs,
    )  # fmt: skip
