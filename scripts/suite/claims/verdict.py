"""How is a claim ruled on? From ratios and their intervals: what is beyond doubt, what is not so, what is left open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from suite.base import phrases
from suite.base.text import three_figures
from suite.results.model import Run
from suite.stats.estimates import Estimate

HOLDS, HOLDS_BUT, DOES_NOT_HOLD = "holds", "holds, but", "does not hold"
UNDECIDED, NOT_MEASURED = "undecided", "not measured"  # the intervals leave it open; the run has no data
OPEN = frozenset({UNDECIDED, NOT_MEASURED})

MATTERS = 1.1  # less than a tenth of difference is none worth a claim
FEW_CYCLES = 2.0  # nor are two cycles: less than any call takes

LONGEST_LABEL = 40  # letters of a name that stands in a sentence


@dataclass(frozen=True)
class Verdict:
    verdict: str
    text: str  # the numbers with their intervals; where nothing could be judged, why
    condition: str = ""  # of "holds, but"


@dataclass(frozen=True)
class Claim:
    """What is said of the stack and the heap, and how it is put to the test."""

    id: str
    short: str  # in a few words, for a chart
    said: str
    families: tuple[str, ...]
    judge: Callable[[Run], Verdict]


class CannotJudge(Exception):
    """The run has no data for an answer. Its text is the reason."""


class Undecided(CannotJudge):
    """The run has the data, but the intervals leave the answer open. Its text is the reason."""


def holds(text: str) -> Verdict:
    return Verdict(HOLDS, text)


def holds_but(text: str, condition: str) -> Verdict:
    return Verdict(HOLDS_BUT, text, condition)


def does_not_hold(text: str) -> Verdict:
    return Verdict(DOES_NOT_HOLD, text)


# ---- what a ratio says


def is_more(ratio: Estimate, bound: float = MATTERS) -> bool:
    """Beyond doubt: the whole interval is."""
    return ratio.has_interval and ratio.low > bound


def is_no_more(ratio: Estimate, bound: float = MATTERS) -> bool:
    return ratio.has_interval and ratio.high <= bound


def of_all(ratios: Mapping[str, Estimate], text: str, but_not: Callable[[list[str]], str]) -> Verdict:
    """Whether every ratio is more than one, beyond doubt; where some are not, `but_not` says so of them."""
    if not ratios:
        raise CannotJudge("the run measured nothing to compare")
    more = [name for name, ratio in ratios.items() if is_more(ratio)]
    rest = [name for name in ratios if name not in more]
    if not rest:
        return holds(text)
    if more:
        return holds_but(text, but_not(rest))
    if all(is_no_more(ratio) for ratio in ratios.values()):
        return does_not_hold(text)
    raise Undecided(f"the intervals are too wide to tell: {text}")


# ---- how it is said


def times(ratio: Estimate) -> str:
    """`13.8 times (13.3 to 19.8)`."""
    return f"{figures(ratio.median)} times{interval(ratio)}"


def interval(one: Estimate) -> str:
    low, high = figures(one.low), figures(one.high)
    return "" if low == high or not one.has_interval else f" ({low} to {high})"


def figures(value: float) -> str:
    """Three, always: 1.00, not 1."""
    return f"{value:#.3g}" if 0.0 < value < 99.95 else three_figures(value)


def each(told: Mapping[str, Estimate], text: Callable[[Estimate], str]) -> str:
    """`glibc 13.8 times (13.3 to 19.8), jemalloc ...`."""
    return ", ".join(f"{_label(name)} {text(one)}" for name, one in told.items())


def names(of: Sequence[str]) -> str:
    return phrases.joined([_label(name) for name in of])


def sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _label(name: str) -> str:
    text = name.replace("_", " ")
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}…"
