"""What does the gate measure when the truth is known? Records pairs of a program with itself, and with known slowdowns.

Two programs are recorded, each on both sides:

- *planted* (tests/planted), of whose operations a known share is made once more on the slower side;
- the suite itself, of which the gate's core set is measured, with a malloc whose calls multiply their argument by one
  (tests/planted/delayed_malloc.cpp), once or not at all.

Quiet and noisy turns (beside a bad neighbour, a program that disturbs on purpose) alternate.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from suite.base import foreign
from suite.base.errors import BadInput, UnitFailed
from suite.base.files import write_whole
from suite.base.text import one_line
from suite.gate.pair import PairMeter, rounds_for
from suite.gate.paired_run import select
from suite.gate.pairs_file import CYCLES, NS, Pair, decode_pair, encode_pair, positive, shortened
from suite.gate.sides import MALLOC
from suite.results.model import CORE_SHARE
from suite.results.read import BadResult, read_file, times_of
from suite.runner.program import Catalogue, Part, Program, ask, measure_part
from suite.runner.signals import signals_as_interrupts

QUIET, NOISY = "quiet", "noisy"
CONDITIONS = (QUIET, NOISY)
SAME_ON_BOTH_SIDES = 0
SLOWDOWNS = (SAME_ON_BOTH_SIDES, 1, 2, 5)  # percent of the operations of `planted`, made once more
MULTIPLICATIONS = (SAME_ON_BOTH_SIDES, 1)  # in each call of the malloc
PLANTED, CORE = "planted", "core"  # the sets of benchmarks
SLOWDOWNS_OF = {PLANTED: SLOWDOWNS, CORE: MULTIPLICATIONS}
PROFILE = "quick"  # as in scripts/compare
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
SECONDS_LIMIT = 60.0  # of one process
MOST_FAILURES = 3  # of processes; after each, the turn is repeated
COUNTED = ("ns_per_addition", CORE_SHARE, CYCLES)  # recorded beside the time

FACTS = ("compiler", "build_flags", "topology", "counters")  # of the program's context, which the recording contains

Repetitions = Mapping[str, tuple[float, ...]]  # ns of each benchmark, in one process


@dataclass(frozen=True)
class Turn:
    """One measurement of every pair, close together in time."""

    pairs: Mapping[str, Mapping[int, Mapping[str, Pair]]]  # by set, then by slowdown, then by benchmark
    seconds: Mapping[str, Mapping[str, float]]  # that the pair without a slowdown took, by set and benchmark
    runs: Mapping[int, tuple[Repetitions, ...]]  # of `planted`, by slowdown; empty in most turns


@dataclass(frozen=True)
class Recording:
    """Turns with known slowdowns."""

    seed: int
    facts: Mapping[str, str]  # where and how it was recorded
    benchmarks: Mapping[str, tuple[str, ...]]  # by set
    turns: Mapping[str, tuple[Turn, ...]]  # by condition


# ---- measuring


@dataclass(frozen=True)
class Built:
    """The files that a recording needs, as the build makes them."""

    planted: Path
    suite: Path
    delayed_malloc: Path
    neighbour: Path


@dataclass(frozen=True)
class SlowedProgram:
    """A program that is measured at several slowdowns, and its benchmarks."""

    programs: Mapping[int, Program]  # by slowdown
    catalogue: Catalogue
    benchmarks: tuple[str, ...]
    meter: PairMeter


def planted_program(built: Built, folder: Path, order: random.Random) -> SlowedProgram:
    """Raises BadInput if it has none of the benchmarks."""

    def slowed(percent: int) -> Program:
        return Program(built.planted, PROFILE, settings=(("PLANTED", str(percent)),))

    catalogue = ask(slowed(SAME_ON_BOTH_SIDES))
    benchmarks = tuple(name for name in BENCHMARKS if name in catalogue.benchmarks)
    if not benchmarks:
        raise BadInput(f"{built.planted} has none of the benchmarks to record: {', '.join(BENCHMARKS)}")
    programs = {percent: catalogue.prepared(slowed(percent)) for percent in SLOWDOWNS}
    return SlowedProgram(programs, catalogue, benchmarks, PairMeter(catalogue, catalogue, folder, order))


def core_set(built: Built, folder: Path, order: random.Random) -> SlowedProgram:
    """The suite with the delayed malloc; only the benchmarks that take turns, because others take too long."""

    def slowed(multiplications: int) -> Program:
        library = folder / f"{multiplications}.so"  # paths of one length: a longer one moves the stack
        shutil.copyfile(built.delayed_malloc, library)
        library.with_name(f"{library.name}.delay").write_text(f"{multiplications} libc.so.6\n", encoding="utf-8")
        return Program(built.suite, PROFILE, allocators=(f"{MALLOC}={library}",))

    all_slowed = {multiplications: slowed(multiplications) for multiplications in MULTIPLICATIONS}
    catalogue = ask(all_slowed[SAME_ON_BOTH_SIDES])
    names, _ = select(catalogue, catalogue, None, MALLOC)
    benchmarks = tuple(name for name in names if catalogue.turn_seconds(name))
    if not benchmarks:
        raise BadInput(f"{built.suite} has no benchmark in its core set that takes turns, and memory from a malloc")
    programs = {number: catalogue.prepared(program) for number, program in all_slowed.items()}
    return SlowedProgram(programs, catalogue, benchmarks, PairMeter(catalogue, catalogue, folder, order))


@dataclass
class Recorder:
    """Measures turns."""

    sets: Mapping[str, SlowedProgram]
    neighbour: Path
    folder: Path
    order: random.Random
    pairs_so_far: dict[tuple[str, str, int, str], list[Pair]] = field(default_factory=lambda: defaultdict(list))

    def turn(self, condition: str, with_runs: bool) -> Turn:
        pairs: dict[str, dict[int, dict[str, Pair]]] = {
            key: {slowdown: {} for slowdown in SLOWDOWNS_OF[key]} for key in self.sets
        }
        seconds: dict[str, dict[str, float]] = {key: {} for key in self.sets}
        due = [
            (key, slowdown, name)
            for key, slowed in self.sets.items()
            for slowdown in SLOWDOWNS_OF[key]
            for name in slowed.benchmarks
        ]
        with self._surroundings(condition):
            for key, slowdown, name in self._shuffled(due):
                start = time.monotonic()
                pairs[key][slowdown][name] = self._pair(condition, key, slowdown, name)
                if slowdown == SAME_ON_BOTH_SIDES:
                    seconds[key][name] = time.monotonic() - start
            runs: dict[int, tuple[Repetitions, ...]] = dict.fromkeys(SLOWDOWNS, ())
            plain = [SAME_ON_BOTH_SIDES] * (PLAIN_RUNS - 1)
            for percent in self._shuffled([*SLOWDOWNS, *plain]) if with_runs else ():
                runs[percent] += (self._run(percent),)
        return Turn(pairs, seconds, runs)

    def _pair(self, condition: str, key: str, slowdown: int, name: str) -> Pair:
        """Measures a pair as the gate does, which gives the benchmarks more rounds that need them."""
        slowed, so_far = self.sets[key], self.pairs_so_far[condition, key, slowdown, name]
        programs = slowed.programs
        pair = slowed.meter.pair(name, programs[SAME_ON_BOTH_SIDES], programs[slowdown], rounds_for(so_far))
        so_far.append(pair)
        scored = (NS, CYCLES) if CYCLES in pair.old.counters else (NS,)
        return replace(pair, log_ratios={key: ratio for key, ratio in pair.log_ratios.items() if key in scored})

    def _run(self, percent: int) -> Repetitions:
        """Runs one process with several repetitions of every planted benchmark, each as long as the profile says."""
        slowed = self.sets[PLANTED]
        program = replace(slowed.programs[percent], options=(f"--benchmark_repetitions={REPETITIONS}",))
        part = Part(PLANTED, "", 0, "^(" + "|".join(slowed.benchmarks) + ")$", slowed.benchmarks)
        document, _ = measure_part(program, part, self.folder, SECONDS_LIMIT)
        try:
            return {name: times_of(document, name) for name in slowed.benchmarks}
        except ValueError as error:
            raise UnitFailed(str(error)) from None

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


ShareObserver = Callable[[float, str], None]  # gets the share of the time that is over, and the current activity


def record(built: Built, folder: Path, minutes: float, seed: int, watch: ShareObserver) -> Recording:
    """Records turns for this many minutes, at least one of each condition; an interrupt keeps the complete turns.

    Raises UnitFailed, BadInput, OSError.
    """
    with signals_as_interrupts():
        return _record(built, folder, minutes, seed, watch)


def _record(built: Built, folder: Path, minutes: float, seed: int, watch: ShareObserver) -> Recording:
    start = time.monotonic()
    order = random.Random(seed)
    sets = {PLANTED: planted_program(built, folder, order), CORE: core_set(built, folder, order)}
    recorder = Recorder(sets, built.neighbour, folder, order)
    turns: dict[str, list[Turn]] = {condition: [] for condition in CONDITIONS}
    failures = 0
    try:
        while not turns[NOISY] or time.monotonic() - start < 60 * minutes:
            condition = min(CONDITIONS, key=lambda name: len(turns[name]))
            condition_turns = turns[condition]
            watch((time.monotonic() - start) / (60 * minutes), f"turn {len(condition_turns) + 1}, {condition}")
            try:
                condition_turns.append(recorder.turn(condition, len(condition_turns) % RUNS_EVERY == 0))
            except UnitFailed:
                failures += 1
                if failures > MOST_FAILURES:
                    raise
    except KeyboardInterrupt:
        if not turns[NOISY]:
            raise
    context = sets[PLANTED].catalogue.context
    facts = {key: context[key] for key in FACTS if key in context}
    facts["date"] = time.strftime("%Y-%m-%d")
    return Recording(
        seed,
        facts,
        {key: slowed.benchmarks for key, slowed in sets.items()},
        {condition: tuple(condition_turns) for condition, condition_turns in turns.items()},
    )


# ---- the file


def write_recording(path: Path, recording: Recording) -> None:
    """Writes a recording as packed JSON. Raises OSError."""
    document = {
        "evaluation": {
            "seed": recording.seed,
            "facts": dict(recording.facts),
            "benchmarks": {key: list(names) for key, names in recording.benchmarks.items()},
        },
        "turns": {
            condition: [_turn_written(recording.benchmarks, turn) for turn in condition_turns]
            for condition, condition_turns in recording.turns.items()
        },
    }
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    write_whole(path, gzip.compress(text.encode(), mtime=0))


def _turn_written(benchmarks: Mapping[str, Sequence[str]], turn: Turn) -> Any:
    return {
        "pairs": {
            key: {
                str(slowdown): [encode_pair(turn.pairs[key][slowdown][name], COUNTED) for name in names]
                for slowdown in SLOWDOWNS_OF[key]
            }
            for key, names in benchmarks.items()
        },
        "seconds": {key: [shortened(turn.seconds[key][name]) for name in names] for key, names in benchmarks.items()},
        "runs": {
            str(percent): [
                [[shortened(ns) for ns in repetitions[name]] for name in benchmarks[PLANTED]] for repetitions in runs
            ]
            for percent, runs in turn.runs.items()
            if runs
        },
    }


def read_recording(path: Path) -> Recording:
    """Reads a recording back. Raises BadResult."""
    try:
        return _recording_read(foreign.read_json(read_file(path)))
    except foreign.OTHER_SHAPE:
        raise BadResult(path, "is not a recording of turns, or is damaged") from None


def _recording_read(document: Any) -> Recording:
    header = document["evaluation"]
    benchmarks = {key: tuple(one_line(str(name)) for name in header["benchmarks"][key]) for key in SLOWDOWNS_OF}
    facts = {one_line(str(key)): one_line(str(value)) for key, value in header["facts"].items()}
    turns = {name: tuple(_turn_read(benchmarks, turn) for turn in document["turns"][name]) for name in CONDITIONS}
    if not all(turns.values()):
        raise ValueError("no turn was recorded in a condition")
    if any(not names or len(set(names)) < len(names) for names in benchmarks.values()):
        raise ValueError("no benchmark was recorded, or a benchmark twice")
    return Recording(int(header["seed"]), facts, benchmarks, turns)


def _turn_read(benchmarks: Mapping[str, Sequence[str]], document: Any) -> Turn:
    pairs, seconds, runs = document["pairs"], document["seconds"], document["runs"]
    return Turn(
        {
            key: {
                slowdown: _by_name(names, [decode_pair(pair, COUNTED) for pair in pairs[key][str(slowdown)]])
                for slowdown in SLOWDOWNS_OF[key]
            }
            for key, names in benchmarks.items()
        },
        {key: _by_name(names, list(map(positive, seconds[key]))) for key, names in benchmarks.items()},
        {
            percent: tuple(_repetitions_read(benchmarks[PLANTED], times) for times in runs.get(str(percent), ()))
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
