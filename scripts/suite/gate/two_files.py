"""What do two run files say of each other? The weaker way to judge a change: the unit is the process.

Files are measured at different times, and between them the machine drifts. So a change counts when it shows in
nanoseconds and in cycles of the clock there was: a change of the clock moves only one of them.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from suite.base.errors import BadInput
from suite.base.text import one_line
from suite.gate.comparison import BETTER, SAME, UNDECIDED, WORSE, Comparison, Judgement
from suite.gate.pairs_file import Side
from suite.results.metrics import TIME, Metric, metrics_of
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate, estimate_ratio, find_modes, median
from suite.stats.multiple import significant
from suite.stats.permutation import PValues, permutation_p_values
from suite.stats.rank_sum import rank_sum_p

METHOD = "two files"
FEWEST_PROCESSES = 5
THRESHOLD = 0.05
FALSE_DISCOVERIES = 0.01  # so about one comparison in a hundred of a thing with itself finds something worse
OWN_CHANCE = 0.025  # that a benchmark's own ranks would differ so much, to one side
SMALLEST_CONTROL_MOVE = 0.02  # less is within what the controls move from process to process

# What must be the same for two files to be comparable. Not the clock's speed, which drifts, nor the host's name, which
# containers draw anew; those are said.
_MACHINE = (
    "cpu_model", "architecture",
    "topology", "cores", "processing_units", "num_cpus", "l1d_bytes", "l2_bytes", "l3_bytes", "page_bytes",
    "transparent_hugepages",
)  # fmt: skip
_BUILD = ("compiler", "build_flags", "build_type", "suite_version")
_METHOD = ("profile", "pinning", "seed", "min_time", "process_malloc", "preloaded")

_MOST_CANDIDATES = 400  # for a likely new name, looked at for each missing benchmark
_MOST_RENAMES = 50


@dataclass(frozen=True)
class Rules:
    """How strictly two files are compared."""

    threshold: float = THRESHOLD  # the smallest change that matters, as a share
    only: str | None = None  # a regular expression for the names
    across: bool = False  # compare different machines, compilers or libraries all the same
    allow_missing: bool = False


def compare(base: Run, new: Run, by: Rules = Rules()) -> Comparison:
    """The verdict on each figure that both files have. Raises BadInput when they cannot be compared at all."""
    differences = list(_differences(base, new))
    if differences and not by.across:
        raise BadInput(
            f"{new.path} cannot be compared with {base.path}: {'; '.join(differences)} (--across compares all the same)"
        )
    olds, news = _chosen(base, by.only), _chosen(new, by.only)
    if not olds and not news:
        raise BadInput(f"neither {base.path} nor {new.path} has a benchmark that matches {by.only!r}")
    gaps = list(_gaps(base, new, olds, news))
    rows, unjudged = _rows(base, new, olds, news)
    judgements = _judge([one for one in rows if not one.problem], by.threshold)
    gaps += [f"{one.name}: {one.problem}" for one in rows if one.problem]
    moved = _control_move(judgements)
    trusted = by.across or abs(math.log(moved or 1.0)) <= math.log1p(by.threshold)
    problems = [] if by.allow_missing else gaps
    if not judgements:
        problems = gaps + ["nothing is left to judge"]
    return Comparison(
        method=METHOD,
        old=_side(base),
        new=_side(new),
        judgements=tuple(judgements),
        problems=tuple(problems),
        warnings=(
            *(f"compared across: {one}" for one in differences),
            *((f"left out: {one}" for one in gaps) if by.allow_missing and judgements else ()),
            *unjudged,
            *_caveats(base, new, olds, news, moved, trusted),
        ),
        trusted=trusted,
    )


# ---- may they be compared?


def _differences(base: Run, new: Run) -> Iterator[str]:
    for key in (*_MACHINE, *_BUILD, *_METHOD):
        old_text, new_text = (one_line(str(one.context.get(key, "not told"))) for one in (base, new))
        if old_text != new_text:
            yield f"{key.replace('_', ' ')} was {old_text}, is {new_text}"
    olds, news = base.mallocs(), new.mallocs()
    for name in sorted(olds.keys() & news.keys()):
        old_text, new_text = (one_line(text.partition(" ")[0]) for text in (olds[name], news[name]))
        if old_text != new_text:
            yield f"malloc {one_line(name)} was {old_text}, is {new_text}"


def _chosen(of: Run, only: str | None) -> dict[str, Benchmark]:
    if only is None:
        return dict(of.by_name)
    try:
        wanted = re.compile(only)
    except (re.error, RecursionError) as error:
        raise BadInput(f"--only {only!r} is no regular expression: {error}") from None
    return {name: one for name, one in of.by_name.items() if wanted.search(name)}


def _gaps(base: Run, new: Run, olds: Mapping[str, Benchmark], news: Mapping[str, Benchmark]) -> Iterator[str]:
    """What stands in one file only, or failed in one."""
    missing = [name for name in olds if name not in news]
    added = [name for name in news if name not in olds]
    kept_families = {_family(name) for name in news}
    for place, name in enumerate(missing):
        likely = [each for each in added if _may_be(name, each, kept_families)] if place < _MOST_RENAMES else []
        similar = difflib.get_close_matches(name, likely[:_MOST_CANDIDATES], 1)
        yield f"{name}: missing in {new.path}" + (f"; renamed to {similar[0]}?" if similar else "")
    for of, found in ((base, olds), (new, news)):
        for name, one in found.items():
            if one.errors:
                yield f"{name}: failed in {of.path}: {one.errors[0]}"


def _may_be(missing: str, added: str, kept_families: Collection[str]) -> bool:
    """A benchmark may have got a new name in its family, or with its family."""
    return _family(added) == _family(missing) or _family(missing) not in kept_families


def _family(name: str) -> str:
    return name.partition("/")[0]


# ---- the figures

_Samples = tuple[tuple[float, ...], tuple[float, ...]]  # old and new, by process


@dataclass(frozen=True)
class _row:
    """One figure of one benchmark on both sides."""

    name: str
    of: Metric
    old: tuple[float, ...]
    new: tuple[float, ...]
    others: Mapping[str, _Samples] = field(default_factory=dict)  # cycles and instructions
    disturbed: str = ""  # which side mostly was, when it was measured
    problem: str = ""

    def measures(self) -> Iterator[tuple[str, _Samples]]:
        """What decides, as costs: where less is worse, old and new change places."""
        yield "time", (self.old, self.new) if self.of.more_is_worse else (self.new, self.old)
        if "cycles" in self.others:
            yield "cycles", self.others["cycles"]


def _rows(
    base: Run, new_run: Run, olds: Mapping[str, Benchmark], news: Mapping[str, Benchmark]
) -> tuple[list[_row], list[str]]:
    """Every figure of the benchmarks that both sides measured, and what is to be said of those without any."""
    rows, without = [], []
    for name, old in olds.items():
        new = news.get(name)
        if new is None or not old.samples or not new.samples:
            continue  # said by _gaps
        found = list(dict.fromkeys((*metrics_of(old), *metrics_of(new))))
        disturbed = _disturbed(base, old, "old") or _disturbed(new_run, new, "new")
        rows += [_row_of(each, old, new, disturbed) for each in found]
        without += [] if found else [name]
    said = [f"not judged, for they have no figure of their own: {_few(without)}"] if without else []
    return rows, said


def _disturbed(of: Run, one: Benchmark, which: str) -> str:
    disturbed = len(of.disturbed_processes(one))
    mostly = 2 * disturbed > len(one.samples)
    return f"{disturbed} of {len(one.samples)} processes of the {which} side were disturbed" if mostly else ""


def _row_of(each: Metric, old: Benchmark, new: Benchmark, disturbed: str) -> _row:
    values = each.values(old), each.values(new)
    name = each.named(old.name.text)
    fewest = min(len(one) for one in values)
    if fewest < FEWEST_PROCESSES:
        return _row(name, each, *values, problem=_too_few(values, old, new))
    if min((*values[0], *values[1])) <= 0.0:
        return _row(name, each, *values, problem=f"{each.counter or 'a time'} is not above zero, so it has no ratio")
    others = dict(_counted(old, new)) if each == TIME else {}
    return _row(name, each, *values, others, disturbed)


def _too_few(values: _Samples, old: Benchmark, new: Benchmark) -> str:
    if min(len(old.samples), len(new.samples)) >= FEWEST_PROCESSES:
        return f"the figure is missing or not finite in some processes ({len(values[0])} and {len(values[1])} have it)"
    processes = f"{len(values[0])} and {len(values[1])} processes"
    return f"{processes}: {FEWEST_PROCESSES} a side are the fewest that can be judged"


def _counted(old: Benchmark, new: Benchmark) -> Iterator[tuple[str, _Samples]]:
    """What else tells a change: cycles by the addition timed beside, which count the kernel's work too."""
    additions = old.counter("ns_per_addition"), new.counter("ns_per_addition")
    for key, values in (
        ("cycles", tuple(_per(one.times, each) for one, each in zip((old, new), additions))),
        ("instructions", (old.counter("instructions"), new.counter("instructions"))),
    ):
        complete = len(values[0]) == len(old.samples) and len(values[1]) == len(new.samples)
        if complete and min((*values[0], *values[1])) > 0.0:
            yield key, (values[0], values[1])


def _per(times: Sequence[float], additions: Sequence[float]) -> tuple[float, ...]:
    if len(times) != len(additions) or min(additions, default=0.0) <= 0.0:
        return ()
    return tuple(ns / addition for ns, addition in zip(times, additions))


# ---- the verdicts


@dataclass(frozen=True)
class _measured:
    """One figure in one measure (time, or cycles): its ratio, and how often chance would do as much."""

    ratio: Estimate
    worse: float
    better: float


def _judge(rows: Sequence[_row], threshold: float) -> list[Judgement]:
    """Worse and better need evidence in every measure and an effect over the threshold; same needs equivalence."""
    measures = _measure(rows)
    worse = significant([max(one.worse for one in each.values()) for each in measures], FALSE_DISCOVERIES)
    better = significant([max(one.better for one in each.values()) for each in measures], FALSE_DISCOVERIES)
    return [
        _judgement(row, each, threshold, worse_found, better_found)
        for row, each, worse_found, better_found in zip(rows, measures, worse, better)
    ]


def _measure(rows: Sequence[_row]) -> list[dict[str, _measured]]:
    """Each row in time (or its counter), and where it can be, in cycles."""
    found: list[dict[str, _measured]] = [{} for _ in rows]
    groups: defaultdict[tuple[str, int, int], list[tuple[int, _Samples]]] = defaultdict(list)
    for index, row in enumerate(rows):
        for measure, (old, new) in row.measures():
            groups[measure, len(old), len(new)].append((index, (old, new)))
    for (measure, _, _), members in groups.items():
        pooled = permutation_p_values([sides for _, sides in members], [rows[index].of.unit for index, _ in members])
        for (index, (old, new)), chance in zip(members, pooled):
            found[index][measure] = _measured_one(old, new, chance)
    return found


def _measured_one(old: Sequence[float], new: Sequence[float], pooled: PValues) -> _measured:
    """A benchmark's own ranks must say it as well as the comparison with all others."""
    worse = pooled.rise if rank_sum_p(new, old) <= OWN_CHANCE else 1.0
    better = pooled.fall if rank_sum_p(old, new) <= OWN_CHANCE else 1.0
    return _measured(estimate_ratio(new, old), worse, better)


def _judgement(
    row: _row, measures: Mapping[str, _measured], threshold: float, worse: bool, better: bool
) -> Judgement:
    ratios = {key: one.ratio for key, one in measures.items()}
    if worse and not row.disturbed and all(one.median > 1 + threshold for one in ratios.values()):
        verdict = WORSE
    elif better and not row.disturbed and all(one.median < 1 / (1 + threshold) for one in ratios.values()):
        verdict = BETTER
    elif all(_equivalent(one, threshold) for one in ratios.values()):
        verdict = SAME
    else:
        verdict = UNDECIDED
    humps = [f"two humps in {which}" for which, values in (("old", row.old), ("new", row.new)) if find_modes(values)]
    counted = {key: estimate_ratio(new, old) for key, (old, new) in row.others.items()}
    return Judgement(
        name=row.name,
        verdict=UNDECIDED if humps else verdict,
        ratio=ratios["time"],
        threshold=threshold,
        old_ns=median(row.old),
        new_ns=median(row.new),
        others=counted,
        notes=(*humps, *_notes(row, ratios, threshold)),
        quarantined=bool(humps),
        unit=row.of.unit,
    )


def _equivalent(ratio: Estimate, threshold: float) -> bool:
    return ratio.has_interval and 1 / (1 + threshold) <= ratio.low and ratio.high <= 1 + threshold


def _notes(row: _row, ratios: Mapping[str, Estimate], threshold: float) -> Iterator[str]:
    if not row.of.more_is_worse:
        yield "less is worse here: the ratio is old over new"
    if row.disturbed:
        yield row.disturbed
    cycles = ratios.get("cycles")
    if cycles is not None and not _moved(cycles, threshold) and _moved(ratios["time"], threshold):
        yield "in time but not in cycles: the clock, rather than the code"


def _moved(ratio: Estimate, threshold: float) -> bool:
    return not ratio.holds(1.0) and abs(math.log(ratio.median)) > math.log1p(threshold)


# ---- what to keep in mind


def _control_move(judgements: Sequence[Judgement]) -> float | None:
    """How much the controls, which make no block, moved in time and in cycles alike; None where there are none."""
    controls = [one for one in judgements if "/none/" in one.name and one.unit == "ns"]
    if not controls:
        return None
    time = median(one.ratio.median for one in controls)
    cycles = median(one.others.get("cycles", one.ratio).median for one in controls)
    return min((time, cycles), key=lambda ratio: abs(math.log(ratio))) if (time > 1) == (cycles > 1) else 1.0


def _caveats(
    base: Run,
    new: Run,
    olds: Mapping[str, Benchmark],
    news: Mapping[str, Benchmark],
    moved: float | None,
    trusted: bool,
) -> Iterator[str]:
    if moved is not None and abs(math.log(moved)) > math.log1p(SMALLEST_CONTROL_MOVE):
        consequence = "" if trusted else ": nothing here is to be trusted"
        yield f"the controls, which make no block, moved by {moved - 1:+.1%}{consequence}"
    clock = _clock_move(olds, news)
    if clock is not None and abs(math.log(clock)) > math.log1p(SMALLEST_CONTROL_MOVE):
        yield f"one addition, a cycle of the clock, took {clock - 1:+.1%} time: cycles tell more than nanoseconds"
    added = [name for name in news if name not in olds]
    if added:
        yield f"only in {new.path}, and not compared: {_few(added)}"
    for one in (base, new):
        disturbed = sum(unit.disturbed for unit in one.units)
        if disturbed:
            yield f"{disturbed} of {len(one.units)} measurements in {one.path} were disturbed"
        if not one.complete:
            yield f"{one.path} is incomplete: its run was interrupted"
    hosts = [one_line(str(one.context.get("host_name", ""))) for one in (base, new)]
    if hosts[0] != hosts[1]:
        yield f"the hosts have different names: {hosts[0]} and {hosts[1]}"
    yield (
        f"the files were measured {_apart(base, new)}: between them the machine drifts, which no test on two files "
        "can see; scripts/duet measures both sides in turn"
    )


def _clock_move(olds: Mapping[str, Benchmark], news: Mapping[str, Benchmark]) -> float | None:
    both = [(olds[name], news[name]) for name in olds if name in news]
    pairs = [(old.counter("ns_per_addition"), new.counter("ns_per_addition")) for old, new in both]
    moves = [median(new) / median(old) for old, new in pairs if old and new and min((*old, *new)) > 0.0]
    return median(moves) if moves else None


def _apart(base: Run, new: Run) -> str:
    try:
        first, second = (datetime.fromisoformat(str(one.context.get("date"))) for one in (base, new))
        minutes = (second - first).total_seconds() / 60
    except (ValueError, TypeError, OverflowError):
        return "at different times"
    swapped = ", the new one first" if minutes < 0 else ""
    for length, unit in ((60 * 24, "days"), (60, "hours"), (1, "minutes")):
        if abs(minutes) >= 2 * length:
            return f"{abs(minutes) / length:.0f} {unit} apart{swapped}"
    return f"minutes apart{swapped}"


def _few(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def _side(of: Run) -> Side:
    keys = ("date", "host_name", "compiler", "build_flags", "profile")
    facts = {key: one_line(str(of.context[key])) for key in keys if key in of.context}
    mallocs = {f"malloc {one_line(name)}": one_line(text.partition(" ")[0]) for name, text in of.mallocs().items()}
    return Side(str(of.path), {**facts, "processes": str(of.processes), **mallocs})
