"""Does the recorder see every call of malloc, and does the recorded program behave as without it?

tests/recorder/recorded.cpp does what its names say and calls malloc a known number of times. What the same program calls
where it does nothing is subtracted: the C++ library takes a block.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from support.measuring_program import available_mallocs, parsed, program, run

CALLS = ("malloc", "calloc", "aligned", "new", "realloc", "free", "delete", "failed", "free_unknown")
SEVERAL_CHUNKS = 200_000  # calls of malloc, and as many of free: they fill a lane more than once
Profile = Mapping[str, Any]


def built(name: str) -> Path:
    file = program().with_name(name)
    if not file.exists():
        pytest.skip(f"{name} is not built: build the target unit_tests")
    return file


def described(recording: Path) -> Profile:
    answer = run(f"--describe-recording={recording}")
    assert answer.status == 0, answer.err
    return parsed(answer.out)


@dataclass(frozen=True)
class Outcome:
    status: int
    out: bytes
    err: bytes
    folder: Path

    @property
    def profiles(self) -> list[Profile]:
        """Of all processes; those that were not forked first."""
        return sorted(map(described, self.folder.glob("*.shr")), key=lambda profile: bool(profile["parent"]))

    @property
    def profile(self) -> Profile:
        [only] = self.profiles
        return only


RECORDER = "librecorder.so"


def ended(environment: Mapping[str, str], *command: str | Path) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, **environment}
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)


def record(folder: Path, *command: str | Path, preload: Sequence[str] = (RECORDER,), **environment: str) -> Outcome:
    """Runs a command without the recorder and with it: exit code and output must be the same."""
    folder.mkdir(exist_ok=True)
    recorder = str(built(RECORDER))
    others = ":".join(library for library in preload if library != RECORDER)
    every = ":".join(recorder if library == RECORDER else library for library in preload)
    alone = ended({**environment, "LD_PRELOAD": others}, *command)
    beside = ended({**environment, "LD_PRELOAD": every, "STACKHEAP_RECORDING": str(folder)}, *command)
    assert (beside.returncode, beside.stdout, beside.stderr) == (alone.returncode, alone.stdout, alone.stderr)
    return Outcome(beside.returncode, beside.stdout, beside.stderr, folder)


def recorded(
    folder: Path, name: str, argument: str = "", preload: Sequence[str] = (RECORDER,), **environment: str
) -> Outcome:
    """As record, the program whose calls are known."""
    outcome = record(folder, built("recorded"), name, argument, preload=preload, **environment)
    assert b"not so" not in outcome.out, outcome.out
    return outcome


@cache
def calls_of_nothing() -> Mapping[str, int]:
    with tempfile.TemporaryDirectory() as folder:
        return dict(recorded(Path(folder), "nothing").profile["calls"])


def calls(profile: Profile) -> dict[str, int]:
    """The calls that the scenario made, without kinds that it did not call."""
    made = {kind: profile["calls"][kind] - calls_of_nothing()[kind] for kind in CALLS}
    return {kind: count for kind, count in made.items() if count}


def calls_with_threads(profile: Profile) -> dict[str, int]:
    """As calls, without the blocks for a thread's data that the C library takes, and frees or gives to the next thread."""
    made = calls(profile)
    assert made.pop("calloc", 0) <= profile["threads"] - 1
    return made


def pairs(count: int) -> dict[str, int]:
    return {"malloc": count, "free": count}


FORMS = {"malloc": 6, "calloc": 1, "realloc": 4, "aligned": 5, "free": 12, "failed": 6}
MANY = pairs(SEVERAL_CHUNKS)


@pytest.mark.parametrize(
    ("name", "status", "ended", "made"),
    [
        ("nothing", 5, "exit", {}),
        ("forms", 5, "exit", FORMS),
        ("operators", 5, "exit", {"new": 12, "delete": 12}),
        ("usable", 5, "exit", pairs(715)),
        ("keeps_errno", 5, "exit", MANY),
        ("vfork", 5, "exit", pairs(7)),
        ("cloned", 5, "exit", pairs(7)),
        ("fails_to_become_another", 5, "exit", pairs(SEVERAL_CHUNKS + 7)),
        ("ends_at_once", 3, "quick_exit", pairs(9)),
        ("ends_quickly", 4, "quick_exit", pairs(9)),
        ("closes_files", 5, "exit", pairs(3 * SEVERAL_CHUNKS)),
        ("is_refused", 5, "exit", MANY),
        ("would_be_killed", 5, "exit", pairs(2 * SEVERAL_CHUNKS)),
    ],
)
def test_every_call_is_recorded(name: str, status: int, ended: str, made: dict[str, int], tmp_path: Path) -> None:
    outcome = recorded(tmp_path, name)
    profile = outcome.profile
    assert (outcome.status, profile["ended"], profile["unseen"], calls(profile)) == (status, ended, 0, made)
    assert profile["allocations_before_main"] == calls_of_nothing()["malloc"]


@pytest.mark.parametrize(
    ("name", "threads", "lanes", "blocks", "by_others"),
    [
        ("threads", 3_000, 2, 6_000, 3_000),
        ("late_frees", 50, 2, 50, 0),
        ("little_stack", 1, 2, SEVERAL_CHUNKS, 0),
        ("hands_over", 1, 2, 20_000, 20_000),
        ("crowd", 8, 9, 2 * SEVERAL_CHUNKS, 0),
    ],
)
def test_every_call_of_every_thread_is_recorded(
    name: str, threads: int, lanes: int, blocks: int, by_others: int, tmp_path: Path
) -> None:
    profile = recorded(tmp_path, name).profile
    assert (profile["ended"], profile["threads"], profile["unseen"]) == ("exit", threads + 1, 0)
    assert profile["lanes"] <= lanes  # a thread goes on in the lane of a thread that has ended
    of_library = profile["calls"]["calloc"]
    made = calls_with_threads(profile)
    assert made["malloc"] == blocks and 0 <= made["free"] - blocks <= of_library
    assert profile["freed_by_other"]["blocks"] == by_others


def test_an_operator_new_that_throws_is_a_failed_call(tmp_path: Path) -> None:
    made = calls(recorded(tmp_path, "throwing").profile)
    assert made == {"new": 1, "delete": 1, "failed": 1, **pairs(1)}  # the exception itself lies in a block


def test_a_plug_in_with_a_c_plus_plus_library_of_its_own_finds_operator_new(tmp_path: Path) -> None:
    outcome = record(tmp_path, built("host"), built("libplugin.so"))
    made = outcome.profile["calls"]
    assert (outcome.status, made["new"], made["delete"]) == (6, 30, 30)


@pytest.mark.parametrize("name", ["fork", "fork_in_thread"])
def test_a_forks_child_has_a_recording_of_its_own(name: str, tmp_path: Path) -> None:
    parent, child = recorded(tmp_path, name).profiles
    found = calls(parent)
    assert (found["malloc"], found["free"], parent["unseen"]) == (10, 10, 0)
    assert (child["parent"], child["ended"], child["unseen"]) == (parent["process"], "exit", 0)
    assert (child["threads"], child["lanes"]) == (1, 1)
    made = {kind: count for kind, count in child["calls"].items() if count}
    assert made == {"malloc": 5, "free": 5, "free_unknown": 3, "all": 13}


def test_forks_beside_threads_leave_whole_recordings(tmp_path: Path) -> None:
    profiles = recorded(tmp_path, "forks_beside_threads", STACKHEAP_RECORDING_MOST="1000000000").profiles
    assert len(profiles) == 61 and all(profile["ended"] == "exit" for profile in profiles)
    assert all((child["calls"]["malloc"], child["unseen"], child["threads"]) == (200, 0, 2) for child in profiles[1:])


def test_a_process_that_becomes_another_program_has_two_recordings(tmp_path: Path) -> None:
    both = recorded(tmp_path, "becomes_another").profiles
    before, after = sorted(both, key=lambda profile: bool(profile["command"] == ["true", "word"]))
    assert (before["ended"], calls(before)) == ("exec", pairs(5))
    assert (after["process"], after["parent"], after["ended"]) == (before["process"], 0, "exit")


def test_daemons_parent_and_child_are_recorded(tmp_path: Path) -> None:
    parent, child = recorded(tmp_path, "daemon").profiles
    assert (parent["ended"], calls(parent)) == ("quick_exit", MANY)
    assert (child["ended"], child["calls"]["malloc"], child["calls"]["free"]) == ("exit", 7, 7)


@pytest.mark.hostile("recording of a program")
@pytest.mark.parametrize(
    ("name", "status"), [("aborts", -signal.SIGABRT), ("is_killed", -signal.SIGKILL), ("is_strict", 0)]
)
def test_what_was_written_before_a_process_is_killed_can_be_read(name: str, status: int, tmp_path: Path) -> None:
    outcome = recorded(tmp_path, name)
    assert (outcome.status, outcome.profile["ended"]) == (status, "cut off")
    assert SEVERAL_CHUNKS / 2 < outcome.profile["calls"]["malloc"] < SEVERAL_CHUNKS


def test_threads_that_run_while_the_process_ends_do_not_damage_its_recording(tmp_path: Path) -> None:
    profile = recorded(tmp_path, "ends_before_threads").profile
    assert profile["ended"] == "exit" and profile["calls"]["malloc"] > SEVERAL_CHUNKS / 10


def test_calls_by_a_signal_handler_are_recorded_or_counted(tmp_path: Path) -> None:
    counts = tmp_path / "counts"
    profile = recorded(tmp_path, "signalled", str(counts)).profile
    assert 2 * int(counts.read_text().split()[0]) == sum(calls(profile).values()) + profile["unseen"]


@pytest.mark.hostile("recording of a program")
def test_a_fork_within_malloc_damages_no_recording(tmp_path: Path) -> None:
    """A child that went on in the middle of a call is not recorded."""
    parent, *children = recorded(tmp_path, "forks_in_handler").profiles
    assert (parent["parent"], parent["ended"]) == (0, "exit")
    assert all(child["parent"] == parent["process"] and child["calls"]["malloc"] >= 10 for child in children)


@pytest.mark.hostile("disk fault")
def test_a_full_disk_ends_the_recording(tmp_path: Path) -> None:
    """What had been written of a chunk when the disk was full is removed."""
    small, kept = tmp_path / "small", tmp_path / "kept"
    small.mkdir()
    kept.mkdir()
    script = """mount -t tmpfs -o size=300k none "$1" || exit 90
        LD_PRELOAD=$3 STACKHEAP_RECORDING=$1 "$4" usable; status=$?
        LD_PRELOAD=$3 STACKHEAP_RECORDING=$1 "$4" crowd && status=$?
        cp "$1"/*.shr "$2"; exit $status"""
    if not shutil.which("unshare"):
        pytest.skip("unshare is not here")
    files = map(str, (small, kept, built(RECORDER), built("recorded")))
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", script, "sh", *files], capture_output=True)
    if done.returncode in (1, 90):
        pytest.skip("no file system of a given size can be mounted here")
    assert (done.returncode, done.stdout.count(b"done\n")) == (5, 2)
    whole, full = sorted((described(file) for file in kept.iterdir()), key=lambda profile: int(profile["events"]))
    assert (whole["ended"], full["ended"]) == ("exit", "disk") and full["calls"]["malloc"] > 0


def test_a_file_that_may_not_grow_ends_the_recording(tmp_path: Path) -> None:
    profile = recorded(tmp_path, "limits_files").profile
    assert profile["ended"] == "disk" and 0 < profile["calls"]["malloc"] < SEVERAL_CHUNKS
    assert sum(file.stat().st_size for file in tmp_path.glob("*.shr")) <= 300_000


def test_a_file_that_is_too_large_already_ends_no_process(tmp_path: Path) -> None:
    profile = recorded(tmp_path, "limits_files_below").profile
    assert profile["ended"] == "cut off" and SEVERAL_CHUNKS / 2 < profile["calls"]["malloc"] < SEVERAL_CHUNKS


def test_a_forks_child_that_enters_a_sandbox_is_recorded(tmp_path: Path) -> None:
    parent, child = recorded(tmp_path, "child_would_be_killed").profiles
    assert calls(parent) == {}
    assert (child["ended"], child["calls"]["malloc"], child["calls"]["free"]) == ("exit", SEVERAL_CHUNKS, SEVERAL_CHUNKS)


@pytest.mark.parametrize("name", ["takes_descriptors", "takes_descriptors_in_sandbox"])
def test_nothing_is_written_to_a_file_that_took_the_recordings_descriptor(name: str, tmp_path: Path) -> None:
    own = tmp_path / "own"
    profile = recorded(tmp_path, name, str(own)).profile
    assert own.read_bytes() == b""
    if name == "takes_descriptors":
        assert calls(profile) == MANY
    else:
        assert profile["ended"] == "cut off"


def test_the_most_events_end_the_recording(tmp_path: Path) -> None:
    profile = recorded(tmp_path, "crowd", STACKHEAP_RECORDING_MOST="100000").profile
    assert profile["ended"] == "most"
    assert 99_900 <= profile["events"] <= 100_000  # other threads may have been at work on a few


def test_a_process_that_forks_often_leaves_a_bounded_number_of_files(tmp_path: Path) -> None:
    recorded(tmp_path, "forks", "1100")
    assert len(list(tmp_path.glob("*.shr"))) == 1000
    assert (tmp_path / "processes").stat().st_size == 1101  # how many there were


@pytest.mark.parametrize("first", [True, False])
def test_calls_before_the_recorders_constructor_are_recorded(first: bool, tmp_path: Path) -> None:
    libraries = [RECORDER, str(built("libearly.so"))]
    profile = recorded(tmp_path, "nothing", preload=libraries if first else libraries[::-1], RECORDED_EARLY="1").profile
    assert profile["allocations_before_main"] == profile["allocations"] == calls_of_nothing()["malloc"] + 18
    assert (calls(profile), profile["unseen"]) == (pairs(18), 0)


@pytest.mark.parametrize("malloc", ["mimalloc", "jemalloc", "tcmalloc", "tbbmalloc_proxy"])
def test_another_malloc_can_be_recorded(malloc: str, tmp_path: Path) -> None:
    if malloc not in available_mallocs():
        pytest.skip(f"{malloc} is not here")
    preload = (RECORDER, available_mallocs()[malloc]["file"])
    idle, by_cpp, by_threads = (
        recorded(tmp_path / name, name, preload=preload).profile["calls"] for name in ("nothing", "operators", "crowd")
    )
    assert (by_cpp["new"] - idle["new"], by_cpp["delete"] - idle["delete"]) == (12, 12)
    assert (by_threads["malloc"] - idle["malloc"], by_threads["free_unknown"]) == (2 * SEVERAL_CHUNKS, 0)


def test_a_static_program_runs_and_leaves_no_recording(tmp_path: Path) -> None:
    outcome = record(tmp_path, built("recorded_static"), "forms")
    assert (outcome.status, list(outcome.folder.iterdir())) == (5, [])


@pytest.mark.parametrize("folder", ["relative", "/does/not/exist"])
def test_without_a_folder_the_program_runs_all_the_same(folder: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [built("recorded"), "forms"],
        env={"LD_PRELOAD": str(built("librecorder.so")), "STACKHEAP_RECORDING": folder},
        cwd=tmp_path,
        capture_output=True,
    )
    assert (done.returncode, done.stdout, done.stderr, list(tmp_path.iterdir())) == (5, b"done\n", b"", [])


@pytest.mark.parametrize(
    "command",
    [
        ("sqlite3", ":memory:", "create table t(a); insert into t values(1),(2); select * from t;"),
        ("jq", "-n", "[range(2000)|tostring]|length"),
        ("xz", "--version"),
    ],
    ids=lambda command: str(command[0]),
)
def test_valgrind_counts_the_same_calls(command: Sequence[str], tmp_path: Path) -> None:
    if not (shutil.which("valgrind") and shutil.which(command[0])):
        pytest.skip(f"valgrind or {command[0]} is not here")
    profile = record(tmp_path, *command).profile
    options = ("--run-libc-freeres=no", "--run-cxx-freeres=no")  # calls that no program makes
    counted = subprocess.run(
        ["valgrind", *options, *command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    usage = re.search(r"total heap usage: ([\d,]+) allocs, ([\d,]+) frees", counted.stderr)
    assert usage, counted.stderr
    allocations, frees = (int(number.replace(",", "")) for number in usage.groups())
    given_back = sum(profile["calls"][kind] for kind in ("realloc", "free", "delete"))
    assert (profile["allocations"], given_back) == (allocations, frees)
