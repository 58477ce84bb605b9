"""What does a malloc cost in a running program, which replaces one live block after another?"""

from __future__ import annotations

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import query
from suite.results.model import Run

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
    return page.finish(_title(run, lives), subtitle)


def _column(run: Run, live: int, sizes: str, filled: bool) -> forms.Column:
    costs = query.medians(query.by_strategy(run.series(FAMILY, live=live, sizes=sizes)))
    return forms.Column(f"{live:,} live blocks", costs, "o", filled)


def _title(run: Run, lives: list[int]) -> str:
    libraries = query.mallocs(run, FAMILY)
    parts = []
    for live in lives:
        benchmarks = [benchmark for benchmark in run.series(FAMILY, live=live) if benchmark.name.strategy in libraries]
        costs = query.middles(query.medians(dict(enumerate(benchmarks))))
        parts += [f"{phrases.span(costs.values())} among {live:,}"] if costs else []
    if parts:
        return f"With malloc, replacing a block costs {phrases.joined(parts)}"
    others = query.middles(query.medians(query.by_strategy(run.series(FAMILY, live=lives[-1]))))
    return f"Among {lives[-1]:,}, replacing a block costs {phrases.cheapest_and_costliest(others)}"
