"""Does the program take turns with another: does it work only in its turn, and so often as it is told?"""

from __future__ import annotations

import os
import re
import select
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.measuring_program import hostile, listed, measure, parsed, program, run

NONE = "scoped/none/bytes:64/touch:first"
ITERATIONS = 12_345


@dataclass
class Player:
    """The program, and the two pipes by which it takes turns."""

    folder: Path
    ends: list[int] = field(default_factory=list)

    def start(self, *arguments: str, repetitions: int, each: str = "") -> None:
        ours_out, its_in = os.pipe()[::-1]
        its_out, ours_in = os.pipe()[::-1]
        words = ["--profile=smoke", f"--turns={its_in},{its_out}{each}", f"--benchmark_repetitions={repetitions}", *arguments]
        words += [f"--benchmark_out={self.folder / 'out'}", "--benchmark_out_format=json"]
        silent = subprocess.DEVNULL
        self.process = subprocess.Popen([program(), *words], stdin=silent, stdout=silent, stderr=silent, pass_fds=(its_in, its_out))
        os.close(its_in)
        os.close(its_out)
        self.ends = [ours_out, ours_in]

    def waits(self, seconds: float = 30.0) -> bool:
        """Whether it says that it waits for its turn; False at its end, or if it does not say so in time."""
        ready, _, _ = select.select([self.ends[1]], [], [], seconds)
        return bool(ready) and os.read(self.ends[1], 1) == b"."

    def turn(self) -> None:
        os.write(self.ends[0], b"x")

    def rows(self) -> list[dict[str, Any]]:
        assert self.process.wait(30) == 0
        rows = parsed((self.folder / "out").read_text())["benchmarks"]
        return [row for row in rows if row["run_type"] == "iteration"]


@pytest.fixture
def player(tmp_path: Path) -> Iterator[Player]:
    made = Player(tmp_path)
    yield made
    made.process.kill()
    made.process.wait()
    for end in made.ends:
        os.close(end)


def test_each_repetition_waits_for_its_turn(player: Player) -> None:
    player.start(f"--only=^{NONE}$", f"--iterations={ITERATIONS}", repetitions=3)
    for _ in range(3):
        assert player.waits()
        assert not player.waits(0.05), "it goes on without its turn"
        assert player.process.poll() is None
        player.turn()
    assert not player.waits(), "its last turn ends with the process"
    rows = player.rows()
    assert [(row["name"], row["iterations"]) for row in rows] == [(NONE, ITERATIONS)] * 3


def test_a_turn_has_as_many_repetitions_as_it_is_told(player: Player) -> None:
    player.start(f"--only=^{NONE}$", f"--iterations={ITERATIONS}", repetitions=6, each=",3")
    for _ in range(2):
        assert player.waits()
        player.turn()
    assert not player.waits()
    assert len(player.rows()) == 6


def test_a_large_set_is_walked_in_part_in_each_turn(player: Player) -> None:
    """Alone, a chase past the second-level cache makes 524,288 loads at least, which take ten turns."""
    name = "chase/bytes:67108864/order:random/home:heap"
    player.start("--profile=quick", f"--only=^{name}$", f"--iterations={ITERATIONS}", repetitions=1)
    assert player.waits()
    player.turn()
    assert [row["iterations"] for row in player.rows()] == [ITERATIONS]


def test_the_program_ends_where_no_more_turns_come(player: Player) -> None:
    player.start(f"--only=^{NONE}$", repetitions=3)
    assert player.waits()
    os.close(player.ends.pop(0))
    assert {row["error_message"] for row in player.rows()} == {"its process ended with exit code 3"}


def test_a_benchmark_that_dies_in_its_turn_is_reported_and_waits_no_more(player: Player) -> None:
    name = "scoped/evil/bytes:64/touch:first"
    player.start(f"--allocator={hostile('late_abort')}", f"--only=^{name}$", "--iterations=1000000", repetitions=3)
    assert player.waits()
    player.turn()
    assert not player.waits()
    assert {(row["name"], row["error_message"]) for row in player.rows()} == {(name, "its process died of Aborted")}


FILES = "not IN,OUT or IN,OUT,REPETITIONS, with the numbers of two open files"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        *((f"--turns={bad}", f"--turns={bad}: {FILES}") for bad in ("", "1", "1,", "1,2,", "1,2,0", "1,2,3,4", "-1,2", "a,b")),
        ("--turns=900,1", "--turns=900,1: file 900 is not open"),
        (
            "--turns=0,1 --only=^scoped/none/",
            "--turns goes with one benchmark, but --only and --benchmark_filter select 16",
        ),
        (
            "--turns=0,1 --only=^first_touch/home:mmap/touch:first$",
            "--turns: first_touch/home:mmap/touch:first takes no turns, because each process measures it once",
        ),
        *(
            (f"--iterations={bad}", f"--iterations={bad}: not a whole number from 1 to {(1 << 63) - 1}")
            for bad in ("0", "-1", "1.5", "x", str(1 << 63))
        ),
    ],
)
def test_bad_turns_are_refused_in_one_line(words: str, line: str) -> None:
    answer = run("--profile=quick", "--tested=", *words.split())
    assert answer.status == 2
    assert answer.complaints == [f"stackheap: {line}"]


def test_iterations_are_those_of_every_repetition() -> None:
    rows = measure("--tested=", "--iterations=777", f"--only=^({NONE}$|stack_growth/)").rows
    iterations = {(row["name"].partition("/")[0], row["iterations"]) for row in rows}
    assert iterations == {("scoped", 777), ("stack_growth", 1)}, "what a process measures once has one iteration"


def test_the_list_says_who_takes_turns() -> None:
    turns = {family["name"]: family["turn_ms"] for family in listed()["families"]}
    assert (turns["scoped"], turns["private"], turns["first_touch"], turns["overhead"]) == (5, 10, 0, 0)


def test_what_fits_the_second_level_cache_is_warmed() -> None:
    """The other process pushes it out, and a turn would measure how it comes back."""
    (chase,) = (family for family in listed()["families"] if family["name"] == "chase")
    warmed = {name.split("/")[1] for name in chase["benchmarks"] if re.search(chase["warmed"], name)}
    assert warmed == {"bytes:524288", "bytes:1048576", "bytes:2097152"}
