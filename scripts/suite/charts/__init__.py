"""Which charts are there, and how does one become files? Every module here that has a QUESTION and draws is a chart."""

from __future__ import annotations

import importlib
import io
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
from matplotlib import ft2font

from suite import results
from suite.charts.frame import FORMATS, SIZES, THEMES, drawing, look, styled

__all__ = ["FORMATS", "MAKER", "SIZES", "THEMES", "chart", "charts", "draw", "draw_all", "drawing", "look", "render"]

# Who drew a file: other versions of these set the same text a little differently.
MAKER = f"Matplotlib {matplotlib.__version__}, FreeType {ft2font.__freetype_version__}"


@dataclass(frozen=True)
class chart:
    """One question about one family, and the function that draws the answer, or None where the run has no data."""

    name: str  # of its module and its files
    family: str
    question: str
    draw: Callable[[results.run, look], drawing | None]


@cache
def charts() -> dict[str, chart]:
    """Every chart by name."""
    modules = {one.name: importlib.import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)}
    return {
        name: chart(name, module.FAMILY, module.QUESTION, module.draw)
        for name, module in sorted(modules.items())
        if hasattr(module, "QUESTION")
    }


def draw(run: results.run, name: str, how: look = look()) -> drawing | None:
    """The chart of this name; None where the run has no data for it."""
    with styled(how):
        return charts()[name].draw(run, how)


def render(drawn: drawing, file_format: str) -> bytes:
    """The file's content: the same for the same data, whenever it is drawn."""
    content = io.BytesIO()
    with styled(drawn.look):
        drawn.figure.savefig(content, format=file_format, metadata=_metadata(drawn, file_format))
    return content.getvalue()


def draw_all(
    run: results.run,
    folder: Path,
    formats: Sequence[str] = ("svg", "png"),
    theme: str = "light",
    size: str = "talk",
    names: Iterable[str] | None = None,
) -> list[Path]:
    """Draws the charts the run has data for into the folder, and returns the files. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name in charts() if names is None else names:
        drawn = draw(run, name, look(theme, size))
        if drawn is None:
            continue
        for file_format in formats:
            file = folder / f"{name}{drawn.look.suffix}.{file_format}"
            file.write_bytes(render(drawn, file_format))
            files.append(file)
    return files


def _metadata(drawn: drawing, file_format: str) -> dict[str, str | None]:
    if file_format == "svg":
        return {"Title": drawn.title, "Description": drawn.alt, "Date": None, "Creator": MAKER}
    if file_format == "pdf":
        return {"Title": drawn.title, "Subject": drawn.alt, "CreationDate": None}
    return {"Title": drawn.title, "Description": drawn.alt, "Software": None}
