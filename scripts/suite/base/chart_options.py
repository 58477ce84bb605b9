"""Which charts are there, and how can they look? Known without matplotlib, which takes half a second to load."""

from __future__ import annotations

import re
from pathlib import Path

FORMATS = ("svg", "png", "pdf")
THEMES = ("light", "dark")
TALK = "talk"  # a slide of 16:9
PAPER = "paper"  # a column of 8 cm
PORTRAIT = "portrait"  # a page of A3, to print: only for charts that say so

CHARTS = Path(__file__).resolve().parents[1] / "charts"


def charts_with(constant: str = "QUESTION") -> list[str]:
    """The charts whose files define this constant; every chart has a question."""
    line = re.compile(rf"^{constant} = ", re.MULTILINE)
    return [file.stem for file in sorted(CHARTS.glob("*.py")) if line.search(file.read_text(encoding="utf-8"))]
