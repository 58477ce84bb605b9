"""Claims about what real programs do with the heap."""

from __future__ import annotations

from suite.base import phrases
from suite.claims.inputs import counter
from suite.claims.verdict import CannotJudge, Numbers, Undecided, Verdict, claim, does_not_hold, holds, holds_but, names
from suite.results.model import Run
from suite.results.recording import MADE_UP

LARGE = 0.1  # of a program's blocks: as for costs, less than a tenth does not speak against a claim


@claim(
    "heap-outlives", "heap data outlives its function",
    "What lives on the heap must outlive the function that made it.", "replay",
)  # fmt: skip
def heap_outlives(run: Run) -> Verdict:
    """A recording is counted as a whole, so its shares have no interval unless its processes differ."""
    replayed = {benchmark.name.parameters.get("recording", ""): benchmark for benchmark in run.series("replay", "none")}
    recordings = {name: benchmark for name, benchmark in replayed.items() if name != MADE_UP}
    blocks = {name: counter(benchmark, "allocations").median for name, benchmark in recordings.items()}
    shares = {name: counter(recordings[name], "stack_like_share") for name, number in blocks.items() if number > 0.0}
    if not shares:
        raise CannotJudge("the run has no replay of a program's recording with blocks")
    stack_like = sum(share.median * blocks[name] for name, share in shares.items())
    numbers = Numbers(
        f"of the heap blocks of real programs, {phrases.with_extremes(shares, phrases.share)} die last in, first out, as on a "
        "stack",
        f"of the blocks of {phrases.count(len(shares), 'recorded program')}, "
        f"{phrases.with_extremes(shares, phrases.share)} die last in, first out, as on a stack; "
        f"of all {sum(blocks.values()):,.0f} blocks {phrases.share(stack_like / sum(blocks.values()))}",
    )
    many = [name for name, share in shares.items() if share.low >= LARGE]
    few = [name for name, share in shares.items() if share.high < LARGE]
    if len(many) + len(few) < len(shares):
        unclear = [recordings[name].name.text for name in shares if name not in (*many, *few)]
        raise Undecided("the intervals are too wide to tell", unclear, numbers.details)
    if not few:
        return does_not_hold(numbers)
    return holds_but(numbers, f"not for {names(many)}") if many else holds(numbers)
