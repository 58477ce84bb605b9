"""Does the machine code do what the timed loops say, from each compiler there is? Numbers of another loop are no numbers.

The stack's take must make no call that the control does not make, a malloc's exactly its own two, and no loop may be
empty or optimised away. Each kind of check is shown to fail on code that is broken on purpose.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import pytest
from measuring_program import ROOT, program

pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="this test reads x86-64 machine code only"),
    pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump (install: binutils)"),
]

COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)]
TOUCHES = ("none", "first", "all")

# The calls of one take, besides the borrower's; "*" is a call through a pointer.
CALLS_OF_A_TAKE = {
    "none": [],
    "stack_array<64ul>": [],
    "stack_array<4096ul>": [],
    "stack_array<1048576ul>": [],
    "alloca_": [],
    "arena": [],
    "pool": [],
    "small_buffer": ["free", "malloc"],
    "new_delete": ["operator delete(void*, unsigned long)", "operator new(unsigned long)"],
    "mmap_": ["mmap", "munmap"],
    "loaded_malloc": ["*", "*"],
}


@dataclass(frozen=True)
class TimedLoop:
    """A loop that a family's machine code must hold."""

    family: str
    function: str  # a regular expression over demangled names
    what: str
    calls: list[str]  # all calls in it
    has: str  # an instruction that does the work
    memory: str = ""  # what every access to memory in it must look like


DEPENDENT_LOAD = r"mov (0x0)?\((%\w+)\),\2"
FIRST_BYTE_WRITTEN = r"movb \$0x1,"
TIMED_LOOPS = [
    TimedLoop("allocation/churn", "replace_blocks<.*loaded_malloc>", "free and malloc", ["*", "*"], FIRST_BYTE_WRITTEN),
    TimedLoop("allocation/churn", "replace_blocks<.*none>", "the control", [], FIRST_BYTE_WRITTEN),
    TimedLoop("allocation/batch", "loaded_malloc.*State", "take all", ["*"], r"mov %rax,(0x0)?\(%\w+\)"),
    TimedLoop("allocation/batch", "loaded_malloc.*State", "give all back", ["*"], r"mov \(%\w+,%\w+,8\),%rdi"),
    TimedLoop("allocation/batch", "arena.*State", "bump all", [], r"mov %\w+,(0x0)?\(%\w+(,%\w+,8)?\)"),
    TimedLoop("access/chase", "State", "the chain", [], DEPENDENT_LOAD, memory=DEPENDENT_LOAD),
    TimedLoop("access/stream", "State|sum", "the sum", [], r"v?paddq |add .*\("),
    TimedLoop("locality/list_walk", "walk<.*loaded_malloc>", "the walk", [], DEPENDENT_LOAD),
]
FAMILIES = ["allocation/scoped", *dict.fromkeys(loop.family for loop in TIMED_LOOPS)]


@dataclass(frozen=True)
class Instruction:
    address: int
    text: str  # name and operands
    symbol: str  # what a relocation puts in

    @property
    def target(self) -> int | None:
        """Where a jump within the function goes."""
        found = re.match(r"j\w+ ([0-9a-f]+) <", self.text)
        return int(found[1], 16) if found and not self.symbol else None

    @property
    def call(self) -> str | None:
        """The function that is called, or jumped to instead of returning; "*" when a pointer says which."""
        found = re.match(r"(call|jmp) +(\*?)(?:[0-9a-f]+ <(.*)>)?", self.text)
        if not found or self.symbol.startswith("."):
            return None
        if found[2]:
            return "*"
        return self.symbol or (found[3] if found[1] == "call" else None)


@dataclass
class Function:
    name: str
    code: list[Instruction] = field(default_factory=list)

    @cached_property
    def calls(self) -> list[str]:
        return calls_in(self.code)

    @cached_property
    def loops(self) -> list[list[Instruction]]:
        """The code from the target of each jump backwards to that jump."""
        at = {one.address: index for index, one in enumerate(self.code)}
        jumps = [(index, at.get(one.target)) for index, one in enumerate(self.code) if one.target is not None]
        return [self.code[start : end + 1] for end, start in jumps if start is not None and start <= end]


def calls_in(code: list[Instruction]) -> list[str]:
    # A stack protector's check is no call unless the stack was smashed.
    return sorted(one.call for one in code if one.call and not one.call.startswith("__stack_chk_fail"))


def disassembled(file: Path) -> list[Function]:
    command = ["objdump", "--disassemble", "--reloc", "--demangle", "--no-show-raw-insn", str(file)]
    functions: list[Function] = []
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        if found := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            functions.append(Function(found[1]))
        elif found := re.match(r"\s+([0-9a-f]+):\t(\S+) *(.*)", line):
            functions[-1].code.append(Instruction(int(found[1], 16), f"{found[2]} {found[3]}".strip(), ""))
        elif found := re.match(r"\s+[0-9a-f]+: R_X86_64_\S+\s+(.*?)([-+]0x[0-9a-f]+)?$", line):
            last = functions[-1].code[-1]
            functions[-1].code[-1] = Instruction(last.address, last.text, found[1])
    return functions


@cache
def build_command() -> tuple[str, tuple[str, ...]]:
    """The compiler of the build, and its flags without warnings and files."""
    commands = json.loads((program().parent / "compile_commands.json").read_text())
    words = shlex.split(next(one["command"] for one in commands if one["file"].endswith("allocation/scoped.cpp")))
    flags = (word for word in words[1 : words.index("-o")] if not word.startswith("-W"))
    return words[0], tuple(flags)


def compile_family(compiler: str, family: str, root: Path, into: Path) -> Path:
    """Compiles a family as the build does. `root` holds allocators/ and benchmarks/: the project's, or a changed copy."""
    flags = [re.sub(rf"^-I{re.escape(str(ROOT))}/(allocators|benchmarks)\b", rf"-I{root}/\1", one) for one in build_command()[1]]
    if "clang" in compiler:
        flags.append("-fsized-deallocation")  # on by default from Clang 19
    target = into / f"{family.replace('/', '.')}.{compiler}.o"
    source = root / "benchmarks" / f"{family}.cpp"
    done = subprocess.run([compiler, *flags, "-w", "-c", source, "-o", target], capture_output=True, text=True)
    assert done.returncode == 0, f"{compiler} does not compile {family}: {done.stderr[:2000]}"
    return target


def object_of(compiler: str, family: str, into: Path) -> Path:
    """The build's own object where the build used this compiler: the very code that is measured. Else a new one."""
    if Path(shutil.which(compiler) or "").resolve() == Path(shutil.which(build_command()[0]) or "").resolve():
        return program().parent / "CMakeFiles/stackheap.dir/benchmarks" / f"{family}.cpp.o"
    return compile_family(compiler, family, ROOT, into)


Objects = dict[tuple[str, str], list[Function]]


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    into = tmp_path_factory.mktemp("objects")
    wanted = [(compiler, family) for compiler in COMPILERS for family in FAMILIES]
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        files = workers.map(lambda one: object_of(*one, into), wanted)
        return {one: disassembled(file) for one, file in zip(wanted, files)}


def takes(functions: list[Function], strategy: str, touch: str) -> list[Function]:
    """The functions that take, lend and give back: the strategy's own lend, or the one of all that own."""
    either = rf"stackheap::(?:{re.escape(strategy)}::lend<|lend<stackheap::{re.escape(strategy)}, )stackheap::touch_{touch}>\("
    return [one for one in functions if re.search(rf"^void {either}", one.name) and not one.name.endswith(".cold]")]


def is_take_loop(loop: list[Instruction], take: Function) -> bool:
    """Nothing is called but the take (several times where the compiler unrolled the loop)."""
    return set(calls_in(loop)) == {take.name}


def fault_of_take(functions: list[Function], strategy: str, touch: str) -> str:
    """What is wrong with the code that takes memory of a strategy; empty when it is as it must be."""
    found = takes(functions, strategy, touch)
    if len(found) != 1:
        return f"{len(found)} functions take and lend"
    take = found[0]
    wanted = sorted(CALLS_OF_A_TAKE[strategy] + (["memset"] if touch == "all" else []))
    if take.calls != wanted:
        return f"calls {take.calls}, should call {wanted}"
    if touch == "first" and not any(re.match(FIRST_BYTE_WRITTEN, one.text) for one in take.code):
        return "does not write the first byte"
    callers = [one for one in functions if take.name in one.calls]
    if not any(is_take_loop(loop, take) for caller in callers for loop in caller.loops):
        return "no loop calls it"
    return ""


@pytest.mark.parametrize("touch", TOUCHES)
@pytest.mark.parametrize("strategy", CALLS_OF_A_TAKE)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_take_calls_what_it_must_and_nothing_else(objects: Objects, compiler: str, strategy: str, touch: str) -> None:
    assert fault_of_take(objects[compiler, "allocation/scoped"], strategy, touch) == ""


@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_stack_array_and_alloca_is_free_of_calls(objects: Objects, compiler: str) -> None:
    lends = [one for one in objects[compiler, "allocation/scoped"] if re.search(r"(stack_array<\d+ul>|alloca_)::lend<stackheap::touch_", one.name)]
    assert len(lends) > 3 * 20
    for lend in lends:
        assert lend.calls == (["memset"] if "touch_all" in lend.name else []), lend.name


def timed_loop_is_there(functions: list[Function], wanted: TimedLoop) -> bool:
    for loop in (loop for one in functions if re.search(wanted.function, one.name) for loop in one.loops):
        accesses = [one.text for one in loop if "(" in one.text and not one.text.startswith(("lea", "nop"))]
        if (
            calls_in(loop) == wanted.calls
            and any(re.match(wanted.has, one.text) for one in loop)
            and all(re.match(wanted.memory, access) for access in accesses)
        ):
            return True
    return False


@pytest.mark.parametrize("wanted", TIMED_LOOPS, ids=lambda loop: f"{loop.family}: {loop.what}")
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_timed_loop_does_its_work(objects: Objects, compiler: str, wanted: TimedLoop) -> None:
    assert timed_loop_is_there(objects[compiler, wanted.family], wanted)


# Broken on purpose: where, what, by what, and which take's fault must show it.
MUTATIONS = {
    "a barrier that is none": (
        "benchmarks/harness/measure.hpp",
        'asm volatile("" : : "r"(pointer) : "memory");',
        "static_cast<void>(pointer);",
        ("stack_array<64ul>", "first"),
        "function|write|loop",
    ),
    "a take that is inlined": (
        "allocators/stack_array.hpp",
        "[[gnu::noinline]] void lend",
        "[[gnu::always_inline]] void lend",
        ("stack_array<64ul>", "none"),
        "function|loop",
    ),
    "a stack array that comes from the heap": (
        "allocators/stack_array.hpp",
        "alignas(block_alignment) std::byte block[Bytes];",
        "auto* const block = new std::byte[Bytes];",
        ("stack_array<64ul>", "none"),
        "calls .*operator new",
    ),
    "an owner that forgets to free": (
        "allocators/strategy.hpp",
        "  strategy.deallocate(block, bytes);\n}",
        "}",
        ("loaded_malloc", "all"),
        "calls",
    ),
}


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"'{old}' should stand here once: this test must follow the code"
    return text.replace(old, new)


@pytest.fixture(scope="module")
def mutants(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[Function]]:
    """The family `scoped`, broken; smaller stack arrays only, which saves the compilers most of their time."""

    def compiled(one: tuple[str, str]) -> Path:
        name, compiler = one
        file, old, new, *_ = MUTATIONS[name]
        root = tmp_path_factory.mktemp("mutant")
        for folder in ("allocators", "benchmarks"):
            shutil.copytree(ROOT / folder, root / folder)
        arrays, scoped = root / "allocators/stack_array.hpp", root / "benchmarks/allocation/scoped.cpp"
        arrays.write_text(changed(arrays.read_text(), "std::size_t{256} << 20", "64"))
        touch = MUTATIONS[name][3][1]
        scoped.write_text(re.sub(rf".*touch_(?!{touch})\w+{{}}.*\n", "", scoped.read_text()))
        (root / file).write_text(changed((root / file).read_text(), old, new))
        return compile_family(compiler, "allocation/scoped", root, root)

    wanted = [(name, compiler) for name in MUTATIONS for compiler in COMPILERS]
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        return {one: disassembled(file) for one, file in zip(wanted, workers.map(compiled, wanted))}


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_broken_code_is_noticed(mutants: dict[tuple[str, str], list[Function]], compiler: str, name: str) -> None:
    (strategy, touch), fault = MUTATIONS[name][3:]
    assert re.search(fault, fault_of_take(mutants[name, compiler], strategy, touch))


def test_a_loop_without_its_work_is_noticed() -> None:
    counting = Function("walk", [Instruction(0, "add $0x1,%rax", ""), Instruction(4, "jne 0 <walk>", "")])
    loading = Function("walk", [Instruction(0, "mov (%rax),%rax", ""), *counting.code[1:]])
    elsewhere = Function("walk", [Instruction(0, "mov (%rax),%rax", ""), Instruction(2, "mov (%rbx),%rcx", ""), *counting.code[1:]])
    chain = TimedLoop("a/b", "walk", "the chain", [], DEPENDENT_LOAD, memory=DEPENDENT_LOAD)
    assert timed_loop_is_there([loading], chain)
    assert not timed_loop_is_there([counting], chain)
    assert not timed_loop_is_there([elsewhere], chain)


def test_there_is_a_compiler_to_look_at() -> None:
    assert COMPILERS
