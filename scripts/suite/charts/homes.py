"""Does a load take longer in some places of memory? The same random walk in every home."""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.charts.kit.several_runs import Overlay, Panels, process_times, size_text
from suite.results import caches, query
from suite.results.model import Benchmark, Run, cache_levels

FAMILY = caches.FAMILY
QUESTION = "Does a load wait longer for memory on the heap than for memory on the stack?"

ByHome = Mapping[str, Benchmark]


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = _by_size(run)
    if not benchmarks:
        return None
    costs = {size: query.medians(homes) for size, homes in benchmarks.items()}
    shown = caches.caches_of(run)
    panels = [
        forms.RowsPanel(
            ", in ".join(filter(None, (bytes_text(size), shown.place(size)))),
            [forms.Column("", by_home)],
            forms.Scale(also=(by_home[min(by_home)].median,)),  # its own axis: the sizes are not compared here
        )
        for size, by_home in costs.items()
    ]
    page = Page(run, look, FAMILY)
    colours = {"stack": page.mark("stack_array"), "heap": page.mark(str(run.context.get("process_malloc")))}
    homes = list(dict.fromkeys(home for by_home in costs.values() for home in by_home))
    forms.dots(page, homes, *panels, valued=True, colour_of=lambda home: colours.get(home, STRONG))
    size, largest = max(benchmarks.items())
    huge = phrases.joined([phrases.plain(home) for home in query.on_huge_pages(largest)])
    granted = f"; huge pages in {bytes_text(size)}: {huge}{query.gain_of_huge_pages(largest, 'mmap_4k')}" if huge else ""
    subtitle = f"Random loads that each wait for the previous load: time per load, log scales{granted}"
    return page.finish(_title(benchmarks), subtitle)


def _by_size(run: Run) -> dict[int, ByHome]:
    """The sizes that fit half of the first and of the second cache, and the largest, if walked in several homes."""
    benchmarks = {
        size: caches.chased_by_home(run, size) for size in query.numbers(run, "bytes", FAMILY, order="random")
    }
    sizes = [size for size, homes in benchmarks.items() if len(homes) > 1]
    fitting = [[size for size in sizes if size <= level // 2][-1:] for _, level in cache_levels(run)[:2]]
    return {size: benchmarks[size] for level in (*fitting, sizes[-1:]) for size in level}


def _title(benchmarks: Mapping[int, ByHome]) -> str:
    heap, stack = (
        {size: homes[home] for size, homes in benchmarks.items() if home in homes} for home in ("heap", "stack")
    )
    ratios = query.ratios(heap, stack)
    if ratios:
        sizes = phrases.joined([bytes_text(size) for size in ratios])
        return f"A load from {sizes} on the heap {phrases.against(list(ratios.values()), 'a load from the stack')}"
    size = max(benchmarks)
    costs = query.middles(query.medians(benchmarks[size]))
    return f"A load from {bytes_text(size)} costs {phrases.cheapest_and_costliest(costs)}"


def overlay_panels(run: Run) -> Panels:
    return {f"On the {home}": process_times(run, caches.chased(run, home=home)) for home in ("stack", "heap")}


OVERLAY = Overlay(
    "loads from the stack in", "the time of a load from the stack",
    "Random loads that each wait for the previous load: time per load over the memory, log scales",
    overlay_panels, "size", over=size_text, caches=True,
)  # fmt: skip
