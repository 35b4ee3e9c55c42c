"""Who wins where: a map of two dims of a cube or a sweep, with the margin of the winner and where it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.errors import InvalidDataError
from roofcube.inert import with_inert_labels
from roofcube.plot.drawing import style, tables
from roofcube.plot.drawing.elements import Axis, image, plane, rectangles, segments
from roofcube.plot.drawing.points import palette_of
from roofcube.plot.drawing.rows import swatches
from roofcube.sweep.questions import best, context_of, senses_of
from roofcube.vocabulary import DIMS
from roofcube.wording import distinct_texts, listed, percent

if TYPE_CHECKING:
    import xarray as xr

    from roofcube.sweep import Sweep

__all__ = ["map"]

MOST = 2500  # cells above which the map is an image, without tooltips
WRITTEN = 300  # cells with their winner's margin written in
LETTERS = 110  # of a title that does not wrap
NAMED = 12  # winners with a colour of their own
PIXELS = 1000  # of an image along an axis whose cells differ in width


def map(  # noqa: A001  the name of a figure
    cube: xr.Dataset | Sweep,
    x: str,
    y: str,
    *,
    objective: str = "predicted_throughput",
    between: str | None = None,
    where: Mapping[str, Any] | None = None,
) -> Any:
    """Draw which label of a dim wins at each point of two others: winner, margin, and where the winner changes.

    Parameters
    ----------
    cube : Dataset or Sweep
        A Sweep answers for the cells and is never computed whole.
    x, y : str
        Dims of the map; numbers spread over decades lie on log axes.
    objective : str
        Variable whose best value wins, over all dims that are not drawn.
    between : str, optional
        Dim whose labels compete; default: platform, or the first other dim with several labels.
    where : mapping, optional
        Limits, as in `roofcube.best`.

    Returns
    -------
    holoviews.Overlay
        Marks ``map.cells``: one per cell, with columns `winner`, `margin` (how much better than the best of the
        others) and `value`; above 2,500 cells an image. ``map.crossover``: lines where the winner changes.

    Raises
    ------
    InvalidDataError
        If x and y are not two dims of the cube.

    Examples
    --------
    >>> import numpy as np
    >>> import roofcube as rc
    >>> peaks, bandwidths = np.geomspace(1e11, 1e14, 9), np.geomspace(1e9, 1e12, 9)
    >>> hardware = rc.hypothetical(peak_compute=peaks, memory_bandwidth=bandwidths)
    >>> sweep = rc.Sweep(rc.inputs("cifar10", platforms=hardware))
    >>> rc.plot.map(sweep, "peak", "bandwidth", between="precision").name
    'map'
    """
    context_of(cube)  # says what is no cube
    sizes = {str(dim): int(size) for dim, size in cube.sizes.items() if dim != "layer"}
    if x == y or not {x, y} <= set(sizes):
        msg = f"`x`, `y`: expected two dims of the cube, got {x!r} and {y!r}; it has {', '.join(sizes)}"
        raise InvalidDataError(msg)
    empty = [dim for dim in (x, y, between) if dim in sizes and not sizes[dim]]
    if empty:
        msg = f"`cube`: expected labels along {empty[0]!r}, got none; pass a cube that holds some"
        raise InvalidDataError(msg)
    if between in (x, y):
        msg = f"`between`: expected another dim than the axes, got {between!r}; choose one whose labels compete"
        raise InvalidDataError(msg)
    rivals = between or _rivals(sizes, x, y)
    answer = _in_shown_units(best(cube, objective, per=[one for one in (y, x, rivals) if one], where=where), (x, y))
    sign = -1.0 if senses_of(cube, {objective: None})[objective] == "min" else 1.0
    values = sign * answer[objective].transpose(y, x, ...).values.astype("f8")
    values = values if rivals else values[..., None]
    names = _names(answer, rivals) if rivals else ["best"]
    known = ~np.isnan(values).all(axis=-1)
    order = np.argsort(-values, axis=-1, kind="stable")  # what is not known comes last
    first = np.where(known, order[..., 0], -1)
    top, second, *_ = [*np.moveaxis(np.take_along_axis(values, order, axis=-1), -1, 0), np.full(known.shape, np.nan)]
    with np.errstate(invalid="ignore", divide="ignore"):
        margin = np.where(top == second, 0.0, np.abs(top - second) / np.abs(second))
        margin = np.where(np.isinf(second) & (top != second), np.inf, margin)
    across, down = _side_along(answer, x), _side_along(answer, y)
    looks = palette_of(answer, names) if rivals == "platform" else style.platform_colours(names)
    colours = _colours(names, first, looks)
    factor, unit = tables.scale_of(answer, objective)
    words = tables.long_name(cube, objective)
    notes = "best over all other dims; no dim is left whose labels could compete"
    if rivals:
        notes = f"colour = winning {rivals}, best over all other dims; lines = the winner changes"
    if first.size > MOST:
        pixels = np.where(first < 0, np.nan, first)[np.ix_(down.cell_of_pixels(), across.cell_of_pixels())]
        (left, *_, right), (low, *_, high) = across.edges.tolist(), down.edges.tolist()
        scale = style.category_scale([colours[name] for name in names])
        drawn = image(pixels[::-1], (left, low, right, high), name="map.cells", **scale)
    else:
        cells = _cells(across, down, names, first, margin)
        cells["value"] = (sign * top * factor).ravel()
        cells["colour"] = [colours.get(name, style.GRID) for name in cells["winner"]]
        text = {"x": "x", "y": "y", "text": "text", "text_align": "center", "text_color": "#000000"}
        tooltip = {"winner": "@winner", "margin over the next": "@margin_text", words: ("value", unit)}
        looks = {"fill_color": "colour", "fill_alpha": "strength", "line_color": style.GRID}
        drawn = rectangles(cells, name="map.cells", tooltip=tooltip, texts=[text], **looks)
        ahead = ", per cent = by how much" if any(cells["text"]) else ""
        notes += f"; strong = far ahead of the next{ahead}" if rivals else ""
    lines = segments(_crossover(first, across.edges, down.edges), name="map.crossover", color=style.INK, line_width=2)
    counts = {name: int((first == place).sum()) for place, name in enumerate(names) if (first == place).any()}
    shown = sorted(counts, key=lambda name: -counts[name])[:NAMED] if rivals else []
    title = "" if counts else _why_empty(cube, objective, where)
    if counts and rivals:
        title = _won(names, np.where(margin == 0, -1, first), int(known.sum()), words)
    elif counts:
        title = _range_of(values[known].max(axis=-1) * sign * factor, words, unit)
    x_axis, y_axis, key = across.axis, down.axis, swatches({name: colours[name] for name in shown})
    return plane([drawn, lines], name="map", x=x_axis, y=y_axis, title=title, notes=notes, key=key, height=600)


def _in_shown_units(answer: xr.Dataset, dims: tuple[str, str]) -> xr.Dataset:
    """Turn the numbers of two dims into the units that are shown."""
    answer = with_inert_labels(answer)
    numeric = [dim for dim in dims if dim in answer.coords and answer[dim].dtype.kind in "fiu"]
    shown = {dim: tables.array_of(answer, dim).assign_attrs(units=tables.scale_of(answer, dim)[1]) for dim in numeric}
    return answer.assign_coords(shown)


def _why_empty(cube: xr.Dataset | Sweep, objective: str, where: Mapping[str, Any] | None) -> str:
    """Say whether limits exclude all, or nothing is known."""
    if where is None or not bool(best(cube, objective)["found"]):
        return "Nothing is known here"
    named = [name.replace("_", " ") for name in where] if isinstance(where, Mapping) else []
    return f"No cell meets the limits{f' on {listed(named)}' if named else ''}"


def _names(answer: xr.Dataset, dim: str) -> list[str]:
    """Write the labels of a dim, the default mode too."""
    labels = answer[dim].values
    return [text or str(label) for text, label in zip(tables.label_texts(answer, dim, labels), labels, strict=True)]


def _range_of(values: tables.Array, words: str, unit: str) -> str:
    low, high = tables.value_text(np.array([values.min(), values.max()], dtype="f8"), unit)
    return f"{words[0].upper()}{words[1:]}: {low}" + (f" to {high}" if high != low else "")


def _won(names: list[str], ahead: tables.Array, cells: int, words: str) -> str:
    """Say who wins most cells, all where several win as many; a cell where the first two are level is nobody's."""
    counts = np.bincount(ahead[ahead >= 0], minlength=len(names))
    level = percent(1.0 - counts.sum() / cells)
    if not counts.any():
        return f"Level in {level} of the map: {words}"
    most = [names[place] for place in np.flatnonzero(counts == counts.max())]
    wins, each = ("wins", "") if len(most) == 1 else ("win", " each")
    said = f"{listed(most, most=2)} {wins} {percent(counts.max() / cells)} of the map{each}"
    whole = f"{said}, level in {level}: {words}" if counts.sum() < cells else f"{said}: {words}"
    return whole if len(whole) <= LETTERS else f"{said}: {words}"


def _rivals(sizes: dict[str, int], x: str, y: str) -> str | None:
    others = [one for one in ("platform", *sizes) if one not in (x, y) and sizes.get(one, 1) > 1]
    return others[0] if others else None


def _colours(names: list[str], first: tables.Array, looks: Mapping[str, str]) -> dict[str, str]:
    """Return a colour for each winner; those who win least share the grey of the others."""
    counts = np.bincount(first[first >= 0], minlength=len(names))
    named = {names[place] for place in np.argsort(-counts, kind="stable")[:NAMED]}
    return {name: looks.get(name, style.PEAK) if name in named else style.PEAK for name in names}


@dataclass(frozen=True)
class _Side:
    """A dim of the map: its labels in words, the edges of its cells, the axis along it."""

    dim: str
    texts: list[str]
    edges: tables.Array
    axis: Axis

    @property
    def middles(self) -> tables.Array:
        """Where the middles of the cells lie."""
        low, high = self.edges[:-1], self.edges[1:]
        return np.asarray(np.sqrt(high * low) if self.axis.log else (high + low) / 2)

    def cell_of_pixels(self) -> tables.Array:
        """Return the cell of each pixel, which are of one width: a pixel a cell where cells are so too, else many."""
        at = np.log10(self.edges) if self.axis.log else self.edges
        even, width = np.linspace(at[0], at[-1], len(at)), (at[-1] - at[0]) / PIXELS
        if np.abs(at - even).max() < width:
            return np.arange(len(at) - 1)
        return np.asarray(np.searchsorted(at, at[0] + (np.arange(PIXELS) + 0.5) * width) - 1)


def _side_along(answer: xr.Dataset, dim: str) -> _Side:
    """Lay a dim out along an axis; cells meet half way between numbers, in decades on a log axis."""
    values = answer[dim].values
    numeric = values.dtype.kind in "fiu" and len(values) > 1 and bool((np.diff(values) > 0).all())
    names = [] if numeric and len(values) > MOST else _names(answer, dim)  # which an image does not tell
    log = numeric and bool(values[0] > 0 and values[-1] > 20 * values[0])
    edges = np.arange(len(values) + 1) - 0.5
    if numeric:
        at = np.log10(values.astype("f8")) if log else values.astype("f8")
        middle = (at[1:] + at[:-1]) / 2
        edges = np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])
        edges = 10.0**edges if log else edges
    unit = tables.scale_of(answer, dim)[1]
    label = f"{dim}{f' ({unit})' if unit not in ('', '1') else ''}{', log scale' if log else ''}"
    side = _Side(dim, names, edges, Axis(label, (float(edges[0]), float(edges[-1])), log=log, grid=False))
    if numeric and len(values) > 8:
        return side
    texts = distinct_texts(list(values)) if numeric and dim not in DIMS else names
    ticks = zip(np.asarray(values if log else side.middles, dtype="f8").tolist(), texts, strict=True)
    return replace(side, axis=replace(side.axis, ticks=tuple(ticks)[:: -(-len(values) // 30)]))


def _cells(across: _Side, down: _Side, names: list[str], first: Any, margin: Any) -> dict[str, Any]:
    """Lay the cells out: where they lie, who wins, by how much."""
    row, column = (place.ravel() for place in np.indices(first.shape))
    ahead, winner = margin.ravel(), first.ravel()
    told = ["" if np.isnan(one) else percent(one) if np.isfinite(one) else "∞" for one in ahead]
    labels = [
        f"{across.dim} {across.texts[at]}, {down.dim} {down.texts[level]}"
        for at, level in zip(column, row, strict=True)
    ]
    return {
        "x0": across.edges[column], "x1": across.edges[column + 1], "y0": down.edges[row], "y1": down.edges[row + 1],
        "x": across.middles[column], "y": down.middles[row], "margin": ahead, "configuration": labels,
        "winner": [names[place] if place >= 0 else "" for place in winner],
        "margin_text": [text or "no other is known" for text in told],
        "text": [text if first.size <= WRITTEN else "" for text in told],
        "strength": np.where(winner < 0, 0.0, np.clip(0.35 + np.nan_to_num(ahead, nan=0.65), 0.35, 0.9)),
    }  # fmt: skip


def _crossover(first: tables.Array, across: tables.Array, down: tables.Array) -> dict[str, Any]:
    """Make a line between each two neighbours with different winners."""
    row, column = np.nonzero((first[:, 1:] != first[:, :-1]) & (first[:, 1:] >= 0) & (first[:, :-1] >= 0))
    below, at = np.nonzero((first[1:] != first[:-1]) & (first[1:] >= 0) & (first[:-1] >= 0))
    return {
        "x0": np.concatenate([across[column + 1], across[at]]),
        "x1": np.concatenate([across[column + 1], across[at + 1]]),
        "y0": np.concatenate([down[row], down[below + 1]]), "y1": np.concatenate([down[row + 1], down[below + 1]]),
    }  # fmt: skip
