"""Does the profile of a recorded program say exactly what that program did? tests/recorder/known.cpp has known answers.

What the same program asks for where it does nothing is subtracted: the C++ library takes a block.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from suite.results.recording import Profile, read_profile
from support.measuring_program import parsed, program, run


def recorded(name: str, folder: Path) -> Profile:
    known, recorder = program().with_name("known"), program().with_name("librecorder.so")
    if not known.exists() or not recorder.exists():
        pytest.skip("the recorder and its tests are not built: build the target unit_tests")
    folder.mkdir()
    environment = {**os.environ, "LD_PRELOAD": str(recorder), "STACKHEAP_RECORDING": str(folder)}
    subprocess.run([known, name], env=environment, check=True, timeout=60)
    [file] = folder.glob("*.shr")
    answer = run(f"--describe-recording={file}")
    assert answer.status == 0 and answer.err == "", answer.err
    profile = read_profile(parsed(answer.out))
    assert profile.name == "known" and profile.ended == "exit" and profile.unseen == 0
    return profile


@dataclass(frozen=True)
class Known:
    """Numbers of blocks."""

    allocated: int
    bytes: int
    stack_like: int = 0
    temporary: int = 0
    region_like: int = 0
    freed_by_other: int = 0
    never_freed: int = 0


KNOWN = {
    "stack": Known(1000, 100_000, stack_like=1000, temporary=100, region_like=1000),  # temporary: the deepest frames' blocks
    "fifo": Known(1000, 100_000, never_freed=3),
    "handover": Known(1000, 100_000, freed_by_other=1000),
    "grow": Known(11, 2047, temporary=1),  # when all has grown
    "regions": Known(1000, 100_000, stack_like=100, temporary=100, region_like=1000),  # the last block of each region
    "keep": Known(100, 10_000, never_freed=100),
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_profile_of_a_known_program_is_exact(name: str, tmp_path: Path) -> None:
    nothing, profile = recorded("nothing", tmp_path / "nothing"), recorded(name, tmp_path / name)
    # For a thread, the C library takes a block of its own with calloc, and keeps it.
    threads_own = profile.calls["calloc"] - nothing.calls["calloc"]
    assert threads_own <= profile.threads - 1
    found = {
        part: getattr(profile, part).blocks - getattr(nothing, part).blocks
        for part in ("stack_like", "temporary", "region_like", "freed_by_other", "never_freed")
    }
    found["never_freed"] -= threads_own
    allocated = profile.allocations - nothing.allocations - threads_own
    asked = profile.bytes - nothing.bytes if not threads_own else KNOWN[name].bytes
    assert Known(allocated, asked, **found) == KNOWN[name]
