"""Whether threads that share no block get in each other's way: the work of several threads against that of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from suite.base import phrases
from suite.charts import scaling
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET
from suite.charts.kit.several_runs import GROWTH, MULTIPLES, Overlay, times_over_threads
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "private"
QUESTION = "Do threads that never share a block slow each other down?"


def draw(run: Run, how: Look) -> Drawing | None:
    found = {name: query.over(run, "threads", FAMILY, name) for name in query.leading(run, FAMILY)}
    work = {name: _work(threads) for name, threads in found.items() if 1 in threads}
    if not work:
        return None
    cores = run.fact("cores")
    threads = sorted({number for each in work.values() for number in each})
    ideal = {number: forms.exact(min(number, cores or number)) for number in threads}
    series = [forms.Line("ideal", ideal, QUIET), *(forms.Line(name, each) for name, each in work.items())]
    on = Page(run, how, FAMILY)
    panel = forms.LinesPanel("", series, forms.Scale(phrases.times))
    (axes,) = forms.lines(on, panel, over=scaling.threads_text)
    scaling.guide_cores(on, axes)
    subtitle = "Work of all threads, each with its own blocks, as a multiple of one thread's work; log scales"
    return on.finish(_title(run, work, cores), subtitle)


def _work(by_threads: Mapping[int, Benchmark]) -> dict[int, Estimate]:
    """Operations of n threads in the time one thread takes for one: n where they do not get in each other's way."""
    alone = by_threads[1]
    ratios = {number: query.ratio_of(alone, one) for number, one in by_threads.items() if number > 1}
    scaled = {
        number: replace(one, median=one.median * number, low=one.low * number, high=one.high * number)
        for number, one in ratios.items()
        if one is not None
    }
    return {1: forms.exact(1.0), **scaled}


def _title(run: Run, work: Mapping[str, Mapping[int, Estimate]], cores: int | None) -> str:
    most = query.contending(run, {number for each in work.values() for number in each})
    if most == 1:
        return "Only one thread was measured: this run does not show how malloc scales"
    libraries = {name: work[name][most] for name in query.mallocs(run, FAMILY) if most in work.get(name, {})}
    chosen = libraries or {name: each[most] for name, each in work.items() if most in each}
    ideal = min(most, cores or most)
    who = "With malloc, " if libraries else ""
    said = f"{phrases.count(most, 'thread')} do {phrases.with_extremes(chosen)} times the work of one thread"
    return f"{who}{said}; {ideal} would be ideal"


OVERLAY = Overlay(
    "Threads with their own blocks pay",
    "The default malloc, each thread with its own blocks: per block of a thread",
    times_over_threads(FAMILY), "number of threads", over=scaling.threads_text, axes={GROWTH: MULTIPLES},
)  # fmt: skip
