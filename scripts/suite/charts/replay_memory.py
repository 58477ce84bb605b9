"""How much memory does each malloc hold while it serves a recorded program?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts import replay
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET
from suite.charts.kit.several_runs import Overlay, Panels, process_counts
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "replay_memory"
QUESTION = "How much memory does a malloc hold while it serves a recorded program?"

POINTS = 32  # of the series, at equal steps of the calls
MOST_PANELS = 3
PEAK = "peak_resident_per_live_byte"
LIVE = "live"
MULTIPLES = forms.Scale(phrases.times)
_TOPS = (1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0, 40.0)

ByMalloc = Mapping[str, Benchmark]


def draw(run: Run, look: Look) -> Drawing | None:
    measured = {name: _by_malloc(run, name) for name in replay.recordings(run, FAMILY)}
    measured = {name: by_malloc for name, by_malloc in measured.items() if by_malloc}
    shown = sorted(measured, key=lambda name: -_peak_live(measured[name]))[:MOST_PANELS]
    if not shown:
        return None
    page = Page(run, look, FAMILY, {LIVE: "live bytes"})
    lines = {name: _lines(measured[name]) for name in shown}
    axis = _axis([value for drawn in lines.values() for line in drawn for value in line.values.values()])
    panels = [forms.LinesPanel(_heading(name, measured[name]), drawn, axis) for name, drawn in lines.items()]
    for axes, panel in zip(forms.lines(page, *panels, over=lambda share: f"{share:.0f} %", evenly=True), panels):
        forms.shade_under(page, axes, panel.series[-1])
    of_all = f"; the {len(shown)} largest of {len(measured)} recordings" if len(shown) < len(measured) else ""
    subtitle = f"Memory held and live bytes, as multiples of the most live bytes, over the share of calls made{of_all}"
    peaks = query.counted(measured[shown[0]], PEAK)
    subtitle += phrases.costs_over_all(peaks, phrases.times, "at that peak, over all mallocs")
    return page.finish(_title(run, measured, shown), subtitle)


def _by_malloc(run: Run, recording: str) -> dict[str, Benchmark]:
    by_malloc = query.by_strategy(run.series(FAMILY, None, recording=recording))
    with_series = {name: of_one for name, of_one in by_malloc.items() if of_one.counter(f"{LIVE}_{POINTS - 1:02}")}
    return {name: with_series[name] for name in query.mallocs(run, FAMILY) if name in with_series}


def _peak_live(by_malloc: ByMalloc) -> float:
    peaks = (value for benchmark in by_malloc.values() for value in benchmark.counter("peak_live_bytes"))
    return max(peaks, default=0.0)


def _heading(recording: str, by_malloc: ByMalloc) -> str:
    return f"{phrases.plain(recording)}, {bytes_text(int(_peak_live(by_malloc)))}"


def _lines(by_malloc: ByMalloc) -> list[forms.Line]:
    peak = max(_peak_live(by_malloc), 1.0)
    held = {name: _over_calls({name: benchmark}, "resident", peak) for name, benchmark in by_malloc.items()}
    lines = [forms.Line(name, over_calls, mark_every=8) for name, over_calls in held.items()]
    first = dict(list(by_malloc.items())[:1])  # the live bytes are those of the recording, whatever the malloc
    return [*lines, forms.Line(LIVE, _over_calls(first, LIVE, peak), replace(QUIET, marker="None"))]


def _over_calls(benchmark: ByMalloc, what: str, peak: float) -> dict[int, Estimate]:
    series = {}
    for point in range(POINTS):
        for held in query.counted(benchmark, f"{what}_{point:02}", lambda _: peak).values():
            series[round(100 * (point + 1) / POINTS)] = held
    return series


def _axis(shown: list[Estimate]) -> forms.Scale:
    most = max(max(value.high, value.median) for value in shown)
    return replace(MULTIPLES, ends=(0.0, next((top for top in _TOPS if top >= most), most)))


def _title(run: Run, measured: Mapping[str, ByMalloc], shown: list[str]) -> str:
    peaks = query.counted(measured[shown[0]], PEAK)
    name = phrases.plain(shown[0])
    malloc = query.malloc_to_name(run, peaks)
    if malloc is None:
        return f"While it serves the recording {name}, a malloc holds more memory than is live"
    held = phrases.two_figures(peaks[malloc].median)
    return f"At the peak of the recorded program {name}, {phrases.plain(malloc)} holds {held} times the live bytes"


def overlay_panels(run: Run) -> Panels:
    malloc = query.default_malloc(run, FAMILY)
    names = replay.recordings(run, FAMILY)
    figures = {name: of_one for name in names if (of_one := _by_malloc(run, name).get(malloc))}
    return {"Peak over live bytes": {name: process_counts(of_one, PEAK) for name, of_one in figures.items()}}


OVERLAY = Overlay(
    "holds a program's blocks in", "the memory that a program holds",
    "Replay a program's calls, every byte written: peak of the memory held over the most live bytes",
    overlay_panels, "programs", measure="memory", axes={"Peak over live bytes": MULTIPLES},
)  # fmt: skip
