"""Do the action, the GitLab job and the jobs that users copy still work?

The action's steps run as they stand, in a stand-in for the runner: bash, the files of GITHUB_*, `gh` and `sudo` as
stand-ins, git real. The sides are programs that answer at once.
"""

from __future__ import annotations

import base64
import http.client
import io
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from suite.base.errors import BadInput
from suite.base.files import write_json
from suite.commands import ci, compare
from suite.commands import history as history_command
from suite.commands import run as run_command
from suite.forge import branch, comment
from suite.forge.job import Job, job_of
from suite.history import store
from suite.selfcheck import mutate
from support import ROOT, fake_side, synthetic

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DOCUMENT = (ROOT / "docs" / "ci.md").read_text()
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)]
ON_GITHUB = [block for block in BLOCKS if "jobs" in block]
ON_GITLAB = [block for block in BLOCKS if "include" in block]
IN_SIX_LINES = [block for block in BLOCKS if isinstance(block, list)]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
GITLAB_JOB = yaml.safe_load((ROOT / "gitlab.yml").read_text())[".stackheap"]
OURS = ("OWNER/stackheap@v1", "./")

ACTIONS = {
    "actions/checkout": {"repository", "path", "fetch-depth", "persist-credentials"},
    "actions/cache": {"path", "key"},
    "actions/upload-artifact": {"name", "path", "if-no-files-found"},
}


def workflows() -> list[Any]:
    ours = [pytest.param(yaml.safe_load(file.read_text()), id=file.stem) for file in WORKFLOWS]
    return ours + [pytest.param(block, id=f"docs-{block['name'].replace(' ', '-')}") for block in ON_GITHUB]


def steps_of(workflow: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


# ---- what they say


def test_every_job_is_found() -> None:
    assert [file.name for file in WORKFLOWS] == ["benchmark-gate.yml", "nightly.yml", "tests.yml"]
    assert (len(ON_GITHUB), len(ON_GITLAB), len(IN_SIX_LINES)) == (2, 1, 1)


@pytest.mark.parametrize("workflow", workflows())
def test_a_workflow_is_well_formed_and_asks_for_little(workflow: dict[Any, Any]) -> None:
    assert set(workflow) <= {"name", True, "permissions", "concurrency", "jobs"}  # YAML 1.1 reads "on" as true
    assert workflow["permissions"] == {"contents": "read"}
    assert not {"pull_request_target", "workflow_run"} & set(workflow[True])
    assert "secrets" not in json.dumps({str(key): value for key, value in workflow.items()})
    for job in workflow["jobs"].values():
        assert set(job) <= {
            "if", "runs-on", "container", "timeout-minutes", "concurrency", "strategy", "env", "permissions", "steps",
        }  # fmt: skip
        if "permissions" in job:  # a job that writes is a job of the action
            assert job["permissions"] == {"contents": "write", "pull-requests": "write"}
            assert any(step.get("uses") in OURS for step in job["steps"])
        assert 0 < job["timeout-minutes"] <= 120
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])


@pytest.mark.parametrize("workflow", workflows())
def test_actions_are_pinned_by_major_version_and_known(workflow: dict[Any, Any]) -> None:
    for step in steps_of(workflow):
        if step.get("uses") in OURS:
            assert set(step["with"]) <= set(ACTION["inputs"])
        elif "uses" in step:
            action, _, version = step["uses"].partition("@")
            assert re.fullmatch(r"v\d+", version), step
            assert set(step.get("with", {})) <= ACTIONS[action], step
            if action == "actions/checkout":
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("workflow", workflows())
def test_nothing_from_outside_is_pasted_into_a_command(workflow: dict[Any, Any]) -> None:
    """What a pull request's title or branch says must not become shell."""
    assert all("${{" not in step.get("run", "") for step in steps_of(workflow))


def test_the_action_passes_every_input_by_the_environment() -> None:
    """No input becomes part of a command: a branch or a title must not become shell."""
    steps = ACTION["runs"]["steps"]
    assert ACTION["runs"]["using"] == "composite"
    for step in steps:
        assert ("uses" in step) != ("run" in step) and "${{" not in step.get("run", "")
        assert "run" not in step or step["shell"] == "bash"
        if "uses" in step:
            action, _, version = step["uses"].partition("@")
            assert re.fullmatch(r"v\d+", version) and set(step["with"]) <= ACTIONS[action]
    (measure,) = [step for step in steps if step.get("id") == "measure"]
    taken = {value.removeprefix("${{ inputs.").removesuffix(" }}") for value in measure["env"].values()}
    assert taken == set(ACTION["inputs"])
    names = {name.removeprefix("STACKHEAP_").lower() for name in measure["env"]} - {"gh_token"}
    assert names == set(ci.OPTIONS) - {"out"}
    assert f"{ci.DEFAULTS['out']}/" == steps[-1]["with"]["path"] and steps[-1]["if"] == "always()"
    assert ACTION["inputs"]["budget"]["default"] == ci.DEFAULTS["budget"]


def test_six_lines_are_enough() -> None:
    (step,) = IN_SIX_LINES[0]
    assert step["uses"] == OURS[0] and set(step["with"]) <= set(ACTION["inputs"])
    assert DOCUMENT.partition("```yaml\n")[2].partition("```")[0].count("\n") == 6


def test_the_gitlab_job_is_well_formed() -> None:
    known = {"image", "timeout", "rules", "variables", "script", "before_script", "artifacts", "cache", "resource_group"}
    assert set(GITLAB_JOB) <= known and set(GITLAB_JOB["artifacts"]) <= {"when", "paths", "reports"}
    for block in ON_GITLAB:
        jobs = {name: job for name, job in block.items() if name != "include"}
        (gate,) = [job for job in jobs.values() if job.get("extends") == ".stackheap"]
        names = {name.removeprefix("STACKHEAP_").lower() for name in gate["variables"] if name != "STACKHEAP"}
        assert names <= set(ci.OPTIONS)
    assert all(isinstance(line, str) for line in [*GITLAB_JOB["script"], *GITLAB_JOB["before_script"]])


def test_the_shell_finds_nothing_to_say_of_the_scripts() -> None:
    for script in scripts():
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr


def scripts() -> list[str]:
    runs = [step["run"] for block in (*ON_GITHUB, *(yaml.safe_load(file.read_text()) for file in WORKFLOWS))
            for step in steps_of(block) if "run" in step]  # fmt: skip
    runs += [step["run"] for step in ACTION["runs"]["steps"] if "run" in step]
    return [*runs, "\n".join([*GITLAB_JOB["before_script"], *GITLAB_JOB["script"]])]


@pytest.mark.parametrize("command", re.findall(r"^(scripts/history .*)$", DOCUMENT, re.MULTILINE))
def test_the_commands_in_the_text_are_understood(command: str) -> None:
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {command.partition('#')[0]}"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    history_command.parse(words[1:])


def test_undecided_means_the_same_in_every_document() -> None:
    sentence = "An undecided benchmark is shown, and does not fail the comparison, unless --strict is given."
    for text in (DOCUMENT, (ROOT / "README.md").read_text(), help_of("compare")):
        assert sentence in " ".join(text.replace("`", "").split())


# ---- whether their commands exist

CHOOSING = ("setup", "test", "lint", "sanitize")  # every word for these commands is an option or a name that their help lists


@cache
def help_of(*command: str) -> str:
    done = subprocess.run([ROOT / "scripts" / command[0], *command[1:], "--help"], capture_output=True, text=True, timeout=60)
    return done.stdout if done.returncode == 0 else ""


def commands_in(script: str, variables: Mapping[str, str]) -> Iterator[list[str]]:
    """The commands of this project in a shell script, as words, with the variables replaced."""
    text = re.sub(r"\\\n", " ", script)
    for name, value in variables.items():
        text = re.sub(rf"\$\{{?{name}\b\}}?", value.replace("\\", "\\\\"), text)
    for line in text.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.wordchars += "$^{}:,@+%"
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("();<>|&"):
                if words and re.search(r"(^|/)scripts/\w+$", words[0]):
                    yield words
                words = [">"] if set(word) <= set("<>") else []  # what follows is a file
            else:
                words.append(word)


def complaint_about(words: list[str]) -> str:
    """What is wrong with a command of this project: it does not exist, or its help does not know a word. Else nothing."""
    name, *arguments = [words[0].rpartition("/")[2], *words[1:]]
    if not os.access(ROOT / "scripts" / name, os.X_OK):
        return f"scripts/{name} does not exist"
    text = help_of(name)
    if subcommands := re.findall(r"^ {4}([a-z]+) {2,}\w", text, re.MULTILINE) if " COMMAND ..." in text else []:
        chosen = [word for word in arguments if word in subcommands]
        if not chosen:
            return f"scripts/{name} takes one of {', '.join(subcommands)}"
        text += help_of(name, chosen[0])
    for word in arguments:
        option = word.partition("=")[0] if word.startswith("-") else word if name in CHOOSING else ""
        if option and not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text):
            return f"scripts/{name} does not know {word}"
    return ""


def variables_of(job: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The environment of a job, for each combination of its matrix."""
    matrix = job.get("strategy", {}).get("matrix", {})
    for values in itertools.product(*matrix.values()):
        chosen = {f"${{{{ matrix.{name} }}}}": value for name, value in zip(matrix, values)}
        yield {name: chosen.get(value, value) for name, value in job.get("env", {}).items()}


@pytest.mark.parametrize("workflow", workflows())
def test_every_command_of_this_project_exists_with_its_options(workflow: dict[Any, Any]) -> None:
    checked = sum(step.get("uses") in OURS for step in steps_of(workflow))
    for job in workflow["jobs"].values():
        for variables in variables_of(job):
            for words in (words for step in job["steps"] if "run" in step for words in commands_in(step["run"], variables)):
                assert complaint_about(words) == "", words
                checked += 1
    assert checked


def test_every_command_of_the_action_and_on_gitlab_exists_with_its_options() -> None:
    for script in scripts()[-5:]:
        commands = list(commands_in(script, {"STACKHEAP": "/s"}))
        assert [complaint for words in commands if (complaint := complaint_about(words))] == []


@pytest.mark.parametrize(("script", "complaint"), [
    ("scripts/tset --quick", "scripts/tset does not exist"),
    ("scripts/test --quik", "scripts/test does not know --quik"),
    ('scripts/test --preset "$PRESET"', "scripts/test does not know gcc-test"),
    ("cd x && scripts/setup --for=run --for lnit || true", "scripts/setup does not know lnit"),
    ("code=0\nscripts/compare --rev HEAD^1 \\\n  --rev HEAD --outt gate/pairs.json > x.md || code=$?", "scripts/compare does not know --outt"),
    ("scripts/history --file h.sqlite chekc", "scripts/history takes one of "),
    ("scripts/history --file h.sqlite check --alow-short", "scripts/history does not know --alow-short"),
    ('"$STACKHEAP/scripts/compare" --nothing', "scripts/compare does not know --nothing"),
    ("echo scripts/tset > scripts/tset", ""),
])  # fmt: skip
def test_a_wrong_command_is_noticed(script: str, complaint: str) -> None:
    found = [complaint_about(words) for words in commands_in(script, {"PRESET": "gcc-test", "STACKHEAP": "/s"})]
    assert found == [] if complaint == "" else len(found) == 1 and found[0].startswith(complaint), found


def test_the_nightly_parts_hold_every_mutant() -> None:
    job = yaml.safe_load((ROOT / ".github/workflows/nightly.yml").read_text())["jobs"]["mutants"]
    patterns = [variables["PART"] for variables in variables_of(job)]
    files = {mutant.file for mutant in mutate.read_mutants(ROOT)}
    assert [file for file in files if not any(re.search(pattern, file) for pattern in patterns)] == []


# ---- what they do

NAME = "scoped/glibc/bytes:64/touch:first"
HOSTILE = "$(touch hacked) `touch hacked` ; touch hacked #"

# gh as the action calls it: it keeps the comments in a file, and its log. The token has no user, as on a runner.
GH = """
import json, os, pathlib, sys
words = sys.argv[2:]
assert sys.argv[1] == "api" and os.environ["GH_TOKEN"] == "secret", sys.argv
kept = pathlib.Path(os.environ["COMMENTS"])
comments = json.loads(kept.read_text()) if kept.exists() else []
with open(kept.with_suffix(".log"), "a") as log:
    print(*words, file=log)
if words[0] == "user":
    sys.exit("gh: Resource not accessible by integration (HTTP 403)")
if "--method" in words:
    method, address = words[1:3]
    body = json.load(sys.stdin)["body"]
    if method == "PATCH":
        next(made for made in comments if made["id"] == int(address.rpartition("/")[2]))["body"] = body
    else:
        assert address == "repos/o/r/issues/7/comments", address
        comments.append({"id": len(comments) + 1, "login": "github-actions[bot]", "body": body})
    kept.write_text(json.dumps(comments))
else:
    for made in comments:
        print(json.dumps([made["id"], made["login"], made["body"].split("\\n")[0] or None]))
"""


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runner's folders and environment, in a pull request of the repository itself, with `gh` and `sudo`."""
    write_executable(tmp_path / "tools" / "gh", f"#!{sys.executable}\n{GH}")
    write_executable(tmp_path / "tools" / "sudo", "#!/bin/sh\nexit 1\n")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    event = {"pull_request": {"number": 7, "head": {"repo": {"full_name": "o/r"}}}}
    (tmp_path / "event.json").write_text(json.dumps(event))
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "GITLAB_", "CI_", "STACKHEAP_"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "GITHUB_REPOSITORY": "o/r", "GITHUB_SHA": "0123456789abcdef", "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_RUN_ID": "99", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "GH_TOKEN": "secret",
        "GITHUB_OUTPUT": str(tmp_path / "output"), "COMMENTS": str(tmp_path / "comments"), "HOME": str(tmp_path),
        "ImageOS": "ubuntu24", "ImageVersion": "1", "PATH": f"{tmp_path / 'tools'}:{os.environ['PATH']}",
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def write_executable(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def run_action(place: Path, **inputs: str) -> dict[str, int]:
    """Runs the steps of the action as GitHub does: the exit codes by name, up to the first that fails."""
    action = place / "action"
    write_executable(action / "scripts" / "setup", '#!/bin/sh\n[ "$*" = "--for run" ]\n')
    write_executable(
        action / "scripts" / "ci",
        f'#!/bin/sh\nPYTHONPATH={ROOT}/scripts exec {sys.executable} -B -m suite.commands.ci "$@"\n',
    )
    given = {name: about["default"] for name, about in ACTION["inputs"].items()} | inputs
    codes: dict[str, int] = {}
    for step in ACTION["runs"]["steps"]:
        if "run" not in step:
            continue
        environment = {**os.environ, "GITHUB_ACTION_PATH": str(action)}
        for name, value in step.get("env", {}).items():
            environment[name] = given[value.removeprefix("${{ inputs.").removesuffix(" }}")]
        environment["GH_TOKEN"] = "secret"
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(command, cwd=place / "work", env=environment, capture_output=True, text=True, timeout=120)
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        codes[step["name"]] = done.returncode
        if done.returncode:
            break
    return codes


def test_the_action_compares_two_builds_and_comments(runner: Path) -> None:
    """The steps as they stand, on real pairs of a program that answers at once."""
    for side, ns in (("old", 20.0), ("new", 26.0)):
        fake_side.write_side(runner / "work" / side, {NAME: ns}, turn_ms=1)
    codes = run_action(runner, old="old", new="new", threshold="2%", label=HOSTILE, only="^scoped/")
    assert codes == {"Name the packages": 0, "Install what is missing": 0, "Measure and judge": 1}
    (made,) = json.loads((runner / "comments").read_text())
    for text in (made["body"], (runner / "summary.md").read_text()):
        assert "**worse: " in text and NAME in text
    assert made["body"].startswith("<!-- stackheap: __touch hacked_ ") and "actions/runs/99" in made["body"]
    results = runner / "work" / "stackheap-results"
    assert {file.name for file in results.iterdir()} == {"comparison.md", "pairs.json", "junit.xml"}
    assert "<failure" in (results / "junit.xml").read_text()
    named = re.search(r"^key=ubuntu24-1-[0-9a-f]{12}\nartifact=(.+)\nverdict=worse\n", (runner / "output").read_text())
    assert named and named[1] == "stackheap-__touch hacked_ _touch hacked_ _ touch hacked _"
    assert not list(runner.rglob("hacked"))


# ---- scripts/ci in this process


def comparing(monkeypatch: pytest.MonkeyPatch, code: int, text: str, words: list[str]) -> None:
    """scripts/compare, without measuring: it writes the text to --out; without a text it refuses."""

    def main(arguments: list[str]) -> int:
        words[:] = words or arguments
        out = next(word.partition("=")[2] for word in arguments if word.startswith("--out="))
        if text:
            Path(out).write_text(text)
        else:
            print("scripts/compare: new.so: <b>does not exist", file=sys.stderr)
        return code

    monkeypatch.setattr(compare, "main", main)


def test_the_comment_is_written_anew_and_those_of_others_stay(
    runner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = {"id": 1, "login": "mallory", "body": "<!-- stackheap:  -->\nnothing is worse"}
    empty = {"id": 2, "login": "github-actions[bot]", "body": ""}  # whose first line jq gives as null
    (runner / "comments").write_text(json.dumps([forged, empty]))
    for text in ("first", "second"):
        comparing(monkeypatch, 0, text, [])
        assert ci.main(["--old=a.so", "--new=b.so"]) == 0
    comments = json.loads((runner / "comments").read_text())
    assert comments[:2] == [forged, empty] and len(comments) == 3
    assert "second" in comments[2]["body"] and "first" not in comments[2]["body"]
    comparing(monkeypatch, 1, "another gate", [])
    assert ci.main(["--old=a.so", "--new=b.so", "--label=jemalloc"]) == 1
    comments = json.loads((runner / "comments").read_text())
    assert len(comments) == 4 and "### Memory: jemalloc" in comments[3]["body"]
    assert "first\n" in (runner / "summary.md").read_text() and "second\n" in (runner / "summary.md").read_text()


@pytest.mark.parametrize("change", ("fork", "token", "gh"))
def test_without_a_comment_the_result_is_on_the_job_s_page(
    runner: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    comparing(monkeypatch, 1, "it is worse", [])
    if change == "fork":
        (runner / "event.json").write_text(json.dumps({"pull_request": {"number": 7, "head": {"repo": None}}}))
    elif change == "token":
        monkeypatch.delenv("GH_TOKEN")
    else:
        write_executable(runner / "tools" / "gh", "#!/bin/sh\necho 'HTTP 502' >&2\nexit 1\n")
    assert ci.main(["--old=a.so", "--new=b.so"]) == 1
    assert not (runner / "comments").exists() and "it is worse" in (runner / "summary.md").read_text()
    reasons = {"fork": "from a fork has a token that only reads", "token": "no token is given", "gh": "gh api: HTTP 502"}
    assert f"scripts/ci: no comment: {'a pull request ' * (change == 'fork')}{reasons[change]}" in capsys.readouterr().out


def test_what_cannot_be_judged_is_said_with_its_reason(runner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    comparing(monkeypatch, 2, "", [])
    assert ci.main(["--old=a.so", "--new=b.so"]) == 2
    (made,) = json.loads((runner / "comments").read_text())
    assert "**cannot judge: scripts/compare: new.so: &lt;b&gt;does not exist**" in made["body"].replace("`", "")
    assert "verdict=cannot judge" in (runner / "output").read_text()


@pytest.mark.parametrize(("given", "expected"), (
    ({"OLD": "a.so,je_", "NEW": "b.so.2"}, ["--allocator=old=a.so,je_", "--allocator=new=b.so.2"]),
    ({"OLD": "--calibrate", "NEW": "build/new"}, ["--", "--calibrate", "build/new"]),
    ({"REV": "HEAD^1"}, ["--rev=HEAD^1", "--rev=HEAD"]),
))  # fmt: skip
def test_the_sides_reach_compare_as_they_were_given(
    runner: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: list[str]
) -> None:
    words: list[str] = []
    comparing(monkeypatch, 0, "x", words)
    environment = {f"STACKHEAP_{name}": text for name, text in given.items()}
    environment |= {"STACKHEAP_THRESHOLD": "2% ^chase/=5%", "STACKHEAP_BUDGET": "60"}
    assert ci.main([], {**os.environ, **environment}) == 0
    assert words[-len(expected) :] == expected
    assert {"--threshold=2%", "--threshold=^chase/=5%", "--budget=60", "--format=markdown"} <= set(words)


REFUSED_OUTPUTS = "artifact=stackheap\nverdict=cannot judge\n"


@pytest.mark.parametrize(("words", "changed", "message"), (
    (["--old=a.so"], {}, "give old and new, or rev"),
    (["--old=a.so", "--new=b.so", "--rev=x"], {}, "give old and new, or rev"),
    (["--old=a.so", "--new=build"], {}, "must be of one kind"),
    (["--rev=x"], {"GITHUB_EVENT_NAME": "pull_request_target"}, "use pull_request"),
    (["--rev=x"], {"GITHUB_ACTIONS": ""}, "runs as a job of GitHub or GitLab"),
    (["--new=build", "--history=h"], {"GITHUB_EVENT_NAME": "push"}, "records a malloc library"),
    (["--reference=a.so", "--history=h"], {"GITHUB_EVENT_NAME": "push"}, "measured beside --new"),
))  # fmt: skip
def test_a_job_that_cannot_work_says_why_in_one_line(
    runner: Path, capsys: pytest.CaptureFixture[str], words: list[str], changed: dict[str, str], message: str
) -> None:
    assert ci.main(words, {**os.environ, **changed}) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1
    outputs = (runner / "output").read_text() if (runner / "output").exists() else ""
    assert outputs == ("" if "GITHUB" in "".join(changed) and "push" not in changed.values() else REFUSED_OUTPUTS)


# ---- the history on its branch


def remote(folder: Path) -> Job:
    """A job on a branch, whose repository is a folder."""
    subprocess.run(["git", "init", "--quiet", "--bare", str(folder / "remote.git")], check=True)
    job = job_of({**os.environ, "GITHUB_EVENT_NAME": "push"})
    return replace(job, remote=str(folder / "remote.git"), token="")


def kept_on(job: Job, name: str) -> str:
    shown = subprocess.run(["git", "-C", job.remote, "show", f"kept:{name}"], capture_output=True, text=True)
    return shown.stdout


def commits_on(job: Job) -> int:
    counted = subprocess.run(["git", "-C", job.remote, "rev-list", "--count", "kept"], capture_output=True, text=True)
    return int(counted.stdout)


def test_a_push_is_measured_and_kept_on_the_branch(
    runner: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two pushes of a library: the record has both, with their references, and the branch has one commit."""
    job = remote(runner)
    measured: list[list[str]] = []
    monkeypatch.setattr(ci, "job_of", lambda environment: replace(job, commit=f"{len(measured):040x}"))

    def run(words: list[str]) -> int:
        measured.append(words)
        out = Path(next(word.partition("=")[2] for word in words if word.startswith("--out=")))
        out.mkdir(parents=True, exist_ok=True)
        made = synthetic.document(len(measured), keep=lambda name: name.startswith("scoped/glibc/bytes:64/"))
        made["context"]["date"] = f"2026-01-0{len(measured)}T00:00:00+00:00"
        write_json(out / "run.json", made)
        return 0

    monkeypatch.setattr(run_command, "main", run)
    for _ in range(2):
        assert ci.main(["--old=old.so", "--new=new.so", "--reference=pinned.so", "--history=kept"]) == 0
    assert [word for word in measured[0] if "=" in word][-2:] == ["--only=/subject/", "--allocator=subject=new.so"]
    assert "--allocator=subject=pinned.so" in measured[1] and len(measured) == 4
    assert commits_on(job) == 1 and "<h1>" in kept_on(job, "index.html") and "2 of " in kept_on(job, "badge.json")
    assert "2 of the " in (runner / "summary.md").read_text().rpartition("###")[2]
    content = subprocess.run(["git", "-C", job.remote, "show", "kept:history.sqlite"], capture_output=True).stdout
    (runner / "back.sqlite").write_bytes(content)
    with store.opened(runner / "back.sqlite") as record:
        assert [(entry.unit, entry.revision) for entry in record.runs()] == [("ratio", f"{0:040x}"), ("ratio", f"{2:040x}")]


def test_jobs_that_push_at_once_lose_no_data(runner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first job is overtaken between its look at the branch and its push: it looks again."""
    job = remote(runner)
    tries: list[str] = []
    monkeypatch.setattr(branch, "WAIT_SECONDS", 0.0)

    def add(line: str) -> Callable[[Path], None]:
        def change(folder: Path) -> None:
            before = (folder / "log").read_text() if (folder / "log").exists() else ""
            (folder / "log").write_text(f"{before}{line}\n")
            if line == "first":
                tries.append(before)
                if len(tries) < 3:
                    branch.update(job, "kept", "overtakes", add(f"quicker {len(tries)}"))

        return change

    branch.update(job, "kept", "first", add("first"))
    assert tries == ["", "quicker 1\n", "quicker 1\nquicker 2\n"]
    assert kept_on(job, "log") == "quicker 1\nquicker 2\nfirst\n" and commits_on(job) == 1


def test_a_branch_that_cannot_be_written_is_an_error_at_once(runner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = remote(runner)
    write_executable(runner / "remote.git" / "hooks" / "pre-receive", "#!/bin/sh\necho 'protected branch' >&2\nexit 1\n")
    monkeypatch.setattr(branch, "WAIT_SECONDS", 600.0)
    with pytest.raises(BadInput, match="cannot push to the branch kept: .*protected branch"):
        branch.update(job, "kept", "x", lambda folder: (folder / "x").touch())
    with pytest.raises(BadInput, match="is not the name of a branch"):
        branch.update(job, "--force", "x", lambda folder: None)


def test_the_token_stands_in_no_command_line() -> None:
    job = job_of({"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "o/r", "GH_TOKEN": "secret"})
    settings = job.git_settings
    assert settings["GIT_CONFIG_KEY_0"] == "http.https://github.com/.extraheader" and "secret" not in job.remote
    assert base64.b64decode(settings["GIT_CONFIG_VALUE_0"].split()[-1]) == b"x-access-token:secret"


# ---- what a forge says


EVENTS: Mapping[str, tuple[bytes, tuple[str, bool]]] = {
    "of the repository": (b'{"pull_request": {"number": 7, "head": {"repo": {"full_name": "o/r"}}}}', ("7", False)),
    "of a fork": (b'{"pull_request": {"number": 7, "head": {"repo": {"full_name": "m/r"}}}}', ("7", True)),
    "of a deleted fork": (b'{"pull_request": {"number": 7, "head": {"repo": null}}}', ("7", True)),
    **{name: (content, ("", False)) for name, content in {
        "empty": b"", "of a push": b'{"ref": "x"}', "a list": b"[]", "no number": b'{"pull_request": {"head": {}}}',
        "without a value": b'{"pull_request": {"number": NaN}}', "without an end": b'{"pull_request": {"number": 1e999}}',
        "too long": b'{"pull_request": {"number": ' + b"9" * 5000 + b"}}", "nested": b"[" * 100_000, "UTF-16 cut off": b"\xff\xfe{",
        "a path": b'{"pull_request": {"number": "7/../8", "head": {"repo": null}}}',
    }.items()},
}  # fmt: skip


@pytest.mark.hostile("text that is not ours")
@pytest.mark.parametrize(("content", "read"), EVENTS.values(), ids=EVENTS)
def test_any_event_is_of_a_pull_request_or_is_not(tmp_path: Path, content: bytes, read: tuple[str, bool]) -> None:
    (tmp_path / "event").write_bytes(content)
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_REPOSITORY": "o/r", "GH_TOKEN": "x",
                   "GITHUB_EVENT_PATH": str(tmp_path / "event")}  # fmt: skip
    job = job_of(environment)
    assert (job.change, "fork" in job.no_comment) == read


@pytest.mark.hostile("text that is not ours")
@pytest.mark.parametrize("listed", ["text", "[]", "[1]", "null", "{}", "NaN", "[" * 100_000, '[1, "github-actions[bot]", 7]',
                                    '[{}, "github-actions[bot]", "<!-- stackheap:  -->"]',
                                    '["7/../8", "github-actions[bot]", "<!-- stackheap:  -->"]'],
                         ids=lambda text: str(text)[:28])  # fmt: skip
def test_comments_of_another_shape_are_named_and_left(monkeypatch: pytest.MonkeyPatch, listed: str) -> None:
    def gh(*words: str, content: str = "") -> str:
        assert "--input" not in words
        return listed if "--paginate" in words else comment.BOT

    monkeypatch.setattr(comment, "_gh", gh)
    with pytest.raises(BadInput, match="^gh api: the list of comments lacks a field, or a field has the wrong type$"):
        comment.update(replace(job_of({"GITHUB_ACTIONS": "true"}), change="7"), "", "text")


NOTES = "the list of notes lacks a field, or a field has the wrong type"


@pytest.mark.hostile("text that is not ours")
@pytest.mark.parametrize(
    ("user", "notes", "message"),
    [
        (b'{"id": 5}', b'{"message": "x"}', NOTES), (b'{"id": 5}', b"[1]", NOTES), (b'{"id": 5}', b'"text"', NOTES),
        (b'{"id": 5}', b'[{"id": 1, "author": null}]', NOTES), (b'{"id": 5}', b'[{"author": {"id": 5}, "body": 1}]', NOTES),
        (b"null", b'[{"id": 1, "author": {"id": 5}}]', NOTES), (b'{"id": 5}', b"[" * 100_000, "GET .*/notes: maximum recursion"),
        (b"<html>", b"[]", "GET .*/user: Expecting value"), (b"\xff", b"[]", "GET .*/user: 'utf-8' codec"),
        (b"", b"[]", "GET .*/user: "),
    ],
    ids=("no list", "numbers", "text", "no author", "a number as text", "no user", "nested", "a page", "no UTF-8", "nothing"),
)  # fmt: skip
def test_notes_of_another_shape_are_named_and_left(
    monkeypatch: pytest.MonkeyPatch, user: bytes, notes: bytes, message: str
) -> None:
    def answer(request: urllib.request.Request, timeout: float) -> io.BytesIO:
        assert request.get_method() == "GET"
        return io.BytesIO(user if request.full_url.endswith("/user") else notes)

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    job = replace(job_of({"GITLAB_CI": "true", "CI_API_V4_URL": "http://gitlab.invalid"}), change="7")
    with pytest.raises(BadInput, match=message):
        comment.update(job, "", "text")


@pytest.mark.hostile("text that is not ours")
@pytest.mark.parametrize("error", [http.client.BadStatusLine("\x1b"), http.client.IncompleteRead(b""), TimeoutError("timed out"),
                                   ConnectionResetError(104, "reset")], ids=repr)  # fmt: skip
def test_a_forge_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def answer(request: urllib.request.Request, timeout: float) -> io.BytesIO:
        raise error

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    for address in ("http://gitlab.invalid", "", "no address"):
        with pytest.raises(BadInput, match=f"GET {address}/") as refused:
            comment.update(replace(job_of({"GITLAB_CI": "true", "CI_API_V4_URL": address}), change="7"), "", "text")
        assert str(refused.value).isprintable()


@pytest.mark.hostile("text that is not ours")
@pytest.mark.parametrize(("given", "token"), [("secret\n", "secret"), (" secret\r\n", "secret"), ("sec\nret", ""), ("secr\u00e9t", "")])
def test_a_token_is_in_no_error(given: str, token: str) -> None:
    """It would stand in the log, where urllib quotes a header that cannot be sent."""
    environment = {"GITLAB_CI": "true", "CI_API_V4_URL": "http://127.0.0.1:1", "STACKHEAP_TOKEN": given}
    job = job_of(environment)
    assert job.token == token and "secr" not in job.no_comment and bool(job.no_comment) == (not token)
    with pytest.raises(BadInput) as refused:
        comment.update(replace(job, change="7"), "", "text")
    assert "sec" not in str(refused.value)


@pytest.mark.hostile("text that is not ours")
def test_notes_without_an_end_are_looked_through_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(request: urllib.request.Request, timeout: float) -> io.BytesIO:
        asked.append(request.get_method())
        return io.BytesIO(b'[{"id": 1, "author": {"id": 9}, "body": ""}]' if "notes" in request.full_url else b'{"id": 5}')

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    comment.update(replace(job_of({"GITLAB_CI": "true", "CI_API_V4_URL": "http://x"}), change="7"), "", "text")
    assert asked == ["GET"] * (1 + comment.MOST_PAGES) + ["POST"]


# ---- GitLab


class Api(BaseHTTPRequestHandler):
    """GitLab's notes: those of another user and of this one."""

    notes: list[dict[str, Any]] = []
    asked: list[str] = []

    def _answer(self, document: object) -> None:
        assert self.headers["PRIVATE-TOKEN"] == "secret"
        self.asked.append(f"{self.command} {self.path}")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def _sent(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]

    def do_GET(self) -> None:
        later_page = "page=" in self.path and not self.path.endswith("page=1")
        self._answer({"id": 5} if self.path == "/user" else [] if later_page else self.notes)

    def do_POST(self) -> None:
        self.notes.append({"id": len(self.notes) + 1, "author": {"id": 5}, "body": self._sent()})
        self._answer({})

    def do_PUT(self) -> None:
        self.notes[int(self.path.rpartition("/")[2]) - 1]["body"] = self._sent()
        self._answer({})

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the tests' output is not a log."""


@pytest.mark.hostile("text that is not ours")
def test_a_stranger_s_comment_cannot_stop_the_job_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """jq leaves what Python takes for the end of a line as it is: each comment is still a line."""
    strange = json.dumps([1, "mallory", "<!-- stackheap:  -->\u2028\x85]"], ensure_ascii=False)
    own = json.dumps([2, comment.BOT, "<!-- stackheap:  -->"])
    called: list[tuple[str, ...]] = []

    def gh(*words: str, content: str = "") -> str:
        called.append(words)
        return f"{strange}\n{own}\n" if "--paginate" in words else comment.BOT if "user" in words else ""

    monkeypatch.setattr(comment, "_gh", gh)
    event = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "o/r", "GH_TOKEN": "x"}
    comment.update(replace(job_of(event), change="7"), "", "text")
    assert called[-1][:3] == ("--method", "PATCH", "repos/o/r/issues/comments/2")


def test_a_merge_request_has_one_note(
    runner: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Api.notes, Api.asked = [{"id": 1, "author": {"id": 9}, "body": "<!-- stackheap:  -->\nforged"}], []
    server = HTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    environment = {
        "GITLAB_CI": "true", "CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "3", "CI_PROJECT_ID": "8",
        "CI_API_V4_URL": f"http://127.0.0.1:{server.server_port}", "CI_JOB_URL": "https://example.org/job",
        "STACKHEAP_TOKEN": "secret", "STACKHEAP_OLD": "a.so", "STACKHEAP_NEW": "b.so",
    }  # fmt: skip
    for text in ("first", "second"):
        comparing(monkeypatch, 0, text, [])
        assert ci.main([], environment) == 0
    server.shutdown()
    server.server_close()
    assert [note["author"]["id"] for note in Api.notes] == [9, 5] and "second" in Api.notes[1]["body"]
    assert "PUT /projects/8/merge_requests/3/notes/2" in Api.asked
    del environment["STACKHEAP_TOKEN"]
    capsys.readouterr()
    assert ci.main([], environment) == 0
    assert "no comment: STACKHEAP_TOKEN is not set" in capsys.readouterr().out
