"""Can every chart be read from the last row, and is its title true for any numbers?"""

from __future__ import annotations

import gc
import html
import itertools
import multiprocessing
import os
import random
import re
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from suite import charts, claims
from suite.base import chart_options, phrases
from suite.base.files import write_json
from suite.charts import scaling
from suite.charts.across import overlay
from suite.charts.kit import forms, marks
from suite.commands import plot
from suite.results import query
from suite.results.model import BenchmarkName, Run
from suite.results.read import BadResult, read_run
from suite.stats.estimates import Estimate
from support import ROOT, synthetic, textbook
from support.chart_checks import (
    CSS_POINT,
    MOST_NUMBERS,
    PLAIN,
    Extent,
    by_day,
    contrast,
    drawn,
    exact,
    expect_least_room,
    faults_of_layout,
    only,
    reason_not_to_say,
    smallest_difference,
    texts,
    title,
    unplaced,
    worst,
    worst_of_each_number,
)

NAMES = list(charts.charts())
COUNTED = {"lifetimes"}  # in a recording, not measured in processes: test_lifetimes.py
MEASURED = [name for name in NAMES if name not in COUNTED]
WITH_FINDING = [name for name in MEASURED if name != "numbers"]  # the poster always has the same title


def test_the_options_name_the_charts_without_loading_them() -> None:
    assert chart_options.charts_with() == NAMES
    assert chart_options.charts_with("OVERLAY") == overlay.names()
    assert chart_options.charts_with("HAS_PORTRAIT") == charts.names_for(charts.PORTRAIT) == ["numbers"]
    assert [chart_options.TALK, chart_options.PAPER] == list(charts.SIZES)


def usual_title(name: str) -> str:
    return title(synthetic.synthetic(), name)


# ---- how they look


@pytest.fixture(autouse=True)
def _rare_collections() -> Iterator[None]:
    """A figure is thousands of objects that refer to each other, so frequent garbage collection is slow."""
    usual = gc.get_threshold()
    gc.set_threshold(200_000)
    yield
    gc.set_threshold(*usual)


MACHINES = [Extent(cores, strategies) for cores in (1, 2, 64) for strategies in (3, 12)]


def drawn_on(machine: Extent, name: str, theme: str, size: str) -> charts.Drawing:
    run = synthetic.synthetic(mallocs=machine.strategies - 2, cores=machine.cores_or_runs)
    return drawn(run, name, theme, size)


def machines_by_day(name: str) -> list[Extent]:
    shows_threads = charts.charts()[name].family in textbook.chapters()["contention"].FAMILIES
    return worst_of_each_number(MACHINES) if shows_threads else worst(MACHINES)


BY_DAY = {name: machines_by_day(name) for name in NAMES}


@pytest.mark.parametrize(("name", "theme", "size", "machine"), by_day(BY_DAY))
def test_nothing_overlaps_or_leaves_the_page_on_the_worst_machine(
    name: str, theme: str, size: str, machine: Extent
) -> None:
    assert list(faults_of_layout(drawn_on(machine, name, theme, size))) == []


@pytest.mark.nightly
@pytest.mark.parametrize("name", NAMES)
def test_no_machine_leaves_less_room_than_the_worst(name: str) -> None:
    expect_least_room(lambda machine, look: drawn_on(machine, name, look.theme, look.size), MACHINES, BY_DAY[name])


@pytest.mark.nightly
@pytest.mark.parametrize("name", NAMES)
def test_a_phone_has_room_for_the_worst_machine(name: str) -> None:
    for machine in BY_DAY[name]:
        assert list(faults_of_layout(drawn_on(machine, name, "light", charts.NARROW))) == []


@pytest.mark.parametrize("name", ["chase", "matrix", "scoped"])
def test_a_phone_shows_the_same_figures_below_each_other(name: str) -> None:
    wide, narrow = (drawn(synthetic.synthetic(), name, size=size) for size in ("talk", charts.NARROW))
    assert list(faults_of_layout(narrow)) == []
    assert [spot.text for spot in narrow.spots] == [spot.text for spot in wide.spots]
    boxes = [axes.get_position() for axes in narrow.figure.axes]
    assert all(lower.y1 < upper.y0 for upper, lower in zip(boxes, boxes[1:]))


@pytest.mark.parametrize(("theme", "size"), itertools.product(charts.THEMES, charts.SIZES))
def test_every_page_has_the_room_and_the_colours_of_its_theme(theme: str, size: str) -> None:
    drawing = drawn(synthetic.synthetic(), "cost_64b", theme, size)
    assert list(faults_of_layout(drawing)) == []
    assert drawing.figure.get_facecolor()[0] == pytest.approx(1.0 if theme == "light" else 0.08, abs=0.02)


def test_a_talk_figure_fills_a_slide_with_letters_for_the_last_row() -> None:
    drawing = drawn(synthetic.synthetic(), "cost_64b")
    assert tuple(drawing.figure.bbox.size) == (1920, 1080)
    assert min(text.get_fontsize() for text in texts(drawing)) * drawing.figure.dpi / 72 >= 18 * CSS_POINT


def test_a_paper_figure_is_a_column_of_8_cm_with_letters_of_6_points() -> None:
    drawing = drawn(synthetic.synthetic(), "aligned", size="paper")
    assert drawing.figure.get_size_inches()[0] * 2.54 == pytest.approx(8.0)
    shown = texts(drawing)
    assert min(text.get_fontsize() for text in shown) >= 6.0 and list(faults_of_layout(drawing)) == []
    assert "glibc" in {text.get_text() for text in shown}  # without its version
    ticks = [[label.get_visible() for label in axes.get_yticklabels()] for axes in drawing.figure.axes]
    assert all(ticks[0]) and not any(ticks[1])  # both panels have the same axis


def test_the_test_of_the_layout_sees_faults() -> None:
    drawing = drawn(synthetic.synthetic(), "cost_64b")
    for x, size in ((0.5, 12), (0.5, 20), (0.99, 40)):
        drawing.figure.text(x, 0.5, "some words", size=size)
    drawing.figure.axes[0].set_xticks([10.0], labels=["10 ns"])
    faults = "; ".join(faults_of_layout(drawing))
    assert all(fault in faults for fault in ("12.0 points", "leaves the page", "lies on", "'10 ns' is the only label"))


def test_the_night_names_the_case_that_the_day_would_miss() -> None:
    few, many = Extent(1, 3), Extent(1, 12)

    def draw(machine: Extent, look: charts.Look) -> charts.Drawing:
        figure = Figure(figsize=look.sheet.inches, dpi=100)
        figure.text(0.1, 0.9, "a title", size=20)
        figure.text(0.1, 0.1, "a footer", size=20)
        if machine == few and look.size == "paper":
            for text in ("some words", "other words"):
                figure.text(0.5, 0.5, text, size=40)
        return charts.Drawing(figure, look, "", "", "")

    with pytest.raises(AssertionError) as failed:
        expect_least_room(draw, [few, many], [many])
    assert "dark, paper, Extent(cores_or_runs=1, strategies=3): " in str(failed.value)
    assert "'some words' lies on 'other words'" in str(failed.value)
    assert "no case that is drawn by day has a fault: [Extent(cores_or_runs=1, strategies=12)]" in str(failed.value)
    assert "talk" not in str(failed.value)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=12))
def test_labels_are_spread_in_order_apart_and_no_further_than_needed(wanted: list[float]) -> None:
    places = forms.spread(wanted, 5, 0, 100)
    ranked = sorted(range(len(wanted)), key=lambda index: wanted[index])
    assert all(places[b] - places[a] >= 5 - 1e-9 for a, b in zip(ranked, ranked[1:]))
    assert -1e-9 <= min(places) and max(places) <= 100 + 1e-9
    if all(wanted[b] - wanted[a] >= 5 for a, b in zip(ranked, ranked[1:])):
        assert places == pytest.approx(wanted)


def test_two_labels_of_the_same_place_move_by_equal_distances() -> None:
    assert forms.spread([50, 50], 10, 0, 100) == [45, 55]
    assert forms.spread([100, 100], 10, 0, 100) == [90, 100]


def test_a_point_stays_near_its_place_however_far_the_next_point_is() -> None:
    (axes,) = drawn(synthetic.synthetic(), "cleanup").figure.axes
    places = np.log2([float(text.get_text().replace(",", "")) for text in axes.get_xticklabels()])
    for line in axes.lines:
        if len(line.get_xdata()) == len(places) and line.get_marker() != "None":
            assert np.log2(line.get_xdata()) == pytest.approx(places, abs=0.03 * np.ptp(places))


def exactly(*values: float) -> dict[int, Estimate]:
    return {place: forms.exact(value) for place, value in enumerate(values, start=1)}


def test_an_axis_for_multiples_begins_at_1_and_ends_at_a_round_value() -> None:
    assert forms.from_one(exactly(1.0, 4.2).values()).ends == (1.0, 5.0)
    assert forms.from_one(exactly(0.999, 1.05).values()).ends == (1.0, 1.1)
    assert forms.from_one(exactly(0.5, 1.5).values()).ends == (0.0, 2.0)


def lanes(*values: tuple[float, float]) -> list[float]:
    return forms.lanes(forms.LinesPanel("", [forms.Line("a", exactly(*pair)) for pair in values], forms.SHARE))


def test_only_lines_with_the_same_values_are_drawn_beside_each_other() -> None:
    above, alone, below = lanes((0.7, 0.6), (0.7, 0.5), (0.7, 0.6))
    assert above > 0.0 and alone == 0.0 and below == -above


def test_lines_beside_each_other_stay_within_the_ends_of_their_axis() -> None:
    at_the_top, under_it, low, lower = lanes((1.0, 1.0), (0.999, 1.0), (0.0, 0.3), (0.0, 0.3))
    assert at_the_top == 0.0 and under_it < 0.0, "a share of 100 % was drawn above 100 %"
    assert low > 0.0 and lower == 0.0


@pytest.mark.parametrize(
    ("cores", "measured", "chosen"),
    [(4, {1, 2, 4, 8}, 4), (3, {1, 2, 4}, 2), (1, {1, 2, 4}, 2), (2, {4, 8}, 4), (2, {1}, 1), (2, set(), 1)],
)
def test_the_compared_threads_have_a_core_each(cores: int, measured: set[int], chosen: int) -> None:
    assert query.contending(synthetic.synthetic(cores=cores), measured) == chosen


def test_ideal_threads_cost_as_much_as_one_thread_until_they_take_turns() -> None:
    ideal = scaling.turns(synthetic.synthetic(cores=2), [1, 2, 4]).values
    assert {threads: estimate.median for threads, estimate in ideal.items()} == {1: 1.0, 2: 1.0, 4: 2.0}


LEADING = ("stack_array", "arena", *synthetic.KNOWN)


@pytest.mark.parametrize("theme", charts.THEMES)
def test_every_eye_distinguishes_the_leading_strategies(theme: str) -> None:
    run = synthetic.synthetic()
    used = [marks.mark_of(run, name) for name in LEADING]
    assert smallest_difference(used, theme) > 0.08
    assert min(contrast(mark, theme) for mark in used) >= 3.0
    assert len({mark.marker for mark in used}) == len(used)


def test_a_strategy_has_the_same_mark_in_all_charts_and_unknown_mallocs_have_different_marks() -> None:
    run = synthetic.synthetic(mallocs=8)
    others = [name for name in run.mallocs() if name not in synthetic.KNOWN]
    assert len({marks.mark_of(run, name).light for name in others}) == len(others) == 3
    many = synthetic.synthetic(mallocs=20, keep=lambda name: name.startswith("handoff/"))
    assert len({marks.mark_of(many, name) for name in many.mallocs()}) == 20
    assert marks.mark_of(run, "glibc") == marks.mark_of(synthetic.synthetic(), "glibc")


def test_strategies_of_one_idea_share_a_colour_and_no_mark() -> None:
    run = synthetic.synthetic()
    own = {name: marks.mark_of(run, name) for name in run.ideas}
    assert len(set(own.values())) == len(own)
    stack = {own[name].light for name, idea in run.ideas.items() if idea == "stack"}
    assert len(stack) == 1 and stack.isdisjoint(mark.light for name, mark in own.items() if run.ideas[name] != "stack")


def test_no_malloc_gets_the_mark_of_a_missing_malloc() -> None:
    run = synthetic.synthetic()
    missing = replace(run, context={**run.context, "malloc.mimalloc": "not available: not installed"})
    assert all(marks.mark_of(missing, name) == marks.mark_of(run, name) for name in run.mallocs())


def test_a_strategy_that_the_run_does_not_describe_is_drawn_in_the_colour_of_text() -> None:
    run = synthetic.synthetic()
    bare = replace(run, account=replace(run.account, about={}))
    assert marks.mark_of(bare, "arena") == marks.STRONG
    assert len({marks.mark_of(bare, name) for name in bare.mallocs()}) == len(bare.mallocs())


# ---- what they say


def another(name: str) -> float:
    """The prices of another machine."""
    return synthetic.price(name) * (1 + zlib.crc32(f"d{name}".encode()) % 997 / 97)


def others(name: str) -> dict[str, float]:
    """The counters of that machine."""
    counted = synthetic.counters(name)
    return {key: value * (1 + zlib.crc32(f"{name} {key}".encode()) % 7) for key, value in counted.items()}


def test_the_titles_of_the_reference_can_be_said_aloud() -> None:
    figures = sorted((ROOT / "results" / "reference" / "figures").glob("*.svg"))
    figures = [file for file in figures if file.stem.partition("-")[0] in NAMES]  # not what commands print
    titles = {file.name: re.search(r"<dc:title>(.*?)</dc:title>", file.read_text(), re.DOTALL) for file in figures}
    assert len(figures) > 40
    for name, found in titles.items():
        assert found is not None, name
        assert reason_not_to_say(html.unescape(found[1])) == "", name


def test_a_title_that_nobody_can_say_is_found() -> None:
    assert reason_not_to_say("1.0 (a) to 4.2 (b) times, 3 or 1,000.5 MiB") == ""
    assert reason_not_to_say("1 2 3 4 5").startswith("5 numbers")
    assert reason_not_to_say("a" * 106).startswith("106 letters")


@pytest.mark.parametrize("name", WITH_FINDING)
def test_a_title_changes_with_the_data(name: str) -> None:
    changed = unplaced(synthetic.synthetic(ns=another, counted=others), name).title.translate(PLAIN)
    assert usual_title(name) != changed
    assert reason_not_to_say(changed, 5 if name == "claims" else MOST_NUMBERS) == ""  # all claims, and each verdict


EQUAL_TITLES = textbook.titles("EQUAL_TITLES")


@pytest.mark.parametrize("name", EQUAL_TITLES)
def test_where_nothing_differs_the_title_says_so(name: str) -> None:
    finding = title(synthetic.synthetic(ns=synthetic.alike), name)
    assert EQUAL_TITLES[name] in finding and "times" not in finding
    assert reason_not_to_say(finding) == ""


def test_the_title_of_the_first_chart_follows_the_data() -> None:
    def finding(price: Mapping[str, float], processes: int = 5) -> str:
        def ns(name: str) -> float:
            return price.get(str(BenchmarkName.parse(name).strategy), 1.0)

        chosen = {f"scoped/{strategy}/bytes:64/touch:first" for strategy in price}
        run = synthetic.synthetic(ns=ns, processes=processes, keep=lambda name: name in chosen, noise=exact)
        return title(run, "cost_64b")

    costly = finding({"none": 1, "stack_array": 2, "glibc": 40, "jemalloc": 20, "arena": 3})
    assert costly == "64 bytes from glibc cost 20 times 64 bytes on the stack"
    flat = finding({"none": 2, "stack_array": 1, "glibc": 2, "jemalloc": 20})
    assert flat == "64 bytes from glibc cost 1.0 ns more than 64 bytes on the stack"
    assert finding({"none": 2, "stack_array": 1, "jemalloc": 20}).startswith("64 bytes from jemalloc cost 19 ns more")
    assert finding({"arena": 2, "glibc": 40}) == "64 bytes cost 2.0 ns from arena and 40 ns from glibc"
    assert finding({"mmap": 4000}) == "64 bytes cost 4.0 µs from mmap"
    single = finding({"none": 2, "stack_array": 2, "glibc": 40}, processes=1)
    assert single == "64 bytes from glibc cost 38 ns more than 64 bytes on the stack"


# Each number can be computed by hand from the prices of its chapter.
TITLES = textbook.titles("TITLES")


@pytest.mark.parametrize("name", [name for name in NAMES if charts.charts()[name].family])
def test_a_title_is_the_finding_of_the_textbooks_machine(name: str) -> None:
    assert title(synthetic.synthetic(noise=exact), name) == TITLES[name]
    assert reason_not_to_say(TITLES[name]) == ""


def test_the_title_about_all_claims_counts_their_verdicts() -> None:
    run = synthetic.synthetic(noise=exact)
    counts = Counter(verdict.verdict for verdict in claims.verdicts(run))
    hold, conditional, refuted = (counts[verdict] for verdict in (claims.HOLDS, claims.HOLDS_BUT, claims.DOES_NOT_HOLD))
    assert min(hold, conditional, refuted) > 1
    assert title(run, "claims") == (
        f"Of {len(claims.CLAIMS)} claims about stack and heap, {hold} hold here, {conditional} with a condition, "
        f"{refuted} do not and {len(claims.CLAIMS) - hold - conditional - refuted} have no verdict"
    )


def test_extremes_are_named_only_where_their_intervals_are_apart() -> None:
    apart = {"glibc": Estimate(12.0, 11.0, 13.0, 0.9, 5), "mimalloc": Estimate(1.0, 0.9, 1.1, 0.9, 5)}
    assert phrases.over_all(apart).translate(PLAIN) == "; over all mallocs, 1.0 (mimalloc) to 12 (glibc) times"
    blurred = {**apart, "mimalloc": Estimate(2.0, 0.9, 12.0, 0.9, 5)}
    assert phrases.over_all(blurred).translate(PLAIN) == "; over all mallocs, 2.0 to 12 times"
    equal = {name: Estimate(1.0, 0.9, 1.1, 0.9, 5) for name in apart}
    assert phrases.over_all(equal) == "; over all mallocs, no measurable difference"
    assert phrases.over_all({"glibc": apart["glibc"]}) == ""


def test_threads_are_counted_and_a_single_thread_is_not_compared() -> None:
    def only_one(name: str) -> bool:
        return name.endswith("threads:1")

    without_control = synthetic.synthetic(keep=lambda name: "/none/" not in name)
    assert title(without_control, "private").startswith("With glibc, 2 threads do ")
    drawing = unplaced(synthetic.synthetic(), "private")
    cells = {(cell.row, cell.column) for cell in drawing.cells}
    assert ("control", "Work, as a multiple of one thread's, 1 thread") in cells
    assert title(without_control, "private").endswith("; 2 would be ideal")
    one_core = synthetic.synthetic(cores=1, keep=lambda name: "/none/" not in name)
    assert title(one_core, "private").endswith("; 1 would be ideal")
    assert "does not show" in title(synthetic.synthetic(keep=only_one), "private")


@pytest.mark.parametrize("name", MEASURED)
def test_one_process_has_no_intervals_and_says_so(name: str) -> None:
    drawing = unplaced(synthetic.synthetic(processes=1), name)
    assert "One process: no intervals." in drawing.caption
    assert "no measurable" not in drawing.title


def test_a_footer_states_processes_disturbance_and_machine() -> None:
    caption = unplaced(synthetic.synthetic(cores=64, keep=only("churn")), "churn").caption.translate(PLAIN)
    assert "Medians of 5 processes with intervals (94 %)." in caption
    assert "64 cores · reported 48 KiB L1, 2 MiB L2, 32 MiB L3 · stackheap quick run" in caption
    assert "disturbed" not in caption


@pytest.mark.parametrize(("name", "shown"), [("scoped", 10), ("xmalloc", 13), ("refcount", 0)])
def test_a_chart_that_leaves_out_mallocs_says_so(name: str, shown: int) -> None:
    keep = only(charts.charts()[name].family)
    few, many = (drawn(synthetic.synthetic(mallocs=number, keep=keep), name) for number in (10, 13))
    rows = [f"{row[0]} " for row in many.table[1:]]
    known = [name for name in synthetic.names_of(13) if any(row.startswith(f"{phrases.plain(name)} ") for row in rows)]
    assert len(known) == shown
    assert ("; 10 of 13 mallocs shown." in many.caption) == (0 < shown < 13)
    assert "mallocs shown" not in few.caption
    assert list(faults_of_layout(many)) == []


def test_a_bimodal_figure_is_marked_and_explained() -> None:
    def bimodal(name: str, process: int) -> float:
        return synthetic.small_noise(name, process) * (2.0 if process % 2 else 1.0)

    bimodal_run = synthetic.synthetic(noise=bimodal, keep=only("scoped"))
    for name in ("cost_64b", "scoped"):
        assert "bimodal" in [text.get_text() for text in texts(unplaced(bimodal_run, name))]
        assert "bimodal" not in [text.get_text() for text in texts(unplaced(synthetic.synthetic(), name))]


def kept(keep: Callable[[str], bool]) -> Run:
    """The usual run, reduced to the kept benchmarks."""
    run = synthetic.synthetic()
    return replace(run, by_name={name: benchmark for name, benchmark in run.by_name.items() if keep(name)})


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", NAMES)
def test_a_chart_is_drawn_from_the_existing_data_or_skipped(name: str, seed: int) -> None:
    def some(benchmark: str) -> bool:
        return random.Random(f"{seed}/{benchmark}").random() < (0.15, 0.5)[seed]

    drawing = charts.draw(kept(some), name)
    assert drawing is None or (list(faults_of_layout(drawing)) == [] and drawing.title and drawing.alt)


@pytest.mark.parametrize("name", [name for name in MEASURED if charts.charts()[name].family])
def test_a_chart_without_its_family_is_skipped(name: str) -> None:
    family = charts.charts()[name].family
    assert charts.draw(kept(lambda text: not text.startswith(f"{family}/")), name) is None


def test_a_run_that_decides_no_claim_has_no_chart_of_claims() -> None:
    assert charts.draw(kept(only("handoff")), "claims") is None


@pytest.mark.hostile("text that is not ours")
def test_a_hostile_name_stays_text_and_on_the_page(tmp_path: Path) -> None:
    document = synthetic.document(keep=lambda name: name.startswith(("scoped/", "private/")))
    hostile = "$\\frac{$<script>" + "long" * 40
    for row in document["benchmarks"]:
        for key in ("name", "run_name"):
            row[key] = row[key].replace("jemalloc", hostile)
    document["context"][f"malloc.{hostile}"] = document["context"].pop("malloc.jemalloc")
    write_json(tmp_path / "run.json", document)
    run = read_run(tmp_path / "run.json")
    for name in ("cost_64b", "private"):
        drawing = drawn(run, name)
        assert list(faults_of_layout(drawing)) == []
        assert b"<script>" not in charts.render(drawing, "svg")


# ---- the files


def test_a_file_depends_on_the_data_only_and_describes_itself(tmp_path: Path) -> None:
    run = synthetic.synthetic(keep=only("handoff"))
    for file_format in charts.FORMATS:
        first, second = (charts.render(drawn(run, "handoff"), file_format) for _ in range(2))
        assert first == second
    drawing = drawn(run, "handoff")
    svg = charts.render(drawing, "svg").decode()
    assert drawing.title in svg and "<text" in svg and "<dc:date>" not in svg
    assert drawing.alt.startswith(f"{drawing.title}. ") and drawing.alt.count(". ") == 1 and drawing.alt.endswith(".")


def test_the_table_of_a_chart_in_rows_has_each_figure_with_its_interval() -> None:
    drawing = unplaced(synthetic.synthetic(keep=only("matrix")), "matrix")
    heading, *rows = drawing.table
    assert heading == ("", *(f"{block}, by {walk}" for block in ("All rows in one block", "A block a row") for walk in ("row", "column")))
    texts = {text for row in rows for text in row[1:]}
    assert all(re.fullmatch(r"\d[\d.]* ns \(\d[\d.]* to \d[\d.]* ns\)", text) for text in texts), texts
    once = unplaced(synthetic.synthetic(keep=only("matrix"), processes=1), "matrix")
    assert all(re.fullmatch(r"\d[\d.]* ns", text) for row in once.table[1:] for text in row[1:])


def test_the_table_of_a_chart_in_lines_has_both_ends_of_each_line() -> None:
    def keep(name: str) -> bool:
        return name.startswith("chase/") and ("order:random" in name or "bytes:4096/" in name)

    drawing = unplaced(synthetic.synthetic(keep=keep, noise=exact), "chase")
    heading, *rows = drawing.table
    ends = {row[0]: [bool(text) for text in row[1:]] for row in rows}
    assert heading[1] == "4 KiB" and len(heading) >= 3
    assert ends["at random"][0] and ends["at random"][-1]
    assert ends["in order"][0] and not ends["in order"][-1], "a figure that was not measured has no text"


def test_files_are_the_same_on_one_core_and_on_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = synthetic.synthetic(mallocs=1, keep=lambda name: name.startswith(("churn/", "handoff/", "chase/")))
    names = ["chase", "handoff", "scoped", "churn"]
    contents = []
    for cores in (1, 2):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))  # noqa: B023
        files = charts.draw_all(run, tmp_path / str(cores), ("svg",), names=names)
        contents.append([(file.name, file.read_bytes()) for file in files])
    assert contents[0] == contents[1]
    assert [name for name, _ in contents[1]] == ["chase.svg", "handoff.svg", "churn.svg"]


def faulty(name: str, look: charts.Look) -> charts.Drawing | None:
    if name == "faulty":
        raise BadResult(Path("run.json"), "has a fault")
    if name == "ending" and multiprocessing.parent_process():
        os._exit(9)  # ends like a worker that the system has killed
    return drawn(synthetic.synthetic(mallocs=1, keep=only("churn")), "churn")


def test_an_error_in_a_worker_is_raised_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    with pytest.raises(BadResult, match="run.json: has a fault"):
        charts.write_all(faulty, ["good", "faulty", "never"], tmp_path, ("svg",), charts.Look())
    assert [file.name for file in tmp_path.iterdir()] == ["good.svg"]
    assert not multiprocessing.active_children()
    files = charts.write_all(faulty, ["ending", "good"], tmp_path, ("svg",), charts.Look())
    assert [file.name for file in files] == ["ending.svg", "good.svg"]


def no_thread(*_: object) -> None:
    raise RuntimeError("can't start new thread")


def no_memory_to_share(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")  # of a semaphore: the error names no file


@pytest.mark.hostile("limit of the system")
@pytest.mark.parametrize(
    ("place", "name", "refuses"),
    [(threading.Thread, "start", no_thread), (charts, "ProcessPoolExecutor", no_memory_to_share)],
    ids=["processes", "shared memory"],
)
def test_where_no_processes_can_share_the_work_one_does_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: object, name: str, refuses: Callable[..., None]
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(place, name, refuses)
    files = charts.write_all(faulty, ["good", "better"], tmp_path, ("svg",), charts.Look())
    assert [file.name for file in files] == ["good.svg", "better.svg"] and not multiprocessing.active_children()


@pytest.mark.hostile("signal")
def test_an_interrupt_ends_all_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        charts.write_all(faulty, ["good"] * 40, tmp_path, ("svg",), charts.Look())
    assert not multiprocessing.active_children() and not list(tmp_path.iterdir())


def test_plot_writes_the_requested_files_and_looks_do_not_overwrite_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(tmp_path / "run.json", synthetic.document(keep=lambda name: name.startswith("churn/")))
    file = str(tmp_path / "run.json")
    assert plot.main([file]) == 0
    assert plot.main([file, "--chart", "churn", "--theme", "dark", "--size", "paper", "--format", "pdf"]) == 0
    names = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert names == ["churn-dark-paper.pdf", "churn.png", "churn.svg"]
    assert capsys.readouterr().out.splitlines()[0] == str(tmp_path / "figures" / "churn.svg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run.json", "--chart", "no_such"], "cost_64b"),
        (["run.json", "--format", "svg,gif"], "svg, png, pdf"),
        (["run.json", "--theme", "pink"], "light"),
        (["run.json", "--chart", "chase"], "no data for chase"),
        (["missing.json"], "missing.json: does not exist"),
        (["run.json", "--out", "run.json"], "run.json"),
    ],
)
def test_plot_refuses_bad_input_in_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "run.json", synthetic.document(keep=lambda name: name.startswith("churn/")))
    try:
        status = plot.main(arguments)
    except SystemExit as exit_of_the_parser:
        status = int(str(exit_of_the_parser.code))
    lines = capsys.readouterr().err.splitlines()
    assert status == 2 and message in lines[-1] and len(lines) == 1


@pytest.mark.hostile("result file")
@pytest.mark.parametrize(
    ("name", "benchmark"),
    [
        ("zeroed", "zeroed/other/bytes:4096/way:calloc/touch:all"),  # its title is of other ways
        ("zeroed", "zeroed/glibc/bytes:4096/way:other/touch:none"),
        ("recursion", "recursion/shape:chain/frame:64/by:calls/depth:0"),
        ("scoped", "scoped/glibc/bytes:0/touch:first"),
    ],
)
def test_without_a_figure_for_its_title_a_chart_is_not_drawn(tmp_path: Path, name: str, benchmark: str) -> None:
    row = synthetic.row(benchmark, 1.0, {})
    write_json(tmp_path / "run.json", {"context": {"suite_version": "1"}, "benchmarks": [row]})
    assert charts.draw(read_run(tmp_path / "run.json"), name) is None


@pytest.mark.hostile("size")
def test_a_crowd_of_strategies_is_drawn_as_far_as_it_has_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [synthetic.row(f"scoped/s{number}/bytes:64/touch:first", 1.0, {}) for number in range(20)]
    write_json(tmp_path / "run.json", {"context": {"suite_version": "1"}, "benchmarks": rows})
    for most in (20, 5):
        monkeypatch.setattr(forms, "MOST_ROWS", most)
        drawing = charts.draw(read_run(tmp_path / "run.json"), "cost_64b")
        assert drawing is not None and len({spot.y for spot in drawing.spots}) == most
        assert ("5 of 20 rows shown" in drawing.caption) == (most == 5)
