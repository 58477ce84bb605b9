"""What do zero bytes cost: by calloc, which may know that they are already zero, or by malloc and memset?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

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
    of_largest = benchmarks[sizes[-1]]
    return page.finish(_title(run, sizes[-1], of_largest), f"{subtitle}{_over_all(run, of_largest)}")


def _by_way(run: Run, size: int) -> dict[tuple[str, str], ByName]:
    return {key: query.by_strategy(run.series(FAMILY, bytes=size, way=key[0], touch=key[1])) for key in WAYS}


def _columns(benchmarks: Mapping[tuple[str, str], ByName], pages: float) -> list[forms.Column]:
    return [
        forms.Column(label, query.medians(benchmarks[way], lambda name: pages), marker, filled, lane)
        for lane, (way, (label, marker, filled)) in enumerate(WAYS.items())
    ]


def _title(run: Run, size: int, benchmarks: Mapping[tuple[str, str], ByName]) -> str:
    """States whether the malloc leaves the zeros to the system, until the bytes are written."""
    libraries = run.mallocs()
    times = {
        way: query.medians({name: benchmark for name, benchmark in by_strategy.items() if name in libraries})
        for way, by_strategy in benchmarks.items()
    }
    compared = _compared(run, benchmarks)
    malloc = query.malloc_to_name(run, compared)
    if malloc is None:
        costs = {
            name: ns for by_strategy in reversed(times.values()) for name, ns in query.middles(by_strategy).items()
        }
        costs = costs or query.middles(query.medians(benchmarks["memset", "first"]))
        return f"{bytes_text(size)} of zeros cost {phrases.cheapest_and_costliest(costs)}"
    subject = f"{phrases.plain(malloc)}'s calloc of {bytes_text(size)}"
    if malloc not in _lazy(benchmarks):
        return f"{subject} {phrases.against([compared[malloc]], 'malloc and memset')}"
    calloc, memset = (phrases.short_time(times[way, "first"][malloc].median) for way in ("calloc", "memset"))
    return f"{subject} leaves the zeros to the system: {calloc}, malloc and memset {memset}"


def _compared(run: Run, benchmarks: Mapping[tuple[str, str], ByName]) -> dict[str, Estimate]:
    """By malloc: a calloc of which only the first byte is written, against malloc and memset."""
    return control.compare(run, benchmarks["calloc", "first"], benchmarks["memset", "first"])


def _lazy(benchmarks: Mapping[tuple[str, str], ByName]) -> list[str]:
    """The mallocs whose calloc has not written the zeros."""
    ratios = query.ratios(benchmarks["calloc", "first"], benchmarks["memset", "first"])
    return [name for name, ratio in ratios.items() if ratio.high < LAZY]


def _over_all(run: Run, benchmarks: Mapping[tuple[str, str], ByName]) -> str:
    """The end of the subtitle: how many mallocs leave the zeros to the system."""
    number, lazy = len(_compared(run, benchmarks)), len(_lazy(benchmarks))
    leave = "leaves" if lazy == 1 else "leave"
    return f"; {lazy} of {phrases.count(number, 'malloc')} {leave} zeros to the system" if number > 1 else ""
