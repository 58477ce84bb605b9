"""What do smart pointers cost more than plain pointers, to make and drop, and to use?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.results import control, query
from suite.results.model import Benchmark, Run

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
    return page.finish(
        _title(run, benchmarks), "An object of 64 B, by its holder: time per object, log scales with the same ends"
    )


def _by_kind(run: Run, operation: str) -> dict[str, Benchmark]:
    benchmarks = {benchmark.name.parameters.get("kind"): benchmark for benchmark in run.series(FAMILY, op=operation)}
    return {kind: benchmarks[kind] for kind in KINDS if kind in benchmarks}


def _title(run: Run, benchmarks: Mapping[str, Mapping[str, Benchmark]]) -> str:
    operation = next(operation for operation in OPERATIONS if benchmarks[operation])
    deed = {"make": "To make and drop", "use": "To use"}[operation]
    raw = benchmarks[operation].get("raw")
    compared = control.compare(
        run, {kind: benchmarks[operation][kind] for kind in OWNERS if kind in benchmarks[operation]},
        dict.fromkeys(OWNERS, raw) if raw else {}, called=CONTROL,
    )  # fmt: skip
    if set(OWNERS) - compared.keys():
        costs = query.medians(benchmarks[operation])
        kind = next(reversed(costs))
        return f"{deed} an object costs {phrases.short_time(costs[kind].median)} with {KINDS[kind]}"
    if phrases.none_differs(compared.values()):
        return f"{deed}, neither a unique_ptr nor a shared_ptr shows a measurable difference from a plain pointer"
    usual = [compared[kind] for kind in ("unique_ptr", "make_shared")]
    if phrases.none_differs(usual):
        text = "neither a unique_ptr nor make_shared shows a measurable difference from a plain pointer"
    else:
        unique, made = (phrases.against([estimate], "a plain pointer") for estimate in usual)
        text = f"a unique_ptr {unique}; make_shared {made}"
    apart = phrases.against([compared["shared_ptr"]], "a plain pointer")
    return f"{deed}, {text}; shared_ptr(new …) {apart}"
