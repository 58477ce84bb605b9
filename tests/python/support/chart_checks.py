"""Can a chart be read by every eye? The checks of a drawing that several tests share."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pytest
from matplotlib.text import Text

from suite import charts
from suite.base import phrases
from suite.charts.kit import forms, frame
from suite.charts.kit.marks import Mark
from suite.results.model import Run

CSS_POINT = 96 / 72  # pixels
PLAIN = str.maketrans({phrases.NO_BREAK: " "})


def drawn(run: Run, name: str, theme: str = "light", size: str = "talk") -> charts.Drawing:
    drawing = charts.draw(run, name, charts.Look(theme, size))
    assert drawing is not None
    return drawing


def without_placement() -> contextlib.AbstractContextManager[object]:
    """Skips the placement of the panels, which takes most of the time and does not change the texts."""
    return mock.patch.object(frame.Page, "_place_panels")


def unplaced(run: Run, name: str) -> charts.Drawing:
    with without_placement():
        return drawn(run, name)


@contextlib.contextmanager
def without_drawing() -> Iterator[None]:
    """Skips the drawing: titles and subtitles are computed from the data, in a tenth of the time."""

    def nothing(page: frame.Page, *arguments: Any, **_: Any) -> list[Any]:
        return [mock.MagicMock() for panel in arguments if isinstance(panel, (forms.RowsPanel, forms.LinesPanel))]

    with contextlib.ExitStack() as patches:
        for name in ("lines", "dots", "guide", "control_line", "shade_under", "name_peaks"):
            patches.enter_context(mock.patch.object(forms, name, nothing))
        patches.enter_context(mock.patch.object(frame.Page, "_write", lambda *_, **__: 0.0))
        patches.enter_context(without_placement())
        yield


def undrawn(run: Run, name: str) -> charts.Drawing:
    """Its title and caption, without a picture."""
    with without_drawing():
        return drawn(run, name)


def title(run: Run, name: str) -> str:
    return undrawn(run, name).title.translate(PLAIN)


MOST_NUMBERS = 4


def reason_not_to_say(finding: str, most_numbers: int = MOST_NUMBERS) -> str:
    """Why a speaker cannot say the title aloud; empty if nothing is against it."""
    numbers = re.findall(r"\d[\d,.]*", finding)
    if len(finding) > phrases.LONGEST_TITLE:
        return f"{len(finding)} letters: {finding}"
    return f"{len(numbers)} numbers: {finding}" if len(numbers) > most_numbers else ""


def only(family: str) -> Callable[[str], bool]:
    """Keeps the benchmarks of the family."""
    return lambda name: name.startswith(f"{family}/")


def texts(drawing: charts.Drawing) -> list[Text]:
    return [text for text in drawing.figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def boxes(shown: list[Text]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Left, lower, right and upper end of each text, a pixel within its own: a row of the array for each end."""
    return np.array([text.get_window_extent().padded(-1).extents for text in shown]).T


def faults_of_layout(drawing: charts.Drawing) -> Iterator[str]:
    """The texts that are too small, leave the page or overlap, and the axes whose scale a single label does not show."""
    drawing.figure.draw_without_rendering()
    page = drawing.figure.bbox
    shown = texts(drawing)
    smallest = {"narrow": 18.0, "talk": 18.0, "paper": 6.0, "portrait": 18.0}[drawing.look.size]
    for text in shown:
        if text.get_fontsize() < smallest - 1e-6:
            yield f"{text.get_text()!r} has {text.get_fontsize()} points"
    words = [text.get_text() for text in shown]
    x0, y0, x1, y1 = boxes(shown)
    for index in np.flatnonzero((x0 < 0) | (x1 > page.x1) | (y0 < 0) | (y1 > page.y1)):
        yield f"{words[index]!r} leaves the page"
    across = (x0 <= x1[:, None]) & (x0[:, None] <= x1)
    along = (y0 <= y1[:, None]) & (y0[:, None] <= y1)
    for first, second in np.argwhere(np.triu(across & along, 1)):
        yield f"{words[first]!r} lies on {words[second]!r}"
    for axis in (axis for axes in drawing.figure.axes for axis in (axes.xaxis, axes.yaxis) if axis.get_scale() == "log"):
        labels, (low, high) = [label.get_text() for label in axis.get_ticklabels()], axis.get_view_interval()
        if len(labels) == 1 and high >= 10 * low:
            yield f"{labels[0]!r} is the only label of its axis"


def room(drawing: charts.Drawing) -> float:
    """The factor by which all texts can grow before two overlap or a text leaves the page: 1.1 is 10 %."""
    drawing.figure.draw_without_rendering()
    page = drawing.figure.bbox
    x0, y0, x1, y1 = boxes(texts(drawing))
    x, y, width, height = (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0
    to_edge = np.min([2 * x / width, 2 * (page.x1 - x) / width, 2 * y / height, 2 * (page.y1 - y) / height])
    apart = np.maximum(
        2 * np.abs(x - x[:, None]) / (width + width[:, None]), 2 * np.abs(y - y[:, None]) / (height + height[:, None])
    )
    return float(min(to_edge, apart[~np.eye(len(x), dtype=bool)].min()))


# ---- which charts are drawn by day, and which at night

SHAPES = list({sheet.width / sheet.height: size for size, sheet in [*charts.SIZES.items()][::-1]}.values())
"""A page of each shape: pages of one shape differ by their scale alone."""


class Extent(NamedTuple):
    """How much there is to show: the cores of a machine, or the runs in a chart of several; and the strategies."""

    cores_or_runs: int
    strategies: int


def worst(extents: Iterable[Extent]) -> list[Extent]:
    """Where a chart has the least room: where there is most to show. Tests that run each night hold this."""
    return [max(extents, key=lambda extent: (extent.strategies, extent.cores_or_runs))]


def worst_of_each_number(extents: Iterable[Extent]) -> list[Extent]:
    """The same for each number of cores, which the numbers of threads on an axis follow."""
    by_cores = itertools.groupby(sorted(extents), key=lambda extent: extent.cores_or_runs)
    return [extent for _, same_cores in by_cores for extent in worst(same_cores)]


def by_day(chosen: Mapping[str, list[Extent]]) -> Iterator[Any]:
    """Each chart with these extents, on a page of each shape, in both themes in turn; quick tests draw one shape."""
    cases = [(name, size, extent) for name, extents in chosen.items() for extent in extents for size in SHAPES]
    for number, (name, size, extent) in enumerate(cases):
        theme = charts.THEMES[(number + number // len(SHAPES)) % len(charts.THEMES)]
        yield pytest.param(name, theme, size, extent, marks=[] if size == SHAPES[-1] else pytest.mark.slow)


def expect_least_room(
    draw: Callable[[Extent, charts.Look], charts.Drawing], extents: list[Extent], daily: list[Extent]
) -> None:
    """Draws all cases. Fails with the names of the cases with a fault, or with less room than those drawn by day."""
    complaints = []
    for theme, size in itertools.product(charts.THEMES, charts.SIZES):
        drawings = {extent: draw(extent, charts.Look(theme, size)) for extent in extents}
        faults = {extent: list(faults_of_layout(drawing)) for extent, drawing in drawings.items()}
        rooms = {extent: room(drawing) for extent, drawing in drawings.items()}
        sheet = charts.Look(theme, size).sheet
        filled = sheet.width / (sheet.width - 2 * sheet.margin)  # the room of a line of words of full length
        least = min(filled, *(rooms[extent] for extent in daily))
        missed = "" if any(faults[extent] for extent in daily) else f"; no case that is drawn by day has a fault: {daily}"
        for extent in extents:
            case = f"{theme}, {size}, {extent}"
            if faults[extent]:
                complaints.append(f"{case}: {'; '.join(faults[extent])}{missed}")
            if rooms[extent] < least - 0.03:
                complaints.append(f"{case}: has room for {rooms[extent]:.3f}, {daily} for {least:.3f}")
    assert not complaints, "\n".join(complaints)


# Eyes without one kind of cones: Machado, Oliveira and Fernandes 2009, severity 1, on linear light.
SIGHT = {
    "usual": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_CONES = [[0.41222, 0.53633, 0.05145], [0.21190, 0.68070, 0.10740], [0.08830, 0.28172, 0.62998]]
TO_OKLAB = [[0.21045, 0.79362, -0.00407], [1.97800, -2.42859, 0.45059], [0.02590, 0.78277, -0.80868]]


def linear(colour: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    value = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def smallest_difference(used: Sequence[Mark], theme: str) -> float:
    """Between the colours of two marks, in Oklab, for the eye that distinguishes them worst."""
    colours = [linear(mark.colour(theme)) for mark in used]
    labs = [
        [
            np.array(TO_OKLAB) @ np.cbrt(np.array(TO_CONES) @ np.clip(np.array(sight) @ colour, 0, 1))
            for colour in colours
        ]
        for sight in SIGHT.values()
    ]
    return min(float(np.linalg.norm(a - b)) for lab in labs for a, b in itertools.combinations(lab, 2))


def contrast(mark: Mark, theme: str) -> float:
    """Between the mark and the page, by the Web Content Accessibility Guidelines."""
    lighter, darker = sorted((luminance(charts.Look(theme).page), luminance(mark.colour(theme))), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def exact(name: str, process: int) -> float:
    return 1.0
