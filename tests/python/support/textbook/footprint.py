"""Footprint on the textbook's machine: counters hold the results, and a time is only the time of the child."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from suite.results.model import BenchmarkName
from support.textbook import KIB, Family

METADATA = {"none": 0.0, "glibc": 8.0, "mimalloc": 0.5, "jemalloc": 2.0}  # bytes for each block
GROWTH = {"glibc": 1.5, "mimalloc": 4.0}  # once sizes have drifted
AT_ONCE = {"small": 1.0, "mixed": 0.75, "large": 0.25}  # of what was freed, still held
LOOKS_MS = (0, 1, 10, 100, 300, 1000)


def overhead(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (8, 64, 100, KIB, 1100, 64 * KIB):
        yield from (f"overhead/{strategy}/bytes:{size}" for strategy in ("none", *libraries))


def resident_of_blocks(name: BenchmarkName) -> Mapping[str, float]:
    size = name.number("bytes") or 1
    return {"resident_bytes_per_byte": 1 + METADATA.get(str(name.strategy), 4.0) / size}


def fragmentation(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for sizes in ("drifting", "mixed"):
        yield from (f"fragmentation/{strategy}/sizes:{sizes}" for strategy in libraries)


def peak(name: BenchmarkName) -> Mapping[str, float]:
    drifted = name.parameters["sizes"] == "drifting"
    return {"peak_resident_per_live_byte": GROWTH.get(str(name.strategy), 2.0) if drifted else 1.4}


def returned(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for sizes in AT_ONCE:
        yield from (f"returned/{strategy}/sizes:{sizes}" for strategy in libraries)


def still_held(name: BenchmarkName) -> Mapping[str, float]:
    """jemalloc gives half of the memory back after a tenth of a second."""
    share = AT_ONCE[name.parameters["sizes"]]
    late = 0.5 if name.strategy == "jemalloc" else 1.0
    return {f"resident_share_{look}ms": share * (late if look >= 100 else 1.0) for look in LOOKS_MS}


FAMILIES = {
    "overhead": Family(overhead, lambda name: 1.0, resident_of_blocks),
    "fragmentation": Family(fragmentation, lambda name: 1.0, peak),
    "returned": Family(returned, lambda name: 1.0, still_held),
}

TITLES = {
    "fragmentation": "glibc holds 1.5 times the live bytes once sizes have drifted, 1.4 times while they stay the same",
    "overhead": "glibc takes up to 2.0 bytes of memory for each requested byte, in blocks of 8 B",
    "returned": "1 s after all is freed, glibc still holds 100 % of small, 75 % of mixed, 25 % of large blocks",
}

EQUAL_TITLES: dict[str, str] = {}
