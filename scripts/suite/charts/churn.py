"""What a malloc costs in a running program, which replaces one live block after another."""

from __future__ import annotations

from suite.base import phrases as words
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import model as results
from suite.results import query as selection

FAMILY = "churn"
QUESTION = "What does a malloc cost in a running program, which replaces one live block after another?"

SIZES = {"uniform": "All sizes alike, 16 to 1,024 B", "power_law": "Mostly small sizes, as in a server"}


def draw(run: results.Run, how: Look) -> Drawing | None:
    lives = selection.ends(selection.numbers(run, "live", FAMILY))
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
    subtitle = "Free one of the live blocks, drawn at random, and take a new one: time per replacement, log scale"
    return on.finish(_title(run, lives), subtitle)


def _column(run: results.Run, live: int, sizes: str, filled: bool) -> forms.Column:
    found = selection.medians(selection.by_strategy(run.series(FAMILY, live=live, sizes=sizes)))
    return forms.Column(f"{live:,} live blocks", found, "o", filled)


def _title(run: results.Run, lives: list[int]) -> str:
    libraries = selection.mallocs(run, FAMILY)
    said = []
    for live in lives:
        found = [one for one in run.series(FAMILY, live=live) if one.name.strategy in libraries]
        costs = selection.middles(selection.medians(dict(enumerate(found))))
        said += [f"{words.span(costs.values())} among {live:,}"] if costs else []
    if said:
        return f"With malloc, replacing a block costs {words.joined(said)}"
    others = selection.middles(selection.medians(selection.by_strategy(run.series(FAMILY, live=lives[-1]))))
    return f"Among {lives[-1]:,}, replacing a block costs {words.cheapest_and_dearest(others)}"
