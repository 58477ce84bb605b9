"""Where do the two sides of a comparison come from? From builds, git revisions, mallocs or settings."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from suite.base.errors import BadInput
from suite.base.failure import cause_in
from suite.base.foreign_program import run_foreign
from suite.gate.paired_run import SideBuilds
from suite.gate.pairs_file import MARKS, Side
from suite.results.model import CPU_MODEL
from suite.results.read import RUN_FILES
from suite.runner.build import run_quietly
from suite.runner.program import Program, ask

EXECUTABLE = "stackheap"
GIT_SECONDS = 600.0  # to check a revision out
MALLOC = "malloc"  # the name of each side's library in benchmark names, so that both sides have the same names

# Functions are aligned to 64 bytes; paddings beyond a page give no new alignment.
PADDING_STEP, PADDING_STEPS = 64, 64

FACTS = (CPU_MODEL, "compiler", "build_type", "build_flags", "suite_version", f"malloc.{MALLOC}")

Builder = Callable[[Path, str, Console], Path]
Settings = tuple[tuple[str, str], ...]  # names and values of environment variables


@dataclass(frozen=True)
class SideOptions:
    """The options that all programs of a side are started with."""

    profile: str
    layouts: int = 1
    seed: int = 0  # of the layouts
    settings: Settings = ()


@dataclass(frozen=True)
class Source:
    """Where the programs of a side come from."""

    label: str  # the user's name for it
    executable: Path
    allocators: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def is_result(label: str) -> bool:
    """Whether a path is that of a result, and not that of a build folder or a program. Raises BadInput, OSError."""
    names = " nor ".join((EXECUTABLE, *RUN_FILES))
    if os.path.isdir(label):
        if os.path.exists(os.path.join(label, EXECUTABLE)):
            return False
        if any(os.path.exists(os.path.join(label, name)) for name in RUN_FILES):
            return True
        reason = f"the folder has neither {names}"
    elif os.path.isfile(label):
        beginning = _beginning(label)
        if beginning.startswith(tuple(f'{{"{mark}"'.encode() for mark in MARKS)):
            raise BadInput(f"{label} is a file of pairs: --judge {label} judges it")
        return not beginning.startswith((b"\x7fELF", b"#!"))
    else:
        reason = "it is neither a file nor a folder" if os.path.exists(label) else "it does not exist"
    raise BadInput(f"{label} is neither a build folder, a program nor a result: {reason}")


def _beginning(file: str) -> bytes:
    with open(file, "rb") as opened:
        return opened.read(16)


def of_build(label: str) -> Source:
    """A build folder, or the program itself."""
    path = Path(label)
    executable = path / EXECUTABLE if path.is_dir() else path
    if not executable.is_file() or not os.access(executable, os.X_OK):
        raise BadInput(f"{label} is neither a build folder nor a program: {executable} cannot be run")
    return Source(label, executable.resolve())


def of_malloc(label: str, library: str, executable: Path) -> Source:
    """The program with one malloc library, FILE[,PREFIX]: the program reads it, as it does everywhere."""
    return Source(label, executable, (f"{MALLOC}={library}",))


def side_of(source: Source, options: SideOptions, folder: Path, status: Console) -> SideBuilds:
    """The side that comes from there. The padded programs are put into `folder`."""
    executables = [source.executable]
    if options.layouts > 1:
        executables = _layouts(source.executable, options, folder, status)
    builds = tuple(
        Program(executable, options.profile, allocators=source.allocators, settings=options.settings)
        for executable in executables
    )
    catalogue = ask(builds[0])
    for malloc in catalogue.mallocs:
        if source.allocators and malloc.name == MALLOC and not malloc.available:
            raise BadInput(f"--allocator {source.label}: {malloc.file} cannot be measured: {malloc.reason}")
    facts = {key: catalogue.context[key] for key in FACTS if key in catalogue.context}
    facts |= {"program": digest(builds[0].executable)[:12], **source.facts}
    label = source.label
    if options.settings:
        facts["settings"] = " ".join(f"{name}={value}" for name, value in options.settings)
        label = f"{label} with {facts['settings']}"
    return SideBuilds(Side(label, facts), tuple(catalogue.prepared(build) for build in builds), catalogue)


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
def of_revision(label: str, root: Path, preset: str, build: Builder, status: Console) -> Iterator[Source]:
    """A git revision, which is checked out and built in a folder that is removed at the end."""
    commit = commit_of(label, root)
    worktree = root / "build" / "revisions" / commit
    if worktree.exists():
        raise BadInput(
            f"{worktree} is in use by another scripts/compare; if that has ended: git worktree remove --force "
            f"{worktree}"
        )
    _git(root, "worktree", "prune", problem="git worktree prune failed")
    worktree.parent.mkdir(parents=True, exist_ok=True)
    try:
        _git(root, "worktree", "add", "--detach", str(worktree), commit, problem=f"{label} cannot be checked out")
        status.print(f"{label} is {commit[:12]}")
        built = of_build(str(build(worktree, preset, status)))
        yield replace(built, label=label, facts={"commit": commit})
    finally:
        with contextlib.suppress(BadInput):  # the folder is removed either way
            _git(root, "worktree", "remove", "--force", str(worktree), problem="")
        shutil.rmtree(worktree, ignore_errors=True)


def _git(root: Path, *arguments: str, problem: str) -> str:
    answer = run_foreign(["git", "-C", root, *arguments], GIT_SECONDS, environment=_git_environment())
    if "dubious ownership" in answer.errors:
        raise BadInput(
            f"{root} belongs to another user, and git does not read it; to trust it: git config --global --add "
            f"safe.directory {shlex.quote(str(root))}"
        )
    if answer.exit_code != 0:
        cause = cause_in(answer.errors)
        raise BadInput(problem + (f" ({cause})" if cause else ""))
    return answer.output.strip()


def _git_environment() -> dict[str, str]:
    """Within a hook of git, these variables name another repository. Errors are in English, as they are searched."""
    named = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")
    return {**{name: value for name, value in os.environ.items() if name not in named}, "LC_ALL": "C"}


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
