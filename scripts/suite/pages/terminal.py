"""How does the output of a command look on a terminal? A picture of it in SVG, drawn from the same tables and lines."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterable
from importlib.metadata import version

from rich.console import Console, RenderableType
from rich.terminal_theme import MONOKAI

from suite.base.cli import PLAIN_WIDTH

# As Rich has it, but with the reader's own letters: a font from the network would not come. Rich sets the length of each text.
_FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<title>@title@</title>
<desc>@text@</desc>
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:creator>Rich @version@</dc:creator>\
<dc:title>@title@</dc:title><dc:description>@text@</dc:description></metadata>
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def picture(command: str, output: Iterable[RenderableType]) -> bytes:
    """The command as a user types it, and below it what it prints. The whole text is also the picture's description."""
    console = Console(
        record=True, width=PLAIN_WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor", highlight=False
    )
    console.print(f"[bold]$ {command}[/bold]")
    for part in output:
        console.print(part)
    text = html.escape(console.export_text(clear=False), quote=False)
    words = {"title": html.escape(command, quote=False), "text": text, "version": version("rich")}
    filled = {name: word.replace("{", "{{").replace("}", "}}") for name, word in words.items()}
    code_format = re.sub("@(title|text|version)@", lambda place: filled[place[1]], _FORMAT)
    drawn = console.export_svg(title="stackheap", theme=MONOKAI, code_format=code_format, unique_id="terminal")
    return "".join(f"{line.rstrip()}\n" for line in drawn.splitlines()).encode()
