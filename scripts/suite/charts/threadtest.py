"""Whether a malloc scales when each thread takes and frees small blocks of its own."""

from __future__ import annotations

from suite.charts import scaling
from suite.charts.kit.frame import Drawing, Look
from suite.results.model import Run

FAMILY = "threadtest"
QUESTION = "Does a malloc scale when each thread takes and frees small blocks of its own?"


def draw(run: Run, how: Look) -> Drawing | None:
    subtitle = "Each thread takes 10,000 blocks of 8 B, writes them and frees them: time per block, by threads"
    return scaling.draw(run, how, FAMILY, "a block of 8 B", subtitle)
