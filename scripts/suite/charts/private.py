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
    page = Page(run, look, FAMILY)
    panel = forms.LinesPanel("", series, forms.Scale(phrases.times))
    (axes,) = forms.lines(page, panel, over=scaling.threads_text)
    scaling.guide_cores(page, axes)
    subtitle = "Work of all threads, each with its own blocks, as a multiple of one thread's work; log scales"
    return page.finish(_title(run, work, cores), subtitle)


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


def _title(run: Run, work: Mapping[str, Mapping[int, Estimate]], cores: int | None) -> str:
    most = query.contending(run, {number for by_threads in work.values() for number in by_threads})
    if most == 1:
        return "Only one thread was measured: this run does not show how malloc scales"
    libraries = [name for name in query.mallocs(run, FAMILY) if most in work.get(name, {})]
    others = [name for name, by_threads in work.items() if most in by_threads and name != control.CONTROL]
    names = libraries or others or [control.CONTROL]
    condition = "With malloc, " if libraries else ""
    text = f"{phrases.count(most, 'thread')} do {phrases.with_extremes({name: work[name][most] for name in names})} times"
    beside = scaling.beside_control(control.growths(run, FAMILY, names, most), min(most, cores or most), most)
    return f"{condition}{text} the work of one thread{beside}"


OVERLAY = Overlay(
    "allocates in every thread at once in", "the time to allocate in every thread at once",
    "The default malloc, each thread with its own blocks: per block of a thread",
    times_over_threads(FAMILY), "number of threads", over=scaling.threads_text, axes={GROWTH: MULTIPLES},
)  # fmt: skip
