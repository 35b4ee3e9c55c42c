"""`where`: limits and label choices on a cube, checked once and applied as a mask; used by every reduction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.datasets import canonical
from roofcube.errors import InvalidDataError, check_limits, unknown_label
from roofcube.labels import column_of
from roofcube.variables import sense_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Where", "limit_mask", "objective_senses", "per_dims", "select_labels", "split_where"]

Where = Mapping[str, Any]


def split_where(cube: xr.Dataset, where: Where | None) -> tuple[dict[str, list[Any]], dict[str, tuple[float, float]]]:
    """Split `where` into label choices on dims and (low, high) limits on variables.

    Raises
    ------
    UnknownLabelError
        If a name or label is not in the cube.
    InvalidDataError
        If a limit is not a pair of numbers.
    """
    labels: dict[str, list[Any]] = {}
    limits: dict[str, tuple[float, float]] = {}
    for name, value in (where or {}).items():
        if name not in cube.variables:
            raise unknown_label("where", name, [*cube.data_vars, *cube.coords])
        if isinstance(value, tuple) and cube[name].dtype.kind in "iufb":
            limits[name] = _bounds(name, value)
        elif isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
            labels[name] = [value]
        else:
            labels[name] = list(value)
    return labels, limits


def _bounds(name: str, value: tuple[Any, ...]) -> tuple[float, float]:
    if len(value) != 2 or not all(one is None or isinstance(one, int | float | np.number) for one in value):
        msg = f"`where[{name!r}]`: expected (low, high) with numbers or None, got {value!r}; write e.g. (None, 0.01)"
        raise InvalidDataError(msg)
    low = -np.inf if value[0] is None else float(value[0])
    high = np.inf if value[1] is None else float(value[1])
    check_limits(name, low, high)
    return low, high


def select_labels(cube: xr.Dataset, labels: Mapping[str, Sequence[Any]]) -> xr.Dataset:
    """Keep the chosen labels of each dim, in the cube's order; a coord along a dim chooses too (`device_class`)."""
    for name, chosen in labels.items():
        array = cube[name]
        if array.ndim > 1:
            msg = (
                f"`where[{name!r}]`: expected (low, high) for a variable over {', '.join(map(str, array.dims))}, "
                f"got {list(chosen)!r}"
            )
            raise InvalidDataError(msg)
        known = np.atleast_1d(array.values).tolist()
        wanted = [_label(name, one, known) for one in chosen]
        if array.ndim == 0:
            if known[0] not in wanted:
                msg = f"`where[{name!r}]`: the cube holds only {known[0]!r}"
                raise InvalidDataError(msg)
            continue
        cube = cube.isel({array.dims[0]: np.flatnonzero([one in wanted for one in known])})
    return cube


def _label(name: str, value: Any, known: list[Any]) -> Any:
    if value in known:
        return value
    if isinstance(value, str):
        alias: Any = canonical(column_of(name), value)
        if known and isinstance(known[0], float | int):
            try:
                alias = float(alias.removesuffix("%"))
            except ValueError:
                raise unknown_label(name, value, known) from None
        if alias in known:
            return alias
    raise unknown_label(name, value, known)


def limit_mask(array: xr.DataArray, bounds: tuple[float, float]) -> xr.DataArray:
    """Tell where a variable meets its limit; both ends are inside, NaN meets none."""
    low, high = bounds
    return (array >= low) & (array <= high)


def objective_senses(cube: xr.Dataset, objectives: Mapping[str, str | None] | Sequence[str] | str) -> dict[str, str]:
    """Check objectives and fill in the sense of each from the table of variables.

    Raises
    ------
    UnknownLabelError
        If a variable is not in the cube.
    InvalidDataError
        If the sense is neither given nor known.
    """
    if isinstance(objectives, str):
        objectives = [objectives]
    given = objectives if isinstance(objectives, Mapping) else dict.fromkeys(objectives)
    senses: dict[str, str] = {}
    for name, sense in given.items():
        if name not in cube.variables:
            raise unknown_label("objectives", name, [*cube.data_vars, *cube.coords])
        if cube[name].dtype.kind not in "iufb":
            msg = (
                f"`objectives`: expected a numeric variable, got {name!r} of type {cube[name].dtype}; choose one "
                f"of {', '.join(map(str, cube.data_vars))}"
            )
            raise InvalidDataError(msg)
        chosen = sense or cube[name].attrs.get("sense") or sense_of(name)
        if chosen not in ("max", "min"):
            msg = f"`objectives[{name!r}]`: expected 'max' or 'min', got {chosen!r}; say which way is better"
            raise InvalidDataError(msg)
        senses[name] = chosen
    if not senses:
        msg = "`objectives`: expected at least one variable, got none"
        raise InvalidDataError(msg)
    return senses


def per_dims(cube: xr.Dataset, per: str | Sequence[str] | None) -> tuple[str, ...]:
    """Check the dims that a reduction keeps."""
    dims = () if per is None else (per,) if isinstance(per, str) else tuple(per)
    for dim in dims:
        if dim not in cube.dims:
            raise unknown_label("per", dim, cube.dims)
    return dims
