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
BEYOND = " beyond the timer"
NOT_TOLD = "less than the timer can tell"
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
    return page.finish(_title(run, percentiles, blocks), f"{subtitle}{_over_all(run, blocks)}")


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
    malloc = query.malloc_to_name(run, libraries) or next(iter(libraries))
    name = phrases.plain(malloc)
    which = "the slowest" if rare == SLOWEST else f"one in {rare:,}"
    slow = _beyond_timer(run, benchmarks, rare, malloc)
    if USUAL not in common:
        subject = f"{name}'s slowest malloc" if rare == SLOWEST else f"One in {rare:,} calls of {name}"
        return f"{subject} takes {slow}"
    usual = _beyond_timer(run, benchmarks, USUAL, malloc)
    subject = f"{name}'s typical malloc takes {usual}"
    if rare == USUAL:
        return subject
    if usual == slow == NOT_TOLD:
        return f"{subject}, and so does {which}"
    slow = slow.removesuffix(BEYOND) if usual.endswith(BEYOND) else slow.replace(BEYOND, " beyond it")
    return f"{subject}; {which} takes {slow}"


def _beyond_timer(run: Run, benchmarks: Mapping[str, Benchmark], rarity: int, malloc: str) -> str:
    """What is left beyond the timer; without a timer, the whole. A percentile is not finer than the timer's tick."""
    counter = RARITIES[rarity][0]
    left = control.beyond_control(run, benchmarks, counter=counter)
    if malloc not in left:
        whole = query.counted({malloc: benchmarks[malloc]}, counter)[malloc]
        return f"{'over ' if rarity > USUAL else ''}{phrases.short_time(whole.median)}"
    least = 0.0 if rarity == USUAL else 1.5 * _tick(benchmarks)
    if not phrases.is_left(left[malloc]) or left[malloc].median <= least:
        return NOT_TOLD
    return f"{phrases.short_time(left[malloc].median)}{BEYOND}"


def _tick(benchmarks: Mapping[str, Benchmark]) -> float:
    """The timer's resolution in ns; 0 where it is unknown."""
    ticks = (benchmark.counter("resolution") for benchmark in benchmarks.values())
    return max((median(values) for values in ticks if values), default=0.0)


def _over_all(run: Run, blocks: Mapping[str, str]) -> str:
    """The end of the subtitle: the typical call over all mallocs, and how fine the timer is."""
    benchmarks = query.by_strategy(run.series(FAMILY, None, op="malloc", **blocks))
    libraries = {name: benchmark for name, benchmark in benchmarks.items() if name != control.CONTROL}
    left = control.beyond_control(run, libraries, counter=RARITIES[USUAL][0]).values()
    text = f"; typical{BEYOND}, {phrases.beyond_control(list(left))} over all mallocs" if len(left) > 1 else ""
    tick = _tick(libraries)
    return f"{text}; the timer's tick is {phrases.short_time(tick)}" if tick else text


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
    "calls malloc in", "the time of a call of malloc",
    "Each call timed alone, the timer included, among 1,000 live blocks of mixed sizes: by percentile, log scales",
    overlay_panels, "percentiles", over=_percentile_text,
)  # fmt: skip
