"""A front as a staircase: what is reached at a point holds up to the next one."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource

__all__ = ["draw_staircase"]


def draw_staircase(
    plot: Any,
    x: np.ndarray[Any, Any],
    y: np.ndarray[Any, Any],
    *,
    name: str,
    sense_x: str,
    colour: str,
    width: float = 2,
    dash: str = "solid",
) -> Any:
    """Draw the distinct points of a front from left to right, joined by steps; give the source."""
    corners = np.unique(np.column_stack([x, y]), axis=0)
    source = ColumnDataSource({"x": corners[:, 0], "y": corners[:, 1]}, name=name)
    # with more x better, what is reached at the right of a step holds all along it
    mode = "before" if sense_x == "max" else "after"
    plot.step("x", "y", source=source, mode=mode, line_color=colour, line_width=width, line_dash=dash)
    return source
