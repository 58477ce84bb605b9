"""What does it cost that long strings keep their text on the heap, and short strings in themselves?"""

from __future__ import annotations

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "strings"
QUESTION = "What does it cost to read strings with their text on the heap, or with short text inside?"

PLACES = ("inline", "heap", "heap_shuffled")


def draw(run: Run, look: Look) -> Drawing | None:
    counts = query.ends(query.numbers(run, "count", FAMILY))
    if not counts:
        return None
    benchmarks = {count: query.by_strategy(run.series(FAMILY, count=count)) for count in counts}
    columns = [
        forms.Column(f"among {count:,}", query.medians(by_strategy), "o", count == counts[-1], lane)
        for lane, (count, by_strategy) in enumerate(benchmarks.items())
    ]
    page = Page(run, look, FAMILY)
    malloc = page.mark(str(run.context.get("process_malloc")))
    rows = [place for place in PLACES if any(place in by_strategy for by_strategy in benchmarks.values())]
    panel = forms.RowsPanel("", columns)
    forms.dots(
        page,
        rows,
        panel,
        valued=True,
        colour_of=lambda place: page.mark("stack_array") if place == "inline" else malloc,
    )
    subtitle = "Read 8 characters of one string after another, by where the text lives: time per string, log scale"
    ratios = _to_inline(benchmarks[counts[-1]])
    scattered = f"; shuffled on the heap, {phrases.multiple([ratios[PLACES[2]]])}" if len(ratios) > 1 else ""
    return page.finish(_title(counts[-1], benchmarks[counts[-1]]), f"{subtitle}{scattered}")


def _title(count: int, benchmarks: dict[str, Benchmark]) -> str:
    ratios = _to_inline(benchmarks)
    if not ratios:
        costs = query.middles(query.medians(benchmarks))
        return f"Among {count:,}, a string's text costs {phrases.cheapest_and_costliest(costs)}"
    place = next(iter(ratios))
    subject = f"Among {count:,} strings, reading one with its text on the heap"
    if phrases.none_differs([ratios[place]]):
        return f"{subject} shows no measurable difference"
    return f"{subject} costs {phrases.multiple([ratios[place]])} one with its text inside"


def _to_inline(benchmarks: dict[str, Benchmark]) -> dict[str, Estimate]:
    """By place on the heap, in order first: the cost against text that is inside of the string."""
    on_heap = {place: benchmarks[place] for place in PLACES[1:] if place in benchmarks}
    return query.against_one(on_heap, benchmarks.get("inline"))
