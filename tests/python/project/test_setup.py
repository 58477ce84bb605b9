"""Does scripts/setup install exactly what is missing, and say so first, on any kind of machine?"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import ROOT

MODULES = ("matplotlib", "numpy", "rich", "jinja2", "pytest", "hypothesis", "xdist", "yaml",
           "selenium")
PREFIX = {"xdist": "pytest-"}  # of the package of a module
TOOLS = ("sh", "env", "awk", "sed", "tr", "cat", "cp", "date", "dirname", "ls", "mkdir", "mktemp", "readlink", "rm", "tail",
         "timeout", "touch")

# The stand-ins for commands. What the machine has are files under $MACHINE; what it was told to do is in $MACHINE/log.
STUBS = {
    "bin/c++": """
while read -r line; do last=$line; case $line in *'<'*'>'*) header=${line#*<}; header=${header%>*} ;; esac; done
[ -e "$MACHINE/include/$header" ] && echo "$last\"""",
    "bin/cmake": "echo cmake version 3.22.1",
    "bin/ninja": "echo 1.11.1",
    "bin/clang++": "[ $1 = --version ] && echo clang version 19",  # there, but the compiler that is asked is another
    **dict.fromkeys(("bin/git", "bin/chromium", "bin/chromedriver", "bin/npm"), "echo 1.0"),
    "bin/pkg-config": 'case $1 in --version) echo 1.8.1 ;; *) [ -e "$MACHINE/pkgconfig/$2" ] && echo 2.9.0 ;; esac',
    "bin/ldconfig": 'for file in "$MACHINE"/lib/*; do echo "$file (libc6,x86-64) => $file"; done',
    "bin/id": "echo ${FAKE_UID:-0}",
    "bin/uname": "echo ${FAKE_KERNEL:-Linux}",
    "bin/sudo": """
[ "$*" != "-n true" ] || { [ -z "${ASKS_FOR_PASSWORD-}" ] || echo a password is required; exit ${ASKS_FOR_PASSWORD:-0}; } >&2
echo "sudo $*" >>"$MACHINE/log"; exec "$@\"""",
    "bin/sleep": 'echo "sleep $*" >>"$MACHINE/log"; rm -f "$MACHINE/lists.lock"',
    "bin/apt-cache": """
[ "$1" = madison ] || exit 100
shift
for name; do [ ! -e "$MACHINE/index/$name" ] || echo " $name | 1.0 | http://mirror.invalid Packages"; done""",
    "bin/apt-get": """
case "$*" in *--assume-no*) cat "$MACHINE/size"; exit 1 ;; esac
echo "apt-get $*" >>"$MACHINE/log"
echo "apt-get is at work ($DEBIAN_FRONTEND)"
for last; do :; done
if [ "$last" = update ]; then
    [ ! -e "$MACHINE/lists.lock" ] || exit 100
    [ -e "$MACHINE/offline" ] || cp -r "$MACHINE/mirror/." "$MACHINE/index"
    exit
fi
for package; do
    case $package in -* | D[Pp]kg* | install) continue ;; esac
    [ ! -e "$MACHINE/offline" ] && [ -e "$MACHINE/index/$package" ] || exit 100
    while read -r file; do
        mkdir -p "$MACHINE/$(dirname "$file")"
        cp "$MACHINE/stock/$file" "$MACHINE/$file"
    done <"$MACHINE/index/$package"
done""",
    "root/usr/bin/python3": """
case "$2 $3 $4" in
    "-m venv "*)
        [ -e "$0.modules/ensurepip" ] || exit 1
        mkdir -p "$5/bin"; cp "$0" "$5/bin/python" ;;
    "-m pip --version") exit ;;
    "-m pip "*)
        echo "pip $*" >>"$MACHINE/log"
        [ ! -e "$MACHINE/offline" ] || { echo no network; exit 1; }
        cp -r "$MACHINE/pypi" "$0.modules" ;;
    *"/suite/start.py lacks "*)
        shift 3; printf lacks; for module; do [ -e "$0.modules/$module" ] || printf ' %s' "$module"; done ;;
    *"/suite/start.py state "*) echo "$*" "$0.modules/"* ;;
    *"/suite/start.py explain "*)
        shift 3; for module; do [ ! -e "$0.modules/$module.broken" ] || echo "scripts/setup: $module is broken"; done ;;
esac""",
}

# What each Debian package brings.
PACKAGES: dict[str, list[str]] = {
    "g++": ["bin/c++", "include/version"],
    "cmake": ["bin/cmake"],
    "ninja-build": ["bin/ninja"],
    "git": ["bin/git"],
    "clang": ["bin/clang++"],
    "pkg-config": ["bin/pkg-config"],
    "libhwloc-dev": ["pkgconfig/hwloc"],
    "libzstd-dev": ["pkgconfig/libzstd"],
    "libbenchmark-dev": ["include/benchmark/benchmark.h"],
    "libgtest-dev": ["include/gtest/gtest.h"],
    "libmimalloc2.0": ["lib/libmimalloc.so.2"],
    "libjemalloc2": ["lib/libjemalloc.so.2"],
    "libtcmalloc-minimal4": ["lib/libtcmalloc_minimal.so.4"],
    "libtbbmalloc2": ["lib/libtbbmalloc.so.2"],
    "chromium": ["bin/chromium"],
    "chromium-driver": ["bin/chromedriver"],
    "npm": ["bin/npm"],
    "libbenchmark-tools": ["root/usr/share/benchmark/compare.py"],
    "python3": ["root/usr/bin/python3"],
    "python3-venv": ["root/usr/bin/python3.modules/ensurepip"],
    "python3-munkres": [],
    **{f"python3-{PREFIX.get(name, '')}{name}": [f"root/usr/bin/python3.modules/{name}"] for name in MODULES},
}

JEMALLOC, MIMALLOC = "lib/libjemalloc.so.2", "lib/libmimalloc.so.2"
APT = "apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold"
APT_INSTALL = f"{APT} install --yes --no-install-recommends"


def write_command(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@dataclass(frozen=True)
class Machine:
    """A Debian with everything on it, to take things from. Its project stands in a folder with an awkward name."""

    folder: Path

    @property
    def project(self) -> Path:
        return self.folder / "mein Gerät"

    @property
    def environment(self) -> dict[str, str]:
        folders = {"MACHINE": self.folder, "STACKHEAP_ROOT": self.folder / "root", "PATH": self.folder / "bin"}
        return {name: str(folder) for name, folder in folders.items()}

    def lacks(self, *files: str) -> None:
        for file in files:
            (self.folder / file).unlink()

    def has_no_index(self) -> None:
        for listing in (self.folder / "index").iterdir():
            listing.unlink()

    def is_a(self, os_release: str) -> None:
        (self.folder / "root/etc/os-release").write_text(os_release)

    def setup(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(self.folder / "link to setup"), *arguments], env=self.environment | variables,
                              cwd="/", text=True, encoding="utf-8", capture_output=True, stdin=subprocess.DEVNULL,
                              timeout=60, start_new_session=True)  # without a terminal

    @property
    def log(self) -> list[str]:
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def setup_log(self) -> str:
        return (self.project / "build/setup.log").read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    stock = tmp_path / "stock"
    for file in {file for files in PACKAGES.values() for file in files} - STUBS.keys():
        (stock / file).parent.mkdir(parents=True, exist_ok=True)
        (stock / file).touch()
    for name, script in STUBS.items():
        write_command(stock / name, script)
    shutil.copytree(stock, tmp_path, dirs_exist_ok=True)
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    for folder in ("index", "mirror", "pypi", "root/etc"):
        (tmp_path / folder).mkdir()
    for name, files in PACKAGES.items():
        for listing in ("index", "mirror"):
            (tmp_path / listing / name).write_text("".join(f"{file}\n" for file in files))
    for module in MODULES:
        (tmp_path / "pypi" / module).touch()
    (tmp_path / "size").touch()
    made = Machine(tmp_path)
    made.is_a("ID=debian\n")
    (made.project / "scripts/suite/commands").mkdir(parents=True)
    for script in ("setup", "run", "suite/launch", "suite/start.py"):
        shutil.copy(ROOT / "scripts" / script, made.project / "scripts" / script)
    (tmp_path / "link to setup").symlink_to("mein Gerät/scripts/setup")
    return made


def test_nothing_missing_runs_nothing_and_says_one_line(machine: Machine) -> None:
    done = machine.setup()
    assert (done.returncode, done.stdout, done.stderr) == (0, "scripts/setup: everything is installed\n", "")
    assert machine.log == []


def test_quiet_says_nothing_when_nothing_is_missing(machine: Machine) -> None:
    done = machine.setup("--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_missing_need_is_announced_then_installed(machine: Machine) -> None:
    machine.lacks("include/benchmark/benchmark.h", "bin/ninja", JEMALLOC)
    done = machine.setup("--quiet")
    assert done.returncode == 0, done.stderr
    assert machine.log == [f"{APT} update", f"{APT_INSTALL} ninja-build libbenchmark-dev",
                           f"{APT_INSTALL} libjemalloc2"]
    commands = [f"$ env -u TMPDIR DEBIAN_FRONTEND=noninteractive {call}" for call in machine.log]
    at_work = "apt-get is at work (noninteractive)"
    assert machine.setup_log.splitlines() == [line for command in commands for line in (command, at_work)]
    assert re.sub(r"\d+ s$", "0 s", done.stdout, flags=re.MULTILINE).splitlines() == [
        "scripts/setup: missing: command ninja, header benchmark/benchmark.h, malloc jemalloc",
        "scripts/setup: to install: ninja-build libbenchmark-dev libjemalloc2",
        f"scripts/setup: what the commands print goes to {machine.project}/build/setup.log",
        "scripts/setup: updating the index of packages ... 0 s",
        "scripts/setup: installing the necessary packages ... 0 s",
        "scripts/setup: installing the other packages ... 0 s"]


SIZE = """Reading package lists...
0 upgraded, 181 newly installed, 0 to remove and 0 not upgraded.
Need to get 157 MB of archives.
After this operation, 640 MB of additional disk space will be used.
Do you want to continue? [Y/n] N
Abort.
"""


def test_the_size_is_apts_own(machine: Machine) -> None:
    machine.lacks("bin/ninja")
    (machine.folder / "size").write_text(SIZE)
    size = "\nscripts/setup: 181 packages with what they need, 157 MB to download, 640 MB of disk space\n"
    assert size in machine.setup("--dry-run").stdout
    (machine.folder / "size").write_text(re.sub("Need.*|After.*", "", SIZE))
    assert "\nscripts/setup: 181 packages with what they need\n" in machine.setup("--dry-run").stdout


def on_a_terminal(machine: Machine, answer: str, *arguments: str, **variables: str) -> tuple[int, str]:
    """The exit code, and all that the terminal shows."""
    ours, theirs = os.openpty()
    environment = machine.environment | variables
    os.write(ours, answer.encode())
    with subprocess.Popen([machine.folder / "link to setup", *arguments], env=environment, stdin=theirs, stdout=theirs,
                          stderr=theirs, cwd="/") as setup:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # Linux reports the end so
            while piece := os.read(ours, 4096):
                shown += piece
    os.close(ours)
    return setup.returncode, shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("answer", ["n\n", "no, thanks\n", "\x04"])  # the last ends the input
def test_on_a_terminal_nothing_is_installed_that_is_declined(machine: Machine, answer: str) -> None:
    machine.lacks("bin/ninja", "root/usr/bin/python3.modules/rich")
    status, shown = on_a_terminal(machine, answer)
    assert (status, machine.log) == (2, []), shown
    assert shown.count("scripts/setup: install them? [Y/n] ") == 1
    assert shown.endswith("scripts/setup: missing: command ninja, module rich; to install: apt-get update && apt-get "
                          "install --no-install-recommends ninja-build python3-rich\n")


@pytest.mark.parametrize(("answer", "arguments", "variables", "asked"), [
    ("\n", (), {}, 1), ("Yes\n", ("--quiet",), {}, 1), ("n\n", ("--yes",), {}, 0), ("n\n", (), {"CI": "true"}, 0)])
def test_on_a_terminal_what_is_agreed_is_installed(machine: Machine, answer: str, arguments: tuple[str, ...],
                                                   variables: dict[str, str], asked: int) -> None:
    machine.lacks("bin/ninja")
    status, shown = on_a_terminal(machine, answer, *arguments, **variables)
    assert (status, machine.log[-1], shown.count("install them?")) == (0, f"{APT_INSTALL} ninja-build", asked), shown


def test_a_missing_malloc_alone_is_not_asked_for_by_every_command(machine: Machine) -> None:
    machine.lacks(JEMALLOC)
    status, shown = on_a_terminal(machine, "", "--quiet")
    assert (status, machine.log) == (0, [])
    assert shown.startswith("scripts/setup: warning: missing, but not necessary: malloc jemalloc; to install: ")


def test_everything_missing_is_all_installed(machine: Machine) -> None:
    machine.lacks(*(file for files in PACKAGES.values() for file in files))
    machine.has_no_index()
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    installed = {word for call in machine.log for word in call.split() if word in PACKAGES}
    assert installed == PACKAGES.keys() - {"python3-venv"}, "munkres, lest apt installs the far larger SciPy"
    assert done.stdout.splitlines()[-1] == "scripts/setup: everything is installed"


@pytest.mark.slow
@pytest.mark.parametrize("gone", sorted({file for files in PACKAGES.values() for file in files}))
def test_each_need_alone_is_seen_and_installed(machine: Machine, gone: str) -> None:
    machine.lacks(gone)
    package = next(name for name, files in PACKAGES.items() if gone in files)
    assert machine.setup(*(["--venv"] if gone.endswith("ensurepip") else [])).returncode == 0
    assert any(package in call.split() for call in machine.log)


def test_an_old_cmake_is_a_missing_one(machine: Machine) -> None:
    write_command(machine.folder / "bin/cmake", "echo cmake version 3.18.4")
    done = machine.setup()
    assert machine.log[-1] == f"{APT_INSTALL} cmake" and done.returncode == 0
    for version, status in (("3.21.9", 2), ("3.22.0", 0), ("3.100.1", 0), ("4.0.2", 0), ("2.30.0", 2)):
        write_command(machine.folder / "bin/cmake", f"echo cmake version {version}")
        assert machine.setup(FAKE_KERNEL="Darwin").returncode == status, version


def test_a_compiler_that_is_not_there_is_said_and_nothing_is_installed(machine: Machine) -> None:
    done = machine.setup(CXX="nowhere/g++ -O2")
    assert (done.returncode, done.stdout, machine.log) == (2, "", [])
    assert done.stderr == (
        "scripts/setup: CXX is 'nowhere/g++ -O2', which is not in PATH: name a compiler of C++20, or unset CXX\n")
    assert machine.setup(CXX="c++ -O2").returncode == 0


# A command that does nothing also exits with 0. Each is asked for a word. Of these, the first stay in every selection.
SILENT = {
    "bin/c++": "compiler C++20, header benchmark/benchmark.h, header gtest/gtest.h",
    "bin/ninja": "command ninja",
    "bin/cmake": "cmake 3.22",
    "bin/git": "command git",
    "bin/pkg-config": "command pkg-config, pkg_config hwloc, pkg_config libzstd",
    "bin/npm": "browser npm",
    "bin/ldconfig": "malloc mimalloc, malloc jemalloc, malloc tcmalloc_minimal, malloc tbbmalloc",
    "root/usr/bin/python3": "python 3.10, " + ", ".join(f"module {module}" for module in MODULES),
}
FIRST = ("bin/ninja", "root/usr/bin/python3")
TOOLS_TO_SILENCE = [pytest.param(tool, marks=[] if tool in FIRST else pytest.mark.nightly) for tool in SILENT]


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize("tool", TOOLS_TO_SILENCE)
def test_a_command_that_does_nothing_counts_as_missing(machine: Machine, tool: str) -> None:
    write_command(machine.folder / tool, "exit 0")
    assert machine.setup("--dry-run").stdout.startswith(f"scripts/setup: missing: {SILENT[tool]}\n")


@pytest.mark.hostile("set-up")
@pytest.mark.nightly
@pytest.mark.parametrize("tool", ["apt-get", "apt-cache"])
def test_an_apt_that_does_nothing_leaves_missing_what_is_missing(machine: Machine, tool: str) -> None:
    machine.lacks("bin/ninja")
    write_command(machine.folder / "bin" / tool, "exit 0")
    done = machine.setup()
    if tool == "apt-get":
        assert done.returncode == 2 and "scripts/setup: missing: command ninja; to install: apt-get" in done.stderr
    else:  # the index seems to be empty: apt-get knows better
        assert done.returncode == 0, done.stderr


def hangs(machine: Machine, tool: str) -> None:
    """In place of the real timeout, so that nobody waits: it kills this command, and runs every other."""
    (machine.folder / "bin/timeout").unlink()
    write_command(machine.folder / "bin/timeout", f"""
shift 3
case "$1 ${{3-}}" in {tool}\\ * | */{tool}\\ * | env\\ {tool}) exit 124 ;; esac
exec "$@\"""")


HANGING = [pytest.param(tool, marks=[] if tool == "cmake" else pytest.mark.nightly) for tool in (
    "cmake", "c++", "ninja", "git", "pkg-config", "npm", "apt-cache", "apt-get")]


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize("tool", HANGING)
def test_a_command_that_does_not_answer_is_named(machine: Machine, tool: str) -> None:
    machine.lacks("root/usr/bin/python3.modules/rich")
    hangs(machine, tool)
    done = machine.setup()
    assert (done.returncode, machine.log) == (2, []), done.stdout
    assert re.fullmatch(rf"scripts/setup: \S.*{re.escape(tool)} did not answer within 30 s \(STACKHEAP_PATIENCE\)\n",
                        done.stderr.replace("scripts/setup: apt", "scripts/setup: /apt"))


@pytest.mark.hostile("set-up")
def test_a_python_that_does_not_answer_is_passed_over_and_named(machine: Machine) -> None:
    shutil.copy(machine.folder / "root/usr/bin/python3", machine.folder / "bin/python3.99")
    hangs(machine, "python3.99")
    done = machine.setup("--print-python", STACKHEAP_PYTHON=f"{machine.folder}/bin/python3.99")
    assert (done.returncode, done.stdout) == (0, f"{machine.folder}/root/usr/bin/python3\n")
    hung, unused = done.stderr.splitlines()
    assert hung == f"scripts/setup: {machine.folder}/bin/python3.99 did not answer within 30 s (STACKHEAP_PATIENCE)"
    assert unused.startswith(f"scripts/setup: warning: STACKHEAP_PYTHON={machine.folder}/bin/python3.99 is not used")


@pytest.mark.hostile("set-up")
@pytest.mark.nightly
def test_an_ldconfig_that_does_not_answer_is_done_without(machine: Machine) -> None:
    library = machine.folder / "root/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
    library.parent.mkdir(parents=True)
    library.touch()
    hangs(machine, "ldconfig")
    done = machine.setup("--dry-run")
    assert done.stderr.startswith("scripts/setup: warning: ldconfig did not answer within 30 s")
    assert "malloc mimalloc" in done.stdout and "jemalloc" not in done.stdout


@pytest.mark.hostile("set-up")
@pytest.mark.nightly
def test_a_command_that_never_ends_is_killed(machine: Machine) -> None:
    """With the real timeout. What the command started, and what holds the pipe, goes too."""
    write_command(machine.folder / "bin/cmake", "sleep 1000; echo cmake version 4.0.0")
    machine.lacks("bin/sleep")
    (machine.folder / "bin/sleep").symlink_to(str(shutil.which("sleep")))
    done = machine.setup(STACKHEAP_PATIENCE="1")
    assert (done.returncode, done.stderr) == (
        2, f"scripts/setup: {machine.folder}/bin/cmake did not answer within 1 s (STACKHEAP_PATIENCE)\n")
    for patience in ("0", "x", "-1"):
        assert machine.setup(STACKHEAP_PATIENCE=patience).returncode == 2


@pytest.mark.hostile("set-up")
def test_a_pythons_fault_is_told_where_no_other_will_do(machine: Machine) -> None:
    good, poor = machine.folder / "root/usr/bin/python3", machine.folder / "bin/python3"
    write_command(poor, "exit 0")
    good.with_name("python3.modules").joinpath("rich").unlink()
    forbidden = machine.folder / "forbidden"
    write_command(forbidden, "exit 126")
    done = machine.setup("--print-python", STACKHEAP_PYTHON=str(forbidden))
    assert (done.returncode, done.stderr) == (
        2, f"scripts/setup: no Python can run the suite: {forbidden} cannot be executed, {poor} is not a Python 3.10 "
        f"or later, {good} lacks rich: run scripts/setup\n")


@pytest.mark.hostile("limit of the system")
def test_a_python_that_crashes_is_told_with_the_limits(machine: Machine) -> None:
    """As under ulimit -s 64."""
    write_command(machine.folder / "root/usr/bin/python3", "kill -SEGV $$")
    done = subprocess.run(["/bin/sh", "-c", 'ulimit -s 512; exec "$0" --print-python', machine.folder / "link to setup"],
                          env=machine.environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (
        2, f"scripts/setup: no Python can run the suite: {machine.folder}/root/usr/bin/python3 crashed with signal 11 "
        "(ulimit -s 512, -v unlimited): run scripts/setup\n")


@pytest.mark.hostile("limit of the system")
def test_a_tool_that_crashes_is_not_a_missing_one(machine: Machine) -> None:
    write_command(machine.folder / "bin/pkg-config", "kill -SEGV $$")
    done = machine.setup()
    assert (done.returncode, machine.log) == (2, [])
    assert done.stderr.startswith(f"scripts/setup: {machine.folder}/bin/pkg-config crashed with signal 11 (ulimit -s ")


@pytest.mark.hostile("set-up")
@pytest.mark.nightly
@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_does_not_keep_setup_from_its_work(machine: Machine, streams: str) -> None:
    machine.lacks("bin/ninja")
    command = ["sh", "-c", f'"$0" {streams}', str(machine.folder / "link to setup")]
    done = subprocess.run(command, env=machine.environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr, machine.log[-1]) == (0, b"", f"{APT_INSTALL} ninja-build")


@pytest.mark.hostile("set-up")
@pytest.mark.nightly
def test_a_project_whose_path_ends_in_a_new_line_installs_nothing(machine: Machine) -> None:
    """The shell drops the new line, and nothing of the project would be found."""
    project = machine.folder / "ends\n"
    shutil.copytree(machine.project, project)
    done = subprocess.run([project / "scripts/setup"], env=machine.environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, machine.log) == (2, []) and "does its path end in a new line?" in done.stderr


@pytest.mark.hostile("set-up")
@pytest.mark.nightly
def test_a_cmake_that_fails_in_the_current_folder_is_there(machine: Machine) -> None:
    write_command(machine.folder / "bin/cmake", 'case $PWD in */elsewhere) exit 1 ;; *) echo cmake version 3.22.1 ;; esac')
    (machine.folder / "elsewhere").mkdir()
    done = subprocess.run([machine.project / "scripts/setup"], env=machine.environment, capture_output=True, text=True,
                          cwd=machine.folder / "elsewhere", timeout=60)
    assert (done.returncode, done.stderr, machine.log) == (0, "", [])


@pytest.mark.hostile("set-up")
def test_a_command_that_does_not_answer_is_named_without_timeout(machine: Machine) -> None:
    """As on macOS. The stand-in for perl says what the real one says of a command that hangs."""
    machine.lacks("bin/timeout")
    write_command(machine.folder / "bin/perl", """
shift 3
case $1 in */cmake) exit 142 ;; esac
exec "$@\"""")
    done = machine.setup()
    assert (done.returncode, done.stderr) == (
        2, f"scripts/setup: {machine.folder}/bin/cmake did not answer within 30 s (STACKHEAP_PATIENCE)\n")


@pytest.mark.hostile("set-up")
@pytest.mark.nightly
def test_a_command_that_never_ends_is_killed_without_timeout(machine: Machine) -> None:
    machine.lacks("bin/timeout", "bin/sleep")
    for tool in ("perl", "sleep"):
        (machine.folder / "bin" / tool).symlink_to(str(shutil.which(tool) or pytest.skip(f"needs {tool}")))
    write_command(machine.folder / "bin/cmake", "exec sleep 1000")
    done = machine.setup(STACKHEAP_PATIENCE="1")
    assert (done.returncode, done.stderr) == (
        2, f"scripts/setup: {machine.folder}/bin/cmake did not answer within 1 s (STACKHEAP_PATIENCE)\n")


LACKING = [pytest.param(tools, marks=[] if tools == ("readlink",) else pytest.mark.nightly, id=" ".join(tools))
           for tools in (("readlink",), ("awk",), ("id", "uname"))]


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize("tools", LACKING)
def test_a_machine_without_a_usual_command_is_told_so_in_one_line(machine: Machine, tools: tuple[str, ...]) -> None:
    machine.lacks(*(f"bin/{tool}" for tool in tools))
    root = machine.folder / "root"
    done = machine.setup()
    assert (done.returncode, done.stdout, machine.log) == (2, "", [])
    assert done.stderr == (f"scripts/setup: no folder in PATH has: {' '.join(tools)}; PATH is "
                           f"'{machine.folder}/bin:{root}/usr/bin:{root}/bin'\n")


COMMANDS = sorted(file.name for file in (ROOT / "scripts").iterdir() if file.is_file() and file.name != "lint")  # needs no Python
PYTHONS = {"none": None, "silent": "exit 0", "old": "echo Python 3.8", "crashing": "kill -SEGV $$", "without modules": None}


@pytest.mark.hostile("set-up")
@pytest.mark.nightly
@pytest.mark.parametrize("kind", PYTHONS)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_starts_without_a_python_that_can_run_it(tmp_path: Path, command: str, kind: str) -> None:
    """The project's own commands, on a system that is not known, so that nothing is installed."""
    tools, root = tmp_path / "bin", tmp_path / "root"
    root.mkdir()
    tools.mkdir()
    for tool in (*TOOLS, "bash", "id", "nproc", "sleep", "uname"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    python = tools / "python3"
    if script := PYTHONS[kind]:
        write_command(python, script)
    elif kind == "without modules":  # and without pip, so that no .venv is made
        write_command(python, f"case \"$*\" in *' venv '*) exit 1 ;; esac; exec '{sys.executable}' -S \"$@\"")
    words = {"program": ["--", "true"], "setup": ["--for", "run"], "mutate": ["--list"]}.get(command, [])
    environment = {"PATH": str(tools), "STACKHEAP_ROOT": str(root), "STACKHEAP_PYTHON": str(python), "CI": "true"}
    done = subprocess.run([str(ROOT / "scripts" / command), *words], env=environment, capture_output=True, text=True,
                          cwd=tmp_path, stdin=subprocess.DEVNULL, timeout=120)
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert "numpy" in lines[-1] if kind == "without modules" else "ython" in lines[-1]
    assert all(line.startswith("scripts/setup: ") for line in lines)


@pytest.mark.hostile("set-up")
@pytest.mark.nightly
@pytest.mark.parametrize("path", ["", "/nowhere", "::", "bin:scripts"])
def test_a_path_without_the_systems_folders_is_enough(path: str) -> None:
    command = [str(ROOT / "scripts/claims"), str(ROOT / "results/reference/run.json.gz"), "--claim", "stack-is-faster"]
    with_path = {"PATH": path, "STACKHEAP_PYTHON": sys.executable}
    done = subprocess.run(command, env=with_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "") and "stack" in done.stdout


@pytest.mark.hostile("set-up")
def test_a_lock_of_another_installation_is_waited_for_and_told(machine: Machine) -> None:
    machine.lacks("bin/ninja")
    lock = machine.folder / "root/var/lib/dpkg/lock-frontend"
    locks = machine.folder / "root/proc/locks"
    lock.parent.mkdir(parents=True)
    locks.parent.mkdir()
    lock.touch()
    locks.write_text(f"1: POSIX  ADVISORY  WRITE 812 00:1d:1{lock.stat().st_ino} 0 EOF\n")  # of another file
    told = "scripts/setup: another program installs packages: apt waits for it, for 300 s at most\n"
    assert told not in machine.setup().stdout
    machine.lacks("bin/ninja")
    with locks.open("a") as file:
        file.write(f"2: POSIX  ADVISORY  WRITE 811 00:1d:{lock.stat().st_ino} 0 EOF\n")
    done = machine.setup()
    assert (done.returncode, done.stderr, machine.log[-1]) == (0, "", f"{APT_INSTALL} ninja-build")
    assert told in done.stdout


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize(("answer", "why"), [
    ("sudo: sorry, you must have a tty to run sudo", "sudo cannot be used: sudo: sorry, you must have a tty to run sudo"),
    pytest.param("", "sudo cannot be used: it gives no reason", marks=pytest.mark.nightly),
], ids=["requiretty", "silent"])
def test_a_sudo_that_refuses_is_quoted(machine: Machine, answer: str, why: str) -> None:
    machine.lacks("bin/cmake")
    write_command(machine.folder / "bin/sudo", f"echo '{answer}' >&2; exit 1")
    done = machine.setup(FAKE_UID="1000")
    assert (done.returncode, machine.log) == (2, [])
    assert done.stderr.startswith(f"scripts/setup: {why}\nscripts/setup: missing: cmake 3.22; to install: sudo ")


@pytest.mark.hostile("set-up")
def test_a_sudo_that_asks_for_a_password_where_nobody_can_type_it(machine: Machine) -> None:
    machine.lacks("bin/cmake")
    done = machine.setup(FAKE_UID="1000", ASKS_FOR_PASSWORD="1")
    assert (done.returncode, machine.log) == (2, [])
    why, missing = done.stderr.splitlines()
    assert why == "scripts/setup: sudo asks for a password, and there is no terminal to type it on"
    assert missing.startswith("scripts/setup: missing: cmake 3.22; to install: sudo apt-get update && sudo apt-get ")


def test_a_malloc_library_built_by_hand_counts(machine: Machine) -> None:
    machine.lacks(JEMALLOC, MIMALLOC)
    by_hand = machine.folder / "by hand"
    for library in (by_hand / "libjemalloc.so.2", machine.folder / "root/usr/local/lib/libmimalloc.so.3"):
        library.parent.mkdir(parents=True)
        library.touch()
    done = machine.setup(LD_LIBRARY_PATH=f"/nowhere:{by_hand}")
    assert (done.returncode, done.stderr, machine.log) == (0, "", [])


def test_a_user_installs_with_sudo(machine: Machine) -> None:
    machine.lacks("bin/cmake")
    assert machine.setup(FAKE_UID="1000").returncode == 0
    sudo = [call for call in machine.log if call.startswith("sudo ")]
    assert sudo[-1] == f"sudo env -u TMPDIR DEBIAN_FRONTEND=noninteractive {APT_INSTALL} cmake"
    assert len(sudo) == len(machine.log) / 2


def test_a_user_without_sudo_gets_the_command_to_run(machine: Machine) -> None:
    machine.lacks("bin/cmake", "pkgconfig/hwloc", JEMALLOC, "bin/sudo")
    done = machine.setup(FAKE_UID="1000")
    assert (done.returncode, done.stdout, machine.log) == (2, "", [])
    assert done.stderr == (
        "scripts/setup: missing: cmake 3.22, pkg_config hwloc, malloc jemalloc; to install, as root: apt-get update && "
        "apt-get install --no-install-recommends cmake libhwloc-dev libjemalloc2\n")


@pytest.mark.parametrize(("os_release", "kernel", "uid", "command"), [
    ("ID=fedora\n", "Linux", "1000", "sudo dnf install ninja-build gtest-devel tbb"),
    ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "Linux", "0", "dnf install ninja-build gtest-devel tbb"),
    ("ID=arch\n", "Linux", "1000", "sudo pacman -S --needed ninja gtest onetbb"),
    ("", "Darwin", "501", "brew install ninja googletest tbb"),
    ("ID=haiku\n", "Haiku", "0", "by hand: the package for this system is not known"),
])
def test_other_systems_get_the_command_to_run(machine: Machine, os_release: str, kernel: str, uid: str,
                                              command: str) -> None:
    machine.is_a(os_release)
    machine.lacks("bin/ninja", "include/gtest/gtest.h", "lib/libtbbmalloc.so.2")
    done = machine.setup(FAKE_KERNEL=kernel, FAKE_UID=uid)
    assert (done.returncode, done.stdout, machine.log) == (2, "", [])
    assert done.stderr == ("scripts/setup: missing: command ninja, header gtest/gtest.h, malloc tbbmalloc; "
                           f"to install: {command}\n")


def test_a_malloc_no_one_has_is_a_warning_and_asks_no_network(machine: Machine) -> None:
    machine.lacks(MIMALLOC, "index/libmimalloc2.0")
    done = machine.setup("--quiet")
    assert (done.returncode, done.stdout, machine.log) == (0, "", [])
    assert done.stderr.startswith("scripts/setup: warning: missing, but not necessary: malloc mimalloc; ")


def test_a_malloc_is_looked_for_in_a_fresh_index(machine: Machine) -> None:
    machine.lacks(MIMALLOC)
    machine.has_no_index()
    (machine.folder / "mirror/libmimalloc2.0").rename(machine.folder / "mirror/libmimalloc3")
    assert machine.setup().returncode == 0
    assert machine.log == [f"{APT} update", f"{APT_INSTALL} libmimalloc3"]


def test_a_malloc_that_cannot_be_installed_spares_the_others(machine: Machine) -> None:
    machine.lacks(JEMALLOC, MIMALLOC)
    (machine.folder / "index/libmimalloc2.0").write_text("no/such/file\n")
    (machine.folder / "bin/apt-get").write_text((machine.folder / "bin/apt-get").read_text().replace(
        "for package;", "case $* in *mimalloc*) exit 100 ;; esac\nfor package;"))
    done = machine.setup("--quiet")
    assert done.returncode == 0
    assert (machine.folder / JEMALLOC).exists()
    assert "warning: missing, but not necessary: malloc mimalloc; to install: apt-get update" in done.stderr
    assert "apt-get install --no-install-recommends libmimalloc2.0" in done.stderr


@pytest.mark.parametrize("name", ["libmimalloc2", "libmimalloc3"])
def test_a_package_is_taken_under_its_newer_name(machine: Machine, name: str) -> None:
    machine.is_a("ID=linuxmint\nID_LIKE=ubuntu\n")
    machine.lacks(MIMALLOC)
    (machine.folder / "index/libmimalloc2.0").rename(machine.folder / "index" / name)
    assert machine.setup().returncode == 0
    assert machine.log == [f"{APT_INSTALL} {name}"]


def test_without_network_what_is_needed_stays_missing(machine: Machine) -> None:
    machine.lacks("bin/ninja")
    (machine.folder / "offline").touch()
    done = machine.setup()
    assert done.returncode == 2
    assert "scripts/setup: installing the necessary packages ... failed\n" in done.stdout
    *log, path, missing = done.stderr.splitlines()
    assert log == [f"    {line}" for line in machine.setup_log.splitlines()]
    assert path == f"scripts/setup: all that the commands printed is in {machine.project}/build/setup.log"
    assert missing.startswith("scripts/setup: missing: command ninja; to install: apt-get update && apt-get ")


def test_a_log_that_cannot_be_written_is_one_line(machine: Machine) -> None:
    machine.lacks("bin/ninja")
    (machine.project / "build").touch()
    done = machine.setup(TMPDIR="/proc/nowhere")
    assert (done.returncode, machine.log) == (2, [])
    assert done.stderr == (
        f"scripts/setup: cannot write {machine.project}/build/setup.log, nor a file in /proc/nowhere\n")


def test_where_the_project_can_only_be_read_the_log_goes_elsewhere(machine: Machine, tmp_path: Path) -> None:
    machine.lacks("bin/ninja")
    (machine.project / "build").touch()
    done = machine.setup(TMPDIR=str(tmp_path / "include"))
    [log] = (tmp_path / "include").glob("stackheap-setup.*")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"scripts/setup: what the commands print goes to {log}\n" in done.stdout and "apt-get" in log.read_text()


def test_an_index_in_use_is_waited_for(machine: Machine) -> None:
    machine.lacks("bin/ninja")
    (machine.folder / "lists.lock").touch()
    done = machine.setup()
    assert done.returncode == 0 and "sleep 20" in machine.log
    assert "scripts/setup: another program may be updating the index: trying again in 20 s\n" in done.stdout


def test_dry_run_tells_and_does_nothing(machine: Machine) -> None:
    machine.lacks("bin/ninja", JEMALLOC)
    done = machine.setup("--dry-run")
    assert (done.returncode, machine.log) == (0, [])
    assert f"{APT_INSTALL} ninja-build\n" in done.stdout and f"{APT_INSTALL} libjemalloc2\n" in done.stdout
    assert not (machine.folder / "bin/ninja").exists()


def test_a_run_needs_no_test_libraries(machine: Machine) -> None:
    machine.lacks("include/gtest/gtest.h", "root/usr/bin/python3.modules/pytest")
    assert machine.setup("--for", "run").stdout == "scripts/setup: everything is installed\n"
    assert machine.log == []
    assert machine.setup("--for", "test").returncode == 0
    assert machine.log[-1] == f"{APT_INSTALL} libgtest-dev python3-pytest"


TOOLS_OF = {
    "lint": ["clang-tidy", "cppcheck", "shellcheck", "mypy"],
    "sanitize": ["libclang-rt-dev", "valgrind"],
    "cross": ["g++-aarch64-linux-gnu", "qemu-user"],
}


@pytest.mark.parametrize("purpose", TOOLS_OF)
def test_a_purpose_installs_its_own_tools_and_no_others(machine: Machine, purpose: str) -> None:
    for package in (package for packages in TOOLS_OF.values() for package in packages):
        for listing in ("index", "mirror"):
            (machine.folder / listing / package).touch()
    machine.lacks("bin/chromium", "root/usr/bin/python3.modules/selenium")  # the tests need these, other purposes do not
    done = machine.setup("--for", purpose, "--dry-run")
    installed = [line.partition(f"{APT_INSTALL} ")[2].split() for line in done.stdout.splitlines() if APT_INSTALL in line]
    assert (done.returncode, installed) == (0, [TOOLS_OF[purpose]]), done.stderr


def test_help_and_the_error_name_every_purpose(machine: Machine) -> None:
    listed = set(re.findall(r"^ {21}(\w+) +scripts/", machine.setup("--help").stdout, re.MULTILINE))
    assert listed == {"run", "test", *TOOLS_OF}
    assert machine.setup("--for", "fun").stderr == (
        "scripts/setup: --for takes one of: run test lint sanitize cross; got 'fun'\n")


def test_a_python_without_the_modules_is_passed_over(machine: Machine) -> None:
    poor, good = machine.folder / "bin/python3", machine.folder / "root/usr/bin/python3"
    for script in (good.read_text(), "exit 1  # too old", "# a command that does nothing"):
        write_command(poor, script)
        done = machine.setup("--print-python")
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{good}\n", "")
        (machine.project / "build/python-test").unlink()
    shutil.copytree(f"{good}.modules", f"{poor}.modules")
    shutil.copy(good, poor)
    assert machine.setup("--print-python").stdout == f"{poor}\n"


def test_the_python_that_was_found_last_is_asked_first(machine: Machine) -> None:
    """Setup imports the modules; a command only looks whether their files are as they were."""
    good, later = machine.folder / "root/usr/bin/python3", machine.folder / "bin/python3"
    assert machine.setup().returncode == 0
    shutil.copy(good, later)
    shutil.copytree(f"{good}.modules", f"{later}.modules")
    assert machine.setup("--print-python").stdout == f"{good}\n"
    assert machine.setup("--for", "run", "--print-python").stdout == f"{later}\n"  # which needs other modules
    (machine.folder / "root/usr/bin/python3.modules/another").touch()
    assert machine.setup("--print-python").stdout == f"{later}\n"
    for python in (good, later):
        Path(f"{python}.modules/rich").unlink()
    done = machine.setup("--print-python")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (f"scripts/setup: no Python can run the suite: {later} lacks rich, {good} lacks rich: run scripts/setup\n")


def test_the_reason_why_a_module_cannot_be_imported_is_told(machine: Machine) -> None:
    machine.is_a("ID=fedora\n")
    machine.lacks("root/usr/bin/python3.modules/numpy")
    (machine.folder / "root/usr/bin/python3.modules/numpy.broken").touch()
    (machine.folder / "offline").touch()
    assert machine.setup().stderr.splitlines()[-2:] == [
        "scripts/setup: numpy is broken", "scripts/setup: missing: module numpy; to install: dnf install python3-numpy"]


def test_the_preferred_python_is_used_or_said_to_be_unfit(machine: Machine) -> None:
    preferred = machine.folder / "preferred"
    shutil.copy(machine.folder / "root/usr/bin/python3", preferred)
    shutil.copytree(machine.folder / "root/usr/bin/python3.modules", f"{preferred}.modules")
    assert machine.setup("--print-python", STACKHEAP_PYTHON=str(preferred)).stdout == f"{preferred}\n"
    assert machine.setup("--print-python").stdout == f"{machine.folder}/root/usr/bin/python3\n"
    write_command(preferred, "exit 1")
    done = machine.setup(STACKHEAP_PYTHON=str(preferred))
    assert done.returncode == 0
    assert done.stderr.startswith(f"scripts/setup: warning: STACKHEAP_PYTHON={preferred} is not used")


def test_no_python_prints_none(machine: Machine) -> None:
    machine.lacks("root/usr/bin/python3")
    done = machine.setup("--print-python")
    assert (done.returncode, done.stdout, done.stderr) == (
        2, "", "scripts/setup: no Python can run the suite: none is in PATH or /usr/bin: run scripts/setup\n")


def test_modules_come_from_pypi_where_apt_cannot_be_used(machine: Machine) -> None:
    machine.is_a("ID=fedora\n")
    machine.lacks("root/usr/bin/python3.modules/rich")
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert len(machine.log) == 1 and machine.log[0].endswith(f" -r {machine.project}/requirements-test.txt")
    assert machine.setup("--print-python").stdout == f"{machine.project / '.venv/bin/python'}\n"
    assert machine.setup().stdout == "scripts/setup: everything is installed\n"


def test_an_environment_takes_all_modules_from_pypi(machine: Machine) -> None:
    """The system has all of them, and lacks a package that apt has, and that of venv."""
    machine.lacks("bin/ninja", "root/usr/bin/python3.modules/ensurepip", "root/usr/bin/python3.modules/rich")
    done = machine.setup("--venv", "--for", "run")
    assert done.returncode == 0, done.stderr
    assert machine.log[1] == f"{APT_INSTALL} ninja-build python3-venv"
    assert machine.log[2].endswith(f" -r {machine.project}/requirements.txt") and len(machine.log) == 3
    assert machine.setup("--for", "run", "--print-python").stdout == f"{machine.project / '.venv/bin/python'}\n"
    again = machine.setup("--venv", "--for", "run")
    assert (again.stdout, len(machine.log)) == ("scripts/setup: everything is installed\n", 3)


@pytest.mark.nightly
def test_a_real_python_makes_the_environment(machine: Machine) -> None:
    """Without a network: pip takes empty modules from a folder."""
    pytest.importorskip("ensurepip")
    shutil.copy(ROOT / "requirements.txt", machine.project)
    wheels = machine.folder / "wheels"
    wheels.mkdir()
    for module in ("matplotlib", "numpy", "rich", "jinja2"):
        with zipfile.ZipFile(wheels / f"{module}-99-py3-none-any.whl", "w") as wheel:
            for name in ("", "backends/", "backends/backend_agg/", "console/"):  # what the suite uses of them
                wheel.writestr(f"{module}/{name}__init__.py", "")
            metadata = f"{module}-99.dist-info"
            wheel.writestr(f"{metadata}/METADATA", f"Metadata-Version: 2.1\nName: {module}\nVersion: 99\n")
            wheel.writestr(f"{metadata}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{metadata}/RECORD", "")
    write_command(machine.folder / "root/usr/bin/python3", f"exec '{sys.executable}' \"$@\"")
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    without = machine.setup("--venv", "--for", "run", **offline)
    assert without.returncode == 2 and "PyPI is not reached or lacks them" in without.stderr
    done = machine.setup("--venv", "--for", "run", PIP_FIND_LINKS=str(wheels), **offline)
    assert done.returncode == 0, done.stderr + machine.setup_log
    assert machine.setup("--for", "run", "--print-python").stdout == f"{machine.project / '.venv/bin/python'}\n"


def test_a_dry_run_of_an_environment_makes_none(machine: Machine) -> None:
    done = machine.setup("--venv", "--dry-run")
    assert (done.returncode, machine.log, (machine.project / ".venv").exists()) == (0, [], False)
    assert f"scripts/setup: would run: {machine.folder}/root/usr/bin/python3 -I -m venv --clear " in done.stdout
    assert done.stdout.endswith(f" -r {machine.project}/requirements-test.txt\n")


def test_without_pypi_an_environment_fails_in_one_line_with_what_to_do(machine: Machine) -> None:
    (machine.folder / "offline").touch()
    done = machine.setup("--venv", "--for", "run")
    assert done.returncode == 2
    assert done.stderr.endswith(
        "    no network\n"
        f"scripts/setup: all that the commands printed is in {machine.project}/build/setup.log\n"
        "scripts/setup: missing: module matplotlib, module numpy, module rich, module jinja2; PyPI is not reached or lacks "
        "them: run scripts/setup without --venv\n")
    assert machine.setup_log.endswith("no network\n")
    assert not any("apt-get" in call for call in machine.log)


def test_modules_that_pypi_does_not_give_are_named_with_the_command(machine: Machine) -> None:
    machine.is_a("ID=fedora\n")
    machine.lacks("root/usr/bin/python3.modules/rich")
    (machine.folder / "offline").touch()
    done = machine.setup()
    assert done.returncode == 2
    assert done.stderr.splitlines()[-3:] == [
        "    no network", f"scripts/setup: all that the commands printed is in {machine.project}/build/setup.log",
        "scripts/setup: missing: module rich; to install: dnf install python3-rich"]


def test_the_requirements_are_the_modules_that_are_looked_for() -> None:
    rows = re.findall(r"^(\S+) +module:(\w+)", (ROOT / "scripts/setup").read_text(), re.MULTILINE)
    names = {"pytest-xdist": "xdist", "pyyaml": "yaml"}
    for file, all_purposes in (("requirements.txt", "run"), ("requirements-test.txt", "test")):
        lines = re.findall(r"^([\w-]+)>=\d", (ROOT / file).read_text(), re.MULTILINE)
        looked_for = [module for purposes, module in rows if all_purposes in purposes.split(",")]
        assert sorted(names.get(line, line) for line in lines) == sorted(looked_for)


@pytest.mark.parametrize("arguments", [("--frobnicate",), ("--for",), ("--for", "fun"), ("--for=",), ("extra",)])
def test_a_bad_option_is_one_line_and_status_2(machine: Machine, arguments: tuple[str, ...]) -> None:
    machine.lacks("bin/ninja")
    done = machine.setup(*arguments)
    assert (done.returncode, done.stdout, machine.log) == (2, "", [])
    assert re.fullmatch(r"scripts/setup: .+\n", done.stderr)


def test_help_works_on_a_bare_machine(machine: Machine) -> None:
    machine.lacks("bin/ninja", "bin/c++")
    done = machine.setup("--help")
    assert (done.returncode, done.stderr, machine.log) == (0, "", [])
    assert done.stdout.startswith("usage: scripts/setup")


def test_the_mallocs_set_up_are_those_that_are_loaded() -> None:
    loaded = set(re.findall(r'"lib(\w+)\.so"', (ROOT / "allocators/libraries.hpp").read_text()))
    set_up = set(re.findall(r"malloc:(\w+)", (ROOT / "scripts/setup").read_text()))
    assert loaded and set_up == loaded


# The way from a command to its Python, with this Python standing in for the one found.

@pytest.fixture
def launched(machine: Machine) -> Iterator[Machine]:
    """A machine whose suite has one command, and which works in a folder full of modules of the same names."""
    suite = machine.project / "scripts/suite"
    for folder in (suite, suite / "commands"):
        (folder / "__init__.py").touch()
    (suite / "commands/hello.py").write_text(
        "import os, sys, suite\n"
        "if __name__ == '__main__':\n"
        "    print(ascii(sys.argv[1:]), os.path.dirname(suite.__file__), os.getcwd(),\n"
        "          os.environ['PYTHONPATH'], sep='\\n')\n"
        "    sys.exit(3)\n")
    elsewhere = machine.folder / "elsewhere"
    (elsewhere / "suite/commands").mkdir(parents=True)
    for decoy in ("suite/__init__.py", "suite/commands/__init__.py", "suite/commands/hello.py", "runpy.py", "os.py"):
        (elsewhere / decoy).write_text("raise SystemExit('the wrong module')\n")
    yield machine


def launch(machine: Machine, command: Path | str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "STACKHEAP_PYTHON": sys.executable} | variables
    return subprocess.run([str(command), "hello", "two words", "ä*"], cwd=machine.folder / "elsewhere", text=True,
                          encoding="utf-8", capture_output=True, timeout=60, env=environment)


# Python would not start, would end in an error, or would wait for input.
HOSTILE = {"PYTHONHOME": "/nowhere", "PYTHONPLATLIBDIR": "nowhere", "PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2",
           "PYTHONIOENCODING": "no encoding", "PYTHONINSPECT": "1", "PYTHONHASHSEED": "x", "PYTHONMALLOC": "x",
           "PYTHONUTF8": "x", "PYTHONPROFILEIMPORTTIME": "1", "PYTHONSTARTUP": "/nowhere", "PYTHONCASEOK": "1",
           "VIRTUAL_ENV": "/nowhere", "HOME": "/proc", "TMPDIR": "/proc/nowhere", "IFS": "/", "CDPATH": "/etc",
           "ENV": "/nowhere"}


@pytest.mark.hostile("set-up")
def test_launch_works_under_a_hostile_environment(launched: Machine) -> None:
    for mode in ("scripts/setup", "scripts/suite/launch"):  # as on a file system that forbids to execute files
        (launched.project / mode).chmod(0o644)
    command = ["/bin/sh", str(launched.project / "scripts/suite/launch"), "hello"]
    done = subprocess.run(command, cwd=launched.folder / "elsewhere", capture_output=True, text=True, timeout=60, env={
        "PATH": os.environ["PATH"], "STACKHEAP_PYTHON": sys.executable, "PYTHONPATH": f":{launched.folder}/elsewhere",
        **HOSTILE})
    assert (done.returncode, done.stderr) == (3, "")


@pytest.mark.parametrize("through", ["path", "symlink"])
def test_launch_works_from_any_folder(launched: Machine, through: str) -> None:
    command = launched.project / "scripts/suite/launch"
    if through == "symlink":
        link = launched.folder / "a link"
        link.symlink_to(os.path.relpath(command, launched.folder))
        command = link
    done = launch(launched, command, PYTHONPATH="/nowhere")
    assert done.returncode == 3, done.stderr
    scripts = launched.project / "scripts"
    assert done.stdout.splitlines() == [ascii(["two words", "ä*"]), str(scripts / "suite"),
                                        str(launched.folder / "elsewhere"), "/nowhere"]


def test_launch_without_python_says_what_to_run(launched: Machine) -> None:
    launched.lacks("root/usr/bin/python3")
    done = launch(launched, launched.project / "scripts/suite/launch", PATH=str(launched.folder / "bin"),
                  STACKHEAP_ROOT=str(launched.folder / "root"), STACKHEAP_PYTHON="")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"scripts/setup: no Python can run the suite: .*: run scripts/setup\n", done.stderr)


@pytest.mark.parametrize(("words", "asked"), [
    ("run", "--quiet --for run"), ("program -- ./my_program --yes --help", "--quiet --for run"),
    ("doctor --yes", "--quiet --for run --yes"), ("verify --build test --yes -- x", "--quiet --for run --yes"),
    ("run --help", ""), ("program -h", ""), ("doctor --yes --version", ""), ("plot --yes", "")])
def test_the_first_commands_of_a_user_install_what_is_missing(launched: Machine, words: str, asked: str) -> None:
    """The options after -- are those of another command."""
    command, *arguments = words.split()
    scripts = launched.project / "scripts"
    write_command(scripts / "setup", f"""case $* in *--print-python) echo '{sys.executable}' ;; *) echo "asked $*" ;; esac""")
    write_command(scripts / "suite/version", "echo a version")
    shutil.copy(ROOT / "scripts" / command, scripts / command)
    (scripts / f"suite/commands/{command}.py").write_text("import sys\nprint(*sys.argv[1:])\n")
    done = subprocess.run([scripts / command, *arguments], text=True, capture_output=True, timeout=60)
    shown = [*([f"asked {asked}"] if asked else []), " ".join(arguments)]
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, shown, "")


def test_a_command_does_not_start_where_something_stays_missing(launched: Machine) -> None:
    write_command(launched.project / "scripts/setup", "echo scripts/setup: missing: command ninja >&2; exit 2")
    done = subprocess.run([launched.project / "scripts/run"], text=True, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "scripts/setup: missing: command ninja\n")
