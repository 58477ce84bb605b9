"""Does memory cost more on an empty, a resident or an aged heap, and once a thread has existed?"""

from __future__ import annotations

from dataclasses import dataclass

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate, median

FAMILY = "heap_state"
QUESTION = "Does taking memory cost more on an empty, a resident or an aged heap, or once a thread has existed?"

STATES = {"empty": "o", "resident": "s", "aged": "^"}
THREADS = {"never": False, "ever": True}  # filled: once a thread has existed


def draw(run: Run, look: Look) -> Drawing | None:
    names = query.leading(run, FAMILY)
    sizes = query.ends(query.numbers(run, "bytes", FAMILY))
    panels = [forms.RowsPanel(f"Blocks of {bytes_text(size)}", _columns(run, size, names)) for size in sizes]
    rows = forms.figures_of_rows(column for panel in reversed(panels) for column in panel.columns)
    if not rows:
        return None
    page = Page(run, look, FAMILY)
    forms.dots(page, forms.cheapest_first(rows), *panels)
    subtitle = "Take a block, write its first byte, give it back: time per block, log scale; hollow: before any thread"
    return page.finish(_title(run, sizes), subtitle)


def _columns(run: Run, size: int, names: list[str]) -> list[forms.Column]:
    return [
        forms.Column(
            f"{state} heap" if filled else f"{state} heap, before any thread",
            query.medians(benchmarks),
            marker,
            filled,
            lane,
            keyed=filled,
        )
        for lane, (state, marker) in enumerate(STATES.items())
        for threads, filled in THREADS.items()
        if (benchmarks := _by_strategy(run, names, bytes=size, state=state, threads=threads))
    ]


def _by_strategy(run: Run, names: list[str], **parameters: object) -> dict[str, Benchmark]:
    benchmarks = query.by_strategy(run.series(FAMILY, None, **parameters))
    return {name: benchmark for name, benchmark in benchmarks.items() if name in names}


def _title(run: Run, sizes: list[int]) -> str:
    """The effect that is larger, of an empty heap or of a first thread."""
    effects = _effects(run, sizes)
    seen = [effect for effect in effects.values() if not phrases.none_differs([effect.compared])]
    if seen:
        largest = max(seen, key=lambda effect: effect.factor)
        cost = phrases.as_much_as([largest.compared], largest.than)
        return f"{largest.where}, {largest.amount} from {phrases.plain(largest.malloc)} cost {cost}"
    if effects:
        malloc = next(iter(effects.values())).malloc
        return f"With {phrases.plain(malloc)}, no measurable effect {' or '.join(effects)}"
    costs = query.middles(query.medians(query.by_strategy(run.series(FAMILY, bytes=sizes[0]))))
    return f"{bytes_text(sizes[0])} cost {phrases.cheapest_and_costliest(costs)}"


@dataclass(frozen=True)
class Effect:
    """What the state of the heap does to a malloc."""

    malloc: str
    compared: Estimate
    factor: float  # of the medians, above 1 in either direction
    amount: str
    where: str
    than: str


def _effects(run: Run, sizes: list[int]) -> dict[str, Effect]:
    """By cause, of the usual malloc."""
    empty, usual, before = (
        {"state": state, "threads": threads}
        for state, threads in (("empty", "ever"), ("resident", "ever"), ("resident", "never"))
    )
    asked = {
        "of an empty heap": (sizes[0], empty, usual, "On an empty heap", "on a resident heap"),
        "of a first thread": (sizes[-1], usual, before, "Once a thread has existed", "before"),
    }
    effects = {}
    for cause, (size, above, below, where, than) in asked.items():
        libraries = query.mallocs(run, FAMILY)
        high, low = (_by_strategy(run, libraries, bytes=size, **parameters) for parameters in (above, below))
        compared = control.compare(run, high, low)
        malloc = query.malloc_to_name(run, compared)
        if malloc is not None:
            factor = median(high[malloc].times) / median(low[malloc].times)
            effects[cause] = Effect(malloc, compared[malloc], max(factor, 1 / factor), bytes_text(size), where, than)
    return effects
