"""Is what is not a whole recording refused in one line, without taking memory for what its numbers say?"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from suite.program.command import Command, Tools, observe
from support.measuring_program import program, run

HEADER = struct.Struct("<8sIIIIII")  # magic, version, bytes of the command, process, parent, first thread, flags
CHUNK = struct.Struct("<IIIIQQIIII")  # magic, kind, lane, thread, first ticket, first block, events, unpacked, packed, 0
MAGIC, CHUNK_MAGIC = b"stackshr", 0x6B6E6863
HUNDRED_GB = 100 * 10**9


def header(version: int = 1, command: int = 0) -> bytes:
    return HEADER.pack(MAGIC, version, command, 1, 0, 0, 0)


def chunk(events: int = 1, unpacked: int = 1, packed: int = 30) -> bytes:
    return CHUNK.pack(CHUNK_MAGIC, 0, 0, 0, 0, 0, events, unpacked, packed, 0)


REFUSED = {
    b"": "the file is empty",
    b"stackshr": "not a recording: shorter than the header of a recording",
    b"#!/bin/sh\n" * 10: "not a recording: it does not begin with 'stackshr'",
    header(version=2): "a recording of format 2; this program reads format 1",
    header(command=2**32 - 1): "damaged at byte 12: a command of 4294967295 bytes, more than 65536",
    header() + b"x" * 48: "damaged at byte 32: no chunk begins here",
    header() + chunk(unpacked=2**32 - 1): "damaged at byte 32: a chunk of 4294967295 bytes, more than 1048576",
    header() + chunk(events=2**32 - 1): "damaged at byte 32: a chunk of 4294967295 events in 1 bytes",
    header() + chunk(packed=2**32 - 1): "damaged at byte 32: a chunk of 1 bytes is packed into 4294967295 bytes",
    header() + chunk() + bytes(30): "damaged at byte 32: the chunk is not a zstd frame of its length",
}


@pytest.mark.hostile("recording of a program")
@pytest.mark.parametrize("content", REFUSED, ids=list(REFUSED.values()))
def test_what_is_not_a_recording_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.shr"
    file.write_bytes(content)
    answer = run(f"--describe-recording={file}")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == f"stackheap: --describe-recording={file}: {REFUSED[content]}\n"


@pytest.mark.hostile("recording of a program")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda file: None, "No such file or directory"),
        (os.mkdir, "not a regular file"),
        (os.mkfifo, "not a regular file"),
    ],
)
def test_what_is_not_a_file_is_refused_in_one_line(make: Callable[[Path], None], reason: str, tmp_path: Path) -> None:
    file = tmp_path / "x.shr"
    make(file)
    answer = run(f"--describe-recording={file}")
    assert (answer.status, answer.err) == (2, f"stackheap: --describe-recording={file}: {reason}\n")


@pytest.mark.hostile("recording of a program")
@pytest.mark.parametrize("content", [header(), header() + chunk(packed=1100), header() + chunk(events=1 << 20, unpacked=1 << 20)])
def test_a_file_of_a_hundred_gigabytes_takes_no_memory(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.shr"
    file.write_bytes(content)
    os.truncate(file, HUNDRED_GB)
    seen = observe(Command((str(program()), f"--describe-recording={file}")), Tools.beside(program()))
    assert seen.exit_code == 2
    assert seen.peak_resident < 100 << 20  # the program itself


@pytest.mark.hostile("recording of a program")
def test_a_recording_without_chunks_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "x.shr"
    file.write_bytes(header())
    answer = run(f"--describe-recording={file}")
    assert answer.status == 0 and '"ended":"cut off"' in answer.out and '"allocations":0' in answer.out


def test_an_output_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "x.shr"
    file.write_bytes(header())
    with open("/dev/full", "w") as full:
        child = os.posix_spawn(
            program(), [str(program()), f"--describe-recording={file}"], os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, full.fileno(), 1), (os.POSIX_SPAWN_DUP2, full.fileno(), 2)],
        )  # fmt: skip
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
