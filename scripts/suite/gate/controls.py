"""Did the controls move while both sides were measured?"""

from __future__ import annotations

import math

from suite.gate.pairs_file import NS, RecordedPairs
from suite.results.model import CORE_SHARE, LINE_TRIP, SHARED_CACHE, BenchmarkName, selects
from suite.runner.program import Catalogue
from suite.stats.arrays import np
from suite.stats.estimates import estimate_shift, median
from suite.stats.paired_tests import signed_rank

ARITHMETIC, SHARE, CACHE, TRIP = "arithmetic", "share of the core", "shared cache", "way between cores"
MEMORY_CONTROL_BYTES = 64 << 20  # beyond it the control takes seconds to set up, in every pair
CONTROL_MOVED = 0.01  # twice the default threshold: a control that moves so far fakes a change
OTHERS_MOVED = 0.05  # of the shared cache and the way between cores: they vary more, and few benchmarks depend on them
CONTROL_EVIDENCE = 0.01  # for all controls together


def controls_among(old: Catalogue, new: Catalogue) -> dict[str, str]:
    """The controls of L1 and of memory: the smallest and the largest declared control that both sides have."""
    shared, expression = set(old.benchmarks) & set(new.benchmarks), new.gate_controls or old.gate_controls
    chases = {
        bytes_: name
        for name in shared
        if expression
        and selects(expression, name)
        and (bytes_ := BenchmarkName.parse(name).number("bytes") or 0) <= MEMORY_CONTROL_BYTES
    }
    return {"L1": chases[min(chases)], "memory": chases[max(chases)]} if chases else {}


def controls_that_moved(recorded: RecordedPairs) -> tuple[tuple[str, ...], str]:
    """A sentence for each control that moved between the sides, and a sentence with the change of every control."""
    series = {
        control: [ratio for pair in pairs if (ratio := pair.log_ratio(NS)) is not None]
        for control, pairs in recorded.controls.items()
    }
    series[ARITHMETIC] = _of_each_round(recorded, "ns_per_addition")
    series[SHARE] = _of_each_round(recorded, CORE_SHARE)
    series[CACHE] = _of_each_round(recorded, SHARED_CACHE)
    series[TRIP] = _of_each_round(recorded, LINE_TRIP)
    series = {control: logs for control, logs in series.items() if logs}
    moved, summary = [], []
    for control, logs in series.items():
        shift = math.expm1(estimate_shift(logs).median)
        change = f"{100 * shift:+.1f} %"
        p = 2 * min(signed_rank(np.asarray(logs)))
        summary.append(f"{control} {change}")
        least = OTHERS_MOVED if control in (CACHE, TRIP) else CONTROL_MOVED
        if p < CONTROL_EVIDENCE / len(series) and abs(shift) > least:
            moved.append(
                f"the {control} control moved by {change} between the sides: the result is not "
                "reliable (another load, the clock, or a change of the control's own code)"
            )
    return tuple(moved), f"controls, new against old: {', '.join(summary)}" if summary else ""


def _of_each_round(recorded: RecordedPairs, counter: str) -> list[float]:
    """A counter that is taken beside every benchmark, new against old: for each round the median of its benchmarks."""
    rounds: dict[int, list[float]] = {}
    for pairs in recorded.pairs.values():
        for number, pair in enumerate(pairs):
            ratio = pair.log_ratio(counter)
            if ratio is not None:
                rounds.setdefault(number, []).append(ratio)
    return [median(values) for values in rounds.values()]
