"""Does a malloc scale if each thread takes and frees its own small blocks?"""

from __future__ import annotations

from suite.charts import scaling
from suite.charts.kit.frame import Drawing, Look
from suite.results import query
from suite.results.model import Run

FAMILY = "threadtest"
BATCH = "count"  # blocks of a thread
QUESTION = "Does a malloc scale when each thread takes and frees small blocks of its own?"


def draw(run: Run, look: Look) -> Drawing | None:
    batch = query.longest(run, FAMILY, BATCH)
    blocks = f"{batch[BATCH]:,} blocks" if batch else "a batch of blocks"
    subtitle = f"Each thread takes {blocks} of 8 B, writes them and frees them: time per block, by threads"
    return scaling.draw(run, look, FAMILY, "a block of 8 B", subtitle, **batch)
