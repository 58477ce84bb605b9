"""Which benchmarks does the textbook's machine have, what does each cost there, and what do the charts then say?

The stack is cheap, malloc costly, memory far, the aged heap scattered, lines shared. Each chapter has a file with the
FAMILIES, the TITLES of the charts with these prices, and EQUAL_TITLES (a part of the title where all benchmarks cost the
same). A new family or chart is an entry of these tables, or a file of its own that names its CHAPTER.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from suite.results.model import BenchmarkName

KIB, MIB = 1 << 10, 1 << 20

OF_64_BYTES = {
    "none": 1.0, "stack_array": 1.0, "arena": 2.0, "mmap": 4000.0,
    "glibc": 20.0, "mimalloc": 8.0, "jemalloc": 10.0, "tcmalloc": 9.0, "tbbmalloc": 40.0,
}  # fmt: skip


def usual_price(name: BenchmarkName, factors: Mapping[str, float] = {}) -> float:  # noqa: B006 (only read)
    """The strategy's time for 64 bytes, times the factors of the parameters' values, and more with each thread."""
    ns = OF_64_BYTES.get(str(name.strategy), 16.0)
    return ns * math.prod(factors.get(value, 1.0) for value in name.parameters.values()) * with_threads(name)


def with_threads(name: BenchmarkName) -> float:
    return 1 + 0.25 * ((name.number("threads") or 1) - 1)


def nothing(name: BenchmarkName) -> Mapping[str, float]:
    return {}


def threads_of(cores: int) -> list[int]:
    """As the program chooses them: powers of two, the cores and twice the cores."""
    return sorted({1, 2, *(1 << step for step in range(9) if 1 << step < 2 * cores), cores, 2 * cores})


@dataclass(frozen=True)
class Family:
    names: Callable[[Sequence[str], int], Iterator[str]]  # of the malloc libraries, on so many cores
    price: Callable[[BenchmarkName], float] = usual_price  # ns
    counters: Callable[[BenchmarkName], Mapping[str, float]] = nothing


@cache
def chapters() -> dict[str, ModuleType]:
    return {
        module.name: importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)
    }


@cache
def families() -> dict[str, Family]:
    return {name: family for chapter in chapters().values() for name, family in chapter.FAMILIES.items()}


@cache
def chapter_of(family_name: str) -> str:
    file = next(name for name, chapter in chapters().items() if family_name in chapter.FAMILIES)
    return str(getattr(chapters()[file], "CHAPTER", file))


def titles(table: str) -> dict[str, str]:
    """TITLES or EQUAL_TITLES of all chapters, by chart."""
    return {name: text for chapter in chapters().values() for name, text in getattr(chapter, table, {}).items()}
