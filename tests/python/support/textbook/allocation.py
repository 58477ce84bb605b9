"""Allocation on the textbook's machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from suite.results.model import BenchmarkName
from support.textbook import KIB, MIB, Family, usual_price

LENDERS = ("none", "stack_array", "arena", "mmap")


def scoped(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for touch in ("none", "first", "all"):
        for size in (8, 64, 4 * KIB, 256 * KIB, MIB):
            yield from (f"scoped/{strategy}/bytes:{size}/touch:{touch}" for strategy in (*LENDERS, *libraries))


def price_of_scoped(name: BenchmarkName) -> float:
    return usual_price(name) + ((name.number("bytes") or 0) / 32 if name.parameters["touch"] == "all" else 0.0)


def large(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (64 * KIB, MIB, 16 * MIB, 64 * MIB):
        yield from (f"large/{strategy}/bytes:{size}/touch:all" for strategy in (*LENDERS, *libraries))


def price_of_large(name: BenchmarkName) -> float:
    return (name.number("bytes") or 0) / 32 * (3.0 if takes_fresh_pages(name) else 1.0)


def takes_fresh_pages(name: BenchmarkName) -> bool:
    return (name.number("bytes") or 0) > 16 * MIB and name.strategy not in ("none", "arena", "stack_array")


def faults_of_large(name: BenchmarkName) -> Mapping[str, float]:
    return {"page_faults": (name.number("bytes") or 0) / 4096 if takes_fresh_pages(name) else 0.0}


def batch(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (64, 1024):
        for order in ("lifo", "fifo", "random", "butterfly"):
            yield from (f"batch/{strategy}/count:1000/bytes:{size}/order:{order}" for strategy in ("none", *libraries))
        yield f"batch/arena/count:1000/bytes:{size}/order:reset"


def churn(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for live in (1000, 100000):
        for sizes in ("uniform", "power_law"):
            yield from (f"churn/{strategy}/live:{live}/sizes:{sizes}" for strategy in ("none", *libraries))


def heap_state(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (64, 2048):
        for state in ("empty", "resident", "aged"):
            for threads in ("never", "ever"):
                names = (
                    f"{strategy}/bytes:{size}/state:{state}/threads:{threads}" for strategy in (*LENDERS, *libraries)
                )
                yield from (f"heap_state/{name}" for name in names)


def many(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for count in (1, 8, 64):
        yield from (f"many/{strategy}/count:{count}/taken:together" for strategy in ("none", "stack_array"))
        yield from (f"many/{strategy}/count:{count}/taken:apart" for strategy in ("none", "arena", *libraries))


def price_of_many(name: BenchmarkName) -> float:
    return usual_price(name) * ((name.number("count") or 0) if name.parameters["taken"] == "apart" else 1)


def grow(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (KIB, 64 * KIB, 4 * MIB):
        yield f"grow/none/bytes:{size}/way:reserved"
        yield f"grow/vector/bytes:{size}/way:push_back"
        yield from (f"grow/{strategy}/bytes:{size}/way:{way}" for strategy in libraries for way in ("copy", "realloc"))


def price_of_grow(name: BenchmarkName) -> float:
    by_realloc = {"glibc": 0.5, "tbbmalloc": 2.0}.get(str(name.strategy), 1.0)
    return usual_price(name, {"realloc": by_realloc}) * (name.number("bytes") or 0) / 64


def zeroed(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for size in (4 * KIB, 256 * KIB, 32 * MIB):
        yield f"zeroed/none/bytes:{size}/way:memset/touch:first"
        for way in ("way:calloc/touch:first", "way:calloc/touch:all", "way:memset/touch:first"):
            yield from (f"zeroed/{strategy}/bytes:{size}/{way}" for strategy in libraries)


def price_of_zeroed(name: BenchmarkName) -> float:
    size = name.number("bytes") or 0
    if name.parameters["touch"] == "all":
        return size / 16
    return 4000 if name.strategy == "glibc" and name.parameters["way"] == "calloc" and size > MIB else size / 32


def aligned(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for alignment in (16, 64, 4096):
        for size in (64, 1024):
            yield from (f"aligned/{strategy}/bytes:{size}/alignment:{alignment}" for strategy in ("none", *libraries))


def price_of_aligned(name: BenchmarkName) -> float:
    return usual_price(name, {"4096": {"glibc": 5.0, "mimalloc": 1.0}.get(str(name.strategy), 1.5)})


def latency(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for blocks in ("bytes:64", "mix:power_law"):
        for op in ("malloc", "free"):
            yield from (f"latency/{strategy}/{blocks}/op:{op}" for strategy in ("none", *libraries))


def percentiles(name: BenchmarkName) -> Mapping[str, float]:
    usual = 20.0 if name.strategy == "none" else 20.0 + usual_price(name)
    rare = 1.5 if name.strategy == "none" else 10.0
    return {"typical": usual, "p50": usual, "p90": usual, "p99": usual, "p99_9": usual, "p99_99": usual * rare, "max": 10_000.0}


FAMILIES = {
    "scoped": Family(scoped, price_of_scoped),
    "large": Family(large, price_of_large, faults_of_large),
    "batch": Family(batch, lambda name: usual_price(name, {"random": 1.5})),
    "churn": Family(churn, lambda name: usual_price(name, {"100000": 3.0})),
    "heap_state": Family(heap_state, lambda name: usual_price(name, {"never": 0.5})),
    "many": Family(many, price_of_many),
    "grow": Family(grow, price_of_grow),
    "zeroed": Family(zeroed, price_of_zeroed),
    "aligned": Family(aligned, price_of_aligned),
    "latency": Family(latency, usual_price, percentiles),
}

TITLES = {
    "aligned": "A 64 B block of glibc aligned to 4 KiB costs 5.0 times one aligned to 16 B",
    "batch": "Freeing 1 KiB blocks of glibc at random costs 1.5 times last in, first out",
    "churn": "Replacing one of 100,000 live blocks costs 60 ns with glibc, 2.5 times as much as with mimalloc",
    "cost_64b": "64 bytes from glibc cost 19 ns more than 64 bytes on the stack",
    "grow": "Growing a block of glibc to 4 MiB by realloc costs 0.50 times growing it by copying",
    "heap_state": "Once a thread has existed, 2 KiB from glibc cost 2.0 times as much as before",
    "large": "64 MiB from glibc cost 6.3 ms, on fresh pages each time; writing them alone, 2.1 ms",
    "latency": "glibc's typical malloc takes 20 ns beyond the timer; one in 10,000 takes 370 ns",
    "many": "64 blocks in a frame cost the same, within the intervals, as one; from glibc, 64 times as much",
    "scoped": "1 MiB from glibc cost 20 ns untouched, 33 µs written in full",
    "stack_price": "From 256 KiB on, a written block costs under 10 % more from any malloc than on the stack",
    "zeroed": "glibc's calloc of 32 MiB leaves the zeros to the system: 4.0 µs, malloc and memset 1.0 ms",
}

EQUAL_TITLES = {
    "aligned": "shows no measurable difference from one aligned to 16 B",
    "batch": "shows no measurable difference from",
    "cost_64b": "64 bytes from glibc show no measurable difference from 64 bytes on the stack",
    "grow": "by realloc shows no measurable difference from growing it by copying",
    "heap_state": "no measurable effect",
    "many": "64 blocks show no measurable difference from one, in a frame or from glibc",
    "scoped": "cost the same, untouched or written in full, within the intervals",
    "stack_price": "At any size, a written block shows no measurable difference from the stack",
    "zeroed": "shows no measurable difference from malloc and memset",
    "churn": "no malloc is measurably faster",
}
