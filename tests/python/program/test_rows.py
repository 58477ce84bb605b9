"""Does a result file give back what was measured of the user's program, and do all other readers of results take it?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from suite.base.files import write_json
from suite.charts import charts, draw
from suite.commands import compare, export, history, plot, report
from suite.gate.sequential_test import Decision, Rule
from suite.program import rows
from suite.program.command import Command, Observation, Output
from suite.program.executable import Executable
from suite.program.mallocs import Deployment
from suite.program.pairs import Measured, Plan
from suite.program.pairs import Run as RunOfProgram
from suite.program.pairs import judge, log_ratios
from suite.program.result import write
from suite.results.end_to_end import AGAIN, CPU_NS, OWN, read_end_to_end
from suite.results.merge import merge
from suite.results.model import Account, Document, Run
from suite.results.read import read_run
from suite.results.run_names import names_of
from suite.runner.program import Catalogue
from support import synthetic

MIB = 1 << 20
ROUNDS = 12
COST = {OWN: 1.0, AGAIN: 1.001, "mimalloc": 0.9, "jemalloc": 1.1}


def seen(cpu: float, peak: int) -> Observation:
    nothing = Output("", 0, b"")
    return Observation(0, cpu, 2 * cpu, peak, 1000, 3, nothing, nothing, process=1)


def measured(
    mallocs: tuple[str, ...] = ("mimalloc", "jemalloc"), rounds: int = ROUNDS, faster: float = 1.0
) -> Measured:
    runs = tuple(
        RunOfProgram(
            name,
            number + 1,
            seen(faster * COST[name] * (1 + 0.001 * (number % 3)), (20 if name == "jemalloc" else 10) * MIB),
        )
        for number in range(rounds)
        for name in (OWN, AGAIN, *mallocs)
    )
    deployments = [Deployment(name, f"/lib/lib{name}.so", version="1.0") for name in ("glibc", "mimalloc", "jemalloc")]
    plan = Plan(
        Command(("/opt/prog", "a b", "\x1b[31m")),
        Executable(Path("/opt/prog"), Path("/opt/prog")),
        tuple(deployments),
        7,
        90.0,
    )
    decisions: dict[str, Decision] = judge(log_ratios(runs, lambda observation: observation.cpu), Rule(confirmed=False))
    not_compared = {name: "it crashed with it" for name in ("mimalloc", "jemalloc") if name not in mallocs}
    return Measured(
        plan, runs, seen(1.0, 10 * MIB), "glibc", decisions, {"glibc": "it is the malloc that prog has anyway", **not_compared},
        notes=("a note",),
    )  # fmt: skip


def document(result: Measured, date: str = "2026-01-02T03:04:05+00:00") -> Document:
    """As scripts/program writes it, beside a family of the benchmark program."""
    head = {**synthetic.context(("glibc", "mimalloc", "jemalloc"), 2), "program": rows.context(result), "date": date}
    units = [(unit, {**piece, "context": head}) for unit, piece in rows.units(result)]
    account = Account(True, ROUNDS, 7, tuple(unit for unit, _ in units), about={"families": {"program": rows.about()}})
    return merge(units, account, [])


def written(
    folder: Path, result: Measured | None = None, name: str = "run.json", date: str = "2026-01-02T03:04:05+00:00"
) -> Path:
    file = folder / name
    write_json(file, document(result or measured(), date))
    return file


def test_what_was_measured_comes_back(tmp_path: Path) -> None:
    result = measured()
    back = read_end_to_end(read_run(written(tmp_path, result)))
    assert back is not None
    assert (back.name, back.words, back.exit_code, back.own_malloc) == (
        "prog",
        ("/opt/prog", "a b", "[31m"),
        0,
        "glibc",
    )
    assert (back.output_same, back.problem, back.notes, back.threshold) == (True, "", ("a note",), 0.01)
    assert back.own is not None and back.control is not None
    assert back.own.cpu_ns.median == pytest.approx(1.001e9) and back.own.wall_ns.median == pytest.approx(2.002e9)
    by_name = {compared.malloc: compared for compared in back.compared}
    assert {name: compared.verdict for name, compared in by_name.items()} == {"mimalloc": "better", "jemalloc": "worse"}
    for name in ("mimalloc", "jemalloc"):
        for end in ("median", "low", "high"):
            assert getattr(by_name[name].cpu, end) == pytest.approx(
                getattr(result.decisions[name].ratio, end)
            ), "one answer"
        assert by_name[name].pairs == ROUNDS
    assert back.control.cpu.median == pytest.approx(result.decisions[AGAIN].ratio.median)
    peak = by_name["jemalloc"].peak_resident
    assert peak is not None and peak.median == pytest.approx(2.0)
    assert back.not_compared == {"glibc": "it is the malloc that prog has anyway"}


def test_a_malloc_that_is_not_compared_has_no_rows_and_its_reason(tmp_path: Path) -> None:
    run = read_run(written(tmp_path, measured(("mimalloc",))))
    back = read_end_to_end(run)
    assert back is not None and back.not_compared["jemalloc"] == "it crashed with it"
    assert [compared.malloc for compared in back.compared] == ["mimalloc"] and run.get("program/jemalloc") is None


def test_a_program_that_was_not_compared_at_all_is_readable(tmp_path: Path) -> None:
    result = replace(measured((), 1), problem="prog is linked statically")
    run = read_run(written(tmp_path, result))
    back = read_end_to_end(run)
    assert back is not None and back.problem == "prog is linked statically" and back.compared == ()
    assert back.own is not None and not back.own.cpu_ns.has_interval
    assert draw(run, "end_to_end") is None


def of_program(run: Run) -> list[str]:
    return [name for name, chart in charts().items() if chart.family == "program" and draw(run, name) is not None]


def test_the_label_names_the_run_among_others(tmp_path: Path) -> None:
    catalogue = Catalogue((), {}, (), synthetic.context(("glibc",), 2), "")
    runs = []
    for label in ("new", None):
        file = write(tmp_path, catalogue, None, measured(), None, label)
        assert file is not None
        runs.append(read_run(file))
    assert names_of(runs) == ["new", "unknown processor"]


def test_plot_and_report_draw_it(tmp_path: Path) -> None:
    file = written(tmp_path)
    assert of_program(read_run(file)) == ["end_to_end"]
    assert plot.main([str(file), "--chart", "end_to_end", "--out", str(tmp_path / "figures")]) == 0
    assert list((tmp_path / "figures").glob("end_to_end*"))
    page = tmp_path / "report.html"
    assert report.main([str(file), "--out", str(page)]) == 0
    assert "prog takes 0.9 times the CPU time with mimalloc" in page.read_text().replace("&nbsp;", " ").replace(
        "\u00a0", " "
    )


@pytest.mark.parametrize("form", ["google-benchmark", "github-action-benchmark", "bencher", "otava"])
def test_export_writes_its_metrics(tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert export.main(["--to", form, str(written(tmp_path))]) == 0
    text = capsys.readouterr().out
    assert "program/mimalloc" in text and CPU_NS in text


def test_compare_judges_two_runs_of_it_by_cpu_time_memory_and_faults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, slower = written(tmp_path, name="old.json"), written(
        tmp_path, measured(faster=1.5), "new.json", "2026-01-02T04:04:05+00:00"
    )
    assert compare.main([str(old), str(slower), "--format", "json"]) == 1
    judged = {row["name"]: row["verdict"] for row in json.loads(capsys.readouterr().out)["judgements"]}
    assert judged["program/own cpu_ns"] == "worse" and judged["program/own peak_resident_bytes"] == "same"


def of_another_command(result: Measured) -> Measured:
    return replace(result, plan=replace(result.plan, command=Command(("/opt/prog", "--other"))))


def test_compare_refuses_two_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, other = written(tmp_path, name="old.json"), written(tmp_path, of_another_command(measured()), "new.json")
    assert compare.main([str(old), str(other)]) == 2
    assert "the program was /opt/prog 'a b' '[31m', is /opt/prog --other" in capsys.readouterr().err.replace(
        " \x1b", ""
    ).replace("' [", "'[")


def test_history_keeps_the_series_of_each_command_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = ["--file", str(tmp_path / "record.sqlite")]
    days = [f"2026-01-0{day}T03:04:05+00:00" for day in range(1, 5)]
    files = [
        written(tmp_path, measured() if number % 2 else of_another_command(measured(faster=3.0)), f"{number}.json", day)
        for number, day in enumerate(days)
    ]
    assert history.main([*record, "add", *map(str, files)]) == 0
    capsys.readouterr()
    assert history.main([*record, "export"]) == 0
    of_own = [line.split(",")[0] for line in capsys.readouterr().out.splitlines() if "program/own cpu_ns" in line]
    assert of_own == ["2", "4"], "the newest run's command was measured in the second and the fourth run"
