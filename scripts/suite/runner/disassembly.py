"""Which instructions are in an object file, a program or a library? Reads objdump's disassembly."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from suite.base.failure import cause_in
from suite.base.foreign_program import NoAnswer, run_foreign

_HEADER = re.compile(r"^[0-9a-f]+ <(?P<name>.+)>:$")
_INSTRUCTION = re.compile(r"^\s*(?P<address>[0-9a-f]+):\s+(?P<text>\S.*)$")
_JUMP = re.compile(r"^(?:bnd |notrack )?(?P<kind>j\w+|b(?:\.\w+)?|cbn?z|tbn?z)\s+(?:\S+, *)*(?P<target>[0-9a-f]+)\b")
_CALL = re.compile(r"^(?:bnd )?(?:call|bl|blr)\b")
_PLACE = re.compile(r"\b(?P<address>[0-9a-f]+) <(?P<name>[^>]*?)(?P<offset>\+0x[0-9a-f]+)?>")
_FROM_HERE = re.compile(r"-?0x[0-9a-f]+(?=\(%rip\))")
_ALIGNMENT = re.compile(r"^(?:data16 |cs )*(?:nop|xchg\s+%ax,%ax)")

SECONDS = 120.0  # objdump takes four for a program of 100 MB
LONGEST_GAP = 256  # bytes between two wanted instructions: beyond them, data may stand that is not code
LONGEST_INSTRUCTION = 16  # bytes


class NoDisassembly(Exception):
    """objdump is missing, or cannot read the file. The text is one line."""


@dataclass(frozen=True)
class Function:
    """One function's instructions, as (address, text)."""

    name: str
    instructions: tuple[tuple[int, str], ...]

    def calls(self) -> list[str]:
        """The call instructions; their text names the called function where it is known."""
        return [text for _, text in self.instructions if _CALL.match(text)]

    def loops(self) -> Iterator[list[str]]:
        """Yields the bodies of the loops: from the target of each backward jump to the jump."""
        for address, text in self.instructions:
            jump = _JUMP.match(text)
            if jump and int(jump["target"], 16) <= address:
                start = int(jump["target"], 16)
                yield [body for position, body in self.instructions if start <= position <= address]


@dataclass(frozen=True)
class Instruction:
    """An instruction without what depends on where the code lies."""

    address: int
    text: str  # for readers: a jump's target is relative, and a datum has its symbol
    operation: str  # equal in two builds that differ in layout alone

    @property
    def aligns(self) -> bool:
        """Whether it does nothing but fill up to an alignment."""
        return bool(_ALIGNMENT.match(self.text))


def disassemble(file: Path) -> Mapping[str, Function]:
    """The functions of a file by their demangled name. Raises NoDisassembly."""
    return {function.name: function for function in _functions(_objdump(file, "--demangle"))}


def instructions_at(file: Path, addresses: Collection[int]) -> dict[int, Instruction]:
    """The instructions that begin at these addresses, with mangled names. Raises NoDisassembly."""
    instructions = {}
    for start, end in _stretches(sorted(addresses)):
        text = _objdump(file, f"--start-address={start:#x}", f"--stop-address={end + LONGEST_INSTRUCTION:#x}")
        for function in _functions(text):
            for address, instruction in function.instructions:
                if address in addresses:
                    instructions[address] = _without_place(address, instruction)
    return instructions


def operations_by_function(file: Path) -> dict[str, str]:
    """The operations of each function by its mangled name, without alignment: equal in two builds that differ in layout
    alone. Functions of the same name, which are local to their source files, are like one function. Raises
    NoDisassembly."""
    operations: dict[str, list[str]] = defaultdict(list)
    for function in _functions(_objdump(file)):
        instructions = (_without_place(*instruction) for instruction in function.instructions)
        operations[function.name] += (code.operation for code in instructions if not code.aligns)
    return {name: "\n".join(code) for name, code in operations.items()}


def demangled(names: Sequence[str]) -> list[str]:
    """The names as a programmer writes them; unchanged without c++filt."""
    if not names:
        return []
    try:
        answer = run_foreign(["c++filt"], SECONDS, stdin="\n".join(names))
    except NoAnswer:
        return list(names)
    lines = answer.output.split("\n")[: len(names)]  # not splitlines: a name may hold what it takes for an end
    return lines if len(lines) == len(names) else list(names)


def _objdump(file: Path, *options: str) -> str:
    if shutil.which("objdump") is None:
        raise NoDisassembly("objdump is not installed (package binutils)")
    try:
        answer = run_foreign(["objdump", "--disassemble", "--no-show-raw-insn", *options, file], SECONDS)
    except NoAnswer as problem:
        raise NoDisassembly(str(problem)) from None
    if answer.exit_code != 0:
        raise NoDisassembly(cause_in(answer.errors) or f"objdump cannot read {file}")
    return answer.output


def _functions(text: str) -> Iterator[Function]:
    name, body = "", list[tuple[int, str]]()
    for line in text.split("\n"):
        if header := _HEADER.match(line):
            if name:
                yield Function(name, tuple(body))
            name, body = header["name"], []
        elif instruction := _INSTRUCTION.match(line):
            body.append((int(instruction["address"], 16), instruction["text"]))
    if name:
        yield Function(name, tuple(body))


def _stretches(addresses: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and last address of each run without a long gap."""
    starts = [i for i in range(len(addresses)) if i == 0 or addresses[i] - addresses[i - 1] > LONGEST_GAP]
    for start, end in zip(starts, [*starts[1:], len(addresses)]):
        yield addresses[start], addresses[end - 1]


def _without_place(address: int, text: str) -> Instruction:
    code, _, comment = text.partition("#")
    code = " ".join(code.split())
    place = _PLACE.search(code) or _PLACE.search(comment)
    if place is None:
        return Instruction(address, code, code)
    exact = "" if place["offset"] else f" <{place['name']}>"  # of data behind a symbol, only the distance is known
    if _FROM_HERE.search(code):
        datum = _FROM_HERE.sub("", code) + exact
        return Instruction(address, datum, datum)
    if _CALL.match(code) or exact:
        called = _PLACE.sub(f"<{place['name']}>", code)
        return Instruction(address, called, called)
    return Instruction(address, _PLACE.sub(f"{int(place['address'], 16) - address:+#x}", code), _PLACE.sub("", code))
