"""Contention on the textbook's machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from suite.results import benchmark_name
from textbook import family, threads_of, usual_price


def private(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for number in threads_of(cores):
        yield from (f"private/{who}/threads:{number}" for who in ("stack_array", "arena", *libraries))


def handoff(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for pairs in sorted({1, max(1, cores // 2)}):
        yield from (f"handoff/{who}/pairs:{pairs}" for who in ("none", *libraries))


def false_sharing(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for number in threads_of(cores):
        for mode in ("passive", "active", "padded") if number > 1 else ("padded",):
            for write in ("plain", "atomic"):
                names = (f"{who}/mode:{mode}/write:{write}/threads:{number}" for who in libraries)
                yield from (f"false_sharing/{name}" for name in names)


def sharing(one: benchmark_name) -> Mapping[str, float]:
    return {"sharing_threads": 1.0 if one.parameters["mode"] == "passive" else 0.0}


FAMILIES = {
    "private": family(private),
    "handoff": family(handoff),
    "false_sharing": family(
        false_sharing, lambda one: usual_price(one, {"active": 1.1, "passive": 6.0, "atomic": 9.0}), sharing
    ),
}

FOUND = {
    "false_sharing": "Taken by one thread, blocks share a line with 5 of 5 mallocs; "
    "there an atomic write costs 6.0 times one that stands apart",
    "handoff": "Handing a block to another thread costs 8.0 to 40 ns with malloc, 0.50 ns by the queue alone",
    "private": "With malloc, 2 threads do 1.6 times the work of one; 2 would be ideal",
}

EQUAL = {"false_sharing": "cannot be told from"}
