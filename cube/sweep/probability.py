"""How probable it is that a point is on a front, or meets a limit, given the intervals of a calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import MissingInputError
from roofcube.kernels.pareto import front as kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SCALES", "draw_front", "spread"]

DRAWS = 400
Z_90 = 1.6448536269514722  # half-width of a central 90 % interval of the normal distribution, in deviations
LOW, HIGH = "predicted_throughput_low", "predicted_throughput_high"
# how an error of the predicted throughput carries over: log(value) moves by this times log(throughput)
SCALES = {"predicted_throughput": 1.0, "predicted_latency": -1.0, "predicted_energy": -1.0}
# errors are shared by all batches of a configuration, and independent between configurations
SHARED = ("batch",)


def spread(cube: xr.Dataset) -> xr.DataArray:
    """Give the deviation of log throughput that the intervals of a calibrated cube imply.

    Raises
    ------
    MissingInputError
        If the cube has no intervals.
    """
    for name in (LOW, HIGH):
        if name not in cube:
            msg = (
                f"`{name}`: probabilities need the intervals of a calibration and the cube lacks them; use "
                "predict(inputs, assumptions=calibration)"
            )
            raise MissingInputError(msg)
    widths: xr.DataArray = xr.apply_ufunc(np.log, cube[HIGH] / cube[LOW])
    return widths / (2 * Z_90)


def draw_front(
    columns: Mapping[str, np.ndarray[Any, Any]],
    senses: Mapping[str, str],
    limits: Mapping[str, tuple[float, float]],
    deviation: np.ndarray[Any, Any],
    configuration: np.ndarray[Any, Any],
    group: np.ndarray[Any, Any],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Draw many possible worlds and count in how many each point is on the front, and meets every limit.

    Parameters
    ----------
    columns : mapping of name to array
        Values of objectives and limited variables, a point each.
    senses, limits : mapping
    deviation : array
        Of log throughput, per point; NaN is taken as certain.
    configuration, group : int arrays
        Points with one number share their error; fronts are taken within a group.

    Returns
    -------
    on_front, meets_limits : float arrays
        Shares of the draws.
    """
    random = np.random.default_rng(0)
    numbers, member = np.unique(configuration, return_inverse=True)
    sigma = np.nan_to_num(deviation)
    on_front = np.zeros(sigma.size)
    meets = np.zeros(sigma.size)
    known = np.all([~np.isnan(columns[name]) for name in senses], axis=0)
    for _ in range(DRAWS):
        error = sigma * random.standard_normal(numbers.size)[member.reshape(-1)]
        world = {name: values * np.exp(SCALES.get(name, 0.0) * error) for name, values in columns.items()}
        allowed = known.copy()
        for name, (low, high) in limits.items():
            allowed &= (world[name] >= low) & (world[name] <= high)
        meets += allowed
        inside = np.flatnonzero(allowed)
        costs = tuple(world[name][inside] * (-1.0 if sense == "max" else 1.0) for name, sense in senses.items())
        if inside.size:
            on_front[inside[kernel.non_dominated_by_group(costs, group[inside])]] += 1
    return on_front / DRAWS, meets / DRAWS
