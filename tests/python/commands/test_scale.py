"""Do the commands work on a machine with 256 cores, and on a result file of 100,000 rows?

The tests are a scaled-down check; `test_scale.py ROWS` measures every command on a file of that many rows.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/python")]

import pytest

from suite import charts
from suite.base.files import write_json
from suite.runner import scheduler
from support import large_files, synthetic, textbook
from support.chart_checks import drawn, faults_of_layout
from support.measuring_program import parsed, program

pytestmark = pytest.mark.slow  # draws and reads the largest results there are

CORES, STRATEGIES = 256, 12
THREADED = textbook.chapters()["contention"].FAMILIES


# ---- 256 cores


@pytest.mark.parametrize("name", [name for name, chart in charts.charts().items() if chart.family in THREADED])
def test_every_chart_of_threads_can_be_read_with_256_cores(name: str) -> None:
    run = synthetic.synthetic(mallocs=STRATEGIES - 2, cores=CORES, processes=2, keep=of_threads)
    assert list(faults_of_layout(drawn(run, name))) == []


def of_threads(name: str) -> bool:
    return name.partition("/")[0] in THREADED


def test_a_machine_of_256_cores_is_planned_for() -> None:
    environment = {**os.environ, "HWLOC_SYNTHETIC": f"package:4 core:{CORES // 4} pu:2"}
    for profile in scheduler.PROCESSES:
        words = [str(program()), "--list=json", f"--profile={profile}"]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=True)
        plan = parsed(done.stdout)
        if plan["context"]["cores"] != str(CORES):
            pytest.skip("this hwloc simulates no machine for a whole program")
        assert plan["context"]["processing_units"] == str(2 * CORES)
        threads = {name.rpartition("threads:")[2] for family in plan["families"] for name in family["benchmarks"] if "threads:" in name}
        counted = {int(text) for text in threads if text.isdigit()}
        assert max(counted) == (2 * CORES if profile != "smoke" else 2)
        assert sum(len(family["benchmarks"]) for family in plan["families"]) < 10_000


def test_a_benchmark_whose_processors_are_missing_is_an_error_and_others_are_measured() -> None:
    """A simulated machine's processors cannot be pinned to: as cores that went offline. A figure of threads that share
    the processors that are left would be a wrong figure."""
    environment = {**os.environ, "HWLOC_SYNTHETIC": f"package:4 core:{CORES // 4} pu:2"}
    words = [str(program()), "--profile=smoke", "--only=^(private|handoff)/glibc", "--benchmark_format=json"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    rows = parsed(done.stdout)["benchmarks"]
    errors = {row["error_message"] for row in rows if row.get("error_occurred")}
    assert all(re.fullmatch(r"cannot pin a thread to processor \d+: Invalid argument", error) for error in errors)
    assert errors and not [row for row in rows if row["name"].endswith("threads:1") and row.get("error_occurred")]


# ---- many rows


def write_runs(folder: Path, rows: int, names: list[str]) -> tuple[Path, Path]:
    """Two runs of the same names, each with this many rows of single processes."""
    files = []
    for number, name in enumerate(("old.json", "new.json")):
        kept_names = set(names)

        def noise(benchmark: str, process: int, number: int = number) -> float:
            return 1 + 0.02 * random.Random(f"{number}/{benchmark}/{process}").uniform(-1, 1)

        document = synthetic.document(mallocs=STRATEGIES, cores=CORES, processes=-(-rows // len(names)), noise=noise,
                                      keep=kept_names.__contains__)  # fmt: skip
        document["context"]["date"] = f"2026-01-0{number + 2}T03:04:05+00:00"
        files.append(folder / name)
        write_json(files[-1], document)
    return files[0], files[1]


def calls(old: Path, new: Path, folder: Path) -> Iterator[list[str]]:
    record = ["history", "--file", str(folder / "history.sqlite")]
    yield ["claims", str(old)]
    yield ["compare", str(old), str(new), "--format", "json", "--out", str(folder / "compared.json")]
    yield ["export", str(old), "--to", "bencher", "--out", str(folder / "exported.json")]
    yield [*record, "add", str(old), str(new)]
    yield [*record, "check", "--allow-short"]
    yield ["plot", str(old), "--format", "svg"]
    yield ["report", str(old), "--out", str(folder / "report.html")]


def measured(call: list[str]) -> tuple[int, float, float, float]:
    """Exit code, seconds, seconds of a processor, and the most MiB in memory."""
    begun = time.monotonic()
    environment = {**os.environ, "STACKHEAP_PYTHON": sys.executable}
    words = [str(ROOT / "scripts" / call[0]), *call[1:]]
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, time.monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def test_a_large_result_file_goes_through_every_command(tmp_path: Path) -> None:
    """A tenth of the rows: within a fifth of the minute, of a processor's time, and half of the gigabyte."""
    names = list(synthetic.benchmarks(synthetic.names_of(STRATEGIES), CORES))
    some = [name for name in names if name.startswith(("scoped/", "private/", "larson/"))]
    old, new = write_runs(tmp_path, 10_000, some)
    for call in calls(old, new, tmp_path):
        code, _, seconds, mib = measured(call)
        assert code == 0, call
        assert seconds < 20 and mib < 1000, call


@pytest.mark.nightly
@pytest.mark.hostile("size")
@pytest.mark.parametrize("shape", large_files.BY_ROWS)
def test_the_cost_of_every_command_grows_as_the_file_does(shape: str, tmp_path: Path) -> None:
    """Four times the rows take at most eight times as long; a quadratic cost would take sixteen times."""
    seconds: dict[tuple[str, ...], list[float]] = {}
    for rows in (5_000, 20_000):
        folder = tmp_path / str(rows)
        folder.mkdir()
        for call in large_files.calls(large_files.write(shape, rows, folder), folder):
            used = large_files.measured(call)
            assert used.code in (0, 2) and "Traceback" not in used.output and used.mib < 1000, (call, used)
            seconds.setdefault(tuple(Path(word).name for word in call), []).append(used.cpu_seconds)
    assert {call: both for call, both in seconds.items() if both[1] > 8 * both[0] and both[1] > 5.0} == {}


@pytest.mark.nightly
@pytest.mark.hostile("size")
@pytest.mark.parametrize("shape", [shape for shape in large_files.SHAPES if shape not in large_files.BY_ROWS])
def test_a_file_of_any_shape_costs_no_more_than_its_size(shape: str, tmp_path: Path) -> None:
    """SECURITY.md says it of files of 10 MB: here a third of the size, within a third of the bounds, for each file."""
    files = large_files.write_of_size(shape, 10_000_000 // 3, tmp_path)
    for call in large_files.calls(files, tmp_path):
        used = large_files.measured(call)
        read = max(1, sum(str(file) in call for file in files)) / 3
        assert used.code in (0, 1, 2) and "Traceback" not in used.output, (call, used.output[-1000:])
        assert used.cpu_seconds < read * large_files.MOST_SECONDS and used.mib < read * large_files.MOST_MIB["megabytes"], call


def main(rows: int, folder: Path) -> None:
    names = list(synthetic.benchmarks(synthetic.names_of(STRATEGIES), CORES))
    old, new = write_runs(folder, rows, names)
    print(f"{len(names)} benchmarks, {old.stat().st_size >> 20} MiB a file")
    for call in calls(old, new, folder):
        code, wall, seconds, mib = measured(call)
        print(f"{call[0]} {call[3] if call[0] == 'history' else ''}: exit {code}, {wall:.1f} s, of a processor {seconds:.1f} s, {mib:.0f} MiB")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as there:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, Path(there))
