"""How do jobs keep files on a branch of their repository, when several may write at once?

The branch always has one commit: a record grows, and git would keep every copy of it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from suite.base.errors import BadInput
from suite.base.foreign_program import Answer, run_foreign
from suite.base.text import one_line
from suite.forge.job import Job

AUTHOR = ("-c", "user.name=stackheap", "-c", "user.email=stackheap@localhost")
SECONDS = 600.0  # for a command of git, over the network
TRIES = 6
WAIT_SECONDS = 2.0  # before the second try, and longer before each later try


def update(job: Job, branch: str, message: str, change: Callable[[Path], None]) -> None:
    """Gives the files of the branch to `change`, and pushes what it leaves there. If another job was quicker, the
    change is made again on what that job pushed. Raises BadInput."""
    for attempt in range(1, TRIES + 1):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            before = _fetched(job, branch, folder)
            change(folder)
            git = _Git(job, folder)
            git("add", "--all")
            git(*AUTHOR, "commit", "--quiet", "--message", message)
            lease = f"--force-with-lease=refs/heads/{branch}:{before}"
            code, error = git.try_to("push", "--quiet", lease, job.remote, f"HEAD:refs/heads/{branch}")
            if not code:
                return
            if before == _tip(git, branch):  # no other job was in the way
                raise BadInput(f"cannot push to the branch {branch}: {error}")
        time.sleep(WAIT_SECONDS * attempt)
    raise BadInput(f"cannot push to the branch {branch}: other jobs were quicker {TRIES} times")


def _fetched(job: Job, branch: str, folder: Path) -> str:
    """Writes the branch's files into the folder, as a repository without a commit. Returns the branch's tip, or ''."""
    git = _Git(job, folder)
    code, _ = git.try_to("check-ref-format", "--branch", branch)
    if code:
        raise BadInput(f"--history: {branch!r} is not the name of a branch")
    git("init", "--quiet", "--initial-branch=kept")
    tip = _tip(git, branch)
    if tip:
        git("fetch", "--quiet", "--depth=1", job.remote, tip)
        git("read-tree", "-u", "--reset", "FETCH_HEAD")
    return tip


def _tip(git: _Git, branch: str) -> str:
    return git("ls-remote", "--heads", git.job.remote, f"refs/heads/{branch}").partition("\t")[0].strip()


class _Git:
    """git in a folder, with the job's token. Raises BadInput."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job, self.folder = job, folder

    def __call__(self, *words: str) -> str:
        answer = self._run(*words)
        if answer.exit_code:
            raise BadInput(f"git {words[0]}: {one_line(answer.errors) or f'exit code {answer.exit_code}'}")
        return answer.output

    def try_to(self, *words: str) -> tuple[int, str]:
        answer = self._run(*words)
        return answer.exit_code, one_line(answer.errors)

    def _run(self, *words: str) -> Answer:
        environment = {**os.environ, **self.job.git_settings}
        return run_foreign(["git", "-C", self.folder, *words], SECONDS, environment=environment)
