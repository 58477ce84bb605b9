"""Are the tests and families that scripts/sanitize and scripts/cross leave out those that exist, and is bad usage one line?"""

from __future__ import annotations

import re
import subprocess

import pytest

from support import ROOT

COMMANDS = ("sanitize", "cross")


def unit_tests() -> set[str]:
    sources = [file.read_text() for file in (ROOT / "tests/cpp").glob("*.cpp")]
    return {f"{suite}.{name}" for text in sources for suite, name in re.findall(r"^TEST(?:_P|_F)?\((\w+), *(\w+)\)", text, re.M)}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_left_out_exists(command: str) -> None:
    """A renamed test would run again, and fail, where it cannot work."""
    text = (ROOT / "scripts" / command).read_text()
    left_out = set(re.findall(r"(?<=[=:])[a-z]\w+\.[a-z]\w+(?=[:\s\"])", text))
    assert len(left_out) > 3 and left_out - unit_tests() == set()


def test_the_families_left_out_exist() -> None:
    families = {file.stem for file in (ROOT / "benchmarks").glob("*/*.cpp")}
    lists = re.findall(r"^preloading=(\S+)$|,(\w+)\"$", (ROOT / "scripts/sanitize").read_text(), re.M)
    left_out = {family for names in lists for name in names for family in name.split(",") if family}
    assert left_out >= {"heap_limit", "first_touch"} and left_out <= families


def test_every_family_that_preloads_a_malloc_is_left_out() -> None:
    preloading = sorted(file.stem for file in (ROOT / "benchmarks").glob("*/*.cpp")
                        if file.parent.name != "harness" and ".malloc = deploy(" in file.read_text())  # fmt: skip
    assert f"\npreloading={','.join(preloading)}\n" in (ROOT / "scripts/sanitize").read_text()


@pytest.mark.parametrize(("command", "argument", "accepted"), [
    ("sanitize", "msan", "asan, tsan, valgrind and fuzz"), ("cross", "armhf", "no arguments")])
def test_bad_usage_is_one_line_that_says_what_is_accepted(command: str, argument: str, accepted: str) -> None:
    done = subprocess.run([ROOT / "scripts" / command, argument], text=True, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"scripts/{command}: .*\n", done.stderr) and argument in done.stderr and accepted in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_how_to_install_the_tools(command: str) -> None:
    done = subprocess.run([ROOT / "scripts" / command, "--help"], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0 and f"scripts/setup --for {command}" in done.stdout
