"""Where does memory end? How far the stack goes, and how much a malloc grants."""

from __future__ import annotations

from collections.abc import Mapping, Set

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import query
from suite.results.model import Benchmark, Run
from suite.stats.estimates import Estimate

FAMILY = "stack_limit"
QUESTION = "Where does memory end: how far does the stack go, and how much does a malloc grant?"

HEAP = "heap_limit"
STACKS = {"main": "main's stack", "thread": "a thread's stack"}


def draw(run: Run, look: Look) -> Drawing | None:
    stacks, used, granted = _stacks(run), _used(run), query.by_strategy(run.series(HEAP, limit="granted"))
    granted = {name: granted[name] for name in query.mallocs(run, HEAP) if name in granted}
    ends = query.counted(stacks, "usable_bytes")
    written, promises = query.counted(used, "touched_bytes"), query.counted(granted, "granted_bytes")
    if not ends:
        return None
    beyond = {name for name, estimate in {**stacks, **used, **granted}.items() if any(estimate.counter("at_least"))}
    figures = {**ends, **written, **promises}
    reached = figures.keys() - beyond
    columns = [
        forms.Column("used to the end", _only(reached - promises.keys(), figures), "o"),
        forms.Column("granted, not used", _only(reached & promises.keys(), figures), "o", filled=False),
        forms.Column("at least: the run stopped here", _only(beyond, figures), ">"),
    ]
    page = Page(run, look, HEAP if granted else FAMILY)
    owners = {
        **dict.fromkeys(ends, "stack_array"),
        **{name: str(benchmark.name.strategy) for name, benchmark in used.items()},
    }
    rows = [*ends, *written, *forms.cheapest_first(promises)]
    panel = forms.RowsPanel("", columns, forms.SIZE)
    forms.dots(page, rows, panel, valued=True, colour_of=lambda name: page.mark(owners.get(name, name)))
    subtitle = "Bytes of stack until it ends, of heap written to, of the largest block each malloc grants; log scale"
    return page.finish(_title(run, ends, promises, beyond), f"{subtitle}{_more(written, promises, beyond)}")


def _stacks(run: Run) -> dict[str, Benchmark]:
    """By thread, with the smallest frames, which come nearest to the end of the stack."""
    by_frame = ((stack, query.by_number(run.series(FAMILY, stack=stack), "frame")) for stack in STACKS)
    return {STACKS[stack]: next(iter(frames.values())) for stack, frames in by_frame if frames}


def _used(run: Run) -> dict[str, Benchmark]:
    benchmarks = run.series(HEAP, limit="touched")[:1]
    return {f"{phrases.plain(str(benchmark.name.strategy))}, written to": benchmark for benchmark in benchmarks}


def _title(run: Run, ends: Mapping[str, Estimate], promises: Mapping[str, Estimate], beyond: Set[str]) -> str:
    ended = _only(ends.keys() - beyond, ends) or dict(ends)
    texts = {name: phrases.size(estimate.median) for name, estimate in ended.items()}
    name = next(iter(texts))
    whose = "A stack" if len(texts) > 1 and len(set(texts.values())) == 1 else name.capitalize()
    text = f"{whose} {'goes on beyond' if name in beyond else 'ends after'} {texts[name]}"
    malloc = query.malloc_to_name(run, promises)
    if malloc is None:
        return text
    at_least = "at least " if malloc in beyond else ""
    return f"{text}; {phrases.plain(malloc)} grants {at_least}{phrases.size(promises[malloc].median)} in one block"


def _more(written: Mapping[str, Estimate], promises: Mapping[str, Estimate], beyond: Set[str]) -> str:
    """The end of the subtitle: what could be written to, and the grants of all mallocs."""
    at_least = "at least " if beyond & written.keys() else ""
    text = f"; {at_least}{_span(written)} of heap could be written to" if written else ""
    return f"{text}{phrases.costs_over_all(promises, phrases.size)}"


def _only(names: Set[str], figures: Mapping[str, Estimate]) -> dict[str, Estimate]:
    return {name: estimate for name, estimate in figures.items() if name in names}


def _span(sizes: Mapping[str, Estimate]) -> str:
    return phrases.span(query.middles(sizes).values(), phrases.size)
