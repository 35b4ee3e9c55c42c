"""The heatmap of a variable over hardware and networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from bokeh.models import ColorBar, ColumnDataSource, FactorRange, FixedTicker, LogColorMapper
from bokeh.palettes import Cividis256

from roofcube.plot import style
from roofcube.plot.tables import array_of, model_text, platform_order, require, scale_of, short_label, source_text
from roofcube.variables import INFEASIBLE, VARIABLES, sense_of
from roofcube.wording import short, with_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["device_classes", "heatmap"]

CELL = 22  # pixels a row takes
COLUMN_DIMS = ("platform", "mode")
ROW_DIMS = ("topology", "pruning", "precision")
# state of a cell → (hatch, words of the legend)
LOOKS = {
    "known": (" ", ""),
    "not supported": ("/", "not supported by the platform"),
    "does not fit": ("x", "does not fit in memory"),
    "not known": (".", "not known: an input is missing"),
    "not measured": (" ", "not measured (blank)"),
}


def heatmap(cube: xr.Dataset, *, variable: str = "predicted_throughput") -> Any:
    """Draw a variable over hardware (by device class) and networks, in colour on a log scale and as numbers.

    Parameters
    ----------
    cube : Dataset
        With the variable over some of platform, mode, topology, pruning, precision; other dims are reduced to their
        best.
    variable : str
        Any positive variable of the cube.

    Returns
    -------
    Bokeh figure
        Source ``heatmap.cells``: a row per hardware × network cell; column `state` is 'known', 'not supported'
        (hatched), 'does not fit' (crossed), 'not known' (dotted) or 'not measured' (blank).

    Raises
    ------
    MissingInputError
        If the cube lacks the variable.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.heatmap(rc.predict(rc.inputs("mnist"))).name
    'heatmap'
    """
    cube = require(cube, (variable,), figure="heatmap")
    grid = _Grid(cube, variable)
    low, high = float(np.nanmin(grid.values)), float(np.nanmax(grid.values))
    colours = LogColorMapper(palette=Cividis256, low=low, high=max(high, low * 1.01), nan_color="rgba(0,0,0,0)")
    source = ColumnDataSource(grid.columns(low, high), name="heatmap.cells")
    columns = FactorRange(factors=grid.column_factors, group_padding=0.12, factor_padding=0.0, range_padding=0)
    plot = style.frame(
        name="heatmap",
        x_label="",
        x_range=columns,
        y_range=FactorRange(factors=grid.row_factors[::-1], group_padding=0.25, range_padding=0),
        height=180 + CELL * len(grid.row_factors),
    )
    looks = {
        "fill_color": {"field": "value", "transform": colours},
        "hatch_pattern": "hatch",
        "hatch_color": style.MUTED,
        "hatch_alpha": 0.75,
        "hatch_scale": 7,
        "hatch_weight": 1,
    }
    cells = plot.rect(
        "column", "row", width=0.98, height=0.96, source=source, line_color=style.GRID, line_width=0.5, **looks
    )
    plot.text(
        "column",
        "row",
        text="text",
        text_color="ink",
        source=source,
        text_align="center",
        text_baseline="middle",
        text_font_size=style.TEXT,
    )
    _column_heads(plot)
    style.grouped_rows(plot)
    style.hover(
        plot,
        [cells],
        {
            grid.long_name: "@value_text",
            "state": "@reason",
            "source": model_text(cube)
            if variable.startswith(("predicted", "peak"))
            else source_text(cube.drop_vars("source_row", errors="ignore")),
        },
        heading="@configuration",
    )
    _colour_bar(plot, colours, low, high, grid)
    style.titled(plot, grid.title(), grid.notes())
    return plot


class _Grid:
    """The cells of a heatmap: values, states and labels."""

    def __init__(self, cube: xr.Dataset, variable: str) -> None:
        self._variable = variable
        self.factor, self.unit = scale_of(cube, variable)
        known = VARIABLES.get(variable)
        self.long_name = str(cube[variable].attrs.get("long_name", known.long_name if known else variable))
        array, self._reduced = _best_of(array_of(cube, variable), (*COLUMN_DIMS, *ROW_DIMS))
        why = cube.get("infeasible")
        if why is not None:
            why = why.isel({dim: 0 for dim in why.dims if dim not in array.dims})
        self._measured = variable.startswith(("measured", "power_", "efficiency", "energy_per", "inputs_per"))
        stacked = array.expand_dims({dim: [""] for dim in (*COLUMN_DIMS, *ROW_DIMS) if dim not in array.dims})
        stacked = stacked.transpose(*ROW_DIMS, *COLUMN_DIMS)
        reasons = (
            xr.zeros_like(stacked, dtype="i8")
            if why is None
            else why.broadcast_like(array)
            .expand_dims({dim: [""] for dim in (*COLUMN_DIMS, *ROW_DIMS) if dim not in array.dims})
            .transpose(*ROW_DIMS, *COLUMN_DIMS)
        )
        shape = (int(np.prod(stacked.shape[:3])), int(np.prod(stacked.shape[3:])))
        self.values = stacked.values.reshape(shape).astype("f8")
        self._why = reasons.values.reshape(shape).astype("i8")
        self._rows = [dict(zip(ROW_DIMS, labels, strict=True)) for labels in _label_product(stacked, ROW_DIMS)]
        self._columns = [dict(zip(COLUMN_DIMS, labels, strict=True)) for labels in _label_product(stacked, COLUMN_DIMS)]
        self._class_of = device_classes(cube)
        self._keep(cube)

    def _keep(self, cube: xr.Dataset) -> None:
        """Leave out networks that are not defined and modes that are not offered; order the columns by device class."""
        blank = np.isnan(self.values).all(axis=1)
        undefined = (self._why == INFEASIBLE["network_not_defined"]).any(axis=1)
        rows = np.flatnonzero(~(blank & (undefined | self._measured)))
        offered = np.flatnonzero(~(self._why == INFEASIBLE["mode_not_offered"]).all(axis=0))
        order = platform_order(cube, [column["platform"] for column in self._columns])
        offered = np.array(
            sorted(offered, key=lambda place: order.index(self._columns[place]["platform"])), dtype=np.intp
        )
        self.values, self._why = self.values[np.ix_(rows, offered)], self._why[np.ix_(rows, offered)]
        self._rows = [self._rows[place] for place in rows]
        self._columns = [self._columns[place] for place in offered]
        self.row_labels = [_heading(row, ROW_DIMS) or self._variable for row in self._rows]
        self.row_factors = [
            (_heading(row, ROW_DIMS[:2]) or " ", _heading(row, ROW_DIMS[2:]) or " ") for row in self._rows
        ]
        self.column_factors = [
            (self._class_of.get(column["platform"], " "), _head(str(column["platform"]), str(column["mode"])))
            for column in self._columns
        ]

    def state(self, row: int, column: int) -> str:
        """Return the look of a cell."""
        if not np.isnan(self.values[row, column]):
            return "known"
        why = int(self._why[row, column])
        if why in (INFEASIBLE["precision_not_supported"], INFEASIBLE["mode_not_offered"]):
            return "not supported"
        if why == INFEASIBLE["does_not_fit_memory"]:
            return "does not fit"
        return "not measured" if self._measured else "not known"

    def columns(self, low: float, high: float) -> dict[str, Any]:
        """Lay the cells out as columns of a source."""
        names = {code: name.replace("_", " ") for name, code in INFEASIBLE.items()}
        data: dict[str, list[Any]] = {
            name: []
            for name in (
                "row",
                "column",
                "value",
                "text",
                "ink",
                "hatch",
                "state",
                "reason",
                "configuration",
                "value_text",
            )
        }
        for row in range(len(self._rows)):
            for column, hardware in enumerate(self._columns):
                value, state = float(self.values[row, column]), self.state(row, column)
                untrained = state == "known" and int(self._why[row, column]) == INFEASIBLE["untrained"]
                data["row"].append(self.row_factors[row])
                data["column"].append(self.column_factors[column])
                data["value"].append(value)
                data["text"].append(short(value) + ("°" if untrained else "") if state == "known" else "")
                data["ink"].append("#000000" if np.log(value / low) > 0.5 * np.log(high / low) else "#ffffff")
                data["hatch"].append(LOOKS[state][0])
                data["state"].append(state)
                data["reason"].append(
                    "untrained: no accuracy known at this precision"
                    if untrained
                    else state
                    if state in ("known", "not measured", "not known")
                    else names[int(self._why[row, column])]
                )
                data["configuration"].append(
                    f"{hardware['platform']} {short_label('mode', hardware['mode'])}".strip()
                    + f" · {self.row_labels[row]}"
                )
                data["value_text"].append(with_unit(value, self.unit))
        return dict(data)

    def title(self) -> str:
        """Return where the best value is."""
        sense = sense_of(self._variable) or "max"
        best = np.nanargmax(self.values) if sense == "max" else np.nanargmin(self.values)
        row, column = np.unravel_index(int(best), self.values.shape)
        where = f"{self._columns[column]['platform']} {short_label('mode', self._columns[column]['mode'])}".strip()
        what = "Highest" if sense == "max" else "Lowest"
        value = with_unit(float(self.values[row, column]), self.unit)
        return f"{what} {self.long_name}: {value} ({where}, {self.row_labels[row]})"

    def notes(self) -> list[str]:
        """Explain the looks that occur."""
        states = {self.state(row, column) for row in range(len(self._rows)) for column in range(len(self._columns))}
        words = {
            "not supported": "hatched = not supported",
            "does not fit": "crossed = does not fit in memory",
            "not known": "dotted = not known",
            "not measured": "blank = not measured",
        }
        parts = [text for state, text in words.items() if state in states]
        if ((self._why == INFEASIBLE["untrained"]) & ~np.isnan(self.values)).any():
            parts.append("° = no network trained at that precision")
        if self._reduced:
            parts.append(f"best over {', '.join(self._reduced)}")
        return ["; ".join(parts)] if parts else []


def _heading(labels: dict[str, Any], dims: Sequence[str]) -> str:
    return " ".join(filter(None, (short_label(dim, labels[dim]) for dim in dims if labels[dim] != "")))


def _best_of(array: xr.DataArray, kept: Sequence[str]) -> tuple[xr.DataArray, list[str]]:
    reduced = [str(dim) for dim in array.dims if dim not in kept]
    if not reduced:
        return array, []
    return (array.min(reduced) if sense_of(str(array.name)) == "min" else array.max(reduced)), reduced


def _label_product(array: xr.DataArray, dims: Sequence[str]) -> list[tuple[Any, ...]]:
    labels = [array[dim].values.tolist() for dim in dims]
    places = np.indices([len(one) for one in labels]).reshape(len(labels), -1).T
    return [tuple(labels[axis][place] for axis, place in enumerate(row)) for row in places.tolist()]


def device_classes(cube: xr.Dataset) -> dict[str, str]:
    """Return the device class of each platform, where the cube knows it."""
    if "device_class" not in cube.coords or "platform" not in cube.coords:
        return {}
    return dict(
        zip(
            np.atleast_1d(cube["platform"].values).tolist(),
            np.atleast_1d(cube["device_class"].values).tolist(),
            strict=True,
        )
    )


def _column_heads(plot: Any) -> None:
    axis = plot.xaxis[0]
    plot.below, plot.above = [], [axis, *plot.above]
    axis.group_text_font_size, axis.group_text_color, axis.group_text_font_style = "13px", style.INK, "bold"
    axis.separator_line_color = style.GRID
    axis.major_tick_line_color = None
    plot.grid.grid_line_color = None


def _head(platform: str, mode: str) -> str:
    """Break a column's head into short lines."""
    return "\n".join(filter(None, (platform.replace("-", "-\n", 1), short_label("mode", mode))))


def _colour_bar(plot: Any, colours: Any, low: float, high: float, grid: _Grid) -> None:
    bar = ColorBar(
        color_mapper=colours,
        ticker=FixedTicker(ticks=style.decades(low, high)),
        title=f"{grid.unit}",
        width=14,
        padding=6,
        major_label_text_font_size=style.TEXT,
        title_text_font_size=style.TEXT,
        title_text_font_style="normal",
        major_label_text_color=style.INK,
        title_text_color=style.INK,
        background_fill_color=style.SURFACE,
        title_standoff=10,
    )
    style.plain_ticks(bar)
    plot.add_layout(bar, "right")
