"""By which instructions do the paths of both sides differ? Function by function, whatever the addresses."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from suite.base.text import three_figures
from suite.gate.explanation import FunctionChange, same_count
from suite.runner.disassembly import Instruction, demangled, instructions_at
from suite.runner.path_length import PathFunction
from suite.runner.program import Program

LEAST_COUNT = 0.1  # an instruction that an operation takes less often is not shown
# Functions that share a smaller part of their instructions are different functions of the same name, unless short.
ALIKE, SHORT = 0.5, 12
PAGE = 4096  # each process draws the pages of its code anew; the place in a page stays


@dataclass(frozen=True)
class _Taken:
    """An instruction, and how often an operation takes it."""

    instruction: Instruction
    count: float


@dataclass(frozen=True)
class _Code:
    """What operations take of a function, in the order of the addresses."""

    name: str
    file: Path
    taken: tuple[_Taken, ...]

    @property
    def instructions(self) -> float:
        return sum(taken.count for taken in self.taken)

    @property
    def compared(self) -> list[_Taken]:
        return [taken for taken in self.taken if taken.count >= LEAST_COUNT and not taken.instruction.aligns]


@dataclass(frozen=True)
class PathSide:
    """The program of a side, and what an operation takes there."""

    program: Program
    path: tuple[PathFunction, ...]

    @property
    def libraries(self) -> set[Path]:
        """The files other than the program that contribute to an operation."""
        counts: dict[Path, float] = defaultdict(float)
        for function in self.path:
            counts[function.file] += function.instructions
        return {file for file, count in counts.items() if count >= LEAST_COUNT and file != self.program.executable}

    def codes(self, keys: Mapping[Path, str]) -> dict[tuple[str, str], _Code]:
        """The functions by the key of their file, and their name. Functions without a name are like one function,
        unless both sides have the file: their addresses mean nothing there."""
        parts: dict[tuple[str, str], list[PathFunction]] = defaultdict(list)
        for function in self.path:
            key = keys.get(function.file, str(function.file))
            nameless = function.name.startswith("0x") and key != str(function.file)
            parts[key, NAMELESS if nameless else function.name].append(function)
        return {key: _code(key[1], functions) for key, functions in parts.items()}


NAMELESS, LOOP = "functions without a name", "the timed loop"


def _code(name: str, functions: Sequence[PathFunction]) -> _Code:
    counts = {address: count for function in functions for address, count in function.counts.items()}
    file = functions[0].file
    known = instructions_at(file, counts.keys()) if file.is_file() else {}
    taken: list[_Taken] = []
    for address in sorted(counts):
        instruction, count = known.get(address, Instruction(address, "(not known)", "")), counts[address]
        if taken and instruction.text.startswith("rep"):  # callgrind counts its repetitions, a processor does not
            count = min(count, taken[-1].count)
        taken.append(_Taken(instruction, count))
    return _Code(LOOP if any(function.has_loop for function in functions) else name, file, tuple(taken))


def changes(old: PathSide, new: PathSide) -> tuple[FunctionChange, ...]:
    """The functions of both paths, the largest change first. Raises NoDisassembly."""
    before, after = old.codes(_file_keys(old, new)), new.codes(_file_keys(new, old))
    both = [_change(before.get(key), after.get(key)) for key in dict.fromkeys((*before, *after))]
    both = [change for change in both if max(change.old, change.new) >= LEAST_COUNT]
    mangled = dict.fromkeys(name for change in both for name in (change.name, *_CALLED.findall(" ".join(change.lines))))
    names = dict(zip(mangled, map(short_name, demangled(list(mangled)))))
    named = [
        replace(
            change,
            name=names[change.name],
            lines=tuple(_CALLED.sub(lambda called: f"<{names[called[1]]}>", line) for line in change.lines),
        )
        for change in both
    ]
    return tuple(sorted(named, key=lambda change: (-abs(change.new - change.old), not change.differs, -change.new)))


_CALLED = re.compile(r"<([^<>]+)>")


def _file_keys(side: PathSide, other: PathSide) -> dict[Path, str]:
    """By file: a key that is the same on the other side for the file that takes the same part there."""
    own, others = side.libraries - other.libraries, other.libraries - side.libraries
    names = {file.name for file in others}
    keys = {file: file.name for file in own if file.name in names}
    if len(own) == len(others) == 1:
        keys = {file: "malloc" for file in own}
    return {**keys, side.program.executable: "program"}


def _change(old: _Code | None, new: _Code | None) -> FunctionChange:
    code = new or old
    assert code
    files = " and ".join(dict.fromkeys(side.file.name for side in (old, new) if side))
    change = FunctionChange(code.name, files, old.instructions if old else 0.0, new.instructions if new else 0.0)
    if not old or not new:
        return change
    before, after = ([taken.instruction.operation for taken in side.compared] for side in (old, new))
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < ALIKE and max(map(len, (before, after))) > SHORT:
        return replace(change, is_rewritten=True)
    lines = tuple(_differences(matcher, old.compared, new.compared))
    places = [[taken.instruction.address % PAGE for taken in side.compared] for side in (old, new)]
    return replace(change, lines=lines, is_moved=not lines and places[0] != places[1])


def _differences(
    matcher: difflib.SequenceMatcher[str], old: Sequence[_Taken], new: Sequence[_Taken]
) -> Iterator[str]:
    """The lines of a unified diff without its headers, and the instructions that only differ in how often they run."""
    for group in matcher.get_grouped_opcodes(1) if matcher.ratio() < 1.0 else ():
        for kind, old_start, old_end, new_start, new_end in group:
            if kind == "equal":
                yield from (f"  {taken.instruction.text}" for taken in new[new_start:new_end])
                continue
            yield from (f"- {taken.instruction.text}" for taken in old[old_start:old_end])
            yield from (f"+ {taken.instruction.text}" for taken in new[new_start:new_end])
    for old_start, new_start, size in matcher.get_matching_blocks():
        for was, now in zip(old[old_start : old_start + size], new[new_start : new_start + size]):
            if not same_count(was.count, now.count):
                yield f"  {now.instruction.text}    {three_figures(was.count)} to {three_figures(now.count)} times"


# ---- names

LONGEST_NAME = 60
_INNERMOST = re.compile(r"<[^<>]*>")


def short_name(name: str) -> str:
    """A demangled name without the compiler's additions, its result and its arguments; where it is long, also without
    template arguments."""
    if name in (LOOP, NAMELESS):
        return name
    text = re.sub(r" \[clone [^\]]*\]", "", name).replace("(anonymous namespace)::", "").replace("stackheap::", "")
    text = _without_arguments(text.replace("operator()", "operator\0")).replace("operator\0", "operator()")
    while len(text) > LONGEST_NAME and (shorter := _INNERMOST.sub("", text)) != text:
        text = shorter
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 3] + "..."


def _without_arguments(text: str) -> str:
    """The text without its parts in brackets, and without the words before its last word."""
    kept, depth, angles = "", 0, 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth or letter == ")":
            continue
        angles += (letter == "<") - (letter == ">")
        kept = "" if letter == " " and angles == 0 and "operator" not in kept else kept + letter
    return kept or text
