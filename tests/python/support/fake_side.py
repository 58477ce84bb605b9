"""What would one side of a comparison measure? A stand-in for a build, whose times are as a test wants them.

As a module it writes itself out as an executable; as that executable it does what the JSON beside it says:
{"ns": {benchmark: ns}, "noise": share, "crash": [benchmarks]}.
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
from collections.abc import Mapping
from pathlib import Path

NAMES = {
    "scoped/none/bytes:64/touch:first": 2.0,
    "scoped/glibc/bytes:64/touch:first": 20.0,
    "chase/bytes:16384/order:random/home:heap": 5.0,
    "chase/bytes:67108864/order:random/home:heap": 100.0,
}


HERE = Path(__file__).parent  # in an executable written out: its first folder, wherever it is copied to


def write_side(
    folder: Path, ns: Mapping[str, float] = NAMES, noise: float = 0.002, crash: tuple[str, ...] = ()
) -> Path:
    """A build folder with the program in it."""
    folder.mkdir(parents=True, exist_ok=True)
    executable = folder / "stackheap"
    source = Path(__file__).read_text().replace("Path(__file__).parent", f"Path({str(folder.resolve())!r})", 1)
    executable.write_text(f"#!{sys.executable} -ES\n{source}")
    executable.chmod(0o755)
    behaviour = {"ns": dict(ns), "noise": noise, "crash": crash}
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
        print(json.dumps(catalogue(names)))
        return 0
    wanted = [name for name in names if re.search(options["benchmark_filter"], name)]
    if set(wanted) & set(does["crash"]):
        os.kill(os.getpid(), 11)
    rows = [row(name, names[name] * random.lognormvariate(0, does["noise"])) for name in wanted]
    Path(options["benchmark_out"]).write_text(json.dumps({"context": {"suite_version": "1"}, "benchmarks": rows}))
    return 0


def catalogue(names: Mapping[str, float]) -> dict[str, object]:
    words = dict.fromkeys(("question", "operation", "untimed", "heap", "unfairness"), "in words")
    families = [
        {**words, "name": family, "chapter": "allocation", "parts": [f"^{family}/"], "core": [f"^{family}/"] * (family == "scoped"),
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
