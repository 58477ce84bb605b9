"""Which mallocs can the user's program be given, and whose malloc did a process have?"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from suite.base import phrases
from suite.base.errors import BadInput
from suite.base.text import one_line
from suite.program.command import parse_probe
from suite.results.end_to_end import AGAIN, OWN
from suite.runner.program import Catalogue

MOST_NAMED = 5  # programs in a sentence


@dataclass(frozen=True)
class Deployment:
    """A malloc, and how a program gets it."""

    name: str
    file: str  # that has the symbol `malloc`; empty for the program's own
    preload: tuple[Path, ...] = ()
    version: str = ""
    reason: str = ""  # why it cannot be preloaded; empty: it can


def deployments(catalogue: Catalogue) -> tuple[Deployment, ...]:
    """The malloc libraries of the suite's list, in its order, as they are preloaded. A library whose functions have
    a prefix goes through its proxy; of two names for the same files, the first counts. Raises BadInput for a name
    that is taken."""
    by_files: dict[tuple[Path, ...], Deployment] = {}
    for malloc in catalogue.mallocs:
        if malloc.name in (OWN, AGAIN):
            raise BadInput(
                f"--allocator {malloc.name}=...: the program's own malloc has that name; accepted: another name"
            )
        if malloc.name == "process":  # of a program with a sanitizer
            continue
        if not malloc.available:
            by_files[(Path(malloc.name),)] = Deployment(malloc.name, malloc.file, reason=malloc.reason)
            continue
        library = Path(malloc.file)
        proxy = _proxy_of(library)
        files = (library,) if proxy is None else (library, proxy)
        # The proxy alone would load the library that the system finds.
        same = next((known for known in by_files if files[-1] in known), files)
        by_files.setdefault(same, Deployment(malloc.name, str(files[-1]), files, malloc.version))
    return tuple(by_files.values())


def _proxy_of(library: Path) -> Path | None:
    """libx_proxy.so.2.8, libx_proxy.so.2 or libx_proxy.so beside libx.so.2.8; None where there is no such file."""
    stem, dot, ending = library.name.partition(".so")
    while dot:
        proxy = library.with_name(f"{stem}_proxy.so{ending}")
        if proxy.exists():
            return proxy.resolve()
        if not ending:
            break
        ending = ending.rpartition(".")[0]
    return None


def same_file(one_path: str, other_path: str) -> bool:
    try:
        return os.path.samefile(one_path, other_path)
    except (OSError, ValueError):
        return one_path == other_path


@dataclass(frozen=True)
class Loaded:
    """A process that the probe was loaded into."""

    malloc: str  # the file that its malloc is in
    program: str  # the file
    name: str  # of the program


@dataclass(frozen=True)
class Proof:
    """What the probe found in a run: the first process after its last exec, then the others. Empty: it was never
    loaded."""

    processes: tuple[Loaded, ...]

    @property
    def definer(self) -> str:
        """The name of the program, if the first process's malloc is its own; else empty."""
        first = self.processes[:1]
        return "".join(process.name for process in first if process.malloc == process.program)


def read_proof(lines: str, process: int) -> Proof:
    entries = [(number, Loaded(*texts)) for number, *texts in parse_probe(lines)]
    first = [loaded for number, loaded in entries if number == process][-1:]
    return Proof((*first, *(loaded for number, loaded in entries if number != process)))


def missing_proof(proof: Proof, malloc: Deployment, command: str) -> str:
    """Why the run did not have this malloc; empty if a process of it had."""
    if not proof.processes:
        reasons = "is linked statically, is started with other rights, or cleans its environment"
        return f"LD_PRELOAD had no effect: {command} {reasons}"
    if any(same_file(process.malloc, malloc.file) for process in proof.processes):
        return ""
    if program := proof.definer:
        return f"{program} defines malloc itself, so no preloaded malloc is called"
    return f"{command} had the malloc of {proof.processes[0].malloc}, not that of {malloc.file}"


def others_without(proof: Proof, malloc: Deployment) -> str:
    """A sentence where some processes of the command did not have the malloc; or empty."""
    without = [process for process in proof.processes if not same_file(process.malloc, malloc.file)]
    if not without:
        return ""
    programs = phrases.joined(list(dict.fromkeys(process.name for process in without))[:MOST_NAMED])
    number = phrases.count(len(proof.processes), "process", "processes")
    return f"{len(without)} of {number} did not have {malloc.name}: {programs}"


def other_own(proof: Proof, mallocs: Iterable[Deployment]) -> str:
    """A sentence where the command's processes have different mallocs of their own; or empty."""
    known = tuple(mallocs)
    names = {
        process.name: name_of(process.malloc, known) or Path(process.malloc).name
        for process in proof.processes
        if not same_file(process.malloc, proof.processes[0].malloc)
    }
    texts = [f"{program} has {one_line(name)}" for program, name in list(names.items())[:MOST_NAMED]]
    return f"its processes have different mallocs of their own: {phrases.joined(texts)}" if texts else ""


def name_of(file: str, mallocs: Iterable[Deployment]) -> str | None:
    """The name of the malloc that is in this file; None where it is in no library of the list."""
    return next((malloc.name for malloc in mallocs if malloc.file and same_file(malloc.file, file)), None)
