"""Are the verdicts on claims right as often as they say, when a run stops as soon as its claims are decided?

`scripts/evaluate --claims` simulates 1,000 runs of every kind; these tests simulate fewer, of the kinds that err most.
"""

from __future__ import annotations

import pytest

from suite.claims import verdict
from suite.commands import evaluate
from suite.selfcheck import claim_error_rates as rates
from suite.stats import looks
from suite.stats.distributions import beta_point

RUNS, SEED = 500, 7
WRONG = 0.03  # of verdicts at most
# Wrong verdicts that chance explains: more have a probability of 1e-6 (Clopper and Pearson). The seed is fixed.
MOST = next(wrong for wrong in range(RUNS) if WRONG <= beta_point(1e-6, wrong + 1, RUNS - wrong))
KINDS = [
    ("just more", "10 %"), ("just no more", "10 %"), ("just slightly more", "skewed"), ("just not slightly", "outliers"),
    ("1.15 times", "outliers"), ("five just more", "3 %"), ("five just no more", "10 %"),
    ("five just not slightly", "10 %"), ("four twice, one just no more", "3 %"),
    ("four 1.15 times, one just not slightly", "10 %"),
]  # fmt: skip


@pytest.mark.parametrize("design", rates.DESIGNS, ids=lambda design: str(design.name))
@pytest.mark.parametrize(("truth", "noise"), KINDS)
def test_few_verdicts_are_wrong_at_every_bound(truth: str, noise: str, design: rates.Design) -> None:
    rate = rates.error_rate(truth, noise, design, RUNS, SEED)
    assert rate.wrong <= MOST, rate


@pytest.mark.parametrize("truth", ["just more", "slightly more", "the same", "twice", "four twice, one just no more"])
def test_no_truth_stays_undecided_where_the_noise_is_small(truth: str) -> None:
    for design in rates.DESIGNS:
        rate = rates.error_rate(truth, "3 %", design, RUNS, SEED)
        assert rate.undecided == 0 and rate.processes <= 80, rate


def test_a_slight_difference_is_wrong_where_its_interval_does_not_hold_the_truth() -> None:
    design = rates.DESIGNS[0]

    def is_wrong(*truths: float, apart: bool) -> bool:
        slight = verdict.Comparison(1.1, 1.05, 1.25, 0.99, 8)
        compared = {str(number): slight for number in range(len(truths))}
        if apart:
            compared["0"] = verdict.Comparison(2.0, 1.9, 2.1, 0.99, 8)
        judged = design.judge(compared)
        assert judged.verdict == verdict.HOLDS_BUT
        return design.is_wrong(judged, compared, truths)

    assert not is_wrong(1.06, 1.24, apart=False) and not is_wrong(2.0, 1.24, apart=True)
    assert is_wrong(1.04, 1.24, apart=False) and is_wrong(1.06, 1.26, apart=False)
    assert is_wrong(2.0, 1.04, apart=True) and is_wrong(2.0, 1.26, apart=True) and is_wrong(1.1, 1.2, apart=True)


def test_looks_that_share_nothing_are_wrong_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulation notices a rule that looks again and again with intervals of 95 %."""
    monkeypatch.setattr(looks, "SPENT", (2.0,) * 5)
    monkeypatch.setattr(verdict, "SLIGHT", verdict.MATTERS)  # only a difference beyond the bound ends the run
    rate = rates.error_rate("just no more", "10 %", rates.DESIGNS[0], RUNS, SEED)
    assert rate.wrong > MOST, rate


def test_the_command_prints_a_table_with_its_seed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "TRUTHS", {name: rates.TRUTHS[name] for name in ("twice", "the same")})
    assert evaluate.main(["--claims", "3", "--seed", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "seed 5" and "| processes apart | twice | 3 % | 0.0% | 0.0% |" in lines[4]
    assert lines[-1].startswith("Of 3 runs of each kind, at most ")


@pytest.mark.parametrize("more", [["--quick"], ["--record"], ["--write", "docs/statistics.md"], ["--minutes", "3"]])
def test_claims_are_simulated_not_recorded(capsys: pytest.CaptureFixture[str], more: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        evaluate.main(["--claims", *more])
    assert refused.value.code == 2 and "--claims goes with --seed alone" in capsys.readouterr().err
