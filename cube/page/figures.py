"""Figures in a page: drawn by roofcube.plot, embedded together with the scripts they need; nothing from the network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from roofcube.errors import RoofcubeError
from roofcube.page.content import Drawing
from roofcube.vocabulary import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl
    import xarray as xr

__all__ = ["draw", "embed"]


def draw(
    data: xr.Dataset | pl.DataFrame, name: str, description: str, *, key: str = "", **options: Any
) -> Drawing | str:
    """Draw a figure of `roofcube.plot`, or say why the data have none."""
    from roofcube import plot

    spoken = name.replace("_", " ")
    try:
        drawn, fault = _as_bokeh(getattr(plot, name)(data, **options), data, key.replace("-", "_") or name)
        if fault:
            return f"The figure “{spoken}” is left out: {fault}"
    except RoofcubeError as error:
        return f"The figure “{spoken}” is left out: {_in_words(str(error))}"
    except Exception as error:
        return f"The figure “{spoken}” could not be drawn from this cube ({type(error).__name__}: {error})"
    return Drawing(key or name.replace("_", "-"), drawn, description)


def _in_words(fault: str) -> str:
    """Write variables by what they mean: a reader of a page knows no names of columns."""
    return re.sub(
        r"`?\b(\w+_\w+|top\d)\b`?",
        lambda name: f"“{VARIABLES[name[1]].long_name}”" if name[1] in VARIABLES else name[0],
        fault,
    )


def _as_bokeh(drawn: Any, data: Any, name: str) -> tuple[Any, str]:
    """Render a figure and lay its buttons out above it; tell what a browser would stumble over."""
    from bokeh.model import Model

    from roofcube.page.toggles import with_toggles
    from roofcube.plot.drawing.elements import rendered

    plain = isinstance(drawn, Model)
    root = drawn if plain else rendered(drawn)
    models = root.references()  # once: each search of a figure walks all of its models, a tenth of what drawing takes
    _see_through(models)
    _never_selected(models)
    laid_out = root if plain else with_toggles(root, data, name=name, models=models)
    return laid_out, _fault_of(models)


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


PLACE = '<div id="{place}" data-root-id="{root}" style="display: contents;"></div>'
# All figures are one document. Should one of them fail in the browser, each is embedded again alone, and that which
# fails is replaced by a note.
EMBED = """
(() => {
  const docs = DOCS, items = ITEMS;
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
  const start = async () => { try { await Bokeh.embed.embed_items(docs, items); } catch { await alone(); } };
  if (document.readyState !== "loading") start(); else document.addEventListener("DOMContentLoaded", start);
})();
"""


def embed(drawings: Sequence[Drawing]) -> tuple[str, dict[str, str], list[str]]:
    """Return one script with the data of all figures, a place in the page for each, and the parts of BokehJS."""
    from bokeh.core.json_encoder import serialize_json
    from bokeh.document import Document
    from bokeh.embed.util import RenderItem
    from bokeh.util.serialization import make_globally_unique_css_safe_id, make_globally_unique_id

    from roofcube.page.written import writer_of_models

    if not drawings:
        return "", {}, []
    # the figures join no document: Bokeh would walk all their models three times more (1.3 s of CPU on a page)
    writer, name = writer_of_models(), make_globally_unique_id()
    content = Document().to_json(deferred=False)
    docs = {name: {**content, "roots": writer.encode([drawing.drawn for drawing in drawings])}}
    item = RenderItem(name, roots={drawing.drawn: make_globally_unique_css_safe_id() for drawing in drawings}).to_json()
    # inside JSON a < stands in texts only; as an escape it can neither end the script nor open a comment
    texts = {name: serialize_json(part).replace("<", "\\u003c") for name, part in (("DOCS", docs), ("ITEMS", [item]))}
    script = EMBED.replace("ITEMS", texts["ITEMS"]).replace("DOCS", texts["DOCS"])
    ids = {drawing.key: drawing.drawn.id for drawing in drawings}
    put = {key: PLACE.format(place=item["roots"][root], root=root) for key, root in ids.items()}
    return script, put, _scripts(writer.models)


def _scripts(models: Iterable[Any]) -> list[str]:
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
    return [str(script) for script in Resources(mode="inline", components=parts).js_raw]
