"""How often does the gate err? False positives and power of each rule on turns with known slowdowns, and their table.

A rule judges suites. For this project's rule, a suite is as many recorded turns as the rule may use, drawn without
repetition as blocks of consecutive turns: the noise that a turn's benchmarks share stays together, and so does the
drift from turn to turn (subsampling: Politis and Romano, Annals of Statistics 22, 1994). With replacement, a pair would
count as evidence twice. For the other rules, a suite is two whole runs, from one turn or from two consecutive turns.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from suite.base import phrases
from suite.base.blocks import BLOCK, OPENING
from suite.base.errors import BadInput
from suite.gate import sequential_test
from suite.gate.comparison import WORSE
from suite.gate.pairs_file import Pair
from suite.gate.sequential_test import Rule
from suite.results.model import CORE_SHARE, Sample
from suite.selfcheck.gate_recording import (
    CONDITIONS,
    NOISY,
    QUIET,
    REPETITIONS,
    SAME_ON_BOTH_SIDES,
    SLOWDOWNS,
    Recording,
    Repetitions,
    Turn,
)
from suite.selfcheck.other_tools import OTHER_RULES, OtherRule
from suite.stats.estimates import median, robust_deviation

PLANTED = tuple(percent for percent in SLOWDOWNS if percent != SAME_ON_BOTH_SIDES)
SUITES = 336  # more than the 300 that the goals need; each of 14 benchmarks has each slowdown 24 times
RUN_SUITES = 60  # at most, for the other rules: more suites would come from the same few runs
BLOCK_TURNS = 5
STAGES = 2  # of the rule, each of up to rule.most_pairs pairs: suspicion and confirmation
LEAST_HISTORY = 5  # runs before a tool that looks back judges
BLOCK_NAME = "evaluation"


@dataclass(frozen=True)
class Tally:
    """The number of hits in a number of trials."""

    hits: int = 0
    trials: int = 0

    def plus(self, hits: int, trials: int = 1) -> Tally:
        return Tally(self.hits + hits, self.trials + trials)

    @property
    def share(self) -> float:
        return self.hits / self.trials if self.trials else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Clopper and Pearson, which covers at least 95 %."""
        exact = binomtest(self.hits, self.trials).proportion_ci(method="exact") if self.trials else None
        return (exact.low, exact.high) if exact else (0.0, 1.0)


@dataclass
class Score:
    """The verdicts of a rule in one condition, counted."""

    rule: str
    condition: str
    comparisons: Tally = Tally()  # of a benchmark with itself: hits are called slower
    suites: Tally = Tally()  # of a program with itself: hits have a benchmark that is called slower
    detections: dict[tuple[int, str], Tally] = field(default_factory=dict)  # by slowdown and benchmark

    def detected(self, percent: int) -> Tally:
        tallies = [tally for (slower, _), tally in self.detections.items() if slower == percent]
        return Tally(sum(tally.hits for tally in tallies), sum(tally.trials for tally in tallies))

    def count_itself(self, flagged: int, benchmarks: int) -> None:
        self.comparisons = self.comparisons.plus(flagged, benchmarks)
        self.suites = self.suites.plus(bool(flagged))

    def count_planted(self, percent: int, name: str, detected: bool) -> None:
        self.detections[percent, name] = self.detections.get((percent, name), Tally()).plus(detected)


# ---- this project's rule


@dataclass(frozen=True)
class PairedRule:
    """The rule of scripts/compare, on time or on another figure of a process."""

    name: str
    figure: Callable[[Sample], float | None]
    rule: Rule


PAIRED_RULES = (
    PairedRule("**this project's**", lambda sample: sample.ns, Rule()),
    PairedRule("the same, in cycles", lambda sample: sample.cycles, Rule()),
    PairedRule("the same, 20 pairs at most", lambda sample: sample.ns, Rule(extended=False)),
    PairedRule("the same, 10 pairs at most", lambda sample: sample.ns, Rule(pairs=10, extended=False)),
)
THE_RULE, IN_CYCLES, WITHIN_20, _ = (paired_rule.name for paired_rule in PAIRED_RULES)
LEAST_TURNS = STAGES * min(paired_rule.rule.most_pairs for paired_rule in PAIRED_RULES)


def draw_turns(turns: int, number: int, draw: random.Random, block: int = BLOCK_TURNS) -> list[int]:
    """Draws this many turns without repetition, as blocks of consecutive turns; all turns if there are fewer."""
    start = draw.randrange(block)
    blocks = [range(max(0, first), min(turns, first + block)) for first in range(start - block, turns, block)]
    draw.shuffle(blocks)
    return [index for turn_block in blocks for index in turn_block][:number]


def score_paired(
    recording: Recording, condition: str, paired_rule: PairedRule, seed: int, suites: int = SUITES
) -> Score | None:
    """Counts the rule's verdicts. In each planted suite, a single benchmark has each slowdown; the others stay.

    None where the figure is missing in a process.
    """
    turns = recording.turns[condition]
    names = recording.benchmarks
    series = {percent: {name: _series(turns, percent, name, paired_rule) for name in names} for percent in SLOWDOWNS}
    if any(benchmark_series is None for by_name in series.values() for benchmark_series in by_name.values()):
        return None
    draw = random.Random(f"{seed} {condition}")
    result = Score(paired_rule.name, condition)
    unchanged = series[SAME_ON_BOTH_SIDES]
    distance = max(1, len(recording.benchmarks) // len(PLANTED))
    for number in range(suites):
        turn_numbers = draw_turns(len(turns), STAGES * paired_rule.rule.most_pairs, draw)
        result.count_itself(len(_worse(unchanged, turn_numbers, paired_rule)), len(recording.benchmarks))
        slowed = {
            recording.benchmarks[(number + i * distance) % len(recording.benchmarks)]: p for i, p in enumerate(PLANTED)
        }
        worse = _worse(
            unchanged | {name: series[percent][name] for name, percent in slowed.items()}, turn_numbers, paired_rule
        )
        for name, percent in slowed.items():
            result.count_planted(percent, name, name in worse)
    return result


@dataclass(frozen=True)
class _PairedSeries:
    """A benchmark's pairs in all turns, and their log ratios."""

    pairs: tuple[Pair, ...]
    logs: tuple[float, ...]


def _series(turns: Sequence[Turn], percent: int, name: str, paired_rule: PairedRule) -> _PairedSeries | None:
    pairs = tuple(turn.pairs[percent][name] for turn in turns)
    figures = [(paired_rule.figure(pair.old), paired_rule.figure(pair.new)) for pair in pairs]
    logs = tuple(math.log(new / old) for old, new in figures if old and new)
    return _PairedSeries(pairs, logs) if len(logs) == len(pairs) else None


def _worse(
    series: Mapping[str, _PairedSeries | None], turn_numbers: Sequence[int], paired_rule: PairedRule
) -> set[str]:
    """The benchmarks that the rule calls worse, without the bimodal benchmarks."""
    complete = {name: paired_series for name, paired_series in series.items() if paired_series is not None}
    decided = sequential_test.group_sequential_test(
        {name: [paired_series.logs[i] for i in turn_numbers] for name, paired_series in complete.items()},
        paired_rule.rule,
    )
    suspects = {
        name: [complete[name].pairs[i] for i in turn_numbers]
        for name, decision in decided.items()
        if decision.verdict == WORSE
    }
    judgements = sequential_test.judge_pairs(suspects, paired_rule.rule) if suspects else {}
    return {name for name in suspects if not judgements[name].quarantined}


# ---- the rules of others


_TwoRuns = tuple[Repetitions, Repetitions, list[Repetitions]]  # old, new, and the old side's runs before


def score_other(recording: Recording, condition: str, other_rule: OtherRule, seed: int) -> Score:
    """Counts the rule's verdicts on two runs that are close together in time."""
    draw = random.Random(f"{seed} {condition}")  # the same suites for every rule
    result = Score(other_rule.name, condition)
    turns = [turn for turn in recording.turns[condition] if turn.runs[SAME_ON_BOTH_SIDES]]
    for old, new, before in _some(_plain_runs(turns), draw):
        flagged = [
            other_rule.slower(old[name], new[name], [earlier[name] for earlier in before])
            for name in recording.benchmarks
        ]
        result.count_itself(sum(flagged), len(flagged))
    for percent in PLANTED:
        for old, new, before in _some(_planted_runs(turns, percent), draw):
            for name in recording.benchmarks:
                detected = other_rule.slower(old[name], new[name], [earlier[name] for earlier in before])
                result.count_planted(percent, name, detected)
    return result


def _some(suites: Iterable[_TwoRuns], draw: random.Random) -> list[_TwoRuns]:
    all_suites = list(suites)
    return draw.sample(all_suites, min(RUN_SUITES, len(all_suites)))


def _plain_runs(turns: Sequence[Turn]) -> Iterator[_TwoRuns]:
    plain = [(number, run) for number, turn in enumerate(turns) for run in turn.runs[SAME_ON_BOTH_SIDES]]
    for index, (new_turn, new) in enumerate(plain):
        before = [run for _, run in plain[:index]]
        for old_turn, old in plain[:index] if len(before) >= LEAST_HISTORY else ():
            if new_turn - old_turn <= 1:
                yield old, new, before


def _planted_runs(turns: Sequence[Turn], percent: int) -> Iterator[_TwoRuns]:
    before: list[Repetitions] = []
    last: tuple[Repetitions, ...] = ()
    for turn in turns:
        own_runs = turn.runs[SAME_ON_BOTH_SIDES]
        before = [*before, *own_runs]
        for old in (*last, *own_runs) if len(before) >= LEAST_HISTORY else ():
            for new in turn.runs[percent]:
                yield old, new, before
        last = own_runs


# ---- the evaluation


@dataclass(frozen=True)
class Evaluation:
    """The score of every rule in every condition."""

    recording: Recording
    seed: int
    suites: int
    scores: tuple[Score, ...]

    def get(self, name: str, condition: str) -> Score | None:
        return next((score for score in self.scores if (score.rule, score.condition) == (name, condition)), None)


RuleObserver = Callable[[int, int], None]  # gets the number of rules that are done, and of all rules


def evaluate(recording: Recording, seed: int, suites: int = SUITES, watch: RuleObserver | None = None) -> Evaluation:
    """Scores every rule, on all cores. Raises BadInput for too few turns."""
    least = min(len(turns) for turns in recording.turns.values())
    if least < LEAST_TURNS:
        raise BadInput(f"the recording has {least} turns of a condition, but needs at least {LEAST_TURNS}")
    tasks = [(condition, number) for condition in CONDITIONS for number in range(len(PAIRED_RULES) + len(OTHER_RULES))]
    with ProcessPoolExecutor() as pool:
        futures = [pool.submit(_score, recording, condition, number, seed, suites) for condition, number in tasks]
        for done, _ in enumerate(as_completed(futures), 1):
            if watch is not None:
                watch(done, len(tasks))
    scores = [future.result() for future in futures]
    return Evaluation(recording, seed, suites, tuple(score for score in scores if score is not None))


def _score(recording: Recording, condition: str, number: int, seed: int, suites: int) -> Score | None:
    if number < len(PAIRED_RULES):
        return score_paired(recording, condition, PAIRED_RULES[number], seed, suites)
    return score_other(recording, condition, OTHER_RULES[number - len(PAIRED_RULES)], seed)


# ---- the table


def table(evaluation: Evaluation) -> str:
    """The whole evaluation as Markdown."""
    parts = [_made_from(evaluation), _goals(evaluation)]
    parts += [f"### {condition.capitalize()}\n\n{_rules(evaluation, condition)}" for condition in CONDITIONS]
    parts += [f"### Where slowdowns are missed\n\n{_benchmarks(evaluation)}", _sources()]
    return "\n\n".join(parts)


def _made_from(evaluation: Evaluation) -> str:
    recording = evaluation.recording
    turns = {condition: len(turns) for condition, turns in recording.turns.items()}
    runs = {condition: sum(len(turn.runs[0]) for turn in turns) for condition, turns in recording.turns.items()}
    rule = PAIRED_RULES[0].rule
    slowdowns = phrases.joined([f"{percent} %" for percent in PLANTED])
    return (
        f"Recorded {recording.facts.get('date', 'on an unknown day')} on "
        f"{recording.facts.get('topology', 'an unknown machine')}; "
        f"counters: {recording.facts.get('counters', 'unknown')}. {len(recording.benchmarks)} benchmarks; "
        f"{turns[QUIET]} quiet turns, {turns[NOISY]} beside the neighbour; each turn has a pair of processes of each benchmark without a "
        f"slowdown and with each of {slowdowns}. Seed of the recording {recording.seed}, of the resampling "
        f"{evaluation.seed}. {evaluation.suites} suites of this project's rule are resampled from the turns, up to "
        f"{STAGES * rule.most_pairs} turns each ({rule.pairs} pairs to suspect, {rule.most_pairs} where these leave it open, and as many fresh pairs to "
        f"confirm); in a suite with slowdowns, one benchmark has each slowdown and the others have no slowdown. Suites "
        f"share turns, so the intervals (95 %, Clopper and Pearson) are too narrow. The other rules get runs of one "
        f"process and {REPETITIONS} repetitions each: {runs[QUIET]} quiet runs, {runs[NOISY]} noisy runs."
    )


def _rules(evaluation: Evaluation, condition: str) -> str:
    head = "| rule | A/A comparisons flagged | A/A suites with a flag |" + "".join(f" {p} % found |" for p in PLANTED)
    lines = [head, "|---|--:|--:|" + "--:|" * len(PLANTED)]
    for score in (score for score in evaluation.scores if score.condition == condition):
        cells = (score.comparisons, score.suites, *(score.detected(percent) for percent in PLANTED))
        lines.append(f"| {score.rule} | {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines)


def _cell(counted: Tally) -> str:
    if not counted.trials:
        return "not tested"
    low, high = counted.interval
    return f"{_percent(counted.share)} ({_percent(low, unit='')}-{_percent(high)})"


def _percent(share: float, unit: str = " %") -> str:
    value = 100 * share
    return f"{value:.1f}{unit}" if 0.0 < value < 10.0 or 90.0 < value < 100.0 else f"{value:.0f}{unit}"


def _goals(evaluation: Evaluation) -> str:
    counted = "cycles" in evaluation.recording.facts.get("counters", "")
    lines = ["| goal | target | measured | reached |", "|---|--:|--:|---|"]
    goals = [
        ("A/A suites flagged", QUIET, (THE_RULE,), 0, 0.01),
        ("5 % slowdown found within 20 pairs", QUIET, (WITHIN_20,), 5, 0.99),
        ("5 % slowdown found, with more pairs where it is noisy", QUIET, (THE_RULE,), 5, 0.99),
        ("2 % slowdown found, by time or cycles", QUIET, (THE_RULE, IN_CYCLES), 2, 0.90),
        ("1 % slowdown found, by cycles", QUIET, (IN_CYCLES,) if counted else (), 1, 0.90),
        ("A/A suites flagged beside the neighbour", NOISY, (THE_RULE,), 0, 0.01),
        ("5 % slowdown found beside the neighbour", NOISY, (THE_RULE,), 5, 0.95),
    ]
    for words, condition, rules, percent, goal in goals:
        scores = [score for name in rules if (score := evaluation.get(name, condition)) is not None]
        tallies = [score.suites if percent == SAME_ON_BOTH_SIDES else score.detected(percent) for score in scores]
        sign = "under" if percent == SAME_ON_BOTH_SIDES else "at least"
        if not tallies:
            lines.append(f"| {words} | {sign} {_percent(goal)} | | not measurable: this machine has no counters |")
            continue
        best = max(tallies, key=lambda tally: tally.share)
        if percent == SAME_ON_BOTH_SIDES:
            verdict = _reached(best.share < goal, best.interval[1] < goal, best.share - goal)
        else:
            verdict = _reached(best.share >= goal, best.interval[0] >= goal, goal - best.share)
        lines.append(f"| {words} | {sign} {_percent(goal)} | {_cell(best)} | {verdict} |")
    return "\n".join(lines) + f"\n\n{_planted(evaluation.recording)}"


def _planted(recording: Recording) -> str:
    """The size of the slowdowns as measured: they are extra work, so the machine decides how long they take."""
    came_to = (
        f"{percent} % came to {100 * math.expm1(median(_middle(recording, QUIET, percent))):.1f} % quiet and "
        f"{100 * math.expm1(median(_middle(recording, NOISY, percent))):.1f} % beside the neighbour"
        for percent in PLANTED
    )
    return f"In the median benchmark, {'; '.join(came_to)}."


def _middle(recording: Recording, condition: str, percent: int) -> list[float]:
    """The median log ratio of each benchmark."""
    return [median(_logs(recording, condition, percent, name)) for name in recording.benchmarks]


def _reached(in_figure: bool, in_interval: bool, missed_by: float) -> str:
    if not in_figure:
        return f"no, missed by {100 * missed_by:.1f} points"
    return "yes" if in_interval else "yes, but the interval reaches beyond the goal"


def _benchmarks(evaluation: Evaluation) -> str:
    """The spread of each benchmark's pairs, the size of the planted slowdowns as measured, and how many were found."""
    heads = [f"{condition}: spread of a pair | {' | '.join(f'{p} %' for p in PLANTED)}" for condition in CONDITIONS]
    lines = [f"| benchmark | {' | '.join(heads)} |", "|---|" + "--:|" * (len(CONDITIONS) * (1 + len(PLANTED)))]
    for name in evaluation.recording.benchmarks:
        cells = []
        for condition in CONDITIONS:
            cells.append(
                f"{100 * robust_deviation(_logs(evaluation.recording, condition, SAME_ON_BOTH_SIDES, name)):.1f} %"
            )
            score = evaluation.get(THE_RULE, condition)
            for percent in PLANTED:
                came_to = 100 * math.expm1(median(_logs(evaluation.recording, condition, percent, name)))
                tally = score.detections.get((percent, name), Tally()) if score else Tally()
                cells.append(f"{came_to:+.1f} %: {_percent(tally.share) if tally.trials else 'not tested'}")
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    words = (
        "The spread is the robust standard deviation of new over old when nothing was changed (1.4826 times the median "
        "absolute deviation). Under each planted slowdown: its actual size in the median of all its pairs, and "
        "how often this project's rule found it. The delays were measured on the quiet machine: where "
        "the neighbour slows the benchmark itself down, the same delay is a smaller share of its time."
    )
    return "\n".join(lines) + f"\n\n{words}\n\n{_why(evaluation)} {_luck(evaluation.recording)}"


def _logs(recording: Recording, condition: str, percent: int, name: str) -> list[float]:
    pairs = (turn.pairs[percent][name] for turn in recording.turns[condition])
    return [math.log(pair.new.ns / pair.old.ns) for pair in pairs]


def _why(evaluation: Evaluation) -> str:
    """The benchmarks in which slowdowns of 5 % were missed, and their spread."""
    sentences = []
    for condition in CONDITIONS:
        score = evaluation.get(THE_RULE, condition)
        detections = score.detections if score else {}
        missed = {name: tally.trials - tally.hits for (percent, name), tally in detections.items() if percent == 5}
        total = sum(missed.values())
        if not total:
            sentences.append(f"{condition.capitalize()}: no slowdown of 5 % was missed.")
            continue
        worst = sorted((name for name in missed if missed[name]), key=lambda name: -missed[name])[:3]
        spreads = {name: robust_deviation(_logs(evaluation.recording, condition, 0, name)) for name in worst}
        benchmarks = phrases.joined(
            [f"`{name}` ({missed[name]}, spread {100 * spreads[name]:.1f} %)" for name in worst]
        )
        share = sum(missed[name] for name in worst) / total
        sentences.append(
            f"{condition.capitalize()}: {total} slowdowns of 5 % were missed, {_percent(share)} of them in {benchmarks}."
        )
    return " ".join(sentences)


def _luck(recording: Recording) -> str:
    """How far quiet processes of the unchanged program differ, and whether the clock does."""
    samples = {
        name: [sample for turn in recording.turns[QUIET] for sample in _both(turn.pairs[SAME_ON_BOTH_SIDES][name])]
        for name in recording.benchmarks
    }
    width = {name: _width([sample.ns for sample in benchmark_samples]) for name, benchmark_samples in samples.items()}
    least, most = min(width, key=lambda name: width[name]), max(width, key=lambda name: width[name])
    counted = [sample.counters for benchmark_samples in samples.values() for sample in benchmark_samples]
    widths = [
        f"; {label} timed beside, by {_width(values):.2f} times"
        for label, key in (
            ("an addition", "ns_per_addition"),
            ("eight independent additions", CORE_SHARE),
        )
        if (values := [counters[key] for counters in counted if key in counters])
    ]
    return (
        f"Between quiet processes of the unchanged program, the time varies from the 5th percentile to the 95th by "
        f"{width[least]:.2f} times in `{least}` and by {width[most]:.2f} times in `{most}`{''.join(widths)}. Where "
        "the independent additions vary far more than the dependent additions, other threads probably share the "
        "physical core: a virtual machine does not show them."
    )


def _both(pair: Pair) -> tuple[Sample, Sample]:
    return pair.old, pair.new


def _width(values: Sequence[float]) -> float:
    low, high = np.quantile(values, (0.05, 0.95))
    return float(high / low)


def _sources() -> str:
    return (
        "Sources of the other rules: "
        + "; ".join(f"{other_rule.name}: {other_rule.source}" for other_rule in OTHER_RULES)
        + "."
    )


# ---- in a page


def filled(path: Path, block: str) -> tuple[str, bool]:
    """The page with its generated block replaced, and whether that changed it. Raises BadInput, OSError."""
    page = path.read_text(encoding="utf-8")
    matches = [match for match in BLOCK.finditer(page) if match["name"] == BLOCK_NAME]
    if len(matches) != 1:
        raise BadInput(
            f"{path} has no block, or several, that begin with {OPENING} {BLOCK_NAME} --> and end with <!-- end -->"
        )
    start, end = matches[0].span("text")
    return f"{page[:start]}{block}\n{page[end:]}", matches[0]["text"] != f"{block}\n"
