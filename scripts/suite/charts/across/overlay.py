"""How do machines or versions compare? The same figures of several runs in one chart, a colour and a shape for each.

An entry of OVERLAYS says which figures; `draw` draws them in the charts' forms; `sides` finds what to call the runs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from suite import charts, claims
from suite.base import phrases
from suite.base.text import bytes_text, one_line
from suite.charts import (
    chase,
    cost_64b,
    first_touch,
    handoff,
    homes,
    larson,
    latency,
    list_walk,
    overhead,
    private,
    scaling,
    scoped,
    string_cliff,
    thread_start,
    traverse,
)
from suite.charts.claims import NARROWEST, SIGNS
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, LegendEntry, Look, Page, styled
from suite.charts.kit.marks import Mark
from suite.results import query
from suite.results.model import MADE_BY_THIS_SUITE, Benchmark, Run, cache_levels
from suite.stats.estimates import CONFIDENCE, Estimate, estimate_median, estimate_ratio, median

FEWEST_RUNS, MOST_RUNS = 2, 6
CLAIMS = "claims"

Key = str | int  # a row, or a place of the quantity
PerProcess = Mapping[Key, Mapping[int, float]]  # what each process measured

# Found by search, as the strategies' colours were, and none of them: told apart by every eye and in grey.
_MARKS = (
    Mark("#02a0c1", "#1befde", "o", "-"),
    Mark("#732d2b", "#aa7535", "s", "--"),
    Mark("#6727f8", "#509df8", "^", "-."),
    Mark("#927402", "#bfbc1a", "D", ":"),
    Mark("#070989", "#456895", "v", "--"),
    Mark("#0d0908", "#fbfc58", "P", "-"),
)
GROWTH = "As a multiple of one thread's, log scale"
MULTIPLES = forms.Scale(phrases.times)
_LONGEST_LABEL = 24
_MACHINES_A_LINE = 3
_SIGN_WIDTH = 26.0  # points


@dataclass(frozen=True)
class Overlay:
    """Which figures of each run, and how their comparison is told."""

    subject: str  # of the title's sentence, with its verb
    subtitle: str
    panels: Callable[[Run], Mapping[str, PerProcess]]  # by the panel's title; the chart's title compares the first
    by: str  # what the figures differ in
    over: forms.Number | None = None  # a line for each run over a quantity that is told so; None: a row for each key
    axes: Mapping[str, forms.Scale] = field(default_factory=dict)  # by the panel's title, where it is no time
    caches: bool = False  # the quantity is bytes of memory that is walked


@dataclass(frozen=True)
class OverlaidRun:
    """One run among others, and what it is called."""

    run: Run
    label: str
    said: str  # the label within a sentence
    style: Mark


# ---- what the runs are called


@dataclass(frozen=True)
class _fact:
    """Something that may tell runs apart; `group` is what the runs then differ in."""

    group: str
    preposition: str
    text: str


def sides(runs: Sequence[Run]) -> list[OverlaidRun]:
    """The runs by the shortest fact that differs; their dates or files tell runs of one machine and version apart."""
    labels = _labels(runs)
    return [
        OverlaidRun(run, text, f"{preposition} {text}", style)
        for run, (_, preposition, text), style in zip(runs, labels, _MARKS)
    ]


def _labels(runs: Sequence[Run]) -> list[tuple[str, str, str]]:
    """Group, preposition and text for each run."""
    what = [_what(run) for run in runs]
    when = [_when(run) for run in runs]
    for facts, together in ((what, 1), (what, 2), (when, 1)):
        shared = [name for name in facts[0] if all(each.get(name) for each in facts)]
        telling = []
        for names in itertools.combinations(shared, together):
            texts = [_cut(" ".join(each[name].text for name in names)) for each in facts]
            if len(set(texts)) == len(texts) and all(texts):
                telling.append((max(map(len, texts)), names, texts))
        if telling:
            _, names, texts = min(telling, key=lambda one: one[0])
            return [(each[names[0]].group, each[names[0]].preposition, text) for each, text in zip(facts, texts)]
    return [("", "in", f"run {number}") for number, _ in enumerate(runs, 1)]


def _what(run: Run) -> dict[str, _fact]:
    """What was measured, and where."""
    said, cores = run.context.get, run.fact("cores")
    caches = ", ".join(f"{name} {bytes_text(size)}" for name, size in cache_levels(run))
    malloc = said("process_malloc")
    versions = {name: text.partition(" ")[0] for name, text in run.mallocs().items()}
    facts = {
        "host": _fact("machine", "on", said("host_name") or ""),
        "cores": _fact("machine", "on", phrases.count(cores, "core") if cores else ""),
        "topology": _fact("machine", "on", said("topology") or ""),
        "caches": _fact("machine", "with", caches),
        "compiler": _fact("compiler", "with", said("compiler") or ""),
        "flags": _fact("build flags", "with", said("build_flags") or ""),
        "malloc": _fact("default malloc", "with", malloc or ""),
        "version": _fact("version", "with", f"suite {said(MADE_BY_THIS_SUITE)}"),
        "profile": _fact("profile", "in", f"{said('profile')} run" if said("profile") else ""),
        **{f"malloc {name}": _fact("mallocs", "with", f"{name} {text}") for name, text in versions.items()},
    }
    return _readable(facts)


def _when(run: Run) -> dict[str, _fact]:
    date = str(run.context.get("date", ""))
    facts = {
        "day": _fact("", "on", date[:10]),
        "second": _fact("", "on", date[:19].replace("T", " ")),
        "file": _fact("", "in", run.path.name.removesuffix(".gz").removesuffix(".json")),
        "folder": _fact("", "in", run.path.parent.name),
    }
    return _readable(facts)


def _readable(facts: Mapping[str, _fact]) -> dict[str, _fact]:
    """As text of letters that every font has: a file may say anything. matplotlib takes a first _ for `no label`."""
    plain = {name: str(one.text).encode("latin-1", "replace").decode("latin-1") for name, one in facts.items()}
    return {name: replace(one, text=one_line(plain[name]).lstrip("_ ")) for name, one in facts.items()}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"


def _also_unlike(shown: Sequence[OverlaidRun]) -> str:
    """What the subtitle says of facts that differ and are not in the runs' names: it may be those that matter."""
    named = {group for group, _, _ in _labels([one.run for one in shown])}
    facts = [_what(one.run) for one in shown]
    told = {name: {each[name].text for each in facts if name in each} for name in facts[0]}
    unlike = dict.fromkeys(facts[0][name].group for name, texts in told.items() if len(texts) > 1)
    others = [group for group in unlike if group not in named]
    return f"; the runs also differ in {phrases.joined(others)}" if others else ""


# ---- which figures


def _times(found: Mapping[Any, Benchmark]) -> PerProcess:
    return {name: {taken.process: taken.ns for taken in one.samples} for name, one in found.items()}


def _counted(one: Benchmark, counter: str) -> Mapping[int, float]:
    return {taken.process: taken.counters[counter] for taken in one.samples if counter in taken.counters}


def _malloc(run: Run, family: str) -> str:
    """The one that a program gets which does not ask for another."""
    own = str(run.context.get("process_malloc"))
    return own if own in run.strategies(family) else "new_delete"


def _strategies(run: Run, family: str, **parameters: object) -> PerProcess:
    return _times(query.by_strategy(run.series(family, None, **parameters)))


def _cost_64b(run: Run) -> Mapping[str, PerProcess]:
    return {"": _strategies(run, cost_64b.FAMILY, bytes=cost_64b.BYTES, touch=cost_64b.TOUCH)}


def _scoped(run: Run) -> Mapping[str, PerProcess]:
    who = {"From the default malloc": _malloc(run, scoped.FAMILY), "On the stack": "stack_array"}
    return {
        title: _times(query.over(run, "bytes", scoped.FAMILY, name, touch="all")) for title, name in who.items()
    }


def _stack_price(run: Run) -> Mapping[str, PerProcess]:
    """What malloc costs as a multiple of the stack, process by process."""
    malloc, stack = _scoped(run).values()
    return {
        "": {
            size: {process: ns / stack[size][process] for process, ns in each.items() if stack[size].get(process)}
            for size, each in malloc.items()
            if size in stack
        }
    }


def _chase(run: Run) -> Mapping[str, PerProcess]:
    found = run.series(chase.FAMILY, order="random", home=chase.HOME)
    return {"": _times(query.by_number(found, "bytes"))}


def _homes(run: Run) -> Mapping[str, PerProcess]:
    return {
        f"On the {home}": _times(query.by_number(run.series(homes.FAMILY, order="random", home=home), "bytes"))
        for home in ("stack", "heap")
    }


def _traverse(run: Run) -> Mapping[str, PerProcess]:
    counts, payloads = (query.numbers(run, name, traverse.FAMILY)[-1:] for name in ("count", "payload"))
    both = list(zip(counts, payloads))
    return {
        f"{count:,} elements of {payload} B": _strategies(run, traverse.FAMILY, count=count, payload=payload)
        for count, payload in both
    }


def _list_walk(run: Run) -> Mapping[str, PerProcess]:
    heaps = {"On an aged heap": "aged", "On a fresh heap": "empty"}
    return {title: _strategies(run, list_walk.FAMILY, heap=heap) for title, heap in heaps.items()}


def _over_threads(family: str) -> Callable[[Run], Mapping[str, PerProcess]]:
    """Of the default malloc: an operation of one thread, while so many do the same."""

    def panels(run: Run) -> Mapping[str, PerProcess]:
        found = _times(query.over(run, "threads", family, _malloc(run, family)))
        alone = found.get(1, {})
        growth = {
            threads: {process: ns / alone[process] for process, ns in each.items() if alone.get(process)}
            for threads, each in found.items()
        }
        return {"Time, log scale": found, GROWTH: growth}

    return panels


def _handoff(run: Run) -> Mapping[str, PerProcess]:
    pairs = query.numbers(run, "pairs", handoff.FAMILY)[:1]
    return {f"{phrases.count(each, 'pair')} of threads": _strategies(run, handoff.FAMILY, pairs=each) for each in pairs}


def _latency(run: Run) -> Mapping[str, PerProcess]:
    family = latency.FAMILY
    found = run.series(family, _malloc(run, family), op="malloc", mix="power_law")
    return {
        "": {
            rarity: each
            for rarity, (counter, _) in latency.RARITIES.items()
            for one in found[:1]
            if (each := _counted(one, counter))
        }
    }


def _overhead(run: Run) -> Mapping[str, PerProcess]:
    found = query.over(run, "bytes", overhead.FAMILY, _malloc(run, overhead.FAMILY))
    counted = {size: _counted(one, "resident_bytes_per_byte") for size, one in found.items()}
    return {"": {size: each for size, each in counted.items() if each}}


def _first_touch(run: Run) -> Mapping[str, PerProcess]:
    found = {}
    for touch, title in first_touch.TOUCHES.items():
        own = run.series(first_touch.FAMILY, None, touch=touch)
        found[title.capitalize()] = _times({one.name.parameters.get("home", ""): one for one in own})
    return found


def _thread_start(run: Run) -> Mapping[str, PerProcess]:
    return {
        f"Stack {name}": _times(query.over(run, "bytes", thread_start.FAMILY, "cached_stack", touch=touch))
        for touch, name in reversed(thread_start.TOUCHES.items())
    }


def _string_cliff(run: Run) -> Mapping[str, PerProcess]:
    return {"": _times(query.over(run, "length", string_cliff.FAMILY, "string"))}


def _size(count: float) -> str:
    return bytes_text(int(count)) if count % 1024 == 0 or count < 1024 else f"{count:,.0f} B"


def _percentile(rarity: float) -> str:
    return latency.RARITIES[int(rarity)][1]


OVERLAYS: Mapping[str, Overlay] = {
    "cost_64b": Overlay(
        "64 bytes cost", "Take 64 bytes, write the first, give them back: time per block, log scale",
        _cost_64b, "strategy",
    ),
    "scoped": Overlay(
        "A block from the default malloc costs",
        "Take a block, write every byte, give it back: time per block over its size, log scales",
        _scoped, "size", over=_size,
    ),
    "stack_price": Overlay(
        "A block from the default malloc, against the stack, costs",
        "Take a block, write every byte, give it back: malloc's time as a multiple of the stack's, log scales",
        _stack_price, "size", over=_size, axes={"": MULTIPLES},
    ),
    "chase": Overlay(
        "A load at random costs",
        "Each load waits for the previous load: time per load over the memory walked, log scales",
        _chase, "size", over=_size, caches=True,
    ),
    "homes": Overlay(
        "A load from the stack costs",
        "Random loads that each wait for the previous load: time per load over the memory, log scales",
        _homes, "size", over=_size, caches=True,
    ),
    "traverse": Overlay(
        "Visiting an element costs", "Visit every element in the container's order: time per element, log scale",
        _traverse, "container",
    ),
    "list_walk": Overlay(
        "A step along a list on an aged heap costs",
        "Walk a list of 100,000 nodes of 64 B, built in order by each malloc: time per node, log scale",
        _list_walk, "malloc",
    ),
    "private": Overlay(
        "Threads with their own blocks pay",
        "The default malloc, each thread with its own blocks: per block of a thread",
        _over_threads(private.FAMILY), "number of threads", over=scaling.threads_text, axes={GROWTH: MULTIPLES},
    ),
    "larson": Overlay(
        "Replacing a server's block costs",
        "The default malloc in a server whose threads end and leave their blocks to new threads",
        _over_threads(larson.FAMILY), "number of threads", over=scaling.threads_text, axes={GROWTH: MULTIPLES},
    ),
    "handoff": Overlay(
        "Handing over a block costs",
        "Allocate 64 B in one thread, free it in another: time per block, log scale; control: the queue alone",
        _handoff, "strategy",
    ),
    "latency": Overlay(
        "A call of the default malloc takes",
        "Each call timed alone, the timer included, among 1,000 live blocks of mixed sizes: by percentile, log scales",
        _latency, "percentile", over=_percentile,
    ),
    "overhead": Overlay(
        "A byte from the default malloc takes",
        "Resident memory as a multiple of the requested bytes, over the size of the blocks (log scale)",
        _overhead, "size", over=_size, axes={"": MULTIPLES},
    ),
    "first_touch": Overlay(
        "The first write to a page costs", "Write one byte to each page: time per page, log scale",
        _first_touch, "home",
    ),
    "thread_start": Overlay(
        "Starting a thread that leaves its stack untouched costs",
        "Start a thread and join it, over the size of its stack: time, log scales",
        _thread_start, "size", over=_size,
    ),
    "string_cliff": Overlay(
        "A string costs",
        "Build a string from existing characters, drop it: time over its characters, log scales",
        _string_cliff, "length", over=lambda length: phrases.count(int(length), "character"),
    ),
}  # fmt: skip

NAMES = tuple(sorted((*OVERLAYS, CLAIMS)))


# ---- drawing


def draw(runs: Sequence[Run], name: str, how: Look = Look()) -> Drawing | None:
    """The figures of this chart of 2 to 6 runs; None where no two of the runs have any in common."""
    with styled(how):
        found = sides(runs)
        return _draw_claims(found, how) if name == CLAIMS else _draw_figures(found, name, how)


class _overlay_page(Page):
    """A page of several runs: the footer names each run's machine."""

    def __init__(
        self, shown: Sequence[OverlaidRun], how: Look, family: str, names: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        first = shown[0].run
        units = tuple(unit for one in shown for unit in one.run.units)
        super().__init__(replace(first, account=replace(first.account, units=units)), how, family, names)
        self.machines = _machines(shown)
        self.facts.extend(self.machines)

    def _left_out(self) -> str:
        return ""

    def _machine(self) -> str:
        number = len(self.machines)
        most = math.ceil(number / math.ceil(number / _MACHINES_A_LINE))
        lines = [self.machines[at : at + most] for at in range(0, number, most)]
        return "\n".join(" · ".join(self._short(one, len(line)) for one in line) for line in lines)

    def _short(self, text: str, parts: int) -> str:
        """Cut to its part of the line, so that every run is named."""
        room = 0.92 * self.look.sheet.width / parts - self.text_width(" · ")
        short = text
        while self.text_width(short) > room:
            short = f"{short[:-2].rstrip(' ,')}…"
        return short


def _machines(shown: Sequence[OverlaidRun]) -> list[str]:
    """What is known of each run's machine; those of which the same is known stand together."""
    alike: dict[str, list[str]] = {}
    for one in shown:
        cores = one.run.fact("cores")
        facts = [phrases.count(cores, "core")] if cores else []
        facts += [f"{bytes_text(size)} {name}" for name, size in cache_levels(one.run)]
        alike.setdefault(", ".join(facts) or "unknown machine", []).append(one.label)
    return [f"{', '.join(labels)}: {machine}" for machine, labels in alike.items()]


def _draw_figures(found: Sequence[OverlaidRun], name: str, how: Look) -> Drawing | None:
    what = OVERLAYS[name]
    panels = _panels([what.panels(one.run) for one in found])
    if not panels:
        return None
    shown = {place: one for place, one in enumerate(found) if any(place in of for of in panels.values())}
    keys = {str(name): phrases.plain(str(name)) for of in panels.values() for own in of.values() for name in own}
    lines = {_line_name(place): one.label for place, one in shown.items()}
    on = _overlay_page(list(shown.values()), how, charts.charts()[name].family, {**keys, **lines})
    medians = {title: {place: _medians(own) for place, own in of.items()} for title, of in panels.items()}
    remark = _draw_lines(on, shown, what, what.over, medians) if what.over else _draw_rows(on, shown, medians)
    title = _title(what, shown, next(iter(panels.values())))
    return on.finish(title, f"{what.subtitle}{remark}{_also_unlike(list(shown.values()))}")


def _panels(of_runs: Sequence[Mapping[str, PerProcess]]) -> dict[str, dict[int, PerProcess]]:
    """By panel and run, the figures that two runs or more have; panels without any are left out."""
    panels: dict[str, dict[int, PerProcess]] = {}
    for title in dict.fromkeys(title for each in of_runs for title in each):
        own = [_positive(each.get(title, {})) for each in of_runs]
        several = {name for each in own for name in each if sum(name in other for other in own) > 1}
        kept = {place: {name: each[name] for name in each if name in several} for place, each in enumerate(own)}
        if several:
            panels[title] = {place: each for place, each in kept.items() if each}
    return panels


def _positive(found: PerProcess) -> PerProcess:
    """What took no time at all cannot be compared."""
    return {name: each for name, each in found.items() if each and min(each.values()) > 0.0}


def _medians(found: PerProcess) -> dict[Key, Estimate]:
    return {name: estimate_median(list(each.values())) for name, each in found.items()}


def _line_name(place: int) -> str:
    return f"run {place}"


ByRun = Mapping[int, Mapping[Key, Estimate]]


def _draw_rows(on: Page, shown: Mapping[int, OverlaidRun], medians: Mapping[str, ByRun]) -> str:
    def columns(of: ByRun) -> list[forms.Column]:
        told = {place: {str(name): one for name, one in own.items()} for place, own in of.items()}
        return [
            forms.Column(one.label, told.get(place, {}), one.style.marker, lane=lane, style=one.style)
            for lane, (place, one) in enumerate(shown.items())
        ]

    panels = [forms.RowsPanel(title, columns(of)) for title, of in medians.items()]
    columns_of_all = [one for panel in panels for one in panel.columns]
    rows = {name: figure for one in reversed(columns_of_all) for name, figure in one.values.items()}
    forms.dots(on, forms.cheapest_first(rows), *panels)
    return ""


def _draw_lines(
    on: Page, shown: Mapping[int, OverlaidRun], what: Overlay, over: forms.Number, medians: Mapping[str, ByRun]
) -> str:
    """Returns what the subtitle has to say of the guides."""
    panels = [
        forms.LinesPanel(
            title,
            [
                forms.Line(_line_name(place), {int(name): one for name, one in own.items()}, shown[place].style)
                for place, own in of.items()
            ],
            what.axes.get(title, forms.Scale()),
        )
        for title, of in medians.items()
    ]
    all_axes = forms.lines(on, *panels, over=over)
    return max(_guide_caches(on, axes, list(shown.values())) for axes in all_axes) if what.caches else ""


def _guide_caches(on: Page, axes: Any, shown: Sequence[OverlaidRun]) -> str:
    levels = [cache_levels(one.run) for one in shown]
    if all(each == levels[0] for each in levels):
        forms.guide_caches(on, axes)
        return ""
    low, high = axes.get_xlim()
    for one, own in zip(shown, levels):
        for _, size in own:
            if low < size < high:
                colour = one.style.colour(on.look.theme)
                axes.axvline(size, color=colour, linewidth=2 * on.look.scale, linestyle=":", zorder=1)
    return "; dotted: each run's caches"


# ---- the finding


def _title(what: Overlay, shown: Mapping[int, OverlaidRun], found: Mapping[int, PerProcess]) -> str:
    """What one run costs against another, on average (the geometric mean) over what all have, and the ends of that."""
    common = _in_all(list(found.values()))
    means = {place: _means(own, common) for place, own in found.items()} if common else {}
    if not means or not all(means.values()):
        return f"The runs have too little in common to compare what {what.subject[:1].lower()}{what.subject[1:]}"
    ranked = sorted(found, key=lambda place: median(means[place].values()))
    pairs = [(dear, cheap) for cheap, dear in itertools.combinations(ranked, 2)]
    overall = {(dear, cheap): _ratio(means[dear], means[cheap], len(pairs)) for dear, cheap in pairs}
    if not phrases.none_apart(list(overall.values())):
        return _of_unlike(what, shown, found, overall, common)
    compared = len(pairs) * len(common)
    by_key = [_ratio(found[dear][name], found[cheap][name], compared) for dear, cheap in pairs for name in common]
    apart = [max(one.median, 1 / one.median) for one in by_key if phrases.told_apart(one)]
    where = phrases.joined([one.said for one in shown.values()]) if len(found) == 2 else f"in the {len(found)} runs"
    subject = f"{what.subject[:1].lower()}{what.subject[1:]} {where}"
    if not apart:
        return f"No measurable difference in what {subject}"
    verb = "differs" if len(apart) == 1 else "differ"
    found_apart = f"{len(apart)} of {phrases.count(len(by_key), 'comparison')} {verb}"
    most = phrases.two_figures(max(apart))
    return f"On average, no measurable difference in what {subject}; by {what.by}, {found_apart}, by up to {most} times"


def _in_all(found: Sequence[PerProcess]) -> list[Key]:
    """What every run has."""
    return [name for name in found[0] if all(name in each for each in found)]


def _means(own: PerProcess, common: Sequence[Key]) -> dict[int, float]:
    """Each process's geometric mean over what all runs have, of the processes that measured all of it."""
    processes = set.intersection(*(set(own[name]) for name in common))
    logs = {process: [math.log(own[name][process]) for name in common] for process in sorted(processes)}
    return {process: math.exp(math.fsum(each) / len(each)) for process, each in logs.items()}


def _ratio(above: Mapping[int, float], below: Mapping[int, float], compared: int) -> Estimate:
    """The more are compared, the wider each interval (Bonferroni)."""
    return estimate_ratio(list(above.values()), list(below.values()), 1 - (1 - CONFIDENCE) / compared)


def _of_unlike(
    what: Overlay,
    shown: Mapping[int, OverlaidRun],
    found: Mapping[int, PerProcess],
    overall: Mapping[tuple[int, int], Estimate],
    common: Sequence[Key],
) -> str:
    """Of several runs the cheapest where it is told from every other, else the two that are farthest apart."""
    _, least = next(iter(overall))
    to_least = [ratio for (_, cheap), ratio in overall.items() if cheap == least]
    if len(found) > 2 and all(map(phrases.told_apart, to_least)):
        average = ", on average" if len(common) > 1 else ""
        return f"{what.subject} least {shown[least].said}{average}; {_more(to_least)[0]} in the others"
    apart = {pair: ratio for pair, ratio in overall.items() if phrases.told_apart(ratio)} or overall
    dear, cheap = max(apart, key=lambda pair: apart[pair].median)
    more, than = _more([apart[dear, cheap]])
    average = " on average" if len(common) > 1 else ""
    told = f"{what.subject}{average} {more} {shown[dear].said} {than} {shown[cheap].said}"
    by_key = {_key_text(what, name): _ratio(found[dear][name], found[cheap][name], len(common)) for name in common}
    ends = phrases.with_extremes(by_key)
    if len(found) > 2:
        return f"{told}, the largest difference among {len(found)} runs"
    return f"{told}; by {what.by}, {ends} times" if "to" in ends else told


def _key_text(what: Overlay, name: Key) -> str:
    return what.over(float(name)) if what.over else str(name)


def _more(ratios: Sequence[Estimate]) -> tuple[str, str]:
    """`1.2 to 3.4 times as much` and `as`, or `2.3 % more` and `than`."""
    found = [one.median for one in ratios]
    if max(found) >= 1.095:
        return f"{phrases.span(found, phrases.two_figures)} times as much", "as"
    said = phrases.span(found, lambda ratio: f"{100 * (ratio - 1):.1f}{phrases.NO_BREAK}%")
    return ("as much", "as") if said.startswith("0.0") and "to" not in said else (f"{said} more", "than")


# ---- claims


def _draw_claims(found: Sequence[OverlaidRun], how: Look) -> Drawing | None:
    """A row for each claim that two runs or more can judge, with a sign for each run."""
    judged = [[one.verdict for one in claims.judge(each.run)] for each in found]
    shown = [side for side, own in zip(found, judged) if set(own) - claims.OPEN]
    rows = []
    for number, saying in enumerate(claims.CLAIMS):
        verdicts = [own[number] for own in judged if set(own) - claims.OPEN]
        if sum(one not in claims.OPEN for one in verdicts) > 1:
            rows.append(_row(saying.short, verdicts))
    if not rows:
        return None
    rows.sort(key=lambda one: one.alike)
    on = _overlay_page(shown, how, "")
    _grid(on, rows, shown)
    order = phrases.joined([one.label for one in shown])
    subtitle = f"A sign for each run, from left to right: {order}; equal verdicts are muted{_also_unlike(shown)}"
    processes = max(one.run.processes for one in shown)
    method = f"Intervals over up to {phrases.count(processes, 'process', 'processes')}." if processes > 1 else ""
    return on.finish(_title_of_claims(rows, shown), subtitle, method)


@dataclass(frozen=True)
class _row:
    short: str
    verdicts: Sequence[str]  # by run

    @property
    def alike(self) -> bool:
        return len(set(self.verdicts) - claims.OPEN) == 1


def _grid(on: Page, rows: Sequence[_row], shown: Sequence[OverlaidRun]) -> None:
    """From top to bottom in columns, as in the chart of one run's claims."""
    room = on.look.sheet.width
    columns = math.floor(room / (NARROWEST + _SIGN_WIDTH * len(shown)))
    height = math.ceil(len(rows) / columns)
    step = _SIGN_WIDTH * columns / room
    axes = on.panels("")[0]
    axes.set_axis_off()
    axes.set_xlim(0, columns)
    axes.set_ylim(height - 0.5, -0.5)
    for place, row in enumerate(rows):
        x, y = place // height + 0.03, place % height
        for number, (verdict, one) in enumerate(zip(row.verdicts, shown)):
            marker, filled, colour = SIGNS[verdict]
            own = colour.colour(on.look.theme)
            axes.plot(
                [x + number * step], [y], marker=marker, color=own, markerfacecolor=own if filled else on.look.page,
                markeredgewidth=3 * on.look.scale, markersize=14 * on.look.scale, clip_on=False,
            )  # fmt: skip
            on.point_out(axes, x + number * step, y, f"{row.short}, {one.label}: {verdict}")
        strength = on.look.quiet if row.alike else on.look.text
        axes.text(x + (len(shown) - 0.2) * step, y, row.short, va="center", color=strength)
        on.facts.append(f"{row.short}: {', '.join(row.verdicts)}")
    for verdict in SIGNS:
        if any(verdict in row.verdicts for row in rows):
            on.add_key(LegendEntry(verdict, SIGNS[verdict][0], SIGNS[verdict][1]))


def _title_of_claims(rows: Sequence[_row], shown: Sequence[OverlaidRun]) -> str:
    unlike = sum(not one.alike for one in rows)
    both = "both runs" if len(shown) == 2 else f"two or more of the {len(shown)} runs"
    subject = f"Of {phrases.count(len(rows), 'common claim')} about stack and heap judged in {both}"
    verb = "has" if unlike == 1 else "have"
    if len(shown) == 2:
        first, second = (one.said for one in shown)
        return f"{subject}, {unlike} {verb} another verdict {first} than {second}"
    return f"{subject}, {unlike} {verb} different verdicts"
