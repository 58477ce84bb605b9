"""scripts/export: a run in the formats of other tools."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from suite.base.cli import RUN_HELP, SUCCESS, OneLineParser, answer, check_not_read, latest_run, output_file
from suite.base.files import write_whole
from suite.results import export
from suite.results.read import RUN_FILES

PROGRAM = "scripts/export"
_SHOWN = 3


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Writes a run for other tools: the median of each benchmark over its processes, or all rows.",
        epilog="formats:\n"
        "  google-benchmark         Google Benchmark's JSON with a row for each process, and aggregates (compare.py)\n"
        "  github-action-benchmark  Google Benchmark's JSON with one row a benchmark (tool: googlecpp; also Bencher's\n"
        "                           cpp_google adapter)\n"
        "  bencher                  Bencher Metric Format with intervals (bencher run --adapter json)\n"
        "  otava                    CSV with one row a run; several runs make the series\n"
        "  otava-config             the configuration for that CSV, which says that less is better\n\n"
        "Results that a format cannot contain (failed benchmarks, and figures that are not times) are named on stderr.\n"
        "Exit codes: 0 on success, 2 on bad input or if there is nothing to write.",
    )
    add = parser.add_argument
    add("runs", metavar="RUN", type=Path, nargs="*", action="extend", help=f"{RUN_HELP}; several for otava")
    add("--to", choices=list(export.FORMS), required=True, help="choose the format")
    add("-o", "--out", metavar="FILE", type=output_file, help="write to this file instead of printing")
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    return make_parser().parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    return answer(PROGRAM, lambda: _export(options))


def _export(options: argparse.Namespace) -> int:
    runs = options.runs or [latest_run()]
    check_not_read(options.out, "--out", [path / name for path in runs for name in ("", *RUN_FILES)])
    exported = export.write(options.to, runs)
    if options.out is None:
        sys.stdout.write(exported.text)
    else:
        write_whole(options.out, exported.text)
    for line in exported.left_out[:_SHOWN]:
        print(f"left out: {line}", file=sys.stderr)
    if len(exported.left_out) > _SHOWN:
        print(f"left out: {len(exported.left_out) - _SHOWN:,} more", file=sys.stderr)
    return SUCCESS


if __name__ == "__main__":
    sys.exit(main())
