"""How do machines or versions compare? The same figures of several runs in one chart, a colour and a shape for each.

The OVERLAY of a chart's own file says which figures; `draw` draws them in the charts' forms.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from suite import charts
from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page, styled
from suite.charts.kit.run_names import OverlaidRun, named, other_differences
from suite.charts.kit.several_runs import Key, MostlyControl, Overlay, OverlayPage, Panels, PerProcess
from suite.results import control
from suite.results.caches import caches_of
from suite.results.model import Run
from suite.stats.estimates import CONFIDENCE, Estimate, estimate_median, estimate_ratio, median

FEWEST_RUNS, MOST_RUNS = 2, 6


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


def _draw_figures(runs: Sequence[OverlaidRun], overlay: Overlay, family: str, look: Look) -> Drawing | None:
    panels = _panels([overlay.panels(overlaid.run) for overlaid in runs])
    if not panels:
        return None
    shown = {
        place: overlaid for place, overlaid in enumerate(runs) if any(place in by_run for by_run in panels.values())
    }
    keys = {key for by_run in panels.values() for figures in by_run.values() for key in figures}
    key_texts = {str(key): phrases.plain(str(key)) for key in keys}
    lines = {_line_name(place): overlaid.label for place, overlaid in shown.items()}
    page = OverlayPage(list(shown.values()), look, family, {**key_texts, **lines})
    medians = {
        title: {place: _medians(figures) for place, figures in by_run.items()} for title, by_run in panels.items()
    }
    if overlay.over:
        remark = _draw_lines(page, shown, overlay, overlay.over, medians)
    else:
        remark = _draw_rows(page, shown, medians)
    first = next(iter(panels.values()))
    beyond = _beyond_control(first)
    remark += "; the title leaves out what is mostly the control" if beyond != first else ""
    title = _title(overlay, shown, beyond)
    return page.finish(title, f"{overlay.subtitle}{remark}{other_differences(list(shown.values()))}")


def _panels(panels_of_runs: Sequence[Panels]) -> dict[str, dict[int, PerProcess]]:
    """By panel and run, the figures that two runs or more have. Panels without such figures are left out."""
    panels: dict[str, dict[int, PerProcess]] = {}
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


def _beyond_control(figures_of: Mapping[int, PerProcess]) -> dict[int, PerProcess]:
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
            forms.Column(overlaid.label, texts.get(place, {}), overlaid.style.marker, lane=lane, style=overlaid.style)
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
    return "; dotted: each run's caches"


# ---- the finding


def _title(overlay: Overlay, shown: Mapping[int, OverlaidRun], figures_of: Mapping[int, PerProcess]) -> str:
    """What a run costs against another: the geometric mean over the keys that all runs have, and the extremes."""
    if not any(figures_of.values()):
        return f"What {_within_sentence(overlay.subject)} is mostly the control: the runs are not compared"
    common = _in_all(list(figures_of.values()))
    means = {place: _means(figures, common) for place, figures in figures_of.items()} if common else {}
    if not means or not all(means.values()):
        return f"The runs have too little in common to compare what {_within_sentence(overlay.subject)}"
    ranked = sorted(figures_of, key=lambda place: median(means[place].values()))
    pairs = [(costly, cheap) for cheap, costly in itertools.combinations(ranked, 2)]
    overall = {(costly, cheap): _ratio(means[costly], means[cheap], len(pairs)) for costly, cheap in pairs}
    if not phrases.none_differs(list(overall.values())):
        return _title_of_difference(overlay, shown, figures_of, overall, common)
    compared = len(pairs) * len(common)
    by_key = [
        _ratio(figures_of[costly][key], figures_of[cheap][key], compared) for costly, cheap in pairs for key in common
    ]
    apart = [max(ratio.median, 1 / ratio.median) for ratio in by_key if phrases.differs(ratio)]
    number = len(figures_of)
    place_text = (
        phrases.joined([overlaid.phrase for overlaid in shown.values()]) if number == 2 else f"in the {number} runs"
    )
    subject = f"{_within_sentence(overlay.subject)} {place_text}"
    if not apart:
        return f"No measurable difference in what {subject}"
    verb = "differs" if len(apart) == 1 else "differ"
    differing = f"{len(apart)} of {phrases.count(len(by_key), 'comparison')} {verb}"
    most = phrases.two_figures(max(apart))
    return (
        f"On average, no measurable difference in what {subject}; by {overlay.by}, {differing}, by up to {most} times"
    )


def _within_sentence(subject: str) -> str:
    return f"{subject[:1].lower()}{subject[1:]}"


def _in_all(figures_of_runs: Sequence[PerProcess]) -> list[Key]:
    """The keys that every run has."""
    return [key for key in figures_of_runs[0] if all(key in figures for figures in figures_of_runs)]


def _means(figures: PerProcess, common: Sequence[Key]) -> dict[int, float]:
    """Each process's geometric mean over the common keys, for the processes that measured all of them."""
    processes = set.intersection(*(set(figures[key]) for key in common))
    logs = {process: [math.log(figures[key][process]) for key in common] for process in sorted(processes)}
    return {process: math.exp(math.fsum(values) / len(values)) for process, values in logs.items()}


def _ratio(above: Mapping[int, float], below: Mapping[int, float], compared: int) -> Estimate:
    """The more ratios are compared, the wider each interval (Bonferroni)."""
    return estimate_ratio(list(above.values()), list(below.values()), 1 - (1 - CONFIDENCE) / compared)


def _title_of_difference(
    overlay: Overlay,
    shown: Mapping[int, OverlaidRun],
    figures_of: Mapping[int, PerProcess],
    overall: Mapping[tuple[int, int], Estimate],
    common: Sequence[Key],
) -> str:
    """Names the cheapest of several runs if it differs from all others, else the two with the largest difference."""
    _, least = next(iter(overall))
    number = len(figures_of)
    to_least = [ratio for (_, cheap), ratio in overall.items() if cheap == least]
    if number > 2 and all(map(phrases.differs, to_least)):
        average = ", on average" if len(common) > 1 else ""
        return f"{overlay.subject} least {shown[least].phrase}{average}; {_more(to_least)[0]} in the others"
    apart = {pair: ratio for pair, ratio in overall.items() if phrases.differs(ratio)} or overall
    costly, cheap = max(apart, key=lambda pair: apart[pair].median)
    more, than = _more([apart[costly, cheap]])
    average = " on average" if len(common) > 1 else ""
    finding = f"{overlay.subject}{average} {more} {shown[costly].phrase} {than} {shown[cheap].phrase}"
    by_key = {
        _key_text(overlay, key): _ratio(figures_of[costly][key], figures_of[cheap][key], len(common)) for key in common
    }
    ends = phrases.with_extremes(by_key)
    if number > 2:
        return f"{finding}, the largest difference among {number} runs"
    return f"{finding}; by {overlay.by}, {ends} times" if "to" in ends else finding


def _key_text(overlay: Overlay, key: Key) -> str:
    return overlay.over(float(key)) if overlay.over else str(key)


def _more(ratios: Sequence[Estimate]) -> tuple[str, str]:
    """`1.2 to 3.4 times as much` and `as`, or `2.3 % more` and `than`."""
    medians = [ratio.median for ratio in ratios]
    if max(medians) >= 1.095:
        return f"{phrases.span(medians, phrases.two_figures)} times as much", "as"
    text = phrases.span(medians, lambda ratio: f"{100 * (ratio - 1):.1f}{phrases.NO_BREAK}%")
    return ("as much", "as") if text.startswith("0.0") and "to" not in text else (f"{text} more", "than")
