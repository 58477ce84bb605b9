"""What does it cost to count references, alone and if several threads count on one object?"""

from __future__ import annotations

from suite.base import phrases
from suite.charts import scaling
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET, STRONG, Mark
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import estimate_median

FAMILY = "refcount"
QUESTION = "What does it cost to copy and drop a shared_ptr, alone and when threads share the object?"

OBJECTS = {
    "shared": ("one object for all", STRONG),
    "own": ("an object each", Mark(STRONG.light, STRONG.dark, "^", ":")),
    "none": ("plain pointer", QUIET),
}


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = {kind: query.by_number(run.series(FAMILY, object=kind), "threads") for kind in OBJECTS}
    series = [
        forms.Line(name, query.medians(benchmarks[kind]), style)
        for kind, (name, style) in OBJECTS.items()
        if benchmarks[kind]
    ]
    if not series:
        return None
    page = Page(run, look, FAMILY)
    (axes,) = forms.lines(page, forms.LinesPanel("", series), over=scaling.threads_text)
    scaling.guide_cores(page, axes)
    subtitle = "Copy a shared_ptr and drop the copy, by each thread at once: time per copy over threads, log scales"
    return page.finish(_title(run), subtitle)


def _title(run: Run) -> str:
    threads = query.contending(run, query.numbers(run, "threads", FAMILY))
    shared, own = (run.series(FAMILY, object=kind, threads=threads) for kind in ("shared", "own"))
    benchmark = (*shared, *own, *run.series(FAMILY, threads=threads))[0]
    cost = phrases.short_time(estimate_median(benchmark.times).median)
    subject = f"With {scaling.threads_text(threads)}, copying {_subject(benchmark)}"
    compared = control.compare_two(run, shared[0], own[0]) if shared and own and threads > 1 else None
    if compared is None:
        return f"{subject} costs {cost}"
    if phrases.none_differs([compared]):
        return f"{subject} shows no measurable difference from an unshared one"
    return f"{subject} costs {cost}, {phrases.as_much_as([compared], 'an unshared one')}"


def _subject(benchmark: Benchmark) -> str:
    named = {"shared": "a shared_ptr that they share", "own": "an unshared shared_ptr", "none": "a plain pointer"}
    return named.get(benchmark.name.parameters.get("object", ""), "a pointer")
