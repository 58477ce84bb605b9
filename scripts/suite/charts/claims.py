"""Which common claims about stack and heap hold on the machine of the run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from suite import claims
from suite.base import phrases
from suite.charts.kit.frame import Drawing, LegendEntry, Look, Page
from suite.charts.kit.marks import QUIET, Mark
from suite.results.model import Run

FAMILY = ""  # of all families
QUESTION = "Which common claims about stack and heap hold on this machine?"

_TRUE, _FALSE = Mark("#3f9a80", "#77d1a9"), Mark("#ce5404", "#fd822e")
SIGNS = {  # shape, whether it is filled, and colour
    claims.HOLDS: ("o", True, _TRUE),
    claims.HOLDS_BUT: ("o", False, _TRUE),
    claims.DOES_NOT_HOLD: ("X", True, _FALSE),
    claims.UNDECIDED: ("d", False, QUIET),
    claims.NOT_MEASURED: ("_", True, QUIET),
}
NARROWEST = 300.0  # points for a claim's mark and name


def draw(run: Run, how: Look) -> Drawing | None:
    judged = sorted(claims.judge(run), key=lambda one: list(SIGNS).index(one.verdict))
    if all(one.verdict in claims.OPEN for one in judged):
        return None
    on = Page(run, how, FAMILY)
    _grid(on, judged)
    subtitle = "Each claim is tested by its own benchmarks; the report has the numbers and conditions"
    method = f"Intervals over {run.processes} processes." if run.processes > 1 else ""
    return on.finish(_title(judged), subtitle, method)


def _grid(on: Page, judged: Sequence[claims.JudgedClaim]) -> None:
    """The claims by verdict, in columns from top to bottom."""
    columns = math.floor(on.look.sheet.width / NARROWEST)
    rows = math.ceil(len(judged) / columns)
    axes = on.panels("")[0]
    axes.set_axis_off()
    axes.set_xlim(0, columns)
    axes.set_ylim(rows - 0.5, -0.5)
    for place, one in enumerate(judged):
        marker, filled, colour = SIGNS[one.verdict]
        x, y = place // rows, place % rows
        own = colour.colour(on.look.theme)
        axes.plot(
            [x + 0.03], [y], marker=marker, color=own, markerfacecolor=own if filled else on.look.page,
            markeredgewidth=3 * on.look.scale, markersize=15 * on.look.scale, clip_on=False,
        )  # fmt: skip
        muted = one.verdict in claims.OPEN
        axes.text(x + 0.09, y, one.short, va="center", color=on.look.quiet if muted else on.look.text)
        on.point_out(axes, x + 0.03, y, f"{one.said} {one.verdict}: {one.condition or one.text}")
        on.facts.append(f"{one.short}: {one.verdict}")
    for verdict in dict.fromkeys(one.verdict for one in judged):
        on.add_key(LegendEntry(verdict, SIGNS[verdict][0], SIGNS[verdict][1]))


def _title(judged: Sequence[claims.JudgedClaim]) -> str:
    found = Counter(one.verdict for one in judged)
    number = found[claims.HOLDS], found[claims.HOLDS_BUT], found[claims.DOES_NOT_HOLD]
    parts = [
        f"{number[0]} {'holds' if number[0] == 1 else 'hold'} here",
        f"{number[1]} with a condition",
        f"{number[2]} {'does' if number[2] == 1 else 'do'} not",
    ]
    told = phrases.joined([part for part, count in zip(parts, number) if count])
    return f"Of {len(judged)} common claims about stack and heap, {told}"
