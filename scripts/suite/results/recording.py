"""What does the profile of a recording say? The JSON of `stackheap --describe-recording`, which a run may hold as well.

benchmarks/recording/profile.hpp defines the three shares and their errors. A profile is untrusted: a recording, and a run
that holds its profile, may come from anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from suite.base.errors import BadInput
from suite.base.text import one_line
from suite.results.model import Run
from suite.results.read import BadResult

FORMAT = 1
MADE_UP = "made_up"  # the recording that comes with the suite and that no program made: benchmarks/harness/recordings.hpp
ENDINGS = ("exit", "quick_exit", "exec", "most", "disk", "cut off")
CALLS = ("malloc", "calloc", "aligned", "new", "realloc", "free", "delete", "failed", "free_unknown")
PARTS = ("never_freed", "freed_by_other", "stack_like", "temporary", "region_like")
MOST = 1 << 63  # of every count
MOST_WORDS, LONGEST_COMMAND = 1 << 16, 1 << 16
MOST_POINTS, MOST_EDGES = 128, 64

Cells = tuple[tuple[int, ...], ...]  # by size, then by lifetime; the last lifetime: never freed
Value = TypeVar("Value")


@dataclass(frozen=True)
class Blocks:
    """A part of the blocks of a program."""

    blocks: int
    bytes: int


@dataclass(frozen=True)
class Sizes:
    p50: int
    p90: int
    p99: int
    max: int


@dataclass(frozen=True)
class Lifetimes:
    """In allocations of the process, of the blocks that were freed."""

    p50: int
    p90: int
    p99: int


@dataclass(frozen=True)
class Live:
    """What was allocated and not yet freed."""

    peak_bytes: int
    peak_blocks: int
    final_bytes: int
    final_blocks: int
    series: tuple[tuple[int, int], ...]  # events so far, live bytes


@dataclass(frozen=True)
class Heat:
    """Blocks by size and lifetime. An edge is the least value of its row or column."""

    size_edges: tuple[int, ...]
    lifetime_edges: tuple[int, ...]
    blocks: Cells
    stack_like: Cells


@dataclass(frozen=True)
class Profile:
    """What a program asked of malloc in one of its processes."""

    command: tuple[str, ...]
    process: int
    parent: int  # the process that forked it; 0 where it was executed
    ended: str  # one of ENDINGS
    events: int
    unseen: int  # calls that the recording lacks, as far as is known
    threads: int
    lanes: int
    calls: Mapping[str, int]  # each of CALLS
    allocations: int
    allocations_before_main: int
    bytes: int
    sizes: Sizes
    lifetimes: Lifetimes
    live: Live
    never_freed: Blocks
    freed_by_other: Blocks  # by another thread than the one that took it
    stack_like: Blocks
    temporary: Blocks
    region_like: Blocks
    heat: Heat

    @property
    def name(self) -> str:
        """The program's name, without its folder."""
        return self.command[0].rpartition("/")[2] if self.command else "the program"

    @property
    def all_calls(self) -> int:
        return sum(self.calls.values())

    def share(self, part: Blocks) -> float | None:
        """Of all blocks; None where there are no blocks."""
        return part.blocks / self.allocations if self.allocations else None


def profile_in(run: Run) -> Profile | None:
    """The profile that a run of a user's program holds; None where it has no profile. Raises BadResult."""
    place: object = run.context
    for key in ("program", "recording", "profile"):
        place = place.get(key) if isinstance(place, Mapping) else None
    if place is None:
        return None
    try:
        return read_profile(place)
    except BadInput as error:
        raise BadResult(run.path, str(error)) from None


def read_profile(document: object) -> Profile:
    """Checks every field. Raises BadInput, with one line that names the field."""
    top = _Fields(document, "")
    if top.count("format") != FORMAT:
        raise top.bad("format", f"{FORMAT}")
    calls = top.inner("calls")
    profile = Profile(
        command=top.field("command", _command, f"a list of words, {LONGEST_COMMAND} letters in all"),
        process=top.count("process"),
        parent=top.count("parent"),
        ended=top.field("ended", _ending, f"one of {', '.join(ENDINGS)}"),
        events=top.count("events"),
        unseen=top.count("unseen"),
        threads=top.count("threads"),
        lanes=top.count("lanes"),
        calls={key: calls.count(key) for key in CALLS},
        allocations=top.count("allocations"),
        allocations_before_main=top.count("allocations_before_main"),
        bytes=top.count("bytes"),
        sizes=Sizes(**top.inner("sizes").counts("p50", "p90", "p99", "max")),
        lifetimes=Lifetimes(**top.inner("lifetimes").counts("p50", "p90", "p99")),
        live=_live(top.inner("live")),
        **{key: Blocks(**top.inner(key).counts("blocks", "bytes")) for key in PARTS},
        heat=_heat(top.inner("heat")),
    )
    _check(profile, top)
    return profile


class _Fields:
    """An object of the profile, with the name that its fields begin with."""

    def __init__(self, document: object, name: str) -> None:
        if not isinstance(document, Mapping):
            raise BadInput(f"the profile of a recording is damaged: {name.rstrip('.') or 'it'} is not an object")
        self.document, self.name = document, name

    def bad(self, key: str, accepted: str) -> BadInput:
        got = one_line(repr(self.document.get(key)), 60)
        return BadInput(f"the profile of a recording is damaged: {self.name}{key} is {got}, not {accepted}")

    def field(self, key: str, read: Callable[[Any], Value | None], accepted: str) -> Value:
        value = read(self.document.get(key))
        if value is None:
            raise self.bad(key, accepted)
        return value

    def inner(self, key: str) -> _Fields:
        return _Fields(self.document.get(key), f"{self.name}{key}.")

    def count(self, key: str) -> int:
        return self.field(key, _count, "a whole number from 0 to 2^63")

    def counts(self, *keys: str) -> dict[str, int]:
        return {key: self.count(key) for key in keys}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST else None


def _counts(value: object, most: int) -> tuple[int, ...] | None:
    if not isinstance(value, list) or len(value) > most or any(_count(number) is None for number in value):
        return None
    return tuple(value)


def _command(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list) or len(value) > MOST_WORDS or not all(isinstance(word, str) for word in value):
        return None
    return tuple(one_line(word, LONGEST_COMMAND) for word in value) if sum(map(len, value)) <= LONGEST_COMMAND else None


def _ending(value: object) -> str | None:
    return value if isinstance(value, str) and value in ENDINGS else None


def _live(fields: _Fields) -> Live:
    series = fields.field("series", _series, f"at most {MOST_POINTS} pairs of numbers, the first rising")
    return Live(series=series, **fields.counts("peak_bytes", "peak_blocks", "final_bytes", "final_blocks"))


def _series(value: object) -> tuple[tuple[int, int], ...] | None:
    if not isinstance(value, list) or len(value) > MOST_POINTS:
        return None
    pairs = [pair for point in value if (pair := _counts(point, 2)) is not None and len(pair) == 2]
    rising = all(before[0] < after[0] for before, after in zip(pairs, pairs[1:]))
    return tuple((pair[0], pair[1]) for pair in pairs) if len(pairs) == len(value) and rising else None


def _heat(fields: _Fields) -> Heat:
    sizes, lifetimes = (
        fields.field(key, _edges, f"rising numbers from 0, at most {MOST_EDGES}") for key in ("size_edges", "lifetime_edges")
    )

    def cells(value: object) -> Cells | None:
        if not isinstance(value, list) or len(value) != len(sizes):
            return None
        rows = [_counts(row, MOST_EDGES + 1) for row in value]
        whole = tuple(row for row in rows if row is not None and len(row) == len(lifetimes) + 1)
        return whole if len(whole) == len(sizes) else None

    shape = f"{len(sizes)} lists of {len(lifetimes) + 1} numbers"
    heat = Heat(sizes, lifetimes, fields.field("blocks", cells, shape), fields.field("stack_like", cells, shape))
    pairs = (pair for rows in zip(heat.blocks, heat.stack_like) for pair in zip(*rows))
    if any(stack_like > blocks for blocks, stack_like in pairs):
        raise fields.bad("stack_like", "at most as many as heat.blocks")
    return heat


def _edges(value: object) -> tuple[int, ...] | None:
    edges = _counts(value, MOST_EDGES)
    rising = edges is not None and edges[:1] == (0,) and all(low < high for low, high in zip(edges, edges[1:]))
    return edges if rising else None


def _check(profile: Profile, top: _Fields) -> None:
    """The numbers agree with each other."""
    if top.inner("calls").count("all") != profile.all_calls:
        raise top.inner("calls").bad("all", f"{profile.all_calls}, the sum of the calls")
    maps = profile.heat.blocks, profile.heat.stack_like
    blocks, stack_like = (sum(number for row in cells for number in row) for cells in maps)
    if blocks != profile.allocations:
        raise top.bad("allocations", f"{blocks}, the sum of heat.blocks")
    if stack_like != profile.stack_like.blocks:
        raise top.inner("stack_like").bad("blocks", f"{stack_like}, the sum of heat.stack_like")
    if profile.allocations_before_main > profile.allocations:
        raise top.bad("allocations_before_main", f"at most {profile.allocations}, the allocations")
    for key in PARTS:
        part: Blocks = getattr(profile, key)
        for unit, most in (("blocks", profile.allocations), ("bytes", profile.bytes)):
            if getattr(part, unit) > most:
                raise top.inner(key).bad(unit, f"at most {most}, those of all blocks")
