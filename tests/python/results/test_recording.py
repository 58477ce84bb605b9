"""Is the profile of a recording read as it was printed, and is a damaged profile refused with the field's name?"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from suite.base.errors import BadInput
from suite.results.model import Document
from suite.results.read import BadResult
from suite.results.recording import Blocks, profile_in, read_profile
from support import synthetic
from support.made_up_profile import document


def test_a_profile_is_read_as_it_was_printed() -> None:
    profile = read_profile(json.loads(json.dumps(document())))
    assert (profile.name, profile.ended, profile.all_calls, profile.allocations) == ("parse", "exit", 1900, 1000)
    assert profile.stack_like == Blocks(500, 50_000) and profile.share(profile.stack_like) == 0.5
    assert (profile.sizes.max, profile.lifetimes.p90, profile.live.series[-1]) == (4096, 20, (1902, 5000))
    assert profile.heat.blocks[2] == (400, 100, 50, 50) and profile.heat.lifetime_edges == (0, 1, 4)


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every member and element, however deep."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(path: tuple[Any, ...], value: object) -> Document:
    """The made-up profile with another value at the place; ... takes it out."""
    damaged: Any = copy.deepcopy(document())
    *outer, last = path
    place = damaged
    for key in outer:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return damaged  # type: ignore[no-any-return]


@pytest.mark.parametrize("path", list(places(document())), ids=str)
@pytest.mark.parametrize("value", [..., None, -1, True, 1.5, 1 << 63, "x\n", [], {}, [[]], float("nan")], ids=repr)
def test_every_damaged_field_is_refused_in_one_line_or_harmless(path: tuple[Any, ...], value: object) -> None:
    """Only a word of the command may be any text; it becomes printable."""
    try:
        profile = read_profile(changed(path, value))
    except BadInput as error:
        assert "\n" not in str(error) and len(str(error)) < 400
        assert str(error).startswith("the profile of a recording is damaged: ")
    else:
        assert path[0] == "command" or path[:2] == ("live", "series")
        assert all(word.isprintable() for word in profile.command)


@pytest.mark.hostile("result file")
@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("format",), 2, "format is 2, not 1"),
        (("ended",), "now", "ended is 'now', not one of exit, quick_exit, exec, most, disk, cut off"),
        (("calls", "all"), 7, "calls.all is 7, not 1900, the sum of the calls"),
        (("allocations",), 999, "allocations is 999, not 1000, the sum of heat.blocks"),
        (("stack_like", "blocks"), 499, "stack_like.blocks is 499, not 500, the sum of heat.stack_like"),
        (("stack_like", "blocks"), 501, "stack_like.blocks is 501, not 500, the sum of heat.stack_like"),
        (("temporary", "blocks"), 1001, "temporary.blocks is 1001, not at most 1000, those of all blocks"),
        (("region_like", "bytes"), 100_001, "region_like.bytes is 100001, not at most 100000, those of all blocks"),
        (("heat", "size_edges"), [0, 8, 8, 32, 64], "not rising numbers from 0, at most 64"),
        (("heat", "blocks"), [[1]], "heat.blocks is [[1]], not 5 lists of 4 numbers"),
        (("heat", "stack_like", 0, 0), 1, "not at most as many as heat.blocks"),
        (("live", "series"), [[2, 1], [2, 1]], "not at most 128 pairs of numbers, the first rising"),
        (("command",), ["x" * 70_000], "not a list of words, 65536 letters in all"),
        (("sizes",), 3, "sizes is not an object"),
    ],
)  # fmt: skip
def test_a_damaged_profile_names_the_field(path: tuple[Any, ...], value: object, reason: str) -> None:
    with pytest.raises(BadInput, match="damaged") as error:
        read_profile(changed(path, value))
    assert reason in str(error.value)


@pytest.mark.parametrize("document", [None, 3, [], "text"])
def test_what_is_not_an_object_is_not_a_profile(document: object) -> None:
    with pytest.raises(BadInput, match="it is not an object"):
        read_profile(document)


def test_a_run_may_hold_a_profile() -> None:
    run = synthetic.synthetic(keep=lambda name: name.startswith("program/"))
    assert profile_in(run) == read_profile(document())
    for context in ({}, {"program": None}, {"program": {"recording": []}}, {"program": {"recording": {"profile": None}}}):
        assert profile_in(replace(run, context=context)) is None
    damaged = {"program": {"recording": {"profile": changed(("bytes",), "much")}}}
    with pytest.raises(BadResult, match="bytes is 'much', not a whole number") as error:
        profile_in(replace(run, context=damaged))
    assert str(error.value).startswith(f"{run.path}: ")
