"""Fronts of a sweep: non-dominated points with labels, ties and an account of what was removed."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.errors import InvalidDataError
from roofcube.kernels.bounds.not_nan import not_nan
from roofcube.kernels.query.query import Limit
from roofcube.model.assumptions import Assumptions
from roofcube.sweep import points
from roofcube.sweep.best import groups_of
from roofcube.sweep.context import Asked, asked

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from roofcube.sweep.sweep import Sweep
    from roofcube.sweep.where import Where

__all__ = ["labelled", "with_probability"]

Array = np.ndarray[Any, np.dtype[Any]]
Objectives = tuple[tuple[str, int], ...]


def labelled(sweep: Sweep, objectives: Objectives, per: Sequence[str], where: Where, ties: str) -> xr.Dataset:
    """Find and label the front of each group."""
    found = asked(sweep.whole, sweep.model.outputs, where, objectives=objectives, per=per)
    none = [np.zeros(0, dtype=np.int64)] * len(sweep.dims)
    parts: list[tuple[list[Array], Array]] = [(none, none[0] if none else np.zeros(0, dtype=np.int64))]
    total = 0
    if sweep.size and found.query.space.size:
        for number, place in groups_of(sweep, found, per):
            part = _front(sweep, Asked(found.whole, found.query.group(number), found.chosen), place, ties, total)
            parts.append(part)
            total += len(part[1])
    indices = [np.concatenate(columns) for columns in zip(*(part[0] for part in parts), strict=True)]
    n_ties = np.concatenate([part[1] for part in parts])
    extra = {"n_ties": ("point", n_ties, {"units": "1", "long_name": "points with the same objectives"})}
    attrs = sweep.attrs | {"objectives": " ".join(f"{name}:{_sense(sign)}" for name, sign in objectives)}
    attrs |= _removed(sweep, objectives, where)
    return points.as_points(sweep.model, sweep.whole, indices, extra, attrs)


def _sense(sign: int) -> str:
    return "max" if sign > 0 else "min"


def _front(sweep: Sweep, found: Asked, place: dict[str, int], ties: str, before: int) -> tuple[list[Array], Array]:
    """Give the indices of one group's front, best first, and the number of points tied with each."""
    engine, query = sweep._engine, found.query
    found_front = engine.front(query)
    front = found_front.partial
    copies = query.copies
    if ties == "first":
        points.check_size(sweep.model, before + len(front.first), "pareto")
        flat, number = front.first, np.arange(len(front.first))
        indices = found.indices(flat)
    else:
        points.check_size(sweep.model, before + int(front.ties.sum()) * copies, "pareto")
        if (front.ties == 1).all():
            flat, number = front.first, np.arange(len(front.first))
        else:
            flat, number = found_front.members()
        indices, number = found.expanded(flat, number, list(place))
    for dim, index in place.items():
        indices[sweep.dims.index(dim)] = np.full(len(number), index, dtype=np.int64)
    order = np.lexsort((*indices[::-1], front.vectors[number, 0])) if len(number) else np.zeros(0, dtype=np.int64)
    return [index[order] for index in indices], (front.ties * copies)[number][order]


def _removed(sweep: Sweep, objectives: Objectives, where: Where) -> dict[str, Any]:
    """Count what each limit and each missing figure removes, each alone; limits on labels first."""
    removed: dict[str, Any] = {"n_points": sweep.size}
    for name, (dim, kept) in where.by_label.items():
        removed[f"removed_by_{name}"] = sweep.size - sweep.size // max(1, sweep.sizes[dim]) * len(kept)
    left = prod(len(where.chosen.get(dim, range(size))) for dim, size in sweep.sizes.items())
    for limit in where.limits:
        removed[f"removed_by_{limit.name}"] = left - _count(sweep, where, limit)
    for name, _ in objectives:
        removed[f"missing_{name}"] = left - _known(sweep, where, name)
    return removed


def _count(sweep: Sweep, where: Where, limit: Limit) -> int:
    found = asked(sweep.whole, sweep.model.outputs, where, limits=[limit])
    return int(sweep._engine.count(found.query).sum()) if sweep.size else 0


def _known(sweep: Sweep, where: Where, name: str) -> int:
    """Count the points that have a figure."""
    if not sweep.size:
        return 0
    asking = f"known {name}"
    if asking not in sweep.questions:
        sweep.questions[asking] = not_nan(sweep.whole, sweep.model.outputs[name])
    found = asked(sweep.whole, sweep.questions, where, limits=[Limit(asking, 1.0, None)])
    return int(sweep._engine.count(found.query).sum())


def with_probability(sweep: Sweep, objectives: Objectives, **how: Any) -> xr.Dataset:
    """Find the front with probabilities, which need the whole cube with its intervals."""
    from roofcube.fronts import pareto

    if isinstance(sweep.assumptions, Assumptions):
        msg = "`probability`: expected a calibration as `assumptions`, got a model without intervals; calibrate first"
        raise InvalidDataError(msg)
    return pareto(sweep.compute(), {name: _sense(sign) for name, sign in objectives}, probability=True, **how)
