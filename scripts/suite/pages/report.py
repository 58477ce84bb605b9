"""How does a page show one run, or several side by side? It is one HTML file that needs no network.

All text of a result file goes through the template, which escapes it; nothing here writes HTML but the charts' SVG.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment

from suite import charts, claims
from suite.base import phrases
from suite.base.errors import BadInput
from suite.base.files import write_whole
from suite.base.text import interval_text, three_figures, time_text
from suite.charts.kit.frame import Spot
from suite.pages import own_program, summary
from suite.pages.html import INDENT, environment, readable, source
from suite.pages.inline_svg import (
    ChartStyles,
    InlineSvg,
    UnlikeThemes,
    in_whole_points,
    inline,
    inline_in_known_colours,
)
from suite.results.caches import reported_text
from suite.results.end_to_end import is_of_program
from suite.results.metrics import kind_of, metrics_in
from suite.results.model import DISTURBANCES, MADE_BY_THIS_SUITE, Benchmark, Run, Unit, cpu_model, labelled
from suite.results.run_names import MOST_RUNS, names_of
from suite.stats.estimates import Estimate, estimate_median, estimate_ratio

POSTER = "numbers"  # the chart that the page shows first
OTHER_CHAPTER = "others"
HEADER = ("chapter", "question", "operation", "untimed", "heap", "held_against", "unfairness")

# Counters that describe the measurement, not the benchmark.
ABOUT_MEASURING = ("ns_per_addition", *DISTURBANCES, "child_seconds")
SERIES = re.compile(r"(live|resident)_\d\d")  # 32 points over a replay: their chart shows them
FROM_THE_KERNEL = ("page_faults",)
CHILD = "child_seconds"  # has it: the time is that of a child process, and only its counters say something


# ---- one file


def make(runs: Sequence[Run]) -> str:
    """The page. Raises BadInput where the runs are too many."""
    if len(runs) > MOST_RUNS:
        raise BadInput(f"at most {MOST_RUNS} runs stand side by side, not {len(runs)}")
    letters = "ABCDEF" if len(runs) > 1 else [""]
    names = names_of(runs)
    told_apart = [labelled(run, name) if len(runs) > 1 else run for run, name in zip(runs, names)]
    sides = [ReportedRun(*of_side) for of_side in zip(told_apart, letters, names)]
    drawn = _drawn(sides)
    chapters = _chapters(sides, drawn)
    judged, rows = _judged(sides), list(_rows(sides))
    script = source("page.js")
    page = _environment().get_template("page.html.j2").render(
        title=_title(sides),
        answer_headings=own_program.HEADINGS,
        about_answer=own_program.ABOUT_TABLE,
        sides=sides,
        style=source("page.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(str(script).encode()).digest()).decode(),
        chart_styles=drawn.styles,
        topics=_topics(sides),
        claims=_claims(judged, chapters),
        tallies=[(side, _tally(claims_of_side)) for side, claims_of_side in zip(sides, judged)],
        posters=[chart for chart in drawn.overview if chart.chart == POSTER],
        overview=[chart for chart in drawn.overview if chart.chart != POSTER],
        chapters=chapters,
        data=_packed(
            {
                "sides": [{"letter": side.letter, "name": str(readable(side.name))} for side in sides],
                "figures": _columns(rows),
                "kinds": _kinds(sides, (counter for _, counter, _, _ in rows if counter)),
                "charts": _packed_charts(drawn),
            }
        ),
    )
    return INDENT.sub("\n", page)


def _title(sides: Sequence[ReportedRun]) -> str:
    if len(sides) > 1:
        return f"What memory costs in {len(sides)} runs"
    program = sides[0].answer if is_of_program(sides[0].run) else None
    return f"What memory costs {f'in {program.name}' if program is not None else 'on this machine'}"


def _packed(data: Mapping[str, object]) -> str:
    """As JSON, compressed, in base64: the page's script unpacks it."""
    content = json.dumps(data, separators=(",", ":")).encode()
    return base64.b64encode(zlib.compress(content, 9)).decode()


def _environment() -> Environment:
    return environment({
        "time": time_text, "interval": interval_text, "figure": three_figures,
        "css_class": _css_class, "plain": _plain, "sentence": _sentence,
    })  # fmt: skip


def _plain(name: str) -> str:
    """A name of the suite as words."""
    return name.replace("_", " ")


def _sentence(text: str) -> str:
    """A phrase of a family's header, set as a sentence."""
    return phrases.begun(text) + ("" if text.endswith((".", "!", "?")) else ".")


def write(page: str, file: Path) -> Path:
    """Writes the page to the file and returns the file. Raises OSError."""
    write_whole(file, page)
    return file


# ---- a run of the page


@dataclass(frozen=True)
class ReportedRun:
    """One run of the page; a letter tells several apart."""

    run: Run
    letter: str
    name: str

    @property
    def day(self) -> str:
        return str(self.run.context.get("date", ""))[:10]

    @property
    def lead(self) -> str:
        """The machine, the day and the size of the run, in one line."""
        cores = self.run.fact("cores")
        families = phrases.count(len(self.run.families()), "family", "families")
        counts = [
            phrases.count(cores, "core") if cores else "",
            f"{len(self.run.series()):,} benchmarks in {families}",
            phrases.count(self.run.processes, "process each", "processes each"),
        ]
        return f"{phrases.NO_BREAK}· ".join(filter(None, (self.name, self.day, *map(phrases.unbroken, counts))))  # no line opens with a dot

    @property
    def warning(self) -> str:
        """Names what is missing."""
        failed = len(self.run.failed)
        missing = [] if self.run.complete else ["it was interrupted, or is still going on"]
        if failed:
            which = summary.few(summary.failed_of(self.run))
            missing.append(f"{phrases.count(failed, 'process', 'processes')} failed ({which})")
        return f"This run is not whole: {'; '.join(missing)}."

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The facts that the run has of its machine and program."""
        fact = self.run.context.get
        compiler = " ".join(str(fact(key, "")) for key in ("compiler", "build_flags")).strip()
        libraries = [f"{name} {text}" for name, text in self.run.mallocs().items()]
        facts = [
            ("Measured", str(fact("date", "")).replace("T", " ")),
            ("Host", str(fact("host_name", ""))),
            ("Processor", ", ".join(filter(None, (cpu_model(self.run), str(fact("topology") or fact("cores") or ""))))),
            ("Caches", reported_text(self.run)),
            ("Compiler", compiler),
            ("The process's malloc", str(fact("process_malloc", ""))),
            ("Mallocs", "; ".join(libraries)),
            ("Preloaded", str(fact("preloaded", ""))),
            ("Threads pinned to", str(fact("pinning", ""))),
            ("Huge pages", str(fact("transparent_hugepages", ""))),
            ("Hardware counters", str(fact("counters", ""))),
            ("Profile, seed", ", ".join(str(fact(key, "")) for key in ("profile", "seed") if fact(key))),
            ("Suite", str(fact(MADE_BY_THIS_SUITE, ""))),
        ]
        return [(name, text) for name, text in facts if text]

    @property
    def verdict(self) -> str:
        return str(self._machine.get("verdict", ""))

    @property
    def checks(self) -> list[dict[str, str]]:
        """The checks of the machine, first the checks that need attention."""
        checks = self._machine.get("findings")
        listed = [check for check in checks if isinstance(check, dict)] if isinstance(checks, list) else []
        keys = ("name", "state", "value", "effect", "remedy")
        texts = [{key: str(check.get(key, "")) for key in keys} for check in listed]
        order = ("mind", "unknown")
        return sorted(texts, key=lambda check: order.index(check["state"]) if check["state"] in order else len(order))

    @property
    def _machine(self) -> Mapping[str, Any]:
        machine = self.run.account.about.get("machine")
        return machine if isinstance(machine, dict) else {}

    @cached_property
    def answer(self) -> own_program.ProgramAnswer | None:
        """What memory costs in the user's own program, where the run is of a program."""
        return own_program.answer(self.run)

    @property
    def profile_rows(self) -> list[tuple[str, str]]:
        profile = self.answer.profile if self.answer is not None else None
        return own_program.profile_rows(profile) if profile is not None else []

    @property
    def answer_rows(self) -> list[tuple[str, ...]]:
        return own_program.as_rows(self.answer) if self.answer is not None else []

    @property
    def caveats(self) -> list[str]:
        return summary.caveats(self.run)

    @property
    def disturbed(self) -> list[Unit]:
        return [unit for unit in self.run.units if unit.disturbed]

    def header(self, family: str) -> dict[str, str]:
        """What the family's own header says; empty words where it says nothing."""
        families = self.run.account.about.get("families")
        header = families.get(family) if isinstance(families, dict) else None
        return {key: str(header.get(key, "")) if isinstance(header, dict) else "" for key in HEADER}

    def chapter(self, family: str) -> str:
        return self.header(family)["chapter"] or self._measured_in.get(family, OTHER_CHAPTER)

    @cached_property
    def _measured_in(self) -> Mapping[str, str]:
        """The chapter in which each family was measured first."""
        return {unit.family: unit.chapter for unit in reversed(self.run.units)}


# ---- charts


@dataclass(frozen=True)
class ReportChart:
    """One chart of one side, ready for the page. `views` has one picture, or one for each theme."""

    chart: str
    side: ReportedRun
    question: str
    title: str
    caption: str
    alt: str
    spots: tuple[Spot, ...]
    views: Mapping[str, InlineSvg]
    narrow: InlineSvg | None = None  # for a phone
    narrow_spots: tuple[Spot, ...] = ()

    @property
    def name(self) -> str:
        """As an address of the page has it."""
        return "-".join(filter(None, (self.chart, self.side.letter)))

    @property
    def id(self) -> str:
        """It is the figure's address, so that a browser without JavaScript goes there as well."""
        return f"chart={self.name}"

    @property
    def description(self) -> str:
        """For a screen reader, which has read the title before it, and reads the values after it, where there are any."""
        return self.alt.removeprefix(f"{self.title}. ").removesuffix(".")

    @property
    def picture(self) -> InlineSvg:
        return next(iter(self.views.values()))


@dataclass
class DrawnCharts:
    styles: ChartStyles = field(default_factory=ChartStyles)
    by_family: dict[str, list[ReportChart]] = field(default_factory=dict)
    overview: list[ReportChart] = field(default_factory=list)  # about more than a single family


def _drawn(sides: Sequence[ReportedRun]) -> DrawnCharts:
    drawn = DrawnCharts()
    families = {family for side in sides for family in side.run.families()}
    for name, kind in charts.charts().items():
        for side in sides:
            chart = _chart(side, name, kind.question, drawn.styles)
            if chart is not None:
                place = drawn.by_family.setdefault(kind.family, []) if kind.family in families else drawn.overview
                place.append(chart)
    return drawn


def _chart(side: ReportedRun, name: str, question: str, styles: ChartStyles) -> ReportChart | None:
    light = charts.draw(side.run, name)
    if light is None:
        return None
    chart = partial(ReportChart, name, side, question, light.title, light.caption, light.alt, light.spots)
    views = _views(side.run, name, light, styles)
    narrow = charts.draw(side.run, name, charts.Look(size=charts.NARROW)) if "both" in views else None
    if narrow is None or [spot.text for spot in narrow.spots] != [spot.text for spot in light.spots]:
        return chart(views)
    try:
        return chart(views, in_whole_points(inline_in_known_colours(narrow, styles)), narrow.spots)
    except UnlikeThemes:
        return chart(views)


def _views(run: Run, name: str, light: charts.Drawing, styles: ChartStyles) -> dict[str, InlineSvg]:
    """The picture for both themes, or one for each. Drawing takes most of a page's time, so the chart is drawn for the
    dark page only where its colours there are not known."""
    try:
        return {"both": inline_in_known_colours(light, styles)}
    except UnlikeThemes:
        dark = charts.draw(run, name, charts.Look("dark"))
    assert dark is not None  # whether there are data does not depend on the theme
    try:
        return {"both": inline(light, dark, styles)}
    except UnlikeThemes:
        return {drawing.look.theme: inline(drawing, drawing, styles) for drawing in (light, dark)}


Places = list[tuple[int, int]]


def _packed_charts(drawn: DrawnCharts) -> dict[str, dict[str, object]]:
    """By the chart's name in the page: what the page's script needs of it."""
    shown = [*drawn.overview, *(chart for of_family in drawn.by_family.values() for chart in of_family)]
    return {chart.name: _packed_chart(chart) for chart in shown}


def _packed_chart(chart: ReportChart) -> dict[str, object]:
    """The figures and their places, the words of a chart that is saved, and the drawing for a phone."""
    packed: dict[str, object] = {
        "texts": [str(readable(spot.text)) for spot in chart.spots],
        "places": _places(chart.spots, chart.picture),
        "words": {theme: view.words for theme, view in chart.views.items()},
    }
    if chart.narrow is not None:
        places = _places(chart.narrow_spots, chart.narrow)
        packed["narrow"] = {"box": chart.narrow.panels, "markup": chart.narrow.markup, "places": places}
    return packed


def _places(spots: Iterable[Spot], picture: InlineSvg) -> Places:
    width, height = picture.whole
    return [(round(spot.x * width), round(spot.y * height)) for spot in spots]


# ---- chapters


@dataclass(frozen=True)
class ReportFamily:
    id: str
    name: str
    words: Mapping[str, str]
    charts: Sequence[ReportChart]
    benchmarks: int


@dataclass(frozen=True)
class ReportChapter:
    id: str
    name: str
    question: str
    families: Sequence[ReportFamily]

    @property
    def address(self) -> str:
        """At which the page shows this chapter alone."""
        return f"#{urlencode({'chapter': self.name})}"


def _chapters(sides: Sequence[ReportedRun], drawn: DrawnCharts) -> list[ReportChapter]:
    by_chapter: dict[str, list[ReportFamily]] = {}
    names = dict.fromkeys(name for side in sides for name in side.run.families())
    for number, name in enumerate(names):
        first = next(side for side in sides if side.run.series(name))
        header = first.header(name)
        benchmarks = len({benchmark.name.text for side in sides for benchmark in side.run.series(name)})
        family = ReportFamily(_id("family", name, number), name, header, drawn.by_family.get(name, []), benchmarks)
        by_chapter.setdefault(first.chapter(name), []).append(family)
    questions = {name: question for side in sides for name, question in side.run.chapters.items()}
    known = [name for name in questions if name in by_chapter]
    ordered = [*known, *(name for name in by_chapter if name not in questions)]
    return [
        ReportChapter(_id("chapter", name, number), name, questions.get(name, ""), by_chapter[name])
        for number, name in enumerate(ordered)
    ]


def _id(kind: str, name: str, number: int) -> str:
    """Readable in an address, where the name allows it."""
    return f"{kind}-{name}" if re.fullmatch(r"[a-z][a-z0-9_]{0,60}", name) else f"{kind}-{number}"


# ---- claims

VERDICTS = (claims.HOLDS, claims.HOLDS_BUT, claims.DOES_NOT_HOLD, claims.UNDECIDED, claims.NOT_MEASURED)


@dataclass(frozen=True)
class ReportClaim:
    """A claim, the verdict of each side, and the families that decided it."""

    text: str
    judged: Sequence[claims.ClaimVerdict]
    families: Sequence[ReportFamily]


def _judged(sides: Sequence[ReportedRun]) -> list[list[claims.ClaimVerdict]]:
    """The claims of each side; none where all runs are of programs, which are not made to test claims."""
    if all(is_of_program(side.run) for side in sides):
        return [[] for _ in sides]
    return [list(claims.verdicts(side.run)) for side in sides]


def _claims(by_side: Sequence[Sequence[claims.ClaimVerdict]], chapters: Sequence[ReportChapter]) -> list[ReportClaim]:
    shown = {family.name: family for chapter in chapters for family in chapter.families}
    return [
        ReportClaim(judged[0].statement, judged, [shown[name] for name in judged[0].families if name in shown])
        for judged in zip(*by_side)
    ]


def _tally(judged: Iterable[claims.ClaimVerdict]) -> list[tuple[str, int]]:
    counts = Counter(claim.verdict for claim in judged)
    return [(verdict, counts[verdict]) for verdict in VERDICTS if counts[verdict]]


def _css_class(verdict: str) -> str:
    return re.sub(r"[^a-z]+", "-", verdict)


# ---- findings in figures


@dataclass(frozen=True)
class ReportSubject:
    name: str
    findings: Sequence[tuple[ReportedRun, summary.Finding]]  # of the sides that have it


def _topics(sides: Sequence[ReportedRun]) -> dict[str, list[ReportSubject]]:
    """The findings of each topic, a row for each subject."""
    found: dict[str, dict[str, list[tuple[ReportedRun, summary.Finding]]]] = {}
    for side in sides:
        for finding in summary.findings(side.run):
            found.setdefault(finding.topic, {}).setdefault(finding.subject, []).append((side, finding))
    return {topic: [ReportSubject(name, of_subject) for name, of_subject in subjects.items()] for topic, subjects in found.items()}


# ---- the table of all figures

Row = list[Any]


def _rows(sides: Sequence[ReportedRun]) -> Iterator[Row]:
    """A row is [name, counter or "", for each side its figures or null, for each side after the first its ratio].

    Figures: median, low, high, the same in cycles, the two modes or 0, processes: disturbed, measured, planned.
    """
    names = dict.fromkeys(benchmark.name.text for side in sides for benchmark in side.run.series())
    for name in names:
        benchmarks = [side.run.get(name) for side in sides]
        measured = [benchmark for benchmark in benchmarks if benchmark is not None]
        if not any(benchmark.counter(CHILD) for benchmark in measured):
            times = [_times(side.run, benchmark) if benchmark else None for side, benchmark in zip(sides, benchmarks)]
            yield [name, "", times, [_ratio(benchmark, benchmarks[0]) for benchmark in benchmarks[1:]]]
        for key in counters_of(measured):
            cells = [
                _counted(side.run, benchmark, key) if benchmark else None for side, benchmark in zip(sides, benchmarks)
            ]
            yield [name, key, cells, [None] * (len(sides) - 1)]


def _columns(rows: Sequence[Row]) -> dict[str, object]:
    """The same figures column by column, and the ends of intervals relative to their median: a third smaller when they
    are packed. A missing cell is a null in each column."""
    by_side, by_later_side = (list(zip(*(row[place] for row in rows))) for place in (2, 3))
    return {
        "names": [row[0] for row in rows],
        "counters": [row[1] for row in rows],
        "cells": [_beside_medians(_transposed(of_side, 10), 0, 3) for of_side in by_side],
        "ratios": [_beside_medians(_transposed(of_side, 3), 0) for of_side in by_later_side],
    }


Column = tuple[Any, ...]


def _beside_medians(columns: Sequence[Column], *medians: int) -> list[Column]:
    """The two columns after each of these become their distance from it, in ten-thousandths of it; of 0, they stay."""
    changed = list(columns)
    for median in medians:
        for end in (median + 1, median + 2):
            pairs = zip(columns[end], columns[median])
            changed[end] = tuple(
                round((value - of) / of * 1e4) if value is not None and of else value for value, of in pairs
            )
    return changed


def _transposed(rows: Iterable[Row | None], width: int) -> list[Column]:
    return list(zip(*(row or [None] * width for row in rows)))


def _kinds(sides: Sequence[ReportedRun], counters: Iterable[str]) -> dict[str, str]:
    """What each counter's numbers are, by its name."""
    declared = {
        metric.counter: metric.unit for side in sides for metrics in metrics_in(side.run).values() for metric in metrics
    }
    return {counter: kind_of(counter, declared.get(counter, "")) for counter in dict.fromkeys(counters)}


def _times(run: Run, benchmark: Benchmark) -> Row:
    figure = estimate_median(benchmark.times)
    cycles = estimate_median(benchmark.cycles) if len(benchmark.cycles) == len(benchmark.samples) else None
    return [*_short(figure), *(_short(cycles) if cycles else [None] * 3), *_sureness(run, benchmark, figure)]


def _counted(run: Run, benchmark: Benchmark, key: str) -> Row | None:
    values = benchmark.counter(key)
    if not values:
        return None
    figure = estimate_median(values)
    return [*_short(figure), None, None, None, *_sureness(run, benchmark, figure)]


def _short(figure: Estimate) -> Row:
    """Four figures are more than any run knows. Without an interval its ends are left out."""
    ends = (figure.low, figure.high) if figure.has_interval else (None, None)
    return [None if value is None else float(f"{value:.4g}") for value in (figure.median, *ends)]


def _sureness(run: Run, benchmark: Benchmark, figure: Estimate) -> Row:
    modes = [float(f"{mode:.4g}") for mode in figure.modes] if figure.modes else 0
    return [modes, len(run.disturbed_processes(benchmark)), len(benchmark.samples), run.account.processes_planned]


def counters_of(measured: Iterable[Benchmark]) -> list[str]:
    keys = dict.fromkeys(key for benchmark in measured for sample in benchmark.samples for key in sample.counters)
    return [key for key in keys if key not in ABOUT_MEASURING and not SERIES.fullmatch(key)]


def _ratio(benchmark: Benchmark | None, base: Benchmark | None) -> Row | None:
    if benchmark is None or base is None or min((*benchmark.times, *base.times)) <= 0.0:
        return None
    return _short(estimate_ratio(benchmark.times, base.times))
