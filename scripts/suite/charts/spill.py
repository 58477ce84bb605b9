"""What does the way of a value through a slot of the stack cost, beyond staying in a register?"""

from __future__ import annotations

from suite.base import phrases
from suite.charts.kit import forms
from suite.charts.kit.frame import Drawing, Look, Page
from suite.results import control, query
from suite.results.model import Run

FAMILY = "spill"
QUESTION = "What does it cost when a value does not stay in a register, but goes through a slot of the stack?"

REGISTER = "register"  # the control
RELOADS = {
    "same": "reload of the same size", "narrower": "narrower reload", "wider": "wider reload",
    "aliased": "behind a store 4 KiB away", "apart": "behind a store elsewhere",
}  # fmt: skip


def draw(run: Run, look: Look) -> Drawing | None:
    measured = {benchmark.name.parameters.get("reload", ""): benchmark for benchmark in run.series(FAMILY)}
    register = measured.get(REGISTER)
    spilled = {reload: measured[reload] for reload in RELOADS if reload in measured}
    if not spilled:
        return None
    costs = query.medians(spilled)
    page = Page(run, look, FAMILY, RELOADS)
    alone = query.medians({REGISTER: register})[REGISTER] if register else None
    panel = forms.RowsPanel("", [forms.Column("", costs)], forms.Scale(also=(alone.median,) if alone else ()))
    stack = page.mark("stack_array")
    (axes,) = forms.dots(page, forms.cheapest_first(costs), panel, valued=True, colour_of=lambda _: stack)
    if alone:
        forms.control_line(page, axes, alone, "in a register")
    subtitle = "Add 1 to a value, store it on the stack, load it again: time per addition, log scale"
    if register is None:
        dearest = forms.cheapest_first(costs)[-1]
        cost = phrases.short_time(costs[dearest].median)
        return page.finish(f"An addition and the way through the stack take {cost}: {RELOADS[dearest]}", subtitle)
    beyond = {reload: control.beyond(benchmark, register).text for reload, benchmark in spilled.items()}
    if len(set(beyond.values())) == 1:
        return page.finish(f"A value's way through the stack costs {next(iter(beyond.values()))}", subtitle)
    first = next(iter(beyond))
    other = next((reload for reload in ("wider", *beyond) if beyond.get(reload, beyond[first]) != beyond[first]), first)
    title = f"A value's way through the stack costs {beyond[first]}; with a {RELOADS[other]}, {beyond[other]}"
    return page.finish(title.replace("with a behind", "behind"), f"{subtitle}; title: beyond a register")
