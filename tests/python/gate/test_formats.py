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

from suite.base import markdown
from suite.gate import formats
from suite.gate.comparison import (
    BETTER,
    NOT_JUDGED,
    NOTHING_WORSE,
    SAME,
    SOMETHING_WORSE,
    UNDECIDED,
    WORSE,
    Comparison,
    Judgement,
)
from suite.gate.explanation import WORK, Explanation, FunctionChange
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
    controls="controls, new against old: L1 +0.1 %",
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
    function = FunctionChange(text, text, 1.0, 2.0, (f"+ {text}",))
    explained = Explanation(WORK, f"{WORK}: {text}", (function,), {text: (1.0, 2.0)})
    return replace(
        MIXED,
        old=Side(text, {text: text}),
        judgements=tuple(judged(f"{text}/{index}", verdict, 1.3, notes=(text,), explanation=explained)
                         for index, verdict in enumerate((WORSE, BETTER, SAME, UNDECIDED))),
        problems=(text,),
        warnings=(text,),
        controls=text,
    )  # fmt: skip


# ---- words


@pytest.mark.parametrize(("value", "text"), [(1.0, "+0.0 %"), (1.123, "+12.3 %"), (0.5, "-50.0 %"), (2.0, "2 times"),
                                             (1.999, "+99.9 %"), (1500.0, "1,500 times")])  # fmt: skip
def test_a_change_has_its_sign(value: float, text: str) -> None:
    assert formats.change(value) == text


@pytest.mark.parametrize(("comparison", "strict", "text"), [
    (MIXED, False, "worse: scoped/glibc/bytes:64 +50.0 % (47.0 to 53.0), 1 more; 7 benchmarks, 2 worse, 1 the same, "
                   "2 better, 1 bimodal, 1 undecided (stream/bytes:4096 +3.0 % (0.9 to 5.1))"),
    (PROBLEM, False, "cannot judge: many/glibc/count:2: missing in new.json; worse: scoped/glibc/bytes:64 +50.0 % "),
    (UNTRUSTED, False, "cannot judge: the controls moved; worse: scoped/glibc/bytes:64 +50.0 % "),
    (QUIET, False, "nothing is worse: 2 benchmarks, 1 the same, 1 undecided (stream/bytes:4096 +0.0 % (-2.0 to 2.0))"),
    (QUIET, True, "cannot judge: not every benchmark is decided, as --strict asks; 2 benchmarks, 1 the same, "),
    (EMPTY, False, "cannot judge: no benchmark is left to judge"),
    (replace(QUIET, judgements=(judged("a/b", NOT_JUDGED), judged("a/c", SAME))), False,
     "cannot judge: 1 of 2 benchmarks not judged; 2 benchmarks, 1 the same, 1 not judged"),
    (replace(QUIET, judgements=(judged("a/b", WORSE, 2.5),)), False,
     "worse: a/b 2.5 times (2.45 times to 2.55 times); 1 benchmark, 1 worse"),
    (replace(QUIET, judgements=(judged("a/b", WORSE, 1.99),)), False,
     "worse: a/b +99.0 % (+95.0 % to 2.03 times); 1 benchmark, 1 worse"),
])  # fmt: skip
def test_the_headline_leads_with_the_worst_and_agrees_with_the_exit_code(
    comparison: Comparison, strict: bool, text: str
) -> None:
    assert formats.headline(comparison, strict).startswith(text)
    code = comparison.exit_code(strict)
    words = {NOTHING_WORSE: "nothing is worse", SOMETHING_WORSE: "worse"}
    assert text.partition(":")[0] == words.get(code, "cannot judge")


def test_every_form_leads_with_the_headline() -> None:
    headline = formats.headline(MIXED)
    assert formats.as_text(MIXED).startswith(f"{headline}\n")
    assert formats.as_markdown(MIXED).replace("`", "").startswith(f"**{headline}**\n")
    assert json.loads(formats.as_json(MIXED))["headline"] == headline
    suite = next(xml.fromstring(formats.as_junit(MIXED)).iter("testsuite"))
    told = suite.findtext("system-out", "")
    assert told.startswith(headline) and told.endswith(MIXED.controls)


# ---- text


def test_text_lists_changes_with_the_worst_first_and_counts_the_others() -> None:
    text = re.sub(" +\n", "\n", formats.as_text(MIXED))
    order = ("worse\n", "bytes:64  ", "scoped/glibc/bytes:8  ", "better\n", "batch/jemalloc", "undecided: 1;")
    assert [text.index(line) for line in order] == sorted(text.index(line) for line in order)
    assert "chase" not in text  # the same
    for part in ("+50.0 %", "+47.0 % to +53.0 %", "10 ns to 15 ns", "layout suspect"):
        assert part in text
    assert "bimodal, so without a verdict: 1; churn/glibc/live:1000" in text
    assert text.count(formats.headline(MIXED)) == 1 and text.endswith(f"apart\n{MIXED.controls}\n")
    many = replace(MIXED, judgements=tuple(judged(f"scoped/glibc/bytes:{size}", WORSE, 1.5) for size in range(30)))
    assert formats.as_text(many).rstrip().endswith(formats.headline(many))  # again where it has left the screen
    assert "\x1b" not in text and "\x1b[" in formats.as_text(MIXED, colour=True)


def test_long_lists_are_cut_for_people() -> None:
    many = replace(PROBLEM, problems=tuple(f"problem number {index}" for index in range(500)))
    for text in (formats.as_text(many), formats.as_markdown(many)):
        assert text.count("problem number") == 10 + text.count("cannot judge: ") and "and 490 more" in text
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
    assert text.count("<details>") == text.count("</details>") == 5 and MIXED.controls in folded
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


@pytest.mark.hostile("text that is not ours")
@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_reads_a_hostile_name_as_text(text: str) -> None:
    output = formats.as_markdown(hostile(text))
    output = re.sub(r"(?<=[^\n]\n\n)(?:    [^\n]*\n)+", "", output)  # blocks of code, in which all is text
    assert "    " not in output
    tags = _tags()
    tags.feed(output)
    assert tags.found <= {"details", "summary", "code"}
    for line in output.splitlines():
        if line.startswith("|"):
            cells = line.count("|") - 1
            assert cells in (3, 6), line
    outside = re.sub(r"`[^`\n]*`|</?(?:details|summary|code)>|\*\*|[@#]&#8203;|&#\d+;", "", output)
    assert not re.search(r"[`@#\[\]<>*~$\\]|!\d|https?:|www\.|:smile:", outside), outside
    assert output.count("<details>") == output.count("</details>")


def test_markdown_stays_readable_in_a_log_and_a_mail() -> None:
    """No sign is written as a number in the sentences that this project writes."""
    told = replace(
        PROBLEM,
        old=Side("HEAD~1"),
        new=Side("build/new with GLIBC_TUNABLES=glibc.malloc.tcache_count=0"),
        problems=("scoped/glibc/bytes:64/touch:first: failed on the new side: crashed (SIGSEGV)",),
        warnings=(
            "the files were measured 3 hours apart: results/old/run.json, ./new.json; _BUILD_ and tcache_count",
            "compared across: malloc glibc was 2.36, is 2.41; --across",
        ),
    )
    text = formats.as_markdown(told)
    assert re.findall(r"&#?\w+;", text) == ["&#95;"] * 2  # of _BUILD_
    assert "- `scoped/glibc/bytes:64/touch:first`: failed on the new side: crashed (SIGSEGV)\n" in text
    assert "`HEAD~1` (old) and `build/new with GLIBC_TUNABLES=glibc.malloc.tcache_count=0` (new)" in text


@pytest.mark.parametrize(("told", "written"), [
    ("@everyone", "@&#8203;everyone"), ("a@b.example", "a@&#8203;b.example"),
    ("see #12 and !3", "see #&#8203;12 and &#33;3"),
    ("http://e.example/x", "http&#58;//e.example/x"), ("WWW.e.example", "WWW&#46;e.example"),
    ("a<b> & &lt; R&D", "a&lt;b&gt; & &amp;lt; R&amp;D"), ("50 % of %1", "50 % of &#37;1"),
    (":+1: 2:30", "&#58;+1: 2:30"),
    ("- item", "&#45; item"), ("1. item", "&#49;. item"), ("5-1", "5-1"), ("7.93 ns", "7.93 ns"), ("-O3 -DNDEBUG", "-O3 -DNDEBUG"),
    ("a_b _c_", "a_b &#95;c&#95;"),
    ("| a | ![x](y)", "&#124; a &#124; !&#91;x&#93;(y)"),
])  # fmt: skip
def test_markdown_writes_as_a_number_only_what_would_be_read(told: str, written: str) -> None:
    warned = formats.as_markdown(replace(QUIET, warnings=(told,)))
    assert f"\n- {written}\n" in warned


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
    assert document["controls"] == comparison.controls
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
        assert ATTRIBUTES[element.tag] - {"time"} <= set(element.attrib) <= ATTRIBUTES[element.tag]
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
    for case in root.iter("testcase"):
        assert len(case) == 0 or case[0].text  # GitLab shows the text of an element, and not its message


def test_junit_has_the_time_that_was_measured_or_none() -> None:
    timed = replace(QUIET, judgements=tuple(replace(judged(name, SAME), seconds=2.5) for name in ("a/b", "a/c")))
    root = check_junit(formats.as_junit(timed))
    times = [element.get("time") for element in root.iter() if "time" in element.attrib]
    assert times == ["5.000", "5.000", "2.500", "2.500"]
    partly = replace(timed, judgements=(*timed.judgements, judged("a/d", SAME)))
    cases = check_junit(formats.as_junit(partly)).iter("testcase")
    assert {case.get("name"): case.get("time") for case in cases} == {"a/b": "2.500", "a/c": "2.500", "a/d": None}
    assert 'time="' not in formats.as_junit(QUIET)


@pytest.mark.parametrize("text", HOSTILE)
def test_junit_stays_xml_whatever_a_name_holds(text: str) -> None:
    output = formats.as_junit(hostile(text))
    names = {case.get("name") for case in check_junit(output).iter("testcase")}
    assert f"{markdown.plain(text)}/0" in names
    output.encode("utf-8")


# ---- all formats


@pytest.mark.parametrize("form", formats.REPORTERS)
@settings(deadline=None, max_examples=25)
@given(text=st.text(max_size=30))
def test_every_form_takes_every_text_and_can_be_written(form: str, text: str) -> None:
    reporter: Callable[[Comparison, bool], str] = formats.REPORTERS[form]
    reporter(hostile(text), False).encode("utf-8")
