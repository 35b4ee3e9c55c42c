"""Figures with a row per configuration: rows grouped by platform, buttons that take rows out; no cube arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import FactorRange

from roofcube.plot import style
from roofcube.plot.tables import labels_in_order, labels_of, platform_order, ranks, several, sorted_rows
from roofcube.plot.toggles import Toggles
from roofcube.variables import CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from roofcube.plot.tables import Columns

__all__ = ["by_configuration", "row_figure", "row_toggles"]

ROW = 20  # pixels a row takes


def by_configuration(
    cube: xr.Dataset, table: Columns, order: np.ndarray[Any, Any], *, own: Sequence[str] = ()
) -> Columns:
    """Sort rows by platform, then best first; add `row`, the factor of the categorical axis."""
    shown = [
        name
        for name in ("mode", "precision", "topology", "pruning")
        if name in table and (name in ("mode", "precision") or several(table, name))
    ]
    table = sorted_rows(table, ranks(cube, table, "platform"), order)
    labels = labels_of(table, (*CONFIGURATION, *own), shown=(*shown, *own))
    rows = np.empty(len(labels), dtype=object)
    rows[:] = [(str(platform), label or " ") for platform, label in zip(table["platform"], labels, strict=True)]
    return {**table, "row": rows}


def row_figure(
    name: str, rows: list[tuple[str, str]], *, x_label: str, x_range: tuple[float, float], x_log: bool
) -> Any:
    """Start a figure with a row per configuration, grouped by platform."""
    factors = list(dict.fromkeys(rows))[::-1]
    groups = len({platform for platform, _ in factors})
    plot = style.frame(
        name=name,
        x_label=x_label,
        x_range=x_range,
        x_log=x_log,
        y_range=FactorRange(factors=factors, group_padding=0.7, factor_padding=0.0, range_padding=0.02),
        height=150 + ROW * len(factors) + 14 * groups,
    )
    style.grouped_rows(plot)
    return plot


def row_toggles(name: str, cube: xr.Dataset, table: Columns) -> Toggles:
    """Make the buttons of a figure with a row per configuration."""
    toggles = Toggles(name)
    toggles.field("platform", "Platform", platform_order(cube, table["platform"].tolist()))
    for field, title in (("precision", "Precision"), ("topology", "Network")):
        if field in table:
            toggles.field(field, title, [str(one) for one in labels_in_order(cube, field, table[field].tolist())])
    return toggles
