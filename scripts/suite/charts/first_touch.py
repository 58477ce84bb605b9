"""When is memory really taken? What the first write to a page costs, and the second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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

MALLOC = "malloc"  # the place of blocks from the process's malloc
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
    subtitle += _by_pages(benchmarks["first"])
    return page.finish(_title(run), subtitle)


def _by_home(run: Run, touch: str) -> dict[str, Benchmark]:
    benchmarks = run.series(FAMILY, None, touch=touch)
    return {
        benchmark.name.parameters["home"]: benchmark for benchmark in benchmarks if "home" in benchmark.name.parameters
    }


def _title(run: Run) -> str:
    """About the memory from malloc, or from the first place that was measured without huge pages."""
    first, second = _by_home(run, "first"), _by_home(run, "second")
    touch, by_home = ("first", first) if first else ("second", second)
    usual = _on_small_pages(by_home)
    home = MALLOC if MALLOC in usual else usual[0]
    cost = phrases.short_time(query.medians(by_home)[home].median)
    subject = f"The {touch} write to a page {'from' if home == MALLOC else 'of'} {phrases.plain(home)} costs {cost}"
    ratios = query.ratios({name: first[name] for name in usual if name in first}, second)
    return f"{subject}, {phrases.as_much_as([ratios[home]], 'the second')}" if home in ratios else subject


def _on_small_pages(by_home: Mapping[str, Benchmark]) -> list[str]:
    """Those on pages that all systems have; all, where there are huge pages everywhere."""
    on_huge = query.on_huge_pages(by_home)
    return [home for home in by_home if home not in on_huge] or list(by_home)


def _by_pages(by_home: Mapping[str, Benchmark]) -> str:
    """The end of the subtitle: the first write over all places. The cost of huge pages, which is spread over many small
    pages, is told apart."""
    costs = query.medians(by_home)
    usual = _on_small_pages(by_home)
    huge = [costs[home] for home in costs if home not in usual]
    text = f"; over all places, {phrases.span(costs[home].median for home in usual)}" if len(usual) > 1 else ""
    return f"{text}; with huge pages, {_with_huge_pages(huge)}" if huge else text


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
    overlay_panels, "kinds of memory",
)  # fmt: skip
