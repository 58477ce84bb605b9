"""What does a malloc cost in a server whose threads come and go, and how does that grow with threads?"""

from __future__ import annotations

from suite.charts import scaling
from suite.charts.kit.frame import Drawing, Look
from suite.charts.kit.several_runs import GROWTH, MULTIPLES, Overlay, times_over_threads
from suite.results import query
from suite.results.model import Run

FAMILY = "larson"
LIFE = "life"  # replacements of a thread
QUESTION = "What does a malloc cost in a server, whose threads end and leave their blocks to the next?"


def draw(run: Run, look: Look) -> Drawing | None:
    life = query.longest(run, FAMILY, LIFE)
    end = f"end after {life[LIFE]:,} replacements" if life else "end"
    subtitle = (
        f"Replace a random block among 1,000 of 8 to 1,000 B; threads {end} and leave their blocks to new threads"
    )
    return scaling.draw(run, look, FAMILY, "a server's block", subtitle, **life)


OVERLAY = Overlay(
    "replaces a block in", "the time to replace a block",
    "The default malloc in a server whose threads end and leave their blocks to new threads",
    times_over_threads(FAMILY, LIFE), "numbers of threads", over=scaling.threads_text, axes={GROWTH: MULTIPLES},
)  # fmt: skip
