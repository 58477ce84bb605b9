"""Would another malloc help the user's own program? Its CPU time and its peak memory with each, against its own
malloc."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET
from suite.results.end_to_end import FAMILY as PROGRAM
from suite.results.end_to_end import Compared, EndToEnd, finding, ratio_text, read_end_to_end
from suite.results.model import Run
from suite.stats.estimates import Estimate

FAMILY = PROGRAM
QUESTION = "Would another malloc help this program?"

CHANGED = ("better", "worse")
_ROOM = 1.25  # of an axis to the texts
_REACHES = (0.02, 0.04, 0.1, 0.2, 0.4, 1.0)  # of an axis about 1; beyond them it begins at 0


def draw(run: Run, look: Look) -> Drawing | None:
    measured = read_end_to_end(run)
    if measured is None or not measured.compared:
        return None
    page = Page(run, look, FAMILY)
    control = measured.control
    cpu = {compared.malloc: compared.cpu for compared in measured.compared}
    peaks = {
        compared.malloc: compared.peak_resident for compared in measured.compared if compared.peak_resident is not None
    }
    shown = [("CPU time", cpu, control.cpu if control is not None else None)]
    shown += [("Peak resident memory", peaks, control.peak_resident if control is not None else None)] if peaks else []
    panels = [_panel(text, measured, ratios, of_control) for text, ratios, of_control in shown]
    all_axes = forms.dots(page, forms.cheapest_first(cpu), *panels, valued=True)
    for axes, (_, _, of_control) in zip(all_axes, shown):
        _band(page, axes, of_control)
    subtitle = f"{phrases.cut(measured.name)} with each malloc preloaded, as a multiple of what it takes with its own"
    return page.finish(finding(measured), subtitle, _method(measured.compared))


def _band(page: Page, axes: Any, control: Estimate | None) -> None:
    """The line of no change, and the interval of the program's own malloc against itself."""
    colour = QUIET.colour(page.look.theme)
    axes.axvline(1.0, color=colour, linewidth=1.5 * page.look.scale, zorder=1)
    if control is not None:
        page.keep(control)
        if control.has_interval:
            axes.axvspan(control.low, control.high, color=colour, alpha=0.15, linewidth=0, zorder=1)
        forms.guide(page, axes, [(control.median, "own malloc again")])


def _panel(text: str, measured: EndToEnd, ratios: Mapping[str, Estimate], control: Estimate | None) -> forms.RowsPanel:
    changed = {compared.malloc for compared in measured.compared if compared.verdict in CHANGED}
    columns = [
        forms.Column(
            label, {name: ratio for name, ratio in ratios.items() if (name in changed) == filled}, filled=filled
        )
        for label, filled in (("CPU time better or worse", True), ("same, undecided or not judged", False))
    ]
    columns = [column for column in columns if column.values]
    return forms.RowsPanel(text, columns, _axis([*ratios.values(), *([control] if control is not None else [])]))


def _axis(shown: Sequence[Estimate]) -> forms.Scale:
    """About 1, as far as the values and the texts beside them need; from 0 where that is not far enough."""
    reached = _ROOM * max(abs(bound - 1.0) for ratio in shown for bound in (ratio.low, ratio.median, ratio.high))
    reach = next((reach for reach in _REACHES if reached <= reach), None)
    if reach is not None:
        return forms.Scale(ratio_text, (1.0 - reach, 1.0 + reach))
    ends = (4 * step * 10.0**power for power in range(300) for step in (1, 2.5, 5))
    return forms.Scale(ratio_text, (0.0, next(end for end in ends if end >= reached + 1.0)))


def _method(compared: Sequence[Compared]) -> str:
    """How sure it is; empty for a single pair, of which the page says so itself."""
    numbers = sorted({pair.pairs for pair in compared})
    if numbers[-1] < 2:
        return ""
    coverage = phrases.span((pair.cpu.coverage for pair in compared if pair.cpu.has_interval), phrases.percent)
    number = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else str(numbers[0])
    return f"{number} pairs of runs, own malloc and other in one round, with intervals ({coverage})."
