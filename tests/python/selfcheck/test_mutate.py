"""Does every mutant still apply, and is the verdict of scripts/mutate right?"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from suite.commands import mutate
from suite.selfcheck import mutate as mutating
from suite.selfcheck.mutate import CAUGHT, SURVIVED, UNBUILT
from support import ROOT

pytestmark = pytest.mark.slow  # builds and tests small projects

DOUBLED = "def doubled(x):\n    return 2 * x\n\n\ndef said(x):\n    return f'it is {x}'\n"
TEST = "from x import doubled\n\n\ndef test_doubled():\n    assert doubled(3) == 6\n\n\ndef test_idle():\n    pass\n"
CMAKE = """cmake_minimum_required(VERSION 3.22)
project(tiny LANGUAGES CXX)
file(GLOB tests CONFIGURE_DEPENDS tests/cpp/*.cpp)
add_executable(unit_tests ${tests})
file(GLOB families CONFIGURE_DEPENDS benchmarks/*/*.cpp)
add_executable(stackheap ${families})
"""
# A unit test with the output of googletest, which need not be installed.
UNIT = """#include <cstdio>
#include "../../allocators/twice.hpp"
int main() { std::puts("[==========] Running 1 test"); return twice(3) != 6; }
"""
ASK = """import os, subprocess
def test_one(): assert ask("1") == 1
def test_two(): assert ask("2") == 2
def ask(which): return subprocess.run([os.environ["STACKHEAP_PROGRAM"], which]).returncode
"""
FILES = {
    "scripts/x.py": DOUBLED,
    "tests/python/room/test_x.py": TEST,
    "pytest.ini": "[pytest]\npythonpath = scripts\n",
    "CMakeLists.txt": CMAKE,
    "allocators/twice.hpp": "inline int twice(int x) { return 2 * x; }\ninline int idle() { return 0; }\n",
    "tests/cpp/main.cpp": "",
    "tests/cpp/twice.cpp": UNIT,
    "tests/cpp/broken.cpp": "this is not compiled where only twice.cpp is wanted",
    "benchmarks/chapter/one.cpp": "int one() { return 1; }\n",
    "benchmarks/chapter/two.cpp": "int one();\nint two() { return 2; }\n"
    "int main(int, char** given) { return given[1][0] == '1' ? one() : two(); }\n",
    "tests/python/program/test_program.py": ASK,
}


def entry(breaks: str, file: str, old: str, new: str, tests: str) -> str:
    return f"== {breaks}\nin {file}\nnoticed by {tests}\n-{old}\n+{new}\n"


IN_SCRIPT = ("scripts/x.py", "tests/python/room/test_x.py")
CAUGHT_ONE = entry("three times", IN_SCRIPT[0], "2 * x", "3 * x", IN_SCRIPT[1])
SURVIVING_ONE = entry("says it is not", IN_SCRIPT[0], "it is {x}", "it is not {x}", IN_SCRIPT[1])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "tests/mutants").mkdir()
    return root


def with_mutants(project: Path, *entries: str) -> Path:
    (project / "tests/mutants/all.txt").write_text("# a comment\n\n" + "\n".join(entries))
    return project


def verdicts(project: Path, folder: Path, jobs: int = 2) -> dict[str, str]:
    outcomes = mutating.try_all(project, mutating.read_mutants(project), folder, sys.executable, jobs)
    return {outcome.mutant.breaks: outcome.verdict for outcome in outcomes}


# ---- the project's own mutants


def test_every_mutant_applies_to_the_code() -> None:
    assert mutating.stale(ROOT, mutating.read_mutants(ROOT)) == []


def test_every_family_and_every_strategy_is_broken_in_some_way() -> None:
    broken = {mutant.file for mutant in mutating.read_mutants(ROOT)}
    files = {str(file.relative_to(ROOT)) for file in ROOT.glob("benchmarks/*/*.cpp")}
    families = {file for file in files if mutating.FAMILY.fullmatch(file)} - {"benchmarks/allocation/scoped.cpp"}  # scoped.hpp
    strategies = {str(file.relative_to(ROOT)) for file in ROOT.glob("allocators/*.hpp")}
    declared = {file.replace(".cpp", ".hpp") for file in broken}  # what a header only declares is broken beside it
    assert (families | strategies) - broken - declared == set()


def test_a_familys_mutants_are_noticed_by_tests_of_that_family_alone() -> None:
    """Other families are broken at the same time."""
    for mutant in mutating.read_mutants(ROOT):
        family = mutating.FAMILY.fullmatch(mutant.file)
        if family and mutant.tests.startswith("tests/python/"):
            assert mutant.noticed_by.split()[1] == family[1], mutant.breaks


# ---- on a tiny project


def test_a_mutant_is_caught_or_survives(project: Path, tmp_path: Path) -> None:
    with_mutants(project, CAUGHT_ONE, SURVIVING_ONE)
    assert verdicts(project, tmp_path / "copies") == {"three times": CAUGHT, "says it is not": SURVIVED}
    assert (project / "scripts/x.py").read_text() == DOUBLED


def test_a_mutant_that_hangs_is_caught(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutating, "MOST_SECONDS_MORE", 1.0)
    with_mutants(project, entry("never ends", IN_SCRIPT[0], "    return 2 * x", "    while True: pass", IN_SCRIPT[1]))
    assert verdicts(project, tmp_path / "copies") == {"never ends": CAUGHT}


def test_compiled_mutants_are_built_and_a_failed_build_is_reported(project: Path, tmp_path: Path) -> None:
    twice, unit = "allocators/twice.hpp", "tests/cpp/twice.cpp"
    first, second, program = "benchmarks/chapter/one.cpp", "benchmarks/chapter/two.cpp", "tests/python/program/test_program.py"
    with_mutants(
        project,
        entry("adds", twice, "2 * x", "2 + x", unit),
        entry("idles", twice, "return 0;", "return 1;", unit),
        entry("no code", twice, "2 * x", "2 ** int", unit),
        entry("one is three", first, "return 1;", "return 3;", f"{program} one"),
        entry("one is no number", first, "return 1;", "return one two;", f"{program} one"),
        entry("two is four", second, "return 2;", "return 4;", f"{program} two"),
        entry("two is looked for in one", second, "two(); }", "2; }", f"{program} two"),
    )
    assert verdicts(project, tmp_path / "copies") == {
        "adds": CAUGHT, "idles": SURVIVED, "no code": UNBUILT, "one is three": CAUGHT, "one is no number": UNBUILT,
        "two is four": CAUGHT, "two is looked for in one": SURVIVED,
    }  # fmt: skip


def test_a_round_has_one_mutant_of_each_family_and_other_mutants_are_alone() -> None:
    def mutant_of(file: str, number: int) -> mutating.Mutant:
        return mutating.Mutant(f"{file} {number}", file, "a", "b", "tests/python/room/test_x.py")

    churn, batch, harness = "benchmarks/allocation/churn.cpp", "benchmarks/allocation/batch.cpp", "benchmarks/harness/main.cpp"
    mutants = [mutant_of(churn, 1), mutant_of(harness, 1), mutant_of(batch, 1), mutant_of(churn, 2), mutant_of(harness, 2)]
    rounds = [[mutant.breaks for mutant in together] for together in mutating.rounds_of(mutants)]
    assert rounds == [[f"{harness} 1"], [f"{harness} 2"], [f"{churn} 1", f"{batch} 1"], [f"{churn} 2"]]


def test_tests_are_timed_once_however_many_work(project: Path, tmp_path: Path) -> None:
    counting = "\n\ndef test_counted():\n    print('run', file=open('runs', 'a'))\n"
    (project / "tests/python/room/test_x.py").write_text(TEST + counting)
    second = SURVIVING_ONE.replace("it is not", "it was").replace("says it was", "says it was once")
    verdicts(with_mutants(project, SURVIVING_ONE, second), tmp_path / "copies", jobs=2)
    assert sum(len(file.read_text().split()) for file in tmp_path.glob("copies/*/runs")) == 1 + 2


@pytest.mark.parametrize(("entries", "code"), [((CAUGHT_ONE,), 0), ((CAUGHT_ONE, SURVIVING_ONE), 1)])
def test_the_exit_code_says_whether_a_mutant_survived(
    project: Path, entries: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mutate.main(["--jobs", "1"], with_mutants(project, *entries)) == code
    output, meanwhile = capsys.readouterr()
    assert f"{len(entries)} mutants: 1 caught" in output
    assert ("test_x.py did not notice" in output) == (code == 1)
    assert meanwhile.count(": says it is not\n") == code and "three times" not in meanwhile


def test_long_evidence_leaves_room_for_the_mutants_name(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "tests/python/room/test_x.py").write_text(TEST.replace("def test_", f"def test_{'x' * 200}_"))
    assert mutate.main(["--jobs", "1"], with_mutants(project, CAUGHT_ONE)) == 0
    assert "caught   three times " in capsys.readouterr().out


def test_only_and_list_choose_without_trying(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_mutants(project, CAUGHT_ONE, SURVIVING_ONE)
    assert mutate.main(["--list", "--only", "^three"], project) == 0
    output = capsys.readouterr().out
    assert "three times" in output and "says it is not" not in output


def test_all_tests_may_notice_a_mutant_that_the_named_tests_miss(project: Path, tmp_path: Path) -> None:
    with_mutants(project, CAUGHT_ONE.replace("test_x.py", "test_x.py idle"))
    (project / "tests/python/program/test_program.py").unlink()
    assert mutate.main([], project) == 1
    assert mutate.main(["--all"], project) == 0


GONE = entry("gone", "scripts/x.py", "no such text", "y", IN_SCRIPT[1])
BAD: dict[str, tuple[list[str], list[str], str]] = {  # mutants, arguments, message
    "old text that is gone": ([GONE], [], "gone: its old text occurs 0 times in scripts/x.py"),
    "old text that stands twice": ([entry("many", "scripts/x.py", "return", "yield", IN_SCRIPT[1])], [], "occurs 2 times"),
    "no such file": ([entry("no file", "scripts/y.py", "a", "b", IN_SCRIPT[1])], [], "0 times in scripts/y.py"),
    "no such tests": ([entry("no tests", "scripts/x.py", "2 * x", "3", "tests/python/room/test_y.py")], [], "tests/python/room/test_y.py does not exist"),
    "tests that are none": ([entry("odd", "scripts/x.py", "2 * x", "3", "scripts/test")], [], "takes a file in"),
    "tests that are not there": ([CAUGHT_ONE.replace("test_x.py", "test_x.py nothing_of_that_name")], [], "runs no test"),
    "nothing changed": ([entry("same", "scripts/x.py", "2 * x", "2 * x", IN_SCRIPT[1])], [], "changes nothing"),
    "the same name twice": ([CAUGHT_ONE, CAUGHT_ONE], [], "two mutants are called 'three times'"),
    "a line of no kind": ([f"{CAUGHT_ONE}what is this\n"], [], "line 8: a line begins with"),
    "an entry without a file": (["== nowhere\nnoticed by tests/python/room/test_x.py\n-a\n"], [], "no line begins with 'in'"),
    "none at all": ([], [], "has no mutant"),
    "a list of what is gone": ([GONE], ["--list"], "gone: its old text occurs 0 times"),
    "only that matches none": ([CAUGHT_ONE], ["--only", "four times"], "no mutant's name or file matches"),
    "only that is no pattern": ([CAUGHT_ONE], ["--only", "("], "--only takes a regular expression, got '('"),
    "no jobs": ([CAUGHT_ONE], ["--jobs", "0"], "--jobs takes a number from 1, got 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_line(project: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    entries, arguments, message = BAD[case]
    assert mutate.main(arguments, with_mutants(project, *entries)) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("scripts/mutate: ") and any(part in line for part in message.split("|"))


def test_tests_that_always_fail_are_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "tests/python/room/test_x.py").write_text("def test_x():\n    assert False\n")
    assert mutate.main([], with_mutants(project, CAUGHT_ONE)) == 2
    assert "fails on the unchanged code" in capsys.readouterr().err


def test_kept_copies_follow_the_code(project: Path, tmp_path: Path) -> None:
    with_mutants(project, CAUGHT_ONE)
    copies = tmp_path / "copies"
    assert verdicts(project, copies) == {"three times": CAUGHT}
    (project / "scripts/x.py").write_text(DOUBLED.replace("2 * x", "x + x"))
    (project / "tests/python/room/test_x.py").unlink()
    (project / "tests/python/room/test_z.py").write_text(TEST)
    with_mutants(project, entry("thrice", "scripts/x.py", "x + x", "x + x + x", "tests/python/room/test_z.py"))
    assert verdicts(project, copies) == {"thrice": CAUGHT}
    assert not list(copies.rglob("test_x.py"))


def test_help_explains_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        mutate.main(["--help"])
    assert ended.value.code == 0
    assert re.search(r"0 all mutants are caught, 1 a mutant survives,\s+2 bad input", capsys.readouterr().out)
