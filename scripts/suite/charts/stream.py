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
    return page.finish(_title(run, sizes), "The same memory used in the same way, by where it lives; log scales")


def _by_home(run: Run, size: int) -> dict[str, Benchmark]:
    benchmarks = run.series(FAMILY, None, bytes=size)
    return {
        benchmark.name.parameters["home"]: benchmark for benchmark in benchmarks if "home" in benchmark.name.parameters
    }


def _column(benchmarks: Mapping[str, Benchmark], size: int, marker: str, per: float) -> forms.Column:
    costs = query.medians(benchmarks, lambda home: per)
    return forms.Column(bytes_text(size), costs, marker, lane=MARKERS.index(marker))


def _title(run: Run, sizes: list[int]) -> str:
    benchmarks = {size: _by_home(run, size) for size in sizes}
    heap, stack = (
        {size: by_home[home] for size, by_home in benchmarks.items() if home in by_home} for home in ("heap", "stack")
    )
    ratios = list(query.ratios(heap, stack).values())
    if ratios:
        sizes_read = phrases.joined([bytes_text(size) for size in sizes if size in heap and size in stack])
        return f"Reading {sizes_read} on the heap {phrases.against(ratios, 'reading them on the stack')}"
    costs = query.middles(query.medians(benchmarks[sizes[-1]]))
    return f"Reading {bytes_text(sizes[-1])} costs {phrases.cheapest_and_costliest(costs)}"
