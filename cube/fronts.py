"""pareto: the labelled non-dominated set of a stored cube."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from roofcube.errors import check_choice
from roofcube.kernels.pareto import front as kernel
from roofcube.limits import objective_senses, per_dims, select_labels, split_where
from roofcube.model.graph import LAYER, dim_order
from roofcube.sweep.probability import HIGH, LOW, SHARED, draw_front, spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roofcube.limits import Where

__all__ = ["pareto"]

PROBABILITIES = {
    "probability_on_front": "probability of being on the front",
    "probability_meets_limits": "probability of meeting every limit",
}


def pareto(
    cube: xr.Dataset,
    objectives: Mapping[str, str | None] | Sequence[str],
    *,
    where: Where | None = None,
    per: str | Sequence[str] | None = None,
    ties: Literal["all", "first"] = "all",
    probability: bool = False,
) -> xr.Dataset:
    """Find the true non-dominated set of a cube.

    Parameters
    ----------
    cube : Dataset
        With the objectives as variables.
    objectives : mapping of name to {"max", "min"}
        One to five variables; a list of names takes the sense from the table of variables.
    where : mapping, optional
        ``{"predicted_latency": (None, 0.01), "top1": (80, None), "platform": ["TX2"]}``: (low, high) inclusive for
        numbers, a list for labels. NaN meets no limit.
    per : dim or dims, optional
        A front of its own for each label.
    ties : {"all", "first"}
        Keep all points of equal value, or the first in dim order.
    probability : bool
        Add `probability_on_front` and `probability_meets_limits` of each point; needs the intervals of a calibration.

    Returns
    -------
    Dataset
        Along `point`, best first in the first objective, then in dim order (with `per`: label by label). All
        coordinates and variables of each point; `n_ties` counts the points of equal value. Attrs say how many points
        there were (`n_points`), lacked a figure (`missing_<name>`) and broke each limit (`removed_by_<name>`).

    Raises
    ------
    UnknownLabelError
        If a variable, dim or label is not in the cube.
    InvalidDataError
        If a sense or limit makes no sense.

    Examples
    --------
    >>> import roofcube as rc
    >>> front = rc.pareto(rc.benchmark("cifar10"), {"measured_throughput": "max", "measured_top1": "max"})
    >>> front.sizes["point"], round(float(front.measured_throughput[0]))
    (11, 60757)
    """
    check_choice("ties", ties, ("all", "first"))
    senses = objective_senses(cube, objectives)
    labels, limits = split_where(cube, where)
    chosen = select_labels(cube, labels)
    groups = per_dims(chosen, per)
    names = [*senses, *limits, *((LOW, HIGH) if probability else ())]
    deviation = spread(chosen) if probability else None
    order = dim_order(chosen)
    used = {str(dim) for name in names for dim in chosen[name].dims} | set(groups)
    dims = tuple(dim for dim in dict.fromkeys((*order, *map(str, chosen.dims))) if dim in used)
    sizes = tuple(chosen.sizes[dim] for dim in dims)
    columns = {name: _column(chosen[name], dims, sizes) for name in (*senses, *limits)}
    allowed, removed = _allowed(columns, senses, limits)
    kept = np.flatnonzero(allowed)
    costs = tuple(columns[name][kept] * (-1.0 if sense == "max" else 1.0) for name, sense in senses.items())
    all_groups = _numbers(dims, sizes, groups)
    group = all_groups[kept]
    on_front = _front(costs, group, ties)
    # both signs: points of different groups are neither equal nor comparable
    apart = group.astype("f8")
    n_ties = kernel.count_ties((apart, -apart, *costs), on_front)
    picked = kept[on_front]
    rank = np.lexsort((picked, costs[0][on_front], group[on_front]))
    front = _points(chosen, dims, sizes, picked[rank])
    front["n_ties"] = ("point", n_ties[rank], {"units": "1", "long_name": "points of equal value, this one included"})
    if deviation is not None:
        configuration = _numbers(dims, sizes, tuple(dim for dim in dims if dim not in SHARED))
        shares = draw_front(columns, senses, limits, _column(deviation, dims, sizes), configuration, all_groups)
        for name, text, share in zip(PROBABILITIES, PROBABILITIES.values(), shares, strict=True):
            front[name] = ("point", share[picked[rank]], {"units": "1", "long_name": text})
    objectives_text = " ".join(f"{name}:{sense}" for name, sense in senses.items())
    front.attrs = {**cube.attrs, **removed, "dim_order": " ".join(order), "objectives": objectives_text}
    return front


def _column(array: xr.DataArray, dims: tuple[str, ...], sizes: tuple[int, ...]) -> np.ndarray[Any, Any]:
    kind = array.dtype if array.dtype.kind == "f" else np.dtype("f8")
    ordered = array.transpose(*(dim for dim in dims if dim in array.dims)).values.astype(kind, copy=False)
    full = ordered[tuple(slice(None) if dim in array.dims else None for dim in dims)]
    return np.broadcast_to(full, sizes).reshape(-1)


def _allowed(
    columns: dict[str, np.ndarray[Any, Any]], senses: dict[str, str], limits: dict[str, tuple[float, float]]
) -> tuple[np.ndarray[Any, Any], dict[str, int]]:
    """Mask the points that have every objective and meet every limit, and count what each removes."""
    size = next(iter(columns.values())).size
    allowed = np.ones(size, dtype=bool)
    counts = {"n_points": size}
    for name in senses:
        known = ~np.isnan(columns[name])
        counts[f"missing_{name}"] = int(size - np.count_nonzero(known))
        allowed &= known
    for name, (low, high) in limits.items():
        meets = (columns[name] >= low) & (columns[name] <= high)
        counts[f"removed_by_{name}"] = int(size - np.count_nonzero(meets))
        allowed &= meets
    return allowed, counts


def _numbers(dims: tuple[str, ...], sizes: tuple[int, ...], groups: tuple[str, ...]) -> np.ndarray[Any, Any]:
    """Give a number to each of the combinations of labels along some of the dims."""
    number = np.zeros((1,) * len(dims), dtype=np.int64)
    for dim in (one for one in dims if one in groups):
        axis = dims.index(dim)
        steps = np.arange(sizes[axis]).reshape([-1 if place == axis else 1 for place in range(len(dims))])
        number = number * sizes[axis] + steps
    return np.broadcast_to(number, sizes).reshape(-1)


def _front(
    costs: tuple[np.ndarray[Any, Any], ...], group: np.ndarray[Any, Any], ties: Literal["all", "first"]
) -> np.ndarray[Any, Any]:
    if not group.size or (group[0] == group[-1] and not np.any(group != group[0])):
        return kernel.non_dominated(costs, ties=ties)
    return kernel.non_dominated_by_group(costs, group, ties=ties)


def _points(cube: xr.Dataset, dims: tuple[str, ...], sizes: tuple[int, ...], flat: np.ndarray[Any, Any]) -> xr.Dataset:
    """Take the cells at flat positions along a new dim `point`; dims that no objective has stay as they are."""
    places = np.unravel_index(flat, sizes) if sizes else ()
    picks = {dim: xr.DataArray(place, dims="point") for dim, place in zip(dims, places, strict=True)}
    # figures per layer are inputs of the model, not of a point
    return cube.drop_dims(LAYER, errors="ignore").isel(picks)
