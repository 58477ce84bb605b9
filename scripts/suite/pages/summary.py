"""What did the run find? A few figures that answer the suite's main questions, and what limits them.

Every sentence is true whichever way the numbers fall, and stands only where the run has the data for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from suite.base import phrases
from suite.base.text import bytes_text, interval_text, three_figures, time_text
from suite.results import caches, control, numbers, query
from suite.results.control import CONTROL
from suite.results.model import Benchmark, Run, cache_levels
from suite.stats.estimates import (
    Difference,
    Estimate,
    estimate_median,
    estimate_ratio,
    median,
    median_interval,
    noise_of,
)

SMALLEST_CLOCK_MOVE = 0.02  # under this the drift of the clock is smaller than most intervals


@dataclass(frozen=True)
class Finding:
    """One figure: `subject` costs `value`. Without a value, `words` say why the figure is missing."""

    topic: str
    subject: str
    value: Estimate | None = None  # in ns
    cycles: float | None = None
    words: str = ""  # the comparison
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Topic:
    """A question, the family that answers it, and the function that reads the answer from a run."""

    title: str
    family: str
    find: Callable[[Run, Topic], Iterator[Finding]]

    def benchmark(self, run: Run, rest: str) -> Benchmark | None:
        """The family's benchmark whose name ends so."""
        return run.get(f"{self.family}/{rest}")

    def finding(self, run: Run, subject: str, benchmark: Benchmark, words: str = "") -> Finding:
        cycles = median(benchmark.cycles) if benchmark.cycles else None
        notes = tuple(_notes(run, benchmark))
        return Finding(self.title, subject, estimate_median(benchmark.times), cycles, words, notes)


def findings(run: Run) -> list[Finding]:
    """Everything the run has the data for, by topic."""
    return [finding for topic in TOPICS for finding in topic.find(run, topic)]


# ---- the topics: how each reads its family

LENT, LENT_AND_ARENA = "stack_array", ("stack_array", "alloca", "arena")


def _block_of_64_bytes(run: Run, topic: Topic) -> Iterator[Finding]:
    measured = query.by_strategy(run.series(topic.family, None, bytes=64, touch="first"))
    shown = [name for name in (CONTROL, *LENT_AND_ARENA, *run.mallocs()) if name in measured]
    left = control.beyond_control(run, measured)
    for name in shown:
        if name == CONTROL:
            words = "the control: makes no block"
        elif name in left:
            words = in_words(left[name], "the control")
        else:
            words = compared(run, measured[name], measured.get(LENT), LENT)
        yield topic.finding(run, name, measured[name], words)


def _latency(run: Run, topic: Topic) -> Iterator[Finding]:
    by_bytes = caches.chased(run)
    if not by_bytes:
        return
    shown = caches.caches_of(run)
    base = by_bytes[shown.levels[0].size] if shown.levels else None
    base_name = f"the {shown.levels[0].name} cache" if shown.levels else ""

    def finding(subject: str, benchmark: Benchmark, *remarks: str) -> Finding:
        words = "; ".join(filter(None, (compared(run, benchmark, base, base_name), *remarks)))
        return topic.finding(run, subject, benchmark, words)

    for level in shown.levels:
        yield finding(f"{level.name} cache ({bytes_text(level.size)} of data)", by_bytes[level.size], level.text)
    for hidden in shown.hidden:
        if hidden.size is not None:
            yield finding(f"{bytes_text(hidden.size)} of data", by_bytes[hidden.size], hidden.text)
    largest = max(by_bytes)
    data = f"{bytes_text(largest)} of data"
    if shown.is_memory(largest):
        walks = "" if query.on_huge_pages({"": by_bytes[largest]}) else "includes page walks"
        yield finding(f"memory ({data})", by_bytes[largest], walks)
        if largest in (in_windows := caches.chased_in_windows(run)):
            yield finding(f"memory, few page walks ({data})", in_windows[largest], caches.WINDOW_TEXT)
    elif not cache_levels(run):
        yield finding(data, by_bytes[largest], "cache sizes are unknown here")
    else:
        last = max(size for _, size in cache_levels(run))
        beyond = f"the last cache has {bytes_text(last)}, the largest data here {bytes_text(largest)}"
        yield Finding(topic.title, "memory", words=f"not reached: {beyond}")


def _pointers(run: Run, topic: Topic) -> Iterator[Finding]:
    in_order, at_random = caches.chased(run, "sequential"), caches.chased(run)
    common = in_order.keys() & at_random.keys()
    if common:
        size = max(common)
        data = f"{bytes_text(size)} of nodes"
        yield topic.finding(run, f"{data}, in order", in_order[size])
        words = compared(run, at_random[size], in_order[size], "the walk in order")
        yield topic.finding(run, f"{data}, at random", at_random[size], words)


def _containers(run: Run, topic: Topic) -> Iterator[Finding]:
    vector = topic.benchmark(run, "vector/count:100000/payload:8")
    shuffled = topic.benchmark(run, "list_shuffled/count:100000/payload:8")
    if vector is not None and shuffled is not None:
        yield topic.finding(run, "element of a vector of 100,000", vector)
        yield topic.finding(run, "element of a shuffled list", shuffled, compared(run, shuffled, vector, "the vector"))


def _scaling(run: Run, topic: Topic) -> Iterator[Finding]:
    """With as many threads as have a core each. What the cores do to the control is not due to the memory."""
    measured = [number for number in query.numbers(run, "threads", topic.family) if number <= (run.fact("cores") or 0)]
    if not measured or measured[-1] < 2:
        return
    most = measured[-1]
    names = (CONTROL, LENT, *run.mallocs())
    workload = query.longest(run, topic.family, "life")
    several = query.by_strategy(run.series(topic.family, None, threads=most, **workload))
    grown = control.growths(run, topic.family, names, most, **workload)
    for name in names:
        ratio = grown.control if name == CONTROL else grown.by_strategy[name].ratio if name in grown.by_strategy else None
        if ratio is not None:
            about = "the control: " if name == CONTROL else ""
            words = f"{about}{in_words(ratio, 'one thread')}; 1 is ideal{_beyond_control(grown, name)}"
            yield topic.finding(run, f"{name}, {most} threads", several[name], words)


def _beyond_control(grown: control.Growths, name: str) -> str:
    beyond = grown.by_strategy[name].beyond if name in grown.by_strategy else None
    if beyond is None or not beyond.has_interval:
        return ""
    if not phrases.differs(beyond):
        return "; no measurable difference from the control"
    return f"; {'more' if beyond.median > 1.0 else 'less'} than the control"


def _handoff(run: Run, topic: Topic) -> Iterator[Finding]:
    measured = query.by_strategy(run.series(topic.family, None, pairs=1))
    left = control.beyond_control(run, measured)
    for name in (CONTROL, *run.mallocs()):
        if name in measured:
            more = in_words(left[name], "the queue alone") if name in left else ""
            words = "the control: the queue alone" if name == CONTROL else more
            yield topic.finding(run, name, measured[name], words)


TOPICS = (
    Topic("Taking 64 bytes, touching them and giving them back", "scoped", _block_of_64_bytes),
    Topic("A load that waits for the previous load, in random order", "chase", _latency),
    Topic("Following pointers", "chase", _pointers),
    Topic("Following pointers", "traverse", _containers),
    Topic("Threads that each replace blocks of their own", "private", _scaling),
    Topic("A server's threads, which end and leave their blocks to new threads", "larson", _scaling),
    Topic("Allocating in one thread, freeing in another", "handoff", _handoff),
)


# ---- figures in words


def _notes(run: Run, benchmark: Benchmark) -> Iterator[str]:
    modes = estimate_median(benchmark.times).modes
    if modes is not None:
        yield f"bimodal, {time_text(modes[0])} and {time_text(modes[1])}: the median lies in one of the two modes"
    disturbed = len(run.disturbed_processes(benchmark))
    if disturbed:
        yield f"{disturbed} of {len(benchmark.samples)} disturbed"
    if len(benchmark.samples) < run.account.processes_planned:
        yield f"{len(benchmark.samples)} of {run.account.processes_planned} processes"


def compared(run: Run, benchmark: Benchmark, base: Benchmark | None, base_name: str) -> str:
    """The benchmark against `base`, in words; empty without a base, and for the base itself."""
    if base is None or base is benchmark:
        return ""
    comparison = control.compare_two(run, benchmark, base)
    return in_words(comparison, base_name) if comparison else ""


def in_words(comparison: Estimate, base_name: str) -> str:
    """A ratio or a difference, with its interval, or that no difference is measurable."""
    if isinstance(comparison, Difference):
        interval = interval_text(comparison)
        more = f"{time_text(abs(comparison.median))} {'more' if comparison.median >= 0.0 else 'less'} than {base_name}"
    else:
        interval = f"{three_figures(comparison.low)} to {three_figures(comparison.high)}"
        more = f"{three_figures(comparison.median)} times {base_name}"
    if not comparison.has_interval:
        return more
    if phrases.differs(comparison):
        return f"{more} ({interval})"
    unit = "" if isinstance(comparison, Difference) else " times"
    return f"no measurable difference from {base_name} ({interval}{unit})"


# ---- what to keep in mind


def caveats(run: Run) -> list[str]:
    """What limits the figures: their uncertainty, what disturbed the run, and what is missing from it."""
    return [*_sureness(run), *_disturbances(run), *_changed_processes(run), *missing(run)]


def _sureness(run: Run) -> Iterator[str]:
    if run.processes < 2:
        yield "One process measured each figure: the run has no intervals, and does not show the variation."
        return
    cut, _, coverage = median_interval(run.processes)
    many = f"{cut} " if cut > 1 else ""
    ends = f", without the {many}smallest and the {many}largest" if cut else ""
    of_ratios = estimate_ratio([1.0] * run.processes, [1.0] * run.processes).coverage
    yield (
        f"Figures are medians of {run.processes} processes; an interval goes from smallest to largest{ends}, "
        f"and holds the true median with {coverage:.1%} chance; that of a comparison holds the true ratio "
        f"with {of_ratios:.1%}."
    )
    if run.refined:
        most = max(benchmark.processes_begun for benchmark in run.refined)
        yield (
            f"{len(run.refined)} of the {len(run.series())} benchmarks were measured further, in up to {most} processes, "
            "to decide claims; the intervals of a claim hold its true ratios over all looks at the run."
        )
    scatter = noise_of(benchmark.times for benchmark in run.series())
    if scatter is not None:
        are = "is" if scatter.bimodal == 1 else "are"
        bimodal = f"; {scatter.bimodal} {are} bimodal" if scatter.bimodal else ""
        yield (
            f"Half of the {scatter.benchmarks} benchmarks are known to ±{scatter.typical:.1%} or better, "
            f"nine in ten to ±{scatter.worst_tenth:.1%}{bimodal}."
        )


def _disturbances(run: Run) -> Iterator[str]:
    disturbed = [unit for unit in run.units if unit.disturbed]
    if disturbed:
        worst = max(disturbed, key=lambda unit: unit.taken_by_others)
        yield (
            f"Disturbed, kept and marked: {len(disturbed)} of {len(run.units)} processes; "
            f"the worst: {worst.family}, {', '.join(worst.reasons)}."
        )
    probed = (
        (run.account.shared_cache, "ours", "Others used the last cache during {disturbed} of the {processes} processes that timed "
         "it: a load from it took up to {slowest:.1f} times as long as in a quiet process."),
        (run.account.line_trip, "near", "The cores were farther apart during {disturbed} of the {processes} processes with "
         "threads: a cache line took up to {slowest:.1f} times as long from core to core; a virtual machine's host moves its "
         "processors."),
    )  # fmt: skip
    for account, quiet, sentence in probed:
        if account and account[quiet] < 1.0:
            yield sentence.format(disturbed=round((1 - account[quiet]) * account["processes"]), **account)
    moved = run.account.clock.get("moved", 0.0)
    if moved > SMALLEST_CLOCK_MOVE:
        yield f"The cores' clock moved by {moved:.1%} between processes: cycles are steadier than nanoseconds."


def _changed_processes(run: Run) -> Iterator[str]:
    for name in run.mallocs():
        if changes := run.malloc_changes(name):
            yield f"Loading {name} changes its process: {changes}. No other malloc is measured with that."


def missing(run: Run) -> Iterator[str]:
    """What the run could not measure."""
    if not run.complete:
        yield "The run is incomplete: it was interrupted, or is still going on."
    if run.failed:
        first = run.failed[0]
        text = f"{len(run.failed)} failed; the first: {first.family}, process {first.process}: {first.reason}"
        others = [name for name in failed_of(run) if name != first.subject]
        yield f"{text}; also failed: {few(others)}" if others else text
    if left_out := [failure.left_out for failure in run.failed if failure.left_out]:
        yield f"Not measured any more after it hung: {few(left_out)}"
    for name, reason in run.unavailable_mallocs().items():
        yield f"Not available: {name}: {reason}"


def failed_of(run: Run) -> list[str]:
    """What failed in some process, each once: benchmarks, and families of which a whole process failed."""
    return list(dict.fromkeys(failure.subject for failure in run.failed))


def few(names: Sequence[str], most: int = 5) -> str:
    return f"{', '.join(names[:most])}{f' and {len(names) - most} more' if len(names) > most else ''}"


# ---- in the terminal


def as_tables(rows: Iterable[Finding]) -> list[Table]:
    """A table for each topic, with columns of one width."""
    tables: dict[str, Table] = {}
    for finding in rows:
        table = tables.setdefault(finding.topic, _empty_table(finding.topic))
        table.add_row(*(Text(cell) for cell in _cells(finding)))
    return list(tables.values())


def poster_table(run: Run) -> Table | None:
    """The rows of the poster, in 80 columns; None where the run has the data for none of them."""
    rows = numbers.rows(run)
    if not rows:
        return None
    has_human = any(row.human for row in rows)
    table = Table(title=numbers.TITLE, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("interval", no_wrap=True)
    if has_human:
        table.add_column("if an L1 load\ntook a second", justify="right", no_wrap=True)
    for row in rows:
        time, interval = (row.text, row.interval) if row.is_measurable else ("", row.text)
        table.add_row(*map(Text, (row.words, time, interval, *([row.human] if has_human else []))))
    return table


def _empty_table(topic: str) -> Table:
    table = Table(title=topic, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("", min_width=30)
    table.add_column("median", justify="right", min_width=8)
    table.add_column("interval", justify="right", min_width=16)
    table.add_column("cycles", justify="right", min_width=7)
    table.add_column("compared")
    table.add_column("note", style="yellow")
    return table


def _cells(finding: Finding) -> tuple[str, ...]:
    median_text = interval = ""
    if finding.value is not None:
        median_text = time_text(finding.value.median)
        interval = interval_text(finding.value)
    cycles = "" if finding.cycles is None else three_figures(finding.cycles)
    return finding.subject, median_text, interval, cycles, finding.words, "; ".join(finding.notes)
