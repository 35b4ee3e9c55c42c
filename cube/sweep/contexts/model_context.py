"""A model as a space: everything is computed where it is asked for, nothing is stored."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError
from roofcube.kernels.bounds.not_nan import not_nan
from roofcube.kernels.graph.expression import leaf
from roofcube.kernels.graph.program import PointReader
from roofcube.kernels.graph.space import Space
from roofcube.kernels.query.query import Limit, Query, ask
from roofcube.kernels.tuning import TUNING, Tuning
from roofcube.model.graph import LAYER, build_model
from roofcube.model.made import without_results
from roofcube.sweep.answers.points import empty_value
from roofcube.sweep.contexts.context import Context, ordered_dims
from roofcube.sweep.contexts.exact import EXACT, compared_as_stored, not_held_exactly, ranked
from roofcube.vocabulary import FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from roofcube.kernels.engine.engine import Engine
    from roofcube.kernels.graph.expression import Node
    from roofcube.sweep.contexts.context import Objectives
    from roofcube.sweep.contexts.where import Where

__all__ = ["ModelContext", "space_of"]

Array = np.ndarray[Any, np.dtype[Any]]
PREPARED = 16  # folded graphs kept for a context: a question with other limits then costs no preparation
CHUNK = 1 << 16  # points evaluated at a time, so that layers do not multiply the memory


def space_of(tables: Mapping[str, xr.DataArray], dims: Sequence[str], sizes: Mapping[str, int], dtype: str) -> Space:
    """Lay the tables of a model out over ordered axes."""
    axes = (*dims, LAYER)
    laid = {}
    for name, array in tables.items():
        present = [axis for axis in axes if axis in array.dims]
        values = array.transpose(*present).values
        laid[name] = values.reshape([array.sizes.get(axis, 1) if axis in present else 1 for axis in axes])
    return Space(tuple(dims), tuple(sizes[dim] for dim in dims), laid, (LAYER,), dtype)


class ModelReader:
    """Evaluates every output of a model at points.

    Parameters
    ----------
    space : Space
    outputs : mapping of name to Node
    """

    def __init__(self, space: Space, outputs: Mapping[str, Node]) -> None:
        self.space = space
        self.outputs = outputs
        self.reader = PointReader(space, outputs)

    def at(self, indices: Sequence[Array]) -> dict[str, Array]:
        """Evaluate at points given by one index array an axis."""
        if not indices:
            values = self.space.at(indices, self.outputs)
            return {name: _flagged(name, values[name]) for name in self.outputs}
        points = np.array(indices, dtype=np.int64)
        parts = [self.reader.at(points[:, start : start + CHUNK]) for start in range(0, max(points.shape[1], 1), CHUNK)]
        if len(parts) == 1:
            # a copy: what is the same at all points is still the table's own
            return {name: _flagged(name, np.array(values[:, 0])) for name, values in parts[0].items()}
        return {name: _flagged(name, np.concatenate([part[name][:, 0] for part in parts])) for name in self.outputs}


def _with_tables(space: Space, tables: Mapping[str, Array]) -> Space:
    return replace(space, tables={**space.tables, **tables}) if tables else space


def _flagged(name: str, values: Array) -> Array:
    """Store flags as the small integers that they are."""
    return values.astype("i1") if name in FLAGS else values


class ModelContext(Context):
    """The context of a model: everything is computed where it is asked for.

    Parameters
    ----------
    inputs : Dataset
    assumptions : Assumptions or Calibration
    dims : sequence of str, optional
        Order of the dims, which decides ties.
    dtype : {"f4", "f8"}
    make_engine : callable
        Gives the engine that answers.
    tuning : Tuning
        Thresholds that questions carry along.
    """

    def __init__(
        self,
        inputs: xr.Dataset,
        assumptions: Any,
        *,
        dims: Sequence[str] | None = None,
        dtype: str = "f4",
        make_engine: Callable[[], Engine],
        tuning: Tuning = TUNING,
    ) -> None:
        inputs = self.inputs = without_results(inputs)
        self.assumptions = assumptions
        self.model = build_model(inputs, assumptions)
        self.dims = ordered_dims(self.model.dim_order, dims)
        self.sizes = {dim: self.model.sizes[dim] for dim in self.dims}
        self.coords = {
            str(name): coordinate.variable
            for name, coordinate in self.model.coords.items()
            if LAYER not in coordinate.dims
        }
        counted = {  # coordinates that can be objectives and limits, as those of stored cubes can
            name: self.model.coords[name].astype("f8")
            for name, one in self.coords.items()
            if one.dtype.kind in "fiub" and name not in self.model.outputs and set(one.dims) <= set(self.dims)
        }
        self.outputs = {**self.model.outputs, **{name: leaf(name) for name in counted}}
        said = {"assumptions": assumptions.label, "model": assumptions.description}
        self.attrs = {**inputs.attrs, **said, "dim_order": " ".join(self.dims)}
        self.dtype = dtype
        self.make_engine = make_engine
        self.tuning = tuning
        self.space = space_of({**self.model.tables, **counted}, self.dims, self.model.sizes, dtype)
        self._folded: OrderedDict[Any, Query] = OrderedDict()
        self._not_nan: dict[str, Node] = {}
        self._ranks: dict[str, Array] = {}

    def attributes(self, name: str) -> dict[str, Any]:
        """Return the attributes of an output, or of a coordinate; what was given keeps its own."""
        given = self._given(name)
        return self.model.attributes(name) if given is None else dict(given.attrs)

    def _given(self, name: str) -> xr.Variable | None:
        """Return an input or a coordinate that no term replaces."""
        given: xr.Variable | None = self.inputs.variables.get(name)
        replaced = name in self.outputs and self.outputs[name] is not leaf(name)
        return None if given is None or replaced or LAYER in given.dims else given

    def at(self, indices: Sequence[Array]) -> dict[str, Array]:
        """Evaluate every output at points; what was given and is no float is read as it is."""
        index_of = dict(zip(self.dims, indices, strict=True))
        n = len(indices[0]) if indices else 1
        given = {
            name: np.broadcast_to(one.values[tuple(index_of[str(dim)] for dim in one.dims)], n).copy()
            for name, one in self._as_given.items()
        }
        return self._reader.at(indices) | given

    @cached_property
    def _as_given(self) -> dict[str, xr.Variable]:
        """Inputs that are no floats: whole numbers, booleans, text, times."""
        given = {str(name): self._given(str(name)) for name in self.inputs.data_vars}
        return {name: one for name, one in given.items() if one is not None and one.dtype.kind not in "fc"}

    @cached_property
    def _reader(self) -> ModelReader:
        return ModelReader(self.space, self.model.outputs)

    def nothing(self, n: int) -> dict[str, Array]:
        """Return values for n points of an empty space."""
        made = {
            name: np.full(n, -1, dtype="i1") if name in FLAGS else np.full(n, np.nan, dtype=self.dtype)
            for name in self.model.outputs
        }
        return made | {
            name: np.full(n, empty_value(name, np.empty(0, one.dtype), one.attrs), dtype=one.dtype)
            for name, one in self._as_given.items()
        }

    def engine(self, query: Query) -> Any:  # noqa: ARG002
        """Return the engine: it chooses its strategy itself."""
        return self.make_engine()

    def limit(self, name: str, limit: Limit) -> Limit:  # noqa: ARG002
        """Leave a limit: engines round it to the dtype in which they compute."""
        return limit

    def compared(self, objectives: Objectives) -> Objectives:
        """Put ranks in place of whole numbers that the dtype of the sweep would round."""
        return tuple((self._in_order(name), sign) for name, sign in objectives)

    def _in_order(self, name: str) -> str:
        given = self._given(name)
        if given is None or not compared_as_stored(given, self.dtype):
            return name
        if given.size > EXACT[self.dtype]:
            most = EXACT[self.dtype]
            msg = f'`{name}`: expected at most {most:,} long whole numbers, got {given.size:,}; take dtype="f8"'
            raise InvalidDataError(msg)
        order = f"order of {name}"
        while order in self.outputs:  # a term may have that name
            order += " too"
        if order not in self._ranks:
            table = xr.DataArray(ranked(given.values), dims=given.dims)
            self._ranks[order] = space_of({order: table}, self.dims, self.model.sizes, self.dtype).tables[order]
        return order

    def output(self, what: str, name: str) -> str:
        """Check the name of an output whose values are computed with, not only compared."""
        super().output(what, name)
        given = self._given(name)
        if given is not None and compared_as_stored(given):
            raise not_held_exactly(what, name, given)
        if given is not None and compared_as_stored(given, self.dtype):
            distinct = np.unique(given.values)
            if len(np.unique(distinct.astype(self.dtype))) < len(distinct):
                told = f"expected numbers that {self.dtype} tells apart, got {name!r} of type {given.dtype}"
                msg = f'`{what}`: {told}; take dtype="f8"'
                raise InvalidDataError(msg)
        return name

    def native(self, name: str) -> xr.Variable | None:
        """Return an input of the model or a coordinate as it was given, or a table that derives from them."""
        table = self.model.tables.get(name)
        given = self._given(name)
        return given if given is not None or table is None or LAYER in table.dims else table.variable

    def _prepared(self, names: tuple[str, ...], per: tuple[str, ...], where: Where) -> Query:
        space = _with_tables(self.space, {name: self._ranks[name] for name in names if name in self._ranks})
        if where.masks:
            outputs = self._asked(names) | {name: leaf(name) for name in where.masks}
            space = _with_tables(space, where.tables(len(space.all_axes), space.dtype))
            return ask(space.take(where.kept), outputs, per=per, also=names, tuning=self.tuning)
        labels = tuple((dim, kept.tobytes()) for dim, kept in sorted(where.kept.items()))
        key = (names, per, labels)
        # another thread may take any entry away at any time
        query = self._folded.pop(key, None) or ask(
            space.take(where.kept), self._asked(names), per=per, also=names, tuning=self.tuning
        )
        self._folded[key] = query
        while len(self._folded) > PREPARED:
            self._folded.popitem(last=False)
        return query

    def _asked(self, names: tuple[str, ...]) -> dict[str, Node]:
        asked = self._not_nan if any(name in self._not_nan for name in names) else self.outputs
        return asked | {name: leaf(name) for name in names if name in self._ranks}

    def missing(self, name: str, where: Where) -> int:
        """Count the points that lack a figure, by a graph as small as bounds allow."""
        left = prod(len(where.kept[dim]) if dim in where.kept else size for dim, size in self.sizes.items())
        if not left:
            return 0
        asking = f"known {name}"
        while asking in self.outputs:  # a term may have that name
            asking += " too"
        if asking not in self._not_nan:
            self._not_nan[asking] = not_nan(self.space, self.outputs[name])
        only_labels = where.without_limits()
        return left - self.count_valid(only_labels, Limit(asking, 1.0, None))

    @cached_property
    def row_bytes(self) -> int:
        """Bytes of a point's values and labels."""
        labels = sum(int(variable.dtype.itemsize) for variable in self.coords.values())
        return int(np.dtype(self.dtype).itemsize) * len(self.model.outputs) + labels
