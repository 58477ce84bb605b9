"""Is a file written as a whole, whatever stands at its path, and is there a folder for what may be lost?"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from suite.base.files import cache_folder, write_new, write_whole


def test_text_and_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    write_whole(tmp_path / "text", "µs\r\n")
    write_whole(tmp_path / "bytes", b"\xff\x00")
    assert (tmp_path / "text").read_bytes() == "µs\r\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\xff\x00"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bytes", "text"]


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
    with pytest.raises(FileNotFoundError) as missing:
        write_whole(tmp_path / "nowhere" / "page.html", "new")
    assert missing.value.filename == str(tmp_path / "nowhere" / "page.html")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as inside:
        write_whole(tmp_path / "file" / "page.html", "new")
    assert inside.value.filename == str(tmp_path / "file" / "page.html")
