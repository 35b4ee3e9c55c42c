"""Fronts within groups: points are laid group by group, small groups are settled in one call."""

from __future__ import annotations

from typing import Any

import numpy as np

from roofcube.kernels.compilation import jit
from roofcube.kernels.pareto_filter import eliminate

__all__ = ["counting_sort", "small_groups"]


@jit
def counting_sort(codes: Any, low: int, starts: Any, order: Any) -> None:
    """Order the points by group, within a group by index; a group's points begin at its entry in `starts`.

    Groups are `low` and up; points of lower groups are left out.
    """
    starts[:] = 0
    for code in codes:
        if code >= low:
            starts[code - low + 1] += 1
    for group in range(1, len(starts)):
        starts[group] += starts[group - 1]
    filled = starts.copy()
    for point in range(len(codes)):
        group = codes[point] - low
        if group >= 0:
            order[filled[group]] = point
            filled[group] += 1


@jit
def small_groups(values: Any, order: Any, starts: Any, largest: int, mask: Any) -> None:
    """Mark the optimal points of all groups of up to `largest` points; values (objective, point) lie in that order."""
    objectives = len(values)
    own = np.empty((objectives, largest), values.dtype)
    optimal = np.empty(largest, np.bool_)
    members = np.empty(largest, np.int64)
    for group in range(len(starts) - 1):
        size = starts[group + 1] - starts[group]
        if size == 0 or size > largest:
            continue
        kept = 0
        for place in range(starts[group], starts[group + 1]):
            valid = True
            for k in range(objectives):
                own[k, kept] = values[k, place]
                valid &= not np.isnan(own[k, kept])
            members[kept] = order[place]
            kept += valid
        if kept:
            eliminate(own, kept, optimal)
            for place in range(kept):
                mask[members[place]] = optimal[place]
