"""How is a library named in LD_PRELOAD, whose list ends a path at a space or a colon? By a link, where its path has either."""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path

PRELOAD = "LD_PRELOAD"
_SEPARATOR = re.compile(r"[:\s]")


@cache
def name_in_preload(library: Path) -> str:
    """Its path, or that of a link to it, which lives as long as this process. Raises OSError."""
    if not _SEPARATOR.search(str(library)):
        return str(library)
    folder = Path(_folder().name)
    link = folder / f"{len(list(folder.iterdir()))}-{_SEPARATOR.sub('_', library.name)}"
    link.symlink_to(library.absolute())
    return str(link)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Python removes it at its end."""
    return tempfile.TemporaryDirectory(dir="/tmp" if _SEPARATOR.search(tempfile.gettempdir()) else None)
