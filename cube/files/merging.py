"""merge: cubes over the union of their labels; measurements that disagree come to lie side by side along `lab`."""

from __future__ import annotations

from itertools import count
from math import prod
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import xarray as xr

from roofcube.errors import InvalidDataError, MemoryLimitError
from roofcube.files import checksums
from roofcube.files.differences import diff
from roofcube.model.graph import LAYER
from roofcube.options import fits_memory, megabytes, memory_limit
from roofcube.vocabulary import INFEASIBLE, LAB, MEASURED_ACCURACY
from roofcube.wording import AS_GIVEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["LAB", "merge"]

Array = np.ndarray[Any, np.dtype[Any]]
Indexes = dict[str, Array]
OF_MEASUREMENTS = ("power_base", "power_idle", "power_full", "n_rows", "quality")
DERIVED = ("energy_per_input", "inputs_per_joule", "efficiency")
MEANING = (
    "units",
    "flag_values",
    "flag_masks",
    "flag_meanings",
)  # attributes without which numbers mean something else
NO_LAYER = {"layer_tile_use": 1.0}  # what a layer that is not there has of it, elsewhere 0
ABSENT_IS_NO = ("mode_offered",)  # 0 where a platform was not asked for the mode, which no flag says


def merge(*cubes: xr.Dataset) -> xr.Dataset:
    """Merge cubes over the union of their labels, in the order in which they first appear.

    Types stay: where no cube has a value, there is NaN, -1 for a flag, 0 for a count and '' for text. Networks of fewer
    layers end in layers that need nothing, as in `inputs`. A cell that
    several cubes know must agree; if measurements do not, each cube's stand side by side along the new dim `lab`, whose
    labels are the titles of the cubes, or their numbers where titles are missing or equal. Beside a cube that has `lab`
    already, the others are labs of their own.

    Parameters
    ----------
    *cubes : Dataset
        Two or more; a dim that some have as a scalar coordinate is taken for a dim of one label.

    Raises
    ------
    InvalidDataError
        If predictions or inputs differ for a cell, or dims, types, units or flags do not fit, naming the variable.
    MemoryLimitError
        If the result would be larger than the limit of `roofcube.set_options`.

    Examples
    --------
    >>> import roofcube as rc
    >>> cube = rc.benchmark("mnist")[["measured_throughput"]]
    >>> both = rc.merge(cube.sel(platform=["TX2"]), cube.sel(platform=["NCS2"]))
    >>> both.platform.values.tolist()
    ['TX2', 'NCS2']
    """
    _check_cubes(cubes)
    _check_scalars(cubes)
    cubes = _with_labs(cubes)
    cubes = tuple(_equally_deep([_with_dims(cube, cubes) for cube in cubes]))
    indexes = _united(cubes)
    names = list(dict.fromkeys(str(name) for cube in cubes for name in cube.variables if name not in indexes))
    holders = {name: [number for number, cube in enumerate(cubes) if name in cube.variables] for name in names}
    for name in names:
        _check_alike(name, [cubes[number] for number in holders[name]])
    _check_merged_fits(cubes, indexes, names)

    def spread(name: str) -> Iterator[xr.Variable]:
        return (_along_lab(name, cubes[number], indexes) for number in holders[name])

    one = {name: _agreed(name, spread(name)) for name in names}
    differing = [name for name in names if one[name] is None]
    measured = [name for name in names if any(_is_measured(name, cubes[n].variables[name]) for n in holders[name])]
    _check_differing(differing, measured, cubes)
    merged = {name: variable for name, variable in one.items() if variable is not None}
    if differing:
        _check_merged_fits(cubes, indexes, names, beside=measured)
        for name in measured:
            merged[name] = _side_by_side(name, list(spread(name)), holders[name], len(cubes))
        indexes[LAB] = np.array(_labs(cubes))
    return _assembled(cubes, indexes, merged, differing)


# what can be merged ---------------------------------------------------------------------------------------------------


def _check_cubes(cubes: Sequence[Any]) -> None:
    if not cubes:
        msg = "`merge`: expected cubes, got none; give two or more"
        raise InvalidDataError(msg)
    for number, cube in enumerate(cubes, 1):
        if not isinstance(cube, xr.Dataset):
            do = "load it by roofcube.load" if isinstance(cube, str | PathLike) else "give them one by one: merge(a, b)"
            msg = f"`merge`: expected cubes, got a {type(cube).__name__} as number {number}; {do}"
            raise InvalidDataError(msg)
        for dim in cube.sizes:
            if dim in cube.coords and not cube.indexes[dim].is_unique:
                msg = f"`merge`: cube {number} has equal labels in {dim}; rename one of them"
                raise InvalidDataError(msg)


def _check_scalars(cubes: Sequence[xr.Dataset]) -> None:
    """Raise where cubes were cut to different labels, and nothing says which variables depend on the dim."""
    dims = {dim for cube in cubes for dim in cube.sizes}
    for name in dict.fromkeys(name for cube in cubes for name in cube.coords if name not in dims):
        held = [cube[name].values for cube in cubes if name in cube.coords]
        if all(not one.ndim for one in held) and any(one != held[0] for one in held):
            msg = f"`merge`: {name} is {held[0]} and other single labels; select them with a list, sel({name}=[...])"
            raise InvalidDataError(msg)


def _with_labs(cubes: Sequence[xr.Dataset]) -> tuple[xr.Dataset, ...]:
    """Make labs of their own of cubes with measurements, where others hold several labs already."""
    taken = [str(label) for cube in cubes if LAB in cube.variables for label in np.atleast_1d(cube[LAB].values)]
    if not taken:
        return tuple(cubes)
    each = []
    for number, cube in enumerate(cubes, 1):
        measured = [name for name in cube.data_vars if _is_measured(str(name), cube.variables[name])]
        if LAB in cube.variables or not measured:
            each.append(cube)
            continue
        title = str(cube.attrs.get("title", ""))
        label = title if title and title not in taken else next(f"{n}" for n in count(number) if f"{n}" not in taken)
        taken.append(label)
        added = {name: cube[name].variable.expand_dims(LAB) for name in measured}
        each.append(cube.assign(added).assign_coords({LAB: [label]}))
    return tuple(each)


def _with_dims(cube: xr.Dataset, cubes: Sequence[xr.Dataset]) -> xr.Dataset:
    """Make dims of scalar coordinates that are dims in other cubes, for the variables that have them there."""
    scalars = [name for name in cube.coords if not cube[name].ndim and any(name in other.sizes for other in cubes)]
    if not scalars:
        return cube
    dims_of: dict[Any, set[Any]] = {}
    for other in cubes:
        for name, array in other.variables.items():
            dims_of.setdefault(name, set()).update(array.dims)
    variables = {}
    for name, array in cube.variables.items():
        added = [dim for dim in scalars if dim in dims_of[name] and dim not in array.dims]
        values = array.values.reshape([*(1 for _ in added), *array.shape])
        variables[name] = xr.Variable((*added, *array.dims), values, array.attrs) if added else array
    return xr.Dataset(variables, attrs=cube.attrs).set_coords([name for name in cube.coords if name in variables])


def _equally_deep(cubes: Sequence[xr.Dataset]) -> Sequence[xr.Dataset]:
    """Give all networks as many layers, as `inputs` does: a layer is known by its place, those behind need nothing."""
    layered = [cube for cube in cubes if LAYER in cube.sizes]
    depths = {cube.sizes[LAYER] for cube in layered}
    names = [{str(name) for name in cube.variables if LAYER in cube[name].dims} for cube in layered]
    if len(depths) < 2 or any(one != names[0] or LAYER in one for one in names):
        return cubes
    return [_with_layers(cube, max(depths)) if LAYER in cube.sizes else cube for cube in cubes]


def _with_layers(cube: xr.Dataset, depth: int) -> xr.Dataset:
    padded = {}
    for name, array in cube.variables.items():
        if LAYER in array.dims:
            numeric = array.dtype.kind in "biuf"
            nothing = NO_LAYER.get(str(name), 0) if numeric else _not_found(str(name), array, array.dtype)
            padded[name] = array.pad({LAYER: (0, depth - array.sizes[LAYER])}, constant_values=nothing, keep_attrs=True)
    rest = cube.drop_vars(list(padded))
    return rest.assign({name: one for name, one in padded.items() if name in cube.data_vars}).assign_coords(
        {name: one for name, one in padded.items() if name in cube.coords}
    )


def _united(cubes: Sequence[xr.Dataset]) -> Indexes:
    """Return the labels of each dim in the order of their first appearance; of dims without labels, their places."""
    indexes: Indexes = {}
    for dim in dict.fromkeys(str(dim) for cube in cubes for dim in cube.sizes):
        having = [cube for cube in cubes if dim in cube.sizes]
        labelled = [cube[dim].values for cube in having if dim in cube.coords]
        if len({cube.sizes[dim] for cube in having}) > 1 and len(labelled) < len(having):
            msg = f"`merge`: the dim {dim} has no labels in every cube, and not the same size; give it labels"
            raise InvalidDataError(msg)
        if not labelled:
            indexes[dim] = np.arange(having[0].sizes[dim])
            continue
        if len({_family_of_names(labels.dtype) for labels in labelled}) > 1:
            kinds = " and ".join(sorted({_family_of_names(labels.dtype) for labels in labelled}))
            msg = f"`merge`: the labels of {dim} are {kinds}; make them of one type"
            raise InvalidDataError(msg)
        labels = np.concatenate(labelled)
        _, first = np.unique(labels, return_index=True)
        indexes[dim] = labels[np.sort(first)]
    return indexes


def _family_of_names(dtype: np.dtype[Any]) -> str:
    return "text" if dtype.kind in "UO" else "numbers" if dtype.kind in "iuf" else dtype.name


def _check_alike(name: str, cubes: Sequence[xr.Dataset]) -> None:
    """Raise where a variable is not of one kind in all cubes that have it."""
    first = cubes[0].variables[name]
    for other in (cube.variables[name] for cube in cubes[1:]):
        if set(first.dims) != set(other.dims):
            dims = [f"({', '.join(map(str, one.dims))})" for one in (first, other)]
            msg = f"`merge`: {name} has the dims {' and '.join(dims)}; expand or reduce one of them"
            raise InvalidDataError(msg)
        if _family_of_names(first.dtype) != _family_of_names(other.dtype) or (first.dtype.kind == "f") != (
            other.dtype.kind == "f"
        ):
            msg = f"`merge`: {name} is {first.dtype} and {other.dtype}; convert one of them"
            raise InvalidDataError(msg)
        for key in MEANING:
            if not _agree(first.attrs.get(key), other.attrs.get(key)):
                msg = (
                    f"`merge`: {name} has the {key} {first.attrs.get(key)} and {other.attrs.get(key)}; "
                    "convert one of them"
                )
                raise InvalidDataError(msg)


def _check_merged_fits(
    cubes: Sequence[xr.Dataset], indexes: Indexes, names: Sequence[str], beside: Sequence[str] = ()
) -> None:
    """Raise where the result does not fit, and beside it what one variable takes while it is laid over another."""
    size = largest = 0
    for name in names:
        held = [cube.variables[name] for cube in cubes if name in cube.variables]
        points = prod(len(indexes[str(dim)]) for dim in held[0].dims)
        size += points * held[0].dtype.itemsize * (len(cubes) if name in beside else 1)
        largest = max(largest, points * (held[0].dtype.itemsize + 2))
    if not fits_memory(size + largest):
        msg = (
            f"`merge`: expected a result within {megabytes(memory_limit())}, got {megabytes(size + largest)}; "
            "select a part of the cubes, or raise the limit with `roofcube.set_options(memory=...)`"
        )
        raise MemoryLimitError(msg)


def _is_measured(name: str, variable: xr.Variable) -> bool:
    given = str(variable.attrs.get("long_name", "")).endswith(AS_GIVEN) or (
        variable.attrs.get("comment") == MEASURED_ACCURACY
    )
    return given or name.startswith("measured_") or name.removesuffix("_spread") in (*OF_MEASUREMENTS, *DERIVED)


def _first_cell(name: str, cubes: Sequence[xr.Dataset]) -> str:
    """Name the cell in which a variable differs most between the first two cubes that differ."""
    first, *others = [cube[[name]] for cube in cubes if name in cube.data_vars] or [xr.Dataset()]
    for other in others:
        cells = diff(first, other).filter(pl.col("kind") == "values", pl.col("labels").is_not_null())
        if cells.height:
            row = cells.row(0, named=True)
            at, values = row["labels"], f"{row['old']} and {row['new']}"
            # of text the detail has both
            told = row["detail"] if row["old"] is None else f"{at}: {values}" if at else values
            return f" ({name}{' at' if at else ''} {told})"
    return ""


def _check_differing(names: Sequence[str], measured: Sequence[str], cubes: Sequence[xr.Dataset]) -> None:
    others = [name for name in names if name not in measured]
    if others:
        msg = (
            f"`merge`: {', '.join(others)} hold different values for the same cell{_first_cell(others[0], cubes)}, and "
            "are no measurements that could stand side by side; drop or rename one side"
        )
        raise InvalidDataError(msg)
    if names and any(LAB in cube.variables or LAB in cube.sizes for cube in cubes):
        msg = (
            f"`merge`: {', '.join(names)} hold different values for the same cell of one {LAB!r}; give it another "
            f"label in one of the cubes, with assign_coords({LAB}=[...])"
        )
        raise InvalidDataError(msg)


# values ---------------------------------------------------------------------------------------------------------------


def _not_found(name: str, variable: xr.Variable, dtype: np.dtype[Any]) -> Any:
    from roofcube.sweep.answers.points import empty_value

    if name in ABSENT_IS_NO:
        return np.zeros((), dtype=dtype)
    if dtype.kind == "O":
        return ""
    return empty_value(name, np.empty(0, dtype=dtype), variable.attrs)


def _along_lab(name: str, cube: xr.Dataset, indexes: Indexes) -> xr.Variable:
    """Put a variable of one cube at its labels among all labels."""
    variable = cube.variables[name]
    shape = [len(indexes[str(dim)]) for dim in variable.dims]
    values = np.full(shape, _not_found(name, variable, variable.dtype), dtype=variable.dtype)
    places = [_places_of_labels(cube, str(dim), indexes[str(dim)]) for dim in variable.dims]
    values[np.ix_(*places) if places else ()] = variable.values
    return xr.Variable(variable.dims, values, variable.attrs)


def _places_of_labels(cube: xr.Dataset, dim: str, labels: Array) -> Array:
    if dim not in cube.coords:
        return np.arange(cube.sizes[dim])
    order = np.argsort(labels)
    return np.asarray(order[np.searchsorted(labels, cube[dim].values, sorter=order)])


def _has_value(name: str, variable: xr.Variable) -> Array:
    nothing = _not_found(name, variable, variable.dtype)
    values = variable.values
    return np.asarray(values == values if nothing != nothing else values != nothing)


def _is_sure(name: str, values: Array) -> Array | bool:
    """Tell where another cube cannot know better: one may have an accuracy of a network that the other lacks."""
    return values != INFEASIBLE["untrained"] if name == "infeasible" else True


def _agreed(name: str, variables: Iterator[xr.Variable]) -> xr.Variable | None:
    """Lay the values of all cubes over each other; None where two of them differ."""
    first = next(variables)
    values, attributes = first.values, [first.attrs]
    known = _has_value(name, first)
    for variable in variables:
        turned = variable.transpose(*first.dims)
        new = _has_value(name, turned)
        sure = _is_sure(name, turned.values)
        if np.any(known & new & sure & _is_sure(name, values) & (values != turned.values)):
            return None
        values = values.astype(np.result_type(values.dtype, turned.dtype), copy=False)
        np.copyto(values, turned.values, where=new & (sure | ~known))
        known |= new
        attributes.append(variable.attrs)
    return xr.Variable(first.dims, values, _shared(attributes))


def _side_by_side(name: str, variables: Sequence[xr.Variable], numbers: Sequence[int], count: int) -> xr.Variable:
    first = variables[0]
    dtype = np.result_type(*(variable.dtype for variable in variables))
    values = np.full((count, *first.shape), _not_found(name, first, dtype), dtype=dtype)
    for number, variable in zip(numbers, variables, strict=True):
        values[number] = variable.transpose(*first.dims).values
    return xr.Variable((LAB, *first.dims), values, _shared([variable.attrs for variable in variables]))


# the result -----------------------------------------------------------------------------------------------------------


def _shared(attributes: Sequence[dict[Any, Any]]) -> dict[Any, Any]:
    """Keep the attributes that no cube contradicts."""
    kept = {key: value for one in reversed(attributes) for key, value in one.items()}
    return {
        key: value for key, value in kept.items() if all(_agree(one[key], value) for one in attributes if key in one)
    }


def _agree(one: Any, other: Any) -> bool:
    return bool(np.array_equal(np.asarray(one), np.asarray(other)))


def _labs(cubes: Sequence[xr.Dataset]) -> list[str]:
    titles = [str(cube.attrs.get("title", "")) for cube in cubes]
    if all(titles) and len(set(titles)) == len(titles):
        return titles
    return [str(number) for number in range(1, len(cubes) + 1)]


def _assembled(
    cubes: Sequence[xr.Dataset], indexes: Indexes, variables: dict[str, xr.Variable], differing: Sequence[str]
) -> xr.Dataset:
    attributes = _shared([cube.attrs for cube in cubes])
    of_the_file = (checksums.CONTENT, *checksums.OF_ONE_STORE)
    attributes = {key: value for key, value in attributes.items() if key not in of_the_file}
    left_out = [part for cube in cubes for part in str(cube.attrs.get("left_out", "")).split("; ") if part]
    if left_out:
        attributes["left_out"] = "; ".join(dict.fromkeys(left_out))
    if differing:
        attributes["disagreement"] = (
            f"{', '.join(differing)} differ between the merged cubes; the measurements of each stand side by side "
            f"along {LAB}"
        )
        orders = [str(cube.attrs["dim_order"]) for cube in cubes if "dim_order" in cube.attrs]
        if orders:
            attributes["dim_order"] = _order_with_lab(orders[0])
    labels = {}
    for dim, values in indexes.items():
        held = [cube.variables[dim].attrs for cube in cubes if dim in cube.coords]
        if held or dim == LAB:
            about = _shared(held) if held else {"long_name": "source of the measurements"}
            labels[dim] = xr.Variable(dim, values, about)
    coords = {str(name) for cube in cubes for name in cube.coords}
    data = {name: variable for name, variable in variables.items() if name not in coords}
    beside = {name: variable for name, variable in variables.items() if name in coords}
    return xr.Dataset(data, coords={**labels, **beside}, attrs=attributes)


def _order_with_lab(order: str) -> str:
    """Put the own dim before the batch, as the order of ties has it."""
    dims = order.split()
    place = dims.index("batch") if "batch" in dims else len(dims)
    return " ".join([*dims[:place], LAB, *dims[place:]])
