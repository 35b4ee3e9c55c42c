"""From a labelled model to the label-free space and queries of the kernels, and back to indices along dims."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from roofcube.errors import InvalidDataError, unknown_label
from roofcube.kernels.graph.space import Space
from roofcube.kernels.query.query import Query, ask
from roofcube.kernels.tuning import TUNING
from roofcube.model.graph import LAYER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roofcube.kernels.graph.expression import Node
    from roofcube.kernels.query.query import Limit
    from roofcube.model.graph import Model
    from roofcube.sweep.where import Where

PREPARED = 16  # folded graphs kept for a sweep: a question with other limits then costs no preparation

_prepared: WeakKeyDictionary[Space, OrderedDict[Any, Query]] = WeakKeyDictionary()

__all__ = ["Asked", "asked", "ordered_dims", "space_of"]

Array = np.ndarray[Any, np.dtype[Any]]


def ordered_dims(model: Model, dims: Sequence[str] | None) -> tuple[str, ...]:
    """Give the dims in tie order: the model's, or the caller's with the others after them."""
    if dims is None:
        return model.dim_order
    chosen = list(dims)
    for dim in chosen:
        if dim not in model.dim_order:
            raise unknown_label("dims", dim, model.dim_order)
    if len(set(chosen)) != len(chosen):
        msg = f"`dims`: expected each dim once, got {chosen!r}; drop the repeated one"
        raise InvalidDataError(msg)
    return (*chosen, *(dim for dim in model.dim_order if dim not in chosen))


def space_of(model: Model, dims: Sequence[str], dtype: str) -> Space:
    """Lay the model's tables out over ordered axes."""
    axes = (*dims, LAYER)
    tables = {}
    for name, array in model.tables.items():
        present = [axis for axis in axes if axis in array.dims]
        values = array.transpose(*present).values
        tables[name] = values.reshape([array.sizes.get(axis, 1) if axis in present else 1 for axis in axes])
    return Space(tuple(dims), tuple(model.sizes[dim] for dim in dims), tables, (LAYER,), dtype)


@dataclass(frozen=True, eq=False)
class Asked:
    """A query with what leads from its flat indices back to the whole space.

    Attributes
    ----------
    whole : Space
    query : Query
    chosen : dict of axis to int array
        Indices that limits on labels left, for the axes that they cut.
    """

    whole: Space
    query: Query
    chosen: dict[str, Array]

    def indices(self, flat: Array) -> list[Array]:
        """Give the index along every axis of the whole space; 0, the first one left, along axes that play no role."""
        query = self.query
        places = np.unravel_index(flat, query.space.sizes) if query.space.sizes else ()
        inside = dict(zip(query.space.axes, places, strict=True))
        zero = np.zeros(len(flat), dtype=np.int64)
        return [self.original(axis, inside.get(axis, zero)) for axis in self.whole.axes]

    def original(self, axis: str, index: Array) -> Array:
        """Turn an index along a cut axis into one along the whole axis."""
        return self.chosen[axis][index] if axis in self.chosen else index

    @property
    def free(self) -> list[str]:
        """Axes that the query does not depend on."""
        return [axis for axis in self.whole.axes if axis not in self.query.space.axes]

    def length(self, axis: str) -> int:
        """Length of an axis after limits on labels."""
        if axis in self.chosen:
            return len(self.chosen[axis])
        return self.whole.sizes[self.whole.axes.index(axis)]

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
        indices = [np.repeat(index, copies) for index in self.indices(flat)]
        inner = np.unravel_index(np.tile(np.arange(copies), len(flat)), lengths) if lengths else ()
        for axis, index in zip(free, inner, strict=True):
            indices[self.whole.axes.index(axis)] = self.original(axis, index)
        return indices, np.repeat(number, copies)


def asked(
    whole: Space,
    outputs: Mapping[str, Node],
    where: Where,
    *,
    objectives: Sequence[tuple[str, int]] = (),
    limits: Sequence[Limit] | None = None,
    per: Sequence[str] = (),
    also: Sequence[str] = (),
) -> Asked:
    """Cut the space by labels and fold the graph for one query."""
    chosen_limits = tuple(where.limits if limits is None else limits)
    names = tuple(
        dict.fromkeys([name for name, _ in objectives] + [limit.name for limit in chosen_limits] + list(also))
    )
    labels = tuple((dim, kept.tobytes()) for dim, kept in sorted(where.chosen.items()))
    folded = _prepared.setdefault(whole, OrderedDict())
    tuning = whole.kept.get("tuning", TUNING)
    key = (names, tuple(per), labels, tuning)
    # another thread may take any entry away at any time
    found = folded.pop(key, None) or ask(whole.take(where.chosen), outputs, per=per, also=names, tuning=tuning)
    folded[key] = found
    while len(folded) > PREPARED:
        folded.popitem(last=False)
    query = replace(found, objectives=tuple(objectives), limits=chosen_limits)
    return Asked(whole, query, where.chosen)
