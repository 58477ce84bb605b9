"""What changed between two sides? Each change with its interval, the worst first, on the band of what does not matter.

It draws a comparison, not a run: it is no chart of `scripts/plot`.
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
from suite.charts.kit.forms import Column, RowsPanel, Scale, dots
from suite.charts.kit.frame import Drawing, LegendEntry, Look, Page, styled
from suite.charts.kit.marks import QUIET, Mark
from suite.gate import formats
from suite.gate.comparison import BETTER, SAME, UNDECIDED, WORSE, Comparison, Judgement
from suite.results.model import Account, Run
from suite.stats.estimates import Estimate

MOST_ROWS = 16
_LONGEST_NAME, _LONGEST_IN_TITLE = 52, 70
_LEAST_REACH = math.log(1.1)  # a shorter axis would make a small change look large
_MOST_REACH = math.log(8.0)

# Told apart by shape as well as by colour, which are those of two strategies that are told apart by everyone.
_MARKS: Mapping[str, Mark] = {
    WORSE: Mark("#ce5404", "#fd822e", ">"),
    BETTER: Mark("#0d4dc7", "#4b7eff", "<"),
    SAME: Mark(QUIET.light, QUIET.dark, "D"),
    UNDECIDED: Mark(QUIET.light, QUIET.dark, "o"),
}
# Those that matter most first.
_TICKS = (1.0, 0.5, 2.0, 0.25, 4.0, 0.125, 8.0, 0.8, 1.25, 0.9, 1.1, 0.95, 1.05, 0.98, 1.02, 1.5, 1 / 1.5, 3.0)


class _change_page(Page):
    """A page whose rows are benchmarks and whose footer speaks of two sides."""

    def __init__(self, of: Comparison, how: Look) -> None:
        super().__init__(Run(Path(), {}, {}, Account(True, 1)), how, "")
        self.of = of

    def name(self, name: str) -> str:
        text = formats.plain(name)
        return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"

    def _method(self) -> str:
        numbers = sorted({one.ratio.n for one in self.of.judgements if one.ratio.n})
        unit = "pairs" if self.of.method == "duet" else "processes a side"
        coverage = phrases.percent(max((one.ratio.coverage for one in self.of.judgements), default=0.0))
        number = "–".join(dict.fromkeys(str(one) for one in (*numbers[:1], *numbers[-1:])))
        counts = formats.counts(self.of)
        return f"{number} {unit}, intervals of {coverage}; {counts}." if numbers else f"{counts}."

    def _machine(self) -> str:
        return formats.plain(f"{self.of.method}: {self.of.old.label} (old), {self.of.new.label} (new)")


def draw(of: Comparison, how: Look = Look()) -> Drawing:
    """The largest changes: what is worse, then better, then what is undecided."""
    shown = _chosen(of)
    with styled(how):
        on = _change_page(of, how)
        if shown:
            _rows(on, shown)
        else:
            on.panels("Nothing could be compared")[0].set_axis_off()
        return on.finish(_title(of), _subtitle(of, shown))


def _rows(on: Page, shown: Sequence[Judgement]) -> None:
    reach = _reach(shown)
    verdicts = {one.name: _verdict(one) for one in shown}
    columns = [_column(verdict, shown, reach) for verdict in _MARKS]
    axis = Scale(_change_text, (-reach, reach))
    axes = dots(on, list(verdicts), RowsPanel("", columns, axis), colour_of=lambda name: _MARKS[verdicts[name]])[0]
    _ticks(on, axes, reach)
    _band(on, axes, shown, reach)


def _chosen(of: Comparison) -> list[Judgement]:
    found = [one for verdict in (WORSE, BETTER, UNDECIDED, SAME) for one in of.with_verdict(verdict)]
    return found[:MOST_ROWS]


def _verdict(one: Judgement) -> str:
    return one.verdict if one.verdict in _MARKS else UNDECIDED


def _column(verdict: str, shown: Sequence[Judgement], reach: float) -> Column:
    values = {one.name: _as_log(one.ratio, reach) for one in shown if _verdict(one) == verdict}
    return Column(verdict, values, _MARKS[verdict].marker, filled=verdict != UNDECIDED)


def _as_log(ratio: Estimate, reach: float) -> Estimate:
    """Halving and doubling look alike; what lies beyond the axis ends at its edge."""
    low, middle, high = (min(max(math.log(each), -reach), reach) for each in (ratio.low, ratio.median, ratio.high))
    return replace(ratio, low=low, median=middle, high=high, modes=None)


def _reach(shown: Sequence[Judgement]) -> float:
    """How far the axis goes to both sides: to the farthest change, and most of the intervals."""
    wanted = [abs(math.log(one.ratio.median)) * 1.15 for one in shown]
    ends = sorted(abs(math.log(end)) for one in shown for end in (one.ratio.low, one.ratio.high))
    wanted += ends[: math.ceil(0.75 * len(ends))]
    wanted += [1.5 * math.log1p(_band_of(one)) for one in shown]
    return min(max((_LEAST_REACH, *wanted)), _MOST_REACH)


def _change_text(log_ratio: float) -> str:
    return formats.change(math.exp(log_ratio))


def _ticks(on: Page, axes: Any, reach: float) -> None:
    """At round changes, those first that matter most, as many as have room."""

    def settle() -> None:
        length = axes.get_window_extent().width / on.unit
        kept: dict[float, tuple[float, float]] = {}  # where the label begins and ends, in points
        for tick in _TICKS:
            middle = math.log(tick) / (2 * reach * 1.08) * length
            half = 0.65 * on.text_width(_tick_text(tick))
            free = all(middle + half < low or high < middle - half for low, high in kept.values())
            if abs(math.log(tick)) <= reach and free:
                kept[tick] = (middle - half, middle + half)
        axes.xaxis.set_major_locator(FixedLocator([math.log(tick) for tick in kept]))
        axes.xaxis.set_major_formatter(FixedFormatter([_tick_text(tick) for tick in kept]))

    axes.xaxis.set_major_locator(FixedLocator([0.0]))
    axes.xaxis.set_major_formatter(FixedFormatter([_tick_text(1.0)]))
    axes.axvline(0.0, color=QUIET.colour(on.look.theme), linewidth=1.5 * on.look.scale, zorder=1)
    on.when_placed.append(settle)


def _tick_text(ratio: float) -> str:
    if ratio == 1.0:
        return "no change"
    return f"{ratio:g}×" if ratio >= 2.0 else f"{100 * (ratio - 1):+.0f} %".replace("-", "\u2212")


def _band_of(one: Judgement) -> float:
    return one.threshold if one.floor is None else one.floor


def _band(on: Page, axes: Any, shown: Sequence[Judgement], reach: float) -> None:
    """How far each benchmark moves against itself where that was calibrated, else what is too little to matter."""
    for index, one in enumerate(shown):
        half = min(math.log1p(_band_of(one)), reach)
        colour = QUIET.colour(on.look.theme)
        axes.add_patch(Rectangle((-half, index - 0.5), 2 * half, 1, color=colour, alpha=0.22, linewidth=0, zorder=0.5))
    calibrated = any(one.floor is not None for one in shown)
    on.add_key(LegendEntry("noise floor" if calibrated else "within the threshold", "s"))


def _title(of: Comparison) -> str:
    for verdict in (WORSE, BETTER):
        found = of.with_verdict(verdict)
        if found:
            first = found[0]
            name = formats.plain(first.name)
            others = len(found) - 1
            more = f"; {others:,} more {'is' if others == 1 else 'are'} {verdict}" if others else ""
            short = name if len(name) <= _LONGEST_IN_TITLE else f"{name[: _LONGEST_IN_TITLE - 1]}…"
            return f"{short}: {formats.change(first.ratio.median)}, {verdict}{more}"
    return formats.headline(of).partition(":")[0]


def _subtitle(of: Comparison, shown: Sequence[Judgement]) -> str:
    left = len(of.judgements) - len(shown)
    more = f"; {left:,} more not shown" if left else ""
    return f"Change in cost, new against old: to the right is worse{more}"
