"""How do the pages become HTML? The template escapes all text of result files, and of a history."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from suite.base.text import printable

TEMPLATES = Path(__file__).with_name("template")
INDENT = re.compile(r"\n\s*")  # a page is a tenth smaller without
LONGEST_TEXT = 4000  # no honest fact is longer, and a hostile fact must not make the page unusable


def environment(filters: Mapping[str, Callable[..., Any]]) -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, finalize=readable,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters.update(filters)
    return made


def source(name: str) -> Markup:
    """A file of the templates, as it stands in a page: without indentation, so that the hash of a script holds."""
    return Markup(INDENT.sub("\n", (TEMPLATES / name).read_text(encoding="utf-8")))


def readable(value: object) -> object:
    """Any text without control characters and without marks that turn the direction of writing."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    text = printable(value, kept="\u00a0")
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
