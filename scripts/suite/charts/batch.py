"""What a block costs among many, and whether the order of giving back matters."""

from __future__ import annotations

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import query
from suite.results.model import Benchmark, Run

FAMILY = "batch"
QUESTION = "What does a block cost among many, and does the order of giving back matter?"

ORDERS = {"lifo": "v", "fifo": "^", "random": "o", "butterfly": "D", "reset": "s"}
USUAL_COUNT = 1000


def draw(run: Run, how: Look) -> Drawing | None:
    counts = query.numbers(run, "count", FAMILY)
    if not counts:
        return None
    count = USUAL_COUNT if USUAL_COUNT in counts else counts[-1]
    sizes = query.numbers(run, "bytes", FAMILY, count=count)[:2]
    panels = [forms.RowsPanel(f"Blocks of {bytes_text(size)}", _columns(run, count, size)) for size in sizes]
    wanted = {"none", "arena", "pool", "pmr_monotonic", *query.mallocs(run, FAMILY)}
    costs = {name: one for each in reversed(panels[0].columns) for name, one in each.values.items() if name in wanted}
    on = Page(run, how, FAMILY)
    forms.dots(on, forms.cheapest_first(costs), *panels)
    subtitle = f"Take {count:,} blocks, then give all back in some order: time per block, log scale"
    return on.finish(_title(run, count), subtitle)


def _columns(run: Run, count: int, size: int) -> list[forms.Column]:
    found = {order: query.by_strategy(run.series(FAMILY, count=count, bytes=size, order=order)) for order in ORDERS}
    return [
        forms.Column(order, query.medians(each), ORDERS[order], lane=1.5 if order == "reset" else lane)
        for lane, (order, each) in enumerate(found.items())
    ]


def _title(run: Run, count: int) -> str:
    usual, shuffled = (_by_name(run, count, order) for order in ("lifo", "random"))
    libraries = {name: one for name, one in shuffled.items() if name.partition("/")[0] in run.mallocs()}
    ratios = list(query.ratios(libraries, usual).values())
    if not ratios:
        costs = query.middles(query.medians(query.by_strategy(run.series(FAMILY, count=count))))
        return f"Among {count:,}, a block costs {phrases.cheapest_and_dearest(costs)}"
    if phrases.none_apart(ratios):
        return "Giving blocks back at random shows no measurable difference from last in, first out, with any malloc"
    return f"By malloc, giving blocks back at random {phrases.against(ratios, 'last in, first out')}"


def _by_name(run: Run, count: int, order: str) -> dict[str, Benchmark]:
    """By strategy and size."""
    found = run.series(FAMILY, count=count, order=order)
    return {f"{one.name.strategy}/{one.name.parameters['bytes']}": one for one in found}
