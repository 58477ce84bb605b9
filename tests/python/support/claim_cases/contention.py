"""Numbers for which the claims about contention hold, hold with a condition, and do not hold.

The mallocs are glibc and mimalloc; one cycle is 0.25 ns.
"""

from __future__ import annotations

from suite.claims import DOES_NOT_HOLD, HOLDS, HOLDS_BUT
from support.claim_cases.figures import Figures


def on_two_cores(family: str, workload: str = "", **prices: float) -> dict[str, float]:
    return {f"{family}/{who}{workload}/threads:{n}": ns for who, two in prices.items() for n, ns in ((1, 10.0), (2, two))}


def contended(glibc: float, mimalloc: float) -> dict[str, float]:
    private = on_two_cores("private", glibc=glibc, mimalloc=10)
    short_lives = on_two_cores("larson", "/life:16384", glibc=50, mimalloc=10)  # no claim reads them
    return private | short_lives | on_two_cores("larson", "/life:500000", glibc=10, mimalloc=mimalloc)


def starts(large: float, touched: float) -> dict[str, float]:
    name = "thread_start/fresh_stack/bytes:{}/touch:{}/core:starter"
    prices = {(1024, "none"): 100.0, (4096, "none"): large, (1024, "all"): 100.0, (4096, "all"): touched}
    return {name.format(*at): ns for at, ns in prices.items()}


CASES: dict[str, dict[str, Figures]] = {
    "own-stack": {
        HOLDS: on_two_cores("private", stack_array=10), HOLDS_BUT: on_two_cores("private", stack_array=14),
        DOES_NOT_HOLD: on_two_cores("private", stack_array=30),
    },
    "shared-heap-contends": {HOLDS: contended(20, 20), HOLDS_BUT: contended(20, 10), DOES_NOT_HOLD: contended(10, 9)},
    "stack-costs-at-start": {HOLDS: starts(200, 200), HOLDS_BUT: starts(200, 900), DOES_NOT_HOLD: starts(100, 900)},
}  # fmt: skip
