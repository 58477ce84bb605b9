"""How much memory does a malloc take for each requested byte, by the size of the blocks?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.several_runs import MULTIPLES, Overlay, Panels, process_counts, size_text
from suite.results import control, query
from suite.results.model import Run
from suite.stats.estimates import Estimate

FAMILY = "overhead"
QUESTION = "How much memory does a malloc take for each requested byte?"


def draw(run: Run, look: Look) -> Drawing | None:
    names = [control.CONTROL, *query.mallocs(run, FAMILY)]
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
    at_worst = phrases.costs_over_all(_worst(multiples), phrases.times, "at the worst size, over all mallocs")
    return page.finish(_title(run, multiples), f"{subtitle}{at_worst}")


def _worst(multiples: Mapping[str, Mapping[int, Estimate]]) -> dict[str, Estimate]:
    """By malloc, the figure of the size for which it takes most."""
    libraries = {name: sizes for name, sizes in multiples.items() if name != control.CONTROL} or multiples
    return {name: max(sizes.values(), key=lambda estimate: estimate.median) for name, sizes in libraries.items()}


def _title(run: Run, multiples: Mapping[str, Mapping[int, Estimate]]) -> str:
    worst = _worst(multiples)
    malloc = query.malloc_to_name(run, worst) or next(iter(worst))
    size = next(size for size, estimate in multiples[malloc].items() if estimate is worst[malloc])
    taken = phrases.two_figures(worst[malloc].median)
    where = f"in blocks of {size_text(size)}"
    return f"{phrases.plain(malloc)} takes up to {taken} bytes of memory for each requested byte, {where}"


def overlay_panels(run: Run) -> Panels:
    benchmarks = query.over(run, "bytes", FAMILY, query.default_malloc(run, FAMILY))
    counts_of = {size: process_counts(benchmark, "resident_bytes_per_byte") for size, benchmark in benchmarks.items()}
    return {"": {size: counts for size, counts in counts_of.items() if counts}}


OVERLAY = Overlay(
    "keeps a block in", "the memory that a block takes",
    "Resident memory as a multiple of the requested bytes, over the size of the blocks (log scale)",
    overlay_panels, "sizes", measure="memory", over=size_text, axes={"": MULTIPLES},
)  # fmt: skip
