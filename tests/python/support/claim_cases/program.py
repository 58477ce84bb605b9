"""Shares of stack-like blocks for which the claim about real programs holds, holds with a condition, and does not hold."""

from __future__ import annotations

from collections.abc import Mapping

from suite.claims import DOES_NOT_HOLD, HOLDS, HOLDS_BUT
from support.claim_cases.figures import Figures


def recordings(**shares: float) -> dict[str, Mapping[str, float]]:
    return {
        f"replay/none/recording:{name}": {"allocations": 1_000.0, "stack_like_share": share} for name, share in shares.items()
    }


CASES: dict[str, dict[str, Figures]] = {
    "heap-outlives": {
        HOLDS: recordings(git=0.09, python=0.01, made_up=1.0), HOLDS_BUT: recordings(git=0.09, cc1plus=0.5),
        DOES_NOT_HOLD: recordings(perl=0.99, cc1plus=0.1),
    },
}  # fmt: skip
