"""How is a run measured? From a plan, process after process; every result is kept as soon as its process ends.

A run has rounds: each round runs every part of every family once, in a new random order across chapters. So every round
leaves a complete run with one more process. A crash, a full disk or an interrupt loses only one process.

After its rounds, a run can be looked at: the benchmarks that would answer an open question are measured in more
processes, up to the next of the planned looks, until all questions are answered or the time is spent (Refinement).
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from suite.base import foreign
from suite.base.errors import BadInput, UnitFailed, UnitHung
from suite.base.files import lock_file, own_place, write_json, write_new
from suite.base.text import first_line
from suite.results.merge import merge, write_unit
from suite.results.model import (
    LABEL,
    LEFT_OUT,
    MOST_MALLOC_THREADS,
    Account,
    BenchmarkName,
    Document,
    Failure,
    Run,
    Unit,
)
from suite.results.read import (
    RUN_FILES,
    BadResult,
    cores_of_malloc_threads,
    failures_in,
    names_a_hang,
    ns_per_addition,
    read_record,
    read_run,
    read_unit,
)
from suite.runner import interference, probes
from suite.runner.program import Catalogue, Part, Program, measure_part
from suite.runner.signals import signals_as_interrupts
from suite.stats.estimates import median

PROCESSES = {"smoke": 1, "quick": 5, "full": 10}
MOST_PROCESSES = 1000  # of a family in a run

# A disturbed process is run again at the end of its round or of a later round, as long as all these attempts together
# take less than this share of the time measured so far.
AGAIN_SHARE = 0.15
MOST_ATTEMPTS = 3

PLAN_FILE = "plan.json"
LOOKS_FILE = "looks.json"  # the benchmarks that each look asked for: the next start of the run goes on with them
RUN_FILE = RUN_FILES[0]
PARTS_FOLDER = "parts"


# ---- the plan


@dataclass(frozen=True)
class Plan:
    """The plan of a run, fixed before the first process, so that an interrupted run can continue as the same run."""

    program: Program
    catalogue: Catalogue
    processes: int
    order_seed: int
    fitness: Mapping[str, Any] = field(default_factory=dict)  # of the machine, when the run began (suite.doctor)
    looks: tuple[int, ...] = ()  # the numbers of processes after which the run is looked at; empty: it is not refined
    label: str | None = None  # the user's own name of the run

    def round(self, process: int) -> list[Part]:
        order = list(self.catalogue.parts)
        random.Random(f"{self.order_seed}/{process}").shuffle(order)
        return order

    def layout(self, process: int) -> int:
        """The number from which a process draws its memory layout."""
        return self.order_seed * MOST_PROCESSES + process

    def all_units(self) -> Iterator[tuple[Part, int]]:
        """Every part and process, round by round, families in the program's order."""
        return ((part, process) for process in range(self.processes) for part in self.catalogue.parts)

    def record(self) -> PlanRecord:
        return PlanRecord(
            executable=_digest(self.program.executable),
            profile=self.program.profile,
            only=self.program.only,
            allocators=self.program.allocators,
            processes=self.processes,
            benchmarks_and_mallocs=self.catalogue.digest,
            order_seed=self.order_seed,
            looks=self.looks,
            label=self.label,
        )

    def write(self, folder: Path) -> None:
        """Begins the run in the folder. Raises BadInput if the folder has a run already, also if another process begins
        one at the same time: the file of the plan is created once and never replaced, so that it can be locked."""
        folder.joinpath(PARTS_FOLDER).mkdir(parents=True, exist_ok=True)
        taken = BadInput(f"{folder} already contains a run: add --resume to go on with it, or choose another folder")
        if (folder / RUN_FILE).exists():
            raise taken
        try:
            write_new(folder / PLAN_FILE, json.dumps(dataclasses.asdict(self.record()), indent=1) + "\n")
        except (FileExistsError, FileNotFoundError):  # not found: the other run has deleted it as a leftover
            raise taken from None


@dataclass(frozen=True)
class PlanRecord:
    """The plan as the run's folder keeps it: all values that must be equal for two processes of the same run."""

    executable: str
    profile: str
    only: str | None
    allocators: tuple[str, ...]
    processes: int
    benchmarks_and_mallocs: str
    order_seed: int
    looks: tuple[int, ...]
    label: str | None

    def differences(self, plan: PlanRecord) -> list[str]:
        return [entry.name for entry in dataclasses.fields(self) if getattr(self, entry.name) != getattr(plan, entry.name)]


def read_plan(folder: Path) -> PlanRecord:
    """The plan of the run that was begun in the folder. Raises BadInput if the folder has no plan."""
    file = folder / PLAN_FILE
    try:
        begun: PlanRecord = read_record(file, PlanRecord, foreign.read_json(file.read_bytes()), "plan")
    except (FileNotFoundError, NotADirectoryError):
        raise BadInput(f"{folder} cannot be resumed: it has no {PLAN_FILE}, so no run was begun there") from None
    except OSError as problem:
        raise BadInput(f"{folder} cannot be resumed: its {PLAN_FILE} cannot be read ({first_line(problem)})") from None
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
    """The time after which a process counts as hung: far beyond the slowest family."""

    seconds: float = 120.0
    times_median: float = 20.0

    def after(self, seconds_of_units: Sequence[float]) -> float:
        return self.seconds + self.times_median * (median(seconds_of_units) if seconds_of_units else 0.0)


class RunObserver(Protocol):
    """Receives the progress of a run."""

    def begins(self, part: Part, process: int, done: int, seconds_left: float | None) -> None:
        """A process starts, and `done` processes have ended; the time left is None until it can be estimated."""

    def ends(self, part: Part, process: int, problem: str) -> None:
        """The process ended and its result is kept, or it failed with a problem."""

    def round_ends(self, process: int, disturbed: int, seconds_left: float | None) -> None:
        """A round ended, with so many disturbed processes."""

    def looked(self, questions: Sequence[str], benchmarks: int, processes: int) -> None:
        """A look found these questions open; so many benchmarks are measured further, up to so many processes."""


@dataclass(frozen=True)
class Refinement:
    """How a run is measured further after its rounds.

    `open_questions`: the questions that the run leaves open, the most important first, and the benchmarks that would
    answer each. Where the time does not suffice for all, those that it suffices for are measured.
    `seconds`: the time for it, from the time that the rounds took, repeated processes included.
    """

    open_questions: Callable[[Run], Mapping[str, Sequence[str]]]
    seconds: Callable[[float], float]


def measure(
    plan: Plan, folder: Path, observer: RunObserver, limits: Limits = Limits(), refinement: Refinement | None = None
) -> Run:
    """Measures the processes of the plan that the folder still lacks, refines the run, and returns it.

    After an interrupt (Ctrl-C, SIGTERM, SIGHUP) it writes the measured processes, marked incomplete, and raises
    KeyboardInterrupt. Raises OSError if the folder cannot be written, BadInput if another run uses the folder, and
    UnitFailed if no process gave a result.
    """
    run_in_progress = _RunInProgress(plan, folder, observer, limits)
    with _alone_in(folder), signals_as_interrupts():
        run_in_progress.resume()
        try:
            for process in range(plan.processes):
                run_in_progress.measure_round(process, [(part, process) for part in plan.round(process)])
                run_in_progress.write(complete=process == plan.processes - 1)
            if refinement is not None and run_in_progress.units:
                run_in_progress.refine(refinement)
        except (KeyboardInterrupt, OSError):
            with contextlib.suppress(OSError):  # the disk may be full: then the last round's run stays
                run_in_progress.write(complete=False)
            raise
    if not run_in_progress.units:
        raise UnitFailed(next(iter((*run_in_progress.hung.values(), *run_in_progress.failed.values()))).reason)
    return read_run(folder / RUN_FILE)


@dataclass
class _RunInProgress:
    """A run in progress: its results, its failures and the time they took. Keys are the names of the units' files."""

    plan: Plan
    folder: Path
    observer: RunObserver
    limits: Limits
    units: dict[str, Unit] = field(default_factory=dict)
    failed: dict[str, Failure] = field(default_factory=dict)
    # What hung once takes no more time: by the malloc, or by the expression of a part whose whole process hung.
    hung: dict[str, Failure] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    attempts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds_first: float = 0.0
    seconds_again: float = 0.0
    looks: list[tuple[str, ...]] = field(default_factory=list)  # the benchmarks that each look asked for

    @property
    def seconds_spent(self) -> float:
        """By this start of the run, repeated processes included."""
        return self.seconds_first + self.seconds_again

    @property
    def parts_folder(self) -> Path:
        return self.folder / PARTS_FOLDER

    def resume(self) -> None:
        """Reads the results that an earlier start of this run has kept, and deletes its unfinished files."""
        for leftover in (*self.folder.glob(".*.tmp"), *self.parts_folder.glob(".*.tmp")):
            leftover.unlink()
        self.looks = _read_looks(self.folder, len(self.plan.looks))
        for part, process in self.all_units():
            file = self.parts_folder / part.file_name(process)
            with contextlib.suppress(BadResult):  # missing or damaged: to be measured
                unit, document = read_unit(file)
                self.units[file.name] = unit
                self.attempts[file.name] = unit.attempt
                self.look_for_hangs(part, process, document)

    def all_units(self) -> Iterator[tuple[Part, int]]:
        """Every part and process of the plan, then of each look."""
        yield from self.plan.all_units()
        for look in range(1, len(self.looks) + 1):
            for process in range(self.plan.processes, self.plan.looks[look]):
                yield from ((part, process) for part in self.parts_of_look(look, process, self.looks[look - 1]))

    def parts_of_look(self, look: int, process: int, names: Sequence[str]) -> list[Part]:
        """The parts with these benchmarks, of those that had fewer processes before this look, in random order."""
        earlier_looks = zip(self.plan.looks[1:look], self.looks)
        earlier = {name for number, measured in earlier_looks if process < number for name in measured}
        wanted = set(names) - earlier
        return [part.only(wanted, look) for part in self.plan.round(process) if wanted.intersection(part.benchmarks)]

    def measure_round(self, process: int, units: Sequence[tuple[Part, int]]) -> None:
        for part, number in units:
            if part.file_name(number) not in self.units:
                self.seconds_first += self.attempt(part, number)
        for _ in range(MOST_ATTEMPTS - 1):
            self.repeat_disturbed()
        disturbed = sum(unit.disturbed for unit in self.judged().values() if unit.process == process)
        self.observer.round_ends(process, disturbed, self.seconds_left())

    def refine(self, refinement: Refinement) -> None:
        """Measures the benchmarks that would answer the open questions, look after look, until all are answered or
        the time is spent."""
        in_rounds, in_looks = self.seconds_measured(refined=False), self.seconds_measured(refined=True)
        for_looks = refinement.seconds(in_rounds + self.seconds_again)
        deadline = for_looks - in_looks + self.seconds_spent
        for look, processes in list(enumerate(self.plan.looks))[1:]:
            if look > len(self.looks):
                left = deadline - self.seconds_spent
                open_questions = refinement.open_questions(read_run(self.folder / RUN_FILE))
                questions = self.affordable(open_questions, look, left)
                known = self.needed_by(questions.values())
                if not known or left <= 0.0:
                    return
                self.looks.append(known)
                write_json(own_place(self.folder / LOOKS_FILE), self.looks)
                self.observer.looked(list(questions), len(known), processes)
            if not self.measure_look(look, deadline):
                return

    def affordable(self, questions: Mapping[str, Sequence[str]], look: int, left: float) -> Mapping[str, Sequence[str]]:
        """The questions that the time suffices for, in their order; if for none, the first, as far as the time goes.

        A question that would take more than half of the time waits until the others are answered, which may need it for
        their next look.
        """

        def seconds_for(*asked: Sequence[str]) -> float:
            needed = self.needed_by(asked)
            numbers = range(self.plan.processes, self.plan.looks[look])
            units = ((part, process) for process in numbers for part in self.parts_of_look(look, process, needed))
            return self.seconds_of(units) or 0.0

        for_one = left / 2 if len(questions) > 1 else left
        chosen: dict[str, Sequence[str]] = {}
        for question, names in questions.items():
            if seconds_for(names) <= for_one and seconds_for(*chosen.values(), names) <= left:
                chosen[question] = names
        return chosen or dict(list(questions.items())[:1])

    def needed_by(self, questions: Iterable[Sequence[str]]) -> tuple[str, ...]:
        names = {name for needed in questions for name in needed}
        return tuple(name for name in self.plan.catalogue.benchmarks if name in names)

    def measure_look(self, look: int, deadline: float) -> bool:
        """Measures what this look asked for, as far as the time suffices; False if it does not."""
        enough = True
        for process in range(self.plan.processes, self.plan.looks[look]):
            units = [(part, process) for part in self.parts_of_look(look, process, self.looks[look - 1])]
            missing = [unit for unit in units if unit[0].file_name(process) not in self.units]
            enough = self.seconds_spent + (self.seconds_of(missing) or 0.0) <= deadline
            if not enough:
                break
            if missing:
                self.measure_round(process, units)
                self.write(complete=False)
        self.write(complete=True)
        return enough

    def seconds_measured(self, refined: bool) -> float:
        planned = self.plan.processes
        return sum(unit.seconds for unit in self.units.values() if (unit.process >= planned) == refined)

    def repeat_disturbed(self) -> None:
        """Runs the disturbed processes once more, within the time budget."""
        units = self.judged()
        for part, process in self.all_units():
            key = part.file_name(process)
            unit = units.get(key)
            if unit is None or not unit.disturbed or self.attempts[key] >= MOST_ATTEMPTS:
                continue
            if self.seconds_again + unit.seconds <= AGAIN_SHARE * self.seconds_first:
                self.seconds_again += self.attempt(part, process)

    def attempt(self, part: Part, process: int) -> float:
        """Runs one process, keeps its result unless an earlier attempt was disturbed less, and returns its seconds."""
        key = part.file_name(process)
        if part.expression in self.hung or {_malloc_in(name) for name in part.benchmarks} <= self.hung.keys():
            self.left_out.add(key)
            return 0.0
        self.attempts[key] += 1
        self.observer.begins(part, process, len(self.done()), self.seconds_left())
        problem, seconds = "", 0.0
        try:
            document, beside = self.run(part, process)
            seconds = beside.seconds
            self.keep(_unit_of(part, process, self.attempts[key], document, beside), document, key)
            problem = self.look_for_hangs(part, process, document)
        except UnitHung as hung:
            problem = f"{hung}; {part.family}{LEFT_OUT}"
            self.hung[part.expression] = Failure(part.family, process, problem)
            self.left_out.add(key)
        except UnitFailed as failed:
            problem = str(failed)
            if key not in self.units:
                self.failed[key] = Failure(part.family, process, problem)
        self.observer.ends(part, process, problem)
        return seconds

    def judged(self) -> dict[str, Unit]:
        """The units with what their probes say, held against all readings so far."""
        quietest = probes.quietest_of(self.units.values())
        return {key: probes.judged(unit, quietest) for key, unit in self.units.items()}

    def run(self, part: Part, process: int) -> tuple[Document, interference.Interference]:
        program = self.plan.catalogue.prepared(self.plan.program, self.hung.keys())
        limit = self.limits.after([unit.seconds for unit in self.units.values()])
        return measure_part(program, part, self.parts_folder, limit, self.plan.layout(process))

    def look_for_hangs(self, part: Part, process: int, document: Document) -> str:
        """Notes each malloc with a benchmark that did not end. Returns these failures in a line; empty where there is none."""
        found = []
        for failure in failures_in(document, part.benchmarks):
            malloc = _malloc_in(failure)
            if names_a_hang(failure) and malloc not in self.hung and malloc in {known.name for known in self.plan.catalogue.mallocs}:
                self.hung[malloc] = Failure(part.family, process, f"{failure}; {malloc}{LEFT_OUT}")
                found.append(self.hung[malloc].reason)
        return "; ".join(found)

    def failures_of(self, part: Part, document: Document) -> list[str]:
        """What went wrong in a process, without what is said of the mallocs that hung."""
        wrong = failures_in(document, [name for name in part.benchmarks if _malloc_in(name) not in self.hung])
        return [failure for failure in wrong if _malloc_in(failure) not in self.hung or not names_a_hang(failure)]

    def keep(self, unit: Unit, document: Document, key: str) -> None:
        kept = self.units.get(key)
        if kept is not None:
            quietest = probes.quietest_of((*self.units.values(), unit))
            if _interference_rank(unit, quietest) > _interference_rank(kept, quietest):
                return
        write_unit(self.parts_folder / key, unit, document)
        self.units[key] = unit

    def seconds_left(self) -> float | None:
        """The expected time of the remaining units; None before the first unit is measured."""
        done = self.done()
        return self.seconds_of(unit for unit in self.all_units() if unit[0].file_name(unit[1]) not in done)

    def done(self) -> Set[str]:
        """The units that take no more time."""
        return self.units.keys() | self.failed.keys() | self.left_out

    def seconds_of(self, units: Iterable[tuple[Part, int]]) -> float | None:
        """The expected time of these units; None before the first unit is measured.

        A part of a look that was not measured yet takes its benchmarks' share of the planned part's time.
        """
        known: defaultdict[str, list[float]] = defaultdict(list)
        for unit in self.units.values():
            known[unit.part].append(unit.seconds)
        if not known:
            return None
        others = median([median(seconds) for seconds in known.values()])
        planned = {(part.family, part.index): part for part in self.plan.catalogue.parts}

        def seconds(part: Part) -> float:
            if part.expression in known:
                return median(known[part.expression])
            whole = planned[part.family, part.index]
            whole_seconds = median(known[whole.expression]) if whole.expression in known else others
            return whole_seconds * len(part.benchmarks) / len(whole.benchmarks)

        return sum(seconds(part) for part, _ in units)

    def write(self, complete: bool) -> None:
        """Writes the run with all results so far."""
        units, measured, failed = self.judged(), [], [*self.hung.values(), *self.failed.values()]
        for part, process in self.all_units():
            if part.file_name(process) in self.units:
                _, document = read_unit(self.parts_folder / part.file_name(process))
                measured.append((units[part.file_name(process)], document))
                failed += [Failure(part.family, process, reason) for reason in self.failures_of(part, document)]
        if not measured:
            return
        how_it_went = Account(
            complete=complete,
            processes_planned=self.plan.processes,
            order_seed=self.plan.order_seed,
            units=tuple(unit for unit, _ in measured),
            failed=tuple(failed),
            about={**self.plan.catalogue.declared, "machine": self.plan.fitness},
            looks=self.plan.looks,
        )
        order = self.plan.catalogue.benchmarks
        facts = {**self.plan.catalogue.context, **({LABEL: self.plan.label} if self.plan.label else {})}
        write_json(own_place(self.folder / RUN_FILE), merge(measured, how_it_went, order, facts))


def _malloc_in(text: str) -> str:
    """The malloc in the name of a benchmark, or of a failure, which begins with a name."""
    return BenchmarkName.parse(text.partition(": ")[0]).malloc


def _read_looks(folder: Path, most: int) -> list[tuple[str, ...]]:
    """The benchmarks that each look of an earlier start asked for. Raises BadInput if the file is damaged."""
    file = folder / LOOKS_FILE
    try:
        looks = foreign.read_json(file.read_bytes())
    except FileNotFoundError:
        return []
    except (ValueError, RecursionError):
        looks = None
    wanted = isinstance(looks, list) and len(looks) < max(1, most)
    if not wanted or not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in looks):
        raise BadInput(f"{folder} cannot be resumed: its {LOOKS_FILE} is damaged")
    return [tuple(names) for names in looks]


def _unit_of(
    part: Part, process: int, attempt: int, document: Document, beside: interference.Interference
) -> Unit:
    """The unit as measured, before its probes are held against those of the run."""
    reasons = beside.reasons
    malloc_threads = cores_of_malloc_threads(document)
    if malloc_threads is not None and malloc_threads > MOST_MALLOC_THREADS:
        reasons = (*reasons, f"the malloc's own threads used {malloc_threads:.1f} cores")
    return Unit(
        family=part.family,
        chapter=part.chapter,
        part=part.expression,
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
        stopped=beside.stopped,
        malloc_threads=malloc_threads,
        **probes.readings_of(document),
    )


def _interference_rank(measured: Unit, quietest: Mapping[str, float]) -> tuple[bool, float, int]:
    unit = probes.judged(measured, quietest)
    return unit.disturbed, unit.taken_by_others, unit.involuntary_switches


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Locks the folder: two runs in it would delete and overwrite each other's files. The lock ends with the process."""
    with open(folder / PLAN_FILE, "rb") as locked:
        try:
            lock_file(locked)
        except BlockingIOError:
            raise BadInput(f"{folder}: another run is using this folder") from None
        yield


