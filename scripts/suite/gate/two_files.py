"""Did a benchmark change between two run files? The weaker way to judge a change: the unit is the process.

The files were measured at different times, and the machine drifts between them. So a change counts only if it shows in
nanoseconds and in cycles of the clock at that time: a change of the clock moves only one of them. Two processors are
compared by time alone: their clocks are part of them.
"""

from __future__ import annotations

import difflib
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from suite.base.cli import pattern_of
from suite.base.errors import BadInput
from suite.base.moments import moment
from suite.base.near_misses import in_expression
from suite.base.text import one_line
from suite.gate.comparison import BETTER, SAME, TWO_FILES, UNDECIDED, WORSE, Comparison, Judgement, last_match
from suite.gate.pairs_file import Side
from suite.results.end_to_end import command_of
from suite.results.metrics import TIME, Metric, metrics_in, metrics_of
from suite.results.model import CPU_MODEL, Benchmark, Run
from suite.results.run_names import names_of
from suite.stats.estimates import Estimate, estimate_ratio, find_modes, median
from suite.stats.multiple import significant
from suite.stats.two_samples import p_values

FEWEST_PROCESSES = 5
THRESHOLD = 0.05
FALSE_DISCOVERIES = 0.01  # so under one comparison in a hundred of a program with itself finds a benchmark worse
SMALLEST_CONTROL_MOVE = 0.02  # a smaller move is within the noise of the controls

# Facts that must be equal for two files to be comparable. The clock's speed drifts, and containers draw a new host name:
# a difference in these two is only a warning.
_MACHINE = (
    CPU_MODEL, "architecture",
    "topology", "cores", "processing_units", "num_cpus", "l1d_bytes", "l2_bytes", "l3_bytes", "page_bytes",
    "transparent_hugepages",
)  # fmt: skip
_BUILD = ("compiler", "build_flags", "build_type", "suite_version")
_METHOD = ("profile", "pinning", "seed", "min_time", "process_malloc", "preloaded")
# What shapes a figure from outside. The files of earlier versions do not say.
_OUTSIDE = (
    "affinity", "scheduling", "stack_limit", "address_space_limit", "data_limit", "overcommit_memory", "malloc_settings",
)  # fmt: skip

_MOST_CANDIDATES = 400  # new names that are tried for each missing benchmark
_MOST_RENAMES = 50


@dataclass(frozen=True)
class Rules:
    """How strictly two files are compared."""

    threshold: float = THRESHOLD  # the smallest change that matters, as a share
    thresholds: tuple[tuple[str, float], ...] = ()  # by regular expression for the names; the last that matches counts
    only: str | None = None  # a regular expression for the names
    across: bool = False  # also compare different machines, compilers or libraries
    allow_missing: bool = False

    def threshold_of(self, name: str) -> float:
        return last_match(self.thresholds, name, self.threshold)


def compare(base: Run, new: Run, rules: Rules = Rules()) -> Comparison:
    """The verdict on each figure that both files have. Raises BadInput when they cannot be compared at all."""
    differences = list(unlike_facts(base, new))
    if differences and not rules.across:
        raise BadInput(
            f"{new.path} cannot be compared with {base.path}: {'; '.join(differences)} (--across compares them anyway)"
        )
    old_benchmarks, new_benchmarks = _selected(base, rules.only), _selected(new, rules.only)
    if not old_benchmarks and not new_benchmarks:
        guess = in_expression(rules.only or "", (*base.by_name, *new.by_name))
        raise BadInput(f"neither {base.path} nor {new.path} has a benchmark that matches {rules.only!r}{guess}")
    gaps = list(_gaps(base, new, old_benchmarks, new_benchmarks))
    rows, unjudged = _rows(base, new, old_benchmarks, new_benchmarks)
    judgements = _judgements([row for row in rows if not row.problem], rules)
    gaps += [f"{row.name}: {row.problem}" for row in rows if row.problem]
    moved = _control_move(judgements)
    names = names_of((base, new))
    trusted = rules.across or abs(math.log(moved or 1.0)) <= math.log1p(rules.threshold_of(""))
    problems = [] if rules.allow_missing else gaps
    if not judgements:
        problems = gaps + ["no benchmark is left to judge"]
    elif all(row.disturbed for row in rows if not row.problem):
        problems = [*problems, "nothing was judged: of every benchmark, most processes were disturbed; measure again"]
    return Comparison(
        method=TWO_FILES,
        old=_side(base, names[0]),
        new=_side(new, names[1]),
        judgements=tuple(judgements),
        problems=tuple(problems),
        warnings=(
            *(f"compared across: {difference}" for difference in differences),
            *((f"left out: {gap}" for gap in gaps) if rules.allow_missing and judgements else ()),
            *unjudged,
            *_caveats(base, new, old_benchmarks, new_benchmarks, moved, trusted),
        ),
        trusted=trusted,
    )


# ---- may they be compared?


def unlike_facts(base: Run, new: Run) -> Iterator[str]:
    """A phrase for each fact in which the machine, the build or the way of measuring differs."""
    for key in (*_MACHINE, *_BUILD, *_METHOD):
        old_text, new_text = (one_line(str(run.context.get(key, "unknown"))) for run in (base, new))
        if old_text != new_text:
            yield f"{key.replace('_', ' ')} was {old_text}, is {new_text}"
    commands = [command_of(run) for run in (base, new)]
    if commands[0] != commands[1]:
        yield f"the program was {commands[0] or 'that of the suite'}, is {commands[1] or 'that of the suite'}"
    for key in _OUTSIDE:
        if key in base.context and key in new.context and base.context[key] != new.context[key]:
            old_text, new_text = (one_line(str(run.context[key])) or "unset" for run in (base, new))
            yield f"{key.replace('_', ' ')} was {old_text}, is {new_text}"
    old_mallocs, new_mallocs = base.mallocs(), new.mallocs()
    for name in sorted(old_mallocs.keys() & new_mallocs.keys()):
        old_text, new_text = (one_line(text.partition(" ")[0]) for text in (old_mallocs[name], new_mallocs[name]))
        if old_text != new_text:
            yield f"malloc {one_line(name)} was {old_text}, is {new_text}"


def _selected(run: Run, only: str | None) -> dict[str, Benchmark]:
    if only is None:
        return dict(run.by_name)
    pattern = pattern_of(only)
    return {name: benchmark for name, benchmark in run.by_name.items() if pattern.search(name)}


def _gaps(
    base: Run, new: Run, old_benchmarks: Mapping[str, Benchmark], new_benchmarks: Mapping[str, Benchmark]
) -> Iterator[str]:
    """A sentence for each benchmark that is in only one of the files, or failed in a file or in some of its processes."""
    missing = [name for name in old_benchmarks if name not in new_benchmarks]
    added = [name for name in new_benchmarks if name not in old_benchmarks]
    kept_families = {_family(name) for name in new_benchmarks}
    for place, name in enumerate(missing):
        likely = (
            [candidate for candidate in added if _may_be(name, candidate, kept_families)]
            if place < _MOST_RENAMES
            else []
        )
        similar = difflib.get_close_matches(name, likely[:_MOST_CANDIDATES], 1)
        yield f"{name}: missing in {new.path}" + (f"; renamed to {similar[0]}?" if similar else "")
    for run, benchmarks in ((base, old_benchmarks), (new, new_benchmarks)):
        for name, benchmark in benchmarks.items():
            if benchmark.errors:
                yield f"{name}: failed in {run.path}: {benchmark.errors[0]}"
            elif not benchmark.samples:
                yield f"{name}: has no result in {run.path}"
        families = {_family(name) for name in benchmarks}
        named = {name for name, benchmark in run.by_name.items() if benchmark.errors}
        for failure in run.failed:
            if failure.family in families and failure.subject not in named:
                yield f"{failure.family}: process {failure.process} failed in {run.path}: {failure.reason}"


def _may_be(missing: str, added: str, kept_families: Collection[str]) -> bool:
    """Whether a missing benchmark may have this new name: in its family, or with a new name of its family."""
    return _family(added) == _family(missing) or _family(missing) not in kept_families


def _family(name: str) -> str:
    return name.partition("/")[0]


# ---- the figures

_Samples = tuple[tuple[float, ...], tuple[float, ...]]  # old and new, by process


@dataclass(frozen=True)
class _Row:
    """One figure of one benchmark on both sides."""

    name: str
    metric: Metric
    old: tuple[float, ...]
    new: tuple[float, ...]
    others: Mapping[str, _Samples] = field(default_factory=dict)  # cycles and instructions
    one_processor: bool = True  # the same on both sides
    disturbed: str = ""  # which side mostly was, when it was measured
    problem: str = ""

    def measures(self) -> Iterator[tuple[str, _Samples]]:
        """The measures that decide, as costs: where a smaller figure is worse, old and new change places."""
        yield "time", (self.old, self.new) if self.metric.more_is_worse else (self.new, self.old)
        if self.one_processor and "cycles" in self.others:
            yield "cycles", self.others["cycles"]


def _rows(
    base: Run, new_run: Run, old_benchmarks: Mapping[str, Benchmark], new_benchmarks: Mapping[str, Benchmark]
) -> tuple[list[_Row], list[str]]:
    """Every figure of the benchmarks that both sides measured, and a sentence about the benchmarks without a figure."""
    rows, without = [], []
    one_processor = _one_processor(base, new_run)
    declared = {**metrics_in(base), **metrics_in(new_run)}
    for name, old in old_benchmarks.items():
        new = new_benchmarks.get(name)
        if new is None or not old.samples or not new.samples:
            continue  # _gaps names it
        metrics = list(dict.fromkeys((*metrics_of(old, declared), *metrics_of(new, declared))))
        disturbed = _disturbed(base, old, "old") or _disturbed(new_run, new, "new")
        rows += [
            replace(_row_of(metric, old, new), one_processor=one_processor, disturbed=disturbed) for metric in metrics
        ]
        without += [] if metrics else [name]
    remarks = [f"not judged, because they report no figure of their own: {_few(without)}"] if without else []
    return rows, remarks


def _one_processor(base: Run, new: Run) -> bool:
    return base.context.get(CPU_MODEL) == new.context.get(CPU_MODEL)


def _disturbed(run: Run, benchmark: Benchmark, side: str) -> str:
    number = len(run.disturbed_processes(benchmark))
    mostly = 2 * number > len(benchmark.samples)
    return f"{number} of {len(benchmark.samples)} processes of the {side} side were disturbed" if mostly else ""


def _row_of(metric: Metric, old: Benchmark, new: Benchmark) -> _Row:
    values = metric.values(old), metric.values(new)
    name = metric.named(old.name.text)
    fewest = min(len(side_values) for side_values in values)
    if fewest < FEWEST_PROCESSES:
        return _Row(name, metric, *values, problem=_too_few(values, old, new))
    if min((*values[0], *values[1])) <= 0.0:
        return _Row(
            name, metric, *values, problem=f"{metric.counter or 'a time'} is not above zero, so it has no ratio"
        )
    others = dict(_counted(old, new)) if metric == TIME else {}
    return _Row(name, metric, *values, others)


def _too_few(values: _Samples, old: Benchmark, new: Benchmark) -> str:
    if min(len(old.samples), len(new.samples)) >= FEWEST_PROCESSES:
        return f"the figure is missing or not finite in some processes ({len(values[0])} and {len(values[1])} have it)"
    processes = f"{len(values[0])} and {len(values[1])} processes"
    return f"{processes}: each side needs at least {FEWEST_PROCESSES} to be judged"


def _counted(old: Benchmark, new: Benchmark) -> Iterator[tuple[str, _Samples]]:
    """Other measures of a change: instructions, and cycles (time over that of an addition; the kernel's work counts)."""
    additions = old.counter("ns_per_addition"), new.counter("ns_per_addition")
    for key, values in (
        (
            "cycles",
            tuple(_per(benchmark.times, addition_times) for benchmark, addition_times in zip((old, new), additions)),
        ),
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
class _MeasuredRatio:
    """One figure in one measure (time, or cycles): its ratio, and the p-values of worse and of better."""

    ratio: Estimate
    worse: float
    better: float


def _judgements(rows: Sequence[_Row], rules: Rules) -> list[Judgement]:
    """Worse and better need evidence in every measure and an effect over the threshold; same needs equivalence."""
    measures = _measure(rows)
    worse = significant(
        [max(measured.worse for measured in by_measure.values()) for by_measure in measures], FALSE_DISCOVERIES
    )
    better = significant(
        [max(measured.better for measured in by_measure.values()) for by_measure in measures], FALSE_DISCOVERIES
    )
    return [
        _judgement(row, by_measure, rules.threshold_of(row.name), worse_found, better_found)
        for row, by_measure, worse_found, better_found in zip(rows, measures, worse, better)
    ]


def _measure(rows: Sequence[_Row]) -> list[dict[str, _MeasuredRatio]]:
    """Each row measured in time (or its counter), and where possible in cycles."""
    measured: list[dict[str, _MeasuredRatio]] = [{} for _ in rows]
    by_measure: defaultdict[str, list[tuple[int, _Samples]]] = defaultdict(list)
    for index, row in enumerate(rows):
        for measure, sides in row.measures():
            by_measure[measure].append((index, sides))
    for measure, members in by_measure.items():
        units = [rows[index].metric.unit for index, _ in members]
        for (index, (old, new)), p in zip(members, p_values([sides for _, sides in members], units)):
            measured[index][measure] = _MeasuredRatio(estimate_ratio(new, old), p.rise, p.fall)
    return measured


def _judgement(
    row: _Row, measures: Mapping[str, _MeasuredRatio], threshold: float, worse: bool, better: bool
) -> Judgement:
    ratios = {key: measured.ratio for key, measured in measures.items()}
    if worse and not row.disturbed and all(ratio.median > 1 + threshold for ratio in ratios.values()):
        verdict = WORSE
    elif better and not row.disturbed and all(ratio.median < 1 / (1 + threshold) for ratio in ratios.values()):
        verdict = BETTER
    elif all(_equivalent(ratio, threshold) for ratio in ratios.values()):
        verdict = SAME
    else:
        verdict = UNDECIDED
    bimodal = [f"bimodal in {side}" for side, values in (("old", row.old), ("new", row.new)) if find_modes(values)]
    counted = {key: estimate_ratio(new, old) for key, (old, new) in row.others.items()}
    return Judgement(
        name=row.name,
        verdict=UNDECIDED if bimodal else verdict,
        ratio=ratios["time"],
        threshold=threshold,
        old_ns=median(row.old),
        new_ns=median(row.new),
        others=counted,
        notes=(*bimodal, *_notes(row, ratios, threshold)),
        quarantined=bool(bimodal),
        unit=row.metric.unit,
    )


def _equivalent(ratio: Estimate, threshold: float) -> bool:
    return ratio.has_interval and 1 / (1 + threshold) <= ratio.low and ratio.high <= 1 + threshold


def _notes(row: _Row, ratios: Mapping[str, Estimate], threshold: float) -> Iterator[str]:
    if not row.metric.more_is_worse:
        yield "a smaller figure is worse here, so the ratio is old over new"
    if row.disturbed:
        yield row.disturbed
    cycles = ratios.get("cycles")
    if cycles is not None and not _moved(cycles, threshold) and _moved(ratios["time"], threshold):
        yield "changed in time but not in cycles: the clock, rather than the code"


def _moved(ratio: Estimate, threshold: float) -> bool:
    return not ratio.holds(1.0) and abs(math.log(ratio.median)) > math.log1p(threshold)


# ---- the warnings


def _control_move(judgements: Sequence[Judgement]) -> float | None:
    """How much the controls, which allocate nothing, moved in both time and cycles; None without controls."""
    controls = [judgement for judgement in judgements if "/none/" in judgement.name and judgement.unit == "ns"]
    if not controls:
        return None
    time = median(judgement.ratio.median for judgement in controls)
    cycles = median(judgement.others.get("cycles", judgement.ratio).median for judgement in controls)
    return min((time, cycles), key=lambda ratio: abs(math.log(ratio))) if (time > 1) == (cycles > 1) else 1.0


def _caveats(
    base: Run,
    new: Run,
    old_benchmarks: Mapping[str, Benchmark],
    new_benchmarks: Mapping[str, Benchmark],
    moved: float | None,
    trusted: bool,
) -> Iterator[str]:
    if moved is not None and abs(math.log(moved)) > math.log1p(SMALLEST_CONTROL_MOVE):
        consequence = "" if trusted else ": the result is not reliable"
        yield f"the controls, which allocate nothing, moved by {moved - 1:+.1%}{consequence}"
    clock = _clock_move(old_benchmarks, new_benchmarks) if _one_processor(base, new) else None
    if clock is not None and abs(math.log(clock)) > math.log1p(SMALLEST_CONTROL_MOVE):
        yield f"one addition, a cycle of the clock, took {clock - 1:+.1%} time: compare cycles rather than nanoseconds"
    added = [name for name in new_benchmarks if name not in old_benchmarks]
    if added:
        yield f"only in {new.path}, and not compared: {_few(added)}"
    for run in (base, new):
        disturbed = sum(unit.disturbed for unit in run.units)
        if disturbed:
            yield f"{disturbed} of {len(run.units)} measurements in {run.path} were disturbed"
        if not run.complete:
            yield f"{run.path} is incomplete: its run was interrupted"
    hosts = [one_line(str(run.context.get("host_name", ""))) for run in (base, new)]
    if hosts[0] != hosts[1]:
        yield f"the hosts have different names: {hosts[0]} and {hosts[1]}"
    yield (
        f"the files were measured {_apart(base, new)}: the machine drifts between them, and no test on two files "
        "can see that; scripts/compare measures two builds in turn"
    )


def _clock_move(old_benchmarks: Mapping[str, Benchmark], new_benchmarks: Mapping[str, Benchmark]) -> float | None:
    shared = [(old_benchmarks[name], new_benchmarks[name]) for name in old_benchmarks if name in new_benchmarks]
    pairs = [(old.counter("ns_per_addition"), new.counter("ns_per_addition")) for old, new in shared]
    moves = [median(new) / median(old) for old, new in pairs if old and new and min((*old, *new)) > 0.0]
    return median(moves) if moves else None


def _apart(base: Run, new: Run) -> str:
    first, second = (moment(str(run.context.get("date"))) for run in (base, new))
    if first is None or second is None:
        return "at different times"
    minutes = (second - first).total_seconds() / 60
    swapped = ", the new one first" if minutes < 0 else ""
    for length, unit in ((60 * 24, "days"), (60, "hours"), (1, "minutes")):
        if abs(minutes) >= 2 * length:
            return f"{abs(minutes) / length:.0f} {unit} apart{swapped}"
    return f"minutes apart{swapped}"


def _few(names: Sequence[str], most: int = 3) -> str:
    listed = ", ".join(names[:most])
    return listed if len(names) <= most else f"{listed} and {len(names) - most:,} more"


def _side(run: Run, name: str) -> Side:
    keys = ("date", "host_name", CPU_MODEL, "revision", "compiler", "build_flags", "profile")
    facts = {key: one_line(str(run.context[key])) for key in keys if key in run.context}
    mallocs = {f"malloc {one_line(name)}": one_line(text.partition(" ")[0]) for name, text in run.mallocs().items()}
    return Side(name, {"file": str(run.path), **facts, "processes": str(run.processes), **mallocs})
