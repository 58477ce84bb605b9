"""scripts/ci: does this change make memory slower? The job of GitHub or GitLab that compares, comments and keeps the
history."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from suite.base.cli import REFUSED, SUCCESS, OneLineParser, answer, try_default
from suite.base.errors import BadInput
from suite.base.files import append, try_folder
from suite.base.markdown import escaped
from suite.commands import compare, history
from suite.commands import run as run_command
from suite.forge import branch, comment
from suite.forge.job import Job, as_name, job_of
from suite.gate.comparison import CANNOT_JUDGE, NOTHING_WORSE, SOMETHING_WORSE

PROGRAM = "scripts/ci"
RECORD = "history.sqlite"
LIBRARY = re.compile(r".+\.(so(\.[0-9]+)*|dylib)(,\w*)?")
NAME = "subject"  # of the library in the names of its series
VERDICTS = {NOTHING_WORSE: "nothing worse", SOMETHING_WORSE: "worse", CANNOT_JUDGE: "cannot judge"}

# Every option can also come from the environment, so that no shell reads what a pull request wrote.
OPTIONS: Mapping[str, tuple[str, str]] = {
    "old": ("FILE|DIR", "measure this as the old side: a malloc library (.so), a build folder, or a program"),
    "new": ("FILE|DIR", "measure this as the new side, of the same kind"),
    "rev": ("REV", "compare this revision of the suite's own repository with HEAD, instead of old and new"),
    "reference": ("FILE", "measure this malloc library of a pinned release beside the new side, for the history"),
    "only": ("REGEX", "compare and record only benchmarks whose name matches, for example '^scoped/'"),
    "threshold": (
        "[REGEX=]SHARE...",
        "set the smallest change that matters, as 2%% or 0.02, for all benchmarks or for those that match; several are "
        "separated by spaces",
    ),
    "budget": ("SECONDS", "measure for at most so many seconds; default: 1800"),
    "history": ("BRANCH", "keep the history, its page and its badge on this branch"),
    "label": ("NAME", "name the gate in its comment, where a repository has several"),
    "out": ("DIR", "write the results into this folder; default: stackheap-results"),
}
DEFAULTS = {"budget": "1800", "out": "stackheap-results"}

EPILOG = """
In a pull or merge request, the two sides are compared: the result goes to the job's page and into one comment, which
later jobs write anew. On a branch, with --history, the new side is measured and added to the history there; without
--history, the two sides are compared. docs/ci.md shows the jobs.

Every option is also read from the environment: STACKHEAP_OLD stands for --old.

Exit codes: 0 nothing is worse, 1 something is worse, 2 cannot judge, or bad input.
"""


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Compares two sides in a job of GitHub or GitLab, comments, and keeps the history.",
        epilog=EPILOG,
    )
    for name, (value, text) in OPTIONS.items():
        parser.add_argument(f"--{name}", metavar=value, help=text)
    return parser


def parse(arguments: Sequence[str] | None, environment: Mapping[str, str]) -> argparse.Namespace:
    options = make_parser().parse_args(arguments)
    for name in OPTIONS:
        given = getattr(options, name)
        text = environment.get(f"STACKHEAP_{name.upper()}", "") if given is None else given
        setattr(options, name, text or DEFAULTS.get(name, ""))
    return options


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    options = parse(arguments, environment)
    return answer(PROGRAM, lambda: _work(options, job_of(environment)))


def _work(options: argparse.Namespace, job: Job) -> int:
    _output(job, "artifact", as_name(f"stackheap-{options.label}" if options.label else "stackheap"))  # also if measuring fails
    out = try_default(Path(options.out), try_folder, "--out")
    out.mkdir(parents=True, exist_ok=True)
    code = CANNOT_JUDGE
    try:
        code = (_record if options.history and not job.change else _gate)(options, job, out)
        return code
    finally:
        _output(job, "verdict", VERDICTS.get(code, VERDICTS[CANNOT_JUDGE]))


# ---- the gate


def _gate(options: argparse.Namespace, job: Job, out: Path) -> int:
    result, pairs = out / "comparison.md", out / "pairs.json"
    for stale in (result, pairs):
        stale.unlink(missing_ok=True)
    judging = [f"--threshold={share}" for share in options.threshold.split()]
    measuring = [f"--budget={options.budget}", f"--record={pairs}"]
    measuring += [f"--only={options.only}"] if options.only else []
    words = [*judging, *measuring, "--format=markdown", f"--out={result}", *_sides(options)]
    code, errors = _call(compare.main, words)
    if pairs.exists():
        _call(compare.main, [*judging, "--format=junit", f"--out={out / 'junit.xml'}", f"--judge={pairs}"])
    reason = escaped(errors[-1] if errors else "no result")
    text = result.read_text() if result.exists() else f"**cannot judge: {reason}**\n"
    _tell(job, text)
    if job.change:
        _comment(options, job, text)
    return code


def _sides(options: argparse.Namespace) -> list[str]:
    """As scripts/compare takes them. Raises BadInput."""
    old, new, rev = options.old, options.new, options.rev
    if bool(old) != bool(new) or bool(old) == bool(rev):
        raise BadInput("give old and new, or rev: the sides that are compared")
    if rev:
        return [f"--rev={rev}", "--rev=HEAD"]
    libraries = [_is_library(side) for side in (old, new)]
    if libraries[0] != libraries[1]:
        raise BadInput(f"old and new must be of one kind: {old!r} and {new!r}")
    return [f"--allocator=old={old}", f"--allocator=new={new}"] if libraries[0] else ["--", old, new]


def _is_library(side: str) -> bool:
    return LIBRARY.fullmatch(side) is not None


def _comment(options: argparse.Namespace, job: Job, text: str) -> None:
    """A comment that cannot be written does not fail the job: the job's page has the result."""
    reason = job.no_comment
    title = f"### Memory{f': {escaped(options.label)}' if options.label else ''}"
    try:
        if not reason:
            comment.update(job, options.label, f"{title}\n\n{text}\n[The job]({job.address}) has all results.\n")
    except BadInput as problem:
        reason = str(problem)
    if reason:
        print(f"{PROGRAM}: no comment: {reason}")


# ---- the history


def _record(options: argparse.Namespace, job: Job, out: Path) -> int:
    run, reference = _measured(options, out)
    checked: list[tuple[int, str]] = []

    def add(folder: Path) -> None:
        file = ["--file", str(folder / RECORD)]
        words = [*file, "add", str(run), "--commit", job.commit]
        words += ["--reference", str(reference)] if reference else []
        _must(history.main, words)
        _must(history.main, [*file, "page", "--out", str(folder)])
        (folder / ".nojekyll").touch()  # GitHub's Pages then take the files as they are
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            code = history.main([*file, "check", "--allow-short", "--format", "markdown"])
        checked.append((code, text.getvalue()))

    branch.update(job, options.history, f"Record {job.commit[:12]}", add)
    code, text = checked[-1]
    _tell(job, text)
    return code


def _measured(options: argparse.Namespace, out: Path) -> tuple[Path, Path | None]:
    """Measures the new side, and the reference. Raises BadInput."""
    if options.reference and not options.new:
        raise BadInput("--reference takes a malloc library that is measured beside --new, which is not given")
    for name in ("new", "reference"):
        side = getattr(options, name)
        if side and not _is_library(side):
            raise BadInput(f"--history records a malloc library or the suite's own repository, not --{name} {side!r}")
    only = options.only or (f"/{NAME}/" if options.new else "")

    def measure(name: str, library: str) -> Path:
        words = ["--profile=quick", "--no-figures", f"--out={out / name}"]
        words += [f"--only={only}"] if only else []
        words += [f"--allocator={NAME}={library}"] if library else []
        _must(run_command.main, words)
        return out / name

    return measure("new", options.new), measure("reference", options.reference) if options.reference else None


# ---- other commands, and the forge


def _call(command: Callable[[Sequence[str]], int], words: Sequence[str]) -> tuple[int, list[str]]:
    """The exit code of a command, and the lines that it wrote to stderr, where they still go."""
    errors = _Copy()
    try:
        with contextlib.redirect_stderr(errors):
            code = command(words)
    except SystemExit as end:  # the command line was refused
        code = end.code if isinstance(end.code, int) else REFUSED
    return code, [line for line in errors.getvalue().splitlines() if line.strip()]


class _Copy(io.StringIO):
    def write(self, text: str) -> int:
        sys.__stderr__.write(text) if sys.__stderr__ else None
        return super().write(text)


def _must(command: Callable[[Sequence[str]], int], words: Sequence[str]) -> None:
    code, errors = _call(command, words)
    if code != SUCCESS:
        raise BadInput(errors[-1] if errors else f"{words}: exit code {code}")


def _tell(job: Job, text: str) -> None:
    """On the job's page, and in its log."""
    print(text)
    if job.summary:
        append(job.summary, f"{text}\n")


def _output(job: Job, name: str, value: str) -> None:
    """For the steps that follow."""
    if job.outputs:
        append(job.outputs, f"{name}={value}\n")


if __name__ == "__main__":
    sys.exit(main())
