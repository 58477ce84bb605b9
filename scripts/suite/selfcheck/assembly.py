"""Which instructions are in the timed loops? Reads objdump's disassembly of an object file or program."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_HEADER = re.compile(r"^[0-9a-f]+ <(?P<name>.+)>:$")
_INSTRUCTION = re.compile(r"^\s*(?P<address>[0-9a-f]+):\s+(?P<text>\S.*)$")
_JUMP = re.compile(r"^(?:bnd |notrack )?(?P<kind>j\w+|b(?:\.\w+)?|cbn?z|tbn?z)\s+(?:\S+, *)*(?P<target>[0-9a-f]+)\b")
_CALL = re.compile(r"^(?:bnd )?(?:call|bl|blr)\b")


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


def disassemble(file: Path) -> Mapping[str, Function]:
    """The functions of a file by their demangled name. Raises NoDisassembly."""
    objdump = shutil.which("objdump")
    if objdump is None:
        raise NoDisassembly("objdump is not installed (package binutils)")
    command = [objdump, "--disassemble", "--demangle", "--no-show-raw-insn", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        raise NoDisassembly((result.stderr.strip().splitlines() or [f"objdump cannot read {file}"])[-1])
    return {function.name: function for function in _functions(result.stdout)}


def _functions(text: str) -> Iterator[Function]:
    name, body = "", list[tuple[int, str]]()
    for line in text.splitlines():
        if header := _HEADER.match(line):
            if name:
                yield Function(name, tuple(body))
            name, body = header["name"], []
        elif instruction := _INSTRUCTION.match(line):
            body.append((int(instruction["address"], 16), instruction["text"]))
    if name:
        yield Function(name, tuple(body))
