"""predict: fill the cube of a model over labelled inputs; knows xarray and the expression graph, not files or plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.assumptions import PUBLISHED, Assumptions
from roofcube.errors import check_choice
from roofcube.kernels.expression import evaluate
from roofcube.model import LAYER, RESULTS, Model, build_model
from roofcube.variables import BOUNDS, INFEASIBLE

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["predict"]

FLAGS = frozenset({"bound", "infeasible"})


def predict(
    inputs: xr.Dataset,
    *,
    assumptions: Assumptions | Sequence[Assumptions] = PUBLISHED,
    chunks: dict[str, int] | int | str | None = None,
    dtype: str = "f8",
) -> xr.Dataset:
    """Predict throughput, latency, energy and feasibility over the whole space of the inputs.

    Parameters
    ----------
    inputs : Dataset
        From `roofcube.inputs`, or your own with the same names; each variable over just the dims it depends on.
    assumptions : Assumptions or sequence of them
        `roofcube.PUBLISHED` (default), `roofcube.BOUND`, your own, or a calibration. Several add a dim `assumptions`.
    chunks : optional
        As in `xarray.Dataset.chunk`: gives a dask-backed cube, computed when asked for (needs the extra `scale`).
    dtype : {"f8", "f4"}
        Floating-point type of the computation and the result.

    Returns
    -------
    Dataset
        The inputs and, over just the dims that each depends on: `predicted_throughput` [1/s], `predicted_latency` [s, whole
        batch], `peak_throughput` [1/s], `operational_intensity` [op/B], `predicted_energy` [J per input],
        `memory_required` [B], and the flags `bound` and `infeasible`. ``xr.broadcast`` gives the full product.

    Raises
    ------
    MissingInputError
        If the assumptions need a variable that the inputs lack.

    Examples
    --------
    >>> import roofcube as rc
    >>> cube = rc.predict(rc.inputs("cifar10"))
    >>> float(cube.predicted_throughput.sel(platform="TX2", mode="maxn", precision="FP16", topology="CNV", pruning=100).round())
    2833.0

    Notes
    -----
    ``throughput = min(peak, bandwidth · OI) / ops`` for `PUBLISHED` (Williams et al., CACM 52(4), 2009, as used by the
    QuTiBench analysis); see `roofcube.kernels.roofline` for the batch-aware form.
    """
    check_choice("dtype", dtype, ("f8", "f4"))
    if not isinstance(assumptions, Assumptions) and not hasattr(assumptions, "build_model"):
        cubes = [predict(inputs, assumptions=one, chunks=chunks, dtype=dtype) for one in assumptions]
        labels = [one.label for one in assumptions]
        return _stacked(cubes, labels)
    model = build_model(inputs, assumptions)
    results = _lazy(model, chunks, dtype) if chunks is not None else _filled(model, dtype)
    return inputs.assign(results).assign_attrs(assumptions=assumptions.label, dim_order=" ".join(model.dim_order))


def _result_names(model: Model) -> list[str]:
    return [name for name in model.outputs if name in RESULTS or name in model.labels]


def _stacked(cubes: list[xr.Dataset], labels: list[str]) -> xr.Dataset:
    """Join cubes along a new dim `assumptions`; what they share (the inputs) stays without it."""
    index = xr.DataArray(labels, dims="assumptions", name="assumptions", attrs={"long_name": "assumptions of the model"})
    first = cubes[0]
    results = [name for cube in cubes for name in cube.data_vars if name in RESULTS or name not in first or "term" in cube[name].attrs]
    stacked = {
        name: xr.concat([cube[name] for cube in cubes], dim=index, coords="minimal", compat="override").assign_attrs(first[name].attrs)
        for name in dict.fromkeys(results)
        if all(name in cube for cube in cubes)
    }
    return first.drop_vars(list(stacked)).assign(stacked).assign_attrs(assumptions="; ".join(labels))
