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
DEPTH = "depth"  # blocks on their way


def draw(run: Run, look: Look) -> Drawing | None:
    measured = query.numbers(run, "threads", FAMILY)
    if not measured:
        return None
    threads = query.contending(run, measured)
    all_panels = (forms.RowsPanel(title, _columns(run, threads, sizes)) for sizes, title in SIZES.items())
    panels = [panel for panel in all_panels if panel.columns]
    rows = forms.figures_of_rows(column for panel in reversed(panels) for column in reversed(panel.columns))
    if not rows:
        return None
    page = Page(run, look, FAMILY)
    forms.dots(page, forms.cheapest_first(rows), *panels, valued=all(len(panel.columns) == 1 for panel in panels))
    half = phrases.count(threads // 2, "thread allocates", "threads allocate")
    subtitle = f"{half} batches of 256, as many free them: time per block, log scale; control: the queues"
    return page.finish(_title(run, threads), subtitle)


def _columns(run: Run, threads: int, sizes: str) -> list[forms.Column]:
    """A column for the fewest and for the most blocks on their way, with data."""
    depths: list[int] = query.ends(query.numbers(run, DEPTH, FAMILY))
    workloads: list[dict[str, int]] = [{DEPTH: depth} for depth in depths] or [{}]
    benchmarks = [query.by_strategy(run.series(FAMILY, None, bytes=sizes, threads=threads, **depth)) for depth in workloads]
    return [
        forms.Column(f"{depth[DEPTH]:,} on their way" if depth else "", query.medians(by_strategy), "o", filled)
        for depth, by_strategy, filled in zip(workloads, benchmarks, (True, False))
        if by_strategy
    ]


def _title(run: Run, threads: int) -> str:
    few = {DEPTH: depth for depth in query.numbers(run, DEPTH, FAMILY)[:1]}
    benchmarks = {
        sizes: query.by_strategy(run.series(FAMILY, None, bytes=sizes, threads=threads, **few)) for sizes in SIZES
    }
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
