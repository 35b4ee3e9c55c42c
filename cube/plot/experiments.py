"""Throughput against latency, and the spread of latency, throughput and power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.plot.drawing import style, tables
from roofcube.plot.drawing.elements import Axis, layout, plane, points, segments
from roofcube.plot.drawing.findings import BELIEVED, Finding
from roofcube.plot.drawing.points import MANY, colours_of, extreme_rows, marks, platform_key
from roofcube.plot.drawing.rows import Rows, bars, few_rows, row_pairs, row_plane
from roofcube.vocabulary import CONFIGURATION, DIMS
from roofcube.wording import counted, listed, noun_of, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr

__all__ = ["boxes", "latency_throughput"]

ROW = 24  # pixels a box takes
SPLIT = ("topology", "pruning")  # dims that boxes of a platform are told apart by
QUARTILES = {"low": 0.0, "q1": 0.25, "median": 0.5, "q3": 0.75, "high": 1.0}


def latency_throughput(cube: xr.Dataset, *, scope: str = "compute", measurements: Any = None) -> Any:
    """Draw throughput over latency, a line through the batches of each configuration.

    Parameters
    ----------
    cube : Dataset
        With measured throughput and latency, or predicted ones where nothing was measured; a front (dim `point`) too.
    scope : {"compute", "system"}
        The accelerator alone, or with host and transfers.
    measurements : table, optional
        The rows that were joined; tooltips then name the source row of each point.

    Returns
    -------
    holoviews.Overlay
        Marks ``latency_throughput.points``: one per cell (configuration and batch); ``latency_throughput.lines``: one
        per configuration. Hollow points are doubted by the physics gate.

    Raises
    ------
    MissingInputError
        If the cube lacks the variables.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.latency_throughput(rc.benchmark("mnist")).name
    'latency_throughput'
    """
    names, kind = tables.observed(cube, scope, "throughput", "latency")
    throughput, latency = names.values()
    cube = tables.require(cube, (throughput, latency), figure="latency_throughput", measurements=measurements)
    table = tables.ranked(cube, tables.records(cube, [throughput, latency]))
    pair, unit = (latency, throughput), tables.rate_unit(cube)
    table[BELIEVED] = tables.believed_rows(cube, table, pair)
    x = Axis("latency of the whole batch (ms, log scale)", style.log_bounds(table[latency]), log=True)
    y = Axis(f"throughput ({unit}, log scale)", style.log_bounds(table[throughput]), log=True)
    source = tables.source_text(cube) if kind == "measured" else tables.model_text(cube)
    lines = _lines_by_batch(cube, table, pair) if len(table[latency]) <= MANY else {}
    drawn, shade, marked = marks(
        cube,
        table,
        pair,
        (x, y),
        name="latency_throughput.points",
        doubtful=tables.doubts(cube, table["quality"], pair),
        worth=lambda: extreme_rows(table, table[throughput], -table[latency]),
        tooltip={"throughput": ("y", unit), "latency": ("x", "ms"), "flags": "@flags", "source": source},
        lines=lines,
    )
    note = f"{tables.how_text(kind, scope, cube)}; a line joins the batches of one configuration; {style.HOLLOW}"
    finding = _fastest(unit, "" if kind == "measured" else "predicted ")
    title = finding.over(table | {"x": table[latency], "y": table[throughput]})
    notes, key, tags = [note, shade], platform_key(marked), [finding.tag()] * (not shade)
    return plane(drawn, name="latency_throughput", x=x, y=y, title=title, notes=notes, key=key, tags=tags)


def _lines_by_batch(cube: xr.Dataset, table: tables.Columns, pair: tuple[str, str]) -> dict[str, Any]:
    """Join the rows of each configuration in the order of their batch."""
    own = tables.own_dims(cube, table)
    groups = tables.rows_by_labels(table, [name for name in (*CONFIGURATION, *own) if name in table])
    batch = table.get("batch", np.zeros(len(table[pair[0]])))
    ordered = [rows[np.argsort(batch[rows], kind="stable")] for rows in groups.values()]
    first = tables.taken(table, [rows[0] for rows in ordered])
    return {
        **tables.only(first, *tables.TOGGLED),
        "colour": colours_of(cube, first["platform"]),
        **{letter: [table[name][rows] for rows in ordered] for letter, name in zip("xy", pair, strict=True)},
    }


def _fastest(unit: str, kind: str) -> Finding:
    fastest, soonest = ("max", "y", "platform"), ("min", "x", "platform")
    highest = f"Highest {kind}throughput ", ("max", "y", "y_text"), " (", fastest
    shortest = f"), shortest {kind}latency ", ("min", "x", "x_text"), " (", soonest, ")"
    return Finding("latency_throughput.points", (*highest, *shortest), {"x": "ms", "y": unit})


# boxes ----------------------------------------------------------------------------------------------------------------


def boxes(cube: xr.Dataset, *, scope: str = "compute") -> Any:
    """Draw the spread of latency, throughput and power by platform and pruning (and network, where there are several).

    Parameters
    ----------
    cube : Dataset
        With measured throughput and latency, or predicted ones where nothing was measured; the panel of power needs
        `power_full` and is left out where it is not known.
    scope : {"compute", "system"}
        The accelerator alone, or with host and transfers; power is the board's in both.

    Returns
    -------
    holoviews.Layout
        Marks ``boxes.latency``, ``boxes.throughput``, ``boxes.power``: one per platform, network and pruning. Boxes
        span the quartiles, whiskers the extremes, over modes, precisions and batches.

    Raises
    ------
    MissingInputError
        If the cube lacks the variables.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.boxes(rc.benchmark("mnist")).name
    'boxes'
    """
    names, kind = tables.observed(cube, scope, "latency", "throughput")
    if kind == "measured":
        every = names | {"power": "power_full"}
        names = {what: name for what, name in every.items() if tables.has_value(cube, name)} or names
    cube = tables.require(cube, names.values(), figure="boxes")
    known = {what: tables.records(cube, [variable]) for what, variable in names.items()}
    cells = {what: tables.believed(cube, known[what], [variable]) for what, variable in names.items()}
    left_out = sum(len(known[what]["platform"]) - len(table["platform"]) for what, table in cells.items())
    by_quantity = {what: _quartiles(cube, names[what], table, cells.values()) for what, table in cells.items()}
    differ = dict.fromkeys(dim for table in cells.values() for dim in _dims_that_differ(cube, table))
    by = ["platform", *(dim for dim in differ if dim in SPLIT)]
    over = [dim for dim in differ if dim not in by]
    found = list(dict.fromkeys(row for table in by_quantity.values() for row in table["row"]))
    first = by_quantity.get("throughput", by_quantity[next(iter(names))])
    fastest = dict(zip(first["row"], -first["median"], strict=True))
    kept, few = few_rows([platform for platform, _ in found], np.array([fastest.get(row, np.inf) for row in found]))
    found = [found[place] for place in kept]
    order = tables.labels_in_order(cube, "platform", {platform for platform, _ in found})
    rows = Rows(sorted(found, key=lambda row: order.index(row[0])), gap=0.5)
    letters = [max(len(row[place]) for row in found) for place in (0, 1)]
    # pixels of the names before the first panel
    spare = int(np.clip(7.2 * letters[0] + 6.5 * letters[1] + 20, 160 if len(names) == 3 else 200, 480))
    width = (style.WIDTH - spare) // len(names)
    notes = ["box = quartiles, bar = median", "whiskers = extremes, log scales"]
    notes += [f"over all {', '.join(noun_of(2, dim) if dim in DIMS else dim for dim in over)}"] * bool(over)
    notes += [f"{counted(left_out, 'value')} that cannot be true left out"] * bool(left_out)
    panels = []
    for place, (what, variable) in enumerate(names.items()):
        looks = {"width": width + spare * (place == 0), "shown": place == 0}
        note = "; ".join(notes[place:] if place == len(names) - 1 else notes[place : place + 1])
        table = tables.taken(by_quantity[what], [row in rows.places for row in by_quantity[what]["row"]])
        panels.append(_box_panel(cube, table, what, variable, rows, notes=note, **looks))
    what = sentence(listed(list(names)))
    words = listed(["network" if dim == "topology" else dim for dim in by])
    head = f"{what} by {words} ({tables.how_text(kind, scope, cube)})"
    head += f"; {few.partition(', ')[0]}" if few else ""
    return layout(panels, name="boxes", columns=len(panels), title=head)


def _dims_that_differ(cube: xr.Dataset, table: tables.Columns) -> list[str]:
    return [dim for dim in (*DIMS, *tables.own_dims(cube, table)) if tables.several(table, dim)]


def _quartiles(
    cube: xr.Dataset, variable: str, table: tables.Columns, panels: Iterable[tables.Columns]
) -> tables.Columns:
    """Return the rows of a panel, named as in all panels."""
    labels = tables.labels_of(cube, table, SPLIT, panels)
    groups = tables.rows_by_labels(table, ["platform", *tables.only(table, *SPLIT)])
    first = np.array([rows[0] for rows in groups.values()])
    spread = np.array([np.quantile(table[variable][rows], list(QUARTILES.values())) for rows in groups.values()])
    columns = tables.only(tables.taken(table, first), *tables.TOGGLED[::2])
    columns["rows"] = np.array([len(rows) for rows in groups.values()])
    columns |= {name: spread[:, place] for place, name in enumerate(QUARTILES)}
    rows = np.empty(len(first), dtype=object)
    rows[:] = row_pairs(columns, labels[first])
    return {**columns, "row": rows}


def _box_panel(cube: xr.Dataset, table: tables.Columns, name: str, variable: str, rows: Rows, **looks: Any) -> Any:
    unit = tables.scale_of(cube, variable)[1]
    data = tables.only(table, *tables.TOGGLED, *QUARTILES, "rows") | rows.columns(list(table["row"]))
    data["configuration"] = [f"{platform} · {own}" for platform, own in table["row"]]
    data["colour"] = colours_of(cube, table["platform"])
    data["half"] = tables.range_texts(table["q1"], table["q3"], unit)
    data["all"] = tables.range_texts(table["low"], table["high"], unit)
    bounds = style.log_bounds([*table["low"], *table["high"]])
    placed = tables.only(data, *tables.TOGGLED, "place", "y")
    whiskers = placed | tables.only(data, "low", "high", "colour") | {"y0": data["y"], "y1": data["y"]}
    tooltip = {"median": ("median", unit), "half lie in": "@half", "all lie in": "@all", "cells": "@rows"}
    parts = [
        segments(whiskers, ("low", "y0", "high", "y1"), name=f"boxes.{name}.whiskers", color="colour", line_width=1.5),
        bars(data, "q1", "q3", 0.62, name=f"boxes.{name}", tooltip=tooltip, fill_color="colour", line_color="colour",
             fill_alpha=0.45),
        points({**placed, "median": data["median"]}, "median", "y", name=f"boxes.{name}.medians", marker="dash",
               angle=90, size=15, line_width=3, color=style.INK),
    ]  # fmt: skip
    x = Axis(f"{name}{' of the batch' if name == 'latency' else ''} ({unit})", bounds, log=True)
    return row_plane(parts, rows, row=ROW, name=f"boxes.{name}.panel", x=x, **looks)
