"""Numbers for which the claims about limits hold, hold with a condition, and do not hold.

The mallocs are glibc and mimalloc; one cycle is 0.25 ns.
"""

from __future__ import annotations

from collections.abc import Mapping

from suite.claims import DOES_NOT_HOLD, HOLDS, HOLDS_BUT
from support.claim_cases.figures import Figures


def ends_of(stack: float, granted: float, touched: float, unlimited: float = 0.0) -> dict[str, Mapping[str, float]]:
    return {
        "stack_limit/stack:main/frame:64": {"usable_bytes": stack, "at_least": unlimited},
        "heap_limit/glibc/limit:granted": {"granted_bytes": granted},
        "heap_limit/glibc/limit:touched": {"touched_bytes": touched},
    }


def recursions(small: float, large: float) -> dict[str, float]:
    name = "recursion/shape:chain/depth:100/frame:{}/by:{}"
    calls = {name.format(frame, "calls"): ns for frame, ns in ((64, small), (1024, large))}
    return calls | {name.format(frame, "heap_kept"): 10.0 for frame in (64, 1024)}


def grants(ended: bool = False, **granted: float) -> dict[str, Mapping[str, float]]:
    """The largest blocks of mallocs on a machine with 100 MB, of which 50 MB were written to."""
    figures: dict[str, Mapping[str, float]] = {
        f"heap_limit/{name}/limit:granted": {"granted_bytes": most, "present_bytes": 1e8, "at_least": 0.0}
        for name, most in granted.items()
    }
    return figures | {"heap_limit/glibc/limit:touched": {"touched_bytes": 5e7, "at_least": float(not ended)}}


CASES: dict[str, dict[str, Figures]] = {
    "stack-is-small": {
        HOLDS: ends_of(1e6, 1e9, 1e7), HOLDS_BUT: ends_of(1e6, 1e7, 1e7), DOES_NOT_HOLD: ends_of(1e6, 5e5, 5e5),
    },
    "heap-ends-with-memory": {
        HOLDS: grants(glibc=1e8, mimalloc=9e7), HOLDS_BUT: grants(glibc=1e8, mimalloc=1e13),
        DOES_NOT_HOLD: grants(glibc=1e12, mimalloc=1e13),
    },
    "recursion-or-heap": {HOLDS: recursions(20, 20), HOLDS_BUT: recursions(20, 10), DOES_NOT_HOLD: recursions(10, 9)},
}  # fmt: skip
