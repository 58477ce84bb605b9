"""How do the commands do on the largest result files? Shapes of such files, each with its rows in another direction.

`large_files.py [ROWS] [SHAPE...]` makes them and calls every command on them.
"""

from __future__ import annotations

import dataclasses
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/python")]

from suite.base.files import write_json
from suite.results.model import Account, BenchmarkName, Document, Failure, Unit
from suite.results.read import MOST_FACTS
from support import declarations, synthetic, textbook

MALLOCS = synthetic.names_of(5)
PROCESSES = 5


def document(
    names: Sequence[str],
    processes: int = PROCESSES,
    units: Iterable[Unit] | None = None,
    failed: Iterable[Failure] = (),
    error: str = "",
    mallocs: Sequence[str] = MALLOCS,
) -> Document:
    """A result file with a row for each name and process; every row is an error, where there is an error."""
    families = dict.fromkeys(name.partition("/")[0] for name in names)
    known = textbook.families()
    rows = []
    wrong: Document = {"error_occurred": True, "error_message": error} if error else {}
    for name in names:
        parsed = BenchmarkName.parse(name)
        family = known.get(parsed.family)
        ns, counters = (family.price(parsed), family.counters(parsed)) if family else (10.0, {})
        for process in range(processes):
            row = synthetic.row(name, ns * (1 + 0.001 * (process % 17)), counters)
            rows.append({**row, "repetition_index": process, "repetitions": processes, **wrong})
    if units is None:
        units = [unit(family, process) for family in families for process in range(processes)]
    declared = [name for name in families if name in known]  # a file with longer declarations is refused
    words = {name: {"question": f"What does {name} ask?", **declarations.of_family(name)} for name in declared}
    about = {"chapters": synthetic.CHAPTERS, "families": words, "strategies": synthetic.ideas(tuple(mallocs))}
    account = Account(True, processes, 1, tuple(units), tuple(failed), about=about)
    context = {**synthetic.context(tuple(mallocs), 2), "suite": dataclasses.asdict(account)}
    return {"context": context, "benchmarks": rows}


def unit(family: str, process: int, disturbed: bool = False) -> Unit:
    chapter = textbook.chapter_of(family) if family in textbook.families() else "allocation"
    reasons = ("others used the processor",) if disturbed else ()
    return Unit(family, chapter, f"^{family}/", process, disturbed, reasons, 0, 0, 0, 0, 1.0, 0.25, 1)


def families(rows: int) -> Document:
    return document([f"family_{number}/glibc/bytes:64" for number in range(rows // PROCESSES)])


def one_family(rows: int) -> Document:
    sizes = range(1, 2 + rows // PROCESSES // len(MALLOCS))
    return document([f"one/{malloc}/bytes:{size}" for size in sizes for malloc in MALLOCS][: rows // PROCESSES])


def sizes(rows: int) -> Document:
    return document([f"scoped/glibc/bytes:{size}/touch:first" for size in range(1, rows + 1)], processes=1)


def processes(rows: int) -> Document:
    return document(["scoped/glibc/bytes:64/touch:first"], processes=rows)


def rows_and_processes(rows: int) -> Document:
    """Each benchmark has one process, another than all others have."""
    whole = document([f"scoped/glibc/bytes:{size}/touch:first" for size in range(1, rows + 1)], processes=1, units=[])
    for number, row in enumerate(whole["benchmarks"]):
        row.update({"repetition_index": number, "repetitions": rows})
    whole["context"]["suite"]["processes_planned"] = rows
    return whole


def mallocs(rows: int) -> Document:
    names = synthetic.names_of(rows // PROCESSES)
    listed = names[: MOST_FACTS - 100]  # a file with more facts is refused
    return document([f"scoped/{name}/bytes:64/touch:first" for name in ("none", *names)], mallocs=listed)


def errors(rows: int) -> Document:
    names = [f"scoped/glibc/bytes:{size}/touch:first" for size in range(1, rows // PROCESSES + 1)]
    whole = document(names, error="no memory")
    for row in whole["benchmarks"][:PROCESSES]:
        del row["error_occurred"]
    return whole


def failures(rows: int) -> Document:
    failed = [Failure("scoped", process, "ended with signal 11") for process in range(rows)]
    return document(["scoped/glibc/bytes:64/touch:first"], failed=failed)


def disturbed(rows: int) -> Document:
    """As many disturbed units as benchmarks, all of one family."""
    names = [f"scoped/glibc/bytes:{size}/touch:first" for size in range(1, rows // PROCESSES + 1)]
    return document(names, units=[unit("scoped", number % PROCESSES, True) for number in range(rows)])


def parts(rows: int) -> Document:
    """As many disturbed units as benchmarks, each of a part of its own."""
    names = [f"scoped/glibc/bytes:{size}/touch:first" for size in range(1, rows // PROCESSES + 1)]
    units = [
        dataclasses.replace(unit("scoped", process, True), part=f"^{name}$")
        for name in names
        for process in range(PROCESSES)
    ]
    return document(names, units=units)


def every_family(rows: int) -> Document:
    """The textbook's benchmarks on a machine with as many mallocs as make so many rows."""
    few, more = (len(list(synthetic.benchmarks(synthetic.names_of(number), 2))) for number in (5, 10))
    libraries = synthetic.names_of(5 + max(0, rows // PROCESSES - few) * 5 // (more - few))
    return document(list(synthetic.benchmarks(libraries, 2)), mallocs=libraries)


def every_parameter(rows: int) -> Document:
    """The textbook's benchmarks with other numbers for their parameters, for so many rows."""
    names = list(synthetic.benchmarks(MALLOCS, 2))
    by_family: dict[str, list[str]] = {}
    for name in names:
        by_family.setdefault(name.partition("/")[0], []).append(name)
    for family, own in by_family.items():
        wanted = rows // PROCESSES // len(by_family)
        own += list(dict.fromkeys(name for name in _other_numbers(own, wanted) if name not in own))[: wanted]
    return document([name for own in by_family.values() for name in own])


def _other_numbers(names: Sequence[str], wanted: int) -> Iterator[str]:
    for name in names:
        head, *pieces = name.split("/")
        for place, piece in enumerate(pieces):
            key, colon, value = piece.partition(":")
            if colon and value.isdigit():
                for number in range(1, 2 + wanted):
                    yield "/".join([head, *pieces[:place], f"{key}:{number}", *pieces[place + 1 :]])


SHAPES: dict[str, Callable[[int], Document]] = {
    shape.__name__: shape
    for shape in (
        families, one_family, sizes, processes, rows_and_processes, mallocs, errors, failures, disturbed, parts,
        every_family, every_parameter,
    )
}  # fmt: skip


def write(shape: str, rows: int, folder: Path) -> tuple[Path, Path]:
    """Two files of the shape, which differ only in their date."""
    whole = SHAPES[shape](rows)
    files = folder / "old.json", folder / "new.json"
    for number, file in enumerate(files):
        whole["context"]["date"] = f"2026-01-0{number + 2}T03:04:05+00:00"
        write_json(file, whole, indent=None)
    return files


def calls(old: Path, new: Path, folder: Path) -> Iterator[list[str]]:
    """Every command that reads a run."""
    record = ["history", "--file", str(folder / "history.sqlite")]
    compared = ["compare", str(old), str(new)]
    yield ["claims", "--details", str(old)]
    yield compared
    for kind in ("json", "markdown", "junit"):
        yield [*compared, "--across", "--format", kind, "--out", str(folder / f"compared.{kind}")]
    for kind in ("google-benchmark", "github-action-benchmark", "bencher", "otava", "otava-config"):
        yield ["export", str(old), "--to", kind, "--out", str(folder / f"exported.{kind}")]
    yield [*record, "add", str(old), str(new)]
    yield [*record, "list"]
    yield [*record, "check", "--allow-short"]
    yield [*record, "trend", "scoped"]
    yield [*record, "export"]
    yield [*record, "page", "--out", str(folder / "page")]
    yield ["plot", str(old), "--format", "svg,png", "--out", str(folder / "figures")]
    yield ["plot", str(old), str(new), "--format", "svg", "--out", str(folder / "across")]
    yield ["report", str(old), "--out", str(folder / "report.html")]
    yield ["report", str(old), str(new), "--out", str(folder / "across.html")]


@dataclasses.dataclass(frozen=True)
class Used:
    """What a command took."""

    code: int
    wall_seconds: float
    cpu_seconds: float
    mib: float  # resident, at most
    output: str


def measured(call: Sequence[str], seconds: int = 100, most_bytes: int = 6 << 30) -> Used:
    """Calls a command with limits; -9 and -24 are their codes."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))

    begun = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(
            [str(ROOT / "scripts" / call[0]), *call[1:]],
            stdout=output, stderr=subprocess.STDOUT, preexec_fn=limit,
            env={**os.environ, "STACKHEAP_PYTHON": sys.executable, "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    wall = time.monotonic() - begun
    return Used(child.returncode, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, text)


def main(rows: int, shapes: Sequence[str]) -> None:
    for shape in shapes or SHAPES:
        with tempfile.TemporaryDirectory() as there:
            folder = Path(there)
            old, new = write(shape, rows, folder)
            print(f"{shape}: {old.stat().st_size / 2**20:.1f} MiB a file", flush=True)
            for call in calls(old, new, folder):
                used = measured(call)
                words = " ".join(Path(word).name for word in call)
                over = " <<<<" if used.cpu_seconds > 60 or used.mib > 1024 or used.code not in (0, 1, 2) else ""
                took = f"{used.code:3} {used.cpu_seconds:6.1f} s {used.mib:5.0f} MiB"
                print(f"  {took} {len(used.output):9,} letters  {words}{over}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, sys.argv[2:])
