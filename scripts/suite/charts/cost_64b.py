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
    return page.finish(
        _title(run, benchmarks), "Take 64 bytes, write the first, give them back: time per block, log scale"
    )


def _title(run: Run, benchmarks: Mapping[str, Benchmark]) -> str:
    costs = query.middles(query.medians(benchmarks))
    costs.pop(control.CONTROL, None)
    libraries = [name for name in run.mallocs() if name in costs]
    if STACK not in costs or not libraries:
        return f"64 bytes cost {phrases.cheapest_and_costliest(costs)}"
    left = control.beyond_control(run, benchmarks)
    if left:
        stack, malloc = (phrases.beyond_control([left[name] for name in names]) for names in ([STACK], libraries))
        return f"Beyond the control, 64 bytes cost {stack} on the stack and {malloc} from malloc"
    malloc = phrases.span(costs[name] for name in libraries)
    return f"64 bytes cost {phrases.short_time(costs[STACK])} on the stack and {malloc} from malloc"


def overlay_panels(run: Run) -> Panels:
    return {"": strategy_times(run, FAMILY, bytes=BYTES, touch=TOUCH)}


OVERLAY = Overlay(
    "takes and frees 64 B in", "the time to take and free 64 B",
    "Take 64 bytes, write the first, give them back: time per block, log scale",
    overlay_panels, "strategy",
)  # fmt: skip
