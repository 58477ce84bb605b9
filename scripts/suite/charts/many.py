"""Do all blocks of a frame cost as much as one block, and what do as many separate blocks cost?"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "many"
QUESTION = "Do all locals of a frame cost as much as one, and what do as many separate blocks cost?"

TOGETHER = ("none", "stack_array")  # all other strategies take their blocks one by one
ByCount = Mapping[int, Benchmark]


def draw(run: Run, look: Look) -> Drawing | None:
    names = ["none", *query.leading(run, FAMILY)]
    taken = {name: "together" if name in TOGETHER else "apart" for name in names}
    benchmarks = {name: query.over(run, "count", FAMILY, name, taken=way) for name, way in taken.items()}
    benchmarks = {name: counts for name, counts in benchmarks.items() if counts}
    if not benchmarks:
        return None
    page = Page(run, look, FAMILY)
    series = [forms.Line(name, query.medians(counts)) for name, counts in benchmarks.items()]
    forms.lines(page, forms.LinesPanel("", series), over=lambda number: phrases.count(int(number), "block"))
    subtitle = "Take blocks of 64 B, give all back: time for all of them, log scales; stack: as locals of one frame"
    most = max(number for counts in benchmarks.values() for number in counts)
    of_mallocs = _compared(run, benchmarks, list(run.mallocs()), most)
    return page.finish(_title(run, benchmarks), f"{subtitle}{phrases.over_all(of_mallocs)}")


def _title(run: Run, benchmarks: Mapping[str, ByCount]) -> str:
    most = max(number for counts in benchmarks.values() for number in counts)
    blocks = phrases.count(most, "block")
    all_of_them = _with(benchmarks, most)
    stack, of_malloc = (_compared(run, benchmarks, names, most) for names in (["stack_array"], list(run.mallocs())))
    malloc = query.malloc_to_name(run, of_malloc)
    if not stack or malloc is None:
        costs = query.middles(query.medians(all_of_them))
        costs = {name: ns for name, ns in costs.items() if name != "none"} or costs
        return f"Taking {blocks} costs {phrases.cheapest_and_costliest(costs)}"
    name = phrases.plain(malloc)
    if phrases.none_differs([*stack.values(), of_malloc[malloc]]):
        return f"{blocks} show no measurable difference from one, in a frame or from {name}"
    of_stack = phrases.as_much_as(list(stack.values()), "one")
    return f"{blocks} in a frame cost {of_stack}; from {name}, {phrases.as_much([of_malloc[malloc]]).rstrip(',')}"


def _with(benchmarks: Mapping[str, ByCount], number: int) -> dict[str, Benchmark]:
    return {name: counts[number] for name, counts in benchmarks.items() if number in counts}


def _compared(run: Run, benchmarks: Mapping[str, ByCount], names: Collection[str], most: int) -> dict[str, Estimate]:
    """The most blocks against a single block, by strategy."""
    if most == 1:
        return {}
    single, all_of_them = (_with(benchmarks, number) for number in (1, most))
    return control.compare(run, {name: all_of_them[name] for name in names if name in all_of_them}, single)
