"""How does a command write a file so that an interrupt or a full disk never leaves half of it?"""

from __future__ import annotations

import json
import os
from pathlib import Path


def write_json(path: Path, document: object, indent: int | None = 1) -> None:
    """Writes the document as JSON with write_whole. Raises ValueError for a number that is not finite."""
    write_whole(path, json.dumps(document, indent=indent, allow_nan=False) + "\n")


def write_whole(path: Path, content: bytes | str) -> None:
    """Writes a new file next to the path, flushes it to the disk, and renames it to the path. Raises OSError.

    A link, a device or a pipe cannot be replaced so: it keeps its place and is written directly.
    """
    encoded = content.encode() if isinstance(content, str) else content
    if path.is_symlink() or (path.exists() and not path.is_file()):
        path.write_bytes(encoded)
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(encoded)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
