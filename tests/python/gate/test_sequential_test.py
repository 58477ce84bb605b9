"""Does the group-sequential test find real changes only? Planted changes, simulated suites, a broken rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.gate import sequential_test
from suite.gate.comparison import (
    BETTER,
    CANNOT_JUDGE,
    IN_PAIRS,
    NOT_JUDGED,
    NOTHING_WORSE,
    SAME,
    SOMETHING_WORSE,
    UNDECIDED,
    WORSE,
    Comparison,
    Judgement,
)
from suite.gate.pairs_file import Pair, Side
from suite.gate.sequential_test import (
    THRESHOLD,
    Rule,
    cut_short,
    group_sequential_test,
    judge_pairs,
    pairs_needed,
    without_ratio,
)
from suite.results.model import Sample
from suite.stats import paired_tests
from suite.stats.estimates import estimate_shift
from suite.stats.paired_tests import signed_rank
from support.declarations import COUNTED

MOST = 80  # pairs: two stages of forty
Noise = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Noise]


def quiet(draw: np.random.Generator, n: int) -> Noise:
    """Log ratios of pairs on a quiet machine: a spread of 0.5 %, and ten times as much for one pair in twenty."""
    return np.asarray(draw.normal(0.0, 0.005, n) * np.where(draw.random(n) < 0.05, 10.0, 1.0))


def disturbed(draw: np.random.Generator, n: int) -> Noise:
    """Log ratios beside a neighbour: a spread of 1.4 %, and three times as much for a quarter of the pairs."""
    return np.asarray(draw.normal(0.0, 0.014, n) * np.where(draw.random(n) < 0.27, 3.0, 1.0))


def cauchy(draw: np.random.Generator, n: int) -> Noise:
    """Log ratios without a finite variance, on which tests of means fail."""
    return np.asarray(0.01 * draw.standard_cauchy(n))


def suite_of(
    draw: np.random.Generator, noise: Draw, number: int, slow: float = 0.0, slowed: int = 0
) -> dict[str, list[float]]:
    return {f"b{i}": (noise(draw, MOST) + (math.log1p(slow) if i < slowed else 0.0)).tolist() for i in range(number)}


def failing(noise: Draw, suites: int, seed: int, rule: Rule = Rule(), number: int = 14) -> int:
    """The number of suites that fail, of this many comparisons of a program with itself."""
    draw = np.random.default_rng(seed)
    outcomes = (group_sequential_test(suite_of(draw, noise, number), rule) for _ in range(suites))
    return sum(any(decision.verdict == WORSE for decision in decided.values()) for decided in outcomes)


def finding(noise: Draw, slow: float, suites: int, seed: int, number: int = 14) -> float:
    """The share of suites in which the slow benchmark is called worse."""
    draw = np.random.default_rng(seed)
    return (
        sum(group_sequential_test(suite_of(draw, noise, number, slow, 1))["b0"].verdict == WORSE for _ in range(suites))
        / suites
    )


# ---- how often it errs, and how much it finds


@pytest.mark.slow
@pytest.mark.parametrize("noise", (quiet, disturbed, cauchy))
def test_a_thing_against_itself_hardly_ever_fails(noise: Draw) -> None:
    assert failing(noise, suites=300, seed=11) <= 2


@pytest.mark.slow
def test_interim_analyses_do_not_raise_the_false_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Single benchmarks, one test, no threshold, no confirmation: only the interim analyses remain, at 5 %."""
    monkeypatch.setattr(sequential_test, "paired_p_values", signed_rank)
    bare = Rule(threshold=1e-9, suspicion=0.05, confirmation=1.0)
    alarms = failing(quiet, suites=3000, seed=12, rule=bare, number=1)
    assert alarms / 3000 < 0.05  # standard error 0.4 %
    assert alarms / 3000 > 0.02  # and the level is used


@pytest.mark.slow
def test_a_slowdown_is_found() -> None:
    assert finding(quiet, 0.02, suites=150, seed=13) >= 0.98
    assert finding(quiet, 0.01, suites=150, seed=14) >= 0.93
    assert finding(disturbed, 0.02, suites=100, seed=15) >= 0.9


def test_a_change_below_the_threshold_is_not_worse() -> None:
    assert finding(quiet, 0.002, suites=150, seed=16) <= 0.02


def test_a_change_as_large_as_the_threshold_is_often_missed() -> None:
    """Its estimate is as often below the threshold as above it, and it must be above in both stages."""
    assert 0.15 <= finding(quiet, THRESHOLD, suites=150, seed=24) <= 0.6


def test_same_is_rare_for_a_change_as_large_as_the_threshold() -> None:
    draw = np.random.default_rng(17)
    suites = [group_sequential_test(suite_of(draw, quiet, 20, slow=THRESHOLD, slowed=20)) for _ in range(50)]
    same = sum(decision.verdict == SAME for decided in suites for decision in decided.values())
    assert same / 1000 <= 0.055


def test_most_of_a_thing_against_itself_is_same() -> None:
    decided = group_sequential_test(suite_of(np.random.default_rng(18), quiet, 100))
    assert sum(decision.verdict == SAME for decision in decided.values()) > 75


def test_few_benchmarks_are_called_worse_without_being_worse() -> None:
    """Half of the suite is slower by 5 %: few of the benchmarks that are called worse are not."""
    draw = np.random.default_rng(19)
    suites = [group_sequential_test(suite_of(draw, disturbed, 20, 0.05, 10)) for _ in range(40)]
    worse = [name for decided in suites for name, decision in decided.items() if decision.verdict == WORSE]
    false = sum(int(name[1:]) >= 10 for name in worse)
    assert len(worse) > 250 and false <= 0.05 * len(worse)


# ---- single cases

UP = [0.05 + 0.0001 * i for i in range(MOST)]  # slower by 5 % in every pair
DOWN = [-log for log in UP]
NOTHING = [0.0004 * (-1) ** i * (1 + i / 100) for i in range(MOST)]
NOISE = [0.2 * (-1) ** i * (1 + i / 100) for i in range(MOST)]


def verdict_of(logs: Sequence[float], rule: Rule = Rule()) -> str:
    return group_sequential_test({"b": logs}, rule)["b"].verdict


def test_the_four_verdicts() -> None:
    assert [verdict_of(logs) for logs in (UP, DOWN, NOTHING, NOISE)] == [WORSE, BETTER, SAME, UNDECIDED]


def test_a_change_without_evidence_is_not_the_same() -> None:
    assert verdict_of(UP, Rule(suspicion=1e-12)) == UNDECIDED
    assert verdict_of(DOWN, Rule(improvement=1e-12)) == UNDECIDED


def test_the_sign_is_new_over_old() -> None:
    decided = group_sequential_test({"b": UP})["b"]
    assert decided.ratio.median > 1.04 and decided.ratio.low > 1.04


def test_worse_rests_on_fresh_pairs_alone() -> None:
    decided = group_sequential_test({"b": UP})["b"]
    assert (decided.pairs, decided.pairs_needed) == (range(10, 20), 0)
    assert decided.suspicion is not None and decided.suspicion.n == 10
    exaggerated = group_sequential_test({"b": [0.5] * 10 + UP[10:]})["b"]
    assert exaggerated.verdict == WORSE and exaggerated.ratio.median < 1.06


def test_an_unconfirmed_suspicion_does_not_fail() -> None:
    for rest, verdict in ((NOISE, UNDECIDED), (NOTHING, SAME), (DOWN, UNDECIDED), ([], UNDECIDED)):
        decided = group_sequential_test({"b": UP[:10] + list(rest[:20])})["b"]
        assert decided.verdict == verdict
        assert decided.suspicion is not None


def test_many_benchmarks_need_more_evidence() -> None:
    """Ten pairs, one of them in the other direction: enough for a single benchmark, not among two hundred."""
    almost = UP[:9] + [-0.01]
    assert group_sequential_test({"b": almost}, over=True)["b"].suspicion is not None
    crowd = {f"b{i}": NOTHING[:10] for i in range(200)}
    assert group_sequential_test({**crowd, "b": almost}, over=True)["b"].suspicion is None


def test_an_effect_below_the_threshold_does_not_fail_however_sure() -> None:
    half_of_it = [THRESHOLD / 2 + 0.00001 * i for i in range(MOST)]
    less = 0.3 * THRESHOLD
    assert verdict_of(half_of_it) == SAME
    assert verdict_of(half_of_it, Rule(threshold=less)) == WORSE
    assert verdict_of(half_of_it, Rule(thresholds={"b": less})) == WORSE
    assert verdict_of(half_of_it, Rule(thresholds={"other": less})) == SAME


def test_a_few_pairs_do_not_decide() -> None:
    for n in range(1, 10):
        assert verdict_of(UP[:n]) == verdict_of(DOWN[:n]) == verdict_of([0.0] * n) == NOT_JUDGED
    assert verdict_of(UP[:5], Rule(pairs=10)) != NOT_JUDGED == verdict_of(UP[:4], Rule(pairs=10))
    assert verdict_of([0.0] * 10) == SAME


def test_a_run_that_ends_between_two_analyses_is_analysed() -> None:
    between = group_sequential_test({"b": NOISE[:10] + UP[:4]})["b"]
    assert (between.verdict, between.ratio.n) == (UNDECIDED, 14)


def test_suspects_can_be_confirmed_while_others_are_undecided() -> None:
    logs = {"b": UP[:10], "other": NOISE[:10]}
    confirming = group_sequential_test(logs, over=False, confirming=True)
    assert (confirming["b"].pairs_needed, confirming["other"].pairs_needed) == (20, 15)
    assert confirming["b"].suspicion is not None and confirming["other"].suspicion is None
    ended = group_sequential_test({**logs, "b": UP[:20]})
    assert (ended["b"].verdict, ended["other"].verdict) == (WORSE, UNDECIDED)


def test_pairs_are_needed_analysis_by_analysis() -> None:
    def wanted_after(logs: Sequence[float], others: Sequence[float]) -> tuple[int, int]:
        decided = group_sequential_test({"b": logs, "other": others}, over=False)
        return decided["b"].pairs_needed, decided["other"].pairs_needed

    assert wanted_after(NOISE[:9], NOISE[:10]) == (10, 10)
    assert wanted_after(NOISE[:10], NOISE[:10]) == (15, 15)
    assert wanted_after(NOTHING[:10], NOISE[:10]) == (0, 15)
    assert wanted_after(UP[:10], NOISE[:15]) == (0, 20)  # confirmation begins when all others are decided
    assert wanted_after(UP[:10], NOISE[:20]) == (0, 40)
    assert wanted_after(UP[:10], NOISE[:40]) == (20, 0)
    assert wanted_after(UP[:10] + NOISE[:10], NOISE[:40]) == (25, 0)
    assert wanted_after(UP[:10] + NOISE[:20], NOISE[:40]) == (50, 0)
    assert wanted_after(UP[:20], NOISE[:40]) == (0, 0)


def test_the_number_of_pairs_sets_the_looks() -> None:
    assert Rule().interim_analyses == (10, 15, 20, 40)
    assert Rule(pairs=12).interim_analyses == (6, 9, 12, 24)
    assert Rule(pairs=40, extended=False).interim_analyses == (20, 30, 40)
    assert group_sequential_test({"b": NOISE}, Rule(pairs=40, extended=False))["b"].ratio.n == 40


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.floats(-1, 1), min_size=1, max_size=MOST), min_size=1, max_size=4), st.booleans())
def test_a_mirrored_comparison_has_mirrored_ratios(logs: list[list[float]], over: bool) -> None:
    """No input breaks the rule: each benchmark gets exactly one of the verdicts, or needs more pairs."""
    decided = group_sequential_test({str(i): values for i, values in enumerate(logs)}, over=over)
    assert all(decision.verdict in (WORSE, BETTER, SAME, UNDECIDED, NOT_JUDGED) for decision in decided.values())
    assert over <= all(decision.pairs_needed == 0 for decision in decided.values())
    forth, back = estimate_shift(logs[0]), estimate_shift([-log for log in logs[0]])
    assert forth.median == pytest.approx(-back.median, abs=1e-12) and forth.low == pytest.approx(-back.high, abs=1e-12)


# ---- the rule broken: each part is needed


def mutations() -> dict[str, Callable[[pytest.MonkeyPatch], None]]:
    def flip(patch: pytest.MonkeyPatch) -> None:
        original = paired_tests.paired_p_values
        patch.setattr(sequential_test, "paired_p_values", lambda values: original(-values))

    def no_correction(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(sequential_test, "significant", lambda p_values, level: [p <= level for p in p_values])

    def no_spending(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(sequential_test, "ALPHA_SPENT", (1.0, 1.0, 1.0))

    return {"flip": flip, "no_correction": no_correction, "no_spending": no_spending}


def test_without_the_right_sign_no_slowdown_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    mutations()["flip"](monkeypatch)
    assert verdict_of(UP) != WORSE


def test_without_benjamini_hochberg_suspects_abound(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = suite_of(np.random.default_rng(21), quiet, 300)
    bare = Rule(threshold=1e-9)
    few = sum(decision.suspicion is not None for decision in group_sequential_test(suite, bare).values())
    mutations()["no_correction"](monkeypatch)
    many = sum(decision.suspicion is not None for decision in group_sequential_test(suite, bare).values())
    assert few <= 5 and many > 15


@pytest.mark.slow
def test_without_confirmation_a_thing_against_itself_fails() -> None:
    careless = Rule(threshold=1e-9, confirmation=1.0)
    assert failing(disturbed, suites=100, seed=22, rule=careless) >= 4
    assert failing(disturbed, suites=100, seed=22, rule=Rule(threshold=1e-9)) <= 2


def test_without_alpha_spending_looking_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = Rule(threshold=1e-9, suspicion=0.05, confirmation=1.0)
    mutations()["no_spending"](monkeypatch)
    monkeypatch.setattr(sequential_test, "paired_p_values", signed_rank)
    assert failing(quiet, suites=1500, seed=12, rule=bare, number=1) / 1500 > 0.06


def test_without_a_threshold_a_small_change_fails() -> None:
    draw = np.random.default_rng(23)
    suites = [suite_of(draw, quiet, 5, slow=0.6 * THRESHOLD, slowed=5) for _ in range(40)]

    def worse(rule: Rule) -> int:
        return sum(
            decision.verdict == WORSE for suite in suites for decision in group_sequential_test(suite, rule).values()
        )

    assert worse(Rule(threshold=1e-9)) > 20 and worse(Rule()) <= 5


# ---- from pairs to judgements


def pairs_of(ratio: float, n: int = MOST, old: float = 20.0, **counters: tuple[float, float]) -> list[Pair]:
    return [
        Pair(
            Sample(i, old * (1 + 0.0001 * i), {key: values[0] for key, values in counters.items()}),
            Sample(i, old * ratio * (1 + 0.0001 * (i % 7)), {key: values[1] for key, values in counters.items()}),
            old_first=i % 2 == 0,
        )
        for i in range(n)
    ]


def test_a_judgement_has_time_cycles_and_instructions() -> None:
    judgement = judge_pairs({"b": pairs_of(1.05, cycles=(40, 42), instructions=(100, 101))})["b"]
    assert (judgement.verdict, judgement.unit, judgement.threshold) == (WORSE, "ns", THRESHOLD)
    assert judgement.old_ns == pytest.approx(20, rel=0.01) and judgement.new_ns == pytest.approx(21, rel=0.01)
    assert judgement.others["cycles"].median == pytest.approx(1.05)
    assert judgement.others["instructions"].median == pytest.approx(1.01)
    assert judgement.notes == ()


def test_cycles_come_from_the_addition_without_a_counter() -> None:
    judgement = judge_pairs({"b": pairs_of(1.05, ns_per_addition=(0.25, 0.26))})["b"]
    assert set(judgement.others) == {"cycles"}
    assert judgement.others["cycles"].median == pytest.approx(1.05 * 0.25 / 0.26, rel=0.005)
    assert judge_pairs({"b": pairs_of(1.05)})["b"].others == {}


def test_more_time_for_the_same_instructions_is_suspected_to_be_layout() -> None:
    assert any(
        "layout suspect" in note for note in judge_pairs({"b": pairs_of(1.05, instructions=(100, 100))})["b"].notes
    )
    assert judge_pairs({"b": pairs_of(1.0, instructions=(100, 100))})["b"].notes == ()
    assert judge_pairs({"b": pairs_of(0.9, instructions=(100, 100))})["b"].notes == ()


def test_a_bimodal_side_is_quarantined() -> None:
    def jumping(i: int, pair: Pair) -> Pair:
        return replace(pair, new=replace(pair.new, ns=pair.new.ns * (1.5 if i % 2 else 1.0)))

    humped = [jumping(i, pair) for i, pair in enumerate(pairs_of(1.2))]  # it would be worse if it were not bimodal
    for n in (10, 20, 40):
        judgement = judge_pairs({"b": humped[:n]})["b"]
        assert judgement.quarantined and judgement.verdict == UNDECIDED
        assert "bimodal on the new side" in judgement.notes[0]


def test_a_jump_of_the_clock_is_not_bimodal() -> None:
    """Both sides of a pair jump; the ratio does not."""
    jumped = [
        replace(pair, old=replace(pair.old, ns=pair.old.ns * factor), new=replace(pair.new, ns=pair.new.ns * factor))
        for i, pair in enumerate(pairs_of(1.0))
        for factor in (1.5 if i > 6 else 1.0,)
    ]
    judgement = judge_pairs({"b": jumped})["b"]
    assert (judgement.quarantined, judgement.verdict) == (False, SAME)


def test_outliers_are_not_bimodal() -> None:
    draw = np.random.default_rng(24)

    def noisy() -> list[Pair]:
        factors = np.exp(np.stack([quiet(draw, 20), quiet(draw, 20)]))
        return [Pair(Sample(i, 20 * a, {}), Sample(i, 20 * b, {}), True) for i, (a, b) in enumerate(factors.T)]

    assert sum(judge_pairs({"b": noisy()})["b"].quarantined for _ in range(300)) <= 3


def test_families_that_report_in_counters_are_judged_by_them() -> None:
    pairs = {"latency/glibc/bytes:64/op:malloc": pairs_of(1.0, typical=(20, 20.0), p99=(50, 60))}
    judgements = judge_pairs(pairs, declared=COUNTED)
    assert {key.partition(" ")[2]: judgement.verdict for key, judgement in judgements.items()} == {
        "typical": SAME,
        "p99": WORSE,
    }
    lenient = Rule(thresholds={"latency/glibc/bytes:64/op:malloc": 0.3})
    assert {judgement.verdict for judgement in judge_pairs(pairs, lenient, declared=COUNTED).values()} == {SAME}
    less = judge_pairs({"stack_limit/stack:main/frame:64": pairs_of(1.0, frames=(1000, 900))}, declared=COUNTED)
    assert [judgement.verdict for judgement in less.values()] == [WORSE]


def test_a_benchmark_without_a_ratio_is_reported_and_not_judged() -> None:
    nothing = Pair(Sample(0, 0.0, {}), Sample(0, 1.0, {}), True)
    broken = {"overhead/none/bytes:8": pairs_of(1.0), "b": pairs_of(1.0), "c": [nothing]}
    assert set(judge_pairs(broken, declared=COUNTED)) == {"b"}
    assert [line.partition(":")[0] for line in without_ratio(broken, COUNTED)] == ["overhead/none/bytes", "c"]


def test_an_unsettled_suspicion_is_reported_until_all_pairs_are_measured() -> None:
    def sentences(fresh: int, rule: Rule = Rule()) -> list[str]:
        logs = UP[:10] + NOISE[:fresh]
        measured = [Pair(Sample(i, 20.0, {}), Sample(i, 20.0 * math.exp(log), {}), True) for i, log in enumerate(logs)]
        return cut_short({"b": measured}, rule)

    for fresh in (0, 9, 20, 39):
        (line,) = sentences(fresh)
        assert line.startswith("b: seemed worse by +5.") and f"after {fresh} fresh pairs" in line
    assert sentences(40) == sentences(20, Rule(extended=False)) == []
    assert cut_short({"b": pairs_of(1.0)}) == []


def test_needed_pairs_are_counted_by_benchmark() -> None:
    few = {"b": pairs_of(1.0, n=3), "latency/glibc/bytes:64/op:malloc": pairs_of(1.0, n=3, typical=(1, 1), p99=(2, 2))}
    assert pairs_needed(few, declared=COUNTED) == dict.fromkeys(few, 10)


# ---- exit codes


def comparison_of(*verdicts: str, **more: object) -> Comparison:
    ratio = group_sequential_test({"b": NOTHING})["b"].ratio
    judgements = tuple(Judgement(f"b{i}", verdict, ratio, 0.01, 1.0, 1.0) for i, verdict in enumerate(verdicts))
    return replace(Comparison(IN_PAIRS, Side("a"), Side("b"), judgements), **more)


def test_exit_codes() -> None:
    assert comparison_of(SAME, BETTER, UNDECIDED).exit_code() == NOTHING_WORSE
    assert comparison_of(SAME, BETTER, UNDECIDED).exit_code(strict=True) == CANNOT_JUDGE
    assert comparison_of(SAME, WORSE).exit_code() == SOMETHING_WORSE
    assert comparison_of(SAME, WORSE, UNDECIDED).exit_code(strict=True) == SOMETHING_WORSE
    assert comparison_of(SAME, problems=("gone",)).exit_code() == CANNOT_JUDGE
    assert comparison_of(SAME, trusted=False).exit_code() == CANNOT_JUDGE
    quarantined = replace(comparison_of(WORSE).judgements[0], quarantined=True)
    assert replace(comparison_of(), judgements=(quarantined,)).exit_code() == CANNOT_JUDGE
    counted = comparison_of(SAME).judgements
    assert replace(comparison_of(), judgements=(quarantined, *counted)).exit_code() == NOTHING_WORSE
    assert comparison_of().exit_code() == CANNOT_JUDGE
    assert comparison_of(SAME, NOT_JUDGED).exit_code() == comparison_of(WORSE, NOT_JUDGED).exit_code() == CANNOT_JUDGE
    assert replace(comparison_of(), judgements=(quarantined,)).exit_code(strict=True) == CANNOT_JUDGE
