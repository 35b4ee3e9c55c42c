"""What was measured: throughput against latency, and the spread of latency, throughput and power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import Column, ColumnDataSource, FactorRange, FixedTicker, Row

from roofcube.plot import style
from roofcube.plot.points import draw_points, point_columns, point_toggles
from roofcube.plot.tables import (
    doubts,
    labels_of,
    measured_names,
    own_dims,
    platform_order,
    ranks,
    records,
    require,
    scope_text,
    sorted_rows,
    source_text,
    value_text,
    with_source_rows,
)
from roofcube.variables import CONFIGURATION
from roofcube.wording import with_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from roofcube.plot.tables import Columns

__all__ = ["boxes", "latency_throughput"]

ROW = 24  # pixels a box takes


def latency_throughput(cube: xr.Dataset, *, scope: str = "compute", measurements: Any = None) -> Any:
    """Draw measured throughput over latency, a line through the batches of each configuration.

    Parameters
    ----------
    cube : Dataset
        With `measured_throughput` and `measured_latency` (system: `measured_system_*`).
    scope : {"compute", "system"}
        The accelerator alone, or with host and transfers.
    measurements : table, optional
        The rows that were joined; tooltips then name the source row of each point.

    Returns
    -------
    Bokeh layout
        Source ``latency_throughput.points``: a row per measured cell (configuration and batch); source
        ``latency_throughput.lines``: a row per configuration. Hollow points are flagged by the physics gate. Buttons by
        platform, precision and topology.

    Raises
    ------
    MissingInputError
        If the cube lacks the measured variables.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.latency_throughput(rc.benchmark("mnist")).name
    'latency_throughput'
    """
    names = measured_names(scope)
    throughput, latency = names["throughput"], names["latency"]
    cube = with_source_rows(require(cube, (throughput, latency), figure="latency_throughput"), measurements)
    table = records(cube, [throughput, latency], known=(throughput, latency))
    table = sorted_rows(table, ranks(cube, table, "platform"))
    colours = style.platform_colours(platform_order(cube, table["platform"]))
    toggles = point_toggles("latency_throughput", cube, table)
    plot = style.frame(
        name="latency_throughput.plot",
        x_label="latency of the whole batch (ms, log scale)",
        y_label="throughput (inputs/s, log scale)",
        x_range=style.log_bounds(table[latency]),
        y_range=style.log_bounds(table[throughput]),
        x_log=True,
        y_log=True,
        height=560,
    )
    own = own_dims(cube, throughput)
    lines = ColumnDataSource(_lines_by_batch(table, latency, throughput, colours, own), name="latency_throughput.lines")
    plot.multi_line(
        "x", "y", source=lines, view=toggles.view(lines), line_color="colour", line_width=1.2, line_alpha=0.6
    )
    doubtful = doubts(cube, table["quality"], ("throughput", "latency"), scope=scope)
    columns = point_columns(cube, table, table[latency], table[throughput], doubtful, size=7)
    columns["throughput"] = value_text(table[throughput], "inputs/s")
    columns["latency"] = value_text(table[latency], "ms")
    points = ColumnDataSource(columns, name="latency_throughput.points")
    marks = draw_points(plot, points, toggles.view(points))
    style.hover(
        plot,
        [marks],
        {"throughput": "@throughput", "latency": "@latency", "flags": "@flags", "source": source_text(cube)},
    )
    style.titled(
        plot,
        _fastest(table, throughput, latency),
        f"measured, {scope_text(scope)}; a line joins the batches of one configuration; {style.HOLLOW}",
    )
    return toggles.over(plot)


def _lines_by_batch(
    table: Columns, latency: str, throughput: str, colours: dict[str, str], own: list[str]
) -> dict[str, Any]:
    """Join the rows of each configuration in the order of their batch."""
    groups = rows_by_labels(table, [name for name in (*CONFIGURATION, *own) if name in table])
    fields = [name for name in ("platform", "precision", "topology") if name in table]
    batch = table.get("batch", np.zeros(len(table[latency])))
    ordered = [rows[np.argsort(batch[rows], kind="stable")] for rows in groups.values()]
    return {
        **{name: [table[name][rows[0]] for rows in ordered] for name in fields},
        "x": [table[latency][rows] for rows in ordered],
        "y": [table[throughput][rows] for rows in ordered],
        "colour": [colours[table["platform"][rows[0]]] for rows in ordered],
    }


def rows_by_labels(table: Columns, keys: Sequence[str]) -> dict[tuple[Any, ...], np.ndarray[Any, Any]]:
    """Row numbers of each combination of labels, in order of appearance."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for row, labels in enumerate(zip(*(table[key].tolist() for key in keys), strict=True)):
        groups.setdefault(labels, []).append(row)
    return {labels: np.array(rows, dtype=np.intp) for labels, rows in groups.items()}


def _fastest(table: Columns, throughput: str, latency: str) -> str:
    most, least = int(np.argmax(table[throughput])), int(np.argmin(table[latency]))
    return (
        f"Highest throughput {with_unit(float(table[throughput][most]), 'inputs/s')} ({table['platform'][most]}), "
        f"shortest latency {with_unit(float(table[latency][least]), 'ms')} ({table['platform'][least]})"
    )


# boxes ----------------------------------------------------------------------------------------------------------------


def boxes(cube: xr.Dataset, *, scope: str = "compute") -> Any:
    """Draw the spread of latency, throughput and power by platform and pruning (and network, where there are several).

    Parameters
    ----------
    cube : Dataset
        With `measured_throughput`, `measured_latency` (system: `measured_system_*`); the panel of power needs
        `power_full` and is left out where nothing was measured.
    scope : {"compute", "system"}
        The accelerator alone, or with host and transfers; power is the board's in both.

    Returns
    -------
    Bokeh layout
        Sources ``boxes.latency``, ``boxes.throughput``, ``boxes.power``: a row per platform, network and pruning
        measured.
        Boxes span the quartiles, whiskers the extremes, over modes, precisions and batches.

    Raises
    ------
    MissingInputError
        If the cube lacks the measured variables.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.boxes(rc.benchmark("mnist")).name
    'boxes'
    """
    names = measured_names(scope)
    cube = require(cube, names.values(), figure="boxes")
    panels = [
        ("latency", names["latency"], "latency of the batch (ms)", "ms"),
        ("throughput", names["throughput"], "throughput (inputs/s)", "inputs/s"),
    ]
    if "power_full" in cube and bool(cube["power_full"].notnull().any()):
        panels.append(("power", "power_full", "power under load (W)", "W"))
    tables = {name: _quartiles(cube, variable) for name, variable, _, _ in panels}
    factors = _box_factors(cube, tables.values())
    rows = FactorRange(factors=factors[::-1], group_padding=0.5, factor_padding=0.0, range_padding=0.02)
    figures = []
    for place, (name, _, label, unit) in enumerate(panels):
        width = style.WIDTH // len(panels) + (120 if place == 0 else -60 if len(panels) == 3 else -120)
        figures.append(
            _box_panel(
                tables[name],
                name,
                label,
                unit,
                rows,
                width=width,
                height=150 + ROW * len(factors) + 12 * len({one for one, _ in factors}),
                first=place == 0,
            )
        )
    what = "Latency, throughput and power" if len(panels) == 3 else "Latency and throughput"
    head = style.heading(
        f"{what} by platform and pruning ({scope_text(scope)})",
        "box = quartiles, bar = median, whiskers = extremes, over all modes, precisions and batches; log scales",
    )
    return Column(head, Row(*figures), name="boxes")


def _quartiles(cube: xr.Dataset, variable: str) -> Columns:
    table = records(cube, [variable])
    keys = [name for name in ("platform", "topology", "pruning") if name in table]
    table["label"] = labels_of(
        table, ("topology", "pruning"), shown=[name for name in ("topology", "pruning") if name in table]
    )
    groups = rows_by_labels(table, keys)
    spread = np.array([np.quantile(table[variable][rows], (0, 0.25, 0.5, 0.75, 1)) for rows in groups.values()])
    first = np.array([rows[0] for rows in groups.values()])
    columns = {name: table[name][first] for name in ("platform", "label", "device_class")}
    columns["rows"] = np.array([len(rows) for rows in groups.values()])
    for place, name in enumerate(("low", "q1", "median", "q3", "high")):
        columns[name] = spread[:, place]
    return columns


def _box_factors(cube: xr.Dataset, tables: Any) -> list[tuple[str, str]]:
    found = dict.fromkeys(
        (str(platform), str(label))
        for table in tables
        for platform, label in zip(table["platform"], table["label"], strict=True)
    )
    order = platform_order(cube, {platform for platform, _ in found})
    return sorted(found, key=lambda pair: order.index(pair[0]))


def _box_panel(
    table: Columns, name: str, label: str, unit: str, rows: Any, *, width: int, height: int, first: bool
) -> Any:
    colours = style.platform_colours(table["platform"])
    data: dict[str, Any] = {one: table[one] for one in ("low", "q1", "median", "q3", "high", "rows")}
    data["row"] = [(str(platform), str(own)) for platform, own in zip(table["platform"], table["label"], strict=True)]
    data["configuration"] = [f"{platform} · {own}" for platform, own in data["row"]]
    data["colour"] = [colours[one] for one in table["platform"]]
    for one in ("low", "q1", "median", "q3", "high"):
        data[f"{one}_text"] = value_text(table[one], unit)
    source = ColumnDataSource(data, name=f"boxes.{name}")
    bounds = style.log_bounds([*table["low"], *table["high"]])
    plot = style.frame(
        name=f"boxes.{name}", x_label=f"{label}", x_range=bounds, x_log=True, y_range=rows, width=width, height=height
    )
    plot.segment("low", "row", "high", "row", source=source, line_color="colour", line_width=1.5)
    body = plot.hbar(
        "row",
        left="q1",
        right="q3",
        height=0.62,
        source=source,
        fill_color="colour",
        fill_alpha=0.45,
        line_color="colour",
    )
    ends = plot.scatter(
        "median", "row", source=source, marker="dash", angle=np.pi / 2, size=15, line_width=3, line_color=style.INK
    )
    style.grouped_rows(plot)
    plot.yaxis.visible = first
    plot.xaxis.ticker = FixedTicker(ticks=style.decades(*bounds))
    style.hover(
        plot,
        [body, ends],
        {
            "median": "@median_text",
            "half lie in": "@q1_text … @q3_text",
            "all lie in": "@low_text … @high_text",
            "rows": "@rows",
        },
    )
    return plot
