"""Access on the textbook's machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from suite.results import benchmark_name
from textbook import KIB, MIB, family

HOMES = ("stack", "static", "heap", "mmap_4k", "mmap_thp")


def chase(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (4 * KIB << 2 * step for step in range(9)):
        yield from (f"chase/bytes:{size}/order:{order}/home:heap" for order in ("random", "sequential"))
    for size in (16 * KIB, MIB, 64 * MIB):
        yield from (f"chase/bytes:{size}/order:random/home:{home}" for home in HOMES if home != "heap")


def price_of_chase(one: benchmark_name) -> float:
    return 1.0 + ((one.number("bytes") or 0) / (64 * KIB) if one.parameters["order"] == "random" else 0.5)


def stream(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (16 * KIB, MIB, 64 * MIB):
        yield from (f"stream/bytes:{size}/home:{home}" for home in HOMES)


FAMILIES = {
    "chase": family(chase, price_of_chase),
    "stream": family(stream, lambda one: (one.number("bytes") or 0) / 32),
}

FOUND = {
    "chase": "A load at random costs 1.1 ns in 4 KiB and 4.1 µs in 256 MiB, 2,700 times one in order",
    "stream": "Reading 16 KiB, 1 MiB and 64 MiB on the heap cannot be told from reading them on the stack",
}

EQUAL = {"chase": "cannot be told from", "stream": "cannot be told from"}
