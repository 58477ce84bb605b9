"""How is a finding worded? Numbers with two figures, spans, and comparisons that are true for any data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from suite.base.text import bytes_text, three_figures, time_text
from suite.stats.estimates import Difference, Estimate

NO_BREAK = "\u00a0"  # a space at which a line does not break
LONGEST_TITLE = 105  # letters: two lines of a slide


class NoFigures(Exception):
    """There is no figure of which a sentence or a drawing could tell."""


def fitting(*titles: str) -> str:
    """The first title that is short enough. The last must always be: what it leaves out is in the subtitle or the chart."""
    return next((title for title in titles if len(title) <= LONGEST_TITLE), titles[-1])


def unbroken(text: str) -> str:
    return text.replace(" ", NO_BREAK)


def begun(sentence: str) -> str:
    """With a capital letter, and the rest as it is."""
    return f"{sentence[:1].upper()}{sentence[1:]}"


def two_figures(value: float) -> str:
    return f"{value:#.2g}" if 0.0 < value < 9.95 else at_most_two_figures(value)


def at_most_two_figures(value: float) -> str:
    """Without zeros at the end."""
    return three_figures(float(f"{value:.2g}"))


def short_time(ns: float) -> str:
    number, _, unit = time_text(float(f"{ns:.2g}")).replace(",", "").partition(" ")
    return f"{two_figures(float(number))}{NO_BREAK}{unit}"


def size(count: float) -> str:
    return unbroken(bytes_text(round(count)))


def times(ratio: float) -> str:
    return f"{three_figures(ratio)}×"


def percent(share: float) -> str:
    return f"{100 * share:.0f}{NO_BREAK}%"


def share(part: float) -> str:
    """A share that was counted: `48 %`; not 0 % where there are some, nor 100 % where there are others."""
    if 0.995 <= part < 1.0:
        return f"over {percent(0.99)}"
    return f"{at_most_two_figures(100 * part)}{NO_BREAK}%" if 0.0 < part < 0.005 else percent(part)


def span(values: Iterable[float], text: Callable[[float], str] = short_time) -> str:
    """`3.6 to 12 ns`: from the lowest to the highest, with one unit; a single figure where both texts are equal."""
    ordered = sorted(values)
    low, high = text(ordered[0]), text(ordered[-1])
    if low == high:
        return low
    number, _, unit = low.partition(NO_BREAK)
    return f"{number if unit and high.endswith(NO_BREAK + unit) else low}{NO_BREAK}to{NO_BREAK}{high}"


def differs(compared: Estimate) -> bool:
    """Whether the two sides of a ratio or difference differ beyond its interval. Without an interval the answer is no."""
    if isinstance(compared, Difference):
        return compared.has_interval and not compared.holds(0.0) and not compared.is_slight
    return compared.has_interval and not compared.holds(1.0)


def none_differs(compared: Iterable[Estimate]) -> bool:
    """Whether every ratio or difference has an interval, and every interval includes that of equal sides."""
    return all(estimate.has_interval and not differs(estimate) for estimate in compared)


def against(compared: Sequence[Estimate], base: str, plural: bool = False) -> str:
    """`costs 3.6 to 12 times BASE`, `costs 3.6 to 12 ns more than BASE`, or that no difference is measurable."""
    if none_differs(compared):
        return f"{'show' if plural else 'shows'} no measurable difference from {base}"
    return f"{'cost' if plural else 'costs'} {multiple(compared)} {base}"


def more_or_less(ratio: float) -> str:
    """`14 % more`, `33 % less`, or `2.1 times as much` from double on."""
    if ratio >= 2.0:
        return f"{two_figures(ratio)}{NO_BREAK}times as much"
    return NO_BREAK.join((two_figures(100 * abs(ratio - 1)), "%", "more" if ratio >= 1.0 else "less"))


def as_much(compared: Sequence[Estimate]) -> str:
    """`3.6 to 12 times as much`, `3.6 to 12 ns more`, or that no difference is measurable."""
    if none_differs(compared):
        return "the same, within the intervals,"
    text = multiple(compared)
    return text.removesuffix(" than") if text.endswith(" than") else f"{text} as much"


def as_much_as(compared: Sequence[Estimate], base: str) -> str:
    """`3.6 to 12 times as much as BASE`, `3.6 to 12 ns more than BASE`, or that no difference is measurable."""
    if none_differs(compared):
        return f"the same, within the intervals, as {base}"
    text = multiple(compared)
    return f"{text} {base}" if text.endswith(" than") else f"{text} as much as {base}"


def over_all(compared: Mapping[str, Estimate], subject: str = "over all mallocs") -> str:
    """The end of a subtitle beside a title about a single malloc: `; over all mallocs, 1.0 (mimalloc) to 12 (glibc) times`.
    Empty where only one malloc is compared."""
    if len(compared) < 2:
        return ""
    if none_differs(compared.values()):
        return f"; {subject}, no measurable difference"
    return f"; {subject}, {multiple_named(compared).removesuffix(' than')}"


def costs_over_all(
    costs: Mapping[str, Estimate], text: Callable[[float], str] = short_time, subject: str = "over all mallocs"
) -> str:
    """The same of figures that are not compared: `; over all mallocs, 1.0 ns (mimalloc) to 12 ns (glibc)`."""
    return f"; {subject}, {with_extremes(costs, text)}" if len(costs) > 1 else ""


def multiple(compared: Sequence[Estimate]) -> str:
    """`3.6 to 12 times` of ratios, `3.6 to 12 ns more than` of differences."""
    return _multiple({str(place): estimate for place, estimate in enumerate(compared)}, named=False)


def multiple_named(compared: Mapping[str, Estimate]) -> str:
    """The same with the names of the extremes: `1.0 (mimalloc) to 12 (glibc) times`."""
    return _multiple(compared, named=True)


def beyond_control(differences: Sequence[Difference]) -> str:
    """What is left without the control: `3.6 to 12 ns`, `up to 12 ns`, or `nothing measurable`."""
    left = {str(place): estimate for place, estimate in enumerate(differences) if is_left(estimate)}
    return _amount(left, len(left) < len(differences), named=False) if left else "nothing measurable"


def is_left(difference: Difference) -> bool:
    """Whether something is left of a figure without its control. Without an interval: by the medians."""
    return (difference.low if difference.has_interval else difference.median) > 0.0 and not difference.is_slight


def _multiple(compared: Mapping[str, Estimate], named: bool) -> str:
    if not any(isinstance(estimate, Difference) for estimate in compared.values()):
        return f"{_extremes(compared, named, _ratio if len(compared) == 1 else two_figures)} times"
    clear = {name: estimate for name, estimate in compared.items() if differs(estimate) or not estimate.has_interval}
    clear = clear or dict(compared)
    least, most = (choose(clear, key=lambda name: clear[name].median) for choose in (min, max))
    if clear[least].median < 0.0 < clear[most].median:
        ends = {"less": least, "more": most}
        parts = [
            f"{short_time(abs(clear[name].median))} {way}{f'{NO_BREAK}({plain(name)})' if named else ''}"
            for way, name in ends.items()
        ]
        return f"{parts[0]} to {parts[1]} than"
    if clear[most].median > 0.0:
        return f"{_amount(clear, len(clear) < len(compared), named)} more than"
    sizes = {name: replace(less, median=-less.median, low=-less.high, high=-less.low) for name, less in clear.items()}
    return f"{_amount(sizes, len(clear) < len(compared), named)} less than"


def _ratio(ratio: float) -> str:
    """With a third figure near 1: a measurable difference is not said to be 1.0 times."""
    return f"{ratio:.2f}" if 0.95 <= ratio < 1.05 else two_figures(ratio)


def _amount(sizes: Mapping[str, Estimate], and_less: bool, named: bool) -> str:
    """From the least to the most; only the most where others are not measurable."""
    if not and_less:
        return _extremes(sizes, named, short_time)
    largest = max(sizes, key=lambda name: sizes[name].median)
    return f"up to {short_time(sizes[largest].median)}{f'{NO_BREAK}({plain(largest)})' if named else ''}"


def _extremes(values: Mapping[str, Estimate], named: bool, text: Callable[[float], str]) -> str:
    return with_extremes(values, text) if named else span((estimate.median for estimate in values.values()), text)


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
    return cut("control" if name == "none" else name.replace("_", " "))


def cut(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"


def count(number: int, singular: str, plural: str | None = None) -> str:
    return f"{number} {singular if number == 1 else plural or f'{singular}s'}"


def joined(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def cheapest_and_costliest(costs: Mapping[str, float]) -> str:
    """`1.2 ns from arena and 20 ns from glibc`; a single strategy where there is only one.
    Raises NoFigures where there is none."""
    if not costs:
        raise NoFigures
    ordered = sorted(costs, key=lambda name: costs[name])
    ends = dict.fromkeys((ordered[0], ordered[-1]))
    return joined([f"{short_time(costs[name])} from {plain(name)}" for name in ends])
