"""How is a comparison written? On a terminal, in a pull request, and for the programs that collect test results.

Text from files (names, labels, notes) may contain any character: each format escapes it, so that it stays text.
"""

from __future__ import annotations

import io
import json
import math
import xml.etree.ElementTree as xml
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from suite.base import foreign
from suite.base.cli import PLAIN_WIDTH
from suite.base.markdown import code, escaped, plain
from suite.base.phrases import count
from suite.base.text import three_figures, time_text
from suite.gate import explanation
from suite.gate.comparison import (
    BETTER,
    CANNOT_JUDGE,
    NOT_JUDGED,
    NOTHING_WORSE,
    SAME,
    UNDECIDED,
    WORSE,
    Comparison,
    Judgement,
)
from suite.results.model import CPU_MODEL, short_cpu_model
from suite.stats.estimates import Estimate

JSON_FORM = "stackheap-comparison/1"

_MOST_LINES = 10  # of problems or warnings, where a person reads
_MOST_WORSE = 50  # in a pull request: a comment there may have 65,536 letters
_MOST_OTHERS = 20
_SCREEN = 24  # lines
_STYLES = {WORSE: "bold red", BETTER: "green"}


# ---- in words


def headline(comparison: Comparison, strict: bool = False) -> str:
    """The comparison as a whole, in a sentence: the worst benchmark leads, and then the verdicts in numbers.

    `worse: scoped/glibc/bytes:64 +3.1 % (2.4 to 3.9), 2 more; 36 benchmarks, 3 worse, 30 the same, 3 undecided (...)`
    """
    if not comparison.judgements:
        return outcome(comparison, strict)
    separator = ":" if comparison.exit_code(strict) == NOTHING_WORSE else ";"
    undecided = comparison.with_verdict(UNDECIDED)
    examples = f" ({in_short(undecided[0])}{_more(undecided)})" if undecided else ""
    number = count(len(comparison.judgements), "benchmark")
    return f"{outcome(comparison, strict)}{separator} {number}, {counts(comparison)}{examples}"


def outcome(comparison: Comparison, strict: bool = False) -> str:
    """`worse: ...` with the worst benchmark, `nothing is worse`, or why the comparison cannot be judged."""
    worse = comparison.with_verdict(WORSE)
    worst = f"worse: {in_short(worse[0])}{_more(worse)}" if worse else ""
    if comparison.exit_code(strict) == CANNOT_JUDGE:
        return "; ".join(filter(None, (f"cannot judge: {_hindrance(comparison)}", worst)))
    return worst or "nothing is worse"


def _hindrance(comparison: Comparison) -> str:
    """Why a comparison cannot be judged."""
    if comparison.problems:
        return comparison.problems[0] + _more(comparison.problems)
    if not comparison.trusted:
        return "the controls moved"
    if not_judged := comparison.with_verdict(NOT_JUDGED):
        return f"{len(not_judged):,} of {count(len(comparison.judgements), 'benchmark')} not judged"
    if all(judgement.quarantined for judgement in comparison.judgements):
        return "no benchmark has a verdict, because all are bimodal"
    return "not every benchmark is decided, as --strict asks"


def counts(comparison: Comparison) -> str:
    """`3 worse, 30 the same, 1 better, 2 bimodal, 5 undecided`; the bimodal (quarantined) are not among the others."""
    number = Counter(judgement.verdict for judgement in comparison.judgements if not judgement.quarantined)
    number["bimodal"] = sum(judgement.quarantined for judgement in comparison.judgements)
    words = {SAME: f"the {SAME}"}
    keys = (WORSE, SAME, BETTER, NOT_JUDGED, "bimodal", UNDECIDED)
    return ", ".join(f"{number[key]:,} {words.get(key, key)}" for key in keys if number[key])


def in_short(judgement: Judgement) -> str:
    """`scoped/glibc/bytes:64 +3.1 % (2.4 to 3.9)`"""
    ratio = judgement.ratio
    if not ratio.has_interval:
        ends = "no interval"
    elif max(ratio.median, ratio.high) < 2.0:
        ends = f"{100 * (ratio.low - 1):.1f} to {100 * (ratio.high - 1):.1f}"
    else:
        ends = interval(ratio)
    return f"{judgement.name} {change(ratio.median)} ({ends})"


def _more(items: Sequence[object]) -> str:
    return f", {len(items) - 1:,} more" if len(items) > 1 else ""


def change(ratio: float) -> str:
    """`+12.3 %`, or `2.5 times` from double on."""
    if ratio >= 2.0:
        return f"{three_figures(ratio)} times"
    return f"{100 * (ratio - 1):+.1f} %"


def interval(ratio: Estimate) -> str:
    return f"{change(ratio.low)} to {change(ratio.high)}" if ratio.has_interval else "no interval"


def _was_and_is(judgement: Judgement) -> str:
    if judgement.unit == "ns":
        return f"{time_text(judgement.old_ns)} to {time_text(judgement.new_ns)}"
    return f"{three_figures(judgement.old_ns)} to {three_figures(judgement.new_ns)} {judgement.unit}"


def _others(judgement: Judgement) -> str:
    return ", ".join(f"{key} {change(ratio.median)}" for key, ratio in judgement.others.items())


def _sentence(judgement: Judgement) -> str:
    """The verdict on one benchmark with all its numbers and notes."""
    limit = f"threshold {_share(judgement.threshold)}" + (
        "" if judgement.floor is None else f", floor {_share(judgement.floor)}"
    )
    parts = (
        f"{change(judgement.ratio.median)} ({interval(judgement.ratio)})",
        _was_and_is(judgement),
        _others(judgement),
        limit,
        *judgement.notes,
        judgement.explanation.sentence if judgement.explanation else "",
    )
    return "; ".join(filter(None, parts))


def _share(part: float) -> str:
    return f"{three_figures(100 * part)} %"


def _facts(comparison: Comparison) -> list[tuple[str, str, str]]:
    """The facts known of either side: key, old, new."""
    keys = dict.fromkeys((*comparison.old.facts, *comparison.new.facts))
    return [(key, comparison.old.facts.get(key, ""), comparison.new.facts.get(key, "")) for key in keys]


def _processors(comparison: Comparison) -> str:
    """`, on EPYC 9R14`; both processors where they differ; empty where the sides do not say."""
    models = (side.facts.get(CPU_MODEL, "") for side in (comparison.old, comparison.new))
    known = dict.fromkeys(filter(None, map(short_cpu_model, models)))
    return f", on {' and '.join(known)}" if known else ""


def _first(lines: Sequence[str], most: int = _MOST_LINES) -> list[str]:
    return [*lines[:most], *([f"and {len(lines) - most:,} more"] if len(lines) > most else [])]


# ---- on a terminal


def as_text(comparison: Comparison, strict: bool = False, width: int = PLAIN_WIDTH, colour: bool = False) -> str:
    """The comparison in a sentence, the benchmarks that changed, the largest change first, and the others in numbers.
    The sentence stands at the end again where it has left the screen."""
    output = io.StringIO()
    console = Console(
        file=output, width=width, highlight=False, force_terminal=colour, color_system="standard" if colour else None
    )

    def write(text: str, style: str = "") -> None:
        console.print(Text(plain(text), style=style), soft_wrap=True)

    write(headline(comparison, strict), "bold")
    write(
        f"{comparison.method}: {comparison.old.label} (old) and {comparison.new.label} (new){_processors(comparison)}; "
        "changes are new compared with old"
    )
    for verdict in (WORSE, BETTER):
        judgements = comparison.with_verdict(verdict)
        if judgements:
            console.print()
            console.print(_table(verdict, judgements))
    console.print()
    for judgement in comparison.judgements:
        if judgement.explanation:
            conclusion, *details = explanation.text_lines(judgement.explanation)
            write(f"{judgement.name}: {conclusion}", "bold")
            for line in (*details, ""):
                write(line)
    undecided = comparison.with_verdict(UNDECIDED)
    if undecided:
        largest = "; ".join(in_short(judgement) for judgement in undecided[:3])
        write(f"undecided: {len(undecided):,}; the largest: {largest}")
    not_judged = comparison.with_verdict(NOT_JUDGED)
    if not_judged:
        names = ", ".join(_first([f"{item.name} ({'; '.join(item.notes)})" for item in not_judged], 3))
        write(f"not judged: {len(not_judged):,}; {names}")
    bimodal = [judgement for judgement in comparison.judgements if judgement.quarantined]
    if bimodal:
        names = ", ".join(_first([judgement.name for judgement in bimodal], 3))
        write(f"bimodal, so without a verdict: {len(bimodal):,}; {names}")
    for line in _first(comparison.problems):
        write(f"problem: {line}", "red")
    for line in _first(comparison.warnings):
        write(f"warning: {line}", "yellow")
    if comparison.controls:
        write(comparison.controls)
    if output.getvalue().count("\n") > _SCREEN:
        write(headline(comparison, strict), "bold")
    return output.getvalue()


def _table(verdict: str, judgements: Iterable[Judgement]) -> Table:
    table = Table(title=verdict, title_justify="left", title_style=_STYLES[verdict], box=None, pad_edge=False)
    table.add_column("", overflow="fold")
    for name in ("change", "interval"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("cycles, instructions", "from, to", "note"):
        table.add_column(name)
    for judgement in judgements:
        numbers = (
            change(judgement.ratio.median),
            interval(judgement.ratio),
            _others(judgement),
            _was_and_is(judgement),
        )
        table.add_row(*(Text(plain(cell)) for cell in (judgement.name, *numbers, "; ".join(judgement.notes))))
    return table


# ---- in a pull request


def as_markdown(comparison: Comparison, strict: bool = False) -> str:
    """A short text: the worse benchmarks first, the others folded. At most about 40,000 letters."""
    worse = comparison.with_verdict(WORSE)
    pieces = [f"**{escaped(headline(comparison, strict))}**", _sides_in_markdown(comparison)]
    if comparison.problems:
        pieces.append("\n".join(f"- {escaped(line)}" for line in _first(comparison.problems)))
    if worse:
        pieces.append(_markdown_table(worse[:_MOST_WORSE]))
    pieces += [f"{len(worse) - _MOST_WORSE:,} more benchmarks are worse."] if len(worse) > _MOST_WORSE else []
    pieces += [_explained(judgement) for judgement in comparison.judgements if judgement.explanation]
    for verdict in (NOT_JUDGED, BETTER, UNDECIDED):
        judgements = comparison.with_verdict(verdict)
        title = f"{len(judgements):,} {verdict}" + (
            f", the largest {_MOST_OTHERS}" if len(judgements) > _MOST_OTHERS else ""
        )
        pieces += [_folded(title, _markdown_table(judgements[:_MOST_OTHERS]))] if judgements else []
    bimodal = [judgement for judgement in comparison.judgements if judgement.quarantined]
    if bimodal:
        title = f"{len(bimodal):,} bimodal, so without a verdict"
        pieces.append(_folded(title, _markdown_table(bimodal[:_MOST_OTHERS])))
    if comparison.warnings:
        lines = "\n".join(f"- {escaped(line)}" for line in _first(comparison.warnings))
        pieces.append(_folded(count(len(comparison.warnings), "warning"), lines))
    if _facts(comparison):
        rows = [f"| {escaped(key)} | {escaped(old)} | {escaped(new)} |" for key, old, new in _facts(comparison)]
        table = "\n".join(("| | old | new |", "|---|---|---|", *rows))
        pieces.append(_folded("The two sides", "\n\n".join(filter(None, (table, escaped(comparison.controls))))))
    return "\n\n".join(pieces) + "\n"


def _sides_in_markdown(comparison: Comparison) -> str:
    labels = f"{code(comparison.old.label)} (old) and {code(comparison.new.label)} (new)"
    return f"{escaped(comparison.method)}: {labels}{escaped(_processors(comparison))}"


def _markdown_table(judgements: Iterable[Judgement]) -> str:
    rows = (
        f"| {code(judgement.name)} | {change(judgement.ratio.median)} | {interval(judgement.ratio)} "
        f"| {escaped(_others(judgement))} | {escaped(_was_and_is(judgement))} "
        f"| {escaped('; '.join(judgement.notes))} |"
        for judgement in judgements
    )
    header = ("| | change | interval | cycles, instructions | from, to | note |", "|---|--:|--:|---|---|---|")
    return "\n".join((*header, *rows))


def _explained(judgement: Judgement) -> str:
    assert judgement.explanation
    conclusion, *details = explanation.text_lines(judgement.explanation)
    lines = [f"    {plain(line)}" for line in details]  # a block of code, in which everything is text
    return "\n".join((f"{code(judgement.name)}: {escaped(conclusion)}", *([""] if lines else []), *lines))


def _folded(summary: str, body: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


# ---- for programs


def as_json(comparison: Comparison, strict: bool = False) -> str:
    """The comparison as one object:

    form: "stackheap-comparison/1"; method; exit_code (0 nothing is worse, 1 worse, 2 cannot judge); trusted;
    headline; old and new: {label, facts: {key: text}};
    counts: {worse, better, same, undecided, not judged, quarantined};
    problems and warnings: [text]; controls (how far they moved: a sentence, or empty);
    judgements: [{name, verdict, quarantined, unit, old, new (medians, in that unit), threshold (a share), floor (a
    share, or null), seconds (for which it was measured, or null), time and, where known, cycles and instructions:
    {ratio, low, high, coverage, n}, notes: [text], explanation (of --explain, or null): {cause (work, layout, machine,
    not known), sentence, functions: [{name, file, old, new (instructions per operation), lines, ...}], counters: {name:
    [old, new]}}}].
    Ratios are new over old, as costs: above one is worse. A number that is not finite is null.
    """
    number = Counter(judgement.verdict for judgement in comparison.judgements if not judgement.quarantined)
    document = {
        "form": JSON_FORM,
        "method": comparison.method,
        "exit_code": comparison.exit_code(strict),
        "trusted": comparison.trusted,
        "headline": headline(comparison, strict),
        "old": {"label": comparison.old.label, "facts": dict(comparison.old.facts)},
        "new": {"label": comparison.new.label, "facts": dict(comparison.new.facts)},
        "counts": {
            **{verdict: number[verdict] for verdict in (WORSE, BETTER, SAME, UNDECIDED, NOT_JUDGED)},
            "quarantined": sum(judgement.quarantined for judgement in comparison.judgements),
        },
        "problems": list(comparison.problems),
        "warnings": list(comparison.warnings),
        "controls": comparison.controls,
        "judgements": [_judgement_as_json(judgement) for judgement in comparison.judgements],
    }
    return json.dumps(foreign.printable_throughout(document), indent=1, allow_nan=False) + "\n"


def _judgement_as_json(judgement: Judgement) -> dict[str, Any]:
    ratios = {"time": judgement.ratio, **judgement.others}
    return {
        "name": judgement.name,
        "verdict": judgement.verdict,
        "quarantined": judgement.quarantined,
        "unit": judgement.unit,
        "old": _finite(judgement.old_ns),
        "new": _finite(judgement.new_ns),
        "threshold": _finite(judgement.threshold),
        "floor": None if judgement.floor is None else _finite(judgement.floor),
        "seconds": None if judgement.seconds is None else _finite(judgement.seconds),
        **{key: _ratio_as_json(ratio) for key, ratio in ratios.items()},
        "notes": list(judgement.notes),
        "explanation": explanation.as_document(judgement.explanation) if judgement.explanation else None,
    }


def _ratio_as_json(ratio: Estimate) -> dict[str, Any]:
    numbers = {"ratio": ratio.median, "low": ratio.low, "high": ratio.high, "coverage": ratio.coverage}
    return {**{key: _finite(number) for key, number in numbers.items()}, "n": ratio.n}


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def as_junit(comparison: Comparison, strict: bool = False) -> str:
    """JUnit's XML as Jenkins and GitLab read it: *worse* fails, a problem is an error, *undecided* is skipped.

    Each benchmark is a test case of its family; each problem of the comparison is a test case of `comparison`.
    """
    cases = [_case(judgement) for judgement in comparison.judgements]
    cases += [_problem_case(index, line) for index, line in enumerate(comparison.problems, 1)]
    if not comparison.trusted:
        cases.append(_problem_case(0, "the controls moved"))
    if strict and comparison.exit_code(strict) != comparison.exit_code():
        cases.append(_problem_case(0, _hindrance(comparison)))
    numbers = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
        "skipped": sum(case.find("skipped") is not None for case in cases),
    }
    about = {**{key: str(number) for key, number in numbers.items()}, **_time(comparison.judgements)}
    suites = xml.Element("testsuites", {"name": "stackheap", **about})
    suite = xml.SubElement(suites, "testsuite", {"name": plain(f"stackheap {comparison.method}"), **about})
    properties = xml.SubElement(suite, "properties")
    for key, text in (("old", comparison.old.label), ("new", comparison.new.label), *_sided_facts(comparison)):
        xml.SubElement(properties, "property", {"name": plain(key), "value": plain(text)})
    suite.extend(cases)
    xml.SubElement(suite, "system-out").text = "\n".join(
        plain(line) for line in (headline(comparison, strict), *comparison.warnings, comparison.controls) if line
    )
    xml.indent(suites, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(suites, encoding="unicode") + "\n"


def _sided_facts(comparison: Comparison) -> list[tuple[str, str]]:
    sides = (("old", comparison.old), ("new", comparison.new))
    return [(f"{label}.{key}", text) for label, side in sides for key, text in side.facts.items()]


def _case(judgement: Judgement) -> xml.Element:
    family = judgement.name.partition("/")[0]
    about = {"classname": plain(f"stackheap.{family}"), "name": plain(judgement.name), **_time([judgement])}
    case = xml.Element("testcase", about)
    sentence = plain(_sentence(judgement))
    if judgement.quarantined or judgement.verdict == UNDECIDED:
        xml.SubElement(case, "skipped", {"message": sentence}).text = sentence
    elif judgement.verdict == NOT_JUDGED:
        xml.SubElement(case, "error", {"message": sentence, "type": "cannot judge"}).text = sentence
    elif judgement.verdict == WORSE:
        message = plain(f"worse: {in_short(judgement)}")
        xml.SubElement(case, "failure", {"message": message, "type": WORSE}).text = sentence
    else:
        xml.SubElement(case, "system-out").text = sentence
    return case


def _time(judgements: Sequence[Judgement]) -> dict[str, str]:
    """The seconds for which these benchmarks were measured, where that is known of all."""
    seconds = [judgement.seconds for judgement in judgements if judgement.seconds is not None]
    return {"time": f"{sum(seconds):.3f}"} if judgements and len(seconds) == len(judgements) else {}


def _problem_case(index: int, line: str) -> xml.Element:
    name = f"problem {index}" if index else "trust"
    case = xml.Element("testcase", {"classname": "stackheap.comparison", "name": name})
    xml.SubElement(case, "error", {"message": plain(line), "type": "cannot judge"}).text = plain(line)
    return case


REPORTERS: Mapping[str, Callable[[Comparison, bool], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
    "junit": as_junit,
}
