"""Which metrics do the families declare? What test data says of them; test_program.py holds it against the program."""

from __future__ import annotations

from suite.results.end_to_end import FAMILY, METRICS
from suite.results.metrics import TIME, DeclaredMetrics, Metric, encode_metrics
from suite.results.model import Document

_RESIDENT_SHARES = tuple(Metric(f"resident_share_{ms}ms", "of the peak", least=0.01) for ms in (0, 1000))

# The families whose metric is not only the time of one operation.
COUNTED: DeclaredMetrics = {
    "cleanup": (Metric("drop_ns"),),
    "latency": (Metric("typical"), Metric("p99"), Metric("p99_9")),
    "overhead": (Metric("resident_bytes_per_byte", "bytes per byte"),),
    "fragmentation": (Metric("peak_resident_per_live_byte", "bytes per byte"),),
    "returned": _RESIDENT_SHARES,
    "replay_memory": (Metric("peak_resident_per_live_byte", "bytes per byte"),),
    # Not touched_bytes: how much memory is free depends on the moment, not on the malloc.
    "heap_limit": (Metric("granted_bytes", "bytes", more_is_worse=False),),
    "stack_limit": (Metric("frames", "calls", more_is_worse=False),),
}


def counted_families() -> Document:
    """The families in COUNTED, as in a result file."""
    return encode_metrics(COUNTED)


def of_family(family: str) -> Document:
    """The key `metrics` of a family, as in a program's list and in a result file."""
    metrics = METRICS if family == FAMILY else COUNTED.get(family, (TIME,))  # the user's program is no family of ours
    declaration: Document = encode_metrics({family: metrics})[family]
    return declaration
