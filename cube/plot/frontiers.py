"""Trade-offs: the Pareto front of a cube, and the predicted front over the measured one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from bokeh.models import ColumnDataSource

from roofcube.errors import InvalidDataError
from roofcube.plot import style
from roofcube.plot.points import draw_points, point_columns, point_toggles
from roofcube.plot.staircases import draw_staircase
from roofcube.plot.tables import (
    doubts,
    labels_in_order,
    measured_names,
    model_text,
    platform_order,
    ranks,
    records,
    require,
    scale_of,
    scope_text,
    sorted_rows,
    source_text,
    value_text,
    with_source_rows,
)
from roofcube.plot.toggles import Toggles
from roofcube.sweep.questions import pareto as front_of
from roofcube.sweep.questions import senses_of
from roofcube.variables import CONFIGURATION
from roofcube.wording import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roofcube.plot.tables import Columns
    from roofcube.variables import Sense

__all__ = ["overlap", "pareto"]

# Finds the front of the marks that are switched on, by the rule of `roofcube.pareto`; a row per distinct point.
REFRONT = """
for (const [marks, line, sign_x, sign_y] of fronts) {
  const filter = filters[sources.indexOf(marks)];
  const x = marks.data.x, y = marks.data.y, keep = filter.booleans;
  const shown = (row) => (!keep || keep[row]) && isFinite(x[row]) && isFinite(y[row]);
  const rows = Array.from({length: marks.get_length() ?? 0}, (_, row) => row).filter(shown);
  rows.sort((a, b) => sign_x * (x[b] - x[a]) || sign_y * (y[b] - y[a]));
  const front = [];
  let best = -Infinity;
  for (const row of rows) {
    const level = sign_y * y[row];
    if (level > best) { front.push(row); best = level; }
  }
  front.sort((a, b) => x[a] - x[b] || y[a] - y[b]);
  line.data = {x: front.map((row) => x[row]), y: front.map((row) => y[row])};
}
"""


def pareto(
    cube: xr.Dataset,
    *,
    objectives: Mapping[str, Sense | None] | None = None,
    scope: str = "compute",
    measurements: Any = None,
) -> Any:
    """Draw all points of a cube in two objectives and their Pareto front as a staircase.

    Parameters
    ----------
    cube : Dataset
        With the objectives as variables.
    objectives : mapping of name to {"max", "min"}, optional
        Two variables, horizontal one first; measured throughput and measured top-1 accuracy where not given.
    scope : {"compute", "system"}
        Which throughput to take where `objectives` is not given.
    measurements : table, optional
        The rows that were joined; tooltips then name the source row of each point.

    Returns
    -------
    Bokeh layout
        Source ``pareto.points``: a row per cell where both objectives are known; source ``pareto.front``: a row per
        distinct point of the front that `roofcube.pareto` finds. Buttons by platform, precision, topology; the
        front follows them.

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
    wanted: Mapping[str, Sense | None] = objectives or {
        measured_names(scope)["throughput"]: "max",
        "measured_top1": "max",
    }
    if len(wanted) != 2:
        msg = f"`objectives`: expected two variables, got {len(wanted)}; draw other pairs in figures of their own"
        raise InvalidDataError(msg)
    x, y = wanted
    cube = with_source_rows(require(cube, (x, y), figure="pareto"), measurements)
    senses = senses_of(cube, wanted)
    table = records(cube, [x, y], known=(x, y))
    table = sorted_rows(table, ranks(cube, table, "platform"))
    toggles = point_toggles("pareto", cube, table)
    plot = _front_plane(cube, "pareto", (x, y), (table[x], table[y]), height=560)
    points = ColumnDataSource(_mark_columns(cube, table, x, y, scope), name="pareto.points")
    front = front_of(cube, senses, ties="all")
    line = _staircase(plot, cube, front, senses, name="pareto.front", colour=style.INK)
    marks = draw_points(plot, points, toggles.view(points))
    style.hover(
        plot, [marks], {_short(x): "@x_text", _short(y): "@y_text", "flags": "@flags", "source": source_text(cube)}
    )
    count = front.sizes["point"]
    style.titled(
        plot,
        f"{count} of {len(table[x])} points are on the front: {_ends(front)}",
        f"{f'{scope_text(scope)}; ' if objectives is None else ''}line = Pareto front of what is shown; {style.HOLLOW}",
    )
    return toggles.over(plot, after=REFRONT, fronts=[[points, line, _sign(senses[x]), _sign(senses[y])]])


def _sign(sense: Sense) -> int:
    return 1 if sense == "max" else -1


def _short(name: str) -> str:
    """Name a variable's quantity: throughput, latency, top-1 accuracy."""
    for long, short in (("measured_", ""), ("system_", ""), ("predicted_", ""), ("top", "top-"), ("_", " ")):
        name = name.replace(long, short)
    return f"{name} accuracy" if name.startswith("top-") else name


def _ends(front: xr.Dataset) -> str:
    names = list(dict.fromkeys(np.atleast_1d(front["platform"].values).tolist())) if "platform" in front.coords else []
    return ", ".join(map(str, names))


def _front_plane(cube: xr.Dataset, name: str, pair: tuple[str, str], values: tuple[Any, Any], *, height: int) -> Any:
    """Set up two axes: log where values span more than a decade or the quantity is a rate, linear for percentages."""
    options: dict[str, Any] = {}
    for axis, variable, known in zip("xy", pair, values, strict=True):
        unit = scale_of(cube, variable)[1]
        known = np.asarray(known, dtype="f8")
        log = unit != "%" and bool((known > 0).all() and known.max() > 5 * known.min())
        margin = 0.06 * (known.max() - known.min() or 1.0)
        options[f"{axis}_range"] = (
            style.log_bounds(known) if log else (float(known.min() - margin), float(known.max() + margin))
        )
        options[f"{axis}_log"] = log
        options[f"{axis}_label"] = f"{_short(variable)} ({', '.join(filter(None, (unit, 'log scale' * log)))})"
    return style.frame(name=f"{name}.plot", height=height, **options)


def _mark_columns(cube: xr.Dataset, table: Columns, x: str, y: str, scope: str) -> dict[str, Any]:
    quantities = {quantity for name in (x, y) for quantity in _quantities(name)}
    doubtful = doubts(cube, table["quality"], sorted(quantities), scope=scope)
    return {
        **point_columns(cube, table, table[x], table[y], doubtful, size=8),
        "x_text": value_text(table[x], scale_of(cube, x)[1]),
        "y_text": _exact(table[y], scale_of(cube, y)[1]),
    }


def _quantities(name: str) -> list[str]:
    """Quantities whose findings cast doubt on a measured variable."""
    table = {
        "throughput": ["throughput"],
        "latency": ["latency"],
        "top": ["accuracy"],
        "power": ["power"],
        "energy": ["power", "throughput"],
        "joule": ["power", "throughput"],
        "efficiency": ["throughput"],
    }
    return [
        quantity
        for part, found in table.items()
        if part in name and not name.startswith("predicted")
        for quantity in found
    ]


def _exact(values: np.ndarray[Any, Any], unit: str) -> np.ndarray[Any, Any]:
    return np.array([f"{value:.2f} %" for value in values], dtype=object) if unit == "%" else value_text(values, unit)


def _staircase(plot: Any, cube: xr.Dataset, front: xr.Dataset, senses: Mapping[str, Sense], **looks: Any) -> Any:
    """Draw a front in the units shown; horizontal objective first."""
    x, y = (np.asarray(front[name].values, dtype="f8") * scale_of(cube, name)[0] for name in senses)
    return draw_staircase(plot, x, y, sense_x=next(iter(senses.values())), **looks)


# predicted over measured ----------------------------------------------------------------------------------------------


def overlap(cube: xr.Dataset, *, scope: str = "compute", measurements: Any = None) -> Any:
    """Draw predicted over measured: accuracy against throughput, matched pairs linked, both fronts as staircases.

    Parameters
    ----------
    cube : Dataset
        With `predicted_throughput`, `top1`, measured throughput and `measured_top1`.
    scope : {"compute", "system"}
        Measured throughput of the accelerator alone, or with host and transfers.
    measurements : table, optional
        The rows that were joined; tooltips then name the source row of each point.

    Returns
    -------
    Bokeh layout
        Sources ``overlap.predicted`` and ``overlap.measured``: a row per configuration (best batch) with a known
        accuracy; ``overlap.links``: a row per configuration in both; ``overlap.predicted_front`` and
        ``overlap.measured_front``: a row per distinct point of the front. Column `match` is 'matched',
        'predicted only' or 'measured only'. Buttons by platform, precision, topology and match; the fronts follow them.

    Raises
    ------
    MissingInputError
        If the cube lacks one of the variables.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.overlap(rc.benchmark("mnist")).name
    'overlap'
    """
    throughput = measured_names(scope)["throughput"]
    cube = require(cube, ("predicted_throughput", "top1", throughput, "measured_top1"), figure="overlap")
    cube = with_source_rows(cube, measurements)
    best = _best_batch(cube, throughput)
    measured = records(best, [throughput, "measured_top1"], known=(throughput, "measured_top1"))
    predicted = records(
        best.drop_vars("batch", errors="ignore"),
        ["predicted_throughput", "top1"],
        known=("predicted_throughput", "top1"),
    )
    keys = [name for name in CONFIGURATION if name in predicted and name in measured]
    pairs = _match(predicted, measured, keys)
    plot = _front_plane(
        cube,
        "overlap",
        (throughput, "measured_top1"),
        (
            np.concatenate([predicted["predicted_throughput"], measured[throughput]]),
            np.concatenate([predicted["top1"], measured["measured_top1"]]),
        ),
        height=580,
    )
    toggles = _overlap_toggles(cube, predicted, measured)
    sources = _overlap_sources(cube, predicted, measured, pairs, throughput, scope)
    plot.segment(
        "x0",
        "y0",
        "x1",
        "y1",
        source=sources["links"],
        view=toggles.view(sources["links"]),
        line_color=style.MUTED,
        line_alpha=0.45,
        line_width=1,
    )
    objectives = {
        "predicted": (("predicted_throughput", "top1"), style.PREDICTED),
        "measured": ((throughput, "measured_top1"), style.MEASURED),
    }
    lines = {}
    for kind, (names, colour) in objectives.items():
        more: dict[str, Sense] = dict.fromkeys(names, "max")
        front = front_of(best, more, ties="all")
        lines[kind] = _staircase(plot, best, front, more, name=f"overlap.{kind}_front", colour=colour)
    circles = plot.scatter(
        "x",
        "y",
        source=sources["predicted"],
        view=toggles.view(sources["predicted"]),
        marker="circle",
        size=10,
        fill_color=style.PREDICTED,
        line_color=style.PREDICTED,
        fill_alpha="filled",
        line_width=1.5,
    )
    crosses = plot.scatter(
        "x",
        "y",
        source=sources["measured"],
        view=toggles.view(sources["measured"]),
        marker="marker",
        size=10,
        line_color=style.MEASURED,
        fill_color=None,
        line_width=2,
    )
    style.hover(
        plot,
        [circles],
        {"predicted": "@x_text", "top-1 accuracy": "@y_text", "state": "@match", "source": model_text(cube)},
    )
    style.hover(
        plot,
        [crosses],
        {
            "measured": "@x_text",
            "top-1 accuracy": "@y_text",
            "efficiency": "@ratio",
            "state": "@match",
            "flags": "@flags",
            "source": source_text(cube),
        },
    )
    entries: dict[str, dict[str, Any]] = {
        f"predicted ({len(predicted['top1'])})": {"marker": "circle", "color": style.PREDICTED},
        f"measured ({len(measured[throughput])})": {"marker": "x", "line_color": style.MEASURED, "line_width": 2},
        f"same configuration ({len(pairs)})": {"marker": "line", "line_color": style.MUTED},
    }
    style.key(plot, entries)
    style.titled(plot, *_overlap_words(best, predicted, measured, pairs, throughput, scope))
    return toggles.over(
        plot,
        after=REFRONT,
        fronts=[[sources["predicted"], lines["predicted"], 1, 1], [sources["measured"], lines["measured"], 1, 1]],
    )


def _best_batch(cube: xr.Dataset, throughput: str) -> xr.Dataset:
    """Take each configuration at the batch of its best measured throughput; predictions at their own best."""
    names = [name for name in (throughput, "measured_top1", "quality", "source_row") if name in cube]
    measured = cube[names]
    extra = [str(dim) for dim in measured[throughput].dims if dim not in CONFIGURATION]
    for dim in extra:
        place = measured[throughput].fillna(-np.inf).argmax(dim)
        measured = measured.isel({dim: place})
    predicted = cube[["predicted_throughput", "top1"]]
    other = [dim for dim in predicted["predicted_throughput"].dims if dim not in CONFIGURATION]
    if other:
        predicted = predicted.assign(predicted_throughput=predicted["predicted_throughput"].max(other, keep_attrs=True))
    coords = {name: cube[name] for name in ("device_class", "family") if name in cube.coords}
    merged = xr.merge(
        [measured, predicted[["predicted_throughput", "top1"]]], compat="override", join="outer", combine_attrs="drop"
    )
    return merged.drop_dims(other, errors="ignore").assign_coords(coords).assign_attrs(cube.attrs)


def _match(predicted: Columns, measured: Columns, keys: Sequence[str]) -> list[tuple[int, int]]:
    place = {labels: row for row, labels in enumerate(zip(*(predicted[key].tolist() for key in keys), strict=True))}
    labels = zip(*(measured[key].tolist() for key in keys), strict=True)
    return [(place[one], row) for row, one in enumerate(labels) if one in place]


def _overlap_toggles(cube: xr.Dataset, predicted: Columns, measured: Columns) -> Toggles:
    toggles = Toggles("overlap")
    platforms = platform_order(cube, [*predicted["platform"], *measured["platform"]])
    symbols: dict[str, str] = {}
    toggles.field("platform", "Platform", platforms, symbols=symbols)
    for field, title in (("precision", "Precision"), ("topology", "Network")):
        labels = [*predicted.get(field, []), *measured.get(field, [])]
        if labels:
            toggles.field(field, title, [str(one) for one in labels_in_order(cube, field, labels)])
    toggles.field("match", "Show", ["matched", "predicted only", "measured only"])
    return toggles


def _overlap_sources(
    cube: xr.Dataset, predicted: Columns, measured: Columns, pairs: list[tuple[int, int]], throughput: str, scope: str
) -> dict[str, Any]:
    of_predicted, of_measured = {left for left, _ in pairs}, {right for _, right in pairs}
    doubtful = doubts(cube, measured["quality"], ("throughput", "accuracy"), scope=scope)
    ratio = np.full(len(measured[throughput]), np.nan)
    for left, right in pairs:
        ratio[right] = measured[throughput][right] / predicted["predicted_throughput"][left]
    circles = _overlap_columns(predicted, "predicted_throughput", "top1")
    circles["match"] = ["matched" if row in of_predicted else "predicted only" for row in range(len(predicted["top1"]))]
    circles["filled"] = [0.85 if one == "matched" else 0.15 for one in circles["match"]]
    crosses = _overlap_columns(measured, throughput, "measured_top1")
    crosses["match"] = [
        "matched" if row in of_measured else "measured only" for row in range(len(measured[throughput]))
    ]
    crosses["marker"] = np.where(doubtful, "square_x", "x")
    crosses.update(flags=measured["flags"], ratio=[percent(one) for one in ratio])
    if "source" in measured:
        crosses["source"] = measured["source"]
    starts, ends = ([pair[side] for pair in pairs] for side in (0, 1))
    links: dict[str, Any] = {
        name: crosses[name][ends] for name in ("platform", "precision", "topology") if name in measured
    }
    links.update(
        x0=circles["x"][starts],
        y0=circles["y"][starts],
        x1=crosses["x"][ends],
        y1=crosses["y"][ends],
        match=["matched"] * len(pairs),
    )
    parts = {"predicted": circles, "measured": crosses, "links": links}
    return {name: ColumnDataSource(columns, name=f"overlap.{name}") for name, columns in parts.items()}


def _overlap_columns(table: Columns, x: str, y: str) -> dict[str, Any]:
    fields = [name for name in ("platform", "precision", "topology", "configuration") if name in table]
    return {
        **{name: table[name] for name in fields},
        "x": table[x],
        "y": table[y],
        "x_text": value_text(table[x], "inputs/s"),
        "y_text": _exact(table[y], "%"),
    }


def _overlap_words(
    best: xr.Dataset, predicted: Columns, measured: Columns, pairs: list[tuple[int, int]], throughput: str, scope: str
) -> tuple[str, list[str]]:
    ratio = [measured[throughput][right] / predicted["predicted_throughput"][left] for left, right in pairs]
    said = (
        f"Measurements reach {percent(float(np.median(ratio)))} of the prediction in the median"
        if ratio
        else "No configuration was both predicted and measured"
    )
    no_accuracy = int((best["predicted_throughput"].notnull() & best["top1"].isnull()).sum())
    not_drawn = int((best[throughput].notnull() & best["measured_top1"].isnull()).sum())
    lost = (
        f"; not drawn for want of an accuracy: {no_accuracy} predicted, {not_drawn} measured"
        if no_accuracy + not_drawn
        else ""
    )
    alone = len(predicted["top1"]) - len(pairs), len(measured[throughput]) - len(pairs)
    counts = f"{len(pairs)} configurations matched, {alone[0]} predicted only (pale), {alone[1]} measured only{lost}"
    how = f"measured at the best batch, {scope_text(scope)}; boxed cross = flagged, reason in the tooltip"
    return said, [counts, f"{how}; staircases = Pareto fronts of what is shown"]
