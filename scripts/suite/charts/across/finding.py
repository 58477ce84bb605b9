"""What does a chart of several runs say? The average if most figures agree with it, else the figure that differs most.

A title never compares two controls: where the control is most of a figure, the text is the difference in nanoseconds,
and the average leaves the figure out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from suite.base import phrases
from suite.charts.kit.several_runs import Key, Overlay, PerProcess, Times
from suite.results import control
from suite.stats.estimates import CONFIDENCE, Estimate, estimate_difference, estimate_ratio, median
from suite.stats.multiple import significant
from suite.stats.two_samples import p_values

FALSE_DISCOVERIES = 1 - CONFIDENCE

Figures = Mapping[int, PerProcess]  # by the place of the run


@dataclass(frozen=True)
class Finding:
    """A title with one finding, and what the subtitle adds to it."""

    title: str
    details: Sequence[str] = ()


def finding(overlay: Overlay, names: Mapping[int, str], figures_of: Figures) -> Finding:
    """What these figures of the runs say; `names` has the name of each run."""
    compared = _Compared(overlay, names, figures_of)
    if compared.average and compared.average_stands_for_most:
        return compared.on_average(compared.average)
    if compared.differences:
        return compared.in_some()
    if not compared.has_intervals:
        return Finding(f"The runs measured too little to compare {overlay.quantity}")
    return compared.in_none()


@dataclass(frozen=True)
class _Average:
    """The geometric means of two runs, over the figures that are not mostly their control."""

    less: int  # the place of the run
    more: int
    ratio: Estimate
    differs: bool  # without an interval: by the medians


@dataclass(frozen=True)
class _Difference:
    """A figure that differs measurably between two runs."""

    key: Key
    less: int  # the place of the run
    more: int
    ratio: float  # above 1
    ns: float
    of_control: bool  # whether the ratio is mostly that of two controls


@dataclass(frozen=True)
class _Compared:
    """What differs between runs, and the sentences about it."""

    overlay: Overlay
    names: Mapping[int, str]  # by the place of the run
    figures_of: Figures

    # ---- what differs

    @cached_property
    def common(self) -> list[Key]:
        """The keys that every run has, or only the largest of them. The control is not compared."""
        first, *others = self.figures_of.values()
        common = [key for key in first if key != control.CONTROL and all(key in figures for figures in others)]
        return common[-1:] if self.overlay.largest else common

    @property
    def has_intervals(self) -> bool:
        """Whether there is a figure to compare, and whether a difference in every figure could be seen."""
        numbers = [len(figures[key]) for figures in self.figures_of.values() for key in self.common]
        return min(numbers, default=0) > 1

    @cached_property
    def averaged(self) -> list[Key]:
        all_figures = self.figures_of.values()
        return [key for key in self.common if not any(_mostly_control(figures[key]) for figures in all_figures)]

    @cached_property
    def averages(self) -> list[_Average]:
        """Of each two runs, the run with less first; none where no process of a run measured all of the figures."""
        means = {place: _means(figures, self.averaged) for place, figures in self.figures_of.items()}
        if not all(means.values()):
            return []
        ranked = sorted(means, key=lambda place: median(means[place].values()))
        pairs = list(itertools.combinations(ranked, 2))
        return [_average(less, more, means[less], means[more], len(pairs)) for less, more in pairs]

    @cached_property
    def average(self) -> _Average | None:
        """The runs whose averages differ most."""
        apart = [average for average in self.averages if average.differs]
        return min(apart, key=lambda average: average.ratio.median) if apart else None

    @cached_property
    def differences(self) -> list[_Difference]:
        """All figures that differ between any two runs. Few of them are false (false-discovery control)."""
        pairs = list(itertools.combinations(self.figures_of, 2)) if self.has_intervals else []
        compared = [(key, first, second) for first, second in pairs for key in self.common]
        samples = [
            (list(self.figures_of[first][key].values()), list(self.figures_of[second][key].values()))
            for key, first, second in compared
        ]
        found = significant([2 * min(p.rise, p.fall) for p in p_values(samples)], FALSE_DISCOVERIES)
        differences = [self._difference(*figure) for figure, is_found in zip(compared, found) if is_found]
        return [difference for difference in differences if difference]

    def _difference(self, key: Key, *pair: int) -> _Difference | None:
        """None where it is slight, or mostly that of the two controls."""
        less, more = sorted(pair, key=lambda place: median(self.figures_of[place][key].values()))
        cheap, costly = self.figures_of[less][key], self.figures_of[more][key]
        estimate = estimate_difference(list(costly.values()), list(cheap.values()))
        of_control = _mostly_control(cheap) or _mostly_control(costly)
        of_controls = _control(costly) - _control(cheap) if of_control else 0.0
        ratio = median(costly.values()) / median(cheap.values())
        difference = _Difference(key, less, more, ratio, estimate.median, of_control)
        return None if estimate.is_slight or of_controls > control.MOST * estimate.median else difference

    @property
    def average_stands_for_most(self) -> bool:
        """Whether most of its figures differ in its direction, or no figure differs enough to be seen alone."""
        ends = self.average and (self.average.less, self.average.more)
        agreeing = {difference.key for difference in self.differences if (difference.less, difference.more) == ends}
        return not self.differences or 2 * len(agreeing & set(self.averaged)) > len(self.averaged)

    # ---- in words

    def on_average(self, average: _Average) -> Finding:
        overlay, less, more = self.overlay, phrases.unbroken(self.names[average.less]), phrases.unbroken(self.names[average.more])
        end = ", on average" if len(self.averaged) > 1 else ""
        rest = f"{_share(average.ratio.median, overlay.measure)} {more}{end}"
        title = phrases.fitting(f"{less} {overlay.does} {rest}", f"{less} takes {rest}")
        return Finding(title, list(filter(None, (self._extent(average), self._range(average), self._left_out()))))

    def in_some(self) -> Finding:
        number = len({difference.key for difference in self.differences})
        some = self._some(self.differences)
        only = 2 * number < len(self.common)
        verb = "differs" if number == 1 else "differ"
        title = phrases.fitting(
            f"{phrases.begun(self.overlay.quantity)} differs {'only ' if only else ''}for {some}",
            f"{phrases.begun(f'only {some}' if only else some)} {verb}",
        )
        most = _most(self.differences)
        ends = f"{self.names[most.more]} and {self.names[most.less]}"
        return Finding(title, [
            *([f"{number} of {len(self.common)} {self.overlay.keys} {verb}"] if len(self.common) > 1 else []),
            *([f"most between {ends}"] if len(self.names) > 2 else []),
        ])  # fmt: skip

    def in_none(self) -> Finding:
        names = [phrases.unbroken(name) for name in self.names.values()]
        between = f"between {phrases.joined(names)}" if len(names) == 2 else f"among the {len(names)} runs"
        form = "No measurable difference"
        return Finding(phrases.fitting(f"{form} in {self.overlay.quantity} {between}", f"{form} {between}"))

    def _some(self, differences: Sequence[_Difference]) -> str:
        """`thread local (2.7 ns more with GCC 12) and 2 others`: the figure that differs most, and how many others."""
        most = _most(differences)
        others = len({difference.key for difference in differences}) - 1
        more = f"{phrases.short_time(most.ns)} more" if most.of_control else phrases.more_or_less(most.ratio)
        some = f"{phrases.unbroken(self._text(most.key))} ({more} with {phrases.unbroken(self.names[most.more])})"
        return f"{some} and {phrases.count(others, 'other')}" if others else some

    def _extent(self, average: _Average) -> str:
        if len(self.names) == 2:
            return ""
        extremes = "fastest and slowest" if self.overlay.measure == "time" else "least and most"
        whole = (average.less, average.more) == (self.averages[0].less, self.averages[-1].more)
        return f"{extremes if whole else 'most different'} of {len(self.names)} runs"

    def _range(self, average: _Average) -> str:
        """From the least to the highest ratio of the figures in the average."""
        less, more = self.figures_of[average.less], self.figures_of[average.more]
        ratios = {self._text(key): _ratio(less[key], more[key], len(self.averaged)) for key in self.averaged}
        left_out = len(self.averaged) < len(self.common)
        over = f"{len(self.averaged)} of {len(self.common)}" if left_out else "all"
        extremes = phrases.with_extremes(ratios)
        return f"over {over} {self.overlay.keys}, {extremes} times" if left_out or "to" in extremes.split() else ""

    def _left_out(self) -> str:
        if len(self.averaged) == len(self.common):
            return ""
        differing = [difference for difference in self.differences if difference.key not in self.averaged]
        return f"the others, mostly the control: {self._some(differing) if differing else 'no measurable difference'}"

    def _text(self, key: Key) -> str:
        return self.overlay.over(float(key)) if self.overlay.over else phrases.plain(str(key))


def _control(figures: Mapping[int, float]) -> float:
    return figures.control if isinstance(figures, Times) else 0.0


def _mostly_control(figures: Mapping[int, float]) -> bool:
    return _control(figures) > control.MOST * median(figures.values())


def _means(figures: PerProcess, averaged: Sequence[Key]) -> dict[int, float]:
    """Each process's geometric mean over these keys, for the processes that measured all of them."""
    processes = set.intersection(*(set(figures[key]) for key in averaged)) if averaged else set()
    logs = {process: [math.log(figures[key][process]) for key in averaged] for process in sorted(processes)}
    return {process: math.exp(math.fsum(values) / len(values)) for process, values in logs.items()}


def _average(less: int, more: int, cheap: Mapping[int, float], costly: Mapping[int, float], compared: int) -> _Average:
    ratio = _ratio(cheap, costly, compared)
    is_slight = estimate_difference(list(costly.values()), list(cheap.values())).is_slight
    return _Average(less, more, ratio, not is_slight and (phrases.differs(ratio) or not ratio.has_interval))


def _ratio(above: Mapping[int, float], below: Mapping[int, float], compared: int) -> Estimate:
    """The more ratios are compared, the wider each interval (Bonferroni)."""
    return estimate_ratio(list(above.values()), list(below.values()), 1 - (1 - CONFIDENCE) / compared)


def _most(differences: Sequence[_Difference]) -> _Difference:
    """As the chart shows it, on its log scale."""
    return max(differences, key=lambda difference: difference.ratio)


def _share(ratio: float, measure: str) -> str:
    """`0.80 times the time of`, or `3.2 % less time than` where it is nearly as much."""
    if ratio < 0.945:
        return f"{phrases.two_figures(ratio)}{phrases.NO_BREAK}times the {measure} of"
    return f"{phrases.two_figures(100 * (1 - ratio))}{phrases.NO_BREAK}% less {measure} than"
