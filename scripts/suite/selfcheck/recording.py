"""What does it cost to record a program's calls of malloc, and to analyse the recording?

The program is the compiler proper, which compiles ten lines that include <map>, <regex> and <iostream>: millions of calls.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from suite.base import foreign
from suite.base.errors import BadInput, UnitFailed
from suite.base.failure import cause_in
from suite.base.foreign_program import run_foreign
from suite.program.command import Command, Observation, Tools, observe
from suite.program.recording import RECORDER
from suite.results.recording import Profile, read_profile

SECONDS = 60.0  # in which the compiler answers
SOURCE = """#include <iostream>
#include <map>
#include <regex>
int main(int argc, char** argv) {
  std::map<std::string, int> counts;
  for (int i = 1; i < argc; ++i)
    if (std::regex_match(argv[i], std::regex("[a-z]+"))) ++counts[argv[i]];
  for (const auto& [name, count] : counts) std::cout << name << ' ' << count << '\\n';
}
"""


class NotHere(Exception):
    """This machine lacks the program to record. The text is the reason."""


@dataclass(frozen=True)
class Cost:
    alone: tuple[float, ...]  # CPU time in s, user's and system's
    recorded: tuple[float, ...]
    bytes: int
    profile: Profile
    analysis_seconds: float
    analysis_bytes: int  # its peak resident memory


def measure(stackheap: Path, folder: Path, pairs: int) -> Cost:
    """Compiles without and with the recorder, in turns. Raises NotHere, BadInput and UnitFailed."""
    command = _compiler(folder)
    tools = Tools.beside(stackheap)
    recordings = folder / "recordings"
    recordings.mkdir()
    alone, recorded = [], []
    for _ in range(pairs):
        alone.append(_run(command, tools).cpu)
        recorder = stackheap.with_name(RECORDER)
        recorded.append(_run(command, tools, [recorder], {"STACKHEAP_RECORDING": str(recordings)}).cpu)
    files = sorted(recordings.glob("*.shr"))
    if len(files) != pairs:
        raise UnitFailed(f"{pairs} processes were recorded, but left {len(files)} recordings")
    analysis = _run([str(stackheap), f"--describe-recording={files[0]}"], tools)
    try:
        profile = read_profile(foreign.read_json(analysis.stdout.start))
    except (ValueError, BadInput) as problem:
        raise UnitFailed(f"{files[0].name}: {problem}") from None
    bytes_written = files[0].stat().st_size
    return Cost(tuple(alone), tuple(recorded), bytes_written, profile, analysis.wall, analysis.peak_resident)


def _compiler(folder: Path) -> list[str]:
    """The command that compiles, of GCC's compiler alone: its driver starts other programs."""
    driver = shutil.which("g++")
    if driver is None:
        raise NotHere("g++ is not installed")
    compiler = run_foreign([driver, "-print-prog-name=cc1plus"], SECONDS).output.strip()
    if not Path(compiler).is_absolute():
        raise NotHere(f"{driver} has no cc1plus")
    source, headers_in = folder / "ten_lines.cpp", folder / "ten_lines.ii"
    source.write_text(SOURCE)
    command = [driver, "-std=c++17", "-E", str(source), "-o", str(headers_in)]
    preprocessed = run_foreign(command, SECONDS)
    if preprocessed.exit_code != 0:
        raise UnitFailed(f"{driver} cannot compile: {cause_in(preprocessed.errors)}")
    return [compiler, "-quiet", "-std=c++17", "-O2", str(headers_in), "-o", str(folder / "ten_lines.s")]


def _run(words: Sequence[str], tools: Tools, preload: Sequence[Path] = (), environment: Mapping[str, str] = {}) -> Observation:
    """By the observer: the kernel would count the memory of this process as part of the peak of one that it starts itself."""
    run = observe(Command(tuple(words)), tools, preload, environment)
    if run.exit_code != 0 or not run.ended_itself:
        raise UnitFailed(f"{Path(words[0]).name}: {run.end}")
    return run
