"""Does an explanation tell work, layout and the machine apart, where the answer is known?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from suite.gate import explain as explaining
from suite.gate import formats, path_difference
from suite.gate.comparison import IN_PAIRS, NOT_JUDGED, SAME, WORSE, Comparison, Judgement
from suite.gate.explanation import LAYOUT, MACHINE, UNKNOWN, WORK, Explanation, FunctionChange, text_lines
from suite.gate.paired_run import SideBuilds
from suite.gate.pairs_file import Pair, RecordedPairs, Side
from suite.gate.path_difference import PathSide, changes, short_name
from suite.results.model import MANY_THREADS, Sample
from suite.runner.disassembly import Instruction
from suite.runner.path_length import NoPath, PathFunction
from suite.runner.program import Catalogue, Program
from suite.stats.estimates import Estimate

NAME = "scoped/malloc/bytes:64/touch:first"
RATIO = Estimate(1.05, 1.04, 1.06, 0.95, 10)
CATALOGUE = Catalogue((), {"families": {"scoped": {"turn_ms": 5}, "overhead": {"turn_ms": 0}}}, (), {}, "")

# ---- made-up paths: what is in a file at an address, and how often an operation takes it

Code = Mapping[str, Mapping[int, tuple[str, float]]]  # by file and function ("file:function"): by address


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files hold their instructions as JSON."""

    def read(file: Path, addresses: object) -> dict[int, Instruction]:
        texts = json.loads(file.read_text())
        return {int(at): Instruction(int(at), text, text) for at, text in texts.items()}

    monkeypatch.setattr(path_difference, "instructions_at", read)
    return tmp_path


def side(folder: Path, code: Code) -> PathSide:
    contents: dict[str, dict[int, str]] = {}
    functions = []
    for key, taken in code.items():
        file, _, function = key.partition(":")
        contents.setdefault(file, {}).update({at: text for at, (text, _) in taken.items()})
        counts = {at: count for at, (_, count) in taken.items()}
        functions.append(PathFunction(function, folder / file, counts, function == "loop"))
    for file, texts in contents.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(json.dumps(texts))
    return PathSide(Program(folder / next(iter(code)).partition(":")[0], "quick"), tuple(functions))


def code(*texts: str, at: int = 0x1000, count: float = 1.0) -> dict[int, tuple[str, float]]:
    return {at + 4 * place: (text, count) for place, text in enumerate(texts)}


LOOP = code("call <malloc>", "sub $1,%rbx", "jne ")
MALLOC = code("test %rdi,%rdi", "je ", "mov (%rdi),%rax", "ret")


def compared(folder: Path, old: Code, new: Code) -> tuple[FunctionChange, ...]:
    return changes(side(folder, old), side(folder, new))


def test_the_same_code_at_other_addresses_is_moved(files: Path) -> None:
    moved = code("call <malloc>", "nopl 0x0(%rax)", "sub $1,%rbx", "jne ", at=0x2040)
    [change] = compared(files, {"old/program:loop": LOOP}, {"new/program:loop": moved})
    assert change.name == "the timed loop" and change.file == "program"
    assert change.is_moved and not change.lines
    a_page_further = {at + 4096: taken for at, taken in LOOP.items()}
    [change] = compared(files, {"old/program:loop": LOOP}, {"new/program:loop": a_page_further})
    assert not change.is_moved and not change.differs


def test_an_instruction_more_is_shown_with_its_neighbours(files: Path) -> None:
    more = code("call <malloc>", "imul %rax,%rax", "sub $1,%rbx", "jne ")
    [change] = compared(files, {"old/program:loop": LOOP}, {"new/program:loop": more})
    assert (change.old, change.new, change.is_moved) == (3.0, 4.0, False)
    assert change.lines == ("  call <malloc>", "+ imul %rax,%rax", "  sub $1,%rbx")


def test_a_loop_inside_that_runs_more_often_is_shown_by_its_counts(files: Path) -> None:
    old = {**code("mov", "ret"), **code("add %rcx,%rax", at=0x1100, count=3.0)}
    new = {**code("mov", "ret"), **code("add %rcx,%rax", at=0x1100, count=5.0)}
    [change] = compared(files, {"program:delay": old}, {"program:delay": new})
    assert (change.old, change.new) == (5.0, 7.0)
    assert change.lines == ("  add %rcx,%rax    3 to 5 times",)


def test_a_repeated_instruction_counts_once(files: Path) -> None:
    repeated = {**code("mov", at=0x1000), **code("rep stos %al,%es:(%rdi)", at=0x1010, count=4096.0)}
    [change] = compared(files, {"program:memset": repeated}, {"program:memset": repeated})
    assert change.new == 2.0


def test_functions_of_the_same_name_with_other_code_are_not_listed(files: Path) -> None:
    other = code("xor", "push", "lea", "pop", "jmp ", *(f"add ${number},%rax" for number in range(10)))
    change, loop = compared(
        files,
        {"program:loop": LOOP, "a.so:malloc": MALLOC},
        {"program:loop": LOOP, "b.so:malloc": other},
    )
    assert (change.name, change.file, change.old, change.new) == ("malloc", "a.so and b.so", 4.0, 15.0)
    assert change.is_rewritten and not change.lines
    assert loop.name == "the timed loop" and not loop.differs


def test_a_library_of_the_same_name_takes_the_same_part_among_others(files: Path) -> None:
    both = {"program:loop": LOOP, "libc.so:free": MALLOC}
    old = {**both, "1/m.so:malloc": MALLOC, "1/n.so:malloc": MALLOC, "x.so:only_old": MALLOC}
    new = {**both, "2/m.so:malloc": MALLOC, "2/n.so:malloc": MALLOC}
    found = {(change.name, change.file): change for change in compared(files, old, new)}
    assert found.keys() == {("the timed loop", "program"), ("free", "libc.so"), ("malloc", "m.so"), ("malloc", "n.so"),
                            ("only_old", "x.so")}  # fmt: skip
    assert found["only_old", "x.so"].new == 0.0
    assert not found["malloc", "m.so"].differs


def test_functions_without_a_name_are_compared_in_the_order_of_their_addresses(files: Path) -> None:
    old = {"program:loop": LOOP, "1/m.so:0x1000": MALLOC, "1/m.so:0x3000": code("push", "pop", at=0x3000)}
    new = {"program:loop": LOOP, "2/m.so:0x1100": {at + 0x100: taken for at, taken in MALLOC.items()},
           "2/m.so:0x3200": code("push", "add", "pop", at=0x3200)}  # fmt: skip
    change = compared(files, old, new)[0]
    assert (change.name, change.old, change.new) == ("functions without a name", 6.0, 7.0)
    assert change.lines == ("  push", "+ add", "  pop")
    same_file = {"program:loop": LOOP, "m.so:0x1000": MALLOC}
    assert {found.name for found in compared(files, same_file, same_file)} == {"the timed loop", "0x1000"}


def test_what_an_operation_hardly_ever_takes_is_left_out(files: Path) -> None:
    rarely = code("push", "call <mmap>", count=0.01)
    [change] = compared(files, {"program:loop": LOOP}, {"program:loop": LOOP, "libc.so:grow": rarely})
    assert change.name == "the timed loop"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("malloc", "malloc"),
        ("void stackheap::lend<stackheap::arena, stackheap::touch_all>(stackheap::arena&, int) [clone .constprop.0]",
         "lend<arena, touch_all>"),
        ("stackheap::(anonymous namespace)::walk(std::vector<int, std::allocator<int> > const&)", "walk"),
        ("a::b::operator()(int) const", "a::b::operator() const"),
        (f"void f<{'x' * 80}, y<z> >(int)", "f"),
        ("y" * 80, "y" * 57 + "..."),
        ("operator new(unsigned long)", "operator new"),
        ("0x1230", "0x1230"),
        ("(odd", "(odd"),
    ],
)  # fmt: skip
def test_names_are_short(name: str, short: str) -> None:
    assert short_name(name) == short


# ---- conclusions


def judged(verdict: str = WORSE, name: str = NAME) -> Judgement:
    return Judgement(name, verdict, RATIO, 0.005, 20.0, 21.0)


def same(**more: object) -> FunctionChange:
    return replace(FunctionChange("malloc", "a.so", 100.0, 100.0), **more)


@pytest.mark.parametrize(
    ("function", "verdict", "cause", "sentence"),
    [
        (same(new=102.0, lines=("+ add", "+ add")), WORSE, WORK,
         "an operation takes 102 instructions, before 100 (+2, +2.0 %); the time changed by +5.0 %"),
        (same(new=98.0), WORSE, WORK,
         "an operation takes 98 instructions, before 100 (-2, -2.0 %), although the time changed by +5.0 %"),
        (same(new=100.04), WORSE, MACHINE, "at the same addresses"),
        (same(lines=("- add", "+ imul")), WORSE, WORK,
         "an operation takes 100 instructions as before, but other instructions"),
        (same(is_rewritten=True), WORSE, WORK, "but other instructions"),
        (same(is_moved=True), WORSE, LAYOUT, "the same 100 instructions, which lie at other addresses (--layouts 10"),
        (same(), WORSE, MACHINE, "at the same addresses, so memory, the caches or the machine make the difference"),
        (same(), SAME, MACHINE, "an operation takes the same 100 instructions at the same addresses"),
    ],
)  # fmt: skip
def test_the_conclusion(function: FunctionChange, verdict: str, cause: str, sentence: str) -> None:
    found = explaining._conclusion((function,), judged(verdict))
    assert found[0] == cause and sentence in found[1]
    if verdict == SAME:
        assert found[1] == sentence


def builds(executable: Path) -> SideBuilds:
    return SideBuilds(Side("side"), (Program(executable, "quick"),), CATALOGUE)


def explained(
    comparison: Comparison, folder: Path, pairs: Mapping[str, Sequence[Pair]] | None = None, new: str = "old"
) -> Comparison:
    for name in ("old", new):
        (folder / name).write_text(name)
    given = {name: tuple(found) for name, found in (pairs or {}).items()}
    recorded = RecordedPairs(Side("old"), Side("new"), 1, given, {})
    return explaining.explain(comparison, recorded, builds(folder / "old"), builds(folder / new), folder)


def comparison_of(*judgements: Judgement) -> Comparison:
    return Comparison(IN_PAIRS, Side("old"), Side("new"), judgements)


@pytest.fixture
def no_path(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nothing can be counted; the names of the benchmarks for which it was tried."""
    tried: list[str] = []

    def refuse(measured: Program, name: str, ns: float, folder: Path) -> tuple[PathFunction, ...]:
        tried.append(name)
        raise NoPath("install valgrind")

    monkeypatch.setattr(explaining, "path_of", refuse)
    return tried


def test_the_three_worst_are_explained_or_all_of_three(tmp_path: Path, no_path: list[str]) -> None:
    many = [
        replace(judged(name=f"scoped/a/bytes:{size}"), ratio=Estimate(1 + size / 100, 1.0, 2.0, 0.95, 9))
        for size in range(1, 6)
    ]
    explained(comparison_of(*many, judged(SAME, "scoped/b")), tmp_path)
    assert no_path == ["scoped/a/bytes:5", "scoped/a/bytes:4", "scoped/a/bytes:3"]
    no_path.clear()
    few = explained(comparison_of(judged(SAME, "scoped/b"), judged(NOT_JUDGED, "scoped/c")), tmp_path)
    assert no_path == ["scoped/b", "scoped/c"]
    assert [judgement.explanation.sentence for judgement in few.judgements if judgement.explanation] == [
        "not known: install valgrind"
    ] * 2


@pytest.mark.hostile("signal")
def test_an_interrupt_ends_the_explaining_and_keeps_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(measured: Program, name: str, ns: float, folder: Path) -> tuple[PathFunction, ...]:
        raise KeyboardInterrupt

    monkeypatch.setattr(explaining, "path_of", interrupt)
    assert explained(comparison_of(judged()), tmp_path) == comparison_of(judged())


@pytest.mark.hostile("disk fault")
def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(measured: Program, name: str, ns: float, folder: Path) -> tuple[PathFunction, ...]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(explaining, "path_of", fail)
    [judgement] = explained(comparison_of(judged()), tmp_path).judgements
    assert judgement.explanation == Explanation(UNKNOWN, "not known: No space left on device")


@pytest.mark.parametrize(
    ("name", "counters", "reason"),
    [
        (NAME, {MANY_THREADS: 1e6}, "several threads do the work"),
        ("overhead/glibc/bytes:8", {}, "a process does the operation once"),
    ],
)
def test_what_callgrind_cannot_count_is_not_tried(
    tmp_path: Path, no_path: list[str], name: str, counters: Mapping[str, float], reason: str
) -> None:
    pairs = {name: [Pair(Sample(0, 20.0, counters), Sample(0, 21.0, counters), True)]}
    [judgement] = explained(comparison_of(judged(name=name)), tmp_path, pairs).judgements
    assert judgement.explanation and reason in judgement.explanation.sentence
    assert no_path == []


def test_counters_are_shown_where_both_sides_have_them(tmp_path: Path, no_path: list[str]) -> None:
    def sample(**counters: float) -> Sample:
        return Sample(0, 20.0, counters)

    pairs = {NAME: [Pair(sample(cycles=60.0, page_faults=0.0, ns_per_addition=0.3, branch_misses=0.1),
                         sample(cycles=66.0, page_faults=0.0, ns_per_addition=0.3), True)] * 3}  # fmt: skip
    [judgement] = explained(comparison_of(judged()), tmp_path, pairs).judgements
    assert judgement.explanation
    assert judgement.explanation.counters == {"cycles": (60.0, 66.0)}
    assert "counted by the processor, per operation: cycles 60 to 66" in list(text_lines(judgement.explanation))


def test_without_callgrind_all_functions_of_the_programs_are_compared(
    tmp_path: Path, no_path: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = {"old": {"loop": "add", "main": "ret"}, "moved": {"loop": "add", "main": "ret"},
                  "new": {"loop": "imul", "main": "ret", "more": "ret"}}  # fmt: skip
    monkeypatch.setattr(explaining, "operations_by_function", lambda file: operations[file.name])
    [judgement] = explained(comparison_of(judged()), tmp_path, new="moved").judgements
    assert judgement.explanation and judgement.explanation.cause == LAYOUT
    same_code = "the 2 functions of both programs have the same instructions (install valgrind)"
    assert judgement.explanation.sentence == f"layout: {same_code}"
    [judgement] = explained(comparison_of(judged()), tmp_path, new="new").judgements
    assert judgement.explanation and judgement.explanation.cause == UNKNOWN
    assert "install valgrind; 2 of 3 functions of the program differ: loop, more" in judgement.explanation.sentence


# ---- for readers

LONG = tuple(f"+ add ${number},%rax" for number in range(40))
DIFFERENT = Explanation(WORK, "work: more", (
    FunctionChange("malloc", "a.so", 20.0, 60.25, LONG),
    *(FunctionChange(f"f{number}", "a.so", 5.0, 6.0, ("+ add",)) for number in range(14)),
    FunctionChange("free", "a.so", 1234.0, 1234.0),
))  # fmt: skip


def test_an_explanation_is_short() -> None:
    lines = list(text_lines(DIFFERENT))
    assert lines[0] == "work: more"
    assert len(lines) < 35 and max(map(len, lines)) < 100
    assert "         20      60.2     +40.2  malloc in a.so" in lines[2]
    assert lines[12].endswith("5 other functions that differ")
    assert lines[13].endswith("1,234     1,234         0  1 other function with the same instructions")
    assert [line.strip() for line in lines].count("and 28 more lines") == 1


def test_functions_that_do_not_differ_need_no_table() -> None:
    assert list(text_lines(Explanation(MACHINE, "machine: the same", (same(),)))) == ["machine: the same"]


@pytest.mark.parametrize("form", formats.REPORTERS)
def test_every_format_has_the_conclusion(form: str) -> None:
    comparison = comparison_of(replace(judged(), explanation=DIFFERENT))
    assert "work: more" in formats.REPORTERS[form](comparison, False)
    if form == "json":
        [judgement] = json.loads(formats.as_json(comparison))["judgements"]
        assert judgement["explanation"]["functions"][0]["new"] == 60.25
        [judgement] = json.loads(formats.as_json(comparison_of(judged())))["judgements"]
        assert judgement["explanation"] is None
