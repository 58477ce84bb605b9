"""What does it cost to pass a value: copied, moved or lent?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.results import query
from suite.results.model import Benchmark, Run

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
    return page.finish(_title(benchmarks, rows), subtitle)


def _by_type(run: Run, way: str) -> dict[str, Benchmark]:
    return {
        benchmark.name.parameters["type"]: benchmark
        for benchmark in run.series(FAMILY, how=way)
        if "type" in benchmark.name.parameters
    }


def _title(benchmarks: Mapping[str, Mapping[str, Benchmark]], rows: list[str]) -> str:
    ratios = query.ratios(benchmarks["copy"], benchmarks["move"])
    apart = {name: ratio for name, ratio in ratios.items() if phrases.differs(ratio) or not ratio.has_interval}
    alike = phrases.joined([_with_article(name) for name in TYPES if name in ratios.keys() - apart.keys()])
    if apart:
        most = max(apart, key=lambda name: apart[name].median)
        text = f"Copying {_with_article(most)} costs {phrases.two_figures(apart[most].median)} times moving it"
        return f"{text}; no measurable difference for {alike}" if alike else text
    if alike:
        return f"Copying {alike} shows no measurable difference from moving"
    way, costs = next((way, query.middles(query.medians(benchmarks[way]))) for way in WAYS if benchmarks[way])
    last = next(name for name in reversed(rows) if name in costs)
    return f"{_with_article(last).capitalize()} costs {phrases.short_time(costs[last])} {WAYS[way][0]}"


def _with_article(name: str) -> str:
    return f"an {TYPES[name]}" if name == "int" else f"a {TYPES.get(name, name)}"
