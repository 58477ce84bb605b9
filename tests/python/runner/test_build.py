"""Does a build take the right files, and say what keeps it from its work?"""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from suite.base.errors import BadInput
from suite.commands import run
from suite.runner import build
from suite.runner.program import Program, ask

pytestmark = pytest.mark.hostile("set-up")
PRESETS = '{"configurePresets": [{"name": "release"}]}'


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that a build runs, which do nothing here."""
    taken: list[str] = []

    def run_quietly(command: list[str], *_: object) -> None:
        taken.append(" ".join(command[:2]))

    monkeypatch.setattr(build, "run_quietly", run_quietly)
    return taken


def project(folder: Path, home: Path | None = None, configured: bool = True) -> Path:
    """A project whose build folder was configured for the project in `home`, and has a program."""
    tree = folder / "build/release"
    tree.mkdir(parents=True)
    (folder / "CMakePresets.json").write_text(PRESETS)
    (tree / "CMakeCache.txt").write_text(f"# a comment\nCMAKE_HOME_DIRECTORY:INTERNAL={home or folder}\n")
    (tree / "stackheap").touch(0o755)
    if configured:
        (tree / "build.ninja").touch()
    return folder


def built(root: Path) -> tuple[Path, str]:
    shown = io.StringIO()
    return build.build(root, "release", Console(file=shown)), shown.getvalue()


def test_what_was_configured_here_is_only_built(tmp_path: Path, steps: list[str]) -> None:
    assert built(project(tmp_path / "here"))[0] == tmp_path / "here/build/release/stackheap"
    assert steps == ["cmake --build"]


def test_a_copied_project_does_not_build_the_files_of_the_original(tmp_path: Path, steps: list[str]) -> None:
    copy = project(tmp_path / "copy", home=tmp_path / "original")
    built(copy)
    assert steps == ["cmake --preset", "cmake --build"] and not (copy / "build/release/CMakeCache.txt").exists()


def test_what_cmake_remembers_of_a_failure_is_forgotten(tmp_path: Path, steps: list[str]) -> None:
    failed = project(tmp_path / "failed", configured=False)
    built(failed)
    assert steps == ["cmake --preset", "cmake --build"] and not (failed / "build/release/CMakeCache.txt").exists()


@pytest.mark.parametrize("part", ["build", "build/release"])
def test_a_project_that_can_only_be_read_is_measured_as_it_was_built(
    tmp_path: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    root = project(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK or path != root / part)
    program, shown = built(root)
    assert (program, steps) == (root / "build/release/stackheap", [])
    assert shown.replace("\n", "") == f"{root / part} cannot be written to: {program} is used as it was built"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(BadInput, match="cannot be written to: copy the project to a folder of yours"):
        built(root)


@pytest.mark.parametrize("letter", [";", '"', "\\", "\n"], ids=["semicolon", "quote", "backslash", "new line"])
def test_a_path_that_cmake_cannot_read_is_named(tmp_path: Path, steps: list[str], letter: str) -> None:
    with pytest.raises(BadInput) as refused:
        built(project(tmp_path / f"a{letter}b"))
    assert f"the path contains {letter!r}; move the project" in str(refused.value) and steps == []


def test_a_failed_build_names_what_the_environment_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in build.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    failing = ["sh", "-c", "echo an error; exit 1"]
    with pytest.raises(BadInput, match="^building failed: see above$"):
        build.run_quietly(failing, tmp_path, Console(quiet=True), "building")
    monkeypatch.setenv("CXXFLAGS", "-fnonsense")
    with pytest.raises(BadInput, match="see above; the environment sets CXXFLAGS=-fnonsense$"):
        build.run_quietly(failing, tmp_path, Console(quiet=True), "building")
    assert capsys.readouterr().err == "an error\n" * 2


def test_a_program_that_may_not_be_executed_there_is_named_with_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(subprocess, "run", refused)
    with pytest.raises(BadInput, match=r"cannot be run \(Permission denied\)"):
        ask(Program(tmp_path, "smoke"))
    flags = os.statvfs_result((4096, 4096, 1, 1, 1, 1, 1, 1, os.ST_NOEXEC, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: flags)
    with pytest.raises(BadInput, match="mounted with noexec: move the project to another file system"):
        ask(Program(tmp_path, "smoke"))


@pytest.mark.parametrize(("revision", "lines"), [("v1.2", 1), ("unknown: git did not answer", 2)])
def test_a_run_says_why_its_revision_is_unknown(tmp_path: Path, revision: str, lines: int) -> None:
    catalogue = SimpleNamespace(benchmarks=(), families=(), parts=(), context={"revision": revision})
    plan: Any = SimpleNamespace(catalogue=catalogue, program=SimpleNamespace(profile="smoke"), processes=1, order_seed=1)
    shown = io.StringIO()
    run._announce(plan, tmp_path, Console(file=shown, width=1000))
    assert len(shown.getvalue().splitlines()) == lines
    assert ("\nrevision unknown: git did not answer; scripts/run --version" in shown.getvalue()) == (lines == 2)
