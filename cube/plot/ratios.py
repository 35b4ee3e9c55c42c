"""Efficiency: measured over predicted over peak, per configuration, with the reason where it exceeds 100 %."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from roofcube.errors import MissingInputError, check_choice
from roofcube.measured.efficiency import efficiency as ratios_of
from roofcube.model.assumptions import PUBLISHED
from roofcube.plot.drawing import style, tables
from roofcube.plot.drawing.findings import BELIEVED, Finding
from roofcube.plot.drawing.rows import bars, by_configuration, fields, hollow, log_axis, row_plane, swatches
from roofcube.vocabulary import ELEMENT_BYTES
from roofcube.wording import labelled_text, percent, short

if TYPE_CHECKING:
    from roofcube.plot.drawing.rows import Rows

__all__ = ["efficiency"]

BEST = "best"
WORDS = ("peak of the compute units", "predicted by the roofline", "measured")
BARS = ("measured", "predicted", "peak")


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
    compared = {
        # what is impossible stands where nothing else is known
        one: ratios_of(cube, at=one, scope=scope).fillna(ratios_of(cube, at=one, scope=scope, trust="all"))
        for one in dict.fromkeys(("best", at))
    }
    best = compared["best"]
    chosen = {BEST: best.rename({"best_batch": "batch"} if "best_batch" in best else {})}
    chosen = _by_batch(compared["batch"], throughput) if at == "batch" else chosen
    table = _comparison(cube, best, chosen)
    table, rows, few = by_configuration(cube, table, -table["efficiency"])
    published = cube.attrs.get("assumptions") == PUBLISHED.label  # whose assumption the figure judges
    choices = {label: _bar_columns(cube, table, label, throughput, published=published) for label in chosen}
    choices = {label: one for label, one in choices.items() if np.isfinite(one["measured"]).any()}
    findings = {label: _finding(name, label) for label in choices}
    notes = [*_notes(choices, scope, published=published), f"{few}; the title speaks of these" if few else ""]
    return _bars_figure(name, table, rows, choices, findings, notes, cube)


def _of_predictions(cube: xr.Dataset) -> Any:
    """Draw which share of the compute peak is predicted, where nothing was measured."""
    names = ["predicted_throughput", "peak_throughput"]
    best = tables.at_best_batch(cube[names], *names).drop_vars("batch", errors="ignore")
    table = tables.records(best, names)
    words = "Predicted: ", ("median", "predicted/peak", ""), " of the compute peak in the median"
    finding = Finding("efficiency.bars", words)
    title = finding.over({"predicted": table[names[0]], "peak": table[names[1]]})
    table, rows, few = by_configuration(best, table, -table[names[0]] / table[names[1]])
    predicted, peak = (table[name] for name in names)
    blank, unit = np.full(len(peak), "not measured", dtype=object), tables.rate_unit(cube)
    columns = {
        "measured": np.full(len(peak), np.nan), "predicted": predicted, "peak": peak, "measured_text": blank,
        "predicted_text": tables.value_text(predicted, unit), "filled": np.ones(len(peak)), "flags": blank,
        "note": np.array([percent(one) for one in predicted / peak], dtype=object),
    }  # fmt: skip
    notes = [f"percent = predicted ÷ peak, {tables.plain_model(cube)}; nothing was measured", few]
    choices, findings = {BEST: columns}, {BEST: finding}
    return _bars_figure("efficiency", table, rows, choices, findings, notes, cube, title if few else "")


def _by_batch(ratios: xr.Dataset, throughput: str) -> dict[str, xr.Dataset]:
    """Return what is compared at each batch."""
    if "batch" not in ratios["measured_throughput"].dims:
        msg = (
            f"`batch`: the figure efficiency at equal batch needs {throughput} along this dim and the cube has one "
            "batch alone; draw it with at='best'"
        )
        raise MissingInputError(msg)
    return {labelled_text(batch): ratios.sel(batch=batch) for batch in ratios["batch"].values.tolist()}


def _comparison(cube: xr.Dataset, best: xr.Dataset, chosen: dict[str, xr.Dataset]) -> tables.Columns:
    """Lay out a row per configuration, with columns of each choice: ``measured 8`` is that at batch 8."""
    dims = best["efficiency"].dims
    shared = {"peak_throughput": cube["peak_throughput"], "fits on chip": _fits_on_chip(cube)}
    parts = {name: array.max([dim for dim in array.dims if dim not in dims]) for name, array in shared.items()}
    quality = cube.get("quality", xr.DataArray(0))
    for label, one in chosen.items():
        batch = one["batch"] if "batch" in one and tables.POINT not in dims else xr.DataArray(np.nan)
        flags = quality.where(quality["batch"] == batch, 0).max("batch") if "batch" in quality.dims else quality
        told = batch if batch.dtype.kind in "iuf" else xr.DataArray(np.nan)  # one's own word for it
        found = {"measured": one["measured_throughput"], "predicted": one["predicted_throughput"], "batch": told}
        parts |= {f"{name} {label}": array for name, array in {**found, "quality": flags}.items()}
    coords = {name: one for name, one in best.coords.items() if set(one.dims) <= set(dims)}
    bare = {name: array.reset_coords(drop=True) for name, array in parts.items()}
    wide = xr.Dataset({**bare, "efficiency": best["efficiency"]}, coords, cube.attrs)
    return tables.records(wide, [*parts, "efficiency"], known="efficiency")


def _bar_columns(
    cube: xr.Dataset, table: tables.Columns, label: str, throughput: str, *, published: bool
) -> dict[str, Any]:
    """Take the columns of a choice, and write their texts."""
    kinds = ("measured", "predicted", "batch", "quality")
    measured, predicted, batch, quality = (table[f"{kind} {label}"] for kind in kinds)
    peak, ratio, unit = table["peak_throughput"], measured / predicted, tables.rate_unit(cube)
    why = {
        "": ~(ratio > 1.0), ": above the compute peak, impossible": measured > peak,
        ": above the prediction": np.full(len(peak), not published), ": weights on chip": table["fits on chip"] > 0,
        ": weights reused over a batch": batch > 1,
    }  # fmt: skip
    reasons = np.select(list(why.values()), list(why), ": weights not read per input")
    unknown = ~np.isfinite(measured)
    texts = zip(tables.value_text(measured, unit), batch, strict=True)
    doubtful = tables.doubts(cube, quality, (throughput,))
    notes = np.array([f"{percent(one)}{reason}" for one, reason in zip(ratio, reasons, strict=True)], dtype=object)
    believed = ~unknown & np.asarray(tables.possible(cube, quality, (throughput,)))
    return {
        BELIEVED: believed if believed.any() else ~unknown,
        "measured": measured,
        "predicted": predicted,
        "peak": peak,
        "predicted_text": tables.value_text(predicted, unit),
        "measured_text": [f"{text}{f', batch {own:g}' if own == own else ''}" for text, own in texts],
        "note": np.where(unknown, "not measured", notes),
        "filled": np.where(doubtful, 0.0, 1.0),
        "flags": np.where(unknown, "not measured", tables.flags_text(cube, quality)),
    }


def _fits_on_chip(cube: xr.Dataset) -> xr.DataArray:
    """Return where all weights fit the memory on chip."""
    held = set(cube.variables)
    if not {"params", "on_chip_memory"} <= held or not {"element_bytes", "precision"} & held:
        return xr.DataArray(False)
    bytes_of = np.vectorize(lambda name: ELEMENT_BYTES.get(str(name), np.nan), otypes="d")
    width = cube["element_bytes"] if "element_bytes" in held else xr.apply_ufunc(bytes_of, cube["precision"])
    return (cube["params"] * width <= cube["on_chip_memory"]) & (cube["on_chip_memory"] > 0)


def _bars_figure(
    name: str,
    table: tables.Columns,
    rows: Rows,
    choices: dict[str, dict[str, Any]],
    findings: dict[str, Finding],
    notes: list[str],
    cube: xr.Dataset,
    title: str = "",
) -> Any:
    for one in choices.values():  # what is infinite has no end to draw
        one |= {bar: np.where(np.isinf(one[bar]), np.nan, one[bar]) for bar in BARS}
    start = max(choices, key=lambda one: int(np.isfinite(choices[one]["measured"]).sum()))
    floor = style.floor_of(*(one[bar] for one in choices.values() for bar in BARS))
    data = fields(table)
    data["end"] = np.nanmax([one[bar] for one in choices.values() for bar in BARS], axis=0)
    data["peak_text"] = tables.value_text(choices[start]["peak"], tables.rate_unit(cube))
    place, tags = dict(data), [findings[start].tag()] * (not title)
    if len(choices) > 1:
        told = [one.tag() for one in findings.values()]
        tags += [{"title": "At batch", "choices": list(choices), "start": start, "findings": told}]
        for label, columns in choices.items():
            data |= {f"{column} {label}": values for column, values in columns.items()}
    data |= choices[start]
    tooltip = {
        "measured": "@measured_text", "predicted": "@predicted_text", "peak": "@peak_text", "efficiency": "@note",
        "flags": "@flags", "model": tables.model_text(cube),
    }  # fmt: skip
    longest = [max(notes, key=len) for notes in zip(*(one["note"] for one in choices.values()), strict=True)]

    def only(*names: str) -> dict[str, Any]:
        return place | {name: column for name, column in data.items() if name.split()[0] in names}

    parts = [
        bars(only("peak"), floor, "peak", 0.84, name=f"{name}.peak", color=style.PEAK,
             line_color=None, tooltip={"peak": "@peak_text"}),
        bars(only("peak", "predicted", "predicted_text"), floor, "predicted", 0.56, name=f"{name}.predicted",
             color=style.PREDICTED, line_color=None, tooltip={"predicted": "@predicted_text", "peak": "@peak_text"}),
        bars(only("measured"), floor, "measured", 0.3, name=f"{name}.white", color=style.SURFACE, line_color=None),
        bars(data, floor, "measured", 0.3, name=f"{name}.bars", tooltip=tooltip,
             **hollow(style.MEASURED, "end", "note")),
    ]  # fmt: skip
    looks = dict(zip(WORDS, (style.PEAK, style.PREDICTED, style.MEASURED), strict=True))
    words = f"throughput ({tables.rate_unit(cube)}, log scale, bars start at {short(floor)})"
    key = swatches(looks if np.isfinite(data["measured"]).any() else tables.only(looks, *WORDS[:2]))
    x = log_axis(words, data["end"], floor, longest, rows.width())
    title = title or findings[start].over(data)
    return row_plane(parts, rows, name=name, x=x, title=title, notes=notes, key=key, tags=tags)


def _finding(figure: str, name: str) -> Finding:
    where = "At the best batch" if name == BEST else f"At equal batch ({name})"
    ratio = "measured/predicted"
    title = f"{where}: median efficiency ", ("median", ratio, ""), ", highest ", ("max", ratio, "%")
    return Finding(f"{figure}.bars", (*title, " (", ("max", ratio, "platform"), ")"))


def _notes(choices: dict[str, dict[str, Any]], scope: str, *, published: bool) -> list[str]:
    lines = [f"percent = measured ÷ predicted, {tables.scope_text(scope)}; {style.HOLLOW}"]
    ratios = {name: one["measured"] / one["predicted"] for name, one in choices.items()}
    if not published or not any((ratio > 1).any() for ratio in ratios.values()):
        return lines
    above = "what exceeds 100 %"
    if BEST in ratios:
        above = f"{int((ratios[BEST] > 1).sum())} of {len(ratios[BEST])} exceed 100 %: each"
    return [*lines, f"{above} says how it breaks the assumption that weights are read from memory once per input"]
