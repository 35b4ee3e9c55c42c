"""Figures with a mark per cell: coloured by platform, shaped by device class, hollow where in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.plot import style
from roofcube.plot.tables import labels_in_order, platform_order
from roofcube.plot.toggles import Toggles

if TYPE_CHECKING:
    import xarray as xr

    from roofcube.plot.tables import Columns

__all__ = ["draw_points", "point_columns", "point_toggles"]

FIELDS = ("platform", "precision", "topology", "configuration", "flags", "source")


def point_toggles(name: str, cube: xr.Dataset, table: Columns) -> Toggles:
    """Make the buttons of a figure of points: those of platforms are its legend."""
    toggles = Toggles(name)
    colours = style.platform_colours(platform_order(cube, table["platform"]))
    symbols = {
        one: style.class_symbol(kind) for one, kind in zip(table["platform"], table["device_class"], strict=True)
    }
    toggles.field("platform", "Platform", list(colours), colours=colours, symbols=symbols)
    for field, title in (("precision", "Precision"), ("topology", "Network")):
        if field in table:
            toggles.field(field, title, [str(one) for one in labels_in_order(cube, field, table[field].tolist())])
    return toggles


def point_columns(
    cube: xr.Dataset,
    table: Columns,
    x: np.ndarray[Any, Any],
    y: np.ndarray[Any, Any],
    doubtful: np.ndarray[Any, Any],
    *,
    size: float,
) -> dict[str, Any]:
    """Lay out a row per mark: its place, its look, and what toggles and tooltips ask for."""
    colours = style.platform_colours(platform_order(cube, table["platform"]))
    return {
        **{name: table[name] for name in FIELDS if name in table},
        "x": x,
        "y": y,
        "colour": [colours[one] for one in table["platform"]],
        "marker": [style.class_marker(one) for one in table["device_class"]],
        "size": [style.marker_size(one, size) for one in table["device_class"]],
        "filled": np.where(doubtful, 0.0, 0.85),
    }


def draw_points(plot: Any, source: Any, view: Any) -> Any:
    """Draw the marks of a source made of `point_columns`."""
    return plot.scatter(
        "x",
        "y",
        source=source,
        view=view,
        marker="marker",
        size="size",
        line_color="colour",
        fill_color="colour",
        fill_alpha="filled",
        line_width=1.3,
    )
