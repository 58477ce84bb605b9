"""What does it cost when one thread allocates and another frees?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.several_runs import Overlay, Panels, strategy_times
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Difference

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
    left = control.beyond_control(run, benchmarks[pairs[0]])
    of_mallocs = {name: left[name] for name in query.mallocs(run, FAMILY) if name in left}
    if len(of_mallocs) > 1:
        subtitle += f"; beyond it, {phrases.beyond_control(list(of_mallocs.values()))} over all mallocs"
    return page.finish(_title(run, benchmarks[pairs[0]], of_mallocs), subtitle)


def _title(run: Run, benchmarks: dict[str, Benchmark], left: Mapping[str, Difference]) -> str:
    costs = query.middles(query.medians(benchmarks))
    malloc = query.malloc_to_name(run, left)
    if malloc is None:
        return f"Handing over a block costs {phrases.cheapest_and_costliest(costs)}"
    alone = phrases.short_time(costs[control.CONTROL])
    cost = phrases.beyond_control([left[malloc]])
    return f"Handing a block of {phrases.plain(malloc)} to another thread costs {cost} beyond the queue's {alone}"


def overlay_panels(run: Run) -> Panels:
    fewest = query.numbers(run, "pairs", FAMILY)[:1]
    return {f"{phrases.count(pairs, 'pair')} of threads": strategy_times(run, FAMILY, pairs=pairs) for pairs in fewest}


OVERLAY = Overlay(
    "hands over a block in", "the time to hand over a block",
    "Allocate 64 B in one thread, free it in another: time per block, log scale; control: the queue alone",
    overlay_panels, "strategies",
)  # fmt: skip
