"""What a malloc promises at once, and what the promise itself takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import query
from suite.results.model import Run
from suite.stats.estimates import Estimate

FAMILY = "heap_limit"
QUESTION = "How much memory does a malloc grant at once, and how much does it use itself for that?"


def draw(run: Run, how: Look) -> Drawing | None:
    found = query.by_strategy(run.series(FAMILY, limit="granted"))
    found = {name: found[name] for name in query.mallocs(run, FAMILY) if name in found}
    granted, books = (query.counted(found, counter) for counter in ("granted_bytes", "books_bytes"))
    if not granted:
        return None
    panels = [_panel("Largest block granted", granted)]
    if any(one.low > 0.0 for one in books.values()):
        panels.append(_panel("Used by malloc itself", books))
    on = Page(run, how, FAMILY)
    forms.dots(on, forms.cheapest_first(granted), *panels, valued=True)
    subtitle = "Request a single block, larger each time, in a separate process: bytes, log scales"
    return on.finish(_title(run, granted, books), subtitle)


def _panel(title: str, values: Mapping[str, Estimate]) -> forms.RowsPanel:
    """With ends of its own: what is promised and what is taken for it are far apart."""
    shown = {name: one for name, one in values.items() if one.low > 0.0}
    axis = replace(forms.SIZE, also=tuple(query.middles(shown).values()))
    return forms.RowsPanel(title, [forms.Column("", shown)], axis)


def _title(run: Run, granted: Mapping[str, Estimate], books: Mapping[str, Estimate]) -> str:
    at_least = any(any(one.counter("at_least")) for one in run.series(FAMILY, limit="granted"))
    least = min(query.middles(granted).values())
    said = f"at least {phrases.size(least)}" if at_least else phrases.with_extremes(granted, phrases.size)
    said = f"Malloc grants {said} in one block"
    return f"{said}, for which it uses {phrases.with_extremes(books, phrases.size)} itself" if books else said
