"""How many loads can run at once? Several chains through the same memory."""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET, STRONG, Mark
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "parallel_chase"
QUESTION = "How many loads can run in parallel, and how much does that help?"

STYLES = (Mark(STRONG.light, STRONG.dark, "s", "--"), STRONG)  # of the smallest and of the largest memory


def draw(run: Run, look: Look) -> Drawing | None:
    sizes = query.ends(query.numbers(run, "bytes", FAMILY))
    benchmarks = {size: query.by_number(run.series(FAMILY, bytes=size), "chains") for size in sizes}
    benchmarks = {size: chains for size, chains in benchmarks.items() if chains}
    if not benchmarks:
        return None
    costs = {size: query.medians(chains) for size, chains in benchmarks.items()}
    series = [forms.Line(bytes_text(size), costs[size], style) for size, style in zip(costs, STYLES[-len(costs) :])]
    ideal = _ideal(costs[max(costs)])
    page = Page(run, look, FAMILY)
    panel = forms.LinesPanel("", [forms.Line("ideal", ideal, QUIET), *series] if ideal else series)
    forms.lines(page, panel, over=lambda chains: phrases.count(int(chains), "chain"))
    subtitle = "Random loads that wait only for the previous load in their own chain: time per load, log scales"
    return page.finish(_title(max(benchmarks), benchmarks[max(benchmarks)]), subtitle)


def _ideal(costs: Mapping[int, Estimate]) -> dict[int, Estimate]:
    """The ideal: twice the chains take half the time."""
    alone = costs.get(1)
    return {chains: forms.exact(alone.median / chains) for chains in costs} if alone and len(costs) > 1 else {}


def _title(size: int, benchmarks: Mapping[int, Benchmark]) -> str:
    most = max(benchmarks)
    cost = phrases.short_time(query.medians(benchmarks)[most].median)
    ratio = query.ratio_of(benchmarks[1], benchmarks[most]) if 1 in benchmarks and most > 1 else None
    if ratio is None:
        return f"With {phrases.count(most, 'chain')} through {bytes_text(size)}, a load takes {cost}"
    if phrases.none_differs([ratio]):
        return f"{most} chains at once through {bytes_text(size)} show no measurable difference from one chain"
    return f"{most} chains at once through {bytes_text(size)} do {phrases.multiple([ratio])} the loads of one chain"
