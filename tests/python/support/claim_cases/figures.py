"""What a claim reads: the figures of benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Union

Figure = Union[float, Mapping[str, float], tuple[float, Mapping[str, float]]]  # ns, counters, or both
Figures = Mapping[str, Figure]  # of each benchmark
