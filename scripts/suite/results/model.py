"""What does a result file say? The only reader and writer of result files, and of Google Benchmark's JSON.

A unit is one process that measured one part of a family; its file is what the program wrote, and the unit's own facts.
A run is many units merged: one row a benchmark and process, then aggregates as Google Benchmark 1.7.1 writes them.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from suite.base.errors import NO_EXPRESSION
from suite.base.text import drawable, one_line
from suite.results.parts import DisturbedParts

# Of a name's whole numbers: there are no blocks of 0 bytes, and no benchmarks of 0 threads.
MAY_BE_ZERO = {("indirection", "depth")}
NS_PER_UNIT = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
# The size of every figure, a time in ns or a counter, if it is not 0. All that is measured lies between them, and so no
# ratio, square or sum of figures leaves what a float can hold.
LEAST_FIGURE, MOST_FIGURE = 1e-12, 1e19
MADE_BY_THIS_SUITE = "suite_version"  # the key in the context that tells this suite's files from other programs'
LABEL = "label"  # the key in the context for the user's own name of the run
CPU_MODEL = "cpu_model"  # and for the processor, as it names itself
WALL_NS = "wall_ns"
CORE_SHARE = "ns_per_eight_additions"  # goes up where a thread on the same physical core takes its share of it
COUNTED_BESIDE = ("ns_per_addition", CORE_SHARE)  # the program times both beside every benchmark
SHARED_CACHE = "ns_shared_cache"  # of a load; timed beside benchmarks whose data lie past the second-level cache
LINE_TRIP = "ns_line_trip"  # of a cache line from one core to another; timed beside benchmarks with threads
STOPPED = "stopped_seconds"  # of the process of a benchmark; only where it was stopped
MALLOC_THREADS = "malloc_thread_cores"  # that threads used which the benchmark did not start; only where there are such
DISTURBANCES = (CORE_SHARE, SHARED_CACHE, LINE_TRIP, STOPPED, MALLOC_THREADS)  # they tell of others, not of the benchmark
MOST_MALLOC_THREADS = 0.1  # of a core: more than threads take that mostly wait
# Others took the shared cache, or the host moved the cores apart, if a load or a trip of a cache line took 1.5 times as long
# as in the quietest tenth of the run: 1 - 1 / 1.5.
MOST_TAKEN = 1 / 3
MANY_THREADS = "items_per_second"  # in the rows of benchmarks whose work is done by several threads
LEAST_PROCESSOR_SHARE = 0.02  # of the wall clock; less is not a busy machine, but work on another thread

Document = dict[str, Any]  # a JSON object as read


@dataclass(frozen=True)
class BenchmarkName:
    """`family/strategy/key:value/...`, or `family/key:value/...` in families without strategies."""

    text: str
    family: str
    strategy: str | None
    parameters: Mapping[str, str] = field(compare=False)  # in the order of the name

    @staticmethod
    def parse(text: str) -> BenchmarkName:
        family, *rest = text.split("/")
        strategy = rest.pop(0) if rest and ":" not in rest[0] else None
        pairs = (piece.partition(":") for piece in rest)
        return BenchmarkName(text, family, strategy, {key: value for key, _, value in pairs})

    @property
    def malloc(self) -> str:
        """The malloc library that the strategy uses, if it is one: `jemalloc` of `jemalloc` and of `jemalloc+stack`."""
        return (self.strategy or "").partition("+")[0]

    def number(self, key: str) -> int | None:
        """The parameter as a whole number; None if the name lacks it, or if it is a word or a 0 that cannot be."""
        value = self.parameters.get(key, "")
        number = int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None
        return number or (0 if number == 0 and (self.family, key) in MAY_BE_ZERO else None)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Sample:
    """One process's figure for one benchmark."""

    process: int
    ns: float  # wall-clock time of one operation
    counters: Mapping[str, float]  # per operation; what the machine does not count is absent

    @property
    def cycles(self) -> float | None:
        """Core cycles of one operation: counted by the kernel, else by the addition timed beside, which takes one."""
        if "cycles" in self.counters:
            return self.counters["cycles"]
        addition = self.counters.get("ns_per_addition", 0.0)
        return self.ns / addition if addition > 0.0 else None


@dataclass(frozen=True)
class Benchmark:
    """All processes' figures for one benchmark."""

    name: BenchmarkName
    samples: tuple[Sample, ...]  # by process; empty where every process reported an error
    errors: tuple[str, ...] = ()
    looks: tuple[int, ...] = ()  # of the run: see Account

    @property
    def processes_begun(self) -> int:
        """The number of processes that were to measure it: a failed process counts too."""
        return 1 + max((sample.process for sample in self.samples), default=-1)

    @property
    def times(self) -> tuple[float, ...]:
        return tuple(sample.ns for sample in self.samples)

    @property
    def cycles(self) -> tuple[float, ...]:
        return tuple(sample.cycles for sample in self.samples if sample.cycles is not None)

    def counter(self, key: str) -> tuple[float, ...]:
        """The counter in each process that has it."""
        return tuple(sample.counters[key] for sample in self.samples if key in sample.counters)


@dataclass(frozen=True)
class Unit:
    """How one process of a run went. Shares are of all cores' time; None where the system does not say."""

    family: str
    chapter: str
    part: str  # the expression that selects its benchmarks
    process: int
    disturbed: bool
    reasons: tuple[str, ...]
    others_cpu: float | None
    steal: float | None
    involuntary_switches: int
    major_faults: int
    seconds: float
    ns_per_addition: float | None
    attempt: int
    cycles_of_eight_additions: float | None = None  # what its probes read, where it used them
    ns_shared_cache: float | None = None
    ns_line_trip: float | None = None
    core_taken: float | None = None  # the shares of these that are due to others: 1 - quietest of the run / its own
    cache_taken: float | None = None
    trip_taken: float | None = None
    stopped: float | None = None  # seconds for which it, a process of its benchmarks, or the whole system stood still
    malloc_threads: float | None = None  # cores that threads of a malloc used, in the benchmark where they used the most

    @property
    def taken_by_others(self) -> float:
        """The shares of the machine, its own core, the shared cache, the way between cores and the time that others had, added
        up: how much it was disturbed."""
        probed = (self.core_taken, self.cache_taken, self.trip_taken)
        stopped = (self.stopped or 0.0) / max(self.seconds, 1e-9)
        return sum(share or 0.0 for share in (self.others_cpu, self.steal, *probed, stopped))


LEFT_OUT = " was left out from then on"  # ends the reason of a failure after which something was measured no more


@dataclass(frozen=True)
class Failure:
    """What a run could not measure, and why."""

    family: str
    process: int
    reason: str

    @property
    def left_out(self) -> str:
        """What was measured no more from then on; empty where the run went on with everything."""
        named = self.reason.rpartition("; ")[2]
        return named.removesuffix(LEFT_OUT) if named.endswith(LEFT_OUT) else ""

    @property
    def subject(self) -> str:
        """The benchmark that failed, or the family whose process failed as a whole."""
        name = self.reason.partition(": ")[0]
        return name if name.startswith(f"{self.family}/") else self.family


@dataclass(frozen=True)
class Account:
    """The suite's own account of how a run went."""

    complete: bool
    processes_planned: int  # of each part; benchmarks that an open claim needs may have more
    order_seed: int | None = None
    units: tuple[Unit, ...] = ()
    failed: tuple[Failure, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)  # the families in words, and how fit the machine was
    looks: tuple[int, ...] = ()  # the numbers of processes after which the run may be looked at; empty: once

    @property
    def clock(self) -> Document:
        """How much the cores' clock moved between the processes: the time of one addition is one cycle."""
        additions = [unit.ns_per_addition for unit in self.units if unit.ns_per_addition]
        if not additions:
            return {}
        low, high = min(additions), max(additions)
        return {"ns_per_addition_min": low, "ns_per_addition_max": high, "moved": high / low - 1}

    @property
    def shared_cache(self) -> Document:
        """In which share of the processes that timed it the shared cache was ours, and how many times as long a load from it
        took in the slowest."""
        return _quiet("ours", [unit.cache_taken for unit in self.units])

    @property
    def line_trip(self) -> Document:
        """In which share of the processes that timed it the cores were near each other, and how many times as long a cache
        line took from one to the other in the slowest."""
        return _quiet("near", [unit.trip_taken for unit in self.units])


def _quiet(word: str, taken: Sequence[float | None]) -> Document:
    known = [share for share in taken if share is not None and share < 1.0]
    if not known:
        return {}
    quiet = sum(share <= MOST_TAKEN for share in known) / len(known)
    return {"processes": len(known), word: quiet, "slowest": 1 / (1 - max(known))}


@dataclass(frozen=True)
class Run:
    """Everything one result file says."""

    path: Path
    context: Mapping[str, Any]
    by_name: Mapping[str, Benchmark]  # in the order of the file
    account: Account

    @property
    def complete(self) -> bool:
        return self.account.complete

    @property
    def units(self) -> tuple[Unit, ...]:
        return self.account.units

    @property
    def failed(self) -> tuple[Failure, ...]:
        return self.account.failed

    @property
    def processes(self) -> int:
        """The most planned processes any benchmark was measured in."""
        planned = self.account.processes_planned
        numbers = (sum(sample.process < planned for sample in bench.samples) for bench in self.by_name.values())
        return max(numbers, default=0)

    @property
    def refined(self) -> tuple[Benchmark, ...]:
        """The benchmarks that were measured in more processes than planned, because a claim was open without."""
        planned = self.account.processes_planned if self.account.looks else math.inf
        return tuple(benchmark for benchmark in self.series() if benchmark.processes_begun > planned)

    @cached_property
    def remembered(self) -> dict[Any, Any]:
        """What others have worked out from the run, which never changes."""
        return {}

    def series(
        self, family: str | None = None, strategy: str | None = None, **parameters: object
    ) -> tuple[Benchmark, ...]:
        """The measured benchmarks that fit: `series("scoped", bytes=64)`. What is not given may be anything."""
        wanted = {key: str(value) for key, value in parameters.items()}
        benchmarks = self._measured if family is None else self._by_family.get(family, ())
        if strategy is None and not wanted:
            return benchmarks
        return tuple(
            benchmark
            for benchmark in benchmarks
            if strategy in (None, benchmark.name.strategy) and wanted.items() <= benchmark.name.parameters.items()
        )

    @cached_property
    def _measured(self) -> tuple[Benchmark, ...]:
        return tuple(benchmark for benchmark in self.by_name.values() if benchmark.samples)

    @cached_property
    def _by_family(self) -> Mapping[str, tuple[Benchmark, ...]]:
        """Without it, a look at each of many families would cost their number squared."""
        by_family: defaultdict[str, list[Benchmark]] = defaultdict(list)
        for benchmark in self._measured:
            by_family[benchmark.name.family].append(benchmark)
        return {family: tuple(benchmarks) for family, benchmarks in by_family.items()}

    def get(self, name: str) -> Benchmark | None:
        """The benchmark of this exact name, if it was measured."""
        benchmark = self.by_name.get(name)
        return benchmark if benchmark is not None and benchmark.samples else None

    def families(self) -> tuple[str, ...]:
        return tuple(self._by_family)

    def strategies(self, family: str | None = None) -> tuple[str, ...]:
        strategies = (benchmark.name.strategy for benchmark in self.series(family))
        return tuple(dict.fromkeys(strategy for strategy in strategies if strategy is not None))

    def mallocs(self) -> Mapping[str, str]:
        """Each malloc library of the run that could be measured, and its version and file."""
        return self._mallocs

    @cached_property
    def _mallocs(self) -> Mapping[str, str]:
        return {name: text for name, text in malloc_lines(self.context) if not text.startswith("not available")}

    @property
    def chapters(self) -> Mapping[str, str]:
        """The question of each chapter, in reading order."""
        declared = self.account.about.get("chapters")
        return {name: str(question) for name, question in declared.items()} if isinstance(declared, dict) else {}

    @property
    def ideas(self) -> Mapping[str, str]:
        """The idea of each strategy that the program offers (control, stack, arena, heap), in the program's order."""
        declared = self.account.about.get("strategies")
        return {name: str(idea) for name, idea in declared.items()} if isinstance(declared, dict) else {}

    @cached_property
    def malloc_order(self) -> tuple[str, ...]:
        """All malloc libraries, available or not: those of the program's list in its order, then others by name."""
        names = {name for name, _ in malloc_lines(self.context)}
        listed = [name for name in self.ideas if name in names]
        return (*listed, *sorted(names.difference(listed)))

    def malloc_changes(self, name: str) -> str:
        """What else a malloc library changes in the process that loads it; empty where nothing is known."""
        return one_line(str(self.context.get(f"malloc_changes.{name}", "")))

    def unavailable_mallocs(self) -> dict[str, str]:
        """Each malloc library that could not be measured, and why."""
        return unavailable_mallocs(self.context)

    def fact(self, key: str) -> int | None:
        """A whole number of the context (`cores`, `l1d_bytes`); None where the machine did not say."""
        value = str(self.context.get(key, ""))
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None

    def disturbed_processes(self, benchmark: Benchmark) -> tuple[int, ...]:
        """The processes that were disturbed while they measured this benchmark."""
        measured = {sample.process for sample in benchmark.samples}
        parts = self._disturbed_parts.get(benchmark.name.family)
        return tuple(sorted(parts.processes(benchmark.name.text, measured))) if parts else ()

    @cached_property
    def _disturbed_parts(self) -> Mapping[str, DisturbedParts]:
        """By family."""
        units: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for unit in self.units:
            if unit.disturbed:
                units[unit.family].append((unit.part, unit.process))
        return {family: DisturbedParts.among(len(self.series(family)), own) for family, own in units.items()}


def malloc_lines(context: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each malloc library that the program tried, and what it says of it."""
    for key, value in context.items():
        if key.startswith("malloc.") and isinstance(value, str):
            yield key.removeprefix("malloc."), value


def unavailable_mallocs(context: Mapping[str, Any]) -> dict[str, str]:
    """Each malloc library that could not be measured, and why."""
    lines = ((name, text) for name, text in malloc_lines(context) if text.startswith("not available"))
    return {name: text.removeprefix("not available").lstrip(": ") for name, text in lines}


def selects(part: str, name: str) -> bool:
    """Whether the expression of a part selects a benchmark; unreadable expressions are taken to select it.

    Not for an expression that came with a file: suite.results.parts is for those.
    """
    try:
        return re.search(part, name) is not None
    except NO_EXPRESSION:
        return True


def cache_levels(run: Run) -> list[tuple[str, int]]:
    """The data caches that the machine reports."""
    levels = (("L1", run.fact("l1d_bytes")), ("L2", run.fact("l2_bytes")), ("L3", run.fact("l3_bytes")))
    return [(name, size) for name, size in levels if size]


# ---- whose run it is


def labelled(run: Run, name: str) -> Run:
    """The run with the user's own name for it."""
    return replace(run, context={**run.context, LABEL: name})


def own_label(run: Run) -> str:
    """The user's own name for the run; empty where there is none."""
    return drawable(str(run.context.get(LABEL) or ""))


def cpu_model(run: Run) -> str:
    """The processor in short: `EPYC 9R14`, `Xeon 8488C`, `Apple M2 Pro`."""
    model = one_line(str(run.context.get(CPU_MODEL) or ""))
    architecture = one_line(str(run.context.get("architecture") or "unknown"))
    return short_cpu_model(model) or f"{architecture} processor"


# What a processor's name has beside the name: signs, the clock, the number of cores, graphics, options of a virtual machine,
# and the maker and the tier where the rest says them.
_BESIDE_THE_NAME = re.compile(
    r"\((?:R|TM|C)\)|[®™]|@.*|\bw(?:/|ith)\s.*|\b\d+(?:th|st|nd|rd) Gen\b|\b[\w-]+-Cores?\b|\b(?:Processor|CPU)\b"
    r"|\bIntel(?=\W.*\b(?:Xeon|Core|Pentium|Celeron|Atom)\b)|\bAMD(?= (?:EPYC|Ryzen|Athlon|Opteron|Phenom))"
    r"|\bARM(?= (?:Neoverse|Cortex))|\b(?:Platinum|Gold|Silver|Bronze)(?= \d)|(?<=\w),[^)]*(?=\))",
    re.IGNORECASE,
)


def short_cpu_model(model: str) -> str:
    """`Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz` is a `Xeon 8488C`."""
    return " ".join(_BESIDE_THE_NAME.sub("", model).split()).replace("XEON", "Xeon")
