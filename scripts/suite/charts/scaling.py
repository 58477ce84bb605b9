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
    libraries = [name for name in benchmarks if name != control.CONTROL] or list(benchmarks)
    several = query.contending(run, {number for name in libraries for number in benchmarks[name]})
    grown = control.growths(run, family, libraries, several, **parameters) if several > 1 else None
    title = _title(run, operation, benchmarks, grown, several)
    return page.finish(title, f"{subtitle}{growth_over_all(grown)}")


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
    run: Run, operation: str, benchmarks: Mapping[str, ByThreads], grown: control.Growths | None, threads: int
) -> str:
    libraries = [name for name in benchmarks if name != control.CONTROL] or list(benchmarks)
    several = {name: benchmarks[name][threads] for name in libraries if threads in benchmarks[name]}
    malloc = query.malloc_to_name(run, grown.by_strategy if grown else several)
    if grown is None or malloc is None:
        costs = query.middles(query.medians(several))
        return f"With {threads_text(threads)}, {operation} costs {phrases.cheapest_and_costliest(costs)}"
    growth = grown.by_strategy[malloc]
    subject = f"With {threads_text(threads)}, {operation} from {phrases.plain(malloc)}"
    if phrases.none_differs([growth.ratio]):
        return f"{subject} costs the same, within the intervals, as with one"
    if is_the_controls(growth):
        return f"{subject} shows no measurable slowdown beyond the control"
    beside = "1 would be ideal"
    if grown.control is not None:
        beside = f"the control, {phrases.two_figures(grown.control.median)} times"
    return f"{subject} costs {phrases.two_figures(growth.ratio.median)} times that with one; {beside}"


def is_the_controls(growth: control.Growth) -> bool:
    """Whether a strategy slows down as the control does, within the interval: the cores do that, not its memory."""
    return growth.beyond is not None and phrases.none_differs([growth.beyond])


def growth_over_all(grown: control.Growths | None) -> str:
    """The end of a subtitle: the growth by malloc, and that of the control."""
    ratios = {name: growth.ratio for name, growth in grown.by_strategy.items()} if grown else {}
    if grown is None or len(ratios) < 2:
        return ""
    beside = f", control {phrases.two_figures(grown.control.median)} times" if grown.control else ""
    return f"{phrases.over_all(ratios)}{beside}"
