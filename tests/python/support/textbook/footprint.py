"""Footprint on the textbook's machine: what was found stands in counters, a time is only the child's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from suite.results.model import BenchmarkName
from support.textbook import KIB, Family

BOOKS = {"none": 0.0, "glibc": 8.0, "mimalloc": 0.5, "jemalloc": 2.0}  # bytes for each block
GROWTH = {"glibc": 1.5, "mimalloc": 4.0}  # once sizes have drifted
AT_ONCE = {"small": 1.0, "mixed": 0.75, "large": 0.25}  # of what was freed, still held
LOOKS_MS = (0, 1, 10, 100, 300, 1000)


def overhead(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (8, 64, 100, KIB, 1100, 64 * KIB):
        yield from (f"overhead/{who}/bytes:{size}" for who in ("none", *libraries))


def resident_of_blocks(one: BenchmarkName) -> Mapping[str, float]:
    size = one.number("bytes") or 1
    return {"resident_bytes_per_byte": 1 + BOOKS.get(str(one.strategy), 4.0) / size}


def fragmentation(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for sizes in ("drifting", "mixed"):
        yield from (f"fragmentation/{who}/sizes:{sizes}" for who in libraries)


def peak(one: BenchmarkName) -> Mapping[str, float]:
    drifted = one.parameters["sizes"] == "drifting"
    return {"peak_resident_per_live_byte": GROWTH.get(str(one.strategy), 2.0) if drifted else 1.4}


def returned(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for sizes in AT_ONCE:
        yield from (f"returned/{who}/sizes:{sizes}" for who in libraries)


def still_held(one: BenchmarkName) -> Mapping[str, float]:
    """jemalloc gives half of it back after a tenth of a second."""
    share = AT_ONCE[one.parameters["sizes"]]
    late = 0.5 if one.strategy == "jemalloc" else 1.0
    return {f"resident_share_{look}ms": share * (late if look >= 100 else 1.0) for look in LOOKS_MS}


FAMILIES = {
    "overhead": Family(overhead, lambda one: 1.0, resident_of_blocks),
    "fragmentation": Family(fragmentation, lambda one: 1.0, peak),
    "returned": Family(returned, lambda one: 1.0, still_held),
}

FOUND = {
    "fragmentation": "Once sizes have drifted, a malloc holds 1.5 (glibc) to 4.0 (mimalloc) times the live bytes; "
    "with the same sizes mixed, 1.4",
    "overhead": "At its worst size, a malloc takes 1.1 (mimalloc) to 2.0 (glibc) bytes of memory "
    "for each requested byte; "
    "at 64 KiB, 1.0",
    "returned": "1 s after all is freed, mallocs still hold 50 to 100 % of small, 38 to 75 % of mixed "
    "and 12 to 25 % of large blocks",
}

EQUAL: dict[str, str] = {}
