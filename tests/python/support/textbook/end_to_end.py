"""What does a program of the user's take with each malloc on the textbook's machine, and what do the charts then
say?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from suite.results.end_to_end import AGAIN, CPU_NS, FAULTS, MAJOR_FAULTS, OWN, PEAK
from suite.results.model import BenchmarkName, Document
from support.made_up_profile import document as profile
from support.textbook import MIB, Family

CHAPTER = "program"
OWN_NS = 3e9
RATIOS = {OWN: 1.0, AGAIN: 1.0, "glibc": 0.95, "mimalloc": 0.9, "jemalloc": 1.0, "tcmalloc": 1.05, "tbbmalloc": 1.0}
VERDICTS = {"glibc": "better", "mimalloc": "better", "jemalloc": "same", "tcmalloc": "worse"}


def _names(libraries: Sequence[str], cores: int) -> Iterator[str]:
    yield from (f"program/{name}" for name in (OWN, AGAIN, *libraries))


def _wall(name: BenchmarkName) -> float:
    return OWN_NS * RATIOS.get(str(name.strategy), 1.0)


def _counters(name: BenchmarkName) -> Mapping[str, float]:
    more = 2.0 if name.strategy == "jemalloc" else 1.0
    return {CPU_NS: _wall(name), PEAK: 100 * MIB * more, FAULTS: 1000.0, MAJOR_FAULTS: 0.0}


FAMILIES = {"program": Family(_names, _wall, _counters)}


def context(libraries: Sequence[str]) -> Document:
    """context["program"] of a result file."""
    mallocs: dict[str, Document] = {name: {"verdict": VERDICTS.get(name, "undecided")} for name in libraries}
    mallocs["rare"] = {"not_compared": "not found"}
    return {
        "command": ["./parse", "--all"], "exit_code": 0, "output_same": True, "own": "libown.so", "mallocs": mallocs,
        "control": "undecided", "problem": "", "notes": ["a note"], "threshold": 0.01, "seed": 1,
        "recording": {"files": 1, "file": "recording-100-0.shr", "profile": profile()},
    }  # fmt: skip


TITLES = {
    "end_to_end": "parse takes 0.9 times the CPU time with mimalloc, and 1.05 times with tcmalloc",
    "lifetimes": "50 % of the blocks of parse die last in, first out: a stack would have served them",
}
EQUAL_TITLES: Mapping[str, str] = {}
