"""Do threads that share no block slow each other down? The work of several threads against the work of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from suite.base import phrases
from suite.charts import scaling
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET
from suite.charts.kit.several_runs import GROWTH, MULTIPLES, Overlay, times_over_threads
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "private"
QUESTION = "Do threads that never share a block slow each other down?"


SLOWDOWN = "Slowdown, as a multiple of the control's"


def draw(run: Run, look: Look) -> Drawing | None:
    names = (control.CONTROL, *query.leading(run, FAMILY))
    benchmarks = {name: query.over(run, "threads", FAMILY, name) for name in names}
    work = {name: _work(threads) for name, threads in benchmarks.items() if 1 in threads}
    if not work:
        return None
    cores = run.fact("cores")
    threads = sorted({number for by_threads in work.values() for number in by_threads})
    ideal = {number: forms.exact(min(number, cores or number)) for number in threads}
    series = [forms.Line("ideal", ideal, QUIET), *(forms.Line(name, by_threads) for name, by_threads in work.items())]
    panels = [forms.LinesPanel("Work, as a multiple of one thread's", series, MULTIPLES)]
    growths = {number: control.growths(run, FAMILY, names, number) for number in threads if number > 1}
    if slowdowns := _slowdowns(growths):
        even = forms.Line(control.CONTROL, dict.fromkeys(threads, forms.exact(1.0)), QUIET)
        panels.append(forms.LinesPanel(SLOWDOWN, [even, *slowdowns], MULTIPLES))
    page = Page(run, look, FAMILY)
    for axes in forms.lines(page, *panels, over=scaling.threads_text):
        scaling.guide_cores(page, axes)
    most = query.contending(run, threads)
    subtitle = "Each thread takes and frees blocks of its own; control: threads without blocks; log scales"
    at_most = growths[most].by_strategy if most in growths else {}
    of_mallocs = {name: growth.beyond for name, growth in at_most.items() if growth.beyond and name in run.mallocs()}
    subtitle += phrases.over_all(of_mallocs, f"{scaling.threads_text(most)} over the control")
    return page.finish(_title(run, work, growths.get(most), most, cores), subtitle)


def _work(by_threads: Mapping[int, Benchmark]) -> dict[int, Estimate]:
    """Operations of n threads in the time one thread takes for one: n where the threads do not slow each other down."""
    alone = by_threads[1]
    ratios = {number: query.ratio_of(alone, benchmark) for number, benchmark in by_threads.items() if number > 1}
    scaled = {
        number: replace(ratio, median=ratio.median * number, low=ratio.low * number, high=ratio.high * number)
        for number, ratio in ratios.items()
        if ratio is not None
    }
    return {1: forms.exact(1.0), **scaled}


def _slowdowns(growths: Mapping[int, control.Growths]) -> list[forms.Line]:
    """How much longer each strategy takes than with one thread, over how much longer the control takes."""
    lines: dict[str, dict[int, Estimate]] = {}
    for number, grown in growths.items():
        for name, growth in grown.by_strategy.items():
            if growth.beyond is not None:
                lines.setdefault(name, {1: forms.exact(1.0)})[number] = growth.beyond
    return [forms.Line(name, by_threads) for name, by_threads in lines.items()]


def _title(
    run: Run, work: Mapping[str, Mapping[int, Estimate]], grown: control.Growths | None, most: int, cores: int | None
) -> str:
    """Answers the question against the control: what the cores do to a loop without blocks is not the blocks' doing."""
    if most == 1:
        return "Only one thread was measured: this run does not show how malloc scales"
    others = [name for name, by_threads in work.items() if most in by_threads and name != control.CONTROL]
    malloc = query.malloc_to_name(run, others)
    name = malloc if malloc is not None else next(iter(others), control.CONTROL)
    subject = f"With {phrases.plain(name)}, threads that share no block"
    growth = grown.by_strategy.get(name) if grown else None
    if growth is None or growth.beyond is None or not growth.beyond.has_interval:
        does = phrases.two_figures(work[name][most].median)
        deed = f"{scaling.threads_text(most)} do {does} times the work of one"
        return f"With {phrases.plain(name)}, {deed}{_beside(grown, most, cores)}"
    if growth.is_measurable:
        return f"{subject} slow down {phrases.multiple([growth.beyond])} beyond the control"
    return f"{subject} show no measurable slowdown beyond the control"


def _beside(grown: control.Growths | None, threads: int, cores: int | None) -> str:
    """What the control does, as the end of the title; without a control, the ideal."""
    if grown is None or grown.control is None:
        return f"; {min(threads, cores or threads)} would be ideal"
    return f"; the control, {phrases.two_figures(threads / grown.control.median)} times"


OVERLAY = Overlay(
    "allocates in every thread at once in", "the time to allocate in threads",
    "The default malloc, each thread with its own blocks: per block of a thread",
    times_over_threads(FAMILY), "numbers of threads", over=scaling.threads_text, axes={GROWTH: MULTIPLES},
)  # fmt: skip
