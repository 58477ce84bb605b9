"""Whether a load waits longer for where memory lives: the same walk at random in every home."""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.charts.kit.several_runs import Overlay, Panels, process_times, size_text
from suite.results import query
from suite.results.model import Benchmark, Run, cache_levels

FAMILY = "chase"
QUESTION = "Does a load wait longer for memory on the heap than for memory on the stack?"

ByHome = Mapping[str, Benchmark]


def draw(run: Run, how: Look) -> Drawing | None:
    found = _by_size(run)
    if not found:
        return None
    costs = {size: query.medians(homes) for size, homes in found.items()}
    panels = [
        forms.RowsPanel(
            f"{bytes_text(size)}, {_level(run, size)}",
            [forms.Column("", each)],
            forms.Scale(also=(each[min(each)].median,)),  # its own: what differs between sizes is not asked here
        )
        for size, each in costs.items()
    ]
    on = Page(run, how, FAMILY)
    colours = {"stack": on.mark("stack_array"), "heap": on.mark(str(run.context.get("process_malloc")))}
    homes = list(dict.fromkeys(home for each in costs.values() for home in each))
    forms.dots(on, homes, *panels, valued=True, colour_of=lambda home: colours.get(home, STRONG))
    size, largest = max(found.items())
    huge = phrases.joined([phrases.plain(home) for home in query.on_huge_pages(largest)])
    granted = f"; huge pages in {bytes_text(size)}: {huge}" if huge else ""
    subtitle = f"Random loads that each wait for the previous load: time per load, log scales{granted}"
    return on.finish(_title(found), subtitle)


def _by_size(run: Run) -> dict[int, ByHome]:
    """What fits half of the first and of the second cache, and the largest, of what was walked in several homes."""
    found: dict[int, dict[str, Benchmark]] = {}
    for size in query.numbers(run, "bytes", FAMILY, order="random"):
        of_size = run.series(FAMILY, None, order="random", bytes=size)
        found[size] = {one.name.parameters["home"]: one for one in of_size if "home" in one.name.parameters}
    sizes = [size for size, homes in found.items() if len(homes) > 1]
    fitting = [[size for size in sizes if size <= level // 2][-1:] for _, level in cache_levels(run)[:2]]
    return {size: found[size] for level in (*fitting, sizes[-1:]) for size in level}


def _level(run: Run, size: int) -> str:
    """The first cache that holds it."""
    return next((f"in {name}" for name, level in cache_levels(run) if size <= level), "in memory")


def _title(found: Mapping[int, ByHome]) -> str:
    heap, stack = ({size: homes[home] for size, homes in found.items() if home in homes} for home in ("heap", "stack"))
    ratios = query.ratios(heap, stack)
    if ratios:
        sizes = phrases.joined([bytes_text(size) for size in ratios])
        return f"A load from {sizes} on the heap {phrases.against(list(ratios.values()), 'a load from the stack')}"
    size = max(found)
    costs = query.middles(query.medians(found[size]))
    return f"A load from {bytes_text(size)} costs {phrases.cheapest_and_dearest(costs)}"


def overlay_panels(run: Run) -> Panels:
    return {
        f"On the {home}": process_times(query.by_number(run.series(FAMILY, order="random", home=home), "bytes"))
        for home in ("stack", "heap")
    }


OVERLAY = Overlay(
    "A load from the stack costs",
    "Random loads that each wait for the previous load: time per load over the memory, log scales",
    overlay_panels, "size", over=size_text, caches=True,
)  # fmt: skip
