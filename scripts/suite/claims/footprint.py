"""Claims about the memory overhead of memory management."""

from __future__ import annotations

from collections.abc import Mapping

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
    """For each requested byte, the malloc that holds most, and the malloc that holds least."""
    most, least = (extreme(held, key=lambda name: held[name].median) for extreme in (max, min))
    gist = f"for each requested byte, {names([most])} holds {_bytes(held[most])} at worst"
    return gist if most == least else f"{gist}, {names([least])} {phrases.two_figures(held[least].median)}"


def _bytes(held: Estimate) -> str:
    return f"{phrases.two_figures(held.median)} bytes"


@claim("freed-is-returned", "freed memory is returned", "Freed memory goes back to the system.", "returned")
def freed_is_returned(run: Run) -> Verdict:
    kinds = list(dict.fromkeys(benchmark.name.parameters["sizes"] for benchmark in run.series("returned")))
    if not kinds:
        raise CannotJudge("the run has no returned")
    measured = {
        f"{phrases.plain(name)}, {kind} blocks": benchmark
        for kind in kinds
        for name, benchmark in libraries(run, "returned", sizes=kind).items()
    }
    shares = {name: counter(benchmark, "returned_share_after_1s") for name, benchmark in measured.items()}
    gave = [name for name, share in shares.items() if share.low >= RETURNED]
    kept = [name for name, share in shares.items() if share.high < RETURNED]
    have = "have" if len(gave) != 1 else "has"
    cases, pairs = (phrases.count(len(shares), unit) for unit in ("case", "pair"))
    which = f": {phrases.joined(gave)}" if gave else ""
    numbers = Numbers(
        f"a second after everything is freed, {len(gave)} of {pairs} of malloc and block size {have} given the "
        "memory back",
        f"a second after everything is freed, {len(gave)} of {cases} ({phrases.count(len(kinds), 'kind')} of blocks, each "
        f"malloc) {have} returned {phrases.percent(RETURNED)} of the memory or more{which}",
    )
    if len(gave) == len(shares):
        return holds(numbers)
    if gave:
        few = phrases.joined(gave) if len(gave) <= 2 else f"{len(gave)} of {len(shares)} pairs"
        return holds_but(numbers, f"only with {few}")
    if len(kept) == len(shares):
        return does_not_hold(numbers)
    unclear = [benchmark for name, benchmark in measured.items() if name not in (*gave, *kept)]
    raise Undecided("the intervals are too wide to tell", [benchmark.name.text for benchmark in unclear], numbers.details)
