"""How often does the gate err? False positives and power of each rule on turns with known slowdowns, and their table.

A rule judges suites. For this project's rule, a suite is as many recorded turns as the rule may use, drawn without
repetition as blocks of consecutive turns: the noise that a turn's benchmarks share stays together, and so does the
drift from turn to turn (subsampling: Politis and Romano, Annals of Statistics 22, 1994). With replacement, a pair would
count as evidence twice. For the other rules, a suite is two whole runs, from one turn or from two consecutive turns.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Optional, TypeVar

from suite.base import phrases
from suite.base.blocks import BLOCK, OPENING
from suite.base.errors import BadInput
from suite.gate import sequential_test, two_files
from suite.gate.comparison import WORSE
from suite.gate.pairs_file import CYCLES, NS, Pair
from suite.gate.sequential_test import THRESHOLD, Rule
from suite.results.model import CORE_SHARE, Account, Benchmark, BenchmarkName, Run, Sample
from suite.selfcheck.gate_recording import (
    CONDITIONS,
    CORE,
    MULTIPLICATIONS,
    NOISY,
    PLANTED,
    QUIET,
    REPETITIONS,
    SAME_ON_BOTH_SIDES,
    SLOWDOWNS,
    Recording,
    Repetitions,
    Turn,
)
from suite.selfcheck.other_tools import OTHER_RULES, OtherRule
from suite.stats.arrays import Floats, np
from suite.stats.distributions import beta_point
from suite.stats.estimates import median, robust_deviation

PERCENTS = tuple(percent for percent in SLOWDOWNS if percent != SAME_ON_BOTH_SIDES)
MOVED = tuple(dict.fromkeys((100 * THRESHOLD, *PERCENTS)))  # percent by which pairs without a slowdown are moved
[SLOWER_MALLOC] = (number for number in MULTIPLICATIONS if number != SAME_ON_BOTH_SIDES)
SUITES = 1000  # without a false alarm, the interval then ends at 0.37 %
RUN_SUITES = 60  # at most, for the other rules: more suites would come from the same few runs
BLOCK_TURNS = 5
STAGES = 2  # of the rule, each of up to rule.most_pairs pairs: suspicion and confirmation
LEAST_HISTORY = 5  # runs before a tool that looks back judges
CAME_TO = 0.1  # a planted slowdown may come to a tenth less or more
ERRORS = 3.0  # standard errors of a median that may lie between it and what is expected
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
        low = beta_point(0.025, self.hits, self.trials - self.hits + 1) if self.hits else 0.0
        high = beta_point(0.975, self.hits + 1, self.trials - self.hits) if self.hits < self.trials else 1.0
        return low, high


Detections = dict[tuple[float, str], Tally]  # by slowdown and benchmark


@dataclass
class Score:
    """The verdicts of a rule in one condition, counted."""

    rule: str
    condition: str
    comparisons: Tally = Tally()  # of a benchmark with itself: hits are called slower
    suites: Tally = Tally()  # of a program with itself: hits have a benchmark that is called slower
    detections: Detections = field(default_factory=dict)
    moved: Detections = field(default_factory=dict)  # in pairs without a slowdown that were moved by exactly this
    slower_suites: Tally = Tally()  # whose every benchmark is slower: hits have a benchmark that is called slower
    seconds: float = math.nan  # that a benchmark without a slowdown is measured until it is decided, in the mean

    def detected(self, percent: float) -> Tally:
        return _total(self.detections, percent)

    def detected_moved(self, percent: float) -> Tally:
        return _total(self.moved, percent)

    def count_itself(self, flagged: int, benchmarks: int) -> None:
        self.comparisons = self.comparisons.plus(flagged, benchmarks)
        self.suites = self.suites.plus(bool(flagged))


def _total(detections: Detections, percent: float) -> Tally:
    tallies = [tally for (slower, _), tally in detections.items() if slower == percent]
    return Tally(sum(tally.hits for tally in tallies), sum(tally.trials for tally in tallies))


def _count(detections: Detections, percent: float, name: str, detected: bool) -> None:
    detections[percent, name] = detections.get((percent, name), Tally()).plus(detected)


# ---- this project's rule


@dataclass(frozen=True)
class PairedRule:
    """The rule of scripts/compare for pairs, on time or on another figure."""

    name: str
    figure: str
    rule: Rule


PAIRED_RULES = (
    PairedRule("**this project's**", NS, Rule()),
    PairedRule("the same, in cycles", CYCLES, Rule()),
    PairedRule("the same, 20 pairs at most", NS, Rule(extended=False)),
    PairedRule("the same, 10 pairs at most", NS, Rule(pairs=10, extended=False)),
)
THE_RULE, IN_CYCLES, *_ = (paired_rule.name for paired_rule in PAIRED_RULES)
CORE_SET = "the core set"
TWO_FILES = f"this project's, two result files of {two_files.FEWEST_PROCESSES} processes"
LEAST_TURNS = STAGES * min(paired_rule.rule.most_pairs for paired_rule in PAIRED_RULES)


def draw_turns(turns: int, number: int, draw: random.Random, block: int = BLOCK_TURNS) -> list[int]:
    """Draws this many turns without repetition, as blocks of consecutive turns; all turns if there are fewer."""
    start = draw.randrange(block)
    blocks = [range(max(0, first), min(turns, first + block)) for first in range(start - block, turns, block)]
    draw.shuffle(blocks)
    return [index for turn_block in blocks for index in turn_block][:number]


@dataclass(frozen=True)
class _PairedSeries:
    """A benchmark's pairs, and their log ratios."""

    pairs: tuple[Pair, ...]
    logs: Floats

    def taken(self, turn_numbers: Sequence[int]) -> _PairedSeries:
        return _PairedSeries(tuple(self.pairs[i] for i in turn_numbers), self.logs[turn_numbers])

    def moved(self, percent: float) -> _PairedSeries:
        return _PairedSeries(self.pairs, self.logs + math.log1p(percent / 100))


def _series(
    turns: Sequence[Turn], key: str, slowdown: int, names: Sequence[str], figure: str
) -> dict[str, _PairedSeries]:
    """By benchmark; a benchmark whose figure is missing in a pair is left out."""
    by_name = {}
    for name in names:
        pairs = tuple(turn.pairs[key][slowdown][name] for turn in turns)
        logs = [log for pair in pairs if (log := pair.log_ratio(figure)) is not None]
        if len(logs) == len(pairs):
            by_name[name] = _PairedSeries(pairs, np.array(logs))
    return by_name


@dataclass(frozen=True)
class _Verdicts:
    """What the rule says of a suite."""

    worse: frozenset[str]  # without the bimodal benchmarks
    pairs: Mapping[str, int]  # that each benchmark needed


def _judge(series: Mapping[str, _PairedSeries], rule: Rule) -> _Verdicts:
    decided = sequential_test.group_sequential_test({name: drawn.logs.tolist() for name, drawn in series.items()}, rule)
    suspects = {name: series[name].pairs for name, decision in decided.items() if decision.verdict == WORSE}
    judgements = sequential_test.judge_pairs(suspects, rule) if suspects else {}
    worse = frozenset(name for name in suspects if not judgements[name].quarantined)
    return _Verdicts(worse, {name: decision.pairs.stop for name, decision in decided.items()})


def score_paired(
    recording: Recording, condition: str, paired_rule: PairedRule, seed: int, suites: int = SUITES
) -> Score | None:
    """Counts the rule's verdicts on the planted slowdowns. In each suite with slowdowns, a single benchmark has each of
    them, and the others stay. None where the figure is missing in a process."""
    turns, names = recording.turns[condition], recording.benchmarks[PLANTED]
    if paired_rule.figure == CYCLES and not counts_cycles(recording):
        return None
    series = {percent: _series(turns, PLANTED, percent, names, paired_rule.figure) for percent in SLOWDOWNS}
    if any(len(by_name) < len(names) for by_name in series.values()):
        return None
    draw = random.Random(f"{seed} {condition}")
    result, times = Score(paired_rule.name, condition), _Times(turns, PLANTED, names)
    for number in range(suites):
        turn_numbers = draw_turns(len(turns), STAGES * paired_rule.rule.most_pairs, draw)
        unchanged = {name: drawn.taken(turn_numbers) for name, drawn in series[SAME_ON_BOTH_SIDES].items()}
        verdicts = _judge(unchanged, paired_rule.rule)
        result.count_itself(len(verdicts.worse), len(names))
        times.include(verdicts, turn_numbers)
        planted = spread_over(names, PERCENTS, number)
        slowed = {name: series[percent][name].taken(turn_numbers) for name, percent in planted.items()}
        worse = _judge(unchanged | slowed, paired_rule.rule).worse
        for name, percent in planted.items():
            _count(result.detections, percent, name, name in worse)
        if paired_rule.name == THE_RULE:
            moves = spread_over(names, MOVED, number)
            moved = {name: unchanged[name].moved(percent) for name, percent in moves.items()}
            worse = _judge(unchanged | moved, paired_rule.rule).worse
            for name, size in moves.items():
                _count(result.moved, size, name, name in worse)
    result.seconds = times.mean
    return result


def score_core(recording: Recording, condition: str, seed: int, suites: int = SUITES) -> Score:
    """Counts the rule's verdicts on the core set: with the same malloc, and with the slower one in every benchmark."""
    turns, names, rule = recording.turns[condition], recording.benchmarks[CORE], Rule()
    series = {number: _series(turns, CORE, number, names, NS) for number in MULTIPLICATIONS}
    draw = random.Random(f"{seed} {condition}")
    result, times = Score(CORE_SET, condition), _Times(turns, CORE, names)
    for _ in range(suites):
        turn_numbers = draw_turns(len(turns), STAGES * rule.most_pairs, draw)
        unchanged, slower = (
            _judge({name: drawn.taken(turn_numbers) for name, drawn in by_name.items()}, rule)
            for by_name in series.values()
        )
        result.count_itself(len(unchanged.worse), len(names))
        times.include(unchanged, turn_numbers)
        result.slower_suites = result.slower_suites.plus(bool(slower.worse))
        for name in names:
            _count(result.detections, SLOWER_MALLOC, name, name in slower.worse)
    result.seconds = times.mean
    return result


class _Times:
    """How long benchmarks are measured until they are decided."""

    def __init__(self, turns: Sequence[Turn], key: str, names: Sequence[str]) -> None:
        self.seconds = {name: np.array([turn.seconds[key][name] for turn in turns]) for name in names}
        self.sum, self.number = 0.0, 0

    def include(self, verdicts: _Verdicts, turn_numbers: Sequence[int]) -> None:
        for name, pairs in verdicts.pairs.items():
            self.sum += float(np.sum(self.seconds[name][turn_numbers[:pairs]]))
            self.number += 1

    @property
    def mean(self) -> float:
        return self.sum / self.number if self.number else math.nan


Size = TypeVar("Size", int, float)


def spread_over(names: Sequence[str], sizes: Sequence[Size], number: int) -> dict[str, Size]:
    """The benchmark of a suite that gets each slowdown: every benchmark gets every slowdown equally often."""
    distance = max(1, len(names) // len(sizes))
    return {names[(number + i * distance) % len(names)]: size for i, size in enumerate(sizes)}


def counts_cycles(recording: Recording) -> bool:
    return CYCLES in recording.facts.get("counters", "")


# ---- two result files


def score_two_files(recording: Recording, condition: str, seed: int, suites: int = SUITES) -> Score:
    """Counts the verdicts on two result files: the processes of some turns against those of the turns after them."""
    turns, names = recording.turns[condition], recording.benchmarks[PLANTED]
    draw = random.Random(f"{seed} {condition}")
    result, processes = Score(TWO_FILES, condition), two_files.FEWEST_PROCESSES

    def file(first: int, percent: Mapping[str, int]) -> Run:
        """Of a pair without a slowdown either process, of a pair with one the slower process."""
        chosen = turns[first : first + processes]
        samples: dict[str, tuple[Sample, ...]] = {}
        for name in names:
            pairs = [turn.pairs[PLANTED][percent.get(name, SAME_ON_BOTH_SIDES)][name] for turn in chosen]
            news = [name in percent or draw.random() < 0.5 for _ in pairs]
            samples[name] = tuple(pair.new if is_new else pair.old for pair, is_new in zip(pairs, news))
        benchmarks = {name: Benchmark(BenchmarkName.parse(name), samples[name]) for name in names}
        return Run(Path("drawn"), {}, benchmarks, Account(True, processes))

    for number in range(suites):
        first = draw.randrange(len(turns) - 2 * processes + 1)
        base = file(first, {})
        flagged = two_files.compare(base, file(first + processes, {})).with_verdict(WORSE)
        result.count_itself(len(flagged), len(names))
        planted = spread_over(names, PERCENTS, number)
        compared = two_files.compare(base, file(first + processes, planted))
        worse = {judgement.name for judgement in compared.with_verdict(WORSE)}
        for name, percent in planted.items():
            _count(result.detections, percent, name, name in worse)
    return result


# ---- the rules of others


_TwoRuns = tuple[Repetitions, Repetitions, list[Repetitions]]  # old, new, and the old side's runs before


def score_other(recording: Recording, condition: str, other_rule: OtherRule, seed: int) -> Score:
    """Counts the rule's verdicts on two runs that are close together in time."""
    draw = random.Random(f"{seed} {condition}")  # the same suites for every rule
    result, names = Score(other_rule.name, condition), recording.benchmarks[PLANTED]
    turns = [turn for turn in recording.turns[condition] if turn.runs[SAME_ON_BOTH_SIDES]]
    for old, new, before in _some(_plain_runs(turns), draw):
        flagged = [other_rule.slower(old[name], new[name], [earlier[name] for earlier in before]) for name in names]
        result.count_itself(sum(flagged), len(flagged))
    for percent in PERCENTS:
        for old, new, before in _some(_planted_runs(turns, percent), draw):
            for name in names:
                detected = other_rule.slower(old[name], new[name], [earlier[name] for earlier in before])
                _count(result.detections, percent, name, detected)
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
_Scorer = Callable[[Recording, str, int, int], Optional[Score]]


def _scorers() -> list[_Scorer]:
    """A function for each line of a condition's scores, in the order of the table."""
    scorers: list[_Scorer] = [partial(_score_by, rule) for rule in PAIRED_RULES]
    scorers += [score_core, score_two_files]
    scorers += [partial(_score_by_other, other_rule) for other_rule in OTHER_RULES]
    return scorers


def _score_by(rule: PairedRule, recording: Recording, condition: str, seed: int, suites: int) -> Score | None:
    return score_paired(recording, condition, rule, seed, suites)


def _score_by_other(rule: OtherRule, recording: Recording, condition: str, seed: int, _: int) -> Score:
    return score_other(recording, condition, rule, seed)


def evaluate(recording: Recording, seed: int, suites: int = SUITES, watch: RuleObserver | None = None) -> Evaluation:
    """Scores every rule, on all cores. Raises BadInput for too few turns."""
    least = min(len(turns) for turns in recording.turns.values())
    if least < LEAST_TURNS:
        raise BadInput(f"the recording has {least} turns of a condition, but needs at least {LEAST_TURNS}")
    tasks = [(condition, number) for number in range(len(_scorers())) for condition in CONDITIONS]
    with ProcessPoolExecutor() as pool:
        futures = [pool.submit(_score, recording, condition, number, seed, suites) for condition, number in tasks]
        for done, _ in enumerate(as_completed(futures), 1):
            if watch is not None:
                watch(done, len(tasks))
    scores = [future.result() for future in futures]
    return Evaluation(recording, seed, suites, tuple(score for score in scores if score is not None))


def _score(recording: Recording, condition: str, number: int, seed: int, suites: int) -> Score | None:
    return _scorers()[number](recording, condition, seed, suites)


# ---- the table


def table(evaluation: Evaluation) -> str:
    """The whole evaluation as Markdown."""
    recording = evaluation.recording
    parts = [made_from(recording), _drawn_from(evaluation), _goals(evaluation), planted_sizes(recording)]
    parts += [f"### {condition.capitalize()}\n\n{_rules(evaluation, condition)}" for condition in CONDITIONS]
    parts += [f"### The core set with a slower malloc\n\n{_core(evaluation)}"]
    parts += [f"### Where slowdowns are missed\n\n{_benchmarks(evaluation)}", _sources()]
    return "\n\n".join(parts)


def made_from(recording: Recording) -> str:
    """What was recorded, in words; the digest tells one recording from another."""
    turns = {condition: len(turns) for condition, turns in recording.turns.items()}
    runs = {condition: sum(len(turn.runs[0]) for turn in turns) for condition, turns in recording.turns.items()}
    slowdowns = phrases.joined([f"{percent} %" for percent in PERCENTS])
    return (
        f"Recorded {recording.facts.get('date', 'on an unknown day')} on "
        f"{recording.facts.get('topology', 'an unknown machine')}; "
        f"counters: {recording.facts.get('counters', 'unknown')}. {turns[QUIET]} quiet turns, {turns[NOISY]} beside "
        f"the neighbour; each turn has a pair of each of {len(recording.benchmarks[PLANTED])} benchmarks without a "
        f"slowdown and with each of {slowdowns}, and of each of {len(recording.benchmarks[CORE])} benchmarks of the "
        "core set a pair with the same malloc and a pair with the slower malloc. The other rules get runs of one "
        f"process and {REPETITIONS} repetitions each: {runs[QUIET]} quiet runs, {runs[NOISY]} noisy runs. Seed of the "
        f"recording {recording.seed}, digest {_digest(recording)}."
    )


def _digest(recording: Recording) -> str:
    """Of every pair's log ratio of time."""
    figures = [
        f"{pair.log_ratio(NS):.4g}"
        for turns in recording.turns.values()
        for turn in turns
        for by_slowdown in turn.pairs.values()
        for by_name in by_slowdown.values()
        for pair in by_name.values()
    ]
    return hashlib.sha256(" ".join(figures).encode()).hexdigest()[:12]


def _drawn_from(evaluation: Evaluation) -> str:
    rule = PAIRED_RULES[0].rule
    return (
        f"{evaluation.suites:,} suites of this project's rule are resampled from the turns (seed {evaluation.seed}), "
        f"up to {STAGES * rule.most_pairs} turns each ({rule.pairs} pairs to suspect, {rule.most_pairs} where these "
        "leave it open, and as many fresh pairs to confirm); in a suite with slowdowns, one benchmark has each slowdown and "
        "the others have no slowdown. Suites share turns, so the intervals (95 %, Clopper and Pearson) are too narrow."
    )


def _rules(evaluation: Evaluation, condition: str) -> str:
    found = "".join(f" {size:g} % found |" for size in MOVED)
    lines = [f"| rule | A/A comparisons flagged | A/A suites with a flag |{found}"]
    lines += ["|---|--:|--:|" + "--:|" * len(MOVED)]
    for score in evaluation.scores:
        if score.condition != condition or score.rule == CORE_SET:
            continue
        planted = [_cell(score.detected(size)) for size in MOVED]
        lines.append(f"| {score.rule} | {_cell(score.comparisons)} | {_cell(score.suites)} | {' | '.join(planted)} |")
        if score.moved:
            cells = " | ".join(_cell(score.detected_moved(size)) for size in MOVED)
            lines.append(f"| the same, on the A/A pairs moved by exactly so much | | | {cells} |")
    the_rule = evaluation.get(THE_RULE, condition)
    if the_rule is None:
        return "\n".join(lines)
    return "\n".join(lines) + (
        f"\n\nThis project's rule needs {the_rule.seconds:.1f} s in the mean to decide a benchmark without a slowdown. "
        f"A change as large as the threshold, {100 * THRESHOLD:g} %, is found in "
        f"{_percent(the_rule.detected_moved(MOVED[0]).share)}: at each analysis its estimate lies over the threshold "
        "half of the time, and both stages must find it there."
    )


def _cell(counted: Tally) -> str:
    if not counted.trials:
        return ""
    low, high = counted.interval
    return f"{_percent(counted.share)} ({_percent(low, unit='')}-{_percent(high)})"


def _percent(share: float, unit: str = " %") -> str:
    value = 100 * share
    return f"{value:.1f}{unit}" if 0.0 < value < 10.0 or 90.0 < value < 100.0 else f"{value:.0f}{unit}"


# ---- the goals


FOUND_GOALS = {
    (5, QUIET): 1.0, (5, NOISY): 1.0, (2, QUIET): 0.95, (2, NOISY): 0.9, (1, QUIET): 0.75, (1, NOISY): 0.65,
}  # fmt: skip
FALSE_ALARMS_GOAL = 0.01
BY_CYCLES_GOAL = 0.9  # of slowdowns of 1 %
SECONDS_GOAL = 4.0
WORDS = {QUIET: "quiet", NOISY: "beside the neighbour"}


def _goals(evaluation: Evaluation) -> str:
    lines = ["| goal | target | measured | reached |", "|---|--:|--:|---|"]
    for label, name in (("A/A suites flagged", THE_RULE), ("of the core set", CORE_SET), ("of two files", TWO_FILES)):
        for condition in CONDITIONS:
            if score := evaluation.get(name, condition):
                target = f"under {_percent(FALSE_ALARMS_GOAL)}"
                reached = _reached(score.suites, FALSE_ALARMS_GOAL, most=True)
                lines.append(f"| {label}, {WORDS[condition]} | {target} | {_cell(score.suites)} | {reached} |")
    for (percent, condition), goal in FOUND_GOALS.items():
        if score := evaluation.get(THE_RULE, condition):
            lines.append(_found_goal(f"{percent} % slowdown found, {WORDS[condition]}", goal, score.detected(percent)))
    by_cycles = evaluation.get(IN_CYCLES, QUIET)
    words = "1 % slowdown found by cycles, quiet"
    if by_cycles is None:
        target = f"at least {_percent(BY_CYCLES_GOAL)}"
        lines.append(f"| {words} | {target} | | not measurable: this machine has no counters |")
    else:
        lines.append(_found_goal(words, BY_CYCLES_GOAL, by_cycles.detected(1)))
    if score := evaluation.get(THE_RULE, QUIET):
        late = score.seconds - SECONDS_GOAL
        lines.append(
            f"| seconds until a benchmark is decided, quiet | at most {SECONDS_GOAL:g} | {score.seconds:.1f} | "
            f"{'yes' if late <= 0 else f'no, missed by {late:.1f} s'} |"
        )
    return "\n".join(lines)


def _found_goal(words: str, goal: float, found: Tally) -> str:
    return f"| {words} | at least {_percent(goal)} | {_cell(found)} | {_reached(found, goal)} |"


def _reached(counted: Tally, goal: float, most: bool = False) -> str:
    """Whether the share is at least the goal; with `most`, whether it is less."""
    low, high = counted.interval
    missed_by = counted.share - goal if most else goal - counted.share
    if missed_by > 0 or (most and not missed_by):
        return f"no, missed by {100 * missed_by:.1f} points"
    if counted.share == goal:  # all of them
        return "yes"
    return "yes" if (high < goal if most else low >= goal) else "yes, but the interval reaches beyond the goal"


# ---- what the planted slowdowns came to


def unlike_planted(recording: Recording) -> list[str]:
    """A phrase for each benchmark whose slowdown is a tenth off what was planted, and more than its error explains."""
    unlike = []
    for condition in CONDITIONS:
        for name in recording.benchmarks[PLANTED]:
            for percent in PERCENTS:
                logs = _logs(recording, condition, PLANTED, percent, name)
                came_to, error = 100 * math.expm1(median(logs)), 100 * _error_of_median(logs)
                if abs(came_to - percent) > CAME_TO * percent + ERRORS * error:
                    unlike.append(f"`{name}` {WORDS[condition]} ({percent} % came to {came_to:.1f} %)")
    return unlike


def _error_of_median(values: Sequence[float]) -> float:
    """Its standard error, if most of the values are normally distributed."""
    return math.sqrt(math.pi / 2 / len(values)) * robust_deviation(values)


def planted_sizes(recording: Recording) -> str:
    """The size of the slowdowns as measured, in words."""
    came_to = (
        f"{percent} % came to {100 * math.expm1(median(middle(recording, QUIET, percent))):.2f} % quiet and "
        f"{100 * math.expm1(median(middle(recording, NOISY, percent))):.2f} % beside the neighbour"
        for percent in PERCENTS
    )
    unlike = unlike_planted(recording)
    details = (
        f"A tenth off, by more than {ERRORS:g} standard errors: {phrases.joined(unlike)}."
        if unlike
        else f"None is a tenth off by more than {ERRORS:g} standard errors."
    )
    return f"In the median benchmark, {'; '.join(came_to)}. {details}"


def middle(recording: Recording, condition: str, percent: int) -> list[float]:
    """The median log ratio of each benchmark."""
    return [median(_logs(recording, condition, PLANTED, percent, name)) for name in recording.benchmarks[PLANTED]]


def _logs(recording: Recording, condition: str, key: str, slowdown: int, name: str) -> list[float]:
    pairs = (turn.pairs[key][slowdown][name] for turn in recording.turns[condition])
    return [log for pair in pairs if (log := pair.log_ratio(NS)) is not None]


# ---- by benchmark


def _core(evaluation: Evaluation) -> str:
    """What a slower malloc costs each benchmark of the core set, and how often that was found."""
    scores = {condition: evaluation.get(CORE_SET, condition) for condition in CONDITIONS}
    heads = [f"{WORDS[condition]}: spread of a pair | came to | found" for condition in CONDITIONS]
    lines = [f"| benchmark | {' | '.join(heads)} |", "|---|" + "--:|" * (3 * len(CONDITIONS))]
    for name in evaluation.recording.benchmarks[CORE]:
        cells = []
        for condition, score in scores.items():
            spread, came_to = _spread_and_size(evaluation.recording, condition, CORE, SLOWER_MALLOC, name)
            found = score.detections.get((SLOWER_MALLOC, name), Tally()) if score else Tally()
            cells += [spread, came_to, _percent(found.share) if found.trials else ""]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    sentences = [
        f"{WORDS[condition].capitalize()}, {_cell(score.slower_suites)} of the suites with the slower malloc fail, and "
        f"{_cell(score.suites)} of the suites with the same malloc; the latter take {score.seconds:.1f} s a benchmark "
        "in the mean."
        for condition, score in scores.items()
        if score is not None
    ]
    times = "once" if SLOWER_MALLOC == 1 else f"{SLOWER_MALLOC} times"
    return (
        f"The slower malloc multiplies the argument of every call by one, {times} more than the other malloc, before "
        "glibc gets it; in a suite, all benchmarks have the slower malloc. How much slower each benchmark is then was "
        "not known beforehand: it is the median of all its pairs. A slowdown under the threshold, "
        f"{100 * THRESHOLD:g} %, is not to be found.\n\n" + "\n".join(lines) + "\n\n" + " ".join(sentences)
    )


def _spread_and_size(recording: Recording, condition: str, key: str, slowdown: int, name: str) -> tuple[str, str]:
    spread = robust_deviation(_logs(recording, condition, key, SAME_ON_BOTH_SIDES, name))
    came_to = math.expm1(median(_logs(recording, condition, key, slowdown, name)))
    return f"{100 * spread:.2f} %", f"{100 * came_to:+.2f} %"


def _benchmarks(evaluation: Evaluation) -> str:
    """The spread of each benchmark's pairs, the size of the planted slowdowns as measured, and how many were found."""
    sizes = " | ".join(f"{percent} %" for percent in PERCENTS)
    heads = [f"{WORDS[condition]}: spread of a pair | {sizes}" for condition in CONDITIONS]
    lines = [f"| benchmark | {' | '.join(heads)} |", "|---|" + "--:|" * (len(CONDITIONS) * (1 + len(PERCENTS)))]
    for name in evaluation.recording.benchmarks[PLANTED]:
        cells = []
        for condition in CONDITIONS:
            score = evaluation.get(THE_RULE, condition)
            for percent in PERCENTS:
                spread, came_to = _spread_and_size(evaluation.recording, condition, PLANTED, percent, name)
                found = score.detections.get((percent, name), Tally()) if score else Tally()
                cells += [spread] * (percent == PERCENTS[0])
                cells.append(f"{came_to}: {_percent(found.share)}" if found.trials else came_to)
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    words = (
        "The spread is the robust standard deviation of new over old when nothing was changed (1.4826 times the median "
        "absolute deviation). Under each planted slowdown: its actual size in the median of all its pairs, and "
        "how often this project's rule found it."
    )
    return "\n".join(lines) + f"\n\n{words}\n\n{_why(evaluation)} {_luck(evaluation.recording)}"


def _why(evaluation: Evaluation) -> str:
    """In which benchmarks slowdowns were missed, and their spread."""
    return " ".join(
        _missed(evaluation, condition, percent) for condition in CONDITIONS for percent in reversed(PERCENTS)
    )


def _missed(evaluation: Evaluation, condition: str, percent: int) -> str:
    score = evaluation.get(THE_RULE, condition)
    detections = score.detections if score else {}
    missed = {name: tally.trials - tally.hits for (slowdown, name), tally in detections.items() if slowdown == percent}
    total = sum(missed.values())
    where = f"{WORDS[condition].capitalize()}, {percent} %:"
    if not total:
        return f"{where} none was missed."
    worst = sorted((name for name in missed if missed[name]), key=lambda name: -missed[name])[:3]
    benchmarks = phrases.joined(
        [
            f"`{name}` ({missed[name]}, spread "
            f"{_spread_and_size(evaluation.recording, condition, PLANTED, percent, name)[0]})"
            for name in worst
        ]
    )
    share = sum(missed[name] for name in worst) / total
    return f"{where} {total:,} were missed, {_percent(share)} of them in {benchmarks}."


def _luck(recording: Recording) -> str:
    """How far quiet processes of the unchanged program differ, and whether the clock does."""
    samples = {
        name: [
            sample for turn in recording.turns[QUIET] for sample in _both(turn.pairs[PLANTED][SAME_ON_BOTH_SIDES][name])
        ]
        for name in recording.benchmarks[PLANTED]
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
    try:
        page = path.read_text(encoding="utf-8")
    except ValueError:
        raise BadInput(f"{path} is not text in UTF-8") from None
    matches = [match for match in BLOCK.finditer(page) if match["name"] == BLOCK_NAME]
    if len(matches) != 1:
        raise BadInput(
            f"{path} has no block, or several, that begin with {OPENING} {BLOCK_NAME} --> and end with <!-- end -->"
        )
    start, end = matches[0].span("text")
    return f"{page[:start]}{block}\n{page[end:]}", matches[0]["text"] != f"{block}\n"
