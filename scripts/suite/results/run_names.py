"""How is each of several runs named? By the user's label, else by its processor, and by what tells equal ones apart."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from suite.base import phrases
from suite.base.errors import BadInput
from suite.base.text import LONGEST_LABEL, bytes_text, drawable
from suite.results.model import MADE_BY_THIS_SUITE, Run, cache_levels, cpu_model, labelled, own_label

MOST_RUNS = 6  # side by side: more lines or columns than that nobody can read
_MOST_FACTS = 100  # that differ between the runs; a name comes from these


@dataclass(frozen=True)
class _Fact:
    """A fact that may differ between runs; `kind` names the kind of difference."""

    kind: str
    text: str


@dataclass(frozen=True)
class _Naming:
    names: list[str]
    kinds: Collection[str]  # of the differences that the names say


def names_of(runs: Sequence[Run]) -> list[str]:
    """A name of at most LONGEST_LABEL letters for each run; no two are equal."""
    return _naming(runs).names


def other_differences(runs: Sequence[Run]) -> str:
    """The kinds of facts that differ and are not in the runs' names, because they may explain a difference: `the runs also
    differ in compiler`. Empty where there are none."""
    told = _naming(runs).kinds
    facts_of_runs = [_measured_facts(run) for run in runs]
    first = facts_of_runs[0]
    texts = {name: {facts[name].text for facts in facts_of_runs if name in facts} for name in first}
    differing = dict.fromkeys(first[name].kind for name, texts_of_fact in texts.items() if len(texts_of_fact) > 1)
    others = [kind for kind in differing if kind not in told]
    return f"the runs {'also ' if told else ''}differ in {phrases.joined(others)}" if others else ""


def with_labels(runs: Sequence[Run], labels: Sequence[str]) -> list[Run]:
    """The runs with the labels of the command line, if there are any. Raises BadInput."""
    if not labels:
        return list(runs)
    check_labels(labels, len(runs), "run")
    return [labelled(run, label) for run, label in zip(runs, labels)]


def check_labels(labels: Sequence[str], number: int, thing: str) -> None:
    """Raises BadInput unless there are as many different labels as things that they name."""
    if len(labels) != number:
        raise BadInput(f"--label: {len(labels)} given for {phrases.count(number, thing)}; accepted: one for each")
    if len(set(labels)) < number:
        raise BadInput(f"--label: {', '.join(labels)}: two are equal; accepted: a different label for each {thing}")


def _naming(runs: Sequence[Run]) -> _Naming:
    known = [_cut(own_label(run) or cpu_model(run)) for run in runs]
    kinds: set[str] = set() if any(map(own_label, runs)) or len(set(known)) == 1 else {"machine"}
    names = list(known)
    for name in {name for name in known if known.count(name) > 1}:
        places = [place for place, same in enumerate(known) if same == name]
        told_apart = _told_apart([runs[place] for place in places])
        kinds.update(told_apart.kinds)
        for place, text in zip(places, told_apart.names):
            names[place] = text if len(set(known)) == 1 else _cut(f"{_cut(name, LONGEST_LABEL - 1 - len(text))} {text}")
    if len(set(names)) < len(names):
        return _Naming([f"run {number}" for number, _ in enumerate(runs, 1)], ())
    return _Naming(names, kinds)


def _told_apart(runs: Sequence[Run]) -> _Naming:
    """Named by the shortest fact that differs, else by two; runs of one machine and version by their dates or files."""
    measured = [_measured_facts(run) for run in runs]
    dated = [_date_facts(run) for run in runs]
    for facts_of_runs, together in ((measured, 1), (measured, 2), (dated, 1)):
        shared = [name for name in facts_of_runs[0] if all(name in facts and facts[name].text for facts in facts_of_runs)]
        # A fact that is equal in all runs tells none apart. Each pair of many facts would be millions.
        shared = [name for name in shared if len({facts[name].text for facts in facts_of_runs}) > 1][:_MOST_FACTS]
        candidates = []
        for chosen in itertools.combinations(shared, together):
            texts = [_cut(" ".join(facts[name].text for name in chosen)) for facts in facts_of_runs]
            if len(set(texts)) == len(texts):
                candidates.append((max(map(len, texts)), chosen, texts))
        if candidates:
            _, chosen, texts = min(candidates, key=lambda candidate: candidate[0])
            return _Naming(texts, {facts_of_runs[0][name].kind for name in chosen})
    return _Naming([f"run {number}" for number, _ in enumerate(runs, 1)], ())


def _measured_facts(run: Run) -> dict[str, _Fact]:
    """What was measured, and where."""
    context, cores = run.context.get, run.fact("cores")
    caches = ", ".join(f"{name} {bytes_text(size)}" for name, size in cache_levels(run))
    versions = {name: text.partition(" ")[0] for name, text in run.mallocs().items()}
    return _all_readable(
        {
            "processor": _Fact("machine", cpu_model(run)),
            "host": _Fact("machine", context("host_name") or ""),
            "cores": _Fact("machine", phrases.count(cores, "core") if cores else ""),
            "topology": _Fact("machine", context("topology") or ""),
            "caches": _Fact("machine", caches),
            "compiler": _Fact("compiler", context("compiler") or ""),
            "flags": _Fact("build flags", context("build_flags") or ""),
            "malloc": _Fact("default malloc", context("process_malloc") or ""),
            "revision": _Fact("version", context("revision") or ""),
            "version": _Fact("version", f"suite {context(MADE_BY_THIS_SUITE)}"),
            "profile": _Fact("profile", f"{context('profile')} run" if context("profile") else ""),
            **{f"malloc {name}": _Fact("mallocs", f"{name} {text}") for name, text in versions.items()},
        }
    )


def _date_facts(run: Run) -> dict[str, _Fact]:
    date = str(run.context.get("date", ""))
    return _all_readable(
        {
            "day": _Fact("", date[:10]),
            "second": _Fact("", date[:19].replace("T", " ")),
            "file": _Fact("", run.path.name.removesuffix(".gz").removesuffix(".json")),
            "folder": _Fact("", run.path.parent.name),
        }
    )


def _all_readable(facts: Mapping[str, _Fact]) -> dict[str, _Fact]:
    return {name: replace(fact, text=drawable(str(fact.text))) for name, fact in facts.items()}


def _cut(text: str, longest: int = LONGEST_LABEL) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"
