"""Does what one malloc library changes of its process reach another's figures, or the numbers of a result?"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from suite.runner.program import Program, ask
from support.measuring_program import Answer, measure, program

ONLY = "--only=^scoped/(glibc|changed|witness)/bytes:64/touch:first"
CHANGES = {
    "niceness": " to 7", "scheduling": " to batch", "processors": " to ", "rounding mode": "nearest to upward",
    "subnormal numbers": "kept to zero", "huge pages": "as the system allows to off", "stack limit": f" to {1 << 20}",
}  # fmt: skip


# As in de_DE, whose whole source takes seconds.
GERMAN_NUMBERS = """comment_char %
escape_char /
LC_NUMERIC
decimal_point ","
thousands_sep "."
grouping 3;3
END LC_NUMERIC
""" + "".join(
    f'LC_{part}\ncopy "POSIX"\nEND LC_{part}\n' for part in ("CTYPE", "COLLATE", "MONETARY", "TIME", "MESSAGES")
)


def built(name: str) -> Path:
    library = program().with_name(f"lib{name}.so")
    if not library.exists():
        pytest.skip("the hostile libraries are not built: build the target unit_tests")
    return library


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user whose numbers have a comma."""
    folder = tmp_path_factory.mktemp("locales")
    (folder / "source").write_text(GERMAN_NUMBERS)
    words = ["localedef", "-c", "-i", str(folder / "source"), "-f", "ANSI_X3.4-1968", str(folder / "german")]
    with contextlib.suppress(OSError):
        subprocess.run(words, capture_output=True, check=False)  # warns of all that the source lacks
    if not (folder / "german" / "LC_NUMERIC").exists():
        pytest.skip("this system cannot make a locale")
    return {"LOCPATH": str(folder), "LC_ALL": "german"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("libraries")


def witnessed(folder: Path, name: str, environment: Mapping[str, str], *more: str) -> tuple[Answer, set[str]]:
    """What was measured, and each state that the witness found."""
    witness = shutil.copy(built("changed_state"), folder / "libwitness.so")
    told = folder / name
    options = (ONLY, *more, f"--allocator=witness={witness},changed_")
    answer = measure(*options, environment={**environment, "HOSTILE_WITNESS": str(told)})
    return answer, set(told.read_text().splitlines())


@pytest.fixture(scope="module")
def alone(folder: Path, german: dict[str, str]) -> tuple[Answer, set[str]]:
    return witnessed(folder, "alone", german)


@pytest.fixture(scope="module")
def beside(folder: Path, german: dict[str, str]) -> tuple[Answer, set[str]]:
    """Beside a malloc that changes all it can, and is measured before."""
    return witnessed(folder, "beside", german, f"--allocator=changed={built('changed_state')},changed_")


def facts_of(states: set[str]) -> dict[str, str]:
    (state,) = states  # the same in the trial and in the benchmark's process
    return dict(fact.partition("=")[::2] for fact in state.split(" "))


@pytest.mark.hostile("malloc library")
@pytest.mark.parametrize(
    "fact",
    ["niceness", "policy", "rounding", "control", "huge_pages", "stack", "filled", "environment", "locale", "global", "pipe",
     "user", "mask"],
)  # fmt: skip
def test_what_a_malloc_changes_of_its_process_does_not_reach_another(
    alone: tuple[Answer, set[str]], beside: tuple[Answer, set[str]], fact: str
) -> None:
    assert facts_of(beside[1])[fact] == facts_of(alone[1])[fact]


@pytest.mark.hostile("malloc library")
def test_the_changing_malloc_is_measured_and_leaves_the_facts_of_the_run(
    alone: tuple[Answer, set[str]], beside: tuple[Answer, set[str]]
) -> None:
    assert all(0.1 < row["real_time"] < 1e6 for row in beside[0].rows)
    assert {row["name"].split("/")[1] for row in beside[0].rows} == {"glibc", "changed", "witness"}
    passing = ("date", "load_avg", "layout_number", "mhz_per_cpu")
    kept = [{key: value for key, value in answer.context.items() if key not in passing} for answer, _ in (alone, beside)]
    own = {key: kept[1].pop(key) for key in ("malloc.changed", "malloc_changes.changed")}
    assert kept[0] == kept[1] and own["malloc.changed"].endswith("libchanged_state.so")


@pytest.mark.hostile("malloc library")
@pytest.mark.parametrize("name", CHANGES)
def test_what_a_malloc_changes_of_its_process_is_in_the_result(beside: tuple[Answer, set[str]], name: str) -> None:
    text = beside[0].context["malloc_changes.changed"]
    if name == "processors" and len(beside[0].context["affinity"].split(",")) == 1:
        pytest.skip("there is only one processor")
    (change,) = [part for part in text.split(", ") if part.startswith(name)]
    assert CHANGES[name] in change


def test_mallocs_that_change_nothing_say_so() -> None:
    offered = ask(Program(program(), "smoke", only="^scoped/none/"))
    assert {malloc.changes for malloc in offered.mallocs} == {""}
    assert not [key for key in offered.context if key.startswith("malloc_changes.")]


# ---- numbers, where the user's have a comma


COMMA = "^(scoped|overhead)/glibc/bytes:64"


@pytest.mark.hostile("malloc library")
def test_a_preloaded_library_that_sets_the_locale_leaves_the_numbers_as_they_are(german: dict[str, str]) -> None:
    environment = {**german, "LD_PRELOAD": str(built("locale_set"))}
    rows = {row["name"].split("/")[0]: row for row in measure(f"--only={COMMA}", environment=environment).rows}
    assert 1.0 < rows["overhead"]["resident_bytes_per_byte"] < 2.0 and rows["overhead"]["resident_bytes_per_byte"] % 1 > 0
    assert rows["scoped"]["real_time"] > 0.1


@pytest.mark.hostile("malloc library")
def test_a_malloc_that_sets_the_locale_leaves_the_numbers_on_the_screen_as_they_are(german: dict[str, str]) -> None:
    options = (f"--allocator=changed={built('changed_state')},changed_", "--only=^scoped/changed/bytes:64/touch:first")
    words = [str(program()), "--profile=smoke", *options]
    done = subprocess.run(words, env={**german, "PATH": "/bin"}, capture_output=True, text=True, check=True)
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("scoped/changed/")]
    assert float(row.split()[1]) > 0.1
