"""Do all blocks of a frame cost as much as one block, and what do as many separate blocks cost?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import control, query
from suite.results.model import Benchmark, Run

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
    return page.finish(_title(run, benchmarks), subtitle)


def _title(run: Run, benchmarks: Mapping[str, ByCount]) -> str:
    most = max(number for counts in benchmarks.values() for number in counts)
    blocks = phrases.count(most, "block")
    libraries = [name for name in run.mallocs() if name in benchmarks]
    single, all_of_them = ({name: counts[n] for name, counts in benchmarks.items() if n in counts} for n in (1, most))
    stack, of_malloc = (
        list(control.compare(run, {name: all_of_them[name] for name in names if name in all_of_them}, single).values())
        if most > 1
        else []
        for names in (["stack_array"], libraries)
    )
    if not stack or not of_malloc:
        costs = query.middles(query.medians(all_of_them))
        costs = {name: ns for name, ns in costs.items() if name != "none"} or costs
        return f"Taking {blocks} costs {phrases.cheapest_and_costliest(costs)}"
    of_stack = phrases.against(stack, "a frame with one block")
    return (
        f"A frame with {blocks} {of_stack}; taking {most} from malloc {phrases.against(of_malloc, 'taking one block')}"
    )
