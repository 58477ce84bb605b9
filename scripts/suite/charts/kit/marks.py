"""Which colour and shape does each strategy have? The same in every chart.

The seven leading colours were chosen by search: told apart by eyes without red, green or blue cones (Machado, Oliveira
and Fernandes 2009), different in grey, and 3:1 or more against the page. Shape and dashes say the same once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suite.results.model import Run


@dataclass(frozen=True)
class Mark:
    """Colour on a light and on a dark page, shape of the points, dashes of the line."""

    light: str
    dark: str
    marker: str = "o"
    dashes: str = "-"

    def colour(self, theme: str) -> str:
        return self.light if theme == "light" else self.dark


STRONG = Mark("#1c2026", "#eceff4")
QUIET = Mark("#5b6470", "#a3acb9", "s", "--")

_BLUE = ("#0d4dc7", "#4b7eff")  # the stack and what borrows its idea
_GREEN = ("#3f9a80", "#77d1a9")  # arenas and pools

_MARKS: Mapping[str, Mark] = {
    "none": QUIET,
    "stack_array": Mark(*_BLUE, "o"),
    "alloca": Mark(*_BLUE, "v"),
    "thread_local": Mark(*_BLUE, "D"),
    "small_buffer": Mark(*_BLUE, "^"),
    "arena": Mark(*_GREEN, "s"),
    "pool": Mark(*_GREEN, "h", "--"),
    "pmr_monotonic": Mark(*_GREEN, "d", ":"),
    "pmr_pool": Mark(*_GREEN, "p", "-."),
    "pmr_sync_pool": Mark(*_GREEN, "8"),
    "glibc": Mark("#ce5404", "#fd822e", "^"),
    "mimalloc": Mark("#673a00", "#fed53d", "D", "--"),
    "jemalloc": Mark("#d06ae6", "#a677a9", "v"),
    "tcmalloc": Mark("#a73662", "#e54252", "P", "-."),
    "tbbmalloc": Mark("#4c057d", "#baa6fc", "X", ":"),
    "new_delete": Mark(STRONG.light, STRONG.dark, "<"),
    "mmap": Mark(STRONG.light, STRONG.dark, "*", ":"),
}

# For mallocs the suite does not know: --allocator NAME=FILE.
_SPARE_COLOURS = (("#0a7d95", "#4fc3d9"), ("#7d6b00", "#cdb93a"), ("#8a1c1c", "#ff9d96"), ("#3d5a1e", "#a9d06b"))
_SPARE_MARKERS = (">", "H", "p", "8", "d")
_SPARE_DASHES = ("--", "-.", ":")


def mark_of(run: Run, name: str) -> Mark:
    """The strategy's own mark; spare ones go to the run's other mallocs in the order of their names."""
    if name in _MARKS:
        return _MARKS[name]
    others = sorted(set(run.strategies()) & set(run.mallocs()) - set(_MARKS))
    if name not in others:
        return STRONG
    index = others.index(name)
    colour, marker, dashes = (each[index % len(each)] for each in (_SPARE_COLOURS, _SPARE_MARKERS, _SPARE_DASHES))
    return Mark(colour[0], colour[1], str(marker), str(dashes))
