"""Why is a benchmark worse: does the new side do more work, does its code lie elsewhere, or is it the machine?

The instructions that one operation takes on either side are counted and compared, function by function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from suite.base.text import three_figures, with_its_file
from suite.gate.comparison import BETTER, WORSE, Comparison, Judgement
from suite.gate.explanation import LAYOUT, MACHINE, UNKNOWN, WORK, Explanation, FunctionChange, same_count
from suite.gate.paired_run import SideBuilds
from suite.gate.pairs_file import Pair, RecordedPairs
from suite.gate.path_difference import PathSide, changes, short_name
from suite.results.model import MANY_THREADS
from suite.runner.disassembly import NoDisassembly, demangled, operations_by_function
from suite.runner.path_length import NoPath, path_of
from suite.stats.estimates import median

MOST_EXPLAINED = 3  # benchmarks; an explanation takes up to half a minute

COUNTERS = ("instructions", "cycles", "branch_misses", "cache_misses", "dtlb_misses", "page_faults")


def explain(
    comparison: Comparison,
    recorded: RecordedPairs,
    old: SideBuilds,
    new: SideBuilds,
    folder: Path,
    observer: Callable[[str], None] = lambda name: None,
) -> Comparison:
    """The comparison with an explanation of the worst benchmarks. Where no more benchmarks than that were compared, it
    explains all of them, whatever their verdict. An interrupt ends it."""
    worst = comparison.with_verdict(WORSE)
    if len(comparison.judgements) <= MOST_EXPLAINED:
        worst = comparison.judgements
    explained: dict[str, Judgement] = {}
    try:
        for judgement in worst[:MOST_EXPLAINED]:
            observer(judgement.name)
            pairs = recorded.pairs.get(judgement.name, ())
            explanation = _explanation(judgement, pairs, old, new, folder)
            explained[judgement.name] = replace(judgement, explanation=explanation)
    except KeyboardInterrupt:
        pass
    judgements = tuple(explained.get(judgement.name, judgement) for judgement in comparison.judgements)
    return replace(comparison, judgements=judgements)


def _explanation(
    judgement: Judgement, pairs: Sequence[Pair], old_side: SideBuilds, new_side: SideBuilds, folder: Path
) -> Explanation:
    counters = _counters(pairs)
    old, new = old_side.builds[0], new_side.builds[0]
    try:
        if any(MANY_THREADS in pair.old.counters for pair in pairs):
            raise NoPath("several threads do the work, and callgrind runs threads one after the other")
        if new_side.catalogue.turn_seconds(judgement.name) == 0.0:
            raise NoPath("a process does the operation once, so callgrind cannot tell it from the rest of the process")
        ns = median([pair.old.ns for pair in pairs]) if pairs else judgement.old_ns
        old_path, new_path = (path_of(program, judgement.name, ns, folder) for program in (old, new))
        functions = changes(PathSide(old, old_path), PathSide(new, new_path))
    except (NoPath, NoDisassembly) as problem:
        cause, sentence = _conclusion_without_paths(old.executable, new.executable, str(problem))
        return Explanation(cause, f"{cause}: {sentence}", (), counters)
    except OSError as problem:
        return Explanation(UNKNOWN, f"{UNKNOWN}: {with_its_file(problem)}", (), counters)
    cause, sentence = _conclusion(functions, judgement)
    return Explanation(cause, f"{cause}: {sentence}", functions, counters)


def _counters(pairs: Sequence[Pair]) -> dict[str, tuple[float, float]]:
    counted = {}
    for key in COUNTERS:
        both = [(pair.old.counters[key], pair.new.counters[key]) for pair in pairs
                if key in pair.old.counters and key in pair.new.counters]  # fmt: skip
        if any(map(any, both)):
            counted[key] = median([old for old, _ in both]), median([new for _, new in both])
    return counted


def _conclusion(functions: Sequence[FunctionChange], judgement: Judgement) -> tuple[str, str]:
    """The cause and a sentence."""
    old, new = sum(function.old for function in functions), sum(function.new for function in functions)
    taken = f"an operation takes {three_figures(new)} instructions"
    if not same_count(old, new):
        time = judgement.ratio.median
        link = ", although" if judgement.verdict in (WORSE, BETTER) and (time > 1.0) != (new > old) else ";"
        work = f"{taken}, before {three_figures(old)} ({new - old:+.3g}, {_percent(new / old)})"
        return WORK, f"{work}{link} the time changed by {_percent(time)}"
    if any(function.differs for function in functions):
        return WORK, f"{taken} as before, but other instructions"
    same = f"an operation takes the same {three_figures(new)} instructions"
    if any(function.is_moved for function in functions):
        return LAYOUT, f"{same}, which lie at other addresses (--layouts 10 measures both sides in several layouts)"
    if judgement.verdict in (WORSE, BETTER):
        return MACHINE, f"{same} at the same addresses, so memory, the caches or the machine make the difference"
    return MACHINE, f"{same} at the same addresses"


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.1f} %"


MOST_NAMED = 3


def _conclusion_without_paths(old: Path, new: Path, problem: str) -> tuple[str, str]:
    """By all functions of both programs, whether or not an operation passes through them."""
    if old.read_bytes() == new.read_bytes():
        return UNKNOWN, problem
    try:
        before, after = operations_by_function(old), operations_by_function(new)
    except NoDisassembly as second:
        return UNKNOWN, f"{problem}; {second}"
    differing = [name for name in dict.fromkeys((*before, *after)) if before.get(name) != after.get(name)]
    if not differing:
        return LAYOUT, f"the {len(after):,} functions of both programs have the same instructions ({problem})"
    names = dict.fromkeys(map(short_name, demangled(differing)))
    own = sorted(names, key=lambda name: name.startswith("std::"))[:MOST_NAMED]  # lambdas have a name of std::function
    numbers = f"{len(differing):,} of {len(after):,} functions of the program differ"
    return UNKNOWN, f"{problem}; {numbers}: {', '.join(own)}{', ...' if len(names) > len(own) else ''}"
