"""How are runs named where several are shown: distinctly, shortly, and whatever a file contains?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from suite.base import cli
from suite.base.errors import BadInput
from suite.results.model import Account, Run, cpu_model, labelled
from suite.results.run_names import names_of, other_differences, with_labels


def run(path: str = "run.json", **context: Any) -> Run:
    return Run(Path(path), {"suite_version": "1", **context}, {}, Account(True, 1))


EPYC, XEON = "AMD EPYC 9R14 96-Core Processor", "Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz"


@pytest.mark.parametrize(
    ("model", "short"),
    [
        (EPYC, "EPYC 9R14"),
        (XEON, "Xeon 8488C"),
        ("INTEL(R) XEON(R) PLATINUM 8581C CPU @ 2.30GHz", "Xeon 8581C"),
        ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "Xeon E5-2680 v4"),
        ("Intel Xeon Processor (Skylake, IBRS, no TSX)", "Xeon (Skylake)"),
        ("12th Gen Intel(R) Core(TM) i7-12700H", "Core i7-12700H"),
        ("Intel(R) N100", "Intel N100"),
        ("AMD Ryzen 7 7840U w/ Radeon 780M Graphics", "Ryzen 7 7840U"),
        ("AMD FX(tm)-8350 Eight-Core Processor", "AMD FX-8350"),
        ("Ampere(R) Altra(R) Processor Q80-30 CPU @ 3.0GHz", "Ampere Altra Q80-30"),
        ("ARM Neoverse-N1", "Neoverse-N1"),
        ("Apple M2 Pro", "Apple M2 Pro"),
        ("", "aarch64 processor"),
        ("CPU", "aarch64 processor"),
    ],
)
def test_a_processor_has_a_short_name(model: str, short: str) -> None:
    assert cpu_model(run(cpu_model=model, architecture="aarch64")) == short


def test_an_unknown_processor_is_called_so() -> None:
    assert cpu_model(run()) == "unknown processor"


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ({"cpu_model": EPYC, "host_name": "a"}, {"cpu_model": XEON, "host_name": "b"}, ["EPYC 9R14", "Xeon 8488C"]),
        ({"label": "new", "cpu_model": EPYC}, {"label": "old", "cpu_model": EPYC}, ["new", "old"]),
        ({"label": "new", "cpu_model": EPYC}, {"cpu_model": EPYC}, ["new", "EPYC 9R14"]),
        ({"cpu_model": EPYC, "revision": "1a2b"}, {"cpu_model": EPYC, "revision": "3c4d"}, ["1a2b", "3c4d"]),
        ({"label": "x", "host_name": "a"}, {"label": "x", "host_name": "b"}, ["a", "b"]),
        ({"host_name": "otto"}, {"host_name": "emma"}, ["otto", "emma"]),
        ({"compiler": "GNU 12.2.0"}, {"compiler": "Clang 17.0.1"}, ["GNU 12.2.0", "Clang 17.0.1"]),
        ({"process_malloc": "glibc"}, {"process_malloc": "jemalloc"}, ["glibc", "jemalloc"]),
        ({"malloc.glibc": "2.36 /lib/a"}, {"malloc.glibc": "2.39 /lib/b"}, ["glibc 2.36", "glibc 2.39"]),
        ({"cores": "2"}, {"cores": "1"}, ["2 cores", "1 core"]),
        ({"date": "2026-01-02T03:04:05"}, {"date": "2026-01-03T03:04:05"}, ["2026-01-02", "2026-01-03"]),
        ({"host_name": "_a\n<b>"}, {"host_name": "$" + "x" * 90}, ["a <b>", "$" + "x" * 22 + "…"]),
        ({"host_name": "\u6f22"}, {"host_name": "\u5b57"}, ["run 1", "run 2"]),  # letters no font here has
        ({"label": "\u6f22"}, {"label": ["x"]}, ["?", "['x']"]),
        ({"host_name": 5}, {"host_name": ["x"]}, ["5", "['x']"]),
        ({"label": "x" * 90}, {"label": "x" * 91}, ["run 1", "run 2"]),
    ],
)
def test_runs_are_named_by_labels_processors_or_the_shortest_fact_that_differs(
    first: Any, second: Any, names: list[str]
) -> None:
    assert names_of([run(**first), run(**second)]) == names


def test_equal_processors_among_others_are_told_apart() -> None:
    runs = [run(cpu_model=model, host_name=host) for model, host in ((EPYC, "otto"), (EPYC, "emma"), (XEON, "ida"))]
    assert names_of(runs) == ["EPYC 9R14 otto", "EPYC 9R14 emma", "Xeon 8488C"]
    long = [run(cpu_model="A" * 30, host_name="b" * 20), run(cpu_model="A" * 30, host_name="c" * 20), runs[2]]
    names = names_of(long)
    assert len(set(names)) == 3 and max(map(len, names)) <= 24


def test_runs_are_named_by_two_facts_or_files_where_no_single_fact_differs() -> None:
    facts = [{"host_name": host, "compiler": compiler} for host in ("otto", "emma") for compiler in ("GNU 1", "GNU 2")]
    assert names_of([run(**of_run) for of_run in facts]) == ["otto GNU 1", "otto GNU 2", "emma GNU 1", "emma GNU 2"]
    assert names_of([run("before/run.json"), run("after/run.json")]) == ["before", "after"]
    assert names_of([run(), run()]) == ["run 1", "run 2"]


def test_the_differences_beside_the_names_are_told() -> None:
    first, second = {"host_name": "a", "compiler": "GNU 1.2.3"}, {"host_name": "b", "compiler": "GNU 1.2.4"}
    assert other_differences([run(**first), run(**second)]) == "the runs also differ in compiler"
    labels = [labelled(run(**of_run), label) for of_run, label in ((first, "x"), (second, "y"))]
    assert other_differences(labels) == "the runs differ in machine and compiler"
    assert other_differences([run(cpu_model=EPYC), run(cpu_model=XEON)]) == ""


def test_the_labels_of_the_command_line_name_the_runs_in_their_order() -> None:
    runs = [run(label="measured"), run(label="so")]
    assert names_of(with_labels(runs, ["new", "old"])) == ["new", "old"]
    assert names_of(with_labels(runs, [])) == ["measured", "so"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"], "--label: 1 given for 2 runs; accepted: one for each"),
        (["a", "a"], "--label: a, a: two are equal; accepted: a different label for each run"),
    ],
)
def test_labels_that_do_not_name_each_run_are_refused(labels: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        with_labels([run(), run()], labels)


def test_a_label_is_short_and_printable() -> None:
    assert [cli.label(text) for text in ("EPYC, huge pages", "µ-ядро", "x" * 24)] == ["EPYC, huge pages", "µ-ядро", "x" * 24]
    for bad in ("", "x" * 25, "a\nb", " a", "_a", "\u6f22", "\x1b[31m", "a\u202eb"):
        with pytest.raises(argparse.ArgumentTypeError, match="is not a label: 1 to 24 printable"):
            cli.label(bad)
