"""Why do the two sides of a benchmark differ? What `scripts/compare --explain` found out, and its text for readers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from suite.base.phrases import count
from suite.base.text import three_figures

WORK, LAYOUT, MACHINE, UNKNOWN = "work", "layout", "machine", "not known"

SAME_COUNT = 0.0005  # paths that differ by a smaller share are equal: a malloc may act in every thousandth call
MOST_FUNCTIONS = 10
MOST_LISTED, MOST_LINES = 3, 12  # functions whose instructions are listed, and lines of each


@dataclass(frozen=True)
class FunctionChange:
    """A function that operations pass through, and how many instructions it contributes to one operation."""

    name: str
    file: str
    old: float
    new: float
    # Where the instructions differ: "+ text" only new, "- text" only old, "  text" both.
    lines: tuple[str, ...] = ()
    is_rewritten: bool = False  # so many instructions differ that a list of them tells nothing
    is_moved: bool = False  # the same instructions at other addresses

    @property
    def differs(self) -> bool:
        return bool(self.lines) or self.is_rewritten or not same_count(self.old, self.new)


@dataclass(frozen=True)
class Explanation:
    """What makes a benchmark's sides differ."""

    cause: str  # WORK, LAYOUT, MACHINE or UNKNOWN
    sentence: str
    functions: tuple[FunctionChange, ...] = ()  # the largest change first
    counters: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # per operation: old, new


def same_count(old: float, new: float) -> bool:
    return abs(new - old) <= SAME_COUNT * max(old, new)


def text_lines(explanation: Explanation) -> Iterator[str]:
    """The conclusion, the counters, the functions that differ, and the instructions in which they differ."""
    yield explanation.sentence
    if explanation.counters:
        numbers = (f"{key} {_count(old)} to {_count(new)}" for key, (old, new) in explanation.counters.items())
        yield f"counted by the processor, per operation: {', '.join(numbers)}"
    differing = [function for function in explanation.functions if function.differs]
    if not differing:
        return
    others = [function for function in explanation.functions if not function.differs]
    named = differing[:MOST_FUNCTIONS]
    rows = [(function.old, function.new, f"{function.name} in {function.file}") for function in named]
    for functions, text in ((differing[MOST_FUNCTIONS:], "that differ"), (others, "with the same instructions")):
        sums = [sum(getattr(function, side) for function in functions) for side in ("old", "new")]
        rows += [(sums[0], sums[1], f"{count(len(functions), 'other function')} {text}")] if functions else []
    yield f"  {'old':>9} {'new':>9} {'change':>9}  instructions per operation"
    for old, new, text in rows:
        yield f"  {_count(old):>9} {_count(new):>9} {_change(old, new):>9}  {text}"
    for function in [function for function in differing if function.lines][:MOST_LISTED]:
        yield f"  {function.name} in {function.file}:"
        yield from (f"    {line}" for line in _first(function.lines))


def _first(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield f"  and {count(len(lines) - MOST_LINES, 'more line')}"


def _count(number: float) -> str:
    """With a digit behind the point only where the number is not whole."""
    return f"{number:,.0f}" if abs(number - round(number)) < 0.005 else three_figures(number)


def _change(old: float, new: float) -> str:
    change = new - old
    return "0" if same_count(old, new) else f"{'+' if change > 0 else '-'}{_count(abs(change))}"


def as_document(explanation: Explanation) -> dict[str, Any]:
    """For JSON: cause, sentence, functions and counters (by name: old, new)."""
    return asdict(explanation)
