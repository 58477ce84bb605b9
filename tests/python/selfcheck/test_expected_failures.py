"""Are unexpected failures distinguished from expected failures?"""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.base.files import write_json
from suite.selfcheck import expected_failures
from support.synthetic import document


@pytest.mark.parametrize(
    ("families", "code", "lines"),
    [
        ("heap_limit,chase", 0, ["not run: chase crashed (SIGSEGV)", "not run: heap_limit hung"]),
        ("chase", 1, ["not run: chase crashed (SIGSEGV)", "FAILED: heap_limit hung"]),
        ("", 1, ["FAILED: chase crashed (SIGSEGV)", "FAILED: heap_limit hung"]),
    ],
)
def test_only_an_expected_family_may_fail(
    families: str, code: int, lines: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = [("heap_limit", 0, "hung"), ("chase", 0, "crashed (SIGSEGV)"), ("chase", 1, "crashed (SIGSEGV)")]
    file = written(tmp_path, [{"family": family, "process": process, "reason": why} for family, process, why in failed])
    assert expected_failures.main(str(file), families) == code
    assert capsys.readouterr().out.splitlines() == lines


def test_a_run_without_a_failure_prints_no_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert expected_failures.main(str(written(tmp_path, [])), "chase") == 0
    assert capsys.readouterr().out == ""


def written(folder: Path, failed: list[dict[str, object]]) -> Path:
    run = document(processes=1, cores=1, keep=lambda name: name.startswith("chase/"))
    run["context"]["suite"]["failed"] = failed
    file = folder / "run.json"
    write_json(file, run)
    return file
