"""Claims about the memory overhead of memory management."""

from __future__ import annotations

from suite.base import phrases
from suite.claims.inputs import counter, libraries
from suite.claims.verdict import (
    CannotJudge,
    Undecided,
    Verdict,
    claim,
    does_not_hold,
    figures,
    holds,
    holds_but,
    interval,
    listed,
    names,
)
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
    small, large = (
        {name: counter(benchmark, HELD) for name, benchmark in libraries(run, "overhead", bytes=size).items()}
        for size in (sizes[0], sizes[-1])
    )
    text = f"for each requested byte in blocks of {sizes[0]} B, a malloc holds: {listed(small, _per_byte)}"
    with_metadata = [name for name, held in small.items() if held.low > METADATA]
    if not with_metadata:
        return does_not_hold(text)
    if len(with_metadata) < len(small):
        without = [name for name in small if name not in with_metadata]
        return holds_but(text, f"under {METADATA - 1:.0%} with {names(without)}")
    if len(sizes) > 1 and all(held.high <= METADATA for held in large.values()):
        return holds_but(text, f"under {METADATA - 1:.0%} in blocks of {sizes[-1]:,} B")
    return holds(text)


def _per_byte(held: Estimate) -> str:
    return f"{figures(held.median)}{interval(held)}"


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
