"""What does a file of pairs contain, and a calibration?"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.base import foreign
from suite.base.files import write_json
from suite.base.text import one_line
from suite.results.metrics import DeclaredMetrics, declared_metrics, encode_metrics
from suite.results.model import Document, Sample
from suite.results.read import BadResult, read_json

MARKS = ("compare", "duet")  # the key of a file of pairs; files of earlier versions have the second
NS, CYCLES = "ns", "cycles"  # figures of every sample, beside its counters


@dataclass(frozen=True)
class Pair:
    """Two fresh processes of one benchmark, one for each side."""

    old: Sample  # the medians of its turns, for the reader
    new: Sample
    old_first: bool  # started first
    old_layout: int = 0  # the number of the side's build; the builds differ only in layout
    new_layout: int = 0
    log_ratios: Mapping[str, float] = field(default_factory=dict)  # by figure: the median of the rounds' log ratios
    spread: float | None = None  # the robust deviation of the rounds' log ratios of time; None: no turns

    def log_ratio(self, figure: str) -> float | None:
        """The logarithm of new over old, of NS, CYCLES or a counter; None where a process lacks it.

        Where the processes took turns, it is the median of the rounds'; otherwise that of the samples.
        """
        if figure in self.log_ratios:
            return self.log_ratios[figure]
        old, new = (figure_of(sample, figure) for sample in (self.old, self.new))
        return math.log(new / old) if min(old, new) > 0.0 else None


def figure_of(sample: Sample, figure: str) -> float:
    """NS, CYCLES or a counter of the sample; 0 where it has none."""
    if figure == NS:
        return sample.ns
    return (sample.cycles if figure == CYCLES else sample.counters.get(figure)) or 0.0


@dataclass(frozen=True)
class Side:
    """What was measured: a build, a revision, a malloc or a file."""

    label: str  # the user's name for it
    facts: Mapping[str, str] = field(default_factory=dict)  # compiler, malloc, file, commit


@dataclass(frozen=True)
class RecordedPairs:
    """Everything that scripts/compare measured, so that it can be judged again."""

    old: Side
    new: Side
    seed: int  # of the order within pairs
    pairs: Mapping[str, tuple[Pair, ...]]  # by benchmark
    controls: Mapping[str, tuple[Pair, ...]] = field(default_factory=dict)  # by the name of the control
    problems: tuple[str, ...] = ()  # benchmarks that could not be measured, and why
    warnings: tuple[str, ...] = ()
    metrics: DeclaredMetrics = field(default_factory=dict)  # as the programs declared them
    planned: int | None = None  # pairs that decide a benchmark; None: a file of an earlier version, which does not say
    seconds: Mapping[str, float] = field(default_factory=dict)  # by benchmark: for which its pairs were measured


@dataclass(frozen=True)
class Calibration:
    """How far a side moves on a machine when it is compared with itself, and how often the gate errs then."""

    floors: Mapping[str, float]  # by benchmark: the largest change against itself, as a share
    false_alarms: int  # simulated comparisons of the side with itself that failed
    simulated: int
    least_found: float | None  # the smallest slowdown that is found nine times in ten, as a share; None: no such
    seed: int


def write_pairs(path: Path, recorded: RecordedPairs) -> None:
    """Writes recorded pairs, each as `encode_pair` does. Raises OSError."""
    header = {"old": dataclasses.asdict(recorded.old), "new": dataclasses.asdict(recorded.new), "seed": recorded.seed}
    header |= {"problems": recorded.problems, "warnings": recorded.warnings}
    header |= {"families": encode_metrics(recorded.metrics), "planned": recorded.planned}
    header |= {"seconds": dict(recorded.seconds)}
    pairs = {key: _encode_all(getattr(recorded, key)) for key in ("pairs", "controls")}
    write_json(path, {MARKS[0]: header, **pairs}, indent=None)


def _encode_all(pairs_by_name: Mapping[str, Sequence[Pair]]) -> Document:
    return {name: [encode_pair(pair) for pair in pairs] for name, pairs in pairs_by_name.items()}


def read_pairs(path: Path) -> RecordedPairs:
    """Reads recorded pairs back. Raises BadResult."""
    document = read_json(path)
    marked = [document[mark] for mark in MARKS if mark in document] if isinstance(document, dict) else []
    if not marked or not isinstance(header := marked[0], dict):
        raise BadResult(path, "is JSON, but not a file of pairs from scripts/compare")
    try:
        return RecordedPairs(
            old=_decode_side(header["old"]),
            new=_decode_side(header["new"]),
            seed=int(header["seed"]),
            pairs=_decode_all(document["pairs"]),
            controls=_decode_all(document["controls"]),
            problems=tuple(one_line(str(text)) for text in header["problems"]),
            warnings=tuple(one_line(str(text)) for text in header["warnings"]),
            # What follows is absent in files of an earlier version.
            metrics=declared_metrics(header.get("families")),
            planned=None if header.get("planned") is None else int(header["planned"]),
            seconds={one_line(str(name)): positive(seconds) for name, seconds in header.get("seconds", {}).items()},
        )
    except foreign.OTHER_SHAPE:
        raise BadResult(path, "is a damaged file of pairs") from None


def _decode_all(document: Document) -> dict[str, tuple[Pair, ...]]:
    return {one_line(str(name)): tuple(map(decode_pair, pairs)) for name, pairs in document.items()}


def _decode_side(document: Document) -> Side:
    facts = {one_line(str(key)): one_line(str(value)) for key, value in document["facts"].items()}
    return Side(one_line(str(document["label"])), facts)


def write_calibration(path: Path, calibration: Calibration) -> None:
    write_json(path, {"calibration": dataclasses.asdict(calibration)})


def read_calibration(path: Path) -> Calibration:
    """Reads a calibration back. Raises BadResult."""
    document = read_json(path)
    header = document.get("calibration") if isinstance(document, dict) else None
    if not isinstance(header, dict):
        raise BadResult(path, "is JSON, but not a calibration from scripts/compare")
    try:
        floors = {one_line(str(name)): float(floor) for name, floor in header["floors"].items()}
        least = None if header["least_found"] is None else float(header["least_found"])
        calibration = Calibration(
            floors, int(header["false_alarms"]), int(header["simulated"]), least, int(header["seed"])
        )
    except foreign.OTHER_SHAPE:
        raise BadResult(path, "is a damaged calibration") from None
    if not all(0.0 <= floor < math.inf for floor in floors.values()):
        raise BadResult(path, "is a calibration with a floor that is not a finite share of 0 or more")
    return calibration


# ---- a pair in JSON, here and in the recordings of the gate's evaluation


def encode_pair(pair: Pair, columns: Sequence[str] = ()) -> list[Any]:
    """[old, new, old was first, old's layout, new's layout], and after it, where the processes took turns, the log ratios
    and their spread; a sample is an object of `ns` and its counters.

    With `columns` it is short: a sample is the list of its ns and these counters, null where it has none, with six
    significant figures, as the seventh is noise; the log ratios are a list likewise; and the layouts, of which there is
    one, are left out.
    """
    if columns:
        short = [_encode_row(pair.old, columns), _encode_row(pair.new, columns), int(pair.old_first)]
        if pair.spread is None:
            return short
        ratios = [pair.log_ratios.get(figure) for figure in (NS, *columns)]
        return [*short, [None if ratio is None else shortened(ratio) for ratio in ratios], shortened(pair.spread)]
    old, new = ({NS: sample.ns, **sample.counters} for sample in (pair.old, pair.new))
    whole = [old, new, pair.old_first, pair.old_layout, pair.new_layout]
    return whole if pair.spread is None else [*whole, dict(pair.log_ratios), pair.spread]


def decode_pair(document: Sequence[Any], columns: Sequence[str] = ()) -> Pair:
    """The reverse of `encode_pair`. Raises ValueError, TypeError or KeyError for what it does not write."""
    if columns:
        old, new, old_first, *turns = document
        log_ratios, spread = _decode_turns(turns, (NS, *columns))
        return Pair(
            _decode_row(old, columns), _decode_row(new, columns), bool(old_first), log_ratios=log_ratios, spread=spread
        )
    old, new, old_first, old_layout, new_layout, *turns = document
    log_ratios, spread = _decode_turns(turns)
    old, new = _decode_sample(old), _decode_sample(new)
    return Pair(old, new, bool(old_first), int(old_layout), int(new_layout), log_ratios, spread)


def _decode_turns(document: Sequence[Any], figures: Sequence[str] = ()) -> tuple[dict[str, float], float | None]:
    """The log ratios and their spread; with `figures`, the ratios are a list."""
    if not document:
        return {}, None
    written, spread = document
    if figures:
        if len(written) != len(figures):
            raise ValueError(f"{len(written)} log ratios instead of {len(figures)}")
        written = {figure: ratio for figure, ratio in zip(figures, written) if ratio is not None}
    log_ratios = {str(figure): float(ratio) for figure, ratio in written.items()}
    if not all(map(math.isfinite, (*log_ratios.values(), float(spread)))):
        raise ValueError("a log ratio is not finite")
    return log_ratios, float(spread)


def _encode_row(sample: Sample, columns: Sequence[str]) -> list[float | None]:
    counted = [shortened(sample.counters[key]) if key in sample.counters else None for key in columns]
    return [shortened(sample.ns), *counted]


def _decode_row(document: Sequence[Any], columns: Sequence[str]) -> Sample:
    ns, *counted = document
    if len(counted) != len(columns):
        raise ValueError(f"{len(counted)} counters instead of {len(columns)}")
    counters = {key: positive(value) for key, value in zip(columns, counted) if value is not None}
    return Sample(0, positive(ns), counters)


def _decode_sample(document: Document) -> Sample:
    counters = {str(key): float(value) for key, value in document.items()}
    ns = positive(counters.pop("ns"))
    if not all(map(math.isfinite, counters.values())):
        raise ValueError("a counter is not finite")
    return Sample(0, ns, counters)


def shortened(value: float) -> float:
    """With six significant figures."""
    return float(f"{value:.6g}")


def positive(value: Any) -> float:
    """The value, if it is a number above zero, and finite. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value < math.inf:
        raise ValueError(f"{value!r} is not a positive number")
    return float(value)
