"""What would the measuring program do? A stand-in that answers at once, and crashes, hangs or errs when told.

As a module it writes itself out as an executable; as that executable it keeps the program's command line and output.
What it is to do comes in FAKE_DOES, JSON: {"family": ["crash", only in these calls of the family...]}.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from pathlib import Path

KIB, MIB = 1 << 10, 1 << 20
MALLOCS = ("glibc", "jemalloc")
CHASE = (16 * KIB, 512 * KIB, 8 * MIB, 64 * MIB)

# Nanoseconds of every benchmark: round numbers, so that a test can say what must come out.
FAMILIES: dict[str, tuple[str, list[str], dict[str, float]]] = {
    "scoped": (
        "allocation",
        ["^scoped/"],
        {
            f"scoped/{name}/bytes:{size}/touch:first": ns
            for size in (8, 64)
            for name, ns in (
                ("none", 1.0), ("stack_array", 2.0), ("alloca", 2.0), ("arena", 4.0),
                ("glibc", 20.0), ("jemalloc", 10.0),
            )
        },
    ),
    "heap_state": (
        "allocation",
        ["^heap_state/.*/state:empty", "^heap_state/.*/state:aged"],
        {f"heap_state/{name}/state:{state}": 15.0 for name in MALLOCS for state in ("empty", "aged")},
    ),
    "chase": (
        "access",
        ["^chase/"],
        {
            f"chase/bytes:{size}/order:{order}/home:heap": ns if order == "random" else 1.5
            for size, ns in zip(CHASE, (1.5, 5.0, 20.0, 100.0))
            for order in ("sequential", "random")
        },
    ),
    "indirection": (
        "access",
        ["^indirection/"],
        {
            f"indirection/depth:{depth}/layout:{layout}": ns
            for depth, layout, ns in ((0, "packed", 2.0), (1, "packed", 2.0), (1, "scattered", 20.0))
        },
    ),
    "traverse": (
        "locality",
        ["^traverse/"],
        {
            "traverse/vector/count:100000/payload:8": 0.5,
            "traverse/list_shuffled/count:100000/payload:8": 5.0,
        },
    ),
    "private": (
        "contention",
        ["^private/"],
        {
            f"private/{name}/threads:{threads}": 30.0 * (threads if name == "glibc" else 1)
            for name in ("stack_array", *MALLOCS)
            for threads in (1, 2, 4)
        },
    ),
    "handoff": ("contention", ["^handoff/"], {f"handoff/{name}/pairs:1": 50.0 for name in ("none", *MALLOCS)}),
}


def write_program(folder: Path) -> Path:
    executable = folder / "stackheap"
    executable.write_text(f"#!{sys.executable} -ES\n{Path(__file__).read_text()}")
    executable.chmod(0o755)
    return executable


def main(arguments: list[str]) -> int:
    single = [argument for argument in arguments if not argument.startswith("--allocator=")]
    options = dict(argument.lstrip("-").partition("=")[::2] for argument in single)
    for argument in arguments:
        if argument.startswith("--allocator=") and not re.fullmatch(r"--allocator=\w+=/.+", argument):
            return refuse(f"--allocator needs NAME=FILE[,PREFIX], not {argument.partition('=')[2]!r}")
    try:
        only = re.compile(options.get("only", ""))
    except re.error:
        return refuse(f"--only: {options['only']!r} is not a regular expression")
    if not any(only.search(name) for _, _, benchmarks in FAMILIES.values() for name in benchmarks):
        return refuse(f"no benchmark's name matches --only={options['only']}")
    if options.get("list") == "json":
        print(json.dumps(catalogue(only)))
        return 0
    return measure(options["benchmark_filter"], only, Path(options["benchmark_out"]), options["profile"])


def refuse(line: str) -> int:
    print(f"stackheap: {line}", file=sys.stderr)
    return 2


def catalogue(only: re.Pattern[str]) -> dict[str, object]:
    families = []
    for name, (chapter, parts, benchmarks) in FAMILIES.items():
        left = [benchmark for benchmark in benchmarks if only.search(benchmark)]
        if left:
            words = dict.fromkeys(("question", "operation", "untimed", "heap", "unfairness"), "in words")
            families.append({**words, "name": name, "chapter": chapter, "parts": parts, "benchmarks": left})
    glibc = {"name": "glibc", "available": True, "file": "/nowhere", "version": "2.36", "reason": "", "package": ""}
    missing = {"name": "mimalloc", "available": False, "file": "", "version": "", "reason": "not found"}
    missing["package"] = "libmimalloc2.0"
    strategies: list[dict[str, object]] = [{**glibc, "process": True}, {**missing, "process": False}]
    return {"families": families, "strategies": strategies, "context": {"counters": "none: not here"}}


def measure(expression: str, only: re.Pattern[str], output: Path, profile: str) -> int:
    chosen = [
        (name, ns)
        for _, _, benchmarks in FAMILIES.values()
        for name, ns in benchmarks.items()
        if re.search(expression, name) and only.search(name)
    ]
    if not chosen:
        return refuse(f"nothing matches {expression!r}")
    family = chosen[0][0].partition("/")[0]
    call = count_call(family)
    does, *calls = json.loads(os.environ.get("FAKE_DOES", "{}")).get(family, [""])
    does = does if not calls or call in calls else ""
    if does == "stop":
        (Path(os.environ["FAKE_LOG"]) / "stops").write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGSTOP)
    if does == "crash":
        os.kill(os.getpid(), 11)
    if does in ("hang", "slow"):
        output.write_text("{")
        time.sleep(600 if does == "hang" else 0.5)
    if does == "exit":
        return refuse("wrong in the middle")
    rows = [row(name, ns, place, call, does) for place, (name, ns) in enumerate(chosen)]
    written = json.dumps({"context": context(profile), "benchmarks": rows[:-1] if does == "missing" else rows})
    output.write_text({"garbage": "not JSON", "truncated": written[:-40], "empty": ""}.get(does, written))
    return 0


def count_call(family: str) -> int:
    """Which call of this family it is, from 0: one file a call."""
    log = Path(os.environ["FAKE_LOG"])
    call = len(list(log.glob(f"{family}.*")))
    (log / f"{family}.{call}.{os.getpid()}").touch()
    return call


def family_of(name: str) -> str:
    return name.partition("/")[0]


def row(name: str, ns: float, place: int, call: int, does: str) -> dict[str, object]:
    time_ns = float("nan") if does == "nan" else ns * (1 + 0.01 * (call % 5))
    cycle = 0.5 + 0.01 * call
    wrong = {"error_occurred": True, "error_message": "the work was wrong"} if does == "error" and place == 0 else {}
    return {
        "name": name, "family_index": 0, "per_family_instance_index": place, "run_name": name, "run_type": "iteration",
        "repetitions": 1, "repetition_index": 0, "threads": 1, **wrong, "iterations": 1000,
        "real_time": 0.0 if wrong else time_ns, "cpu_time": 0.0 if wrong else time_ns, "time_unit": "ns",
        **({"stopped_seconds": 0.4} if does == "stopped" else {}),
        **({"malloc_thread_cores": 0.9 if does == "threads" else 0.001} if family_of(name) == "scoped" else {}),
        **({"ns_shared_cache": 60.0 if does == "cache" else 15.0} if family_of(name) == "chase" and not wrong else {}),
        **({"ns_line_trip": 160.0 if does == "far" else 25.0} if family_of(name) == "private" and not wrong else {}),
        **({} if wrong else {"ns_per_addition": cycle, "ns_per_eight_additions": cycle * (3.2 if does == "shared" else 2.0)}),
    }


def context(profile: str) -> dict[str, object]:
    return {
        "date": "2026-01-01T00:00:00+00:00", "host_name": "fake", "executable": "stackheap", "num_cpus": 2,
        "mhz_per_cpu": 1000, "cpu_scaling_enabled": False, "caches": [], "load_avg": [0.0, 0.0, 0.0],
        "library_build_type": "release", "suite_version": "1", "profile": profile, "seed": "1", "cores": "2",
        "l1d_bytes": str(32 * KIB), "l2_bytes": str(1 * MIB), "l3_bytes": str(16 * MIB), "process_malloc": "glibc",
        "malloc.glibc": "2.36 /lib/libc.so.6", "malloc.jemalloc": "5.3.0 /lib/libjemalloc.so.2",
        "malloc.mimalloc": "not available: not found (install: libmimalloc2.0)",
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
