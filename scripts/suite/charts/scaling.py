"""How is the cost of an operation drawn over threads? In ns, and as a multiple of one thread, beside the ideal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET
from suite.charts.kit.several_runs import GROWTH, MULTIPLES, TIME
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

ByThreads = Mapping[int, Benchmark]


def draw(run: Run, look: Look, family: str, operation: str, subtitle: str, **parameters: object) -> Drawing | None:
    """Draws the cost of the family's operation, by control and malloc, for one thread and for several."""
    names = [name for name in (control.CONTROL,) if name in run.strategies(family)] + query.mallocs(run, family)
    all_benchmarks = {name: query.over(run, "threads", family, name, **parameters) for name in names}
    benchmarks = {name: by_threads for name, by_threads in all_benchmarks.items() if by_threads}
    if not benchmarks:
        return None
    costs = [forms.Line(name, query.medians(by_threads)) for name, by_threads in benchmarks.items()]
    panels = [forms.LinesPanel(TIME, costs)]
    growth = {name: _growth(by_threads) for name, by_threads in benchmarks.items() if 1 in by_threads}
    if any(len(by_threads) > 1 for by_threads in growth.values()):
        threads = sorted({number for by_threads in growth.values() for number in by_threads})
        series = [turns(run, threads), *(forms.Line(name, by_threads) for name, by_threads in growth.items())]
        panels.append(forms.LinesPanel(GROWTH, series, MULTIPLES))
    page = Page(run, look, family)
    for axes in forms.lines(page, *panels, over=threads_text):
        guide_cores(page, axes)
    return page.finish(_title(run, family, operation, benchmarks, parameters), subtitle)


def threads_text(value: float) -> str:
    return phrases.count(int(value), "thread")


def guide_cores(page: Page, axes: Any) -> None:
    """Marks the number of cores, above which threads take turns, across a panel whose quantity is threads."""
    cores = page.run.fact("cores")
    if cores and cores > 1:
        forms.guide(page, axes, [(float(cores), phrases.count(cores, "core"))])


def turns(run: Run, threads: Iterable[int]) -> forms.Line:
    """The ideal: each thread costs as much as a thread alone. More threads than cores take turns."""
    cores = run.fact("cores")
    return forms.Line("ideal", {number: forms.exact(max(1.0, number / (cores or number))) for number in threads}, QUIET)


def _growth(benchmarks: ByThreads) -> dict[int, Estimate]:
    several = {
        number: query.ratio_of(benchmark, benchmarks[1]) for number, benchmark in benchmarks.items() if number > 1
    }
    return {1: forms.exact(1.0), **{number: ratio for number, ratio in several.items() if ratio is not None}}


def _title(
    run: Run, family: str, operation: str, benchmarks: Mapping[str, ByThreads], parameters: Mapping[str, object]
) -> str:
    libraries = [name for name in benchmarks if name != control.CONTROL] or list(benchmarks)
    threads = query.contending(run, {number for name in libraries for number in benchmarks[name]})
    subject = f"With {threads_text(threads)}, {operation}"
    grown = control.growths(run, family, libraries, threads, **parameters) if threads > 1 else None
    if grown is None or not grown.by_strategy:
        several = {name: benchmarks[name][threads] for name in libraries if threads in benchmarks[name]}
        return f"{subject} costs {phrases.cheapest_and_costliest(query.middles(query.medians(several)))}"
    ratios = {name: growth.ratio for name, growth in grown.by_strategy.items()}
    if phrases.none_differs(ratios.values()):
        return f"{subject} costs the same, within the intervals, as with one thread"
    return f"{subject} costs {phrases.with_extremes(ratios)} times what it costs with one thread{beside_control(grown, 1.0)}"


def beside_control(grown: control.Growths, ideal: float, of_one: float = 1.0) -> str:
    """What the control does, as the end of a title; without a control, the ideal.

    `of_one`: the threads whose work is stated, where the title states work and not the cost.
    """
    if grown.control is None:
        return f"; {ideal:g} would be ideal"
    does = grown.control.median if of_one == 1.0 else of_one / grown.control.median
    if any(growth.beyond is None or not growth.beyond.has_interval or phrases.differs(growth.beyond) for growth in grown.by_strategy.values()):
        return f"; the control, {phrases.two_figures(does)} times"
    return f", no measurable difference from the control's {phrases.two_figures(does)} times"
