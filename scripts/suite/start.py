"""How does a command of the suite begin and end, whatever the environment says?

    start.py run CODE COMMAND ARGS...     runs suite/commands/COMMAND.py; CODE is its exit code where it cannot judge
    start.py lacks import|find MODULES... prints "lacks", then the modules that cannot be imported, or cannot be found
    start.py explain MODULES...           says of each module that is there and cannot be used why

It runs under `python3 -E`: PYTHONHOME, PYTHONWARNINGS and their kind change nothing here, and still reach the programs
that the command starts. A Python before 3.10 prints no answer.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import importlib.util
import io
import os
import runpy
import site
import sys
import sysconfig
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


def lacking(how: str, names: Sequence[str]) -> list[str]:
    return [name for name in names if not (_imported(name) if how == "import" else _found(name))]


def _imported(name: str) -> bool:
    return not _why_unusable(name)


def _found(name: str) -> bool:
    """Takes a tenth of the time that the import takes."""
    try:
        spec = importlib.util.find_spec(name)
    except Exception:
        return False
    return spec is not None and spec.origin is not None and spec.submodule_search_locations is not None


def _why_unusable(name: str) -> str:
    """Empty if the suite can use the module. Asked in a child: an import can also end its process, in any way."""
    answer, answering = os.pipe()
    child = os.fork()
    if child == 0:
        try:
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
    return f"its import ends Python{f' with signal {os.WTERMSIG(status)}' if os.WIFSIGNALED(status) else ''}"


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
    reasons = {name: _why_unusable(name) for name in names if importlib.util.find_spec(name) is not None}
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


def prepare_streams() -> None:
    """A name may hold letters that this terminal does not have: they are replaced."""
    errors = sys.stderr
    assert isinstance(errors, io.TextIOWrapper)
    encoding = os.environ.get("PYTHONIOENCODING", "").partition(":")[0] or sys.stdout.encoding
    with contextlib.suppress(LookupError):
        codecs.lookup(encoding)
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
            print("lacks", *lacking(words[0], words[1:]))
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
