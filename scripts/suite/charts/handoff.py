"""What does it cost when one thread allocates and another frees?"""

from __future__ import annotations

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.several_runs import Overlay, Panels, strategy_times
from suite.results import query
from suite.results.model import Benchmark, Run

FAMILY = "handoff"
QUESTION = "What does it cost when one thread allocates and another frees?"


def draw(run: Run, look: Look) -> Drawing | None:
    pairs = query.ends(query.numbers(run, "pairs", FAMILY))
    if not pairs:
        return None
    benchmarks = {number: query.by_strategy(run.series(FAMILY, pairs=number)) for number in pairs}
    columns = [
        forms.Column(
            phrases.count(number, "pair of threads", "pairs of threads"), query.medians(by_strategy), "o", filled
        )
        for (number, by_strategy), filled in zip(benchmarks.items(), (True, False))
    ]
    rows = forms.figures_of_rows(reversed(columns))
    page = Page(run, look, FAMILY)
    forms.dots(page, forms.cheapest_first(rows), forms.RowsPanel("", columns), valued=len(columns) == 1)
    subtitle = "Allocate 64 B in one thread, free it in another: time per block, log scale; control: the queue alone"
    return page.finish(_title(run, benchmarks[pairs[0]]), subtitle)


def _title(run: Run, benchmarks: dict[str, Benchmark]) -> str:
    costs = query.middles(query.medians(benchmarks))
    libraries = [costs[name] for name in query.mallocs(run, FAMILY) if name in costs]
    if not libraries or "none" not in costs:
        return f"Handing over a block costs {phrases.cheapest_and_costliest(costs)}"
    alone = phrases.short_time(costs["none"])
    return f"Handing a block to another thread costs {phrases.span(libraries)} with malloc, {alone} for the queue alone"


def overlay_panels(run: Run) -> Panels:
    fewest = query.numbers(run, "pairs", FAMILY)[:1]
    return {f"{phrases.count(pairs, 'pair')} of threads": strategy_times(run, FAMILY, pairs=pairs) for pairs in fewest}


OVERLAY = Overlay(
    "Handing over a block costs",
    "Allocate 64 B in one thread, free it in another: time per block, log scale; control: the queue alone",
    overlay_panels, "strategy",
)  # fmt: skip
