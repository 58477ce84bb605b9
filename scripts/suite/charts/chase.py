"""What is the latency of memory, by the amount that is walked, in order and at random?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET, STRONG, Mark
from suite.charts.kit.several_runs import Overlay, Panels, process_times, size_text
from suite.results import caches, query
from suite.results.model import Benchmark, Run

FAMILY = caches.FAMILY
QUESTION = "What does it cost to reach memory, by its size and by the order of the loads?"

ORDERS = {"random": ("at random", STRONG), "sequential": ("in order", QUIET)}
WINDOWS = "few page walks"  # a walk at random that stays in 64 pages at a time
IN_WINDOWS = Mark(STRONG.light, STRONG.dark, "s", "--")


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = {order: caches.chased(run, order) for order in ORDERS}
    in_windows = caches.chased_in_windows(run)
    series = [
        forms.Line(name, query.medians(benchmarks[order]), style)
        for order, (name, style) in ORDERS.items()
        if benchmarks[order]
    ]
    if not series:
        return None
    if in_windows and benchmarks["random"]:
        series.append(forms.Line(WINDOWS, query.medians(in_windows), IN_WINDOWS))
    page = Page(run, look, FAMILY)
    (axes,) = forms.lines(page, forms.LinesPanel("", series))
    forms.guide(page, axes, caches.caches_of(run).guides)
    shown = caches.caches_of(run).text
    subtitle = "Each load waits for the previous load: time per load over the memory walked, log scales"
    subtitle += f"; {shown}" if shown else ""
    return page.finish(_title(benchmarks["random"], benchmarks["sequential"]), subtitle)


def _title(shuffled: Mapping[int, Benchmark], in_order: Mapping[int, Benchmark]) -> str:
    ratios = query.ratios(shuffled, in_order)
    order, by_size = ("random", shuffled) if shuffled else ("sequential", in_order)
    size = max(ratios or by_size)
    cost = phrases.short_time(query.medians({size: by_size[size]})[size].median)
    subject = f"A load {ORDERS[order][0]} from {bytes_text(size)} costs {cost}"
    if not ratios:
        return subject
    if phrases.none_differs([ratios[size]]):
        return f"{subject}; a load in order shows no measurable difference"
    return f"{subject}, {phrases.two_figures(ratios[size].median)} times a load in order"


def overlay_panels(run: Run) -> Panels:
    return {"": process_times(run, caches.chased(run))}


OVERLAY = Overlay(
    "loads from memory in", "the time of a load from memory",
    "Each load waits for the previous load: time per load over the memory walked, log scales",
    overlay_panels, "sizes", over=size_text, caches=True, largest=True,
)  # fmt: skip
