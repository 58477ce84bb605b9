"""Does the part of a disturbed process select its benchmarks, whatever expression a file has, and in little time?"""

from __future__ import annotations

import re

import pytest

from suite.results import parts
from suite.results.parts import DisturbedParts, selection

NAMES = ("scoped/a/bytes:64/touch:first", "scoped/a/bytes:640/touch:first", "scoped/ab/bytes:64", "a.b+c/x", "axb+c/x")
PLAIN = (
    "^scoped/", "^scoped/a/", "bytes:64$", "^scoped/.*:64", "^scoped/.*:64$", "a.*b.*c", "a.b", "b^a", "x$.*y", "", ".*", "^.*^a",
)  # fmt: skip


@pytest.mark.parametrize("part", PLAIN)
def test_a_part_selects_what_its_expression_finds(part: str) -> None:
    assert [selection(part)(name) for name in NAMES] == [re.search(part, name) is not None for name in NAMES]


@pytest.mark.parametrize("part", [r"^(a\.b\+c/x)$", "^(scoped/ab/bytes:64|axb)$", "^scoped/ab/bytes:64$", "^()$", "^$"])
def test_a_part_that_lists_benchmarks_selects_those(part: str) -> None:
    disturbed = DisturbedParts.among(len(NAMES), [(part, 3)])
    assert disturbed.of_part == []
    found = [bool(disturbed.processes(name, {3})) for name in NAMES]
    assert found == [re.search(part, name) is not None for name in NAMES]


def test_only_processes_that_measured_it_count_and_each_once() -> None:
    units = [("^scoped/", 1), ("^scoped/a/", 1), ("^scoped/a/", 2), ("^scoped/a/", 9), ("^other/", 3)]
    assert DisturbedParts.among(1, units).processes("scoped/a/x", {1, 2, 3}) == {1, 2}


@pytest.mark.hostile("size")
@pytest.mark.parametrize("part", ["(.*)*(.*)*!", ".*.*.*x", "[", "(a|b)*c"])
def test_an_expression_that_is_not_plain_is_taken_to_select_everything(part: str) -> None:
    assert all(map(selection(part), NAMES))


@pytest.mark.hostile("size")
def test_more_parts_than_can_be_searched_are_taken_to_select_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    units = [("^scoped/a/", 1), ("^scoped/b/", 2), ("^(scoped/c/x)$", 3)]
    monkeypatch.setattr(parts, "MOST_SEARCHES", 4)
    assert DisturbedParts.among(2, units).processes("scoped/a/x", {1, 2, 3}) == {1}
    assert DisturbedParts.among(3, units).processes("scoped/a/x", {1, 2, 3}) == {1, 2}
    assert DisturbedParts.among(3, units).processes("scoped/c/x", {1, 2, 3}) == {1, 2, 3}
