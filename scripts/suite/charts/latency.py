"""How long one malloc takes, by how rare it is: the usual one, and the one in ten thousand."""

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

# By one in how many calls is slower: counter and label. The slowest of all stands a step beyond.
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


def draw(run: Run, how: Look) -> Drawing | None:
    blocks = _blocks(run)
    names = ["none", *query.mallocs(run, FAMILY)]
    found = {name: _percentiles(run, name, op="malloc", **blocks) for name in names}
    found = {name: each for name, each in found.items() if each}
    if not found:
        return None
    on = Page(run, how, FAMILY)
    timer = forms.Line(TIMER, found["none"], QUIET) if "none" in found else None
    series = [forms.Line(name, each) for name, each in found.items() if name != "none"]
    panel = forms.LinesPanel("", [timer, *series] if timer else series)
    (axes,) = forms.lines(on, panel, over=_percentile_text)
    if timer:
        forms.shade_under(on, axes, timer)
    sizes = f"of {bytes_text(int(blocks['bytes']))}" if "bytes" in blocks else "of mixed sizes"
    subtitle = f"Each call timed alone, among 1,000 live blocks {sizes}: time of a malloc by percentile, log scales"
    return on.finish(_title(found), subtitle)


def _blocks(run: Run) -> dict[str, str]:
    """A server's mix where it was measured, else the smallest blocks."""
    mixes = [mix for mix in ("power_law", "uniform") if run.series(FAMILY, mix=mix, op="malloc")]
    sizes = query.numbers(run, "bytes", FAMILY, op="malloc")
    return {"mix": mixes[0]} if mixes else {"bytes": str(sizes[0])} if sizes else {}


def _percentiles(run: Run, name: str, **parameters: str) -> dict[int, Estimate]:
    found = query.by_strategy(run.series(FAMILY, name, **parameters))
    counted = {rarity: query.counted(found, counter) for rarity, (counter, _) in RARITIES.items()}
    return {rarity: each[name] for rarity, each in counted.items() if each}


def _title(found: Mapping[str, ByRarity]) -> str:
    """The usual call, and the rarest that every malloc tells of."""
    libraries = [each for name, each in found.items() if name != "none"]
    if not libraries:
        return f"Reading the timer alone takes {phrases.short_time(min(each.median for each in found['none'].values()))}"
    told = [rarity for rarity in RARITIES if all(rarity in each for each in libraries)]
    rare = max((rarity for rarity in told if rarity != SLOWEST), default=USUAL)
    said = [phrases.span(each[rarity].median for each in libraries) for rarity in (USUAL, rare)]
    timer = [found["none"][rarity] for rarity in dict.fromkeys((USUAL, rare)) if "none" in found]
    alone = phrases.joined([phrases.short_time(one.median) for one in timer])
    tail = f"; one in {rare:,} takes over {said[1]}" if rare > USUAL else ""
    return f"The median malloc takes {said[0]}{tail}{f'; the timer alone, {alone}' if timer else ''}"


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
