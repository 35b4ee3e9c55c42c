"""pareto: the labelled non-dominated set of a stored cube."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, check_choice
from roofcube.kernels import pareto as kernel
from roofcube.limits import objective_senses, per_dims, select_labels, split_where
from roofcube.model import dim_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roofcube.limits import Where

__all__ = ["pareto"]


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
        Add the probability of being on the front (needs a calibrated cube with intervals).

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
    names = [*senses, *limits]
    order = dim_order(chosen)
    dims = tuple(
        dim
        for dim in (*order, *map(str, chosen.dims))
        if dim in groups or any(dim in chosen[name].dims for name in names)
    )
    dims = tuple(dict.fromkeys(dims))
    sizes = tuple(chosen.sizes[dim] for dim in dims)
    columns = {name: _column(chosen[name], dims, sizes) for name in names}
    allowed, removed = _allowed(columns, senses, limits)
    where_kept = np.flatnonzero(allowed)
    costs = tuple(columns[name][where_kept] * (-1.0 if sense == "max" else 1.0) for name, sense in senses.items())
    group = _group_numbers(dims, sizes, groups)[where_kept]
    on_front = _front(costs, group, ties) if where_kept.size else np.zeros(0, dtype=bool)
    n_ties = _tie_counts(costs, group, on_front)
    picked = where_kept[on_front]
    rank = np.lexsort((picked, costs[0][on_front], group[on_front]))
    front = _points(chosen, dims, sizes, picked[rank])
    front["n_ties"] = ("point", n_ties[rank], {"units": "1", "long_name": "points of equal value, this one included"})
    front.attrs = {
        **cube.attrs,
        **removed,
        "dim_order": " ".join(order),
        "objectives": " ".join(f"{k}:{v}" for k, v in senses.items()),
    }
    return _with_probability(front, chosen, senses) if probability else front


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


def _group_numbers(dims: tuple[str, ...], sizes: tuple[int, ...], groups: tuple[str, ...]) -> np.ndarray[Any, Any]:
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


def _tie_counts(
    costs: tuple[np.ndarray[Any, Any], ...], group: np.ndarray[Any, Any], on_front: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Count, for each point of the front, the points of its group with the same values (-0.0 equals 0.0)."""
    if not on_front.any():
        return np.zeros(0, dtype=np.int64)
    # equals of a front point are never dominated, so only points as good in the first objective can be equal
    candidates = np.flatnonzero(np.isin(costs[0], costs[0][on_front]))
    rows = np.column_stack([group[candidates], *(cost[candidates] + 0.0 for cost in costs)])
    _, inverse, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    per_candidate = counts[inverse.reshape(-1)]
    return per_candidate[np.searchsorted(candidates, np.flatnonzero(on_front))]


def _points(cube: xr.Dataset, dims: tuple[str, ...], sizes: tuple[int, ...], flat: np.ndarray[Any, Any]) -> xr.Dataset:
    """Take the cells at flat positions along a new dim `point`; dims that no objective has stay as they are."""
    places = np.unravel_index(flat, sizes) if sizes else ()
    picks = {dim: xr.DataArray(place, dims="point") for dim, place in zip(dims, places, strict=True)}
    return cube.isel(picks)


def _with_probability(front: xr.Dataset, cube: xr.Dataset, senses: dict[str, str]) -> xr.Dataset:
    msg = "`probability`: expected a calibrated cube with intervals; predict with assumptions=calibration"
    raise InvalidDataError(msg)
