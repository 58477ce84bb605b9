"""How does a claim get its verdict? From ratios and their intervals: it holds, it does not hold, or it is undecided."""

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

MATTERS = 1.1  # a difference of less than a tenth does not support a claim
FEW_CYCLES = 2.0  # neither does a difference of two cycles, which is less than any call takes

LONGEST_LABEL = 40  # letters of a name in a sentence


@dataclass(frozen=True)
class Verdict:
    verdict: str
    text: str  # the numbers with their intervals; without a verdict, the reason
    condition: str = ""  # of "holds, but"


@dataclass(frozen=True)
class Claim:
    """A common claim about stack and heap, and the function that tests it on a run."""

    id: str
    short: str  # in a few words, for a chart
    statement: str
    families: tuple[str, ...]
    test: Callable[[Run], Verdict]


def claim(id: str, short: str, statement: str, *families: str) -> Callable[[Callable[[Run], Verdict]], Claim]:
    """Makes a claim of the function that judges it."""
    return lambda judge: Claim(id, short, statement, families, judge)


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


# ---- verdicts from ratios


def is_more(ratio: Estimate, bound: float = MATTERS) -> bool:
    """Whether the whole interval lies above the bound."""
    return ratio.has_interval and ratio.low > bound


def is_no_more(ratio: Estimate, bound: float = MATTERS) -> bool:
    return ratio.has_interval and ratio.high <= bound


def of_all(ratios: Mapping[str, Estimate], text: str, but_not: Callable[[list[str]], str]) -> Verdict:
    """Holds if every ratio is more than one beyond doubt; if only some are, `but_not` makes the condition from the
    names of the others."""
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


# ---- texts


def times(ratio: Estimate) -> str:
    """`13.8 times (13.3 to 19.8)`."""
    return f"{figures(ratio.median)} times{interval(ratio)}"


def interval(ratio: Estimate) -> str:
    low, high = figures(ratio.low), figures(ratio.high)
    return "" if low == high or not ratio.has_interval else f" ({low} to {high})"


def figures(value: float) -> str:
    """Always three significant figures: 1.00, not 1."""
    return f"{value:#.3g}" if 0.0 < value < 99.95 else three_figures(value)


def listed(estimates: Mapping[str, Estimate], text: Callable[[Estimate], str]) -> str:
    """`glibc 13.8 times (13.3 to 19.8), jemalloc ...`."""
    return ", ".join(f"{_label(name)} {text(estimate)}" for name, estimate in estimates.items())


def names(strategies: Sequence[str]) -> str:
    return phrases.joined([_label(name) for name in strategies])


def sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _label(name: str) -> str:
    text = name.replace("_", " ")
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}…"
