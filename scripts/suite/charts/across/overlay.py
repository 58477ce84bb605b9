"""How do machines or versions compare? The same figures of several runs in one chart, a colour and a shape for each.

The OVERLAY of a chart's own file says which figures; `draw` draws them in the charts' forms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from suite import charts
from suite.base import phrases
from suite.charts.across import finding
from suite.charts.across.finding import Figures, Finding
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page, styled
from suite.charts.kit.several_runs import Key, OverlaidRun, Overlay, OverlayPage, Panels, PerProcess, named
from suite.results.caches import caches_of
from suite.results.model import Run
from suite.results.run_names import names_of, other_differences
from suite.stats.estimates import Estimate, estimate_median

MOST_ROWS = 12  # in a panel of a slide


def names() -> list[str]:
    """The charts that several runs can be compared in, in the order of their names."""
    return [name for name, chart in charts.charts().items() if chart.overlay]


def draw(runs: Sequence[Run], name: str, look: Look = Look()) -> Drawing | None:
    """The figures of this chart of 2 to 6 runs; None where no two of the runs have a figure in common."""
    chart = charts.charts()[name]
    assert chart.overlay, f"the chart {name} has no OVERLAY"
    with styled(look):
        if isinstance(chart.overlay, Overlay):
            return _draw_figures(named(runs), chart.overlay, chart.family, look)
        return chart.overlay(named(runs), look)


def finding_of(runs: Sequence[Run], name: str) -> Finding | None:
    """What the chart says, without drawing it; None where no two of the runs have a figure in common."""
    overlay = charts.charts()[name].overlay
    assert isinstance(overlay, Overlay), f"the chart {name} draws several runs itself"
    panels = _panels([overlay.panels(run) for run in runs])
    names = names_of(runs)
    shown = {place: names[place] for place in _places(panels)}
    return finding.finding(overlay, shown, _first(panels)) if panels else None


def _draw_figures(runs: Sequence[OverlaidRun], overlay: Overlay, family: str, look: Look) -> Drawing | None:
    panels = _panels([overlay.panels(overlaid.run) for overlaid in runs])
    if not panels:
        return None
    shown = {place: runs[place] for place in _places(panels)}
    keys = {key for by_run in panels.values() for figures in by_run.values() for key in figures}
    key_texts = {str(key): phrases.plain(str(key)) for key in keys}
    lines = {_line_name(place): overlaid.name for place, overlaid in shown.items()}
    page = OverlayPage(list(shown.values()), look, family, {**key_texts, **lines})
    medians = {
        title: {place: _medians(figures) for place, figures in by_run.items()} for title, by_run in panels.items()
    }
    if overlay.over:
        remark = _draw_lines(page, shown, overlay, overlay.over, medians)
    else:
        remark = _draw_rows(page, shown, overlay, medians)
    found = finding.finding(overlay, {place: overlaid.name for place, overlaid in shown.items()}, _first(panels))
    details = [
        overlay.subtitle, remark, *found.details, other_differences([overlaid.run for overlaid in shown.values()])
    ]  # fmt: skip
    return page.finish(found.title, "; ".join(filter(None, details)))


def _places(panels: Mapping[str, Figures]) -> list[int]:
    """The runs that have figures."""
    return sorted({place for by_run in panels.values() for place in by_run})


def _first(panels: Mapping[str, Figures]) -> Figures:
    """The figures that the title compares."""
    return next(iter(panels.values()))


def _panels(panels_of_runs: Sequence[Panels]) -> dict[str, Figures]:
    """By panel and run, the figures that two runs or more have. Panels without such figures are left out."""
    panels: dict[str, Figures] = {}
    for title in dict.fromkeys(title for panels_of_run in panels_of_runs for title in panels_of_run):
        of_runs = [_positive(panels_of_run.get(title, {})) for panels_of_run in panels_of_runs]
        several = {key for figures in of_runs for key in figures if sum(key in values for values in of_runs) > 1}
        kept = {
            place: {key: figures[key] for key in figures if key in several} for place, figures in enumerate(of_runs)
        }
        if several:
            panels[title] = {place: figures for place, figures in kept.items() if figures}
    return panels


def _positive(figures: PerProcess) -> PerProcess:
    """The figures above zero. A time of zero cannot be compared."""
    return {key: processes for key, processes in figures.items() if processes and min(processes.values()) > 0.0}


def _medians(figures: PerProcess) -> dict[Key, Estimate]:
    return {key: estimate_median(list(processes.values())) for key, processes in figures.items()}


def _line_name(place: int) -> str:
    return f"run {place}"


ByRun = Mapping[int, Mapping[Key, Estimate]]


def _draw_rows(
    page: Page, shown: Mapping[int, OverlaidRun], overlay: Overlay, medians: Mapping[str, ByRun]
) -> str:
    def columns(by_run: ByRun) -> list[forms.Column]:
        texts = {
            place: {str(key): estimate for key, estimate in estimates.items()} for place, estimates in by_run.items()
        }
        return [
            forms.Column(overlaid.name, texts.get(place, {}), overlaid.style.marker, lane=lane, style=overlaid.style)
            for lane, (place, overlaid) in enumerate(shown.items())
        ]

    panels = [
        forms.RowsPanel(title, columns(by_run), overlay.axes.get(title, forms.Scale()))
        for title, by_run in medians.items()
    ]
    columns_of_all = [column for panel in panels for column in panel.columns]
    rows = forms.figures_of_rows(reversed(columns_of_all))
    ordered = forms.cheapest_first(rows)
    forms.dots(page, ordered, *_in_halves(page.look, panels, ordered))
    return ""


def _in_halves(look: Look, panels: Sequence[forms.RowsPanel], rows: Sequence[str]) -> Sequence[forms.RowsPanel]:
    """A slide is wide: a single panel of many rows becomes two panels beside each other, the cheap rows and the others."""
    if len(panels) > 1 or len(rows) <= MOST_ROWS or look.sheet.width < look.sheet.height:
        return panels
    half = math.ceil(len(rows) / 2)
    return [replace(panel, rows=part) for panel in panels for part in (rows[:half], rows[half:])]


def _draw_lines(
    page: Page, shown: Mapping[int, OverlaidRun], overlay: Overlay, over: forms.Number, medians: Mapping[str, ByRun]
) -> str:
    """Draws the lines, and returns what the subtitle says about the guides."""
    panels = []
    for title, by_run in medians.items():
        series = [
            forms.Line(
                _line_name(place), {int(key): estimate for key, estimate in estimates.items()}, shown[place].style
            )
            for place, estimates in by_run.items()
        ]
        panels.append(forms.LinesPanel(title, series, overlay.axes.get(title, forms.Scale())))
    all_axes = forms.lines(page, *panels, over=over)
    return max(_guide_caches(page, axes, list(shown.values())) for axes in all_axes) if overlay.caches else ""


def _guide_caches(page: Page, axes: Any, shown: Sequence[OverlaidRun]) -> str:
    guides_of_runs = [caches_of(overlaid.run).guides for overlaid in shown]
    if all(guides == guides_of_runs[0] for guides in guides_of_runs):
        forms.guide(page, axes, guides_of_runs[0])
        return ""
    low, high = axes.get_xlim()
    for overlaid, guides in zip(shown, guides_of_runs):
        for size, _ in guides:
            if low < size < high:
                colour = overlaid.style.colour(page.look.theme)
                axes.axvline(size, color=colour, linewidth=2 * page.look.scale, linestyle=":", zorder=1)
    return "dotted: each run's caches"
