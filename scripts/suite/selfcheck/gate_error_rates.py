"""How often does the gate err? What each rule says of turns of known truth, and the table that tells it.

A rule is asked about suites. One of this project's rule is as many recorded turns as the rule may use, drawn as blocks
of turns that follow each other, none twice: what a turn's benchmarks have in common stays together, and so does what
drifts from turn to turn (subsampling: Politis and Romano, Annals of Statistics 22, 1994). Drawn with replacement, a
pair would count as evidence twice. A suite of the other rules is two whole runs, from one turn or from two that follow
each other.
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
from suite.gate.paired_run import ALIKE, ATTEMPTS
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
SUITES = 336  # over the 300 that are asked for; 24 times each of 14 benchmarks has each slowdown
RUN_SUITES = 60  # of the other rules, at most: more come from the same few runs
BLOCK_TURNS = 5
STAGES = 2  # of the rule, each of up to rule.most pairs: suspicion and confirmation
LEAST_HISTORY = 5  # runs before a tool that looks back is asked
BLOCK_NAME = "evaluation"


@dataclass(frozen=True)
class Tally:
    """How many of how many."""

    hits: int = 0
    of: int = 0

    def plus(self, hits: int, of: int = 1) -> Tally:
        return Tally(self.hits + hits, self.of + of)

    @property
    def share(self) -> float:
        return self.hits / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Clopper and Pearson, which never covers less than it says."""
        exact = binomtest(self.hits, self.of).proportion_ci(method="exact") if self.of else None
        return (exact.low, exact.high) if exact else (0.0, 1.0)


@dataclass
class Score:
    """What a rule said in one condition."""

    rule: str
    condition: str
    comparisons: Tally = Tally()  # of a benchmark with itself that were called slower
    suites: Tally = Tally()  # of a program with itself in which any was
    found: dict[tuple[int, str], Tally] = field(default_factory=dict)  # by slowdown and benchmark

    def of(self, percent: int) -> Tally:
        own = [one for (slower, _), one in self.found.items() if slower == percent]
        return Tally(sum(one.hits for one in own), sum(one.of for one in own))

    def count_itself(self, flagged: int, benchmarks: int) -> None:
        self.comparisons = self.comparisons.plus(flagged, benchmarks)
        self.suites = self.suites.plus(bool(flagged))

    def count_planted(self, percent: int, name: str, found: bool) -> None:
        self.found[percent, name] = self.found.get((percent, name), Tally()).plus(found)


# ---- this project's rule


@dataclass(frozen=True)
class PairedRule:
    """The rule of a duet, on time or on another figure of a process."""

    name: str
    figure: Callable[[Sample], float | None]
    chosen: Rule


PAIRED_RULES = (
    PairedRule("**this project's**", lambda one: one.ns, Rule()),
    PairedRule("the same, in cycles", lambda one: one.cycles, Rule()),
    PairedRule("the same, 20 pairs at most", lambda one: one.ns, Rule(extended=False)),
    PairedRule("the same, 10 pairs at most", lambda one: one.ns, Rule(pairs=10, extended=False)),
)
THE_RULE, IN_CYCLES, WITHIN_20, _ = (asked.name for asked in PAIRED_RULES)
LEAST_TURNS = STAGES * min(asked.chosen.most for asked in PAIRED_RULES)


def draw_turns(turns: int, wanted: int, draw: random.Random, block: int = BLOCK_TURNS) -> list[int]:
    """So many of the turns, none twice, as blocks that follow each other; all of them where there are no more."""
    start = draw.randrange(block)
    blocks = [range(max(0, at), min(turns, at + block)) for at in range(start - block, turns, block)]
    draw.shuffle(blocks)
    return [index for one in blocks for index in one][:wanted]


def score_paired(made: Recording, condition: str, asked: PairedRule, seed: int, suites: int = SUITES) -> Score | None:
    """What the rule says; in each planted suite one benchmark has each slowdown, and the others have none.

    None where the figure was not taken in every process.
    """
    turns = made.turns[condition]
    names = made.benchmarks
    series = {percent: {name: _series(turns, percent, name, asked) for name in names} for percent in SLOWDOWNS}
    if any(own is None for by_name in series.values() for own in by_name.values()):
        return None
    draw = random.Random(f"{seed} {condition}")
    result = Score(asked.name, condition)
    itself = series[SAME_ON_BOTH_SIDES]
    apart = max(1, len(made.benchmarks) // len(PLANTED))
    for number in range(suites):
        chosen = draw_turns(len(turns), STAGES * asked.chosen.most, draw)
        result.count_itself(len(_worse(itself, chosen, asked)), len(made.benchmarks))
        slowed = {made.benchmarks[(number + i * apart) % len(made.benchmarks)]: p for i, p in enumerate(PLANTED)}
        found = _worse(itself | {name: series[percent][name] for name, percent in slowed.items()}, chosen, asked)
        for name, percent in slowed.items():
            result.count_planted(percent, name, name in found)
    return result


@dataclass(frozen=True)
class _pairs:
    """A benchmark's pairs in all turns, and their log ratios."""

    pairs: tuple[Pair, ...]
    logs: tuple[float, ...]


def _series(turns: Sequence[Turn], percent: int, name: str, asked: PairedRule) -> _pairs | None:
    pairs = tuple(one.pairs[percent][name] for one in turns)
    figures = [(asked.figure(one.old), asked.figure(one.new)) for one in pairs]
    logs = tuple(math.log(new / old) for old, new in figures if old and new)
    return _pairs(pairs, logs) if len(logs) == len(pairs) else None


def _worse(series: Mapping[str, _pairs | None], chosen: Sequence[int], asked: PairedRule) -> set[str]:
    """Those that the rule calls worse, without those it sets aside for their two humps."""
    there = {name: one for name, one in series.items() if one is not None}
    decided = sequential_test.decide({name: [one.logs[i] for i in chosen] for name, one in there.items()}, asked.chosen)
    suspects = {name: [there[name].pairs[i] for i in chosen] for name, one in decided.items() if one.verdict == WORSE}
    judged = sequential_test.judge(suspects, asked.chosen) if suspects else {}
    return {name for name in suspects if not judged[name].quarantined}


# ---- the rules of others


_TwoRuns = tuple[Repetitions, Repetitions, list[Repetitions]]  # old, new, and the old side's runs before

def score_other(made: Recording, condition: str, asked: OtherRule, seed: int) -> Score:
    """What the rule says of two runs that lie close together."""
    draw = random.Random(f"{seed} {condition}")  # the same suites for every rule
    result = Score(asked.name, condition)
    turns = [one for one in made.turns[condition] if one.runs[SAME_ON_BOTH_SIDES]]
    for old, new, before in _some(_plain_runs(turns), draw):
        flagged = [asked.slower(old[name], new[name], [one[name] for one in before]) for name in made.benchmarks]
        result.count_itself(sum(flagged), len(flagged))
    for percent in PLANTED:
        for old, new, before in _some(_planted_runs(turns, percent), draw):
            for name in made.benchmarks:
                found = asked.slower(old[name], new[name], [one[name] for one in before])
                result.count_planted(percent, name, found)
    return result


def _some(suites: Iterable[_TwoRuns], draw: random.Random) -> list[_TwoRuns]:
    all_suites = list(suites)
    return draw.sample(all_suites, min(RUN_SUITES, len(all_suites)))


def _plain_runs(turns: Sequence[Turn]) -> Iterator[_TwoRuns]:
    plain = [(number, one) for number, each in enumerate(turns) for one in each.runs[SAME_ON_BOTH_SIDES]]
    for at, (new_turn, new) in enumerate(plain):
        before = [one for _, one in plain[:at]]
        for old_turn, old in plain[:at] if len(before) >= LEAST_HISTORY else ():
            if new_turn - old_turn <= 1:
                yield old, new, before


def _planted_runs(turns: Sequence[Turn], percent: int) -> Iterator[_TwoRuns]:
    before: list[Repetitions] = []
    last: tuple[Repetitions, ...] = ()
    for one in turns:
        here = one.runs[SAME_ON_BOTH_SIDES]
        before = [*before, *here]
        for old in (*last, *here) if len(before) >= LEAST_HISTORY else ():
            for new in one.runs[percent]:
                yield old, new, before
        last = here


# ---- what it comes to


@dataclass(frozen=True)
class Evaluation:
    """Every rule's score, in every condition."""

    of: Recording
    seed: int
    suites: int
    scores: tuple[Score, ...]

    def get(self, name: str, condition: str) -> Score | None:
        return next((one for one in self.scores if (one.rule, one.condition) == (name, condition)), None)


RuleObserver = Callable[[int, int], None]  # told how many of how many rules are asked


def evaluate(made: Recording, seed: int, suites: int = SUITES, watch: RuleObserver | None = None) -> Evaluation:
    """Asks every rule, on all cores. Raises BadInput for too few turns."""
    least = min(len(own) for own in made.turns.values())
    if least < LEAST_TURNS:
        raise BadInput(f"{least} turns of a condition are too few: {LEAST_TURNS} at least are wanted")
    asked = [(condition, number) for condition in CONDITIONS for number in range(len(PAIRED_RULES) + len(OTHER_RULES))]
    with ProcessPoolExecutor() as pool:
        scored = [pool.submit(_score, made, condition, number, seed, suites) for condition, number in asked]
        for done, _ in enumerate(as_completed(scored), 1):
            if watch is not None:
                watch(done, len(asked))
    found = [one.result() for one in scored]
    return Evaluation(made, seed, suites, tuple(one for one in found if one is not None))


def _score(made: Recording, condition: str, number: int, seed: int, suites: int) -> Score | None:
    if number < len(PAIRED_RULES):
        return score_paired(made, condition, PAIRED_RULES[number], seed, suites)
    return score_other(made, condition, OTHER_RULES[number - len(PAIRED_RULES)], seed)


# ---- in words


def table(told: Evaluation) -> str:
    """The whole evaluation as Markdown."""
    parts = [_made_from(told), _goals(told)]
    parts += [f"### {condition.capitalize()}\n\n{_rules(told, condition)}" for condition in CONDITIONS]
    parts += [f"### Where slowdowns are missed\n\n{_benchmarks(told)}", _sources()]
    return "\n\n".join(parts)


def _made_from(told: Evaluation) -> str:
    made = told.of
    turns = {condition: len(own) for condition, own in made.turns.items()}
    runs = {condition: sum(len(one.runs[0]) for one in own) for condition, own in made.turns.items()}
    chosen = PAIRED_RULES[0].chosen
    slowdowns = phrases.joined([f"{percent} %" for percent in PLANTED])
    return (
        f"Recorded {made.facts.get('date', 'on an unknown day')} on "
        f"{made.facts.get('topology', 'an unknown machine')}; "
        f"counters: {made.facts.get('counters', 'unknown')}. {len(made.benchmarks)} benchmarks; {turns[QUIET]} quiet "
        f"turns, {turns[NOISY]} beside the neighbour; each turn has a pair of processes of each benchmark without a "
        f"slowdown and with each of {slowdowns}. Seed of the recording {made.seed}, of the resampling {told.seed}. "
        f"{told.suites} suites of this project's rule are resampled from the turns, up to {STAGES * chosen.most} turns "
        f"each ({chosen.pairs} pairs to suspect, {chosen.most} where these leave it open, and as many fresh pairs to "
        f"confirm); in a suite with slowdowns, one benchmark has each slowdown and the others have no slowdown. Suites "
        f"share turns, so the intervals (95 %, Clopper and Pearson) are too narrow. The other rules get runs of one "
        f"process and {REPETITIONS} repetitions each: {runs[QUIET]} quiet runs, {runs[NOISY]} noisy runs."
    )


def _rules(told: Evaluation, condition: str) -> str:
    head = "| rule | A/A comparisons flagged | A/A suites with one |" + "".join(f" {p} % found |" for p in PLANTED)
    lines = [head, "|---|--:|--:|" + "--:|" * len(PLANTED)]
    for one in (score for score in told.scores if score.condition == condition):
        cells = (one.comparisons, one.suites, *(one.of(percent) for percent in PLANTED))
        lines.append(f"| {one.rule} | {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines)


def _cell(counted: Tally) -> str:
    if not counted.of:
        return "not tested"
    low, high = counted.interval
    return f"{_percent(counted.share)} ({_percent(low, unit='')}-{_percent(high)})"


def _percent(share: float, unit: str = " %") -> str:
    value = 100 * share
    return f"{value:.1f}{unit}" if 0.0 < value < 10.0 or 90.0 < value < 100.0 else f"{value:.0f}{unit}"


def _goals(told: Evaluation) -> str:
    counted = "cycles" in told.of.facts.get("counters", "")
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
    for words, condition, rules, percent, wanted in goals:
        scores = [one for name in rules if (one := told.get(name, condition)) is not None]
        tallies = [one.suites if percent == SAME_ON_BOTH_SIDES else one.of(percent) for one in scores]
        sign = "under" if percent == SAME_ON_BOTH_SIDES else "at least"
        if not tallies:
            lines.append(f"| {words} | {sign} {_percent(wanted)} | | not measurable: this machine has no counters |")
            continue
        best = max(tallies, key=lambda one: one.share)
        if percent == SAME_ON_BOTH_SIDES:
            verdict = _reached(best.share < wanted, best.interval[1] < wanted, best.share - wanted)
        else:
            verdict = _reached(best.share >= wanted, best.interval[0] >= wanted, wanted - best.share)
        lines.append(f"| {words} | {sign} {_percent(wanted)} | {_cell(best)} | {verdict} |")
    return "\n".join(lines) + f"\n\n{_planted(told.of)}"


def _planted(made: Recording) -> str:
    """What the slowdowns really came to: they are work that is done, so the machine has a say in how long it takes."""
    came_to = (
        f"{percent} % came to {100 * math.expm1(median(_middle(made, QUIET, percent))):.1f} % quiet and "
        f"{100 * math.expm1(median(_middle(made, NOISY, percent))):.1f} % beside the neighbour"
        for percent in PLANTED
    )
    return f"In the median benchmark, {'; '.join(came_to)}."


def _middle(made: Recording, condition: str, percent: int) -> list[float]:
    """The median log ratio of each benchmark."""
    return [median(_logs(made, condition, percent, name)) for name in made.benchmarks]


def _reached(in_figure: bool, in_interval: bool, missed_by: float) -> str:
    if not in_figure:
        return f"no, missed by {100 * missed_by:.1f} points"
    return "yes" if in_interval else "yes, though the interval reaches beyond"


def _benchmarks(told: Evaluation) -> str:
    """How far each benchmark's pairs scatter, what the planted slowdowns came to, and how many of them were found."""
    heads = [f"{condition}: spread of a pair | {' | '.join(f'{p} %' for p in PLANTED)}" for condition in CONDITIONS]
    lines = [f"| benchmark | {' | '.join(heads)} |", "|---|" + "--:|" * (len(CONDITIONS) * (1 + len(PLANTED)))]
    for name in told.of.benchmarks:
        cells = []
        for condition in CONDITIONS:
            cells.append(f"{100 * robust_deviation(_logs(told.of, condition, SAME_ON_BOTH_SIDES, name)):.1f} %")
            own = told.get(THE_RULE, condition)
            for percent in PLANTED:
                came_to = 100 * math.expm1(median(_logs(told.of, condition, percent, name)))
                found = own.found.get((percent, name), Tally()) if own else Tally()
                cells.append(f"{came_to:+.1f} %: {_percent(found.share) if found.of else 'not tested'}")
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    words = (
        "The spread is the robust standard deviation of new over old when nothing was changed (1.4826 times the median "
        "absolute deviation). Under each planted slowdown: its actual size in the median of all its pairs, and "
        "how often this project's rule found it. The delays were measured on the quiet machine: where "
        "the neighbour slows the benchmark itself down, the same delay is a smaller share of its time."
    )
    return "\n".join(lines) + f"\n\n{words}\n\n{_why(told)} {_luck(told.of)}"


def _logs(made: Recording, condition: str, percent: int, name: str) -> list[float]:
    pairs = (one.pairs[percent][name] for one in made.turns[condition])
    return [math.log(one.new.ns / one.old.ns) for one in pairs]


def _why(told: Evaluation) -> str:
    """Which benchmarks the missed slowdowns of 5 % are in, and how much those scatter."""
    sentences = []
    for condition in CONDITIONS:
        own = told.get(THE_RULE, condition)
        found = own.found if own else {}
        missed = {name: one.of - one.hits for (percent, name), one in found.items() if percent == 5}
        total = sum(missed.values())
        if not total:
            sentences.append(f"{condition.capitalize()}, no slowdown of 5 % was missed.")
            continue
        worst = sorted((name for name in missed if missed[name]), key=lambda name: -missed[name])[:3]
        spreads = {name: robust_deviation(_logs(told.of, condition, 0, name)) for name in worst}
        each = phrases.joined([f"`{name}` ({missed[name]}, spread {100 * spreads[name]:.1f} %)" for name in worst])
        share = sum(missed[name] for name in worst) / total
        sentences.append(f"{condition.capitalize()}, {total} of 5 % were missed, {_percent(share)} of them in {each}.")
    return " ".join(sentences)


def _luck(made: Recording) -> str:
    """How far processes of the unchanged program lie apart, quiet, and whether the clock does."""
    samples = {
        name: [one for each in made.turns[QUIET] for one in _both(each.pairs[SAME_ON_BOTH_SIDES][name])]
        for name in made.benchmarks
    }
    width = {name: _width([one.ns for one in own]) for name, own in samples.items()}
    least, most = min(width, key=lambda name: width[name]), max(width, key=lambda name: width[name])
    counted = [one.counters for own in samples.values() for one in own]
    beside = [
        f"; {what} timed beside, by {_width(taken):.2f} times"
        for what, key in (("an addition", "ns_per_addition"), ("eight independent additions", CORE_SHARE))
        if (taken := [one[key] for one in counted if key in one])
    ]
    return (
        f"Between quiet processes of the unchanged program, the time varies from the 5th percentile to the 95th by "
        f"{width[least]:.2f} times in `{least}` and by {width[most]:.2f} times in `{most}`{''.join(beside)}. Where "
        "the independent additions vary far more than the dependent additions, other threads probably share the physical "
        "core: a virtual machine does not show them. If two processes differ in the eight additions by more than "
        f"{100 * ALIKE:.0f} %, the pair is discarded and measured again, at most {ATTEMPTS - 1} times."
    )


def _both(one: Pair) -> tuple[Sample, Sample]:
    return one.old, one.new


def _width(values: Sequence[float]) -> float:
    low, high = np.quantile(values, (0.05, 0.95))
    return float(high / low)


def _sources() -> str:
    return "Sources of the other rules: " + "; ".join(f"{one.name}: {one.source}" for one in OTHER_RULES) + "."


# ---- in a page


def filled(path: Path, block: str) -> tuple[str, bool]:
    """The page with its generated block replaced, and whether that changed anything. Raises BadInput, OSError."""
    written = path.read_text(encoding="utf-8")
    found = [one for one in BLOCK.finditer(written) if one["name"] == BLOCK_NAME]
    if len(found) != 1:
        raise BadInput(f"{path}: has no block that begins with {OPENING} {BLOCK_NAME} --> and ends with <!-- end -->")
    start, end = found[0].span("text")
    return f"{written[:start]}{block}\n{written[end:]}", found[0]["text"] != f"{block}\n"
