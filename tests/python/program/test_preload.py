"""Does a malloc that is loaded beside others cost what it costs where it is the process's own, as deployed?

The same benchmark is measured in a process that loaded the malloc and in one where it is preloaded; they take turns.
The margin is wide: what must be seen is a malloc that is measured through something else. The ratio is printed.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest

from support.measuring_program import available_mallocs, listed, measure

pytestmark = pytest.mark.timing  # compares the costs of two processes

LOWEST, HIGHEST = 0.5, 2.0
TURNS = 5
MALLOCS = ["mimalloc", "jemalloc", "tcmalloc", "tbbmalloc_proxy"]
BENCHMARKS = ["scoped/{}/bytes:64/touch:first", "churn/{}/live:1000/sizes:uniform"]


def price(benchmark: str, preloaded: str = "") -> float:
    """Nanoseconds of one operation, in one process."""
    answer = measure(
        f"--only=^{benchmark}$",
        "--benchmark_min_time=0.01",
        environment={"LD_PRELOAD": preloaded} if preloaded else None,
    )
    [row] = answer.rows
    assert not row.get("error_occurred"), row
    assert (answer.context["process_malloc"] == "glibc") == (preloaded == "")
    return float(row["real_time"])


def test_a_quick_run_measures_tbbmallocs_proxy_where_a_call_is_most_of_the_cost() -> None:
    if "tbbmalloc_proxy" not in available_mallocs():
        pytest.skip("tbbmalloc_proxy is not here")

    def families(profile: str) -> set[str]:
        listed_families = listed(f"--profile={profile}")["families"]
        return {family["name"] for family in listed_families if any("/tbbmalloc_proxy/" in name for name in family["benchmarks"])}

    assert families("quick") == {"scoped", "churn", "private"} < families("full")


@pytest.mark.parametrize("benchmark", BENCHMARKS)
@pytest.mark.parametrize("malloc", MALLOCS)
def test_a_loaded_malloc_costs_what_it_costs_preloaded(
    malloc: str, benchmark: str, record_property: Callable[[str, object], None]
) -> None:
    if malloc not in available_mallocs():
        pytest.skip(f"{malloc} is not here")
    name = benchmark.format(malloc)
    if not any(name in family["benchmarks"] for family in listed("--profile=smoke")["families"]):
        pytest.skip(f"there is no {name}")
    file = available_mallocs()[malloc]["file"]
    if "cannot be preloaded" in measure(f"--only=^{name}$", environment={"LD_PRELOAD": file}).err:
        pytest.skip(f"{file} is not here")
    turns = [(price(name), price(name, preloaded=file)) for _ in range(TURNS)]
    loaded, preloaded = (statistics.median(side) for side in zip(*turns))
    print(f"{name}: {loaded:.1f} ns loaded, {preloaded:.1f} ns preloaded, ratio {loaded / preloaded:.2f}")
    record_property("ratio", loaded / preloaded)
    assert LOWEST < loaded / preloaded < HIGHEST
