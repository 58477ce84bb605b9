"""How does a test get a run of any machine? With every family of the charts, and any number of cores and mallocs."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from suite.base.files import write_json
from suite.results.merge import merge
from suite.results.model import Account, BenchmarkName, Document, Run, Unit
from suite.results.read import read_run
from support import declarations, textbook
from support.textbook import end_to_end

CHAPTERS = {"allocation": "What does it cost to get memory?", "contention": "What does sharing the heap cost?"}
KNOWN = ("glibc", "mimalloc", "jemalloc", "tcmalloc", "tbbmalloc")

# The cost of a benchmark by its name, in ns.
Price = Callable[[str], float]
# The counters of a benchmark by its name.
Counted = Callable[[str], Mapping[str, float]]


def price(name: str) -> float:
    """On the textbook's machine."""
    parsed = BenchmarkName.parse(name)
    return textbook.families()[parsed.family].price(parsed)


def counters(name: str) -> Mapping[str, float]:
    """On the textbook's machine."""
    parsed = BenchmarkName.parse(name)
    return textbook.families()[parsed.family].counters(parsed)


def alike(name: str) -> float:
    """A machine on which all benchmarks cost the same."""
    return 10.0


@cache
def synthetic(
    mallocs: int = 5,
    cores: int = 2,
    processes: int = 5,
    ns: Price = price,
    keep: Callable[[str], bool] = lambda name: True,
    noise: Callable[[str, int], float] | None = None,
    counted: Counted = counters,
) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "run.json")
        write_json(file, document(mallocs, cores, processes, ns, keep, noise, counted), indent=None)
        return read_run(file)


def document(
    mallocs: int = 5,
    cores: int = 2,
    processes: int = 5,
    ns: Price = price,
    keep: Callable[[str], bool] = lambda name: True,
    noise: Callable[[str, int], float] | None = None,
    counted: Counted = counters,
) -> Document:
    """A result file. `noise` is a factor for each benchmark and process; by default it varies by up to 2 %."""
    libraries = names_of(mallocs)
    names = [name for name in benchmarks(libraries, cores) if keep(name)]
    head = context(libraries, cores)
    if any(name.startswith(f"{end_to_end.CHAPTER}/") for name in names):
        head["program"] = end_to_end.context(libraries)
    pieces = []
    for process in range(processes):
        rows = [row(name, ns(name) * (noise or small_noise)(name, process), counted(name)) for name in names]
        for family in dict.fromkeys(name.partition("/")[0] for name in names):
            unit = Unit(
                family, textbook.chapter_of(family), f"^{family}/", process, False, (), 0, 0, 0, 0, 1.0, 0.25, 1
            )
            own_rows = [row for row in rows if row["name"].startswith(f"{family}/")]
            pieces.append((unit, {"context": head, "benchmarks": own_rows}))
    words = {
        unit.family: {"question": f"What does {unit.family} ask?", **declarations.of_family(unit.family)}
        for unit, _ in pieces
    }
    declared = {"chapters": CHAPTERS, "families": words, "strategies": ideas(libraries)}
    how_it_went = Account(True, processes, 1, tuple(unit for unit, _ in pieces), about=declared)
    return merge(pieces, how_it_went, names)


def ideas(libraries: tuple[str, ...]) -> dict[str, str]:
    """As the program declares them, in its order."""
    strategies = {"stack_array": "stack", "alloca": "stack", "arena": "arena", "mmap": "heap", "new_delete": "heap"}
    strategies |= {"none": "control", "pmr_monotonic": "arena", "pmr_pool": "arena", "pmr_sync_pool": "arena"}
    strategies |= {"pool": "arena", "small_buffer": "stack", "thread_local": "stack"}
    return strategies | dict.fromkeys(libraries, "heap")


def names_of(mallocs: int) -> tuple[str, ...]:
    return (*KNOWN, *(f"other_malloc_{number}" for number in range(mallocs)))[:mallocs]


def small_noise(name: str, process: int) -> float:
    return 1 + 0.02 * random.Random(f"{name}/{process}").uniform(-1, 1)


def row(name: str, ns: float, counted: Mapping[str, float]) -> dict[str, Any]:
    return {
        "name": name, "run_name": name, "run_type": "iteration", "iterations": 1, "real_time": ns, "cpu_time": ns,
        "time_unit": "ns", "ns_per_addition": 0.25, "ns_per_eight_additions": 0.5, **counted,
    }  # fmt: skip


def context(libraries: tuple[str, ...], cores: int) -> dict[str, Any]:
    return {
        "date": "2026-01-02T03:04:05+00:00", "host_name": "somewhere", "num_cpus": cores, "suite_version": "1",
        "profile": "quick", "compiler": "GNU 12.2.0", "build_flags": "-O3", "cores": str(cores), "page_bytes": "4096",
        "topology": f"1 package, {cores} cores, {cores} processing units", "process_malloc": "glibc",
        "l1d_bytes": str(48 << 10), "l2_bytes": str(2 << 20), "l3_bytes": str(32 << 20),
        **{f"malloc.{name}": f"{number}.10.2 /lib/lib{name}.so" for number, name in enumerate(libraries)},
    }  # fmt: skip


def benchmarks(libraries: tuple[str, ...], cores: int) -> Iterator[str]:
    for family in textbook.families().values():
        yield from family.names(libraries, cores)
