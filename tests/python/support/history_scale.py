"""How large does a history get, and how long does check take, after a thousand runs? Run it: history_scale.py [RUNS].

The runs are generated: names and counters of a real one, its numbers drawn anew, kept as scripts/history keeps runs.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))

import numpy as np  # noqa: E402

from suite.history import store

FIRST = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)


def day(number: int) -> str:
    return (FIRST + datetime.timedelta(days=number)).isoformat(timespec="seconds")


def redrawn(
    like: store.PreparedRun, number: int, levels: dict[str, float], random: np.random.Generator
) -> store.PreparedRun:
    """The run as it might have come out on another day: 2 % between processes, 1 % between runs; `levels` by figure."""
    arrays = {}
    for key, values in like.own.arrays.items():
        of_run = random.normal(0, 0.01, (len(values), 1))
        factors = np.exp(of_run + random.normal(0, 0.02, values.shape))
        arrays[key] = values * (factors if key != "ns_per_addition" else np.exp(random.normal(0, 0.002, values.shape)))
    own = store.Numbers(like.own.layout, arrays)
    names = own.layout.series_names()
    medians = store.medians_of(like.unit, own, None) * np.array([levels.get(name, 1.0) for name in names])
    packed = zlib.compress(medians.astype("<f4").tobytes())
    return dataclasses.replace(like, digest=f"{number:064x}", measured=day(number), own=own, medians=packed)


def fill(file: Path, run: Path, runs: int, step_at: int | None = None, step: float = 1.05, seed: int = 1) -> str:
    """Makes a history of so many runs; from `step_at` on, the first series costs `step` times as much. Its name."""
    like, random = store.prepare(run), np.random.default_rng(seed)
    slow = like.own.layout.series_names()[0]
    with store.opened(file, to_write=True) as kept:
        for number in range(runs):
            worse = step_at is not None and number >= step_at
            kept.add(redrawn(like, number, {slow: step} if worse else {}, random), f"{number:040x}")
    return slow


def main(runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "history.sqlite")
        begun = time.perf_counter()
        slow = fill(file, ROOT / "results" / "reference" / "run.json.gz", runs, step_at=runs - 12)
        print(f"{runs} runs kept in {time.perf_counter() - begun:.1f} s, {file.stat().st_size / 1e6:.1f} MB")
        begun = time.perf_counter()
        check = [str(ROOT / "scripts" / "history"), "--file", str(file), "check", "--format", "json"]
        ended = subprocess.run(check, capture_output=True, text=True)
        print(f"check took {time.perf_counter() - begun:.2f} s and ended with {ended.returncode}: {ended.stderr}")
        answer = json.loads(ended.stdout)
        changed = [change["name"] for change in answer["changes"]]
        print(f"{answer['series_judged']} series, found: {changed}, planted: {slow}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
