"""Does every room of scripts/suite import only rooms below it, and does no test module import another?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import ROOT

SUITE = ROOT / "scripts/suite"
TESTS = ROOT / "tests/python"

# From the bottom to the top. A room may import the rooms of the lines before its own.
FLOORS = (
    ("stats",),
    ("base",),
    ("results",),
    ("claims", "forge", "history", "runner"),
    ("gate",),
    ("program",),
    ("charts", "selfcheck"),
    ("pages",),
    ("commands",),
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


@dataclass(frozen=True)
class Import:
    """One imported module or name, by its dotted path; `file` is relative to the folder that was read."""

    file: Path
    line: int
    path: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.path}"


def imports_in(folder: Path) -> Iterator[Import]:
    """Every import statement below the folder, also those inside of functions."""
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                paths = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                paths = ["." * node.level + f"{node.module}.{name.name}" for name in node.names]
            else:
                continue
            yield from (Import(file.relative_to(folder), node.lineno, path) for path in paths)


def upward(suite: Path) -> list[str]:
    """The imports of a room that is not below the room of the file."""
    faults = []
    for found_import in imports_in(suite):
        if found_import.path.startswith("."):
            faults.append(f"{found_import}: relative")
        if not found_import.path.startswith("suite.") or len(found_import.file.parts) == 1:
            continue
        room, imported_room = found_import.file.parts[0], found_import.path.split(".")[1]
        if imported_room != room and FLOOR_OF.get(imported_room, len(FLOORS)) >= FLOOR_OF[room]:
            faults.append(str(found_import))
    return faults


def between_tests(tests: Path) -> list[str]:
    """The imports of one test module by another file."""
    return [str(found_import) for found_import in imports_in(tests) if any(part.startswith("test_") for part in found_import.path.split("."))]


def test_every_room_has_its_floor() -> None:
    rooms = {folder.name for folder in SUITE.iterdir() if folder.is_dir() and any(folder.glob("*.py"))}
    assert rooms == set(FLOOR_OF)
    outside = {"__init__.py", "start.py"}  # start.py runs before any room is found, and imports none
    assert {file.name for file in SUITE.glob("*.py")} == outside, "a module stands outside of the rooms"


def test_the_guide_lists_the_rooms_from_the_top_to_the_bottom() -> None:
    listed = re.findall(r"^\* `(\w+)/`", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(FLOOR_OF)
    assert listed == sorted(listed, key=lambda room: -FLOOR_OF[room])


def test_no_import_runs_upward() -> None:
    assert upward(SUITE) == []


def test_no_test_module_imports_another() -> None:
    assert between_tests(TESTS) == []


@pytest.mark.parametrize(
    "line", ["from suite.pages import report", "from suite.pages.report import make", "import suite.commands.run",
             "def late() -> None:\n    from suite.history import store", "from suite.cellar import wine", "from . import run"]
)  # fmt: skip
def test_an_import_that_runs_upward_is_found(tmp_path: Path, line: str) -> None:
    room = tmp_path / "runner"
    room.mkdir()
    (room / "good.py").write_text("from suite.base.errors import BadInput\nfrom suite.runner import program\nimport os\n")
    assert upward(tmp_path) == []
    (room / "bad.py").write_text(f"{line}\n")
    [fault] = upward(tmp_path)
    assert fault.startswith("runner/bad.py:")


def test_a_test_module_that_is_imported_is_found(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text("from test_y import help\n")
    assert between_tests(tmp_path) == ["test_x.py:1 imports test_y.help"]
