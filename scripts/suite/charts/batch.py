"""What does a block cost among many, and does the order of freeing matter?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import control, query
from suite.results.model import Run
from suite.stats.estimates import Estimate

FAMILY = "batch"
QUESTION = "What does a block cost among many, and does the order of giving back matter?"

ORDERS = {"lifo": "v", "fifo": "^", "random": "o", "butterfly": "D", "reset": "s"}
USUAL_COUNT = 1000


def draw(run: Run, look: Look) -> Drawing | None:
    counts = query.numbers(run, "count", FAMILY)
    if not counts:
        return None
    count = USUAL_COUNT if USUAL_COUNT in counts else counts[-1]
    sizes = query.numbers(run, "bytes", FAMILY, count=count)[:2]
    panels = [forms.RowsPanel(f"Blocks of {bytes_text(size)}", _columns(run, count, size)) for size in sizes]
    wanted = {"none", "arena", "pool", "pmr_monotonic", *query.mallocs(run, FAMILY)}
    rows = forms.figures_of_rows(reversed(panels[0].columns))
    costs = {name: estimate for name, estimate in rows.items() if name in wanted}
    page = Page(run, look, FAMILY)
    forms.dots(page, forms.cheapest_first(costs), *panels)
    subtitle = f"Take {count:,} blocks, then give all back in some order: time per block, log scale"
    size, compared = _compared(run, count, sizes)
    return page.finish(_title(run, count, size, compared), f"{subtitle}{phrases.over_all(compared)}")


def _columns(run: Run, count: int, size: int) -> list[forms.Column]:
    benchmarks = {
        order: query.by_strategy(run.series(FAMILY, count=count, bytes=size, order=order)) for order in ORDERS
    }
    return [
        forms.Column(order, query.medians(by_strategy), ORDERS[order], lane=1.5 if order == "reset" else lane)
        for lane, (order, by_strategy) in enumerate(benchmarks.items())
    ]


def _compared(run: Run, count: int, sizes: Sequence[int]) -> tuple[int, dict[str, Estimate]]:
    """Giving back at random against last in, first out, by malloc, and the size of the blocks: one that is drawn."""
    for size in reversed(sizes):
        usual, shuffled = (
            query.by_strategy(run.series(FAMILY, count=count, bytes=size, order=order)) for order in ("lifo", "random")
        )
        libraries = {name: benchmark for name, benchmark in shuffled.items() if name in run.mallocs()}
        if compared := control.compare(run, libraries, usual):
            return size, compared
    return sizes[0], {}


def _title(run: Run, count: int, size: int, compared: Mapping[str, Estimate]) -> str:
    malloc = query.malloc_to_name(run, compared)
    if malloc is None:
        costs = query.middles(query.medians(query.by_strategy(run.series(FAMILY, count=count))))
        return f"Among {count:,}, a block costs {phrases.cheapest_and_costliest(costs)}"
    against = phrases.against([compared[malloc]], "last in, first out")
    return f"Freeing {bytes_text(size)} blocks of {phrases.plain(malloc)} at random {against}"
