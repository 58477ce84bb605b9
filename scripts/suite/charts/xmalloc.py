"""What does it cost if some threads allocate whole batches and others free them, of one size and of mixed sizes?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import control, query
from suite.results.model import Benchmark, Run

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
    of_mallocs = _of_mallocs(run, threads)
    return page.finish(_title(run, *of_mallocs), f"{subtitle}{_over_all(run, *of_mallocs)}")


def _columns(run: Run, threads: int, sizes: str) -> list[forms.Column]:
    """A column for the fewest and for the most blocks on their way, with data."""
    depths: list[int] = query.ends(query.numbers(run, DEPTH, FAMILY))
    workloads: list[dict[str, int]] = [{DEPTH: depth} for depth in depths] or [{}]
    benchmarks = [
        query.by_strategy(run.series(FAMILY, None, bytes=sizes, threads=threads, **depth)) for depth in workloads
    ]
    return [
        forms.Column(f"{depth[DEPTH]:,} on their way" if depth else "", query.medians(by_strategy), "o", filled)
        for depth, by_strategy, filled in zip(workloads, benchmarks, (True, False))
        if by_strategy
    ]


def _of_mallocs(run: Run, threads: int) -> tuple[dict[str, Benchmark], dict[str, Benchmark]]:
    """Of one size and of mixed sizes, with the fewest blocks on their way."""
    few = {DEPTH: depth for depth in query.numbers(run, DEPTH, FAMILY)[:1]}
    benchmarks = {
        sizes: query.by_strategy(run.series(FAMILY, None, bytes=sizes, threads=threads, **few)) for sizes in SIZES
    }
    libraries = query.mallocs(run, FAMILY)
    of_one_size, mixed = (
        {name: benchmark for name, benchmark in by_strategy.items() if name in libraries} or by_strategy
        for by_strategy in benchmarks.values()
    )
    return of_one_size, mixed


def _title(run: Run, of_one_size: Mapping[str, Benchmark], mixed: Mapping[str, Benchmark]) -> str:
    costs = query.middles(query.medians(of_one_size or mixed))
    subject = f"{'A block of 64 B' if of_one_size else 'A block'}"
    malloc = query.malloc_to_name(run, of_one_size)
    left = control.beyond_control(run, of_one_size)
    if malloc is None:
        return f"{subject} that another thread frees costs {phrases.cheapest_and_costliest(costs)}"
    cost = phrases.short_time(costs[malloc])
    if malloc in left:
        cost = f"{phrases.beyond_control([left[malloc]])} beyond the queues"
    return f"{subject} from {phrases.plain(malloc)} that another thread frees costs {cost}"


def _over_all(run: Run, of_one_size: Mapping[str, Benchmark], mixed: Mapping[str, Benchmark]) -> str:
    """The end of the subtitle: all mallocs, and mixed sizes against a single size."""
    left = control.beyond_control(run, of_one_size)
    text = f"; beyond them, {phrases.beyond_control(list(left.values()))} over all mallocs" if len(left) > 1 else ""
    compared = control.compare(run, mixed, of_one_size)
    return f"{text}{phrases.over_all(compared, 'mixed sizes against 64 B')}"
