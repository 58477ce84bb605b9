"""Which colour and shape does each strategy have? The same in every chart.

The seven leading colours were chosen by search: distinguishable by eyes without red, green or blue cones (Machado,
Oliveira and Fernandes 2009), different in grey, and 3:1 or more against the page. Shape and dashes repeat the
distinction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

_BLUE = ("#0d4dc7", "#4b7eff")
_GREEN = ("#3f9a80", "#77d1a9")

# The program says which idea a strategy follows. Strategies of an idea get its marks in the program's order.
_BY_IDEA: Mapping[str, Sequence[Mark]] = {
    "control": (QUIET,),
    "stack": (Mark(*_BLUE, "o"), Mark(*_BLUE, "v"), Mark(*_BLUE, "^"), Mark(*_BLUE, "D")),
    "arena": (
        Mark(*_GREEN, "s"), Mark(*_GREEN, "d", ":"), Mark(*_GREEN, "p", "-."), Mark(*_GREEN, "8"),
        Mark(*_GREEN, "h", "--"),
    ),
    "heap": (Mark(STRONG.light, STRONG.dark, "*", ":"), Mark(STRONG.light, STRONG.dark, "<")),
}  # fmt: skip

# Malloc libraries have a colour each, also in the order of the list; libraries of --allocator come last.
_LIBRARIES = (
    Mark("#ce5404", "#fd822e", "^"),
    Mark("#673a00", "#fed53d", "D", "--"),
    Mark("#d06ae6", "#a677a9", "v"),
    Mark("#a73662", "#e54252", "P", "-."),
    Mark("#4c057d", "#baa6fc", "X", ":"),
)
# Kinds of operations: the colours of the strategies where a kind has some, else of the libraries.
OF_KIND: Mapping[str, Mark] = {
    "core": STRONG, "stack": Mark(*_BLUE), "arena": Mark(*_GREEN), "malloc": _LIBRARIES[0], "caches": _LIBRARIES[2],
    "memory": _LIBRARIES[4], "system": _LIBRARIES[3], "threads": _LIBRARIES[1],
}  # fmt: skip
_SPARE_COLOURS = (("#0a7d95", "#4fc3d9"), ("#7d6b00", "#cdb93a"), ("#8a1c1c", "#ff9d96"), ("#3d5a1e", "#a9d06b"))
_SPARE_MARKERS = (">", "H", "p", "8", "d")
_SPARE_DASHES = ("--", "-.", ":")


def mark_of(run: Run, name: str) -> Mark:
    """The mark of a strategy: by its idea, or its own if it is a malloc library. STRONG if the run knows neither."""
    libraries = run.malloc_order
    if name in libraries:
        return _library_mark(libraries.index(name))
    idea = run.ideas.get(name, "")
    alike = [strategy for strategy, its_idea in run.ideas.items() if its_idea == idea and strategy not in libraries]
    marks = _BY_IDEA.get(idea, ())
    return marks[alike.index(name) % len(marks)] if marks else STRONG


def _library_mark(index: int) -> Mark:
    if index < len(_LIBRARIES):
        return _LIBRARIES[index]
    spare = index - len(_LIBRARIES)
    colour = _SPARE_COLOURS[spare % len(_SPARE_COLOURS)]
    return Mark(*colour, _SPARE_MARKERS[spare % len(_SPARE_MARKERS)], _SPARE_DASHES[spare % len(_SPARE_DASHES)])
