"""How should records be laid out if a single field is read, or all fields?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import STRONG
from suite.results import query
from suite.results.model import Run
from suite.stats.estimates import Estimate

FAMILY = "layout"
QUESTION = "How should records be laid out: as an array of structs, a struct of arrays, an array of pointers?"

FIELDS = {"one": "one of eight fields", "all": "all fields"}  # filled: one
SUBJECTS = {"one": "one field costs", "all": "all fields together cost"}
LAYOUTS = ("struct_of_arrays", "array_of_structs", "array_of_pointers")


def draw(run: Run, look: Look) -> Drawing | None:
    counts = query.ends(query.numbers(run, "count", FAMILY))
    if not counts:
        return None
    panels = [forms.RowsPanel(f"{count:,} records", _columns(run, count)) for count in counts]
    measured = run.strategies(FAMILY)
    page = Page(run, look, FAMILY)
    rows = [layout for layout in LAYOUTS if layout in measured]
    forms.dots(page, rows, *panels, valued=True, colour_of=lambda layout: STRONG)
    subtitle = "Read 8 B fields of one record after another: time per field, log scale"
    ratios = _structs_to_arrays(run, counts[-1])
    subtitle += f"; title: {counts[-1]:,} records" if ratios else ""
    subtitle += f"; all their fields cost {phrases.as_much([ratios['all']]).rstrip(',')}" if len(ratios) > 1 else ""
    return page.finish(_title(run, counts[-1], ratios), subtitle)


def _columns(run: Run, count: int) -> list[forms.Column]:
    benchmarks = {fields: query.by_strategy(run.series(FAMILY, count=count, fields=fields)) for fields in FIELDS}
    return [
        forms.Column(FIELDS[fields], query.medians(by_strategy), "o", fields == "one", lane)
        for lane, (fields, by_strategy) in enumerate(benchmarks.items())
    ]


def _title(run: Run, count: int, ratios: Mapping[str, Estimate]) -> str:
    if not ratios:
        costs = query.middles(query.medians(query.by_strategy(run.series(FAMILY, count=count))))
        return f"A field of {count:,} records costs {phrases.cheapest_and_costliest(costs)}"
    fields = next(iter(ratios))
    return f"In an array of structs, {SUBJECTS[fields]} {phrases.as_much_as([ratios[fields]], 'in a struct of arrays')}"


def _structs_to_arrays(run: Run, count: int) -> dict[str, Estimate]:
    """What an array of structs costs, against a struct of arrays, by the fields that are read."""
    structs, arrays = (
        {benchmark.name.parameters["fields"]: benchmark for benchmark in run.series(FAMILY, layout, count=count)}
        for layout in ("array_of_structs", "struct_of_arrays")
    )
    ratios = query.ratios(structs, arrays)
    return {fields: ratios[fields] for fields in FIELDS if fields in ratios}
