"""Can runs be distinguished in one chart, and does its title state what the figures support, for any figures?"""

from __future__ import annotations

import itertools
import math
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite import charts
from suite.base.files import write_json
from suite.base.phrases import LONGEST_TITLE
from suite.charts import claims as chart_of_claims
from suite.charts.across import finding, overlay
from suite.charts.across.finding import Finding
from suite.charts.kit import marks, several_runs
from suite.claims import DOES_NOT_HOLD, HOLDS, UNDECIDED
from suite.commands import plot
from suite.results.model import Account, Benchmark, Run, labelled
from support import synthetic
from support.chart_checks import (
    PLAIN,
    Extent,
    by_day,
    contrast,
    exact,
    expect_least_room,
    faults_of_layout,
    luminance,
    smallest_difference,
    texts,
    without_placement,
    worst,
)

HOSTS = ("otto", "emma", "ida", "a-host-with-a-long-name.example.org", "karl", "w")
COMPARED = [name for name in overlay.names() if name != "claims"]  # the charts whose title compares figures
Factor = Callable[[str], float]


def priced(run: Run, factor: Factor, path: str = "run.json", **context: Any) -> Run:
    """The same run on a machine where each benchmark costs a multiple of its time."""

    def multiplied(benchmark: Benchmark) -> Benchmark:
        multiple = factor(benchmark.name.text)
        samples = tuple(
            replace(
                taken, ns=taken.ns * multiple, counters={key: value * multiple for key, value in taken.counters.items()}
            )
            for taken in benchmark.samples
        )
        return replace(benchmark, samples=samples)

    benchmarks = {name: multiplied(benchmark) for name, benchmark in run.by_name.items()}
    return replace(run, path=Path(path), by_name=benchmarks, context={**run.context, **context})


@cache
def times(factor: float) -> Factor:
    return lambda name: factor


@cache
def usual(mallocs: int = 5, processes: int = 5) -> Run:
    return synthetic.synthetic(mallocs=mallocs, processes=processes, noise=exact)


@cache
def machines(number: int, mallocs: int) -> tuple[Run, ...]:
    """Runs of machines that cost more, one after another, with smaller caches."""
    run = synthetic.synthetic(mallocs=mallocs, cores=64)
    return tuple(
        priced(run, times(1 + 0.3 * place), host_name=host, l2_bytes=str((2 << 20) >> place))
        for place, host in enumerate(HOSTS[:number])
    )


def keeping(run: Run, keep: Callable[[str], object]) -> Run:
    return replace(run, by_name={name: benchmark for name, benchmark in run.by_name.items() if keep(name)})


def found(name: str, *runs: Run) -> Finding:
    finding = overlay.finding_of(runs, name)
    assert finding is not None
    return Finding(finding.title.translate(PLAIN), [text.translate(PLAIN) for text in finding.details])


def title(name: str, *runs: Run) -> str:
    return found(name, *runs).title


@cache
def pair(factor: Factor, processes: int = 5) -> tuple[Run, Run]:
    run = usual(processes=processes)
    return priced(run, lambda name: 1.0, host_name="otto"), priced(run, factor, host_name="emma")


# ---- the layout


EXTENTS = [Extent(runs, strategies) for runs in (2, 6) for strategies in (3, 12)]


def drawn_from(extent: Extent, name: str, theme: str, size: str) -> charts.Drawing:
    drawing = overlay.draw(machines(extent.cores_or_runs, extent.strategies - 2), name, charts.Look(theme, size))
    assert drawing is not None
    return drawing


@pytest.mark.slow
@pytest.mark.parametrize(("name", "theme", "size", "extent"), by_day(dict.fromkeys(overlay.names(), worst(EXTENTS))))
def test_no_part_overlaps_or_leaves_the_page_at_the_largest_extent(
    name: str, theme: str, size: str, extent: Extent
) -> None:
    assert list(faults_of_layout(drawn_from(extent, name, theme, size))) == []


@pytest.mark.nightly
@pytest.mark.parametrize("name", overlay.names())
def test_fewer_runs_or_strategies_never_leave_less_room(name: str) -> None:
    expect_least_room(lambda extent, look: drawn_from(extent, name, look.theme, look.size), EXTENTS, worst(EXTENTS))


@pytest.mark.slow
@pytest.mark.parametrize(("runs", "strategies"), [(2, 12), (6, 3)])
def test_few_runs_of_many_and_many_runs_of_few_have_room(runs: int, strategies: int) -> None:
    for name in ("cost_64b", "handoff", "claims"):
        drawing = overlay.draw(machines(runs, strategies - 2), name)
        assert drawing is not None and list(faults_of_layout(drawing)) == []


def test_many_rows_have_two_panels_on_a_slide_and_one_on_paper() -> None:
    run = synthetic.synthetic(mallocs=15, noise=exact, keep=lambda name: name.startswith("scoped/"))
    runs = [priced(run, times(1 + 0.3 * place), host_name=host) for place, host in enumerate(HOSTS)]
    slide, paper = (overlay.draw(runs, "cost_64b", charts.Look("light", size)) for size in ("talk", "paper"))
    assert slide is not None and paper is not None and slide.cells != ()
    assert {(cell.row, cell.column, cell.text) for cell in slide.cells} == {
        (cell.row, cell.column, cell.text) for cell in paper.cells
    }
    rows = [[text.get_text() for text in axes.get_yticklabels()] for axes in slide.figure.axes]
    number = len({cell.row for cell in slide.cells})
    assert number > overlay.MOST_ROWS and [len(names) for names in rows] == [math.ceil(number / 2), number // 2]
    assert not set(rows[0]) & set(rows[1]) and list(faults_of_layout(slide)) == []
    assert len(paper.figure.axes) == 1


def test_the_theme_does_not_change_the_layout() -> None:
    light, dark = (overlay.draw(machines(2, 1), "chase", charts.Look(theme)) for theme in charts.THEMES)
    assert light is not None and dark is not None
    places = [[tuple(text.get_window_extent().extents) for text in texts(drawing)] for drawing in (light, dark)]
    assert places[0] == places[1]


@pytest.mark.parametrize("theme", charts.THEMES)
def test_runs_have_colours_that_every_eye_distinguishes_and_strategies_do_not_have(theme: str) -> None:
    runs = machines(6, 1)
    used = [overlaid.style for overlaid in several_runs.named(runs)]
    assert smallest_difference(used, theme) > 0.12
    grey = [float(np.cbrt(luminance(mark.colour(theme)))) for mark in used]
    assert min(abs(a - b) for a, b in itertools.combinations(grey, 2)) > 0.05
    assert min(contrast(mark, theme) for mark in used) >= 3.0
    assert len({mark.marker for mark in used}) == len(used)
    strategies = {marks.mark_of(runs[0], name).colour(theme) for name in runs[0].strategies()}
    assert strategies.isdisjoint(mark.colour(theme) for mark in used)


def test_multiples_have_no_unit_of_time() -> None:
    with without_placement():
        drawing = overlay.draw(pair(times(2.0)), "replay_memory")
    assert drawing is not None
    assert all("×" in text and "ns" not in text for text in (cell.text for cell in drawing.cells))


def test_the_footer_names_each_machine_and_its_caches() -> None:
    drawing = overlay.draw(machines(2, 1), "chase")
    assert drawing is not None
    caches = "64 cores, reported 48 KiB L1, {} L2, 32 MiB L3"
    assert f"otto: unknown processor, {caches.format('2 MiB')}\nemma: unknown processor, {caches.format('1 MiB')}" in (
        drawing.caption
    )
    assert "dotted: each run's caches" in drawing.caption
    (machine,) = several_runs._machines(several_runs.named([usual()] * 3), with_caches=False)
    assert machine == "All runs: unknown processor, 2 cores"
    alike = overlay.draw(pair(lambda name: 2.0), "chase")
    assert alike is not None and "otto, emma: unknown processor, 2 cores" in alike.caption
    assert any(text.get_text() == "L2 2 MiB" for text in texts(alike)) and "dotted" not in alike.caption


# ---- the titles


@pytest.mark.parametrize("name", COMPARED)
def test_the_same_run_twice_shows_no_difference(name: str) -> None:
    finding = title(name, usual(), usual())
    assert finding.startswith("No measurable difference in ") and finding.endswith(" between run 1 and run 2")


def test_the_same_run_three_times_shows_no_difference() -> None:
    finding = title("cost_64b", *[usual()] * 3)
    assert finding == "No measurable difference in the cost of 64 B among the 3 runs"


@pytest.mark.parametrize("name", COMPARED)
def test_a_title_names_the_faster_run_in_any_order_of_the_runs(name: str) -> None:
    otto, emma = pair(times(2.0))
    finding = title(name, otto, emma)
    assert re.fullmatch(r"otto .* 0\.50 times the (time|memory) of emma(, on average)?", finding)
    assert title(name, emma, otto) == finding


LABELS = ("V" * 24, "W" * 24)  # as long as a label may be


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize("factor", [2.0, 1.0])
def test_a_title_has_at_most_105_letters_a_single_number_and_whole_names(name: str, factor: float) -> None:
    runs = [labelled(run, label) for run, label in zip(pair(times(factor)), LABELS)]
    finding = title(name, *runs)
    assert len(finding) <= LONGEST_TITLE and all(label in finding for label in LABELS)
    numbers = re.findall(r"(?<![\w.])\d[\d.]*", finding.replace("64 B", ""))
    assert len(numbers) == (factor != 1.0)


@pytest.mark.parametrize("name", COMPARED)
def test_titles_of_usual_names_say_what_is_compared(name: str) -> None:
    overlaid = charts.charts()[name].overlay
    assert isinstance(overlaid, several_runs.Overlay)
    for factor, text in ((2.0, overlaid.does), (1.0, overlaid.quantity)):
        runs = [labelled(run, label[:16]) for run, label in zip(pair(times(factor)), LABELS)]
        assert text in title(name, *runs)


def test_the_title_of_few_differences_is_short_enough_with_the_longest_names() -> None:
    keys: list[several_runs.Key] = ["X" * 19 + letter for letter in "abcde"]
    figures_of = {place: {key: {p: 10.0 + 0.01 * p for p in range(5)} for key in keys} for place in (0, 1)}
    overlaid = several_runs.Overlay("does", "q" * 32, "", lambda run: {}, "numbers of threads")
    for key, cost in ((keys[0], 90.0), (keys[1], 19.0)):
        figures_of[1][key] = {p: cost + 0.01 * p for p in range(5)}
        found = finding.finding(overlaid, dict(enumerate(LABELS)), figures_of).title
        assert len(found) <= LONGEST_TITLE and str(keys[0]) in found and LABELS[1] in found


def test_titles_name_labels_processors_or_facts() -> None:
    otto, emma = pair(lambda name: 2.0)
    models = ("AMD EPYC 9R14 96-Core Processor", "Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz")
    epyc, xeon = (priced(run, times(1.0), cpu_model=model) for run, model in zip((otto, emma), models))
    assert title("chase", epyc, xeon) == "EPYC 9R14 loads from memory in 0.50 times the time of Xeon 8488C"
    new, old = labelled(epyc, "new"), labelled(xeon, "old")
    assert title("chase", new, old) == "new loads from memory in 0.50 times the time of old"
    assert title("chase", new, xeon) == "new loads from memory in 0.50 times the time of Xeon 8488C"


def test_the_title_of_loads_compares_the_largest_memory() -> None:
    largest = max(benchmark.name.number("bytes") or 0 for benchmark in usual().series("chase"))
    otto, emma = pair(lambda name: 4.0 if f"bytes:{largest}" in name else 0.5)
    assert title("chase", otto, emma) == "otto loads from memory in 0.25 times the time of emma"


def with_control_of(share: float) -> Callable[[str], Run]:
    """A run in which the control is this share of what malloc costs, and all of what the stack costs."""

    def ns(name: str) -> float:
        return 10.0 if "/none/" in name or "/stack_array/" in name else 10.0 / share

    run = synthetic.synthetic(mallocs=3, noise=exact, ns=ns, keep=lambda name: name.startswith("scoped/"))
    return lambda host: priced(run, times(1.0), host_name=host)


def test_no_title_is_a_ratio_of_figures_that_are_mostly_their_control() -> None:
    run = with_control_of(0.2)("otto")
    costlier = priced(run, lambda name: 4.0 if "/stack_array/" in name else 2.0, host_name="emma")
    average = found("cost_64b", run, costlier)
    assert average.title == "otto allocates 64 B in 0.50 times the time of emma, on average"
    assert re.fullmatch(r"over 5 of 6 strategies, 0\.50 times", average.details[0])
    assert average.details[1] == "the others, mostly the control: stack array (30 ns more with emma)"
    run = with_control_of(0.9)("otto")
    of_controls = found("cost_64b", run, priced(run, times(2.0), host_name="emma"))
    assert of_controls.title == "No measurable difference in the cost of 64 B between otto and emma"
    factors = {"glibc": 4.0, "arena": 2.0}
    costlier = priced(run, lambda name: factors.get(name.split("/")[1], 1.0), host_name="emma")
    beyond = found("cost_64b", run, costlier)
    assert beyond.title == "The cost of 64 B differs only for glibc (33 ns more with emma) and 1 other"


def test_titles_have_numbers_that_can_be_checked_by_hand() -> None:
    otto, emma = pair(lambda name: 3.0 if "glibc" in name else 1.5)
    finding = found("cost_64b", otto, emma)
    mean = math.exp((math.log(1 / 3) + 6 * math.log(1 / 1.5)) / 7)  # of the malloc and six other strategies
    assert finding.title == f"otto allocates 64 B in {mean:.2f} times the time of emma, on average"
    assert re.fullmatch(r"over 7 of 8 strategies, 0\.33 \(glibc\) to 0\.67 \([a-z ]+\) times", finding.details[0])
    assert title("cost_64b", *pair(times(1.03))) == "otto allocates 64 B in 2.9 % less time than emma, on average"


def test_an_average_of_which_few_strategies_are_part_is_not_the_title() -> None:
    otto, emma = pair(lambda name: 3.0 if "/glibc/" in name else 1.25 if "/jemalloc/" in name else 1.0)
    assert found("cost_64b", otto, emma) == Finding(
        "The cost of 64 B differs only for glibc (3.0 times as much with emma) and 1 other",
        ["2 of 8 strategies differ"],
    )
    _, emma = pair(lambda name: 1.25 if "/jemalloc/" in name else 1.0)
    assert title("cost_64b", otto, emma) == "The cost of 64 B differs only for jemalloc (25 % more with emma)"
    ida = priced(otto, lambda name: 1.0, host_name="ida")
    assert found("cost_64b", otto, ida, emma).details[1] == "most between emma and otto"


def test_a_slight_difference_is_no_finding() -> None:
    """It is less than a hundredth, and than a tenth of a cycle: where a loop lies in memory changes its time by as much."""
    assert title("overhead", *pair(times(1.004))).startswith("No measurable difference in the memory")


def test_of_several_runs_the_fastest_is_held_against_the_slowest() -> None:
    otto, emma = pair(times(2.0))
    ida = priced(otto, times(4.0), host_name="ida")
    for order in itertools.permutations((otto, emma, ida)):
        finding = found("cost_64b", *order)
        assert finding.title == "otto allocates 64 B in 0.25 times the time of ida, on average"
        assert finding.details[0] == "fastest and slowest of 3 runs"
    blocks = found("overhead", otto, emma, ida)
    assert blocks.details == ["least and most of 3 runs"] and "0.25 times the memory of ida" in blocks.title


def test_the_title_states_differences_that_cancel_on_average() -> None:
    otto, emma = pair(lambda name: 3.0 if "/glibc/" in name else 1 / 3 if "/jemalloc/" in name else 1.0)
    assert re.fullmatch(
        r"The cost of 64 B differs only for (glibc|jemalloc) \(3\.0 times as much with (otto|emma)\) and 1 other",
        title("cost_64b", otto, emma),
    )


@pytest.mark.parametrize("name", COMPARED)
def test_the_title_of_single_processes_states_no_difference(name: str) -> None:
    same = pair(times(1.0), processes=1)
    assert "No measurable" not in title(name, *same)


def test_a_chart_of_single_processes_says_so() -> None:
    with without_placement():
        drawing = overlay.draw(pair(times(2.0), processes=1), "cost_64b")
    assert drawing is not None and "One process: no intervals." in drawing.caption


def test_the_title_counts_the_claims_with_different_verdicts() -> None:
    otto, emma, ida = several_runs.named([Run(Path(), {"host_name": host}, {}, Account(True, 1)) for host in HOSTS[:3]])
    same, other = chart_of_claims._Row("a", [HOLDS, HOLDS]), chart_of_claims._Row("b", [HOLDS, DOES_NOT_HOLD])
    open_in_one = chart_of_claims._Row("c", [HOLDS, UNDECIDED, HOLDS])

    def title_of(rows: list[chart_of_claims._Row], runs: list[several_runs.OverlaidRun]) -> str:
        return chart_of_claims._title_of_several(rows, runs).translate(PLAIN)

    assert title_of([same] * 2, [otto, emma]) == "otto and emma agree on all 2 common claims about memory"
    assert title_of([other] * 2 + [same], [otto, emma]) == "otto and emma differ on 2 of 3 common claims about memory"
    assert title_of([same, other], [otto, emma]) == "otto and emma differ on 1 of 2 common claims: b"
    assert title_of([open_in_one], [otto, emma, ida]) == "The 3 runs agree on the only common claim about memory"
    assert title_of([other], [otto, emma]) == "otto and emma differ on the only common claim: b"
    longest = [replace(overlaid, name=label) for overlaid, label in zip((otto, emma), LABELS)]
    long = [replace(other, short="the heap ends with the memory"), *[same] * 20]
    assert all(label in title_of(long, longest) for label in LABELS) and len(title_of(long, longest)) <= LONGEST_TITLE


def test_more_comparisons_widen_the_intervals() -> None:
    cheap, costly = ({process: factor + 0.1 * process for process in range(8)} for factor in (1.0, 1.7))
    alone, among_many = (finding._ratio(cheap, costly, compared) for compared in (1, 20))
    assert among_many.low < alone.low and alone.high < among_many.high


def test_the_subtitle_states_the_other_differences() -> None:
    runs = pair(times(2.0))
    differing = priced(runs[1], times(1.0), compiler="Clang 17.0.1", process_malloc="jemalloc")
    with without_placement():
        drawings = [overlay.draw([runs[0], run], "handoff") for run in (runs[1], differing)]
    captions = [drawing.caption for drawing in drawings if drawing]
    assert "differ" not in captions[0] and "the runs also differ in compiler and default malloc" in captions[1]


@pytest.mark.hostile("text that is not ours")
def test_hostile_names_stay_text_and_on_the_page() -> None:
    hosts = ["<script>alert(1)</script>" + "W" * 60, "$\\frac{$" + "W" * 60]
    runs = [
        priced(usual(), times(factor), host_name=host, cpu_model="W" * 60) for factor, host in zip((1.0, 2.0), hosts)
    ]
    for name in ("chase", "claims"):
        drawing = overlay.draw(runs, name, charts.Look("dark"))
        assert drawing is not None and list(faults_of_layout(drawing)) == []
        assert b"<script" not in charts.render(drawing, "svg")


# ---- the data that an overlay needs


ADDED = """
from suite.charts.cost_64b import FAMILY, draw, overlay_panels
from suite.charts.kit.several_runs import Overlay

QUESTION = "Is a chart found with its overlay?"
OVERLAY = Overlay("does what was added in", "the time of what was added", "Take a block", overlay_panels, "strategies")
"""


def test_a_chart_brings_its_overlay_in_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "added.py").write_text(ADDED)
    monkeypatch.setattr(charts, "__path__", [*charts.__path__, str(tmp_path)])
    before = overlay.names()
    charts.charts.cache_clear()
    try:
        assert overlay.names() == sorted([*before, "added"])
        assert title("added", *pair(times(2.0))) == "otto does what was added in 0.50 times the time of emma, on average"
    finally:
        charts.charts.cache_clear()
        sys.modules.pop("suite.charts.added", None)


def test_an_overlay_shows_the_runs_that_have_its_data() -> None:
    otto, emma = pair(lambda name: 2.0)
    ida = priced(otto, lambda name: 1.0, host_name="ida")
    without = keeping(emma, lambda name: not name.startswith("chase/"))
    assert overlay.draw([otto, without], "chase") is None and overlay.finding_of([otto, without], "chase") is None
    assert overlay.finding_of([otto, without], "cost_64b") is not None
    drawing = overlay.draw([otto, without, ida], "chase")
    assert drawing is not None
    assert drawing.title == "No measurable difference in the time of a load from memory between otto and ida"
    assert "emma" not in {text.get_text() for text in texts(drawing)}


def test_runs_with_too_little_in_common_are_not_compared() -> None:
    otto, emma = pair(lambda name: 2.0)
    ida = priced(otto, lambda name: 1.0, host_name="ida")
    chains = ("/(glibc|arena)/", "/(arena|alloca)/", "/(alloca|glibc)/")
    runs = [keeping(run, re.compile(kept).search) for run, kept in zip((otto, emma, ida), chains)]
    finding = title("cost_64b", *runs)
    assert finding == "The runs measured too little to compare the cost of 64 B"


def written(folder: Path, families: tuple[str, ...] = ("scoped", "handoff")) -> list[str]:
    files = []
    for place, host in enumerate(("otto", "emma")):
        document = synthetic.document(mallocs=1, keep=lambda name: name.partition("/")[0] in families)
        document["context"]["host_name"] = host
        (folder / host).mkdir()
        files.append(str(folder / host / "run.json"))
        write_json(Path(files[place]), document)
    return files


def test_plot_writes_overlays_beside_the_first_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = written(tmp_path)
    assert plot.main([*files, "--format", "svg"]) == 0
    names = [f"overlay-{name}.svg" for name in ("claims", "cost_64b", "handoff", "scoped", "stack_price")]
    assert sorted(path.name for path in (tmp_path / "otto" / "figures").iterdir()) == names
    assert not (tmp_path / "emma" / "figures").exists()
    assert [Path(line).name for line in capsys.readouterr().out.splitlines()] == names
    out = ["--out", str(tmp_path / "x")]
    assert plot.main([*files, "--chart", "handoff", "--format", "svg", "--theme", "dark", *out]) == 0
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["overlay-handoff-dark.svg"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--chart", "churn"], "churn shows only one run; the charts of several runs are chase, claims, "),
        (["--chart", "chase"], "no two of the runs have data for chase"),
        (["--label", "a"], "--label: 1 given for 2 runs; accepted: one for each"),
        (["run.json"] * 5, "at most 6 runs"),
        (["missing.json"], "missing.json: does not exist"),
    ],
)
def test_plot_refuses_impossible_overlays_in_one_line(
    more: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plot.main([*written(tmp_path), *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
