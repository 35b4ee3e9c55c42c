"""merge: cubes over the union of their labels; measurements that disagree come to lie side by side along `lab`."""

from __future__ import annotations

import warnings
from itertools import combinations, count
from math import prod
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import xarray as xr

from roofcube.datasets.schema import Platform
from roofcube.errors import InvalidDataError, MemoryLimitError
from roofcube.files import checksums
from roofcube.files.differences import diff
from roofcube.files.overlaying import (
    agreed,
    at_all_labels,
    beside_each_other,
    frame_of,
    is_equal,
    is_own,
    label_groups,
    not_found,
    shared,
)
from roofcube.labels import alike, cube_in_numpy, full_rank
from roofcube.model.graph import LAYER
from roofcube.model.made import RESULTS
from roofcube.options import fits_memory, megabytes, memory_limit
from roofcube.vocabulary import CONFIGURATION, DIMS, LAB, MEASURED_ACCURACY
from roofcube.wording import AS_GIVEN, said_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from roofcube.files.overlaying import Frame, Indexes

__all__ = ["LAB", "merge"]

Array = np.ndarray[Any, np.dtype[Any]]
OF_MEASUREMENTS = ("power_base", "power_idle", "power_full", "n_rows", "quality")
DERIVED = ("energy_per_input", "inputs_per_joule", "efficiency")
OF_ASSUMPTIONS = ("efficiency", "bound")  # beside what is called predicted
MEANING = (
    "units",
    "flag_values",
    "flag_masks",
    "flag_meanings",
)  # attributes without which numbers mean something else
NO_LAYER = {"layer_tile_use": 1.0}  # what a layer that is not there has of it, elsewhere 0


def merge(*cubes: xr.Dataset) -> xr.Dataset:
    """Merge cubes over the union of their labels, in the order in which they first appear.

    Types stay: where no cube has a value, there is NaN, -1 for a flag, 0 for a count, or ''; whole numbers and truths
    of your own become floating-point numbers there, with NaN. Networks of fewer layers end in layers that need nothing,
    as in `inputs`, and a hypothetical platform alone is in the default mode. What has no dim along which the labels of
    the cubes differ (the `power` or a price of one platform in each) gets it, unless it is the same in all; where a
    cube does not tell it, it is not known of its labels. A cell that several cubes know must agree; if measurements do
    not, each cube's stand side by side along the new dim `lab`, whose labels are the titles of the cubes, or their
    numbers where titles are missing or equal. Beside a cube that has `lab` already, the others are labs of their own.

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
    cubes = _with_given_alike(tuple(map(cube_in_numpy, cubes)))
    _check_scalars(cubes)
    _check_assumptions(cubes)
    cubes = _with_labs(cubes)
    cubes = tuple(_with_mode(cube, cubes) for cube in cubes)
    cubes = tuple(_equally_deep([_with_dims(cube, cubes) for cube in cubes]))
    indexes = _united(cubes)
    _warn_of_spellings(cubes, indexes)
    names = list(dict.fromkeys(name for cube in cubes for name in cube.variables if name not in indexes))
    holders = {name: [cube for cube in cubes if name in cube.variables] for name in names}
    for name in names:
        _check_alike(name, holders[name])
    for dim in indexes:
        _check_labels_alike(dim, cubes)
    groups = label_groups(cubes, indexes)
    measured = [name for name in names if any(_is_measured(name, cube.variables[name]) for cube in holders[name])]
    frames = {name: frame_of(name, cubes, indexes, groups, lab=name in measured) for name in names}
    merged, differing = _overlaid(cubes, frames, measured)
    if differing:
        indexes[LAB] = np.array(_labs(cubes))
    cells = {name: prod(len(indexes[str(dim)]) for dim in merged[name].dims) for name in names}
    _check_merged_fits([(merged[name].dtype.itemsize, cells[name], cells[name]) for name in names])
    variables = {name: at_all_labels(merged[name], frames[name]) for name in names}
    return _assembled(cubes, indexes, variables, differing)


def _with_given_alike(cubes: tuple[xr.Dataset, ...]) -> tuple[xr.Dataset, ...]:
    """Write numbers as given beside measurements as texts where another cube has texts of them: 1.1 beside 1.10."""
    given = [{name: one for name, one in cube.data_vars.items() if _is_as_given(one)} for cube in cubes]
    texts = {name for several in given for name, one in several.items() if one.dtype.kind in "UO"}
    changed = []
    for cube, several in zip(cubes, given, strict=True):
        numbers = [name for name in texts & set(several) if several[name].dtype.kind in "if"]
        changed.append(cube.assign({name: cube[name].copy(data=_as_texts(cube[name].values)) for name in numbers}))
    return tuple(changed)


def _as_texts(numbers: Array) -> Array:
    # as a file is written from which they are: 1.1, and 2.0 as 2
    texts = ["" if np.isnan(number) else f"{number:.15g}" for number in numbers.ravel().tolist()]
    return np.array(texts, dtype=str).reshape(numbers.shape)


def _is_as_given(variable: xr.Variable | xr.DataArray) -> bool:
    return str(variable.attrs.get("long_name", "")).endswith(AS_GIVEN)


def _overlaid(
    cubes: Sequence[xr.Dataset], frames: Mapping[Any, Frame], measured: Sequence[Any]
) -> tuple[dict[Any, xr.Variable], list[Any]]:
    """Lay the cubes over each other, measurements side by side where some differ; return also which do."""
    widths = {name: next(cube[name].dtype.itemsize for cube in cubes if name in cube.variables) for name in frames}
    _check_merged_fits([(widths[name], frame.least, frame.most) for name, frame in frames.items()])
    one = {name: agreed(name, cubes, frame) for name, frame in frames.items()}
    differing = [name for name in frames if one[name] is None]
    _check_differing(differing, measured, cubes, frames)
    merged = {name: variable for name, variable in one.items() if variable is not None}
    if not differing:
        return merged, []
    times = {name: len(cubes) if name in measured else 1 for name in frames}
    _check_merged_fits([(widths[name] * times[name], frame.least, frame.most) for name, frame in frames.items()])
    return merged | {name: beside_each_other(name, cubes, frames[name]) for name in measured}, differing


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
            if dim in cube.coords and cube[dim].dtype.kind == "O" and bool(cube[dim].isnull().any()):
                msg = f"`merge`: cube {number} has a label missing in {dim}; give it a name, or leave it out"
                raise InvalidDataError(msg)


def _check_scalars(cubes: Sequence[xr.Dataset]) -> None:
    """Raise where cubes were cut to different labels, and nothing says which variables depend on the dim."""
    dims = {dim for cube in cubes for dim in cube.sizes}
    for name in dict.fromkeys(name for cube in cubes for name in cube.coords if name not in dims):
        held = [cube[name].values for cube in cubes if name in cube.coords]
        if all(not one.ndim for one in held) and any(
            one != held[0] and (one == one or held[0] == held[0]) for one in held
        ):
            msg = (
                f"`merge`: {name} is {held[0]} and other single labels; select them with a list, sel({name}=[...]), or "
                f"make a dim of it, expand_dims({str(name)!r})"
            )
            raise InvalidDataError(msg)


def _check_assumptions(cubes: Sequence[xr.Dataset]) -> None:
    """Raise where cubes were predicted with different assumptions: the result could not tell whose is whose."""
    labels = dict.fromkeys(
        str(cube.attrs["assumptions"])
        for cube in cubes
        if "assumptions" in cube.attrs
        and "assumptions" not in cube.coords
        and any(str(name).startswith("predicted_") or name in OF_ASSUMPTIONS for name in cube.data_vars)
    )
    if len(labels) > 1:
        msg = (
            f"`merge`: the cubes were predicted with the assumptions {' and '.join(map(repr, labels))}; predict them "
            "alike"
        )
        raise InvalidDataError(msg)
    models: dict[str, str] = {}
    for label, model in (one for cube in cubes for one in _models(cube)):
        if models.setdefault(label, model) != model:
            msg = (
                f"`merge`: the cubes were predicted with the assumptions {label!r}, which are {models[label]} in one "
                f"and {model} in another; predict them alike, or drop what one of them predicts"
            )
            raise InvalidDataError(msg)


def _models(cube: xr.Dataset) -> Iterator[tuple[str, str]]:
    """List the assumptions that predict what a cube holds, by label, with what is known of them."""
    said = str(cube.attrs.get("model", ""))
    if not said or not any(str(name).startswith("predicted_") or name in OF_ASSUMPTIONS for name in cube.data_vars):
        return
    if "assumptions" not in cube.coords:
        yield str(cube.attrs.get("assumptions", "")), said
        return
    for label in map(str, np.atleast_1d(cube["assumptions"].values)):
        yield from ((label, one.removeprefix(f"{label}: ")) for one in said.split("; ") if one.startswith(f"{label}: "))


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
        label = _same_lab(cube[measured], title, cubes)
        if label is None:
            new = title and title not in taken
            label = title if new else next(f"{n}" for n in count(number) if f"{n}" not in taken)
            taken.append(label)
        added = {name: cube[name].variable.expand_dims(LAB) for name in measured}
        each.append(cube.assign(added).assign_coords({LAB: [label]}))
    return tuple(each)


def _same_lab(measured: xr.Dataset, title: str, cubes: Sequence[xr.Dataset]) -> Any:
    """Return the label of the lab that holds these very measurements already; None where there is none."""
    for cube in (one for one in cubes if LAB in one.sizes):
        for label in cube[LAB].values:
            if title in ("", str(label)) and _holds(cube.sel({LAB: label}), measured):
                return label
    return None


def _holds(cube: xr.Dataset, measured: xr.Dataset) -> bool:
    """Check whether a cube has all values of another, at the same labels."""
    if not set(measured.data_vars) <= set(cube.data_vars):
        return False
    try:
        there = cube[list(measured.data_vars)].sel(
            {dim: measured[dim] for dim in measured.sizes if dim in measured.coords}
        )
    except KeyError:
        return False
    pairs = [(there[name], one) for name, one in measured.data_vars.items()]
    return all(one.drop_attrs().broadcast_equals(lab.reset_coords(LAB, drop=True).drop_attrs()) for lab, one in pairs)


def _with_mode(cube: xr.Dataset, cubes: Sequence[xr.Dataset]) -> xr.Dataset:
    """Give hypothetical platforms, which alone have no mode, the one that `inputs` gives them beside others."""
    told = [other["mode_offered"] for other in cubes if "mode" in other.sizes and "mode_offered" in other]
    alone = {"platform", "peak_compute"} <= set(cube.variables) and not {"mode", "mode_offered"} & set(cube.variables)
    if not told or not alone:
        return cube
    has = np.ones(cube["platform"].shape, dtype=told[0].dtype)
    return cube.assign(mode_offered=(cube["platform"].dims, has, told[0].attrs)).assign_coords(mode=Platform.mode)


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
            nothing = NO_LAYER.get(str(name), 0) if numeric else not_found(str(name), array, array.dtype)
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
        sizes = {cube.sizes[dim] for cube in having}
        if len(labelled) < len(having) and (labelled or len(sizes) > 1):
            why = "" if labelled else ", and not the same size"
            msg = f"`merge`: the dim {dim} has no labels in every cube{why}; give it labels"
            raise InvalidDataError(msg)
        if not labelled:
            indexes[dim] = np.arange(having[0].sizes[dim])
            continue
        if len({_family_of_names(labels.dtype) for labels in labelled}) > 1:
            kinds = " and ".join(sorted({_family_of_names(labels.dtype) for labels in labelled}))
            msg = f"`merge`: the labels of {dim} are {kinds}; make them of one type"
            raise InvalidDataError(msg)
        _check_precision(dim, labelled)
        labels = np.concatenate(labelled)
        _, first = np.unique(labels, return_index=True)
        indexes[dim] = labels[np.sort(first)]
    return indexes


def _check_precision(dim: str, labelled: Sequence[np.ndarray[Any, Any]]) -> None:
    """Raise where a label of one cube is that of another but for what a narrower floating-point type rounds away."""
    kinds = sorted({one.dtype for one in labelled if one.dtype.kind == "f"}, key=lambda kind: kind.itemsize)
    floats = [np.concatenate([one for one in labelled if one.dtype == kind]) for kind in kinds]
    for narrow, wide in combinations(floats, 2):
        with np.errstate(over="ignore"):
            rounded = wide.astype(narrow.dtype)
        same = wide[(rounded != wide) & np.isin(rounded, narrow)]
        if len(same):
            msg = (
                f"`merge`: {same[0]} of {dim} is {wide.dtype} in one cube and rounded to {narrow.dtype} in another; "
                f"make them of one type: assign_coords({dim}=cube.{dim}.astype({narrow.dtype.name!r}))"
            )
            raise InvalidDataError(msg)


def _warn_of_spellings(cubes: Sequence[xr.Dataset], indexes: Indexes) -> None:
    """Tell where cubes spell a label in several ways, which then stand beside each other as different ones."""
    for dim in (one for one in CONFIGURATION if one in indexes):
        for spellings in alike(indexes[dim].tolist(), dim).values():
            if any(dim in cube.sizes and set(spellings) <= set(cube[dim].values.tolist()) for cube in cubes):
                continue  # of one cube, which tells them apart
            told = " and ".join(map(repr, spellings))
            msg = (
                f"the labels {told} of {dim}, of different cubes, are one name in a file of measurements, and stand "
                f"beside each other; if they are the same, rename them alike, with assign_coords({dim}=[...])"
            )
            warnings.warn(msg, UserWarning, stacklevel=3)


def _family_of_names(dtype: np.dtype[Any]) -> str:
    return "text" if dtype.kind in "UO" else "numbers" if dtype.kind in "iuf" else dtype.name


def _check_alike(name: Any, cubes: Sequence[xr.Dataset]) -> None:
    """Raise where a variable is not of one kind in all cubes that have it."""
    first = cubes[0].variables[name]
    dims = {dim for cube in cubes for dim in cube.variables[name].dims}
    if any(dim not in cube.sizes for cube in cubes for dim in dims):
        told = dict.fromkeys(f"({', '.join(map(str, cube.variables[name].dims))})" for cube in cubes)
        msg = f"`merge`: {name} has the dims {' and '.join(told)}; expand or reduce one of them"
        raise InvalidDataError(msg)
    for other in (cube.variables[name] for cube in cubes[1:]):
        # the user's own became floating-point where a cube merged before did not tell it
        numbers = is_own(name, first) and {first.dtype.kind, other.dtype.kind} <= set("biuf")
        if not numbers and (
            _family_of_names(first.dtype) != _family_of_names(other.dtype)
            or (first.dtype.kind == "f") != (other.dtype.kind == "f")
        ):
            msg = f"`merge`: {name} is {first.dtype} and {other.dtype}; convert one of them"
            raise InvalidDataError(msg)
        _check_one_meaning(name, first.attrs, other.attrs, MEANING)
    _check_formulas(name, cubes)


def _check_formulas(name: Any, cubes: Sequence[xr.Dataset]) -> None:
    """Raise where cubes compute an own term, or what it replaces, in different ways; who does not tell is believed."""
    own = "what the model predicts"
    told = [
        str(cube.variables[name].attrs.get("formula", own))
        for cube in cubes
        if "formula" in cube.variables[name].attrs or ("model" in cube.attrs and name in RESULTS)
    ]
    for other in told[1:]:
        if other != told[0]:
            msg = f"`merge`: {name} is {told[0]} in one cube and {other} in another; compute both alike, or rename one"
            raise InvalidDataError(msg)


def _check_labels_alike(dim: str, cubes: Sequence[xr.Dataset]) -> None:
    """Raise where labels of a dim mean different things; those that say nothing are taken for alike."""
    said = [cube.variables[dim].attrs for cube in cubes if dim in cube.coords]
    for key in MEANING:
        holders = [attributes for attributes in said if key in attributes]
        for other in holders[1:]:
            _check_one_meaning(dim, holders[0], other, [key])


def _check_one_meaning(name: Any, first: Mapping[Any, Any], other: Mapping[Any, Any], keys: Sequence[str]) -> None:
    for key in keys:
        if not is_equal(first.get(key), other.get(key)):
            msg = f"`merge`: {name} has the {key} {first.get(key)} and {other.get(key)}; convert one of them"
            raise InvalidDataError(msg)


def _check_merged_fits(sizes: Sequence[tuple[int, int, int]]) -> None:
    """Raise where the result does not fit, and beside it what one variable takes while it is laid over another.

    `sizes` are the bytes of a cell, the cells of the result, and those that are compared.
    """
    size = sum(wide * cells for wide, cells, _ in sizes)
    largest = max(((wide + 3) * cells for wide, _, cells in sizes), default=0)
    if not fits_memory(size + largest):
        msg = (
            f"`merge`: expected a result within {megabytes(memory_limit())}, got {megabytes(size + largest)}; "
            "select a part of the cubes, or raise the limit with `roofcube.set_options(memory=...)`"
        )
        raise MemoryLimitError(msg)


def _is_measured(name: Any, variable: xr.Variable) -> bool:
    name = str(name)
    given = _is_as_given(variable) or (variable.attrs.get("comment") == MEASURED_ACCURACY)
    return given or name.startswith("measured_") or name.removesuffix("_spread") in (*OF_MEASUREMENTS, *DERIVED)


def _first_cell(name: Any, cubes: Sequence[xr.Dataset], frame: Frame) -> str:
    """Name the cell in which a variable differs most between the first two cubes that differ."""
    for first, other in combinations([cube for cube in cubes if name in cube.variables], 2):
        if any(not np.intersect1d(*both).size for both in zip(frame.places(first), frame.places(other), strict=True)):
            continue
        cells = diff(*(_alone(name, cube, frame.own) for cube in (first, other))).filter(
            pl.col("kind") == "values",
            pl.col("labels").is_not_null(),
            (pl.col("old").is_not_nan() & pl.col("new").is_not_nan()).fill_null(value=True),
        )
        if cells.height:
            row = cells.row(0, named=True)
            at, values = row["labels"], f"{row['old']} and {row['new']}"
            # of text the detail has both
            told = row["detail"] if row["old"] is None else f"{at}: {values}" if at else values
            return f" ({name}{' at' if at else ''} {told})"
    return ""


def _alone(name: Any, cube: xr.Dataset, dims: Sequence[str]) -> xr.Dataset:
    """Return one variable over all of some dims, with their labels."""
    values = np.broadcast_to(full_rank(cube.variables[name], dims), [cube.sizes[dim] for dim in dims])
    return xr.Dataset({name: (dims, values)}, coords={dim: cube[dim].variable for dim in dims if dim in cube.coords})


def _check_differing(
    names: Sequence[Any], measured: Sequence[Any], cubes: Sequence[xr.Dataset], frames: Mapping[Any, Frame]
) -> None:
    others = [name for name in names if name not in measured]
    told = ", ".join(map(str, others or names))
    if others:
        at = _first_cell(others[0], cubes, frames[others[0]])
        msg = (
            f"`merge`: {told} hold different values for the same cell{at}, and are no measurements that could stand "
            "side by side; drop or rename one side"
        )
        raise InvalidDataError(msg)
    if names and any(LAB in cube.variables or LAB in cube.sizes for cube in cubes):
        msg = (
            f"`merge`: {told} hold different values for the same cell of one {LAB!r}; give it another label in one of "
            f"the cubes, with assign_coords({LAB}=[...])"
        )
        raise InvalidDataError(msg)


# the result -----------------------------------------------------------------------------------------------------------


def _labs(cubes: Sequence[xr.Dataset]) -> list[str]:
    titles = [str(cube.attrs.get("title", "")) for cube in cubes]
    if all(titles) and len(set(titles)) == len(titles):
        return titles
    return [str(number) for number in range(1, len(cubes) + 1)]


def _assembled(
    cubes: Sequence[xr.Dataset], indexes: Indexes, variables: dict[Any, xr.Variable], differing: Sequence[Any]
) -> xr.Dataset:
    attributes = shared([cube.attrs for cube in cubes])
    of_the_file = (checksums.CONTENT, *checksums.OF_ONE_STORE)
    attributes = {key: value for key, value in attributes.items() if key not in of_the_file}
    for name in ("left_out", "count_notes"):
        parts = [part for cube in cubes for part in str(cube.attrs.get(name, "")).split("; ") if part]
        if parts:
            attributes[name] = "; ".join(dict.fromkeys(parts))
    if differing:
        attributes["disagreement"] = (
            f"{', '.join(map(str, differing))} differ between the merged cubes; the measurements of each stand side by "
            f"side along {LAB}"
        )
    if LAB in indexes:
        if len({cube.attrs.get("title") for cube in cubes}) > 1:
            attributes.pop("title", None)  # of one of the labs
        orders = [said_order(cube.attrs, {*DIMS, *cube.dims}) for cube in cubes if "dim_order" in cube.attrs]
        if orders:
            attributes["dim_order"] = _order_with_lab(orders[0])
    labels = {}
    for dim, values in indexes.items():
        held = [cube.variables[dim].attrs for cube in cubes if dim in cube.coords]
        if held or dim == LAB:
            about = shared(held) if held else {"long_name": "source of the measurements"}
            labels[dim] = xr.Variable(dim, values, about)
    coords = {name for cube in cubes for name in cube.coords}
    data = {name: variable for name, variable in variables.items() if name not in coords}
    beside = {name: variable for name, variable in variables.items() if name in coords}
    return xr.Dataset(data, coords={**labels, **beside}, attrs=attributes)


def _order_with_lab(order: Sequence[str]) -> str:
    """Put the own dim before the batch, as the order of ties has it."""
    dims = [dim for dim in order if dim != LAB]
    place = dims.index("batch") if "batch" in dims else len(dims)
    return " ".join([*dims[:place], LAB, *dims[place:]])
