"""Does each preset of CMake say what it is for, and does one that only measures do without what tests need?"""

import json
import os
import re
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support import ROOT
from support.measuring_program import program

PRESETS: dict[str, Any] = json.loads((ROOT / "CMakePresets.json").read_text())
NAMES = [preset["name"] for preset in PRESETS["configurePresets"] if not preset.get("hidden")]


def test_each_preset_says_what_it_is_for_and_can_be_built() -> None:
    for preset in PRESETS["configurePresets"]:
        assert preset.get("hidden") or len(preset["description"].split()) > 3, preset["name"]
    assert [preset["name"] for preset in PRESETS["buildPresets"]] == NAMES
    assert {"release", "test", "asan", "tsan", "aarch64"} <= set(NAMES)


def test_what_is_measured_with_is_configured_without_the_tests_library(tmp_path: Path) -> None:
    """A fresh machine on which scripts/setup --for run was the only help has no GTest."""
    answer = subprocess.run(
        ["cmake", "--preset", "release", "-B", tmp_path / "build", "-DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON"],
        cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert (tmp_path / "build/build.ninja").exists()


def test_every_preset_that_scripts_test_takes_builds_the_tests() -> None:
    taken = re.search(r"^case \$preset in (.*?)\) ;;", (ROOT / "scripts/test").read_text(), re.MULTILINE)
    assert taken
    for name in taken[1].split(" | "):
        shown = subprocess.run(["cmake", "--preset", name, "-N"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        assert 'BUILD_TESTING="ON"' in shown.stdout and ("clang" in name) == ("clang++" in shown.stdout), shown.stdout


FOLDERS = sorted({path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("benchmarks/*/*.cpp")})


@pytest.mark.nightly
@pytest.mark.skipif(not shutil.which("clang++"), reason="clang++ is not installed")
@pytest.mark.parametrize("folder", FOLDERS)
def test_clang_takes_what_gcc_takes(folder: str) -> None:
    """Clang 14 refuses a structured binding in a lambda, for example, which is C++20 and which GCC takes."""
    commands = json.loads((program().parent / "compile_commands.json").read_text())
    given = {Path(entry["file"]): shlex.split(entry["command"]) for entry in commands}
    sources = sorted(set((ROOT / folder).glob("*.cpp")) & set(given))

    def compile_with_clang(source: Path) -> subprocess.CompletedProcess[str]:
        kept = [option for option in given[source] if option.startswith(("-D", "-I", "-std="))]
        command = ["clang++", *kept, "-fsized-deallocation", "-fsyntax-only", str(source)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300)

    assert sources
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        answers = pool.map(compile_with_clang, sources)
        assert [answer.stderr for answer in answers if answer.returncode != 0] == []
