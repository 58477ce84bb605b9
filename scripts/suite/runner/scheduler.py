"""How is a run measured? The plan, and its processes one after another, each kept as soon as it ends.

A run goes in rounds: each round runs every part of every family once, in an order of its own across chapters, so that
after each round there is a whole run with one process more. A crash, a full disk or an interrupt loses one process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from suite.base.errors import BadInput, UnitFailed, UnitHung
from suite.base.files import write_json
from suite.results.merge import merge, write_unit
from suite.results.model import Account, Document, Failure, Run, Unit
from suite.results.read import (
    RUN_FILES, BadResult, cycles_of_eight_additions, failures_in, ns_per_addition, read_record, read_run, read_unit,
)
from suite.runner import interference
from suite.runner.program import Catalogue, Part, Program, measure_part
from suite.runner.signals import signals_as_interrupts
from suite.stats.estimates import median

PROCESSES = {"smoke": 1, "quick": 5, "full": 10}

# A disturbed process is run again at the end of its round, or of a later one, as long as all such attempts together
# stay under this share of the time measured so far.
AGAIN_SHARE = 0.15
MOST_ATTEMPTS = 3

# A process was disturbed, too, where its core did so much less at once than in the quietest tenth of the run so far: a
# virtual machine does not show who else uses the same physical core. Two who share one take up to half of it each.
CORE_TAKEN = 0.2

PLAN_FILE = "plan.json"
RUN_FILE = RUN_FILES[0]
PARTS_FOLDER = "parts"


# ---- the plan


@dataclass(frozen=True)
class Plan:
    """What is to be measured, fixed before the first process, so that an interrupted run can go on as the same run."""

    program: Program
    catalogue: Catalogue
    processes: int
    order_seed: int
    fitness: Mapping[str, Any] = field(default_factory=dict)  # of the machine, when the run began (suite.doctor)

    def round(self, process: int) -> list[Part]:
        order = list(self.catalogue.parts)
        random.Random(f"{self.order_seed}/{process}").shuffle(order)
        return order

    def all_units(self) -> Iterator[tuple[Part, int]]:
        """Every part and process, round by round, families in the program's order."""
        return ((one, process) for process in range(self.processes) for one in self.catalogue.parts)

    def record(self) -> PlanRecord:
        return PlanRecord(
            executable=_digest(self.program.executable),
            profile=self.program.profile,
            only=self.program.only,
            allocators=self.program.allocators,
            processes=self.processes,
            benchmarks_and_mallocs=self.catalogue.digest,
            order_seed=self.order_seed,
        )

    def write(self, folder: Path) -> None:
        folder.joinpath(PARTS_FOLDER).mkdir(parents=True, exist_ok=True)
        write_json(folder / PLAN_FILE, dataclasses.asdict(self.record()))


@dataclass(frozen=True)
class PlanRecord:
    """The plan as the run's folder keeps it: all that must be the same for two processes to be of one run."""

    executable: str
    profile: str
    only: str | None
    allocators: tuple[str, ...]
    processes: int
    benchmarks_and_mallocs: str
    order_seed: int

    def differences(self, other: PlanRecord) -> list[str]:
        return [one.name for one in dataclasses.fields(self) if getattr(self, one.name) != getattr(other, one.name)]


def read_plan(folder: Path) -> PlanRecord:
    """The plan of the run that was begun in the folder. Raises BadInput when there is none."""
    file = folder / PLAN_FILE
    try:
        begun: PlanRecord = read_record(file, PlanRecord, json.loads(file.read_bytes()), "plan")
    except OSError:
        raise BadInput(f"{folder} cannot be resumed: no run was begun there (no {PLAN_FILE})") from None
    except (BadResult, ValueError, RecursionError):
        raise BadInput(f"{folder} cannot be resumed: its {PLAN_FILE} is damaged") from None
    if begun.profile not in PROCESSES or begun.processes < 1:
        raise BadInput(f"{folder} cannot be resumed: its {PLAN_FILE} is damaged")
    return begun


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


# ---- measuring


@dataclass(frozen=True)
class Limits:
    """When a process that does not end is given up: far beyond the slowest family, so only a hang meets it."""

    seconds: float = 120.0
    times_median: float = 20.0

    def after(self, seconds_of_units: Sequence[float]) -> float:
        return self.seconds + self.times_median * (median(seconds_of_units) if seconds_of_units else 0.0)


class RunObserver(Protocol):
    """Who wants to know how the run goes."""

    def begins(self, what: Part, process: int, done: int, seconds_left: float | None) -> None:
        """A process starts, so many are done; the time left is None until there is something to judge it by."""

    def ends(self, what: Part, process: int, problem: str) -> None:
        """It ended and its result is kept, or it failed with a problem."""

    def round_ends(self, process: int, disturbed: int, seconds_left: float | None) -> None:
        """Every part was measured once more; so many of the round's processes were disturbed."""


def measure(planned: Plan, folder: Path, watching: RunObserver, patience: Limits = Limits()) -> Run:
    """Measures what the plan has and the folder has not yet, and returns the run.

    An interrupt (Ctrl-C, SIGTERM, SIGHUP) writes what was measured, marked incomplete, and leaves as KeyboardInterrupt.
    Raises OSError where the folder cannot be written, BadInput where another run is at work in it, and UnitFailed where
    not a single process gave a result.
    """
    work = _campaign(planned, folder, watching, patience)
    with _alone_in(folder), signals_as_interrupts():
        work.take_up()
        try:
            for process in range(planned.processes):
                work.measure_round(process)
                work.write(complete=process == planned.processes - 1)
        except (KeyboardInterrupt, OSError):
            with contextlib.suppress(OSError):  # the disk may be full: then the last round's run stays
                work.write(complete=False)
            raise
    if not work.units:
        raise UnitFailed(next(iter(work.failed.values())).reason)
    return read_run(folder / RUN_FILE)


@dataclass
class _campaign:
    """A run under way: what is measured, what failed, what time that took. Keys are the names of the units' files."""

    plan: Plan
    folder: Path
    watching: RunObserver
    patience: Limits
    units: dict[str, Unit] = field(default_factory=dict)
    failed: dict[str, Failure] = field(default_factory=dict)
    hung: dict[tuple[Program, Part], int] = field(default_factory=dict)  # the process it hung in
    attempts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    cycles: list[float] = field(default_factory=list)  # that eight additions took in each process so far
    seconds_first: float = 0.0
    seconds_again: float = 0.0

    @property
    def parts_folder(self) -> Path:
        return self.folder / PARTS_FOLDER

    def take_up(self) -> None:
        """Finds what an earlier start of this run has measured, and clears away what it left unfinished."""
        for leftover in (*self.folder.glob(".*.tmp"), *self.parts_folder.glob(".*.tmp")):
            leftover.unlink()
        for one, process in self.plan.all_units():
            file = self.parts_folder / one.file_name(process)
            with contextlib.suppress(BadResult):  # missing or damaged: to be measured
                unit, document = read_unit(file)
                self.units[file.name] = unit
                self.attempts[file.name] = unit.attempt
                self.core_taken(document)

    def measure_round(self, process: int) -> None:
        for one in self.plan.round(process):
            if one.file_name(process) not in self.units:
                self.seconds_first += self.attempt(one, process)
        for _ in range(MOST_ATTEMPTS - 1):
            self.repeat_disturbed()
        disturbed = sum(unit.disturbed for unit in self.units.values() if unit.process == process)
        self.watching.round_ends(process, disturbed, self.seconds_left())

    def repeat_disturbed(self) -> None:
        """Runs what was disturbed once more, while the budget lasts."""
        for one, process in self.plan.all_units():
            key = one.file_name(process)
            unit = self.units.get(key)
            if unit is None or not unit.disturbed or self.attempts[key] >= MOST_ATTEMPTS:
                continue
            if self.seconds_again + unit.seconds <= AGAIN_SHARE * self.seconds_first:
                self.seconds_again += self.attempt(one, process)

    def attempt(self, one: Part, process: int) -> float:
        """Runs one process, keeps its result if none before was disturbed less, and returns the seconds it took."""
        key = one.file_name(process)
        self.attempts[key] += 1
        self.watching.begins(one, process, len(self.units.keys() | self.failed.keys()), self.seconds_left())
        problem, seconds = "", 0.0
        try:
            document, beside = self.run(one, process)
            seconds = beside.seconds
            taken = self.core_taken(document)
            self.keep(_unit_of(one, process, self.attempts[key], document, beside, taken), document, key)
        except UnitFailed as failed:
            problem = str(failed)
            if key not in self.units:
                self.failed[key] = Failure(one.family, process, problem)
        self.watching.ends(one, process, problem)
        return seconds

    def core_taken(self, document: Document) -> float | None:
        """The share of its core that one more process did without; None where the program does not say."""
        now = cycles_of_eight_additions(document)
        if now is None:
            return None
        self.cycles.append(now)
        quietest = sorted(self.cycles)[len(self.cycles) // 10]
        return max(0.0, 1 - quietest / now)

    def run(self, one: Part, process: int) -> tuple[Document, interference.Interference]:
        """Measures; where that fails, once more without the user's own mallocs: the fault may be theirs alone."""
        chosen = _without_the_unfit(self.plan)
        without = dataclasses.replace(chosen, allocators=())
        try:
            return self.run_with(chosen, one, process)
        except UnitFailed as failed:
            if chosen == without:
                raise
            try:
                measured = self.run_with(without, one, process)
            except UnitFailed:
                raise failed from None
            said = f"{failed}; measured again without --allocator {' '.join(chosen.allocators)}"
        self.failed[one.file_name(process)] = Failure(one.family, process, said)
        self.watching.ends(one, process, said)
        return measured

    def run_with(self, chosen: Program, one: Part, process: int) -> tuple[Document, interference.Interference]:
        if (chosen, one) in self.hung:  # it would take the whole limit again
            raise UnitFailed(f"left out: it hung in process {self.hung[chosen, one]}")
        limit = self.patience.after([unit.seconds for unit in self.units.values()])
        try:
            return measure_part(chosen, one, self.parts_folder, limit)
        except UnitHung:
            self.hung[chosen, one] = process
            raise

    def keep(self, now: Unit, document: Document, key: str) -> None:
        before = self.units.get(key)
        if before is None or _how_disturbed(now) <= _how_disturbed(before):
            write_unit(self.parts_folder / key, now, document)
            self.units[key] = now

    def seconds_left(self) -> float | None:
        """What the units that are neither measured nor failed will take; None before anything was measured."""
        known: defaultdict[str, list[float]] = defaultdict(list)
        for unit in self.units.values():
            known[unit.part].append(unit.seconds)
        if not known:
            return None
        others = median([median(seconds) for seconds in known.values()])
        return sum(
            median(known[one.expression]) if one.expression in known else others
            for one, process in self.plan.all_units()
            if one.file_name(process) not in self.units and one.file_name(process) not in self.failed
        )

    def write(self, complete: bool) -> None:
        """Writes the run with everything measured so far."""
        measured, failed = [], list(self.failed.values())
        for one, process in self.plan.all_units():
            if one.file_name(process) in self.units:
                unit, document = read_unit(self.parts_folder / one.file_name(process))
                measured.append((unit, document))
                wrong = failures_in(document, one.benchmarks)
                failed += [Failure(one.family, process, reason) for reason in wrong]
        if not measured:
            return
        how_it_went = Account(
            complete=complete,
            processes_planned=self.plan.processes,
            order_seed=self.plan.order_seed,
            units=tuple(unit for unit, _ in measured),
            failed=tuple(failed),
            about={
                "families": self.plan.catalogue.about,
                "strategies": self.plan.catalogue.strategies,
                "machine": self.plan.fitness,
            },
        )
        order = self.plan.catalogue.benchmarks
        write_json(self.folder / RUN_FILE, merge(measured, how_it_went, order, self.plan.catalogue.context))


def _without_the_unfit(planned: Plan) -> Program:
    """The program without the mallocs that the user gave it and that it found unfit: each start would try them again."""
    unfit = {one.name for one in planned.catalogue.mallocs if not one.available}
    fit = (one for one in planned.program.allocators if one.partition("=")[0] not in unfit)
    return dataclasses.replace(planned.program, allocators=tuple(fit))


def _unit_of(
    one: Part, process: int, attempt: int, document: Document, beside: interference.Interference, taken: float | None
) -> Unit:
    reasons = beside.reasons
    if taken is not None and taken > CORE_TAKEN:
        reasons = (*reasons, f"its core did {taken:.0%} less at once than in the quietest processes")
    return Unit(
        family=one.family,
        chapter=one.chapter,
        part=one.expression,
        process=process,
        disturbed=bool(reasons),
        reasons=reasons,
        others_cpu=beside.others_cpu,
        steal=beside.steal,
        involuntary_switches=beside.involuntary_switches,
        major_faults=beside.major_faults,
        seconds=beside.seconds,
        ns_per_addition=ns_per_addition(document),
        attempt=attempt,
        core_taken=taken,
    )


def _how_disturbed(unit: Unit) -> tuple[bool, float, int]:
    return unit.disturbed, unit.taken_by_others, unit.involuntary_switches


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Two runs in one folder would clear away and overwrite each other's files. The lock ends with the process."""
    with open(folder / PLAN_FILE, "rb") as locked:
        try:
            fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(f"{folder}: another run is at work in this folder") from None
        yield


