"""What does it cost to append to a block that has to grow: by realloc, by copying, in a std::vector?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.results import control, query
from suite.results.model import Run
from suite.stats.estimates import Estimate

FAMILY = "grow"
QUESTION = "What does it cost to append to a block that has to grow: by realloc, by copying, in a std::vector?"

PIECE_BYTES = 64
WAYS = {"realloc": "By realloc", "copy": "By a copy into twice the space"}


def draw(run: Run, look: Look) -> Drawing | None:
    panels = [forms.LinesPanel(title, _lines(run, way)) for way, title in WAYS.items()]
    panels = [panel for panel in panels if panel.series]
    if not panels:
        return None
    page = Page(run, look, FAMILY)
    forms.lines(page, *panels)
    subtitle = "Append 64 B until the block has so many bytes: time per append, log scales; control: never grown"
    size, compared = _compared(run)
    return page.finish(_title(run, size, compared), f"{subtitle}{phrases.over_all(compared)}")


def _lines(run: Run, way: str) -> list[forms.Line]:
    benchmarks = {name: query.over(run, "bytes", FAMILY, name, way=way) for name in query.mallocs(run, FAMILY)}
    series = [forms.Line(name, query.medians(sizes, _pieces)) for name, sizes in benchmarks.items() if sizes]
    vector = query.over(run, "bytes", FAMILY, "vector") if way == "copy" else {}
    if vector:
        series.append(forms.Line("std::vector", query.medians(vector, _pieces), STRONG))
    reserved = query.over(run, "bytes", FAMILY, "none")
    return [forms.Line("none", query.medians(reserved, _pieces)), *series] if series and reserved else series


def _pieces(size: int) -> float:
    return size / PIECE_BYTES


def _compared(run: Run) -> tuple[int, dict[str, Estimate]]:
    """The largest size that was grown both ways, and what realloc costs there, against copying."""
    libraries = query.mallocs(run, FAMILY)
    for size in reversed(query.numbers(run, "bytes", FAMILY, way="realloc")):
        benchmarks = {way: query.by_strategy(run.series(FAMILY, bytes=size, way=way)) for way in WAYS}
        by_realloc = {name: benchmark for name, benchmark in benchmarks["realloc"].items() if name in libraries}
        if compared := control.compare(run, by_realloc, benchmarks["copy"]):
            return size, compared
    return query.numbers(run, "bytes", FAMILY)[-1], {}


def _title(run: Run, size: int, compared: Mapping[str, Estimate]) -> str:
    malloc = query.malloc_to_name(run, compared)
    if malloc is None:
        costs = query.middles(query.medians(query.by_strategy(run.series(FAMILY, bytes=size))))
        return f"Growing a block to {bytes_text(size)} costs {phrases.cheapest_and_costliest(costs)}"
    against = phrases.against([compared[malloc]], "growing it by copying")
    return f"Growing a block of {phrases.plain(malloc)} to {bytes_text(size)} by realloc {against}"
