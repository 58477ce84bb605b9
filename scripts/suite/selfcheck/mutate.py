"""Do the tests notice when the code is wrong? Breaks a copy of the project in one way after another, and tests it.

The ways (mutants) are in tests/mutants/*.txt: for each the exact old text, the new text, and the tests that must
notice. (After R. DeMillo, R. Lipton and F. Sayward, "Hints on test data selection", IEEE Computer 11(4), 1978.)
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
MADE = {"build", ".git", ".venv", "__pycache__", "node_modules", ".hypothesis"}  # made by tools, so they are not copied
# -O1: only whether a test fails matters, not the speed of the code, and the compiler takes most of the time.
CONFIGURE = ("-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG")
# Tests that take this much longer than on the unchanged code have noticed the mutant: it may hang.
MOST_TIMES, MOST_SECONDS_MORE = 5.0, 20.0
COMPILED = (".cpp", ".hpp", ".in")
FAMILY = re.compile(r"benchmarks/(?!harness/|recording/)\w+/(\w+)\.cpp")

PROGRAM, UNIT_TESTS = "stackheap", "unit_tests"
IN_CPP, IN_PYTHON = "tests/cpp/", "tests/python/"
MAIN = "tests/cpp/main.cpp"


@dataclass(frozen=True)
class Mutant:
    """One way to break the code."""

    breaks: str  # what is wrong then, in words: the mutant's name
    file: str
    old: str  # occurs in the file exactly once
    new: str
    noticed_by: str  # a file of tests; after a file in Python, optionally an expression for pytest's -k

    @property
    def tests(self) -> str:
        return self.noticed_by.split()[0]

    @property
    def is_compiled(self) -> bool:
        return self.file.endswith(COMPILED)


@dataclass(frozen=True)
class Outcome:
    """The result of one mutant."""

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
            raise BadInput(f"{place}: 'noticed by' takes a file in {IN_CPP} or {IN_PYTHON}, got {tests!r}")
        old, new = ("\n".join(entry.get(sign, [])) for sign in "-+")
        if old == new:
            raise BadInput(f"{place}: changes nothing")
        return Mutant(entry["== "][0], entry["in "][0], old, new, tests)

    for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        kind = next((keyword for keyword in ("== ", "in ", "noticed by ", "-", "+") if line.startswith(keyword)), None)
        if kind is None or (kind != "== " and not entry):
            raise BadInput(
                f"{table.name}, line {number}: a line begins with '== ', 'in ', 'noticed by ', '-' or '+', got {line!r}"
            )
        if kind == "== " and entry:
            yield complete()
            entry = {}
        entry.setdefault(kind, []).append(line[len(kind) :])
    if entry:
        yield complete()


def stale(root: Path, mutants: Sequence[Mutant]) -> list[str]:
    """A line for each mutant that no longer applies to the code."""
    problems = []
    for mutant in mutants:
        file = root / mutant.file
        times = file.read_text(encoding="utf-8").count(mutant.old) if file.is_file() else 0
        if times != 1:
            problems.append(f"{mutant.breaks}: its old text occurs {times} times in {mutant.file}, not once")
        if not (root / mutant.tests).is_file():
            problems.append(f"{mutant.breaks}: {mutant.tests} does not exist")
    return problems


def expect_to_apply(root: Path, mutants: Sequence[Mutant]) -> None:
    """Raises BadInput, which names the mutants that no longer apply."""
    if problems := stale(root, mutants):
        raise BadInput("; ".join(problems))


def rounds_of(mutants: Sequence[Mutant]) -> list[list[Mutant]]:
    """Which mutants of the program are built together: one mutant of each family, because families are independent.
    Every other mutant is built alone, so that it is not caught because of another mutant; and first, while the families
    are unchanged."""
    rounds: list[list[Mutant]] = []

    def fits(mutant: Mutant, together: Sequence[Mutant]) -> bool:
        in_families = all(FAMILY.fullmatch(file) for file in (mutant.file, together[0].file))
        return in_families and mutant.file not in [earlier.file for earlier in together]

    for mutant in mutants:
        if together := next((round_mutants for round_mutants in rounds if fits(mutant, round_mutants)), None):
            together.append(mutant)
        else:
            rounds.append([mutant])
    return sorted(rounds, key=lambda round_mutants: FAMILY.fullmatch(round_mutants[0].file) is not None)


def by_tests(mutants: Sequence[Mutant]) -> list[list[Mutant]]:
    """The mutants in groups that the same tests must notice: the tests are built, and timed on the unchanged code, once
    a group. The largest group comes first, so that no worker has many mutants left when the others are done."""
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
        """The most telling line of the output; empty if the command succeeded."""
        if self.code == 0:
            return ""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        telling = [line for line in lines if re.match(r"FAILED |ERROR |.*error: |\[  FAILED  \] \w|CMake Error", line)]
        return (telling or lines or [f"it ended with {self.code}"])[0]


@dataclass(frozen=True)
class WorkingCopy:
    """A copy of the project to break, and the way to run its tests."""

    root: Path
    python: str  # an interpreter that has pytest
    jobs: int = 1  # of the compiler
    all_tests: bool = False  # run all tests of a mutant's language, not only the tests that must notice
    stop: threading.Event = field(default_factory=threading.Event)  # set: commands that run are ended

    @property
    def build_folder(self) -> Path:
        return self.root / "build" / "mutants"

    def copy(self, source: Path) -> None:
        """Brings the copy up to date; unchanged files keep their times, so they are not built again."""
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
        """Goes on after an error, so that a mutant that does not compile does not stop the others."""
        options = ["--target", target, "--", "-j", str(self.jobs), "-k", "0"]
        return self._run(["cmake", "--build", str(self.build_folder), *options])

    def keep_unit_tests(self, source: Path, kept: str) -> None:
        """Removes all tests in C++ but one file: compiling the others would take most of the time."""
        for file in (source / IN_CPP).glob("*.cpp"):
            copy = self.root / IN_CPP / file.name
            if f"{IN_CPP}{file.name}" not in (kept, MAIN):
                copy.unlink(missing_ok=True)
            elif not copy.exists():
                shutil.copy(file, copy)

    def test(self, mutant: Mutant, limit: float | None = None) -> CompletedCommand:
        """Runs the tests that must notice; they have noticed if they fail or take longer than the limit. Raises BadInput
        if no test ran."""
        place, _, selection = mutant.noticed_by.partition(" ")
        if place.startswith(IN_CPP):
            result = self._run([str(self.build_folder / UNIT_TESTS)], limit)
            ran = result.code < 0 or re.search(r"\[==========\] Running [1-9]", result.output) is not None
        else:
            select = [IN_PYTHON] if self.all_tests else [place, *(["-k", selection] if selection else [])]
            result = self._run([self.python, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *select], limit)
            ran = result.code in (0, 1) and re.search(r"\d (passed|failed|error)", result.output) is not None
        if not ran and not result.timed_out:
            raise BadInput(f"{mutant.breaks}: {mutant.noticed_by!r} runs no test: {result.complaint}")
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
    """Breaks copies of `source` in `folder` and returns the outcome of each mutant, which `report` gets at once. Raises
    BadInput if a mutant no longer applies, or if its tests fail on the unchanged code."""
    original = WorkingCopy(folder / "whole", python)  # so that edits in the meantime do not matter
    original.copy(source)
    expect_to_apply(original.root, mutants)
    families = [mutant for mutant in mutants if mutant.is_compiled and mutant.tests.startswith(IN_PYTHON)]
    units = [mutant for mutant in mutants if mutant.is_compiled and mutant.tests.startswith(IN_CPP)]
    interpreted = by_tests([mutant for mutant in mutants if not mutant.is_compiled])
    waiting = iter(interpreted)  # each worker takes the next group when it has finished a group
    jobs_to_do: list[tuple[Trial, str, Iterable[list[Mutant]]]] = []
    jobs_to_do += [(_try_in_program, "program", [families])] if families else []
    jobs_to_do += [(_try_in_unit_tests, "units", by_tests(units))] if units else []
    jobs_to_do += [(_try_interpreted, f"python-{number}", waiting) for number in range(min(jobs, len(interpreted)))]
    stop = threading.Event()
    with ThreadPoolExecutor(jobs) as workers:
        running = []
        for trial, name, groups in jobs_to_do:
            working_copy = WorkingCopy(folder / name, python, max(1, jobs // 2), all_tests, stop)
            running.append(workers.submit(_all_of, trial, working_copy, original.root, groups, report))
        try:
            outcomes = [outcome for future in running for outcome in future.result()]
        except BaseException:  # a worker cannot go on, or an interrupt: the others stop too
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
    """The time limit of each set of tests. Raises BadInput if they fail on the unchanged code, as they always would."""
    limits = {}
    for mutant in {mutant.noticed_by: mutant for mutant in mutants}.values():
        result = working_copy.test(mutant)
        if result.complaint:
            raise BadInput(f"{mutant.noticed_by} fails on the unchanged code: {result.complaint}")
        limits[mutant.noticed_by] = MOST_SECONDS_MORE + MOST_TIMES * result.seconds
    return limits


def _expect_to_build(working_copy: WorkingCopy, target: str) -> None:
    if complaint := working_copy.build(target).complaint:
        raise BadInput(f"the unchanged code does not build: {complaint}")


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
            ):  # a broken family does not affect others, and restoring it costs a compilation
                _mend(working_copy, source, mutant)
    for mutant in mutants:
        _mend(working_copy, source, mutant)


def _failed(mutant: Mutant, output: str) -> str:
    """The compiler's first error in the mutant's file; empty if it compiled."""
    if not re.search(rf"^FAILED: \S*{re.escape(mutant.file)}\.o", output, re.MULTILINE):
        return ""
    return next(
        (line for line in output.splitlines() if f"{Path(mutant.file).name}:" in line and "error: " in line), "an error"
    )


def _apply(working_copy: WorkingCopy, source: Path, mutant: Mutant) -> None:
    """Breaks the file, starting from its original text."""
    original = (source / mutant.file).read_text(encoding="utf-8")
    (working_copy.root / mutant.file).write_text(original.replace(mutant.old, mutant.new), encoding="utf-8")


def _mend(working_copy: WorkingCopy, source: Path, mutant: Mutant) -> None:
    """Restores the file; a file that is unchanged is not written, so it is not built again."""
    broken, original = working_copy.root / mutant.file, (source / mutant.file).read_bytes()
    if broken.read_bytes() != original:
        broken.write_bytes(original)


def _judged(working_copy: WorkingCopy, mutant: Mutant, limits: Mapping[str, float]) -> Outcome:
    result = working_copy.test(mutant, limits[mutant.noticed_by])
    return Outcome(mutant, CAUGHT if result.complaint else SURVIVED, result.seconds, result.complaint)
