"""What do zero bytes cost: by calloc, which may know that they are already zero, or by malloc and memset?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import control, query
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


def draw(run: Run, look: Look) -> Drawing | None:
    sizes = query.numbers(run, "bytes", FAMILY)
    if not sizes:
        return None
    sizes = list(dict.fromkeys((sizes[0], sizes[len(sizes) // 2], sizes[-1])))
    benchmarks = {size: _by_way(run, size) for size in sizes}
    panels = [
        forms.RowsPanel(bytes_text(size), _columns(by_way, size / PAGE_BYTES)) for size, by_way in benchmarks.items()
    ]
    rows = forms.figures_of_rows(column for panel in panels for column in reversed(panel.columns))
    page = Page(run, look, FAMILY)
    forms.dots(page, forms.cheapest_first(rows), *panels)
    subtitle = "Take a block of zeros, write to it, give it back: time per 4 KiB, log scale; control: memset alone"
    return page.finish(_title(run, sizes[-1], benchmarks[sizes[-1]]), subtitle)


def _by_way(run: Run, size: int) -> dict[tuple[str, str], ByName]:
    return {key: query.by_strategy(run.series(FAMILY, bytes=size, way=key[0], touch=key[1])) for key in WAYS}


def _columns(benchmarks: Mapping[tuple[str, str], ByName], pages: float) -> list[forms.Column]:
    return [
        forms.Column(label, query.medians(benchmarks[way], lambda name: pages), marker, filled, lane)
        for lane, (way, (label, marker, filled)) in enumerate(WAYS.items())
    ]


def _title(run: Run, size: int, benchmarks: Mapping[tuple[str, str], ByName]) -> str:
    """States how far the mallocs differ, and how many leave the zeros to the system, until the bytes are written."""
    libraries = run.mallocs()
    times = {
        way: query.medians({name: benchmark for name, benchmark in by_strategy.items() if name in libraries})
        for way, by_strategy in benchmarks.items()
    }
    ratios = query.ratios(benchmarks["calloc", "first"], benchmarks["memset", "first"])
    subject = f"A calloc of {bytes_text(size)}"
    if not ratios:
        costs = {name: ns for by_strategy in reversed(times.values()) for name, ns in query.middles(by_strategy).items()}
        costs = costs or query.middles(query.medians(benchmarks["memset", "first"]))
        return f"{bytes_text(size)} of zeros cost {phrases.cheapest_and_costliest(costs)}"
    if phrases.none_differs(list(ratios.values())):
        return f"{subject} shows no measurable difference from malloc and memset, with any malloc"
    lazy = [name for name, ratio in ratios.items() if ratio.high < LAZY]
    if not lazy:
        compared = control.compare(run, benchmarks["calloc", "first"], benchmarks["memset", "first"])
        return f"{subject} costs {phrases.multiple_named(compared)} malloc and memset"
    calloc = phrases.with_extremes(times["calloc", "first"], phrases.short_time)
    memset = phrases.span([at.median for at in times["memset", "first"].values()])
    count = f"{len(lazy)} of {phrases.count(len(ratios), 'malloc')} {'leaves' if len(lazy) == 1 else 'leave'}"
    return f"{subject} costs {calloc}, malloc and memset {memset}; {count} the zeros to the system"
