"""Variables of several cubes laid over each other by label, for `merge`: where each lies, and what of it is known.

What has no dim along which the cubes differ holds for the labels of its cube alone: the power of one board is not that
of another. It is therefore compared in one cell for each group of labels that the same cubes have, and gets the dims
along which it proves not to be the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.labels import dims_in_order, full_rank
from roofcube.vocabulary import (
    DESCRIBING,
    DIMS,
    HARDWARE_FACTS,
    INFEASIBLE,
    LAB,
    NETWORK_DIMS,
    NETWORK_FACTS,
    OFFER,
    VARIABLES,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Frame",
    "Groups",
    "Indexes",
    "agreed",
    "at_all_labels",
    "beside_each_other",
    "frame_of",
    "is_equal",
    "is_own",
    "label_groups",
    "not_found",
    "shared",
]

Array = np.ndarray[Any, np.dtype[Any]]
Indexes = dict[str, Array]
Groups = dict[str, tuple[Array, Array]]  # by dim: the place of one label of each group, and the group of each label
ABSENT_IS_NO = ("mode_offered",)  # 0 where a platform was not asked for the mode, which no flag says
BOARDS = (OFFER, "platform")
# dims that a fact has nothing to do with
APART = {
    **dict.fromkeys(HARDWARE_FACTS, (*NETWORK_DIMS, "batch", LAB)),
    **dict.fromkeys(NETWORK_FACTS, (OFFER, "platform", "mode", "batch", LAB)),
    "layer_tile_use": ("mode", "batch", LAB),
}


# where values lie -----------------------------------------------------------------------------------------------------


def label_groups(cubes: Sequence[xr.Dataset], indexes: Indexes) -> Groups:
    """Group the labels of each dim by the cubes that have them; dims whose labels are in all cubes are left out."""
    groups = {}
    for dim, labels in indexes.items():
        has = np.zeros((len(labels), len(cubes)), dtype=bool)
        for number, cube in enumerate(cubes):
            has[_places_of_labels(cube, dim, labels), number] = True
        _, first, group = np.unique(has, axis=0, return_index=True, return_inverse=True)
        if len(first) > 1:
            groups[dim] = (first, group.reshape(-1))
    return groups


def _places_of_labels(cube: xr.Dataset, dim: str, labels: Array) -> Array:
    """Return where the labels of a cube are among all; what has no such dim holds for all."""
    if dim not in cube.sizes or dim not in cube.coords:
        return np.arange(len(labels))
    order = np.argsort(labels)
    return np.asarray(order[np.searchsorted(labels, cube[dim].values, sorter=order)])


@dataclass(frozen=True)
class Frame:
    """The cells that a variable is laid in: by labels of its dims, and by groups of labels of those that it lacks."""

    own: tuple[str, ...]  # dims that it has in any cube
    added: tuple[str, ...]  # dims along which the cubes differ and that it lacks, the first to be dropped first
    shown: tuple[str, ...]  # of these, the dims that it was shown not to depend on
    indexes: Indexes
    groups: Groups

    @property
    def dims(self) -> tuple[str, ...]:
        """All dims, those that were added first."""
        return (*self.added, *self.own)

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each dim."""
        return (*(len(self.groups[dim][0]) for dim in self.added), *(len(self.indexes[dim]) for dim in self.own))

    @property
    def least(self) -> int:
        """Cells, if no dim is added."""
        return prod(len(self.indexes[dim]) for dim in self.own)

    @property
    def most(self) -> int:
        """Cells that are compared."""
        return prod(self.shape)

    def places(self, cube: xr.Dataset) -> list[Array]:
        """Return where a cube lies, along each dim."""
        at = {dim: _places_of_labels(cube, dim, self.indexes[dim]) for dim in self.dims}
        return [np.unique(self.groups[dim][1][at[dim]]) if dim in self.added else at[dim] for dim in self.dims]

    def box(self, cube: xr.Dataset) -> Any:
        """Return the index of a cube's cells."""
        return np.ix_(*self.places(cube)) if self.dims else ()


def frame_of(name: Any, cubes: Sequence[xr.Dataset], indexes: Indexes, groups: Groups, *, lab: bool) -> Frame:
    """Find the cells in which a variable is compared; measurements alone depend on `lab`."""
    holders = [cube for cube in cubes if name in cube.variables]
    own = tuple(dict.fromkeys(str(dim) for cube in holders for dim in cube.variables[name].dims))
    narrow = Frame(own, (), (), indexes, groups)
    apart = (*own, *APART.get(name, () if lab else (LAB,)))
    added = [dim for dim in reversed(dims_in_order(groups)) if dim not in apart]
    is_label = name in DIMS and any(name in cube.coords for cube in holders)  # to which a cube was cut
    if not added or is_label or _is_everywhere_the_same(name, cubes, narrow):
        return narrow
    # a model's results have the dims that they depend on, but for that of a platform alone; of others one label shows
    # nothing
    predicted = name in VARIABLES and not lab
    shown = [
        dim
        for dim in added
        if name in APART or (dim not in BOARDS and (predicted or all(cube.sizes.get(dim, 2) > 1 for cube in holders)))
    ]
    return Frame(own, (*shown, *(dim for dim in added if dim not in shown)), tuple(shown), indexes, groups)


def _is_everywhere_the_same(name: Any, cubes: Sequence[xr.Dataset], frame: Frame) -> bool:
    if any(name not in cube.variables for cube in cubes) or any(dim in frame.groups for dim in frame.own):
        return False
    first, _ = _laid_in_frame(name, cubes[0], frame)
    laid = (_laid_in_frame(name, cube, frame)[0] for cube in cubes[1:])
    return all(np.all((first == values) | ((first != first) & (values != values))) for values in laid)


# values ---------------------------------------------------------------------------------------------------------------


def not_found(name: Any, variable: xr.Variable, dtype: np.dtype[Any]) -> Any:
    """Return what a variable has where no cube has a value."""
    from roofcube.sweep.answers.points import empty_value

    if name in ABSENT_IS_NO:
        return np.zeros((), dtype=dtype)
    if dtype.kind == "O":
        return ""
    return empty_value(name, np.empty(0, dtype=dtype), variable.attrs)


def _is_known(name: Any, variable: xr.Variable, values: Array) -> Array:
    """Tell which values of a cube say something: all but those that stand for no value of this variable."""
    nothing = not_found(name, variable, variable.dtype)
    if variable.dtype.kind in "iub" and not _stands_for_none(name, variable, nothing.item()):
        return np.ones(values.shape, dtype=bool)
    return np.asarray(values == values if nothing != nothing else values != nothing)


def _stands_for_none(name: Any, variable: xr.Variable, nothing: Any) -> bool:
    """Check whether a whole number is none of what a variable can be; of any other, 0 and -1 are values."""
    from roofcube.sweep.answers.points import COUNTS

    if name in (*COUNTS, *ABSENT_IS_NO) or "flag_masks" in variable.attrs:
        return True
    codes = np.atleast_1d(variable.attrs.get("flag_values", ())).tolist()
    if codes:
        meanings = str(variable.attrs.get("flag_meanings", "")).split()
        return (
            dict(zip(codes, meanings, strict=False)).get(nothing, "none") == "none"
            if meanings
            else nothing not in codes
        )
    return nothing == -1 and (name in VARIABLES or name in DESCRIBING)


def is_own(name: Any, variable: xr.Variable) -> bool:
    """Check whether a variable is the user's own, of whose numbers none says that there is no value."""
    from roofcube.sweep.answers.points import COUNTS

    flags = {"flag_values", "flag_masks", "flag_meanings"} & set(variable.attrs)
    return not flags and name not in VARIABLES and name not in (*DESCRIBING, *COUNTS, *ABSENT_IS_NO)


def _laid_in_frame(name: Any, cube: xr.Dataset, frame: Frame) -> tuple[Array, Array]:
    """Lay a variable of one cube in its cells; return values, and where they are known."""
    variable = cube.variables[name]
    values = np.full(frame.shape, not_found(name, variable, variable.dtype), dtype=variable.dtype)
    known = np.zeros(frame.shape, dtype=bool)
    box, own = frame.box(cube), np.asarray(full_rank(variable, frame.dims))
    values[box], known[box] = own, _is_known(name, variable, own)
    return values, known


def _is_sure(name: Any, values: Array) -> Array | bool:
    """Tell where another cube cannot know better: one may have an accuracy of a network that the other lacks."""
    return values != INFEASIBLE["untrained"] if name == "infeasible" else True


def agreed(name: Any, cubes: Sequence[xr.Dataset], frame: Frame) -> xr.Variable | None:
    """Lay the values of all cubes over each other; None where two of them differ."""
    first, *others = [cube for cube in cubes if name in cube.variables]
    values, known = _laid_in_frame(name, first, frame)
    for cube in others:
        laid, new = _laid_in_frame(name, cube, frame)
        sure = _is_sure(name, laid)
        if np.any(known & new & sure & _is_sure(name, values) & (values != laid)):
            return None
        values = values.astype(np.result_type(values.dtype, laid.dtype), copy=False)
        np.copyto(values, laid, where=new & (sure | ~known))
        known |= new
    seen = np.zeros(values.shape if frame.added else (), dtype=bool)
    for cube in cubes if frame.added else ():
        seen[frame.box(cube)] = True
    return _without_added_dims(name, cubes, frame, values, known, seen)


def beside_each_other(name: Any, cubes: Sequence[xr.Dataset], frame: Frame) -> xr.Variable:
    """Lay the values of each cube at its own place along `lab`."""
    laid = {number: _laid_in_frame(name, cube, frame) for number, cube in enumerate(cubes) if name in cube.variables}
    dtype = np.result_type(*(values.dtype for values, _ in laid.values()))
    first = next(cube.variables[name] for cube in cubes if name in cube.variables)
    values = np.full((len(cubes), *frame.shape), not_found(name, first, dtype), dtype=dtype)
    known, seen = np.zeros(values.shape, dtype=bool), np.zeros(values.shape, dtype=bool)
    for number, of_cube in laid.items():
        values[number], known[number] = of_cube
        seen[number][frame.box(cubes[number])] = True
    return _without_added_dims(name, cubes, frame, values, known, seen)


def _without_added_dims(
    name: Any, cubes: Sequence[xr.Dataset], frame: Frame, values: Array, known: Array, seen: Array
) -> xr.Variable:
    """Drop the added dims along which a variable is the same, where cubes have cells or, if need be, everywhere."""
    held = [cube.variables[name] for cube in cubes if name in cube.variables]
    before = (LAB,) if values.ndim > len(frame.dims) else ()
    dims = [*before, *frame.dims]
    for dim in frame.added:
        place = dims.index(dim)
        one = np.take_along_axis(values, np.expand_dims(known.argmax(axis=place), place), axis=place)
        gaps = ~known & seen if dim in frame.shown else ~known
        if np.any(known & (values != one)) or np.any(known.any(axis=place) & gaps.any(axis=place)):
            continue
        values = one.squeeze(place)
        known, seen = (np.asarray(mask.any(axis=place)) for mask in (known, seen))
        dims.remove(dim)
    if values.dtype.kind in "biuf" and not known.all() and is_own(name, held[0]):
        values = np.where(known, values, np.nan)
    rest = dims[len(before) :]
    order = held[0].dims if set(held[0].dims) == set(rest) else dims_in_order([*held[0].dims, *rest])
    attributes = shared([variable.attrs for variable in held])
    return xr.Variable(dims, values, attributes).transpose(*before, *order)


def at_all_labels(variable: xr.Variable, frame: Frame) -> xr.Variable:
    """Give each label of the dims that were added the values of its group."""
    return variable.isel({dim: frame.groups[dim][1] for dim in frame.added if dim in variable.dims})


# attributes -----------------------------------------------------------------------------------------------------------


def shared(attributes: Sequence[dict[Any, Any]]) -> dict[Any, Any]:
    """Keep the attributes that no cube contradicts."""
    kept = {key: value for one in reversed(attributes) for key, value in one.items()}
    return {
        key: value for key, value in kept.items() if all(is_equal(one[key], value) for one in attributes if key in one)
    }


def is_equal(one: Any, other: Any) -> bool:
    """Check whether two attributes are the same."""
    return bool(np.array_equal(np.asarray(one), np.asarray(other)))
