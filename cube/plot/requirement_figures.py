"""What the networks need and what the hardware offers: requirements and peaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import Column, ColumnDataSource, CustomJS, FactorRange, Row

from roofcube.errors import MissingInputError
from roofcube.plot import style
from roofcube.plot.tables import labels_of, ranks, records, require, sorted_rows, value_text
from roofcube.plot.toggles import choice, headed
from roofcube.variables import ELEMENT_BYTES
from roofcube.wording import short, with_unit

if TYPE_CHECKING:
    import xarray as xr

    from roofcube.plot.tables import Columns

__all__ = ["peaks", "requirements"]

ROW = 26  # pixels a bar takes
HEAD_ROOM = 1.22  # of the longest bar, for its number
RESIZE = """
const chosen = precisions[group.active];
source.data.size = source.data["size " + chosen];
source.data.size_text = source.data["text " + chosen];
source.change.emit();
axis.axis_label = "weights at " + chosen + " (MB)";
range.end = Math.max(...source.data.size) * head_room;
"""


def requirements(cube: xr.Dataset) -> Any:
    """Draw what each network needs: operations per input and model size, as bars.

    Parameters
    ----------
    cube : Dataset
        With `ops` and `params` over (topology, pruning), and a `precision` dim to choose the size by.

    Returns
    -------
    Bokeh layout
        Source ``requirements.bars``: a row per network and pruning that is defined. Buttons choose the precision of the
        size. 1 multiply-accumulate = 2 op.

    Raises
    ------
    MissingInputError
        If the cube lacks `ops` or `params`.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.requirements(rc.inputs("mnist")).name
    'requirements'
    """
    cube = require(cube, ("ops", "params"), figure="requirements")
    table = records(_true_sizes(cube), ["ops", "params"])
    dims = [*map(str, (*cube["ops"].dims, *cube["params"].dims))]
    shown = tuple(dict.fromkeys(["topology", "pruning", *dims]))
    table["label"] = labels_of(table, shown, shown=shown)
    table = sorted_rows(table, ranks(cube, table, "topology"), -table["ops"])
    sizes = _widths(cube)
    start = "INT8" if "INT8" in sizes else list(sizes)[-1]
    source = ColumnDataSource(_requirement_columns(table, sizes, start), name="requirements.bars")
    rows = FactorRange(factors=list(table["label"])[::-1], range_padding=0.02)
    height = 152 + ROW * len(table["label"])
    left = _requirement_bars(
        source, rows, "ops", "operations per input (op; a multiply-accumulate is 2 op)", width=590, height=height
    )
    right = _requirement_bars(source, rows, "size", f"weights at {start} (MB)", width=style.WIDTH - 590, height=height)
    style.plain_ticks(left.xaxis)
    right.yaxis.visible = False
    lines = {
        "operations": "@ops_text",
        "parameters": "@params_text",
        **{f"size at {one}": f"@{{text {one}}}" for one in sizes},
    }
    for plot in (left, right):
        style.hover(plot, plot.renderers[:1], lines)
    several_kept = len(set(table.get("pruning", [])) - {100.0}) > 0
    style.titled(left, _most_and_least(table), "per cent = channels kept, 100 % is unpruned" if several_kept else " ")
    style.titled(right, "Size of the weights", "at the precision chosen above" if len(sizes) > 1 else " ")
    if len(sizes) < 2:
        return Row(left, right, name="requirements")
    group = choice("requirements", "precision", list(sizes), start)
    known = {
        "source": source,
        "group": group,
        "precisions": list(sizes),
        "axis": right.xaxis[0],
        "range": right.x_range,
        "head_room": HEAD_ROOM,
    }
    group.js_on_change("active", CustomJS(args=known, code=RESIZE))
    return Column(headed("Size at", group), Row(left, right), name="requirements")


def _true_sizes(cube: xr.Dataset) -> xr.Dataset:
    """With the site's effective parameters, take the sizes from the layers: an effective figure is not a size."""
    if cube.attrs.get("counts") != "site":
        return cube
    if "layer_params" not in cube:
        msg = "`params`: expected sizes, got the site's effective parameters; use inputs(task, counts='exact')"
        raise MissingInputError(msg)
    return cube.assign(
        params=cube["layer_params"].sum("layer").where(cube["params"].notnull()).assign_attrs(cube["params"].attrs)
    )


def _widths(cube: xr.Dataset) -> dict[str, float]:
    """Bytes an element at each precision of the cube."""
    if "precision" not in cube.coords:
        return {"INT8": 1.0}
    labels = [name for name in np.atleast_1d(cube["precision"].values).tolist() if name in ELEMENT_BYTES] or ["INT8"]
    return {name: ELEMENT_BYTES[name] for name in labels}


def _requirement_columns(table: Columns, sizes: dict[str, float], start: str) -> dict[str, Any]:
    data: dict[str, Any] = {name: table[name] for name in ("label", "ops", "params", "configuration")}
    data["ops_text"] = value_text(table["ops"], "op")
    data["params_text"] = value_text(table["params"], "")
    for precision, width in sizes.items():
        data[f"size {precision}"] = table["params"] * width * 1e-6
        data[f"text {precision}"] = value_text(data[f"size {precision}"], "MB")
    return {**data, "size": data[f"size {start}"].copy(), "size_text": data[f"text {start}"].copy()}


def _requirement_bars(source: Any, rows: Any, column: str, label: str, *, width: int, height: int) -> Any:
    longest = float(np.nanmax(source.data[column]))
    plot = style.frame(
        name=f"requirements.{column}",
        x_label=label,
        x_range=(0.0, longest * HEAD_ROOM),
        y_range=rows,
        width=width,
        height=height,
    )
    plot.hbar(y="label", right=column, height=0.68, fill_color=style.PEAK, line_color=None, source=source)
    style.draw_numbers(plot, source, column, f"{column}_text", y="label")
    plot.ygrid.grid_line_color = None
    return plot


def _most_and_least(table: Columns) -> str:
    most, least = int(np.argmax(table["ops"])), int(np.argmin(table["ops"]))
    ratio = float(table["ops"][most] / table["ops"][least])
    if ratio < 1.05:
        return "Operations per input"
    return f"{table['label'][most]} needs {short(ratio)} × the operations of {table['label'][least]}"


def peaks(cube: xr.Dataset) -> Any:
    """Draw what the hardware offers: peak compute (TOP/s) and memory bandwidth (GB/s), as bars on two axes.

    Parameters
    ----------
    cube : Dataset
        With `peak_compute` over some of (platform, mode, precision) and `memory_bandwidth`.

    Returns
    -------
    Bokeh layout
        Source ``peaks.compute``: a row per platform, mode and precision with a known peak; source
        ``peaks.bandwidth``: a row per platform (and mode, where it changes the figure).

    Raises
    ------
    MissingInputError
        If the cube lacks `peak_compute` or `memory_bandwidth`.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.peaks(rc.inputs("mnist")).name
    'peaks'
    """
    cube = require(cube, ("peak_compute", "memory_bandwidth"), figure="peaks")
    compute = _offer(cube, "peak_compute", ("mode", "precision"))
    bandwidth = _offer(cube, "memory_bandwidth", ("mode", "precision"))
    left = _offers(compute, "peaks.compute", "peak_compute", "peak compute (TOP/s, log scale)", "TOP/s", width=640)
    right = _offers(
        bandwidth,
        "peaks.bandwidth",
        "memory_bandwidth",
        "memory bandwidth (GB/s, log scale)",
        "GB/s",
        width=style.WIDTH - 640,
    )
    style.titled(left, _highest(compute, "peak_compute", "peak compute", "TOP/s"), _floor_note(left))
    style.titled(right, _highest(bandwidth, "memory_bandwidth", "bandwidth", "GB/s"), _floor_note(right))
    return Row(left, right, name="peaks")


def _offer(cube: xr.Dataset, name: str, dims: tuple[str, ...]) -> Columns:
    table = records(cube, [name])
    table["label"] = labels_of(table, tuple(dim for dim in (*dims, *_own_dims(cube, name)) if dim in cube[name].dims))
    return sorted_rows(table, ranks(cube, table, "platform"), -table[name])


def _own_dims(cube: xr.Dataset, name: str) -> list[str]:
    return [str(dim) for dim in cube[name].dims if dim not in ("platform", "mode", "precision")]


def _offers(table: Columns, name: str, column: str, label: str, unit: str, *, width: int) -> Any:
    table["row"] = np.array(
        [
            (platform, own) if own else (platform, " ")
            for platform, own in zip(table["platform"], table["label"], strict=True)
        ],
        dtype=object,
    )
    factors = list(dict.fromkeys(map(tuple, table["row"])))[::-1]
    values = table[column]
    floor = style.floor_of(values)
    top = float(np.nanmax(values)) * 4
    data: dict[str, Any] = {one: table[one] for one in ("configuration", column)}
    data["row"] = [tuple(one) for one in table["row"]]
    data["floor"] = np.full(len(values), floor)
    data["text"] = value_text(values, unit)
    source = ColumnDataSource(data, name=name)
    rows = FactorRange(factors=factors, group_padding=0.6, factor_padding=0.05, range_padding=0.02)
    groups = len({platform for platform, _ in factors})
    plot = style.frame(
        name=name,
        x_label=label,
        x_range=(floor, top),
        x_log=True,
        y_range=rows,
        width=width,
        height=150 + 22 * len(factors) + 12 * groups,
    )
    bars = plot.hbar(
        y="row", left="floor", right=column, height=0.78, fill_color=style.PEAK, line_color=None, source=source
    )
    style.draw_numbers(plot, source, column, "text")
    style.grouped_rows(plot)
    style.hover(plot, [bars], {label.split(" (")[0]: "@text"})
    return plot


def _highest(table: Columns, name: str, what: str, unit: str) -> str:
    best = int(np.argmax(table[name]))
    return f"Highest {what}: {with_unit(float(table[name][best]), unit)} ({table['platform'][best]})"


def _floor_note(plot: Any) -> str:
    return f"bars start at {plot.x_range.start:g}"
