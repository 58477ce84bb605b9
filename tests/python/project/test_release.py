"""Are the installed files and the release complete, and do they name their version?"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from support import ROOT
from support.measuring_program import program

# Enough to configure: the whole project has thirty megabytes of results and figures.
COPIED = (
    "CMakeLists.txt", ".gitattributes", "README.md", "LICENSE", "CHANGELOG.md", "allocators", "benchmarks", "tests/planted",
    "tests/independent", "scripts", "completion",
)  # fmt: skip
REFERENCE = "results/reference/run.json.gz"


def run(*command: str | Path, folder: Path) -> str:
    commit = {f"GIT_{role}_{part}": "nobody" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    dates = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
    ended = subprocess.run(
        command, cwd=folder, env={**os.environ, **commit, **dates}, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    return ended.stdout


def version() -> str:
    match = re.search(r"project\(stackheap VERSION ([0-9.]+) ", (ROOT / "CMakeLists.txt").read_text())
    assert match
    return match[1]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in a repository of its own, configured."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    root = tmp_path_factory.mktemp("a project")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name)
        else:
            shutil.copy(ROOT / name, root / name)
    (root / REFERENCE).parent.mkdir(parents=True)
    (root / REFERENCE).write_text("{}\n")
    run("git", "init", "--quiet", folder=root)
    run("git", "add", "--all", folder=root)
    run("git", "commit", "--quiet", "--message", "all", folder=root)
    (root / "allocators/not_committed.txt").write_text("no part of it")
    run("cmake", "-G", "Ninja", "-S", ".", "-B", "build", "-DBUILD_TESTING=OFF", folder=root)
    return root


def archive_of(root: Path) -> bytes:
    run("cmake", "--build", "build", "--target", "archive", folder=root)
    return (root / f"build/stackheap-{version()}.tar.gz").read_bytes()


def test_the_archive_is_the_last_commit_under_its_version(project: Path) -> None:
    archive_of(project)
    top = f"stackheap-{version()}"
    with tarfile.open(project / f"build/{top}.tar.gz") as archive:
        names = set(archive.getnames())
    wanted = {"CMakeLists.txt", "LICENSE", "README.md", "CHANGELOG.md", "benchmarks/harness/main.cpp", REFERENCE}
    assert {f"{top}/{name}" for name in wanted} <= names
    assert all(name == top or name.startswith(f"{top}/") for name in names)
    assert not [name for name in names if "not_committed" in name or name.startswith(f"{top}/build")]


def test_the_archive_is_the_same_every_time(project: Path) -> None:
    first = archive_of(project)
    run("touch", "CMakeLists.txt", folder=project)
    assert archive_of(project) == first


def test_every_released_file_is_committed() -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no git repository")
    tracked = set(run("git", "ls-files", folder=ROOT).splitlines())
    assert {REFERENCE, "README.md", "scripts/run", "CMakeLists.txt"} <= tracked


def test_the_installed_program_runs_and_its_papers_lie_beside_it(project: Path) -> None:
    shutil.copy(program(), project / "build/stackheap")  # to build it again would take minutes
    prefix = project / "installed here"
    run("cmake", "--install", "build", "--prefix", prefix, folder=project)
    installed = {str(file.relative_to(prefix)) for file in prefix.rglob("*") if file.is_file()}
    assert installed == {
        "bin/stackheap", "share/doc/stackheap/LICENSE", "share/doc/stackheap/README.md",
        "share/bash-completion/completions/stackheap", "share/zsh/site-functions/_stackheap",
        "share/fish/vendor_completions.d/stackheap.fish",
    }  # fmt: skip
    assert "usage: stackheap" in run(prefix / "bin/stackheap", "--help", folder=prefix)
    assert f'"suite_version":"{version()}"' in run(prefix / "bin/stackheap", "--list=json", folder=prefix)


def test_the_changelog_has_this_version_and_the_next_changes() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[:2] == ["Unreleased", version()]


def test_the_licence_lets_everybody_use_the_project() -> None:
    words = " ".join((ROOT / "LICENSE").read_text().split())
    assert words.startswith("MIT License Copyright (c) 2026 the stackheap authors Permission is hereby granted")
    assert "to deal in the Software without restriction" in words and 'PROVIDED "AS IS"' in words


def test_the_hooks_before_a_commit_are_commands_of_this_project() -> None:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML to read them")
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    tools = (ROOT / "scripts/lint").read_text()
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        command, *arguments = hook["entry"].split()
        assert command in ("git", "shellcheck") or os.access(ROOT / command, os.X_OK), hook["entry"]
        if command == "scripts/lint":
            assert f"\n  {arguments[0]} " in tools, hook["entry"]


@pytest.mark.parametrize("paper", ["SECURITY.md", "CHANGELOG.md"])
def test_files_that_the_documents_name_exist(paper: str) -> None:
    text = (ROOT / paper).read_text()
    for command in re.findall(r"`(scripts/\w+)", text):
        assert os.access(ROOT / command, os.X_OK), command
    for link in re.findall(r"\]\(((?!https:)[^)]+)\)", text):
        assert (ROOT / link).exists(), link


NETWORK = re.compile(
    r"\bapt_?get\b.* (update|install)|\bpip install\b|\bnpm ci\b|\b(curl|wget) |FetchContent_Declare"
    r"|\burlopen\(|\bimport (requests|http|ftplib)\b|\"(ls-remote|fetch|push)\""
)


def test_the_security_page_names_every_part_that_uses_the_network() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    [line] = re.findall(r"^\* These parts use the network.*?(?=^\* )", text, re.MULTILINE | re.DOTALL)
    named = {*re.findall(r"`(scripts/\w+)`", line), *(["CMakeLists.txt"] if "CMake " in line else [])}
    scripts = [file for file in (ROOT / "scripts").rglob("*") if file.suffix in ("", ".py") and file.is_file()]
    using = {file.relative_to(ROOT) for file in (ROOT / "CMakeLists.txt", *scripts) if NETWORK.search(file.read_text())}
    assert {"scripts/ci" if "forge" in file.parts else str(file) for file in using} == named
