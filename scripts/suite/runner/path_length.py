"""Which instructions does one operation of a benchmark take? Counted by valgrind's callgrind, which runs the program
on a processor of its own, made of software: every instruction is counted, and time does not matter.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from suite.base.errors import UnitFailed, UnitHung
from suite.results import read
from suite.runner.program import Part, Program, measure_part

LIMIT = 60.0  # seconds for one process; most take two
NATIVE_NS = 5e6  # of work without callgrind, which takes about fifty times as long
MOST_ITERATIONS = 20_000

# The counts between these two functions of Google Benchmark are those of the timed loop.
LOOP_BEGINS, LOOP_ENDS = "StartKeepRunning", "FinishKeepRunning"
CALLGRIND = (
    "--tool=callgrind", "--quiet", "--trace-children=yes", "--dump-instr=yes", "--dump-line=no", "--demangle=no",
    f"--zero-before=*{LOOP_BEGINS}*", f"--dump-before=*{LOOP_ENDS}*",
)  # fmt: skip


class NoPath(Exception):
    """The instructions cannot be counted here. The text is one line."""


@dataclass(frozen=True)
class PathFunction:
    """What a function contributes to one operation."""

    name: str  # mangled; an address where the file has no symbol
    file: Path
    counts: Mapping[int, float]  # by address in the file: how often an operation takes that instruction
    has_loop: bool = False  # the timed loop stands in this function

    @property
    def instructions(self) -> float:
        return sum(self.counts.values())


def path_of(program: Program, name: str, ns: float, folder: Path) -> tuple[PathFunction, ...]:
    """The functions that one operation of a benchmark passes through, from two processes: the second has twice as many
    iterations, so the difference is free of the loop's beginning and end. `ns` is what an operation takes. Raises
    NoPath."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise NoPath("install valgrind to see instructions by function")
    iterations = max(1, min(MOST_ITERATIONS, round(NATIVE_NS / ns)))
    once = _loop_of(program, valgrind, name, iterations, folder)
    twice = _loop_of(program, valgrind, name, 2 * once.iterations, folder)
    operations = twice.iterations - once.iterations
    functions = []
    for (file, function), counts in twice.counts.items():
        before = once.counts.get((file, function), {})
        more = {at: (count - before.get(at, 0)) / operations for at, count in counts.items()}
        taken = {at: count for at, count in more.items() if count > 0.0}
        functions += [PathFunction(function, Path(file), taken, (file, function) == twice.loop)] if taken else []
    return tuple(sorted(functions, key=lambda function: -function.instructions))


_Function = tuple[str, str]  # its file and its name


@dataclass
class _Loop:
    """What callgrind counted in a timed loop."""

    counts: dict[_Function, dict[int, int]]  # by address: how often each instruction was taken
    loop: _Function = ("", "")  # the function with the loop
    iterations: int = 0


def _loop_of(program: Program, valgrind: str, name: str, iterations: int, folder: Path) -> _Loop:
    """Counts a timed loop of at least so many iterations: a loop that makes several at once may make more."""
    expression = f"^{re.escape(name)}$"
    with tempfile.TemporaryDirectory(dir=folder) as place:
        watched = replace(
            program,
            only=expression,
            under=(valgrind, *CALLGRIND, f"--callgrind-out-file={place}/counts.%p"),
            options=(f"--iterations={iterations}",),
        )
        try:
            document, _ = measure_part(watched, Part("", "", 0, expression, (name,)), Path(place), LIMIT, 0)
        except UnitHung:
            raise NoPath(f"callgrind did not end within {LIMIT:.0f} s") from None
        except UnitFailed as problem:
            raise NoPath(_reason(str(problem))) from None
        if failures := read.failures_in(document, (name,)):
            raise NoPath(_reason(failures[0]))
        done = sum(int(row["iterations"]) for row in read.rows_of_processes(document))
        texts = [file.read_text(errors="replace") for file in Path(place).glob("counts.*")]
    loops = [text for text in texts if "Trigger: --dump-before=" in text]
    if len(loops) != 1:
        raise NoPath(f"callgrind saw {len(loops)} timed loops instead of one")
    if done < iterations:
        raise NoPath(f"the program made {done} of {iterations} iterations")
    counted = _read(loops[0].split("\n"))
    counted.iterations = done
    return counted


def _reason(problem: str) -> str:
    if "SIGILL" in problem or "Illegal instruction" in problem:
        return "valgrind lacks an instruction of this build (such as those of AVX-512)"
    if "--iterations" in problem:
        return "a build of an earlier version has no --iterations"
    if "(valgrind: " in problem:
        return "a build of an earlier version executes itself in a way that valgrind does not follow"
    return f"under callgrind: {problem}"


_POSITION = re.compile(r"(?P<place>0x[0-9a-f]+|[+-]\d+|\*) (?P<count>\d+)$")
_NAMED = re.compile(r"(?P<kind>ob|fn|cob|cfn)=\((?P<number>\d+)\)(?: (?P<name>.*))?$")
_RECURSION = re.compile(r"'\d+$")  # callgrind tells a function that calls itself by level


def _read(lines: Iterable[str]) -> _Loop:
    """Reads callgrind's format: the instructions of each function itself, without those of the functions it calls."""
    names: dict[tuple[str, str], str] = {}
    counted = _Loop(defaultdict(lambda: defaultdict(int)))
    file = function = ""
    address = 0
    rest = iter(lines)
    for line in rest:
        if named := _NAMED.match(line):
            kind = named["kind"][-2:]
            if named["name"] is not None:
                names[kind, named["number"]] = named["name"]
            text = names.get((kind, named["number"]), "")
            if named["kind"] == "ob":
                file = text
            elif named["kind"] == "fn":
                function = _RECURSION.sub("", text)
            elif LOOP_BEGINS in text:
                counted.loop = file, function
        elif line.startswith("calls="):
            next(rest, "")  # what the called function took in all; its place does not count as a place before
        elif position := _POSITION.match(line):
            place = position["place"]
            address = int(place, 16) if place.startswith("0x") else address + int("0" if place == "*" else place)
            counted.counts[file, function][address] += int(position["count"])
    return counted
