"""Which number is a family's figure? Mostly the time of one operation; where that says nothing, one of its counters.

Families that measure in a child process report its duration as their time, and what they found in counters; `cleanup`
times making and dropping together; `latency` tells percentiles. The families' own headers in benchmarks/ say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suite.results.model import Benchmark, BenchmarkName


@dataclass(frozen=True)
class Metric:
    """A number that a benchmark is judged by."""

    counter: str = ""  # empty: the time of one operation
    unit: str = "ns"
    more_is_worse: bool = True
    least: float = 0.0  # smaller ones are taken as this: a share of nothing cannot be told from one of a little

    @property
    def is_time(self) -> bool:
        return self.unit == "ns"

    def named(self, name: str) -> str:
        """The benchmark's name, and the counter's where it is one."""
        return f"{name} {self.counter}" if self.counter else name

    def values(self, one: Benchmark) -> tuple[float, ...]:
        """In each process that has it."""
        found = one.counter(self.counter) if self.counter else one.times
        return tuple(max(value, self.least) for value in found)


TIME = Metric()

_OF_FAMILY: Mapping[str, tuple[Metric, ...]] = {
    "cleanup": (Metric("drop_ns"),),
    "latency": (Metric("p50"), Metric("p99"), Metric("p99_9")),
    "overhead": (Metric("resident_bytes_per_byte", "bytes per byte"),),
    "fragmentation": (Metric("peak_resident_per_live_byte", "bytes per byte"),),
    "returned": (
        Metric("resident_share_0ms", "of the peak", least=0.01),
        Metric("resident_share_1000ms", "of the peak", least=0.01),
    ),
    # Not touched_bytes: how much memory is free is a matter of the moment, not of the malloc.
    "heap_limit": (Metric("granted_bytes", "bytes", more_is_worse=False),),
    "stack_limit": (Metric("frames", "calls", more_is_worse=False),),
}


def metrics_of(one: Benchmark) -> tuple[Metric, ...]:
    """The figures this benchmark was measured for; none where it has nothing that can be judged."""
    own = _OF_FAMILY.get(one.name.family, (TIME,))
    return tuple(each for each in own if not each.counter or one.counter(each.counter))


def metric_of(named: str) -> Metric:
    """The figure of a name that `figure.named` made; of a counter that is no figure any more, what is known of it."""
    name, _, counter = named.partition(" ")
    own = _OF_FAMILY.get(BenchmarkName.parse(name).family, (TIME,))
    return next((each for each in own if each.counter == counter), Metric(counter))
