"""Frames and spilled values on the textbook's machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from suite.results.model import BenchmarkName
from support.textbook import KIB, Family

CHAPTER = "allocation"


def frame(libraries: Sequence[str], cores: int) -> Iterator[str]:
    for leaf in ("yes", "no"):
        yield f"frame/none/leaf:{leaf}"
        for size in (16, 64, 4 * KIB, 64 * KIB):
            for protection in ("plain", "stack_protector", "stack_clash"):
                yield f"frame/bytes:{size}/leaf:{leaf}/protection:{protection}"


def price_of_frame(name: BenchmarkName) -> float:
    """A call costs 1 ns, the stack protector 0.5 ns, stack-clash protection 4 ns a page."""
    pages = (name.number("bytes") or 0) // (4 * KIB)
    protection = {"stack_protector": 0.5, "stack_clash": 4.0 * pages}.get(name.parameters.get("protection", ""), 0.0)
    return (1.0 if name.parameters["leaf"] == "yes" else 2.0) + protection


RELOADS = {"register": 0.25, "same": 1.25, "narrower": 1.25, "wider": 4.25, "aliased": 3.0, "apart": 1.5}  # ns


def spill(libraries: Sequence[str], cores: int) -> Iterator[str]:
    yield from (f"spill/reload:{reload}" for reload in RELOADS)


FAMILIES = {
    "frame": Family(frame, price_of_frame),
    "spill": Family(spill, lambda name: RELOADS[name.parameters["reload"]]),
}

TITLES = {
    "frame": "Beyond its call, a frame of 64 KiB costs nothing measurable, 64 ns with stack-clash protection",
    "spill": "A value's way through the stack costs 1.0 ns or 4.0 cycles; with a wider reload, 4.0 ns or 16 cycles",
}

EQUAL_TITLES = {
    "frame": "costs nothing measurable, whatever the protection",
    "spill": "costs nothing measurable",
}
