"""How are numbers, sizes and foreign text written for a reader?"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from functools import cache

from suite.stats.estimates import Estimate

LONGEST_LABEL = 24  # letters of a run's name: several stand in a line of a chart
_UNDRAWN = re.compile("[^ -\u024f\u0380-\u0524]")  # not in DejaVu Sans, the font of the charts
_UNSEEN = re.compile(  # letters that Python takes for printable, and that Unicode lets a reader leave out
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_MOST_MARKS = 4  # above and below a letter: no script has more, and a heap of them covers the lines around
_MAYBE_MARKS = re.compile(r"[^\w\s\x00-\u02ff]{5,}")  # what is neither letter nor digit, beyond Latin
_TIME_STEPS: Sequence[tuple[float, str]] = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
_SIZE_STEPS: Sequence[tuple[float, str]] = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


def three_figures(value: float) -> str:
    """Three significant figures; numbers from 100 on as whole numbers, and none above 1e-12 with an exponent."""
    text = f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:.3g}"
    return f"{Decimal(text):f}" if "e" in text and abs(value) > 1e-12 else text


def _step(value: float, steps: Sequence[tuple[float, str]]) -> tuple[float, str]:
    """The largest unit that fits the value as it is written: 1 MiB, not 1,024 KiB."""
    return next((step for step in steps if round(abs(value) / step[0], 3) >= 1), steps[-1])


def time_text(ns: float) -> str:
    """Three significant figures in the largest unit that fits: 1.23 µs."""
    scale, unit = _step(ns, _TIME_STEPS)
    return f"{three_figures(ns / scale)} {unit}"


def interval_text(value: Estimate) -> str:
    """The interval in the unit of its median; empty where there is no interval, as with a single process."""
    if not value.has_interval:
        return ""
    scale, unit = _step(value.median, _TIME_STEPS)
    return f"{three_figures(value.low / scale)} to {three_figures(value.high / scale)} {unit}"


_LASTING: Sequence[tuple[str, float]] = (  # a unit, and how many of it make the next
    ("s", 60), ("min", 60), ("hour", 24), ("day", 365.25 / 12), ("month", 12), ("year", math.inf),
)  # fmt: skip


def lasting(seconds: float) -> str:
    """A time that people live through, with two figures in the largest unit that fits: 0.25 s, 6 min, 1 day, 1.1 years."""
    unit, number = "", 0.0
    for unit, most in _LASTING:
        number = float(f"{seconds:.2g}") if seconds < 9.95 else round(seconds)
        if number < most:
            break
        seconds = max(1.0, seconds / most)
    plural = "s" if number != 1 and unit not in ("s", "min") else ""
    return f"{three_figures(number)} {unit}{plural}"


def bytes_text(count: int) -> str:
    scale, unit = _step(count, _SIZE_STEPS)
    return f"{count if unit == 'B' else three_figures(count / scale)} {unit}"


def with_its_file(problem: OSError) -> str:
    """`out/run.json: No space left on device`: for a sentence that does not name the file itself."""
    return f"{problem.filename}: {first_line(problem)}" if problem.filename else first_line(problem)


def first_line(error: Exception) -> str:
    """Of an error of the system, the reason alone."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.partition("\n")[0][:200]


def printable(text: str, replacement: str = " ", kept: str = "") -> str:
    """The text with every letter replaced that a person cannot see, except the letters in `kept`: control characters,
    letters without width, marks that turn the direction of writing, separators of lines, unpaired surrogates, letters that
    no font has. Of many marks on a letter, only the first few stay."""
    if text.isascii() and text.isprintable():
        return text
    return _MAYBE_MARKS.sub(_few_marks, text.translate(_seen(replacement, kept)))


class _Seen(dict[int, "int | str"]):
    """For str.translate. A hostile text has every letter that there is: only so many are remembered."""

    def __init__(self, replacement: str, kept: str) -> None:
        super().__init__((ord(letter), letter) for letter in kept)
        self._replacement = replacement

    def __missing__(self, code: int) -> int | str:
        letter = chr(code)
        seen: int | str = code if letter.isprintable() and not _UNSEEN.match(letter) else self._replacement
        if len(self) < 10_000:
            self[code] = seen
        return seen


@cache
def _seen(replacement: str, kept: str) -> _Seen:
    return _Seen(replacement, kept)


def _few_marks(letters: re.Match[str]) -> str:
    few, marks = [], 0
    for letter in letters[0]:
        marks = marks + 1 if unicodedata.category(letter)[0] == "M" else 0
        if marks <= _MOST_MARKS:
            few.append(letter)
    return "".join(few)


def one_line(text: str, longest: int = 300) -> str:
    """Text of another program as one printable line of at most `longest` letters."""
    return printable(text[:longest]).strip()


def drawable(text: str) -> str:
    """The text in one line of letters that charts can draw. matplotlib hides labels that start with _."""
    return _UNDRAWN.sub("?", one_line(text)).lstrip("_ ")
