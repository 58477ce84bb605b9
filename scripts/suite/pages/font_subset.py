"""How does a page carry its charts' font? The letters it needs, as a font for the screen and as outlines for files."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from matplotlib import font_manager

FAMILY = "DejaVu Sans"  # that of suite.mplstyle; it comes with matplotlib


@dataclass(frozen=True)
class EmbeddedFont:
    weight: str  # normal or bold
    woff: str  # base64
    units: int  # of the font in one em
    outlines: dict[str, tuple[int, str]]  # of each character: its width in units, and its path, upwards


def carry(weight: str, letters: str) -> EmbeddedFont:
    """The font with these letters only."""
    file = font_manager.findfont(font_manager.FontProperties(family=FAMILY, weight=weight))
    with TTFont(file, lazy=True, recalcTimestamp=False) as font:
        options = Options(flavor="woff", hinting=False, desubroutinize=True, notdef_outline=True)
        options.layout_features = ["kern"]
        options.drop_tables = [*options.drop_tables, "FFTM"]  # when it was made
        subsetter = Subsetter(options)
        subsetter.populate(text=letters)
        subsetter.subset(font)
        content = io.BytesIO()
        font.flavor = "woff"
        font.save(content)
        return EmbeddedFont(
            weight, base64.b64encode(content.getvalue()).decode(), font["head"].unitsPerEm, _outlines(font, letters)
        )


def _outlines(font: TTFont, letters: str) -> dict[str, tuple[int, str]]:
    glyphs, names = font.getGlyphSet(), font.getBestCmap()
    outlines = {}
    for letter in letters:
        name = names.get(ord(letter))
        if name is not None:
            pen = SVGPathPen(glyphs)
            glyphs[name].draw(pen)
            outlines[letter] = (glyphs[name].width, pen.getCommands())
    return outlines
