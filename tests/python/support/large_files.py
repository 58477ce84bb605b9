"""How do the commands do on the largest files that they read? Shapes of such files, each with its cost in another place.

`large_files.py --rows 100000 [SHAPE...]` makes result files of so many rows, and `large_files.py --megabytes 10 [SHAPE...]`
files of so many megabytes in any shape: result files, recorded pairs, histories, recordings. It calls every command on them.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/python")]

import numpy as np

from suite.base.files import write_json
from suite.commands import run as run_command
from suite.gate.pairs_file import Pair, RecordedPairs, Side, write_pairs
from suite.history import database, store
from suite.results.metrics import Metric
from suite.results.model import Account, BenchmarkName, Document, Failure, Sample, Unit
from suite.results.read import LONGEST_FACT, LONGEST_NAME, MOST_FACTS, MOST_FIELDS, read_run
from support import declarations, history_scale, synthetic, textbook

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


# ---- result files of any shape: `number` is what they have many of


def bare_rows(number: int) -> Document:
    """As few letters a row as can be, each row a family, as a single process writes it."""
    return _of_rows({"name": f"f{place}"} for place in range(number))


def _of_rows(rows: Iterable[Document], **context: object) -> Document:
    plain = {"real_time": 1, "cpu_time": 1, "time_unit": "ns"}
    return {"context": {**synthetic.context(MALLOCS, 2), **context}, "benchmarks": [{**row, **plain} for row in rows]}


def _of_small(suite: Mapping[str, object] | None = None, facts: Mapping[str, str] | None = None) -> Document:
    """A small sound run with this in its account, and these facts."""
    whole = one_family(100)
    whole["context"]["suite"].update(suite or {})
    whole["context"].update(facts or {})
    return whole


def _long(place: int, longest: int = LONGEST_NAME, letters: str = "long_") -> str:
    """A text of so many letters, with its number at its end."""
    return f"{letters * longest}"[: longest - 8] + f"{place:08}"


def long_names(number: int) -> Document:
    return document([f"long/glibc/{_long(place, LONGEST_NAME - 11)}" for place in range(number)], processes=2)


def deep_names(number: int) -> Document:
    """Each name has as many parameters as it has room for."""
    tail = "/".join(f"p{place}:1" for place in range(80))
    return document([f"deep/glibc/{tail[:440]}/n:{place}" for place in range(number)], processes=2)


def slashes(number: int) -> Document:
    return document([_long(place, LONGEST_NAME, "s///") for place in range(number)], processes=2)


def strange_letters(number: int) -> Document:
    return document([_long(place, LONGEST_NAME, "a\u0301\u202e\x1b\U0001f600<&|`") for place in range(number)], processes=2)


def wide_rows(number: int) -> Document:
    """Each row has as many counters as it may."""
    counters = {f"counter_{place}": 1.5 + place for place in range(MOST_FIELDS - 10)}
    return _of_rows({"name": f"wide/glibc/bytes:{place}", **counters} for place in range(number))


def counters(number: int) -> Document:
    """Each row has counters of its own."""
    return _of_rows(
        {"name": f"wide/glibc/bytes:{row}", **{f"counter_{row}_{place}": 1.5 for place in range(100)}} for row in range(number)
    )


def declared_counters(number: int) -> Document:
    """One family declares as many metrics as fit into the account, and each row has them."""
    names = [f"c{place}" for place in range(MOST_FIELDS - 10)]
    metrics = [{"counter": name, "unit": "bytes", "more_is_worse": True, "least": 0.0} for name in names]
    counted: Document = {name: 1.5 for name in names}
    rows = ({"name": f"wide/glibc/bytes:{row}", **counted} for row in range(number))
    about = {"chapters": {}, "families": {"wide": {"metrics": metrics}}, "strategies": {}}
    return _of_rows(rows, suite=dataclasses.asdict(Account(True, 1, about=about)))


def declarations_of_families(number: int) -> Document:
    """A family for each row, which declares a metric; as many as fit into the account."""
    names = [f"f{place}" for place in range(number)]
    words = {name: {"question": "?", "metrics": [{"counter": "", "unit": "ns", "more_is_worse": True, "least": 0.0}]}
             for name in names[:8_000]}  # fmt: skip
    about = {"chapters": {}, "families": words, "strategies": {}}
    return _of_rows(({"name": name} for name in names), suite=dataclasses.asdict(Account(True, 1, about=about)))


def messages(number: int) -> Document:
    """Each row is an error with a long message of its own."""
    whole = document([f"scoped/glibc/bytes:{place}/touch:first" for place in range(1 + number)], processes=1)
    for place, row in enumerate(whole["benchmarks"][1:]):
        row.update({"error_occurred": True, "error_message": _long(place, 2000, "no memory ")})
    return whole


def one_message(number: int) -> Document:
    whole = _of_small()
    whole["benchmarks"][0].update({"error_occurred": True, "error_message": "no memory " * number})
    return whole


def unread_fields(number: int) -> Document:
    """What no command asks for: lists and objects in a row."""
    whole = _of_small()
    whole["benchmarks"][0]["more"] = [{"deep": [[], {}, place]} for place in range(number)]
    return whole


def aggregates(number: int) -> Document:
    whole = _of_small()
    row = {"run_type": "aggregate", "aggregate_name": "mean"}
    whole["benchmarks"] += [{**whole["benchmarks"][0], **row, "name": f"one_mean/{place}"} for place in range(number)]
    return whole


def facts(number: int) -> Document:
    """As many facts as a context may have, together of so many thousand letters."""
    letters = min(1000 * number // 900, LONGEST_FACT - 100)
    return _of_small(facts={f"fact_{place}": _long(place, letters, "long fact ") for place in range(min(number, 900))})


def reasons(number: int) -> Document:
    """Units with as many reasons as they may have, each reason different."""
    named = (dataclasses.replace(unit("one", 0, True), reasons=tuple(_long(100 * place + nth, 50) for nth in range(100)))
             for place in range(number))  # fmt: skip
    return _of_small(suite={"units": [dataclasses.asdict(own) for own in named]})


def long_reasons(number: int) -> Document:
    named = (dataclasses.replace(unit("one", place % 5, True), reasons=(_long(place, 60_000),)) for place in range(number))
    return _of_small(suite={"units": [dataclasses.asdict(own) for own in named]})


def long_parts(number: int) -> Document:
    """Disturbed units whose part lists all benchmarks, as a refinement's does."""
    names = [f"one/{malloc}/bytes:{size}" for size in range(1, 201) for malloc in MALLOCS]
    part = f"^({'|'.join(names)})$"
    named = [dataclasses.replace(unit("one", place % PROCESSES, True), part=part) for place in range(number)]
    return document(names, units=named)


def expressions(number: int) -> Document:
    """Disturbed units whose parts are expressions, each different."""
    named = [dataclasses.replace(unit("one", place % 5, True), part=f"^one/.*/bytes:{place}") for place in range(number)]
    return document([f"one/glibc/bytes:{size}" for size in range(number // 10)], units=named)


def failures_of_families(number: int) -> Document:
    failed = [Failure(f"family_{place}", place, f"ended with signal {place}") for place in range(number)]
    return document(["scoped/glibc/bytes:64/touch:first"], failed=failed)


def long_failures(number: int) -> Document:
    failed = [Failure("scoped", place, _long(place, 60_000, "broken ")) for place in range(number)]
    return document(["scoped/glibc/bytes:64/touch:first"], failed=failed)


def looks(number: int) -> Document:
    return _of_small(suite={"looks": list(range(min(number, 999_999)))})


def digits(number: int) -> Document:
    """Numbers as long as the reader takes them."""
    whole = _of_small()
    whole["benchmarks"][0]["more"] = [10**4000] * (number // 4 + 1)
    return whole


def profiles(number: int) -> Document:
    """A user's program: as much of it as a result file may hold, and each malloc in so many runs."""
    whole = synthetic.document(5, processes=max(2, number // 20), keep=lambda name: name.startswith("program/"))
    whole["context"]["program"]["notes"] = [_long(place, 1000, "a note ") for place in range(900)]
    return whole


def programs_mallocs(number: int) -> Document:
    libraries = synthetic.names_of(min(number // PROCESSES, MOST_FACTS - 100))
    whole = synthetic.document(len(libraries), processes=2 + number // 4000, keep=lambda name: name.startswith("program/"))
    return whole


BY_ROWS: dict[str, Callable[[int], Document]] = {
    shape.__name__: shape
    for shape in (
        families, one_family, sizes, processes, rows_and_processes, mallocs, errors, failures, disturbed, parts,
        every_family, every_parameter,
    )
}  # fmt: skip
RUNS: dict[str, Callable[[int], Document]] = BY_ROWS | {
    shape.__name__: shape
    for shape in (
        bare_rows, long_names, deep_names, slashes, strange_letters, wide_rows, counters, declared_counters,
        declarations_of_families, messages, one_message, unread_fields, aggregates, facts, reasons, long_reasons, long_parts,
        expressions, failures_of_families, long_failures, looks, digits, profiles, programs_mallocs,
    )
}  # fmt: skip


# ---- recorded pairs


def _recorded(pairs: Mapping[str, tuple[Pair, ...]], **more: Any) -> RecordedPairs:
    old, new = (Side(label, {"compiler": "GNU 12.2.0"}) for label in ("old", "new"))
    return RecordedPairs(old, new, seed=1, pairs=pairs, planned=20, **more)


def _pair(place: int, **counters: float) -> Pair:
    old, new = (Sample(0, 10.0 + side + place * 37 % 101 / 1000, {"cycles": 40.0, **counters}) for side in (0.0, 1.0))
    return Pair(old, new, place % 2 == 0)


def pairs_of_one(number: int) -> RecordedPairs:
    return _recorded({"scoped/glibc/bytes:64": tuple(map(_pair, range(number)))})


def pairs_of_many(number: int) -> RecordedPairs:
    names = (f"scoped/glibc/bytes:{place}" for place in range(number // 20))
    return _recorded({name: tuple(map(_pair, range(20))) for name in names})


def one_pair_each(number: int) -> RecordedPairs:
    return _recorded({f"f{place}/glibc": (_pair(place),) for place in range(number)})


def pairs_of_controls(number: int) -> RecordedPairs:
    few = {"scoped/glibc/bytes:64": tuple(map(_pair, range(20)))}
    return _recorded(few, controls={f"arithmetic/operation:{place}": tuple(map(_pair, range(20))) for place in range(number // 20)})


def pairs_with_counters(number: int) -> RecordedPairs:
    """Of one benchmark, which declares all of them."""
    names = [f"counter_{place}" for place in range(100)]
    metrics = {"scoped": tuple(Metric(name, "bytes") for name in names)}
    pairs = tuple(_pair(place, **dict.fromkeys(names, 1.0 + place % 7)) for place in range(number // 100))
    return _recorded({"scoped/glibc/bytes:64": pairs}, metrics=metrics)


def pairs_with_metrics(number: int) -> RecordedPairs:
    metrics = {f"f{place}": (Metric(f"counter_{place}", "bytes"),) for place in range(number)}
    return _recorded({"scoped/glibc/bytes:64": tuple(map(_pair, range(20)))}, metrics=metrics)


def pairs_with_turns(number: int) -> RecordedPairs:
    ratios = {"ns": 0.001, "cycles": 0.002}
    named = (dataclasses.replace(_pair(place), log_ratios=ratios, spread=0.01) for place in range(number))
    return _recorded({"scoped/glibc/bytes:64": tuple(named)})


def pairs_with_problems(number: int) -> RecordedPairs:
    texts = {key: tuple(_long(place, 200, f"{key} ") for place in range(number)) for key in ("problems", "warnings")}
    return _recorded({"scoped/glibc/bytes:64": tuple(map(_pair, range(20)))}, **texts)


PAIRS: dict[str, Callable[[int], RecordedPairs]] = {
    shape.__name__: shape
    for shape in (
        pairs_of_one, pairs_of_many, one_pair_each, pairs_of_controls, pairs_with_counters, pairs_with_metrics,
        pairs_with_turns, pairs_with_problems,
    )
}  # fmt: skip


# ---- histories: `number` is about how many numbers they keep


def _history(
    file: Path, runs: Iterable[tuple[Sequence[str], int, bool]], annotations: Iterable[str] = (), step_at: int = 0
) -> None:
    """Each run has these benchmarks, so many processes, and numbers that are all different, or all equal and larger than those
    of the run before. All numbers are larger from the run `step_at` on, if that is not 0."""
    random = np.random.default_rng(1)
    with store.opened(file, to_write=True) as kept:
        for number, (names, processes, equal) in enumerate(runs):
            indices = tuple(range(len(names)))
            layout = store.Layout(tuple(names), tuple(range(processes)), {"ns": indices}, tuple((at, "") for at in indices))
            values = np.full((len(names), processes), 11.0 if 0 < step_at <= number else 10.0)
            own = store.Numbers(layout, {"ns": values + number if equal else values * random.uniform(0.98, 1.02, values.shape)})
            medians = zlib.compress(np.median(own.arrays["ns"], axis=1).astype("<f4").tobytes())
            kept.add(
                store.PreparedRun(Path("run.json"), f"{number:064x}", None, history_scale.day(number), '{"cores": "2"}', "quick",
                                  "ns", True, "{}", own, None, medians), f"{number:040x}")  # fmt: skip
        for text in annotations:
            kept.annotate(store.Annotation(1, None, None, "", True, text))


def _names(number: int, family: str = "scoped") -> list[str]:
    return [f"{family}/glibc/bytes:{place}" for place in range(number)]


def many_runs(number: int, file: Path) -> None:
    _history(file, ((_names(1), PROCESSES, False) for _ in range(min(number // PROCESSES, database.MOST_RUNS))))


def many_series(number: int, file: Path) -> None:
    _history(file, ((_names(number // 5 // 20), PROCESSES, False) for _ in range(20)))


def many_changes(number: int, file: Path) -> None:
    """Each series gets worse, which no annotation accepts."""
    _history(file, ((_names(number // 5 // 60), PROCESSES, False) for _ in range(60)), step_at=40)


def many_processes(number: int, file: Path) -> None:
    _history(file, ((_names(1 + number // 20 // 2000), min(2000, 1 + number // 20), False) for _ in range(20)))


def many_layouts(number: int, file: Path) -> None:
    """Each run has series that no other run has."""
    _history(file, ((_names(100, f"f{run}"), PROCESSES, False) for run in range(number // 500)))


def equal_numbers(number: int, file: Path) -> None:
    """As many as a run may have, which compress to nothing."""
    _history(file, ((_names(10_000), store.MOST_PROCESSES, True) for _ in range(min(1 + number // 1000, 20))))


def long_series_names(number: int, file: Path) -> None:
    names = [_long(place) for place in range(number // 100)]
    _history(file, ((names, PROCESSES, False) for _ in range(20)))


def long_annotations(number: int, file: Path) -> None:
    texts = (_long(place, max(10, min(number // 1000, database.MOST_LETTERS - 10)), "why ") for place in range(1000))
    _history(file, ((_names(10), PROCESSES, False) for _ in range(20)), texts)


HISTORIES: dict[str, Callable[[int, Path], None]] = {
    shape.__name__: shape
    for shape in (
        many_runs, many_series, many_changes, many_processes, many_layouts, equal_numbers, long_series_names, long_annotations,
    )
}  # fmt: skip


SHAPES = [*RUNS, *PAIRS, *HISTORIES]


# ---- files


def write(shape: str, number: int, folder: Path) -> tuple[Path, ...]:
    """A file of the shape; of a run two, and everything costs a tenth more in the second."""
    if shape in HISTORIES:
        HISTORIES[shape](number, folder / "history.sqlite")
        return (folder / "history.sqlite",)
    if shape in PAIRS:
        write_pairs(folder / "pairs.json", PAIRS[shape](number))
        return (folder / "pairs.json",)
    whole = RUNS[shape](number)
    files = folder / "old.json", folder / "new.json"
    for place, file in enumerate(files):
        whole["context"]["date"] = f"2026-01-0{place + 2}T03:04:05+00:00"
        for row in whole["benchmarks"]:
            row.update({key: row[key] * (1 + place / 10) for key in ("real_time", "cpu_time")})
        write_json(file, whole, indent=None)
    return files


def write_of_size(shape: str, size: int, folder: Path) -> tuple[Path, ...]:
    """Files of the shape that have about so many bytes, or as many as the shape has room for."""
    number, written = 1000, 0
    for _ in range(4):
        files = write(shape, number, folder)
        before, written = written, files[0].stat().st_size
        if abs(written - size) < size / 10 or written == before:
            break
        number = max(1, min(number * size // written, 100 * number))
        if shape in HISTORIES:
            files[0].unlink()
    return write(shape, number, folder) if not files[0].exists() else files


def calls(files: Sequence[Path], folder: Path) -> Iterator[list[str]]:
    """Every command that reads such a file, in every format."""
    first, last = str(files[0]), str(files[-1])
    if first != last:
        yield from _calls_of_runs(first, last, folder)
    else:
        yield from (_calls_of_pairs if files[0].suffix == ".json" else _calls_of_history)(first, folder)


def _calls_of_runs(old: str, new: str, folder: Path) -> Iterator[list[str]]:
    yield ["claims", "--details", old]
    yield ["summary", old]
    yield ["compare", old, new]
    for kind in ("json", "markdown", "junit"):
        chart = ["--chart", str(folder / "compared.svg")] if kind == "junit" else []
        yield ["compare", old, new, "--across", "--format", kind, "--out", str(folder / f"compared.{kind}"), *chart]
    for kind in ("google-benchmark", "github-action-benchmark", "bencher", "otava", "otava-config"):
        yield ["export", old, *([new] if kind == "otava" else []), "--to", kind, "--out", str(folder / f"exported.{kind}")]
    record = folder / "history.sqlite"
    record.unlink(missing_ok=True)
    yield ["history", "--file", str(record), "add", old, new]
    yield from _calls_of_history(str(record), folder)
    yield ["plot", old, "--format", "svg,png,pdf", "--out", str(folder / "figures")]
    yield ["plot", old, "--size", "paper", "--format", "svg", "--out", str(folder / "paper")]
    yield ["plot", old, "--size", "portrait", "--format", "svg", "--out", str(folder / "portrait")]
    yield ["plot", old, new, "--format", "svg", "--out", str(folder / "across")]
    yield ["report", old, "--out", str(folder / "report.html")]
    yield ["report", old, new, "--out", str(folder / "across.html")]


def _calls_of_pairs(pairs: str, folder: Path) -> Iterator[list[str]]:
    yield ["compare", "--judge", pairs]
    for kind in ("json", "markdown", "junit"):
        chart = ["--chart", str(folder / "judged.svg")] if kind == "junit" else []
        yield ["compare", "--judge", pairs, "--format", kind, "--out", str(folder / f"judged.{kind}"), *chart]


def _calls_of_history(file: str, folder: Path) -> Iterator[list[str]]:
    record = ["history", "--file", file]
    yield [*record, "list"]
    for kind in ("text", "markdown", "json"):
        yield [*record, "check", "--allow-short", "--format", kind]
    yield [*record, "trend", "."]
    yield [*record, "export", "--format", "csv"]
    yield [*record, "export", "--format", "json"]
    yield [*record, "export", "--samples"]
    yield [*record, "page", "--out", str(folder / "page")]
    yield [*record, "annotate", "1", "a new compiler"]


def summary(file: Path) -> None:
    """What scripts/run prints in the end."""
    run_command._print_findings(run := read_run(file))
    run_command._print_claim_counts(run, None)


@dataclasses.dataclass(frozen=True)
class Used:
    """What a command took."""

    code: int
    wall_seconds: float
    cpu_seconds: float
    mib: float  # resident, at most
    output: str  # its beginning
    letters: int  # of the whole output


def measured(call: Sequence[str], seconds: int = 130, most_bytes: int = 6 << 30) -> Used:
    """Calls a command with limits; -9 and -24 are their codes."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))

    begun = time.monotonic()
    command = [sys.executable, __file__, "--summary"] if call[0] == "summary" else [str(ROOT / "scripts" / call[0])]
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        child = subprocess.Popen(
            [*command, *call[1:]],
            stdout=output, stderr=subprocess.STDOUT, preexec_fn=limit,
            env={**os.environ, "STACKHEAP_PYTHON": sys.executable, "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        length = output.seek(0, os.SEEK_END)
        output.seek(0)
        text = output.read(1 << 20)
    wall = time.monotonic() - begun
    return Used(child.returncode, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, text, length)


MOST_SECONDS = 60.0  # of a processor, for each file
MOST_MIB = {"rows": 1024.0, "megabytes": 2048.0}


def main(kind: str, number: int, shapes: Sequence[str]) -> None:
    for shape in shapes or (BY_ROWS if kind == "rows" else SHAPES):
        with tempfile.TemporaryDirectory() as there:
            folder = Path(there)
            files = write(shape, number, folder) if kind == "rows" else write_of_size(shape, number << 20, folder)
            print(f"{shape}: {files[0].stat().st_size / 2**20:.1f} MiB a file", flush=True)
            for call in calls(files, folder):
                used = measured(call)
                words = " ".join(Path(word).name for word in call)
                read = max(1, sum(str(file) in call for file in files))
                bad = used.cpu_seconds > read * MOST_SECONDS or used.mib > read * MOST_MIB[kind] or used.code not in (0, 1, 2)
                over = " <<<<" if bad or "Traceback" in used.output else ""
                took = f"{used.code:3} {used.cpu_seconds:6.1f} s {used.mib:5.0f} MiB"
                print(f"  {took} {used.letters:11,} letters  {words}{over}", flush=True)
                if used.code == 2:
                    print(f"      {used.output.splitlines()[-1][:150] if used.output else ''}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--rows", type=int, help="make result files of so many rows")
    size.add_argument("--megabytes", type=int, help="make files of so many megabytes, in any shape")
    size.add_argument("--summary", type=Path, metavar="FILE", help="print what scripts/run prints in the end")
    parser.add_argument("shapes", nargs="*", metavar="SHAPE", help=f"only these of {', '.join(SHAPES)}")
    options = parser.parse_args()
    if options.summary:
        summary(options.summary)
    else:
        main("rows" if options.rows else "megabytes", options.rows or options.megabytes, options.shapes)
