"""Power and energy: base, idle and full power; energy per input and inputs per joule, per configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.labels import is_judged
from roofcube.plot.drawing import style, tables
from roofcube.plot.drawing.elements import segments
from roofcube.plot.drawing.findings import BELIEVED, Finding
from roofcube.plot.drawing.rows import (
    bars,
    by_configuration,
    fields,
    hollow,
    linear_axis,
    log_axis,
    row_plane,
    swatches,
)
from roofcube.vocabulary import VARIABLES
from roofcube.wording import sentence, short

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["energy", "inputs_per_joule", "power"]

# variable → height of its bar, colour, words
LOOKS = {
    "power_full": (0.8, style.MEASURED, "under load (full)"),
    "power": (0.8, style.PREDICTED, "used for predictions"),
    "power_idle": (0.5, style.PEAK, "idle"),
    "power_base": (0.22, style.MUTED, "application not started (base)"),
}
UNITS = {"energy_per_input": "J", "inputs_per_joule": "1/J"}
INVERSE = {"energy_per_input": "inputs_per_joule", "inputs_per_joule": "energy_per_input"}


def power(cube: xr.Dataset) -> Any:
    """Draw power of each configuration: application not started (base), idle, and under load (full).

    Parameters
    ----------
    cube : Dataset
        With `power_full`; `power_base` and `power_idle` where they were measured. Without measurements, `power`: what
        predictions of energy rest on.

    Returns
    -------
    holoviews.Overlay
        Marks ``power.bars``: one per configuration; bars are means over batches, the whisker spans all of them.

    Raises
    ------
    MissingInputError
        If the cube lacks both.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.power(rc.benchmark("mnist")).name
    'power'
    """
    names, kind = tables.observed(cube, "compute", "power")
    main = names["power"]
    cube = tables.require(cube, (main,), figure="power")
    beside = ("power_base", "power_idle") if kind == "measured" else ()
    shown = [main, *(name for name in beside if tables.has_value(cube, name))]
    table = _over_batches(cube, shown)
    said = LOOKS[main][2] if kind == "predicted" else "under load"
    finding = _span_text("power.bars", said, "W")
    table[BELIEVED] = tables.believed_rows(cube, table, (main,))
    title = finding.over(table)
    table, rows, few = by_configuration(cube, table, -table[main])
    data = _row_data(table, "W", *shown)
    data["end"] = np.maximum(table["high"], table[main])
    data["filled"] = np.where(tables.doubts(cube, table["quality"], (main,)), 0.0, 1.0)
    lines = {name.removeprefix("power_"): (name, "W") for name in shown}
    source = tables.source_text(cube) if kind == "measured" else "the inputs of the model"
    tooltip = {**lines, "over batches": "@spread", "cells": "@rows", "flags": "@flags", "source": source}
    looks = {name: look for name, look in LOOKS.items() if name in shown}
    parts = []
    for name, (height, colour, _) in looks.items():
        behind = {"fill_color": colour, "line_color": style.SURFACE, "line_width": 0.5}
        dress = hollow(colour, "end", f"{main}_text") if name == main else behind
        part = "bars" if name == main else name.removeprefix("power_")
        parts.append(bars(data, 0.0, name, height, name=f"power.{part}", tooltip=tooltip, **dress))
    parts.append(_whiskers(data, "power"))
    x = linear_axis("power (W)", data["end"], tables.value_text(table[main], "W"), rows.width())
    over = "mean over batches; the line spans the lowest to the highest batch; " if "batch" in cube[main].dims else ""
    notes = [f"{over}{style.HOLLOW}", few]
    key = swatches({words: colour for _, colour, words in looks.values()})
    tags = [finding.tag()] * (not few)
    return row_plane(parts, rows, name="power", x=x, title=title, notes=notes, key=key, tags=tags)


def energy(cube: xr.Dataset, *, scope: str = "compute") -> Any:
    """Draw energy per input (mJ) of each configuration: measured power under load over throughput, or as predicted.

    Parameters
    ----------
    cube : Dataset
        With `energy_per_input`, or `power_full` and the measured throughput of the scope; without measurements,
        `predicted_energy`.
    scope : {"compute", "system"}
        Throughput of the accelerator alone, or with host and transfers.

    Returns
    -------
    holoviews.Overlay
        Marks ``energy.bars``: one per configuration; bars are means over batches, the whisker spans all of them.

    Raises
    ------
    MissingInputError
        If the cube lacks power or throughput, and predicted energy.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.energy(rc.benchmark("mnist")).name
    'energy'
    """
    return _bars_per_input(cube, "energy", "energy_per_input", "energy per input", "mJ", scope)


def inputs_per_joule(cube: xr.Dataset, *, scope: str = "compute") -> Any:
    """Draw inputs per joule of each configuration: the inverse of the energy per input.

    Parameters
    ----------
    cube : Dataset
        With `inputs_per_joule`, or `power_full` and the measured throughput of the scope; without measurements,
        `predicted_energy`.
    scope : {"compute", "system"}
        Throughput of the accelerator alone, or with host and transfers.

    Returns
    -------
    holoviews.Overlay
        Marks ``inputs_per_joule.bars``: one per configuration; bars are means over batches, the whisker spans all of
        them.

    Raises
    ------
    MissingInputError
        If the cube lacks power or throughput, and predicted energy.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.inputs_per_joule(rc.benchmark("mnist")).name
    'inputs_per_joule'
    """
    return _bars_per_input(cube, "inputs_per_joule", "inputs_per_joule", "inputs per joule", "inputs/J", scope)


def _with_energies(cube: Any, scope: str, figure: str) -> tuple[xr.Dataset, str]:
    """Take energies as they are, either for both, or work them out for the whole system, or from what is predicted."""
    throughput = tables.measured_names(scope)["throughput"]
    known = [name for name in INVERSE if scope == "compute" and tables.has_value(cube, name)]
    if known:
        cube = tables.require(cube, known, figure=figure)
        missing = {name: cube[other] for name, other in INVERSE.items() if name not in known}
        return cube.assign({name: _per_one(array, UNITS[name]) for name, array in missing.items()}), "measured"
    both = all(tables.has_value(cube, name) for name in ("power_full", throughput))
    if not both and (not isinstance(cube, xr.Dataset) or "predicted_energy" in cube):
        cube = tables.require(cube, ("predicted_energy",), figure=figure)
        joules, kind = cube["predicted_energy"], "predicted"
    else:
        cube = tables.require(cube, ("power_full", throughput), figure=figure)
        joules, kind = cube["power_full"] / cube[throughput], "measured"
    given = {
        "energy_per_input": joules.assign_attrs(units=UNITS["energy_per_input"]),
        "inputs_per_joule": _per_one(joules, UNITS["inputs_per_joule"]),
    }
    return cube.assign(given), kind


def _per_one(array: xr.DataArray, unit: str) -> xr.DataArray:
    return (1.0 / array).assign_attrs(units=unit)


def _bars_per_input(cube: Any, figure: str, name: str, words: str, unit: str, scope: str) -> Any:
    cube, kind = _with_energies(cube, scope, figure)
    made_of = ("power_full", tables.measured_names(scope)["throughput"]) if kind == "measured" else ()
    table = _over_batches(cube, [name], made_of)
    said = words if kind == "measured" else f"predicted {words}"
    finding = _span_text(f"{figure}.bars", said, unit)
    table |= {"value": table[name], BELIEVED: tables.believed_rows(cube, table, made_of)}
    title = finding.over(table)
    table, rows, few = by_configuration(cube, table, table[name] * (1.0 if unit == "mJ" else -1.0))
    floor = style.floor_of(table["low"])
    data = _row_data(table, unit, "value")
    data["filled"] = np.where(tables.doubts(cube, table["quality"], made_of), 0.0, 0.9)
    source = tables.source_text(cube) if kind == "measured" else tables.model_text(cube)
    colour = style.MEASURED if kind == "measured" else style.PREDICTED
    tooltip = {words: ("value", unit), "over batches": "@spread", "cells": "@rows", "flags": "@flags", "source": source}
    looks = hollow(colour, "high", "value_text")
    bar = bars(data, floor, "value", 0.68, name=f"{figure}.bars", tooltip=tooltip, **looks)
    how, load = tables.how_text(kind, scope, cube), ", power under load" if kind == "measured" else ""
    label = f"{words} ({unit}, log scale, bars start at {short(floor)})"
    x = log_axis(label, table["high"], floor, tables.value_text(table[name], unit), rows.width())
    over = "mean over batches, line = all batches; " if "batch" in cube[name].dims else ""
    notes = [f"{how}{load}; {over}{style.HOLLOW}", few]
    parts, tags = [bar, _whiskers(data, figure)], [finding.tag()] * (not few)
    return row_plane(parts, rows, name=figure, x=x, title=title, notes=notes, tags=tags)


def _row_data(table: tables.Columns, unit: str, *more: str) -> dict[str, Any]:
    spread = tables.range_texts(table["low"], table["high"], unit)
    texts = {f"{end}_text": tables.value_text(table[end], unit) for end in ("low", "high")}
    return {**fields(table, "flags", "rows", "low", "high", BELIEVED, *more), **texts, "spread": spread}


def _whiskers(data: dict[str, Any], figure: str) -> Any:
    """Span what lies between the lowest and the highest batch."""
    columns = tables.only(data, *tables.TOGGLED, "low", "high", "place", "y")
    columns |= {"y0": data["y"], "y1": data["y"]}
    return segments(columns, ("low", "y0", "high", "y1"), name=f"{figure}.whiskers", color=style.INK, line_width=1.5)


def _over_batches(cube: xr.Dataset, names: list[str], judged: Sequence[str] = ()) -> tables.Columns:
    """Reduce each configuration to the mean of its measured batches, with the extremes of the first variable.

    Batches whose value, or what it is made of, is impossible are left out where others are known.
    """
    main = names[0]
    batch = [str(dim) for dim in cube[main].dims if dim == "batch"]
    array = tables.sound(cube, cube[main], (main, *judged), batch)
    known = array.notnull()
    over = {
        name: cube[name].where(known).mean(batch, keep_attrs=True) for name in names if set(batch) <= {*cube[name].dims}
    }
    small = xr.Dataset({**cube[names].data_vars, **over}, attrs=cube.attrs)
    ends = array.assign_attrs({"units": VARIABLES[main].units} | array.attrs)  # no name says it of low and high
    small["low"], small["high"] = ends.min(batch, keep_attrs=True), ends.max(batch, keep_attrs=True)
    small["rows"] = known.sum(batch).astype("f8").drop_attrs()
    if is_judged(cube):
        bits = cube["quality"].where(known, 0).astype("i8").compute()
        small["quality"] = bits.reduce(np.bitwise_or.reduce, batch, keep_attrs=True) if batch else bits
    table = tables.records(small, [*names, "low", "high", "rows"], known=main)
    table["rows"] = np.array([f"{count:.0f}" for count in table["rows"]], dtype=object)
    return table


def _span_text(marks: str, words: str, unit: str) -> Finding:
    """Say between which values it lies over all batches, and whose they are."""
    ends = (("min", "low"), ("max", "high"))
    low, high = (((how, end, f"{end}_text"), " (", (how, end, "platform"), ")") for how, end in ends)
    single = f"{sentence(words)}: ", *low
    return Finding(marks, (*single, " to ", *high), dict.fromkeys(("low", "high"), unit), (low[0], high[0]), single)
