"""Where do the two sides of scripts/duet come from? From builds, git revisions, or two mallocs for one program."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from suite.base.errors import BadInput
from suite.gate.paired_run import SideBuilds, repeated
from suite.gate.pairs_file import Side
from suite.runner.build import run_quietly
from suite.runner.program import Program, ask

EXECUTABLE = "stackheap"
MALLOC = "malloc"  # the name of each side's library in benchmark names, so that both sides have the same names

# Functions are aligned to 64 bytes; paddings beyond a page give no new alignment.
PADDING_STEP, PADDING_STEPS = 64, 64

FACTS = ("compiler", "build_type", "build_flags", "suite_version", f"malloc.{MALLOC}")

Builder = Callable[[Path, str, Console], Path]


@dataclass(frozen=True)
class SideOptions:
    """The options that all programs of both sides are started with."""

    profile: str
    seconds: float  # Google Benchmark's min_time
    layouts: int = 1
    seed: int = 0  # of the layouts

    def program(self, executable: Path, *allocators: str) -> Program:
        return Program(executable, self.profile, None, allocators, options=repeated(self.seconds))


def of_build(label: str, options: SideOptions, folder: Path, status: Console) -> SideBuilds:
    """The side of a build folder, or of the program itself. The padded programs are put into `folder`."""
    path = Path(label)
    executable = path / EXECUTABLE if path.is_dir() else path
    if not executable.is_file() or not os.access(executable, os.X_OK):
        raise BadInput(f"{label} is neither a build folder nor a program: {executable} cannot be run")
    executable = executable.resolve()
    executables = _layouts(executable, options, folder, status) if options.layouts > 1 else [executable]
    return _side_builds(label, tuple(options.program(program_file) for program_file in executables))


def of_malloc(label: str, library: str, executable: Path, options: SideOptions) -> SideBuilds:
    """The side of the program with one malloc library; `library` is FILE or FILE,PREFIX, and FILE a path or a name that
    the system finds, such as libjemalloc.so.2."""
    file, comma, prefix = library.partition(",")
    if Path(file).is_file():
        file = str(Path(file).resolve())
    elif "/" in file:
        raise BadInput(f"--allocator {label}: {file} does not exist")
    return _side_builds(label, (options.program(executable, f"{MALLOC}={file}{comma}{prefix}"),))


def _side_builds(label: str, builds: tuple[Program, ...]) -> SideBuilds:
    catalogue = ask(builds[0])
    context = catalogue.context
    builds = tuple(catalogue.prepared(build) for build in builds)
    facts = {key: context[key] for key in FACTS if key in context}
    return SideBuilds(Side(label, facts | {"program": digest(builds[0].executable)[:12]}), builds)


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


# ---- revisions


def commit_of(label: str, root: Path) -> str:
    return _git(
        root,
        "rev-parse",
        "--verify",
        "--quiet",
        f"{label}^{{commit}}",
        problem=f"--rev takes a git revision, got {label!r}",
    )


@contextlib.contextmanager
def of_revision(
    label: str, root: Path, preset: str, build: Builder, options: SideOptions, folder: Path, status: Console
) -> Iterator[SideBuilds]:
    """The side of a git revision, which is checked out and built in a folder that is removed at the end."""
    commit = commit_of(label, root)
    worktree = root / "build" / "revisions" / commit
    if worktree.exists():
        raise BadInput(
            f"{worktree} is in use by another scripts/duet; if that has ended: git worktree remove --force {worktree}"
        )
    _git(root, "worktree", "prune", problem="git worktree prune failed")
    worktree.parent.mkdir(parents=True, exist_ok=True)
    try:
        _git(root, "worktree", "add", "--detach", str(worktree), commit, problem=f"{label} cannot be checked out")
        status.print(f"{label} is {commit[:12]}", markup=False)
        built = of_build(str(build(worktree, preset, status)), options, folder, status)
        facts = {**built.side.facts, "commit": commit}
        yield SideBuilds(Side(label, facts), built.builds)
    finally:
        subprocess.run(["git", "-C", str(root), "worktree", "remove", "--force", str(worktree)], capture_output=True)
        shutil.rmtree(worktree, ignore_errors=True)


def _git(root: Path, *arguments: str, problem: str) -> str:
    try:
        result = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        raise BadInput("git is not installed") from None
    if result.returncode != 0:
        error_lines = result.stderr.strip().splitlines()
        raise BadInput(problem + (f" ({error_lines[-1]})" if error_lines else ""))
    return result.stdout.strip()


# ---- layouts


def _layouts(executable: Path, options: SideOptions, folder: Path, status: Console) -> list[Path]:
    """Links the program behind paddings of several sizes, 0 among them; the build folder is left as it was."""
    tree = executable.parent
    if not (tree / "CMakeCache.txt").is_file():
        raise BadInput(f"--layouts takes build folders of CMake, to link them again: {tree} has no CMakeCache.txt")
    draw = random.Random(options.seed)
    paddings = [0, *(PADDING_STEP * step for step in draw.sample(range(1, PADDING_STEPS), options.layouts - 1))]
    target = Path(tempfile.mkdtemp(dir=folder))
    copies = []
    try:
        for number, padding in enumerate(paddings):
            _link(tree, padding, status)
            copies.append(shutil.copy(executable, target / f"{EXECUTABLE}-{number}"))
    finally:
        _link(tree, 0, status)
    if len({digest(Path(copy)) for copy in copies}) < len(copies):
        raise BadInput(f"--layouts needs a build that knows STACKHEAP_PADDING: in {tree}, all layouts are the same")
    return [Path(copy) for copy in copies]


def _link(tree: Path, padding: int, status: Console) -> None:
    run_quietly(["cmake", f"-DSTACKHEAP_PADDING={padding}", str(tree)], tree, status, f"configuring {tree}")
    build = ["cmake", "--build", str(tree), "--target", EXECUTABLE]
    run_quietly(build, tree, status, f"linking behind {padding} bytes")
