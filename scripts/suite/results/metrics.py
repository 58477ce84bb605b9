"""Which numbers is a benchmark judged by? The program declares them by family: mostly the time of one operation.

Families that measure in a child process report its duration as their time, so they declare counters. `cleanup` times
making and dropping together, and declares the dropping; `latency` declares percentiles. A run that declares nothing is
the output of an earlier or another program: it is judged by times.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from suite.base import foreign
from suite.base.text import one_line
from suite.results.model import Benchmark, BenchmarkName, Document, Run


@dataclass(frozen=True)
class Metric:
    """A number that a benchmark is judged by."""

    counter: str = ""  # empty: the time of one operation
    unit: str = "ns"
    more_is_worse: bool = True
    least: float = 0.0  # smaller values are taken as this: 0 has no ratio to a small share

    @property
    def is_time(self) -> bool:
        return self.unit == "ns"

    def named(self, name: str) -> str:
        """The benchmark's name, with the counter if the metric is a counter."""
        return f"{name} {self.counter}" if self.counter else name

    def values(self, benchmark: Benchmark) -> tuple[float, ...]:
        """The number in each process that has it. A time of 0 is absent: the clock told nothing."""
        if not self.counter:
            return tuple(max(ns, self.least) for ns in benchmark.times)
        values = benchmark.counter(self.counter)
        return tuple(max(value, self.least) for value in values if value > 0.0 or not self.is_time)


TIME = Metric()
_COUNTER = re.compile(r"\w{0,100}")

DeclaredMetrics = Mapping[str, tuple[Metric, ...]]  # by family
UNDECLARED: DeclaredMetrics = {}


def declared_metrics(families: Any) -> DeclaredMetrics:
    """Reads the declarations of a program's list, of a result file, or of what `encode_metrics` gave.

    A family without a declaration, or with a declaration that cannot be read, is absent.
    """
    by_family = families if isinstance(families, Mapping) else {}
    declared = {str(name): _decoded(family) for name, family in by_family.items()}
    return {name: metrics for name, metrics in declared.items() if metrics}


def _decoded(family: Any) -> tuple[Metric, ...]:
    documents = family.get("metrics") if isinstance(family, Mapping) else None
    by_counter: dict[str, Metric] = {}
    for document in documents if isinstance(documents, list) else ():
        try:
            counter, unit, least = str(document["counter"]), one_line(str(document["unit"])), float(document["least"])
            more_is_worse = document["more_is_worse"]
        except foreign.OTHER_SHAPE:
            continue
        if _COUNTER.fullmatch(counter) and isinstance(more_is_worse, bool) and 0.0 <= least < math.inf:
            by_counter.setdefault(counter, Metric(counter, unit, more_is_worse, least))
    return tuple(by_counter.values())


def metrics_in(run: Run) -> DeclaredMetrics:
    """The declarations in the run's file."""
    return declared_metrics(run.account.about.get("families"))


def encode_metrics(declared: DeclaredMetrics) -> Document:
    """The declarations in JSON, as in a result file."""
    return {family: {"metrics": [asdict(metric) for metric in metrics]} for family, metrics in declared.items()}


def metrics_of(benchmark: Benchmark, declared: DeclaredMetrics) -> tuple[Metric, ...]:
    """The metrics of this benchmark; empty where no process has a number that can be judged."""
    metrics = declared.get(benchmark.name.family, (TIME,))
    return tuple(metric for metric in metrics if metric.values(benchmark))


def metric_of(series_name: str, declared: DeclaredMetrics) -> Metric:
    """The metric of a name that `Metric.named` made; `Metric(counter)` where the counter is not declared."""
    name, _, counter = series_name.partition(" ")
    metrics = declared.get(BenchmarkName.parse(name).family, ())
    return next((metric for metric in metrics if metric.counter == counter), Metric(counter))


# A counter whose family declares no unit says it in its name.
_KINDS_IN_NAMES = {
    r"_per_(live_)?byte$": "bytes per byte",
    r"per_second$": "per second",
    r"(^|_)share(_|$)": "share",
    r"(^|_)ns(_|$)|^p\d+(_\d+)?$|^(max|resolution)$": "time",
    r"(^|_)bytes$|^stack_re(served|sident)$": "bytes",
}


def kind_of(counter: str, declared_unit: str = "") -> str:
    """What the counter's numbers are, in words: numbers of two kinds are never compared."""
    if declared_unit:
        return "time" if declared_unit == TIME.unit else declared_unit
    return next((kind for name, kind in _KINDS_IN_NAMES.items() if re.search(name, counter)), "count")
