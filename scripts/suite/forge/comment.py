"""How does a pull or merge request show the newest result? One comment, which later jobs write anew."""

from __future__ import annotations

import contextlib
import http.client
import json
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from suite.base import foreign
from suite.base.errors import BadInput
from suite.base.foreign_program import run_foreign
from suite.base.text import one_line
from suite.forge.job import GITHUB, Job, as_name

LONGEST = 60_000  # letters; GitHub takes 65,536
SECONDS = 30
MOST_PAGES = 100  # of notes that are looked through
BOT = "github-actions[bot]"  # who comments with a job's own token


def marker_of(label: str) -> str:
    """The first line of the comment, which nobody sees: it tells the comments of several gates apart."""
    return f"<!-- stackheap: {as_name(label)} -->"


def update(job: Job, label: str, text: str) -> None:
    """Writes the comment of this label, or writes it anew. Raises BadInput."""
    marker = marker_of(label)
    body = f"{marker}\n{text}"[:LONGEST]
    if job.forge == GITHUB:
        _on_github(job, marker, body)
    else:
        _on_gitlab(job, marker, body)


def _on_github(job: Job, marker: str, body: str) -> None:
    folder = f"repos/{job.repository}/issues"
    fields = ".[] | [.id, .user.login, (.body // \"\" | split(\"\\n\")[0])] | @json"
    listed = _gh("--paginate", f"{folder}/{job.change}/comments?per_page=100", "--jq", fields)
    try:
        login = _gh("user", "--jq", ".login").strip()
    except BadInput:
        login = BOT  # a job's own token has no user
    # Not splitlines: jq leaves U+2028 as it is, and anybody can write it.
    comments = (foreign.read_json(line, kept="\n") for line in listed.split("\n") if line)
    # Anybody can write the marker: the comments of others stay as they are.
    with _in_its_shape("gh api: the list of comments"):
        own = [int(id) for id, author, first in comments if author == login and (first or "").strip() == marker]
    where = ("PATCH", f"{folder}/comments/{own[0]}") if own else ("POST", f"{folder}/{job.change}/comments")
    _gh("--method", *where, "--input", "-", "--silent", content=json.dumps({"body": body}))


@contextlib.contextmanager
def _in_its_shape(answer: str) -> Iterator[None]:
    """Raises BadInput where the answer of the forge has another shape than its documentation says."""
    try:
        yield
    except foreign.OTHER_SHAPE:
        raise BadInput(f"{answer} lacks a field, or a field has the wrong type") from None


def _gh(*words: str, content: str = "") -> str:
    answer = run_foreign(["gh", "api", *words], SECONDS, stdin=content)
    if answer.exit_code:
        raise BadInput(f"gh api: {one_line(answer.errors or answer.output) or f'exit code {answer.exit_code}'}")
    return answer.output


def _on_gitlab(job: Job, marker: str, body: str) -> None:
    notes = f"{job.api}/projects/{job.repository}/merge_requests/{job.change}/notes"
    user = _gitlab(job, "GET", f"{job.api}/user")
    mine: list[int] = []
    for page in range(1, MOST_PAGES + 1):
        found = _gitlab(job, "GET", f"{notes}?per_page=100&page={page}")
        with _in_its_shape("the list of notes"):
            mine += [int(note["id"]) for note in found if note["author"]["id"] == user["id"]
                     and note["body"].partition("\n")[0].strip() == marker]  # fmt: skip
        if not found:
            break
    method, address = ("PUT", f"{notes}/{mine[0]}") if mine else ("POST", notes)
    _gitlab(job, method, address, {"body": body})


def _gitlab(job: Job, method: str, address: str, document: Mapping[str, str] | None = None) -> Any:
    content = json.dumps(document).encode() if document else None
    headers = {"PRIVATE-TOKEN": job.token, "Content-Type": "application/json"}
    try:
        request = urllib.request.Request(address, content, headers, method=method)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return foreign.read_json(answer.read(), kept="\n")
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise BadInput(f"{method} {address.partition('?')[0]}: {one_line(str(error)) or type(error).__name__}") from None
