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
    found = [one for table in sorted((root / TABLES).glob("*.txt")) for one in _parsed(table)]
    if not found:
        raise BadInput(f"{root / TABLES} has no mutant")
    names = [one.breaks for one in found]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{TABLES}: two mutants are called {name!r}")
    return found


def _parsed(table: Path) -> Iterator[Mutant]:
    """Entries of the form: == WHAT IT BREAKS, in FILE, noticed by TESTS, -OLD LINES, +NEW LINES."""
    entry: dict[str, list[str]] = {}

    def complete() -> Mutant:
        where = f"{table.name}: {entry['== '][0]}"
        for part in ("in ", "noticed by ", "-"):
            if part not in entry:
                raise BadInput(f"{where}: no line begins with {part.strip()!r}")
        tests = entry["noticed by "][0]
        if not re.match(rf"{IN_CPP}\w+\.cpp$|{IN_PYTHON}\w+/test_\w+\.py($| )", tests):
            raise BadInput(f"{where}: noticed by {tests!r}, which is no file of {IN_CPP} or {IN_PYTHON}")
        old, new = ("\n".join(entry.get(sign, [])) for sign in "-+")
        if old == new:
            raise BadInput(f"{where}: changes nothing")
        return Mutant(entry["== "][0], entry["in "][0], old, new, tests)

    for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        kind = next((one for one in ("== ", "in ", "noticed by ", "-", "+") if line.startswith(one)), None)
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
    said = []
    for one in mutants:
        file = root / one.file
        times = file.read_text(encoding="utf-8").count(one.old) if file.is_file() else 0
        if times != 1:
            said.append(f"{one.breaks}: its old text stands {times} times in {one.file}, not once")
        if not (root / one.tests).is_file():
            said.append(f"{one.breaks}: there is no {one.tests}")
    return said


def expect_to_apply(root: Path, mutants: Sequence[Mutant]) -> None:
    """Raises BadInput, which names those that no longer do."""
    if said := stale(root, mutants):
        raise BadInput("; ".join(said))


def rounds_of(mutants: Sequence[Mutant]) -> list[list[Mutant]]:
    """Which mutants of the program are built together: families know nothing of each other, so one mutant of each. All
    else is built by itself, or one mutant might be caught for another's sake; and first, while the families are whole."""
    rounds: list[list[Mutant]] = []
    for one in mutants:
        fitting = (
            each for each in rounds
            if all(FAMILY.fullmatch(file) for file in (one.file, each[0].file)) and one.file not in [other.file for other in each]
        )  # fmt: skip
        if together := next(fitting, None):
            together.append(one)
        else:
            rounds.append([one])
    return sorted(rounds, key=lambda each: FAMILY.fullmatch(each[0].file) is not None)


def by_tests(mutants: Sequence[Mutant]) -> list[list[Mutant]]:
    """Those that the same tests must notice, together: these are built, and timed on the code as it is, once. The most
    first, so that no worker has many left when the others are done."""
    groups: dict[str, list[Mutant]] = {}
    for one in mutants:
        groups.setdefault(one.noticed_by, []).append(one)
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
    everything: bool = False  # all tests of a mutant's language, not only those that must notice
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
        for left in [file for file in _files(self.root) if file.relative_to(self.root) not in wanted]:
            left.unlink()

    def configure(self) -> None:
        """Raises BadInput."""
        command = ["cmake", *CONFIGURE, "-S", str(self.root), "-B", str(self.build_folder)]
        if said := self._run(command).complaint:
            raise BadInput(f"the copy cannot be configured: {said}")

    def build(self, target: str) -> CompletedCommand:
        """Goes on after an error, so that one mutant that does not compile says nothing of the others."""
        options = ["--target", target, "--", "-j", str(self.jobs), "-k", "0"]
        return self._run(["cmake", "--build", str(self.build_folder), *options])

    def keep_unit_tests(self, source: Path, chosen: str) -> None:
        """Of the tests in C++ only one file stays: compiling the others would take most of the time."""
        for file in (source / IN_CPP).glob("*.cpp"):
            here = self.root / IN_CPP / file.name
            if f"{IN_CPP}{file.name}" not in (chosen, MAIN):
                here.unlink(missing_ok=True)
            elif not here.exists():
                shutil.copy(file, here)

    def test(self, one: Mutant, limit: float | None = None) -> CompletedCommand:
        """Runs the tests that must notice; they have when this failed, or took longer than the limit. Raises BadInput
        when nothing was tested."""
        place, _, chosen = one.noticed_by.partition(" ")
        if place.startswith(IN_CPP):
            ended = self._run([str(self.build_folder / UNIT_TESTS)], limit)
            ran = ended.code < 0 or re.search(r"\[==========\] Running [1-9]", ended.output) is not None
        else:
            select = [IN_PYTHON] if self.everything else [place, *(["-k", chosen] if chosen else [])]
            ended = self._run([self.python, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *select], limit)
            ran = ended.code in (0, 1) and re.search(r"\d (passed|failed|error)", ended.output) is not None
        if not ran and not ended.timed_out:
            raise BadInput(f"{one.breaks}: {one.noticed_by!r} tests nothing here: {ended.complaint}")
        return ended

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
    made = path.name in MADE or path.name.startswith(".") and "cache" in path.name
    return not made and (path.parts[0] != "results" or path.parts[1:2] in ((), ("reference",)))


Trial = Callable[[WorkingCopy, Path, Sequence[Mutant]], Iterator[Outcome]]


def try_all(
    source: Path, mutants: Sequence[Mutant], folder: Path, python: str, jobs: int, everything: bool = False,
    tell: Callable[[Outcome], None] = lambda each: None,
) -> list[Outcome]:  # fmt: skip
    """Breaks copies of `source` in `folder` and returns what came of each mutant, calling `tell` as they come. Raises
    BadInput when a mutant no longer applies, or when its tests fail on the code as it is."""
    whole = WorkingCopy(folder / "whole", python)  # from here on, whatever is edited meanwhile
    whole.copy(source)
    expect_to_apply(whole.root, mutants)
    families = [one for one in mutants if one.is_compiled and one.tests.startswith(IN_PYTHON)]
    units = [one for one in mutants if one.is_compiled and one.tests.startswith(IN_CPP)]
    interpreted = by_tests([one for one in mutants if not one.is_compiled])
    left = iter(interpreted)  # of which each worker takes what is next when it is done with the one before
    work: list[tuple[Trial, str, Iterable[list[Mutant]]]] = []
    work += [(_try_in_program, "program", [families])] if families else []
    work += [(_try_in_unit_tests, "units", by_tests(units))] if units else []
    work += [(_try_interpreted, f"python-{number}", left) for number in range(min(jobs, len(interpreted)))]
    stop = threading.Event()
    with ThreadPoolExecutor(jobs) as workers:
        running = [
            workers.submit(
                _all_of, of, WorkingCopy(folder / name, python, max(1, jobs // 2), everything, stop), whole.root, own, tell
            )
            for of, name, own in work
        ]  # fmt: skip
        try:
            found = [each for one in running for each in one.result()]
        except BaseException:  # one cannot go on, or the user wants no more: nor shall the others
            stop.set()
            raise
    order = {one.breaks: number for number, one in enumerate(mutants)}
    return sorted(found, key=lambda each: order[each.mutant.breaks])


def _all_of(
    of: Trial, shop: WorkingCopy, source: Path, groups: Iterable[Sequence[Mutant]], tell: Callable[[Outcome], None]
) -> list[Outcome]:
    shop.copy(source)
    found = []
    for each in (each for own in groups for each in of(shop, source, own)):
        tell(each)
        found.append(each)
    return found


def _time_limits(shop: WorkingCopy, mutants: Sequence[Mutant]) -> dict[str, float]:
    """By tests, how long they may take. Raises BadInput where they fail on the code as it is: they would notice anything."""
    limits = {}
    for one in {each.noticed_by: each for each in mutants}.values():
        ended = shop.test(one)
        if ended.complaint:
            raise BadInput(f"{one.noticed_by} fails on the code as it is: {ended.complaint}")
        limits[one.noticed_by] = MOST_SECONDS_MORE + MOST_TIMES * ended.seconds
    return limits


def _expect_to_build(shop: WorkingCopy, target: str) -> None:
    if said := shop.build(target).complaint:
        raise BadInput(f"the code as it is does not build: {said}")


def _try_interpreted(shop: WorkingCopy, source: Path, mutants: Sequence[Mutant]) -> Iterator[Outcome]:
    limits = _time_limits(shop, mutants)
    for one in mutants:
        _apply(shop, source, one)
        yield _judged(shop, one, limits)
        _mend(shop, source, one)


def _try_in_unit_tests(shop: WorkingCopy, source: Path, mutants: Sequence[Mutant]) -> Iterator[Outcome]:
    shop.keep_unit_tests(source, mutants[0].tests)
    shop.configure()
    _expect_to_build(shop, UNIT_TESTS)
    limits = _time_limits(shop, mutants)
    for one in mutants:
        _apply(shop, source, one)
        said = shop.build(UNIT_TESTS).complaint
        yield Outcome(one, UNBUILT, 0.0, said) if said else _judged(shop, one, limits)
        _mend(shop, source, one)


def _try_in_program(shop: WorkingCopy, source: Path, mutants: Sequence[Mutant]) -> Iterator[Outcome]:
    shop.configure()
    _expect_to_build(shop, PROGRAM)
    limits = _time_limits(shop, mutants)
    for together in rounds_of(mutants):
        for one in together:
            _apply(shop, source, one)
        said = shop.build(PROGRAM)
        unbuilt = [one for one in together if said.code != 0 and (len(together) == 1 or _failed(one, said.output))]
        for one in unbuilt:
            yield Outcome(one, UNBUILT, 0.0, _failed(one, said.output) or said.complaint)
            _mend(shop, source, one)
        if unbuilt and len(together) > len(unbuilt):
            _expect_to_build(shop, PROGRAM)
        yield from (_judged(shop, one, limits) for one in together if one not in unbuilt)
        for one in together:
            if not FAMILY.fullmatch(one.file):  # a broken family disturbs no other, and mending it takes the compiler
                _mend(shop, source, one)
    for one in mutants:
        _mend(shop, source, one)


def _failed(one: Mutant, said: str) -> str:
    """The compiler's first error in the mutant's file; empty when it compiled."""
    if not re.search(rf"^FAILED: \S*{re.escape(one.file)}\.o", said, re.MULTILINE):
        return ""
    return next((line for line in said.splitlines() if f"{Path(one.file).name}:" in line and "error: " in line), "an error")


def _apply(shop: WorkingCopy, source: Path, one: Mutant) -> None:
    """Breaks the file; whatever else it was broken in is mended."""
    whole = (source / one.file).read_text(encoding="utf-8")
    (shop.root / one.file).write_text(whole.replace(one.old, one.new), encoding="utf-8")


def _mend(shop: WorkingCopy, source: Path, one: Mutant) -> None:
    """Where it is whole already it stays as it is, and so does what was built of it."""
    here, whole = shop.root / one.file, (source / one.file).read_bytes()
    if here.read_bytes() != whole:
        here.write_bytes(whole)


def _judged(shop: WorkingCopy, one: Mutant, limits: Mapping[str, float]) -> Outcome:
    ended = shop.test(one, limits[one.noticed_by])
    return Outcome(one, CAUGHT if ended.complaint else SURVIVED, ended.seconds, ended.complaint)
