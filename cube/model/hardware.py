"""Hardware that does not exist yet, as axes of a sweep or beside real platforms, and what is physical of any."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from roofcube.datasets.aliases import canonical, plain_label
from roofcube.datasets.own_platforms import device_class_of
from roofcube.datasets.quantities import QUANTITIES, check_numbers, factor_of, number_of
from roofcube.errors import InvalidDataError, check_choice
from roofcube.labels import axis
from roofcube.vocabulary import FORMATS, NETWORK_DIMS, PHASE_DIMS, VARIABLES, attributes
from roofcube.wording import OF_TOKENS, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["at_labels", "check_convertible", "check_hardware", "check_units", "hypothetical", "in_known_units"]

Quantity = Any  # number, text with a unit, sequence of them, mapping of value and source, or DataArray

# variable → the dim that an array of it becomes; a variable never shares its name with a dim
AXES = {
    "peak_compute": "peak",
    "memory_bandwidth": "bandwidth",
    "memory_capacity": "capacity",
    "on_chip_memory": "on_chip",
    "power": "watts",
}
# dims of the model, along which an array is read by its labels
BESIDE = re.compile("_(low|high|expected|spread)$")  # ends of names of what stands beside a figure
BY_LABEL = ("mode", "precision", *NETWORK_DIMS, *PHASE_DIMS, "batch")


def hypothetical(
    *,
    peak_compute: Quantity,
    memory_bandwidth: Quantity,
    memory_capacity: Quantity | None = None,
    on_chip_memory: Quantity | None = None,
    power: Quantity | None = None,
    peak_scaling: Literal["bits"] | None = None,
    name: str = "hypothetical",
    device_class: str = "hypothetical",
) -> xr.Dataset:
    """Describe hardware by its parameters: each array becomes a dim of its own, scalars stay scalars.

    Parameters
    ----------
    peak_compute : number or sequence [op/s]
        Dim `peak`. Any quantity may carry its unit, ``"40 TOP/s"``, and say where it is from,
        ``{"value": "40 TOP/s", "source": "data sheet"}``.
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
    name : str
        Label of the platform.
    device_class : str
        Free text, such as GPU, NPU or MCU.

    Returns
    -------
    Dataset
        To go into ``roofcube.inputs(platforms=...)``, alone or in a list beside real platforms. A `DataArray` keeps its
        own dims; along those of the model, such as `batch` or `precision`, it is read by its labels.

    Raises
    ------
    InvalidDataError
        If an array has more than one dim and no names for them, is not of numbers, or holds what no hardware has; if it
        has a dim `platform` or `layer`, or one of the model without labels or with one label twice.

    Examples
    --------
    >>> import numpy as np
    >>> import roofcube as rc
    >>> hardware = rc.hypothetical(peak_compute=np.geomspace(1e12, 1e14, 5), memory_bandwidth=[1e10, 1e11], power=20.0)
    >>> hardware.sizes["peak"], hardware.sizes["bandwidth"]
    (5, 2)
    >>> mine = rc.hypothetical(name="mine", peak_compute="4 TOP/s", memory_bandwidth="19.2 GB/s")
    >>> winners = rc.crossover(rc.predict(rc.inputs("cifar10", platforms=[mine, "TX2"])), "predicted_latency")
    >>> sorted(set(winners.winner.values.tolist()) - {""}) <= ["TX2", "mine"]
    True

    A board whose memory is an axis, which keeps weights on chip, and computes twice as fast at half the bits:

    >>> board = rc.hypothetical(
    ...     name="Kite",
    ...     device_class="NPU",
    ...     peak_compute="1.2 TOP/s",
    ...     peak_scaling="bits",
    ...     memory_bandwidth="8.5 GB/s",
    ...     memory_capacity=["64 MB", "512 MB"],
    ...     on_chip_memory="2 MB",
    ... )
    >>> peaks = rc.inputs("mnist", platforms=board, precision=["INT8", "INT4"]).peak_compute
    >>> [float(peaks.sel(precision=name).squeeze()) for name in ("INT8", "INT4")]
    [1200000000000.0, 2400000000000.0]
    """
    if peak_scaling is not None:
        check_choice("peak_scaling", peak_scaling, ("bits",))
    for what, label in {"name": name, "device_class": device_class}.items():
        if not isinstance(label, str) or not label.strip():
            msg = f"`{what}`: expected a label, got {label!r}; give a name of at least one letter"
            raise InvalidDataError(msg)
    kind, fault = device_class_of(device_class)
    if fault:
        msg = f"`device_class`: {fault}"
        raise InvalidDataError(msg)
    given = {
        "peak_compute": peak_compute,
        "memory_bandwidth": memory_bandwidth,
        "memory_capacity": memory_capacity,
        "on_chip_memory": on_chip_memory,
        "power": power,
    }
    coords: dict[str, Any] = {
        "platform": ("platform", [plain_label(name)], {"long_name": "platform"}),
        "device_class": ("platform", [kind]),
    }
    hardware = xr.Dataset(
        {what: _variable(what, values) for what, values in given.items() if values is not None}, coords=coords
    )
    if peak_scaling == "bits":
        shares = [FORMATS["INT8"].computed / one.computed for one in FORMATS.values()]
        scale = xr.DataArray(shares, dims="precision", coords={"precision": list(FORMATS)})
        if "precision" in hardware.dims:
            # what another array says at some precisions is not known at the others
            labels = dict.fromkeys([*FORMATS, *hardware["precision"].values.tolist()])
            hardware = hardware.reindex(precision=list(labels))
        hardware["peak_compute"] = (hardware["peak_compute"] * scale).assign_attrs(hardware["peak_compute"].attrs)
        hardware.attrs["peak_scaling"] = "bits"
    return hardware


def check_hardware(inputs: xr.Dataset) -> None:
    """Raise where hardware of a Dataset is not physical; NaN is what it does not offer.

    A variable in relative numbers (attribute ``units="1"``) is not judged, nor one that is not computed yet.

    Raises
    ------
    InvalidDataError
        Naming variable, value and the fix.

    Examples
    --------
    >>> import roofcube as rc
    >>> from roofcube.model.hardware import check_hardware
    >>> check_hardware(rc.inputs("cifar10"))
    """
    for name, quantity in QUANTITIES.items():
        variable = inputs.variables.get(name)
        if variable is None or variable.attrs.get("units", quantity.unit) == "1":
            continue
        values = variable._data
        if isinstance(values, np.ndarray) and values.dtype.kind in "fiu" and values.size:
            low, high = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
            if not quantity.low <= low <= high <= quantity.high:
                check_numbers(name, values.ravel().tolist(), unknown=True)


def at_labels(hardware: xr.Dataset, labels: Mapping[str, Sequence[Any]]) -> xr.Dataset:
    """Lay hardware that differs along dims of what runs on it out at the labels of these.

    Raises
    ------
    InvalidDataError
        Naming the variable and the labels that it has no values at.

    Examples
    --------
    >>> import roofcube as rc
    >>> from roofcube.model.hardware import at_labels
    >>> links = xr.DataArray([1e9, 4e9], dims="batch", coords={"batch": [8, 1]})
    >>> at_labels(rc.hypothetical(peak_compute=1e12, memory_bandwidth=links), {"batch": [1, 8]}).memory_bandwidth.values
    array([4.e+09, 1.e+09])
    """
    for dim in map(str, hardware.dims):
        if dim not in labels:
            continue
        name = next((str(one) for one, variable in hardware.data_vars.items() if dim in variable.dims), dim)
        places = {label: place for place, label in enumerate(_dim_labels(name, hardware, dim))}
        missing = [label for label in labels[dim] if label not in places]
        if missing:
            msg = (
                f"`{name}`: expected a value at {dim} {listed(list(map(str, missing)))}, got values at "
                f"{listed(list(map(str, places)))}; give the missing ones too, or ask for no other {dim}"
            )
            raise InvalidDataError(msg)
        hardware = hardware.isel({dim: [places[label] for label in labels[dim]]})
        # equal labels may be numbers of two kinds
        hardware = hardware.assign_coords({dim: axis(dim, labels[dim])})
    return hardware


def _dim_labels(name: str, array: xr.Dataset | xr.DataArray, dim: str) -> list[Any]:
    """Return the labels along a dim of the model, each of which is there once."""
    if dim not in array.coords:
        do = f"give them: array.assign_coords({dim}=[...])"
        msg = f"`{name}`: expected labels along {dim!r}, by which it is read, got none; {do}"
        raise InvalidDataError(msg)
    labels = list(array[dim].values.tolist())
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        msg = f"`{name}`: expected each label along {dim!r} once, got {twice!r} twice; keep one of them"
        raise InvalidDataError(msg)
    return labels


def check_units(cube: xr.Dataset) -> None:
    """Raise where a known variable says that it is in another unit than its own: numbers are taken in that alone.

    Raises
    ------
    InvalidDataError
        Naming variable, both units and the fix.

    Examples
    --------
    >>> import roofcube as rc
    >>> from roofcube.model.hardware import check_units
    >>> check_units(rc.benchmark("mnist"))
    """
    for name, (factor, units) in _units_said(cube).items():
        said = cube[name].attrs["units"]
        if factor not in (1.0, None) and said != "1":  # of relative numbers no model needs the scale
            msg = (
                f"`{name}`: expected {units}, got {said!r}; convert it: (cube[{name!r}] * {factor:g})"
                f".assign_attrs(units={units!r})"
            )
            raise InvalidDataError(msg)


def check_convertible(cube: xr.Dataset, names: Iterable[str]) -> None:
    """Raise where one of these known variables says a unit from which nothing leads to its own.

    Raises
    ------
    InvalidDataError
        Naming variable, both units and the fix.

    Examples
    --------
    >>> import roofcube as rc
    >>> from roofcube.model.hardware import check_convertible
    >>> check_convertible(rc.benchmark("mnist"), ["power_full"])
    """
    said = _units_said(cube)
    for name in names:
        factor, units = said.get(name, (1.0, ""))
        if factor is None:
            msg = (
                f"`{name}`: expected a number in {units}, got one in {cube[name].attrs['units']!r}, which nothing "
                f"converts; convert it and say so, cube[{name!r}].assign_attrs(units={units!r}), or leave it out, "
                f"cube.drop_vars({name!r})"
            )
            raise InvalidDataError(msg)


def in_known_units(cube: xr.Dataset) -> xr.Dataset:
    """Bring known variables that say another unit, or spell theirs out, into their own, for who draws or tells them.

    Examples
    --------
    >>> import xarray as xr
    >>> from roofcube.model.hardware import in_known_units
    >>> power = in_known_units(xr.Dataset({"power_full": ((), 5000.0, {"units": "mW"})}))["power_full"]
    >>> float(power), power.attrs
    (5.0, {'units': 'W'})
    """
    converted = {}
    for name, (factor, units) in _units_said(cube).items():
        if name in cube.data_vars and factor is not None:
            # a thousandth is no binary number: 5 ms / 1000 are 0.005 s to the last bit
            values = cube[name] * factor if factor > 1 else cube[name] / float(f"{1 / factor:.12g}")
            values = cube[name] if factor == 1.0 else values
            converted[name] = values.assign_attrs({**cube[name].attrs, "units": units})
    return cube.assign(converted)


def _units_said(cube: xr.Dataset) -> dict[str, tuple[float | None, str]]:
    """Return of known variables that say another unit than their own the factor to it, None where none is, and it."""
    found: dict[str, tuple[float | None, str]] = {}
    for name, variable in cube.variables.items():
        known = VARIABLES.get(BESIDE.sub("", str(name)))  # what stands beside a figure is in its unit
        if known is None or not known.units:
            continue
        said = str(variable.attrs.get("units") or known.units)
        # any number may be a relative one, but for a percentage, of which that is a share
        if said == known.units or (said == "1" and known.units != "%"):
            continue
        factor = _factor_said(said) if known.units == "1" else factor_of(known.units, said)
        if factor is None and known.units == "1":
            continue  # words for what is counted, or left by arithmetic: they scale nothing
        found[str(name)] = factor, OF_TOKENS.get(known.units, known.units) if "tok" in said else known.units
    return {name: (factor, units) for name, (factor, units) in found.items() if units != cube[name].attrs["units"]}


def _factor_said(text: str) -> float | None:
    """Return the factor of a number without a unit that is told in thousands or in percent."""
    share = factor_of("%", text)
    if share is not None:
        return share / 100.0
    try:
        return float(text)
    except ValueError:
        return None


def _variable(name: str, values: Any) -> xr.DataArray:
    described = attributes(name)
    if isinstance(values, dict):
        if set(values) - {"value", "source"} or "value" not in values:
            got = ", ".join(map(str, values)) or "(none)"
            msg = f'`{name}`: expected the keys value and source, got {got}; write {{"value": …, "source": "…"}}'
            raise InvalidDataError(msg)
        described["source"] = str(values.get("source", ""))
        values = values["value"]
    if np.size(values) == 0:
        msg = f"`{name}`: expected numbers, got none of them; give one, or leave it out where it is not known"
        raise InvalidDataError(msg)
    if isinstance(values, xr.DataArray):
        check_numbers(name, values.values.ravel().tolist())
        return _with_own_labels(name, values).assign_attrs({**described, **values.attrs})
    if isinstance(values, str):
        values = number_of(name, values)
    elif isinstance(values, list | tuple):
        values = [number_of(name, one) if isinstance(one, str) else one for one in values]
    array = np.asarray(values)
    if array.ndim > 1 or array.dtype.kind not in "fiu":
        msg = (
            f"`{name}`: expected a number, a sequence of numbers or a DataArray, got {array.ndim} dims of "
            f"{array.dtype}; "
            "give a DataArray with named dims"
        )
        raise InvalidDataError(msg)
    check_numbers(name, array.ravel().tolist())
    if array.ndim == 0:
        return xr.DataArray(float(array), attrs=described)
    # labels that are there twice would count twice
    array = np.array(list(dict.fromkeys(array.astype("f8").tolist())))
    axis = (AXES[name], array, attributes(name))
    return xr.DataArray(array, dims=AXES[name], coords={AXES[name]: axis}, attrs=described)


def _with_own_labels(name: str, array: xr.DataArray) -> xr.DataArray:
    """Return an array with its precisions and modes in their usual spelling.

    Raises
    ------
    InvalidDataError
        If what it says of its labels would be lost.
    """
    for dim, do in {"platform": "describe each by itself, with a name=", "layer": "give one value for all"}.items():
        if dim in array.dims:
            msg = f"`{name}`: expected no dim {dim!r}, got {', '.join(map(str, array.dims))}; {do}"
            raise InvalidDataError(msg)
    if name == "peak_compute" and "precision" in array.coords and not array["precision"].ndim:
        msg = (
            f"`{name}`: expected a dim precision, got the label {array['precision'].item()!r} alone, and it would be "
            "the peak at any; keep the dim, array.expand_dims('precision'), or drop the label, "
            "array.drop_vars('precision')"
        )
        raise InvalidDataError(msg)
    for dim in ("mode", "precision"):
        if dim in array.dims and dim in array.coords:
            labels = [canonical(dim, one) if isinstance(one, str) else one for one in array[dim].values.tolist()]
            array = array.assign_coords({dim: axis(dim, labels)})
    for dim in BY_LABEL:
        if dim in array.dims:
            _dim_labels(name, array, dim)
    return array
