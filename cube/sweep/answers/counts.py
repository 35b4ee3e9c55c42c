"""Counts and histograms, labelled."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, unknown_label
from roofcube.kernels.query.query import Limit
from roofcube.sweep.answers import points
from roofcube.sweep.answers.best import kept_labels, labels_of_groups, over_groups, own_coords, stacked
from roofcube.sweep.contexts.context import check_names
from roofcube.sweep.contexts.exact import compared_as_stored
from roofcube.sweep.contexts.where import read_where
from roofcube.sweep.flags import bits_of, codes_of, is_flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roofcube.sweep.contexts.context import Context, Names
    from roofcube.sweep.contexts.where import Where

__all__ = ["check_cells", "count", "flags_of", "histogram"]

Array = np.ndarray[Any, np.dtype[Any]]
BINS = 50
COUNT = {"units": "1", "long_name": "number of points"}


def flags_of(context: Context, name: str) -> dict[str, int]:
    """Return the meanings of a flag with their codes; nothing for what is no flag."""
    return codes_of(context.attributes(name))


def count(context: Context, *, where: Any, per: Names, by: str | None) -> xr.Dataset:
    """Count the points of each group, by the meanings of a flag where one is given."""
    added = ["count"] if by is None else ["count", "reason"]
    check_names(context, labels_of_groups(context, per), dict.fromkeys(added, ()))
    read = context.where(where)
    context.check_countable(read)
    meanings: dict[str, int] = {}
    if by is not None:
        if not isinstance(by, str) or by not in context.outputs or not is_flag(context.attributes(by)):
            raise unknown_label("by", by, [name for name in context.outputs if is_flag(context.attributes(name))])
        meanings = flags_of(context, by)
        stored = context.native(by)
        if not meanings or (stored is not None and compared_as_stored(stored, context.dtype)):
            return _count_each(context, read, per, by)

    def ask(dims: list[str], limits: Where) -> xr.Dataset:
        check_cells(context, "count", dims, max(1, len(meanings)))
        bound = context.query(limits, per=dims, also=[by] if by else [])
        codes = tuple(map(float, meanings.values()))
        counts = context.engine(bound.query).count(bound.query, by=by, codes=codes)
        spread = over_groups(context, bound, dims, counts, 0).astype(np.int64)
        if by is None:
            return kept_labels(_dataset(context, dims, (), spread[..., 0], {}), bound, dims)
        return kept_labels(_dataset(context, dims, ("reason",), spread, {"reason": list(meanings)}), bound, dims)

    return stacked(context, per, read, ask)


def _count_each(context: Context, where: Where, per: Names, by: str) -> xr.Dataset:
    """Count the points of each meaning of a flag by a limit; a point with several bits counts in several."""
    meanings = list(bits_of(context.attributes(by)) or flags_of(context, by))
    parts = [
        count(context, where=where.also(read_where(context, {by: [meaning]})), per=per, by=None) for meaning in meanings
    ]
    reasons = xr.Variable("reason", meanings)
    together: xr.Dataset = xr.concat(parts, dim="reason")
    return together.assign_coords(reason=reasons).transpose(..., "reason")


def histogram(
    context: Context, variable: str, *, bins: int | Sequence[float] | None, where: Any, per: Names
) -> xr.Dataset:
    """Count the points of each group by the value of a variable; a flag has a bin for each meaning."""
    context.output("variable", variable)
    added = dict.fromkeys(["count", "bin", "bin_low", "bin_high", "meaning"], ())
    check_names(context, labels_of_groups(context, per), added)
    read = context.where(where)
    context.check_countable(read)
    described = dict(context.attributes(variable))
    meanings = flags_of(context, variable) if bins is None else {}
    if meanings and not _follow_each_other(list(meanings.values())):
        return _histogram_of_codes(context, variable, meanings, read, per)
    edges = _edges_of(context, variable, bins, read)
    compared = edges if bins is None or np.ndim(bins) == 0 else _as_stored(context, variable, edges)
    coords: dict[str, Any] = {"bin_low": ("bin", edges[:-1], described), "bin_high": ("bin", edges[1:], described)}
    if meanings:
        coords["meaning"] = ("bin", list(meanings))

    def ask(dims: list[str], limits: Where) -> xr.Dataset:
        check_cells(context, "histogram", dims, len(edges))
        bound = context.query(limits, per=dims, also=[variable])
        counts = context.engine(bound.query).histogram(bound.query, variable, compared)
        spread = over_groups(context, bound, dims, counts, 0).astype(np.int64)
        made = _dataset(context, dims, ("bin",), spread, coords).assign_attrs(variable=variable)
        return kept_labels(made, bound, dims)

    return stacked(context, per, read, ask)


def _follow_each_other(codes: list[Any]) -> bool:
    return codes == list(range(int(codes[0]), int(codes[0]) + len(codes)))


def _histogram_of_codes(
    context: Context, variable: str, meanings: dict[str, int], where: Where, per: Names
) -> xr.Dataset:
    """Count the points of each code of a flag whose codes have gaps, which bins that touch cannot part."""
    ordered = sorted(meanings, key=lambda meaning: meanings[meaning])
    counts = count(context, where=where, per=per, by=variable).sel(reason=ordered)
    codes = np.array([meanings[meaning] for meaning in ordered], dtype=context.dtype)
    described = dict(context.attributes(variable))
    return (
        counts.rename(reason="bin")
        .drop_vars("bin")
        .assign_coords(
            bin_low=("bin", codes - codes.dtype.type(0.5), described),
            bin_high=("bin", codes + codes.dtype.type(0.5), described),
            meaning=("bin", ordered),
        )
        .assign_attrs(variable=variable)
    )


def _edges_of(context: Context, variable: str, bins: int | Sequence[float] | None, where: Where) -> Array:
    """Return the edges of bins in the dtype of the answers, where every comparison is made."""
    kind = np.dtype(context.dtype)
    if bins is None and (flags := flags_of(context, variable)):
        codes = list(flags.values())
        return np.arange(codes[0] - 0.5, codes[-1] + 1.0, dtype=kind)
    bins = BINS if bins is None else bins
    if isinstance(bins, int | np.integer) and not isinstance(bins, bool):
        if bins < 1:
            msg = f"`bins`: expected 1 or more, got {bins}; give a number of bins or their edges"
            raise InvalidDataError(msg)
        check_cells(context, "histogram", [], min(int(bins), sys.maxsize))
        low, high = _extremes_within(context, variable, where)
        if high <= low:  # steps that single precision tells apart, so that sweeps and stored cubes have the same
            wide = max(1.0, int(bins) * abs(low) * float(np.finfo("f4").eps))
            high = min(low + wide, float(np.finfo(kind).max))
        # halved and doubled: the distance of two numbers may be more than the largest number
        edges = 2.0 * np.linspace(low / 2.0, high / 2.0, int(bins) + 1)
        edges = edges.astype(kind)
        edges[0], edges[-1] = kind.type(low), max(edges[-1], kind.type(high))
        return edges
    try:
        edges = np.asarray(bins, dtype="f8").astype(kind)
    except (TypeError, ValueError, OverflowError):
        edges = np.zeros(0)
    if edges.ndim != 1 or len(edges) < 2 or np.isnan(edges).any() or (edges[1:] < edges[:-1]).any():
        msg = f"`bins`: expected two or more ascending edges, got {bins!r}; give a number of bins or their edges"
        raise InvalidDataError(msg)
    return edges


def _as_stored(context: Context, variable: str, edges: Array) -> Array:
    """Round edges that were given as a variable is stored, as limits are, so that one equal to a value includes it."""
    stored = context.native(variable)
    if stored is None or stored.dtype.kind != "f" or stored.dtype.itemsize >= edges.dtype.itemsize:
        return edges
    with np.errstate(over="ignore"):
        rounded = edges.astype(stored.dtype).astype(edges.dtype)
    return np.where(np.isfinite(rounded), rounded, edges)


def _extremes_within(context: Context, variable: str, where: Where) -> tuple[float, float]:
    largest = float(np.finfo(context.dtype).max)
    limits = [*where.limits, Limit(variable, -largest, largest)]
    ends = []
    for sign in (-1, 1):
        bound = context.query(where, objectives=((variable, sign),), limits=limits)
        best = context.engine(bound.query).best(bound.query)
        ends.append(sign * float(best.key[0]) if len(best.first) and best.first[0] >= 0 else 0.0)
    return ends[0], ends[1]


def check_cells(context: Context, what: str, per: Sequence[str], each: int) -> None:
    """Raise where a result over `per` would be larger than the memory limit."""
    points.check_result(context, what, points.cells_of(context.sizes, per), row_bytes=8 * each)


def _dataset(
    context: Context, per: Sequence[str], more: tuple[str, ...], counts: Array, coords: dict[str, Any]
) -> xr.Dataset:
    own = {name: variable.copy() for name, variable in own_coords(context, per).items()}
    return xr.Dataset({"count": ((*per, *more), counts, COUNT)}, coords={**own, **coords}, attrs=context.attrs)
