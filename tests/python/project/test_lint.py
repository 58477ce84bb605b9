"""Does scripts/lint find a planted fault with each tool, name a missing tool, and find no fault in this project?"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support import ROOT

pytestmark = pytest.mark.slow  # runs linters

COMMANDS = ("awk", "bash", "cat", "cmake", "dirname", "env", "find", "grep", "mktemp", "nproc", "readlink", "rm", "sed",
            "sort", "xargs")

# A faulty file of each tool's language, and the tool's name for its fault.
FAULTS = {
    "clang-tidy": ("fault.cpp", "#include <string>\n#include <utility>\n\nstd::string twice(std::string text) {\n"
                   "  std::string taken = std::move(text);\n  return taken + text;\n}\n", "bugprone-use-after-move"),
    "cppcheck": ("fault.cpp", "int beyond() {\n  int few[4] = {};\n  return few[4];\n}\n", "arrayIndexOutOfBounds"),
    "shellcheck": ("scripts/fault", "#!/bin/sh\nrm -r $1/tmp\n", "SC2086"),
    "mypy": ("scripts/suite/fault.py", "def untyped(x):\n    return x\n", "no-untyped-def"),
}


def lint(folder: Path, *tools: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([folder / "scripts/lint", *tools], env={**os.environ, "PATH": path}, capture_output=True,
                          text=True, timeout=300)


def needs(*tools: str) -> None:
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A project of one sound file of each language, with this project's command and rules."""
    folder = tmp_path / "a project"
    for name in ("scripts/suite", "tests/python", "tests/browser"):
        (folder / name).mkdir(parents=True)
    for name in ("scripts/lint", ".clang-tidy", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("scripts/suite", "tests/python", "tests/browser"):
        (folder / name / "__init__.py").write_text("")
    (folder / "sound.cpp").write_text("int sound() { return 1; }\n")
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.22)\nproject(small LANGUAGES CXX)\n"
        "file(GLOB files *.cpp)\nset(written ${PROJECT_BINARY_DIR}/revision/revision.cpp)\n"
        "add_library(small STATIC ${files} ${written})\n"
        "add_custom_target(revision COMMAND ${CMAKE_COMMAND} -E touch ${written} BYPRODUCTS ${written})\n")
    (folder / "CMakePresets.json").write_text(
        '{"version": 3, "configurePresets": [{"name": "clang", "generator": "Ninja", "binaryDir": "${sourceDir}/build/clang",'
        ' "cacheVariables": {"CMAKE_EXPORT_COMPILE_COMMANDS": "ON"}}]}')
    return folder


@pytest.mark.parametrize("tool", FAULTS)
def test_each_tool_finds_its_planted_fault_and_reports_it(small: Path, tool: str) -> None:
    needs(tool)
    sound = lint(small, tool)
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert sound.stdout.split() == [tool, "clean"]
    name, text, fault = FAULTS[tool]
    (small / name).write_text(text)
    faulty = lint(small, tool)
    assert faulty.returncode == 1, faulty.stdout + faulty.stderr
    assert Path(name).name in faulty.stdout and fault in faulty.stdout
    assert faulty.stdout.splitlines()[-1].split() == [tool, "found", "the", "faults", "above"]


def test_a_missing_tool_is_named_and_the_other_tools_run(small: Path, tmp_path: Path) -> None:
    needs("shellcheck")
    commands = tmp_path / "commands"
    commands.mkdir()
    for name in (*COMMANDS, "shellcheck"):
        if path := shutil.which(name):
            (commands / name).symlink_to(path)
    answer = lint(small, "mypy", "shellcheck", path=str(commands))
    assert answer.returncode == 2
    assert [line.split() for line in answer.stdout.splitlines()] == [
        ["mypy", "missing;", "to", "install:", "scripts/setup", "--for", "lint"], ["shellcheck", "clean"]]


def test_an_unknown_tool_is_refused_in_one_line() -> None:
    answer = lint(ROOT, "pylint")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "scripts/lint: unknown tool 'pylint'; it takes clang-tidy cppcheck shellcheck mypy\n"


@pytest.mark.parametrize("tool", ["shellcheck", "mypy"])
def test_this_project_has_no_fault(tool: str) -> None:
    """clang-tidy and cppcheck take minutes: scripts/lint runs them."""
    needs(tool)
    answer = lint(ROOT, tool)
    assert answer.returncode == 0, answer.stdout + answer.stderr
