"""Crossovers: which label of a dim wins along another dim, and where the winner changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import xarray as xr

from roofcube.errors import InvalidDataError, unknown_label
from roofcube.labels import known_labels
from roofcube.sweep.answers.best import best
from roofcube.sweep.contexts.context import check_names, names_of

if TYPE_CHECKING:
    from roofcube.sweep.contexts.context import Context, Names

__all__ = ["crossover"]

ADDED = ("winner", "winner_code", "found", "changes", "before", "after", "loser", "gainer", "crossover")


def crossover(
    context: Context, objective: str, *, between: str, along: str, per: Names, where: Any, sense: Any
) -> xr.Dataset:
    """Find the winner among the labels of `between` at each label of `along`, and every change."""
    for what, dim in (("between", between), ("along", along)):
        is_name = isinstance(dim, str)
        is_label = what == "between" and is_name and dim in context.coords  # as platform along offers
        if not (is_name and dim in context.dims) and not (is_label and context.coords[dim].ndim):
            raise unknown_label(what, dim, context.dims)
    if between == along:
        msg = f"`along`: expected another dim than between={between!r}, got the same; choose two dims"
        raise InvalidDataError(msg)
    names = names_of(per)
    context.per(names)  # what is no name cannot be compared with one
    if between in names:
        msg = f"`per`: expected other dims than between={between!r}, whose labels compete; leave it out"
        raise InvalidDataError(msg)
    groups = [*(name for name in names if name != along), along]
    dims, groupings = context.per(groups)
    if between in context.coords and set(context.coords[between].dims) <= set(dims):
        msg = f"`between`: expected labels that compete, got {between!r} of the groups themselves; choose another"
        raise InvalidDataError(msg)
    groups = [name for name in groups if name in dims or any(name == grouping.name for grouping in groupings)]
    per = groups[:-1]
    if isinstance(objective, str) and objective in groups:
        msg = f"`objective`: expected another than the labels of groups, got {objective!r}; group by other dims"
        raise InvalidDataError(msg)
    context.sign(objective, sense)
    check_names(context, [objective, between, *groups], dict.fromkeys(ADDED, ()))
    found_best = best(context, objective, per=groups, where=where, sense=sense, question="crossover")
    winner, found = found_best[between].values, found_best["found"].values
    earlier = _last_found_before(found)
    told = known_labels(between, found_best[between].variable)  # one that is missing is None or NaN
    previous = np.take_along_axis(told, np.maximum(earlier, 0), axis=-1)
    same = (told == previous) | (pd.isnull(told) & pd.isnull(previous))
    changes = found & (earlier >= 0) & ~same
    at = np.nonzero(changes)
    before = (*at[:-1], earlier[at])
    labels = found_best[along].values
    table: dict[str, Any] = {
        dim: ("crossover", found_best[dim].values[place]) for dim, place in zip(per, at, strict=False)
    }
    table |= {
        "before": ("crossover", labels[before[-1]], {"long_name": f"last {along} before the change"}),
        "after": ("crossover", labels[at[-1]], {"long_name": f"first {along} after the change"}),
        "loser": ("crossover", winner[before], {"long_name": f"{between} that wins before"}),
        "gainer": ("crossover", winner[at], {"long_name": f"{between} that wins after"}),
    }
    own = {
        name: array.variable
        for name, array in found_best.coords.items()
        if set(array.dims) <= set(groups) and name in groups
    }
    variables = {
        "winner": (groups, winner, {"long_name": f"{between} with the best {objective}"}),
        objective: found_best[objective].variable,
        "found": found_best["found"].variable,
        "changes": (
            groups,
            changes,
            {"long_name": f"whether the winner differs from that of the {along} before, of those where any is found"},
        ),
    }
    if f"{between}_code" in found_best.coords:
        variables["winner_code"] = found_best.coords[f"{between}_code"].variable
    renamed = {f"{name}_of_change" if name in own else name: value for name, value in table.items()}
    return xr.Dataset({**variables, **renamed}, coords=own, attrs=context.attrs)


def _last_found_before(found: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return, for each place of the last dim, the nearest one before it where a winner was found; -1 for none."""
    places = np.where(found, np.arange(found.shape[-1]), -1)
    last = np.maximum.accumulate(places, axis=-1)
    return np.concatenate([np.full_like(last[..., :1], -1), last[..., :-1]], axis=-1)
