"""Real and hypothetical platforms in one space, each variable over just the dims that any of them needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, MissingInputError
from roofcube.labels import axis, in_order, labelled
from roofcube.vocabulary import MODES, PRECISIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["beside"]

# what a design has that says nothing of it: memory on the chip of no known size, one core, channels of any number
DEFAULTS = {"on_chip_memory": np.nan, "cores": 1.0, "weights_shared": 1, "channel_tile": 1.0}
EMPTY = {"mode_offered": 0, "executed_precision": ""}


def beside(real: xr.Dataset | None, designs: Sequence[xr.Dataset], precisions: Sequence[str] | None) -> xr.Dataset:
    """Put designs after real platforms along `platform`.

    Parameters
    ----------
    real : Dataset or None
        Hardware over (platform, mode, precision).
    designs : sequence of Dataset
        As `roofcube.hypothetical` gives them; offered in the mode `default`, at every precision where they do not say.
    precisions : sequence of str or None
        Asked for, beyond those of the real platforms.

    Raises
    ------
    InvalidDataError
        If two platforms have one name, or two designs different labels along a dim of one name.
    MissingInputError
        If a design has no peak.

    Examples
    --------
    >>> import roofcube as rc
    >>> from roofcube.model.beside import beside
    >>> two = [rc.hypothetical(name=one, peak_compute=1e12, memory_bandwidth=1e10) for one in "ab"]
    >>> beside(None, two, ["FP8"]).peak_compute.dims
    ('platform', 'mode', 'precision')
    """
    _check_names(real, designs)
    scaled = any(one.attrs.get("peak_scaling") == "bits" for one in designs)
    offered = [] if real is None else real["precision"].values.tolist()
    for one in designs:
        if "precision" in one.dims and one.attrs.get("peak_scaling") != "bits":
            offered += one["precision"].values.tolist()
    usual = PRECISIONS if scaled or not offered else ()
    labels = in_order([*offered, *(usual if precisions is None else precisions)], PRECISIONS)
    parts = [*([] if real is None else [real]), *(_whole_design(one, labels) for one in designs)]
    modes = in_order([label for part in parts for label in part["mode"].values.tolist()], MODES)
    space = {"mode": modes, "precision": labels}
    parts = [part.reindex(space, fill_value={**EMPTY}) for part in parts]
    names = dict.fromkeys(str(name) for part in parts for name in part.data_vars)
    coords = [name for name in ("device_class", "family", "dataflow") if any(name in part.coords for part in parts)]
    joined = {name: _joined_hardware(name, parts) for name in (*names, *coords)}
    platforms = [label for part in parts for label in part["platform"].values.tolist()]
    own = {str(dim): part[dim] for part in parts for dim in part.dims if dim in part.coords and dim not in space}
    axes = {"platform": axis("platform", platforms), **{dim: axis(dim, at) for dim, at in space.items()}}
    return xr.Dataset(
        {name: joined[name] for name in names},
        coords={**own, **axes, **{name: joined[name] for name in coords}},
    )


def _check_names(real: xr.Dataset | None, designs: Sequence[xr.Dataset]) -> None:
    places = {} if real is None else dict.fromkeys(real["platform"].values.tolist(), "a table or name")
    for number, one in enumerate(designs, start=1):
        if "platform" not in one.coords or "peak_compute" not in one:
            msg = (
                f"`platforms`: Dataset {number} lacks `platform` or `peak_compute`; make it with roofcube.hypothetical"
            )
            raise MissingInputError(msg)
        for label in np.atleast_1d(one["platform"].values).tolist():
            if label in places:
                msg = (
                    f"`platforms`: {label!r} comes twice, from {places[label]} and from Dataset {number}; give "
                    "hypothetical(name=...) another name"
                )
                raise InvalidDataError(msg)
            places[label] = f"Dataset {number}"


def _whole_design(design: xr.Dataset, precisions: list[str]) -> xr.Dataset:
    """Return a design the dims and variables of real hardware."""
    design = design.drop_attrs(deep=False)
    if "platform" not in design.dims:
        design = design.expand_dims("platform")
    if "mode" not in design.dims:
        design = design.assign_coords(mode=["default"])
    if "precision" not in design.dims:
        design = design.assign_coords(precision=precisions)
    sizes, given = dict(design.sizes), design["peak_compute"]
    for dim in ("precision", "mode", "platform"):
        if dim not in given.dims:
            given = given.expand_dims({dim: design[dim].values})
    rest = [dim for dim in given.dims if dim not in ("platform", "mode", "precision")]
    more: dict[str, Any] = {"peak_compute": given.transpose("platform", "mode", "precision", *rest)}
    for name in ("memory_bandwidth", "memory_capacity", "on_chip_memory", "power"):
        if name in design and "platform" not in design[name].dims:
            more[name] = design[name].expand_dims(platform=design["platform"].values)
    if "mode_offered" not in design:
        more["mode_offered"] = labelled(("platform", "mode"), np.ones((sizes["platform"], sizes["mode"]), dtype="i1"))
    if "executed_precision" not in design:
        runs = np.broadcast_to(design["precision"].values.astype(str), (sizes["platform"], sizes["precision"]))
        more["executed_precision"] = labelled(("platform", "precision"), runs.copy())
    for name, value in DEFAULTS.items():
        if name not in design:
            more[name] = labelled("platform", np.full(sizes["platform"], value))
    coords = {} if "family" in design.coords else {"family": ("platform", design["platform"].values.astype(str))}
    if "dataflow" not in design.coords:
        coords["dataflow"] = ("platform", np.zeros(sizes["platform"], dtype="i1"))
    return design.assign(more).assign_coords(coords)


def _nothing(name: str, parts: Sequence[xr.Dataset], size: int) -> np.ndarray[Any, Any]:
    """Return what stands for a variable where a platform lacks it, of the kind that the others have."""
    kind = next(part[name].dtype for part in parts if name in part)
    if kind.kind in "mM":
        return np.full(size, "NaT", dtype=kind)
    return np.full(size, "" if kind.kind in "UT" else None if kind.kind == "O" else np.nan)


def _joined_hardware(name: str, parts: Sequence[xr.Dataset]) -> xr.Variable:
    """Join one variable along `platform`; what a platform lacks is missing."""
    arrays = []
    for part in parts:
        if name in part:
            array = part[name].reset_coords(drop=True)
        else:
            array = xr.DataArray(_nothing(name, parts, part.sizes["platform"]), dims="platform")
        arrays.append(array if "platform" in array.dims else array.expand_dims(platform=part["platform"].values))
    try:
        same = xr.align(*arrays, join="exact", exclude={"platform"})
    except ValueError:
        msg = (
            f"`{name}`: two of the Datasets in `platforms` have a dim of one name with different labels; give the same"
        )
        raise InvalidDataError(msg) from None
    wide = xr.broadcast(*(one.drop_vars("platform", errors="ignore") for one in same), exclude={"platform"})
    first = [dim for dim in ("platform", "mode", "precision") if any(dim in one.dims for one in wide)]
    rest = [dim for one in wide for dim in one.dims if dim not in first]
    dims = list(dict.fromkeys([*first, *rest]))
    values = np.concatenate([one.transpose(*dims).values for one in wide])
    attrs = {key: value for one in reversed(arrays) for key, value in one.attrs.items()}
    return labelled(tuple(map(str, dims)), values, attrs)
