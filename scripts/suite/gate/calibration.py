"""How often does the gate err on this machine, and what does it find?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from suite.gate import sequential_test
from suite.gate.comparison import WORSE
from suite.gate.pairs_file import Calibration, RecordedPairs
from suite.gate.sequential_test import Rule
from suite.stats.arrays import np
from suite.stats.estimates import estimate_shift

SIMULATED_SUITES = 200
FOUND_SHARE = 0.9
SLOWDOWNS = (0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)


def calibrate(recorded: RecordedPairs, rule: Rule) -> Calibration:
    """How often this gate errs on this machine, from pairs of a side with itself.

    A floor is the far end of the interval: a benchmark moves no further against itself. The error rates come from
    suites that are resampled from the pairs, with replacement and with a random sign, because either process of a pair
    could have been the old side; in each suite, one benchmark at random gets a planted slowdown.
    """
    metrics = sequential_test.paired_metrics(recorded.pairs, recorded.metrics)
    measured = {key: np.array(metric.logs) for key, metric in metrics.items()}
    shifts = {key: estimate_shift(logs.tolist()) for key, logs in measured.items()}
    floors = {key: math.expm1(max(abs(shift.low), abs(shift.high))) for key, shift in shifts.items()}
    gate = replace(rule, thresholds=thresholds_over(floors, rule), floors=floors)
    draw = np.random.default_rng(recorded.seed)
    false = sum(bool(_found_worse(measured, gate, draw, 0.0)) for _ in range(SIMULATED_SUITES))
    least = next((size for size in SLOWDOWNS if _found_share(measured, gate, draw, size) >= FOUND_SHARE), None)
    return Calibration(floors, false, SIMULATED_SUITES, least, recorded.seed)


def thresholds_over(floors: Mapping[str, float], rule: Rule) -> dict[str, float]:
    """The threshold of each calibrated benchmark without a threshold of its own: the default plus its floor."""
    return {name: rule.threshold + floor for name, floor in floors.items()}


def _found_share(measured: sequential_test.Series, gate: Rule, draw: np.random.Generator, size: float) -> float:
    tries = SIMULATED_SUITES // 4
    return sum(WORSE in _found_worse(measured, gate, draw, size) for _ in range(tries)) / tries


def _found_worse(measured: sequential_test.Series, gate: Rule, draw: np.random.Generator, size: float) -> set[str]:
    """`worse`, if one resampled suite says so of the slowed benchmark; of any benchmark if `size` is 0."""
    slowed = draw.choice(list(measured)) if size else None
    suite = {}
    for name, logs in measured.items():
        resampled = draw.choice(logs, 2 * gate.most_pairs) * draw.choice((-1.0, 1.0), 2 * gate.most_pairs)
        suite[name] = (resampled + (math.log1p(size) if name == slowed else 0.0)).tolist()
    decided = sequential_test.group_sequential_test(suite, gate)
    return {decision.verdict for name, decision in decided.items() if slowed in (None, name)} & {WORSE}
