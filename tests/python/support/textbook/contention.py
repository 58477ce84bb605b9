"""Contention on the textbook's machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from suite.results.model import BenchmarkName
from support.textbook import KIB, MIB, OF_64_BYTES, Family, threads_of, usual_price


def private(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for number in threads_of(cores):
        yield from (f"private/{strategy}/threads:{number}" for strategy in ("none", "stack_array", "arena", *libraries))


def handoff(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for pairs in sorted({1, max(1, cores // 2)}):
        yield from (f"handoff/{strategy}/pairs:{pairs}" for strategy in ("none", *libraries))


def false_sharing(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for number in threads_of(cores):
        for mode in ("passive", "active", "kept", "padded") if number > 1 else ("padded",):
            for write in ("plain", "atomic"):
                names = (f"{strategy}/mode:{mode}/write:{write}/threads:{number}" for strategy in libraries)
                yield from (f"false_sharing/{name}" for name in names)


def sharing(name: BenchmarkName) -> Mapping[str, float]:
    return {"sharing_threads": 1.0 if name.parameters["mode"] == "passive" else 0.0}


def larson(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for number in threads_of(cores):
        for life in (16_384, 500_000):
            yield from (f"larson/{strategy}/life:{life}/threads:{number}" for strategy in ("none", *libraries))


def price_of_larson(name: BenchmarkName) -> float:
    """Each further thread adds to the price of one thread: much with glibc, little with mimalloc."""
    further = (name.number("threads") or 1) - 1
    added = {"none": 0.0, "glibc": 2.0, "mimalloc": 0.1}.get(str(name.strategy), 0.5)
    end = 1.5 if name.number("life") == 16_384 else 1.0
    return OF_64_BYTES.get(str(name.strategy), 16.0) * (1 + added * further) * end


def threadtest(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for number in threads_of(cores):
        for count in (10_000, 30_000):
            yield from (f"threadtest/{strategy}/count:{count}/threads:{number}" for strategy in ("none", *libraries))


def xmalloc(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for number in threads_of(cores):
        for sizes, depth in (("64", 1024), ("64", 409_600), ("mixed", 1024)) if number % 2 == 0 else ():
            names = (f"{strategy}/bytes:{sizes}/depth:{depth}/threads:{number}" for strategy in ("none", *libraries))
            yield from (f"xmalloc/{name}" for name in names)


def shared_arena(libraries: Sequence[str], cores: int) -> Iterator[str]:
    arenas = ("arena", "none", "pmr_monotonic", "pmr_pool", "pool")
    for number in threads_of(cores):
        yield from (f"shared_arena/{arena}/memory:own/threads:{number}" for arena in arenas)
        for strategy in (*arenas, "new_delete", "pmr_sync_pool"):
            yield f"shared_arena/{strategy}/memory:shared/threads:{number}"


def price_of_shared_arena(name: BenchmarkName) -> float:
    waiting = {1: 1.0}.get(name.number("threads") or 1, 4.0) if name.parameters["memory"] == "shared" else 1.0
    return usual_price(name, {"shared": 5.0}) * waiting


def refcount(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for number in threads_of(cores):
        yield from (f"refcount/object:{kind}/threads:{number}" for kind in ("none", "own", "shared"))


def price_of_refcount(name: BenchmarkName) -> float:
    return {"none": 0.25, "own": 4.0, "shared": 4.0 * (name.number("threads") or 1) ** 2}[name.parameters["object"]]


def thread_start(libraries: Sequence[str], cores: int) -> Iterator[str]:
    """The C library keeps no stacks of 64 MiB."""
    for size in (64 * KIB, MIB, 8 * MIB, 64 * MIB):
        for touch in ("none", "all") if size <= 8 * MIB else ("none",):
            yield f"thread_start/none/bytes:{size}/touch:{touch}"
            for core in ("starter", "other", "any") if size == 64 * KIB and touch == "none" else ("starter",):
                for stack in ("cached_stack", "fresh_stack") if size <= 8 * MIB else ("fresh_stack",):
                    yield f"thread_start/{stack}/bytes:{size}/touch:{touch}/core:{core}"


def price_of_thread_start(name: BenchmarkName) -> float:
    elsewhere = {"other": 32000.0, "any": 12000.0}.get(name.parameters.get("core", ""), 0.0)
    start = {"none": 0.0, "cached_stack": 8000.0}.get(str(name.strategy), 16000.0)
    touching = 0.25 * (name.number("bytes") or 0) if name.parameters["touch"] == "all" else 0.5
    return start + elsewhere + touching


def stack_of_thread(name: BenchmarkName) -> Mapping[str, float]:
    size = float(name.number("bytes") or 0)
    resident = 16.0 * KIB + (size if name.parameters["touch"] == "all" else 0.0)
    return {} if name.strategy == "none" else {"stack_reserved": size + 40 * KIB, "stack_resident": resident}


FAMILIES = {
    "larson": Family(larson, price_of_larson),
    "threadtest": Family(threadtest, lambda name: OF_64_BYTES.get(str(name.strategy), 16.0)),
    "xmalloc": Family(xmalloc, lambda name: usual_price(name, {"mixed": 1.5})),
    "shared_arena": Family(shared_arena, price_of_shared_arena),
    "refcount": Family(refcount, price_of_refcount),
    "thread_start": Family(thread_start, price_of_thread_start, stack_of_thread),
    "private": Family(private),
    "handoff": Family(handoff),
    "false_sharing": Family(
        false_sharing, lambda name: usual_price(name, {"active": 1.1, "passive": 6.0, "kept": 5.0, "atomic": 9.0}), sharing
    ),
}

TITLES = {
    "larson": "With 2 threads, a server's block from glibc costs 3.0 times that with one; the control, 1.0 times",
    "refcount": "With 2 threads, copying a shared_ptr that they share costs 16 ns, 4.0 times as much as an unshared "
    "one",
    "shared_arena": "Shared by 2 threads behind a mutex, an arena costs 50 ns; unshared, 2.5 ns",
    "thread_start": "Starting a thread with a fresh stack of 64 MiB costs the same, within the intervals, as with 64 "
    "KiB",
    "threadtest": "With 2 threads, a block of 8 B from glibc costs the same, within the intervals, as with one",
    "xmalloc": "A block of 64 B from glibc that another thread frees costs 24 ns beyond the queues",
    "false_sharing": "glibc lets threads share a cache line: an atomic write there costs 6.0 times an unshared one",
    "handoff": "Handing a block of glibc to another thread costs 19 ns beyond the queue's 1.0 ns",
    "private": "With glibc, threads that share no block show no measurable slowdown beyond the control",
}

EQUAL_TITLES = {
    "false_sharing": "with no measurable effect on an atomic write",
    "larson": "the same, within the intervals, as with one",
    "refcount": "no measurable difference from an unshared one",
    "shared_arena": "an arena costs 10 ns; unshared, 10 ns",
    "thread_start": "the same, within the intervals, as with 64 KiB",
    "threadtest": "the same, within the intervals, as with one",
    "xmalloc": "costs nothing measurable beyond the queues",
    "private": "no measurable slowdown beyond the control",
}
