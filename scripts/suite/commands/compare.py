"""scripts/compare: did a benchmark change between two run files? The weaker way to judge a change."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from suite.base.cli import OneLineParser, answer, console_for_results, threshold
from suite.base.files import write_whole
from suite.gate import formats, two_files
from suite.gate.comparison import Comparison
from suite.results.read import read_run

PROGRAM = "scripts/compare"
CHART_FORMATS = (".svg", ".png", ".pdf")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Compares two result files, process by process, and prints for each benchmark whether it is worse, "
        "better, the same (the change is shown to be within the threshold) or undecided. A change counts only if it "
        "shows in nanoseconds and in cycles. Files that were measured at different times also differ by the machine's "
        "drift: scripts/duet judges a change more reliably.",
        epilog="Exit codes: 0 no benchmark is worse, 1 a benchmark is worse, 2 cannot judge, or bad input.",
    )
    add = parser.add_argument
    add("base", metavar="BASE", type=Path, help="the run before: its folder, run.json or run.json.gz")
    add("new", metavar="NEW", type=Path, help="the run after, in the same forms")
    smallest = f"set the smallest change that matters, as 2%% or 0.02; default: {two_files.THRESHOLD:.0%}%"
    add("--threshold", metavar="SHARE", type=threshold, default=two_files.THRESHOLD, help=smallest)
    add("--only", metavar="REGEX", help="compare only benchmarks whose name matches, for example '^scoped/'")
    add("--format", choices=list(formats.REPORTERS), default="text", help="choose the output format; default: text")
    add("--out", metavar="FILE", type=Path, help="write to this file instead of printing")
    add("--chart", metavar="FILE", type=_chart, help="also draw the changes, as .svg, .png or .pdf")
    add("--theme", choices=("light", "dark"), default="light", help="choose the chart's colours; default: light")
    add(
        "--across",
        action="store_true",
        help="compare runs of different machines, compilers, libraries or profiles anyway",
    )
    add("--allow-missing", action="store_true", help="ignore benchmarks that are missing or failed in one file")
    add("--strict", action="store_true", help="exit with 2 if a benchmark is undecided")
    return parser.parse_args(arguments)


def _chart(text: str) -> Path:
    if Path(text).suffix not in CHART_FORMATS:
        raise argparse.ArgumentTypeError(f"{text!r} does not end in {', '.join(CHART_FORMATS)}")
    return Path(text)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    return answer(PROGRAM, lambda: _compare(options))


def _compare(options: argparse.Namespace) -> int:
    rules = two_files.Rules(options.threshold, options.only, options.across, options.allow_missing)
    comparison = two_files.compare(read_run(options.base), read_run(options.new), rules)
    if options.chart is not None:
        write_chart(comparison, options.chart, options.theme)
    write_comparison(comparison, options.format, options.out, options.strict)
    return comparison.exit_code(options.strict)


def write_comparison(comparison: Comparison, form: str, out: Path | None, strict: bool) -> None:
    """Prints the comparison in one of the formats, or writes it to a file. Raises OSError."""
    if out is not None:
        write_whole(out, formats.REPORTERS[form](comparison, strict).encode("utf-8", "replace"))
    elif form == "text" and sys.stdout.isatty():
        sys.stdout.write(formats.as_text(comparison, strict, console_for_results().width, colour=True))
    else:
        sys.stdout.write(formats.REPORTERS[form](comparison, strict))


def write_chart(comparison: Comparison, file: Path, theme: str) -> None:
    """Writes the chart of the changes. Raises OSError."""
    from suite import charts
    from suite.charts.across import change

    write_whole(file, charts.render(change.draw(comparison, charts.Look(theme)), file.suffix[1:]))


if __name__ == "__main__":
    sys.exit(main())
