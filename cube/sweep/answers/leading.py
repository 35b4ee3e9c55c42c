"""Winners by a coordinate of the leading dim from those of the dim itself: one question in place of one a label.

The leading dim decides ties first, so that the winner of a label is the best of its places, the first of equals. Of 91
platforms over 260 offers and 10⁷ points that takes a tenth of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from roofcube.sweep.contexts.context import Context, Grouping
    from roofcube.sweep.contexts.where import Where

__all__ = ["MANY", "parts_of"]

MANY = 8  # labels, below which each is asked for by itself


def parts_of(
    context: Context,
    groupings: Sequence[Grouping],
    dims: Sequence[str],
    where: Where,
    ask: Callable[[list[str], Where], xr.Dataset],
    goal: tuple[str, int],
) -> list[xr.Dataset] | None:
    """Return the winner of each label of a coordinate, as asked for by itself; None where that is not possible."""
    if dims or len(groupings) != 1:
        return None
    (grouping,) = groupings
    if grouping.dim != context.dims[0] or len(grouping.labels) < MANY:
        return None
    each = ask([grouping.dim], where)
    kept = where.kept.get(grouping.dim)
    index = np.arange(context.sizes[grouping.dim]) if kept is None else np.asarray(kept)
    place_of = dict(zip(index.tolist(), range(len(index)), strict=True))
    is_found = each["found"].values
    values = np.broadcast_to(each[goal[0]].values, is_found.shape)  # a scalar coordinate is the same everywhere
    first_best = np.argmax if goal[1] > 0 else np.argmin  # as stored: floats would take long numbers for equal
    winners: list[int | None] = []
    for members in grouping.indices:
        places = [place_of[one] for one in members.tolist() if one in place_of and is_found[place_of[one]]]
        winners.append(places[int(first_best(values[places]))] if places else None)
    found = [winner is not None for winner in winners]
    # one of each kind is asked for by itself: it has what the others lack, and is what an empty one looks like
    alone = {one: _single(grouping, found.index(one), where, ask) for one in set(found)}
    return [
        alone[False]
        if winner is None
        else _winner(context, each, winner, int(index[winner]), grouping.dim, alone[True])
        for winner in winners
    ]


def _single(grouping: Grouping, number: int, where: Where, ask: Callable[[list[str], Where], xr.Dataset]) -> xr.Dataset:
    return ask([], where.narrowed([(grouping.dim, grouping.indices[number])]))


def _winner(context: Context, each: xr.Dataset, place: int, index: int, dim: str, like: xr.Dataset) -> xr.Dataset:
    """Cut one winner out, with the variables of one that was asked for by itself."""
    variables: dict[Any, xr.Variable] = {}
    for name, one in like.variables.items():
        if name in each.variables:
            whole = each.variables[name]
            one_of = whole.isel({dim: place}) if dim in whole.dims else whole
            # beside groups where nothing is found whole numbers are floats
            variables[name] = one_of.astype(one.dtype) if one.dtype.kind in "iu" else one_of
        elif name == dim:  # without labels: its index
            variables[name] = xr.Variable((), np.asarray(index, dtype=one.dtype), one.attrs)
        else:
            codes = context.label_codes[str(name).removesuffix("_code")][1]
            variables[name] = xr.Variable((), codes[index], one.attrs)
    coords = {name: variables.pop(name) for name in like.coords}
    return xr.Dataset(variables, coords=coords, attrs=like.attrs)
