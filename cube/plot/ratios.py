"""Efficiency: measured over predicted over peak, per configuration, with the reason where it exceeds 100 %."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from bokeh.models import Column, ColumnDataSource, CustomJS

from roofcube.errors import MissingInputError, check_choice
from roofcube.measured.efficiency import efficiency as ratios_of
from roofcube.model.assumptions import PUBLISHED
from roofcube.plot import style
from roofcube.plot.rows import by_configuration, row_figure, row_toggles
from roofcube.plot.tables import (
    doubts,
    flags_text,
    measured_names,
    model_text,
    own_dims,
    records,
    require,
    scope_text,
    value_text,
)
from roofcube.plot.toggles import choice, headed
from roofcube.variables import CONFIGURATION, ELEMENT_BYTES
from roofcube.wording import percent, short

if TYPE_CHECKING:
    from roofcube.plot.tables import Columns

__all__ = ["efficiency"]

BEST = "best"
BARS = ("measured", "predicted", "peak")
SWITCH = """
const chosen = choices[group.active];
for (const name of names) source.data[name] = source.data[name + " " + chosen];
source.change.emit();
head.text = titles[group.active];
"""


def efficiency(
    cube: xr.Dataset, *, at: Literal["best", "batch"] = "best", scope: Literal["compute", "system"] = "compute"
) -> Any:
    """Draw peak, predicted and measured throughput of each configuration, with measured ÷ predicted in percent.

    Peak is the grey-blue bar, predicted the orange one, measured the blue one: the same language as in all other
    figures. Above 100 % the figure says in place which assumption of the published roofline does not hold: weights
    reused over a batch, weights on chip; or that the figure is impossible, because it exceeds the compute peak.

    Parameters
    ----------
    cube : Dataset
        With predicted, peak and measured throughput.
    at : {"best", "batch"}
        Each configuration at its best batch; or all at the same batch, which buttons choose: first the smallest of
        those at which most configurations were measured.
    scope : {"compute", "system"}
        The accelerator alone, or with host and transfers.

    Returns
    -------
    Bokeh layout
        Source ``efficiency.bars`` (at equal batch: ``efficiency_at_batch.bars``): a row per configuration measured and
        predicted.

    Raises
    ------
    MissingInputError
        If the cube lacks one of the variables; at equal batch also if it has no dim `batch`.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.efficiency(rc.benchmark("mnist")).name
    'efficiency'
    """
    check_choice("at", at, ("best", "batch"))
    throughput = measured_names(scope)["throughput"]
    cube = require(cube, ("predicted_throughput", "peak_throughput", throughput), figure="efficiency")
    name = "efficiency" if at == "best" else "efficiency_at_batch"
    best = ratios_of(cube, at="best", scope=scope, trust="all")  # what is impossible is drawn hollow, and told
    table = records(best, ["efficiency"])
    table = by_configuration(cube, table, -table["efficiency"], own=own_dims(best, "efficiency"))
    choices = (
        {BEST: _at(cube, best, table, best.get("best_batch"), scope)}
        if at == "best"
        else _at_each_batch(cube, table, throughput, scope)
    )
    start = max(choices, key=lambda one: int(np.isfinite(choices[one]["measured"]).sum()))
    floor = style.floor_of(np.concatenate([one[bar] for one in choices.values() for bar in BARS]))
    source = _efficiency_source(name, table, choices, start, floor)
    toggles = row_toggles(name, cube, table)
    plot, bars = _efficiency_bars(name, source, table, floor, toggles.view(source))
    toggles.follow(source, plot.y_range)
    style.hover(
        plot,
        bars,
        {
            "measured": "@measured_text",
            "predicted": "@predicted_text",
            "peak": "@peak_text",
            "efficiency": "@note",
            "flags": "@flags",
            "model": model_text(cube),
        },
    )
    titles = [_title(label, one, table) for label, one in choices.items()]
    head = style.titled(
        plot, titles[list(choices).index(start)], _notes(choices, scope, published=_reads_weights_per_input(cube))
    )
    layout = toggles.over(plot)
    return layout if len(choices) < 2 else _with_choice(name, layout, source, choices, start, titles, head)


def _at_each_batch(
    cube: xr.Dataset, table: Columns, throughput: str, scope: Literal["compute", "system"]
) -> dict[str, dict[str, Any]]:
    """Columns of each batch at which something was measured."""
    if "batch" not in cube[throughput].dims:
        msg = (
            f"`batch`: the figure efficiency at equal batch needs {throughput} along this dim and the cube has one "
            "batch alone; draw it with at='best'"
        )
        raise MissingInputError(msg)
    equal = ratios_of(cube, at="batch", scope=scope, trust="all")
    found = {
        f"{batch:g}": _at(cube, equal.sel(batch=batch, drop=True), table, batch, scope)
        for batch in equal["batch"].values.tolist()
    }
    return {batch: one for batch, one in found.items() if np.isfinite(one["measured"]).any()}


def _with_choice(
    name: str, layout: Any, source: Any, choices: dict[str, dict[str, Any]], start: str, titles: list[str], head: Any
) -> Any:
    """Put buttons above a figure that exchange the columns shown."""
    group = choice(name, "batch", list(choices), start)
    known = {
        "source": source,
        "group": group,
        "choices": list(choices),
        "names": list(choices[start]),
        "head": head,
        "titles": titles,
    }
    group.js_on_change("active", CustomJS(args=known, code=SWITCH))
    return Column(headed("At batch", group), *layout.children, name=name)


def _at(cube: xr.Dataset, ratios: xr.Dataset, table: Columns, batch: Any, scope: str) -> dict[str, Any]:
    """Columns that depend on the batch: the best one of each row, or the same for all."""
    picks = {
        dim: xr.DataArray(table[dim], dims="row")
        for dim in (*CONFIGURATION, *own_dims(ratios, "efficiency"))
        if dim in ratios.dims
    }

    def taken(array: xr.DataArray) -> np.ndarray[Any, Any]:
        return _cell_of_rows(array, picks, len(table["row"]))

    measured, predicted = (
        taken(ratios["measured_throughput"]).astype("f8"),
        taken(ratios["predicted_throughput"]).astype("f8"),
    )
    peak = taken(cube["peak_throughput"]).astype("f8")
    own_batch = (
        np.full(len(measured), np.nan)
        if batch is None
        else taken(batch)
        if isinstance(batch, xr.DataArray)
        else np.full(len(measured), float(batch))
    )
    quality = _quality(cube, own_batch, picks)
    ratio = measured / predicted
    on_chip = _on_chip(cube, picks, len(measured))
    published = _reads_weights_per_input(cube)
    notes = [_note(*one, published=published) for one in zip(ratio, measured, peak, on_chip, own_batch, strict=True)]
    words = flags_text(cube, quality)
    unknown = ~np.isfinite(measured)
    # above the roofline is what the figure explains in place, so it does not make a bar hollow
    doubtful = doubts(cube, quality, ("throughput",), scope=scope, but=("above_roofline",))
    return {
        "measured": measured,
        "predicted": predicted,
        "predicted_text": value_text(predicted, "inputs/s"),
        "peak": peak,
        "measured_text": [
            f"{text}{f', batch {own:g}' if own == own else ''}"
            for text, own in zip(value_text(measured, "inputs/s"), own_batch, strict=True)
        ],
        "note": np.array(
            ["not measured" if none else note for none, note in zip(unknown, notes, strict=True)], dtype=object
        ),
        "filled": np.where(doubtful, 0.0, 1.0),
        "flags": np.where(unknown, "not measured", words),
    }


def _cell_of_rows(array: xr.DataArray, picks: dict[str, xr.DataArray], count: int) -> np.ndarray[Any, Any]:
    """Take the cell of each row; the best over dims that the rows do not name."""
    own = {dim: labels for dim, labels in picks.items() if dim in array.dims}
    cells = array.sel(own) if own else array
    values = cells.max([dim for dim in cells.dims if dim != "row"]).values
    return np.broadcast_to(values, (count,))


def _quality(cube: xr.Dataset, batch: np.ndarray[Any, Any], picks: dict[str, xr.DataArray]) -> np.ndarray[Any, Any]:
    """Take the findings of the rows shown."""
    if "quality" not in cube:
        return np.zeros(len(batch), dtype="i4")
    array = cube["quality"]
    own = {dim: labels for dim, labels in picks.items() if dim in array.dims}
    if "batch" in array.dims:
        known = np.isfinite(batch)
        own["batch"] = xr.DataArray(np.where(known, batch, array["batch"].values[0]), dims="row")
        return np.where(known, array.sel(own).values, 0)
    return array.sel(own).values if own else np.broadcast_to(array.values, (len(batch),))


def _on_chip(cube: xr.Dataset, picks: dict[str, xr.DataArray], count: int) -> np.ndarray[Any, Any]:
    """Return where all weights fit the memory on chip."""
    needed = ("params", "element_bytes", "on_chip_memory")
    if not set(needed) <= set(cube.variables):
        if not {"params", "on_chip_memory"} <= set(cube.variables) or "precision" not in cube.coords:
            return np.zeros(count, dtype=bool)
        width = xr.DataArray(
            [ELEMENT_BYTES.get(str(one), np.nan) for one in np.atleast_1d(cube["precision"].values)],
            dims="precision",
            coords={"precision": np.atleast_1d(cube["precision"].values)},
        )
    else:
        width = cube["element_bytes"]
    fits = (cube["params"] * width <= cube["on_chip_memory"]) & (cube["on_chip_memory"] > 0)
    return _cell_of_rows(fits, picks, count)


def _reads_weights_per_input(cube: xr.Dataset) -> bool:
    """Check whether the predictions are those of the published roofline, whose assumption the figure judges."""
    return bool(cube.attrs.get("assumptions") == PUBLISHED.label)


def _note(ratio: float, measured: float, peak: float, on_chip: bool, batch: float, *, published: bool) -> str:
    """Write the percentage and, above 100 %, which assumption it breaks."""
    said = percent(ratio)
    if not ratio > 1.0:
        return said
    if measured > peak:
        return f"{said}: above the compute peak, impossible"
    if not published:
        return f"{said}: above the prediction"
    if on_chip:
        return f"{said}: weights on chip"
    if batch > 1:
        return f"{said}: weights reused over a batch"
    return f"{said}: weights not read per input"


def _efficiency_source(name: str, table: Columns, choices: dict[str, dict[str, Any]], start: str, floor: float) -> Any:
    fields = [one for one in ("platform", "precision", "topology", "configuration") if one in table]
    data: dict[str, Any] = {one: table[one] for one in fields}
    data["row"] = list(table["row"])
    data["floor"] = np.full(len(table["row"]), floor)
    data["end"] = np.nanmax([one[bar] for one in choices.values() for bar in BARS], axis=0)
    data["peak_text"] = value_text(choices[start]["peak"], "inputs/s")
    if len(choices) > 1:
        for label, columns in choices.items():
            data.update({f"{column} {label}": values for column, values in columns.items()})
    data.update({column: values.copy() for column, values in choices[start].items()})
    return ColumnDataSource(data, name=f"{name}.bars")


def _efficiency_bars(name: str, source: Any, table: Columns, floor: float, view: Any) -> tuple[Any, list[Any]]:
    top = float(np.max(source.data["end"]))
    # room for the reasons, which stand right of the longest bar
    room = (
        0.38
        if any(":" in note for column in source.data if column.startswith("note") for note in source.data[column])
        else 0.09
    )
    plot = row_figure(
        f"{name}.plot",
        list(table["row"]),
        x_label=f"throughput (inputs/s, log scale, bars start at {short(floor)})",
        x_range=(floor, top * (top / floor) ** room),
        x_log=True,
    )
    own = {"source": source, "view": view, "left": "floor"}
    peak = plot.hbar("row", right="peak", height=0.84, fill_color=style.PEAK, line_color=None, **own)
    predicted = plot.hbar("row", right="predicted", height=0.56, fill_color=style.PREDICTED, line_color=None, **own)
    plot.hbar("row", right="measured", height=0.3, fill_color=style.SURFACE, line_color=None, **own)
    measured = plot.hbar(
        "row",
        right="measured",
        height=0.3,
        fill_color=style.MEASURED,
        fill_alpha="filled",
        line_color=style.MEASURED,
        line_width=1.2,
        **own,
    )
    style.draw_numbers(plot, source, "end", "note", view=view)
    looks = {
        "peak of the compute units": style.PEAK,
        "predicted by the roofline": style.PREDICTED,
        "measured": style.MEASURED,
    }
    style.key(plot, {label: {"fill_color": colour, "line_color": None} for label, colour in looks.items()})
    return plot, [peak, predicted, measured]


def _title(name: str, at: dict[str, Any], table: Columns) -> str:
    ratio = at["measured"] / at["predicted"]
    top = int(np.nanargmax(ratio))
    where = "At the best batch" if name == BEST else f"At equal batch ({name})"
    middle, highest = percent(float(np.nanmedian(ratio))), percent(float(ratio[top]))
    return f"{where}: median efficiency {middle}, highest {highest} ({table['platform'][top]})"


def _notes(choices: dict[str, dict[str, Any]], scope: str, *, published: bool) -> list[str]:
    lines = [f"percent = measured ÷ predicted, {scope_text(scope)}; {style.HOLLOW}"]
    ratios = {name: one["measured"] / one["predicted"] for name, one in choices.items()}
    if not published or not any((ratio > 1).any() for ratio in ratios.values()):
        return lines
    broken = "how it breaks the assumption that weights are read from memory once per input"
    if BEST in ratios:
        above = int((ratios[BEST] > 1).sum())
        lines.append(f"{above} of {len(ratios[BEST])} exceed 100 %: each says {broken}")
    else:
        lines.append(f"what exceeds 100 % says {broken}")
    return lines
