"""Does the title of a series' chart say what `check` says of it, in few letters, whichever way the series went?"""

from __future__ import annotations

import numpy as np
import pytest

from suite import charts
from suite.base.phrases import LONGEST_TITLE
from suite.charts.across import trend
from suite.history.check import Change, EarlyWarning, JudgedSeries
from suite.history.store import Entry
from suite.results.metrics import TIME, Metric
from suite.stats.estimates import Estimate
from support.chart_checks import PLAIN, faults_of_layout, texts

NAME = "scoped/glibc/bytes:64/touch:none"
MEMORY = Metric("resident_bytes_per_byte", "bytes per byte")
RUNS = tuple(Entry(place, f"2026-01-{place + 1:02}", f"{place:040x}", 1, "quick", "ns", True, {}) for place in range(28))


def exactly(value: float) -> Estimate:
    return Estimate(value, value, value, 0.95, 5)


def change(index: int, size: float, lasting: bool = True, accepted: bool = False, metric: Metric = TIME) -> Change:
    return Change(NAME, metric, index, RUNS[index], RUNS[index - 1], exactly(size), 0.001, lasting, (), (), accepted)


def series(
    *changes: Change, runs: int = 28, metric: Metric = TIME, early: float = 0.0, name: str = NAME
) -> JudgedSeries:
    values = np.ones(runs)
    for found in changes:
        values[found.index :] *= found.size.median
    warning = EarlyWarning(name, metric, metric.unit, RUNS[runs - 1], exactly(early), 1.0, runs - 1) if early else None
    return JudgedSeries(metric.named(name), metric, metric.unit, RUNS[:runs], values, 12, changes, warning, False)


@pytest.mark.parametrize(
    ("judged", "finding"),
    [
        (series(runs=3), "no verdict before 12 runs, 3 so far"),
        (series(), "no change found in 28 runs"),
        (series(change(9, 1.3, lasting=False)), "no lasting change found in 28 runs"),
        (series(change(20, 1.12)), "12 % more time since 000000000000"),
        (series(change(20, 2.4)), "2.4 times as much time since 000000000000"),
        (series(change(20, 0.67)), "33 % less time since 000000000000"),
        (series(change(20, 1.12, metric=MEMORY), metric=MEMORY), "12 % more resident bytes per byte since 000000000000"),
        (series(change(20, 1.12, accepted=True)), "12 % more time since 000000000000, accepted"),
        # The levels before and after, whatever happened between them: 1.1 * 1.2 * 0.95, and 1.07 alone.
        (series(change(5, 1.1), change(9, 1.2), change(20, 0.95)), "25 % more time since 000000000000, in 3 steps"),
        (series(change(5, 0.7), change(20, 1.07)), "7.0 % more time since 000000000000"),
        (series(change(5, 0.7), early=1.25), "early warning, at least 25 % more time in 000000000000"),
        (series(change(5, 1.3), early=1.25), "30 % more time since 000000000000"),
    ],
)
def test_the_title_is_the_state_of_the_series(judged: JudgedSeries, finding: str) -> None:
    assert trend.title(judged).translate(PLAIN) == f"{NAME}: {finding}"


def test_a_run_without_a_commit_is_named_by_its_day() -> None:
    days = tuple(Entry(run.id, run.measured, "", 1, "quick", "ns", True, {}) for run in RUNS)
    found = Change(NAME, TIME, 20, days[20], days[19], exactly(1.5), 0.001, True, (), (), False)
    assert trend.title(series(found)).translate(PLAIN) == f"{NAME}: 50 % more time since 2026-01-21"


@pytest.mark.parametrize("size", ["talk", "paper"])
def test_the_finding_and_the_dates_have_room_beside_the_longest_names(size: str) -> None:
    judged = series(change(20, 1.12, metric=MEMORY), metric=MEMORY, name="a_very_long_name/" * 12)
    drawing = trend.draw(judged, {}, charts.Look("light", size))
    assert len(drawing.title) <= LONGEST_TITLE and drawing.title.endswith("resident bytes per byte since 000000000000")
    assert any(text.get_text().endswith("since 000000000000") for text in texts(drawing))
    assert list(faults_of_layout(drawing)) == []
    warned = series(metric=MEMORY, early=1.25, name="a_very_long_name/" * 12)
    assert len(trend.title(warned)) <= LONGEST_TITLE
