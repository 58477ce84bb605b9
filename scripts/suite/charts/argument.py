"""From which size on does a struct cost more by value than by reference?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET, STRONG
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "argument"
QUESTION = "From which size on should a struct not be passed by value?"

WAYS = {"none": "the call alone", "value": "by value", "reference": "by reference", "unique_ptr": "by unique_ptr"}


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = {way: query.by_number(run.series(FAMILY, how=way), "bytes") for way in WAYS}
    page = Page(run, look, FAMILY, WAYS)
    heap = page.mark(str(run.context.get("process_malloc")))
    styles = {"none": QUIET, "value": page.mark("stack_array"), "reference": STRONG, "unique_ptr": heap}
    series = [forms.Line(way, query.medians(by_size), styles[way]) for way, by_size in benchmarks.items() if by_size]
    if not series:
        return None
    (axes,) = forms.lines(page, forms.LinesPanel("", series))
    ratios = query.ratios(benchmarks["value"], benchmarks["reference"])
    start = _costs_more_from(ratios)
    if start is not None:
        forms.guide(page, axes, [(float(start), f"costs more by value from {bytes_text(start)} on")])
    subtitle = "Call a function that reads the first word of a struct: time per call over the struct's size, log scales"
    return page.finish(_title(run, benchmarks, ratios, start), subtitle)


def _costs_more_from(ratios: Mapping[int, Estimate]) -> int | None:
    """The smallest size from which on every struct costs more by value, beyond the interval."""
    start = None
    for size in sorted(ratios, reverse=True):
        if not (phrases.differs(ratios[size]) and ratios[size].median > 1.0):
            break
        start = size
    return start


def _title(
    run: Run,
    benchmarks: Mapping[str, Mapping[int, Benchmark]],
    ratios: Mapping[int, Estimate],
    start: int | None,
) -> str:
    if not ratios:
        way, sizes = next((way, sizes) for way, sizes in benchmarks.items() if sizes)
        largest = max(sizes)
        cost = query.medians({largest: sizes[largest]})[largest]
        return f"{bytes_text(largest)} cost {phrases.short_time(cost.median)} {WAYS[way]}"
    largest = max(ratios)
    compared = control.compare_two(run, benchmarks["value"][largest], benchmarks["reference"][largest])
    at_largest = [compared or ratios[largest]]
    if start is None or start == largest:
        return f"A struct of {bytes_text(largest)} by value {phrases.against(at_largest, 'a struct by reference')}"
    text = f"From {bytes_text(start)} on, a struct costs more by value than by reference"
    return f"{text}: {phrases.as_much(at_largest)} at {bytes_text(largest)}"
