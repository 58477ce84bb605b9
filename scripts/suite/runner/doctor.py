"""How fit is this machine for measuring? The checks only read, and change nothing.

Every check reads files below a root folder, so that a test can show it any machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from suite.base.text import time_text
from suite.runner.program import Catalogue, Malloc, Timer

FINE_STEP_NS = 5.0  # a malloc takes 5 ns and more: percentiles of a clock with finer steps show differences of mallocs


@dataclass(frozen=True)
class Diagnosis:
    """One property of the machine. `state` is good, mind (it affects results) or unknown (the system does not show it)."""

    name: str
    state: str
    value: str
    effect: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class SystemView:
    """The files of a machine, and what the benchmark program says: the facts of its context, and its clock of calls."""

    root: Path = Path("/")
    facts: Mapping[str, str] = field(default_factory=dict)
    timer: Timer | None = None

    def text(self, path: str) -> str | None:
        """A file's text without surrounding space; None where it cannot be read."""
        try:
            return (self.root / path).read_text(errors="replace").strip()
        except OSError:
            return None

    def texts(self, pattern: str) -> list[str]:
        """The texts of all files that match, in order."""
        texts = (self.text(str(path.relative_to(self.root))) for path in sorted(self.root.glob(pattern)))
        return [text for text in texts if text is not None]

    def fact(self, key: str) -> str | None:
        return self.facts.get(key)


def governor(view: SystemView) -> Diagnosis:
    """Does the clock rate follow the load?"""
    governors = sorted(set(view.texts("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")))
    effect = "the clock rate follows the load, so the first benchmarks run slower than the rest"
    if not governors:
        return Diagnosis("clock governor", "unknown", "not available", effect)
    if governors == ["performance"]:
        return Diagnosis("clock governor", "good", "performance")
    return Diagnosis("clock governor", "mind", ", ".join(governors), effect, "sudo cpupower frequency-set -g performance")


def turbo(view: SystemView) -> Diagnosis:
    """Can the clock rise above its nominal rate?"""
    effect = "the clock rate depends on temperature and on the number of busy cores: compare cycles as well as nanoseconds"
    no_turbo, boost = view.text("sys/devices/system/cpu/intel_pstate/no_turbo"), view.text("sys/devices/system/cpu/cpufreq/boost")
    if no_turbo == "1" or boost == "0":
        return Diagnosis("turbo", "good", "off")
    if no_turbo == "0":
        return Diagnosis("turbo", "mind", "on", effect, "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo")
    if boost == "1":
        return Diagnosis("turbo", "mind", "on", effect, "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost")
    return Diagnosis("turbo", "unknown", "not available", effect)


def smt(view: SystemView) -> Diagnosis:
    """Do two threads share a core?"""
    active = view.text("sys/devices/system/cpu/smt/active")
    effect = "another thread on the same core takes caches and execution units; the suite runs one thread per core while there are enough cores"
    if active == "0":
        return Diagnosis("simultaneous multithreading", "good", "off")
    if active == "1":
        return Diagnosis("simultaneous multithreading", "mind", "on", effect, "echo off | sudo tee /sys/devices/system/cpu/smt/control")
    return Diagnosis("simultaneous multithreading", "unknown", "not available", effect)


def load(view: SystemView) -> Diagnosis:
    """Do other programs keep the machine busy?"""
    text = view.text("proc/loadavg")
    effect = "other programs take time, cache and memory bandwidth; the suite measures disturbed processes again or marks them"
    if text is None or not re.match(r"\d+\.\d+ ", text):
        return Diagnosis("load", "unknown", "not available", effect)
    one_minute = float(text.split()[0])
    if one_minute < 0.5:
        return Diagnosis("load", "good", f"{one_minute:.2f} in the last minute")
    return Diagnosis("load", "mind", f"{one_minute:.2f} in the last minute", effect, "stop other programs, then wait a minute")


def virtual_machine(view: SystemView) -> Diagnosis:
    """Does a hypervisor run below this system?"""
    effect = "other virtual machines share the caches and take time that this system cannot see, and page faults cost more"
    cpu = view.text("proc/cpuinfo")
    if cpu is None:
        return Diagnosis("virtual machine", "unknown", "not available", effect)
    if re.search(r"^(flags|Features)\s*:.*\bhypervisor\b", cpu, re.MULTILINE):
        vendor = view.text("sys/class/dmi/id/sys_vendor") or "unknown vendor"
        return Diagnosis("virtual machine", "mind", f"yes ({vendor})", effect, "measure on a physical machine")
    return Diagnosis("virtual machine", "good", "not detected")


def stolen_time(view: SystemView) -> Diagnosis:
    """How much time did the hypervisor give to other virtual machines since boot?"""
    match = re.search(r"^cpu\s+(.+)$", view.text("proc/stat") or "", re.MULTILINE)
    fields = [int(number) for number in match[1].split() if number.isdigit()] if match else []
    effect = "the hypervisor runs another virtual machine during a measurement"
    if len(fields) < 8 or sum(fields[:8]) == 0:
        return Diagnosis("stolen time", "unknown", "not available", effect)
    share = fields[7] / sum(fields[:8])
    state = "good" if share < 0.001 else "mind"
    return Diagnosis("stolen time", state, f"{share:.2%} since boot", *([] if state == "good" else [effect, "measure when the host is less busy"]))


def container(view: SystemView) -> Diagnosis:
    """Does a control group limit processors or memory?"""
    limits = []
    quota = (view.text("sys/fs/cgroup/cpu.max") or "").split()
    if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit() and int(quota[1]) > 0:
        limits.append(f"CPU time of {int(quota[0]) / int(quota[1]):g} processors")
    memory = view.text("sys/fs/cgroup/memory.max") or view.text("sys/fs/cgroup/memory/memory.limit_in_bytes") or ""
    if memory.isdigit() and int(memory) < 1 << 60:
        limits.append(f"{int(memory) / 2**30:.1f} GiB of memory")
    if not limits:
        return Diagnosis("container limits", "good", "no limits")
    effect = "a process that has used its CPU time stops until the next period: single calls then take milliseconds"
    return Diagnosis("container limits", "mind", " and ".join(limits), effect, "give the container whole processors (cpuset) instead of a quota")


def address_randomisation(view: SystemView) -> Diagnosis:
    """Does each process get a different memory layout?"""
    setting = view.text("proc/sys/kernel/randomize_va_space")
    if setting is None:
        return Diagnosis("address randomisation", "unknown", "not available")
    if setting == "0":
        return Diagnosis("address randomisation", "mind", "off", "all processes have the same memory layout: the interval over "
                       "processes is too narrow", "sudo sysctl kernel.randomize_va_space=2")
    return Diagnosis("address randomisation", "good", "on: each process has a different layout")


def huge_pages(view: SystemView) -> Diagnosis:
    """Which blocks get huge pages without a request?"""
    match = re.search(r"\[(\w+)\]", view.text("sys/kernel/mm/transparent_hugepage/enabled") or "")
    effect = "large blocks get huge pages by chance: chase and stream report the share of huge pages"
    if match is None:
        return Diagnosis("transparent huge pages", "unknown", "not available", effect)
    if match[1] == "always":
        return Diagnosis("transparent huge pages", "mind", "always", effect,
                       "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled")
    return Diagnosis("transparent huge pages", "good", match[1])


def overcommit(view: SystemView) -> Diagnosis:
    """Does the kernel promise more memory than there is?"""
    setting = view.text("proc/sys/vm/overcommit_memory")
    if setting is None:
        return Diagnosis("memory overcommit", "unknown", "not available")
    if setting == "2":
        return Diagnosis("memory overcommit", "mind", "never", "the kernel refuses memory that a malloc only reserves: large blocks, "
                       "and mallocs that reserve much, may fail where there is memory left", "sudo sysctl vm.overcommit_memory=0")
    return Diagnosis("memory overcommit", "good", "always" if setting == "1" else "within reason")


def scheduling(view: SystemView) -> Diagnosis:
    """Does the system give the measuring processes the processor as it does other programs?"""
    policy = view.fact("scheduling")
    if policy is None:
        return Diagnosis("scheduling", "unknown", "not available")
    if policy == "normal":
        return Diagnosis("scheduling", "good", policy)
    return Diagnosis("scheduling", "mind", policy, "any other program may take the processor from a benchmark, or a benchmark from the system",
                   "start without nice, chrt or ionice")


def counters(view: SystemView) -> Diagnosis:
    """Does the kernel allow hardware counters?"""
    effect = "no instructions, cycles or misses per operation: they would show whether a change in time is a change in work"
    counters_found = view.fact("counters")
    paranoid = view.text("proc/sys/kernel/perf_event_paranoid")
    level = "" if paranoid is None else f" (perf_event_paranoid is {paranoid})"
    if counters_found is None:
        return Diagnosis("hardware counters", "unknown", f"not tested{level}", effect)
    if not counters_found.startswith("none"):
        return Diagnosis("hardware counters", "good", counters_found.replace(",", ", "))
    virtual = "No such file" in counters_found or "not supported" in counters_found
    remedy = ("not possible: the hypervisor or the processor has no counters" if virtual
              else "sudo sysctl kernel.perf_event_paranoid=2, and in a container allow perf_event_open")
    return Diagnosis("hardware counters", "mind", f"{counters_found}{level}", effect, remedy)


def timer(view: SystemView) -> Diagnosis:
    """Which clock does the suite read, and is reading it cheap?"""
    source = view.text("sys/devices/system/clocksource/clocksource0/current_clocksource")
    if source is None:
        return Diagnosis("timer", "unknown", "not available")
    if source in ("tsc", "arch_sys_counter", "kvm-clock"):
        return Diagnosis("timer", "good", source)
    return Diagnosis("timer", "mind", source, "reading the clock takes a system call, about a microsecond: the percentiles of latency become less exact",
                   "boot with tsc=reliable if the processor's counter is invariant")


def single_calls(view: SystemView) -> Diagnosis:
    """What does the clock of single calls cost, and in which steps does it grow?"""
    effect = "a single call shorter than a step is known as a mean only"
    if view.timer is None:
        return Diagnosis("timer of single calls", "unknown", "not available", effect)
    value = f"{time_text(view.timer.reading_ns)} a reading, in steps of {time_text(view.timer.step_ns)}"
    if view.timer.step_ns < FINE_STEP_NS:
        return Diagnosis("timer of single calls", "good", value)
    effect = (f"a single call shorter than {time_text(view.timer.step_ns)} is known as a mean only: percentiles of latency are "
              "whole steps, its typical call is finer")
    return Diagnosis("timer of single calls", "mind", value, effect, "not possible: the step is that of the processor's counter")


# In the order of the output.
CHECKS: tuple[Callable[[SystemView], Diagnosis], ...] = (
    load, virtual_machine, stolen_time, container, governor, turbo, smt, timer, single_calls, counters, huge_pages,
    overcommit, scheduling, address_randomisation,
)


def mallocs(offered: Sequence[Malloc]) -> Iterator[Diagnosis]:
    """Each malloc library with its version and its file, as the program found it."""
    for malloc in offered:
        if malloc.available:
            own = ", the process's own" if malloc.process else ""
            value = f"{malloc.version or 'version unknown'} from {malloc.file}{own}"
            if malloc.changes:
                yield Diagnosis(f"malloc {malloc.name}", "mind", f"{value}; it changes its process: {malloc.changes}",
                                "only this malloc is measured with these changes, because each malloc has its own processes")
            else:
                yield Diagnosis(f"malloc {malloc.name}", "good", value)
        else:
            yield Diagnosis(f"malloc {malloc.name}", "mind", f"not available: {malloc.reason}", "all comparisons lack this malloc",
                          f"sudo apt-get install {malloc.package}" if malloc.package else "")


def examine(view: SystemView, offered: Sequence[Malloc]) -> list[Diagnosis]:
    """All properties of a machine."""
    return [check(view) for check in CHECKS] + list(mallocs(offered))


def fitness(offered: Catalogue) -> dict[str, object]:
    """The fitness of this machine, for a run's context."""
    return summary(examine(SystemView(facts=offered.context, timer=offered.timer), offered.mallocs))


def verdict(diagnoses: Sequence[Diagnosis]) -> str:
    """The fitness of the machine in one or two sentences."""
    minded = [diagnosis.name for diagnosis in diagnoses if diagnosis.state == "mind"]
    unknown = [diagnosis.name for diagnosis in diagnoses if diagnosis.state == "unknown"]
    text = "This machine is fit for measuring." if not minded else f"Affecting the results: {', '.join(minded)}."
    return text + (f" Unknown on this system: {', '.join(unknown)}." if unknown else "")


def summary(diagnoses: Sequence[Diagnosis]) -> dict[str, object]:
    """The diagnoses for a run's context."""
    return {"verdict": verdict(diagnoses), "findings": [asdict(diagnosis) for diagnosis in diagnoses]}

