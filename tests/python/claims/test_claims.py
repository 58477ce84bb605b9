"""Can every claim get every verdict, and is its text true for the run?"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from suite import claims
from suite.base import phrases
from suite.base.files import write_json
from suite.claims import DOES_NOT_HOLD, HOLDS, HOLDS_BUT, NOT_MEASURED, UNDECIDED
from suite.claims.footprint import who_gave_back
from suite.claims.inputs import few_cycles_apart
from suite.claims.verdict import (
    MATTERS,
    Comparison,
    Numbers,
    Undecided,
    from_most_to_least,
    more,
    of_all,
    of_none,
    relative,
)
from suite.commands import claims as command
from suite.pages.docs import REFERENCE_RUN
from suite.results.model import Benchmark, BenchmarkName, Run, Sample
from suite.results.read import read_run
from suite.stats.estimates import Difference, estimate_difference, median
from support import ROOT, synthetic
from support.claim_cases import cases
from support.claim_cases.allocation import many, scoped
from support.claim_cases.figures import Figures
from support.claim_cases.limits import ends_of, grants

NOTHING = Numbers("")
OF_LETTER = {"s": "small", "l": "large"}  # kinds of blocks

Noise = Callable[[str, int], float]


def a_little(name: str, process: int) -> float:
    return 1 + 0.002 * process


def a_lot(name: str, process: int) -> float:
    return (0.5, 4.0, 1.0, 0.25, 2.0)[process]


def make_run(
    folder: Path, figures: Figures, processes: int = 5, noise: Noise = a_little, cores: int = 2, mallocs: int = 2
) -> Run:
    rows = []
    for name, value in figures.items():
        ns, counters = (1.0, value) if isinstance(value, Mapping) else value if isinstance(value, tuple) else (value, {})
        for process in range(processes):
            factor = 1.0 if isinstance(value, Mapping) else noise(name, process)
            rows.append({**synthetic.row(name, ns * factor, counters), "repetition_index": process})
    context = synthetic.context(synthetic.names_of(mallocs), cores)
    write_json(folder / "run.json", {"context": context, "benchmarks": rows})
    return read_run(folder / "run.json")


def verdict_of(claim_id: str, run: Run) -> claims.ClaimVerdict:
    return next(judged_claim for judged_claim in claims.verdicts(run) if judged_claim.id == claim_id)


CASES = cases()
WAYS = [(claim_id, verdict) for claim_id, ways in CASES.items() for verdict in ways]


@pytest.fixture(scope="module")
def judged_cases(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, str], claims.ClaimVerdict]:
    processes = 8  # five pairs of times from one process reach 93.75 %
    folder = tmp_path_factory.mktemp("cases")
    return {way: verdict_of(way[0], make_run(folder, CASES[way[0]][way[1]], processes)) for way in WAYS}


@pytest.mark.parametrize(("claim_id", "verdict"), WAYS)
def test_every_claim_follows_the_numbers(
    judged_cases: Mapping[tuple[str, str], claims.ClaimVerdict], claim_id: str, verdict: str
) -> None:
    judged = judged_cases[claim_id, verdict]
    assert judged.verdict == verdict, judged.details
    assert bool(judged.condition) == (verdict == HOLDS_BUT)
    assert judged.details.endswith(".") and any(letter.isdigit() for letter in judged.details)
    check_gist(judged)


NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?")


def numbers_in(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


def check_gist(judged: claims.ClaimVerdict) -> None:
    """A gist is one short sentence, and the details have its numbers too: with more figures, and a share as a ratio."""
    gist, told = judged.gist, numbers_in(judged.details)
    assert len(gist) <= 160 and len(NUMBER.findall(gist)) <= 2, gist
    assert not gist[0].islower() and gist.endswith(".") and not gist.endswith("..") and "  " not in gist
    for number in numbers_in(gist):
        is_share = f"{number:g}{phrases.NO_BREAK}%" in gist and any(
            abs(abs(figure - 1) - number / 100) < 0.011 for figure in told
        )
        assert is_share or any(math.isclose(number, figure, rel_tol=0.052) for figure in told), f"{gist} {judged.details}"


def test_a_gist_tells_a_claim_that_holds_from_a_claim_that_does_not(
    judged_cases: Mapping[tuple[str, str], claims.ClaimVerdict],
) -> None:
    for claim_id in CASES:
        assert judged_cases[claim_id, HOLDS].gist != judged_cases[claim_id, DOES_NOT_HOLD].gist


def test_the_gists_of_the_reference_are_short_and_in_its_details() -> None:
    for judged in claims.verdicts(read_run(ROOT / REFERENCE_RUN)):
        if judged.verdict not in claims.OPEN:
            check_gist(judged)


def exactly(ratio: float, **also: Any) -> Comparison:
    return Comparison(ratio, ratio, ratio, 0.99, 8, **also)


@pytest.mark.parametrize(
    ("compared", "sentence"),
    [
        (exactly(9.35), "9.3 times as much here as there"), (exactly(1059.0), "1,100 times as much here as there"),
        (exactly(1.2), "20 % more here than there"), (exactly(1.07), "only 7 % more here than there"),
        (exactly(1.004), "no more here than there"), (exactly(0.6), "40 % less here than there"),
        (Comparison(1.05, 0.98, 1.09, 0.99, 8), "no more here than there"),
        (exactly(2.0, few_cycles=True), "a cycle or two more here than there"),
        (exactly(0.9, few_cycles=True), "10 % less here than there"),
        (exactly(3.0, difference=Difference(3.98, 3.9, 4.1, 0.99, 8)), "4.0 ns more here than there"),
        (exactly(1.05, difference=Difference(3.98, 3.9, 4.1, 0.99, 8)), "only 4.0 ns more here than there"),
        (exactly(0.5, difference=Difference(-3.98, -4.1, -3.9, 0.99, 8)), "4.0 ns less here than there"),
        (exactly(3.0, difference=Difference(0.1, -1.0, 1.0, 0.99, 8)), "no more here than there"),
    ],
)  # fmt: skip
def test_a_gist_says_how_much_more(compared: Comparison, sentence: str) -> None:
    assert more(compared, "there", "here").replace(phrases.NO_BREAK, " ") == sentence


def test_a_gist_names_the_malloc_with_the_most_and_with_the_least_that_is_shown() -> None:
    def gist(**ratios: Comparison) -> str:
        return from_most_to_least(ratios, "alone", lambda name: f"with {name}", "whatever the malloc")

    open_still = Comparison(0.9, 0.5, 1.5, 0.99, 8)
    assert gist(a=exactly(3.0), b_c=exactly(5.0), d=exactly(1.0)) == "5.0 times as much with b c as alone, no more with d"
    assert gist(a=exactly(3.0), b=exactly(3.0)) == "3.0 times as much as alone, whatever the malloc"
    assert gist(a=exactly(3.0), b=open_still) == "3.0 times as much with a as alone"
    assert gist(a=open_still) == "no more with a than alone" and gist() == ""


@pytest.mark.parametrize(
    ("gave", "kept", "sentence"),
    [
        ("as al", "bs bl cs cl", "only 1 of 3 mallocs has given the memory back: a"),
        ("al", "as bs bl cs cl", "only 1 of 3 mallocs has given the memory back: a, but only that of large blocks"),
        ("al", "as bs bl cs", "1 of 3 mallocs has given the memory back: a, but only that of large blocks"),
        ("as al bl", "bs cs cl", "only 2 of 3 mallocs have given the memory back: a and b, but not of all kinds of blocks"),
        ("al bl cl dl", "as bs cs ds es el", "only 4 of 5 mallocs have given the memory back, but only that of large blocks"),
        ("al bl", "as bs", "every malloc has given the memory back, but only that of large blocks"),
        ("as al bs bl", "", "every malloc has given the memory back"),
        ("", "as al bs bl", "no malloc has given the memory back"),
        ("al", "as", "a has given the memory back, but only that of large blocks"),
        ("", "as al", "a has not given the memory back"),
    ],
)
def test_a_gist_says_who_has_given_the_memory_back(gave: str, kept: str, sentence: str) -> None:
    returned, not_returned = ([(word[0], OF_LETTER[word[1]]) for word in words.split()] for words in (gave, kept))
    mallocs = sorted({name for name, _ in [*returned, *not_returned]})
    measured = [(name, kind) for name in mallocs for kind in OF_LETTER.values()]
    assert who_gave_back(returned, not_returned, measured) == sentence


def test_an_open_claim_says_why_and_keeps_its_numbers_in_the_details(tmp_path: Path) -> None:
    judged = verdict_of("stack-costs-at-start", make_run(tmp_path, starts_of(1.1), noise=spread(0.3)))
    assert judged.gist == "The intervals are too wide to tell." and "costs 1.10 times" in judged.details
    judged = verdict_of("stack-costs-at-start", make_run(tmp_path, starts_of(1.1), processes=2))
    assert (judged.gist, judged.details) == ("2 of the 4 processes a verdict needs.", "")


def test_every_claim_has_every_case() -> None:
    assert set(CASES) == {claim.id for claim in claims.CLAIMS}
    assert all(set(ways) == {HOLDS, HOLDS_BUT, DOES_NOT_HOLD} for ways in CASES.values())


NOISY = [(claim_id, verdict) for claim_id, verdict in WAYS if any(isinstance(value, float) for value in CASES[claim_id][verdict].values())]


@pytest.mark.parametrize("power", [0.0, 0.25])  # no difference in the medians, and one that the intervals swallow
@pytest.mark.parametrize(("claim_id", "verdict"), NOISY)
def test_no_claim_is_stronger_than_its_intervals(tmp_path: Path, claim_id: str, verdict: str, power: float) -> None:
    figures = CASES[claim_id][verdict].items()
    nearer = {name: 10.0 * value**power if isinstance(value, (int, float)) else value for name, value in figures}
    judged = verdict_of(claim_id, make_run(tmp_path, nearer, noise=a_lot))
    assert judged.verdict == UNDECIDED and "too wide" in judged.gist, judged


@pytest.mark.parametrize("claim_id", list(CASES))
def test_a_claim_without_data_is_not_measured(tmp_path: Path, claim_id: str) -> None:
    judged = verdict_of(claim_id, make_run(tmp_path, {"layout/array_of_structs/count:9/fields:one": 1.0}))
    assert judged.verdict == NOT_MEASURED and judged.gist and not judged.details and not judged.condition


@pytest.mark.parametrize(("claim_id", "verdict"), NOISY)
def test_few_processes_are_not_enough(tmp_path: Path, claim_id: str, verdict: str) -> None:
    assert verdict_of(claim_id, make_run(tmp_path, CASES[claim_id][verdict], processes=2)).verdict == UNDECIDED


def test_twice_as_much_is_not_as_much_even_where_it_is_one_cycle(tmp_path: Path) -> None:
    one_cycle_more = {**many(10), **dict(zip((name for name in many(10) if "stack_array" in name), (0.25, 0.5)))}
    judged = verdict_of("all-at-once", make_run(tmp_path, one_cycle_more))
    assert (judged.verdict, judged.condition) == (HOLDS_BUT, "with a cycle or two more")


def starts_of(ratio: float) -> Figures:
    return {**CASES["stack-costs-at-start"][HOLDS], "thread_start/fresh_stack/bytes:4096/touch:none/core:starter": 100 * ratio}


def spread(share: float) -> Noise:
    """The processes of a benchmark scatter evenly over this share of its time."""
    return lambda name, process: 1 + share * (process - 2) / 4


def test_a_small_difference_that_is_shown_is_a_verdict(tmp_path: Path) -> None:
    """A truth at a bound would be undecided whatever is measured."""
    judged = verdict_of("stack-costs-at-start", make_run(tmp_path, starts_of(1.1), noise=spread(0.03)))
    assert (judged.verdict, judged.condition) == (HOLDS_BUT, "only by 7 to 13 % (10\u00a0ns)")
    assert judged.needs == ()


@pytest.mark.parametrize(
    ("low", "high", "condition"),
    [
        (1.09, 1.25, "only by 9 to 25 % (15\u00a0ns)"), (1.0899, 1.2401, "only by 8 to 25 % (15\u00a0ns)"),
        (1.001, 1.12, "only by up to 12 % (15\u00a0ns)"), (1.1, 1.3, "only by 10 to 30 % (15\u00a0ns)"),
    ],
)  # fmt: skip
def test_a_small_difference_is_told_with_its_interval(low: float, high: float, condition: str) -> None:
    """Whole percents that hold the interval; a difference that may be next to nothing has no lower end."""
    judged = of_all({"": Comparison((low + high) / 2, low, high, 0.95, 8, more_ns=15.0)}, NOTHING, lambda rest: "")
    assert (judged.verdict, judged.condition, judged.needs) == (HOLDS_BUT, condition, ())


@pytest.mark.parametrize(("low", "high"), [(1.09, 1.31), (0.999, 1.12), (1.0, 1.2)])
def test_a_difference_that_may_be_nothing_or_large_is_undecided(low: float, high: float) -> None:
    with pytest.raises(Undecided) as reason:
        of_all({"": Comparison(1.1, low, high, 0.95, 8, reads=("a", "b"))}, NOTHING, lambda rest: "")
    assert reason.value.needs == ("a", "b")


def test_a_small_difference_of_all_needs_no_wider_intervals() -> None:
    """Each comparison alone could refute it, so nothing is told of a single comparison."""

    def slight(low: float, high: float) -> Comparison:
        wider = Comparison(1.1, 0.9, 1.4, 0.99, 8, confidence=0.99)
        return Comparison(1.1, low, high, 0.95, 8, apart=wider, more_ns=1.0)

    for judge, condition in ((of_all, "only by 3 to 24 %"), (of_none, "it costs more by 3 to 24 %")):
        judged = judge({"glibc": slight(1.03, 1.2), "jemalloc": slight(1.05, 1.24)}, NOTHING, lambda rest: "")
        assert (judged.verdict, judged.condition, judged.needs) == (HOLDS_BUT, condition, ())


def test_a_small_difference_beside_others_is_told_with_the_interval_that_is_judged() -> None:
    slightly = Comparison(1.1, 1.05, 1.15, 0.95, 8, apart=Comparison(1.1, 1.02, 1.19, 0.99, 8, confidence=0.99))
    more, no_more = (Comparison(ratio, ratio, ratio, 0.99, 8) for ratio in (2.0, 1.0))
    judged = of_all({"glibc": more, "tbbmalloc": slightly}, NOTHING, lambda rest: "")
    assert (judged.verdict, judged.condition) == (HOLDS_BUT, "only by 2 to 19 % for tbbmalloc")
    judged = of_none({"a frame": no_more, "a value": slightly}, NOTHING, lambda rest: "")
    assert (judged.verdict, judged.condition) == (HOLDS_BUT, "a value costs more by 2 to 19 %")


def test_a_comparison_that_alone_shows_what_the_others_show_is_not_measured_further() -> None:
    """While all comparisons may still show the same, only those that show nothing are needed."""

    def compared(name: str, low: float, high: float) -> Comparison:
        wider = Comparison(1.0, low - 0.2, high + 0.2, 0.99, 8, confidence=0.99)
        return Comparison(1.0, low, high, 0.95, 8, apart=wider, reads=(name,))

    none, nothing, more = compared("no more", 0.9, 1.05), compared("nothing", 0.9, 1.2), compared("more", 1.2, 1.4)
    for ratios, needs in (
        ({"a": none, "b": nothing}, ("nothing",)), ({"a": more, "b": nothing}, ("nothing",)),
        ({"a": none, "b": more}, ("no more", "more")),
        ({"a": none, "b": nothing, "c": more}, ("no more", "nothing", "more")),
    ):  # fmt: skip
        with pytest.raises(Undecided) as reason:
            of_all(ratios, NOTHING, lambda rest: "")
        assert reason.value.needs == needs


def test_a_small_difference_that_may_be_large_is_undecided(tmp_path: Path) -> None:
    judged = verdict_of("stack-costs-at-start", make_run(tmp_path, starts_of(1.1), noise=spread(0.3)))
    assert judged.verdict == UNDECIDED
    assert judged.needs == tuple(f"thread_start/fresh_stack/bytes:{size}/touch:none/core:starter" for size in (4096, 1024))


@pytest.mark.parametrize("ratio", [0.9, 1.0, 1.05, 1.09, 1.1, 1.11, 1.15, 1.2, 1.3])
def test_an_interval_of_less_than_a_tenth_always_decides(tmp_path: Path, ratio: float) -> None:
    judged = verdict_of("stack-costs-at-start", make_run(tmp_path, starts_of(ratio), noise=spread(0.05)))
    assert judged.verdict not in claims.OPEN, judged.details


def test_what_differs_between_mallocs_needs_wider_intervals_than_what_they_have_in_common(tmp_path: Path) -> None:
    """Five against five processes cannot tell seven comparisons apart, but can show the same of all seven."""
    names = synthetic.names_of(7)
    alike = scoped("all", stack_array={8: 2}, **{name: {8: 20} for name in names})
    walks = {f"list_walk/{name}/heap:{heap}": 10.0 for name in names for heap in ("empty", "aged")}
    aged = {**walks, **{f"list_walk/{name}/heap:aged": 20.0 for name in names}}
    assert verdict_of("heap-ages", make_run(tmp_path, {**alike, **aged}, mallocs=7)).verdict == HOLDS
    partly = {**aged, "list_walk/glibc/heap:aged": 10.0}
    judged = verdict_of("heap-ages", make_run(tmp_path, {**alike, **partly}, mallocs=7))
    assert judged.verdict == UNDECIDED and len(judged.needs) == 14
    judged = verdict_of("heap-ages", make_run(tmp_path, {**alike, **partly}, mallocs=7, processes=6))
    assert (judged.verdict, judged.condition) == (HOLDS_BUT, "not for glibc")


def test_a_verdict_names_what_it_leaves_open(tmp_path: Path) -> None:
    figures = {f"list_walk/{name}/heap:{heap}": 10.0 for name in synthetic.names_of(3) for heap in ("empty", "aged")}
    figures["list_walk/glibc/heap:aged"] = 30.0
    noise = spread(0.4)
    judged = verdict_of(
        "heap-ages", make_run(tmp_path, figures, mallocs=3, noise=lambda name, process: noise(name, process)
                              if "jemalloc" in name else 1.0)
    )  # fmt: skip
    assert (judged.verdict, judged.condition) == (HOLDS_BUT, "not for mimalloc; undecided for jemalloc")
    assert judged.needs == ("list_walk/jemalloc/heap:aged", "list_walk/jemalloc/heap:empty")


def test_a_comparison_that_the_question_puts_last_needs_no_wider_interval(tmp_path: Path) -> None:
    """Five processes cannot tell four levels apart, but the farthest comes first: the closer the data, the less a jump costs."""
    sizes = (16 << 10, 512 << 10, 8 << 20, 64 << 20)

    def judged(*at_random: float, noise: Noise = a_little) -> claims.ClaimVerdict:
        figures = {f"chase/bytes:{size}/order:random/home:heap": ns for size, ns in zip(sizes, at_random)}
        figures |= {f"chase/bytes:{size}/order:sequential/home:heap": 1.5 for size in sizes}
        return verdict_of("jumping-costs", make_run(tmp_path, figures, noise=noise))

    first = judged(1.5, 5.0, 20.0, 100.0)
    assert (first.verdict, first.condition) == (HOLDS_BUT, "only beyond 16 KiB"), first.details
    second = judged(1.5, 1.5, 20.0, 100.0)  # the smallest is not judged, because a larger set shows no more
    assert (second.verdict, second.condition) == (HOLDS_BUT, "only beyond 512 KiB")
    assert (judged(5.0, 5.0, 20.0, 1.5).verdict, judged(5.0, 9.0, 20.0, 100.0).verdict) == (DOES_NOT_HOLD, HOLDS)
    slightly = judged(1.65, 5.0, 20.0, 100.0)
    assert (slightly.verdict, slightly.condition) == (HOLDS_BUT, "only by 9 to 11 % (0.15\u00a0ns) for 16 KiB")
    wide = judged(2.0, 5.0, 20.0, 100.0, noise=lambda name, process: a_lot(name, process) if ":16384" in name else 1.0)
    assert wide.verdict == UNDECIDED
    assert wide.needs == tuple(f"chase/bytes:16384/order:{order}/home:heap" for order in ("random", "sequential"))


def test_the_estimate_that_is_shown_is_the_estimate_that_is_judged(tmp_path: Path) -> None:
    """The control is most of all figures, so the text states differences. The verdict is theirs, not that of the ratios."""
    names = ("scoped/glibc/bytes:64/touch:first", "scoped/stack_array/bytes:64/touch:first")

    def judged(**ns: float) -> tuple[claims.ClaimVerdict, Run]:
        figures = scoped("first", **{name: {64: price} for name, price in ns.items()})
        run = make_run(tmp_path, figures, noise=lambda name, process: 1 + 0.03 * (process % 3))
        return verdict_of("stack-is-faster", run), run

    for malloc in (10.0, 10.5, 11.0, 11.5, 12.0, 13.0):
        of_claim, run = judged(none=9.9, stack_array=10.0, glibc=malloc)
        above, below = (run.by_name[name] for name in names)
        shown = estimate_difference(above.times, below.times)
        assert f"glibc {relative(shown)}" in of_claim.details
        bound = (MATTERS - 1) * median(below.times)
        expected = HOLDS if shown.low > bound else DOES_NOT_HOLD if shown.high <= bound else None
        assert expected is None or of_claim.verdict == expected, of_claim
        assert expected or of_claim.verdict in (UNDECIDED, HOLDS_BUT), of_claim


def test_what_differs_between_processes_does_not_matter_by_turns(tmp_path: Path) -> None:
    """Every process has its own speed, by up to 16 times; within each, the heap costs the same or 1.3 times as much."""
    name = "chase/bytes:16384/order:random/homes:stack_and_heap"

    def judged(heap: float, processes: int = 8) -> claims.ClaimVerdict:
        rows = []
        for process in range(processes):
            stack_ns = 2.0 ** (process % 5)
            counted = {"stack_ns": stack_ns, "heap_ns": stack_ns * heap * (1 + 0.005 * process)}
            rows.append({**synthetic.row(name, stack_ns, counted), "repetition_index": process})
        document = {"context": synthetic.context(synthetic.names_of(2), 2), "benchmarks": rows}
        write_json(tmp_path / "run.json", document)
        return verdict_of("heap-access-slower", read_run(tmp_path / "run.json"))

    assert judged(1.0).verdict == DOES_NOT_HOLD
    assert judged(1.3).verdict == HOLDS and "chasing 16 KiB 1.3" in judged(1.3).details
    assert judged(1.3, 5).verdict == UNDECIDED and judged(1.3, 5).needs == (name,)


def test_a_run_with_more_looks_needs_more_at_each(tmp_path: Path) -> None:
    figures = {**starts_of(1.3)}
    noise = spread(0.18)  # decided by an interval of 95 %, and not by an interval of 99 %
    run = make_run(tmp_path, figures, noise=noise)
    assert verdict_of("stack-costs-at-start", run).verdict not in claims.OPEN
    document = json.loads((tmp_path / "run.json").read_text())
    document["context"]["suite"] = {"complete": True, "processes_planned": 5, "looks": [5, 10, 20, 40]}
    write_json(tmp_path / "run.json", document)
    judged = verdict_of("stack-costs-at-start", read_run(tmp_path / "run.json"))
    assert judged.verdict == UNDECIDED and judged.needs


def contending(tmp_path: Path, processes: int = 10, **grown: float) -> claims.ClaimVerdict:
    """By family and malloc: how many times the time of one thread the time of two is; 0: it scatters by 16 times."""
    figures = {
        f"{family}/{name}{life}/threads:{threads}": 10.0 * (threads > 1 and grown.get(f"{family}_{name}") or 1.0)
        for family, life in (("private", ""), ("larson", "/life:500000"))
        for name in ("none", *synthetic.names_of(2))
        for threads in (1, 2)
    }

    def noise(name: str, process: int) -> float:
        family, malloc = name.split("/")[:2]
        two = name.endswith(":2")
        scatters = two and grown.get(f"{family}_{malloc}") == 0.0
        return a_lot(name, process % 5) if scatters else 1 + (0.004 if two else 0.002) * process

    return verdict_of("shared-heap-contends", make_run(tmp_path, figures, processes, noise))


def test_a_malloc_that_contends_slightly_is_named(tmp_path: Path) -> None:
    """A growth beyond the control's is a share of it, so that it has no time."""
    judged = contending(tmp_path, private_glibc=1.1, private_mimalloc=1.5)
    assert (judged.verdict, judged.condition) == (HOLDS_BUT, "only by 9 to 11 % for glibc"), judged.details
    judged = contending(tmp_path, larson_mimalloc=1.1)
    assert (judged.verdict, judged.condition) == (HOLDS_BUT, "not for glibc; only by 9 to 11 % for mimalloc")


def test_a_malloc_that_may_contend_in_two_families_is_measured_further_in_both(tmp_path: Path) -> None:
    judged = contending(tmp_path, private_glibc=0.0, larson_glibc=0.0)
    assert judged.verdict == UNDECIDED
    assert set(judged.needs) == {
        f"{family}/{name}{life}/threads:{threads}"
        for family, life in (("private", ""), ("larson", "/life:500000"))
        for name in ("none", "glibc")
        for threads in (1, 2)
    }
    judged = contending(tmp_path, private_glibc=0.0)
    assert judged.verdict == UNDECIDED and not any(name.startswith("larson") for name in judged.needs)
    judged = contending(tmp_path, private_glibc=0.0, larson_glibc=1.9)  # it contends, whatever it does in private
    assert judged.verdict == HOLDS_BUT and not judged.needs and judged.condition == "not for mimalloc"


def test_a_single_core_gives_no_verdict_on_threads(tmp_path: Path) -> None:
    run = make_run(tmp_path, {**CASES["own-stack"][HOLDS], **CASES["shared-heap-contends"][HOLDS]}, cores=1)
    for claim_id in ("own-stack", "shared-heap-contends"):
        assert verdict_of(claim_id, run).verdict == NOT_MEASURED


def test_a_claim_names_the_default_malloc_that_has_no_time(tmp_path: Path) -> None:
    figures = scoped("first", stack_array={64: 2}, glibc={64: 0}, mimalloc={64: 2})
    judged_claim = verdict_of("stack-is-faster", make_run(tmp_path, figures))
    assert judged_claim.verdict == NOT_MEASURED
    assert judged_claim.gist == "The run has no time of scoped/glibc/bytes:64/touch:first (its time is not positive)."


def test_a_sentence_names_the_mallocs_and_the_ratios(tmp_path: Path) -> None:
    figures = scoped("first", stack_array={64: 2}, glibc={64: 20}, mimalloc={64: 2})
    judged_claim = verdict_of("stack-is-faster", make_run(tmp_path, figures, noise=lambda *_: 1.0))
    assert judged_claim.details == "64 bytes take 2.0\u00a0ns on the stack; relative to that: glibc 10.0 times, mimalloc 1.00 times."
    assert judged_claim.condition == "not for mimalloc"


def test_a_stack_without_a_limit_is_not_small(tmp_path: Path) -> None:
    judged_claim = verdict_of("stack-is-small", make_run(tmp_path, ends_of(1e6, 1e9, 1e7, unlimited=1.0)))
    assert judged_claim.verdict == DOES_NOT_HOLD and "at least" in judged_claim.details


def test_a_heap_may_end_with_the_memory_in_other_ways(tmp_path: Path) -> None:
    def judged(figures: Figures) -> claims.ClaimVerdict:
        return verdict_of("heap-ends-with-memory", make_run(tmp_path, figures))

    written = judged(grants(ended=True, glibc=1e12, mimalloc=1e13))
    assert (written.verdict, written.condition) == (HOLDS_BUT, "only when it is written to: every malloc grants more")
    other_limit = judged(grants(glibc=1e7, mimalloc=9e7))
    assert (other_limit.verdict, other_limit.condition) == (HOLDS_BUT, "glibc refuses even half of it")
    stopped = {"granted_bytes": 5e7, "present_bytes": 1e8, "at_least": 1.0}
    assert judged({**grants(mimalloc=1e8), "heap_limit/glibc/limit:granted": stopped}).verdict == UNDECIDED
    before = {"granted_bytes": 5e7, "at_least": 1.0}
    assert judged({"heap_limit/glibc/limit:granted": before}).verdict == NOT_MEASURED


def test_a_struct_that_is_passed_in_two_ways_leaves_the_claim_open(tmp_path: Path) -> None:
    run = make_run(tmp_path, CASES["arguments-on-stack"][HOLDS_BUT])
    document = json.loads((tmp_path / "run.json").read_text())
    next(row for row in document["benchmarks"] if row.get("on_stack"))["on_stack"] = 0.0
    write_json(tmp_path / "run.json", document)
    assert verdict_of("arguments-on-stack", run).verdict == HOLDS_BUT
    assert verdict_of("arguments-on-stack", read_run(tmp_path / "run.json")).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        ({HOLDS: 11, HOLDS_BUT: 14, DOES_NOT_HOLD: 4}, "11 hold here, 14 with a condition and 4 do not"),
        ({HOLDS: 1, DOES_NOT_HOLD: 1, UNDECIDED: 1, NOT_MEASURED: 2}, "1 holds here, 1 does not and 3 have no verdict"),
        ({HOLDS_BUT: 1, NOT_MEASURED: 1}, "1 holds with a condition and 1 has no verdict"),
        ({DOES_NOT_HOLD: 2}, "2 do not hold"),
    ],
)
def test_the_verdicts_are_counted_in_a_sentence(tmp_path: Path, verdicts: Mapping[str, int], sentence: str) -> None:
    known = verdict_of("strings-on-heap", make_run(tmp_path, CASES["strings-on-heap"][HOLDS]))
    judged = [replace(known, verdict=verdict) for verdict, number in verdicts.items() for _ in range(number)]
    assert claims.counted(judged) == f"Of {len(judged)} claims about stack and heap, {sentence}"


def test_the_command_prints_all_claims_or_the_chosen_claims(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path, CASES["strings-on-heap"][HOLDS_BUT])
    file = str(tmp_path / "run.json")
    assert command.main([file]) == 0
    everything = capsys.readouterr().out
    assert "only from 16 characters on" in everything
    assert everything.splitlines()[-1] == f"holds, but: 1; not measured: {len(claims.CLAIMS) - 1}"
    assert max(map(len, everything.splitlines())) <= 100
    assert command.main([file, "--claim", "strings-on-heap"]) == 0
    without = capsys.readouterr().out
    assert without.splitlines()[-1] == "holds, but: 1" and "relative to that" not in without
    assert command.main([file, "--claim", "strings-on-heap", "--details"]) == 0
    assert "relative to that" in capsys.readouterr().out


def test_a_run_without_a_claim_that_can_be_judged_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path, {"layout/array_of_structs/count:9/fields:one": 1.0})
    assert command.main([str(tmp_path / "run.json")]) == 2
    output = capsys.readouterr()
    assert "no claim can be judged; stack-is-faster, for example: The run has no " in output.err
    assert output.err.count("\n") == 1 and not output.out
    make_run(tmp_path, CASES["strings-on-heap"][HOLDS_BUT])
    assert command.main([str(tmp_path / "run.json"), "--claim", "stack-is-faster"]) == 2


def test_the_command_refuses_a_file_that_is_not_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"context": {}, "benchmarks": []}))
    assert command.main([str(tmp_path / "run.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_claim_about_recorded_programs_counts_all_their_blocks(tmp_path: Path) -> None:
    def row(blocks: float, share: float) -> Mapping[str, float]:
        return {"allocations": blocks, "stack_like_share": share}

    shares = {"perl": row(3000, 0.999), "git": row(1000, 0.09), "empty": row(0, 0.0)}
    figures = {f"replay/none/recording:{name}": counted for name, counted in shares.items()}
    judged = verdict_of("heap-outlives", make_run(tmp_path, figures, processes=1))  # shares that are counted need no more
    assert (judged.verdict, judged.condition) == (HOLDS_BUT, "not for perl")
    assert judged.details.replace("\u00a0", " ") == (
        "Of the blocks of 2 recorded programs, 9 % (git) to over 99 % (perl) die last in, first out, as on a stack; "
        "of all 4,000 blocks 77 %."
    )


def test_two_cycles_are_few_and_three_are_not() -> None:
    def of_cycles(count: float) -> Benchmark:
        samples = tuple(Sample(process, count, {"cycles": count}) for process in range(8))
        return Benchmark(BenchmarkName.parse("pass/type:int/how:copy"), samples)

    assert few_cycles_apart(of_cycles(11.5), of_cycles(10.0))
    assert not few_cycles_apart(of_cycles(13.0), of_cycles(10.0))


def test_what_costs_less_is_told_with_an_interval_of_the_same_sign() -> None:
    assert relative(Difference(-0.45, -0.51, -0.39, 0.95, 10)) == "0.45 ns less (0.39 to 0.51 ns)"
    assert relative(Difference(0.45, 0.39, 0.51, 0.95, 10)) == "0.45 ns more (0.39 to 0.51 ns)"
    assert relative(Difference(0.45, 0.45, 0.45, 0.0, 1)) == "0.45 ns more"
