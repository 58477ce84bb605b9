"""Does scripts/compare take every kind of side, refuse what does not go together, and end as git bisect wants it?

How it measures is tested in tests/python/gate/test_paired_run.py, what two results show in test_two_files.py.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import xml.etree.ElementTree as xml
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from suite.base.cli import INTERRUPTED
from suite.base.errors import BadInput
from suite.commands import compare
from suite.gate import paired_run
from suite.gate.comparison import CANNOT_JUDGE, NOTHING_WORSE, SOMETHING_WORSE
from suite.gate.pairs_file import MARKS, RecordedPairs, read_pairs
from support import ROOT, fake_side, synthetic

SCOPED, GLIBC, *_ = fake_side.NAMES
SKIPPED = 125


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two builds, of which the new costs 30 % more; COST=30 makes a build of both."""
    monkeypatch.chdir(tmp_path)
    for name, ns in (("old", 2.0), ("new", 2.6)):
        fake_side.write_side(tmp_path / name, {**fake_side.NAMES, SCOPED: ns, GLIBC: 10 * ns})
    both = tmp_path / "both"
    both.mkdir()
    old, new = (shlex.quote(str(tmp_path / name / "stackheap")) for name in ("old", "new"))
    (both / "stackheap").write_text(f'#!/bin/sh\n[ "${{COST-0}}" = 30 ] && exec {new} "$@"\nexec {old} "$@"\n')
    (both / "stackheap").chmod(0o755)
    return tmp_path


def write_results(root: Path) -> tuple[str, str]:
    """Two results, of which the new costs 30 % more."""
    document = synthetic.document(processes=5, keep=lambda name: name.startswith("scoped/glibc/"))
    (root / "base.json").write_text(json.dumps(document))
    for row in document["benchmarks"]:
        row["real_time"], row["cpu_time"] = 1.3 * row["real_time"], 1.3 * row["cpu_time"]
    (root / "run").mkdir()
    (root / "run" / "run.json").write_text(json.dumps(document))
    return "base.json", "run"


def document(pairs: Sequence[object], mark: str = MARKS[0]) -> dict[str, object]:
    """A file of pairs."""
    old, new = ({"label": label, "facts": {}} for label in ("a", "b"))
    header = {"old": old, "new": new, "seed": 1, "problems": [], "warnings": []}
    return {mark: header, "pairs": {SCOPED: pairs}, "controls": {}}


def build(where: Path, preset: str, status: Console) -> Path:
    assert preset == "release"
    return where / "both" / "stackheap"


def run(root: Path, *arguments: str) -> int:
    try:
        return compare.main(arguments, root, build)
    except SystemExit as end:
        return int(end.code or 0)


# ---- the sides

ONLY = ("--only", "^scoped/none")


@pytest.mark.slow
@pytest.mark.parametrize(("sides", "labels"), [
    (("old", "new"), ("old", "new")),
    (("--env", "new:COST=30"), ("build/release", "build/release with COST=30")),
    (("--env", "old:A=1", "--env", "new:COST=30", "--env", "new:B=", "both"),
     ("both with A=1", "both with COST=30 B=")),
    (("both/stackheap", "both", "--env", "new:COST=30"), ("both/stackheap", "both with COST=30")),
    (("old", "new", "--label", "a", "--label", "b"), ("a", "b")),
])  # fmt: skip
def test_two_builds_and_two_settings(root: Path, sides: Sequence[str], labels: tuple[str, str]) -> None:
    assert run(root, *sides, *ONLY, "--record", "kept/pairs.json") == SOMETHING_WORSE
    recorded = read_pairs(root / "kept" / "pairs.json")
    assert (recorded.old.label, recorded.new.label) == labels
    assert not recorded.new.facts.keys() - recorded.old.facts.keys() - {"settings"}


@pytest.mark.slow
def test_an_explanation_that_needs_valgrind_names_it_and_keeps_the_verdict(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, *more: None if name == "valgrind" else which(name, *more))
    assert run(root, "old", "new", *ONLY, "--explain", "--format", "json", "--record", "pairs.json") == SOMETHING_WORSE
    output = capsys.readouterr()
    [judgement] = json.loads(output.out)["judgements"]
    assert judgement["explanation"]["cause"] == "not known"
    assert judgement["explanation"]["sentence"].startswith("not known: install valgrind to see instructions by function; ")
    assert f"explaining {SCOPED}\n" in output.err


@pytest.mark.slow
def test_a_side_with_the_same_settings_is_the_same_side(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "both", "--env", "new:", *ONLY) == NOTHING_WORSE
    assert paired_run.SAME_SIDES in capsys.readouterr().out
    assert run(root, "both", "--env", "new:", "--env", "old:A=1", *ONLY) == NOTHING_WORSE
    assert paired_run.SAME_SIDES not in capsys.readouterr().out


@pytest.mark.slow
def test_a_malloc_with_two_settings_needs_to_be_given_once(root: Path) -> None:
    (root / "a.so").write_text("1.0")
    sides = ("--allocator", "mine=a.so", "--env", "new:COST=30", "--record", "pairs.json")
    assert run(root, *sides, "--only", "scoped") == SOMETHING_WORSE
    recorded = read_pairs(root / "pairs.json")
    assert list(recorded.pairs) == ["scoped/malloc/bytes:64/touch:first"]
    assert (recorded.old.label, recorded.new.label) == ("mine", "mine with COST=30")


def test_two_results_in_every_form(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = write_results(root)
    assert run(root, *results) == SOMETHING_WORSE
    assert "two files: base (old) and run (new); " in capsys.readouterr().out
    (root / "run" / "run.json").chmod(0o755)  # as on a file system without modes
    assert run(root, "base.json", "run/run.json") == SOMETHING_WORSE


def test_labels_and_processors_name_the_sides(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = write_results(root)
    epyc: dict[str, str] = {"cpu_model": "AMD EPYC 9R14 96-Core Processor", "label": "measured"}
    for name, facts in (("base.json", epyc), ("run/run.json", dict[str, str]())):
        result = json.loads((root / name).read_text())
        result["context"] |= {"cpu_model": "Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz"} | facts
        (root / name).write_text(json.dumps(result))
    run(root, *results, "--across")
    assert "two files: measured (old) and Xeon 8488C (new), on EPYC 9R14 and Xeon 8488C; " in capsys.readouterr().out
    run(root, *results, "--across", "--label", "a b", "--label", "new", "--format", "markdown")
    assert "two files: `a b` (old) and `new` (new), on EPYC 9R14 and Xeon 8488C\n" in capsys.readouterr().out
    (root / "pairs.json").write_text(json.dumps(document([[{"ns": 10.0}, {"ns": 10.0}, True, 0, 0]] * 10)))
    run(root, "--judge", "pairs.json", "--label", "before", "--label", "after")
    assert "before (old) and after (new); " in capsys.readouterr().out


def test_a_threshold_by_name_holds_for_two_results_too(root: Path) -> None:
    results = write_results(root)
    assert run(root, *results, "--threshold", "bytes:64/=50%") == SOMETHING_WORSE
    assert run(root, *results, "--threshold", "bytes:64/=1%", "--threshold", "glibc=50%") == NOTHING_WORSE


@pytest.mark.slow
def test_recorded_pairs_are_judged_as_measured_ones(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ("--record", "pairs.json", "--out", "said.json", "--chart", "change.svg")
    assert run(root, "old", "new", "--only", "^scoped/", "--format", "json", *files) == SOMETHING_WORSE
    assert capsys.readouterr().out == "" and (root / "change.svg").read_text().startswith("<?xml")
    assert run(root, "--judge", "pairs.json", "--format", "json") == SOMETHING_WORSE
    assert json.loads(capsys.readouterr().out) == json.loads((root / "said.json").read_text())
    mild = ("--only", "glibc", "--threshold", "glibc=50%", "--chart", "b.png")
    assert run(root, "--judge", "pairs.json", *mild) == NOTHING_WORSE
    assert GLIBC not in capsys.readouterr().out and (root / "b.png").stat().st_size > 0
    assert run(root, "--judge", "pairs.json", "--format", "junit") == SOMETHING_WORSE
    assert xml.fromstring(capsys.readouterr().out).get("failures") == "2"


def test_pairs_of_an_earlier_version_are_still_judged(root: Path) -> None:
    for mark in MARKS:
        pairs = [[{"ns": 10.0 + 0.001 * number}, {"ns": 13.0}, number % 2 == 0, 0, 0] for number in range(40)]
        (root / "pairs.json").write_text(json.dumps(document(pairs, mark)))
        assert run(root, "--judge", "pairs.json") == SOMETHING_WORSE


@pytest.mark.slow
def test_pairs_are_judged_by_as_many_as_were_planned(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = ("old", "new", *ONLY, "--pairs", "40", "--record", "pairs.json", "--format", "json")
    assert run(root, *measured) == SOMETHING_WORSE
    told = capsys.readouterr().out
    assert run(root, "--judge", "pairs.json", "--format", "json") == SOMETHING_WORSE
    assert capsys.readouterr().out == told  # by the first 20 pairs, not by the first 10
    assert run(root, "--judge", "pairs.json", "--format", "junit") == SOMETHING_WORSE
    suite = xml.fromstring(capsys.readouterr().out)
    [case] = suite.iter("testcase")
    assert float(case.get("time", "0")) > 0.0 and suite.get("time") == case.get("time")
    recorded = read_pairs(root / "pairs.json")
    assert recorded.planned == 40 and len(recorded.pairs[SCOPED]) == 40  # 20 to the first analysis, 20 to confirm
    assert run(root, "--judge", "pairs.json", "--pairs", "100") == CANNOT_JUDGE
    assert "the first analysis needs 50" in capsys.readouterr().out


@pytest.mark.parametrize(("estimated", "passed", "told"), [(9.0, 1.0, 1), (1.0, 8.0, 1), (9.0, 9.0, 1), (1.0, 6.9, 0)])
def test_a_budget_that_does_not_suffice_is_told_once(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    estimated: float, passed: float, told: int,
) -> None:  # fmt: skip
    """At the start, or, where pairs take longer than the programs declare, after two pairs of each benchmark."""

    def play(plan: paired_run.PairedRun, observer: paired_run.PairObserver) -> RecordedPairs:
        for pairs in range(1, 10):
            seconds = min(pairs / 2, 1.0) + passed * pairs / 20  # the first pass takes a second more
            observer(paired_run.Progress(pairs, 20 - pairs, {}, 2, seconds, None))
        return RecordedPairs(plan.old.side, plan.new.side, 1, {})

    monkeypatch.setattr(paired_run, "seconds_to_first_look", lambda plan: estimated)
    monkeypatch.setattr(paired_run, "play", play)
    assert run(root, "old", "new", "--only", "^scoped/", "--budget", "12") == CANNOT_JUDGE  # two thirds are 8 s
    errors = capsys.readouterr().err
    assert errors.count("--budget 12 does not suffice: about 9 s are needed to the first analysis") == told
    assert errors.index("to the first analysis, at most 12 s") < errors.find("does not suffice") or not told


# ---- what does not go together


@pytest.mark.parametrize(("arguments", "message"), [
    ("", "give either two builds or two results, or --rev twice, or --allocator twice, or --env, or --judge once"),
    ("old", "give two sides, the old and the new (or a single side, and --env); 1 given"),
    ("old new old --env new:A=1", "3 given"),
    ("--allocator a=a.so", "1 given"),
    ("old new --rev a --rev b", "give either"),
    ("--judge x --rev a", "give either"),
    ("gone new", "gone is neither a build folder, a program nor a result: it does not exist"),
    (". new", "a program nor a result: the folder has neither stackheap nor run.json nor run.json.gz"),
    ("/dev/null new", "/dev/null is neither a build folder, a program nor a result: it is neither a file nor a folder"),
    ("base.json new", "new is a build and base.json is a result: give two builds or two results"),
    ("old run", "old is a build and run is a result"),
    ("pairs.json new", "pairs.json is a file of pairs: --judge pairs.json judges it"),
    ("old new --across", "--across goes with results, not with builds"),
    ("--judge pairs.json --across", "--across goes with results, not with --judge"),
    ("old new --build test", "--build goes with --rev, --allocator, --env, not with builds"),
    ("--allocator a=a --allocator b=b --layouts 3", "--layouts goes with builds, --rev, --env, not with --allocator"),
    ("base.json run --env new:A=1", "--env goes with builds, --rev, --allocator, not with results"),
    ("run --env new:A=1", "--env goes with builds, --rev, --allocator, not with results"),
    *((f"base.json run {option}", f"{option.partition(' ')[0]} goes with ") for option in (
        "--profile quick", "--pairs 20", "--budget 3", "--seconds 1", "--layouts 2", "--seed 1", "--record x",
        "--floors x", "--explain")),
    *((f"--judge pairs.json {option}", f"{option.partition(' ')[0]} goes with ") for option in (
        "--profile quick", "--budget 3", "--seconds 1", "--layouts 2", "--seed 1", "--record x", "--calibrate",
        "--allow-missing", "--env new:A=1", "--explain")),
    *((f"old --calibrate {option}", f"{option.partition(' ')[0]} does not go with --calibrate") for option in (
        "--threshold 2%", "--format json", "--out x", "--chart x.svg", "--strict", "--bisect", "--allow-missing",
        "--explain", "--label a")),
    ("old new --label a", "--label: 1 given for 2 sides; accepted: one for each"),
    ("old new --label a --label a", "--label: a, a: two are equal"),
    ("old new --label " + "x" * 25, "is not a label: 1 to 24 printable"),
    ("old new --calibrate", "--calibrate takes one side, which is compared with itself; 2 given"),
    ("run --calibrate", "--calibrate takes one side to measure, not a result"),
    ("old --calibrate --env new:A=1", "--env new: does not go with --calibrate"),
    ("old new --theme dark", "--theme goes with --chart"),
    ("old new --out old", "argument --out: 'old' cannot be written to (Is a directory)"),
    ("old new --record base.json/x", "argument --record: 'base.json/x' cannot be written to (Not a directory)"),
    ("base.json run --out base.json", "--out base.json is a file that the command reads"),
    ("--judge pairs.json --chart pairs.svg --out pairs.json", "--out pairs.json is a file that the command reads"),
    ("--judge pairs.json --only nothing", "pairs.json has no benchmark that matches --only 'nothing'"),
    ("--judge pairs.json --only (", "--only takes a regular expression, got '('"),
    ("base.json run --only (", "--only takes a regular expression, got '('"),
    ("old --env A=1", "argument --env: 'A=1' is not SIDE:NAME=VALUE, with the SIDE old or new"),
    ("old --env new:A", "argument --env: 'new:A' is not SIDE:NAME=VALUE"),
    ("old --env new:=1", "argument --env: 'new:=1' is not SIDE:NAME=VALUE"),
    ("old new --chart x.gif", "argument --chart: 'x.gif' does not end in .svg, .png, .pdf"),
    ("old new --format sarif", "argument --format: invalid choice: 'sarif'"),
    ("old new --bis", "unrecognized arguments: --bis"),
])  # fmt: skip
def test_what_does_not_go_together_is_one_line_with_the_option(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    write_results(root)
    pair = [{"ns": 1.0}, {"ns": 1.0}, True, 0, 0]
    (root / "pairs.json").write_text(json.dumps(document([pair])))
    assert run(root, *shlex.split(arguments)) == CANNOT_JUDGE
    output = capsys.readouterr()
    assert output.out == "" and output.err.count("\n") == 1
    assert message in output.err


@pytest.mark.hostile("disk fault")
@pytest.mark.slow
def test_a_full_disk_at_the_end_does_not_lose_the_verdict(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "old", "new", *ONLY, "--record", "/dev/full") == CANNOT_JUDGE
    output = capsys.readouterr().out
    assert output.startswith(f"cannot judge: --record /dev/full: No space left on device; worse: {SCOPED} +")


# ---- git bisect


def bisect(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """As a user calls it, by the file in scripts/."""
    command = [str(ROOT / "scripts" / "compare"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120)


@pytest.mark.slow
def test_bisect_takes_125_for_whatever_cannot_be_judged(root: Path) -> None:
    write_results(root)
    (root / "old" / "broken").mkdir()
    (root / "old" / "broken" / "stackheap").write_text("#!/bin/sh\nexit 3\n")
    (root / "old" / "broken" / "stackheap").chmod(0o755)
    for words in (
        ("--bisect",), ("gone", "old", "--bisect"), ("--bisect", "base.json", "run", "--nonsense"),
        ("base.json", "run", "--threshold", "2", "--bisect"), ("--bisect", "old/broken", "old"),
        ("base.json", "run", "--only", "nothing", "--bisect"), ("--bisect", "base.json", "base.json", "--out", "/dev/full"),
        ("--rev", "gone", "--rev", "HEAD", "--bisect"),
        ("--bisect", "--allocator", "a=/gone.so", "--allocator", "b=/gone.so", "--build", "gone"),
    ):  # fmt: skip
        ended = bisect(*words)
        assert (ended.returncode, ended.stdout) == (SKIPPED, ""), (words, ended.stderr)
        assert ended.stderr.count("\n") == 1
    assert bisect("old/broken", "old").returncode == CANNOT_JUDGE
    assert bisect("base.json", "run", "--bisect").returncode == SOMETHING_WORSE
    assert bisect("base.json", "base.json", "--bisect").returncode == NOTHING_WORSE
    assert bisect("--help", "--bisect").returncode == 0


@pytest.mark.slow
def test_bisect_takes_125_where_python_is_missing(root: Path) -> None:
    tools = root / "tools"
    tools.mkdir()
    for name in "awk cat date dirname env id ls mkdir mktemp readlink rm sed sh sleep tail tr uname".split():
        (tools / name).symlink_to(f"/usr/bin/{name}")
    for words, code in ((("--bisect",), SKIPPED), ((), CANNOT_JUDGE), (("--only", "--bisect-me"), CANNOT_JUDGE)):
        ended = bisect("base.json", "run", *words, PATH=str(tools), STACKHEAP_ROOT=str(root))
        assert (ended.returncode, ended.stdout) == (code, "")
        assert "no Python can run the suite" in ended.stderr


@pytest.mark.slow
def test_undecided_is_good_unless_it_must_be_decided(root: Path) -> None:
    pairs = [
        [{"ns": 10.0 + number * 7 % 5}, {"ns": 10.0 + number * 3 % 5}, number % 2 == 0, 0, 0] for number in range(40)
    ]
    (root / "pairs.json").write_text(json.dumps(document(pairs)))
    ended = bisect("--judge", "pairs.json", "--bisect")
    assert ended.returncode == NOTHING_WORSE
    assert ended.stdout.startswith(f"nothing is worse: 1 benchmark, 1 undecided ({SCOPED} ")
    assert bisect("--judge", "pairs.json", "--bisect", "--strict").returncode == SKIPPED
    assert bisect("--judge", "pairs.json", "--strict").returncode == CANNOT_JUDGE


@pytest.mark.hostile("signal")
@pytest.mark.parametrize("bisecting", [False, True])
def test_an_interrupt_stops_a_bisection(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bisecting: bool
) -> None:
    """What the pairs so far show is told, but it is less evidence than was asked for: no commit is marked by it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("ignored here, as under nohup")
    play = paired_run.play

    def interrupted(plan: paired_run.PairedRun, observer: paired_run.PairObserver) -> object:
        def watch(progress: paired_run.Progress) -> None:
            if progress.pairs == 5:
                os.kill(os.getpid(), signal.SIGINT)
            observer(progress)

        return play(plan, watch)

    monkeypatch.setattr(paired_run, "play", interrupted)
    code = run(root, "old", "old", *ONLY, *("--bisect",) * bisecting, "--record", "pairs.json")
    assert code == (INTERRUPTED if bisecting else CANNOT_JUDGE)
    assert paired_run.INTERRUPTED in capsys.readouterr().out and (root / "pairs.json").exists()


def test_a_build_that_fails_is_not_judged(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(where: Path, preset: str, status: Console) -> Path:
        raise BadInput("building build/release failed: see above")

    assert compare.main(["--env", "new:A=1"], root, broken) == CANNOT_JUDGE
    assert capsys.readouterr().err == "scripts/compare: building build/release failed: see above\n"
