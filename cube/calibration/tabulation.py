"""Calibrated results tabulated over the dims of labelled inputs; what predict and sweeps take as a model."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.calibration.rows import UNCOUNTABLE, IndexedRows, Records, countable
from roofcube.calibration.trust import statuses
from roofcube.errors import InvalidDataError, MissingInputError
from roofcube.model.made import OF_CALIBRATIONS
from roofcube.model.offered import as_product, at_offers, is_offered
from roofcube.options import check_fits
from roofcube.vocabulary import BOUNDS, CONFIGURATION, HARDWARE_DIMS, NETWORK_DIMS, attributes
from roofcube.wording import plain_values

if TYPE_CHECKING:
    from roofcube.calibration.fitted import Fitted

__all__ = ["tabulate"]

DIMS = (*CONFIGURATION, "batch")
CELL = 57  # bytes: seven numbers and what binds
DEFAULTS = {"mode": "default", "pruning": 100.0, "batch": 1}
OWN = {
    "low": {"units": "1/s", "long_name": "lower end of the interval of throughput"},
    "high": {"units": "1/s", "long_name": "upper end of the interval of throughput"},
    "power": {"units": "W", "long_name": "calibrated power under load"},
    "extrapolates": {"units": "1", "long_name": OF_CALIBRATIONS["extrapolates"]},
}


def tabulate(calibration: Fitted, inputs: xr.Dataset, level: float | None) -> xr.Dataset:
    """See `Calibration.tables`; in either layout, and where labels of another dim have a batch of their own each."""
    batch = inputs.coords.get("batch")
    if batch is not None and batch.ndim and "batch" not in inputs.dims:
        distinct, place = np.unique(batch.values, return_inverse=True)
        whole = tabulate(calibration, inputs.drop_vars("batch").assign_coords(batch=distinct), level)
        return whole.isel(batch=xr.Variable(batch.dims, place.reshape(batch.shape)))
    if is_offered(inputs):
        return at_offers(_tabulated(calibration, as_product(inputs), level), inputs)
    return _tabulated(calibration, inputs, level)


def _tabulated(calibration: Fitted, inputs: xr.Dataset, level: float | None) -> xr.Dataset:
    """Compute only what the hardware offers and the inputs define; the rest is NaN."""
    labels = {dim: _labels_or_default(inputs, dim) for dim in DIMS}
    facts = calibration.facts_with(inputs)
    hardware = _numbers_of(facts.hardware, product(*(labels[dim] for dim in HARDWARE_DIMS)))
    network = _numbers_of(facts.networks, product(*(labels[dim] for dim in NETWORK_DIMS)))
    batch = _checked_batches(np.array(labels["batch"], dtype="f8"))
    shape = (len(hardware), len(network), len(batch))
    check_fits("calibrated tables", prod(shape) * CELL)
    known = np.broadcast_to(((hardware >= 0)[:, None] & (network >= 0))[..., None] & np.isfinite(batch), shape)
    place = np.nonzero(known)
    machines, nets = Records(facts.hardware.values()), Records(facts.networks.values())
    rows = IndexedRows(hardware[place[0]], network[place[1]], batch[place[2]], machines, nets)
    found = calibration.columns(rows, np.full(len(rows), np.nan), level)
    if level is None:
        found = {name: values for name, values in found.items() if name not in ("low", "high")}
    if level is not None:
        status, _ = statuses(calibration.engine, calibration.reach, rows, np.zeros(len(rows), dtype=bool))
        beyond = (status == "extrapolates").to_numpy() | calibration.is_of_others(inputs)
        found["extrapolates"] = np.where(status == "refused", np.nan, beyond)
    kept = tuple(dim for dim in DIMS if dim in inputs.dims)
    dropped = {dim: 0 for dim in DIMS if dim not in kept}
    result = {}
    for name, values in found.items():
        full = np.full(shape, BOUNDS["none"], dtype="i1") if name == "bound" else np.full(shape, np.nan)
        full[place] = values
        array = xr.DataArray(full.reshape([len(labels[dim]) for dim in DIMS]), dims=DIMS).isel(dropped)
        result[name] = array.assign_attrs(OWN.get(name) or attributes(name))
    if "extrapolates" in result:
        result["extrapolates"] = _beyond_own_labels(calibration, inputs, result["extrapolates"])
    # a coordinate along a dim of the inputs may have the name of a table
    return xr.Dataset(result, coords={dim: inputs[dim].variable for dim in kept})


def _checked_batches(batch: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return batches; raise where one is a number of which rows are refused. A label without end is not predicted."""
    wrong = batch[np.isfinite(batch) & ~countable(batch)]
    if len(wrong):
        msg = f"`inputs`: {UNCOUNTABLE} for a calibration, got {wrong[0]:.17g}; leave it out, inputs.sel(batch=[...])"
        raise InvalidDataError(msg)
    return batch


def _beyond_own_labels(calibration: Fitted, inputs: xr.Dataset, extrapolates: xr.DataArray) -> xr.DataArray:
    """Mark what is of other labels along the user's own dims, such as another site, than the rows were of."""
    for dim, label in calibration.own_labels.items():
        if dim in inputs.dims:
            labels = plain_values(inputs[dim].values) if dim in inputs.coords else [None] * inputs.sizes[dim]
            others = xr.DataArray([one != label for one in labels], dims=dim)
            extrapolates = extrapolates.where(~(others & extrapolates.notnull()), 1.0)
    return extrapolates


def _labels_or_default(inputs: xr.Dataset, dim: str) -> list[Any]:
    if dim not in inputs.coords:
        if dim not in DEFAULTS or inputs.sizes.get(dim, 1) > 1:
            msg = f"`inputs`: expected a coordinate {dim!r}, got {', '.join(map(str, inputs.coords))}; add it"
            raise MissingInputError(msg)
        return [DEFAULTS[dim]]
    if inputs[dim].ndim and dim not in inputs.dims:
        each = ", ".join(map(str, inputs[dim].dims))
        msg = (
            f"`inputs`: expected one {dim} or a dim of them, got one for each {each}; predict the whole with the "
            "calibration, and select then"
        )
        raise InvalidDataError(msg)
    labels: list[Any] = np.atleast_1d(inputs[dim].to_numpy()).tolist()
    return labels


def _numbers_of(known: dict[Any, Any], wanted: Any) -> np.ndarray[Any, Any]:
    place = {key: number for number, key in enumerate(known)}
    return np.array([place.get(key, -1) for key in wanted], dtype=np.intp)
