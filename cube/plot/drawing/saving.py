"""Write a figure to a file: HTML that needs no network, PNG and SVG by the Chromium program alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roofcube.disk import path_of, replacing
from roofcube.errors import InvalidDataError, MissingExtraError
from roofcube.plot.drawing.elements import load, rendered

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["save"]

KINDS = (".html", ".htm", ".png", ".svg")
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
OPTIONS = ("--headless", "--hide-scrollbars", "--disable-gpu", "--virtual-time-budget=5000")
PATIENCE = 90  # seconds
PAGE = (
    '<!DOCTYPE html><html><head><meta charset="utf-8"><title>{title}</title></head>'
    '<body style="margin:0;background:#fff">{place}{libraries}<script>{script}</script>{after}</body></html>'
)
# BokehJS draws all plots of a layout into one SVG, which the dump of the page then holds as text
EXPORT = """<script>(() => {
  const write = () => {
    const view = Bokeh.index && (Bokeh.index.roots ?? Object.values(Bokeh.index))[0];
    if (!view || !view.has_finished()) return setTimeout(write, 30);
    const text = document.createElement("script");
    text.type = "text/plain"; text.id = "svg";
    text.textContent = view.export("svg", false).ctx.get_serialized_svg(true);
    document.body.append(text);
  };
  setTimeout(write, 100);
})();</script>"""


def save(figure: Any, path: str | Path, *, scale: float = 2.0) -> Path:
    """Write a figure as HTML, PNG or SVG, by the ending of the name.

    Parameters
    ----------
    figure : HoloViews object
        What a function of `roofcube.plot` returns, or a composition of such.
    path : str or Path
        Ends in ``.html``, ``.png`` or ``.svg``. An existing file is replaced when the new one is complete.
    scale : float
        Pixels of a PNG per pixel of the figure.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidDataError
        If the figure is no HoloViews object, or the ending is none of these.
    MissingExtraError
        If there is no Chromium (or Chrome) for PNG and SVG; HTML needs none.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import roofcube as rc
    >>> figure = rc.plot.peaks(rc.inputs("mnist"))
    >>> rc.plot.save(figure, pathlib.Path(tempfile.mkdtemp()) / "peaks.html").name
    'peaks.html'
    """
    target, hv = path_of(path), load()
    kind = target.suffix.lower()
    if kind not in KINDS:
        msg = f"`path`: expected a name ending in {', '.join(KINDS)}, got {target.name!r}; rename it"
        raise InvalidDataError(msg)
    if not isinstance(figure, hv.core.Dimensioned):
        msg = (
            f"`figure`: expected what a function of roofcube.plot returns, got {type(figure).__name__}; draw one first"
        )
        raise InvalidDataError(msg)
    model = rendered(figure)
    if kind in (".html", ".htm"):
        with replacing(target) as temporary:
            temporary.write_text(_page(model, target.stem), encoding="utf-8")
        return target
    program = _program()
    for plot in _plots(model):
        plot.update(output_backend="svg" if kind == ".svg" else "canvas", toolbar_location=None)
    with tempfile.TemporaryDirectory() as folder, replacing(target) as temporary:
        source, picture = Path(folder) / "page.html", Path(folder) / f"picture{kind}"
        source.write_text(_page(model, target.stem, EXPORT if kind == ".svg" else ""), encoding="utf-8")
        if kind == ".svg":
            found = re.search(r'id="svg">(.*?)</script>', _run(program, source, ["--dump-dom"]), re.DOTALL)
            picture.write_text(found[1] if found else "", encoding="utf-8")
        else:
            size = "{},{}".format(*_pixels(model))
            look = f"--window-size={size}", f"--force-device-scale-factor={scale}", f"--screenshot={picture}"
            _run(program, source, look)
        if not picture.exists() or not picture.stat().st_size:
            msg = f"`path`: {Path(program).name} wrote no {kind[1:].upper()}; save HTML and export it from the toolbar"
            raise MissingExtraError(msg)
        shutil.copyfile(picture, temporary)
    return target


def _page(model: Any, title: str, after: str = "") -> str:
    from html import escape

    from bokeh.embed import components
    from bokeh.resources import Resources

    # `file_html` would ask for scripts of Panel's, which HoloViews loads and no figure needs
    script, place = components(model, wrap_script=False)
    parts = Resources(mode="inline", components=["bokeh", "bokeh-widgets"]).js_raw
    libraries = "".join(f"<script>{part}</script>" for part in parts)
    # inside the data a < stands in texts only; as an escape it cannot end the script
    safe = script.replace("</", "\\u003c/").replace("<!--", "\\u003c!--")
    return PAGE.format(title=escape(title), place=place, libraries=libraries, script=safe, after=after)


def _program() -> str:
    if program := next(filter(None, map(shutil.which, PROGRAMS)), None):
        return program
    msg = "`path`: PNG and SVG need the program chromium (or Chrome) and there is none; install it, or save as .html"
    raise MissingExtraError(msg)


def _run(program: str, page: Path, arguments: Sequence[str]) -> str:
    # Chromium refuses to sandbox itself for root; the page is our own and loads nothing
    own = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [program, *OPTIONS, f"--user-data-dir={page.parent}/profile", *own, *arguments, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False).stdout


def _plots(model: Any) -> list[Any]:
    from bokeh.models import Plot

    return list(model.select({"type": Plot}))


def _pixels(model: Any) -> tuple[int, int]:
    """Return the pixels that a figure takes, its panels side by side and below one another."""
    from bokeh.models import GridPlot

    plots = _plots(model)
    grids = list(model.select({"type": GridPlot}))
    if not grids:
        return (plots[0].width, plots[0].height) if plots else (getattr(model, "width", None) or 1100, 1200)
    places = grids[0].children
    rows = [[plot for plot, place, *_ in places if place == row] for row in {row for _, row, *_ in places}]
    width = max(sum(plot.width for plot in row) for row in rows)
    return width, sum(max(plot.height for plot in row) for row in rows) + 40
