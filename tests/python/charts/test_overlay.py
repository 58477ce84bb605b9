"""Can runs be distinguished in one chart, and does its title state what the figures support, for any figures?"""

from __future__ import annotations

import itertools
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
from suite.charts.across import overlay
from suite.charts.kit import marks, run_names
from suite.commands import plot
from suite.results.model import Benchmark, Run
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


def title(name: str, *runs: Run) -> str:
    with without_placement():
        drawing = overlay.draw(runs, name)
    assert drawing is not None
    return drawing.title.translate(PLAIN)


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
    for name in ("cost_64b", "homes", "claims"):
        drawing = overlay.draw(machines(runs, strategies - 2), name)
        assert drawing is not None and list(faults_of_layout(drawing)) == []


def test_the_theme_does_not_change_the_layout() -> None:
    light, dark = (overlay.draw(machines(2, 1), "chase", charts.Look(theme)) for theme in charts.THEMES)
    assert light is not None and dark is not None
    places = [[tuple(text.get_window_extent().extents) for text in texts(drawing)] for drawing in (light, dark)]
    assert places[0] == places[1]


@pytest.mark.parametrize("theme", charts.THEMES)
def test_runs_have_colours_that_every_eye_distinguishes_and_strategies_do_not_have(theme: str) -> None:
    runs = machines(6, 1)
    used = [overlaid.style for overlaid in run_names.named(runs)]
    assert smallest_difference(used, theme) > 0.12
    grey = [float(np.cbrt(luminance(mark.colour(theme)))) for mark in used]
    assert min(abs(a - b) for a, b in itertools.combinations(grey, 2)) > 0.05
    assert min(contrast(mark, theme) for mark in used) >= 3.0
    assert len({mark.marker for mark in used}) == len(used)
    strategies = {marks.mark_of(runs[0], name).colour(theme) for name in runs[0].strategies()}
    assert strategies.isdisjoint(mark.colour(theme) for mark in used)


def test_the_footer_names_each_machine_and_its_caches() -> None:
    drawing = overlay.draw(machines(2, 1), "chase")
    assert drawing is not None
    assert "otto: 64 cores, reported 48 KiB L1, 2 MiB L2, 32 MiB L3 · emma: 64 cores, reported 48 KiB L1, 1 MiB L2" in drawing.caption
    assert "dotted: each run's caches" in drawing.caption
    alike = overlay.draw(pair(lambda name: 2.0), "chase")
    assert alike is not None and "otto, emma: 2 cores" in alike.caption
    assert any(text.get_text() == "L2 2 MiB" for text in texts(alike)) and "dotted" not in alike.caption


# ---- the titles


@pytest.mark.parametrize("name", COMPARED)
def test_the_same_run_twice_shows_no_difference(name: str) -> None:
    finding = title(name, synthetic.synthetic(), synthetic.synthetic())
    assert finding.startswith("No measurable difference in what ") and finding.endswith(" in run 1 and in run 2")


def test_the_same_run_three_times_shows_no_difference() -> None:
    finding = title("cost_64b", *[synthetic.synthetic()] * 3)
    assert finding == "No measurable difference in what 64 bytes cost in the 3 runs"


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPARED)
def test_a_title_names_the_costlier_run_in_any_order_of_the_runs(name: str) -> None:
    otto, emma = pair(lambda name: 2.0)
    assert "2.0 times as much on emma as on otto" in title(name, otto, emma)
    assert title(name, emma, otto) == title(name, otto, emma)


def with_control_of(share: float) -> Callable[[str], Run]:
    """A run in which the control is this share of what malloc costs, and all of what the stack costs."""

    def ns(name: str) -> float:
        return 10.0 if "/none/" in name or "/stack_array/" in name else 10.0 / share

    run = synthetic.synthetic(mallocs=3, noise=exact, ns=ns, keep=lambda name: name.startswith("scoped/"))
    return lambda host: priced(run, times(1.0), host_name=host)


def test_no_title_is_a_ratio_of_figures_that_are_mostly_their_control() -> None:
    run = with_control_of(0.2)("otto")
    costlier = priced(run, lambda name: 4.0 if "/stack_array/" in name else 2.0, host_name="emma")
    finding = title("cost_64b", run, costlier)
    assert finding.startswith("64 bytes cost on average 2.0 times as much on emma") and "4.0" not in finding
    drawing = overlay.draw((run, costlier), "cost_64b")
    assert drawing is not None and "the title leaves out what is mostly the control" in drawing.caption
    run = with_control_of(0.9)("otto")
    nothing = title("cost_64b", run, priced(run, times(2.0), host_name="emma"))
    assert nothing == "What 64 bytes cost is mostly the control: the runs are not compared"


def test_titles_have_numbers_that_can_be_checked_by_hand() -> None:
    otto, emma = pair(lambda name: 3.0 if "glibc" in name else 1.5)
    finding = title("cost_64b", otto, emma)
    average, ends = finding.split("; ")
    assert re.fullmatch(r"64 bytes cost on average 1\.\d times as much on emma as on otto", average)
    assert re.fullmatch(r"by strategy, 1\.5 \([a-z ]+\) to 3\.0 \(glibc\) times", ends)
    ida = priced(otto, lambda name: 4.0, host_name="ida")
    double = priced(otto, lambda name: 2.0, host_name="emma")
    least = "64 bytes cost least on otto, on average; 2.0 to 4.0 times as much in the others"
    assert {title("cost_64b", *order) for order in itertools.permutations((otto, double, ida))} == {least}
    again = priced(otto, lambda name: 1.0, host_name="karl")
    far = title("cost_64b", otto, again, ida)
    assert re.search(r"4\.0 times as much on ida as on (otto|karl), the largest difference among 3 runs$", far)
    assert title("cost_64b", *pair(lambda name: 1.03)).endswith("cost on average 3.0 % more on emma than on otto")


def test_the_title_states_differences_that_cancel_on_average() -> None:
    otto, emma = pair(lambda name: 3.0 if "/glibc/" in name else 1 / 3 if "/jemalloc/" in name else 1.0)
    finding = title("cost_64b", otto, emma)
    average, apart = finding.split("; ")
    assert average == "On average, no measurable difference in what 64 bytes cost on otto and on emma"
    assert re.fullmatch(r"by strategy, 2 of \d+ comparisons differ, by up to 3\.0 times", apart)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPARED)
def test_the_title_of_single_processes_states_no_difference(name: str) -> None:
    drawing = overlay.draw(pair(lambda name: 2.0, processes=1), name)
    assert drawing is not None and "One process: no intervals." in drawing.caption
    assert "No measurable" not in drawing.title and "least" not in drawing.title


def test_the_title_counts_the_claims_with_different_verdicts() -> None:
    otto, emma = pair(lambda name: 1.0)
    alike = title("claims", otto, emma)
    subject, finding = alike.split(", ")
    assert re.fullmatch(r"Of \d+ common claims about stack and heap judged in both runs", subject)
    assert finding == "0 have another verdict on otto than on emma"
    flat = priced(synthetic.synthetic(ns=synthetic.alike), lambda name: 1.0, host_name="emma")
    assert re.search(r", \d+ (has|have) another verdict on otto than on emma$", title("claims", otto, flat))
    assert re.search(
        r"two or more of the 3 runs, \d+ (has|have) different verdicts$", title("claims", otto, flat, emma)
    )


def test_more_comparisons_widen_the_intervals() -> None:
    cheap, costly = ({process: factor + 0.1 * process for process in range(8)} for factor in (1.0, 1.7))
    alone, among_many = (overlay._ratio(cheap, costly, compared) for compared in (1, 20))
    assert among_many.low < alone.low and alone.high < among_many.high


# ---- the names of the runs


@pytest.mark.parametrize(
    ("first", "second", "labels"),
    [
        ({"host_name": "otto"}, {"host_name": "emma"}, ["on otto", "on emma"]),
        ({"compiler": "GNU 12.2.0"}, {"compiler": "Clang 17.0.1"}, ["with GNU 12.2.0", "with Clang 17.0.1"]),
        ({"process_malloc": "glibc"}, {"process_malloc": "jemalloc"}, ["with glibc", "with jemalloc"]),
        ({"malloc.glibc": "2.36 /lib/a"}, {"malloc.glibc": "2.39 /lib/b"}, ["with glibc 2.36", "with glibc 2.39"]),
        ({"cores": "2"}, {"cores": "1"}, ["on 2 cores", "on 1 core"]),
        ({"date": "2026-01-02T03:04:05"}, {"date": "2026-01-03T03:04:05"}, ["on 2026-01-02", "on 2026-01-03"]),
        ({"host_name": "_a\n<b>"}, {"host_name": "$" + "x" * 90}, ["on a <b>", "on $" + "x" * 22 + "…"]),
        ({"host_name": "\u6f22"}, {"host_name": "\u5b57"}, ["in run 1", "in run 2"]),  # letters no font here has
        ({"host_name": 5}, {"host_name": ["x"]}, ["on 5", "on ['x']"]),
    ],
)
def test_runs_are_named_by_the_shortest_fact_that_differs(first: Any, second: Any, labels: list[str]) -> None:
    runs = [priced(usual(), lambda name: 1.0, **context) for context in (first, second)]
    assert [overlaid.phrase for overlaid in run_names.named(runs)] == labels


def test_runs_are_named_by_two_facts_or_files_where_no_single_fact_differs() -> None:
    facts = [{"host_name": host, "compiler": compiler} for host in ("otto", "emma") for compiler in ("GNU 1", "GNU 2")]
    runs = [priced(usual(), lambda name: 1.0, **context) for context in facts]
    assert [overlaid.label for overlaid in run_names.named(runs)] == [
        "otto GNU 1",
        "otto GNU 2",
        "emma GNU 1",
        "emma GNU 2",
    ]
    files = [priced(usual(), lambda name: 1.0, path) for path in ("before/run.json", "after/run.json")]
    assert [overlaid.phrase for overlaid in run_names.named(files)] == ["in before", "in after"]


def test_the_subtitle_states_the_other_differences() -> None:
    runs = pair(lambda name: 2.0)
    assert (drawing := overlay.draw(runs, "handoff"))
    assert "also differ" not in drawing.caption
    differing = [runs[0], priced(runs[1], lambda name: 1.0, compiler="Clang 17.0.1", process_malloc="jemalloc")]
    assert (drawing := overlay.draw(differing, "handoff"))
    assert "the runs also differ in compiler and default malloc" in drawing.caption
    facts = [{"host_name": f"a-long-host-name-{number}", "compiler": f"GNU {number}"} for number in (1, 2)]
    versions = [priced(runs[0], lambda name: 1.0, **context) for context in facts]
    assert (drawing := overlay.draw(versions, "handoff"))
    assert "with GNU 1" in drawing.title and "the runs also differ in machine" in drawing.caption


def test_hostile_names_stay_text_and_on_the_page() -> None:
    hosts = ["<script>alert(1)</script>" + "W" * 60, "$\\frac{$" + "W" * 60]
    runs = [priced(usual(), times(factor), host_name=host) for factor, host in zip((1.0, 2.0), hosts)]
    for name in ("cost_64b", "chase", "claims"):
        drawing = overlay.draw(runs, name, charts.Look("dark", "square"))
        assert drawing is not None and list(faults_of_layout(drawing)) == []
        assert b"<script" not in charts.render(drawing, "svg")


# ---- the data that an overlay needs


ADDED = """
from suite.charts.cost_64b import FAMILY, draw, overlay_panels
from suite.charts.kit.several_runs import Overlay

QUESTION = "Is a chart found with its overlay?"
OVERLAY = Overlay("A block that was added costs", "Take a block", overlay_panels, "strategy")
"""


def test_a_chart_brings_its_overlay_in_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "added.py").write_text(ADDED)
    monkeypatch.setattr(charts, "__path__", [*charts.__path__, str(tmp_path)])
    before = overlay.names()
    charts.charts.cache_clear()
    try:
        assert overlay.names() == sorted([*before, "added"])
        assert "A block that was added costs on average 2.0 times as much" in title("added", *pair(times(2.0)))
    finally:
        charts.charts.cache_clear()
        sys.modules.pop("suite.charts.added", None)


def test_an_overlay_shows_the_runs_that_have_its_data() -> None:
    otto, emma = pair(lambda name: 2.0)
    ida = priced(otto, lambda name: 1.0, host_name="ida")
    without = keeping(emma, lambda name: not name.startswith("chase/"))
    assert overlay.draw([otto, without], "chase") is None
    assert overlay.draw([otto, without], "cost_64b") is not None
    drawing = overlay.draw([otto, without, ida], "chase")
    assert drawing is not None
    assert drawing.title == "No measurable difference in what a load at random costs on otto and on ida"
    assert "emma" not in {text.get_text() for text in texts(drawing)}


def test_runs_with_too_little_in_common_are_not_compared() -> None:
    otto, emma = pair(lambda name: 2.0)
    ida = priced(otto, lambda name: 1.0, host_name="ida")
    chains = ("/(glibc|arena)/", "/(arena|alloca)/", "/(alloca|glibc)/")
    runs = [keeping(run, re.compile(kept).search) for run, kept in zip((otto, emma, ida), chains)]
    finding = title("cost_64b", *runs)
    assert finding == "The runs have too little in common to compare what 64 bytes cost"


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
