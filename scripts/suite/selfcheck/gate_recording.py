"""What does the gate measure when the truth is known? Records a program against itself, and with planted slowdowns.

The program is built from tests/planted: both sides have the same code, with a chain of additions after each stretch of
work. On the slower side the chain is longer, by the planted slowdown. Quiet and noisy turns (beside a bad neighbour, a
program that disturbs on purpose) alternate.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import shlex
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from suite.base.errors import BadInput, UnitFailed
from suite.base.files import write_whole
from suite.base.text import one_line
from suite.gate.pairs_file import Pair, decode_pair, encode_pair, positive, shortened
from suite.results.model import CORE_SHARE, WALL_NS, Sample
from suite.results.read import BadResult, sample_of, times_of
from suite.runner.program import Catalogue, Part, Program, ask, measure_part
from suite.runner.signals import signals_as_interrupts
from suite.stats.estimates import median

QUIET, NOISY = "quiet", "noisy"
CONDITIONS = (QUIET, NOISY)
SAME_ON_BOTH_SIDES = 0
SLOWDOWNS = (SAME_ON_BOTH_SIDES, 1, 2, 5)  # percent
# The processes of each benchmark in a turn, by slowdown, in order: two adjacent processes are a pair. A process in the
# middle belongs to two pairs, and no suite contains both.
CHAINS = ((1, 0, 0, 2), (0, 5))
PROFILE = "quick"
REPEATED = ("--benchmark_repetitions=5", "--benchmark_min_time=0.01")
BENCHMARKS = (
    "arithmetic/operation:add",
    "arithmetic/operation:multiply",
    "chase/bytes:16384",
    "chase/bytes:524288",
    "chase/bytes:16777216",
    "copy/bytes:16384",
    "copy/bytes:1048576",
    "pairs/glibc/bytes:64",
    "pairs/jemalloc/bytes:64",
    "pairs/mimalloc/bytes:64",
    "pairs/tcmalloc/bytes:64",
    "churn/glibc/live:1000",
    "churn/jemalloc/live:1000",
    "private/glibc/threads:2",
)
REPETITIONS = 10  # of each benchmark, in the process whose times the rules of other tools get
RUNS_EVERY = 8  # turns: the rules of other tools judge whole runs, which take as long as several turns
PLAIN_RUNS = 2  # in each such turn, so that two runs can be compared
CALIBRATIONS = 7  # processes that measure the length of a stretch of work, before the first turn
SECONDS_LIMIT = 60.0  # of one process
MOST_FAILURES = 3  # of processes; after each, the turn is repeated
MOST_BYTES = 1 << 26  # of a recording, unpacked: a hundred times the size of twenty minutes
COUNTED = ("ns_per_addition", CORE_SHARE, "cycles", "instructions", WALL_NS)  # recorded beside the time

FACTS = ("compiler", "build_flags", "topology", "counters")  # of the program's context, which the recording contains

Repetitions = Mapping[str, tuple[float, ...]]  # ns of each benchmark, in one process


@dataclass(frozen=True)
class Turn:
    """One measurement of every pair, close together in time."""

    pairs: Mapping[int, Mapping[str, Pair]]  # by slowdown in percent, then by benchmark
    runs: Mapping[int, tuple[Repetitions, ...]]  # by slowdown; empty in most turns


@dataclass(frozen=True)
class Recording:
    """Turns with known slowdowns."""

    seed: int
    facts: Mapping[str, str]  # where and how it was recorded
    benchmarks: tuple[str, ...]
    turns: Mapping[str, tuple[Turn, ...]]  # by condition


# ---- measuring


@dataclass(frozen=True)
class PlantedPrograms:
    """The program with each slowdown: for each a folder with a `stackheap` in it, like a build folder."""

    folder: Path
    planted: Path

    def make(self, additions: Mapping[int, Mapping[str, int]]) -> None:
        """Writes each side; `additions` are the numbers after each stretch, by slowdown and benchmark."""
        for percent in SLOWDOWNS:
            script = self.executable(percent)
            script.parent.mkdir(exist_ok=True)
            orders = script.parent / "additions"
            lines = (f"{name} {number}\n" for name, number in additions.get(percent, {}).items())
            orders.write_text("".join(lines), encoding="utf-8")
            named, program_file = shlex.quote(str(orders)), shlex.quote(str(self.planted))
            script.write_text(f'#!/bin/sh\nPLANTED={named} exec {program_file} "$@"\n', encoding="utf-8")
            script.chmod(0o755)

    def executable(self, percent: int) -> Path:
        return self.folder / f"slower-{percent}" / "stackheap"  # paths of one length: a longer one moves the stack


@dataclass(frozen=True)
class Recorder:
    """Measures turns."""

    programs: PlantedPrograms
    neighbour: Path
    catalogue: Catalogue
    benchmarks: tuple[str, ...]
    order: random.Random

    def turn(self, condition: str, with_runs: bool) -> Turn:
        with self._surroundings(condition):
            pairs: dict[int, dict[str, Pair]] = {percent: {} for percent in SLOWDOWNS}
            for chain, name in self._shuffled([(chain, name) for chain in CHAINS for name in self.benchmarks]):
                for before, after, pair in zip(chain, chain[1:], self._pairs(chain, name)):
                    pairs[before + after][name] = pair
            runs: dict[int, tuple[Repetitions, ...]] = dict.fromkeys(SLOWDOWNS, ())
            plain = [SAME_ON_BOTH_SIDES] * (PLAIN_RUNS - 1)
            for percent in self._shuffled([*SLOWDOWNS, *plain]) if with_runs else ():
                runs[percent] += (self._run(percent),)
        return Turn(pairs, runs)

    def stretches(self, name: str) -> list[float]:
        """The core cycles between two delays, measured in several processes."""
        return [_cycles_of_a_stretch(self._sample(SAME_ON_BOTH_SIDES, name)) for _ in range(CALIBRATIONS)]

    def _pairs(self, chain: Sequence[int], name: str) -> list[Pair]:
        """Measures the pairs of a chain, forwards or backwards."""
        forwards = self.order.random() < 0.5
        samples = [self._sample(percent, name) for percent in (chain if forwards else reversed(chain))]
        ends = list(zip(chain, samples if forwards else reversed(samples)))
        pairs = []
        for (before, left), (_, right) in zip(ends, ends[1:]):
            left_is_old = before == SAME_ON_BOTH_SIDES
            old, new = (left, right) if left_is_old else (right, left)
            pairs.append(Pair(old, new, old_first=forwards == left_is_old))
        return pairs

    def _sample(self, percent: int, name: str) -> Sample:
        program = Program(self.programs.executable(percent), PROFILE, only=f"^{name}$", options=REPEATED)
        document, _ = measure_part(program, self._part(name), self.programs.folder, SECONDS_LIMIT)
        try:
            return sample_of(document, name)
        except ValueError as error:
            raise UnitFailed(str(error)) from None

    def _run(self, percent: int) -> Repetitions:
        """Runs one process with several repetitions of every benchmark, each as long as the profile says."""
        program = Program(
            self.programs.executable(percent), PROFILE, options=(f"--benchmark_repetitions={REPETITIONS}",)
        )
        everything = "^(" + "|".join(self.benchmarks) + ")$"
        part = replace(self._part(self.benchmarks[0]), expression=everything)
        document, _ = measure_part(program, part, self.programs.folder, SECONDS_LIMIT)
        try:
            return {name: times_of(document, name) for name in self.benchmarks}
        except ValueError as error:
            raise UnitFailed(str(error)) from None

    def _part(self, name: str) -> Part:
        part = next(part for part in self.catalogue.parts if name in part.benchmarks)
        return replace(part, expression=f"^{name}$", benchmarks=(name,))

    def _shuffled(self, items: list[Any]) -> list[Any]:
        self.order.shuffle(items)
        return items

    @contextlib.contextmanager
    def _surroundings(self, condition: str) -> Iterator[None]:
        """Runs a bad neighbour in the noisy condition: on another core than the benchmark's, if there is another."""
        if condition == QUIET:
            yield
            return
        processors = sorted(os.sched_getaffinity(0))
        pinned = [str(processors[-1])] if len(processors) > 1 else []
        command = [str(self.neighbour), str(self.order.randrange(1 << 32)), *pinned]
        silent = subprocess.DEVNULL
        with subprocess.Popen(command, stdin=silent, stdout=silent, stderr=silent) as child:
            try:
                yield
                if child.poll() is not None:
                    raise UnitFailed(f"the neighbour ended with exit code {child.returncode}")
            finally:
                child.kill()


def _cycles_of_a_stretch(sample: Sample) -> float:
    return (sample.cycles or 0.0) * sample.counters["operations_per_delay"]


ShareObserver = Callable[[float, str], None]  # gets the share of the time that is over, and the current activity


def record(planted: Path, neighbour: Path, folder: Path, minutes: float, seed: int, watch: ShareObserver) -> Recording:
    """Records turns for this many minutes, at least one of each condition; an interrupt keeps the complete turns.

    Raises UnitFailed, BadInput, OSError.
    """
    with signals_as_interrupts():
        return _record(PlantedPrograms(folder, planted), neighbour, minutes, seed, watch)


def _record(programs: PlantedPrograms, neighbour: Path, minutes: float, seed: int, watch: ShareObserver) -> Recording:
    start = time.monotonic()
    programs.make({})
    catalogue = ask(Program(programs.executable(SAME_ON_BOTH_SIDES), PROFILE))
    benchmarks = tuple(name for name in BENCHMARKS if name in catalogue.benchmarks)
    if not benchmarks:
        raise BadInput(f"{programs.planted} has none of the benchmarks to record: {', '.join(BENCHMARKS)}")
    measuring = Recorder(programs, neighbour, catalogue, benchmarks, random.Random(seed))
    watch(0.0, "calibrating")
    stretches = {name: measuring.stretches(name) for name in benchmarks}
    turns: dict[str, list[Turn]] = {condition: [] for condition in CONDITIONS}
    failures = 0
    try:
        while not turns[NOISY] or time.monotonic() - start < 60 * minutes:
            condition = min(CONDITIONS, key=lambda name: len(turns[name]))
            condition_turns = turns[condition]
            watch((time.monotonic() - start) / (60 * minutes), f"turn {len(condition_turns) + 1}, {condition}")
            programs.make({
                percent: {name: round(median(cycles) * percent / 100) for name, cycles in stretches.items()}
                for percent in SLOWDOWNS
            })  # fmt: skip
            try:
                condition_turns.append(measuring.turn(condition, len(condition_turns) % RUNS_EVERY == 0))
                if condition == QUIET:  # the length of a stretch is known better with every turn
                    for name, pair in condition_turns[-1].pairs[SAME_ON_BOTH_SIDES].items():
                        stretches[name] += map(_cycles_of_a_stretch, (pair.old, pair.new))
            except UnitFailed:
                failures += 1
                if failures > MOST_FAILURES:
                    raise
    except KeyboardInterrupt:
        if not turns[NOISY]:
            raise
    facts = {key: catalogue.context[key] for key in FACTS if key in catalogue.context}
    facts["date"] = time.strftime("%Y-%m-%d")
    return Recording(
        seed, facts, benchmarks, {condition: tuple(condition_turns) for condition, condition_turns in turns.items()}
    )


# ---- the file


def write_recording(path: Path, recording: Recording) -> None:
    """Writes a recording as packed JSON. Raises OSError."""
    document = {
        "evaluation": {
            "seed": recording.seed,
            "facts": dict(recording.facts),
            "benchmarks": list(recording.benchmarks),
        },
        "turns": {
            name: [_turn_written(recording.benchmarks, turn) for turn in condition_turns]
            for name, condition_turns in recording.turns.items()
        },
    }
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    write_whole(path, gzip.compress(text.encode(), mtime=0))


def _turn_written(names: Sequence[str], turn: Turn) -> Any:
    return {
        "pairs": {
            str(percent): [encode_pair(pairs[name], COUNTED) for name in names] for percent, pairs in turn.pairs.items()
        },
        "runs": {
            str(percent): [[[shortened(ns) for ns in repetitions[name]] for name in names] for repetitions in runs]
            for percent, runs in turn.runs.items()
            if runs
        },
    }


def read_recording(path: Path) -> Recording:
    """Reads a recording back. Raises BadResult."""
    try:
        with gzip.open(path) as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise BadResult(path, "does not exist") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise BadResult(path, "is not a recording: not packed by gzip, or cut off") from None
    except OSError as error:
        raise BadResult(path, f"cannot be read ({error.strerror})") from None
    if len(content) > MOST_BYTES:
        raise BadResult(path, "is too large to be a recording")
    try:
        return _recording_read(json.loads(content))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise BadResult(path, "is not a recording of turns, or is damaged") from None


def _recording_read(document: Any) -> Recording:
    header = document["evaluation"]
    names = tuple(one_line(str(name)) for name in header["benchmarks"])
    facts = {one_line(str(key)): one_line(str(value)) for key, value in header["facts"].items()}
    turns = {name: tuple(_turn_read(names, turn) for turn in document["turns"][name]) for name in CONDITIONS}
    if not names or len(set(names)) < len(names) or not all(turns.values()):
        raise ValueError("no benchmark or no turn was recorded, or a benchmark twice")
    return Recording(int(header["seed"]), facts, names, turns)


def _turn_read(names: Sequence[str], document: Any) -> Turn:
    pairs, runs = document["pairs"], document["runs"]
    return Turn(
        {
            percent: _by_name(names, [decode_pair(pair, COUNTED) for pair in pairs[str(percent)]])
            for percent in SLOWDOWNS
        },
        {
            percent: tuple(_repetitions_read(names, repetitions) for repetitions in runs.get(str(percent), ()))
            for percent in SLOWDOWNS
        },
    )


def _by_name(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    if len(values) != len(names):
        raise ValueError(f"{len(values)} values for {len(names)} benchmarks")
    return dict(zip(names, values))


def _repetitions_read(names: Sequence[str], document: Any) -> Repetitions:
    repetitions = [tuple(positive(ns) for ns in times) for times in document]
    if any(len(times) != REPETITIONS for times in repetitions):
        raise ValueError(f"not {REPETITIONS} repetitions")
    return _by_name(names, repetitions)
