"""Counts and histograms of a sweep, labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, MemoryLimitError, check_choice
from roofcube.kernels.query.query import Limit
from roofcube.sweep import points
from roofcube.sweep.best import kept_labels, over_groups
from roofcube.sweep.context import asked
from roofcube.sweep.where import FLAGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roofcube.sweep.sweep import Sweep
    from roofcube.sweep.where import Where

__all__ = ["counted", "histogram"]

Array = np.ndarray[Any, np.dtype[Any]]
BINS = 50
COUNT = {"units": "1", "long_name": "number of points"}


def counted(sweep: Sweep, where: Where, per: Sequence[str], by: str | None) -> xr.Dataset:
    """Count the points of each group, by the meanings of a flag where one is given."""
    meanings: dict[str, int] = {}
    if by is not None:
        check_choice("by", by, [name for name in FLAGS if name in sweep.model.outputs])
        meanings = FLAGS[by]
    check_cells(sweep, per, max(1, len(meanings)))
    found = asked(sweep.whole, sweep.model.outputs, where, per=per, also=[by] if by else [])
    counts = sweep._engine.count(found.query, by=by, codes=tuple(map(float, meanings.values())))
    spread = over_groups(sweep, found, per, counts, 0).astype(np.int64)
    if by is None:
        return kept_labels(_dataset(sweep, per, (), spread[..., 0], {}), found, per)
    return kept_labels(_dataset(sweep, per, ("reason",), spread, {"reason": list(meanings)}), found, per)


def histogram(
    sweep: Sweep, variable: str, bins: int | Sequence[float] | None, where: Where, per: Sequence[str]
) -> xr.Dataset:
    """Count the points of each group by the value of a variable; a flag has a bin for each meaning."""
    edges = _edges_of(sweep, variable, bins, where)
    check_cells(sweep, per, len(edges))
    found = asked(sweep.whole, sweep.model.outputs, where, per=per, also=[variable])
    counts = sweep._engine.histogram(found.query, variable, edges)
    spread = over_groups(sweep, found, per, counts, 0).astype(np.int64)
    described = points.attributes_of(sweep.model, variable)
    coords: dict[str, Any] = {"bin_low": ("bin", edges[:-1], described), "bin_high": ("bin", edges[1:], described)}
    if bins is None and variable in FLAGS:
        coords["meaning"] = ("bin", list(FLAGS[variable]))
    made = _dataset(sweep, per, ("bin",), spread, coords).assign_attrs(variable=variable)
    return kept_labels(made, found, per)


def _edges_of(sweep: Sweep, variable: str, bins: int | Sequence[float] | None, where: Where) -> Array:
    """Give the edges of bins in the dtype of the sweep, where every comparison is made."""
    kind = np.dtype(sweep.dtype)
    if bins is None and variable in FLAGS:
        # flags are consecutive whole numbers
        flags = list(FLAGS[variable].values())
        return np.arange(flags[0] - 0.5, flags[-1] + 1.0, dtype=kind)
    bins = BINS if bins is None else bins
    if isinstance(bins, int | np.integer) and not isinstance(bins, bool):
        if bins < 1:
            msg = f"`bins`: expected 1 or more, got {bins}; give a number of bins or their edges"
            raise InvalidDataError(msg)
        low, high = _finite_range(sweep, variable, where)
        # halved and doubled: the distance of two numbers may be more than the largest number
        edges = 2.0 * np.linspace(low / 2.0, (high if high > low else low + 1.0) / 2.0, int(bins) + 1)
        edges = edges.astype(kind)
        edges[0], edges[-1] = kind.type(low), max(edges[-1], kind.type(high))
        return edges
    edges = np.asarray(bins, dtype="f8").astype(kind)
    if edges.ndim != 1 or len(edges) < 2 or np.isnan(edges).any() or (np.diff(edges) < 0).any():
        msg = f"`bins`: expected two or more ascending edges, got {bins!r}; give a number of bins or their edges"
        raise InvalidDataError(msg)
    return edges


def _finite_range(sweep: Sweep, variable: str, where: Where) -> tuple[float, float]:
    largest = float(np.finfo(sweep.dtype).max)
    limits = [*where.limits, Limit(variable, -largest, largest)]
    ends = []
    for sign in (-1, 1):
        found = asked(sweep.whole, sweep.model.outputs, where, objectives=[(variable, sign)], limits=limits)
        best = sweep._engine.best(found.query)
        ends.append(sign * float(best.key[0]) if len(best.first) and best.first[0] >= 0 else 0.0)
    return ends[0], ends[1]


def check_cells(sweep: Sweep, per: Sequence[str], each: int) -> None:
    """Raise where a result over `per` would be larger than a reduction may give."""
    size = 8 * each
    for dim in per:
        size *= sweep.sizes[dim]
    if size > points.RESULT_LIMIT:
        msg = (
            f"`per`: expected a result below {points.RESULT_LIMIT / 1e6:.0f} MB, got {size / 1e6:,.0f} MB; "
            "group by fewer dims, or write the whole space with `to_zarr`"
        )
        raise MemoryLimitError(msg)


def _dataset(
    sweep: Sweep, per: Sequence[str], more: tuple[str, ...], counts: Array, coords: dict[str, Any]
) -> xr.Dataset:
    own = {
        str(name): array.variable.copy()
        for name, array in sweep.model.coords.items()
        if array.ndim and set(array.dims) <= set(per)
    }
    return xr.Dataset({"count": ((*per, *more), counts, COUNT)}, coords={**own, **coords}, attrs=sweep.attrs)
