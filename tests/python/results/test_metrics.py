"""Does a counter tell what its numbers are?"""

from __future__ import annotations

import pytest

from suite.results.metrics import kind_of


@pytest.mark.parametrize(
    ("counter", "declared", "kind"),
    [
        ("typical", "ns", "time"),
        ("p99_99", "", "time"),
        ("ns_shared_cache", "", "time"),
        ("drop_ns", "", "time"),
        ("limit_bytes", "", "bytes"),
        ("stack_reserved", "", "bytes"),
        ("peak_resident_per_live_byte", "", "bytes per byte"),
        ("bytes_per_second", "", "per second"),
        ("returned_share_after_1s", "", "share"),
        ("resident_share_0ms", "of the peak", "of the peak"),
        ("frames", "calls", "calls"),
        ("allocations", "", "count"),
        ("answers", "", "count"),  # only whole words count: ns is not in it
    ],
)
def test_a_counter_tells_its_kind(counter: str, declared: str, kind: str) -> None:
    assert kind_of(counter, declared) == kind
