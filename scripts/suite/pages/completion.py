"""Which words can follow in a shell? Writes the files that complete the commands' options and their values.

What is known comes from the parsers in Python, and from the help texts of the shell scripts and of the program. Names that
users add by adding a file, such as those of charts, are looked up when the user asks for them.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path("completion")
BASH, ZSH, FISH = "stackheap.bash", "_stackheap", "stackheap.fish"
SHELL_SCRIPTS = ("setup", "test", "lint", "sanitize", "cross")
PROGRAM = "stackheap"

# Kinds of values besides the words that are listed.
FILES, FOLDERS, ANYTHING = "files", "folders", "anything"
# By the name that the help gives the value: how the shell finds the words, with the project's folder in $root.
LOOKED_UP = {
    "CHART": ("charts", r"""grep -l '^QUESTION = ' "$root"/scripts/suite/charts/*.py | sed 's:.*/::; s/\.py$//'"""),
    "ID": ("claims", r"""grep -hA1 '^@claim(' "$root"/scripts/suite/claims/*.py | sed -nE 's/^(@claim\(| +)"([^"]+)".*/\2/p'"""),
    "PRESET": ("presets", r"""sed -nE 's/.*"name": "([a-z0-9-]+)", "inherits".*/\1/p' "$root"/CMakePresets.json"""),
    "REV": ("revisions", r"""git -C "$root" for-each-ref --format='%(refname:short)' 2>/dev/null"""),
}  # fmt: skip


@dataclass(frozen=True)
class Values:
    """What can stand for a value: these words, or else what the kind says."""

    kind: str = ANYTHING  # or the first word of a row of LOOKED_UP
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Option:
    """An option. Without `values` it takes none."""

    names: tuple[str, ...]
    help: str
    values: Values | None = None


@dataclass(frozen=True)
class Command:
    """A command, or a command with its sub-command."""

    name: str
    options: tuple[Option, ...]
    words: tuple[tuple[str, str], ...] = ()  # that can stand as an argument, with their help
    sub_commands: tuple[Command, ...] = ()


# ---- what the commands take


def of_parser(name: str, parser: argparse.ArgumentParser, above: tuple[Option, ...] = ()) -> Command:
    """The command that a parser reads; a sub-command also takes the options of the command above."""
    options = (*above, *(_option(parser, action) for action in parser._actions if action.option_strings))
    by_name: dict[str, Option] = {option.names[-1]: option for option in options}
    chosen = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not chosen:
        return Command(name, tuple(by_name.values()))
    words = tuple((str(choice.dest), _short(choice.help or "")) for choice in chosen[0]._choices_actions)
    below = tuple(of_parser(word, chosen[0].choices[word], tuple(by_name.values())) for word, _ in words)
    return Command(name, tuple(by_name.values()), words, below)


def _option(parser: argparse.ArgumentParser, action: argparse.Action) -> Option:
    help_text = _short(parser._get_formatter()._expand_help(action)) if action.help else ""
    if action.nargs == 0:
        return Option(tuple(action.option_strings), help_text)
    metavar = str(action.metavar)
    if metavar in LOOKED_UP:
        values = Values(LOOKED_UP[metavar][0])
    elif action.choices is not None:
        values = Values(words=tuple(map(str, action.choices)))
    else:
        values = _values_of("DIR" if metavar == "DIR" else "FILE" if action.type is Path else metavar)
    return Option(tuple(action.option_strings), help_text, values)


def _values_of(metavar: str) -> Values:
    """The value that the help calls FILE or PAGE is a file."""
    words = set(re.split(r"[^A-Z]+", metavar))
    if words & {"FILE", "PAIRS", "PAGE"}:
        return Values(FILES)
    return Values(FOLDERS if "DIR" in words else ANYTHING)


def of_shell_script(name: str, script: str) -> Command:
    """The command that a shell script is, from its help text."""
    shown = re.search(r"cat <<'END'\n(.*?)\nEND\n", script, re.DOTALL)
    assert shown, f"scripts/{name} has no help text"
    options, words = [Option(("-h", "--help"), "show the help")], []
    for line in shown[1].splitlines():
        if option := re.match(r"  (--?[a-z][\w-]*)(?: ([A-Z]+))?  +(\S.*)", line):
            values = Values() if option[2] else None
            options.append(Option((option[1],), _short(option[3]), values))
        elif word := re.match(r"  ([a-z][\w-]*)  +(\S.*)", line):
            words.append((word[1], _short(word[2])))
        elif (value := re.match(r" {10,}([a-z]\w*)  +\S", line)) and options[-1].values:
            listed = Values(words=(*options[-1].values.words, value[1]))
            options[-1] = Option(options[-1].names, options[-1].help, listed)
    return Command(name, tuple(options), tuple(words))


def of_program(source: str) -> Command:
    """The benchmark program, from the source of its options."""
    options = []
    for name, value, text in re.findall(r"^  (--[a-z-]+)\S*?(?:=(\S+?))?\]?  +(\S.*)$", source, re.MULTILINE):
        if "internally" in text:
            continue
        words = tuple(value.split("|")) if re.fullmatch(r"[a-z|]+", value) else ()
        optional = f"{name}[=" in source
        values = None if not value or optional else Values(words=words) if words else _values_of(value)
        options.append(Option((name,), _short(text), values))
    return Command(PROGRAM, tuple(options))


def _short(text: str) -> str:
    """What an option is for, without details."""
    return re.split(r"[;(]|: ", text)[0].strip().rstrip(".,")


# ---- the files


def files(commands: Iterable[Command]) -> dict[Path, str]:
    """The files of all shells, by their place in the project."""
    every = list(commands)
    return {FOLDER / BASH: _bash(every), FOLDER / ZSH: _zsh(every), FOLDER / FISH: _fish(every)}


_GENERATED = "# Completes stackheap and the commands in scripts/. scripts/readme writes this file: do not edit it.\n"


def _bash(commands: list[Command]) -> str:
    looked_up = "".join(f"        {kind}) {words} ;;\n" for kind, words in LOOKED_UP.values())
    below = "".join(
        f"        {command.name}) below='{' '.join(sub.name for sub in command.sub_commands)}' ;;\n"
        for command in commands
        if command.sub_commands
    )
    cases = "".join(_bash_case(name, command) for name, command in _with_sub_commands(commands))
    scripts = ",".join(command.name for command in commands if command.name != PROGRAM)
    return f"""\
# shellcheck shell=bash
{_GENERATED}# To load it: . completion/stackheap.bash

# KIND: prints the names of that kind; the project is in $root.
_stackheap_names() {{
    case $1 in
{looked_up}    esac
}}

_stackheap() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command=${{1##*/}}
    local root=${{1/#\\~/$HOME}} below='' arguments='' options='' kind='' words='' typed
    root=${{root%/*}}/..
    if [[ $word == = ]]; then word=''; elif [[ $before == = ]]; then before=${{COMP_WORDS[COMP_CWORD - 2]}}; fi
    case $command in
{below}    esac
    for typed in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        [[ " $below " != *" $typed "* ]] || {{ command+=" $typed"; break; }}
    done
    case $command in
{cases}    esac
    if [[ -z $kind && $word == -* ]]; then
        kind=words words=$options
    elif [[ -z $kind && -n $arguments ]]; then
        kind=words words=$arguments
    fi
    case $kind in
        '' | files) ;; # the shell completes files itself
        folders) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
        anything) compopt +o default +o bashdefault ;;
        words) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$(_stackheap_names "$kind")" -- "$word") ;;
    esac
}}

_stackheap_root=$(realpath "${{BASH_SOURCE[0]}}")
complete -o bashdefault -o default -F _stackheap {PROGRAM} \\
    {{,./,"${{_stackheap_root%/*/*}}/"}}scripts/{{{scripts}}}
unset _stackheap_root
"""


def _bash_case(name: str, command: Command) -> str:
    rows = dict[str, list[str]]()
    for option in command.options:
        if option.values is not None:
            words = f" words='{' '.join(option.values.words)}'" if option.values.words else ""
            kind = "words" if words else option.values.kind
            rows.setdefault(f"kind={kind}{words}", []).extend(option.names)
    values = "".join(f"                {' | '.join(names)}) {row} ;;\n" for row, names in rows.items())
    arguments = f"\n            arguments='{' '.join(word for word, _ in command.words)}'" if command.words else ""
    options = " ".join(name for option in command.options for name in option.names)
    chosen = f"            case $before in\n{values}            esac\n" if values else ""
    return f"        '{name}')\n{chosen}            options='{options}'{arguments} ;;\n"


def _with_sub_commands(commands: Iterable[Command]) -> Iterator[tuple[str, Command]]:
    for command in commands:
        yield command.name, command
        yield from ((f"{command.name} {sub.name}", sub) for sub in command.sub_commands)


def _zsh(commands: list[Command]) -> str:
    scripts = "|".join(command.name for command in commands if command.name != PROGRAM)
    looked_up = "".join(f"    {kind}) {words} ;;\n" for kind, words in LOOKED_UP.values())
    return f"""\
#compdef {PROGRAM} -p (*/|)scripts/({scripts})
{_GENERATED}# To load it, before compinit: fpath=(completion $fpath)

# KIND: the names of that kind.
_stackheap_names() {{
  local root=${{${{words[1]/#\\~/$HOME}}:h:h}}
  local -a found
  found=("${{(@f)$(case $1 in
{looked_up}  esac)}}")
  compadd -a found
}}

_stackheap() {{
  case ${{words[1]:t}} in
{"".join(map(_zsh_case, commands))}  esac
}}

_stackheap "$@"
"""


def _zsh_case(command: Command) -> str:
    if not command.sub_commands:
        return f"    {command.name})\n      {_zsh_arguments(command, 6)} ;;\n"
    names = "|".join(sub.name for sub in command.sub_commands)
    listed = " ".join(f"{sub}\\:{_quoted_in_zsh(text)}" for sub, text in command.words)
    first = f"'1:command:(({listed}))'"
    cases = "".join(
        f"        {sub.name})\n          {_zsh_arguments(sub, 10, first)} ;;\n" for sub in command.sub_commands
    )
    return (
        f"    {command.name})\n      case ${{words[(r)({names})]}} in\n{cases}"
        f"        *)\n          {_zsh_arguments(command, 10, first)} ;;\n      esac ;;\n"
    )


def _quoted_in_zsh(text: str) -> str:
    return '"' + text.replace("'", "") + '"'


def _zsh_arguments(command: Command, indent: int, first: str = "") -> str:
    lines = [_zsh_option(option) for option in command.options]
    if first:
        lines.append(first)
    if command.words and not command.sub_commands:
        lines.append(f"'*:word:({' '.join(word for word, _ in command.words)})'")
    elif not command.sub_commands:
        lines.append("'*:file:_files'")
    separator = f" \\\n{' ' * (indent + 2)}"
    return f"_arguments{separator}{separator.join(lines)}"


def _zsh_option(option: Option) -> str:
    text = re.sub(r"([\[\]:\\])", r"\\\1", option.help).replace("'", "'\\''")
    if option.values is None:
        return _zsh_spec(option.names, f"[{text}]")
    kinds = {FILES: "_files", FOLDERS: "_files -/", ANYTHING: " "}
    words = f"({' '.join(option.values.words)})" if option.values.words else ""
    action = words or kinds.get(option.values.kind, f" _stackheap_names {option.values.kind}")
    named = tuple(f"{name}=" if name.startswith("--") else f"{name}+" for name in option.names)
    return _zsh_spec(named, f"[{text}]:value:{action}")


def _zsh_spec(names: tuple[str, ...], text: str) -> str:
    return f"'*{names[0]}{text}'" if len(names) == 1 else f"'*'{{{','.join(names)}}}'{text}'"


def _fish(commands: list[Command]) -> str:
    looked_up = "".join(
        f"        case {kind}\n            root=$root sh -c {_quoted_in_fish(words)}\n" for kind, words in LOOKED_UP.values()
    )
    lines = "".join(f"\n{line}" for command in commands for line in _fish_lines(command))
    return f"""\
{_GENERATED}# To load it: source completion/stackheap.fish

function __stackheap_names --description 'print the names of a kind'
    set -l typed (commandline -opc)
    set -l root (dirname (dirname (string replace -r '^~' $HOME $typed[1])))
    switch $argv[1]
{looked_up}    end
end
{lines}
"""


def _quoted_in_fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish_lines(command: Command) -> Iterator[str]:
    place = f"-c {PROGRAM}" if command.name == PROGRAM else f"-p '*/scripts/{command.name}'"
    if not command.sub_commands:
        yield from (f"complete {place} {_fish_option(option)}" for option in command.options)
        if command.words:
            yield from (f"complete {place} -f -a {word} -d {_quoted_in_fish(text)}" for word, text in command.words)
        return
    names = " ".join(sub.name for sub in command.sub_commands)
    for word, text in command.words:
        condition = f"-n 'not __fish_seen_subcommand_from {names}'"
        yield f"complete {place} {condition} -f -a {word} -d {_quoted_in_fish(text)}"
    yield from (f"complete {place} {_fish_option(option)}" for option in command.options)
    for sub in command.sub_commands:
        for option in sub.options:
            if option not in command.options:
                yield f"complete {place} -n '__fish_seen_subcommand_from {sub.name}' {_fish_option(option)}"


def _fish_option(option: Option) -> str:
    named = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
    described = f"{named} -d {_quoted_in_fish(option.help)}"
    if option.values is None:
        return described
    if option.values.words:
        return f"{described} -x -a {_quoted_in_fish(' '.join(option.values.words))}"
    kinds = {FILES: "-r -F", FOLDERS: "-x -a '(__fish_complete_directories)'", ANYTHING: "-x"}
    looked_up = f"-x -a '(__stackheap_names {option.values.kind})'"
    return f"{described} {kinds.get(option.values.kind, looked_up)}"
