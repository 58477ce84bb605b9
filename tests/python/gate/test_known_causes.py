"""Does an explanation find a known cause: instructions added to a malloc, padding before its code, another setting?"""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from suite.gate import explain as explaining
from suite.gate.comparison import IN_PAIRS, WORSE, Comparison, Judgement
from suite.gate.explanation import LAYOUT, MACHINE, WORK, Explanation
from suite.gate.paired_run import SideBuilds
from suite.gate.pairs_file import RecordedPairs, Side
from suite.runner.disassembly import disassemble
from suite.runner.path_length import path_of
from suite.runner.program import Program, ask
from suite.stats.estimates import Estimate
from support.measuring_program import program

NAME = "scoped/malloc/bytes:64/touch:first"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="this test knows x86-64 instructions only"),
    pytest.mark.skipif(
        shutil.which("valgrind") is None or shutil.which("objdump") is None,
        reason="needs valgrind and objdump (install: valgrind, binutils)",
    ),
]

# A malloc that passes every call on to the C library's.
SHIM = """
#include <dlfcn.h>
#include <cstddef>
PADDING
static void* (*take)(std::size_t);
static void (*give)(void*);
static void* (*change)(void*, std::size_t);
static void* (*zero)(std::size_t, std::size_t);
static int (*align)(void**, std::size_t, std::size_t);
template <class F> static void find(F& function, const char* name) {
  static void* const library = ::dlopen("libc.so.6", RTLD_NOW);
  function = reinterpret_cast<F>(::dlsym(library, name));
}
[[gnu::constructor]] static void begin() {
  find(take, "malloc"), find(give, "free"), find(change, "realloc"), find(zero, "calloc");
  find(align, "posix_memalign");
}
extern "C" {
void* malloc(std::size_t n) { LINE return take(n); }
void free(void* p) { give(p); }
void* realloc(void* p, std::size_t n) { return change(p, n); }
void* calloc(std::size_t n, std::size_t m) { return zero(n, m); }
int posix_memalign(void** p, std::size_t a, std::size_t n) { return align(p, a, n); }
}
"""


def shim(folder: Path, line: str = "", padding: str = "") -> str:
    folder.mkdir()
    (folder / "shim.cpp").write_text(SHIM.replace("PADDING", padding).replace("LINE", line))
    compiler = shutil.which("c++")
    assert compiler
    command = [compiler, "-O2", "-shared", "-fPIC", str(folder / "shim.cpp"), "-o", str(folder / "libshim.so")]
    subprocess.run(command, check=True)
    return f"malloc={folder}/libshim.so"


def built_side(*allocators: str, settings: tuple[tuple[str, str], ...] = ()) -> SideBuilds:
    chosen = Program(program(), "quick", allocators=allocators, settings=settings)
    catalogue = ask(chosen)
    return SideBuilds(Side("side"), (catalogue.prepared(chosen),), catalogue)


def explanation_of(old: SideBuilds, new: SideBuilds, folder: Path, name: str = NAME) -> Explanation:
    recorded = RecordedPairs(Side("old"), Side("new"), 1, {}, {})
    worse = Judgement(name, WORSE, Estimate(1.05, 1.04, 1.06, 0.95, 10), 0.005, 20.0, 21.0)
    comparison = Comparison(IN_PAIRS, Side("old"), Side("new"), (worse,))
    [judgement] = explaining.explain(comparison, recorded, old, new, folder).judgements
    assert judgement.explanation
    return judgement.explanation


def contributions(explanation: Explanation) -> dict[str, float]:
    return {f"{function.name} in {function.file}": function.new - function.old for function in explanation.functions}


def test_one_line_more_is_work(tmp_path: Path) -> None:
    line = 'std::size_t m = n; asm volatile("imul %0, %0; imul %0, %0; imul %0, %0" : "+r"(m));'
    old, new = built_side(shim(tmp_path / "old")), built_side(shim(tmp_path / "new", line))
    explanation = explanation_of(old, new, tmp_path)
    assert explanation.cause == WORK
    [changed] = [function for function in explanation.functions if function.differs]
    assert (changed.name, changed.file) == ("malloc", "libshim.so")
    assert changed.new - changed.old == 4.0  # the copy of the argument, and the multiplications
    assert sum(text.startswith("+ imul") for text in changed.lines) == 3


def test_padding_alone_is_layout(tmp_path: Path) -> None:
    padding = 'asm(".text\\n.skip 192");'
    old, new = built_side(shim(tmp_path / "old")), built_side(shim(tmp_path / "new", padding=padding))
    explanation = explanation_of(old, new, tmp_path)
    assert explanation.cause == LAYOUT
    assert {function.name for function in explanation.functions if function.is_moved} == {"malloc", "free"}


@pytest.mark.nightly
def test_a_side_against_itself_is_the_machine(tmp_path: Path) -> None:
    measured = built_side()
    explanation = explanation_of(measured, measured, tmp_path, "scoped/none/bytes:64/touch:first")
    assert explanation.cause == MACHINE
    assert not any(contributions(explanation).values())


@pytest.mark.nightly
def test_a_tunable_that_turns_the_thread_cache_off_is_work(tmp_path: Path) -> None:
    name = "scoped/glibc/bytes:64/touch:first"
    without = built_side(settings=(("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0"),))
    explanation = explanation_of(built_side(), without, tmp_path, name)
    if not any("malloc in libc" in key for key in contributions(explanation)):
        pytest.skip("needs glibc's malloc")
    assert explanation.cause == WORK
    assert contributions(explanation)["malloc in libc.so.6"] > 0
    old, new = (sum(getattr(function, side) for function in explanation.functions) for side in ("old", "new"))
    assert new > 1.2 * old


@pytest.mark.nightly
def test_each_multiplication_of_the_delayed_malloc_is_counted(tmp_path: Path) -> None:
    """With 1 and 3 multiplications in each call, the loop of malloc and that of free are gone through twice more."""
    library = program().with_name("libdelayed_malloc.so")
    functions = disassemble(library)
    loops = {name: next(functions[name].loops()) for name in ("malloc", "free")}
    sides = []
    for multiplications in (1, 3):
        folder = tmp_path / str(multiplications)
        folder.mkdir()
        shutil.copy(library, folder / "libdelayed_malloc.so")
        (folder / "libdelayed_malloc.so.delay").write_text(f"{multiplications} libc.so.6\n")
        sides.append(built_side(f"malloc={folder}/libdelayed_malloc.so"))
    explanation = explanation_of(sides[0], sides[1], tmp_path)
    assert explanation.cause == WORK
    assert [function.name for function in explanation.functions[:2]] in (["malloc", "free"], ["free", "malloc"])
    assert sum(contributions(explanation).values()) == 2 * sum(map(len, loops.values()))
    assert any("2 to 4 times" in line for line in explanation.functions[0].lines)


@pytest.mark.nightly
def test_the_control_takes_whole_instructions_and_the_stack_fewer_than_a_malloc(tmp_path: Path) -> None:
    [prepared] = built_side().builds
    counted = {}
    for strategy in ("none", "stack_array", "glibc"):
        path = path_of(prepared, f"scoped/{strategy}/bytes:64/touch:first", 20.0, tmp_path)
        counted[strategy] = sum(function.instructions for function in path)
        assert sum(function.has_loop for function in path) == 1
    assert counted["none"] == round(counted["none"]) and counted["glibc"] == round(counted["glibc"])
    assert 3 <= counted["stack_array"] <= counted["none"] + 5 < counted["glibc"]
