"""Figures in a page: drawn by roofcube.plot, embedded together with the scripts they need; nothing from the network."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from roofcube.errors import RoofcubeError
from roofcube.page.content import Drawing
from roofcube.vocabulary import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl
    import xarray as xr

__all__ = ["draw", "embed"]


def draw(
    data: xr.Dataset | pl.DataFrame, name: str, description: str, *, key: str = "", view: str = "", **options: Any
) -> Drawing | str:
    """Draw a figure of `roofcube.plot`, or say why the data have none."""
    from roofcube import plot

    spoken = name.replace("_", " ")
    try:
        drawn, models = _as_bokeh(getattr(plot, name)(data, **options))
        fault = _fault_of(models)
        if fault:
            return f"The figure “{spoken}” is left out: {fault}"
    except RoofcubeError as error:
        return f"The figure “{spoken}” is left out: {_in_words(str(error))}"
    except Exception as error:
        return f"The figure “{spoken}” could not be drawn from this cube ({type(error).__name__}: {error})"
    from roofcube.page.toggles import labels_of_marks

    key = key or name.replace("_", "-")
    return Drawing(key, drawn, description, view, _titles_of(models), labels_of_marks(models))


def _in_words(fault: str) -> str:
    """Write variables by what they mean: a reader of a page knows no names of columns."""
    return re.sub(
        r"`?\b(\w+_\w+|top\d)\b`?",
        lambda name: f"“{VARIABLES[name[1]].long_name}”" if name[1] in VARIABLES else name[0],
        fault,
    )


def _as_bokeh(drawn: Any) -> tuple[Any, set[Any]]:
    """Render a figure; return its root and all of its models."""
    from bokeh.model import Model

    from roofcube.plot.drawing.elements import rendered

    root = drawn if isinstance(drawn, Model) else rendered(drawn)
    models = root.references()  # once: each search of a figure walks all of its models, a tenth of what drawing takes
    _see_through(models)
    _never_selected(models)
    return root, models


def _titles_of(models: Iterable[Any]) -> str:
    """Return what the titles of a figure say, for those who cannot see it."""
    from bokeh.models import Plot

    titles = {one.name: one.title.text for one in models if isinstance(one, Plot) and one.title is not None}
    return "; ".join(" ".join(titles[name].split()) for name in sorted(titles, key=str) if titles[name].strip())


def _see_through(models: Iterable[Any]) -> None:
    """Let the page's own surface show: a filled canvas keeps a light edge when the reader's scheme turns it dark."""
    from bokeh.models import Plot

    for plot in (one for one in models if isinstance(one, Plot)):
        plot.update(border_fill_color=None, background_fill_color=None)


def _never_selected(models: Iterable[Any]) -> None:
    """Leave out how marks look that are selected, muted or under the pointer: on a page none of this can happen."""
    from bokeh.models import GlyphRenderer

    for one in (one for one in models if isinstance(one, GlyphRenderer)):
        one.update(selection_glyph=None, nonselection_glyph=None, muted_glyph=None)


def _fault_of(models: Iterable[Any]) -> str:
    """Return what a browser would stumble over: rows of an axis that have the same name."""
    from bokeh.core.validation import check_integrity
    from bokeh.models import FactorRange

    issues = check_integrity([one for one in models if isinstance(one, FactorRange)])
    return "; ".join(f"{issue.text} ({issue.extra})" for issue in issues.error)[:300]


MAKER = "_make_func"  # of BokehJS: what makes a function of the text of a formatter
PLACE = '<div id="{place}" data-root-id="{root}" style="display: contents;"></div>'
# All figures are one document. Should one of them fail in the browser, each is embedded again alone, and that which
# fails is replaced by a note.
# Ticks are written by a function of the page, where BokehJS would make one of their text: no text need become code.
EMBED = """
(() => {
  const docs = DOCS, items = ITEMS, plain = PLAIN;
  const formatter = Bokeh.Models.get("CustomJSTickFormatter").prototype, make = formatter.MAKER;
  formatter.MAKER = function () { return this.code === plain ? (tick) => {PLAIN_CODE} : make.call(this); };
  const note = (place, error) => {
    const text = document.createElement("p");
    text.className = "missing";
    text.textContent = `This figure cannot be shown: ${error.message ?? error}`;
    document.getElementById(place)?.replaceChildren(text);
  };
  const alone = async () => {
    for (const {docid} of items) for (const root of docs[docid].roots) {
      const place = items.find((item) => item.docid === docid).roots[root.id];
      document.getElementById(place)?.replaceChildren();
      try {
        const only = {docid, roots: {[root.id]: place}, root_ids: [root.id]};
        await Bokeh.embed.embed_items({[docid]: {...docs[docid], roots: [root]}}, [only]);
      } catch (error) { note(place, error); }
    }
  };
  const start = async () => {
    try { await Bokeh.embed.embed_items(docs, items); } catch { await alone(); }
    document.dispatchEvent(new Event("drawn"));
  };
  if (document.readyState !== "loading") start(); else document.addEventListener("DOMContentLoaded", start);
})();
"""


class Embedded(NamedTuple):
    """Figures of a page: their data as a script, a place for each, the parts of BokehJS, whether text becomes code."""

    script: str = ""
    places: Mapping[str, str] = MappingProxyType({})
    libraries: tuple[str, ...] = ()
    makes_code: bool = False


def embed(drawings: Sequence[Drawing]) -> Embedded:
    """Write the figures for a page."""
    from bokeh.core.json_encoder import serialize_json
    from bokeh.document import Document
    from bokeh.embed.util import RenderItem
    from bokeh.util.serialization import make_globally_unique_css_safe_id, make_globally_unique_id

    from roofcube.page.written import writer_of_models
    from roofcube.plot.drawing.style import PLAIN

    if not drawings:
        return Embedded()
    # the figures join no document: Bokeh would walk all their models three times more (1.3 s of CPU on a page)
    writer, name = writer_of_models(), make_globally_unique_id()
    content = Document().to_json(deferred=False)
    docs = {name: {**content, "roots": writer.encode([drawing.drawn for drawing in drawings])}}
    item = RenderItem(name, roots={drawing.drawn: make_globally_unique_css_safe_id() for drawing in drawings}).to_json()
    # inside JSON a < stands in texts only; as an escape it can neither end the script nor open a comment
    parts = (("PLAIN", PLAIN), ("ITEMS", [item]), ("DOCS", docs))
    script = EMBED.replace("MAKER", MAKER).replace("PLAIN_CODE", PLAIN)
    for name, part in parts:
        script = script.replace(name, serialize_json(part).replace("<", "\\u003c"), 1)
    ids = {drawing.key: drawing.drawn.id for drawing in drawings}
    put = {key: PLACE.format(place=item["roots"][root], root=root) for key, root in ids.items()}
    libraries = _scripts(writer.models)
    written = [one for one in writer.models if getattr(one, "code", PLAIN) != PLAIN]
    return Embedded(script, put, libraries, bool(written) or not any(MAKER in one for one in libraries))


def _scripts(models: Iterable[Any]) -> tuple[str, ...]:
    """Return the parts of BokehJS that models need, as text."""
    from bokeh.resources import Resources

    models = list(models)
    kinds = {type(model) for model in models}
    modules = {kind.__module__ for kind in kinds}
    parts = ["bokeh"]
    if any(module.startswith("bokeh.models.widgets") for module in modules):
        parts.append("bokeh-widgets")
    if any(module.startswith("bokeh.models.widgets.tables") for module in modules):
        parts.append("bokeh-tables")
    if any(getattr(model, "output_backend", "") == "webgl" for model in models):
        parts.append("bokeh-gl")
    return tuple(str(script) for script in Resources(mode="inline", components=parts).js_raw)
