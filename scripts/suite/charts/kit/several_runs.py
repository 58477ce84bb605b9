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
from suite.charts.kit.marks import Mark
from suite.results import control, query
from suite.results.caches import reported_text
from suite.results.model import Benchmark, Run, cpu_model
from suite.results.run_names import names_of
from suite.stats.estimates import median

Key = str | int  # a row, or a place of the quantity
PerProcess = Mapping[Key, Mapping[int, float]]  # what each process measured, by its number
Panels = Mapping[str, PerProcess]  # by the panel's title

TIME = "Time, log scale"
GROWTH = "As a multiple of one thread's, log scale"
MULTIPLES = forms.Scale(phrases.times)
_MOST_MACHINE_LINES = 3


@dataclass(frozen=True)
class Overlay:
    """Which figures of each run are compared, and the words for their comparison."""

    does: str  # what a run does in its time, for the title: `loads from memory in`
    quantity: str  # the same as a noun: `the time of a load from memory`
    subtitle: str
    panels: Callable[[Run], Panels]  # the chart's title compares the first
    keys: str  # what the figures are of, in the plural: `sizes`
    measure: str = "time"  # what less of is better
    largest: bool = False  # the title compares the figures at the largest quantity, else their geometric means
    over: forms.Number | None = None  # a line for each run over a quantity with this text; None: a row for each key
    axes: Mapping[str, forms.Scale] = field(default_factory=dict)  # by the panel's title, where it is not a time
    caches: bool = False  # the quantity is bytes of memory that is walked


# ---- which runs

# Chosen by search, as the strategies' colours, and different from them: distinguishable by every eye and in grey.
_MARKS = (
    Mark("#02a0c1", "#1befde", "o", "-"),
    Mark("#732d2b", "#aa7535", "s", "--"),
    Mark("#6727f8", "#509df8", "^", "-."),
    Mark("#927402", "#bfbc1a", "D", ":"),
    Mark("#070989", "#456895", "v", "--"),
    Mark("#0d0908", "#fbfc58", "P", "-"),
)


@dataclass(frozen=True)
class OverlaidRun:
    """A run among others, its name, and its mark."""

    run: Run
    name: str
    style: Mark


def named(runs: Sequence[Run]) -> list[OverlaidRun]:
    return [OverlaidRun(*of_run) for of_run in zip(runs, names_of(runs), _MARKS)]


OwnOverlay = Callable[[Sequence[OverlaidRun], Look], Drawing | None]  # of a chart that draws several runs itself


# ---- which figures


class Times(dict[int, float]):
    """What each process measured of a benchmark, and the median time of its control: zero where it has none."""

    def __init__(self, run: Run, benchmark: Benchmark) -> None:
        super().__init__((sample.process, sample.ns) for sample in benchmark.samples)
        alone = control.control_of(run, benchmark)
        self.control = median(alone.times) if alone else 0.0


def process_times(run: Run, benchmarks: Mapping[Any, Benchmark]) -> PerProcess:
    return {name: Times(run, benchmark) for name, benchmark in benchmarks.items()}


def process_counts(benchmark: Benchmark, counter: str) -> Mapping[int, float]:
    return {sample.process: sample.counters[counter] for sample in benchmark.samples if counter in sample.counters}


def strategy_times(run: Run, family: str, **parameters: object) -> PerProcess:
    return process_times(run, query.by_strategy(run.series(family, None, **parameters)))


def times_over_threads(family: str, workload: str = "") -> Callable[[Run], Panels]:
    """The time of an operation of the default malloc, by the number of threads that do the same; of the longest workload
    where the family has a parameter with that name."""

    def panels(run: Run) -> Panels:
        parameters = query.longest(run, family, workload)
        times = process_times(run, query.over(run, "threads", family, query.default_malloc(run, family), **parameters))
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
        self.shown, self.machines = shown, _machines(shown)

    def _left_out(self) -> str:
        return ""

    def _machine(self) -> str:
        """Whole facts if they fit, else without the caches, else cut so that every run is named."""
        room = self.room
        for machines in (self.machines, _machines(self.shown, with_caches=False)):
            lines = self._filled(machines, room)
            if len(lines) <= _MOST_MACHINE_LINES and all(self.text_width(line) <= room for line in lines):
                return "\n".join(lines)
        most = math.ceil(len(machines) / _MOST_MACHINE_LINES)
        cut = [self._short(machine, room / most - self.text_width(" · ")) for machine in machines]
        return "\n".join(" · ".join(cut[start : start + most]) for start in range(0, len(cut), most))

    def _filled(self, texts: Sequence[str], room: float) -> list[str]:
        """The texts in lines, as many in each as fit."""
        lines = [texts[0]]
        for text in texts[1:]:
            longer = f"{lines[-1]} · {text}"
            lines[-1:] = [longer] if self.text_width(longer) <= room else [lines[-1], text]
        return lines

    def _short(self, text: str, room: float) -> str:
        short = text
        while self.text_width(short) > room:
            short = f"{short[:-2].rstrip(' ,')}…"
        return short


def _machines(shown: Sequence[OverlaidRun], with_caches: bool = True) -> list[str]:
    """The facts about each run's machine. Runs with the same facts share a text."""
    names_of_facts: dict[str, list[str]] = {}
    for overlaid in shown:
        cores = overlaid.run.fact("cores")
        processor = cpu_model(overlaid.run)
        facts = [] if overlaid.name.startswith(processor) else [processor]
        facts += [phrases.count(cores, "core")] if cores else []
        facts += [caches] if with_caches and (caches := reported_text(overlaid.run)) else []
        names_of_facts.setdefault(", ".join(facts) or "unknown machine", []).append(overlaid.name)
    if len(names_of_facts) == 1 and len(shown) > 2:
        return [f"All runs: {machine}" for machine in names_of_facts]
    return [f"{', '.join(names)}: {machine}" for machine, names in names_of_facts.items()]
