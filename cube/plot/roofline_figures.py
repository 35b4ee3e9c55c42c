"""Rooflines: what each platform attains at an operational intensity, and where the networks lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import ColumnDataSource, FactorRange, FixedTicker

from roofcube.plot import style
from roofcube.plot.tables import (
    labels_in_order,
    labels_of,
    own_dims,
    platform_order,
    ranks,
    records,
    require,
    sorted_rows,
    value_text,
)
from roofcube.plot.toggles import Toggles
from roofcube.wording import short, with_unit

if TYPE_CHECKING:
    import xarray as xr

    from roofcube.plot.tables import Columns

__all__ = ["rooflines"]

HEIGHT = 560
LABEL_STEP = 15.0  # pixels between the labels at the right
DASHES = ("solid", "dashed", "dotted", "dotdash")
NAMES = 0.27  # share of the width that the names of the roofs take at the right


def rooflines(cube: xr.Dataset) -> Any:
    """Draw the rooflines of all platforms and the operational intensities of the networks.

    Parameters
    ----------
    cube : Dataset
        With `peak_compute` and `memory_bandwidth`; and, to place the networks, `operational_intensity` (a cube of
        `predict`).

    Returns
    -------
    Bokeh layout
        Sources ``rooflines.roofs`` and ``rooflines.ridges``: a row per platform, mode and precision with a known peak;
        the ridge point is at exactly (peak ÷ bandwidth, peak). Source ``rooflines.networks``: a row per network,
        pruning and precision. Buttons by platform, device class and precision.

    Raises
    ------
    MissingInputError
        If the cube lacks `peak_compute`, `memory_bandwidth` or `operational_intensity`.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.rooflines(rc.predict(rc.inputs("mnist"))).name
    'rooflines'
    """
    cube = require(cube, ("peak_compute", "memory_bandwidth", "operational_intensity"), figure="rooflines")
    roofs = _roofs(cube)
    networks = records(cube, ["operational_intensity"])
    networks["label"] = labels_of(networks, ("topology",), shown=("topology",))
    left, right = _x_range(roofs["ridge"], networks["operational_intensity"])
    x_range = left, left * (right / left) ** (1 / (1 - NAMES))
    attained = np.minimum(roofs["peak_compute"], x_range[0] * roofs["memory_bandwidth"] * 1e-3)
    y_range = style.log_bounds([*attained, *roofs["peak_compute"]], low=0.8, high=1.6)
    toggles = Toggles("rooflines")
    platforms = platform_order(cube, roofs["platform"])
    colours = style.platform_colours(platforms)
    symbols = {
        name: style.class_symbol(one) for name, one in zip(roofs["platform"], roofs["device_class"], strict=True)
    }
    toggles.field("platform", "Platform", platforms, colours=colours, symbols=symbols)
    toggles.field(
        "device_class",
        "Class",
        list(dict.fromkeys(roofs["device_class"])),
        symbols={one: style.class_symbol(one) for one in roofs["device_class"]},
    )
    precisions = labels_in_order(cube, "precision", [*roofs.get("precision", []), *networks.get("precision", [])])
    toggles.field("precision", "Precision", [str(one) for one in precisions])
    top = style.frame(
        name="rooflines.roofs",
        x_label="",
        y_label="attainable compute (TOP/s)",
        x_range=x_range,
        y_range=y_range,
        x_log=True,
        y_log=True,
        height=HEIGHT,
    )
    _draw_intensities(top, networks, y_range, toggles)
    _draw_roofs(top, roofs, colours, (left, right), y_range, toggles)
    style.plain_ticks(top.yaxis, y_range)
    bottom = _strip(networks, top, toggles)
    for axis in (*top.xaxis, *bottom.xaxis):
        axis.ticker = FixedTicker(ticks=style.decades(left, right))
    top.xgrid.ticker = bottom.xgrid.ticker = bottom.xaxis[0].ticker
    lowest, highest = float(roofs["ridge"].min()), float(roofs["ridge"].max())
    style.titled(
        top,
        (
            f"All ridge points lie at {with_unit(highest, 'op/B')}: "
            if short(lowest) == short(highest)
            else f"Ridge points lie between {short(lowest)} and {with_unit(highest, 'op/B')}: "
        )
        + "a network left of its ridge is bound by memory",
        "slope = memory bandwidth, flat = peak compute, marks = ridge points; "
        "vertical lines = networks (op per byte of weights), named below",
    )
    return toggles.over(top, bottom)


def _roofs(cube: xr.Dataset) -> Columns:
    table = records(cube, ["peak_compute", "memory_bandwidth"], known=("peak_compute", "memory_bandwidth"))
    table["ridge"] = table["peak_compute"] / table["memory_bandwidth"] * 1e3
    own = dict.fromkeys([*own_dims(cube, "peak_compute"), *own_dims(cube, "memory_bandwidth")])
    shown = ("platform", "mode", "precision", *own)
    table["label"] = labels_of(table, shown, shown=shown)
    return sorted_rows(table, ranks(cube, table, "platform"))


def _x_range(ridges: np.ndarray[Any, Any], intensities: np.ndarray[Any, Any]) -> tuple[float, float]:
    both = np.concatenate([ridges, intensities])
    return style.log_bounds(both, low=0.5, high=2.0)


def _draw_intensities(plot: Any, networks: Columns, y_range: tuple[float, float], toggles: Toggles) -> None:
    source = ColumnDataSource(_network_columns(networks), name="rooflines.networks")
    plot.segment(
        x0="intensity",
        x1="intensity",
        y0=y_range[0],
        y1=y_range[1],
        source=source,
        view=toggles.view(source),
        line_color=style.MUTED,
        line_alpha=0.28,
        line_width=1,
        name="rooflines.intensities",
    )


def _network_columns(networks: Columns) -> dict[str, Any]:
    names = [name for name in ("precision", "label", "configuration") if name in networks]
    intensity = networks["operational_intensity"]
    return {"intensity": intensity, "text": value_text(intensity, "op/B"), **{name: networks[name] for name in names}}


def _draw_roofs(
    plot: Any,
    roofs: Columns,
    colours: dict[str, str],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    toggles: Toggles,
) -> None:
    left, right = x_range
    slope, peak, ridge = roofs["memory_bandwidth"] * 1e-3, roofs["peak_compute"], roofs["ridge"]
    count = len(peak)
    names = [name for name in ("platform", "device_class", "precision", "label", "configuration") if name in roofs]
    shared: dict[str, Any] = {name: roofs[name] for name in names}
    shared["colour"] = [colours[name] for name in roofs["platform"]]
    shared["peak_text"], shared["bandwidth_text"] = (
        value_text(peak, "TOP/s"),
        value_text(roofs["memory_bandwidth"], "GB/s"),
    )
    shared["ridge_text"] = value_text(ridge, "op/B")
    roof_columns = {
        **shared,
        "x": [[left, float(at), right] for at in ridge],
        "y": [[float(left * one), float(high), float(high)] for one, high in zip(slope, peak, strict=True)],
        "dash": _dashes(peak, slope),
    }
    lines = ColumnDataSource(roof_columns, name="rooflines.roofs")
    drawn = plot.multi_line(
        "x", "y", source=lines, view=toggles.view(lines), line_color="colour", line_width=2, line_dash="dash"
    )
    marked = {
        **shared,
        "ridge": ridge,
        "peak": peak,
        "marker": [style.class_marker(one) for one in roofs["device_class"]],
    }
    marks = ColumnDataSource(marked, name="rooflines.ridges")
    points = plot.scatter(
        "ridge",
        "peak",
        marker="marker",
        source=marks,
        view=toggles.view(marks),
        size=9,
        fill_color="colour",
        line_color=style.SURFACE,
    )
    levels = spread_labels(np.log(peak), y_range, HEIGHT - 130)
    labelled = {
        name: shared[name]
        for name in (*(one for one in ("platform", "device_class", "precision") if one in shared), "label", "colour")
    }
    named = ColumnDataSource(
        {**labelled, "x": np.full(count, right), "y": np.exp(levels), "peak": peak}, name="rooflines.names"
    )
    leader = right * (right / left) ** 0.02
    named.data["end"] = np.full(count, leader)
    plot.segment("x", "peak", "end", "y", source=named, view=toggles.view(named), line_color="colour", line_width=1)
    plot.text(
        "end",
        "y",
        text="label",
        source=named,
        view=toggles.view(named),
        text_color="colour",
        text_font_size=style.TEXT,
        text_baseline="middle",
        x_offset=5,
        text_font_style="bold",
    )
    details = {"peak": "@peak_text", "bandwidth": "@bandwidth_text", "ridge point": "@ridge_text"}
    style.hover(plot, [drawn], details, heading="@label", policy="interp")
    style.hover(plot, [points], details, heading="@label")


def _dashes(peak: np.ndarray[Any, Any], slope: np.ndarray[Any, Any]) -> list[str]:
    """Dash the second of two equal roofs, so that both colours show."""
    seen: dict[tuple[float, float], int] = {}
    dashes = []
    for key in zip(peak.tolist(), slope.tolist(), strict=True):
        dashes.append(DASHES[min(seen.get(key, 0), len(DASHES) - 1)])
        seen[key] = seen.get(key, 0) + 1
    return dashes


def spread_labels(levels: np.ndarray[Any, Any], bounds: tuple[float, float], pixels: float) -> np.ndarray[Any, Any]:
    """Move labels apart so that none overprints another: nearest places in the same order."""
    low, high = np.log(bounds[0]), np.log(bounds[1])
    step = (high - low) * LABEL_STEP / pixels
    order = np.argsort(levels, kind="stable")
    wanted = levels[order].astype("f8")
    # pools of touching labels share their mean place; each pool is spread evenly around it
    pools: list[list[float]] = []
    for level in wanted:
        pools.append([level, 1.0])
        while len(pools) > 1 and pools[-1][0] - pools[-2][0] < step * (pools[-1][1] + pools[-2][1]) / 2:
            (mean, size), (before, earlier) = pools.pop(), pools.pop()
            pools.append([(mean * size + before * earlier) / (size + earlier), size + earlier])
    placed = np.concatenate([mean + step * (np.arange(int(size)) - (size - 1) / 2) for mean, size in pools])
    placed -= max(0.0, placed[-1] - high + step / 2)
    result = np.empty_like(placed)
    result[order] = placed
    return result


def _strip(networks: Columns, top: Any, toggles: Toggles) -> Any:
    """Draw the networks' intensities by name under the roofs, on the same axis."""
    names = list(dict.fromkeys(networks["label"])) or [""]
    plot = style.frame(
        name="rooflines.networks",
        x_label="operational intensity (op per byte of weights)",
        x_range=top.x_range,
        x_log=True,
        y_range=FactorRange(factors=names[::-1]),
        height=100 + 34 * len(names),
    )
    plot.toolbar_location = None
    plot.ygrid.grid_line_color = None
    source = ColumnDataSource(_network_columns(networks), name="rooflines.marks")
    marks = plot.scatter(
        "intensity",
        "label",
        source=source,
        view=toggles.view(source),
        marker="dash",
        angle=np.pi / 2,
        size=16,
        line_width=2,
        line_color=style.INK,
    )
    style.hover(plot, [marks], {"operational intensity": "@text"})
    if "precision" in networks:
        heads = ColumnDataSource(_heads(networks), name="rooflines.heads")
        plot.text(
            "intensity",
            "label",
            text="precision",
            source=heads,
            view=toggles.view(heads),
            x_offset=5,
            text_baseline="middle",
            text_font_size=style.TEXT,
            text_color=style.MUTED,
        )
    top.xaxis.visible = False
    top.toolbar_location = "right"
    return plot


def _heads(networks: Columns) -> dict[str, Any]:
    """Place a precision's name right of the network's last mark at that precision."""
    last: dict[tuple[str, str], float] = {}
    for label, precision, intensity in zip(
        networks["label"], networks["precision"], networks["operational_intensity"], strict=True
    ):
        last[label, precision] = max(intensity, last.get((label, precision), 0.0))
    return {
        "label": [label for label, _ in last],
        "precision": [precision for _, precision in last],
        "intensity": list(last.values()),
    }
