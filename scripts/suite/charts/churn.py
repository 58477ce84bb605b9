"""What a malloc costs in a running program, which replaces one live block after another."""

from __future__ import annotations

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import query
from suite.results.model import Run

FAMILY = "churn"
QUESTION = "What does a malloc cost in a running program, which replaces one live block after another?"

SIZES = {"uniform": "All sizes alike, 16 to 1,024 B", "power_law": "Mostly small sizes, as in a server"}


def draw(run: Run, how: Look) -> Drawing | None:
    lives = query.ends(query.numbers(run, "live", FAMILY))
    all_panels = (
        forms.RowsPanel(title, [_column(run, live, sizes, live == lives[-1]) for live in lives])
        for sizes, title in SIZES.items()
    )
    panels = [one for one in all_panels if any(each.values for each in one.columns)]
    if not panels:
        return None
    rows = {name: one for panel in reversed(panels) for each in panel.columns for name, one in each.values.items()}
    on = Page(run, how, FAMILY)
    forms.dots(on, forms.cheapest_first(rows), *panels)
    subtitle = "Free a live block, drawn at random, and take a new block: time per replacement, log scale"
    return on.finish(_title(run, lives), subtitle)


def _column(run: Run, live: int, sizes: str, filled: bool) -> forms.Column:
    found = query.medians(query.by_strategy(run.series(FAMILY, live=live, sizes=sizes)))
    return forms.Column(f"{live:,} live blocks", found, "o", filled)


def _title(run: Run, lives: list[int]) -> str:
    libraries = query.mallocs(run, FAMILY)
    said = []
    for live in lives:
        found = [one for one in run.series(FAMILY, live=live) if one.name.strategy in libraries]
        costs = query.middles(query.medians(dict(enumerate(found))))
        said += [f"{phrases.span(costs.values())} among {live:,}"] if costs else []
    if said:
        return f"With malloc, replacing a block costs {phrases.joined(said)}"
    others = query.middles(query.medians(query.by_strategy(run.series(FAMILY, live=lives[-1]))))
    return f"Among {lives[-1]:,}, replacing a block costs {phrases.cheapest_and_dearest(others)}"
