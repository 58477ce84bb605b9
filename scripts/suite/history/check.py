"""Which series got worse, since which run, and does an annotation explain it?

One judgement for scripts/history check, trend and page: all series of one machine are judged together, whichever are
shown. Until a change can be distinguished from noise, the newest run alone can give an early warning, which is not a
verdict.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from suite.base.markdown import code, escaped
from suite.base.phrases import count
from suite.base.time_limit import time_limit
from suite.history import store
from suite.history.store import Annotation, Entry, SeriesTable
from suite.results.metrics import Metric
from suite.stats import change_points
from suite.stats.arrays import Floats, np
from suite.stats.change_points import ChangePoint
from suite.stats.estimates import Estimate

LAST_RUNS = 100  # runs that are examined: older changes are not news
# The run of a change is known only roughly: an annotation covers the changes up to so many runs before and after it.
RUNS_BESIDE = 2
MOST_SHOWN = 100  # changes, early warnings, and series, where a person reads
EARLIER_RUNS = 2  # at least, before the newest run gives an early warning

WORSE, ACCEPTED, BETTER, UNDONE = "worse", "accepted", "better", "undone"
EARLY_WARNING, NO_CHANGE, NO_VERDICT = "early warning", "no change", "no verdict yet"

Intervals = Callable[[Entry, Collection[str]], Mapping[str, Estimate]]  # of these series of a run


@dataclass(frozen=True)
class Change:
    """A change of one series from a run on."""

    name: str
    metric: Metric
    index: int  # in the runs of the series
    first: Entry  # the first run of the new level
    last_before: Entry
    size: Estimate  # the new level over the old
    p: float
    lasting: bool  # later changes have not undone it
    facts: tuple[str, ...]  # facts that also changed between the two runs
    notes: tuple[str, ...]  # the texts of the annotations that cover it
    accepted: bool  # by one of these annotations

    @property
    def worse(self) -> bool:
        return (self.size.median > 1) == self.metric.more_is_worse

    @property
    def kind(self) -> str:
        if not self.lasting:
            return UNDONE
        return BETTER if not self.worse else ACCEPTED if self.accepted else WORSE


@dataclass(frozen=True)
class EarlyWarning:
    """The newest run's interval of a series lies beyond those of all earlier runs on its level, by more than the
    threshold."""

    name: str
    metric: Metric
    unit: str
    newest: Entry
    value: Estimate
    bound: float  # the nearest end of the earlier runs' intervals
    earlier: int  # runs

    @property
    def least_ratio(self) -> float:
        """The newest run's end that is nearest to the earlier runs, over theirs."""
        return (self.value.low if self.metric.more_is_worse else self.value.high) / self.bound


@dataclass(frozen=True)
class JudgedSeries:
    """A series over the runs that have it, oldest first."""

    name: str
    metric: Metric
    unit: str
    runs: tuple[Entry, ...]
    values: Floats
    needed: int  # runs, before a series has a verdict
    changes: tuple[Change, ...]  # oldest first
    early: EarlyWarning | None
    gone: bool  # the newest run lacks the series, and no annotation accepts it
    annotations: tuple[Annotation, ...] = ()  # that speak of it

    @property
    def judged(self) -> bool:
        return len(self.runs) >= self.needed

    @property
    def state(self) -> str:
        """The gravest of what there is to say."""
        kinds = {change.kind for change in self.changes} | ({EARLY_WARNING} if self.early else set())
        for kind in (WORSE, EARLY_WARNING, ACCEPTED, BETTER):
            if kind in kinds:
                return kind
        return NO_CHANGE if self.judged else NO_VERDICT

    @property
    def weight(self) -> float:
        """How large the last change or the early warning is."""
        sizes = [change.size.median for change in self.changes[-1:]]
        sizes += [self.early.least_ratio] if self.early else []
        return max((abs(size - 1) for size in sizes), default=0.0)


@dataclass(frozen=True)
class Judgement:
    """The judgement of all series of one machine, profile and unit."""

    runs: tuple[Entry, ...]
    needed: int  # runs, before a series has a verdict
    series: tuple[JudgedSeries, ...]

    @property
    def newest(self) -> Entry:
        return self.runs[-1]

    @property
    def judged(self) -> int:
        return sum(series.judged for series in self.series)

    @property
    def too_short(self) -> int:
        return len(self.series) - self.judged

    @property
    def changes(self) -> list[Change]:
        """The lasting changes, the largest first."""
        lasting = [change for series in self.series for change in series.changes if change.lasting]
        return sorted(lasting, key=lambda change: abs(change.size.median - 1), reverse=True)

    @property
    def new_and_worse(self) -> list[Change]:
        return [change for change in self.changes if change.kind == WORSE]

    @property
    def early_warnings(self) -> list[EarlyWarning]:
        """The largest first."""
        warnings = [series.early for series in self.series if series.early]
        return sorted(warnings, key=lambda warning: abs(warning.least_ratio - 1), reverse=True)

    @property
    def gone(self) -> list[str]:
        return [series.name for series in self.series if series.gone]

    def only(self, pattern: re.Pattern[str]) -> Judgement:
        """The same judgement of the series whose name matches."""
        return replace(self, series=tuple(series for series in self.series if pattern.search(series.name)))

    def in_state(self, state: str) -> list[JudgedSeries]:
        """The series in this state, the largest last change first."""
        found = [series for series in self.series if series.state == state]
        return sorted(found, key=lambda series: series.weight, reverse=True)


def judge(
    table: SeriesTable, annotations: Sequence[Annotation], least_change: float, intervals: Intervals
) -> Judgement:
    """Finds the changes, and warns of the newest run where a change is too new to be found."""
    all_series = [table.series(which) for which in range(len(table.names))]
    needed = runs_needed(len(all_series))
    long = [which for which, (runs, _) in enumerate(all_series) if len(runs) >= needed]
    points = dict(zip(long, change_points.find_in_all([all_series[which][1] for which in long], least_change)))
    said = _said_of(table.names, annotations)
    early = _early_warnings(
        table, {which: found[-1].index for which, found in points.items() if found}, said, least_change, intervals
    )
    return Judgement(
        table.runs, needed,
        tuple(
            JudgedSeries(
                name, metric, store.unit_of(metric, table.runs[-1].unit), runs, values, needed,
                _changes(name, metric, runs, points.get(which, []), said[which], least_change), early.get(which),
                _is_gone(runs[-1], table.runs, said[which]), said[which],
            )
            for which, (name, metric, (runs, values)) in enumerate(zip(table.names, table.metrics, all_series))
        ),
    )  # fmt: skip


def _said_of(names: Sequence[str], annotations: Sequence[Annotation]) -> list[tuple[Annotation, ...]]:
    """The annotations that speak of each series. Raises BadInput where their expressions cannot be searched for in time."""
    seconds = store.EXPRESSIONS_SECONDS
    with time_limit(seconds, f"the expressions of the annotations take over {seconds:.0f} s to search the series' names"):
        return [tuple(annotation for annotation in annotations if annotation.speaks_of(name)) for name in names]


def headline(judgements: Sequence[Judgement]) -> str:
    """The state of all in few words: `2 worse`, `1 missing`, `1 early warning`, `no regressions`, or `3 of 16 runs`."""
    worse = sum(len(judgement.in_state(WORSE)) for judgement in judgements)
    missing = sum(len(judgement.gone) for judgement in judgements)
    warnings = sum(len(judgement.early_warnings) for judgement in judgements)
    if worse:
        return f"{worse} {WORSE}"
    if missing:
        return f"{missing} missing"
    if warnings:
        return count(warnings, EARLY_WARNING)
    if any(judgement.judged for judgement in judgements):
        return "no regressions"
    return f"{len(judgements[0].runs)} of {judgements[0].needed} runs"


def runs_needed(series: int) -> int:
    """The runs before a history of so many series has its first verdict."""
    return change_points.fewest_runs(max(1, series))


def _early_warnings(
    table: SeriesTable,
    level_starts: Mapping[int, int],  # by series: the index of its last change
    said: Sequence[Sequence[Annotation]],  # of each series
    least_change: float,
    intervals: Intervals,
) -> dict[int, EarlyWarning]:
    newest = table.runs[-1]
    levels = {}  # by series, where the newest median stands out: unpacking intervals takes its time
    for which, metric in enumerate(table.metrics):
        runs, values = table.series(which)
        start = level_starts.get(which, 0)
        if runs[-1] == newest and len(runs) - start > EARLIER_RUNS:
            if _beyond(metric, float(values[-1]), values[start:-1], least_change):
                levels[which] = runs[start:]
    names = {table.names[which] for which in levels}
    of_run = {run.id: intervals(run, names) for run in {run.id: run for runs in levels.values() for run in runs}.values()}
    warnings = {}
    for which, runs in levels.items():
        name, metric = table.names[which], table.metrics[which]
        own = of_run[newest.id].get(name)
        before = [of_run[run.id][name] for run in runs[:-1] if name in of_run[run.id]]
        if own is None or not before:
            continue
        ends = [found.high if metric.more_is_worse else found.low for found in before]
        if not _beyond(metric, own.low if metric.more_is_worse else own.high, np.array(ends), least_change):
            continue
        all_runs = table.series(which)[0]
        if any(note.accepts and _is_beside(note, all_runs, len(all_runs) - 1) for note in said[which]):
            continue
        bound = max(ends) if metric.more_is_worse else min(ends)
        value = replace(own, median=float(table.values[-1, which]))
        warnings[which] = EarlyWarning(
            name, metric, store.unit_of(metric, newest.unit), newest, value, bound, len(before)
        )
    return warnings


def _beyond(metric: Metric, value: float, others: Floats, least_change: float) -> bool:
    """Whether the value is worse than all others, by more than the threshold."""
    return bool(
        value > others.max() * (1 + least_change) if metric.more_is_worse else value < others.min() * (1 - least_change)
    )


def _is_gone(last: Entry, runs: Sequence[Entry], said: Sequence[Annotation]) -> bool:
    """An annotation accepts that a series has ended if it covers the first run without the series, or a later run."""
    first_without = runs.index(last) + 1
    if first_without == len(runs):
        return False
    places = [annotation.place_in(runs) for annotation in said if annotation.accepts]
    return not any(place is not None and place >= first_without - RUNS_BESIDE for place in places)


def _changes(
    name: str,
    metric: Metric,
    runs: Sequence[Entry],
    points: Sequence[ChangePoint],
    said: Sequence[Annotation],
    least_change: float,
) -> tuple[Change, ...]:
    lasting = _lasting(points, least_change)
    return tuple(_change(name, metric, runs, point, point in lasting, said) for point in points)


def _lasting(points: Sequence[ChangePoint], least_change: float) -> list[ChangePoint]:
    """The changes that later changes have not undone: at the end, the rest of them is still a change."""
    lasting = []
    for index, point in enumerate(points):
        remaining = 1.0
        undone = False
        for later in points[index:]:
            remaining *= later.size.median
            undone |= (remaining - 1) * (point.size.median - 1) <= 0 or abs(remaining - 1) < least_change
        if not undone:
            lasting.append(point)
    return lasting


def _change(
    name: str,
    metric: Metric,
    runs: Sequence[Entry],
    point: ChangePoint,
    lasting: bool,
    said: Sequence[Annotation],
) -> Change:
    first, last_before = runs[point.index], runs[point.index - 1]
    matching = [annotation for annotation in said if _is_beside(annotation, runs, point.index)]
    return Change(
        name, metric, point.index, first, last_before, point.size, point.p, lasting,
        tuple(store.changed_facts(last_before, first)),
        tuple(annotation.text for annotation in matching), any(annotation.accepts for annotation in matching),
    )  # fmt: skip


def _is_beside(annotation: Annotation, runs: Sequence[Entry], index: int) -> bool:
    place = annotation.place_in(runs)
    return place is not None and abs(place - index) <= RUNS_BESIDE


# ---- the text


def size_text(size: Estimate) -> str:
    """`+5.1 % (+4.2 % to +6.3 %)`."""
    middle, low, high = (f"{100 * (value - 1):+.1f} %" for value in (size.median, size.low, size.high))
    return f"{middle} ({low} to {high})" if size.has_interval else middle


def change_text(change: Change) -> str:
    """`+5.1 % (+4.2 % to +6.3 %) since run 21 (c0020), 2024-01-21`."""
    return f"{size_text(change.size)} since {change.first.label}, {change.first.measured[:10]}"


def warning_text(warning: EarlyWarning) -> str:
    """`+5.1 % or more in run 3 (c0002): 21.2 cycles (21.1 to 21.4), after at most 20.1 in 2 runs`."""
    value, more = warning.value, warning.metric.more_is_worse
    interval = f" ({value.low:.4g} to {value.high:.4g})" if value.has_interval else ""
    return (
        f"{100 * (warning.least_ratio - 1):+.1f} % or {'more' if more else 'less'} in {warning.newest.label}: "
        f"{value.median:.4g} {warning.unit}{interval}, after at {'most' if more else 'least'} {warning.bound:.4g} "
        f"in {warning.earlier} runs"
    )


def waiting_text(result: Judgement) -> str:
    """`3 of the 16 runs that the first verdict needs`."""
    return f"{len(result.runs)} of the {result.needed} runs that the first verdict needs"


def as_text(result: Judgement, everything: bool) -> str:
    lines = []
    shown = _shown(result, everything)
    for change in shown[:MOST_SHOWN]:
        lines.append(f"{change.kind}: {change.name}: {change_text(change)}")
        lines += [f"    note: {text}" for text in change.notes]
        lines += [f"    also changed: {fact}" for fact in change.facts]
    warnings = result.early_warnings
    lines += [f"{EARLY_WARNING}: {warning.name}: {warning_text(warning)}" for warning in warnings[:MOST_SHOWN]]
    return "\n".join([*lines, *_left_out(len(shown), len(warnings)), *_sums(result)])


def _left_out(changes: int, warnings: int) -> list[str]:
    """What a text is too short for. As a file, it may have any length."""
    numbers = ((changes, "smaller change"), (warnings, f"smaller {EARLY_WARNING}"))
    left = [count(number - MOST_SHOWN, text) for number, text in numbers if number > MOST_SHOWN]
    return [f"and {' and '.join(left)}: --format json has all"] if left else []


def as_markdown(result: Judgement, everything: bool) -> str:
    lines = [f"### {_title(result)}", ""]
    changes, warnings = _shown(result, everything), result.early_warnings
    rows = [_change_cells(change) for change in changes[:MOST_SHOWN]]
    rows += [_warning_cells(warning) for warning in warnings[:MOST_SHOWN]]
    if rows:
        lines += ["| | benchmark | change | since | note |", "|---|---|--:|---|---|"]
        lines += [f"| {' | '.join(cells)} |" for cells in rows] + [""]
    last = [*_left_out(len(changes), len(warnings)), *_sums(result)]
    return "\n".join([*lines, *(f"{escaped(line)}  " for line in last)])


def _title(result: Judgement) -> str:
    if result.new_and_worse:
        return "Slower than before"
    return "Nothing slower than before" if result.judged else "No verdict yet"


def _change_cells(change: Change) -> tuple[str, ...]:
    since = f"{change.first.label}, {change.first.measured[:10]}"
    notes = "; ".join([*change.notes, *change.facts])
    return change.kind, code(change.name), size_text(change.size), escaped(since), escaped(notes)


def _warning_cells(warning: EarlyWarning) -> tuple[str, ...]:
    size, _, values = warning_text(warning).partition(": ")
    since = f"{warning.newest.label}, {warning.newest.measured[:10]}"
    return EARLY_WARNING, code(warning.name), size.partition(" in ")[0], escaped(since), escaped(values)


def as_json(result: Judgement, everything: bool) -> str:
    return json.dumps(
        {
            "newest": _run_as_json(result.newest),
            "runs": len(result.runs),
            "runs_needed": result.needed,
            "series_judged": result.judged,
            "series_too_short": result.too_short,
            "series_gone": result.gone,
            "new_and_worse": len(result.new_and_worse),
            "changes": [_change_as_json(change) for change in _shown(result, everything)],
            "early_warnings": [_warning_as_json(warning) for warning in result.early_warnings],
        },
        indent=1,
    )


def _run_as_json(run: Entry) -> dict[str, object]:
    return {"run": run.id, "commit": run.revision, "measured": run.measured}


def _change_as_json(change: Change) -> dict[str, object]:
    return {
        "name": change.name,
        "kind": change.kind,
        "ratio": change.size.median,
        "low": change.size.low,
        "high": change.size.high,
        "coverage": change.size.coverage,
        "p": change.p,
        "first": _run_as_json(change.first),
        "last_before": _run_as_json(change.last_before),
        "said": change.notes,
        "facts": change.facts,
    }


def _warning_as_json(warning: EarlyWarning) -> dict[str, object]:
    return {
        "name": warning.name,
        "unit": warning.unit,
        "value": warning.value.median,
        "low": warning.value.low,
        "high": warning.value.high,
        "bound": warning.bound,
        "earlier_runs": warning.earlier,
    }


FORMS = {"text": as_text, "markdown": as_markdown, "json": as_json}


def _shown(result: Judgement, everything: bool) -> list[Change]:
    """The new changes for the worse; with `everything` also the accepted changes and the changes for the better."""
    new = result.new_and_worse
    return new + [change for change in result.changes if change not in new] if everything else new


def _sums(result: Judgement) -> list[str]:
    lines = []
    newest = f"the newest is {result.newest.label}, {result.newest.measured[:10]}"
    if result.judged:
        numbers = Counter(change.kind for change in result.changes)
        parts = [f"{result.judged} series over {len(result.runs)} runs: {numbers[WORSE]} {WORSE}"]
        parts += [f"{numbers[kind]} {kind}" for kind in (ACCEPTED, BETTER) if numbers[kind]]
        lines.append(f"{', '.join(parts)}; {newest}")
        if result.too_short:
            lines.append(f"{result.too_short} series have fewer than the {result.needed} runs that a verdict needs")
    else:
        lines.append(f"{NO_VERDICT}: {waiting_text(result)}; {newest}")
    if result.early_warnings:
        number = count(len(result.early_warnings), EARLY_WARNING)
        lines.append(f"{number}: not a verdict, and --strict alone makes check fail")
    if result.gone:
        few = f"{', '.join(result.gone[:5])}{', ...' if len(result.gone) > 5 else ''}"
        lines.append(f"not in the newest run: {few}; --allow-missing, or an annotation, accepts that")
    return lines
