"""Is a recording of a program that was damaged, cut or made up read or refused in one line, whatever is done to it?

The recordings are those of the suite, changed as a disk, a transfer or a person may change them.
"""

from __future__ import annotations

import gzip
import os
import random
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from support import ROOT
from support.measuring_program import run

pytestmark = pytest.mark.hostile("recording of a program")
WHOLE = (ROOT / "benchmarks" / "recording" / "recordings" / "made_up.shr").read_bytes()
THREADS = (ROOT / "benchmarks" / "recording" / "recordings" / "handover.shr").read_bytes()
HEADER = 32  # bytes of the file's header
UNPRINTABLE = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def check_read_or_refused(file: Path) -> None:
    for option in (f"--describe-recording={file}", f"--recording=x={file}"):
        answer = run(option, "--list=json", timeout=60)
        assert answer.status in (0, 2), answer
        assert not UNPRINTABLE.search(answer.err)
        if answer.status == 2:
            assert answer.err.startswith("stackheap: --") and answer.err.count("\n") == 1 and answer.out == ""


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda whole: b"",
    "a single byte": lambda whole: whole[:1],
    "its header alone": lambda whole: whole[:HEADER],
    "half of its header": lambda whole: whole[: HEADER // 2],
    "half of it": lambda whole: whole[: len(whole) // 2],
    "all but its last byte": lambda whole: whole[:-1],
    "its second half": lambda whole: whole[len(whole) // 2 :],
    "itself twice": lambda whole: 2 * whole,
    "its chunks twice": lambda whole: whole + whole[HEADER:],
    "itself backwards": lambda whole: whole[::-1],
    "text after its end": lambda whole: whole + b"and so on\n",
    "zeros after its end": lambda whole: whole + bytes(4096),
    "zeros in its middle": lambda whole: whole[:200] + bytes(100) + whole[300:],
    "zeros after its header": lambda whole: whole[:HEADER] + bytes(len(whole) - HEADER),
    "ones after its header": lambda whole: whole[:HEADER] + b"\xff" * (len(whole) - HEADER),
    "itself packed": gzip.compress,
    "new lines of another system": lambda whole: whole.replace(b"\n", b"\r\n"),
    "bytes that are not ASCII lost": lambda whole: bytes(byte for byte in whole if byte < 128),
    "itself as text of another encoding": lambda whole: whole.decode("latin-1").encode(),
    "the magic number of the other byte order": lambda whole: whole[:8][::-1] + whole[8:],
    "a hundred thousand headers": lambda whole: 100_000 * whole[:HEADER],
}


@pytest.mark.parametrize("whole", [WHOLE, THREADS], ids=("one thread", "threads"))
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_recording_is_read_or_refused(tmp_path: Path, whole: bytes, change: str) -> None:
    (tmp_path / "x.shr").write_bytes(CHANGES[change](whole))
    check_read_or_refused(tmp_path / "x.shr")


FILES: dict[str, Callable[[Path], None]] = {
    "nothing there": lambda file: None,
    "a folder": os.mkdir,
    "a pipe": os.mkfifo,
    "a link to itself": lambda file: file.symlink_to(file),
    "a link to nothing": lambda file: file.symlink_to("nothing"),
    "a link to zeros": lambda file: file.symlink_to("/dev/zero"),
    "a link to random bytes": lambda file: file.symlink_to("/dev/urandom"),
    "a link to a terminal": lambda file: file.symlink_to("/dev/tty"),
    "a link to memory": lambda file: file.symlink_to("/proc/self/mem"),
    "a link to a file of the kernel": lambda file: file.symlink_to("/proc/self/maps"),
    "a link to this program": lambda file: file.symlink_to("/proc/self/exe"),
    "a socket": lambda file: os.mknod(file, stat.S_IFSOCK | 0o600),
}


@pytest.mark.parametrize("made", FILES)
def test_what_is_not_a_recording_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    FILES[made](Path("x.shr"))
    check_read_or_refused(Path("x.shr"))


@pytest.mark.parametrize(
    "name", ["a b", "a=b", "a,b", "a\nb", "\x1b[31mred", "\u202eabc", "-x", "--help", "é", "%s%n", "$(id)", "x" * 250]
)
def test_a_recordings_name_is_only_a_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(WHOLE)
    answer = run(f"--describe-recording={tmp_path / name}")
    assert (answer.status, answer.err) == (0, "")
    (tmp_path / name).write_bytes(WHOLE[:HEADER] + b"x" * 100)
    check_read_or_refused(tmp_path / name)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(100))
@pytest.mark.parametrize("whole", [WHOLE, THREADS], ids=("one thread", "threads"))
def test_a_few_wrong_bits_are_read_or_refused(tmp_path: Path, whole: bytes, seed: int) -> None:
    draw, changed = random.Random(seed), bytearray(whole)
    for _ in range(draw.randrange(1, 5)):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    (tmp_path / "x.shr").write_bytes(changed)
    check_read_or_refused(tmp_path / "x.shr")


@pytest.mark.nightly
@pytest.mark.parametrize("share", range(1, 60))
def test_a_recording_cut_anywhere_is_read_or_refused(tmp_path: Path, share: int) -> None:
    (tmp_path / "x.shr").write_bytes(THREADS[: len(THREADS) * share // 60])
    check_read_or_refused(tmp_path / "x.shr")
