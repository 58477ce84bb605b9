"""Are the titles of the charts of allocation, access and locality true for any figures?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from suite import charts
from suite.base import phrases
from suite.results.model import Benchmark, BenchmarkName, Sample
from support import chart_checks, synthetic

PLAIN = str.maketrans({phrases.NO_BREAK: " "})
Price = Callable[[BenchmarkName], float]


def exact(name: str, process: int) -> float:
    return 1.0


def title(
    chart: str,
    price: Price,
    keep: str = "",
    noise: Callable[[str, int], float] = exact,
    counted: Callable[[BenchmarkName], dict[str, float]] = lambda name: {},
    processes: int = 5,
) -> str:
    """The title for a run with this price for the chart's family, reduced to benchmarks with `keep` in their name."""
    family = charts.charts()[chart].family
    run = synthetic.synthetic(
        ns=lambda name: price(BenchmarkName.parse(name)),
        keep=lambda name: name.startswith(f"{family}/") and keep in name,
        noise=noise,
        counted=lambda name: counted(BenchmarkName.parse(name)),
        processes=processes,
    )
    return chart_checks.title(run, chart)


def test_the_title_states_a_frame_whose_cost_grows() -> None:
    finding = title("many", lambda name: 2.0 if name.number("count") == 64 and name.strategy != "glibc" else 1.0)
    assert finding == "64 blocks in a frame cost 1.0 ns more than one; from glibc, the same, within the intervals"


def test_without_the_stack_the_title_states_the_cost_of_the_blocks_without_the_control() -> None:
    finding = title("many", lambda name: 7.0 if name.strategy == "arena" else 9.0, keep="taken:apart")
    assert finding == "Taking 64 blocks costs 7.0 ns from arena and 9.0 ns from tbbmalloc"
    alone = title("many", lambda name: 7.0, keep="many/stack_array/count:1/")
    assert alone == "Taking 1 block costs 7.0 ns from stack array"


def lazy(*names: str) -> Price:
    """The title where calloc of these mallocs takes a thousandth of the time."""
    return lambda name: 1.0 if name.strategy in names and name.parameters["way"] == "calloc" else 1000.0


def test_only_a_calloc_that_is_much_cheaper_leaves_the_zeros_to_the_system() -> None:
    leaves = "glibc's calloc of 32 MiB leaves the zeros to the system: 1.0 ns, malloc and memset 1.0 µs"
    assert title("zeroed", lazy("glibc", "jemalloc")) == title("zeroed", lazy("glibc"), processes=1) == leaves
    alike = "glibc's calloc of 32 MiB shows no measurable difference from malloc and memset"
    assert title("zeroed", lazy("jemalloc")) == alike
    costlier = title("zeroed", lambda name: 30.0 if "glibc/" in name.text and "calloc" in name.text else 10.0)
    assert costlier == "glibc's calloc of 32 MiB costs 20 ns more than malloc and memset"
    little = title("zeroed", lambda name: 9.0 if "glibc/" in name.text and "calloc" in name.text else 10.0)
    assert little == "glibc's calloc of 32 MiB costs 1.0 ns less than malloc and memset"
    by_hand = title("zeroed", lambda name: 9.0 if name.strategy == "glibc" else 7.0, keep="way:memset")
    assert by_hand == "32 MiB of zeros cost 7.0 ns from mimalloc and 9.0 ns from glibc"


def test_the_title_states_the_rarest_percentile_that_every_malloc_has() -> None:
    def until_p99(name: BenchmarkName) -> dict[str, float]:
        rare = {"p99_9": 700.0} if name.strategy == "glibc" else {}
        return {"typical": 20.0, "p90": 25.0, "p99": 50.0, "max": 9000.0, **rare}

    finding = title("latency", lambda name: 1.0, counted=until_p99)
    assert finding == "glibc's typical malloc takes less than the timer can tell, and so does one in 100"
    few = title("latency", lambda name: 1.0, keep="/glibc/", counted=lambda name: {"typical": 20.0, "p90": 90.0})
    assert few == "glibc's typical malloc takes 20 ns; one in 10 takes over 90 ns"
    alone = title("latency", lambda name: 1.0, keep="/none/", counted=lambda name: {"typical": 20.0, "max": 90.0})
    assert alone == "Reading the timer alone takes 20 ns"


def test_the_title_states_no_number_finer_than_the_tick_but_the_mean() -> None:
    """The timer steps by 10 ns: four of five mallocs and the timer alone have a median of 20 ns."""

    def coarse(name: BenchmarkName) -> dict[str, float]:
        mean, p90 = {"none": (22.7, 30.0), "glibc": (31.2, 40.0)}.get(str(name.strategy), (28.0, 40.0))
        return {"typical": mean, "p50": 20.0, "p90": p90, "resolution": 10.0}

    assert title("latency", lambda name: 1.0, counted=coarse) == (
        "glibc's typical malloc takes 8.5 ns beyond the timer; one in 10 takes less than the timer can tell"
    )

    def before_the_mean(name: BenchmarkName) -> dict[str, float]:
        return {"p50": 30.0, "p90": 20.0 if name.strategy == "none" else 90.0, "resolution": 10.0}

    assert title("latency", lambda name: 1.0, counted=before_the_mean) == "One in 10 calls of glibc takes 70 ns beyond the timer"


def test_the_title_states_chains_that_do_less_at_once() -> None:
    assert "16 chains at once through 64 MiB do 0.50 times the loads of one chain" in title(
        "parallel_chase", lambda name: 20.0 if name.number("chains") == 16 else 10.0
    )


def test_pointers_without_their_counterpart_are_not_compared() -> None:
    assert title("indirection", lambda name: 3.0, keep="depth:0") == "A value itself costs 3.0 ns"
    alone = title("indirection", lambda name: 3.0, keep="depth:2/layout:scattered")
    assert alone == "Through 2 pointers, scattered, a value costs 3.0 ns"


def test_a_single_recorded_program_in_which_a_stack_saves_nothing_is_named() -> None:
    of_each = [title("replay", lambda name: 10.0, keep=keep) for keep in ("recording:json", "")]
    assert of_each[0] == "In the recorded program json, a stack would save nothing measurable of a call of glibc"
    assert " recorded programs, a stack would save nothing measurable" in of_each[1]


def test_the_costliest_walk_of_a_matrix_is_compared_with_its_counterpart() -> None:
    def price(name: BenchmarkName) -> float:
        return 5.0 if name.text == "matrix/block_a_row/n:100/by:column" else 1.0

    finding = title("matrix", price)
    assert finding == "By column, 100 × 100 elements cost 5.0 times as much as by row, with a block a row"
    powers = title("matrix", lambda name: 20.0 if name.text == "matrix/one_block/n:1024/by:column" else price(name))
    assert powers == finding
    in_both = title("matrix", lambda name: 4.0 if name.text == "matrix/one_block/n:100/by:column" else price(name))
    assert in_both == "By column, 100 × 100 elements cost 4.0 times as much as by row, in one block", "the claim's"
    assert title("matrix", price, keep="one_block/n:100/by:column") == (
        "By column, an element of a matrix of 100 × 100 costs 1.0 ns"
    )


def test_a_layout_measured_with_all_fields_only_has_no_title_about_a_single_field() -> None:
    finding = title("layout", lambda name: 3.0 if name.strategy == "array_of_structs" else 1.0, keep="fields:all")
    assert finding == "In an array of structs, all fields together cost 3.0 times as much as in a struct of arrays"


def of_malloc(times: Callable[[int], float]) -> Price:
    """Mallocs cost a multiple of the stack that depends on the size."""
    return lambda name: 100.0 * (times(name.number("bytes") or 0) if name.strategy in synthetic.KNOWN else 1.0)


@pytest.mark.parametrize(
    ("times", "finding"),
    [
        (lambda size: 3.0, "Written in full, 1 MiB from glibc cost 200 ns more than 1 MiB on the stack"),
        (lambda size: 3.0 if size < 4096 else 1.05, "From 4 KiB on, a written block costs under 10 % more from any malloc"),
        (lambda size: 3.0 if size == 8 else 0.5, "From 64 B on, a written block costs under 10 % more from any malloc"),
        (lambda size: 3.0 if size < 4096 else 1.0, "From 4 KiB on, a written block shows no measurable difference from"),
        (lambda size: 1.2 if size < 1 << 20 else 1.0, "At 1 MiB, a written block shows no measurable difference from"),
        (lambda size: 0.5, "At any size, a written block costs under 10 % more from any malloc than on the stack"),
        (lambda size: 3.0 if size == 4096 else 1.0, "From 256 KiB on, a written block shows no measurable"),
    ],
)
def test_a_cost_is_hidden_from_the_size_on_where_no_malloc_shows_it(
    times: Callable[[int], float], finding: str
) -> None:
    assert finding in title("stack_price", of_malloc(times))


def test_the_charts_of_a_blocks_cost_have_one_answer_about_the_largest() -> None:
    """Each size is compared by itself: more sizes in the picture make no difference less measurable."""

    def noise(name: str, process: int) -> float:
        return 0.7 if process == 3 and "stack_array" not in name else 1.0 + process / 1000

    price = of_malloc(lambda size: 3.0 if size < 1 << 20 else 1.08)
    run = synthetic.synthetic(
        ns=lambda name: price(BenchmarkName.parse(name)), keep=lambda name: name.startswith("scoped/"), noise=noise, processes=9
    )
    seen = {name: chart_checks.unplaced(run, name) for name in ("scoped", "stack_price")}
    assert "; at 1 MiB, malloc costs 8.0 ns more than the stack" in seen["scoped"].caption.translate(PLAIN)
    assert "no measurable difference" not in seen["stack_price"].title


def test_the_title_states_a_cost_that_only_medians_hide() -> None:
    def wide(name: str, process: int) -> float:
        return 1.0 + 0.1 * process * ("glibc/" in name)

    price = of_malloc(lambda size: 3.0 if size < 4096 else 0.85)
    assert title("stack_price", price, noise=wide).endswith("from any malloc than on the stack, by medians")
    assert title("stack_price", price, processes=1).endswith("from any malloc than on the stack, by medians")


def test_the_largest_memory_whose_use_differs_is_in_the_title() -> None:
    def title_where(differs: Callable[[BenchmarkName], bool]) -> str:
        run = synthetic.synthetic(
            ns=lambda text: 20.0 if differs(BenchmarkName.parse(text)) else 10.0,
            keep=lambda text: text.startswith(("stream/", "chase/")), noise=exact,
        )  # fmt: skip
        return chart_checks.title(run, "stream")

    def on_heap(name: BenchmarkName) -> bool:
        return name.parameters.get("home") == "heap"

    assert title_where(on_heap) == "Reading 64 MiB on the heap in order costs 2.0 times reading it on the stack"
    walked = title_where(lambda name: on_heap(name) and name.family == "chase" and name.number("bytes") == 1 << 20)
    assert walked == "Reading 1 MiB on the heap at random costs 2.0 times reading it on the stack"


@pytest.mark.parametrize(("chart", "owners"), [("stream", "pages in 64 MiB: mmap thp"), ("first_touch", "granted: thp")])
def test_the_subtitle_names_the_strategies_with_huge_pages(chart: str, owners: str) -> None:
    def caption(counted: synthetic.Counted) -> str:
        families = ("first_touch/", "stream/", "chase/")
        run = synthetic.synthetic(keep=lambda name: name.startswith(families), counted=counted)
        drawn = charts.draw(run, chart)
        assert drawn is not None
        return drawn.caption.translate(PLAIN)

    assert owners in caption(synthetic.counters)
    assert "mmap thp" not in caption(lambda name: {}) and ": thp" not in caption(lambda name: {})


def test_huge_pages_that_cost_much_more_in_some_processes_are_told_by_their_interval() -> None:
    def restless(name: str, process: int) -> float:
        return 12.0 if name == "first_touch/home:thp/touch:first" and process % 3 == 0 else 1.0

    run = synthetic.synthetic(keep=lambda name: name.startswith("first_touch/"), noise=restless)
    caption = chart_checks.unplaced(run, "first_touch").caption.translate(PLAIN)
    assert "; with huge pages, 300 ns to 3.6 µs by the process" in caption


def test_the_title_of_a_batch_is_about_the_sizes_that_are_drawn() -> None:
    def ns(size: int, order: str) -> float:
        return 30.0 if (size, order) == (64, "random") else 90.0 if (size, order) == (4096, "random") else 10.0

    blocks = {
        f"batch/glibc/count:1000/bytes:{size}/order:{order}": ns(size, order)
        for size in (16, 64, 4096) for order in ("lifo", "random")
    }  # fmt: skip
    measured = {
        name: Benchmark(BenchmarkName.parse(name), tuple(Sample(process, price, {}) for process in range(5)))
        for name, price in blocks.items()
    }
    run = replace(synthetic.synthetic(keep=lambda name: name.startswith("batch/")), by_name=measured)
    assert chart_checks.title(run, "batch").endswith("Freeing 64 B blocks of glibc at random costs 3.0 times last in, first out")


# A guest that has 8 MiB of the last cache, where the system reports 32; and a guest that has nothing of it.
ON_A_GUEST = {4: 1.0, 16: 1.0, 256: 4.0, 1024: 4.2, 4096: 15.0, 8192: 17.0, 16384: 130.0, 65536: 160.0, 262144: 190.0}
WITHOUT = {kib: ns for kib, ns in ON_A_GUEST.items() if kib not in (4096, 8192)}


@pytest.mark.parametrize("size", charts.SIZES)
@pytest.mark.parametrize(
    ("curve", "label", "text"),
    [
        (ON_A_GUEST, "L3 8 MiB", "of the 32 MiB L3 that the system reports, about 8 MiB are yours"),
        (WITHOUT, "", "the L3 of 32 MiB that the system reports does not show"),
    ],
)
def test_a_guest_sees_how_much_of_the_last_cache_it_has(
    curve: dict[int, float], label: str, text: str, size: str
) -> None:
    names = {f"chase/bytes:{kib << 10}/order:random/home:heap": ns for kib, ns in curve.items()}
    walks = {
        name: Benchmark(BenchmarkName.parse(name), tuple(Sample(process, ns, {}) for process in range(5)))
        for name, ns in names.items()
    }
    run = replace(synthetic.synthetic(keep=lambda name: name.startswith("chase/")), by_name=walks)
    drawing = chart_checks.drawn(run, "chase", size=size)
    assert not list(chart_checks.faults_of_layout(drawing))
    labels = {drawn.get_text() for drawn in chart_checks.texts(drawing)}
    assert ({"L1", "L2"} if size == "paper" and label else {"L1 48 KiB", "L2 2 MiB"}) <= labels
    assert {shown[:2] for shown in labels if shown.startswith("L3")} == ({"L3"} if label else set())
    assert size == "paper" or not label or label in labels
    assert text in drawing.caption.translate(PLAIN)


def test_the_stacks_price_has_points_where_a_difference_is_measurable_and_the_line_of_a_tenth() -> None:
    price = of_malloc(lambda size: 3.0 if size < 4096 else 1.0)
    run = synthetic.synthetic(
        ns=lambda name: price(BenchmarkName.parse(name)), keep=lambda name: name.startswith("scoped/"), noise=exact
    )
    drawing = charts.draw(run, "stack_price")
    assert drawing is not None
    texts = [spot.text for spot in drawing.spots]
    of_glibc = [text.partition(", ")[2] for text in texts if text.startswith("glibc")]
    assert [text for text in of_glibc if text.startswith("8 B: 200 ns")]
    assert not any("1 MiB" in text for text in of_glibc)
    assert any(text.replace("\u00a0", " ").startswith("10 % of the stack's, 1 MiB: 10 ns") for text in texts)
