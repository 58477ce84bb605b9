"""A recording of calls that nobody made, in the format of benchmarks/recording/format.hpp."""

from __future__ import annotations

import ctypes
import ctypes.util
import struct
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest

MALLOC, CALLOC, ALIGNED, REALLOC_OWN, REALLOC_OTHER, _, FREE_OWN, FREE_OTHER = range(8)
HAS_TICKET = 0x10
CHECKSUM_FLAG = 201  # zstd.h: ZSTD_c_checksumFlag


def _packed(content: bytes) -> bytes:
    name = ctypes.util.find_library("zstd")
    if name is None:
        pytest.skip("needs libzstd")
    zstd = ctypes.CDLL(name)
    zstd.ZSTD_createCCtx.restype = ctypes.c_void_p
    zstd.ZSTD_compress2.restype = zstd.ZSTD_compressBound.restype = ctypes.c_size_t
    context = ctypes.c_void_p(zstd.ZSTD_createCCtx())
    zstd.ZSTD_CCtx_setParameter(context, CHECKSUM_FLAG, 1)
    room = ctypes.create_string_buffer(zstd.ZSTD_compressBound(ctypes.c_size_t(len(content))))
    length = zstd.ZSTD_compress2(context, room, ctypes.c_size_t(len(room)), content, ctypes.c_size_t(len(content)))
    zstd.ZSTD_freeCCtx(context)
    return room.raw[:length]


def _number(value: int) -> bytes:
    octets = []
    while value >= 0x80:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*octets, value])


@dataclass(frozen=True)
class Block:
    """Known by the thread that took it and by its number there."""

    thread: int
    number: int


@dataclass
class _Lane:
    content: bytearray = field(default_factory=bytearray)
    first: int = 0
    next: int = 0  # ticket
    events: int = 0


@dataclass
class MadeUpRecording:
    """Each thread has a lane. Few calls: a chunk for each lane."""

    lanes: defaultdict[int, _Lane] = field(default_factory=lambda: defaultdict(_Lane))
    taken: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    calls: Counter[int] = field(default_factory=Counter)  # by kind
    ticket: int = 0

    def malloc(self, thread: int, size: int) -> Block:
        return self._take(thread, MALLOC, size)

    def calloc(self, thread: int, size: int) -> Block:
        return self._take(thread, CALLOC, size)

    def aligned(self, thread: int, binary_logarithm: int, size: int) -> Block:
        return self._take(thread, ALIGNED, binary_logarithm, size)

    def realloc(self, thread: int, old: Block, size: int) -> Block:
        kind, block = self._released(thread, old, REALLOC_OWN, REALLOC_OTHER)
        return self._take(thread, kind, *block, size)

    def free(self, thread: int, old: Block) -> None:
        kind, block = self._released(thread, old, FREE_OWN, FREE_OTHER)
        self._event(thread, kind, *block)

    def ended(self) -> bytes:
        command = b"made_up\0"
        file = struct.pack("<8s6I", b"stackshr", 1, len(command), 100, 0, 0, 0) + command
        for number, lane in self.lanes.items():
            packed = _packed(bytes(lane.content))
            sizes = (lane.events, len(lane.content), len(packed), 0)
            file += struct.pack("<4sIIIQQ4I", b"chnk", 0, number, number, lane.first, 0, *sizes) + packed
        events = sum(lane.events for lane in self.lanes.values())
        return file + struct.pack("<4sIIIQQ4I", b"chnk", 1, *[0] * 8) + struct.pack("<QQII", events, 0, 0, len(self.lanes))

    def _released(self, thread: int, old: Block, own: int, other: int) -> tuple[int, tuple[int, ...]]:
        mine = old.thread == thread
        return (own, (self.taken[thread] - 1 - old.number,)) if mine else (other, (old.thread, old.number))

    def _take(self, thread: int, kind: int, *numbers: int) -> Block:
        self._event(thread, kind, *numbers)
        self.taken[thread] += 1
        return Block(thread, self.taken[thread] - 1)

    def _event(self, thread: int, kind: int, *numbers: int) -> None:
        self.calls[kind] += 1
        lane = self.lanes[thread]
        if lane.events == 0:
            lane.first = lane.next = self.ticket
        skipped = self.ticket - lane.next
        lane.content.append(kind | (HAS_TICKET if skipped else 0))
        lane.content += b"".join(map(_number, (*((skipped,) if skipped else ()), *numbers)))
        lane.events += 1
        self.ticket += 1
        lane.next = self.ticket
