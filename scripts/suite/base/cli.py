"""How does a command read its arguments, report an error in one line, and end?"""

from __future__ import annotations

import argparse
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.segment import Segment

from suite.base import foreign
from suite.base.chart_options import FORMATS
from suite.base.errors import NO_EXPRESSION, BadInput, UnitFailed
from suite.base.failure import limits_behind
from suite.base.files import try_file, try_folder
from suite.base.foreign_program import NoAnswer, run_foreign
from suite.base.near_misses import did_you_mean
from suite.base.phrases import NO_BREAK
from suite.base.text import LONGEST_LABEL, drawable, first_line, one_line, printable, with_its_file

ROOT = Path(__file__).resolve().parents[3]
SUCCESS, REFUSED, INTERRUPTED = 0, 2, 130
STANDARD_OUTPUT = "standard output"  # suite/start.py calls it so in its errors
NO_THREAD = "can't start new thread"  # Python's words where the system refuses a thread
LONGEST = 4000  # letters in an error line: room for a path
VERSION_SECONDS = 60.0  # git is asked three times, for 10 s each
FEW_CHOICES = 10  # so many are listed even where one of them was probably meant
PLAIN_WIDTH = 140  # of the tables where the output is not a terminal


LATEST = ROOT / "results" / "latest"
RUN_HELP = "a run: its folder, run.json or run.json.gz; default: results/latest"


def latest_run() -> Path:
    """The run that a command reads where the user names none. Raises BadInput."""
    if not LATEST.is_dir():
        raise BadInput("results/latest does not exist: measure with scripts/run, or name a run")
    return LATEST


class _Version(argparse.Action):
    """Prints the version of the project and the revision, and ends."""

    def __init__(self, option_strings: list[str], dest: str) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help="show the version and the revision, and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        try:
            version = run_foreign(["/bin/sh", ROOT / "scripts" / "suite" / "version", parser.prog], VERSION_SECONDS)
        except NoAnswer as problem:
            parser.exit(REFUSED, f"{parser.prog}: {problem}\n")
        print(version.output, end="")
        parser.exit(version.exit_code, version.errors)


class _Help(argparse.HelpFormatter):
    """Fills each paragraph to the width of the terminal, but leaves one with indented lines as it is: a list. Breaks no name
    at its hyphens: it stands as it is typed."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = text.strip().split("\n\n")
        return "\n\n".join(part if "\n " in part else "\n".join(self._split_lines(part, width)) for part in paragraphs)


class OneLineParser(argparse.ArgumentParser):
    """Reports a wrong option in one line, with the name that was probably meant; has --version."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        settings.setdefault("formatter_class", _Help)
        super().__init__(*arguments, **settings)
        self.add_argument("--version", action=_Version)

    def parse_args(  # type: ignore[override] # no caller passes a namespace of its own
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        options, unknown = self.parse_known_args(args, namespace)
        if unknown and not self._taken_later(unknown, options):
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._meant(unknown[0], options)}")
        return options

    def _taken_later(self, words: Sequence[str], options: argparse.Namespace) -> bool:
        """argparse gives an argument only the words before the next option, also one that takes any number (`extend`). Here
        it takes the words after the option too: OLD --only REGEX NEW."""
        *_, parser = self._parsers_for(options)
        takes = [action for action in parser._get_positional_actions() if isinstance(action, argparse._ExtendAction)]
        end = words.index("--") if "--" in words else len(words)  # of what may be options
        if not takes or any(word.startswith("-") and word != "-" for word in words[:end]):
            return False
        takes[0](parser, options, [parser._get_value(takes[0], word) for word in (*words[:end], *words[end + 1 :])])
        return True

    def _meant(self, word: str, options: argparse.Namespace) -> str:
        """The option like this word, the option that takes it (smoke is a --profile), or the sub-command that has it."""
        known = {
            name: action for parser in self._parsers_for(options) for name, action in parser._option_string_actions.items()
        }
        if word.startswith("--"):
            name = word.partition("=")[0]
            having = [command for command, parser in self._sub_commands().items() if name in parser._option_string_actions]
            return f"; {name} goes with {', '.join(having)}" if having else did_you_mean(name, list(known))
        takes_it = [name for name, action in known.items() if word in (action.choices or ())]
        return f"; did you mean {takes_it[0]} {word}?" if takes_it else ""

    def _sub_commands(self) -> Mapping[str, argparse.ArgumentParser]:
        return next((action.choices for action in self._actions if isinstance(action, argparse._SubParsersAction)), {})

    def _parsers_for(self, options: argparse.Namespace) -> list[argparse.ArgumentParser]:
        """This parser and that of the chosen sub-command."""
        chosen = [
            action.choices[getattr(options, action.dest)]
            for action in self._actions
            if isinstance(action, argparse._SubParsersAction)
        ]
        return [self, *chosen]

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        names = [str(choice) for choice in action.choices]
        guess = did_you_mean(str(value), names)
        listed = "" if guess and len(names) > FEW_CHOICES else f" (choose from {', '.join(map(repr, names))})"
        raise argparse.ArgumentError(action, f"invalid choice: {value!r}{guess}{listed}")

    def error(self, message: str) -> NoReturn:
        self.exit(REFUSED, f"{self.prog}: {one_line(message, LONGEST)} (--help lists the options)\n")


def add_yes(parser: argparse.ArgumentParser) -> None:
    """For the commands that install what is missing: suite/launch reads the option before Python starts."""
    parser.add_argument("--yes", action="store_true", help="install what is missing without asking")


def whole(least: int, most: int) -> Callable[[str], int]:
    """The type of an option that takes a whole number in these bounds."""

    def whole_number(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,15}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return int(text)

    return whole_number


SHOWN = 500  # letters of an expression in an error line


def expression(text: str) -> re.Pattern[str]:
    """The type of an option that takes a regular expression."""
    try:
        return re.compile(text)
    except NO_EXPRESSION as error:
        raise argparse.ArgumentTypeError(f"{text[:SHOWN]!r} is not a regular expression ({error})") from None


def pattern_of(only: str) -> re.Pattern[str]:
    """The regular expression of --only. Raises BadInput."""
    try:
        return re.compile(only)
    except NO_EXPRESSION as error:
        raise BadInput(f"--only takes a regular expression, got {only[:SHOWN]!r} ({error})") from None


def threshold(text: str) -> float:
    """The share that `2%` or `0.02` means. A bare `2` is refused: readers disagree whether it is 2 % or 200 %."""
    written = re.fullmatch(r"(\d{1,3}(?:\.\d{1,9})?)(%?)", text, re.ASCII)
    share = float(written[1]) / (100 if written[2] else 1) if written else 0.0
    if written is None or not 0.0 < share <= 1.0 or not (written[2] or share < 1.0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a share: write 2% or 0.02 (above 0, up to 100%)")
    return share


def output_file(text: str) -> Path:
    """The type of an option that takes a file to write. It is tried at once: the work before it may take hours."""
    return _tried(text, try_file, "a file", "name a file in a folder that can be written to")


def output_folder(text: str) -> Path:
    """The type of an option that takes a folder to write into, which need not exist yet. It is tried at once."""
    return _tried(text, try_folder, "a folder", "name a folder that can be written to")


def output_chart(text: str) -> Path:
    """The type of an option that takes a file to draw into."""
    if Path(text).suffix[1:] not in FORMATS:
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .{', .'.join(FORMATS)}")
    return output_file(text)


def _tried(text: str, try_path: Callable[[Path], None], kind: str, accepted: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError(f"'' is empty: name {kind}")
    try:
        try_path(Path(text))
    except OSError as problem:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written to ({first_line(problem)}): {accepted}") from None
    return Path(text)


def try_default(path: Path, try_path: Callable[[Path], None], option: str) -> Path:
    """The path, where it can be written to. Raises BadInput with the option that names another path."""
    try:
        try_path(path)
    except OSError as problem:
        raise BadInput(f"{path} cannot be written to ({first_line(problem)}): name another place with {option}") from None
    return path


def check_not_read(out: Path | None, option: str, inputs: Iterable[Path]) -> None:
    """Raises BadInput where the output would replace what the command reads."""
    if out is not None and any(out.resolve() == file.resolve() for file in inputs):
        raise BadInput(f"{option} {out} is a file that the command reads: name another file")


def label(text: str) -> str:
    """The user's own name of a run or of a side."""
    if not text or len(text) > LONGEST_LABEL or text != drawable(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a label: 1 to {LONGEST_LABEL} printable Latin, Greek or Cyrillic letters, digits and signs, "
            "without spaces at its ends and without _ at its start"
        )
    return text


def answer(command: str, work: Callable[[], int]) -> int:
    """Does the work of a command and returns its exit code. An error becomes one line on stderr and the code 2. Whatever the
    work prints is plain text."""
    with foreign.plain_streams():
        return _answered(command, work)


def _answered(command: str, work: Callable[[], int]) -> int:
    try:
        return work()
    except (BadInput, UnitFailed) as problem:
        return _refuse(command, str(problem))
    except OSError as problem:
        if isinstance(problem, BrokenPipeError) and problem.filename in (None, STANDARD_OUTPUT):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the error line has no reader either
            return REFUSED
        return _refuse(command, with_its_file(problem))
    except MemoryError:
        return _refuse(command, "not enough memory")
    except RuntimeError as problem:
        if str(problem) != NO_THREAD:
            raise
        return _refuse(command, NO_THREAD)
    except KeyboardInterrupt:
        print(f"{command}: interrupted", file=sys.stderr)
        return INTERRUPTED


def _refuse(command: str, problem: str) -> int:
    """Prints the problem in one line; a line that the benchmark program wrote already begins with its name."""
    line = one_line(problem + limits_behind(problem), LONGEST)
    print(line if line.startswith("stackheap:") else f"{command}: {line}", file=sys.stderr)
    return REFUSED


class _PlainConsole(Console):
    """A console on which text is text: it has no markup and no letters that a person does not see."""

    def __init__(self, stream: TextIO, width: int | None = None) -> None:
        super().__init__(file=foreign.styled(stream), width=width, highlight=False, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text, kept=f"\n{NO_BREAK}"))


def console_for_progress() -> Console:
    return _PlainConsole(sys.stderr)


def console_for_results() -> Console:
    return _PlainConsole(sys.stdout, None if sys.stdout.isatty() else PLAIN_WIDTH)


def time_left(seconds: float | None) -> str:
    """Beside a bar; empty where it is not known, or where there is hardly any."""
    if seconds is None or seconds < 1:
        return ""
    return f"about {round(seconds)} s left" if seconds < 90 else f"about {round(seconds / 60)} min left"


def bar(status: Console) -> Progress:
    """A progress bar. It is redrawn only twice a second, because drawing takes time from the measured process."""
    doing, left = (TextColumn(text, markup=False) for text in ("{task.description}", "{task.fields[left]}"))
    shown = status if status.is_terminal else Console(quiet=True)  # even a disabled bar would write an empty line
    columns = (doing, BarColumn(), MofNCompleteColumn(), left)
    return Progress(*columns, console=shown, disable=not status.is_terminal, transient=True, refresh_per_second=2)
