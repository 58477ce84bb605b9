"""scripts/readme: writes the documents' numbers and figures from the reference run, and the files that complete commands in a
shell, or checks them."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from suite.base.cli import ROOT, SUCCESS, OneLineParser, answer
from suite.base.files import try_folder, write_whole
from suite.pages import completion

PROGRAM = "scripts/readme"
STALE = 1


def make_parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        description="Rewrites the generated blocks of README.md and of the chapters in docs/, and the figures and report.html "
        "in results/reference, from results/reference/run.json.gz; and the files in completion/, which complete commands in a "
        "shell, from the commands' options. --check also names what the present program measures otherwise than the program "
        "that made that run.",
        epilog="Exit codes: 0 on success, 1 --check found a stale block, file or reference, 2 bad input.",
    )
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--check", action="store_true", help="change nothing; name the stale blocks and files, except report.html"
    )
    either.add_argument("--refresh", metavar="RUN", type=Path, help="first make this run the reference")
    either.add_argument(
        "--extend", metavar="RUN", type=Path, help="first add the families of this run that the reference lacks"
    )
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    return make_parser().parse_args(arguments)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    options = parse(arguments)
    return answer(PROGRAM, lambda: _write(root, options))


def _write(root: Path, options: argparse.Namespace) -> int:
    from suite.pages import docs  # takes a second, which --help does not need

    if not options.check:
        try_folder(root)
    if options.refresh is not None:
        docs.take_as_reference(root, options.refresh)
    if options.extend is not None:
        docs.extend_reference(root, options.extend)
    only_check = options.check
    documents = docs.make(root)
    outdated = docs.outdated(root)
    completing = {root / file: text for file, text in completion_files().items()}
    stale_files = [file for file, text in completing.items() if not file.is_file() or file.read_text() != text]
    stale = [*docs.stale(root, documents), *(str(file.relative_to(root)) for file in stale_files)]
    if not only_check:
        docs.write(root, documents)
        for file in stale_files:
            write_whole(file, completing[file])
        if docs.write_report(root):
            stale.append(str(docs.REFERENCE_REPORT))
    for line in stale:
        print(f"{'stale' if only_check else 'refreshed'}: {line}")
    for line in outdated:
        print(f"{'stale' if only_check else 'still stale'}: {line}")
    if outdated:
        print(f"{PROGRAM}: measure a new reference with scripts/run, then scripts/readme --refresh RUN", file=sys.stderr)
    return STALE if only_check and (stale or outdated) else SUCCESS


def completion_files() -> dict[Path, str]:
    """The files that complete every command of this project in a shell."""
    commands = [completion.of_program((ROOT / "benchmarks/harness/options.cpp").read_text())]
    for file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        parser = importlib.import_module(f"suite.commands.{file.stem}").make_parser()
        commands.append(completion.of_parser(file.stem, parser))
    for name in completion.SHELL_SCRIPTS:
        commands.append(completion.of_shell_script(name, (ROOT / "scripts" / name).read_text()))
    return completion.files(commands)


if __name__ == "__main__":
    sys.exit(main())
