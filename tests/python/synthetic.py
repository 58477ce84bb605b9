"""A run of any machine: every family the charts read, with as many cores, mallocs and processes as a test wants."""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from suite import results

KIB, MIB = 1 << 10, 1 << 20
KNOWN = ("glibc", "mimalloc", "jemalloc", "tcmalloc", "tbbmalloc")
CHAPTERS = {
    "scoped": "allocation", "large": "allocation", "batch": "allocation", "churn": "allocation",
    "heap_state": "allocation", "chase": "access", "stream": "access", "traverse": "locality",
    "list_walk": "locality", "private": "contention", "handoff": "contention", "false_sharing": "contention",
}  # fmt: skip

# What a benchmark of this name costs, in ns.
Price = Callable[[str], float]

OF_64_BYTES = {
    "none": 0.5, "stack_array": 1.0, "arena": 2.0, "mmap": 4000.0,
    "glibc": 20.0, "mimalloc": 8.0, "jemalloc": 10.0, "tcmalloc": 9.0, "tbbmalloc": 40.0,
}  # fmt: skip
FACTORS = {"aged": 4.0, "active": 1.1, "passive": 6.0, "atomic": 9.0, "random": 1.5, "100000": 3.0, "never": 0.5}


def price(name: str) -> float:
    """The textbook's machine: the stack is cheap, malloc dear, memory far, the aged heap scattered, lines shared."""
    one = results.benchmark_name.parse(name)
    size = one.number("bytes") or 64
    if one.family == "chase":
        return 1.0 + (size / (64 * KIB) if one.parameters["order"] == "random" else 0.5)
    if one.family == "stream":
        return size / 32
    if one.family == "large":
        return size / 32 * (3.0 if takes_fresh_pages(one) else 1.0)
    ns = OF_64_BYTES.get(str(one.strategy), 16.0)
    ns += size / 32 if one.parameters.get("touch") == "all" else 0.0
    ns *= math.prod(FACTORS.get(value, 1.0) for value in one.parameters.values())
    ns *= 5.0 if one.strategy == "list_shuffled" else 1.0
    return ns * (1 + 0.25 * ((one.number("threads") or 1) - 1))


def takes_fresh_pages(one: results.benchmark_name) -> bool:
    return (one.number("bytes") or 0) > 16 * MIB and one.strategy not in ("none", "arena", "stack_array")


def alike(name: str) -> float:
    """A machine on which nothing costs more than anything else."""
    return 10.0


@cache
def synthetic(
    mallocs: int = 5,
    cores: int = 2,
    processes: int = 5,
    ns: Price = price,
    keep: Callable[[str], bool] = lambda name: True,
    noise: Callable[[str, int], float] | None = None,
) -> results.run:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "run.json")
        results.write_whole(file, document(mallocs, cores, processes, ns, keep, noise))
        return results.read_run(file)


def document(
    mallocs: int = 5,
    cores: int = 2,
    processes: int = 5,
    ns: Price = price,
    keep: Callable[[str], bool] = lambda name: True,
    noise: Callable[[str, int], float] | None = None,
) -> results.Document:
    """A result file. `noise` is a factor for each benchmark and process; by default up to 2 % to either side."""
    libraries = names_of(mallocs)
    names = [name for name in benchmarks(libraries, cores) if keep(name)]
    told = context(libraries, cores)
    pieces = []
    for process in range(processes):
        rows = [row(name, ns(name) * (noise or small_noise)(name, process)) for name in names]
        for family in dict.fromkeys(name.partition("/")[0] for name in names):
            unit = results.unit(family, CHAPTERS[family], f"^{family}/", process, False, (), 0, 0, 0, 0, 1.0, 0.25, 1)
            own = [one for one in rows if one["name"].startswith(f"{family}/")]
            pieces.append((unit, {"context": told, "benchmarks": own}))
    words = {unit.family: {"question": f"What does {unit.family} ask?"} for unit, _ in pieces}
    how_it_went = results.account(True, processes, 1, tuple(unit for unit, _ in pieces), about={"families": words})
    return results.merge(pieces, how_it_went, names)


def names_of(mallocs: int) -> tuple[str, ...]:
    return (*KNOWN, *(f"other_malloc_{number}" for number in range(mallocs)))[:mallocs]


def small_noise(name: str, process: int) -> float:
    return 1 + 0.02 * random.Random(f"{name}/{process}").uniform(-1, 1)


def row(name: str, ns: float) -> dict[str, Any]:
    return {
        "name": name, "run_name": name, "run_type": "iteration", "iterations": 1, "real_time": ns, "cpu_time": ns,
        "time_unit": "ns", "ns_per_addition": 0.25, **counters(name),
    }  # fmt: skip


def counters(name: str) -> Mapping[str, float]:
    one = results.benchmark_name.parse(name)
    if one.family == "large":
        return {"page_faults": (one.number("bytes") or 0) / 4096 if takes_fresh_pages(one) else 0.0}
    if one.family == "list_walk":
        return {"neighbours": 0.4 if one.parameters["heap"] == "aged" else 1.0}
    if one.family == "false_sharing":
        return {"sharing_threads": 1.0 if one.parameters["mode"] == "passive" else 0.0}
    return {}


def context(libraries: tuple[str, ...], cores: int) -> dict[str, Any]:
    return {
        "date": "2026-01-02T03:04:05+00:00", "host_name": "somewhere", "num_cpus": cores, "suite_version": "1",
        "profile": "quick", "compiler": "GNU 12.2.0", "build_flags": "-O3", "cores": str(cores), "page_bytes": "4096",
        "topology": f"1 package, {cores} cores, {cores} processing units", "process_malloc": "glibc",
        "l1d_bytes": str(48 * KIB), "l2_bytes": str(2 * MIB), "l3_bytes": str(32 * MIB),
        **{f"malloc.{name}": f"{number}.10.2 /lib/lib{name}.so" for number, name in enumerate(libraries)},
    }  # fmt: skip


def benchmarks(libraries: tuple[str, ...], cores: int) -> Iterator[str]:
    lenders = ("none", "stack_array", "arena", "mmap", *libraries)
    owners = ("none", *libraries)
    for touch in ("none", "first", "all"):
        for size in (8, 64, 4 * KIB, 256 * KIB, MIB):
            yield from (f"scoped/{who}/bytes:{size}/touch:{touch}" for who in lenders)
    for size in (64 * KIB, MIB, 16 * MIB, 64 * MIB):
        yield from (f"large/{who}/bytes:{size}/touch:all" for who in lenders)
    for size in (64, 1024):
        for order in ("lifo", "fifo", "random", "butterfly"):
            yield from (f"batch/{who}/count:1000/bytes:{size}/order:{order}" for who in owners)
        yield f"batch/arena/count:1000/bytes:{size}/order:reset"
    for live in (1000, 100000):
        for sizes in ("uniform", "power_law"):
            yield from (f"churn/{who}/live:{live}/sizes:{sizes}" for who in owners)
    for size in (64, 2048):
        for state in ("empty", "resident", "aged"):
            for threads in ("never", "ever"):
                yield from (f"heap_state/{who}/bytes:{size}/state:{state}/threads:{threads}" for who in lenders)
    for size in (4 * KIB << 2 * step for step in range(9)):
        yield from (f"chase/bytes:{size}/order:{order}/home:heap" for order in ("random", "sequential"))
    for size in (16 * KIB, MIB, 64 * MIB):
        for home in ("stack", "static", "heap", "mmap_4k", "mmap_thp"):
            yield f"stream/bytes:{size}/home:{home}"
            if home != "heap":
                yield f"chase/bytes:{size}/order:random/home:{home}"
    for count in (1000, 100000):
        for payload in (8, 64):
            for container in ("array", "vector", "deque", "unique_ptr_shuffled", "list", "list_shuffled", "set"):
                yield f"traverse/{container}/count:{count}/payload:{payload}"
    for heap in ("empty", "aged"):
        yield from (f"list_walk/{who}/heap:{heap}" for who in owners[1:])
    for number in sorted({1, 2, *(1 << step for step in range(9) if 1 << step < 2 * cores), cores, 2 * cores}):
        yield from (f"private/{who}/threads:{number}" for who in ("stack_array", "arena", *libraries))
        for mode in ("passive", "active", "padded") if number > 1 else ("padded",):
            for write in ("plain", "atomic"):
                names = (f"{who}/mode:{mode}/write:{write}/threads:{number}" for who in libraries)
                yield from (f"false_sharing/{name}" for name in names)
    for pairs in sorted({1, max(1, cores // 2)}):
        yield from (f"handoff/{who}/pairs:{pairs}" for who in owners)
