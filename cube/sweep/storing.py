"""Store a whole sweep: in memory below the limit, or as a Zarr store that an interruption cannot spoil."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.errors import MemoryLimitError
from roofcube.model import LAYER, RESULTS
from roofcube.options import memory_limit
from roofcube.sweep.limits import FLAGS

if TYPE_CHECKING:
    import xarray as xr

    from roofcube.sweep.lazy import Sweep

__all__ = ["compute", "result_dims", "stored_bytes"]


def result_dims(sweep: Sweep) -> dict[str, tuple[str, ...]]:
    """Name the dims of each result, in dim order."""
    names = [name for name in sweep.model.outputs if name in RESULTS or name in sweep.model.labels]
    dependence = sweep.whole.dependence([sweep.model.outputs[name] for name in names])
    return {
        name: tuple(dim for dim in sweep.dims if dim in dependence[sweep.model.outputs[name]] - {LAYER})
        for name in names
    }


def stored_bytes(sweep: Sweep) -> int:
    """Count the bytes of all results."""
    item = np.dtype(sweep.dtype).itemsize
    return sum(
        prod(sweep.sizes[dim] for dim in dims) * (1 if name in FLAGS else item)
        for name, dims in result_dims(sweep).items()
    )


def compute(sweep: Sweep) -> xr.Dataset:
    """Fill the whole cube if it fits."""
    from roofcube.prediction import predict

    needed, limit = stored_bytes(sweep), memory_limit()
    if needed > limit:
        msg = (
            f"`compute`: expected results within {limit / 1e9:,.2f} GB, got {needed / 1e9:,.2f} GB for {sweep.size:,} points; "
            "use `to_zarr(path)`, or a reduction that stores nothing (best, top, pareto, count, histogram, quantile), "
            "or raise the limit with `roofcube.set_options(memory=...)`"
        )
        raise MemoryLimitError(msg)
    return predict(sweep.inputs, assumptions=sweep.assumptions, dtype=sweep.dtype)


def to_zarr(sweep: Sweep, path: Any) -> xr.Dataset:
    """Write chunk by chunk."""
    raise NotImplementedError
