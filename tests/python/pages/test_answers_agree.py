"""Has one question one answer, in the chart's title, in the claim and in the terminal's table of the same run?

On the textbook's machine, and on machines with planted odd cases: figures that are their control, controls that are odd,
threads that slow the control down too.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from suite import charts, claims
from suite.base import phrases
from suite.pages import summary
from suite.results.control import CONTROL
from suite.results.model import BenchmarkName, Run
from support import synthetic
from support.chart_checks import exact, title

TIMES = re.compile(r"\d[^;:]* times\b")
# Their control is not of the operation's time, or is called differently; thread_start's control starts no thread.
WITHOUT_CONTROL = {"thread_start", "overhead"}


def machine(ns: Callable[[BenchmarkName], float], *families: str) -> Run:
    def price(name: str) -> float:
        return ns(BenchmarkName.parse(name))

    return synthetic.synthetic(
        ns=price, processes=12, keep=lambda name: not families or name.startswith(families), noise=exact
    )


def is_control(name: BenchmarkName) -> bool:
    return name.strategy == CONTROL if name.strategy else CONTROL in name.parameters.values()


def usual(name: BenchmarkName) -> float:
    return synthetic.price(name.text)


def mostly_control(name: BenchmarkName) -> float:
    """The control costs 10 ns, and every other figure 12 to 18 ns: more than half of it is the control."""
    if is_control(name) or name.parameters.get("kind") == "value" or name.parameters.get("by") == "loop":
        return 10.0
    return 12.0 + sum(map(ord, name.text)) % 7


def table(run: Run, topic: str) -> dict[str, str]:
    return {found.subject: found.words for found in summary.findings(run) if found.topic.startswith(topic)}


def claim(run: Run, id: str) -> claims.ClaimVerdict:
    return next(judged for judged in claims.verdicts(run) if judged.id == id)


def measured_with_control() -> list[str]:
    families = {name.family for text in synthetic.benchmarks(synthetic.KNOWN, 2) if is_control(name := BenchmarkName.parse(text))}
    families |= {"smart_pointer", "recursion"}
    return sorted(name for name, chart in charts.charts().items() if chart.family in families - WITHOUT_CONTROL)


@pytest.mark.parametrize("name", measured_with_control())
def test_no_title_is_a_multiple_of_a_figure_that_is_mostly_its_control(name: str) -> None:
    finding = title(machine(mostly_control), name)
    growth = finding.replace("times what it costs with one thread", "").replace("times the work of one thread", "")
    assert not TIMES.search(re.sub(r"the control(?:'s|,) [0-9.]+ times", "", growth)), finding


GROWTH_CLAIMS = {"own-stack", "shared-heap-contends"}


def test_no_claim_and_no_row_is_a_multiple_of_a_figure_that_is_mostly_its_control() -> None:
    controlled = {charts.charts()[name].family for name in measured_with_control()}
    run = machine(mostly_control)
    for judged in claims.verdicts(run):
        if set(judged.families) <= controlled and judged.id not in GROWTH_CLAIMS:
            assert not TIMES.search(judged.text), f"{judged.id}: {judged.text}"
    for topic in ("Taking 64 bytes", "Allocating in one"):
        assert not any(TIMES.search(words) for words in table(run, topic).values())


@pytest.mark.parametrize("malloc_ns", [10.0, 30.0])
def test_64_bytes_have_one_answer(malloc_ns: float) -> None:
    def ns(name: BenchmarkName) -> float:
        return malloc_ns if name.strategy in synthetic.KNOWN else 10.0

    run = machine(ns, "scoped/")
    more = malloc_ns > 10.0
    assert title(run, "cost_64b").endswith("20 ns from malloc" if more else "nothing measurable from malloc")
    words = table(run, "Taking 64 bytes")
    assert words["stack_array"].startswith("no measurable difference from the control")
    assert ("ns more than the control" in words["glibc"]) == more
    judged = claim(run, "stack-is-faster")
    assert judged.verdict == (claims.HOLDS if more else claims.DOES_NOT_HOLD)
    assert ("ns more (" in judged.text) == more and ("no measurable difference" in judged.text) != more


def contending(**grows: float) -> Callable[[BenchmarkName], float]:
    """By family and strategy (`larson_glibc`): how many times its time of one thread the time of two is."""

    def ns(name: BenchmarkName) -> float:
        several = (name.number("threads") or 1) > 1
        return (1.0 if is_control(name) else 20.0) * (grows.get(f"{name.family}_{name.strategy}", 1.0) if several else 1.0)

    return ns


ALL = ("glibc", "mimalloc", "jemalloc", "tcmalloc", "tbbmalloc")


@pytest.mark.parametrize(
    ("grows", "verdict", "contends"),
    [
        ({}, claims.DOES_NOT_HOLD, set()),
        ({"larson_glibc": 1.9}, claims.HOLDS_BUT, {"larson_glibc"}),
        ({f"private_{name}": 1.6 for name in ALL}, claims.HOLDS, {f"private_{name}" for name in ALL}),
        ({f"private_{name}": 1.6 for name in (CONTROL, "stack_array", *ALL)}, claims.DOES_NOT_HOLD, set()),
    ],
)
def test_threads_have_one_answer(grows: dict[str, float], verdict: str, contends: set[str]) -> None:
    run = machine(contending(**grows), "private/", "larson/")
    judged = claim(run, "shared-heap-contends")
    assert judged.verdict == verdict, judged.text
    topics = {"private": "Threads that each", "larson": "A server's threads"}
    for family, topic in topics.items():
        rows = table(run, topic)
        shown = {f"{family}_{name}" for name in ALL if rows[f"{name}, 2 threads"].endswith("more than the control")}
        assert shown == {name for name in contends if name.startswith(family)}
        finding = title(run, family)
        assert (any(name.startswith(family) for name in contends)) == bool(re.search(r"; the control, [12]\.0 times", finding)), finding
    if verdict == claims.HOLDS_BUT:
        assert "glibc in larson 1.9" in judged.text and "glibc" not in judged.condition
    assert claim(run, "own-stack").verdict == claims.HOLDS


@pytest.mark.parametrize("odd", ["argument/bytes:8/how:none", "pass/type:int/how:none"])
def test_an_odd_control_does_not_make_a_condition(odd: str) -> None:
    def ns(name: BenchmarkName) -> float:
        return 1.0 if name.text == odd else 10.0

    assert claim(machine(ns, "argument/", "pass/"), "borrow-is-free").verdict == claims.HOLDS


def test_a_power_of_two_alone_does_not_make_an_answer() -> None:
    def ns(name: BenchmarkName) -> float:
        return 50.0 if name.number("n") == 1024 and name.parameters["by"] == "column" else 10.0

    run = machine(ns, "matrix/")
    assert claim(run, "neighbours-help").verdict == claims.DOES_NOT_HOLD
    assert "with a power of two, 1,024, 5.0 times" in title(run, "matrix")


def test_what_everybody_writes_makes_the_condition_of_a_shared_ptr() -> None:
    def ns(name: BenchmarkName) -> float:
        return {"value": 0.5, "shared_ptr": 40.0}.get(name.parameters["kind"], 10.0)

    run = machine(ns, "smart_pointer/")
    judged = claim(run, "automatic-is-free")
    assert judged.verdict == claims.HOLDS and "shared ptr(new …) 4.0" in judged.text
    finding = title(run, "smart_pointer").replace(phrases.NO_BREAK, " ")
    assert "neither a unique_ptr nor make_shared" in finding and "shared_ptr(new …) costs 4.0 times" in finding
