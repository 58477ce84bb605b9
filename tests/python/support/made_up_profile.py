"""What does a program ask of malloc that nobody ran? A profile of a recording, as the measuring program prints it."""

from __future__ import annotations

from suite.results.model import Document


def document(stack_like: int = 500) -> Document:
    """1,000 blocks, of which so many are stack-like: at most 600."""
    short, rest = min(stack_like, 400), stack_like - min(stack_like, 400)
    return {
        "format": 1, "command": ["./parse", "--all"], "process": 100, "parent": 0, "ended": "exit", "events": 1902,
        "unseen": 0, "threads": 1, "lanes": 1,
        "calls": {
            "malloc": 700, "calloc": 100, "aligned": 0, "new": 150, "realloc": 50, "free": 750, "delete": 150, "failed": 0,
            "free_unknown": 0, "all": 1900,
        },
        "allocations": 1000, "allocations_before_main": 3, "bytes": 100_000,
        "sizes": {"p50": 24, "p90": 200, "p99": 2000, "max": 4096}, "lifetimes": {"p50": 0, "p90": 20, "p99": 500},
        "live": {
            "peak_bytes": 9000, "peak_blocks": 90, "final_bytes": 5000, "final_blocks": 50,
            "series": [[600, 8000], [1200, 9000], [1902, 5000]],
        },
        "never_freed": {"blocks": 50, "bytes": 5000}, "freed_by_other": {"blocks": 0, "bytes": 0},
        "stack_like": {"blocks": stack_like, "bytes": 100 * stack_like}, "temporary": {"blocks": 450, "bytes": 40_000},
        "region_like": {"blocks": 300, "bytes": 30_000},
        "heat": {
            "size_edges": [0, 8, 16, 32, 64], "lifetime_edges": [0, 1, 4],
            "blocks": [[0, 0, 0, 0], [100, 50, 0, 0], [400, 100, 50, 50], [100, 50, 50, 0], [0, 50, 0, 0]],
            "stack_like": [[0, 0, 0, 0], [0, rest // 4, 0, 0], [short, rest // 4, 0, 0], [rest - 2 * (rest // 4), 0, 0, 0],
                           [0, 0, 0, 0]],
        },
    }  # fmt: skip
