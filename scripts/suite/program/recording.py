"""What does the user's program ask of its malloc? It runs once with the recorder, and the program describes what it wrote.

Every process of the command writes a recording of its own into the folder. The process that made the most calls is the one
that is described and replayed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.base import phrases
from suite.base.errors import BadInput, UnitFailed
from suite.program.command import Command, Observation, Tools, observe
from suite.program.executable import Executable
from suite.runner.program import describe_recording

RECORDER, PROGRAM = "librecorder.so", "stackheap"  # in the build folder of the suite
FOLDER, MOST = "STACKHEAP_RECORDING", "STACKHEAP_RECORDING_MOST"
COUNT_FILE, RECORDINGS, MOST_PROCESSES = "processes", "recording-*.shr", 1000  # the recorder's
MOST_EVENTS = 100_000_000
LONGEST_NAME = 40


@dataclass(frozen=True)
class Recorded:
    """The recordings of a command, and what the largest says."""

    files: tuple[Path, ...]  # the largest first
    profile: Mapping[str, Any]  # as the program describes the largest; empty: there is nothing to replay
    problem: str = ""  # why; else empty
    notes: tuple[str, ...] = ()  # sentences: what limits it
    hung: str = ""  # that the command did not end, and when; empty: it did

    @property
    def file(self) -> Path | None:
        return self.files[0] if self.profile else None

    @property
    def is_replayable(self) -> bool:
        return bool(self.profile) and not self.problem


def record(command: Command, executable: Executable, tools: Tools, folder: Path, most: int) -> Recorded:
    """Runs the command once with the recorder, which writes into the folder. Raises UnitFailed where it cannot be started."""
    recorder = tools.observe.with_name(RECORDER)
    if not recorder.is_file():
        raise BadInput(f"{recorder} does not exist: build the suite again (cmake --build {recorder.parent})")
    if executable.barrier:
        return Recorded((), {}, executable.barrier)
    variables = {FOLDER: str(folder.resolve()), MOST: str(most)}
    try:
        seen = observe(command, tools, (recorder,), variables, executable.file)
    except UnitFailed:
        for file in (folder / COUNT_FILE, *folder.glob(RECORDINGS)):
            file.unlink(missing_ok=True)
        raise
    hung = f"{command.name} {seen.end}" if seen.timed_out is not None else ""
    processes = _count_of_processes(folder)
    files = sorted(folder.glob(RECORDINGS), key=lambda file: (-file.stat().st_size, file.name))
    if not files:
        return Recorded((), {}, f"{command.name} made no call of malloc that the recorder saw ({seen.end})", hung=hung)
    try:
        profile = describe_recording(tools.observe.with_name(PROGRAM), files[0])
    except BadInput as problem:
        return Recorded(tuple(files), {}, str(problem), hung=hung)
    return Recorded(tuple(files), profile, "", tuple(_notes(command, seen, files, processes, profile)), hung)


def _count_of_processes(folder: Path) -> int:
    """How many processes wanted to record: the recorder adds a byte for each to a file, which is deleted."""
    counted = folder / COUNT_FILE
    if not counted.exists():
        return 0
    size = counted.stat().st_size
    counted.unlink()
    return size


def _notes(
    command: Command, seen: Observation, files: list[Path], processes: int, profile: Mapping[str, Any]
) -> list[str]:
    notes = []
    if not seen.ended_itself:
        notes.append(f"while it was recorded, {command.name} {seen.past}: the recording ends there")
    if len(files) > 1:
        process = f"process {profile.get('process')} ({name_of(profile, command.name)})"
        notes.append(
            f"{phrases.count(len(files), 'process', 'processes')} made calls of malloc: the profile and the replay are of {process}, "
            "which has the largest recording"
        )
    if processes > MOST_PROCESSES:
        notes.append(f"of {processes:,} processes, the first {MOST_PROCESSES:,} were recorded")
    if profile.get("ended") == "most":
        notes.append(f"the recording ends after {profile.get('events'):,} events (--most)")
    if profile.get("ended") == "disk":
        notes.append("the recording ends early: it could not be written (is the disk full?)")
    return notes


def name_of(profile: Mapping[str, Any], otherwise: str) -> str:
    """The name of the recorded program, as it may stand in a benchmark's name."""
    words = profile.get("command")
    word = words[0] if isinstance(words, list) and words and isinstance(words[0], str) else otherwise
    plain = re.sub(r"[^a-z0-9_.-]+", "_", os.path.basename(word).lower()).strip("_.-")
    return plain[:LONGEST_NAME] or "program"
