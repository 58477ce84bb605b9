"""What does a malloc cost in a running program, which replaces one live block after another?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import control, query
from suite.results.model import Benchmark, Run

FAMILY = "churn"
QUESTION = "What does a malloc cost in a running program, which replaces one live block after another?"

SIZES = {"uniform": "All sizes alike, 16 to 1,024 B", "power_law": "Mostly small sizes, as in a server"}


def draw(run: Run, look: Look) -> Drawing | None:
    lives = query.ends(query.numbers(run, "live", FAMILY))
    all_panels = (
        forms.RowsPanel(title, [_column(run, live, sizes, live == lives[-1]) for live in lives])
        for sizes, title in SIZES.items()
    )
    panels = [panel for panel in all_panels if any(column.values for column in panel.columns)]
    if not panels:
        return None
    rows = forms.figures_of_rows(column for panel in reversed(panels) for column in panel.columns)
    page = Page(run, look, FAMILY)
    forms.dots(page, forms.cheapest_first(rows), *panels)
    subtitle = "Free a live block, drawn at random, and take a new block: time per replacement, log scale"
    benchmarks = _of_mallocs(run, lives[-1])
    subtitle += phrases.costs_over_all(query.medians(benchmarks))
    return page.finish(_title(run, lives[-1], benchmarks), subtitle)


def _column(run: Run, live: int, sizes: str, filled: bool) -> forms.Column:
    costs = query.medians(query.by_strategy(run.series(FAMILY, live=live, sizes=sizes)))
    return forms.Column(f"{live:,} live blocks", costs, "o", filled)


def _of_mallocs(run: Run, live: int) -> dict[str, Benchmark]:
    """With sizes as in a server, or with the sizes that were measured."""
    libraries = query.mallocs(run, FAMILY)
    by_sizes = [query.by_strategy(run.series(FAMILY, live=live, sizes=sizes)) for sizes in reversed(SIZES)]
    of_mallocs = ({name: by_name[name] for name in libraries if name in by_name} for by_name in by_sizes)
    return next(filter(None, of_mallocs), {})


def _title(run: Run, live: int, benchmarks: Mapping[str, Benchmark]) -> str:
    malloc = query.malloc_to_name(run, benchmarks)
    if malloc is None:
        of_all = query.middles(query.medians(query.by_strategy(run.series(FAMILY, live=live))))
        return f"Among {live:,}, replacing a block costs {phrases.cheapest_and_costliest(of_all)}"
    costs = query.middles(query.medians(benchmarks))
    cost = phrases.short_time(costs[malloc])
    subject = f"Replacing one of {live:,} live blocks costs {cost} with {phrases.plain(malloc)}"
    others = {name: benchmark for name, benchmark in benchmarks.items() if name != malloc}
    compared = control.compare(run, dict.fromkeys(others, benchmarks[malloc]), others)
    if not compared:
        return subject
    fastest = min(compared, key=lambda name: costs[name])
    if costs[fastest] >= costs[malloc] or phrases.none_differs([compared[fastest]]):
        return f"{subject}; no malloc is measurably faster" if compared[fastest].has_interval else subject
    return f"{subject}, {phrases.as_much_as([compared[fastest]], f'with {phrases.plain(fastest)}')}"
