"""What does memory cost in the user's own program? The answer in sentences and as a table, from a run of scripts/program.

Every sentence is true whichever way the numbers fall, and stands only where the run has the data for it. A replayed cost is
what the calls take beyond the loop that makes them, once for every call of the recording.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from suite.base import phrases
from suite.base.text import bytes_text, interval_text, three_figures, time_text
from suite.results import query
from suite.results.control import CONTROL
from suite.results.end_to_end import MEMORY, NOT_JUDGED, REPLAY, Compared, EndToEnd, finding, read_end_to_end
from suite.results.model import Benchmark, Run
from suite.results.recording import Profile, profile_in
from suite.stats.estimates import Estimate, estimate_difference, estimate_median

ON_STACK = "+stack"
REASON = (
    "The rest is not in the calls, but in caches, in where blocks lie, in page faults, in loading the malloc, or in its own threads."
)
PEAK = "peak_resident_bytes"


@dataclass(frozen=True)
class MallocAnswer:
    """What is known about one malloc in this program."""

    name: str
    is_own: bool  # the program has it anyway
    cost: Estimate | None = None  # ns: all calls of the recording, replayed
    share: Estimate | None = None  # the same, of the program's CPU time
    saved_by_stack: Estimate | None = None  # ns: the same calls, with the stack-like blocks on a stack
    predicted: Estimate | None = None  # the program's CPU time with it, as a multiple of that with its own malloc
    measured: Compared | None = None  # the same, from runs of the program
    not_compared: str = ""  # why there are no such runs
    peak_replayed: Estimate | None = None  # resident bytes

    @property
    def disagrees(self) -> bool:
        """Whether prediction and runs exclude each other beyond their intervals."""
        if self.predicted is None or self.measured is None or self.measured.verdict == NOT_JUDGED:
            return False
        runs = self.measured.cpu
        return self.predicted.high < runs.low or self.predicted.low > runs.high


@dataclass(frozen=True)
class ProgramAnswer:
    """The answer; parts that were not measured are None, and `missing` says why."""

    name: str
    run: Run
    end_to_end: EndToEnd | None
    profile: Profile | None
    mallocs: tuple[MallocAnswer, ...]
    missing: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not self.missing

    @property
    def title(self) -> str:
        """The name of the program, and that of its process that was recorded, where it is another."""
        recorded = self.profile.name if self.profile is not None else self.name
        return self.name if recorded == self.name else f"{recorded} in {self.name}"

    @property
    def usual(self) -> MallocAnswer | None:
        """Its own malloc; where it has none of the list, or several, the system's."""
        system = self.run.context.get("process_malloc")
        own = next((malloc for malloc in self.mallocs if malloc.is_own), None)
        return own or next((malloc for malloc in self.mallocs if malloc.name == system and malloc.cost is not None), None)

    @property
    def sentences(self) -> list[str]:
        return list(_sentences(self))

    @property
    def notes(self) -> list[str]:
        notes = self.end_to_end.notes if self.end_to_end is not None else ()
        return [*self.missing, *(f"{self._begun(note).rstrip('.')}." for note in notes)]

    def _begun(self, sentence: str) -> str:
        """With a capital, unless the program's name begins it."""
        return sentence if sentence.startswith(self.name) else phrases.begun(sentence)


def answer(run: Run) -> ProgramAnswer | None:
    """None where the run is not of a user's program."""
    measured, profile = read_end_to_end(run), profile_in(run)
    if measured is None:
        return None
    name = measured.name
    replayed = {benchmark.name.strategy or "": benchmark for benchmark in run.series(REPLAY)}
    memory = query.by_strategy(run.series(MEMORY))
    names = list(dict.fromkeys([*run.mallocs(), *(compared.malloc for compared in measured.compared)]))
    replays = _Replays(replayed, profile, measured)
    mallocs = tuple(_malloc(malloc, replays, memory) for malloc in names)
    shown = tuple(malloc for malloc in mallocs if malloc.cost is not None or malloc.measured is not None)
    return ProgramAnswer(name, run, measured, profile, shown, tuple(_missing(run, measured, profile, replayed)))


def _missing(run: Run, measured: EndToEnd, profile: Profile | None, replayed: Mapping[str, Benchmark]) -> Iterator[str]:
    if measured.problem:
        yield f"No malloc was compared: {measured.problem}."
    written = run.context["program"].get("recording")
    problem = str(written.get("problem", "")) if isinstance(written, Mapping) else ""
    if profile is None:
        yield f"Nothing was recorded: {problem or 'the run was interrupted before'}."
    elif not replayed:
        yield f"Nothing was replayed: {problem or 'the run was interrupted before'}."
    for failure in run.failed:
        yield f"Failed: {failure.reason}."


@dataclass(frozen=True)
class _Replays:
    """The replayed benchmarks, and what they are held against."""

    by_strategy: Mapping[str, Benchmark]
    profile: Profile | None
    measured: EndToEnd

    @property
    def calls(self) -> float:
        return float(self.profile.all_calls) if self.profile is not None else 0.0

    @property
    def cpu_ns(self) -> float | None:
        """The program's CPU time; only where one thread made all calls, so that the replay's time is CPU time too."""
        alone = self.profile is not None and self.profile.lanes == 1
        own = self.measured.own
        return own.cpu_ns.median if alone and own is not None and own.cpu_ns.median > 0.0 else None

    def more(self, above: str, below: str) -> Estimate | None:
        """By how much all calls take longer with one strategy than with the other, in ns."""
        both = [self.by_strategy.get(name) for name in (above, below)]
        if both[0] is None or both[1] is None or not self.calls:
            return None
        return _scaled(estimate_difference(both[0].times, both[1].times), self.calls)

    def of_cpu(self, ns: Estimate | None) -> Estimate | None:
        return None if ns is None or self.cpu_ns is None else _scaled(ns, 1 / self.cpu_ns)

    def predicted(self, malloc: str) -> Estimate | None:
        more = self.of_cpu(self.more(malloc, self.measured.own_malloc))
        return None if more is None else Estimate(1 + more.median, 1 + more.low, 1 + more.high, more.coverage, more.n)


def _malloc(name: str, replays: _Replays, memory: Mapping[str, Benchmark]) -> MallocAnswer:
    measured = replays.measured
    is_own = name == measured.own_malloc and all(compared.malloc != name for compared in measured.compared)
    cost = replays.more(name, CONTROL)
    peaks = memory[name].counter(PEAK) if name in memory else ()
    return MallocAnswer(
        name=name,
        is_own=is_own,
        cost=cost,
        share=replays.of_cpu(cost),
        saved_by_stack=replays.more(name, f"{name}{ON_STACK}"),
        predicted=None if is_own else replays.predicted(name),
        measured=next((compared for compared in measured.compared if compared.malloc == name), None),
        not_compared=measured.not_compared.get(name, ""),
        peak_replayed=estimate_median(peaks) if peaks else None,
    )


def _scaled(estimate: Estimate, by: float) -> Estimate:
    return Estimate(estimate.median * by, estimate.low * by, estimate.high * by, estimate.coverage, estimate.n)


# ---- in sentences


def _sentences(answered: ProgramAnswer) -> Iterator[str]:
    yield from _what_it_asks(answered)
    yield from _what_it_costs(answered)
    yield from _what_another_changes(answered)
    yield from _what_a_stack_saves(answered)
    yield from _what_disagrees(answered)


def _what_it_asks(answered: ProgramAnswer) -> Iterator[str]:
    profile, measured = answered.profile, answered.end_to_end
    own = measured.own if measured is not None else None
    time = f" in {time_text(own.cpu_ns.median)} of CPU time" if own is not None else ""
    if profile is None:
        if own is not None:
            yield f"{answered.name} takes {time_text(own.cpu_ns.median)} of CPU time."
        return
    threads = f", from {profile.threads:,} threads" if profile.threads > 1 else ""
    time += " of all processes" if time and answered.title != answered.name else ""
    yield (
        f"{answered.title} makes {number(profile.all_calls)} calls of malloc, free and their kin{time}{threads}: it takes "
        f"{number(profile.allocations)} blocks, half of them of at most {bytes_text(profile.sizes.p50)}, and at most "
        f"{bytes_text(profile.live.peak_bytes)} are live at once."
    )


def _what_it_costs(answered: ProgramAnswer) -> Iterator[str]:
    costs = {malloc.name: malloc for malloc in answered.mallocs if malloc.cost is not None}
    if not costs:
        return
    best = min(costs.values(), key=lambda malloc: malloc.cost.median if malloc.cost else 0.0)
    first = answered.usual if answered.usual is not None and answered.usual.name in costs else best
    texts = [f"{_cost_text(malloc)} with {phrases.plain(malloc.name)}" for malloc in dict.fromkeys((first, best))]
    yield f"Replayed, these calls cost {phrases.joined(texts)}."


def _cost_text(malloc: MallocAnswer) -> str:
    if malloc.share is not None:
        return f"{share_text(malloc.share)} of its CPU time"
    assert malloc.cost is not None
    return _time(malloc.cost)


def _what_another_changes(answered: ProgramAnswer) -> Iterator[str]:
    measured = answered.end_to_end
    if measured is not None and measured.compared:
        yield f"{finding(measured)}."


def _what_a_stack_saves(answered: ProgramAnswer) -> Iterator[str]:
    profile = answered.profile
    if profile is None or not profile.allocations:
        return
    share = profile.stack_like.blocks / profile.allocations
    text = f"{phrases.share(share)} of its blocks die last in, first out, so that a stack could have served them"
    usual = answered.usual
    saved = usual.saved_by_stack if usual is not None else None
    if usual is not None and saved is not None and saved.has_interval and saved.low > 0.0:
        text += f": with {phrases.plain(usual.name)}, that would save {_time(saved)}"
    elif saved is not None:
        text += ", which would save no measurable time"
    region = profile.region_like.blocks / profile.allocations
    yield f"{text}; {phrases.share(region)} die in bursts that empty what was taken since a moment, as in an arena."


def _what_disagrees(answered: ProgramAnswer) -> Iterator[str]:
    if texts := disagreements(answered):
        yield (
            f"The replay predicts another CPU time of {answered.title} than its runs show: {phrases.joined(texts)}. {REASON}"
        )


def disagreements(answered: ProgramAnswer) -> list[str]:
    """A phrase for each malloc of which replay and runs exclude each other."""
    return [
        f"{ratio_text(malloc.predicted)} predicted, {ratio_text(malloc.measured.cpu)} measured with {phrases.plain(malloc.name)}"
        for malloc in answered.mallocs
        if malloc.disagrees and malloc.predicted is not None and malloc.measured is not None
    ]


def number(count: float) -> str:
    """`5.4 million`: three figures, as people say them."""
    for scale, word in ((1e9, "billion"), (1e6, "million")):
        if count >= scale:
            return f"{three_figures(count / scale)} {word}"
    return f"{count:,.0f}"


def ratio_text(ratio: Estimate) -> str:
    """`0.987 times (0.981 to 0.993)`."""
    return _factor(ratio).replace(" ", " times ", 1) if ratio.has_interval else f"{_factor(ratio)} times"


def share_text(share: Estimate) -> str:
    """`1.7 % (1.6 to 1.8 %)`."""
    low, middle, high = (phrases.at_most_two_figures(100 * value) for value in (share.low, share.median, share.high))
    return with_interval(f"{middle}{phrases.NO_BREAK}%", f"{low} to {high}{phrases.NO_BREAK}%" if share.has_interval else "")


def with_interval(text: str, interval: str) -> str:
    return f"{text} ({interval})" if interval else text


# ---- as a table

HEADINGS = ("malloc", "CPU time of the program", "peak memory", "replayed calls", "CPU time by replay", "a stack would save")
ABOUT_TABLE = (
    "Times are multiples of the program's own malloc, below 1 is better. Replayed calls: what all recorded calls cost; CPU time by "
    "replay: what the program would take if nothing but the calls changed."
)


def as_rows(answered: ProgramAnswer) -> list[tuple[str, ...]]:
    """A row for each malloc, under HEADINGS."""
    return [_row(malloc) for malloc in answered.mallocs]


def _row(malloc: MallocAnswer) -> tuple[str, ...]:
    measured = malloc.measured
    runs = (malloc.not_compared, "")
    if malloc.is_own:
        runs = ("its own", "")
    elif measured is not None:
        peak = f"{measured.peak_resident.median:.2f}" if measured.peak_resident is not None else ""
        runs = (f"{_factor(measured.cpu)}, {measured.verdict}", peak)
    return (
        phrases.plain(malloc.name),
        *runs,
        "" if malloc.cost is None else _time(malloc.cost),
        "" if malloc.predicted is None else _factor(malloc.predicted),
        _saving(malloc.saved_by_stack),
    )


def profile_rows(profile: Profile) -> list[tuple[str, str]]:
    """What the program asks of malloc: the names of figures, and their texts."""
    calls = {key: f"{count:,} {key.replace('_', ' ')}" for key, count in profile.calls.items() if count}
    sizes, lifetimes, live = profile.sizes, profile.lifetimes, profile.live
    rows = [
        ("calls", ", ".join(calls.values())),
        ("block sizes", f"half at most {bytes_text(sizes.p50)}, 90 % at most {bytes_text(sizes.p90)}, 99 % at most "
         f"{bytes_text(sizes.p99)}, largest {bytes_text(sizes.max)}; {bytes_text(profile.bytes)} in all"),
        ("lifetimes", f"half at most {lifetimes.p50:,} further allocations, 90 % at most {lifetimes.p90:,}, 99 % at most "
         f"{lifetimes.p99:,}"),
        ("live", f"at most {bytes_text(live.peak_bytes)} and {live.peak_blocks:,} blocks; at the end "
         f"{bytes_text(live.final_bytes)} and {live.final_blocks:,} blocks"),
    ]  # fmt: skip
    parts = {
        "stack-like": profile.stack_like, "temporary": profile.temporary, "region-like": profile.region_like,
        "freed by another thread": profile.freed_by_other, "never freed": profile.never_freed,
    }  # fmt: skip
    rows += [
        (name, f"{phrases.share(part.blocks / profile.allocations)} of the blocks, {phrases.share(part.bytes / profile.bytes)} of the bytes")
        for name, part in parts.items()
        if profile.allocations and profile.bytes
    ]
    unseen = [("not recorded", f"{profile.unseen:,} calls")] if profile.unseen else []
    return [*rows, *unseen, *([] if profile.ended in ("exit", "quick_exit") else [("the recording ends by", profile.ended)])]


def profile_table(profile: Profile) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for row in profile_rows(profile):
        table.add_row(*(Text(cell) for cell in row))
    return table


SUMMARY_HEADINGS = (
    "program", "calls", "CPU time", "peak live", "stack-like", "region-like", "its malloc", "cost of the calls",
    "a stack would save", "best malloc by runs", "the same by replay",
)  # fmt: skip


def summary_row(answered: ProgramAnswer) -> tuple[str, ...]:
    """The answer in one row, under SUMMARY_HEADINGS. Empty where it is not known."""
    profile, own = answered.profile, answered.usual
    figures = answered.end_to_end.own if answered.end_to_end is not None else None
    compared = [malloc for malloc in answered.mallocs if malloc.measured is not None]
    best = min(compared, key=lambda malloc: malloc.measured.cpu.median if malloc.measured else 0.0, default=None)
    shares = ("", "") if profile is None else tuple(
        "" if (share := profile.share(part)) is None else phrases.share(share)
        for part in (profile.stack_like, profile.region_like)
    )  # fmt: skip
    return (
        answered.title,
        "" if profile is None else number(profile.all_calls),
        "" if figures is None else time_text(figures.cpu_ns.median),
        "" if profile is None else bytes_text(profile.live.peak_bytes),
        *shares,
        "another, or several" if own is None or not own.is_own else phrases.plain(own.name),
        "" if own is None or own.cost is None else _cost_text(own) + ("" if own.is_own else f" with {phrases.plain(own.name)}"),
        "" if own is None else _saving(own.saved_by_stack),
        "" if best is None or best.measured is None
        else f"{phrases.plain(best.name)} {_factor(best.measured.cpu)}, {best.measured.verdict}",
        "" if best is None or best.predicted is None else _factor(best.predicted),
    )  # fmt: skip


def _factor(ratio: Estimate) -> str:
    return with_interval(f"{ratio.median:.3f}", f"{ratio.low:.3f} to {ratio.high:.3f}" if ratio.has_interval else "")


def _saving(saved: Estimate | None) -> str:
    if saved is None:
        return ""
    return "nothing measurable" if saved.has_interval and saved.low <= 0.0 else _time(saved)


def _time(ns: Estimate) -> str:
    return with_interval(time_text(ns.median), interval_text(ns))


def as_table(answered: ProgramAnswer) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in HEADINGS:
        table.add_column(heading)
    for row in as_rows(answered):
        table.add_row(*(Text(cell) for cell in row))
    return table
