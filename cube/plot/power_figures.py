"""Power and energy: base, idle and full power; energy per input and inputs per joule, per configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from bokeh.models import ColumnDataSource

from roofcube.plot import style
from roofcube.plot.rows import by_configuration, row_figure, row_toggles
from roofcube.plot.tables import doubts, measured_names, own_dims, records, require, scope_text, source_text, value_text
from roofcube.wording import short, with_unit

if TYPE_CHECKING:
    from roofcube.plot.tables import Columns

__all__ = ["energy", "inputs_per_joule", "power"]


def power(cube: xr.Dataset) -> Any:
    """Draw measured power of each configuration: application not started (base), idle, and under load (full).

    Parameters
    ----------
    cube : Dataset
        With `power_full`; `power_base` and `power_idle` where they were measured.

    Returns
    -------
    Bokeh layout
        Source ``power.bars``: a row per configuration measured; bars are means over batches, the whisker spans all of
        them.

    Raises
    ------
    MissingInputError
        If the cube lacks `power_full`.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.power(rc.benchmark("mnist")).name
    'power'
    """
    cube = require(cube, ("power_full",), figure="power")
    names = [name for name in ("power_base", "power_idle", "power_full") if name in cube]
    table = _over_batches(cube, names, "power_full")
    table = by_configuration(cube, table, -table["power_full"], own=own_dims(cube, "power_full"))
    fields = [
        name
        for name in ("platform", "precision", "topology", "configuration", "flags", "rows", *names)
        if name in table
    ]
    data: dict[str, Any] = {name: table[name] for name in fields}
    data.update(row=list(table["row"]), low=table["low"], high=table["high"])
    for name in names:
        data[f"{name}_text"] = value_text(table[name], "W")
    data["spread"] = _range_texts(table, "W")
    data["end"] = np.maximum(table["high"], table["power_full"])
    data["filled"] = np.where(doubts(cube, table["quality"], ("power",)), 0.0, 1.0)
    source = ColumnDataSource(data, name="power.bars")
    toggles = row_toggles("power", cube, table)
    view = toggles.view(source)
    plot = row_figure(
        "power.plot",
        list(table["row"]),
        x_label="power (W)",
        x_range=(0.0, float(np.nanmax(data["end"]) * 1.1)),
        x_log=False,
    )
    style.linear_ticks(plot.xaxis)
    toggles.follow(source, plot.y_range)
    looks = {
        "power_full": (0.8, style.MEASURED, "under load (full)"),
        "power_idle": (0.5, style.PEAK, "idle"),
        "power_base": (0.22, style.MUTED, "application not started (base)"),
    }
    bars = []
    for name, (height, colour, _) in looks.items():
        if name in names:
            full = name == "power_full"
            bar = plot.hbar(
                "row",
                right=name,
                height=height,
                source=source,
                view=view,
                fill_color=colour,
                fill_alpha="filled" if full else 1.0,
                line_color=colour if full else style.SURFACE,
                line_width=1.2 if full else 0.5,
            )
            bars.append(bar)
    plot.segment("low", "row", "high", "row", source=source, view=view, line_color=style.INK, line_width=1.5)
    style.draw_numbers(plot, source, "end", "power_full_text", view=view)
    lines = {name.removeprefix("power_"): f"@{name}_text" for name in reversed(names)}
    style.hover(
        plot,
        bars,
        {**lines, "over batches": "@spread", "rows": "@rows", "flags": "@flags", "source": source_text(cube)},
    )
    shown = [(colour, label) for name, (_, colour, label) in looks.items() if name in names]
    style.key(plot, {label: {"fill_color": colour, "line_color": None} for colour, label in shown})
    style.titled(
        plot,
        _range_words(table, "power_full", "under load", "W"),
        "mean over batches; the line spans the lowest to the highest batch; " + style.HOLLOW,
    )
    return toggles.over(plot)


def energy(cube: xr.Dataset, *, scope: str = "compute") -> Any:
    """Draw measured energy per input (mJ) of each configuration: power under load over measured throughput.

    Parameters
    ----------
    cube : Dataset
        With `energy_per_input`, or `power_full` and the measured throughput of the scope.
    scope : {"compute", "system"}
        Throughput of the accelerator alone, or with host and transfers.

    Returns
    -------
    Bokeh layout
        Source ``energy.bars``: a row per configuration measured; bars are means over batches, the whisker spans all of
        them.

    Raises
    ------
    MissingInputError
        If the cube lacks power or throughput.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.energy(rc.benchmark("mnist")).name
    'energy'
    """
    cube = _with_energy(cube, scope, "energy")
    return _bars_per_input(cube, "energy", "energy_per_input", "energy per input", "mJ", scope)


def inputs_per_joule(cube: xr.Dataset, *, scope: str = "compute") -> Any:
    """Draw measured inputs per joule of each configuration: the inverse of the energy per input.

    Parameters
    ----------
    cube : Dataset
        With `inputs_per_joule`, or `power_full` and the measured throughput of the scope.
    scope : {"compute", "system"}
        Throughput of the accelerator alone, or with host and transfers.

    Returns
    -------
    Bokeh layout
        Source ``inputs_per_joule.bars``: a row per configuration measured; bars are means over batches, the whisker
        spans all of them.

    Raises
    ------
    MissingInputError
        If the cube lacks power or throughput.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.inputs_per_joule(rc.benchmark("mnist")).name
    'inputs_per_joule'
    """
    cube = _with_energy(cube, scope, "inputs_per_joule")
    return _bars_per_input(cube, "inputs_per_joule", "inputs_per_joule", "inputs per joule", "inputs/J", scope)


def _with_energy(cube: xr.Dataset, scope: str, figure: str) -> xr.Dataset:
    """Take energies as they are, or work them out for the whole system."""
    throughput = measured_names(scope)["throughput"]
    cube = require(cube, (), figure=figure)
    if scope == "compute" and {"energy_per_input", "inputs_per_joule"} <= set(cube.variables):
        return require(cube, ("energy_per_input", "inputs_per_joule"), figure=figure)
    cube = require(cube, ("power_full", throughput), figure=figure)
    joules = cube["power_full"] / cube[throughput]
    return cube.assign(
        energy_per_input=joules.assign_attrs(units="J"), inputs_per_joule=(1.0 / joules).assign_attrs(units="1/J")
    )


def _bars_per_input(cube: xr.Dataset, figure: str, name: str, words: str, unit: str, scope: str) -> Any:
    table = _over_batches(cube, [name], name)
    table = by_configuration(cube, table, table[name] * (1.0 if unit == "mJ" else -1.0), own=own_dims(cube, name))
    floor = style.floor_of(table["low"])
    fields = [one for one in ("platform", "precision", "topology", "configuration", "flags", "rows") if one in table]
    data: dict[str, Any] = {one: table[one] for one in fields}
    data.update(
        row=list(table["row"]),
        low=table["low"],
        high=table["high"],
        value=table[name],
        value_text=value_text(table[name], unit),
    )
    data["spread"] = _range_texts(table, unit)
    data["floor"] = np.full(len(table[name]), floor)
    data["filled"] = np.where(doubts(cube, table["quality"], ("power", "throughput"), scope=scope), 0.0, 0.9)
    source = ColumnDataSource(data, name=f"{figure}.bars")
    toggles = row_toggles(figure, cube, table)
    view = toggles.view(source)
    highest = float(np.nanmax(table["high"]))
    plot = row_figure(
        f"{figure}.plot",
        list(table["row"]),
        x_label=f"{words} ({unit}, log scale, bars start at {short(floor)})",
        x_range=(floor, highest * (highest / floor) ** 0.12),
        x_log=True,
    )
    toggles.follow(source, plot.y_range)
    bars = plot.hbar(
        "row",
        left="floor",
        right="value",
        height=0.68,
        source=source,
        view=view,
        fill_color=style.MEASURED,
        fill_alpha="filled",
        line_color=style.MEASURED,
        line_width=1.2,
    )
    plot.segment("low", "row", "high", "row", source=source, view=view, line_color=style.INK, line_width=1.5)
    style.draw_numbers(plot, source, "high", "value_text", view=view)
    style.hover(
        plot,
        [bars],
        {
            words: "@value_text",
            "over batches": "@spread",
            "rows": "@rows",
            "flags": "@flags",
            "source": source_text(cube),
        },
    )
    style.titled(
        plot,
        _range_words(table, name, words, unit),
        f"measured, {scope_text(scope)}, power under load; mean over batches, line = all batches; {style.HOLLOW}",
    )
    return toggles.over(plot)


def _over_batches(cube: xr.Dataset, names: list[str], main: str) -> Columns:
    """Reduce each configuration to the mean of its measured batches, with the extremes of the main variable."""
    array = cube[main]
    known = array.notnull()
    reduced = [dim for dim in ("batch",) if dim in array.dims]
    parts = {
        name: cube[name].where(known).mean(reduced, keep_attrs=True)
        if set(reduced) <= set(cube[name].dims)
        else cube[name]
        for name in names
    }
    small = xr.Dataset(parts, attrs=cube.attrs)
    small["low"], small["high"] = array.min(reduced, keep_attrs=True), array.max(reduced, keep_attrs=True)
    small["rows"] = known.sum(reduced).astype("f8").drop_attrs()
    if "quality" in cube:
        small["quality"] = _union(cube["quality"].where(known, 0).astype("i8"), reduced).assign_attrs(
            cube["quality"].attrs
        )
    table = records(small, [*names, "low", "high", "rows"], known=main)
    table["rows"] = np.array([f"{count:.0f}" for count in table["rows"]], dtype=object)
    return table


def _union(bits: xr.DataArray, dims: list[str]) -> xr.DataArray:
    """Combine flag bits along dims."""
    if not dims:
        return bits
    kept = [dim for dim in bits.dims if dim not in dims]
    ordered = bits.transpose(*kept, *dims)
    merged = np.bitwise_or.reduce(ordered.values.reshape(*(bits.sizes[dim] for dim in kept), -1), axis=-1)
    return xr.DataArray(
        merged, dims=kept, coords={name: one for name, one in bits.coords.items() if set(one.dims) <= set(kept)}
    )


def _range_texts(table: Columns, unit: str) -> np.ndarray[Any, Any]:
    pairs = zip(table["low"], table["high"], strict=True)
    return np.array(
        [with_unit(low, unit) if low == high else f"{short(low)} … {with_unit(high, unit)}" for low, high in pairs],
        dtype=object,
    )


def _range_words(table: Columns, name: str, words: str, unit: str) -> str:
    low, high = int(np.argmin(table[name])), int(np.argmax(table[name]))
    ends = [f"{with_unit(float(table[name][row]), unit)} ({table['platform'][row]})" for row in (low, high)]
    return f"{words[0].upper()}{words[1:]}: {ends[0]} to {ends[1]}"
