"""Is it cheaper to drop many objects at once than one by one?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET
from suite.results import control, query
from suite.results.model import Run
from suite.stats.estimates import Estimate

FAMILY = "cleanup"
QUESTION = "What does it cost to drop many objects: one by one, or all at once?"

DROPPING = "drop_ns"  # only the time of dropping: the time of a row includes making the objects
ARENA = "arena"


def draw(run: Run, look: Look) -> Drawing | None:
    ways = {control.CONTROL: "at_once", ARENA: "at_once", **dict.fromkeys(query.mallocs(run, FAMILY), "each")}
    costs = {
        name: query.counted(query.over(run, "count", FAMILY, name, drop=way), DROPPING) for name, way in ways.items()
    }
    costs = {name: counts for name, counts in costs.items() if counts}
    if not costs:
        return None
    page = Page(run, look, FAMILY, {control.CONTROL: "nothing dropped", ARENA: "arena, at once"})
    series = [forms.Line(name, counts, QUIET if name == control.CONTROL else None) for name, counts in costs.items()]
    forms.lines(page, forms.LinesPanel("", series), over=lambda count: f"{int(count):,}")
    subtitle = "Drop objects of 64 B one by one, or all at once: time per object, the clock's included, log scales"
    most = max(count for counts in costs.values() for count in counts)
    of_mallocs = {name: costs[name][most] for name in run.mallocs() if most in costs.get(name, {})}
    return page.finish(_title(run, costs), f"{subtitle}{phrases.costs_over_all(of_mallocs)}")


def _title(run: Run, costs: Mapping[str, Mapping[int, Estimate]]) -> str:
    """What dropping all at once takes is what is left beyond the control: the clock, and the walk over the arenas."""
    most = max(count for counts in costs.values() for count in counts)
    together = {name: counts[most].median * most for name, counts in costs.items() if most in counts}
    malloc = query.malloc_to_name(run, together)
    if malloc is None or ARENA not in together:
        return f"Dropping {most:,} objects takes {phrases.span(together.values())}"
    cost = phrases.short_time(together[malloc])
    subject = f"Dropping {most:,} objects takes {phrases.plain(malloc)} {cost}, and an arena"
    arena = run.series(FAMILY, ARENA, count=most, drop="at_once")[0]
    left = control.beyond_control(run, {ARENA: arena}, counter=DROPPING)
    if not left:
        return f"{subject} {phrases.short_time(together[ARENA])}"
    if not phrases.is_left(left[ARENA]):
        return f"{subject} less than the clock can measure"
    return f"{subject} {phrases.short_time(left[ARENA].median * most)} beyond the control"
