"""How long do the program's blocks live, how large are they, and which of them would a stack have served?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedFormatter, FixedLocator

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit.frame import Cell, Drawing, Look, Page
from suite.charts.kit.marks import QUIET, Mark
from suite.results.end_to_end import FAMILY as PROGRAM
from suite.results.model import Run
from suite.results.recording import Cells, Profile, profile_in

FAMILY = PROGRAM
QUESTION = "How long do the program's blocks live?"

STACK = "stack_array"  # whose colour the stack-like blocks have
FEW = 0.05  # of the blocks: a stack would hardly matter
TAIL = 0.005  # of the blocks: the sizes and the lifetimes beyond are a single row and column
CUT_SHORT = ("cut off", "most", "disk")
NEVER_GAP = 0.25  # of a column's width, before the column of the blocks that were never freed
MOST_ROWS, MOST_LABELS = 15, 7  # of a panel, below a panel
ROOM_OF_LABELS = 1072.0  # points: the width of the page that this holds for; a narrower page has fewer labels
BESIDE_PANEL = 100.0  # points, for the labels of the sizes
LEAST_APART = 0.15  # of a panel's width: the last label of a lifetime and that of the blocks that were never freed


@dataclass(frozen=True)
class Grid:
    """The heat map without its thin ends: the last size and the last lifetime include all that is beyond.

    An edge is the least value of its row or column."""

    sizes: tuple[int, ...]
    lifetimes: tuple[int, ...]
    blocks: Cells
    stack_like: Cells

    @property
    def never(self) -> int:
        """The column of the blocks that were never freed."""
        return len(self.lifetimes)

    def left(self, column: int) -> float:
        return column + (NEVER_GAP if column == self.never else 0.0)

    def text(self, row: int, column: int) -> str:
        size = f"{_range(self.sizes, row, bytes_text)} blocks"
        if column == self.never:
            return f"{size}, never freed"
        return f"{size}, freed after {_range(self.lifetimes, column, '{:,}'.format)} allocations"


def draw(run: Run, look: Look) -> Drawing | None:
    profile = profile_in(run)
    if profile is None or profile.allocations == 0:
        return None
    page = Page(run, look, FAMILY)
    grid = without_tails(profile)
    darkest = max(number for _, _, number in _cells(grid.blocks))
    stack_like = f"Stack-like (last in, first out): {phrases.share(profile.stack_like.blocks / profile.allocations)}"
    shown = (("All blocks", grid.blocks, QUIET), (stack_like, grid.stack_like, page.mark(STACK)))
    abreast = 1 if look.sheet.is_narrow else len(shown)
    for axes, (_, cells, mark) in zip(page.panels(*(title for title, _, _ in shown)), shown):
        _axes(page, axes, grid)
        cell_width = (page.room / abreast - BESIDE_PANEL) / (grid.left(grid.never) + 1)
        has_room = cell_width > 1.3 * page.text_width("88")
        for row, column, number in _cells(cells):
            text = _percent(number / profile.allocations) if has_room else ""
            _cell(page, axes, (grid.left(column), row), number / darkest, text, mark)
            _point_out(page, axes, profile, grid, row, column)
    page.cells += [Cell(name, "share of all blocks", phrases.percent(share)) for name, share in shares(profile).items()]
    subtitle = (
        "Blocks by size (bottom to top) and by the allocations made while they lived (left to right), in % of all blocks; "
        "the stronger the colour, the more"
    )
    return page.finish(_title(profile), subtitle, _method(profile))


def shares(profile: Profile) -> dict[str, float]:
    """The parts of the blocks, as the profile defines them; there must be blocks."""
    parts = {
        "stack-like": profile.stack_like, "temporary": profile.temporary, "region-like": profile.region_like,
        "freed by another thread": profile.freed_by_other, "never freed": profile.never_freed,
    }  # fmt: skip
    return {name: part.blocks / profile.allocations for name, part in parts.items()}


def without_tails(profile: Profile) -> Grid:
    heat, few = profile.heat, TAIL * profile.allocations
    rows = _kept([sum(row) for row in heat.blocks], few)
    columns = _kept([sum(row[column] for row in heat.blocks) for column in range(len(heat.lifetime_edges))], few)
    step = 1 if rows <= MOST_ROWS else 2  # sizes in powers of two, or of four
    starts = range(0, rows, step)

    def merged(cells: Cells) -> Cells:
        ends = [*starts[1:], len(cells)]
        summed = [[sum(column) for column in zip(*cells[start:end])] for start, end in zip(starts, ends)]
        return tuple((*row[: columns - 1], sum(row[columns - 1 : -1]), row[-1]) for row in summed)

    sizes = tuple(heat.size_edges[start] for start in starts)
    return Grid(sizes, heat.lifetime_edges[:columns], merged(heat.blocks), merged(heat.stack_like))


def _kept(numbers: Sequence[int], few: float) -> int:
    """The number of places from the first on, of which the last includes all that is beyond: at most a few there."""
    kept = len(numbers)
    while kept > 1 and sum(numbers[kept - 1 :]) <= few:
        kept -= 1
    return min(kept + 1, len(numbers))


def _cells(cells: Cells) -> Iterator[tuple[int, int, int]]:
    """Row, column and number of those that are not empty."""
    return ((row, column, number) for row, numbers in enumerate(cells) for column, number in enumerate(numbers) if number)


def _axes(page: Page, axes: Any, grid: Grid) -> None:
    """An edge stands below, or left of, the cells that begin there."""
    look, rows = page.look, len(grid.sizes)
    room = page.room / ROOM_OF_LABELS
    step = math.ceil(grid.never / max(1, math.floor(room * MOST_LABELS) - 1))
    end, right = grid.left(grid.never) + 0.5, grid.left(grid.never) + 1
    labelled = [place for place in range(0, grid.never, step) if place == 0 or end - place > LEAST_APART / room * right]
    axes.set_xlim(0, right)
    axes.set_ylim(0, rows)
    axes.grid(False)
    axes.xaxis.set_major_locator(FixedLocator([*labelled, end]))
    axes.xaxis.set_major_formatter(FixedFormatter([*(_short(grid.lifetimes[place]) for place in labelled), "never"]))
    axes.yaxis.set_major_locator(FixedLocator(range(rows)))
    axes.yaxis.set_major_formatter(FixedFormatter([bytes_text(size) for size in grid.sizes]))
    frame = {"fill": False, "edgecolor": look.grid, "linewidth": 2 * look.scale, "clip_on": False, "zorder": 3}
    for left, width in ((0.0, grid.never), (grid.left(grid.never), 1)):
        axes.add_patch(Rectangle((left, 0), width, rows, **frame))


def _cell(page: Page, axes: Any, corner: tuple[float, int], amount: float, text: str, mark: Mark) -> None:
    """`amount`: of the darkest cell. The colour is that of its square root, so that small amounts are seen."""
    low, high = to_rgb(page.look.page), to_rgb(mark.colour(page.look.theme))
    depth = amount**0.5
    colour = [start + depth * (end - start) for start, end in zip(low, high)]
    axes.add_patch(Rectangle(corner, 1, 1, facecolor=colour, edgecolor=page.look.page, linewidth=page.look.scale))
    if text:
        letters = max(page.look.page, page.look.text, key=lambda letters: _contrast(colour, to_rgb(letters)))
        axes.text(corner[0] + 0.5, corner[1] + 0.5, text, ha="center", va="center", color=letters)


def _contrast(first: Sequence[float], second: Sequence[float]) -> float:
    """As WCAG 2 defines it, of two colours in sRGB."""
    weights = 0.2126, 0.7152, 0.0722
    dark, light = sorted(sum(weight * float(part**2.2) for weight, part in zip(weights, rgb)) for rgb in (first, second))
    return (light + 0.05) / (dark + 0.05)


def _point_out(page: Page, axes: Any, profile: Profile, grid: Grid, row: int, column: int) -> None:
    number, stack_like = grid.blocks[row][column], grid.stack_like[row][column]
    text = f"{grid.text(row, column)}: {phrases.at_most_two_figures(100 * number / profile.allocations)}{phrases.NO_BREAK}% of all blocks"
    like = f", {phrases.percent(stack_like / number)} of them stack-like" if stack_like else ""
    page.point_out(axes, grid.left(column) + 0.5, row + 0.5, f"{text}{like}")


def _percent(share: float) -> str:
    """Nothing below half a percent."""
    return f"{100 * share:.0f}" if share >= 0.005 else ""


def _short(number: int) -> str:
    """`64k`, for 65,536."""
    return f"{number >> 20}M" if number >= 1 << 20 else f"{number >> 10}k" if number >= 1 << 10 else str(number)


def _range(edges: Sequence[int], place: int, text: Callable[[int], str]) -> str:
    if place + 1 == len(edges):
        return f"{text(edges[place])} or more"
    last = edges[place + 1] - 1
    return text(last) if last == edges[place] else f"{text(edges[place])} to {text(last)}"


def _title(profile: Profile) -> str:
    name, share = phrases.plain(profile.name), profile.stack_like.blocks / profile.allocations
    if profile.stack_like.blocks == 0:
        return f"No block of {name} dies last in, first out: a stack would have served none of them"
    if share < FEW:
        return f"Only {phrases.share(share)} of the blocks of {name} die last in, first out: a stack would have served few of them"
    return phrases.begun(f"{phrases.share(share)} of the blocks of {name} die last in, first out: a stack would have served them")


def _method(profile: Profile) -> str:
    text = f"All blocks of a recording are counted: {profile.allocations:,} of {profile.all_calls:,} calls."
    return f"{text} The recording lacks the end of the program." if profile.ended in CUT_SHORT else text
