"""efficiency: measured against predicted throughput, per configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from roofcube.errors import MissingInputError, check_choice
from roofcube.variables import attributes

if TYPE_CHECKING:
    from roofcube.sweep.sweep import Sweep

__all__ = ["efficiency"]


def efficiency(
    cube: xr.Dataset | Sweep, *, at: Literal["best", "batch"] = "best", scope: Literal["compute", "system"] = "compute"
) -> xr.Dataset:
    """Compare measured with predicted throughput, per configuration.

    Parameters
    ----------
    cube : Dataset or Sweep
        From `benchmark` or `join`, or a front of such a cube; a sweep over inputs with measurements, which then has to
        fit into the memory limit.
    at : {"best", "batch"}
        ``"best"``: the best measured batch against the best predicted one. ``"batch"``: at equal batch, keeping that
        dim.
    scope : {"compute", "system"}
        Measured throughput of the accelerator alone, or with host and transfers.

    Returns
    -------
    Dataset
        Over (platform, mode, topology, pruning, precision), with `batch` for ``at="batch"``: `predicted_throughput`,
        `measured_throughput`, `peak_throughput` [1/s], `efficiency` (measured ÷ predicted, 1 = 100 %), for
        ``at="best"`` also `best_batch`. NaN where nothing was measured.

    Raises
    ------
    MissingInputError
        If the cube lacks measured or predicted throughput.

    Examples
    --------
    >>> import roofcube as rc
    >>> ratios = rc.efficiency(rc.benchmark("cifar10"))
    >>> tx2 = ratios.efficiency.sel(platform="TX2", mode="maxn", precision="FP32", topology="CNV", pruning=100)
    >>> round(float(tx2), 3)
    0.866
    """
    check_choice("at", at, ("best", "batch"))
    check_choice("scope", scope, ("compute", "system"))
    source = "measured_throughput" if scope == "compute" else "measured_system_throughput"
    if not isinstance(cube, xr.Dataset):
        cube = cube.compute()
    for name in (source, "predicted_throughput"):
        if name not in cube:
            msg = (
                f"`{name}`: the efficiency needs this variable and the cube lacks it; use benchmark(task) or "
                "join(predict(...), rows)"
            )
            raise MissingInputError(msg)
    cube = cube[[name for name in (source, "predicted_throughput", "peak_throughput") if name in cube]].compute()
    measured, predicted = cube[source], cube["predicted_throughput"]
    parts = {"measured_throughput": measured, "predicted_throughput": predicted}
    if at == "best" and "batch" in measured.dims:
        highest = measured.max("batch")
        first = measured.fillna(-np.inf).argmax("batch")
        parts["measured_throughput"] = highest
        parts["best_batch"] = (
            cube["batch"]
            .isel(batch=first)
            .where(highest.notnull())
            .drop_vars("batch")
            .assign_attrs(units="1", long_name="batch of the best measured throughput")
        )
        if "batch" in predicted.dims:
            parts["predicted_throughput"] = predicted.max("batch")
    if "peak_throughput" in cube:
        parts["peak_throughput"] = cube["peak_throughput"]
    ratio = parts["measured_throughput"] / parts["predicted_throughput"]
    parts["efficiency"] = ratio
    known = ratio.notnull()
    shaped = {
        name: (array if name in ("best_batch",) else array.where(known)).assign_attrs(array.attrs or attributes(name))
        for name, array in parts.items()
    }
    shaped["efficiency"].attrs = attributes("efficiency")
    shaped["measured_throughput"].attrs = measured.attrs
    return xr.Dataset(shaped, attrs={**cube.attrs, "at": at, "scope": scope}).transpose(
        *measured.dims, missing_dims="ignore"
    )
