"""Numbers for which the claims about allocation hold, hold with a condition, and do not hold.

The mallocs are glibc and mimalloc; one cycle is 0.25 ns.
"""

from __future__ import annotations

from collections.abc import Mapping

from suite.claims import DOES_NOT_HOLD, HOLDS, HOLDS_BUT
from support.claim_cases.figures import Figure, Figures


def scoped(touch: str, **prices: Mapping[int, float]) -> dict[str, float]:
    return {f"scoped/{who}/bytes:{size}/touch:{touch}": ns for who, by in prices.items() for size, ns in by.items()}


def flat(stack: float, heap: float, touched: float) -> dict[str, float]:
    """Prices at 1 MiB; 8 bytes cost 10 ns."""
    large = 1 << 20
    none = scoped("none", stack_array={8: 10, large: stack}, glibc={8: 10, large: heap})
    return {**none, **scoped("all", stack_array={8: 10, large: touched})}


def state(stack: float, **aged: float) -> dict[str, float]:
    """Prices on an aged heap; on an empty heap they are 10 ns."""
    aged = {"stack_array": stack, **aged}
    name = "heap_state/{}/bytes:64/state:{}/threads:ever"
    return {name.format(who, "aged"): ns for who, ns in aged.items()} | {name.format(who, "empty"): 10 for who in aged}


def many(together: float) -> dict[str, float]:
    stack = {f"many/stack_array/count:{count}/taken:together": ns for count, ns in ((1, 10), (64, together))}
    return stack | {f"many/glibc/count:{count}/taken:apart": 10.0 * count for count in (1, 64)}


def large(first: float, whole: float) -> dict[str, float]:
    name = "large/glibc/bytes:{}/touch:{}"
    prices = {(1024, "first"): 10.0, (4096, "first"): first, (1024, "all"): 10.0, (4096, "all"): whole}
    return {name.format(*at): ns for at, ns in prices.items()}


def system(**mallocs: tuple[float, float]) -> dict[str, Figure]:
    """Price and page faults of each malloc; a mapping costs 1 µs and one fault."""
    mallocs_and_system = {"mmap": (1000.0, 1.0), **mallocs}
    return {f"scoped/{who}/bytes:64/touch:first": (ns, {"page_faults": faults}) for who, (ns, faults) in mallocs_and_system.items()}


def framed(plain: float, clash: float, spilled: float) -> dict[str, float]:
    """Prices of frames, and of a value's way through the stack; without them the same costs 10 ns."""
    names = {"none/leaf:no": 10.0, "bytes:64/leaf:no/protection:plain": plain, "bytes:65536/leaf:no/protection:plain": plain}
    names["bytes:65536/leaf:no/protection:stack_clash"] = clash
    frames = {f"frame/{name}": ns for name, ns in names.items()}
    return frames | {"spill/reload:register": 10.0, "spill/reload:same": spilled}


CASES: dict[str, dict[str, Figures]] = {
    "stack-is-faster": {
        HOLDS: scoped("first", stack_array={64: 2}, glibc={64: 20}, mimalloc={64: 10}),
        HOLDS_BUT: scoped("first", stack_array={64: 2}, glibc={64: 20}, mimalloc={64: 2}),
        DOES_NOT_HOLD: scoped("first", stack_array={64: 9}, glibc={64: 9}, mimalloc={64: 5}),
    },
    "stack-is-flat": {HOLDS: flat(10, 90, 10), HOLDS_BUT: flat(10, 90, 90), DOES_NOT_HOLD: flat(50, 90, 50)},
    "no-search": {
        HOLDS: state(10, glibc=20), HOLDS_BUT: state(10, glibc=10, mimalloc=9), DOES_NOT_HOLD: state(20, glibc=20),
    },
    "all-at-once": {HOLDS: many(10), HOLDS_BUT: many(30), DOES_NOT_HOLD: many(640)},
    "large-takes-time": {HOLDS: large(20, 90), HOLDS_BUT: large(10, 90), DOES_NOT_HOLD: large(10, 10)},
    "touch-dominates": {
        HOLDS: scoped("all", stack_array={8: 2, 64: 10}, glibc={8: 20, 64: 10}, mimalloc={8: 20, 64: 10}),
        HOLDS_BUT: scoped("all", stack_array={8: 2, 64: 10}, glibc={8: 20, 64: 10}, mimalloc={8: 20, 64: 40}),
        DOES_NOT_HOLD: scoped("all", stack_array={8: 2, 64: 10}, glibc={8: 20, 64: 20}, mimalloc={8: 20, 64: 40}),
    },
    "unknown-size-needs-heap": {
        HOLDS: scoped("first", alloca={8: 20, 64: 20}, glibc={8: 10, 64: 10}),
        HOLDS_BUT: scoped("first", alloca={8: 2, 64: 20}, glibc={8: 10, 64: 10}),
        DOES_NOT_HOLD: scoped("first", alloca={8: 2, 64: 2}, glibc={8: 10, 64: 10}),
    },
    "frames-are-free": {
        HOLDS: framed(10, 10.4, 10.3), HOLDS_BUT: framed(10, 90, 10), DOES_NOT_HOLD: framed(20, 90, 20),
    },
    "os-finds-room": {
        HOLDS: system(glibc=(20, 1), mimalloc=(1000, 0)), HOLDS_BUT: system(glibc=(20, 1), mimalloc=(8, 0)),
        DOES_NOT_HOLD: system(glibc=(20, 0), mimalloc=(8, 0)),
    },
}  # fmt: skip
