"""What do smart pointers cost more than plain pointers, to make and drop, and to use?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.results import query
from suite.results.model import Benchmark, Run

FAMILY = "smart_pointer"
QUESTION = "What does a smart pointer cost over a plain one, to make and drop, and to use?"

OPERATIONS = {"make": "Made and dropped", "use": "Reached and read"}
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
    return page.finish(
        _title(benchmarks), "An object of 64 B, by its holder: time per object, log scales with the same ends"
    )


def _by_kind(run: Run, operation: str) -> dict[str, Benchmark]:
    benchmarks = {benchmark.name.parameters.get("kind"): benchmark for benchmark in run.series(FAMILY, op=operation)}
    return {kind: benchmarks[kind] for kind in KINDS if kind in benchmarks}


def _title(benchmarks: Mapping[str, Mapping[str, Benchmark]]) -> str:
    operation = next(operation for operation in OPERATIONS if benchmarks[operation])
    deed = {"make": "To make and drop", "use": "To use"}[operation]
    ratios = query.against_one(benchmarks[operation], benchmarks[operation].get("raw"))
    unique = [ratios[kind] for kind in ("unique_ptr",) if kind in ratios]
    shared = [ratios[kind] for kind in ("make_shared", "shared_ptr") if kind in ratios]
    if not unique or not shared:
        costs = query.medians(benchmarks[operation])
        kind = next(reversed(costs))
        return f"{deed} an object costs {phrases.short_time(costs[kind].median)} with {KINDS[kind]}"
    if phrases.none_differs([*unique, *shared]):
        return f"{deed}, neither a unique_ptr nor a shared_ptr shows a measurable difference from a plain pointer"
    owner, counted = (phrases.against(ratios, "a plain pointer") for ratios in (unique, shared))
    return f"{deed}, a unique_ptr {owner}; a shared_ptr {counted}"
