"""What the networks need and what the hardware offers: requirements and peaks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.errors import MissingInputError
from roofcube.plot.drawing import style, tables
from roofcube.plot.drawing.elements import HEAD, MARGIN, Axis, layout
from roofcube.plot.drawing.findings import Finding
from roofcube.plot.drawing.rows import Rows, bars, few_rows, log_axis, numbers, row_pairs, row_plane
from roofcube.vocabulary import ELEMENT_BYTES
from roofcube.wording import short

if TYPE_CHECKING:
    import xarray as xr


__all__ = ["peaks", "requirements"]

LONG = 20  # letters of a platform that is written beside its bars
ROW = 26  # pixels a bar takes
HEAD_ROOM = 1.22  # of the longest bar, for its number
# what the hardware offers: name of its marks, words, unit, pixels
OFFERS = {
    "peak_compute": ("compute", "peak compute", "TOP/s", 640),
    "memory_bandwidth": ("bandwidth", "bandwidth", "GB/s", style.WIDTH - 640),
}
GROWTH = Finding(
    "requirements.bars",
    (("min", "ops", "row"), " to ", ("max", "ops", "row"), ": ", ("span", "ops", ""), " × the operations"),
    same=(("span", "ops", ""), "1"),
    single=("Operations per input",),
    brief=("Operations per input",),
)


def requirements(cube: xr.Dataset) -> Any:
    """Draw what each network needs: operations per input and model size, as bars.

    Parameters
    ----------
    cube : Dataset
        With `ops` and `params` over (topology, pruning), and a `precision` dim to choose the size by.

    Returns
    -------
    holoviews.Layout
        Marks ``requirements.bars`` and ``requirements.sizes``: one per network and pruning that is defined; in a page
        buttons choose the precision of the size. 1 multiply-accumulate = 2 op.

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
    cube = tables.require(cube, ("ops", "params"), figure="requirements")
    table = tables.told(cube, tables.records(_true_sizes(cube), ["ops", "params"], known="ops"))
    dims = dict.fromkeys(["topology", "pruning", *map(str, (*cube["ops"].dims, *cube["params"].dims))])
    table["label"] = tables.labels_of(cube, table, dims)
    told = {"ops": table["ops"], "row": table["label"]}
    kept, few = few_rows(np.full(len(table["ops"]), ""), -table["ops"])
    table = tables.taken(table, kept)
    table = tables.ranked(cube, table, -table["ops"], dim="topology")
    sizes = _widths(cube)
    start = "INT8" if "INT8" in sizes else list(sizes)[-1]
    pairs = [("", str(label) or " ") for label in table["label"]]
    rows = Rows(pairs)
    data = tables.only(table, "topology", "ops", "params", "configuration") | rows.columns(pairs)
    for precision, width in sizes.items():
        data[f"size {precision}"] = table["params"] * width * 1e-6
        data[f"size_text {precision}"] = tables.value_text(data[f"size {precision}"], "MB")
    data |= {"size": data[f"size {start}"].copy(), "size_text": data[f"size_text {start}"].copy()}
    tooltip: dict[str, Any] = {"operations": ("ops", "op"), "parameters": ("params", "")}
    tooltip |= {f"size at {one}": f"@{{size_text {one}}}" for one in sizes}
    ends = [float(np.nanmax(data[f"size {one}"])) * HEAD_ROOM for one in sizes]
    tag = {
        "title": "Size at", "choices": list(sizes), "start": start, "ends": ends, "label": "weights at {} (MB)",
    }  # fmt: skip
    pruned = bool(set(table.get("pruning", [])) - {100.0})
    kept_words = "per cent = channels kept, 100 % is unpruned" if pruned else ""
    operations = Axis("operations per input (op; a multiply-accumulate is 2 op)",
                      (0.0, float(np.nanmax(data["ops"])) * HEAD_ROOM))  # fmt: skip
    weights = Axis(f"weights at {start} (MB)", (0.0, ends[list(sizes).index(start)]))
    finding = replace(GROWTH, most=int((590 - MARGIN - style.LETTER * max(map(len, data["row"]))) / HEAD))
    looks: dict[str, dict[str, Any]] = {
        "ops": {"x": operations, "title": finding.over(told), "notes": [kept_words, few], "width": 590,
                "tags": [finding.tag()] * (not few)},
        "size": {"x": weights, "title": "Size of the weights", "notes": "one precision of those in the tooltip",
                 "width": style.WIDTH - 590, "shown": False, "tags": [tag] if len(sizes) > 1 else []},
    }  # fmt: skip
    panels = []
    for column, part in (("ops", "bars"), ("size", "sizes")):
        bar = _bars(data, 0.0, column, 0.68, name=f"requirements.{part}", tooltip=tooltip)
        panels.append(row_plane([bar], rows, name=f"requirements.{column}", row=ROW, around=152, **looks[column]))
    return layout(panels, name="requirements", columns=2)


def _bars(data: dict[str, Any], left: float, right: str, height: float, **more: Any) -> Any:
    """Make the grey-blue bars of what is needed or offered, a number at each."""
    text = numbers(right, f"{right}_text")
    return bars(data, left, right, height, color=style.PEAK, line_color=None, texts=[text], **more)


def _true_sizes(cube: xr.Dataset) -> xr.Dataset:
    """With the site's effective parameters, take the sizes from the layers: an effective figure is not a size."""
    if cube.attrs.get("counts") != "site":
        return cube
    if "layer_params" not in cube:
        msg = "`params`: expected sizes, got the site's effective parameters; use inputs(task, counts='exact')"
        raise MissingInputError(msg)
    sizes = cube["layer_params"].sum("layer").where(cube["params"].notnull())
    return cube.assign(params=sizes.assign_attrs(cube["params"].attrs))


def _widths(cube: xr.Dataset) -> dict[str, float]:
    """Bytes an element at each precision of the cube."""
    if "precision" not in cube.coords:
        return {"INT8": 1.0}
    told = dict.fromkeys(cube["precision"].values.ravel().tolist())
    labels = [name for name in told if name in ELEMENT_BYTES] or ["INT8"]
    return {name: ELEMENT_BYTES[name] for name in labels}


def peaks(cube: xr.Dataset) -> Any:
    """Draw what the hardware offers: peak compute (TOP/s) and memory bandwidth (GB/s), as bars on two axes.

    Parameters
    ----------
    cube : Dataset or Sweep
        With `peak_compute` over some of (platform, mode, precision) and `memory_bandwidth`.

    Returns
    -------
    holoviews.Layout
        Marks ``peaks.compute``: one per platform, mode and precision with a known peak; ``peaks.bandwidth``: one per
        platform (and mode, where it changes the figure).

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
    cube = tables.require(cube, OFFERS, figure="peaks")
    offers = {name: _offer(cube, name) for name in OFFERS}
    # names so long that they would leave no room for bars beside one another
    stacked = max(map(len, offers["peak_compute"][0]["platform"].tolist())) > LONG
    panels = [
        _offers(*offers[name], f"peaks.{part}", name, words, unit, width=style.WIDTH if stacked else width)
        for name, (part, words, unit, width) in OFFERS.items()
    ]
    return layout(panels, name="peaks", columns=1 if stacked else 2)


def _offer(cube: xr.Dataset, name: str) -> tuple[tables.Columns, str]:
    table = tables.told(cube, tables.records(cube, [name]))
    dims = [dim for dim in dict.fromkeys(("mode", "precision", *map(str, cube[name].dims))) if dim in cube[name].dims]
    shown = [dim for dim in dims if dim != "platform" and tables.several(table, dim)]
    table["label"] = tables.labels_of(cube, table, shown)
    kept, few = few_rows(table["platform"], -table[name])
    table = tables.taken(table, kept)
    return tables.ranked(cube, table, -table[name]), few


def _offers(table: tables.Columns, few: str, name: str, column: str, words: str, unit: str, *, width: int) -> Any:
    pairs, values = row_pairs(table, table["label"]), table[column]
    rows, floor = Rows(pairs, gap=0.6), style.floor_of(values)
    data = tables.only(table, *tables.TOGGLED, "configuration", column) | rows.columns(pairs)
    bar = _bars(data, floor, column, 0.78, name=name, tooltip={words: (column, unit)})
    texts = tables.value_text(values, unit)
    x = log_axis(f"{words} ({unit}, log scale)", values, floor, texts, rows.width(width))
    highest = f"Highest {words}: ", ("max", column, f"{column}_text")
    most, whose = int((width - 150) / 8.5), (" (", ("max", column, "platform"), ")")
    finding = Finding(name, (*highest, *whose), {column: unit}, most=most, brief=highest)
    notes = [f"bars start at {short(floor)} {unit}", few]
    more: dict[str, Any] = {"title": finding.over(data), "tags": [finding.tag()], "width": width}
    return row_plane([bar], rows, name=f"{name}.panel", x=x, row=22, notes=notes, **more)
