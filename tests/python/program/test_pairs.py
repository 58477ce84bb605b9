"""Is the user's program compared fairly, is what cannot be compared said, and is what was measured kept?"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from suite.base.errors import BadInput, UnitFailed
from suite.gate.comparison import BETTER, NOT_JUDGED, SAME, UNDECIDED, WORSE
from suite.gate.sequential_test import Rule, group_sequential_test
from suite.program import mallocs, pairs, rows
from suite.program.command import Command, Observation, Output, SetupFailed
from suite.program.executable import Executable
from suite.program.mallocs import Deployment, Loaded, Proof, deployments
from suite.program.pairs import CONTROL_ROUNDS, FEWEST_PAIRS, Measured, Plan, measure_with
from suite.results.end_to_end import AGAIN, OWN
from suite.runner.program import Catalogue, Malloc

GLIBC = Deployment("glibc", "/lib/libc.so.6", (Path("/lib/libc.so.6"),))
FAST = Deployment("fast", "/lib/libfast.so", (Path("/lib/libfast.so"),))
SLOW = Deployment("slow", "/lib/libslow.so", (Path("/lib/libslow.so"),))
LIKE = Deployment("like", "/lib/liblike.so", (Path("/lib/liblike.so"),))
ALL = (GLIBC, FAST, SLOW, LIKE)
COST = {"fast": 0.9, "slow": 1.2, "like": 1.0, OWN: 1.0, AGAIN: 1.0, "glibc": 1.0}
MIB = 1 << 20


def seen(cpu: float = 1.0, output: bytes = b"out", code: int = 0, errors: bytes = b"") -> Observation:
    stdout, stderr = (Output(text.hex(), len(text), text) for text in (output, errors))
    return Observation(code, cpu, cpu * 1.1, 10 * MIB, 100, 0, stdout, stderr, process=7)


def proof(*files: str) -> Proof:
    """Of processes of one program, with the mallocs of these files."""
    return Proof(tuple(Loaded(file, "/bin/prog", "prog") for file in files))


Change = Callable[[str, int, Observation], Observation]  # of the malloc, the number of its run, and what is usual


@dataclass
class FakeRunner:
    """A program that takes so many seconds on a clock of its own. `change` makes single runs different."""

    clock: SimpleNamespace
    seconds: float = 1.0
    noise: float = 0.001
    change: Change = lambda malloc, number, usual: usual
    proofs: Mapping[str, Proof] = field(default_factory=dict)
    log: list[tuple[str, bool]] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)
    numbers_of_rounds: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(1)
        self.numbers: Counter[str] = Counter()

    def __call__(self, malloc: Deployment, proven: bool, limit: float) -> tuple[Observation, Proof | None]:
        self.log.append((malloc.name, proven))
        self.limits.append(limit)
        usual = seen(self.seconds * COST[malloc.name] * self.random.gauss(1.0, self.noise))
        self.clock.now += usual.wall
        observation = self.change(malloc.name, self.numbers[malloc.name], usual)
        self.numbers[malloc.name] += 1
        return observation, self.proofs.get(malloc.name, proof(malloc.file or GLIBC.file)) if proven else None

    def rounds(self) -> list[list[str]]:
        """The mallocs of each round in their order, without the very first run."""
        found: dict[int, list[str]] = {}
        for number, (name, _) in list(zip(self.numbers_of_rounds, self.log))[1:]:
            found.setdefault(number, []).append(name)
        return list(found.values())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    fake = SimpleNamespace(now=0.0)
    monkeypatch.setattr(pairs, "time", SimpleNamespace(monotonic=lambda: fake.now))
    return fake


def plan(budget: float = 1e6, **more: Any) -> Plan:
    usual = Plan(
        Command(("./prog", "x"), timeout=600.0), Executable(Path("/bin/prog"), Path("/bin/prog")), ALL, 1, budget
    )
    return replace(usual, **more)


def played(runner: FakeRunner, budget: float = 1e6, **more: Any) -> Measured:
    return measure_with(plan(budget, **more), runner, lambda progress: runner.numbers_of_rounds.append(progress.round))


def verdicts(measured: Measured) -> dict[str, str]:
    return {name: decision.verdict for name, decision in measured.decisions.items()}


# ---- the rounds


def test_the_verdicts_are_right_and_no_pair_is_measured_once_they_are_reached(clock: SimpleNamespace) -> None:
    measured = played(FakeRunner(clock))
    assert verdicts(measured) == {"fast": BETTER, "slow": WORSE, "like": SAME, AGAIN: SAME}
    assert measured.decisions["fast"].ratio.median == pytest.approx(0.9, abs=0.002)
    assert {decision.ratio.n for decision in measured.decisions.values()} == {10}, "the first analysis"
    assert measured.not_compared == {"glibc": "it is the malloc that prog has anyway"}
    assert (measured.own, measured.problem, measured.output_same, measured.notes) == ("glibc", "", True, ())


def test_what_is_decided_takes_no_more_time(clock: SimpleNamespace) -> None:
    noise = random.Random(3)

    def restless(malloc: str, number: int, usual: Observation) -> Observation:
        return replace(usual, cpu=usual.cpu * noise.gauss(1.0, 0.05)) if malloc == "like" else usual

    measured = played(FakeRunner(clock, change=restless))
    numbers = {name: decision.ratio.n for name, decision in measured.decisions.items()}
    assert numbers == {"fast": 10, "slow": 10, "like": 40, AGAIN: 40}
    assert Counter(run.malloc for run in measured.runs) == {OWN: 40, AGAIN: 40, "fast": 10, "slow": 10, "like": 40}
    assert measured.decisions["like"].verdict == UNDECIDED


def test_a_round_has_each_malloc_once_in_random_order_about_the_own_malloc(clock: SimpleNamespace) -> None:
    runner = FakeRunner(clock, seconds=0.1)
    played(runner, pairs=30)
    rounds = runner.rounds()[1:]
    assert len(rounds) == 30
    assert all(sorted(names) == sorted((OWN, AGAIN, "fast", "slow", "like")) for names in rounds)
    assert {names.index(OWN) for names in rounds} == {2}, "in the middle of five"
    assert {names[0] for names in rounds} == {AGAIN, "fast", "slow", "like"}
    again = FakeRunner(clock, seconds=0.1)
    played(again, pairs=30)
    assert again.log == runner.log, "the seed gives the order"


def test_the_own_malloc_lies_in_the_middle_of_an_even_round_to_either_side(clock: SimpleNamespace) -> None:
    runner = FakeRunner(clock, seconds=0.1)
    played(runner, pairs=30, mallocs=(GLIBC, FAST, SLOW))
    assert {names.index(OWN) for names in runner.rounds()[1:]} == {1, 2}


def test_a_drift_of_the_machine_favours_no_malloc(clock: SimpleNamespace) -> None:
    """Everything takes twice as long in the end as in the beginning: 2 % from run to run."""

    def warming(malloc: str, number: int, usual: Observation) -> Observation:
        return replace(usual, cpu=usual.cpu * 1.0004 ** (clock.now / 0.11))

    measured = played(FakeRunner(clock, seconds=0.1, noise=0.0005, change=warming), pairs=40)
    assert measured.decisions["fast"].ratio.median == pytest.approx(0.9, abs=0.002)
    assert measured.decisions["like"].ratio.median == pytest.approx(1.0, abs=0.002)


def test_so_many_pairs_are_measured_as_are_asked_for(clock: SimpleNamespace) -> None:
    measured = played(FakeRunner(clock), pairs=7)
    assert {decision.ratio.n for decision in measured.decisions.values()} == {7}


def test_the_first_round_counts_only_where_the_probe_takes_no_part_of_it(clock: SimpleNamespace) -> None:
    long, short = FakeRunner(clock, seconds=0.2), FakeRunner(clock, seconds=0.05)
    assert len(played(long, pairs=6).runs) == 6 * 5 and sum(proven for _, proven in long.log) == 6
    assert len(played(short, pairs=6).runs) == 6 * 5 and len(short.rounds()) == 7
    many = proof(*(GLIBC.file,) * 200)
    forking = FakeRunner(clock, seconds=3.0, proofs={OWN: many})
    played(forking, pairs=6)
    assert len(forking.rounds()) == 7, "two hundred processes that each load the probe"


# ---- the budget


def test_a_long_program_has_as_many_pairs_as_fit(clock: SimpleNamespace) -> None:
    measured = played(FakeRunner(clock, seconds=3.0), budget=110.0)
    assert {decision.ratio.n for decision in measured.decisions.values()} == {6}
    assert verdicts(measured)["fast"] == BETTER and verdicts(measured)["slow"] == WORSE
    assert clock.now <= 110.0 and measured.notes == ()


def test_fewer_than_five_pairs_are_numbers_without_a_verdict(clock: SimpleNamespace) -> None:
    measured = played(FakeRunner(clock, seconds=10.0), budget=200.0)
    assert 0 < measured.decisions["fast"].ratio.n < FEWEST_PAIRS
    assert set(verdicts(measured).values()) == {NOT_JUDGED}
    assert measured.decisions["fast"].ratio.median == pytest.approx(0.9, abs=0.01)
    [note] = measured.notes
    assert note.startswith("the budget of 200 s was spent after 4 pairs: a run takes 11.") and note.endswith(
        "s are needed (--budget)"
    )


def test_a_program_longer_than_the_budget_keeps_its_one_run(clock: SimpleNamespace) -> None:
    measured = played(FakeRunner(clock, seconds=100.0), budget=90.0)
    assert [run.malloc for run in measured.runs] == [OWN] and measured.decisions == {}
    assert measured.problem.startswith("the budget of 90 s was spent after 0 pairs: a run takes 110 s")
    assert {measured.not_compared[name] for name in ("fast", "slow", "like")} == {measured.problem}


def test_a_budget_that_ends_within_a_round_keeps_its_pairs(clock: SimpleNamespace) -> None:
    runner = FakeRunner(clock, seconds=10.0)
    measured = played(runner, budget=11.0 * 5)
    assert len(runner.log) == 5 and len(runner.rounds()) == 1, "one run, and four of the five of the first round"
    assert len(measured.decisions) in (2, 3) and {decision.ratio.n for decision in measured.decisions.values()} == {1}
    unmeasured = {"fast", "slow", "like"} - set(measured.decisions)
    assert all("the budget of 55 s was spent after 1 pair" in measured.not_compared[name] for name in unmeasured)


def test_a_budget_spent_in_the_middle_of_a_long_undecided_run_is_no_fault(clock: SimpleNamespace) -> None:
    measured = played(FakeRunner(clock, seconds=1.0, noise=0.05), budget=150.0)
    assert measured.decisions["like"].ratio.n > 10 and measured.notes == ()


@pytest.mark.hostile("malloc library")
def test_a_hanging_malloc_is_not_given_the_whole_time_limit(clock: SimpleNamespace) -> None:
    def hangs(malloc: str, number: int, usual: Observation) -> Observation:
        return replace(usual, timed_out=32.0) if malloc == "slow" else usual

    runner = FakeRunner(clock, change=hangs)
    measured = played(runner, pairs=5)
    assert measured.not_compared["slow"] == "prog did not end within 32 s with it"
    assert runner.limits[0] == 600.0 and runner.limits[1] == pytest.approx(32.0, abs=0.2)


# ---- what cannot be compared


def one_of(malloc: str, at: int, different: Callable[[Observation], Observation]) -> Change:
    return lambda name, number, usual: different(usual) if (name, number) == (malloc, at) else usual


@pytest.mark.hostile("malloc library")
@pytest.mark.parametrize(
    ("different", "reason"),
    [
        (lambda usual: seen(output=b"other"), "it changes what the program prints"),
        (lambda usual: seen(code=3, errors=b"no room\n"), "prog ends with exit code 3 instead of 0 with it (no room)"),
        (lambda usual: seen(code=-11), "prog was killed by SIGSEGV with it"),
    ],
)
@pytest.mark.parametrize("at", [0, 4])
def test_a_malloc_that_changes_the_program_is_not_compared(
    clock: SimpleNamespace, at: int, different: Callable[[Observation], Observation], reason: str
) -> None:
    measured = played(FakeRunner(clock, change=one_of("fast", at, different)), pairs=8)
    assert measured.not_compared["fast"] == reason
    assert set(measured.decisions) == {"slow", "like", AGAIN} and not any(run.malloc == "fast" for run in measured.runs)


def test_what_goes_to_stderr_may_differ(clock: SimpleNamespace) -> None:
    measured = played(
        FakeRunner(clock, change=one_of("fast", 0, lambda usual: seen(errors=b"mimalloc: warning"))), pairs=5
    )
    assert "fast" in measured.decisions


def different_each_time(malloc: str, number: int, usual: Observation) -> Observation:
    return replace(usual, stdout=Output(f"{malloc}{number}", 3, b""))


def test_a_program_that_prints_something_else_each_time_is_not_compared(clock: SimpleNamespace) -> None:
    runner = FakeRunner(clock, change=different_each_time)
    measured = played(runner)
    assert measured.problem.startswith("prog prints something else in each run, so that a malloc that breaks it")
    assert measured.problem.endswith("--any-output compares all the same") and not measured.output_same
    assert {reason for name, reason in measured.not_compared.items() if name != "glibc"} <= {measured.problem}
    assert set(measured.decisions) == {AGAIN} and measured.decisions[AGAIN].ratio.n == CONTROL_ROUNDS
    allowed = played(FakeRunner(clock, change=different_each_time), any_output=True)
    assert allowed.problem == "" and not allowed.output_same
    assert verdicts(allowed)["fast"] == BETTER


def test_a_program_that_prints_something_else_late_is_not_compared_either(clock: SimpleNamespace) -> None:
    measured = played(FakeRunner(clock, change=one_of(OWN, 5, lambda usual: seen(output=b"other"))))
    assert "prints something else in each run" in measured.problem


def test_a_program_that_ends_differently_each_time_is_not_compared(clock: SimpleNamespace) -> None:
    change = one_of(AGAIN, 0, lambda usual: seen(code=1))
    measured = played(FakeRunner(clock, change=change), any_output=True)
    assert (
        measured.problem == "prog ends differently from run to run with its own malloc: exit code 0, then exit code 1"
    )


def test_a_program_that_fails_the_same_way_each_time_is_compared(clock: SimpleNamespace) -> None:
    measured = played(FakeRunner(clock, change=lambda name, number, usual: replace(usual, exit_code=3)))
    assert measured.problem == "" and measured.first is not None and measured.first.exit_code == 3


@pytest.mark.hostile("measured program")
@pytest.mark.parametrize(
    ("first", "problem"),
    [
        (replace(seen(), exit_code=-9), "prog was killed by SIGKILL with its own malloc"),
        (replace(seen(), timed_out=60.0), "prog did not end within 60 s with its own malloc (--timeout)"),
    ],
)
def test_a_program_that_crashes_or_hangs_by_itself_runs_once(
    clock: SimpleNamespace, first: Observation, problem: str
) -> None:
    runner = FakeRunner(clock, change=lambda name, number, usual: first)
    measured = played(runner)
    assert measured.problem == problem and len(runner.log) == 1 and measured.runs == ()
    assert set(measured.not_compared) == {malloc.name for malloc in ALL}


def test_a_program_with_a_barrier_is_measured_with_its_own_malloc_alone(clock: SimpleNamespace) -> None:
    executable = Executable(Path("/bin/prog"), Path("/bin/prog"), barrier="prog is linked statically")
    runner = FakeRunner(clock)
    measured = played(runner, executable=executable)
    assert measured.problem == "prog is linked statically" and {name for name, _ in runner.log} == {OWN, AGAIN}
    assert Counter(run.malloc for run in measured.runs) == {OWN: CONTROL_ROUNDS, AGAIN: CONTROL_ROUNDS}


# ---- whose malloc it was


def test_a_program_that_defines_malloc_is_found_out(clock: SimpleNamespace) -> None:
    own = proof("/bin/prog")
    measured = played(FakeRunner(clock, proofs=dict.fromkeys((OWN, AGAIN, "glibc", "fast", "slow", "like"), own)))
    assert measured.problem == "prog defines malloc itself, so no preloaded malloc is called"
    assert set(measured.not_compared.values()) == {measured.problem}


def test_a_program_into_which_nothing_is_loaded_is_found_out(clock: SimpleNamespace) -> None:
    measured = played(FakeRunner(clock, proofs=dict.fromkeys((OWN, AGAIN, "glibc", "fast", "slow", "like"), proof())))
    assert measured.problem.startswith("LD_PRELOAD had no effect: prog is linked statically")


def test_a_malloc_that_the_program_did_not_get_is_not_compared(clock: SimpleNamespace) -> None:
    measured = played(FakeRunner(clock, proofs={"fast": proof(GLIBC.file)}), pairs=5)
    assert measured.not_compared["fast"] == "prog had the malloc of /lib/libc.so.6, not that of /lib/libfast.so"
    assert "slow" in measured.decisions


def test_processes_with_another_malloc_are_said(clock: SimpleNamespace) -> None:
    some = proof(FAST.file, GLIBC.file, FAST.file)
    assert played(FakeRunner(clock, proofs={"fast": some}), pairs=5).notes == (
        "1 of 3 processes did not have fast: prog",
    )


def test_many_short_processes_are_said(clock: SimpleNamespace) -> None:
    script = FakeRunner(clock, seconds=0.4, proofs={OWN: proof(*(GLIBC.file,) * 40)})
    [note] = played(script, pairs=5).notes
    assert note.startswith("a run starts 40 processes, which take ") and "loading a malloc into each of them" in note
    few = FakeRunner(clock, seconds=0.9, proofs={OWN: proof(*(GLIBC.file,) * 40)})
    assert played(few, pairs=5).notes == ()


def test_processes_with_different_mallocs_of_their_own_are_said(clock: SimpleNamespace) -> None:
    own = Proof(
        (Loaded(GLIBC.file, "/bin/sh", "sh"), Loaded(FAST.file, "/x", "server"), Loaded("/libx.so.1", "/y", "client"))
    )
    measured = played(FakeRunner(clock, proofs={OWN: own}), pairs=5)
    assert measured.notes == (
        "its processes have different mallocs of their own: server has fast and client has libx.so.1",
    )
    assert set(measured.decisions) == {"glibc", "fast", "slow", "like", AGAIN}, "glibc too changes something"


def test_the_own_malloc_need_not_be_the_c_librarys(clock: SimpleNamespace) -> None:
    own = proof(FAST.file)
    measured = played(FakeRunner(clock, proofs={OWN: own, AGAIN: own}), pairs=5)
    assert measured.own == "fast" and measured.not_compared == {"fast": "it is the malloc that prog has anyway"}
    assert set(measured.decisions) == {"glibc", "slow", "like", AGAIN}
    unknown = proof("/opt/libstrange.so.1")
    assert played(FakeRunner(clock, proofs={OWN: unknown, AGAIN: unknown}), pairs=5).own == "libstrange.so.1"


def test_a_malloc_that_is_not_here_is_said(clock: SimpleNamespace) -> None:
    missing = Deployment("rare", "", reason="not found")
    measured = played(FakeRunner(clock), pairs=5, mallocs=(*ALL, missing))
    assert measured.not_compared["rare"] == "not found"


# ---- what limits the answer


def test_a_program_that_ends_at_once_is_not_judged(clock: SimpleNamespace) -> None:
    measured = played(FakeRunner(clock, seconds=0.0005), pairs=10)
    assert set(verdicts(measured).values()) == {NOT_JUDGED}
    assert measured.notes[0].endswith("ms of CPU time: too short to judge a malloc by, its start is most of it")


def test_a_program_that_leaves_processes_is_said(clock: SimpleNamespace) -> None:
    measured = played(FakeRunner(clock, change=lambda name, number, usual: replace(usual, left_behind=2)), pairs=5)
    assert len(measured.notes) == 1 and measured.notes[0].startswith(
        "prog left processes running when it ended: they were killed"
    )


def test_a_program_that_differs_from_itself_is_said(clock: SimpleNamespace) -> None:
    change = lambda name, number, usual: replace(usual, cpu=usual.cpu * 1.1) if name == AGAIN else usual  # noqa: E731
    [note] = played(FakeRunner(clock, change=change), pairs=20).notes
    assert note.startswith("prog with its own malloc differs from itself by +10.")


# ---- what was measured is kept


@pytest.mark.hostile("signal")
def test_an_interrupt_keeps_the_pairs(clock: SimpleNamespace) -> None:
    def interrupted(malloc: str, number: int, usual: Observation) -> Observation:
        if (malloc, number) == (OWN, 9):
            raise KeyboardInterrupt
        return usual

    runner = FakeRunner(clock, seconds=3.0, change=interrupted)
    measured = played(runner)
    assert measured.interrupted and measured.notes == ("interrupted: judged by the pairs measured until then",)
    assert measured.decisions["like"].ratio.n == 8 and verdicts(measured)["fast"] == BETTER
    begun = runner.rounds()[-1][:-1]
    assert begun and len(measured.runs) == 8 * 5 + len(begun), "also the runs of the round that was begun"


def failing(at: int) -> Change:
    def fails(malloc: str, number: int, usual: Observation) -> Observation:
        if (malloc, number) == (OWN, at):
            raise SetupFailed("the setup failed: exit code 1")
        return usual

    return fails


def test_a_setup_that_fails_at_once_is_an_error_and_later_a_note(clock: SimpleNamespace) -> None:
    with pytest.raises(UnitFailed, match="^prog: the setup failed: exit code 1$"):
        played(FakeRunner(clock, change=failing(0)))
    measured = played(FakeRunner(clock, seconds=3.0, change=failing(7)))
    assert measured.notes == ("prog: the setup failed: exit code 1",)
    assert measured.problem == "" and measured.decisions["fast"].ratio.n >= 6


# ---- which mallocs there are


def catalogue(*found: Malloc) -> Catalogue:
    return Catalogue((), {}, found, {}, "")


def malloc(name: str, file: str = "", reason: str = "") -> Malloc:
    return Malloc(name, file, "1.0", reason, "", False)


def test_a_library_with_prefixed_functions_goes_through_its_proxy(tmp_path: Path) -> None:
    library, proxy, other = (tmp_path / name for name in ("libtbb.so.2.8", "libtbb_proxy.so.2", "libmi.so.2"))
    for file in (library, proxy, other):
        file.touch()
    found = deployments(
        catalogue(
            malloc("tbb", str(library)),
            malloc("tbb_proxy", str(proxy)),
            malloc("mi", str(other)),
            malloc("je", reason="not found"),
            malloc("process", "/x"),
        )
    )
    assert [(item.name, item.file, item.preload, item.reason) for item in found] == [
        ("tbb", str(proxy), (library, proxy), ""),
        ("mi", str(other), (other,), ""),
        ("je", "", (), "not found"),
    ]


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(
        BadInput, match="--allocator own=...: the program's own malloc has that name; accepted: another name"
    ):
        deployments(catalogue(malloc("own", "/lib/libx.so")))


@pytest.mark.hostile("measured program")
def test_damaged_lines_of_the_probe_are_left_out() -> None:
    lines = "7\t/a.so\t/x\tx\nnonsense\n8\t/b.so\n\t\t\t\n7\t/c.so\t/y\ty\n9\t/d.so\t/z\t\x1bz\n9\t\t\t\t\n"
    assert mallocs.read_proof(lines, 7).processes == (Loaded("/c.so", "/y", "y"), Loaded("/d.so", "/z", "z"))


# ---- what is written


def test_the_family_declares_itself_as_the_programs_families_do() -> None:
    about = rows.about()
    assert all(
        about[key] for key in ("chapter", "question", "operation", "untimed", "heap", "unfairness", "held_against")
    )
    assert [metric["counter"] for metric in about["metrics"]] == ["cpu_ns", "peak_resident_bytes", "page_faults"]


def test_a_verdict_agrees_with_the_interval_beside_it() -> None:
    """Signs alone show the difference, but every fifth pair errs far to the other side."""
    logs = [0.02, 0.02, -0.5, 0.02, 0.02] * 4
    rule = Rule(pairs=20, extended=False, suspicion=0.05, confirmed=False)
    assert group_sequential_test({"odd": logs}, rule)["odd"].verdict == WORSE
    shown = pairs.judge({"odd": logs}, rule)["odd"]
    assert shown.ratio.low < 1.0 < shown.ratio.high and shown.verdict == UNDECIDED
