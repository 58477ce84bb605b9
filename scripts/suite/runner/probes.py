"""What do the program's probes say about others, who share its core, its cache and the host of its processors?

Nobody knows how long a probe takes on a quiet machine before a run has seen it: each reading is held against the quietest
tenth of all readings of the run, also of those that came later.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from suite.results.model import LINE_TRIP, MOST_TAKEN, SHARED_CACHE, Document, Unit
from suite.results.read import cycles_of_eight_additions, mean_counter

# A virtual machine does not show which threads share a physical core; two threads on one core take up to half of it each.
MOST_CORE_TAKEN = 0.2


@dataclass(frozen=True)
class Probe:
    """A probe of what a process shares with others. The names are fields of a unit."""

    reading: str
    taken: str  # the share of the reading that is due to others
    read: Callable[[Document], float | None]
    most_taken: float  # by others, in a quiet process
    reason: Callable[[float], str]


PROBES = (
    Probe(
        "cycles_of_eight_additions", "core_taken", cycles_of_eight_additions, MOST_CORE_TAKEN,
        lambda taken: f"another thread took {100 * taken:.0f} % of its core",
    ),
    Probe(
        SHARED_CACHE, "cache_taken", lambda document: mean_counter(document, SHARED_CACHE), MOST_TAKEN,
        lambda taken: f"a load from the shared cache took {1 / (1 - taken):.1f} times as long",
    ),
    Probe(
        LINE_TRIP, "trip_taken", lambda document: mean_counter(document, LINE_TRIP), MOST_TAKEN,
        lambda taken: f"a cache line took {1 / (1 - taken):.1f} times as long from core to core",
    ),
)  # fmt: skip


def readings_of(document: Document) -> dict[str, float | None]:
    """The fields of a unit that hold what its probes read; None where the program did not use the probe."""
    return {probe.reading: probe.read(document) for probe in PROBES}


def quietest_of(units: Iterable[Unit]) -> dict[str, float]:
    """The quietest tenth of each probe's readings, by the name of the reading."""
    quietest: dict[str, float] = {}
    units = list(units)
    for probe in PROBES:
        readings: list[float] = sorted(filter(None, (getattr(unit, probe.reading) for unit in units)))
        if readings:
            quietest[probe.reading] = readings[len(readings) // 10]
    return quietest


def judged(unit: Unit, quietest: Mapping[str, float]) -> Unit:
    """The unit as measured, with what others took by its probes, and the reasons where that is too much."""
    taken: dict[str, float] = {}
    reasons = list(unit.reasons)
    for probe in PROBES:
        reading = getattr(unit, probe.reading)
        if reading and probe.reading in quietest:
            share = taken[probe.taken] = max(0.0, 1 - quietest[probe.reading] / reading)
            reasons += [probe.reason(share)] if probe.most_taken < share < 1.0 else []
    return dataclasses.replace(unit, **taken, reasons=tuple(reasons), disturbed=bool(reasons))
