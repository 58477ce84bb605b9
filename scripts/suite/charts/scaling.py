"""How is the price of an operation drawn over threads? In ns, and against what one thread pays, beside the ideal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

ByThreads = Mapping[int, Benchmark]


def draw(run: Run, how: Look, family: str, operation: str, subtitle: str) -> Drawing | None:
    """One thread's price of the family's operation by control and malloc, and what several threads make of it."""
    names = [name for name in ("none",) if name in run.strategies(family)] + query.mallocs(run, family)
    found = {name: query.over(run, "threads", family, name) for name in names}
    if not found:
        return None
    costs = [forms.Line(name, query.medians(each)) for name, each in found.items()]
    panels = [forms.LinesPanel("Time, log scale", costs)]
    growth = {name: _growth(each) for name, each in found.items() if 1 in each}
    if any(len(each) > 1 for each in growth.values()):
        threads = sorted({number for each in growth.values() for number in each})
        series = [turns(run, threads), *(forms.Line(name, each) for name, each in growth.items())]
        panels.append(forms.LinesPanel("As a multiple of one thread's, log scale", series, forms.Scale(phrases.times)))
    on = Page(run, how, family)
    for axes in forms.lines(on, *panels, over=threads_text):
        guide_cores(on, axes)
    return on.finish(_title(run, operation, found), subtitle)


def threads_text(value: float) -> str:
    return phrases.count(int(value), "thread")


def guide_cores(on: Page, axes: Any) -> None:
    """Where threads begin to take turns, across a panel whose quantity is threads."""
    cores = on.run.fact("cores")
    if cores and cores > 1:
        forms.guide(on, axes, [(float(cores), phrases.count(cores, "core"))])


def turns(run: Run, threads: Iterable[int]) -> forms.Line:
    """The ideal: each thread pays what one pays alone, and waits for its turn where there are more than cores."""
    cores = run.fact("cores")
    return forms.Line("ideal", {each: forms.exact(max(1.0, each / (cores or each))) for each in threads}, QUIET)


def _growth(found: ByThreads) -> dict[int, Estimate]:
    several = {number: query.ratio_of(one, found[1]) for number, one in found.items() if number > 1}
    return {1: forms.exact(1.0), **{number: ratio for number, ratio in several.items() if ratio is not None}}


def _title(run: Run, operation: str, found: Mapping[str, ByThreads]) -> str:
    libraries = {name: each for name, each in found.items() if name != "none"} or found
    threads = query.contending(run, {number for each in libraries.values() for number in each})
    several, alone = (
        {name: each[number] for name, each in libraries.items() if number in each} for number in (threads, 1)
    )
    subject = f"With {threads_text(threads)}, {operation}"
    ratios = query.ratios(several, alone) if threads > 1 else {}
    if not ratios:
        return f"{subject} costs {phrases.cheapest_and_dearest(query.middles(query.medians(several)))}"
    if phrases.none_apart(list(ratios.values())):
        return f"{subject} costs the same, within the intervals, as with one thread"
    ideal = turns(run, [threads]).values[threads].median
    return f"{subject} costs {phrases.with_extremes(ratios)} times what it costs with one thread; {ideal:g} would be ideal"
