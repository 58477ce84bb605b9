"""How does a command write a file so that an interrupt or a full disk never leaves half of it, and where does it keep
what it may lose?"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
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
    temporary = _temporary(path)
    try:
        _write_to_disk(temporary, encoded)
        os.replace(temporary, path)
    except BaseException as problem:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(problem, OSError):
            problem.filename, problem.filename2 = str(path), None  # the temporary file tells the user nothing
        raise


def write_new(path: Path, content: str) -> None:
    """Writes the file whole, as write_whole does, but never replaces a file: of several processes, one writes.

    The others get FileExistsError. Raises OSError.
    """
    temporary = _temporary(path)
    try:
        _write_to_disk(temporary, content.encode())
        os.link(temporary, path)
    except PermissionError:  # a file system without hard links, such as exFAT
        with open(path, "x") as file:
            file.write(content)
    finally:
        temporary.unlink(missing_ok=True)


def cache_folder(name: str) -> Path | None:
    """A folder of this user to keep files in from command to command; None where no folder can be written to."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    for folder in (home / "stackheap", Path(tempfile.gettempdir()) / f"stackheap-{os.getuid()}"):
        try:
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.stat(folder).st_uid == os.getuid() and os.access(folder / name, os.W_OK):
                return folder / name
        except OSError:
            continue
    return None


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _write_to_disk(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
