"""Does a matplotlib that is there and cannot be used end in one line, in whatever way it fails?"""

from __future__ import annotations

import importlib
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from matplotlib.figure import Figure

import suite.charts


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise AttributeError('module numpy has no attribute _ARRAY_API')", "module numpy has no attribute _ARRAY_API"),
        ("raise SystemExit(3)", "3"),
        ("assert False", "AssertionError"),
        ("raise ImportError('libfreetype.so.6: cannot open')", "libfreetype.so.6: cannot open"),
        ("raise RuntimeError('two\\nlines')", "two lines"),
        ("", "No module named 'matplotlib.backends'"),
    ],
    ids=["an ABI of numpy", "ends Python", "fails without words", "lacks a library", "fails in two lines", "another module"],
)
def test_a_matplotlib_that_cannot_be_used_is_an_import_error_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    """scripts/run and scripts/program go on without figures after this error, and scripts/compare without its chart."""
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib/__init__.py").write_text(text)
    for name in [name for name in sys.modules if re.match(r"matplotlib\b|suite\.charts\b", name)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "suite.charts.kit", sys)  # so that nothing more is imported
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError) as refused:
        importlib.import_module(suite.charts.__name__)
    assert str(refused.value) == f"matplotlib cannot be used: {reason}"
    for name in [name for name in sys.modules if re.match(r"matplotlib\b|suite\.charts\b", name)]:
        del sys.modules[name]


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize("date", ["x", "99999999999999"])
def test_a_date_of_the_environment_is_in_no_file(monkeypatch: pytest.MonkeyPatch, date: str) -> None:
    """matplotlib ended in a traceback where it is not a date, also where the file is to have none."""
    drawing: Any = SimpleNamespace(figure=Figure(), look=suite.charts.Look(), title="A title", alt="A picture")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", date)
    content = suite.charts.render(drawing, "pdf")
    assert content.startswith(b"%PDF") and b"/CreationDate" not in content


@pytest.mark.hostile("set-up")
def test_a_window_of_the_environment_is_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """matplotlib refuses its import where MPLBACKEND names no kind of window, and nothing here is drawn into a window."""
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib/__init__.py").write_text("import os\nassert 'MPLBACKEND' not in os.environ\nraise RuntimeError('end')\n")
    for name in [name for name in sys.modules if re.match(r"matplotlib\b|suite\.charts\b", name)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "suite.charts.kit", sys)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="matplotlib cannot be used: end"):
        importlib.import_module(suite.charts.__name__)
    assert os.environ["MPLBACKEND"] == "nonsense"  # for the programs that the command starts
    for name in [name for name in sys.modules if re.match(r"matplotlib\b|suite\.charts\b", name)]:
        del sys.modules[name]
