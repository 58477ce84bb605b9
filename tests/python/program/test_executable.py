"""Is a program that no malloc can be preloaded into found out, with the reason in a line?"""

from __future__ import annotations

import os
import re
import shutil
import struct
import sys
from pathlib import Path

import pytest

from suite.base.errors import BadInput
from suite.program import executable
from suite.program.executable import find

X86_64, AARCH64, I386 = 62, 183, 3


def machine() -> int:
    return int(struct.unpack_from("<H", Path(sys.executable).resolve().read_bytes(), 18)[0])


def elf(
    file: Path,
    *sections: str,
    interpreter: bool = True,
    of_machine: int | None = None,
    bits: int = 64,
    mode: int = 0o755,
) -> Path:
    """An ELF file that says as much as is asked of it."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*sections, ".shstrtab"))
    segment = struct.pack("<IIQQQQQQ", 3 if interpreter else 1, 4, 0, 0, 0, 0, 0, 1)
    texts_at = 64 + len(segment)
    table_at = texts_at + len(names)
    starts = [names.index(name.encode() + b"\0") for name in (*sections, ".shstrtab")]
    rows = [struct.pack("<IIQQQQIIQQ", start, 3, 0, 0, texts_at, len(names), 0, 0, 1, 0) for start in starts]
    header = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
    header += struct.pack(
        "<HHIQQQIHHHHHH",
        3,
        machine() if of_machine is None else of_machine,
        1,
        0,
        64,
        table_at,
        0,
        64,
        56,
        1,
        64,
        len(rows),
        len(rows) - 1,
    )
    file.write_bytes(header + segment + names + b"".join(rows))
    file.chmod(mode)
    return file


def script(file: Path, first_line: str) -> Path:
    file.write_text(f"{first_line}\necho\n")
    file.chmod(0o755)
    return file


# ---- what can be started


def test_a_program_is_found_as_a_shell_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = shutil.which("sh")
    assert shell and find("sh").file == Path(shell) and find("sh").barrier == ""
    mine = elf(tmp_path / "mine")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find("mine").file == mine
    monkeypatch.chdir(tmp_path)
    assert find("./mine").file == mine


@pytest.mark.hostile("measured program")
@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("", "COMMAND '' is empty"),
        ("no_such_program", "COMMAND 'no_such_program' is not in PATH"),
        ("/no/such/file", "COMMAND '/no/such/file' does not exist"),
        ("/tmp", "COMMAND '/tmp' is a folder"),
        ("/dev/null", "COMMAND '/dev/null' is not a file"),
        ("/etc/passwd", "COMMAND '/etc/passwd' is not executable (chmod +x)"),
        ("a\nb/c", "COMMAND 'a b/c' does not exist"),
        ("/" + "x" * 5000, "cannot be read (File name too long)"),
    ],
)
def test_what_cannot_be_started_is_refused_in_a_line(word: str, reason: str) -> None:
    with pytest.raises(BadInput) as refused:
        find(word)
    assert reason in str(refused.value) and str(refused.value).endswith(
        "; accepted: the path of a program, or its name in PATH"
    )
    assert "\n" not in str(refused.value)


def test_what_was_probably_meant_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    elf(tmp_path / "my_program")
    for word, meant in (
        ("my_program", "is not in PATH; did you mean ./my_program?; accepted: "),
        ("sh -c true", "is not in PATH; did you mean the words without quotes around them?; accepted: "),
        ("my_progam -c", "is not in PATH; accepted: "),
    ):
        with pytest.raises(BadInput, match=re.escape(f"COMMAND '{word}' {meant}")):
            find(word)


# ---- what no malloc can be preloaded into


def test_an_ordinary_program_has_no_barrier(tmp_path: Path) -> None:
    found = find(str(elf(tmp_path / "plain", ".text")))
    assert (found.barrier, found.notes) == ("", ())


def test_a_static_program_is_found_out(tmp_path: Path) -> None:
    barrier = find(str(elf(tmp_path / "tool", interpreter=False))).barrier
    assert barrier == "tool is linked statically: it has its malloc in itself, and LD_PRELOAD has no effect"


def test_a_go_program_is_found_out(tmp_path: Path) -> None:
    go = "is written in Go, which takes memory from an allocator of its own: only its parts in C call malloc"
    assert find(str(elf(tmp_path / "pure", ".go.buildinfo", interpreter=False))).barrier == f"pure {go}"
    with_c = find(str(elf(tmp_path / "with_c", ".note.go.buildid")))
    assert (with_c.barrier, with_c.notes) == ("", (f"with_c {go}",))


def test_a_program_of_another_machine_is_found_out(tmp_path: Path) -> None:
    other = AARCH64 if machine() != AARCH64 else X86_64
    assert "is a 64-bit program of another kind" in find(str(elf(tmp_path / "arm", of_machine=other))).barrier
    assert "is a 32-bit program of another kind" in find(str(elf(tmp_path / "old", of_machine=I386, bits=32))).barrier


def test_a_program_with_other_rights_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = "is setuid or setgid, or has file capabilities: the system ignores LD_PRELOAD for it"
    setuid, setgid = elf(tmp_path / "su", mode=0o4755), elf(tmp_path / "sg", mode=0o2755)
    owner, group = setuid.stat().st_uid, setuid.stat().st_gid
    assert find(str(setuid)).barrier == find(str(setgid)).barrier == "", "its owner starts it with the same rights"
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    monkeypatch.setattr(os, "getegid", lambda: group + 1)
    assert find(str(setuid)).barrier == f"su {barrier}"
    assert find(str(setgid)).barrier == f"sg {barrier}"
    assert find(str(elf(tmp_path / "plain"))).barrier == ""
    monkeypatch.setattr(os, "listxattr", lambda file: ["security.capability"])
    assert find(str(elf(tmp_path / "plain"))).barrier == f"plain {barrier}"


# ---- scripts: their interpreter counts


def test_the_interpreter_of_a_script_counts(tmp_path: Path) -> None:
    static = elf(tmp_path / "static", interpreter=False)
    first = script(tmp_path / "first", f"#! {static} -x")
    found = find(str(first))
    assert (found.file, found.program) == (first, static) and found.barrier.startswith("static is linked statically")
    assert find(str(script(tmp_path / "second", f"#!{first}"))).program == static
    assert find(str(script(tmp_path / "third", "no first line"))).program == Path("/bin/sh")


@pytest.mark.parametrize("line", ["#!/usr/bin/env {}", "#!/usr/bin/env -S A=b {} -x"])
def test_the_program_that_env_starts_counts(tmp_path: Path, line: str) -> None:
    static = elf(tmp_path / "static", interpreter=False)
    assert find(str(script(tmp_path / "script", line.format(static)))).program == static


def test_scripts_that_interpret_each_other_end(tmp_path: Path) -> None:
    script(tmp_path / "a", f"#!{tmp_path / 'b'}")
    script(tmp_path / "b", f"#!{tmp_path / 'a'}")
    with pytest.raises(BadInput, match="is a script whose interpreters are scripts in turn"):
        find(str(tmp_path / "a"))


# ---- damaged files


@pytest.mark.hostile("measured program")
@pytest.mark.parametrize("size", [0, 3, 4, 20, 51, 52, 63, 64, 100, 120, 130, 200])
def test_a_file_that_is_cut_off_is_not_a_crash(tmp_path: Path, size: int) -> None:
    whole = elf(tmp_path / "whole", ".go.buildinfo").read_bytes()
    cut = tmp_path / "cut"
    cut.write_bytes(whole[:size])
    cut.chmod(0o755)
    assert isinstance(find(str(cut)).barrier, str)


@pytest.mark.hostile("measured program")
@pytest.mark.parametrize("at", [32, 40, 54, 56, 58, 60, 62])
def test_a_field_that_lies_is_not_a_crash(tmp_path: Path, at: int) -> None:
    file = elf(tmp_path / "lies", ".go.buildinfo")
    content = bytearray(file.read_bytes())
    for value in (0, 0xFFFF):
        content[at : at + 2] = struct.pack("<H", value)
        file.write_bytes(content)
        assert isinstance(find(str(file)).barrier, str)
    content[40:48] = b"\xff" * 8
    file.write_bytes(content)
    assert isinstance(find(str(file)).barrier, str)


def test_this_interpreter_is_read_as_it_is() -> None:
    own = executable._read_elf(Path(sys.executable).resolve())
    assert own is not None and own.has_interpreter and ".text" in own.sections and own.bits == 64
