"""How is each of several runs named? By the shortest fact that differs between the runs, with its own mark."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from suite.base import phrases
from suite.base.text import bytes_text, one_line
from suite.charts.kit.marks import Mark
from suite.results.model import MADE_BY_THIS_SUITE, Run, cache_levels

# Chosen by search, as the strategies' colours, and different from them: distinguishable by every eye and in grey.
_MARKS = (
    Mark("#02a0c1", "#1befde", "o", "-"),
    Mark("#732d2b", "#aa7535", "s", "--"),
    Mark("#6727f8", "#509df8", "^", "-."),
    Mark("#927402", "#bfbc1a", "D", ":"),
    Mark("#070989", "#456895", "v", "--"),
    Mark("#0d0908", "#fbfc58", "P", "-"),
)
_LONGEST_LABEL = 24


@dataclass(frozen=True)
class OverlaidRun:
    """A run among others, and its name."""

    run: Run
    label: str
    phrase: str  # the label within a sentence
    style: Mark


@dataclass(frozen=True)
class _Fact:
    """A fact that may differ between runs; `group` names the kind of difference."""

    group: str
    preposition: str
    text: str


def named(runs: Sequence[Run]) -> list[OverlaidRun]:
    """Names the runs by the shortest fact that differs; runs of one machine and version by their dates or files."""
    labels = _labels(runs)
    return [
        OverlaidRun(run, text, f"{preposition} {text}", style)
        for run, (_, preposition, text), style in zip(runs, labels, _MARKS)
    ]


def _labels(runs: Sequence[Run]) -> list[tuple[str, str, str]]:
    """Group, preposition and text for each run."""
    measured = [_measured_facts(run) for run in runs]
    dated = [_date_facts(run) for run in runs]
    for facts_of_runs, together in ((measured, 1), (measured, 2), (dated, 1)):
        shared = [name for name in facts_of_runs[0] if all(facts.get(name) for facts in facts_of_runs)]
        candidates = []
        for names in itertools.combinations(shared, together):
            texts = [_cut(" ".join(facts[name].text for name in names)) for facts in facts_of_runs]
            if len(set(texts)) == len(texts) and all(texts):
                candidates.append((max(map(len, texts)), names, texts))
        if candidates:
            _, names, texts = min(candidates, key=lambda candidate: candidate[0])
            first_facts = [facts[names[0]] for facts in facts_of_runs]
            return [(fact.group, fact.preposition, text) for fact, text in zip(first_facts, texts)]
    return [("", "in", f"run {number}") for number, _ in enumerate(runs, 1)]


def _measured_facts(run: Run) -> dict[str, _Fact]:
    """What was measured, and where."""
    context, cores = run.context.get, run.fact("cores")
    caches = ", ".join(f"{name} {bytes_text(size)}" for name, size in cache_levels(run))
    malloc = context("process_malloc")
    versions = {name: text.partition(" ")[0] for name, text in run.mallocs().items()}
    facts = {
        "host": _Fact("machine", "on", context("host_name") or ""),
        "cores": _Fact("machine", "on", phrases.count(cores, "core") if cores else ""),
        "topology": _Fact("machine", "on", context("topology") or ""),
        "caches": _Fact("machine", "with", caches),
        "compiler": _Fact("compiler", "with", context("compiler") or ""),
        "flags": _Fact("build flags", "with", context("build_flags") or ""),
        "malloc": _Fact("default malloc", "with", malloc or ""),
        "version": _Fact("version", "with", f"suite {context(MADE_BY_THIS_SUITE)}"),
        "profile": _Fact("profile", "in", f"{context('profile')} run" if context("profile") else ""),
        **{f"malloc {name}": _Fact("mallocs", "with", f"{name} {text}") for name, text in versions.items()},
    }
    return _readable(facts)


def _date_facts(run: Run) -> dict[str, _Fact]:
    date = str(run.context.get("date", ""))
    facts = {
        "day": _Fact("", "on", date[:10]),
        "second": _Fact("", "on", date[:19].replace("T", " ")),
        "file": _Fact("", "in", run.path.name.removesuffix(".gz").removesuffix(".json")),
        "folder": _Fact("", "in", run.path.parent.name),
    }
    return _readable(facts)


def _readable(facts: Mapping[str, _Fact]) -> dict[str, _Fact]:
    """In letters that every font has: a file may contain anything. matplotlib hides labels that start with _."""
    plain = {name: str(fact.text).encode("latin-1", "replace").decode("latin-1") for name, fact in facts.items()}
    return {name: replace(fact, text=one_line(plain[name]).lstrip("_ ")) for name, fact in facts.items()}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"


def other_differences(shown: Sequence[OverlaidRun]) -> str:
    """The subtitle's note on facts that differ and are not in the runs' names: they may explain the difference."""
    named_groups = {group for group, _, _ in _labels([overlaid.run for overlaid in shown])}
    facts_of_runs = [_measured_facts(overlaid.run) for overlaid in shown]
    first = facts_of_runs[0]
    texts = {name: {facts[name].text for facts in facts_of_runs if name in facts} for name in first}
    differing = dict.fromkeys(first[name].group for name, texts_of_fact in texts.items() if len(texts_of_fact) > 1)
    others = [group for group in differing if group not in named_groups]
    return f"; the runs also differ in {phrases.joined(others)}" if others else ""
