"""What it costs that long strings keep their text on the heap, short ones in themselves."""

from __future__ import annotations

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import query
from suite.results.model import Benchmark, Run

FAMILY = "strings"
QUESTION = "What does it cost to read strings with their text on the heap, or with short text inside?"

PLACES = ("inline", "heap", "heap_shuffled")


def draw(run: Run, how: Look) -> Drawing | None:
    counts = query.ends(query.numbers(run, "count", FAMILY))
    if not counts:
        return None
    found = {count: query.by_strategy(run.series(FAMILY, count=count)) for count in counts}
    columns = [
        forms.Column(f"among {count:,}", query.medians(each), "o", count == counts[-1], lane)
        for lane, (count, each) in enumerate(found.items())
    ]
    on = Page(run, how, FAMILY)
    malloc = on.mark(str(run.context.get("process_malloc")))
    rows = [place for place in PLACES if any(place in each for each in found.values())]
    panel = forms.RowsPanel("", columns)
    forms.dots(
        on, rows, panel, valued=True, colour_of=lambda place: on.mark("stack_array") if place == "inline" else malloc
    )
    subtitle = "Read 8 characters of one string after another, by where the text lives: time per string, log scale"
    return on.finish(_title(counts[-1], found[counts[-1]]), subtitle)


def _title(count: int, found: dict[str, Benchmark]) -> str:
    on_heap = {place: one for place, one in found.items() if place != "inline"}
    ratios = list(query.against_one(on_heap, found.get("inline")).values())
    if ratios:
        base = "reading a string with its text inside"
        return f"Among {count:,}, reading a string with its text on the heap {phrases.against(ratios, base)}"
    costs = query.middles(query.medians(found))
    return f"Among {count:,}, a string's text costs {phrases.cheapest_and_dearest(costs)}"
