"""Numbers for which the claims about footprint hold, hold with a condition, and do not hold.

The mallocs are glibc and mimalloc; one cycle is 0.25 ns.
"""

from __future__ import annotations

from collections.abc import Mapping

from suite.claims import DOES_NOT_HOLD, HOLDS, HOLDS_BUT
from support.claim_cases.figures import Figures


def overhead(glibc: float, mimalloc: float, in_large: float = 1.2) -> dict[str, Mapping[str, float]]:
    held = {("glibc", 8): glibc, ("mimalloc", 8): mimalloc, ("glibc", 4096): in_large, ("mimalloc", 4096): in_large}
    return {f"overhead/{who}/bytes:{size}": {"resident_bytes_per_byte": bytes_held} for (who, size), bytes_held in held.items()}


def returned(**shares: float) -> dict[str, Mapping[str, float]]:
    return {f"returned/{who}/sizes:small": {"returned_share_after_1s": share} for who, share in shares.items()}


CASES: dict[str, dict[str, Figures]] = {
    "bookkeeping": {HOLDS: overhead(1.5, 1.2), HOLDS_BUT: overhead(1.5, 1.0), DOES_NOT_HOLD: overhead(1.0, 1.001, 1.0)},
    "freed-is-returned": {
        HOLDS: returned(glibc=1, mimalloc=0.95), HOLDS_BUT: returned(glibc=1, mimalloc=0.5),
        DOES_NOT_HOLD: returned(glibc=0, mimalloc=0.5),
    },
}  # fmt: skip
