"""Which of many benchmarks differ between two groups of processes? The moderated t test and the ranks together."""

from __future__ import annotations

from collections.abc import Sequence

from suite.stats.moderated_t import PValues, moderated_p_values
from suite.stats.rank_sum import rank_sum_p

OWN_CHANCE = 0.025  # the chance that a benchmark's own ranks differ so much to one side


def p_values(pairs: Sequence[tuple[Sequence[float], Sequence[float]]], kinds: Sequence[str] = ()) -> list[PValues]:
    """For each (old, new) pair, twice the smaller p of the moderated t test and of the ranks: Bonferroni's inequality.

    The t test finds a change among many benchmarks with few processes; ranks outvote outliers where there are more. The
    t test assumes normal noise, so that ranks which do not show the change at all overrule it. `kinds` is the t test's.
    """
    return [_with_ranks(old, new, moderated) for (old, new), moderated in zip(pairs, moderated_p_values(pairs, kinds))]


def _with_ranks(old: Sequence[float], new: Sequence[float], moderated: PValues) -> PValues:
    rises, falls = rank_sum_p(new, old), rank_sum_p(old, new)
    return PValues(
        rise=2 * min(moderated.rise, rises) if rises <= OWN_CHANCE else 1.0,
        fall=2 * min(moderated.fall, falls) if falls <= OWN_CHANCE else 1.0,
    )
