"""How much memory does a malloc take for each requested byte, by the size of the blocks?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.several_runs import MULTIPLES, Overlay, Panels, process_counts, size_text
from suite.results import query
from suite.results.model import Run
from suite.stats.estimates import Estimate

FAMILY = "overhead"
QUESTION = "How much memory does a malloc take for each requested byte?"


def draw(run: Run, look: Look) -> Drawing | None:
    names = ["none", *query.mallocs(run, FAMILY)]
    multiples = {
        name: query.counted(query.over(run, "bytes", FAMILY, name), "resident_bytes_per_byte") for name in names
    }
    multiples = {name: sizes for name, sizes in multiples.items() if sizes}
    if not multiples:
        return None
    page = Page(run, look, FAMILY)
    axis = forms.from_one(estimate for sizes in multiples.values() for estimate in sizes.values())
    panel = forms.LinesPanel("", [forms.Line(name, sizes) for name, sizes in multiples.items()], axis)
    (axes,) = forms.lines(page, panel, over=size_text)
    forms.name_peaks(page, axes, panel)
    subtitle = "Resident memory as a multiple of the requested bytes, over the size of the blocks (log scale)"
    return page.finish(_title(multiples), subtitle)


def _title(multiples: Mapping[str, Mapping[int, Estimate]]) -> str:
    libraries = {name: sizes for name, sizes in multiples.items() if name != "none"} or multiples
    largest = max(size for sizes in libraries.values() for size in sizes)
    worst = {name: max(sizes.values(), key=lambda estimate: estimate.median) for name, sizes in libraries.items()}
    at_largest = [sizes[largest].median for sizes in libraries.values() if largest in sizes]
    most = f"{phrases.with_extremes(worst)} bytes of memory for each requested byte"
    least = f"at {size_text(largest)}, {phrases.span(at_largest, phrases.two_figures)}"
    return f"At its worst size, a malloc takes {most}; {least}"


def overlay_panels(run: Run) -> Panels:
    benchmarks = query.over(run, "bytes", FAMILY, query.default_malloc(run, FAMILY))
    counts_of = {size: process_counts(benchmark, "resident_bytes_per_byte") for size, benchmark in benchmarks.items()}
    return {"": {size: counts for size, counts in counts_of.items() if counts}}


OVERLAY = Overlay(
    "keeps a block in", "the memory that a block takes",
    "Resident memory as a multiple of the requested bytes, over the size of the blocks (log scale)",
    overlay_panels, "size", measure="memory", over=size_text, axes={"": MULTIPLES},
)  # fmt: skip
