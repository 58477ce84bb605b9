"""What does it cost to pass a value: copied, moved or lent?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate, estimate_median

FAMILY = "pass"
QUESTION = "What does it cost to pass a value on: by copy, by move, or lent?"

TYPES = {
    "int": "int", "short_string": "short string", "long_string": "long string", "vector_1000": "vector of 1,000 ints",
}  # fmt: skip
WAYS = {"copy": ("copied", "o", True), "move": ("moved", "D", False), "borrow": ("lent", "v", False)}


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = {way: _by_type(run, way) for way in ("none", *WAYS)}
    columns = [
        forms.Column(label, query.medians(benchmarks[way]), marker, filled, lane)
        for lane, (way, (label, marker, filled)) in enumerate(WAYS.items())
    ]
    control = next(iter(query.medians(benchmarks["none"]).values()), None)
    rows = [name for name in TYPES if any(name in column.values for column in columns)]
    if not rows:
        return None
    page = Page(run, look, FAMILY, TYPES)
    panel = forms.RowsPanel("", columns, forms.Scale(also=(control.median,) if control else ()))
    (axes,) = forms.dots(page, rows, panel, valued=True, colour_of=lambda name: STRONG)
    if control:
        forms.control_line(page, axes, control, "the call alone")
    subtitle = "Call a function that keeps a value, or (lent) only looks at it: time per call, log scale"
    compared = _copied_to_moved(run, benchmarks)
    alike = [_with_article(name) for name in TYPES if name in compared and phrases.none_differs([compared[name]])]
    note = f"; copy and move are alike for {phrases.joined(alike)}" if alike else ""
    return page.finish(_title(benchmarks, compared, rows), f"{subtitle}{note}")


def _by_type(run: Run, way: str) -> dict[str, Benchmark]:
    return {
        benchmark.name.parameters["type"]: benchmark
        for benchmark in run.series(FAMILY, how=way)
        if "type" in benchmark.name.parameters
    }


def _copied_to_moved(run: Run, benchmarks: Mapping[str, Mapping[str, Benchmark]]) -> dict[str, Estimate]:
    moved = benchmarks["move"]
    return {
        name: comparison
        for name, copied in benchmarks["copy"].items()
        if name in moved and (comparison := control.compare_two(run, copied, moved[name]))
    }


def _title(benchmarks: Mapping[str, Mapping[str, Benchmark]], compared: Mapping[str, Estimate], rows: list[str]) -> str:
    if compared:
        apart = [name for name, ratio in compared.items() if phrases.differs(ratio) or not ratio.has_interval]
        costliest = max(apart or compared, key=lambda name: estimate_median(benchmarks["copy"][name].times).median)
        return f"Copying {_with_article(costliest)} {phrases.against([compared[costliest]], 'moving it')}"
    way, costs = next((way, query.middles(query.medians(benchmarks[way]))) for way in WAYS if benchmarks[way])
    last = next(name for name in reversed(rows) if name in costs)
    return f"{_with_article(last).capitalize()} costs {phrases.short_time(costs[last])} {WAYS[way][0]}"


def _with_article(name: str) -> str:
    return f"an {TYPES[name]}" if name == "int" else f"a {TYPES.get(name, name)}"
