"""Is an instruction the same wherever its code lies, and another instruction where it does something else?"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from suite.runner import disassembly
from suite.runner.disassembly import NoDisassembly, demangled, disassemble, instructions_at, operations_by_function


@pytest.mark.parametrize(
    ("text", "readable", "operation"),
    [
        ("mov    0x8(%rdi),%rdi", "mov 0x8(%rdi),%rdi", "mov 0x8(%rdi),%rdi"),
        ("jne    119f48 <_ZN4loopEv+0xc8>", "jne -0x10", "jne "),
        ("jmp    119f90 <_ZN4loopEv+0x110>", "jmp +0x38", "jmp "),
        ("call   300b0 <free@plt>", "call <free@plt>", "call <free@plt>"),
        ("jmp    300b0 <free@plt>", "jmp <free@plt>", "jmp <free@plt>"),
        ("mov    0x2ed8(%rip),%rax  # 4038 <sum>", "mov (%rip),%rax <sum>", "mov (%rip),%rax <sum>"),
        ("mov    0x2ed8(%rip),%rax        # 4038 <_end+0x20>", "mov (%rip),%rax", "mov (%rip),%rax"),
    ],
)
def test_what_depends_on_the_place_is_taken_out(text: str, readable: str, operation: str) -> None:
    instruction = disassembly._without_place(0x119F58, text)
    assert (instruction.text, instruction.operation) == (readable, operation)


@pytest.mark.parametrize(
    "text", ["nop", "nopw 0x0(%rax,%rax,1)", "data16 cs nopw 0x0(%rax,%rax,1)", "xchg   %ax,%ax", "cs nopw 0x0"]
)
def test_alignment_is_known(text: str) -> None:
    assert disassembly._without_place(0, text).aligns


@pytest.mark.parametrize("text", ["xchg   %ax,%bx", "mov    %rax,%rax", "cmp    %rax,%rbx"])
def test_other_instructions_are_not_alignment(text: str) -> None:
    assert not disassembly._without_place(0, text).aligns


def test_addresses_far_apart_are_read_apart() -> None:
    assert list(disassembly._stretches([])) == []
    assert list(disassembly._stretches([8, 10, 266, 600])) == [(8, 266), (600, 600)]


@pytest.mark.hostile("text that is not ours")
def test_a_name_that_holds_the_end_of_a_line_does_not_move_the_others() -> None:
    names = ["_Z3fooi", "a\x0c\u2028b", "_Z3bari"]
    plain = demangled(["_Z3fooi", "_Z3bari"])
    assert demangled(names) == [plain[0], names[1], plain[1]]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    compiler = shutil.which("c++")
    if compiler is None or shutil.which("objdump") is None:
        pytest.skip("needs a compiler and objdump (install: g++, binutils)")
    source = tmp_path / "code.cpp"
    source.write_text('extern "C" int first(int x) { return 3 * x; }\nint second(int x) { return x ^ 5; }\n')
    result = tmp_path / "code.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", str(source), "-o", str(result)], check=True)
    return result


def test_the_instructions_at_chosen_addresses_are_those_of_the_whole_file(library: Path) -> None:
    functions = disassemble(library)
    wanted = [functions["first"].instructions[0], functions["second(int)"].instructions[-1]]
    read = instructions_at(library, {address for address, _ in wanted})
    assert {address: code.text.split()[0] for address, code in read.items()} == {
        address: text.split()[0] for address, text in wanted
    }


def test_functions_are_known_by_their_mangled_names(library: Path) -> None:
    operations = operations_by_function(library)
    assert {"first", "_Z6secondi"} <= operations.keys()
    assert operations["first"] != operations["_Z6secondi"]


def test_names_are_demangled() -> None:
    if shutil.which("c++filt") is None:
        pytest.skip("needs c++filt (install: binutils)")
    assert demangled(["_Z6secondi", "malloc", "the timed loop"]) == ["second(int)", "malloc", "the timed loop"]


def test_without_the_tools_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoDisassembly):
        disassemble(tmp_path / "missing")
    monkeypatch.setenv("PATH", "/nowhere")
    assert demangled(["_Z6secondi"]) == ["_Z6secondi"]
    with pytest.raises(NoDisassembly, match="binutils"):
        disassemble(tmp_path)
