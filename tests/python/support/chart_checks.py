"""Can a chart be read, and be told apart by every eye? What several tests ask of a drawing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np
from matplotlib.text import Text

from suite import charts
from suite.base import phrases
from suite.charts.kit import frame
from suite.results.model import Run

CSS_POINT = 96 / 72  # pixels
PLAIN = str.maketrans({phrases.NO_BREAK: " "})


def drawn(run: Run, name: str, theme: str = "light", size: str = "talk") -> charts.Drawing:
    found = charts.draw(run, name, charts.Look(theme, size))
    assert found is not None
    return found


def told_only() -> contextlib.AbstractContextManager[object]:
    """For what a chart says: its words do not wait until the panels are placed, which is most of the work."""
    return mock.patch.object(frame.Page, "_place_panels")


def told(run: Run, name: str) -> charts.Drawing:
    with told_only():
        return drawn(run, name)


def title(run: Run, name: str) -> str:
    return told(run, name).title.translate(PLAIN)


def only(family: str) -> Callable[[str], bool]:
    """Keeps what a chart of the family needs."""
    return lambda name: name.startswith(f"{family}/")


def texts(one: charts.Drawing) -> list[Text]:
    return [text for text in one.figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def faults_of_layout(one: charts.Drawing) -> Iterator[str]:
    """Texts that are too small, leave the page or lie on one another."""
    one.figure.draw_without_rendering()
    page = one.figure.bbox
    shown = texts(one)
    smallest = {"talk": 18.0, "paper": 8.0, "square": 18.0}[one.look.size]
    for text in shown:
        if text.get_fontsize() < smallest - 1e-6:
            yield f"{text.get_text()!r} has {text.get_fontsize()} points"
    said = [text.get_text() for text in shown]
    x0, y0, x1, y1 = np.array([text.get_window_extent().padded(-1).extents for text in shown]).T
    for index in np.flatnonzero((x0 < 0) | (x1 > page.x1) | (y0 < 0) | (y1 > page.y1)):
        yield f"{said[index]!r} leaves the page"
    across = (x0 <= x1[:, None]) & (x0[:, None] <= x1)
    along = (y0 <= y1[:, None]) & (y0[:, None] <= y1)
    for first, second in np.argwhere(np.triu(across & along, 1)):
        yield f"{said[first]!r} lies on {said[second]!r}"


# Eyes without one kind of cones: Machado, Oliveira and Fernandes 2009, severity 1, on linear light.
SIGHT = {
    "usual": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
# Eyes without one kind of cones: Machado, Oliveira and Fernandes 2009, severity 1, on linear light.


def linear(colour: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    value = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def exact(name: str, process: int) -> float:
    return 1.0


