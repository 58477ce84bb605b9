"""What changed between two sides? Each change with its interval, the worst first, over the band of the noise.

It draws a comparison, not a run, so `scripts/plot` does not list it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedFormatter, FixedLocator

from suite.base import phrases
from suite.base.markdown import plain
from suite.charts.kit.forms import Column, RowsPanel, Scale, dots
from suite.charts.kit.frame import Drawing, LegendEntry, Look, Page, styled
from suite.charts.kit.marks import QUIET, Mark
from suite.gate import formats
from suite.gate.comparison import BETTER, IN_PAIRS, SAME, UNDECIDED, WORSE, Comparison, Judgement
from suite.results.model import Account, Run
from suite.stats.estimates import Estimate

MOST_ROWS = 16
_LONGEST_NAME, _LONGEST_IN_TITLE, _LONGEST_SIDE = 52, 40, 14
_LEAST_REACH = math.log(1.1)  # a shorter axis would make a small change look large
_MOST_REACH = math.log(8.0)

# Verdicts differ in shape and in colour. The colours of two strategies, which everyone can distinguish, are used again.
_MARKS: Mapping[str, Mark] = {
    WORSE: Mark("#ce5404", "#fd822e", ">"),
    BETTER: Mark("#0d4dc7", "#4b7eff", "<"),
    SAME: Mark(QUIET.light, QUIET.dark, "D"),
    UNDECIDED: Mark(QUIET.light, QUIET.dark, "o"),
}
# The most useful ticks come first.
_TICKS = (1.0, 0.5, 2.0, 0.25, 4.0, 0.125, 8.0, 0.8, 1.25, 0.9, 1.1, 0.95, 1.05, 0.98, 1.02, 1.5, 1 / 1.5, 3.0)


class _ChangePage(Page):
    """A page whose rows are benchmarks and whose footer describes two sides."""

    def __init__(self, comparison: Comparison, look: Look) -> None:
        super().__init__(Run(Path(), {}, {}, Account(True, 1)), look, "")
        self.comparison = comparison

    def name(self, name: str) -> str:
        return _cut(plain(name), _LONGEST_NAME)

    def _method(self) -> str:
        numbers = sorted({judgement.ratio.n for judgement in self.comparison.judgements if judgement.ratio.n})
        unit = "pairs" if self.comparison.method == IN_PAIRS else "processes a side"
        coverage = phrases.percent(
            max((judgement.ratio.coverage for judgement in self.comparison.judgements), default=0.0)
        )
        number = "–".join(dict.fromkeys(str(number) for number in (*numbers[:1], *numbers[-1:])))
        counts = formats.counts(self.comparison) or "no benchmark was judged"
        return f"{number} {unit}, intervals of {coverage}; {counts}." if numbers else f"{counts}."

    def _machine(self) -> str:
        return plain(
            f"{self.comparison.method}: {self.comparison.old.label} (old), {self.comparison.new.label} (new)"
        )


def draw(comparison: Comparison, look: Look = Look()) -> Drawing:
    """The largest changes: first the worse, then the better, then the undecided benchmarks."""
    shown = _chosen(comparison)
    with styled(look):
        page = _ChangePage(comparison, look)
        if shown:
            _rows(page, shown)
        else:
            page.panels("Nothing could be compared")[0].set_axis_off()
        return page.finish(_title(comparison), _subtitle(comparison, shown))


def _rows(page: Page, shown: Sequence[Judgement]) -> None:
    reach = _reach(shown)
    verdicts = {judgement.name: _verdict(judgement) for judgement in shown}
    columns = [_column(verdict, shown, reach) for verdict in _MARKS]
    axis = Scale(_change_text, (-reach, reach))
    axes = dots(page, list(verdicts), RowsPanel("", columns, axis), colour_of=lambda name: _MARKS[verdicts[name]])[0]
    _ticks(page, axes, reach)
    _band(page, axes, shown, reach)


def _chosen(comparison: Comparison) -> list[Judgement]:
    chosen = [
        judgement for verdict in (WORSE, BETTER, UNDECIDED, SAME) for judgement in comparison.with_verdict(verdict)
    ]
    return chosen[:MOST_ROWS]


def _verdict(judgement: Judgement) -> str:
    return judgement.verdict if judgement.verdict in _MARKS else UNDECIDED


def _column(verdict: str, shown: Sequence[Judgement], reach: float) -> Column:
    values = {judgement.name: _as_log(judgement.ratio, reach) for judgement in shown if _verdict(judgement) == verdict}
    return Column(verdict, values, _MARKS[verdict].marker, filled=verdict != UNDECIDED)


def _as_log(ratio: Estimate, reach: float) -> Estimate:
    """Halving and doubling have the same length. A value beyond the axis is drawn at its edge."""
    low, middle, high = (min(max(math.log(value), -reach), reach) for value in (ratio.low, ratio.median, ratio.high))
    return replace(ratio, low=low, median=middle, high=high, modes=None)


def _reach(shown: Sequence[Judgement]) -> float:
    """How far the axis reaches to both sides: it includes the largest change and most of the intervals."""
    wanted = [abs(math.log(judgement.ratio.median)) * 1.15 for judgement in shown]
    ends = sorted(abs(math.log(end)) for judgement in shown for end in (judgement.ratio.low, judgement.ratio.high))
    wanted += ends[: math.ceil(0.75 * len(ends))]
    wanted += [1.5 * math.log1p(_band_of(judgement)) for judgement in shown]
    return min(max((_LEAST_REACH, *wanted)), _MOST_REACH)


def _change_text(log_ratio: float) -> str:
    return formats.change(math.exp(log_ratio))


def _ticks(page: Page, axes: Any, reach: float) -> None:
    """Places ticks at round changes, the most useful first, as many as fit."""

    def settle() -> None:
        length = axes.get_window_extent().width / page.unit
        kept: dict[float, tuple[float, float]] = {}  # where the label begins and ends, in points
        for tick in _TICKS:
            middle = math.log(tick) / (2 * reach * 1.08) * length
            half = 0.65 * page.text_width(_tick_text(tick))
            free = all(middle + half < low or high < middle - half for low, high in kept.values())
            if abs(math.log(tick)) <= reach and free:
                kept[tick] = (middle - half, middle + half)
        axes.xaxis.set_major_locator(FixedLocator([math.log(tick) for tick in kept]))
        axes.xaxis.set_major_formatter(FixedFormatter([_tick_text(tick) for tick in kept]))

    axes.xaxis.set_major_locator(FixedLocator([0.0]))
    axes.xaxis.set_major_formatter(FixedFormatter([_tick_text(1.0)]))
    axes.axvline(0.0, color=QUIET.colour(page.look.theme), linewidth=1.5 * page.look.scale, zorder=1)
    page.when_placed.append(settle)


def _tick_text(ratio: float) -> str:
    if ratio == 1.0:
        return "no change"
    return f"{ratio:g}×" if ratio >= 2.0 else f"{100 * (ratio - 1):+.0f} %".replace("-", "\u2212")


def _band_of(judgement: Judgement) -> float:
    return judgement.threshold if judgement.floor is None else judgement.floor


def _band(page: Page, axes: Any, shown: Sequence[Judgement], reach: float) -> None:
    """Each benchmark's noise floor where it was calibrated, else the threshold."""
    for index, judgement in enumerate(shown):
        half = min(math.log1p(_band_of(judgement)), reach)
        colour = QUIET.colour(page.look.theme)
        axes.add_patch(Rectangle((-half, index - 0.5), 2 * half, 1, color=colour, alpha=0.22, linewidth=0, zorder=0.5))
    calibrated = any(judgement.floor is not None for judgement in shown)
    page.add_key(LegendEntry("noise floor" if calibrated else "within the threshold", "s"))


def _title(comparison: Comparison) -> str:
    for verdict in (WORSE, BETTER):
        judgements = comparison.with_verdict(verdict)
        if judgements:
            change = formats.change(judgements[0].ratio.median)
            name, new, old = (
                _cut(plain(text), longest)
                for text, longest in (
                    (judgements[0].name, _LONGEST_IN_TITLE),
                    (comparison.new.label, _LONGEST_SIDE),
                    (comparison.old.label, _LONGEST_SIDE),
                )
            )
            return f"{name}: {change}, {verdict} with {new} than with {old}"
    return phrases.begun(plain(formats.outcome(comparison)))


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _subtitle(comparison: Comparison, shown: Sequence[Judgement]) -> str:
    left = len(comparison.judgements) - len(shown)
    more = f"; {left:,} more not shown" if left else ""
    return f"Change in cost, new against old: to the right is worse{more}"
