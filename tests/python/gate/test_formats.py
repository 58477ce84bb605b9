"""Is a comparison written correctly in every format, and does a hostile name stay text?"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as xml
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.gate import formats
from suite.gate.comparison import BETTER, SAME, UNDECIDED, WORSE, Comparison, Judgement
from suite.gate.pairs_file import Side
from suite.stats.estimates import Estimate


def ratio(middle: float, half: float = 0.02) -> Estimate:
    return Estimate(middle, middle * (1 - half), middle * (1 + half), 0.968, 5)


def judged(name: str, verdict: str, middle: float = 1.0, **more: Any) -> Judgement:
    values: dict[str, Any] = {"others": {"cycles": ratio(middle)}, "threshold": 0.05, **more}
    return Judgement(name, verdict, ratio(middle), old_ns=10.0, new_ns=10.0 * middle, **values)


MIXED = Comparison(
    method="two files",
    old=Side("base.json", {"compiler": "GNU 12", "profile": "quick"}),
    new=Side("new.json", {"compiler": "GNU 13", "profile": "quick"}),
    judgements=(
        judged("scoped/glibc/bytes:8", WORSE, 1.12),
        judged("scoped/glibc/bytes:64", WORSE, 1.5, notes=("layout suspect: instructions stayed",), floor=0.02),
        judged("batch/jemalloc/count:100", BETTER, 0.8),
        judged("chase/bytes:4096", SAME),
        judged("stream/bytes:4096", UNDECIDED, 1.03),
        judged("churn/glibc/live:1000", UNDECIDED, 2.5, quarantined=True, notes=("bimodal in new",)),
        judged("overhead/glibc/bytes:8 resident_bytes_per_byte", BETTER, 0.5, unit="bytes per byte", others={}),
    ),
    warnings=("the files were measured 3 hours apart",),
)
PROBLEM = replace(MIXED, problems=("many/glibc/count:2: missing in new.json",))
UNTRUSTED = replace(MIXED, trusted=False)
QUIET = replace(MIXED, judgements=(judged("chase/bytes:4096", SAME), judged("stream/bytes:4096", UNDECIDED)))
EMPTY = replace(MIXED, judgements=(), problems=("no benchmark is left to judge",))
ALL = {"mixed": MIXED, "problem": PROBLEM, "untrusted": UNTRUSTED, "quiet": QUIET, "empty": EMPTY}

HOSTILE = [
    "a|b", "a`b``c", "<script>alert(1)</script>", "</details><img src=x onerror=y>", "[x](http://e.example)",
    "@everyone #1", "*b* _i_ ~s~ $m$ :smile:", "]]>", "&amp;lt;", "a\x1b[31mred", "a\u202eb", "a\nb\r\nc", "\udc80",
    "\x00\x0b\ufffe", "'\"", "{{x}}",
    "- [ ] list", "# title", "www.e.example", "[bold]rich[/bold]", "%s %d {0}", "\\|", "é ü 中 🙂",
]  # fmt: skip


def hostile(text: str) -> Comparison:
    return replace(
        MIXED,
        old=Side(text, {text: text}),
        judgements=tuple(judged(f"{text}/{index}", verdict, 1.3, notes=(text,)) for index, verdict in
                         enumerate((WORSE, BETTER, SAME, UNDECIDED))),
        problems=(text,),
        warnings=(text,),
    )  # fmt: skip


# ---- words


@pytest.mark.parametrize(("value", "text"), [(1.0, "+0.0 %"), (1.123, "+12.3 %"), (0.5, "-50.0 %"), (2.0, "2 times"),
                                             (1.999, "+99.9 %"), (1500.0, "1,500 times")])  # fmt: skip
def test_a_change_has_its_sign(value: float, text: str) -> None:
    assert formats.change(value) == text


@pytest.mark.parametrize(("comparison", "strict", "text"), [
    (MIXED, False, "A benchmark is worse: 2 worse, 2 better, 1 same, 1 undecided, 1 bimodal"),
    (PROBLEM, False, "The comparison cannot be judged as a whole: 2 worse"),
    (UNTRUSTED, False, "The result is not reliable: the controls moved: 2 worse"),
    (QUIET, False, "No benchmark is shown to be worse: 0 worse"),
    (QUIET, True, "The comparison cannot be judged: not every benchmark is decided: 0 worse"),
])  # fmt: skip
def test_the_headline_agrees_with_the_exit_code(comparison: Comparison, strict: bool, text: str) -> None:
    assert formats.headline(comparison, strict).startswith(text)


# ---- text


def test_text_lists_changes_with_the_worst_first_and_counts_the_others() -> None:
    text = formats.as_text(MIXED)
    order = ("worse", "bytes:64 ", "scoped/glibc/bytes:8 ", "better", "batch/jemalloc", "undecided: 1;")
    assert [text.index(line) for line in order] == sorted(text.index(line) for line in order)
    assert "chase" not in text  # the same
    for part in ("+50.0 %", "+47.0 % to +53.0 %", "10 ns to 15 ns", "layout suspect"):
        assert part in text
    assert "bimodal, so without a verdict: 1; churn/glibc/live:1000" in text
    assert text.rstrip().endswith(formats.headline(MIXED))
    assert "\x1b" not in text and "\x1b[" in formats.as_text(MIXED, colour=True)


def test_long_lists_are_cut_for_people() -> None:
    many = replace(PROBLEM, problems=tuple(f"problem number {index}" for index in range(500)))
    for text in (formats.as_text(many), formats.as_markdown(many)):
        assert text.count("problem number") == 10 and "and 490 more" in text
    assert len(json.loads(formats.as_json(many))["problems"]) == 500


@pytest.mark.parametrize("text", HOSTILE)
def test_a_terminal_gets_no_control_characters(text: str) -> None:
    output = formats.as_text(hostile(text))
    assert all(letter.isprintable() or letter == "\n" for letter in output)
    if text == "[bold]rich[/bold]":
        assert text in output


# ---- Markdown


def test_markdown_shows_worse_benchmarks_and_folds_the_others() -> None:
    text = formats.as_markdown(MIXED)
    before, folded = text.split("<details>", 1)
    assert "`scoped/glibc/bytes:64`" in before and "`scoped/glibc/bytes:8`" in before
    assert "batch/jemalloc" not in before and "batch/jemalloc" in folded
    assert text.count("<details>") == text.count("</details>") == 5
    assert text.index("bytes:64`") < text.index("bytes:8`")


def test_markdown_fits_a_comment() -> None:
    many = tuple(judged(f"scoped/glibc/bytes:{index}/touch:first{'x' * 60}", verdict, 1.2, notes=("a note " * 10,))
                 for index in range(2000) for verdict in (WORSE, BETTER, UNDECIDED))  # fmt: skip
    assert len(formats.as_markdown(replace(MIXED, judgements=many))) < 65536


class _tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.add(tag)


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_reads_a_hostile_name_as_text(text: str) -> None:
    output = formats.as_markdown(hostile(text))
    tags = _tags()
    tags.feed(output)
    assert tags.found <= {"details", "summary", "code"}
    for line in output.splitlines():
        if line.startswith("|"):
            cells = line.count("|") - 1
            assert cells in (3, 6), line
    outside = re.sub(r"`[^`\n]*`|</?(?:details|summary|code)>|\*\*|&#\d+;", "", output)
    assert not re.search(r"[`@#\[\]<>*~$\\!]|https?:|www\.|:smile:", outside), outside
    assert output.count("<details>") == output.count("</details>")


# ---- JSON


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("strict", [False, True])
def test_json_holds_everything(name: str, strict: bool) -> None:
    comparison = ALL[name]
    document = json.loads(formats.as_json(comparison, strict))
    assert document["form"] == "stackheap-comparison/1"
    assert (document["exit_code"], document["trusted"]) == (comparison.exit_code(strict), comparison.trusted)
    assert [written["name"] for written in document["judgements"]] == [
        judgement.name for judgement in comparison.judgements
    ]
    assert document["problems"] == list(comparison.problems) and document["warnings"] == list(comparison.warnings)
    assert sum(document["counts"].values()) == len(comparison.judgements)
    for written, judgement in zip(document["judgements"], comparison.judgements):
        assert written["time"]["ratio"] == judgement.ratio.median and written["verdict"] == judgement.verdict
        assert ("cycles" in written) == ("cycles" in judgement.others)


def test_json_has_null_for_a_number_that_is_not_finite() -> None:
    nowhere = Estimate(float("inf"), 0.0, float("nan"), 0.9, 5)
    document = json.loads(formats.as_json(replace(MIXED, judgements=(replace(judged("a", WORSE), ratio=nowhere),))))
    assert (document["judgements"][0]["time"]["ratio"], document["judgements"][0]["time"]["high"]) == (None, None)


# ---- JUnit XML

# The common part of the readers' schemas (Jenkins' junit-10.xsd, Ant's JUnit.xsd).
CHILDREN: dict[str, set[str]] = {
    "testsuites": {"testsuite"}, "testsuite": {"properties", "testcase", "system-out", "system-err"},
    "properties": {"property"}, "testcase": {"skipped", "error", "failure", "system-out", "system-err"},
    "property": set(), "skipped": set(), "error": set(), "failure": set(), "system-out": set(), "system-err": set(),
}  # fmt: skip
ATTRIBUTES: dict[str, set[str]] = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"}, "properties": set(),
    "property": {"name", "value"}, "testcase": {"classname", "name", "time"}, "skipped": {"message"},
    "error": {"message", "type"}, "failure": {"message", "type"}, "system-out": set(), "system-err": set(),
}  # fmt: skip


def check_junit(text: str) -> xml.Element:
    root = xml.fromstring(text)
    for element in root.iter():
        assert {child.tag for child in element} <= CHILDREN[element.tag]
        assert set(element.attrib) == ATTRIBUTES[element.tag]
    for suite in root:
        tags = [child.tag for child in suite]
        assert tags == sorted(tags, key=("properties", "testcase", "system-out").index)
        cases = suite.findall("testcase")
        assert len({(case.get("classname"), case.get("name")) for case in cases}) == len(cases)
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            counted = str(sum(case.find(tag) is not None for case in cases))
            assert suite.get(count) == root.get(count) == counted
        assert int(str(suite.get("tests"))) == len(cases)
        assert all(len(case) <= 1 for case in cases)
    return root


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("strict", [False, True])
def test_junit_fails_if_and_only_if_the_comparison_does(name: str, strict: bool) -> None:
    comparison = ALL[name]
    root = check_junit(formats.as_junit(comparison, strict))
    failures, errors = int(str(root.get("failures"))), int(str(root.get("errors")))
    assert (failures > 0) == bool(comparison.with_verdict(WORSE))
    assert (errors > 0) == (comparison.exit_code(strict) == 2)


def test_junit_has_its_own_element_for_each_verdict() -> None:
    root = check_junit(formats.as_junit(PROBLEM))
    kinds = {case.get("name"): case[0].tag if len(case) else "passed" for case in root.iter("testcase")}
    assert kinds["scoped/glibc/bytes:8"] == "failure"
    assert kinds["batch/jemalloc/count:100"] == kinds["chase/bytes:4096"] == "system-out"
    assert kinds["stream/bytes:4096"] == kinds["churn/glibc/live:1000"] == "skipped"
    assert kinds["problem 1"] == "error"


@pytest.mark.parametrize("text", HOSTILE)
def test_junit_stays_xml_whatever_a_name_holds(text: str) -> None:
    output = formats.as_junit(hostile(text))
    names = {case.get("name") for case in check_junit(output).iter("testcase")}
    assert f"{formats.plain(text)}/0" in names
    output.encode("utf-8")


# ---- all formats


@pytest.mark.parametrize("form", formats.REPORTERS)
@settings(deadline=None, max_examples=25)
@given(text=st.text(max_size=30))
def test_every_form_takes_every_text_and_can_be_written(form: str, text: str) -> None:
    reporter: Callable[[Comparison, bool], str] = formats.REPORTERS[form]
    reporter(hostile(text), False).encode("utf-8")
