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
    return page.finish(_title(peaks), subtitle)


def _title(peaks: Mapping[str, Mapping[str, Estimate]]) -> str:
    texts = {
        sizes: f"{phrases.with_extremes(by_strategy)} times the live bytes"
        for sizes, by_strategy in peaks.items()
        if by_strategy
    }
    if "drifting" not in texts:
        return f"With sizes that do not drift, a malloc holds {texts['mixed']}"
    mixed = [estimate.median for estimate in peaks["mixed"].values()]
    control = f"; with the same sizes mixed, {phrases.span(mixed, phrases.two_figures)}" if mixed else ""
    return f"Once sizes have drifted, a malloc holds {texts['drifting']}{control}"
