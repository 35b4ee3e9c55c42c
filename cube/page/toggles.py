"""The buttons of a page: one row a field, over all figures; what they do is in figures.js."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roofcube.inert import with_inert_labels
from roofcube.page.content import Field, Option
from roofcube.plot.drawing import style
from roofcube.plot.drawing.points import palette_of, shapes_of
from roofcube.plot.drawing.tables import TOGGLED, device_classes, labels_in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import xarray as xr

    from roofcube.page.content import Drawing

__all__ = ["fields_of", "labels_of_marks"]

TITLES = {"platform": "Platform", "device_class": "Class", "precision": "Precision", "topology": "Network"}
MOST = 60  # buttons in a row


def labels_of_marks(models: Iterable[Any]) -> dict[str, frozenset[str]]:
    """Return the labels that marks can be switched by, of each field."""
    from bokeh.models import BooleanFilter, GlyphRenderer

    drawn = [one for one in models if isinstance(one, GlyphRenderer) and isinstance(one.view.filter, BooleanFilter)]
    held = [one.data_source.data for one in drawn]
    return {field: frozenset(str(label) for data in held for label in data.get(field, ())) for field in TOGGLED}


def fields_of(cube: xr.Dataset, drawings: Sequence[Drawing]) -> tuple[Field, ...]:
    """Make the rows of buttons: of each field of which the marks have several labels."""
    found, cube = {}, with_inert_labels(cube)
    for field in TOGGLED:
        marked = frozenset[str]().union(*(drawing.marked.get(field, ()) for drawing in drawings))
        held = set(map(str, cube[field].values.ravel())) if field in cube.coords else marked
        found[field] = [str(label) for label in labels_in_order(cube, field, marked & held) if str(label)]
    options = {field: tuple(Option(label, label) for label in labels) for field, labels in found.items()}
    options |= {
        "platform": _platform_buttons(cube, found["platform"]),
        "device_class": _class_buttons(cube, found["platform"]),
    }
    rows = {key: options[key] for key in TITLES if len(options[key]) > 1}
    return tuple(
        Field(key, TITLES[key], row if len(row) <= MOST else (), f"{len(row)} labels are too many for buttons")
        for key, row in rows.items()
    )


def _platform_buttons(cube: xr.Dataset, labels: Sequence[str]) -> tuple[Option, ...]:
    """Make the buttons of platforms, which are the key of marks coloured by them."""
    colours = palette_of(cube, labels)
    markers = shapes_of(cube, {**dict.fromkeys(labels, ""), **device_classes(cube)})
    return tuple(Option(label, f"{style.SYMBOLS[markers[label]]} {label}", colours[label]) for label in labels)


def _class_buttons(cube: xr.Dataset, platforms: Sequence[str]) -> tuple[Option, ...]:
    class_of = {str(platform): str(kind) for platform, kind in device_classes(cube).items()}
    members: dict[str, list[str]] = {}
    for platform in platforms:
        members.setdefault(class_of.get(platform, ""), []).append(platform)
    markers = {kind: style.SYMBOLS[style.CLASS_MARKERS.get(kind, "hex")] for kind in members}
    return tuple(
        Option(kind, f"{markers[kind]} {kind}", platforms=tuple(held)) for kind, held in members.items() if kind
    )
