"""Does what CONTRIBUTING.md tells newcomers to add work as it stands there?"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import ROOT

pytestmark = pytest.mark.slow  # compiles

GUIDE = ROOT / "CONTRIBUTING.md"
NEEDED = (
    "allocators", "benchmarks/harness", "benchmarks/recording", "scripts", "CMakeLists.txt", "CMakePresets.json",
    "pyproject.toml", "tests/planted", "tests/independent", "tests/conftest.py", "tests/cpp/libraries",
    "tests/hostile", "tests/python/program", "tests/python/support",
)  # fmt: skip
FAMILIES_KEPT = ("benchmarks/allocation/scoped.cpp", "benchmarks/allocation/scoped.hpp")  # the rest would take minutes


@dataclass(frozen=True)
class Addition:
    """A piece of code of the guide: a file of its own, or lines before or after a mark in one that is there."""

    path: str
    code: str
    place: str = ""
    mark: str = ""


def additions() -> Iterator[Addition]:
    """Each code block, by the words that lead to it."""
    path = ""
    for before, language, code in re.findall(r"(.*?)^```(\w+)\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE):
        lead = " ".join(before.strip().split("\n\n")[-1].split())
        if language == "sh":
            continue
        if inside := re.search(r"In `([^`]+)`, (after|before) `([^`]+)`:$", lead):
            path = inside[1]
            yield Addition(path, code, inside[2], inside[3])
        elif again := re.search(r"^and (after|before) `([^`]+)`:$", lead):
            yield Addition(path, code, again[1], again[2])
        else:
            new = re.search(r"`([^`]+)`:$", lead)
            assert new, f"it is not said where this goes: {lead[-80:]}"
            path = new[1]
            yield Addition(path, code)


def carry_out(addition: Addition, root: Path) -> None:
    file = root / addition.path
    if not addition.mark:
        assert not file.exists()
        file.parent.mkdir(parents=True, exist_ok=True)  # the copy of the project lacks some
        file.write_text(addition.code)
        return
    text = file.read_text()
    assert text.count(addition.mark) == 1, f"{addition.mark} is not once in {addition.path}"
    code, mark = addition.code, addition.mark
    pieces = (code, mark) if addition.place == "before" else (f"{mark}\n", code.removesuffix("\n"))
    file.write_text(text.replace(mark, "".join(pieces)))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with few families, and with everything that the guide adds."""
    root = tmp_path_factory.mktemp("project")
    for name in (*NEEDED, *FAMILIES_KEPT):
        source, target = ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for addition in additions():
        carry_out(addition, root)
    return root


def run(root: Path, *command: str, seconds: float = 600, environment: Mapping[str, str] | None = None) -> str:
    ended = subprocess.run(
        command, cwd=root, capture_output=True, text=True, timeout=seconds, env={**os.environ, **(environment or {})}
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    return ended.stdout


@pytest.fixture(scope="module")
def program(project: Path) -> Path:
    build = project / "build"
    options = ("-DCMAKE_BUILD_TYPE=Debug", "-DBUILD_TESTING=OFF", "-DSTACKHEAP_WARNINGS_ARE_ERRORS=ON")
    run(project, "cmake", "-G", "Ninja", "-S", str(project), "-B", str(build), *options)
    run(project, "cmake", "--build", str(build), "--target", "stackheap")
    return build / "stackheap"


def test_every_kind_of_thing_is_added_once() -> None:
    paths = [addition.path for addition in additions()]
    assert [path.split("/")[0] for path in paths] == [
        "allocators", "tests", "allocators", "benchmarks", "tests", "scripts", "tests", "scripts", "tests",
    ]  # fmt: skip
    marked = [addition.path for addition in additions() if addition.mark]
    assert marked == ["allocators/libraries.hpp", "scripts/suite/claims/allocation.py"]


def test_the_program_has_the_strategy_the_malloc_and_the_family(program: Path, project: Path) -> None:
    catalogue = json.loads(run(project, str(program), "--list=json", "--profile=smoke"))
    family = next(family for family in catalogue["families"] if family["name"] == "two")
    assert (family["chapter"], family["question"]) == ("allocation", "Do two blocks cost twice as much as one block?")
    assert {"two/c_calloc/bytes:64", "two/glibc/bytes:64"} <= set(family["benchmarks"])
    strategies = {strategy["name"]: strategy for strategy in catalogue["strategies"]}
    assert strategies["c_calloc"]["what"] == "calloc of the process: memory that is zero"
    assert strategies["rpmalloc"]["available"] or strategies["rpmalloc"]["reason"]


def test_the_operation_of_the_family_is_tested(program: Path, project: Path) -> None:
    """The family declares it in its own file: the table of tests is made from the program's list."""
    tests = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/python/program/test_operations.py", "-k", "two")
    output = run(project, sys.executable, *tests, environment={"STACKHEAP_PROGRAM": str(program)})
    assert re.search(r"^1 passed", output, re.MULTILINE), output


# Tests about the documents and the history of this repository; the copy has neither.
NOT_IN_A_COPY = ("tests/python/project", "tests/python/pages/test_docs.py")


@pytest.mark.nightly
def test_every_test_passes_with_what_the_guide_adds(tmp_path: Path) -> None:
    """A second file that had to be touched would fail here: only what the guide names is changed."""
    files = run(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    for addition in additions():
        carry_out(addition, tmp_path)
    build = tmp_path / "build" / "test"
    run(tmp_path, "cmake", "--preset", "test")
    run(tmp_path, "cmake", "--build", str(build), seconds=3600)
    run(tmp_path, str(build / "unit_tests"), seconds=600)
    tests = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/python", *(f"--ignore={name}" for name in NOT_IN_A_COPY))
    run(tmp_path, sys.executable, *tests, seconds=3600, environment={"STACKHEAP_PROGRAM": str(build / "stackheap")})


LOOK = """
import sys
from pathlib import Path
from suite import charts, claims
from suite.results.read import read_run
run = read_run(Path(sys.argv[1]))
drawn = charts.draw(run, "two")
judged = next(one for one in claims.verdicts(run) if one.id == "two-cost-double")
print(drawn.title, judged.verdict, judged.gist, judged.details, sep="\\n")
"""


def test_the_chart_and_the_claim_read_what_the_family_measured(program: Path, project: Path) -> None:
    written = project / "two.json"
    run(
        project, str(program), "--profile=smoke", "--benchmark_filter=^(two|scoped)/", "--benchmark_min_time=0.001",
        "--benchmark_repetitions=5", f"--benchmark_out={written}", "--benchmark_out_format=json",
    )  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(project / "scripts"), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", LOOK, str(written)], capture_output=True, text=True, env=environment, cwd=project
    )
    assert ended.returncode == 0, ended.stderr
    title, verdict, gist, details = ended.stdout.splitlines()
    assert title.startswith("Two blocks of 64 B cost ")
    assert verdict in ("holds", "holds, but", "does not hold", "undecided") and "glibc" in details and gist
