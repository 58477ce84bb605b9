"""Does the chart of the blocks' lifetimes show what was counted, whatever the profile is?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from suite import charts
from suite.charts import lifetimes
from suite.results.model import Document, Run
from suite.results.read import BadResult
from suite.results.recording import read_profile
from support import synthetic
from support.chart_checks import PLAIN, drawn, faults_of_layout, only, title
from support.made_up_profile import document


def run_with(profile: object) -> Run:
    return replace(synthetic.synthetic(keep=only("program")), context={"program": {"recording": {"profile": profile}}})


def profile_of(blocks: Sequence[Sequence[int]], stack_like: Sequence[Sequence[int]], command: str = "./parse") -> Document:
    """Rows of sizes and columns of lifetimes; the last column was never freed."""
    edges = [0, *(8 << place for place in range(len(blocks) - 1))], [0, *(4**place for place in range(len(blocks[0]) - 2))]
    number, like = (sum(map(sum, cells)) for cells in (blocks, stack_like))  # type: ignore[arg-type]
    heat = {"size_edges": edges[0], "lifetime_edges": edges[1], "blocks": blocks, "stack_like": stack_like}
    parts = {"stack_like": like, "temporary": 0, "region_like": 0}
    return {
        **document(), "command": [command], "allocations": number, "allocations_before_main": 0, "bytes": 10**9, "heat": heat,
        **{name: {"blocks": part, "bytes": 0} for name, part in parts.items()},
        "never_freed": {"blocks": sum(row[-1] for row in blocks), "bytes": 0},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("stack_like", "finding"),
    [
        (0, "No block of parse dies last in, first out: a stack would have served none of them"),
        (4, "Only 0.4 % of the blocks of parse die last in, first out: a stack would have served few of them"),
        (49, "Only 5 % of the blocks of parse die last in, first out: a stack would have served few of them"),
        (50, "5 % of the blocks of parse die last in, first out: a stack would have served them"),
        (600, "60 % of the blocks of parse die last in, first out: a stack would have served them"),
    ],
)  # fmt: skip
def test_the_title_is_the_share_of_stack_like_blocks(stack_like: int, finding: str) -> None:
    assert title(run_with(document(stack_like)), "lifetimes") == finding


@pytest.mark.parametrize(("rest", "text"), [(0, "100 %"), (1, "Over 99 %"), (10, "99 %")])
def test_nearly_all_blocks_are_not_all(rest: int, text: str) -> None:
    run = run_with(profile_of([[990, rest, 0]], [[990, 0, 0]]))
    assert title(run, "lifetimes").startswith(f"{text} of the blocks of parse die")


def test_a_run_without_blocks_has_no_chart() -> None:
    assert charts.draw(run_with(None), "lifetimes") is None
    assert charts.draw(run_with(profile_of([[0, 0]], [[0, 0]])), "lifetimes") is None


def test_a_damaged_profile_is_said_in_one_line() -> None:
    with pytest.raises(BadResult, match="the profile of a recording is damaged: events is -1"):
        charts.draw(run_with({**document(), "events": -1}), "lifetimes")


def test_a_recording_that_was_cut_off_says_so() -> None:
    assert "cut off" not in drawn(run_with(document()), "lifetimes").caption
    for ended in ("cut off", "most", "disk"):
        caption = drawn(run_with({**document(), "ended": ended}), "lifetimes").caption
        assert "The recording lacks the end of the program." in caption


def test_the_table_has_the_shares() -> None:
    (_, heading), *rows = drawn(run_with(document()), "lifetimes").table
    assert heading == "share of all blocks"
    assert [(name, text.translate(PLAIN)) for name, text in rows] == [
        ("stack-like", "50 %"), ("temporary", "45 %"), ("region-like", "30 %"), ("freed by another thread", "0 %"),
        ("never freed", "5 %"),
    ]  # fmt: skip


def test_each_figure_is_pointed_out_in_words() -> None:
    spots = [spot.text.translate(PLAIN) for spot in drawn(run_with(document()), "lifetimes").spots]
    assert "16 B to 31 B blocks, freed after 0 allocations: 40 % of all blocks, 100 % of them stack-like" in spots
    assert "16 B to 31 B blocks, never freed: 5 % of all blocks" in spots
    assert "64 B or more blocks, freed after 1 to 3 allocations: 5 % of all blocks" in spots


def test_thin_ends_are_one_row_and_column() -> None:
    blocks = [[1900, 0, 0, 1, 0], [50, 1, 1, 0, 10], [1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [1, 0, 1, 0, 1]]
    grid = lifetimes.without_tails(read_profile(profile_of(blocks, [[0] * 5] * 5)))
    assert (grid.sizes, grid.lifetimes) == ((0, 8, 16), (0, 1))
    assert grid.blocks == ((1900, 1, 0), (50, 2, 10), (3, 1, 1))
    assert sum(sum(row) for row in grid.blocks) == sum(sum(row) for row in blocks)


def test_many_sizes_are_powers_of_four() -> None:
    grid = lifetimes.without_tails(read_profile(profile_of([[1, 0]] * 29, [[0, 0]] * 29)))
    assert grid.sizes[:4] == (0, 16, 64, 256) and len(grid.sizes) == 15
    assert grid.blocks == ((2, 0),) * 14 + ((1, 0),)


LONG = [[0] * 18 for _ in range(29)]
LONG[28][16] = LONG[0][0] = LONG[28][17] = 1_000_000


@pytest.mark.parametrize(("theme", "size"), [("light", "talk"), ("dark", "talk"), ("light", "paper")])
@pytest.mark.parametrize(
    "profile",
    [
        document(), profile_of([[1, 0]], [[1, 0]]), profile_of([[0, 7]], [[0, 0]]), profile_of(LONG, [[0] * 18] * 29),
        profile_of([[1] * 18] * 29, [[1] * 17 + [0]] * 29, "/usr/bin/$a_very_long_$name_of_a_program" * 9),
    ],
    ids=["usual", "one", "never", "corners", "full"],
)  # fmt: skip
def test_every_profile_can_be_read(profile: Document, theme: str, size: str) -> None:
    drawing = drawn(run_with(profile), "lifetimes", theme, size)
    assert list(faults_of_layout(drawing)) == []
