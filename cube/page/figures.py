"""Figures in a page: drawn by roofcube.plot, embedded together with the scripts they need; nothing from the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roofcube.errors import RoofcubeError
from roofcube.page.content import Drawing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl
    import xarray as xr

__all__ = ["draw", "embed", "scripts"]


def draw(
    data: xr.Dataset | pl.DataFrame, name: str, description: str, *, key: str = "", **options: Any
) -> Drawing | str:
    """Draw a figure of `roofcube.plot`, or say why the data have none."""
    from roofcube import plot

    try:
        drawn = getattr(plot, name)(data, **options)
    except RoofcubeError as error:
        return f"The figure “{name.replace('_', ' ')}” is left out: {error}"
    return Drawing(key or name.replace("_", "-"), _see_through(_as_bokeh(drawn)), description)


def _see_through(drawn: Any) -> Any:
    """Let the page's own surface show: a filled canvas keeps a light edge when the reader's scheme turns it dark."""
    from bokeh.models import Plot

    for plot in drawn.select({"type": Plot}):
        plot.update(border_fill_color=None, background_fill_color=None)
    return drawn


def _as_bokeh(drawn: Any) -> Any:
    from bokeh.model import Model

    if isinstance(drawn, Model):
        return drawn
    import holoviews

    return holoviews.render(drawn, backend="bokeh")


def embed(drawings: Sequence[Drawing]) -> tuple[str, dict[str, str]]:
    """Return one script with the data of all figures, and a place in the page for each."""
    from bokeh.document import Document
    from bokeh.embed import components

    if not drawings:
        return "", {}
    # one document from the start: figures added one by one are walked again each time (1.5 s of CPU on a page)
    document = Document()
    with document.models.freeze():
        for drawing in drawings:
            document.add_root(drawing.drawn)
    script, places = components({drawing.key: drawing.drawn for drawing in drawings}, wrap_script=False)
    return script.replace("</", "<\\/"), dict(places)


def scripts(drawings: Iterable[Drawing]) -> list[str]:
    """Return the parts of BokehJS that these figures need, as text."""
    from bokeh.resources import Resources

    kinds = {type(model) for drawing in drawings for model in drawing.drawn.references()}
    modules = {kind.__module__ for kind in kinds}
    parts = ["bokeh"]
    if any(module.startswith("bokeh.models.widgets") for module in modules):
        parts.append("bokeh-widgets")
    if any(module.startswith("bokeh.models.widgets.tables") for module in modules):
        parts.append("bokeh-tables")
    if any(
        getattr(model, "output_backend", "") == "webgl" for drawing in drawings for model in drawing.drawn.references()
    ):
        parts.append("bokeh-gl")
    return [str(script) for script in Resources(mode="inline", components=parts).js_raw]
