"""How does a claim get its verdict? From comparisons that were chosen before the run: what does the interval of each
show, and what do all of them show together?

An interval shows that a thing costs *more* than another (by a tenth or more), *no more*, or *slightly more*: a small
difference that is shown is an answer too, told with its size, so a truth near a bound does not leave a claim open for
ever. Any interval whose ends are less than a tenth apart shows one of the three. It may err with 1 - CONFIDENCE over
all looks at the run (suite.stats.looks). A verdict that finds the same in all comparisons needs no more, because each
of them alone could refute it; a verdict that tells comparisons apart needs wider intervals (Bonferroni), unless the
question gives their order.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from suite.base import phrases
from suite.base.text import interval_text, three_figures, time_text
from suite.results.model import Run
from suite.stats.estimates import CONFIDENCE, LEAST_SHARE, Difference, Estimate

HOLDS, HOLDS_BUT, DOES_NOT_HOLD = "holds", "holds, but", "does not hold"
UNDECIDED, NOT_MEASURED = "undecided", "not measured"  # the intervals leave it open; the run has no data
OPEN = frozenset({UNDECIDED, NOT_MEASURED})

MATTERS = 1.1  # a difference of less than a tenth does not support a claim
# A difference that is shown, and shown to be less than this, is a slight difference, whether it matters or not: a truth
# at the bound is then decided by an interval that is three times as wide as what matters.
SLIGHT = 1.3
FEW_CYCLES = 2.0  # neither does a difference of two cycles, which is less than any call takes

NO_MORE = "no more"  # of a gist: the amount where no difference is measurable
MULTIPLE = 1.5  # from here on, a gist says how many times as much, below by how much more

LONGEST_LABEL = 40  # letters of a name in a sentence


@dataclass(frozen=True)
class Numbers:
    """What was measured, in two lengths. Both are sentences without their capital and full stop."""

    gist: str  # what anybody should know: one sentence, with two numbers at most; without a verdict, the reason
    details: str = ""  # all numbers with their intervals


@dataclass(frozen=True)
class Verdict:
    verdict: str
    numbers: Numbers
    condition: str = ""  # of "holds, but"
    needs: tuple[str, ...] = ()  # the benchmarks that would decide what is still open, in more processes


@dataclass(frozen=True)
class Claim:
    """A common claim about stack and heap, and the function that tests it on a run."""

    id: str
    short: str  # in a few words, for a chart
    statement: str
    families: tuple[str, ...]
    test: Callable[[Run], Verdict]

    @property
    def chapter(self) -> str:
        """The name of its file."""
        return self.test.__module__.rpartition(".")[2]


def claim(id: str, short: str, statement: str, *families: str) -> Callable[[Callable[[Run], Verdict]], Claim]:
    """Makes a claim of the function that judges it."""
    return lambda judge: Claim(id, short, statement, families, judge)


class CannotJudge(Exception):
    """The run has no data for an answer. Its text is the reason."""


class Undecided(CannotJudge):
    """The run has the data, but the intervals leave the answer open. Its text is the reason."""

    def __init__(self, reason: str, needs: Iterable[str] = (), details: str = "") -> None:
        super().__init__(reason)
        self.needs = tuple(dict.fromkeys(needs))  # the benchmarks that would decide it, in more processes
        self.details = details  # the numbers that leave it open


def holds(numbers: Numbers) -> Verdict:
    return Verdict(HOLDS, numbers)


def holds_but(numbers: Numbers, condition: str) -> Verdict:
    return Verdict(HOLDS_BUT, numbers, condition)


def does_not_hold(numbers: Numbers) -> Verdict:
    return Verdict(DOES_NOT_HOLD, numbers)


# ---- what a comparison shows


@dataclass(frozen=True)
class Comparison(Estimate):
    """How many times as much a thing costs as another, with the interval of a single comparison."""

    confidence: float = CONFIDENCE  # that the interval needs
    apart: Comparison | None = None  # with the interval of several comparisons that a verdict tells apart
    few_cycles: bool = False  # the difference is a few cycles at most, which the claim does not count
    more_ns: float | None = None  # how much more, where the figures are times
    reads: tuple[str, ...] = ()  # the benchmarks
    difference: Difference | None = None  # that is judged and stated: a ratio would be that of two controls

    @property
    def has_interval(self) -> bool:
        return self.coverage > 0.0 and self.coverage >= self.confidence - 1e-9


class Shown(enum.Enum):
    """What the interval of a comparison shows."""

    MORE = "more"
    SLIGHTLY_MORE = "slightly more"
    NO_MORE = "no more"
    NOTHING = "nothing"


def shown_by(ratio: Comparison) -> Shown:
    if ratio.few_cycles or is_no_more(ratio):
        return Shown.NO_MORE
    if is_more(ratio):
        return Shown.MORE
    return Shown.SLIGHTLY_MORE if is_more(ratio, 1.0) and is_no_more(ratio, SLIGHT) else Shown.NOTHING


def is_more(ratio: Estimate, bound: float = MATTERS) -> bool:
    """Whether the whole interval lies above the bound."""
    return ratio.has_interval and ratio.low > bound


def is_no_more(ratio: Estimate, bound: float = MATTERS) -> bool:
    return ratio.has_interval and ratio.high <= bound


def slight(*ratios: Comparison) -> str:
    """`by 9 to 25 % (1.5 µs)`, from the lowest to the highest end of the intervals; `by up to 12 %`."""
    # A tiny share keeps an end that is a whole number of percent from being rounded to the next.
    low = math.floor(100 * (min(ratio.low for ratio in ratios) - 1) + 1e-6)
    high = math.ceil(100 * (max(ratio.high for ratio in ratios) - 1) - 1e-6)
    percent = f"{low} to {high}" if low >= 1 else f"up to {high}"
    more = ratios[0].more_ns if len(ratios) == 1 else None
    return f"by {percent} %{f' ({phrases.short_time(more)})' if more is not None and more > 0.0 else ''}"


# ---- what several comparisons show together

Condition = Callable[[list[str]], str]  # from the names of the exceptions


def of_all(ratios: Mapping[str, Comparison], numbers: Numbers, but_not: Condition) -> Verdict:
    """Holds if the first of two costs more in every comparison; `but_not` makes the condition from the exceptions."""
    return _together(ratios, numbers, Shown.MORE, Shown.NO_MORE, but_not, "only {slight}", "only {slight} for {name}")


def of_none(ratios: Mapping[str, Comparison], numbers: Numbers, but_for: Condition) -> Verdict:
    """Holds if the first of two costs more in no comparison; `but_for` makes the condition from the exceptions."""
    return _together(
        ratios, numbers, Shown.NO_MORE, Shown.MORE, but_for, "it costs more {slight}", "{name} costs more {slight}"
    )


def _together(
    ratios: Mapping[str, Comparison],
    numbers: Numbers,
    agrees: Shown,
    contradicts: Shown,
    exception: Condition,
    all_slightly: str,
    by_name: str,
) -> Verdict:
    if not ratios:
        raise CannotJudge("the run measured nothing to compare")
    everywhere = {shown_by(ratio) for ratio in ratios.values()}
    if everywhere == {agrees}:
        return holds(numbers)
    if everywhere == {contradicts}:
        return does_not_hold(numbers)
    if everywhere == {Shown.SLIGHTLY_MORE}:
        return holds_but(numbers, all_slightly.format(slight=slight(*ratios.values())))
    apart = {name: ratio.apart or ratio for name, ratio in ratios.items()}
    by_kind = {kind: [name for name in ratios if shown_by(apart[name]) is kind] for kind in Shown}
    kinds = {kind for kind in Shown if by_kind[kind]} - {Shown.NOTHING}
    if len(kinds) < 2 and kinds != {Shown.SLIGHTLY_MORE}:  # the open comparisons could still agree with the others
        alone = [name for name in ratios if shown_by(ratios[name]) is Shown.NOTHING] if len(everywhere) == 2 else []
        too_wide(numbers, [ratios[name] for name in alone or by_kind[Shown.NOTHING]])
    slightly = by_kind[Shown.SLIGHTLY_MORE]
    conditions = [exception(by_kind[contradicts])] if by_kind[contradicts] else []
    conditions += [by_name.format(name=_label(name), slight=slight(apart[name])) for name in slightly]
    still_open = by_kind[Shown.NOTHING]
    conditions += [f"undecided for {names(still_open)}"] if still_open else []
    return Verdict(HOLDS_BUT, numbers, "; ".join(conditions), needs_of([ratios[name] for name in still_open]))


def of_all_in_order(ratios: Mapping[str, Comparison], numbers: Numbers, but_only: Callable[[str], str]) -> Verdict:
    """Holds if the first of two costs more in every comparison. They are in the order in which the question expects less
    and less; `but_only` makes the condition from the first comparison that shows no more.

    A comparison counts only where all before it show more: in a fixed order, no interval needs to be wider (Maurer,
    Hothorn and Lehmacher, 1995). What follows the first that shows no more is not judged.
    """
    if not ratios:
        raise CannotJudge("the run measured nothing to compare")
    before = 0
    for name, ratio in ratios.items():
        shown = shown_by(ratio)
        if shown is Shown.NOTHING:
            too_wide(numbers, [ratio])
        if shown is Shown.SLIGHTLY_MORE:
            return holds_but(numbers, f"only {slight(ratio)}{f' for {_label(name)}' if len(ratios) > 1 else ''}")
        if shown is Shown.NO_MORE:
            return holds_but(numbers, but_only(name)) if before else does_not_hold(numbers)
        before += 1
    return holds(numbers)


def too_wide(numbers: Numbers, ratios: Iterable[Comparison]) -> NoReturn:
    """The verdict *undecided*, which more processes of these comparisons would end."""
    raise Undecided("the intervals are too wide to tell", needs_of(ratios), numbers.details)


def needs_of(ratios: Iterable[Comparison]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for ratio in ratios for name in ratio.reads))


# ---- texts


def times(ratio: Estimate) -> str:
    """`13.8 times (13.3 to 19.8)`."""
    return f"{figures(ratio.median)} times{interval(ratio)}"


def relative(compared: Estimate) -> str:
    """`6.66 times (6.39 to 6.95)`, `6.96 ns more (6.88 to 7.35 ns)`, or that no difference is measurable."""
    if isinstance(compared, Comparison) and compared.difference is not None:
        return relative(compared.difference)
    if not isinstance(compared, Difference):
        return times(compared)
    if compared.has_interval and not phrases.differs(compared):
        return f"no measurable difference ({interval_text(compared)})"
    less = compared.median < 0.0
    amount = replace(compared, median=-compared.median, low=-compared.high, high=-compared.low) if less else compared
    within = f" ({interval_text(amount)})" if amount.has_interval else ""
    return f"{time_text(amount.median)} {'less' if less else 'more'}{within}"


def interval(ratio: Estimate) -> str:
    low, high = figures(ratio.low), figures(ratio.high)
    return "" if low == high or not ratio.has_interval else f" ({low} to {high})"


def figures(value: float) -> str:
    """Always three significant figures: 1.00, not 1."""
    return f"{value:#.3g}" if 0.0 < value < 99.95 else three_figures(value)


def listed(estimates: Mapping[str, Estimate], text: Callable[[Estimate], str]) -> str:
    """`glibc 13.8 times (13.3 to 19.8), jemalloc ...`."""
    return ", ".join(f"{_label(name)} {text(estimate)}" for name, estimate in estimates.items())


def more(compared: Comparison, than: str, where: str = "") -> str:
    """For a gist: `4.0 ns more (where) than ...`, `9.4 times as much (where) as ...`, `no more (where) than ...`."""
    amount = amount_of(compared)
    return " ".join(filter(None, (amount, where, "as" if amount.endswith("as much") else "than", than)))


def amount_of(compared: Comparison) -> str:
    """`4.0 ns more`, `9.4 times as much`, `only 4 % more`, `5 % less`, `a cycle or two more`, or NO_MORE."""
    measured = compared.difference or compared
    share = abs(compared.median - 1.0)
    if (measured.has_interval and not phrases.differs(measured)) or share < LEAST_SHARE / 2:
        return NO_MORE
    if compared.few_cycles and compared.median > 1.0:
        return "a cycle or two more"
    if compared.difference is None and compared.median >= MULTIPLE:
        return f"{phrases.two_figures(compared.median)} times as much"
    amount = phrases.short_time(abs(measured.median)) if compared.difference else phrases.share(share)
    if compared.median < 1.0:
        return f"{amount} less"
    return f"{'only ' if is_no_more(compared) else ''}{amount} more"


def from_most_to_least(
    compared: Mapping[str, Comparison], than: str, where: Callable[[str], str], everywhere: str
) -> str:
    """For a gist: `9.4 times as much with glibc as on a fresh heap, only 4 % more with tbbmalloc`; the place is told by
    `everywhere` if the amounts are the same."""
    if not compared:
        return ""
    decided = {name: ratio for name, ratio in compared.items() if shown_by(ratio) is not Shown.NOTHING} or compared
    most, least = (extreme(decided, key=lambda name: decided[name].median) for extreme in (max, min))
    amounts = amount_of(decided[most]), amount_of(decided[least])
    if amounts[0] != amounts[1]:
        return f"{more(decided[most], than, where(names([most])))}, {amounts[1]} {where(names([least]))}"
    if len(decided) == len(compared) > 1:
        return f"{more(decided[most], than)}, {everywhere}"
    return more(decided[most], than, where(names([most])))


def names(strategies: Sequence[str]) -> str:
    return phrases.joined([_label(name) for name in strategies])


def sentence(text: str) -> str:
    return f"{phrases.begun(text)}." if text else ""


def _label(name: str) -> str:
    text = name.replace("_", " ")
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}…"
