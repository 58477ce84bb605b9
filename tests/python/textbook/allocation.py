"""Allocation on the textbook's machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from suite.results import benchmark_name
from textbook import KIB, MIB, family, usual_price

LENDERS = ("none", "stack_array", "arena", "mmap")


def scoped(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for touch in ("none", "first", "all"):
        for size in (8, 64, 4 * KIB, 256 * KIB, MIB):
            yield from (f"scoped/{who}/bytes:{size}/touch:{touch}" for who in (*LENDERS, *libraries))


def price_of_scoped(one: benchmark_name) -> float:
    return usual_price(one) + ((one.number("bytes") or 0) / 32 if one.parameters["touch"] == "all" else 0.0)


def large(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (64 * KIB, MIB, 16 * MIB, 64 * MIB):
        yield from (f"large/{who}/bytes:{size}/touch:all" for who in (*LENDERS, *libraries))


def price_of_large(one: benchmark_name) -> float:
    return (one.number("bytes") or 0) / 32 * (3.0 if takes_fresh_pages(one) else 1.0)


def takes_fresh_pages(one: benchmark_name) -> bool:
    return (one.number("bytes") or 0) > 16 * MIB and one.strategy not in ("none", "arena", "stack_array")


def faults_of_large(one: benchmark_name) -> Mapping[str, float]:
    return {"page_faults": (one.number("bytes") or 0) / 4096 if takes_fresh_pages(one) else 0.0}


def batch(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (64, 1024):
        for order in ("lifo", "fifo", "random", "butterfly"):
            yield from (f"batch/{who}/count:1000/bytes:{size}/order:{order}" for who in ("none", *libraries))
        yield f"batch/arena/count:1000/bytes:{size}/order:reset"


def churn(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for live in (1000, 100000):
        for sizes in ("uniform", "power_law"):
            yield from (f"churn/{who}/live:{live}/sizes:{sizes}" for who in ("none", *libraries))


def heap_state(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (64, 2048):
        for state in ("empty", "resident", "aged"):
            for threads in ("never", "ever"):
                names = (f"{who}/bytes:{size}/state:{state}/threads:{threads}" for who in (*LENDERS, *libraries))
                yield from (f"heap_state/{name}" for name in names)


FAMILIES = {
    "scoped": family(scoped, price_of_scoped),
    "large": family(large, price_of_large, faults_of_large),
    "batch": family(batch, lambda one: usual_price(one, {"random": 1.5})),
    "churn": family(churn, lambda one: usual_price(one, {"100000": 3.0})),
    "heap_state": family(heap_state, lambda one: usual_price(one, {"never": 0.5})),
}

FOUND = {
    "batch": "By malloc, giving blocks back at random costs 1.5 times giving back last in, first out",
    "churn": "With malloc, replacing a block costs 8.0 to 40 ns among 1,000 and 24 to 120 ns among 100,000",
    "cost_64b": "64 bytes cost 1.0 ns on the stack and 8.0 to 40 ns from malloc, 8.0 to 40 times as much",
    "heap_state": "With malloc, 2 KiB cost 2.0 times as much once a thread has existed; "
    "no effect of an empty heap is seen beyond the intervals",
    "large": "64 MiB cost 6.3 ms where their pages are fresh, 2.1 ms where they are kept",
    "scoped": "Written in full, a malloc costs 6.6 to 32 times the stack at 8 B and costs 1.0 times the stack at 1 MiB",
}

EQUAL = {
    "batch": "cannot be told from",
    "cost_64b": "5 of 5 mallocs cannot be told from",
    "heap_state": "no effect",
    "scoped": "cannot be told from",
}
