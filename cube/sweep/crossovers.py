"""Crossovers: which label of a dim wins along another dim, and where the winner changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roofcube.sweep.sweep import Sweep

__all__ = ["crossover"]


def crossover(
    sweep: Sweep,
    objective: str,
    between: str,
    along: str,
    per: Sequence[str],
    where: Mapping[str, Any] | None,
    sense: Any,
) -> xr.Dataset:
    """Find the winner among the labels of `between` at each label of `along`, and every change."""
    groups = [*per, along]
    best = sweep.best(objective, per=groups, where=where, sense=sense)
    winner, found = best[between].values, best["found"].values
    changes = np.zeros(found.shape, dtype=bool)
    changes[..., 1:] = found[..., 1:] & found[..., :-1] & (winner[..., 1:] != winner[..., :-1])
    at = np.nonzero(changes)
    before = (*at[:-1], at[-1] - 1)
    labels = _labels(best, along)
    table: dict[str, Any] = {dim: ("crossover", _labels(best, dim)[place]) for dim, place in zip(per, at, strict=False)}
    table |= {
        "before": ("crossover", labels[before[-1]], {"long_name": f"last {along} before the change"}),
        "after": ("crossover", labels[at[-1]], {"long_name": f"first {along} after the change"}),
        "loser": ("crossover", winner[before], {"long_name": f"{between} that wins before"}),
        "gainer": ("crossover", winner[at], {"long_name": f"{between} that wins after"}),
    }
    own = {
        name: array.variable for name, array in best.coords.items() if set(array.dims) <= set(groups) and name in groups
    }
    variables = {
        "winner": (groups, winner, {"long_name": f"{between} with the best {objective}"}),
        objective: best[objective].variable if objective in best else (groups, best.coords[objective].values),
        "found": best["found"].variable,
        "changes": (groups, changes, {"long_name": f"whether the winner differs from the {along} before"}),
    }
    renamed = {f"{name}_of_change" if name in own else name: value for name, value in table.items()}
    return xr.Dataset({**variables, **renamed}, coords=own, attrs=sweep.attrs)


def _labels(best: xr.Dataset, dim: str) -> Any:
    return best[dim].values if dim in best.coords else np.arange(best.sizes[dim])
