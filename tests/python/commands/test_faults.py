"""What happens if a run is killed, the disk is full, a malloc is hostile, or the system hides or forbids something?
No finished result is lost, every file on the disk is complete, and one line says what happened."""

from __future__ import annotations

import fcntl
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from suite.base.cli import INTERRUPTED
from suite.base.files import write_json
from suite.commands import run as command
from suite.results.read import read_program_output, read_run, read_unit
from suite.runner import scheduler
from suite.runner.program import Program as chosen_program
from suite.runner.program import ask
from support import ROOT, fake_program
from support.measuring_program import hostile, listed, names, parsed, program

pytestmark = pytest.mark.slow  # runs whole commands, and kills them at moments that it waits for

KILLS = int(os.environ.get("STACKHEAP_KILLS", "25"))  # more: STACKHEAP_KILLS=100
TURNS = int(os.environ.get("STACKHEAP_TURNS", "20"))  # more: STACKHEAP_TURNS=200
ONE = "--only=^scoped/none/bytes:64/touch:first$"
RUN = ROOT / "results" / "reference" / "run.json.gz"


@pytest.fixture
def executable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "log").mkdir()
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.delenv("FAKE_DOES", raising=False)
    return fake_program.write_program(tmp_path)


def forked(work: Callable[[], int], output_file: Path) -> int:
    """Does the work in a process of its own, which has already imported its modules; returns its number."""
    child = os.fork()
    if child == 0:
        nowhere, file = os.open(os.devnull, os.O_WRONLY), os.open(output_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(nowhere, 1)
        os.dup2(file, 2)
        sys.stdout = open(1, "w", closefd=False)  # pytest has its own in its place
        sys.stderr = open(2, "w", closefd=False)
        code = 99
        try:
            code = work()
        except KeyboardInterrupt:  # before the command is ready for any: suite/launch says it then
            print("scripts/run: interrupted", file=sys.stderr)
            code = INTERRUPTED
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return child


def start(executable: Path, folder: Path, *arguments: str) -> int:
    """scripts/run on the fake program, begun or resumed, as a process."""
    resumed = ["--resume"] if (folder / "plan.json").exists() else list(arguments)
    words = [*resumed, "--out", str(folder), "--no-figures"]
    return forked(lambda: command.main(words, folder.parent, lambda *_: executable), folder.parent / "said")


def end_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def whole_files(folder: Path) -> set[str]:
    """The names of the finished units; reads every result file on the disk."""
    if (folder / "plan.json").exists():
        scheduler.read_plan(folder)
    if (folder / "run.json").exists():
        read_run(folder / "run.json")
    units = {file.name for file in (folder / "parts").glob("[!.]*.json")}
    for name in units:
        read_unit(folder / "parts" / name)
    return units


# ---- killed


@pytest.mark.hostile("signal")
def test_a_run_killed_again_and_again_keeps_every_finished_process(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "MOST_ATTEMPTS", 1)  # so that only lost processes are measured twice
    folder, draw = tmp_path / "run", random.Random(7)
    finished: dict[str, bytes] = {}
    for _ in range(KILLS):
        child = start(executable, folder, "--only", "^(traverse|handoff)/", "--processes", "10")
        time.sleep(draw.uniform(0.0, 0.35))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        now = {name: (folder / "parts" / name).read_bytes() for name in whole_files(folder)}
        assert now.items() >= finished.items(), "a finished process was lost or measured again"
        finished = now
    assert end_of(start(executable, folder, "--only", "^(traverse|handoff)/", "--processes", "10")) == 0
    run = read_run(folder / "run.json")
    assert (run.complete, run.processes, len(run.units), run.failed) == (True, 10, 20, ())
    assert all((folder / "parts" / name).read_bytes() == content for name, content in finished.items())
    assert not list(folder.rglob(".*.tmp"))


@pytest.mark.hostile("signal")
def test_an_interrupt_at_any_moment_ends_in_one_line(executable: Path, tmp_path: Path) -> None:
    folder, draw = tmp_path / "run", random.Random(11)
    codes = []
    for number in (signal.SIGINT, signal.SIGTERM) * 4:
        (tmp_path / "said").unlink(missing_ok=True)
        child = start(executable, folder, "--only", "^(traverse|handoff)/", "--processes", "40")
        deadline = time.monotonic() + 30
        while not (tmp_path / "said").exists() and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(draw.uniform(0.0, 0.3))
        os.kill(child, number)
        codes.append(end_of(child))
        output = (tmp_path / "said").read_text()
        assert "Traceback" not in output
        assert codes[-1] in (0, -signal.SIGTERM) or output.splitlines()[-1].startswith("scripts/run: interrupted")
        units = whole_files(folder)
        if codes[-1] == INTERRUPTED and (folder / "run.json").exists():
            assert {f"{unit.family}-0-{unit.process}.json" for unit in read_run(folder / "run.json").units} == units
    # A signal in the first milliseconds, before the command is ready for any, ends the process as signals do.
    assert set(codes) <= {0, INTERRUPTED, -signal.SIGTERM} and INTERRUPTED in codes


@pytest.mark.hostile("signal")
def test_the_measured_process_dies_with_a_killed_run(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv")
    monkeypatch.setenv("FAKE_DOES", '{"traverse": ["hang"]}')
    child = start(executable, tmp_path / "run", "--only", "^traverse/", "--profile", "smoke")
    deadline = time.monotonic() + 30
    while not (begun := list((tmp_path / "log").glob("traverse.0.*"))) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    measuring = Path("/proc", begun[0].suffix.lstrip("."), "cmdline")
    while measuring.exists() and measuring.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not measuring.exists() or not measuring.read_bytes()


# ---- two runs at a time


def test_two_runs_cannot_work_in_one_folder(
    executable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    assert command.main(["--profile", "smoke", "--only", "^traverse/", "--out", str(folder), "--no-figures"],
                        tmp_path, lambda *_: executable) == 0  # fmt: skip
    leftover = folder / "parts" / ".traverse-0-0.json.1.tmp"
    leftover.touch()
    capsys.readouterr()
    with open(folder / "plan.json", "rb") as plan_file:  # as the other run holds it
        fcntl.flock(plan_file, fcntl.LOCK_EX)
        assert command.main(["--resume", "--out", str(folder)], tmp_path, lambda *_: executable) == 2
        assert capsys.readouterr().err.splitlines()[-1] == f"scripts/run: {folder}: another run is using this folder"
        assert leftover.exists(), "the other run may be writing it"
    assert command.main(["--resume", "--out", str(folder), "--no-figures"], tmp_path, lambda *_: executable) == 0
    assert not leftover.exists()


def test_of_two_runs_begun_at_once_in_a_new_folder_one_measures(executable: Path, tmp_path: Path) -> None:
    """Many times, so that the second overtakes the first at every place. The other ends with 2 and one line."""
    words, log = ("--profile", "smoke", "--only", "^traverse/"), tmp_path / "log"
    for turn in range(TURNS):
        folder, outputs = tmp_path / f"run{turn}", [tmp_path / f"said{turn}.{which}" for which in (0, 1)]
        children = [begin(executable, folder, output, *words) for output in outputs]
        codes = [end_of(child) for child in children]
        texts = [output.read_text() for output in outputs]
        assert sorted(codes) == [0, 2], texts
        refusal = texts[codes.index(2)].splitlines()[-1]
        assert "already contains a run" in refusal or "another run is using this folder" in refusal
        run = read_run(folder / "run.json")
        assert run.complete and run.account.order_seed == scheduler.read_plan(folder).order_seed
        assert f"order seed {run.account.order_seed}," in texts[codes.index(0)].replace("\n", " ")
        assert len(list(log.iterdir())) == turn + 1, "both have measured"
        assert not list(folder.rglob(".*.tmp"))


def test_of_a_live_run_and_its_resumption_one_measures(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resumed run comes as soon as there is a plan, so that it may even be the first to measure."""
    monkeypatch.setenv("FAKE_DOES", '{"traverse": ["hang", 0]}')
    for turn in range(TURNS // 4):
        folder, log = tmp_path / f"run{turn}", tmp_path / f"log{turn}"
        log.mkdir()
        monkeypatch.setenv("FAKE_LOG", str(log))
        deadline = time.monotonic() + 60
        children = {begin(executable, folder, tmp_path / "live", "--profile", "smoke", "--only", "^traverse/"): "live"}
        while not (folder / "plan.json").exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        children[begin(executable, folder, tmp_path / "resumed", "--resume")] = "resumed"
        ended = 0
        while not ended and time.monotonic() < deadline:
            time.sleep(0.01)
            ended, status = next((end for child in children if (end := os.waitpid(child, os.WNOHANG))[0]), (0, 0))
        assert ended and os.waitstatus_to_exitcode(status) == 2
        refusal = (tmp_path / children.pop(ended)).read_text().splitlines()[-1]
        assert refusal == f"scripts/run: {folder}: another run is using this folder"
        (other,) = children
        while not list(log.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(other, signal.SIGINT)
        assert end_of(other) == INTERRUPTED
        assert end_of(begin(executable, folder, tmp_path / "again", "--resume")) == 0
        assert read_run(folder / "run.json").complete


def begin(executable: Path, folder: Path, output: Path, *arguments: str) -> int:
    words = [*arguments, "--out", str(folder), "--no-figures"]
    return forked(lambda: command.main(words, folder.parent, lambda *_: executable), output)


def test_runs_beside_each_other_share_the_link(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    children = []
    for name in ("a", "b"):

        def point(folder: Path = tmp_path / name) -> int:
            for _ in range(300):
                command._point(tmp_path / "latest", folder)
            return 0

        children.append(forked(point, tmp_path / f"said-{name}"))
    assert [end_of(child) for child in children] == [0, 0]
    assert os.readlink(tmp_path / "latest") in ("a", "b")
    assert not list(tmp_path.glob(".latest*"))


# ---- hostile mallocs

HOSTILE_AT_ONCE = {
    "null": "malloc(1) gave no memory",
    "misaligned": "gave a block that is not aligned",
    "overlapping": "two live blocks of malloc overlapped, or it wrote into one",
    "corrupting": "two live blocks of malloc overlapped, or it wrote into one",
    "dirty_calloc": "calloc gave no zeroed memory",
    "forgetful_realloc": "realloc did not keep what was in the block",
    "aborting": "it died of Aborted",
    "crash_at_load": "it died of Aborted",
    "exit_at_load": "it ended the process",
    "hang_at_load": "it hung for 10 s",
    "hang_at_exit": "it hung for 10 s",
    "shared": "malloc gave two threads the same memory at once",
}


def started(*arguments: str) -> subprocess.Popen[str]:
    words = [str(program()), "--profile=smoke", *arguments]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)


@pytest.mark.hostile("malloc library")
def test_a_hostile_malloc_is_not_available_and_the_others_are_measured() -> None:
    only = "--only=^scoped/(none|evil)/bytes:64/touch:first"
    running = {
        fault: started(f"--allocator={hostile(fault)}", only, "--benchmark_format=json") for fault in HOSTILE_AT_ONCE
    }
    for fault, process in running.items():
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, (fault, err)
        assert names(parsed(out)["benchmarks"]) == ["scoped/none/bytes:64/touch:first"]
        output = str(parsed(out)["context"]["malloc.evil"])
        assert output.startswith("not available: in the load test ") and output.endswith(HOSTILE_AT_ONCE[fault]), (fault, output)
        assert f"not available: evil: in the load test {output.partition('in the load test ')[2]}" in err.splitlines()


def test_a_malloc_without_fault_passes_its_load_test() -> None:
    out, err = started(f"--allocator={hostile('none')}", "--only=^scoped/evil/bytes:64/touch:first$").communicate(timeout=60)
    assert "scoped/evil/bytes:64/touch:first" in out and "not available: evil" not in err


@pytest.mark.hostile("malloc library")
def test_a_run_of_only_a_hostile_malloc_says_why_it_has_no_result() -> None:
    process = started(f"--allocator={hostile('null')}", "--only=^scoped/evil/")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.splitlines()[-1].endswith("; evil is not available: in the load test malloc(1) gave no memory")


@pytest.mark.hostile("malloc library")
@pytest.mark.timing
@pytest.mark.parametrize("fault", ["null", "late_abort"])
def test_a_run_with_a_hostile_malloc_keeps_the_results_of_other_mallocs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    folder = tmp_path / "run"
    words = ["--profile", "smoke", "--only", "^scoped/(none|glibc|evil)/bytes:64/touch:first", "--no-figures"]
    code = command.main([*words, "--allocator", hostile(fault), "--out", str(folder)], tmp_path, lambda *_: program())
    run, output = read_run(folder / "run.json"), capsys.readouterr()
    assert [benchmark.name.strategy for benchmark in run.series()] == ["none", "glibc"]
    if fault == "null":  # found out before
        assert code == 0 and run.unavailable_mallocs()["evil"] == "in the load test malloc(1) gave no memory"
        assert "not available: evil: in the load test malloc(1) gave no memory" in output.err
    else:  # only found out while measuring
        assert code == 1
        assert [failure.reason for failure in run.failed] == ["scoped/evil/bytes:64/touch:first: its process died of Aborted"]
        assert (tmp_path / "run" / "parts" / "scoped-0-0.json").exists()


class Silent:
    def begins(self, part: Any, process: int, done: int, seconds_left: float | None) -> None: ...

    def ends(self, part: Any, process: int, problem: str) -> None: ...

    def round_ends(self, process: int, disturbed: int, seconds_left: float | None) -> None: ...

    def looked(self, questions: Sequence[str], benchmarks: int, processes: int) -> None: ...


# ---- the disk


def in_own_mounts(script: str, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a shell script in a mount namespace of its own; skips if the system does not allow that."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        pytest.skip("this system does not let a test mount anything")
    words = ["unshare", "-m", "sh", "-ec", script, "sh", *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment, check=False)


RUN_THERE = """
import sys
from pathlib import Path
from suite.commands import run
sys.exit(run.main(sys.argv[2:], Path(sys.argv[1]).parent, lambda *_: Path(sys.argv[1])))
"""


def run_there(script: str, executable: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """scripts/run on the fake program in a folder that the script mounts ($1) before it starts what follows."""
    folder.mkdir()
    command = [sys.executable, "-c", RUN_THERE, str(executable), "--out", str(folder / "run"), "--no-figures", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return in_own_mounts(f'at=$1; shift; {script}', str(folder), *command, environment=environment)


@pytest.mark.hostile("disk fault")
def test_a_disk_that_fills_up_gives_one_line_and_results_stay(executable: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    script = f'mount -t tmpfs -o size=200k none "$at"; code=0; "$@" || code=$?; cp -r "$at/run" {folder}; exit $code'
    done = run_there(script, executable, tmp_path / "disk", "--only", "^traverse/", "--processes", "200")
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].endswith("No space left on device") and "Traceback" not in done.stderr
    run = read_run(folder / "run.json")
    assert not run.complete and 1 < run.processes < 200
    assert len(whole_files(folder)) >= run.processes


@pytest.mark.hostile("disk fault")
def test_a_results_folder_that_cannot_be_written_is_one_line(executable: Path, tmp_path: Path) -> None:
    done = run_there('mount -t tmpfs -o ro none "$at"; "$@"', executable, tmp_path / "disk", "--only", "^traverse/")
    assert done.returncode == 2
    assert done.stderr.startswith(f"scripts/run: argument --out: '{tmp_path}/disk/run' cannot be written to (Read-only file system): ")
    assert done.stderr.count("\n") == 1


@pytest.mark.hostile("disk fault")
def test_results_that_become_read_only_give_one_line(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_DOES", '{"traverse": ["slow"]}')
    folder = tmp_path / "kept"
    script = (
        'mount -t tmpfs none "$at"; code=0; "$@" & run=$!; until [ -e "$at/run/run.json" ]; do sleep 0.02; done; '
        f'until mount -o remount,ro "$at"; do sleep 0.02; done; wait $run || code=$?; cp -r "$at/run" {folder}; exit $code'
    )
    done = run_there(script, executable, tmp_path / "disk", "--only", "^traverse/", "--processes", "50")
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].endswith("Read-only file system") and "Traceback" not in done.stderr
    assert whole_files(folder) and not read_run(folder / "run.json").complete


# ---- the machine


def limited(limits: dict[int, int], *arguments: str) -> subprocess.CompletedProcess[str]:
    """The real program under limits of the system."""

    def limit() -> None:
        for kind, most in limits.items():
            resource.setrlimit(kind, (most, most))

    words = [str(program()), "--profile=smoke", *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, preexec_fn=limit, check=False)


@pytest.mark.hostile("limit of the system")
@pytest.mark.parametrize("most", [64 << 10, 256 << 10, resource.RLIM_INFINITY])
@pytest.mark.parametrize(
    "names", ["frame", "scoped/(stack_array|alloca)|many/alloca|recursion|replay/glibc.*|stack_limit|stack_growth"], ids=("frame", "others")
)
def test_any_stack_limit_will_do(names: str, most: int) -> None:
    only = f"--only=^({names})/"
    done = limited({resource.RLIMIT_STACK: most}, only, "--benchmark_format=json")
    assert done.returncode == 0, done.stderr
    rows = parsed(done.stdout)["benchmarks"]
    assert rows and not [row["error_message"] for row in rows if row.get("error_occurred")]


def test_a_small_address_space_costs_what_does_not_fit_and_no_more() -> None:
    """The memory of static storage is part of the program: it must be small enough for systems that grant little."""
    bytes_granted = 700 << 20
    assert limited({resource.RLIMIT_AS: bytes_granted}, "--list=json").returncode == 0
    done = limited({resource.RLIMIT_AS: bytes_granted}, "--only=^(chase|list_walk)/", "--benchmark_format=json")
    assert done.returncode == 0, done.stderr
    rows = parsed(done.stdout)["benchmarks"]
    assert [row for row in rows if row["name"] == "chase/bytes:16384/order:random/home:static"][0]["real_time"] > 0


@pytest.mark.hostile("limit of the system")
def test_a_program_that_is_not_even_started_names_the_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, before[1]))
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\nkill -SEGV $$\n")
    killed.chmod(0o755)
    try:
        assert command.main(["--profile", "smoke"], tmp_path, lambda *_: killed) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    output = capsys.readouterr().err
    assert output.endswith("--list=json crashed (SIGSEGV); the limit of memory is 6 GiB (ulimit -v)\n")


@pytest.mark.parametrize("hidden", ["/proc", "/sys", "/proc /sys"])
def test_facts_that_the_system_hides_are_absent_and_the_run_goes_on(hidden: str) -> None:
    only = "--only=^(scoped/(none|glibc)/bytes:64/touch:first|chase/bytes:16384/order:random|overhead/glibc)"
    script = 'for at in $1; do mount -t tmpfs none $at; done; shift; "$@" --list=json >/dev/null; exec "$@" --benchmark_format=json'
    done = in_own_mounts(script, hidden, str(program()), "--profile=smoke", only)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in parsed(done.stdout)["benchmarks"]}
    assert rows["scoped/glibc/bytes:64/touch:first"]["real_time"] > 0
    assert rows["chase/bytes:16384/order:random/home:static"]["real_time"] > 0
    if "/proc" in hidden:  # a program that may not execute itself has no children
        assert "did not start" in rows["overhead/glibc/bytes:64"]["error_message"]
        assert "huge_share" not in rows["chase/bytes:16384/order:random/home:mmap_thp"]


@pytest.mark.hostile("state of the machine")
def test_without_huge_pages_their_share_is_none_and_no_error() -> None:
    def never() -> None:
        import ctypes

        ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE, which an executed program keeps

    only = "--only=^(chase|tlb|first_touch|large|stream)/"
    words = [str(program()), "--profile=smoke", only, "--benchmark_format=json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, preexec_fn=never, check=False)
    assert done.returncode == 0, done.stderr
    rows = parsed(done.stdout)["benchmarks"]
    assert not [row["error_message"] for row in rows if row.get("error_occurred")]
    assert {row["huge_share"] for row in rows if "huge_share" in row} <= {0.0}


@pytest.mark.hostile("state of the machine")
def test_a_clock_that_is_set_back_changes_no_figure() -> None:
    built = program().with_name("libclock_back.so")
    if not built.exists():
        pytest.skip("the library is not built: build the target unit_tests")
    words = [str(program()), "--profile=smoke", "--only=^(scoped|private|latency)/glibc/", "--benchmark_format=json"]
    environment = {**os.environ, "LD_PRELOAD": str(built)}
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    document = parsed(done.stdout)
    day = subprocess.run(["date"], capture_output=True, text=True, env=environment, check=True).stdout
    assert day != "" and document["benchmarks"]
    assert all(0.1 < row["real_time"] < 1e9 for row in document["benchmarks"])


def test_processors_that_go_away_are_reported_or_not_needed(tmp_path: Path) -> None:
    """As taskset or a smaller cpuset do, from one process to the next."""
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("needs two processors")
    selected = chosen_program(program(), "smoke", "^(scoped/none/bytes:64/touch:first|private/stack_array)")
    plan = scheduler.Plan(selected, ask(selected), 2, 1)
    folder = tmp_path / "run"
    plan.write(folder)

    class shrinking(Silent):
        def round_ends(self, process: int, disturbed: int, seconds_left: float | None) -> None:
            os.sched_setaffinity(0, {min(allowed)})

    try:
        run = scheduler.measure(plan, folder, shrinking())
    finally:
        os.sched_setaffinity(0, allowed)
    assert run.complete and [sample.process for sample in run.series("scoped")[0].samples] == [0, 1]
    # Benchmarks that need more processors than are left are missing, and a line says so.
    for reason in (failure.reason for failure in run.failed):
        assert reason.endswith(": has no result")
    for benchmark in run.series("private"):
        missing = f"{benchmark.name}: has no result" in [failed.reason for failed in run.failed]
        assert len(benchmark.samples) == (1 if missing else 2)


def test_a_running_program_outlives_the_loss_of_a_processor() -> None:
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("needs two processors")
    running = started("--only=^private/stack_array", "--benchmark_min_time=0.2", "--benchmark_format=json")
    time.sleep(0.2)
    os.sched_setaffinity(running.pid, {max(allowed)})
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert all(row["real_time"] > 0 for row in parsed(out)["benchmarks"])


# ---- paths, languages and streams


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts, in a folder with a difficult name, and a run beside them."""
    copy = tmp_path_factory.mktemp("Ein Ordner für größere Läufe 'n' \"Co\"") / "stack heap"
    shutil.copytree(ROOT / "scripts", copy / "scripts")
    shutil.copy(program(), copy / "mein stackheap")
    from support.synthetic import document

    write_json(copy / "läuft.json", document(keep=lambda name: name.startswith(("scoped/", "chase/"))))
    return copy


def scripted(checkout: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "STACKHEAP_PYTHON": sys.executable, **variables}
    return subprocess.run([str(checkout / "scripts" / words[0]), *words[1:]], capture_output=True, text=True, timeout=120,
                          env=environment, cwd=checkout, check=False, encoding="utf-8")  # fmt: skip


def test_a_path_may_hold_spaces_quotes_and_any_letters(checkout: Path, tmp_path: Path) -> None:
    assert scripted(checkout, "claims", "läuft.json").returncode == 0
    plotted = scripted(checkout, "plot", "läuft.json", "--chart", "chase", "--format", "svg")
    assert plotted.returncode == 0, plotted.stderr
    assert (checkout / "figures" / "chase.svg").exists()
    shutil.copy(hostile("none").split("=")[1].split(",")[0], checkout / "läufer.so")
    words = ["--profile", "smoke", "--only", "^scoped/evil/bytes:64/touch:first", "--no-figures", "--out", str(checkout / "ö")]
    code = command.main([*words, "--allocator", f"evil={checkout / 'läufer.so'},hostile_"], tmp_path,
                        lambda *_: checkout / "mein stackheap")  # fmt: skip
    run = read_run(checkout / "ö" / "run.json")
    assert code == 0 and run.mallocs()["evil"].endswith("läufer.so")


@pytest.mark.parametrize("variables", [{"LC_ALL": "C"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
                                       {"PYTHONIOENCODING": "ascii"}])  # fmt: skip
def test_any_language_and_its_letters_will_do(checkout: Path, variables: dict[str, str]) -> None:
    done = scripted(checkout, "claims", "läuft.json", **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert "holds" in done.stdout


def test_numbers_are_written_with_a_point_in_every_language(tmp_path: Path) -> None:
    result = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(tmp_path / "de_DE.UTF-8")], capture_output=True)
    if result.returncode > 1:
        pytest.skip("the sources of locales are not installed")
    environment = {**os.environ, "LC_ALL": "de_DE.UTF-8", "LOCPATH": str(tmp_path)}
    words = [str(program()), "--profile=smoke", "--only=^overhead/glibc/", "--benchmark_format=json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == 0 and 0 < parsed(done.stdout)["benchmarks"][0]["real_time"] < 60e9


STREAMS = {
    "stdin closed": ("<&-", 0),
    "stdout closed": (">&-", 2),
    "stdout full": (">/dev/full", 2),
    "stderr closed": ("2>&-", 0),
    "stderr full": ("2>/dev/full", 0),
    "all closed": ("<&- >&- 2>&-", 2),
}


@pytest.mark.parametrize("stream", STREAMS)
def test_a_closed_or_full_stream_gives_no_traceback_and_never_success(checkout: Path, stream: str) -> None:
    redirection, code = STREAMS[stream]
    for words in (["claims", "läuft.json"], ["claims", "--help"]):
        called = " ".join(f"'{word}'" for word in (f"./scripts/{words[0]}", *words[1:]))
        done = subprocess.run(["sh", "-c", f"{called} {redirection}"], cwd=checkout, capture_output=True, text=True,
                              env={**os.environ, "STACKHEAP_PYTHON": sys.executable}, timeout=60, check=False)  # fmt: skip
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
        assert len(done.stderr.splitlines()) == (1 if stream in ("stdout closed", "stdout full") else 0), done.stderr


def test_a_refusal_that_nobody_can_read_is_still_a_refusal(checkout: Path) -> None:
    """Exit code 1 would mean: a benchmark is worse."""
    for redirection in ("2>/dev/full", "2>&-", ">&- 2>&-"):
        done = subprocess.run(["sh", "-c", f"./scripts/compare nothing.json nothing.json {redirection}"], cwd=checkout,
                              env={**os.environ, "STACKHEAP_PYTHON": sys.executable}, timeout=60, check=False)  # fmt: skip
        assert done.returncode == 2


@pytest.mark.parametrize("arguments", ["--list", "--list=json", ONE])
@pytest.mark.parametrize("redirection", [">/dev/full", ">&-"])
def test_the_program_says_that_nobody_could_read_it(arguments: str, redirection: str) -> None:
    words = f"{program()} --profile=smoke '{arguments}' {redirection}"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "stackheap: could not write everything to standard output: is it closed, or is the disk full?"


def test_output_for_the_screen_never_goes_into_the_result(tmp_path: Path) -> None:
    for redirection in (">&-", "2>&-", "<&- >&- 2>&-"):
        out = tmp_path / "run.json"
        subprocess.run(["sh", "-c", f"{program()} --profile=smoke '{ONE}' --benchmark_out={out} {redirection}"], timeout=60,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # fmt: skip
        assert [row["name"] for row in read_program_output(out)["benchmarks"]] == [ONE[8:-1]]


def test_the_list_is_the_same_with_every_option() -> None:
    """The load test of a malloc leaves nothing behind in the process that measures."""
    tried = json.loads(subprocess.run([str(program()), "--list=json", f"--allocator={hostile('null')}"],
                                      capture_output=True, timeout=60, check=True).stdout)  # fmt: skip
    known = [strategy for strategy in tried["strategies"] if strategy["name"] != "evil"]
    assert known == listed()["strategies"]
