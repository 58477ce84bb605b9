"""Charts of the whole run on the textbook's machine."""

from __future__ import annotations

from collections.abc import Mapping

from support.textbook import Family

FAMILIES: Mapping[str, Family] = {}

TITLES = {"claims": "Of 25 common claims about stack and heap, 9 hold here, 9 with a condition and 3 do not"}

EQUAL_TITLES: Mapping[str, str] = {}
