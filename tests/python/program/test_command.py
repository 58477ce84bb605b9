"""Is a user's command run once as it is, is what it took measured, and does nothing of it stay behind?"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from suite.base.errors import UnitFailed
from suite.base.text import time_text
from suite.program.command import KEPT_BYTES, Command, Observation, SetupFailed, Tools, observe
from suite.program.mallocs import read_proof
from suite.program.pairs import PROBE_FILE
from suite.runner.preload import _folder, name_in_preload
from support import ROOT
from support.measuring_program import program

MIB = 1 << 20
SECONDS = 1000  # of a process that has to be killed


def tools() -> Tools:
    return Tools.beside(program())


def run(*words: str, stdin: Path | None = None, setup: str | None = None, timeout: float = 60.0) -> Observation:
    return observe(Command(words, stdin, setup, timeout), tools())


def shell(text: str, stdin: Path | None = None, setup: str | None = None, timeout: float = 60.0) -> Observation:
    return run("sh", "-c", text, stdin=stdin, setup=setup, timeout=timeout)


def python(text: str, timeout: float = 60.0) -> Observation:
    return run(sys.executable, "-ISc", text, timeout=timeout)


def is_alive(process: int) -> bool:
    """A process that nobody has waited for yet is dead all the same."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


# ---- how it ends


def test_exit_codes_signals_and_output_are_those_of_the_command() -> None:
    seen = shell("printf out; printf err >&2; exit 3")
    assert (seen.exit_code, seen.end, seen.ended_itself) == (3, "exit code 3", True)
    assert (seen.stdout.start, seen.stdout.size) == (b"out", 3)
    assert seen.stdout.digest == hashlib.sha256(b"out").hexdigest()
    assert (seen.stderr.start, seen.stderr.cause) == (b"err", "err")
    killed = shell("kill -SEGV $$")
    assert (killed.exit_code, killed.end, killed.ended_itself) == (-signal.SIGSEGV, "killed by SIGSEGV", False)


def test_words_reach_the_command_as_they_are() -> None:
    seen = run("printf", "%s|", "a b", "", "--report=9", "*", "$HOME")
    assert seen.stdout.start == b"a b||--report=9|*|$HOME|"
    assert Command(("a b", "c")).text == "'a b' c" and Command(("/x/prog", "c")).name == "prog"


def test_a_large_output_is_read_through_bounded_memory() -> None:
    size = 1000 * MIB
    seen = run("head", "-c", str(size), "/dev/zero")
    assert (seen.exit_code, seen.stdout.size, len(seen.stdout.start)) == (0, size, KEPT_BYTES)


def test_a_closed_output_is_an_empty_output() -> None:
    seen = shell("exec >&- 2>&-; exit 4")
    assert (seen.exit_code, seen.stdout.size, seen.stderr.size) == (4, 0, 0)


@pytest.mark.hostile("measured program")
def test_a_command_that_never_ends_is_killed_with_its_children() -> None:
    seen = shell(f"sleep {SECONDS} & echo $!; setsid sleep {SECONDS} & echo $!; wait", timeout=3)
    assert (seen.timed_out, seen.end, seen.ended_itself) == (3, "did not end within 3 s", False)
    children = [int(line) for line in seen.stdout.start.split()]
    assert len(children) == 2 and not any(map(is_alive, children))


@pytest.mark.hostile("measured program")
def test_a_stopped_command_is_killed_too() -> None:
    assert shell("kill -STOP $$", timeout=0.5).timed_out == 0.5


@pytest.mark.hostile("state of the machine")
def test_a_command_that_is_stopped_and_goes_on_is_disturbed() -> None:
    seen = shell("(sleep 0.05; kill -CONT $$) & kill -STOP $$; wait")
    assert seen.disturbance is not None and 0.0 < seen.disturbance.stopped < seen.wall
    assert f"was stopped for {time_text(seen.disturbance.stopped * 1e9)}" in seen.disturbance.reasons


@pytest.mark.hostile("measured program")
def test_a_command_that_stops_its_parent_is_killed_too() -> None:
    seen = shell(f"kill -STOP $PPID; echo $$; sleep {SECONDS}", timeout=0.5)
    assert seen.timed_out == 0.5 and not is_alive(int(seen.stdout.start))


@pytest.mark.hostile("measured program")
def test_a_command_that_ignores_signals_is_killed_too() -> None:
    assert shell(f"trap '' TERM INT HUP; sleep {SECONDS}", timeout=0.5).timed_out == 0.5


@pytest.mark.hostile("measured program")
@pytest.mark.parametrize("away", ["{} &", "setsid {} &", "(setsid {} &) &", "(trap '' HUP TERM; {}) &"])
def test_what_goes_into_the_background_is_killed_and_counted(tmp_path: Path, away: str) -> None:
    file = shlex.quote(str(tmp_path / "number"))
    child = away.format(f"sh -c 'echo $$ > {file}; exec sleep {SECONDS}'")
    seen = shell(f"{child} while [ ! -s {file} ]; do sleep 0.01; done; cat {file}")
    assert seen.exit_code == 0 and seen.left_behind >= 1
    assert not is_alive(int(seen.stdout.start))


@pytest.mark.hostile("measured program")
def test_a_daemon_is_killed_and_counted() -> None:
    seen = python(
        "import os, time\nreader, writer = os.pipe()\n"
        "if os.fork(): os.close(writer); os.write(1, os.read(reader, 99)); os._exit(0)\n"
        "os.setsid()\nif os.fork(): os._exit(0)\n"
        f"os.write(writer, str(os.getpid()).encode()); os.closerange(1, 99); time.sleep({SECONDS})"
    )
    assert (seen.exit_code, seen.left_behind) == (0, 1)
    assert not is_alive(int(seen.stdout.start))


@pytest.mark.hostile("measured program")
def test_hundreds_of_processes_left_behind_are_all_killed() -> None:
    seen = shell(f"for i in $(seq 300); do sleep {SECONDS} & done")
    assert (seen.exit_code, seen.left_behind) == (0, 300)


def test_a_command_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    with pytest.raises(UnitFailed, match="it cannot be started: /no/such/program: No such file or directory"):
        run("/no/such/program")
    script = tmp_path / "script"
    script.write_text('echo "$0 $1 $#"')
    script.chmod(0o755)
    assert run(str(script), "a b", "c").stdout.start.decode() == f"{script} a b 2\n", "as every shell does"
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"\x7fELF" + bytes(100))
    damaged.chmod(0o755)
    with pytest.raises(UnitFailed, match="Exec format error"):
        run(str(damaged))


def announces_itself(file: Path) -> str:
    """For a shell: writes the shell's number into the file at once, and then never ends."""
    name = shlex.quote(str(file))
    return f"echo $$ > {name}.new; mv {name}.new {name}; sleep {SECONDS}"


def when_started(suite: subprocess.Popen[bytes], file: Path) -> int:
    while not file.exists():
        assert suite.poll() is None
        time.sleep(0.01)
    return int(file.read_text())


@pytest.mark.hostile("signal")
def test_an_interrupt_leaves_no_process(tmp_path: Path) -> None:
    """As with Ctrl-C in a terminal: the signal reaches this program, and the command is in another session."""
    text = (
        "import sys; from pathlib import Path; from suite.program.command import *\n"
        f"observe(Command(('sh', '-c', {announces_itself(tmp_path / 'child')!r})), "
        f"Tools(Path({str(tools().observe)!r}), Path()))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    suite = subprocess.Popen([sys.executable, "-c", text], env=environment, stderr=subprocess.DEVNULL)
    try:
        process = when_started(suite, tmp_path / "child")
        suite.send_signal(signal.SIGINT)
        assert suite.wait(30) != 0
    finally:
        suite.kill()
    assert not is_alive(process)


@pytest.mark.hostile("signal")
def test_a_killed_suite_leaves_no_process(tmp_path: Path) -> None:
    words = [str(tools().observe), "/bin/sh", "sh", "-c", announces_itself(tmp_path / "child")]
    starter = f"import subprocess; subprocess.Popen({words!r}).wait()"
    suite = subprocess.Popen([sys.executable, "-Ic", starter], stderr=subprocess.DEVNULL)
    process = when_started(suite, tmp_path / "child")
    suite.kill()
    suite.wait()
    deadline = time.monotonic() + 30
    while is_alive(process) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(process)


# ---- what it is given


def test_the_input_is_empty_or_a_file_that_is_read_anew_each_time(tmp_path: Path) -> None:
    assert run("cat").stdout.size == 0
    file = tmp_path / "input"
    file.write_bytes(b"words\n")
    assert [run("cat", stdin=file).stdout.start for _ in range(2)] == [b"words\n"] * 2


def test_an_input_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, secret = tmp_path / "pipe", tmp_path / "secret"
    os.mkfifo(pipe)
    secret.touch()
    monkeypatch.setattr(os, "access", lambda file, mode: Path(file) != secret)  # root may read every file
    reasons = {
        tmp_path / "missing": "does not exist", tmp_path: "is a folder", pipe: "is not a file",
        secret: r"cannot be read \(Permission denied\)", tmp_path / ("x" * 300): r"cannot be read \(File name too long\)",
    }  # fmt: skip
    for file, reason in reasons.items():
        with pytest.raises(UnitFailed, match=f"^--stdin {file} {reason}; accepted: a file that can be read again"):
            run("cat", stdin=file)


def test_a_command_that_reads_the_terminal_gets_none() -> None:
    seen = shell("cat /dev/tty")
    assert seen.exit_code != 0 and "No such device" in seen.stderr.cause


def test_the_environment_is_the_users_with_their_preload_behind_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SETTING", "kept")
    monkeypatch.setenv("LD_PRELOAD", str(tools().probe))
    text = 'printf "%s %s" "$A_SETTING" "$LD_PRELOAD"'
    assert shell(text).stdout.start.decode() == f"kept {tools().probe}"
    ours = (
        Path("/usr/lib/libc.so.6")
        if not Path("/lib/x86_64-linux-gnu/libc.so.6").exists()
        else Path("/lib/x86_64-linux-gnu/libc.so.6")
    )
    seen = observe(Command(("sh", "-c", text)), tools(), [ours])
    assert seen.stdout.start.decode() == f"kept {ours}:{tools().probe}"


def test_signals_reach_the_command_as_usual() -> None:
    """Python ignores SIGPIPE, and the observer blocks some signals: the command must inherit neither."""
    masks = [
        line.split(b"\t")[1]
        for line in run("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status").stdout.start.splitlines()
    ]
    assert [int(mask, 16) for mask in masks] == [0, 0]


def test_a_setup_runs_before_and_is_not_measured(tmp_path: Path) -> None:
    file = shlex.quote(str(tmp_path / "made"))
    burn = shlex.join([sys.executable, "-ISc", BURN])
    seen = shell(f"cat {file}", setup=f"echo x >> {file}; {burn}")
    assert seen.stdout.start == b"x\n"
    assert seen.cpu < 0.3


def test_a_setup_that_fails_says_why() -> None:
    with pytest.raises(SetupFailed, match=r"the setup failed: exit code 4 \(no room\)"):
        shell("true", setup="echo no room >&2; exit 4")
    with pytest.raises(SetupFailed, match="the setup failed: did not end within 0.5 s"):
        shell("true", setup=f"sleep {SECONDS}", timeout=0.5)


# ---- what it took

BURN = "import time\nwhile time.thread_time() < 0.3: pass\n"


def test_cpu_time_is_that_of_the_whole_tree() -> None:
    assert python(BURN).cpu >= 0.3
    waited_for = python(f"import os\nif not os.fork():\n    exec({BURN!r}); os._exit(0)\nos.wait()\n{BURN}")
    assert waited_for.cpu >= 0.6
    orphan = python(
        "import os\nreader, writer = os.pipe()\nif not os.fork():\n    if not os.fork():\n"
        f"        exec({BURN!r}); os.write(writer, b'.')\n    os._exit(0)\nos.wait(); os.read(reader, 1)"
    )
    assert orphan.cpu >= 0.3


def test_cpu_time_is_that_of_all_threads() -> None:
    work = f"import threading\nthreads = [threading.Thread(target=exec, args=({BURN!r}, dict())) for _ in range(2)]\n"
    assert python(f"{work}[thread.start() for thread in threads]; [thread.join() for thread in threads]").cpu >= 0.6


def test_wall_time_includes_waiting_and_cpu_time_does_not() -> None:
    seen = run("sleep", "0.5")
    assert seen.wall >= 0.5 > seen.cpu


def test_peak_memory_is_that_of_the_largest_process_and_not_that_of_this_suite() -> None:
    ballast = bytearray(64 * MIB)
    assert run("true").peak_resident < 16 * MIB
    del ballast
    small, large = python("pass"), python(f"b = bytearray({100 * MIB})")
    assert large.peak_resident - small.peak_resident == pytest.approx(100 * MIB, rel=0.05)
    assert large.page_faults > small.page_faults
    child = f"import os\nif not os.fork(): b = bytearray({100 * MIB}); os._exit(0)\nos.wait()"
    assert python(child).peak_resident > 100 * MIB


# ---- whose malloc it had


def probed(tmp_path: Path, *words: str) -> tuple[Observation, str]:
    lines = tmp_path / "lines"
    lines.write_bytes(b"")
    seen = observe(Command(words), tools(), [tools().probe], {PROBE_FILE: str(lines)})
    return seen, lines.read_text()


def test_the_probe_names_the_file_of_malloc_in_each_process(tmp_path: Path) -> None:
    seen, lines = probed(tmp_path, "env", "sh", "-c", "true; /bin/true; /bin/true")
    rows = [line.split("\t")[:3] for line in lines.splitlines()]
    names = [line.split("\t")[3] for line in lines.splitlines()]
    assert names == ["env", "sh", "true", "true"]
    assert {Path(malloc_file).name.partition(".so")[0] for _, malloc_file, _ in rows} <= {
        "libc",
        "libc-2",
        "ld-musl-x86_64",
    }
    of_first = [Path(file).name for process, _, file in rows if process == str(seen.process)]
    assert of_first[0] in ("env", "coreutils") and len(of_first) == 2, "env, and after exec the shell"
    assert len(rows) == 4
    proof = read_proof(lines, seen.process)
    assert len(proof.processes) == 3 and not proof.definer


@pytest.mark.hostile("measured program")
def test_a_program_cannot_forge_a_line_of_the_probe(tmp_path: Path) -> None:
    """By its own name; the end of a line is only that of a line."""
    forged = tmp_path / "x\n1\tfake malloc\tfake file\tfake"
    shutil.copy("/bin/true", forged)
    seen, lines = probed(tmp_path, str(forged))
    proof = read_proof(lines, seen.process)
    assert [process.name for process in proof.processes] == ["x?1?fake malloc?fake file?fake"]


@pytest.mark.hostile("measured program")
@pytest.mark.parametrize("letter", "\x0b\x0c\x1c\x85\u2028\u2029", ids=ascii)
def test_a_line_of_the_probe_ends_only_where_the_probe_ends_it(letter: str) -> None:
    line = f"7\t/lib/libc.so\t/home/a{letter}b/x\tx"
    assert [process.program for process in read_proof(f"{line}\n", 7).processes] == [f"/home/a{letter}b/x"]


POOL = (
    "#include <stddef.h>\nstatic char pool[1 << 20]; static size_t used;\n"
    "void *malloc(size_t n) { void *p = pool + used; used += (n + 15) & ~(size_t)15; return p; }\n"
    "void free(void *p) { (void)p; }\n"
)


def compiled(text: str, target: Path, *options: str) -> Path:
    source = target.with_suffix(".c")
    source.write_text(text)
    subprocess.run(["cc", "-O0", "-fno-builtin", *options, source, "-o", target], check=True)
    return target


def test_a_program_that_defines_malloc_is_found_out(tmp_path: Path) -> None:
    own = compiled(f"{POOL}int main(void) {{ return malloc(10) == NULL; }}\n", tmp_path / "own", "-rdynamic")
    seen, lines = probed(tmp_path, str(own))
    assert seen.exit_code == 0
    assert read_proof(lines, seen.process).definer == "own"


def test_a_program_that_takes_the_address_of_malloc_does_not_define_it(tmp_path: Path) -> None:
    """Debian's python3 is such a program: at a fixed address, its own jump to malloc is what dlsym finds."""
    text = "#include <stdlib.h>\nvoid *(*volatile taken)(size_t) = malloc;\nint main(void) { return taken(10) == NULL; }\n"
    fixed = compiled(text, tmp_path / "fixed", "-fno-pie", "-no-pie")
    library = compiled(POOL, tmp_path / "libpool.so", "-shared", "-fPIC")
    for preload, name in (((), "libc"), ((library,), "libpool")):
        lines = tmp_path / "lines"
        lines.write_bytes(b"")
        seen = observe(Command((str(fixed),)), tools(), [*preload, tools().probe], {PROBE_FILE: str(lines)})
        proof = read_proof(lines.read_text(), seen.process)
        assert seen.exit_code == 0 and not proof.definer
        assert [Path(process.malloc).name.partition(".so")[0].partition("-")[0] for process in proof.processes] == [name]


def test_a_build_without_the_tools_says_what_to_do(tmp_path: Path) -> None:
    from suite.base.errors import BadInput

    with pytest.raises(BadInput, match="observe does not exist: build the suite again"):
        Tools.beside(tmp_path / "stackheap")


# ---- what is preloaded


@pytest.mark.parametrize("folder", ["a folder", "a:b", "plain"])
def test_a_library_is_preloaded_from_any_folder(tmp_path: Path, folder: str) -> None:
    """LD_PRELOAD ends a path at a space and at a colon: a checkout in such a folder would measure nothing."""
    library = tmp_path / folder / "libprobe.so"
    library.parent.mkdir()
    shutil.copy(tools().probe, library)
    maps = observe(Command(("cat", "/proc/self/maps")), tools(), (library,))
    assert (maps.exit_code, maps.stderr.start) == (0, b"")
    assert f" {library}\n".encode() in maps.stdout.start


def test_a_link_for_ld_preload_lies_where_it_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    libraries = [tmp_path / "x y" / "lib z.so", tmp_path / "x y" / "other" / "lib z.so"]
    for library in libraries:
        library.parent.mkdir(parents=True)
        library.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "x y"))
    _folder().cleanup()
    _folder.cache_clear()
    names = [name_in_preload(library) for library in libraries]
    assert len(set(names)) == 2 and not re.search(r"[\s:]", "".join(names))
    assert all(os.path.samefile(name, library) for name, library in zip(names, libraries))
    _folder().cleanup()
    _folder.cache_clear()
    assert not any(os.path.exists(name) for name in names)
