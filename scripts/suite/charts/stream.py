"""Is memory slower to use in some places? The same array and the same walk in every home."""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.results import caches, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "stream"
QUESTION = "Is an array on the heap slower to read than the same array elsewhere?"

LINE_BYTES = 64
MARKERS = ("o", "s", "D")


def draw(run: Run, look: Look) -> Drawing | None:
    sizes = query.numbers(run, "bytes", FAMILY)
    if not sizes:
        return None
    sizes = list(dict.fromkeys((sizes[0], sizes[len(sizes) // 2], sizes[-1])))
    marked = list(zip(sizes, MARKERS))
    read = [_column(_by_home(run, size), size, marker, size / LINE_BYTES) for size, marker in marked]
    walk = [_column(caches.chased_by_home(run, size), size, marker, 1.0) for size, marker in marked]
    panels = [forms.RowsPanel("Summed in order: time per 64 B line", read)]
    if any(len(column.values) > 1 for column in walk):
        panels.append(forms.RowsPanel("Walked at random: time per load", walk))

    page = Page(run, look, FAMILY)
    homes = list(dict.fromkeys(home for column in read for home in column.values))
    colours = {"stack": page.mark("stack_array"), "heap": page.mark(str(run.context.get("process_malloc")))}
    forms.dots(page, homes, *panels, colour_of=lambda home: colours.get(home, STRONG))
    walked = caches.chased_by_home(run, sizes[-1])
    huge = phrases.joined([phrases.plain(home) for home in query.on_huge_pages(walked)])
    subtitle = "The same memory used in the same way, by where it lives; log scales"
    if huge:
        gain = query.gain_of_huge_pages(walked, "mmap_4k")
        subtitle += f"; huge pages in {bytes_text(sizes[-1])}: {huge}{gain}"
    return page.finish(_title(run, sizes), subtitle)


def _by_home(run: Run, size: int) -> dict[str, Benchmark]:
    benchmarks = run.series(FAMILY, None, bytes=size)
    return {
        benchmark.name.parameters["home"]: benchmark for benchmark in benchmarks if "home" in benchmark.name.parameters
    }


def _column(benchmarks: Mapping[str, Benchmark], size: int, marker: str, per: float) -> forms.Column:
    costs = query.medians(benchmarks, lambda home: per)
    return forms.Column(bytes_text(size), costs, marker, lane=MARKERS.index(marker))


def _title(run: Run, sizes: list[int]) -> str:
    """The largest memory whose use on the heap differs, in order or at random; or that no use differs."""
    uses = {"in order": {size: _by_home(run, size) for size in sizes}}
    uses["at random"] = {size: caches.chased_by_home(run, size) for size in sizes}
    by_use = {use: _heap_to_stack(by_size) for use, by_size in uses.items()}
    ratios = {(size, use): ratio for use, by_size in by_use.items() for size, ratio in by_size.items()}
    if not ratios:
        costs = query.middles(query.medians(uses["in order"][sizes[-1]]))
        return f"Reading {bytes_text(sizes[-1])} costs {phrases.cheapest_and_costliest(costs)}"
    if phrases.none_differs(ratios.values()):
        how = phrases.joined([use for use, by_size in by_use.items() if by_size]).replace(" and ", " or ")
        return f"Reading memory on the heap shows no measurable difference from the stack, {how}"
    apart = [key for key, ratio in ratios.items() if phrases.differs(ratio) or not ratio.has_interval] or list(ratios)
    size, use = max(apart)
    against = phrases.against([ratios[size, use]], "reading it on the stack")
    return f"Reading {bytes_text(size)} on the heap {use} {against}"


def _heap_to_stack(by_size: Mapping[int, Mapping[str, Benchmark]]) -> dict[int, Estimate]:
    heap, stack = (
        {size: by_home[home] for size, by_home in by_size.items() if home in by_home} for home in ("heap", "stack")
    )
    return query.ratios(heap, stack)
