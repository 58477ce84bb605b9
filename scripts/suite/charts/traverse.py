"""What it costs to visit elements, by the container that placed them."""

from __future__ import annotations

from suite.base import phrases as words
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import model as results
from suite.results import query as selection

FAMILY = "traverse"
QUESTION = "What does it cost to visit elements, by the container that placed them?"

MARKERS = ("o", "s")


def draw(run: results.Run, how: Look) -> Drawing | None:
    counts, payloads = (selection.ends(selection.numbers(run, key, FAMILY)) for key in ("count", "payload"))
    panels = [forms.RowsPanel(f"{count:,} elements", _columns(run, count, payloads)) for count in counts]
    rows = {name: one for panel in panels for each in reversed(panel.columns) for name, one in each.values.items()}
    if not rows:
        return None
    on = Page(run, how, FAMILY)
    forms.dots(on, forms.cheapest_first(rows), *panels)
    subtitle = "Visit every element in the container's order: time per element, log scale"
    return on.finish(_title(run, counts[-1], payloads[0]), subtitle)


def _columns(run: results.Run, count: int, payloads: list[int]) -> list[forms.Column]:
    found = {size: selection.by_strategy(run.series(FAMILY, count=count, payload=size)) for size in payloads}
    return [
        forms.Column(f"elements of {size} B", selection.medians(each), marker, filled=marker == MARKERS[0], lane=lane)
        for lane, ((size, each), marker) in enumerate(zip(found.items(), MARKERS))
    ]


def _title(run: results.Run, count: int, payload: int) -> str:
    found = selection.by_strategy(run.series(FAMILY, count=count, payload=payload))
    subject = f"Among {count:,}, an element of {payload} B costs"
    costs = selection.middles(selection.medians(found))
    if not {"list_shuffled", "vector"} <= found.keys():
        return f"{subject} {words.cheapest_and_dearest(costs)}"
    subject = f"{subject} {words.short_time(costs['list_shuffled'])} in a shuffled list"
    ratio = selection.ratio_of(found["list_shuffled"], found["vector"])
    return f"{subject}, {words.as_much([ratio])} as in a vector" if ratio else subject
