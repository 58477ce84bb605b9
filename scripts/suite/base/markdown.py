"""How does text from a file stand in Markdown, HTML and a forge as it is?"""

from __future__ import annotations

import re

from suite.base.text import printable

# Names of benchmarks and paths, which are harmless as code.
_NAME = re.compile(r"(?<![\w/.:+-])(?:\.{0,2}/)?[a-z_.][\w.+-]*(?:/[\w:.+-]*[\w+-])+", re.ASCII | re.IGNORECASE)
# What Markdown, HTML or a forge (mentions, issues, links, milestones, emoji) would read, in the middle of a line or at
# the beginning of an item. The rest stays as it is, because Markdown is also read in logs and mails.
_SPECIAL = re.compile(
    r"""[`*\[\]<>~$\\|@#] | &(?=[#\w]) | !(?=\d) | %(?=[\w"]) | ^[-+](?=\s) | ^\d+(?=[.)]\s)
    | (?<![^\W_])_ | _(?![^\W_])    # emphasis, unless it is inside a word
    | :(?=//) | :(?=[\w+-]+:) | (?<=www)\.""",
    re.VERBOSE | re.IGNORECASE,
)
# A forge looks for mentions and issues after the entities are replaced: a space without width keeps the word apart.
_WRITTEN = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "@&#8203;", "#": "#&#8203;"}


def plain(text: str) -> str:
    """The text without control characters, unpaired surrogates, and signs that turn the direction of writing."""
    return printable(text, "\N{REPLACEMENT CHARACTER}")


def escaped(text: str) -> str:
    """The text so that Markdown, HTML and a forge show it as it is, with names as code."""
    text, pieces, end = plain(text), [], 0
    for name in _NAME.finditer(text):
        pieces += [_escaped_words(text[end : name.start()]), code(name[0])]
        end = name.end()
    return "".join((*pieces, _escaped_words(text[end:])))


def _escaped_words(text: str) -> str:
    return _SPECIAL.sub(lambda match: _WRITTEN.get(match[0]) or _as_number(match), text)


def code(text: str) -> str:
    """The text as code: in backticks where it is harmless there."""
    harmless = text and text == plain(text).strip() and not set(text) & set("`|<>$\\")
    return f"`{text}`" if harmless else f"<code>{re.sub(r'[^A-Za-z0-9]', _as_number, plain(text))}</code>"


def _as_number(match: re.Match[str]) -> str:
    return "".join(f"&#{ord(letter)};" for letter in match[0])
