"""All cells at once: histograms, predictions with their intervals, and parallel axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, MissingInputError
from roofcube.plot.drawing import style, tables
from roofcube.plot.drawing.elements import Axis, curve, plane, points, rectangles, segments
from roofcube.plot.drawing.findings import Finding
from roofcube.plot.drawing.points import (
    axis_label,
    axis_of,
    colours_of,
    extreme_rows,
    mark_columns,
    marks,
    platform_key,
)
from roofcube.plot.drawing.rows import bars, by_configuration, fields, row_plane
from roofcube.sweep import Sweep
from roofcube.sweep.questions import best
from roofcube.sweep.questions import histogram as counts_of
from roofcube.vocabulary import DIMS, sense_of
from roofcube.wording import counted, flag_words, percent, plain_values, short, with_thousands, with_units_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["histogram", "intervals", "parallel"]

BINS = 50
MOST_LINES = 1500  # of a figure of parallel axes
INSIDE = "inside the interval"
# axes drawn where none are named
AXES = {
    "measured": ("measured_throughput", "measured_latency", "measured_top1", "energy_per_input"),
    "predicted": ("predicted_throughput", "predicted_latency", "top1", "predicted_energy"),
}
CROWDED = 150  # lines, of more of which each is paler


def histogram(
    cube: xr.Dataset | Sweep,
    variable: str,
    *,
    bins: int | Sequence[float] | None = None,
    where: Mapping[str, Any] | None = None,
) -> Any:
    """Draw how many points have which value of a variable; on a log axis where values spread over decades.

    Parameters
    ----------
    cube : Dataset or Sweep
        A Sweep counts its points without ever storing them.
    variable : str
        Of a flag (`bound`, `infeasible`) a bar for each meaning.
    bins : int or edges, optional
        As in `roofcube.histogram`; default 50, equal on the axis that is drawn.
    where : mapping, optional
        Limits, as in `roofcube.best`.

    Returns
    -------
    holoviews.Overlay
        Marks ``histogram.bars``: one per bin, with column `count`.

    Raises
    ------
    InvalidDataError, UnknownLabelError
        As `roofcube.histogram`.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.histogram(rc.benchmark("mnist"), "measured_throughput").name
    'histogram'
    """
    edges, log = _chosen_bins(cube, variable, bins, where)
    answer = counts_of(cube, variable, bins=edges, where=where)
    count = answer["count"].values.astype("f8")
    described = (
        cube
        if isinstance(cube, xr.Dataset)
        else answer.assign({variable: ((), 0, with_units_for(answer, cube.inputs)["bin_low"].attrs)})
    )
    words = tables.long_name(described, variable)
    factor, unit = tables.scale_of(described, variable)
    if "meaning" in answer.coords:
        names = [str(one).replace("_", " ") for one in answer["meaning"].values]
        low, high = np.arange(count.size) - 0.4, np.arange(count.size) + 0.4
        x = Axis(words, (-0.6, count.size - 0.4), ticks=tuple(enumerate(names)), grid=False)
    else:
        low, high = (answer[name].values.astype("f8") * factor for name in ("bin_low", "bin_high"))
        x = Axis(axis_label(words, unit, log=log), (float(low[0]), float(high[-1])), log=log)
        names = tables.range_texts(low, high, unit).tolist()
    data = {
        "count": count, "zero": np.zeros(count.size), "count_text": [with_thousands(int(one)) for one in count],
        "configuration": names, "low": low, "high": high,
    }  # fmt: skip
    bar = rectangles(data, ("low", "zero", "high", "count"), name="histogram.bars", tooltip={"points": "@count_text"},
                     color=style.PREDICTED if "predicted" in variable else style.MEASURED if "measured" in variable
                     else style.PEAK, line_color=style.SURFACE, line_width=0.5)  # fmt: skip
    if not count.any():
        msg = f"`{variable}`: the figure histogram needs a value and there is none; pass a cube where it is known"
        raise MissingInputError(msg + (", or relax the limits" if where is not None else ""))
    most, total = tables.holders(names, count, count.max()), with_thousands(int(count.sum()))
    title = f"Most frequent of {total}: {most} ({percent(count.max() / max(count.sum(), 1.0))})"
    y = Axis("points", (0.0, float(max(count.max(), 1.0)) * 1.06))
    notes = "" if where is None else "within the limits given"
    return plane([bar], name="histogram", x=x, y=y, title=title, notes=notes, height=440)


def _chosen_bins(cube: Any, variable: str, bins: Any, where: Any) -> tuple[Any, bool]:
    """Choose bins that are equal on the axis drawn: in decades where positive values spread over more than two."""
    flag = variable in ("bound", "infeasible") or (
        isinstance(cube, xr.Dataset) and variable in cube and "flag_values" in cube[variable].attrs
    )
    is_number = isinstance(bins, int | np.integer) and not isinstance(bins, bool)
    if flag or not (bins is None or (is_number and bins > 0)):
        try:
            edges = np.asarray([] if bins is None else bins, dtype="f8")
        except (TypeError, ValueError):  # which the question refuses
            edges = np.zeros(0)
        return bins, bool(not flag and edges.ndim and edges.size and 0 < 100 * edges.min() < edges.max())
    # counts trust all
    ends = [float(best(cube, variable, sense=sense, where=where, trust="all")[variable]) for sense in ("min", "max")]
    if np.isinf(ends).any():
        msg = (
            f"`{variable}`: expected finite values, got {ends[0]:g} to {ends[1]:g}; leave infinite ones out, "
            f"where={{{variable!r}: (low, high)}}"
        )
        raise InvalidDataError(msg)
    if bins is None and ends[0] == ends[1]:  # one bar, in the middle
        return [ends[0] - (abs(ends[0]) or 1.0) * 0.05, ends[0] + (abs(ends[0]) or 1.0) * 0.05], False
    if not (ends[0] > 0 and ends[1] > 100 * ends[0]):
        return bins, False
    edges = np.geomspace(ends[0] * (1 - 1e-6), ends[1] * (1 + 1e-6), (BINS if bins is None else int(bins)) + 1)
    return edges.tolist(), True


# intervals ------------------------------------------------------------------------------------------------------------


def intervals(cube: xr.Dataset, *, variable: str = "predicted_throughput", measured: str | None = None) -> Any:
    """Draw each prediction with its interval, against what was measured where it was.

    Parameters
    ----------
    cube : Dataset
        With `<variable>_low` and `<variable>_high`, as calibrated predictions have; and the measured variable.
    variable : str
        What was predicted.
    measured : str, optional
        What it is compared with; default: the measured variable of the same quantity.

    Returns
    -------
    holoviews.Overlay
        Marks ``intervals.points``: one per cell predicted and measured, hollow where the measurement is outside;
        ``intervals.bars``: their intervals. Without measurements a row per configuration instead.

    Raises
    ------
    MissingInputError
        If the cube has no interval.

    Examples
    --------
    >>> import roofcube as rc
    >>> rows = rc.datasets.load_measurements("mnist")
    >>> cube = rc.join(rc.predict(rc.inputs("mnist"), assumptions=rc.calibrate(rows)), rows)
    >>> rc.plot.intervals(cube).name
    'intervals'
    """
    low, high = f"{variable}_low", f"{variable}_high"
    cube = _with_interval(cube, variable, (low, high))
    if measured is not None:
        tables.require(cube, (measured,), figure="intervals")
    usual = {"predicted_energy": "energy_per_input", "power": "power_full"}
    other = measured or usual.get(variable, variable.replace("predicted_", "measured_"))
    if other in cube and other != variable and bool((cube[other] * cube[low]).notnull().any()):
        return _against_measured(cube, variable, other)
    names = [variable, low, high]
    small = tables.at_best_batch(cube[names], variable)
    table = tables.records(small, names)
    more = -1.0 if sense_of(variable, cube[variable].attrs) == "max" else 1.0
    wide = float(np.median(table[high] / table[low]))
    table, rows, few = by_configuration(small, table, more * table[variable])
    unit = tables.scale_of(cube, variable)[1]
    data = fields(table, *names) | {"interval_text": tables.range_texts(table[low], table[high], unit)}
    tooltip = {"predicted": (variable, unit), "interval": "@interval_text", "model": tables.model_text(cube)}
    parts = [
        bars(data, low, high, 0.6, name="intervals.bars", color=style.CALIBRATED, alpha=0.28, line_color=None),
        points(data, variable, "y", name="intervals.points", tooltip=tooltip, color=style.CALIBRATED, size=9),
    ]
    x = axis_of(cube, variable, tables.long_name(cube, variable), np.concatenate([table[one] for one in names]))
    title = f"The interval spans a factor of {short(wide)} in the median"
    best = " at the best batch" * ("batch" in cube[variable].dims)
    notes = [f"band = interval{best}; nothing was measured", few]
    return row_plane(parts, rows, name="intervals", x=x, title=title, notes=notes)


def _with_interval(cube: Any, variable: str, ends: tuple[str, str]) -> xr.Dataset:
    """Take the model that has an interval, of those that a cube holds."""
    if isinstance(cube, xr.Dataset) and not set(ends) <= set(cube.variables):
        msg = (
            f"`{ends[0]}`: the figure intervals needs an interval and the cube has none; "
            "predict with assumptions=calibration"
        )
        raise MissingInputError(msg)
    if isinstance(cube, xr.Dataset) and "assumptions" in cube.dims:
        cube = tables.one_model(cube, tables.model_with(cube[ends[0]]))
    return tables.require(cube, (variable, *ends), figure="intervals")


def _against_measured(cube: xr.Dataset, variable: str, other: str) -> Any:
    low, high = f"{variable}_low", f"{variable}_high"
    table = tables.ranked(cube, tables.records(cube, [variable, low, high, other]))
    unit = tables.scale_of(cube, variable)[1]
    every = np.concatenate([table[one] for one in (variable, low, high, other)])
    x, y = (axis_of(cube, variable, words, every) for words in ("measured", "predicted"))
    ends = np.array(x.bounds)
    inside = (table[other] >= table[low]) & (table[other] <= table[high])
    table |= {"inside": np.where(inside, INSIDE, "outside").astype(object), "low": table[low], "high": table[high]}
    drawn, shade, marked = marks(
        cube,
        table,
        (other, variable),
        (x, y),
        name="intervals.points",
        doubtful=~inside,
        also=lambda rows: {"interval_text": tables.range_texts(rows["low"], rows["high"], unit),
                           **tables.only(rows, "inside", "low", "high")},
        worth=lambda: extreme_rows(table, table[variable] / table[other], table[other] / table[variable]),
        worth_are="those of each platform that are furthest off",
        tooltip={"predicted": ("y", unit), "interval": "@interval_text", "measured": ("x", unit),
                 "measured is": "@inside", "flags": "@flags", "model": tables.model_text(cube)},
    )  # fmt: skip
    span = tables.only(marked, "low", "high", "colour", *tables.TOGGLED, "x") | {"x1": marked["x"]}
    parts = [
        *drawn[:-1],
        curve(ends, ends, name="intervals.equal", color=style.MUTED, line_dash="dashed"),
        segments(span, ("x", "low", "x1", "high"), name="intervals.bars", line_color="colour", line_width=2, alpha=0.3),
        drawn[-1],
    ]
    told = tables.believed(cube, table, (other,))
    hits, lost = told["inside"] == INSIDE, len(table[other]) - len(told[other])
    off = ("error", "predicted/measured", "")
    words = f"{int(hits.sum())} of {hits.size} measurements lie in the interval; off by ", off, " in the median"
    title = Finding("intervals.points", words).over({"predicted": told[variable], "measured": told[other]})
    notes = ["dashed = predicted as measured; upright = interval; hollow = the measurement is outside", shade]
    notes += [f"{counted(lost, 'measurement')} that cannot be true left out of the title"] * bool(lost)
    return plane(parts, name="intervals", x=x, y=y, title=title, notes=notes, key=platform_key(marked), height=620)


# parallel axes --------------------------------------------------------------------------------------------------------


def parallel(cube: xr.Dataset | Sweep, *names: str) -> Any:
    """Draw each cell as a line across axes: labels of dims, and variables, of which up is better.

    Parameters
    ----------
    cube : Dataset or Sweep
        A front (dim `point`) too; of a Sweep of very many points, one of each configuration. Above 1,500 cells the best
        by each variable and every n-th other.
    *names : str
        Dims and variables, left to right; default: the dims that differ, then throughput, latency, accuracy and energy
        as far as they are known.

    Returns
    -------
    holoviews.Overlay
        Marks ``parallel.lines``: one per cell and pair of axes.

    Raises
    ------
    InvalidDataError
        If fewer than two axes are left, or a name is neither a dim nor a variable.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.parallel(rc.benchmark("mnist"), "platform", "precision", "measured_throughput", "measured_top1").name
    'parallel'
    """
    if isinstance(cube, Sweep) and not names:
        cube = tables.asked_of_sweep(cube, AXES["predicted"], "parallel")
    variables = _chosen_axes(cube, names)
    cube = tables.require(cube, variables, figure="parallel")
    table = tables.records(cube, variables)
    own = tables.own_dims(cube, table)
    chosen = [tables.column_of(table, one) for one in names]
    chosen = chosen or [*(dim for dim in (*DIMS, *own) if tables.several(table, dim)), *variables]
    if len(chosen) < 2 or not set(chosen) <= set(table):
        missing = next((one for one in chosen if one not in table), chosen)
        msg = f"`names`: expected two or more dims and variables with known cells, got {missing!r}; see cube.dims"
        raise InvalidDataError(msg)
    size = len(table["platform"])
    rows = np.arange(size)
    if size > MOST_LINES:
        signs = {one: -1.0 if sense_of(one, cube[one].attrs) == "min" else 1.0 for one in variables}
        ends = [int(np.argmax(signs[one] * table[one])) for one in variables]
        rows = np.unique([*ends, *np.linspace(0, size - 1, MOST_LINES).astype(int)])
    table = tables.told(cube, tables.taken(table, rows))
    doubtful = tables.doubts(cube, table["quality"], variables)
    flags = {one: cube[one].attrs for one in variables if "flag_meanings" in cube[one].attrs}
    table |= {one: flag_words(table[one].astype("i8"), attrs, nothing="none") for one, attrs in flags.items()}
    places, marks = zip(*(_axis_places(cube, table, one) for one in chosen), strict=True)
    count, pairs = len(rows), len(chosen) - 1
    order = np.tile(np.arange(count), pairs)
    data: dict[str, Any] = {
        "x0": np.repeat(np.arange(pairs, dtype="f8"), count), "y0": np.concatenate(places[:-1]),
        "x1": np.repeat(np.arange(1.0, pairs + 1), count), "y1": np.concatenate(places[1:]),
        "colour": colours_of(cube, table["platform"])[order],
        "alpha": (np.where(doubtful, 0.25, 0.6) / max(1.0, count / CROWDED) ** 0.5)[order],
    }  # fmt: skip
    data |= tables.taken(tables.only(table, *tables.TOGGLED, "configuration", "flags"), order)
    tooltip = {}
    units = [tables.scale_of(cube, one)[1] if one in variables else "" for one in chosen]
    for one, unit in zip(chosen, units, strict=True):
        numbers = one in variables and one not in flags
        texts = tables.value_text(table[one], unit) if numbers else tables.label_texts(cube, one, table[one])
        data[f"{one}_text"], tooltip[one.replace("_", " ")] = np.asarray(texts, dtype=object)[order], f"@{{{one}_text}}"
    lines = segments(data, name="parallel.lines", tooltip={**tooltip, "flags": "@flags"},
                     line_color="colour", alpha="alpha", line_width=1.4)  # fmt: skip
    named = {name: np.concatenate([np.asarray(mark[name]) for mark in marks]) for name in ("y", "text")}
    at = np.repeat(np.arange(len(chosen), dtype="f8"), [len(mark["y"]) for mark in marks])
    halo = {"background_fill_color": style.SURFACE, "background_fill_alpha": 0.8}
    label = {"x": "x", "y": "y", "text": "text", "x_offset": 6, **halo}
    named |= {"x": at}
    ticks = points(named, "x", "y", name="parallel.ticks", marker="dash", size=8, color=style.INK, texts=[label])
    uprights = {"x": np.arange(len(chosen), dtype="f8"), "low": np.zeros(len(chosen)), "high": np.ones(len(chosen))}
    uprights["x1"] = uprights["x"]
    frame = segments(uprights, ("x", "low", "x1", "high"), name="parallel.axes", color=style.MUTED, line_width=1)
    heads = [one.replace("_", "\n") + f"\n({unit})" * bool(unit) for one, unit in zip(chosen, units, strict=True)]
    part = f", {with_thousands(count)} of them drawn" if count < size else ""
    key = platform_key(mark_columns(cube, table, (variables[0], variables[0]), doubtful, size=8))
    x = Axis(bounds=(-0.15, len(chosen) - 0.3), ticks=tuple(enumerate(heads)), at_top=True, grid=False)
    y = Axis(bounds=(-0.05, 1.05), shown=False, grid=False)
    title = f"{counted(size, 'cell')}{part}: up is better on the axes of values"
    notes = "a line is a cell, coloured by platform; pale = flagged, reason in the tooltip"
    return plane([frame, lines, ticks], name="parallel", x=x, y=y, title=title, notes=notes, key=key)


def _chosen_axes(cube: Any, names: Sequence[str]) -> list[str]:
    """Return the variables among names, or those that judge a cube."""
    dims = {*DIMS, *map(str, getattr(cube, "dims", ())), *(str(one) for one in getattr(cube, "coords", ()))}
    if names:
        kind = "measured" if "measured_throughput" in getattr(cube, "variables", ()) else "predicted"
        return [one for one in names if one not in dims] or [f"{kind}_throughput"]
    kind = tables.observed(cube, "compute", "throughput")[1]
    chosen = [tables.accuracy_of(cube) if one == "measured_top1" else one for one in AXES[kind]]
    return [one for one in chosen if tables.has_value(cube, one)] or chosen[:1]


def _axis_places(cube: xr.Dataset, table: Any, name: str) -> tuple[tables.Array, dict[str, Any]]:
    """Return where the values of an axis lie between 0 and 1, better ones above, and its ticks."""
    column = table[name]
    if name in DIMS or column.dtype.kind not in "fiu" or name in cube.coords:
        given = plain_values(column)
        found = set(given)
        order = dict.fromkeys(plain_values(cube[name].values)) if name in cube.coords else sorted(found)
        labels = [one for one in order if one in found]
        at = {label: 1.0 - place / max(len(labels) - 1, 1) for place, label in enumerate(labels)}
        shown = labels[:: -(-len(labels) // 25)]
        texts = zip(tables.label_texts(cube, name, shown), shown, strict=True)
        ticks = {"y": [at[one] for one in shown], "text": [text or str(one) for text, one in texts]}
        return np.array([at[one] for one in given]), ticks
    log = bool((column > 0).all()) and float(column.max()) > 20 * float(column.min())
    low, high = float(column.min()), float(column.max())
    values = style.decades(low, high) if log else np.linspace(low, high, 5).tolist() if high > low else [low]

    both = [np.asarray(one, dtype="f8") for one in (column, values)]
    both = [style.share(one, (low, high), log=log) if high > low else 0.5 + 0.0 * one for one in both]
    places, level = (1.0 - one if sense_of(name, cube[name].attrs) == "min" else one for one in both)
    return places, {"y": level.tolist(), "text": [short(one) for one in values]}
