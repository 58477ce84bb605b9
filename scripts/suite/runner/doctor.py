"""How fit is this machine to measure on? What is read here is only looked at: nothing is changed.

Every check reads files below a root folder, so that any machine can be put before it in a test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from suite.runner.program import Catalogue, Malloc


@dataclass(frozen=True)
class Diagnosis:
    """One property of the machine. `state` is good, mind (it shapes results) or unknown (the system does not say)."""

    name: str
    state: str
    value: str
    effect: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class SystemView:
    """Where to look, and what the program itself found out (its context's facts; empty without a program)."""

    root: Path = Path("/")
    facts: Mapping[str, str] = field(default_factory=dict)

    def text(self, path: str) -> str | None:
        """A file's text without surrounding space; None where it cannot be read."""
        try:
            return (self.root / path).read_text(errors="replace").strip()
        except OSError:
            return None

    def texts(self, pattern: str) -> list[str]:
        """The texts of all files that match, in order."""
        found = (self.text(str(path.relative_to(self.root))) for path in sorted(self.root.glob(pattern)))
        return [text for text in found if text is not None]

    def fact(self, key: str) -> str | None:
        return self.facts.get(key)


def governor(at: SystemView) -> Diagnosis:
    """Does the clock follow the load?"""
    governors = sorted(set(at.texts("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")))
    effect = "the clock rises and falls with the load, so the first benchmarks run slower than the rest"
    if not governors:
        return Diagnosis("clock governor", "unknown", "not shown here", effect)
    if governors == ["performance"]:
        return Diagnosis("clock governor", "good", "performance")
    return Diagnosis("clock governor", "mind", ", ".join(governors), effect, "sudo cpupower frequency-set -g performance")


def turbo(at: SystemView) -> Diagnosis:
    """May the clock rise above its nominal rate?"""
    effect = "the clock depends on heat and on how many cores work: read cycles beside nanoseconds"
    no_turbo, boost = at.text("sys/devices/system/cpu/intel_pstate/no_turbo"), at.text("sys/devices/system/cpu/cpufreq/boost")
    if no_turbo == "1" or boost == "0":
        return Diagnosis("turbo", "good", "off")
    if no_turbo == "0":
        return Diagnosis("turbo", "mind", "on", effect, "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo")
    if boost == "1":
        return Diagnosis("turbo", "mind", "on", effect, "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost")
    return Diagnosis("turbo", "unknown", "not shown here", effect)


def smt(at: SystemView) -> Diagnosis:
    """Do two threads share a core?"""
    active = at.text("sys/devices/system/cpu/smt/active")
    effect = "a neighbour on the same core takes caches and execution units; threads are put one to a core while there are enough"
    if active == "0":
        return Diagnosis("simultaneous multithreading", "good", "off")
    if active == "1":
        return Diagnosis("simultaneous multithreading", "mind", "on", effect, "echo off | sudo tee /sys/devices/system/cpu/smt/control")
    return Diagnosis("simultaneous multithreading", "unknown", "not shown here", effect)


def load(at: SystemView) -> Diagnosis:
    """Is the machine busy with something else?"""
    text = at.text("proc/loadavg")
    effect = "others take time, cache and memory bandwidth; disturbed processes are measured again or marked"
    if text is None or not re.match(r"\d+\.\d+ ", text):
        return Diagnosis("load", "unknown", "not shown here", effect)
    one_minute = float(text.split()[0])
    if one_minute < 0.5:
        return Diagnosis("load", "good", f"{one_minute:.2f} in the last minute")
    return Diagnosis("load", "mind", f"{one_minute:.2f} in the last minute", effect, "stop what else is running, then wait a minute")


def virtual_machine(at: SystemView) -> Diagnosis:
    """Is there another system below this one?"""
    effect = "caches are shared with unseen neighbours, time is taken without a trace, and page faults cost more"
    cpu = at.text("proc/cpuinfo")
    if cpu is None:
        return Diagnosis("virtual machine", "unknown", "not shown here", effect)
    if re.search(r"^(flags|Features)\s*:.*\bhypervisor\b", cpu, re.MULTILINE):
        vendor = at.text("sys/class/dmi/id/sys_vendor") or "vendor not shown"
        return Diagnosis("virtual machine", "mind", f"yes ({vendor})", effect, "measure on a machine of one's own")
    return Diagnosis("virtual machine", "good", "no sign of one")


def stolen_time(at: SystemView) -> Diagnosis:
    """How much time did the hypervisor give to others since boot?"""
    match = re.search(r"^cpu\s+(.+)$", at.text("proc/stat") or "", re.MULTILINE)
    fields = [int(number) for number in match[1].split() if number.isdigit()] if match else []
    effect = "the hypervisor runs somebody else while this system believes it is running"
    if len(fields) < 8 or sum(fields[:8]) == 0:
        return Diagnosis("stolen time", "unknown", "not shown here", effect)
    share = fields[7] / sum(fields[:8])
    state = "good" if share < 0.001 else "mind"
    return Diagnosis("stolen time", state, f"{share:.2%} since boot", *([] if state == "good" else [effect, "measure at a quieter hour"]))


def container(at: SystemView) -> Diagnosis:
    """Does a control group allow less than the machine has?"""
    limits = []
    quota = (at.text("sys/fs/cgroup/cpu.max") or "").split()
    if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit() and int(quota[1]) > 0:
        limits.append(f"time of {int(quota[0]) / int(quota[1]):g} processors")
    memory = at.text("sys/fs/cgroup/memory.max") or at.text("sys/fs/cgroup/memory/memory.limit_in_bytes") or ""
    if memory.isdigit() and int(memory) < 1 << 60:
        limits.append(f"{int(memory) / 2**30:.1f} GiB of memory")
    if not limits:
        return Diagnosis("container limits", "good", "none found")
    effect = "a process that used up its share of time stands still until the next period: single calls then take milliseconds"
    return Diagnosis("container limits", "mind", " and ".join(limits), effect, "give the container whole processors (cpuset) and no quota")


def address_randomisation(at: SystemView) -> Diagnosis:
    """Does each process get another layout?"""
    setting = at.text("proc/sys/kernel/randomize_va_space")
    if setting is None:
        return Diagnosis("address randomisation", "unknown", "not shown here")
    if setting == "0":
        return Diagnosis("address randomisation", "mind", "off", "all processes share one layout and its luck: the interval over "
                       "processes is too narrow", "sudo sysctl kernel.randomize_va_space=2")
    return Diagnosis("address randomisation", "good", "on: processes sample many layouts")


def huge_pages(at: SystemView) -> Diagnosis:
    """Who gets huge pages without asking?"""
    match = re.search(r"\[(\w+)\]", at.text("sys/kernel/mm/transparent_hugepage/enabled") or "")
    effect = "large blocks get huge pages, or not, by chance: chase and stream say what was granted"
    if match is None:
        return Diagnosis("transparent huge pages", "unknown", "not shown here", effect)
    if match[1] == "always":
        return Diagnosis("transparent huge pages", "mind", "always", effect,
                       "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled")
    return Diagnosis("transparent huge pages", "good", match[1])


def counters(at: SystemView) -> Diagnosis:
    """Does the kernel give hardware counters?"""
    effect = "no instructions, cycles or misses per operation: a change in time cannot be told from a change in work"
    found = at.fact("counters")
    paranoid = at.text("proc/sys/kernel/perf_event_paranoid")
    level = "" if paranoid is None else f" (perf_event_paranoid is {paranoid})"
    if found is None:
        return Diagnosis("hardware counters", "unknown", f"not tried{level}", effect)
    if not found.startswith("none"):
        return Diagnosis("hardware counters", "good", found.replace(",", ", "))
    virtual = "No such file" in found or "not supported" in found
    remedy = ("none here: the hypervisor, or the processor, offers no counters" if virtual
              else "sudo sysctl kernel.perf_event_paranoid=2, and in a container allow perf_event_open")
    return Diagnosis("hardware counters", "mind", f"{found}{level}", effect, remedy)


def timer(at: SystemView) -> Diagnosis:
    """Which clock is read, and is it cheap?"""
    source = at.text("sys/devices/system/clocksource/clocksource0/current_clocksource")
    if source is None:
        return Diagnosis("timer", "unknown", "not shown here")
    if source in ("tsc", "arch_sys_counter", "kvm-clock"):
        return Diagnosis("timer", "good", source)
    return Diagnosis("timer", "mind", source, "reading it takes a system call, about a microsecond: latency's percentiles suffer",
                   "boot with tsc=reliable if the processor's counter is invariant")


# In the order they are told.
CHECKS: tuple[Callable[[SystemView], Diagnosis], ...] = (
    load, virtual_machine, stolen_time, container, governor, turbo, smt, timer, counters, huge_pages, address_randomisation,
)


def mallocs(found: Sequence[Malloc]) -> Iterator[Diagnosis]:
    """Each malloc library in its version from its file, as the program found it."""
    for each in found:
        if each.available:
            own = ", the process's own" if each.process else ""
            yield Diagnosis(f"malloc {each.name}", "good", f"{each.version or 'version unknown'} from {each.file}{own}")
        else:
            yield Diagnosis(f"malloc {each.name}", "mind", f"not available: {each.reason}", "it is missing from all comparisons",
                          f"sudo apt-get install {each.package}" if each.package else "")


def examine(at: SystemView, found: Sequence[Malloc]) -> list[Diagnosis]:
    """All findings about a machine."""
    return [check(at) for check in CHECKS] + list(mallocs(found))


def fitness(offered: Catalogue) -> dict[str, object]:
    """How fit this machine is, for a run's context."""
    return summary(examine(SystemView(facts=offered.context), offered.mallocs))


def verdict(findings: Sequence[Diagnosis]) -> str:
    """One sentence: how fit the machine is."""
    minded = [each.name for each in findings if each.state == "mind"]
    unknown = [each.name for each in findings if each.state == "unknown"]
    text = "Nothing here stands in the way of measuring." if not minded else f"Keep in mind: {', '.join(minded)}."
    return text + (f" Not shown by this system: {', '.join(unknown)}." if unknown else "")


def summary(findings: Sequence[Diagnosis]) -> dict[str, object]:
    """For a run's context."""
    return {"verdict": verdict(findings), "findings": [asdict(each) for each in findings]}

