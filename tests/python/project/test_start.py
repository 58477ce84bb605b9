"""Does a command find its own modules, and end with a code that it documents, whatever the environment holds?"""

from __future__ import annotations

import errno
import os
import runpy
import site
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from suite import start

SILENT = "import faulthandler, os; faulthandler.disable()"  # pytest would tell of the crash
INSTALLED = ["/project/scripts/suite", "", "/usr/lib/python3", "/usr/lib/python3/dist-packages"]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which modules are looked for, and which is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return tmp_path


# ---- where modules are looked for


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize(
    ("variable", "added"),
    [
        ("/home/me/modules", ["/home/me/modules"]),
        (":/home/me", ["/home/me"]),  # an empty name means the current folder
        (".:modules:/home/me:", ["/home/me"]),
        ("", []),
    ],
)
def test_pythonpath_adds_modules_after_the_installed_ones(variable: str, added: list[str]) -> None:
    folders = start.search_path(INSTALLED, {"PYTHONPATH": variable})
    assert folders == [start.SCRIPTS, *(folder for folder in INSTALLED if folder), *added]


def test_the_folder_of_start_itself_holds_no_modules() -> None:
    assert start.search_path([os.path.join(start.SCRIPTS, "suite"), "/usr/lib"], {}) == [start.SCRIPTS, "/usr/lib"]


def test_the_users_own_packages_are_where_the_user_says() -> None:
    user = site.getusersitepackages()
    assert start.search_path([user, "/usr/lib"], {"PYTHONNOUSERSITE": "1"}) == [start.SCRIPTS, "/usr/lib"]
    [*_, base] = start.search_path(["/usr/lib"], {"PYTHONUSERBASE": "/scratch/me"})
    assert base.startswith("/scratch/me/") and base.endswith("site-packages")


# ---- which modules are missing


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize(
    ("files", "is_usable"),
    [
        ({"module_x/__init__.py": ""}, True),
        ({"module_x/__init__.py": "print('lacks module_y')"}, True),
        ({"module_x/__init__.py": "import no_such_library"}, False),
        ({"module_x/__init__.py": "raise SystemExit(0)"}, False),
        ({"module_x/__init__.py": "1 / 0"}, False),
        ({"module_x/__init__.py": "not Python"}, False),
        ({"module_x/__init__.py": "import os; os._exit(0)"}, False),
        ({"module_x/__init__.py": f"{SILENT}; os.abort()"}, False),
        ({"module_x/__init__.py": "import os; os.kill(os.getpid(), 9)"}, False),
        ({"module_x/__init__.py": f"{SILENT}; import ctypes; ctypes.string_at(0)"}, False),
        ({"module_x.py": ""}, False),  # a file of the user's own, of the same name
        ({"module_x/__pycache__/left": ""}, False),  # what an uninstalled package leaves behind
        ({}, False),
    ],
    ids=["package", "prints", "lacks a library", "ends the process", "fails", "no Python", "ends it at once", "aborts",
         "is killed", "crashes", "a file", "empty folder", "nothing"],
)
def test_a_module_that_cannot_be_used_is_missing(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str], is_usable: bool
) -> None:
    for name, text in files.items():
        (elsewhere / name).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / name).write_text(text)
    assert start.lacking(["json", "module_x"]) == ([] if is_usable else ["module_x"])
    assert capsys.readouterr().out == ""
    reasons = start.explain(["json", "module_x"])
    assert len(reasons) == (files != {} and not is_usable), reasons


@pytest.mark.hostile("set-up")
def test_a_module_that_hangs_is_missing_and_named(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """scripts/setup would wait for the answer no longer than STACKHEAP_PATIENCE, and name only the Python."""
    monkeypatch.setenv("STACKHEAP_PATIENCE", "0")  # no later than at once
    (elsewhere / "module_x").mkdir()
    (elsewhere / "module_x/__init__.py").write_text("import time\nwhile True:\n    time.sleep(1)\n")
    assert start.lacking(["module_x", "no_such_module"]) == ["module_x"]  # for the second, there is no time left
    assert start.explain(["module_x"]) == [
        f"{sys.executable} has module module_x but cannot use it: its import does not end within 0 s (STACKHEAP_PATIENCE)"
    ]


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize(
    ("changed", "text"),
    [("module_x/__init__.py", "import os; os._exit(0)"), ("module_x/deep/part.py", "x"), ("module_x/new.py", ""),
     ("module_y/__init__.py", "")],
    ids=["the module", "a part", "a new part", "a module beside it"],
)  # fmt: skip
def test_a_changed_module_is_imported_again(elsewhere: Path, changed: str, text: str) -> None:
    """Otherwise a command would trust the Python that was found last, and end without a word."""
    (elsewhere / "module_x/deep").mkdir(parents=True)
    (elsewhere / "module_x/__init__.py").touch()
    (elsewhere / "module_x/deep/part.py").touch()
    before = start.state_of(["json", "module_x"])
    (elsewhere / "module_x/__pycache__").mkdir()
    (elsewhere / "module_x/__pycache__/left").touch()
    assert start.state_of(["json", "module_x"]) == before
    assert start.state_of(["json"]) != before and start.state_of(["json", "module_x", "none"]) != before
    (elsewhere / changed).parent.mkdir(exist_ok=True)
    (elsewhere / changed).write_text(text)
    os.utime(elsewhere, (1, 1)) if changed.startswith("module_y") else None
    assert start.state_of(["json", "module_x"]) != before


def test_the_reason_says_which_file_is_in_the_way(elsewhere: Path) -> None:
    (elsewhere / "module_x.py").touch()
    assert start.explain(["module_x"]) == [
        f"{sys.executable} has module module_x but cannot use it: {elsewhere}/module_x.py is another module of this "
        "name"
    ]


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise AttributeError('module numpy has no attribute _ARRAY_API')", "module numpy has no attribute _ARRAY_API"),
        ("raise SystemExit(3)", "3"),
        ("import os; os._exit(0)", "its import ends Python"),
        ("import os; os.kill(os.getpid(), 9)", "its import ends Python with signal 9"),
        ("assert False", "AssertionError"),
    ],
)
def test_the_part_that_the_suite_uses_is_tried(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    (elsewhere / "module_x").mkdir()
    (elsewhere / "module_x/__init__.py").touch()
    (elsewhere / "module_x/part.py").write_text(text)
    assert start.lacking(["module_x"]) == []
    monkeypatch.setattr(start, "USED", {"module_x": "module_x.part"})
    assert start.lacking(["module_x"]) == ["module_x"]
    assert start.explain(["module_x"]) == [f"{sys.executable} has module module_x but cannot use it: {reason}"]


@pytest.mark.hostile("limit of the system")
def test_where_no_process_can_be_started_no_module_is_accused(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fork() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    (elsewhere / "module_x").mkdir()
    (elsewhere / "module_x/__init__.py").write_text("raise ImportError")
    monkeypatch.setattr(os, "fork", fork)
    monkeypatch.setattr(start, "MODULES", ("module_x",))
    monkeypatch.setattr(runpy, "run_module", raises(RuntimeError("the error itself")))
    descriptors = len(os.listdir("/proc/self/fd"))
    assert start.run("x", 2) == 2
    assert capsys.readouterr().err.endswith("RuntimeError: the error itself\n")
    assert len(os.listdir("/proc/self/fd")) == descriptors


# ---- how a command ends


def raises(error: BaseException) -> Callable[..., None]:
    def run_module(*_: object, **__: object) -> None:
        raise error

    return run_module


@pytest.mark.parametrize("refused", [2, 125])
@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (SystemExit(0), 0, ""),
        (SystemExit(None), 0, ""),
        (SystemExit(1), 1, ""),
        (SystemExit(2), None, ""),
        (SystemExit("a library ends it"), None, "scripts/x: a library ends it"),
        (KeyboardInterrupt(), 130, "scripts/x: interrupted"),
        (ImportError("no libblas.so"), None, f"scripts/x: no libblas.so; {start.REMEDY}"),
        (OSError(13, "Permission denied", "/root/x"), None, "scripts/x: /root/x: Permission denied"),
        (OSError(28, "No space left on device"), None, "scripts/x: No space left on device"),
        (MemoryError(), None, "scripts/x: not enough memory"),
        (RuntimeError("not expected"), None, "RuntimeError: not expected"),
    ],
    ids=repr,
)
def test_a_command_ends_with_a_code_that_it_documents(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], refused: int, error: BaseException,
    code: int | None, line: str,
) -> None:  # fmt: skip
    """Exit code 1 would mean that something is worse, and 2 would stop git bisect."""
    monkeypatch.setattr(runpy, "run_module", raises(error))
    monkeypatch.setattr(start, "MODULES", ())
    assert start.run("x", refused) == (refused if code is None else code)
    assert (capsys.readouterr().err.splitlines() or [""])[-1] == line


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize("error", [ImportError("no rich"), AttributeError("'NoneType' object has no attribute 'x'")], ids=repr)
def test_a_module_that_is_there_and_broken_is_named_in_one_line(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    (elsewhere / "module_x").mkdir()
    (elsewhere / "module_x/__init__.py").write_text("raise AttributeError('an ABI of numpy 1')")
    monkeypatch.setattr(start, "MODULES", ("json", "module_x"))
    monkeypatch.setattr(runpy, "run_module", raises(error))
    assert start.run("x", 2) == 2
    broken = f"{sys.executable} has module module_x but cannot use it: an ABI of numpy 1"
    assert capsys.readouterr().err == f"scripts/x: {broken}; {start.REMEDY}\n"


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize(
    ("encoding", "is_used"),
    [("utf-8", True), ("ascii", True), ("latin-1", True), ("cp1252", True), ("idna", False), ("base64", False), ("rot13", False),
     ("utf-16", False), ("utf-32-be", False), ("unicode_internal", False), ("x\0y", False), ("", False)],
)  # fmt: skip
def test_an_encoding_that_is_not_of_texts_is_not_used(encoding: str, is_used: bool) -> None:
    """PYTHONIOENCODING=idna ended a command with 1, which means that something is worse."""
    assert start._writes_text(encoding) == is_used


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize(
    ("device", "flags", "reason"),
    [("/dev/null", os.O_RDONLY, "it is closed"), ("/dev/full", os.O_WRONLY, "No space left on device")],
    ids=["closed", "full"],
)
def test_an_error_of_standard_output_names_it(device: str, flags: int, reason: str) -> None:
    file = os.open(device, flags)
    try:
        raised = None
        try:
            start._Output(file, "w", closefd=False).write(b"x")
        except OSError as problem:
            raised = start._told(problem)
        assert raised == f"standard output: {reason}"
    finally:
        os.close(file)
