"""What do the runs of a history say, on one page for a browser? A folder that needs no network and no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from suite.base import phrases
from suite.base.files import write_json, write_whole
from suite.base.text import printable
from suite.history import check, store
from suite.history.check import (
    ACCEPTED,
    BETTER,
    EARLY_WARNING,
    NO_CHANGE,
    NO_VERDICT,
    UNDONE,
    WORSE,
    JudgedSeries,
    Judgement,
)
from suite.history.store import Annotation, Entry, History
from suite.pages import history_svg
from suite.pages.html import INDENT, environment, source

INDEX = "index.html"
LABEL = "memory"  # of the badge
MOST_CHARTS = 40  # of a state: the others are in the table
COLOURS = {"worse": "red", "missing": "orange", EARLY_WARNING: "yellow", "no regressions": "brightgreen"}
_RGB = {"red": "#c8382b", "orange": "#b25a00", "yellow": "#8a6d00", "brightgreen": "#2f7d1e", "lightgrey": "#666b70"}
_UNITS = {store.RATIO: "times the reference", store.CYCLES: "cycles", store.NS: "ns"}
# Widths of letters in the badge's text, in pixels: most are about as wide as the first.
_LETTER, _LETTERS = 6.8, {**dict.fromkeys("il", 3.1), **dict.fromkeys("frtj ", 4.3), "s": 5.7, "m": 10.7, "w": 9.0}
_CLASSES = {WORSE: "does-not-hold", EARLY_WARNING: "holds-but", BETTER: "holds"}


@dataclass(frozen=True)
class Group:
    """The runs of one machine, profile and unit: a page."""

    judgement: Judgement
    annotations: Sequence[Annotation]
    machine: Mapping[str, Any]
    number: int  # from 0, the newest first

    @property
    def file(self) -> str:
        return INDEX if self.number == 0 else f"series-{self.number + 1}.html"

    @property
    def newest(self) -> Entry:
        return self.judgement.newest

    @property
    def name(self) -> str:
        """The machine and the profile."""
        facts = [str(self.machine[key]) for key in ("cpu_model", "topology") if self.machine.get(key)][:1]
        words = [*facts, f"{self.newest.profile} profile" if self.newest.profile else "", f"in {self.unit}"]
        return ", ".join(filter(None, words))

    @property
    def unit(self) -> str:
        return _UNITS[self.newest.unit]

    @property
    def state(self) -> str:
        return check.headline([self.judgement])

    @property
    def lead(self) -> str:
        runs = self.judgement.runs
        number = phrases.count(len(runs), "run")
        return f"{number} from {runs[0].measured[:10]} to {runs[-1].measured[:10]}, {len(self.judgement.series)} series"

    @cached_property
    def chapters(self) -> list[tuple[str, str, list[JudgedSeries]]]:
        """State, title and series of what is drawn large."""
        titles = {
            WORSE: "Worse",
            EARLY_WARNING: "Early warnings",
            ACCEPTED: "Worse, with an accepted reason",
            BETTER: "Better",
        }
        return [(state, title, found) for state, title in titles.items() if (found := self.judgement.in_state(state))]

    @cached_property
    def tally(self) -> list[tuple[str, int]]:
        states = (WORSE, EARLY_WARNING, ACCEPTED, BETTER, NO_CHANGE, NO_VERDICT)
        numbers = [(state, len(self.judgement.in_state(state))) for state in states]
        return [(state, number) for state, number in numbers if number]

    @property
    def families(self) -> list[tuple[str, list[JudgedSeries]]]:
        ordered = sorted(self.judgement.series, key=lambda series: series.name.partition("/")[0])
        by_family = groupby(ordered, lambda series: series.name.partition("/")[0])
        return [(name, list(found)) for name, found in by_family]

    def notes_on(self, series: JudgedSeries) -> list[tuple[str, Annotation]]:
        """The annotations of a series that do not stand at its changes already."""
        told, spoken = {note for change in series.changes for note in change.notes}, frozenset(series.annotations)
        return [
            (where, annotation)
            for where, annotation in self.remarks
            if annotation in spoken and annotation.text not in told
        ]

    @cached_property
    def remarks(self) -> list[tuple[str, Annotation]]:
        """The annotations of these runs, the newest first, and where they stand."""
        placed = [(annotation.place_in(self.judgement.runs), annotation) for annotation in self.annotations]
        known = [(place, annotation) for place, annotation in placed if place is not None]
        here = sorted(known, key=lambda pair: -pair[0])
        return [
            (f"{self.judgement.runs[place].label}, {self.judgement.runs[place].measured[:10]}", annotation)
            for place, annotation in here
        ]


def groups_of(record: History, last: int, least_change: float) -> list[Group]:
    """The groups that have a run among the last of the whole record, the newest first: a retired machine drops out."""
    runs = record.runs()
    lines = dict.fromkeys(run.line for run in reversed(runs[-last:] if last else runs))
    annotations = record.annotations()
    groups = []
    for number, line in enumerate(lines):
        table = record.table([run for run in runs if run.line == line][-last:])
        judgement = check.judge(table, annotations, least_change, record.intervals)
        groups.append(Group(judgement, annotations, record.machine(line[0]), number))
    return groups


def write(groups: Sequence[Group], title: str, folder: Path) -> Path:
    """Writes the pages and the badge into the folder, and returns the first page. Raises OSError."""
    state = check.headline([group.judgement for group in groups])
    for group in groups:
        write_whole(folder / group.file, _page(group, groups, title))
    write_whole(folder / "badge.svg", badge(state))
    write_json(folder / "badge.json", {"schemaVersion": 1, "label": LABEL, "message": state, "color": colour_of(state)})
    return folder / INDEX


def _page(group: Group, groups: Sequence[Group], title: str) -> str:
    made = environment({
        "tint": lambda state: _CLASSES.get(state, ""), "number": lambda value: f"{value:.4g}", "name": _breaking,
    })  # fmt: skip
    page = made.get_template("history.html.j2").render(
        title=title,
        group=group,
        groups=groups,
        style=source("page.css") + source("history.css"),
        most_charts=MOST_CHARTS,
        chart=history_svg.chart,
        sparkline=history_svg.sparkline,
        change_text=check.change_text,
        size_text=check.size_text,
        warning_text=check.warning_text,
        waiting_text=check.waiting_text,
        units=_UNITS,
        UNDONE=UNDONE,
        EARLY_WARNING=EARLY_WARNING,
    )
    return INDENT.sub("\n", page)


def _breaking(name: str) -> Markup:
    """A series' name, which breaks only where a part of it ends."""
    return Markup("/<wbr>").join(printable(part) for part in name.split("/"))


# ---- the badge


def colour_of(state: str) -> str:
    return next((colour for words, colour in COLOURS.items() if words in state), "lightgrey")


def badge(state: str) -> str:
    """As other badges look: a label on grey, and the state on its colour."""
    widths = [round(sum(_LETTERS.get(letter, _LETTER) for letter in text)) + 12 for text in (LABEL, state)]
    total, (left, right) = sum(widths), widths
    texts = "".join(
        f'<text x="{x}" y="14" textLength="{width - 12}">{escape(text)}</text>'
        for x, width, text in ((left / 2, left, LABEL), (left + right / 2, right, state))
    )
    label = escape(f"{LABEL}: {state}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" aria-label="{label}">'
        f"<title>{label}</title>"
        f'<clipPath id="r"><rect width="{total}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#4a4f55"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{_RGB[colour_of(state)]}"/></g>'
        f'<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{texts}</g>'
        "</svg>\n"
    )
