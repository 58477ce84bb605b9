"""What do 64 bytes cost, by every strategy? The suite's first chart."""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.several_runs import Overlay, Panels, strategy_times
from suite.results import query
from suite.results.model import Benchmark, Run

FAMILY = "scoped"
QUESTION = "What do 64 bytes cost, by the strategy that provides them?"

BYTES, TOUCH = 64, "first"


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = query.by_strategy(run.series(FAMILY, bytes=BYTES, touch=TOUCH))
    costs = query.medians(benchmarks)
    control = costs.pop("none", None)
    if not costs:
        return None
    page = Page(run, look, FAMILY)
    axis = forms.Scale(also=(control.median,) if control else ())
    panel = forms.RowsPanel("", [forms.Column("", costs)], axis)
    (axes,) = forms.dots(page, forms.cheapest_first(costs), panel, valued=True)
    if control:
        forms.control_line(page, axes, control, "control")
    return page.finish(
        _title(run, benchmarks), "Take 64 bytes, write the first, give them back: time per block, log scale"
    )


def _title(run: Run, benchmarks: Mapping[str, Benchmark]) -> str:
    costs = query.middles(query.medians(benchmarks))
    costs.pop("none", None)
    ratios = query.to_stack(run, benchmarks)
    if not ratios:
        return f"64 bytes cost {phrases.cheapest_and_costliest(costs)}"
    stack = phrases.short_time(costs["stack_array"])
    malloc = phrases.span(costs[name] for name in run.mallocs() if name in costs)
    alike = [ratio for ratio in ratios if ratio.has_interval and not phrases.differs(ratio)]
    if not alike:
        return f"64 bytes cost {stack} on the stack and {malloc} from malloc, {phrases.as_much(ratios)}"
    libraries = f" for {len(alike)} of {phrases.count(len(ratios), 'malloc')}" if len(ratios) > 1 else ""
    return f"64 bytes cost {stack} on the stack and {malloc} from malloc; no measurable difference{libraries}"


def overlay_panels(run: Run) -> Panels:
    return {"": strategy_times(run, FAMILY, bytes=BYTES, touch=TOUCH)}


OVERLAY = Overlay(
    "64 bytes cost", "Take 64 bytes, write the first, give them back: time per block, log scale",
    overlay_panels, "strategy",
)  # fmt: skip
