"""Did a series get worse lately, and has nobody said why? What scripts/history check finds, and how it says it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from suite.history import store
from suite.history.store import Annotation, Entry, SeriesTable
from suite.results.metrics import metric_of
from suite.stats import change_points
from suite.stats.change_points import ChangePoint
from suite.stats.estimates import Estimate

LAST_RUNS = 100  # that are looked at: what changed before them is no news
# The place of a change is not known to the run: an annotation speaks of the changes up to so many runs beside it.
RUNS_BESIDE = 2


@dataclass(frozen=True)
class Change:
    """A change of one series that lasts: what came after it has not undone it."""

    name: str
    first: Entry  # the first run of the new level
    last_before: Entry
    size: Estimate  # the new level over the old
    p: float
    facts: tuple[str, ...]  # what else changed between the two runs
    said: tuple[str, ...]  # the annotations that speak of it
    accepted: bool  # by one of them

    @property
    def worse(self) -> bool:
        return (self.size.median > 1) == metric_of(self.name).more_is_worse


@dataclass(frozen=True)
class SeriesVerdict:
    """What is said of the series of one machine."""

    newest: Entry
    runs: int
    judged: int  # series
    too_short: int  # series
    changes: tuple[Change, ...]  # the largest first
    gone: tuple[str, ...]  # series that the run before the newest has, and the newest has not

    @property
    def new_and_worse(self) -> list[Change]:
        return [one for one in self.changes if one.worse and not one.accepted]


def judge(series: SeriesTable, annotations: Sequence[Annotation], least_change: float) -> SeriesVerdict:
    """Series too short for a change to be told from noise are left out, and counted."""
    every = [(name, *series.series(which)) for which, name in enumerate(series.names)]
    needed = change_points.fewest_runs(max(1, len(every)))
    long = [(name, runs, values) for name, runs, values in every if len(values) >= needed]
    found = change_points.find_in_all([values for _, _, values in long], least_change)
    changes = [
        _change(name, runs, point, annotations)
        for (name, runs, values), points in zip(long, found)
        for point in _lasting(points, least_change)
    ]
    changes.sort(key=lambda one: abs(one.size.median - 1), reverse=True)
    newest = series.runs[-1]
    return SeriesVerdict(newest, len(series.runs), len(long), len(every) - len(long), tuple(changes), _gone(every, series))


def _gone(every: Sequence[tuple[str, tuple[Entry, ...], store.Array]], series: SeriesTable) -> tuple[str, ...]:
    if len(series.runs) < 2:
        return ()
    return tuple(name for name, runs, _ in every if series.runs[-2] in runs[-2:] and runs[-1] != series.runs[-1])


def _lasting(points: Sequence[ChangePoint], least_change: float) -> list[ChangePoint]:
    """The changes that later ones have not undone: what is left of them at the end is still a change."""
    lasting = []
    for index, point in enumerate(points):
        left = 1.0
        undone = False
        for later in points[index:]:
            left *= later.size.median
            undone |= (left - 1) * (point.size.median - 1) <= 0 or abs(left - 1) < least_change
        if not undone:
            lasting.append(point)
    return lasting


def _change(name: str, runs: Sequence[Entry], point: ChangePoint, annotations: Sequence[Annotation]) -> Change:
    first, last_before = runs[point.index], runs[point.index - 1]
    speaking = [one for one in annotations if one.speaks_of(name) and _is_beside(one, runs, point.index)]
    return Change(
        name, first, last_before, point.size, point.p, tuple(store.changed_facts(last_before, first)),
        tuple(one.text for one in speaking), any(one.accepts for one in speaking),
    )  # fmt: skip


def _is_beside(one: Annotation, runs: Sequence[Entry], index: int) -> bool:
    place = one.place_in(runs)
    return place is not None and abs(place - index) <= RUNS_BESIDE


# ---- how it is said


def size_text(size: Estimate) -> str:
    """`+5.1 % (+4.2 % to +6.3 %)`."""
    middle, low, high = (f"{100 * (value - 1):+.1f} %" for value in (size.median, size.low, size.high))
    return f"{middle} ({low} to {high})" if size.has_interval else middle


def as_text(said: SeriesVerdict, everything: bool) -> str:
    lines = []
    for one in _shown(said, everything):
        lines.append(f"{_kind(one)}: {one.name}: {size_text(one.size)} since {one.first.label}, {one.first.measured}")
        lines += [f"    said: {text}" for text in one.said]
        lines += [f"    also changed there: {fact}" for fact in one.facts]
    return "\n".join([*lines, *_sums(said)])


def as_markdown(said: SeriesVerdict, everything: bool) -> str:
    title = "Slower than before" if said.new_and_worse else "Nothing slower than before"
    lines = [f"### {title}", ""]
    shown = _shown(said, everything)
    if shown:
        lines += ["| | benchmark | change | since | also changed there |", "|---|---|--:|---|---|"]
    for one in shown:
        notes = "; ".join([*one.said, *one.facts])
        cells = (_kind(one), f"`{one.name}`", size_text(one.size), f"{one.first.label}, {one.first.measured}", notes)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join([*lines, *([""] if shown else []), *(f"{line}  " for line in _sums(said))])


def as_json(said: SeriesVerdict, everything: bool) -> str:
    return json.dumps(
        {
            "newest": _run_as_json(said.newest),
            "runs": said.runs,
            "series_judged": said.judged,
            "series_too_short": said.too_short,
            "series_gone": said.gone,
            "new_and_worse": len(said.new_and_worse),
            "changes": [_change_as_json(one) for one in _shown(said, everything)],
        },
        indent=1,
    )


def _run_as_json(one: Entry) -> dict[str, object]:
    return {"run": one.id, "commit": one.revision, "measured": one.measured}


def _change_as_json(one: Change) -> dict[str, object]:
    return {
        "name": one.name,
        "kind": _kind(one),
        "ratio": one.size.median,
        "low": one.size.low,
        "high": one.size.high,
        "coverage": one.size.coverage,
        "p": one.p,
        "first": _run_as_json(one.first),
        "last_before": _run_as_json(one.last_before),
        "said": one.said,
        "facts": one.facts,
    }


FORMS = {"text": as_text, "markdown": as_markdown, "json": as_json}


def _kind(one: Change) -> str:
    return "better" if not one.worse else "accepted" if one.accepted else "worse"


def _shown(said: SeriesVerdict, everything: bool) -> list[Change]:
    """What is new and worse, and with `everything` also what is accepted or better."""
    new = said.new_and_worse
    return new + [one for one in said.changes if one not in new] if everything else new


def _sums(said: SeriesVerdict) -> list[str]:
    better = sum(not one.worse for one in said.changes)
    accepted = sum(one.worse and one.accepted for one in said.changes)
    parts = [f"{said.judged} series over {said.runs} runs: {len(said.new_and_worse)} worse"]
    parts += [f"{accepted} accepted"] if accepted else []
    parts += [f"{better} better"] if better else []
    lines = [f"{', '.join(parts)}; the newest is {said.newest.label}, {said.newest.measured}"]
    if said.too_short:
        lines.append(f"{said.too_short} series are too short to be judged")
    if said.gone:
        lines.append(f"not in the newest run: {', '.join(said.gone[:5])}{', ...' if len(said.gone) > 5 else ''}")
    return lines
