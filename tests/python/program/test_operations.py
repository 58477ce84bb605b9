"""Does each family's timed operation do what the family says: no less, no more, and within the time that is told?

A malloc that takes notes (tests/cpp/libraries/witness_malloc.cpp) serves the families that allocate: what is noted more
in five measurements than in one is what the operations did. What touches memory only is held against what no processor
can do faster; what is found in child processes, against what the kernel and glibc are known to do.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import ROOT
from support.measuring_program import Answer, compiled, listed, program, run

Bounds = Mapping[str, tuple[float, float]]

CALL_NS = 1000.0  # what each call of the witness takes in these tests: far more than anything else in an operation


@dataclass(frozen=True)
class Operation:
    """What one operation of a benchmark must do, as its family declares it (benchmarks/harness/operation_test.hpp)."""

    benchmark: str
    notes: Bounds  # of the witness, for each operation
    calls: float  # of the witness that lie within the reported time, at least
    untimed: float  # operations that each measurement does besides those it counts
    workers: int  # threads that each do as many operations
    in_process: Bounds  # notes of the whole process
    preload: bool  # the witness is the process's malloc; otherwise it is a strategy of the benchmark


def declared(key: str) -> list[tuple[str, dict[str, Any]]]:
    """Every entry of that key of every family, with the family's name. Empty without a built program, or for an old build."""
    try:
        families = listed("--profile=smoke")["families"]
    except OSError:
        return []
    return [(family["name"], entry) for family in families for entry in family.get(key, ())]


def operation(entry: Mapping[str, Any]) -> Operation:
    bounds = {key: {name: (low, high) for name, (low, high) in entry[key].items()} for key in ("notes", "in_process")}
    return Operation(**{**entry, **bounds})


OPERATIONS = [operation(entry) for _, entry in declared("operations")]
LEAST_TIMES = [(entry["benchmarks"], entry["additions"]) for _, entry in declared("least_times")]


@dataclass(frozen=True)
class Witnessed:
    rows: list[dict[str, Any]]
    notes: dict[str, float]

    @property
    def operations(self) -> float:
        return float(sum(row["iterations"] for row in self.rows))


def measured(
    witness: Path, folder: Path, benchmark: str, times: int, preload: bool = False, malloc_ns: float = 0,
    free_ns: float = 0, min_time: float = 1e-9,
) -> Witnessed:  # fmt: skip
    """The shortest measurement there is: one batch of operations; the same, so many times in one process."""
    environment = {
        **os.environ, "WITNESS_OUT": str(folder / "notes"), "WITNESS_MALLOC_NS": str(int(malloc_ns)),
        "WITNESS_FREE_NS": str(int(free_ns)), **({"LD_PRELOAD": str(witness)} if preload else {}),
    }  # fmt: skip
    command = [
        str(program()), "--profile=smoke", f"--allocator=witness={witness}", f"--only=^{re.escape(benchmark)}$",
        "--benchmark_format=json", f"--benchmark_min_time={min_time}", f"--benchmark_repetitions={times}", "--layout=1",
    ]  # fmt: skip
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        out, err = started.communicate(timeout=60)
    rows = rows_of(Answer(started.returncode, out, err))
    assert len(rows) == times, benchmark
    # The process that tried the library took notes before, the program itself, if it is preloaded, after.
    others = folder / f"notes.{started.pid}"
    written = sorted(folder.glob("notes.*"), key=lambda file: file.stat().st_mtime_ns)
    notes = [file for file in written if file != others][-1].read_text().splitlines()
    return Witnessed(rows, {name: float(value) for name, value in (line.split("=") for line in notes)})


def rows_of(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 0, answer.err
    # Not answer.rows: of counters that are zero throughout, Google Benchmark's own aggregates are no numbers.
    rows = [dict(row) for row in json.loads(answer.out)["benchmarks"] if row["run_type"] == "iteration"]
    assert [row["error_message"] for row in rows if row.get("error_occurred")] == []
    return rows


def agrees(value: float, bounds: tuple[float, float]) -> bool:
    low, high = bounds
    return low - 1e-9 <= value <= high + 1e-9


@pytest.mark.parametrize("wanted", OPERATIONS, ids=[operation.benchmark for operation in OPERATIONS])
def test_an_operation_is_what_its_family_says(witness: Path, tmp_path: Path, wanted: Operation) -> None:
    """Threads warm up for 10 ms: where the number of their rounds differs between the two processes, they are measured again."""
    for _ in range(6):
        wrong = what_is_wrong(witness, tmp_path, wanted)
        if not wrong:
            break
    assert wrong == []


def what_is_wrong(witness: Path, folder: Path, wanted: Operation) -> list[str]:
    # Of the process's own blocks some hundred come and go with each measurement: they must not count.
    min_time = 0.005 if wanted.preload else 1e-9
    once, often = (
        measured(witness, folder, wanted.benchmark, times, wanted.preload, CALL_NS, CALL_NS, min_time) for times in (1, 5)
    )
    if wanted.preload:  # the first measurement tries for how long to measure: operations that no row counts
        counted, base = often.operations + 5 * wanted.untimed, dict[str, float]()
        slack = 1.6
    else:
        counted, base = often.operations - once.operations + 4 * wanted.untimed, once.notes
        slack = 1.0
    wrong = []
    for name, (low, high) in wanted.notes.items():
        value = (often.notes.get(name, 0) - base.get(name, 0)) / (counted * wanted.workers)
        bounds = (low, high * slack)
        wrong += [] if agrees(value, bounds) else [f"{name}: {value} for an operation, expected {bounds}"]
    for name, bounds in wanted.in_process.items():
        wrong += [] if agrees(often.notes[name], bounds) else [f"{name}: {often.notes[name]}, expected {bounds}"]
    kept = often.notes["live"] - once.notes["live"]
    wrong += ["what was taken is kept"] if kept >= 0.5 * (often.operations - once.operations) else []
    least = 0.95 * wanted.calls * CALL_NS
    return wrong + [f"{row['real_time']} ns" for row in often.rows if row["real_time"] < least]


@pytest.mark.timing
@pytest.mark.parametrize("counter", ["latency/witness/bytes:64/op:{}: typical", "cleanup/witness/count:100/drop:each: drop_ns"])
@pytest.mark.parametrize("slow", ["malloc", "free"])
def test_what_is_timed_alone_is_that_call_and_not_the_other(
    witness: Path, tmp_path: Path, slow: str, counter: str
) -> None:
    benchmark, name = counter.split(": ")
    for timed in ("malloc", "free") if "{}" in benchmark else ("free",):
        witnessed = measured(
            witness, tmp_path, benchmark.format(timed), 3, malloc_ns=CALL_NS * (slow == "malloc"),
            free_ns=CALL_NS * (slow == "free"),
        )  # fmt: skip
        figures = [row[name] for row in witnessed.rows]
        low, high = (0.95 * CALL_NS, 3 * CALL_NS) if slow == timed else (0, CALL_NS / 2)
        assert low <= min(figures) < high, figures


def test_blocks_of_false_sharing_are_taken_by_whom_it_says(witness: Path, tmp_path: Path) -> None:
    starts, threads = 16, 2
    before = (starts - 1) * (starts + 1 - threads)  # so many that the k-th pair has k before it, modulo 16
    takers, taken_again, freed_elsewhere = {}, {}, {}
    for mode in ("passive", "active", "kept", "padded"):
        witnessed = measured(witness, tmp_path, f"false_sharing/witness/mode:{mode}/write:atomic/threads:2", 1)
        blocks = witnessed.notes[f"of_size.{256 if mode == 'padded' else 8}"]
        assert witnessed.notes["wrong_frees"] == 0 and witnessed.notes["live"] == 0
        taken_again[mode] = blocks - before - starts * threads
        takers[mode] = witnessed.notes["threads"]
        freed_elsewhere[mode] = witnessed.notes["frees_elsewhere"]
    pairs = starts * threads
    assert takers == {"passive": 1 + pairs, "active": 1 + pairs, "kept": 1, "padded": 1 + pairs}
    assert taken_again == {"passive": pairs, "active": 0, "kept": 0, "padded": 0}
    assert freed_elsewhere == {"passive": 2 * pairs, "active": pairs, "kept": 0, "padded": pairs}


def test_threads_of_false_sharing_share_lines_unless_their_blocks_are_padded() -> None:
    """The standard library's pool cuts its blocks of 8 B from one piece: two of them in a row hardly ever lie apart."""
    only = "--only=^false_sharing/pmr_sync_pool/mode:(kept|padded)/write:atomic/threads:2$"
    rows = rows_of(run("--profile=smoke", only, "--benchmark_format=json"))
    sharing = {row["name"].split("mode:")[1].split("/")[0]: row["sharing_threads"] for row in rows}
    assert agrees(sharing["kept"], (0.5, 1)) and sharing["padded"] == 0


# A malloc that gives a block of one thread to another as well is wrong work, never a number.


def with_shared_blocks(fault: str, folder: Path, benchmark: str) -> Answer:
    library = compiled("tests/hostile/hostile_malloc.cpp", folder, f"-DHOSTILE_FAULT={fault}")
    options = (f"--allocator=evil={library},hostile_", f"--only=^{benchmark}$", "--benchmark_format=json")
    return run("--profile=smoke", *options)


@pytest.mark.parametrize(
    "benchmark",
    ["private/evil/threads:2", "threadtest/evil/count:10000/threads:2", "xmalloc/evil/bytes:64/depth:1024/threads:2",
     "handoff/evil/pairs:1", "larson/evil/life:16384/threads:2"],
)  # fmt: skip
def test_a_block_given_to_both_threads_is_an_error_and_no_number(tmp_path: Path, benchmark: str) -> None:
    """The fault passes the load test, which has more than the two threads that bring it out."""
    answer = with_shared_blocks("shared_by_two", tmp_path, benchmark)
    [row] = [row for row in json.loads(answer.out)["benchmarks"] if row["run_type"] == "iteration"]
    assert row["error_occurred"] and row["error_message"] == "two threads were given the same memory at once", row


def test_a_malloc_that_gives_a_block_to_both_threads_fails_its_load_test(tmp_path: Path) -> None:
    answer = with_shared_blocks("shared", tmp_path, "handoff/(none|evil)/pairs:1")
    assert {row["name"] for row in json.loads(answer.out)["benchmarks"]} == {"handoff/none/pairs:1"}
    assert "not available: evil: in the load test malloc gave two threads the same memory at once" in answer.err


def test_a_list_walk_is_on_the_heap_that_its_name_says(witness: Path, tmp_path: Path) -> None:
    for heap, others in (("empty", 0), ("aged", 1 << 16)):
        witnessed = measured(witness, tmp_path, f"list_walk/witness/heap:{heap}", 2)
        assert witnessed.notes["mallocs"] == 100_000 + others and witnessed.notes["live"] == 0
        assert witnessed.notes["of_size.64"] - 100_000 <= others / 100


# The blocks that a container, a layout or a matrix must consist of: their size, and how many there are.
PLACED = [
    ("layout/array_of_structs/count:1000/fields:one", 64 * 1000, 1),
    ("layout/struct_of_arrays/count:1000/fields:one", 8 * 1000, 8),
    ("layout/array_of_pointers/count:1000/fields:one", 64, 1000),
    ("matrix/one_block/n:100/by:row", 8 * 100 * 100, 1),
    ("matrix/block_a_row/n:100/by:row", 8 * 100, 100),
    ("traverse/array/count:1000/payload:8", 8 * 1000, 1),
    ("traverse/vector/count:1000/payload:8", 8 * 1000, 1),
    ("traverse/unique_ptr/count:1000/payload:8", 8, 1000),
    ("traverse/list/count:1000/payload:8", 24, 1000),
    ("strings/heap/count:1000", 64, 1000),
]


@pytest.mark.parametrize(("benchmark", "size", "count"), PLACED, ids=[placed[0] for placed in PLACED])
def test_what_is_visited_is_made_of_the_blocks_it_says(
    witness: Path, tmp_path: Path, benchmark: str, size: int, count: int
) -> None:
    family = benchmark.split("/")[0]
    others = [placed for placed in PLACED if placed[0].split("/")[0] == family and placed[1] != size and placed[2] > 1]
    witnessed = measured(witness, tmp_path, benchmark, 1, preload=True)
    assert witnessed.notes.get(f"of_size.{size}", 0) >= count
    for _, other_size, other_count in others:
        assert witnessed.notes.get(f"of_size.{other_size}", 0) < other_count


@pytest.mark.timing
@pytest.mark.parametrize(("pattern", "additions"), LEAST_TIMES)
def test_nothing_is_faster_than_a_processor_can_be(pattern: str, additions: float) -> None:
    rows = rows_of(run("--profile=smoke", f"--only=^{pattern}", "--benchmark_format=json"))
    assert rows
    for row in rows:
        assert row["real_time"] >= additions * row["ns_per_addition"], row["name"]


def best(pattern: str, figure: str = "real_time", times: int = 3) -> dict[str, float]:
    """The least of several measurements in one process: others only ever add to a time."""
    rows = rows_of(run("--profile=quick", f"--only=^{pattern}", "--benchmark_format=json", f"--benchmark_repetitions={times}"))
    assert rows
    return {name: min(row[figure] for row in rows if row["run_name"] == name) for name in {row["run_name"] for row in rows}}


# Differences that are several times as large on any machine: what is told apart must be what the names say.
@pytest.mark.timing
def test_in_chase_a_random_order_defeats_the_prefetcher() -> None:
    times = best("chase/bytes:67108864/order:.*/home:heap$")
    orders = {name.split("order:")[1].split("/")[0]: ns for name, ns in times.items()}
    assert orders["random"] > 2 * orders["sequential"], orders


@pytest.mark.timing
def test_in_parallel_chase_chains_overlap_and_one_does_not() -> None:
    ns = best("parallel_chase/bytes:67108864/chains:(1|8)$")
    assert ns["parallel_chase/bytes:67108864/chains:1"] > 1.5 * ns["parallel_chase/bytes:67108864/chains:8"], ns


@pytest.mark.timing
def test_a_way_of_indirection_is_as_long_and_as_scattered_as_its_name_says() -> None:
    times = best("indirection/")
    ns = {name.split("/", 1)[1]: time for name, time in times.items()}
    assert ns["depth:3/layout:scattered"] > 1.5 * ns["depth:1/layout:scattered"], ns
    assert ns["depth:1/layout:scattered"] > 1.5 * ns["depth:1/layout:packed"], ns


@pytest.mark.timing
def test_atomic_writes_of_false_sharing_cost_more_than_plain_writes() -> None:
    ns = best("false_sharing/glibc/mode:padded/write:.*/threads:1$", times=9)
    atomic, plain = (ns[f"false_sharing/glibc/mode:padded/write:{write}/threads:1"] for write in ("atomic", "plain"))
    assert atomic > 1.5 * plain, ns


def test_own_memory_of_shared_arena_is_a_threads_own() -> None:
    rows = rows_of(run("--profile=smoke", "--only=^shared_arena/", "--benchmark_format=json"))
    memories = {row["name"]: row["memories"] for row in rows}
    assert memories == {name: 2 if "memory:own" in name else 1 for name in memories} and set(memories.values()) == {1, 2}


@pytest.mark.timing
def test_few_pages_of_tlb_are_as_near_as_lines() -> None:
    ns = best("tlb/pages:16/", times=9)  # were all on one line of their pages, they would not fit the first cache
    assert ns["tlb/pages:16/layout:pages"] < 2.5 * ns["tlb/pages:16/layout:lines"], ns


def test_string_cliff_tells_where_the_characters_are() -> None:
    on_heap = best("string_cliff/string/length:(1|64)$", "on_heap", 1)
    assert on_heap == {"string_cliff/string/length:1": 0, "string_cliff/string/length:64": 1}


def test_argument_tells_where_a_struct_is_passed() -> None:
    on_stack = best("argument/bytes:(8|16|64|4096)/how:value$", "on_stack", 1)
    assert {int(name.split("bytes:")[1].split("/")[0]): where for name, where in on_stack.items()} == {
        8: 0, 16: 0, 64: 1, 4096: 1,
    }  # fmt: skip


@pytest.mark.timing
def test_columns_of_a_matrix_cost_more_than_its_rows() -> None:
    ns = best("matrix/one_block/n:1024/")
    assert ns["matrix/one_block/n:1024/by:column"] > 1.5 * ns["matrix/one_block/n:1024/by:row"], ns


@pytest.mark.parametrize(
    "pattern", ["traverse/(unique_ptr|list)(_shuffled)?/count:1000/payload:8$", "strings/.*/count:1000$"]
)
def test_what_is_shuffled_has_no_neighbours_and_what_is_in_order_has(pattern: str) -> None:
    neighbours = best(pattern, "neighbours", 1)
    for name, share in neighbours.items():
        assert (share < 0.1) if "shuffled" in name else (share > 0.9), (name, share)


@pytest.mark.parametrize("pattern", ["first_touch/home:(stack|malloc|calloc|mmap)/", "stack_growth/"])
def test_the_first_write_to_a_page_is_a_page_fault_and_no_second_one_is(pattern: str) -> None:
    for row in rows_of(run("--profile=smoke", f"--only=^{pattern}", "--benchmark_format=json")):
        if row.get("huge_share", 0) <= 0:
            assert agrees(row["page_faults"], (0.8, 1.3) if "touch:first" in row["name"] else (0, 0.1)), row


def test_at_thread_start_its_stack_is_touched_as_is_said() -> None:
    for row in rows_of(run("--profile=smoke", "--only=^thread_start/(cached|fresh)_stack/bytes:65536/", "--benchmark_format=json")):
        pages = 65536 / 4096
        touched = (0.5 * pages, 2 * pages) if "touch:all" in row["name"] else (0, 0.5 * pages)
        assert agrees(row["page_faults"], touched) and row["stack_reserved"] >= 65536, row
        assert (row["stack_resident"] >= 65536) == ("touch:all" in row["name"]), row


def names_in(*arguments: str) -> list[str]:
    return [name for family in listed(*arguments)["families"] for name in family["benchmarks"]]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is only one processor")
def test_a_thread_starts_on_the_core_that_its_name_says() -> None:
    share = {
        row["name"]: row["other_core"]
        for row in rows_of(run("--profile=smoke", "--only=^thread_start/.*touch:none/core:", "--benchmark_format=json"))
    }
    cores = ("starter", "other", "any")
    assert set(share) >= {f"thread_start/{stack}_stack/bytes:65536/touch:none/core:{core}"
                          for stack in ("cached", "fresh") for core in cores}  # fmt: skip
    for name, other in share.items():
        assert 0 <= other <= 1 and other == {"starter": 0, "other": 1}.get(name.split("core:")[1], other), (name, other)


@pytest.mark.parametrize(("pin", "core"), [("none", "any"), (str(min(os.sched_getaffinity(0))), "starter")])
def test_where_a_thread_may_start_follows_the_pinning(pin: str, core: str) -> None:
    names = names_in("--profile=full", f"--pin={pin}", "--only=^thread_start/(cached|fresh)")
    assert {name.split("/core:")[1] for name in names} == {core}


def test_no_stack_is_called_kept_that_the_c_library_gives_back() -> None:
    sizes = {
        stack: {int(name.split("bytes:")[1].split("/")[0]) for name in names_in("--profile=full", f"--only=/{stack}_stack/")}
        for stack in ("cached", "fresh")
    }
    assert sizes["cached"] == {size for size in sizes["fresh"] if size < 40 << 20} < sizes["fresh"]


# Families whose figures are found in child processes.


def findings(pattern: str, profile: str = "smoke") -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in rows_of(run(f"--profile={profile}", f"--only=^{pattern}", "--benchmark_format=json"))}


@pytest.mark.parametrize("family", ["stack_limit", "heap_limit", "overhead", "fragmentation", "returned"])
def test_the_time_is_that_of_the_child(family: str) -> None:
    for name, row in findings(f"{family}/").items():
        assert row["iterations"] == 1 and row["time_unit"] == "ns", name
        if family == "returned":  # child_seconds is the time of the child that waits and gives the results
            assert 1e5 < row["real_time"] < 60e9, name
        else:
            assert row["real_time"] == pytest.approx(row["child_seconds"] * 1e9), name


def test_stack_limit_is_where_the_system_says() -> None:
    for name, row in findings("stack_limit/", "quick").items():
        frame = int(name.split("frame:")[1])
        assert frame < row["frame_bytes"] < frame + 200
        assert row["usable_bytes"] == pytest.approx(row["frames"] * row["frame_bytes"])
        if not row["at_least"]:
            assert 0.8 * row["limit_bytes"] < row["usable_bytes"] <= row["limit_bytes"]


def test_heap_limit_is_looked_for_as_far_as_is_harmless() -> None:
    touched = findings("heap_limit/.*/limit:touched$")
    for row in touched.values():
        assert row["touched_bytes"] <= row["most_bytes"] and row["touched_bytes"] % (4 << 20) == 0
        assert row["touched_bytes"] == row["most_bytes"] or row["crowded"] or not row["at_least"]
    granted = findings("heap_limit/glibc/limit:granted$")["heap_limit/glibc/limit:granted"]
    assert granted["granted_bytes"] >= max(row["touched_bytes"] for row in touched.values())
    assert granted["books_bytes"] < 16 << 20
    assert granted["present_bytes"] >= max(row["touched_bytes"] for row in touched.values())


def test_overhead_is_the_mallocs_metadata() -> None:
    rows = findings("overhead/(none|glibc)/bytes:(8|64|1024)$", "quick")
    share = {name.split("/", 1)[1]: row["resident_bytes_per_byte"] for name, row in rows.items()}
    for size in (8, 64, 1024):
        assert share[f"none/bytes:{size}"] == pytest.approx(1, abs=0.03)
        chunk = max(32, (size + 8 + 15) // 16 * 16)  # glibc: eight bytes before each, rounded up to 16, 32 at the least
        assert share[f"glibc/bytes:{size}"] == pytest.approx(chunk / size, rel=0.05)
        assert rows[f"overhead/none/bytes:{size}"]["blocks"] == (8 << 20) // size


def test_fragmentation_is_more_where_sizes_drift() -> None:
    rows = findings("fragmentation/glibc/", "quick")
    drifting, mixed = (rows[f"fragmentation/glibc/sizes:{sizes}"] for sizes in ("drifting", "mixed"))
    for row in (drifting, mixed):
        first, last, peak = (row[f"{which}_resident_per_live_byte"] for which in ("first", "last", "peak"))
        assert 1 <= min(first, last) and max(first, last) <= peak < 10
        assert row["live_bytes"] == 4 << 20
    # 64 B take 80 with glibc: what is live at first is small blocks where sizes drift.
    assert drifting["first_resident_per_live_byte"] > mixed["first_resident_per_live_byte"] + 0.1
    assert drifting["peak_resident_per_live_byte"] > mixed["peak_resident_per_live_byte"] + 0.1
    assert drifting["replaced_blocks"] == mixed["replaced_blocks"]


def test_returned_at_once_are_blocks_of_the_system_and_no_small_ones() -> None:
    rows = findings("returned/glibc/")
    large, small = (rows[f"returned/glibc/sizes:{sizes}"] for sizes in ("large", "small"))
    assert large["returned_share_at_once"] > 0.8 and small["returned_share_at_once"] < 0.5
    for row in (large, small):
        assert 1 <= row["peak_resident_bytes"] / row["asked_bytes"] < 2
        assert row["resident_share_0ms"] == pytest.approx(1 - row["returned_share_at_once"])


def test_every_family_declares_a_test() -> None:
    """Families that measure in child processes declare their counters as metrics; the tests above check them."""
    for family in listed("--profile=smoke")["families"]:
        counters = [metric["counter"] for metric in family["metrics"]]
        assert family["operations"] or family["least_times"] or all(counters), family["name"]
        assert {entry["benchmark"].split("/")[0] for entry in family["operations"]} <= {family["name"]}
        assert {entry["benchmarks"].split("/")[0] for entry in family["least_times"]} <= {family["name"]}


def test_every_declared_counter_is_in_a_result() -> None:
    for family in listed("--profile=smoke")["families"]:
        for counter in (metric["counter"] for metric in family["metrics"] if metric["counter"]):
            source = next((ROOT / "benchmarks").glob(f"*/{family['name']}.cpp"))
            written = "".join(file.read_text() for file in (source, *source.parent.glob("*.hpp")))
            assert re.sub(r"\d+ms$", "", counter) in written.split(".metrics", 1)[0], counter
