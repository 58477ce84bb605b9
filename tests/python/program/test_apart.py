"""Does each benchmark have a process of its own: with one malloc, and nothing of what other benchmarks did?"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support import ROOT
from support.measuring_program import available_mallocs, errors, hostile, measure, names, parsed, program, run

EVIL = "^scoped/(none|evil|glibc)/bytes:64/touch:"


@pytest.mark.hostile("malloc library")
def test_a_malloc_that_crashes_costs_its_own_benchmark_only() -> None:
    rows = measure(f"--allocator={hostile('late_abort')}", f"--only={EVIL}first").rows
    assert names(rows) == [f"scoped/{name}/bytes:64/touch:first" for name in ("none", "glibc", "evil")]
    assert errors(rows) == {"scoped/evil/bytes:64/touch:first": "its process died of Aborted"}


@pytest.mark.hostile("malloc library")
def test_a_malloc_that_hangs_is_ended_once_and_then_left_out() -> None:
    rows = measure(f"--allocator={hostile('late_hang')}", f"--only={EVIL}(none|first)", "--limit=1").rows
    assert len(rows) == 6
    assert errors(rows) == {
        "scoped/evil/bytes:64/touch:none": "its process was ended because it took longer than 1 s",
        "scoped/evil/bytes:64/touch:first": "not measured: evil hung in a benchmark before",
    }


def test_text_and_file_tell_the_error_too(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    answer = run("--profile=smoke", f"--allocator={hostile('late_abort')}", f"--only={EVIL}first", f"--benchmark_out={out}", "--benchmark_out_format=console")
    for text in (answer.out, out.read_text()):
        assert text.count("Benchmark  ") == 1, "one header, however many processes"
        assert "its process died of Aborted" in text and "scoped/none/bytes:64/touch:first" in text


def test_no_process_loads_two_mallocs(witness: Path, tmp_path: Path) -> None:
    """Each process that has loaded a witness leaves its notes: one that has loaded several leaves them once."""
    words = [f"--allocator=w{number}={shutil.copy(witness, tmp_path / f'w{number}.so')}" for number in range(3)]
    rows = measure(*words, "--only=^(scoped|churn)/w./", environment={"WITNESS_OUT": str(tmp_path / "notes")}).rows
    trials = len(words)
    assert len(rows) > len(words) and not errors(rows)
    assert len(list(tmp_path.glob("notes.*"))) == trials + len(rows)


def test_six_copies_of_one_malloc_are_measured_side_by_side(tmp_path: Path) -> None:
    """In one process they do not fit: each takes static thread-local storage."""
    jemalloc = available_mallocs().get("jemalloc")
    if jemalloc is None:
        pytest.skip("needs jemalloc")
    words = []
    for number in range(6):
        copy = shutil.copy(jemalloc["file"], tmp_path / f"libcopy{number}.so")
        words.append(f"--allocator=copy{number}={copy}")
    rows = measure(*words, "--only=^scoped/copy./bytes:64/touch:first").rows
    assert names(rows) == [f"scoped/copy{number}/bytes:64/touch:first" for number in range(6)]
    assert not errors(rows)


@pytest.mark.parametrize("mode", [0, 1])
def test_a_library_of_the_table_that_does_not_work_here_is_not_available_in_its_own_words(tmp_path: Path, mode: int) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    source = ROOT / "tests" / "hostile" / "other_page_size.c"
    built = tmp_path / "libjemalloc.so.2"
    subprocess.run([compiler, "-shared", "-fPIC", f"-DMODE={mode}", str(source), "-o", str(built)], check=True)
    answer = measure("--only=^scoped/(none|glibc|jemalloc)/bytes:64/touch:first", environment={"LD_LIBRARY_PATH": str(tmp_path)})
    assert names(answer.rows) == [f"scoped/{name}/bytes:64/touch:first" for name in ("none", "glibc")]
    fault = "it died of Aborted" if mode else "malloc(1) gave no memory"
    reason = f'in the load test {fault} ("<jemalloc>: Unsupported system page size")'
    assert answer.context["malloc.jemalloc"].startswith(f"not available: {reason}")
    assert f"not available: jemalloc: {reason}" in answer.err


def test_libraries_that_were_tested_are_not_tested_again(witness: Path, tmp_path: Path) -> None:
    words = [f"--allocator=witness={witness}", "--only=^scoped/(none|glibc|jemalloc|witness)/bytes:64/touch:first"]
    answer = measure(*words, "--tested=glibc,witness", environment={"WITNESS_OUT": str(tmp_path / "notes")})
    assert names(answer.rows) == [f"scoped/{name}/bytes:64/touch:first" for name in ("none", "glibc", "witness")]
    assert "not available" not in answer.err
    mallocs = [dict(line.split("=") for line in file.read_text().splitlines())["mallocs"] for file in tmp_path.glob("notes.*")]
    assert sorted(map(int, mallocs))[0] == 0, "it was loaded to be asked, and not used"
    assert names(measure(words[1], "--tested=").rows) == ["scoped/none/bytes:64/touch:first"]


def test_the_layout_is_drawn_and_told() -> None:
    only = "--only=^scoped/none/bytes:64/touch:first$"
    drawn = {measure(only).context["layout_number"] for _ in range(3)}
    assert len(drawn) == 3
    assert measure(only, "--layout=12345678901").context["layout_number"] == "12345678901"


# disturbances


def state_of(process: str) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("whole_group", [False, True])
def test_a_stop_in_mid_measurement_is_in_the_row_of_its_benchmark(whole_group: bool) -> None:
    """The benchmark's process alone, or with the program, as a terminal or a job scheduler stops them."""
    only = "--only=^scoped/none/bytes:(64|512)/touch:first"
    words = [str(program()), "--profile=quick", only, "--benchmark_min_time=1", "--benchmark_format=json"]
    begun = time.monotonic()
    started = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
    assert started.stdout is not None
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
    before = started.stdout.readline()  # the first row comes: the second is measured, or will be
    while "real_time" not in before:
        before += started.stdout.readline()
    while not (child := children.read_text().strip()):
        assert started.poll() is None
    stopped = [str(started.pid), child] if whole_group else [child]
    for process in stopped:
        os.kill(int(process), signal.SIGSTOP)
    while any(state_of(process) not in "Tt" for process in stopped):
        time.sleep(0.001)
    time.sleep(0.05)
    for process in stopped:
        os.kill(int(process), signal.SIGCONT)
    rest, _ = started.communicate()
    first, second = parsed(before + rest)["benchmarks"]
    assert started.returncode == 0 and "stopped_seconds" not in first
    assert 0.0 < second["stopped_seconds"] < time.monotonic() - begun


def test_processor_time_of_a_mallocs_own_threads_is_counted() -> None:
    """Not of a benchmark's own threads; and a malloc without a thread has no such counter."""
    only = "--only=^(scoped/(none|glibc|evil)/bytes:64/touch:first|private/(glibc|evil)/threads:2)"
    used = {}
    for fault in ("busy_thread", "idle_thread"):
        rows = measure(f"--allocator={hostile(fault)}", only).rows
        assert not errors(rows) and {row["name"].split("/")[0] for row in rows} == {"scoped", "private"}
        assert all(("malloc_thread_cores" in row) == ("/evil/" in row["name"]) for row in rows)
        used[fault] = [row["malloc_thread_cores"] for row in rows if "/evil/" in row["name"]]
    assert min(used["busy_thread"]) > 10 * max(used["idle_thread"]) >= 0.0


@pytest.mark.hostile("signal")
def test_no_process_is_left_when_the_program_is_killed() -> None:
    words = [str(program()), "--only=^chase/", "--profile=full", "--benchmark_format=json"]
    started = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert started.stdout is not None
    while "real_time" not in (line := started.stdout.readline()):
        assert line, "it ended"
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    started.kill()
    started.wait()
    started.stdout.close()
    for child in children:
        for _ in range(1000):
            try:
                state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                break
            if state == "Z":
                break
            os.sched_yield()
            subprocess.run(["sleep", "0.01"], check=True)
        else:
            pytest.fail(f"process {child} still runs")
