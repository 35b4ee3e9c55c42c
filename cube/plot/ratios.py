"""Efficiency: measured over predicted over peak, per configuration, with the reason where it exceeds 100 %."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from roofcube.errors import MissingInputError, check_choice
from roofcube.measured.efficiency import efficiency as ratios_of
from roofcube.model.assumptions import PUBLISHED
from roofcube.plot.drawing import style, tables
from roofcube.plot.drawing.elements import Axis, plane
from roofcube.plot.drawing.rows import bars, by_configuration, fields, log_room, numbers, swatches
from roofcube.vocabulary import CONFIGURATION, ELEMENT_BYTES
from roofcube.wording import percent, short

if TYPE_CHECKING:
    from roofcube.plot.drawing.rows import Rows

__all__ = ["efficiency"]

BEST = "best"
WORDS = ("peak of the compute units", "predicted by the roofline", "measured")
BARS = ("measured", "predicted", "peak")
LABELS = ("platform", "precision", "topology", "configuration")


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
        With predicted and peak throughput, and measured throughput. Where nothing was measured the percentage is
        predicted ÷ peak. A front (dim `point`) too.
    at : {"best", "batch"}
        Each configuration at its best batch; or all at the same batch: the smallest of those at which most
        configurations were measured (in a page, buttons choose it).
    scope : {"compute", "system"}
        The accelerator alone, or with host and transfers.

    Returns
    -------
    holoviews.Overlay
        Marks ``efficiency.bars`` (at equal batch: ``efficiency_at_batch.bars``): one per configuration measured and
        predicted; ``efficiency.predicted`` and ``efficiency.peak`` beside them.

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
    throughput = tables.measured_names(scope)["throughput"]
    name = "efficiency" if at == "best" else "efficiency_at_batch"
    if at == "best" and tables.observed(cube, scope, "throughput")[1] == "predicted":
        return _of_predictions(tables.require(cube, ("predicted_throughput", "peak_throughput"), figure="efficiency"))
    cube = tables.require(cube, ("predicted_throughput", "peak_throughput", throughput), figure="efficiency")
    best = ratios_of(cube, at="best", scope=scope, trust="all")  # what is impossible is drawn hollow, and told
    table = tables.records(best, ["efficiency"], bare=True)
    table, rows, few = by_configuration(best, table, "efficiency", -table["efficiency"])
    choices = (
        {BEST: _at(cube, best, table, best.get("best_batch"), scope)}
        if at == "best"
        else _at_each_batch(cube, table, throughput, scope)
    )
    titles = [_title(label, one, table) for label, one in choices.items()]
    notes = [*_notes(choices, scope, published=_reads_weights_per_input(cube))]
    notes += [f"{few}; the title speaks of these" if few else ""]
    return _bars_figure(name, table, rows, choices, titles, notes, cube)


def _of_predictions(cube: xr.Dataset) -> Any:
    """Draw which share of the compute peak is predicted, where nothing was measured."""
    names = ["predicted_throughput", "peak_throughput"]
    best = tables.at_best_batch(cube, names)
    table = tables.records(best, names, known=names, bare=True)
    share = table["predicted_throughput"] / table["peak_throughput"]
    table, rows, few = by_configuration(best, {**table, "share": share}, names[0], -share)
    predicted, peak = table["predicted_throughput"], table["peak_throughput"]
    blank = np.full(len(predicted), "not measured", dtype=object)
    columns = {
        "measured": np.full(len(predicted), np.nan), "predicted": predicted, "peak": peak, "measured_text": blank,
        "predicted_text": tables.value_text(predicted, tables.rate_unit(cube)), "filled": np.ones(len(predicted)),
        "flags": blank,
        "note": np.array([percent(one) for one in table["share"]], dtype=object),
    }  # fmt: skip
    middle = percent(float(np.median(share)))
    notes = [f"percent = predicted ÷ peak, {tables.plain_model(cube)}; nothing was measured", few]
    title = f"Predicted: {middle} of the compute peak in the median"
    return _bars_figure("efficiency", table, rows, {BEST: columns}, [title], notes, cube)


def _at_each_batch(
    cube: xr.Dataset, table: tables.Columns, throughput: str, scope: Literal["compute", "system"]
) -> dict[str, dict[str, Any]]:
    """tables.Columns of each batch at which something was measured."""
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


def _at(cube: xr.Dataset, ratios: xr.Dataset, table: tables.Columns, batch: Any, scope: str) -> dict[str, Any]:
    """tables.Columns that depend on the batch: the best one of each row, or the same for all."""
    picks = {
        dim: xr.DataArray(table[dim], dims="row")
        for dim in (*CONFIGURATION, *tables.own_dims(ratios, "efficiency"), tables.POINT)
        if dim in ratios.dims
    }

    def taken(array: xr.DataArray) -> np.ndarray[Any, Any]:
        return _cell_of_rows(array, picks, len(table["row"]))

    measured, predicted = (taken(ratios[f"{kind}_throughput"]).astype("f8") for kind in ("measured", "predicted"))
    peak = taken(cube["peak_throughput"]).astype("f8")
    number = np.nan if batch is None else batch
    own_batch = taken(batch) if isinstance(batch, xr.DataArray) else np.full(len(measured), number, dtype="f8")
    quality = _quality(cube, own_batch, picks)
    ratio = measured / predicted
    on_chip = _on_chip(cube, picks, len(measured))
    published = _reads_weights_per_input(cube)
    notes = [
        _percent_note(*one, published=published) for one in zip(ratio, measured, peak, on_chip, own_batch, strict=True)
    ]
    words = tables.flags_text(cube, quality)
    unknown = ~np.isfinite(measured)
    # above the roofline is what the figure explains in place, so it does not make a bar hollow
    doubtful = tables.doubts(cube, quality, ("throughput",), scope=scope, but=("above_roofline",))
    return {
        "measured": measured,
        "predicted": predicted,
        "predicted_text": tables.value_text(predicted, tables.rate_unit(cube)),
        "peak": peak,
        "measured_text": [
            f"{text}{f', batch {own:g}' if own == own else ''}"
            for text, own in zip(tables.value_text(measured, tables.rate_unit(cube)), own_batch, strict=True)
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
    held = set(cube.variables)
    if not {"params", "on_chip_memory"} <= held or not {"element_bytes", "precision"} & held:
        return np.zeros(count, dtype=bool)
    if "element_bytes" in cube:
        width = cube["element_bytes"]
    else:
        names = np.atleast_1d(cube["precision"].values)
        sizes = [ELEMENT_BYTES.get(str(one), np.nan) for one in names]
        width = xr.DataArray(sizes, dims="precision", coords={"precision": names})
    fits = (cube["params"] * width <= cube["on_chip_memory"]) & (cube["on_chip_memory"] > 0)
    return _cell_of_rows(fits, picks, count)


def _reads_weights_per_input(cube: xr.Dataset) -> bool:
    """Check whether the predictions are those of the published roofline, whose assumption the figure judges."""
    return bool(cube.attrs.get("assumptions") == PUBLISHED.label)


def _percent_note(ratio: float, measured: float, peak: float, on_chip: bool, batch: float, *, published: bool) -> str:
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


def _bars_figure(
    name: str,
    table: tables.Columns,
    rows: Rows,
    choices: dict[str, dict[str, Any]],
    titles: list[str],
    notes: list[str],
    cube: xr.Dataset,
) -> Any:
    start = max(choices, key=lambda one: int(np.isfinite(choices[one]["measured"]).sum()))
    floor = style.floor_of(*(one[bar] for one in choices.values() for bar in BARS))
    data = fields(table)
    data["floor"] = np.full(len(table["row"]), floor)
    data["end"] = np.nanmax([one[bar] for one in choices.values() for bar in BARS], axis=0)
    data["peak_text"] = tables.value_text(choices[start]["peak"], tables.rate_unit(cube))
    place = dict(data)
    if len(choices) > 1:
        for label, columns in choices.items():
            data.update({f"{column} {label}": values for column, values in columns.items()})
    data.update(choices[start])
    tags = [] if len(choices) < 2 else [
        {"field": "batch", "title": "At batch", "choices": list(choices), "start": start, "titles": titles}
    ]  # fmt: skip
    tooltip = {
        "measured": "@measured_text", "predicted": "@predicted_text", "peak": "@peak_text", "efficiency": "@note",
        "flags": "@flags", "model": tables.model_text(cube),
    }  # fmt: skip
    # room for the reasons, which stand right of the longest bar
    said = [note for one in choices.values() for note in one["note"]]
    room = 0.38 if any(":" in note for note in said) else 0.09
    of_measured = ("measured", "filled", "flags", "note", "measured_text")
    of_prediction = {one: column for one, column in data.items() if one.split()[0] not in of_measured}
    white = {one: data[one] for one in data if one.split()[0] == "measured" or one in (*LABELS, "floor", "place", "y")}
    parts = [
        bars({**place, "peak": data["peak"]}, "floor", "peak", 0.84, name=f"{name}.peak", color=style.PEAK,
             line_color=None, tooltip={"peak": "@peak_text"}),
        bars(of_prediction, "floor", "predicted", 0.56, name=f"{name}.predicted", color=style.PREDICTED,
             line_color=None, tooltip={"predicted": "@predicted_text", "peak": "@peak_text"}),
        bars(white, "floor", "measured", 0.3, name=f"{name}.white", color=style.SURFACE, line_color=None),
        bars(data, "floor", "measured", 0.3, name=f"{name}.bars", fill_color=style.MEASURED, line_color=style.MEASURED,
             fill_alpha="filled", line_width=1.2, tooltip=tooltip, texts=[numbers("end", "note")]),
    ]  # fmt: skip
    looks = dict(zip(WORDS, (style.PEAK, style.PREDICTED, style.MEASURED), strict=True))
    words = f"throughput ({tables.rate_unit(cube)}, log scale, bars start at {short(floor)})"
    return plane(
        parts,
        name=name,
        x=Axis(words, log_room(data["end"], floor, room), log=True),
        y=rows.axis(),
        title=titles[list(choices).index(start)],
        notes=notes,
        key=swatches(looks if np.isfinite(data["measured"]).any() else {name: looks[name] for name in list(looks)[:2]}),
        height=rows.height(),
        tags=tags,
    )  # fmt: skip


def _title(name: str, at: dict[str, Any], table: tables.Columns) -> str:
    ratio = at["measured"] / at["predicted"]
    top = int(np.nanargmax(ratio))
    where = "At the best batch" if name == BEST else f"At equal batch ({name})"
    middle, highest = percent(float(np.nanmedian(ratio))), percent(float(ratio[top]))
    return f"{where}: median efficiency {middle}, highest {highest} ({table['platform'][top]})"


def _notes(choices: dict[str, dict[str, Any]], scope: str, *, published: bool) -> list[str]:
    lines = [f"percent = measured ÷ predicted, {tables.scope_text(scope)}; {style.HOLLOW}"]
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
