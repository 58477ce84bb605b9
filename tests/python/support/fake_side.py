"""What would one side of a comparison measure? A stand-in for a build, whose times are as a test wants them.

As a module it writes itself out as an executable; as that executable it does what the JSON beside it says:
{"ns": {benchmark: ns}, "noise": share, "crash": [benchmarks], "turn_ms": number or null, "in_turn": [turn, deed],
"counters": {name: value}}.
It keeps a log of what it does beside the JSON, if a file `log` is there.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import repeat
from pathlib import Path

NAMES = {
    "scoped/none/bytes:64/touch:first": 2.0,
    "scoped/glibc/bytes:64/touch:first": 20.0,
    "chase/bytes:16384/order:random/home:heap": 5.0,
    "chase/bytes:67108864/order:random/home:heap": 100.0,
}


HERE = Path(__file__).parent  # in an executable written out: its first folder, wherever it is copied to


def write_side(
    folder: Path,
    ns: Mapping[str, float] = NAMES,
    noise: float = 0.002,
    crash: tuple[str, ...] = (),
    turn_ms: float | None = 5,
    in_turn: tuple[int, str] | None = None,
    counters: Mapping[str, float] = {},
) -> Path:
    """A build folder with the program in it. Without `turn_ms` it is an earlier build, which knows no turns; `in_turn` is
    what it does in which turn, of DEEDS, or `start` in its start; `counters` are in every row."""
    folder.mkdir(parents=True, exist_ok=True)
    executable = folder / "stackheap"
    source = Path(__file__).read_text().replace("Path(__file__).parent", f"Path({str(folder.resolve())!r})", 1)
    executable.write_text(f"#!{sys.executable} -ES\n{source}")
    executable.chmod(0o755)
    behaviour = {"ns": dict(ns), "noise": noise, "crash": crash, "turn_ms": turn_ms, "in_turn": in_turn, "counters": dict(counters)}
    (folder / "stackheap.json").write_text(json.dumps(behaviour))
    return folder


def main(arguments: list[str]) -> int:
    does = json.loads((HERE / "stackheap.json").read_text())
    options = dict(argument.lstrip("-").partition("=")[::2] for argument in arguments)
    only = re.compile(options.get("only", ""))
    names = does["ns"]
    if options.get("allocator"):
        # The library is a text file: how many times as much its malloc costs.
        factor = float(Path(options["allocator"].partition("=")[2]).read_text())
        names |= {name.replace("/glibc/", "/malloc/"): ns * factor for name, ns in names.items() if "/glibc/" in name}
    names = {name: ns for name, ns in names.items() if only.search(name)}
    if options.get("list") == "json":
        print(json.dumps(catalogue(names, does["turn_ms"])))
        return 0
    if {"turns", "iterations"} & set(options) and does["turn_ms"] is None:
        print(f"stackheap: unknown option {arguments[-1]!r} (--help lists them)", file=sys.stderr)
        return 2
    wanted = [name for name in names if re.search(options["benchmark_filter"], name)]
    if set(wanted) & set(does["crash"]):
        os.kill(os.getpid(), signal.SIGSEGV)
    luck = random.lognormvariate(0, does["noise"])
    repetitions = int(options.get("benchmark_repetitions", 1))
    iterations = int(options.get("iterations", 1))
    turns = by_turns(options["turns"], does["in_turn"]) if "turns" in options else repeat(None)
    rows = [
        row(name, names[name] * luck) | {"repetition_index": repetition, "iterations": iterations, **does["counters"]}
        for name in wanted
        for repetition in range(repetitions)
        if next(turns) is None
    ]
    Path(options["benchmark_out"]).write_text(json.dumps({"context": {"suite_version": "1"}, "benchmarks": rows}))
    return 0


# ---- turns


def by_turns(taking: str, in_turn: tuple[int, str] | None) -> Iterator[None]:
    """Waits for its turn before each repetition with which a turn begins."""
    turn_end, wait_end, repetitions = map(int, (*taking.split(","), "1")[:3])
    turn = 0
    while True:
        note(f"{os.getpid()} waits {turn}")
        os.write(wait_end, b".")
        if not os.read(turn_end, 1):
            sys.exit(3)
        note(f"{os.getpid()} begins {turn}")
        if in_turn and in_turn[0] == turn:
            DEEDS[in_turn[1]]()
        for _ in range(repetitions):
            yield
        turn += 1


def note(line: str) -> None:
    if (HERE / "log").exists():
        with (HERE / "log").open("a") as log:
            log.write(f"{line}\n")


def leave_child_and_die() -> None:
    if os.fork() == 0:
        note(f"child {os.getpid()}")
        time.sleep(600)
    os.kill(os.getpid(), signal.SIGKILL)


def be_stopped_and_go_on() -> None:
    with subprocess.Popen(["sh", "-c", f"sleep 0.05; kill -CONT {os.getpid()}"]):
        os.kill(os.getpid(), signal.SIGSTOP)


DEEDS: dict[str, Callable[[], object]] = {
    "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "hang": lambda: time.sleep(600),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "exit": lambda: sys.exit("stackheap: wrong in the middle"),
    "leave": leave_child_and_die,
    "pause": lambda: time.sleep(0.2),
    "rest": be_stopped_and_go_on,
}


# ---- what it says


def catalogue(names: Mapping[str, float], turn_ms: float | None = None) -> dict[str, object]:
    words = dict.fromkeys(("question", "operation", "untimed", "heap", "unfairness"), "in words")
    turns: dict[str, object] = {} if turn_ms is None else {"turn_ms": turn_ms, "warmed": ""}
    families = [
        {**words, **turns, "name": family, "chapter": "allocation", "parts": [f"^{family}/"], "core": [f"^{family}/"] * (family == "scoped"),
         "gate_controls": "order:random" if family == "chase" else "", "metrics": [], "spread": 0.3,
         "benchmarks": [name for name in names if name.startswith(f"{family}/")]}
        for family in dict.fromkeys(name.partition("/")[0] for name in names)
    ]  # fmt: skip
    return {"families": families, "strategies": [], "context": {"compiler": "GNU 12", "cores": "2"}}


def row(name: str, ns: float) -> dict[str, object]:
    return {
        "name": name, "run_name": name, "run_type": "iteration", "repetition_index": 0, "iterations": 1,
        "real_time": ns, "cpu_time": ns, "time_unit": "ns", "ns_per_addition": 0.25 * random.lognormvariate(0, 0.001),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
