"""Would another malloc help the user's program? Its command runs with its own malloc and with each other malloc, in
rounds.

A round is a run with each malloc in random order, with the program's own malloc in the middle: the two runs of a pair,
own and other, lie near each other in time, so that drift moves both of them, and a pair is as likely to err to either
side. The own malloc runs twice in a round: the second time is the control, and shows what no malloc causes.

The first round proves, from each process's own maps, whose malloc it had, and its outputs tell whether a malloc
changes what the program does. A malloc that does, or that the program did not get, is not compared. The rounds go on
until the sequential test of the gate has decided about every malloc, until `pairs` are measured, or until the budget
is spent.
"""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from suite.base import phrases
from suite.base.errors import UnitFailed
from suite.base.text import three_figures
from suite.gate.comparison import BETTER, NOT_JUDGED, SAME, UNDECIDED, WORSE
from suite.gate.paired_run import DISTURBED_SHARE
from suite.gate.sequential_test import IMPROVEMENT, PAIRS, Decision, Rule, group_sequential_test
from suite.program.command import Command, Observation, Tools, observe, without_output
from suite.program.executable import Executable
from suite.program.mallocs import Deployment, Proof, missing_proof, name_of, other_own, others_without, read_proof
from suite.results.end_to_end import AGAIN, OWN
from suite.runner.signals import signals_as_interrupts
from suite.stats.arrays import np
from suite.stats.estimates import Estimate, estimate_shift, median
from suite.stats.multiple import significant
from suite.stats.paired_tests import paired_t

PROBE_FILE = "STACKHEAP_PROBE"  # the environment variable that the probe reads
FEWEST_PAIRS = 5  # with fewer, the numbers have no verdict
FEW_PAIRS = 10  # with fewer, ranks show nothing: where the budget holds no more, the rounds go on to its end
MOST_PAIRS = 1000
THRESHOLD = 0.01  # the smallest change of CPU time that matters, by default
SHORT_PROCESS = 0.02  # seconds of CPU time: some mallocs take milliseconds to be loaded
SHORTEST = 0.001  # seconds of CPU time: a shorter program is mostly its start, and the clock's steps
PROBE_SECONDS = 0.0005  # in each process, at most
PROBE_SHARE = 0.005  # of the CPU time: the most that the probe's part may be where the first round counts
HUNG_SECONDS, HUNG_TIMES = 10.0, 20.0  # a run that takes longer than so many times the first does not end
OTHER_OUTPUT = "it changes what the program prints"
CONTROL_ROUNDS = 5  # where no malloc can be compared: enough for the program's own figures

OWN_MALLOC = Deployment(OWN, "")
CONTROL = Deployment(AGAIN, "")


@dataclass(frozen=True)
class Plan:
    """What is measured, and until when."""

    command: Command
    executable: Executable
    mallocs: tuple[Deployment, ...]
    seed: int
    budget: float  # seconds
    pairs: int | None = None  # exactly so many; None: until every malloc is decided
    any_output: bool = False  # compare even where the output differs
    threshold: float = THRESHOLD


@dataclass(frozen=True)
class Run:
    """A run of the command with one malloc, in one round."""

    malloc: str
    round: int
    observation: Observation


@dataclass(frozen=True)
class Measured:
    """What came out; also of a measurement that was cut short, or that compares nothing."""

    plan: Plan
    runs: tuple[Run, ...]  # of the rounds that count, in their order
    first: Observation | None  # the very first run, untimed; None where the command never ran
    own: str  # the name of the program's own malloc, or the file that it is in; empty: not known
    decisions: Mapping[str, Decision]  # of the CPU time, by malloc that was compared; the control too
    not_compared: Mapping[str, str]  # by malloc: why
    problem: str = ""  # why no malloc was compared; empty: some were
    output_same: bool = True  # the program's own runs all ended the same way, with the same output
    notes: tuple[str, ...] = ()  # sentences: what limits the answer
    interrupted: bool = False


@dataclass(frozen=True)
class Progress:
    """How far the rounds are, before each run."""

    malloc: str
    round: int
    runs: int  # done
    seconds_left: float


ProgressObserver = Callable[[Progress], None]


class Runner(Protocol):
    """Runs the command once."""

    def __call__(self, malloc: Deployment, proven: bool, limit: float) -> tuple[Observation, Proof | None]:
        """With this malloc, for at most `limit` seconds; `proven`: with the probe. Raises UnitFailed where the
        command cannot be started or its setup fails."""


@dataclass(frozen=True)
class CommandRunner:
    """Runs the user's command itself."""

    command: Command
    executable: Executable
    tools: Tools
    folder: Path  # for the probe's file

    def __call__(self, malloc: Deployment, proven: bool, limit: float) -> tuple[Observation, Proof | None]:
        command = replace(self.command, timeout=limit)
        if not proven:
            return observe(command, self.tools, malloc.preload, file=self.executable.file), None
        probed = self.folder / "probe"
        probed.write_bytes(b"")
        probed.chmod(0o666)  # the command may run as another user
        libraries = (*malloc.preload, self.tools.probe)
        observation = observe(command, self.tools, libraries, {PROBE_FILE: str(probed)}, self.executable.file)
        with open(probed, errors="replace") as lines:
            return observation, read_proof(lines.read(1 << 24), observation.process)


def measure(plan: Plan, tools: Tools, observer: ProgressObserver) -> Measured:
    """Runs the command until the answer is there, the budget is spent, or an interrupt: each keeps what was measured.

    Raises UnitFailed, in a line, where the command cannot be started at all or its setup fails at once.
    """
    with tempfile.TemporaryDirectory() as folder:
        return measure_with(plan, CommandRunner(plan.command, plan.executable, tools, Path(folder)), observer)


def measure_with(plan: Plan, runner: Runner, observer: ProgressObserver) -> Measured:
    """The same with any way to run the command."""
    measurement = _Measurement(plan, runner, observer)
    with signals_as_interrupts():
        try:
            measurement.measure()
        except KeyboardInterrupt:
            measurement.interrupted = True
            measurement.notes.append("interrupted: judged by the pairs measured until then")
        except _BudgetSpent as spent:
            measurement.ended = measurement.about_budget(spent.each)
        except _Ended as ended:
            measurement.ended = str(ended)
        measurement.note(measurement.ended)
    return measurement.result()


class _Ended(Exception):
    """Measuring ends before its plan does. The text is the reason."""


class _BudgetSpent(Exception):
    """The budget does not hold another run."""

    def __init__(self, each: float) -> None:
        self.each = each  # seconds, of a run


@dataclass
class _Measurement:
    """A measurement in progress."""

    plan: Plan
    runner: Runner
    observer: ProgressObserver
    runs: list[Run] = field(default_factory=list)
    first: Observation | None = None
    own: str = ""
    problem: str = ""
    not_compared: dict[str, str] = field(default_factory=dict)
    output_same: bool = True
    notes: list[str] = field(default_factory=list)
    ended: str = ""  # why measuring ended before its plan did
    interrupted: bool = False
    done: int = 0  # runs
    rule: Rule = Rule(pairs=PAIRS, suspicion=IMPROVEMENT, confirmed=False)
    most: int | None = None  # rounds; None: until the test has decided about every malloc

    def __post_init__(self) -> None:
        self.random = random.Random(self.plan.seed)
        self.begun = time.monotonic()
        self.compared = {malloc.name: malloc for malloc in self.plan.mallocs if not malloc.reason}
        self.not_compared = {malloc.name: malloc.reason for malloc in self.plan.mallocs if malloc.reason}
        self.name = self.plan.command.name

    # ---- the rounds

    def measure(self) -> None:
        self.first, proof = self.run(OWN_MALLOC, True, 0)
        for note in self.plan.executable.notes:
            self.note(note)
        if not self.first.ended_itself:
            option = " (--timeout)" if self.first.timed_out is not None else ""
            self.compare_nothing(f"{self.name} {self.first.past} with its own malloc{option}")
            return
        if self.plan.executable.barrier:
            self.compare_nothing(self.plan.executable.barrier)
        elif proof is not None:
            self.look_at_own(proof)
            self.note(_about_processes(len(proof.processes), self.first.cpu))
        first_counts = self.prove()
        self.choose_rule(first_counts)
        number = 1
        while (due := self.due()) is not None:
            for run, _ in self.round([self.compared[name] for name in due], False, number):
                self.runs.append(run)
            number += 1

    def prove(self) -> bool:
        """The first round, with the probe. Returns whether it counts: where the probe's part is too small to matter."""
        proven: list[tuple[Run, Proof | None]] = []
        counts = False
        try:
            for run, proof in self.round(list(self.compared.values()), True, 0):
                proven.append((run, proof))
        finally:  # the budget may not hold a whole round
            processes = max((len(proof.processes) for _, proof in proven if proof is not None), default=1)
            least = processes * PROBE_SECONDS / PROBE_SHARE
            counts = bool(proven) and min(run.observation.cpu for run, _ in proven) >= least
            self.runs += [run for run, _ in proven if counts]
        return counts

    def round(self, mallocs: Sequence[Deployment], proven: bool, number: int) -> Iterator[tuple[Run, Proof | None]]:
        """A run with each malloc that is still compared, the control among them, and the program's own in the
        middle."""
        order = [*mallocs, CONTROL]
        self.random.shuffle(order)
        order.insert((len(order) + self.random.randrange(2)) // 2, OWN_MALLOC)
        for malloc in order:
            if malloc.name not in (OWN, AGAIN, *self.compared):
                continue  # the runs before it have shown that it cannot be compared
            observation, proof = self.run(malloc, proven, number)
            if self.holds(malloc, observation, proof):
                yield Run(malloc.name, number, without_output(observation)), proof

    def run(self, malloc: Deployment, proven: bool, number: int) -> tuple[Observation, Proof | None]:
        """Raises _BudgetSpent, and _Ended if the setup fails."""
        spent = time.monotonic() - self.begun
        each = spent / self.done if self.done else 0.0
        if self.done and spent + each > self.plan.budget:
            raise _BudgetSpent(each)
        self.observer(Progress(malloc.name, number, self.done, max(0.0, self.plan.budget - spent)))
        limit = self.plan.command.timeout
        if self.first is not None:
            limit = min(limit, HUNG_SECONDS + HUNG_TIMES * self.first.wall)
        try:
            observation, proof = self.runner(malloc, proven, limit)
        except UnitFailed as problem:
            if not self.done:
                raise UnitFailed(f"{self.name}: {problem}") from None
            raise _Ended(f"{self.name}: {problem}") from None
        self.done += 1
        if observation.left_behind:
            self.note(
                f"{self.name} left processes running when it ended: they were killed, and count until then; to measure "
                "a program that goes into the background, keep it in the foreground"
            )
        if observation.unkillable:
            raise _Ended(f"{self.name} left processes that cannot be killed: they belong to another user")
        return observation, proof

    def about_budget(self, each: float) -> str:
        """A sentence where the budget, with so many seconds a run, did not suffice; or empty."""
        rounds = len({run.round for run in self.runs})
        if self.plan.pairs is None and rounds >= FEWEST_PAIRS:
            return ""
        runs = (FEWEST_PAIRS if self.plan.pairs is None else self.plan.pairs) * (len(self.compared) + 2)
        return (
            f"the budget of {self.plan.budget:.0f} s was spent after {phrases.count(rounds, 'pair')}: a run takes "
            f"{three_figures(each)} s, so about {math.ceil((runs + 1) * each)} s are needed (--budget)"
        )

    # ---- what was found about a run

    def holds(self, malloc: Deployment, observation: Observation, proof: Proof | None) -> bool:
        """Whether the run can be compared; if not, the reason is kept."""
        if malloc.name in (OWN, AGAIN):
            return self.is_as_first(observation)
        reason = self.difference(observation) or ("" if proof is None else missing_proof(proof, malloc, self.name))
        if reason:
            self.drop(malloc.name, reason)
        elif proof is not None:
            self.note(others_without(proof, malloc))
        return not reason

    def is_as_first(self, observation: Observation) -> bool:
        """Whether the program's own runs are alike: otherwise a malloc's effect on them would go unnoticed."""
        assert self.first is not None
        ends_alike = observation.ended_itself and observation.exit_code == self.first.exit_code
        if ends_alike and _same_output(observation, self.first):
            return True
        self.output_same = False
        if not ends_alike:
            self.compare_nothing(
                f"{self.name} ends differently from run to run with its own malloc: {self.first.end}, then "
                f"{observation.end}"
            )
        elif not self.plan.any_output:
            self.compare_nothing(
                f"{self.name} prints something else in each run, so that a malloc that breaks it would go unnoticed: "
                "--any-output compares all the same"
            )
        return ends_alike

    def difference(self, observation: Observation) -> str:
        """How the run with another malloc differs from the program's own; empty if it does not."""
        assert self.first is not None
        last = f" ({observation.stderr.cause})" if observation.stderr.cause else ""
        if not observation.ended_itself:
            return f"{self.name} {observation.past} with it{last}"
        if observation.exit_code != self.first.exit_code:
            return f"{self.name} ends with {observation.end} instead of {self.first.exit_code} with it{last}"
        if self.plan.any_output or _same_output(observation, self.first):
            return ""
        return OTHER_OUTPUT

    def look_at_own(self, proof: Proof) -> None:
        """Names the program's own malloc, which is then not compared with itself."""
        if not proof.processes:
            self.compare_nothing(missing_proof(proof, OWN_MALLOC, self.name))
            return
        own = name_of(proof.processes[0].malloc, self.plan.mallocs)
        others = other_own(proof, self.plan.mallocs)
        self.own = own or Path(proof.processes[0].malloc).name
        if proof.definer:
            self.compare_nothing(missing_proof(proof, OWN_MALLOC, self.name))
        elif others:
            self.note(others)
        elif own is not None:
            self.drop(own, f"it is the malloc that {self.name} has anyway")

    def drop(self, name: str, reason: str) -> None:
        if self.compared.pop(name, None) is not None:
            self.not_compared[name] = reason

    def compare_nothing(self, reason: str) -> None:
        """No malloc is compared, for this reason; also not the mallocs that seemed to change the output."""
        self.problem = self.problem or reason
        seeming = [name for name, found_reason in self.not_compared.items() if found_reason == OTHER_OUTPUT]
        self.not_compared |= dict.fromkeys((*seeming, *self.compared), reason)
        self.compared.clear()

    def note(self, text: str) -> None:
        if text and text not in self.notes:
            self.notes.append(text)

    # ---- until when

    def choose_rule(self, first_counts: bool) -> None:
        self.rule = replace(self.rule, threshold=self.plan.threshold)
        if self.plan.pairs is not None:
            self.most = self.plan.pairs
            self.rule = replace(self.rule, pairs=self.most, extended=False)
            return
        spent = time.monotonic() - self.begun
        rounds = (self.plan.budget - spent) / (spent / self.done * (len(self.compared) + 2)) + first_counts
        self.most = None if rounds > FEW_PAIRS else FEW_PAIRS

    def due(self) -> list[str] | None:
        """The mallocs of the next round; None where no round is left. A malloc that is decided takes no more time."""
        rounds = len({run.round for run in self.runs})
        if not self.compared:
            return [] if rounds < (self.plan.pairs or CONTROL_ROUNDS) else None
        if self.most is not None:
            return list(self.compared) if rounds < self.most else None
        series = {name: logs for name, logs in log_ratios(self.runs, _cpu).items() if name in self.compared}
        if set(series) != set(self.compared):
            return list(self.compared)
        decisions = group_sequential_test(series, self.rule, over=False)
        return [name for name, decision in decisions.items() if decision.pairs_needed] or None

    def result(self) -> Measured:
        ratios = log_ratios(self.runs, _cpu)
        self.not_compared |= {
            name: self.ended or "no pair was measured" for name in self.compared if name not in ratios
        }
        compared = [name for name in self.compared if name in ratios]
        decisions = judge({name: ratios[name] for name in (*compared, AGAIN) if name in ratios}, self.rule)
        cpu = [run.observation.cpu for run in self.runs if run.malloc == OWN]
        if cpu and median(cpu) < SHORTEST:
            self.note(
                f"{self.name} takes {three_figures(1e3 * median(cpu))} ms of CPU time: too short to judge a malloc by, "
                "its start is most of it"
            )
            decisions = {name: replace(decision, verdict=NOT_JUDGED) for name, decision in decisions.items()}
        problem = self.problem or ("" if compared else self.ended or "no malloc could be compared")
        runs = tuple(run for run in self.runs if run.malloc in (OWN, AGAIN, *compared))
        if not runs and self.first is not None and self.first.ended_itself:  # a single run is better than nothing
            runs = (Run(OWN, 0, without_output(self.first)),)
        self.note(_about_control(self.name, decisions.get(AGAIN)))
        self.note(_about_disturbance(runs))
        return Measured(
            self.plan, runs, self.first, self.own, decisions, self.not_compared, problem, self.output_same,
            tuple(note for note in self.notes if note != problem), self.interrupted,
        )  # fmt: skip


def _about_processes(number: int, cpu: float) -> str:
    """A sentence where loading a malloc into each process may be much of its figures, as in a script; or empty."""
    if number < 2 or cpu >= number * SHORT_PROCESS:
        return ""
    return (
        f"a run starts {number} processes, which take {three_figures(1e3 * cpu / number)} ms of CPU time on average: "
        "loading a malloc into each of them may be most of a difference"
    )


def _about_control(name: str, control: Decision | None) -> str:
    """A sentence where the program seems to differ from itself; or empty."""
    if control is None or control.verdict not in (BETTER, WORSE):
        return ""
    ratio = control.ratio
    return (
        f"{name} with its own malloc differs from itself by {ratio.median - 1:+.1%} ({ratio.low - 1:+.1%} to "
        f"{ratio.high - 1:+.1%}): this machine is not quiet enough for smaller differences than that"
    )


def _about_disturbance(runs: Sequence[Run]) -> str:
    disturbed = sum(run.observation.disturbance is not None and run.observation.disturbance.disturbed for run in runs)
    if disturbed <= DISTURBED_SHARE * len(runs):
        return ""
    return f"{disturbed} of {phrases.count(len(runs), 'run')} were disturbed: other programs used the machine, or the program was stopped"


def _same_output(observation: Observation, other: Observation) -> bool:
    """What it writes to stderr may differ: some mallocs write there too."""
    return (observation.stdout.digest, observation.stdout.size) == (other.stdout.digest, other.stdout.size)


# ---- the verdicts


def _cpu(observation: Observation) -> float:
    return observation.cpu


def log_ratios(runs: Sequence[Run], figure: Callable[[Observation], float]) -> dict[str, list[float]]:
    """By malloc: the logarithm of its figure over that of the program's own malloc in the same round, round by
    round."""
    by_round: dict[int, dict[str, float]] = {}
    for run in runs:
        by_round.setdefault(run.round, {})[run.malloc] = figure(run.observation)
    logs: dict[str, list[float]] = {}
    for figures in by_round.values():
        own = figures.get(OWN, 0.0)
        for name, value in figures.items():
            if name != OWN and min(own, value) > 0.0:
                logs.setdefault(name, []).append(math.log(value / own))
    return logs


def judge(series: Mapping[str, Sequence[float]], rule: Rule) -> dict[str, Decision]:
    """The verdicts on all mallocs, and that on the control apart from them.

    Of fewer pairs than a test of ranks needs: a t test, once. Of fewer than FEWEST_PAIRS: none.
    """
    mallocs = {name: logs for name, logs in series.items() if name != AGAIN}
    control = {AGAIN: series[AGAIN]} if AGAIN in series else {}
    if min(map(len, mallocs.values()), default=FEW_PAIRS) >= FEW_PAIRS:
        decisions = {**group_sequential_test(mallocs, rule), **group_sequential_test(control, rule)}
    else:
        decisions = {**_judge_few(mallocs, rule), **_judge_few(control, rule)}
    return {name: _shown(decision, series[name]) for name, decision in decisions.items()}


def _shown(decision: Decision, logs: Sequence[float]) -> Decision:
    """The decision with the ratio of all pairs and its usual interval, as the results show it.

    The verdict agrees with it: signs alone may be evidence where a few pairs err far, but a ratio whose interval
    holds 1 does not read as better or worse.
    """
    shift = estimate_shift(logs)
    verdict = decision.verdict
    if len(logs) < FEWEST_PAIRS:
        verdict = NOT_JUDGED
    elif verdict in (BETTER, WORSE) and shift.holds(0.0):
        verdict = UNDECIDED
    middle, low, high = (math.exp(value) for value in (shift.median, shift.low, shift.high))
    return replace(
        decision, verdict=verdict, ratio=Estimate(middle, low, high, shift.coverage, shift.n), pairs=range(shift.n)
    )


def _judge_few(series: Mapping[str, Sequence[float]], rule: Rule) -> dict[str, Decision]:
    limit = math.log1p(rule.threshold)
    logs = {name: np.asarray(values) for name, values in series.items() if len(values) > 1}
    tests = dict(zip(logs, paired_t(list(logs.values()))))
    worse, better = (
        {name for name, is_found in zip(tests, significant(p_values, rule.improvement)) if is_found}
        for p_values in ([test.up for test in tests.values()], [test.down for test in tests.values()])
    )
    decisions = {}
    for name, values in series.items():
        shift = estimate_shift(values)
        verdict = UNDECIDED
        if name in worse and shift.median > limit:
            verdict = WORSE
        elif name in better and shift.median < -limit:
            verdict = BETTER
        elif name in tests and -limit < tests[name].low and tests[name].high < limit:
            verdict = SAME
        decisions[name] = Decision(verdict, shift, range(shift.n), 0)
    return decisions
