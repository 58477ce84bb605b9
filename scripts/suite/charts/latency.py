"""How long does a call of malloc take, by percentile: the typical call, and the slowest in ten thousand?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET
from suite.charts.kit.several_runs import Overlay, Panels, process_counts
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate, median

FAMILY = "latency"
QUESTION = "How long does one single malloc take: the usual one, and the one in ten thousand?"

# Counter and label, by the number of calls of which one is slower. The slowest call is drawn a step beyond. The typical
# call is a mean, finer than the timer's tick; the median is a whole number of ticks, often the timer's own.
RARITIES = {
    2: ("typical", "typical"),
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
    return page.finish(_title(run, percentiles, blocks), subtitle)


def _blocks(run: Run) -> dict[str, str]:
    """The server's mix of sizes where it was measured, else the smallest blocks."""
    mixes = [mix for mix in ("power_law", "uniform") if run.series(FAMILY, mix=mix, op="malloc")]
    sizes = query.numbers(run, "bytes", FAMILY, op="malloc")
    return {"mix": mixes[0]} if mixes else {"bytes": str(sizes[0])} if sizes else {}


def _percentiles(run: Run, name: str, **parameters: str) -> dict[int, Estimate]:
    benchmarks = query.by_strategy(run.series(FAMILY, name, **parameters))
    counted = {rarity: query.counted(benchmarks, counter) for rarity, (counter, _) in RARITIES.items()}
    return {rarity: by_strategy[name] for rarity, by_strategy in counted.items() if by_strategy}


def _title(run: Run, percentiles: Mapping[str, ByRarity], blocks: Mapping[str, str]) -> str:
    """States the typical call beyond the timer's own time, and the rarest percentile that every malloc has."""
    libraries = {name: by_rarity for name, by_rarity in percentiles.items() if name != control.CONTROL}
    if not libraries:
        fastest = min(estimate.median for estimate in percentiles[control.CONTROL].values())
        return f"Reading the timer alone takes {phrases.short_time(fastest)}"
    common = [rarity for rarity in RARITIES if all(rarity in by_rarity for by_rarity in libraries.values())]
    if not common:
        return QUESTION
    rare = max((rarity for rarity in common if rarity != SLOWEST), default=SLOWEST)
    benchmarks = {
        name: benchmark
        for name, benchmark in query.by_strategy(run.series(FAMILY, None, op="malloc", **blocks)).items()
        if name in libraries
    }
    parts = [f"the typical malloc takes {_beyond_timer(run, benchmarks, USUAL)}"] if USUAL in common else []
    if rare != USUAL:
        subject = "the slowest" if rare == SLOWEST else f"one in {rare:,}"
        parts.append(f"{subject} takes {_beyond_timer(run, benchmarks, rare)}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}"


def _beyond_timer(run: Run, benchmarks: Mapping[str, Benchmark], rarity: int) -> str:
    """What is left beyond the timer; without a timer, the whole. A percentile is not finer than the timer's tick."""
    counter = RARITIES[rarity][0]
    left = control.beyond_control(run, benchmarks, counter=counter)
    if not left:
        over = "over " if rarity > USUAL else ""
        return f"{over}{phrases.span(query.middles(query.counted(benchmarks, counter)).values())}"
    tick = max((median(benchmark.counter("resolution")) for benchmark in benchmarks.values() if benchmark.counter("resolution")), default=0.0)
    least = 0.0 if rarity == USUAL else 1.5 * tick
    seen = [difference for difference in left.values() if phrases.is_left(difference) and difference.median > least]
    if not seen:
        return f"less than the timer can tell{f' (its tick is {phrases.short_time(tick)})' if tick else ''}"
    up_to = "up to " if len(seen) < len(left) else ""
    amounts = [max(seen, key=lambda difference: difference.median)] if up_to else seen
    return f"{up_to}{phrases.span(difference.median for difference in amounts)} beyond the timer"


def overlay_panels(run: Run) -> Panels:
    benchmarks = run.series(FAMILY, query.default_malloc(run, FAMILY), op="malloc", mix="power_law")
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
    "completes a call of malloc in", "the time of a call of malloc",
    "Each call timed alone, the timer included, among 1,000 live blocks of mixed sizes: by percentile, log scales",
    overlay_panels, "percentile", over=_percentile_text,
)  # fmt: skip
