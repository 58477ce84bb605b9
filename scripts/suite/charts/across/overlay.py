"""How do machines or versions compare? The same figures of several runs in one chart, a colour and a shape for each.

The OVERLAY of a chart's own file says which figures; `draw` draws them in the charts' forms.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suite import charts
from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page, styled
from suite.charts.kit.several_runs import (
    Key,
    MostlyControl,
    OverlaidRun,
    Overlay,
    OverlayPage,
    Panels,
    PerProcess,
    named,
)
from suite.results import control
from suite.results.caches import caches_of
from suite.results.model import Run
from suite.results.run_names import names_of, other_differences
from suite.stats.estimates import CONFIDENCE, Estimate, estimate_median, estimate_ratio, median


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


def finding(runs: Sequence[Run], name: str) -> Finding | None:
    """What the chart says, without drawing it; None where no two of the runs have a figure in common."""
    overlay = charts.charts()[name].overlay
    assert isinstance(overlay, Overlay), f"the chart {name} draws several runs itself"
    panels = _panels([overlay.panels(run) for run in runs])
    names = names_of(runs)
    shown = {place: names[place] for place in _places(panels)}
    return _finding(overlay, shown, _beyond_control(_first(panels))) if panels else None


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
        remark = _draw_rows(page, shown, medians)
    beyond = _beyond_control(_first(panels))
    found = _finding(overlay, {place: overlaid.name for place, overlaid in shown.items()}, beyond)
    details = [
        overlay.subtitle, remark, *found.details,
        "the title leaves out what is mostly the control" if beyond != _first(panels) else "",
        other_differences([overlaid.run for overlaid in shown.values()]),
    ]  # fmt: skip
    return page.finish(found.title, "; ".join(filter(None, details)))


Figures = Mapping[int, PerProcess]  # by the place of the run


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


def _beyond_control(figures_of: Figures) -> dict[int, PerProcess]:
    """Without the figures that are mostly their control in any run: their ratio would be that of two controls."""
    controls = {
        key for figures in figures_of.values() for key, of_processes in figures.items()
        if key == control.CONTROL or isinstance(of_processes, MostlyControl)
    }  # fmt: skip
    return {
        place: {key: of_processes for key, of_processes in figures.items() if key not in controls}
        for place, figures in figures_of.items()
    }


def _line_name(place: int) -> str:
    return f"run {place}"


ByRun = Mapping[int, Mapping[Key, Estimate]]


def _draw_rows(page: Page, shown: Mapping[int, OverlaidRun], medians: Mapping[str, ByRun]) -> str:
    def columns(by_run: ByRun) -> list[forms.Column]:
        texts = {
            place: {str(key): estimate for key, estimate in estimates.items()} for place, estimates in by_run.items()
        }
        return [
            forms.Column(overlaid.name, texts.get(place, {}), overlaid.style.marker, lane=lane, style=overlaid.style)
            for lane, (place, overlaid) in enumerate(shown.items())
        ]

    panels = [forms.RowsPanel(title, columns(by_run)) for title, by_run in medians.items()]
    columns_of_all = [column for panel in panels for column in panel.columns]
    rows = forms.figures_of_rows(reversed(columns_of_all))
    forms.dots(page, forms.cheapest_first(rows), *panels)
    return ""


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


# ---- the finding

LONGEST_TITLE = 105  # letters: two lines of a slide


@dataclass(frozen=True)
class Finding:
    """What a chart of several runs says: its title, with a single number, and what the subtitle adds to it."""

    title: str
    details: Sequence[str] = ()


def _finding(overlay: Overlay, names: Mapping[int, str], figures_of: Figures) -> Finding:
    """Holds the least run against the costliest: by the geometric means of the figures that all runs have."""
    if not any(figures_of.values()):
        return Finding(f"{_sentence(overlay.quantity)} is mostly the control: the runs are not compared")
    common = _compared(overlay, list(figures_of.values()))
    means = {place: _means(figures, common) for place, figures in figures_of.items()} if common else {}
    if not means or not all(means.values()):
        return Finding(f"The runs have too little in common to compare {overlay.quantity}")
    ranked = sorted(figures_of, key=lambda place: median(means[place].values()))
    pairs = list(itertools.combinations(ranked, 2))
    overall = {(least, most): _ratio(means[least], means[most], len(pairs)) for least, most in pairs}
    if phrases.none_differs(list(overall.values())):
        return _no_difference(overlay, names, figures_of, common)
    apart = {pair: ratio for pair, ratio in overall.items() if phrases.differs(ratio)} or overall
    least, most = min(apart, key=lambda pair: apart[pair].median)
    average = ", on average" if len(common) > 1 else ""
    shares = _share(apart[least, most].median, overlay.measure)
    title = _titled(f"{{}} {overlay.does} {shares} {{}}{average}", names[least], names[most])
    details = []
    if len(names) > 2:
        extremes = "the fastest and the slowest" if overlay.measure == "time" else "the least and the most"
        details.append(f"{extremes if (least, most) == (ranked[0], ranked[-1]) else 'the most different'} of {len(names)} runs")
    by_key = {
        _key_text(overlay, key): _ratio(figures_of[least][key], figures_of[most][key], len(common)) for key in common
    }
    ends = phrases.with_extremes(by_key)
    details += [f"by {overlay.by}, {ends} times"] if "to" in ends.split() else []
    return Finding(title, details)


def _no_difference(
    overlay: Overlay, names: Mapping[int, str], figures_of: Figures, common: Sequence[Key]
) -> Finding:
    pairs = list(itertools.combinations(figures_of.values(), 2))
    compared = len(pairs) * len(common)
    by_key = [_ratio(first[key], second[key], compared) for first, second in pairs for key in common]
    apart = [max(ratio.median, 1 / ratio.median) for ratio in by_key if phrases.differs(ratio)]
    between = "between {} and {}" if len(names) == 2 else f"among the {len(names)} runs"
    average = ", on average" if apart else ""
    title = _titled(f"No measurable difference in {overlay.quantity} {between}{average}", *names.values())
    if not apart:
        return Finding(title)
    verb = "differs" if len(apart) == 1 else "differ"
    most = phrases.two_figures(max(apart))
    differing = f"{len(apart)} of {phrases.count(len(by_key), 'comparison')} {verb}, by up to {most} times"
    return Finding(title, [f"by {overlay.by}, {differing}"])


def _titled(form: str, *names: str) -> str:
    """The form with the names, which are cut where the title would be too long."""
    number = form.count("{}")
    room = (LONGEST_TITLE - len(form.replace("{}", ""))) // max(number, 1)
    spare = sum(max(0, room - len(name)) for name in names[:number])
    cut = (name if len(name) <= room + spare else f"{name[: room + spare - 1].rstrip()}…" for name in names)
    return form.format(*(name.replace(" ", phrases.NO_BREAK) for name in cut))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _share(ratio: float, measure: str) -> str:
    """`0.80 times the time of`, or `3.2 % less time than` where it is nearly as much."""
    if ratio < 0.945:
        return f"{phrases.two_figures(ratio)}{phrases.NO_BREAK}times the {measure} of"
    return f"{phrases.two_figures(100 * (1 - ratio))}{phrases.NO_BREAK}% less {measure} than"


def _compared(overlay: Overlay, figures_of_runs: Sequence[PerProcess]) -> list[Key]:
    """The keys that every run has, or only the largest of them."""
    common = [key for key in figures_of_runs[0] if all(key in figures for figures in figures_of_runs)]
    return common[-1:] if overlay.largest else common


def _means(figures: PerProcess, common: Sequence[Key]) -> dict[int, float]:
    """Each process's geometric mean over the common keys, for the processes that measured all of them."""
    processes = set.intersection(*(set(figures[key]) for key in common))
    logs = {process: [math.log(figures[key][process]) for key in common] for process in sorted(processes)}
    return {process: math.exp(math.fsum(values) / len(values)) for process, values in logs.items()}


def _ratio(above: Mapping[int, float], below: Mapping[int, float], compared: int) -> Estimate:
    """The more ratios are compared, the wider each interval (Bonferroni)."""
    return estimate_ratio(list(above.values()), list(below.values()), 1 - (1 - CONFIDENCE) / compared)


def _key_text(overlay: Overlay, key: Key) -> str:
    return overlay.over(float(key)) if overlay.over else str(key)
