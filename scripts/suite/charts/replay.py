"""What does a call of malloc cost in recorded programs, and what would a stack save there?"""

from __future__ import annotations

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET
from suite.charts.kit.several_runs import Overlay, Panels, process_times
from suite.results import control, query
from suite.results.model import Benchmark, Run
from suite.results.recording import MADE_UP
from suite.stats.estimates import Difference, estimate_difference

FAMILY = "replay"
QUESTION = "What does a call of malloc or free cost in recorded programs, and what would a stack save there?"

ON_STACK = "+stack"  # the end of the name of a strategy that takes what it can from a stack
WITH_STACK = "with a stack for blocks freed last in, first out"

_KEY_MARGIN, _KEY_GAP = 40.0, 58.0  # points: beside the key, and a mark with the space around it


def draw(run: Run, look: Look) -> Drawing | None:
    names = recordings(run)
    page = Page(run, look, FAMILY)
    mallocs = _named(page, [name for name in query.mallocs(run, FAMILY) if of_malloc(run, name, names)])
    if not mallocs:
        return None
    columns = []
    for lane, malloc in enumerate(mallocs):
        style = page.mark(malloc)
        for strategy, filled in ((malloc + ON_STACK, False), (malloc, True)):
            if costs := query.medians(of_malloc(run, strategy, names)):
                label = page.name(malloc) if filled else f"{page.name(malloc)}, {WITH_STACK}"
                columns.append(forms.Column(label, costs, style.marker, filled, lane, style, keyed=filled))
    if alone := query.medians(of_malloc(run, control.CONTROL, names)):
        middle = (len(mallocs) - 1) / 2
        columns.append(forms.Column("the replay alone", alone, QUIET.marker, lane=middle, style=QUIET, keyed=False))
    rows = forms.cheapest_first(query.medians(of_malloc(run, mallocs[0], names)))
    forms.dots(page, rows, forms.RowsPanel("", columns, joined=True))
    subtitle = f"Replay a program's calls: time of a call, log scale; hollow: {WITH_STACK}; square: the replay alone"
    return page.finish(_title(run, names, mallocs), subtitle)


def _named(page: Page, mallocs: list[str]) -> list[str]:
    """The first mallocs, as many as the key has room for."""
    room, kept = page.look.sheet.width - 2 * _KEY_MARGIN, list[str]()
    for malloc in mallocs:
        room -= page.text_width(page.name(malloc)) + _KEY_GAP
        if room < 0 and kept:
            break
        kept.append(malloc)
    page.named.clear()  # what is asked for its name counts as shown
    return kept


def recordings(run: Run, family: str = FAMILY) -> list[str]:
    """The recordings of programs that the run replayed, in the order of its names."""
    found = (benchmark.name.parameters.get("recording") for benchmark in run.series(family))
    names = list(dict.fromkeys(name for name in found if name))
    return [name for name in names if name != MADE_UP] or names


def of_malloc(run: Run, strategy: str, names: list[str]) -> dict[str, Benchmark]:
    """The strategy's figures by recording."""
    measured = {benchmark.name.parameters.get("recording", ""): benchmark for benchmark in run.series(FAMILY, strategy)}
    return {name: measured[name] for name in names if name in measured}


def _control(run: Run, names: list[str], lane: float) -> list[forms.Column]:
    costs = query.medians(of_malloc(run, control.CONTROL, names))
    return [forms.Column("the replay alone", costs, "|", True, lane, QUIET)] if costs else []


def saved(run: Run, malloc: str, names: list[str]) -> dict[str, Difference]:
    """By recording: how much less a call costs, in ns, where a stack serves the blocks that allow it. The replay's own
    cost is in both figures."""
    alone, on_stack = (of_malloc(run, strategy, names) for strategy in (malloc, malloc + ON_STACK))
    both = [name for name in alone if name in on_stack]
    confidence = query.shared_confidence(len(both))
    return {name: estimate_difference(alone[name].times, on_stack[name].times, confidence) for name in both}


def _title(run: Run, names: list[str], mallocs: list[str]) -> str:
    figures = [of_malloc(run, malloc, names) for malloc in mallocs]
    beyond = [difference for of_one in figures for difference in control.beyond_control(run, of_one).values()]
    costs = [cost.median for of_one in figures for cost in query.medians(of_one).values()]
    where = f"{len(names)} recorded programs" if len(names) > 1 else f"the recording {phrases.plain(names[0])}"
    cost = f"In {where}, a call costs "
    cost += f"{phrases.beyond_control(beyond)} beyond the replay" if beyond else phrases.span(costs, phrases.short_time)
    savings = [saving for malloc in mallocs for saving in saved(run, malloc, names).values()]
    return f"{cost}; a stack saves {phrases.beyond_control(savings)} of it" if savings else cost


def overlay_panels(run: Run) -> Panels:
    malloc = query.default_malloc(run, FAMILY)
    strategies = {"The malloc alone": malloc, "With a stack": malloc + ON_STACK}
    return {title: process_times(run, of_malloc(run, name, recordings(run))) for title, name in strategies.items()}


OVERLAY = Overlay(
    "replays a program's calls in", "the time to replay a program's calls",
    f"Replay a program's calls with the default malloc, alone and {WITH_STACK}: time of a call, log scale",
    overlay_panels, "recorded program",
)  # fmt: skip
