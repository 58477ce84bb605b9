"""Is the new side worse than the old one? What a comparison says of each benchmark, and of the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from suite.gate.pairs_file import Side
from suite.stats.estimates import Estimate

WORSE, BETTER, SAME, UNDECIDED = "worse", "better", "same", "undecided"
NOTHING_WORSE, SOMETHING_WORSE, CANNOT_JUDGE = 0, 1, 2  # exit codes


@dataclass(frozen=True)
class Judgement:
    """What is said of one benchmark. Ratios are new over old: above one costs more."""

    name: str
    verdict: str
    ratio: Estimate  # of time
    threshold: float  # the smallest change that matters, as a share: 0.01 is 1 %
    old_ns: float  # medians, for the reader
    new_ns: float
    others: Mapping[str, Estimate] = field(default_factory=dict)  # the ratios of cycles and of instructions
    floor: float | None = None  # how far this benchmark moves against itself here, where that was calibrated
    notes: tuple[str, ...] = ()  # "two humps in the new side", "layout suspect: ...": each one sentence
    quarantined: bool = False  # two humps: no verdict counts
    unit: str = "ns"  # of old_ns and new_ns, where the figure is a counter and no time


@dataclass(frozen=True)
class Comparison:
    """Everything a comparison has to say, whatever form it is told in."""

    method: str  # "duet" or "two files"
    old: Side
    new: Side
    judgements: tuple[Judgement, ...]
    problems: tuple[str, ...] = ()  # why it cannot be judged in whole: missing, failed, renamed, not finite
    warnings: tuple[str, ...] = ()  # what to keep in mind: moved controls, another machine, few processes
    trusted: bool = True  # False: the controls moved

    def with_verdict(self, verdict: str) -> tuple[Judgement, ...]:
        """Those that count, the largest change first."""
        matching = [
            judgement for judgement in self.judgements if judgement.verdict == verdict and not judgement.quarantined
        ]
        return tuple(sorted(matching, key=lambda judgement: abs(judgement.ratio.median - 1), reverse=True))

    def exit_code(self, strict: bool = False) -> int:
        """0 nothing worse, 1 something worse, 2 cannot judge; undecided and quarantined are no pass with `strict`."""
        if self.problems or not self.trusted:
            return CANNOT_JUDGE
        if self.with_verdict(WORSE):
            return SOMETHING_WORSE
        undecided = any(judgement.verdict == UNDECIDED or judgement.quarantined for judgement in self.judgements)
        return CANNOT_JUDGE if strict and undecided else NOTHING_WORSE
