"""Calibrated predictions with their intervals beside the published roofline, the bound and what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, MissingInputError
from roofcube.labels import locate
from roofcube.model.assumptions import BOUND, PUBLISHED
from roofcube.model.offered import as_product
from roofcube.plot.drawing import style, tables
from roofcube.plot.drawing.elements import Axis, points
from roofcube.plot.drawing.findings import BELIEVED, Finding
from roofcube.plot.drawing.points import MEASURED_KEY, PREDICTED_KEY, crosses
from roofcube.plot.drawing.rows import bars, by_configuration, fields, row_plane
from roofcube.wording import sentence

if TYPE_CHECKING:
    import polars as pl

    from roofcube.plot.drawing.findings import Title
    from roofcube.plot.drawing.rows import Rows

__all__ = ["comparison"]

CALIBRATED = ("calibrated", "low", "high")
KEPT = ("measured_throughput", "n_rows", "quality", "source_row")
PLACED = (*tables.TOGGLED, "configuration", "place", "y")
SHOWN = ("measured_throughput", "published", "bound", *CALIBRATED)
UPRIGHT = float(np.pi / 2)
ROOFLINE = "published roofline"
LONGEST = 24  # letters of a model's name in a title


def comparison(
    cube: xr.Dataset,
    *,
    calibrated: pl.DataFrame | None = None,
    label: str = "calibrated",
    measurements: Any = None,
) -> Any:
    """Draw what was published, the bound, the calibrated prediction with its interval, and what was measured.

    One row a configuration, at the batch of its best measured throughput.

    Parameters
    ----------
    cube : Dataset
        With measured throughput and predictions: those of one model, or of several along the dim `assumptions`, of
        which `published`, `bound` and the calibration are shown as far as they are there.
    calibrated : DataFrame, optional
        Calibrated predictions of measured rows, in place of those of the cube: the keys of a measurement and
        `predicted_throughput`, `low`, `high` [1/s], as `Calibration.predict` gives them.
    label : str
        What the calibrated predictions are called; say here whether they saw the rows that they predict.
    measurements : table, optional
        The table that was joined: tooltips then name the source row.

    Returns
    -------
    holoviews.Overlay
        Marks ``comparison.rows``: one per configuration measured; ``comparison.band``, ``comparison.calibrated``,
        ``comparison.published`` and ``comparison.bound`` beside them.

    Raises
    ------
    MissingInputError
        If the cube has no measured throughput, or if there are no calibrated predictions.
    InvalidDataError
        If no row of `calibrated` has a cell in the cube.

    Examples
    --------
    >>> import roofcube as rc
    >>> rows = rc.datasets.load_measurements("mnist")
    >>> cube = rc.join(rc.predict(rc.inputs("mnist"), assumptions=(rc.PUBLISHED, rc.BOUND)), rows)
    >>> rc.plot.comparison(cube, calibrated=rc.calibrate(rows).predict(rows)).name
    'comparison'
    """
    needed = ("measured_throughput", "predicted_throughput")
    one = tables.require(cube, needed, figure="comparison", measurements=measurements)
    cube = as_product(cube)
    models = _throughput_by_model(cube)
    if calibrated is not None:
        models |= _placed(cube, calibrated)
    if "calibrated" not in models:
        msg = (
            "`predicted_throughput_low`: the figure comparison needs calibrated predictions and the cube has none; "
            "predict with assumptions=calibration, or pass calibrated="
        )
        raise MissingInputError(msg)
    # a cube has a variable `bound` of its own: what binds
    models = {name: tables.apart(array) for name, array in models.items()}
    one = one[[name for name in KEPT if name in one]].assign(models)
    names = [name for name in SHOWN if name in one]
    at_best = tables.at_best_batch(one, "measured_throughput")
    table = tables.records(at_best, names, known="measured_throughput")
    table = {**{name: np.full(len(table["platform"]), np.nan) for name in SHOWN}, **table}
    table, rows, left_out = by_configuration(at_best, table, -table["measured_throughput"])
    return _comparison_figure(one, table, rows, (label, _model_words(cube)), left_out)


def _model_words(cube: xr.Dataset) -> str:
    """Name the model that stands in the place of the published roofline: that itself, or another of the cube's own."""
    label = str(cube.attrs.get("assumptions", ""))
    if "assumptions" in cube.dims or label == PUBLISHED.label:
        return ROOFLINE
    return f"{label} model" if 0 < len(label) <= LONGEST else "cube's model"


def _throughput_by_model(cube: xr.Dataset) -> dict[str, xr.DataArray]:
    """Take the published, bound and calibrated throughput out of a cube, as far as it has them."""
    arrays: list[Any] = [cube.get(f"predicted_throughput{end}") for end in ("", "_low", "_high")]
    predicted, low, _ = arrays
    if "assumptions" not in predicted.dims:
        name = "bound" if cube.attrs.get("assumptions") == BOUND.label else "published"
        return {name: predicted} if low is None else dict(zip(CALIBRATED, arrays, strict=True))
    labels = cube["assumptions"].values.tolist()
    models = {name: predicted.sel(assumptions=name, drop=True) for name in ("published", "bound") if name in labels}
    if low is None:
        return models
    taken = [array.isel(assumptions=tables.model_with(low), drop=True) for array in arrays]
    return models | dict(zip(CALIBRATED, taken, strict=True))


def _placed(cube: xr.Dataset, table: pl.DataFrame) -> dict[str, xr.DataArray]:
    """Put a table of calibrated predictions into the cells of the measured throughput."""
    where = locate(cube, table)
    if not where.mask.any():
        reason = where.reasons[0] if where.reasons else "it has no rows"
        msg = f"`calibrated`: expected rows of this cube, got none ({reason}); pass the predictions of its own rows"
        raise InvalidDataError(msg)
    dims = [str(dim) for dim in cube["measured_throughput"].dims if dim in where.indices]
    cells = tuple(where.indices[dim][where.mask] for dim in dims)
    arrays = {}
    for name, column in zip(CALIBRATED, ("predicted_throughput", "low", "high"), strict=True):
        values = np.full([cube.sizes[dim] for dim in dims], np.nan)
        values[cells] = table[column].fill_null(float("nan")).to_numpy()[where.mask]
        arrays[name] = xr.DataArray(values, dims=dims)
    return arrays


def _comparison_figure(
    cube: xr.Dataset, table: tables.Columns, rows: Rows, called: tuple[str, str], left_out: str
) -> Any:
    label, model = called
    low, high = style.log_bounds(np.concatenate([table[name] for name in SHOWN]), low=0.6)
    # room for the errors, a column right of all marks
    edge = high * (high / low) ** 0.14
    unit = tables.rate_unit(cube)
    data = {**_comparison_columns(table, unit), "edge": np.full(len(table["row"]), edge)}
    data[BELIEVED] = tables.believed_rows(cube, table, ("measured_throughput",))
    doubtful = tables.doubts(cube, table["quality"], ("measured_throughput",))
    spoken = {"published": "published" if model == ROOFLINE else "predicted"}
    tooltip = {spoken.get(name, name): f"@{name}_text" for name in ("measured", "calibrated", "bound", "published")}
    tooltip |= {"flags": "@flags", "source": tables.source_text(cube)}

    def dots(column: str, **looks: Any) -> Any:
        columns = tables.only(data, *PLACED, column, f"{column}_text")
        told = tables.only(tooltip, spoken.get(column, column))
        return points(columns, column, "y", name=f"comparison.{column}", tooltip=told, **looks)

    note = {"x": "edge", "y": "y", "text": "note", "text_align": "right", "background_fill_color": style.SURFACE}
    parts = [
        bars(tables.only(data, *PLACED, "low", "high"), "low", "high", 0.66, name="comparison.band",
             color=style.CALIBRATED, alpha=0.28, line_color=None),
        dots("bound", marker="dash", angle=90, size=15, color=style.MUTED, line_width=1.5),
        dots("published", marker="circle", size=9, color=style.PREDICTED),
        dots("calibrated", marker="circle", size=9, color=style.CALIBRATED),
        crosses(data, "measured", "y", doubtful, name="comparison.rows", tooltip=tooltip, texts=[note]),
    ]  # fmt: skip
    finding, notes = _finding(table, label, model), _lines(table)
    notes.append(f"{left_out}; the title speaks of these" if left_out else "")
    x, key = Axis(f"throughput ({unit}, log scale)", (low, edge), log=True), _entries(table, label, model)
    title, tags = finding.over(data), [finding.tag()]
    return row_plane(parts, rows, name="comparison", x=x, title=title, notes=notes, key=key, tags=tags)


def _comparison_columns(table: tables.Columns, unit: str) -> dict[str, Any]:
    data = fields(table, "flags", "source")
    data |= {"measured": table["measured_throughput"], **tables.only(table, *SHOWN[1:])}
    data["measured_text"] = tables.value_text(data["measured"], unit)
    data |= {f"{name}_text": _prediction_texts(table, name, unit) for name in ("published", "bound", "calibrated")}
    ends = (tables.value_text(table[end], "") for end in ("low", "high"))
    span = zip(data["calibrated_text"], *ends, strict=True)
    data["calibrated_text"] = [f"{text}, interval {low} to {high}" for text, low, high in span]
    errors = [_off(ratio) for ratio in table["calibrated"] / table["measured_throughput"]]
    data["note"] = [f"outside, {text}" if out else text for text, out in zip(errors, _outside(table), strict=True)]
    return data


def _prediction_texts(table: tables.Columns, name: str, unit: str) -> list[str]:
    """Write a prediction and how far it is off."""
    texts = tables.value_text(table[name], unit)
    ratio = table[name] / table["measured_throughput"]
    return [f"{text}{_off(one, ', ')}" for text, one in zip(texts, ratio, strict=True)]


def _off(ratio: float, before: str = "") -> str:
    if not np.isfinite(ratio):
        return ""
    said = f"{100.0 * (ratio - 1.0):+.1f} %".replace("-", "−")
    return before + ("0.0 %" if said[1:] == "0.0 %" else said)


def _outside(table: tables.Columns) -> tables.Array:
    """Return the rows whose measurement is not in the interval."""
    rate = table["measured_throughput"]
    return np.asarray((rate < table["low"]) | (rate > table["high"]))


def _entries(table: tables.Columns, label: str, model: str) -> dict[str, dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = {
        "measured": MEASURED_KEY,
        label: {"marker": "circle", "color": style.CALIBRATED},
        "its interval": {"fill_color": style.CALIBRATED, "fill_alpha": 0.28, "line_color": None},
    }
    if np.isfinite(table["published"]).any():
        entries[model] = PREDICTED_KEY
    if np.isfinite(table["bound"]).any():
        entries["bound (upright)"] = {"marker": "dash", "angle": UPRIGHT, "line_color": style.MUTED, "line_width": 1.5}
    return entries


def _finding(table: tables.Columns, label: str, model: str) -> Finding:
    off, published = (("error", f"{name}/measured", "") for name in ("calibrated", "published"))
    title: Title = (f"{sentence(label)} predictions are off by ", off, " in the median")
    if np.isfinite(table["published"] / table["measured_throughput"]).any():
        title += (f", the {model} by ", published)
    return Finding("comparison.rows", title)


def _lines(table: tables.Columns) -> list[str]:
    banded, unknown = np.isfinite(table["low"]), int((~np.isfinite(table["calibrated"])).sum())
    how = "measured at the best batch, accelerator alone; column at the right: error of the calibrated prediction"
    inside = f"{int((banded & ~_outside(table)).sum())} of {int(banded.sum())} measurements lie within the interval"
    lost = f"; {unknown} without a calibrated prediction" if unknown else ""
    return [how, f"{inside}; {style.BOXED}{lost}"]
