"""Marks, one a cell: coloured by platform, shaped by device class, hollow where in doubt, a shade where many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.plot.drawing import style, tables
from roofcube.plot.drawing.elements import Axis, points, rectangles, without_place
from roofcube.plot.drawing.findings import BELIEVED, ON_FRONT
from roofcube.wording import with_thousands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import xarray as xr

__all__ = [
    "LOOKS",
    "MANY",
    "MEASURED_KEY",
    "NAMED",
    "PREDICTED_KEY",
    "SIDES",
    "axis_label",
    "axis_of",
    "colours_of",
    "crosses",
    "extreme_rows",
    "mark_columns",
    "markers_of",
    "marks",
    "palette_of",
    "place_labels",
    "platform_key",
    "shapes_of",
]

Pair = tuple[str, str]  # columns of the two axes
Box = tuple[float, float, float, float]  # left, bottom, right, top [pixels]
SIDES = ("label", "label_left")  # columns of the names right of marks, and of those left of them
HALO = {"background_fill_color": style.SURFACE, "background_fill_alpha": 0.8}  # of what a step of a front crosses
NAMED = (
    {"x": "x", "y": "y", "text": SIDES[0], "x_offset": 8, "y_offset": -9},
    {"x": "x", "y": "y", "text": SIDES[1], "x_offset": -8, "y_offset": -9, "text_align": "right", **HALO},
)
FIELDS = (*tables.TOGGLED, "configuration", "flags", "source", BELIEVED, ON_FRONT)
PREDICTED_KEY = {"marker": "circle", "color": style.PREDICTED}
MEASURED_KEY = {"marker": "x", "line_color": style.MEASURED, "line_width": 2}
MANY = 5000  # marks above which a shade stands for most of them
MOST_IN_KEY = 12  # platforms
MOST_PLATFORMS = 40  # whose best keep marks of their own
GRID = 150, 70  # cells of the shade: 7 pixels, which a pointer still hits
LOOKS = {
    "marker": "marker",
    "size": "size",
    "line_color": "colour",
    "fill_color": "colour",
    "fill_alpha": "filled",
    "line_width": 1.3,
}


def mark_columns(cube: xr.Dataset, table: tables.Columns, pair: Pair, doubtful: Any, *, size: float) -> dict[str, Any]:
    """Lay out a row per mark: its place, its look, and what toggles and tooltips ask for."""
    drawn = markers_of(cube, table)
    return {
        **tables.only(table, *FIELDS),
        "x": table[pair[0]],
        "y": table[pair[1]],
        "colour": colours_of(cube, table["platform"]),
        "marker": drawn,
        "size": [style.marker_size(one, size) for one in drawn],
        "filled": np.where(doubtful, 0.0, 0.85),
    }


def crosses(columns: Mapping[str, Any], x: str, y: str, doubtful: tables.Array, **more: Any) -> Any:
    """Make the crosses of what was measured, boxed where in doubt."""
    data = {**columns, "marker": np.where(doubtful, "square_x", "x").astype(object)}
    looks: dict[str, Any] = {"line_color": style.MEASURED, "line_width": 2, "fill_color": None}
    return points(data, x, y, marker="marker" if len(doubtful) else "x", size=10, **looks, **more)


def colours_of(cube: xr.Dataset, platforms: Iterable[str]) -> tables.Array:
    """Return the colour of the platform of each row."""
    platforms = list(platforms)
    colours = palette_of(cube, platforms)
    return np.array([colours[one] for one in platforms], dtype=object)


def markers_of(cube: xr.Dataset, table: tables.Columns) -> list[str]:
    """Return the marker of the platform of each row."""
    classes = dict(zip(table["platform"].tolist(), table["device_class"].tolist(), strict=True))
    markers = shapes_of(cube, {**tables.device_classes(cube), **classes})
    return [markers[name] for name in table["platform"].tolist()]


def shapes_of(cube: xr.Dataset, classes: Mapping[str, str]) -> dict[str, str]:
    """Return the markers of platforms."""
    names = tables.given_names(cube, {**dict.fromkeys(tables.every_platform(cube), ""), **classes})
    markers = style.platform_markers({name: classes.get(platform, "") for platform, name in names.items()})
    return {platform: markers[name] for platform, name in names.items()}


def palette_of(cube: xr.Dataset, platforms: Iterable[str]) -> dict[str, str]:
    """Return the colours of platforms; of all of a cube, since they must not depend on which of them a figure shows."""
    every = tables.every_platform(cube)
    names = tables.given_names(cube, tables.labels_in_order(cube, "platform", [*every, *platforms]))
    colours = style.platform_colours(names.values())
    return {platform: colours[name] for platform, name in names.items()}


def platform_key(*tables_of_marks: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the entries of a key of platforms; of very many one, which says that tooltips name them."""
    looks: dict[str, tuple[str, str]] = {}
    for columns in filter(None, tables_of_marks):
        looks |= dict(zip(columns["platform"], zip(columns["marker"], columns["colour"], strict=True), strict=True))
    if len(looks) > MOST_IN_KEY:
        told = f"{len(looks)} platforms by colour and shape: hover over one for its name"
        return {told: {"marker": "circle", "color": style.MUTED}}
    return {str(name): {"marker": marker, "color": colour} for name, (marker, colour) in looks.items()}


def axis_of(cube: xr.Dataset, name: str, words: str, values: Any) -> Axis:
    """Choose an axis: log where values span more than a factor of five and are no percentages."""
    unit = tables.scale_of(cube, name)[1]
    finite = np.asarray(values, dtype="f8")
    finite = finite[np.isfinite(finite)]
    low, high, size = finite.min(), finite.max(), float(np.abs(finite).max())
    log = unit != "%" and bool(low > 0 and high > 5 * low)
    # of values that are all but equal, ticks would differ in digits that nobody reads
    margin = 0.06 * (high - low) if high - low > 1e-3 * size else 0.02 * size or 1.0
    bounds = style.log_bounds(finite) if log else (float(low - margin), float(high + margin))
    return Axis(axis_label(words, unit, log=log), bounds, log=log)


def axis_label(words: str, unit: str, *, log: bool) -> str:
    """Write what stands along an axis: throughput (inputs/s, log scale)."""
    return f"{words} ({', '.join(filter(None, (unit, 'log scale' * log)))})".replace(" ()", "")


# many marks -----------------------------------------------------------------------------------------------------------


def marks(
    cube: xr.Dataset,
    table: tables.Columns,
    pair: Pair,
    axes: tuple[Axis, Axis],
    *,
    name: str,
    doubtful: tables.Array,
    worth: Callable[[], tables.Array],
    worth_are: str = "the front and the best of each platform",
    also: Callable[[tables.Columns], Mapping[str, Any]] | None = None,
    marker_size: float = 7,
    **more: Any,
) -> tuple[list[Any], str, dict[str, Any]]:
    """Make a mark for each row of a bare table, at two of its columns, hollow where `doubtful`.

    `also` gives more columns. Of many, a shade counts all and those stay that are `worth` a mark. Returns
    the elements, those of the marks last, a note on the shade, and the columns of the marks.

    Counting into cells of the axes takes 0.3 s for ten million marks, and draws on a log axis in its own numbers, which
    an image does not.
    """
    count, note, shade = len(table[pair[0]]), "", []
    mask: Any = slice(None)
    if count > MANY:
        logarithmic = [table[one] > 0 for one, axis in zip(pair, axes, strict=True) if axis.log]
        placed = np.all([np.ones(count, dtype=bool), *logarithmic], axis=0)
        mask = worth() & placed
        x, y = (table[one][placed] for one in pair)
        shade = [_shade(x, y, axes, f"{name.split('.')[0]}.density")]
        note = f"shade = number of points here, of {with_thousands(count)}; marks = {worth_are}"
        note = "; ".join(filter(None, (note, without_place(int((~placed).sum())))))
    rows = tables.told(cube, tables.taken(table, mask))
    columns = {**mark_columns(cube, rows, pair, doubtful[mask], size=marker_size), **(also(rows) if also else {})}
    return [*shade, points(columns, "x", "y", name=name, **{**LOOKS, **more})], note, columns


def extreme_rows(table: tables.Columns, *values: tables.Array) -> tables.Array:
    """Return which rows have the largest value of their platform."""
    mask = np.zeros(len(table["platform"]), dtype=bool)
    for rows in list(tables.rows_by_labels(table, ["platform"]).values())[:MOST_PLATFORMS]:
        mask[[rows[np.argmax(column[rows])] for column in values]] = True
    return mask


def _shade(x: Any, y: Any, axes: tuple[Axis, Axis], name: str) -> Any:
    """Make a box for each cell of the axes that holds marks, the darker the more."""
    places, edges = [], []
    for values, axis, cells in zip((x, y), axes, GRID, strict=True):
        bounds = axis.bounds or (0.0, 1.0)
        place = style.share(values, bounds, log=axis.log) * cells
        places.append(np.clip(place.astype(np.intp), 0, cells - 1))
        low, high = np.log10(bounds) if axis.log else bounds
        even = np.linspace(low, high, cells + 1)
        edges.append(10.0**even if axis.log else even)
    counts = np.bincount(places[0] * GRID[1] + places[1], minlength=GRID[0] * GRID[1])
    filled = np.flatnonzero(counts)
    column, row = np.divmod(filled, GRID[1])
    number = counts[filled]
    boxes = {
        "x0": edges[0][column],
        "y0": edges[1][row],
        "x1": edges[0][column + 1],
        "y1": edges[1][row + 1],
        "alpha": 0.15 + 0.75 * np.log1p(number) / np.log1p(number.max()),
        "count_text": [with_thousands(int(one)) for one in number],
    }
    return rectangles(boxes, name=name, tooltip={"points": "@count_text"}, heading="",
                      color=style.MUTED, line_color=None, fill_alpha="alpha")  # fmt: skip


# labels ---------------------------------------------------------------------------------------------------------------


def place_labels(
    x: Any, y: Any, texts: list[str], axes: tuple[Axis, Axis], size: tuple[float, float]
) -> dict[str, list[str]]:
    """Write labels right of marks, else left of them, where they overprint neither another label nor another mark."""
    places = [
        style.share(values, axis.bounds or (0.0, 1.0), log=axis.log) * pixels
        for values, axis, pixels in zip((x, y), axes, size, strict=True)
    ]
    boxes: list[Box] = []

    def is_free(box: Box) -> bool:
        covered = (places[0] > box[0]) & (places[0] < box[2]) & (places[1] > box[1]) & (places[1] < box[3])
        inside = box[0] >= 0 and box[2] <= size[0] and not covered.any()
        return inside and not any(
            box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in boxes
        )

    shown: dict[str, list[str]] = {side: [""] * len(texts) for side in SIDES}
    for row, (at, level, text) in enumerate(zip(*places, texts, strict=True)):
        near, far = 8.0, 12 + 7.2 * len(text)
        ends = dict(zip(SIDES, ((at + near, at + far), (at - far, at - near)), strict=True))
        found = {side: (left, level + 1, right, level + 17) for side, (left, right) in ends.items()}
        side = next((side for side, box in found.items() if text and is_free(box)), None)
        if side is not None:
            shown[side][row] = text
            boxes.append(found[side])
    return shown
