"""When is memory really taken? What the first write to a page costs, and the second."""

from __future__ import annotations

from collections.abc import Sequence

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.charts.kit.several_runs import Overlay, Panels, process_times
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "first_touch"
QUESTION = "When is memory really taken: at the request, or at the first write to each page?"

WIDE = 2.0  # an interval whose ends are so far apart is told instead of its median
TOUCHES = {"first": "first write", "second": "second write"}  # filled: first


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = {touch: _by_home(run, touch) for touch in TOUCHES}
    homes = list(dict.fromkeys(home for by_home in benchmarks.values() for home in by_home))
    if not homes:
        return None
    columns = [
        forms.Column(TOUCHES[touch], query.medians(by_home), "o", touch == "first", lane)
        for lane, (touch, by_home) in enumerate(benchmarks.items())
    ]
    page = Page(run, look, FAMILY)
    malloc = page.mark(str(run.context.get("process_malloc")))
    colours = {"stack": page.mark("stack_array"), "malloc": malloc, "calloc": malloc}
    panel = forms.RowsPanel("", columns)
    forms.dots(page, homes, panel, valued=True, colour_of=lambda home: colours.get(home, STRONG))
    page_bytes = bytes_text(run.fact("page_bytes") or 4096)
    huge = phrases.joined(query.on_huge_pages(benchmarks["second"])) or "none"
    huge += query.gain_of_huge_pages(benchmarks["second"], "mmap")
    subtitle = f"Write one byte to each page of 64 MiB: time per {page_bytes}, log scale; huge pages granted: {huge}"
    return page.finish(_title(run), subtitle)


def _by_home(run: Run, touch: str) -> dict[str, Benchmark]:
    benchmarks = run.series(FAMILY, None, touch=touch)
    return {
        benchmark.name.parameters["home"]: benchmark for benchmark in benchmarks if "home" in benchmark.name.parameters
    }


def _title(run: Run) -> str:
    """Names huge pages, whose cost is spread over many small pages, apart from the pages that all systems have."""
    first, second = _by_home(run, "first"), _by_home(run, "second")
    touch, by_home = ("first", first) if first else ("second", second)
    costs = query.middles(query.medians(by_home))
    on_huge = query.on_huge_pages(by_home)
    huge = on_huge if len(on_huge) < len(costs) else []
    usual = [home for home in costs if home not in huge]
    text = f"The {touch} write to a page costs {phrases.span(costs[home] for home in usual)}"
    ratios = query.ratios({home: first[home] for home in usual if home in first}, second)
    if ratios:
        text = f"{text}, {phrases.as_much(list(ratios.values()))} as the second"
    return f"{text}; with huge pages, {_with_huge_pages([query.medians(by_home)[home] for home in huge])}" if huge else text


def _with_huge_pages(costs: Sequence[Estimate]) -> str:
    """The medians; or the ends of the intervals where the processes differ much: a host may have to provide pages first."""
    if any(cost.has_interval and cost.high > WIDE * cost.low for cost in costs):
        return f"{phrases.span(end for cost in costs for end in (cost.low, cost.high))} by the process"
    return phrases.span(cost.median for cost in costs)


def overlay_panels(run: Run) -> Panels:
    panels = {}
    for touch, title in TOUCHES.items():
        benchmarks = run.series(FAMILY, None, touch=touch)
        by_home = {benchmark.name.parameters.get("home", ""): benchmark for benchmark in benchmarks}
        panels[title.capitalize()] = process_times(run, by_home)
    return panels


OVERLAY = Overlay(
    "writes a new page in", "the time to write a new page",
    "Write one byte to each page of 64 MiB: time per page, log scale",
    overlay_panels, "home",
)  # fmt: skip
