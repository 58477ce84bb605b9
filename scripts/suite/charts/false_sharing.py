"""Whether a malloc puts blocks of two threads on one cache line, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from suite.base import phrases as words
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import model as results
from suite.results import query as selection
from suite.stats.estimates import Estimate

FAMILY = "false_sharing"
QUESTION = "Does a malloc put blocks of two threads on one cache line, and what does that cost?"

MODES = {"passive": ("taken by one thread", "o"), "active": ("taken by each", "^"), "padded": ("padded apart", "s")}
WRITES = {"plain": False, "atomic": True}  # filled: atomic

ByWrite = Mapping[tuple[str, str], Mapping[str, results.Benchmark]]


def draw(run: results.Run, how: Look) -> Drawing | None:
    threads = selection.contending(run, selection.numbers(run, "threads", FAMILY))
    if threads == 1:
        return None
    found = {
        (mode, write): selection.by_strategy(run.series(FAMILY, mode=mode, write=write, threads=threads))
        for mode in MODES
        for write in WRITES
    }
    costs = _columns(found, selection.medians)
    together = _columns(found, lambda each: selection.counted(each, "sharing_threads"))
    rows = {name: one for each in reversed(costs) for name, one in each.values.items()}
    if not rows:
        return None
    panels = [forms.RowsPanel("Time per write, log scale", costs)]
    if any(one.values for one in together):
        panels.append(forms.RowsPanel("Threads that share a line", together, forms.SHARE))
    on = Page(run, how, FAMILY)
    forms.dots(on, forms.cheapest_first(rows), *panels)
    number = words.count(threads, "thread")
    subtitle = f"{number}, each adding to a number in an 8-byte block of its own, atomically (hollow: plainly)"
    return on.finish(_title(run, found), subtitle)


def _columns(
    found: ByWrite, figures: Callable[[Mapping[str, results.Benchmark]], dict[str, Estimate]]
) -> list[forms.Column]:
    lanes = {mode: lane for lane, mode in enumerate(MODES)}
    return [
        forms.Column(MODES[mode][0] if WRITES[write] else "", figures(each), MODES[mode][1], WRITES[write], lanes[mode])
        for (mode, write), each in found.items()
    ]


def _title(run: results.Run, found: ByWrite) -> str:
    write = "atomic" if found["passive", "atomic"] else "plain"
    libraries = selection.mallocs(run, FAMILY)
    passive = {name: one for name, one in found["passive", write].items() if name in libraries}
    shares = selection.counted(passive, "sharing_threads")
    if not shares:
        costs = selection.middles(selection.medians(next(each for each in found.values() if each)))
        return f"A write costs {words.cheapest_and_dearest(costs)}"
    sharing = {name: passive[name] for name, share in shares.items() if share.median > 0.0}
    subject = f"Taken by one thread, blocks share a line with {len(sharing)} of {words.count(len(shares), 'malloc')}"
    ratios = list(selection.ratios(sharing, found["padded", write]).values())
    if not ratios:
        return subject
    article = "an atomic" if write == "atomic" else "a plain"
    return f"{subject}; there {article} write {words.against(ratios, 'one that stands apart')}"
