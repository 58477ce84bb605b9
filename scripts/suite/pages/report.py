"""What does a page about one run, or several side by side, say? One HTML file that needs no network.

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
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from suite import charts, claims
from suite.base import phrases
from suite.base.errors import BadInput
from suite.base.files import write_whole
from suite.base.text import bytes_text, interval_text, printable, three_figures, time_text
from suite.charts.kit.frame import Spot
from suite.pages import summary
from suite.pages.inline_svg import ChartStyles, InlineSvg, UnlikeThemes, inline
from suite.results.model import CORE_SHARE, MADE_BY_THIS_SUITE, Benchmark, Run, Unit, cache_levels
from suite.stats.estimates import Estimate, estimate_median, estimate_ratio

PAGE = Path(__file__).with_name("template")
MOST_RUNS = 6  # more columns than that nobody can read side by side
_INDENT = re.compile(r"\n\s*")  # a page is a tenth smaller without
LONGEST_TEXT = 4000  # no honest fact is longer; a hostile one shall not make the page unusable

CHAPTERS = {
    "allocation": "What does it cost to get memory?",
    "access": "What does it cost to use memory?",
    "locality": "Does it matter where neighbours are?",
    "contention": "What does sharing the heap cost?",
    "ownership": "What does managing it cost?",
    "limits": "Where does it end?",
    "footprint": "What does it cost in memory?",
}
OTHER_CHAPTER = "others"
HEADER = ("chapter", "question", "operation", "untimed", "heap", "unfairness")

# Counters that say how a figure was taken, and no more.
ABOUT_MEASURING = ("ns_per_addition", CORE_SHARE, "child_seconds")
FROM_THE_KERNEL = ("page_faults",)
CHILD = "child_seconds"  # has it: the time is that of a child process, and only its counters say something


# ---- one file


def make(runs: Sequence[Run]) -> str:
    """The page. Raises BadInput where the runs are too many."""
    if len(runs) > MOST_RUNS:
        raise BadInput(f"at most {MOST_RUNS} runs stand side by side, not {len(runs)}")
    sides = [ReportedRun(run, letter if len(runs) > 1 else "") for run, letter in zip(runs, "ABCDEF")]
    drawn = _drawn(sides)
    chapters = _chapters(sides, drawn)
    judged = [claims.judge(one.run) for one in sides]
    script = _source("page.js")
    page = _environment().get_template("page.html.j2").render(
        title="What memory costs" + (" on this machine" if len(sides) == 1 else f" on {len(sides)} sides"),
        sides=sides,
        style=_source("page.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(str(script).encode()).digest()).decode(),
        chart_styles=drawn.styles,
        topics=_topics(sides),
        claims=_claims(judged, chapters),
        tallies=[(one.letter, _tally(found)) for one, found in zip(sides, judged)],
        overview=drawn.overview,
        chapters=chapters,
        figures=_packed({"sides": [one.letter for one in sides], "rows": list(_rows(sides))}),
    )
    return _INDENT.sub("\n", page)


def _source(name: str) -> Markup:
    """A file of the template, as it stands in the page: without indentation, so that the hash of a script holds."""
    return Markup(_INDENT.sub("\n", (PAGE / name).read_text(encoding="utf-8")))


def _packed(figures: Mapping[str, object]) -> str:
    """As JSON, compressed, in base64: the page's script unpacks it."""
    content = json.dumps(figures, separators=(",", ":")).encode()
    return base64.b64encode(zlib.compress(content, 9)).decode()


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, finalize=_readable,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters.update(time=time_text, interval=interval_text, figure=three_figures)
    made.filters.update(css_class=_css_class, plain=_plain, sentence=_sentence)
    return made


def _plain(name: str) -> str:
    """A name of the suite as words."""
    return name.replace("_", " ")


def _sentence(text: str) -> str:
    """A phrase of a family's header, set as a sentence."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _readable(value: object) -> object:
    """Any text without control characters and without marks that turn the direction of writing."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    text = printable(value, kept="\u00a0")
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def write(page: str, file: Path) -> Path:
    """Writes the page to the file and returns the file. Raises OSError."""
    write_whole(file, page)
    return file


# ---- one run among others


@dataclass(frozen=True)
class ReportedRun:
    """One run of the page; a letter tells several apart."""

    run: Run
    letter: str

    @property
    def name(self) -> str:
        """Of its machine: what a reader may know it by."""
        return str(self.run.context.get("host_name") or self.run.path.parent.name or "a machine")

    @property
    def day(self) -> str:
        return str(self.run.context.get("date", ""))[:10]

    @property
    def lead(self) -> str:
        """What was measured, where and when, in one line."""
        cores = self.run.fact("cores")
        families = phrases.count(len(self.run.families()), "family", "families")
        counts = [
            phrases.count(cores, "core") if cores else "",
            f"{len(self.run.series()):,} benchmarks in {families}",
            phrases.count(self.run.processes, "process each", "processes each"),
        ]
        unbroken = [one.replace(" ", phrases.NO_BREAK) for one in counts]
        return " · ".join(filter(None, (self.name, self.day, *unbroken)))

    @property
    def warning(self) -> str:
        """Of what is missing."""
        failed = len(self.run.failed)
        missing = [] if self.run.complete else ["it was interrupted, or is still going on"]
        missing += [f"{phrases.count(failed, 'process')} failed"] if failed else []
        return f"This run is not whole: {'; '.join(missing)}."

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What is known of the machine and the program, those facts that are there."""
        said = self.run.context.get
        caches = ", ".join(f"{level} {bytes_text(size)}" for level, size in cache_levels(self.run))
        compiler = " ".join(str(said(key, "")) for key in ("compiler", "build_flags")).strip()
        libraries = [f"{name} {text}" for name, text in self.run.mallocs().items()]
        facts = [
            ("Measured", str(said("date", "")).replace("T", " ")),
            ("Host", str(said("host_name", ""))),
            ("Processor", str(said("topology") or said("cores") or "")),
            ("Caches", caches),
            ("Compiler", compiler),
            ("The process's malloc", str(said("process_malloc", ""))),
            ("Mallocs", "; ".join(libraries)),
            ("Preloaded", str(said("preloaded", ""))),
            ("Threads pinned to", str(said("pinning", ""))),
            ("Huge pages", str(said("transparent_hugepages", ""))),
            ("Hardware counters", str(said("counters", ""))),
            ("Profile, seed", ", ".join(str(said(key, "")) for key in ("profile", "seed") if said(key))),
            ("Suite", str(said(MADE_BY_THIS_SUITE, ""))),
        ]
        return [(name, text) for name, text in facts if text]

    @property
    def verdict(self) -> str:
        return str(self._machine.get("verdict", ""))

    @property
    def checks(self) -> list[dict[str, str]]:
        """What was found out about the machine, what is to be minded first."""
        found = self._machine.get("findings")
        listed = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        keys = ("name", "state", "value", "effect", "remedy")
        checks = [{key: str(one.get(key, "")) for key in keys} for one in listed]
        order = ("mind", "unknown")
        return sorted(checks, key=lambda one: order.index(one["state"]) if one["state"] in order else len(order))

    @property
    def _machine(self) -> Mapping[str, Any]:
        found = self.run.account.about.get("machine")
        return found if isinstance(found, dict) else {}

    @property
    def caveats(self) -> list[str]:
        return summary.caveats(self.run)

    @property
    def disturbed(self) -> list[Unit]:
        return [one for one in self.run.units if one.disturbed]

    def header(self, family: str) -> dict[str, str]:
        """What the family's own header says; empty words where it says nothing."""
        families = self.run.account.about.get("families")
        found = families.get(family) if isinstance(families, dict) else None
        return {key: str(found.get(key, "")) if isinstance(found, dict) else "" for key in HEADER}

    def chapter(self, family: str) -> str:
        measured_in = (one.chapter for one in self.run.units if one.family == family)
        return self.header(family)["chapter"] or next(measured_in, OTHER_CHAPTER)


# ---- charts


@dataclass(frozen=True)
class ReportChart:
    """One chart of one side, ready for the page. `views` has one picture, or one for each theme."""

    id: str
    name: str
    side: ReportedRun
    question: str
    title: str
    caption: str
    alt: str
    spots: tuple[Spot, ...]
    views: Mapping[str, InlineSvg]

    @property
    def description(self) -> str:
        """For a screen reader, which has read the title before it."""
        return self.alt.removeprefix(f"{self.title}. ")

    @property
    def picture(self) -> InlineSvg:
        return next(iter(self.views.values()))


@dataclass
class DrawnCharts:
    styles: ChartStyles = field(default_factory=ChartStyles)
    by_family: dict[str, list[ReportChart]] = field(default_factory=dict)
    overview: list[ReportChart] = field(default_factory=list)  # those that are about no single family


def _drawn(sides: Sequence[ReportedRun]) -> DrawnCharts:
    drawn = DrawnCharts()
    families = {family for one in sides for family in one.run.families()}
    for name, kind in charts.charts().items():
        for one in sides:
            made = _chart(one, name, kind.question, drawn.styles)
            if made is not None:
                place = drawn.by_family.setdefault(kind.family, []) if kind.family in families else drawn.overview
                place.append(made)
    return drawn


def _chart(of: ReportedRun, name: str, question: str, styles: ChartStyles) -> ReportChart | None:
    light, dark = (charts.draw(of.run, name, charts.Look(theme)) for theme in charts.THEMES)
    if light is None or dark is None:
        return None
    mark = "-".join(filter(None, (name, of.letter)))
    prefix = styles.next_prefix()
    try:
        views = {"both": inline(light, dark, prefix, styles)}
    except UnlikeThemes:
        views = {one.look.theme: inline(one, one, f"{prefix}{one.look.theme}-", styles) for one in (light, dark)}
    return ReportChart(f"chart-{mark}", name, of, question, light.title, light.caption, light.alt, light.spots, views)


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


def _chapters(sides: Sequence[ReportedRun], drawn: DrawnCharts) -> list[ReportChapter]:
    found: dict[str, list[ReportFamily]] = {}
    names = dict.fromkeys(name for one in sides for name in one.run.families())
    for number, name in enumerate(names):
        first = next(one for one in sides if name in one.run.families())
        header = first.header(name)
        benchmarks = len({each.name.text for one in sides for each in one.run.series(name)})
        made = ReportFamily(_id("family", name, number), name, header, drawn.by_family.get(name, []), benchmarks)
        found.setdefault(first.chapter(name), []).append(made)
    known = [name for name in CHAPTERS if name in found]
    ordered = [*known, *(name for name in found if name not in CHAPTERS)]
    return [
        ReportChapter(_id("chapter", name, number), name, CHAPTERS.get(name, ""), found[name])
        for number, name in enumerate(ordered)
    ]


def _id(kind: str, name: str, number: int) -> str:
    """Readable in an address, where the name allows it."""
    return f"{kind}-{name}" if re.fullmatch(r"[a-z][a-z0-9_]{0,60}", name) else f"{kind}-{number}"


# ---- claims

VERDICTS = (claims.HOLDS, claims.HOLDS_BUT, claims.DOES_NOT_HOLD, claims.UNDECIDED, claims.NOT_MEASURED)


@dataclass(frozen=True)
class ReportClaim:
    """What is said, what each side says to it, and the families that it was read from."""

    said: str
    judged: Sequence[claims.JudgedClaim]
    families: Sequence[ReportFamily]


def _claims(by_side: Sequence[Sequence[claims.JudgedClaim]], chapters: Sequence[ReportChapter]) -> list[ReportClaim]:
    shown = {one.name: one for each in chapters for one in each.families}
    return [
        ReportClaim(judged[0].said, judged, [shown[name] for name in judged[0].families if name in shown])
        for judged in zip(*by_side)
    ]


def _tally(judged: Iterable[claims.JudgedClaim]) -> list[tuple[str, int]]:
    found = Counter(one.verdict for one in judged)
    return [(verdict, found[verdict]) for verdict in VERDICTS if found[verdict]]


def _css_class(verdict: str) -> str:
    return re.sub(r"[^a-z]+", "-", verdict)


# ---- findings in figures


@dataclass(frozen=True)
class ReportSubject:
    name: str
    cells: Sequence[summary.Finding | None]  # one a side


def _topics(sides: Sequence[ReportedRun]) -> dict[str, list[ReportSubject]]:
    """The findings of each topic, a row for each subject."""
    by_side = [{(one.topic, one.subject): one for one in summary.findings(each.run)} for each in sides]
    topics: dict[str, list[ReportSubject]] = {}
    for topic, name in dict.fromkeys(key for found in by_side for key in found):
        cells = [found.get((topic, name)) for found in by_side]
        topics.setdefault(topic, []).append(ReportSubject(name, cells))
    return topics


# ---- the table of all figures

Row = list[Any]


def _rows(sides: Sequence[ReportedRun]) -> Iterator[Row]:
    """Each as [name, counter or "", for each side its figures or null, for each side after the first its ratio].

    Figures: median, low, high, the same in cycles, the humps, disturbed processes, processes, processes planned.
    """
    names = dict.fromkeys(each.name.text for one in sides for each in one.run.series())
    for name in names:
        found = [one.run.get(name) for one in sides]
        measured = [one for one in found if one is not None]
        if not any(each.counter(CHILD) for each in measured):
            times = [_times(one.run, each) if each else None for one, each in zip(sides, found)]
            yield [name, "", times, [_ratio(each, found[0]) for each in found[1:]]]
        for key in counters_of(measured):
            cells = [_counted(one.run, each, key) if each else None for one, each in zip(sides, found)]
            yield [name, key, cells, [None] * (len(sides) - 1)]


def _times(run: Run, one: Benchmark) -> Row:
    figure = estimate_median(one.times)
    cycles = estimate_median(one.cycles) if len(one.cycles) == len(one.samples) else None
    return [*_short(figure), *(_short(cycles) if cycles else [None] * 3), *_sureness(run, one, figure)]


def _counted(run: Run, one: Benchmark, key: str) -> Row | None:
    values = one.counter(key)
    if not values:
        return None
    figure = estimate_median(values)
    return [*_short(figure), None, None, None, *_sureness(run, one, figure)]


def _short(figure: Estimate) -> Row:
    """Four figures are more than any run knows. Without an interval its ends are left out."""
    ends = (figure.low, figure.high) if figure.has_interval else (None, None)
    return [None if value is None else float(f"{value:.4g}") for value in (figure.median, *ends)]


def _sureness(run: Run, one: Benchmark, figure: Estimate) -> Row:
    humps = [float(f"{each:.4g}") for each in figure.modes] if figure.modes else 0
    return [humps, len(run.disturbed_processes(one)), len(one.samples), run.account.processes_planned]


def counters_of(measured: Iterable[Benchmark]) -> list[str]:
    keys = dict.fromkeys(key for one in measured for each in one.samples for key in each.counters)
    return [key for key in keys if key not in ABOUT_MEASURING]


def _ratio(one: Benchmark | None, base: Benchmark | None) -> Row | None:
    if one is None or base is None or min((*one.times, *base.times)) <= 0.0:
        return None
    return _short(estimate_ratio(one.times, base.times))
