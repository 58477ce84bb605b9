"""How is a finding worded? Numbers with two figures, spans, and comparisons that are true for any data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from suite.base.text import bytes_text, three_figures, time_text
from suite.stats.estimates import Estimate

NO_BREAK = "\u00a0"  # a space at which a line does not break


def two_figures(value: float) -> str:
    return f"{value:#.2g}" if 0.0 < value < 9.95 else three_figures(float(f"{value:.2g}"))


def short_time(ns: float) -> str:
    number, _, unit = time_text(float(f"{ns:.2g}")).replace(",", "").partition(" ")
    return f"{two_figures(float(number))}{NO_BREAK}{unit}"


def size(count: float) -> str:
    return bytes_text(round(count)).replace(" ", NO_BREAK)


def times(ratio: float) -> str:
    return f"{three_figures(ratio)}×"


def percent(share: float) -> str:
    return f"{100 * share:.0f}{NO_BREAK}%"


def span(values: Iterable[float], text: Callable[[float], str] = short_time) -> str:
    """`3.6 to 12 ns`: from the lowest to the highest, with one unit; a single figure where both texts are equal."""
    ordered = sorted(values)
    low, high = text(ordered[0]), text(ordered[-1])
    if low == high:
        return low
    number, _, unit = low.partition(NO_BREAK)
    return f"{number if unit and high.endswith(NO_BREAK + unit) else low}{NO_BREAK}to{NO_BREAK}{high}"


def differs(ratio: Estimate) -> bool:
    """Whether the two sides of the ratio differ beyond its interval. Without an interval the answer is no."""
    return ratio.has_interval and not ratio.holds(1.0)


def none_differs(ratios: Sequence[Estimate]) -> bool:
    """Whether every ratio has an interval, and every interval includes 1."""
    return all(ratio.has_interval and not differs(ratio) for ratio in ratios)


def against(ratios: Sequence[Estimate], base: str) -> str:
    """`costs 3.6 to 12 times BASE`, or that no difference is measurable."""
    if none_differs(ratios):
        return f"shows no measurable difference from {base}"
    return f"costs {_multiple(ratios)} {base}"


def as_much(ratios: Sequence[Estimate]) -> str:
    """`3.6 to 12 times as much`, or that no difference is measurable."""
    return "the same, within the intervals," if none_differs(ratios) else f"{_multiple(ratios)} as much"


def _multiple(ratios: Sequence[Estimate]) -> str:
    return f"{span((ratio.median for ratio in ratios), two_figures)} times"


def with_extremes(values: Mapping[str, Estimate], text: Callable[[float], str] = two_figures) -> str:
    """`1.0 (mimalloc) to 12 (glibc)`: the extremes, with their names if the two intervals do not overlap."""
    ordered = sorted(values, key=lambda name: values[name].median)
    least, most = values[ordered[0]], values[ordered[-1]]
    low, high = text(least.median), text(most.median)
    if low == high or least.high >= most.low:
        return span((least.median, most.median), text)
    return f"{low}{NO_BREAK}({plain(ordered[0])}) to {high}{NO_BREAK}({plain(ordered[-1])})"


def plain(name: str) -> str:
    """A strategy's name as words, cut to 20 letters."""
    text = "control" if name == "none" else name.replace("_", " ")
    return text if len(text) <= 20 else f"{text[:19]}…"


def count(number: int, singular: str, plural: str | None = None) -> str:
    return f"{number} {singular if number == 1 else plural or f'{singular}s'}"


def joined(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def cheapest_and_costliest(costs: Mapping[str, float]) -> str:
    """`1.2 ns from arena and 20 ns from glibc`; a single strategy where there is only one."""
    ordered = sorted(costs, key=lambda name: costs[name])
    ends = dict.fromkeys((ordered[0], ordered[-1]))
    return joined([f"{short_time(costs[name])} from {plain(name)}" for name in ends])
