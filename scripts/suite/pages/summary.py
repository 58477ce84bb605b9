"""What did the run find? A few figures that answer the suite's main questions, and what to keep in mind about them.

Every sentence is true whichever way the numbers fall, and stands only where the run has the data for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from suite.base.text import bytes_text, interval_text, three_figures, time_text
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate, estimate_median, estimate_ratio, median, median_interval, noise_of

BLOCK = "bytes:64/touch:first"
SMALLEST_CLOCK_MOVE = 0.02  # under this the drift of the clock is smaller than most intervals


@dataclass(frozen=True)
class Finding:
    """One figure: `subject` costs `value`. Without a value, `words` say why there is none."""

    topic: str
    subject: str
    value: Estimate | None = None  # in ns
    cycles: float | None = None
    words: str = ""  # the comparison
    notes: tuple[str, ...] = ()


def findings(run: Run) -> list[Finding]:
    """Everything the run has the data for, by topic."""
    return [*_block_of_64_bytes(run), *_latency(run), *_pointers(run), *_scaling(run), *_handoff(run)]


# ---- the topics


def _block_of_64_bytes(run: Run) -> Iterator[Finding]:
    stack = run.get(f"scoped/stack_array/{BLOCK}")
    for name in ("none", "stack_array", "alloca", "arena", *run.mallocs()):
        one = run.get(f"scoped/{name}/{BLOCK}")
        if one is not None:
            words = "the control: makes no block" if name == "none" else compared(one, stack, "stack_array")
            yield _figure(run, "Taking 64 bytes, touching them and giving them back", name, one, words)


def _latency(run: Run) -> Iterator[Finding]:
    topic = "One load that must wait for the one before it, in random order"
    by_bytes = _chase(run, "random")
    if not by_bytes:
        return
    levels = _cache_levels(run, sorted(by_bytes))
    base, base_name = (by_bytes[levels[0][1]], f"the {levels[0][0]}") if levels else (None, "")
    for level, size in levels:
        words = compared(by_bytes[size], base, base_name)
        yield _figure(run, topic, f"{level} ({bytes_text(size)} of data)", by_bytes[size], words)
    last = max((run.fact(f"{key}_bytes") or 0 for key in ("l1d", "l2", "l3")), default=0)
    largest = max(by_bytes)
    if last == 0:
        yield _figure(run, topic, f"{bytes_text(largest)} of data", by_bytes[largest], "cache sizes are unknown here")
    elif largest >= 2 * last:
        words = compared(by_bytes[largest], base, base_name)
        yield _figure(run, topic, f"memory ({bytes_text(largest)} of data)", by_bytes[largest], words)
    else:
        caches = f"the last cache has {bytes_text(last)}, the largest data here {bytes_text(largest)}"
        yield Finding(topic, "memory", words=f"not reached: {caches}")


def _cache_levels(run: Run, sizes: Sequence[int]) -> list[tuple[str, int]]:
    """Each cache level with the largest measured size that fits half of it, and not the level below."""
    levels, below = [], 0
    for name, key in (("L1 cache", "l1d_bytes"), ("L2 cache", "l2_bytes"), ("L3 cache", "l3_bytes")):
        level = run.fact(key) or 0
        fitting = [size for size in sizes if below < size <= level // 2]
        if fitting:
            levels.append((name, max(fitting)))
        below = max(below, level)
    return levels


def _chase(run: Run, order: str) -> dict[int, Benchmark]:
    found = ((one.name.number("bytes"), one) for one in run.series("chase", order=order, home="heap"))
    return {size: one for size, one in found if size is not None}


def _pointers(run: Run) -> Iterator[Finding]:
    topic = "Following pointers"
    in_order, at_random = _chase(run, "sequential"), _chase(run, "random")
    common = in_order.keys() & at_random.keys()
    if common:
        size = max(common)
        data = f"{bytes_text(size)} of nodes"
        yield _figure(run, topic, f"{data}, in order", in_order[size])
        words = compared(at_random[size], in_order[size], "the walk in order")
        yield _figure(run, topic, f"{data}, at random", at_random[size], words)
    vector = run.get("traverse/vector/count:100000/payload:8")
    shuffled = run.get("traverse/list_shuffled/count:100000/payload:8")
    if vector is not None and shuffled is not None:
        yield _figure(run, topic, "element of a vector of 100,000", vector)
        yield _figure(run, topic, "element of a shuffled list", shuffled, compared(shuffled, vector, "the vector"))


def _scaling(run: Run) -> Iterator[Finding]:
    topic = "Threads that each replace blocks of their own"
    cores = run.fact("cores")
    for name in ("stack_array", *run.mallocs()):
        by_threads = {one.name.number("threads"): one for one in run.series("private", name)}
        alone = by_threads.get(1)
        most = max((n for n in by_threads if n is not None and n <= (cores or 0)), default=1)
        together = by_threads.get(most)
        if alone is not None and together is not None and most > 1:
            words = compared(together, alone, "one thread") + "; 1 is ideal"
            yield _figure(run, topic, f"{name}, {most} threads", together, words)


def _handoff(run: Run) -> Iterator[Finding]:
    control = run.get("handoff/none/pairs:1")
    for name in ("none", *run.mallocs()):
        one = run.get(f"handoff/{name}/pairs:1")
        if one is not None:
            words = "the control: the queue alone" if name == "none" else compared(one, control, "the queue alone")
            yield _figure(run, "Allocating in one thread, freeing in another", name, one, words)


def _figure(run: Run, topic: str, subject: str, one: Benchmark, words: str = "") -> Finding:
    cycles = median(one.cycles) if one.cycles else None
    return Finding(topic, subject, estimate_median(one.times), cycles, words, tuple(_notes(run, one)))


def _notes(run: Run, one: Benchmark) -> Iterator[str]:
    humps = estimate_median(one.times).modes
    if humps is not None:
        yield f"two humps, {time_text(humps[0])} and {time_text(humps[1])}: the median lies in one of them"
    disturbed = len(run.disturbed_processes(one))
    if disturbed:
        yield f"{disturbed} of {len(one.samples)} disturbed"
    if len(one.samples) < run.account.processes_planned:
        yield f"{len(one.samples)} of {run.account.processes_planned} processes"


def compared(one: Benchmark, base: Benchmark | None, base_name: str) -> str:
    """`one` as a multiple of `base`, in words; nothing where there is no base, or `one` is it."""
    if base is None or base is one or min((*one.times, *base.times)) <= 0.0:
        return ""
    ratio = estimate_ratio(one.times, base.times)
    if not ratio.has_interval:
        return f"{three_figures(ratio.median)} times {base_name}"
    interval = f"{three_figures(ratio.low)} to {three_figures(ratio.high)}"
    if ratio.holds(1.0):
        return f"not told apart from {base_name} ({interval} times)"
    return f"{three_figures(ratio.median)} times {base_name} ({interval})"


# ---- what to keep in mind


def caveats(run: Run) -> list[str]:
    """What limits the figures: how sure they are, what disturbed the run, and what is missing from it."""
    return [*_sureness(run), *_disturbances(run), *_missing(run)]


def _sureness(run: Run) -> Iterator[str]:
    if run.processes < 2:
        yield "One process measured each figure: there are no intervals, and nothing is said of how it varies."
        return
    cut, _, coverage = median_interval(run.processes)
    ends = f", without the {cut} smallest and the {cut} largest" if cut else ""
    of_ratios = estimate_ratio([1.0] * run.processes, [1.0] * run.processes).coverage
    yield (
        f"Figures are medians of {run.processes} processes; an interval goes from smallest to largest{ends}, "
        f"and holds the true median with {coverage:.1%} chance; that of a comparison holds the true ratio "
        f"with {of_ratios:.1%}."
    )
    scatter = noise_of(one.times for one in run.series())
    if scatter is not None:
        humps = f"; {scatter.bimodal} have two humps" if scatter.bimodal else ""
        yield (
            f"Half of the {scatter.benchmarks} benchmarks are known to ±{scatter.typical:.1%} or better, "
            f"nine in ten to ±{scatter.worst_tenth:.1%}{humps}."
        )


def _disturbances(run: Run) -> Iterator[str]:
    disturbed = [one for one in run.units if one.disturbed]
    if disturbed:
        worst = max(disturbed, key=lambda one: one.taken_by_others)
        yield (
            f"Disturbed, kept and marked: {len(disturbed)} of {len(run.units)} processes; "
            f"the worst: {worst.family}, {', '.join(worst.reasons)}."
        )
    moved = run.account.clock.get("moved", 0.0)
    if moved > SMALLEST_CLOCK_MOVE:
        yield f"The cores' clock moved by {moved:.1%} between processes: cycles are steadier than nanoseconds."


def _missing(run: Run) -> Iterator[str]:
    if not run.complete:
        yield "The run is incomplete: it was interrupted, or is still going on."
    if run.failed:
        first = run.failed[0]
        yield f"{len(run.failed)} failed; the first: {first.family}, process {first.process}: {first.reason}"
    for name, reason in run.unavailable_mallocs().items():
        yield f"Not available: {name}: {reason}"


# ---- in the terminal


def as_tables(found: Iterable[Finding]) -> list[Table]:
    """A table for each topic, with columns of one width."""
    tables: dict[str, Table] = {}
    for one in found:
        table = tables.setdefault(one.topic, _empty_table(one.topic))
        table.add_row(*(Text(cell) for cell in _cells(one)))
    return list(tables.values())


def _empty_table(topic: str) -> Table:
    table = Table(title=topic, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("", min_width=30)
    table.add_column("median", justify="right", min_width=8)
    table.add_column("interval", justify="right", min_width=16)
    table.add_column("cycles", justify="right", min_width=7)
    table.add_column("compared")
    table.add_column("note", style="yellow")
    return table


def _cells(one: Finding) -> tuple[str, ...]:
    median_text = interval = ""
    if one.value is not None:
        median_text = time_text(one.value.median)
        interval = interval_text(one.value)
    cycles = "" if one.cycles is None else three_figures(one.cycles)
    return one.subject, median_text, interval, cycles, one.words, "; ".join(one.notes)


