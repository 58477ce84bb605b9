"""What zero bytes cost: by calloc, which may know that they are zero already, or by malloc and memset."""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import query
from suite.results.model import Benchmark, Run

FAMILY = "zeroed"
QUESTION = "What do zero bytes cost: by calloc, or by malloc and memset?"

PAGE_BYTES = 4096
LAZY = 0.5  # a calloc that takes less than this share of malloc and memset has not written the zeros
WAYS = {  # by way and touch
    ("calloc", "first"): ("calloc, first byte written", "o", False),
    ("calloc", "all"): ("calloc, all bytes written", "o", True),
    ("memset", "first"): ("malloc and memset", "s", True),
}
ByName = Mapping[str, Benchmark]


def draw(run: Run, how: Look) -> Drawing | None:
    sizes = query.numbers(run, "bytes", FAMILY)
    if not sizes:
        return None
    sizes = list(dict.fromkeys((sizes[0], sizes[len(sizes) // 2], sizes[-1])))
    found = {size: _found(run, size) for size in sizes}
    panels = [forms.RowsPanel(bytes_text(size), _columns(each, size / PAGE_BYTES)) for size, each in found.items()]
    rows = {name: one for panel in panels for each in reversed(panel.columns) for name, one in each.values.items()}
    on = Page(run, how, FAMILY)
    forms.dots(on, forms.cheapest_first(rows), *panels)
    subtitle = "Take a block of zeros, write to it, give it back: time per 4 KiB, log scale; control: memset alone"
    return on.finish(_title(run, sizes[-1], found[sizes[-1]]), subtitle)


def _found(run: Run, size: int) -> dict[tuple[str, str], ByName]:
    return {key: query.by_strategy(run.series(FAMILY, bytes=size, way=key[0], touch=key[1])) for key in WAYS}


def _columns(found: Mapping[tuple[str, str], ByName], pages: float) -> list[forms.Column]:
    return [
        forms.Column(label, query.medians(found[way], lambda name: pages), marker, filled, lane)
        for lane, (way, (label, marker, filled)) in enumerate(WAYS.items())
    ]


def _title(run: Run, size: int, found: Mapping[tuple[str, str], ByName]) -> str:
    """Who leaves the zeros to the system is cheaper until the bytes are written."""
    libraries = run.mallocs()
    times = {
        way: query.middles(query.medians({name: one for name, one in each.items() if name in libraries}))
        for way, each in found.items()
    }
    ratios = query.ratios(found["calloc", "first"], found["memset", "first"])
    lazy = [name for name, one in ratios.items() if one.high < LAZY]
    what = f"calloc of {bytes_text(size)}"
    if not ratios:
        costs = {name: ns for each in reversed(times.values()) for name, ns in each.items()}
        costs = costs or query.middles(query.medians(found["memset", "first"]))
        return f"{bytes_text(size)} of zeros cost {phrases.cheapest_and_dearest(costs)}"
    if phrases.none_apart(list(ratios.values())):
        return f"A {what} shows no measurable difference from malloc and memset, with any malloc"
    if not lazy:
        return f"A {what} costs {phrases.with_extremes(ratios)} times malloc and memset"
    calloc, written, memset = ([each[name] for name in lazy if name in each] for each in times.values())
    said = f"a {what} costs {phrases.span(calloc)}, malloc and memset {phrases.span(memset)}"
    then = f"; written in full, calloc costs {phrases.span(written)}" if written else ""
    return f"With {len(lazy)} of {phrases.count(len(ratios), 'malloc')}, {said}{then}"
