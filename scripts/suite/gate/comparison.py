"""Is the new side worse than the old side? The verdict on each benchmark, and on the comparison as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from suite.gate.explanation import Explanation
from suite.gate.pairs_file import Side
from suite.stats.estimates import Estimate

WORSE, BETTER, SAME, UNDECIDED = "worse", "better", "same", "undecided"
NOT_JUDGED = "not judged"  # too few pairs: not a verdict, while undecided is a verdict
IN_PAIRS, TWO_FILES = "pairs", "two files"  # how both sides were measured
NOTHING_WORSE, SOMETHING_WORSE, CANNOT_JUDGE = 0, 1, 2  # exit codes


@dataclass(frozen=True)
class Judgement:
    """The verdict on one benchmark, and its numbers. Ratios are new over old: a ratio above 1 costs more."""

    name: str
    verdict: str
    ratio: Estimate  # of time
    threshold: float  # the smallest change that matters, as a share: 0.01 is 1 %
    old_ns: float  # medians, for the reader
    new_ns: float
    others: Mapping[str, Estimate] = field(default_factory=dict)  # the ratios of cycles and of instructions
    floor: float | None = None  # how far the benchmark moves against itself on this machine; None: not calibrated
    notes: tuple[str, ...] = ()  # sentences: "bimodal on the new side, ...", "layout suspect: ..."
    quarantined: bool = False  # bimodal: the verdict does not count
    unit: str = "ns"  # of old_ns and new_ns; another unit where the figure is a counter
    seconds: float | None = None  # for which it was measured, where that is known
    explanation: Explanation | None = None  # of the difference between the sides, where the user asked for it


def last_match(shares: Iterable[tuple[str, float]], name: str, otherwise: float) -> float:
    """The share of the last regular expression that matches the name: a threshold of the benchmarks that it matches."""
    return next((share for expression, share in reversed([*shares]) if re.search(expression, name)), otherwise)


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison, which every format writes in its own way."""

    method: str  # IN_PAIRS or TWO_FILES
    old: Side
    new: Side
    judgements: tuple[Judgement, ...]
    problems: tuple[str, ...] = ()  # why it cannot be judged as a whole: missing, failed, renamed, not finite
    warnings: tuple[str, ...] = ()  # what limits the result: moved controls, another machine, few processes
    controls: str = ""  # how far the controls moved, in one sentence
    trusted: bool = True  # False: the controls moved

    def with_verdict(self, verdict: str) -> tuple[Judgement, ...]:
        """The judgements with this verdict that count, the largest change first."""
        matching = [
            judgement for judgement in self.judgements if judgement.verdict == verdict and not judgement.quarantined
        ]
        return tuple(sorted(matching, key=lambda judgement: abs(judgement.ratio.median - 1), reverse=True))

    def exit_code(self, strict: bool = False) -> int:
        """0 nothing is worse, 1 a benchmark is worse, 2 cannot judge: with `strict`, also if a benchmark is undecided.

        A benchmark that was not judged does not pass, and neither does a comparison in which no verdict counts.
        """
        if self.problems or not self.trusted:
            return CANNOT_JUDGE
        if self.with_verdict(NOT_JUDGED) or all(judgement.quarantined for judgement in self.judgements):
            return CANNOT_JUDGE
        if self.with_verdict(WORSE):
            return SOMETHING_WORSE
        undecided = any(judgement.verdict == UNDECIDED or judgement.quarantined for judgement in self.judgements)
        return CANNOT_JUDGE if strict and undecided else NOTHING_WORSE
