"""Which common claims about stack and heap hold on the machine of the run, or of several runs?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from suite import claims
from suite.base import phrases
from suite.charts.kit.frame import Cell, Drawing, LegendEntry, Look, Page
from suite.charts.kit.marks import QUIET, Mark
from suite.charts.kit.several_runs import OverlaidRun, OverlayPage
from suite.results.end_to_end import is_of_program
from suite.results.model import Run
from suite.results.run_names import other_differences

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
_SIGN_WIDTH = 24.0  # points of a sign, and of each run's where there are several
_ROW_HEIGHT = 32.0  # points, on a narrow page


def draw(run: Run, look: Look) -> Drawing | None:
    if is_of_program(run):  # which is not made to test claims
        return None
    judged = sorted(claims.verdicts(run), key=lambda claim: list(SIGNS).index(claim.verdict))
    if all(claim.verdict in claims.OPEN for claim in judged):
        return None
    page = Page(run, look, FAMILY)
    _grid(page, judged)
    subtitle = "Each claim is tested by its own benchmarks; the report has the numbers and conditions"
    method = f"Intervals over {run.processes} processes." if run.processes > 1 else ""
    return page.finish(claims.counted(judged), subtitle, method)


def _grid(page: Page, judged: Sequence[claims.ClaimVerdict]) -> None:
    """The claims by verdict, in columns from top to bottom."""
    columns = math.floor(page.room / (1.3 * _SIGN_WIDTH + max(page.text_width(claim.short) for claim in judged)))
    rows = math.ceil(len(judged) / columns)
    axes = _empty_axes(page, columns, rows)
    for place, claim in enumerate(judged):
        x, y = place // rows, place % rows
        step = _SIGN_WIDTH * columns / page.room
        _draw_sign(page, axes, claim.verdict, x + step / 2, y, 15)
        muted = claim.verdict in claims.OPEN
        axes.text(x + 1.3 * step, y, claim.short, va="center", color=page.look.quiet if muted else page.look.text)
        but = f" {claim.condition}" if claim.condition else ""
        page.point_out(axes, x + step / 2, y, f"{claim.statement} {claim.verdict}{but}: {claim.gist}")
        page.cells.append(Cell(claim.short, "verdict", claim.verdict))
    for verdict in dict.fromkeys(claim.verdict for claim in judged):
        _add_key(page, verdict)


def _empty_axes(page: Page, columns: int, rows: int) -> Any:
    axes = page.panels("", height=_ROW_HEIGHT * rows)[0]
    axes.set_axis_off()
    axes.set_xlim(0, columns)
    axes.set_ylim(rows - 0.5, -0.5)
    return axes


def _draw_sign(page: Page, axes: Any, verdict: str, x: float, y: float, size: float) -> None:
    marker, filled, mark = SIGNS[verdict]
    colour = mark.colour(page.look.theme)
    axes.plot(
        [x], [y], marker=marker, color=colour, markerfacecolor=colour if filled else page.look.page,
        markeredgewidth=3 * page.look.scale, markersize=size * page.look.scale, clip_on=False,
    )  # fmt: skip


def _add_key(page: Page, verdict: str) -> None:
    page.add_key(LegendEntry(verdict, SIGNS[verdict][0], SIGNS[verdict][1]))


# ---- several runs


@dataclass(frozen=True)
class _Row:
    short: str
    verdicts: Sequence[str]  # by run

    @property
    def alike(self) -> bool:
        return len(set(self.verdicts) - claims.OPEN) == 1


def draw_several(runs: Sequence[OverlaidRun], look: Look) -> Drawing | None:
    """A row for each claim that two runs or more can judge, with a sign for each run."""
    verdicts_of_runs = [[claim.verdict for claim in claims.verdicts(overlaid.run)] for overlaid in runs]
    judging = [
        (overlaid, verdicts) for overlaid, verdicts in zip(runs, verdicts_of_runs) if set(verdicts) - claims.OPEN
    ]
    shown = [overlaid for overlaid, _ in judging]
    rows = []
    for number, claim in enumerate(claims.CLAIMS):
        verdicts = [verdicts_of_run[number] for _, verdicts_of_run in judging]
        if sum(verdict not in claims.OPEN for verdict in verdicts) > 1:
            rows.append(_Row(claim.short, verdicts))
    if not rows:
        return None
    rows.sort(key=lambda row: row.alike)
    page = OverlayPage(shown, look, FAMILY)
    _grid_of_several(page, rows, shown)
    order = phrases.joined([overlaid.name for overlaid in shown])
    signs = f"A sign for each run, from left to right: {order}; equal verdicts are muted"
    differences = other_differences([overlaid.run for overlaid in shown])
    processes = max(overlaid.run.processes for overlaid in shown)
    method = f"Intervals over up to {phrases.count(processes, 'process', 'processes')}." if processes > 1 else ""
    return page.finish(_title_of_several(rows, shown), "; ".join(filter(None, (signs, differences))), method)


def _grid_of_several(page: Page, rows: Sequence[_Row], shown: Sequence[OverlaidRun]) -> None:
    """From top to bottom in columns, as in the chart of one run's claims."""
    columns = math.floor(page.room / (_SIGN_WIDTH * (len(shown) + 0.7) + max(page.text_width(row.short) for row in rows)))
    height = math.ceil(len(rows) / columns)
    step = _SIGN_WIDTH * columns / page.room
    axes = _empty_axes(page, columns, height)
    for place, row in enumerate(rows):
        x, y = place // height + step / 2, place % height
        for number, (verdict, overlaid) in enumerate(zip(row.verdicts, shown)):
            _draw_sign(page, axes, verdict, x + number * step, y, 14)
            page.point_out(axes, x + number * step, y, f"{row.short}, {overlaid.name}: {verdict}")
            page.cells.append(Cell(row.short, overlaid.name, verdict))
        strength = page.look.quiet if row.alike else page.look.text
        axes.text(x + (len(shown) - 0.2) * step, y, row.short, va="center", color=strength)
    for verdict in SIGNS:
        if any(verdict in row.verdicts for row in rows):
            _add_key(page, verdict)


def _title_of_several(rows: Sequence[_Row], shown: Sequence[OverlaidRun]) -> str:
    """Where the runs differ on a single claim, it is named."""
    unlike = [row.short for row in rows if not row.alike]
    names = [phrases.unbroken(overlaid.name) for overlaid in shown]
    subjects = phrases.joined(names) if len(shown) == 2 else f"The {len(shown)} runs"
    common = f"{len(rows)} common claims" if len(rows) > 1 else "common claim"
    if not unlike:
        return f"{subjects} agree on {'all' if len(rows) > 1 else 'the only'} {common} about memory"
    share = f"{len(unlike)}{phrases.NO_BREAK}of{phrases.NO_BREAK}" if len(rows) > 1 else "the only "
    title = f"{subjects} differ on {share}{common}"
    return phrases.fitting(*([f"{title}: {unlike[0]}"] if len(unlike) == 1 else []), f"{title} about memory")


OVERLAY = draw_several
