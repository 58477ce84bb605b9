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
    subtitle = "Take a large block, write every byte, give it back: over the block's size"
    return page.finish(_title(run, benchmarks, fresh), f"{subtitle}{_over_all(benchmarks, fresh)}")


def _title(
    run: Run, benchmarks: Mapping[str, Mapping[int, Benchmark]], fresh: Mapping[str, Mapping[int, Estimate]]
) -> str:
    largest = max(size for sizes in benchmarks.values() for size in sizes)
    costs = query.middles(query.medians(_of_size(benchmarks, largest)))
    malloc = query.malloc_to_name(run, costs)
    if malloc is None:
        return f"{bytes_text(largest)} cost {phrases.cheapest_and_costliest(costs)}"
    text = f"{bytes_text(largest)} from {phrases.plain(malloc)} cost {phrases.short_time(costs[malloc])}"
    if largest in fresh[malloc]:
        text += ", on fresh pages each time" if fresh[malloc][largest].median > FRESH else ", on pages that were kept"
    alone = costs.get(control.CONTROL)
    return text if alone is None else f"{text}; writing them alone, {phrases.short_time(alone)}"


def _of_size(benchmarks: Mapping[str, Mapping[int, Benchmark]], size: int) -> dict[str, Benchmark]:
    return {name: sizes[size] for name, sizes in benchmarks.items() if size in sizes}


def _over_all(benchmarks: Mapping[str, Mapping[int, Benchmark]], fresh: Mapping[str, Mapping[int, Estimate]]) -> str:
    """The end of the subtitle: what the largest blocks cost on fresh pages, and on pages that were kept."""
    largest = max(size for sizes in benchmarks.values() for size in sizes)
    costs = query.middles(query.medians(_of_size(benchmarks, largest)))
    shares = {name: fresh[name][largest].median for name in costs if largest in fresh[name] and name != control.CONTROL}
    kinds = {
        "on fresh pages": [costs[name] for name, share in shares.items() if share > FRESH],
        "on kept pages": [costs[name] for name, share in shares.items() if share <= FRESH],
    }
    parts = [f"{phrases.span(values)} {kind}" for kind, values in kinds.items() if values]
    return f"; {bytes_text(largest)}: {phrases.joined(parts)}" if len(shares) > 1 else ""
