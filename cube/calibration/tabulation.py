"""Calibrated results tabulated over the dims of labelled inputs; what predict and sweeps take as a model."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.calibration.rows import IndexedRows
from roofcube.calibration.trust import statuses
from roofcube.errors import MissingInputError
from roofcube.options import check_fits
from roofcube.vocabulary import BOUNDS, CONFIGURATION, HARDWARE_DIMS, NETWORK_DIMS, attributes

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
    "extrapolates": {"units": "1", "long_name": "1 where the calibration extrapolates, 0 where it interpolates"},
}


def tabulate(calibration: Fitted, inputs: xr.Dataset, level: float | None) -> xr.Dataset:
    """See `Calibration.tables`; only what the hardware offers and the inputs define is computed, the rest is NaN."""
    labels = {dim: _labels_or_default(inputs, dim) for dim in DIMS}
    facts = calibration.facts_with(inputs)
    hardware = _numbers_of(facts.hardware, product(*(labels[dim] for dim in HARDWARE_DIMS)))
    network = _numbers_of(facts.networks, product(*(labels[dim] for dim in NETWORK_DIMS)))
    batch = np.array(labels["batch"], dtype="f8")
    shape = (len(hardware), len(network), len(batch))
    check_fits("calibrated tables", prod(shape) * CELL)
    known = np.broadcast_to(((hardware >= 0)[:, None] & (network >= 0))[..., None], shape)
    place = np.nonzero(known)
    machines, nets = tuple(facts.hardware.values()), tuple(facts.networks.values())
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
    return xr.Dataset(result, coords={dim: inputs[dim] for dim in kept})


def _labels_or_default(inputs: xr.Dataset, dim: str) -> list[Any]:
    if dim not in inputs.coords:
        if dim not in DEFAULTS:
            msg = f"`inputs`: expected a coordinate {dim!r}, got {', '.join(map(str, inputs.coords))}; add it"
            raise MissingInputError(msg)
        return [DEFAULTS[dim]]
    labels: list[Any] = np.atleast_1d(inputs[dim].to_numpy()).tolist()
    return labels


def _numbers_of(known: dict[Any, Any], wanted: Any) -> np.ndarray[Any, Any]:
    place = {key: number for number, key in enumerate(known)}
    return np.array([place.get(key, -1) for key in wanted], dtype=np.intp)
