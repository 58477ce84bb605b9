"""Do the tests notice when the code is wrong? Breaks a copy of the project in one chosen way after another, and looks.

The ways stand in tests/mutants/*.txt: for each the exact old text and the new one, and which tests must notice. (After
R. DeMillo, R. Lipton and F. Sayward, "Hints on test data selection", IEEE Computer 11(4), 1978.)
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from suite.base.errors import BadInput

CAUGHT, SURVIVED, UNBUILT = "caught", "survived", "does not build"

TABLES = "tests/mutants"
MADE = {"build", ".git", ".venv", "__pycache__", "node_modules", ".hypothesis"}  # and so not copied
# -O1: what is asked is whether a test fails, not how fast the code is, and the compiler takes most of the time.
CONFIGURE = ("-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG")
# Tests that take so much longer than on the code as it is have noticed: a mutant may hang.
MOST_TIMES, MOST_SECONDS_MORE = 5.0, 20.0
COMPILED = (".cpp", ".hpp", ".in")
FAMILY = re.compile(r"benchmarks/(?!harness/)\w+/(\w+)\.cpp")

PROGRAM, UNIT_TESTS = "stackheap", "unit_tests"
IN_CPP, IN_PYTHON = "tests/cpp/", "tests/python/"
MAIN = "tests/cpp/main.cpp"


@dataclass(frozen=True)
class Mutant:
    """One way to break the code."""

    breaks: str  # what is then wrong, in words: its name
    file: str
    old: str  # stands there exactly once
    new: str
    noticed_by: str  # a file of tests; behind one in Python may stand what pytest's -k is to choose

    @property
    def tests(self) -> str:
        return self.noticed_by.split()[0]

    @property
    def is_compiled(self) -> bool:
        return self.file.endswith(COMPILED)


@dataclass(frozen=True)
class Outcome:
    """What became of one mutant."""

    mutant: Mutant
    verdict: str
    seconds: float
    evidence: str = ""  # the first test that failed, or the compiler's error


def read_mutants(root: Path) -> list[Mutant]:
    """All mutants of the project, in the order of their files. Raises BadInput."""
    mutants = [mutant for table in sorted((root / TABLES).glob("*.txt")) for mutant in _parsed(table)]
    if not mutants:
        raise BadInput(f"{root / TABLES} has no mutant")
    names = [mutant.breaks for mutant in mutants]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{TABLES}: two mutants are called {name!r}")
    return mutants


def _parsed(table: Path) -> Iterator[Mutant]:
    """Entries of the form: == WHAT IT BREAKS, in FILE, noticed by TESTS, -OLD LINES, +NEW LINES."""
    entry: dict[str, list[str]] = {}

    def complete() -> Mutant:
        place = f"{table.name}: {entry['== '][0]}"
        for part in ("in ", "noticed by ", "-"):
            if part not in entry:
                raise BadInput(f"{place}: no line begins with {part.strip()!r}")
        tests = entry["noticed by "][0]
        if not re.match(rf"{IN_CPP}\w+\.cpp$|{IN_PYTHON}\w+/test_\w+\.py($| )", tests):
            raise BadInput(f"{place}: noticed by {tests!r}, which is no file of {IN_CPP} or {IN_PYTHON}")
        old, new = ("\n".join(entry.get(sign, [])) for sign in "-+")
        if old == new:
            raise BadInput(f"{place}: changes nothing")
        return Mutant(entry["== "][0], entry["in "][0], old, new, tests)

    for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        kind = next((keyword for keyword in ("== ", "in ", "noticed by ", "-", "+") if line.startswith(keyword)), None)
        if kind is None or (kind != "== " and not entry):
            raise BadInput(f"{table.name}, line {number}: what is {line!r}?")
        if kind == "== " and entry:
            yield complete()
            entry = {}
        entry.setdefault(kind, []).append(line[len(kind) :])
    if entry:
        yield complete()


def stale(root: Path, mutants: Sequence[Mutant]) -> list[str]:
    """Those that the code has left behind: one line each."""
    problems = []
    for mutant in mutants:
        file = root / mutant.file
        times = file.read_text(encoding="utf-8").count(mutant.old) if file.is_file() else 0
        if times != 1:
            problems.append(f"{mutant.breaks}: its old text stands {times} times in {mutant.file}, not once")
        if not (root / mutant.tests).is_file():
            problems.append(f"{mutant.breaks}: there is no {mutant.tests}")
    return problems


def expect_to_apply(root: Path, mutants: Sequence[Mutant]) -> None:
    """Raises BadInput, which names those that no longer do."""
    if problems := stale(root, mutants):
        raise BadInput("; ".join(problems))


def rounds_of(mutants: Sequence[Mutant]) -> list[list[Mutant]]:
    """Which mutants of the program are built together: families know nothing of each other, so one mutant of each. All
    else is built by itself, or one mutant might be caught for another's sake; and first, while the families are whole.
    """
    rounds: list[list[Mutant]] = []
    for mutant in mutants:
        fitting = (
            round_mutants for round_mutants in rounds
            if all(FAMILY.fullmatch(file) for file in (mutant.file, round_mutants[0].file)) and mutant.file not in [earlier.file for earlier in round_mutants]
        )  # fmt: skip
        if together := next(fitting, None):
            together.append(mutant)
        else:
            rounds.append([mutant])
    return sorted(rounds, key=lambda round_mutants: FAMILY.fullmatch(round_mutants[0].file) is not None)


def by_tests(mutants: Sequence[Mutant]) -> list[list[Mutant]]:
    """Those that the same tests must notice, together: these are built, and timed on the code as it is, once. The most
    first, so that no worker has many left when the others are done."""
    groups: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        groups.setdefault(mutant.noticed_by, []).append(mutant)
    return sorted(groups.values(), key=len, reverse=True)


@dataclass(frozen=True)
class CompletedCommand:
    code: int
    output: str
    seconds: float
    timed_out: bool = False

    @property
    def complaint(self) -> str:
        """The line that says most of what went wrong; empty when nothing did."""
        if self.code == 0:
            return ""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        telling = [line for line in lines if re.match(r"FAILED |ERROR |.*error: |\[  FAILED  \] \w|CMake Error", line)]
        return (telling or lines or [f"it ended with {self.code}"])[0]


@dataclass(frozen=True)
class WorkingCopy:
    """A copy of the project to break, and how its tests are run."""

    root: Path
    python: str  # one that has pytest
    jobs: int = 1  # of the compiler
    all_tests: bool = False  # all tests of a mutant's language, not only those that must notice
    stop: threading.Event = field(default_factory=threading.Event)  # set: whatever runs is ended

    @property
    def build_folder(self) -> Path:
        return self.root / "build" / "mutants"

    def copy(self, source: Path) -> None:
        """Brings the copy up to date; files that are the same keep their times, and what was built of them holds."""
        wanted = {file.relative_to(source) for file in _files(source)}
        for file in wanted:
            target = self.root / file
            if not target.is_file() or target.read_bytes() != (source / file).read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source / file, target)
                os.utime(target)
        for leftover in [file for file in _files(self.root) if file.relative_to(self.root) not in wanted]:
            leftover.unlink()

    def configure(self) -> None:
        """Raises BadInput."""
        command = ["cmake", *CONFIGURE, "-S", str(self.root), "-B", str(self.build_folder)]
        if complaint := self._run(command).complaint:
            raise BadInput(f"the copy cannot be configured: {complaint}")

    def build(self, target: str) -> CompletedCommand:
        """Goes on after an error, so that one mutant that does not compile says nothing of the others."""
        options = ["--target", target, "--", "-j", str(self.jobs), "-k", "0"]
        return self._run(["cmake", "--build", str(self.build_folder), *options])

    def keep_unit_tests(self, source: Path, kept: str) -> None:
        """Of the tests in C++ only one file stays: compiling the others would take most of the time."""
        for file in (source / IN_CPP).glob("*.cpp"):
            copy = self.root / IN_CPP / file.name
            if f"{IN_CPP}{file.name}" not in (kept, MAIN):
                copy.unlink(missing_ok=True)
            elif not copy.exists():
                shutil.copy(file, copy)

    def test(self, mutant: Mutant, limit: float | None = None) -> CompletedCommand:
        """Runs the tests that must notice; they have when this failed, or took longer than the limit. Raises BadInput
        when nothing was tested."""
        place, _, selection = mutant.noticed_by.partition(" ")
        if place.startswith(IN_CPP):
            result = self._run([str(self.build_folder / UNIT_TESTS)], limit)
            ran = result.code < 0 or re.search(r"\[==========\] Running [1-9]", result.output) is not None
        else:
            select = [IN_PYTHON] if self.all_tests else [place, *(["-k", selection] if selection else [])]
            result = self._run([self.python, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *select], limit)
            ran = result.code in (0, 1) and re.search(r"\d (passed|failed|error)", result.output) is not None
        if not ran and not result.timed_out:
            raise BadInput(f"{mutant.breaks}: {mutant.noticed_by!r} tests nothing here: {result.complaint}")
        return result

    def _run(self, command: Sequence[str], limit: float | None = None) -> CompletedCommand:
        environment = {
            **os.environ,
            "STACKHEAP_PROGRAM": str(self.build_folder / PROGRAM),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        start = time.monotonic()
        with subprocess.Popen(
            command, cwd=self.root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        ) as started:  # fmt: skip
            try:
                while True:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        output, _ = started.communicate(timeout=0.5)
                        return CompletedCommand(started.returncode, output, time.monotonic() - start)
                    if self.stop.is_set():
                        raise BadInput("stopped")
                    if limit is not None and time.monotonic() - start > limit:
                        return CompletedCommand(1, f"not done after {limit:.0f} s", limit, timed_out=True)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(started.pid, signal.SIGKILL)


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        inside = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if _is_copied(inside / name)]
        yield from (Path(folder) / name for name in files if _is_copied(inside / name))


def _is_copied(path: Path) -> bool:
    is_made = path.name in MADE or path.name.startswith(".") and "cache" in path.name
    return not is_made and (path.parts[0] != "results" or path.parts[1:2] in ((), ("reference",)))


Trial = Callable[[WorkingCopy, Path, Sequence[Mutant]], Iterator[Outcome]]


def try_all(
    source: Path, mutants: Sequence[Mutant], folder: Path, python: str, jobs: int, all_tests: bool = False,
    report: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:  # fmt: skip
    """Breaks copies of `source` in `folder` and returns what came of each mutant, calling `tell` as they come. Raises
    BadInput when a mutant no longer applies, or when its tests fail on the code as it is."""
    original = WorkingCopy(folder / "whole", python)  # from here on, whatever is edited meanwhile
    original.copy(source)
    expect_to_apply(original.root, mutants)
    families = [mutant for mutant in mutants if mutant.is_compiled and mutant.tests.startswith(IN_PYTHON)]
    units = [mutant for mutant in mutants if mutant.is_compiled and mutant.tests.startswith(IN_CPP)]
    interpreted = by_tests([mutant for mutant in mutants if not mutant.is_compiled])
    waiting = iter(interpreted)  # of which each worker takes what is next when it is done with the one before
    jobs_to_do: list[tuple[Trial, str, Iterable[list[Mutant]]]] = []
    jobs_to_do += [(_try_in_program, "program", [families])] if families else []
    jobs_to_do += [(_try_in_unit_tests, "units", by_tests(units))] if units else []
    jobs_to_do += [(_try_interpreted, f"python-{number}", waiting) for number in range(min(jobs, len(interpreted)))]
    stop = threading.Event()
    with ThreadPoolExecutor(jobs) as workers:
        running = [
            workers.submit(
                _all_of, trial, WorkingCopy(folder / name, python, max(1, jobs // 2), all_tests, stop), original.root, groups, report
            )
            for trial, name, groups in jobs_to_do
        ]  # fmt: skip
        try:
            outcomes = [outcome for future in running for outcome in future.result()]
        except BaseException:  # one cannot go on, or the user wants no more: nor shall the others
            stop.set()
            raise
    order = {mutant.breaks: number for number, mutant in enumerate(mutants)}
    return sorted(outcomes, key=lambda outcome: order[outcome.mutant.breaks])


def _all_of(
    trial: Trial,
    working_copy: WorkingCopy,
    source: Path,
    groups: Iterable[Sequence[Mutant]],
    report: Callable[[Outcome], None],
) -> list[Outcome]:
    working_copy.copy(source)
    outcomes = []
    for outcome in (outcome for group in groups for outcome in trial(working_copy, source, group)):
        report(outcome)
        outcomes.append(outcome)
    return outcomes


def _time_limits(working_copy: WorkingCopy, mutants: Sequence[Mutant]) -> dict[str, float]:
    """By tests, how long they may take. Raises BadInput where they fail on the code as it is: they would notice anything."""
    limits = {}
    for mutant in {mutant.noticed_by: mutant for mutant in mutants}.values():
        result = working_copy.test(mutant)
        if result.complaint:
            raise BadInput(f"{mutant.noticed_by} fails on the code as it is: {result.complaint}")
        limits[mutant.noticed_by] = MOST_SECONDS_MORE + MOST_TIMES * result.seconds
    return limits


def _expect_to_build(working_copy: WorkingCopy, target: str) -> None:
    if complaint := working_copy.build(target).complaint:
        raise BadInput(f"the code as it is does not build: {complaint}")


def _try_interpreted(working_copy: WorkingCopy, source: Path, mutants: Sequence[Mutant]) -> Iterator[Outcome]:
    limits = _time_limits(working_copy, mutants)
    for mutant in mutants:
        _apply(working_copy, source, mutant)
        yield _judged(working_copy, mutant, limits)
        _mend(working_copy, source, mutant)


def _try_in_unit_tests(working_copy: WorkingCopy, source: Path, mutants: Sequence[Mutant]) -> Iterator[Outcome]:
    working_copy.keep_unit_tests(source, mutants[0].tests)
    working_copy.configure()
    _expect_to_build(working_copy, UNIT_TESTS)
    limits = _time_limits(working_copy, mutants)
    for mutant in mutants:
        _apply(working_copy, source, mutant)
        complaint = working_copy.build(UNIT_TESTS).complaint
        yield Outcome(mutant, UNBUILT, 0.0, complaint) if complaint else _judged(working_copy, mutant, limits)
        _mend(working_copy, source, mutant)


def _try_in_program(working_copy: WorkingCopy, source: Path, mutants: Sequence[Mutant]) -> Iterator[Outcome]:
    working_copy.configure()
    _expect_to_build(working_copy, PROGRAM)
    limits = _time_limits(working_copy, mutants)
    for together in rounds_of(mutants):
        for mutant in together:
            _apply(working_copy, source, mutant)
        built = working_copy.build(PROGRAM)
        unbuilt = [
            mutant for mutant in together if built.code != 0 and (len(together) == 1 or _failed(mutant, built.output))
        ]
        for mutant in unbuilt:
            yield Outcome(mutant, UNBUILT, 0.0, _failed(mutant, built.output) or built.complaint)
            _mend(working_copy, source, mutant)
        if unbuilt and len(together) > len(unbuilt):
            _expect_to_build(working_copy, PROGRAM)
        yield from (_judged(working_copy, mutant, limits) for mutant in together if mutant not in unbuilt)
        for mutant in together:
            if not FAMILY.fullmatch(
                mutant.file
            ):  # a broken family disturbs no other, and mending it takes the compiler
                _mend(working_copy, source, mutant)
    for mutant in mutants:
        _mend(working_copy, source, mutant)


def _failed(mutant: Mutant, output: str) -> str:
    """The compiler's first error in the mutant's file; empty when it compiled."""
    if not re.search(rf"^FAILED: \S*{re.escape(mutant.file)}\.o", output, re.MULTILINE):
        return ""
    return next(
        (line for line in output.splitlines() if f"{Path(mutant.file).name}:" in line and "error: " in line), "an error"
    )


def _apply(working_copy: WorkingCopy, source: Path, mutant: Mutant) -> None:
    """Breaks the file; whatever else it was broken in is mended."""
    original = (source / mutant.file).read_text(encoding="utf-8")
    (working_copy.root / mutant.file).write_text(original.replace(mutant.old, mutant.new), encoding="utf-8")


def _mend(working_copy: WorkingCopy, source: Path, mutant: Mutant) -> None:
    """Where it is whole already it stays as it is, and so does what was built of it."""
    broken, original = working_copy.root / mutant.file, (source / mutant.file).read_bytes()
    if broken.read_bytes() != original:
        broken.write_bytes(original)


def _judged(working_copy: WorkingCopy, mutant: Mutant, limits: Mapping[str, float]) -> Outcome:
    result = working_copy.test(mutant, limits[mutant.noticed_by])
    return Outcome(mutant, CAUGHT if result.complaint else SURVIVED, result.seconds, result.complaint)
