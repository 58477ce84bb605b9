"""Does scripts/verify fail when the suite is wrong?"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from suite.base.errors import BadInput, UnitFailed
from suite.commands import verify as command
from suite.program.command import OBSERVE, PROBE
from suite.results.recording import read_profile
from suite.runner import build, disassembly
from suite.runner.program import Catalogue, Malloc, Part, Program, ask
from suite.selfcheck import recording, verify
from support import declarations, fake_program, made_up_profile, measuring_program

Rows = dict[str, Mapping[str, Any]]


@dataclass(frozen=True)
class ProgramOutput(verify.SuiteUnderTest):
    """A suite whose measured times come from the test."""

    answer: Callable[[str, str], Rows]
    repeated: Mapping[str, Iterator[float | str]] = field(default_factory=dict)  # what the independent program measures

    def rows(self, only: str, preload: str = "") -> Rows:
        return self.answer(only, preload)

    def independently(self, *arguments: str) -> str:
        return str(next(self.repeated[arguments[0]])) if arguments else "\n".join(self.repeated)


def nothing(only: str, preload: str) -> Rows:
    return {}


def suite(answer: Callable[[str, str], Rows] = nothing, *mallocs: Malloc, parts: int = 0) -> ProgramOutput:
    its_parts = tuple(Part(f"family{number}", "chapter", 0, f"^family{number}/", ()) for number in range(parts))
    return ProgramOutput(Program(Path("/nowhere"), "quick"), Catalogue(its_parts, {}, mallocs, {}, ""), Path("/"), answer)


def verdicts(rows: Iterator[verify.Row]) -> list[str]:
    return [row.verdict for row in rows]


def timed(**ns: float) -> Rows:
    return {name: {"real_time": time, "ns_per_addition": 0.25} for name, time in ns.items()}


# ---- mallocs


def test_a_malloc_that_is_missing_is_skipped_and_does_not_pass() -> None:
    available = Malloc("jemalloc", "/lib/libjemalloc.so.2", "5.3", "", "", process=False)
    rows = list(verify.mallocs(suite(nothing, available, replace(available, name="mimalloc", reason="not found"))))
    assert [row.verdict for row in rows] == [verify.PASS, verify.SKIPPED]
    assert "/lib/libjemalloc.so.2" in rows[0].evidence and rows[1].evidence == "not found"


@pytest.mark.parametrize(
    ("refusal", "verdict"),
    [
        ("", verify.FAIL),
        ("/lib/libtbbmalloc.so.2 cannot be loaded as a malloc library: its malloc is that of libc.so.6", verify.PASS),
        ("cannot be run", verify.FAIL),
    ],
)  # the program's message for the library without its prefix
def test_a_library_that_measures_anothers_malloc_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, refusal: str, verdict: str
) -> None:
    tbb = Malloc("tbbmalloc", "/lib/libtbbmalloc.so.2", "2.8", "", "", process=False)
    programs: list[Program] = []

    def ask(program: Program) -> Catalogue:
        programs.append(program)
        if refusal:
            raise BadInput(refusal)
        return Catalogue((), {}, (tbb, replace(tbb, name="wrong")), {}, "")

    monkeypatch.setattr(verify, "ask", ask)
    assert verdicts(verify.refusals(suite(nothing, tbb))) == [verdict]
    assert programs[0].allocators == ("wrong=/lib/libtbbmalloc.so.2",)
    assert verdicts(verify.refusals(suite())) == [verify.SKIPPED]


def test_this_program_refuses_a_library_that_measures_anothers_malloc(tmp_path: Path) -> None:
    program = Program(measuring_program.program(), "smoke")
    [row] = verify.refusals(verify.SuiteUnderTest(program, ask(program), tmp_path))
    assert row.verdict in (verify.PASS, verify.SKIPPED), row


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, verify.PASS), (1.1, verify.PASS), (2.0, verify.FAIL), (0.5, verify.FAIL)])
def test_a_malloc_that_costs_more_or_less_when_preloaded_fails(tmp_path: Path, factor: float, verdict: str) -> None:
    library = tmp_path / "libjemalloc.so.2"
    library.touch()
    names = ("scoped/jemalloc/bytes:64/touch:first", "churn/jemalloc/live:1000/sizes:uniform")

    def answer(only: str, preload: str) -> Rows:
        assert preload in ("", str(library))
        return timed(**dict.fromkeys(names, 10.0 * (factor if preload else 1.0)))

    its = Malloc("jemalloc", str(library), "5.3", "", "", process=False)
    assert verdicts(verify.preloaded(suite(answer, its))) == [verdict]


@pytest.mark.parametrize(
    ("together", "in_full", "verdict"),
    [(1.0, 1.0, verify.PASS), (1.04, 0.97, verify.PASS), (1.39, 1.0, verify.FAIL), (1.0, 0.8, verify.FAIL)],
)
def test_a_malloc_that_costs_more_or_less_among_others_fails(together: float, in_full: float, verdict: str) -> None:
    """As mimalloc did through a call site that it shared, and 64 MiB from tcmalloc after the sizes of a full run."""
    name = "scoped/mimalloc/bytes:64/touch:first"

    def answer(only: str, preload: str) -> Rows:
        factor = {f"^{name}$": 1.0, "^scoped/mimalloc/": in_full}.get(only, together)
        return {name: {"real_time": 10.0 * factor, "ns_per_addition": 0.25}}

    its = Malloc("mimalloc", "/lib/libmimalloc.so.2", "2.0.9", "", "", process=False)
    offered = suite(answer, its)
    part = Part("scoped", "allocation", 0, "^scoped/", (name,))
    offered = replace(offered, catalogue=replace(offered.catalogue, parts=(part,)))
    assert verdicts(verify.alone(offered)) == [verdict]


def test_a_malloc_whose_time_varies_by_layout_gets_more_processes() -> None:
    """The first seven processes have the median 1.2 and leave 1 open; after seven more, the median is 1."""
    name, started = "scoped/mimalloc/bytes:64/touch:first", list[str]()

    def answer(only: str, preload: str) -> Rows:
        started.append(only)
        process = (len(started) - 1) // 3  # alone, among others, in full
        unlucky = process in (0, 1, 2, 3) and only != f"^{name}$"
        return {name: {"real_time": 12.0 if unlucky else 10.0, "ns_per_addition": 0.25}}

    its = Malloc("mimalloc", "/lib/libmimalloc.so.2", "2.0.9", "", "", process=False)
    offered = suite(answer, its)
    part = Part("scoped", "allocation", 0, "^scoped/", (name,))
    offered = replace(offered, catalogue=replace(offered.catalogue, parts=(part,)))
    assert verdicts(verify.alone(offered)) == [verify.PASS]
    assert len(started) == 3 * 2 * verify.ALONE_PROCESSES


LOAD = "chase/bytes:16384/order:random/home:heap"


@pytest.mark.parametrize(
    ("ours", "independently", "verdict"),
    [
        ((1.2, 1.25, 1.3), (1.3, 1.25, 1.2), verify.PASS),
        ((1.2, 1.25, 1.3), (1.35, 1.36, 1.37), verify.PASS),
        ((1.1, 1.1, 1.12), (1.3, 1.31, 1.32), verify.FAIL),  # as a chain of sub-cycles
        ((1.5, 1.5, 1.52), (1.3, 1.31, 1.32), verify.FAIL),
        ((1.0, 1.5, 2.5), (1.0, 1.3, 1.9), verify.SKIPPED),  # the machine was not quiet enough to say
        ((0.0, 1.0), (1.0, 1.0), verify.SKIPPED),
    ],
)
def test_an_operation_that_costs_otherwise_in_an_independent_program_fails(
    ours: Sequence[float], independently: Sequence[float], verdict: str
) -> None:
    times = itertools.cycle(ours)
    offered = suite(lambda only, preload: timed(**{LOAD: next(times)}))
    part = Part("chase", "access", 0, "^chase/", (LOAD,))
    catalogue = replace(offered.catalogue, parts=(part,))
    repeated = {LOAD: itertools.cycle(independently), "chase/elsewhere": itertools.repeat(9.0)}
    assert verdicts(verify.independent(replace(offered, catalogue=catalogue, repeated=repeated))) == [verdict]


@pytest.mark.parametrize(("ours", "verdict"), [(1.2, verify.PASS), (1.7, verify.FAIL)])
def test_a_call_in_a_loop_may_differ_by_a_cycle(ours: float, verdict: str) -> None:
    name = "scoped/alloca/bytes:64"
    offered = suite(lambda only, preload: timed(**{name: ours}))
    catalogue = replace(offered.catalogue, parts=(Part("scoped", "allocation", 0, "^scoped/", (name,)),))
    offered = replace(offered, catalogue=catalogue, repeated={name: itertools.repeat(1.4)})
    assert verdicts(verify.independent(offered)) == [verdict]


@pytest.mark.parametrize(
    ("far", "verdict"),
    [
        ((), verify.PASS),
        ((2, 3, 4), verify.PASS),  # measured in more turns
        (range(1, 20), verify.SKIPPED),
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_turns_in_which_the_cores_were_far_apart_do_not_count(far: Sequence[int], verdict: str, which: int) -> None:
    name = "handoff/glibc/pairs:1"
    turns = itertools.count()

    def measured(only: str, preload: str) -> Rows:
        apart = next(turns) in far and which == 0
        return {name: {"real_time": 215.0 if apart else 55.0, "ns_per_addition": 0.25, "ns_line_trip": 160.0 if apart else 26.0}}

    independently = iter("215 170" if turn in far and which == 1 else "56 40" for turn in range(30))
    offered = suite(measured)
    part = Part("handoff", "contention", 0, "^handoff/", (name,))
    offered = replace(offered, catalogue=replace(offered.catalogue, parts=(part,)), repeated={name: independently})
    assert verdicts(verify.independent(offered)) == [verdict]


def test_a_family_is_held_to_the_independent_program_by_its_first_metric() -> None:
    name = "latency/glibc/bytes:64"
    offered = suite(lambda only, preload: {name: {"real_time": 90.0, "typical": 30.0, "ns_per_addition": 0.25}})
    about = {"families": {"latency": {"metrics": [{"counter": "typical", "unit": "ns", "more_is_worse": True, "least": 0}]}}}
    part = Part("latency", "allocation", 0, "^latency/", (name,))
    offered = replace(offered, catalogue=replace(offered.catalogue, parts=(part,), declared=about))
    assert verdicts(verify.independent(replace(offered, repeated={name: itertools.repeat(30.5)}))) == [verify.PASS]


def test_an_independent_program_that_is_missing_is_one_failed_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "CHECKS", (verify.independent,))
    (row,) = verify.verify(Program(tmp_path / "stackheap", "quick"), suite().catalogue)
    assert row.verdict == verify.FAIL and str(tmp_path / verify.INDEPENDENT) in row.evidence


def test_neither_the_process_malloc_nor_a_library_without_malloc_is_preloaded(tmp_path: Path) -> None:
    tbb = Malloc("tbbmalloc", str(tmp_path / "libtbbmalloc.so.2"), "2.8", "", "", process=False)
    process_malloc = Malloc("glibc", "/lib/libc.so.6", "2.36", "", "", process=True)
    assert verdicts(verify.preloaded(suite(nothing, tbb, process_malloc))) == []


# ---- loops


CONTROL = "std::uint64_t stackheap::none::lend<stackheap::touch_first>(unsigned long)"
CALLER = disassembly.Function("loop", ((16, f"call   400 <{CONTROL}>"), (21, "jne    10 <loop>")))


def of_code(*functions: disassembly.Function) -> Callable[[Path], Mapping[str, disassembly.Function]]:
    return lambda file: {function.name: function for function in functions}


@pytest.mark.parametrize(
    ("taken", "caller", "expected"),
    [
        ("ret", CALLER, [verify.PASS, verify.PASS]),
        ("call   500 <malloc>", CALLER, [verify.FAIL, verify.PASS]),
        ("ret", replace(CALLER, instructions=CALLER.instructions[:1]), [verify.PASS, verify.FAIL]),
    ],
)
def test_a_take_that_calls_or_stands_outside_a_loop_fails(
    monkeypatch: pytest.MonkeyPatch, taken: str, caller: disassembly.Function, expected: list[str]
) -> None:
    take = disassembly.Function(CONTROL, ((1024, taken),))
    monkeypatch.setattr(disassembly, "disassemble", of_code(take, caller))
    assert verdicts(verify.loops(suite())) == expected


def test_code_that_cannot_be_read_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disassembly, "disassemble", of_code())
    assert verdicts(verify.loops(suite())) == [verify.SKIPPED, verify.SKIPPED]
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.undo()
    monkeypatch.setenv("PATH", "/nowhere")
    assert verdicts(verify.loops(suite())) == [verify.SKIPPED]


# ---- chase and controls


def chase(ns: tuple[float, float, float], in_order: float = 1.5, **counters: tuple[float, ...]) -> Rows:
    rows: Rows = {}
    for number, (size, time) in enumerate(zip((16 << 10, 1 << 20, 64 << 20), ns)):
        its = {key: values[number] for key, values in counters.items()}
        rows[f"chase/bytes:{size}/order:random/home:heap"] = {"real_time": time, "ns_per_addition": 0.25, **its}
    rows[f"chase/bytes:{64 << 20}/order:sequential/home:heap"] = {"real_time": in_order, "ns_per_addition": 0.25}
    return rows


CYCLE, LEVELS, PREFETCHER, CYCLES, MISSES = range(5)


@pytest.mark.parametrize(
    ("rows", "failed"),
    [
        (chase((1.25, 4.0, 80.0)), None),
        (chase((1.25, 1.2, 80.0)), LEVELS),
        (chase((0.2, 4.0, 80.0)), LEVELS),  # less than a cycle: the loads did not wait for each other
        (chase((1.25, 4.0, 80.0), in_order=60.0), PREFETCHER),
    ],
)
def test_a_chase_that_does_not_reach_its_memory_fails(rows: Rows, failed: int | None) -> None:
    found_verdicts = verdicts(verify.chase(suite(lambda *_: rows)))
    expected = [verify.PASS] * 3 + [verify.SKIPPED] * 2
    if failed is not None:
        expected[failed] = verify.FAIL
    assert found_verdicts == expected


def test_the_counters_own_story_is_heard() -> None:
    def story(cycles: tuple[float, ...], misses: tuple[float, ...]) -> list[str]:
        rows = chase((1.25, 4.0, 80.0), cycles=cycles, cache_misses=misses)
        return verdicts(verify.chase(suite(lambda *_: rows)))[CYCLES:]

    assert story((5.1, 15.9, 320.0), (0.0, 0.0, 0.9)) == [verify.PASS, verify.PASS]
    assert story((10.0, 15.9, 320.0), (0.0, 0.0, 0.9)) == [verify.FAIL, verify.PASS]
    assert story((5.1, 15.9, 320.0), (0.5, 0.5, 0.4)) == [verify.PASS, verify.FAIL]


def test_a_chase_that_was_refused_is_a_failure() -> None:
    assert verdicts(verify.chase(suite())) == [verify.FAIL]


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        ({"real_time": 0.5, "ns_per_addition": 0.25}, [verify.PASS, verify.SKIPPED]),
        ({"real_time": 5.0, "ns_per_addition": 0.25}, [verify.FAIL, verify.SKIPPED]),
        ({"real_time": 0.5, "ns_per_addition": 0.25, "instructions": 7.001}, [verify.PASS, verify.PASS]),
        ({"real_time": 0.5, "ns_per_addition": 0.25, "instructions": 7.4}, [verify.PASS, verify.FAIL]),
        (None, [verify.FAIL]),
    ],
)
def test_a_control_that_costs_or_counts_wrongly_fails(control: Mapping[str, float] | None, expected: list[str]) -> None:
    rows = {"scoped/none/bytes:64/touch:none": control} if control else {}
    assert verdicts(verify.controls(suite(lambda *_: rows))) == expected


# ---- spread


def test_a_family_whose_processes_disagree_fails() -> None:
    expressions: list[str] = []

    def answer(only: str, preload: str) -> Rows:
        expressions.append(only)
        wild = 10.0 if only == "^family1/" and len(expressions) % 2 else 1.0
        return timed(**{f"{only[1:]}one": 5.0 * wild, f"{only[1:]}two": 7.0 * wild})

    rows = list(verify.spread(suite(answer, parts=2)))
    assert [row.verdict for row in rows] == [verify.PASS, verify.FAIL]
    assert [row.claim.partition(":")[0] for row in rows] == ["family0", "family1"]
    assert expressions.count("^family0/") == verify.SPREAD_PROCESSES
    assert "in 2 figures" in rows[0].evidence


def test_a_family_is_measured_by_its_own_figure() -> None:
    """A child's duration says nothing of how deep its stack was."""
    expressions: list[str] = []

    def answer(only: str, preload: str) -> Rows:
        expressions.append(only)
        return {"stack_limit/home:first/frame:64": {"real_time": float(len(expressions)), "frames": 1000.0}}

    declared = {"families": {"stack_limit": declarations.of_family("stack_limit")}}
    limits = Part("stack_limit", "limits", 0, "^stack_limit/", ())
    tried = replace(suite(answer), catalogue=Catalogue((limits,), declared, (), {}, ""))
    [row] = verify.spread(tried)
    assert row.verdict == verify.PASS and "typically 0.0%" in row.evidence


# ---- recording


COST = recording.Cost(
    alone=(3.0,) * 5,
    recorded=(3.3,) * 5,
    bytes=2_000_000,
    profile=replace(read_profile(made_up_profile.document()), events=5_000_000),
    analysis_seconds=0.2,
    analysis_bytes=14 << 20,
)


@pytest.mark.parametrize(
    ("cost", "failed"),
    [
        (COST, None),
        (replace(COST, recorded=(4.6,) * 5), 0),
        (replace(COST, bytes=15_100_000), 1),
        (replace(COST, profile=replace(COST.profile, events=0)), 1),
        (replace(COST, profile=replace(COST.profile, unseen=1)), 1),
        (replace(COST, profile=replace(COST.profile, ended="cut off")), 1),
        (replace(COST, analysis_seconds=2.1), 2),
        (replace(COST, analysis_bytes=510_000_000), 2),
    ],
)
def test_a_recording_that_costs_too_much_or_lacks_calls_fails(
    monkeypatch: pytest.MonkeyPatch, cost: recording.Cost, failed: int | None
) -> None:
    monkeypatch.setattr(recording, "measure", lambda *_: cost)
    assert verdicts(verify.recorder(suite())) == [verify.FAIL if row == failed else verify.PASS for row in range(3)]


def test_without_a_compiler_to_record_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    rows = list(verify.recorder(suite()))
    assert {(row.verdict, row.evidence) for row in rows} == {(verify.SKIPPED, "g++ is not installed")} and len(rows) == 3


def test_a_compiler_without_the_recorder_is_a_failed_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loader says that it cannot preload it, and goes on: no recording is left."""
    monkeypatch.setattr(recording, "_compiler", lambda folder: ["/bin/true"])
    monkeypatch.setattr(verify, "CHECKS", (verify.recorder,))
    tried = Program(tmp_path / "stackheap", "quick")
    (row,) = verify.verify(tried, suite().catalogue)
    assert row.verdict == verify.FAIL and f"{tmp_path / 'observe'} does not exist" in row.evidence
    for tool in (OBSERVE, PROBE):
        (tmp_path / tool).symlink_to(measuring_program.program().with_name(tool))
    (row,) = verify.verify(tried, suite().catalogue)
    assert row.verdict == verify.FAIL and row.evidence == "5 processes were recorded, but left 0 recordings"


def test_the_peak_of_an_analysis_is_not_that_of_the_process_that_starts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel counts the memory that a process had before exec."""
    monkeypatch.setattr(recording, "_compiler", lambda folder: ["/bin/ls", "/"])
    large = bytearray(b"1") * (100 << 20)
    cost = recording.measure(measuring_program.program(), tmp_path, 1)
    assert len(large) > 2 * cost.analysis_bytes > 0 and cost.profile.ended == "exit"


# ---- the whole


def test_a_check_that_cannot_be_carried_out_is_a_failed_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(suite: verify.SuiteUnderTest) -> Iterator[verify.Row]:
        yield verify.Row("before it broke", verify.PASS, "")
        raise UnitFailed("crashed (SIGSEGV)")

    monkeypatch.setattr(verify, "CHECKS", (broken,))
    rows = list(verify.verify(suite().program, suite().catalogue))
    assert [(row.verdict, row.evidence) for row in rows[1:]] == [(verify.FAIL, "crashed (SIGSEGV)")]
    assert verify.exit_code(rows) == 1 and verify.exit_code(rows[:1]) == 0
    assert verify.exit_code([verify.Row("", verify.SKIPPED, "")]) == 0


@pytest.mark.parametrize(("verdict", "status"), [(verify.PASS, 0), (verify.SKIPPED, 0), (verify.FAIL, 1)])
def test_the_command_prints_every_row_and_fails_with_a_failed_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verdict: str, status: int
) -> None:
    executable = fake_program.write_program(tmp_path)
    monkeypatch.setattr(build, "build", lambda *_, **__: executable)
    monkeypatch.setattr(verify, "CHECKS", (lambda suite: iter([verify.Row("[bold]a claim", verdict, "[red]why")]),))
    assert command.main([], tmp_path) == status
    shown = capsys.readouterr().out
    assert "[bold]a claim" in shown and verdict in shown and "[red]why" in shown


def test_a_program_that_cannot_be_built_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "CMakePresets.json").write_text('{"configurePresets": [{"name": "release"}]}')
    assert command.main(["--build", "no_such"], tmp_path) == 2
    assert capsys.readouterr().err == "scripts/verify: preset 'no_such' does not exist; CMakePresets.json has: release\n"
