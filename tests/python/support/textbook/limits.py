"""Limits on the textbook's machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from suite.results.model import BenchmarkName
from support.textbook import KIB, MIB, Family

GIB, TIB = 1 << 30, 1 << 40


def recursion(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for shape, depths in (("chain", (100, 10000)), ("balanced", (14,))):
        for depth in depths:
            for frame in (64, 1024):
                ways = ("loop", "calls", "heap_kept", "heap_fresh")
                yield from (f"recursion/shape:{shape}/depth:{depth}/frame:{frame}/by:{way}" for way in ways)


def price_of_recursion(name: BenchmarkName) -> float:
    frame = {"64": 1.0, "1024": 10.0}[name.parameters["frame"]]
    growing = {"64": 18.0, "1024": 3.0}[name.parameters["frame"]]
    return frame * {"loop": 0.5, "heap_fresh": 2.0 * growing}.get(name.parameters["by"], 2.0)


def stack_limit(libraries: Sequence[str], cores: int) -> Iterator[str]:
    yield from (f"stack_limit/stack:{stack}/frame:{frame}" for stack in ("main", "thread") for frame in (64, 1024))


def heap_limit(libraries: Sequence[str], cores: int) -> Iterator[str]:
    yield from (f"heap_limit/{strategy}/limit:granted" for strategy in libraries)
    yield "heap_limit/glibc/limit:touched"


def heap_ends(name: BenchmarkName) -> Mapping[str, float]:
    if name.parameters["limit"] == "touched":
        return {"touched_bytes": 256.0 * MIB, "at_least": 1.0}
    granted = 80.0 * TIB if name.strategy == "mimalloc" else 24.0 * GIB
    metadata = 24.0 * MIB if name.strategy == "tcmalloc" else 72.0 * KIB
    return {"granted_bytes": granted, "books_bytes": metadata, "at_least": 0.0}


def price_of_page(name: BenchmarkName) -> float:
    again = 4.0 if name.number("bytes") == 8 * MIB else 2.0
    return 1000.0 if name.parameters["touch"] == "first" else again


def stack_growth(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (64 * KIB, MIB, 8 * MIB):
        yield from (f"stack_growth/bytes:{size}/touch:{touch}" for touch in ("first", "second"))


FAMILIES = {
    "recursion": Family(recursion, price_of_recursion),
    "stack_limit": Family(stack_limit, counters=lambda name: {"usable_bytes": 8.0 * MIB, "at_least": 0.0}),
    "heap_limit": Family(heap_limit, counters=heap_ends),
    "stack_growth": Family(stack_growth, price_of_page),
}

TITLES = {
    "heap_limit": "glibc grants 24 GiB in one block, for which it uses 72 KiB itself",
    "limits": "A stack ends after 8 MiB; glibc grants 24 GiB in one block",
    "recursion": "With 64 B of locals, a fresh heap stack costs 18 times recursion; a kept stack, no measurable "
    "difference",
    "stack_growth": "Growing the stack to a new page costs 1.0 µs, 250 times as much as going there again",
}

EQUAL_TITLES = {
    "recursion": "shows no measurable difference from",
    "stack_growth": "shows no measurable difference from",
}
