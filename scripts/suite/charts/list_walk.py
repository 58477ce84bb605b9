"""Whether an aged heap scatters what is built on it: the walk along a list, on a fresh heap and on an aged one."""

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


def draw(run: Run, how: Look) -> Drawing | None:
    found = {heap: query.by_strategy(run.series(FAMILY, heap=heap)) for heap in HEAPS}
    costs = {heap: query.medians(each) for heap, each in found.items()}
    rows = forms.cheapest_first({**costs["empty"], **costs["aged"]})
    if not rows:
        return None
    near = {heap: query.counted(each, "neighbours") for heap, each in found.items()}
    panels = [forms.RowsPanel("Time per node, log scale", _columns(costs))]
    if any(near.values()):
        panels.append(forms.RowsPanel("Steps of at most 256 B", _columns(near), forms.SHARE))
    on = Page(run, how, FAMILY)
    forms.dots(on, rows, *panels)
    return on.finish(_title(run, found), "Walk a list of 100,000 nodes of 64 B, built in order by each malloc")


def _columns(values: Mapping[str, Mapping[str, Estimate]]) -> list[forms.Column]:
    return [forms.Column(HEAPS[heap], each, "o", filled=heap == "aged") for heap, each in values.items()]


def _title(run: Run, found: Mapping[str, Mapping[str, Benchmark]]) -> str:
    ratios = query.ratios(found["aged"], found["empty"])
    ratios = {name: ratio for name, ratio in ratios.items() if name in run.mallocs()} or ratios
    if not ratios:
        costs = next(each for each in found.values() if each)
        return f"A node costs {phrases.cheapest_and_dearest(query.middles(query.medians(costs)))}"
    if phrases.none_apart(list(ratios.values())):
        return "Walking a list on an aged heap shows no measurable difference from a fresh heap"
    return f"Walking a list on an aged heap costs {phrases.with_extremes(ratios)} times what it costs on a fresh heap"


def overlay_panels(run: Run) -> Panels:
    heaps = {"On an aged heap": "aged", "On a fresh heap": "empty"}
    return {title: strategy_times(run, FAMILY, heap=heap) for title, heap in heaps.items()}


OVERLAY = Overlay(
    "A step along a list on an aged heap costs",
    "Walk a list of 100,000 nodes of 64 B, built in order by each malloc: time per node, log scale",
    overlay_panels, "malloc",
)  # fmt: skip
