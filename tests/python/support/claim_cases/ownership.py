"""Numbers for which the claims about ownership hold, hold with a condition, and do not hold.

The mallocs are glibc and mimalloc; one cycle is 0.25 ns.
"""

from __future__ import annotations

from collections.abc import Mapping

from suite.claims import DOES_NOT_HOLD, HOLDS, HOLDS_BUT
from support.claim_cases.figures import Figure, Figures


def drops(arena: float, **apart: float) -> dict[str, Mapping[str, float]]:
    drop_ns = {f"cleanup/{who}/count:100/drop:each": {"drop_ns": ns} for who, ns in apart.items()}
    return drop_ns | {"cleanup/arena/count:100/drop:at_once": {"drop_ns": arena}}


def passed(an_int: float, string: float, vector: float) -> dict[str, float]:
    """Prices of a copy; a move costs 10 ns."""
    copies = {"int": an_int, "long_string": string, "vector_1000": vector}
    moved = {f"pass/type:{kind}/how:move": 10.0 for kind in copies}
    return moved | {f"pass/type:{kind}/how:copy": ns for kind, ns in copies.items()}


def lent(**prices: float) -> dict[str, float]:
    """Prices of lending; the call alone costs 10 ns."""
    alone = {f"pass/type:{kind}/how:none": 10.0 for kind in prices}
    return alone | {f"pass/type:{kind}/how:borrow": ns for kind, ns in prices.items()}


def pointed(make: float, use: float, shared: float) -> dict[str, float]:
    kinds = {"make/kind:unique_ptr": make, "use/kind:unique_ptr": use, "make/kind:make_shared": shared}
    plain = {f"smart_pointer/op:{op}/kind:raw": 10.0 for op in ("make", "use")}
    return plain | {f"smart_pointer/op:{name}": ns for name, ns in kinds.items()}


def strings(**on_heap: float) -> dict[str, Mapping[str, float]]:
    return {f"string_cliff/string/length:{length[1:]}": {"on_heap": share} for length, share in on_heap.items()}


def arguments(**on_stack: float) -> Figures:
    """By size: whether a struct is passed on the stack, for 12 ns; in registers it costs 10 ns, as the call alone does."""
    figures: dict[str, Figure] = {}
    for size, share in on_stack.items():
        figures[f"argument/bytes:{size[1:]}/how:value"] = (10.0 + 2.0 * share, {"on_stack": share})
        figures[f"argument/bytes:{size[1:]}/how:none"] = (10.0, {})
    return figures


CASES: dict[str, dict[str, Figures]] = {
    "drop-at-once": {
        HOLDS: drops(1, glibc=9, mimalloc=5), HOLDS_BUT: drops(5, glibc=9, mimalloc=5),
        DOES_NOT_HOLD: drops(9, glibc=9, mimalloc=5),
    },
    "simple-copies-cheap": {HOLDS: passed(10, 50, 90), HOLDS_BUT: passed(10, 10, 90), DOES_NOT_HOLD: passed(50, 50, 90)},
    "borrow-is-free": {
        HOLDS: lent(int=10, vector=10.4), HOLDS_BUT: lent(int=10, vector=20), DOES_NOT_HOLD: lent(int=20, vector=20),
    },
    "arguments-on-stack": {
        HOLDS: arguments(_8=1, _64=1), HOLDS_BUT: arguments(_8=0, _64=1), DOES_NOT_HOLD: arguments(_8=0, _64=0),
    },
    "automatic-is-free": {HOLDS: pointed(10, 10, 10), HOLDS_BUT: pointed(10, 10, 20), DOES_NOT_HOLD: pointed(20, 20, 20)},
    "strings-on-heap": {
        HOLDS: strings(_1=1, _8=1), HOLDS_BUT: strings(_1=0, _8=0, _16=1), DOES_NOT_HOLD: strings(_1=0, _64=0),
    },
}  # fmt: skip
