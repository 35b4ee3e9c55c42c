"""Two layouts of hardware: the product of platforms, modes and precisions, or one dim of what is offered.

Each platform of today brings modes of its own names: of the product of 77 platforms, 27 modes and 13 precisions less
than 1 % exists. Along the one dim `offer` there is a label for each platform, mode and precision that exists, and
`platform`, `mode`, `precision` are its coordinates: what users ask for stays, and the space grows with what is offered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, MemoryLimitError, check_kind
from roofcube.labels import axis, dims_in_order, in_order, labelled
from roofcube.model.made import is_made
from roofcube.options import fits_memory
from roofcube.vocabulary import (
    FORMATS,
    HARDWARE_DIMS,
    HARDWARE_FACTS,
    INFEASIBLE,
    MEASURED_ACCURACIES,
    MEASURED_POWER,
    MEASURED_SPEED,
    MODES,
    OFFER,
    PRECISIONS,
    VARIABLES,
    attributes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["as_offered", "as_product", "at_offers", "is_offered", "product_bytes"]

MODE_RANK = "mode_rank"
# what a cell has that nothing is offered for, by variable; else NaN, "" or 0
EMPTY = {"bound": -1}
# inputs that hold for several offers are told once in the product: along which dims they may be so, in order; a mode or
# a precision that only one platform has tells nothing of the others
OF_HARDWARE = (
    "memory_bandwidth", "memory_capacity", "on_chip_memory", "power", "listed_power", "cores", "weights_shared",
    "channel_tile", "executed_precision", "device_class", "family", "dataflow", "layer_tile_use",
)  # fmt: skip
OF_NETWORKS = (
    "ops", "params", "activations", "activation_memory", "state", "vector_ops", "vector_elements", "top1", "top5",
    "operational_intensity",
)  # fmt: skip
SHARED = dict.fromkeys(OF_HARDWARE, ("precision", "mode")) | dict.fromkeys(
    OF_NETWORKS, ("mode", "platform", "precision")
)


def is_offered(cube: xr.Dataset) -> bool:
    """Check whether a cube has one dim of what is offered."""
    return OFFER in cube.dims and "platform" in cube.coords and cube["platform"].dims == (OFFER,)


def as_offered(cube: xr.Dataset) -> xr.Dataset:
    """Lay the platforms, modes and precisions of a cube out along one dim of those that exist.

    Parameters
    ----------
    cube : Dataset
        Inputs, predictions or a joined cube over some of platform, mode and precision.

    Returns
    -------
    Dataset
        With the dim `offer` in place of those; `platform`, `mode`, `precision`, `device_class`, … are its coordinates,
        and `mode_rank` compares modes across platforms: 1 is the fastest of its platform at that precision. A cell that
        was measured stays, offered or not.

    Raises
    ------
    InvalidDataError
        If the cube has none of the dims.

    Examples
    --------
    >>> import roofcube as rc
    >>> cube = rc.as_offered(rc.predict(rc.inputs("cifar10")))
    >>> cube.sizes["offer"], rc.best(cube, "predicted_throughput", where={"power": (None, 15)}).platform.item()
    (20, 'EdgeTPU')
    """
    check_kind("cube", cube, xr.Dataset, do="make one with `roofcube.inputs` or `roofcube.predict`")
    if is_offered(cube):
        return cube
    dims = [dim for dim in HARDWARE_DIMS if dim in cube.dims]
    if not dims:
        msg = (
            f"`cube`: expected some of the dims {', '.join(HARDWARE_DIMS)}, got {', '.join(map(str, cube.dims))}; it "
            "needs no other layout"
        )
        raise InvalidDataError(msg)
    own = next((name for name in (OFFER, MODE_RANK) if name in cube.variables or name in cube.dims), None)
    if own is not None:
        msg = f"`cube`: expected nothing called {own!r}, which the layout of offers makes, got one; rename it"
        raise InvalidDataError(msg)
    exists = _exists(cube, dims)
    places = dict(zip(dims, np.nonzero(exists), strict=True))
    names = [str(name) for name, one in cube.variables.items() if set(one.dims) & set(dims) and name not in dims]
    taken = {name: _at_offers(cube.variables[name], places) for name in names if name != "mode_offered"}
    labels = {dim: labelled(OFFER, cube[dim].values[at], cube[dim].attrs) for dim, at in places.items()}
    coords = {name: taken.pop(name) for name in names if name in cube.coords and name in taken}
    offer = axis(OFFER, _texts([labels[dim].values.tolist() for dim in dims]))
    offer.attrs["long_name"] = "platform, mode and precision that is offered"
    whole = cube.drop_dims(dims).assign(taken).assign_coords({**coords, **labels, OFFER: offer})
    if "peak_compute" in whole and whole["peak_compute"].dims == (OFFER,):
        whole = whole.assign_coords({MODE_RANK: _ranks(whole)})
    return whole.assign_attrs(cube.attrs)


def _texts(labels: Sequence[Sequence[str]]) -> np.ndarray[Any, Any]:
    """Name each offer by its labels; that of a platform with one mode goes without saying where it stays distinct."""
    whole = [" ".join(map(str, one)) for one in zip(*labels, strict=True)]
    short = [" ".join(str(part) for part in one if part != "default") for one in zip(*labels, strict=True)]
    return np.array(short if len(set(short)) == len(short) else whole, dtype=str)


def _exists(cube: xr.Dataset, dims: Sequence[str]) -> np.ndarray[Any, Any]:
    """Tell which cells of the hardware dims have a peak, or anything measured or known."""
    sizes = tuple(cube.sizes[dim] for dim in dims)
    telling = [name for name, one in cube.data_vars.items() if _is_figure(str(name), one)]
    names = [name for name in telling if name == "n_rows" or set(dims) <= set(cube[name].dims)]
    if "peak_compute" in cube:
        measured = {"n_rows", *MEASURED_SPEED, *MEASURED_POWER, *MEASURED_ACCURACIES}
        names = ["peak_compute", *(name for name in names if name in measured)]
    exists = np.zeros(sizes, dtype=bool)
    for name in names:
        known = _where_known(cube[name], dims)
        exists |= known & _modes_offered(cube, dims) if name == "peak_compute" else known
    if not names:
        return np.ones(sizes, dtype=bool)
    if "peak_compute" not in cube:  # of what only part of the dims tells, no label is lost
        for name in [name for name in telling if name not in (*names, *HARDWARE_FACTS)]:
            over = tuple(place for place, dim in enumerate(dims) if dim not in cube[name].dims)
            if len(over) < len(dims):
                exists |= _where_known(cube[name], dims) & ~exists.any(over, keepdims=True)
    return exists


def _is_figure(name: str, array: xr.DataArray) -> bool:
    """Check whether a cell of a variable says that there is something: a number, or a count of the user's own."""
    own = array.dtype.kind in "iu" and name not in VARIABLES and not {"flag_values", "flag_masks"} & set(array.attrs)
    return array.dtype.kind == "f" or own or name == "n_rows"


def _where_known(array: xr.DataArray, dims: Sequence[str]) -> np.ndarray[Any, Any]:
    """Tell along hardware dims, of length 1 where it lacks one, where a variable has a value; 0 counts nothing."""
    filled = array != 0 if array.dtype.kind in "iu" else array.notnull()
    own = [dim for dim in dims if dim in array.dims]
    known: np.ndarray[Any, Any] = filled.any([dim for dim in array.dims if dim not in dims]).transpose(*own).values
    return known.reshape([array.sizes[dim] if dim in own else 1 for dim in dims])


def _modes_offered(cube: xr.Dataset, dims: Sequence[str]) -> np.ndarray[Any, Any]:
    """Tell along the hardware dims which modes a platform has; all where the cube does not say."""
    offered = cube.get("mode_offered")
    if offered is None or not set(offered.dims) <= set(dims):
        return np.ones([1] * len(dims), dtype=bool)
    own = [dim for dim in dims if dim in offered.dims]
    values: np.ndarray[Any, Any] = offered.transpose(*own).values > 0
    return values.reshape([cube.sizes[dim] if dim in own else 1 for dim in dims])


def _at_offers(variable: xr.Variable, places: dict[str, np.ndarray[Any, Any]]) -> xr.Variable:
    """Read a variable at each offer; the dim comes first."""
    own = [dim for dim in places if dim in variable.dims]
    rest = [dim for dim in variable.dims if dim not in own]
    data = variable.transpose(*own, *rest).data
    flat: Any = 0
    for dim in own:
        flat = flat * variable.sizes[dim] + places[dim]
    cells = int(np.prod([variable.sizes[dim] for dim in own]))
    return labelled((OFFER, *rest), data.reshape(cells, *data.shape[len(own) :])[flat], variable.attrs)


def _ranks(cube: xr.Dataset) -> xr.Variable:
    """Rank the modes of a platform at a precision by peak; 1 is the fastest, equals share a rank."""
    peak, ranks = cube["peak_compute"].values, np.ones(cube.sizes[OFFER], dtype="i4")
    labels = [cube[dim].values if dim in cube.coords else "" for dim in ("platform", "precision")]
    each = (np.broadcast_to(one, peak.shape) for one in labels)
    keys = np.array([f"{platform}\0{precision}" for platform, precision in zip(*each, strict=True)])
    for key in np.unique(keys):
        here = np.flatnonzero(keys == key)
        ranks[here] = 1 + (peak[here][None, :] > peak[here][:, None]).sum(axis=1)
    told = {"units": "1", "long_name": "rank of the mode among those of its platform at that precision; 1: fastest"}
    return labelled(OFFER, ranks, told)


def as_product(cube: xr.Dataset) -> xr.Dataset:
    """Lay a cube of offers out over platform, mode and precision again; what is not offered is empty and says why.

    Parameters
    ----------
    cube : Dataset
        With the dim `offer`, as `as_offered` and ``inputs(layout="offered")`` give it; any other is returned as it is.

    Returns
    -------
    Dataset

    Raises
    ------
    InvalidDataError
        If two offers are one platform, mode and precision.
    MemoryLimitError
        If the product would be larger than the memory limit.

    Examples
    --------
    >>> import roofcube as rc
    >>> cube = rc.predict(rc.inputs("cifar10", layout="offered"))
    >>> dict(rc.as_product(cube).sizes)["mode"]
    6
    """
    check_kind("cube", cube, xr.Dataset, do="make one with `roofcube.inputs` or `roofcube.predict`")
    if not is_offered(cube):
        return cube
    dims = [dim for dim in HARDWARE_DIMS if dim in cube.coords and cube[dim].dims == (OFFER,)]
    order = {"mode": MODES, "precision": (*PRECISIONS, *FORMATS)}
    axes = {dim: in_order(cube[dim].values.tolist(), order.get(dim, ())) for dim in dims}
    size = product_bytes(cube)
    if not fits_memory(size):
        msg = (
            f"the product of {', '.join(f'{len(axes[dim])} {dim}s' for dim in dims)} takes {size / 1e9:.3g} GB, more "
            "than the memory limit; select platforms or networks first, or ask the cube as it is"
        )
        raise MemoryLimitError(msg)
    _check_told_apart(cube, dims)
    at = tuple(np.array([axes[dim].index(one) for one in cube[dim].values.tolist()], dtype=np.intp) for dim in dims)
    names = [str(name) for name, one in cube.variables.items() if OFFER in one.dims and name not in (*dims, OFFER)]
    laid = {name: _laid(name, cube.variables[name], dims, axes, at) for name in names if name != MODE_RANK}
    if "platform" in dims and "mode" in dims and ("peak_compute" in laid or "infeasible" in laid):
        offered = np.zeros([len(axes["platform"]), len(axes["mode"])], dtype="i1")
        offered[at[dims.index("platform")], at[dims.index("mode")]] = 1
        laid["mode_offered"] = labelled(("platform", "mode"), offered, attributes("mode_offered"))
        if "infeasible" in laid:
            laid["infeasible"] = _with_reasons(laid["infeasible"], dims, at, offered)
    laid = {name: one.transpose(*dims_in_order(one.dims)) for name, one in laid.items()}
    coords = {name: laid.pop(name) for name in names if name in cube.coords and name in laid}
    indexes = {dim: axis(dim, labels) for dim, labels in axes.items()}
    for dim, index in indexes.items():
        index.attrs.update(cube[dim].attrs)
    return cube.drop_dims(OFFER).assign_coords({**indexes, **coords}).assign(laid).assign_attrs(cube.attrs)


def _check_told_apart(cube: xr.Dataset, dims: Sequence[str]) -> None:
    """Raise where two offers are one platform, mode and precision: the product has one cell for them."""
    first: dict[tuple[Any, ...], Any] = {}
    for offer, *labels in zip(cube[OFFER].values.tolist(), *(cube[dim].values.tolist() for dim in dims), strict=True):
        if tuple(labels) in first:
            both = f"{first[tuple(labels)]!r} and {offer!r}"
            msg = (
                f"`cube`: expected one offer of each {', '.join(dims)}, got {both} of {' '.join(map(str, labels))}; "
                "select one of them, or give one a mode of its own"
            )
            raise InvalidDataError(msg)
        first[tuple(labels)] = offer


def at_offers(product: xr.Dataset, cube: xr.Dataset) -> xr.Dataset:
    """Read what stands over platform, mode and precision at each offer of a cube."""
    places = {
        dim: np.array([product[dim].values.tolist().index(one) for one in cube[dim].values.tolist()], dtype=np.intp)
        for dim in HARDWARE_DIMS
        if dim in product.dims
    }
    taken = {
        name: _at_offers(one, places) if set(places) & set(one.dims) else one
        for name, one in product.variables.items()
        if name not in product.coords
    }
    return xr.Dataset(
        taken, coords={OFFER: cube[OFFER], **{dim: product[dim] for dim in product.dims if dim not in places}}
    )


def product_bytes(cube: xr.Dataset) -> int:
    """Return how much the product of a cube of offers would take at most."""
    dims = [dim for dim in HARDWARE_DIMS if dim in cube.coords and cube[dim].dims == (OFFER,)]
    times = float(np.prod([len(np.unique(cube[dim].values)) for dim in dims])) / max(1, cube.sizes[OFFER])
    return int(sum(one.nbytes * (times if OFFER in one.dims else 1) for one in cube.variables.values()))


def _laid(
    name: str,
    variable: xr.Variable,
    dims: Sequence[str],
    axes: dict[str, list[str]],
    at: tuple[np.ndarray[Any, Any], ...],
) -> xr.Variable:
    data = np.asarray(variable.transpose(OFFER, ...).values)
    own = name not in (*VARIABLES, *HARDWARE_FACTS)
    if own and data.dtype.kind in "biu" and len(data) < np.prod([len(axes[dim]) for dim in dims]):
        data = data.astype("f8")  # the user's own, of which 0 says something
    rest = [dim for dim in variable.dims if dim != OFFER]
    empty: Any = {"f": np.nan, "U": "", "O": "", "M": np.datetime64("NaT", "s"), "m": np.timedelta64("NaT", "s")}.get(
        data.dtype.kind, EMPTY.get(name, 0)
    )
    whole = np.full((*(len(axes[dim]) for dim in dims), *data.shape[1:]), empty, dtype=data.dtype)
    whole[at] = data
    kept = tuple(dims)
    if name in SHARED and not (name == "power" and is_made(name, variable)):
        exists = np.zeros(whole.shape[: len(dims)], dtype=bool)
        exists[at] = True
        whole, kept = _without_equal_axes(whole, exists, kept, SHARED[name])
    return labelled((*kept, *rest), whole, variable.attrs)


def _without_equal_axes(
    whole: np.ndarray[Any, Any], exists: np.ndarray[Any, Any], dims: tuple[str, ...], shared: Sequence[str]
) -> tuple[np.ndarray[Any, Any], tuple[str, ...]]:
    """Drop those of some dims along which a variable is the same wherever it exists."""
    for dim in shared:
        if dim not in dims or len(dims) == 1 or not exists.size:
            continue
        place = dims.index(dim)
        first = np.expand_dims(np.argmax(exists, axis=place), place)
        index = first.reshape(*first.shape, *([1] * (whole.ndim - exists.ndim)))
        one = np.take_along_axis(whole, index, axis=place)
        same = (whole == one) | ((whole != whole) & (one != one))
        if (same | ~exists.reshape(*exists.shape, *([1] * (whole.ndim - exists.ndim)))).all():
            whole, exists = one.squeeze(place), np.asarray(exists.any(axis=place))
            dims = (*dims[:place], *dims[place + 1 :])
    return whole, dims


def _with_reasons(
    codes: xr.Variable, dims: Sequence[str], at: tuple[np.ndarray[Any, Any], ...], offered: np.ndarray[Any, Any]
) -> xr.Variable:
    """Say of what is not offered whether the mode is not, or the precision."""
    exists = np.zeros([codes.sizes[dim] for dim in dims], dtype=bool)
    exists[at] = True
    modes = offered.reshape(
        [offered.shape[("platform", "mode").index(dim)] if dim != "precision" else 1 for dim in dims]
    )
    why = np.where(modes > 0, INFEASIBLE["precision_not_supported"], INFEASIBLE["mode_not_offered"])
    why = np.broadcast_to(why, exists.shape).astype(codes.dtype)
    rest = (1,) * (codes.ndim - len(dims))
    values = np.where(exists.reshape(*exists.shape, *rest), codes.values, why.reshape(*why.shape, *rest))
    return labelled(codes.dims, values, codes.attrs)
