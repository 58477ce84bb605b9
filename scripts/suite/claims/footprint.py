"""Claims about the memory overhead of memory management."""

from __future__ import annotations

from suite.base import phrases
from suite.claims.inputs import counter, libraries
from suite.claims.verdict import CannotJudge, Undecided, Verdict, claim, does_not_hold, holds, holds_but
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
    text = f"in {ends}, a malloc holds at its worst for each requested byte: {', '.join(parts)}"
    without = {name: [size for size in over if over[size].low <= METADATA] for name, over in held.items()}
    if all(len(without[name]) == len(over) for name, over in held.items()):
        return does_not_hold(text)
    free = [f"{phrases.plain(name)} {len(few)} of {len(held[name])}" for name, few in without.items() if few]
    return holds_but(text, f"under {METADATA - 1:.0%} in some sizes: {phrases.joined(free)}") if free else holds(text)


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
    text = (
        f"a second after everything is freed, {len(gave)} of {phrases.count(len(shares), 'case')} "
        f"({phrases.count(len(kinds), 'kind')} of blocks, each malloc) {'have' if len(gave) != 1 else 'has'} returned "
        f"{phrases.percent(RETURNED)} of the memory or more"
    )
    if len(gave) == len(shares):
        return holds(text)
    if gave:
        return holds_but(text, f"only with {phrases.joined(gave)}")
    if len(kept) == len(shares):
        return does_not_hold(text)
    unclear = [benchmark for name, benchmark in measured.items() if name not in (*gave, *kept)]
    raise Undecided(f"the intervals are too wide to tell: {text}", [benchmark.name.text for benchmark in unclear])
