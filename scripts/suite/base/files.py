"""How does a file come onto the disk whole, or not at all?"""

from __future__ import annotations

import json
import os
from pathlib import Path


def write_whole(path: Path, document: object, indent: int | None = 1) -> None:
    """Writes JSON whole or not at all: into a new file beside it, to the disk, then in its place. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    text = json.dumps(document, indent=indent, allow_nan=False) + "\n"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
