"""What does the README say of the reference run? Its generated blocks and figures, and whether they are still true."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from suite import charts, findings, results
from suite.charts import words
from suite.charts.frame import cache_levels
from suite.program import bad_input

README = "README.md"
REFERENCE = Path("results", "reference")
FIGURES = REFERENCE / "figures"
HERO = "cost_64b"
BLOCK = re.compile(r"^<!-- generated: (?P<name>[^\n]*?) -->\n(?P<text>.*?)^<!-- end -->$", re.DOTALL | re.MULTILINE)
OPENING = "<!-- generated:"

# Told by their charts: the table on the first page stays short.
NOT_IN_THE_TABLE = ("Following pointers", "Allocating in one thread, freeing in another")


class bad_readme(bad_input):
    """The README's marks cannot be followed. Its text is one line."""


@dataclass(frozen=True)
class page:
    """The README as it should be, and the figures it shows, by their path."""

    text: str
    stale_blocks: tuple[str, ...]
    figures: Mapping[Path, bytes]


def make(root: Path) -> page:
    """What belongs to the reference run. Raises bad_result, bad_readme, OSError."""
    run = results.read_run(root / REFERENCE / "run.json")
    drawn = {name: charts.draw(run, name) for name in charts.charts()}
    shown = {name: one for name, one in drawn.items() if one is not None}
    figures = {_figure_of(name, one): charts.render(one, "svg") for name, one in shown.items()}
    dark = charts.draw(run, HERO, charts.look("dark"))
    if dark is not None:
        figures[_figure_of(HERO, dark)] = charts.render(dark, "svg")
    written = (root / README).read_text(encoding="utf-8")
    text, stale = _filled(written, blocks(run, shown))
    return page(text, stale, figures)


def _figure_of(name: str, drawn: charts.drawing) -> Path:
    return FIGURES / f"{name}{drawn.look.suffix}.svg"


def blocks(run: results.run, shown: Mapping[str, charts.drawing]) -> dict[str, Callable[[], str]]:
    return {
        "hero": lambda: _hero(shown),
        "findings": lambda: "\n\n".join(_tables(run)),
        "machine": lambda: _machine(run),
        "families": lambda: _families(run, shown),
        "figures": lambda: "\n\n".join(_figure(name, one) for name, one in shown.items()),
    }


def stale(root: Path, made: page) -> list[str]:
    """What differs from what was made: a line each, the block or the file."""
    lines = [f"{README} (block {name})" for name in made.stale_blocks]
    for path, content in made.figures.items():
        file = root / path
        if not file.is_file():
            lines.append(f"{path} (missing)")
        elif not same_figure(file.read_bytes(), content):
            lines.append(f"{path} (differs)")
    lines += [f"{path} (no chart draws it)" for path in _left_over(root, made)]
    return lines


def write(root: Path, made: page) -> None:
    (root / FIGURES).mkdir(parents=True, exist_ok=True)
    for path, content in made.figures.items():
        (root / path).write_bytes(content)
    for path in _left_over(root, made):
        (root / path).unlink()
    (root / README).write_text(made.text, encoding="utf-8")


def _left_over(root: Path, made: page) -> list[Path]:
    there = {file.relative_to(root) for file in (root / FIGURES).glob("*.svg")}
    return sorted(there - made.figures.keys())


def same_figure(one: bytes, other: bytes) -> bool:
    """Equal, or drawn by other versions of the drawing libraries and saying the same."""
    makers = [_metadata(each, "dc:creator") for each in (one, other)]
    said = [(_metadata(each, "dc:title"), _metadata(each, "dc:description")) for each in (one, other)]
    return one == other or (makers[0] != makers[1] and said[0] == said[1])


def _metadata(figure: bytes, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>".encode(), figure, re.DOTALL)
    return re.sub(r"<[^>]*>|\s+", " ", found[1].decode(errors="replace")).strip() if found else ""


# ---- the text around the blocks


def _filled(text: str, made: Mapping[str, Callable[[], str]]) -> tuple[str, tuple[str, ...]]:
    found = list(BLOCK.finditer(text))
    if len(found) != text.count(OPENING):
        raise bad_readme(f"{README}: a generated block has no <!-- end -->")
    unknown = [one["name"] for one in found if one["name"] not in made]
    if unknown:
        raise bad_readme(f"{README}: there is no generated block {unknown[0]!r}; there are: {', '.join(made)}")
    fresh = {one["name"]: f"{made[one['name']]()}\n" for one in found}
    stale_blocks = tuple(one["name"] for one in found if one["text"] != fresh[one["name"]])
    filled = BLOCK.sub(lambda one: f"{OPENING} {one['name']} -->\n{fresh[one['name']]}<!-- end -->", text)
    return filled, stale_blocks


# ---- the blocks


def _hero(shown: Mapping[str, charts.drawing]) -> str:
    if HERO not in shown:
        raise bad_readme(f"{REFERENCE / 'run.json'} has no data for the chart {HERO}")
    one = shown[HERO]
    dark = f'<source media="(prefers-color-scheme: dark)" srcset="{FIGURES.as_posix()}/{HERO}-dark.svg">'
    return f"<picture>\n  {dark}\n  {_image(HERO, one)}\n</picture>\n\n**{_cell(one.title)}.**"


def _image(name: str, one: charts.drawing) -> str:
    return f'<img src="{_figure_of(name, one).as_posix()}" alt="{html.escape(one.alt)}">'


def _figure(name: str, one: charts.drawing) -> str:
    words_below = f"**{_cell(one.title)}.** {_cell(one.caption)}"
    return f"### {charts.charts()[name].question}\n\n{_image(name, one)}\n\n{words_below}"


def _tables(run: results.run) -> Iterator[str]:
    found = [one for one in findings.findings(run) if one.topic not in NOT_IN_THE_TABLE]
    for topic, rows in groupby(found, key=lambda one: one.topic):
        head = (f"| {_cell(topic)} | median | interval | cycles | compared |", "|---|--:|--:|--:|---|")
        yield "\n".join((*head, *(_row(one) for one in rows)))


def _row(one: findings.finding) -> str:
    value = findings.time_text(one.value.median) if one.value else ""
    interval = findings.interval_text(one.value) if one.value else ""
    cycles = findings.three_figures(one.cycles) if one.cycles is not None else ""
    compared = "; ".join(filter(None, (one.words, *one.notes)))
    return f"| {' | '.join(_cell(text) for text in (one.subject, value, interval, cycles, compared))} |"


def _machine(run: results.run) -> str:
    context = {key: str(value) for key, value in run.context.items()}
    levels = ", ".join(f"{name} {findings.bytes_text(size)}" for name, size in cache_levels(run))
    versions = ", ".join(f"{name} {text.partition(' ')[0]}" for name, text in sorted(run.mallocs().items()))
    facts = (
        context.get("topology", ""),
        f"caches {levels}" if levels else "",
        versions,
        " ".join(filter(None, (context.get("compiler", ""), context.get("build_flags", "")))),
        f"profile {context['profile']}" if "profile" in context else "",
        words.count(run.processes, "process", "processes"),
    )
    date = context.get("date", "").partition("T")[0]
    return f"Measured{f' on {_cell(date)}' if date else ''}: {_cell('; '.join(filter(None, facts)))}."


def _families(run: results.run, shown: Mapping[str, charts.drawing]) -> str:
    chapters = {one.family: one.chapter for one in run.units}
    by_family: dict[str, list[charts.chart]] = {}
    for one in charts.charts().values():
        by_family.setdefault(one.family, []).append(one)
    lines = ["| chapter | family | question | figures |", "|---|---|---|---|"]
    order = list(dict.fromkeys(chapters.values()))
    known = [family for family in run.families() if family in chapters]
    for family in sorted(known, key=lambda name: order.index(chapters[name])):
        its_own = sorted(by_family.get(family, []), key=lambda one: one.name != family)
        links = ", ".join(f"[{one.name}]({FIGURES.as_posix()}/{one.name}.svg)" for one in its_own if one.name in shown)
        lines.append(f"| {_cell(chapters[family])} | `{_cell(family)}` | {_cell(_question(run, family))} | {links} |")
    return "\n".join(lines)


def _question(run: results.run, family: str) -> str:
    """What the family asks, in the program's own words."""
    about = run.account.about.get("families", {})
    return str(about.get(family, {}).get("question", ""))


def _cell(text: str) -> str:
    """Text that comes from a file, as text: no markup, no column of its own."""
    return html.escape(text, quote=False).replace("|", "\\|").replace("`", "'").replace("*", "\\*")
