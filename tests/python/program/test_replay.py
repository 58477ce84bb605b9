"""Does the program replay the recordings that it is given, and refuse what is not a recording?"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from support import ROOT
from support.made_up_recording import (
    ALIGNED,
    CALLOC,
    FREE_OTHER,
    MALLOC,
    REALLOC_OTHER,
    REALLOC_OWN,
    Block,
    MadeUpRecording,
)
from support.measuring_program import available_mallocs, compiled, hostile, listed, run

MADE_UP = ROOT / "benchmarks/recording/recordings/made_up.shr"


def rows(file: Path, only: str, *options: str) -> list[dict[str, object]]:
    answer = run("--profile=smoke", f"--recording=given={file}", f"--only={only}", "--benchmark_format=json", *options)
    assert answer.status == 0, answer.err
    return [dict(row) for row in json.loads(answer.out)["benchmarks"]]


def names(*options: str) -> list[str]:
    return [name for family in listed(*options)["families"] for name in family["benchmarks"]]


def passed_about(threads: int, calls: int) -> MadeUpRecording:
    """Threads that take, grow, free and never free blocks of each other, at random."""
    made, random, live = MadeUpRecording(), Random(13), list[Block]()
    for _ in range(calls):
        thread, size = random.randrange(threads), random.choice((1, 8, 24, 100, 4000, 200_000))
        deed = random.randrange(6)
        if len(live) < 10 or (deed < 3 and len(live) < 60):
            live.append((made.malloc(thread, size), made.calloc(thread, size), made.aligned(thread, 6, size))[-1])
        elif deed == 3:
            at = random.randrange(len(live))
            live[at] = made.realloc(thread, live[at], size)
        else:
            made.free(thread, live.pop(random.randrange(len(live))))
    return made


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("given", "--recording=given: it has no '=' (expected NAME=FILE)"),
        ("Given=x", "--recording=Given=x: the name may have only a-z, 0-9, '_', '.' and '-' (expected NAME=FILE)"),
        ("a+b=x", "--recording=a+b=x: the name may have only a-z, 0-9, '_', '.' and '-' (expected NAME=FILE)"),
        ("=x", "--recording==x: the name may have only a-z, 0-9, '_', '.' and '-' (expected NAME=FILE)"),
        ("given=", "--recording=given=: it names no file (expected NAME=FILE)"),
    ],
)
def test_a_value_that_names_no_recording_is_refused(value: str, complaint: str) -> None:
    answer = run(f"--recording={value}", "--list")
    assert (answer.status, answer.err) == (2, f"stackheap: {complaint}\n")


@pytest.mark.hostile("recording of a program")
def test_a_file_that_cannot_be_replayed_is_refused_when_the_program_starts(tmp_path: Path) -> None:
    whole = MADE_UP.read_bytes()
    contents = {
        "empty": b"", "text": b"not a recording", "newer": whole[:8] + b"\2" + whole[9:],
        "flipped": whole[:4000] + bytes([whole[4000] ^ 1]) + whole[4001:], "no_calls": MadeUpRecording().ended(),
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for name in (*contents, "missing", "."):
        file = tmp_path / name
        answer = run("--profile=smoke", f"--recording=given={file}", "--only=^replay/")
        assert answer.status == 2, name
        assert answer.err.startswith(f"stackheap: --recording=given={file}: ") and answer.err.count("\n") == 1, answer.err
        assert not answer.out, name


def test_two_recordings_of_the_same_name_are_refused() -> None:
    answer = run(f"--recording=twice={MADE_UP}", f"--recording=twice={MADE_UP}", "--list")
    assert (answer.status, answer.err) == (2, f"stackheap: --recording=twice={MADE_UP}: the name is taken\n")


def test_given_recordings_replace_those_of_the_program() -> None:
    given = (f"--recording=one.two-3_4={MADE_UP}", f"--recording=b={MADE_UP}")
    for profile in ("smoke", "quick", "full"):
        told = {name.split("recording:")[1] for name in names(f"--profile={profile}", "--only=^replay", *given)}
        assert told == {"one.two-3_4", "b"}
    context = listed(f"--recording=b={MADE_UP}", "--only=^replay")["context"]
    assert context["recording.b"] == f"{MADE_UP.stat().st_size} bytes"
    embedded = {name.split("recording:")[1] for name in names("--profile=quick", "--only=^replay")}
    assert embedded == {file.stem for file in MADE_UP.parent.glob("*.shr")}
    assert {name.split("recording:")[1] for name in names("--profile=smoke", "--only=^replay")} == {"made_up"}


def test_every_malloc_has_a_row_with_a_stack_and_a_row_without() -> None:
    told = names("--profile=full", "--only=^replay/.*:made_up$")
    strategies = {name.split("/")[1] for name in told}
    assert strategies == {"none", *(f"{name}{ending}" for name in available_mallocs() for ending in ("", "+stack"))}
    assert not any("tbbmalloc_proxy" in name for name in names("--profile=quick", "--only=^replay"))


@pytest.mark.parametrize("threads", [1, 2, 9])
def test_blocks_that_pass_between_threads_are_replayed_with_every_malloc(tmp_path: Path, threads: int) -> None:
    """More threads than most machines of tests have cores: a thread that waits lets others run."""
    file = tmp_path / "passed.shr"
    file.write_bytes(passed_about(threads, 3000).ended())
    measured = rows(file, "^replay/")
    assert len(measured) == 1 + 2 * len(available_mallocs())
    assert [row["error_message"] for row in measured if row.get("error_occurred")] == []
    [control] = [row for row in measured if str(row["name"]).startswith("replay/none/")]
    assert control["recorded_threads"] == threads
    assert (control["passed_blocks"] == 0) == (threads == 1)


@pytest.mark.hostile("recording of a program")
def test_more_threads_at_once_than_are_replayed_are_refused(tmp_path: Path) -> None:
    made = MadeUpRecording()
    for thread in range(257):
        made.malloc(thread, 1)
    file = tmp_path / "many.shr"
    file.write_bytes(made.ended())
    answer = run(f"--recording=many={file}", "--only=^replay/none/")
    assert answer.status == 2
    assert answer.err.endswith("it has calls of more than 256 threads at once, and a replay has a thread for each\n")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("late_null", "the malloc has no memory for 40 bytes"),
        ("late_abort", "the malloc ended a process that made the calls of the recording"),
    ],
)
def test_a_malloc_that_fails_in_a_recording_is_an_error_and_no_number(tmp_path: Path, fault: str, said: str) -> None:
    made = MadeUpRecording()
    for _ in range(25_000):  # the fault comes after 20,000
        made.free(0, made.malloc(0, 40))
    assert wrong_work(made, tmp_path, hostile(fault)) == said


def test_a_block_given_to_both_threads_is_an_error_and_no_number(tmp_path: Path) -> None:
    made = MadeUpRecording()
    passed, held = made.malloc(0, 64), made.malloc(0, 64)
    made.free(1, passed)
    given_twice = made.malloc(1, 64)  # the other thread's last block, which it still holds
    made.free(0, given_twice)
    made.free(0, held)
    library = compiled("tests/hostile/hostile_malloc.cpp", tmp_path, "-DHOSTILE_FAULT=shared_by_two")
    said = wrong_work(made, tmp_path, f"evil={library},hostile_")
    assert said == "a block does not hold what was written to its ends"


def wrong_work(made: MadeUpRecording, folder: Path, allocator: str) -> object:
    file = folder / "wrong.shr"
    file.write_bytes(made.ended())
    [row] = rows(file, "^replay/evil/", f"--allocator={allocator}")
    assert row["error_occurred"]
    return row["error_message"]


def test_each_pass_makes_the_calls_of_the_recording(witness: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And frees what the program never freed: as many frees as allocations that no realloc gave back."""
    made = passed_about(2, 3000)
    file = tmp_path / "known.shr"
    file.write_bytes(made.ended())
    monkeypatch.setenv("WITNESS_OUT", str(tmp_path / "notes"))
    rows(file, "^replay/witness/", f"--allocator=witness={witness}")
    told = [dict(line.split("=") for line in notes.read_text().splitlines()) for notes in tmp_path.glob("notes.*")]
    [notes] = [counted for counted in told if int(counted["reallocs"]) > 100]
    recorded = {
        "mallocs": made.calls[MALLOC], "callocs": made.calls[CALLOC], "aligned": made.calls[ALIGNED],
        "reallocs": made.calls[REALLOC_OWN] + made.calls[REALLOC_OTHER],
    }  # fmt: skip
    recorded["frees"] = recorded["mallocs"] + recorded["callocs"] + recorded["aligned"]
    passes, rest = divmod(int(notes["mallocs"]), recorded["mallocs"])
    assert passes >= 5 and rest == 0
    assert {key: int(notes[key]) for key in recorded} == {key: passes * number for key, number in recorded.items()}
    assert notes["wrong_frees"] == notes["live"] == "0"
    assert int(notes["frees_elsewhere"]) > passes * made.calls[FREE_OTHER] / 2


def test_the_live_bytes_of_replay_memory_are_those_of_the_recording(tmp_path: Path) -> None:
    made = MadeUpRecording()
    kept = [made.malloc(0, 1 << 20) for _ in range(16)]
    for block in kept[1:]:
        made.free(0, block)
    made.realloc(0, kept[0], 3 << 20)
    file = tmp_path / "known.shr"
    file.write_bytes(made.ended())
    [row] = rows(file, "^replay_memory/glibc/")
    assert row["peak_live_bytes"] == 16 << 20 and row["live_31"] == 3 << 20
    live = [row[f"live_{point:02}"] for point in range(32)]
    assert live == [(point + 1 if point < 16 else 31 - point if point < 31 else 3) << 20 for point in range(32)]
    assert 0.98 < float(str(row["peak_resident_per_live_byte"])) < 1.1
    for point in range(32):
        resident = float(str(row[f"resident_{point:02}"]))
        assert float(str(live[point])) <= resident + (1 << 20) and resident <= float(str(row["peak_resident_bytes"]))
