"""scripts/evaluate: how often do the gate and the claims err?"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from suite.base.cli import (
    ROOT,
    SUCCESS,
    OneLineParser,
    answer,
    bar,
    console_for_progress,
    output_file,
    try_default,
    whole,
)
from suite.base.files import try_file, write_whole
from suite.runner import build as building
from suite.selfcheck import claim_error_rates, gate_error_rates, gate_recording

PROGRAM = "scripts/evaluate"
STALE = 1
COMMITTED = Path("results", "evaluation", "recording.json.gz")
MINUTES, QUICK_MINUTES = 45.0, 10.0  # a turn of each condition takes half a minute
RESAMPLING_SEED = 20260101


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Measures how often the gate errs: records comparisons of programs with themselves and with known "
        "slowdowns, quiet and beside a bad neighbour, and prints how often this project's rule and those of other "
        "tools are right.",
        epilog="Recording needs a machine that does nothing else. Exit codes: 0 on success, 1 --check found the page "
        "stale, 2 bad input, 130 interrupted before a turn was complete.",
    )
    add = parser.add_argument
    add("--from", dest="recorded", metavar="FILE", type=Path, help=f"judge this recording, for example {COMMITTED}")
    add("--record", action="store_true", help=f"only record, to --out; default: {COMMITTED}")
    add("--out", metavar="FILE", type=output_file, help="write the recording to this file")
    add("--minutes", metavar="N", type=_positive, help=f"record for N minutes; default: {MINUTES:.0f}")
    add("--quick", action="store_true", help=f"record for {QUICK_MINUTES:.0f} minutes: few turns, wide intervals")
    add("--seed", metavar="N", type=whole(1, (1 << 32) - 1),
        help="seed the recording's order and its neighbour; default: a random seed")  # fmt: skip
    add(
        "--suites",
        metavar="N",
        type=whole(1, (1 << 32) - 1),
        default=gate_error_rates.SUITES,
        help=f"resample N suites; default: {gate_error_rates.SUITES}",
    )
    add(
        "--claims",
        metavar="RUNS",
        type=whole(1, (1 << 32) - 1),
        nargs="?",
        const=claim_error_rates.RUNS,
        help="record nothing: simulate RUNS runs for each truth and noise, and print how often the verdict on a claim "
        f"is wrong; default: {claim_error_rates.RUNS}",
    )
    add("--write", metavar="PAGE", type=output_file, help="put the table into this page's generated block")
    add("--check", metavar="PAGE", type=Path, help="change nothing; exit with 1 if the page's block differs")
    add("--build", metavar="PRESET", default="release", help="build and record this CMake preset; default: release")
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.recorded and (options.record or options.quick or options.minutes or options.out):
        parser.error("--from does not measure, so it does not go with --record, --out, --quick or --minutes")
    if options.claims and (options.recorded or options.record or options.quick or options.minutes or options.out
                           or options.write or options.check):  # fmt: skip
        parser.error("--claims goes with --seed alone: it neither measures nor writes")
    if options.check and not options.recorded:
        parser.error("--check needs --from: a fresh recording differs from any page")
    return options


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 10_000.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes above 0 and up to 10,000")
    return value


PlantedBuilder = Callable[[Path, str, Console, str, Sequence[str]], Path]


def main(arguments: Sequence[str] | None = None, root: Path = ROOT, build: PlantedBuilder = building.build) -> int:
    options = parse(arguments)
    return answer(PROGRAM, lambda: _evaluate(options, root, build, console_for_progress()))


def _evaluate(options: argparse.Namespace, root: Path, build: PlantedBuilder, status: Console) -> int:
    if options.claims:
        return _evaluate_claims(options.claims, options.seed or RESAMPLING_SEED, status)
    recording = (
        gate_recording.read_recording(options.recorded) if options.recorded else _record(options, root, build, status)
    )
    if options.record:
        return SUCCESS
    page = options.check or options.write
    if page is not None:
        gate_error_rates.filled(page, "")  # before the work: can it be written there?
    text = gate_error_rates.table(_evaluation(recording, options.suites, status))
    if page is None:
        print(text)
        return SUCCESS
    filled, stale = gate_error_rates.filled(page, text)
    if stale and options.write:
        write_whole(page, filled)
    if stale:
        print(f"{'stale' if options.check else 'refreshed'}: {page} (block {gate_error_rates.BLOCK_NAME})")
    return STALE if stale and options.check else SUCCESS


def _evaluate_claims(runs: int, seed: int, status: Console) -> int:
    with bar(status) as progress_bar:
        task = progress_bar.add_task(f"simulating runs, seed {seed}", total=None, left="")
        rates = claim_error_rates.error_rates(
            runs, seed, lambda done, total: progress_bar.update(task, completed=done, total=total)
        )
    print(f"seed {seed}\n\n{claim_error_rates.table(rates)}")
    return SUCCESS


def _evaluation(recording: gate_recording.Recording, suites: int, status: Console) -> gate_error_rates.Evaluation:
    if not status.is_terminal:
        return gate_error_rates.evaluate(recording, RESAMPLING_SEED, suites)
    with bar(status) as progress_bar:
        task = progress_bar.add_task("scoring the rules", total=None, left="")
        return gate_error_rates.evaluate(
            recording,
            RESAMPLING_SEED,
            suites,
            lambda done, total: progress_bar.update(task, completed=done, total=total),
        )


def _record(
    options: argparse.Namespace, root: Path, build: PlantedBuilder, status: Console
) -> gate_recording.Recording:
    out = options.out or (try_default(root / COMMITTED, try_file, "--out") if options.record else None)
    planted = build(root, options.build, status, "planted", ("stackheap", "delayed_malloc", "neighbour"))
    suite, malloc, neighbour = (planted.with_name(name) for name in ("stackheap", "libdelayed_malloc.so", "neighbour"))
    built = gate_recording.Built(planted, suite, malloc, neighbour)
    seed = options.seed or secrets.randbelow(1 << 32) or 1
    minutes = options.minutes or (QUICK_MINUTES if options.quick else MINUTES)
    status.print(f"recording for {minutes:g} minutes, seed {seed}")
    with tempfile.TemporaryDirectory(prefix="evaluate-") as folder, bar(status) as progress_bar:
        task = progress_bar.add_task("recording", total=100, left="")

        def watch(share: float, doing: str) -> None:
            progress_bar.update(task, completed=min(100, round(100 * share)), left=doing)

        recording = gate_recording.record(built, Path(folder), minutes, seed, watch)
    turns = ", ".join(f"{len(condition_turns)} {condition}" for condition, condition_turns in recording.turns.items())
    status.print(f"recorded {turns} turns of {sum(map(len, recording.benchmarks.values()))} benchmarks")
    if out is not None:
        gate_recording.write_recording(out, recording)
        status.print(f"wrote {out}")
    return recording


if __name__ == "__main__":
    sys.exit(main())
