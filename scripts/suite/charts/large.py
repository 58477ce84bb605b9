"""What do large blocks cost per page, and which mallocs take fresh pages from the system each time?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "large"
QUESTION = "What does a large block cost, and is the cost in the block or in its pages?"

FRESH = 0.5  # a block is fresh if more than this share of its pages faults


def draw(run: Run, look: Look) -> Drawing | None:
    names = ["none", *query.leading(run, FAMILY)]
    benchmarks = {name: query.over(run, "bytes", FAMILY, name, touch="all") for name in names}
    benchmarks = {name: sizes for name, sizes in benchmarks.items() if sizes}
    if not benchmarks:
        return None
    page_bytes = run.fact("page_bytes") or 4096
    pages = {size: -(-size // page_bytes) for sizes in benchmarks.values() for size in sizes}
    costs = [forms.Line(name, query.medians(sizes, pages.__getitem__)) for name, sizes in benchmarks.items()]
    fresh = {name: query.counted(sizes, "page_faults", pages.__getitem__) for name, sizes in benchmarks.items()}
    faults = [forms.Line(name, shares) for name, shares in fresh.items() if shares]
    panels = [forms.LinesPanel(f"Time per page of {bytes_text(page_bytes)}, log scale", costs)]
    if faults:
        panels.append(forms.LinesPanel("Share of pages fresh each time", faults, forms.SHARE))
    page = Page(run, look, FAMILY)
    forms.lines(page, *panels)
    return page.finish(
        _title(benchmarks, fresh), "Take a large block, write every byte, give it back: over the block's size"
    )


def _title(benchmarks: Mapping[str, Mapping[int, Benchmark]], fresh: Mapping[str, Mapping[int, Estimate]]) -> str:
    largest = max(size for sizes in benchmarks.values() for size in sizes)
    at_largest = {name: sizes[largest] for name, sizes in benchmarks.items() if largest in sizes}
    costs = query.middles(query.medians(at_largest))
    shares = {name: fresh[name][largest].median for name in costs if largest in fresh[name] and name != "none"}
    taken = [costs[name] for name, share in shares.items() if share > FRESH]
    kept = [costs[name] for name, share in shares.items() if share <= FRESH]
    subject = f"{bytes_text(largest)} cost"
    if taken and kept:
        alone = f"; writing them alone, {phrases.short_time(costs[control.CONTROL])}" if control.CONTROL in costs else ""
        fresh_text, kept_text = phrases.span(taken), phrases.span(kept)
        return f"{subject} {fresh_text} where their pages are fresh, {kept_text} where they are kept{alone}"
    if taken or kept:
        return (
            f"{subject} {phrases.span(taken or kept)}, always on {'fresh pages' if taken else 'pages that were kept'}"
        )
    return f"{subject} {phrases.cheapest_and_costliest(costs)}"
