"""Does scripts/test build only what the tests need, run the selected tests, and report their result?"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import ROOT

TOOLS = ("bash", "cat", "dirname", "grep", "mktemp", "readlink", "rm", "sed", "tail", "tee")
UNIT_TESTS = "TEST(arena, gives_what_it_has) {}\nTEST_P(fuzz, any_text_is_read) {}\n  // TEST(arena, is_a_comment) {}\n"

# Stand-ins for the commands that scripts/test runs. Each writes its arguments to $LOG; the rest is set by the test.
STUBS = {
    "scripts/setup": 'echo "setup $*" >>"$LOG.setup"; [ "$*" != "--for test --print-python" ] || echo "$(dirname "$LOG")/bin/python"; exit ${SETUP:-0}',
    "bin/cmake": 'echo "cmake $*" >>"$LOG"; [ "$1" != --build ] || exit ${BUILD:-0}',
    "bin/ctest": 'echo "ctest $*" >>"$LOG"; case "$*" in *" -N "*) echo "  Test #1: $LISTED" ;; '
    '*) echo "${CTEST_SAYS:-100% tests passed, 0 tests failed out of 7}"; echo Total Test time; exit ${CTEST:-0} ;; esac',
    "bin/python": 'echo "pytest $* program=${STACKHEAP_PROGRAM-}" >>"$LOG"; case "$*" in *--collect-only*) exit ${COLLECTED:-5} ;; esac; '
    'echo "${PYTEST_SAYS:-===== 9 passed in 0.10s =====}"; exit ${PYTEST:-0}',
    "bin/nproc": "echo ${CORES:-2}",
}


@dataclass(frozen=True)
class StubbedProject:
    """A folder with this project's scripts/test, and stand-ins for all commands that it runs."""

    folder: Path

    def test(self, *arguments: str, **variables: object) -> subprocess.CompletedProcess[str]:
        (self.folder / "log").write_text("")
        environment = {"PATH": str(self.folder / "bin"), "LOG": str(self.folder / "log")}
        environment |= {name: str(value) for name, value in variables.items()}
        return subprocess.run([str(self.folder / "scripts/test"), *arguments], env=environment, cwd="/", text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=60)  # fmt: skip

    @property
    def log(self) -> list[str]:
        return (self.folder / "log").read_text().splitlines()

    def log_of(self, command: str) -> list[str]:
        return [line.removeprefix(f"{command} ") for line in self.log if line.startswith(f"{command} ")]

    @property
    def pytest_arguments(self) -> str:
        """Of the call that runs the tests, which is the last."""
        return self.log_of("pytest")[-1].removeprefix("-m pytest").partition(" program=")[0].strip()


@pytest.fixture
def project(tmp_path: Path) -> StubbedProject:
    folder = tmp_path / "ein Gerät"
    for name, body in STUBS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    for tool in TOOLS:
        (folder / "bin" / tool).symlink_to(str(shutil.which(tool)))
    shutil.copy(ROOT / "scripts/test", folder / "scripts/test")
    (folder / "tests/cpp").mkdir(parents=True)
    (folder / "tests/cpp/arena.cpp").write_text(UNIT_TESTS)
    (folder / "tests/python/gate").mkdir(parents=True)
    (folder / "tests/browser/node_modules/axe-core").mkdir(parents=True)
    return StubbedProject(folder)


# ---- which tests run


def test_without_options_it_builds_and_runs_everything_on_all_cores(project: StubbedProject) -> None:
    assert project.test(CORES=4).returncode == 0
    assert project.log == [
        "cmake --preset test", "cmake --build build/test", "ctest --test-dir build/test --no-tests=error --output-on-failure",
        "pytest -m pytest -m not nightly --numprocesses 4 --dist loadgroup program=",
    ]  # fmt: skip


def test_many_cores_start_eight_processes(project: StubbedProject) -> None:
    assert project.test(CORES=256).returncode == 0
    assert project.pytest_arguments == "-m not nightly --numprocesses 8 --dist loadgroup"


def test_quick_builds_nothing(project: StubbedProject) -> None:
    done = project.test("--quick")
    assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in project.log} == {"pytest"}
    assert project.pytest_arguments == "-m quick --numprocesses 2 --dist loadgroup"
    assert done.stdout.splitlines()[-1] == "===== 9 passed in 0.10s ====="


def test_yes_is_for_the_setup_alone(project: StubbedProject) -> None:
    assert project.test("--quick", "--yes").returncode == 0
    assert "--yes" not in project.pytest_arguments
    assert (project.folder / "log.setup").read_text().startswith("setup --quiet --for test --yes\n")


@pytest.mark.parametrize("option", ["--nightly", "--all"])
def test_nightly_leaves_nothing_out(project: StubbedProject, option: str) -> None:
    assert project.test(option).returncode == 0
    assert project.pytest_arguments == "-m  --numprocesses 2 --dist loadgroup"  # an empty -m deselects no test
    assert len(project.log_of("ctest")) == 1


def test_a_mark_runs_its_tests_in_python_and_builds_for_those_that_run_the_program(project: StubbedProject) -> None:
    assert project.test("-m", "timing", COLLECTED=0).returncode == 0
    assert project.pytest_arguments == "-m timing --numprocesses 2 --dist loadgroup"
    assert any("--collect-only" in line and "-m (timing) and built" in line for line in project.log)
    assert project.log_of("cmake") and not project.log_of("ctest")
    assert project.test("-m", "timing").returncode == 0
    assert not project.log_of("cmake") and not project.log_of("ctest")


@pytest.mark.parametrize("arguments", [("--preset", "clang-test"), ("--preset=clang-test",)])
def test_another_preset_is_built_and_its_program_is_tested(project: StubbedProject, arguments: tuple[str, ...]) -> None:
    assert project.test(*arguments).returncode == 0
    assert project.log[:2] == ["cmake --preset clang-test", "cmake --build build/clang-test"]
    assert project.log[2].startswith("ctest --test-dir build/clang-test ")
    assert project.log[3].endswith(f" program={project.folder}/build/clang-test/stackheap")


def test_of_a_name_only_tests_run_that_have_it(project: StubbedProject) -> None:
    assert project.test("-k", "arena").returncode == 0
    assert project.log_of("ctest")[-1].endswith(" -R arena")
    assert project.pytest_arguments == "-m not nightly -k arena"


@pytest.mark.parametrize("name", ["claims", "is_a_comment"])
def test_a_name_that_no_test_in_cpp_has_runs_those_in_python_and_builds_nothing(project: StubbedProject, name: str) -> None:
    done = project.test("-k", name)
    assert done.returncode == 0, done.stderr
    assert not project.log_of("cmake") and not project.log_of("ctest")
    assert project.log_of("pytest")[0].startswith(
        f"-m pytest --collect-only --quiet -k {name} -m (not nightly) and built")  # fmt: skip
    assert done.stdout.splitlines()[-1] == "===== 9 passed in 0.10s ====="


def test_a_name_whose_tests_run_the_program_builds_it(project: StubbedProject) -> None:
    assert project.test("-k", "list", COLLECTED=0).returncode == 0
    assert project.log_of("cmake") == ["--preset test", "--build build/test"] and not project.log_of("ctest")


def test_a_name_that_only_an_earlier_build_knows_is_found(project: StubbedProject) -> None:
    (project.folder / "build/test").mkdir(parents=True)
    (project.folder / "build/test/CTestTestfile.cmake").touch()
    assert project.test("-k", "groups", LISTED="every/fuzz.any_text_is_read/groups").returncode == 0
    assert project.log_of("ctest")[-1].endswith(" -R groups")


def test_of_an_expression_ctest_understands_or(project: StubbedProject) -> None:
    assert project.test("-k", "arena or fuzz").returncode == 0
    assert project.log_of("ctest")[-1].endswith(" -R arena|fuzz")
    assert project.test("-k", "arena and not fuzz").returncode == 0
    assert not project.log_of("ctest") and project.pytest_arguments == "-m not nightly -k arena and not fuzz"


@pytest.mark.parametrize("place", ["tests/python/gate", "tests/cpp/arena.cpp::test_one"])
def test_a_file_or_folder_runs_its_tests_alone(project: StubbedProject, place: str) -> None:
    assert project.test("-x", place).returncode == 0
    assert not project.log_of("cmake") and not project.log_of("ctest")
    assert project.pytest_arguments == f"-m not nightly -x {place}"


# ---- the exit status


FAILED = {"CTEST": 8, "CTEST_SAYS": "86% tests passed, 1 tests failed out of 7"}
ERRED = {"PYTEST": 1, "PYTEST_SAYS": "===== 1 failed, 8 passed in 0.10s ====="}


@pytest.mark.parametrize("variables", [{}, FAILED, ERRED, {**FAILED, **ERRED}])
def test_it_ends_on_the_closing_lines_of_both(project: StubbedProject, variables: dict[str, object]) -> None:
    done = project.test(**variables)
    assert done.returncode == bool(variables), done.stdout + done.stderr
    assert done.stdout.splitlines()[-2:] == [
        variables.get("CTEST_SAYS", "100% tests passed, 0 tests failed out of 7"),
        variables.get("PYTEST_SAYS", "===== 9 passed in 0.10s ====="),
    ]


def test_a_build_that_fails_is_said_and_runs_no_test(project: StubbedProject) -> None:
    done = project.test(BUILD=1)
    assert (done.returncode, done.stderr) == (1, "scripts/test: the build failed, so no test ran\n")
    assert not project.log_of("ctest") and not project.log_of("pytest")


def test_a_machine_that_lacks_something_runs_nothing(project: StubbedProject) -> None:
    assert project.test(SETUP=2).returncode == 2
    assert project.log == []


@pytest.mark.parametrize(("arguments", "variables", "status"), [
    (("-k", "nobody"), {"PYTEST": 5}, 2),  # no test of that name in either language
    (("-k", "arena"), {"PYTEST": 5}, 0),  # only in C++
    (("--frobnicate",), {"PYTEST": 4}, 2),  # pytest does not know the option
])
def test_what_pytest_does_not_find_or_know(project: StubbedProject, arguments: tuple[str, ...],
                                           variables: dict[str, object], status: int) -> None:
    done = project.test(*arguments, **variables)
    assert done.returncode == status
    assert done.stderr == ("scripts/test: no test was selected\n" if "nobody" in arguments else "")


@pytest.mark.parametrize("arguments", [("--preset",), ("--preset", "gcc"), ("--preset=",), ("-k",), ("-m",),
                                       ("--quick", "--nightly"), ("-m", "built", "--quick")])
def test_bad_usage_is_one_line_that_names_what_is_accepted(project: StubbedProject, arguments: tuple[str, ...]) -> None:
    done = project.test(*arguments)
    assert (done.returncode, done.stdout, project.log) == (2, "", [])
    assert re.fullmatch(r"scripts/test: .+\n", done.stderr)


def test_help_explains_every_option_and_needs_nothing(project: StubbedProject) -> None:
    done = project.test("--help", SETUP=2)
    assert (done.returncode, project.log) == (0, [])
    taken = set(re.findall(r"^ {8}(?:\S+ \| )?(-[\w-]+)\)", (ROOT / "scripts/test").read_text(), re.MULTILINE))
    assert {"--quick", "--all", "--preset", "-k", "-m"} <= taken
    assert [option for option in taken if option not in done.stdout] == []


# ---- what tests/conftest.py makes of each test

PROGRAM = "def program():\n    return 'no build'\n\n\nclass Answer:\n    out = property(lambda self: program())\n"
MARKED = """
import pytest
from support import measuring_program
from support.measuring_program import Answer, program

def helper(): return measuring_program.program()
@pytest.fixture
def started(): return helper()
@pytest.fixture
def through_another(started): return started

def test_calls(): program()
def test_calls_through_a_module(): measuring_program.program()
def test_calls_through_a_helper(): helper()
def test_calls_in_a_function_inside():
    def inside(): return [program() for _ in range(2)]
def test_calls_through_a_class(): Answer()
def test_uses_a_fixture(started): pass
def test_uses_a_fixture_of_a_fixture(through_another): pass
@pytest.mark.parametrize("number", [1, 2])
def test_calls_twice(number): program()

def test_calls_nothing(): pass
@pytest.mark.timing
def test_compares_times(): pass
@pytest.mark.slow
def test_compiles(): pass
@pytest.mark.nightly
def test_tries_everything(): pass
"""
BESIDE = """
import time
from pathlib import Path
import pytest

@pytest.fixture(scope="module")
def made(): write("made")
def write(what):
    with open(Path(__file__).with_name("log"), "a") as log: log.write(what + "\\n")
def work(name, seconds=0.02):
    begun = time.monotonic()
    time.sleep(seconds)
    write(f"{name} {begun} {time.monotonic()}")

@pytest.mark.timing
@pytest.mark.parametrize("number", range(4))
def test_alone(number): work("alone", 0.1)
@pytest.mark.parametrize("number", range(40))
def test_beside_others(number): work("beside")
@pytest.mark.parametrize("number", range(6))
def test_shares(number, made): work("shares")
"""


def sample(folder: Path, **modules: str) -> Path:
    """A project of such tests, with the conftest and the settings of this one."""
    files = {"tests/python/support/measuring_program.py": PROGRAM, "tests/python/support/__init__.py": ""}
    files |= {f"tests/python/test_{name}.py": text for name, text in modules.items()}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "tests/browser").mkdir()
    (folder / "tests/browser/test_page.py").write_text("def test_opens(): pass\n")
    for name in ("tests/conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def run_pytest(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """As from a shell, whether this test runs in a process of pytest-xdist or not."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", **variables}
    command = [sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, timeout=300)


def collected(folder: Path, mark: str) -> set[str]:
    done = run_pytest(folder, "--collect-only", "-m", mark)
    assert done.returncode in (0, 5), done.stdout + done.stderr
    return {line.partition("::")[2].partition("[")[0] for line in done.stdout.splitlines() if "::" in line}


def test_the_marks_follow_from_the_code(tmp_path: Path) -> None:
    folder = sample(tmp_path, marked=MARKED)
    assert collected(folder, "built") == {
        "test_calls", "test_calls_through_a_module", "test_calls_through_a_helper", "test_calls_in_a_function_inside",
        "test_calls_through_a_class", "test_uses_a_fixture", "test_uses_a_fixture_of_a_fixture", "test_calls_twice",
    }  # fmt: skip
    assert collected(folder, "browser") == {"test_opens"}
    assert collected(folder, "quick") == {"test_calls_nothing", "test_compares_times"}
    assert collected(folder, "nightly") == {"test_tries_everything"}


def test_the_nightly_tests_run_where_they_are_asked_for_only(tmp_path: Path) -> None:
    folder = sample(tmp_path, marked=MARKED)
    usual, all_of_them = run_pytest(folder), run_pytest(folder, "-m", "")
    assert (usual.returncode, all_of_them.returncode) == (0, 0), usual.stdout + all_of_them.stdout
    assert re.search(r"\b13 passed, 1 deselected", usual.stdout) and re.search(r"\b14 passed in", all_of_them.stdout)


@pytest.mark.slow
def test_in_several_processes_a_timing_test_runs_alone_and_a_shared_fixture_is_made_once(tmp_path: Path) -> None:
    folder = sample(tmp_path, beside=BESIDE)
    done = run_pytest(folder, "--numprocesses", "3", "--dist", "loadgroup")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (folder / "tests/python/log").read_text().split("\n")
    assert lines.count("made") == 1
    spans = [(words[0], float(words[1]), float(words[2])) for words in map(str.split, lines) if len(words) == 3]
    assert len(spans) == 50
    beside = [[span for span in spans if span[1] < ended and begun < span[2]] for _, begun, ended in spans]
    assert {len(spans_beside) for (name, _, _), spans_beside in zip(spans, beside) if name == "alone"} == {1}
    assert max(len(spans_beside) for spans_beside in beside) > 1, "no test ran beside another"


# ---- whether the quick tests are quick

NOT_FETCHED = ("build", ".git", ".venv", "node_modules", "__pycache__", ".*_cache", ".hypothesis")


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """This project as it is fetched: without any build."""
    return Path(shutil.copytree(ROOT, tmp_path / "project", ignore=shutil.ignore_patterns(*NOT_FETCHED)))


def modules_of(folder: Path, mark: str) -> set[str]:
    done = run_pytest(folder, "--collect-only", "-m", mark, STACKHEAP_PROGRAM="")
    assert done.returncode == 0, done.stdout + done.stderr
    return {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line}


@pytest.mark.slow
def test_without_a_build_all_is_collected_and_quick_tests_beside_built_ones_pass(fetched: Path) -> None:
    """A quick test is most likely to reach the program where others do."""
    both = sorted(modules_of(fetched, "quick") & modules_of(fetched, "built"))
    assert both
    done = run_pytest(fetched, "-m", "quick", *both, STACKHEAP_PROGRAM="")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.nightly
def test_without_a_build_all_quick_tests_pass_in_two_minutes(fetched: Path) -> None:
    begun = time.monotonic()
    done = run_pytest(fetched, "--numprocesses", "2", "--dist", "loadgroup", "-m", "quick", STACKHEAP_PROGRAM="")
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - begun < 120  # a minute on two cores that do nothing else
    assert not (fetched / "build").exists()
