"""A stored cube as a space: its leaves are its own variables; in memory, lazy, or larger than the memory limit.

A variable takes part in the dtype in which it is stored. What floating point cannot hold exactly (datetimes, whole
numbers beyond 2^53) takes part by its ranks, which keep order and ties.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, MemoryLimitError
from roofcube.kernels.engine.arrays import ArrayEngine, suits
from roofcube.kernels.engine.engine import Engine
from roofcube.kernels.graph.expression import leaf
from roofcube.kernels.graph.space import Space
from roofcube.kernels.query.query import Limit, Query, ask
from roofcube.kernels.tuning import TUNING, Tuning
from roofcube.labels import dims_in_order, in_numpy
from roofcube.model.graph import LAYER, dim_order
from roofcube.options import fits_memory, memory_limit, thread_count
from roofcube.sweep.answers.points import empty_value
from roofcube.sweep.contexts.context import Context, with_made
from roofcube.sweep.contexts.exact import WIDE, compared_as_stored, in_memory, is_exact, not_held_exactly, ranked
from roofcube.sweep.contexts.streamed import StreamedEngine, StreamedQuery
from roofcube.sweep.contexts.where import whole_ends
from roofcube.vocabulary import with_meanings
from roofcube.wording import said_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roofcube.kernels.graph.expression import Node
    from roofcube.sweep.contexts.where import Where

__all__ = ["StoredContext"]

Array = np.ndarray[Any, np.dtype[Any]]
POINT_BYTES = 192  # of a slab: columns and masks, flat indices, what sorting takes
NARROW = ("f2", "f4", "i1", "u1", "i2", "u2", "b1")  # dtypes whose values f4 holds exactly


class StoredContext(Context):
    """The context of a stored cube.

    Parameters
    ----------
    cube : Dataset
        Any: predicted, joined, calibrated, loaded, a front, or made by hand; NumPy, dask or lazily read from a file.
    """

    dtype = "f8"

    def __init__(self, cube: xr.Dataset) -> None:
        for dim in cube.dims:
            if not isinstance(dim, str):
                msg = f"`cube`: expected dims with names, got {dim!r}; rename it, cube.rename({{{dim!r}: 'dim_{dim}'}})"
                raise InvalidDataError(msg)
        _check_names_apart(cube)
        self.cube = cube
        self.dims = _dims_of(cube)
        self.sizes = {dim: int(cube.sizes[dim]) for dim in self.dims}
        self.coords = {}
        self.variables: dict[str, xr.Variable] = {}
        labels = cube._coord_names
        self._of_layers = frozenset(str(name) for name, variable in cube.variables.items() if LAYER in variable.dims)
        if cube.data_vars and self._of_layers.issuperset(cube.data_vars):
            msg = (
                f"`cube`: expected a variable of points, got {', '.join(map(str, cube.data_vars))} along {LAYER!r}, "
                f"the layers of a network, of which no question asks; call the dim otherwise: cube.rename({LAYER}=...)"
            )
            raise InvalidDataError(msg)
        for name, variable in cube.variables.items():
            if LAYER not in variable.dims:
                attrs = with_meanings(str(name), variable.dtype.kind, variable.attrs)
                if attrs is not variable.attrs:
                    variable = variable._replace(attrs=dict(attrs))
                if not isinstance(variable.dtype, np.dtype):
                    variable = in_numpy(variable)
                (self.coords if name in labels else self.variables)[str(name)] = variable
        self.outputs: dict[str, Node] = {
            name: leaf(name)
            for part in (self.variables, self.coords)
            for name, variable in part.items()
            if variable.dtype.kind in "fiubmM"
        }
        self.attrs = {**_own_attrs(cube.attrs), "dim_order": " ".join(_named_dims(cube, self.dims))}
        self._tables: dict[str, Array] = {}
        self._is_block = False

    @classmethod
    def of_block(
        cls, whole: StoredContext, variables: Mapping[str, xr.Variable], slices: Mapping[str, slice]
    ) -> StoredContext:
        """Read a block of some variables, with the dims of the whole."""
        part = cls.__new__(cls)
        cut = {
            name: variable.isel({dim: slices[str(dim)] for dim in variable.dims if dim in slices})
            for name, variable in variables.items()
        }
        part.cube = xr.Dataset(cut).load()
        part.dims = whole.dims
        part.sizes = {dim: _length(slices[dim]) if dim in slices else size for dim, size in whole.sizes.items()}
        part.coords = {}
        part.variables = {str(name): part.cube.variables[name] for name in cut}
        part.outputs = {name: leaf(name) for name in part.variables}
        part.attrs = {}
        part._tables = {}
        part._of_layers = frozenset()
        part._is_block = True
        return part

    def attributes(self, name: str) -> dict[str, Any]:
        """Return the attributes of a variable; arrays among them are copies."""
        variable = self.native(name)
        given = {} if variable is None else variable.attrs
        return {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in given.items()}

    def native(self, name: str) -> xr.Variable | None:
        """Return a variable as it is stored; one of each layer has no value at a point."""
        if name in self._of_layers:
            msg = (
                f"`{name}`: runs along {LAYER!r}, the layers of a network, of which no question asks; reduce it along "
                f"them, or call the dim otherwise: cube.rename({LAYER}=...)"
            )
            raise InvalidDataError(msg)
        return self.variables.get(name, self.coords.get(name))

    def limit(self, name: str, limit: Limit) -> Limit:
        """Round the ends as the variable is stored, so that a limit equal to a stored value includes it."""
        kind = self._variable(name).dtype
        if kind.kind in "iub":
            low, high = whole_ends(limit.low, limit.high, -WIDE, WIDE)
            one_of = None if limit.one_of is None else tuple(one for one in limit.one_of if abs(one) <= WIDE)
            return Limit(limit.name, low, high, one_of)
        if kind.itemsize >= 8:
            return limit
        low, high, one_of = limit.rounded(kind)
        low, high = (None if end is None else float(end) for end in (low, high))
        return Limit(limit.name, low, high, None if one_of is None else tuple(map(float, one_of)))

    def engine(self, query: Query) -> Any:
        """Read the values; where they span a product much larger than themselves, ask bounds."""
        if isinstance(query, StreamedQuery):
            return StreamedEngine(thread_count())
        return ArrayEngine(thread_count()) if suits(query) else Engine("auto", thread_count())

    @cached_property
    def tuning(self) -> Tuning:
        """What is laid out beside the values at a time is a share of the memory limit too."""
        points = min(TUNING.slab_points, prod(self.sizes.values()))
        if points <= TUNING.small_space or fits_memory(points * POINT_BYTES):
            return TUNING
        slab = max(TUNING.small_space, memory_limit() // POINT_BYTES)
        return replace(TUNING, slab_points=slab, mask_points=slab)

    @property
    def names(self) -> list[str]:
        """Every variable and coordinate."""
        return [*self.variables, *self.coords]

    @cached_property
    def row_bytes(self) -> int:
        """Bytes of a point's values and labels."""
        return sum(variable.dtype.itemsize for part in (self.variables, self.coords) for variable in part.values())

    # tables -------------------------------------------------------------------------------------------------------

    def _variable(self, name: str) -> xr.Variable:
        variable = self.native(name)
        assert variable is not None
        return variable

    def _table(self, name: str) -> Array:
        """Return a variable at full rank, of length 1 along the dims that it lacks; numbers without a copy."""
        if name not in self._tables:
            variable = self._variable(name)
            values = np.asarray(variable.values)
            if not is_exact(values):
                if self._is_block:
                    msg = (
                        f"`{name}`: larger than the memory limit and of type {values.dtype}, which is compared as a "
                        "whole; raise the limit with `roofcube.set_options(memory=...)`, or select a part of the cube"
                    )
                    raise MemoryLimitError(msg)
                values = ranked(values)
            values = _native(values)
            present = [dim for dim in self.dims if dim in variable.dims]
            moved = values.transpose([variable.dims.index(dim) for dim in present])
            self._tables[name] = moved[tuple(slice(None) if dim in present else None for dim in self.dims)]
        return self._tables[name]

    def _load(self, names: Sequence[str]) -> None:
        """Read what is not in memory, all of it at once."""
        lazy = {name: one for name in names if not in_memory(one := self._variable(name))}
        if lazy:
            loaded = xr.Dataset(lazy).load()
            for name in lazy:
                part = self.coords if name in self.coords else self.variables
                part[name] = loaded.variables[name]

    def _space(self, names: Sequence[str], masks: Mapping[str, Array]) -> Space:
        self._load([name for name in names if name not in masks])
        tables = {name: masks[name] if name in masks else self._table(name) for name in names}
        narrow = all(table.dtype.str[1:] in NARROW for table in tables.values())
        sizes = tuple(self.sizes[dim] for dim in self.dims)
        return Space(self.dims, sizes, tables, (), "f4" if narrow and tables else "f8", True)

    def _prepared(self, names: tuple[str, ...], per: tuple[str, ...], where: Where) -> Query:
        outputs = {name: self.outputs[name] if name in self.outputs else leaf(name) for name in names}
        if self._too_large(names, where):
            return StreamedQuery.over(self, names, per, where)
        space = self._space(names, where.masks).take(where.kept)
        query = _query_of_leaves(space, outputs, per, self.tuning)
        if suits(query):
            return query
        cast = {name: table.astype(space.dtype, copy=False) for name, table in space.tables.items()}
        return ask(replace(space, tables=cast), outputs, per=per, also=names, tuning=self.tuning)

    def _too_large(self, names: Sequence[str], where: Where) -> bool:
        """Check whether variables that are not in memory would not fit into it."""
        lazy = [self._variable(name) for name in names if name not in where.masks]
        size = sum(variable.nbytes for variable in lazy if not in_memory(variable))
        return not fits_memory(size)

    def missing(self, name: str, where: Where) -> int:
        """Count the points that lack a figure: those of its own dims, times the others."""
        lengths = {dim: len(where.kept[dim]) if dim in where.kept else size for dim, size in self.sizes.items()}
        if self._too_large([name], where):
            return prod(lengths.values()) - self.count_valid(where.without_limits(), Limit(name))
        self._load([name])
        table = self._table(name)
        if table.dtype.kind != "f" or not table.size or not np.isnan(np.minimum.reduce(table, axis=None)):
            return 0
        for axis, dim in enumerate(self.dims):
            if dim in where.kept and table.shape[axis] != 1:
                table = table.take(where.kept[dim], axis=axis)
        others = (
            lengths[dim] for dim, length in zip(self.dims, table.shape, strict=True) if length == 1 != lengths[dim]
        )
        return int(np.count_nonzero(np.isnan(table))) * prod(others)

    # values ---------------------------------------------------------------------------------------------------------

    def at(self, indices: Sequence[Array]) -> dict[str, Array]:
        """Read every variable at points; what has the same dims is found by one index into its flat values."""
        index_of = dict(zip(self.dims, indices, strict=True))
        n = len(indices[0]) if indices else 1
        flat: dict[tuple[Any, ...], Array] = {}
        lazy: dict[str, xr.Variable] = {}
        values: dict[str, Array] = {}
        for name, variable in self.variables.items():
            data = variable._data
            if not isinstance(data, np.ndarray):
                if not in_memory(variable):
                    lazy[name] = variable
                    continue
                data = np.asarray(variable.values)
            if not variable.dims:
                values[name] = np.full(n, data[()]) if data.dtype.kind != "O" else _full_of(n, data[()])
                continue
            if not data.flags.c_contiguous:
                values[name] = data[tuple(index_of[str(dim)] for dim in variable.dims)]
                continue
            key = variable.dims
            if key not in flat:
                flat[key] = _flat_index([index_of[str(dim)] for dim in key], data.shape)
            values[name] = data.reshape(-1)[flat[key]]
        if lazy:
            values |= self._loaded_at(lazy, index_of, n)
        return {name: values[name] for name in self.variables}

    def _loaded_at(self, lazy: dict[str, xr.Variable], index_of: dict[str, Array], n: int) -> dict[str, Array]:
        """Read points of what is not in memory, all of it at once."""
        picked = {}
        for name, variable in lazy.items():
            keys = tuple(xr.Variable("point", index_of[str(dim)]) for dim in variable.dims)
            picked[name] = variable[keys] if keys else variable
        loaded = xr.Dataset(picked).load()
        return {
            name: np.full(n, loaded[name].values) if loaded[name].ndim == 0 else loaded[name].values for name in lazy
        }

    def nothing(self, n: int) -> dict[str, Array]:
        """Return values for n points of an empty space."""
        made = {}
        for name, variable in self.variables.items():
            of = np.asarray(variable.values) if variable.dtype.kind == "O" else np.empty(0, dtype=variable.dtype)
            empty = empty_value(name, of, variable.attrs)
            made[name] = _full_of(n, empty) if variable.dtype.kind == "O" else np.full(n, empty, dtype=variable.dtype)
        return made

    def output(self, what: str, name: str) -> str:
        """Check the name of a variable whose values are computed with, not only compared."""
        if isinstance(name, str):
            self.native(name)
        super().output(what, name)
        variable = self._variable(name)
        if compared_as_stored(variable):
            raise not_held_exactly(what, name, variable)
        return name


def _check_names_apart(cube: xr.Dataset) -> None:
    """Raise where two variables have one name in an answer, in which all names are text."""
    names = {str(name): name for name in cube.variables}
    if len(names) == len(cube.variables):
        return
    other = next(name for name in cube.variables if names[str(name)] is not name)
    one = names[str(other)]
    odd = other if isinstance(one, str) else one
    msg = (
        f"`cube`: expected variables with names that differ as text, got {other!r} and {one!r}; rename one, "
        f"cube.rename({{{odd!r}: 'variable_{odd}'}})"
    )
    raise InvalidDataError(msg)


def _own_attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Leave out what an earlier front said of its own question."""
    if "n_points" not in attrs:
        return dict(attrs)
    account = ("n_points", "objectives", "missing_", "removed_by_")
    return {name: value for name, value in attrs.items() if not str(name).startswith(account)}


def _dims_of(cube: xr.Dataset) -> tuple[str, ...]:
    """Order the dims as ties are decided: as the cube says in its attrs, else known ones, own ones, batch last."""
    said = [dim for dim in said_order(cube.attrs, cube.dims) if dim != LAYER]
    # dims that only a coordinate of another name has come last of their kind
    names = dict.fromkeys([*said, *dim_order(cube), *(str(dim) for dim in cube.dims if dim != LAYER)])
    order = tuple(dims_in_order(names))
    if [dim for dim in order if dim in said] == said:
        return order
    return with_made([name for name in names if name in said], [name for name in names if name not in said])


def _named_dims(cube: xr.Dataset, dims: Sequence[str]) -> list[str]:
    """Name the dims, and those of before that are labels along them: a front's stand in the place of its points."""
    said = said_order(cube.attrs, [*dims, *cube.coords])
    beside = [name for name in said if name not in dims and set(cube[name].dims) & set(dims)]
    points = {"point"} if any(cube[name].dims == ("point",) for name in beside) else set()
    return [*(dim for dim in dims if dim not in points), *beside]


def _length(cut: slice) -> int:
    return int(cut.stop - cut.start)


def _full_of(n: int, value: Any) -> Array:
    filled = np.empty(n, dtype=object)
    filled[:] = [value] * n
    return filled


def _flat_index(indices: Sequence[Array], shape: Sequence[int]) -> Array:
    flat = indices[0]
    for index, size in zip(indices[1:], shape[1:], strict=True):
        flat = flat * size + index
    return flat


def _native(values: Array) -> Array:
    """Return numbers in the machine's byte order, and booleans as numbers."""
    if values.dtype.kind == "b":
        return values.view("u1")
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def _query_of_leaves(space: Space, outputs: Mapping[str, Node], per: Sequence[str], tuning: Tuning) -> Query:
    """Leave out the axes that nothing depends on, and put those of groups first; nothing is folded or cast."""
    tables = space.tables.values()
    used = [
        axis for k, axis in enumerate(space.axes) if space.sizes[k] == 0 or any(table.shape[k] != 1 for table in tables)
    ]
    groups = [axis for axis in per if axis in used]
    others = [axis for axis in used if axis not in per]
    copies = prod(
        size for axis, size in zip(space.axes, space.sizes, strict=True) if axis not in used and axis not in per
    )
    return Query(space.reordered([*groups, *others]), outputs, len(groups), (), (), copies, tuning)
