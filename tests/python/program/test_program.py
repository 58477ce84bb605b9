"""Does the measuring program do what its users and the scripts rely on: names, results, context, and clear refusals?"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from suite.results.model import COUNTED_BESIDE
from suite.runner.program import Program, ask
from suite.selfcheck import verify
from support import ROOT, declarations
from support.measuring_program import Answer, available_mallocs, compiled, listed, measure, names, parsed, program, run

PROFILES = ("smoke", "quick", "full")
HARDWARE_COUNTERS = {"instructions", "cycles", "branch_misses", "cache_misses", "dtlb_misses"}
ONE_BENCHMARK = "--only=^scoped/none/bytes:64/touch:first$"


def benchmarks(*arguments: str) -> dict[str, list[str]]:
    return {family["name"]: family["benchmarks"] for family in listed(*arguments)["families"]}


def refused(answer: Answer) -> str:
    """The one line of a refusal."""
    assert answer.status == 2
    assert len(answer.complaints) == 1, answer.err
    assert answer.out == ""
    assert not re.search(r"terminate called|Aborted|Assertion|core dumped|what\(\)", answer.err)
    return answer.complaints[0]


# --list


@pytest.mark.parametrize("profile", PROFILES)
def test_names_are_unique_and_well_formed(profile: str) -> None:
    families = benchmarks(f"--profile={profile}")
    everything = [name for family in families.values() for name in family]
    assert [name for name, count in Counter(everything).items() if count > 1] == []
    for family, its_benchmarks in families.items():
        assert its_benchmarks
        form = re.compile(rf"{family}(/[a-z0-9_.-]+(\+stack)?)?(/[a-z0-9_]+:[a-z0-9_]+)+")
        assert [name for name in its_benchmarks if not form.fullmatch(name)] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_every_benchmark_belongs_to_one_part_of_its_family(profile: str) -> None:
    for family in listed(f"--profile={profile}")["families"]:
        parts = [re.compile(part) for part in family["parts"]]
        assert [name for name in family["benchmarks"] if sum(bool(part.search(name)) for part in parts) != 1] == []
    everything = [name for family in benchmarks(f"--profile={profile}").values() for name in family]
    for family in listed(f"--profile={profile}")["families"]:
        for part in family["parts"]:
            matched = [name for name in everything if re.search(part, name)]
            assert set(matched) <= set(family["benchmarks"]), f"{part} runs benchmarks of another family"


def test_every_chapter_has_a_question_and_families() -> None:
    chapters = {chapter["name"]: chapter["question"] for chapter in listed()["chapters"]}
    assert set(chapters) == {family["chapter"] for family in listed()["families"]}
    assert all(question.endswith("?") for question in chapters.values())


def test_each_family_says_what_a_reader_must_know() -> None:
    for family in listed()["families"]:
        assert family["question"].endswith("?")
        assert all(family[fact] for fact in ("name", "chapter", "operation", "untimed", "heap"))


def test_each_family_says_what_its_figures_are_held_against() -> None:
    """Its controls are benchmarks of its own; the strategy that makes no block is one wherever it is measured."""
    for family in listed()["families"]:
        said, controls = family["held_against"], family["controls"]
        assert said and said[-1] not in ".!", family["name"]
        assert said.startswith("no control: ") == (controls == ""), family["name"]
        found = [name for name in family["benchmarks"] if controls and re.search(controls, name)]
        idle = [name for name in family["benchmarks"] if name.startswith(f"{family['name']}/none/")]
        assert bool(found) == bool(controls) and set(idle) <= set(found), family["name"]
        assert len(found) < len(family["benchmarks"]), family["name"]


def test_the_core_set_of_the_gate_exists_and_is_small() -> None:
    quick = listed()["families"]
    expressions = [expression for family in quick for expression in family["core"]]
    everything = [name for family in quick for name in family["benchmarks"]]
    for family in quick:
        for expression in family["core"]:
            pattern = re.compile(expression.replace("malloc", "glibc"))
            assert any(pattern.search(name) for name in family["benchmarks"]), expression
    assert 30 <= sum(any(re.search(expression, name) for expression in expressions) for name in everything) <= 60
    assert [family["name"] for family in quick if family["gate_controls"]] == ["chase"]


def test_metrics_and_spread_are_declared() -> None:
    for family in listed()["families"]:
        assert 0 < family["spread"] < 1
        assert family["metrics"], family["name"]
        for metric in family["metrics"]:
            assert metric.keys() == {"counter", "unit", "more_is_worse", "least"}
            assert metric["unit"] and metric["more_is_worse"] in (True, False) and metric["least"] >= 0


def test_test_data_declares_what_the_program_declares() -> None:
    declared = {family["name"]: {"metrics": family["metrics"]} for family in listed()["families"]}
    assert set(declarations.COUNTED) <= declared.keys()
    assert declared == {name: declarations.of_family(name) for name in declared}


def test_each_strategy_is_available_or_says_why_not() -> None:
    strategies = listed()["strategies"]
    assert len(set(names(strategies))) == len(strategies)
    assert {"none", "stack_array", "alloca", "arena", "pool", "new_delete", "mmap", "glibc"} <= set(names(strategies))
    for strategy in strategies:
        assert strategy["what"]
        assert bool(strategy["reason"]) != strategy["available"]
    assert names([strategy for strategy in strategies if strategy["process"]]) == ["glibc"]


def test_the_independent_program_repeats_benchmarks_of_the_suite() -> None:
    independent = program().with_name(verify.INDEPENDENT)
    if not independent.exists():
        pytest.skip("the target independent is not built")
    repeated = subprocess.run([independent], capture_output=True, text=True, check=True).stdout.split()
    quick = {name for its_benchmarks in benchmarks("--profile=quick").values() for name in its_benchmarks}
    families = {name.split("/")[0] for name in quick}
    known = [name for name in repeated if name.split("/")[0] in families and "/core:" not in name]  # cores differ by machine
    assert known and [name for name in known if name not in quick] == []
    assert subprocess.run([independent, "scoped/nothing"]).returncode == 2
    measured = subprocess.run([independent, "spill/reload:register"], capture_output=True, text=True, check=True).stdout
    ns, trip = map(float, measured.split())
    assert 0 < ns < 1000 and trip == 0


def test_the_list_tells_the_clock_of_single_calls_and_two_lists_are_the_same_plan() -> None:
    timer = listed()["timer"]
    assert 0 < timer["step_ns"] < 1000 and 0 < timer["reading_ns"] < 10_000
    offered = [ask(Program(program(), "smoke")) for _ in range(2)]
    assert offered[0].timer is not None and offered[0].digest == offered[1].digest


def test_the_text_names_what_the_json_names() -> None:
    text = run("--list")
    assert text.status == 0
    for entry in [*listed()["families"], *listed()["strategies"]]:
        assert re.search(rf"^  {re.escape(entry['name'])} ", text.out, re.MULTILINE), entry["name"]


def test_the_text_has_the_chapters_in_reading_order_each_above_its_families() -> None:
    lines = run("--list").out.splitlines()
    wanted = [f"{chapter['name']}: {chapter['question']}" for chapter in listed()["chapters"]]
    assert [line for line in lines if line in wanted] == wanted
    for family in listed()["families"]:
        place = next(index for index, line in enumerate(lines) if line.startswith(f"  {family['name']} "))
        heading = next(line for line in reversed(lines[:place]) if line and not line.startswith(" "))
        assert heading.startswith(f"{family['chapter']}: ")


def test_only_chooses_what_is_listed_and_run() -> None:
    assert benchmarks(ONE_BENCHMARK) == {"scoped": ["scoped/none/bytes:64/touch:first"]}
    assert names(measure(ONE_BENCHMARK).rows) == ["scoped/none/bytes:64/touch:first"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_name_is_the_same_in_the_list_the_filter_and_the_results(form: str, tmp_path: Path) -> None:
    name = "overhead/glibc/bytes:64"  # timed once, to which Google Benchmark adds a suffix
    output = tmp_path / "run"
    written = measure(f"--benchmark_filter=^{name}$", f"--benchmark_out={output}", f"--benchmark_out_format={form}")
    assert names(written.rows) == [row["run_name"] for row in written.rows] == [name]
    if form == "json":
        assert parsed(output.read_text())["benchmarks"] == written.rows
    assert name in output.read_text() and "manual_time" not in output.read_text()
    repeated = run("--profile=smoke", f"--only=^{name}$", "--benchmark_repetitions=2", "--benchmark_format=json").out
    assert f'"name": "{name}_mean"' in repeated and "manual_time" not in repeated


# Results


def test_every_benchmark_of_the_smoke_profile_runs_and_none_is_wrong() -> None:
    for family in listed("--profile=smoke")["families"]:
        rows: list[dict[str, Any]] = []
        for part in family["parts"]:
            rows += measure(f"--benchmark_filter={part}").rows
        assert sorted(names(rows)) == sorted(family["benchmarks"])
        assert [row["error_message"] for row in rows if row.get("error_occurred")] == []
        for row in rows:
            assert row["real_time"] > 0 and row["time_unit"] == "ns" and row["run_type"] == "iteration"
            assert 0.05 < row["ns_per_addition"] < 5
            assert row.get("page_faults", 0) >= 0  # absent where the work is done in a child process


def test_each_benchmark_has_what_is_measured_beside_it() -> None:
    for row in measure(ONE_BENCHMARK).rows:
        assert all(row[counter] > 0.0 for counter in COUNTED_BESIDE)


def restricted(processor: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program, started where it may use only this processor."""
    return subprocess.run(
        [program(), *arguments], capture_output=True, text=True, timeout=60,
        preexec_fn=lambda: os.sched_setaffinity(0, {processor}),
    )  # fmt: skip


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs a second processor")
def test_a_program_that_may_use_a_single_processor_uses_no_other() -> None:
    other, last = sorted(os.sched_getaffinity(0))[0], sorted(os.sched_getaffinity(0))[-1]
    context = parsed(restricted(last, "--list=json").stdout)["context"]
    assert (context["affinity"], context["pinning"]) == (str(last), str(last))
    assert (context["cores"], context["processing_units"]) == ("1", "1")
    refusal = restricted(last, f"--pin={other}", "--list")
    assert refusal.returncode == 2
    assert refusal.stderr.startswith(f"stackheap: --pin={other}: this process may not use processor {other} (")


def test_malloc_settings_and_limits_of_the_environment_are_in_the_context() -> None:
    settings = {"MALLOC_CONF": "junk:true", "MIMALLOC_VERBOSE": "0", "TCMALLOC_A": "1", "TBB_MALLOC_B": "2"}
    settings |= {"SCUDO_OPTIONS": "a=b", "my_MALLOC_CONF": "junk:true", "RPMALLOC_C": ""}
    others = {"PYTHONMALLOC": "malloc", "A": "MALLOC_CONF=junk:true"}
    tunables = "glibc.rtld.optional_static_tls=9000:glibc.malloc.tcache_count=7"
    context = measure(ONE_BENCHMARK, environment={**settings, **others, "GLIBC_TUNABLES": tunables}).context
    texts = ["GLIBC_TUNABLES=glibc.malloc.tcache_count=7", *(f"{name}={value}" for name, value in settings.items())]
    assert context["malloc_settings"] == " ".join(sorted(texts))
    assert measure(ONE_BENCHMARK).context["malloc_settings"] == "", "the static TLS that the program itself asks for"
    soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
    assert context["stack_limit"] == ("unlimited" if soft == resource.RLIM_INFINITY else str(soft))
    assert context["overcommit_memory"] == Path("/proc/sys/vm/overcommit_memory").read_text().strip()


@pytest.mark.hostile("state of the machine")
@pytest.mark.parametrize(
    ("words", "scheduling"),
    [((), "normal"), (("nice", "-n", "7"), "normal, niceness 7"), (("chrt", "--batch", "0"), "batch")],
    ids=["as-it-is", "nice", "chrt"],
)
def test_how_the_system_schedules_the_program_is_in_the_context(words: tuple[str, ...], scheduling: str) -> None:
    if words and shutil.which(words[0]) is None:
        pytest.skip(f"there is no {words[0]}")
    if os.getpriority(os.PRIO_PROCESS, 0) != 0:
        pytest.skip("the tests themselves are nice")
    command = [*words, str(program()), "--list=json", "--only=^scoped/none/", "--tested="]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert parsed(done.stdout)["context"]["scheduling"] == scheduling


def test_the_context_holds_the_facts() -> None:
    context = measure(ONE_BENCHMARK).context
    facts = {
        "suite_version", "format", "profile", "seed", "compiler", "build_type", "build_flags", "library_build_type_note", "cores",
        "processing_units", "pinning", "topology", "counters", "process_malloc", "preloaded", "transparent_hugepages",
        "page_bytes", "affinity", "stack_limit", "address_space_limit", "data_limit", "scheduling", "overcommit_memory",
        "malloc_settings",
    }  # fmt: skip
    assert facts <= context.keys()
    assert all(isinstance(context[fact], str) for fact in facts)
    assert context["profile"] == "smoke"
    assert f"set(STACKHEAP_FORMAT {context['format']})\n" in (ROOT / "CMakeLists.txt").read_text()
    assert re.fullmatch(r"[0-9A-Za-z._/-]{4,99}", context.get("revision", "unknown"))
    assert context["preloaded"] == ""
    assert context["process_malloc"] == "glibc"
    assert 1 <= int(context["cores"]) <= int(context["processing_units"])
    assert {"date", "host_name", "executable", "num_cpus", "caches", "load_avg"} <= context.keys()
    for malloc in (strategy for strategy in listed()["strategies"] if strategy["file"] or strategy["reason"]):
        version = context[f"malloc.{malloc['name']}"]
        if malloc["available"]:
            assert version.endswith(f" {malloc['file']}") and os.path.exists(malloc["file"])
        else:
            assert version.startswith("not available: ") and malloc["reason"] in version


def test_counters_that_the_kernel_does_not_give_are_in_no_row() -> None:
    answer = measure("--only=^scoped/(none|glibc)/bytes:64/")
    counters = answer.context["counters"]
    given = set() if counters.startswith("none: ") else set(counters.split(","))
    assert given <= HARDWARE_COUNTERS
    for row in answer.rows:
        assert row.keys() & HARDWARE_COUNTERS <= given
        assert 0 not in [row[name] for name in ("instructions", "cycles") if name in row]


def test_the_file_holds_what_the_screen_shows(tmp_path: Path) -> None:
    out = tmp_path / "run.json"
    answer = measure(ONE_BENCHMARK, f"--benchmark_out={out}", "--benchmark_out_format=json")
    assert parsed(out.read_text()) == answer.results


@pytest.mark.parametrize("pin", ["none", "0"])
def test_pinning_stands_in_the_context(pin: str) -> None:
    if pin not in ("none", *map(str, os.sched_getaffinity(0))):
        pytest.skip("this process may not use that processor")
    assert measure(ONE_BENCHMARK, f"--pin={pin}").context["pinning"] == pin


def test_the_version_and_the_revision_are_those_of_a_result() -> None:
    answer = run("--version")
    context = listed()["context"]
    revision = context.get("revision", "unknown")
    assert (answer.status, answer.out) == (0, f"stackheap {context['suite_version']}, revision {revision}\n")


def test_help_names_the_options_of_both() -> None:
    answer = run("--help")
    assert answer.status == 0
    for option in ("--profile", "--allocator", "--only", "--pin", "--list", "--benchmark_filter"):
        assert option in answer.out


# Bad input

BAD = {
    "unknown option": (["--nope"], "--nope"),
    "stray word": (["scoped"], "scoped"),
    "unknown profile": (["--profile=slow"], "smoke, quick, full"),
    "near miss of a profile": (["--profile=smok"], "'smok'; did you mean smoke? (choose smoke, quick, full)"),
    "near miss of an option": (["--profil=smoke"], "'--profil=smoke'; did you mean --profile?"),
    "near miss of a family": (["--only=^scopd/"], "--only=^scopd/; did you mean scoped? (--list"),
    "near miss of a strategy": ([r"--only=\bscoped/stack_aray"], "; did you mean stack_array? (--list"),
    "profile without value": (["--profile"], "--profile"),
    "unknown processor": (["--pin=100000"], "100000"),
    "pin that is no list": (["--pin=0,x"], "0,x"),
    "pin that is empty": (["--pin="], "--pin="),
    "list of what": (["--list=xml"], "xml"),
    "only that matches nothing": (["--only=^no such family/"], "no such family"),
    "only that is no pattern": (["--only=("], "--only=("),
    "only that is too long": (["--only=" + "(" * 20_000], "longer than 1000 characters"),
    "filter that matches nothing": (["--benchmark_filter=^no such family/"], "no such family"),
    "filter that is no pattern": (["--benchmark_filter=("], "("),
    "unknown benchmark option": (["--benchmark_nope=1"], "--benchmark_nope=1"),
    "benchmark option of no number": (["--benchmark_min_time=long"], "long"),
    "format that is none": (["--benchmark_format=xml"], "xml"),
    "layout that is no number": (["--layout=any"], "--layout=any"),
    "layout below nothing": (["--layout=-1"], "--layout=-1: not a whole number from 0 to 18446744073709551615"),
    "limit of no time": (["--limit=0"], "--limit=0: not a whole number from 1 to 4294967295"),
    "limit with a unit": (["--limit=60s"], "--limit=60s"),
    "allocator without value": (["--allocator"], "--allocator"),
    "allocator without file": (["--allocator=mine"], "NAME=FILE"),
    "allocator of empty file": (["--allocator=mine="], "NAME=FILE"),
    "allocator of no name": (["--allocator==/lib/x.so"], "NAME=FILE"),
    "allocator of a bad name": (["--allocator=My Malloc=/lib/x.so"], "NAME=FILE"),
    "allocator of a taken name": (["--allocator=glibc=libc.so.6"], "taken"),
    "allocator with the name of the control": (["--allocator=none=libc.so.6"], "taken"),
    "allocator with the name of a strategy": (["--allocator=stack_array=libc.so.6"], "taken"),
    "allocator named twice": (["--allocator=a=libc.so.6", "--allocator=a=libc.so.6"], "taken"),
    "allocator that is not there": (["--allocator=mine=/no/such/file.so"], "/no/such/file.so"),
    "allocator that is no library": (["--allocator=mine=/etc/passwd"], "/etc/passwd"),
    "library that is no malloc": (["--allocator=mine=libm.so.6"], "libm.so.6"),
    "prefix the library does not have": (["--allocator=mine=libc.so.6,je_"], "je_malloc"),
    "output into no folder": ([ONE_BENCHMARK, "--benchmark_out=/no/such/folder/run.json"], "/no/such/folder/run.json"),
    "output onto a folder": ([ONE_BENCHMARK, "--benchmark_out=/"], "--benchmark_out=/: cannot be written (Is a directory)"),
    "output of no format": ([ONE_BENCHMARK, "--benchmark_out=/dev/null", "--benchmark_out_format=xml"], "xml"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_one_clear_line(case: str) -> None:
    arguments, message = BAD[case]
    assert message in refused(run(*arguments))


def test_a_file_that_cannot_be_replaced_is_refused_and_kept(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    kept = tmp_path / "run.json"
    kept.write_text("precious")
    kept.chmod(0o400)
    assert str(kept) in refused(run(ONE_BENCHMARK, f"--benchmark_out={kept}"))
    assert kept.read_text() == "precious"


def test_a_refused_run_leaves_no_file(tmp_path: Path) -> None:
    refused(run(f"--benchmark_out={tmp_path / 'run.json'}", "--benchmark_filter=^no such family/"))
    assert not (tmp_path / "run.json").exists() or (tmp_path / "run.json").stat().st_size == 0


@pytest.mark.hostile("disk fault")
def test_a_full_disk_is_noticed(tmp_path: Path) -> None:
    def no_more_than_a_kilobyte() -> None:  # a write past the limit fails as one on a full disk does
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    out = tmp_path / "run.json"
    done = subprocess.run(
        [program(), "--profile=smoke", ONE_BENCHMARK, f"--benchmark_out={out}"],
        preexec_fn=no_more_than_a_kilobyte,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if line.startswith("stackheap: ") and str(out) in line]


# Mallocs


def a_malloc() -> dict[str, Any]:
    """One that is neither glibc's nor prefixed."""
    mallocs = [malloc for name, malloc in available_mallocs().items() if name in ("jemalloc", "mimalloc", "tcmalloc")]
    if not mallocs:
        pytest.skip("needs jemalloc, mimalloc or tcmalloc")
    return mallocs[0]


def test_any_other_malloc_is_a_strategy_of_that_name() -> None:
    file = a_malloc()["file"]
    only = "--only=^scoped/mine.*/bytes:64/touch:first"
    answer = measure(f"--allocator=mine={file}", "--allocator", f"mine-2={file}", only)
    assert names(answer.rows) == ["scoped/mine/bytes:64/touch:first", "scoped/mine-2/bytes:64/touch:first"]
    assert answer.context["malloc.mine"].endswith(f" {file}")


def test_each_function_of_a_timed_loop_begins_at_a_cache_line() -> None:
    """Where a loop lies in its line changes its time: the code that is linked before it must not decide."""
    if shutil.which("nm") is None:
        pytest.skip("needs nm")
    listing = subprocess.run(["nm", program()], capture_output=True, text=True, check=True).stdout
    symbols = (line.split() for line in listing.splitlines() if line.endswith("9_M_invokeERKSt9_Any_dataS2_"))
    of_a_state = "_ZNSt17_Function_handlerIFvRN9benchmark5StateEEZN9stackheap18benchmark_registry3addI"
    functions = {name: int(address, 16) for address, _, name in symbols if name.startswith(of_a_state)}
    assert len(functions) > 100
    assert [name for name, address in functions.items() if address % 64 != 0] == []


@pytest.mark.parametrize("name", ["glibc", "mimalloc", "jemalloc", "tcmalloc", "tbbmalloc", "tbbmalloc_proxy"])
def test_a_malloc_given_as_a_file_says_the_version_that_its_row_says(name: str, tmp_path: Path) -> None:
    malloc = available_mallocs().get(name)
    if malloc is None:
        pytest.skip(f"needs {name}")
    # Of the C library there is only one in a process; the proxy finds its library beside itself.
    file = malloc["file"] if name in ("glibc", "tbbmalloc_proxy") else shutil.copy(malloc["file"], tmp_path / "libmine.so.9.9.9")
    prefix = ",scalable_" if name == "tbbmalloc" else ""
    mine = next(row for row in listed(f"--allocator=mine={file}{prefix}")["strategies"] if row["name"] == "mine")
    assert mine["version"] == malloc["version"] != "" and mine["available"]


@pytest.mark.parametrize(
    "fault, version", [("PATCH=", "7.3"), ("PATCH=rc\\n1", "unknown"), ("CRASHES", "unknown"), ("ENDS", "unknown")]
)
def test_a_library_whose_version_cannot_be_had_is_measured_without(fault: str, version: str, tmp_path: Path) -> None:
    define = f'-D{fault.replace("=", "=" + chr(34))}"' if "=" in fault else f"-D{fault}"
    library = compiled("tests/hostile/version.cpp", tmp_path, define).rename(tmp_path / "libmine.so.4.5.10")
    answer = measure(f"--allocator=mine={library},whole_", "--only=^scoped/mine/bytes:64/touch:first")
    assert names(answer.rows) == ["scoped/mine/bytes:64/touch:first"]
    assert answer.context["malloc.mine"] == f"{version} {library}", "the name of a file tells another version"


def test_a_library_that_calls_the_programs_malloc_is_not_available(tmp_path: Path) -> None:
    """Loaded after the program, its calloc gives the memory of the C library's malloc, which would be measured instead."""
    library = compiled("tests/hostile/inner_calls.cpp", tmp_path, "-fno-builtin")
    bound = tmp_path / "bound"
    bound.mkdir()
    mended = compiled("tests/hostile/inner_calls.cpp", bound, "-fno-builtin", "-Wl,-Bsymbolic")
    rows = listed(f"--allocator=mine={library}", f"--allocator=mended={mended}")["strategies"]
    reason, available = (next(row for row in rows if row["name"] == name) for name in ("mine", "mended"))
    assert "calloc, posix_memalign gave memory of the C library's malloc" in reason["reason"]
    assert available["available"]


def test_a_malloc_of_this_folder_is_that_and_not_the_systems(tmp_path: Path) -> None:
    (tmp_path / "libm.so.6").write_text("no library")
    done = subprocess.run(
        [program(), "--allocator=mine=libm.so.6"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "invalid ELF header" in done.stderr or "file too short" in done.stderr


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_a_malloc_that_cannot_be_loaded_is_said_once_and_the_run_goes_on(tmp_path: Path, broken: int) -> None:
    # An empty file that is found before the real one stands for a library that is damaged.
    for soname in ("libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so")[:broken]:
        (tmp_path / soname).touch()
    only = "--only=^scoped/(none|mimalloc)/bytes:64/touch:first"
    answer = measure(only, environment={"LD_LIBRARY_PATH": str(tmp_path)})
    warnings = [line for line in answer.err.splitlines() if line.startswith("not available: mimalloc: ")]
    if broken < 3 and "scoped/mimalloc/bytes:64/touch:first" in names(answer.rows):
        assert warnings == []  # one of the other names serves
        return
    assert len(warnings) == 1
    assert "file too short" in warnings[0] and warnings[0].endswith("(install: libmimalloc2.0)")
    assert names(answer.rows) == ["scoped/none/bytes:64/touch:first"]
    assert answer.context["malloc.mimalloc"] == warnings[0].replace("not available: mimalloc: ", "not available: ")


def test_a_preloaded_malloc_is_said_and_is_the_processs_own() -> None:
    malloc = a_malloc()
    only = f"--only=^scoped/({malloc['name']}|glibc|process)/bytes:64/touch:first"
    answer = measure(only, environment={"LD_PRELOAD": malloc["file"]})
    assert malloc["file"] in answer.err
    assert answer.context["preloaded"] == malloc["file"]
    assert answer.context["process_malloc"] == malloc["name"]
    assert set(names(answer.rows)) == {f"scoped/{name}/bytes:64/touch:first" for name in ("glibc", malloc["name"])}
    assert answer.context["malloc.glibc"] == measure(ONE_BENCHMARK).context["malloc.glibc"]


def test_a_preloaded_malloc_without_a_row_gets_a_row() -> None:
    only, file = "--only=^scoped/process/bytes:64/touch:first", "libtcmalloc_minimal_debug.so.4"
    answer = run("--profile=smoke", "--benchmark_format=json", only, environment={"LD_PRELOAD": file})
    if "cannot be preloaded" in answer.err:
        pytest.skip(f"needs {file}")
    assert answer.context["process_malloc"] == "process"
    assert file in answer.context["malloc.process"]
    assert re.match(r"[0-9.]+ /", answer.context["malloc.process"])
    assert names(answer.rows) == ["scoped/process/bytes:64/touch:first"]


def tunables_of(process: int) -> str:
    try:
        words = Path(f"/proc/{process}/environ").read_text().split("\0")
    except OSError:  # it is just executing itself
        return ""
    # glibc before 2.39 ends each tunable in place with a zero instead of a colon.
    text = ":".join(words)
    match = re.search(r"(?:^|:)GLIBC_TUNABLES=((glibc\.[^:]*:?)*)", text)
    return match[1].strip(":") if match else ""


def tunables_once_running(tunables: str | None) -> str:
    """GLIBC_TUNABLES of a process that measures, after it has executed itself once more."""
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    if tunables is not None:
        environment["GLIBC_TUNABLES"] = tunables
    long_lasting = [str(program()), "--only=^scoped/none/bytes:1048576/touch:all$", "--benchmark_min_time=600"]
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(long_lasting, env=environment, stdout=nowhere, stderr=nowhere) as running:
        try:
            until = time.monotonic() + 20
            while time.monotonic() < until and running.poll() is None:
                if "glibc.rtld.optional_static_tls=" in (current := tunables_of(running.pid)):
                    return current
                time.sleep(0.01)
            return "never set"
        finally:
            running.kill()


def test_the_tunables_of_the_user_are_kept() -> None:
    added = r"glibc\.rtld\.optional_static_tls=\d+"
    assert re.fullmatch(added, tunables_once_running(None))
    kept = "glibc.malloc.tcache_count=3:glibc.malloc.perturb=0"
    assert re.fullmatch(f"{kept}:{added}", tunables_once_running(kept))
    chosen = "glibc.rtld.optional_static_tls=131072"
    assert tunables_once_running(chosen) == chosen


def test_no_malloc_is_refused_for_want_of_static_storage() -> None:
    assert [strategy for strategy in listed()["strategies"] if "static TLS" in strategy["reason"]] == []
