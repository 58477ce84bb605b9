"""How is a comparison told? On a terminal, in a pull request, and to the programs that collect test results.

What comes from files (names, labels, notes) may hold anything: each form writes it so that it is only text.
"""

from __future__ import annotations

import io
import json
import math
import re
import xml.etree.ElementTree as xml
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from suite.base.cli import PLAIN_WIDTH, ROOT
from suite.base.text import printable, three_figures, time_text
from suite.gate.comparison import BETTER, SAME, UNDECIDED, WORSE, Comparison, Judgement
from suite.stats.estimates import Estimate

JSON_FORM = "stackheap-comparison/1"
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_MOST_LINES = 10  # of problems or warnings, where a person reads
_MOST_WORSE = 50  # in a pull request: a comment there may have 65,536 letters
_MOST_OTHERS = 20
_STYLES = {WORSE: "bold red", BETTER: "green"}


# ---- in words


def headline(of: Comparison, strict: bool = False) -> str:
    """The whole in a sentence."""
    return f"{_outcome(of, strict)}: {counts(of)}"


def _outcome(of: Comparison, strict: bool) -> str:
    if of.problems:
        return "Cannot be judged as a whole"
    if not of.trusted:
        return "Not to be trusted: the controls moved"
    if of.with_verdict(WORSE):
        return "Something is worse"
    return "Cannot be judged: not everything is decided" if of.exit_code(strict) else "Nothing is shown to be worse"


def counts(of: Comparison) -> str:
    """`3 worse, 1 better, 20 same, 5 undecided`; what is quarantined is not among the undecided."""
    number = Counter(one.verdict for one in of.judgements if not one.quarantined)
    quarantined = sum(one.quarantined for one in of.judgements)
    each = [f"{number[verdict]:,} {verdict}" for verdict in (WORSE, BETTER, SAME, UNDECIDED)]
    return ", ".join([*each, *([f"{quarantined:,} with two humps"] if quarantined else [])])


def change(ratio: float) -> str:
    """`+12.3 %`, and how many times where it is more than double."""
    if ratio >= 2.0:
        return f"{three_figures(ratio)} times"
    return f"{100 * (ratio - 1):+.1f} %"


def interval(ratio: Estimate) -> str:
    return f"{change(ratio.low)} to {change(ratio.high)}" if ratio.has_interval else "no interval"


def _was_and_is(one: Judgement) -> str:
    if one.unit == "ns":
        return f"{time_text(one.old_ns)} to {time_text(one.new_ns)}"
    return f"{three_figures(one.old_ns)} to {three_figures(one.new_ns)} {one.unit}"


def _others(one: Judgement) -> str:
    return ", ".join(f"{key} {change(ratio.median)}" for key, ratio in one.others.items())


def _sentence(one: Judgement) -> str:
    """All that is said of one benchmark."""
    limit = f"threshold {_share(one.threshold)}" + ("" if one.floor is None else f", floor {_share(one.floor)}")
    parts = (f"{change(one.ratio.median)} ({interval(one.ratio)})", _was_and_is(one), _others(one), limit, *one.notes)
    return "; ".join(filter(None, parts))


def _share(part: float) -> str:
    return f"{100 * part:.3g} %"


def _facts(of: Comparison) -> list[tuple[str, str, str]]:
    """What tells the sides apart, or is said of either: key, old, new."""
    keys = dict.fromkeys((*of.old.facts, *of.new.facts))
    return [(key, of.old.facts.get(key, ""), of.new.facts.get(key, "")) for key in keys]


def _first(lines: Sequence[str], most: int = _MOST_LINES) -> list[str]:
    return [*lines[:most], *([f"and {len(lines) - most:,} more"] if len(lines) > most else [])]


def plain(text: str) -> str:
    """Without control characters, unpaired surrogates and what turns the direction of writing."""
    return printable(text, "\N{REPLACEMENT CHARACTER}")


# ---- on a terminal


def as_text(of: Comparison, strict: bool = False, width: int = PLAIN_WIDTH, colour: bool = False) -> str:
    """What changed, the largest first; the rest in numbers."""
    written = io.StringIO()
    console = Console(
        file=written, width=width, highlight=False, force_terminal=colour, color_system="standard" if colour else None
    )

    def say(text: str, style: str = "") -> None:
        console.print(Text(plain(text), style=style), soft_wrap=True)

    say(f"{of.method}: {of.old.label} (old) and {of.new.label} (new); changes are new against old")
    for verdict in (WORSE, BETTER):
        found = of.with_verdict(verdict)
        if found:
            console.print()
            console.print(_table(verdict, found))
    console.print()
    open_ones = of.with_verdict(UNDECIDED)
    if open_ones:
        say(f"undecided: {len(open_ones):,}; the largest: {'; '.join(_in_short(one) for one in open_ones[:3])}")
    humped = [one for one in of.judgements if one.quarantined]
    if humped:
        say(f"two humps, so no verdict: {len(humped):,}; {', '.join(_first([one.name for one in humped], 3))}")
    for line in _first(of.problems):
        say(f"problem: {line}", "red")
    for line in _first(of.warnings):
        say(f"mind: {line}", "yellow")
    say(headline(of, strict), "bold")
    return written.getvalue()


def _in_short(one: Judgement) -> str:
    return f"{one.name} {change(one.ratio.median)} ({interval(one.ratio)})"


def _table(verdict: str, found: Iterable[Judgement]) -> Table:
    table = Table(title=verdict, title_justify="left", title_style=_STYLES[verdict], box=None, pad_edge=False)
    table.add_column("", overflow="fold")
    for name in ("change", "interval"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("cycles, instructions", "from, to", "note"):
        table.add_column(name)
    for one in found:
        numbers = (change(one.ratio.median), interval(one.ratio), _others(one), _was_and_is(one))
        table.add_row(*(Text(plain(cell)) for cell in (one.name, *numbers, "; ".join(one.notes))))
    return table


# ---- in a pull request


def as_markdown(of: Comparison, strict: bool = False) -> str:
    """Short: what is worse first, the rest folded. At most about 40,000 letters."""
    worse = of.with_verdict(WORSE)
    pieces = [f"**{_escaped(headline(of, strict))}**", _sides_in_markdown(of)]
    if of.problems:
        pieces.append("\n".join(f"- {_escaped(line)}" for line in _first(of.problems)))
    if worse:
        pieces.append(_markdown_table(worse[:_MOST_WORSE]))
    pieces += [f"{len(worse) - _MOST_WORSE:,} more are worse."] if len(worse) > _MOST_WORSE else []
    for verdict in (BETTER, UNDECIDED):
        found = of.with_verdict(verdict)
        shown = f"{len(found):,} {verdict}" + (f", the largest {_MOST_OTHERS}" if len(found) > _MOST_OTHERS else "")
        pieces += [_folded(shown, _markdown_table(found[:_MOST_OTHERS]))] if found else []
    humped = [one for one in of.judgements if one.quarantined]
    if humped:
        shown = f"{len(humped):,} with two humps, so without a verdict"
        pieces.append(_folded(shown, _markdown_table(humped[:_MOST_OTHERS])))
    if of.warnings:
        lines = "\n".join(f"- {_escaped(line)}" for line in _first(of.warnings))
        pieces.append(_folded(f"{len(of.warnings):,} to keep in mind", lines))
    if _facts(of):
        rows = [f"| {_escaped(key)} | {_escaped(old)} | {_escaped(new)} |" for key, old, new in _facts(of)]
        pieces.append(_folded("What was compared", "\n".join(("| | old | new |", "|---|---|---|", *rows))))
    return "\n\n".join(pieces) + "\n"


def _sides_in_markdown(of: Comparison) -> str:
    return f"{_escaped(of.method)}: {_code(of.old.label)} (old) and {_code(of.new.label)} (new)"


def _markdown_table(found: Iterable[Judgement]) -> str:
    rows = (
        f"| {_code(one.name)} | {change(one.ratio.median)} | {interval(one.ratio)} | {_escaped(_others(one))} "
        f"| {_escaped(_was_and_is(one))} | {_escaped('; '.join(one.notes))} |"
        for one in found
    )
    header = ("| | change | interval | cycles, instructions | from, to | note |", "|---|--:|--:|---|---|---|")
    return "\n".join((*header, *rows))


def _folded(summary: str, body: str) -> str:
    return f"<details><summary>{_escaped(summary)}</summary>\n\n{body}\n\n</details>"


def _escaped(text: str) -> str:
    """Every sign that Markdown, HTML or a forge (mentions, issues, links) could read, as its number."""
    return re.sub(r"[^\w ,()%'/+\-;:.\u00b5]|_|:(?=\S)|\.(?=[^\W\d])|^[-+]|;(?=/)", _as_number, plain(text))


def _code(text: str) -> str:
    """As code: in backticks where the text is harmless there."""
    harmless = re.fullmatch(r"[\w/:.+-][\w/:.+ -]*(?<! )", text, re.ASCII)
    return f"`{text}`" if harmless else f"<code>{re.sub(r'[^A-Za-z0-9]', _as_number, plain(text))}</code>"


def _as_number(found: re.Match[str]) -> str:
    return "".join(f"&#{ord(letter)};" for letter in found[0])


# ---- for programs


def as_json(of: Comparison, strict: bool = False) -> str:
    """Everything, as one object:

    form: "stackheap-comparison/1"; method; exit_code (0 nothing worse, 1 worse, 2 cannot judge); trusted;
    headline; old and new: {label, facts: {key: text}}; counts: {worse, better, same, undecided, quarantined};
    problems and warnings: [text];
    judgements: [{name, verdict, quarantined, unit, old, new (medians, in that unit), threshold (a share), floor (a
    share, or null), time and, where known, cycles and instructions: {ratio, low, high, coverage, n}, notes: [text]}].
    Ratios are new over old, as costs: above one is worse. A number that is not finite is null.
    """
    number = Counter(one.verdict for one in of.judgements if not one.quarantined)
    document = {
        "form": JSON_FORM,
        "method": of.method,
        "exit_code": of.exit_code(strict),
        "trusted": of.trusted,
        "headline": headline(of, strict),
        "old": {"label": of.old.label, "facts": dict(of.old.facts)},
        "new": {"label": of.new.label, "facts": dict(of.new.facts)},
        "counts": {
            **{verdict: number[verdict] for verdict in (WORSE, BETTER, SAME, UNDECIDED)},
            "quarantined": sum(one.quarantined for one in of.judgements),
        },
        "problems": list(of.problems),
        "warnings": list(of.warnings),
        "judgements": [_judgement_as_json(one) for one in of.judgements],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _judgement_as_json(one: Judgement) -> dict[str, Any]:
    ratios = {"time": one.ratio, **one.others}
    return {
        "name": one.name,
        "verdict": one.verdict,
        "quarantined": one.quarantined,
        "unit": one.unit,
        "old": _finite(one.old_ns),
        "new": _finite(one.new_ns),
        "threshold": _finite(one.threshold),
        "floor": None if one.floor is None else _finite(one.floor),
        **{key: _ratio_as_json(ratio) for key, ratio in ratios.items()},
        "notes": list(one.notes),
    }


def _ratio_as_json(ratio: Estimate) -> dict[str, Any]:
    numbers = {"ratio": ratio.median, "low": ratio.low, "high": ratio.high, "coverage": ratio.coverage}
    return {**{key: _finite(number) for key, number in numbers.items()}, "n": ratio.n}


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def as_junit(of: Comparison, strict: bool = False) -> str:
    """JUnit's XML as Jenkins and GitLab read it: worse fails, what cannot be judged is an error, undecided is skipped.

    Each benchmark is a test case of its family; each problem of the whole is one of `comparison`.
    """
    cases = [_case(one) for one in of.judgements]
    cases += [_problem_case(index, line) for index, line in enumerate(of.problems, 1)]
    if not of.trusted:
        cases.append(_problem_case(0, _outcome(of, strict) if not of.problems else "the controls moved"))
    if strict and of.exit_code(strict) != of.exit_code():
        cases.append(_problem_case(0, _outcome(of, strict)))
    numbers = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
        "skipped": sum(case.find("skipped") is not None for case in cases),
    }
    about = {**{key: str(number) for key, number in numbers.items()}, "time": "0"}
    suites = xml.Element("testsuites", {"name": "stackheap", **about})
    suite = xml.SubElement(suites, "testsuite", {"name": plain(f"stackheap {of.method}"), **about})
    properties = xml.SubElement(suite, "properties")
    for key, text in (("old", of.old.label), ("new", of.new.label), *_sided_facts(of)):
        xml.SubElement(properties, "property", {"name": plain(key), "value": plain(text)})
    suite.extend(cases)
    xml.SubElement(suite, "system-out").text = "\n".join(plain(line) for line in (headline(of, strict), *of.warnings))
    xml.indent(suites, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(suites, encoding="unicode") + "\n"


def _sided_facts(of: Comparison) -> list[tuple[str, str]]:
    sides = (("old", of.old), ("new", of.new))
    return [(f"{which}.{key}", text) for which, side in sides for key, text in side.facts.items()]


def _case(one: Judgement) -> xml.Element:
    family = one.name.partition("/")[0]
    case = xml.Element("testcase", {"classname": plain(f"stackheap.{family}"), "name": plain(one.name), "time": "0"})
    said = plain(_sentence(one))
    if one.quarantined or one.verdict == UNDECIDED:
        xml.SubElement(case, "skipped", {"message": said})
    elif one.verdict == WORSE:
        failure = xml.SubElement(case, "failure", {"message": f"{change(one.ratio.median)}, worse", "type": WORSE})
        failure.text = said
    else:
        xml.SubElement(case, "system-out").text = said
    return case


def _problem_case(index: int, line: str) -> xml.Element:
    name = f"problem {index}" if index else "trust"
    case = xml.Element("testcase", {"classname": "stackheap.comparison", "name": name, "time": "0"})
    xml.SubElement(case, "error", {"message": plain(line), "type": "cannot judge"}).text = plain(line)
    return case


_RULES: Mapping[str, str] = {
    "worse": "A benchmark became dearer by more than the threshold, beyond what chance would do",
    "cannot-judge": "The comparison, or a part of it, could not be judged",
}


def as_sarif(of: Comparison, strict: bool = False) -> str:
    """SARIF 2.1.0 (OASIS standard of 27 March 2020): a result for each that is worse, and each problem.

    Undecided ones are no findings: they are counted in the invocation's notification. GitHub shows a result only with
    a file: it is the family's source.
    """
    results = [_sarif_result("worse", one.name, f"{one.name}: {_sentence(one)}") for one in of.with_verdict(WORSE)]
    results += [_sarif_result("cannot-judge", "", line) for line in of.problems]
    if not of.trusted or (strict and of.exit_code(strict) != of.exit_code()):
        results.append(_sarif_result("cannot-judge", "", _outcome(of, strict)))
    said = (headline(of, strict), *of.warnings)
    tool = {
        "name": "stackheap",
        "rules": [{"id": key, "shortDescription": {"text": text}} for key, text in _RULES.items()],
    }
    invocation = {
        "executionSuccessful": not of.problems and of.trusted,
        "exitCode": of.exit_code(strict),
        "toolExecutionNotifications": [{"level": "note", "message": {"text": plain(line)}} for line in said],
    }
    run = {"tool": {"driver": tool}, "invocations": [invocation], "results": results}
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, allow_nan=False) + "\n"


def _sarif_result(rule: str, name: str, said: str) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": {"uri": _source_of(name)}, "region": {"startLine": 1}}
    }
    if name:
        location["logicalLocations"] = [{"fullyQualifiedName": plain(name)}]
    return {
        "ruleId": rule,
        "ruleIndex": list(_RULES).index(rule),
        "level": "error",
        "message": {"text": plain(said)},
        "locations": [location],
        "partialFingerprints": {"benchmark/v1": plain(name or said)},
    }


def _source_of(name: str) -> str:
    family = name.partition("/")[0]
    found = sorted(ROOT.glob(f"benchmarks/*/{family}.cpp")) if family.isidentifier() and family.isascii() else []
    return found[0].relative_to(ROOT).as_posix() if found else "benchmarks"


FORMS: Mapping[str, Callable[[Comparison, bool], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
    "junit": as_junit,
    "sarif": as_sarif,
}
