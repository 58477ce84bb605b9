"""How much does a malloc grant in one block, and how much memory does the grant itself take?"""

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


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = query.by_strategy(run.series(FAMILY, limit="granted"))
    benchmarks = {name: benchmarks[name] for name in query.mallocs(run, FAMILY) if name in benchmarks}
    granted, metadata = (query.counted(benchmarks, counter) for counter in ("granted_bytes", "books_bytes"))
    if not granted:
        return None
    panels = [_panel("Largest block granted", granted)]
    if any(estimate.low > 0.0 for estimate in metadata.values()):
        panels.append(_panel("Used by malloc itself", metadata))
    page = Page(run, look, FAMILY)
    forms.dots(page, forms.cheapest_first(granted), *panels, valued=True)
    subtitle = "Request a single block, larger each time, in a separate process: bytes, log scales"
    return page.finish(_title(run, granted, metadata), f"{subtitle}{phrases.costs_over_all(granted, phrases.size)}")


def _panel(title: str, values: Mapping[str, Estimate]) -> forms.RowsPanel:
    """Has its own axis: the granted bytes and the bytes used for the grant differ by orders of magnitude."""
    shown = {name: estimate for name, estimate in values.items() if estimate.low > 0.0}
    axis = replace(forms.SIZE, also=tuple(query.middles(shown).values()))
    return forms.RowsPanel(title, [forms.Column("", shown)], axis)


def _title(run: Run, granted: Mapping[str, Estimate], metadata: Mapping[str, Estimate]) -> str:
    malloc = query.malloc_to_name(run, granted) or next(iter(granted))
    benchmark = run.series(FAMILY, malloc, limit="granted")[0]
    at_least = "at least " if any(benchmark.counter("at_least")) else ""
    text = f"{phrases.plain(malloc)} grants {at_least}{phrases.size(granted[malloc].median)} in one block"
    return f"{text}, for which it uses {phrases.size(metadata[malloc].median)} itself" if malloc in metadata else text
