"""Does freed memory go back to the system, and when?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from suite.base import phrases
from suite.base.text import time_text
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import query
from suite.results.model import Run
from suite.stats.estimates import Estimate

FAMILY = "returned"
QUESTION = "Does freed memory go back to the system, and when?"

SIZES = {"small": "Small blocks", "mixed": "Mixed blocks", "large": "Large blocks"}
LOOKS_MS = (0, 10, 100, 1000)  # after the last block was freed
AT_ONCE = 100  # microseconds: the place of time zero on the logarithmic axis

ByTime = Mapping[int, Estimate]


def draw(run: Run, look: Look) -> Drawing | None:
    shares = {
        sizes: {name: by_time for name in query.mallocs(run, FAMILY) if (by_time := _held(run, name, sizes))}
        for sizes in SIZES
    }
    shares = {sizes: by_strategy for sizes, by_strategy in shares.items() if by_strategy}
    if not shares:
        return None
    most = max(
        estimate.high for by_strategy in shares.values() for held in by_strategy.values() for estimate in held.values()
    )
    axis = forms.SHARE if most < 1.02 else replace(forms.SHARE, ends=(0.0, float(math.ceil(most))))
    panels = [
        forms.LinesPanel(SIZES[sizes], [forms.Line(name, held) for name, held in by_strategy.items()], axis)
        for sizes, by_strategy in shares.items()
    ]
    page = Page(run, look, FAMILY)
    forms.lines(page, *panels, over=_time, abreast=True)
    subtitle = (
        "Share of memory still held after all blocks were freed, without further malloc calls; time: log scale; "
        "equal lines side by side"
    )
    return page.finish(_title(run, shares), subtitle)


def _held(run: Run, malloc: str, sizes: str) -> dict[int, Estimate]:
    """The share that is still resident, by microseconds after the last block was freed."""
    measured = query.by_strategy(run.series(FAMILY, malloc, sizes=sizes))
    looks = {ms * 1000 or AT_ONCE: query.counted(measured, f"resident_share_{ms}ms") for ms in LOOKS_MS}
    return {place: shares[malloc] for place, shares in looks.items() if malloc in shares}


def _time(microseconds: float) -> str:
    return "0 s" if microseconds == AT_ONCE else time_text(microseconds * 1e3)


def _title(run: Run, held_shares: Mapping[str, Mapping[str, ByTime]]) -> str:
    names = dict.fromkeys(name for by_strategy in held_shares.values() for name in by_strategy)
    malloc = query.malloc_to_name(run, names) or next(iter(names))
    held = {sizes: by_strategy[malloc] for sizes, by_strategy in held_shares.items() if malloc in by_strategy}
    last = max(time for by_time in held.values() for time in by_time)
    shares: dict[str, list[str]] = {}
    for sizes, by_time in held.items():
        if last in by_time:
            shares.setdefault(phrases.percent(by_time[last].median), []).append(sizes)
    parts = ", ".join(f"{share} of {phrases.joined(kinds)}" for share, kinds in shares.items())
    since = "As soon as" if last == AT_ONCE else f"{_time(last)} after".replace(" ", phrases.NO_BREAK, 1)
    return f"{since} all is freed, {phrases.plain(malloc)} still holds {parts} blocks"
