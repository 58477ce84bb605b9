"""What does a block cost that must begin at a multiple of 64, or of a page?"""

from __future__ import annotations

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import control, query
from suite.results.model import Run

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
    return page.finish(_title(run, sizes), subtitle)


def _lines(run: Run, size: int) -> list[forms.Line]:
    names = query.mallocs(run, FAMILY)
    benchmarks = {name: query.over(run, "alignment", FAMILY, name, bytes=size) for name in names}
    return [forms.Line(name, query.medians(by_alignment)) for name, by_alignment in benchmarks.items() if by_alignment]


def _title(run: Run, sizes: list[int]) -> str:
    alignments = query.ends(query.numbers(run, "alignment", FAMILY))
    libraries = query.mallocs(run, FAMILY)
    for size in sizes:
        least, most = (
            query.by_strategy(run.series(FAMILY, bytes=size, alignment=alignment))
            for alignment in (alignments[0], alignments[-1])
        )
        compared = control.compare(run, {name: most[name] for name in libraries if name in most}, least)
        if not compared or len(alignments) < 2:
            continue
        subject, base = f"{bytes_text(size)} aligned to {bytes_text(alignments[-1])}", bytes_text(alignments[0])
        if phrases.none_differs(compared.values()):
            return f"{subject} show no measurable difference from {bytes_text(size)} aligned to {base}, with any malloc"
        return f"{subject} cost {phrases.multiple_named(compared)} what they cost aligned to {base}"
    benchmarks = query.by_strategy(run.series(FAMILY, alignment=alignments[-1]))
    costs = query.middles(query.medians(benchmarks))
    costs = {name: ns for name, ns in costs.items() if name in libraries} or costs
    return f"A block aligned to {bytes_text(alignments[-1])} costs {phrases.cheapest_and_costliest(costs)}"
