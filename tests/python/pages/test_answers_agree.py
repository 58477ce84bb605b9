"""Has one question one answer, in the chart's title, in the claim and in the terminal's table of the same run?

On the textbook's machine, and on machines with planted odd cases: figures that are their control, controls that are odd,
threads that slow the control down too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pytest

from suite import charts, claims
from suite.base import phrases
from suite.pages import summary
from suite.results.control import CONTROL
from suite.results.model import BenchmarkName, Run
from support import synthetic
from support.chart_checks import exact, title, undrawn

TIMES = re.compile(r"\d[^;:]* times\b")
# Their control is not of the operation's time, or is called differently; thread_start's control starts no thread.
WITHOUT_CONTROL = {"thread_start", "overhead"}


@cache
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
    growth = re.sub(r"[0-9.]+ times (that with one|beyond the control|the work of one)", "", finding)
    assert not TIMES.search(re.sub(r"the control, [0-9.]+ times", "", growth)), finding


GROWTH_CLAIMS = {"own-stack", "shared-heap-contends"}


def test_no_claim_and_no_row_is_a_multiple_of_a_figure_that_is_mostly_its_control() -> None:
    controlled = {charts.charts()[name].family for name in measured_with_control()}
    run = machine(mostly_control)
    for judged in claims.verdicts(run):
        if set(judged.families) <= controlled and judged.id not in GROWTH_CLAIMS:
            for text in (judged.gist, judged.details):
                assert not TIMES.search(text), f"{judged.id}: {text}"
    for topic in ("Taking 64 bytes", "Allocating in one"):
        assert not any(TIMES.search(words) for words in table(run, topic).values())


@pytest.mark.parametrize("malloc_ns", [10.0, 30.0])
def test_64_bytes_have_one_answer(malloc_ns: float) -> None:
    def ns(name: BenchmarkName) -> float:
        return malloc_ns if name.strategy in synthetic.KNOWN else 10.0

    run = machine(ns, "scoped/")
    more = malloc_ns > 10.0
    assert title(run, "cost_64b").startswith(f"64 bytes from glibc {'cost 20 ns more than' if more else 'show no measurable'}")
    words = table(run, "Taking 64 bytes")
    assert words["stack_array"].startswith("no measurable difference from the control")
    assert ("ns more than the control" in words["glibc"]) == more
    judged = claim(run, "stack-is-faster")
    assert judged.verdict == (claims.HOLDS if more else claims.DOES_NOT_HOLD)
    assert ("ns more (" in judged.details) == more and ("no measurable difference" in judged.details) != more


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
    assert judged.verdict == verdict, judged.details
    topics = {"private": "Threads that each", "larson": "A server's threads"}
    for family, topic in topics.items():
        rows = table(run, topic)
        shown = {f"{family}_{name}" for name in ALL if rows[f"{name}, 2 threads"].endswith("more than the control")}
        assert shown == {name for name in contends if name.startswith(family)}
        finding = title(run, family)
        assert (f"{family}_glibc" in contends) == bool(re.search(r"; the control, [12]\.0 times|slow down [\d.]+ times", finding)), finding
    if verdict == claims.HOLDS_BUT:
        assert "glibc in larson 1.9" in judged.details and "glibc" not in judged.condition
    assert claim(run, "own-stack").verdict == claims.HOLDS
    assert re.search(r"; the control: [\d.]+ times.* in private; relative to that: 1\.00 times", claim(run, "own-stack").details)


def test_a_stack_that_is_kept_does_not_answer_for_a_fresh_stack() -> None:
    """What costs less than recursion is a stack on the heap that is kept; the title says both."""

    def ns(name: BenchmarkName) -> float:
        return {"loop": 1.0, "calls": 20.0, "heap_fresh": 60.0}.get(name.parameters["by"], 10.0)

    run = machine(ns, "recursion/")
    judged = claim(run, "recursion-or-heap")
    assert (judged.verdict, judged.condition) == (claims.HOLDS_BUT, "only with a stack that is kept")
    assert "calls costs, relative to a stack on the heap: frames of 64 B 2.0" in judged.details and "costs: frames of 64 B 3.0" in judged.details
    assert title(run, "recursion").endswith("kept on the heap costs 0.50 times recursion; a fresh one, 3.0 times")


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
    drawing = undrawn(run, "matrix")
    assert "no measurable difference" in drawing.title or "the same, within the intervals" in drawing.title
    assert "with a power of two, 1,024, 5.0 times" in drawing.caption


def test_what_everybody_writes_makes_the_condition_of_a_shared_ptr() -> None:
    def ns(name: BenchmarkName) -> float:
        return {"value": 0.5, "shared_ptr": 40.0}.get(name.parameters["kind"], 10.0)

    run = machine(ns, "smart_pointer/")
    judged = claim(run, "automatic-is-free")
    assert judged.verdict == claims.HOLDS and "shared ptr(new …) 4.0" in judged.details
    drawing = undrawn(run, "smart_pointer")
    assert "unique_ptr and make_shared show no measurable difference" in drawing.title
    assert "shared_ptr(new …) 4.0 times" in drawing.caption.replace(phrases.NO_BREAK, " ")


# ---- a claim and the title of each chart of the same benchmarks

EQUAL = r"the same, within the intervals|no measurable (difference|effect)|nothing measurable"
Plant = Callable[[BenchmarkName], bool]


def planted(plant: Plant, factor: float) -> Callable[[BenchmarkName], float]:
    """All benchmarks cost 10 ns, their control 1 ns, and those that are planted a multiple."""
    return lambda name: 1.0 if is_control(name) else 10.0 * factor if plant(name) else 10.0


def at_least(key: str, least: int) -> Plant:
    return lambda name: (name.number(key) or 0) >= least


def both(*plants: Plant) -> Plant:
    return lambda name: all(plant(name) for plant in plants)


def value(key: str, *values: str) -> Plant:
    return lambda name: name.parameters.get(key) in values


def strategy(*names: str) -> Plant:
    return lambda name: name.strategy in names


# A claim, the chart of the same benchmarks, the benchmarks that cost three times as much, then verdict and title.
PAIRS = [
    ("stack-costs-at-start", "thread_start", both(strategy("fresh_stack"), at_least("bytes", 1 << 20), value("touch", "none")),
     claims.HOLDS, "3.0 times as much as with 64 KiB"),
    ("all-at-once", "many", both(strategy("stack_array"), at_least("count", 16)), claims.HOLDS_BUT, "^64 blocks in a frame cost 3.0 times"),
    ("touch-dominates", "stack_price", strategy(*ALL), claims.DOES_NOT_HOLD, "1 MiB from glibc cost 20 ns more than 1 MiB on the stack"),
    ("frames-are-free", "spill", value("reload", "same"), claims.DOES_NOT_HOLD, "20 ns or 80 cycles"),
    ("pointer-costs", "indirection", value("layout", "scattered"), claims.HOLDS_BUT, "3.0 times as much as through packed pointers"),
    ("jumping-costs", "chase", value("order", "random"), claims.HOLDS, "3.0 times a load in order"),
    ("neighbours-help", "traverse", strategy("list_shuffled"), claims.HOLDS_BUT, "3.0 times as much as in a vector"),
    ("heap-ages", "list_walk", value("heap", "aged"), claims.HOLDS, "3.0 times what it costs on a fresh heap"),
    ("simple-copies-cheap", "pass", both(value("how", "copy"), value("type", "long_string", "vector_1000")), claims.HOLDS, "3.0 times moving"),
    ("recursion-or-heap", "recursion", value("by", "calls"), claims.HOLDS, "kept on the heap costs 20 ns less than recursion"),
]  # fmt: skip


def of_claim(id: str, name: str, ns: Callable[[BenchmarkName], float]) -> tuple[claims.ClaimVerdict, str]:
    families = {*next(known.families for known in claims.CLAIMS if known.id == id), charts.charts()[name].family}
    run = machine(ns, *(f"{family}/" for family in sorted(families)))
    return claim(run, id), title(run, name).replace(phrases.NO_BREAK, " ")


@pytest.mark.parametrize(("id", "name", "plant", "verdict", "finding"), PAIRS, ids=[f"{pair[0]}-{pair[1]}" for pair in PAIRS])
def test_a_claim_and_the_chart_of_its_benchmarks_have_one_answer(
    id: str, name: str, plant: Plant, verdict: str, finding: str
) -> None:
    judged, shown = of_claim(id, name, planted(plant, 3.0))
    assert judged.verdict == verdict and re.search(finding, shown), f"{judged}; {shown}"
    judged, shown = of_claim(id, name, planted(plant, 1.0))
    assert judged.verdict not in (verdict, *claims.OPEN) and re.search(EQUAL, shown), f"{judged}; {shown}"


@pytest.mark.parametrize(
    "odd",
    [
        both(strategy("cached_stack"), at_least("bytes", 64 << 20)),  # too large to be kept
        both(strategy("fresh_stack"), at_least("bytes", 64 << 20), value("core", "other", "any")),  # on another core
        both(value("touch", "all"), at_least("bytes", 1 << 20)),  # the touched stacks
    ],
)
def test_a_threads_stack_has_one_answer(odd: Plant) -> None:
    """The size of a fresh stack on its starter's core decides; larger kept stacks, other cores and use do not."""
    judged, shown = of_claim("stack-costs-at-start", "thread_start", planted(odd, 2.1))
    assert judged.verdict == claims.DOES_NOT_HOLD, judged
    assert "64 MiB costs the same, within the intervals, as with 64 KiB" in shown
    judged, shown = of_claim("stack-costs-at-start", "thread_start", planted(at_least("bytes", 64 << 20), 2.1))
    assert judged.verdict == claims.HOLDS and "64 MiB costs 2.1 times as much as with 64 KiB" in shown


def test_a_claim_whose_benchmarks_have_a_chart_is_held_against_it() -> None:
    """Claims that no chart's title answers, with the reason; a new claim is added to a test of this file, or here."""
    here = {"stack-is-faster", "shared-heap-contends", "own-stack", "borrow-is-free", "automatic-is-free"}
    elsewhere = {
        "stack-is-flat", "no-search", "large-takes-time", "unknown-size-needs-heap", "os-finds-room",  # the title asks otherwise
        "heap-access-slower",  # by turns in one process, which no chart draws
        "drop-at-once", "arguments-on-stack", "strings-on-heap", "stack-is-small", "heap-ends-with-memory",
        "bookkeeping", "freed-is-returned", "heap-outlives",  # counters: tests/python/support/textbook
    }  # fmt: skip
    assert {id for id, *_ in PAIRS} | here | elsewhere == {known.id for known in claims.CLAIMS}
