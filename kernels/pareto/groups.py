"""Fronts within groups: points are laid group by group, small groups are settled in one call."""

from __future__ import annotations

from typing import Any

import numpy as np

from roofcube.kernels.compilation import jit
from roofcube.kernels.pareto.pivots import eliminate

__all__ = ["counting_sort", "small_groups"]


@jit
def counting_sort(codes: Any, starts: Any, order: Any) -> None:
    """Order the points by group, within a group by index; a group's points begin at its entry in `starts`.

    Points of negative groups are left out. `starts`, one longer than there are groups, is zero.
    """
    for code in codes:
        if code >= 0:
            starts[code + 1] += 1
    for group in range(1, len(starts)):
        starts[group] += starts[group - 1]
    # filling moves each start to the next group's; they are moved back below
    for point in range(len(codes)):
        group = codes[point]
        if group >= 0:
            order[starts[group]] = point
            starts[group] += 1
    for group in range(len(starts) - 1, 0, -1):
        starts[group] = starts[group - 1]
    starts[0] = 0


@jit
def small_groups(
    values: Any, order: Any, starts: Any, largest: int, own: Any, names: Any, flags: Any, optimal: Any, mask: Any
) -> None:
    """Mark the optimal points of all groups of up to `largest` points; values (objective, point) lie in that order.

    Scratch: own (objectives, size) holds -inf; own, names, flags and optimal are as for `eliminate`, and its size is
    a multiple of `PAIRS`.
    """
    objectives = len(values)
    for group in range(len(starts) - 1):
        if starts[group + 1] - starts[group] > largest:
            continue
        kept = np.int64(0)
        for place in range(starts[group], starts[group + 1]):
            valid = True
            for k in range(objectives):
                own[k, kept] = values[k, place]
                valid &= values[k, place] == values[k, place]
            order[starts[group] + kept] = order[place]
            kept += valid
        for k in range(objectives):
            own[k, kept] = -np.inf
        eliminate(own, kept, names, flags, optimal, kept)
        for place in range(kept):
            mask[order[starts[group] + place]] = optimal[place]
        for k in range(objectives):
            for place in range(kept):
                own[k, place] = -np.inf
