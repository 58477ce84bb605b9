"""Which processes were disturbed while they measured a benchmark? A disturbed process names its part of a family: an
expression, which comes with the file."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

# A part of the refinement lists its benchmarks: a choice between plain names.
_LISTED = re.compile(r"\^(?:([\w/:-]*)|\(((?:[\w/:|-]|\\[.+])*)\))\$")
# Other parts. A short expression with nested repetitions would be searched for years.
_PLAIN = re.compile(r"[\w^$/:.-]*(?:\.\*[\w^$/:.-]*){0,2}")
# Of the parts of one family in its benchmarks: seconds. Honest runs have fewer than a tenth.
MOST_SEARCHES = 1_000_000


@dataclass(frozen=True)
class DisturbedParts:
    """The disturbed processes of a family, by what they measured."""

    of_benchmark: Mapping[str, Sequence[AbstractSet[int]]]  # of parts that list their benchmarks
    of_part: Sequence[tuple[Callable[[str], bool], AbstractSet[int]]]  # of all others, and whether it selects a name

    @staticmethod
    def among(benchmarks: int, units: Iterable[tuple[str, int]]) -> DisturbedParts:
        """Of a family with so many benchmarks: the part and the process of each disturbed unit.

        An expression that cannot be read, or of which there are so many that to search for them would take minutes, is
        taken to select the whole family.
        """
        by_part: defaultdict[str, set[int]] = defaultdict(set)
        for part, process in units:
            by_part[part].add(process)
        of_benchmark: defaultdict[str, list[AbstractSet[int]]] = defaultdict(list)
        searched = {}
        for part, processes in by_part.items():
            if listed := _LISTED.fullmatch(part):
                for name in set((listed[1] or listed[2] or "").replace("\\", "").split("|")):
                    of_benchmark[name].append(processes)
            else:
                searched[part] = processes
        if len(searched) * benchmarks > MOST_SEARCHES:
            return DisturbedParts(of_benchmark, [(_everything, set().union(*searched.values()))])
        return DisturbedParts(of_benchmark, [(selection(part), own) for part, own in searched.items()])

    def processes(self, name: str, measured: AbstractSet[int]) -> AbstractSet[int]:
        """Which of the processes that measured the benchmark of this name were disturbed."""
        selected = (processes for selects, processes in self.of_part if selects(name))
        return set().union(*(own & measured for own in (*self.of_benchmark.get(name, ()), *selected)))


def selection(part: str) -> Callable[[str], bool]:
    """Whether the expression of a part selects a name. It takes as long as the name and the expression are."""
    if not _PLAIN.fullmatch(part):
        return _everything
    pieces = [re.compile(piece) for piece in part.split(".*")]

    def selects(name: str) -> bool:
        at = 0
        for piece in pieces:  # the earliest place of each leaves the most room for the next
            found = piece.search(name, at)
            if found is None:
                return False
            at = found.end()
        return True

    return selects


def _everything(name: str) -> bool:
    return True
