"""Accuracy of networks that came without one, from the rows that were measured; knows no file."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import xarray as xr

from roofcube.vocabulary import IMPOSSIBLE_ACCURACY, INFEASIBLE, MEASURED_ACCURACY, QUALITY

__all__ = ["with_measured_accuracy", "without_measured_accuracy"]

FILLED = "measured_of"  # attribute of an accuracy: the networks that it is measured of


def with_measured_accuracy(cube: xr.Dataset) -> xr.Dataset:
    """Give networks without any accuracy the mean of what was measured; they are no longer `untrained` there.

    A network of which some accuracy is known keeps what is known: a gap says that nobody trained it at that precision.
    The attribute `comment` tells where the figures are from.
    """
    if not {"quality", "infeasible"} <= set(cube.data_vars):
        return cube
    for figure in ("top1", "top5"):
        filled = _with_accuracy_of_rows(cube, figure)
        if filled is None:
            continue
        names = _networks_in(cube, cube[figure].copy(data=filled).notnull() & cube[figure].isnull())
        told = {**cube[figure].attrs, "comment": MEASURED_ACCURACY, **({FILLED: names} if names else {})}
        cube = cube.assign({figure: (cube[figure].dims, filled, told)})
        if figure == "top1":
            cube = cube.assign(infeasible=_trained(cube))
    return cube


def _networks_in(cube: xr.Dataset, mask: xr.DataArray) -> list[str]:
    """Name the networks of some cells; of a cube that does not name its only one, none."""
    labels = cube.coords.get("topology")
    if labels is None:
        return []
    mask = mask.any([dim for dim in mask.dims if dim not in labels.dims]).broadcast_like(labels).transpose(*labels.dims)
    return list(dict.fromkeys(np.atleast_1d(labels.values)[np.atleast_1d(mask.values)].tolist()))


def without_measured_accuracy(cube: xr.Dataset) -> xr.Dataset:
    """Take back what `with_measured_accuracy` gave, before other rows tell it."""
    for figure in ("top1", "top5"):
        told = dict(cube[figure].attrs) if figure in cube.data_vars else {}
        names, labels = told.pop(FILLED, None), cube.coords.get("topology")
        if told.pop("comment", None) != MEASURED_ACCURACY or (names is None) != (labels is None):
            continue  # of a file that does not say of which networks it is, nothing is taken
        taken = xr.DataArray(True) if labels is None else labels.isin(np.atleast_1d(names))
        if figure == "top1" and "infeasible" in cube:
            code = cube["infeasible"]
            trained = taken & cube["top1"].notnull() & (code == INFEASIBLE["feasible"])
            codes = code.where(~trained, INFEASIBLE["untrained"]).transpose(*code.dims).astype(code.dtype)
            cube = cube.assign(infeasible=codes.assign_attrs(code.attrs))
        cube = cube.assign({figure: (cube[figure].dims, cube[figure].where(~taken).values, told)})
    return cube


def _with_accuracy_of_rows(cube: xr.Dataset, figure: str) -> np.ndarray[Any, Any] | None:
    """Return the accuracy with that of rows where its network has none; None where nothing changes."""
    if figure not in cube.data_vars:
        return None
    given, measured = cube[figure], cube[f"measured_{figure}"]
    absent = [dim for dim in given.dims if dim not in measured.dims]
    if any(given.sizes[dim] > 1 for dim in absent):
        return None  # the rows do not say of which label they are
    wrong = QUALITY["accuracy_is_a_fraction"] | IMPOSSIBLE_ACCURACY
    left_out = cube["quality"].transpose(*measured.dims).values & wrong
    usable = measured.copy(data=np.where(left_out, np.nan, measured.values)).expand_dims(absent)
    rows = usable.transpose(*given.dims, ...).values
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        mean = np.nanmean(rows, axis=tuple(range(given.ndim, rows.ndim)))
    own = tuple(place for place, dim in enumerate(given.dims) if dim != "topology")
    without = np.isnan(given.values).all(axis=own, keepdims=True)
    filled = np.where(without, mean, given.values)
    return filled if (without & ~np.isnan(mean)).any() else None


def _trained(cube: xr.Dataset) -> xr.DataArray:
    code = cube["infeasible"]
    known = cube["top1"].notnull().broadcast_like(code).transpose(*code.dims).values
    trained = known & (code.values == INFEASIBLE["untrained"])
    return code.copy(data=np.where(trained, INFEASIBLE["feasible"], code.values).astype(code.dtype))
