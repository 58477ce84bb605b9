"""Access on the textbook's machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from suite.results.model import BenchmarkName
from support.textbook import KIB, MIB, Family

HOMES = ("stack", "static", "heap", "mmap_4k", "mmap_thp")
BY_TURNS = (16 * KIB, 64 * MIB)


def chase(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (4 * KIB << 2 * step for step in range(9)):
        yield from (f"chase/bytes:{size}/order:{order}/home:heap" for order in ("random", "sequential"))
    for size in (16 * KIB, 64 * KIB, MIB, 4 * MIB, 64 * MIB):
        yield from (f"chase/bytes:{size}/order:random/home:{home}" for home in HOMES if home != "heap")
    yield from (f"chase/bytes:{size}/order:random/home:heap/window:64p" for size in (64 * MIB, 256 * MIB))
    yield from (f"chase/bytes:{size}/order:random/homes:stack_and_heap" for size in BY_TURNS)


def price_of_chase(name: BenchmarkName) -> float:
    if name.parameters["order"] == "sequential":
        return 1.5
    if "window" in name.parameters:
        return 80.0
    steps = ((48 * KIB, 1.0), (2 * MIB, 4.0), (32 * MIB, 16.0))  # the caches that the machine reports
    return next((ns for held, ns in steps if (name.number("bytes") or 0) <= held), 100.0)


def huge_pages(name: BenchmarkName) -> Mapping[str, float]:
    """Huge pages are granted on request, if a whole page fits. By turns, the heap is as fast as the stack."""
    if "homes" in name.parameters:
        return {"stack_ns": 10.0, "heap_ns": 10.0, "huge_share": 0.0}
    asked = name.parameters.get("home") in ("mmap_thp", "thp")
    return {"huge_share": 1.0 if asked and (name.number("bytes") or 64 * MIB) > 2 * MIB else 0.0}


def stream(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (16 * KIB, MIB, 64 * MIB):
        yield from (f"stream/bytes:{size}/home:{home}" for home in HOMES)
    yield from (f"stream/bytes:{size}/homes:stack_and_heap" for size in BY_TURNS)


def parallel_chase(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (256 * KIB, 64 * MIB):
        yield from (f"parallel_chase/bytes:{size}/chains:{chains}" for chains in (1, 2, 4, 8, 16))


def price_of_parallel_chase(name: BenchmarkName) -> float:
    """Eight loads can run at once."""
    return (160.0 if name.number("bytes") == 64 * MIB else 4.0) / min(8, name.number("chains") or 0)


def indirection(libraries: Sequence[str], cores: int) -> Iterator[str]:
    yield "indirection/depth:0/layout:packed"
    yield from (
        f"indirection/depth:{depth}/layout:{layout}" for layout in ("packed", "scattered") for depth in (1, 2, 3)
    )


def price_of_indirection(name: BenchmarkName) -> float:
    return 0.2 + (name.number("depth") or 0) * (10.0 if name.parameters["layout"] == "scattered" else 2.0)


def tlb(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for pages in (16, 64, 256, 1024, 4096, 16384):
        yield from (f"tlb/pages:{pages}/layout:{layout}" for layout in ("pages", "lines"))


def price_of_tlb(name: BenchmarkName) -> float:
    return 1.0 + ((name.number("pages") or 0) / 1024 if name.parameters["layout"] == "pages" else 0.0)


def first_touch(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for home in ("stack", "malloc", "calloc", "mmap", "thp"):
        yield from (f"first_touch/home:{home}/touch:{touch}" for touch in ("first", "second"))


def price_of_first_touch(name: BenchmarkName) -> float:
    first = name.parameters["touch"] == "first"
    return (300.0 if first else 2.0) if name.parameters["home"] == "thp" else 1000.0 if first else 4.0


FAMILIES = {
    "chase": Family(chase, price_of_chase, huge_pages),
    "stream": Family(stream, lambda name: (name.number("bytes") or 0) / 32, huge_pages),
    "parallel_chase": Family(parallel_chase, price_of_parallel_chase),
    "indirection": Family(indirection, price_of_indirection),
    "tlb": Family(tlb, price_of_tlb),
    "first_touch": Family(first_touch, price_of_first_touch, huge_pages),
}

TITLES = {
    "chase": "A load at random from 256 MiB costs 100 ns, 67 times a load in order",
    "first_touch": "The first write to a page from malloc costs 1.0 µs, 250 times as much as the second",
    "indirection": "Through 3 scattered pointers, a value costs 30 ns, 4.9 times as much as through packed pointers",
    "parallel_chase": "16 chains at once through 64 MiB do 8.0 times the loads of one chain",
    "stream": "Reading memory on the heap shows no measurable difference from the stack, in order or at random",
    "tlb": "On 16,384 pages, with one line each, a load costs 17 ns, 17 times as much as on adjacent lines",
}

EQUAL_TITLES = {
    "chase": "a load in order shows no measurable difference",
    "first_touch": "the same, within the intervals, as the second",
    "indirection": "scattered values show no measurable difference from packed values",
    "parallel_chase": "show no measurable difference from one chain",
    "stream": "shows no measurable difference from",
    "tlb": "shows no measurable difference from adjacent lines",
}
