"""Does the suite measure what it says? Claims about the suite itself, each tested on this machine.

A row passes, fails, or is skipped; a skipped row does not count as passed.
"""

from __future__ import annotations

import math
import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from suite.base.errors import BadInput, UnitFailed
from suite.base.failure import cause_in
from suite.base.foreign_program import NoAnswer, run_foreign
from suite.results.metrics import TIME, declared_metrics, metrics_of
from suite.results.model import LINE_TRIP, MOST_TAKEN, Benchmark, BenchmarkName, Sample
from suite.results.read import failure_of
from suite.runner import disassembly
from suite.runner.program import Catalogue, Part, Program, ask, measure_part
from suite.selfcheck import recording
from suite.stats.estimates import Estimate, estimate_median, estimate_ratio, median, robust_deviation

PASS, FAIL, SKIPPED = "pass", "fail", "skipped"

PAIRS = 5  # processes with a malloc loaded, and as many with it preloaded, alternating
AGREEMENT = 1.25  # loaded and preloaded times may differ by this factor: code and data lie elsewhere in each process
SPREAD_PROCESSES = 10
ALONE_PROCESSES = 7  # and as many again, up to the most, where they vary too much
MOST_ALONE_PROCESSES = 28
SAME_ALONE = 0.05  # how far a figure may lie from that of its benchmark alone; SKIPPED where the intervals are too wide
INDEPENDENT = "independent"  # the program beside the suite's that repeats some benchmarks without the suite's code
TURNS = 7  # processes of the suite, and as many of the independent program, alternating
MOST_TURNS = 21  # where the cores are near each other only in some
SAME_INDEPENDENTLY = 0.1
CALLED_IN_A_LOOP = "scoped/"  # a family whose shortest operations are one call: where that lies decides on a cycle
SHORT_OPERATIONS = (  # a changed branch or cache line is seen best in the shortest operations
    "scoped/{}/bytes:64/touch:first", "heap_state/{}/bytes:64/state:resident/threads:ever", "many/{}/count:8/taken:apart",
    "aligned/{}/bytes:64/alignment:64",
)  # fmt: skip
TIME_LIMIT = 60.0  # seconds for one process
RECORDED_PAIRS = 5  # processes without the recorder, and as many with it, in turns
MOST_RECORDED_TIME = 1.5  # times the CPU time
MOST_RECORDED_BYTES = 3.0  # an event
MOST_ANALYSIS_SECONDS, MOST_ANALYSIS_MB = 2.0, 500.0
LARGEST_SPREAD = 1 / 3  # of a family that declares none: robust standard deviation between processes, relative
SAME_CYCLES = 0.2  # how far counted cycles may lie from time over the time of one addition: the clock moves meanwhile
WHOLE = 0.05  # how near a whole number the instructions of one operation must be

WITHOUT_MALLOC = ("tbbmalloc",)  # only functions with a prefix: it is preloaded through a library with a row of its own


@dataclass(frozen=True)
class Row:
    """One claim, its verdict and the evidence."""

    claim: str
    verdict: str
    evidence: str


@dataclass(frozen=True)
class SuiteUnderTest:
    """The program, its catalogue, and a folder for its results."""

    program: Program
    catalogue: Catalogue
    folder: Path

    def in_layout(self, layout: int, profile: str) -> SuiteUnderTest:
        """The suite whose processes draw their memory layout from this number, with the benchmarks of this profile."""
        options = (*self.program.options, f"--layout={layout}")
        return replace(self, program=replace(self.program, profile=profile, options=options))

    def measure(self, only: str, preload: str = "") -> dict[str, float]:
        """Runs one process. Returns the time of each benchmark that matches, in ns. Raises UnitFailed."""
        return {name: float(row["real_time"]) for name, row in self.rows(only, preload).items()}

    def rows(self, only: str, preload: str = "") -> dict[str, Mapping[str, Any]]:
        """Runs one process. Returns time and counters of each benchmark that matches. Raises UnitFailed."""
        settings = (("LD_PRELOAD", preload),) if preload else ()
        program = replace(self.program, only=only, settings=settings)
        part = Part("verify", "verify", 0, ".", ())
        document, _ = measure_part(program, part, self.folder, TIME_LIMIT)
        return {row["run_name"]: row for row in document["benchmarks"] if not failure_of(row)}

    def independently(self, *arguments: str) -> str:
        """The output of the independent program. Raises UnitFailed."""
        command = [str(self.program.executable.with_name(INDEPENDENT)), *arguments]
        try:
            answer = run_foreign(command, TIME_LIMIT)
        except NoAnswer as problem:
            raise UnitFailed(str(problem)) from None
        if answer.exit_code != 0:
            raise UnitFailed(f"{' '.join(command)}: {cause_in(answer.errors) or f'exit code {answer.exit_code}'}")
        return answer.output


def mallocs(suite: SuiteUnderTest) -> Iterator[Row]:
    """Each malloc is the library that it is named after."""
    for malloc in suite.catalogue.mallocs:
        claim = f"{malloc.name} is measured with its own functions"
        if not malloc.available:
            yield Row(claim, SKIPPED, malloc.reason)
            continue
        evidence = f"version {malloc.version or 'unknown'}, every function is in {malloc.file}"
        yield Row(claim, PASS, evidence)


def refusals(suite: SuiteUnderTest) -> Iterator[Row]:
    """A library without a malloc of its own is refused, although a careless look-up would find another library's."""
    claim = "a library without a malloc is refused"
    candidate = next((malloc for malloc in suite.catalogue.mallocs if malloc.name in WITHOUT_MALLOC and malloc.available), None)
    if candidate is None:
        yield Row(claim, SKIPPED, f"not installed, but needed to try it: {', '.join(WITHOUT_MALLOC)}")
        return
    try:
        ask(replace(suite.program, allocators=(f"wrong={candidate.file}",)))
    except BadInput as refused:
        yield Row(claim, PASS if candidate.file in str(refused) else FAIL, str(refused))
    else:
        yield Row(claim, FAIL, f"{candidate.file} was accepted as a malloc")


def preloaded(suite: SuiteUnderTest) -> Iterator[Row]:
    """A malloc costs the same loaded by the program as preloaded, the way programs use it."""
    for malloc in suite.catalogue.mallocs:
        if malloc.available and not malloc.process and malloc.name not in WITHOUT_MALLOC:
            yield _agreement(suite, malloc.name, f"{malloc.name} costs the same loaded and preloaded", malloc.file)


def _agreement(suite: SuiteUnderTest, name: str, claim: str, file: str) -> Row:
    only = f"^(scoped/{name}/bytes:64/touch:first|churn/{name}/live:1000/sizes:uniform)$"
    loaded, deployed = defaultdict(list), defaultdict(list)
    for _ in range(PAIRS):
        for benchmark, time in suite.measure(only).items():
            loaded[benchmark.split("/")[0]].append(time)
        for benchmark, time in suite.measure(only, file).items():
            deployed[benchmark.split("/")[0]].append(time)
    ratios = {family: estimate_ratio(loaded[family], deployed[family]) for family in loaded if deployed[family]}
    if not ratios:
        return Row(claim, SKIPPED, "the preloaded process does not have the benchmark")
    agree = all(ratio.low <= AGREEMENT and ratio.high >= 1 / AGREEMENT for ratio in ratios.values())
    evidence = "; ".join(
        f"{family} {ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})" for family, ratio in ratios.items()
    )
    return Row(claim, PASS if agree else FAIL, f"loaded over preloaded: {evidence}")


def alone(suite: SuiteUnderTest) -> Iterator[Row]:
    """A malloc costs the same alone, among the others, and after all sizes of a full run, wherever an operation is short."""
    for malloc in suite.catalogue.mallocs:
        claim = f"{malloc.name} costs the same alone as together with other benchmarks"
        names = [name.format(malloc.name) for name in SHORT_OPERATIONS]
        names = [name for name in names if name in suite.catalogue.benchmarks]
        if malloc.available and names:
            yield _alone_as_together(suite, claim, names)


def _alone_as_together(suite: SuiteUnderTest, claim: str, names: Sequence[str]) -> Row:
    ratios: dict[str, list[float]] = defaultdict(list)
    wide = list(names)  # those whose ratios vary too much so far
    for looked_at in range(0, MOST_ALONE_PROCESSES, ALONE_PROCESSES):
        for process in range(looked_at, looked_at + ALONE_PROCESSES):
            for name in wide:
                for where, ratio in _together_over_alone(suite, name, process):
                    ratios[where].append(ratio)
        estimates = {where: estimate_median(values) for where, values in ratios.items()}
        families = {where.split()[0] for where, at in estimates.items() if _sameness([at], SAME_ALONE) == SKIPPED}
        wide = [name for name in wide if name.split("/")[0] in families]
        if not wide:
            break
    evidence = ", ".join(f"{where} {at.median:.3f} ({at.low:.3f} to {at.high:.3f})" for where, at in estimates.items())
    return Row(claim, _sameness(list(estimates.values()), SAME_ALONE), f"together over alone: {evidence}")


def _together_over_alone(suite: SuiteUnderTest, name: str, process: int) -> Iterator[tuple[str, float]]:
    """The time of a benchmark among the others and after all sizes of a full run, relative to its time alone."""
    family, strategy, *parameters = name.split("/")
    among_others = f"^{family}/[^/]+/{'/'.join(parameters)}$"
    after_all_sizes = f"^{family}/{re.escape(strategy)}/"
    by_itself = suite.in_layout(process, suite.program.profile).measure(f"^{re.escape(name)}$")
    yield f"{family} among others", suite.in_layout(process, suite.program.profile).measure(among_others)[name] / by_itself[name]
    yield f"{family} in full", suite.in_layout(process, "full").measure(after_all_sizes)[name] / by_itself[name]


def _sameness(ratios: Sequence[Estimate], within: float) -> str:
    """SKIPPED where the intervals are too wide: a median lies too far away, and its interval does not show it."""
    if any(ratio.low > 1 + within or ratio.high < 1 - within for ratio in ratios):
        return FAIL
    return PASS if all(abs(ratio.median - 1) <= within for ratio in ratios) else SKIPPED


def independent(suite: SuiteUnderTest) -> Iterator[Row]:
    """An operation costs what it costs in a program that shares no code with the suite, and walks through other chains."""
    for name in suite.independently().split():
        if name in suite.catalogue.benchmarks:
            yield _independent(suite, name)


def _independent(suite: SuiteUnderTest, name: str) -> Row:
    figure = declared_metrics(suite.catalogue.about).get(name.split("/")[0], (TIME,))[0]
    turns: list[_Turn] = []
    for turn in range(MOST_TURNS):
        for row in suite.in_layout(turn, suite.program.profile).rows(f"^{re.escape(name)}$").values():
            ns, *trip = map(float, suite.independently(name).split())
            trips = (float(row.get(LINE_TRIP, 0.0)), *trip)
            turns.append(_Turn(float(row[figure.counter or "real_time"]), float(row["ns_per_addition"]), ns, trips))
        near = _near(turns)
        if len(near) == TURNS or len(near) == 0:
            break
    claim = f"{name} costs the same in an independent program"
    if len(near) < TURNS or any(min(turn.ours, turn.independently) <= 0 for turn in near):
        return Row(claim, SKIPPED, f"it could be measured in {len(near)} of {TURNS} turns")
    ours, cycles, independently = zip(*((turn.ours, turn.cycle, turn.independently) for turn in near))
    ratio = estimate_ratio(ours, independently)
    within = SAME_INDEPENDENTLY
    if name.startswith(CALLED_IN_A_LOOP):
        within = max(within, median(cycles) / median(independently))
    evidence = f"{median(ours):.3g} and {median(independently):.3g} ns: {ratio.median:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"
    return Row(claim, _sameness([ratio], within), evidence)


@dataclass(frozen=True)
class _Turn:
    """What the suite's program and the independent program measured, one right after the other, in ns."""

    ours: float
    cycle: float
    independently: float
    trips: tuple[float, ...]  # of a cache line from core to core in both programs; 0 without threads


def _near(turns: Sequence[_Turn]) -> list[_Turn]:
    """The turns in which the cores were as near each other as in the nearest: a host moves its guests' processors."""
    if not turns:
        return []
    nearest = [min(trips) for trips in zip(*(turn.trips for turn in turns))]
    return [turn for turn in turns if all(trip <= least / (1 - MOST_TAKEN) for trip, least in zip(turn.trips, nearest))]


def loops(suite: SuiteUnderTest) -> Iterator[Row]:
    """The timed loops contain the measured operation and no call that does not belong to it."""
    try:
        functions = disassembly.disassemble(suite.program.executable)
    except disassembly.NoDisassembly as problem:
        yield Row("the timed loops contain the operation and nothing else", SKIPPED, str(problem))
        return
    takes = [function for function in functions.values() if _TAKE.search(function.name)]
    native = [function for function in takes if re.search(r"\b(stack_array<\d+u?l*>|alloca_|none)::lend<", function.name)]
    calling = [function for function in native if any("__stack_chk_fail" not in call for call in function.calls())]
    yield Row("taking memory from the stack calls no function",
              SKIPPED if not native else FAIL if calling else PASS,
              f"{len(native)} takes of stack_array, alloca and none: {len(calling)} with a call")
    bodies = [text for function in functions.values() for body in function.loops() for text in body]
    looped = {match[1] for text in bodies if (match := _CALLED.search(text))}
    idle = [function for function in takes if function.name not in looped]
    yield Row("every take is in a loop", SKIPPED if not takes else FAIL if idle else PASS,
              f"{len(takes)} takes of all strategies: {len(idle)} not called from a loop")


# A take as `scoped` and similar families time it: the function that lends to a borrower that touches one byte or none.
_TAKE = re.compile(r"^(?!.*(?:::{lambda|\[clone \.cold\])).*\blend<.*stackheap::touch_(none|first)>\(")
_CALLED = re.compile(r"^(?:bnd )?call\s+[0-9a-f]+ <(.+)>$")


def chase(suite: SuiteUnderTest) -> Iterator[Row]:
    """The chase reaches the memory that its sizes name."""
    sizes = (16 << 10, 1 << 20, 64 << 20)
    rows = suite.rows(f"^chase/bytes:({'|'.join(map(str, sizes))})/order:(random|sequential)/home:heap$")
    random = [rows.get(f"chase/bytes:{size}/order:random/home:heap") for size in sizes]
    in_order = rows.get(f"chase/bytes:{sizes[-1]}/order:sequential/home:heap")
    if any(row is None for row in random) or in_order is None:
        yield Row("the chase visits every line in one cycle", FAIL,
                  "a chain was not a full cycle: the program refused to time it")
        return
    yield Row("the chase visits every line in one cycle", PASS, "each chain was walked once in full before it was timed")
    cycles = [row["real_time"] / row["ns_per_addition"] for row in random if row]
    rises = all(low < high for low, high in zip(cycles, cycles[1:]))
    yield Row("a load from more memory takes longer", PASS if rises and 2 <= cycles[0] <= 10 else FAIL,
              ", ".join(f"{size >> 10} KiB: {count:.1f} cycles" for size, count in zip(sizes, cycles)))
    ratio = random[-1]["real_time"] / in_order["real_time"] if random[-1] else 0.0
    yield Row("the random order defeats the prefetcher", PASS if ratio > 2 else FAIL,
              f"64 MiB at random takes {ratio:.1f} times as long as in order")
    counted = [row["cycles"] for row in random if row and "cycles" in row]
    if len(counted) < len(cycles):
        yield Row("cycles counted are the cycles timed", SKIPPED, "no hardware counters")
    else:
        difference = max(abs(count / timed - 1) for count, timed in zip(counted, cycles))
        yield Row("cycles counted are the cycles timed", PASS if difference < SAME_CYCLES else FAIL,
                  "per load, counted and timed: "
                  + ", ".join(f"{count:.1f} and {timed:.1f}" for count, timed in zip(counted, cycles)))
    misses = [row.get("cache_misses") for row in random if row]
    if any(count is None for count in misses):
        yield Row("the counters tell the same story", SKIPPED, "no hardware counters")
    else:
        small, large = float(misses[0] or 0), float(misses[-1] or 0)
        yield Row("the counters tell the same story", PASS if small < 0.05 and large > small else FAIL,
                  f"cache misses per load: {small:.3f} in the L1 cache's size, {large:.3f} in 64 MiB")


def controls(suite: SuiteUnderTest) -> Iterator[Row]:
    """The control, which is the cost of measuring, is near zero."""
    rows = suite.rows("^scoped/(none|glibc|process)/bytes:64/touch:none$")
    control = rows.get("scoped/none/bytes:64/touch:none")
    if control is None:
        yield Row("the control is near zero", FAIL, "the control could not be measured")
        return
    cycles = control["real_time"] / control["ns_per_addition"]
    yield Row("the control is near zero", PASS if cycles < 10 else FAIL, f"a call and a loop: {cycles:.1f} cycles")
    instructions = control.get("instructions")
    if instructions is None:
        yield Row("a fixed loop has a whole number of instructions", SKIPPED, "no hardware counters")
    else:
        off = abs(instructions - round(instructions))
        yield Row("a fixed loop has a whole number of instructions", PASS if off < WHOLE else FAIL,
                  f"{instructions:.3f} per iteration")


def spread(suite: SuiteUnderTest) -> Iterator[Row]:
    """How far processes of one program differ, by family, in the figures that the family is measured for."""
    samples: dict[str, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    quick = replace(suite, program=replace(suite.program, profile="smoke"))
    declared = declared_metrics(suite.catalogue.about)
    for part in suite.catalogue.parts:
        for process in range(SPREAD_PROCESSES):
            for name, row in quick.rows(part.expression).items():
                samples[part.family][name].append(Sample(process, float(row["real_time"]), row))
    for family, series in samples.items():
        benchmarks = [Benchmark(BenchmarkName.parse(name), tuple(own_samples)) for name, own_samples in series.items()]
        values = [metric.values(benchmark) for benchmark in benchmarks for metric in metrics_of(benchmark, declared)]
        spreads = [_relative_spread(figures) for figures in values if len(figures) == SPREAD_PROCESSES]
        if not spreads:
            continue
        typical = median(spreads)
        largest = suite.catalogue.about.get(family, {}).get("spread", LARGEST_SPREAD)
        yield Row(f"{family}: processes agree", PASS if typical < largest else FAIL,
                  f"spread of {SPREAD_PROCESSES} processes: typically {typical:.1%}, at most {max(spreads):.0%}, "
                  f"in {len(spreads)} figures")


def _relative_spread(values: Sequence[float]) -> float:
    middle = median(values)
    return robust_deviation(values) / middle if middle else 0.0


def recorder(suite: SuiteUnderTest) -> Iterator[Row]:
    """Recording a program's calls of malloc and analysing them costs little, with a program that makes millions of calls."""
    claims = (
        f"recording costs at most {MOST_RECORDED_TIME:g} times the CPU time",
        f"a recording takes at most {MOST_RECORDED_BYTES:g} bytes an event",
        f"the analysis of that recording takes under {MOST_ANALYSIS_SECONDS:g} s and {MOST_ANALYSIS_MB:g} MB",
    )
    try:
        cost = recording.measure(suite.program.executable, suite.folder, RECORDED_PAIRS)
    except recording.NotHere as reason:
        yield from (Row(claim, SKIPPED, str(reason)) for claim in claims)
        return
    time, size, analysis = claims
    ratio = estimate_ratio(cost.recorded, cost.alone)
    evidence = f"{median(cost.recorded):.2f} and {median(cost.alone):.2f} s: {ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
    yield Row(time, PASS if ratio.median <= MOST_RECORDED_TIME else FAIL, evidence)
    profile = cost.profile
    each = cost.bytes / profile.events if profile.events else math.inf
    whole = profile.ended == "exit" and profile.unseen == 0
    yield Row(size, PASS if each <= MOST_RECORDED_BYTES and whole else FAIL,
              f"{each:.2f} bytes: {cost.bytes} bytes of {profile.events} events, {profile.unseen} calls unseen, ended: {profile.ended}")
    megabytes = cost.analysis_bytes / 1e6
    quick = cost.analysis_seconds < MOST_ANALYSIS_SECONDS and megabytes < MOST_ANALYSIS_MB
    yield Row(analysis, PASS if quick else FAIL, f"{cost.analysis_seconds:.2f} s, {megabytes:.0f} MB")


CHECKS: tuple[Callable[[SuiteUnderTest], Iterator[Row]], ...] = (
    mallocs, refusals, preloaded, alone, independent, loops, chase, controls, spread, recorder,
)  # fmt: skip


def verify(program: Program, catalogue: Catalogue) -> Iterator[Row]:
    """Yields each row as soon as it is known. A check that cannot be carried out is a failed row, not an exception."""
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        suite = SuiteUnderTest(program, catalogue, Path(folder))
        for check in CHECKS:
            try:
                yield from check(suite)
            except (UnitFailed, BadInput) as problem:
                yield Row(f"the check of {check.__name__} can run", FAIL, str(problem))


def exit_code(rows: Sequence[Row]) -> int:
    return 1 if any(row.verdict == FAIL for row in rows) else os.EX_OK
