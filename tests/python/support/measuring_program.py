"""Where is the measuring program, and what does it say? For the tests that run it as a user would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from support import ROOT


@cache
def program() -> Path:
    """STACKHEAP_PROGRAM, else what scripts/test builds. Its folder is that of the build."""
    return Path(os.environ.get("STACKHEAP_PROGRAM") or ROOT / "build" / "test" / "stackheap").resolve(strict=True)


def compiled(source: str, folder: Path, *options: str) -> Path:
    """The library of a source file of the repository, in the folder."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    assert compiler
    library = folder / f"lib{Path(source).stem}.so"
    command = [compiler, "-std=c++20", "-O1", "-shared", "-fPIC", *options, str(ROOT / source), "-o", str(library)]
    subprocess.run(command, check=True)
    return library


def hostile(fault: str) -> str:
    """--allocator's value for the library with this fault."""
    built = program().with_name(f"libhostile_{fault}.so")
    if not built.exists():
        pytest.skip("the hostile libraries are not built: build the target unit_tests")
    return f"evil={built},hostile_"


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("stackheap: ")]

    @property
    def results(self) -> dict[str, Any]:
        """What was measured, from --benchmark_format=json; NaN and the like, which are no JSON, are refused."""
        return parsed(self.out)

    @property
    def context(self) -> dict[str, Any]:
        return dict(self.results["context"])

    @property
    def rows(self) -> list[dict[str, Any]]:
        return list(self.results["benchmarks"])


def parsed(text: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    return dict(json.loads(text, parse_constant=refuse))


def run(*arguments: str, environment: Mapping[str, str] | None = None, timeout: float = 60) -> Answer:
    done = subprocess.run(
        [program(), *arguments],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def measure(*arguments: str, environment: Mapping[str, str] | None = None) -> Answer:
    """A run that must end well, its results as JSON; short, unless the arguments say otherwise."""
    answer = run("--profile=smoke", "--benchmark_format=json", *arguments, environment=environment)
    assert answer.status == 0, answer.err
    return answer


@cache
def listed(*arguments: str) -> dict[str, Any]:
    answer = run("--list=json", *arguments)
    assert answer.status == 0, answer.err
    return parsed(answer.out)


def available_mallocs() -> dict[str, dict[str, Any]]:
    """The malloc libraries that can be measured here, by name."""
    strategies = listed()["strategies"]
    return {strategy["name"]: strategy for strategy in strategies if strategy["file"] and strategy["available"]}


def names(list_of: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(entry["name"]) for entry in list_of]


def errors(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Why a benchmark has no time, by its name."""
    return {str(row["name"]): str(row["error_message"]) for row in rows if row.get("error_occurred")}
