"""Which job of GitHub or GitLab runs here, and what may it do?"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from suite.base import foreign
from suite.base.errors import BadInput
from suite.base.text import printable

GITHUB, GITLAB = "GitHub", "GitLab"


@dataclass(frozen=True)
class Job:
    forge: str
    repository: str  # OWNER/NAME on GitHub, the number of the project on GitLab
    change: str  # the number of the pull or merge request; empty on a branch
    commit: str
    address: str  # of the job's page
    remote: str  # the repository's address for git
    user: str  # with the token, for git
    token: str
    api: str  # the address of GitLab's API
    no_comment: str  # why the job cannot comment; empty: it can
    summary: Path | None  # what is appended to it stands on the job's page
    outputs: Path | None

    @property
    def git_settings(self) -> dict[str, str]:
        """The environment for git, so that the token stands in no command line and in no file."""
        if not self.token:
            return {}
        login = base64.b64encode(f"{self.user}:{self.token}".encode()).decode()
        server = "/".join(self.remote.split("/")[:3])
        return {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{server}/.extraheader",
            "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {login}",
            "GIT_TERMINAL_PROMPT": "0",
        }


def as_name(label: str) -> str:
    """A user's label, in letters that can stand in a comment of HTML and in the name of an artifact."""
    return re.sub(r"[^\w .,+-]|--", "_", printable(label, "_"))


def job_of(environment: Mapping[str, str]) -> Job:
    """The job that the variables of the environment describe. Raises BadInput."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return _on_github(environment)
    if environment.get("GITLAB_CI") == "true":
        return _on_gitlab(environment)
    raise BadInput(
        "it runs as a job of GitHub or GitLab, but neither GITHUB_ACTIONS nor GITLAB_CI is true: use scripts/compare here"
    )


def _on_github(environment: Mapping[str, str]) -> Job:
    get = environment.get
    event = get("GITHUB_EVENT_NAME", "")
    if event == "pull_request_target":
        raise BadInput(
            "the event pull_request_target gives a token that can write to code that nobody has read: use pull_request"
        )
    number, is_fork = _pull_request(get("GITHUB_EVENT_PATH", ""), get("GITHUB_REPOSITORY", ""))
    token = get("GH_TOKEN", "")
    reason = "" if token else "no token is given"
    reason = "a pull request from a fork has a token that only reads" if is_fork else reason
    server, repository = get("GITHUB_SERVER_URL", "https://github.com"), get("GITHUB_REPOSITORY", "")
    return Job(
        forge=GITHUB,
        repository=repository,
        change=number if event == "pull_request" else "",
        commit=get("GITHUB_SHA", ""),
        address=f"{server}/{repository}/actions/runs/{get('GITHUB_RUN_ID', '')}",
        remote=f"{server}/{repository}",
        user="x-access-token",
        token=token,
        api="",
        no_comment=reason,
        summary=_path(get("GITHUB_STEP_SUMMARY", "")),
        outputs=_path(get("GITHUB_OUTPUT", "")),
    )


def _pull_request(event: str, repository: str) -> tuple[str, bool]:
    """Its number, and whether it comes from a fork; the event may be of something else."""
    try:
        request = foreign.read_json(Path(event).read_bytes())["pull_request"] if event else None
        return ("", False) if request is None else (
            str(int(request["number"])), (request["head"]["repo"] or {}).get("full_name") != repository,
        )  # fmt: skip
    except (OSError, *foreign.OTHER_SHAPE):
        return "", False


def _on_gitlab(environment: Mapping[str, str]) -> Job:
    get = environment.get
    own = get("STACKHEAP_TOKEN", "").strip()  # a secret that was pasted often ends in a new line
    is_request = get("CI_PIPELINE_SOURCE") == "merge_request_event"
    reason = "" if own else "STACKHEAP_TOKEN is not set: a job's own token cannot write notes"
    if not re.fullmatch("[!-~]*", own):  # an error of the request would quote the token
        reason, own = "STACKHEAP_TOKEN has letters that no token has", ""
    return Job(
        forge=GITLAB,
        repository=get("CI_PROJECT_ID", ""),
        change=get("CI_MERGE_REQUEST_IID", "") if is_request else "",
        commit=get("CI_COMMIT_SHA", ""),
        address=get("CI_JOB_URL", ""),
        remote=f"{get('CI_SERVER_URL', '')}/{get('CI_PROJECT_PATH', '')}.git",
        user="oauth2" if own else "gitlab-ci-token",
        token=own or get("CI_JOB_TOKEN", ""),
        api=get("CI_API_V4_URL", ""),
        no_comment=reason,
        summary=None,
        outputs=None,
    )


def _path(text: str) -> Path | None:
    return Path(text) if text else None
