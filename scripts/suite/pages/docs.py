"""What do the README and the chapters' pages say about the reference run? Makes their generated blocks and figures, and
checks that they are up to date."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from suite import charts, claims
from suite.base import foreign, phrases
from suite.base.blocks import BLOCK, OPENING
from suite.base.errors import BadInput
from suite.base.files import write_whole
from suite.charts.across import overlay
from suite.gate.two_files import unlike_facts
from suite.pages import front_page, own_program, report
from suite.results import numbers
from suite.results.caches import reported_text
from suite.results.compact import write_compact
from suite.results.merge import extended
from suite.results.model import COUNTED_BESIDE, Run
from suite.results.read import read_program_output, read_run
from suite.selfcheck import hostile_inputs

README, SECURITY = Path("README.md"), Path("SECURITY.md")
DOCS = Path("docs")
REFERENCE = Path("results", "reference")
REFERENCE_RUN = REFERENCE / "run.json.gz"
REFERENCE_REPORT = REFERENCE / "report.html"
PROGRAMS = Path("results", "programs")  # a run of scripts/program each
PROGRAM_CHARTS = {"end_to_end": "jq", "lifetimes": "compiler"}  # and the run of a program that each is drawn from
COMPILERS = [Path("results", "compilers", f"{name}.json.gz") for name in ("gcc", "clang")]  # a run of each
COMPILERS_CHART, OVERLAY = "cost_64b", "overlay-cost_64b"  # the chart that compares them, and its name among the figures
BARE = Path("results", "bare", "bookworm.json")  # what results/bare/measure has measured
FIGURES = REFERENCE / "figures"
# The number of the format stands where the program's build reads it.
PROGRAM = Path("CMakeLists.txt")
FORMAT = re.compile(r"^set\(STACKHEAP_FORMAT (\d+)\)", re.MULTILINE)
_NAME = re.compile(r"\w+")  # of a chapter, which becomes part of a file's name
CLAIMS, NUMBERS, METHOD = "claims", "numbers", "method"  # the pages about all claims, the poster, and all families
STATISTICS = DOCS / "statistics.md"  # has the error rates of the gate and of other tools
HERO = "numbers"
# Its further looks, each with the media query of the readers who see it: the first that fits. A phone shows the high page.
HERO_LOOKS = {
    "(max-width: 600px) and (prefers-color-scheme: dark)": charts.Look("dark", charts.PORTRAIT),
    "(max-width: 600px)": charts.Look(size=charts.PORTRAIT),
    "(prefers-color-scheme: dark)": charts.Look("dark"),
}
SMALL = ("end_to_end", "cost_64b", OVERLAY, "stack_price")  # the charts that README shows small, beside what draws them
SMALL_LOOK, SMALL_SIZE = charts.Look(size="paper"), 'width="440" '  # pixels


class BadDocument(BadInput):
    """A generated block of a document cannot be written. Its text is one line."""


@dataclass(frozen=True)
class DocumentPage:
    """A page as it should be."""

    text: str
    stale_blocks: tuple[str, ...]


@dataclass(frozen=True)
class GeneratedDocuments:
    """The pages and the figures they show, by their path."""

    pages: Mapping[Path, DocumentPage]
    figures: Mapping[Path, bytes]


def take_as_reference(root: Path, measured: Path) -> None:
    """Keeps a measured run as the reference, compact. Raises BadResult, BadInput, OSError."""
    run = read_run(measured)
    if not run.complete:
        raise BadInput(f"{run.path} is incomplete: a reference is a whole run")
    (root / REFERENCE).mkdir(parents=True, exist_ok=True)
    write_compact(root / REFERENCE_RUN, read_program_output(run.path))


def extend_reference(root: Path, measured: Path) -> None:
    """Adds the families of a measured run that the reference lacks. Raises BadResult, BadInput, OSError.

    The run must be like the reference: the same machine, build and profile.
    """
    reference, later = read_run(root / REFERENCE_RUN), read_run(measured)
    if not later.complete:
        raise BadInput(f"{later.path} is incomplete: a reference is a whole run")
    if unlike := list(unlike_facts(reference, later)):
        raise BadInput(f"{later.path} cannot extend the reference: {'; '.join(unlike)}")
    if not (families := set(later.families()) - set(reference.families())):
        raise BadInput(f"{later.path} has no family that the reference lacks")
    documents = [read_program_output(run.path) for run in (reference, later)]
    write_compact(root / REFERENCE_RUN, extended(documents[0], documents[1], families))


def outdated(root: Path) -> list[str]:
    """How the reference differs from what the present program measures: a line each. Raises BadResult, BadDocument.

    Read from the sources, so that it needs no build: the format, the families, and what is timed beside each benchmark.
    """
    run = read_run(root / REFERENCE_RUN)
    present = FORMAT.search((root / PROGRAM).read_text(encoding="utf-8"))
    if present is None:
        raise BadDocument(f"{PROGRAM} does not set STACKHEAP_FORMAT to a number")
    lines = []
    if str(run.context.get("format", "")) != present[1]:
        lines.append(f"has {_format_of(run)}, the present program writes format {present[1]}")
    for counter in COUNTED_BESIDE:
        if not any(benchmark.counter(counter) for benchmark in run.series()):
            lines.append(f"lacks {counter}, which the present program measures beside every benchmark")
    measured = set(run.account.about.get("families", {}))
    without_families = ("harness", "recording")
    families = {file.stem for file in root.glob("benchmarks/*/*.cpp") if file.parent.name not in without_families}
    lines += [f"lacks the family {family}" for family in sorted(families - measured)]
    lines += [f"has the family {family}, which the present program lacks" for family in sorted(measured - families)]
    return [f"{REFERENCE_RUN} ({line})" for line in lines]


def _format_of(run: Run) -> str:
    return f"format {_cell(str(run.context['format']))}" if "format" in run.context else "no format"


def make(root: Path) -> GeneratedDocuments:
    """What belongs to the reference run. Raises BadResult, BadDocument, OSError."""
    run = read_run(root / REFERENCE_RUN)
    programs = {name: root / PROGRAMS / f"{program}.json.gz" for name, program in PROGRAM_CHARTS.items()}
    runs = {name: read_run(file) for name, file in programs.items() if file.exists()}

    def drawn(names: Iterable[str], look: charts.Look = charts.Look()) -> dict[str, charts.Drawing]:
        of_names = ((name, of_compilers(root, look) if name == OVERLAY else charts.draw(runs.get(name, run), name, look)) for name in names)
        return {name: drawing for name, drawing in of_names if drawing is not None}

    shown = drawn(charts.charts())
    large = shown | drawn([OVERLAY])
    small = drawn([name for name in SMALL if name in large], SMALL_LOOK)
    of_looks = (large, small, *(drawn([HERO], look) for look in HERO_LOOKS.values()))
    figures = {
        _figure_of(name, drawing.look): charts.render(drawing, "svg") for of_look in of_looks for name, drawing in of_look.items()
    }
    figures |= {FIGURES / f"{name}.svg": picture for name, picture in front_page.pictures(root, run)}
    chapters = tuple(dict.fromkeys(unit.chapter for unit in run.units if _NAME.fullmatch(unit.chapter)))
    further_pages = (CLAIMS, NUMBERS, METHOD, *chapters)
    further_paths = (SECURITY, *(DOCS / f"{name}.md" for name in further_pages))
    names = [README, *(path for path in further_paths if (root / path).exists())]
    pages = {path: _filled(root, path, _blocks(root, run, shown, small, path, chapters)) for path in names}
    return GeneratedDocuments(pages, figures)


def of_compilers(root: Path, look: charts.Look = charts.Look()) -> charts.Drawing | None:
    """The chart of several runs that README shows; None where they are not kept."""
    runs = [read_run(root / file) for file in COMPILERS if (root / file).exists()]
    return overlay.draw(runs, COMPILERS_CHART, look) if len(runs) == len(COMPILERS) else None


def _figure_of(name: str, look: charts.Look) -> Path:
    return FIGURES / f"{name}{look.suffix}.svg"


BlockText = Callable[[], str]


def _blocks(
    root: Path,
    run: Run,
    shown: Mapping[str, charts.Drawing],
    small: Mapping[str, charts.Drawing],
    page: Path,
    chapters: tuple[str, ...],
) -> Mapping[str, BlockText]:
    """The blocks that the page may have; links and pictures are relative to the page."""
    return {
        "hero": lambda: _hero(shown, page),
        "claims": lambda: "\n\n".join(_claims(run, page)),
        "claim counts": lambda: _claim_counts(run, page),
        "numbers": lambda: _numbers(run, page),
        "terminal": lambda: _image(FIGURES / "terminal.svg", front_page.FOUND, page),
        "from bare": lambda: _cell(front_page.from_bare(foreign.read_json((root / BARE).read_bytes()))),
        "findings": lambda: _findings(run),
        "gate": lambda: _beside_other_tools(root, page),
        "gate picture": lambda: _image(FIGURES / "gate.svg", front_page.COMPARED, page),
        **{f"small {name}": _small(name, drawing, page) for name, drawing in small.items()},
        "machine": lambda: _machine(run),
        "families": lambda: _families(run, page),
        "programs": lambda: _programs(root),
        "hostile inputs": lambda: _hostile_inputs(root),
        "program charts": lambda: "\n\n".join(_figure(name, shown[name], page) for name in PROGRAM_CHARTS if name in shown),
        **{f"chapter {chapter}": _chapter(run, shown, chapter, page) for chapter in chapters},
    }


def stale(root: Path, fresh: GeneratedDocuments) -> list[str]:
    """What differs from what was made: a line each, the block or the file."""
    lines = [f"{path} (block {name})" for path, page in fresh.pages.items() for name in page.stale_blocks]
    for path, content in fresh.figures.items():
        file = root / path
        if not file.is_file():
            lines.append(f"{path} (missing)")
        elif not same_figure(file.read_bytes(), content):
            lines.append(f"{path} (differs)")
    lines += [f"{path} (no chart draws it)" for path in _left_over(root, fresh)]
    return lines


def write(root: Path, fresh: GeneratedDocuments) -> None:
    (root / FIGURES).mkdir(parents=True, exist_ok=True)
    for path, content in fresh.figures.items():
        write_whole(root / path, content)
    for path in _left_over(root, fresh):
        (root / path).unlink()
    for path, page in fresh.pages.items():
        write_whole(root / path, page.text)


def write_report(root: Path) -> bool:
    """Writes the report of the reference run, and returns whether it changed. Takes as long as all that make() makes, so
    that only a nightly test checks it. Raises BadResult, OSError."""
    page, file = report.make([read_run(root / REFERENCE_RUN)]), root / REFERENCE_REPORT
    if file.is_file() and file.read_text(encoding="utf-8") == page:
        return False
    report.write(page, file)
    return True


def _left_over(root: Path, fresh: GeneratedDocuments) -> list[Path]:
    there = {file.relative_to(root) for file in (root / FIGURES).glob("*.svg")}
    return sorted(there - fresh.figures.keys())


def same_figure(first: bytes, second: bytes) -> bool:
    """Whether the figures are equal, or have the same title and description from other versions of the libraries."""
    makers = [_metadata(figure, "dc:creator") for figure in (first, second)]
    texts = [(_metadata(figure, "dc:title"), _metadata(figure, "dc:description")) for figure in (first, second)]
    return first == second or (makers[0] != makers[1] and texts[0] == texts[1])


def _metadata(figure: bytes, tag: str) -> str:
    element = re.search(rf"<{tag}>(.*?)</{tag}>".encode(), figure, re.DOTALL)
    return re.sub(r"<[^>]*>|\s+", " ", element[1].decode(errors="replace")).strip() if element else ""


# ---- the text around the blocks


def _filled(root: Path, path: Path, blocks: Mapping[str, BlockText]) -> DocumentPage:
    text = (root / path).read_text(encoding="utf-8")
    marked = list(BLOCK.finditer(text))
    if len(marked) != text.count(OPENING):
        raise BadDocument(f"{path}: a generated block has no <!-- end -->")
    unknown = [block["name"] for block in marked if block["name"] not in blocks]
    if unknown:
        raise BadDocument(f"{path}: generated block {unknown[0]!r} is unknown; accepted: {', '.join(blocks)}")
    fresh = {block["name"]: f"{blocks[block['name']]()}\n" for block in marked}
    stale_blocks = tuple(block["name"] for block in marked if block["text"] != fresh[block["name"]])
    filled = BLOCK.sub(lambda block: f"{OPENING} {block['name']} -->\n{fresh[block['name']]}<!-- end -->", text)
    return DocumentPage(filled, stale_blocks)


def _link(target: Path, page: Path) -> str:
    """The way from the page to the file."""
    return Path(os.path.relpath(target, page.parent)).as_posix()


# ---- the blocks


def _hero(shown: Mapping[str, charts.Drawing], page: Path) -> str:
    if HERO not in shown:
        raise BadDocument(f"{REFERENCE_RUN} has no data for the chart {HERO}")
    drawing = shown[HERO]
    links = {media: _link(_figure_of(HERO, look), page) for media, look in HERO_LOOKS.items()}
    sources = [f'<source media="{media}" srcset="{link}">' for media, link in links.items()]
    lines = ["<picture>", *(f"  {line}" for line in (*sources, _image(_figure_of(HERO, drawing.look), drawing.alt, page))), "</picture>"]
    return "\n".join((*lines, "", _folded(drawing)))


def _image(file: Path, alt: str, page: Path, size: str = "") -> str:
    return f'<img {size}src="{_link(file, page)}" alt="{html.escape(alt)}">'


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], columns: str = "") -> str:
    """A table in Markdown of cells that are Markdown; `columns` is the line that aligns them, if not all to the left."""
    lines = [f"| {' | '.join(row)} |" for row in (headings, *rows)]
    return "\n".join((lines[0], columns or f"|{'---|' * len(headings)}", *lines[1:]))


def _figure(name: str, drawing: charts.Drawing, page: Path) -> str:
    image = _image(_figure_of(name, drawing.look), drawing.alt, page)
    return f"{image}\n\n**{_cell(drawing.title)}.** {_cell(drawing.caption)}\n\n{_folded(drawing)}"


def _folded(drawing: charts.Drawing) -> str:
    """The figures of the chart, for readers who do not see it: shown when the reader unfolds them."""
    headings, *rows = ([_cell(text) for text in row] for row in drawing.table)
    return f"<details><summary>values</summary>\n\n{_table(headings, rows)}\n\n</details>"


def _small(name: str, drawing: charts.Drawing, page: Path) -> BlockText:
    """A chart as a small picture, which leads to the large one."""
    image = _image(_figure_of(name, drawing.look), drawing.alt, page, SMALL_SIZE)
    return lambda: f'<a href="{_link(_figure_of(name, charts.Look()), page)}">{image}</a>'


def _findings(run: Run) -> str:
    return "\n".join(f"* {_cell(gist)}" for gist in front_page.surprises(run))


def _beside_other_tools(root: Path, page: Path) -> str:
    headings = ("", "fails a comparison of a program with itself", "beside a busy program", "finds a slowdown of 2 %")
    rows = front_page.beside_other_tools((root / STATISTICS).read_text(encoding="utf-8"))
    return f"{_table(headings, rows, '|---|--:|--:|--:|')}\n\n[How this was measured]({_link(STATISTICS, page)})."


def _hostile_inputs(root: Path) -> str:
    """A row for each kind, and all that its tests try, folded."""
    kinds = hostile_inputs.kinds(root)
    rows = [(kind.name, f"{kind.tried:,}", f"{kind.held:,}") for kind in kinds]
    tried, held = sum(kind.tried for kind in kinds), sum(kind.held for kind in kinds)
    table = _table(("kind of input", "tried", "held"), [*rows, ("**all**", f"{tried:,}", f"{held:,}")], "|---|--:|--:|")
    lists = (
        f"<details><summary>{kind.name}</summary>\n\n"
        + "\n".join(f"* {_cell(name)}" + (f" ({inputs:,})" if inputs > 1 else "") for name, inputs in kind.tests.items())
        + "\n\n</details>"
        for kind in kinds
    )
    return "\n\n".join((table, *lists))


def _claim_counts(run: Run, page: Path) -> str:
    counted = _cell(claims.counted(claims.verdicts(run)))
    return f"{counted}: [each claim with its verdict and its numbers]({_link(DOCS / f'{CLAIMS}.md', page)})."


def _numbers(run: Run, page: Path) -> str:
    rows = []
    for row in numbers.rows(run):
        source = f"[`{_cell(row.benchmark)}`]({_section(run, row.benchmark.partition('/')[0], page)})"
        rows.append((row.kind, row.words, row.text, row.interval, row.human, source))
    return _table(("kind", "number", "time", "interval", "human time", "measured by"), rows)


def _claims(run: Run, page: Path) -> Iterator[str]:
    """A table for each chapter: the gist of every claim, its other numbers folded."""
    questions = run.account.about.get("chapters", {})
    by_chapter: dict[str, list[tuple[str, ...]]] = {}
    for judged in claims.verdicts(run):
        by_chapter.setdefault(judged.chapter, []).append(_claim(run, judged, page))
    for chapter, rows in by_chapter.items():
        question = str(questions.get(chapter, ""))
        title = f"[{chapter.capitalize()}]({_link(DOCS / f'{chapter}.md', page)})"
        yield f"## {title}{f': {_cell(question[0].lower() + question[1:])}' if question else ''}"
        yield _table(("claim", "verdict", "measured"), rows)


def _claim(run: Run, judged: claims.ClaimVerdict, page: Path) -> tuple[str, ...]:
    verdict = f"**{judged.verdict}**{f' {_cell(judged.condition)}' if judged.condition else ''}"
    sources = [f"[{_cell(family)}]({_section(run, family, page)})" for family in judged.families if run.series(family)]
    folded = " ".join(filter(None, (_cell(judged.details), f"From {phrases.joined(sources)}." if sources else "")))
    details = f"<details><summary>All numbers</summary>{folded}</details>" if judged.details else ""
    return _cell(judged.statement), verdict, f"{_cell(judged.gist)}{details}"


def _machine(run: Run) -> str:
    context = {key: str(value) for key, value in run.context.items()}
    versions = ", ".join(f"{name} {text.partition(' ')[0]}" for name, text in sorted(run.mallocs().items()))
    facts = (
        context.get("cpu_model", ""),
        context.get("topology", ""),
        reported_text(run),
        versions,
        " ".join(filter(None, (context.get("compiler", ""), context.get("build_flags", "")))),
        f"profile {context['profile']}" if "profile" in context else "",
        phrases.count(run.processes, "process", "processes"),
    )
    return f"Measured{_on(context)}: {_cell('; '.join(filter(None, facts)))}.{_added(run)}"


def _on(context: Mapping[str, str]) -> str:
    date = context.get("date", "").partition("T")[0]
    return f" on {_cell(date)}" if date else ""


def _added(run: Run) -> str:
    """The families that came later, and when."""
    added = run.account.about.get("added", ())
    return "".join(f" Measured later{_on(later)}: {_cell(phrases.joined(later['families']))}." for later in added)


def _families(run: Run, page: Path) -> str:
    """Every family by chapter, with a link to its section."""
    chapters = {unit.family: unit.chapter for unit in run.units}
    order = list(dict.fromkeys(chapters.values()))
    known = [family for family in run.families() if family in chapters]
    rows = []
    for family in sorted(known, key=lambda name: order.index(chapters[name])):
        chapter = chapters[family]
        question = _cell(_about(run, family, "question"))
        rows.append((_cell(chapter), f"[`{_cell(family)}`]({_section(run, family, page)})", question))
    return _table(("chapter", "family", "question"), rows)


def _section(run: Run, family: str, page: Path) -> str:
    """The link to what its chapter's page says about the family; to the list of all families where it has no chapter."""
    chapter = next((unit.chapter for unit in run.units if unit.family == family and _NAME.fullmatch(unit.chapter)), METHOD)
    return f"{_link(DOCS / f'{chapter}.md', page)}#{quote(family)}"


def _programs(root: Path) -> str:
    """What scripts/program found out about each program of which a run is kept."""
    files = sorted((root / PROGRAMS).glob("*.json.gz"))
    found = [answered for file in files if (answered := own_program.answer(read_run(file))) is not None]
    rows = [[_cell(text) for text in own_program.summary_row(answered)] for answered in found]
    dates = sorted(str(answered.run.context.get("date", "")).partition("T")[0] for answered in found)
    measured = f"\n\nMeasured {' to '.join(dict.fromkeys((dates[0], dates[-1])))}." if dates else ""
    disagreeing = {answered.title: texts for answered in found if (texts := own_program.disagreements(answered))}
    listed = [f"* {_cell(name)}: {_cell('; '.join(texts))}" for name, texts in disagreeing.items()]
    opening = f"\n\nThe replay predicts another CPU time than the runs show, beyond both intervals, here. {own_program.REASON}\n\n"
    return _table(own_program.SUMMARY_HEADINGS, rows) + measured + (opening + "\n".join(listed) if listed else "")


def _chapter(run: Run, shown: Mapping[str, charts.Drawing], chapter: str, page: Path) -> BlockText:
    families = dict.fromkeys(unit.family for unit in run.units if unit.chapter == chapter)
    return lambda: "\n\n".join(part for family in families for part in _family(run, shown, family, page))


HEADINGS = {
    "operation": "One operation", "untimed": "Not timed", "heap": "The heap", "held_against": "Held against",
    "unfairness": "Known unfairness",
}  # fmt: skip


def _family(run: Run, shown: Mapping[str, charts.Drawing], family: str, page: Path) -> Iterator[str]:
    yield f"### {_cell(family)}\n\n{_cell(_about(run, family, 'question'))}"
    for name, drawing in shown.items():
        if charts.charts()[name].family == family:
            yield _figure(name, drawing, page)
    texts = [(heading, _about(run, family, key)) for key, heading in HEADINGS.items()]
    yield "\n".join(f"* *{heading}:* {_cell(text)}" for heading, text in texts if text)


def _about(run: Run, family: str, key: str) -> str:
    """A text of the family, in the program's own words."""
    about = run.account.about.get("families", {})
    return str(about.get(family, {}).get(key, ""))


def _cell(text: str) -> str:
    """Text that comes from a file, as text: no markup, no link, no mention, no column of its own."""
    unmarked = re.sub(r"[|*\[\]]", r"\\\g<0>", html.escape(text, quote=False).replace("`", "'"))
    return unmarked.replace("@", "&#64;&#8203;")
