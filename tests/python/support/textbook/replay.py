"""Recorded programs on the textbook's machine: a stack saves half of what the compiler's blocks cost, and nothing elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from suite.results.model import BenchmarkName
from support.textbook import MIB, OF_64_BYTES, Family

CHAPTER = "program"
LIVE = {"compiler": 4.0 * MIB, "database": 1.0 * MIB, "json": 2.0 * MIB, "interpreter": 0.5 * MIB, "made_up": 0.1 * MIB}
HELD = {"glibc": 1.1, "mimalloc": 1.5}  # at the peak, for each live byte
POINTS = 32


def replay(libraries: Sequence[str], cores: int) -> Iterator[str]:
    strategies = ["none", *(f"{name}{ending}" for name in libraries for ending in ("", "+stack"))]
    for recording in LIVE:
        yield from (f"replay/{strategy}/recording:{recording}" for strategy in strategies)


def call(name: BenchmarkName) -> float:
    malloc, stack, _ = str(name.strategy).partition("+stack")
    ns = OF_64_BYTES.get(malloc, 16.0)
    return ns / 2 if stack and name.parameters["recording"] == "compiler" else ns


def shares(name: BenchmarkName) -> Mapping[str, float]:
    if name.strategy != "none":
        return {"first_pass_ns": 2 * call(name)}
    return {"calls": 1e5, "allocations": 5e4, "stack_like_share": 0.5, "stack_like_bytes_share": 0.4, "temporary_share": 0.3}


def replay_memory(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for recording in LIVE:
        yield from (f"replay_memory/{strategy}/recording:{recording}" for strategy in libraries)


def memory(name: BenchmarkName) -> Mapping[str, float]:
    """The live bytes grow to the middle of the calls and shrink again; what is held only grows."""
    live, held = LIVE[name.parameters["recording"]], HELD.get(str(name.strategy), 1.3)
    heights = [min(point, POINTS - point) / (POINTS / 2) for point in range(1, POINTS + 1)]
    series: dict[str, float] = {}
    for point, height in enumerate(heights):
        series[f"live_{point:02}"] = live * height
        series[f"resident_{point:02}"] = live * held * max(heights[: point + 1])
    return {**series, "peak_live_bytes": live, "peak_resident_bytes": live * held, "peak_resident_per_live_byte": held}


FAMILIES = {
    "replay": Family(replay, call, shares),
    "replay_memory": Family(replay_memory, lambda name: 1.0, memory),
}

TITLES = {
    "replay": "In the recorded program compiler, a stack would save 10 ns of the 19 ns of a call of glibc",
    "replay_memory": "At the peak of the recorded program compiler, glibc holds 1.1 times the live bytes",
}

EQUAL_TITLES = {
    "replay": "",
}
