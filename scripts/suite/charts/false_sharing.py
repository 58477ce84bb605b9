"""Does a malloc put blocks of two threads on one cache line, and what does that cost?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "false_sharing"
QUESTION = "Does a malloc put blocks of two threads on one cache line, and what does that cost?"

MODES = {
    "passive": ("handed out, freed, taken again", "o"), "active": ("taken by each", "^"), "kept": ("kept as handed out", "D"),
    "padded": ("padded apart", "s"),
}  # fmt: skip
WRITES = {"plain": False, "atomic": True}  # filled: atomic

ByWrite = Mapping[tuple[str, str], Mapping[str, Benchmark]]


def draw(run: Run, look: Look) -> Drawing | None:
    threads = query.contending(run, query.numbers(run, "threads", FAMILY))
    if threads == 1:
        return None
    benchmarks = {
        (mode, write): query.by_strategy(run.series(FAMILY, mode=mode, write=write, threads=threads))
        for mode in MODES
        for write in WRITES
    }
    costs = _columns(benchmarks, query.medians)
    together = _columns(benchmarks, lambda by_strategy: query.counted(by_strategy, "sharing_threads"))
    rows = forms.figures_of_rows(reversed(costs))
    if not rows:
        return None
    panels = [forms.RowsPanel("Time per write, log scale", costs)]
    if any(column.values for column in together):
        panels.append(forms.RowsPanel("Threads that share a line", together, forms.SHARE))
    page = Page(run, look, FAMILY)
    forms.dots(page, forms.cheapest_first(rows), *panels)
    number = phrases.count(threads, "thread")
    subtitle = (
        f"{number}, each adding to a number in its own 8-byte block, atomically (hollow: plainly); "
        "title: blocks handed out by a thread, freed and taken again by others"
    )
    return page.finish(_title(run, benchmarks), subtitle)


def _columns(
    benchmarks: ByWrite, figures: Callable[[Mapping[str, Benchmark]], dict[str, Estimate]]
) -> list[forms.Column]:
    lanes = {mode: lane for lane, mode in enumerate(MODES)}
    return [
        forms.Column(
            MODES[mode][0] if WRITES[write] else f"{MODES[mode][0]}, plainly",
            figures(by_strategy),
            MODES[mode][1],
            WRITES[write],
            lanes[mode],
            keyed=WRITES[write],
        )
        for (mode, write), by_strategy in benchmarks.items()
    ]


def _title(run: Run, benchmarks: ByWrite) -> str:
    """Of the blocks that a thread hands out, and that other threads take again after they freed them."""
    write = "atomic" if benchmarks["passive", "atomic"] else "plain"
    libraries = query.mallocs(run, FAMILY)
    passive = {name: benchmark for name, benchmark in benchmarks["passive", write].items() if name in libraries}
    shares = query.counted(passive, "sharing_threads")
    malloc = query.malloc_to_name(run, shares)
    if malloc is None:
        costs = query.middles(query.medians(next(by_strategy for by_strategy in benchmarks.values() if by_strategy)))
        return f"A write costs {phrases.cheapest_and_costliest(costs)}"
    sharing = {name: passive[name] for name, share in shares.items() if share.median > 0.0}
    if malloc not in sharing:
        others = f"; {len(sharing)} of {phrases.count(len(shares), 'malloc')} let them share a line" if sharing else ""
        return f"{phrases.plain(malloc)} keeps the blocks of threads on separate cache lines{others}"
    subject = f"{phrases.plain(malloc)} lets threads share a cache line"
    ratio = query.ratios(sharing, benchmarks["padded", write]).get(malloc)
    if ratio is None:
        return subject
    article = "an atomic" if write == "atomic" else "a plain"
    if phrases.none_differs([ratio]):
        return f"{subject}, with no measurable effect on {article} write"
    return f"{subject}: {article} write there {phrases.against([ratio], 'an unshared one')}"
