"""Was a process disturbed while it measured? By the CPU time of all other processes, or because it stood still meanwhile.

Not seen: a virtual machine that its host pauses while the machine's clock goes on. One process then has a time that is far
too long, which the median over the processes of a run leaves out.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from suite.base.text import time_text

PROC_STAT = Path("/proc/stat")
OWN_CONTROL_GROUP = Path("/proc/self/cgroup")
CONTROL_GROUPS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))  # the second beside those of version 1

# A busy process on *another* core disturbs too (shared cache, memory, clock, and every benchmark with threads), so all
# cores count. A tenth of one core is more than an idle system's daemons take, and less than any busy program takes. On
# machines with many cores the daemons add up, and a small share of all cores takes little from one benchmark.
OTHERS_CORES = 0.10
OTHERS_SHARE = 0.01
# Time that the hypervisor gave to another guest, or that another process took of the same core: a benchmark mostly runs
# one thread, so 1 % of one core changes its result by up to 1 %.
TAKEN_CORES = 0.01
# /proc/stat counts in ticks of 10 ms on each core: smaller times may be rounding, however short the process.
TICKS_OF_DOUBT = 2
# A thread alone on its core is switched out a few times a second, a thread that shares its core hundreds of times (a
# slice is 3 to 4 ms). Benchmarks with more threads than cores switch themselves out, so this limit applies only to a
# process that used about one core while other processes ran too. Each benchmark's own process starts and ends on the core
# of the process that waits for it, which switches it out about six times.
SWITCHES_PER_SECOND = 50.0
SWITCHES_PER_BENCHMARK = 8.0
ONE_CORE = 1.1
# Pages read from the disk: more pages than a program's own start needs mean that memory is short.
MAJOR_FAULTS = 200
# Two clocks tell of a suspended system, and are read one after the other: a switch between the readings is shorter.
SUSPENDED_SECONDS = 0.1
WAITING_STEPS = 10


@dataclass(frozen=True)
class Snapshot:
    """The CPU times of the machine and of this process at one moment, in seconds. None where the system has no number."""

    wall: float
    own_cpu: float
    busy: float | None
    steal: float | None
    cores: int
    suspended: float = 0.0  # of the system, since it started: a closed laptop
    frozen: float = 0.0  # of the control group of this process, since it was made: `docker pause`


@dataclass(frozen=True)
class Interference:
    """The interference with a child process. Shares are of all cores' time; None where the system has no number."""

    seconds: float
    others_cpu: float | None
    steal: float | None
    involuntary_switches: int
    major_faults: int
    reasons: tuple[str, ...]
    stopped: float = 0.0  # seconds for which the child stood still: stopped, frozen, or suspended with the system

    @property
    def disturbed(self) -> bool:
        return bool(self.reasons)


def take_snapshot(proc_stat: Path = PROC_STAT) -> Snapshot:
    own = resource.getrusage(resource.RUSAGE_SELF)
    busy, steal, cores = _read_stat(proc_stat)
    wall = time.monotonic()  # stands still while the system is suspended
    suspended = time.clock_gettime(time.CLOCK_BOOTTIME) - wall
    return Snapshot(wall, own.ru_utime + own.ru_stime, busy, steal, cores, suspended, frozen_seconds())


def frozen_seconds(own: Path = OWN_CONTROL_GROUP, groups: Sequence[Path] = CONTROL_GROUPS) -> float:
    """For how long the control group of this process, or a group above it, was frozen. 0 where the system does not say:
    Linux before 6.18, and control groups of version 1."""
    try:
        lines = own.read_text(errors="replace").splitlines()
        name = next(line.removeprefix("0::/") for line in lines if line.startswith("0::/"))
        file = next(filter(Path.exists, (group / name / "cgroup.stat.local" for group in groups)))
        words = dict(line.split() for line in file.read_text().splitlines())
        return int(words["frozen_usec"]) * 1e-6
    except (OSError, ValueError, KeyError, StopIteration):
        return 0.0


def waiting_steps(limit: float) -> Iterator[float]:
    """Parts of a time limit, to be waited for one after the other. While this process itself stands still, at most one of
    them passes: what it waits for mostly stands still as well, and did not take that time."""
    yield from [limit / WAITING_STEPS] * WAITING_STEPS


def _read_stat(proc_stat: Path) -> tuple[float | None, float | None, int]:
    """Seconds of all cores spent running programs, seconds stolen, and the number of cores."""
    try:
        lines = [line.split() for line in proc_stat.read_text().splitlines() if line.startswith("cpu")]
        # user nice system idle iowait irq softirq steal, see proc(5); guest time is already in user
        user, nice, system, _idle, _iowait, _irq, _softirq, steal = (int(field) for field in lines[0][1:9])
    except (OSError, ValueError, IndexError):
        return None, None, os.cpu_count() or 1
    tick = 1 / os.sysconf("SC_CLK_TCK")
    return (user + nice + system) * tick, steal * tick, max(1, len(lines) - 1)


def interference_between(
    before: Snapshot, after: Snapshot, child: resource.struct_rusage, stopped: float = 0.0, benchmarks: int = 1
) -> Interference:
    """The interference with `child` (as os.wait4 reports it), which ran so many benchmarks between the two snapshots, and
    was stopped for so many seconds."""
    seconds = max(after.wall - before.wall, 1e-9)
    child_cpu = child.ru_utime + child.ru_stime
    others = _others_seconds(before, after, child_cpu)
    steal = after.steal - before.steal if after.steal is not None and before.steal is not None else None
    doubt = TICKS_OF_DOUBT * after.cores / os.sysconf("SC_CLK_TCK")
    others_cores = max(OTHERS_CORES, OTHERS_SHARE * after.cores)
    suspended = after.suspended - before.suspended
    suspended = suspended if suspended > SUSPENDED_SECONDS else 0.0
    frozen = max(0.0, after.frozen - before.frozen)
    reasons = (
        f"was stopped for {time_text(stopped * 1e9)}" if stopped > 0.0 else "",
        f"the system was suspended for {time_text(suspended * 1e9)}" if suspended > 0.0 else "",
        f"its control group was frozen for {time_text(frozen * 1e9)}" if frozen > 0.0 else "",
        _over(others, others_cores * seconds + doubt, "other processes used {:.2f} cores", seconds),
        _over(steal, TAKEN_CORES * seconds + doubt / 2, "the hypervisor took {:.3f} cores", seconds),
        _over(
            float(child.ru_nivcsw) if _shared_its_core(child_cpu, others, seconds, doubt) else None,
            SWITCHES_PER_SECOND * max(seconds, 1.0) + SWITCHES_PER_BENCHMARK * benchmarks,
            "switched out {:.0f} times a second",
            seconds,
        ),
        _over(float(child.ru_majflt), MAJOR_FAULTS, "{:.0f} pages came from the disk", 1.0),
    )
    capacity = seconds * after.cores
    return Interference(
        seconds=seconds,
        others_cpu=None if others is None else others / capacity,
        steal=None if steal is None else steal / capacity,
        involuntary_switches=child.ru_nivcsw,
        major_faults=child.ru_majflt,
        reasons=tuple(filter(None, reasons)),
        stopped=stopped + suspended + frozen,
    )


def _others_seconds(before: Snapshot, after: Snapshot, child_cpu: float) -> float | None:
    """CPU seconds of all processes except the child and this process; None where the system has no number."""
    if before.busy is None or after.busy is None:
        return None
    own = after.own_cpu - before.own_cpu
    return max(0.0, after.busy - before.busy - child_cpu - own)


def _shared_its_core(child_cpu: float, others: float | None, seconds: float, doubt: float) -> bool:
    return child_cpu < ONE_CORE * seconds and others is not None and others > TAKEN_CORES * seconds + doubt


def _over(value: float | None, limit: float, reason: str, per: float) -> str:
    """The reason with its number if `value` is over its limit, else an empty text."""
    return reason.format(value / per) if value is not None and value > limit else ""
