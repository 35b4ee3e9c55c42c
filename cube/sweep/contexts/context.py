"""The context of a question: a space with labels, a model's or a stored cube's; to queries of the kernels, and back.

A question is asked of a `Context`. What differs between a model that is never stored (`ModelContext`) and a stored cube
(`stored`) is where tables come from and how a point's values are read; the rest is the same, so that the same question
has the same answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.errors import InvalidDataError, unknown_label
from roofcube.kernels.query.query import check_countable
from roofcube.labels import known_labels
from roofcube.sweep.contexts.where import Where, read_where
from roofcube.vocabulary import sense_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import xarray as xr

    from roofcube.kernels.graph.expression import Node
    from roofcube.kernels.query.query import Limit, Query

__all__ = [
    "AT",
    "FOUND",
    "BoundQuery",
    "Context",
    "Grouping",
    "Names",
    "Objectives",
    "added_names",
    "check_names",
    "names_of",
    "ordered_dims",
    "with_made",
]

Array = np.ndarray[Any, np.dtype[Any]]
Names = str | list[str] | tuple[str, ...] | None
Objectives = tuple[tuple[str, int], ...]  # output and sign: 1 where more is better, -1 where less is
FOUND, AT = "whether any point meets the limits", "whether the space holds the labels"  # `long_name` of `found`


@dataclass(frozen=True)
class Grouping:
    """The labels of a coordinate that groups the indices of a dim, such as `device_class` of `platform`."""

    name: str
    dim: str
    labels: Array
    indices: tuple[Array, ...]

    def left(self, kept: Array | None) -> Grouping:
        """Leave out the labels of which limits on the dim leave no index."""
        if kept is None:
            return self
        places = [place for place, indices in enumerate(self.indices) if np.isin(indices, kept).any()]
        return replace(self, labels=self.labels[places], indices=tuple(self.indices[place] for place in places))


@dataclass(frozen=True, eq=False)
class BoundQuery:
    """A query with what leads from its flat indices back to the whole space.

    Attributes
    ----------
    axes, sizes : of the whole space
    query : Query
    kept : dict of axis to int array
        Indices that limits on labels left, for the axes that they cut.
    """

    axes: tuple[str, ...]
    sizes: Mapping[str, int]
    query: Query
    kept: Mapping[str, Array]

    def group(self, number: int) -> BoundQuery:
        """Return the query of one group alone."""
        return replace(self, query=self.query.group(number))

    def indices(self, flat: Array) -> list[Array]:
        """Return the index along every axis of the whole space; 0, the first one left, along axes that play no role."""
        space = self.query.space
        if len(space.sizes) == 1 and len(self.axes) == 1:
            return [self.original(self.axes[0], flat)]
        index = np.unravel_index(flat, space.sizes) if space.sizes else ()
        inside = dict(zip(space.axes, index, strict=True))
        zero = np.zeros(len(flat), dtype=np.int64)
        return [self.original(axis, inside.get(axis, zero)) for axis in self.axes]

    def original(self, axis: str, index: Array) -> Array:
        """Turn an index along a cut axis into one along the whole axis."""
        return self.kept[axis][index] if axis in self.kept else index

    @property
    def free(self) -> list[str]:
        """Axes that the query does not depend on."""
        return [axis for axis in self.axes if axis not in self.query.space.axes]

    def length(self, axis: str) -> int:
        """Length of an axis after limits on labels."""
        return len(self.kept[axis]) if axis in self.kept else self.sizes[axis]

    def expanded(self, flat: Array, number: Array, per: Sequence[str] = ()) -> tuple[list[Array], Array]:
        """Repeat points for every index along the free axes but `per`, in the tie order of the whole space.

        Returns
        -------
        indices : list of arrays
        number : array
            `number` of the point that each came from.
        """
        free = [axis for axis in self.free if axis not in per]
        lengths = [self.length(axis) for axis in free]
        copies = prod(lengths)
        indices = self.indices(flat)
        if copies != 1:
            indices = [np.repeat(index, copies) for index in indices]
            number = np.repeat(number, copies)
        inner = np.unravel_index(np.tile(np.arange(copies), len(flat)), lengths) if lengths else ()
        for axis, index in zip(free, inner, strict=True):
            indices[self.axes.index(axis)] = self.original(axis, index)
        return indices, number


class Context(ABC):
    """A space with labels that questions are asked of.

    Attributes
    ----------
    dims : tuple of str
        In the order that decides ties.
    sizes : dict of dim to int
    outputs : dict of name to Node
        Numbers that can be objectives and limits.
    coords : dict of name to Variable
        Over the dims, or scalar.
    attrs : dict
        What every answer carries.
    dtype : {"f4", "f8"}
        Of answers that are computed, such as edges of bins.
    """

    dims: tuple[str, ...]
    sizes: dict[str, int]
    outputs: dict[str, Node]
    coords: dict[str, xr.Variable]
    attrs: dict[str, Any]
    dtype: str

    @cached_property
    def size(self) -> int:
        """Number of points."""
        return prod(self.sizes.values())

    @abstractmethod
    def at(self, indices: Sequence[Array]) -> dict[str, Array]:
        """Read every variable that is no coordinate at points, given by one index array a dim."""

    @abstractmethod
    def attributes(self, name: str) -> dict[str, Any]:
        """Return the attributes of an output or variable."""

    @abstractmethod
    def nothing(self, n: int) -> dict[str, Array]:
        """Return what `at` gives, for n points of a space without points."""

    @abstractmethod
    def engine(self, query: Query) -> Any:
        """Choose what answers a query."""

    @abstractmethod
    def limit(self, name: str, limit: Limit) -> Limit:
        """Round a limit as the variable is stored."""

    @abstractmethod
    def native(self, name: str) -> xr.Variable | None:
        """Return a stored variable, of any dtype, that limits may have to look at themselves."""

    @abstractmethod
    def _prepared(self, names: tuple[str, ...], per: tuple[str, ...], where: Where) -> Query:
        """Fold what a query about some outputs needs."""

    @abstractmethod
    def missing(self, name: str, where: Where) -> int:
        """Count the points of the space that `where` leaves by their labels and that lack a figure."""

    @property
    def names(self) -> list[str]:
        """Every variable and coordinate of a point."""
        return [*self.outputs, *(name for name in self.coords if name not in self.outputs)]

    @property
    @abstractmethod
    def row_bytes(self) -> int:
        """Bytes of a point's values and labels."""

    @cached_property
    def label_arrays(self) -> dict[str, Array]:
        """The labels of every coordinate."""
        return {name: np.asarray(variable.values) for name, variable in self.coords.items()}

    @cached_property
    def label_codes(self) -> dict[str, tuple[list[str], Array]]:
        """The distinct labels of every text coordinate along dims, and the number of each label among them."""
        codes = {}
        for name, variable in self.coords.items():
            if variable.ndim and variable.dtype.kind in "UO":
                labels = self.label_arrays[name]
                # NumPy takes a tuple for an array, which a label of several levels is
                if labels.dtype.kind == "O":
                    labels = np.array([str(one) for one in labels.ravel()], dtype=str).reshape(labels.shape)
                distinct, start, number = np.unique(labels, return_index=True, return_inverse=True)
                order = np.argsort(start, kind="stable")
                rank = np.empty(len(order), dtype="i4")
                rank[order] = np.arange(len(order), dtype="i4")
                codes[name] = distinct[order].tolist(), rank[number.reshape(labels.shape)]
        return codes

    # reading a question -------------------------------------------------------------------------------------------

    def where(self, where: Any) -> Where:
        """Read `where`.

        Raises
        ------
        InvalidDataError
            If what a limit becomes has the name of a variable; and all that `read_where` raises.
        """
        read = where if isinstance(where, Where) else read_where(self, where)
        for name in read.masks:
            if name in self.outputs or name in self.coords:
                msg = (
                    f"`cube`: expected no variable {name!r} where that limit is set, for the limit has that name; "
                    f"rename it, e.g. cube.rename({{{name!r}: 'own'}})"
                )
                raise InvalidDataError(msg)
        return read

    def sign(self, objective: str, sense: str | None = None, *, what: str = "objective") -> int:
        """Return 1 where more of an objective is better, -1 where less is."""
        if not isinstance(objective, str) or objective not in self.outputs:
            variable = self.native(objective) if isinstance(objective, str) else None
            if variable is not None:
                msg = (
                    f"`{what}`: expected a numeric variable, got {objective!r} of type {variable.dtype}; choose one "
                    f"of {', '.join(self.outputs)}"
                )
                raise InvalidDataError(msg)
            raise unknown_label(what, objective, self.outputs)
        place = "sense" if what == "objective" else f"objectives[{objective!r}]"
        chosen: Any = sense_of(objective, self.attributes(objective)) if sense is None else sense
        if chosen is None:
            do = "say which way is better with `sense`"
            if what == "objectives":
                do = f'give a mapping that says which way is better, e.g. {{"{objective}": "max"}}'
            msg = f"`{place}`: expected 'max' or 'min' for {objective!r}, got None; {do}"
            raise InvalidDataError(msg)
        if not isinstance(chosen, str) or chosen not in ("max", "min"):  # an array is compared cell by cell
            msg = f"`{place}`: expected 'max' or 'min', got {chosen!r:.60}; say which way is better"
            raise InvalidDataError(msg)
        return 1 if chosen == "max" else -1

    def objectives(self, objectives: Mapping[str, str | None] | Sequence[str] | str) -> Objectives:
        """Read objectives with their senses."""
        if isinstance(objectives, Mapping):
            given = dict(objectives)
        else:
            given = dict.fromkeys(names_of(objectives, what="objectives"))
        if not given:
            msg = '`objectives`: expected at least one variable, got none; give e.g. {"predicted_throughput": "max"}'
            raise InvalidDataError(msg)
        return tuple((name, self.sign(name, sense, what="objectives")) for name, sense in given.items())

    def compared(self, objectives: Objectives) -> Objectives:
        """Return outputs that order points as objectives do, of which the dtype of answers may round some."""
        return objectives

    def output(self, what: str, name: str) -> str:
        """Check the name of an output."""
        if not isinstance(name, str) or name not in self.outputs:
            raise unknown_label(what, name, self.outputs)
        return name

    def per(self, per: Names, where: Where | None = None) -> tuple[list[str], list[Grouping]]:
        """Part what to group by into dims and coordinates along dims; a coordinate of a dim named too adds nothing.

        Of a coordinate, as of a dim, only the labels that limits on labels leave are groups.
        """
        names = names_of(per)
        dims = [name for name in names if isinstance(name, str) and name in self.dims]
        groupings = []
        for name in names:
            if isinstance(name, str) and name in dims:
                continue
            coordinate = self.coords.get(name) if isinstance(name, str) else None
            if coordinate is None or coordinate.ndim != 1:
                others = [label for label, one in self.coords.items() if one.ndim == 1 and label not in self.dims]
                raise unknown_label("per", name, [*self.dims, *others])
            dim = str(coordinate.dims[0])
            if dim not in dims:
                grouping = self._grouping(name, dim)
                groupings.append(grouping if where is None else grouping.left(where.kept.get(dim)))
        return dims, groupings

    @cached_property
    def _groupings(self) -> dict[str, Grouping]:
        return {}

    def _grouping(self, name: str, dim: str) -> Grouping:
        if name not in self._groupings:
            self._groupings[name] = self._grouped(name, dim)
        return self._groupings[name]

    def _grouped(self, name: str, dim: str) -> Grouping:
        labels = known_labels(name, self.coords[name])
        if labels.dtype.kind == "O":  # text of a file; None and NaN are no labels
            places: dict[Any, list[int]] = {}
            for place, one in enumerate(labels.tolist()):
                if one is not None and one == one:
                    places.setdefault(one, []).append(place)
            distinct = np.empty(len(places), dtype=object)
            distinct[:] = list(places)  # of tuples NumPy would make a table
            return Grouping(name, dim, distinct, tuple(map(np.array, places.values())))
        valid = np.flatnonzero(labels == labels)
        distinct, start, number = np.unique(labels[valid], return_index=True, return_inverse=True)
        order = np.argsort(start, kind="stable")
        members = tuple(valid[number.reshape(-1) == place] for place in order)
        return Grouping(name, dim, distinct[order], members)

    # asking -------------------------------------------------------------------------------------------------------

    def query(
        self,
        where: Where,
        *,
        objectives: Objectives = (),
        limits: Sequence[Limit] | None = None,
        per: Sequence[str] = (),
        also: Sequence[str] = (),
    ) -> BoundQuery:
        """Cut the space by labels and fold it down to what one query needs."""
        limited = tuple(where.limits if limits is None else limits)
        names = tuple(dict.fromkeys([name for name, _ in objectives] + [limit.name for limit in limited] + list(also)))
        prepared = self._prepared(names, tuple(per), where)
        query = replace(prepared, objectives=tuple(objectives), limits=limited)
        return BoundQuery(self.dims, self.sizes, query, where.kept)

    def check_countable(self, where: Where) -> None:
        """Raise where limits on labels leave more points than can be counted."""
        check_countable({dim: len(where.kept[dim]) if dim in where.kept else size for dim, size in self.sizes.items()})

    def count_valid(self, where: Where, limit: Limit) -> int:
        """Count the points that limits on labels leave and that meet one more limit."""
        if not self.size:
            return 0
        bound = self.query(where, limits=[limit])
        return int(self.engine(bound.query).count(bound.query).sum())

    def removed(self, objectives: Objectives, where: Where, missing: Mapping[str, int] | None = None) -> dict[str, Any]:
        """Count what each limit and each missing figure removes, each alone; limits on labels first.

        What is known to be missing is not counted again.
        """
        removed: dict[str, Any] = {"n_points": self.size}
        for name, (dim, kept) in where.by_label.items():
            removed[f"removed_by_{name}"] = self.size - self.size // max(1, self.sizes[dim]) * len(kept)
        left = prod(len(where.kept[dim]) if dim in where.kept else size for dim, size in self.sizes.items())
        for name, limit in where.by_limit.items():
            removed[f"removed_by_{name}"] = left - self.count_valid(where, limit)
        for name, _ in objectives:
            removed[f"missing_{name}"] = self.missing(name, where) if missing is None else missing[name]
        return removed


def names_of(given: Any, *, what: str = "per") -> list[str]:
    """List names, each once; one may be given alone, or none."""
    if given is None or isinstance(given, str):
        return [] if given is None else [given]
    try:
        return list(dict.fromkeys(given))
    except TypeError:
        msg = f"`{what}`: expected names, got {given!r}; give one, or a list of them"
        raise InvalidDataError(msg) from None


def ordered_dims(order: tuple[str, ...], dims: Sequence[str] | None) -> tuple[str, ...]:
    """Return the dims in tie order: the model's, or the caller's with the others after them."""
    if dims is None:
        return order
    chosen = list(dims)
    for dim in chosen:
        if dim not in order:
            raise unknown_label("dims", dim, order)
    if len(set(chosen)) != len(chosen):
        msg = f"`dims`: expected each dim once, got {chosen!r}; drop the repeated one"
        raise InvalidDataError(msg)
    return (*chosen, *(dim for dim in order if dim not in chosen))


def with_made(chosen: Sequence[str], made: Sequence[str]) -> tuple[str, ...]:
    """Add dims to an order that was chosen without them: before a last batch, else at its end."""
    last = [dim for dim in chosen[-1:] if dim == "batch"]
    return (*chosen[: len(chosen) - len(last)], *made, *last)


def check_names(
    context: Context, names: Iterable[str], added: Mapping[str, Sequence[str]], objectives: Iterable[str] = ()
) -> None:
    """Raise where an answer would have two variables of one name: the cube's, and one that the answer adds.

    Parameters
    ----------
    context : Context
    names : iterable of str
        Of the cube, in the answer.
    added : mapping of str to sequence of str
        What the answer adds, each with the `long_name` that it has in earlier answers, where it may be replaced.
    objectives : iterable of str
        What is asked about, and therefore never replaced.
    """
    asked = set(objectives)
    for name in dict.fromkeys(names):
        if name not in added:
            continue
        earlier = context.attributes(name).get("long_name") in added[name]
        if not earlier or name in asked or name in context.coords or name in context.dims:
            msg = (
                f"`cube`: expected no variable {name!r}, which the answer needs for itself, got one; rename it, e.g. "
                f"cube.rename({{{name!r}: 'own_{name}'}})"
            )
            raise InvalidDataError(msg)


def added_names(context: Context, names: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Return what an answer along `point` adds; a cube may have that dim already."""
    return dict(names) if "point" in context.dims else {**names, "point": ()}
