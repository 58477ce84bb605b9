"""What does it cost if some threads allocate whole batches and others free them, of one size and of mixed sizes?"""

from __future__ import annotations

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import control, query
from suite.results.model import Run

FAMILY = "xmalloc"
QUESTION = "What does it cost when whole batches are allocated by some threads and freed by others?"

SIZES = {"64": "Blocks of 64 B", "mixed": "Mixed sizes, 8 B to 2 KiB"}


def draw(run: Run, look: Look) -> Drawing | None:
    threads = query.numbers(run, "threads", FAMILY)
    if not threads:
        return None
    counts = query.ends([number for number in threads if number <= query.contending(run, threads)])
    all_panels = (forms.RowsPanel(title, _columns(run, counts, sizes)) for sizes, title in SIZES.items())
    panels = [panel for panel in all_panels if any(column.values for column in panel.columns)]
    rows = forms.figures_of_rows(column for panel in reversed(panels) for column in panel.columns)
    page = Page(run, look, FAMILY)
    forms.dots(page, forms.cheapest_first(rows), *panels, valued=len(counts) == 1)
    subtitle = "One thread allocates batches of 256, another frees them: time per block, log scale; control: the queues"
    return page.finish(_title(run, counts[-1]), subtitle)


def _columns(run: Run, counts: list[int], sizes: str) -> list[forms.Column]:
    benchmarks = {number: query.by_strategy(run.series(FAMILY, bytes=sizes, threads=number)) for number in counts}
    return [
        forms.Column(phrases.count(number, "thread"), query.medians(by_strategy), "o", filled)
        for (number, by_strategy), filled in zip(benchmarks.items(), (True, False))
    ]


def _title(run: Run, threads: int) -> str:
    benchmarks = {sizes: query.by_strategy(run.series(FAMILY, bytes=sizes, threads=threads)) for sizes in SIZES}
    libraries = query.mallocs(run, FAMILY)
    of_one_size, mixed = (
        {name: benchmark for name, benchmark in by_strategy.items() if name in libraries} or by_strategy
        for by_strategy in benchmarks.values()
    )
    costs = query.middles(query.medians(of_one_size or mixed))
    subject = f"{'A block of 64 B' if of_one_size else 'A block'} that another thread frees"
    compared = list(control.compare(run, mixed, of_one_size).values())
    if not compared:
        return f"{subject} costs {phrases.cheapest_and_costliest(costs)}"
    left = list(control.beyond_control(run, of_one_size).values())
    cost = f"{phrases.beyond_control(left)} beyond the queues" if left else phrases.span(costs.values())
    return f"{subject} costs {cost} with malloc; a block of mixed size {phrases.against(compared, 'that')}"
