"""Measured against predicted throughput, per configuration; what was timed but not counted is batch by latency."""

from __future__ import annotations

import warnings
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, MissingInputError, check_choice, check_kind
from roofcube.labels import holds_findings, in_numpy, labelled, whole_flags
from roofcube.model.hardware import check_units
from roofcube.options import check_fits
from roofcube.vocabulary import IMPOSSIBLE, OFFER, VARIABLES, attributes

if TYPE_CHECKING:
    from roofcube.sweep.sweep import Sweep

__all__ = ["DERIVED", "efficiency", "throughput_of", "timed_gaps", "with_timed_throughput"]

SCOPES = {"compute": "measured_throughput", "system": "measured_system_throughput"}
LATENCIES = {"measured_throughput": "measured_latency", "measured_system_throughput": "measured_system_latency"}
DERIVED = "batch / measured latency on platforms without a measured throughput"


def with_timed_throughput(cube: xr.Dataset) -> tuple[xr.Dataset, int]:
    """Fill the measured throughput of what was timed only with batch / latency; also return of how many cells.

    Examples
    --------
    >>> import roofcube as rc
    >>> from roofcube.measured.efficiency import with_timed_throughput
    >>> cube = rc.benchmark("cifar10")
    >>> with_timed_throughput(cube.assign(measured_throughput=cube.measured_throughput * float("nan")))[1] > 0
    True
    """
    speed, derived = throughput_of(cube)
    return (cube.assign(measured_throughput=speed), derived) if derived else (cube, 0)


def timed_gaps(cube: xr.Dataset) -> int:
    """Count the cells that were timed and have no throughput, as others of their platform were counted.

    Examples
    --------
    >>> import roofcube as rc
    >>> from roofcube.measured.efficiency import timed_gaps
    >>> timed_gaps(rc.benchmark("imagenet"))
    5
    """
    speed, seconds = cube.get("measured_throughput"), cube.get("measured_latency")
    return 0 if speed is None or seconds is None else int((speed.isnull() & seconds.notnull()).sum())


def throughput_of(cube: xr.Dataset, name: str = "measured_throughput") -> tuple[xr.Variable | None, int]:
    """Return a measured throughput, and how many of its cells are batch / latency.

    Those of platforms that were timed but never counted; where some batches were counted, a gap stays a gap.

    Raises
    ------
    InvalidDataError
        If a cell is batch / latency, and the cube says another unit than ours of it.

    Examples
    --------
    >>> import roofcube as rc
    >>> cube = rc.benchmark("cifar10").drop_vars("measured_throughput")
    >>> from roofcube.measured.efficiency import throughput_of
    >>> throughput, derived = throughput_of(cube)
    >>> derived == int(cube.measured_latency.notnull().sum())
    True
    """
    given = _in_numbers(name, cube.variables[name]) if name in cube.variables else None
    if LATENCIES[name] not in cube or "batch" not in cube.coords or cube["batch"].dtype.kind not in "iuf":
        return given, 0
    timed, batch = _in_numbers(LATENCIES[name], cube.variables[LATENCIES[name]]), cube.variables["batch"]
    if (given is not None and set(given.dims) != set(timed.dims)) or not set(batch.dims) <= set(timed.dims):
        return given, 0
    # in NumPy: whatever xarray computes asks whether it is dask's, and imports it
    inputs = np.reshape(batch.values, [timed.sizes[dim] if dim in batch.dims else 1 for dim in timed.dims])
    seconds = timed.values
    with np.errstate(divide="ignore", invalid="ignore"):
        paced = np.where(seconds > 0, inputs / seconds, np.nan)
    known = np.full(paced.shape, np.nan) if given is None else given.transpose(*timed.dims).values
    others = tuple(k for k, dim in enumerate(timed.dims) if dim != "platform")
    timed_only = np.isnan(known).all(axis=others, keepdims=True)
    if OFFER in timed.dims and "platform" in cube.coords and cube["platform"].dims == (OFFER,):
        timed_only = _never_counted(known, timed.dims.index(OFFER), cube["platform"].values)
    derived = int((timed_only & ~np.isnan(paced)).sum())
    if given is not None and not derived:
        return given, 0
    check_units(cube[[one for one in (name, LATENCIES[name]) if one in cube]])
    filled = labelled(
        timed.dims, np.where(timed_only, paced, known), attributes(name) if given is None else given.attrs
    )
    return filled if given is None else filled.transpose(*given.dims), derived


def _in_numbers(name: str, figure: xr.Variable) -> xr.Variable:
    """Return a figure in numbers: also objects that are numbers or None, as pandas gives them."""
    if figure.dtype.kind in "iuf" and isinstance(figure.dtype, np.dtype):
        return figure
    figure = in_numpy(figure)
    if figure.dtype.kind == "O" and all(map(_is_number_or_none, figure.values.flat)):
        return figure._replace(data=figure.values.astype("f8"))
    if figure.dtype.kind not in "iuf":
        kinds = {type(one).__name__ for one in figure.values.flat if not _is_number_or_none(one)}
        told = f" with {', '.join(sorted(kinds))} in it" if figure.dtype.kind == "O" else ""
        msg = (
            f"`{name}`: expected numbers, got {figure.dtype}{told}; convert it to numbers in "
            f"{VARIABLES[name].units}, or leave it out"
        )
        raise InvalidDataError(msg)
    return figure


def _is_number_or_none(value: Any) -> bool:
    if value is None or isinstance(value, bool | np.timedelta64):  # which are whole numbers too
        return value is None
    if not isinstance(value, int | float | np.integer | np.floating):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _never_counted(known: np.ndarray[Any, Any], place: int, platforms: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Tell along a dim of offers those whose platform has no value at any of its offers."""
    others = tuple(k for k in range(known.ndim) if k != place)
    silent = np.isnan(known).all(axis=others)
    spoken = set(platforms[~silent].tolist())
    mask = np.array([one not in spoken for one in platforms.tolist()], dtype=bool)
    return np.asarray(mask.reshape([-1 if k == place else 1 for k in range(known.ndim)]))


def efficiency(
    cube: xr.Dataset | Sweep,
    *,
    at: Literal["best", "batch"] = "best",
    scope: Literal["compute", "system"] = "compute",
    trust: Literal["possible", "all"] = "possible",
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
    trust : {"possible", "all"}
        Leave out what the physics gate finds impossible (`quality`) and count it in the attr `removed_by_trust`, or
        keep it.

    Returns
    -------
    Dataset
        Over (platform, mode, topology, pruning, precision), with `batch` for ``at="batch"`` and dims of the cube's
        own, such as `assumptions`: `predicted_throughput`,
        `measured_throughput`, `peak_throughput` [1/s], `efficiency` (measured ÷ predicted, 1 = 100 %), for
        ``at="best"`` also `best_batch`, where batches have labels. NaN where nothing was measured. On platforms that
        were timed but never counted, throughput is batch / latency; the attr `derived_throughput` counts those cells,
        if any.

    Raises
    ------
    MissingInputError
        If the cube lacks measured or predicted throughput.
    MemoryLimitError
        If what is compared does not fit with the ratios.

    Examples
    --------
    >>> import roofcube as rc
    >>> ratios = rc.efficiency(rc.benchmark("cifar10"))
    >>> tx2 = ratios.efficiency.sel(platform="TX2", mode="maxn", precision="FP32", topology="CNV", pruning=100)
    >>> round(float(tx2), 3)
    0.866

    At equal batch, of the whole system, with what the physics gate finds impossible:

    >>> whole = rc.efficiency(rc.benchmark("cifar10"), at="batch", scope="system", trust="all")
    >>> "batch" in whole.efficiency.dims
    True
    """
    check_choice("at", at, ("best", "batch"))
    check_choice("scope", scope, ("compute", "system"))
    check_choice("trust", trust, ("possible", "all"))
    source = SCOPES[scope]
    if not isinstance(cube, xr.Dataset):
        do = "make one with `roofcube.join` or `roofcube.benchmark`"
        check_kind("cube", cube, xr.Dataset if not hasattr(cube, "compute") else object, do=do)
        cube = cube.compute()
    if source not in cube and LATENCIES[source] not in cube:
        raise _missing(source)
    if "predicted_throughput" not in cube:
        raise _missing("predicted_throughput")
    given = cube
    needed = (source, LATENCIES[source], "predicted_throughput", "peak_throughput", "quality")
    cube = cube[[name for name in needed if name in cube]]
    check_units(cube)
    _check_size(cube, source, at)
    cube = cube.compute()
    cube = cube.assign({name: _in_numbers(name, cube.variables[name]) for name in needed[:-1] if name in cube})
    throughput, derived = throughput_of(cube, source)
    if throughput is None:
        raise _missing(source)
    if np.isnan(throughput.values).all():
        _warn_of_scope(given, next(one for one in SCOPES if one != scope))
    coords = {name: one for name, one in cube.coords.items() if set(one.dims) <= set(throughput.dims)}
    measured, predicted = xr.DataArray(throughput, coords), cube["predicted_throughput"]
    told = {"derived_throughput": derived} if derived else {}
    quality = cube["quality"] if trust == "possible" and "quality" in cube else None
    if quality is not None and holds_findings(quality.variable):
        impossible = (whole_flags(quality) & IMPOSSIBLE) != 0
        told["removed_by_trust"] = int((impossible & measured.notnull()).sum())
        measured = measured.where(~impossible).transpose(*measured.dims, ...).assign_attrs(measured.attrs)
    parts = {"measured_throughput": measured, "predicted_throughput": predicted}
    if "peak_throughput" in cube:
        parts["peak_throughput"] = cube["peak_throughput"]
    if at == "best" and "batch" in measured.dims:
        if not measured.sizes["batch"]:  # of no batch nothing is the best
            parts = {name: one.pad(batch=(0, 1)) if "batch" in one.dims else one for name, one in parts.items()}
            measured = parts["measured_throughput"]
        highest = measured.max("batch")
        first = (measured == highest).argmax("batch")
        parts["measured_throughput"] = highest
        if "batch" in measured.coords:
            parts["best_batch"] = (
                measured["batch"]
                .isel(batch=first)
                .where(highest.notnull())
                .drop_vars("batch")
                .assign_attrs(units="1", long_name="batch of the best measured throughput")
            )
        for name in ("predicted_throughput", "peak_throughput"):
            if name in parts and "batch" in parts[name].dims:
                parts[name] = parts[name].max("batch")
    ratio = parts["measured_throughput"] / parts["predicted_throughput"]
    parts["efficiency"] = ratio
    known = ratio.notnull()
    shaped = {
        name: (array if name in ("best_batch",) else array.where(known)).assign_attrs(array.attrs or attributes(name))
        for name, array in parts.items()
    }
    shaped["efficiency"].attrs = attributes("efficiency")
    shaped["measured_throughput"].attrs = measured.attrs
    return xr.Dataset(shaped, attrs={**cube.attrs, "at": at, "scope": scope, **told}).transpose(
        *measured.dims, ..., missing_dims="ignore"
    )


def _warn_of_scope(cube: xr.Dataset, other: str) -> None:
    """Warn that nothing was measured in the scope that was asked for, where something was in the other."""
    names = (SCOPES[other], LATENCIES[SCOPES[other]])
    if any(name in cube and bool(cube[name].notnull().any()) for name in names):
        msg = f"`scope`: nothing was measured in the one asked for; ask for scope={other!r}, in which something was"
        warnings.warn(msg, UserWarning, stacklevel=3)


def _check_size(cube: xr.Dataset, source: str, at: str) -> None:
    """Raise where what is compared and what is made of it, cell by cell, do not fit into the memory together."""
    compared = [name for name in (source, LATENCIES[source], "predicted_throughput") if name in cube]
    cells = prod({dim: n for name in compared for dim, n in cube[name].sizes.items()}.values())
    made = (len(cube.data_vars) + 1) * max(cube[name].dtype.itemsize for name in compared) if at == "batch" else 0
    if LATENCIES[source] in cube:
        made += 2 * 8  # batch / latency, and a throughput filled with it
    check_fits("efficiency", cube.nbytes + cells * made)


def _missing(name: str) -> MissingInputError:
    return MissingInputError(
        f"`{name}`: the efficiency needs this variable and the cube lacks it; use benchmark(task) or "
        "join(predict(...), rows)"
    )
