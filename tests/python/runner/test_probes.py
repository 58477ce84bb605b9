"""Are a process's probes held against the quietest tenth of the run, and is it marked where others took too much?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.results.model import Unit
from suite.runner import probes

QUIET = Unit("larson", "contention", "^larson/", 0, False, (), 0.0, 0.0, 0, 0, 1.0, 0.5, 1)


def test_a_reading_is_held_against_the_quietest_tenth() -> None:
    units = [replace(QUIET, ns_line_trip=ns) for ns in (5.0, *[25.0] * 9, *[160.0] * 10)]
    quietest = probes.quietest_of(units)
    assert quietest == {"ns_line_trip": 25.0}  # not that which was quicker than all others
    assert probes.judged(units[0], quietest) == replace(units[0], trip_taken=0.0)
    far = probes.judged(units[-1], quietest)
    assert far.trip_taken == pytest.approx(1 - 25 / 160) and far.disturbed
    assert far.reasons == ("a cache line took 6.4 times as long from core to core",)


@pytest.mark.parametrize(("ns", "disturbed"), [(37.0, False), (38.0, True)])
def test_a_process_is_marked_from_half_as_long_again(ns: float, disturbed: bool) -> None:
    assert probes.judged(replace(QUIET, ns_shared_cache=ns), {"ns_shared_cache": 25.0}).disturbed == disturbed


def test_reasons_that_are_there_stay_and_judging_again_adds_no_more() -> None:
    unit = replace(QUIET, reasons=("was stopped for 1 s",), disturbed=True, cycles_of_eight_additions=4.0)
    loud = probes.judged(unit, {"cycles_of_eight_additions": 2.0})
    assert loud.reasons == ("was stopped for 1 s", "another thread took 50 % of its core")
    assert probes.judged(unit, {"cycles_of_eight_additions": 4.0}) == replace(unit, core_taken=0.0)


def test_without_probes_nothing_is_said() -> None:
    assert probes.quietest_of([QUIET]) == {} and probes.quietest_of([]) == {}
    assert probes.judged(QUIET, {"ns_line_trip": 25.0}) == QUIET
