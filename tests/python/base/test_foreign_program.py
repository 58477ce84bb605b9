"""Does every program that is not ours run with a deadline, and is a program that hangs or is missing named in one line?"""

from __future__ import annotations

import ast
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite.base.foreign_program import Answer, NoAnswer, run_foreign
from support import ROOT

SUITE = ROOT / "scripts" / "suite"


def test_a_program_reads_and_answers(tmp_path: Path) -> None:
    words = ["sh", "-c", "cat; echo no >&2; pwd -P; echo $WORD; exit 3"]
    answer = run_foreign(words, 60.0, stdin="in\n", folder=tmp_path, environment={**os.environ, "WORD": "w"})
    assert answer == Answer(3, f"in\n{tmp_path.resolve()}\nw\n", "no\n")


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("printf '\\377\\r\\n'", Answer(0, "\ufffd\r\n", "")),
        ("kill -9 $$", Answer(-9, "", "")),
        ("exec <&-; exec sleep 0", Answer(0, "", "")),  # it reads nothing of what it is given
        ("read word </dev/tty || echo no terminal", Answer(0, "no terminal\n", "")),
    ],
    ids=["not UTF-8", "kills itself", "does not read", "asks on the terminal"],
)
def test_whatever_a_program_does_is_its_answer(script: str, answer: Answer) -> None:
    told = run_foreign(["sh", "-c", script], 60.0, stdin="x" * 100_000)
    assert Answer(told.exit_code, told.output, "") == answer


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize(
    ("file", "mode", "reason"),
    [
        (None, 0, "{tool} cannot be run (No such file or directory)"),
        ("#!/bin/sh\n", 0o644, "{tool} cannot be run (Permission denied)"),
        ("\0\0\0\0", 0o755, "{tool} cannot be run (Exec format error)"),
        ("#!/nowhere/sh\n", 0o755, "{tool} cannot be run (No such file or directory)"),
    ],
    ids=["missing", "not executable", "for another system", "without its interpreter"],
)
def test_a_program_that_cannot_run_is_named(tmp_path: Path, file: str | None, mode: int, reason: str) -> None:
    tool = tmp_path / "tool"
    if file is not None:
        tool.write_text(file)
        tool.chmod(mode)
    with pytest.raises(NoAnswer) as refused:
        run_foreign([tool], 60.0)
    assert str(refused.value) == reason.format(tool=tool)
    with pytest.raises(NoAnswer, match="^no_such_tool is not installed$"):
        run_foreign(["no_such_tool"], 60.0)


@pytest.mark.hostile("set-up")
def test_a_program_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    """It ignores what asks it to end, and has ended itself while another process holds the pipe."""
    child = tmp_path / "child"
    script = f"trap '' TERM INT HUP; sleep 1000 & echo $! >{child}"
    begun = time.monotonic()
    with pytest.raises(NoAnswer, match=r"^sh -c did not end within 0\.2 s$"):
        run_foreign(["sh", "-c", script], 0.2)
    assert time.monotonic() - begun < 60.0
    state = Path(f"/proc/{int(child.read_text())}/stat")
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] not in "ZX":  # until init reaps it
        assert time.monotonic() - begun < 60.0
        time.sleep(0.01)


# ---- there is no other way

# The programs that are started elsewhere, each with a limit of its own or watched by the user.
ELSEWHERE = {
    "base/foreign_program.py",
    "program/command.py",  # the user's program, which the observer ends at --timeout
    "runner/build.py",  # the build, with a bar
    "runner/program.py",  # our own program
    "selfcheck/gate_recording.py",  # a bad neighbour, which runs until the measurement has ended
    "selfcheck/mutate.py",  # the tests, with a limit from how long they took before
}
STARTERS = {
    "subprocess": {"run", "Popen", "call", "check_call", "check_output", "getoutput", "getstatusoutput"},
    "os": {"system", "popen", "posix_spawn", "posix_spawnp", "fork", "forkpty"},
    "pty": {"spawn", "fork"},
    "asyncio": {"create_subprocess_exec", "create_subprocess_shell"},
}

MAY_START = re.compile(r"subprocess|asyncio|\bpty\b|\bos\.(exec|spawn|system|popen|posix_|fork)|from os import|import os as")


def started_by(code: ast.AST) -> Iterator[str]:
    """The calls that start a program, and the imports that hide which one it is."""
    for node in ast.walk(code):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            known = STARTERS.get(node.value.id, set())
            if node.attr in known or node.value.id == "os" and node.attr.startswith(("exec", "spawn")):
                yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module in STARTERS:
            yield from (f"{node.module}.{name.name}" for name in node.names if name.name in STARTERS[node.module])
        elif isinstance(node, ast.Import):
            yield from (f"{name.name} as {name.asname}" for name in node.names if name.name in STARTERS and name.asname)


def test_every_program_that_is_not_ours_has_a_deadline() -> None:
    texts = {file.relative_to(SUITE).as_posix(): file.read_text(encoding="utf-8") for file in SUITE.rglob("*.py")}
    found = {name: set(started_by(ast.parse(text))) for name, text in texts.items() if MAY_START.search(text)}
    starting = {name: calls for name, calls in found.items() if calls}
    assert starting.pop("start.py") == {"os.fork"}, "it asks each module in a child"
    assert starting == {name: {"subprocess.Popen"} for name in ELSEWHERE}


@pytest.mark.parametrize(
    "code",
    ["import subprocess\nsubprocess.run(['x'])", "from subprocess import run", "import subprocess as s", "import os\nos.system('x')",
     "import os\nos.execvp('x', [])", "import os\nos.spawnl(0, 'x')"],
)  # fmt: skip
def test_a_program_that_is_started_another_way_is_found(code: str) -> None:
    assert MAY_START.search(code) and list(started_by(ast.parse(code)))
