"""Claims about the memory overhead of memory management."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from suite.base import phrases
from suite.claims.inputs import counter, libraries
from suite.claims.verdict import CannotJudge, Numbers, Undecided, Verdict, claim, does_not_hold, holds, holds_but, names
from suite.results import query
from suite.results.model import Run
from suite.stats.estimates import Estimate

HELD = "resident_bytes_per_byte"
METADATA = 1.01  # one hundredth more than requested is room for metadata
RETURNED = 0.9


@claim("bookkeeping", "the heap needs metadata", "The heap needs room for its metadata.", "overhead")
def bookkeeping(run: Run) -> Verdict:
    sizes = query.numbers(run, "bytes", "overhead")
    if not sizes:
        raise CannotJudge("the run has no overhead")
    by_size = {size: libraries(run, "overhead", bytes=size) for size in sizes}
    held: dict[str, dict[int, Estimate]] = {}  # by malloc, then by size
    for size, mallocs in by_size.items():
        for name, benchmark in mallocs.items():
            held.setdefault(name, {})[size] = counter(benchmark, HELD)
    worst = {name: max(over, key=lambda size: over[size].median) for name, over in held.items()}
    parts = [f"{phrases.plain(name)} {_bytes(held[name][size])} (blocks of {size:,} B)" for name, size in worst.items()]
    ends = f"blocks of {sizes[0]:,} B" if len(sizes) == 1 else f"blocks of {len(sizes)} sizes, {sizes[0]:,} to {sizes[-1]:,} B"
    without = {name: [size for size in over if over[size].low <= METADATA] for name, over in held.items()}
    free = [f"{phrases.plain(name)} {len(few)} of {len(held[name])}" for name, few in without.items() if few]
    numbers = Numbers(
        _at_worst({name: held[name][size] for name, size in worst.items()}),
        f"in {ends}, a malloc holds at its worst for each requested byte: {', '.join(parts)}"
        + (f"; sizes with less than {phrases.percent(METADATA - 1)} more than requested: {phrases.joined(free)}" if free else ""),
    )
    if all(len(without[name]) == len(over) for name, over in held.items()):
        return does_not_hold(numbers)
    some = [name for name, few in without.items() if few]
    return holds_but(numbers, f"under {phrases.percent(METADATA - 1)} in some sizes with {names(some)}") if some else holds(numbers)


def _at_worst(held: Mapping[str, Estimate]) -> str:
    """The malloc that takes most for each requested byte, and the malloc that takes least."""
    most, least = (extreme(held, key=lambda name: held[name].median) for extreme in (max, min))
    gist = f"for each requested byte, {names([most])} takes up to {_bytes(held[most])} of memory"
    return gist if most == least else f"{gist}, {names([least])} up to {phrases.two_figures(held[least].median)}"


def _bytes(held: Estimate) -> str:
    return f"{phrases.two_figures(held.median)} bytes"


@claim("freed-is-returned", "freed memory is returned", "Freed memory goes back to the system.", "returned")
def freed_is_returned(run: Run) -> Verdict:
    kinds = list(dict.fromkeys(benchmark.name.parameters["sizes"] for benchmark in run.series("returned")))
    if not kinds:
        raise CannotJudge("the run has no returned")
    measured = {
        (name, kind): benchmark for kind in kinds for name, benchmark in libraries(run, "returned", sizes=kind).items()
    }
    shares = {case: counter(benchmark, "returned_share_after_1s") for case, benchmark in measured.items()}
    returned = [case for case, share in shares.items() if share.low >= RETURNED]
    kept = [case for case, share in shares.items() if share.high < RETURNED]
    gave = [f"{phrases.plain(name)}, {kind} blocks" for name, kind in returned]
    have = "have" if len(gave) != 1 else "has"
    which = f": {phrases.joined(gave)}" if gave else ""
    numbers = Numbers(
        f"a second after everything is freed, {who_gave_back(returned, kept, list(shares))}",
        f"a second after everything is freed, {len(gave)} of {phrases.count(len(shares), 'case')} "
        f"({phrases.count(len(kinds), 'kind')} of blocks, {phrases.count(len({name for name, _ in shares}), 'malloc')}) {have} returned "
        f"{phrases.percent(RETURNED)} of the memory or more{which}",
    )
    if len(gave) == len(shares):
        return holds(numbers)
    if gave:
        few = phrases.joined(gave) if len(gave) <= 2 else f"{len(gave)} of {len(shares)} pairs"
        return holds_but(numbers, f"only with {few}")
    if len(kept) == len(shares):
        return does_not_hold(numbers)
    unclear = [benchmark.name.text for case, benchmark in measured.items() if case not in (*returned, *kept)]
    raise Undecided("the intervals are too wide to tell", unclear, numbers.details)


Cases = Sequence[tuple[str, str]]  # a malloc and a kind of blocks


def who_gave_back(returned: Cases, kept: Cases, cases: Cases) -> str:
    """How many mallocs have given the memory back, and whether of some kinds of blocks only."""
    mallocs, givers = dict.fromkeys(name for name, _ in cases), dict.fromkeys(name for name, _ in returned)
    kinds = dict.fromkeys(kind for _, kind in returned)
    is_known = all(case in kept for case in cases if case[0] not in givers)
    if len(mallocs) == 1:
        who = f"{names(list(mallocs))} has{'' if givers else ' not'} given the memory back"
    elif len(givers) in (0, len(mallocs)):
        who = f"{'every' if givers else 'no'} malloc has given the memory back"
    else:
        named = f": {names(list(givers))}" if len(givers) <= 2 else ""
        has = "has" if len(givers) == 1 else "have"
        only = "only " if is_known else ""
        who = f"{only}{len(givers)} of {len(mallocs)} mallocs {has} given the memory back{named}"
    if all(case in returned for case in cases if case[0] in givers):
        return who
    is_some_kinds = len(kinds) < len({kind for _, kind in cases})
    return f"{who}, but {f'only that of {phrases.joined(list(kinds))} blocks' if is_some_kinds else 'not of all kinds of blocks'}"
