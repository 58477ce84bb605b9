"""What it costs when some threads allocate whole batches and others free them, of one size and of mixed sizes."""

from __future__ import annotations

from suite.base import phrases as words
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import model as results
from suite.results import query as selection

FAMILY = "xmalloc"
QUESTION = "What does it cost when whole batches are allocated by some threads and freed by others?"

SIZES = {"64": "Blocks of 64 B", "mixed": "Mixed sizes, 8 B to 2 KiB"}


def draw(run: results.Run, how: Look) -> Drawing | None:
    threads = selection.numbers(run, "threads", FAMILY)
    if not threads:
        return None
    counts = selection.ends([number for number in threads if number <= selection.contending(run, threads)])
    all_panels = (forms.RowsPanel(title, _columns(run, counts, sizes)) for sizes, title in SIZES.items())
    panels = [one for one in all_panels if any(each.values for each in one.columns)]
    rows = {name: one for panel in reversed(panels) for each in panel.columns for name, one in each.values.items()}
    on = Page(run, how, FAMILY)
    forms.dots(on, forms.cheapest_first(rows), *panels, valued=len(counts) == 1)
    subtitle = "One thread allocates batches of 256, another frees them: time per block, log scale; control: the queues"
    return on.finish(_title(run, counts[-1]), subtitle)


def _columns(run: results.Run, counts: list[int], sizes: str) -> list[forms.Column]:
    found = {number: selection.by_strategy(run.series(FAMILY, bytes=sizes, threads=number)) for number in counts}
    return [
        forms.Column(words.count(number, "thread"), selection.medians(each), "o", filled)
        for (number, each), filled in zip(found.items(), (True, False))
    ]


def _title(run: results.Run, threads: int) -> str:
    found = {sizes: selection.by_strategy(run.series(FAMILY, bytes=sizes, threads=threads)) for sizes in SIZES}
    libraries = selection.mallocs(run, FAMILY)
    of_one_size, mixed = (
        {name: one for name, one in each.items() if name in libraries} or each for each in found.values()
    )
    costs = selection.middles(selection.medians(of_one_size or mixed))
    subject = f"{'A block of 64 B' if of_one_size else 'A block'} that another thread frees"
    ratios = list(selection.ratios(mixed, of_one_size).values())
    if not ratios:
        return f"{subject} costs {words.cheapest_and_dearest(costs)}"
    return f"{subject} costs {words.span(costs.values())} by malloc; one of mixed size {words.against(ratios, 'that')}"
