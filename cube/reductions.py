"""best and efficiency: reductions of a stored cube to its labelled winners and ratios."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from roofcube.errors import MissingInputError, check_choice
from roofcube.limits import limit_mask, objective_senses, per_dims, select_labels, split_where
from roofcube.model.graph import dim_order
from roofcube.variables import attributes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roofcube.limits import Where

__all__ = ["best", "efficiency"]


def best(
    cube: xr.Dataset,
    objective: str,
    *,
    per: str | Sequence[str] | None = None,
    where: Where | None = None,
    sense: Literal["max", "min"] | None = None,
) -> xr.Dataset:
    """Find the labelled winner, or one for each label of some dims.

    Parameters
    ----------
    cube : Dataset
    objective : str
        Variable to make as good as possible.
    per : dim or dims, optional
        Dims to keep: a winner for each of their labels.
    where : mapping, optional
        Limits and labels, as in `pareto`.
    sense : {"max", "min"}, optional
        Overrides the table of variables.

    Returns
    -------
    Dataset
        Over `per`: the winner's labels as coords, all its variables, and `found`. Where nothing qualifies, values are
        NaN, labels empty, and `found` is False. The first in dim order wins a tie.

    Raises
    ------
    UnknownLabelError
        If a variable, dim or label is not in the cube.

    Examples
    --------
    >>> import roofcube as rc
    >>> winner = rc.best(rc.benchmark("cifar10"), "measured_throughput", where={"measured_top1": (85, None)})
    >>> winner.platform.item(), winner.precision.item(), round(float(winner.measured_throughput))
    ('TX2', 'FP16', 7707)
    """
    way = objective_senses(cube, {objective: sense})[objective]
    labels, limits = split_where(cube, where)
    chosen = select_labels(cube, labels)
    kept = per_dims(chosen, per)
    score = chosen[objective].astype("f8") * (1.0 if way == "max" else -1.0)
    for name, bounds in limits.items():
        score = score.where(limit_mask(chosen[name], bounds))
    for dim in kept:
        if dim not in score.dims:
            score = score.expand_dims({dim: chosen[dim]})
    order = [dim for dim in dim_order(chosen) if dim in score.dims]
    reduced = [dim for dim in order if dim not in kept]
    score = score.transpose(*kept, *reduced)
    flat = score.values.reshape(*(score.sizes[dim] for dim in kept), -1)
    found, place = _first_best(flat)
    winners = _pick(chosen, kept, reduced, [score.sizes[dim] for dim in reduced], place)
    moved = {str(name) for name, array in chosen.coords.items() if set(array.dims) & set(reduced)}
    return _blanked(winners, xr.DataArray(found, dims=kept), moved).assign_attrs(
        {**cube.attrs, "objective": f"{objective}:{way}"}
    )


def _first_best(scores: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Find the first best of the last axis; NaN never wins."""
    if not scores.shape[-1]:
        return np.zeros(scores.shape[:-1], dtype=bool), np.zeros(scores.shape[:-1], dtype=np.intp)
    known = ~np.isnan(scores)
    # -inf is an ordinary score, so the best known value is found first and then its first place
    highest = np.where(known, scores, -np.inf).max(axis=-1, keepdims=True)
    return known.any(axis=-1), np.argmax(known & (scores == highest), axis=-1)


def _pick(
    cube: xr.Dataset, kept: tuple[str, ...], reduced: list[str], sizes: list[int], place: np.ndarray[Any, Any]
) -> xr.Dataset:
    if not all(sizes):
        return cube.isel({dim: slice(0, 0) for dim, size in zip(reduced, sizes, strict=True) if not size})
    places = np.unravel_index(place, sizes) if sizes else ()
    return cube.isel({dim: xr.DataArray(index, dims=kept) for dim, index in zip(reduced, places, strict=True)})


def _blanked(winners: xr.Dataset, found: xr.DataArray, moved: set[str]) -> xr.Dataset:
    """Empty the values and labels where nothing was found."""
    found = found.assign_attrs(long_name="whether anything qualified")
    if bool(found.all()):
        return winners.assign(found=found)
    if found.ndim == 0 and any(size == 0 for size in winners.sizes.values()):
        empty = [dim for dim, size in winners.sizes.items() if size == 0]
        winners = winners.reindex(
            {dim: np.array([""], dtype=str) if winners[dim].dtype.kind == "U" else [np.nan] for dim in empty}
        ).isel(dict.fromkeys(empty, 0))
    blank = {name: _empty_where(array, ~found) for name, array in winners.data_vars.items()}
    coords = {name: _empty_where(array, ~found) for name, array in winners.coords.items() if name in moved}
    return winners.assign(blank).assign_coords(coords).assign(found=found)


def _empty_where(array: xr.DataArray, missing: xr.DataArray) -> xr.DataArray:
    if array.dtype.kind in "iub":
        array = array.astype("f8")
    if array.dtype.kind == "U":
        return array.where(~missing, "").astype(str).assign_attrs(array.attrs)
    return array.where(~missing) if array.dtype.kind == "f" else array


def efficiency(
    cube: xr.Dataset, *, at: Literal["best", "batch"] = "best", scope: Literal["compute", "system"] = "compute"
) -> xr.Dataset:
    """Compare measured with predicted throughput, per configuration.

    Parameters
    ----------
    cube : Dataset
        From `benchmark` or `join`.
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
    for name in (source, "predicted_throughput"):
        if name not in cube:
            msg = (
                f"`{name}`: the efficiency needs this variable and the cube lacks it; use benchmark(task) or "
                "join(predict(...), rows)"
            )
            raise MissingInputError(msg)
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
