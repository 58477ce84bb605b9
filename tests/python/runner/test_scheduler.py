"""Does a run survive crashes, hangs, damage, interrupts and a full disk, and does it mark disturbed processes?"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from suite.base.errors import BadInput, UnitFailed, UnitHung
from suite.base.text import time_text
from suite.pages import summary
from suite.results.merge import write_unit
from suite.results.model import Document, Run, selects
from suite.results.parts import DisturbedParts
from suite.results.read import read_run, read_unit
from suite.results.run_names import names_of
from suite.runner import interference, program, scheduler
from suite.runner.program import Malloc, Part, Program, ask, measure_part
from support import fake_program


class Silent:
    """An observer that records the calls. Subclasses act when a process begins."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int]] = []
        self.problems: list[str] = []
        self.left: list[float | None] = []
        self.rounds: list[int] = []
        self.looks: list[tuple[Sequence[str], int, int]] = []

    def begins(self, part: Part, process: int, done: int, seconds_left: float | None) -> None:
        self.begun.append((part.file_name(process), done))
        self.left.append(seconds_left)

    def ends(self, part: Part, process: int, problem: str) -> None:
        self.problems += [problem] if problem else []

    def round_ends(self, process: int, disturbed: int, seconds_left: float | None) -> None:
        self.rounds.append(disturbed)

    def looked(self, questions: Sequence[str], benchmarks: int, processes: int) -> None:
        self.looks.append((questions, benchmarks, processes))


@pytest.fixture
def executable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "log").mkdir()
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.delenv("FAKE_DOES", raising=False)
    return fake_program.write_program(tmp_path)


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other process runs on this machine unless the test adds one."""
    monkeypatch.setattr(interference, "take_snapshot", lambda: interference.Snapshot(time.monotonic(), 0.0, 0.0, 0.0, 2))


def planned(executable: Path, only: str | None = None, processes: int = 2, seed: int = 1) -> scheduler.Plan:
    chosen = Program(executable, "quick", only)
    return scheduler.Plan(chosen, ask(chosen), processes, seed)


def begin(plan: scheduler.Plan, folder: Path) -> Path:
    plan.write(folder)
    return folder


def does(monkeypatch: pytest.MonkeyPatch, **changes: list[str | int]) -> None:
    monkeypatch.setenv("FAKE_DOES", json.dumps(changes))


def calls(tmp_path: Path) -> int:
    return len(list((tmp_path / "log").iterdir()))


def leftovers(folder: Path) -> list[Path]:
    return [*folder.glob(".*"), *folder.glob("parts/.*")]


# ---- what the program offers


def test_the_program_is_asked_once_for_all_it_has(executable: Path) -> None:
    offered = ask(Program(executable, "quick"))
    assert offered.families == tuple(fake_program.FAMILIES)
    assert [part.file_name(3) for part in offered.parts if part.family == "heap_state"] == [
        "heap_state-0-3.json",
        "heap_state-1-3.json",
    ]
    assert offered.unavailable == ("mimalloc: not found (install: libmimalloc2.0)",)


@pytest.mark.hostile("limit of the system")
def test_a_malloc_that_a_limit_keeps_away_is_not_to_be_installed(executable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "limits_behind", lambda reason: f"; the limit behind {reason!r}")
    assert ask(Program(executable, "quick")).unavailable == ("mimalloc: not found; the limit behind 'not found'",)


def test_parts_without_a_benchmark_left_are_not_run(executable: Path) -> None:
    assert [part.index for part in ask(Program(executable, "quick", "heap_state/glibc/state:aged")).parts] == [1]


@pytest.mark.parametrize(
    ("only", "allocators", "says"),
    [
        ("[", (), "stackheap: --only: '[' is not a regular expression"),
        ("^nothing/", (), "stackheap: no benchmark's name matches --only=^nothing/"),
        (None, ("mine",), "stackheap: --allocator needs NAME=FILE[,PREFIX], not 'mine'"),
    ],
)
def test_a_refusal_of_the_program_is_reported_in_its_own_words(
    executable: Path, only: str | None, allocators: tuple[str, ...], says: str
) -> None:
    with pytest.raises(BadInput) as refused:
        ask(Program(executable, "quick", only, allocators))
    assert str(refused.value).startswith(says)


@pytest.mark.hostile("measured program")
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("#!/bin/sh\necho '{'", "the output is not JSON"),
        ("#!/bin/sh\necho '{\"families\": 3}'", "the list lacks a field"),
        ("#!/bin/sh\necho '{\"families\": [], \"strategies\": [], \"context\": {}}'", "the list has no benchmarks"),
        ("#!/bin/sh\nkill -9 $$", "SIGKILL"),
        ("no program", "cannot be run"),
    ],
)
def test_a_file_that_is_not_the_program_is_refused(tmp_path: Path, script: str, says: str) -> None:
    broken = tmp_path / "broken"
    broken.write_text(script)
    broken.chmod(0o755)
    with pytest.raises(BadInput, match=says):
        ask(Program(broken, "quick"))


# ---- a run


def test_a_run_has_every_benchmark_in_every_process(executable: Path, tmp_path: Path) -> None:
    plan, observer = planned(executable, processes=3), Silent()
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), observer)
    assert [str(benchmark.name) for benchmark in run.series()] == list(plan.catalogue.benchmarks)
    assert {tuple(sample.process for sample in benchmark.samples) for benchmark in run.series()} == {(0, 1, 2)}
    assert (run.complete, run.failed, run.account.processes_planned, run.account.order_seed) == (True, (), 3, 1)
    assert len(run.units) == calls(tmp_path) == 3 * len(plan.catalogue.parts)
    assert observer.left[0] is None and all(left is not None for left in observer.left[1:])
    assert leftovers(tmp_path / "out") == []


def test_the_order_is_drawn_anew_each_round_from_the_seed(executable: Path) -> None:
    plan = planned(executable)
    assert plan.round(0) == planned(executable).round(0)
    assert plan.round(0) != plan.round(1)
    assert plan.round(0) != planned(executable, seed=2).round(0)
    assert sorted(part.file_name(0) for part in plan.round(1)) == sorted(part.file_name(0) for part in plan.catalogue.parts)


def test_each_round_leaves_a_run_that_can_be_read(executable: Path, tmp_path: Path) -> None:
    plan = planned(executable, "^scoped/", processes=3)
    begin(plan, tmp_path / "out")
    seen = []

    class Reads(Silent):
        def begins(self, part: Part, process: int, done: int, seconds_left: float | None) -> None:
            if process:
                run = read_run(tmp_path / "out" / scheduler.RUN_FILE)
                seen.append((run.processes, run.complete))

    scheduler.measure(plan, tmp_path / "out", Reads())
    assert seen == [(1, False), (2, False)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("crash", "crashed (SIGSEGV)"),
        ("exit", "ended with exit code 2 (stackheap: wrong in the middle)"),
        ("garbage", "damaged result: is not JSON, or was cut off (Expecting value: line 1 column 1 (char 0))"),
        ("truncated", "damaged result: is not JSON, or was cut off"),
        ("empty", "damaged result: is empty"),
        ("nan", "damaged result: real_time of chase/bytes:16384/order:sequential/home:heap is not a valid time: 'nan'"),
    ],
)
def test_a_failed_process_is_recorded_and_the_run_goes_on(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, reason: str
) -> None:
    does(monkeypatch, chase=[fault, 1])  # in the second of three processes
    plan, observer = planned(executable, processes=3), Silent()
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), observer)
    (failed,) = run.failed
    assert (failed.family, failed.process) == ("chase", 1)
    assert failed.reason.startswith(reason)
    assert observer.problems == [failed.reason]
    assert {len(benchmark.samples) for benchmark in run.series("chase")} == {2}
    assert {len(benchmark.samples) for benchmark in run.series("scoped")} == {3}
    assert run.complete
    assert leftovers(tmp_path / "out") == []


@pytest.mark.hostile("measured program")
def test_a_hang_is_ended_and_its_part_left_out_from_then_on(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    does(monkeypatch, handoff=["hang"])
    plan = planned(executable, "^(handoff|traverse)/", processes=3)
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), Silent(), scheduler.Limits(1.0, 0.0))
    (failure,) = run.failed
    assert (failure.reason, failure.left_out) == ("did not end within 1 s; handoff was left out from then on", "handoff")
    assert run.families() == ("traverse",)
    (begun,) = (tmp_path / "log").glob("handoff.*")
    assert not Path("/proc", begun.suffix.lstrip(".")).exists()


HUNG = "its process was ended because it took longer than 60 s"
HANGS = {
    "in a benchmark": HUNG,
    "in a process of its own": f"child overhead: {HUNG}",
    "at load": "in the load test it stopped its process for 10 s",
}


@pytest.mark.hostile("malloc library")
@pytest.mark.parametrize("where", ["in a benchmark", *(pytest.param(where, marks=pytest.mark.nightly) for where in list(HANGS)[1:])])
def test_a_malloc_that_hangs_is_named_once_and_left_out_from_then_on(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    plan = planned(executable, "^(scoped|private|handoff)/", processes=2)
    mallocs = (*plan.catalogue.mallocs, Malloc("jemalloc", "/j.so", "5", "", "", False))
    catalogue = replace(plan.catalogue, mallocs=mallocs, context={**plan.catalogue.context, "layout": "drawn"})
    plan = replace(plan, catalogue=catalogue, program=replace(plan.program, allocators=("jemalloc=/j.so",)))
    asked = list[Program]()

    def hanging(program: Program, part: Part, *rest: Any) -> tuple[Document, interference.Interference]:
        """As the program: it has no benchmark of a malloc that was not tested, or that failed in its trial."""
        asked.append(program)
        document, beside = measure_part(program, part, *rest)
        here = "jemalloc" in (program.tested or ()) and where != "at load"
        document["benchmarks"] = [row for row in document["benchmarks"] if here or "/jemalloc/" not in row["name"]]
        reasons = itertools.chain([HANGS[where]], itertools.repeat("not measured: jemalloc hung in a benchmark before"))
        for row, reason in zip((row for row in document["benchmarks"] if "/jemalloc/" in row["name"]), reasons):
            row |= {"error_occurred": True, "error_message": reason}
        document["context"]["malloc.jemalloc"] = f"not available: {HANGS['at load']}"
        return document, beside

    monkeypatch.setattr(scheduler, "measure_part", hanging)
    folder, observer = begin(plan, tmp_path / "out"), Silent()
    run = scheduler.measure(plan, folder, observer)
    assert [program.tested for program in asked] == [("glibc", "jemalloc"), *[("glibc",)] * 5]
    assert [program.allocators for program in asked[1:]] == [()] * 5
    (failure,) = run.failed
    assert failure.left_out == "jemalloc" and f": {HANGS[where]}; jemalloc was left out from then on" in failure.reason
    assert observer.problems == [failure.reason]
    assert {len(benchmark.samples) for benchmark in run.series() if benchmark.name.strategy != "jemalloc"} == {2}
    assert "Not measured any more after it hung: jemalloc" in summary.missing(run)
    for file in folder.glob("parts/*-1.json"):
        file.unlink()
    assert scheduler.measure(plan, folder, Silent()).failed == run.failed, "a run that goes on"
    assert {program.tested for program in asked[6:]} == {("glibc",)}


@pytest.mark.hostile("malloc library")
def test_a_part_of_a_malloc_that_hung_is_not_begun(executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(executable, "^(heap_state|handoff)/glibc/", processes=2)

    def hanging(program: Program, part: Part, *rest: Any) -> tuple[Document, interference.Interference]:
        document, beside = measure_part(program, part, *rest)
        document["benchmarks"][0] |= {"error_occurred": True, "error_message": HUNG}
        return document, beside

    monkeypatch.setattr(scheduler, "measure_part", hanging)
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), Silent())
    assert calls(tmp_path) == 1 and [failure.left_out for failure in run.failed] == ["glibc"]


def test_the_time_limit_grows_with_the_times_of_the_units() -> None:
    assert scheduler.Limits(120.0, 20.0).after([]) == 120.0
    assert scheduler.Limits(120.0, 20.0).after([1.0, 2.0, 30.0]) == 160.0


def test_wrong_work_is_not_a_result_and_is_reported(executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    does(monkeypatch, traverse=["error"], handoff=["missing"])
    plan = planned(executable, "^(traverse|handoff)/", processes=1)
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), Silent())
    assert sorted(failure.reason for failure in run.failed) == [
        "handoff/jemalloc/pairs:1: has no result",
        "traverse/vector/count:100000/payload:8: the work was wrong",
    ]
    assert len(run.series("traverse")) == 1 and len(run.series("handoff")) == 2


def test_a_run_without_any_result_reports_why(executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    does(monkeypatch, traverse=["crash"])
    plan = planned(executable, "^traverse/")
    with pytest.raises(UnitFailed, match=r"crashed \(SIGSEGV\)"):
        scheduler.measure(plan, begin(plan, tmp_path / "out"), Silent())


@pytest.mark.hostile("measured program")
@pytest.mark.slow
def test_children_of_a_hanging_program_end_with_it(tmp_path: Path) -> None:
    parent = tmp_path / "parent"
    parent.write_text(f"#!/bin/sh\nsleep 600 & echo $! > {tmp_path}/pid\nwait\n")
    parent.chmod(0o755)
    with pytest.raises(UnitHung):
        measure_part(Program(parent, "quick"), Part("f", "c", 0, "^f/", ()), tmp_path, 0.5)
    child = Path("/proc", (tmp_path / "pid").read_text().strip())
    deadline = time.monotonic() + 10
    while child.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not child.exists() or "\nState:\tZ" in (child / "status").read_text()


# ---- interrupts and going on


class Interrupting(Silent):
    """Sends a signal to this process while a child runs."""

    def __init__(self, number: int, at: int) -> None:
        super().__init__()
        self.number, self.at = number, at

    def begins(self, part: Part, process: int, done: int, seconds_left: float | None) -> None:
        super().begins(part, process, done, seconds_left)
        if len(self.begun) == self.at:
            threading.Timer(0.2, os.kill, (os.getpid(), self.number)).start()


@pytest.mark.hostile("signal")
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_keeps_the_results_and_a_resumed_run_measures_the_rest(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("ignored here, as under nohup")
    plan, out = planned(executable, processes=2), tmp_path / "out"
    begin(plan, out)
    handlers = [signal.getsignal(handled) for handled in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    slow: dict[str, list[str | int]] = {name: ["slow"] for name in fake_program.FAMILIES}
    does(monkeypatch, **slow)
    with pytest.raises(KeyboardInterrupt):
        scheduler.measure(plan, out, Interrupting(number, at=3))
    assert [signal.getsignal(handled) for handled in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == handlers
    run = read_run(out / scheduler.RUN_FILE)
    assert (run.complete, len(run.units), leftovers(out)) == (False, 2, [])

    monkeypatch.delenv("FAKE_DOES")
    observer = Silent()
    run = scheduler.measure(plan, out, observer)
    assert (run.complete, run.processes) == (True, 2)
    assert len(observer.begun) == 2 * len(plan.catalogue.parts) - 2
    assert observer.begun[0] == (plan.round(0)[2].file_name(0), 2)


@pytest.mark.hostile("signal")
def test_a_run_that_was_killed_loses_one_process(executable: Path, tmp_path: Path) -> None:
    plan, out = planned(executable, processes=2), tmp_path / "out"
    begin(plan, out)
    (out / "parts" / ".chase-0-0.json.99.tmp").write_text("{")  # as kill -9 leaves it
    first = plan.catalogue.parts[0].file_name(0)
    scheduler.measure(plan, out, Silent())
    (out / "parts" / first).write_text('{"half')
    before = calls(tmp_path)
    run = scheduler.measure(plan, out, Silent())
    assert (run.complete, calls(tmp_path) - before, leftovers(out)) == (True, 1, [])


def test_a_failed_process_is_tried_again_when_the_run_goes_on(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, out = planned(executable, processes=2), tmp_path / "out"
    does(monkeypatch, chase=["crash", 0])
    assert len(scheduler.measure(plan, begin(plan, out), Silent()).failed) == 1
    assert scheduler.measure(plan, out, Silent()).failed == ()


def test_a_plan_reads_back_and_shows_what_changed(executable: Path, tmp_path: Path) -> None:
    plan = planned(executable, "^scoped/")
    begun = scheduler.read_plan(begin(plan, tmp_path / "out"))
    assert begun == plan.record()
    executable.write_text(executable.read_text() + "# another build\n")
    changed = replace(planned(executable, "^chase/", 3), label="new")
    expected = ["executable", "only", "processes", "benchmarks_and_mallocs", "label"]
    assert begun.differences(changed.record()) == expected


def test_the_label_of_a_plan_is_kept_by_the_run(executable: Path, tmp_path: Path) -> None:
    plan = replace(planned(executable, "^scoped/", processes=1), label="huge pages")
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), Silent())
    assert names_of([run]) == ["huge pages"] and scheduler.read_plan(tmp_path / "out").label == "huge pages"


@pytest.mark.hostile("result file")
@pytest.mark.parametrize("written", ["", "{", "[]", "{}", '{"profile": 3}', "[" * 100_000, "\xff"])
def test_a_damaged_plan_is_refused(tmp_path: Path, written: str) -> None:
    (tmp_path / scheduler.PLAN_FILE).write_text(written, encoding="latin-1")
    with pytest.raises(BadInput, match="is damaged"):
        scheduler.read_plan(tmp_path)


@pytest.mark.hostile("disk fault")
def test_a_plan_that_cannot_be_read_is_not_a_missing_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="it has no plan.json, so no run was begun there"):
        scheduler.read_plan(tmp_path)
    (tmp_path / scheduler.PLAN_FILE).mkdir()
    with pytest.raises(BadInput, match=r"its plan.json cannot be read \(Is a directory\)"):
        scheduler.read_plan(tmp_path)


# ---- refinement

GLIBC, JEMALLOC = (f"handoff/{name}/pairs:1" for name in ("glibc", "jemalloc"))
VECTOR = "traverse/vector/count:100000/payload:8"


def refining(executable: Path, only: str = "^(traverse|handoff)/") -> scheduler.Plan:
    """Two planned processes, and looks after 2, 4, 8 and 16."""
    chosen = Program(executable, "quick", only)
    return scheduler.Plan(chosen, ask(chosen), 2, 1, looks=(2, 4, 8, 16))


def asked(*answers: dict[str, list[str]], seconds: float = 1000.0) -> scheduler.Refinement:
    """Look after look, these questions are open; then nothing is."""
    left = list(answers)
    return scheduler.Refinement(lambda run: left.pop(0) if left else {}, lambda measured: seconds)


def processes_of(run: Run, name: str) -> list[int]:
    return [sample.process for sample in run.by_name[name].samples]


def test_only_what_an_open_question_needs_is_measured_further(executable: Path, tmp_path: Path) -> None:
    plan, observer = refining(executable), Silent()
    asking = asked({"who?": [GLIBC, "unknown/benchmark"]}, {"who?": [GLIBC], "what?": [VECTOR]})
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), observer, refinement=asking)
    assert processes_of(run, GLIBC) == processes_of(run, VECTOR) == list(range(8))
    assert processes_of(run, JEMALLOC) == [0, 1]
    assert observer.looks == [(["who?"], 1, 4), (["who?", "what?"], 2, 8)]
    assert (run.complete, run.processes, run.failed) == (True, 2, ())
    assert run.account.looks == (2, 4, 8, 16)
    assert {str(benchmark.name) for benchmark in run.refined} == {GLIBC, VECTOR}
    assert run.by_name[GLIBC].processes_begun == 8 and run.by_name[GLIBC].looks == (2, 4, 8, 16)
    # 2 rounds of 2 parts; glibc alone in 2 more, both in 4 more; the first look had left out the vector.
    assert calls(tmp_path) == len(run.units) == 4 + 2 + 2 * 4 + 2
    assert leftovers(tmp_path / "out") == []


def test_the_processes_of_a_refinement_are_marked_where_they_were_disturbed(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = refining(executable)
    monkeypatch.setattr(scheduler, "AGAIN_SHARE", 0.0)
    does(monkeypatch, handoff=["shared", 3])  # the second process of the look
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), Silent(), refinement=asked({"who?": [GLIBC]}))
    assert run.disturbed_processes(run.by_name[GLIBC]) == (3,)
    assert run.disturbed_processes(run.by_name[JEMALLOC]) == ()


def test_a_run_that_leaves_nothing_open_is_not_refined(executable: Path, tmp_path: Path) -> None:
    plan, observer = refining(executable), Silent()
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), observer, refinement=asked())
    assert (calls(tmp_path), observer.looks, run.complete) == (4, [], True)


def test_a_plan_without_looks_is_not_refined(executable: Path, tmp_path: Path) -> None:
    plan = planned(executable, "^(traverse|handoff)/")
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), Silent(), refinement=asked({"who?": [GLIBC]}))
    assert (calls(tmp_path), run.account.looks) == (4, ())


def test_the_looks_end_where_the_plan_ends(executable: Path, tmp_path: Path) -> None:
    plan = refining(executable, "^handoff/glibc")
    asking = asked(*[{"who?": [GLIBC]}] * 9)
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), Silent(), refinement=asking)
    assert processes_of(run, GLIBC) == list(range(16))


def test_without_time_nothing_is_measured_further(executable: Path, tmp_path: Path) -> None:
    plan, observer = refining(executable), Silent()
    asking = asked({"who?": [GLIBC]}, seconds=0.0)
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), observer, refinement=asking)
    assert (calls(tmp_path), observer.looks, run.complete) == (4, [], True)


def test_the_time_for_the_refinement_follows_from_the_time_of_the_rounds(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, seconds = planned(executable), list[float]()
    Crowded(monkeypatch, 0.0, 0.9)  # the second process is measured again, in the time of the rounds

    def left(measured: float) -> float:
        seconds.append(measured)
        return 0.0

    asking = scheduler.Refinement(lambda run: {"who?": [GLIBC]}, left)
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), Silent(), refinement=asking)
    assert len(run.units) == plan.processes * len(plan.catalogue.parts)
    assert seconds == [pytest.approx(1000.0 * (len(run.units) + 1))]


def test_a_refinement_ends_before_the_round_that_would_take_too_long(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, out = refining(executable, "^handoff/glibc"), tmp_path / "out"
    run = scheduler.measure(plan, begin(plan, out), Silent(), refinement=asked())
    file = out / "parts" / plan.catalogue.parts[0].file_name(0)
    unit, document = read_unit(file)
    for process in (0, 1):  # as if each planned process had taken 10 s
        long = dataclasses.replace(unit, process=process, seconds=10.0)
        write_unit(out / "parts" / plan.catalogue.parts[0].file_name(process), long, document)
    run = scheduler.measure(plan, out, Silent(), refinement=asked({"who?": [GLIBC]}, seconds=9.0))
    assert (processes_of(run, GLIBC), run.complete) == ([0, 1], True)
    run = scheduler.measure(plan, out, Silent(), refinement=asked(seconds=11.0))  # goes on with the look it began
    assert processes_of(run, GLIBC)[:3] == [0, 1, 2]


def measured_in(plan: scheduler.Plan, out: Path, **seconds: float) -> None:
    """Measures the rounds, as if each process of these families had taken so long."""
    scheduler.measure(plan, begin(plan, out), Silent(), refinement=asked())
    for part in plan.catalogue.parts:
        for process in range(plan.processes):
            file = out / "parts" / part.file_name(process)
            unit, document = read_unit(file)
            write_unit(file, dataclasses.replace(unit, seconds=seconds[part.family]), document)


def test_a_refinement_chooses_the_questions_that_its_time_suffices_for(executable: Path, tmp_path: Path) -> None:
    """The first question would take too long; the others do not wait for it. Where none fits, the first is measured."""
    plan, out = refining(executable), tmp_path / "out"
    measured_in(plan, out, traverse=100.0, handoff=1.0)
    open_questions = {"long?": [VECTOR], "short?": [GLIBC], "also short?": [JEMALLOC]}
    observer = Silent()
    run = scheduler.measure(plan, out, observer, refinement=asked(open_questions, seconds=50.0))
    assert observer.looks[0][0] == ["short?", "also short?"]
    assert (processes_of(run, VECTOR), processes_of(run, GLIBC)) == ([0, 1], [0, 1, 2, 3])
    observer = Silent()
    scheduler.measure(plan, out, observer, refinement=asked(open_questions, seconds=0.4))
    assert [questions for questions, _, _ in observer.looks] == [["long?"]]


def test_a_question_that_takes_most_of_the_time_waits_for_the_others(executable: Path, tmp_path: Path) -> None:
    """The others may need that time for their next look."""
    plan, out, observer = refining(executable), tmp_path / "out", Silent()
    measured_in(plan, out, traverse=100.0, handoff=1.0)
    traverse = next(part for part in plan.catalogue.parts if part.family == "traverse")
    long = 2 * 100.0 / len(traverse.benchmarks)  # seconds of two more processes
    both = {"short?": [GLIBC], "long?": [VECTOR]}
    run = scheduler.measure(plan, out, observer, refinement=asked(both, {"long?": [VECTOR]}, seconds=1.5 * long))
    assert [questions for questions, _, _ in observer.looks] == [["short?"], ["long?"]]
    assert (len(processes_of(run, GLIBC)), processes_of(run, VECTOR)[:3]) == (4, [0, 1, 2])
    observer = Silent()
    scheduler.measure(plan, out, observer, refinement=asked(both, seconds=1000 * long))
    assert [questions for questions, _, _ in observer.looks] == [["short?", "long?"]]


def test_a_failed_process_of_a_refinement_is_recorded_and_tried_again(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, out, observer = refining(executable), tmp_path / "out", Silent()
    does(monkeypatch, handoff=["crash", 2])
    run = scheduler.measure(plan, begin(plan, out), observer, refinement=asked({"who?": [GLIBC]}))
    assert [(failure.family, failure.process) for failure in run.failed] == [("handoff", 2)]
    assert (processes_of(run, GLIBC), run.complete) == ([0, 1, 3], True)
    run = scheduler.measure(plan, out, Silent(), refinement=asked())
    assert (processes_of(run, GLIBC), run.failed) == ([0, 1, 2, 3], ())


def test_an_interrupted_refinement_goes_on_with_what_its_look_asked_for(executable: Path, tmp_path: Path) -> None:
    plan, out = refining(executable), tmp_path / "out"

    class Interrupted(Silent):
        def begins(self, part: Part, process: int, done: int, seconds_left: float | None) -> None:
            if process == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scheduler.measure(plan, begin(plan, out), Interrupted(), refinement=asked({"who?": [GLIBC, VECTOR]}))
    run = read_run(out / scheduler.RUN_FILE)
    assert (run.complete, processes_of(run, GLIBC), processes_of(run, VECTOR)) == (False, [0, 1, 2], [0, 1, 2])
    before = calls(tmp_path)
    run = scheduler.measure(plan, out, Silent(), refinement=asked())  # the look is not asked again
    assert (run.complete, processes_of(run, GLIBC), processes_of(run, VECTOR)) == (True, [0, 1, 2, 3], [0, 1, 2, 3])
    assert calls(tmp_path) - before == 2


@pytest.mark.hostile("result file")
@pytest.mark.parametrize("written", ["", "{", "{}", "[3]", "[[3]]", '[["a"], ["a"], ["a"], ["a"]]', "[" * 100_000])
def test_damaged_looks_are_refused(executable: Path, tmp_path: Path, written: str) -> None:
    plan = refining(executable)
    begin(plan, tmp_path / "out")
    (tmp_path / "out" / scheduler.LOOKS_FILE).write_text(written)
    with pytest.raises(BadInput, match="its looks.json is damaged"):
        scheduler.measure(plan, tmp_path / "out", Silent(), refinement=asked())


def test_a_part_of_a_look_selects_its_benchmarks_alone() -> None:
    names = ("overhead/a.b+stack/bytes:8", "overhead/a.b+stack/bytes:80", "overhead/axb+stack/bytes:8")
    part = Part("overhead", "footprint", 0, "^overhead/", names).only({names[0]}, 2)
    assert [name for name in names if selects(part.expression, name)] == [names[0]] == list(part.benchmarks)
    disturbed = DisturbedParts.among(3, [(part.expression, 7)])  # as a file may say it
    assert [name for name in names if disturbed.processes(name, {7})] == [names[0]]
    assert part.file_name(7) == "overhead-0-look2-7.json"


# ---- no room


@pytest.mark.hostile("disk fault")
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_stops_the_run_and_earlier_results_stay(executable: Path, tmp_path: Path) -> None:
    out = tmp_path / "disk"
    out.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(out)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        plan = planned(executable, processes=2)
        begin(plan, out)
        scheduler.measure(planned(executable, processes=1), out, Silent())
        run = (out / scheduler.RUN_FILE).read_bytes()
        with (out / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
            while True:
                filler.write(b"x" * 4096)
        with pytest.raises(OSError, match="No space left"):
            scheduler.measure(plan, out, Silent())
        assert (out / scheduler.RUN_FILE).read_bytes() == run
        (out / "filler").unlink()
        assert scheduler.measure(plan, out, Silent()).complete
    finally:
        subprocess.run(["umount", str(out)], check=True)


@pytest.mark.hostile("disk fault")
def test_a_damaged_result_on_a_full_disk_is_the_disks_fault(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    does(monkeypatch, traverse=["truncated"])
    plan = planned(executable, "^traverse/")
    begin(plan, tmp_path / "out")

    class usage:
        free = 0

    monkeypatch.setattr("suite.runner.program.shutil.disk_usage", lambda _: usage)
    with pytest.raises(OSError, match="No space left"):
        scheduler.measure(plan, tmp_path / "out", Silent())


def test_an_output_folder_that_is_a_file_is_an_oserror(executable: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OSError):
        planned(executable).write(tmp_path / "out")


# ---- disturbance


class Crowded:
    """A machine on which other processes take `cores` cores while the chosen processes run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *busy_runs: float) -> None:
        self.runs = iter(busy_runs)
        self.clock, self.busy, self.inside = 0.0, 0.0, False
        monkeypatch.setattr(interference, "take_snapshot", self.take)

    def take(self) -> interference.Snapshot:
        if self.inside:  # the child ran for a thousand seconds: its real seconds do not matter
            self.clock += 1000.0
            self.busy += 1000.0 * next(self.runs, 0.0)
        self.inside = not self.inside
        return interference.Snapshot(self.clock, 0.0, self.busy, 0.0, 2)


def test_a_disturbed_process_is_run_again_and_the_calmest_attempt_kept(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(executable, processes=1)  # 8 parts of 1000 seconds: the budget allows for one more
    Crowded(monkeypatch, 0.0, 0.0, 0.9)
    observer = Silent()
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), observer)
    third = plan.round(0)[2]
    again = [unit for unit in run.units if unit.attempt == 2]
    assert [(unit.part, unit.disturbed) for unit in again] == [(third.expression, False)]
    assert (len(observer.begun), observer.rounds) == (9, [0])


def test_a_process_that_stays_disturbed_is_kept_and_marked(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(executable, processes=1)
    Crowded(monkeypatch, *[0.5] * 8, 0.9)  # the second attempt is worse
    observer = Silent()
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), observer)
    assert [unit.disturbed for unit in run.units] == [True] * 8
    assert {unit.attempt for unit in run.units} == {1}
    assert run.units[0].reasons == ("other processes used 0.50 cores",)
    assert len(observer.begun) == 9  # the budget of 8000 seconds is one more process, not eight
    assert all(run.disturbed_processes(benchmark) == (0,) for benchmark in run.series())


def test_a_later_round_repeats_a_process_for_which_an_earlier_round_had_no_time(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(executable, processes=2)
    Crowded(monkeypatch, 0.5, 0.5)  # two disturbed processes in the first round, whose budget is one attempt
    observer = Silent()
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), observer)
    assert observer.rounds == [1, 0]
    assert [unit.attempt for unit in run.units if unit.process == 0].count(2) == 2
    assert not any(unit.disturbed for unit in run.units)


@pytest.mark.slow
def test_a_process_that_is_always_disturbed_is_given_up(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(executable, processes=3)
    monkeypatch.setattr(scheduler, "AGAIN_SHARE", 100.0)
    Crowded(monkeypatch, *[0.5] * 1000)
    observer = Silent()
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), observer)
    assert len(observer.begun) == 24 * scheduler.MOST_ATTEMPTS
    assert len([unit for unit in run.units if unit.disturbed]) == 24


def test_a_process_whose_core_was_shared_is_run_again(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_DOES", json.dumps({"chase": ["shared", 0]}))
    plan = planned(executable, processes=1)
    assert plan.round(0)[0].family != "chase"  # an earlier process had a quieter core
    Crowded(monkeypatch)
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), Silent())
    again = [unit for unit in run.units if unit.attempt == 2]
    assert [(unit.family, unit.disturbed, unit.core_taken) for unit in again] == [("chase", False, 0.0)]


def test_a_process_whose_cache_was_shared_is_marked_and_the_account_says_so(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_DOES", json.dumps({"chase": ["cache", 1]}))  # the second of three processes
    monkeypatch.setattr(scheduler, "AGAIN_SHARE", 0.0)
    plan = planned(executable, "^(chase|traverse)/", 3)
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), Silent())
    shared = [unit for unit in run.units if unit.cache_taken]
    assert [(unit.family, unit.process) for unit in shared] == [("chase", 1)]
    assert shared[0].disturbed and shared[0].cache_taken == pytest.approx(0.75)
    assert "a load from the shared cache took 4.0 times as long" in shared[0].reasons
    assert run.account.shared_cache == pytest.approx({"processes": 3, "ours": 2 / 3, "slowest": 4.0})
    assert run.context["suite"]["shared_cache"] == run.account.shared_cache
    assert {unit.cache_taken for unit in run.units if unit.family == "traverse"} == {None}


@pytest.mark.parametrize("process", [0, 1, 2])
def test_a_process_whose_cores_were_far_apart_is_marked_also_where_the_near_came_later(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, process: int
) -> None:
    does(monkeypatch, private=["far", process])
    monkeypatch.setattr(scheduler, "AGAIN_SHARE", 0.0)
    plan = planned(executable, "^private/", 3)
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), Silent())
    assert [unit.process for unit in run.units if unit.disturbed] == [process]
    assert run.units[process].reasons == ("a cache line took 6.4 times as long from core to core",)
    assert run.account.line_trip == pytest.approx({"processes": 3, "near": 2 / 3, "slowest": 6.4})
    assert run.context["suite"]["line_trip"] == run.account.line_trip


def test_a_process_whose_benchmarks_were_stopped_is_run_again(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    does(monkeypatch, chase=["stopped", 0])
    plan = planned(executable, "^chase/", 1)
    monkeypatch.setattr(scheduler, "AGAIN_SHARE", 100.0)
    stopped = 0.4 * len(plan.catalogue.benchmarks)
    observer = Silent()
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), observer)
    assert len(observer.begun) == 2 and observer.rounds == [0]
    assert [(unit.attempt, unit.stopped) for unit in run.units] == [(2, 0.0)]
    does(monkeypatch, chase=["stopped"])
    run = scheduler.measure(plan, begin(plan, tmp_path / "again"), Silent())
    assert [unit.disturbed for unit in run.units] == [True] and run.units[0].stopped == pytest.approx(stopped)
    assert run.units[0].reasons == (f"was stopped for {time_text(stopped * 1e9)}",)


def test_a_malloc_whose_own_threads_are_busy_is_marked(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    does(monkeypatch, scoped=["threads", 1])
    monkeypatch.setattr(scheduler, "AGAIN_SHARE", 0.0)
    plan = planned(executable, "^(scoped|chase)/")
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), Silent())
    found = {(unit.family, unit.process): (unit.malloc_threads, unit.reasons) for unit in run.units}
    busy = ("the malloc's own threads used 0.9 cores",)
    assert found["scoped", 0] == (0.001, ()) and found["scoped", 1] == (0.9, busy)
    assert found["chase", 0] == found["chase", 1] == (None, ()), "without such threads, nothing is counted"


@pytest.mark.hostile("signal")
def test_a_program_that_is_stopped_while_it_measures_is_marked(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    does(monkeypatch, chase=["stop"])
    plan = planned(executable, "^chase/", 1)
    (part,) = plan.catalogue.parts
    stops, stopped_for = tmp_path / "log" / "stops", 0.05

    def state(process: str) -> str:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]

    def go_on() -> None:
        while not stops.exists() or not (process := stops.read_text()) or state(process) != "T":
            time.sleep(0.001)
        time.sleep(stopped_for)
        os.kill(int(process), signal.SIGCONT)

    starter = threading.Thread(target=go_on)
    starter.start()
    begun = time.monotonic()
    result = measure_part(plan.program, part, tmp_path, 60.0)
    starter.join()
    beside = result[1]
    assert 0.0 < beside.stopped < time.monotonic() - begun
    monkeypatch.setattr(scheduler, "measure_part", lambda *_: result)
    run = scheduler.measure(plan, begin(plan, tmp_path / "out"), Silent())
    assert run.units[0].reasons == (f"was stopped for {time_text(beside.stopped * 1e9)}",)


def test_a_process_that_always_shares_its_core_is_marked_and_a_resumed_run_still_knows_a_quiet_core(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(executable, processes=1)
    folder = begin(plan, tmp_path / "out")
    scheduler.measure(plan, folder, Silent())
    for file in (folder / "parts").glob("chase*"):
        file.unlink()
    monkeypatch.setenv("FAKE_DOES", json.dumps({"chase": ["shared"]}))
    run = scheduler.measure(plan, folder, Silent())
    (chase,) = (unit for unit in run.units if unit.disturbed)
    assert chase.family == "chase" and chase.core_taken == pytest.approx(1 - 2 / 3.2)
    assert chase.reasons == ("another thread took 38 % of its core",)
    assert run.disturbed_processes(run.by_name["chase/bytes:16384/order:random/home:heap"]) == (0,)


def used(cpu: float = 10.0, switches: int = 0, faults: int = 0) -> resource.struct_rusage:
    fields = [0.0] * 16
    fields[0], fields[7], fields[15] = cpu, faults, switches
    return resource.struct_rusage(fields)


def at(seconds: float, busy: float | None, steal: float | None = 0.0, cores: int = 2) -> interference.Snapshot:
    return interference.Snapshot(seconds, 0.0, busy, steal, cores)


@pytest.mark.parametrize(
    ("after", "child", "reasons"),
    [
        (at(10, 10.2), {}, 0),
        (at(10, 12.0), {}, 1),  # a fifth of the other core
        (at(10, 20.0), dict(cpu=20.0), 0),  # both cores, but its own threads
        (at(10, 10.0, steal=0.05), {}, 0),
        (at(10, 10.0, steal=0.3), {}, 1),
        (at(10, 10.5), dict(switches=3000), 1),
        (at(10, 20.5), dict(cpu=20.0, switches=3000), 0),  # more threads than cores
        (at(10, 10.0), dict(switches=3000), 0),  # no other process ran
        (at(10, 10.12), dict(switches=3000), 0),  # no more than a hundredth of a core
        (at(10, 10.5), dict(switches=3000, benchmarks=400), 0),  # its own processes start and end
        (at(10, 10.5), dict(switches=6000, benchmarks=400), 1),
        (at(10, 10.0), dict(faults=1000), 1),
        (at(10, 14.0, cores=64), {}, 0),  # daemons of a large machine
        (at(0.05, 0.07), dict(cpu=0.05), 0),  # two ticks are rounding
        (at(10, None, None), dict(switches=3000), 0),
    ],
)
def test_which_processes_count_as_disturbed(after: interference.Snapshot, child: dict[str, Any], reasons: int) -> None:
    child = dict(child)
    before = at(0, None if after.busy is None else 0.0, None if after.steal is None else 0.0, after.cores)
    benchmarks = child.pop("benchmarks", 1)
    measured = interference.interference_between(before, after, used(**child), benchmarks=benchmarks)
    assert len(measured.reasons) == reasons, measured
    assert measured.disturbed == (reasons > 0)


def test_shares_are_of_all_cores_and_absent_where_the_system_says_nothing() -> None:
    measured = interference.interference_between(at(0, 0.0), at(10, 12.0, 0.5), used())
    assert measured.others_cpu == pytest.approx(0.1)
    assert measured.steal == pytest.approx(0.025)
    measured = interference.interference_between(at(0, None, None), at(10, None, None), used(switches=3))
    assert (measured.others_cpu, measured.steal, measured.involuntary_switches) == (None, None, 3)


@pytest.mark.parametrize("content", [None, "", "cpu 1 2\n", "cpu a b c d e f g h\n", "intr 5\n"])
def test_a_system_without_proc_stat_has_no_numbers(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "stat"
    if content is not None:
        file.write_text(content)
    taken = REAL_SNAPSHOT(file)
    assert (taken.busy, taken.steal) == (None, None)
    assert taken.cores >= 1


def test_proc_stat_is_read_in_seconds(tmp_path: Path) -> None:
    tick = os.sysconf("SC_CLK_TCK")
    fields = f"{3 * tick} {tick} {2 * tick} {99 * tick} 5 6 7 {4 * tick} 0 0"
    (tmp_path / "stat").write_text(f"cpu  {fields}\ncpu0 {fields}\ncpu1 {fields}\ncpu2 {fields}\nintr 1\n")
    taken = REAL_SNAPSHOT(tmp_path / "stat")
    assert (taken.busy, taken.steal, taken.cores) == (6.0, 4.0, 3)


@pytest.mark.skipif(not interference.PROC_STAT.exists(), reason="there is no /proc/stat")
def test_a_busy_neighbour_is_noticed() -> None:
    """A program is measured while another program runs."""
    spin = ["/bin/sh", "-c", "while :; do :; done"]
    neighbour = subprocess.Popen(spin)
    try:
        before = REAL_SNAPSHOT()
        time.sleep(1.0)
        measured = interference.interference_between(before, REAL_SNAPSHOT(), used(0.0))
    finally:
        neighbour.kill()
        neighbour.wait()
    assert measured.disturbed and measured.others_cpu is not None and measured.others_cpu > 0.1 / (os.cpu_count() or 1)


REAL_SNAPSHOT = interference.take_snapshot  # before a test replaces it
