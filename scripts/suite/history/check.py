"""Did a series get worse lately, without an annotation that explains it? The findings of scripts/history check, and
their text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from suite.history import store
from suite.history.store import Annotation, Entry, SeriesTable
from suite.results.metrics import Metric
from suite.stats import change_points
from suite.stats.change_points import ChangePoint
from suite.stats.estimates import Estimate

LAST_RUNS = 100  # runs that are examined: older changes are not news
# The run of a change is known only roughly: an annotation covers the changes up to so many runs before and after it.
RUNS_BESIDE = 2


@dataclass(frozen=True)
class Change:
    """A lasting change of one series: later changes have not undone it."""

    name: str
    metric: Metric
    first: Entry  # the first run of the new level
    last_before: Entry
    size: Estimate  # the new level over the old
    p: float
    facts: tuple[str, ...]  # facts that also changed between the two runs
    notes: tuple[str, ...]  # the texts of the annotations that cover it
    accepted: bool  # by one of these annotations

    @property
    def worse(self) -> bool:
        return (self.size.median > 1) == self.metric.more_is_worse


@dataclass(frozen=True)
class CheckResult:
    """The result of a check of all series of one machine."""

    newest: Entry
    runs: int
    judged: int  # series
    too_short: int  # series
    changes: tuple[Change, ...]  # the largest first
    gone: tuple[str, ...]  # series that an earlier run has and the newest run lacks, without an annotation that accepts it

    @property
    def new_and_worse(self) -> list[Change]:
        return [change for change in self.changes if change.worse and not change.accepted]


def find_changes(series: SeriesTable, annotations: Sequence[Annotation], least_change: float) -> CheckResult:
    """Finds the lasting changes. Series that are too short to separate a change from noise are only counted."""
    all_series = [(name, *series.series(which)) for which, name in enumerate(series.names)]
    metrics = dict(zip(series.names, series.metrics))
    needed = change_points.fewest_runs(max(1, len(all_series)))
    long = [(name, runs, values) for name, runs, values in all_series if len(values) >= needed]
    points_of_series = change_points.find_in_all([values for _, _, values in long], least_change)
    changes = [
        _change(name, metrics[name], runs, point, annotations)
        for (name, runs, values), points in zip(long, points_of_series)
        for point in _lasting(points, least_change)
    ]
    changes.sort(key=lambda change: abs(change.size.median - 1), reverse=True)
    newest = series.runs[-1]
    return CheckResult(
        newest, len(series.runs), len(long), len(all_series) - len(long), tuple(changes),
        tuple(name for name, runs, _ in all_series if _is_gone(name, runs[-1], series.runs, annotations)),
    )  # fmt: skip


def _is_gone(name: str, last: Entry, runs: Sequence[Entry], annotations: Sequence[Annotation]) -> bool:
    """An annotation accepts that a series has ended if it covers the first run without the series, or a later run."""
    first_without = runs.index(last) + 1
    if first_without == len(runs):
        return False
    places = [
        annotation.place_in(runs) for annotation in annotations if annotation.accepts and annotation.speaks_of(name)
    ]
    return not any(place is not None and place >= first_without - RUNS_BESIDE for place in places)


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
    name: str, metric: Metric, runs: Sequence[Entry], point: ChangePoint, annotations: Sequence[Annotation]
) -> Change:
    first, last_before = runs[point.index], runs[point.index - 1]
    matching = [
        annotation
        for annotation in annotations
        if annotation.speaks_of(name) and _is_beside(annotation, runs, point.index)
    ]
    return Change(
        name, metric, first, last_before, point.size, point.p, tuple(store.changed_facts(last_before, first)),
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


def as_text(result: CheckResult, everything: bool) -> str:
    lines = []
    for change in _shown(result, everything):
        lines.append(
            f"{_kind(change)}: {change.name}: {size_text(change.size)} since {change.first.label}, {change.first.measured}"
        )
        lines += [f"    note: {text}" for text in change.notes]
        lines += [f"    also changed: {fact}" for fact in change.facts]
    return "\n".join([*lines, *_sums(result)])


def as_markdown(result: CheckResult, everything: bool) -> str:
    title = "Slower than before" if result.new_and_worse else "Nothing slower than before"
    lines = [f"### {title}", ""]
    shown = _shown(result, everything)
    if shown:
        lines += ["| | benchmark | change | since | also changed |", "|---|---|--:|---|---|"]
    for change in shown:
        notes = "; ".join([*change.notes, *change.facts])
        cells = (
            _kind(change),
            f"`{change.name}`",
            size_text(change.size),
            f"{change.first.label}, {change.first.measured}",
            notes,
        )
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join([*lines, *([""] if shown else []), *(f"{line}  " for line in _sums(result))])


def as_json(result: CheckResult, everything: bool) -> str:
    return json.dumps(
        {
            "newest": _run_as_json(result.newest),
            "runs": result.runs,
            "series_judged": result.judged,
            "series_too_short": result.too_short,
            "series_gone": result.gone,
            "new_and_worse": len(result.new_and_worse),
            "changes": [_change_as_json(change) for change in _shown(result, everything)],
        },
        indent=1,
    )


def _run_as_json(run: Entry) -> dict[str, object]:
    return {"run": run.id, "commit": run.revision, "measured": run.measured}


def _change_as_json(change: Change) -> dict[str, object]:
    return {
        "name": change.name,
        "kind": _kind(change),
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


FORMS = {"text": as_text, "markdown": as_markdown, "json": as_json}


def _kind(change: Change) -> str:
    return "better" if not change.worse else "accepted" if change.accepted else "worse"


def _shown(result: CheckResult, everything: bool) -> list[Change]:
    """The new changes for the worse; with `everything` also the accepted changes and the changes for the better."""
    new = result.new_and_worse
    return new + [change for change in result.changes if change not in new] if everything else new


def _sums(result: CheckResult) -> list[str]:
    better = sum(not change.worse for change in result.changes)
    accepted = sum(change.worse and change.accepted for change in result.changes)
    parts = [f"{result.judged} series over {result.runs} runs: {len(result.new_and_worse)} worse"]
    parts += [f"{accepted} accepted"] if accepted else []
    parts += [f"{better} better"] if better else []
    lines = [f"{', '.join(parts)}; the newest is {result.newest.label}, {result.newest.measured}"]
    if result.too_short:
        lines.append(f"{result.too_short} series have too few runs to be judged")
    if result.gone:
        lines.append(f"not in the newest run: {', '.join(result.gone[:5])}{', ...' if len(result.gone) > 5 else ''}; "
                     "--allow-missing, or an annotation, accepts that")  # fmt: skip
    return lines
