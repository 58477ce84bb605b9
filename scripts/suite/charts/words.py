"""How is a finding said? Numbers with two figures, spans, and comparisons that are true whichever way the data fall."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from suite.findings import three_figures, time_text
from suite.statistics import estimate


def two_figures(value: float) -> str:
    return f"{value:.1f}" if 0.95 <= value < 9.95 else three_figures(float(f"{value:.2g}"))


def short_time(ns: float) -> str:
    return time_text(float(f"{ns:.2g}"))


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def span(values: Iterable[float], text: Callable[[float], str] = short_time) -> str:
    """`3.6 to 12 ns`: from the least to the most, the unit once; one figure where both read alike."""
    ordered = sorted(values)
    low, high = text(ordered[0]), text(ordered[-1])
    if low == high:
        return low
    number, _, unit = low.partition(" ")
    return f"{number if unit and high.endswith(f' {unit}') else low} to {high}"


def told_apart(ratio: estimate) -> bool:
    """Whether the two sides of the ratio differ beyond its interval; without an interval nothing is known."""
    return ratio.has_interval and not ratio.holds(1.0)


def against(ratios: Sequence[estimate], base: str, verb: str = "costs") -> str:
    """`costs 3.6 to 12 times BASE`, or that no difference can be seen."""
    if all(one.has_interval for one in ratios) and not any(told_apart(one) for one in ratios):
        return f"cannot be told from {base}"
    return f"{verb} {span((one.median for one in ratios), two_figures)} times {base}"


def with_extremes(ratios: Mapping[str, estimate]) -> str:
    """`1.0 (mimalloc) to 12 (glibc)`: the least and the most, and whose they are."""
    ordered = sorted(ratios, key=lambda name: ratios[name].median)
    low, high = (two_figures(ratios[name].median) for name in (ordered[0], ordered[-1]))
    if low == high:
        return low if len(ratios) > 1 else f"{low} ({plain(ordered[0])})"
    return f"{low} ({plain(ordered[0])}) to {high} ({plain(ordered[-1])})"


def plain(name: str) -> str:
    """A strategy's name as words, of bearable length."""
    text = name.replace("_", " ")
    return text if len(text) <= 20 else f"{text[:19]}…"


def count(number: int, singular: str, plural: str | None = None) -> str:
    return f"{number} {singular if number == 1 else plural or f'{singular}s'}"
