"""Do the jobs that users copy still work? Reads every workflow here and in docs/ci.md, and runs their commands.

They run as they stand, in folders like those of a CI: git and history are real, scripts/compare is real on a program
that answers at once, and scripts/run reads its options as ever but writes a run that is ready.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from suite.commands import history as history_command
from suite.history import store
from suite.selfcheck import mutate
from support import ROOT, fake_side

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DOCUMENT = (ROOT / "docs" / "ci.md").read_text()
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)]
ON_GITHUB = [block for block in BLOCKS if "jobs" in block]
ON_GITLAB = [block for block in BLOCKS if "jobs" not in block]

ACTIONS = {
    "actions/checkout": {"repository", "path", "fetch-depth", "persist-credentials"},
    "actions/cache/restore": {"path", "key", "restore-keys"},
    "actions/cache/save": {"path", "key"},
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
    assert (len(ON_GITHUB), [list(block) for block in ON_GITLAB]) == (2, [["benchmark-gate", "benchmark-history"]])


@pytest.mark.parametrize("workflow", workflows())
def test_a_workflow_is_well_formed_and_asks_for_little(workflow: dict[Any, Any]) -> None:
    assert set(workflow) <= {"name", True, "permissions", "concurrency", "jobs"}  # YAML 1.1 reads "on" as true
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets" not in json.dumps({str(key): value for key, value in workflow.items()})
    for job in workflow["jobs"].values():
        assert set(job) <= {"if", "runs-on", "container", "timeout-minutes", "concurrency", "strategy", "env", "steps"}
        assert 0 < job["timeout-minutes"] <= 120
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])


@pytest.mark.parametrize("workflow", workflows())
def test_actions_are_pinned_by_major_version_and_known(workflow: dict[Any, Any]) -> None:
    for step in steps_of(workflow):
        if "uses" in step:
            action, _, version = step["uses"].partition("@")
            assert re.fullmatch(r"v\d+", version), step
            assert set(step.get("with", {})) <= ACTIONS[action], step
            if action == "actions/checkout":
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("workflow", workflows())
def test_nothing_from_outside_is_pasted_into_a_command(workflow: dict[Any, Any]) -> None:
    """What a pull request's title or branch says must not become shell."""
    assert all("${{" not in step.get("run", "") for step in steps_of(workflow))


@pytest.mark.parametrize("block", ON_GITLAB)
def test_a_gitlab_job_is_well_formed(block: dict[str, Any]) -> None:
    known = {"image", "timeout", "rules", "variables", "script", "artifacts", "cache", "resource_group"}
    for job in block.values():
        assert set(job) <= known
        assert all(isinstance(line, str) for line in job["script"])
        assert all(isinstance(value, str) for value in job["variables"].values())
        assert set(job["artifacts"]) <= {"when", "paths", "reports"}


def test_the_shell_finds_nothing_to_say_of_the_scripts() -> None:
    for script in scripts():
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr


def scripts() -> list[str]:
    runs = [step["run"] for block in (*ON_GITHUB, *(yaml.safe_load(file.read_text()) for file in WORKFLOWS))
            for step in steps_of(block) if "run" in step]  # fmt: skip
    return runs + ["\n".join(job["script"]) for block in ON_GITLAB for job in block.values()]


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
    checked = 0
    for job in workflow["jobs"].values():
        for variables in variables_of(job):
            for words in (words for step in job["steps"] if "run" in step for words in commands_in(step["run"], variables)):
                assert complaint_about(words) == "", words
                checked += 1
    assert checked


@pytest.mark.parametrize("block", ON_GITLAB)
def test_every_command_on_gitlab_exists_with_its_options(block: dict[str, Any]) -> None:
    for job in block.values():
        commands = list(commands_in("\n".join(job["script"]), job["variables"]))
        assert commands and [complaint for words in commands if (complaint := complaint_about(words))] == []


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


@dataclass(frozen=True)
class Place:
    """A folder like a CI's: a repository of this project, one of a malloc, and commands that are quick."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, script: str, inside: Path) -> int:
        """As GitHub does: bash, which ends at the first command that fails."""
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        done = subprocess.run(command, cwd=inside, env=self.environment, capture_output=True, text=True, timeout=120)
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        return done.returncode

    def job(self, steps: list[dict[str, Any]]) -> dict[str, int]:
        """Runs the steps that run until one fails; exit codes by name."""
        codes: dict[str, int] = {}
        for step in steps:
            if "run" in step:
                codes[step["name"]] = self.run(step["run"], self.folder / step.get("working-directory", "."))
                if codes[step["name"]]:
                    break
        return codes

    @property
    def summary(self) -> str:
        return (self.folder / "summary.md").read_text()


MEASURED = "scoped/glibc/bytes:64/touch:first"

# Each with the options of the real one, in the folder of the CI.
SHIMS = {
    "setup": """
        import sys
        sys.exit(0 if sys.argv[1:] == ["--for", "run"] else 2)
        """,
    "compare": """
        import pathlib, sys
        from suite.commands import compare
        def build(where, preset, status):
            assert preset == "release", preset
            return pathlib.Path({root!r}, "program-" + pathlib.Path(where, "cost").read_text().strip(), "stackheap")
        sys.exit(compare.main(sys.argv[1:], pathlib.Path.cwd(), build))
        """,
    "run": """
        import json, pathlib, random, sys
        sys.path.insert(0, {tests!r})
        from suite.base.files import write_json
        from suite.commands import run
        from support import synthetic
        options = run.parse(sys.argv[1:])
        assert options.out and options.no_figures
        kept = synthetic.document(0, keep=lambda name: name.startswith("scoped/stack_array/bytes:64/"))
        text = json.dumps(kept)
        if options.allocator:
            name, _, file = options.allocator[0].partition("=")
            assert pathlib.Path(file).is_file(), file
            text = text.replace("/stack_array/", "/%s/" % name)
            assert options.only in text
        made = json.loads(text)
        made["context"]["load_avg"] = [random.random()]
        options.out.mkdir()
        write_json(options.out / "run.json", made)
        """,
    "history": """
        import sys
        from suite.commands import history
        sys.exit(history.main(sys.argv[1:]))
        """,
}


def write_executable(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def write_scripts(folder: Path, root: Path) -> None:
    for name, source in SHIMS.items():
        body = textwrap.dedent(source).format(root=str(root), tests=str(ROOT / "tests" / "python"))
        write_executable(folder / "scripts" / name, f"#!{sys.executable}\n{body}")


def commit(folder: Path, cost: str) -> None:
    """A commit whose program, and whose malloc, costs so much."""
    folder.mkdir(exist_ok=True)
    (folder / "cost").write_text(f"{cost}\n")
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", cost], check=True)
    subprocess.run([*git, "tag", "--force", "v1.0"] if cost == "1.0" else ["true"], check=True, capture_output=True)


def make_place(tmp_path: Path, new_cost: str) -> Place:
    for cost in ("1.0", new_cost):
        fake_side.write_side(tmp_path / f"program-{cost}", {MEASURED: 20.0 * float(cost)})
    write_scripts(tmp_path / "ours", tmp_path)
    write_scripts(tmp_path / "stackheap", tmp_path)
    commit(tmp_path / "stackheap", "1.0")
    for cost in ("1.0", new_cost):
        commit(tmp_path / "ours", cost)
        commit(tmp_path / "malloc", cost)
    tools = tmp_path / "tools"
    write_executable(tools / "make", "#!/bin/sh\ncp cost libmine.so\n")
    write_executable(tools / "apt-get", "#!/bin/sh\nexit 0\n")
    # A build is the program of old or of new; of the real arguments, those that name what to make must be there.
    write_executable(
        tools / "cmake",
        f"#!/bin/sh\ncase \"$*\" in\n-S*-G\\ Ninja*BUILD_TYPE=Release*CXX_COMPILER=*) ;;\n"
        f"--build\\ *--target\\ stackheap) mkdir -p build\n"
        f"[ \"$2\" = build/new ] && cost={new_cost} || cost=1.0\n"
        f"cp -r {tmp_path}/program-$cost \"$2\" ;;\n*) exit 9 ;;\nesac\n",
    )
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT / "scripts"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_SHA": "0123456789abcdef",
        "CI_COMMIT_SHA": "0123456789abcdef",
    }
    return Place(tmp_path, environment)


CASES = pytest.mark.parametrize(("cost", "code"), (("1.0", 0), ("1.3", 1)))
WORSE = pytest.mark.parametrize(("cost", "code"), (("1.3", 1),))


@pytest.mark.slow
@CASES
def test_our_own_gate(tmp_path: Path, cost: str, code: int) -> None:
    here = make_place(tmp_path, cost)
    steps = yaml.safe_load((ROOT / ".github/workflows/benchmark-gate.yml").read_text())["jobs"]["gate"]["steps"]
    in_ours = [{**step, "working-directory": "ours"} for step in steps]
    assert here.job(in_ours) == {"Install what is missing": 0, "Compare": code}
    assert MEASURED in here.summary or code == 0
    assert (tmp_path / "ours" / "gate" / "pairs.json").is_file() and here.summary


@pytest.mark.slow
def test_our_own_history(tmp_path: Path) -> None:
    here = make_place(tmp_path, "1.3")
    steps = yaml.safe_load((ROOT / ".github/workflows/benchmark-gate.yml").read_text())["jobs"]["history"]["steps"]
    in_ours = [{**step, "working-directory": "ours"} for step in steps]
    assert here.job(in_ours) == {"Measure": 0, "Keep": 0, "Check": 0}
    assert "the history is too short" in here.summary
    with store.opened(tmp_path / "ours" / "history.sqlite") as kept:
        assert [(run.revision, run.unit) for run in kept.runs()] == [("0123456789abcdef", "cycles")]


@pytest.mark.slow
@CASES
def test_the_gate_of_a_malloc(tmp_path: Path, cost: str, code: int) -> None:
    here = make_place(tmp_path, cost)
    codes = here.job(ON_GITHUB[0]["jobs"]["gate"]["steps"])
    assert codes == {"Build both": 0, "Install what is missing": 0, "Compare": code}
    assert (tmp_path / "stackheap" / "gate" / "pairs.json").is_file() and here.summary


@pytest.mark.slow
def test_a_gate_that_cannot_judge_does_not_say_worse(tmp_path: Path) -> None:
    """The job does not say worse where nothing was compared and it has no summary to show, either."""
    here = make_place(tmp_path, "1.3")
    steps = [step for step in ON_GITHUB[0]["jobs"]["gate"]["steps"] if "run" in step]
    steps[-1] = {**steps[-1], "run": steps[-1]["run"].replace("new=../new.so", "new=../gone.so")}
    assert here.job(steps)["Compare"] == 2


@pytest.mark.slow
def test_the_history_of_a_malloc(tmp_path: Path) -> None:
    here = make_place(tmp_path, "1.3")
    codes = here.job(ON_GITHUB[0]["jobs"]["history"]["steps"])
    assert set(codes.values()) == {0} and list(codes)[-1] == "Check"
    with store.opened(tmp_path / "stackheap" / "history.sqlite") as kept:
        assert [(run.revision, run.unit) for run in kept.runs()] == [("0123456789abcdef", "ratio")]


@pytest.mark.slow
@WORSE
def test_the_gate_of_a_compiler(tmp_path: Path, cost: str, code: int) -> None:
    here = make_place(tmp_path, cost)
    steps = ON_GITHUB[1]["jobs"]["gate"]["steps"]
    compare = steps[-2]
    assert "--layouts 5 " in compare["run"]  # which link anew: more than a stand-in can do
    without = [{**step, "run": step["run"].replace("--layouts 5 ", "")} if "run" in step else step for step in steps]
    in_ours = [{**step, "working-directory": "ours"} for step in without]
    assert here.job(in_ours) == {"Install what is missing": 0, "Build with each": 0, "Compare": code}


@pytest.mark.slow
@WORSE
def test_the_gate_on_gitlab(tmp_path: Path, cost: str, code: int) -> None:
    here = make_place(tmp_path, cost)
    assert gitlab(here, "benchmark-gate") == code
    assert (tmp_path / "malloc" / "gate" / "pairs.json").is_file()
    assert "<testsuite" in (tmp_path / "malloc" / "gate" / "junit.xml").read_text()


@pytest.mark.slow
def test_the_history_on_gitlab(tmp_path: Path) -> None:
    here = make_place(tmp_path, "1.3")
    assert gitlab(here, "benchmark-history") == 0
    with store.opened(tmp_path / "malloc" / "history.sqlite") as kept:
        assert [(run.revision, run.unit) for run in kept.runs()] == [("0123456789abcdef", "ratio")]


def gitlab(here: Place, job: str) -> int:
    """As GitLab does: the lines of a script one after another in one shell, in the repository."""
    asked = ON_GITLAB[0][job]
    base = subprocess.run(
        ["git", "-C", str(here.folder / "malloc"), "rev-parse", "HEAD^1"], capture_output=True, text=True, check=True
    ).stdout.strip()
    variables = {**asked["variables"], "STACKHEAP": str(here.folder / "stackheap"), "CI_MERGE_REQUEST_DIFF_BASE_SHA": base}
    environment = {**here.environment, **variables}
    return Place(here.folder, environment).run("\n".join(asked["script"]), here.folder / "malloc")
