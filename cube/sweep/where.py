"""Read `where`: limits on coordinates choose indices, limits on variables become limits of a query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.datasets import canonical
from roofcube.errors import InvalidDataError, check_limits, unknown_label
from roofcube.kernels.query.query import Limit
from roofcube.labels import column_of
from roofcube.variables import BOUNDS, INFEASIBLE

if TYPE_CHECKING:
    from roofcube.model.graph import Model

__all__ = ["FLAGS", "Where", "read_where"]

Array = np.ndarray[Any, np.dtype[Any]]
FLAGS = {"bound": BOUNDS, "infeasible": INFEASIBLE}


class Where:
    """A `where` that has been read.

    Attributes
    ----------
    chosen : dict of dim to int array
        Indices kept along each dim, ascending.
    by_label : dict of name to (dim, int array)
        What each limit on a coordinate keeps.
    limits : list of Limit
    """

    def __init__(self) -> None:
        self.chosen: dict[str, Array] = {}
        self.by_label: dict[str, tuple[str, Array]] = {}
        self.limits: list[Limit] = []

    def keep(self, name: str, dim: str, indices: Array) -> None:
        """Keep only some indices of a dim."""
        self.by_label[name] = (dim, indices)
        before = self.chosen.get(dim)
        self.chosen[dim] = indices if before is None else np.intersect1d(before, indices)


def read_where(model: Model, where: Mapping[str, Any] | None) -> Where:
    """Read limits: (low, high) for numbers, both inclusive and None for open; a label or a list of them for labels."""
    read = Where()
    for name, wanted in (where or {}).items():
        coordinate = model.coords.get(name)
        if coordinate is not None and coordinate.ndim == 1 and coordinate.dims[0] in model.dim_order:
            read.keep(name, str(coordinate.dims[0]), _labels_kept(name, coordinate.values, wanted))
        elif name in model.outputs:
            read.limits.append(_limit(name, wanted))
        else:
            known = [*model.outputs, *(str(dim) for dim in model.coords)]
            raise unknown_label("where", name, known, do="limit a variable of the model or a coordinate")
    return read


def _labels_kept(name: str, labels: Array, wanted: Any) -> Array:
    if labels.dtype.kind in "fiub" and _is_range(wanted):
        low, high = _range(name, wanted)
        kept = ~np.isnan(labels.astype("f8"))
        kept &= (labels >= low) if low is not None else True
        kept &= (labels <= high) if high is not None else True
        return np.flatnonzero(kept)
    listed = [wanted] if isinstance(wanted, str) or not hasattr(wanted, "__iter__") else list(wanted)
    known = labels.tolist()
    kept = {_label(name, one, known) for one in listed}
    return np.array([place for place, label in enumerate(known) if label in kept], dtype=np.intp)


def _label(name: str, wanted: Any, known: list[Any]) -> Any:
    """Find a label by its own name or an alias; percentages and counts also as text."""
    if wanted in known:
        return wanted
    alias: Any = wanted
    if isinstance(wanted, str):
        alias = canonical(column_of(name), wanted)
        if known and isinstance(known[0], float | int):
            try:
                alias = float(alias.removesuffix("%"))
            except ValueError:
                alias = wanted
    if alias not in known:
        raise unknown_label(name, wanted, known)
    return alias


def _limit(name: str, wanted: Any) -> Limit:
    if _is_range(wanted):
        return Limit(name, *_range(name, wanted))
    flags = FLAGS.get(name, {})
    if isinstance(wanted, Mapping) or (not flags and not hasattr(wanted, "__iter__")):
        msg = f"`where[{name!r}]`: expected (low, high) with numbers or None, got {wanted!r}; write e.g. (None, 0.01)"
        raise InvalidDataError(msg)
    listed = [wanted] if isinstance(wanted, str) or not hasattr(wanted, "__iter__") else list(wanted)
    values = []
    for value in listed:
        if isinstance(value, str):
            if value not in flags:
                raise unknown_label(name, value, flags)
            values.append(float(flags[value]))
        else:
            values.append(float(value))
    return Limit(name, one_of=tuple(values))


def _is_range(wanted: Any) -> bool:
    return isinstance(wanted, tuple) and len(wanted) == 2 and not any(isinstance(end, str) for end in wanted)


def _range(name: str, wanted: tuple[Any, Any]) -> tuple[float | None, float | None]:
    low, high = (None if end is None else float(end) for end in wanted)
    if any(end is not None and np.isnan(end) for end in (low, high)):
        msg = f"`where`: expected (low, high) for {name!r}, got {wanted!r}; use None for an open end"
        raise InvalidDataError(msg)
    check_limits(name, low, high)
    return low, high
