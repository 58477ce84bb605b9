"""What does it cost if each load goes to another page, although the data would fit the caches?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET, STRONG
from suite.results import caches, query
from suite.results.model import Benchmark, Run

FAMILY = "tlb"
QUESTION = "What does it cost to reach many pages, when the data itself would fit the caches?"

LAYOUTS = {"pages": ("a page each", STRONG), "lines": ("in a row", QUIET)}
LINE_BYTES = 64


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = {layout: query.by_number(run.series(FAMILY, layout=layout), "pages") for layout in LAYOUTS}
    series = [
        forms.Line(name, query.medians(benchmarks[layout]), style)
        for layout, (name, style) in LAYOUTS.items()
        if benchmarks[layout]
    ]
    if not series:
        return None
    page = Page(run, look, FAMILY)
    (axes,) = forms.lines(page, forms.LinesPanel("", series), over=lambda number: f"{int(number):,}")
    forms.guide(
        page, axes, [(level.end / LINE_BYTES, f"lines fill {level.name}") for level in caches.caches_of(run).levels]
    )
    subtitle = "Walk at random through 64 B lines, each on its own page or in a row: time per load, log scales"
    return page.finish(_title(benchmarks), subtitle)


def _title(benchmarks: Mapping[str, Mapping[int, Benchmark]]) -> str:
    ratios = query.ratios(benchmarks["pages"], benchmarks["lines"])
    if not ratios:
        layout = "pages" if benchmarks["pages"] else "lines"
        most = max(benchmarks[layout])
        cost = phrases.short_time(query.medians(benchmarks[layout])[most].median)
        return f"Among {most:,} lines, {LAYOUTS[layout][0]}, a load costs {cost}"
    most = max(ratios)
    cost = phrases.short_time(query.medians(benchmarks["pages"])[most].median)
    if phrases.none_differs([ratios[most]]):
        return f"With one line on each of {most:,} pages, a load shows no measurable difference from adjacent lines"
    text = phrases.as_much_as([ratios[most]], "on adjacent lines")
    return f"On {most:,} pages, with one line each, a load costs {cost}, {text}"
