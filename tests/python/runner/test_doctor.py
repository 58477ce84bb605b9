"""Does the doctor describe every machine correctly?"""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.commands import doctor as command
from suite.runner import build, doctor
from suite.runner.program import Malloc, Timer
from support import fake_program

FINE, COARSE = Timer(step_ns=0.3, reading_ns=9.0), Timer(step_ns=10.0, reading_ns=22.7)


def machine(root: Path, files: dict[str, str], timer: Timer | None = None, **facts: str) -> doctor.SystemView:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return doctor.SystemView(root, facts, timer)


def states(diagnoses: list[doctor.Diagnosis]) -> dict[str, str]:
    return {diagnosis.name: diagnosis.state for diagnosis in diagnoses}


QUIET = {
    "proc/loadavg": "0.02 0.10 0.20 1/200 4242",
    "proc/cpuinfo": "flags\t\t: fpu vme sse2",
    "proc/stat": "cpu  1000 0 500 90000 10 0 5 0 0 0",
    "proc/sys/kernel/randomize_va_space": "2",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "1",
    "sys/devices/system/cpu/smt/active": "0",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
    "proc/sys/vm/overcommit_memory": "0",
}

BUSY = {
    "proc/loadavg": "7.50 6.00 5.00 9/900 4242",
    "proc/cpuinfo": "flags\t\t: fpu hypervisor sse2",
    "proc/stat": "cpu  1000 0 500 90000 10 0 5 4000 0 0",
    "proc/sys/kernel/randomize_va_space": "0",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "0",
    "sys/devices/system/cpu/smt/active": "1",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet",
    "sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never",
    "proc/sys/vm/overcommit_memory": "2",
    "sys/fs/cgroup/cpu.max": "150000 100000",
    "sys/fs/cgroup/memory.max": "1073741824",
}


def test_a_quiet_machine_is_fit(tmp_path: Path) -> None:
    diagnoses = doctor.examine(machine(tmp_path, QUIET, FINE, counters="instructions,cycles", scheduling="normal"), [])
    assert set(states(diagnoses).values()) == {"good"}
    assert doctor.verdict(diagnoses) == "This machine is fit for measuring."


def test_every_property_that_affects_results_has_an_effect_and_a_remedy(tmp_path: Path) -> None:
    facts = {"counters": "none: perf_event_open says Permission denied", "scheduling": "idle"}
    diagnoses = doctor.examine(machine(tmp_path, BUSY, COARSE, **facts), [])
    assert set(states(diagnoses).values()) == {"mind"}
    assert all(diagnosis.effect and diagnosis.remedy for diagnosis in diagnoses)
    limits = next(diagnosis for diagnosis in diagnoses if diagnosis.name == "container limits")
    assert limits.value == "CPU time of 1.5 processors and 1.0 GiB of memory"


def test_a_machine_that_shows_nothing_is_unknown_not_fit(tmp_path: Path) -> None:
    by_name = states(doctor.examine(machine(tmp_path, {}), []))
    assert set(by_name.values()) == {"unknown", "good"}
    assert {name for name, state in by_name.items() if state == "good"} == {"container limits"}


@pytest.mark.hostile("set-up")
@pytest.mark.parametrize("text", ["", "nonsense", "cpu", "cpu x", "cpu 1 2"])
def test_damaged_files_are_not_good_and_not_an_error(tmp_path: Path, text: str) -> None:
    view = machine(tmp_path, dict.fromkeys(BUSY, text))
    assert "good" not in {diagnosis.state for diagnosis in (doctor.load(view), doctor.huge_pages(view), doctor.turbo(view))}
    doctor.examine(view, [])


def test_the_timer_of_single_calls_states_its_cost_and_its_step(tmp_path: Path) -> None:
    fine, coarse = (doctor.single_calls(machine(tmp_path, {}, timer)) for timer in (FINE, COARSE))
    assert (fine.state, fine.value) == ("good", "9 ns a reading, in steps of 0.3 ns")
    assert (coarse.state, coarse.value) == ("mind", "22.7 ns a reading, in steps of 10 ns")
    assert coarse.effect.startswith("a single call shorter than 10 ns is known as a mean only")


def test_mallocs_are_named_with_version_and_file(tmp_path: Path) -> None:
    own = Malloc("glibc", "/lib/libc.so.6", "2.36", "", "libc6", process=True)
    missing = Malloc("jemalloc", "", "", "no such file", "libjemalloc2", process=False)
    diagnoses = list(doctor.mallocs([own, missing]))
    assert [diagnosis.name for diagnosis in diagnoses] == ["malloc glibc", "malloc jemalloc"]
    assert diagnoses[0].value == "2.36 from /lib/libc.so.6, the process's own"
    assert diagnoses[1].state == "mind" and "libjemalloc2" in diagnoses[1].remedy


@pytest.mark.hostile("malloc library")
def test_a_malloc_that_changes_its_process_is_minded() -> None:
    (diagnosis,) = doctor.mallocs([Malloc("mine", "/x/mine.so", "", "", "", False, "niceness 0 to 7")])
    assert diagnosis.state == "mind" and diagnosis.value.endswith("; it changes its process: niceness 0 to 7")


@pytest.mark.hostile("state of the machine")
@pytest.mark.parametrize(
    ("setting", "state", "value"),
    [("0", "good", "within reason"), ("1", "good", "always"), ("2", "mind", "never"), (None, "unknown", "not available")],
)
def test_memory_that_the_kernel_does_not_promise_is_minded(tmp_path: Path, setting: str | None, state: str, value: str) -> None:
    if setting is not None:
        file = tmp_path / "proc/sys/vm/overcommit_memory"
        file.parent.mkdir(parents=True)
        file.write_text(f"{setting}\n")
    found = doctor.overcommit(doctor.SystemView(tmp_path))
    assert (found.state, found.value) == (state, value) and bool(found.remedy) == (state == "mind")


@pytest.mark.hostile("state of the machine")
@pytest.mark.parametrize(
    ("facts", "state"),
    [({"scheduling": "normal"}, "good"), ({"scheduling": "normal, niceness 7"}, "mind"), ({"scheduling": "idle"}, "mind"), ({}, "unknown")],
    ids=["normal", "nice", "idle", "unknown"],
)
def test_a_program_that_is_not_scheduled_as_others_is_minded(tmp_path: Path, facts: dict[str, str], state: str) -> None:
    assert doctor.scheduling(doctor.SystemView(tmp_path, facts)).state == state


def test_the_command_prints_the_diagnoses_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    executable = fake_program.write_program(tmp_path)
    monkeypatch.setattr(build, "build", lambda *_: executable)
    monkeypatch.setattr(doctor, "CHECKS", (lambda view: doctor.Diagnosis("load", "mind", "[bold]7", "[b]slow", "[i]wait"),))
    assert command.main([], tmp_path) == 0
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("[bold]7", "[b]slow", "[i]wait", "malloc glibc", "2.36 from /nowhere"))
    assert shown.rstrip().endswith("Affecting the results: load, malloc mimalloc.")


def test_a_program_that_cannot_be_built_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "CMakePresets.json").write_text("{")
    assert command.main([], tmp_path) == 2
    assert capsys.readouterr().err == f"scripts/doctor: {tmp_path / 'CMakePresets.json'} is damaged\n"
