"""Locality on the textbook's machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from suite.results import benchmark_name
from textbook import family, usual_price

CONTAINERS = ("array", "vector", "deque", "unique_ptr_shuffled", "list", "list_shuffled", "set")


def traverse(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for count in (1000, 100000):
        for payload in (8, 64):
            yield from (f"traverse/{container}/count:{count}/payload:{payload}" for container in CONTAINERS)


def price_of_traverse(one: benchmark_name) -> float:
    return usual_price(one, {"100000": 3.0}) * (5.0 if one.strategy == "list_shuffled" else 1.0)


def list_walk(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for heap in ("empty", "aged"):
        yield from (f"list_walk/{who}/heap:{heap}" for who in libraries)


def neighbours(one: benchmark_name) -> Mapping[str, float]:
    return {"neighbours": 0.4 if one.parameters["heap"] == "aged" else 1.0}


FAMILIES = {
    "traverse": family(traverse, price_of_traverse),
    "list_walk": family(list_walk, lambda one: usual_price(one, {"aged": 4.0}), neighbours),
}

FOUND = {
    "list_walk": "Walking a list on an aged heap costs 4.0 times what it costs on a fresh one",
    "traverse": "Among 100,000, an element of 8 B costs 240 ns in a shuffled list, 5.0 times as much as in a vector",
}

EQUAL = {"list_walk": "cannot be told from", "traverse": "the same, within the intervals"}
