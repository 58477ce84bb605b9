"""Does an aged heap scatter the nodes of a list? The walk along a list, on a fresh and on an aged heap."""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.several_runs import Overlay, Panels, strategy_times
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "list_walk"
QUESTION = "Does an aged heap scatter the nodes of a list that is built on it?"

HEAPS = {"empty": "fresh heap", "aged": "aged heap"}  # filled: aged


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = {heap: query.by_strategy(run.series(FAMILY, heap=heap)) for heap in HEAPS}
    costs = {heap: query.medians(by_strategy) for heap, by_strategy in benchmarks.items()}
    rows = forms.cheapest_first({**costs["empty"], **costs["aged"]})
    if not rows:
        return None
    near = {heap: query.counted(by_strategy, "neighbours") for heap, by_strategy in benchmarks.items()}
    panels = [forms.RowsPanel("Time per node, log scale", _columns(costs))]
    if any(near.values()):
        panels.append(forms.RowsPanel("Steps of at most 256 B", _columns(near), forms.SHARE))
    page = Page(run, look, FAMILY)
    forms.dots(page, rows, *panels)
    ratios = query.ratios(benchmarks["aged"], benchmarks["empty"])
    text = f"; aged over fresh, {phrases.multiple_named(ratios)}" if len(ratios) > 1 else ""
    subtitle = f"Walk a list of 100,000 nodes of 64 B, built in order by each strategy{text}"
    return page.finish(_title(run, benchmarks, ratios), subtitle)


def _columns(values: Mapping[str, Mapping[str, Estimate]]) -> list[forms.Column]:
    return [forms.Column(HEAPS[heap], by_strategy, "o", filled=heap == "aged") for heap, by_strategy in values.items()]


def _title(run: Run, benchmarks: Mapping[str, Mapping[str, Benchmark]], all_ratios: Mapping[str, Estimate]) -> str:
    if not all_ratios:
        costs = next(by_strategy for by_strategy in benchmarks.values() if by_strategy)
        return f"A node costs {phrases.cheapest_and_costliest(query.middles(query.medians(costs)))}"
    name = query.malloc_to_name(run, all_ratios) or next(iter(all_ratios))
    subject = f"Walking a list from {phrases.plain(name)} on an aged heap"
    if phrases.none_differs([all_ratios[name]]):
        return f"{subject} shows no measurable difference from a fresh heap"
    return f"{subject} costs {phrases.multiple([all_ratios[name]])} what it costs on a fresh heap"


def overlay_panels(run: Run) -> Panels:
    heaps = {"On an aged heap": "aged", "On a fresh heap": "empty"}
    return {title: strategy_times(run, FAMILY, heap=heap) for title, heap in heaps.items()}


OVERLAY = Overlay(
    "walks a list on an aged heap in", "a list walk on an aged heap",
    "Walk a list of 100,000 nodes of 64 B, built in order by each malloc: time per node, log scale",
    overlay_panels, "strategies",
)  # fmt: skip
