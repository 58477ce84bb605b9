"""What does it cost to record a program's calls of malloc, and to analyse the recording?

The program is the compiler proper, which compiles ten lines that include <map>, <regex> and <iostream>: millions of calls.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from suite.base.errors import BadInput, UnitFailed
from suite.results.recording import Profile, read_profile
from suite.runner.preload import PRELOAD, name_in_preload

RECORDER = "recorder"  # CMake's name for it, which is not its file's
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
    """Compiles without and with the recorder, in turns. Raises NotHere and UnitFailed."""
    command = _compiler(folder)
    recordings = folder / "recordings"
    recordings.mkdir()
    recorder = {PRELOAD: name_in_preload(stackheap.with_name("librecorder.so")), "STACKHEAP_RECORDING": str(recordings)}
    alone, recorded = [], []
    for _ in range(pairs):
        alone.append(_run(command, {}).cpu_seconds)
        recorded.append(_run(command, recorder).cpu_seconds)
    files = sorted(recordings.glob("*.shr"))
    if len(files) != pairs:
        raise UnitFailed(f"{pairs} processes were recorded, but left {len(files)} recordings")
    analysis = _run([str(stackheap), f"--describe-recording={files[0]}"], {})
    try:
        profile = read_profile(json.loads(analysis.output))
    except (ValueError, BadInput) as problem:
        raise UnitFailed(f"{files[0].name}: {problem}") from None
    bytes_written = files[0].stat().st_size
    return Cost(tuple(alone), tuple(recorded), bytes_written, profile, analysis.seconds, analysis.peak_bytes)


def _compiler(folder: Path) -> list[str]:
    """The command that compiles, of GCC's compiler alone: its driver starts other programs."""
    driver = shutil.which("g++")
    if driver is None:
        raise NotHere("g++ is not installed")
    asked = [driver, "-print-prog-name=cc1plus"]
    compiler = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    if not Path(compiler).is_absolute():
        raise NotHere(f"{driver} has no cc1plus")
    source, headers_in = folder / "ten_lines.cpp", folder / "ten_lines.ii"
    source.write_text(SOURCE)
    _run([driver, "-std=c++17", "-E", str(source), "-o", str(headers_in)], {})
    return [compiler, "-quiet", "-std=c++17", "-O2", str(headers_in), "-o", str(folder / "ten_lines.s")]


@dataclass(frozen=True)
class _Ended:
    output: bytes
    seconds: float
    cpu_seconds: float
    peak_bytes: int


def _run(command: Sequence[str], environment: Mapping[str, str]) -> _Ended:
    began = time.monotonic()
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as child:
        output = child.stdout.read() if child.stdout else b""
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise UnitFailed(f"{Path(command[0]).name} ended with exit code {child.returncode}")
    seconds = time.monotonic() - began
    return _Ended(output, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10)
