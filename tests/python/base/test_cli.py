"""Does a threshold mean the same in every command?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from suite.base import cli
from suite.commands import compare, history

Main = Callable[[Sequence[str]], int]


@pytest.mark.parametrize(
    ("text", "share"), [("2%", 0.02), ("0.02", 0.02), ("0.5%", 0.005), ("100%", 1.0), ("2.50%", 0.025)]
)
def test_a_threshold_is_written_as_percent_or_as_share(text: str, share: float) -> None:
    assert cli.threshold(text) == pytest.approx(share, rel=1e-12)


@pytest.mark.parametrize("command", [(compare.main, "a", "b"), (history.main, "check")])
@pytest.mark.parametrize("text", ["2", "1", "1.0", "0", "0%", "101%", "-1%", "nan", "inf%", "1e-2", "1_0%", "%", ""])
def test_anything_else_is_refused_by_every_command_with_what_is_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[Main, str], text: str
) -> None:
    main, *words = command
    with pytest.raises(SystemExit) as end:
        main([*words, f"--threshold={text}"])
    line = capsys.readouterr().err
    assert end.value.code == 2 and line.count("\n") == 1
    assert f"--threshold: {text!r} is not a share: write 2% or 0.02" in line


@pytest.mark.parametrize(
    ("parse", "words"), [(history.parse, ["check"]), (history.parse, ["trend", "x"])]
)
def test_every_command_reads_the_same_share(parse: Callable[[Sequence[str]], object], words: list[str]) -> None:
    for text in ("2%", "0.02"):
        assert vars(parse([*words, "--threshold", text]))["threshold"] == 0.02
        assert compare.parse(["a", "b", "--threshold", text, "--threshold", f"^x/={text}"]).threshold == [("", 0.02), ("^x/", 0.02)]
