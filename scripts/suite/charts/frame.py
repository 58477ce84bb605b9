"""What does a function's frame cost beyond its call, by its size and by the protection of the stack?"""

from __future__ import annotations

from collections.abc import Mapping

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.charts.kit.marks import QUIET, STRONG, Mark
from suite.results import control, query
from suite.results.model import Benchmark, Run

FAMILY = "frame"
QUESTION = "What does a function's frame cost, by its size and by the protection of the stack?"

PROTECTIONS = {
    "plain": "no protection", "stack_protector": "stack protector", "stack_clash": "stack-clash protection",
}  # fmt: skip
NAMES = {"none": "the call alone", **PROTECTIONS}
LEAVES = {"yes": "A leaf function", "no": "A function that calls another"}

BySize = Mapping[int, Benchmark]


def draw(run: Run, look: Look) -> Drawing | None:
    page = Page(run, look, FAMILY, NAMES)
    styles = {
        "plain": page.mark("stack_array"), "stack_protector": STRONG, "stack_clash": Mark("#ce5404", "#fd822e", "^")
    }  # fmt: skip
    panels = []
    for leaf, title in LEAVES.items():
        protected, call = _protected(run, leaf), _call(run, leaf)
        if not protected:
            continue
        sizes = sorted({size for by_size in protected.values() for size in by_size})
        flat = [forms.Line("none", query.medians(dict.fromkeys(sizes, call)), QUIET)] if call else []
        lines = [forms.Line(name, query.medians(by_size), styles[name]) for name, by_size in protected.items()]
        panels.append(forms.LinesPanel(title, [*flat, *lines]))
    if not panels:
        return None
    forms.lines(page, *panels, abreast=True)
    leaf = "no" if _protected(run, "no") else "yes"
    subtitle = "Call a function whose locals are an array that stays unwritten: time per call over its size, log scales"
    shown = _protected(run, leaf), _call(run, leaf)
    return page.finish(_title(*shown), f"{subtitle}{_in_cycles(*shown)}")


def _protected(run: Run, leaf: str) -> dict[str, BySize]:
    """By protection, those that were measured."""
    measured = {name: query.by_number(run.series(FAMILY, leaf=leaf, protection=name), "bytes") for name in PROTECTIONS}
    return {name: by_size for name, by_size in measured.items() if by_size}


def _call(run: Run, leaf: str) -> Benchmark | None:
    """The control: the same call, without locals."""
    return run.get(f"{FAMILY}/none/leaf:{leaf}")


def _title(protected: Mapping[str, BySize], call: Benchmark | None) -> str:
    largest = max(size for by_size in protected.values() for size in by_size)
    of_largest = {name: by_size[largest] for name, by_size in protected.items() if largest in by_size}
    if call is None:
        name = next(iter(of_largest))
        cost = phrases.short_time(query.medians(of_largest)[name].median)
        return f"With {PROTECTIONS[name]}, the call of a function with {bytes_text(largest)} of locals costs {cost}"
    amounts = {name: control.beyond(benchmark, call) for name, benchmark in of_largest.items()}
    texts = {name: phrases.beyond_control([left.ns]) for name, left in amounts.items()}
    text = f"Beyond its call, a frame of {bytes_text(largest)} costs {next(iter(texts.values()))}"
    costliest = max(amounts, key=lambda name: amounts[name].ns.median)
    first = next(iter(texts))
    if len(set(texts.values())) == 1:
        return f"{text}, whatever the protection" if len(texts) > 1 else f"{text} with {PROTECTIONS[first]}"
    other = next(name for name in (costliest, *texts) if texts[name] != texts[first])
    of_first = "" if first == "plain" else f" with {PROTECTIONS[first]}"
    return f"{text}{of_first}, {texts[other]} with {PROTECTIONS[other]}"


def _in_cycles(protected: Mapping[str, BySize], call: Benchmark | None) -> str:
    """The end of the subtitle: what the largest frame costs beyond its call, where the cycles of both are known."""
    if call is None:
        return ""
    largest = max(size for by_size in protected.values() for size in by_size)
    beyond = {name: control.beyond(by_size[largest], call) for name, by_size in protected.items() if largest in by_size}
    parts = [
        f"{phrases.two_figures(left.cycles.median)} cycles with {PROTECTIONS[name]}"
        for name, left in beyond.items()
        if left.cycles is not None and phrases.is_left(left.ns) and left.cycles.median > 0.0
    ]
    return f"; beyond the call, {phrases.joined(parts)}" if parts else ""
