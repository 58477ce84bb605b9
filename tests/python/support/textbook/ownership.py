"""Ownership on the textbook's machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from suite.results.model import BenchmarkName
from support.textbook import Family, usual_price

CONTENT = {"int": 0.0, "short_string": 2.0, "long_string": 8.0, "vector_1000": 46.0}  # ns to copy


def passed(libraries: Sequence[str], cores: int) -> Iterator[str]:
    yield from (f"pass/type:{kind}/how:{way}" for kind in CONTENT for way in ("none", "borrow", "copy", "move"))


def price_of_passing(name: BenchmarkName) -> float:
    """Moving a short string copies its characters."""
    kind, way = name.parameters["type"], name.parameters["how"]
    kept = {"copy": CONTENT[kind], "move": min(CONTENT[kind], 2.0)}
    return 1.0 if way == "none" else 2.0 + kept.get(way, 0.0)


HOLDERS = {"value": 0.5, "raw": 20.0, "unique_ptr": 20.0, "make_shared": 24.0, "shared_ptr": 40.0}  # ns to make, drop


def smart_pointer(libraries: Sequence[str], cores: int) -> Iterator[str]:
    yield from (f"smart_pointer/op:{operation}/kind:{kind}" for operation in ("make", "use") for kind in HOLDERS)


def argument(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (8, 16, 64, 256, 1024, 4096):
        yield from (f"argument/bytes:{size}/how:{way}" for way in ("none", "value", "reference", "unique_ptr"))


def price_of_argument(name: BenchmarkName) -> float:
    """Up to 16 bytes go by register."""
    size = name.number("bytes") or 0
    return {"value": 2.0 if size <= 16 else size / 16, "unique_ptr": 3.0}.get(name.parameters["how"], 2.0)


def cleanup(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for count in (100, 10000):
        yield from (f"cleanup/{strategy}/count:{count}/drop:each" for strategy in ("none", "pool", *libraries))
        yield from (f"cleanup/{strategy}/count:{count}/drop:at_once" for strategy in ("none", "arena", "pmr_monotonic"))


def dropping(name: BenchmarkName) -> Mapping[str, float]:
    """Dropping all objects at once takes 50 ns, of which the clock takes 20."""
    at_once = {"none": 20.0}.get(str(name.strategy), 50.0) / (name.number("count") or 1)
    return {"drop_ns": at_once if name.parameters["drop"] == "at_once" else usual_price(name) / 2}


def string_cliff(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for length in (1, 4, 8, 12, 14, 15, 16, 17, 20, 22, 23, 24, 32, 48, 64):
        yield from (f"string_cliff/{strategy}/length:{length}" for strategy in ("none", "string"))


def is_long(name: BenchmarkName) -> bool:
    return name.strategy == "string" and (name.number("length") or 0) > 15


FAMILIES = {
    "pass": Family(passed, price_of_passing),
    "smart_pointer": Family(
        smart_pointer, lambda name: HOLDERS[name.parameters["kind"]] if name.parameters["op"] == "make" else 2.0
    ),
    "argument": Family(argument, price_of_argument),
    "cleanup": Family(cleanup, counters=dropping),
    "string_cliff": Family(
        string_cliff,
        lambda name: 12.0 if is_long(name) else 1.5,
        lambda name: {"on_heap": float(is_long(name))} if name.strategy == "string" else {},
    ),
}

TITLES = {
    "argument": "From 64 B on, a struct costs more by value than by reference: 250 ns more at 4 KiB",
    "cleanup": "Dropping 10,000 objects takes glibc 100 µs, and an arena 30 ns beyond the control",
    "pass": "Copying a vector of 1,000 ints costs 12 times moving it",
    "smart_pointer": "To make and drop, a unique_ptr shows no measurable difference from a plain pointer",
    "string_cliff": "From 16 characters on, a string leaves the stack for the heap and costs 10 ns more than before",
}

EQUAL_TITLES = {
    "argument": "shows no measurable difference from",
    "pass": "shows no measurable difference from",
    "smart_pointer": "unique_ptr and make_shared show no measurable difference from",
    "string_cliff": "with no measurable difference",
}
