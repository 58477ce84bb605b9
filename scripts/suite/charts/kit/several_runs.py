"""By which figures of a chart are several runs compared? By the figures of the OVERLAY in its file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.run_names import OverlaidRun
from suite.results import control, query
from suite.results.caches import reported_text
from suite.results.model import Benchmark, Run

Key = str | int  # a row, or a place of the quantity
PerProcess = Mapping[Key, Mapping[int, float]]  # what each process measured, by its number
Panels = Mapping[str, PerProcess]  # by the panel's title

TIME = "Time, log scale"
GROWTH = "As a multiple of one thread's, log scale"
MULTIPLES = forms.Scale(phrases.times)
_MACHINES_A_LINE = 3


@dataclass(frozen=True)
class Overlay:
    """Which figures of each run are compared, and the words for their comparison."""

    subject: str  # of the title's sentence, with its verb
    subtitle: str
    panels: Callable[[Run], Panels]  # the chart's title compares the first
    by: str  # what the figures differ in
    over: forms.Number | None = None  # a line for each run over a quantity with this text; None: a row for each key
    axes: Mapping[str, forms.Scale] = field(default_factory=dict)  # by the panel's title, where it is not a time
    caches: bool = False  # the quantity is bytes of memory that is walked


OwnOverlay = Callable[[Sequence[OverlaidRun], Look], Drawing | None]  # of a chart that draws several runs itself


# ---- which figures


class MostlyControl(dict[int, float]):
    """What each process measured of a benchmark whose time is mostly that of its family's control."""


def process_times(run: Run, benchmarks: Mapping[Any, Benchmark]) -> PerProcess:
    times: dict[Key, Mapping[int, float]] = {}
    for name, benchmark in benchmarks.items():
        kind = MostlyControl if control.is_mostly_control(run, benchmark) else dict
        times[name] = kind((sample.process, sample.ns) for sample in benchmark.samples)
    return times


def process_counts(benchmark: Benchmark, counter: str) -> Mapping[int, float]:
    return {sample.process: sample.counters[counter] for sample in benchmark.samples if counter in sample.counters}


def default_malloc(run: Run, family: str) -> str:
    """The malloc of a program that does not choose another."""
    malloc = str(run.context.get("process_malloc"))
    return malloc if malloc in run.strategies(family) else "new_delete"


def strategy_times(run: Run, family: str, **parameters: object) -> PerProcess:
    return process_times(run, query.by_strategy(run.series(family, None, **parameters)))


def times_over_threads(family: str, workload: str = "") -> Callable[[Run], Panels]:
    """The time of an operation of the default malloc, by the number of threads that do the same; of the longest workload
    where the family has a parameter with that name."""

    def panels(run: Run) -> Panels:
        parameters = query.longest(run, family, workload)
        times = process_times(run, query.over(run, "threads", family, default_malloc(run, family), **parameters))
        alone = times.get(1, {})
        growth = {
            threads: {process: ns / alone[process] for process, ns in times_of_number.items() if alone.get(process)}
            for threads, times_of_number in times.items()
        }
        return {TIME: times, GROWTH: growth}

    return panels


def size_text(count: float) -> str:
    """A size in the largest unit if it is a multiple of 1 KiB, else in bytes."""
    return bytes_text(int(count)) if count % 1024 == 0 or count < 1024 else f"{count:,.0f} B"


# ---- on which page


class OverlayPage(Page):
    """A page of several runs: the footer names each run's machine."""

    def __init__(
        self, shown: Sequence[OverlaidRun], look: Look, family: str, names: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        first = shown[0].run
        units = tuple(unit for overlaid in shown for unit in overlaid.run.units)
        super().__init__(replace(first, account=replace(first.account, units=units)), look, family, names)
        self.machines = _machines(shown)

    def _left_out(self) -> str:
        return ""

    def _machine(self) -> str:
        number = len(self.machines)
        most = math.ceil(number / math.ceil(number / _MACHINES_A_LINE))
        lines = [self.machines[start : start + most] for start in range(0, number, most)]
        return "\n".join(" · ".join(self._short(machine, len(line)) for machine in line) for line in lines)

    def _short(self, text: str, parts: int) -> str:
        """Cut to its part of the line, so that every run is named."""
        room = 0.92 * self.look.sheet.width / parts - self.text_width(" · ")
        short = text
        while self.text_width(short) > room:
            short = f"{short[:-2].rstrip(' ,')}…"
        return short


def _machines(shown: Sequence[OverlaidRun]) -> list[str]:
    """The facts about each run's machine. Runs with the same facts share a text."""
    labels_of: dict[str, list[str]] = {}
    for overlaid in shown:
        cores = overlaid.run.fact("cores")
        facts = [phrases.count(cores, "core")] if cores else []
        facts += [caches] if (caches := reported_text(overlaid.run)) else []
        labels_of.setdefault(", ".join(facts) or "unknown machine", []).append(overlaid.label)
    return [f"{', '.join(labels)}: {machine}" for machine, labels in labels_of.items()]
