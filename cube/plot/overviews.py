"""Which experiments were made: a table of platforms and networks, from the data."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError
from roofcube.plot.drawing import style, tables
from roofcube.plot.drawing.elements import load
from roofcube.vocabulary import DIMS
from roofcube.wording import counted, labelled_text, listed

__all__ = ["overview"]

MOST = 8  # networks beside one another
TABLE = (
    style.TEXT_CSS
    + """
:host { font-size: 13px; display: block; }
.bk-clearfix { width: 100%; }
table { border-collapse: collapse; width: 100%; }
strong { display: block; font-size: 16px; margin: 0 0 2px; }
p { margin: 0 0 8px; color: var(--muted); }
th, td { border-bottom: 1px solid var(--line); padding: 5px 8px; vertical-align: top; text-align: left; }
th, td { line-height: 1.35; }
thead th { border-bottom: 2px solid var(--muted); }
th i { font-style: normal; font-weight: normal; color: var(--muted); }
td.na { color: var(--muted); }
td div.range { white-space: nowrap; }
"""
)


def overview(cube: xr.Dataset) -> Any:
    """Lay out which experiments were made: platform × topology, from the data.

    Parameters
    ----------
    cube : Dataset
        With `n_rows` (a cube of `join`) over some of platform, mode, topology, pruning, precision, batch; without
        measurements, `predicted_throughput`, whose cells are counted.

    Returns
    -------
    holoviews.Div
        A table with a row per platform and a column per topology, or of many topologies a row each; a cell
        (``td[data-rows]``) lists precisions, channels kept, batches (threads, on the DPUs) and the number of measured
        rows, or says 'na'.

    Raises
    ------
    MissingInputError
        If the cube lacks `n_rows`.
    InvalidDataError
        If it is a front, or winners.

    Examples
    --------
    >>> import roofcube as rc
    >>> "FP16" in rc.plot.overview(rc.benchmark("mnist")).data
    True
    """
    predicted = isinstance(cube, xr.Dataset) and "n_rows" not in cube and "predicted_throughput" in cube
    cube = tables.require(cube, ("predicted_throughput" if predicted else "n_rows",), figure="overview")
    beside = [dim for dim in DIMS if dim in cube.coords and dim not in cube.dims and cube[dim].ndim]
    if beside:
        msg = f"`cube`: expected platforms and networks as dims, got points with their {beside[0]}; pass the whole cube"
        raise InvalidDataError(msg)
    if predicted:
        cube = cube.assign(n_rows=cube["predicted_throughput"].notnull().astype("i4"))
    kind, noun = ("predicted", "cell") if predicted else ("measured", "row")
    platforms, topologies = _labels_along(cube, "platform"), _labels_along(cube, "topology")
    platforms = tables.labels_in_order(cube, "platform", platforms)
    total = int(cube["n_rows"].sum())
    class_of = tables.device_classes(cube)
    heads = [
        [f"{escape(one)}<br><i>{escape(class_of.get(one, ''))}{_modes(cube, one)}</i>" for one in platforms],
        [escape(one) for one in topologies],
    ]
    upright = len(topologies) > max(MOST, len(platforms))  # many networks stand below one another
    wide = len(platforms if upright else topologies) < 3
    cells = np.array([[_cell(cube, one, other, noun, wide=wide) for other in topologies] for one in platforms])
    cells, heads = (cells.T, heads[::-1]) if upright else (cells, heads)
    rows = zip(heads[0], cells.tolist(), strict=True)
    lines = "".join(f'<tr><th scope="row">{head}</th>{"".join(row)}</tr>' for head, row in rows)
    columns = "".join(f'<th scope="col">{head}</th>' for head in ["network" if upright else "platform", *heads[1]])
    used = sum(bool(_row_counts(cube, platform=platform).sum()) for platform in platforms)
    text = (
        f"<strong>{total} {kind} {noun}s on {used} of {len(platforms)} platforms</strong>"
        f"<p>precisions · channels kept (100 % is unpruned) · {_batch_words(cube)} · {noun}s; na = not {kind}</p>"
        f"<table><thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table>"
    )
    hook = partial(_dress, tags=[len(platforms) * len(topologies)])
    return load().Div(text, group="overview", name="overview").opts(width=style.WIDTH, hooks=[hook], backend="bokeh")


def _dress(plot: Any, _: Any, *, tags: list[int]) -> None:
    """Give the table its looks; dollars in labels are no mathematics."""
    div = plot.handles["plot"]
    div.update(name="overview", stylesheets=[style.sheet(TABLE)], disable_math=True, tags=tags, height=None)


def _batch_words(cube: xr.Dataset) -> str:
    threads = tables.threaded(cube)
    return f"batch sizes, or threads on {listed(threads)}" if threads else "batch sizes"


def _labels_along(cube: xr.Dataset, dim: str) -> list[str]:
    return [str(label) for label in cube[dim].values.ravel()] if dim in cube.coords else [""]


def _row_counts(cube: xr.Dataset, **labels: str) -> xr.DataArray:
    return cube["n_rows"].sel({dim: label for dim, label in labels.items() if dim in cube["n_rows"].dims})


def _modes(cube: xr.Dataset, platform: str) -> str:
    modes = [mode for mode in _present(_row_counts(cube, platform=platform), "mode") if mode != "default"]
    return f"; {escape(', '.join(map(str, modes)))}" if modes else ""


def _present(rows: xr.DataArray, dim: str) -> list[Any]:
    """Labels of a dim along which something was measured."""
    if dim not in rows.dims:
        return np.atleast_1d(rows[dim].values).tolist() if dim in rows.coords else []
    measured = (rows > 0).any([one for one in rows.dims if one != dim]).values
    return [label for label, known in zip(rows[dim].values.tolist(), measured, strict=True) if known]


def _cell(cube: xr.Dataset, platform: str, topology: str, noun: str, *, wide: bool) -> str:
    rows = _row_counts(cube, platform=platform, topology=topology)
    count = int(rows.sum())
    if not count:
        return '<td class="na" data-rows="0">na</td>'
    precisions = ", ".join(map(str, _present(rows, "precision")))
    *others, last = ["", *_present(rows, "pruning")]
    kept = ", ".join(filter(None, [*map(labelled_text, others), labelled_text(last, " %")]))
    batches = _present(rows, "batch")
    word = "threads" if tables.threaded(cube.sel(platform=platform) if "platform" in cube.dims else cube) else "batch"
    span = f"{word} {_batches_text(batches)}" if batches else ""
    parts = [escape(precisions), kept, span, counted(count, noun)]
    known = [part for part in parts if part]
    body = " · ".join(known) if wide else "".join(f'<div class="range">{part}</div>' for part in known)
    return f'<td data-rows="{count}">{body}</td>'


def _batches_text(values: list[Any]) -> str:
    if len(values) < 3:
        return ", ".join(map(labelled_text, values))
    return f"{labelled_text(values[0])} … {labelled_text(values[-1])} ({len(values)} values)"
