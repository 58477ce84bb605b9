"""How does a measurement of the user's program become part of a result file? As units of the family `program`, and
facts.

suite.results.end_to_end reads them back.
"""

from __future__ import annotations

from suite.base.text import one_line
from suite.program.pairs import Measured, Run
from suite.results.end_to_end import AGAIN, CHAPTER, CPU_NS, FAMILY, FAULTS, MAJOR_FAULTS, METRICS, PEAK
from suite.results.metrics import encode_metrics
from suite.results.model import Document, Unit

QUESTION = "Would another malloc help this program?"


def units(measured: Measured) -> list[tuple[Unit, Document]]:
    """A unit for each run, as suite.results.merge takes them. Their context is empty: the run's own is merged
    before."""
    numbers = {number: place for place, number in enumerate(dict.fromkeys(run.round for run in measured.runs))}
    return [(_unit(run, numbers[run.round]), {"context": {}, "benchmarks": [_row(run)]}) for run in measured.runs]


def _row(run: Run) -> Document:
    seen = run.observation
    name = f"{FAMILY}/{run.malloc}"
    figures = {
        CPU_NS: seen.cpu * 1e9,
        PEAK: seen.peak_resident,
        FAULTS: seen.page_faults,
        MAJOR_FAULTS: seen.major_faults,
    }
    return {
        "name": name, "run_name": name, "run_type": "iteration", "repetitions": 1, "repetition_index": 0, "threads": 1,
        "iterations": 1, "real_time": seen.wall * 1e9, "cpu_time": seen.cpu * 1e9, "time_unit": "ns", **figures,
    }  # fmt: skip


def _unit(run: Run, process: int) -> Unit:
    beside = run.observation.disturbance
    return Unit(
        family=FAMILY,
        chapter=CHAPTER,
        part=f"^{FAMILY}/{run.malloc}$",
        process=process,
        disturbed=beside is not None and beside.disturbed,
        reasons=beside.reasons if beside is not None else (),
        others_cpu=beside.others_cpu if beside is not None else None,
        steal=beside.steal if beside is not None else None,
        involuntary_switches=beside.involuntary_switches if beside is not None else 0,
        major_faults=run.observation.major_faults,
        seconds=run.observation.wall,
        ns_per_addition=None,
        attempt=1,
        stopped=beside.stopped if beside is not None else None,
    )


def about() -> Document:
    """What the family declares, as the families of the benchmark program do: for the run's account."""
    return {
        "chapter": CHAPTER,
        "question": QUESTION,
        "operation": "a run of the command, with a malloc preloaded",
        "untimed": "the setup; a first run that fills the caches; reading the output, in another process",
        "heap": "the program's own",
        "unfairness": "a malloc that is preloaded is loaded when each process starts, which the program's own malloc, if "
        "it is the C library's, is anyway; a child whose parent ignores SIGCHLD is not counted",
        "held_against": "the program with its own malloc, in the same round",
        **encode_metrics({FAMILY: METRICS})[FAMILY],
    }


def context(measured: Measured) -> Document:
    """context["program"] of the run."""
    mallocs: dict[str, Document] = {}
    for malloc in measured.plan.mallocs:
        facts: Document = {"file": malloc.file, "version": malloc.version}
        if malloc.name in measured.not_compared:
            facts["not_compared"] = measured.not_compared[malloc.name]
        elif malloc.name in measured.decisions:
            facts["verdict"] = measured.decisions[malloc.name].verdict
        mallocs[malloc.name] = facts
    control = measured.decisions.get(AGAIN)
    return {
        "command": [one_line(word) for word in measured.plan.command.words],
        "exit_code": measured.first.exit_code if measured.first is not None else None,
        "output_same": measured.output_same,
        "own": measured.own,
        "mallocs": mallocs,
        "control": control.verdict if control is not None else None,
        "problem": measured.problem,
        "notes": list(measured.notes),
        "threshold": measured.plan.threshold,
        "seed": measured.plan.seed,
    }
