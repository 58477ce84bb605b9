"""How do the two processes of a pair measure side by side? They take turns.

Both processes live at once, on the same core, and only one of them works at a time. It says by a byte that it waits; a
byte in answer begins its turn, which ends when it waits again, and the last turn when it has ended. So whatever a side
does, it does in its own turns.

Programs of an earlier version know no turns: both work at once, and the kernel's scheduler alternates them. Benchmarks
that a process measures only once run one after the other.
"""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from suite.base.errors import UnitFailed, UnitHung
from suite.results.model import Document
from suite.results.read import failures_in
from suite.runner import interference
from suite.runner.program import Ended, MeasuringProcess, Part, Program, measure_part, measuring

START_LIMIT = 60.0  # seconds until a process waits for its first turn; it takes a hundredth of one
TURN_LIMIT = 60.0  # seconds; a turn takes milliseconds, and the first, which prepares, some seconds at most
ENDING_LIMIT = 10.0  # seconds, in which a process ends that has closed its end of the channel
TOKEN = b"."


class SideFailed(UnitFailed):
    """A process of one side of a pair gave no result. The text names benchmark, side and reason."""

    def __init__(self, name: str, side: str, reason: object) -> None:
        super().__init__(f"{name}: failed on the {side} side: {str(reason).removeprefix(f'{name}: ')}")


@dataclass(frozen=True)
class Turns:
    """The turns of a pair: each side has as many as there are rounds, and the first prepares."""

    beginners: Sequence[str]  # the side that begins, by round
    repetitions: int  # of the benchmark in each turn
    iterations: int  # of each repetition


@dataclass(frozen=True)
class Measured:
    """What the two processes of a pair gave."""

    documents: Mapping[str, Document]  # by side
    disturbed: bool  # other programs used the machine meanwhile, or a side stood still


def measure_in_turns(
    sides: Mapping[str, Program], part: Part, folder: Path, turns: Turns, layout: int | None = None
) -> Measured:
    """Measures one benchmark on both sides, which take turns; the sides start in the order given.

    Raises SideFailed if a side crashes, hangs or is stopped, or writes a damaged result; OSError on a full disk. The
    processes of both sides are then killed, as after an interrupt.
    """
    with contextlib.ExitStack() as stack:
        before = interference.take_snapshot()
        players = {}
        for number, (side, program) in enumerate(sides.items()):
            players[side] = stack.enter_context(_player(side, program, part, folder, turns, layout, number))
            players[side].start()
        for turn, beginner in enumerate(turns.beginners):
            for side in sorted(players, key=lambda side: side != beginner):
                players[side].take_turn(turn)
        ended = {side: player.process.end(ENDING_LIMIT) for side, player in players.items()}
        after = interference.take_snapshot()
        documents = {side: player.result() for side, player in players.items()}
    return Measured(documents, _disturbed(before, after, ended, documents))


def measure_at_once(
    sides: Mapping[str, Program],
    part: Part,
    folder: Path,
    limit: float,
    layout: int | None = None,
    processors: Set[int] = frozenset(),
) -> Measured:
    """Measures one benchmark on both sides at once, on these `processors` if there are any: the kernel's scheduler
    alternates the sides. Raises as measure_in_turns does; a process may take `limit` seconds."""
    with contextlib.ExitStack() as stack:
        before = interference.take_snapshot()
        processes = {
            side: stack.enter_context(measuring(program, part, folder, layout, number=number, processors=processors))
            for number, (side, program) in enumerate(sides.items())
        }
        for process in processes.values():
            process.start()
        ended, documents = {}, {}
        for side, process in processes.items():
            with _failures_of(part, side):
                ended[side] = process.end(limit)
        after = interference.take_snapshot()
        for side, process in processes.items():
            with _failures_of(part, side):
                documents[side] = process.result()
    return Measured(documents, _disturbed(before, after, ended, documents))


def measure_in_succession(
    sides: Mapping[str, Program], part: Part, folder: Path, limit: float, layout: int | None = None
) -> Measured:
    """Measures one benchmark on one side, then on the other. Raises as measure_in_turns does."""
    documents, disturbed = {}, False
    for side, program in sides.items():
        with _failures_of(part, side):
            documents[side], beside = measure_part(program, part, folder, limit, layout)
        disturbed |= beside.disturbed
    return Measured(documents, disturbed)


@contextlib.contextmanager
def _failures_of(part: Part, side: str) -> Iterator[None]:
    try:
        yield
    except UnitFailed as problem:
        raise SideFailed(part.benchmarks[0], side, problem) from None


def _disturbed(
    before: interference.Snapshot,
    after: interference.Snapshot,
    ended: Mapping[str, Ended],
    documents: Mapping[str, Document],
) -> bool:
    used = resource.struct_rusage(sum(numbers) for numbers in zip(*(process.used for process in ended.values())))
    stopped = sum(process.stopped_with(documents[side]) for side, process in ended.items())
    return interference.interference_between(before, after, used, stopped, len(ended)).disturbed


@contextlib.contextmanager
def _player(
    side: str, program: Program, part: Part, folder: Path, turns: Turns, layout: int | None, number: int
) -> Iterator[_Player]:
    here, there = socket.socketpair()
    rounds = len(turns.beginners)
    options = (
        f"--turns={there.fileno()},{there.fileno()},{turns.repetitions}",
        f"--iterations={turns.iterations}",
        f"--benchmark_repetitions={rounds * turns.repetitions}",
        # Its own limit counts the other side's turns too, so it must not come first.
        f"--limit={2 * (rounds + 1) * TURN_LIMIT:.0f}",
    )
    with here, there, measuring(program, part, folder, layout, number=number, options=options, channel=there) as process:
        yield _Player(side, part, rounds, process, here)


@dataclass(frozen=True)
class _Player:
    """The process of one side, and the channel to it."""

    side: str
    part: Part
    rounds: int
    process: MeasuringProcess
    channel: socket.socket

    def start(self) -> None:
        self.process.start()
        self._wait("its start", START_LIMIT)

    def take_turn(self, turn: int) -> None:
        """Lets it take this turn, and waits until the turn has ended."""
        last = self.rounds - 1
        phase = f"its turn {turn} of {last}" if turn else "its preparation"
        with contextlib.suppress(ConnectionError):  # it has ended: how, is seen next
            self.channel.sendall(TOKEN)
        if turn < last:
            self._wait(phase, TURN_LIMIT)
            return
        try:
            self.process.end(TURN_LIMIT)
        except UnitHung:
            self._fail_late(phase, TURN_LIMIT)
        self.result(f" in {phase}")

    def result(self, when: str = "") -> Document:
        """What it measured, when it has ended."""
        try:
            return self.process.result()
        except UnitFailed as problem:
            self._fail(f"{problem}{when}")

    def _wait(self, phase: str, limit: float) -> None:
        """Waits until it waits."""
        if self._received(phase, limit):
            return
        try:
            self.process.end(ENDING_LIMIT)
        except UnitHung:
            self._fail(f"closed its channel in {phase}")
        reasons = failures_in(self.result(f" in {phase}"), self.part.benchmarks) or ["ended"]
        self._fail(f"{reasons[0].removeprefix(f'{self.part.benchmarks[0]}: ')} in {phase}")

    def _received(self, phase: str, limit: float) -> bool:
        """Whether it waits; false if it has closed its end of the channel."""
        for seconds in interference.waiting_steps(limit):
            self.channel.settimeout(seconds)
            with contextlib.suppress(TimeoutError):
                try:
                    return bool(self.channel.recv(1))
                except ConnectionError:
                    return False
        self._fail_late(phase, limit)

    def _fail_late(self, phase: str, limit: float) -> NoReturn:
        if self.process.is_stopped():
            self._fail(f"was stopped in {phase}, and did not go on within {limit:.0f} s")
        self._fail(f"did not end {phase} within {limit:.0f} s")

    def _fail(self, reason: str) -> NoReturn:
        raise SideFailed(self.part.benchmarks[0], self.side, reason) from None
