"""How much more than the live memory does a malloc hold once the requested sizes have changed?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import query
from suite.results.model import Run
from suite.stats.estimates import Estimate

FAMILY = "fragmentation"
QUESTION = "How much more than the live bytes does a malloc hold once the sizes have changed?"

SIZES = {"mixed": "the same sizes, mixed", "drifting": "sizes that drift from 64 B to 4 KiB"}  # filled: drifting
WHEN = {"mixed": "while sizes stay the same", "drifting": "once sizes have drifted"}
PEAK = "peak_resident_per_live_byte"


def draw(run: Run, look: Look) -> Drawing | None:
    peaks = {sizes: query.counted(query.by_strategy(run.series(FAMILY, sizes=sizes)), PEAK) for sizes in SIZES}
    rows = {**peaks["mixed"], **peaks["drifting"]}
    if not rows:
        return None
    columns = [
        forms.Column(SIZES[sizes], by_strategy, "o", filled=sizes == "drifting")
        for sizes, by_strategy in peaks.items()
        if by_strategy
    ]
    axis = forms.from_one(estimate for by_strategy in peaks.values() for estimate in by_strategy.values())
    page = Page(run, look, FAMILY)
    forms.dots(page, forms.cheapest_first(rows), forms.RowsPanel("", columns, axis, joined=True))
    subtitle = "Replace random blocks while the live bytes stay constant: peak memory held, as a multiple of live bytes"
    subtitle += phrases.costs_over_all(peaks["drifting"] or peaks["mixed"], phrases.times)
    return page.finish(_title(run, peaks), subtitle)


def _title(run: Run, peaks: Mapping[str, Mapping[str, Estimate]]) -> str:
    sizes = "drifting" if peaks["drifting"] else "mixed"
    malloc = query.malloc_to_name(run, peaks[sizes])
    if malloc is None:
        return f"{phrases.with_extremes(peaks[sizes])} times the live bytes are held {WHEN[sizes]}"
    held = phrases.two_figures(peaks[sizes][malloc].median)
    text = f"{phrases.plain(malloc)} holds {held} times the live bytes {WHEN[sizes]}"
    control = peaks["mixed"].get(malloc) if sizes == "drifting" else None
    return f"{text}, {phrases.two_figures(control.median)} times while they stay the same" if control else text
