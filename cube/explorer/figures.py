"""The figures of the explorer: a heatmap, a scatter and a table, linked in the browser; they may not know Panel."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import (
    BoxSelectTool,
    ColorBar,
    Column,
    ColumnDataSource,
    CustomJS,
    CustomJSTickFormatter,
    DataTable,
    Div,
    FixedTicker,
    LassoSelectTool,
    LinearColorMapper,
    LogColorMapper,
    Row,
    StringFormatter,
    TableColumn,
    TapTool,
)
from bokeh.palettes import Cividis256

from roofcube.explorer.cells import Cells, Points, cells_of, dims_in_order, points_of, sense, spaced, unit_of, words
from roofcube.plot.staircases import draw_staircase
from roofcube.plot.style import INK, MEASURED, MUTED, PLAIN, PREDICTED, frame, hover, titled
from roofcube.wording import short, shown_unit

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr

__all__ = ["figures"]

MOST_TEXTS = 160  # cells with their value written in
MOST_TICKS = 24
MOST_LISTED = 500
DECADES = 30  # of the largest to the smallest value, from which a scale is logarithmic
HOW = {"best": "Best", "median": "Median", "count": "Number of values of"}
# A point belongs to a cell when their places agree; -1 is a point without a label along that dim.
LINK = """
if (state.tags.includes("busy")) return;
state.tags = ["busy"];
const belongs = (point, cell) =>
  (points.data.column[point] < 0 || points.data.column[point] === cells.data.column[cell]) &&
  (points.data.row[point] < 0 || points.data.row[point] === cells.data.row[cell]);
const count = points.get_length(), places = cells.get_length();
if (cb_obj === cells.selected) {
  const picked = cells.selected.indices;
  points.selected.indices = [...Array(count).keys()].filter((point) => picked.some((cell) => belongs(point, cell)));
} else {
  const picked = points.selected.indices;
  cells.selected.indices = [...Array(places).keys()].filter((cell) => picked.some((point) => belongs(point, cell)));
}
const some = cells.selected.indices.length || points.selected.indices.length;
const shown = some ? points.selected.indices : [...Array(count).keys()].filter((point) => points.data.front[point]);
const order = [...shown].sort((a, b) => points.data.x[b] - points.data.x[a]).slice(0, 500);
const taken = (name) => order.map((point) => points.data[name][point]);
listed.data = Object.fromEntries(Object.keys(listed.data).map((name) => [name, taken(name)]));
state.tags = [];
"""


def figures(
    cube: xr.Dataset, variable: str, columns: str, rows: str, how: str, x: str, y: str, keep: dict[str, list[int]]
) -> Any:
    """Draw the heatmap, the scatter and the table, linked to one another."""
    cells = cells_of(cube, variable, columns, rows, how=how, keep=keep)
    points = points_of(cube, x, y, columns, rows, keep=keep)
    cell_source, heat = _heatmap(cube, cells, variable, columns, rows, how)
    point_source, scatter = _scatter(cube, points, x, y)
    listed, table = _front_table(cube, points, point_source, x, y)
    link = CustomJS(
        args={
            "cells": cell_source,
            "points": point_source,
            "listed": listed,
            "state": ColumnDataSource(name="explorer.state"),
        },
        code=LINK,
    )
    for source in (cell_source, point_source):
        source.selected.js_on_change("indices", link)
    listing = Div(text="<b>The front, or what is selected above</b>", styles={"font-size": "14px"})
    pair = Row(children=[heat, scatter], spacing=24, sizing_mode="stretch_width")
    return Column(children=[pair, listing, table], spacing=12, sizing_mode="stretch_width")


def _shown_as(array: xr.DataArray) -> tuple[float, str]:
    """Return the factor to the unit in which a variable is shown, and that unit."""
    return shown_unit(str(array.attrs.get("units", "")))


def _axis_label(array: xr.DataArray, name: str) -> str:
    unit = _shown_as(array)[1]
    return f"{spaced(name)}{f' ({unit})' if unit else ''}"


def _heatmap(cube: xr.Dataset, cells: Cells, variable: str, columns: str, rows: str, how: str) -> tuple[Any, Any]:
    array = cube[variable]
    factor, unit = (1.0, "values") if how == "count" else _shown_as(array)
    values = cells.values.astype("f8") * factor
    wordy = words(array)
    shown = np.where(np.isfinite(values), cells.text if wordy else np.vectorize(_brief, otypes=[object])(values), "")
    row, column = (place.ravel() for place in np.indices(values.shape))
    known = np.isfinite(values).ravel()
    colours, mapper = _colours(values)
    tell = np.vectorize(lambda text: f"{text} {'' if wordy else unit}".strip() or "not known", otypes=[object])(shown)
    source = ColumnDataSource(
        {
            "column": column,
            "row": row,
            "value": np.where(known, values.ravel(), np.nan),
            "colour": colours.ravel().tolist(),
            "ink": _inks(colours).ravel().tolist(),
            "text": shown.ravel().tolist(),
            "tell": tell.ravel().tolist(),
            "detail": cells.detail.ravel().tolist(),
            "configuration": [
                f"{columns} {cells.columns[c]} · {rows} {cells.rows[r]}" for r, c in zip(row, column, strict=True)
            ],
            "hatch": [" " if one else "." for one in known],
        },
        name="explorer.cells",
    )
    wide, high = len(cells.columns), len(cells.rows)
    plot = frame(
        name="explorer.heatmap",
        x_label=_dim_label(cube, columns),
        y_label=_dim_label(cube, rows),
        x_range=(-0.5, wide - 0.5),
        y_range=(high - 0.5, -0.5),
        width=560,
        height=480,
    )
    plot.update(sizing_mode="stretch_width", min_width=380, max_width=760)
    titled(
        plot,
        spaced(variable).capitalize() if wordy else f"{HOW[how]} {spaced(variable)}{f' ({unit})' if unit else ''}",
        _story(cells, cube, array.dims, columns, rows, wordy),
    )
    drawn = plot.rect(
        "column",
        "row",
        0.96 if wide <= MOST_TICKS else 1.02,
        0.94 if high <= MOST_TICKS else 1.02,
        source=source,
        fill_color="colour",
        line_color=None,
        hatch_pattern="hatch",
        hatch_color=MUTED,
        hatch_alpha=0.6,
        hatch_scale=8,
        nonselection_fill_alpha=0.18,
        nonselection_hatch_alpha=0.2,
        selection_line_color=INK,
        selection_line_width=2,
    )
    if values.size <= MOST_TEXTS:
        words_drawn = plot.text(
            "column",
            "row",
            "text",
            source=source,
            text_align="center",
            text_baseline="middle",
            text_font_size="12px",
            text_color="ink",
            nonselection_text_color=MUTED,
            nonselection_text_alpha=0.7,
        )
        words_drawn.name = "explorer.texts"
    _label_axis(plot.xaxis, cells.columns, turned=sum(map(len, cells.columns)) > 60)
    _label_axis(plot.yaxis, cells.rows, turned=False)
    plot.grid.visible = False
    if mapper is not None and not wordy:
        plot.add_layout(
            ColorBar(
                color_mapper=mapper,
                width=10,
                formatter=CustomJSTickFormatter(code=PLAIN),
                label_standoff=6,
                major_label_text_color=INK,
                background_fill_color=None,
            ),
            "right",
        )
    hover(plot, [drawn], {array.attrs.get("long_name", variable): "@tell", "from": "@detail"})
    _selectable(plot, drawn)
    return source, plot


def _dim_label(cube: xr.Dataset, dim: str) -> str:
    unit = unit_of(cube, dim)
    return f"{dim} ({unit})" if unit else dim


def _story(cells: Cells, cube: xr.Dataset, used: tuple[Hashable, ...], columns: str, rows: str, wordy: bool) -> str:
    """Return what a cell stands for."""
    others = [dim for dim in dims_in_order(cube) if dim in used and dim not in (columns, rows) and cube.sizes[dim] > 1]
    known = int(np.isfinite(cells.values.astype("f8")).sum())
    over = f"over {', '.join(others)}; " if others and not wordy else ""
    return f"{over}dotted: {cells.values.size - known} of {cells.values.size} not known"


def _brief(value: float) -> str:
    return short(value) if np.isfinite(value) else ""


def _colours(values: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], Any]:
    """Colour by value, by its logarithm where it spans decades; no colour where nothing is known."""
    known = np.isfinite(values)
    colours = np.full(values.shape, "rgba(0,0,0,0)", dtype=object)
    if not known.any():
        return colours, None
    low, high = float(values[known].min()), float(values[known].max())
    log = low > 0 and high / low > DECADES
    scaled = np.log(values[known]) if log else values[known]
    span = float(scaled.max() - scaled.min()) or 1.0
    steps = np.rint(255 * (scaled - scaled.min()) / span).astype(np.intp)
    colours[known] = np.array(Cividis256, dtype=object)[steps]
    mapper = LogColorMapper if log else LinearColorMapper
    return colours, mapper(palette=Cividis256, low=low, high=high if high > low else low + (abs(low) or 1.0) * 1e-6)


def _inks(colours: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Write black on light cells and white on dark ones."""
    inks = np.array([_ink(colour) for colour in colours.ravel().tolist()], dtype=object)
    return inks.reshape(colours.shape)


def _ink(colour: str) -> str:
    if not colour.startswith("#"):
        return MUTED
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 128 else "#ffffff"


def _label_axis(axis: Any, labels: list[str], *, turned: bool) -> None:
    """Write the labels at their places; of many only some."""
    step = max(1, -(-len(labels) // MOST_TICKS))
    ticks = list(range(0, len(labels), step))
    axis.ticker = FixedTicker(ticks=ticks)
    axis.major_label_overrides = {place: labels[place] for place in ticks}
    axis.major_label_orientation = 0.9 if turned else "horizontal"
    axis.major_tick_line_color = None


def _selectable(plot: Any, renderer: Any) -> None:
    tap, box, lasso = (
        TapTool(renderers=[renderer]),
        BoxSelectTool(renderers=[renderer]),
        LassoSelectTool(renderers=[renderer]),
    )
    plot.add_tools(tap, box, lasso)
    plot.toolbar.active_tap = tap
    plot.toolbar.active_drag = box
    plot.toolbar.autohide = False


def _scatter(cube: xr.Dataset, points: Points, x: str, y: str) -> tuple[Any, Any]:
    (x_factor, x_unit), (y_factor, y_unit) = _shown_as(cube[x]), _shown_as(cube[y])
    xs, ys = points.x * x_factor, points.y * y_factor
    labels = {f"dim_{dim}": values.tolist() for dim, values in points.labels.items()}
    told = [dim for dim in points.labels if cube.sizes[dim] > 1]
    sizes = np.where(points.front, 12, 7)
    source = ColumnDataSource(
        {
            "x": xs,
            "y": ys,
            "column": points.column,
            "row": points.row,
            "front": points.front,
            "size": sizes,
            "alpha": np.where(points.front, 1.0, 0.45),
            "configuration": [
                " · ".join(
                    f"{dim} {points.labels[dim][place]}"
                    if not points.labels[dim][place][:1].isalpha()
                    else points.labels[dim][place]
                    for dim in told
                )
                for place in range(xs.size)
            ],
            "tell_x": [f"{_brief(value)} {x_unit}" for value in xs],
            "tell_y": [f"{_brief(value)} {y_unit}" for value in ys],
            **labels,
        },
        name="explorer.points",
    )
    x_log, y_log = _log(xs), _log(ys)
    plot = frame(
        name="explorer.scatter",
        x_label=_axis_label(cube[x], x),
        y_label=_axis_label(cube[y], y),
        x_range=_axis_range(xs, x_log),
        y_range=_axis_range(ys, y_log),
        x_log=x_log,
        y_log=y_log,
        width=560,
        height=480,
    )
    plot.update(sizing_mode="stretch_width", min_width=380, max_width=760)
    ways = sense(cube[x], x), sense(cube[y], y)
    titled(plot, f"The front of {_bare(x)} and {_bare(y)}", f"{_way(x, ways[0])}, {_way(y, ways[1])}: {_seen(points)}")
    measured = "measured" in f"{x} {y}"
    colour, marker = (MEASURED, "x") if measured else (PREDICTED, "circle")
    front = xs[points.front], ys[points.front]
    draw_staircase(plot, *front, name="explorer.front", sense_x=ways[0], colour=colour, width=1.5)
    drawn = plot.scatter(
        "x",
        "y",
        source=source,
        marker=marker,
        size="size",
        line_color=colour,
        fill_color=colour,
        line_width=2,
        fill_alpha="alpha",
        line_alpha="alpha",
        nonselection_line_alpha=0.08,
        nonselection_fill_alpha=0.08,
        selection_line_alpha=1,
        selection_fill_alpha=1,
    )
    hover(plot, [drawn], {spaced(x): "@tell_x", spaced(y): "@tell_y"})
    _selectable(plot, drawn)
    return source, plot


def _way(name: str, way: str) -> str:
    return f"{'most' if way == 'max' else 'least'} {_bare(name)}"


def _bare(name: str) -> str:
    return spaced(name.replace("measured_", "").replace("predicted_", ""))


def _seen(points: Points) -> str:
    front = int(points.front.sum())
    drawn = f", {points.x.size} drawn" if points.total > points.x.size else ""
    impossible = f", {points.impossible} impossible not among them" if points.impossible else ""
    return f"{front} of {points.total} points{drawn}{impossible}"


def _log(values: np.ndarray[Any, Any]) -> bool:
    return bool(values.size and values.min() > 0 and values.max() / values.min() > DECADES)


def _axis_range(values: np.ndarray[Any, Any], log: bool) -> tuple[float, float]:
    if not values.size:
        return 0.1, 1.0
    low, high = float(values.min()), float(values.max())
    if log:
        room = (high / low) ** 0.06
        return low / room, high * room
    room = 0.06 * (high - low) or abs(high) * 0.1 or 1.0
    return low - room, high + room


def _front_table(cube: xr.Dataset, points: Points, source: Any, x: str, y: str) -> tuple[Any, Any]:
    """List the chosen points; the front where none is chosen."""
    told = [dim for dim in points.labels if cube.sizes[dim] > 1]
    wanted = [*(f"dim_{dim}" for dim in told), "tell_x", "tell_y"]
    front = np.flatnonzero(points.front)
    order = front[np.argsort(-points.x[front], kind="stable")][:MOST_LISTED]
    listed = ColumnDataSource(
        {name: [source.data[name][place] for place in order] for name in wanted}, name="explorer.listed"
    )
    titles = [*told, spaced(x), spaced(y)]
    columns = [
        TableColumn(field=name, title=escape(title), formatter=StringFormatter())
        for name, title in zip(wanted, titles, strict=True)
    ]
    return listed, DataTable(
        source=listed,
        columns=columns,
        height=260,
        index_position=None,
        reorderable=False,
        sizing_mode="stretch_width",
        name="explorer.table",
    )
