"""What kind of program is the user's command, and can a malloc be preloaded into it? Found out from its file alone.

Whether a process really had the malloc is proven when it runs (suite.program.pairs).
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from suite.base.errors import BadInput
from suite.base.text import first_line, one_line

MOST_INTERPRETERS = 5  # as the kernel follows
_MOST_TABLE = 1 << 22  # bytes of a table in an ELF file that are read
_OURS = Path("/proc/self/exe")
_INTERPRETER = 3  # PT_INTERP
_ACCEPTED = "accepted: the path of a program, or its name in PATH"


@dataclass(frozen=True)
class Executable:
    """A program that can be started."""

    file: Path  # of the command's first word
    program: Path  # that runs in the end: of a script, its interpreter
    barrier: str = ""  # why no malloc can be preloaded into it; empty: it can
    notes: tuple[str, ...] = ()  # sentences on what else limits the answer


def find(word: str) -> Executable:
    """The program of the command's first word, as a shell would find it. Raises BadInput if it cannot be started."""
    file = _searched(word)
    program, scripts = file, 0
    while (interpreter := _interpreter_of(program)) is not None:
        if scripts == MOST_INTERPRETERS:
            raise BadInput(f"COMMAND {_quoted(word)} is a script whose interpreters are scripts in turn; {_ACCEPTED}")
        program, scripts = interpreter, scripts + 1
    barrier, notes = _examined(program)
    return Executable(file, program, barrier, notes)


def _quoted(word: str) -> str:
    return f"'{one_line(word)}'"


def _meant(word: str) -> str:
    """A file here needs its folder; a command with its arguments is no single word."""
    if Path(word).is_file():
        return f"; did you mean ./{one_line(word)}?"
    first, *others = word.split()[:2] or [""]
    return "; did you mean the words without quotes around them?" if others and shutil.which(first) else ""


def _searched(word: str) -> Path:
    if not word:
        raise BadInput(f"COMMAND '' is empty; {_ACCEPTED}")
    if "/" not in word:
        found_file = shutil.which(word)
        if found_file is None:
            raise BadInput(f"COMMAND {_quoted(word)} is not in PATH{_meant(word)}; {_ACCEPTED}")
        return Path(found_file).absolute()
    file = Path(word)
    try:
        mode = file.stat().st_mode
    except (OSError, ValueError) as problem:
        reason = (
            "does not exist" if isinstance(problem, FileNotFoundError) else f"cannot be read ({first_line(problem)})"
        )
        raise BadInput(f"COMMAND {_quoted(word)} {reason}; {_ACCEPTED}") from None
    if not stat.S_ISREG(mode):
        raise BadInput(f"COMMAND {_quoted(word)} is {'a folder' if stat.S_ISDIR(mode) else 'not a file'}; {_ACCEPTED}")
    if not os.access(file, os.X_OK):
        raise BadInput(f"COMMAND {_quoted(word)} is not executable (chmod +x); {_ACCEPTED}")
    return file.absolute()


# ---- scripts


def _interpreter_of(file: Path) -> Path | None:
    """The program that runs a script: that of its first line, where it is `env` the program that env starts, and
    /bin/sh where there is no such line. None for another file."""
    start = _read(file, 0, 4096)
    if start.startswith(b"#!"):
        words = start[2:].split(b"\n", 1)[0].split()
        names = [os.fsdecode(word) for word in words]
        if names and Path(names[0]).name == "env":
            names = [name for name in names[1:] if not name.startswith("-") and "=" not in name]
            names = [shutil.which(names[0]) or names[0]] if names else []
        return Path(names[0]) if names and Path(names[0]).is_file() else None
    is_text = bool(start) and b"\0" not in start and not start.startswith(b"\x7fELF")
    return Path("/bin/sh") if is_text else None


def _read(file: Path, offset: int, size: int) -> bytes:
    """Empty where it cannot be read: a program may be executable without being readable."""
    try:
        with open(file, "rb") as opened:
            opened.seek(offset)
            return opened.read(max(0, size))
    except (OSError, ValueError, OverflowError):
        return b""


# ---- ELF files


@dataclass(frozen=True)
class _Elf:
    """The parts of an ELF file that say how it is started. Of little-endian 64-bit files; others have none."""

    bits: int
    machine: bytes  # class, byte order and machine, as they stand in the header
    has_interpreter: bool
    sections: frozenset[str]


def _read_elf(file: Path) -> _Elf | None:
    header = _read(file, 0, 64)
    if len(header) < 52 or not header.startswith(b"\x7fELF"):
        return None
    bits, machine = (64 if header[4] == 2 else 32), header[4:6] + header[18:20]
    if header[4:6] != b"\x02\x01" or len(header) < 64:
        return _Elf(bits, machine, True, frozenset())
    segments, sections = struct.unpack_from("<QQ", header, 32)
    segment_size, segment_count, section_size, section_count, names = struct.unpack_from("<HHHHH", header, 54)
    table = _read(file, segments, min(segment_size * segment_count, _MOST_TABLE))
    kinds = [table[at : at + 4] for at in range(0, len(table), segment_size or len(table) or 1)]
    has_interpreter = struct.pack("<I", _INTERPRETER) in kinds
    table = _read(file, sections, min(section_size * section_count, _MOST_TABLE))
    rows = [table[at : at + 64] for at in range(0, len(table), max(section_size, 64))]
    rows = [row for row in rows if len(row) == 64]
    texts = b""
    if names < len(rows):
        offset, size = struct.unpack_from("<QQ", rows[names], 24)
        texts = _read(file, offset, min(size, _MOST_TABLE))
    places = [struct.unpack_from("<I", row)[0] for row in rows]
    titles = {texts[at : at + 64].split(b"\0", 1)[0].decode(errors="replace") for at in places}
    return _Elf(bits, machine, has_interpreter, frozenset(titles))


def _examined(program: Path) -> tuple[str, tuple[str, ...]]:
    """Why no malloc can be preloaded, and notes."""
    elf = _read_elf(program)
    name = one_line(program.name)
    if elf is None:
        return ("" if not _read(program, 0, 4) else f"{name} is not a program of this system (not an ELF file)"), ()
    ours = _read_elf(_OURS)
    is_go = bool(elf.sections & {".go.buildinfo", ".note.go.buildid"})
    go = f"{name} is written in Go, which takes memory from an allocator of its own: only its parts in C call malloc"
    if _is_privileged(program):
        return f"{name} is setuid or setgid, or has file capabilities: the system ignores LD_PRELOAD for it", ()
    if ours is not None and elf.machine != ours.machine:
        return f"{name} is a {elf.bits}-bit program of another kind than the malloc libraries here", ()
    if not elf.has_interpreter:
        static = f"{name} is linked statically: it has its malloc in itself, and LD_PRELOAD has no effect"
        return go if is_go else static, ()
    return "", (go,) if is_go else ()


def _is_privileged(program: Path) -> bool:
    """Whether the system starts it with other rights than the user's, and so ignores LD_PRELOAD."""
    try:
        status = program.stat()
        capable = "security.capability" in os.listxattr(program) and os.geteuid() != 0
    except OSError:
        return False
    as_other_user = bool(status.st_mode & stat.S_ISUID) and status.st_uid != os.geteuid()
    as_other_group = bool(status.st_mode & stat.S_ISGID) and status.st_gid != os.getegid()
    return capable or as_other_user or as_other_group
