"""Locality on the textbook's machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from suite.results.model import BenchmarkName
from support.textbook import Family, usual_price

LAYOUTS = {"struct_of_arrays": 0.0, "array_of_structs": 2.0, "array_of_pointers": 3.0}  # ns more for a field alone
PLACES = {"inline": 0.5, "heap": 2.0, "heap_shuffled": 4.0}  # ns
CONTAINERS = ("array", "vector", "deque", "unique_ptr_shuffled", "list", "list_shuffled", "set")


def traverse(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for count in (1000, 100000):
        for payload in (8, 64):
            yield from (f"traverse/{container}/count:{count}/payload:{payload}" for container in CONTAINERS)


def price_of_traverse(name: BenchmarkName) -> float:
    return usual_price(name, {"100000": 3.0}) * (5.0 if name.strategy == "list_shuffled" else 1.0)


def list_walk(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for heap in ("empty", "aged"):
        yield from (f"list_walk/{strategy}/heap:{heap}" for strategy in libraries)


def neighbours(name: BenchmarkName) -> Mapping[str, float]:
    return {"neighbours": 0.4 if name.parameters["heap"] == "aged" else 1.0}


def matrix(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for n in (100, 1000, 1024):
        for block in ("one_block", "block_a_row"):
            yield from (f"matrix/{block}/n:{n}/by:{walk}" for walk in ("row", "column"))


def price_of_matrix(name: BenchmarkName) -> float:
    conflicts = 10.0 if name.strategy == "one_block" and name.number("n") == 1024 else 1.0
    return 0.5 * conflicts if name.parameters["by"] == "column" else 0.25


def layout(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for count in (1000, 100000):
        for fields in ("one", "all"):
            yield from (f"layout/{layout}/count:{count}/fields:{fields}" for layout in LAYOUTS)


def price_of_layout(name: BenchmarkName) -> float:
    return LAYOUTS[str(name.strategy)] * (0.125 if name.parameters["fields"] == "all" else 1.0) + 0.125


def strings(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for count in (1000, 100000):
        yield from (f"strings/{place}/count:{count}" for place in PLACES)


FAMILIES = {
    "traverse": Family(traverse, price_of_traverse),
    "list_walk": Family(list_walk, lambda name: usual_price(name, {"aged": 4.0}), neighbours),
    "matrix": Family(matrix, price_of_matrix),
    "layout": Family(layout, price_of_layout),
    "strings": Family(strings, lambda name: PLACES[str(name.strategy)]),
}

TITLES = {
    "layout": "In an array of structs, one field costs 17 times as much as in a struct of arrays",
    "list_walk": "Walking a list from glibc on an aged heap costs 4.0 times what it costs on a fresh heap",
    "matrix": "By column, 1,000 × 1,000 elements cost 2.0 times as much as by row, in one block",
    "strings": "Among 100,000 strings, reading one with its text on the heap costs 4.0 times one with its text inside",
    "traverse": "Among 100,000, an element costs 240 ns in a shuffled list, 5.0 times as much as in a vector",
}

EQUAL_TITLES = {
    "layout": "one field costs the same, within the intervals",
    "list_walk": "shows no measurable difference from",
    "matrix": "shows no measurable difference from walking it by row",
    "strings": "shows no measurable difference",
    "traverse": "the same, within the intervals",
}
