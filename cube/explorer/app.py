"""explore: the Panel app of a cube, a control for each dim; served on this machine only."""

from __future__ import annotations

import json
import socket
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import panel as pn
from bokeh.models import CustomJSTickFormatter

from roofcube.errors import InvalidDataError, RoofcubeError
from roofcube.explorer.cells import (
    default_axes,
    default_objectives,
    default_variable,
    dims_in_order,
    label_texts,
    measures,
    numeric_measures,
    spaced,
    unit_of,
)
from roofcube.explorer.figures import figures
from roofcube.inert import with_inert_labels
from roofcube.measured.join import benchmark
from roofcube.model.offered import as_product, is_offered, product_bytes
from roofcube.wording import title_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Explorer", "explore", "serve"]

MOST_BYTES = 200e6  # of a cube of offers that is laid out by platform, mode and precision
CONTROL_WIDTH = 240
SIDE_STYLE = """
:host { font-size: 14px; --design-primary-color: #0072b2; }
label, .bk-input-group label { font-size: 13px; color: var(--rc-muted, #5c6570); }
"""
PAGE_STYLE = """
body { margin: 0; background: #fff; }
"""


def explore(cube: xr.Dataset) -> Explorer:
    """Explore a cube: one control for each dim, any two of them on the axes of a heatmap, the Pareto front beside it.

    Parameters
    ----------
    cube : Dataset
        Any cube with at least two dims and two numeric variables.

    Returns
    -------
    Explorer
        A Panel object: shown by a notebook, or by ``.show()``; ``.servable()`` in a script for ``panel serve``. Every
        view of it has controls of its own.

    Raises
    ------
    InvalidDataError
        If the cube has fewer than two dims or no numeric variable.

    Examples
    --------
    >>> import roofcube as rc
    >>> app = rc.explore(rc.benchmark("mnist"))
    >>> sorted(app.controls)[:3]
    ['batch', 'layer', 'mode']
    """
    return Explorer(cube)


class Explorer(pn.viewable.Viewer):  # type: ignore[misc]
    """The app of `explore`: `controls` holds a widget for each dim, `choices` those of the axes and variables."""

    def __init__(self, cube: xr.Dataset, **params: Any) -> None:
        super().__init__(**params)
        # of many platforms what is offered stays one axis
        cube = as_product(cube) if is_offered(cube) and product_bytes(cube) < MOST_BYTES else cube
        if len(cube.dims) < 2 or not numeric_measures(cube):
            msg = (
                f"`cube`: expected at least two dims and a numeric variable, got "
                f"{', '.join(map(str, cube.dims)) or 'no dims'}; pass a cube of predict or benchmark"
            )
            raise InvalidDataError(msg)
        self._cube = with_inert_labels(cube)
        self.choices = _selectors(self._cube)
        self.controls = _controls(self._cube)

    def __panel__(self) -> Any:
        """Lay the app out; each session gets figures of its own."""
        heading = title_of(self._cube)
        shown = pn.bind(
            self._figures, **self.choices, **{f"dim_{dim}": widget for dim, widget in self.controls.items()}
        )
        side = pn.Column(
            pn.pane.HTML("<b>Show</b>", margin=(0, 10)),
            *self.choices.values(),
            pn.pane.HTML("<b>Keep</b>", margin=(14, 10, 0, 10)),
            *self.controls.values(),
            width=270,
            stylesheets=[SIDE_STYLE],
        )
        title = pn.pane.HTML(
            f"<h1 style='margin:0;font-size:22px;line-height:1.3'>{escape(heading)}</h1>", margin=(0, 10, 12, 10)
        )
        main = pn.Column(
            title, pn.panel(shown, loading_indicator=True, sizing_mode="stretch_width"), sizing_mode="stretch_width"
        )
        return pn.Row(
            side,
            main,
            margin=(16, 20),
            sizing_mode="stretch_width",
            stylesheets=[":host { font-family: system-ui, sans-serif; }"],
        )

    def _figures(self, variable: str, columns: str, rows: str, how: str, x: str, y: str, **kept: Any) -> Any:
        keep = {
            name.removeprefix("dim_"): _positions_kept(self._cube, name.removeprefix("dim_"), value)
            for name, value in kept.items()
        }
        try:
            return pn.pane.Bokeh(
                figures(self._cube, variable, columns, rows, how, x, y, keep), sizing_mode="stretch_width"
            )
        except RoofcubeError as error:
            return pn.pane.Alert(escape(str(error)), alert_type="warning")


def serve(task_or_cube: str | xr.Dataset, *, port: int = 0, show: bool = True, as_json: bool = False) -> None:
    """Serve the explorer on 127.0.0.1 until interrupted; a free port where none is given."""
    cube = benchmark(task_or_cube) if isinstance(task_or_cube, str) else task_or_cube
    explore(cube)
    chosen = port or _free_port()
    address = f"http://127.0.0.1:{chosen}"
    print(json.dumps({"address": address}) if as_json else address, flush=True)
    pn.config.raw_css = [PAGE_STYLE]
    pn.serve(
        lambda: explore(cube),
        address="127.0.0.1",
        port=chosen,
        websocket_origin=[f"127.0.0.1:{chosen}", f"localhost:{chosen}"],
        show=show,
        title="roofcube explorer",
        verbose=False,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# controls -------------------------------------------------------------------------------------------------------------


def _selectors(cube: xr.Dataset) -> dict[str, Any]:
    dims, (columns, rows), (x, y) = dims_in_order(cube), default_axes(cube), default_objectives(cube)
    select = partial(pn.widgets.Select, width=CONTROL_WIDTH)
    return {
        "variable": select(
            name="Colour",
            options={spaced(name): name for name in measures(cube)},
            value=default_variable(cube),
        ),
        "columns": select(name="Columns", options=dims, value=columns),
        "rows": select(name="Rows", options=dims, value=rows),
        "how": select(
            name="Over the other dims",
            options={"the best": "best", "the median": "median", "how many values": "count"},
            value="best",
        ),
        "x": select(name="Front: horizontal", options={spaced(name): name for name in numeric_measures(cube)}, value=x),
        "y": select(name="Front: vertical", options={spaced(name): name for name in numeric_measures(cube)}, value=y),
    }


def _controls(cube: xr.Dataset) -> dict[str, Any]:
    """Make a control for each dim: choose labels of a short one, a range of a long one."""
    return {dim: _control(cube, dim) for dim in dims_in_order(cube)}


def _control(cube: xr.Dataset, dim: str) -> Any:
    labels = label_texts(cube, dim)
    if len(labels) > 40:
        # the slider moves over places; what it shows are their labels, read as HTML
        shown = [escape(label) for label in labels]
        return pn.widgets.IntRangeSlider(
            name=escape(f"{dim} ({unit_of(cube, dim)})" if unit_of(cube, dim) else dim),
            start=0,
            end=len(labels) - 1,
            format=CustomJSTickFormatter(args={"labels": shown}, code="return labels[Math.round(tick)]"),
            width=CONTROL_WIDTH,
        )
    return pn.widgets.MultiChoice(
        name=escape(dim),
        # the browser reads an option as HTML
        options={escape(label): label for label in labels},
        value=[],
        placeholder=f"all {len(labels)}" if len(labels) > 1 else labels[0] if labels else "none",
        width=CONTROL_WIDTH,
    )


def _positions_kept(cube: xr.Dataset, dim: str, value: Any) -> list[int]:
    """Turn what a control says into places along its dim; none means all."""
    if isinstance(value, tuple):
        return list(range(value[0], value[1] + 1))
    labels = label_texts(cube, dim)
    return [place for place, label in enumerate(labels) if label in value]
