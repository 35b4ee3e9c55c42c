"""hypothetical: hardware as axes, for sweeps over designs that do not exist yet; knows xarray and variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, check_choice
from roofcube.variables import ELEMENT_BYTES, PRECISIONS, attributes

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["hypothetical"]

Quantity = float | Any

# variable → the dim that an array of it becomes; a variable never shares its name with a dim
AXES = {
    "peak_compute": "peak",
    "memory_bandwidth": "bandwidth",
    "memory_capacity": "capacity",
    "on_chip_memory": "on_chip",
    "power": "watts",
}


def hypothetical(
    *,
    peak_compute: float | Sequence[float] | xr.DataArray,
    memory_bandwidth: float | Sequence[float] | xr.DataArray,
    memory_capacity: float | Sequence[float] | xr.DataArray | None = None,
    on_chip_memory: float | Sequence[float] | xr.DataArray | None = None,
    power: float | Sequence[float] | xr.DataArray | None = None,
    peak_scaling: Literal["bits"] | None = None,
) -> xr.Dataset:
    """Describe hardware by its parameters: each array becomes a dim of its own, scalars stay scalars.

    Parameters
    ----------
    peak_compute : number or sequence [op/s]
        Dim `peak`.
    memory_bandwidth : number or sequence [B/s]
        Dim `bandwidth`.
    memory_capacity : number or sequence, optional [B]
        Dim `capacity`; without it everything fits.
    on_chip_memory : number or sequence, optional [B]
        Dim `on_chip`.
    power : number or sequence, optional [W]
        Dim `watts`; without it no energy is predicted.
    peak_scaling : {"bits"}, optional
        ``"bits"``: `peak_compute` is the peak at INT8, and halves when the bits double. Default: the same at any
        precision.

    Returns
    -------
    Dataset
        To go into ``roofcube.inputs(platforms=...)``; one platform, `hypothetical`. A `DataArray` keeps its own dims.

    Raises
    ------
    InvalidDataError
        If an array has more than one dim and no names for them, or is not of numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import roofcube as rc
    >>> hardware = rc.hypothetical(peak_compute=np.geomspace(1e12, 1e14, 5), memory_bandwidth=[1e10, 1e11], power=20.0)
    >>> hardware.sizes["peak"], hardware.sizes["bandwidth"]
    (5, 2)
    >>> hardware.peak_compute.dims
    ('peak',)
    """
    if peak_scaling is not None:
        check_choice("peak_scaling", peak_scaling, ("bits",))
    given = {
        "peak_compute": peak_compute,
        "memory_bandwidth": memory_bandwidth,
        "memory_capacity": memory_capacity,
        "on_chip_memory": on_chip_memory,
        "power": power,
    }
    coords: dict[str, Any] = {
        "platform": ("platform", ["hypothetical"], {"long_name": "platform"}),
        "device_class": ("platform", ["hypothetical"]),
    }
    variables = {}
    for name, values in given.items():
        if values is not None:
            variables[name] = _scalar_or_axis(name, values)
    hardware = xr.Dataset(variables, coords=coords)
    if peak_scaling == "bits":
        shares = [ELEMENT_BYTES["INT8"] / ELEMENT_BYTES[precision] for precision in PRECISIONS]
        scale = xr.DataArray(shares, dims="precision", coords={"precision": list(PRECISIONS)})
        hardware["peak_compute"] = (hardware["peak_compute"] * scale).assign_attrs(attributes("peak_compute"))
    return hardware


def _scalar_or_axis(name: str, values: Any) -> xr.DataArray:
    if isinstance(values, xr.DataArray):
        return values.assign_attrs({**attributes(name), **values.attrs})
    array = np.asarray(values)
    if array.ndim > 1 or array.dtype.kind not in "fiu":
        msg = (
            f"`{name}`: expected a number, a sequence of numbers or a DataArray, got {array.ndim} dims of "
            f"{array.dtype}; "
            "give a DataArray with named dims"
        )
        raise InvalidDataError(msg)
    if array.ndim == 0:
        return xr.DataArray(float(array), attrs=attributes(name))
    described = attributes(name)
    axis = (AXES[name], array.astype("f8"), described)
    return xr.DataArray(array.astype("f8"), dims=AXES[name], coords={AXES[name]: axis}, attrs=described)
