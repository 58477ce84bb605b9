"""Does the machine code of every installed compiler do the work of the timed loops?

A take from the stack must make no call that the control does not make, a take from a malloc exactly two calls, and no
loop may be empty or optimised away. Each kind of check is shown to fail on code that is broken on purpose.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path

import pytest

from support import ROOT
from support.measuring_program import program

pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="this test reads x86-64 machine code only"),
    pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump (install: binutils)"),
]

COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)]
TOUCHES = ("none", "first", "all")

# The calls of one take, besides the borrower's; "*" is a call through a pointer.
CALLS_OF_A_TAKE: dict[str, list[str]] = {
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
    """A loop that a family's machine code must contain."""

    family: str
    function: str  # a regular expression over demangled names
    work: str
    calls: list[str]  # all calls in it
    has: str  # an instruction that does the work
    is_chain: bool = False  # its accesses to memory are loads, each of the address that the one before loaded


LOAD = r"mov (?:0x0)?\((%\w+)\),(%\w+)"
FIRST_BYTE_WRITTEN = r"movb \$0x1,"
TIMED_LOOPS = [
    TimedLoop("allocation/churn", "replace_blocks<.*loaded_malloc>", "free and malloc", ["*", "*"], FIRST_BYTE_WRITTEN),
    TimedLoop("allocation/churn", "replace_blocks<.*none>", "the control", [], FIRST_BYTE_WRITTEN),
    TimedLoop("allocation/batch", "loaded_malloc.*State", "take all", ["*"], r"mov %rax,(0x0)?\(%\w+\)"),
    TimedLoop("allocation/batch", "loaded_malloc.*State", "give all back", ["*"], r"mov \(%\w+,%\w+,8\),%rdi"),
    TimedLoop("allocation/batch", "arena.*State", "bump all", [], r"mov %\w+,(0x0)?\(%\w+(,%\w+,8)?\)"),
    TimedLoop("access/chase", "State", "the chain", [], LOAD, is_chain=True),
    TimedLoop("access/stream", "State|sum", "the sum", [], r"v?paddq |add .*\("),
    TimedLoop("locality/list_walk", "walk<.*loaded_malloc>", "the walk", [], LOAD),
]
PROTECTIONS = ("plain", "stack_protector", "stack_clash")
FAMILIES = [
    "allocation/scoped", *dict.fromkeys(loop.family for loop in TIMED_LOOPS), "allocation/spill", "ownership/argument", "program/replay",
    *(f"allocation/frame/{protection}" for protection in PROTECTIONS),
]  # fmt: skip


@dataclass(frozen=True)
class Instruction:
    address: int
    text: str  # name and operands
    symbol: str  # what a relocation puts in

    @property
    def target(self) -> int | None:
        """The target of a jump within the function."""
        match = re.match(r"j\w+ ([0-9a-f]+) <", self.text)
        return int(match[1], 16) if match and not self.symbol else None

    @property
    def call(self) -> str | None:
        """The function that is called, or jumped to instead of returning; "*" when a pointer says which."""
        match = re.match(r"(call|jmp) +(\*?)(?:[0-9a-f]+ <(.*)>)?", self.text)
        if not match or self.symbol.startswith("."):
            return None
        if match[2]:
            return "*"
        return self.symbol or (match[3] if match[1] == "call" else None)


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
        at = {instruction.address: index for index, instruction in enumerate(self.code)}
        jumps = [
            (index, at.get(instruction.target))
            for index, instruction in enumerate(self.code)
            if instruction.target is not None
        ]
        return [self.code[start : end + 1] for end, start in jumps if start is not None and start <= end]


def calls_in(code: list[Instruction]) -> list[str]:
    """The called functions, each once; of calls through pointers, which may differ, every call."""
    calls = [instruction.call for instruction in code if instruction.call]
    # A stack protector's check is no call unless the stack was smashed.
    return sorted({call for call in calls if call not in ("*", "__stack_chk_fail")}) + ["*"] * calls.count("*")


def disassembled(file: Path) -> list[Function]:
    command = ["objdump", "--disassemble", "--reloc", "--demangle", "--no-show-raw-insn", str(file)]
    functions: list[Function] = []
    places: dict[tuple[str, int], str] = {}  # the name of the function at a place of a section
    section = ""
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        if match := re.match(r"Disassembly of section (.*):$", line):
            section = match[1]
        elif match := re.match(r"([0-9a-f]+) <(.*)>:$", line):
            functions.append(Function(match[2]))
            places[section, int(match[1], 16)] = match[2]
        elif match := re.match(r"\s+([0-9a-f]+):\t(\S+) *(.*)", line):
            functions[-1].code.append(Instruction(int(match[1], 16), f"{match[2]} {match[3]}".strip(), ""))
        elif match := re.match(r"\s+[0-9a-f]+: R_X86_64_\S+\s+(.*?)([-+]0x[0-9a-f]+)?$", line):
            last = functions[-1].code[-1]
            is_place = match[1].startswith(".") and last.text.startswith("call")
            symbol = f"{match[1]}{match[2] or '+0x0'}" if is_place else match[1]
            functions[-1].code[-1] = Instruction(last.address, last.text, symbol)
    for function in functions:
        function.code = [replace(line, symbol=called_place(line.symbol, places)) for line in function.code]
    return functions


def called_place(symbol: str, places: dict[tuple[str, int], str]) -> str:
    """A function that the compiler copied for its own use has no symbol: a call names its place in the section. The
    place is told from the end of the call's address, which has four bytes."""
    match = re.fullmatch(r"(\..*)([-+]0x[0-9a-f]+)", symbol)
    return places.get((match[1], int(match[2], 16) + 4), symbol) if match else symbol


@cache
def build_command(family: str = "allocation/scoped") -> tuple[str, tuple[str, ...]]:
    """The compiler of the build, and its flags for a family without warnings and files."""
    commands = json.loads((program().parent / "compile_commands.json").read_text())
    words = shlex.split(next(command["command"] for command in commands if command["file"].endswith(f"{family}.cpp")))
    flags = (word for word in words[1 : words.index("-o")] if not word.startswith("-W"))
    return words[0], tuple(flags)


def compile_family(compiler: str, family: str, root: Path, into: Path) -> Path:
    """Compiles as the build does. `root` holds allocators/ and benchmarks/: the project itself or a changed copy."""
    ours = re.compile(rf"^-I{re.escape(str(ROOT))}/(allocators|benchmarks)\b")
    flags = [ours.sub(rf"-I{root}/\1", argument) for argument in build_command(family)[1]]
    if "clang" in compiler:
        flags.append("-fsized-deallocation")  # on by default from Clang 19
    target = into / f"{family.replace('/', '.')}.{compiler}.o"
    source = root / "benchmarks" / f"{family}.cpp"
    done = subprocess.run([compiler, *flags, "-w", "-c", source, "-o", target], capture_output=True, text=True)
    assert done.returncode == 0, f"{compiler} does not compile {family}: {done.stderr[:2000]}"
    return target


def object_of(compiler: str, family: str, into: Path) -> Path:
    """The build's own object, which is the measured code, if the build used this compiler; else a new object."""
    if Path(shutil.which(compiler) or "").resolve() == Path(shutil.which(build_command()[0]) or "").resolve():
        return program().parent / "CMakeFiles/stackheap.dir/benchmarks" / f"{family}.cpp.o"
    return compile_family(compiler, family, ROOT, into)


Objects = dict[tuple[str, str], list[Function]]


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    into = tmp_path_factory.mktemp("objects")
    wanted = [(compiler, family) for compiler in COMPILERS for family in FAMILIES]
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        files = workers.map(lambda pair: object_of(pair[0], pair[1], into), wanted)
        return {pair: disassembled(file) for pair, file in zip(wanted, files)}


def takes(functions: list[Function], strategy: str, touch: str) -> list[Function]:
    """The functions that take, lend and give back: the strategy's own lend, or the one of all that own."""
    either = rf"({re.escape(strategy)}::lend<|lend<stackheap::{re.escape(strategy)}, )stackheap::touch_{touch}>\("
    return [
        function
        for function in functions
        if re.match(rf"void stackheap::{either}", function.name) and ".cold]" not in function.name
    ]


def is_take_loop(loop: list[Instruction], take: Function) -> bool:
    """Nothing is called but the take (several times where the compiler unrolled the loop)."""
    return calls_in(loop) == [take.name]


def fault_of_take(functions: list[Function], strategy: str, touch: str) -> str:
    """The fault of the code that takes memory of a strategy; empty if the code is right."""
    matching = takes(functions, strategy, touch)
    if len(matching) != 1:
        return f"{len(matching)} functions take and lend"
    take = matching[0]
    wanted = (["memset"] if touch == "all" else []) + CALLS_OF_A_TAKE[strategy]
    if sorted(take.calls) != sorted(wanted):
        return f"calls {take.calls}, should call {wanted}"
    if all(re.match("ret|nop|endbr|xchg %ax,%ax|data16|cs nop", instruction.text) for instruction in take.code):
        return "is empty"
    if touch == "first" and not any(re.match(FIRST_BYTE_WRITTEN, instruction.text) for instruction in take.code):
        return "does not write the first byte"
    callers = [function for function in functions if take.name in function.calls]
    if not any(is_take_loop(loop, take) for caller in callers for loop in caller.loops):
        return "no loop calls it"
    return ""


@pytest.mark.parametrize("touch", TOUCHES)
@pytest.mark.parametrize("strategy", CALLS_OF_A_TAKE)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_take_calls_only_its_own_functions(objects: Objects, compiler: str, strategy: str, touch: str) -> None:
    assert fault_of_take(objects[compiler, "allocation/scoped"], strategy, touch) == ""


@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_stack_array_and_alloca_is_free_of_calls(objects: Objects, compiler: str) -> None:
    name = re.compile(r"(stack_array<\d+ul>|alloca_)::lend<stackheap::touch_")
    lends = [function for function in objects[compiler, "allocation/scoped"] if name.search(function.name)]
    assert len(lends) > 3 * 20
    for lend in lends:
        assert lend.calls == (["memset"] if "touch_all" in lend.name else []), lend.name


def timed_loop_is_there(functions: list[Function], wanted: TimedLoop) -> bool:
    return any(
        calls_in(loop) == wanted.calls
        and any(re.match(wanted.has, instruction.text) for instruction in loop)
        and (not wanted.is_chain or is_chain(loop))
        for function in functions
        if re.search(wanted.function, function.name)
        for loop in function.loops
    )


def is_chain(loop: list[Instruction]) -> bool:
    accesses = [
        instruction.text
        for instruction in loop
        if "(%" in instruction.text and not instruction.text.startswith(("lea", "nop", "cs nop"))
    ]
    loads = [match.groups() for access in accesses if (match := re.fullmatch(LOAD, access))]
    followers = loads[1:] + loads[:1]  # the loop goes on with the first
    return len(loads) == len(accesses) and all(load[1] == follower[0] for load, follower in zip(loads, followers))


@pytest.mark.parametrize("wanted", TIMED_LOOPS, ids=lambda loop: f"{loop.family}: {loop.work}")
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_timed_loop_does_its_work(objects: Objects, compiler: str, wanted: TimedLoop) -> None:
    assert timed_loop_is_there(objects[compiler, wanted.family], wanted)


@pytest.mark.parametrize(("memory", "mallocs_functions"), [("calling", 5), ("fixed_bytes", 0)])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_replay_calls_the_malloc_and_no_other_function(
    objects: Objects, compiler: str, memory: str, mallocs_functions: int
) -> None:
    """malloc, calloc, posix_memalign, realloc and free; the control calls nothing. Both decide by a jump to one of several
    places, clear what a stack gives to a calloc, and may wait for a block of another thread."""
    [loop] = [
        function
        for function in objects[compiler, "program/replay"]
        if re.match(rf"void .*replay_lane<[^>]*{memory}>", function.name) and ".cold" not in function.name
    ]
    called = [instruction.call for instruction in loop.code if instruction.text.startswith("call") and instruction.call]
    assert called.count("*") == mallocs_functions
    assert set(called) - {"*"} <= {"memset", "sched_yield"}
    assert any("jmp *" in instruction.text for instruction in loop.code)
    assert any(re.match(FIRST_BYTE_WRITTEN, instruction.text) for instruction in loop.code)


# ---- frames: what a protection adds, and what a plain frame does not have


def frame(objects: Objects, compiler: str, protection: str, function: str) -> list[str]:
    """The instructions of a function that `frame` calls, without those that only align."""
    name = f"void stackheap::(anonymous namespace)::{function}ul>()"
    code = next(found.code for found in objects[compiler, f"allocation/frame/{protection}"] if found.name == name)
    padding = r"nop|endbr64|data16|cs nop|xchg %ax,%ax"
    return [instruction.text for instruction in code if not re.match(padding, instruction.text)]


def moved_by(code: list[str]) -> int:
    """How far the stack pointer is moved down in all, where no loop moves it."""
    return sum(int(match[1], 16) for text in code if (match := re.match(r"sub +\$0x([0-9a-f]+),%rsp", text)))


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_leaf_of_64_bytes_has_no_instruction_for_its_frame(objects: Objects, compiler: str) -> None:
    for function in ("leaf<0", "leaf<64"):
        assert frame(objects, compiler, "plain", function) == ["ret"]
    assert moved_by(frame(objects, compiler, "plain", "leaf<65536")) >= 65536 - 128


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_plain_frame_moves_the_stack_pointer_and_does_nothing_else(objects: Objects, compiler: str) -> None:
    for size in (64, 65536):
        code = frame(objects, compiler, "plain", f"caller<{size}")
        assert moved_by(code) >= size
        assert [text.split()[0] for text in code] == ["sub", "call", "add", "ret"], code
    assert [text.split()[0] for text in frame(objects, compiler, "plain", "caller<0") if "%r" not in text] == ["call", "ret"]


@pytest.mark.parametrize("function", ["leaf<64", "caller<64"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_stack_protector_reads_its_value_twice(objects: Objects, compiler: str, function: str) -> None:
    reads = {
        protection: sum("%fs:0x28" in text for text in frame(objects, compiler, protection, function))
        for protection in PROTECTIONS
    }
    assert reads == {"plain": 0, "stack_protector": 2, "stack_clash": 0}


@pytest.mark.parametrize("function", ["leaf<65536", "caller<65536"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_stack_clash_protection_touches_the_pages_of_a_large_frame(
    objects: Objects, compiler: str, function: str
) -> None:
    def touches(protection: str, of: str) -> int:
        probe = r"(or|mov)[bwlq]? +\$0x0,\(%rsp\)"
        return sum(bool(re.match(probe, text)) for text in frame(objects, compiler, protection, of))

    assert touches("plain", function) == touches("stack_protector", function) == 0
    assert touches("stack_clash", "leaf<64") == touches("stack_clash", "caller<64") == 0
    assert touches("stack_clash", function) >= 1
    steps = [text for text in frame(objects, compiler, "stack_clash", function) if re.match(r"sub +\$0x1000,%r", text)]
    assert steps, "no step of one page"


@pytest.mark.parametrize("protection", PROTECTIONS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_timed_loop_of_frame_is_sixteen_calls(objects: Objects, compiler: str, protection: str) -> None:
    looped = re.compile(r"call<.*(leaf|caller)<(\d+)ul>")
    loops = [function for function in objects[compiler, f"allocation/frame/{protection}"] if looped.search(function.name)]
    assert len(loops) == 2 * 9
    for function in loops:
        called = looped.search(function.name)
        assert called
        [loop] = [body for body in function.loops if body]
        calls = [instruction.call for instruction in loop if instruction.call]
        assert calls == [f"void stackheap::(anonymous namespace)::{called[1]}<{called[2]}ul>()"] * 16, function.name


# ---- spill: by way, the store of the value and the load of it; a name stands for the slot

SLOT = r"(?P<slot>(?:0x[0-9a-f]+)?)\(%rsp\)"
WAYS = {
    "of_same_size": (rf"mov %r\w+,{SLOT}", rf"(mov|add) {SLOT},%r\w+"),
    "narrower": (rf"mov %r\w+,{SLOT}", rf"mov {SLOT},%(e\w+|r\d+d)"),
    "wider": (rf"mov %(e\w+|r\d+d),{SLOT}", rf"(mov|add) {SLOT},%r\w+"),
    "behind_a_store<4096ul>": (rf"mov %r\w+,{SLOT}", rf"(mov|add) {SLOT},%r\w+"),
    "behind_a_store<4160ul>": (rf"mov %r\w+,{SLOT}", rf"(mov|add) {SLOT},%r\w+"),
}


def spill_loop(objects: Objects, compiler: str, way: str) -> list[str]:
    """The innermost loop: sixteen additions."""
    name = f"add_and_spill<stackheap::(anonymous namespace)::{way},"
    [function] = [found for found in objects[compiler, "allocation/spill"] if name in found.name and "cold" not in found.name]
    loops = [[instruction.text for instruction in loop] for loop in function.loops]
    return min((loop for loop in loops if len(additions(loop)) >= 15), key=len)


def additions(loop: list[str]) -> list[str]:
    return [text for text in loop if re.match(r"(add|lea) .*%r\w+$", text)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_value_of_spill_goes_through_its_slot_sixteen_times(objects: Objects, compiler: str, way: str) -> None:
    loop = spill_loop(objects, compiler, way)
    slots = []
    for pattern in WAYS[way]:
        matches = [match for text in loop if (match := re.fullmatch(pattern, text))]
        assert len(matches) == 16, (pattern, loop)
        slots += [int(match["slot"] or "0", 16) for match in matches]
    assert len(set(slots)) == 1, "store and load use different slots"
    others = [text for text in loop if (match := re.search(SLOT, text)) and int(match["slot"] or "0", 16) != slots[0]]
    distance = re.search(r"<(\d+)", way)
    expected = {slots[0] + int(distance[1])} if distance else set()
    assert {int(match["slot"], 16) for text in others if (match := re.search(SLOT, text))} == expected
    assert len(others) == 16 * len(expected)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_control_of_spill_stays_in_a_register(objects: Objects, compiler: str) -> None:
    loop = spill_loop(objects, compiler, "by_register")
    assert len(additions(loop)) >= 16 and not any("(%rsp" in text for text in loop), loop


@pytest.mark.parametrize(("size", "in_memory"), [(8, False), (16, False), (64, True), (4096, True)])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_struct_of_up_to_16_bytes_is_passed_in_registers(
    objects: Objects, compiler: str, size: int, in_memory: bool
) -> None:
    name = f"take_value<stackheap::(anonymous namespace)::record<{size}ul> >("
    [take] = [function for function in objects[compiler, "ownership/argument"] if f"::{name}" in function.name]
    assert any(re.match(r"mov 0x8\(%rsp\),%r", instruction.text) for instruction in take.code) == in_memory, take.code


# The project, broken on purpose: the file, the old text, the new text.
BROKEN = {
    "a barrier that is none": [
        (
            "benchmarks/harness/measure.hpp",
            'asm volatile("" : : "r"(pointer) : "memory");',
            "static_cast<void>(pointer);",
        )
    ],
    "takes that do something else": [
        (
            "allocators/stack_array.hpp",
            "alignas(block_alignment) std::byte block[Bytes];",
            "auto* const block = new std::byte[Bytes];",
        ),
        ("allocators/arena.hpp", "[[gnu::noinline]] void lend", "[[gnu::always_inline]] void lend"),
        ("allocators/strategy.hpp", "bytes);\n  strategy.deallocate(block, bytes);", "bytes);"),
    ],
}
# The faults that must be found, by strategy.
FAULTS = [
    ("a barrier that is none", "stack_array<64ul>", "^(0 functions|is empty|no loop)"),
    ("a barrier that is none", "none", "^(0 functions|is empty|no loop)"),
    ("takes that do something else", "stack_array<64ul>", r"^calls \['operator new"),
    ("takes that do something else", "arena", "^0 functions"),
    ("takes that do something else", "loaded_malloc", r"^calls \['\*'\], should"),
    ("takes that do something else", "alloca_", "^$"),
]


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"'{old}' should stand here once: this test must follow the code"
    return text.replace(old, new)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], list[Function]]:
    """The family `scoped`, broken; with small stack arrays and one touch only, to take the compilers less time."""

    @cache
    def compiled(name: str, compiler: str) -> list[Function]:
        root = tmp_path_factory.mktemp("broken")
        for folder in ("allocators", "benchmarks"):
            shutil.copytree(ROOT / folder, root / folder)
        smaller = [
            ("allocators/stack_array.hpp", "std::size_t{256} << 20", "64"),
            ("benchmarks/allocation/scoped.cpp", "add_scoped(registry, bytes, touch_all{});", ""),
            ("benchmarks/allocation/scoped.cpp", "add_scoped(registry, bytes, touch_first{});", ";"),
        ]
        for file, old, new in smaller + BROKEN[name]:
            (root / file).write_text(changed((root / file).read_text(), old, new))
        return disassembled(compile_family(compiler, "allocation/scoped", root, root))

    return compiled


@pytest.mark.parametrize(("name", "strategy", "fault"), FAULTS)
@pytest.mark.parametrize("compiler", [*COMPILERS[:1], *(pytest.param(name, marks=pytest.mark.nightly) for name in COMPILERS[1:])])
def test_broken_code_is_noticed(
    broken: Callable[[str, str], list[Function]], compiler: str, name: str, strategy: str, fault: str
) -> None:
    assert re.search(fault, fault_of_take(broken(name, compiler), strategy, "none"))


def test_a_loop_without_its_work_is_noticed() -> None:
    def loop_of(*work: str) -> list[Function]:
        code = [*work, "add $0x1,%rax", "jne 0 <walk>"]
        return [Function("walk", [Instruction(address, text, "") for address, text in enumerate(code)])]

    chain = TimedLoop("a/b", "walk", "the chain", [], LOAD, is_chain=True)
    assert timed_loop_is_there(loop_of("mov (%rax),%rbx", "mov (%rbx),%rax"), chain)
    assert not timed_loop_is_there(loop_of(), chain)
    assert not timed_loop_is_there(loop_of("mov (%rax),%rbx"), chain)
    assert not timed_loop_is_there(loop_of("mov (%rax),%rbx", "mov 0x8(%rbx),%rax"), chain)


def test_there_is_a_compiler_to_look_at() -> None:
    assert COMPILERS
