"""How is the benchmark program built? With CMake, by one of the project's presets, without output on success."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from suite.base import foreign
from suite.base.cli import bar, time_left
from suite.base.errors import BadInput
from suite.base.files import lock_file
from suite.base.near_misses import did_you_mean
from suite.base.text import first_line

UNREADABLE = ';"\\\n'  # the letters of a path that CMake takes for something else
# What a user's environment tells CMake, which has more such variables: these are the usual causes of a failed build.
SETTINGS = ("CXX", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "CMAKE_TOOLCHAIN_FILE", "CMAKE_PREFIX_PATH", "CMAKE_GENERATOR",
            "CMAKE_CXX_COMPILER_LAUNCHER", "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR")  # fmt: skip


def build(root: Path, preset: str, status: Console, target: str = "stackheap", beside: Sequence[str] = ()) -> Path:
    """Builds a program, and other targets beside it, and returns its file; shows the compiler's output only if it fails.
    Raises BadInput."""
    offered = _presets(root)
    if preset not in offered:
        guess = did_you_mean(preset, offered)
        raise BadInput(f"preset {preset!r} does not exist{guess}; CMakePresets.json has: {', '.join(offered)}")
    folder = root / "build" / preset
    if read_only := _read_only(folder):
        return _built_before(folder / target, read_only, status)
    if found := next((letter for letter in UNREADABLE if letter in str(root)), ""):
        raise BadInput(f"CMake cannot build in {root}: the path contains {found!r}; move the project to another folder")
    with _alone_in(folder, status):
        _forget_other_settings(folder, root)
        if not (folder / "build.ninja").exists():
            _take_step(["cmake", "--preset", preset], root, status, f"configuring build/{preset}")
        _take_step(["cmake", "--build", str(folder), "--target", target, *beside], root, status, f"building build/{preset}")
    return folder / target


def _read_only(folder: Path) -> Path | None:
    """The folder that keeps the build from writing, if there is any."""
    return next((path for path in (folder, folder.parent) if path.exists() and not os.access(path, os.W_OK)), None)


def _built_before(program: Path, read_only: Path, status: Console) -> Path:
    if not os.access(program, os.R_OK):
        raise BadInput(f"{read_only} cannot be written to: copy the project to a folder of yours")
    status.print(f"{read_only} cannot be written to: {program} is used as it was built", soft_wrap=True)
    return program


def _forget_other_settings(folder: Path, root: Path) -> None:
    """A copied project still has the settings of the original, whose files the build would compile. And where CMake has
    failed, it would fail again because it remembers why."""
    cache = folder / "CMakeCache.txt"
    if not cache.exists():
        return
    home = re.search(r"^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$", cache.read_text(errors="replace"), re.MULTILINE)
    if home is None or Path(home[1]).resolve() != root.resolve() or not (folder / "build.ninja").exists():
        (folder / "build.ninja").unlink(missing_ok=True)
        cache.unlink()


def _take_step(command: list[str], root: Path, status: Console, task_name: str) -> None:
    if not status.is_terminal:  # where there is a bar, the bar says it
        status.print(task_name)
    run_quietly(command, root, status, task_name)


@contextlib.contextmanager
def _alone_in(folder: Path, status: Console) -> Iterator[None]:
    """Waits until no other command builds in the folder: two builds at once write the same files."""
    try:
        folder.parent.mkdir(exist_ok=True)
        lock = open(folder.with_name(f".{folder.name}.lock"), "wb")
    except OSError as problem:
        raise BadInput(f"{folder.parent} cannot be written to ({first_line(problem)}): copy the project to a folder of yours") from None
    with lock as locked:
        try:
            lock_file(locked)
        except BlockingIOError:
            status.print(f"waiting for another command that builds build/{folder.name}")
            lock_file(locked, wait=True)
        yield


def _presets(root: Path) -> list[str]:
    try:
        written = foreign.read_json((root / "CMakePresets.json").read_bytes())
        return [str(preset["name"]) for preset in written["configurePresets"] if not preset.get("hidden")]
    except foreign.OTHER_SHAPE:
        raise BadInput(f"{root / 'CMakePresets.json'} is damaged") from None


def run_quietly(command: list[str], root: Path, status: Console, task_name: str) -> None:
    """Runs a command, on a terminal with a bar and the time that is left, from Ninja's [3/17]; shows its output if it
    fails."""
    try:
        child = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        raise BadInput(f"{command[0]} is not installed: scripts/setup installs it") from None
    lines, begun = [], time.monotonic()
    with child, bar(status) as progress:
        task = progress.add_task(task_name, total=None, left="")
        try:
            for line in child.stdout or ():
                lines.append(line)
                step = re.match(r"\[(\d+)/(\d+)\]", line)
                if step and (done := int(step[1])):
                    left = (int(step[2]) - done) * (time.monotonic() - begun) / done
                    progress.update(task, completed=done, total=int(step[2]), left=time_left(left))
        except KeyboardInterrupt:  # it may have been sent to this process alone
            child.terminate()
            raise
    if child.returncode != 0:
        sys.stderr.write("".join(lines))
        given = [f"{name}={os.environ[name]}" for name in SETTINGS if os.environ.get(name)]
        blamed = f"; the environment sets {', '.join(given)}" if given else ""
        raise BadInput(f"{task_name} failed: see above{blamed}")
