"""Do the shells complete what the commands take, and are their files up to date?"""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from suite.commands import readme
from suite.pages import completion
from support import ROOT

# The words typed so far, in the command line's last word, and what completes it.
CASES = [
    ("scripts/run --prof", ["--profile"]),
    ("scripts/run --profile s", ["smoke"]),
    ("scripts/run --profile = f", ["full"]),  # bash splits a line at =
    ("scripts/run --profile =", ["full", "quick", "smoke"]),
    ("scripts/run --build as", ["asan"]),
    ("scripts/run --only ", []),
    ("scripts/plot --chart cost_6", ["cost_64b"]),
    ("scripts/plot --label ", []),  # a name that the user makes up
    ("scripts/claims --claim stack-is-fa", ["stack-is-faster"]),
    ("scripts/claims --claim neighbours", ["neighbours-help"]),  # its name stands on a line of its own
    ("scripts/history che", ["check"]),
    ("scripts/history --file x check --allow-s", ["--allow-short"]),
    ("scripts/history list --allow-s", []),
    ("scripts/claims resul", []),  # a file: the shell completes it
    ("scripts/setup --for s", ["sanitize"]),
    ("scripts/lint cpp", ["cppcheck"]),
    ("scripts/test --ni", ["--nightly"]),
    ("scripts/program --y", ["--yes"]),
    ("stackheap --describe", ["--describe-recording"]),
    ("stackheap --profile q", ["quick"]),
]

CALL = """
COMP_WORDS=({words}) COMP_CWORD={last} COMPREPLY=()
_stackheap "${{COMP_WORDS[0]}}" 2>/dev/null
echo "${{COMPREPLY[*]}}"
"""


def in_bash(lines: Sequence[str]) -> list[list[str]]:
    """What bash completes: the function is called as bash calls it."""
    script = f". completion/{completion.BASH}\n"
    for line in lines:
        words = line.split(" ")
        script += CALL.format(words=" ".join(f"'{word}'" for word in words), last=len(words) - 1)
    done = subprocess.run(["bash", "--norc", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return [sorted(line.split()) for line in done.stdout.split("\n")[:-1]]


def test_bash_completes_options_their_values_and_sub_commands() -> None:
    assert dict(zip((line for line, _ in CASES), in_bash([line for line, _ in CASES]))) == dict(CASES)


def test_the_files_are_up_to_date() -> None:
    for file, text in readme.completion_files().items():
        assert (ROOT / file).read_text() == text, f"{file} is stale: scripts/readme writes it"


def test_every_command_completes_its_options_without_internal_options() -> None:
    commands = sorted(file.stem for file in (ROOT / "scripts/suite/commands").glob("[a-z]*.py"))
    listed = in_bash([*(f"scripts/{name} -" for name in commands), "stackheap --"])
    assert {"-h", "--help", "--version"} <= set(listed[0]).intersection(*listed[1:-1])
    assert listed[commands.index("doctor")] == ["--build", "--help", "--version", "--yes", "-h"]
    assert "--turns" in listed[-1] and "--child" not in listed[-1]


# ---- in the real shells


def typed_in_bash(line: str, folder: Path) -> str:
    """What stands on the command line after a tab."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        os.environ.update(HOME=str(folder), TERM="dumb", PS1="$ ")
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
    try:
        os.write(terminal, f". completion/{completion.BASH}; echo lo''aded\n".encode())
        answered(terminal, "loaded\r\n$ ")  # before the prompt, the terminal would only echo a tab
        os.write(terminal, f"{line}\t#end".encode())
        return answered(terminal, "#end").partition("#end")[0].split("$ ")[-1]
    finally:
        os.close(terminal)
        os.waitpid(process, 0)


def answered(terminal: int, wanted: str) -> str:
    text, deadline = "", time.monotonic() + 60
    while wanted not in text and time.monotonic() < deadline and select.select([terminal], [], [], 60)[0]:
        text += os.read(terminal, 4096).decode(errors="replace")
    assert wanted in text, text
    return text


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("scripts/run --profile=sm", "scripts/run --profile=smoke "),
        ("./scripts/plot --chart cost_6", "./scripts/plot --chart cost_64b "),
        (f"{ROOT}/scripts/history che", f"{ROOT}/scripts/history check "),
        ("scripts/claims results/referen", "scripts/claims results/reference/"),
        ("stackheap --descr", "stackheap --describe-recording "),
    ],
)
def test_bash_completes_a_typed_line(tmp_path: Path, line: str, completed: str) -> None:
    assert typed_in_bash(line, tmp_path) == completed


@pytest.mark.nightly
def test_fish_completes_the_same(tmp_path: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("needs fish")
    lines = [line for line, _ in CASES if " = " not in line and not line.endswith("=")]
    script = f"source completion/{completion.FISH}\n" + "".join(f"complete -C '{line}'; echo ---\n" for line in lines)
    done = subprocess.run(
        ["fish", "--no-config", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    answers = [sorted(row.split("\t")[0] for row in text.split("\n") if row) for text in done.stdout.split("---\n")[:-1]]
    wanted = {line: words for line, words in CASES if line in lines}
    wanted |= {"scripts/claims resul": ["results/"]}
    assert dict(zip(lines, answers)) == wanted


@pytest.mark.nightly
def test_zsh_can_read_its_file() -> None:
    if shutil.which("zsh") is None:
        pytest.skip("needs zsh")
    script = f"fpath=({ROOT}/completion $fpath); autoload -U compinit; compinit -D; print $_comps[stackheap] ${{(v)_patcomps[(I)*setup*]}}"
    done = subprocess.run(["zsh", "-f", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "_stackheap _stackheap\n")
    assert subprocess.run(["zsh", "-n", f"completion/{completion.ZSH}"], cwd=ROOT, timeout=60).returncode == 0
