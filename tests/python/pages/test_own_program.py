"""Does the answer about a user's program say what its numbers say, whichever way they fall, and what is missing?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from suite.base.files import write_json
from suite.pages import own_program, report
from suite.results.model import Document
from suite.results.read import read_run
from support import synthetic

CALLS = 1900  # of the made-up profile
CPU_NS = 3e9  # of the textbook's program


def replayed(costs: Mapping[str, float], noise: float = 0.001) -> list[Document]:
    """Rows of the family `replay` in five processes: ns of a call, by strategy."""
    return [
        {"name": f"replay/{name}/recording:parse", "run_type": "iteration", "repetition_index": process, "repetitions": 5,
         "iterations": 1, "real_time": ns * (1 + noise * process), "cpu_time": ns, "time_unit": "ns"}
        for name, ns in costs.items() for process in range(5)
    ]  # fmt: skip


def document(costs: Mapping[str, float] | None = None, ratios: Mapping[str, float] = {}) -> Document:
    """A run of scripts/program. `ratios`: how much more CPU time the program takes with a malloc than the textbook says."""
    made = synthetic.document(keep=lambda name: name.startswith("program/"))
    # Its own malloc is glibc's.
    made["context"]["program"] |= {"own": "glibc"}
    made["context"]["program"]["mallocs"]["glibc"] = {"not_compared": "it is the malloc that parse has anyway"}
    made["benchmarks"] = [
        row for row in made["benchmarks"] if row["run_type"] != "aggregate" and not row["name"].startswith("program/glibc")
    ]
    for row in made["benchmarks"]:
        factor = ratios.get(row["name"].split("/")[1], 1.0)
        row["real_time"] *= factor
        row["cpu_ns"] *= factor
    # 30 ms of 3 s with glibc, 10 ms with mimalloc; the loop alone takes 2 ms.
    usual = {"none": 2e6 / CALLS, "glibc": 32e6 / CALLS, "glibc+stack": 20e6 / CALLS, "mimalloc": 12e6 / CALLS,
             "mimalloc+stack": 8e6 / CALLS}  # fmt: skip
    made["benchmarks"] += replayed(usual if costs is None else costs)
    return made


def answered(made: Document, folder: Path) -> own_program.ProgramAnswer:
    write_json(folder / "run.json", made)
    found = own_program.answer(read_run(folder / "run.json"))
    assert found is not None
    return found


def spaces(text: str) -> str:
    return text.replace("\u00a0", " ")


def sentences(made: Document, folder: Path) -> list[str]:
    return [spaces(sentence) for sentence in answered(made, folder).sentences]


def test_the_answer_says_calls_cost_change_and_saving(tmp_path: Path) -> None:
    asked, cost, change, stack, *rest = sentences(document(), tmp_path)
    assert asked == (
        "parse makes 1,900 calls of malloc, free and their kin in 3 s of CPU time: it takes 1,000 blocks, half of them of at most "
        "24 B, and at most 8.79 KiB are live at once."
    )
    assert cost.startswith("Replayed, these calls cost 1 % (1 to 1 %) of its CPU time with glibc and 0.33 % ")
    assert change == "parse takes 0.9 times the CPU time with mimalloc, and 1.05 times with tcmalloc."
    assert stack.startswith(
        "50 % of its blocks die last in, first out, so that a stack could have served them: with glibc, that would save 12 ms ("
    )
    assert stack.endswith("; 30 % die in bursts that empty what was taken since a moment, as in an arena.")
    made = document()
    made["context"]["program"]["notes"] = ["a note", "parse takes long."]
    assert answered(made, tmp_path).notes == ["A note.", "parse takes long."]
    assert len(rest) == 1 and "predicts another CPU time of parse than its runs show" in rest[0]
    assert "0.993 times (0.993 to 0.993) predicted, 0.9" in rest[0] and "with mimalloc" in rest[0]


def test_a_prediction_that_the_runs_confirm_is_no_disagreement(tmp_path: Path) -> None:
    made = document(ratios={"mimalloc": 0.9933 / 0.9})
    assert not list(own_program.disagreements(answered(made, tmp_path)))
    malloc = next(malloc for malloc in answered(made, tmp_path).mallocs if malloc.name == "mimalloc")
    assert malloc.predicted is not None and malloc.predicted.median == pytest.approx(1 - 20e6 / CPU_NS, rel=1e-3)


def test_runs_that_were_not_judged_exclude_nothing(tmp_path: Path) -> None:
    made = document()
    for malloc in made["context"]["program"]["mallocs"].values():
        malloc["verdict"] = "not judged"
    assert not list(own_program.disagreements(answered(made, tmp_path)))
    assert sentences(made, tmp_path)[2].endswith(" times the CPU time; not judged.")


def test_threads_have_no_share_of_the_cpu_time(tmp_path: Path) -> None:
    made = document()
    made["context"]["program"]["recording"]["profile"].update(lanes=2, threads=4)
    asked, cost, *_ = sentences(made, tmp_path)
    assert "of CPU time, from 4 threads: it takes" in asked
    assert cost.startswith("Replayed, these calls cost 30.1 ms (") and "CPU time" not in cost
    assert all(malloc.predicted is None for malloc in answered(made, tmp_path).mallocs)


def test_a_malloc_that_the_suite_lacks_has_no_predictions(tmp_path: Path) -> None:
    made = document()
    made["context"]["program"]["own"] = "libown.so"
    found = answered(made, tmp_path)
    assert all(malloc.predicted is None and not malloc.is_own for malloc in found.mallocs)
    assert spaces(found.sentences[1]).startswith("Replayed, these calls cost 1 % (1 to 1 %) of its CPU time with glibc and 0.33 % ")
    assert spaces(own_program.summary_row(found)[6]) == "another, or several"


def test_the_recording_may_be_of_another_process(tmp_path: Path) -> None:
    made = document()
    made["context"]["program"]["command"] = ["sh", "-c", "./parse --all; true"]
    assert sentences(made, tmp_path)[0].startswith(
        "parse in sh makes 1,900 calls of malloc, free and their kin in 3 s of CPU time of all processes: it takes"
    )


def test_a_stack_that_saves_nothing_is_said(tmp_path: Path) -> None:
    costs = {"none": 1.0, "glibc": 10.0, "glibc+stack": 10.0}
    assert "which would save no measurable time; 30 %" in sentences(document(costs), tmp_path)[3]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda program: program.update(problem="parse is linked statically"), "No malloc was compared: parse is linked statically."),
        (lambda program: program.update(recording={"files": 0, "problem": "parse made no call"}), "Nothing was recorded: parse made no call."),
        (lambda program: program.pop("recording"), "Nothing was recorded: the run was interrupted before."),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(change: object, line: str, tmp_path: Path) -> None:
    made = document()
    change(made["context"]["program"])  # type: ignore[operator]
    found = answered(made, tmp_path)
    assert not found.whole and line in found.missing
    assert found.sentences


def test_a_recording_alone_has_an_answer(tmp_path: Path) -> None:
    made = document()
    made["benchmarks"] = [row for row in made["benchmarks"] if row["name"].startswith("replay/")]
    made["context"]["program"] = {"recording": made["context"]["program"]["recording"], "command": ["parse"]}
    found = answered(made, tmp_path)
    assert found.whole and found.usual is not None and found.usual.name == "glibc" and not found.usual.is_own
    asked, cost, stack = [spaces(sentence) for sentence in found.sentences]
    assert asked.startswith("parse makes 1,900 calls of malloc, free and their kin: it takes")
    assert cost.startswith("Replayed, these calls cost 30.1 ms (") and stack.startswith("50 %")


def test_another_run_has_no_answer(tmp_path: Path) -> None:
    made = document()
    del made["context"]["program"]
    write_json(tmp_path / "run.json", made)
    assert own_program.answer(read_run(tmp_path / "run.json")) is None


def test_table_and_summary_have_a_cell_for_each_heading(tmp_path: Path) -> None:
    found = answered(document(), tmp_path)
    rows = own_program.as_rows(found)
    assert all(len(row) == len(own_program.HEADINGS) for row in rows)
    by_name = {row[0]: row for row in rows}
    assert by_name["glibc"][1] == "its own" and by_name["mimalloc"][1].endswith(", better")
    assert re.match(r"0\.9\d\d \(0\.\d+ to 0\.\d+\), better", by_name["mimalloc"][1])
    summary = own_program.summary_row(found)
    assert len(summary) == len(own_program.SUMMARY_HEADINGS)
    assert [spaces(cell) for cell in summary[:7]] == ["parse", "1,900", "3 s", "8.79 KiB", "50 %", "30 %", "glibc"]


def test_the_profile_is_told_whole(tmp_path: Path) -> None:
    found = answered(document(), tmp_path)
    assert found.profile is not None
    rows = {name: spaces(text) for name, text in own_program.profile_rows(found.profile)}
    assert rows["calls"] == "700 malloc, 100 calloc, 150 new, 50 realloc, 750 free, 150 delete"
    assert rows["block sizes"] == (
        "half at most 24 B, 90 % at most 200 B, 99 % at most 1.95 KiB, largest 4 KiB; 97.7 KiB in all"
    )
    assert rows["lifetimes"] == "half at most 0 further allocations, 90 % at most 20, 99 % at most 500"
    assert rows["live"] == "at most 8.79 KiB and 90 blocks; at the end 4.88 KiB and 50 blocks"
    assert rows["stack-like"] == "50 % of the blocks, 50 % of the bytes"
    assert rows["temporary"] == "45 % of the blocks, 40 % of the bytes" and rows["never freed"].startswith("5 % of the blocks")
    assert "not recorded" not in rows and "the recording ends by" not in rows
    made = document()
    made["context"]["program"]["recording"]["profile"].update(unseen=7, ended="cut off")
    profile = answered(made, tmp_path).profile
    assert profile is not None
    assert own_program.profile_rows(profile)[-2:] == [("not recorded", "7 calls"), ("the recording ends by", "cut off")]


def test_the_page_of_a_program_has_its_answer_and_no_claims(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", document())
    page = report.make([read_run(tmp_path / "run.json")])
    assert "<title>What memory costs in parse" in page
    assert "parse takes 0.9 times the CPU time with mimalloc" in page
    assert "Common claims about stack and heap" not in page
    assert "<dt>stack-like</dt><dd><bdi>50" in page
    assert all(f'<th scope="col">{heading}</th>' in page for heading in own_program.HEADINGS)


@pytest.mark.parametrize(("count", "text"), [(0, "0"), (1900, "1,900"), (999_999, "999,999"), (5_377_027, "5.38 million"), (2e9, "2 billion")])
def test_large_numbers_are_said_as_people_say_them(count: float, text: str) -> None:
    assert own_program.number(count) == text
