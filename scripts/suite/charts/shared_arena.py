"""What do an arena and a pool cost if threads share them behind a mutex?"""

from __future__ import annotations

from suite.base import phrases
from suite.charts import scaling
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET
from suite.results import control, query
from suite.results.model import Run
from suite.stats.estimates import median

FAMILY = "shared_arena"
QUESTION = "What becomes of an arena's or a pool's low price when threads share it?"

OWN = ("arena", "pool", "pmr_monotonic", "pmr_pool")
ARTICLES = {"arena": "an arena", "pool": "a pool", "pmr_monotonic": "a pmr monotonic", "pmr_pool": "a pmr pool"}
SHARED = (*OWN, "pmr_sync_pool", "new_delete")


def draw(run: Run, look: Look) -> Drawing | None:
    own, shared = _lines(run, "own", OWN), _lines(run, "shared", SHARED)
    mutex = query.medians(query.over(run, "threads", FAMILY, "none", memory="shared"))
    if mutex:
        shared.append(forms.Line("mutex alone", mutex, QUIET))
    titles = {"Each thread has its own": own, "All threads share one": shared}
    panels = [forms.LinesPanel(title, lines) for title, lines in titles.items() if lines]
    if not panels:
        return None
    page = Page(run, look, FAMILY)
    for axes in forms.lines(page, *panels, over=scaling.threads_text):
        scaling.guide_cores(page, axes)
    subtitle = f"Take 64 B and give them back: time per block, log scales{_over_all(run)}"
    return page.finish(_title(run), subtitle)


def _lines(run: Run, memory: str, names: tuple[str, ...]) -> list[forms.Line]:
    benchmarks = {name: query.over(run, "threads", FAMILY, name, memory=memory) for name in names}
    return [forms.Line(name, query.medians(by_threads)) for name, by_threads in benchmarks.items() if by_threads]


def _title(run: Run) -> str:
    threads = query.contending(run, query.numbers(run, "threads", FAMILY))
    own, shared = (
        query.by_strategy(run.series(FAMILY, memory=memory, threads=threads)) for memory in ("own", "shared")
    )
    pooled = {name: shared[name] for name in OWN if name in shared}
    number = scaling.threads_text(threads)
    if not pooled or threads == 1:
        costs = query.middles(query.medians(own or shared))
        return f"With {number}, a block costs {phrases.cheapest_and_costliest(costs)}"
    name = next(iter(pooled))
    cost = phrases.short_time(median(shared[name].times))
    beside = f"; unshared, {phrases.short_time(median(own[name].times))}" if name in own else ""
    return f"Shared by {number} behind a mutex, {ARTICLES[name]} costs {cost}{beside}"


def _over_all(run: Run) -> str:
    """The end of the subtitle: the mutex alone, and every arena and pool beyond it."""
    threads = query.contending(run, query.numbers(run, "threads", FAMILY))
    shared = query.by_strategy(run.series(FAMILY, memory="shared", threads=threads))
    left = list(control.beyond_control(run, {name: shared[name] for name in OWN if name in shared}).values())
    if not left:
        return ""
    mutex = phrases.short_time(median(shared[control.CONTROL].times))
    return f"; the mutex alone, {mutex}; arenas and pools beyond it, {phrases.beyond_control(left)}"
