"""Which numbers of this machine's memory should every programmer know? The rows of the poster, each read from the run.

A row tells what its operation costs beyond the control of its family (the empty call, the queue, the timer), where the
family has a control. What the run has not measured has no row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from suite.base import phrases
from suite.base.text import interval_text, lasting, time_text
from suite.results import caches, control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Difference, Estimate, estimate_median, median

KINDS = ("core", "stack", "arena", "malloc", "caches", "memory", "system", "threads")
CORE, STACK, ARENA, MALLOC, CACHES, MEMORY, SYSTEM, THREADS = KINDS

TITLE = "Memory numbers every programmer should know, measured here"
NOTHING = "nothing measurable"
_TICKS = 1.5  # of the timer: so much more than nothing a counter has to be


@dataclass(frozen=True)
class Row:
    """What one operation costs."""

    kind: str
    words: str  # at most five
    benchmark: str  # its name
    time: Estimate  # ns; a Difference where it is told beyond a control
    least: float = 0.0  # ns; the clock cannot tell less from nothing
    human: str = ""  # if a load from the L1 cache took a second; empty where the run does not show that cache

    @property
    def is_measurable(self) -> bool:
        is_left = not isinstance(self.time, Difference) or phrases.is_left(self.time)
        return is_left and self.time.median > self.least

    @property
    def text(self) -> str:
        return time_text(self.time.median) if self.is_measurable else NOTHING

    @property
    def interval(self) -> str:
        """Empty where nothing is measurable, and where a single process measured it."""
        return interval_text(self.time) if self.is_measurable else ""


@dataclass(frozen=True)
class _Source:
    """A row's words and its benchmark, which may not have been measured."""

    kind: str
    words: str
    name: str
    counter: str = ""  # else the time


# {malloc} in a name is the malloc that a program uses by default, or new and delete where that malloc was not measured.
_OPERATIONS = (
    _Source(CORE, "add two numbers", "spill/reload:register"),
    _Source(CORE, "call a function and return", "frame/none/leaf:yes"),
    _Source(CORE, "copy and drop a shared_ptr", "refcount/object:own/threads:1"),
    _Source(STACK, "64 bytes on the stack", "scoped/stack_array/bytes:64/touch:first"),
    _Source(ARENA, "64 bytes from an arena", "scoped/arena/bytes:64/touch:first"),
    _Source(MALLOC, "{malloc} and {free}, 64 bytes", "scoped/{strategy}/bytes:64/touch:first"),
    _Source(MALLOC, "slowest {malloc} of 10,000", "latency/{strategy}/mix:power_law/op:malloc", "p99_99"),
    _Source(MALLOC, "{malloc} and {free}, 64 MiB", "large/{strategy}/bytes:67108864/touch:first"),
    _Source(MALLOC, "{malloc}, fill, {free} 64 MiB", "large/{strategy}/bytes:67108864/touch:all"),
    _Source(MEMORY, "read 64 MiB in order", "stream/bytes:67108864/home:heap"),
    _Source(SYSTEM, "first write to a page", "first_touch/home:malloc/touch:first"),
    _Source(SYSTEM, "mmap and munmap", "scoped/mmap/bytes:64/touch:none"),
    _Source(THREADS, "{malloc}, {free} in another thread", "handoff/{strategy}/pairs:1"),
    _Source(THREADS, "start and join a thread", "thread_start/cached_stack/bytes:65536/touch:none/core:any"),
)
_ON_TWO_CORES = (_Source(THREADS, "copy a shared_ptr, two threads", "refcount/object:shared/threads:2"),)


def rows(run: Run) -> tuple[Row, ...]:
    """The rows that the run has the data for, by their time, and before them what costs nothing measurable."""
    sources = [*_operations(run), *_loads(run)]
    read = [row for source in sources if (row := _row(run, source)) is not None]
    second = next((row.time.median for row in read if row.words == _FIRST_LOAD), 0.0)
    read.sort(key=lambda row: (row.is_measurable, row.time.median))
    return tuple(_in_human_time(row, second) for row in read)


def _operations(run: Run) -> Iterator[_Source]:
    for source in (*_OPERATIONS, *(_ON_TWO_CORES if (run.fact("cores") or 0) > 1 else ())):
        strategy = query.default_malloc(run, source.name.partition("/")[0])
        malloc, free = ("new", "delete") if strategy == query.NEW_DELETE else ("malloc", "free")
        words = source.words.format(malloc=malloc, free=free)
        yield replace(source, words=words, name=source.name.format(strategy=strategy))


_FIRST_LOAD = "load from the L1 cache"


def _loads(run: Run) -> Iterator[_Source]:
    """The loads from the caches that the run shows, and from memory, with and without a walk of the page tables."""
    chased, in_windows, shown = caches.chased(run), caches.chased_in_windows(run), caches.caches_of(run)
    for level in shown.levels:
        yield _Source(CACHES, f"load from the {level.name} cache", chased[level.size].name.text)
    for words, walks in (("load from memory", in_windows), ("load from memory, page walk", chased)):
        size = max(filter(shown.is_memory, walks), default=None)
        if size is not None and not (walks is chased and query.on_huge_pages({"": walks[size]})):
            yield _Source(MEMORY, words, walks[size].name.text)


def _row(run: Run, source: _Source) -> Row | None:
    benchmark = run.get(source.name)
    values = benchmark and (benchmark.counter(source.counter) if source.counter else benchmark.times)
    if not benchmark or not values or median(values) <= 0.0:
        return None
    time = _beyond_control(run, benchmark, source.counter) or estimate_median(values)
    ticks = benchmark.counter("resolution") if source.counter else ()
    return Row(source.kind, source.words, source.name, time, _TICKS * median(ticks) if ticks else 0.0)


def _beyond_control(run: Run, benchmark: Benchmark, counter: str) -> Difference | None:
    """With the interval of a figure among all strategies of the family: as the charts and claims tell it."""
    name = benchmark.name
    beside = {other.name.text: other for other in run.series(name.family, None, **name.parameters)}
    return control.beyond_control(run, beside, counter=counter).get(name.text)


def _in_human_time(row: Row, second: float) -> Row:
    """`second`: ns of a load from the L1 cache."""
    return replace(row, human=lasting(row.time.median / second)) if second and row.is_measurable else row
