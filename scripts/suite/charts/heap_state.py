"""Does memory cost more on an empty, a resident or an aged heap, and once a thread has existed?"""

from __future__ import annotations

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

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
    small, large = sizes[0], sizes[-1]
    of_state = _compared(run, small, {"state": "empty", "threads": "ever"}, {"state": "resident", "threads": "ever"})
    of_thread = _compared(run, large, {"state": "resident", "threads": "ever"}, {"state": "resident", "threads": "never"})
    effects = (
        (of_state, "of an empty heap", f"{bytes_text(small)} on an empty heap cost {{}} {bytes_text(small)} on a resident heap"),
        (of_thread, "of a first thread", f"{bytes_text(large)} once a thread has existed cost {{}} {bytes_text(large)} before"),
    )
    seen = [text.format(phrases.multiple(effect)) for effect, _, text in effects if not phrases.none_differs(effect)]
    unseen = [cause for effect, cause, _ in effects if effect and phrases.none_differs(effect)]
    silence = [f"no measurable effect {' or '.join(unseen)}"] if unseen else []
    if seen or silence:
        return f"With malloc, {'; '.join([*seen, *silence])}"
    costs = query.middles(query.medians(query.by_strategy(run.series(FAMILY, bytes=small))))
    return f"{bytes_text(small)} cost {phrases.cheapest_and_costliest(costs)}"


def _compared(run: Run, size: int, above: dict[str, str], below: dict[str, str]) -> list[Estimate]:
    libraries = query.mallocs(run, FAMILY)
    compared, base = (_by_strategy(run, libraries, bytes=size, **parameters) for parameters in (above, below))
    return list(control.compare(run, compared, base).values())
