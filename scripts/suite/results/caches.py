"""Which caches does a run show? The system reports sizes; the curve of `chase` over its set says what is there.

A guest is told of a last cache that it shares with others: of 32 MiB reported, 8 may be left. So a level has a name only
where the curve shows it, and its end is where the curve rises towards the next level.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from suite.base.text import bytes_text
from suite.results import query
from suite.results.model import Benchmark, Run, cache_levels

FAMILY, HOME = "chase", "heap"
WINDOW = "window"  # the parameter of a walk that stays in so many pages at a time
WINDOW_TEXT = "4,096 loads in 64 pages, then in others"

BELOW = 2  # a level shows in a set of at least so many times the level below, which then holds at most half of it
# The time of a level is that of a set of so many times the level below. A walk comes back to each line in a new random order:
# at a half (BELOW), the level below has still kept a line in one load of six, at a quarter in one of thirty.
CLEAR = 4
FLAT = 1.3  # the next larger set costs at most so many times as much
NEAR = 0.5  # of memory's time: a level costs less


@dataclass(frozen=True)
class Level:
    """A cache that the curve shows."""

    name: str  # L1, L2 or L3
    reported: int  # bytes, by the system
    size: int  # of the set whose time is that of the level: CLEAR, where the level holds such a set
    end: int  # the largest measured set that the level holds
    is_whole: bool  # no measured set that is smaller than the reported size is larger than the end

    @property
    def text(self) -> str:
        """`of the 32 MiB L3 that the system reports, about 8 MiB are yours`; empty where the level is as reported."""
        if self.is_whole:
            return ""
        return f"of the {bytes_text(self.reported)} {self.name} that the system reports, about {bytes_text(self.end)} are yours"


@dataclass(frozen=True)
class Hidden:
    """A cache that the system reports, and the curve does not show."""

    name: str
    reported: int
    size: int | None  # the set that would have its time, if such a set was measured

    @property
    def text(self) -> str:
        return f"the {self.name} of {bytes_text(self.reported)} that the system reports does not show"


@dataclass(frozen=True)
class Caches:
    levels: tuple[Level, ...] = ()
    hidden: tuple[Hidden, ...] = ()
    beyond: float = math.inf  # from this size on, a set is surely beyond all caches

    def is_memory(self, size: int) -> bool:
        return size >= self.beyond

    def place(self, size: int) -> str:
        """The level that holds a set: "L1", ..., "memory", or empty where the curve does not show it."""
        if self.is_memory(size):
            return "memory"
        return next((level.name for level in self.levels if level.size <= size <= level.end), "")

    def named(self, sizes: Iterable[int]) -> dict[str, int]:
        """Of these sets, a set for each level that the curve shows, and the largest. A set whose level does not show is
        called by its size."""
        measured = set(sizes)
        sets = {f"the {level.name} cache": level.size for level in self.levels}
        sets |= {bytes_text(level.size): level.size for level in self.hidden if level.size is not None}
        named = {name: size for name, size in sets.items() if size in measured}
        largest = max(measured, default=None)
        if largest is not None and largest not in named.values():
            named["memory" if self.is_memory(largest) else bytes_text(largest)] = largest
        return named

    @property
    def guides(self) -> list[tuple[float, str]]:
        """Where the levels end, for a chart over bytes: as reported, or where the curve shows that less is there."""
        ends = {level.name: level.reported if level.is_whole else level.end for level in self.levels}
        return [(float(end), f"{name} {bytes_text(end)}") for name, end in ends.items()]

    @property
    def text(self) -> str:
        """Which levels end before their reported size, and which does the curve not show? Empty where all is as reported."""
        shown, hidden = (level.text for level in self.levels), (level.text for level in self.hidden)
        return "; ".join(filter(None, (*shown, *hidden)))


def chased(run: Run, order: str = "random", home: str = HOME) -> dict[int, Benchmark]:
    """The walks through all pages of a set, by the bytes of the set."""
    walks = run.series(FAMILY, order=order, home=home)
    return query.by_number((walk for walk in walks if WINDOW not in walk.name.parameters), "bytes")


def chased_by_home(run: Run, size: int, order: str = "random") -> dict[str, Benchmark]:
    """The walks through all pages of a set of this size, by the kind of storage."""
    walks = run.series(FAMILY, None, order=order, bytes=size)
    return {
        walk.name.parameters["home"]: walk
        for walk in walks
        if "home" in walk.name.parameters and WINDOW not in walk.name.parameters
    }


def chased_in_windows(run: Run) -> dict[int, Benchmark]:
    """The walks almost without page walks, by the bytes of the set."""
    walks = run.series(FAMILY, order="random", home=HOME)
    return query.by_number((walk for walk in walks if WINDOW in walk.name.parameters), "bytes")


def caches_of(run: Run) -> Caches:
    """What the random walks show of the caches that the system reports."""
    return caches_in(query.middles(query.medians(chased(run))), cache_levels(run))


def reported_text(run: Run) -> str:
    """`reported 32 KiB L1, 1 MiB L2, 32 MiB L3 (about 8 MiB yours)`; empty where the system reports no cache."""
    yours = {level.name: f" (about {bytes_text(level.end)} yours)" for level in caches_of(run).levels if not level.is_whole}
    levels = [f"{bytes_text(size)} {name}{yours.get(name, '')}" for name, size in cache_levels(run)]
    return f"reported {', '.join(levels)}" if levels else ""


def caches_in(curve: Mapping[int, float], reported: list[tuple[str, int]]) -> Caches:
    """`curve` is the time of a load by the bytes of the set, ascending. Levels that were not reported cannot be named: their
    time is not told apart from that of the next."""
    sizes = list(curve)
    if not sizes or not reported:
        return Caches()
    largest = sizes[-1]
    shown: list[tuple[str, int, int]] = []
    hidden: list[Hidden] = []
    known, below_is_known, below = dict(reported), True, 0
    for name in ("L1", "L2", "L3"):
        held = known.get(name, 0)
        size = next((size for size in sizes if BELOW * below <= size <= held // 2), None) if below_is_known else None
        if size is not None and _is_flat(curve, size) and curve[size] < NEAR * curve[largest]:
            shown.append((name, held, _clear_of(below, curve, size, held)))
        elif held:
            hidden.append(Hidden(name, held, size))
        below_is_known, below = bool(held), held
    beyond = [curve[size] for _, _, size in shown[1:]] + [curve[largest]]
    levels = tuple(
        _level(curve, name, held, size, math.sqrt(curve[size] * after_it))
        for (name, held, size), after_it in zip(shown, beyond)
    )
    return Caches(levels, tuple(hidden), BELOW * max(size for _, size in reported))


def _clear_of(below: int, curve: Mapping[int, float], size: int, held: int) -> int:
    """The set that the level below holds only a small part of, if it still costs about as much as the smaller set."""
    clear = next((larger for larger in curve if CLEAR * below <= larger <= held // 2), size)
    return clear if curve[clear] <= FLAT * curve[size] else size


def _is_flat(curve: Mapping[int, float], size: int) -> bool:
    """Whether the next larger set costs about as much."""
    after = next((curve[larger] for larger in curve if larger > size), math.inf)
    return max(after, curve[size]) <= FLAT * min(after, curve[size])


def _level(curve: Mapping[int, float], name: str, reported: int, size: int, limit: float) -> Level:
    """The level ends at the last set before the time passes the limit."""
    end = size
    for larger in (larger for larger in curve if larger > size):
        if curve[larger] > limit:
            break
        end = larger
    return Level(name, reported, size, end, not any(end < measured < reported for measured in curve))
