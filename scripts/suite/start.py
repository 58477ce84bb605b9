"""How does a command of the suite begin and end, whatever the environment says?

    start.py run CODE COMMAND ARGS...     runs suite/commands/COMMAND.py; CODE is its exit code where it cannot judge
    start.py lacks MODULES...             prints "lacks", then the modules that cannot be imported
    start.py state MODULES...             prints a word that differs once a file of these modules has changed
    start.py explain MODULES...           says of each module that is there and cannot be used why

It runs under `python3 -E`: PYTHONHOME, PYTHONWARNINGS and their kind change nothing here, and still reach the programs
that the command starts. A Python before 3.10 prints no answer.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.util
import io
import os
import runpy
import signal
import site
import sys
import sysconfig
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INTERRUPTED = 130
MODULES = ("numpy", "rich", "jinja2", "matplotlib")  # of other projects; the commands use no others
REMEDY = "scripts/setup says what is missing, and scripts/setup --venv installs modules that fit each other"
# The part that fails where a module does not fit another one, or this Python: the module itself loads no more than it must.
USED = {"matplotlib": "matplotlib.backends.backend_agg", "rich": "rich.console"}


def search_path(installed: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Where modules are looked for, from Python's own folders. PYTHONPATH adds modules and replaces none: a folder of
    the user may hold a random.py. The current folder, which a relative or empty name means, is not searched."""
    installed = [folder for folder in installed if os.path.isabs(folder) and folder != os.path.join(SCRIPTS, "suite")]
    if environment.get("PYTHONNOUSERSITE"):
        installed = [folder for folder in installed if folder != site.getusersitepackages()]
    elif base := environment.get("PYTHONUSERBASE"):
        installed.append(sysconfig.get_path("purelib", sysconfig.get_preferred_scheme("user"), {"userbase": base}))
    added = environment.get("PYTHONPATH", "").split(os.pathsep)
    return [SCRIPTS, *installed, *filter(os.path.isabs, added)]


# ---- what scripts/setup asks


def lacking(names: Sequence[str]) -> list[str]:
    return [name for name, why in _unusable(names).items() if why]


def state_of(names: Sequence[str]) -> str:
    """Takes a tenth of the time that the imports take. What the modules import themselves is seen by its folder: whatever
    is installed or removed there changes it."""
    seen: list[object] = [sys.executable, sys.version, names, [(folder, _changed(folder)) for folder in sys.path if folder != SCRIPTS]]
    for name in names:
        spec = importlib.util.find_spec(name)
        for folder in spec.submodule_search_locations or () if spec else ():
            for inner, folders, files in os.walk(folder):
                folders[:] = sorted(below for below in folders if below != "__pycache__")
                seen += [(inner, file, _changed(os.path.join(inner, file))) for file in sorted(files)]
    return hashlib.sha256(repr(seen).encode(errors="surrogateescape")).hexdigest()


def _changed(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _unusable(names: Sequence[str]) -> dict[str, str]:
    """Why the suite cannot use these modules: empty for a module that it can use. scripts/setup waits no longer for all of
    them than STACKHEAP_PATIENCE says, so a module that hangs is found before; the modules after it are not tried."""
    patience = os.environ.get("STACKHEAP_PATIENCE", "")
    end = time.monotonic() + 0.8 * (float(patience) if patience.isdecimal() else 30.0)
    reasons: dict[str, str] = {}
    for name in names:
        if not reasons or time.monotonic() < end:
            reasons[name] = _why_unusable(name, end)
    return reasons


def _why_unusable(name: str, end: float) -> str:
    """Asked in a child: an import can also end its process, in any way, or never end. Where no child can be started, nothing
    is known against the module."""
    answer, answering = os.pipe()
    seconds = max(0.1, end - time.monotonic())
    try:
        child = os.fork()
    except OSError:
        os.close(answer)
        os.close(answering)
        return ""
    if child == 0:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            os.environ.pop("MPLBACKEND", None)  # as in suite.charts
            with contextlib.redirect_stdout(sys.stderr):  # what a module prints must not become part of the answer
                reason = _reason_of(name)
            os.write(answering, f"answer {reason}".encode(errors="replace")[:4000])
        finally:
            os._exit(0)
    os.close(answering)
    with open(answer, encoding="utf-8", errors="replace") as pipe:
        word, _, reason = pipe.read().partition(" ")
    _, status = os.waitpid(child, 0)
    if word == "answer":
        return reason
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number == signal.SIGALRM:
        return f"its import does not end within {seconds:.0f} s (STACKHEAP_PATIENCE)"
    return f"its import ends Python{f' with signal {number}' if number else ''}"


def _reason_of(name: str) -> str:
    try:
        module = importlib.import_module(name)
        if not hasattr(module, "__path__"):  # all modules that the suite needs are packages
            return f"{module.__file__} is another module of this name"
        if not module.__file__:  # an uninstalled package may leave it behind
            return "the folder is empty"
        importlib.import_module(USED.get(name, name))
    except BaseException as error:  # also one that ends the process
        return " ".join(str(error.__cause__ or error).split()) or type(error).__name__
    return ""


def explain(names: Sequence[str]) -> list[str]:
    reasons = _unusable([name for name in names if importlib.util.find_spec(name) is not None])
    return [f"{sys.executable} has module {name} but cannot use it: {why}" for name, why in reasons.items() if why]


# ---- a command


class _Output(io.FileIO):
    """Standard output. An error of a file names the file, and an error of this stream names the stream."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as problem:
            problem.filename = "standard output"
            if problem.errno == errno.EBADF:
                problem.strerror = "it is closed"
            raise


def _writes_text(encoding: str) -> bool:
    """Whether it is an encoding of texts, which can replace letters: idna and base64 are not."""
    try:
        return "x\n\u20ac".encode(encoding, "replace").startswith(b"x\n")
    except (LookupError, ValueError):
        return False


def prepare_streams() -> None:
    """A name may hold letters that this terminal does not have: they are replaced."""
    errors = sys.stderr
    assert isinstance(errors, io.TextIOWrapper)
    encoding = os.environ.get("PYTHONIOENCODING", "").partition(":")[0] or sys.stdout.encoding
    if _writes_text(encoding):
        errors.reconfigure(encoding=encoding)
    errors.reconfigure(errors="replace")
    output = io.BufferedWriter(_Output(sys.stdout.fileno(), "w", closefd=False))
    sys.stdout = io.TextIOWrapper(output, errors.encoding, "replace", line_buffering=output.isatty())


def run(command: str, refused: int) -> int:
    """Returns a code that the command documents, however it ends: after an error, Python itself ends with 1, which
    means "worse" to the caller."""

    def say(line: str) -> None:
        with contextlib.suppress(OSError):
            print(f"scripts/{command}: {line}", file=sys.stderr, flush=True)

    status = refused
    try:
        runpy.run_module(f"suite.commands.{command}", run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            say(end.code)
        status = refused if end.code == 2 or isinstance(end.code, str) else end.code or 0
    except KeyboardInterrupt:
        say("interrupted")
        status = INTERRUPTED
    except ImportError as problem:
        say(f"{next(iter(explain(MODULES)), ' '.join(str(problem).split()))}; {REMEDY}")
    except OSError as problem:
        say(_told(problem))
    except MemoryError:
        say("not enough memory")
    except Exception:
        problem_of_modules = next(iter(explain(MODULES)), "")
        if problem_of_modules:
            say(f"{problem_of_modules}; {REMEDY}")
        else:
            with contextlib.suppress(OSError):
                traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as problem:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if not isinstance(problem, BrokenPipeError):
                say(_told(problem))
            status = refused
    return status


def _told(problem: OSError) -> str:
    return f"{problem.filename}: {problem.strerror}" if problem.filename else problem.strerror or str(problem)


def main(question: str, *words: str) -> int:
    sys.path[:] = search_path(sys.path, os.environ)
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.pycache_prefix = os.environ.get("PYTHONPYCACHEPREFIX") or None
    if question == "lacks":
        if sys.version_info >= (3, 10):
            print("lacks", *lacking(words))
        return 0
    if question == "state":
        print(state_of(words))
        return 0
    if question == "explain":
        for line in explain(words):
            print(f"scripts/setup: {line}")
        return 0
    prepare_streams()
    refused, sys.argv[:] = int(words[0]), words[1:]
    return run(sys.argv[0], refused)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
