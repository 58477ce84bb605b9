"""Is a cache named only where the curve shows it, and is its end where the curve rises?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.results.caches import Caches, caches_in, caches_of, chased, chased_by_home, chased_in_windows, reported_text
from suite.results.model import Benchmark, BenchmarkName, Sample
from support import synthetic

KIB, MIB = 1 << 10, 1 << 20
REPORTED = [("L1", 32 * KIB), ("L2", MIB), ("L3", 32 * MIB)]
# A guest of which the host takes most of the last cache, as measured on a quiet machine.
GUEST = {
    4 * KIB: 1.1, 16 * KIB: 1.1, 32 * KIB: 1.3, 64 * KIB: 3.3, 128 * KIB: 3.8, 512 * KIB: 4.9, MIB: 8.7,
    2 * MIB: 13.0, 4 * MIB: 15.6, 8 * MIB: 21.6, 16 * MIB: 135.0, 64 * MIB: 162.0, 256 * MIB: 194.0,
}  # fmt: skip


def shown(caches: Caches) -> dict[str, tuple[int, int]]:
    return {level.name: (level.size, level.end) for level in caches.levels}


def steps(*steps_of: tuple[int, float], memory: float = 100.0) -> dict[int, float]:
    """A curve over the sizes of GUEST with these steps."""
    return {size: next((ns for held, ns in steps_of if size <= held), memory) for size in GUEST}


def test_a_guest_has_less_of_the_last_cache_than_the_system_reports() -> None:
    caches = caches_in(GUEST, REPORTED)
    assert shown(caches) == {
        "L1": (4 * KIB, 32 * KIB), "L2": (128 * KIB, 512 * KIB), "L3": (4 * MIB, 8 * MIB)
    }  # fmt: skip
    assert caches.text == "of the 32 MiB L3 that the system reports, about 8 MiB are yours"
    assert [label for _, label in caches.guides] == ["L1 32 KiB", "L2 1 MiB", "L3 8 MiB"]
    assert caches.guides[-1][0] == 8 * MIB and caches.guides[1][0] == MIB
    places = {size: caches.place(size) for size in (16 * KIB, 48 * KIB, 512 * KIB, MIB, 8 * MIB, 16 * MIB, 64 * MIB)}
    assert not caches.is_memory(32 * MIB)
    assert list(places.values()) == ["L1", "", "L2", "", "L3", "", "memory"]  # 16 MiB is not called L3


def test_the_machine_of_the_textbook_has_what_it_reports() -> None:
    run = synthetic.synthetic()
    caches = caches_of(run)
    assert [level.name for level in caches.levels] == ["L1", "L2", "L3"] and not caches.text and not caches.hidden
    assert caches.named(chased(run)) == {
        "the L1 cache": 4 * KIB, "the L2 cache": 256 * KIB, "the L3 cache": 16 * MIB, "memory": 256 * MIB
    }  # fmt: skip


def test_a_footer_says_that_sizes_are_reported_and_what_is_left_of_them() -> None:
    sizes = {"l1d_bytes": str(32 * KIB), "l2_bytes": str(MIB), "l3_bytes": str(32 * MIB)}
    names = {f"chase/bytes:{size}/order:random/home:heap": ns for size, ns in GUEST.items()}
    walks = {name: Benchmark(BenchmarkName.parse(name), (Sample(0, ns, {}),)) for name, ns in names.items()}
    guest = replace(synthetic.synthetic(), by_name=walks, context=sizes)
    assert reported_text(guest) == "reported 32 KiB L1, 1 MiB L2, 32 MiB L3 (about 8 MiB yours)"
    assert reported_text(synthetic.synthetic()) == "reported 48 KiB L1, 2 MiB L2, 32 MiB L3"
    assert reported_text(replace(guest, context={})) == ""


def test_walks_in_windows_are_not_walks_through_all_pages() -> None:
    run = synthetic.synthetic()
    assert set(chased_in_windows(run)) == {64 * MIB, 256 * MIB}
    assert {walk.times[0] > 90.0 for size, walk in chased(run).items() if size > 32 * MIB} == {True}
    assert "window" not in chased_by_home(run, 64 * MIB)["heap"].name.parameters
    assert list(chased(run, "sequential")) == list(chased(run))


def test_the_time_of_a_level_is_not_mixed_with_that_of_the_level_below() -> None:
    """Half as large as the set, the level below keeps a sixth of it from walk to walk; a quarter as large, a thirtieth."""
    assert shown(caches_in(GUEST, REPORTED))["L2"][0] == 128 * KIB  # 3.8 ns; a walk in one order costs that at 64 KiB too
    half_gone = GUEST | {3 * MIB: 13.5, 4 * MIB: 17.0}  # 4 MiB is no longer in a cache of which so much is taken
    assert shown(caches_in(dict(sorted(half_gone.items())), REPORTED))["L3"][0] == 2 * MIB
    near = {size: ns for size, ns in GUEST.items() if size not in (64 * KIB, 128 * KIB)}
    near |= {48 * KIB: 2.9, 96 * KIB: 3.7, 512 * KIB: 4.5}  # of 48 KiB, the first level keeps two thirds: that is no set of L2
    assert shown(caches_in(dict(sorted(near.items())), REPORTED))["L2"][0] == 512 * KIB
    few = {size: ns for size, ns in GUEST.items() if size not in (128 * KIB, 512 * KIB)} | {96 * KIB: 3.6}
    assert shown(caches_in(dict(sorted(few.items())), REPORTED))["L2"][0] == 64 * KIB


@pytest.mark.parametrize(
    ("name", "curve", "reported", "levels", "hidden", "memory"),
    [
        ("no L3", steps((32 * KIB, 1.0), (MIB, 4.0)), REPORTED[:2], ["L1", "L2"], [], True),
        ("an L3 of 0 bytes is not reported", steps((32 * KIB, 1.0), (MIB, 4.0)), REPORTED[:2], ["L1", "L2"], [], True),
        ("an L3 shared to nothing", steps((32 * KIB, 1.0), (MIB, 4.0)), REPORTED, ["L1", "L2"], ["L3"], True),
        ("an L3 of a moment", {**steps((32 * KIB, 1.0), (MIB, 4.0)), 2 * MIB: 30.0}, REPORTED, ["L1", "L2"], ["L3"], True),
        ("an L3 like memory", steps((32 * KIB, 1.0), (MIB, 4.0), (8 * MIB, 60.0)), REPORTED, ["L1", "L2"], ["L3"], True),
        (
            "a huge L3", steps((32 * KIB, 1.0), (MIB, 4.0), memory=15.0), [*REPORTED[:2], ("L3", 1 << 30)],
            ["L1", "L2"], ["L3"], False,
        ),
        ("no L1 reported", GUEST, REPORTED[1:], ["L3"], ["L2"], True),
        ("only L2 reported", GUEST, REPORTED[1:2], [], ["L2"], True),
        ("two sizes", {4 * KIB: 1.0, 64 * MIB: 100.0}, REPORTED, [], ["L1", "L2", "L3"], True),
        ("two sizes alike", {4 * KIB: 1.0, 8 * KIB: 1.0}, REPORTED, [], ["L1", "L2", "L3"], False),
        ("one size", {64 * MIB: 100.0}, REPORTED, [], ["L1", "L2", "L3"], True),
        ("a flat curve", steps(memory=10.0), REPORTED, [], ["L1", "L2", "L3"], True),
    ],
)  # fmt: skip
def test_a_level_that_the_curve_does_not_show_is_not_named(
    name: str,
    curve: dict[int, float],
    reported: list[tuple[str, int]],
    levels: list[str],
    hidden: list[str],
    memory: bool,
) -> None:
    caches = caches_in(curve, reported)
    assert [level.name for level in caches.levels] == levels, name
    assert [level.name for level in caches.hidden] == hidden, name
    assert caches.is_memory(max(curve)) == memory, name
    assert all(f"the {level} of" in caches.text for level in hidden), name
    called = caches.named(curve)
    assert len(set(called.values())) == len(called) and not any(f"the {level} cache" in called for level in hidden)
    assert (called.get("memory") == max(curve)) == memory


def test_nothing_is_known_without_a_curve_or_without_reported_sizes() -> None:
    for caches in (caches_in({}, REPORTED), caches_in(GUEST, [])):
        assert caches == Caches() and not caches.text and not caches.guides and not caches.place(64 * MIB)
    assert caches_in(GUEST, []).named(GUEST) == {"256 MiB": 256 * MIB}
