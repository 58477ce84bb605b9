"""How much more memory than is live a malloc holds once the sizes that a program needs have changed."""

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


def draw(run: Run, how: Look) -> Drawing | None:
    found = {
        sizes: query.counted(query.by_strategy(run.series(FAMILY, sizes=sizes)), PEAK) for sizes in SIZES
    }
    rows = {**found["mixed"], **found["drifting"]}
    if not rows:
        return None
    columns = [
        forms.Column(SIZES[sizes], each, "o", filled=sizes == "drifting") for sizes, each in found.items() if each
    ]
    axis = forms.from_one(one for each in found.values() for one in each.values())
    on = Page(run, how, FAMILY)
    forms.dots(on, forms.cheapest_first(rows), forms.RowsPanel("", columns, axis, joined=True))
    subtitle = "Replace random blocks while the live bytes stay constant: peak memory held, as a multiple of live bytes"
    return on.finish(_title(found), subtitle)


def _title(found: Mapping[str, Mapping[str, Estimate]]) -> str:
    said = {sizes: f"{phrases.with_extremes(each)} times the live bytes" for sizes, each in found.items() if each}
    if "drifting" not in said:
        return f"With sizes that do not drift, a malloc holds {said['mixed']}"
    mixed = [one.median for one in found["mixed"].values()]
    control = f"; with the same sizes mixed, {phrases.span(mixed, phrases.two_figures)}" if mixed else ""
    return f"Once sizes have drifted, a malloc holds {said['drifting']}{control}"
