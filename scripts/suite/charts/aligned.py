"""What does a block cost that must begin at a multiple of 64, or of a page?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import control, query
from suite.results.model import Run
from suite.stats.estimates import Estimate

FAMILY = "aligned"
QUESTION = "What does an aligned block cost, at a multiple of 64 or of a page?"


def draw(run: Run, look: Look) -> Drawing | None:
    sizes = query.ends(query.numbers(run, "bytes", FAMILY))
    panels = [forms.LinesPanel(f"Blocks of {bytes_text(size)}", _lines(run, size)) for size in sizes]
    panels = [panel for panel in panels if panel.series]
    if not panels:
        return None
    page = Page(run, look, FAMILY)
    forms.lines(page, *panels)
    subtitle = "Take a block with this alignment in bytes, give it back: time per block, log scales"
    size, compared = _compared(run, sizes)
    return page.finish(_title(run, size, compared), f"{subtitle}{phrases.over_all(compared)}")


def _lines(run: Run, size: int) -> list[forms.Line]:
    names = query.mallocs(run, FAMILY)
    benchmarks = {name: query.over(run, "alignment", FAMILY, name, bytes=size) for name in names}
    return [forms.Line(name, query.medians(by_alignment)) for name, by_alignment in benchmarks.items() if by_alignment]


def _compared(run: Run, sizes: list[int]) -> tuple[int, dict[str, Estimate]]:
    """The first size with both alignments, and what the largest alignment costs by malloc, against the smallest."""
    alignments = query.ends(query.numbers(run, "alignment", FAMILY))
    libraries = query.mallocs(run, FAMILY)
    for size in sizes:
        least, most = (
            query.by_strategy(run.series(FAMILY, bytes=size, alignment=alignment))
            for alignment in (alignments[0], alignments[-1])
        )
        compared = control.compare(run, {name: most[name] for name in libraries if name in most}, least)
        if compared and len(alignments) > 1:
            return size, compared
    return sizes[0], {}


def _title(run: Run, size: int, compared: Mapping[str, Estimate]) -> str:
    alignments = [bytes_text(alignment) for alignment in query.ends(query.numbers(run, "alignment", FAMILY))]
    malloc = query.malloc_to_name(run, compared)
    if malloc is not None:
        cost = phrases.against([compared[malloc]], f"one aligned to {alignments[0]}")
        return f"A {bytes_text(size)} block of {phrases.plain(malloc)} aligned to {alignments[-1]} {cost}"
    libraries = query.mallocs(run, FAMILY)
    largest = query.numbers(run, "alignment", FAMILY)[-1]
    costs = query.middles(query.medians(query.by_strategy(run.series(FAMILY, alignment=largest))))
    costs = {name: ns for name, ns in costs.items() if name in libraries} or costs
    return f"A block aligned to {alignments[-1]} costs {phrases.cheapest_and_costliest(costs)}"
