"""Does a result say which revision of the program made it, and nothing where nobody knows?"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from suite.base.errors import BadInput
from suite.gate import sides
from support import ROOT

HARNESS = Path("benchmarks", "harness")
VERSION = Path("scripts", "suite", "version")

pytestmark = pytest.mark.skipif(shutil.which("git") is None or shutil.which("cmake") is None, reason="needs git and cmake")


def run(*command: str | Path, folder: Path) -> str:
    who = {f"GIT_{role}_{key}": "nobody" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    ended = subprocess.run(command, cwd=folder, env={**os.environ, **who}, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def copied(folder: Path) -> Path:
    for name in (HARNESS / "revision.cmake", HARNESS / "revision.txt", VERSION, Path(".gitattributes")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def commit(folder: Path) -> str:
    run("git", "add", "--all", folder=folder)
    run("git", "commit", "--quiet", "--message", "a commit", folder=folder)
    return run("git", "rev-parse", "--short", "HEAD", folder=folder)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What knows the revision, in a repository of its own."""
    root = copied(tmp_path / "project")
    run("git", "init", "--quiet", folder=root)
    commit(root)
    return root


def revision_of(root: Path, output: Path) -> str:
    """What the build of this folder writes into the program."""
    words = ("cmake", f"-DSOURCE={root}", f"-DOUTPUT={output}", "-P", root / HARNESS / "revision.cmake")
    run(*words, folder=output.parent)
    match = re.fullmatch(r'extern .*;\nconst char stackheap_revision\[100\] = "(.*)";\n', output.read_text())
    assert match
    return match[1]


def test_it_is_the_commit_and_says_what_is_not_committed(project: Path, tmp_path: Path) -> None:
    written = tmp_path / "revision.cpp"
    head = run("git", "rev-parse", "--short", "HEAD", folder=project)
    assert revision_of(project, written) == head
    (project / "untracked").write_text("no part of it")
    assert revision_of(project, written) == head
    (project / HARNESS / "revision.txt").write_text("changed")
    assert revision_of(project, written) == f"{head}-dirty"
    assert revision_of(project, written) != commit(project) + "-dirty"


def test_it_is_described_by_the_last_tag(project: Path, tmp_path: Path) -> None:
    run("git", "tag", "--annotate", "--message", "a release", "v1.2", folder=project)
    assert revision_of(project, tmp_path / "revision.cpp") == "v1.2"
    (project / "more").touch()
    assert revision_of(project, tmp_path / "revision.cpp") == "v1.2"
    assert revision_of(project, tmp_path / "revision.cpp") != (head := commit(project))
    assert revision_of(project, tmp_path / "revision.cpp") == f"v1.2-1-g{head}"


def test_the_same_revision_does_not_touch_the_file(project: Path, tmp_path: Path) -> None:
    written = tmp_path / "revision.cpp"
    revision_of(project, written)
    os.utime(written, (1, 1))
    revision_of(project, written)
    assert written.stat().st_mtime == 1


@pytest.mark.parametrize("tagged", [True, False])
def test_an_archive_knows_its_revision_even_within_another_repository(
    project: Path, tmp_path: Path, tagged: bool
) -> None:
    if tagged:
        run("git", "tag", "--annotate", "--message", "a release", "v1.2", folder=project)
    revision = revision_of(project, tmp_path / "revision.cpp")
    run("git", "archive", "--prefix=release/", "--output", tmp_path / "release.tar", "HEAD", folder=project)
    surrounding = tmp_path / "other"
    surrounding.mkdir()
    run("git", "init", "--quiet", folder=surrounding)
    with tarfile.open(tmp_path / "release.tar") as archive:
        archive.extractall(surrounding)
    commit(surrounding)
    assert revision_of(surrounding / "release", tmp_path / "unpacked.cpp") == revision


def test_a_copy_without_a_repository_has_no_revision(tmp_path: Path) -> None:
    assert revision_of(copied(tmp_path / "copy"), tmp_path / "revision.cpp") == ""


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize("text", ['";|abc', "|", "v1|", "$Format:%h$", "", "v1.2|abc\" \"", "a b|abc"])
def test_a_damaged_archive_has_no_revision(tmp_path: Path, text: str) -> None:
    root = copied(tmp_path / "copy")
    (root / HARNESS / "revision.txt").write_text(f"# a comment\n{text}\n")
    assert revision_of(root, tmp_path / "revision.cpp") == ""


# ---- a repository that git does not read


@pytest.fixture
def hostile_git(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a command git takes the place of the real one."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin" / "git"


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 127", "git is not installed"),
        ("exit 124", "git did not answer"),  # as timeout ends when it has killed git
        pytest.param("echo corrupt >&2; exit 128", "git cannot read the repository", marks=pytest.mark.nightly),
        pytest.param("exit 0", "git cannot describe it", marks=pytest.mark.nightly),
    ],
)
def test_an_unknown_revision_has_its_reason(project: Path, hostile_git: Path, script: str, reason: str) -> None:
    hostile_git.write_text(f"#!/bin/sh\n{script}\n")
    hostile_git.chmod(0o755)
    assert run("sh", project / VERSION, "--revision", folder=project) == f"unknown: {reason}"


@pytest.mark.hostile("set-up")
def test_a_folder_of_another_user_is_named_with_the_line_that_mends_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    shutil.copy(ROOT / "CMakeLists.txt", project)
    reason = "unknown: the folder belongs to another user (git's safe.directory)"
    assert revision_of(project, tmp_path / "revision.cpp") == reason
    line = run("sh", project / VERSION, "scripts/run", folder=project)
    assert line.endswith(f", revision {reason}; to trust it: git config --global --add safe.directory '{project}'")
    with pytest.raises(BadInput, match=rf"to trust it: git config --global --add safe.directory {project}$"):
        sides.commit_of("HEAD", project)


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize("name", [
    "GIT_DIR", *(pytest.param(name, marks=pytest.mark.nightly)
                 for name in ("GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"))
])  # fmt: skip
def test_within_a_hook_of_another_repository_the_revision_is_its_own(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    head = run("git", "rev-parse", "--short", "HEAD", folder=project)
    monkeypatch.setenv(name, "/nowhere")
    assert sides.commit_of("HEAD", project).startswith(head)
    assert run("sh", project / VERSION, "--revision", folder=project) == head
