"""Numbers for which the claims about access hold, hold with a condition, and do not hold.

The mallocs are glibc and mimalloc; one cycle is 0.25 ns.
"""

from __future__ import annotations

from collections.abc import Mapping

from suite.claims import DOES_NOT_HOLD, HOLDS, HOLDS_BUT
from support.claim_cases.figures import Figures


def homes(**heap: float) -> dict[str, Mapping[str, float]]:
    names = {"stream": "stream/bytes:16384/homes:{}", "chase": "chase/bytes:16384/order:random/homes:{}"}
    return {
        names[family].format("stack_and_heap"): {"stack_ns": 10.0, "heap_ns": ns} for family, ns in heap.items()
    }


def pointers(near: float, far: float) -> dict[str, float]:
    layouts = {"depth:0/layout:packed": 10.0, "depth:1/layout:packed": near, "depth:1/layout:scattered": far}
    return {f"indirection/{name}": ns for name, ns in layouts.items()}


def jumps(in_l1: float, in_l2: float) -> dict[str, float]:
    name = "chase/bytes:{}/order:{}/home:heap"
    at_random = {name.format(size, "random"): ns for size, ns in ((4096, in_l1), (1 << 20, in_l2))}
    return at_random | {name.format(size, "sequential"): 10 for size in (4096, 1 << 20)}


def neighbours(shuffled: float, by_column: float) -> dict[str, float]:
    lists = {"list_shuffled": shuffled, "vector": 10.0}
    prices = {f"traverse/{who}/count:1000/payload:8": ns for who, ns in lists.items()}
    return prices | {f"matrix/one_block/n:64/by:{by}": ns for by, ns in (("column", by_column), ("row", 10.0))}


def walks(**aged: float) -> dict[str, float]:
    fresh = {f"list_walk/{who}/heap:empty": 10.0 for who in aged}
    return fresh | {f"list_walk/{who}/heap:aged": ns for who, ns in aged.items()}


CASES: dict[str, dict[str, Figures]] = {
    "heap-access-slower": {
        HOLDS: homes(stream=20, chase=20), HOLDS_BUT: homes(stream=20, chase=10),
        DOES_NOT_HOLD: homes(stream=10, chase=9),
    },
    "pointer-costs": {HOLDS: pointers(20, 30), HOLDS_BUT: pointers(20, 90), DOES_NOT_HOLD: pointers(10, 10)},
    "jumping-costs": {HOLDS: jumps(20, 30), HOLDS_BUT: jumps(10, 30), DOES_NOT_HOLD: jumps(10, 10)},
    "neighbours-help": {
        HOLDS: neighbours(50, 20), HOLDS_BUT: neighbours(50, 10), DOES_NOT_HOLD: neighbours(10, 8),
    },
    "heap-ages": {
        HOLDS: walks(glibc=20, mimalloc=30), HOLDS_BUT: walks(glibc=20, mimalloc=10),
        DOES_NOT_HOLD: walks(glibc=10, mimalloc=9),
    },
}  # fmt: skip
