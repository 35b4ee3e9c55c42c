"""What the explorer shows of a cube: cells of a heatmap over two dims, points of a scatter with their front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, MemoryLimitError
from roofcube.labels import flat_column
from roofcube.model.graph import dim_order
from roofcube.options import memory_limit
from roofcube.sweep.questions import pareto
from roofcube.sweep.trust import impossible_bits
from roofcube.variables import sense_of
from roofcube.wording import flag_words, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roofcube.variables import Sense

__all__ = [
    "Cells",
    "Points",
    "cells_of",
    "default_axes",
    "default_objectives",
    "default_variable",
    "dims_in_order",
    "label_texts",
    "measures",
    "points_of",
    "sense",
    "spaced",
    "unit_of",
    "words",
]

MOST_POINTS = 4_000  # drawn; more make a browser sluggish, and the front is always among them
FAVOURITES = ("measured_throughput", "predicted_throughput", "measured_latency", "predicted_latency")
OBJECTIVES = (
    ("measured_throughput", "measured_top1"),
    ("predicted_throughput", "top1"),
    ("predicted_throughput", "predicted_energy"),
    ("predicted_throughput", "predicted_latency"),
)
AXES = (("platform", "pruning"), ("platform", "topology"), ("peak", "bandwidth"))


@dataclass(frozen=True)
class Cells:
    """A heatmap: `values` (rows, columns), NaN where nothing is known; `detail` tells the labels behind each."""

    columns: list[str]
    rows: list[str]
    values: np.ndarray[Any, Any]
    text: np.ndarray[Any, Any]
    detail: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Points:
    """A scatter: values, labels by dim, whether on the front, and the place in the heatmap (-1: in every one).

    Of `total` points, `impossible` are on no front whatever their figures.
    """

    x: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]
    labels: dict[str, np.ndarray[Any, Any]]
    front: np.ndarray[Any, Any]
    column: np.ndarray[Any, Any]
    row: np.ndarray[Any, Any]
    total: int
    impossible: int


# what a cube offers ---------------------------------------------------------------------------------------------------


def dims_in_order(cube: xr.Dataset) -> list[str]:
    """Name the dims in their order."""
    return [*dict.fromkeys([*dim_order(cube), *map(str, cube.dims)])]


def label_texts(cube: xr.Dataset, dim: str) -> list[str]:
    """Write the labels of a dim, numbers with as few digits as tell them apart; positions where it has none."""
    values = (cube[dim].values if dim in cube.coords else np.arange(cube.sizes[dim])).tolist()
    if not values or not isinstance(values[0], float):
        return [str(value) for value in values]
    for digits in range(3, 17):
        labels = [short(value, digits) for value in values]
        if len(set(labels)) == len(set(values)):
            break
    return labels


def measures(cube: xr.Dataset) -> list[str]:
    """Name the variables that can colour a heatmap: all that vary along a dim."""
    return [str(name) for name, array in cube.data_vars.items() if array.ndim]


def numeric_measures(cube: xr.Dataset) -> list[str]:
    """Name the variables that can be an axis of the scatter."""
    return [name for name in measures(cube) if cube[name].dtype.kind in "fiu" and not words(cube[name])]


def words(array: xr.DataArray) -> bool:
    """Check whether a variable holds words: text, or CF flags."""
    return array.dtype.kind in "UO" or "flag_meanings" in array.attrs


def default_variable(cube: xr.Dataset) -> str:
    """Choose the variable to start with."""
    return next((name for name in FAVOURITES if name in cube), measures(cube)[0])


def default_axes(cube: xr.Dataset) -> tuple[str, str]:
    """Choose the two dims to start with: long enough to be worth it."""
    for pair in AXES:
        if all(dim in cube.dims and cube.sizes[dim] > 1 for dim in pair):
            return pair
    long = sorted(dims_in_order(cube), key=lambda dim: cube.sizes[dim] <= 1)
    return (long[0], long[1]) if len(long) > 1 else (long[0], long[0])


def default_objectives(cube: xr.Dataset) -> tuple[str, str]:
    """Choose the axes of the scatter to start with."""
    known = numeric_measures(cube)
    for pair in OBJECTIVES:
        if all(name in known and bool(cube[name].notnull().any()) for name in pair):
            return pair
    return (known[0], known[1]) if len(known) > 1 else (known[0], known[0])


def spaced(name: str) -> str:
    """Write the name of a variable in words: measured top-1 accuracy."""
    return name.replace("top1", "top-1 accuracy").replace("top5", "top-5 accuracy").replace("_", " ")


def unit_of(cube: xr.Dataset, dim: str) -> str:
    """Return the unit of a dim's labels; nothing where they have none."""
    unit = str(cube[dim].attrs.get("units", "")) if dim in cube.coords else ""
    return "" if unit == "1" else unit


def sense(array: xr.DataArray, name: str) -> Sense:
    """Return which way is better; more, where nothing says."""
    return "min" if (array.attrs.get("sense") or sense_of(name)) == "min" else "max"


# the heatmap ----------------------------------------------------------------------------------------------------------


def cells_of(
    cube: xr.Dataset,
    variable: str,
    x: str,
    y: str,
    *,
    how: str = "best",
    keep: Mapping[str, Sequence[int]] | None = None,
) -> Cells:
    """Reduce a variable to two dims; the others by the best, the median or the number of values."""
    if x == y:
        msg = f"`y`: expected another dim than {x!r}; choose two different ones"
        raise InvalidDataError(msg)
    chosen = _with_labels_kept(cube, keep)
    array = chosen[variable]
    rest = [dim for dim in dims_in_order(chosen) if dim in array.dims and dim not in (x, y)]
    shape = tuple(chosen.sizes[dim] for dim in (y, x))
    ordered = array.transpose(*(dim for dim in (y, x) if dim in array.dims), *rest)
    flat = ordered.values.reshape(*(chosen.sizes[dim] if dim in array.dims else 1 for dim in (y, x)), -1)
    place = np.zeros(flat.shape[:2], dtype=np.intp)
    if words(array):
        values, text = _word_cells(flat, array)
    else:
        values, place = _number_cells(flat.astype("f8"), how, sense(array, variable))
        text = np.full(values.shape, "", dtype=object)
    detail = (
        _details(chosen, rest, place, values)
        if how == "best" and not words(array)
        else np.full(values.shape, "", dtype=object)
    )
    full = (np.broadcast_to(one, shape) for one in (values, text, detail))
    return Cells(label_texts(chosen, x), label_texts(chosen, y), *full)


def _number_cells(flat: np.ndarray[Any, Any], how: str, way: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    known = np.isfinite(flat)
    nothing = np.zeros(flat.shape[:2], dtype=np.intp)
    if not flat.shape[-1]:
        return np.full(flat.shape[:2], np.nan), nothing
    if how == "count":
        count = known.sum(axis=-1).astype("f8")
        return np.where(count > 0, count, np.nan), nothing
    if how == "median":
        with np.errstate(invalid="ignore"):
            middle = np.nanmedian(np.where(known.any(-1, keepdims=True), np.where(known, flat, np.nan), 0.0), axis=-1)
        return np.where(known.any(-1), middle, np.nan), nothing
    worst = -np.inf if way == "max" else np.inf
    filled = np.where(known, flat, worst)
    place = filled.argmax(-1) if way == "max" else filled.argmin(-1)
    values = np.take_along_axis(filled, place[..., None], axis=-1)[..., 0]
    return np.where(known.any(-1), values, np.nan), place


def _word_cells(flat: np.ndarray[Any, Any], array: xr.DataArray) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return each cell its word, and the number of that word; cells with several words say so."""
    spoken = flag_words(flat, array.attrs)
    text = np.empty(flat.shape[:2], dtype=object)
    for place in np.ndindex(text.shape):
        every = {word for word in spoken[place].tolist() if word}
        found = sorted(every - {"none"}) or sorted(every)
        text[place] = found[0] if len(found) == 1 else "" if not found else f"{len(found)} different"
    order = {word: float(number) for number, word in enumerate(sorted(set(text.ravel().tolist())))}
    values = np.array([order[word] if word else np.nan for word in text.ravel().tolist()]).reshape(text.shape)
    return values, text


def _details(
    cube: xr.Dataset, rest: list[str], place: np.ndarray[Any, Any], values: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Write the labels that gave each best value."""
    varying = [dim for dim in rest if cube.sizes[dim] > 1]
    told = np.full(place.shape, "", dtype=object)
    if not varying:
        return told
    places = dict(zip(rest, np.unravel_index(place, [cube.sizes[dim] for dim in rest]), strict=True))
    names = {dim: label_texts(cube, dim) for dim in varying}
    for cell in np.ndindex(place.shape):
        if np.isfinite(values[cell]):
            told[cell] = ", ".join(f"{dim} {names[dim][places[dim][cell]]}" for dim in varying)
    return told


# the scatter ----------------------------------------------------------------------------------------------------------


def points_of(
    cube: xr.Dataset,
    x_name: str,
    y_name: str,
    columns: str,
    rows: str,
    *,
    keep: Mapping[str, Sequence[int]] | None = None,
) -> Points:
    """Return every cell with both figures as a point, its labels, and which points no other beats."""
    chosen = _with_labels_kept(cube, keep)
    dims = [dim for dim in dims_in_order(chosen) if dim in chosen[x_name].dims or dim in chosen[y_name].dims]
    sizes = tuple(chosen.sizes[dim] for dim in dims)
    size = int(np.prod(sizes))
    if size * 40 > memory_limit():
        msg = f"{size} points are more than the memory allows; keep fewer labels, or reduce with roofcube.Sweep"
        raise MemoryLimitError(msg)
    x, y = (flat_column(chosen[name], dims, sizes).astype("f8") for name in (x_name, y_name))
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    possible = ~_impossible(chosen, (x_name, y_name), dims, sizes)[known]
    front = np.zeros(known.size, dtype=bool)
    front[possible] = _on_front(
        x[known][possible], y[known][possible], sense(chosen[x_name], x_name), sense(chosen[y_name], y_name)
    )
    drawn = _thinned(front)
    places = dict(zip(dims, np.unravel_index(known[drawn], sizes), strict=True)) if dims else {}
    labels = {dim: np.array(label_texts(chosen, dim), dtype=object)[place] for dim, place in places.items()}
    nowhere = np.full(drawn.size, -1)
    return Points(
        x[known][drawn],
        y[known][drawn],
        labels,
        front[drawn],
        places.get(columns, nowhere),
        places.get(rows, nowhere),
        known.size,
        int((~possible).sum()),
    )


def _impossible(
    cube: xr.Dataset, names: Sequence[str], dims: Sequence[Any], sizes: tuple[int, ...]
) -> np.ndarray[Any, Any]:
    """Return which points the physics gate finds impossible; where an axis is measured, they are on no front."""
    bits = impossible_bits(names)
    if not bits or "quality" not in cube or not set(cube["quality"].dims) <= set(dims):
        return np.zeros(int(np.prod(sizes)), dtype=bool)
    return np.asarray((flat_column(cube["quality"], dims, sizes).astype("i8") & bits) != 0)


def _on_front(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], x_way: Sense, y_way: Sense) -> np.ndarray[Any, Any]:
    mask = np.zeros(x.size, dtype=bool)
    if x.size:
        table = xr.Dataset({"x": ("place", x), "y": ("place", y), "number": ("place", np.arange(x.size))})
        mask[pareto(table, {"x": x_way, "y": y_way}, ties="all")["number"].values] = True
    return mask


def _thinned(front: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Choose which points to draw: the whole front, and of the others an even sample."""
    others = np.flatnonzero(~front)
    room = max(MOST_POINTS - int(front.sum()), 0)
    if others.size > room:
        others = others[np.linspace(0, others.size - 1, room).astype(np.intp)] if room else others[:0]
    return np.sort(np.concatenate([np.flatnonzero(front), others]))


def _with_labels_kept(cube: xr.Dataset, keep: Mapping[str, Sequence[int]] | None) -> xr.Dataset:
    return cube.isel({dim: list(places) for dim, places in (keep or {}).items() if len(places)})
