"""What do 64 bytes cost, by every strategy? The suite's first chart."""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.several_runs import Overlay, Panels, strategy_times
from suite.results import control, query
from suite.results.model import Benchmark, Run

FAMILY = "scoped"
QUESTION = "What do 64 bytes cost, by the strategy that provides them?"

BYTES, TOUCH = 64, "first"
STACK = "stack_array"


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = query.by_strategy(run.series(FAMILY, bytes=BYTES, touch=TOUCH))
    costs = query.medians(benchmarks)
    alone = costs.pop(control.CONTROL, None)
    if not costs:
        return None
    page = Page(run, look, FAMILY)
    axis = forms.Scale(also=(alone.median,) if alone else ())
    panel = forms.RowsPanel("", [forms.Column("", costs)], axis)
    (axes,) = forms.dots(page, forms.cheapest_first(costs), panel, valued=True)
    if alone:
        forms.control_line(page, axes, alone, "control")
    subtitle = "Take 64 bytes, write the first, give them back: time per block, log scale"
    return page.finish(_title(run, benchmarks), f"{subtitle}{_beyond_control(run, benchmarks)}")


def _beyond_control(run: Run, benchmarks: Mapping[str, Benchmark]) -> str:
    """The end of the subtitle: what is left of the stack's block and of the mallocs' blocks."""
    left = control.beyond_control(run, benchmarks)
    texts = {
        place: phrases.beyond_control([left[name] for name in names if name in left])
        for place, names in {"on the stack": [STACK], "from malloc": list(run.mallocs())}.items()
        if any(name in left for name in names)
    }
    parts = [f"{text} {place}" for place, text in texts.items()]
    return f"; beyond the control, {phrases.joined(parts)}" if parts else ""


def _title(run: Run, benchmarks: Mapping[str, Benchmark]) -> str:
    malloc = query.malloc_to_name(run, benchmarks)
    if malloc is None or STACK not in benchmarks:
        costs = query.middles(query.medians(benchmarks))
        costs.pop(control.CONTROL, None)
        return f"64 bytes cost {phrases.cheapest_and_costliest(costs)}"
    libraries = {name: benchmarks[name] for name in run.mallocs() if name in benchmarks}
    compared = control.compare(run, libraries, dict.fromkeys(libraries, benchmarks[STACK]))
    subject = f"64 bytes from {phrases.plain(malloc)}"
    if malloc not in compared:
        return f"{subject} cost {phrases.short_time(query.medians(benchmarks)[malloc].median)}"
    return f"{subject} {phrases.against([compared[malloc]], '64 bytes on the stack', plural=True)}"


def overlay_panels(run: Run) -> Panels:
    return {"": strategy_times(run, FAMILY, bytes=BYTES, touch=TOUCH)}


OVERLAY = Overlay(
    "allocates 64 B in", "the cost of 64 B",
    "Take 64 bytes, write the first, give them back: time per block, log scale",
    overlay_panels, "strategies",
)  # fmt: skip
