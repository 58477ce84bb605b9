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
    subtitle = f"Replayed calls: time of a call, log scale; hollow: {WITH_STACK}; square: the replay alone"
    return page.finish(_title(run, names, mallocs), f"{subtitle}{_over_all(run, names, mallocs)}")


def _named(page: Page, mallocs: list[str]) -> list[str]:
    """The first mallocs, as many as the key has room for."""
    sheet = Look().sheet if page.look.sheet.is_narrow else page.look.sheet  # a narrow page shows the same
    room, kept = sheet.width - 2 * _KEY_MARGIN, list[str]()
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


def saved(run: Run, malloc: str, names: list[str]) -> dict[str, Difference]:
    """By recording: how much less a call costs, in ns, where a stack serves the blocks that allow it. The replay's own
    cost is in both figures."""
    alone, on_stack = (of_malloc(run, strategy, names) for strategy in (malloc, malloc + ON_STACK))
    both = [name for name in alone if name in on_stack]
    confidence = query.shared_confidence(len(both))
    return {name: estimate_difference(alone[name].times, on_stack[name].times, confidence) for name in both}


def _beyond_replay(run: Run, malloc: str, names: list[str]) -> dict[str, Difference]:
    """By recording: what a call costs beyond the replay alone."""
    return control.beyond_control(run, of_malloc(run, malloc, names))


def _title(run: Run, names: list[str], mallocs: list[str]) -> str:
    """About the recording in which a stack saves most; about the costliest, where no savings were measured."""
    malloc = query.malloc_to_name(run, mallocs) or mallocs[0]
    beyond, savings = _beyond_replay(run, malloc, names), saved(run, malloc, names)
    costs = query.middles(query.medians(of_malloc(run, malloc, names)))
    call = f"a call of {phrases.plain(malloc)}"
    left = {name: saving for name, saving in savings.items() if phrases.is_left(saving)}
    if savings and not left:
        several = f"{len(savings)} recorded programs"
        where = several if len(savings) > 1 else f"the recorded program {phrases.plain(next(iter(savings)))}"
        return f"In {where}, a stack would save nothing measurable of {call}"
    name = max(left, key=lambda name: left[name].median) if left else max(costs, key=lambda name: costs[name])
    cost = phrases.beyond_control([beyond[name]]) if name in beyond else phrases.short_time(costs[name])
    if not left:
        beside = " beyond the replay" if name in beyond else ""
        return f"In the recorded program {phrases.plain(name)}, {call} costs {cost}{beside}"
    saving = phrases.beyond_control([left[name]])
    return f"In the recorded program {phrases.plain(name)}, a stack would save {saving} of the {cost} of {call}"


def _over_all(run: Run, names: list[str], mallocs: list[str]) -> str:
    """The end of the subtitle: what calls cost beyond the replay, and what a stack saves, in all recordings."""
    beyond = [difference for malloc in mallocs for difference in _beyond_replay(run, malloc, names).values()]
    savings = [saving for malloc in mallocs for saving in saved(run, malloc, names).values()]
    cost = f"{phrases.beyond_control(beyond)} beyond it" if beyond else ""
    saving = f"{phrases.beyond_control(savings)} saved" if savings else ""
    return f"; in all, {phrases.joined([part for part in (cost, saving) if part])}" if beyond or savings else ""


def overlay_panels(run: Run) -> Panels:
    malloc = query.default_malloc(run, FAMILY)
    strategies = {"The malloc alone": malloc, "With a stack": malloc + ON_STACK}
    return {title: process_times(run, of_malloc(run, name, recordings(run))) for title, name in strategies.items()}


OVERLAY = Overlay(
    "replays a program in", "the time of a program's calls",
    f"Replay a program's calls with the default malloc, alone and {WITH_STACK}: time of a call, log scale",
    overlay_panels, "programs",
)  # fmt: skip
