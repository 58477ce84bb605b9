"""What does it cost to visit elements, by the container that placed them?"""

from __future__ import annotations

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.several_runs import Overlay, Panels, strategy_times
from suite.results import query
from suite.results.model import Run

FAMILY = "traverse"
QUESTION = "What does it cost to visit elements, by the container that placed them?"

MARKERS = ("o", "s")


def draw(run: Run, look: Look) -> Drawing | None:
    counts, payloads = (query.ends(query.numbers(run, key, FAMILY)) for key in ("count", "payload"))
    panels = [forms.RowsPanel(f"{count:,} elements", _columns(run, count, payloads)) for count in counts]
    rows = forms.figures_of_rows(column for panel in panels for column in reversed(panel.columns))
    if not rows:
        return None
    page = Page(run, look, FAMILY)
    forms.dots(page, forms.cheapest_first(rows), *panels)
    subtitle = "Visit every element in the container's order: time per element, log scale"
    subtitle += f"; title: elements of {payloads[0]} B"
    return page.finish(_title(run, counts[-1], payloads[0]), subtitle)


def _columns(run: Run, count: int, payloads: list[int]) -> list[forms.Column]:
    benchmarks = {size: query.by_strategy(run.series(FAMILY, count=count, payload=size)) for size in payloads}
    return [
        forms.Column(
            f"elements of {size} B", query.medians(by_strategy), marker, filled=marker == MARKERS[0], lane=lane
        )
        for lane, ((size, by_strategy), marker) in enumerate(zip(benchmarks.items(), MARKERS))
    ]


def _title(run: Run, count: int, payload: int) -> str:
    benchmarks = query.by_strategy(run.series(FAMILY, count=count, payload=payload))
    subject = f"Among {count:,}, an element costs"
    costs = query.middles(query.medians(benchmarks))
    if not {"list_shuffled", "vector"} <= benchmarks.keys():
        return f"{subject} {phrases.cheapest_and_costliest(costs)}"
    subject = f"{subject} {phrases.short_time(costs['list_shuffled'])} in a shuffled list"
    ratio = query.ratio_of(benchmarks["list_shuffled"], benchmarks["vector"])
    return f"{subject}, {phrases.as_much_as([ratio], 'in a vector')}" if ratio else subject


def overlay_panels(run: Run) -> Panels:
    counts, payloads = (query.numbers(run, key, FAMILY)[-1:] for key in ("count", "payload"))
    return {
        f"{count:,} elements of {payload} B": strategy_times(run, FAMILY, count=count, payload=payload)
        for count, payload in zip(counts, payloads)
    }


OVERLAY = Overlay(
    "visits an element in", "the time to visit an element",
    "Visit every element in the container's order: time per element, log scale",
    overlay_panels, "containers",
)  # fmt: skip
