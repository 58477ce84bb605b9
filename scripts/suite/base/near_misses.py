"""Which known name did a user probably mean by a word that is not known?"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_LIKENESS = 0.66  # by difflib, from 0 to 1: of "tbl" and "tlb" it is 0.67


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean NAME?` with the known name that is most like the word; empty where no name is like it."""
    by_lower_case = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower_case, 1, _LIKENESS)
    return f"; did you mean {by_lower_case[found[0]]}?" if found else ""


def in_expression(expression: str, names: Iterable[str]) -> str:
    """The same for a regular expression that matches none of the names of benchmarks: for the first of its words that is
    not in any of them."""
    parts = {part for name in names for part in re.split("[/:]", name)}
    for word in re.findall(r"[A-Za-z_]\w+", re.sub(r"\\.", " ", expression)):
        if not any(word in part for part in parts) and (guess := did_you_mean(word, parts)):
            return guess
    return ""
