"""Is a file written as a whole, whatever stands at its path, and is there a folder for what may be lost?"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import re
import stat
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from suite.base.files import append, cache_folder, lock_file, own_place, try_file, try_folder, write_new, write_whole
from suite.base.text import with_its_file
from support import ROOT

# ---- written whole


def test_text_and_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    write_whole(tmp_path / "text", "µs\r\n")
    write_whole(tmp_path / "bytes", b"\xff\x00")
    assert (tmp_path / "text").read_bytes() == "µs\r\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\xff\x00"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bytes", "text"]


@pytest.mark.hostile("disk fault")
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "page.html"
    write_whole(file, "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old")
    link.symlink_to(file)
    write_whole(link, "new")
    assert link.is_symlink() and file.read_text() == "new"


def test_a_device_is_written_not_replaced() -> None:
    write_whole(Path("/dev/null"), "gone")
    assert Path("/dev/null").is_char_device()


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "folder" / "page.html", "new")
    assert (tmp_path / "new" / "folder" / "page.html").read_text() == "new"


def test_the_longest_name_of_a_file_can_be_written(tmp_path: Path) -> None:
    name = "ä" * 127 + "x"  # 255 bytes, and the temporary file's name is longer
    try_file(tmp_path / name)
    write_whole(tmp_path / name, "new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(name, "new")]


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_never_replaces_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    write_new(tmp_path / "plan", "first")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "plan", "second")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("plan", "first")]


def test_the_cache_is_where_it_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    assert cache_folder("fonts") == tmp_path / "mine/stackheap/fonts"
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    found = cache_folder("fonts")
    assert found == tmp_path / f"temporary/stackheap-{os.getuid()}/fonts" and found.is_dir()
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    assert cache_folder("fonts") is None


def test_a_cache_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert cache_folder("fonts") is None


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as inside:
        write_whole(tmp_path / "file" / "page.html", "new")
    assert inside.value.filename == str(tmp_path / "file" / "page.html")


# ---- errors of the disk

REASONS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE, errno.EDQUOT, errno.EFBIG)
CALLS = ("mkdir", "open", "write", "fsync", "replace")


@pytest.mark.hostile("disk fault")
@pytest.mark.parametrize("reason", REASONS, ids=errno.errorcode.get)
@pytest.mark.parametrize("call", CALLS)
def test_an_error_of_the_disk_names_the_file_and_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, reason: int
) -> None:
    """Also an error of writing, which names no file itself, and of the temporary file, which tells the user nothing."""
    file = tmp_path / "folder" / "page.html"
    faulty(monkeypatch, call, reason)
    with pytest.raises(OSError) as failed:
        write_whole(file, "new")
    assert (failed.value.errno, failed.value.filename, failed.value.filename2) == (reason, str(file), None)
    monkeypatch.undo()
    assert not [left for left in tmp_path.rglob("*") if left.is_file()]


@pytest.mark.hostile("disk fault")
@pytest.mark.parametrize("reason", REASONS, ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ("open", "write", "fsync"))
def test_a_place_that_cannot_be_written_to_is_found_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, reason: int
) -> None:
    faulty(monkeypatch, call, reason)
    for try_path in (try_file, try_folder):
        with pytest.raises(OSError) as failed:
            try_path(tmp_path / "new" / "x")
        assert (failed.value.errno, failed.value.filename) == (reason, str(tmp_path / "new" / "x"))
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())


def faulty(monkeypatch: pytest.MonkeyPatch, call: str, reason: int) -> None:
    """Lets a call of the system fail."""

    def fail(*_: object, **__: object) -> NoReturn:
        raise OSError(reason, os.strerror(reason))

    class Unwritable(io.BytesIO):
        write = fail

        def fileno(self) -> int:
            return 0

    if call == "write":
        monkeypatch.setattr("builtins.open", lambda *_, **__: Unwritable())
    else:
        monkeypatch.setattr("builtins.open" if call == "open" else f"os.{call}", fail)


@pytest.mark.hostile("disk fault")
def test_a_device_without_room_is_named() -> None:
    with pytest.raises(OSError) as full:
        write_whole(Path("/dev/full"), "new")
    assert (full.value.errno, full.value.filename) == (errno.ENOSPC, "/dev/full")


def test_what_can_be_written_is_tried_without_a_trace(tmp_path: Path) -> None:
    kept, link, dangling = tmp_path / "kept", tmp_path / "link", tmp_path / "dangling"
    kept.write_text("old")
    link.symlink_to(kept)
    dangling.symlink_to(tmp_path / "nothing")
    before = sorted(tmp_path.iterdir())
    for file in (*before, tmp_path / "new", tmp_path / "new" / "deep" / "x", Path("/dev/null")):
        try_file(file)
    for folder in (tmp_path, tmp_path / "new", tmp_path / "new" / ".." / "deep"):
        try_folder(folder)
    assert sorted(tmp_path.iterdir()) == before and kept.read_text() == "old"


def test_text_is_added_to_a_file(tmp_path: Path) -> None:
    for text in ("first µs\n", "second\n"):
        append(tmp_path / "outputs", text)
    assert (tmp_path / "outputs").read_text(encoding="utf-8") == "first µs\nsecond\n"


def test_a_pipe_is_written_to_while_something_reads_from_it(tmp_path: Path) -> None:
    """Its reader ends where the last writer closes it: what is tried stays open until it is written."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        for name in ("pipe", "link"):
            try_file(tmp_path / name)
            with pytest.raises(BlockingIOError):  # b"" would be the end
                os.read(reader, 10)
            write_whole(tmp_path / name, "new")
            assert (os.read(reader, 10), os.read(reader, 10)) == (b"new", b"")
        try_file(tmp_path / "pipe")
    finally:
        os.close(reader)
    with pytest.raises(BrokenPipeError) as refused:
        write_whole(tmp_path / "pipe", "new")
    assert refused.value.filename == str(tmp_path / "pipe")


@pytest.mark.hostile("disk fault")
@pytest.mark.parametrize("make", [os.mkfifo, lambda file: os.mknod(file, stat.S_IFSOCK)], ids=("pipe", "socket"))
@pytest.mark.parametrize("write", [try_file, partial(write_whole, content="new"), partial(append, text="new")],
                         ids=("tried", "written", "appended"))  # fmt: skip
def test_what_nothing_reads_from_is_refused_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[str], None], write: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    make("x")
    with pytest.raises(OSError) as refused:
        write(Path("x"))
    assert (refused.value.strerror, refused.value.filename) == ("nothing reads from it", "x")


@pytest.mark.hostile("disk fault")
def test_a_disk_is_never_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kept").write_text("old")
    (tmp_path / "disk").symlink_to("kept")
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    monkeypatch.setattr(Path, "is_block_device", lambda path: True)
    writes: list[Callable[[Path], None]] = [try_file, partial(write_whole, content="new"), partial(append, text="new")]
    for write in writes:
        with pytest.raises(OSError, match="it is a disk"):
            write(tmp_path / "disk")
    assert (tmp_path / "kept").read_text() == "old"


@pytest.mark.hostile("disk fault")
@pytest.mark.parametrize("make", [lambda file: file.symlink_to("kept"), lambda file: file.symlink_to("nothing"), os.mkfifo],
                         ids=("link", "link to nothing", "pipe"))  # fmt: skip
def test_what_somebody_put_into_the_place_of_a_result_is_replaced(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "kept").write_text("old")
    make(tmp_path / "run.json")
    write_whole(own_place(tmp_path / "run.json"), "new")
    assert (tmp_path / "kept").read_text() == "old" and not (tmp_path / "run.json").is_symlink()
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"kept": "old", "run.json": "new"}
    assert own_place(tmp_path) == tmp_path and tmp_path.is_dir()


# ---- locks


def test_a_lock_keeps_others_away_until_the_file_is_closed(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with open(file, "wb") as first:
        lock_file(first)
        with open(file, "rb") as second, pytest.raises(BlockingIOError):
            lock_file(second)
    with open(file, "rb") as third:
        lock_file(third, wait=True)


def fails_with(code: int) -> Callable[..., NoReturn]:
    def flock(*_: object) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return flock


@pytest.mark.hostile("disk fault")
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP], ids=["NFS", "Lustre", "FUSE"])
def test_a_file_system_without_locks_locks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(fcntl, "flock", fails_with(code))
    with open(tmp_path / "lock", "wb") as file:
        lock_file(file)


@pytest.mark.hostile("disk fault")
def test_an_error_of_a_lock_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", fails_with(errno.EIO))
    with open(tmp_path / "lock", "wb") as file, pytest.raises(OSError) as raised:
        lock_file(file)
    assert with_its_file(raised.value) == f"{tmp_path / 'lock'}: Input/output error"


# ---- no error of a file is told without it

# with_its_file tells the file, first_line the reason alone, for sentences that name the file. start.py imports neither.
REASON = re.compile(r"\.strerror\b(?! =)")
READERS = {"base/text.py", "start.py"}


def test_the_reason_of_an_error_of_the_system_is_read_in_one_place() -> None:
    suite = ROOT / "scripts" / "suite"
    texts = {file.relative_to(suite).as_posix(): file.read_text(encoding="utf-8") for file in suite.rglob("*.py")}
    assert {name for name, text in texts.items() if REASON.search(text.replace("os.strerror", ""))} == READERS


def test_an_error_without_a_file_is_told_with_its_reason() -> None:
    assert with_its_file(OSError(28, "No space left on device", "a.json")) == "a.json: No space left on device"
    assert with_its_file(OSError(28, "No space left on device")) == "No space left on device"
    assert with_its_file(OSError("timed out")) == "timed out"
