"""What does a run say about the user's own program under each malloc? Its rows `program/MALLOC`, and
context["program"].

The number of a row's process is the number of its round: the row of a malloc and that of the program's own malloc
(OWN) in the same round are a pair. The verdicts were reached when it was measured, and stand in the context.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suite.base import phrases
from suite.base.text import one_line, three_figures
from suite.results.metrics import Metric
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate, estimate_median, estimate_shift

FAMILY = CHAPTER = CONTEXT = "program"
REPLAY, MEMORY = "replay", "replay_memory"  # the families that replay a recording of the program
OWN = "own"  # the program's own malloc: nothing is preloaded
AGAIN = "own_again"  # the same once more: the control
CPU_NS, PEAK, FAULTS, MAJOR_FAULTS = "cpu_ns", "peak_resident_bytes", "page_faults", "major_faults"
METRICS = (
    Metric(CPU_NS),
    Metric(PEAK, "bytes"),
    Metric(FAULTS, "page faults", least=1.0),
)
VERDICTS = ("worse", "better", "same", "undecided", "not judged")
NOT_JUDGED = VERDICTS[-1]
MOST_WORDS, MOST_LETTERS, MOST_NOTES = 4096, 2000, 100
MOST_LOG = 20.0  # of a ratio: no program takes so many times as long


@dataclass(frozen=True)
class Compared:
    """A malloc against the program's own: the ratios of its runs to the own runs of the same rounds. Above 1: costs
    more."""

    malloc: str
    verdict: str  # one of VERDICTS, on the CPU time
    cpu: Estimate
    wall: Estimate
    peak_resident: Estimate | None  # of the largest process; None where a run lacks it
    page_faults: Estimate | None

    @property
    def pairs(self) -> int:
        return self.cpu.n


@dataclass(frozen=True)
class OwnFigures:
    """What the program takes with its own malloc: medians over its runs."""

    cpu_ns: Estimate
    wall_ns: Estimate
    peak_resident: Estimate | None  # bytes
    page_faults: Estimate | None


@dataclass(frozen=True)
class EndToEnd:
    """The user's program under each malloc."""

    words: tuple[str, ...]  # of the command
    exit_code: int | None
    output_same: bool  # its own runs all ended the same way, with the same output
    own_malloc: str  # the name of its own malloc, or of the file that it is in; empty: not known
    own: OwnFigures | None  # None where it was not measured
    compared: tuple[Compared, ...]  # in the order of the file
    control: Compared | None  # its own malloc against itself
    not_compared: Mapping[str, str]  # by malloc: why
    problem: str  # why no malloc was compared; empty: some were
    notes: tuple[str, ...]
    threshold: float  # the smallest change that matters, as a share

    @property
    def name(self) -> str:
        """The program's name, without its folder."""
        return self.words[0].rpartition("/")[2] if self.words else FAMILY


def is_of_program(run: Run) -> bool:
    """Whether scripts/program made the run, which measures nothing else."""
    return CONTEXT in run.context and {FAMILY, REPLAY, MEMORY}.issuperset(run.families())


def read_end_to_end(run: Run) -> EndToEnd | None:
    """None where the run is not of a user's program. What is damaged in the context is taken as absent."""
    written = run.context.get(CONTEXT)
    if not isinstance(written, Mapping):
        return None
    mallocs = written.get("mallocs")
    facts = (
        {_line(name): fact for name, fact in mallocs.items() if isinstance(fact, Mapping)}
        if isinstance(mallocs, Mapping)
        else {}
    )
    not_compared = {name: _line(fact["not_compared"]) for name, fact in facts.items() if fact.get("not_compared")}
    by_malloc = {benchmark.name.strategy: benchmark for benchmark in run.series(FAMILY) if benchmark.name.strategy}
    own = by_malloc.get(OWN)
    compared = {
        name: _compared(name, benchmark, own, facts.get(name, {}))
        for name, benchmark in by_malloc.items()
        if name != OWN and name not in not_compared
    }
    control = (
        _compared(AGAIN, by_malloc[AGAIN], own, {"verdict": written.get("control")}) if AGAIN in by_malloc else None
    )
    threshold, exit_code = written.get("threshold"), written.get("exit_code")
    return EndToEnd(
        words=tuple(map(_line, _list(written.get("command"))[:MOST_WORDS])),
        exit_code=exit_code if isinstance(exit_code, int) and abs(exit_code) < 1000 else None,
        output_same=written.get("output_same") is True,
        own_malloc=_line(written.get("own", "")),
        own=None if own is None else _own_figures(own),
        compared=tuple(pair for name, pair in compared.items() if pair is not None and name != AGAIN),
        control=control,
        not_compared=not_compared,
        problem=_line(written.get("problem", "")),
        notes=tuple(map(_line, _list(written.get("notes"))[:MOST_NOTES])),
        threshold=threshold if isinstance(threshold, float) and 0.0 < threshold < 1.0 else 0.01,
    )


def command_of(run: Run) -> str:
    """The user's command, as it would be typed, in one line; empty where the run is not of a user's program. Figures
    of two commands have the same names, and nothing to do with each other."""
    written = run.context.get(CONTEXT)
    return (
        one_line(shlex.join(map(str, _list(written.get("command"))[:MOST_WORDS])))
        if isinstance(written, Mapping)
        else ""
    )


def _line(value: object) -> str:
    return one_line(str(value), MOST_LETTERS)


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _own_figures(own: Benchmark) -> OwnFigures | None:
    cpu = own.counter(CPU_NS)
    if not cpu:
        return None
    peak, faults = own.counter(PEAK), own.counter(FAULTS)
    return OwnFigures(
        estimate_median(cpu), estimate_median(own.times), estimate_median(peak) if peak else None,
        estimate_median(faults) if faults else None,
    )  # fmt: skip


def _compared(name: str, other: Benchmark, own: Benchmark | None, facts: Mapping[str, Any]) -> Compared | None:
    cpu = wall = None
    if own is not None:
        cpu, wall = _ratio(other, own, CPU_NS), _ratio(other, own, "")
    if own is None or cpu is None or wall is None:
        return None
    verdict = facts.get("verdict")
    return Compared(
        name,
        verdict if verdict in VERDICTS else NOT_JUDGED,
        cpu,
        wall,
        _ratio(other, own, PEAK),
        _ratio(other, own, FAULTS),
    )


def _ratio(other: Benchmark, own: Benchmark, counter: str) -> Estimate | None:
    """The ratio over the rounds in which both ran: the Hodges-Lehmann estimate of its logarithm. An empty counter:
    wall time."""
    sides = [
        {sample.process: sample.counters.get(counter, 0.0) if counter else sample.ns for sample in side.samples}
        for side in (other, own)
    ]
    pairs = [(sides[0][number], sides[1][number]) for number in sides[0].keys() & sides[1].keys()]
    logs = [math.log(above) - math.log(below) for above, below in pairs if min(above, below) > 0.0]
    if not logs or len(logs) < len(pairs):
        return None
    shift = estimate_shift(logs)
    low, middle, high = (
        math.exp(min(max(value, -MOST_LOG), MOST_LOG)) for value in (shift.low, shift.median, shift.high)
    )
    return Estimate(middle, low, high, shift.coverage, shift.n)


# ---- in words


def finding(measured: EndToEnd) -> str:
    """The finding about the CPU time."""
    name = phrases.cut(measured.name)
    by_verdict = {
        verdict: sorted((pair for pair in measured.compared if pair.verdict == verdict), key=lambda pair: pair.cpu.median)
        for verdict in ("better", "worse", "same", "undecided")
    }
    worse, better = by_verdict["worse"], by_verdict["better"]
    if better:
        most = f", and {_times(worse[-1], '')}" if worse else ""
        return f"{name} takes {_times(better[0])}{most}"
    all_judged = len(worse) + len(by_verdict["same"]) == len(measured.compared)
    if worse:
        if all_judged:
            with_worst = f"with {phrases.plain(worse[-1].malloc)}, {_figure(worse[-1])} times the CPU time"
            return f"No malloc makes {name} faster than its own: {with_worst}"
        return f"{name} takes {_times(worse[-1])}"
    if all_judged:
        return f"No malloc changes the CPU time of {name} by more than {three_figures(100 * measured.threshold)}{phrases.NO_BREAK}%"
    ratios = phrases.span((pair.cpu.median for pair in measured.compared), three_figures)
    text = f"With another malloc, {name} takes {ratios} times the CPU time"
    return f"{text}; no difference is shown" if by_verdict["undecided"] else f"{text}; not judged"


def _times(pair: Compared, figure: str = " the CPU time") -> str:
    return f"{_figure(pair)} times{figure} with {phrases.plain(pair.malloc)}"


def _figure(pair: Compared) -> str:
    return ratio_text(pair.cpu.median)[:-1]


def ratio_text(ratio: float) -> str:
    """`0.985×`: near 1, three figures would hide half a per cent."""
    near = f"{ratio:.3f}".rstrip("0").rstrip(".")
    return f"{near}×" if 0.5 < ratio < 2.0 else phrases.times(ratio)
