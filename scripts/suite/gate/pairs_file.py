"""What does a file of pairs hold, and a calibration?"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.base.files import write_json
from suite.base.text import one_line
from suite.results.model import CORE_SHARE, Document, Sample
from suite.results.read import BadResult, read_json


@dataclass(frozen=True)
class Pair:
    """One turn of a duet: two fresh processes, one of each side, one right after the other."""

    old: Sample
    new: Sample
    old_first: bool
    old_layout: int = 0  # which of the side's builds, that differ in layout alone
    new_layout: int = 0

    def log_ratio(self, counter: str) -> float | None:
        """The logarithm of new over old, of a counter; None where one of them has none."""
        old, new = (sample.counters.get(counter, 0.0) for sample in (self.old, self.new))
        return math.log(new / old) if min(old, new) > 0.0 else None

    @property
    def unlike(self) -> float:
        """How far apart the work of others on the same physical core was for its two processes: by as much, of the
        logarithm, the time of additions differs that keep that core busy. 0 where none was timed."""
        return abs(self.log_ratio(CORE_SHARE) or 0.0)


@dataclass(frozen=True)
class Side:
    """What was measured: a build, a revision, a malloc or a file."""

    label: str  # as the user names it
    facts: Mapping[str, str] = field(default_factory=dict)  # compiler, malloc, file, commit: what tells it apart


@dataclass(frozen=True)
class RecordedPairs:
    """All that a duet measured, so that its verdict can be made again."""

    old: Side
    new: Side
    seed: int  # of the order within pairs
    pairs: Mapping[str, tuple[Pair, ...]]  # by benchmark
    controls: Mapping[str, tuple[Pair, ...]] = field(default_factory=dict)  # by what they control
    problems: tuple[str, ...] = ()  # what could not be measured, and why
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """What a machine's gate does when a side is compared with itself."""

    floors: Mapping[str, float]  # by benchmark: it moves no further against itself, as a share
    false_alarms: int  # simulated comparisons with itself that failed
    simulated: int
    least_found: float | None  # the smallest slowdown that is found nine times in ten, as a share; None: none tried was
    seed: int


def write_pairs(path: Path, recorded: RecordedPairs) -> None:
    """Writes a duet's pairs, each as [old, new, old was first, old's layout, new's layout]. Raises OSError."""
    header = {"old": dataclasses.asdict(recorded.old), "new": dataclasses.asdict(recorded.new), "seed": recorded.seed}
    header |= {"problems": recorded.problems, "warnings": recorded.warnings}
    pairs = {key: _pairs_written(getattr(recorded, key)) for key in ("pairs", "controls")}
    write_json(path, {"duet": header, **pairs}, indent=None)


def _pairs_written(all_pairs: Mapping[str, Sequence[Pair]]) -> Document:
    def side_of(sample: Sample) -> Document:
        return {"ns": sample.ns, **sample.counters}

    return {
        name: [
            [side_of(pair.old), side_of(pair.new), pair.old_first, pair.old_layout, pair.new_layout] for pair in pairs
        ]
        for name, pairs in all_pairs.items()
    }


def read_pairs(path: Path) -> RecordedPairs:
    """Reads a duet's pairs back. Raises BadResult."""
    document = read_json(path)
    header = document.get("duet") if isinstance(document, dict) else None
    if not isinstance(header, dict):
        raise BadResult(path, "is JSON, but holds no pairs of a duet")
    try:
        return RecordedPairs(
            old=_side_read(header["old"]),
            new=_side_read(header["new"]),
            seed=int(header["seed"]),
            pairs={one_line(str(name)): tuple(map(_pair_read, pairs)) for name, pairs in document["pairs"].items()},
            controls={
                one_line(str(name)): tuple(map(_pair_read, pairs)) for name, pairs in document["controls"].items()
            },
            problems=tuple(one_line(str(text)) for text in header["problems"]),
            warnings=tuple(one_line(str(text)) for text in header["warnings"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadResult(path, "holds pairs of a duet that are damaged") from None


def write_calibration(path: Path, calibration: Calibration) -> None:
    write_json(path, {"calibration": dataclasses.asdict(calibration)})


def read_calibration(path: Path) -> Calibration:
    """Reads a calibration back. Raises BadResult."""
    document = read_json(path)
    header = document.get("calibration") if isinstance(document, dict) else None
    if not isinstance(header, dict):
        raise BadResult(path, "is JSON, but no calibration of a duet")
    try:
        floors = {one_line(str(name)): float(floor) for name, floor in header["floors"].items()}
        least = None if header["least_found"] is None else float(header["least_found"])
        calibration = Calibration(
            floors, int(header["false_alarms"]), int(header["simulated"]), least, int(header["seed"])
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadResult(path, "holds a calibration that is damaged") from None
    if not all(0.0 <= floor < math.inf for floor in floors.values()):
        raise BadResult(path, "holds a floor that is no share")
    return calibration


def _side_read(written: Document) -> Side:
    facts = {one_line(str(key)): one_line(str(value)) for key, value in written["facts"].items()}
    return Side(one_line(str(written["label"])), facts)


def _pair_read(written: Sequence[Any]) -> Pair:
    old, new, old_first, *layouts = written
    old_layout, new_layout = map(int, layouts)
    return Pair(_sample_read(old), _sample_read(new), bool(old_first), old_layout, new_layout)


def _sample_read(written: Document) -> Sample:
    counters = {str(key): float(value) for key, value in written.items()}
    ns = counters.pop("ns")
    if not 0.0 < ns < math.inf or not all(map(math.isfinite, counters.values())):
        raise ValueError("not a positive time, or no number")
    return Sample(0, ns, counters)
