"""How long does a call of malloc take, by percentile: the median call, and the slowest in ten thousand?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET
from suite.charts.kit.several_runs import Overlay, Panels, default_malloc, process_counts
from suite.results import query
from suite.results.model import Run
from suite.stats.estimates import Estimate

FAMILY = "latency"
QUESTION = "How long does one single malloc take: the usual one, and the one in ten thousand?"

# Counter and label, by the number of calls of which one is slower. The slowest call is drawn a step beyond.
RARITIES = {
    2: ("p50", "p50"),
    10: ("p90", "p90"),
    100: ("p99", "p99"),
    1000: ("p99_9", "p99.9"),
    10_000: ("p99_99", "p99.99"),
    100_000: ("max", "max"),
}
USUAL, SLOWEST = min(RARITIES), max(RARITIES)
TIMER = "timer alone"
ByRarity = Mapping[int, Estimate]


def draw(run: Run, look: Look) -> Drawing | None:
    blocks = _blocks(run)
    names = ["none", *query.mallocs(run, FAMILY)]
    percentiles = {name: _percentiles(run, name, op="malloc", **blocks) for name in names}
    percentiles = {name: by_rarity for name, by_rarity in percentiles.items() if by_rarity}
    if not percentiles:
        return None
    page = Page(run, look, FAMILY)
    timer = forms.Line(TIMER, percentiles["none"], QUIET) if "none" in percentiles else None
    series = [forms.Line(name, by_rarity) for name, by_rarity in percentiles.items() if name != "none"]
    panel = forms.LinesPanel("", [timer, *series] if timer else series)
    (axes,) = forms.lines(page, panel, over=_percentile_text)
    if timer:
        forms.shade_under(page, axes, timer)
    sizes = f"of {bytes_text(int(blocks['bytes']))}" if "bytes" in blocks else "of mixed sizes"
    subtitle = f"Each call timed alone, among 1,000 live blocks {sizes}: time of a malloc by percentile, log scales"
    return page.finish(_title(percentiles), subtitle)


def _blocks(run: Run) -> dict[str, str]:
    """The server's mix of sizes where it was measured, else the smallest blocks."""
    mixes = [mix for mix in ("power_law", "uniform") if run.series(FAMILY, mix=mix, op="malloc")]
    sizes = query.numbers(run, "bytes", FAMILY, op="malloc")
    return {"mix": mixes[0]} if mixes else {"bytes": str(sizes[0])} if sizes else {}


def _percentiles(run: Run, name: str, **parameters: str) -> dict[int, Estimate]:
    benchmarks = query.by_strategy(run.series(FAMILY, name, **parameters))
    counted = {rarity: query.counted(benchmarks, counter) for rarity, (counter, _) in RARITIES.items()}
    return {rarity: by_strategy[name] for rarity, by_strategy in counted.items() if by_strategy}


def _title(percentiles: Mapping[str, ByRarity]) -> str:
    """States the median call, and the rarest percentile that every malloc has."""
    libraries = [by_rarity for name, by_rarity in percentiles.items() if name != "none"]
    if not libraries:
        fastest = min(estimate.median for estimate in percentiles["none"].values())
        return f"Reading the timer alone takes {phrases.short_time(fastest)}"
    common = [rarity for rarity in RARITIES if all(rarity in by_rarity for by_rarity in libraries)]
    rare = max((rarity for rarity in common if rarity != SLOWEST), default=USUAL)
    spans = [phrases.span(by_rarity[rarity].median for by_rarity in libraries) for rarity in (USUAL, rare)]
    timer = [percentiles["none"][rarity] for rarity in dict.fromkeys((USUAL, rare)) if "none" in percentiles]
    alone = phrases.joined([phrases.short_time(estimate.median) for estimate in timer])
    tail = f"; one in {rare:,} takes over {spans[1]}" if rare > USUAL else ""
    return f"The median malloc takes {spans[0]}{tail}{f'; the timer alone, {alone}' if timer else ''}"


def overlay_panels(run: Run) -> Panels:
    benchmarks = run.series(FAMILY, default_malloc(run, FAMILY), op="malloc", mix="power_law")
    return {
        "": {
            rarity: counts
            for rarity, (counter, _) in RARITIES.items()
            for benchmark in benchmarks[:1]
            if (counts := process_counts(benchmark, counter))
        }
    }


def _percentile_text(rarity: float) -> str:
    return RARITIES[int(rarity)][1]


OVERLAY = Overlay(
    "A call of the default malloc takes",
    "Each call timed alone, the timer included, among 1,000 live blocks of mixed sizes: by percentile, log scales",
    overlay_panels, "percentile", over=_percentile_text,
)  # fmt: skip
