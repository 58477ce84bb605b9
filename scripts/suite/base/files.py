"""How does a command write a file so that an interrupt or a full disk never leaves half of it, and where does it keep
what it may lose?"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_LONGEST_NAME = 255  # bytes of a file's name, on every usual file system


def write_json(path: Path, document: object, indent: int | None = 1) -> None:
    """Writes the document as JSON with write_whole. Raises ValueError for a number that is not finite."""
    write_whole(path, json.dumps(document, indent=indent, allow_nan=False) + "\n")


def write_whole(path: Path, content: bytes | str) -> None:
    """Makes the folder, writes a new file next to the path, flushes it to the disk, and renames it to the path. Raises
    OSError, which names the path.

    A link, a device or a pipe cannot be replaced so: it keeps its place and is written directly.
    """
    encoded = content.encode() if isinstance(content, str) else content
    with _errors_name(path):
        if _keeps_its_place(path):
            with open(_opened_in_place(path), "wb") as file:
                file.write(encoded)
            return
        _make_folder(path.parent)
        with _written_beside(path, encoded) as temporary:
            os.replace(temporary, path)


def append(path: Path, text: str) -> None:
    """Writes the text at the end of a file that others write to as well. Raises OSError, which names the path."""
    with _errors_name(path), open(_opened_in_place(path, os.O_APPEND), "a", encoding="utf-8") as file:
        file.write(text)


def own_place(path: Path) -> Path:
    """The path, which the suite has chosen and not the user. A link or a pipe that somebody has put there is deleted, because
    write_whole would write to where it leads. Raises OSError."""
    if _keeps_its_place(path) and (path.is_symlink() or not path.is_dir()):
        with _errors_name(path):
            path.unlink()
    return path


def write_new(path: Path, content: str) -> None:
    """Writes the file whole, as write_whole does, but never replaces a file: of several processes, one writes.

    The others get FileExistsError. Raises OSError, which names the path.
    """
    with _errors_name(path), _written_beside(path, content.encode()) as temporary:
        try:
            os.link(temporary, path)
        except PermissionError:  # a file system without hard links, such as exFAT
            with open(path, "x") as file:
                file.write(content)


def try_file(path: Path) -> None:
    """Raises the OSError that write_whole would raise for this path, before the work whose result it is to write. Leaves
    nothing behind, and changes no file."""
    with _errors_name(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not _keeps_its_place(path):
            _try_names(path.parent, path.name)
        elif path.is_file():
            open(path, "r+b").close()
        elif path.exists():
            _tried[os.path.abspath(path)] = _opened_in_place(path)
        elif (target := Path(os.path.realpath(path))).is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        else:
            _try_names(target.parent, target.name)


def try_folder(path: Path) -> None:
    """As try_file, for a folder to write files into, which need not exist yet."""
    with _errors_name(path):
        _try_names(path)


@contextlib.contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    """Lets every error of the disk name the path: an error of writing names no file, and another error the temporary file,
    which tells the user nothing."""
    try:
        yield
    except OSError as problem:
        problem.filename, problem.filename2 = str(path), None
        raise


def _keeps_its_place(path: Path) -> bool:
    return path.is_symlink() or (path.exists() and not path.is_file())


_tried: dict[str, int] = {}  # open files of paths that keep their place: to close a pipe would end its reader


def _opened_in_place(path: Path, how: int = os.O_TRUNC) -> int:
    """What stands at the path, or behind the link there, open to write. A pipe without a reader is not waited for. A disk is
    never written to. Raises OSError."""
    if (tried := _tried.pop(os.path.abspath(path), None)) is not None:
        return tried
    if path.is_block_device():
        raise PermissionError(errno.EPERM, "it is a disk")
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | how | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as problem:
        if problem.errno == errno.ENXIO:
            problem.strerror = "nothing reads from it"
        raise
    os.set_blocking(file, True)
    return file


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # what exists is not a folder
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def _try_names(folder: Path, *names: str) -> None:
    """Writes a file into the folder, or into the nearest folder above it that exists, and deletes it. Raises OSError."""
    there = next((part for part in (folder, *folder.parents) if os.path.lexists(part)), Path())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if any(len(os.fsencode(name)) > _LONGEST_NAME for name in (*folder.parts, *names)):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    with _written_beside(there / ".tried", b"\n"):
        pass


@contextlib.contextmanager
def _written_beside(path: Path, content: bytes) -> Iterator[Path]:
    """A temporary file next to the path, with the content on the disk; nothing is left of it at the end."""
    short = os.fsdecode(os.fsencode(path.name)[: _LONGEST_NAME // 2])  # what is added must fit
    temporary = path.with_name(f".{short}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def lock_file(file: IO[bytes], wait: bool = False) -> None:
    """Locks the file until it is closed, or its process ends. Raises BlockingIOError if another process has locked it. Some
    file systems of clusters know no locks: there, nothing keeps others away."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        if problem.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
            problem.filename = str(file.name)
            raise


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
