"""Does every command that takes a run take its folder, its file and its packed file alike?"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from suite.base.files import write_json
from suite.commands import claims, compare, export, history, plot, report
from support import synthetic

pytestmark = pytest.mark.slow  # runs every command on every form of a run

FORMS = ("folder", "run.json", "run.json.gz")
FEW = ("scoped/", "churn/")

Main = Callable[[Sequence[str]], int]
# In place of RUN stands the run; what is written goes into the current folder.
COMMANDS: dict[str, tuple[Main, list[str]]] = {
    "claims": (claims.main, ["RUN"]),
    "compare": (compare.main, ["RUN", "RUN", "--out", "text"]),
    "export": (export.main, ["RUN", "--to", "bencher"]),
    "export a series": (export.main, ["RUN", "RUN", "--to", "otava"]),
    "history add": (history.main, ["--file", "history.sqlite", "add", "RUN", "--reference", "RUN"]),
    "plot": (plot.main, ["RUN", "--format=svg", "--chart=churn", "--out=figures"]),
    "plot two runs": (plot.main, ["RUN", "RUN", "--format=svg", "--chart=scoped", "--out=figures"]),
    "report": (report.main, ["RUN", "-o", "page.html"]),
}


def run_in(folder: Path, form: str) -> Path:
    """The run in one of the forms."""
    folder.mkdir()
    document = synthetic.document(keep=lambda name: name.startswith(FEW))
    if form == "run.json.gz":
        (folder / form).write_bytes(gzip.compress(json.dumps(document).encode()))
        return folder / form
    write_json(folder / "run.json", document)
    return folder if form == "folder" else folder / form


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_every_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, form: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run = str(run_in(tmp_path / "measured", form))
    main, arguments = COMMANDS[command]
    status = main([run if argument == "RUN" else argument for argument in arguments])
    assert status == 0, capsys.readouterr().err


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("main", "written"), [(plot.main, "figures"), (report.main, "report.html")])
def test_charts_and_report_lie_beside_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], main: Main, written: str, form: str
) -> None:
    run = run_in(tmp_path / "measured", form)
    extra = ["--chart=churn", "--format=svg"] if main is plot.main else []
    assert main([str(run), *extra]) == 0, capsys.readouterr().err
    assert (tmp_path / "measured" / written).exists()


@pytest.mark.hostile("result file")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("damage", ["cut off", "a folder without a run"])
def test_every_command_refuses_a_damaged_run_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, damage: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = run_in(tmp_path / "measured", "run.json.gz")
    if damage == "cut off":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        file.unlink()
    run = str(file if damage == "cut off" else file.parent)
    main, arguments = COMMANDS[command]
    assert main([run if argument == "RUN" else argument for argument in arguments]) == 2
    answer = capsys.readouterr()
    assert answer.out == "" and answer.err.count("\n") == 1 and run in answer.err
