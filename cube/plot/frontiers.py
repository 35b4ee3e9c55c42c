"""Trade-offs: all points with their Pareto front, the front alone, and the predicted front over the measured one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError
from roofcube.plot.drawing import style, tables
from roofcube.plot.drawing.elements import plane, points, segments, staircase
from roofcube.plot.drawing.points import (
    axis_of,
    extreme_rows,
    many_marks,
    marks,
    place_labels,
    platform_key,
    point_columns,
)
from roofcube.sweep import Sweep
from roofcube.sweep.questions import pareto as front_of
from roofcube.sweep.questions import senses_of
from roofcube.sweep.trust import impossible_bits
from roofcube.vocabulary import CONFIGURATION
from roofcube.wording import counted, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roofcube.plot.drawing.elements import Axis
    from roofcube.vocabulary import Sense

__all__ = ["front", "overlap", "pareto"]

HEIGHT = 560
QUANTITIES = {
    **{name: (name,) for name in ("throughput", "latency", "power")},
    "top": ("accuracy",), "efficiency": ("throughput",), **dict.fromkeys(("energy", "joule"), ("power", "throughput")),
}  # fmt: skip
POSSIBLE = ("predicted_throughput", "top1")  # the objectives of the theoretical front


def pareto(
    cube: xr.Dataset | Sweep,
    *,
    objectives: Mapping[str, Sense | None] | None = None,
    scope: str = "compute",
    measurements: Any = None,
) -> Any:
    """Draw all points of a cube in two objectives and their Pareto front as a staircase.

    Parameters
    ----------
    cube : Dataset or Sweep
        With the objectives as variables; a front (dim `point`) too. Of a Sweep, the front alone.
    objectives : mapping of name to {"max", "min"}, optional
        Two variables, horizontal one first. Default: throughput and top-1 accuracy, measured where they were.
    scope : {"compute", "system"}
        Which throughput to take where `objectives` is not given.
    measurements : table, optional
        The rows that were joined; tooltips then name the source row of each point.

    Returns
    -------
    holoviews.Overlay
        Marks ``pareto.points``: one per cell where both objectives are known; ``pareto.front``: one per
        distinct point of the front that `roofcube.pareto` finds. Above 5,000 cells a shade ``pareto.density`` counts
        them, and marks are the front and the best of each platform.

    Raises
    ------
    MissingInputError
        If the cube lacks an objective.
    InvalidDataError
        If there are not two objectives.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.pareto(rc.benchmark("mnist")).name
    'pareto'
    """
    if isinstance(cube, Sweep):
        return _front_figure("pareto", cube, objectives, scope, measurements)
    wanted, how = _objectives(cube, objectives, scope)
    x, y = wanted
    cube = tables.require(cube, (x, y), figure="pareto", measurements=measurements)
    senses = senses_of(cube, wanted)
    table = tables.records(cube, [x, y], known=(x, y), bare=True)
    table = tables.sorted_rows(table, tables.ranks(cube, table, "platform"))
    axes = _pair_of_axes(cube, (x, y), (table[x], table[y]))
    best = _front(cube, senses)
    stairs = _staircase(cube, best, senses, name="pareto.front", colour=style.INK, marks="pareto.points")
    drawn, shade, marked = many_marks(
        table,
        (x, y),
        lambda: _worth_a_mark(table, best, x, y, cube, senses),
        lambda rows: _mark_columns(cube, tables.told(cube, rows, x), x, y, scope),
        axes,
        name="pareto.points",
        tooltip=_tooltip(cube, x, y),
    )
    count = best.sizes[tables.POINT]
    title = f"{count} of {counted(len(table[x]), 'point')} {'is' if count == 1 else 'are'} on the front: {_ends(best)}"
    notes = [f"{how}line = Pareto front of what is shown; {style.HOLLOW}", shade]
    parts = [*drawn[:-1], stairs, drawn[-1]]
    (x_axis, y_axis), key = axes, platform_key(marked)
    return plane(parts, name="pareto", x=x_axis, y=y_axis, title=title, notes=notes, key=key, height=HEIGHT)


def front(
    cube: xr.Dataset | Sweep,
    *,
    objectives: Mapping[str, Sense | None] | None = None,
    scope: str = "compute",
    measurements: Any = None,
) -> Any:
    """Draw a Pareto front alone, each point with its configuration; of predictions, the theoretical front.

    Parameters
    ----------
    cube : Dataset or Sweep
        With the objectives as variables; a Sweep answers for its front and is never computed whole.
    objectives : mapping of name to {"max", "min"}, optional
        Two variables, horizontal one first. Default: throughput and top-1 accuracy, measured where they were.
    scope : {"compute", "system"}
        Which throughput to take where `objectives` is not given.
    measurements : table, optional
        The rows that were joined; tooltips then name the source row of each point.

    Returns
    -------
    holoviews.Overlay
        Marks ``front.points``: one per point of the front, ties too; ``front.front``: one per distinct point.

    Raises
    ------
    MissingInputError
        If the cube lacks an objective.
    InvalidDataError
        If there are not two objectives.

    Examples
    --------
    >>> import roofcube as rc
    >>> cube = rc.predict(rc.inputs("mnist"))
    >>> rc.plot.front(cube, objectives={"predicted_throughput": "max", "top1": "max"}).name
    'front'
    """
    return _front_figure("front", cube, objectives, scope, measurements)


def _front_figure(
    name: str, cube: Any, objectives: Mapping[str, Sense | None] | None, scope: str, measurements: Any
) -> Any:
    wanted, how = _objectives(cube, objectives, scope)
    x, y = wanted
    if isinstance(cube, Sweep):
        size, best, senses = cube.size, cube.pareto(senses_of(cube, wanted), ties="all"), senses_of(cube, wanted)
        cube = tables.require(best, (x, y), figure=name)
    else:
        cube = tables.require(cube, (x, y), figure=name, measurements=measurements)
        size, senses = int((cube[x] * cube[y]).notnull().sum()), senses_of(cube, wanted)
        best = _front(cube, senses)
    table = tables.records(best, [x, y], known=(x, y))
    table = tables.sorted_rows(table, table[x])
    axes = _pair_of_axes(cube, (x, y), (table[x], table[y]))
    columns = _mark_columns(cube, table, x, y, scope)
    dims = ("platform", "mode", "precision", "topology", "pruning", *tables.own_dims(best, x))
    names = [str(text) for text in tables.labels_of(cube, table, dims)]
    columns["label"] = place_labels(columns["x"], columns["y"], names, axes, (style.WIDTH - 90, HEIGHT - 190))
    stairs = _staircase(cube, best, senses, name=f"{name}.front", colour=style.MUTED, marks=f"{name}.points")
    text = {"x": "x", "y": "y", "text": "label", "x_offset": 8, "y_offset": -9, "text_color": style.INK}
    drawn = marks({**columns, "size": [1.3 * one for one in columns["size"]]}, name=f"{name}.points",
                  tooltip=_tooltip(cube, x, y), texts=[text])  # fmt: skip
    title = f"The front of {counted(size, 'point')} has {_distinct(table, x, y)}: {_ends(best)}"
    notes = [f"{how}what is not drawn is beaten by a point of the front; {style.HOLLOW}"]
    (x_axis, y_axis), key = axes, platform_key(columns)
    return plane([stairs, drawn], name=name, x=x_axis, y=y_axis, title=title, notes=notes, key=key, height=HEIGHT)


def _distinct(table: tables.Columns, x: str, y: str) -> str:
    """Count the places of a front, and its points where several share one."""
    points, places = len(table[x]), len(set(zip(table[x].tolist(), table[y].tolist(), strict=True)))
    return str(points) if points == places else f"{points} at {counted(places, 'place')}"


def _front(cube: xr.Dataset, senses: Mapping[str, Sense]) -> xr.Dataset:
    """Ask for the front over the dims that an objective or its trust has: along others each point would repeat."""
    judged = ("quality",) if "quality" in cube and impossible_bits(senses) else ()
    depended = {dim for name in (*senses, *judged) for dim in cube[name].dims}
    idle = {dim: 0 for dim, size in cube.sizes.items() if dim not in depended and size}
    return front_of(cube.isel(idle, drop=True), senses, ties="all")


def _objectives(
    cube: Any, given: Mapping[str, Sense | None] | None, scope: str
) -> tuple[Mapping[str, Sense | None], str]:
    """Return the two objectives of a figure, and where their values come from."""
    if given is None:
        names, kind = tables.observed(cube, scope, "throughput", "top1")
        accuracy = tables.accuracy_text(cube) if kind == "measured" else ""
        how = f"{tables.how_text(kind, scope, cube)}{accuracy}; " if isinstance(cube, xr.Dataset) else "predicted; "
        return {names["throughput"]: "max", names["top1"]: "max"}, how
    if len(given) != 2:
        msg = f"`objectives`: expected two variables, got {len(given)}; draw other pairs in figures of their own"
        raise InvalidDataError(msg)
    return given, ""


def _sign(sense: Sense) -> int:
    return 1 if sense == "max" else -1


def _short(name: str) -> str:
    """Name a variable's quantity: throughput, latency, top-1 accuracy."""
    for long, short in (("measured_", ""), ("system_", ""), ("predicted_", ""), ("top", "top-"), ("_", " ")):
        name = name.replace(long, short)
    return f"{name} accuracy" if name.startswith("top-") else name


def _ends(best: xr.Dataset) -> str:
    names = list(dict.fromkeys(np.atleast_1d(best["platform"].values).tolist())) if "platform" in best.coords else []
    names = [str(name) for name in names]
    return ", ".join(names[:6]) + (f" and {len(names) - 6} others" if len(names) > 6 else "")


def _pair_of_axes(cube: xr.Dataset, pair: Sequence[str], values: Sequence[Any]) -> tuple[Axis, Axis]:
    x, y = (axis_of(cube, name, _short(name), known) for name, known in zip(pair, values, strict=True))
    return x, y


def _worth_a_mark(
    table: tables.Columns, best: xr.Dataset, x: str, y: str, cube: xr.Dataset, senses: Mapping[str, Sense]
) -> np.ndarray[Any, Any]:
    """Return the rows that keep a mark of their own among very many: the front, and the best of each platform."""
    ends = (np.asarray(best[name].values, dtype="f8") * tables.scale_of(cube, name)[0] for name in (x, y))
    on_front = np.isin(table[x] + 1j * table[y], np.add(next(ends), 1j * next(ends)))
    marked: np.ndarray[Any, Any] = on_front | extreme_rows(table, *(_sign(senses[one]) * table[one] for one in (x, y)))
    return marked


def _tooltip(cube: xr.Dataset, x: str, y: str) -> dict[str, str]:
    source = tables.source_text(cube) if "measured" in f"{x}{y}" else tables.model_text(cube)
    return {_short(x): "@x_text", _short(y): "@y_text", "flags": "@flags", "source": source}


def _mark_columns(cube: xr.Dataset, table: tables.Columns, x: str, y: str, scope: str) -> dict[str, Any]:
    quantities = {quantity for name in (x, y) for quantity in _quantities(name)}
    doubtful = tables.doubts(cube, table["quality"], sorted(quantities), scope=scope)
    return {
        **point_columns(cube, table, table[x], table[y], doubtful, size=8),
        "x_text": tables.value_text(table[x], tables.scale_of(cube, x)[1]),
        "y_text": _exact(table[y], tables.scale_of(cube, y)[1]),
    }


def _quantities(name: str) -> list[str]:
    """Quantities whose findings cast doubt on a measured variable."""
    parts = () if name.startswith("predicted") else (part for part in QUANTITIES if part in name)
    return [quantity for part in parts for quantity in QUANTITIES[part]]


def _exact(values: np.ndarray[Any, Any], unit: str) -> np.ndarray[Any, Any]:
    return (
        np.array([f"{value:.2f} %" for value in values], dtype=object)
        if unit == "%"
        else tables.value_text(values, unit)
    )


def _staircase(
    cube: xr.Dataset, best: xr.Dataset, senses: Mapping[str, Sense], *, name: str, colour: str, marks: str
) -> Any:
    """Make the staircase of the front of `marks` in the units shown, horizontal objective first."""
    x, y = (np.asarray(best[one].values, dtype="f8") * tables.scale_of(cube, one)[0] for one in senses)
    tag = {"front_of": marks, "signs": [_sign(sense) for sense in senses.values()]}
    return staircase(x, y, sense_x=next(iter(senses.values())), name=name, tags=[tag], color=colour)


# predicted over measured ----------------------------------------------------------------------------------------------


def overlap(cube: xr.Dataset, *, scope: str = "compute", measurements: Any = None) -> Any:
    """Draw predicted over measured: accuracy against throughput, matched pairs linked, both fronts as staircases.

    Parameters
    ----------
    cube : Dataset
        With `predicted_throughput` and `top1`; measured throughput as far as it was measured, with `measured_top1`
        or, where no accuracy was measured at all, with that of the networks.
    scope : {"compute", "system"}
        Measured throughput of the accelerator alone, or with host and transfers.
    measurements : table, optional
        The rows that were joined; tooltips then name the source row of each point.

    Returns
    -------
    holoviews.Overlay
        Marks ``overlap.predicted`` and ``overlap.measured``: one per configuration (best batch) with a known
        accuracy; ``overlap.links``: one per configuration in both; ``overlap.predicted_front`` and
        ``overlap.measured_front``: one per distinct point. Column `match` is 'matched', 'predicted only' or
        'measured only'.

    Raises
    ------
    MissingInputError
        If the cube lacks predictions or their accuracy.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.overlap(rc.benchmark("mnist")).name
    'overlap'
    """
    throughput, accuracy = tables.measured_names(scope)["throughput"], tables.accuracy_of(cube)
    both = tables.observed(cube, scope, "throughput", "top1")[1] == "measured"
    cube = tables.require(cube, POSSIBLE, figure="overlap", measurements=measurements)
    if not both:
        blank = xr.full_like(cube["predicted_throughput"], np.nan)
        cube = cube.assign({throughput: blank, "measured_top1": blank})
    best = _best_batch(cube, throughput)
    predicted = tables.records(best.drop_vars("batch", errors="ignore"), POSSIBLE, known=POSSIBLE)
    pair = (throughput, accuracy)
    measured = tables.records(best, pair, known=pair) if both else {
        **{name: column[:0] for name, column in predicted.items()}, **dict.fromkeys(pair, np.zeros(0))
    }  # fmt: skip
    left, right = _match(predicted, measured)
    both_values = [np.concatenate([predicted[one], measured[other]]) for one, other in zip(POSSIBLE, pair, strict=True)]
    (x, y), unit = _pair_of_axes(cube, POSSIBLE, both_values), tables.rate_unit(cube)
    circles = _overlap_columns(predicted, POSSIBLE, left, "predicted", unit)
    circles["filled"] = np.array([0.85 if one == "matched" or not left.size else 0.15 for one in circles["match"]])
    crosses = _overlap_columns(measured, pair, right, "measured", unit)
    doubtful = tables.doubts(cube, measured["quality"], ("throughput", "accuracy"), scope=scope)
    crosses["marker"] = np.where(doubtful, "square_x", "x").astype(object)
    ratio = np.full(len(doubtful), np.nan)
    ratio[right] = crosses["x"][right] / circles["x"][left]
    crosses |= {"flags": measured["flags"], "ratio": [percent(one) for one in ratio]}
    crosses |= {name: measured[name] for name in ("source",) if name in measured}
    links = {name: crosses[name][right] for name in ("platform", "precision", "topology") if name in measured}
    links |= {"x0": circles["x"][left], "y0": circles["y"][left], "x1": crosses["x"][right], "y1": crosses["y"][right]}
    links["match"] = ["matched"] * left.size
    parts = [segments(links, ("x0", "y0", "x1", "y1"), name="overlap.links",
                      color=style.MUTED, alpha=0.45, line_width=1)]  # fmt: skip
    for kind, names, colour in (("predicted", POSSIBLE, style.PREDICTED), ("measured", pair, style.MEASURED)):
        more: dict[str, Sense] = dict.fromkeys(names, "max")
        if kind == "predicted" or both:
            stairs = front_of(best, more, ties="all")
            line = f"overlap.{kind}_front"
            parts.append(_staircase(best, stairs, more, name=line, colour=colour, marks=f"overlap.{kind}"))
    parts.append(points(
        circles, "x", "y", name="overlap.predicted", marker="circle", size=10, line_width=1.5,
        fill_color=style.PREDICTED, line_color=style.PREDICTED, fill_alpha="filled",
        tooltip={
            "predicted": "@x_text", "top-1 accuracy": "@y_text", "state": "@match", "source": tables.model_text(cube),
        },
    ))  # fmt: skip
    parts.append(points(
        crosses, "x", "y", name="overlap.measured", marker="marker" if both else "x", size=10,
        line_color=style.MEASURED, fill_color=None, line_width=2,
        tooltip={
            "measured": "@x_text", "top-1 accuracy": "@y_text", "efficiency": "@ratio", "state": "@match",
            "flags": "@flags", "source": tables.source_text(cube),
        },
    ))  # fmt: skip
    entries: dict[str, dict[str, Any]] = {
        f"predicted ({len(predicted['top1'])})": {"marker": "circle", "color": style.PREDICTED},
        f"measured ({len(ratio)})": {"marker": "x", "line_color": style.MEASURED, "line_width": 2},
        f"same configuration ({left.size})": {"marker": "line", "line_color": style.MUTED},
    }
    title, notes = _overlap_words(best, pair, (len(circles["x"]), len(ratio)), ratio[right], scope)
    return plane(parts, name="overlap", x=x, y=y, title=title, notes=notes, key=entries, height=580)


def _best_batch(cube: xr.Dataset, throughput: str) -> xr.Dataset:
    """Take each configuration at the batch of its best measured throughput; predictions at their own best."""
    names = [name for name in (throughput, "measured_top1", "quality", "source_row") if name in cube]
    kept = (*CONFIGURATION, tables.POINT)
    extra = [str(dim) for dim in cube[throughput].dims if dim not in kept]
    measured = tables.at_largest(cube[names], throughput, extra)
    predicted = cube[[*POSSIBLE]]
    other = [dim for dim in predicted["predicted_throughput"].dims if dim not in kept]
    if other:
        predicted = predicted.assign(predicted_throughput=predicted["predicted_throughput"].max(other, keep_attrs=True))
    coords = {name: cube[name] for name in ("device_class", "family") if name in cube.coords}
    merged = xr.merge(
        [measured, predicted[["predicted_throughput", "top1"]]], compat="override", join="outer", combine_attrs="drop"
    )
    return merged.drop_dims(other, errors="ignore").assign_coords(coords).assign_attrs(cube.attrs)


def _match(predicted: tables.Columns, measured: tables.Columns) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the rows of each configuration that is in both tables."""
    keys = [name for name in CONFIGURATION if name in predicted and name in measured]
    place = {labels: row for row, labels in enumerate(zip(*(predicted[key].tolist() for key in keys), strict=True))}
    labels = zip(*(measured[key].tolist() for key in keys), strict=True)
    pairs = [(place[one], row) for row, one in enumerate(labels) if one in place]
    left, right = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    return left, right


def _overlap_columns(
    table: tables.Columns, pair: Sequence[str], rows: np.ndarray[Any, Any], other: str, unit: str
) -> dict[str, Any]:
    x, y = (table[name] for name in pair)
    match = np.full(len(x), f"{other} only", dtype=object)
    match[rows] = "matched"
    shown = ("platform", "precision", "topology", "configuration")
    labels: dict[str, Any] = {name: table[name] for name in shown if name in table}
    texts = {"x_text": tables.value_text(x, unit), "y_text": _exact(y, "%")}
    return {**labels, "x": x, "y": y, **texts, "match": match.tolist()}


def _overlap_words(
    best: xr.Dataset, pair: Sequence[str], counts: Sequence[int], ratio: np.ndarray[Any, Any], scope: str
) -> tuple[str, list[str]]:
    middle = percent(float(np.median(ratio))) if ratio.size else ""
    said = f"Measurements reach {middle} of the prediction in the median"
    said = said if middle else "No configuration was both predicted and measured"
    not_drawn = [int((best[x].notnull() & best[y].isnull()).sum()) for x, y in (POSSIBLE, pair)]
    lost = "; not drawn for want of an accuracy: {} predicted, {} measured".format(*not_drawn) if any(not_drawn) else ""
    alone = [count - ratio.size for count in counts]
    matched = counted(ratio.size, "configuration")
    told = f"{matched} matched, {alone[0]} predicted only (pale), {alone[1]} measured only{lost}"
    told += tables.accuracy_text(best) if counts[1] else ""
    how = f"measured at the best batch, {tables.scope_text(scope)}; boxed cross = flagged, reason in the tooltip"
    return said, [told, f"{how}; staircases = Pareto fronts of what is shown"]
