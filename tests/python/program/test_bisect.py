"""Does git bisect find the commit that made a malloc slower, as docs/bisect.md says, and does the page show it?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from suite.base.blocks import BLOCK
from support import bisection
from support.measuring_program import program

pytestmark = pytest.mark.timing  # measures whether a malloc is slower by a sixth, with real processes


def story(printed: str) -> list[str]:
    """The commits that git asks about, the answers without their numbers, and what git finds."""
    return re.findall(r"^\[[0-9a-f]{40}\] .*|^(?:worse|nothing is worse|cannot judge): \S+|^[0-9a-f]{40} is .*", printed, re.M)


def test_a_bisection_finds_the_commit_as_the_page_says(tmp_path: Path) -> None:
    page = bisection.PAGE.read_text()
    printed = bisection.carry_out(page, program(), tmp_path)
    culprit = bisection.git(tmp_path / "malloc", "log", "--format=%H", f"--grep={bisection.CULPRIT}", "main").strip()
    assert re.findall(r"^(\w+) is the first bad commit$", printed, re.M) == [culprit]
    assert story(printed) == story(page)
    assert bisection.git(tmp_path / "malloc", "branch", "--show-current") == "main\n"  # git bisect reset was carried out


def test_the_block_of_the_page_is_filled_whole() -> None:
    page = bisection.PAGE.read_text()
    [block] = BLOCK.finditer(page)
    assert bisection.filled(page, block["text"].removeprefix("```text\n").removesuffix("```\n")) == page
