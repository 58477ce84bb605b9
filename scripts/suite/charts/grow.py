"""What does it cost to append to a block that has to grow: by realloc, by copying, in a std::vector?"""

from __future__ import annotations

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.results import control, query
from suite.results.model import Run

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
    return page.finish(_title(run), subtitle)


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


def _title(run: Run) -> str:
    libraries = query.mallocs(run, FAMILY)
    for size in reversed(query.numbers(run, "bytes", FAMILY, way="realloc")):
        benchmarks = {way: query.by_strategy(run.series(FAMILY, bytes=size, way=way)) for way in WAYS}
        by_realloc = {name: benchmark for name, benchmark in benchmarks["realloc"].items() if name in libraries}
        compared = control.compare(run, by_realloc, benchmarks["copy"])
        subject = f"Growing a block to {bytes_text(size)} by realloc"
        if compared and phrases.none_differs(compared.values()):
            return f"{subject} shows no measurable difference from copying"
        if compared:
            return f"{subject} costs {phrases.multiple_named(compared)} growing it by copying"
    size = query.numbers(run, "bytes", FAMILY)[-1]
    costs = query.middles(query.medians(query.by_strategy(run.series(FAMILY, bytes=size))))
    return f"Growing a block to {bytes_text(size)} costs {phrases.cheapest_and_costliest(costs)}"
