"""What it costs when one thread allocates and another frees."""

from __future__ import annotations

from suite.base import phrases as words
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import model as results
from suite.results import query as selection

FAMILY = "handoff"
QUESTION = "What does it cost when one thread allocates and another frees?"


def draw(run: results.Run, how: Look) -> Drawing | None:
    pairs = selection.ends(selection.numbers(run, "pairs", FAMILY))
    if not pairs:
        return None
    found = {number: selection.by_strategy(run.series(FAMILY, pairs=number)) for number in pairs}
    columns = [
        forms.Column(words.count(number, "pair of threads", "pairs of threads"), selection.medians(each), "o", filled)
        for (number, each), filled in zip(found.items(), (True, False))
    ]
    rows = {name: one for each in reversed(columns) for name, one in each.values.items()}
    on = Page(run, how, FAMILY)
    forms.dots(on, forms.cheapest_first(rows), forms.RowsPanel("", columns), valued=len(columns) == 1)
    subtitle = "Allocate 64 B in one thread, free it in another: time per block, log scale; control: the queue alone"
    return on.finish(_title(run, found[pairs[0]]), subtitle)


def _title(run: results.Run, found: dict[str, results.Benchmark]) -> str:
    costs = selection.middles(selection.medians(found))
    libraries = [costs[name] for name in selection.mallocs(run, FAMILY) if name in costs]
    if not libraries or "none" not in costs:
        return f"Handing over a block costs {words.cheapest_and_dearest(costs)}"
    alone = words.short_time(costs["none"])
    return f"Handing a block to another thread costs {words.span(libraries)} with malloc, {alone} by the queue alone"
