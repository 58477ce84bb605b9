"""What do smart pointers cost more than plain pointers, to make and drop, and to use?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "smart_pointer"
QUESTION = "What does a smart pointer cost over a plain one, to make and drop, and to use?"

OPERATIONS = {"make": "Made and dropped", "use": "Reached and read"}
CONTROL = "value"
OWNERS = ("unique_ptr", "make_shared", "shared_ptr")
KINDS = {
    "value": "value on the stack", "raw": "plain pointer", "unique_ptr": "unique_ptr",
    "make_shared": "make_shared", "shared_ptr": "shared_ptr(new …)",
}  # fmt: skip


def draw(run: Run, look: Look) -> Drawing | None:
    benchmarks = {operation: _by_kind(run, operation) for operation in OPERATIONS}
    panels = [
        forms.RowsPanel(title, [forms.Column("", query.medians(benchmarks[operation]), "o")])
        for operation, title in OPERATIONS.items()
        if benchmarks[operation]
    ]
    if not panels:
        return None
    rows = [kind for kind in KINDS if any(kind in by_kind for by_kind in benchmarks.values())]
    page = Page(run, look, FAMILY, KINDS)
    forms.dots(
        page, rows, *panels, valued=True, colour_of=lambda kind: page.mark("stack_array") if kind == "value" else STRONG
    )
    subtitle = "An object of 64 B, by its holder: time per object, log scales with the same ends"
    return page.finish(_title(run, benchmarks), f"{subtitle}{_of_shared(run, benchmarks)}")


def _by_kind(run: Run, operation: str) -> dict[str, Benchmark]:
    benchmarks = {benchmark.name.parameters.get("kind"): benchmark for benchmark in run.series(FAMILY, op=operation)}
    return {kind: benchmarks[kind] for kind in KINDS if kind in benchmarks}


def _operation(benchmarks: Mapping[str, Mapping[str, Benchmark]]) -> str:
    return next(operation for operation in OPERATIONS if benchmarks[operation])


def _compared(run: Run, by_kind: Mapping[str, Benchmark]) -> dict[str, Estimate]:
    """The owners against a plain pointer."""
    raw = by_kind.get("raw")
    owners = {kind: by_kind[kind] for kind in OWNERS if kind in by_kind}
    return control.compare(run, owners, dict.fromkeys(OWNERS, raw) if raw else {}, called=CONTROL)


def _title(run: Run, benchmarks: Mapping[str, Mapping[str, Benchmark]]) -> str:
    """About what everybody writes: a unique_ptr, and with it make_shared where neither differs from a plain pointer."""
    operation = _operation(benchmarks)
    deed = {"make": "To make and drop", "use": "To use"}[operation]
    compared = _compared(run, benchmarks[operation])
    if set(OWNERS) - compared.keys():
        costs = query.medians(benchmarks[operation])
        kind = next(reversed(costs))
        return f"{deed} an object costs {phrases.short_time(costs[kind].median)} with {KINDS[kind]}"
    unique, made = compared["unique_ptr"], compared["make_shared"]
    if phrases.none_differs([unique, made]):
        return f"{deed}, unique_ptr and make_shared show no measurable difference from a plain pointer"
    return f"{deed}, a unique_ptr {phrases.against([unique], 'a plain pointer')}"


def _of_shared(run: Run, benchmarks: Mapping[str, Mapping[str, Benchmark]]) -> str:
    """The end of the subtitle."""
    compared = _compared(run, benchmarks[_operation(benchmarks)])
    parts = [
        f"{KINDS[kind]} {phrases.as_much([compared[kind]]).removesuffix(' as much').rstrip(',')}"
        for kind in ("make_shared", "shared_ptr")
        if kind in compared
    ]
    return f"; {phrases.joined(parts)}" if parts else ""
