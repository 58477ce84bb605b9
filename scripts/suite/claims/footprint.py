"""Claims about the memory overhead of memory management."""

from __future__ import annotations

from suite.base import phrases
from suite.claims.inputs import counter, libraries
from suite.claims.verdict import CannotJudge, Undecided, Verdict, claim, does_not_hold, holds, holds_but, names
from suite.results import query
from suite.results.model import Run

HELD = "resident_bytes_per_byte"
METADATA = 1.01  # one hundredth more than requested is room for metadata
RETURNED = 0.9


@claim("bookkeeping", "the heap needs metadata", "The heap needs room for its metadata.", "overhead")
def bookkeeping(run: Run) -> Verdict:
    sizes = query.numbers(run, "bytes", "overhead")
    if not sizes:
        raise CannotJudge("the run has no overhead")
    held = {
        size: {name: counter(benchmark, HELD) for name, benchmark in libraries(run, "overhead", bytes=size).items()}
        for size in sizes
    }
    spans = {f"in blocks of {size:,} B": phrases.with_extremes(by_name) for size, by_name in held.items()}
    text = f"for each requested byte, a malloc holds {phrases.joined([f'{text} {name}' for name, text in spans.items()])}"
    without = {
        f"{size:,} B": [name for name, multiple in by_name.items() if multiple.low <= METADATA]
        for size, by_name in held.items()
    }
    if all(len(without[f"{size:,} B"]) == len(held[size]) for size in sizes):
        return does_not_hold(text)
    free = {size: names_without for size, names_without in without.items() if names_without}
    if free:
        where = "; ".join(f"in blocks of {size} with {names(names_without)}" for size, names_without in free.items())
        return holds_but(text, f"under {METADATA - 1:.0%} {where}")
    return holds(text)


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
